/* ggml_lanes.h - eight blocks at a time, one in each lane of 32 bits: from their scales and
 * integer sums to sums over all blocks. Included by ggml_avx2.c and ggml_avx512.c, which
 * define TARGET and how products of bytes and words add up.                 x86-64 only.
 *
 * Bounds. A scale with |d| < 4 is an integer |D| < 2^26 in units of 2^-24. With |p| <= 2^20
 * and r < 2^32 (ggml_blocks.h), D p < 2^46 and v = |D| r < 2^58. v is cut into halves:
 * |D| (v mod 2^32) < 2^58 is cut again, and |D| (v / 2^32) < 2^52 in magnitude. A lane
 * adds two of each for every 8 blocks, which leaves room for 2^10 times 8 blocks.     */
#ifndef LLMFP_GGML_LANES_H
#define LLMFP_GGML_LANES_H

#include <immintrin.h>
#include <string.h>

#include "ggml_blocks.h"

struct lanes {
    __m256i sum;    /* in units of 2^-24 */
    __m256i low;    /* squares in units of 2^-48 */
    __m256i middle; /* and of 2^-16, signed */
};

static inline TARGET struct lanes no_lanes(void)
{
    const __m256i none = _mm256_setzero_si256();
    return (struct lanes){none, none, none};
}

/* The sums over the lanes of eight vectors of 32-bit integers, in this order. */
static inline TARGET __m256i add_across_eight(const __m256i v[8])
{
    __m256i two[4];
    __m256i four[2];
    for (size_t i = 0; i < 4; i++) {
        two[i] = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                                  _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
    }
    for (size_t i = 0; i < 2; i++) {
        four[i] = _mm256_add_epi32(_mm256_unpacklo_epi64(two[2 * i], two[2 * i + 1]),
                                   _mm256_unpackhi_epi64(two[2 * i], two[2 * i + 1]));
    }
    return _mm256_add_epi32(_mm256_blend_epi32(four[0], four[1], 0xF0),
                            _mm256_permute2x128_si256(four[0], four[1], 0x21));
}

/* Binary16 numbers of eight blocks. */
static inline TARGET __m256 eight_halves(const unsigned char *place, size_t stride)
{
    int16_t bits[8];
    for (size_t i = 0; i < 8; i++) {
        memcpy(&bits[i], place + i * stride, sizeof bits[i]);
    }
    return _mm256_cvtph_ps(
        _mm_setr_epi16(bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7]));
}

static inline TARGET __m256i integers_of(__m256 scales)
{
    return _mm256_cvttps_epi32(_mm256_mul_ps(scales, _mm256_set1_ps(0x1p24F)));
}

/* Below 4 in magnitude, all of them, and numbers. */
static inline TARGET bool are_small(__m256 scales)
{
    const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), scales);
    return _mm256_movemask_ps(_mm256_cmp_ps(size, _mm256_set1_ps(4), _CMP_LT_OQ)) == 0xFF;
}

/* One 16-bit number of the lower 8, and one of the upper 8: number k of each. */
static inline TARGET __m256i word_of_each_half(__m256i words, int k)
{
    return _mm256_shuffle_epi8(words, _mm256_set1_epi16((int16_t)(0x0100 + 0x0202 * k)));
}

/* Squares += factor * value in lanes of 64 bits; factor >= 0 and its upper halves do not count. */
static inline TARGET void add_product(struct lanes *lanes, __m256i factor, __m256i value)
{
    const __m256i low = _mm256_mul_epu32(factor, value);
    const __m256i high = _mm256_mul_epi32(factor, _mm256_srli_epi64(value, 32));
    lanes->low =
        _mm256_add_epi64(lanes->low, _mm256_blend_epi32(low, _mm256_setzero_si256(), 0xAA));
    lanes->middle =
        _mm256_add_epi64(lanes->middle, _mm256_add_epi64(_mm256_srli_epi64(low, 32), high));
}

/* Eight blocks x = D q with sums p and r. */
static inline TARGET void add_eight(struct lanes *lanes, __m256i d, __m256i p, __m256i r)
{
    const __m256i size = _mm256_abs_epi32(d);
    for (int odd = 0; odd < 2; odd++) {
        lanes->sum = _mm256_add_epi64(lanes->sum, _mm256_mul_epi32(_mm256_srli_epi64(d, 32 * odd),
                                                                   _mm256_srli_epi64(p, 32 * odd)));
        const __m256i one = _mm256_srli_epi64(size, 32 * odd);
        add_product(lanes, one, _mm256_mul_epu32(one, _mm256_srli_epi64(r, 32 * odd)));
    }
}

/* Eight blocks x = D q + M b. The sum of squares is |D| (|D| r + 2 M x) + |M| (|M| n2), where M
 * has the sign of D M. r < 2^30, |x| < 2^27 and n2 <= 2^20 here, so the first bracket stays
 * below 2^57.                                                                          */
static inline TARGET void add_eight_offset(struct lanes *lanes, __m256i d, __m256i m,
                                           const __m256i sums[5])
{
    const __m256i size_d = _mm256_abs_epi32(d);
    const __m256i size_m = _mm256_abs_epi32(m);
    const __m256i signed_m = _mm256_sign_epi32(m, d); /* 0 where D is */
    for (int odd = 0; odd < 2; odd++) {
        __m256i s[5];
        for (int i = 0; i < 5; i++) {
            s[i] = _mm256_srli_epi64(sums[i], 32 * odd);
        }
        lanes->sum =
            _mm256_add_epi64(lanes->sum, _mm256_mul_epi32(_mm256_srli_epi64(d, 32 * odd), s[0]));
        lanes->sum =
            _mm256_add_epi64(lanes->sum, _mm256_mul_epi32(_mm256_srli_epi64(m, 32 * odd), s[3]));
        const __m256i one_d = _mm256_srli_epi64(size_d, 32 * odd);
        const __m256i one_m = _mm256_srli_epi64(size_m, 32 * odd);
        const __m256i cross = _mm256_mul_epi32(_mm256_srli_epi64(signed_m, 32 * odd), s[2]);
        add_product(lanes, one_d,
                    _mm256_add_epi64(_mm256_mul_epi32(one_d, s[1]), _mm256_slli_epi64(cross, 1)));
        add_product(lanes, one_m, _mm256_mul_epu32(one_m, s[4]));
    }
}

static inline TARGET void settle_lanes(const struct lanes *lanes, struct ggml_totals *totals)
{
    int64_t sum[4];
    int64_t low[4];
    int64_t middle[4];
    _mm256_storeu_si256((__m256i *)(void *)sum, lanes->sum);
    _mm256_storeu_si256((__m256i *)(void *)low, lanes->low);
    _mm256_storeu_si256((__m256i *)(void *)middle, lanes->middle);
    for (int i = 0; i < 4; i++) {
        totals->sum += sum[i];
        totals->squares += low[i] + (llmfp_i128)middle[i] * (INT64_C(1) << 32);
    }
}

/* The sum of bytes in all lanes of 64 bits. */
static inline TARGET uint64_t sum_of_bytes(__m256i bytes)
{
    const __m256i four = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
    const __m128i two =
        _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
}

#endif
