# A toolchain for machines without compilers: project() asks for C and C++, but a Python extension compiles nothing.
foreach(language IN ITEMS C CXX)
  set(CMAKE_${language}_COMPILER "${CMAKE_COMMAND}")
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
  set(CMAKE_${language}_COMPILER_ID "None")
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
  set(CMAKE_${language}_ABI_COMPILED TRUE)
endforeach()
