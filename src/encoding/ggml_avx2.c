/* ggml_avx2.c - sums of GGUF's blocks for x86-64 with AVX2; see ggml_lanes.h. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#define TARGET            __attribute__((target("avx2,bmi2,popcnt,f16c")))
#define KERNEL_NAME(name) ggml_##name##_avx2

/* Lanes of 32 bits += products of four bytes, the first without sign; two neighbours must
 * stay below 2^15.                                                                     */
static inline TARGET __m256i add_bytes(__m256i lanes, __m256i a, __m256i b)
{
    return _mm256_add_epi32(lanes,
                            _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}

static inline TARGET __m256i add_words(__m256i lanes, __m256i a, __m256i b)
{
    return _mm256_add_epi32(lanes, _mm256_madd_epi16(a, b));
}

/* Squares of bytes from -128 on. */
static inline TARGET __m256i add_wide_squares(__m256i lanes, __m256i q)
{
    const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q));
    const __m256i high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1));
    return add_words(add_words(lanes, low, low), high, high);
}

static inline TARGET __m256i finish_wide_squares(__m256i squares, __m256i sums)
{
    (void)sums;
    return squares;
}

#include "ggml_nvfp4.h"
#include "ggml_offset.h"
#include "ggml_plain.h"
#include "ggml_signed.h"

#else
typedef int llmfp_no_avx2; /* a translation unit may not be empty */
#endif
