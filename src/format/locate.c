/* locate.c - from a path to the files of a checkpoint, without reading headers. */
#include <string.h>

#include "configuration_files.h"
#include "file.h"
#include "folder.h"
#include "format.h"
#include "gguf.h"
#include "index.h"
#include "links.h"
#include "llmfp/checkpoint.h"

/* Look at each file and note its size, time and header size. `index` is the path
 * of the index that names them, or NULL. */
static enum llmfp_status probe_files(const char *folder, const struct llmfp_names *names,
                                     const char *index, struct llmfp_checkpoint *checkpoint,
                                     struct llmfp_error *error)
{
    const size_t size_bytes = names->n_names * sizeof *checkpoint->files;
    checkpoint->files = llmfp_arena_new(&checkpoint->arena, size_bytes);
    if (checkpoint->files == NULL) {
        return llmfp_fail_memory(error, size_bytes, "the files of a checkpoint");
    }
    for (size_t i = 0; i < names->n_names; i++) {
        struct llmfp_file *file = &checkpoint->files[i];
        const struct llmfp_format *format = NULL;
        file->path = llmfp_path_join(&checkpoint->arena, folder, names->names[i]);
        if (file->path == NULL) {
            return llmfp_fail_memory(error, strlen(folder), "a file name");
        }
        const enum llmfp_status status = llmfp_format_probe(file, &format, error);
        if (status != LLMFP_OK) {
            return index == NULL ? status
                                 : llmfp_error_prefix(error, "a shard that %s names", index);
        }
        if (i > 0 && format != checkpoint->format) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s is a %s file, but %s is a %s file; a checkpoint has one format",
                              checkpoint->files[0].path, checkpoint->format->name, file->path,
                              format->name);
        }
        checkpoint->format = format;
    }
    checkpoint->n_files = names->n_names;
    return LLMFP_OK;
}

/* The folder of a path, with its slash, in the arena; "" when it has none. */
static const char *folder_of(struct llmfp_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return llmfp_arena_string(arena, path, slash == NULL ? 0 : (size_t)(slash + 1 - path));
}

static enum llmfp_status locate_index(const char *folder, const char *path,
                                      struct llmfp_checkpoint *checkpoint,
                                      struct llmfp_error *error)
{
    struct llmfp_names shards = {0};
    enum llmfp_status status = llmfp_index_read(path, checkpoint, &shards, error);
    if (status == LLMFP_OK) {
        status = llmfp_links_check(folder, &shards, &checkpoint->arena, error);
        if (status == LLMFP_CHECKPOINT) {
            status = llmfp_error_prefix(error, "a shard that %s names", path);
        }
    }
    if (status == LLMFP_OK) {
        status = probe_files(folder, &shards, path, checkpoint, error);
    }
    llmfp_names_clear(&shards);
    return status;
}

/* A GGUF file, which may be the first of several parts. */
static enum llmfp_status locate_parts(const char *folder, const char *name,
                                      struct llmfp_checkpoint *checkpoint,
                                      struct llmfp_error *error)
{
    struct llmfp_names parts = {0};
    enum llmfp_status status = gguf_parts(folder, name, &checkpoint->arena, &parts, error);
    if (status == LLMFP_OK && parts.n_names > 1) {
        status = llmfp_links_check(folder, &parts, &checkpoint->arena, error);
    }
    if (status == LLMFP_OK) {
        status = probe_files(folder, &parts, NULL, checkpoint, error);
    }
    llmfp_names_clear(&parts);
    return status;
}

static enum llmfp_status locate_file(const char *folder, const char *path,
                                     struct llmfp_checkpoint *checkpoint, struct llmfp_error *error)
{
    const char *name = path + strlen(folder);
    if (llmfp_ends_with(name, ".index.json")) {
        return locate_index(folder, path, checkpoint, error);
    }
    if (strncmp(name, "adapter_model.", strlen("adapter_model.")) == 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is an adapter (LoRA or the like), not a model: merge it into its "
                          "base model first, and give the merged checkpoint",
                          path);
    }
    if (llmfp_ends_with(name, ".gguf")) {
        return locate_parts(folder, name, checkpoint, error);
    }
    const struct llmfp_names one = {.names = &name, .n_names = 1};
    return probe_files(folder, &one, NULL, checkpoint, error);
}

/* The two names that come before all others need no listing of the directory. */
static enum llmfp_status locate_folder(const char *folder, struct llmfp_checkpoint *checkpoint,
                                       struct llmfp_error *error)
{
    static const char *const first[] = {"model.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        const char *path = llmfp_path_join(&checkpoint->arena, folder, first[i]);
        if (path == NULL) {
            return llmfp_fail_memory(error, strlen(folder), "a file name");
        }
        enum llmfp_path_kind kind;
        enum llmfp_status status = llmfp_path_look(path, &kind, error);
        if (status == LLMFP_OK && kind != LLMFP_PATH_MISSING) {
            status = llmfp_link_check(folder, path, error);
        }
        if (status != LLMFP_OK) {
            return status;
        }
        /* A dangling link or a directory of that name is an error, not a reason to look
         * for another file. */
        if (kind != LLMFP_PATH_MISSING) {
            return locate_file(folder, path, checkpoint, error);
        }
    }
    struct llmfp_names names = {0};
    enum llmfp_status status = llmfp_folder_choose(folder, &checkpoint->arena, &names, error);
    if (status == LLMFP_OK) {
        status = llmfp_links_check(folder, &names, &checkpoint->arena, error);
    }
    if (status == LLMFP_OK && names.n_names == 1 &&
        llmfp_ends_with(names.names[0], ".index.json")) {
        const char *index = llmfp_path_join(&checkpoint->arena, folder, names.names[0]);
        status = index == NULL ? llmfp_fail_memory(error, strlen(folder), "a file name")
                               : locate_index(folder, index, checkpoint, error);
    } else if (status == LLMFP_OK) {
        status = probe_files(folder, &names, NULL, checkpoint, error);
    }
    llmfp_names_clear(&names);
    return status;
}

static enum llmfp_status locate(const char *path, struct llmfp_checkpoint *checkpoint,
                                struct llmfp_error *error)
{
    enum llmfp_path_kind kind;
    enum llmfp_status status = llmfp_path_look(path, &kind, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (kind == LLMFP_PATH_MISSING) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "there is no file or directory %s", path);
    }
    const bool is_folder = kind == LLMFP_PATH_FOLDER;
    const char *folder = is_folder ? llmfp_path_join(&checkpoint->arena, path, "")
                                   : folder_of(&checkpoint->arena, path);
    if (folder == NULL) {
        return llmfp_fail_memory(error, strlen(path), "a file name");
    }
    status = is_folder ? locate_folder(folder, checkpoint, error)
                       : locate_file(folder, path, checkpoint, error);
    if (status != LLMFP_OK) {
        return status;
    }
    return checkpoint->format->configure != NULL
               ? checkpoint->format->configure(checkpoint, error)
               : llmfp_configuration_files_read(folder, checkpoint, error);
}

enum llmfp_status llmfp_checkpoint_locate(const char *path, struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_error *error)
{
    *checkpoint = (struct llmfp_checkpoint){0};
    const enum llmfp_status status = locate(path, checkpoint, error);
    if (status != LLMFP_OK) {
        llmfp_checkpoint_clear(checkpoint);
    }
    return status;
}
