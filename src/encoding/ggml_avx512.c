/* ggml_avx512.c - sums of GGUF's blocks for x86-64 with AVX-512 (llmfp/isa.h); see ggml_lanes.h.
 * Its instructions that add products of bytes serve vectors of 256 bits here: a block of 32
 * codes fills one.                                                                     */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#define TARGET                                                                                     \
    __attribute__((target("avx2,bmi2,popcnt,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define KERNEL_NAME(name) ggml_##name##_avx512

/* Lanes of 32 bits += products of four bytes, the first without sign. */
static inline TARGET __m256i add_bytes(__m256i lanes, __m256i a, __m256i b)
{
    return _mm256_dpbusd_epi32(lanes, a, b);
}

static inline TARGET __m256i add_words(__m256i lanes, __m256i a, __m256i b)
{
    return _mm256_dpwssd_epi32(lanes, a, b);
}

/* u = q + 128 has no sign, and the sum of q^2 is that of u q less 128 times that of q. */
static inline TARGET __m256i add_wide_squares(__m256i lanes, __m256i q)
{
    return _mm256_dpbusd_epi32(lanes, _mm256_xor_si256(q, _mm256_set1_epi8(INT8_MIN)), q);
}

static inline TARGET __m256i finish_wide_squares(__m256i squares, __m256i sums)
{
    return _mm256_sub_epi32(squares, _mm256_slli_epi32(sums, 7));
}

#include "ggml_nvfp4.h"
#include "ggml_offset.h"
#include "ggml_plain.h"
#include "ggml_signed.h"

#else
typedef int llmfp_no_avx512_ggml; /* a translation unit may not be empty */
#endif
