/* ggml_avx2.h - small parts of the AVX2 kernels of GGUF's blocks. x86-64 only. */
#ifndef LLMFP_GGML_AVX2_H
#define LLMFP_GGML_AVX2_H

#include <immintrin.h>

#include "ggml_blocks.h"

#define TARGET __attribute__((target("avx2,bmi2,popcnt,f16c")))

/* The sums over the lanes of four vectors of 32-bit integers, in this order. */
static inline TARGET __m128i add_across(__m256i a, __m256i b, __m256i c, __m256i d)
{
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

static inline TARGET uint32_t count_zeros(__m256i q)
{
    const __m256i zero = _mm256_cmpeq_epi8(q, _mm256_setzero_si256());
    return (uint32_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(zero));
}

/* 16 bytes: the low halves, then the high halves. */
static inline TARGET __m256i nibbles_of(const unsigned char *bytes)
{
    const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    const __m256i halves = _mm256_set_m128i(_mm_srli_epi16(both, 4), both);
    return _mm256_and_si256(halves, _mm256_set1_epi8(15));
}

static inline TARGET __m256i iq4_values(void)
{
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const __m128i *)(const void *)ggml_iq4_values));
}

#endif
