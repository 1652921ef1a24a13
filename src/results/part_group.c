/* part_group.c - see part_group.h. */
#include "part_group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "hdf5_error.h"
#include "llmfp/journal.h"
#include "llmfp/results.h"

enum { COUNT_BYTES = 4, FRAME_BYTES = 8, MOST_RECORDS_BYTES = 1 << 30, DIGEST_DIGITS = 16 };

/* ---- writing ---- */

void part_records_begin(struct llmfp_buffer *records)
{
    llmfp_buffer_put_u32(records, 0);
}

void part_records_add(struct llmfp_buffer *records, const struct llmfp_buffer *bytes)
{
    const size_t frame = llmfp_journal_frame_begin(records);
    llmfp_buffer_put(records, bytes->bytes, bytes->size_bytes);
    llmfp_journal_frame_end(records, frame, NULL);
}

void part_records_end(struct llmfp_buffer *records, uint32_t n)
{
    if (!records->failed) {
        llmfp_store_u32(records->bytes, n);
    }
}

static bool put_attribute(hid_t group, const char *name, hid_t type, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool good = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    H5Sclose(space);
    return good;
}

/* A scalar, so that it has no axis that would want a scale. */
static bool put_records(hid_t file, const struct llmfp_buffer *records)
{
    const hid_t type = H5Tcreate(H5T_OPAQUE, records->size_bytes);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, 0);
    const hid_t dataset =
        H5Dcreate2(file, PART_RECORDS, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    bool good =
        dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, records->bytes) >= 0;
    if (dataset >= 0) {
        good = H5Dclose(dataset) >= 0 && good;
    }
    H5Pclose(properties);
    H5Sclose(space);
    H5Tclose(type);
    return good;
}

bool part_group_make(hid_t file, hid_t string_type, const struct llmfp_split *split,
                     const struct llmfp_buffer *records)
{
    const hid_t group = H5Gcreate2(file, PART_GROUP, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) {
        return false;
    }
    const int32_t number = (int32_t)split->number;
    const int32_t n = (int32_t)split->n;
    char digits[DIGEST_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016" PRIx64, split->digest);
    const char *digest = digits;
    const bool good = put_attribute(group, "number", H5T_STD_I32LE, &number) &&
                      put_attribute(group, "of", H5T_STD_I32LE, &n) &&
                      put_attribute(group, "digest", string_type, &digest) &&
                      put_records(file, records);
    H5Gclose(group);
    return good;
}

/* ---- reading ---- */

static bool read_number(hid_t group, const char *name, uint32_t *number)
{
    int32_t value = 0;
    const hid_t attribute = results_open_scalar(group, name, H5T_STD_I32LE);
    const bool good = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_INT32, &value) >= 0 &&
                      value >= 1 && value <= LLMFP_SPLIT_MOST;
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    *number = good ? (uint32_t)value : 0;
    return good;
}

static bool read_digest(const struct results_file *results, hid_t group, uint64_t *digest)
{
    char *text = NULL;
    const hid_t attribute = results_open_scalar(group, "digest", results->string_type);
    const bool good = attribute >= 0 && H5Aread(attribute, results->string_type, &text) >= 0 &&
                      text != NULL && strspn(text, "0123456789abcdef") == DIGEST_DIGITS &&
                      text[DIGEST_DIGITS] == '\0';
    *digest = good ? strtoull(text, NULL, 16) : 0;
    H5free_memory(text);
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    return good;
}

/* The bytes of the records: an opaque scalar in this file; 0 when it is anything else. */
static size_t records_bytes(const struct results_file *results, hid_t dataset)
{
    const hid_t type = H5Dget_type(dataset);
    const hid_t space = H5Dget_space(dataset);
    const size_t size_bytes =
        H5Tget_class(type) == H5T_OPAQUE && H5Sget_simple_extent_type(space) == H5S_SCALAR
            ? H5Tget_size(type)
            : 0;
    H5Sclose(space);
    H5Tclose(type);
    return size_bytes <= results->file_bytes && size_bytes <= MOST_RECORDS_BYTES ? size_bytes : 0;
}

bool part_group_check(struct results_file *results, struct findings *findings)
{
    results->split = (struct llmfp_split){0, 0, 0};
    if (H5Lexists(results->file, PART_GROUP, H5P_DEFAULT) <= 0) {
        return true;
    }
    const hid_t group = results_is_own(results, PART_GROUP)
                            ? H5Gopen2(results->file, PART_GROUP, H5P_DEFAULT)
                            : H5I_INVALID_HID;
    struct llmfp_split split = {0, 0, 0};
    bool good = group >= 0 && read_number(group, "number", &split.number) &&
                read_number(group, "of", &split.n) && split.number <= split.n &&
                read_digest(results, group, &split.digest);
    if (group >= 0) {
        H5Gclose(group);
    }
    if (!good) {
        findings_add(findings, FINDING_ATTRIBUTE,
                     "the group \"part\" does not say which part of a scan this is");
        return false;
    }
    const hid_t dataset = results_open_own(results, PART_RECORDS, findings);
    good = dataset >= 0 && records_bytes(results, dataset) >= COUNT_BYTES;
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    if (!good) {
        findings_add(findings, FINDING_TYPE, "%s is not one opaque value", PART_RECORDS);
        return false;
    }
    results->split = split;
    return true;
}

static enum llmfp_status read_bytes(const struct results_file *results, struct llmfp_buffer *bytes,
                                    struct llmfp_error *error)
{
    const hid_t dataset = results_open(results, PART_RECORDS);
    const size_t size_bytes = dataset < 0 ? 0 : records_bytes(results, dataset);
    void *room = llmfp_buffer_extend(bytes, size_bytes);
    enum llmfp_status status = LLMFP_OK;
    if (room == NULL) {
        status = llmfp_fail_memory(error, size_bytes, "parts of checkpoints");
    } else {
        const hid_t type = H5Dget_type(dataset);
        status = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, room) >= 0
                     ? LLMFP_OK
                     : hdf5_fail(error, results->path, "read the parts of checkpoints");
        H5Tclose(type);
    }
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    return status;
}

static bool unpack_next(struct llmfp_cursor *cursor, struct llmfp_record *record)
{
    const uint32_t size_bytes = llmfp_cursor_u32(cursor);
    const uint32_t check = llmfp_cursor_u32(cursor);
    const void *bytes = llmfp_cursor_bytes(cursor, size_bytes);
    if (bytes == NULL || llmfp_journal_check(bytes, size_bytes) != check) {
        return false;
    }
    struct llmfp_error why;
    struct llmfp_cursor inside = llmfp_cursor_over(bytes, size_bytes);
    return llmfp_record_unpack(record, &inside, &why) == LLMFP_OK &&
           inside.offset_bytes == size_bytes;
}

enum llmfp_status part_slices_read(const struct results_file *results, struct part_slices *slices,
                                   struct llmfp_error *error)
{
    *slices = (struct part_slices){NULL, 0};
    if (results->split.n == 0) {
        return LLMFP_OK;
    }
    struct llmfp_buffer bytes = {0};
    enum llmfp_status status = read_bytes(results, &bytes, error);
    struct llmfp_cursor cursor = llmfp_cursor_over(bytes.bytes, bytes.size_bytes);
    const uint32_t n = llmfp_cursor_u32(&cursor);
    bool good = n <= bytes.size_bytes / FRAME_BYTES;
    if (status == LLMFP_OK && good) {
        slices->records = calloc((size_t)n + 1, sizeof *slices->records);
        status = slices->records == NULL
                     ? llmfp_fail_memory(error, n * sizeof *slices->records, "parts of checkpoints")
                     : LLMFP_OK;
    }
    while (status == LLMFP_OK && good && slices->n < n) {
        struct llmfp_record *record = &slices->records[slices->n++];
        good = unpack_next(&cursor, record) && record->part.n == results->split.n &&
               record->part.number == results->split.number;
    }
    if (status == LLMFP_OK && (!good || cursor.offset_bytes != cursor.size_bytes)) {
        status = llmfp_fail(error, LLMFP_FATAL,
                            "'%s': the records of its parts of checkpoints (%s) are damaged, or "
                            "not this part's; scan the part again",
                            results->path, PART_RECORDS);
    }
    llmfp_buffer_clear(&bytes);
    return status;
}

void part_slices_clear(struct part_slices *slices)
{
    for (size_t i = 0; i < slices->n; i++) {
        llmfp_record_clear(&slices->records[i]);
    }
    free(slices->records);
    *slices = (struct part_slices){NULL, 0};
}

const struct llmfp_record *part_slices_find(const struct part_slices *slices, const char *label)
{
    for (size_t i = 0; i < slices->n; i++) {
        if (strcmp(slices->records[i].label, label) == 0) {
            return &slices->records[i];
        }
    }
    return NULL;
}

enum llmfp_status llmfp_results_split(const char *path, struct llmfp_split *split,
                                      struct llmfp_error *error)
{
    struct results_file results;
    struct findings findings = {.tell = NULL};
    enum llmfp_status status = results_file_open(&results, path, error);
    if (status == LLMFP_OK && !results_check_structure(&results, &findings)) {
        status = llmfp_fail(error, LLMFP_FATAL,
                            "'%s' is not a results file of schema %s %s, or damaged (llmfp-scan "
                            "--verify says more)",
                            path, LLMFP_SCHEMA, LLMFP_SCHEMA_VERSION);
    }
    *split = status == LLMFP_OK ? results.split : (struct llmfp_split){0, 0, 0};
    results_file_close(&results);
    return status;
}
