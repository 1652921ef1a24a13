/* recheck.c - has a checkpoint changed since it was scanned? */
#include <stdlib.h>

#include "llmfp/batch.h"
#include "llmfp/scan.h"

/* Local. The digest of the headers of a located checkpoint's files. */
static enum llmfp_status read_digest(const struct llmfp_checkpoint *files, uint64_t *digest,
                                     struct llmfp_error *error)
{
    struct llmfp_catalog catalog = {0};
    enum llmfp_status status = LLMFP_OK;
    for (size_t f = 0; status == LLMFP_OK && f < files->n_files; f++) {
        status = llmfp_catalog_add_file(&catalog, &files->files[f], error);
    }
    for (uint32_t f = 0; status == LLMFP_OK && f < catalog.n_files; f++) {
        status = llmfp_checkpoint_header(files->format, &catalog, f, error);
    }
    *digest = llmfp_batch_digest(&catalog);
    llmfp_catalog_clear(&catalog);
    return status;
}

/* Local. Whether the files at an entry's path no longer are what was scanned. Headers are
 * read only where names, sizes and times are the same. */
static enum llmfp_status has_changed(const struct llmfp_manifest_entry *entry,
                                     const struct llmfp_scan_entry *known, unsigned char *changed,
                                     struct llmfp_error *error)
{
    struct llmfp_checkpoint files = {0};
    struct llmfp_error why = {LLMFP_OK, ""};
    uint64_t digest = 0;
    enum llmfp_status status = llmfp_checkpoint_locate(entry->path, &files, &why);
    *changed = status != LLMFP_OK || llmfp_batch_fingerprint(&files) != known->fingerprint;
    if (*changed == 0) {
        status = read_digest(&files, &digest, &why);
        *changed = status != LLMFP_OK || digest != known->digest;
    }
    llmfp_checkpoint_clear(&files);
    if (status == LLMFP_FATAL) {
        *error = why;
        return status;
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_scan_recheck(const struct llmfp_communicator *communicator,
                                     const struct llmfp_manifest *manifest,
                                     const struct llmfp_scan_listener *listener,
                                     struct llmfp_scan_entry *entries, struct llmfp_error *error)
{
    const size_t n = manifest->n_entries;
    unsigned char *changed = calloc(n + 1, 1);
    enum llmfp_status status =
        changed == NULL ? llmfp_fail_memory(error, n, "a check of checkpoints") : LLMFP_OK;
    for (size_t i = (size_t)communicator->rank; status == LLMFP_OK && i < n;
         i += (size_t)communicator->size) {
        if (entries[i].done && entries[i].fingerprint != 0) {
            status = has_changed(&manifest->entries[i], &entries[i], &changed[i], error);
        }
    }
    status = llmfp_agree(communicator, status, error);
    if (status == LLMFP_OK) {
        MPI_Allreduce(MPI_IN_PLACE, changed, (int)n, MPI_UNSIGNED_CHAR, MPI_MAX,
                      communicator->handle);
        for (size_t i = 0; i < n; i++) {
            if (changed[i] != 0) {
                entries[i].done = false;
                if (communicator->rank == 0) {
                    listener->checkpoint_note(listener->context, manifest->entries[i].label,
                                              "has changed since it was scanned; it is scanned "
                                              "anew");
                }
            }
        }
    }
    free(changed);
    return status;
}
