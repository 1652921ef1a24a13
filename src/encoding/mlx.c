/* mlx.c - MLX's affine integers: codes row by row, a scale and an offset for each group.
 *
 * The weight is [rows, columns] in row-major order (stacked experts: all their rows). The codes
 * of a row are a stream of bits, the lowest first, in 32-bit words, little-endian.
 *   side 0      scales [rows, groups], F16, BF16 or F32
 *   side 1      offsets ("biases") [rows, groups], likewise
 *   parameters  columns, columns of a group (a multiple of 32), bits (2, 3, 4, 5, 6 or 8)
 * value = scale * code + offset. Blocks of 32 codes fill `bits` words, and groups are whole
 * blocks, so that no code is cut.
 * A group with scale m 2^e, offset m' 2^e' and n codes q has
 *   sum of x    m 2^e S1 + m' 2^e' n
 *   sum of x^2  m^2 2^2e S2 + 2 m m' 2^(e + e') S1 + m'^2 2^2e' n
 * whose terms are below 2^24 2^24 2^16 2^32 = 2^96 for n < 2^32. Source: mlx.core.quantize. */
#include <inttypes.h>

#include "integer_groups.h"
#include "kernels.h"

enum { BLOCK_CODES = 32, DOUBLE_BITS = 53 };

/* The codes of a group, or of the part of it that is here. */
struct codes {
    int64_t n;
    int64_t sum;
    int64_t squares;
    int64_t least;
    int64_t largest;
    int64_t nulls; /* codes that are `null` */
    int64_t null;  /* the code of value 0, or -1 */
};

static void add_block(struct codes *codes, const unsigned char *bytes, unsigned bits)
{
    const uint32_t mask = (1U << bits) - 1;
    uint64_t stream = 0;
    unsigned have = 0;
    for (unsigned i = 0; i < BLOCK_CODES; i++) {
        if (have < bits) {
            stream |= (uint64_t)llmfp_load_u32(bytes) << have;
            bytes += 4;
            have += 32;
        }
        const int64_t q = (int64_t)(stream & mask);
        stream >>= bits;
        have -= bits;
        codes->sum += q;
        codes->squares += q * q;
        codes->nulls += q == codes->null ? 1 : 0;
        codes->least = q < codes->least ? q : codes->least;
        codes->largest = q > codes->largest ? q : codes->largest;
    }
    codes->n += BLOCK_CODES;
}

/* A scale as a double; exact. */
static double value_of(const struct side_scale *scale)
{
    return ldexp((double)scale->mantissa, scale->exponent);
}

/* The code q with scale * q + offset = 0, or -1. Products of 24 and 8 bits are exact. */
static int64_t null_code(double scale, double offset, unsigned bits)
{
    const double q = scale != 0 ? nearbyint(-offset / scale) : -1;
    return q >= 0 && q < (double)(1U << bits) && scale * q == -offset ? (int64_t)q : -1;
}

static void add_group(struct scaled_bins *bins, const struct side_scale *scale,
                      const struct side_scale *offset, const struct codes *codes)
{
    const double s = value_of(scale);
    const double b = value_of(offset);
    const llmfp_i128 m = scale->mantissa;
    const llmfp_i128 t = offset->mantissa;
    const int i = scale->exponent - bins->lowest;
    const int j = offset->exponent - bins->lowest;
    scaled_bins_add_sum(bins, i, m * codes->sum);
    scaled_bins_add_sum(bins, j, t * codes->n);
    scaled_bins_add_square(bins, 2 * i, m * m * codes->squares);
    scaled_bins_add_square(bins, i + j, 2 * m * t * codes->sum);
    scaled_bins_add_square(bins, 2 * j, t * t * codes->n);
    bins->count += (uint64_t)codes->n;
    bins->zeros += (uint64_t)(s == 0 && b == 0 ? codes->n : codes->nulls);
    /* Exact: all values of a group are doubles (llmfp_check_mlx). */
    const double first = s * (double)codes->least + b;
    const double last = s * (double)codes->largest + b;
    scaled_bins_add_range(bins, first < last ? first : last, first < last ? last : first);
}

void llmfp_add_mlx(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const struct llmfp_sides *sides = elements->sides;
    const uint64_t columns = sides->parameters[0];
    const uint64_t group_columns = sides->parameters[1];
    const unsigned bits = (unsigned)sides->parameters[2];
    const unsigned char *bytes = elements->bytes;
    struct scaled_bins bins;
    scaled_bins_begin(&bins, GROUPS_LOWEST, GROUPS_BINS);
    uint64_t at = elements->first_element;
    const uint64_t end = at + elements->n_elements;
    while (at < end) {
        /* Groups divide rows, so those of all rows count through. */
        const uint64_t group =
            at / columns * (columns / group_columns) + at % columns / group_columns;
        const uint64_t rest = group_columns - at % group_columns;
        const uint64_t stop = rest < end - at ? at + rest : end;
        const struct side_scale scale = side_scale_at(sides, 0, group);
        const struct side_scale offset = side_scale_at(sides, 1, group);
        if (!scale.finite || !offset.finite) {
            bins.count += stop - at;
            bins.nonfinite += stop - at;
            bytes += (stop - at) / BLOCK_CODES * 4 * bits;
            at = stop;
            continue;
        }
        struct codes codes = {.least = INT64_MAX,
                              .largest = INT64_MIN,
                              .null = null_code(value_of(&scale), value_of(&offset), bits)};
        for (; at < stop; at += BLOCK_CODES, bytes += 4 * (size_t)bits) {
            add_block(&codes, bytes, bits);
        }
        add_group(&bins, &scale, &offset, &codes);
    }
    scaled_bins_flush(&bins, moments);
}

/* Where the bits of a scale that is not 0 lie: from 2^low to below 2^high. */
static void span_of(const struct side_scale *scale, int *low, int *high)
{
    uint64_t m = (uint64_t)(scale->mantissa < 0 ? -scale->mantissa : scale->mantissa);
    *low = scale->exponent;
    for (; m % 2 == 0; m /= 2) {
        (*low)++;
    }
    for (*high = *low; m != 0; m /= 2) {
        (*high)++;
    }
}

/* Whether scale * code + offset is a double for every code. */
static bool group_fits(const struct side_scale *scale, const struct side_scale *offset, int bits)
{
    if (!scale->finite || !offset->finite || scale->mantissa == 0 || offset->mantissa == 0) {
        return true;
    }
    int low[2];
    int high[2];
    span_of(scale, &low[0], &high[0]);
    span_of(offset, &low[1], &high[1]);
    high[0] += bits;
    return (high[0] > high[1] ? high[0] : high[1]) + 1 - (low[0] < low[1] ? low[0] : low[1]) <=
           DOUBLE_BITS;
}

enum llmfp_status llmfp_check_mlx(const struct llmfp_sides *sides, struct llmfp_error *error)
{
    const uint64_t width = sides->side[0].encoding == LLMFP_F32 ? 4 : 2;
    for (uint64_t i = 0; i < sides->side[0].size_bytes / width; i++) {
        const struct side_scale scale = side_scale_at(sides, 0, i);
        const struct side_scale offset = side_scale_at(sides, 1, i);
        if (!group_fits(&scale, &offset, (int)sides->parameters[2])) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "scale and bias of group %" PRIu64
                              " are of so different sizes that their sum has more than %d bits",
                              i, DOUBLE_BITS);
        }
    }
    return LLMFP_OK;
}
