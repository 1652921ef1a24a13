/* test_ggml.c - the kernels of GGUF's block encodings: those of every instruction set agree
 * to the bit, however the blocks are cut; and a few blocks whose sums are known. That
 * all types mean what they should is for tests/scan/test_gguf.py, which decodes them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"
#include "random_bits.h"

enum { MOST_BLOCKS = 300, MOST_BYTES = MOST_BLOCKS * 292, MOST_VALUES = 64 };

/* Every encoding of GGUF's with a kernel, and where its binary16 scales stand (-1: none). */
static const struct {
    enum llmfp_encoding_id id;
    int scales[2];
} types[] = {
    {LLMFP_Q1_0, {0, -1}},   {LLMFP_Q2_0, {0, -1}},   {LLMFP_Q4_0, {0, -1}},
    {LLMFP_Q4_1, {0, 2}},    {LLMFP_Q5_0, {0, -1}},   {LLMFP_Q5_1, {0, 2}},
    {LLMFP_Q8_0, {0, -1}},   {LLMFP_Q8_1, {0, -1}},   {LLMFP_Q2_K, {80, 82}},
    {LLMFP_Q3_K, {108, -1}}, {LLMFP_Q4_K, {0, 2}},    {LLMFP_Q5_K, {0, 2}},
    {LLMFP_Q6_K, {208, -1}}, {LLMFP_Q8_K, {-1, -1}},  {LLMFP_IQ4_NL, {0, -1}},
    {LLMFP_IQ4_XS, {0, -1}}, {LLMFP_TQ1_0, {52, -1}}, {LLMFP_TQ2_0, {64, -1}},
    {LLMFP_MXFP4, {-1, -1}}, {LLMFP_NVFP4, {-1, -1}},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

struct outcome {
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

/* The moments of blocks, added in pieces of `piece` blocks. */
static void run(enum llmfp_isa isa, enum llmfp_encoding_id id, const unsigned char *bytes,
                uint64_t n_blocks, uint64_t piece, struct outcome *outcome)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(id);
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, encoding);
    CU_ASSERT_TRUE_FATAL(llmfp_moments_size(&layout) <= MOST_VALUES);
    memset(outcome, 0, sizeof *outcome);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    CU_ASSERT_EQUAL_FATAL(setenv("LLMFP_ISA", llmfp_isa_name(isa), 1), 0);
    for (uint64_t i = 0; i < n_blocks; i += piece) {
        const uint64_t n = n_blocks - i < piece ? n_blocks - i : piece;
        const struct llmfp_elements elements = {.bytes = bytes + i * encoding->block_bytes,
                                                .n_elements = n * encoding->block_elements};
        encoding->add(&moments, &elements);
    }
    llmfp_moments_settle(&moments);
    CU_ASSERT_EQUAL(unsetenv("LLMFP_ISA"), 0);
}

/* The classes of scales. */
enum class { ANY, TYPICAL, ONE_SIGN, HOSTILE, EQUAL, ZERO, SIMPLE, N_CLASSES };

static uint16_t scale_of(enum class class)
{
    static const uint16_t odd[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF,
                                   0x7C00, 0xFC00, 0x7E01, 0x3C00, 0x0400, 0x2345};
    const uint64_t r = random_bits();
    switch (class) {
    case ANY:
        return (uint16_t)(r % 0x7C00 | (r >> 32 & 0x8000));
    case TYPICAL:
        return (uint16_t)(0x1400 + r % 0x400);
    case HOSTILE:
        return odd[r % (sizeof odd / sizeof odd[0])];
    case EQUAL:
        return 0x2A66;
    case ZERO:
        return (uint16_t)(r & 0x8000);
    case SIMPLE: /* so that d a q = m b happens often */
        return (uint16_t)(0x3C00 + (r % 3) * 0x400);
    default:
        return (uint16_t)(0x3000 + r % 0x1000);
    }
}

static void fill(size_t type, enum class class, unsigned char *bytes, size_t n_blocks)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(types[type].id);
    for (size_t i = 0; i < n_blocks * encoding->block_bytes; i++) {
        const uint64_t r = random_bits();
        bytes[i] = (unsigned char)(class == SIMPLE && r >> 32 & 1 ? r & 0x11 : r);
        bytes[i] = class == EQUAL ? 0x5A : bytes[i];
    }
    for (size_t i = 0; i < n_blocks; i++) {
        unsigned char *block = bytes + i * encoding->block_bytes;
        for (int s = 0; s < 2; s++) {
            if (types[type].scales[s] >= 0) {
                const uint16_t scale = scale_of(class);
                block[types[type].scales[s]] = (unsigned char)scale;
                block[types[type].scales[s] + 1] = (unsigned char)(scale >> 8);
            }
        }
    }
}

static void agrees_for_every_set(void)
{
    static unsigned char memory[MOST_BYTES + 1];
    for (size_t t = 0; t < N_TYPES; t++) {
        for (int class = 0; class < N_CLASSES; class ++) {
            /* At every alignment; lengths around the vectors' and the batches'. */
            const size_t n = class % 2 == 0 ? MOST_BLOCKS : 1 + random_bits() % 130;
            unsigned char *bytes = memory + class % 2;
            fill(t, (enum class) class, bytes, n);
            struct outcome wanted;
            run(LLMFP_ISA_PORTABLE, types[t].id, bytes, n, n, &wanted);
            CU_ASSERT_EQUAL((uint64_t)wanted.additive[LLMFP_COUNT],
                            n * llmfp_encoding(types[t].id)->block_elements);
            for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
                for (uint64_t piece = 1; piece <= n; piece = piece * 7 + 1) {
                    struct outcome found;
                    if (!llmfp_isa_is_supported((enum llmfp_isa)isa)) {
                        break;
                    }
                    run((enum llmfp_isa)isa, types[t].id, bytes, n, piece, &found);
                    if (memcmp(&found, &wanted, sizeof found) != 0) {
                        printf("\n  %s, class %d, %s, pieces of %d blocks\n",
                               llmfp_encoding(types[t].id)->name, class,
                               llmfp_isa_name((enum llmfp_isa)isa), (int)piece);
                        CU_FAIL("two kernels differ");
                    }
                }
            }
        }
    }
}

static int64_t limb_sum(const struct outcome *outcome, const struct llmfp_moments_layout *layout,
                        int exponent)
{
    const int limb = (exponent - layout->sum_exponent) / 32;
    return outcome->additive[LLMFP_N_COUNTERS + limb];
}

/* d = 1 and codes 0 .. 15 twice: values -8 .. 7. */
static void knows_q4_0(void)
{
    unsigned char block[18] = {0x00, 0x3C};
    for (int j = 0; j < 16; j++) {
        block[2 + j] = (unsigned char)(j | (15 - j) << 4);
    }
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(LLMFP_Q4_0));
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        struct outcome outcome;
        if (!llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            continue;
        }
        run((enum llmfp_isa)isa, LLMFP_Q4_0, block, 1, 1, &outcome);
        CU_ASSERT_EQUAL(outcome.additive[LLMFP_COUNT], 32);
        CU_ASSERT_EQUAL(outcome.additive[LLMFP_ZEROS], 2);
        CU_ASSERT_EQUAL(outcome.additive[LLMFP_NONFINITE], 0);
        CU_ASSERT_EQUAL(limb_sum(&outcome, &layout, 0), INT64_C(0xFFFFFFF0)); /* -16 */
        CU_ASSERT_EQUAL(llmfp_key_to_double(outcome.extreme[LLMFP_LARGEST]), 7);
        CU_ASSERT_EQUAL(-llmfp_key_to_double(outcome.extreme[LLMFP_MINUS_SMALLEST]), -8);
    }
}

/* Products of -128 and -32 throughout: their squares add up to 2^32 in each block. */
static void holds_the_largest_squares(void)
{
    enum { BLOCKS = 24, BYTES = 210 };
    static unsigned char blocks[BLOCKS * BYTES]; /* codes of 0 stand for -32 */
    for (size_t i = 0; i < BLOCKS; i++) {
        memset(blocks + i * BYTES + 192, i == 3 ? 127 : 128, 16);
        blocks[i * BYTES + 209] = 0x3C;
    }
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(LLMFP_Q6_K));
    const int64_t squares = (23 * INT64_C(4096) * 4096 + INT64_C(4064) * 4064) * 256;
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        struct outcome outcome;
        if (!llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            continue;
        }
        run((enum llmfp_isa)isa, LLMFP_Q6_K, blocks, BLOCKS, BLOCKS, &outcome);
        const int limb = LLMFP_N_COUNTERS + (int)layout.sum_limbs - layout.square_exponent / 32;
        CU_ASSERT_EQUAL(outcome.additive[limb] + outcome.additive[limb + 1] * (INT64_C(1) << 32),
                        squares);
        CU_ASSERT_EQUAL(llmfp_key_to_double(outcome.extreme[LLMFP_LARGEST]), 4096);
        CU_ASSERT_EQUAL(-llmfp_key_to_double(outcome.extreme[LLMFP_MINUS_SMALLEST]), -4064);
    }
}

/* What is infinite or NaN makes its whole block so: infinity times a code of 0 is NaN. */
static void counts_what_is_not_finite(void)
{
    static const uint16_t scales[] = {0x7C00, 0xFC00, 0x7E00, 0xFFFF};
    for (size_t t = 0; t < N_TYPES; t++) {
        const struct llmfp_encoding *encoding = llmfp_encoding(types[t].id);
        for (int s = 0; s < 2; s++) {
            for (size_t i = 0; i < 4 && types[t].scales[s] >= 0; i++) {
                unsigned char blocks[2 * 292] = {0};
                unsigned char *scale = blocks + types[t].scales[s];
                scale[0] = (unsigned char)scales[i];
                scale[1] = (unsigned char)(scales[i] >> 8);
                struct outcome outcome;
                run(llmfp_isa_chosen(), types[t].id, blocks, 2, 2, &outcome);
                CU_ASSERT_EQUAL(outcome.additive[LLMFP_NONFINITE], encoding->block_elements);
                CU_ASSERT_EQUAL(outcome.additive[LLMFP_ZEROS], encoding->block_elements);
                CU_ASSERT_EQUAL(outcome.extreme[LLMFP_LARGEST], 0);
            }
        }
    }
    unsigned char mx[17] = {0xFF, 0x11};
    unsigned char k[292] = {0, 0, 0x80, 0x7F, 1};
    struct outcome outcome;
    run(LLMFP_ISA_PORTABLE, LLMFP_MXFP4, mx, 1, 1, &outcome);
    CU_ASSERT_EQUAL(outcome.additive[LLMFP_NONFINITE], 32);
    run(LLMFP_ISA_PORTABLE, LLMFP_Q8_K, k, 1, 1, &outcome);
    CU_ASSERT_EQUAL(outcome.additive[LLMFP_NONFINITE], 256);
    CU_ASSERT_EQUAL(outcome.extreme[LLMFP_LARGEST], LLMFP_NO_KEY);
}

/* No blocks at all: nothing is added. */
static void takes_no_elements(void)
{
    for (size_t t = 0; t < N_TYPES; t++) {
        struct outcome outcome;
        run(llmfp_isa_chosen(), types[t].id, (const unsigned char *)"", 0, 1, &outcome);
        CU_ASSERT_EQUAL(outcome.additive[LLMFP_COUNT], 0);
        CU_ASSERT_EQUAL(outcome.extreme[LLMFP_LARGEST], LLMFP_NO_KEY);
    }
}

/* A safetensors header cannot name them. */
static void are_no_dtypes(void)
{
    enum llmfp_encoding_id id;
    for (size_t t = 0; t < N_TYPES; t++) {
        const char *name = llmfp_encoding(types[t].id)->name;
        CU_ASSERT_FALSE(llmfp_encoding_find(name, strlen(name), &id));
    }
    CU_ASSERT_FALSE(llmfp_encoding_find("IQ2_XXS", 7, &id));
    CU_ASSERT_FALSE(llmfp_encoding_find("F4_E8M0", 7, &id));
    CU_ASSERT_TRUE(llmfp_encoding_find("F8_E8M0", 7, &id));
    CU_ASSERT_TRUE(llmfp_encoding_find("F8_E5M2FNUZ", 11, &id));
}

TEST_PROGRAM("ggml", TEST(agrees_for_every_set), TEST(knows_q4_0), TEST(holds_the_largest_squares),
             TEST(counts_what_is_not_finite), TEST(takes_no_elements), TEST(are_no_dtypes))
