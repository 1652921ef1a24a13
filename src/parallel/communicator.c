/* communicator.c - agreement and exchange of bytes. */
#include "llmfp/communicator.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EXCHANGED_BYTES = 1 << 30 }; /* MPI counts are int */

void llmfp_communicator_open(struct llmfp_communicator *communicator, MPI_Comm parent)
{
    MPI_Comm_dup(parent, &communicator->handle);
    MPI_Comm_rank(communicator->handle, &communicator->rank);
    MPI_Comm_size(communicator->handle, &communicator->size);
}

void llmfp_communicator_close(struct llmfp_communicator *communicator)
{
    MPI_Comm_free(&communicator->handle);
}

/* Higher is more severe; what everybody must leave for comes first. */
static int severity(enum llmfp_status status)
{
    switch (status) {
    case LLMFP_OK:
        return 0;
    case LLMFP_CHECKPOINT:
        return 1;
    case LLMFP_INTERRUPTED:
        return 2;
    case LLMFP_USAGE:
        return 3;
    case LLMFP_FATAL:
        break;
    }
    return 4;
}

enum llmfp_status llmfp_agree(const struct llmfp_communicator *communicator,
                              enum llmfp_status status, struct llmfp_error *error)
{
    /* Severity in the high half, so that the maximum is the most severe; in the low
     * half the rank counted from the end, so that the lowest rank wins. */
    const int64_t mine =
        (int64_t)severity(status) << 32 | (int64_t)(INT32_MAX - communicator->rank);
    int64_t worst = 0;
    MPI_Allreduce(&mine, &worst, 1, MPI_INT64_T, MPI_MAX, communicator->handle);
    if (worst >> 32 == 0) {
        return LLMFP_OK;
    }
    const int winner = INT32_MAX - (int)(worst & INT32_MAX);
    struct llmfp_error agreed = {LLMFP_OK, ""};
    if (winner == communicator->rank) {
        agreed = *error;
        agreed.status = status;
    }
    MPI_Bcast(&agreed, (int)sizeof agreed, MPI_BYTE, winner, communicator->handle);
    *error = agreed;
    return agreed.status;
}

/* Make room for size_bytes in an emptied buffer, on all ranks or on none. UINT64_MAX: what is
 * to be sent could not be packed. */
static enum llmfp_status agree_on_room(const struct llmfp_communicator *communicator,
                                       struct llmfp_buffer *buffer, uint64_t size_bytes,
                                       struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    buffer->size_bytes = 0;
    buffer->failed = false;
    if (size_bytes == UINT64_MAX) {
        status = llmfp_fail(error, LLMFP_FATAL,
                            "out of memory on one rank while it packed headers or records for the "
                            "others; use fewer ranks on a node");
    } else if (size_bytes > MOST_EXCHANGED_BYTES) {
        status = llmfp_fail(error, LLMFP_FATAL,
                            "%llu bytes of headers or records are too much for one exchange among "
                            "ranks; list fewer or smaller checkpoints",
                            (unsigned long long)size_bytes);
    } else if (size_bytes > 0 && llmfp_buffer_extend(buffer, (size_t)size_bytes) == NULL) {
        status = llmfp_fail_memory(error, (size_t)size_bytes, "an exchange among ranks");
    }
    return llmfp_agree(communicator, status, error);
}

enum llmfp_status llmfp_broadcast(const struct llmfp_communicator *communicator,
                                  struct llmfp_buffer *buffer, int root, struct llmfp_error *error)
{
    uint64_t size_bytes = buffer->failed ? UINT64_MAX : buffer->size_bytes;
    MPI_Bcast(&size_bytes, 1, MPI_UINT64_T, root, communicator->handle);
    struct llmfp_buffer room = {0};
    struct llmfp_buffer *target = communicator->rank == root ? &room : buffer;
    const enum llmfp_status status = agree_on_room(communicator, target, size_bytes, error);
    llmfp_buffer_clear(&room);
    if (status == LLMFP_OK && size_bytes > 0) {
        MPI_Bcast(buffer->bytes, (int)size_bytes, MPI_BYTE, root, communicator->handle);
    }
    return status;
}

/* Sizes of all ranks' bytes as MPI wants them. Their sum, or UINT64_MAX when one rank's
 * buffer has failed. counts and starts have room for `size` ints each. */
static uint64_t exchange_sizes(const struct llmfp_communicator *communicator,
                               const struct llmfp_buffer *mine, uint64_t *offsets)
{
    const uint64_t size_bytes = mine->failed ? UINT64_MAX : mine->size_bytes;
    offsets[0] = 0;
    MPI_Allgather(&size_bytes, 1, MPI_UINT64_T, offsets + 1, 1, MPI_UINT64_T, communicator->handle);
    for (int i = 1; i <= communicator->size; i++) {
        if (offsets[i] == UINT64_MAX) {
            return UINT64_MAX;
        }
        offsets[i] += offsets[i - 1];
    }
    return offsets[communicator->size];
}

static enum llmfp_status exchange(const struct llmfp_communicator *communicator,
                                  const struct llmfp_buffer *mine, struct llmfp_buffer *all,
                                  uint64_t *offsets, bool everywhere, struct llmfp_error *error)
{
    const size_t n = (size_t)communicator->size;
    uint64_t *begins = malloc((n + 1) * sizeof *begins);
    int *counts = malloc(2 * n * sizeof *counts);
    enum llmfp_status status = LLMFP_OK;
    if (begins == NULL || counts == NULL) {
        status = llmfp_fail_memory(error, n * 16, "an exchange among ranks");
    }
    status = llmfp_agree(communicator, status, error);
    if (status != LLMFP_OK) {
        free(begins);
        free(counts);
        return status;
    }
    const uint64_t total = exchange_sizes(communicator, mine, begins);
    const bool receives = everywhere || communicator->rank == 0;
    status = agree_on_room(communicator, all, receives || total > MOST_EXCHANGED_BYTES ? total : 0,
                           error);
    if (status == LLMFP_OK) {
        int *starts = counts + n;
        for (size_t i = 0; i < n; i++) {
            counts[i] = (int)(begins[i + 1] - begins[i]);
            starts[i] = (int)begins[i];
        }
        static const unsigned char nothing[1] = {0};
        const void *source = mine->size_bytes > 0 ? mine->bytes : nothing;
        if (everywhere) {
            MPI_Allgatherv(source, (int)mine->size_bytes, MPI_BYTE, all->bytes, counts, starts,
                           MPI_BYTE, communicator->handle);
        } else {
            MPI_Gatherv(source, (int)mine->size_bytes, MPI_BYTE, all->bytes, counts, starts,
                        MPI_BYTE, 0, communicator->handle);
        }
        if (offsets != NULL) {
            memcpy(offsets, begins, (n + 1) * sizeof *begins);
        }
    }
    free(begins);
    free(counts);
    return status;
}

enum llmfp_status llmfp_exchange(const struct llmfp_communicator *communicator,
                                 const struct llmfp_buffer *mine, struct llmfp_buffer *all,
                                 uint64_t *offsets, struct llmfp_error *error)
{
    return exchange(communicator, mine, all, offsets, true, error);
}

enum llmfp_status llmfp_gather(const struct llmfp_communicator *communicator,
                               const struct llmfp_buffer *mine, struct llmfp_buffer *all,
                               uint64_t *offsets, struct llmfp_error *error)
{
    return exchange(communicator, mine, all, offsets, false, error);
}

uint64_t llmfp_largest(const struct llmfp_communicator *communicator, uint64_t value)
{
    /* Moved to the signed range: MPICH 4.0 compares MPI_UINT64_T as if it had a sign. */
    const uint64_t half = UINT64_C(1) << 63;
    const int64_t mine = value >= half ? (int64_t)(value - half) : (int64_t)value + INT64_MIN;
    int64_t largest = mine;
    MPI_Allreduce(&mine, &largest, 1, MPI_INT64_T, MPI_MAX, communicator->handle);
    return (uint64_t)largest + half;
}
