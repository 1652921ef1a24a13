/* command_verify.h - checking results files, before MPI has started. */
#ifndef LLMFP_COMMAND_VERIFY_H
#define LLMFP_COMMAND_VERIFY_H

#include "llmfp/error.h"
#include "options.h"

/* Exit status of --verify when something does not hold. */
enum { VERIFY_FOUND_SOMETHING = 3 };

/* Local. --verify: 0, VERIFY_FOUND_SOMETHING, or 1 when the file cannot be read. All is said. */
int command_verify(const struct options *options);

/* Local. Whether reading an existing results file leaves the program alive: a damaged one may
 * crash the HDF5 library. What is wrong otherwise is not said here.
 * Errors: LLMFP_FATAL.                                                             */
enum llmfp_status verify_can_be_read(const char *path, struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
