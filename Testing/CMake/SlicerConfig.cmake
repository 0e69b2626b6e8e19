# A small stand-in for the build system of 3D Slicer: find_package(Slicer) finds this file with
# -DSlicer_DIR=Testing/CMake. Testing/Python/support/extension_build.py uses it.
#
# It offers only what this extension calls, checks every argument, and lays files where Slicer 5.12 does. Behaviour
# after Slicer's SlicerMacroBuildScriptedModule.cmake, SlicerMacroPythonTesting.cmake and SlicerExtensionCPack.cmake,
# and CTK's ctkMacroCompilePythonScript.cmake.

set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/CPackExtension.cmake")

set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
set(Slicer_SHARE_DIR "share/Slicer-5.12")
