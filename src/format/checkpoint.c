/* checkpoint.c - headers of a located checkpoint, its index's promises, packing. */
#include "llmfp/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "by_name.h"
#include "format.h"

void llmfp_checkpoint_clear(struct llmfp_checkpoint *checkpoint)
{
    llmfp_arena_clear(&checkpoint->arena);
    *checkpoint = (struct llmfp_checkpoint){0};
}

enum llmfp_status llmfp_checkpoint_header(const struct llmfp_format *format,
                                          struct llmfp_catalog *catalog, uint32_t file,
                                          struct llmfp_error *error)
{
    const struct llmfp_file *record = &catalog->files[file];
    struct llmfp_open_file opened;
    enum llmfp_status status = llmfp_file_open(record->path, &opened, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (opened.size_bytes != record->size_bytes) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT,
                            "%s changed while it was scanned: it had %" PRIu64
                            " bytes and now has %" PRIu64,
                            record->path, record->size_bytes, opened.size_bytes);
    } else {
        status = format->read_header(&opened, catalog, file, error);
    }
    llmfp_file_close(&opened);
    return status;
}

/* ---- what the index promises ---- */

static enum llmfp_status fail_promise(const struct llmfp_checkpoint *checkpoint, size_t promise,
                                      const char *instead, struct llmfp_error *error)
{
    const char *name = checkpoint->index_names[promise];
    char shown[256];
    llmfp_escape(shown, sizeof shown, name, strlen(name));
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "tensor \"%s\" should be in %s, as the index says, but it is %s%s; the index "
                      "and the shards do not belong together",
                      shown, checkpoint->files[checkpoint->index_file[promise]].path,
                      instead == NULL ? "not there" : "in ", instead == NULL ? "" : instead);
}

/* Both lists are sorted by name, so one walk over them does. */
static enum llmfp_status compare(const struct llmfp_checkpoint *checkpoint,
                                 const struct llmfp_catalog *catalog,
                                 const struct llmfp_named *tensors, struct llmfp_error *error)
{
    size_t t = 0;
    for (size_t i = 0; i < checkpoint->n_index; i++) {
        const char *name = checkpoint->index_names[i];
        while (t < catalog->n_tensors && strcmp(tensors[t].tensor->name, name) < 0) {
            t++;
        }
        if (t == catalog->n_tensors || strcmp(tensors[t].tensor->name, name) != 0) {
            return fail_promise(checkpoint, i, NULL, error);
        }
        const uint32_t file = tensors[t].tensor->data.file;
        if (file != checkpoint->index_file[i]) {
            return fail_promise(checkpoint, i, catalog->files[file].path, error);
        }
    }
    return LLMFP_OK;
}

enum llmfp_status llmfp_checkpoint_check(const struct llmfp_checkpoint *checkpoint,
                                         const struct llmfp_catalog *catalog,
                                         struct llmfp_error *error)
{
    if (checkpoint->n_index == 0) {
        return LLMFP_OK;
    }
    struct llmfp_named *order = llmfp_catalog_by_name(catalog, error);
    if (order == NULL) {
        return LLMFP_FATAL;
    }
    const enum llmfp_status status = compare(checkpoint, catalog, order, error);
    free(order);
    return status;
}

/* ---- packing: format name, files, configuration ---- */

void llmfp_checkpoint_pack(const struct llmfp_checkpoint *checkpoint, struct llmfp_buffer *buffer)
{
    llmfp_buffer_put_string(buffer, checkpoint->format == NULL ? NULL : checkpoint->format->name);
    llmfp_buffer_put_u64(buffer, checkpoint->n_files);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const struct llmfp_file *file = &checkpoint->files[i];
        llmfp_buffer_put_string(buffer, file->path);
        llmfp_buffer_put_u64(buffer, file->size_bytes);
        llmfp_buffer_put_u64(buffer, (uint64_t)file->modified_ns);
        llmfp_buffer_put_u64(buffer, file->header_bytes);
        llmfp_buffer_put_u64(buffer, file->digest);
    }
    llmfp_buffer_put_u32(buffer, checkpoint->configuration != NULL);
    if (checkpoint->configuration != NULL) {
        llmfp_buffer_put_u64(buffer, checkpoint->configuration_bytes);
        llmfp_buffer_put(buffer, checkpoint->configuration, checkpoint->configuration_bytes);
    }
}

/* Both return false on failure; the cursor's `failed` tells cut or damaged bytes from
 * missing memory. */
static bool unpack_files(struct llmfp_checkpoint *checkpoint, struct llmfp_cursor *cursor)
{
    enum { LEAST_FILE_BYTES = 4 + 4 * 8 };
    const uint64_t n = llmfp_cursor_u64(cursor);
    if (cursor->failed || n > (cursor->size_bytes - cursor->offset_bytes) / LEAST_FILE_BYTES) {
        cursor->failed = true;
        return false;
    }
    checkpoint->files = llmfp_arena_new(&checkpoint->arena, (size_t)n * sizeof *checkpoint->files);
    for (size_t i = 0; checkpoint->files != NULL && i < n; i++) {
        struct llmfp_file *file = &checkpoint->files[i];
        file->path = llmfp_cursor_string(cursor, &checkpoint->arena);
        file->size_bytes = llmfp_cursor_u64(cursor);
        file->modified_ns = (int64_t)llmfp_cursor_u64(cursor);
        file->header_bytes = llmfp_cursor_u64(cursor);
        file->digest = llmfp_cursor_u64(cursor);
        if (file->path == NULL) {
            return false;
        }
    }
    checkpoint->n_files = (size_t)n;
    return checkpoint->files != NULL && !cursor->failed;
}

static bool unpack_configuration(struct llmfp_checkpoint *checkpoint, struct llmfp_cursor *cursor)
{
    if (llmfp_cursor_u32(cursor) == 0) {
        return !cursor->failed;
    }
    const uint64_t n_bytes = llmfp_cursor_u64(cursor);
    if (n_bytes > SIZE_MAX) {
        cursor->failed = true;
    }
    const unsigned char *bytes = llmfp_cursor_bytes(cursor, (size_t)n_bytes);
    if (bytes == NULL) {
        return false;
    }
    checkpoint->configuration =
        llmfp_arena_string(&checkpoint->arena, (const char *)bytes, (size_t)n_bytes);
    checkpoint->configuration_bytes = (size_t)n_bytes;
    return checkpoint->configuration != NULL;
}

enum llmfp_status llmfp_checkpoint_unpack(struct llmfp_checkpoint *checkpoint,
                                          struct llmfp_cursor *cursor, struct llmfp_error *error)
{
    *checkpoint = (struct llmfp_checkpoint){0};
    const char *name = llmfp_cursor_string(cursor, &checkpoint->arena);
    if (name != NULL && name[0] != '\0') {
        checkpoint->format = llmfp_format_find(name);
        cursor->failed = cursor->failed || checkpoint->format == NULL;
    }
    if (name != NULL && !cursor->failed && unpack_files(checkpoint, cursor) &&
        unpack_configuration(checkpoint, cursor)) {
        return LLMFP_OK;
    }
    llmfp_checkpoint_clear(checkpoint);
    if (cursor->failed) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "the checkpoint that another rank sent is cut short or damaged at byte "
                          "%zu of %zu",
                          cursor->offset_bytes, cursor->size_bytes);
    }
    return llmfp_fail_memory(error, cursor->size_bytes, "the files of a checkpoint");
}
