/* test_plan.c - every wanted element is in exactly one piece, however chunks are cut. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/plan.h"

enum { MOST_ELEMENTS = 1 << 20 };

static const char config[] = "{\"model_type\":\"phi3\",\"hidden_size\":96,"
                             "\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                             "\"num_hidden_layers\":2,\"intermediate_size\":64}";

/* Tensors one behind the other in one file, as a reader would leave them. */
static uint64_t end_bytes;

static void add(struct llmfp_catalog *catalog, const char *name, enum llmfp_encoding_id encoding,
                uint64_t rows, uint64_t columns)
{
    const uint64_t shape[] = {rows, columns};
    const uint64_t n = rows * columns;
    const uint64_t size_bytes = n * llmfp_encoding(encoding)->block_bytes;
    const struct llmfp_tensor tensor = {.name = name,
                                        .encoding = encoding,
                                        .n_dimensions = 2,
                                        .shape = shape,
                                        .n_elements = n,
                                        .data = {0, 3 + end_bytes, size_bytes}};
    CU_ASSERT_EQUAL(llmfp_catalog_add_tensor(catalog, &tensor, NULL), LLMFP_OK);
    end_bytes += size_bytes;
}

static void make(struct llmfp_catalog *catalog, struct llmfp_configuration *configuration)
{
    const struct llmfp_file file = {.path = "x", .size_bytes = 1 << 30};
    memset(catalog, 0, sizeof *catalog);
    end_bytes = 0;
    CU_ASSERT_EQUAL(llmfp_configuration_read(config, strlen(config), configuration, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_catalog_add_file(catalog, &file, NULL), LLMFP_OK);
    add(catalog, "model.layers.0.self_attn.qkv_proj.weight", LLMFP_BF16, 192, 96);
    add(catalog, "model.layers.0.mlp.gate_up_proj.weight", LLMFP_F32, 128, 96);
    add(catalog, "model.layers.0.input_layernorm.weight", LLMFP_F64, 1, 1);
    add(catalog, "model.layers.1.self_attn.o_proj.weight", LLMFP_F8_E4M3, 96, 97);
    add(catalog, "model.layers.1.mlp.down_proj.weight", LLMFP_F16, 0, 96);
    add(catalog, "model.layers.1.ids", LLMFP_I32, 5, 1);
    add(catalog, "nothing", LLMFP_F32, 3, 1);
    CU_ASSERT_EQUAL(llmfp_catalog_finish(catalog, NULL), LLMFP_OK);
}

/* Count how often each element of each tensor turns up, and check the pieces' places. */
static void count_pieces(const struct llmfp_plan *plan, uint64_t chunk_bytes, unsigned char *seen,
                         const struct llmfp_catalog *catalog)
{
    uint64_t total = 0;
    const uint64_t n_chunks = llmfp_plan_n_chunks(plan, chunk_bytes);
    memset(seen, 0, MOST_ELEMENTS);
    for (uint64_t chunk = 0; chunk < n_chunks; chunk++) {
        struct llmfp_plan_cursor cursor = {0};
        struct llmfp_plan_piece piece;
        uint64_t in_chunk = 0;
        while (llmfp_plan_next_piece(plan, chunk_bytes, chunk, &cursor, &piece)) {
            const struct llmfp_tensor *tensor = piece.tensor->tensor;
            const uint64_t size = llmfp_encoding(tensor->encoding)->block_bytes;
            const size_t base = (size_t)(tensor - catalog->tensors) * (MOST_ELEMENTS / 8);
            CU_ASSERT_EQUAL(piece.size_bytes, piece.n_elements * size);
            CU_ASSERT_EQUAL(piece.offset_bytes,
                            tensor->data.offset_bytes + piece.first_element * size);
            CU_ASSERT_TRUE(piece.first_element + piece.n_elements <= tensor->n_elements);
            for (uint64_t i = 0; i < piece.n_elements; i++) {
                seen[base + piece.first_element + i]++;
            }
            in_chunk += piece.size_bytes;
        }
        CU_ASSERT_TRUE(in_chunk < chunk_bytes + 8); /* one block more at most */
        total += in_chunk;
    }
    CU_ASSERT_EQUAL(total, plan->stream_bytes);
}

static void pieces_cover_everything_once(void)
{
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    unsigned char *seen = malloc(MOST_ELEMENTS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    make(&catalog, &configuration);
    CU_ASSERT_EQUAL(llmfp_plan_add(&plan, 0, &configuration, &catalog, NULL, &tally, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(tally.tensors[LLMFP_SCANNED], 5);
    CU_ASSERT_EQUAL(tally.tensors[LLMFP_INTEGER], 1);
    CU_ASSERT_EQUAL(tally.tensors[LLMFP_NO_ROLE], 1);
    CU_ASSERT_EQUAL(tally.n_layers, 2);
    CU_ASSERT_EQUAL(tally.wanted_bytes, plan.stream_bytes);
    CU_ASSERT_EQUAL(tally.size_bytes, end_bytes);
    CU_ASSERT_EQUAL(plan.n_cells, 8); /* q k v gate up norm o down: the empty tensor has a cell */
    static const uint64_t sizes[] = {4096, 4097, 4099, 5003, 10007, 65536, 1 << 20};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        count_pieces(&plan, sizes[s], seen, &catalog);
        for (size_t t = 0; t < catalog.n_tensors; t++) {
            const bool wanted = strstr(catalog.tensors[t].name, "model.") != NULL &&
                                catalog.tensors[t].encoding != LLMFP_I32;
            for (uint64_t i = 0; i < catalog.tensors[t].n_elements; i++) {
                CU_ASSERT_EQUAL_FATAL(seen[t * (MOST_ELEMENTS / 8) + i], wanted ? 1 : 0);
            }
        }
    }
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
    free(seen);
}

/* Cells are sorted by role and layer, and their places do not overlap. */
static void cells_are_in_order(void)
{
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    make(&catalog, &configuration);
    CU_ASSERT_EQUAL(llmfp_plan_add(&plan, 0, &configuration, &catalog, NULL, &tally, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    static const char *const wanted[] = {"attn.q",    "attn.k",   "attn.v", "attn.o",
                                         "norm.attn", "mlp.gate", "mlp.up", "mlp.down"};
    size_t place = 0;
    for (size_t i = 0; i < plan.n_cells; i++) {
        CU_ASSERT_STRING_EQUAL(plan.roles[plan.cells[i].role], wanted[i]);
        CU_ASSERT_EQUAL(plan.cells[i].additive, place);
        place += llmfp_moments_size(&plan.cells[i].layout);
    }
    CU_ASSERT_EQUAL(plan.n_additive, place);
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
}

/* Of a fused tensor only the wanted rows are read, where the others are worth skipping. */
static void filter_reads_wanted_parts(void)
{
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    struct llmfp_role_filter *filter = NULL;
    make(&catalog, &configuration);
    CU_ASSERT_EQUAL(llmfp_role_filter_new("attn.k,mlp.up", &filter, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_add(&plan, 0, &configuration, &catalog, filter, &tally, NULL),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(plan.n_cells, 2);
    /* k: 48 of 192 rows of 96 BF16; up: 64 of 128 rows of 96 F32 */
    CU_ASSERT_EQUAL(plan.stream_bytes, 48 * 96 * 2 + 64 * 96 * 4);
    CU_ASSERT_EQUAL(tally.bytes[LLMFP_SCANNED], plan.stream_bytes);
    CU_ASSERT_EQUAL(tally.bytes[LLMFP_ROLE_NOT_WANTED] + tally.bytes[LLMFP_SCANNED] +
                        tally.bytes[LLMFP_INTEGER] + tally.bytes[LLMFP_NO_ROLE],
                    tally.size_bytes);
    llmfp_role_filter_free(filter);
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
}

/* What is dropped leaves no trace, and others can follow it. */
static void drop_last_forgets(void)
{
    struct llmfp_catalog catalog;
    struct llmfp_configuration configuration;
    struct llmfp_plan plan = {0};
    struct llmfp_tally tally;
    make(&catalog, &configuration);
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(llmfp_plan_add(&plan, i, &configuration, &catalog, NULL, &tally, NULL),
                        LLMFP_OK);
        if (i == 1) {
            llmfp_plan_drop_last(&plan);
        }
    }
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(plan.n_cells, 16);
    CU_ASSERT_EQUAL(plan.n_tensors, 10);
    CU_ASSERT_EQUAL(plan.stream_bytes, 2 * tally.wanted_bytes);
    for (size_t i = 0; i < plan.n_cells; i++) {
        CU_ASSERT_EQUAL(plan.cells[i].checkpoint, i < 8 ? 0 : 2);
    }
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
}

/* What one checkpoint may bring into the arrays that all models share has bounds. */
static enum llmfp_status add_named(const char *before, int first, int n, const char *behind,
                                   const char *wanted, struct llmfp_tally *tally,
                                   struct llmfp_error *error)
{
    struct llmfp_catalog catalog = {0};
    const struct llmfp_configuration configuration = {0};
    struct llmfp_plan plan = {0};
    struct llmfp_role_filter *filter = NULL;
    const struct llmfp_file file = {.path = "x", .size_bytes = 1 << 30};
    CU_ASSERT_EQUAL(llmfp_catalog_add_file(&catalog, &file, NULL), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_role_filter_new(wanted, &filter, NULL), LLMFP_OK);
    for (int i = 0; i < n; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%d%s", before, first + i, behind);
        add(&catalog, name, LLMFP_F32, 1, 1);
    }
    const enum llmfp_status status =
        llmfp_plan_add(&plan, 0, &configuration, &catalog, filter, tally, error);
    if (status != LLMFP_OK) {
        llmfp_plan_drop_last(&plan);
    }
    CU_ASSERT_EQUAL(llmfp_plan_finish(&plan, NULL), LLMFP_OK);
    llmfp_role_filter_free(filter);
    llmfp_plan_clear(&plan);
    llmfp_catalog_clear(&catalog);
    return status;
}

static void absurd_names_are_refused(void)
{
    struct llmfp_tally tally;
    struct llmfp_error error = {LLMFP_OK, ""};
    const char *behind = ".self_attn.q_proj.weight";
    CU_ASSERT_EQUAL(add_named("model.layers.", 4095, 1, behind, NULL, &tally, &error), LLMFP_OK);
    CU_ASSERT_EQUAL(tally.n_layers, 4096);
    CU_ASSERT_EQUAL(add_named("model.layers.", 4096, 1, behind, NULL, &tally, &error),
                    LLMFP_CHECKPOINT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "layer 4096"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "model.layers.4096.self_attn.q_proj.weight"));
    /* What is left out does not count. */
    CU_ASSERT_EQUAL(add_named("model.layers.", 4096, 1, behind, "attn.k", &tally, &error),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(add_named("model.layers.", INT32_MAX, 1, behind, "attn.k", &tally, &error),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(tally.n_layers, 0);
    CU_ASSERT_EQUAL(add_named("x.0.y", 0, LLMFP_PLAN_MOST_ROLES, "z", NULL, &tally, &error),
                    LLMFP_OK);
    CU_ASSERT_EQUAL(add_named("x.0.y", 0, LLMFP_PLAN_MOST_ROLES + 1, "z", NULL, &tally, &error),
                    LLMFP_CHECKPOINT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "x.0.y4096z"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "--roles"));
}

TEST_PROGRAM("plan", TEST(pieces_cover_everything_once), TEST(cells_are_in_order),
             TEST(filter_reads_wanted_parts), TEST(drop_last_forgets),
             TEST(absurd_names_are_refused))
