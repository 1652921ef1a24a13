/* Every refusal of safetensors headers: those of the reference implementation, and
 * names that occur twice or hold a NUL.                                           */
#include "cunit_main.h"
#include "safetensors_file.h"

/* ---- refusals of the first bytes ---- */

static void refuse_bytes(struct scratch *scratch, const void *bytes, size_t n_bytes,
                         const char *word, const char *other_word)
{
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_write(scratch, "x.safetensors", bytes, n_bytes);
    const enum llmfp_status status = read_file(scratch, "x.safetensors", &catalog, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "x.safetensors", word, other_word, NULL);
    CU_ASSERT_EQUAL(catalog.n_tensors, 0);
    llmfp_catalog_clear(&catalog);
}

static void refuses_bad_starts(void)
{
    static const char not_one[] = "is not a safetensors file";
    struct scratch scratch;
    scratch_begin(&scratch);
    refuse_bytes(&scratch, "", 0, not_one, "only 0 bytes");
    refuse_bytes(&scratch, "\2\0\0\0\0\0\0", 7, not_one, "only 7 bytes");
    refuse_bytes(&scratch, "\0\0\0\0\0\0\0\0", 8, not_one, "there is nothing");
    refuse_bytes(&scratch, "\2\0\0\0\0\0\0\0", 8, "cut short", "only 0 follow");
    refuse_bytes(&scratch, "\3\0\0\0\0\0\0\0{}", 10, "cut short", "should have 3 bytes");
    refuse_bytes(&scratch, "\1\xe1\xf5\5\0\0\0\0{}", 10, "100000001", "at most 100000000");
    refuse_bytes(&scratch, "\0\xe1\xf5\5\0\0\0\0{}", 10, "100000000", "only 2 follow");
    refuse_bytes(&scratch, "\0\0\0\0\0\0\0\x80{}", 10, "9223372036854775808", not_one);
    refuse_bytes(&scratch, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615",
                 not_one);
    refuse_bytes(&scratch, "\xf8\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551608",
                 not_one);
    refuse_bytes(&scratch, "\0\0\0\0\0\0\0\2{}", 10, "144115188075855872", not_one);
    refuse_bytes(&scratch, "\2\0\0\0\0\0\0\0[]", 10, "should begin with {", "0x5b");
    refuse_bytes(&scratch, "\5\0\0\0\0\0\0\0\xef\xbb\xbf{}", 13, "should begin with {", "0xef");
    refuse_bytes(&scratch, "\3\0\0\0\0\0\0\0\0{}", 11, "should begin with {", "0x00");
    refuse_bytes(&scratch, "hello, world, this is text", 26, not_one,
                 "begins with the text \"hello, w\"");
    scratch_end(&scratch);
}

static void names_other_formats(void)
{
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\n";
    struct scratch scratch;
    scratch_begin(&scratch);
    char tar[512] = "sys_info";
    refuse_bytes(&scratch, tar, sizeof tar, "tar archive", "newer PyTorch");
    refuse_bytes(&scratch, "\x89HDF\r\n\x1a\n\0\0\0\0", 12, "HDF5", "not supported");
    refuse_bytes(&scratch, lfs, sizeof lfs - 1, "Git LFS pointer", "git lfs pull");
    /* 640 is a header length that begins like a pickle: content decides. */
    char header[640];
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    memset(header, ' ', sizeof header);
    header[0] = '{';
    header[1] = '}';
    CU_ASSERT_EQUAL(read_header(&scratch, header, sizeof header, 0, &catalog, &error), LLMFP_OK);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

/* ---- refusals of the header ---- */

struct refused {
    const char *header;
    uint64_t data_bytes;
    const char *words[2];
};

#define BAD_SHAPE(shape) "{\"t\":{\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":[0,8]}}"
#define BAD_OFFSETS(offsets)                                                                       \
    "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" offsets "}}"

static void refuse_headers(const struct refused *cases, size_t n)
{
    struct scratch scratch;
    scratch_begin(&scratch);
    for (size_t i = 0; i < n; i++) {
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        const enum llmfp_status status =
            read_header(&scratch, cases[i].header, strlen(cases[i].header), cases[i].data_bytes,
                        &catalog, &error);
        if (status == LLMFP_OK) {
            printf("\n  accepted: %s\n", cases[i].header);
        }
        expect_error(status, &error, LLMFP_CHECKPOINT, "x.safetensors", cases[i].words[0],
                     cases[i].words[1], NULL);
        llmfp_catalog_clear(&catalog);
    }
    scratch_end(&scratch);
}

static void refuses_what_is_not_json(void)
{
    static const struct refused cases[] = {
        {"{\"t\":" ONE ",}", 8, {"at byte 62 of the file", "key"}},
        {"{/**/\"t\":" ONE "}", 8, {"at byte 9", "key"}},
        {"{'t':" ONE "}", 8, {"key", "at byte 9"}},
        {"{\"t\":" ONE "}{}", 8, {"more text", "`{}`"}},
        {"{\"t\":" ONE "} x", 8, {"more text", "`x`"}},
        {"{\"t\":" ONE, 8, {"ends inside", "`"}},
        {"{\"t\n\":" ONE "}", 8, {"control character", "\\x0a"}},
        {"{\"t\\q\":" ONE "}", 8, {"escape", "\\q"}},
        {"{\"\\ud800\":" ONE "}", 8, {"surrogate", "\\ud800"}},
        {"{\"\xff\":" ONE "}", 8, {"UTF-8", "\\xff"}},
        {"{\"\xc0\xaf\":" ONE "}", 8, {"UTF-8", "\\xc0"}},
        {"{\"\xed\xa0\x80\":" ONE "}", 8, {"UTF-8", "\\xed"}},
        {"{\"\xe2\x82\":" ONE "}", 8, {"UTF-8", "\\xe2"}},
        {"{\"t\":{\"x\":\"\xff\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "UTF-8"}},
        {"{\"t\":{\"x\":NaN,\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "NaN"}},
        {" []", 0, {"not an object", "`[]`"}},
        {" 1", 0, {"not an object", "`1`"}},
        {"{\"t\":7}", 0, {"\"t\"", "neither an object nor an array"}},
        {"{\"t\":null}", 0, {"\"t\"", "neither an object nor an array"}},
        {"{\"t\":\"x\"}", 0, {"\"t\"", "neither an object nor an array"}},
    };
    refuse_headers(cases, sizeof cases / sizeof cases[0]);
}

static void refuses_what_is_no_entry(void)
{
    static const struct refused cases[] = {
        {"{\"t\":{}}", 0, {"\"t\"", "has no \"dtype\""}},
        {"{\"t\":[]}", 0, {"\"t\"", "has no \"dtype\""}},
        {"{\"t\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, {"\"t\"", "has no \"dtype\""}},
        {"{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, {"\"t\"", "has no \"shape\""}},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, {"\"t\"", "has no \"data_offsets\""}},
        {"{\"t\":[\"F32\",[2]]}", 8, {"\"t\"", "has no \"data_offsets\""}},
        {"{\"t\":[\"F32\",[2],[0,8],1]}", 8, {"\"t\"", "more than 3"}},
        {"{\"t\":[[2],\"F32\",[0,8]]}", 8, {"\"t\"", "bad dtype"}},
        {"{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "\"dtype\" twice"}},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"sh\\u0061pe\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "\"shape\" twice"}},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "\"data_offsets\" twice"}},
        {"{\"t\":{\"dtype\":\"bf16\",\"shape\":[2],\"data_offsets\":[0,4]}}",
         4,
         {"\"t\"", "unknown dtype \"bf16\""}},
        {"{\"t\":{\"dtype\":\"Q4_0\",\"shape\":[2],\"data_offsets\":[0,4]}}",
         4,
         {"\"t\"", "unknown dtype \"Q4_0\""}},
        {"{\"t\":{\"dtype\":\"\",\"shape\":[2],\"data_offsets\":[0,4]}}",
         4,
         {"\"t\"", "unknown dtype \"\""}},
        {"{\"t\":{\"dtype\":\"F32\\u0000\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "unknown dtype \"F32\\x00\""}},
        {"{\"t\":{\"dtype\":null,\"shape\":[2],\"data_offsets\":[0,8]}}",
         8,
         {"\"t\"", "not a string, at `null"}},
        {"{\"__metadata__\":{\"a\":1},\"t\":" ONE "}", 8, {"__metadata__", "not a string"}},
        {"{\"__metadata__\":{\"a\":null}}", 0, {"__metadata__", "not a string"}},
        {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, {"__metadata__", "UTF-8"}},
        {"{\"__metadata__\":[]}", 0, {"__metadata__", "not an object of strings"}},
        {"{\"__metadata__\":\"x\"}", 0, {"__metadata__", "not an object of strings"}},
        {"{\"__metadata__\":nil}", 0, {"__metadata__", "null"}},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, {"__metadata__", "twice"}},
        {"{\"__metadata__\":null,\"__metad\\u0061ta__\":null}", 0, {"__metadata__", "twice"}},
    };
    refuse_headers(cases, sizeof cases / sizeof cases[0]);
}

static void refuses_bad_numbers(void)
{
    static const struct refused cases[] = {
        {BAD_SHAPE("[-8]"), 8, {"\"t\"", "bad shape"}},
        {BAD_SHAPE("[8.0]"), 8, {"bad shape", "`8.0]"}},
        {BAD_SHAPE("[16.0]"), 8, {"bad shape", "`16.0]"}},
        {BAD_SHAPE("[1.6e1]"), 8, {"bad shape", "`1.6e1]"}},
        {BAD_SHAPE("[8e0]"), 8, {"bad shape", "`8e0]"}},
        {BAD_SHAPE("[-0]"), 8, {"bad shape", "`-0]"}},
        {BAD_SHAPE("[08]"), 8, {"bad shape", "leading zero"}},
        {BAD_SHAPE("[+8]"), 8, {"bad shape", "`+8]"}},
        {BAD_SHAPE("[0x8]"), 8, {"bad shape", "`x8]"}},
        {BAD_SHAPE("[true]"), 8, {"bad shape", "`true]"}},
        {BAD_SHAPE("[\"8\"]"), 8, {"bad shape", "`\"8\"]"}},
        {BAD_SHAPE("[null]"), 8, {"bad shape", "`null]"}},
        {BAD_SHAPE("[[8]]"), 8, {"bad shape", "`[8]]"}},
        {BAD_SHAPE("[8,]"), 8, {"bad shape", "`],"}},
        {BAD_SHAPE("8"), 8, {"bad shape", "not an array"}},
        {BAD_SHAPE("null"), 8, {"bad shape", "not an array"}},
        {BAD_SHAPE("{}"), 8, {"bad shape", "not an array"}},
        {BAD_SHAPE("[18446744073709551616]"), 8, {"bad shape", "2^64"}},
        {BAD_OFFSETS("[0]"), 8, {"bad data_offsets", "two integers"}},
        {BAD_OFFSETS("[]"), 8, {"bad data_offsets", "two integers"}},
        {BAD_OFFSETS("[0,8,8]"), 8, {"bad data_offsets", "two integers"}},
        {BAD_OFFSETS("8"), 8, {"bad data_offsets", "two integers"}},
        {BAD_OFFSETS("null"), 8, {"bad data_offsets", "two integers"}},
        {BAD_OFFSETS("[-0,8]"), 8, {"bad data_offsets", "`-0,8]"}},
        {BAD_OFFSETS("[0,8.0]"), 8, {"bad data_offsets", "`8.0]"}},
        {BAD_OFFSETS("[0,18446744073709551616]"), 8, {"bad data_offsets", "2^64"}},
        {BAD_OFFSETS("[0,true]"), 8, {"bad data_offsets", "`true]"}},
        {BAD_OFFSETS("[\"0\",8]"), 8, {"bad data_offsets", "`\"0\",8]"}},
    };
    refuse_headers(cases, sizeof cases / sizeof cases[0]);
}

#define SIZED(dtype, shape, end)                                                                   \
    "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[0," end "]}}"

static void refuses_bad_sizes(void)
{
    static const struct refused cases[] = {
        {SIZED("F32", "[3]", "8"), 8, {"\"t\"", "takes 12 bytes"}},
        {SIZED("F32", "[1]", "8"), 8, {"takes 4 bytes", "hold 8"}},
        {SIZED("F32", "[]", "8"), 8, {"takes 4 bytes", "hold 8"}},
        {SIZED("F32", "[0]", "8"), 8, {"takes 0 bytes", "hold 8"}},
        {SIZED("U8", "[9223372036854775808,9223372036854775808,0]", "0"),
         0,
         {"overflows", "dimension 1"}},
        {SIZED("U8", "[18446744073709551615,2]", "0"), 0, {"overflows", "dimension 1"}},
        {SIZED("F64", "[18446744073709551615]", "8"), 8, {"overflows", "F64"}},
        {SIZED("U8", "[2305843009213693952]", "0"), 0, {"overflows", "U8"}},
        {SIZED("F64", "[288230376151711744]", "0"), 0, {"overflows", "F64"}},
        {SIZED("F4", "[3]", "2"), 2, {"\"t\"", "whole number"}},
        {SIZED("F4", "[1]", "0"), 0, {"1 elements of F4", "whole number"}},
        {SIZED("F6_E2M3", "[2]", "2"), 2, {"2 elements of F6_E2M3", "whole number"}},
        {SIZED("F6_E3M2", "[5]", "4"), 4, {"5 elements of F6_E3M2", "whole number"}},
        {BAD_OFFSETS("[8,0]"), 8, {"end (0)", "begin (8)"}},
        {BAD_OFFSETS("[18446744073709551615,7]"), 8, {"end (7)", "18446744073709551615"}},
        {BAD_OFFSETS("[4,12]"), 12, {"\"t\"", "begins at byte 4"}},
        {BAD_OFFSETS("[18446744073709551607,18446744073709551615]"), 8, {"\"t\"", "begins at"}},
        {BAD_OFFSETS("[0,8]"), 7, {"7 bytes of data", "cut short"}},
        {BAD_OFFSETS("[0,8]"), 0, {"0 bytes of data", "cut short"}},
        {BAD_OFFSETS("[0,8]"), 9, {"9 bytes of data", "longer"}},
        {"{}", 1, {"1 bytes of data", "longer"}},
        {"{\"a\":" ONE ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9,11]}}",
         11,
         {"\"b\"", "belong to none"}},
        {"{\"a\":" ONE ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[7,9]}}",
         9,
         {"\"b\"", "overlap"}},
        {"{\"a\":" ONE ",\"b\":" ONE "}", 8, {"\"b\"", "overlap"}},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
         4,
         {"\"b\"", "overlap"}},
        /* An empty tensor inside another one. */
        {"{\"a\":" ONE ",\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}",
         8,
         {"\"e\"", "overlap"}},
    };
    refuse_headers(cases, sizeof cases / sizeof cases[0]);
}

static void refuses_bad_names(void)
{
    static const struct refused cases[] = {
        {"{\"t\":" ONE ",\"t\":" ONE "}", 8, {"\"t\"", "twice"}},
        {"{\"t\":" ONE ",\"\\u0074\":" ONE "}", 8, {"\"t\"", "twice"}},
        {"{\"t\":" ONE ",\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}",
         9,
         {"\"t\"", "occurs twice in"}},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"t\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
         0,
         {"\"t\"", "twice"}},
        {"{\"a\\u0000b\":" ONE "}", 8, {"\"a\\x00b\"", "NUL"}},
        {"{\"\\u0000\":" ONE "}", 8, {"\"\\x00\"", "NUL"}},
        {"{\"\\u001b[2J\":{}}", 0, {"\"\\x1b[2J\"", "has no \"dtype\""}},
    };
    refuse_headers(cases, sizeof cases / sizeof cases[0]);
}

/* 128 levels are one too many: the header's object, the entry, and 125 or 126 more. */
static void bounds_the_nesting(void)
{
    static const char begin[] =
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":";
    struct scratch scratch;
    scratch_begin(&scratch);
    for (size_t levels = 125; levels <= 126; levels++) {
        char header[500];
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        size_t used = sizeof begin - 1;
        memcpy(header, begin, used);
        memset(header + used, '[', levels);
        memset(header + used + levels, ']', levels);
        used += 2 * levels;
        header[used++] = '}';
        header[used++] = '}';
        const enum llmfp_status status = read_header(&scratch, header, used, 8, &catalog, &error);
        if (levels == 125) {
            CU_ASSERT_EQUAL(status, LLMFP_OK);
        } else {
            expect_error(status, &error, LLMFP_CHECKPOINT, "\"t\"", "nested", NULL);
        }
        llmfp_catalog_clear(&catalog);
    }
    scratch_end(&scratch);
}

/* More than 2^23 dimensions in one header: a small file must not ask for gigabytes. */
static void bounds_the_dimensions(void)
{
    enum { ONES = (1 << 23) + 1 };
    struct scratch scratch;
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    char *header = malloc(2 * (size_t)ONES + 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    scratch_begin(&scratch);
    size_t used = (size_t)snprintf(header, 50, "{\"t\":[\"U8\",[");
    for (size_t i = 0; i < ONES; i++) {
        header[used++] = '1';
        header[used++] = i + 1 < ONES ? ',' : ']';
    }
    used += (size_t)snprintf(header + used, 50, ",[0,1]]}");
    const enum llmfp_status status = read_header(&scratch, header, used, 1, &catalog, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "\"t\"", "8388608", NULL);
    llmfp_catalog_clear(&catalog);
    free(header);
    scratch_end(&scratch);
}

/* A file that changes between the two looks at it is refused, not misread. */
static void refuses_a_changed_file(void)
{
    static const char header[] = "{\"t\":" ONE "}";
    struct scratch scratch;
    struct llmfp_catalog catalog = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    const struct llmfp_format *format = NULL;
    scratch_begin(&scratch);
    scratch_safetensors(&scratch, "x.safetensors", header, sizeof header - 1, 8);
    struct llmfp_file file = {.path = scratch_path(&scratch, "x.safetensors")};
    CU_ASSERT_EQUAL_FATAL(llmfp_format_probe(&file, &format, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_file(&catalog, &file, &error), LLMFP_OK);
    scratch_safetensors(&scratch, "x.safetensors", header, sizeof header - 1, 9);
    enum llmfp_status status = llmfp_checkpoint_header(format, &catalog, 0, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "x.safetensors", "changed", NULL);
    scratch_safetensors(&scratch, "x.safetensors", header, sizeof header - 2, 9);
    status = llmfp_checkpoint_header(format, &catalog, 0, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "x.safetensors", "header length is now", NULL);
    CU_ASSERT_EQUAL(unlink(scratch_path(&scratch, "x.safetensors")), 0);
    status = llmfp_checkpoint_header(format, &catalog, 0, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "there is no file", "x.safetensors", NULL);
    CU_ASSERT_EQUAL(catalog.n_tensors, 0);
    CU_ASSERT_EQUAL(catalog.files[0].digest, 0);
    llmfp_catalog_clear(&catalog);
    scratch_end(&scratch);
}

TEST_PROGRAM("safetensors_refusals", TEST(refuses_bad_starts), TEST(names_other_formats),
             TEST(refuses_what_is_not_json), TEST(refuses_what_is_no_entry),
             TEST(refuses_bad_numbers), TEST(refuses_bad_sizes), TEST(refuses_bad_names),
             TEST(bounds_the_nesting), TEST(bounds_the_dimensions), TEST(refuses_a_changed_file))
