/* safetensors.c - reading safetensors headers.
 *
 *   8 bytes   N, little-endian
 *   N bytes   JSON object: name -> {"dtype", "shape", "data_offsets": [begin, end)}
 *   the rest  data; begin and end count from here
 *
 * Accepts and refuses what the reference implementation does (safetensors 0.8:
 * an entry may be an array of its three fields, unknown fields are skipped,
 * "__metadata__" may be null, white space may surround the object), but also
 * refuses a name that occurs twice (llmfp_catalog_finish) or that holds a NUL,
 * and more than MOST_DIMENSIONS in one header, so that a header of 100 MB cannot
 * ask for gigabytes.                                                           */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "format.h"
#include "json_reader.h"
#include "size.h"

#define MOST_HEADER_BYTES UINT64_C(100000000) /* the reference's limit */
enum { LENGTH_BYTES = 8, MOST_DIMENSIONS = 1 << 23, SHOWN_BYTES = 200, EXCERPT_BYTES = 48 };

/* ---- the first bytes ---- */

static bool is_text(const uint8_t *bytes)
{
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        if (bytes[i] < ' ' || bytes[i] > '~' || bytes[i] == '"') {
            return false;
        }
    }
    return true;
}

static enum llmfp_status measure(const struct llmfp_first *first, uint64_t *header_bytes,
                                 struct llmfp_error *error)
{
    const char *path = first->path;
    if (first->n_bytes < LENGTH_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a safetensors file: it has only %zu bytes, and the header "
                          "length alone takes 8",
                          path, first->n_bytes);
    }
    const uint64_t length = llmfp_load_u64(first->bytes);
    if (length > MOST_HEADER_BYTES && is_text(first->bytes)) {
        return llmfp_fail(
            error, LLMFP_CHECKPOINT,
            "%s is not a safetensors file: it begins with the text \"%.*s\"; if a page with an "
            "error was saved in its place, download it again",
            path, LENGTH_BYTES, (const char *)first->bytes);
    }
    if (length > MOST_HEADER_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a safetensors file: its first 8 bytes give a header length "
                          "of %" PRIu64 " bytes, and at most %" PRIu64 " are allowed",
                          path, length, MOST_HEADER_BYTES);
    }
    if (length > first->file_bytes - LENGTH_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a safetensors file, or is cut short: its header should have "
                          "%" PRIu64 " bytes, but only %" PRIu64 " follow",
                          path, length, first->file_bytes - LENGTH_BYTES);
    }
    const int byte = length == 0 ? -1 : first->bytes[LENGTH_BYTES];
    if (byte != '{' && byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
        char found[8] = "nothing";
        if (byte >= 0) {
            (void)snprintf(found, sizeof found, "0x%02x", (unsigned)byte);
        }
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a safetensors file: its header should begin with {, but there "
                          "is %s",
                          path, found);
    }
    *header_bytes = LENGTH_BYTES + length;
    return LLMFP_OK;
}

static bool detect(const struct llmfp_first *first)
{
    uint64_t header_bytes;
    return measure(first, &header_bytes, NULL) == LLMFP_OK;
}

/* ---- the header ---- */

struct reading {
    struct llmfp_json json;
    struct llmfp_json_text name;     /* of the tensor whose entry is being read */
    struct llmfp_buffer name_buffer; /* what `name` points into when it had escapes */
    struct llmfp_buffer string_buffer;
    struct llmfp_buffer shape_buffer; /* uint64_t dimensions of one tensor */
    size_t n_dimensions;              /* in all tensors so far */
    struct llmfp_catalog *catalog;
    const char *path;
    uint32_t file;
    size_t first_tensor; /* of this file in the catalog */
    struct llmfp_error *error;
};

enum field { FIELD_DTYPE, FIELD_SHAPE, FIELD_OFFSETS, N_FIELDS };
static const char *const field_names[N_FIELDS] = {"dtype", "shape", "data_offsets"};

struct entry {
    bool seen[N_FIELDS];
    enum llmfp_encoding_id encoding;
    uint64_t begin;
    uint64_t end;
};

static enum llmfp_status fail_tensor(const struct reading *reading, struct llmfp_json_text name,
                                     const char *format, ...) LLMFP_PRINTF(3, 4);

static enum llmfp_status fail_tensor(const struct reading *reading, struct llmfp_json_text name,
                                     const char *format, ...)
{
    char shown[SHOWN_BYTES];
    char what[2 * SHOWN_BYTES + 200];
    llmfp_escape(shown, sizeof shown, name.bytes, name.n_bytes);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return llmfp_fail(reading->error, LLMFP_CHECKPOINT, "%s: tensor \"%s\" %s", reading->path,
                      shown, what);
}

/* The reader's problem as a sentence, with the tensor when there is one. */
static enum llmfp_status fail_json(const struct reading *reading, const char *where)
{
    if (reading->name_buffer.failed || reading->string_buffer.failed) {
        return llmfp_fail_memory(reading->error, reading->json.n_bytes, "a string in a header");
    }
    char excerpt[EXCERPT_BYTES];
    llmfp_json_excerpt(&reading->json, reading->json.problem_offset, excerpt, sizeof excerpt);
    const size_t offset = reading->json.problem_offset + LENGTH_BYTES;
    if (reading->name.bytes != NULL) {
        return fail_tensor(reading, reading->name,
                           "has a bad %s at byte %zu of the file: %s, at `%s`", where, offset,
                           reading->json.problem, excerpt);
    }
    return llmfp_fail(
        reading->error, LLMFP_CHECKPOINT,
        "%s: the safetensors header has a bad %s at byte %zu of the file: %s, at `%s`",
        reading->path, where, offset, reading->json.problem, excerpt);
}

static bool equals(struct llmfp_json_text text, const char *word)
{
    return text.n_bytes == strlen(word) && memcmp(text.bytes, word, text.n_bytes) == 0;
}

/* "__metadata__": null, or an object of strings. Nothing in it is needed. */
static enum llmfp_status read_metadata(struct reading *reading)
{
    struct llmfp_json *json = &reading->json;
    struct llmfp_json_text text;
    const enum llmfp_json_kind kind = llmfp_json_peek(json);
    if (kind == LLMFP_JSON_NULL) {
        return llmfp_json_skip(json) ? LLMFP_OK : fail_json(reading, "__metadata__");
    }
    if (kind != LLMFP_JSON_OBJECT) {
        llmfp_json_refuse(json, json->offset, "not an object of strings");
    }
    if (llmfp_json_enter(json)) {
        while (llmfp_json_next_key(json, &reading->string_buffer, &text)) {
            if (llmfp_json_peek(json) != LLMFP_JSON_STRING) {
                llmfp_json_refuse(json, json->offset, "a value that is not a string");
            }
            (void)llmfp_json_skip(json); /* looked at through json->problem */
        }
    }
    return json->problem == NULL ? LLMFP_OK : fail_json(reading, "__metadata__");
}

static enum llmfp_status read_dtype(struct reading *reading, struct entry *entry)
{
    struct llmfp_json_text dtype;
    if (!llmfp_json_string(&reading->json, &reading->string_buffer, &dtype)) {
        return fail_json(reading, field_names[FIELD_DTYPE]);
    }
    if (!llmfp_encoding_find(dtype.bytes, dtype.n_bytes, &entry->encoding)) {
        char shown[EXCERPT_BYTES];
        llmfp_escape(shown, sizeof shown, dtype.bytes, dtype.n_bytes);
        return fail_tensor(reading, reading->name, "has the unknown dtype \"%s\"", shown);
    }
    return LLMFP_OK;
}

static enum llmfp_status read_shape(struct reading *reading)
{
    struct llmfp_json *json = &reading->json;
    reading->shape_buffer.size_bytes = 0;
    if (llmfp_json_peek(json) != LLMFP_JSON_ARRAY) {
        llmfp_json_refuse(json, json->offset, "not an array of integers");
    }
    if (llmfp_json_enter(json)) {
        uint64_t dimension;
        while (llmfp_json_next_item(json) && llmfp_json_u64(json, &dimension)) {
            if (++reading->n_dimensions > MOST_DIMENSIONS) {
                return fail_tensor(reading, reading->name,
                                   "brings the dimensions in this header to more than %d",
                                   MOST_DIMENSIONS);
            }
            llmfp_buffer_put(&reading->shape_buffer, &dimension, sizeof dimension);
        }
    }
    if (reading->shape_buffer.failed) {
        return llmfp_fail_memory(reading->error, reading->json.n_bytes, "a tensor's shape");
    }
    return json->problem == NULL ? LLMFP_OK : fail_json(reading, field_names[FIELD_SHAPE]);
}

static enum llmfp_status read_offsets(struct reading *reading, struct entry *entry)
{
    static const char two[] = "not an array of two integers";
    struct llmfp_json *json = &reading->json;
    uint64_t *const numbers[] = {&entry->begin, &entry->end};
    size_t n = 0;
    if (llmfp_json_peek(json) != LLMFP_JSON_ARRAY) {
        llmfp_json_refuse(json, json->offset, two);
    }
    if (llmfp_json_enter(json)) {
        while (llmfp_json_next_item(json)) {
            if (n == 2) {
                llmfp_json_refuse(json, json->offset, two);
            } else if (llmfp_json_u64(json, numbers[n])) {
                n++;
            }
        }
    }
    if (n < 2) {
        llmfp_json_refuse(json, json->offset, two);
    }
    return json->problem == NULL ? LLMFP_OK : fail_json(reading, field_names[FIELD_OFFSETS]);
}

static enum llmfp_status read_field(struct reading *reading, enum field field, struct entry *entry)
{
    if (entry->seen[field]) {
        return fail_tensor(reading, reading->name, "has the field \"%s\" twice",
                           field_names[field]);
    }
    entry->seen[field] = true;
    switch (field) {
    case FIELD_DTYPE:
        return read_dtype(reading, entry);
    case FIELD_SHAPE:
        return read_shape(reading);
    case FIELD_OFFSETS:
    case N_FIELDS:
    default:
        return read_offsets(reading, entry);
    }
}

static enum llmfp_status read_entry_object(struct reading *reading, struct entry *entry)
{
    struct llmfp_json *json = &reading->json;
    struct llmfp_json_text key;
    enum llmfp_status status = LLMFP_OK;
    while (status == LLMFP_OK && llmfp_json_next_key(json, &reading->string_buffer, &key)) {
        int field = 0;
        while (field < N_FIELDS && !equals(key, field_names[field])) {
            field++;
        }
        if (field < N_FIELDS) {
            status = read_field(reading, (enum field)field, entry);
        } else if (!llmfp_json_skip(json)) {
            status = fail_json(reading, "entry");
        }
    }
    return status == LLMFP_OK && json->problem != NULL ? fail_json(reading, "entry") : status;
}

/* [dtype, shape, data_offsets]: what the reference makes of a sequence. */
static enum llmfp_status read_entry_array(struct reading *reading, struct entry *entry)
{
    struct llmfp_json *json = &reading->json;
    enum llmfp_status status = LLMFP_OK;
    int field = 0;
    while (status == LLMFP_OK && llmfp_json_next_item(json)) {
        if (field == N_FIELDS) {
            return fail_tensor(reading, reading->name, "has an array of more than 3 fields");
        }
        status = read_field(reading, (enum field)field++, entry);
    }
    return status == LLMFP_OK && json->problem != NULL ? fail_json(reading, "entry") : status;
}

static enum llmfp_status read_entry(struct reading *reading, struct entry *entry)
{
    struct llmfp_json *json = &reading->json;
    const enum llmfp_json_kind kind = llmfp_json_peek(json);
    if (!llmfp_json_enter(json)) {
        return fail_json(reading, "entry");
    }
    const enum llmfp_status status = kind == LLMFP_JSON_OBJECT ? read_entry_object(reading, entry)
                                                               : read_entry_array(reading, entry);
    for (int field = 0; status == LLMFP_OK && field < N_FIELDS; field++) {
        if (!entry->seen[field]) {
            return fail_tensor(reading, reading->name, "has no \"%s\"", field_names[field]);
        }
    }
    return status;
}

/* The offsets must hold what the tensor takes by its shape and dtype. */
static enum llmfp_status check_size(const struct reading *reading, const struct entry *entry,
                                    struct llmfp_tensor *tensor)
{
    const enum llmfp_status status = llmfp_tensor_size(tensor, reading->error);
    if (status != LLMFP_OK) {
        char shown[SHOWN_BYTES];
        llmfp_escape(shown, sizeof shown, reading->name.bytes, reading->name.n_bytes);
        return llmfp_error_prefix(reading->error, "%s: tensor \"%s\"", reading->path, shown);
    }
    if (entry->end < entry->begin) {
        return fail_tensor(reading, reading->name,
                           "has data_offsets that end (%" PRIu64 ") before they begin (%" PRIu64
                           ")",
                           entry->end, entry->begin);
    }
    if (entry->end - entry->begin != tensor->data.size_bytes) {
        return fail_tensor(reading, reading->name,
                           "takes %" PRIu64
                           " bytes by its shape and dtype %s, but its data_offsets "
                           "hold %" PRIu64,
                           tensor->data.size_bytes, llmfp_encoding(tensor->encoding)->name,
                           entry->end - entry->begin);
    }
    return LLMFP_OK;
}

/* The tensor's extent counts from the start of the data until place_tensors. */
static enum llmfp_status read_tensor(struct reading *reading)
{
    struct entry entry = {.encoding = LLMFP_F64};
    if (memchr(reading->name.bytes, '\0', reading->name.n_bytes) != NULL) {
        return fail_tensor(reading, reading->name, "has a NUL character in its name");
    }
    enum llmfp_status status = read_entry(reading, &entry);
    if (status != LLMFP_OK) {
        return status;
    }
    struct llmfp_tensor tensor = {
        .encoding = entry.encoding,
        .n_dimensions = (uint32_t)(reading->shape_buffer.size_bytes / sizeof(uint64_t)),
        .shape = (const uint64_t *)(const void *)reading->shape_buffer.bytes,
        .data = {.file = reading->file, .offset_bytes = entry.begin},
    };
    status = check_size(reading, &entry, &tensor);
    if (status != LLMFP_OK) {
        return status;
    }
    /* The catalog wants a name that ends in NUL. */
    reading->string_buffer.size_bytes = 0;
    llmfp_buffer_put(&reading->string_buffer, reading->name.bytes, reading->name.n_bytes);
    llmfp_buffer_put(&reading->string_buffer, "", 1);
    if (reading->string_buffer.failed) {
        return llmfp_fail_memory(reading->error, reading->name.n_bytes + 1, "a tensor name");
    }
    tensor.name = (const char *)reading->string_buffer.bytes;
    return llmfp_catalog_add_tensor(reading->catalog, &tensor, reading->error);
}

static enum llmfp_status read_object(struct reading *reading)
{
    struct llmfp_json *json = &reading->json;
    bool metadata_seen = false;
    enum llmfp_status status = LLMFP_OK;
    if (llmfp_json_peek(json) != LLMFP_JSON_OBJECT) {
        llmfp_json_refuse(json, json->offset, "not an object");
    }
    if (!llmfp_json_enter(json)) {
        return fail_json(reading, "value");
    }
    struct llmfp_json_text name;
    while (status == LLMFP_OK && llmfp_json_next_key(json, &reading->name_buffer, &name)) {
        if (!equals(name, "__metadata__")) {
            reading->name = name;
            status = read_tensor(reading);
            reading->name = (struct llmfp_json_text){0};
        } else if (metadata_seen) {
            status =
                llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                           "%s: the safetensors header has \"__metadata__\" twice", reading->path);
        } else {
            metadata_seen = true;
            status = read_metadata(reading);
        }
    }
    if (status != LLMFP_OK) {
        return status;
    }
    (void)llmfp_json_end(json); /* looked at through json->problem */
    return json->problem == NULL ? LLMFP_OK : fail_json(reading, "value");
}

/* ---- where the data lies ---- */

static int by_extent(const void *item_a, const void *item_b)
{
    const struct llmfp_tensor *a = item_a;
    const struct llmfp_tensor *b = item_b;
    if (a->data.offset_bytes != b->data.offset_bytes) {
        return a->data.offset_bytes < b->data.offset_bytes ? -1 : 1;
    }
    if (a->data.size_bytes != b->data.size_bytes) {
        return a->data.size_bytes < b->data.size_bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static struct llmfp_json_text name_of(const struct llmfp_tensor *tensor)
{
    return (struct llmfp_json_text){tensor->name, strlen(tensor->name)};
}

static enum llmfp_status fail_gap(const struct reading *reading, const struct llmfp_tensor *tensor,
                                  const struct llmfp_tensor *before, uint64_t end)
{
    char shown[SHOWN_BYTES];
    if (before == NULL) {
        return fail_tensor(reading, name_of(tensor),
                           "comes first in the data but begins at byte %" PRIu64 " of it, not at 0",
                           tensor->data.offset_bytes);
    }
    if (strcmp(before->name, tensor->name) == 0) {
        return fail_tensor(reading, name_of(tensor), "occurs twice in the header");
    }
    llmfp_escape(shown, sizeof shown, before->name, strlen(before->name));
    return fail_tensor(
        reading, name_of(tensor),
        "begins at data byte %" PRIu64 ", but \"%s\" before it ends at %" PRIu64 " (%s)",
        tensor->data.offset_bytes, shown, end,
        tensor->data.offset_bytes < end ? "they overlap" : "the bytes between belong to none");
}

/* The tensors must cover the data without hole or overlap, to the file's last byte. */
static enum llmfp_status place_tensors(const struct reading *reading, uint64_t file_bytes)
{
    const uint64_t header_bytes = LENGTH_BYTES + reading->json.n_bytes;
    const uint64_t data_bytes = file_bytes - header_bytes;
    const size_t n = reading->catalog->n_tensors - reading->first_tensor;
    struct llmfp_tensor *tensors =
        n == 0 ? NULL : reading->catalog->tensors + reading->first_tensor;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) {
        sorted = by_extent(&tensors[i - 1], &tensors[i]) < 0;
    }
    if (!sorted) {
        qsort(tensors, n, sizeof *tensors, by_extent);
    }
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].data.offset_bytes != end) {
            return fail_gap(reading, &tensors[i], i == 0 ? NULL : &tensors[i - 1], end);
        }
        end += tensors[i].data.size_bytes;
    }
    if (end != data_bytes) {
        return llmfp_fail(reading->error, LLMFP_CHECKPOINT,
                          "%s has %" PRIu64 " bytes of data, but its tensors, up to \"%s\", take "
                          "%" PRIu64 ": the file is %s; fetch it again",
                          reading->path, data_bytes, n == 0 ? "" : tensors[n - 1].name, end,
                          end > data_bytes ? "cut short" : "longer than it should be");
    }
    for (size_t i = 0; i < n; i++) {
        tensors[i].data.offset_bytes += header_bytes;
    }
    return LLMFP_OK;
}

static enum llmfp_status parse(struct reading *reading, uint64_t file_bytes)
{
    enum llmfp_status status = read_object(reading);
    if (status == LLMFP_OK) {
        status = place_tensors(reading, file_bytes);
    }
    if (status != LLMFP_OK) {
        reading->catalog->n_tensors = reading->first_tensor;
    }
    llmfp_buffer_clear(&reading->name_buffer);
    llmfp_buffer_clear(&reading->string_buffer);
    llmfp_buffer_clear(&reading->shape_buffer);
    return status;
}

static enum llmfp_status read_header(const struct llmfp_open_file *opened,
                                     struct llmfp_catalog *catalog, uint32_t file,
                                     struct llmfp_error *error)
{
    struct llmfp_file *record = &catalog->files[file];
    const uint64_t header_bytes = record->header_bytes;
    if (header_bytes < LENGTH_BYTES || header_bytes - LENGTH_BYTES > MOST_HEADER_BYTES ||
        header_bytes > opened->size_bytes) {
        return llmfp_fail(error, LLMFP_FATAL, "%s: a header of %" PRIu64 " bytes was announced",
                          opened->path, header_bytes);
    }
    unsigned char *header = malloc((size_t)header_bytes);
    if (header == NULL) {
        return llmfp_fail_memory(error, (size_t)header_bytes, "a safetensors header");
    }
    enum llmfp_status status = llmfp_file_read(opened, 0, header, (size_t)header_bytes, error);
    if (status == LLMFP_OK && llmfp_load_u64(header) != header_bytes - LENGTH_BYTES) {
        status = llmfp_fail(error, LLMFP_CHECKPOINT,
                            "%s changed while it was scanned: its header length is now %" PRIu64,
                            opened->path, llmfp_load_u64(header));
    }
    if (status == LLMFP_OK) {
        struct reading reading = {
            .json = llmfp_json_over((const char *)header + LENGTH_BYTES,
                                    (size_t)header_bytes - LENGTH_BYTES),
            .catalog = catalog,
            .path = opened->path,
            .file = file,
            .first_tensor = catalog->n_tensors,
            .error = error,
        };
        status = parse(&reading, opened->size_bytes);
    }
    if (status == LLMFP_OK) {
        record->digest = llmfp_digest(header, (size_t)header_bytes);
    }
    free(header);
    return status;
}

const struct llmfp_format llmfp_format_safetensors = {
    .name = "safetensors",
    .detect = detect,
    .measure = measure,
    .read_header = read_header,
};
