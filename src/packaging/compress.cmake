# Run by cpack on what goes into the package: manual pages and the changelog compressed, without
# the time of day, as Debian wants them.
file(GLOB_RECURSE files "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.1"
     "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/changelog.Debian")
if(CPACK_GENERATOR STREQUAL "DEB")
  foreach(file ${files})
    execute_process(COMMAND gzip -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endif()
