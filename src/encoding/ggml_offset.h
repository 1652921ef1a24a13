/* ggml_offset.h - blocks with two scales, x = d a q + m' o with unsigned codes q and small
 * integers a and o for each group (m' = -m in GGUF's K types), eight blocks at a time; see
 * ggml_lanes.h. Included by ggml_avx2.c and ggml_avx512.c.                x86-64 only. */
#ifndef LLMFP_GGML_OFFSET_H
#define LLMFP_GGML_OFFSET_H

#include "ggml_codes.h"
#include "ggml_lanes.h"

/* a and o of up to 16 groups, as bytes. */
struct groups {
    __m128i a;
    __m128i o;
};

/* What one type is, known when its kernel is compiled. */
struct offset {
    void (*take)(const unsigned char *block, __m256i *q);
    /* NULL: a = o = 1, and a block is a group. */
    struct groups (*take_groups)(const unsigned char *block);
    const struct ggml_type *type;
    size_t bytes;
    size_t d_offset;
    size_t m_offset;
    int vectors;
    int groups;
    int most_q;
    bool minus; /* m' = -m */
};

/* What is known of eight blocks before their codes are summed. */
struct eight_blocks {
    float d[8];
    float m[8];        /* m' */
    uint32_t zeros[8]; /* of each block: groups that may hold a 0 */
};

/* ---- groups that may hold a 0, or a new extreme: rare, so the kernels look at bounds first.
 * Floats hold d a and m' o exactly (11 + 6 bits). ---- */

/* Lanes where -shift / scale may be a whole number. The estimate is good to 11 bits, so that it
 * finds the codes below 32. Where the scale is 0, so that it is infinite or no number, only a
 * shift of 0 counts.                                                                   */
static inline TARGET uint32_t may_be_zero(__m256 scale, __m256 shift)
{
    const __m256 ratio = _mm256_mul_ps(shift, _mm256_rcp_ps(scale));
    const __m256 bounded =
        _mm256_min_ps(_mm256_max_ps(ratio, _mm256_set1_ps(-64)), _mm256_set1_ps(64));
    const __m256 code = _mm256_round_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return (uint32_t)_mm256_movemask_ps(
        _mm256_cmp_ps(_mm256_mul_ps(code, scale), shift, _CMP_EQ_OQ));
}

/* The values that codes of 0 and the largest code have in any group; the latter are rounded to
 * 24 bits.                                                                             */
struct bounds {
    __m256 least_first;
    __m256 most_first;
    __m256 least_last;
    __m256 most_last;
};

static inline TARGET struct bounds no_bounds(void)
{
    const __m256 infinity = _mm256_set1_ps(INFINITY);
    const __m256 minus = _mm256_set1_ps(-INFINITY);
    return (struct bounds){infinity, minus, infinity, minus};
}

static inline TARGET void widen_bounds(struct bounds *bounds, __m256 scale, __m256 shift,
                                       float most_q)
{
    const __m256 last = _mm256_add_ps(_mm256_mul_ps(scale, _mm256_set1_ps(most_q)), shift);
    bounds->least_first = _mm256_min_ps(bounds->least_first, shift);
    bounds->most_first = _mm256_max_ps(bounds->most_first, shift);
    bounds->least_last = _mm256_min_ps(bounds->least_last, last);
    bounds->most_last = _mm256_max_ps(bounds->most_last, last);
}

/* The range that is known, as floats within it; values that are rounded want a margin. */
struct known {
    __m256 smallest;
    __m256 largest;
    __m256 smallest_rounded;
    __m256 largest_rounded;
};

static inline TARGET struct known known_of(const struct ggml_range *range)
{
    float smallest = (float)range->smallest;
    float largest = (float)range->largest;
    smallest = (double)smallest < range->smallest ? nextafterf(smallest, INFINITY) : smallest;
    largest = (double)largest > range->largest ? nextafterf(largest, -INFINITY) : largest;
    return (struct known){_mm256_set1_ps(smallest), _mm256_set1_ps(largest),
                          _mm256_set1_ps(smallest + fabsf(smallest) * 0x1p-20F),
                          _mm256_set1_ps(largest - fabsf(largest) * 0x1p-20F)};
}

/* Lanes that may go beyond it. */
static inline TARGET uint32_t beyond(const struct bounds *bounds, const struct known *known)
{
    const __m256 first =
        _mm256_and_ps(_mm256_cmp_ps(bounds->most_first, known->largest, _CMP_LE_OQ),
                      _mm256_cmp_ps(bounds->least_first, known->smallest, _CMP_GE_OQ));
    const __m256 last =
        _mm256_and_ps(_mm256_cmp_ps(bounds->most_last, known->largest_rounded, _CMP_LT_OQ),
                      _mm256_cmp_ps(bounds->least_last, known->smallest_rounded, _CMP_GT_OQ));
    return (uint32_t)_mm256_movemask_ps(_mm256_and_ps(first, last)) ^ 0xFFU;
}

/* The codes of group g; those of other groups are `other`. */
static inline TARGET __m256i group_codes(const struct offset *offset, const __m256i *q, int g,
                                         __m256i other)
{
    if (offset->groups <= offset->vectors) {
        return q[g];
    }
    return g % 2 == 0 ? _mm256_blend_epi32(q[g / 2], other, 0xF0)
                      : _mm256_blend_epi32(other, q[g / 2], 0xF0);
}

/* How many elements of group g are 0. */
static inline __attribute__((always_inline)) TARGET uint64_t
zeros_of_group(const struct offset *offset, const __m256i *q, int g, float scale, float shift)
{
    if (scale == 0) {
        return shift == 0 ? (uint64_t)(offset->type->elements / offset->groups) : 0;
    }
    const float code = -shift / scale; /* exact where it is a small whole number */
    if (!(code >= 0 && code <= (float)offset->most_q) || code * scale != -shift ||
        code != (float)(int)code) {
        return 0;
    }
    const __m256i equal = _mm256_cmpeq_epi8(group_codes(offset, q, g, _mm256_set1_epi8(-1)),
                                            _mm256_set1_epi8((char)(int)code));
    return (uint64_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(equal));
}

static inline __attribute__((always_inline)) TARGET void look_at_group(const struct offset *offset,
                                                                       const __m256i *q, int g,
                                                                       double scale, double shift,
                                                                       struct ggml_range *range)
{
    const double last = scale * offset->most_q + shift;
    if ((last > shift ? last : shift) > range->largest ||
        (last > shift ? shift : last) < range->smallest) {
        const int least = least_byte(group_codes(offset, q, g, _mm256_set1_epi8(INT8_MAX)));
        const int most = most_byte(group_codes(offset, q, g, _mm256_setzero_si256()));
        ggml_widen(range, scale * least + shift, scale * most + shift);
    }
}

static inline TARGET __m256 eight_floats(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

/* A block of which something must be looked at: zeros of some groups, or the range. */
static inline __attribute__((always_inline)) TARGET void
look_at_offset(const struct offset *offset, const unsigned char *block, float d, float m,
               uint32_t zeros, struct ggml_totals *totals)
{
    struct groups groups = {_mm_set1_epi8(1), _mm_set1_epi8(1)};
    const struct known known = known_of(&totals->range);
    __m256i q[8];
    offset->take(block, q);
    if (offset->take_groups != NULL) {
        groups = offset->take_groups(block);
    }
    for (int first = 0; first < offset->groups; first += 8) {
        float scales[8];
        float shifts[8];
        struct bounds bounds = no_bounds();
        const __m256 scale = _mm256_mul_ps(eight_floats(groups.a), _mm256_set1_ps(d));
        const __m256 shift = _mm256_mul_ps(eight_floats(groups.o), _mm256_set1_ps(m));
        widen_bounds(&bounds, scale, shift, (float)offset->most_q);
        _mm256_storeu_ps(scales, scale);
        _mm256_storeu_ps(shifts, shift);
        const uint32_t here = (1U << (offset->groups < 8 ? offset->groups : 8)) - 1;
        for (uint32_t left = zeros >> first & here; left != 0; left &= left - 1) {
            const int g = __builtin_ctz(left);
            totals->zeros += zeros_of_group(offset, q, first + g, scales[g], shifts[g]);
        }
        for (uint32_t left = beyond(&bounds, &known) & here; left != 0; left &= left - 1) {
            const int g = __builtin_ctz(left);
            look_at_group(offset, q, first + g, (double)scales[g], (double)shifts[g],
                          &totals->range);
        }
        groups.a = _mm_srli_si128(groups.a, 8);
        groups.o = _mm_srli_si128(groups.o, 8);
    }
}

typedef void look_at_offset_function(const unsigned char *block, float d, float m, uint32_t zeros,
                                     struct ggml_totals *totals);

/* ---- sums of codes ---- */

/* Two codes add up to at most 62, and their squares to 1922, in words; with a, o <= 63 products
 * stay below 2^23 and their sums below 2^31. */
struct code_sums {
    __m256i p, x, r;
};

static inline TARGET void add_codes(struct code_sums *sums, __m256i q, __m256i a, __m256i ao,
                                    __m256i aa)
{
    const __m256i s1 = _mm256_maddubs_epi16(q, _mm256_set1_epi8(1));
    const __m256i s2 = _mm256_maddubs_epi16(q, q);
    sums->p = add_words(sums->p, s1, a);
    sums->x = add_words(sums->x, s1, ao);
    sums->r = add_words(sums->r, s2, aa);
}

/* 16-bit numbers of groups, so that number k of each half goes with that half of vector k. */
static inline TARGET __m256i words_by_halves(const struct offset *offset, __m128i bytes)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return offset->groups == 8 ? _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(bytes))
                               : _mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes, order));
}

static inline __attribute__((always_inline)) TARGET void add_groups(const struct offset *offset,
                                                                    struct code_sums *sums,
                                                                    const __m256i *q,
                                                                    const struct groups *groups)
{
    const __m256i a = words_by_halves(offset, groups->a);
    const __m256i ao = _mm256_mullo_epi16(a, words_by_halves(offset, groups->o));
    const __m256i aa = _mm256_mullo_epi16(a, a);
    for (int k = 0; k < 8; k++) {
        add_codes(sums, q[k], word_of_each_half(a, k), word_of_each_half(ao, k),
                  word_of_each_half(aa, k));
    }
}

/* The sums over the lanes of each of eight 128-bit vectors of 32-bit integers. */
static inline TARGET __m256i add_across_eight_halves(const __m128i v[8])
{
    __m256i wide[8];
    for (int i = 0; i < 8; i++) {
        wide[i] = _mm256_zextsi128_si256(v[i]);
    }
    return add_across_eight(wide);
}

/* sums: p, r, x, n1, n2. */
static inline __attribute__((always_inline)) TARGET void
sum_groups(const struct offset *offset, const unsigned char *blocks, struct eight_blocks *eight,
           struct bounds *bounds, __m256i sums[5])
{
    __m256i p[8];
    __m256i x[8];
    __m256i r[8];
    __m128i n1[8];
    __m128i n2[8];
    const int n = offset->type->elements / offset->groups;
    for (size_t i = 0; i < 8; i++) {
        __m256i q[8];
        struct code_sums one = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                _mm256_setzero_si256()};
        offset->take(blocks + i * offset->bytes, q);
        struct groups groups = offset->take_groups(blocks + i * offset->bytes);
        add_groups(offset, &one, q, &groups);
        p[i] = one.p;
        x[i] = one.x;
        r[i] = one.r;
        n1[i] = _mm_sad_epu8(groups.o, _mm_setzero_si128());
        n2[i] = _mm_madd_epi16(_mm_maddubs_epi16(groups.o, groups.o), _mm_set1_epi16(1));
        eight->zeros[i] = 0;
        for (int g = 0; g < offset->groups; g += 8) {
            const __m256 scale = _mm256_mul_ps(eight_floats(groups.a), _mm256_set1_ps(eight->d[i]));
            const __m256 shift = _mm256_mul_ps(eight_floats(groups.o), _mm256_set1_ps(eight->m[i]));
            eight->zeros[i] |= may_be_zero(scale, shift) << g;
            widen_bounds(bounds, scale, shift, (float)offset->most_q);
            groups.a = _mm_srli_si128(groups.a, 8);
            groups.o = _mm_srli_si128(groups.o, 8);
        }
    }
    sums[0] = add_across_eight(p);
    sums[1] = add_across_eight(r);
    sums[2] = add_across_eight(x);
    sums[3] = _mm256_mullo_epi32(add_across_eight_halves(n1), _mm256_set1_epi32(n));
    sums[4] = _mm256_mullo_epi32(add_across_eight_halves(n2), _mm256_set1_epi32(n));
}

/* Blocks that are one group, with a = o = 1. */
static inline __attribute__((always_inline)) TARGET void
sum_single(const struct offset *offset, const unsigned char *blocks, struct eight_blocks *eight,
           struct bounds *bounds, __m256i sums[5])
{
    __m256i p[8];
    __m256i r[8];
    for (size_t i = 0; i < 8; i++) {
        __m256i q;
        offset->take(blocks + i * offset->bytes, &q);
        p[i] = add_bytes(_mm256_setzero_si256(), q, _mm256_set1_epi8(1));
        r[i] = add_bytes(_mm256_setzero_si256(), q, q);
    }
    const __m256 scale = _mm256_loadu_ps(eight->d);
    const __m256 shift = _mm256_loadu_ps(eight->m);
    const uint32_t zeros = may_be_zero(scale, shift);
    for (int i = 0; i < 8; i++) {
        eight->zeros[i] = zeros >> i & 1;
    }
    widen_bounds(bounds, scale, shift, (float)offset->most_q);
    sums[0] = add_across_eight(p);
    sums[1] = add_across_eight(r);
    sums[2] = sums[0];
    sums[3] = _mm256_set1_epi32(offset->type->elements);
    sums[4] = sums[3];
}

static inline __attribute__((always_inline)) TARGET void
add_offset(const struct offset *offset, look_at_offset_function *look, struct ggml_totals *totals,
           const unsigned char *blocks, size_t n_blocks)
{
    struct lanes lanes = no_lanes();
    struct known known = known_of(&totals->range);
    const __m256 sign = _mm256_set1_ps(-0.0F);
    for (; n_blocks >= 8; n_blocks -= 8, blocks += 8 * offset->bytes) {
        const __m256 d = eight_halves(blocks + offset->d_offset, offset->bytes);
        __m256 m = eight_halves(blocks + offset->m_offset, offset->bytes);
        m = offset->minus ? _mm256_xor_ps(m, sign) : m;
        if (__builtin_expect(!are_small(d) || !are_small(m), 0)) {
            ggml_add_portable(totals, blocks, 8);
            known = known_of(&totals->range);
            continue;
        }
        struct eight_blocks eight;
        struct bounds bounds = no_bounds();
        __m256i sums[5];
        _mm256_storeu_ps(eight.d, d);
        _mm256_storeu_ps(eight.m, m);
        if (offset->take_groups != NULL) {
            sum_groups(offset, blocks, &eight, &bounds, sums);
        } else {
            sum_single(offset, blocks, &eight, &bounds, sums);
        }
        add_eight_offset(&lanes, integers_of(d), integers_of(m), sums);
        const bool is_beyond = beyond(&bounds, &known) != 0;
        for (size_t i = 0; i < 8; i++) {
            if (__builtin_expect(is_beyond || eight.zeros[i] != 0, 0)) {
                look(blocks + i * offset->bytes, eight.d[i], eight.m[i], eight.zeros[i], totals);
            }
        }
        known = is_beyond ? known_of(&totals->range) : known;
    }
    settle_lanes(&lanes, totals);
}

static inline TARGET void take_q4_1(const unsigned char *block, __m256i *q)
{
    q[0] = nibbles_of(block + 4);
}

static inline TARGET void take_q5_1(const unsigned char *block, __m256i *q)
{
    q[0] = five_bits(block + 4, block + 8);
}

static inline TARGET void take_q4_k(const unsigned char *block, __m256i *q)
{
    for (size_t k = 0; k < 4; k++) {
        const __m256i both = load(block + 16 + 32 * k);
        q[2 * k] = four_bits(both, 0);
        q[2 * k + 1] = four_bits(both, 4);
    }
}

static inline TARGET void take_q5_k(const unsigned char *block, __m256i *q)
{
    const __m256i high = load(block + 16);
    for (size_t k = 0; k < 4; k++) {
        const __m256i both = load(block + 48 + 32 * k);
        q[2 * k] = _mm256_or_si256(four_bits(both, 0), one_bit(high, 2 * (int)k, 4));
        q[2 * k + 1] = _mm256_or_si256(four_bits(both, 4), one_bit(high, 2 * (int)k + 1, 4));
    }
}

static inline TARGET void take_q2_k(const unsigned char *block, __m256i *q)
{
    for (int k = 0; k < 8; k++) {
        q[k] = two_bits(load(block + 16 + (size_t)32 * (size_t)(k / 4)), 2 * (k % 4), 0);
    }
}

/* Eight scales and eight offsets of 6 bits in 12 bytes. */
static inline TARGET struct groups six_bits(const unsigned char *block)
{
    uint32_t words[3];
    memcpy(words, block + 4, sizeof words);
    const uint32_t low = 0x3F3F3F3F;
    const uint32_t four = 0x0F0F0F0F;
    const uint32_t top = 0x30303030;
    const uint64_t scales = (words[0] & low) | (uint64_t)((words[2] & four) | (words[0] >> 2 & top))
                                                   << 32;
    const uint64_t offsets =
        (words[1] & low) | (uint64_t)((words[2] >> 4 & four) | (words[1] >> 2 & top)) << 32;
    return (struct groups){_mm_cvtsi64_si128((int64_t)scales), _mm_cvtsi64_si128((int64_t)offsets)};
}

static inline TARGET struct groups two_nibbles(const unsigned char *block)
{
    const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)block);
    const __m128i mask = _mm_set1_epi8(15);
    return (struct groups){_mm_and_si128(both, mask), _mm_and_si128(_mm_srli_epi16(both, 4), mask)};
}

/* Scales and offsets of groups; bytes, where d and m stand, vectors, groups, most q. */
#define OFFSET(name, groups_of, n_bytes, place_d, place_m, n_vectors, n_groups, most, is_minus)    \
    static const struct offset offset_##name = {take_##name, groups_of, &ggml_##name, n_bytes,     \
                                                place_d,     place_m,   n_vectors,    n_groups,    \
                                                most,        is_minus};                            \
    static __attribute__((noinline)) TARGET void look_at_##name(                                   \
        const unsigned char *block, float d, float m, uint32_t zeros, struct ggml_totals *totals)  \
    {                                                                                              \
        look_at_offset(&offset_##name, block, d, m, zeros, totals);                                \
    }                                                                                              \
    TARGET void KERNEL_NAME(name)(struct ggml_totals * totals, const unsigned char *blocks,        \
                                  size_t n_blocks)                                                 \
    {                                                                                              \
        add_offset(&offset_##name, look_at_##name, totals, blocks, n_blocks);                      \
    }
OFFSET(q4_1, NULL, 20, 0, 2, 1, 1, 15, false)
OFFSET(q5_1, NULL, 24, 0, 2, 1, 1, 31, false)
OFFSET(q4_k, six_bits, 144, 0, 2, 8, 8, 15, true)
OFFSET(q5_k, six_bits, 176, 0, 2, 8, 8, 31, true)
OFFSET(q2_k, two_nibbles, 84, 80, 82, 8, 16, 3, true)

#endif
