# MPI, and the parallel HDF5 that was built for it. A machine may have several of both:
# MPI_HOME, MPI_C_COMPILER, MPI_EXECUTABLE_SUFFIX (.mpich, .openmpi: Debian) or CC=mpicc choose
# the MPI; HDF5_ROOT or HDF5_C_COMPILER_EXECUTABLE (h5pcc) the HDF5. Sets LLMFP_MPI.
include(CheckSymbolExists)

find_package(MPI QUIET COMPONENTS C)
if(NOT MPI_C_FOUND)
  message(FATAL_ERROR "MPI was not found: install libopenmpi-dev and openmpi-bin, or libmpich-dev and mpich (Debian), "
    "load your site's MPI module, or say where it is: -DMPI_HOME=FOLDER, or -DMPI_C_COMPILER=FILE (its mpicc).")
endif()

# Which MPI it is: "openmpi", "mpich" (and those made from it: Intel, MVAPICH, Cray) or "mpi".
function(llmfp_name_mpi)
  set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
  set(CMAKE_REQUIRED_QUIET ON)
  # Looked for anew each time: the user may have chosen another MPI.
  unset(LLMFP_OPEN_MPI CACHE)
  unset(LLMFP_MPICH CACHE)
  check_symbol_exists(OPEN_MPI mpi.h LLMFP_OPEN_MPI)
  check_symbol_exists(MPICH_VERSION mpi.h LLMFP_MPICH)
  if(LLMFP_OPEN_MPI)
    set(LLMFP_MPI openmpi PARENT_SCOPE)
  elseif(LLMFP_MPICH)
    set(LLMFP_MPI mpich PARENT_SCOPE)
  else()
    set(LLMFP_MPI mpi PARENT_SCOPE)
  endif()
endfunction()
llmfp_name_mpi()

# Debian has a parallel HDF5 for each MPI, and h5pcc.openmpi beside h5pcc.mpich.
if(NOT HDF5_ROOT AND NOT DEFINED ENV{HDF5_ROOT} AND NOT HDF5_C_COMPILER_EXECUTABLE)
  find_program(HDF5_C_COMPILER_EXECUTABLE NAMES h5pcc.${LLMFP_MPI} DOC "HDF5 C Wrapper compiler.")
  if(NOT HDF5_C_COMPILER_EXECUTABLE)
    unset(HDF5_C_COMPILER_EXECUTABLE CACHE)
  endif()
endif()
# The serial flavour of HDF5 may be installed beside the parallel one.
set(HDF5_PREFER_PARALLEL TRUE)
find_package(HDF5 QUIET COMPONENTS C HL)
if(NOT HDF5_FOUND OR NOT HDF5_IS_PARALLEL)
  set(debian_package libhdf5-${LLMFP_MPI}-dev)
  if(LLMFP_MPI STREQUAL "mpi")
    set(debian_package "libhdf5-openmpi-dev or libhdf5-mpich-dev")
  endif()
  if(HDF5_FOUND)
    set(found " The one found has no MPI: ${HDF5_C_LIBRARIES}.")
  endif()
  message(FATAL_ERROR "Parallel HDF5 with its high-level library was not found (a serial one does not do):${found} "
    "Install ${debian_package} (Debian), load your site's module of parallel HDF5 (often called hdf5-parallel, phdf5 "
    "or hdf5/VERSION-MPI), or set HDF5_ROOT to the folder of a parallel build.")
endif()

# The MPI libraries that a shared library or program asks for.
function(llmfp_mpi_of file result)
  set(${result} "" PARENT_SCOPE)
  execute_process(COMMAND "${CMAKE_READELF}" -d "${file}" OUTPUT_VARIABLE dynamic ERROR_QUIET)
  string(REGEX MATCHALL "NEEDED[^\n]*\\[libmpi[^\n]*\\]" needed "${dynamic}")
  list(TRANSFORM needed REPLACE ".*\\[(libmpi(ch)?\\.so[^]]*)\\]" "\\1")
  list(FILTER needed INCLUDE REGEX "^libmpi(ch)?\\.so")
  set(${result} ${needed} PARENT_SCOPE)
endfunction()

# HDF5 of another MPI links without complaint, and crashes in the first collective call.
function(llmfp_check_hdf5_and_mpi)
  set(source "${CMAKE_BINARY_DIR}/CMakeFiles/llmfp-uses-mpi.c")
  file(WRITE "${source}" "#include <mpi.h>\nint main(int n, char **v) { return MPI_Init(&n, &v); }\n")
  try_compile(linked "${CMAKE_BINARY_DIR}/CMakeFiles/llmfp-uses-mpi" SOURCES "${source}"
              LINK_LIBRARIES MPI::MPI_C COPY_FILE "${CMAKE_BINARY_DIR}/CMakeFiles/llmfp-uses-mpi.out")
  if(NOT linked)
    message(FATAL_ERROR "A program with MPI does not link: see CMakeFiles/CMakeError.log in ${CMAKE_BINARY_DIR}.")
  endif()
  llmfp_mpi_of("${CMAKE_BINARY_DIR}/CMakeFiles/llmfp-uses-mpi.out" ours)
  foreach(library ${HDF5_C_LIBRARIES})
    if(IS_ABSOLUTE "${library}" AND library MATCHES "hdf5")
      llmfp_mpi_of("${library}" theirs)
      # Static libraries, and MPIs that call themselves otherwise, do not say.
      if(ours AND theirs AND NOT ours STREQUAL theirs)
        message(FATAL_ERROR "HDF5 (${library}) was built for another MPI (${theirs}) than the one found (${ours}, "
          "${MPI_C_COMPILER}): set HDF5_ROOT to a parallel HDF5 of that MPI, or choose the other MPI with MPI_HOME or "
          "-DMPI_C_COMPILER=FILE. Use an empty build folder.")
      endif()
    endif()
  endforeach()
endfunction()
llmfp_check_hdf5_and_mpi()

# FindMPI takes the first mpiexec in PATH, which may be another MPI's.
if(NOT MPIEXEC_EXECUTABLE)
  message(STATUS "mpiexec was not found: tests need it (openmpi-bin or mpich on Debian, or -DMPIEXEC_EXECUTABLE=FILE)")
endif()
message(STATUS "MPI: ${LLMFP_MPI} ${MPI_C_VERSION} (${MPI_C_COMPILER}), launcher ${MPIEXEC_EXECUTABLE}")
message(STATUS "HDF5: ${HDF5_VERSION} (${HDF5_C_LIBRARIES})")
