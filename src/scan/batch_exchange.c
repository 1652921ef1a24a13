/* batch_exchange.c - what each rank has found out about a batch, told to all others. */
#include "batch_exchange.h"

#include <stdlib.h>

/* Bytes that were packed by another rank of this same program and do not unpack: the
 * memory ran out, or the program is wrong. */
enum llmfp_status bad_exchange(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_FATAL,
                      "bytes from another rank cannot be read; are all ranks of one build, and is "
                      "there enough memory?");
}

enum llmfp_status exchange_and_unpack(const struct llmfp_communicator *communicator,
                                      struct llmfp_batch *batch, const struct llmfp_buffer *packed,
                                      unpack_batch *unpack, struct llmfp_error *error)
{
    struct llmfp_buffer all = {0};
    uint64_t *offsets = calloc((size_t)communicator->size + 1, sizeof *offsets);
    enum llmfp_status status = LLMFP_OK;
    if (offsets == NULL) {
        status = llmfp_fail_memory(error, (size_t)communicator->size * 8, "an exchange");
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        status = llmfp_exchange(communicator, packed, &all, offsets, error);
    }
    for (int rank = 0; status == LLMFP_OK && rank < communicator->size; rank++) {
        if (rank != communicator->rank) {
            struct llmfp_cursor cursor = llmfp_cursor_over(
                all.bytes + offsets[rank], (size_t)(offsets[rank + 1] - offsets[rank]));
            status = unpack(batch, &cursor, error);
        }
    }
    free(offsets);
    llmfp_buffer_clear(&all);
    return status;
}
