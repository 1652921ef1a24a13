/* ggml_look.h - in blocks of x = d a q - m o: which groups may hold a 0 or a new extreme. That is
 * rare, so the kernels first look at bounds, 8 groups at a time. x86-64 only.         */
#ifndef LLMFP_GGML_LOOK_H
#define LLMFP_GGML_LOOK_H

#include <math.h>
#include <string.h>

#include "ggml_avx2.h"

/* Eight scales and eight offsets of 6 bits, as Q4_K and Q5_K have them.              */
struct six_bits {
    uint8_t a[8];
    uint8_t o[8];
};

static inline void ggml_take_six_bits(const unsigned char *bytes, struct six_bits *six)
{
    uint32_t words[3];
    memcpy(words, bytes, sizeof words);
    const uint32_t low = 0x3F3F3F3F;
    const uint32_t four = 0x0F0F0F0F;
    const uint32_t top = 0x30303030;
    const uint32_t a[2] = {words[0] & low, (words[2] & four) | (words[0] >> 2 & top)};
    const uint32_t o[2] = {words[1] & low, (words[2] >> 4 & four) | (words[1] >> 2 & top)};
    memcpy(six->a, a, sizeof a);
    memcpy(six->o, o, sizeof o);
}

/* The scales of 8 groups, as floats: d a and m o, which floats hold exactly (11 + 6 bits). */
struct group_scales {
    float scale[8];
    float offset[8];
};

/* Which of 8 groups may hold a 0, and which a value beyond the range. d a q, too, is a float
 * (at most 22 bits), so a quotient m o / d a that is a whole number comes out as that
 * number; 0 / 0 is not ordered.                                                   */
struct looked {
    uint32_t zeros;
    uint32_t range;
};

/* The range that is known, with a margin, since the differences below are rounded to 24 bits. */
struct known {
    __m256 smallest;
    __m256 largest;
};

static inline TARGET struct known known_of(const struct ggml_range *range)
{
    return (struct known){
        _mm256_set1_ps((float)(range->smallest + fabs(range->smallest) * 0x1p-20)),
        _mm256_set1_ps((float)(range->largest - fabs(range->largest) * 0x1p-20))};
}

static inline TARGET struct looked look(const unsigned char *d_and_m, const uint8_t *a,
                                        const uint8_t *o, float most_q, const struct known *known,
                                        struct group_scales *scales)
{
    uint32_t bits;
    memcpy(&bits, d_and_m, sizeof bits);
    const __m128 both = _mm_cvtph_ps(_mm_cvtsi32_si128((int)bits));
    const __m256 d = _mm256_broadcastss_ps(both);
    const __m256 m = _mm256_broadcastss_ps(_mm_movehdup_ps(both));
    const __m128i a_bytes = _mm_loadl_epi64((const __m128i *)(const void *)a);
    const __m128i o_bytes = _mm_loadl_epi64((const __m128i *)(const void *)o);
    const __m256 scale = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(a_bytes)));
    const __m256 offset = _mm256_mul_ps(m, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(o_bytes)));
    const __m256 q = _mm256_div_ps(offset, scale);
    const __m256 whole = _mm256_round_ps(q, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 not_zero =
        _mm256_or_ps(_mm256_cmp_ps(q, whole, _CMP_NEQ_OQ),
                     _mm256_or_ps(_mm256_cmp_ps(q, _mm256_setzero_ps(), _CMP_LT_OQ),
                                  _mm256_cmp_ps(q, _mm256_set1_ps(most_q), _CMP_GT_OQ)));
    const __m256 first = _mm256_sub_ps(_mm256_setzero_ps(), offset);
    const __m256 last = _mm256_sub_ps(_mm256_mul_ps(scale, _mm256_set1_ps(most_q)), offset);
    const __m256 within =
        _mm256_and_ps(_mm256_cmp_ps(_mm256_max_ps(first, last), known->largest, _CMP_LT_OQ),
                      _mm256_cmp_ps(_mm256_min_ps(first, last), known->smallest, _CMP_GT_OQ));
    _mm256_storeu_ps(scales->scale, scale);
    _mm256_storeu_ps(scales->offset, offset);
    return (struct looked){(uint32_t)_mm256_movemask_ps(not_zero) ^ 0xFFU,
                           (uint32_t)_mm256_movemask_ps(within) ^ 0xFFU};
}

/* Look at the groups that want it; `per_vector` groups share a vector of codes. Returns how
 * many elements are 0, and widens the range.                               Local. */
int32_t ggml_look_closer(struct looked looked, const struct group_scales *scales, const __m256i *q,
                         int per_vector, struct ggml_range *range);

#endif
