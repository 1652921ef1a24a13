/* finish.h - from every rank's moments of a batch to records for the journal. */
#ifndef LLMFP_FINISH_H
#define LLMFP_FINISH_H

#include "llmfp/batch.h"
#include "llmfp/scan.h"
#include "recording.h"
#include "stream.h"

/* Collective. Sum the moments to the rank that owns each checkpoint (MPI_SUM and MPI_MAX on
 * int64 are exact), make the records there, and begin to append all of them to rank 0's
 * journal. On rank 0 the entries get their places; `done` and `failed` are set on every
 * rank.
 *   split  which part of a scan this is
 * Errors, the same on every rank: LLMFP_FATAL; those of the journal perhaps only by
 * recording_end.                                                                   */
enum llmfp_status finish_batch(const struct llmfp_communicator *communicator,
                               const struct llmfp_split *split, struct llmfp_batch *batch,
                               const struct llmfp_plan *plan, struct stream *stream,
                               struct llmfp_scan_entry *entries, struct recording *recording,
                               struct llmfp_scan_timings *timings,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
