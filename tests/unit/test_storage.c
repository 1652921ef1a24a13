/* test_storage.c - tensors that are stored by columns, in blocks of their own, or with gaps:
 * every element is mapped to its role and found at its place. */
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/plan.h"

static const char config[] = "{\"model_type\":\"phi3\",\"hidden_size\":16,"
                             "\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                             "\"num_hidden_layers\":2,\"intermediate_size\":24}";
static const char qkv[] = "model.layers.1.self_attn.qkv_proj.weight"; /* 32 x 16: q 16, k 8, v 8 */

static struct llmfp_configuration configuration;

static void read_configuration(void)
{
    CU_ASSERT_EQUAL(llmfp_configuration_read(config, strlen(config), &configuration, NULL),
                    LLMFP_OK);
}

/* Which part of the mapping a stored element belongs to. */
static uint32_t part_of(const struct llmfp_mapping *mapping, uint64_t element)
{
    uint64_t period = 0;
    for (uint32_t i = 0; i < mapping->n_parts; i++) {
        period += mapping->parts[i].run_elements;
    }
    uint64_t position = element % period;
    uint32_t part = 0;
    while (position >= mapping->parts[part].run_elements) {
        position -= mapping->parts[part++].run_elements;
    }
    return part;
}

/* Stored [columns / interleave][rows][interleave]: the part follows from the row. */
static void parts_of_stored_columns(void)
{
    static const uint64_t shape[] = {32, 16};
    static const uint32_t interleaves[] = {0, 1, 2, 8, 16};
    read_configuration();
    for (size_t k = 0; k < sizeof interleaves / sizeof interleaves[0]; k++) {
        const uint64_t wide = interleaves[k] == 0 ? 1 : interleaves[k];
        const struct llmfp_storage storage = {.order = LLMFP_ORDER_COLUMNS,
                                              .interleave = interleaves[k]};
        const struct llmfp_tensor tensor = {.name = qkv,
                                            .encoding = LLMFP_BF16,
                                            .n_dimensions = 2,
                                            .shape = shape,
                                            .n_elements = 512,
                                            .storage = &storage,
                                            .data = {0, 0, 1024}};
        struct llmfp_arena arena = {0};
        struct llmfp_mapping mapping;
        CU_ASSERT_EQUAL(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, NULL), LLMFP_OK);
        CU_ASSERT_EQUAL_FATAL(mapping.n_parts, 3);
        CU_ASSERT_EQUAL(mapping.repeat, 16 / wide);
        for (uint64_t element = 0; element < 512; element++) {
            const uint64_t row = element / wide % 32;
            CU_ASSERT_EQUAL(part_of(&mapping, element), row < 16 ? 0U : row < 24 ? 1U : 2U);
        }
        llmfp_arena_clear(&arena);
    }
}

/* The biases of all experts [experts, outputs], stored [outputs][experts]. */
static void parts_of_stored_bias_columns(void)
{
    static const char gpt_oss[] = "{\"model_type\":\"gpt_oss\",\"hidden_size\":12,"
                                  "\"intermediate_size\":10,\"num_local_experts\":3}";
    static const uint64_t shape[] = {3, 20};
    static const struct llmfp_storage storage = {.order = LLMFP_ORDER_COLUMNS};
    const struct llmfp_tensor tensor = {.name = "model.layers.0.mlp.experts.gate_up_proj_bias",
                                        .encoding = LLMFP_BF16,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 60,
                                        .storage = &storage,
                                        .data = {0, 0, 120}};
    struct llmfp_arena arena = {0};
    struct llmfp_mapping mapping;
    CU_ASSERT_EQUAL(llmfp_configuration_read(gpt_oss, strlen(gpt_oss), &configuration, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(mapping.n_parts, 2);
    for (uint64_t element = 0; element < 60; element++) { /* even outputs are gate, odd ones up */
        CU_ASSERT_EQUAL(part_of(&mapping, element), element / 3 % 2);
    }
    llmfp_arena_clear(&arena);
}

/* A part that ends inside a block, and an order that is not known, are not split. */
static void what_cannot_be_split(void)
{
    static const uint64_t shape[] = {32, 16};
    struct llmfp_storage storage = {.block = {96, 50}};
    const struct llmfp_tensor tensor = {.name = qkv,
                                        .encoding = LLMFP_BF16,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 512,
                                        .storage = &storage,
                                        .data = {0, 0, 300}};
    struct llmfp_arena arena = {0};
    struct llmfp_mapping mapping;
    read_configuration();
    CU_ASSERT_EQUAL(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(mapping.n_parts, 1);
    CU_ASSERT_STRING_EQUAL(mapping.parts[0].role, "attn.qkv");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping.note);
    CU_ASSERT_PTR_NOT_NULL(strstr(mapping.note, "inside one of its blocks of 96"));
    storage.block = (struct llmfp_block){0, 0};
    storage.order = LLMFP_ORDER_OTHER;
    CU_ASSERT_EQUAL(llmfp_roles_map(&configuration, &tensor, &arena, &mapping, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(mapping.n_parts, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mapping.note);
    CU_ASSERT_PTR_NOT_NULL(strstr(mapping.note, "neither by rows nor by columns"));
    llmfp_arena_clear(&arena);
}

/* Walk all pieces of a plan of one tensor; mark[e] counts how often element e came, and its
 * place must be offset_of(e). */
static void walk(const struct llmfp_tensor *tensor, uint64_t chunk_bytes,
                 uint64_t (*offset_of)(uint64_t element))
{
    struct llmfp_catalog catalog = {0};
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    const struct llmfp_file file = {.path = "x", .size_bytes = 1 << 20};
    unsigned char *seen = calloc(tensor->n_elements, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    read_configuration();
    CU_ASSERT_EQUAL(llmfp_catalog_add_file(&catalog, &file, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_catalog_add_tensor(&catalog, tensor, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_add(&plan, 0, &configuration, &catalog, NULL, &tally, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(tally.wanted_bytes, plan.stream_bytes);
    for (uint64_t c = 0; c < llmfp_plan_n_chunks(&plan, chunk_bytes); c++) {
        struct llmfp_plan_cursor cursor = {0};
        struct llmfp_plan_piece piece;
        while (llmfp_plan_next_piece(&plan, chunk_bytes, c, &cursor, &piece)) {
            CU_ASSERT_EQUAL(piece.offset_bytes, offset_of(piece.first_element));
            CU_ASSERT_EQUAL(piece.size_bytes, llmfp_tensor_bytes(tensor, piece.n_elements));
            for (uint64_t i = 0; i < piece.n_elements; i++) {
                seen[piece.first_element + i]++;
            }
        }
    }
    for (uint64_t i = 0; i < tensor->n_elements; i++) {
        CU_ASSERT_EQUAL_FATAL(seen[i], 1);
    }
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
    free(seen);
}

static uint64_t view_offset(uint64_t element)
{
    return 100 + element / 48 * 200 + element % 48 * 2;
}

/* 32 x 48 of a matrix with rows of 100. */
static void view_with_gaps(void)
{
    static const uint64_t shape[] = {32, 48};
    static const uint64_t chunks[] = {7, 64, 96, 97, 500, 4096};
    static const struct llmfp_storage storage = {.run_elements = 48, .pitch_bytes = 200};
    const struct llmfp_tensor tensor = {.name = "model.layers.0.self_attn.o_proj.weight",
                                        .encoding = LLMFP_F16,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 1536,
                                        .storage = &storage,
                                        .data = {0, 100, 31 * 200 + 96}};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        walk(&tensor, chunks[i], view_offset);
    }
}

static uint64_t block_offset(uint64_t element)
{
    CU_ASSERT_EQUAL(element % 10, 0);
    return 8 + element / 10 * 7;
}

/* Blocks of 10 elements in 7 bytes, the last one of 5. */
static void blocks_of_a_tensor(void)
{
    static const uint64_t shape[] = {205};
    static const uint64_t chunks[] = {7, 8, 20, 100, 4096};
    static const struct llmfp_storage storage = {.block = {10, 7}};
    const struct llmfp_tensor tensor = {.name = "model.layers.0.self_attn.o_proj.weight",
                                        .encoding = LLMFP_F16,
                                        .n_dimensions = 1,
                                        .shape = shape,
                                        .n_elements = 205,
                                        .storage = &storage,
                                        .data = {0, 8, 147}};
    CU_ASSERT_EQUAL(llmfp_tensor_bytes(&tensor, 205), 147);
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        walk(&tensor, chunks[i], block_offset);
    }
}

/* What is packed comes out the same. */
static void packing_keeps_everything(void)
{
    static const uint64_t shape[] = {4, 6};
    static const uint64_t side_shape[] = {2};
    const struct llmfp_storage storage = {.order = LLMFP_ORDER_COLUMNS,
                                          .interleave = 2,
                                          .block = {2, 2},
                                          .run_elements = 12,
                                          .pitch_bytes = 99,
                                          .parameters = {1, 2, 3, UINT64_MAX}};
    const struct llmfp_side side = {LLMFP_SIDE_SCALE, LLMFP_F32, {0, 64, 8}, 1, side_shape};
    const struct llmfp_tensor tensor = {.name = "a",
                                        .encoding = LLMFP_F8_E4M3_SCALED,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = 24,
                                        .storage = &storage,
                                        .data = {0, 5, 111},
                                        .n_sides = 1,
                                        .sides = &side};
    struct llmfp_catalog catalog = {0};
    struct llmfp_catalog copy = {0};
    struct llmfp_buffer packed = {0};
    CU_ASSERT_EQUAL(llmfp_catalog_add_tensor(&catalog, &tensor, NULL), LLMFP_OK);
    llmfp_catalog_pack_tensors(&catalog, 0, catalog.n_tensors, &packed);
    struct llmfp_cursor cursor = llmfp_cursor_over(packed.bytes, packed.size_bytes);
    CU_ASSERT_EQUAL(llmfp_catalog_unpack_tensors(&copy, &cursor, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL_FATAL(copy.n_tensors, 1);
    const struct llmfp_tensor *found = &copy.tensors[0];
    CU_ASSERT_PTR_NOT_NULL_FATAL(found->storage);
    CU_ASSERT_EQUAL(found->storage->order, LLMFP_ORDER_COLUMNS);
    CU_ASSERT_EQUAL(found->storage->interleave, 2);
    CU_ASSERT_EQUAL(found->storage->block.elements, 2);
    CU_ASSERT_EQUAL(found->storage->block.bytes, 2);
    CU_ASSERT_EQUAL(found->storage->run_elements, 12);
    CU_ASSERT_EQUAL(found->storage->pitch_bytes, 99);
    CU_ASSERT_EQUAL(
        memcmp(found->storage->parameters, storage.parameters, sizeof storage.parameters), 0);
    CU_ASSERT_EQUAL(found->n_sides, 1);
    CU_ASSERT_EQUAL(found->sides[0].extent.offset_bytes, 64);
    for (size_t n = 0; n < packed.size_bytes; n++) { /* cut short anywhere: an error, no crash */
        struct llmfp_catalog other = {0};
        cursor = llmfp_cursor_over(packed.bytes, n);
        CU_ASSERT_EQUAL(llmfp_catalog_unpack_tensors(&other, &cursor, NULL), LLMFP_FATAL);
        llmfp_catalog_clear(&other);
    }
    llmfp_buffer_clear(&packed);
    llmfp_catalog_clear(&catalog);
    llmfp_catalog_clear(&copy);
}

TEST_PROGRAM("storage", TEST(parts_of_stored_columns), TEST(parts_of_stored_bias_columns),
             TEST(what_cannot_be_split), TEST(view_with_gaps), TEST(blocks_of_a_tensor),
             TEST(packing_keeps_everything))
