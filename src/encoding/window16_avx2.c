/* window16_avx2.c - 16 elements at a time with AVX2 (and F16C for half floats). See
 * window16.h for the bounds. */
#if defined(__x86_64__)

#include "window16.h"

#include <immintrin.h>
#include <stdbool.h>

#define TARGET __attribute__((target("avx2,f16c")))

TARGET static inline void to_floats(bool bf16, __m256i x, __m256 *a, __m256 *b)
{
    if (bf16) { /* a BF16 is the upper half of a float */
        *a = _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
        *b = _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xFFFF0000)));
    } else {
        *a = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
        *b = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
    }
}

/* Vectors that run along the block. */
struct lanes {
    __m256i squares_a;
    __m256i squares_b;
    __m256i largest_signed;
    __m256i largest_unsigned;
    __m256i smallest_unsigned;
};

/* `skipped` has all bits set in the lanes that do not count. */
TARGET static inline void note_range(struct lanes *lanes, __m256i skipped, __m256i x)
{
    const __m256i low = _mm256_set1_epi16(INT16_MIN);
    lanes->largest_signed =
        _mm256_max_epi16(lanes->largest_signed, _mm256_blendv_epi8(x, low, skipped));
    lanes->largest_unsigned =
        _mm256_max_epu16(lanes->largest_unsigned, _mm256_andnot_si256(skipped, x));
    lanes->smallest_unsigned =
        _mm256_min_epu16(lanes->smallest_unsigned, _mm256_or_si256(skipped, x));
}

TARGET static inline __m256i add_squares(__m256i squares, __m256i i)
{
    const __m256i upper = _mm256_srli_epi64(i, 32);
    return _mm256_add_epi64(
        squares, _mm256_add_epi64(_mm256_mul_epi32(i, i), _mm256_mul_epi32(upper, upper)));
}

TARGET static inline __m256i widen(__m256i sum)
{
    return _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(sum)),
                            _mm256_cvtepi32_epi64(_mm256_extracti128_si256(sum, 1)));
}

TARGET static int64_t add_lanes(__m256i sum)
{
    int64_t lane[4];
    _mm256_storeu_si256((__m256i *)lane, sum);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

TARGET static void finish(const struct lanes *lanes, __m256i sum, struct window16_sums *sums)
{
    int16_t as_signed[16];
    uint16_t largest[16];
    uint16_t smallest[16];
    _mm256_storeu_si256((__m256i *)as_signed, lanes->largest_signed);
    _mm256_storeu_si256((__m256i *)largest, lanes->largest_unsigned);
    _mm256_storeu_si256((__m256i *)smallest, lanes->smallest_unsigned);
    for (int i = 0; i < 16; i++) {
        sums->largest_signed =
            as_signed[i] > sums->largest_signed ? as_signed[i] : sums->largest_signed;
        sums->largest_unsigned =
            largest[i] > sums->largest_unsigned ? largest[i] : sums->largest_unsigned;
        sums->smallest_unsigned =
            smallest[i] < sums->smallest_unsigned ? smallest[i] : sums->smallest_unsigned;
    }
    sums->sum += add_lanes(sum);
    sums->squares += (uint64_t)add_lanes(_mm256_add_epi64(lanes->squares_a, lanes->squares_b));
}

/* Elements outside the window: count zeros, hand the others out, and leave zeros in their
 * places. */
TARGET static inline __m256i set_aside(__m256i x, __m256i magnitude, __m256i outside_window,
                                       struct lanes *lanes, struct window16_sums *sums,
                                       uint16_t **outside)
{
    const __m256i zero = _mm256_cmpeq_epi16(magnitude, _mm256_setzero_si256());
    const __m256i out = _mm256_andnot_si256(zero, outside_window);
    /* Two bits of the mask an element. */
    sums->zeros += (unsigned)__builtin_popcount((unsigned)_mm256_movemask_epi8(zero)) / 2;
    note_range(lanes, out, x);
    unsigned mask = (unsigned)_mm256_movemask_epi8(out) & 0x55555555U;
    if (mask != 0) {
        uint16_t element[16];
        _mm256_storeu_si256((__m256i *)element, x);
        for (; mask != 0; mask &= mask - 1) {
            *(*outside)++ = element[__builtin_ctz(mask) / 2];
        }
    }
    return _mm256_andnot_si256(out, x);
}

TARGET static inline size_t add(bool bf16, const struct window16 *window,
                                const unsigned char *bytes, size_t n, struct window16_sums *sums,
                                uint16_t *outside)
{
    enum { ROUNDS = 128 };
    const __m256i first = _mm256_set1_epi16((short)window->first);
    const __m256i span = _mm256_set1_epi16((short)window->span);
    const __m256i magnitudes = _mm256_set1_epi16(0x7FFF);
    const __m256 scale = _mm256_set1_ps(window->scale);
    struct lanes lanes = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                          _mm256_set1_epi16(INT16_MIN), _mm256_setzero_si256(),
                          _mm256_set1_epi16(-1)};
    uint16_t *next = outside;
    __m256i total = _mm256_setzero_si256();
    for (size_t i = 0; i < n;) {
        const size_t end = n - i < ROUNDS * 16 ? n : i + ROUNDS * 16;
        __m256i sum = _mm256_setzero_si256();
        for (; i < end; i += 16) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * i));
            const __m256i magnitude = _mm256_and_si256(x, magnitudes);
            const __m256i above = _mm256_sub_epi16(magnitude, first);
            const __m256i out = _mm256_cmpeq_epi16(_mm256_max_epu16(above, span), above);
            if (__builtin_expect(_mm256_movemask_epi8(out) != 0, 0)) {
                x = set_aside(x, magnitude, out, &lanes, sums, &next);
            } else {
                lanes.largest_signed = _mm256_max_epi16(lanes.largest_signed, x);
                lanes.largest_unsigned = _mm256_max_epu16(lanes.largest_unsigned, x);
                lanes.smallest_unsigned = _mm256_min_epu16(lanes.smallest_unsigned, x);
            }
            __m256 a;
            __m256 b;
            to_floats(bf16, x, &a, &b);
            const __m256i i_a = _mm256_cvtps_epi32(_mm256_mul_ps(a, scale));
            const __m256i i_b = _mm256_cvtps_epi32(_mm256_mul_ps(b, scale));
            sum = _mm256_add_epi32(sum, _mm256_add_epi32(i_a, i_b));
            lanes.squares_a = add_squares(lanes.squares_a, i_a);
            lanes.squares_b = add_squares(lanes.squares_b, i_b);
        }
        total = _mm256_add_epi64(total, widen(sum));
    }
    finish(&lanes, total, sums);
    return (size_t)(next - outside);
}

TARGET size_t llmfp_window16_bf16_avx2(const struct window16 *window, const unsigned char *bytes,
                                       size_t n, struct window16_sums *sums, uint16_t *outside)
{
    return add(true, window, bytes, n, sums, outside);
}

TARGET size_t llmfp_window16_f16_avx2(const struct window16 *window, const unsigned char *bytes,
                                      size_t n, struct window16_sums *sums, uint16_t *outside)
{
    return add(false, window, bytes, n, sums, outside);
}

#else
typedef int llmfp_no_avx2; /* a translation unit may not be empty */
#endif
