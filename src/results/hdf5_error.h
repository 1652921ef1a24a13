/* hdf5_error.h - HDF5's error stack as one of our messages. */
#ifndef LLMFP_HDF5_ERROR_H
#define LLMFP_HDF5_ERROR_H

#include "llmfp/error.h"

/* Local. LLMFP_FATAL with "'PATH': cannot WHAT: innermost reason that HDF5 gives". */
enum llmfp_status hdf5_fail(struct llmfp_error *error, const char *path, const char *what);

/* Local. HDF5 must not print its own stack: call once before using it. */
void hdf5_be_quiet(void);

#endif
