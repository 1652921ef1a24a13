/* ggml_blocks.c - from the integer sums of blocks to moments; see ggml_blocks.h. */
#include "ggml_blocks.h"

#include "bytes.h"

/* ---- sums in plain C ---- */

static void sum_block(const struct ggml_type *type, const struct ggml_codes *codes,
                      struct ggml_sums *sums)
{
    const unsigned n = type->elements / type->groups;
    *sums = (struct ggml_sums){.look_for_zeros = 1, .look_at_range = 1};
    for (unsigned g = 0; g < type->groups; g++) {
        const int8_t *q = codes->q + (size_t)g * n;
        const int32_t a = codes->a[g];
        const int32_t b = codes->b[g];
        int32_t s1 = 0;
        int32_t s2 = 0; /* at most 256 * 2^14 */
        uint32_t zeros = 0;
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
        sums->zeros += a == 0 ? n : zeros;
    }
}

void ggml_sums_portable(const struct ggml_type *type, const unsigned char *blocks, size_t n_blocks,
                        struct ggml_sums *sums)
{
    struct ggml_codes codes = {.q = {0}};
    for (size_t i = 0; i < n_blocks; i++) {
        type->take_apart(blocks + i * type->bytes, &codes);
        sum_block(type, &codes, &sums[i]);
    }
}

/* ---- what needs the elements one by one ---- */

/* Values in units of 2^-24: |d a| < 2^41 * 2^8 and |m b| < 2^41 * 2^7, |d a q| < 2^54.   */
struct scales {
    struct scaled_factor d;
    struct scaled_factor m;
};

static int64_t fixed(struct scaled_factor factor)
{
    return (int64_t)factor.mantissa * (INT64_C(1) << factor.bin);
}

static uint64_t count_zeros(const struct ggml_type *type, const struct scales *scales,
                            const struct ggml_codes *codes)
{
    const unsigned n = type->elements / type->groups;
    uint64_t zeros = 0;
    for (unsigned g = 0; g < type->groups; g++) {
        const int64_t a = fixed(scales->d) * codes->a[g];
        const int64_t b = fixed(scales->m) * codes->b[g];
        if (a == 0) {
            zeros += b == 0 ? n : 0;
        } else if (b % a == 0) {
            for (unsigned i = 0; i < n; i++) {
                zeros += codes->q[(size_t)g * n + i] == -(b / a);
            }
        }
    }
    return zeros;
}

/* Values are below 2^54 only where a q is near its bound; those of types with m, which
 * alone have sums, are below 2^52 and so doubles, and products are doubles anyway. */
static void note_range(const struct ggml_type *type, const struct scales *scales,
                       const struct ggml_codes *codes, struct scaled_bins *bins)
{
    const unsigned n = type->elements / type->groups;
    const double d = scaled_factor_value(bins, scales->d);
    const double m = scaled_factor_value(bins, scales->m);
    for (unsigned g = 0; g < type->groups; g++) {
        const int8_t *q = codes->q + (size_t)g * n;
        int least = q[0];
        int most = q[0];
        for (unsigned i = 1; i < n; i++) {
            least = q[i] < least ? q[i] : least;
            most = q[i] > most ? q[i] : most;
        }
        const double first = d * (codes->a[g] * least) + m * codes->b[g];
        const double last = d * (codes->a[g] * most) + m * codes->b[g];
        scaled_bins_add_range(bins, first < last ? first : last, first < last ? last : first);
    }
}

/* ---- one block ---- */

static void look_closer(const struct ggml_type *type, const unsigned char *block,
                        const struct scales *scales, bool for_zeros, bool at_range,
                        struct scaled_bins *bins)
{
    struct ggml_codes codes = {.q = {0}};
    type->take_apart(block, &codes);
    bins->zeros += for_zeros ? count_zeros(type, scales, &codes) : 0;
    if (at_range) {
        note_range(type, scales, &codes, bins);
    }
}

static inline void add_plain(const struct ggml_type *type, const unsigned char *block,
                             const struct ggml_sums *sums, struct scaled_bins *bins)
{
    const struct scales scales = {scaled_factor_of_f16(llmfp_load_u16(block + type->d_offset)),
                                  {0, 0, true}};
    scaled_bins_add_group(bins, scales.d, sums->p, sums->r, type->elements, sums->zeros);
    if (scales.d.finite) {
        const double bound = fabs(scaled_factor_value(bins, scales.d)) * type->largest;
        if (bound > bins->largest || -bound < bins->smallest) {
            look_closer(type, block, &scales, false, true, bins);
        }
    }
}

static inline void add_with_offset(const struct ggml_type *type, const unsigned char *block,
                                   const struct ggml_sums *sums, struct scaled_bins *bins)
{
    const struct scales scales = {scaled_factor_of_f16(llmfp_load_u16(block + type->d_offset)),
                                  scaled_factor_of_f16(llmfp_load_u16(block + type->m_offset))};
    bins->count += type->elements;
    if (!scales.d.finite || !scales.m.finite) {
        bins->nonfinite += type->elements; /* infinity times 0 is NaN, and adding keeps it */
        return;
    }
    const int64_t d = scales.d.mantissa;
    const int64_t m = scales.m.mantissa;
    /* d^2 r < 2^57, d m x < 2^52, m^2 n2 < 2^45 */
    scaled_bins_add_sum(bins, scales.d.bin, d * sums->p);
    scaled_bins_add_sum(bins, scales.m.bin, m * sums->n1);
    scaled_bins_add_square(bins, 2 * scales.d.bin, (llmfp_i128)d * d * sums->r);
    scaled_bins_add_square(bins, scales.d.bin + scales.m.bin, (llmfp_i128)2 * d * m * sums->x);
    scaled_bins_add_square(bins, 2 * scales.m.bin, (llmfp_i128)m * m * sums->n2);
    if (sums->look_for_zeros != 0 || sums->look_at_range != 0) {
        look_closer(type, block, &scales, sums->look_for_zeros != 0, sums->look_at_range != 0,
                    bins);
    }
}

/* ---- all blocks ---- */

/* A margin for the rounding of floats: they differ from the true values by less than one
 * part in 2^22.                                                                       */
static struct ggml_known known_of(const struct scaled_bins *bins)
{
    if (bins->smallest > bins->largest) {
        return (struct ggml_known){INFINITY, -INFINITY};
    }
    return (struct ggml_known){(float)(bins->smallest + fabs(bins->smallest) * 0x1p-20),
                               (float)(bins->largest - fabs(bins->largest) * 0x1p-20)};
}

enum { BATCH = 64 }; /* blocks whose sums wait */

void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements)
{
    const enum llmfp_isa isa = llmfp_isa_chosen();
    ggml_kernel *kernel = isa == LLMFP_ISA_AVX2 || isa == LLMFP_ISA_AVX512 ? type->avx2 : NULL;
    const unsigned char *blocks = elements->bytes;
    uint64_t n_blocks = elements->n_elements / type->elements;
    struct ggml_sums sums[BATCH];
    struct scaled_bins bins;
    scaled_bins_begin(&bins, SCALED_F16_LOWEST, SCALED_F16_BINS);
    uint64_t pending = 0; /* blocks; each adds at most 3 terms to a bin */
    while (n_blocks > 0) {
        const size_t n = n_blocks < BATCH ? (size_t)n_blocks : BATCH;
        const struct ggml_known known = known_of(&bins);
        if (kernel != NULL) {
            kernel(blocks, n, &known, sums);
        } else {
            ggml_sums_portable(type, blocks, n, sums);
        }
        for (size_t i = 0; i < n; i++) {
            const unsigned char *block = blocks + i * type->bytes;
            if (type->m_offset < 0) {
                add_plain(type, block, &sums[i], &bins);
            } else {
                add_with_offset(type, block, &sums[i], &bins);
            }
        }
        blocks += n * type->bytes;
        n_blocks -= n;
        pending += n;
        if (pending >= SCALED_BINS_BUDGET / 4) {
            scaled_bins_flush(&bins, moments);
            pending = 0;
        }
    }
    scaled_bins_flush(&bins, moments);
}
