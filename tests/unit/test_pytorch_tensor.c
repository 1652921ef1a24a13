/* Sizes and strides as order, runs and extent; what cannot be expressed is refused.  */
#include "cunit_main.h"
#include "pytorch.h"
#include "scratch.h"

enum { MOST_AXES = 4, STORAGE_ELEMENTS = 1000, STORAGE_OFFSET = 64 };

/* A tensor of F32 on a storage of 1000 elements. */
struct built {
    struct llmfp_torch_storage storage;
    struct llmfp_torch_tensor tensor;
    struct llmfp_pickle_value values[2][MOST_AXES];
    struct llmfp_pickle_items items[2];
    uint64_t shape[64];
    struct llmfp_storage how;
    struct llmfp_tensor out;
    struct llmfp_error error;
};

static enum llmfp_status place(struct built *built, const int64_t *sizes, const int64_t *strides,
                               uint32_t n, int64_t first)
{
    const struct llmfp_pytorch_data data = {STORAGE_OFFSET, STORAGE_ELEMENTS * 4};
    *built = (struct built){.tensor = {.first_element = first}};
    for (uint32_t i = 0; i < n; i++) {
        built->values[0][i] =
            (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_INTEGER, .as.integer = sizes[i]};
        built->values[1][i] =
            (struct llmfp_pickle_value){.kind = LLMFP_PICKLE_INTEGER, .as.integer = strides[i]};
    }
    for (int i = 0; i < 2; i++) {
        built->items[i] = (struct llmfp_pickle_items){built->values[i], n, n};
    }
    built->storage.type = llmfp_pickle_global_find("torch", 5, "FloatStorage", 12);
    built->storage.n_elements = STORAGE_ELEMENTS;
    built->storage.view_elements = STORAGE_ELEMENTS;
    built->tensor.storage = &built->storage;
    built->tensor.type = built->storage.type;
    built->tensor.sizes = &built->items[0];
    built->tensor.strides = &built->items[1];
    return llmfp_pytorch_place(&built->tensor, &data, built->shape, &built->how, &built->out,
                               &built->error);
}

static void tells_order_and_runs(void)
{
    static const struct {
        uint32_t n;
        int64_t sizes[MOST_AXES];
        int64_t strides[MOST_AXES];
        enum llmfp_order order;
        uint64_t run_elements;
        uint64_t pitch_elements;
        uint64_t span;
    } cases[] = {
        {0, {0}, {0}, LLMFP_ORDER_ROWS, 0, 0, 1},
        {1, {5}, {1}, LLMFP_ORDER_ROWS, 0, 0, 5},
        {2, {3, 4}, {4, 1}, LLMFP_ORDER_ROWS, 0, 0, 12},
        {2, {3, 4}, {1, 3}, LLMFP_ORDER_COLUMNS, 0, 0, 12},
        {3, {2, 3, 4}, {12, 4, 1}, LLMFP_ORDER_ROWS, 0, 0, 24},
        {3, {2, 3, 4}, {12, 1, 3}, LLMFP_ORDER_COLUMNS, 0, 0, 24},
        {3, {2, 3, 4}, {4, 8, 1}, LLMFP_ORDER_OTHER, 0, 0, 24},
        {3, {2, 3, 4}, {1, 8, 2}, LLMFP_ORDER_OTHER, 0, 0, 24},
        {3, {2, 3, 4}, {1, 2, 6}, LLMFP_ORDER_OTHER, 0, 0, 24},
        /* axes of one element: any stride, in any place */
        {2, {3, 1}, {1, 77}, LLMFP_ORDER_ROWS, 0, 0, 3},
        {2, {1, 4}, {0, 1}, LLMFP_ORDER_ROWS, 0, 0, 4},
        {3, {3, 1, 4}, {1, 0, 3}, LLMFP_ORDER_OTHER, 0, 0, 12},
        /* gaps: some columns, some rows of a transposed matrix, every third element */
        {2, {3, 4}, {10, 1}, LLMFP_ORDER_ROWS, 4, 10, 24},
        {2, {3, 4}, {1, 10}, LLMFP_ORDER_COLUMNS, 3, 10, 33},
        {1, {5}, {3}, LLMFP_ORDER_ROWS, 1, 3, 13},
        {2, {3, 4}, {12, 3}, LLMFP_ORDER_ROWS, 1, 3, 34},
        {3, {2, 3, 4}, {100, 4, 1}, LLMFP_ORDER_ROWS, 12, 100, 112},
        {3, {2, 3, 4}, {30, 10, 1}, LLMFP_ORDER_ROWS, 4, 10, 54},
        /* empty: nothing is stored */
        {2, {0, 4}, {4, 1}, LLMFP_ORDER_ROWS, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct built built;
        const enum llmfp_status status =
            place(&built, cases[i].sizes, cases[i].strides, cases[i].n, 7);
        if (status != LLMFP_OK) {
            printf("\n  case %zu: %s\n", i, built.error.text);
        }
        CU_ASSERT_EQUAL_FATAL(status, LLMFP_OK);
        CU_ASSERT_EQUAL(llmfp_tensor_storage(&built.out)->order, cases[i].order);
        CU_ASSERT_EQUAL(llmfp_tensor_storage(&built.out)->run_elements, cases[i].run_elements);
        CU_ASSERT_EQUAL(llmfp_tensor_storage(&built.out)->pitch_bytes, cases[i].pitch_elements * 4);
        CU_ASSERT_EQUAL(built.out.data.size_bytes, cases[i].span * 4);
        if (cases[i].span > 0) {
            CU_ASSERT_EQUAL(built.out.data.offset_bytes, STORAGE_OFFSET + 7 * 4);
        }
    }
}

static void refuses_what_runs_cannot_express(void)
{
    static const struct {
        int64_t sizes[2];
        int64_t strides[2];
        int64_t first;
        const char *word;
    } cases[] = {
        {{3, 4}, {0, 1}, 0, "expanded"},
        {{3, 4}, {4, 0}, 0, "expanded"},
        {{3, 4}, {3, 1}, 0, "overlaps itself"},
        {{3, 4}, {1, 1}, 0, "overlaps itself"},
        {{3, 4}, {20, 2}, 0, "more than one axis"},
        {{3, 4}, {400, 1}, 200, "does not lie in its storage"},
        {{10, 100}, {100, 1}, 1, "does not lie in its storage"},
        {{1, 1}, {1, 1}, 1000, "does not lie in its storage"},
        {{3, 4}, {INT64_MAX, 1}, 0, "does not lie in its storage"},
        {{3, 4}, {4, 1}, INT64_MAX, "does not lie in its storage"},
        {{3, 4}, {4, 1}, -1, "before its storage"},
        {{3, 4}, {4, -1}, 0, "negative"},
        {{-3, 4}, {4, 1}, 0, "negative"},
        {{INT64_MAX, INT64_MAX}, {1, 1}, 0, "impossible sizes"},
        {{INT64_MAX, 1}, {1, 1}, 0, "impossible sizes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct built built;
        const enum llmfp_status status =
            place(&built, cases[i].sizes, cases[i].strides, 2, cases[i].first);
        expect_error(status, &built.error, LLMFP_CHECKPOINT, cases[i].word, NULL);
    }
}

TEST_PROGRAM("pytorch_tensor", TEST(tells_order_and_runs), TEST(refuses_what_runs_cannot_express))
