/* Zip archives: where records lie, 64-bit fields, and what is refused.              */
#include <string.h>

#include "bytes.h"
#include "cunit_main.h"
#include "file.h"
#include "llmfp/buffer.h"
#include "scratch.h"
#include "zip.h"

enum { MOST_RECORDS = 8 };

/* An archive under construction; every field of the end record may be made wrong. */
struct archive {
    struct llmfp_buffer body;
    struct llmfp_buffer directory;
    uint32_t n_records;
    uint64_t header_offset[MOST_RECORDS];
    size_t entry_offset[MOST_RECORDS];
};

static void put16(struct llmfp_buffer *buffer, unsigned value)
{
    const unsigned char bytes[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
    llmfp_buffer_put(buffer, bytes, 2);
}

/* A record, with `padding` bytes of extra field before its data; wide: its sizes and
 * offset stand in the 64-bit extra field. */
static void add_record(struct archive *archive, const char *name, const char *data, size_t padding,
                       bool wide)
{
    const uint32_t size = (uint32_t)strlen(data);
    const uint32_t offset = (uint32_t)archive->body.size_bytes;
    const unsigned char zeros[256] = {0};
    struct llmfp_buffer *body = &archive->body;
    struct llmfp_buffer *entry = &archive->directory;
    archive->header_offset[archive->n_records] = offset;
    archive->entry_offset[archive->n_records] = entry->size_bytes;
    archive->n_records++;
    llmfp_buffer_put_u32(body, 0x04034b50);
    llmfp_buffer_put(body, zeros, 14);
    llmfp_buffer_put_u32(body, size);
    llmfp_buffer_put_u32(body, size);
    put16(body, (unsigned)strlen(name));
    put16(body, (unsigned)padding);
    llmfp_buffer_put(body, name, strlen(name));
    llmfp_buffer_put(body, zeros, padding);
    llmfp_buffer_put(body, data, size);
    llmfp_buffer_put_u32(entry, 0x02014b50);
    llmfp_buffer_put(entry, zeros, 16);
    llmfp_buffer_put_u32(entry, wide ? UINT32_MAX : size);
    llmfp_buffer_put_u32(entry, wide ? UINT32_MAX : size);
    put16(entry, (unsigned)strlen(name));
    put16(entry, wide ? 28 : 0);
    llmfp_buffer_put(entry, zeros, 10);
    llmfp_buffer_put_u32(entry, wide ? UINT32_MAX : offset);
    llmfp_buffer_put(entry, name, strlen(name));
    if (wide) {
        put16(entry, 1);
        put16(entry, 24);
        llmfp_buffer_put_u64(entry, size);
        llmfp_buffer_put_u64(entry, size);
        llmfp_buffer_put_u64(entry, offset);
    }
}

/* Append directory and end record, write the file, open it. */
static enum llmfp_status finish(struct archive *archive, struct scratch *scratch, bool wide,
                                struct llmfp_open_file *opened, struct llmfp_zip *zip,
                                struct llmfp_error *error)
{
    struct llmfp_buffer *file = &archive->body;
    const uint64_t at = file->size_bytes;
    const uint64_t size = archive->directory.size_bytes;
    llmfp_buffer_put(file, archive->directory.bytes, archive->directory.size_bytes);
    if (wide) {
        llmfp_buffer_put_u32(file, 0x06064b50);
        llmfp_buffer_put_u64(file, 44);
        llmfp_buffer_put_u32(file, 0);
        llmfp_buffer_put_u64(file, 0);
        llmfp_buffer_put_u64(file, archive->n_records);
        llmfp_buffer_put_u64(file, archive->n_records);
        llmfp_buffer_put_u64(file, size);
        llmfp_buffer_put_u64(file, at);
        llmfp_buffer_put_u32(file, 0x07064b50);
        llmfp_buffer_put_u32(file, 0);
        llmfp_buffer_put_u64(file, at + size);
        llmfp_buffer_put_u32(file, 1);
    }
    llmfp_buffer_put_u32(file, 0x06054b50);
    put16(file, 0);
    put16(file, 0);
    put16(file, wide ? UINT16_MAX : archive->n_records);
    put16(file, wide ? UINT16_MAX : archive->n_records);
    llmfp_buffer_put_u32(file, wide ? UINT32_MAX : (uint32_t)size);
    llmfp_buffer_put_u32(file, wide ? UINT32_MAX : (uint32_t)at);
    put16(file, 3);
    llmfp_buffer_put(file, "end", 3);
    scratch_write(scratch, "a.zip", file->bytes, file->size_bytes);
    llmfp_buffer_clear(&archive->body);
    llmfp_buffer_clear(&archive->directory);
    CU_ASSERT_EQUAL_FATAL(llmfp_file_open(scratch_path(scratch, "a.zip"), opened, error), LLMFP_OK);
    return llmfp_zip_open(opened, zip, error);
}

static void expect_data(const struct llmfp_open_file *opened, const struct llmfp_zip *zip,
                        const char *name, const char *data)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    char found[64] = "";
    uint64_t offset = 0;
    const struct llmfp_zip_record *record = llmfp_zip_find(zip, name, strlen(name));
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    CU_ASSERT_EQUAL_FATAL(record->size_bytes, strlen(data));
    CU_ASSERT_EQUAL_FATAL(llmfp_zip_place(opened, record, &offset, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(llmfp_file_read(opened, offset, found, strlen(data), &error), LLMFP_OK);
    CU_ASSERT_STRING_EQUAL(found, data);
}

static void finds_records(void)
{
    for (int wide = 0; wide < 2; wide++) {
        struct scratch scratch;
        struct archive archive = {0};
        struct llmfp_zip zip;
        struct llmfp_open_file opened;
        struct llmfp_error error = {LLMFP_OK, ""};
        scratch_begin(&scratch);
        add_record(&archive, "root/data.pkl", "pickle", 0, wide);
        add_record(&archive, "root/data/10", "ten", 200, wide);
        add_record(&archive, "root/data/1", "one", 3, wide);
        add_record(&archive, "root/empty", "", 0, wide);
        CU_ASSERT_EQUAL_FATAL(finish(&archive, &scratch, wide, &opened, &zip, &error), LLMFP_OK);
        CU_ASSERT_EQUAL(zip.n_records, 4);
        expect_data(&opened, &zip, "data.pkl", "pickle");
        expect_data(&opened, &zip, "data/10", "ten");
        expect_data(&opened, &zip, "data/1", "one");
        expect_data(&opened, &zip, "empty", "");
        CU_ASSERT_PTR_NULL(llmfp_zip_find(&zip, "data/", 5));
        CU_ASSERT_PTR_NULL(llmfp_zip_find(&zip, "data/100", 8));
        CU_ASSERT_PTR_NULL(llmfp_zip_find(&zip, "root/empty", 10));
        llmfp_zip_clear(&zip);
        CU_ASSERT_PTR_NULL(llmfp_zip_find(&zip, "empty", 5));
        llmfp_file_close(&opened);
        scratch_end(&scratch);
    }
}

static void expect_open_refusal(struct archive *archive, bool wide, const char *word)
{
    struct scratch scratch;
    struct llmfp_zip zip;
    struct llmfp_open_file opened;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    const enum llmfp_status status = finish(archive, &scratch, wide, &opened, &zip, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "a.zip", word, NULL);
    CU_ASSERT_PTR_NULL(zip.records);
    CU_ASSERT_PTR_NULL(zip.directory);
    llmfp_file_close(&opened);
    scratch_end(&scratch);
}

static void refuses_names(void)
{
    static const struct {
        const char *name;
        const char *word;
    } cases[] = {
        {"r/../x", "out of its folder"},
        {"../r/x", "out of its folder"},
        {"/r/x", "out of its folder"},
        {"r//x", "out of its folder"},
        {"r/./x", "out of its folder"},
        {"r\\x/y", "plain UTF-8"},
        {"r/\xff", "plain UTF-8"},
        {"", "plain UTF-8"},
        {"x", "in no folder"},
        {"other/x", "folder of the first"},
        {"r/a", "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct archive archive = {0};
        add_record(&archive, "r/a", "a", 0, false);
        add_record(&archive, cases[i].name, "b", 0, false);
        expect_open_refusal(&archive, false, cases[i].word);
    }
}

static void refuses_entries(void)
{
    static const struct {
        size_t offset; /* in the second entry */
        uint32_t value;
        const char *word;
    } cases[] = {
        {0, 0, "damaged or cut short"},
        {8, 1, "encrypted"},
        {8, 0x2000, "encrypted"},
        {8, 8 << 16, "is compressed"},
        {20, 4, "two different sizes"},
        {20, UINT32_MAX, "damaged entry"},
        {24, 1000, "two different sizes"},
        {42, 0, "overlaps"},
        {42, 5, "overlaps"},
        {42, 1 << 20, "beyond the end"},
        {42, UINT32_MAX, "damaged entry"},
        {28, 0xffff, "damaged or cut short"},
        {30, 0xfff0, "damaged or cut short"},
        {32, 0xfff0, "damaged or cut short"},
        {34, 1, "damaged entry"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct archive archive = {0};
        add_record(&archive, "r/a", "abc", 0, false);
        add_record(&archive, "r/b", "def", 0, false);
        llmfp_store_u32(archive.directory.bytes + archive.entry_offset[1] + cases[i].offset,
                        cases[i].value);
        expect_open_refusal(&archive, i % 2 == 0, cases[i].word);
    }
}

static void refuses_local_headers(void)
{
    static const struct {
        size_t offset; /* in the second local header */
        uint32_t value;
        const char *word;
    } cases[] = {
        {0, 0, "no local header"},       {6, 1, "contradicts"},  {8, 8, "contradicts"},
        {18, 4, "another size"},         {26, 4, "contradicts"}, {28, 0x722f00ff, "contradicts"},
        {30, 0x622f722f, "contradicts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scratch scratch;
        struct archive archive = {0};
        struct llmfp_zip zip;
        struct llmfp_open_file opened;
        struct llmfp_error error = {LLMFP_OK, ""};
        uint64_t offset;
        scratch_begin(&scratch);
        add_record(&archive, "r/a", "abc", 0, false);
        add_record(&archive, "r/b", "def", 0, false);
        unsigned char *header = archive.body.bytes + archive.header_offset[1];
        llmfp_store_u32(header + cases[i].offset, cases[i].value);
        llmfp_store_u32(header + 22, cases[i].offset == 18 ? 4 : 3);
        CU_ASSERT_EQUAL_FATAL(finish(&archive, &scratch, false, &opened, &zip, &error), LLMFP_OK);
        const enum llmfp_status status =
            llmfp_zip_place(&opened, llmfp_zip_find(&zip, "b", 1), &offset, &error);
        expect_error(status, &error, LLMFP_CHECKPOINT, "a.zip", "\"b\"", cases[i].word, NULL);
        llmfp_zip_clear(&zip);
        llmfp_file_close(&opened);
        scratch_end(&scratch);
    }
}

/* An extra field of the local header that pushes the data into the next record. */
static void refuses_data_that_overlaps(void)
{
    struct scratch scratch;
    struct archive archive = {0};
    struct llmfp_zip zip;
    struct llmfp_open_file opened;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    add_record(&archive, "r/a", "abc", 0, false);
    add_record(&archive, "r/b", "def", 0, false);
    for (size_t i = 0; i < 2; i++) {
        archive.body.bytes[archive.header_offset[i] + 28] = 1;
    }
    CU_ASSERT_EQUAL_FATAL(finish(&archive, &scratch, false, &opened, &zip, &error), LLMFP_OK);
    for (const char *name = "ab"; *name != '\0'; name++) {
        uint64_t offset;
        const enum llmfp_status status =
            llmfp_zip_place(&opened, llmfp_zip_find(&zip, name, 1), &offset, &error);
        expect_error(status, &error, LLMFP_CHECKPOINT, "overlaps the next one", NULL);
    }
    llmfp_zip_clear(&zip);
    llmfp_file_close(&opened);
    scratch_end(&scratch);
}

/* A cut at any place is seen, without a read past the end. */
static void refuses_every_cut(void)
{
    struct scratch scratch;
    struct archive archive = {0};
    struct llmfp_zip zip;
    struct llmfp_open_file opened;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    add_record(&archive, "r/a", "abc", 5, true);
    add_record(&archive, "r/b", "def", 0, true);
    CU_ASSERT_EQUAL_FATAL(finish(&archive, &scratch, true, &opened, &zip, &error), LLMFP_OK);
    unsigned char whole[1024];
    const size_t n = (size_t)opened.size_bytes;
    CU_ASSERT_EQUAL_FATAL(llmfp_file_read(&opened, 0, whole, n, &error), LLMFP_OK);
    llmfp_zip_clear(&zip);
    llmfp_file_close(&opened);
    for (size_t cut = 0; cut < n; cut++) {
        scratch_write(&scratch, "cut.zip", whole, cut);
        CU_ASSERT_EQUAL_FATAL(llmfp_file_open(scratch_path(&scratch, "cut.zip"), &opened, &error),
                              LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_zip_open(&opened, &zip, &error), LLMFP_CHECKPOINT);
        llmfp_file_close(&opened);
    }
    scratch_end(&scratch);
}

TEST_PROGRAM("zip", TEST(finds_records), TEST(refuses_names), TEST(refuses_entries),
             TEST(refuses_local_headers), TEST(refuses_data_that_overlaps), TEST(refuses_every_cut))
