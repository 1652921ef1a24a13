/* unchanged.h - have files changed while they were read? */
#ifndef LLMFP_UNCHANGED_H
#define LLMFP_UNCHANGED_H

#include "llmfp/batch.h"

/* Collective. Look at size and time of every file of the batch once more; a checkpoint of
 * which one has changed gets a message (owned, malloc) on the rank that saw it, unless it
 * has one.
 * Errors, the same on every rank: LLMFP_FATAL without memory.                         */
enum llmfp_status look_for_changes(const struct llmfp_communicator *communicator,
                                   const struct llmfp_batch *batch, char **messages,
                                   struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
