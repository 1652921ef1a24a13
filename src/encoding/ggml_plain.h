/* ggml_plain.h - blocks of codes with one scale, x = d q, eight blocks at a time; see
 * ggml_lanes.h. Included by ggml_avx2.c and ggml_avx512.c.                x86-64 only. */
#ifndef LLMFP_GGML_PLAIN_H
#define LLMFP_GGML_PLAIN_H

#include "ggml_codes.h"
#include "ggml_lanes.h"

/* What one type is, known when its kernel is compiled. A block has `vectors` of 32 codes. */
struct plain {
    void (*take)(const unsigned char *block, __m256i *q);
    const struct ggml_type *type;
    size_t bytes;
    size_t d_offset;
    int vectors;
    bool wide; /* codes of 8 bits, -128 too; others stay within 127 */
    bool e8m0;
};

enum { EIGHT = 8, MOST_VECTORS = 8 };

/* Scales d with lowest <= d <= highest bring no new extreme. */
struct limits {
    __m256 lowest;
    __m256 highest;
};

/* The quotient, or what comes next to it towards 0. In doubles quotients compare with scales as
 * exact ones do: both are ratios of integers below 2^40. All scales below 4 are allowed. */
static inline float towards_zero(double numerator, double denominator)
{
    const double quotient = fmin(numerator / denominator, 0x1.FFFFFEp1);
    const float rounded = (float)quotient;
    return (double)rounded > quotient ? nextafterf(rounded, 0) : rounded;
}

/* `unit`: what scales count in. */
static inline TARGET struct limits limits_of(const struct ggml_type *type,
                                             const struct ggml_range *range, double unit)
{
    const double largest = range->largest / unit;
    const double smallest = range->smallest / unit;
    if (!(smallest <= 0 && largest >= 0)) { /* every block is looked at */
        return (struct limits){_mm256_set1_ps(1), _mm256_set1_ps(-1)};
    }
    const float positive =
        fminf(towards_zero(largest, type->most), towards_zero(-smallest, -type->least));
    const float negative =
        fminf(towards_zero(largest, -type->least), towards_zero(-smallest, type->most));
    return (struct limits){_mm256_set1_ps(-negative), _mm256_set1_ps(positive)};
}

/* Which of eight scales are 0, or may bring a new extreme, or are none that lanes can take. */
static inline TARGET uint32_t unusual(__m256 d, const struct limits *limits)
{
    const __m256 usual = _mm256_and_ps(_mm256_cmp_ps(d, limits->lowest, _CMP_GE_OQ),
                                       _mm256_cmp_ps(d, limits->highest, _CMP_LE_OQ));
    const __m256 nonzero = _mm256_cmp_ps(d, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    return (uint32_t)_mm256_movemask_ps(_mm256_and_ps(usual, nonzero)) ^ 0xFFU;
}

/* Scales 2^(code - base - 24); 4 where that is no number below 4. base <= 229. */
static inline TARGET __m256 eight_powers(const unsigned char *place, size_t stride, int base)
{
    int32_t codes[EIGHT];
    for (size_t i = 0; i < EIGHT; i++) {
        codes[i] = place[i * stride];
    }
    const __m256i code = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    const __m256i power =
        _mm256_min_epu32(_mm256_sub_epi32(code, _mm256_set1_epi32(base)), _mm256_set1_epi32(26));
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(power, _mm256_set1_epi32(127 - 24)), 23));
}

/* One block: widens the range, and counts zeros where d is 0. */
static inline __attribute__((always_inline)) TARGET void look_at_block(const struct plain *plain,
                                                                       const unsigned char *block,
                                                                       float d, double unit,
                                                                       struct ggml_totals *totals)
{
    __m256i q[MOST_VECTORS];
    plain->take(block, q);
    __m256i least = q[0];
    __m256i most = q[0];
    __m256i zeros = _mm256_setzero_si256();
    for (int k = 0; k < plain->vectors; k++) {
        least = _mm256_min_epi8(least, q[k]);
        most = _mm256_max_epi8(most, q[k]);
        zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi8(q[k], _mm256_setzero_si256()));
    }
    const struct ggml_extremes extremes = {least_byte(least), most_byte(most)};
    ggml_widen(&totals->range, unit * (double)d * extremes.least, unit * (double)d * extremes.most);
    if (d == 0) {
        totals->zeros += plain->type->elements - sum_of_bytes(zeros);
    }
}

/* Eight blocks, some of which are unusual: false where lanes cannot take them. */
static inline __attribute__((always_inline)) TARGET bool
look_at_eight(const struct plain *plain, const unsigned char *blocks, uint32_t which, __m256 d,
              double unit, struct ggml_totals *totals)
{
    float scales[EIGHT];
    if (!are_small(d)) {
        return false;
    }
    _mm256_storeu_ps(scales, d);
    for (uint32_t left = which; left != 0; left &= left - 1) {
        const size_t i = (size_t)__builtin_ctz(left);
        look_at_block(plain, blocks + i * plain->bytes, scales[i], unit, totals);
    }
    return true;
}

typedef bool look_function(const unsigned char *blocks, uint32_t which, __m256 d, double unit,
                           struct ggml_totals *totals);

static inline __attribute__((always_inline)) TARGET void sum_eight(const struct plain *plain,
                                                                   const unsigned char *blocks,
                                                                   __m256i *p, __m256i *r,
                                                                   uint64_t *zeros)
{
    __m256i sums[EIGHT];
    __m256i squares[EIGHT];
    __m256i zero_bytes = _mm256_setzero_si256();
    for (size_t i = 0; i < EIGHT; i++) {
        __m256i q[MOST_VECTORS];
        plain->take(blocks + i * plain->bytes, q);
        sums[i] = _mm256_setzero_si256();
        squares[i] = _mm256_setzero_si256();
        for (int k = 0; k < plain->vectors; k++) {
            sums[i] = add_bytes(sums[i], _mm256_set1_epi8(1), q[k]);
            squares[i] = plain->wide
                             ? add_wide_squares(squares[i], q[k])
                             : add_bytes(squares[i], _mm256_abs_epi8(q[k]), _mm256_abs_epi8(q[k]));
            zero_bytes =
                _mm256_sub_epi8(zero_bytes, _mm256_cmpeq_epi8(q[k], _mm256_setzero_si256()));
        }
    }
    *p = add_across_eight(sums);
    *r = add_across_eight(squares);
    *r = plain->wide ? finish_wide_squares(*r, *p) : *r;
    *zeros += sum_of_bytes(zero_bytes);
}

static inline __attribute__((always_inline)) TARGET void
add_plain(const struct plain *plain, look_function *look, struct ggml_totals *totals,
          const unsigned char *blocks, size_t n_blocks)
{
    struct lanes lanes = no_lanes();
    const double unit = ldexp(1, totals->unit);
    struct limits limits = limits_of(plain->type, &totals->range, unit);
    uint64_t zeros = 0;
    for (; n_blocks >= EIGHT; n_blocks -= EIGHT, blocks += EIGHT * plain->bytes) {
        const unsigned char *scales = blocks + plain->d_offset;
        const __m256 d = plain->e8m0 ? eight_powers(scales, plain->bytes, totals->base)
                                     : eight_halves(scales, plain->bytes);
        const uint32_t which = unusual(d, &limits);
        if (__builtin_expect(which != 0, 0)) {
            if (!look(blocks, which, d, unit, totals)) {
                ggml_add_portable(totals, blocks, EIGHT);
                limits = limits_of(plain->type, &totals->range, unit);
                continue;
            }
            limits = limits_of(plain->type, &totals->range, unit);
        }
        __m256i p;
        __m256i r;
        sum_eight(plain, blocks, &p, &r, &zeros);
        add_eight(&lanes, integers_of(d), p, r);
    }
    totals->zeros += zeros;
    settle_lanes(&lanes, totals);
}

/* Vectors of a block, bytes, where d stands. */
#define PLAIN(name, n_vectors, n_bytes, offset, is_wide, is_e8m0)                                  \
    static const struct plain plain_##name = {take_##name, &ggml_##name, n_bytes, offset,          \
                                              n_vectors,   is_wide,      is_e8m0};                 \
    static __attribute__((noinline))                                                               \
    TARGET bool look_at_##name(const unsigned char *blocks, uint32_t which, __m256 d, double unit, \
                               struct ggml_totals *totals)                                         \
    {                                                                                              \
        return look_at_eight(&plain_##name, blocks, which, d, unit, totals);                       \
    }                                                                                              \
    TARGET void KERNEL_NAME(name)(struct ggml_totals * totals, const unsigned char *blocks,        \
                                  size_t n_blocks)                                                 \
    {                                                                                              \
        add_plain(&plain_##name, look_at_##name, totals, blocks, n_blocks);                        \
    }
PLAIN(q4_0, 1, 18, 0, false, false)
PLAIN(q5_0, 1, 22, 0, false, false)
PLAIN(q8_0, 1, 34, 0, true, false)
PLAIN(q8_1, 1, 36, 0, true, false)
PLAIN(iq4_nl, 1, 18, 0, false, false)
PLAIN(mxfp4, 1, 17, 0, false, true)
PLAIN(q2_0, 2, 18, 0, false, false)
PLAIN(q1_0, 4, 18, 0, false, false)
PLAIN(tq1_0, 8, 54, 52, false, false)
PLAIN(tq2_0, 8, 66, 64, false, false)

#endif
