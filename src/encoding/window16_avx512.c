/* window16_avx512.c - 32 elements at a time with AVX-512. See window16.h for the bounds. */
#if defined(__x86_64__)

#include "lanes512.h"
#include "window16.h"

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2,avx512ifma,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

_Static_assert(WINDOW16_BLOCK <= 1 << 12, "products in wide windows are summed modulo 2^64");
_Static_assert(WINDOW16_BLOCK / 32 <= 128, "products are summed modulo 2^52");

/* 32 patterns as two vectors of floats; the order of elements does not matter. */
INLINE void to_floats(bool bf16, __m512i x, __m512 *a, __m512 *b)
{
    if (bf16) { /* a BF16 is the upper half of a float */
        *a = _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
        *b = _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xFFFF0000)));
    } else {
        *a = _mm512_cvtph_ps(_mm512_castsi512_si256(x));
        *b = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(x, 1));
    }
}

/* Sums of K + v in lanes of 32 bits, and of its squares modulo 2^52 by even and odd lane. */
struct lanes {
    __m512i sum;
    __m512i even;
    __m512i odd;
};

INLINE void add_floats(struct lanes *lanes, __m512 x, __m512 magic)
{
    const __m512i y = _mm512_castps_si512(_mm512_add_ps(x, magic));
    const __m512i even = _mm512_and_si512(y, _mm512_set1_epi64(UINT32_MAX));
    const __m512i odd = _mm512_srli_epi64(y, 32);
    lanes->sum = _mm512_add_epi32(lanes->sum, y);
    lanes->even = _mm512_madd52lo_epu64(lanes->even, even, even);
    lanes->odd = _mm512_madd52lo_epu64(lanes->odd, odd, odd);
}

/* Of each 64-bit lane: the sum of v^2 from the sum of (K + v)^2 modulo 2^52 and from the
 * sum of v in the lower 32 bits of `sum`. */
INLINE __m512i squares_of(__m512i squares, __m512i sum, uint32_t k, uint64_t n)
{
    const __m512i twice = _mm512_slli_epi64(_mm512_mul_epi32(sum, _mm512_set1_epi32((int)k)), 1);
    const __m512i all = _mm512_set1_epi64((int64_t)(n * k * k));
    return _mm512_and_si512(_mm512_sub_epi64(_mm512_sub_epi64(squares, all), twice),
                            _mm512_set1_epi64((INT64_C(1) << 52) - 1));
}

/* n: elements a lane. */
INLINE void finish(const struct lanes *lanes, float magic, size_t n, struct window16_sums *sums)
{
    uint32_t k;
    memcpy(&k, &magic, sizeof k);
    const __m512i sum =
        _mm512_sub_epi32(lanes->sum, _mm512_set1_epi32((int)(uint32_t)(n * (uint64_t)k)));
    const __m512i odd_sum = _mm512_srai_epi64(sum, 32);
    const __m512i even_sum = _mm512_srai_epi64(_mm512_slli_epi64(sum, 32), 32);
    const __m512i squares = _mm512_add_epi64(squares_of(lanes->even, even_sum, k, n),
                                             squares_of(lanes->odd, odd_sum, k, n));
    sums->sum += (int64_t)sum_of_lanes(_mm512_add_epi64(even_sum, odd_sum));
    sums->squares += sum_of_lanes(squares);
}

/* Elements outside the window: count zeros, hand the others out, and leave zeros in their
 * places. */
INLINE __m512i set_aside(__m512i x, __mmask32 outside_window, uint64_t *zeros, uint16_t **outside)
{
    const __mmask32 zero =
        _mm512_mask_testn_epi16_mask(outside_window, x, _mm512_set1_epi16(0x7FFF));
    const __mmask32 out = outside_window & ~zero;
    *zeros += (unsigned)__builtin_popcount(zero);
    /* Through a register: compressing to memory is very slow on some processors. */
    _mm512_storeu_si512(*outside, _mm512_maskz_compress_epi16(out, x));
    *outside += __builtin_popcount(out);
    return _mm512_maskz_mov_epi16(~outside_window, x);
}

INLINE size_t add(bool bf16, const struct window16 *window, const unsigned char *bytes, size_t n,
                  struct window16_sums *sums, uint16_t *outside)
{
    const __m512i first = _mm512_set1_epi16((short)window->first);
    const __m512i span = _mm512_set1_epi16((short)window->span);
    const __m512i significant = _mm512_set1_epi16((short)window->significant);
    const __m512 magic = _mm512_set1_ps(window->magic);
    const __m512i zero = _mm512_setzero_si512();
    struct lanes lanes_a = {zero, zero, zero};
    struct lanes lanes_b = {zero, zero, zero};
    uint16_t *next = outside;
    for (size_t i = 0; i < n; i += 32) {
        __builtin_prefetch(bytes + 2 * i + WINDOW16_AHEAD);
        __m512i x = _mm512_loadu_si512(bytes + 2 * i);
        const __m512i above = _mm512_sub_epi16(_mm512_and_si512(x, significant), first);
        const __mmask32 out = _mm512_cmpge_epu16_mask(above, span);
        if (__builtin_expect(out != 0, 0)) {
            x = set_aside(x, out, &sums->zeros, &next);
        }
        __m512 a;
        __m512 b;
        if (!bf16 && out == 0) { /* conversions from memory are cheaper */
            a = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(bytes + 2 * i)));
            b = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(bytes + 2 * i + 32)));
        } else {
            to_floats(bf16, x, &a, &b);
        }
        add_floats(&lanes_a, a, magic);
        add_floats(&lanes_b, b, magic);
    }
    finish(&lanes_a, window->magic, n / 32, sums);
    finish(&lanes_b, window->magic, n / 32, sums);
    return (size_t)(next - outside);
}

static TARGET size_t add_bf16(const struct window16 *window, const unsigned char *bytes, size_t n,
                              struct window16_sums *sums, uint16_t *outside)
{
    return add(true, window, bytes, n, sums, outside);
}

static TARGET size_t add_f16(const struct window16 *window, const unsigned char *bytes, size_t n,
                             struct window16_sums *sums, uint16_t *outside)
{
    return add(false, window, bytes, n, sums, outside);
}

static TARGET struct window16_range find_range(const unsigned char *bytes, size_t n)
{
    __m512i largest_signed = _mm512_set1_epi16(INT16_MIN);
    __m512i largest_unsigned = _mm512_setzero_si512();
    __m512i smallest_unsigned = _mm512_set1_epi16(-1);
    for (size_t i = 0; i < n; i += 32) {
        const __m512i x = _mm512_loadu_si512(bytes + 2 * i);
        largest_signed = _mm512_max_epi16(largest_signed, x);
        largest_unsigned = _mm512_max_epu16(largest_unsigned, x);
        smallest_unsigned = _mm512_min_epu16(smallest_unsigned, x);
    }
    /* Halves of vectors as 32-bit lanes, for there are reductions for those. */
    const __m512i low = _mm512_set1_epi32(UINT16_MAX);
    const __m512i signed_pair =
        _mm512_max_epi32(_mm512_srai_epi32(largest_signed, 16),
                         _mm512_srai_epi32(_mm512_slli_epi32(largest_signed, 16), 16));
    const __m512i largest_pair = _mm512_max_epu32(_mm512_srli_epi32(largest_unsigned, 16),
                                                  _mm512_and_si512(largest_unsigned, low));
    const __m512i smallest_pair = _mm512_min_epu32(_mm512_srli_epi32(smallest_unsigned, 16),
                                                   _mm512_and_si512(smallest_unsigned, low));
    return (struct window16_range){
        .largest_signed = _mm512_reduce_max_epi32(signed_pair),
        .largest_unsigned = _mm512_reduce_max_epu32(largest_pair),
        .smallest_unsigned = _mm512_reduce_min_epu32(smallest_pair),
    };
}

const struct window16_kernels llmfp_window16_bf16_avx512 = {.add = add_bf16, .range = find_range};
const struct window16_kernels llmfp_window16_f16_avx512 = {.add = add_f16, .range = find_range};

#else
typedef int llmfp_no_avx512; /* a translation unit may not be empty */
#endif
