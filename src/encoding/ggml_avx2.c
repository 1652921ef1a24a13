/* ggml_avx2.c - sums of GGUF blocks of 32 elements with one scale, for x86-64 with AVX2.
 * See ggml_blocks.h. Machines with AVX-512 use these too: the codes of a block fill one
 * vector of 32 bytes.                                                              */
#if defined(__x86_64__)
#include "ggml_avx2.h"

#include <math.h>
#include <string.h>

/* Pairs of bytes add up to 16 bits without saturation: |q| <= 128, so |sums| <= 256 and
 * squares <= 2 * 2^14 = 2^15, which wants 32 bits: q is widened to 16 bits for them.   */
static inline TARGET __m256i sums_of(__m256i q)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
}

static inline TARGET __m256i squares_of(__m256i q)
{
    const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q));
    const __m256i high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1));
    return _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high));
}

/* Four blocks; `q` are their codes. */
static inline TARGET void add_four(const __m256i q[4], struct ggml_sums sums[4])
{
    int32_t p[4];
    int32_t r[4];
    _mm_storeu_si128((__m128i *)(void *)p,
                     add_across(sums_of(q[0]), sums_of(q[1]), sums_of(q[2]), sums_of(q[3])));
    _mm_storeu_si128((__m128i *)(void *)r, add_across(squares_of(q[0]), squares_of(q[1]),
                                                      squares_of(q[2]), squares_of(q[3])));
    for (int i = 0; i < 4; i++) {
        sums[i].p = p[i];
        sums[i].r = r[i];
        sums[i].zeros = (int32_t)count_zeros(q[i]);
    }
}

typedef __m256i take_codes(const unsigned char *block);

static inline __attribute__((always_inline)) TARGET void
add_blocks(const struct ggml_type *type, take_codes *take, const unsigned char *blocks,
           size_t n_blocks, struct ggml_sums *sums)
{
    size_t i = 0;
    for (; i + 4 <= n_blocks; i += 4) {
        __m256i q[4];
        for (size_t k = 0; k < 4; k++) {
            q[k] = take(blocks + (i + k) * type->bytes);
        }
        add_four(q, sums + i);
    }
    ggml_sums_portable(type, blocks + i * type->bytes, n_blocks - i, NULL, sums + i);
}

static inline TARGET struct ggml_extremes extremes_of(__m256i q)
{
    __m128i least = _mm_min_epi8(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    __m128i most = _mm_max_epi8(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    int8_t all_least[16];
    int8_t all_most[16];
    least = _mm_min_epi8(least, _mm_srli_si128(least, 8));
    most = _mm_max_epi8(most, _mm_srli_si128(most, 8));
    least = _mm_min_epi8(least, _mm_srli_si128(least, 4));
    most = _mm_max_epi8(most, _mm_srli_si128(most, 4));
    _mm_storeu_si128((__m128i *)(void *)all_least, least);
    _mm_storeu_si128((__m128i *)(void *)all_most, most);
    struct ggml_extremes extremes = {all_least[0], all_most[0]};
    for (int i = 1; i < 4; i++) {
        extremes.least = all_least[i] < extremes.least ? all_least[i] : extremes.least;
        extremes.most = all_most[i] > extremes.most ? all_most[i] : extremes.most;
    }
    return extremes;
}

static inline TARGET __m256i take_q8_0(const unsigned char *block)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(block + 2));
}

static inline TARGET __m256i take_q4_0(const unsigned char *block)
{
    return _mm256_sub_epi8(nibbles_of(block + 2), _mm256_set1_epi8(8));
}

/* Nibbles, and bit i of 32 as 16 in byte i. */
static inline TARGET __m256i five_bits(const unsigned char *high_bits, const unsigned char *nibbles)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                            2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bits = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    int32_t high;
    memcpy(&high, high_bits, sizeof high);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(high), spread);
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bits), bits);
    return _mm256_or_si256(nibbles_of(nibbles), _mm256_and_si256(set, _mm256_set1_epi8(16)));
}

static inline TARGET __m256i take_q5_0(const unsigned char *block)
{
    return _mm256_sub_epi8(five_bits(block + 2, block + 6), _mm256_set1_epi8(16));
}

static inline TARGET __m256i take_iq4_nl(const unsigned char *block)
{
    return _mm256_shuffle_epi8(iq4_values(), nibbles_of(block + 2));
}

static inline TARGET __m256i take_q8_1(const unsigned char *block)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(block + 4));
}

static inline TARGET __m256i take_mxfp4(const unsigned char *block)
{
    const __m256i values = _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const __m128i *)(const void *)ggml_doubled_e2m1));
    return _mm256_shuffle_epi8(values, nibbles_of(block + 1));
}

#define KERNEL(name)                                                                               \
    TARGET void ggml_##name##_avx2(const unsigned char *blocks, size_t n_blocks,                   \
                                   struct ggml_range *range, struct ggml_sums *sums)               \
    {                                                                                              \
        (void)range;                                                                               \
        add_blocks(&ggml_##name, take_##name, blocks, n_blocks, sums);                             \
    }                                                                                              \
    TARGET struct ggml_extremes ggml_##name##_extremes(const unsigned char *block)                 \
    {                                                                                              \
        return extremes_of(take_##name(block));                                                    \
    }
KERNEL(q4_0)
KERNEL(q5_0)
KERNEL(q8_0)
KERNEL(q8_1)
KERNEL(iq4_nl)
KERNEL(mxfp4)

/* ---- types with an offset: x = d q + m ---- */

/* One element can be 0 only where -m / d is a whole number. Floats hold d and m exactly, so a
 * quotient that is a whole number below 2^5 comes out as it, and the product is exact. */
static inline TARGET int32_t zeros_with_offset(float d, float m, __m256i q, float most_q)
{
    if (d == 0) {
        return m == 0 ? 32 : 0;
    }
    const float wanted = -m / d;
    if (!(wanted >= 0 && wanted <= most_q) || wanted != (float)(int)wanted || wanted * d != -m) {
        return 0;
    }
    const __m256i equal = _mm256_cmpeq_epi8(q, _mm256_set1_epi8((char)(int)wanted));
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(equal));
}

static inline TARGET void widen(struct ggml_range *range, double d, double m, __m256i q, int most_q)
{
    const double far = d * most_q + m;
    if ((far > m ? far : m) > range->largest || (far < m ? far : m) < range->smallest) {
        const struct ggml_extremes extremes = extremes_of(q);
        const double first = d * extremes.least + m;
        const double last = d * extremes.most + m;
        range->smallest = fmin(range->smallest, fmin(first, last));
        range->largest = fmax(range->largest, fmax(first, last));
    }
}

static inline TARGET void look_at_offset(const unsigned char *block, __m256i q, int most_q,
                                         struct ggml_range *range, struct ggml_sums *sums)
{
    uint32_t bits;
    float scales[4];
    memcpy(&bits, block, sizeof bits);
    _mm_storeu_ps(scales, _mm_cvtph_ps(_mm_cvtsi32_si128((int)bits)));
    sums->x = sums->p;
    sums->n1 = 32;
    sums->n2 = 32;
    if (isfinite(scales[0]) && isfinite(scales[1])) {
        sums->zeros = zeros_with_offset(scales[0], scales[1], q, (float)most_q);
        widen(range, (double)scales[0], (double)scales[1], q, most_q);
    }
}

static inline __attribute__((always_inline)) TARGET void
add_offset_blocks(const struct ggml_type *type, take_codes *take, const unsigned char *blocks,
                  size_t n_blocks, struct ggml_range *range, struct ggml_sums *sums)
{
    size_t i = 0;
    for (; i + 4 <= n_blocks; i += 4) {
        __m256i q[4];
        for (size_t k = 0; k < 4; k++) {
            q[k] = take(blocks + (i + k) * type->bytes);
        }
        add_four(q, sums + i);
        for (size_t k = 0; k < 4; k++) {
            look_at_offset(blocks + (i + k) * type->bytes, q[k], type->most, range, &sums[i + k]);
        }
    }
    ggml_sums_portable(type, blocks + i * type->bytes, n_blocks - i, range, sums + i);
}

static inline TARGET __m256i take_q4_1(const unsigned char *block)
{
    return nibbles_of(block + 4);
}

static inline TARGET __m256i take_q5_1(const unsigned char *block)
{
    return five_bits(block + 4, block + 8);
}

#define OFFSET_KERNEL(name)                                                                        \
    TARGET void ggml_##name##_avx2(const unsigned char *blocks, size_t n_blocks,                   \
                                   struct ggml_range *range, struct ggml_sums *sums)               \
    {                                                                                              \
        add_offset_blocks(&ggml_##name, take_##name, blocks, n_blocks, range, sums);               \
    }
OFFSET_KERNEL(q4_1)
OFFSET_KERNEL(q5_1)

#else
typedef int llmfp_no_avx2; /* a translation unit may not be empty */
#endif
