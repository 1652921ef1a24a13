/* batch_exchange.h - what each rank has found out about a batch, told to all others. */
#ifndef LLMFP_BATCH_EXCHANGE_H
#define LLMFP_BATCH_EXCHANGE_H

#include "llmfp/batch.h"
#include "llmfp/buffer.h"

/* Reads one other rank's bytes into the batch.                              Local. */
typedef enum llmfp_status unpack_batch(struct llmfp_batch *batch, struct llmfp_cursor *cursor,
                                       struct llmfp_error *error);

/* Collective. Exchange packed bytes; hand every other rank's part to `unpack`.
 * Errors: LLMFP_FATAL, not yet agreed on.                                          */
enum llmfp_status exchange_and_unpack(const struct llmfp_communicator *communicator,
                                      struct llmfp_batch *batch, const struct llmfp_buffer *packed,
                                      unpack_batch *unpack,
                                      struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Local. Bytes that another rank of this same program has packed do not unpack. Always
 * LLMFP_FATAL.                                                                     */
enum llmfp_status bad_exchange(struct llmfp_error *error);

#endif
