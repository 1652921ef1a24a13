/* headers.h - the headers of a batch's files: each rank reads some, and tells the others. */
#ifndef LLMFP_HEADERS_H
#define LLMFP_HEADERS_H

#include "llmfp/batch.h"

/* Collective. Read the headers of all files of the current batch into the catalogs, which
 * then hold the same tensors on every rank, in any order. Checkpoints with a bad header are
 * marked failed, with the message of their first bad file.
 * Errors, the same on every rank: LLMFP_FATAL.                                     */
enum llmfp_status read_headers(const struct llmfp_communicator *communicator,
                               struct llmfp_batch *batch,
                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
