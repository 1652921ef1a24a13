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

static void add_sums(const struct float8 *float8, const struct float8_tables *tables,
                     struct llmfp_moments *moments, const struct float8_sums *sums, uint64_t n)
{
    for (int k = 0; k < tables->n_classes; k++) {
        llmfp_moments_add_sum(moments, sums->sum[k], tables->exponent[k]);
        llmfp_moments_add_square(moments, sums->squares[k], 2 * tables->exponent[k]);
    }
    llmfp_moments_add_counts(moments, n, sums->zeros, 0);
    llmfp_moments_add_range(moments, float8_smallest(float8, sums), float8_largest(float8, sums));
}

/* Adds whole vectors; returns how many codes that were. */
static uint64_t add_by_vectors(const struct float8 *float8, struct llmfp_moments *moments,
                               const unsigned char *bytes, uint64_t n)
{
    struct float8_tables tables;
    llmfp_float8_make_tables(float8, &tables);
    struct float8_sums sums = {
        .largest_signed = INT8_MIN, .least_signed = INT8_MAX, .largest_unsigned = 0};
    const uint64_t n_vectors = n - n % FLOAT8_VECTOR;
    uint64_t n_summed = 0;
    for (uint64_t i = 0; i < n_vectors; i += FLOAT8_BLOCK) {
        const uint64_t n_block = n_vectors - i < FLOAT8_BLOCK ? n_vectors - i : FLOAT8_BLOCK;
        if (llmfp_float8_add_avx512(&sums, float8, &tables, bytes + i, (size_t)n_block)) {
            n_summed += n_block;
        } else {
            add_by_counting(float8, moments, bytes + i, n_block);
        }
    }
    if (n_summed > 0) {
        add_sums(float8, &tables, moments, &sums, n_summed);
    }
    return n_vectors;
}
#endif

static void add_8_bits(const struct float8 *float8, struct llmfp_moments *moments,
                       const struct llmfp_elements *elements)
{
    uint64_t n_done = 0;
#if defined(__x86_64__)
    if (elements->n_elements >= FEW && llmfp_isa_chosen() == LLMFP_ISA_AVX512) {
        n_done = add_by_vectors(float8, moments, elements->bytes, elements->n_elements);
    }
#endif
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
