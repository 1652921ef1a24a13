/* sizes.c - how large are the checkpoints of a manifest? Nothing is opened but what says which
 * files belong to one. */
#include <limits.h>

#include "llmfp/batch.h"
#include "llmfp/scan.h"

/* Local. Sizes above most_bytes, which sparse files may claim, count as that. */
static enum llmfp_status size_of(const char *path, uint64_t most_bytes, uint64_t *size_bytes,
                                 struct llmfp_error *error)
{
    struct llmfp_checkpoint files = {0};
    struct llmfp_error why = {LLMFP_OK, ""};
    const enum llmfp_status status = llmfp_checkpoint_locate(path, &files, &why);
    *size_bytes = 0;
    for (size_t f = 0; status == LLMFP_OK && f < files.n_files; f++) {
        const uint64_t more = files.files[f].size_bytes;
        *size_bytes = more < most_bytes - *size_bytes ? *size_bytes + more : most_bytes;
    }
    llmfp_checkpoint_clear(&files);
    if (status == LLMFP_FATAL) {
        *error = why;
    }
    return status == LLMFP_FATAL ? status : LLMFP_OK;
}

enum llmfp_status llmfp_scan_sizes(const struct llmfp_communicator *communicator,
                                   const struct llmfp_manifest *manifest, uint64_t *sizes,
                                   struct llmfp_error *error)
{
    const size_t n = manifest->n_entries;
    const uint64_t most_bytes = (UINT64_C(1) << 61) / (n + 1); /* so that no sum wraps */
    enum llmfp_status status = LLMFP_OK;
    if (n > INT_MAX) {
        status = llmfp_fail(error, LLMFP_FATAL, "the manifest lists too many checkpoints");
    }
    for (size_t i = 0; i < n; i++) {
        sizes[i] = 0;
    }
    for (size_t i = (size_t)communicator->rank; status == LLMFP_OK && i < n;
         i += (size_t)communicator->size) {
        status = size_of(manifest->entries[i].path, most_bytes, &sizes[i], error);
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        MPI_Allreduce(MPI_IN_PLACE, sizes, (int)n, MPI_UINT64_T, MPI_SUM, communicator->handle);
    }
    return status;
}
