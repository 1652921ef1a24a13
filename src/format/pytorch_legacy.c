/* pytorch_legacy.c - PyTorch's files without an archive (torch.save up to 1.5, and later
 * with _use_new_zipfile_serialization=False).
 *
 *   pickle   the magic number 0x1950a86a20f9469cfc6c
 *   pickle   the protocol version, 1001
 *   pickle   {"protocol_version", "little_endian", "type_sizes"}
 *   pickle   what was saved; tensors name their storages by key
 *   pickle   the list of the keys
 *   for each key, in this order: 8 bytes with the number of elements (little-endian),
 *            then the elements
 *
 * The header, for the digest, is the five pickles.                                  */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "format.h"
#include "hash_index.h"
#include "pytorch.h"

enum {
    N_PICKLES = 5,
    FIRST_WINDOW_BYTES = 1 << 20,
    WINDOW_GROWTH = 7, /* 1, 7, 48 (at most) MiB: few attempts, little too much read */
    COUNT_BYTES = 8,
    PROTOCOL = 1001,
    SHOWN_BYTES = 200
};
static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/* A storage that the pickle names, and where it was found. */
struct place {
    const struct llmfp_torch_storage *storage;
    struct llmfp_pytorch_data data;
    bool found;
};

struct legacy {
    const struct llmfp_open_file *opened;
    struct llmfp_pickle pickle;
    struct llmfp_pickle_value values[N_PICKLES];
    struct hash_index keys;
    struct llmfp_buffer places; /* struct place, by number of key */
};

static bool detect(const struct llmfp_first *first)
{
    return first->n_bytes >= 2 && first->bytes[0] == 0x80 && first->bytes[1] >= 2 &&
           first->bytes[1] <= 5;
}

static enum llmfp_status measure(const struct llmfp_first *first, uint64_t *header_bytes,
                                 struct llmfp_error *error)
{
    (void)error;
    *header_bytes = first->file_bytes < FIRST_WINDOW_BYTES ? first->file_bytes : FIRST_WINDOW_BYTES;
    return LLMFP_OK;
}

/* ---- the pickles ---- */

static enum llmfp_status check_first(const struct legacy *legacy, int number,
                                     struct llmfp_error *error)
{
    const struct llmfp_pickle_value *value = &legacy->values[number];
    const char *path = legacy->opened->path;
    if (number == 0 && (value->kind != LLMFP_PICKLE_LONG || value->n_bytes != sizeof magic - 1 ||
                        memcmp(value->as.text, magic, sizeof magic - 1) != 0)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is a pickle, but not one of torch.save, which begins with a magic "
                          "number; save the model's state_dict() with torch.save",
                          path);
    }
    if (number == 1 && (value->kind != LLMFP_PICKLE_INTEGER || value->as.integer != PROTOCOL)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is a file of torch.save in another version than %d, which is not "
                          "supported",
                          path, PROTOCOL);
    }
    if (number == 4 && value->kind != LLMFP_PICKLE_LIST) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "%s has no list of its storages", path);
    }
    return LLMFP_OK;
}

static enum llmfp_status check_byte_order(const struct legacy *legacy, struct llmfp_error *error)
{
    const struct llmfp_pickle_value *system = &legacy->values[2];
    const struct llmfp_pickle_items *items = system->as.items;
    for (uint32_t i = 0; system->kind == LLMFP_PICKLE_DICT && i + 1 < items->n_items; i += 2) {
        const struct llmfp_pickle_value *value = &items->items[i + 1];
        if (llmfp_pickle_is(&items->items[i], "little_endian") &&
            (value->kind != LLMFP_PICKLE_BOOL || value->as.integer == 0)) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s has its numbers in big-endian order, which is not supported; "
                              "save it again on a little-endian machine",
                              legacy->opened->path);
        }
    }
    return LLMFP_OK;
}

/* All five from the first n_bytes of the file. */
static enum llmfp_status run_pickles(struct legacy *legacy, struct llmfp_error *error)
{
    legacy->pickle.error = error;
    enum llmfp_status status = LLMFP_OK;
    for (int i = 0; i < N_PICKLES && status == LLMFP_OK; i++) {
        status = llmfp_pickle_run(&legacy->pickle, &legacy->values[i]);
        if (status == LLMFP_OK) {
            status = check_first(legacy, i, error);
        }
    }
    return status == LLMFP_OK ? check_byte_order(legacy, error) : status;
}

/* How long the pickles are is not told, so a larger part of the file is tried when they
 * do not end in a smaller one. */
static enum llmfp_status read_pickles(struct legacy *legacy, unsigned char **window,
                                      struct llmfp_error *error)
{
    const uint64_t most = legacy->opened->size_bytes < LLMFP_PICKLE_MOST_BYTES
                              ? legacy->opened->size_bytes
                              : LLMFP_PICKLE_MOST_BYTES;
    uint64_t size_bytes = FIRST_WINDOW_BYTES;
    for (;; size_bytes *= WINDOW_GROWTH) {
        size_bytes = size_bytes < most ? size_bytes : most;
        free(*window);
        *window = malloc((size_t)size_bytes + 1);
        if (*window == NULL) {
            return llmfp_fail_memory(error, (size_t)size_bytes, "the pickle of a PyTorch file");
        }
        llmfp_pickle_clear(&legacy->pickle);
        legacy->pickle = (struct llmfp_pickle){
            .path = legacy->opened->path, .bytes = *window, .n_bytes = (size_t)size_bytes};
        struct llmfp_error why = {LLMFP_OK, ""};
        enum llmfp_status status =
            llmfp_file_read(legacy->opened, 0, *window, (size_t)size_bytes, &why);
        if (status == LLMFP_OK) {
            status = run_pickles(legacy, &why);
        }
        const bool again = status == LLMFP_CHECKPOINT && legacy->pickle.cut_short;
        if (again && size_bytes < most) {
            continue;
        }
        if (again && most < legacy->opened->size_bytes) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "%s has pickles of more than %d bytes, which are not read; save the "
                              "model's state_dict() only",
                              legacy->opened->path, LLMFP_PICKLE_MOST_BYTES);
        }
        return status == LLMFP_OK ? status : llmfp_fail(error, status, "%s", why.text);
    }
}

/* ---- storages ---- */

static struct place *place_of(struct legacy *legacy, uint32_t number)
{
    return (struct place *)(void *)legacy->places.bytes + number;
}

static enum llmfp_status fail_storage(const struct legacy *legacy, const char *key,
                                      size_t key_bytes, const char *what, struct llmfp_error *error)
{
    char shown[SHOWN_BYTES];
    llmfp_escape(shown, sizeof shown, key, key_bytes);
    return llmfp_fail(error, LLMFP_CHECKPOINT, "%s: the storage \"%s\" %s", legacy->opened->path,
                      shown, what);
}

static bool same_storage(const struct llmfp_torch_storage *a, const struct llmfp_torch_storage *b)
{
    return a->type->use == b->type->use && a->type->element_bytes == b->type->element_bytes &&
           a->n_elements == b->n_elements;
}

/* Number all storages that the pickle names; each must be the same wherever it is named. */
static enum llmfp_status note_storages(struct legacy *legacy, struct llmfp_error *error)
{
    const struct llmfp_torch_storage *storage = legacy->pickle.storages;
    for (; storage != NULL; storage = storage->next) {
        bool added = false;
        uint64_t size_bytes;
        const uint32_t number =
            hash_index_add(&legacy->keys, storage->key, storage->key_bytes, &added);
        if (added) {
            const struct place place = {.storage = storage};
            llmfp_buffer_put(&legacy->places, &place, sizeof place);
        }
        if (number == HASH_INDEX_NONE || legacy->places.failed) {
            return llmfp_fail_memory(error, sizeof(struct place), "the storages of a PyTorch file");
        }
        if (!same_storage(place_of(legacy, number)->storage, storage)) {
            return fail_storage(legacy, storage->key, storage->key_bytes,
                                "has two different types or sizes", error);
        }
        if (!llmfp_pytorch_storage_bytes(storage, &size_bytes)) {
            return fail_storage(legacy, storage->key, storage->key_bytes,
                                "has more elements than there can be", error);
        }
    }
    return LLMFP_OK;
}

/* The storage at `offset`, which its key says nothing of: only its count stands before it. */
static enum llmfp_status locate_storage(struct legacy *legacy, const struct llmfp_pickle_value *key,
                                        uint64_t *offset, struct llmfp_error *error)
{
    unsigned char count[COUNT_BYTES];
    const uint64_t file_bytes = legacy->opened->size_bytes;
    if (key->kind != LLMFP_PICKLE_TEXT) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "%s has a storage whose key is not a text",
                          legacy->opened->path);
    }
    const char *text = key->as.text;
    const uint32_t number = hash_index_find(&legacy->keys, text, key->n_bytes);
    struct place *place = number == HASH_INDEX_NONE ? NULL : place_of(legacy, number);
    if (place == NULL || place->found) {
        return fail_storage(legacy, text, key->n_bytes,
                            place == NULL ? "is in the list of storages, but no tensor uses it"
                                          : "is in the list of storages twice",
                            error);
    }
    if (file_bytes - *offset < COUNT_BYTES) {
        return fail_storage(legacy, text, key->n_bytes,
                            "lies beyond the end of the file, which is cut short; fetch it again",
                            error);
    }
    const enum llmfp_status status =
        llmfp_file_read(legacy->opened, *offset, count, sizeof count, error);
    if (status != LLMFP_OK) {
        return status;
    }
    uint64_t size_bytes = 0;
    (void)llmfp_pytorch_storage_bytes(place->storage, &size_bytes); /* note_storages looked */
    if (llmfp_load_u64(count) != (uint64_t)place->storage->n_elements) {
        return fail_storage(legacy, text, key->n_bytes,
                            "has another number of elements than its tensors expect", error);
    }
    *offset += COUNT_BYTES;
    if (size_bytes > file_bytes - *offset) {
        return fail_storage(legacy, text, key->n_bytes,
                            "ends beyond the end of the file, which is cut short; fetch it again",
                            error);
    }
    place->data = (struct llmfp_pytorch_data){*offset, size_bytes};
    place->found = true;
    *offset += size_bytes;
    return LLMFP_OK;
}

static enum llmfp_status locate_storages(struct legacy *legacy, struct llmfp_error *error)
{
    const struct llmfp_pickle_items *keys = legacy->values[N_PICKLES - 1].as.items;
    uint64_t offset = legacy->pickle.offset;
    enum llmfp_status status = note_storages(legacy, error);
    for (uint32_t i = 0; status == LLMFP_OK && i < keys->n_items; i++) {
        status = locate_storage(legacy, &keys->items[i], &offset, error);
    }
    if (status == LLMFP_OK && offset != legacy->opened->size_bytes) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT,
                            "%s has %" PRIu64 " bytes behind its last storage, which belong to "
                            "nothing",
                            legacy->opened->path, legacy->opened->size_bytes - offset);
    }
    return status;
}

static enum llmfp_status find_storage(void *context, const struct llmfp_torch_storage *storage,
                                      struct llmfp_pytorch_data *data, struct llmfp_error *error)
{
    struct legacy *legacy = context;
    const uint32_t number = hash_index_find(&legacy->keys, storage->key, storage->key_bytes);
    const struct place *place = number == HASH_INDEX_NONE ? NULL : place_of(legacy, number);
    if (place == NULL || !place->found) {
        char shown[SHOWN_BYTES];
        llmfp_escape(shown, sizeof shown, storage->key, storage->key_bytes);
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is in the storage \"%s\", which is not in the file", shown);
    }
    *data = place->data;
    return LLMFP_OK;
}

static enum llmfp_status read_header(const struct llmfp_open_file *opened,
                                     struct llmfp_catalog *catalog, uint32_t file,
                                     struct llmfp_error *error)
{
    struct legacy legacy = {.opened = opened};
    unsigned char *window = NULL;
    enum llmfp_status status = read_pickles(&legacy, &window, error);
    if (status == LLMFP_OK) {
        status = locate_storages(&legacy, error);
    }
    if (status == LLMFP_OK) {
        status = llmfp_pytorch_add(opened->path, opened->size_bytes, file, &legacy.values[3],
                                   find_storage, &legacy, catalog, error);
    }
    if (status == LLMFP_OK) {
        catalog->files[file].digest = llmfp_digest(window, legacy.pickle.offset);
    }
    hash_index_clear(&legacy.keys);
    llmfp_buffer_clear(&legacy.places);
    llmfp_pickle_clear(&legacy.pickle);
    free(window);
    return status;
}

const struct llmfp_format llmfp_format_pytorch_legacy = {
    .name = "PyTorch (legacy)",
    .detect = detect,
    .measure = measure,
    .read_header = read_header,
};
