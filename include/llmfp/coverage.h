/* llmfp/coverage.h - which bytes of a stream have been added up, and which are left.
 *                                                                core, no MPI
 * Positions are bytes of a plan's stream (llmfp/plan.h). Sums over disjoint sets of
 * ranges may be merged whoever made them, with chunks of whatever size.           */
#ifndef LLMFP_COVERAGE_H
#define LLMFP_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

struct llmfp_range {
    uint64_t low; /* low < high */
    uint64_t high;
};

/* Disjoint ranges in ascending order, none touching the next. Zeroed: empty.       */
struct llmfp_coverage {
    struct llmfp_range *ranges; /* owned */
    size_t n;
    size_t capacity;
};

/* All functions are Local.                                                        */

void llmfp_coverage_clear(struct llmfp_coverage *coverage);

/* Whether a part of [low, high) is covered.                                        */
bool llmfp_coverage_overlaps(const struct llmfp_coverage *coverage, uint64_t low, uint64_t high);

/* Cover [low, high), low <= high, of which nothing is covered yet. False without
 * memory (then nothing has changed).                                               */
bool llmfp_coverage_add(struct llmfp_coverage *coverage, uint64_t low,
                        uint64_t high) LLMFP_MUST_CHECK;

uint64_t llmfp_coverage_bytes(const struct llmfp_coverage *coverage);

/* What is left of [0, end), cut into chunks of equal size. Zeroed: nothing.        */
struct llmfp_work {
    struct llmfp_coverage left;
    uint64_t *before; /* owned, [left.n]: bytes that are left before a range */
    uint64_t size_bytes;
};

/* Errors: LLMFP_FATAL without memory. Clear after success and failure.             */
enum llmfp_status llmfp_work_make(struct llmfp_work *work, const struct llmfp_coverage *done,
                                  uint64_t end, struct llmfp_error *error) LLMFP_MUST_CHECK;
void llmfp_work_clear(struct llmfp_work *work);

uint64_t llmfp_work_n_chunks(const struct llmfp_work *work, uint64_t chunk_bytes);

/* Walk the ranges of a chunk. *offset starts with 0 and is kept between calls. False when
 * the chunk has no more.                                                           */
bool llmfp_work_next(const struct llmfp_work *work, uint64_t chunk_bytes, uint64_t chunk,
                     uint64_t *offset, struct llmfp_range *range);

#endif
