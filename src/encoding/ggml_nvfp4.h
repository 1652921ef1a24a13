/* ggml_nvfp4.h - NVFP4 blocks (ggml_iq.c) two at a time: eight groups of 16 codes with a scale
 * each, one in each lane; see ggml_lanes.h. Scales are integers D < 2^18 in units of 2^-10.
 * Included by ggml_avx2.c and ggml_avx512.c.                              x86-64 only. */
#ifndef LLMFP_GGML_NVFP4_H
#define LLMFP_GGML_NVFP4_H

#include "ggml_codes.h"
#include "ggml_lanes.h"

enum { NVFP4_BYTES = 36 };

/* In the order of the sums below: groups 0, 2, 4, 6, 1, 3, 5, 7. */
static inline TARGET __m256i nvfp4_scales(const unsigned char *blocks)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, -1, -1, -1, -1, -1, -1, -1, -1);
    int32_t first;
    int32_t second;
    memcpy(&first, blocks, sizeof first);
    memcpy(&second, blocks + NVFP4_BYTES, sizeof second);
    const __m128i bytes = _mm_shuffle_epi8(_mm_setr_epi32(first, second, 0, 0), order);
    const __m256i codes = _mm256_and_si256(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(0x7F));
    const __m256i exponent = _mm256_srli_epi32(codes, 3);
    const __m256i subnormal = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    const __m256i hidden = _mm256_andnot_si256(subnormal, _mm256_set1_epi32(8));
    const __m256i shift =
        _mm256_sub_epi32(_mm256_max_epi32(exponent, _mm256_set1_epi32(1)), _mm256_set1_epi32(1));
    const __m256i mantissa = _mm256_or_si256(_mm256_and_si256(codes, _mm256_set1_epi32(7)), hidden);
    return _mm256_andnot_si256(_mm256_cmpeq_epi32(codes, _mm256_set1_epi32(0x7F)),
                               _mm256_sllv_epi32(mantissa, shift));
}

/* 16 bytes: the codes of one group in each half. */
static inline TARGET __m256i nvfp4_codes(const unsigned char *bytes)
{
    const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    const __m128i low = _mm_and_si128(both, _mm_set1_epi8(15));
    const __m128i high = _mm_and_si128(_mm_srli_epi16(both, 4), _mm_set1_epi8(15));
    return _mm256_shuffle_epi8(
        load_twice(ggml_doubled_e2m1),
        _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high)));
}

/* Sums over the lanes of the lower halves of four vectors, then of the upper ones. */
static inline TARGET __m256i add_across_halves(const __m256i v[4])
{
    return _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
}

/* The largest scale with which even codes of 12 and -12 stay within the range. */
static inline TARGET __m256i nvfp4_limit(const struct scaled_bins *bins)
{
    const double both = fmin(bins->largest, -bins->smallest);
    return _mm256_set1_epi32(both > 0 ? (int)(both * 0x1p10 / 12) : 0);
}

TARGET void KERNEL_NAME(nvfp4)(struct ggml_totals *totals, const unsigned char *blocks,
                               size_t n_blocks)
{
    struct lanes lanes = no_lanes();
    __m256i limit = nvfp4_limit(totals->bins);
    for (; n_blocks >= 2; n_blocks -= 2, blocks += (size_t)2 * NVFP4_BYTES) {
        const __m256i d = nvfp4_scales(blocks);
        const __m256i unusual = _mm256_or_si256(_mm256_cmpgt_epi32(d, limit),
                                                _mm256_cmpeq_epi32(d, _mm256_setzero_si256()));
        if (__builtin_expect(_mm256_testz_si256(unusual, unusual) == 0, 0)) {
            ggml_add_nvfp4_portable(totals->bins, blocks, 2);
            limit = nvfp4_limit(totals->bins);
            continue;
        }
        __m256i sums[4];
        __m256i squares[4];
        __m256i zeros = _mm256_setzero_si256();
        for (size_t k = 0; k < 4; k++) {
            const __m256i q = nvfp4_codes(blocks + NVFP4_BYTES * (k / 2) + 4 + 16 * (k % 2));
            const __m256i magnitude = _mm256_abs_epi8(q);
            sums[k] = add_bytes(_mm256_setzero_si256(), _mm256_set1_epi8(1), q);
            squares[k] = add_bytes(_mm256_setzero_si256(), magnitude, magnitude);
            zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi8(q, _mm256_setzero_si256()));
        }
        totals->zeros += sum_of_bytes(zeros);
        add_eight(&lanes, d, add_across_halves(sums), add_across_halves(squares));
    }
    settle_lanes(&lanes, totals);
}

#endif
