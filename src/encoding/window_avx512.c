/* window_avx512.c - window kernels for x86-64 with AVX-512 (llmfp/isa.h). */
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2,popcnt")))
#define VECTOR_BYTES 64
#include <stdbool.h>
#include <string.h>

#include "window.h"
#include "window_vectors.h"

static inline TARGET vector_i32 max_signed(vector_i32 a, vector_i32 b)
{
    return (vector_i32)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

static inline TARGET vector_u32 max_unsigned(vector_u32 a, vector_u32 b)
{
    return (vector_u32)_mm512_max_epu32((__m512i)a, (__m512i)b);
}

static inline TARGET bool is_any(vector_i32 a)
{
    return _mm512_test_epi32_mask((__m512i)a, (__m512i)a) != 0;
}

/* See window_portable.h. Compressed in a register: compressing into memory is slow on
 * some processors.                                                             */
static TARGET size_t take_outside(unsigned char *inside, const unsigned char *bytes, int32_t limit,
                                  unsigned char *outside, uint64_t *zeros)
{
    const __m512i limits = _mm512_set1_epi32(limit);
    const __m512i magnitude_bits = _mm512_set1_epi32(INT32_MAX);
    size_t n_outside = 0;
    for (size_t i = 0; i < CHUNK; i += 16) {
        const __m512i pattern = _mm512_loadu_si512(bytes + 4 * i);
        const __m512i magnitude = _mm512_and_si512(pattern, magnitude_bits);
        const __mmask16 high = _mm512_cmpge_epi32_mask(magnitude, limits);
        const __mmask16 zero = _mm512_testn_epi32_mask(magnitude, magnitude);
        const __mmask16 out = (__mmask16) ~(high | zero);
        _mm512_storeu_si512(inside + 4 * i, _mm512_maskz_mov_epi32(high, pattern));
        _mm512_storeu_si512(outside + 4 * n_outside, _mm512_maskz_compress_epi32(out, pattern));
        n_outside += (size_t)_mm_popcnt_u32(out);
        *zeros += (uint64_t)_mm_popcnt_u32(zero);
    }
    return n_outside;
}

#include "window_template.h"

const struct window_kernels llmfp_window_avx512 = {
    .largest = find_largest,
    .add = add_window,
};
#endif
