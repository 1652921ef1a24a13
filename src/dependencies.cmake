# What the build needs, each with one clear message when it is missing.
find_package(PkgConfig REQUIRED)

function(llmfp_need_module target module package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${module} was not found: install ${package} (Debian), or add it to PKG_CONFIG_PATH.")
  endif()
endfunction()

llmfp_need_module(CJSON libcjson libcjson-dev)
llmfp_need_module(MPFR mpfr libmpfr-dev)
llmfp_need_module(GMP gmp libgmp-dev)

find_package(ZLIB QUIET)
if(NOT ZLIB_FOUND)
  message(FATAL_ERROR "zlib was not found: install zlib1g-dev (Debian), or set ZLIB_ROOT.")
endif()

set(THREADS_PREFER_PTHREAD_FLAG TRUE)
find_package(Threads REQUIRED)

find_package(MPI QUIET COMPONENTS C)
if(NOT MPI_C_FOUND)
  message(FATAL_ERROR "MPI was not found: install libopenmpi-dev and openmpi-bin (Debian), or load your site's MPI module.")
endif()

# The serial flavour of HDF5 may be installed beside the parallel one.
set(HDF5_PREFER_PARALLEL TRUE)
find_package(HDF5 QUIET COMPONENTS C HL)
if(NOT HDF5_FOUND OR NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "Parallel HDF5 was not found (a serial one does not do): "
    "install libhdf5-openmpi-dev (Debian), or set HDF5_ROOT to a parallel build.")
endif()
