# Slicer writes LightMedSegConfig.cmake here, from what the modules have registered.
if(NOT IS_DIRECTORY "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
  message(FATAL_ERROR "Slicer_EXTENSION_GENERATE_CONFIG must be included after the modules")
endif()
set(STANDIN_CONFIG_GENERATED ON)
