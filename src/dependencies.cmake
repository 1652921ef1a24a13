# What the build needs, each with one clear message when it is missing. MPI and HDF5:
# mpi_and_hdf5.cmake.
find_package(PkgConfig QUIET)
if(NOT PKG_CONFIG_FOUND)
  message(FATAL_ERROR "pkg-config was not found: install pkg-config (Debian), load its module (pkgconf), "
    "or set PKG_CONFIG_EXECUTABLE.")
endif()

function(llmfp_need_module target module package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${module} was not found by pkg-config: install ${package} (Debian), load its module, or add "
      "its folder to CMAKE_PREFIX_PATH (or that of its .pc file to PKG_CONFIG_PATH).")
  endif()
endfunction()

llmfp_need_module(CJSON libcjson libcjson-dev)
llmfp_need_module(MPFR mpfr libmpfr-dev)
llmfp_need_module(GMP gmp libgmp-dev)

find_package(ZLIB QUIET)
if(NOT ZLIB_FOUND)
  message(FATAL_ERROR "zlib was not found: install zlib1g-dev (Debian), load its module, or set ZLIB_ROOT.")
endif()

set(THREADS_PREFER_PTHREAD_FLAG TRUE)
find_package(Threads REQUIRED)

include(src/mpi_and_hdf5.cmake)

# An installed program finds libraries of modules and home folders without LD_LIBRARY_PATH;
# the system's own need no help.
foreach(library ${MPI_C_LIBRARIES} ${HDF5_C_LIBRARIES} ${HDF5_C_HL_LIBRARIES} ${CJSON_LINK_LIBRARIES}
                ${MPFR_LINK_LIBRARIES} ${GMP_LINK_LIBRARIES} ${ZLIB_LIBRARIES})
  get_filename_component(folder "${library}" DIRECTORY)
  if(IS_ABSOLUTE "${library}" AND NOT folder MATCHES "^(/usr)?/lib")
    list(APPEND CMAKE_INSTALL_RPATH "${folder}")
  endif()
endforeach()
list(REMOVE_DUPLICATES CMAKE_INSTALL_RPATH)
