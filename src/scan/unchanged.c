/* unchanged.c - one more look at the files of a batch, before its sums count. A file that is
 * open when it is replaced or written to would else give sums of neither version. */
#include "unchanged.h"

#include <string.h>

#include "file.h"

static enum llmfp_status look_at(const struct llmfp_file *file, char **message,
                                 struct llmfp_error *error)
{
    struct llmfp_error why = {LLMFP_OK, ""};
    bool same = false;
    if (llmfp_path_is_unchanged(file->path, file->size_bytes, file->modified_ns, &same, &why) ==
            LLMFP_OK &&
        !same) {
        (void)llmfp_fail(&why, LLMFP_CHECKPOINT,
                         "'%s' has changed while it was read; scan it again when it is complete",
                         file->path);
    }
    if (why.status != LLMFP_OK && *message == NULL) {
        *message = strdup(why.text);
        if (*message == NULL) {
            return llmfp_fail_memory(error, strlen(why.text), "a message");
        }
    }
    return LLMFP_OK;
}

enum llmfp_status look_for_changes(const struct llmfp_communicator *communicator,
                                   const struct llmfp_batch *batch, char **messages,
                                   struct llmfp_error *error)
{
    enum llmfp_status status = LLMFP_OK;
    size_t turn = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const struct llmfp_catalog *catalog = &batch->checkpoints[i].catalog;
        for (size_t f = 0; status == LLMFP_OK && f < catalog->n_files; f++, turn++) {
            if (turn % (size_t)communicator->size == (size_t)communicator->rank &&
                !batch->checkpoints[i].failed) {
                status = look_at(&catalog->files[f], &messages[i], error);
            }
        }
    }
    return llmfp_agree(communicator, status, error);
}
