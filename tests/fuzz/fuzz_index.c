/* fuzz_index.c - index files: shards are plain names beside the index, names are sorted and
 * unique, and every tensor's shard is one of them.                                      */
#include "fuzz.h"
#include "index.h"
#include "llmfp/checkpoint.h"

static void check_shards(const struct llmfp_names *shards)
{
    for (size_t i = 0; i < shards->n_names; i++) {
        const char *name = shards->names[i];
        FUZZ_CHECK(name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
        FUZZ_CHECK(strpbrk(name, "/\\") == NULL);
        FUZZ_CHECK(i == 0 || strcmp(shards->names[i - 1], name) < 0);
    }
}

static void check_promises(const struct llmfp_checkpoint *checkpoint, size_t n_shards)
{
    FUZZ_CHECK(checkpoint->n_index > 0 && n_shards > 0 && n_shards <= checkpoint->n_index);
    bool *used = calloc(n_shards, sizeof *used);
    FUZZ_CHECK(used != NULL);
    for (size_t i = 0; i < checkpoint->n_index; i++) {
        const char *name = checkpoint->index_names[i];
        FUZZ_CHECK(llmfp_utf8_valid(name, strlen(name)));
        FUZZ_CHECK(i == 0 || strcmp(checkpoint->index_names[i - 1], name) < 0);
        FUZZ_CHECK(checkpoint->index_file[i] < n_shards);
        used[checkpoint->index_file[i]] = true;
    }
    for (size_t i = 0; i < n_shards; i++) {
        FUZZ_CHECK(used[i]);
    }
    free(used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    struct llmfp_error error = {LLMFP_OK, ""};
    struct llmfp_checkpoint checkpoint = {0};
    struct llmfp_names shards = {0};
    fuzz_file_begin(&file, data, size);
    const enum llmfp_status status = llmfp_index_read(file.path, &checkpoint, &shards, &error);
    if (status != LLMFP_OK) {
        fuzz_check_error(status, &error, LLMFP_CHECKPOINT, file.path);
    } else {
        check_shards(&shards);
        check_promises(&checkpoint, shards.n_names);
    }
    llmfp_names_clear(&shards);
    llmfp_checkpoint_clear(&checkpoint);
    fuzz_file_end(&file);
    return 0;
}
