/* window_wide_avx512.c - wide window kernels for x86-64 with AVX-512: the template at 64 bytes.
 * Narrow windows have a better way there (window_avx512.c).                     */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define TARGET       __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define VECTOR_BYTES 64
#include "window_portable.h"
#include "window_vectors.h"

INLINE vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    return (vector_i32)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

INLINE vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    return (vector_u32)_mm512_max_epu32((__m512i)a, (__m512i)b);
}

INLINE bool is_any(vector_i32 a)
{
    return _mm512_test_epi32_mask((__m512i)a, (__m512i)a) != 0;
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

INLINE void to_doubles(vector_i32 patterns, vector_f64 *low, vector_f64 *high)
{
    half_f32 halves[2];
    memcpy(halves, &patterns, sizeof halves);
    *low = (vector_f64)_mm512_cvtps_pd((__m256)halves[0]);
    *high = (vector_f64)_mm512_cvtps_pd((__m256)halves[1]);
}

#include "window_template.h"

const struct window_kernels llmfp_window_wide_avx512 = {
    .bits = WIDE_BITS,
    .range = find_range,
    .add = add_wide_window,
};
#else
typedef int llmfp_no_window_wide_avx512; /* a translation unit may not be empty */
#endif
