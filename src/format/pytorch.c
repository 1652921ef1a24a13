/* pytorch.c - PyTorch's zip archives (torch.save since PyTorch 1.6).
 *
 *   ROOT/data.pkl    the pickle of what was saved; tensors name their storages by key
 *   ROOT/data/KEY    the bytes of one storage
 *   ROOT/byteorder   "little" (also when it is missing) or "big"
 *
 * Other records play no part. The header of such a file, for its digest, is the
 * archive's directory and the pickle.                                             */
#include "pytorch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "zip.h"

enum { MOST_KEY_BYTES = 256, SHOWN_BYTES = 200 };
/* A guess: pickles of a thousand tensors take 200 KB. */
enum { USUAL_HEADER_BYTES = 1 << 20 };

struct archive {
    const struct llmfp_open_file *opened;
    struct llmfp_zip zip;
    unsigned char *pickle; /* owned */
    size_t pickle_bytes;
};

static bool detect(const struct llmfp_first *first)
{
    return first->n_bytes >= 4 && memcmp(first->bytes, "PK\3\4", 4) == 0;
}

static enum llmfp_status measure(const struct llmfp_first *first, uint64_t *header_bytes,
                                 struct llmfp_error *error)
{
    (void)error;
    *header_bytes = first->file_bytes < USUAL_HEADER_BYTES ? first->file_bytes : USUAL_HEADER_BYTES;
    return LLMFP_OK;
}

static const struct llmfp_zip_record *find_record(const struct archive *archive, const char *name)
{
    return llmfp_zip_find(&archive->zip, name, strlen(name));
}

/* ---- storages ---- */

static enum llmfp_status find_storage(void *context, const struct llmfp_torch_storage *storage,
                                      struct llmfp_pytorch_data *data, struct llmfp_error *error)
{
    const struct archive *archive = context;
    char name[MOST_KEY_BYTES + 8] = "data/";
    char shown[SHOWN_BYTES];
    uint64_t wanted_bytes;
    llmfp_escape(shown, sizeof shown, storage->key, storage->key_bytes);
    if (!llmfp_pytorch_storage_bytes(storage, &wanted_bytes)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is in a storage of %" PRId64 " elements, which is too many",
                          storage->n_elements);
    }
    const struct llmfp_zip_record *record = NULL;
    if (storage->key_bytes <= MOST_KEY_BYTES) {
        memcpy(name + 5, storage->key, storage->key_bytes);
        record = llmfp_zip_find(&archive->zip, name, 5 + storage->key_bytes);
    }
    if (record == NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is in the storage \"%s\", which is not in the archive", shown);
    }
    if (record->size_bytes != wanted_bytes) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "is in the storage \"%s\", which should have %" PRIu64
                          " bytes, but has %" PRIu64,
                          shown, wanted_bytes, record->size_bytes);
    }
    data->size_bytes = record->size_bytes;
    return llmfp_zip_place(archive->opened, record, &data->offset_bytes, error);
}

/* ---- the archive ---- */

static enum llmfp_status check_kind(const struct archive *archive, struct llmfp_error *error)
{
    const char *path = archive->opened->path;
    if (find_record(archive, "constants.pkl") != NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is a TorchScript program, not a state_dict, which is not supported; "
                          "load it and save its state_dict()",
                          path);
    }
    const struct llmfp_zip_record *record = find_record(archive, "data.pkl");
    if (record == NULL) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is a zip archive, but not one of PyTorch: it has no data.pkl", path);
    }
    if (record->size_bytes > LLMFP_PICKLE_MOST_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s has a pickle (data.pkl) of %" PRIu64 " bytes, and at most %d are "
                          "read; save the model's state_dict() only",
                          path, record->size_bytes, LLMFP_PICKLE_MOST_BYTES);
    }
    return LLMFP_OK;
}

static enum llmfp_status check_byte_order(const struct archive *archive, struct llmfp_error *error)
{
    char text[8] = {0};
    const struct llmfp_zip_record *record = find_record(archive, "byteorder");
    if (record == NULL) {
        return LLMFP_OK;
    }
    uint64_t offset;
    enum llmfp_status status = llmfp_zip_place(archive->opened, record, &offset, error);
    if (status == LLMFP_OK && record->size_bytes < sizeof text) {
        status = llmfp_file_read(archive->opened, offset, text, (size_t)record->size_bytes, error);
    }
    if (status == LLMFP_OK && strcmp(text, "little") != 0) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT,
                            "%s has its numbers in the byte order \"%s\", and only \"little\" is "
                            "supported; save it again on a little-endian machine",
                            archive->opened->path, text);
    }
    return status;
}

static enum llmfp_status read_pickle(struct archive *archive, struct llmfp_error *error)
{
    const struct llmfp_zip_record *record = find_record(archive, "data.pkl");
    uint64_t offset;
    const enum llmfp_status status = llmfp_zip_place(archive->opened, record, &offset, error);
    if (status != LLMFP_OK) {
        return status;
    }
    archive->pickle_bytes = (size_t)record->size_bytes;
    archive->pickle = malloc(archive->pickle_bytes + 1);
    if (archive->pickle == NULL) {
        return llmfp_fail_memory(error, archive->pickle_bytes, "the pickle of a PyTorch file");
    }
    return llmfp_file_read(archive->opened, offset, archive->pickle, archive->pickle_bytes, error);
}

static enum llmfp_status read_tensors(struct archive *archive, struct llmfp_catalog *catalog,
                                      uint32_t file, struct llmfp_error *error)
{
    struct llmfp_pickle pickle = {.path = archive->opened->path,
                                  .bytes = archive->pickle,
                                  .n_bytes = archive->pickle_bytes,
                                  .error = error};
    struct llmfp_pickle_value whole;
    enum llmfp_status status = llmfp_pickle_run(&pickle, &whole);
    if (status == LLMFP_OK) {
        status = llmfp_pytorch_add(pickle.path, archive->opened->size_bytes, file, &whole,
                                   find_storage, archive, catalog, error);
    }
    llmfp_pickle_clear(&pickle);
    return status;
}

static enum llmfp_status read_header(const struct llmfp_open_file *opened,
                                     struct llmfp_catalog *catalog, uint32_t file,
                                     struct llmfp_error *error)
{
    struct archive archive = {.opened = opened};
    enum llmfp_status status = llmfp_zip_open(opened, &archive.zip, error);
    if (status == LLMFP_OK) {
        status = check_kind(&archive, error);
    }
    if (status == LLMFP_OK) {
        status = check_byte_order(&archive, error);
    }
    if (status == LLMFP_OK) {
        status = read_pickle(&archive, error);
    }
    if (status == LLMFP_OK) {
        status = read_tensors(&archive, catalog, file, error);
    }
    if (status == LLMFP_OK) {
        const uint64_t directory = llmfp_digest(archive.zip.directory, archive.zip.directory_bytes);
        /* Turned by one bit, so that equal parts do not cancel out. */
        catalog->files[file].digest =
            (directory << 1 | directory >> 63) ^ llmfp_digest(archive.pickle, archive.pickle_bytes);
    }
    free(archive.pickle);
    llmfp_zip_clear(&archive.zip);
    return status;
}

const struct llmfp_format llmfp_format_pytorch = {
    .name = "PyTorch",
    .detect = detect,
    .measure = measure,
    .read_header = read_header,
};
