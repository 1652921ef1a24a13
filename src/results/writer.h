/* writer.h - the large arrays of the results file, filled by all ranks through MPI-IO. */
#ifndef LLMFP_WRITER_H
#define LLMFP_WRITER_H

#include <hdf5.h>
#include <stddef.h>

#include "llmfp/communicator.h"
#include "llmfp/error.h"
#include "llmfp/results.h"
#include "survey.h"

struct writer {
    const struct llmfp_communicator *communicator;
    const char *path; /* for messages */
    hid_t file;
    hid_t collective; /* transfer properties */
    const volatile sig_atomic_t *stop;
};

/* Collective. Agree, also on stopping when a signal has come. A rank whose HDF5 call has
 * failed must make no other before this: the rest may be waiting in that one.      */
enum llmfp_status writer_agree(const struct writer *writer, enum llmfp_status status,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Open the file that schema_create made. Errors: LLMFP_FATAL, everywhere. */
enum llmfp_status writer_open(const struct llmfp_communicator *communicator, const char *path,
                              const volatile sig_atomic_t *stop, struct writer *writer,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Close it, with everything on its way to disk.                        */
enum llmfp_status writer_close(struct writer *writer, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Write a block of one dataset: start and count [n_axes]; a count of 0 is a
 * rank that has nothing this time.
 * Errors, the same on every rank: LLMFP_FATAL.                                      */
enum llmfp_status writer_put(struct writer *writer, hid_t dataset, hid_t memory_type, int n_axes,
                             const hsize_t *start, const hsize_t *count, const void *values,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. count ... signature, over (model, role, layer).                       */
enum llmfp_status write_cells(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. exact/cell, exact/sum, exact/sum_squares.                             */
enum llmfp_status write_exact(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. correlation and correlation_qkvo, and what they say in short (rank 0). */
enum llmfp_status write_correlations(struct writer *writer, const struct survey *survey,
                                     struct llmfp_likeness *likeness,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
