/* configuration_files.c - config.json, what stands in for it, and what quantisers write. */
#include "configuration_files.h"

#include <string.h>

#include "file.h"
#include "links.h"
#include "named_texts.h"

#define MOST_CONFIGURATION_BYTES (UINT64_C(16) << 20)

static const char *const sizes = "config.json";
/* The publisher's own (Meta, Mistral); read where there is no config.json.     */
static const char *const publisher_sizes = "params.json";
/* How the weights are quantised: AutoGPTQ, AutoAWQ, ModelOpt.                   */
static const char *const quantisers[] = {"quantize_config.json", "quant_config.json",
                                         "hf_quant_config.json"};

/* Append a file to `text`, if it is there. */
static enum llmfp_status read_file(const char *folder, const char *name, struct llmfp_arena *arena,
                                   struct llmfp_buffer *text, bool *present,
                                   struct llmfp_error *error)
{
    *present = false;
    const char *path = llmfp_path_join(arena, folder, name);
    if (path == NULL) {
        return llmfp_fail_memory(error, strlen(folder), "a file name");
    }
    enum llmfp_path_kind kind;
    enum llmfp_status status = llmfp_path_look(path, &kind, error);
    if (status != LLMFP_OK || kind == LLMFP_PATH_MISSING) {
        return status;
    }
    status = llmfp_link_check(folder, path, error);
    *present = true;
    return status == LLMFP_OK ? llmfp_file_read_whole(path, MOST_CONFIGURATION_BYTES, text, error)
                              : status;
}

/* The same, under its name among others. */
static enum llmfp_status add_file(const char *folder, const char *name, struct llmfp_arena *arena,
                                  struct llmfp_buffer *texts, bool *present,
                                  struct llmfp_error *error)
{
    struct llmfp_buffer text = {0};
    const enum llmfp_status status = read_file(folder, name, arena, &text, present, error);
    if (status == LLMFP_OK && *present) {
        llmfp_named_texts_put(texts, name, (const char *)text.bytes, text.size_bytes);
    }
    llmfp_buffer_clear(&text);
    return status;
}

/* A config.json alone is kept as it is. */
static enum llmfp_status keep(const struct llmfp_buffer *texts, struct llmfp_checkpoint *checkpoint,
                              struct llmfp_error *error)
{
    const char *text = (const char *)texts->bytes;
    size_t n_bytes = texts->size_bytes;
    size_t alone_bytes = 0;
    const char *alone =
        texts->failed ? NULL : llmfp_named_texts_find(text, n_bytes, "", sizes, &alone_bytes);
    if (alone != NULL && alone + alone_bytes == text + n_bytes &&
        (alone_bytes == 0 || *alone != *text)) {
        text = alone;
        n_bytes = alone_bytes;
    }
    checkpoint->configuration =
        texts->failed ? NULL : llmfp_arena_string(&checkpoint->arena, text, n_bytes);
    checkpoint->configuration_bytes = n_bytes;
    return checkpoint->configuration != NULL
               ? LLMFP_OK
               : llmfp_fail_memory(error, n_bytes, "the configuration");
}

enum llmfp_status llmfp_configuration_files_read(const char *folder,
                                                 struct llmfp_checkpoint *checkpoint,
                                                 struct llmfp_error *error)
{
    struct llmfp_arena *arena = &checkpoint->arena;
    struct llmfp_buffer texts = {0};
    bool present;
    enum llmfp_status status = add_file(folder, sizes, arena, &texts, &present, error);
    if (status == LLMFP_OK && !present) {
        status = add_file(folder, publisher_sizes, arena, &texts, &present, error);
    }
    for (size_t i = 0; status == LLMFP_OK && i < sizeof quantisers / sizeof quantisers[0]; i++) {
        status = add_file(folder, quantisers[i], arena, &texts, &present, error);
    }
    if (status == LLMFP_OK && (texts.size_bytes > 0 || texts.failed)) {
        status = keep(&texts, checkpoint, error);
    }
    llmfp_buffer_clear(&texts);
    return status;
}
