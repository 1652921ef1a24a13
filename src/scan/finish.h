/* finish.h - from every rank's moments of a batch to records for the journal, in two steps:
 * the sums of one batch are on their way while the next one is looked for, its headers are
 * read and its plan is made.                                                         */
#ifndef LLMFP_FINISH_H
#define LLMFP_FINISH_H

#include "llmfp/batch.h"
#include "llmfp/scan.h"
#include "recording.h"
#include "stream.h"

struct finishing; /* opaque: one batch, or none */

/* Local. NULL without memory.                                                        */
struct finishing *finish_new(void);
void finish_free(struct finishing *finishing);

/* Collective. Begin to sum the moments to the rank that owns each checkpoint (MPI_SUM and
 * MPI_MAX on int64 are exact). No batch may be under way. The plan and the stream's moments
 * are moved, and what is needed of the batch is copied: all three may be cleared.
 *   split  which part of a scan this is
 * Errors, the same on every rank: LLMFP_FATAL; then no batch is under way.           */
enum llmfp_status
finish_begin(struct finishing *finishing, const struct llmfp_communicator *communicator,
             const struct llmfp_split *split, const struct llmfp_batch *batch,
             struct llmfp_plan *plan, struct stream *stream, const struct llmfp_scan_entry *entries,
             struct llmfp_scan_timings *timings, struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Collective. Wait for the sums of the batch under way, make the records where they are, and
 * begin to append all of them to rank 0's journal. On rank 0 the entries get their places;
 * `done` and `failed` are set on every rank.
 * Errors, the same on every rank: LLMFP_FATAL; those of the journal perhaps only by
 * recording_end.                                                                     */
enum llmfp_status finish_end(struct finishing *finishing,
                             const struct llmfp_communicator *communicator,
                             struct llmfp_scan_entry *entries, struct recording *recording,
                             struct llmfp_scan_timings *timings,
                             struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Checkpoints of the batch under way, and what their records say; only the rank that
 * owns one has its cells, after finish_end.                                          */
size_t finish_n(const struct finishing *finishing);
const struct llmfp_record *finish_record(const struct finishing *finishing, size_t i);

/* Local. After finish_end: no batch is under way.                                    */
void finish_forget(struct finishing *finishing);

#endif
