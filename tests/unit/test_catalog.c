/* Catalogs: growing, duplicate names, the order after finish, packing.            */
#include "cunit_main.h"
#include "llmfp/catalog.h"
#include "scratch.h"

static void add_file(struct llmfp_catalog *catalog, const char *path)
{
    const struct llmfp_file file = {.path = path, .size_bytes = 100, .header_bytes = 10};
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_file(catalog, &file, NULL), LLMFP_OK);
}

static void add_tensor(struct llmfp_catalog *catalog, const char *name, uint32_t file,
                       uint64_t offset_bytes)
{
    const uint64_t shape[] = {3, 5};
    const struct llmfp_tensor tensor = {.name = name,
                                        .encoding = LLMFP_BF16,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 15,
                                        .data = {file, offset_bytes, 30}};
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_tensor(catalog, &tensor, NULL), LLMFP_OK);
}

static void copies_what_it_is_given(void)
{
    struct llmfp_catalog catalog = {0};
    char path[] = "a/b";
    char name[] = "weight";
    uint64_t shape[] = {2, 2};
    uint64_t side_shape[] = {7};
    struct llmfp_side side = {.kind = LLMFP_SIDE_SCALE,
                              .encoding = LLMFP_F32,
                              .extent = {0, 40, 28},
                              .n_dimensions = 1,
                              .shape = side_shape};
    const struct llmfp_tensor tensor = {.name = name,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 4,
                                        .n_sides = 1,
                                        .sides = &side};
    add_file(&catalog, path);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_tensor(&catalog, &tensor, NULL), LLMFP_OK);
    path[0] = name[0] = 'x';
    shape[0] = side_shape[0] = 99;
    side.extent.offset_bytes = 0;
    CU_ASSERT_STRING_EQUAL(catalog.files[0].path, "a/b");
    CU_ASSERT_STRING_EQUAL(catalog.tensors[0].name, "weight");
    CU_ASSERT_EQUAL(catalog.tensors[0].shape[0], 2);
    CU_ASSERT_EQUAL(catalog.tensors[0].sides[0].shape[0], 7);
    CU_ASSERT_EQUAL(catalog.tensors[0].sides[0].extent.offset_bytes, 40);
    llmfp_catalog_clear(&catalog);
    CU_ASSERT_EQUAL(catalog.n_files, 0);
    CU_ASSERT_EQUAL(catalog.n_tensors, 0);
    llmfp_catalog_clear(&catalog);
}

static void grows(void)
{
    struct llmfp_catalog catalog = {0};
    char text[32];
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof text, "file-%u", i);
        add_file(&catalog, text);
        (void)snprintf(text, sizeof text, "tensor-%u", i);
        add_tensor(&catalog, text, i, 10);
    }
    CU_ASSERT_EQUAL(catalog.n_files, 1000);
    CU_ASSERT_EQUAL(catalog.n_tensors, 1000);
    CU_ASSERT_STRING_EQUAL(catalog.files[999].path, "file-999");
    CU_ASSERT_STRING_EQUAL(catalog.files[0].path, "file-0");
    CU_ASSERT_STRING_EQUAL(catalog.tensors[999].name, "tensor-999");
    llmfp_catalog_clear(&catalog);
}

static void sorts_by_place(void)
{
    static const char *const expected[] = {"z", "b", "c", "y", "a"};
    struct llmfp_catalog catalog = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_catalog_finish(&catalog, &error), LLMFP_OK);
    add_file(&catalog, "first");
    add_file(&catalog, "second");
    add_tensor(&catalog, "a", 1, 60);
    add_tensor(&catalog, "y", 1, 30);
    add_tensor(&catalog, "c", 1, 30);
    add_tensor(&catalog, "z", 0, 90);
    add_tensor(&catalog, "b", 1, 30);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_finish(&catalog, &error), LLMFP_OK);
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_STRING_EQUAL(catalog.tensors[i].name, expected[i]);
    }
    llmfp_catalog_clear(&catalog);
}

static void finds_duplicates(void)
{
    struct llmfp_catalog catalog = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    add_file(&catalog, "one.safetensors");
    add_file(&catalog, "two.safetensors");
    add_tensor(&catalog, "q", 1, 10);
    add_tensor(&catalog, "k", 0, 10);
    add_tensor(&catalog, "q\x1b", 0, 40);
    add_tensor(&catalog, "q", 0, 70);
    enum llmfp_status status = llmfp_catalog_finish(&catalog, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "\"q\"", "both in one.safetensors",
                 "and in two.safetensors", NULL);
    llmfp_catalog_clear(&catalog);

    add_file(&catalog, "one.safetensors");
    add_tensor(&catalog, "v", 0, 10);
    add_tensor(&catalog, "v", 0, 40);
    status = llmfp_catalog_finish(&catalog, &error);
    expect_error(status, &error, LLMFP_CHECKPOINT, "\"v\"", "twice in one.safetensors", NULL);
    llmfp_catalog_clear(&catalog);
}

/* ---- packing ---- */

static void build(struct llmfp_catalog *catalog)
{
    static const uint64_t side_shape[] = {4, 2};
    static const struct llmfp_side sides[] = {
        {LLMFP_SIDE_SCALE, LLMFP_F16, {1, 11, 16}, 2, side_shape},
        {LLMFP_SIDE_CODEBOOK, LLMFP_F32, {0, UINT64_MAX, 4}, 0, NULL}};
    static const uint64_t shape[] = {UINT64_MAX, 0, 3};
    const struct llmfp_tensor quantised = {.name = "quantised",
                                           .encoding = LLMFP_BOOL,
                                           .n_dimensions = 3,
                                           .shape = shape,
                                           .data = {1, 1U << 31, 5},
                                           .n_sides = 2,
                                           .sides = sides};
    const struct llmfp_tensor scalar = {
        .name = "", .encoding = LLMFP_F64, .n_elements = 1, .data = {0, 8, 8}};
    add_tensor(catalog, "skipped", 0, 10);
    add_tensor(catalog, "plain", 0, 40);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_tensor(catalog, &quantised, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_add_tensor(catalog, &scalar, NULL), LLMFP_OK);
}

static void packs_and_unpacks(void)
{
    struct llmfp_catalog from = {0};
    struct llmfp_catalog to = {0};
    struct llmfp_buffer buffer = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    build(&from);
    add_tensor(&to, "there before", 3, 0);
    llmfp_catalog_pack_tensors(&from, 1, from.n_tensors, &buffer);
    CU_ASSERT_FALSE_FATAL(buffer.failed);
    struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL_FATAL(llmfp_catalog_unpack_tensors(&to, &cursor, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(cursor.offset_bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL_FATAL(to.n_tensors, 4);
    const struct llmfp_tensor *quantised = &to.tensors[2];
    CU_ASSERT_STRING_EQUAL(to.tensors[1].name, "plain");
    CU_ASSERT_EQUAL(to.tensors[1].encoding, LLMFP_BF16);
    CU_ASSERT_EQUAL(to.tensors[1].shape[1], 5);
    CU_ASSERT_EQUAL(to.tensors[1].n_elements, 15);
    CU_ASSERT_EQUAL(to.tensors[1].data.offset_bytes, 40);
    CU_ASSERT_STRING_EQUAL(quantised->name, "quantised");
    CU_ASSERT_EQUAL(quantised->n_dimensions, 3);
    CU_ASSERT_EQUAL(quantised->shape[0], UINT64_MAX);
    CU_ASSERT_EQUAL(quantised->shape[2], 3);
    CU_ASSERT_EQUAL(quantised->data.file, 1);
    CU_ASSERT_EQUAL_FATAL(quantised->n_sides, 2);
    CU_ASSERT_EQUAL(quantised->sides[0].kind, LLMFP_SIDE_SCALE);
    CU_ASSERT_EQUAL(quantised->sides[0].encoding, LLMFP_F16);
    CU_ASSERT_EQUAL(quantised->sides[0].shape[0], 4);
    CU_ASSERT_EQUAL(quantised->sides[1].extent.offset_bytes, UINT64_MAX);
    CU_ASSERT_EQUAL(quantised->sides[1].n_dimensions, 0);
    CU_ASSERT_STRING_EQUAL(to.tensors[3].name, "");
    CU_ASSERT_EQUAL(to.tensors[3].n_elements, 1);
    /* Packing what was unpacked gives the same bytes. */
    struct llmfp_buffer again = {0};
    llmfp_catalog_pack_tensors(&to, 1, to.n_tensors, &again);
    CU_ASSERT_EQUAL_FATAL(again.size_bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL(memcmp(again.bytes, buffer.bytes, buffer.size_bytes), 0);
    llmfp_buffer_clear(&again);
    llmfp_buffer_clear(&buffer);
    llmfp_catalog_clear(&from);
    llmfp_catalog_clear(&to);
}

static void packs_nothing(void)
{
    struct llmfp_catalog catalog = {0};
    struct llmfp_buffer buffer = {0};
    struct llmfp_error error = {LLMFP_OK, ""};
    llmfp_catalog_pack_tensors(&catalog, 7, catalog.n_tensors, &buffer);
    struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
    CU_ASSERT_EQUAL(llmfp_catalog_unpack_tensors(&catalog, &cursor, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(catalog.n_tensors, 0);
    llmfp_buffer_clear(&buffer);
}

/* Cut anywhere, and with any 32-bit word set to all ones: an error or a catalog, but
 * nothing read out of bounds and nothing allocated that the bytes could not hold. */
static void survives_damage(void)
{
    struct llmfp_catalog from = {0};
    struct llmfp_buffer buffer = {0};
    build(&from);
    llmfp_catalog_pack_tensors(&from, 0, from.n_tensors, &buffer);
    for (size_t n = 0; n < buffer.size_bytes; n++) {
        struct llmfp_catalog to = {0};
        struct llmfp_error error = {LLMFP_OK, ""};
        struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, n);
        const enum llmfp_status status = llmfp_catalog_unpack_tensors(&to, &cursor, &error);
        expect_error(status, &error, LLMFP_FATAL, "cut short or damaged", NULL);
        llmfp_catalog_clear(&to);
    }
    for (size_t n = 0; n + 4 <= buffer.size_bytes; n++) {
        struct llmfp_catalog to = {0};
        struct llmfp_error error = {LLMFP_OK, ""};
        unsigned char saved[4];
        memcpy(saved, buffer.bytes + n, 4);
        memset(buffer.bytes + n, 0xFF, 4);
        struct llmfp_cursor cursor = llmfp_cursor_over(buffer.bytes, buffer.size_bytes);
        const enum llmfp_status status = llmfp_catalog_unpack_tensors(&to, &cursor, &error);
        CU_ASSERT_TRUE(status == LLMFP_OK || status == LLMFP_FATAL);
        CU_ASSERT_TRUE(to.arena.used_bytes < 10000);
        llmfp_catalog_clear(&to);
        memcpy(buffer.bytes + n, saved, 4);
    }
    llmfp_buffer_clear(&buffer);
    llmfp_catalog_clear(&from);
}

TEST_PROGRAM("catalog", TEST(copies_what_it_is_given), TEST(grows), TEST(sorts_by_place),
             TEST(finds_duplicates), TEST(packs_and_unpacks), TEST(packs_nothing),
             TEST(survives_damage))
