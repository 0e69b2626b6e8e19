# Checks the fields that describe the extension, and installs them as Slicer does.
if(NOT STANDIN_CONFIG_GENERATED)
  message(FATAL_ERROR "Slicer_EXTENSION_CPACK must be included after Slicer_EXTENSION_GENERATE_CONFIG")
endif()
foreach(name IN ITEMS README_FILE LICENSE_FILE)
  if(NOT EXISTS "${EXTENSION_${name}}")
    message(FATAL_ERROR "EXTENSION_${name} points to a file that does not exist: ${EXTENSION_${name}}")
  endif()
endforeach()

set(STANDIN_DESCRIPTION "")
foreach(name IN ITEMS HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS RECOMMENDS KEYWORDS
    STATUS ENABLED BUILD_SUBDIRECTORY)
  if("${EXTENSION_${name}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${name} is not set")
  endif()
  # Slicer hands these on without quotes: at a semicolon they would fall apart.
  if("${EXTENSION_${name}}" MATCHES "[;\n]")
    message(FATAL_ERROR "EXTENSION_${name} must be one line without semicolons")
  endif()
  string(TOLOWER "${name}" STANDIN_FIELD)
  string(APPEND STANDIN_DESCRIPTION "${STANDIN_FIELD} ${EXTENSION_${name}}\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext" "${STANDIN_DESCRIPTION}")
install(FILES "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext"
  DESTINATION "${Slicer_SHARE_DIR}"
  COMPONENT RuntimeLibraries
  )
