/* test_kernels.c - the kernels of every instruction set agree with the portable ones to the
 * bit, for every class of input, length and alignment; those of F64, F32, F16 and BF16 with sums
 * that are made element by element, too. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/encoding.h"
#include "llmfp/isa.h"
#include "llmfp/moments.h"
#include "random_bits.h"

enum { MOST_ELEMENTS = 1 << 17, MOST_VALUES = 512 };

/* Sum of four uniform numbers: near enough to a Gaussian, of deviation 0.02 or so. */
static double gaussian(void)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (double)(random_bits() >> 11) * 0x1p-53 - 0.5;
    }
    return sum * 0.035;
}

/* The classes of values; element i of n. */
enum class {
    GAUSSIAN,
    CONSTANT,
    NEAR_ONE,
    WIDE,
    SUBNORMAL,
    SORTED,
    ALTERNATING,
    SOME_ZEROS,
    ALL_ZEROS,
    OUTLIERS,
    FAR_OUTLIERS,
    NEGATIVE,
    NONFINITE,
    WINDOW_EDGES,
    MOVING,
    ASYMMETRIC,
    MOSTLY_POSITIVE,
    LARGEST_BINADES,
    EVERY_BINADE,
    JUMPS,
    WIDE_EDGES,
    MIXED_BLOCKS,
    FAR_ENDS,
    WIDE_NONFINITE,
    N_CLASSES
};

static double value_of(enum class class, size_t i, size_t n)
{
    const double g = gaussian();
    const uint64_t r = random_bits();
    switch (class) {
    case CONSTANT:
        return -0.0123;
    case NEAR_ONE:
        return 1.0 + g * 0.01;
    case WIDE:
        return ldexp(g, (int)(r % 60) - 40);
    case SUBNORMAL:
        return ldexp(g, -128);
    case SORTED:
        return ((double)i / (double)n - 0.5) * 3;
    case ALTERNATING:
        return i % 2 == 0 ? fabs(g) : -fabs(g);
    case SOME_ZEROS:
        return r % 10 < 3 ? (r % 2 == 0 ? 0.0 : -0.0) : g;
    case ALL_ZEROS:
        return r % 2 == 0 ? 0.0 : -0.0;
    case OUTLIERS:
        return r % 100 == 0 ? g * 1000 : g;
    case FAR_OUTLIERS:
        return r % 100 == 0 ? ldexp(g, 60 - (int)(r / 100 % 2) * 120) : g;
    case NEGATIVE:
        return -fabs(g) - 0x1p-20;
    case NONFINITE:
        return r % 50 == 0 ? INFINITY : r % 51 == 0 ? -(double)NAN : g;
    case WINDOW_EDGES:
        return ldexp(r % 2 == 0 ? 1.0 : -1.9921875, -(int)(r / 2 % 18));
    case MOVING:
        return ldexp(g, -(int)(i * 40 / n));
    case ASYMMETRIC: /* most positive elements are larger than any negative one */
        return g > 0 ? g : g * 0x1p-12;
    case MOSTLY_POSITIVE:
        return r % 3000 == 0 ? -fabs(g) : r % 7 == 0 ? 0.0 : fabs(g) + 0.5;
    case LARGEST_BINADES:
        return ldexp(r % 2 == 0 ? 1.9921875 : -1.5, 127 - (int)(r / 2 % 24));
    case EVERY_BINADE:
        return ldexp(r % 2 == 0 ? 1.75 : -1.25, (int)(r / 2 % 2150) - 1100);
    case JUMPS: /* of magnitude and of sign */
        return ldexp(fabs(g) + 0.01, (int)(i / 5000 * 7919 % 31) - 20) *
               (i / 9000 % 2 == 0 ? 1 : -1);
    case WIDE_EDGES: /* full mantissas of one sign, around the ends of the widest windows */
        return ldexp(0x1.fffffffffffffp0, (r % 2 == 0 ? 0 : 76 - (int)(r / 2 % 96)) - 20);
    case FAR_ENDS: /* of doubles, subnormal ones among them */
        return ldexp(g, i / 4096 % 3 == 2 ? 1026 : i / 4096 % 3 == 1 ? -1045 : -980);
    case MIXED_BLOCKS: /* each has a width of its own; some have elements that are not finite */
        switch (i / 4096 * 5 % 13 % 5) {
        case 0:
            return ldexp(g, (int)(r % 60) - 40);
        case 1:
            return ldexp(g, (int)(r % 200) - 100);
        case 2:
            return r % 3000 == 0 ? -INFINITY : g;
        default:
            return r % 500 == 0 ? 0.0 : g;
        }
    case WIDE_NONFINITE: /* with zeros and subnormal numbers */
        switch (r % 9) {
        case 0:
            return r % 2 == 0 ? INFINITY : (double)NAN;
        case 1:
            return r % 2 == 0 ? 0.0 : -0.0;
        case 2:
            return ldexp(g, -126);
        default:
            return ldexp(g, (int)(r / 9 % 60) - 40);
        }
    default:
        return g;
    }
}

static void store(enum llmfp_encoding_id id, double value, unsigned char *bytes)
{
    const float f32 = (float)value;
    uint32_t bits;
    memcpy(&bits, &f32, 4);
    uint16_t half = (uint16_t)(bits >> 16); /* BF16 */
    switch (id) {
    case LLMFP_F64:
        memcpy(bytes, &value, 8);
        return;
    case LLMFP_F32:
        memcpy(bytes, &f32, 4);
        return;
    case LLMFP_F16: {
        /* Cut, not rounded; outside the range of F16 the exponent wraps: any pattern will do. */
        const uint32_t exponent = ((bits >> 23 & 255) - 112) & 31;
        half = (uint16_t)((bits >> 16 & 0x8000) | exponent << 10 | (bits >> 13 & 0x3FF));
        half = (bits & INT32_MAX) == 0 ? (uint16_t)(bits >> 16) : half;
        break;
    }
    default:
        break;
    }
    if (llmfp_encoding(id)->block_bytes == 2) {
        memcpy(bytes, &half, 2);
    } else {
        /* Any code, but infinities and NaN (of either format) only for values that are. */
        const unsigned code = (unsigned)(half >> 7 ^ half) & 0xFF;
        bytes[0] = (unsigned char)(isfinite(value) && (code & 0x7F) >= 0x7C ? code & 0xBF : code);
    }
}

struct outcome {
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

/* The moments of n elements by one instruction set, settled. */
static void run(enum llmfp_isa isa, enum llmfp_encoding_id id, const unsigned char *bytes,
                uint64_t n, struct outcome *outcome)
{
    struct llmfp_moments_layout layout = {0};
    const struct llmfp_elements elements = {.bytes = bytes, .n_elements = n};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(id));
    memset(outcome, 0, sizeof *outcome);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    CU_ASSERT_EQUAL_FATAL(setenv("LLMFP_ISA", llmfp_isa_name(isa), 1), 0);
    llmfp_encoding(id)->add(&moments, &elements);
    llmfp_moments_settle(&moments);
}

static const enum llmfp_encoding_id floats[] = {LLMFP_F64,         LLMFP_F32,        LLMFP_F16,
                                                LLMFP_BF16,        LLMFP_F8_E4M3,    LLMFP_F8_E5M2,
                                                LLMFP_F8_E4M3FNUZ, LLMFP_F8_E5M2FNUZ};
enum { N_FLOATS = sizeof floats / sizeof floats[0] };

/* Counted here, because all sets share the code that chooses how blocks are summed. */
static uint64_t zeros_of(enum llmfp_encoding_id id, const unsigned char *bytes, uint64_t n)
{
    const size_t size = llmfp_encoding(id)->block_bytes;
    const bool one_zero = id == LLMFP_F8_E4M3FNUZ || id == LLMFP_F8_E5M2FNUZ;
    const uint64_t sign = one_zero ? 0 : UINT64_C(1) << (8 * size - 1);
    uint64_t zeros = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t pattern = 0;
        memcpy(&pattern, bytes + i * size, size);
        zeros += (pattern & ~sign) == 0;
    }
    return zeros;
}

/* One element, by the C library's own conversions; F16 by its definition. */
static double load(enum llmfp_encoding_id id, const unsigned char *bytes)
{
    double value = 0;
    float f32;
    uint16_t half = 0;
    uint32_t bits;
    switch (id) {
    case LLMFP_F64:
        memcpy(&value, bytes, 8);
        return value;
    case LLMFP_F16:
        memcpy(&half, bytes, 2);
        value = (half & 0x7C00) == 0 ? ldexp(half & 0x3FF, -24)
                                     : ldexp((half & 0x3FF) + 0x400, (half >> 10 & 31) - 25);
        value = (half & 0x7C00) == 0x7C00 ? INFINITY : value;
        return half >> 15 != 0 ? -value : value;
    case LLMFP_BF16:
        memcpy(&half, bytes, 2);
        bits = (uint32_t)half << 16;
        memcpy(&f32, &bits, 4);
        return (double)f32;
    default:
        memcpy(&f32, bytes, 4);
        return (double)f32;
    }
}

static bool is_summed_plainly(enum llmfp_encoding_id id)
{
    return id == LLMFP_F64 || id == LLMFP_F32 || id == LLMFP_F16 || id == LLMFP_BF16;
}

/* Element by element: no windows, no bins. */
static void sum_plainly(enum llmfp_encoding_id id, const unsigned char *bytes, uint64_t n,
                        struct outcome *outcome)
{
    struct llmfp_moments_layout layout = {0};
    llmfp_moments_layout_cover(&layout, llmfp_encoding(id));
    memset(outcome, 0, sizeof *outcome);
    struct llmfp_moments moments =
        llmfp_moments_begin(&layout, outcome->additive, outcome->extreme);
    for (uint64_t i = 0; i < n; i++) {
        const double value = load(id, bytes + i * llmfp_encoding(id)->block_bytes);
        const bool is_finite = isfinite(value);
        llmfp_moments_add_counts(&moments, 1, value == 0, !is_finite);
        if (is_finite) {
            const int unit = llmfp_encoding(id)->lowest_exponent;
            int exponent = 0;
            frexp(value, &exponent); /* value has 53 bits below 2^exponent, or 24 at most */
            exponent -= id == LLMFP_F64 ? 53 : 24;
            exponent = exponent < unit ? unit : exponent;
            const int64_t mantissa =
                (int64_t)ldexp(ldexp(value, -exponent / 2), exponent / 2 - exponent);
            llmfp_moments_add_sum(&moments, mantissa, exponent);
            llmfp_moments_add_square(&moments, (llmfp_u128)((llmfp_i128)mantissa * mantissa),
                                     2 * exponent);
            llmfp_moments_add_range(&moments, value, value);
        }
    }
    llmfp_moments_settle(&moments);
}

static void compare(enum llmfp_encoding_id id, const unsigned char *bytes, uint64_t n,
                    const char *what)
{
    static struct outcome reference;
    static struct outcome outcome;
    run(LLMFP_ISA_PORTABLE, id, bytes, n, &reference);
    CU_ASSERT_EQUAL((uint64_t)reference.additive[LLMFP_COUNT], n);
    CU_ASSERT_EQUAL((uint64_t)reference.additive[LLMFP_ZEROS], zeros_of(id, bytes, n));
    if (is_summed_plainly(id)) {
        sum_plainly(id, bytes, n, &outcome);
        CU_ASSERT_EQUAL(memcmp(&reference, &outcome, sizeof outcome), 0);
    }
    for (int isa = LLMFP_ISA_PORTABLE + 1; isa < LLMFP_N_ISAS; isa++) {
        if (llmfp_isa_is_supported((enum llmfp_isa)isa)) {
            run((enum llmfp_isa)isa, id, bytes, n, &outcome);
            const bool same = memcmp(&reference, &outcome, sizeof outcome) == 0;
            CU_ASSERT_TRUE(same);
            if (!same) {
                (void)printf("  %s %s: %s, %llu elements\n", llmfp_isa_name((enum llmfp_isa)isa),
                             llmfp_encoding(id)->name, what, (unsigned long long)n);
            }
        }
    }
}

static unsigned char *buffer; /* room for MOST_ELEMENTS doubles at any alignment */

static void fill(enum llmfp_encoding_id id, enum class class, unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        store(id, value_of(class, i, n), bytes + i * llmfp_encoding(id)->block_bytes);
    }
}

static void every_class(void)
{
    static const size_t lengths[] = {0,    1,     31,    1023,  1024,  1056,
                                     5184, 32767, 32768, 32769, 70001, MOST_ELEMENTS};
    for (int f = 0; f < N_FLOATS; f++) {
        for (int class = 0; class < N_CLASSES; class ++) {
            fill(floats[f], (enum class) class, buffer, MOST_ELEMENTS);
            for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
                char what[32];
                (void)snprintf(what, sizeof what, "class %d", class);
                compare(floats[f], buffer, lengths[l], what);
            }
        }
    }
}

static void every_tail_and_alignment(void)
{
    for (int f = 0; f < N_FLOATS; f++) {
        for (size_t alignment = 0; alignment < 9; alignment++) {
            for (int wide = 0; wide < 2; wide++) {
                fill(floats[f], wide ? WIDE_NONFINITE : OUTLIERS, buffer + alignment, 1400);
                for (size_t n = 1000; n < 1400; n += wide ? 13 : 1) {
                    compare(floats[f], buffer + alignment, n, "tail");
                }
            }
        }
    }
}

/* All patterns of 16 bits, shuffled and in order, and one exponent after the other. */
static void every_pattern(void)
{
    for (int f = 0; f < N_FLOATS; f++) {
        const size_t size = llmfp_encoding(floats[f])->block_bytes;
        for (uint64_t i = 0; i < MOST_ELEMENTS; i++) {
            const uint64_t pattern = size <= 2 ? i * 40503 : random_bits();
            memcpy(buffer + i * size, &pattern, size);
        }
        compare(floats[f], buffer, MOST_ELEMENTS, "shuffled patterns");
        for (uint64_t i = 0; i < MOST_ELEMENTS; i++) {
            const uint64_t pattern = size <= 2 ? i : i << 47 ^ i << 15;
            memcpy(buffer + i * size, &pattern, size);
        }
        compare(floats[f], buffer, MOST_ELEMENTS, "patterns in order");
    }
}

/* All mantissas full and all signs alike, in the highest binade or a few below: sums of
 * blocks come as near to their bounds as they can. */
static void largest_sums(void)
{
    static const int mantissa_bits[N_FLOATS] = {52, 23, 10, 7, 3, 2, 3, 2};
    static const int most_below[] = {0, 7, 11, 14, 15, 18, 27, 43, 47, 58, 59, 60, 61, 99};
    for (int f = 0; f < N_FLOATS; f++) {
        const int size = llmfp_encoding(floats[f])->block_bytes;
        const int exponent_bits = 8 * size - 1 - mantissa_bits[f];
        const int top = (1 << (exponent_bits - 1)) + (size > 1 ? 8 : 0);
        for (size_t b = 0; b < sizeof most_below / sizeof most_below[0]; b++) {
            for (size_t i = 0; i < MOST_ELEMENTS; i++) {
                int exponent = i % 4 != 0 ? top : top - (int)(i / 4 % 2) * most_below[b];
                exponent = exponent < 1 ? 1 : exponent;
                const uint64_t pattern = UINT64_C(1) << (8 * size - 1) |
                                         (uint64_t)exponent << mantissa_bits[f] |
                                         ((UINT64_C(1) << mantissa_bits[f]) - 1);
                memcpy(buffer + i * (size_t)size, &pattern, (size_t)size);
            }
            compare(floats[f], buffer, MOST_ELEMENTS, "largest sums");
        }
    }
}

/* More elements of one pattern, full mantissas, than a bin's sums may hold before they are
 * unpacked, among others so far below that no window holds them. */
static void fullest_bins(void)
{
    static const enum llmfp_encoding_id ids[] = {LLMFP_F16, LLMFP_BF16};
    enum { N = (1 << 20) + 70000 };
    unsigned char *bytes = malloc((size_t)2 * N);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (size_t f = 0; f < sizeof ids / sizeof ids[0]; f++) {
        for (size_t i = 0; i < N; i++) {
            const uint16_t low = ids[f] == LLMFP_F16 ? 0x05FF : 0x10FF;
            const uint16_t pattern = i % 4 == 3 ? low : ids[f] == LLMFP_F16 ? 0xF7FF : 0xFEFF;
            memcpy(bytes + 2 * i, &pattern, 2);
        }
        compare(ids[f], bytes, N, "fullest bins");
    }
    free(bytes);
}

/* Where the environment says so (emulators), a set must be there, and not go untested. */
static void sets_are_there(void)
{
    const char *name = getenv("LLMFP_TEST_ISA");
    CU_ASSERT_TRUE(llmfp_isa_is_supported(LLMFP_ISA_PORTABLE));
    if (name != NULL) {
        struct llmfp_error error = {LLMFP_OK, ""};
        CU_ASSERT_EQUAL(setenv("LLMFP_ISA", name, 1), 0);
        CU_ASSERT_EQUAL(llmfp_isa_check(&error), LLMFP_OK);
        CU_ASSERT_EQUAL(strcmp(llmfp_isa_name(llmfp_isa_chosen()), name), 0);
    }
}

static void names_are_checked(void)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(setenv("LLMFP_ISA", "sse9", 1), 0);
    CU_ASSERT_EQUAL(llmfp_isa_check(&error), LLMFP_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "sse9"));
    CU_ASSERT_EQUAL(setenv("LLMFP_ISA", "portable", 1), 0);
    CU_ASSERT_EQUAL(llmfp_isa_check(&error), LLMFP_OK);
    CU_ASSERT_EQUAL(llmfp_isa_chosen(), LLMFP_ISA_PORTABLE);
    CU_ASSERT_EQUAL(unsetenv("LLMFP_ISA"), 0);
    CU_ASSERT_EQUAL(llmfp_isa_check(&error), LLMFP_OK);
}

static void with_buffer(void (*test)(void))
{
    buffer = malloc((size_t)8 * MOST_ELEMENTS + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buffer);
    test();
    free(buffer);
}

static void classes(void)
{
    with_buffer(every_class);
}
static void tails(void)
{
    with_buffer(every_tail_and_alignment);
}
static void patterns(void)
{
    with_buffer(every_pattern);
}
static void bounds(void)
{
    with_buffer(largest_sums);
}

TEST_PROGRAM("kernels", TEST(classes), TEST(tails), TEST(patterns), TEST(bounds),
             TEST(fullest_bins), TEST(sets_are_there), TEST(names_are_checked))
