/* folder.c - choosing the weights among the files of a directory. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gguf.h"
#include "shards.h"

#define PYTORCH_INDEX "pytorch_model.bin.index.json"

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
    {".h5", "an HDF5 file"},
    {".msgpack", "a Flax checkpoint"},
};
enum { N_UNSUPPORTED = sizeof unsupported / sizeof unsupported[0] };

/* What a listing of a directory found. */
struct listing {
    struct llmfp_names weights; /* *.safetensors that can be chosen */
    struct llmfp_names
        native; /* consolidated*.safetensors: the same weights in the publisher's layout */
    struct llmfp_names pytorch;        /* *.bin, *.pt, *.pth, *.ckpt */
    struct llmfp_names pytorch_native; /* consolidated* among them */
    struct llmfp_names gguf;           /* *.gguf */
    const char *unsupported_name;      /* the first of the first row above that has one */
    size_t unsupported_row;
    bool adapter;
    bool cache; /* the root of a download cache: the files are further down */
};

static bool is_pytorch(const char *name)
{
    return llmfp_ends_with(name, ".bin") || llmfp_ends_with(name, ".pt") ||
           llmfp_ends_with(name, ".pth") || llmfp_ends_with(name, ".ckpt");
}

/* What trainers save beside the weights. */
static bool is_training_state(const char *name)
{
    return strcmp(name, "training_args.bin") == 0 || strstr(name, "optim") != NULL ||
           begins_with(name, "scheduler.") || begins_with(name, "scaler.") ||
           begins_with(name, "rng_state") || begins_with(name, "random_states");
}

/* The list that a name belongs to, or NULL. */
static struct llmfp_names *list_for(struct listing *listing, const char *name)
{
    const bool native = begins_with(name, "consolidated");
    if (llmfp_ends_with(name, ".safetensors")) {
        return native ? &listing->native : &listing->weights;
    }
    if (llmfp_ends_with(name, ".gguf")) {
        return &listing->gguf;
    }
    if (strcmp(name, PYTORCH_INDEX) == 0 || (is_pytorch(name) && !is_training_state(name))) {
        return native ? &listing->pytorch_native : &listing->pytorch;
    }
    return NULL;
}

static enum llmfp_status note_name(struct listing *listing, const char *entry,
                                   struct llmfp_arena *arena, struct llmfp_error *error)
{
    if (begins_with(entry, "adapter_model.") || strcmp(entry, "adapter_config.json") == 0) {
        listing->adapter = true;
        return LLMFP_OK;
    }
    listing->cache = listing->cache || strcmp(entry, "snapshots") == 0;
    struct llmfp_names *list = list_for(listing, entry);
    size_t row = 0;
    while (list == NULL && row < N_UNSUPPORTED &&
           !llmfp_ends_with(entry, unsupported[row].suffix)) {
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
    if (list != NULL) {
        return llmfp_names_add(list, name, error);
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
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds %s, %s, which is not supported, and no files that are; "
                          "convert it to safetensors first",
                          folder, listing->unsupported_name,
                          unsupported[listing->unsupported_row].what);
    }
    if (listing->cache) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s holds no weights itself, but looks like a download cache: give the "
                          "directory of the wanted revision below its snapshots",
                          folder);
    }
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "%s holds no weights: there is no *.safetensors, *.bin, *.pt, "
                      "*.pth, *.ckpt or *.gguf file in it",
                      folder);
}

static bool is_shard_of(const char *name, const char *stem, const char *suffix)
{
    struct llmfp_shard_name shard;
    return llmfp_shard_parse(name, &shard) && shard.stem_bytes == strlen(stem) &&
           begins_with(name, stem) && strcmp(name + shard.total_end, suffix) == 0;
}

/* When there is a set of shards STEM-NUMBER-of-TOTAL.SUFFIX, keep that set only. */
static enum llmfp_status prefer_set(const char *folder, const char *stem, const char *suffix,
                                    struct llmfp_names *names, struct llmfp_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < names->n_names; i++) {
        const char *name = names->names[i];
        if (!is_shard_of(name, stem, suffix)) {
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

/* pytorch_model.bin comes first, then its index, then the shards without an index. */
static enum llmfp_status prefer_pytorch(const char *folder, struct llmfp_names *names,
                                        struct llmfp_error *error)
{
    static const char *const first[] = {"pytorch_model.bin", PYTORCH_INDEX};
    for (size_t f = 0; f < sizeof first / sizeof first[0]; f++) {
        for (size_t i = 0; i < names->n_names; i++) {
            if (strcmp(names->names[i], first[f]) == 0) {
                names->names[0] = names->names[i];
                names->n_names = 1;
                return LLMFP_OK;
            }
        }
    }
    return prefer_set(folder, "pytorch_model", ".bin", names, error);
}

/* Slices of a model for several GPUs, numbered from 00 on (llmfp/slices.h): none is missing. */
static enum llmfp_status check_slices(const char *folder, const struct llmfp_names *names,
                                      struct llmfp_error *error)
{
    for (size_t i = 0; names->n_names > 1 && i < names->n_names; i++) {
        char expected[48];
        (void)snprintf(expected, sizeof expected, "consolidated.%02zu.pth", i);
        if (strcmp(names->names[i], expected) != 0) {
            return llmfp_fail(
                error, LLMFP_CHECKPOINT,
                "%s holds %zu slices of a model (%s to %s), and %s is not among them; "
                "complete them, or give the converted checkpoint instead",
                folder, names->n_names, names->names[0], names->names[names->n_names - 1],
                expected);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status choose_from(const char *folder, struct listing *listing,
                                     struct llmfp_names *chosen, struct llmfp_error *error)
{
    struct llmfp_names *const lists[] = {&listing->weights, &listing->native, &listing->pytorch,
                                         &listing->pytorch_native, &listing->gguf};
    enum { PYTORCH = 2, GGUF = 4 }; /* places in lists */
    size_t i = 0;
    while (i < GGUF && lists[i]->n_names == 0) {
        i++;
    }
    *chosen = *lists[i];
    *lists[i] = (struct llmfp_names){0};
    llmfp_names_sort(chosen);
    if (chosen->n_names == 0) {
        return fail_no_weights(folder, listing, error);
    }
    if (i < PYTORCH) {
        return prefer_set(folder, "model", ".safetensors", chosen, error);
    }
    if (i == GGUF) {
        return gguf_check_folder(folder, chosen, error);
    }
    return i == PYTORCH ? prefer_pytorch(folder, chosen, error)
                        : check_slices(folder, chosen, error);
}

enum llmfp_status llmfp_folder_choose(const char *folder, struct llmfp_arena *arena,
                                      struct llmfp_names *chosen, struct llmfp_error *error)
{
    struct listing listing = {0};
    enum llmfp_status status = list_folder(folder, arena, &listing, error);
    if (status == LLMFP_OK) {
        status = choose_from(folder, &listing, chosen, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_shards_complete(folder, chosen, error);
    }
    llmfp_names_clear(&listing.weights);
    llmfp_names_clear(&listing.native);
    llmfp_names_clear(&listing.pytorch);
    llmfp_names_clear(&listing.pytorch_native);
    llmfp_names_clear(&listing.gguf);
    return status;
}
