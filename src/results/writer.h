/* writer.h - the large arrays of the results file, filled by all ranks through MPI-IO. */
#ifndef LLMFP_WRITER_H
#define LLMFP_WRITER_H

#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/communicator.h"
#include "llmfp/error.h"
#include "llmfp/results.h"
#include "survey.h"

/* The large arrays.                                                                */
enum writer_array {
    WRITER_COUNT,
    WRITER_ZEROS,
    WRITER_NONFINITE,
    WRITER_MEAN,
    WRITER_STD,
    WRITER_MIN,
    WRITER_MAX,
    WRITER_SIGNATURE,
    WRITER_EXACT_CELL,
    WRITER_EXACT_SUM,
    WRITER_EXACT_SQUARES,
    WRITER_EXACT_DIVISOR, /* not in every file */
    WRITER_CORRELATION,
    WRITER_QKVO,
    WRITER_N_ARRAYS
};

enum { WRITER_MOST_AXES = 3 };

/* Where an array lies in the file, whole and in row-major order.                   */
struct writer_place {
    uint64_t offset_bytes;
    uint64_t value_bytes; /* of one element */
    uint64_t n_axes;
    uint64_t size[WRITER_MOST_AXES];
};

/* Every rank has the file open by itself: no call waits for another rank, so that what fails
 * on one leaves none of the others behind.                                         */
struct writer {
    const struct llmfp_communicator *communicator;
    const char *path; /* for messages */
    MPI_File file;
    bool is_open;
    struct writer_place places[WRITER_N_ARRAYS];
    const volatile sig_atomic_t *stop;
};

/* Collective. Agree, also on stopping when a signal has come.                      */
enum llmfp_status writer_agree(const struct writer *writer, enum llmfp_status status,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Open the file that schema_create made. Errors: LLMFP_FATAL, everywhere. */
enum llmfp_status writer_open(const struct llmfp_communicator *communicator, const char *path,
                              const volatile sig_atomic_t *stop, struct writer *writer,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Close it, with everything on disk.                                   */
enum llmfp_status writer_close(struct writer *writer, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Write a block of an array: start and count [axes of the array], values of the
 * array's type. The block is one run of elements in the file: all but one of the axes before
 * the first whole one have a count of 1. A count of 0 writes nothing.
 * Errors: LLMFP_FATAL.                                                              */
enum llmfp_status writer_put(struct writer *writer, enum writer_array array, const uint64_t *start,
                             const uint64_t *count, const void *values,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. count ... signature, over (model, role, layer).                       */
enum llmfp_status write_cells(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. exact/cell, exact/sum, exact/sum_squares, exact/divisor.              */
enum llmfp_status write_exact(struct writer *writer, const struct survey *survey,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. correlation and correlation_qkvo, and what they say in short (rank 0). */
enum llmfp_status write_correlations(struct writer *writer, const struct survey *survey,
                                     struct llmfp_likeness *likeness,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
