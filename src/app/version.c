/* version.c - the text of --version. LLMFP_VERSION comes from the build. */
#include "version.h"

#include <hdf5.h>
#include <mpi.h>
#include <string.h>

#include "llmfp/results.h"

const char *version_generator(void)
{
    return "llmfp-scan " LLMFP_VERSION;
}

void version_print(FILE *out)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    unsigned major;
    unsigned minor;
    unsigned release;
    MPI_Get_library_version(library, &length); /* allowed before MPI_Init */
    library[strcspn(library, ",\n")] = '\0';   /* the name and number are in front */
    H5get_libversion(&major, &minor, &release);
    (void)fprintf(out,
                  "%s\ncompiler: %s\nMPI: %s (MPI %d.%d)\nHDF5: %u.%u.%u (parallel)\n"
                  "results schema: %s %s\n",
                  version_generator(), LLMFP_COMPILER, library, MPI_VERSION, MPI_SUBVERSION, major,
                  minor, release, LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION);
}
