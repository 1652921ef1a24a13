/* window_avx2.c - window kernels for x86-64 with AVX2 and FMA. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define TARGET       __attribute__((target("avx2,fma,bmi2,popcnt")))
#define VECTOR_BYTES 32
#include "window.h"
#include "window_vectors.h"

INLINE vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    return (vector_i32)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

INLINE vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    return (vector_u32)_mm256_max_epu32((__m256i)a, (__m256i)b);
}

INLINE bool is_any(vector_i32 a)
{
    return !_mm256_testz_si256((__m256i)a, (__m256i)a);
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

INLINE void to_doubles(vector_i32 patterns, vector_f64 *low, vector_f64 *high)
{
    const __m256 floats = (__m256)patterns;
    *low = (vector_f64)_mm256_cvtps_pd(_mm256_castps256_ps128(floats));
    *high = (vector_f64)_mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1));
}

/* See window_portable.h. pext moves the indices of the chosen ones together. */
static TARGET size_t take_outside(const unsigned char *bytes, int32_t limit, unsigned char *outside)
{
    const __m256i limits = _mm256_set1_epi32(limit);
    size_t n_outside = 0;
    for (size_t i = 0; i < CHUNK; i += 8) {
        const __m256i pattern = _mm256_loadu_si256((const __m256i_u *)(bytes + 4 * i));
        const __m256i magnitude = _mm256_and_si256(pattern, _mm256_set1_epi32(INT32_MAX));
        const __m256i low = _mm256_cmpgt_epi32(limits, magnitude);
        const __m256i zero = _mm256_cmpeq_epi32(magnitude, _mm256_setzero_si256());
        const __m256 chosen = _mm256_castsi256_ps(_mm256_andnot_si256(zero, low));
        const uint32_t mask = (uint32_t)_mm256_movemask_ps(chosen);
        const uint64_t bytes_of_mask = _pdep_u64(mask, 0x0101010101010101U) * 0xFF;
        const uint64_t indices = _pext_u64(0x0706050403020100U, bytes_of_mask);
        const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)indices));
        _mm256_storeu_si256((__m256i_u *)(outside + 4 * n_outside),
                            _mm256_permutevar8x32_epi32(pattern, order));
        n_outside += (size_t)_mm_popcnt_u32(mask);
    }
    return n_outside;
}

#include "window_template.h"

const struct window_kernels llmfp_window_wide_avx2 = {
    .bits = WIDE_BITS,
    .range = find_range,
    .add = add_wide_window,
};

const struct window_kernels llmfp_window_avx2 = {
    .bits = BITS,
    .wide = &llmfp_window_wide_avx2,
    .range = find_range,
    .add = add_window,
};
#else
typedef int llmfp_no_window_avx2; /* a translation unit may not be empty */
#endif
