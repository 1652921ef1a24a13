/* stream.h - one rank's work on a plan: claim chunks, read them, add to moments. */
#ifndef LLMFP_STREAM_H
#define LLMFP_STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "llmfp/batch.h"
#include "llmfp/coverage.h"
#include "llmfp/io.h"
#include "llmfp/plan.h"
#include "llmfp/scan.h"
#include "llmfp/shares.h"
#include "sides.h"

struct stream {
    const struct llmfp_plan *plan;
    struct llmfp_batch *batch;
    const struct llmfp_work *work; /* what of the plan's stream is to be read */
    uint64_t chunk_bytes;
    struct llmfp_coverage done;       /* what this rank has added of it; owned */
    bool torn;                        /* the moments hold more than `done`, after a fatal error */
    int64_t *additive;                /* owned, [plan->n_additive] */
    int64_t *extreme;                 /* owned, [plan->n_cells * LLMFP_N_EXTREMES] */
    struct llmfp_moments *moments;    /* owned, [plan->n_cells], views of the two above */
    struct reader *reader;            /* owned */
    struct sides sides;               /* of the tensor that is being added */
    unsigned char *staging;           /* owned: short runs of fused tensors, put together */
    char *messages[LLMFP_BATCH_MOST]; /* owned: what went wrong with a checkpoint here, or NULL */
    struct llmfp_scan_timings *timings;
};

/* Local. Memory for the moments of all cells of the plan, to read `work` of it.
 * Errors: LLMFP_FATAL without memory. stream_clear after success and failure.     */
enum llmfp_status stream_open(struct stream *stream, const struct llmfp_plan *plan,
                              const struct llmfp_work *work, struct llmfp_batch *batch,
                              uint64_t chunk_bytes, enum llmfp_io io,
                              struct llmfp_scan_timings *timings,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local (claims are one-sided). Work until no chunk is left or *stop is set; then
 * *stopped. `tick` is called after every chunk, and may be NULL.
 * A file that cannot be read fails its checkpoint (stream->messages), not the run.
 * Errors: LLMFP_FATAL without memory.                                             */
enum llmfp_status stream_run(struct stream *stream, struct llmfp_shares *shares,
                             const volatile sig_atomic_t *stop, bool *stopped,
                             void (*tick)(void *context), void *context,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

void stream_clear(struct stream *stream);

#endif
