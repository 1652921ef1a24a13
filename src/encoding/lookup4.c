/* lookup4.c - bitsandbytes' 4-bit weights: codes look a value up, and blocks have a scale.
 *
 * Elements follow each other as in the weight; the high nibble of a byte comes first.
 *   side 0      absmax, one for each block: F32, or U8 when it is quantised itself
 *   side 1      quant_map F32 [16]
 *   side 2      the quant_state, which was read before
 *   side 3, 4   nested_absmax F32, nested_quant_map F32 [256]; only with absmax U8
 *   parameters  elements, elements of a block, blocks of a nested block (0: none), bits of
 *               the F32 nested_offset
 * value = quant_map[code] * absmax, absmax = nested_quant_map[u8] * nested_absmax +
 * nested_offset where it is quantised: real arithmetic, nothing is rounded on the way.
 * Only the extremes are, to the nearest double.
 * Source: the dequantiser of bitsandbytes.                                           */
#include "lookup4.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "kernels.h"

enum {
    CODES = LOOKUP4_CODES,
    MOST_BYTES = 64, /* whose sums fit a lookup4_pair */
    /* Values of the map as integers of one unit are below 2^28, so the squares of 128 of
     * them are below 2^63; other maps are added code by code, 2^16 elements at most. */
    MAP_BITS = 28,
    SCALE_BITS = 84,
    /* Of a sum of a, which has 48 bits at most, and b, which has 24. */
    MOST_A_SHIFT = SCALE_BITS - 49,
    MOST_B_SHIFT = SCALE_BITS - 25
};

static struct wide_scale add_parts(llmfp_i128 a, int a_exponent, llmfp_i128 b, int b_exponent)
{
    struct wide_scale sum = {0, 0, true, true};
    if (a == 0 || b == 0) {
        sum.mantissa = a + b;
        sum.exponent = a == 0 ? b_exponent : a_exponent;
        return sum;
    }
    const int low = a_exponent < b_exponent ? a_exponent : b_exponent;
    if (a_exponent - low > MOST_A_SHIFT || b_exponent - low > MOST_B_SHIFT) {
        sum.fits = false;
        return sum;
    }
    sum.mantissa =
        a * ((llmfp_i128)1 << (a_exponent - low)) + b * ((llmfp_i128)1 << (b_exponent - low));
    sum.exponent = low;
    return sum;
}

struct side_scale lookup4_offset(const struct llmfp_sides *sides)
{
    unsigned char bytes[4];
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(sides->parameters[3] >> (8 * i));
    }
    return side_scale_of(LLMFP_F32, bytes, 0);
}

struct wide_scale lookup4_scale(const struct llmfp_sides *sides, uint64_t block)
{
    if (sides->parameters[2] == 0) {
        const struct side_scale plain = side_scale_at(sides, 0, block);
        return (struct wide_scale){plain.mantissa, plain.exponent, plain.finite, true};
    }
    const struct side_scale outer = side_scale_at(sides, 3, block / sides->parameters[2]);
    const struct side_scale inner = side_scale_at(sides, 4, sides->side[0].bytes[block]);
    const struct side_scale offset = lookup4_offset(sides);
    if (!outer.finite || !inner.finite || !offset.finite) {
        return (struct wide_scale){0, 0, false, true};
    }
    return add_parts((llmfp_i128)outer.mantissa * inner.mantissa, outer.exponent + inner.exponent,
                     offset.mantissa, offset.exponent);
}

/* The map as integers of one unit, where their exponents allow it. */
static void read_map(struct lookup *lookup)
{
    int lowest = 0;
    bool any = false;
    for (unsigned c = 0; c < CODES; c++) {
        const struct side_scale value = side_scale_at(lookup->sides, 1, c);
        lookup->value[c] = value.mantissa;
        lookup->exponent[c] = value.exponent;
        if (value.mantissa != 0 && (!any || value.exponent < lowest)) {
            lowest = value.exponent;
            any = true;
        }
    }
    lookup->alike = true;
    for (unsigned c = 0; c < CODES; c++) {
        lookup->alike = lookup->alike &&
                        (lookup->value[c] == 0 || lookup->exponent[c] - lowest <= MAP_BITS - 24);
    }
    for (unsigned c = 0; c < CODES && lookup->alike; c++) {
        if (lookup->value[c] != 0) {
            lookup->value[c] *= INT64_C(1) << (lookup->exponent[c] - lowest);
        }
        lookup->exponent[c] = lowest;
    }
}

static void make_table(struct lookup *lookup)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        const int64_t high = lookup->value[byte >> 4];
        const int64_t low = lookup->value[byte & 15];
        const int64_t zeros = (high == 0) + (low == 0);
        lookup->pair[byte] = (lookup4_pair){
            high + low + zeros * (INT64_C(1) << LOOKUP4_ZEROS_SHIFT), high * high + low * low};
    }
}

/* sum (below 2^40) and squares of map values in units of 2^exponent, times the scale. */
static void add_product(struct lookup *lookup, const struct wide_scale *scale, int64_t sum,
                        uint64_t squares, int exponent)
{
    const int unit = exponent + scale->exponent;
    llmfp_moments_add_sum(lookup->moments, scale->mantissa * sum, unit);
    const bool negative = scale->mantissa < 0;
    const llmfp_u128 magnitude =
        negative ? -(llmfp_u128)scale->mantissa : (llmfp_u128)scale->mantissa;
    if (magnitude >> 32 == 0) {
        llmfp_moments_add_square(lookup->moments, magnitude * magnitude * squares, 2 * unit);
        return;
    }
    /* The square of a number of three limbs: products of limbs are below 2^65. */
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j <= i; j++) {
            const uint64_t a = (uint32_t)(magnitude >> (32 * i));
            const uint64_t b = (uint32_t)(magnitude >> (32 * j));
            llmfp_moments_add_square(lookup->moments, (llmfp_u128)(a * b) * squares,
                                     2 * unit + 32 * (int)(i + j) + (i == j ? 0 : 1));
        }
    }
}

void lookup4_add_range(struct lookup *lookup, const struct wide_scale *scale, uint32_t seen)
{
    double least = INFINITY;
    double largest = -INFINITY;
    for (unsigned c = 0; c < CODES; c++) {
        if ((seen >> c & 1) != 0) {
            const double value = ldexp((double)(scale->mantissa * lookup->value[c]),
                                       scale->exponent + lookup->exponent[c]);
            least = value < least ? value : least;
            largest = value > largest ? value : largest;
        }
    }
    lookup->smallest = least < lookup->smallest ? least : lookup->smallest;
    lookup->largest = largest > lookup->largest ? largest : lookup->largest;
    llmfp_moments_add_range(lookup->moments, least, largest);
}

uint32_t lookup4_codes_seen(const unsigned char *bytes, size_t n)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        seen |= 1U << (bytes[i] >> 4) | 1U << (bytes[i] & 15);
    }
    return seen;
}

/* Up to MOST_BYTES bytes of one block. */
static void add_bytes(struct lookup *lookup, const struct wide_scale *scale,
                      const unsigned char *bytes, size_t n)
{
    lookup4_pair all = {0, 0};
    for (size_t i = 0; i < n; i++) {
        all += lookup->pair[bytes[i]];
    }
    llmfp_moments_add_counts(lookup->moments, 2 * n,
                             scale->mantissa == 0 ? 2 * n : lookup4_pair_zeros(all), 0);
    add_product(lookup, scale, lookup4_pair_sum(all), (uint64_t)all[1], lookup->exponent[0]);
    lookup4_add_range(lookup, scale, lookup4_codes_seen(bytes, n));
}

/* n times one code. */
static void add_code(struct lookup *lookup, const struct wide_scale *scale, unsigned code,
                     uint64_t n)
{
    const int64_t value = lookup->value[code];
    llmfp_moments_add_counts(lookup->moments, n, scale->mantissa == 0 || value == 0 ? n : 0, 0);
    add_product(lookup, scale, value * (int64_t)n, (uint64_t)(value * value) * n,
                lookup->exponent[code]);
    lookup4_add_range(lookup, scale, 1U << code);
}

void lookup4_add_block(struct lookup *lookup, uint64_t block, const unsigned char *bytes,
                       uint64_t n)
{
    const struct wide_scale scale = lookup4_scale(lookup->sides, block);
    if (!scale.finite) { /* infinity and NaN times anything, 0 included, is not finite */
        llmfp_moments_add_counts(lookup->moments, n, 0, n);
        return;
    }
    const uint64_t whole = lookup->alike ? n / 2 : 0;
    for (uint64_t i = 0; i < whole; i += MOST_BYTES) {
        add_bytes(lookup, &scale, bytes + i,
                  whole - i < MOST_BYTES ? (size_t)(whole - i) : MOST_BYTES);
    }
    uint64_t count[CODES] = {0};
    for (uint64_t k = 2 * whole; k < n; k++) {
        count[k % 2 == 0 ? bytes[k / 2] >> 4 : bytes[k / 2] & 15]++;
    }
    for (unsigned c = 0; c < CODES && 2 * whole < n; c++) {
        if (count[c] != 0) {
            add_code(lookup, &scale, c, count[c]);
        }
    }
}

static void add_blocks(struct lookup *lookup, const unsigned char *bytes, uint64_t first,
                       uint64_t n)
{
    const uint64_t block = lookup->sides->parameters[1];
    while (n > 0) {
        const uint64_t rest = block - first % block;
        const uint64_t taken = n < rest ? n : rest;
        lookup4_add_block(lookup, first / block, bytes, taken);
        bytes += taken / 2;
        first += taken;
        n -= taken;
    }
}

/* As many of n runs as there is a fast way for. */
static uint64_t add_runs(struct lookup *lookup, const unsigned char *bytes, uint64_t run,
                         uint64_t n)
{
    const struct lookup4_kernels *kernels = lookup4_kernels_chosen();
    if (kernels != NULL) {
        return lookup4_add_runs(lookup, kernels, bytes, run, n);
    }
    return lookup->alike ? lookup4_add_pairs(lookup, bytes, run, n) : 0;
}

/* Fast ways take whole runs of LOOKUP4_RUN elements that have one scale. */
void llmfp_add_lookup4(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct lookup lookup = {
        .sides = elements->sides, .moments = moments, .smallest = INFINITY, .largest = -INFINITY};
    read_map(&lookup);
    if (lookup.alike) {
        make_table(&lookup);
    }
    const unsigned char *bytes = elements->bytes;
    uint64_t first = elements->first_element;
    uint64_t n = elements->n_elements;
    if (elements->sides->parameters[1] % LOOKUP4_RUN == 0) {
        const uint64_t skipped = (LOOKUP4_RUN - first % LOOKUP4_RUN) % LOOKUP4_RUN;
        if (skipped < n) {
            add_blocks(&lookup, bytes, first, skipped);
            const uint64_t done = skipped + LOOKUP4_RUN * add_runs(&lookup, bytes + skipped / 2,
                                                                   (first + skipped) / LOOKUP4_RUN,
                                                                   (n - skipped) / LOOKUP4_RUN);
            bytes += done / 2;
            first += done;
            n -= done;
        }
    }
    add_blocks(&lookup, bytes, first, n);
}

/* Least and most exponent of the nested map's finite values that are not 0. */
struct exponents {
    int least;
    int most;
};

static struct exponents exponents_of(const struct llmfp_sides *sides)
{
    struct exponents all = {INT_MAX, INT_MIN};
    for (unsigned c = 0; c < 256 && sides->parameters[2] != 0; c++) {
        const struct side_scale inner = side_scale_at(sides, 4, c);
        if (inner.finite && inner.mantissa != 0) {
            all.least = inner.exponent < all.least ? inner.exponent : all.least;
            all.most = inner.exponent > all.most ? inner.exponent : all.most;
        }
    }
    return all;
}

/* True where every scale that a nested block may have fits; false: they must be looked at. */
static bool all_fit(const struct llmfp_sides *sides, const struct exponents *inner,
                    uint64_t nested_block)
{
    const struct side_scale outer = side_scale_at(sides, 3, nested_block);
    const int apart = outer.exponent - lookup4_offset(sides).exponent;
    return inner->least <= inner->most && inner->most + apart <= MOST_A_SHIFT &&
           inner->least + apart >= -MOST_B_SHIFT;
}

enum llmfp_status llmfp_check_lookup4(const struct llmfp_sides *sides, struct llmfp_error *error)
{
    for (unsigned c = 0; c < CODES; c++) {
        if (!side_scale_at(sides, 1, c).finite) {
            return llmfp_fail(error, LLMFP_CHECKPOINT, "value %u of its quant_map is not finite",
                              c);
        }
    }
    const uint64_t *p = sides->parameters;
    const uint64_t n_blocks = p[0] / p[1] + (p[0] % p[1] != 0);
    const struct exponents inner = exponents_of(sides);
    for (uint64_t i = 0; p[2] != 0 && i < n_blocks; i++) {
        if (i % p[2] == 0 && all_fit(sides, &inner, i / p[2])) {
            i += p[2] < n_blocks - i ? p[2] - 1 : n_blocks - i - 1;
        } else if (!lookup4_scale(sides, i).fits) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "nested_offset and the scale of block %" PRIu64
                              " are of so different sizes that their sum has more than %d bits",
                              i, SCALE_BITS);
        }
    }
    return LLMFP_OK;
}
