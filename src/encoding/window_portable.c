/* window_portable.c - window kernels in plain C with vectors of 16 bytes, which
 * compilers turn into what every machine of the family has.                    */
#define TARGET
#define VECTOR_BYTES 16
#include "window_portable.h"
#include "window_vectors.h"

typedef uint64_t two_words __attribute__((vector_size(VECTOR_BYTES)));

INLINE vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    const vector_i32 greater = (vector_i32)(a > b);
    return (a & greater) | (b & ~greater);
}

/* By a signed comparison: not every machine has vectors of unsigned ones. */
INLINE vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    const vector_u32 greater =
        (vector_u32)((vector_i32)(a ^ 0x80000000U) > (vector_i32)(b ^ 0x80000000U));
    return (a & greater) | (b & ~greater);
}

INLINE bool is_any(vector_i32 a)
{
    const two_words words = (two_words)a;
    return (words[0] | words[1]) != 0;
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return a * b + c;
}

#if defined(__SSE2__) /* part of every x86-64; compilers make less of the plain C below */
#include <emmintrin.h>

INLINE void to_doubles(vector_i32 patterns, vector_f64 *low, vector_f64 *high)
{
    const __m128 floats = (__m128)patterns;
    *low = (vector_f64)_mm_cvtps_pd(floats);
    *high = (vector_f64)_mm_cvtps_pd(_mm_movehl_ps(floats, floats));
}
#else
INLINE void to_doubles(vector_i32 patterns, vector_f64 *low, vector_f64 *high)
{
    half_i32 halves[2];
    memcpy(halves, &patterns, sizeof halves);
    *low = __builtin_convertvector((half_f32)halves[0], vector_f64);
    *high = __builtin_convertvector((half_f32)halves[1], vector_f64);
}
#endif

#include "window_template.h"

const struct window_kernels llmfp_window_wide_portable = {
    .bits = WIDE_BITS,
    .range = find_range,
    .add = add_wide_window,
};

const struct window_kernels llmfp_window_portable = {
    .bits = BITS,
    .wide = &llmfp_window_wide_portable,
    .range = find_range,
    .add = add_window,
};
