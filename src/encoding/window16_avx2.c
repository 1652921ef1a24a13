/* window16_avx2.c - 16 elements at a time with AVX2 (and F16C for half floats). See
 * window16.h for the bounds. */
#if defined(__x86_64__)

#include "window16.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,f16c,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

_Static_assert(WINDOW16_BLOCK / 16 <= 512, "sums of v in lanes of 32 bits");

INLINE void to_floats(bool bf16, __m256i x, __m256 *a, __m256 *b)
{
    if (bf16) { /* a BF16 is the upper half of a float */
        *a = _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
        *b = _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xFFFF0000)));
    } else {
        *a = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
        *b = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
    }
}

/* Sums of K + v in lanes of 32 bits, and of its squares modulo 2^64. */
struct lanes {
    __m256i sum;
    __m256i squares;
};

INLINE void add_floats(struct lanes *lanes, __m256 x, __m256 magic)
{
    const __m256i y = _mm256_castps_si256(_mm256_add_ps(x, magic));
    const __m256i odd = _mm256_srli_epi64(y, 32);
    lanes->sum = _mm256_add_epi32(lanes->sum, y);
    lanes->squares = _mm256_add_epi64(
        lanes->squares, _mm256_add_epi64(_mm256_mul_epu32(y, y), _mm256_mul_epu32(odd, odd)));
}

/* n: elements a lane of 32 bits. */
INLINE void finish(const struct lanes *lanes, float magic, size_t n, struct window16_sums *sums)
{
    uint32_t k;
    memcpy(&k, &magic, sizeof k);
    int32_t sum[8];
    uint64_t squares[4];
    _mm256_storeu_si256((__m256i *)sum,
                        _mm256_sub_epi32(lanes->sum, _mm256_set1_epi32((int)(uint32_t)(n * k))));
    _mm256_storeu_si256((__m256i *)squares, lanes->squares);
    int64_t total = 0;
    for (int i = 0; i < 8; i++) {
        total += sum[i];
    }
    sums->sum += total;
    sums->squares += squares[0] + squares[1] + squares[2] + squares[3] - 8 * n * (uint64_t)k * k -
                     2 * (uint64_t)k * (uint64_t)total;
}

/* Elements outside the window (all bits of their lanes are set): count zeros, hand the others
 * out, and leave zeros in their places. */
INLINE __m256i set_aside(__m256i x, __m256i outside_window, struct window16_sums *sums,
                         uint16_t **outside)
{
    const __m256i zero =
        _mm256_cmpeq_epi16(_mm256_slli_epi16(x, 1), _mm256_setzero_si256()); /* of any sign */
    const __m256i out = _mm256_andnot_si256(zero, outside_window);
    /* Two bits of the mask an element. */
    sums->zeros += (unsigned)__builtin_popcount((unsigned)_mm256_movemask_epi8(zero)) / 2;
    unsigned mask = (unsigned)_mm256_movemask_epi8(out) & 0x55555555U;
    if (mask != 0) {
        uint16_t element[16];
        _mm256_storeu_si256((__m256i *)element, x);
        for (; mask != 0; mask &= mask - 1) {
            *(*outside)++ = element[__builtin_ctz(mask) / 2];
        }
    }
    return _mm256_andnot_si256(outside_window, x);
}

INLINE size_t add(bool bf16, const struct window16 *window, const unsigned char *bytes, size_t n,
                  struct window16_sums *sums, uint16_t *outside)
{
    const __m256i first = _mm256_set1_epi16((short)window->first);
    const __m256i span = _mm256_set1_epi16((short)window->span);
    const __m256i significant = _mm256_set1_epi16((short)window->significant);
    const __m256 magic = _mm256_set1_ps(window->magic);
    const __m256i zero = _mm256_setzero_si256();
    struct lanes lanes_a = {zero, zero};
    struct lanes lanes_b = {zero, zero};
    uint16_t *next = outside;
    for (size_t i = 0; i < n; i += 16) {
        __builtin_prefetch(bytes + 2 * i + WINDOW16_AHEAD);
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * i));
        const __m256i above = _mm256_sub_epi16(_mm256_and_si256(x, significant), first);
        const __m256i out = _mm256_cmpeq_epi16(_mm256_max_epu16(above, span), above);
        if (__builtin_expect(!_mm256_testz_si256(out, out), 0)) {
            x = set_aside(x, out, sums, &next);
        }
        __m256 a;
        __m256 b;
        to_floats(bf16, x, &a, &b);
        add_floats(&lanes_a, a, magic);
        add_floats(&lanes_b, b, magic);
    }
    finish(&lanes_a, window->magic, n / 16, sums);
    finish(&lanes_b, window->magic, n / 16, sums);
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

/* Of 16 unsigned integers. */
INLINE uint32_t smallest_of(__m256i x)
{
    const __m128i halves = _mm_min_epu16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    return (uint32_t)_mm_extract_epi16(_mm_minpos_epu16(halves), 0);
}

static TARGET struct window16_range find_range(const unsigned char *bytes, size_t n)
{
    __m256i largest_signed = _mm256_set1_epi16(INT16_MIN);
    __m256i largest_unsigned = _mm256_setzero_si256();
    __m256i smallest_unsigned = _mm256_set1_epi16(-1);
    for (size_t i = 0; i < n; i += 16) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * i));
        largest_signed = _mm256_max_epi16(largest_signed, x);
        largest_unsigned = _mm256_max_epu16(largest_unsigned, x);
        smallest_unsigned = _mm256_min_epu16(smallest_unsigned, x);
    }
    /* Inverted, the largest is the smallest: as unsigned or, sign bit apart, as signed. */
    return (struct window16_range){
        .largest_signed =
            (int16_t)(smallest_of(_mm256_xor_si256(largest_signed, _mm256_set1_epi16(INT16_MAX))) ^
                      INT16_MAX),
        .largest_unsigned =
            smallest_of(_mm256_xor_si256(largest_unsigned, _mm256_set1_epi16(-1))) ^ UINT16_MAX,
        .smallest_unsigned = smallest_of(smallest_unsigned),
    };
}

const struct window16_kernels llmfp_window16_bf16_avx2 = {.add = add_bf16, .range = find_range};
const struct window16_kernels llmfp_window16_f16_avx2 = {.add = add_f16, .range = find_range};

#else
typedef int llmfp_no_avx2; /* a translation unit may not be empty */
#endif
