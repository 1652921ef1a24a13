/* reading.h - an existing results file, opened and read as the stranger that it may be.
 *
 * Nothing of another file is read through it (links and external storage are refused), sizes
 * are held against the file's own before anything is allocated, and strings have a budget. */
#ifndef LLMFP_RESULTS_READING_H
#define LLMFP_RESULTS_READING_H

#include <hdf5.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/error.h"
#include "llmfp/split.h"
#include "schema_table.h"

/* What a finding is about; of each kind only the first few are told. */
enum finding_kind {
    FINDING_ATTRIBUTE,
    FINDING_DATASET,
    FINDING_SHAPE,
    FINDING_TYPE,
    FINDING_SCALE,
    FINDING_LABEL,
    FINDING_MODEL,
    FINDING_ROW,
    FINDING_COUNT,
    FINDING_SUM,
    FINDING_RANGE,
    FINDING_NAN,
    FINDING_MEAN,
    FINDING_STD,
    FINDING_SIGNATURE,
    FINDING_CORRELATION,
    FINDING_CHECKPOINT,
    N_FINDING_KINDS
};

/* Where findings go: whole sentences without the file's name. */
struct findings {
    void (*tell)(void *context, const char *text);
    void *context;
    size_t n[N_FINDING_KINDS];
};

enum { FINDINGS_TOLD = 5 /* of each kind */ };

/* Note a finding. */
void findings_add(struct findings *findings, enum finding_kind kind, const char *format, ...)
    LLMFP_PRINTF(3, 4);
/* All findings so far. */
size_t findings_total(const struct findings *findings);
/* Say how many were not told. */
void findings_finish(const struct findings *findings);

struct results_file {
    const char *path;
    uint64_t file_bytes;
    hid_t file;
    hid_t string_type; /* in memory and in the file: variable length, UTF-8 */
    hid_t transfer;    /* for strings */
    /* Bounds on sizes that have been checked: */
    uint64_t length[N_AXES];
    int32_t sum_exponent;
    int32_t square_exponent;
    struct llmfp_split split; /* which part of a split scan it is */
    uint64_t string_bytes;    /* read so far */
    struct llmfp_arena strings;
    struct llmfp_error *error;
};

/* All Local. Open a results file for reading; results_file_close after success and failure.
 * Errors: LLMFP_FATAL when it is no HDF5 file or cannot be read.                       */
enum llmfp_status results_file_open(struct results_file *results, const char *path,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;
void results_file_close(struct results_file *results);

/* Check every attribute, dataset, type, shape and scale of the schema, and set the lengths and
 * exponents. True when values can be read: then no dataset has another type or shape than
 * the table says. */
bool results_check_structure(struct results_file *results, struct findings *findings);

/* A scalar attribute of exactly this type, open; negative when there is none. */
hid_t results_open_scalar(hid_t object, const char *name, hid_t type);

/* Whether a name is that of an object in this very file, and not of a link. */
bool results_is_own(const struct results_file *results, const char *name);

/* A dataset whose values are in this very file, open; negative with a finding. */
hid_t results_open_own(const struct results_file *results, const char *name,
                       struct findings *findings);

/* A dataset of the table, open; negative when it cannot be opened. */
hid_t results_open(const struct results_file *results, const char *name);

/* Read a block of a numeric dataset: count[i] entries from start[i] on along each axis.
 * Errors: LLMFP_FATAL.                                                                 */
enum llmfp_status results_read(const struct results_file *results, hid_t dataset, hid_t type,
                               int n_axes, const hsize_t *start, const hsize_t *count,
                               void *values) LLMFP_MUST_CHECK;

/* A whole dataset along its first axes; n values in all. */
enum llmfp_status results_read_all(const struct results_file *results, const char *name, hid_t type,
                                   void *values) LLMFP_MUST_CHECK;

/* All strings of a dataset, n of them; they belong to results->strings, the array to the
 * caller (free). */
enum llmfp_status results_read_strings(struct results_file *results, const char *name,
                                       const char ***strings) LLMFP_MUST_CHECK;

#endif
