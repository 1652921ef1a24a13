/* window_avx2.c - window kernels for x86-64 with AVX2. */
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET       __attribute__((target("avx2,bmi2")))
#define VECTOR_BYTES 32
#include "window_portable.h"
#include "window_vectors.h"

static inline TARGET vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    return (vector_i32)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

static inline TARGET vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    return (vector_u32)_mm256_max_epu32((__m256i)a, (__m256i)b);
}

static inline TARGET bool is_any(vector_i32 a)
{
    return !_mm256_testz_si256((__m256i)a, (__m256i)a);
}

#include "window_template.h"

const struct window_kernels llmfp_window_avx2 = {
    .largest = find_largest,
    .add = add_window,
};
#endif
