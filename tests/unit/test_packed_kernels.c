/* test_packed_kernels.c - the kernels of codes whose scales are in other tensors: those of every
 * instruction set agree with the portable ones to the bit, however the codes are cut and
 * whatever the scales are. That the portable ones are right is for tests/scan/test_gptq.py,
 * test_awq.py and test_bitsandbytes.py, which decode them.                            */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"
#include "random_bits.h"

enum { MOST_VALUES = 512, MOST_CODES = 1 << 20, MOST_SIDE = 1 << 20 };

static uint64_t between(uint64_t low, uint64_t high)
{
    return low + random_bits() % (high - low + 1);
}

/* Codes at any alignment; sides likewise. */
static unsigned char code_memory[MOST_CODES + 64];
static unsigned char side_memory[LLMFP_MOST_SIDES][MOST_SIDE + 64];

struct problem {
    enum llmfp_encoding_id id;
    struct llmfp_sides sides;
    const unsigned char *bytes;
    uint64_t n_elements;
    uint64_t unit; /* elements between which a cut may be, and their bytes */
    uint64_t unit_bytes;
};

static unsigned char *fill(unsigned char *memory, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        memory[i] = (unsigned char)(random_bits() >> 24);
    }
    return memory;
}

static void set_codes(struct problem *problem, uint64_t n_bytes)
{
    CU_ASSERT_TRUE_FATAL(n_bytes <= MOST_CODES);
    problem->bytes = fill(code_memory + between(0, 63), (size_t)n_bytes);
}

static unsigned char *add_side(struct llmfp_sides *sides, enum llmfp_encoding_id encoding,
                               size_t n_bytes)
{
    CU_ASSERT_TRUE_FATAL(n_bytes <= MOST_SIDE);
    unsigned char *bytes = fill(side_memory[sides->n] + between(0, 63), n_bytes);
    sides->side[sides->n].encoding = encoding;
    sides->side[sides->n].bytes = bytes;
    sides->side[sides->n].size_bytes = n_bytes;
    sides->n++;
    return bytes;
}

/* Classes of scales: like trained ones, of all sizes, full of odd ones, all the same. */
enum class { TYPICAL, ANY, HOSTILE, EQUAL, N_CLASSES };

/* A pattern of `bits` bits with `exponent_bits` of exponent. */
static uint32_t scale_of(enum class class, unsigned bits, unsigned exponent_bits)
{
    const unsigned mantissa_bits = bits - 1 - exponent_bits;
    const uint32_t sign = UINT32_C(1) << (bits - 1);
    const uint32_t infinity = ((UINT32_C(1) << exponent_bits) - 1) << mantissa_bits;
    const uint32_t one = ((UINT32_C(1) << (exponent_bits - 1)) - 1) << mantissa_bits;
    const uint32_t odd[] = {
        0,   sign,       1,      sign | 3, infinity - 1, infinity, infinity | sign, infinity | 1,
        one, one | sign, one - 1};
    const uint32_t mantissa = (uint32_t)random_bits() & ((UINT32_C(1) << mantissa_bits) - 1);
    switch (class) {
    case TYPICAL: /* 2^-7 to 2^-3 */
        return (one - ((uint32_t)between(4, 7) << mantissa_bits)) | mantissa;
    case ANY:
        return (uint32_t)random_bits() & (infinity - 1);
    case HOSTILE:
        return odd[between(0, sizeof odd / sizeof odd[0] - 1)];
    default:
        return one - 5;
    }
}

static void add_scales(struct llmfp_sides *sides, enum llmfp_encoding_id encoding, size_t n,
                       enum class class)
{
    const size_t size = encoding == LLMFP_F32 ? 4 : 2;
    unsigned char *bytes = add_side(sides, encoding, n * size);
    for (size_t i = 0; i < n; i++) {
        /* Among typical ones a few others. */
        const enum class now =
            class == TYPICAL && between(0, 99) == 0 ? (enum class)between(ANY, HOSTILE) : class;
        const uint32_t bits = scale_of(now, 8 * (unsigned)size, encoding == LLMFP_F16 ? 5 : 8);
        for (size_t k = 0; k < size; k++) {
            bytes[size * i + k] = (unsigned char)(bits >> 8 * k);
        }
    }
}

/* ---- what a kernel makes of it ---- */

struct outcome {
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

/* Settled moments; pieces end at random, or there is one. */
static void run(enum llmfp_isa isa, const struct problem *problem, bool whole,
                struct outcome *outcome)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(problem->id);
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, encoding);
    CU_ASSERT_TRUE_FATAL(llmfp_moments_size(&layout) <= MOST_VALUES);
    memset(outcome, 0, sizeof *outcome);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    CU_ASSERT_EQUAL_FATAL(setenv("LLMFP_ISA", llmfp_isa_name(isa), 1), 0);
    for (uint64_t first = 0; first < problem->n_elements;) {
        const uint64_t rest = problem->n_elements - first;
        const uint64_t units = rest / problem->unit + (rest % problem->unit != 0);
        uint64_t n = (whole ? units : between(1, units)) * problem->unit;
        n = n < rest ? n : rest;
        const struct llmfp_elements elements = {.bytes = problem->bytes + first / problem->unit *
                                                                              problem->unit_bytes,
                                                .n_elements = n,
                                                .first_element = first,
                                                .sides = &problem->sides};
        encoding->add(&moments, &elements);
        first += n;
    }
    llmfp_moments_settle(&moments);
    CU_ASSERT_EQUAL(unsetenv("LLMFP_ISA"), 0);
}

static void agrees(const struct problem *problem, const char *what, int class)
{
    static struct outcome wanted;
    static struct outcome found;
    run(LLMFP_ISA_PORTABLE, problem, true, &wanted);
    CU_ASSERT_EQUAL((uint64_t)wanted.additive[LLMFP_COUNT], problem->n_elements);
    for (int isa = 0; isa < LLMFP_N_ISAS; isa++) {
        for (int whole = 0; whole < 2 && llmfp_isa_is_supported((enum llmfp_isa)isa); whole++) {
            run((enum llmfp_isa)isa, problem, whole != 0, &found);
            if (memcmp(&found, &wanted, sizeof found) != 0) {
                printf("\n  %s, %s, class %d, %s\n", llmfp_encoding(problem->id)->name, what, class,
                       llmfp_isa_name((enum llmfp_isa)isa));
                CU_FAIL("two kernels differ");
            }
        }
    }
}

static const enum llmfp_encoding_id types_of_scales[] = {LLMFP_F16, LLMFP_BF16, LLMFP_F32};

/* ---- GPTQ ---- */

/* `order`: no groups of inputs are given; as they are without; in any order. */
enum order { NONE, SORTED, MIXED };

static void make_gptq(struct problem *problem, unsigned bits, enum order order,
                      enum llmfp_encoding_id scales, enum class class)
{
    const uint64_t outputs = 32 * between(1, 20);
    const uint64_t inputs = 32 * between(1, 40);
    const uint64_t group = between(0, 1) == 0 ? between(1, 5) * 32 : inputs;
    const uint64_t n_groups = (inputs + group - 1) / group;
    *problem = (struct problem){.id = LLMFP_GPTQ, .n_elements = inputs * outputs};
    problem->unit = bits == 3 ? 32 * outputs : 32 / bits;
    problem->unit_bytes = bits == 3 ? 12 * outputs : 4;
    set_codes(problem, inputs * outputs * bits / 8);
    add_scales(&problem->sides, scales, (size_t)(n_groups * outputs), class);
    const size_t zeros_bytes = (size_t)(n_groups * outputs * bits / 8);
    unsigned char *zeros = add_side(&problem->sides, LLMFP_I32, zeros_bytes);
    const unsigned version = (unsigned)between(1, 2);
    for (size_t i = 0; i < zeros_bytes && version == 1; i++) {
        zeros[i] &= 0x55; /* never all ones */
    }
    if (order != NONE) {
        unsigned char *bytes = add_side(&problem->sides, LLMFP_I32, 4 * (size_t)inputs);
        memset(bytes, 0, 4 * (size_t)inputs);
        for (uint64_t i = 0; i < inputs; i++) {
            bytes[4 * i] = (unsigned char)(order == MIXED ? between(0, n_groups - 1) : i / group);
        }
    }
    problem->sides.parameters[0] = inputs;
    problem->sides.parameters[1] = outputs;
    problem->sides.parameters[2] = group;
    problem->sides.parameters[3] = bits + 256 * version;
}

static void gptq_agrees(void)
{
    static const unsigned all_bits[] = {2, 3, 4, 8};
    for (int class = 0; class < N_CLASSES; class ++) {
        for (size_t b = 0; b < 4; b++) {
            for (int order = NONE; order <= MIXED; order++) {
                for (size_t t = 0; t < 3; t++) {
                    struct problem problem;
                    make_gptq(&problem, all_bits[b], (enum order)order, types_of_scales[t],
                              (enum class) class);
                    agrees(&problem, order == MIXED ? "mixed groups" : "groups", class);
                }
            }
        }
    }
}

/* All codes the largest, zero points 0, and the largest scales: nothing may overflow. */
static void gptq_of_extremes_agrees(void)
{
    for (unsigned bits = 2; bits <= 8; bits *= 2) {
        struct problem problem;
        make_gptq(&problem, bits, NONE, LLMFP_F16, EQUAL);
        memset(code_memory, 0xFF, sizeof code_memory);
        memset(side_memory[1], 0, sizeof side_memory[1]);
        for (size_t i = 0; i + 1 < sizeof side_memory[0]; i++) { /* at either alignment */
            side_memory[0][i] = 0x7B;
        }
        problem.sides.parameters[2] = problem.sides.parameters[0];
        agrees(&problem, "extremes", EQUAL);
    }
}

/* ---- AWQ ---- */

static void awq_agrees(void)
{
    for (int class = 0; class < N_CLASSES; class ++) {
        for (int round = 0; round < 6; round++) {
            struct problem problem = {.id = LLMFP_AWQ, .unit = 8, .unit_bytes = 4};
            const uint64_t outputs = 8 * between(1, 100);
            const uint64_t inputs = between(1, 700);
            const uint64_t group = round % 2 == 0 ? between(1, 150) : inputs;
            const uint64_t n_groups = (inputs + group - 1) / group;
            problem.n_elements = inputs * outputs;
            set_codes(&problem, inputs * outputs / 2);
            add_scales(&problem.sides, types_of_scales[round % 3], (size_t)(n_groups * outputs),
                       (enum class) class);
            add_side(&problem.sides, LLMFP_I32, (size_t)(n_groups * outputs / 2));
            problem.sides.parameters[0] = inputs;
            problem.sides.parameters[1] = outputs;
            problem.sides.parameters[2] = group;
            agrees(&problem, "groups", class);
        }
    }
}

/* ---- NF4, FP4 ---- */

static void put_floats(struct llmfp_sides *sides, const float *values, size_t n)
{
    unsigned char *bytes = add_side(sides, LLMFP_F32, 4 * n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (size_t k = 0; k < 4; k++) {
            bytes[4 * i + k] = (unsigned char)(bits >> 8 * k);
        }
    }
}

static const float maps[][16] = {
    {-1.0F, -0.696192801F, -0.525073051F, -0.394917488F, -0.284441382F, -0.18477343F,
     -0.0910500363F, 0.0F, 0.0795802996F, 0.160930201F, 0.246112302F, 0.337915242F, 0.44070983F,
     0.562617004F, 0.722956836F, 1.0F},
    {0.0F, 0.00520833349F, 0.666666687F, 1.0F, 0.333333343F, 0.5F, 0.166666672F, 0.25F, -0.0F,
     -0.00520833349F, -0.666666687F, -1.0F, -0.333333343F, -0.5F, -0.166666672F, -0.25F},
    {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F, 0.9F, 1.0F, 1.1F, 1.2F, 1.3F, 1.4F, 1.5F,
     1.6F},
    {1e-30F, -3e30F, 5.0F, 0.0F, -7.0F, 1e-3F, 1.0F, 2.0F, 3.0F, 4.0F, 6.0F, 8.0F, 9.0F, 10.0F,
     11.0F, 12.0F},
};

static void make_lookup(struct problem *problem, size_t map, uint64_t block, bool nested,
                        enum class class)
{
    const uint64_t n = between(1, between(0, 3) == 0 ? 700000 : 9000);
    const uint64_t n_blocks = (n + block - 1) / block;
    const uint64_t per_nested = between(0, 1) == 0 ? 256 : between(1, 300);
    *problem = (struct problem){.id = LLMFP_LOOKUP4, .n_elements = n, .unit = 2, .unit_bytes = 1};
    set_codes(problem, (n + 1) / 2);
    if (nested) {
        add_side(&problem->sides, LLMFP_U8, (size_t)n_blocks);
    } else {
        add_scales(&problem->sides, LLMFP_F32, (size_t)n_blocks, class);
    }
    put_floats(&problem->sides, maps[map], 16);
    add_side(&problem->sides, LLMFP_U8, 0);
    problem->sides.parameters[0] = n;
    problem->sides.parameters[1] = block;
    if (nested) {
        static const float offsets[] = {0.0F, 0.0437F, -0.25F, 1e-3F};
        float inner[256];
        for (int c = 0; c < 256; c++) { /* from -1 to 1, denser around 0; two of them equal */
            const float part = (float)(c - 128) / 127.0F;
            inner[c] = part * part * part;
        }
        add_scales(&problem->sides, LLMFP_F32, (size_t)(n_blocks / per_nested + 1),
                   class == ANY ? TYPICAL : class);
        put_floats(&problem->sides, inner, 256);
        if (class == HOSTILE) {
            unsigned char *bytes = side_memory[4] + (problem->sides.side[4].bytes - side_memory[4]);
            bytes += 4 * between(0, 255);
            bytes[0] = bytes[1] = 0; /* infinity */
            bytes[2] = 0x80;
            bytes[3] = 0x7F;
        }
        uint32_t bits;
        memcpy(&bits, &offsets[between(0, 3)], sizeof bits);
        problem->sides.parameters[2] = per_nested;
        problem->sides.parameters[3] = bits;
    }
}

static void lookup_agrees(void)
{
    static const uint64_t blocks[] = {64, 128, 4096, 32, 96};
    for (int class = 0; class < N_CLASSES; class ++) {
        for (size_t map = 0; map < sizeof maps / sizeof maps[0]; map++) {
            for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
                for (int nested = 0; nested < 2; nested++) {
                    struct problem problem;
                    struct llmfp_error error = {LLMFP_OK, ""};
                    make_lookup(&problem, map, blocks[b], nested != 0, (enum class) class);
                    /* What the check refuses, no kernel gets. */
                    if (llmfp_encoding(problem.id)->check(&problem.sides, &error) == LLMFP_OK) {
                        agrees(&problem, nested != 0 ? "nested" : "plain", class);
                    }
                }
            }
        }
    }
}

TEST_PROGRAM("packed_kernels", TEST(gptq_agrees), TEST(gptq_of_extremes_agrees), TEST(awq_agrees),
             TEST(lookup_agrees))
