/* window64_avx512.c - 8 doubles at a time with AVX-512.
 *
 * Exactness. In units of 2^unit, 1.5 * 2^52 * 2^50 + v is rounded to a multiple of 2^50: it
 * is that plus h 2^50, and the lower 52 bits of its pattern are 2^51 + h, |h| <= 2^50. Then
 * l = v - h 2^50 is exact, |l| <= 2^49, and 1.5 * 2^52 + l holds 2^51 + l likewise. The
 * instructions that multiply 52 bits give both halves of the products of those; a block's
 * sums of halves are below 2^10 2^52. What the 2^51 added is taken away in the end. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "lanes512.h"
#include "window64.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512ifma,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { LOW_BITS = 50, BITS = 100, OFFSET_BITS = 51 };

/* Sums of products: lower and upper 52 bits. */
struct products {
    __m512i low;
    __m512i high;
};

INLINE void add_product(struct products *products, __m512i a, __m512i b)
{
    products->low = _mm512_madd52lo_epu64(products->low, a, b);
    products->high = _mm512_madd52hi_epu64(products->high, a, b);
}

/* The sum of a b from that of (2^51 + a) (2^51 + b), where the sum of a + b is known. */
INLINE llmfp_i128 total_of(const struct products *products, size_t n, llmfp_i128 sum)
{
    const llmfp_i128 low = (llmfp_i128)sum_of_lanes(products->low);
    const llmfp_i128 high = (llmfp_i128)sum_of_lanes(products->high);
    return low + high * ((llmfp_i128)1 << 52) - sum * ((llmfp_i128)1 << OFFSET_BITS) -
           (llmfp_i128)n * ((llmfp_i128)1 << (2 * OFFSET_BITS));
}

/* The sum of integers from that of patterns of magic + integer. */
INLINE int64_t sum_of(__m512i patterns, size_t n, double magic)
{
    uint64_t k;
    memcpy(&k, &magic, sizeof k);
    return (int64_t)(sum_of_lanes(patterns) - n * k);
}

/* Elements below the window: count zeros, hand the others out, and leave zeros in their
 * places. Compressed in a register: compressing into memory is slow on some processors. */
INLINE __m512i set_aside(__m512i pattern, __mmask8 below, uint64_t *zeros, unsigned char **outside)
{
    const __mmask8 zero =
        _mm512_mask_testn_epi64_mask(below, pattern, _mm512_set1_epi64(INT64_MAX));
    const __mmask8 out = (__mmask8)(below & ~zero);
    _mm512_storeu_si512(*outside, _mm512_maskz_compress_epi64(out, pattern));
    *outside += 8 * (size_t)__builtin_popcount(out);
    *zeros += (unsigned)__builtin_popcount(zero);
    return _mm512_maskz_mov_epi64((__mmask8)~below, pattern);
}

static TARGET size_t add_window(struct window64 *window, const unsigned char *bytes, size_t n,
                                unsigned char *outside)
{
    const __m512i limit = _mm512_set1_epi64((int64_t)(window->first << 1));
    __m512i most = _mm512_setzero_si512();
    const double high_magic = ldexp(1.5, 52 + LOW_BITS + window->unit);
    const double low_magic = ldexp(1.5, 52 + window->unit);
    const __m512d high_magics = _mm512_set1_pd(high_magic);
    const __m512d low_magics = _mm512_set1_pd(low_magic);
    const __m512i zero = _mm512_setzero_si512();
    struct products high_squares = {zero, zero};
    struct products products = {zero, zero};
    struct products low_squares = {zero, zero};
    __m512i high = zero;
    __m512i low = zero;
    unsigned char *next = outside;
    for (size_t i = 0; i < n; i += 8) {
        __builtin_prefetch(bytes + 8 * i + WINDOW64_AHEAD);
        __m512i pattern = _mm512_loadu_si512(bytes + 8 * i);
        /* Shifted left by one, patterns lose their sign. */
        const __m512i shifted = _mm512_add_epi64(pattern, pattern);
        const __mmask8 below = _mm512_cmplt_epu64_mask(shifted, limit);
        most = _mm512_max_epu64(most, shifted);
        if (__builtin_expect(below != 0, 0)) {
            pattern = set_aside(pattern, below, &window->zeros, &next);
        }
        const __m512d x = _mm512_castsi512_pd(pattern);
        const __m512d y = _mm512_add_pd(x, high_magics);
        const __m512d rest = _mm512_sub_pd(x, _mm512_sub_pd(y, high_magics));
        const __m512i h = _mm512_castpd_si512(y);
        const __m512i l = _mm512_castpd_si512(_mm512_add_pd(rest, low_magics));
        high = _mm512_add_epi64(high, h);
        low = _mm512_add_epi64(low, l);
        add_product(&high_squares, h, h);
        add_product(&products, h, l);
        add_product(&low_squares, l, l);
    }
    const __m512i end = _mm512_set1_epi64((int64_t)(window->most << 1));
    if (_mm512_cmpgt_epu64_mask(most, end) != 0) {
        return BEYOND;
    }
    const llmfp_i128 h = sum_of(high, n, high_magic);
    const llmfp_i128 l = sum_of(low, n, low_magic);
    window->sum[0] = l;
    window->sum[1] = h;
    window->squares[0] = total_of(&low_squares, n, 2 * l);
    window->squares[1] = 2 * total_of(&products, n, h + l);
    window->squares[2] = total_of(&high_squares, n, 2 * h);
    return (size_t)(next - outside) / 8;
}

static TARGET struct window64_range find_range(const unsigned char *bytes, size_t n)
{
    __m512i largest_signed = _mm512_set1_epi64(INT64_MIN);
    __m512i largest_unsigned = _mm512_setzero_si512();
    __m512i smallest_unsigned = _mm512_set1_epi64(-1);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i pattern = _mm512_loadu_si512(bytes + 8 * i);
        largest_signed = _mm512_max_epi64(largest_signed, pattern);
        largest_unsigned = _mm512_max_epu64(largest_unsigned, pattern);
        smallest_unsigned = _mm512_min_epu64(smallest_unsigned, pattern);
    }
    return (struct window64_range){
        .largest_signed = _mm512_reduce_max_epi64(largest_signed),
        .largest_unsigned = _mm512_reduce_max_epu64(largest_unsigned),
        .smallest_unsigned = _mm512_reduce_min_epu64(smallest_unsigned),
    };
}

const struct window64_kernels llmfp_window64_avx512 = {
    .bits = BITS,
    .step = LOW_BITS,
    .wide = &llmfp_window64_wide_avx512,
    .least_unit = -1074,
    .most_unit = 1023 - (52 + LOW_BITS + 1), /* sums with high_magic are finite */
    .range = find_range,
    .add = add_window,
};
#else
typedef int llmfp_no_window64_avx512; /* a translation unit may not be empty */
#endif
