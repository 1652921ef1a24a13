/* folder.c - choosing the weights among the files of a directory. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gguf.h"
#include "shards.h"

void llmfp_names_clear(struct llmfp_names *names)
{
    free(names->names);
    *names = (struct llmfp_names){0};
}

enum llmfp_status llmfp_names_add(struct llmfp_names *names, const char *name,
                                  struct llmfp_error *error)
{
    if (names->n_names == names->capacity) {
        const size_t capacity = names->capacity == 0 ? 16 : names->capacity * 2;
        const char **grown = realloc(names->names, capacity * sizeof *grown);
        if (grown == NULL) {
            return llmfp_fail_memory(error, capacity * sizeof *grown, "file names");
        }
        names->names = grown;
        names->capacity = capacity;
    }
    names->names[names->n_names++] = name;
    return LLMFP_OK;
}

static int by_bytes(const void *item_a, const void *item_b)
{
    const char *const *a = item_a;
    const char *const *b = item_b;
    return strcmp(*a, *b);
}

void llmfp_names_sort(struct llmfp_names *names)
{
    if (names->n_names > 1) {
        qsort(names->names, names->n_names, sizeof *names->names, by_bytes);
    }
}

bool llmfp_ends_with(const char *name, const char *suffix)
{
    const size_t name_bytes = strlen(name);
    const size_t suffix_bytes = strlen(suffix);
    return name_bytes >= suffix_bytes && strcmp(name + name_bytes - suffix_bytes, suffix) == 0;
}

static bool begins_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Weights that are recognised by their names but not read, best known first. */
static const struct {
    const char *suffix;
    const char *what;
} unsupported[] = {
    {".bin", "a PyTorch checkpoint"},
    {".pth", "a PyTorch checkpoint"},
    {".pt", "a PyTorch checkpoint"},
    {".ckpt", "a PyTorch checkpoint"},
    {".bin.index.json", "the index of a PyTorch checkpoint"},
    {".h5", "an HDF5 file"},
    {".msgpack", "a Flax checkpoint"},
};
enum { N_UNSUPPORTED = sizeof unsupported / sizeof unsupported[0] };

/* What a listing of a directory found. */
struct listing {
    struct llmfp_names weights; /* *.safetensors that can be chosen */
    struct llmfp_names
        native; /* consolidated*.safetensors: the same weights in the publisher's layout */
    struct llmfp_names gguf;
    const char *unsupported_name; /* the first of the first row above that has one */
    size_t unsupported_row;
    bool adapter;
    bool cache; /* the root of a download cache: the files are further down */
};

static enum llmfp_status note_name(struct listing *listing, const char *entry,
                                   struct llmfp_arena *arena, struct llmfp_error *error)
{
    if (begins_with(entry, "adapter_model.") || strcmp(entry, "adapter_config.json") == 0) {
        listing->adapter = true;
        return LLMFP_OK;
    }
    listing->cache = listing->cache || strcmp(entry, "snapshots") == 0;
    const bool gguf = llmfp_ends_with(entry, ".gguf");
    const bool weights = gguf || llmfp_ends_with(entry, ".safetensors");
    size_t row = 0;
    while (!weights && row < N_UNSUPPORTED && !llmfp_ends_with(entry, unsupported[row].suffix)) {
        row++;
    }
    /* Hidden files are leftovers of copying and syncing tools. */
    if (entry[0] == '.' || row == N_UNSUPPORTED) {
        return LLMFP_OK;
    }
    const char *name = llmfp_arena_string(arena, entry, strlen(entry));
    if (name == NULL) {
        return llmfp_fail_memory(error, strlen(entry) + 1, "a file name");
    }
    if (gguf) {
        return llmfp_names_add(&listing->gguf, name, error);
    }
    if (weights) {
        return llmfp_names_add(
            begins_with(name, "consolidated") ? &listing->native : &listing->weights, name, error);
    }
    if (listing->unsupported_name == NULL || row < listing->unsupported_row ||
        (row == listing->unsupported_row && strcmp(name, listing->unsupported_name) < 0)) {
        listing->unsupported_name = name;
        listing->unsupported_row = row;
    }
    return LLMFP_OK;
}

static enum llmfp_status list_folder(const char *folder, struct llmfp_arena *arena,
                                     struct listing *listing, struct llmfp_error *error)
{
    char text[LLMFP_SYSTEM_TEXT_BYTES];
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "cannot list the directory %s: %s", folder,
                          llmfp_system_text(errno, text));
    }
    enum llmfp_status status = LLMFP_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == LLMFP_OK && (entry = readdir(directory)) != NULL) {
        status = note_name(listing, entry->d_name, arena, error);
        errno = 0;
    }
    if (status == LLMFP_OK && errno != 0) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT, "cannot list the directory %s: %s", folder,
                            llmfp_system_text(errno, text));
    }
    (void)closedir(directory);
    return status;
}

static enum llmfp_status fail_no_weights(const char *folder, const struct listing *listing,
                                         struct llmfp_error *error)
{
    if (listing->adapter) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds an adapter (LoRA or the like), not a model: merge it into its "
                          "base model first, and give the merged checkpoint",
                          folder);
    }
    if (listing->unsupported_name != NULL) {
        return llmfp_fail(
            error, LLMFP_CHECKPOINT,
            "%s holds %s, %s, which is not supported, and no safetensors or GGUF files; "
            "convert it to safetensors first",
            folder, listing->unsupported_name, unsupported[listing->unsupported_row].what);
    }
    if (listing->cache) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds no weights itself, but looks like a download cache: give the "
                          "directory of the wanted revision below its snapshots",
                          folder);
    }
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "%s holds no weights: there is no *.safetensors or *.gguf file in it",
                      folder);
}

static bool is_model_shard(const char *name)
{
    struct llmfp_shard_name shard;
    return llmfp_shard_parse(name, &shard) && shard.stem_bytes == strlen("model") &&
           begins_with(name, "model") && strcmp(name + shard.total_end, ".safetensors") == 0;
}

/* When there is a set of shards called `model`, keep that set only. */
static enum llmfp_status prefer_model_set(const char *folder, struct llmfp_names *names,
                                          struct llmfp_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < names->n_names; i++) {
        const char *name = names->names[i];
        if (!is_model_shard(name)) {
            continue;
        }
        if (kept > 0 && !llmfp_shard_same_set(names->names[0], name)) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s holds shards of two sets, %s and %s: remove those that do not "
                              "belong to the model, or give a *.index.json file",
                              folder, names->names[0], name);
        }
        names->names[kept++] = name;
    }
    names->n_names = kept > 0 ? kept : names->n_names;
    return LLMFP_OK;
}

enum llmfp_status llmfp_folder_choose(const char *folder, struct llmfp_arena *arena,
                                      struct llmfp_names *chosen, struct llmfp_error *error)
{
    struct listing listing = {0};
    enum llmfp_status status = list_folder(folder, arena, &listing, error);
    if (status == LLMFP_OK) {
        struct llmfp_names *from = listing.weights.n_names > 0  ? &listing.weights
                                   : listing.native.n_names > 0 ? &listing.native
                                                                : &listing.gguf;
        const bool gguf = from == &listing.gguf;
        *chosen = *from;
        *from = (struct llmfp_names){0};
        llmfp_names_sort(chosen);
        status = chosen->n_names == 0 ? fail_no_weights(folder, &listing, error)
                 : gguf               ? gguf_check_folder(folder, chosen, error)
                                      : prefer_model_set(folder, chosen, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_shards_complete(folder, chosen, error);
    }
    llmfp_names_clear(&listing.weights);
    llmfp_names_clear(&listing.native);
    llmfp_names_clear(&listing.gguf);
    return status;
}
