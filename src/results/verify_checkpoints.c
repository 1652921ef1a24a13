/* verify_checkpoints.c - whether the checkpoints on disk are those that were scanned: names,
 * sizes and headers of their files, as source_digest has them. Data is not read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmfp/batch.h"
#include "verify.h"

enum { SHOWN_BYTES = 160 };

/* The digest that a scan of this path would record. */
static enum llmfp_status digest_of(const char *path, uint64_t *digest, struct llmfp_error *error)
{
    struct llmfp_checkpoint files;
    struct llmfp_catalog catalog = {0};
    enum llmfp_status status = llmfp_checkpoint_locate(path, &files, error);
    if (status != LLMFP_OK) {
        return status;
    }
    for (size_t f = 0; status == LLMFP_OK && f < files.n_files; f++) {
        status = llmfp_catalog_add_file(&catalog, &files.files[f], error);
    }
    for (uint32_t f = 0; status == LLMFP_OK && f < files.n_files; f++) {
        status = llmfp_checkpoint_header(files.format, &catalog, f, error);
        /* Names and shapes have been looked at, and are not needed any more. */
        catalog.n_tensors = 0;
        llmfp_arena_clear(&catalog.arena);
        for (size_t g = 0; g < catalog.n_files; g++) {
            catalog.files[g].path = files.files[g].path;
        }
    }
    *digest = llmfp_batch_digest(&catalog);
    llmfp_catalog_clear(&catalog);
    llmfp_checkpoint_clear(&files);
    return status;
}

static enum llmfp_status check_checkpoint(const struct verifier *verifier, size_t model,
                                          const char *path, const char *recorded)
{
    char label[SHOWN_BYTES];
    char found[17];
    uint64_t digest = 0;
    struct llmfp_error why = {LLMFP_OK, ""};
    llmfp_escape(label, sizeof label, verifier->models[model], strlen(verifier->models[model]));
    const enum llmfp_status status = digest_of(path, &digest, &why);
    if (status == LLMFP_FATAL) {
        *verifier->error = why;
        return status;
    }
    (void)snprintf(found, sizeof found, "%016" PRIx64, digest);
    if (status != LLMFP_OK) {
        findings_add(verifier->findings, FINDING_CHECKPOINT,
                     "the checkpoint of model %s cannot be compared: %s", label, why.text);
    } else if (strcmp(found, recorded) != 0) {
        findings_add(verifier->findings, FINDING_CHECKPOINT,
                     "the checkpoint of model %s has changed since it was scanned: files of '%s' "
                     "have other names, sizes or headers now (source_digest %s, and not %s)",
                     label, path, found, recorded);
    }
    verifier->outcome->n_checkpoints++;
    return LLMFP_OK;
}

enum llmfp_status verify_checkpoints(struct verifier *verifier)
{
    const char **paths = NULL;
    const char **digests = NULL;
    enum llmfp_status status = results_read_strings(verifier->results, "path", &paths);
    if (status == LLMFP_OK) {
        status = results_read_strings(verifier->results, "source_digest", &digests);
    }
    for (size_t i = 0; status == LLMFP_OK && i < verifier->outcome->n_models; i++) {
        if (strcmp(verifier->status[i], "ok") == 0) {
            status = check_checkpoint(verifier, i, paths[i], digests[i]);
        }
    }
    free(paths);
    free(digests);
    return status;
}
