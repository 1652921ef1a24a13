/* gguf.c - GGUF files: the row of the table of formats, and the tensors of a header.
 *
 *   "GGUF", u32 version, u64 number of tensors, u64 number of pairs
 *   pairs                          gguf_metadata.c
 *   for each tensor: string name, u32 number of dimensions, u64 each (fastest first),
 *                    u32 type, u64 offset in the data
 *   data, aligned; each tensor aligned, one behind another in the order above
 *
 * Versions 2 and 3, little-endian. Accepts and refuses what the reference implementation
 * does, but also refuses sizes that overflow (the reference misses some), tensors beyond
 * the end of the file, and what exceeds the bounds in gguf_metadata.h.              */
#include "gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "gguf_metadata.h"
#include "llmfp/checkpoint.h"
#include "size.h"
#include "utf8.h"

enum { MOST_DIMENSIONS = 4, MOST_NAME_BYTES = 63, SHOWN_BYTES = 4 * MOST_NAME_BYTES + 1 };

/* ---- the first bytes ---- */

static bool detect(const struct llmfp_first *first)
{
    return first->n_bytes >= 4 && memcmp(first->bytes, "GGUF", 4) == 0;
}

/* The true length of the header shows only when it is read. What it brings into memory
 * follows from the number of tensors. */
static enum llmfp_status measure(const struct llmfp_first *first, uint64_t *header_bytes,
                                 struct llmfp_error *error)
{
    enum { HEAD_BYTES = 24, TENSOR_BYTES = 8 + MOST_NAME_BYTES + 4 + 8 * MOST_DIMENSIONS + 4 + 8 };
    if (!detect(first)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a GGUF file: it does not begin with GGUF", first->path);
    }
    uint64_t n_tensors = 0;
    for (size_t i = 0; i < 8 && 8 + i < first->n_bytes; i++) {
        n_tensors |= (uint64_t)first->bytes[8 + i] << 8 * i;
    }
    n_tensors = n_tensors < GGUF_MOST_TENSORS ? n_tensors : GGUF_MOST_TENSORS;
    *header_bytes = HEAD_BYTES + n_tensors * TENSOR_BYTES;
    return LLMFP_OK;
}

/* ---- tensors ---- */

/* By the number that stands in files. Numbers that are missing have been taken out of the
 * format, or are other programs' own: sizes are not known then. */
static const struct {
    bool known;
    enum llmfp_encoding_id id;
} types[] = {
    [0] = {true, LLMFP_F32},     [1] = {true, LLMFP_F16},      [2] = {true, LLMFP_Q4_0},
    [3] = {true, LLMFP_Q4_1},    [6] = {true, LLMFP_Q5_0},     [7] = {true, LLMFP_Q5_1},
    [8] = {true, LLMFP_Q8_0},    [9] = {true, LLMFP_Q8_1},     [10] = {true, LLMFP_Q2_K},
    [11] = {true, LLMFP_Q3_K},   [12] = {true, LLMFP_Q4_K},    [13] = {true, LLMFP_Q5_K},
    [14] = {true, LLMFP_Q6_K},   [15] = {true, LLMFP_Q8_K},    [16] = {true, LLMFP_IQ2_XXS},
    [17] = {true, LLMFP_IQ2_XS}, [18] = {true, LLMFP_IQ3_XXS}, [19] = {true, LLMFP_IQ1_S},
    [20] = {true, LLMFP_IQ4_NL}, [21] = {true, LLMFP_IQ3_S},   [22] = {true, LLMFP_IQ2_S},
    [23] = {true, LLMFP_IQ4_XS}, [24] = {true, LLMFP_I8},      [25] = {true, LLMFP_I16},
    [26] = {true, LLMFP_I32},    [27] = {true, LLMFP_I64},     [28] = {true, LLMFP_F64},
    [29] = {true, LLMFP_IQ1_M},  [30] = {true, LLMFP_BF16},    [34] = {true, LLMFP_TQ1_0},
    [35] = {true, LLMFP_TQ2_0},  [39] = {true, LLMFP_MXFP4},   [40] = {true, LLMFP_NVFP4},
    [41] = {true, LLMFP_Q1_0},   [42] = {true, LLMFP_Q2_0},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

/* A tensor's entry while it is read. */
struct entry {
    char name[MOST_NAME_BYTES + 1];
    char shown[SHOWN_BYTES]; /* the name, printable */
    uint64_t shape[MOST_DIMENSIONS];
    uint64_t offset;
    struct llmfp_tensor tensor;
};

static void read_name(struct gguf_stream *stream, struct entry *entry)
{
    size_t n_bytes;
    const char *name = gguf_string(stream, MOST_NAME_BYTES, &n_bytes, "a tensor's name");
    if (name == NULL) {
        return;
    }
    memcpy(entry->name, name, n_bytes);
    entry->name[n_bytes] = '\0';
    llmfp_escape(entry->shown, sizeof entry->shown, name, n_bytes);
    if (strlen(entry->name) != n_bytes || !llmfp_utf8_valid(name, n_bytes)) {
        (void)gguf_refuse(stream, "the tensor name \"%s\" is not UTF-8 without NUL", entry->shown);
    }
}

/* The first dimension in the file is the fastest: the last one here. */
static void read_shape(struct gguf_stream *stream, struct entry *entry)
{
    const uint32_t n = gguf_u32(stream, "the number of a tensor's dimensions");
    if (n > MOST_DIMENSIONS) {
        (void)gguf_refuse(stream,
                          "tensor \"%s\" has %" PRIu32 " dimensions, and at most %d are allowed",
                          entry->shown, n, MOST_DIMENSIONS);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t size = gguf_u64(stream, "a tensor's dimension");
        if (size > INT64_MAX) {
            (void)gguf_refuse(stream, "tensor \"%s\" has a dimension of %" PRIu64 ", above 2^63",
                              entry->shown, size);
        }
        entry->shape[n - 1 - i] = size;
    }
    entry->tensor.n_dimensions = n;
}

static void read_type(struct gguf_stream *stream, struct entry *entry)
{
    const uint32_t type = gguf_u32(stream, "a tensor's type");
    if (stream->status != LLMFP_OK) {
        return;
    }
    if (type >= N_TYPES || !types[type].known) {
        (void)gguf_refuse(stream,
                          "tensor \"%s\" has the type %" PRIu32
                          ", which is unknown or was taken out of the format; convert the file "
                          "with a current program",
                          entry->shown, type);
        return;
    }
    entry->tensor.encoding = types[type].id;
}

/* Blocks lie along the fastest axis, so each row must be whole blocks. */
static void check_size(struct gguf_stream *stream, struct entry *entry)
{
    struct llmfp_tensor *tensor = &entry->tensor;
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    const uint64_t row = tensor->n_dimensions == 0 ? 1 : entry->shape[tensor->n_dimensions - 1];
    if (row % encoding->block_elements != 0) {
        (void)gguf_refuse(stream,
                          "tensor \"%s\" has rows of %" PRIu64
                          " elements, which are not whole blocks of %u elements of %s",
                          entry->shown, row, encoding->block_elements, encoding->name);
        return;
    }
    tensor->shape = entry->shape;
    const enum llmfp_status status = llmfp_tensor_size(tensor, stream->error);
    if (status != LLMFP_OK) {
        stream->status = llmfp_error_prefix(stream->error, "%s: tensor \"%s\"", stream->file->path,
                                            entry->shown);
    } else if (tensor->n_elements > INT64_MAX || tensor->data.size_bytes > INT64_MAX / 2) {
        (void)gguf_refuse(stream, "tensor \"%s\" has %" PRIu64 " elements, which is too many",
                          entry->shown, tensor->n_elements);
    }
}

static void read_entry(struct gguf_stream *stream, struct entry *entry)
{
    read_name(stream, entry);
    if (stream->status == LLMFP_OK) {
        read_shape(stream, entry);
    }
    read_type(stream, entry);
    entry->offset = gguf_u64(stream, "a tensor's offset");
    if (stream->status == LLMFP_OK) {
        check_size(stream, entry);
    }
}

/* ---- where the data lies ---- */

/* To a multiple of a power of two; false where that would not fit into 63 bits. */
static bool round_up(uint64_t value, uint32_t alignment, uint64_t *result)
{
    if (value > INT64_MAX - UINT64_C(0xFFFFFFFF)) {
        return false;
    }
    *result = (value + alignment - 1) & ~(uint64_t)(alignment - 1);
    return true;
}

/* Each tensor begins where the one before it ends, rounded up; extents count from the start
 * of the data until place_tensors.                                                  */
static void check_offset(struct gguf_stream *stream, const struct entry *entry, uint32_t alignment,
                         uint64_t *next)
{
    if (entry->offset != *next) {
        (void)gguf_refuse(stream,
                          "tensor \"%s\" begins at data byte %" PRIu64
                          ", but the tensors before it end at %" PRIu64,
                          entry->shown, entry->offset, *next);
    } else if (!round_up(*next + entry->tensor.data.size_bytes, alignment, next)) {
        (void)gguf_refuse(stream, "tensor \"%s\" ends beyond 2^63 bytes", entry->shown);
    }
}

static enum llmfp_status read_tensors(struct gguf_stream *stream,
                                      const struct gguf_metadata *metadata,
                                      struct llmfp_catalog *catalog, uint32_t file)
{
    uint64_t next = 0;
    for (uint64_t i = 0; i < metadata->head.n_tensors && stream->status == LLMFP_OK; i++) {
        struct entry entry = {.tensor = {.data = {.file = file}}};
        entry.tensor.name = entry.name;
        read_entry(stream, &entry);
        if (stream->status == LLMFP_OK) {
            check_offset(stream, &entry, metadata->alignment, &next);
        }
        if (stream->status == LLMFP_OK) {
            entry.tensor.data.offset_bytes = entry.offset;
            stream->status = llmfp_catalog_add_tensor(catalog, &entry.tensor, stream->error);
        }
    }
    return stream->status;
}

/* The last tensor need not be padded; what follows it does not matter. */
static enum llmfp_status place_tensors(struct gguf_stream *stream, uint32_t alignment,
                                       struct llmfp_tensor *tensors, size_t n)
{
    uint64_t start;
    if (!round_up(stream->offset, alignment, &start)) {
        return gguf_refuse(stream, "its data begins beyond 2^63 bytes");
    }
    const uint64_t file_bytes = stream->file->size_bytes;
    const uint64_t data_bytes = file_bytes > start ? file_bytes - start : 0;
    for (size_t i = 0; i < n; i++) {
        struct llmfp_extent *data = &tensors[i].data;
        if (data->size_bytes > 0 && data->offset_bytes + data->size_bytes > data_bytes) {
            char shown[SHOWN_BYTES];
            llmfp_escape(shown, sizeof shown, tensors[i].name, strlen(tensors[i].name));
            return gguf_refuse(stream,
                               "the file is cut short: tensor \"%s\" ends at data byte %" PRIu64
                               ", but there are only %" PRIu64 "; fetch it again",
                               shown, data->offset_bytes + data->size_bytes, data_bytes);
        }
        /* An empty tensor at the end may stand before padding that is not there. */
        data->offset_bytes = data->size_bytes > 0 ? data->offset_bytes + start : 0;
    }
    return LLMFP_OK;
}

/* ---- parts of a split file ---- */

/* What a part says of itself must be its place among the files. */
static enum llmfp_status check_part(struct gguf_stream *stream,
                                    const struct gguf_metadata *metadata, uint32_t file,
                                    size_t n_files)
{
    if (metadata->split_count <= 1 && n_files == 1) {
        return LLMFP_OK;
    }
    if (metadata->split_count != n_files) {
        return gguf_refuse(stream,
                           "its metadata says that it is one of %" PRIu32
                           " parts (split.count), but by their names there are %zu",
                           metadata->split_count, n_files);
    }
    if (metadata->split_number != file) {
        return gguf_refuse(stream,
                           "it is part %" PRIu32 " by its name, but part %" PRIu32
                           " by its metadata (split.no)",
                           file + 1, metadata->split_number + 1);
    }
    return LLMFP_OK;
}

enum llmfp_status gguf_read_header(const struct llmfp_open_file *opened,
                                   struct llmfp_catalog *catalog, uint32_t file,
                                   struct llmfp_error *error)
{
    struct gguf_stream *stream = malloc(sizeof *stream);
    if (stream == NULL) {
        return llmfp_fail_memory(error, sizeof *stream, "a GGUF header");
    }
    const size_t first = catalog->n_tensors;
    struct gguf_metadata metadata;
    gguf_stream_begin(stream, opened, error);
    enum llmfp_status status = gguf_read_metadata(stream, &metadata);
    if (status == LLMFP_OK) {
        status = check_part(stream, &metadata, file, catalog->n_files);
    }
    if (status == LLMFP_OK) {
        status = read_tensors(stream, &metadata, catalog, file);
    }
    if (status == LLMFP_OK) {
        status = place_tensors(stream, metadata.alignment, catalog->tensors + first,
                               catalog->n_tensors - first);
    }
    if (status == LLMFP_OK) {
        catalog->files[file].digest = stream->digest == 0 ? 1 : stream->digest;
    } else {
        catalog->n_tensors = first;
    }
    gguf_metadata_clear(&metadata);
    free(stream);
    return status;
}

/* ---- the configuration, and whether the files belong together ---- */

static enum llmfp_status count_tensors(const char *path, struct gguf_stream *stream,
                                       uint64_t *n_tensors, struct llmfp_error *error)
{
    struct llmfp_open_file opened;
    struct gguf_head head = {0};
    enum llmfp_status status = llmfp_file_open(path, &opened, error);
    if (status == LLMFP_OK) {
        gguf_stream_begin(stream, &opened, error);
        status = gguf_read_head(stream, &head);
        llmfp_file_close(&opened);
    }
    *n_tensors += head.n_tensors;
    return status;
}

static enum llmfp_status check_total(const struct llmfp_checkpoint *checkpoint,
                                     struct gguf_stream *stream,
                                     const struct gguf_metadata *metadata,
                                     struct llmfp_error *error)
{
    uint64_t n_tensors = 0;
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        const enum llmfp_status status =
            count_tensors(checkpoint->files[i].path, stream, &n_tensors, error);
        if (status != LLMFP_OK) {
            return status;
        }
    }
    if (metadata->has_split_tensors && n_tensors != metadata->split_tensors) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s says that all parts together hold %" PRIu64
                          " tensors (split.tensors.count), but they hold %" PRIu64
                          "; the parts do not belong together",
                          checkpoint->files[0].path, metadata->split_tensors, n_tensors);
    }
    return LLMFP_OK;
}

static enum llmfp_status keep_configuration(struct llmfp_checkpoint *checkpoint,
                                            const struct gguf_metadata *metadata,
                                            struct llmfp_error *error)
{
    struct llmfp_buffer text = {0};
    gguf_write_configuration(metadata, &text);
    checkpoint->configuration =
        text.failed
            ? NULL
            : llmfp_arena_string(&checkpoint->arena, (const char *)text.bytes, text.size_bytes);
    checkpoint->configuration_bytes = text.size_bytes;
    llmfp_buffer_clear(&text);
    return checkpoint->configuration != NULL
               ? LLMFP_OK
               : llmfp_fail_memory(error, checkpoint->configuration_bytes, "a configuration");
}

static enum llmfp_status configure(struct llmfp_checkpoint *checkpoint, struct llmfp_error *error)
{
    struct llmfp_open_file opened;
    struct gguf_stream *stream = malloc(sizeof *stream);
    if (stream == NULL) {
        return llmfp_fail_memory(error, sizeof *stream, "a GGUF header");
    }
    enum llmfp_status status = llmfp_file_open(checkpoint->files[0].path, &opened, error);
    if (status == LLMFP_OK) {
        struct gguf_metadata metadata;
        gguf_stream_begin(stream, &opened, error);
        status = gguf_read_metadata(stream, &metadata);
        if (status == LLMFP_OK) {
            status = check_part(stream, &metadata, 0, checkpoint->n_files);
        }
        llmfp_file_close(&opened);
        if (status == LLMFP_OK && checkpoint->n_files > 1) {
            status = check_total(checkpoint, stream, &metadata, error);
        }
        if (status == LLMFP_OK) {
            status = keep_configuration(checkpoint, &metadata, error);
        }
        gguf_metadata_clear(&metadata);
    }
    free(stream);
    return status;
}

const struct llmfp_format llmfp_format_gguf = {
    .name = "GGUF",
    .suffix = ".gguf",
    .detect = detect,
    .measure = measure,
    .read_header = gguf_read_header,
    .configure = configure,
};
