/* llmfp/results.h - the results file: one HDF5 file, written by all ranks.   MPI, HDF5
 *
 * The file is made from the journal: rank 0 creates it with its structure, labels and
 * dimension scales; all ranks fill the large arrays through MPI-IO; rank 0 puts it in
 * place by rename. Until then an earlier file of that name is untouched.
 * Layout: results-schema/SCHEMA.md.                                               */
#ifndef LLMFP_RESULTS_H
#define LLMFP_RESULTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "llmfp/communicator.h"
#include "llmfp/error.h"
#include "llmfp/journal.h"
#include "llmfp/split.h"

#define LLMFP_SCHEMA         "llmfp-results"
#define LLMFP_SCHEMA_VERSION "1.2"
/* What a file says that has nothing of later versions in it. Only the parts of split scans
 * need 1.1, and only files with cells of quotients (llmfp/divisor.h) need 1.2.        */
#define LLMFP_SCHEMA_VERSION_PART  "1.1"
#define LLMFP_SCHEMA_VERSION_WHOLE "1.0"

/* Whether files of a schema version can be read. */
static inline bool llmfp_schema_version_is_known(const char *version)
{
    return strcmp(version, LLMFP_SCHEMA_VERSION) == 0 ||
           strcmp(version, LLMFP_SCHEMA_VERSION_PART) == 0 ||
           strcmp(version, LLMFP_SCHEMA_VERSION_WHOLE) == 0;
}

/* Two models and the correlation of their attention curves (correlation_qkvo).     */
struct llmfp_pair {
    size_t first; /* numbers of the models, first < second */
    size_t second;
    double correlation;
};

enum { LLMFP_MOST_PAIRS = 64 };

/* Models that are linked, directly or through others, by pairs whose correlation_qkvo is at
 * least this are put into one group: a convention for summaries, not a verdict.       */
#define LLMFP_GROUP_CORRELATION 0.9

/* What a summary says of all pairs; rank 0's.                                         */
struct llmfp_likeness {
    struct llmfp_pair pairs[LLMFP_MOST_PAIRS]; /* the most similar ones, best first; ties in
                                                  model order */
    size_t n_pairs;
    size_t *group; /* owned (free), [n_models]: number of the first model of its group */
};

struct llmfp_results_request {
    const char *output;       /* path of the results file */
    const char *journal_path; /* where the records are */
    size_t n_models;
    const struct llmfp_journal_place *places; /* [n_models], in the order of the file; rank 0's */
    const char *generator;                    /* "llmfp-scan 1.2.3" */
    const char *created;                      /* ISO 8601, UTC */
    struct llmfp_split split;                 /* which part of a split scan this is */
    const volatile sig_atomic_t *stop;        /* becomes non-zero when this is to stop */
};

/* Collective. Write the results file. All strings of the request are the same on all
 * ranks.
 *   likeness  out, filled on rank 0; likeness->group is NULL elsewhere and on error
 * Errors, the same on every rank: LLMFP_FATAL; LLMFP_INTERRUPTED after *stop; no file has
 * been put in place then.                                                           */
enum llmfp_status llmfp_results_write(const struct llmfp_communicator *communicator,
                                      const struct llmfp_results_request *request,
                                      struct llmfp_likeness *likeness,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Turn an existing results file back into records, in the file's order, and
 * append them to an open journal: what --append starts from. No checkpoint is read.
 *   places   out, owned by the caller (free): one per model
 *   split    out: which part of a split scan the file is; NULL: a part is refused
 * Errors: LLMFP_FATAL when it is not a results file of this schema, or damaged.     */
enum llmfp_status llmfp_results_import(const char *path, struct llmfp_journal *journal,
                                       struct llmfp_journal_place **places, size_t *n_models,
                                       struct llmfp_split *split,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Which part of a split scan a results file is; zeroed for a whole one.
 * Errors: LLMFP_FATAL when it cannot be read, or says it wrongly.                   */
enum llmfp_status llmfp_results_split(const char *path, struct llmfp_split *split,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. The records of several results files in one order: that of the files, and in them
 * their own. Parts of a split scan stand in their own order at the place of the first one
 * that is given, and their slices are joined. All are appended to an open journal. No checkpoint is read.
 *   places   out, owned by the caller (free): one per model
 * Errors: LLMFP_USAGE when a file is given twice; LLMFP_FATAL as for llmfp_results_import,
 * when two files have a model of the same label, and when parts are missing, overlap, or
 * are not of one scan.                                                               */
enum llmfp_status llmfp_results_merge(const char *const *paths, size_t n_paths,
                                      struct llmfp_journal *journal,
                                      struct llmfp_journal_place **places, size_t *n_models,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
