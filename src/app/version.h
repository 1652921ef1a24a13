/* version.h - what this program was built from. */
#ifndef LLMFP_VERSION_TEXT_H
#define LLMFP_VERSION_TEXT_H

#include <stdio.h>

/* Name and version, as in the results file's `generator`.                    Local. */
const char *version_generator(void);

/* The text of --version: compiler, MPI, HDF5, schema.                        Local. */
void version_print(FILE *out);

#endif
