/* float8.c - kernels of the 8-bit floats: count the 256 codes, then weigh them.
 * Sources: OCP 8-bit floating point specification (E4M3, E5M2); the FNUZ
 * variants (no infinities, no -0, code 0x80 is NaN) as in ml_dtypes' definition. */
#include <string.h>

#include "bytes.h"
#include "float_bits.h"
#include "kernels.h"

enum {
    CODES = 256,
    COPIES = 4, /* of the counts, so that equal neighbours do not wait for each other */
    /* Counts are 32 bits; m < 2^4, so m^2 times a count stays far below 2^63. */
    MOST_IN_BLOCK = 1 << 30
};

struct float8 {
    struct float_format format;
    uint8_t first_nonfinite; /* magnitudes from here on are infinite or NaN */
    bool negative_zero_is_nan;
};

static const struct float8 e4m3 = {{8, 3, 7}, 0x7F, false};
static const struct float8 e5m2 = {{8, 2, 15}, 0x7C, false};
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

static void add_8_bits(const struct float8 *float8, struct llmfp_moments *moments,
                       const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
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

void llmfp_add_f8_e4m3(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e4m3, moments, elements);
}

void llmfp_add_f8_e5m2(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e5m2, moments, elements);
}

void llmfp_add_f8_e4m3fnuz(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e4m3fnuz, moments, elements);
}

void llmfp_add_f8_e5m2fnuz(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    add_8_bits(&e5m2fnuz, moments, elements);
}
