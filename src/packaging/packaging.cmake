# What `cpack` makes: a Debian package of the programs (component runtime), or an archive of
# all that is installed where there is no dpkg. Included CPack (by the top CMakeLists.txt) reads these settings. The C library is not in the package.
set(CPACK_PACKAGE_NAME llmfp)
set(CPACK_PACKAGE_VENDOR "llmfp")
# From the environment, as Debian's own tools take it.
set(contact_name "llmfp maintainers")
set(contact_address "maintainers@users.noreply.github.com")
if(NOT "$ENV{DEBFULLNAME}" STREQUAL "")
  set(contact_name "$ENV{DEBFULLNAME}")
endif()
if(NOT "$ENV{DEBEMAIL}" STREQUAL "")
  set(contact_address "$ENV{DEBEMAIL}")
endif()
set(LLMFP_PACKAGE_CONTACT "${contact_name} <${contact_address}>" CACHE STRING "Name and address of whoever makes the package")
set(CPACK_PACKAGE_CONTACT "${LLMFP_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exact weight statistics of language models, in parallel")
set(CPACK_PACKAGE_DESCRIPTION "llmfp-scan reads many checkpoints of large language models with many MPI
ranks, and writes for each model, role and layer the exact mean and standard
deviation of the weights into one HDF5 file, with a signature of each model
and the correlations of all pairs. llmfp-inspect, llmfp-export and
llmfp-report show checkpoints and results.")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/compress.cmake")
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git/" "/build/" "__pycache__" "\\\\.h5$")
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE")

find_program(LLMFP_DPKG_SHLIBDEPS dpkg-shlibdeps)
if(LLMFP_DPKG_SHLIBDEPS)
  set(CPACK_GENERATOR DEB)
else()
  set(CPACK_GENERATOR TGZ)
endif()
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME llmfp)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/postinst"
    "${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/prerm")
# The launcher of the MPI that the programs are linked with.
if(LLMFP_MPI STREQUAL "mpich")
  set(LLMFP_PACKAGE_LAUNCHER mpich)
else()
  set(LLMFP_PACKAGE_LAUNCHER openmpi-bin)
endif()
set(CPACK_DEBIAN_PACKAGE_DEPENDS "${LLMFP_PACKAGE_LAUNCHER}, python3:any, python3-h5py, python3-numpy")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
    "hdf5-tools, jupyter-nbconvert, python3-h5netcdf, python3-matplotlib, python3-xarray, slurm-client")

install(FILES src/packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES src/packaging/changelog RENAME changelog.Debian DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT runtime)
