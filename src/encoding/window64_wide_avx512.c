/* window64_wide_avx512.c - wide windows, 8 doubles at a time with AVX-512: the template at 64
 * bytes. Narrow windows have a better way there (window64_avx512.c).            */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define TARGET       __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define VECTOR_BYTES 64
#include "window_vectors.h"

INLINE bool is_any(vector_i64 a)
{
    return _mm512_test_epi64_mask((__m512i)a, (__m512i)a) != 0;
}

INLINE vector_f64 multiply_add(vector_f64 a, vector_f64 b, vector_f64 c)
{
    return (vector_f64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

#include "window64_template.h"

const struct window64_kernels llmfp_window64_wide_avx512 = WINDOW64_WIDE_KERNELS;
#else
typedef int llmfp_no_window64_wide_avx512; /* a translation unit may not be empty */
#endif
