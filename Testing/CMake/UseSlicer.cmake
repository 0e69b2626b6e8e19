include("${CMAKE_CURRENT_LIST_DIR}/ScriptedModule.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/PythonTesting.cmake")

set(EXTENSION_NAME "${PROJECT_NAME}")
option(BUILD_TESTING "Build the testing tree." ON)
enable_testing()
