/* float8.c - kernels of the 8-bit floats: count the 256 codes, then weigh them; or sum
 * them by vectors, where there are vectors for that.
 * Sources: OCP 8-bit floating point specification (E4M3, E5M2); the FNUZ
 * variants (no infinities, no -0, code 0x80 is NaN) as in ml_dtypes' definition. */
#include <string.h>

#include "bytes.h"
#include "float8.h"
#include "kernels.h"
#include "llmfp/isa.h"

enum {
    CODES = 256,
    FEW = 1024, /* codes for which tables do not pay */
    COPIES = 4, /* of the counts, so that equal neighbours do not wait for each other */
    /* Counts are 32 bits; m < 2^4, so m^2 times a count stays far below 2^63. */
    MOST_IN_BLOCK = 1 << 30
};

const struct float8 llmfp_float8_e4m3 = {{8, 3, 7}, 0x7F, false};
const struct float8 llmfp_float8_e5m2 = {{8, 2, 15}, 0x7C, false};
static const struct float8 e4m3fnuz = {{8, 3, 8}, 0x80, true};
static const struct float8 e5m2fnuz = {{8, 2, 16}, 0x80, true};

static void count_codes(uint32_t counts[COPIES][CODES], const unsigned char *bytes, uint64_t n)
{
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint64_t eight = llmfp_load_u64(bytes + i);
        counts[0][eight & 0xFF]++;
        counts[1][eight >> 8 & 0xFF]++;
        counts[2][eight >> 16 & 0xFF]++;
        counts[3][eight >> 24 & 0xFF]++;
        counts[0][eight >> 32 & 0xFF]++;
        counts[1][eight >> 40 & 0xFF]++;
        counts[2][eight >> 48 & 0xFF]++;
        counts[3][eight >> 56]++;
    }
    for (; i < n; i++) {
        counts[0][bytes[i]]++;
    }
}

static bool is_nonfinite(const struct float8 *float8, uint32_t code)
{
    return (code & 0x7F) >= float8->first_nonfinite ||
           (float8->negative_zero_is_nan && code == 0x80);
}

static void add_code(const struct float8 *float8, struct llmfp_moments *moments, uint32_t code,
                     uint64_t count)
{
    if (is_nonfinite(float8, code)) {
        llmfp_moments_add_counts(moments, count, 0, count);
        return;
    }
    const int mantissa_bits = float8->format.mantissa_bits;
    const uint32_t magnitude = code & 0x7F;
    const int biased = (int)(magnitude >> mantissa_bits);
    const int64_t m = (int64_t)((magnitude & ((1U << mantissa_bits) - 1)) |
                                (biased > 0 ? 1U << mantissa_bits : 0U));
    const int64_t total = m * (int64_t)count;
    const int exponent = bin_exponent(&float8->format, biased);
    llmfp_moments_add_sum(moments, (code & 0x80) != 0 ? -total : total, exponent);
    llmfp_moments_add_square(moments, (uint64_t)(m * total), 2 * exponent);
    llmfp_moments_add_counts(moments, count, magnitude == 0 ? count : 0, 0);
    const double value = value_of_bits(&float8->format, code);
    llmfp_moments_add_range(moments, value, value);
}

static void add_by_counting(const struct float8 *float8, struct llmfp_moments *moments,
                            const unsigned char *bytes, uint64_t n)
{
    while (n > 0) {
        const uint64_t n_block = n < MOST_IN_BLOCK ? n : MOST_IN_BLOCK;
        uint32_t counts[COPIES][CODES];
        memset(counts, 0, sizeof counts);
        count_codes(counts, bytes, n_block);
        for (uint32_t code = 0; code < CODES; code++) {
            const uint64_t count =
                (uint64_t)counts[0][code] + counts[1][code] + counts[2][code] + counts[3][code];
            if (count != 0) {
                add_code(float8, moments, code, count);
            }
        }
        bytes += n_block;
        n -= n_block;
    }
}

/* ---- by vectors ---- */

/* A kernel, whichever tables it looks codes up in. */
struct vector_kernel {
    const struct float8 *float8;
    const struct float8_tables *tables;
    const struct float8_nibbles *nibbles;
    float8_nibble_kernel *add_by_nibbles; /* NULL: by tables */
};

static bool add_block(const struct vector_kernel *kernel, struct float8_sums *sums,
                      const unsigned char *bytes, size_t n)
{
#if defined(__x86_64__)
    if (kernel->add_by_nibbles == NULL) {
        return llmfp_float8_add_avx512(sums, kernel->float8, kernel->tables, bytes, n);
    }
#endif
    return kernel->add_by_nibbles(sums, kernel->float8, kernel->nibbles, bytes, n);
}

/* Sum whole vectors, all but the sums of classes, which are for the caller to add; returns how
 * many codes that were. */
static uint64_t add_vectors(const struct vector_kernel *kernel, struct llmfp_moments *moments,
                            struct float8_sums *sums, const unsigned char *bytes, uint64_t n)
{
    const uint64_t n_vectors = n - n % FLOAT8_VECTOR;
    uint64_t n_summed = 0;
    *sums = FLOAT8_NO_SUMS;
    for (uint64_t i = 0; i < n_vectors; i += FLOAT8_BLOCK) {
        const uint64_t n_block = n_vectors - i < FLOAT8_BLOCK ? n_vectors - i : FLOAT8_BLOCK;
        if (add_block(kernel, sums, bytes + i, (size_t)n_block)) {
            n_summed += n_block;
        } else {
            add_by_counting(kernel->float8, moments, bytes + i, n_block);
        }
    }
    llmfp_moments_add_counts(moments, n_summed, sums->zeros, 0);
    if (n_summed > 0) {
        llmfp_moments_add_range(moments, float8_smallest(kernel->float8, sums),
                                float8_largest(kernel->float8, sums));
    }
    return n_vectors;
}

#if defined(__x86_64__)
/* Classes from the lowest binade up, each as long as its magnitudes fit into 7 bits. */
void llmfp_float8_make_tables(const struct float8 *float8, struct float8_tables *tables)
{
    const int mantissa_bits = float8->format.mantissa_bits;
    const uint32_t hidden = 1U << mantissa_bits;
    memset(tables, 0, sizeof *tables);
    int class = 0;
    tables->exponent[0] = bin_exponent(&float8->format, 0);
    for (uint32_t code = 0; code < float8->first_nonfinite && code < 128; code++) {
        const int biased = (int)(code >> mantissa_bits);
        const int exponent = bin_exponent(&float8->format, biased);
        const uint32_t m = (code & (hidden - 1)) | (biased > 0 ? hidden : 0);
        if ((2 * hidden - 1) << (exponent - tables->exponent[class]) > 127) {
            class ++;
            tables->exponent[class] = exponent;
        }
        tables->value[class][code] = (uint8_t)(m << (exponent - tables->exponent[class]));
    }
    tables->n_classes = class + 1;
}

static uint64_t add_by_tables(const struct float8 *float8, struct llmfp_moments *moments,
                              const unsigned char *bytes, uint64_t n)
{
    struct float8_tables tables;
    llmfp_float8_make_tables(float8, &tables);
    const struct vector_kernel kernel = {.float8 = float8, .tables = &tables};
    struct float8_sums sums;
    const uint64_t n_vectors = add_vectors(&kernel, moments, &sums, bytes, n);
    for (int k = 0; k < tables.n_classes; k++) {
        llmfp_moments_add_sum(moments, sums.sum[k], tables.exponent[k]);
        llmfp_moments_add_square(moments, sums.squares[k], 2 * tables.exponent[k]);
    }
    return n_vectors;
}
#endif

/* Powers of 2^bits that are at most 2^most_bits make a class; returns how many classes. `unit` is
 * the exponent of the power 0. */
static int make_powers(int bits, int most_bits, int unit, int exponent[FLOAT8_MOST_CLASSES],
                       uint8_t power[FLOAT8_MOST_CLASSES][16])
{
    const int n_in_class = most_bits / bits + 1;
    for (int e = 0; e < 16; e++) {
        const int class = e / n_in_class;
        exponent[class] = unit + bits * class * n_in_class;
        power[class][e] = (uint8_t)(1U << (bits * (e % n_in_class)));
    }
    return 15 / n_in_class + 1;
}

void llmfp_float8_make_nibbles(const struct float8 *float8, enum float8_powers powers,
                               struct float8_nibbles *tables)
{
    const int mantissa_bits = float8->format.mantissa_bits;
    const int bits = mantissa_bits == 3 ? 1 : 2; /* of the base's powers */
    const int unit = -float8->format.bias - mantissa_bits;
    const uint32_t hidden = 1U << mantissa_bits;
    memset(tables, 0, sizeof *tables);
    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t lower = i & 7; /* lowest bit of a five-bit exponent and mantissa */
        const uint32_t m = lower & (hidden - 1);
        const uint32_t normal = (hidden | m) << (lower >> mantissa_bits);
        const uint32_t g = i < 8 ? 2 * lower : normal;
        tables->g[i] = (uint8_t)g;
        tables->g_squared[i] = (uint8_t)(g * g);
    }
    if (powers == FLOAT8_SMALL_FACTORS) {
        tables->n_sums = make_powers(bits, 6, unit, tables->sum_exponent, tables->power);
        tables->n_squares =
            make_powers(2 * bits, 6, 2 * unit, tables->square_exponent, tables->power_squared);
        return;
    }
    tables->n_sums = make_powers(bits, 7, unit, tables->sum_exponent, tables->power);
    tables->n_squares = tables->n_sums;
    for (int k = 0; k < tables->n_sums; k++) {
        tables->square_exponent[k] = 2 * tables->sum_exponent[k];
    }
}

/* What a kernel wants in its tables. */
static enum float8_powers powers_of(float8_nibble_kernel *kernel)
{
#if defined(__x86_64__)
    return kernel == llmfp_float8_add_avx2 ? FLOAT8_PRODUCTS : FLOAT8_SMALL_FACTORS;
#else
    (void)kernel;
    return FLOAT8_SMALL_FACTORS;
#endif
}

/* Unit exponents may be finer than the moments': sums are whole there. */
static uint64_t add_by_nibbles(const struct float8 *float8, struct llmfp_moments *moments,
                               float8_nibble_kernel *add, const unsigned char *bytes, uint64_t n)
{
    struct float8_nibbles tables;
    llmfp_float8_make_nibbles(float8, powers_of(add), &tables);
    const struct vector_kernel kernel = {
        .float8 = float8, .nibbles = &tables, .add_by_nibbles = add};
    struct float8_sums sums;
    const uint64_t n_vectors = add_vectors(&kernel, moments, &sums, bytes, n);
    const int finest = bin_exponent(&float8->format, 0); /* one above the lowest unit */
    for (int k = 0; k < tables.n_sums; k++) {
        const int excess = tables.sum_exponent[k] < finest ? 1 : 0;
        llmfp_moments_add_sum(moments, sums.sum[k] / (1 << excess),
                              tables.sum_exponent[k] + excess);
    }
    for (int k = 0; k < tables.n_squares; k++) {
        const int excess = tables.square_exponent[k] < 2 * finest ? 2 : 0;
        llmfp_moments_add_square(moments, sums.squares[k] >> excess,
                                 tables.square_exponent[k] + excess);
    }
    return n_vectors;
}

static float8_nibble_kernel *nibble_kernel(void)
{
    switch (llmfp_isa_chosen()) {
#if defined(__x86_64__)
    case LLMFP_ISA_AVX2:
        return llmfp_float8_add_avx2;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    case LLMFP_ISA_NEON:
        return llmfp_float8_add_neon;
#endif
    default:
        return NULL;
    }
}

static void add_8_bits(const struct float8 *float8, struct llmfp_moments *moments,
                       const struct llmfp_elements *elements)
{
    uint64_t n_done = 0;
    if (elements->n_elements >= FEW) {
        float8_nibble_kernel *const kernel = nibble_kernel();
        if (kernel != NULL) {
            n_done = add_by_nibbles(float8, moments, kernel, elements->bytes, elements->n_elements);
        }
#if defined(__x86_64__)
        if (llmfp_isa_chosen() == LLMFP_ISA_AVX512) {
            n_done = add_by_tables(float8, moments, elements->bytes, elements->n_elements);
        }
#endif
    }
    if (n_done < elements->n_elements) {
        add_by_counting(float8, moments, elements->bytes + n_done, elements->n_elements - n_done);
    }
}

void llmfp_add_f8_e4m3(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&llmfp_float8_e4m3, moments, elements);
}

void llmfp_add_f8_e5m2(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&llmfp_float8_e5m2, moments, elements);
}

void llmfp_add_f8_e4m3fnuz(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e4m3fnuz, moments, elements);
}

void llmfp_add_f8_e5m2fnuz(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e5m2fnuz, moments, elements);
}
