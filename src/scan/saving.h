/* saving.h - keeping this rank's sums of a batch in work, and taking up those of an
 * interrupted scan. See llmfp/partial.h for what is kept, and where.                 */
#ifndef LLMFP_SAVING_H
#define LLMFP_SAVING_H

#include "llmfp/batch.h"
#include "llmfp/partial.h"
#include "llmfp/scan.h"
#include "stream.h"

/* Of a whole scan. The fields below `settings` belong to the batch in work.           */
struct saving {
    const struct llmfp_communicator *communicator;
    const struct llmfp_scan_saving *settings;
    const struct llmfp_plan *plan;
    struct llmfp_partial_source sources[LLMFP_BATCH_MOST]; /* labels borrowed */
    struct llmfp_plan_part parts[LLMFP_BATCH_MOST];
    struct llmfp_partial *found[LLMFP_BATCH_MOST]; /* rank 0: saved before; or NULL */
    size_t n;                                      /* checkpoints */
    double next_s;                                 /* when to save again (MPI_Wtime) */
    uint64_t saved_bytes;
    struct llmfp_error trouble; /* why this rank could not save the last time, or LLMFP_OK */
};

/* Collective. Look at a new batch with its plan.
 *   done  in: what is not to be read here; out: and what of the plan's stream earlier runs
 *         have added up, the same on every rank
 * Errors, the same on every rank: LLMFP_FATAL without memory.                        */
enum llmfp_status saving_begin(struct saving *saving, const struct llmfp_batch *batch,
                               const struct llmfp_plan *plan,
                               const struct llmfp_scan_listener *listener,
                               struct llmfp_coverage *done,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Save when it is time to. What goes wrong is kept in saving->trouble: the scan can
 * do without.                                                                       */
void saving_tick(struct saving *saving, struct stream *stream);

/* Local. Save now, if there is anything new.
 * Errors: LLMFP_FATAL; what was saved before stays.                                  */
enum llmfp_status saving_save(struct saving *saving, struct stream *stream,
                              struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Add what saving_begin has found to this rank's moments (rank 0's alone).
 * Errors: LLMFP_FATAL without memory.                                               */
enum llmfp_status saving_merge(const struct saving *saving, struct stream *stream,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
