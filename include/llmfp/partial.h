/* llmfp/partial.h - what has been added up of a checkpoint that is not finished.
 *                                                                core, no MPI
 * Sums are exact integers, so those over some ranges of a checkpoint's bytes may be kept
 * and the others added later, by any number of ranks and with any chunk size. While a
 * scan runs each rank keeps its own partial sums of the checkpoints in work in a file of
 * its own beside the journal (JOURNAL.progress.RANK), which it replaces as a whole now and
 * then. Nothing in it depends on another rank. --resume merges these files into one
 * (JOURNAL.progress) before it removes them. Sums over ranges that are covered already
 * are dropped, so it does no harm when this is interrupted, or a file is left behind.
 *
 * The files have the journal's form (llmfp/journal.h) with other records. A partial
 * counts only for the files, headers and plan that it was made from; positions are
 * relative to the checkpoint's part of the plan.                                 */
#ifndef LLMFP_PARTIAL_H
#define LLMFP_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/buffer.h"
#include "llmfp/coverage.h"
#include "llmfp/error.h"
#include "llmfp/moments.h"
#include "llmfp/record.h"

/* Empty when the count is 0.                                                     */
struct llmfp_partial_cell {
    int64_t counters[LLMFP_N_COUNTERS];
    int64_t extremes[LLMFP_N_EXTREMES];
    struct llmfp_sum sum;
    struct llmfp_sum squares;
};

/* What a partial belongs to.                                                     */
struct llmfp_partial_source {
    const char *label;
    uint64_t fingerprint; /* names, sizes and times of the files */
    uint64_t digest;      /* names, sizes and headers */
    uint64_t plan;        /* llmfp_plan_digest */
    uint64_t stream_bytes;
    uint32_t n_cells;
};

struct llmfp_partial {
    struct llmfp_partial_source source;
    struct llmfp_coverage coverage;
    struct llmfp_partial_cell *cells; /* owned, [n_cells] */
    struct llmfp_arena arena;         /* owns the label and the limbs */
};

/* The latest of each label. A zeroed struct is empty.                            */
struct llmfp_partials {
    struct llmfp_partial *items; /* owned */
    size_t n;
    size_t capacity;
    size_t n_damaged; /* files and records that could not be read and are not in it */
};

/* All functions are Local. Errors are LLMFP_FATAL.                               */

bool llmfp_partial_same_source(const struct llmfp_partial_source *a,
                               const struct llmfp_partial_source *b);

/* Pack one partial behind what `frames` holds: begin, each cell that is not empty by its
 * ascending number (n_filled of them), end.                                      */
size_t llmfp_partial_frame_begin(const struct llmfp_partial_source *source,
                                 const struct llmfp_range *ranges, size_t n_ranges,
                                 uint32_t n_filled, struct llmfp_buffer *frames);
void llmfp_partial_frame_cell(uint32_t number, const struct llmfp_partial_cell *cell,
                              struct llmfp_buffer *frames);
void llmfp_partial_frame_end(struct llmfp_buffer *frames, size_t frame);

/* The bytes of one record. Errors also for bytes that are not a partial, or break its
 * promises. Clear after success.                                                 */
enum llmfp_status llmfp_partial_unpack(struct llmfp_partial *partial, struct llmfp_cursor *cursor,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_partial_clear(struct llmfp_partial *partial);

/* Add `from` to `to` when they have the same source and nothing in common; *merged says
 * whether.                                                                       */
enum llmfp_status llmfp_partial_merge(struct llmfp_partial *to, const struct llmfp_partial *from,
                                      bool *merged, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* ---- files ---- */

/* Replace a rank's file with packed partials, safely on disk.                    */
enum llmfp_status llmfp_partial_save(const char *journal_path, uint64_t key, int rank,
                                     const struct llmfp_buffer *frames,
                                     struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Merge all files into one, and remove those of ranks. Only with the journal locked. Files
 * of another key, and what is damaged, are left out.                             */
enum llmfp_status llmfp_partials_gather(const char *journal_path, uint64_t key,
                                        struct llmfp_partials *partials,
                                        struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Whether there is such a file; remove all of them.                              */
bool llmfp_partials_exist(const char *journal_path);
void llmfp_partials_remove(const char *journal_path);

/* The partial of a label, or NULL.                                               */
struct llmfp_partial *llmfp_partials_find(const struct llmfp_partials *partials, const char *label);

void llmfp_partials_clear(struct llmfp_partials *partials);

#endif
