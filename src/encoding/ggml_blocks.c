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

static struct ggml_extremes extremes_portable(const struct ggml_type *type,
                                              const unsigned char *block)
{
    const unsigned n = type->elements / type->groups;
    struct ggml_codes codes = {.q = {0}};
    type->take_apart(block, &codes);
    struct ggml_extremes all = extremes_of(codes.q, n, codes.a[0]);
    for (unsigned g = 1; g < type->groups; g++) {
        const struct ggml_extremes one = extremes_of(codes.q + (size_t)g * n, n, codes.a[g]);
        all.least = one.least < all.least ? one.least : all.least;
        all.most = one.most > all.most ? one.most : all.most;
    }
    return all;
}

static void widen(struct ggml_range *range, double first, double last)
{
    const double least = first < last ? first : last;
    const double most = first < last ? last : first;
    range->smallest = least < range->smallest ? least : range->smallest;
    range->largest = most > range->largest ? most : range->largest;
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
        widen(range, d * extremes.least + m * codes->b[g], d * extremes.most + m * codes->b[g]);
    }
}

static struct scales scales_of(const struct ggml_type *type, const unsigned char *block)
{
    return (struct scales){scaled_factor_of_f16(llmfp_load_u16(block + type->d_offset)),
                           scaled_factor_of_f16(llmfp_load_u16(block + type->m_offset))};
}

void ggml_sums_portable(const struct ggml_type *type, const unsigned char *blocks, size_t n_blocks,
                        struct ggml_range *range, struct ggml_sums *sums)
{
    struct ggml_codes codes = {.q = {0}};
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *block = blocks + i * type->bytes;
        type->take_apart(block, &codes);
        sum_block(type, &codes, &sums[i]);
        if (type->m_offset >= 0) {
            const struct scales scales = scales_of(type, block);
            if (scales.d.finite && scales.m.finite) {
                sums[i].zeros = count_zeros(type, &scales, &codes);
                widen_with_offset(type, &scales, &codes, range);
            }
        }
    }
}

/* ---- one batch of blocks with binary16 scales ----
 *
 * Scales below 2^6 in magnitude (all that models have) are integers D < 2^31 in units of
 * 2^-24, so that a batch adds up in registers, without a bin for each exponent: D p < 2^51
 * in 64 bits, D^2 r <= 2^94 in 128. Other blocks go to the bins of their exponents.  */
enum { BATCH = 128, SMALL_BINS = 20 };

struct batch {
    const struct ggml_type *type;
    ggml_extremes_kernel *extremes; /* NULL: in plain C */
    struct scaled_bins *bins;
    struct ggml_range range;
    /* |d| as bits, for positive and negative d: only above it can a block of a type without
     * m bring a new extreme. -1: every block can. */
    int32_t limit[2];
};

struct small_sums {
    int64_t sum;        /* in units of 2^-24 */
    llmfp_u128 squares; /* in units of 2^-48 */
    uint64_t zeros;
    uint64_t nonfinite;
};

/* The largest |d| of a sign with which even the most extreme codes stay within the range. */
static int32_t limit_of(const struct batch *batch, bool negative)
{
    enum { LARGEST = 0x7BFF };
    const double most = negative ? -batch->type->least : batch->type->most;
    const double least = negative ? -batch->type->most : batch->type->least;
    uint32_t low = 0; /* d = 0 is within, once there is a range */
    uint32_t high = LARGEST + 1;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        const double d = (double)fixed(scaled_factor_of_f16(middle)) * 0x1p-24;
        const bool within = most * d <= batch->range.largest && least * d >= batch->range.smallest;
        low = within ? middle : low;
        high = within ? high : middle;
    }
    return (int32_t)low;
}

static __attribute__((noinline)) void look_closer(struct batch *batch, const unsigned char *block,
                                                  uint32_t bits)
{
    const struct ggml_extremes extremes =
        batch->extremes != NULL ? batch->extremes(block) : extremes_portable(batch->type, block);
    const double d = (double)fixed(scaled_factor_of_f16(bits)) * 0x1p-24;
    widen(&batch->range, d * extremes.least, d * extremes.most);
    /* A range without 0 in it leaves no limit: every block is looked at. */
    const bool around_zero = batch->range.smallest <= 0 && batch->range.largest >= 0;
    batch->limit[0] = around_zero ? limit_of(batch, false) : -1;
    batch->limit[1] = around_zero ? limit_of(batch, true) : -1;
}

static inline bool is_small(struct scaled_factor factor)
{
    return factor.bin < SMALL_BINS;
}

/* What is rare in add_plain: a large scale, or one that is not finite. */
static __attribute__((noinline)) void
add_large_plain(struct scaled_bins *bins, struct scaled_factor d, const struct ggml_sums *sums)
{
    const int64_t m = d.mantissa;
    scaled_bins_add_sum(bins, d.bin, (llmfp_i128)m * sums->p);
    scaled_bins_add_square(bins, 2 * d.bin, (llmfp_i128)m * m * sums->r);
}

/* Local sums stay in registers. */
static void add_plain(struct batch *batch, const unsigned char *blocks, size_t n,
                      const struct ggml_sums *sums, struct small_sums *small)
{
    const unsigned bytes = batch->type->bytes;
    const unsigned elements = batch->type->elements;
    const unsigned char *place = blocks + batch->type->d_offset;
    int64_t sum = 0;
    llmfp_u128 squares = 0;
    uint64_t zeros = 0;
    uint64_t nonfinite = 0;
    for (size_t i = 0; i < n; i++, place += bytes) {
        const uint32_t bits = llmfp_load_u16(place);
        const struct scaled_factor d = scaled_factor_of_f16(bits);
        if (__builtin_expect(!is_small(d) || !d.finite, 0)) {
            if (!d.finite) { /* infinity times 0 is NaN: nothing in the block is finite */
                nonfinite += elements;
                continue;
            }
            add_large_plain(batch->bins, d, &sums[i]);
        } else {
            const int64_t scale = fixed(d);
            sum += scale * sums[i].p;
            const uint64_t square = (uint64_t)(scale * scale);
            squares += (llmfp_u128)square * (uint64_t)sums[i].r;
        }
        zeros += d.mantissa == 0 ? elements : (uint64_t)sums[i].zeros;
        if (__builtin_expect((int32_t)(bits & 0x7FFF) > batch->limit[bits >> 15], 0)) {
            look_closer(batch, place - batch->type->d_offset, bits);
        }
    }
    *small = (struct small_sums){sum, squares, zeros, nonfinite};
}

/* Terms below 2^54 in magnitude. */
static __attribute__((noinline)) void
add_large(struct scaled_bins *bins, const struct scales *scales, const struct ggml_sums *sums)
{
    const int64_t d = scales->d.mantissa;
    const int64_t m = scales->m.mantissa;
    scaled_bins_add_sum(bins, scales->d.bin, (llmfp_i128)d * sums->p);
    scaled_bins_add_sum(bins, scales->m.bin, (llmfp_i128)m * sums->n1);
    scaled_bins_add_square(bins, 2 * scales->d.bin, (llmfp_i128)d * d * sums->r);
    scaled_bins_add_square(bins, scales->d.bin + scales->m.bin, (llmfp_i128)2 * d * m * sums->x);
    scaled_bins_add_square(bins, 2 * scales->m.bin, (llmfp_i128)m * m * sums->n2);
}

/* In types with m, r < 2^30 and |x| < 2^27, so with |D| and |M| below 2^31 the sum of squares
 * D (D r + 2 M x) + M (M n2) has both brackets below 2^62; it is not negative. Local sums
 * stay in registers.                                                               */
static void add_with_offset(struct batch *batch, const unsigned char *blocks, size_t n,
                            const struct ggml_sums *sums, struct small_sums *small)
{
    const struct ggml_type *type = batch->type;
    int64_t sum = 0;
    llmfp_i128 squares = 0;
    uint64_t zeros = 0;
    uint64_t nonfinite = 0;
    for (size_t i = 0; i < n; i++) {
        const struct scales scales = scales_of(type, blocks + i * type->bytes);
        if (!scales.d.finite || !scales.m.finite) { /* adding keeps NaN, too */
            nonfinite += type->elements;
            continue;
        }
        if (__builtin_expect(is_small(scales.d) && is_small(scales.m), 1)) {
            const int64_t d = fixed(scales.d);
            const int64_t m = fixed(scales.m);
            const int64_t with_d = d * sums[i].r + 2 * m * sums[i].x;
            const int64_t with_m = m * sums[i].n2;
            sum += d * sums[i].p + m * sums[i].n1;
            squares += (llmfp_i128)d * with_d + (llmfp_i128)m * with_m;
        } else {
            add_large(batch->bins, &scales, &sums[i]);
        }
        zeros += (uint64_t)sums[i].zeros;
    }
    *small = (struct small_sums){sum, (llmfp_u128)squares, zeros, nonfinite};
}

static void add_batch(struct batch *batch, const unsigned char *blocks, size_t n,
                      const struct ggml_sums *sums)
{
    struct small_sums small = {0};
    if (batch->type->m_offset < 0) {
        add_plain(batch, blocks, n, sums, &small);
    } else {
        add_with_offset(batch, blocks, n, sums, &small);
    }
    scaled_bins_add_sum(batch->bins, 0, small.sum);
    scaled_bins_add_square(batch->bins, 0, (llmfp_i128)small.squares);
    batch->bins->count += n * batch->type->elements;
    batch->bins->zeros += small.zeros;
    batch->bins->nonfinite += small.nonfinite;
}

/* ---- E8M0 scales: their mantissa is 1, so the bins take the sums as they are ---- */

static void add_powers(struct batch *batch, const unsigned char *blocks, size_t n,
                       const struct ggml_sums *sums)
{
    const struct ggml_type *type = batch->type;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *block = blocks + i * type->bytes;
        const struct scaled_factor d = scaled_factor_of_e8m0(block[type->d_offset]);
        scaled_bins_add_group(batch->bins, d, sums[i].p, sums[i].r, type->elements,
                              (uint64_t)sums[i].zeros);
        const double value = scaled_factor_value(batch->bins, d);
        if (d.finite && (!(value * type->most <= batch->range.largest) ||
                         !(value * type->least >= batch->range.smallest))) {
            const struct ggml_extremes extremes =
                batch->extremes != NULL ? batch->extremes(block) : extremes_portable(type, block);
            widen(&batch->range, value * extremes.least, value * extremes.most);
        }
    }
}

/* ---- all blocks ---- */

static void flush(struct batch *batch, struct llmfp_moments *moments)
{
    if (batch->range.smallest <= batch->range.largest) {
        scaled_bins_add_range(batch->bins, batch->range.smallest, batch->range.largest);
    }
    scaled_bins_flush(batch->bins, moments);
}

/* NULL: plain C. */
static ggml_kernel *kernel_of(const struct ggml_type *type)
{
    switch (llmfp_isa_chosen()) {
    case LLMFP_ISA_AVX512:
        return type->avx512 != NULL ? type->avx512 : type->avx2;
    case LLMFP_ISA_AVX2:
        return type->avx2;
    default:
        return NULL;
    }
}

void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements)
{
    ggml_kernel *const kernel = kernel_of(type);
    const unsigned char *blocks = elements->bytes;
    uint64_t n_blocks = elements->n_elements / type->elements;
    struct ggml_sums sums[BATCH];
    struct scaled_bins bins;
    struct batch batch = {.type = type,
                          .extremes = kernel != NULL ? type->extremes_avx2 : NULL,
                          .bins = &bins,
                          .range = {INFINITY, -INFINITY},
                          .limit = {-1, -1}};
    if (type->scale == GGML_F16) {
        scaled_bins_begin(&bins, SCALED_F16_LOWEST, SCALED_F16_BINS);
    } else {
        scaled_bins_begin(&bins, SCALED_E8M0_LOWEST - 1, SCALED_E8M0_BINS);
    }
    uint64_t pending = 0; /* terms in a bin, at most */
    while (n_blocks > 0) {
        const size_t n = n_blocks < BATCH ? (size_t)n_blocks : BATCH;
        if (kernel != NULL) {
            kernel(blocks, n, &batch.range, sums);
        } else {
            ggml_sums_portable(type, blocks, n, &batch.range, sums);
        }
        if (type->scale == GGML_F16) {
            add_batch(&batch, blocks, n, sums);
        } else {
            add_powers(&batch, blocks, n, sums);
        }
        blocks += n * type->bytes;
        n_blocks -= n;
        pending += n;
        if (pending >= SCALED_BINS_BUDGET) {
            flush(&batch, moments);
            pending = 0;
        }
    }
    flush(&batch, moments);
}
