/* window16_avx512.c - 32 elements at a time with AVX-512. See window16.h for the bounds. */
#if defined(__x86_64__)

#include "window16.h"

#include <immintrin.h>
#include <stdbool.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2")))

/* 32 patterns as two vectors of floats; the order of elements does not matter. */
TARGET static inline void to_floats(bool bf16, __m512i x, __m512 *a, __m512 *b)
{
    if (bf16) { /* a BF16 is the upper half of a float */
        *a = _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
        *b = _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xFFFF0000)));
    } else {
        *a = _mm512_cvtph_ps(_mm512_castsi512_si256(x));
        *b = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(x, 1));
    }
}

/* Vectors that run along the block. */
struct lanes {
    __m512i squares_a;
    __m512i squares_b;
    __m512i largest_signed;
    __m512i largest_unsigned;
    __m512i smallest_unsigned;
};

TARGET static inline void note_range(struct lanes *lanes, __mmask32 which, __m512i x)
{
    lanes->largest_signed =
        _mm512_mask_max_epi16(lanes->largest_signed, which, lanes->largest_signed, x);
    lanes->largest_unsigned =
        _mm512_mask_max_epu16(lanes->largest_unsigned, which, lanes->largest_unsigned, x);
    lanes->smallest_unsigned =
        _mm512_mask_min_epu16(lanes->smallest_unsigned, which, lanes->smallest_unsigned, x);
}

/* Squares of 16 integers: vpmuldq multiplies the lower half of each 64-bit lane. */
TARGET static inline __m512i add_squares(__m512i squares, __m512i i)
{
    const __m512i upper = _mm512_srli_epi64(i, 32);
    return _mm512_add_epi64(
        squares, _mm512_add_epi64(_mm512_mul_epi32(i, i), _mm512_mul_epi32(upper, upper)));
}

TARGET static inline __m512i widen(__m512i sum)
{
    return _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(sum)),
                            _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(sum, 1)));
}

TARGET static void finish(const struct lanes *lanes, __m512i sum, struct window16_sums *sums)
{
    int16_t as_signed[32];
    uint16_t largest[32];
    uint16_t smallest[32];
    _mm512_storeu_si512(as_signed, lanes->largest_signed);
    _mm512_storeu_si512(largest, lanes->largest_unsigned);
    _mm512_storeu_si512(smallest, lanes->smallest_unsigned);
    for (int i = 0; i < 32; i++) {
        sums->largest_signed =
            as_signed[i] > sums->largest_signed ? as_signed[i] : sums->largest_signed;
        sums->largest_unsigned =
            largest[i] > sums->largest_unsigned ? largest[i] : sums->largest_unsigned;
        sums->smallest_unsigned =
            smallest[i] < sums->smallest_unsigned ? smallest[i] : sums->smallest_unsigned;
    }
    sums->sum += _mm512_reduce_add_epi64(sum);
    sums->squares +=
        (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(lanes->squares_a, lanes->squares_b));
}

/* Elements outside the window: count zeros, hand the others out, and leave zeros in their
 * places. Returns the elements that were inside. */
TARGET static inline __m512i set_aside(__m512i x, __m512i magnitude, __mmask32 outside_window,
                                       struct lanes *lanes, struct window16_sums *sums,
                                       uint16_t **outside)
{
    const __mmask32 zero = _mm512_mask_testn_epi16_mask(outside_window, magnitude, magnitude);
    const __mmask32 out = outside_window & ~zero;
    sums->zeros += (unsigned)__builtin_popcount(zero);
    note_range(lanes, ~out, x);
    if (out != 0) {
        _mm512_mask_compressstoreu_epi16(*outside, out, x);
        *outside += __builtin_popcount(out);
        x = _mm512_maskz_mov_epi16(~out, x);
    }
    return x;
}

TARGET static inline size_t add(bool bf16, const struct window16 *window,
                                const unsigned char *bytes, size_t n, struct window16_sums *sums,
                                uint16_t *outside)
{
    enum { ROUNDS = 128 };
    const __m512i first = _mm512_set1_epi16((short)window->first);
    const __m512i span = _mm512_set1_epi16((short)window->span);
    const __m512i magnitudes = _mm512_set1_epi16(0x7FFF);
    const __m512 scale = _mm512_set1_ps(window->scale);
    struct lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                          _mm512_set1_epi16(INT16_MIN), _mm512_setzero_si512(),
                          _mm512_set1_epi16(-1)};
    uint16_t *next = outside;
    __m512i total = _mm512_setzero_si512();
    for (size_t i = 0; i < n;) {
        const size_t end = n - i < ROUNDS * 32 ? n : i + ROUNDS * 32;
        __m512i sum = _mm512_setzero_si512();
        for (; i < end; i += 32) {
            __m512i x = _mm512_loadu_si512(bytes + 2 * i);
            const __m512i magnitude = _mm512_and_si512(x, magnitudes);
            const __mmask32 out = _mm512_cmpge_epu16_mask(_mm512_sub_epi16(magnitude, first), span);
            if (__builtin_expect(out != 0, 0)) {
                x = set_aside(x, magnitude, out, &lanes, sums, &next);
            } else {
                note_range(&lanes, (__mmask32)-1, x);
            }
            __m512 a;
            __m512 b;
            to_floats(bf16, x, &a, &b);
            const __m512i i_a = _mm512_cvtps_epi32(_mm512_mul_ps(a, scale));
            const __m512i i_b = _mm512_cvtps_epi32(_mm512_mul_ps(b, scale));
            sum = _mm512_add_epi32(sum, _mm512_add_epi32(i_a, i_b));
            lanes.squares_a = add_squares(lanes.squares_a, i_a);
            lanes.squares_b = add_squares(lanes.squares_b, i_b);
        }
        total = _mm512_add_epi64(total, widen(sum));
    }
    finish(&lanes, total, sums);
    return (size_t)(next - outside);
}

TARGET size_t llmfp_window16_bf16_avx512(const struct window16 *window, const unsigned char *bytes,
                                         size_t n, struct window16_sums *sums, uint16_t *outside)
{
    return add(true, window, bytes, n, sums, outside);
}

TARGET size_t llmfp_window16_f16_avx512(const struct window16 *window, const unsigned char *bytes,
                                        size_t n, struct window16_sums *sums, uint16_t *outside)
{
    return add(false, window, bytes, n, sums, outside);
}

#else
typedef int llmfp_no_avx512; /* a translation unit may not be empty */
#endif
