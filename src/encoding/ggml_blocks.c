/* ggml_blocks.c - from the integer sums of blocks to moments; see ggml_blocks.h. */
#include "ggml_blocks.h"

#include "bytes.h"

struct scales {
    struct scaled_factor d;
    struct scaled_factor m;
};

/* ---- sums in plain C ---- */

static void sum_block(const struct ggml_type *type, const struct ggml_codes *codes,
                      struct ggml_sums *sums)
{
    const unsigned n = type->elements / type->groups;
    *sums = (struct ggml_sums){.r = 0};
    for (unsigned g = 0; g < type->groups; g++) {
        const int8_t *q = codes->q + (size_t)g * n;
        const int32_t a = codes->a[g];
        const int32_t b = codes->b[g];
        int32_t s1 = 0;
        int32_t s2 = 0; /* at most 256 * 2^14 */
        int32_t zeros = 0;
        for (unsigned i = 0; i < n; i++) {
            s1 += q[i];
            s2 += q[i] * q[i];
            zeros += q[i] == 0;
        }
        sums->p += a * s1;
        sums->r += (int64_t)(a * a) * s2;
        sums->x += a * b * s1;
        sums->n1 += (int32_t)n * b;
        sums->n2 += (int32_t)n * b * b;
        sums->zeros += a == 0 ? (int32_t)n : zeros;
    }
}

/* In units of 2^-24; |d a| < 2^41 * 2^7 and |m b| < 2^41 * 2^6. */
static int64_t fixed(struct scaled_factor factor)
{
    return (int64_t)factor.mantissa * (INT64_C(1) << factor.bin);
}

static int32_t count_zeros(const struct ggml_type *type, const struct scales *scales,
                           const struct ggml_codes *codes)
{
    const unsigned n = type->elements / type->groups;
    int32_t zeros = 0;
    for (unsigned g = 0; g < type->groups; g++) {
        const int64_t a = fixed(scales->d) * codes->a[g];
        const int64_t b = fixed(scales->m) * codes->b[g];
        if (a == 0) {
            zeros += b == 0 ? (int32_t)n : 0;
        } else if (b % a == 0) {
            for (unsigned i = 0; i < n; i++) {
                zeros += codes->q[(size_t)g * n + i] == -(b / a);
            }
        }
    }
    return zeros;
}

static struct ggml_extremes extremes_of(const int8_t *q, unsigned n, int a)
{
    struct ggml_extremes extremes = {q[0], q[0]};
    for (unsigned i = 1; i < n; i++) {
        extremes.least = q[i] < extremes.least ? q[i] : extremes.least;
        extremes.most = q[i] > extremes.most ? q[i] : extremes.most;
    }
    return a < 0 ? (struct ggml_extremes){a * extremes.most, a * extremes.least}
                 : (struct ggml_extremes){a * extremes.least, a * extremes.most};
}

static struct ggml_extremes all_extremes(const struct ggml_type *type,
                                         const struct ggml_codes *codes)
{
    const unsigned n = type->elements / type->groups;
    struct ggml_extremes all = extremes_of(codes->q, n, codes->a[0]);
    for (unsigned g = 1; g < type->groups; g++) {
        const struct ggml_extremes one = extremes_of(codes->q + (size_t)g * n, n, codes->a[g]);
        all.least = one.least < all.least ? one.least : all.least;
        all.most = one.most > all.most ? one.most : all.most;
    }
    return all;
}

/* |d a q| < 2^41 * 2^11 in types with m and |m b| < 2^47, in units of 2^-24: doubles. */
static void widen_with_offset(const struct ggml_type *type, const struct scales *scales,
                              const struct ggml_codes *codes, struct ggml_range *range)
{
    const unsigned n = type->elements / type->groups;
    const double d = (double)fixed(scales->d) * 0x1p-24;
    const double m = (double)fixed(scales->m) * 0x1p-24;
    for (unsigned g = 0; g < type->groups; g++) {
        const struct ggml_extremes extremes = extremes_of(codes->q + (size_t)g * n, n, codes->a[g]);
        ggml_widen(range, d * extremes.least + m * codes->b[g],
                   d * extremes.most + m * codes->b[g]);
    }
}

/* ---- from the sums of a block to bins ---- */

/* Infinity times 0 is NaN: where d is not finite, nothing in the block is. */
static void add_plain(struct ggml_totals *totals, struct scaled_factor d,
                      const struct ggml_codes *codes, const struct ggml_sums *sums)
{
    const struct ggml_type *type = totals->type;
    struct scaled_bins *bins = totals->bins;
    const int64_t m = d.mantissa;
    if (!d.finite) {
        bins->nonfinite += type->elements;
        return;
    }
    bins->zeros += m == 0 ? type->elements : (uint64_t)sums->zeros;
    scaled_bins_add_sum(bins, d.bin, (llmfp_i128)m * sums->p);
    scaled_bins_add_square(bins, 2 * d.bin, (llmfp_i128)m * m * sums->r);
    const double value = scaled_factor_value(bins, d);
    const double first = value * type->least;
    const double last = value * type->most;
    if (!(fmax(first, last) <= totals->range.largest) ||
        !(fmin(first, last) >= totals->range.smallest)) {
        const struct ggml_extremes extremes = all_extremes(type, codes);
        ggml_widen(&totals->range, value * extremes.least, value * extremes.most);
    }
}

/* Terms below 2^54 in magnitude. */
static void add_with_offset(struct ggml_totals *totals, const struct scales *scales,
                            const struct ggml_codes *codes, const struct ggml_sums *sums)
{
    struct scaled_bins *bins = totals->bins;
    const int64_t d = scales->d.mantissa;
    const int64_t m = scales->m.mantissa;
    if (!scales->d.finite || !scales->m.finite) { /* adding keeps NaN, too */
        bins->nonfinite += totals->type->elements;
        return;
    }
    bins->zeros += (uint64_t)count_zeros(totals->type, scales, codes);
    scaled_bins_add_sum(bins, scales->d.bin, (llmfp_i128)d * sums->p);
    scaled_bins_add_sum(bins, scales->m.bin, (llmfp_i128)m * sums->n1);
    scaled_bins_add_square(bins, 2 * scales->d.bin, (llmfp_i128)d * d * sums->r);
    scaled_bins_add_square(bins, scales->d.bin + scales->m.bin, (llmfp_i128)2 * d * m * sums->x);
    scaled_bins_add_square(bins, 2 * scales->m.bin, (llmfp_i128)m * m * sums->n2);
    widen_with_offset(totals->type, scales, codes, &totals->range);
}

void ggml_add_portable(struct ggml_totals *totals, const unsigned char *blocks, size_t n_blocks)
{
    const struct ggml_type *type = totals->type;
    struct ggml_codes codes = {.q = {0}};
    struct ggml_sums sums;
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *block = blocks + i * type->bytes;
        type->take_apart(block, &codes);
        sum_block(type, &codes, &sums);
        if (type->scale == GGML_E8M0) {
            add_plain(totals, scaled_factor_of_e8m0(block[type->d_offset]), &codes, &sums);
        } else if (type->m_offset < 0) {
            add_plain(totals, scaled_factor_of_f16(llmfp_load_u16(block + type->d_offset)), &codes,
                      &sums);
        } else {
            const struct scales scales = {
                scaled_factor_of_f16(llmfp_load_u16(block + type->d_offset)),
                scaled_factor_of_f16(llmfp_load_u16(block + type->m_offset))};
            add_with_offset(totals, &scales, &codes, &sums);
        }
    }
}

/* ---- all blocks ---- */

/* NULL: plain C. */
static ggml_adder *adder_of(const struct ggml_type *type)
{
    switch (llmfp_isa_chosen()) {
    case LLMFP_ISA_AVX512:
        return type->avx512;
    case LLMFP_ISA_AVX2:
        return type->avx2;
    default:
        return NULL;
    }
}

/* Whole eights by vectors. Powers of two are taken within 26 binades, of which the first block
 * is in the upper half; NaN (255) and what is above lies outside at any rate.           */
static size_t add_eights(ggml_adder *adder, struct ggml_totals *totals, const unsigned char *blocks,
                         size_t n_blocks)
{
    const size_t n = n_blocks - n_blocks % 8;
    if (adder == NULL || n == 0) {
        return 0;
    }
    if (totals->type->scale == GGML_E8M0) {
        enum { BELOW = 18, MOST_BASE = 229 };
        const int code = blocks[totals->type->d_offset];
        const int base = code < BELOW ? 0 : code - BELOW;
        totals->base = base < MOST_BASE ? base : MOST_BASE;
        totals->unit = totals->bins->lowest + totals->base + 24;
    }
    totals->sum = 0;
    totals->squares = 0;
    adder(totals, blocks, n);
    scaled_bins_add_sum(totals->bins, totals->base, totals->sum);
    scaled_bins_add_square(totals->bins, 2 * totals->base, totals->squares);
    return n;
}

static void flush(struct ggml_totals *totals, struct llmfp_moments *moments)
{
    if (totals->range.smallest <= totals->range.largest) {
        scaled_bins_add_range(totals->bins, totals->range.smallest, totals->range.largest);
    }
    totals->bins->zeros += totals->zeros;
    totals->zeros = 0;
    scaled_bins_flush(totals->bins, moments);
}

void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements)
{
    ggml_adder *const adder = adder_of(type);
    const unsigned char *blocks = elements->bytes;
    uint64_t n_blocks = elements->n_elements / type->elements;
    struct scaled_bins bins;
    struct ggml_totals totals = {.type = type, .bins = &bins, .range = {INFINITY, -INFINITY}};
    if (type->scale == GGML_F16) {
        scaled_bins_begin(&bins, SCALED_F16_LOWEST, SCALED_F16_BINS);
    } else {
        scaled_bins_begin(&bins, SCALED_E8M0_LOWEST - 1, SCALED_E8M0_BINS);
    }
    uint64_t pending = 0; /* terms in a bin, at most */
    while (n_blocks > 0) {
        const size_t n = n_blocks < GGML_MOST_AT_ONCE ? (size_t)n_blocks : GGML_MOST_AT_ONCE;
        const size_t n_eights = add_eights(adder, &totals, blocks, n);
        ggml_add_portable(&totals, blocks + n_eights * type->bytes, n - n_eights);
        bins.count += n * type->elements;
        blocks += n * type->bytes;
        n_blocks -= n;
        pending += 2 * (n + 1);
        if (pending >= SCALED_BINS_BUDGET / 2) {
            flush(&totals, moments);
            pending = 0;
        }
    }
    flush(&totals, moments);
}
