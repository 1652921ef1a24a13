/* zip.c - reading the central directory of a zip archive, and local headers. */
#include "zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "utf8.h"

enum {
    END_BYTES = 22,       /* end of central directory record, without its comment */
    END64_BYTES = 56,     /* its 64-bit form */
    LOCATOR_BYTES = 20,   /* which stands before the end record and points to that form */
    ENTRY_BYTES = 46,     /* entry of the directory, without name, extra field and comment */
    LOCAL_BYTES = 30,     /* local header, without name and extra field */
    MOST_COMMENT = 65535, /* the comment's length has 16 bits */
    MOST_NAME = 4096,
    SHOWN_BYTES = 200
};
static const uint32_t END_MAGIC = 0x06054b50;
static const uint32_t END64_MAGIC = 0x06064b50;
static const uint32_t LOCATOR_MAGIC = 0x07064b50;
static const uint32_t ENTRY_MAGIC = 0x02014b50;
static const uint32_t LOCAL_MAGIC = 0x04034b50;

/* Encrypted, patched, strongly encrypted, masked. */
enum { FLAG_LATER_SIZES = 0x0008, FLAGS_REFUSED = 0x0001 | 0x0020 | 0x0040 | 0x2000 };

struct directory {
    uint64_t n_records;
    uint64_t offset_bytes;
    uint64_t size_bytes;
};

static enum llmfp_status fail_zip(const char *path, struct llmfp_error *error, const char *what)
{
    return llmfp_fail(error, LLMFP_CHECKPOINT, "%s is not a zip archive that can be read: %s", path,
                      what);
}

static enum llmfp_status fail_record(const char *path, const char *name, size_t name_bytes,
                                     const char *what, struct llmfp_error *error)
{
    char shown[SHOWN_BYTES];
    llmfp_escape(shown, sizeof shown, name, name_bytes);
    return llmfp_fail(error, LLMFP_CHECKPOINT, "%s: the record \"%s\" of this archive %s", path,
                      shown, what);
}

/* ---- the end of the archive, which says where the directory is ---- */

/* The 64-bit end record at `offset`, which must also end where the locator begins. */
static enum llmfp_status read_end64(const struct llmfp_open_file *opened, uint64_t offset,
                                    uint64_t locator_offset, struct directory *directory,
                                    struct llmfp_error *error)
{
    unsigned char end[END64_BYTES];
    if (locator_offset < END64_BYTES || offset > locator_offset - END64_BYTES) {
        return fail_zip(opened->path, error,
                        "its 64-bit end record should begin behind where it must have ended");
    }
    const enum llmfp_status status = llmfp_file_read(opened, offset, end, sizeof end, error);
    if (status != LLMFP_OK) {
        return status;
    }
    if (llmfp_load_u32(end) != END64_MAGIC ||
        llmfp_load_u64(end + 4) != locator_offset - offset - 12) {
        return fail_zip(opened->path, error,
                        "there is no 64-bit end record where its locator points");
    }
    const uint64_t here = llmfp_load_u64(end + 24);
    if (llmfp_load_u32(end + 16) != 0 || llmfp_load_u32(end + 20) != 0 ||
        here != llmfp_load_u64(end + 32)) {
        return fail_zip(opened->path, error, "it is one of several parts of an archive");
    }
    directory->n_records = here;
    directory->size_bytes = llmfp_load_u64(end + 40);
    directory->offset_bytes = llmfp_load_u64(end + 48);
    return LLMFP_OK;
}

/* A field of the short end record: all ones stand for "see the 64-bit record". */
static bool agrees(uint64_t field, uint64_t saturated, uint64_t wide)
{
    return field == saturated || field == wide;
}

/* From the end record at `offset`; *end_offset is where the directory has to end. */
static enum llmfp_status read_end(const struct llmfp_open_file *opened, const unsigned char *end,
                                  uint64_t offset, struct directory *directory,
                                  uint64_t *end_offset, struct llmfp_error *error)
{
    unsigned char locator[LOCATOR_BYTES] = {0};
    const uint16_t here = llmfp_load_u16(end + 8);
    const uint16_t all = llmfp_load_u16(end + 10);
    const struct directory narrow = {all, llmfp_load_u32(end + 16), llmfp_load_u32(end + 12)};
    enum llmfp_status status = LLMFP_OK;
    if (offset >= LOCATOR_BYTES) {
        status = llmfp_file_read(opened, offset - LOCATOR_BYTES, locator, sizeof locator, error);
    }
    *directory = narrow;
    *end_offset = offset;
    if (status == LLMFP_OK && llmfp_load_u32(locator) == LOCATOR_MAGIC) {
        *end_offset = llmfp_load_u64(locator + 8);
        status = read_end64(opened, *end_offset, offset - LOCATOR_BYTES, directory, error);
    }
    if (status == LLMFP_OK &&
        (here != all || (llmfp_load_u16(end + 4) != 0 && llmfp_load_u16(end + 4) != UINT16_MAX))) {
        return fail_zip(opened->path, error, "it is one of several parts of an archive");
    }
    if (status == LLMFP_OK && (!agrees(narrow.n_records, UINT16_MAX, directory->n_records) ||
                               !agrees(narrow.size_bytes, UINT32_MAX, directory->size_bytes) ||
                               !agrees(narrow.offset_bytes, UINT32_MAX, directory->offset_bytes))) {
        return fail_zip(opened->path, error, "its two end records contradict each other");
    }
    return status;
}

static enum llmfp_status check_directory(const struct llmfp_open_file *opened,
                                         const struct directory *directory, uint64_t end_offset,
                                         struct llmfp_error *error)
{
    if (directory->size_bytes > end_offset ||
        directory->offset_bytes != end_offset - directory->size_bytes) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s is not a zip archive that can be read: its directory should lie at "
                          "byte %" PRIu64 " and have %" PRIu64
                          " bytes, but its end record is at byte %" PRIu64,
                          opened->path, directory->offset_bytes, directory->size_bytes, end_offset);
    }
    if (directory->n_records > LLMFP_ZIP_MOST_RECORDS ||
        directory->size_bytes > LLMFP_ZIP_MOST_DIRECTORY_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s claims %" PRIu64 " records and a directory of %" PRIu64
                          " bytes; archives of at most %d records and %d bytes are read",
                          opened->path, directory->n_records, directory->size_bytes,
                          LLMFP_ZIP_MOST_RECORDS, LLMFP_ZIP_MOST_DIRECTORY_BYTES);
    }
    if (directory->n_records == 0 || directory->n_records > directory->size_bytes / ENTRY_BYTES) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%s claims %" PRIu64 " records in a directory of %" PRIu64
                          " bytes, which cannot be",
                          opened->path, directory->n_records, directory->size_bytes);
    }
    return LLMFP_OK;
}

/* The end record is the last one whose comment ends with the file. */
static enum llmfp_status find_directory(const struct llmfp_open_file *opened,
                                        struct directory *directory, struct llmfp_error *error)
{
    const uint64_t most = MOST_COMMENT + END_BYTES;
    const size_t n = (size_t)(opened->size_bytes < most ? opened->size_bytes : most);
    unsigned char *tail = malloc(n + 1);
    if (tail == NULL) {
        return llmfp_fail_memory(error, n, "the end of a zip archive");
    }
    enum llmfp_status status = llmfp_file_read(opened, opened->size_bytes - n, tail, n, error);
    size_t at = n < END_BYTES ? 0 : n - END_BYTES + 1;
    bool found = false;
    while (status == LLMFP_OK && at > 0 && !found) {
        at--;
        found = llmfp_load_u32(tail + at) == END_MAGIC &&
                llmfp_load_u16(tail + at + END_BYTES - 2) == n - at - END_BYTES;
    }
    uint64_t end_offset = 0;
    if (status == LLMFP_OK && !found) {
        status = fail_zip(opened->path, error,
                          "it does not end as one, so it is cut short or damaged; fetch it again");
    } else if (status == LLMFP_OK) {
        status =
            read_end(opened, tail + at, opened->size_bytes - n + at, directory, &end_offset, error);
    }
    free(tail);
    return status == LLMFP_OK ? check_directory(opened, directory, end_offset, error) : status;
}

/* ---- entries of the directory ---- */

/* A path of plain components, valid UTF-8, below a root folder. */
static const char *name_problem(const char *name, size_t n_bytes)
{
    if (n_bytes == 0 || n_bytes > MOST_NAME || !llmfp_utf8_valid(name, n_bytes) ||
        memchr(name, '\0', n_bytes) != NULL || memchr(name, '\\', n_bytes) != NULL) {
        return "has a name that is empty, too long, or not plain UTF-8 text";
    }
    for (size_t begin = 0; begin < n_bytes;) {
        const char *slash = memchr(name + begin, '/', n_bytes - begin);
        const size_t end = slash == NULL ? n_bytes : (size_t)(slash - name);
        const size_t length = end - begin;
        if (length == 0 || (length == 1 && name[begin] == '.') ||
            (length == 2 && memcmp(name + begin, "..", 2) == 0)) {
            return "has a name that could lead out of its folder";
        }
        begin = end + 1;
    }
    return memchr(name, '/', n_bytes) == NULL ? "is in no folder, as no record of PyTorch is"
                                              : NULL;
}

/* Put the 64-bit values of extra field 1 in place of those that are all ones, in the
 * order size, stored size, offset. */
static bool widen(const unsigned char *extra, size_t n_bytes, uint64_t *const values[3])
{
    const unsigned char *wide = NULL;
    size_t wide_bytes = 0;
    while (n_bytes >= 4) {
        const size_t length = llmfp_load_u16(extra + 2);
        if (length > n_bytes - 4) {
            return false;
        }
        if (llmfp_load_u16(extra) == 1) {
            wide = extra + 4;
            wide_bytes = length;
        }
        extra += 4 + length;
        n_bytes -= 4 + length;
    }
    for (int i = 0; i < 3; i++) {
        if (*values[i] == UINT32_MAX) {
            if (wide_bytes < 8) {
                return false;
            }
            *values[i] = llmfp_load_u64(wide);
            wide += 8;
            wide_bytes -= 8;
        }
    }
    return n_bytes == 0;
}

static const char *entry_problem(const unsigned char *entry, struct llmfp_zip_record *record,
                                 uint64_t directory_offset)
{
    const size_t name_bytes = llmfp_load_u16(entry + 28);
    uint64_t stored_bytes = llmfp_load_u32(entry + 20);
    uint64_t *const values[3] = {&record->size_bytes, &stored_bytes, &record->header_offset};
    record->size_bytes = llmfp_load_u32(entry + 24);
    record->header_offset = llmfp_load_u32(entry + 42);
    const char *problem = name_problem(record->name, name_bytes);
    if (problem != NULL) {
        return problem;
    }
    if ((llmfp_load_u16(entry + 8) & FLAGS_REFUSED) != 0) {
        return "is encrypted, which is not supported";
    }
    if (llmfp_load_u16(entry + 10) != 0) {
        return "is compressed, which is not supported; unpack the archive, and pack it again "
               "without compression (zip -0), or save the model again";
    }
    if (!widen(entry + ENTRY_BYTES + name_bytes, llmfp_load_u16(entry + 30), values) ||
        llmfp_load_u16(entry + 34) != 0) {
        return "has a damaged entry in the directory";
    }
    if (stored_bytes != record->size_bytes) {
        return "is not compressed, but has two different sizes";
    }
    if (record->header_offset > directory_offset ||
        directory_offset - record->header_offset < LOCAL_BYTES + name_bytes ||
        directory_offset - record->header_offset - LOCAL_BYTES - name_bytes < record->size_bytes) {
        return "should lie where the directory is, or beyond the end of the file";
    }
    return NULL;
}

static enum llmfp_status read_entries(const char *path, struct llmfp_zip *zip,
                                      uint64_t directory_offset, struct llmfp_error *error)
{
    const unsigned char *const bytes = zip->directory;
    size_t at = 0;
    for (size_t i = 0; i < zip->n_records; i++) {
        struct llmfp_zip_record *record = &zip->records[i];
        const size_t left = zip->directory_bytes - at;
        const unsigned char *entry = bytes + at;
        size_t tail = 0;
        if (left >= ENTRY_BYTES && llmfp_load_u32(entry) == ENTRY_MAGIC) {
            record->full_bytes = llmfp_load_u16(entry + 28);
            tail = (size_t)record->full_bytes + llmfp_load_u16(entry + 30) +
                   llmfp_load_u16(entry + 32);
        }
        if (left < ENTRY_BYTES || llmfp_load_u32(entry) != ENTRY_MAGIC ||
            tail > left - ENTRY_BYTES) {
            return fail_zip(path, error, "its directory of records is damaged or cut short");
        }
        record->name = (const char *)entry + ENTRY_BYTES;
        const char *problem = entry_problem(entry, record, directory_offset);
        if (problem != NULL) {
            return fail_record(path, record->name, record->full_bytes, problem, error);
        }
        at += ENTRY_BYTES + tail;
    }
    return at == zip->directory_bytes
               ? LLMFP_OK
               : fail_zip(path, error, "its directory has bytes that belong to no record");
}

/* ---- all records together ---- */

/* Cut the root folder, which is the first record's, from all names. */
static enum llmfp_status cut_root(const char *path, struct llmfp_zip *zip,
                                  struct llmfp_error *error)
{
    const char *root = zip->records[0].name;
    const char *slash = memchr(root, '/', zip->records[0].full_bytes);
    const size_t root_bytes = (size_t)(slash + 1 - root);
    for (size_t i = 0; i < zip->n_records; i++) {
        struct llmfp_zip_record *record = &zip->records[i];
        if (record->full_bytes < root_bytes || memcmp(record->name, root, root_bytes) != 0) {
            return fail_record(path, record->name, record->full_bytes,
                               "is not in the folder of the first record, as all must be", error);
        }
        record->name += root_bytes;
        record->name_bytes = record->full_bytes - (uint32_t)root_bytes;
    }
    return LLMFP_OK;
}

static int by_offset(const void *item_a, const void *item_b)
{
    const struct llmfp_zip_record *a = item_a;
    const struct llmfp_zip_record *b = item_b;
    return a->header_offset < b->header_offset ? -1 : a->header_offset > b->header_offset;
}

static int compare_names(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    const int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_name(const void *item_a, const void *item_b)
{
    const struct llmfp_zip_record *a = item_a;
    const struct llmfp_zip_record *b = item_b;
    return compare_names(a->name, a->name_bytes, b->name, b->name_bytes);
}

static enum llmfp_status check_overlap(const char *path, struct llmfp_zip *zip,
                                       uint64_t directory_offset, struct llmfp_error *error)
{
    qsort(zip->records, zip->n_records, sizeof *zip->records, by_offset);
    for (size_t i = 0; i < zip->n_records; i++) {
        struct llmfp_zip_record *record = &zip->records[i];
        record->limit_offset = i + 1 < zip->n_records ? record[1].header_offset : directory_offset;
        if (record->limit_offset - record->header_offset <
            LOCAL_BYTES + record->full_bytes + record->size_bytes) {
            return fail_record(path, record->name, record->name_bytes, "overlaps the next one",
                               error);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status check_names(const char *path, struct llmfp_zip *zip,
                                     struct llmfp_error *error)
{
    qsort(zip->records, zip->n_records, sizeof *zip->records, by_name);
    for (size_t i = 1; i < zip->n_records; i++) {
        if (by_name(&zip->records[i - 1], &zip->records[i]) == 0) {
            return fail_record(path, zip->records[i].name, zip->records[i].name_bytes,
                               "is there twice", error);
        }
    }
    return LLMFP_OK;
}

static enum llmfp_status read_directory(const struct llmfp_open_file *opened,
                                        const struct directory *directory, struct llmfp_zip *zip,
                                        struct llmfp_error *error)
{
    zip->directory_bytes = (size_t)directory->size_bytes;
    zip->n_records = (size_t)directory->n_records;
    zip->directory = malloc(zip->directory_bytes);
    zip->records = calloc(zip->n_records, sizeof *zip->records);
    if (zip->directory == NULL || zip->records == NULL) {
        return llmfp_fail_memory(error, zip->directory_bytes, "the directory of a zip archive");
    }
    enum llmfp_status status = llmfp_file_read(opened, directory->offset_bytes, zip->directory,
                                               zip->directory_bytes, error);
    if (status == LLMFP_OK) {
        status = read_entries(opened->path, zip, directory->offset_bytes, error);
    }
    if (status == LLMFP_OK) {
        status = cut_root(opened->path, zip, error);
    }
    if (status == LLMFP_OK) {
        status = check_overlap(opened->path, zip, directory->offset_bytes, error);
    }
    return status == LLMFP_OK ? check_names(opened->path, zip, error) : status;
}

enum llmfp_status llmfp_zip_open(const struct llmfp_open_file *opened, struct llmfp_zip *zip,
                                 struct llmfp_error *error)
{
    struct directory directory = {0};
    *zip = (struct llmfp_zip){0};
    enum llmfp_status status = find_directory(opened, &directory, error);
    if (status == LLMFP_OK) {
        status = read_directory(opened, &directory, zip, error);
    }
    if (status != LLMFP_OK) {
        llmfp_zip_clear(zip);
    }
    return status;
}

void llmfp_zip_clear(struct llmfp_zip *zip)
{
    free(zip->directory);
    free(zip->records);
    *zip = (struct llmfp_zip){0};
}

const struct llmfp_zip_record *llmfp_zip_find(const struct llmfp_zip *zip, const char *name,
                                              size_t name_bytes)
{
    size_t low = 0;
    size_t high = zip->n_records;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct llmfp_zip_record *record = &zip->records[middle];
        const int order = compare_names(record->name, record->name_bytes, name, name_bytes);
        if (order == 0) {
            return record;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

/* ---- local headers ---- */

/* What the local header says twice must be what the directory says. */
static const char *local_problem(const unsigned char *header, const struct llmfp_zip_record *record)
{
    const char *full_name = record->name - (record->full_bytes - record->name_bytes);
    const uint16_t flags = llmfp_load_u16(header + 6);
    const uint32_t size = llmfp_load_u32(header + 22);
    if (llmfp_load_u32(header) != LOCAL_MAGIC) {
        return "has no local header where the directory points";
    }
    if ((flags & FLAGS_REFUSED) != 0 || llmfp_load_u16(header + 8) != 0 ||
        llmfp_load_u16(header + 26) != record->full_bytes ||
        memcmp(header + LOCAL_BYTES, full_name, record->full_bytes) != 0) {
        return "has a local header that contradicts the directory";
    }
    const bool told_here = (flags & FLAG_LATER_SIZES) == 0 || size != 0;
    if (told_here && size != UINT32_MAX && size != record->size_bytes) {
        return "has another size in its local header than in the directory";
    }
    return NULL;
}

enum llmfp_status llmfp_zip_place(const struct llmfp_open_file *opened,
                                  const struct llmfp_zip_record *record, uint64_t *offset_bytes,
                                  struct llmfp_error *error)
{
    unsigned char header[LOCAL_BYTES + MOST_NAME];
    /* Names are at most MOST_NAME bytes long, and the header lies inside the file: both
     * were checked when the directory was read. */
    const enum llmfp_status status = llmfp_file_read(opened, record->header_offset, header,
                                                     LOCAL_BYTES + record->full_bytes, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const char *problem = local_problem(header, record);
    const uint64_t header_bytes =
        LOCAL_BYTES + (uint64_t)record->full_bytes + llmfp_load_u16(header + 28);
    const uint64_t room = record->limit_offset - record->header_offset;
    if (problem == NULL && (room < header_bytes || room - header_bytes < record->size_bytes)) {
        problem = "overlaps the next one";
    }
    if (problem != NULL) {
        return fail_record(opened->path, record->name, record->name_bytes, problem, error);
    }
    *offset_bytes = record->header_offset + header_bytes;
    return LLMFP_OK;
}
