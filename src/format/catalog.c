/* catalog.c - growing, checking, sorting and packing catalogs. */
#include "llmfp/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "by_name.h"

const struct llmfp_storage *llmfp_tensor_storage(const struct llmfp_tensor *tensor)
{
    static const struct llmfp_storage usual = {.order = LLMFP_ORDER_ROWS};
    return tensor->storage == NULL ? &usual : tensor->storage;
}

uint32_t llmfp_tensor_divisor(const struct llmfp_tensor *tensor)
{
    const uint32_t divisor = llmfp_tensor_storage(tensor)->divisor;
    return divisor == 0 ? 1 : divisor;
}

struct llmfp_block llmfp_tensor_block(const struct llmfp_tensor *tensor)
{
    const struct llmfp_block *own = &llmfp_tensor_storage(tensor)->block;
    if (own->elements != 0) {
        return *own;
    }
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    return (struct llmfp_block){encoding->block_elements, encoding->block_bytes};
}

uint64_t llmfp_tensor_bytes(const struct llmfp_tensor *tensor, uint64_t n_elements)
{
    const struct llmfp_block block = llmfp_tensor_block(tensor);
    return (n_elements / block.elements + (n_elements % block.elements != 0)) * block.bytes;
}

uint64_t llmfp_tensor_offset(const struct llmfp_tensor *tensor, uint64_t element)
{
    const struct llmfp_storage *storage = llmfp_tensor_storage(tensor);
    const uint64_t run = storage->run_elements;
    if (run == 0) {
        return tensor->data.offset_bytes + llmfp_tensor_bytes(tensor, element);
    }
    return tensor->data.offset_bytes + element / run * storage->pitch_bytes +
           llmfp_tensor_bytes(tensor, element % run);
}

/* The files array has no capacity member: it is as large as the next power of two. */
static bool files_are_full(size_t n_files)
{
    return (n_files & (n_files - 1)) == 0;
}

void llmfp_catalog_clear(struct llmfp_catalog *catalog)
{
    free(catalog->files);
    free(catalog->tensors);
    llmfp_arena_clear(&catalog->arena);
    *catalog = (struct llmfp_catalog){0};
}

enum llmfp_status llmfp_catalog_add_file(struct llmfp_catalog *catalog,
                                         const struct llmfp_file *file, struct llmfp_error *error)
{
    const size_t n_files = catalog->n_files;
    if (n_files == UINT32_MAX) {
        return llmfp_fail(error, LLMFP_FATAL, "a catalog holds at most %u files", UINT32_MAX);
    }
    if (files_are_full(n_files)) {
        const size_t capacity = n_files == 0 ? 1 : n_files * 2;
        struct llmfp_file *grown = realloc(catalog->files, capacity * sizeof *grown);
        if (grown == NULL) {
            return llmfp_fail_memory(error, capacity * sizeof *grown, "the files of a checkpoint");
        }
        catalog->files = grown;
    }
    const size_t path_bytes = strlen(file->path);
    const char *path = llmfp_arena_string(&catalog->arena, file->path, path_bytes);
    if (path == NULL) {
        return llmfp_fail_memory(error, path_bytes + 1, "a file name");
    }
    catalog->files[n_files] = *file;
    catalog->files[n_files].path = path;
    catalog->n_files++;
    return LLMFP_OK;
}

/* Append a tensor whose pointers already belong to the arena. */
static enum llmfp_status append(struct llmfp_catalog *catalog, const struct llmfp_tensor *tensor,
                                struct llmfp_error *error)
{
    if (catalog->n_tensors == catalog->tensor_capacity) {
        const size_t capacity = catalog->tensor_capacity == 0 ? 32 : catalog->tensor_capacity * 2;
        struct llmfp_tensor *grown = realloc(catalog->tensors, capacity * sizeof *grown);
        if (grown == NULL) {
            return llmfp_fail_memory(error, capacity * sizeof *grown,
                                     "the tensors of a checkpoint");
        }
        catalog->tensors = grown;
        catalog->tensor_capacity = capacity;
    }
    catalog->tensors[catalog->n_tensors++] = *tensor;
    return LLMFP_OK;
}

/* n items of `size_bytes` in the arena, never NULL but without memory. */
static void *arena_array(struct llmfp_catalog *catalog, size_t n, size_t size_bytes,
                         struct llmfp_error *error)
{
    void *place = NULL;
    if (n <= SIZE_MAX / 4 / size_bytes) {
        place = llmfp_arena_new(&catalog->arena, n == 0 ? 1 : n * size_bytes);
    }
    if (place == NULL) {
        (void)llmfp_fail_memory(error, n * size_bytes, "the tensors of a checkpoint");
    }
    return place;
}

static uint64_t *copy_shape(struct llmfp_catalog *catalog, const uint64_t *shape,
                            uint32_t n_dimensions, struct llmfp_error *error)
{
    uint64_t *copy = arena_array(catalog, n_dimensions, sizeof *copy, error);
    if (copy != NULL && n_dimensions > 0) {
        memcpy(copy, shape, n_dimensions * sizeof *copy);
    }
    return copy;
}

enum llmfp_status llmfp_catalog_add_tensor(struct llmfp_catalog *catalog,
                                           const struct llmfp_tensor *tensor,
                                           struct llmfp_error *error)
{
    struct llmfp_tensor copy = *tensor;
    const size_t name_bytes = strlen(tensor->name);
    copy.name = llmfp_arena_string(&catalog->arena, tensor->name, name_bytes);
    if (copy.name == NULL) {
        return llmfp_fail_memory(error, name_bytes + 1, "a tensor name");
    }
    copy.shape = copy_shape(catalog, tensor->shape, tensor->n_dimensions, error);
    if (copy.shape == NULL) {
        return LLMFP_FATAL;
    }
    if (tensor->storage != NULL) {
        struct llmfp_storage *storage = arena_array(catalog, 1, sizeof *storage, error);
        if (storage == NULL) {
            return LLMFP_FATAL;
        }
        *storage = *tensor->storage;
        copy.storage = storage;
    }
    copy.sides = NULL;
    if (tensor->n_sides > 0) {
        struct llmfp_side *sides = arena_array(catalog, tensor->n_sides, sizeof *sides, error);
        if (sides == NULL) {
            return LLMFP_FATAL;
        }
        for (uint32_t i = 0; i < tensor->n_sides; i++) {
            sides[i] = tensor->sides[i];
            sides[i].shape = copy_shape(catalog, sides[i].shape, sides[i].n_dimensions, error);
            if (sides[i].shape == NULL) {
                return LLMFP_FATAL;
            }
        }
        copy.sides = sides;
    }
    return append(catalog, &copy, error);
}

/* ---- finish ---- */

static int by_place(const void *item_a, const void *item_b)
{
    const struct llmfp_tensor *a = item_a;
    const struct llmfp_tensor *b = item_b;
    if (a->data.file != b->data.file) {
        return a->data.file < b->data.file ? -1 : 1;
    }
    if (a->data.offset_bytes != b->data.offset_bytes) {
        return a->data.offset_bytes < b->data.offset_bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static enum llmfp_status fail_twice(const struct llmfp_catalog *catalog,
                                    const struct llmfp_tensor *a, const struct llmfp_tensor *b,
                                    struct llmfp_error *error)
{
    const uint32_t first = a->data.file < b->data.file ? a->data.file : b->data.file;
    const uint32_t second = a->data.file < b->data.file ? b->data.file : a->data.file;
    char name[256];
    llmfp_escape(name, sizeof name, a->name, strlen(a->name));
    if (first == second) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "tensor \"%s\" occurs twice in %s, so it is not clear which one counts",
                          name, catalog->files[first].path);
    }
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "tensor \"%s\" occurs both in %s and in %s; keep the files of one checkpoint "
                      "only, or give one file",
                      name, catalog->files[first].path, catalog->files[second].path);
}

/* Of all names that occur twice, the first in name order is reported, whatever the
 * order in which headers were read.                                            */
static enum llmfp_status check_names(const struct llmfp_catalog *catalog, struct llmfp_error *error)
{
    struct llmfp_named *order = llmfp_catalog_by_name(catalog, error);
    enum llmfp_status status = order == NULL ? LLMFP_FATAL : LLMFP_OK;
    for (size_t i = 1; i < catalog->n_tensors && status == LLMFP_OK; i++) {
        const struct llmfp_tensor *before = order[i - 1].tensor;
        if (strcmp(before->name, order[i].tensor->name) == 0 &&
            !(catalog->sliced && before->data.file != order[i].tensor->data.file)) {
            status = fail_twice(catalog, before, order[i].tensor, error);
        }
    }
    free(order);
    return status;
}

enum llmfp_status llmfp_catalog_finish(struct llmfp_catalog *catalog, struct llmfp_error *error)
{
    const size_t n = catalog->n_tensors;
    enum llmfp_status status = llmfp_adapter_refuse(catalog, error);
    if (n < 2 || status != LLMFP_OK) {
        return status;
    }
    status = check_names(catalog, error);
    if (status == LLMFP_OK) {
        /* Names differ, so this order is total and no sorting method matters. */
        qsort(catalog->tensors, n, sizeof *catalog->tensors, by_place);
    }
    return status;
}

/* ---- packing: count, then each tensor ---- */

static void pack_extent(struct llmfp_buffer *buffer, const struct llmfp_extent *extent)
{
    llmfp_buffer_put_u32(buffer, extent->file);
    llmfp_buffer_put_u64(buffer, extent->offset_bytes);
    llmfp_buffer_put_u64(buffer, extent->size_bytes);
}

static void pack_shape(struct llmfp_buffer *buffer, const uint64_t *shape, uint32_t n_dimensions)
{
    llmfp_buffer_put_u32(buffer, n_dimensions);
    for (uint32_t i = 0; i < n_dimensions; i++) {
        llmfp_buffer_put_u64(buffer, shape[i]);
    }
}

/* A flag, and what is behind it if it is set. */
static void pack_storage(struct llmfp_buffer *buffer, const struct llmfp_storage *storage)
{
    llmfp_buffer_put_u32(buffer, storage != NULL);
    if (storage == NULL) {
        return;
    }
    llmfp_buffer_put_u32(buffer, (uint32_t)storage->order);
    llmfp_buffer_put_u32(buffer, storage->interleave);
    llmfp_buffer_put_u64(buffer, storage->block.elements);
    llmfp_buffer_put_u64(buffer, storage->block.bytes);
    llmfp_buffer_put_u64(buffer, storage->run_elements);
    llmfp_buffer_put_u64(buffer, storage->pitch_bytes);
    for (int i = 0; i < LLMFP_N_PARAMETERS; i++) {
        llmfp_buffer_put_u64(buffer, storage->parameters[i]);
    }
    llmfp_buffer_put_u32(buffer, storage->divisor);
}

void llmfp_catalog_pack_tensors(const struct llmfp_catalog *catalog, size_t first, size_t end,
                                struct llmfp_buffer *buffer)
{
    end = end < catalog->n_tensors ? end : catalog->n_tensors;
    llmfp_buffer_put_u64(buffer, first < end ? end - first : 0);
    for (size_t i = first; i < end && !buffer->failed; i++) {
        const struct llmfp_tensor *tensor = &catalog->tensors[i];
        llmfp_buffer_put_string(buffer, tensor->name);
        llmfp_buffer_put_u32(buffer, (uint32_t)tensor->encoding);
        pack_shape(buffer, tensor->shape, tensor->n_dimensions);
        llmfp_buffer_put_u64(buffer, tensor->n_elements);
        pack_extent(buffer, &tensor->data);
        pack_storage(buffer, tensor->storage);
        llmfp_buffer_put_u32(buffer, tensor->n_sides);
        for (uint32_t s = 0; s < tensor->n_sides; s++) {
            const struct llmfp_side *side = &tensor->sides[s];
            llmfp_buffer_put_u32(buffer, (uint32_t)side->kind);
            llmfp_buffer_put_u32(buffer, (uint32_t)side->encoding);
            pack_extent(buffer, &side->extent);
            pack_shape(buffer, side->shape, side->n_dimensions);
        }
    }
}

static struct llmfp_extent unpack_extent(struct llmfp_cursor *cursor)
{
    struct llmfp_extent extent;
    extent.file = llmfp_cursor_u32(cursor);
    extent.offset_bytes = llmfp_cursor_u64(cursor);
    extent.size_bytes = llmfp_cursor_u64(cursor);
    return extent;
}

/* An id of the table of encodings; anything else marks the cursor as failed. */
static enum llmfp_encoding_id unpack_encoding(struct llmfp_cursor *cursor)
{
    const uint32_t id = llmfp_cursor_u32(cursor);
    if (id >= LLMFP_N_ENCODINGS) {
        cursor->failed = true;
        return LLMFP_F64;
    }
    return (enum llmfp_encoding_id)id;
}

static enum llmfp_status unpack_storage(struct llmfp_catalog *catalog, struct llmfp_cursor *cursor,
                                        struct llmfp_tensor *tensor, struct llmfp_error *error)
{
    if (llmfp_cursor_u32(cursor) == 0) {
        return LLMFP_OK;
    }
    struct llmfp_storage *storage = arena_array(catalog, 1, sizeof *storage, error);
    if (storage == NULL) {
        return LLMFP_FATAL;
    }
    const uint32_t order = llmfp_cursor_u32(cursor);
    cursor->failed = cursor->failed || order >= LLMFP_N_ORDERS;
    storage->order = cursor->failed ? LLMFP_ORDER_ROWS : (enum llmfp_order)order;
    storage->interleave = llmfp_cursor_u32(cursor);
    storage->block.elements = llmfp_cursor_u64(cursor);
    storage->block.bytes = llmfp_cursor_u64(cursor);
    storage->run_elements = llmfp_cursor_u64(cursor);
    storage->pitch_bytes = llmfp_cursor_u64(cursor);
    for (int i = 0; i < LLMFP_N_PARAMETERS; i++) {
        storage->parameters[i] = llmfp_cursor_u64(cursor);
    }
    storage->divisor = llmfp_cursor_u32(cursor);
    tensor->storage = storage;
    return LLMFP_OK;
}

static size_t bytes_left(const struct llmfp_cursor *cursor)
{
    return cursor->failed ? 0 : cursor->size_bytes - cursor->offset_bytes;
}

/* NULL on failure; the cursor's `failed` tells cut bytes from missing memory. */
static const uint64_t *unpack_shape(struct llmfp_catalog *catalog, struct llmfp_cursor *cursor,
                                    uint32_t *n_dimensions, struct llmfp_error *error)
{
    *n_dimensions = llmfp_cursor_u32(cursor);
    if (*n_dimensions > bytes_left(cursor) / sizeof(uint64_t)) {
        cursor->failed = true;
        return NULL;
    }
    uint64_t *shape = arena_array(catalog, *n_dimensions, sizeof *shape, error);
    for (uint32_t i = 0; shape != NULL && i < *n_dimensions; i++) {
        shape[i] = llmfp_cursor_u64(cursor);
    }
    return shape;
}

static enum llmfp_status unpack_sides(struct llmfp_catalog *catalog, struct llmfp_cursor *cursor,
                                      struct llmfp_tensor *tensor, struct llmfp_error *error)
{
    enum { LEAST_SIDE_BYTES = 4 + 4 + 20 + 4 };
    tensor->n_sides = llmfp_cursor_u32(cursor);
    if (tensor->n_sides > bytes_left(cursor) / LEAST_SIDE_BYTES) {
        cursor->failed = true;
        return LLMFP_FATAL;
    }
    if (tensor->n_sides == 0) {
        return LLMFP_OK;
    }
    struct llmfp_side *sides = arena_array(catalog, tensor->n_sides, sizeof *sides, error);
    for (uint32_t i = 0; sides != NULL && i < tensor->n_sides; i++) {
        const uint32_t kind = llmfp_cursor_u32(cursor);
        cursor->failed = cursor->failed || kind > LLMFP_SIDE_CODEBOOK;
        sides[i].kind = (enum llmfp_side_kind)kind;
        sides[i].encoding = unpack_encoding(cursor);
        sides[i].extent = unpack_extent(cursor);
        sides[i].shape = unpack_shape(catalog, cursor, &sides[i].n_dimensions, error);
        if (sides[i].shape == NULL) {
            return LLMFP_FATAL;
        }
    }
    tensor->sides = sides;
    return sides == NULL ? LLMFP_FATAL : LLMFP_OK;
}

static enum llmfp_status unpack_tensor(struct llmfp_catalog *catalog, struct llmfp_cursor *cursor,
                                       struct llmfp_error *error)
{
    struct llmfp_tensor tensor = {0};
    tensor.name = llmfp_cursor_string(cursor, &catalog->arena);
    if (tensor.name == NULL) {
        return llmfp_fail_memory(error, 0, "a tensor name");
    }
    tensor.encoding = unpack_encoding(cursor);
    tensor.shape = unpack_shape(catalog, cursor, &tensor.n_dimensions, error);
    if (tensor.shape == NULL) {
        return LLMFP_FATAL;
    }
    tensor.n_elements = llmfp_cursor_u64(cursor);
    tensor.data = unpack_extent(cursor);
    enum llmfp_status status = unpack_storage(catalog, cursor, &tensor, error);
    if (status == LLMFP_OK) {
        status = unpack_sides(catalog, cursor, &tensor, error);
    }
    return status != LLMFP_OK || cursor->failed ? LLMFP_FATAL : append(catalog, &tensor, error);
}

enum llmfp_status llmfp_catalog_unpack_tensors(struct llmfp_catalog *catalog,
                                               struct llmfp_cursor *cursor,
                                               struct llmfp_error *error)
{
    const uint64_t n = llmfp_cursor_u64(cursor);
    enum llmfp_status status = LLMFP_OK;
    for (uint64_t i = 0; i < n && status == LLMFP_OK && !cursor->failed; i++) {
        status = unpack_tensor(catalog, cursor, error);
    }
    if (cursor->failed) {
        return llmfp_fail(error, LLMFP_FATAL,
                          "the tensors that another rank sent are cut short or damaged at byte %zu "
                          "of %zu",
                          cursor->offset_bytes, cursor->size_bytes);
    }
    return status;
}
