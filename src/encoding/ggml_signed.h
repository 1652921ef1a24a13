/* ggml_signed.h - blocks with one scale and a signed integer for each group, x = d a q, eight
 * blocks at a time; see ggml_lanes.h. Included by ggml_avx2.c and ggml_avx512.c.
 *
 * Bounds. Two squares of codes up to 127 are below 2^15, in words. |a| <= 128 with |q| <= 32
 * and |a| <= 32 with |q| <= 127 give products of at most 2 * 2 * 2^14 * 2^10 = 2^26 in a lane,
 * and 2^29 after 8 vectors. All lanes make 2^32 at most, as 32 bits without sign; that very
 * sum, which is 0 there, comes with |p| = 2^20 and is left to plain C.      x86-64 only. */
#ifndef LLMFP_GGML_SIGNED_H
#define LLMFP_GGML_SIGNED_H

#include "ggml_codes.h"
#include "ggml_plain.h"

/* What one type is, known when its kernel is compiled. Groups have 16 codes. */
struct with_groups {
    void (*take)(const unsigned char *block, __m256i *q);
    __m256i (*take_groups)(const unsigned char *block); /* 16 words */
    const struct ggml_type *type;
    size_t bytes;
    size_t d_offset;
};

/* Words in the order of the halves of vectors: groups 0, 2, ..., 14, 1, 3, ..., 15. */
static inline TARGET __m256i by_halves(__m256i a)
{
    const __m256i order = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0,
                                           1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(a, order), 0xD8);
}

/* Ones in bytes that are 0, up to 8 in each; `a` is ordered by halves. */
static inline TARGET __m256i count_zero_products(const __m256i *q, __m256i a)
{
    const __m256i none = _mm256_cmpeq_epi16(a, _mm256_setzero_si256());
    __m256i zeros = _mm256_setzero_si256();
    for (int k = 0; k < 8; k++) {
        const __m256i zero = _mm256_or_si256(_mm256_cmpeq_epi8(q[k], _mm256_setzero_si256()),
                                             word_of_each_half(none, k));
        zeros = _mm256_sub_epi8(zeros, zero);
    }
    return zeros;
}

static inline __attribute__((always_inline)) TARGET void
sum_eight_signed(const struct with_groups *type, const unsigned char *blocks, __m256i *p,
                 __m256i *r, uint64_t *zeros)
{
    __m256i sums[EIGHT];
    __m256i squares[EIGHT];
    __m256i zero_bytes = _mm256_setzero_si256();
    for (size_t i = 0; i < EIGHT; i++) {
        __m256i q[8];
        type->take(blocks + i * type->bytes, q);
        const __m256i a = by_halves(type->take_groups(blocks + i * type->bytes));
        const __m256i aa = _mm256_mullo_epi16(a, a);
        sums[i] = _mm256_setzero_si256();
        squares[i] = _mm256_setzero_si256();
        __m256i zero = _mm256_setzero_si256();
        for (int k = 0; k < 8; k++) {
            const __m256i magnitude = _mm256_abs_epi8(q[k]);
            sums[i] = add_words(sums[i], _mm256_maddubs_epi16(_mm256_set1_epi8(1), q[k]),
                                word_of_each_half(a, k));
            squares[i] = add_words(squares[i], _mm256_maddubs_epi16(magnitude, magnitude),
                                   word_of_each_half(aa, k));
            zero = _mm256_sub_epi8(zero, _mm256_cmpeq_epi8(q[k], _mm256_setzero_si256()));
        }
        const __m256i none = _mm256_cmpeq_epi16(a, _mm256_setzero_si256());
        if (__builtin_expect(_mm256_testz_si256(none, none) == 0, 0)) {
            zero = count_zero_products(q, a);
        }
        zero_bytes = _mm256_add_epi8(zero_bytes, zero);
    }
    *p = add_across_eight(sums);
    *r = add_across_eight(squares);
    *zeros += sum_of_bytes(zero_bytes);
}

/* The extremes of a q in a block, and how many are 0; |a q| <= 2^12. */
static inline __attribute__((always_inline)) TARGET void
look_at_signed(const struct with_groups *type, const unsigned char *block, float d,
               struct ggml_totals *totals)
{
    __m256i q[8];
    int16_t a[16];
    type->take(block, q);
    const __m256i words = type->take_groups(block);
    _mm256_storeu_si256((__m256i *)(void *)a, words);
    __m256i least = _mm256_set1_epi16(INT16_MAX);
    __m256i most = _mm256_set1_epi16(INT16_MIN);
    for (size_t k = 0; k < 8; k++) {
        const __m128i halves[2] = {_mm256_castsi256_si128(q[k]), _mm256_extracti128_si256(q[k], 1)};
        for (size_t half = 0; half < 2; half++) {
            const __m256i products = _mm256_mullo_epi16(_mm256_cvtepi8_epi16(halves[half]),
                                                        _mm256_set1_epi16(a[2 * k + half]));
            least = _mm256_min_epi16(least, products);
            most = _mm256_max_epi16(most, products);
        }
    }
    int16_t all[2][16];
    _mm256_storeu_si256((__m256i *)(void *)all[0], least);
    _mm256_storeu_si256((__m256i *)(void *)all[1], most);
    int extremes[2] = {all[0][0], all[1][0]};
    for (int i = 1; i < 16; i++) {
        extremes[0] = all[0][i] < extremes[0] ? all[0][i] : extremes[0];
        extremes[1] = all[1][i] > extremes[1] ? all[1][i] : extremes[1];
    }
    ggml_widen(&totals->range, (double)d * extremes[0], (double)d * extremes[1]);
    if (d == 0) {
        totals->zeros +=
            type->type->elements - sum_of_bytes(count_zero_products(q, by_halves(words)));
    }
}

/* The one sum of squares that 32 bits do not hold. */
static inline TARGET bool overflows(__m256i p, __m256i r)
{
    const __m256i none = _mm256_setzero_si256();
    const __m256i found =
        _mm256_andnot_si256(_mm256_cmpeq_epi32(p, none), _mm256_cmpeq_epi32(r, none));
    return _mm256_testz_si256(found, found) == 0;
}

typedef void look_at_signed_function(const unsigned char *block, float d,
                                     struct ggml_totals *totals);

static inline __attribute__((always_inline)) TARGET void
add_signed(const struct with_groups *type, look_at_signed_function *look,
           struct ggml_totals *totals, const unsigned char *blocks, size_t n_blocks)
{
    struct lanes lanes = no_lanes();
    struct limits limits = limits_of(type->type, &totals->range, 1);
    for (; n_blocks >= EIGHT; n_blocks -= EIGHT, blocks += EIGHT * type->bytes) {
        const __m256 d = eight_halves(blocks + type->d_offset, type->bytes);
        const uint32_t which = unusual(d, &limits);
        __m256i p;
        __m256i r;
        uint64_t zeros = 0;
        sum_eight_signed(type, blocks, &p, &r, &zeros);
        if (__builtin_expect((which != 0 && !are_small(d)) || overflows(p, r), 0)) {
            ggml_add_portable(totals, blocks, EIGHT);
            continue;
        }
        totals->zeros += zeros;
        add_eight(&lanes, integers_of(d), p, r);
        if (__builtin_expect(which != 0, 0)) {
            float scales[EIGHT];
            _mm256_storeu_ps(scales, d);
            for (uint32_t left = which; left != 0; left &= left - 1) {
                const size_t i = (size_t)__builtin_ctz(left);
                look(blocks + i * type->bytes, scales[i], totals);
            }
            limits = limits_of(type->type, &totals->range, 1);
        }
    }
    settle_lanes(&lanes, totals);
}

static inline TARGET void take_q6_k(const unsigned char *block, __m256i *q)
{
    for (int half = 0; half < 2; half++) {
        const __m256i low[2] = {load(block + (size_t)64 * (size_t)half),
                                load(block + (size_t)64 * (size_t)half + 32)};
        const __m256i high = load(block + 128 + (size_t)32 * (size_t)half);
        for (int k = 0; k < 4; k++) {
            const __m256i code =
                _mm256_or_si256(four_bits(low[k & 1], k < 2 ? 0 : 4), two_bits(high, 2 * k, 4));
            q[4 * half + k] = _mm256_sub_epi8(code, _mm256_set1_epi8(32));
        }
    }
}

static inline TARGET __m256i groups_of_q6_k(const unsigned char *block)
{
    const __m128i scales = _mm_loadu_si128((const __m128i *)(const void *)(block + 192));
    return _mm256_cvtepi8_epi16(scales);
}

static inline TARGET void take_q3_k(const unsigned char *block, __m256i *q)
{
    const __m256i high = load(block);
    for (int k = 0; k < 8; k++) {
        const __m256i low = load(block + 32 + (size_t)32 * (size_t)(k / 4));
        const __m256i code = _mm256_or_si256(two_bits(low, 2 * (k % 4), 0), one_bit(high, k, 2));
        q[k] = _mm256_sub_epi8(code, _mm256_set1_epi8(4));
    }
}

/* 16 scales of 6 bits: 4 low ones as nibbles, 2 high ones in the last 4 bytes. */
static inline TARGET __m256i groups_of_q3_k(const unsigned char *block)
{
    uint32_t words[3];
    memcpy(words, block + 96, sizeof words);
    const uint32_t four = 0x0F0F0F0F;
    const uint32_t two = 0x03030303;
    const __m128i scales =
        _mm_setr_epi32((int)((words[0] & four) | (words[2] & two) << 4),
                       (int)((words[1] & four) | (words[2] >> 2 & two) << 4),
                       (int)((words[0] >> 4 & four) | (words[2] >> 4 & two) << 4),
                       (int)((words[1] >> 4 & four) | (words[2] >> 6 & two) << 4));
    return _mm256_sub_epi16(_mm256_cvtepu8_epi16(scales), _mm256_set1_epi16(32));
}

static inline TARGET void take_iq4_xs(const unsigned char *block, __m256i *q)
{
    for (size_t k = 0; k < 8; k++) {
        q[k] = _mm256_shuffle_epi8(load_twice(ggml_iq4_values), nibbles_of(block + 8 + 16 * k));
    }
}

/* Groups have 32 codes: two of 16. */
static inline TARGET __m256i groups_of_iq4_xs(const unsigned char *block)
{
    uint32_t low;
    uint16_t high;
    memcpy(&high, block + 2, sizeof high);
    memcpy(&low, block + 4, sizeof low);
    const uint64_t scales = _pdep_u64(low, UINT64_C(0x0F0F0F0F0F0F0F0F)) |
                            _pdep_u64(high, UINT64_C(0x3030303030303030));
    const __m128i bytes = _mm_cvtsi64_si128((int64_t)scales);
    return _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(bytes, bytes)),
                            _mm256_set1_epi16(32));
}

/* Bytes of a block, where d stands. */
#define SIGNED(name, n_bytes, offset)                                                              \
    static const struct with_groups with_groups_##name = {take_##name, groups_of_##name,           \
                                                          &ggml_##name, n_bytes, offset};          \
    static __attribute__((noinline))                                                               \
    TARGET void look_at_##name(const unsigned char *block, float d, struct ggml_totals *totals)    \
    {                                                                                              \
        look_at_signed(&with_groups_##name, block, d, totals);                                     \
    }                                                                                              \
    TARGET void KERNEL_NAME(name)(struct ggml_totals * totals, const unsigned char *blocks,        \
                                  size_t n_blocks)                                                 \
    {                                                                                              \
        add_signed(&with_groups_##name, look_at_##name, totals, blocks, n_blocks);                 \
    }
SIGNED(q3_k, 110, 108)
SIGNED(q6_k, 210, 208)
SIGNED(iq4_xs, 136, 0)

#endif
