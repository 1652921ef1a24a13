/* ggml_k_avx2.c - sums of GGUF blocks of 256 elements in groups, for x86-64 with AVX2.
 * See ggml_blocks.h. A vector holds 32 codes: one group, or two groups of 16.
 *
 * Bounds. Codes are bytes; products of two neighbours add up in 16 bits: squares of at
 * most 127 give 2 * 127^2 < 2^15. Times an integer scale a <= 63 (a^2 < 2^12, code <= 31)
 * or |a| <= 128 (a^2 <= 2^14, |code| <= 32) or |a| <= 32 (a^2 <= 2^10, |code| <= 127) they
 * add up in pairs to 32 bits: 2 * 2 * 31^2 * 2^12, 2 * 2 * 2^10 * 2^14 and
 * 2 * 2 * 127^2 * 2^10 are all at most 2^26, and 8 vectors make 2^29 a lane. The sum of 8
 * lanes, 2^32, would not fit, so lanes are added as 64 bits where a^2 is large.      */
#if defined(__x86_64__)
#include "ggml_avx2.h"

#include <string.h>

enum { VECTORS = 8 };

static inline TARGET __m256i load(const unsigned char *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

/* The low or (from = 4) high four bits of each byte. */
static inline TARGET __m256i four_bits(__m256i bytes, int from)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, from), _mm256_set1_epi8(15));
}

/* Two bits of each byte, from bit `from` on, moved to bit `to`. */
static inline TARGET __m256i two_bits(__m256i bytes, int from, int to)
{
    const __m256i bits = _mm256_and_si256(_mm256_srli_epi16(bytes, from), _mm256_set1_epi8(3));
    return _mm256_slli_epi16(bits, to);
}

/* One bit of each byte, moved to bit `to`. */
static inline TARGET __m256i one_bit(__m256i bytes, int from, int to)
{
    const __m256i bits = _mm256_and_si256(_mm256_srli_epi16(bytes, from), _mm256_set1_epi8(1));
    return _mm256_slli_epi16(bits, to);
}

/* Two scales, each for 16 codes. */
static inline TARGET __m256i two_scales(const int16_t *scales)
{
    return _mm256_set_m128i(_mm_set1_epi16(scales[1]), _mm_set1_epi16(scales[0]));
}

/* ---- types without offsets: signed codes and scales ---- */

struct signed_block {
    __m256i q[VECTORS];
    int16_t a[16]; /* of each 16 codes */
};

static inline TARGET int64_t add_lanes(__m256i lanes)
{
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(lanes));
    const __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(lanes, 1));
    const __m256i four = _mm256_add_epi64(low, high);
    const __m128i two =
        _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return _mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1);
}

static inline TARGET void add_signed(const struct signed_block *block, struct ggml_sums *sums)
{
    __m256i p = _mm256_setzero_si256();
    __m256i r = _mm256_setzero_si256();
    uint32_t zeros = 0;
    for (int k = 0; k < VECTORS; k++) {
        const __m256i q = block->q[k];
        const __m256i magnitude = _mm256_abs_epi8(q);
        const __m256i a = two_scales(block->a + (size_t)2 * (size_t)k);
        const __m256i s1 = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
        const __m256i s2 = _mm256_maddubs_epi16(magnitude, magnitude);
        p = _mm256_add_epi32(p, _mm256_madd_epi16(s1, a));
        r = _mm256_add_epi32(r, _mm256_madd_epi16(s2, _mm256_mullo_epi16(a, a)));
        zeros += count_zeros(q);
    }
    sums->p = (int32_t)add_lanes(p);
    sums->r = add_lanes(r);
    sums->zeros = zeros;
}

static inline bool any_zero(const int16_t a[16])
{
    bool found = false;
    for (int g = 0; g < 16; g++) {
        found = found || a[g] == 0;
    }
    return found;
}

typedef void take_signed(const unsigned char *bytes, struct signed_block *block);

/* Zeros are counted code by code, which is right unless a whole group is 0. */
static inline __attribute__((always_inline)) TARGET void
add_signed_blocks(const struct ggml_type *type, take_signed *take, const unsigned char *blocks,
                  size_t n_blocks, struct ggml_sums *sums)
{
    for (size_t i = 0; i < n_blocks; i++) {
        struct signed_block block;
        take(blocks + i * type->bytes, &block);
        if (__builtin_expect(any_zero(block.a), 0)) {
            ggml_sums_portable(type, blocks + i * type->bytes, 1, sums + i);
        } else {
            add_signed(&block, sums + i);
        }
    }
}

static inline TARGET void take_q6_k(const unsigned char *bytes, struct signed_block *block)
{
    const __m128i scales = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 192));
    _mm256_storeu_si256((__m256i *)(void *)block->a, _mm256_cvtepi8_epi16(scales));
    for (int half = 0; half < 2; half++) {
        const __m256i low[2] = {load(bytes + (size_t)64 * (size_t)half),
                                load(bytes + (size_t)64 * (size_t)half + 32)};
        const __m256i high = load(bytes + 128 + (size_t)32 * (size_t)half);
        for (int k = 0; k < 4; k++) {
            const __m256i q =
                _mm256_or_si256(four_bits(low[k & 1], k < 2 ? 0 : 4), two_bits(high, 2 * k, 4));
            block->q[4 * half + k] = _mm256_sub_epi8(q, _mm256_set1_epi8(32));
        }
    }
}

/* 16 scales of 6 bits: 4 low ones as nibbles, 2 high ones in the last 4 bytes. */
static inline TARGET void take_q3_k(const unsigned char *bytes, struct signed_block *block)
{
    uint32_t words[3];
    memcpy(words, bytes + 96, sizeof words);
    const uint32_t four = 0x0F0F0F0F;
    const uint32_t two = 0x03030303;
    const uint32_t scales[4] = {(words[0] & four) | (words[2] & two) << 4,
                                (words[1] & four) | (words[2] >> 2 & two) << 4,
                                (words[0] >> 4 & four) | (words[2] >> 4 & two) << 4,
                                (words[1] >> 4 & four) | (words[2] >> 6 & two) << 4};
    const __m256i wide =
        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)scales));
    _mm256_storeu_si256((__m256i *)(void *)block->a, _mm256_sub_epi16(wide, _mm256_set1_epi16(32)));
    const __m256i high = load(bytes);
    for (int k = 0; k < VECTORS; k++) {
        const __m256i low = load(bytes + 32 + (size_t)32 * (size_t)(k / 4));
        const __m256i q = _mm256_or_si256(two_bits(low, 2 * (k % 4), 0), one_bit(high, k, 2));
        block->q[k] = _mm256_sub_epi8(q, _mm256_set1_epi8(4));
    }
}

static inline TARGET void take_iq4_xs(const unsigned char *bytes, struct signed_block *block)
{
    const unsigned high = bytes[2] | (unsigned)bytes[3] << 8;
    for (size_t j = 0; j < VECTORS; j++) {
        const unsigned low = bytes[4 + j / 2] >> 4 * (j % 2) & 15U;
        const int16_t a = (int16_t)((int)(low | (high >> 2 * j & 3U) << 4) - 32);
        block->a[2 * j] = a;
        block->a[2 * j + 1] = a;
        block->q[j] = _mm256_shuffle_epi8(iq4_values(), nibbles_of(bytes + 8 + 16 * j));
    }
}

#define SIGNED_KERNEL(name)                                                                        \
    TARGET void ggml_##name##_avx2(const unsigned char *blocks, size_t n_blocks,                   \
                                   const struct ggml_known *known, struct ggml_sums *sums)         \
    {                                                                                              \
        (void)known;                                                                               \
        add_signed_blocks(&ggml_##name, take_##name, blocks, n_blocks, sums);                      \
    }
SIGNED_KERNEL(q3_k)
SIGNED_KERNEL(q6_k)
SIGNED_KERNEL(iq4_xs)

/* ---- types with offsets: unsigned codes, scales and offsets: x = d a q - m o ---- */

struct offset_block {
    __m256i q[VECTORS];
    uint8_t a[16]; /* of each 16 or 32 codes */
    uint8_t o[16];
};

/* For 8 groups: which of them may hold a 0, or a value beyond what is known. A float
 * holds d a, 15 d a and m o exactly (11 + 11 bits at most), 31 d a too; so a quotient m o / d a
 * that is a whole number comes out as that number, and 0 / 0 is not ordered.        */
struct looked {
    uint32_t zeros;
    uint32_t range;
};

static inline TARGET struct looked look(const unsigned char *d_and_m, const uint8_t *a,
                                        const uint8_t *o, float most_q,
                                        const struct ggml_known *known)
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
    const __m256 beyond = _mm256_or_ps(
        _mm256_cmp_ps(_mm256_max_ps(first, last), _mm256_set1_ps(known->largest), _CMP_GE_OQ),
        _mm256_cmp_ps(_mm256_min_ps(first, last), _mm256_set1_ps(known->smallest), _CMP_LE_OQ));
    return (struct looked){(uint32_t)_mm256_movemask_ps(not_zero) ^ 0xFFU,
                           (uint32_t)_mm256_movemask_ps(beyond)};
}

/* The sums of one vector of codes, times their scales: a, a o and a^2. */
struct offset_lanes {
    __m256i p;
    __m256i x;
    __m256i r;
};

static inline TARGET void add_offset_vector(struct offset_lanes *lanes, __m256i q, __m256i a,
                                            __m256i ao, __m256i aa)
{
    const __m256i s1 = _mm256_maddubs_epi16(q, _mm256_set1_epi8(1));
    const __m256i s2 = _mm256_maddubs_epi16(q, q);
    lanes->p = _mm256_add_epi32(lanes->p, _mm256_madd_epi16(s1, a));
    lanes->x = _mm256_add_epi32(lanes->x, _mm256_madd_epi16(s1, ao));
    lanes->r = _mm256_add_epi32(lanes->r, _mm256_madd_epi16(s2, aa));
}

/* p < 2^18, x < 2^24, r < 2^28 in all (8 groups, codes <= 31, a and o <= 63), so lanes of 32
 * bits hold their sums. */
static inline TARGET void finish_offsets(const struct offset_lanes *lanes, __m256i offset_squares,
                                         uint32_t offsets, int n, struct ggml_sums *sums)
{
    int32_t all[4];
    _mm_storeu_si128((__m128i *)(void *)all,
                     add_across(lanes->p, lanes->x, lanes->r, offset_squares));
    sums->p = all[0];
    sums->x = -all[1];
    sums->r = all[2];
    sums->n1 = -n * (int32_t)offsets;
    sums->n2 = n * all[3];
}

static inline TARGET uint32_t sum_bytes(const uint8_t bytes[16])
{
    const __m128i sums =
        _mm_sad_epu8(_mm_loadu_si128((const __m128i *)(const void *)bytes), _mm_setzero_si128());
    return (uint32_t)(_mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2));
}

/* Scale times q's sums for 8 groups of 32. */
static inline TARGET void add_groups_of_32(const struct offset_block *block, struct ggml_sums *sums)
{
    int16_t scales[3][8];
    const __m128i a = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)block->a));
    const __m128i o = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)block->o));
    _mm_storeu_si128((__m128i *)(void *)scales[0], a);
    _mm_storeu_si128((__m128i *)(void *)scales[1], _mm_mullo_epi16(a, o));
    _mm_storeu_si128((__m128i *)(void *)scales[2], _mm_mullo_epi16(a, a));
    struct offset_lanes lanes = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                 _mm256_setzero_si256()};
    for (int k = 0; k < VECTORS; k++) {
        add_offset_vector(&lanes, block->q[k], _mm256_set1_epi16(scales[0][k]),
                          _mm256_set1_epi16(scales[1][k]), _mm256_set1_epi16(scales[2][k]));
    }
    finish_offsets(&lanes, _mm256_zextsi128_si256(_mm_madd_epi16(o, o)), sum_bytes(block->o), 32,
                   sums);
}

static inline TARGET void add_groups_of_16(const struct offset_block *block, struct ggml_sums *sums)
{
    int16_t scales[3][16];
    const __m256i a =
        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)block->a));
    const __m256i o =
        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)block->o));
    _mm256_storeu_si256((__m256i *)(void *)scales[0], a);
    _mm256_storeu_si256((__m256i *)(void *)scales[1], _mm256_mullo_epi16(a, o));
    _mm256_storeu_si256((__m256i *)(void *)scales[2], _mm256_mullo_epi16(a, a));
    struct offset_lanes lanes = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                 _mm256_setzero_si256()};
    for (size_t k = 0; k < VECTORS; k++) {
        add_offset_vector(&lanes, block->q[k], two_scales(scales[0] + 2 * k),
                          two_scales(scales[1] + 2 * k), two_scales(scales[2] + 2 * k));
    }
    finish_offsets(&lanes, _mm256_madd_epi16(o, o), sum_bytes(block->o), 16, sums);
}

/* Eight scales and eight offsets of 6 bits in 12 bytes. */
static inline void take_six_bits(const unsigned char *bytes, struct offset_block *block)
{
    uint32_t words[3];
    memcpy(words, bytes, sizeof words);
    const uint32_t six = 0x3F3F3F3F;
    const uint32_t four = 0x0F0F0F0F;
    const uint32_t top = 0x30303030;
    const uint32_t a[2] = {words[0] & six, (words[2] & four) | (words[0] >> 2 & top)};
    const uint32_t o[2] = {words[1] & six, (words[2] >> 4 & four) | (words[1] >> 2 & top)};
    memset(block->a, 0, sizeof block->a);
    memset(block->o, 0, sizeof block->o);
    memcpy(block->a, a, sizeof a);
    memcpy(block->o, o, sizeof o);
}

TARGET void ggml_q4_k_avx2(const unsigned char *blocks, size_t n_blocks,
                           const struct ggml_known *known, struct ggml_sums *sums)
{
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *bytes = blocks + 144 * i;
        struct offset_block block;
        take_six_bits(bytes + 4, &block);
        for (size_t k = 0; k < 4; k++) {
            const __m256i both = load(bytes + 16 + 32 * k);
            block.q[2 * k] = four_bits(both, 0);
            block.q[2 * k + 1] = four_bits(both, 4);
        }
        add_groups_of_32(&block, &sums[i]);
        const struct looked looked = look(bytes, block.a, block.o, 15.0F, known);
        sums[i].look_for_zeros = looked.zeros;
        sums[i].look_at_range = looked.range;
    }
}

TARGET void ggml_q5_k_avx2(const unsigned char *blocks, size_t n_blocks,
                           const struct ggml_known *known, struct ggml_sums *sums)
{
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *bytes = blocks + 176 * i;
        struct offset_block block;
        take_six_bits(bytes + 4, &block);
        const __m256i high = load(bytes + 16);
        for (size_t k = 0; k < 4; k++) {
            const __m256i both = load(bytes + 48 + 32 * k);
            block.q[2 * k] = _mm256_or_si256(four_bits(both, 0), one_bit(high, 2 * (int)k, 4));
            block.q[2 * k + 1] =
                _mm256_or_si256(four_bits(both, 4), one_bit(high, 2 * (int)k + 1, 4));
        }
        add_groups_of_32(&block, &sums[i]);
        const struct looked looked = look(bytes, block.a, block.o, 31.0F, known);
        sums[i].look_for_zeros = looked.zeros;
        sums[i].look_at_range = looked.range;
    }
}

TARGET void ggml_q2_k_avx2(const unsigned char *blocks, size_t n_blocks,
                           const struct ggml_known *known, struct ggml_sums *sums)
{
    for (size_t i = 0; i < n_blocks; i++) {
        const unsigned char *bytes = blocks + 84 * i;
        struct offset_block block;
        for (int g = 0; g < 16; g++) {
            block.a[g] = bytes[g] & 15;
            block.o[g] = bytes[g] >> 4;
        }
        for (int k = 0; k < VECTORS; k++) {
            block.q[k] = two_bits(load(bytes + 16 + (size_t)32 * (size_t)(k / 4)), 2 * (k % 4), 0);
        }
        add_groups_of_16(&block, &sums[i]);
        const struct looked first = look(bytes + 80, block.a, block.o, 3.0F, known);
        const struct looked second = look(bytes + 80, block.a + 8, block.o + 8, 3.0F, known);
        sums[i].look_for_zeros = first.zeros | second.zeros;
        sums[i].look_at_range = first.range | second.range;
    }
}

#else
typedef int llmfp_no_avx2_k; /* a translation unit may not be empty */
#endif
