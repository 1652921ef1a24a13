# Install the core as a library (component development): headers, a CMake package (llmfp::core)
# and a pkg-config file. The programs (component runtime) install themselves in src/app,
# src/inspect and src/export; llmfp-report, jobs and schema are installed here. Headers that need MPI or HDF5 belong to
# the program and are not installed.
include(CMakePackageConfigHelpers)

install(TARGETS llmfp_core EXPORT llmfp ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/llmfp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h"
        PATTERN batch.h EXCLUDE PATTERN communicator.h EXCLUDE PATTERN results.h EXCLUDE
        PATTERN scan.h EXCLUDE PATTERN shares.h EXCLUDE)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/llmfp)
install(EXPORT llmfp NAMESPACE llmfp:: FILE llmfp-targets.cmake DESTINATION ${package_folder}
        COMPONENT development)
configure_package_config_file(src/llmfp-config.cmake.in llmfp-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(llmfp-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmfp-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/llmfp-config-version.cmake
        DESTINATION ${package_folder} COMPONENT development)

# Directories given as absolute paths stay as they are; the others follow the prefix.
set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
foreach(folder pc_libdir pc_includedir)
  if(NOT IS_ABSOLUTE "${${folder}}")
    set(${folder} "\${prefix}/${${folder}}")
  endif()
endforeach()
# The prefix may be given at install time (cmake --install --prefix): write the file then.
set(LLMFP_PREFIX "@LLMFP_PREFIX@")
configure_file(src/llmfp.pc.in llmfp.pc.in @ONLY)
install(CODE "
  set(LLMFP_PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
  configure_file(\"${CMAKE_CURRENT_BINARY_DIR}/llmfp.pc.in\" \"${CMAKE_CURRENT_BINARY_DIR}/llmfp.pc\" @ONLY)" COMPONENT development)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmfp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# llmfp-report: a Python script, which finds its modules from where it is itself.
file(READ src/report/llmfp-report script)
file(RELATIVE_PATH modules_from_script ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_DATADIR}/llmfp/report)
string(REPLACE "../share/llmfp/report" "${modules_from_script}" script "${script}")
file(CONFIGURE OUTPUT llmfp-report CONTENT "${script}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS src/report/llmfp-report)
install(PROGRAMS ${CMAKE_CURRENT_BINARY_DIR}/llmfp-report DESTINATION ${CMAKE_INSTALL_BINDIR}
        COMPONENT runtime)
install(DIRECTORY src/report/llmfp_report DESTINATION ${CMAKE_INSTALL_DATADIR}/llmfp/report COMPONENT runtime
        FILES_MATCHING PATTERN "*.py" PATTERN "*.css" PATTERN "*.js" PATTERN __pycache__ EXCLUDE)
install(FILES src/report/man/llmfp-report.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES src/report/completion/llmfp-report.bash RENAME llmfp-report
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)

# The schema of results files with its checker, and the jobs of an installed program (those that
# build it from source stay there).
install(DIRECTORY results-schema DESTINATION ${CMAKE_INSTALL_DATADIR}/llmfp COMPONENT runtime
        FILES_MATCHING PATTERN "*.md" PATTERN "*.json" PATTERN "*.py" PATTERN __pycache__ EXCLUDE)
install(DIRECTORY jobs DESTINATION ${CMAKE_INSTALL_DATADIR}/llmfp COMPONENT runtime
        USE_SOURCE_PERMISSIONS FILES_MATCHING PATTERN "*.ipynb" PATTERN "*.sbatch" PATTERN "*.sh"
        PATTERN quick-start.sh EXCLUDE PATTERN test.sh EXCLUDE PATTERN packages.sh EXCLUDE PATTERN spack EXCLUDE)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
