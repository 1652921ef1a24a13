/* window_avx512.c - window kernels for x86-64 with AVX-512 (llmfp/isa.h).
 *
 * Exactness. The double 1.5 * 2^52 r + v is exact, |v| < 2^51, and its pattern is K + v. The
 * lower 52 bits of that are w = 2^51 + v, which the instructions that multiply 52 bits look
 * at: one adds the lower 52 bits of w^2 to a lane, one the upper. A block's sums are below
 * 2^12 2^52 = 2^64, and sums of w^2 are sums of v^2 plus 2^52 times those of v, plus
 * constants; sums of v are below 2^63.                                          */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "lanes512.h"
#include "window.h"

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx512vbmi2,"  \
                          "avx512ifma,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { BITS = 51, SETS = 2 };
_Static_assert(BLOCK <= 1 << 12, "the bound on the sums of a block");

struct lanes {
    __m512i sum[SETS];
    __m512i low[SETS];
    __m512i high[SETS];
};

/* Eight floats. */
INLINE void add_floats(struct lanes *lanes, int set, __m256 x, __m512d magic)
{
    const __m512i y = _mm512_castpd_si512(_mm512_add_pd(_mm512_cvtps_pd(x), magic));
    lanes->sum[set] = _mm512_add_epi64(lanes->sum[set], y);
    lanes->low[set] = _mm512_madd52lo_epu64(lanes->low[set], y, y);
    lanes->high[set] = _mm512_madd52hi_epu64(lanes->high[set], y, y);
}

/* n: elements. */
INLINE void collect_lanes(struct window *window, const struct lanes *lanes, uint64_t n,
                          double magic)
{
    uint64_t k;
    memcpy(&k, &magic, sizeof k);
    const uint64_t sum = sum_of_lanes(_mm512_add_epi64(lanes->sum[0], lanes->sum[1]));
    const uint64_t low = sum_of_lanes(_mm512_add_epi64(lanes->low[0], lanes->low[1]));
    const uint64_t high = sum_of_lanes(_mm512_add_epi64(lanes->high[0], lanes->high[1]));
    const llmfp_u128 unit = (llmfp_u128)1 << 52;
    window->sum = (int64_t)(sum - n * k);
    window->squares =
        low + unit * high - (llmfp_u128)window->sum * unit - ((llmfp_u128)n << (2 * BITS));
}

/* Elements below the window: count zeros, hand the others out, and leave zeros in their
 * places. Compressed in a register: compressing into memory is slow on some processors. */
INLINE __m512i set_aside(__m512i pattern, __mmask16 below, uint64_t *zeros, unsigned char **outside)
{
    const __mmask16 zero =
        _mm512_mask_testn_epi32_mask(below, pattern, _mm512_set1_epi32(INT32_MAX));
    const __mmask16 out = (__mmask16)(below & ~zero);
    _mm512_storeu_si512(*outside, _mm512_maskz_compress_epi32(out, pattern));
    *outside += 4 * (size_t)__builtin_popcount(out);
    *zeros += (unsigned)__builtin_popcount(zero);
    return _mm512_maskz_mov_epi32((__mmask16)~below, pattern);
}

static TARGET size_t add_window(struct window *window, const unsigned char *bytes, size_t n,
                                unsigned char *outside)
{
    /* Shifted left by one, patterns lose their sign. */
    const __m512i limit = _mm512_set1_epi32((int)(window->first << 1));
    const double magic_value = ldexp(1.5, 52 + window->unit);
    const __m512d magic = _mm512_set1_pd(magic_value);
    const __m512i zero = _mm512_setzero_si512();
    struct lanes lanes = {{zero, zero}, {zero, zero}, {zero, zero}};
    unsigned char *next = outside;
    window->zeros = 0;
    for (size_t i = 0; i < n; i += 16) {
        __builtin_prefetch(bytes + 4 * i + AHEAD);
        __m512i pattern = _mm512_loadu_si512(bytes + 4 * i);
        const __mmask16 below = _mm512_cmplt_epu32_mask(_mm512_add_epi32(pattern, pattern), limit);
        if (__builtin_expect(below != 0, 0)) {
            pattern = set_aside(pattern, below, &window->zeros, &next);
        }
        add_floats(&lanes, 0, _mm256_castsi256_ps(_mm512_castsi512_si256(pattern)), magic);
        add_floats(&lanes, 1, _mm256_castsi256_ps(_mm512_extracti64x4_epi64(pattern, 1)), magic);
    }
    collect_lanes(window, &lanes, n, magic_value);
    return (size_t)(next - outside) / 4;
}

static TARGET struct window_range find_range(const unsigned char *bytes, size_t n)
{
    __m512i largest_signed = _mm512_set1_epi32(INT32_MIN);
    __m512i largest_unsigned = _mm512_setzero_si512();
    __m512i smallest_unsigned = _mm512_set1_epi32(-1);
    for (size_t i = 0; i < n; i += 16) {
        const __m512i pattern = _mm512_loadu_si512(bytes + 4 * i);
        largest_signed = _mm512_max_epi32(largest_signed, pattern);
        largest_unsigned = _mm512_max_epu32(largest_unsigned, pattern);
        smallest_unsigned = _mm512_min_epu32(smallest_unsigned, pattern);
    }
    return (struct window_range){
        .largest_signed = _mm512_reduce_max_epi32(largest_signed),
        .largest_unsigned = _mm512_reduce_max_epu32(largest_unsigned),
        .smallest_unsigned = _mm512_reduce_min_epu32(smallest_unsigned),
    };
}

const struct window_kernels llmfp_window_avx512 = {
    .bits = BITS,
    .range = find_range,
    .add = add_window,
};
#else
typedef int llmfp_no_window_avx512; /* a translation unit may not be empty */
#endif
