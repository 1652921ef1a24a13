/* window64_avx2.c - 4 doubles at a time with AVX2 and FMA. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define TARGET       __attribute__((target("avx2,fma,popcnt")))
#define VECTOR_BYTES 32
#include "window_vectors.h"

INLINE bool is_any(vector_i64 a)
{
    return !_mm256_testz_si256((__m256i)a, (__m256i)a);
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

#include "window64_template.h"

const struct window64_kernels llmfp_window64_wide_avx2 = WINDOW64_WIDE_KERNELS;
const struct window64_kernels llmfp_window64_avx2 = WINDOW64_KERNELS(&llmfp_window64_wide_avx2);
#else
typedef int llmfp_no_window64_avx2; /* a translation unit may not be empty */
#endif
