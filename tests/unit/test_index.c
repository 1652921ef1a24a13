/* Index files: which shards they stand for, what is refused, and whether shards keep
 * what the index promises.                                                        */
#include "cunit_main.h"
#include "llmfp/checkpoint.h"
#include "safetensors_file.h"

static void two_shards(struct scratch *scratch)
{
    static const char first[] = "{\"a\":" ONE ",\"c\":{\"dtype\":\"U8\",\"shape\":[1],"
                                "\"data_offsets\":[8,9]}}";
    static const char second[] = "{\"b\":" ONE "}";
    scratch_safetensors(scratch, "s1.safetensors", first, sizeof first - 1, 9);
    scratch_safetensors(scratch, "s2.safetensors", second, sizeof second - 1, 8);
}

/* Locate, read all headers, finish, check. */
static enum llmfp_status read_all(struct scratch *scratch, const char *index,
                                  struct llmfp_checkpoint *checkpoint,
                                  struct llmfp_catalog *catalog, struct llmfp_error *error)
{
    *catalog = (struct llmfp_catalog){0};
    scratch_text(scratch, "model.safetensors.index.json", index);
    enum llmfp_status status = llmfp_checkpoint_locate(scratch->folder, checkpoint, error);
    for (uint32_t i = 0; status == LLMFP_OK && i < checkpoint->n_files; i++) {
        status = llmfp_catalog_add_file(catalog, &checkpoint->files[i], error);
        if (status == LLMFP_OK) {
            status = llmfp_checkpoint_header(checkpoint->format, catalog, i, error);
        }
    }
    if (status == LLMFP_OK) {
        status = llmfp_catalog_finish(catalog, error);
    }
    return status == LLMFP_OK ? llmfp_checkpoint_check(checkpoint, catalog, error) : status;
}

static void stands_for_its_shards(void)
{
    struct scratch scratch;
    struct llmfp_checkpoint checkpoint;
    struct llmfp_catalog catalog;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    two_shards(&scratch);
    /* Files that the index does not name play no part. */
    scratch_text(&scratch, "s3.safetensors", "not looked at");
    CU_ASSERT_EQUAL_FATAL(
        read_all(&scratch,
                 "{\"metadata\":{\"total_size\":17,\"x\":[null]},"
                 "\"weight_map\":{\"c\":\"s1.safetensors\",\"b\":\"s2.safet\\u0065nsors\","
                 "\"a\":\"s1.safetensors\"}}",
                 &checkpoint, &catalog, &error),
        LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(checkpoint.n_files, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(checkpoint.files[0].path, "/s1.safetensors"));
    CU_ASSERT_PTR_NOT_NULL(strstr(checkpoint.files[1].path, "/s2.safetensors"));
    CU_ASSERT_EQUAL_FATAL(checkpoint.n_index, 3);
    CU_ASSERT_STRING_EQUAL(checkpoint.index_names[0], "a");
    CU_ASSERT_STRING_EQUAL(checkpoint.index_names[1], "b");
    CU_ASSERT_STRING_EQUAL(checkpoint.index_names[2], "c");
    CU_ASSERT_EQUAL(checkpoint.index_file[0], 0);
    CU_ASSERT_EQUAL(checkpoint.index_file[1], 1);
    CU_ASSERT_EQUAL(checkpoint.index_file[2], 0);
    CU_ASSERT_EQUAL(catalog.n_tensors, 3);
    llmfp_catalog_clear(&catalog);
    llmfp_checkpoint_clear(&checkpoint);
    scratch_end(&scratch);
}

/* A path to any *.index.json; no metadata; shards may hold more than is promised. */
static void may_be_named_itself(void)
{
    struct scratch scratch;
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    two_shards(&scratch);
    scratch_text(&scratch, "config.json", "{}");
    scratch_text(&scratch, "other.index.json", " {\"weight_map\" : {\"b\":\"s2.safetensors\"}} \n");
    const char *path = scratch_path(&scratch, "other.index.json");
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(path, &checkpoint, &error), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(checkpoint.n_files, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(checkpoint.files[0].path, "/s2.safetensors"));
    CU_ASSERT_STRING_EQUAL(checkpoint.configuration, "{}");
    llmfp_checkpoint_clear(&checkpoint);
    struct llmfp_catalog catalog;
    CU_ASSERT_EQUAL(read_all(&scratch, "{\"weight_map\":{\"a\":\"s1.safetensors\"}}", &checkpoint,
                             &catalog, &error),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(catalog.n_tensors, 2);
    llmfp_catalog_clear(&catalog);
    llmfp_checkpoint_clear(&checkpoint);
    scratch_end(&scratch);
}

struct refused {
    const char *index;
    const char *words[2];
};

#define MAP(text) "{\"metadata\":{},\"weight_map\":{" text "}}"

static void refuses_bad_indexes(void)
{
    static const struct refused cases[] = {
        {"", {"not a valid index", "ends where"}},
        {"{", {"not a valid index", "key"}},
        {"[]", {"not a valid index", "not an object"}},
        {"null", {"not a valid index", "not an object"}},
        {"{} {}", {"not a valid index", "more text"}},
        {"\xef\xbb\xbf{}", {"not a valid index", "at byte 0"}},
        {MAP("") "x", {"not a valid index", "more text"}},
        {"{\"metadata\":{\"total_size\":017},\"weight_map\":{}}", {"not a valid", "leading zero"}},
        {"{}", {"names no tensors", "no \"weight_map\""}},
        {"{\"metadata\":{}}", {"names no tensors", "no \"weight_map\""}},
        {MAP(""), {"names no tensors", "is empty"}},
        {"{\"weight_map\":null}", {"not a valid index", "weight_map that is not an object"}},
        {"{\"weight_map\":[\"s1.safetensors\"]}", {"not a valid index", "weight_map that is not"}},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\"},\"weight_map\":{\"a\":\"s1.safetensors\"}}",
         {"\"weight_map\" twice", "index.json"}},
        {MAP("\"a\":1"), {"no file name", "tensor \"a\""}},
        {MAP("\"a\":null"), {"no file name", "tensor \"a\""}},
        {MAP("\"a\":[\"s1.safetensors\"]"), {"no file name", "tensor \"a\""}},
        {MAP("\"a\":\"s1.safetensors\","), {"not a valid index", "key"}},
        {MAP("\"a\":\"\""), {"tensor \"a\" into \"\"", "not a plain file name"}},
        {MAP("\"a\":\".\""), {"tensor \"a\" into \".\"", "not a plain file name"}},
        {MAP("\"a\":\"..\""), {"tensor \"a\" into \"..\"", "not a plain file name"}},
        {MAP("\"a\":\"../s1.safetensors\""), {"../s1.safetensors", "not a plain file name"}},
        {MAP("\"a\":\"/etc/passwd\""), {"/etc/passwd", "not a plain file name"}},
        {MAP("\"a\":\"sub/s1.safetensors\""), {"sub/s1.safetensors", "not a plain file name"}},
        {MAP("\"a\":\"..\\\\s1.safetensors\""), {"..\\s1", "not a plain file name"}},
        {MAP("\"a\":\"s1.safetensors\\u0000\""), {"\\x00", "not a plain file name"}},
        {MAP("\"a\":\"\\u002e\\u002e\\u002fx\""), {"\"../x\"", "not a plain file name"}},
        {MAP("\"a\\u0000\":\"s1.safetensors\""), {"\"a\\x00\"", "NUL"}},
        {MAP("\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\",\"a\":\"s1.safetensors\""),
         {"names tensor \"a\" twice", "index.json"}},
        {MAP("\"a\":\"s1.safetensors\",\"\\u0061\":\"s2.safetensors\""),
         {"names tensor \"a\" twice", "s2.safetensors"}},
        {MAP("\"a\":\"s1.safetensors\",\"b\":\"s9.safetensors\""),
         {"there is no file", "/s9.safetensors"}},
        {MAP("\"a\":\"s1.safetensors\",\"b\":\"s9.safetensors\""),
         {"a shard that", "index.json names"}},
        {MAP("\"a\":\"model.safetensors.index.json\""), {"a shard that", "not a safetensors file"}},
        {MAP("\"a\":\"folder\""), {"a shard that", "is a directory"}},
        {MAP("\"a\":\"torch.bin\""), {"a shard that", "Git LFS pointer"}},
        {MAP("\"d\":\"s1.safetensors\""), {"tensor \"d\"", "not there"}},
        {MAP("\"a\":\"s1.safetensors\",\"aa\":\"s2.safetensors\",\"b\":\"s2.safetensors\""),
         {"tensor \"aa\" should be in", "not there"}},
        {MAP("\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\",\"c\":\"s2.safetensors\""),
         {"tensor \"b\" should be in", "but it is in"}},
    };
    struct scratch scratch;
    scratch_begin(&scratch);
    two_shards(&scratch);
    scratch_folder(&scratch, "folder");
    scratch_text(&scratch, "torch.bin", "version https://git-lfs.github.com/spec/v1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmfp_checkpoint checkpoint;
        struct llmfp_catalog catalog;
        struct llmfp_error error = {LLMFP_OK, ""};
        const enum llmfp_status status =
            read_all(&scratch, cases[i].index, &checkpoint, &catalog, &error);
        if (status == LLMFP_OK) {
            printf("\n  accepted: %s\n", cases[i].index);
        }
        expect_error(status, &error, LLMFP_CHECKPOINT, scratch.folder, cases[i].words[0],
                     cases[i].words[1], NULL);
        llmfp_catalog_clear(&catalog);
        llmfp_checkpoint_clear(&checkpoint);
    }
    scratch_end(&scratch);
}

static void refuses_a_huge_index(void)
{
    struct scratch scratch;
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    scratch_begin(&scratch);
    scratch_text(&scratch, "model.safetensors.index.json", "{");
    CU_ASSERT_EQUAL(truncate(scratch.path, (off_t)1 << 40), 0);
    const enum llmfp_status status = llmfp_checkpoint_locate(scratch.folder, &checkpoint, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "index.json has 1099511627776 bytes", NULL);
    scratch_end(&scratch);
}

/* 163 shards, 91,000 tensors, keys in layer order, as the largest open models have. */
static void reads_a_large_index(void)
{
    enum { SHARDS = 163, TENSORS = 91000 };
    struct scratch scratch;
    struct llmfp_checkpoint checkpoint;
    struct llmfp_error error = {LLMFP_OK, ""};
    char name[64];
    scratch_begin(&scratch);
    for (int i = 1; i <= SHARDS; i++) {
        (void)snprintf(name, sizeof name, "model-%05d-of-%06d.safetensors", i, SHARDS);
        scratch_safetensors(&scratch, name, "{}", 2, 0);
    }
    FILE *index = fopen(scratch_path(&scratch, "model.safetensors.index.json"), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(index);
    (void)fprintf(index, "{\"weight_map\":{");
    for (int i = 0; i < TENSORS; i++) {
        (void)fprintf(index, "%s\"model.layers.%d.w%d\":\"model-%05d-of-%06d.safetensors\"",
                      i == 0 ? "" : ",", i / 1500, i, i * 7 % SHARDS + 1, SHARDS);
    }
    (void)fprintf(index, "}}");
    CU_ASSERT_EQUAL_FATAL(fclose(index), 0);
    CU_ASSERT_EQUAL_FATAL(llmfp_checkpoint_locate(scratch.folder, &checkpoint, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(checkpoint.n_files, SHARDS);
    CU_ASSERT_EQUAL(checkpoint.n_index, TENSORS);
    size_t wrong = 0;
    for (size_t i = 0; i < checkpoint.n_index; i++) {
        const char *digits = strrchr(checkpoint.index_names[i], 'w') + 1;
        const int tensor = (int)strtol(digits, NULL, 10);
        wrong += checkpoint.index_file[i] != (uint32_t)(tensor * 7 % SHARDS);
        wrong += i > 0 && strcmp(checkpoint.index_names[i - 1], checkpoint.index_names[i]) >= 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    llmfp_checkpoint_clear(&checkpoint);
    scratch_end(&scratch);
}

TEST_PROGRAM("index", TEST(stands_for_its_shards), TEST(may_be_named_itself),
             TEST(refuses_bad_indexes), TEST(refuses_a_huge_index), TEST(reads_a_large_index))
