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
#include <stdbool.h>
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

INLINE __m256 load_floats(const unsigned char *bytes)
{
    return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i_u *)bytes));
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
    window->squares = (llmfp_i128)(low + unit * high - (llmfp_u128)window->sum * unit -
                                   ((llmfp_u128)n << (2 * BITS)));
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

/* A chunk of which elements may be outside. */
struct mixed {
    bool is_mixed;  /* some are below */
    bool is_beyond; /* some are above: nothing counts */
    unsigned char *outside;
};

INLINE struct mixed add_mixed_chunk(struct window *window, struct lanes *lanes,
                                    const unsigned char *bytes, __m512d magic,
                                    unsigned char *outside)
{
    const __m512i limit = _mm512_set1_epi32((int)(window->first << 1));
    __m512i most = _mm512_setzero_si512();
    __mmask16 any = 0;
    for (size_t i = 0; i < CHUNK; i += 16) {
        __m512i pattern = _mm512_loadu_si512(bytes + 4 * i);
        const __m512i shifted = _mm512_add_epi32(pattern, pattern);
        const __mmask16 below = _mm512_cmplt_epu32_mask(shifted, limit);
        most = _mm512_max_epu32(most, shifted);
        any |= below;
        pattern = set_aside(pattern, below, &window->zeros, &outside);
        add_floats(lanes, 0, _mm256_castsi256_ps(_mm512_castsi512_si256(pattern)), magic);
        add_floats(lanes, 1, _mm256_castsi256_ps(_mm512_extracti64x4_epi64(pattern, 1)), magic);
    }
    const __m512i end = _mm512_set1_epi32((int)(window->most << 1));
    return (struct mixed){any != 0, _mm512_cmpgt_epu32_mask(most, end) != 0, outside};
}

/* Of a chunk, how far shifted patterns are above `limit`, at most; below it, they wrap. */
INLINE __m512i most_above(const unsigned char *bytes, __m512i limit)
{
    __m512i most = _mm512_setzero_si512();
    for (size_t i = 0; i < CHUNK; i += 16) {
        const __m512i pattern = _mm512_loadu_si512(bytes + 4 * i);
        const __m512i shifted = _mm512_add_epi32(pattern, pattern);
        most = _mm512_max_epu32(most, _mm512_sub_epi32(shifted, limit));
    }
    return most;
}

static TARGET size_t add_window(struct window *window, const unsigned char *bytes, size_t n,
                                unsigned char *outside)
{
    /* Shifted left by one, patterns lose their sign. */
    const __m512i limit = _mm512_set1_epi32((int)(window->first << 1));
    const __m512i span = _mm512_set1_epi32((int)((window->most - window->first) << 1));
    const double magic_value = ldexp(1.5, 52 + window->unit);
    const __m512d magic = _mm512_set1_pd(magic_value);
    const __m512i zero = _mm512_setzero_si512();
    struct lanes lanes = {{zero, zero}, {zero, zero}, {zero, zero}};
    struct mixed mixed = {false, false, outside};
    window->zeros = 0;
    for (size_t i = 0; i < n; i += CHUNK) {
        const unsigned char *chunk = bytes + 4 * i;
        for (size_t line = 0; line < (size_t)4 * CHUNK; line += 64) {
            __builtin_prefetch(chunk + AHEAD + line);
        }
        if (mixed.is_mixed || _mm512_cmpgt_epu32_mask(most_above(chunk, limit), span) != 0) {
            mixed = add_mixed_chunk(window, &lanes, chunk, magic, mixed.outside);
            if (mixed.is_beyond) {
                return BEYOND;
            }
            continue;
        }
        for (size_t k = 0; k < CHUNK; k += 16) {
            add_floats(&lanes, 0, load_floats(chunk + 4 * k), magic);
            add_floats(&lanes, 1, load_floats(chunk + 4 * k + 32), magic);
        }
    }
    collect_lanes(window, &lanes, n, magic_value);
    return (size_t)(mixed.outside - outside) / 4;
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
    .wide = &llmfp_window_wide_avx512,
    .range = find_range,
    .add = add_window,
};
#else
typedef int llmfp_no_window_avx512; /* a translation unit may not be empty */
#endif
