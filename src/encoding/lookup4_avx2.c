/* lookup4_avx2.c - lanes of lookup4_lanes.h for x86-64 with AVX2 (llmfp/isa.h). */
#if defined(__x86_64__)
#include <immintrin.h>

#include "lookup4_lanes.h"

#define TARGET __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { NIBBLES = 16, HALF = NIBBLES / 2 };

INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void store(void *to, __m256i vector)
{
    _mm256_storeu_si256((__m256i *)to, vector);
}

/* 16 bytes each of run (or row) r and of r + 4, which lie `stride` bytes behind each other. */
INLINE __m256i load_two(const unsigned char *a, const unsigned char *b)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)a);
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)b);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* Matrices of 4 x 4 words of 32 bits, one in each half of the vectors. */
INLINE void transpose(__m256i v[4])
{
    const __m256i a = _mm256_unpacklo_epi32(v[0], v[1]);
    const __m256i b = _mm256_unpackhi_epi32(v[0], v[1]);
    const __m256i c = _mm256_unpacklo_epi32(v[2], v[3]);
    const __m256i d = _mm256_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm256_unpacklo_epi64(a, c);
    v[1] = _mm256_unpackhi_epi64(a, c);
    v[2] = _mm256_unpacklo_epi64(b, d);
    v[3] = _mm256_unpackhi_epi64(b, d);
}

/* The codes of 8 runs: lane r has four of run r, one in each byte. */
INLINE void take_nibbles(__m256i nibbles[NIBBLES], const unsigned char *bytes)
{
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t half = 0; half < 2; half++) {
        __m256i v[4];
        for (size_t r = 0; r < 4; r++) {
            const unsigned char *from = bytes + r * LOOKUP4_RUN_BYTES + 16 * half;
            v[r] = load_two(from, from + (ptrdiff_t)4 * LOOKUP4_RUN_BYTES);
        }
        transpose(v);
        for (size_t k = 0; k < 4; k++) {
            nibbles[HALF * half + 2 * k] = _mm256_and_si256(v[k], mask);
            nibbles[HALF * half + 2 * k + 1] = _mm256_and_si256(_mm256_srli_epi16(v[k], 4), mask);
        }
    }
}

/* A row for each i: 1 for code 2 i, 16 for code 2 i + 1. */
static const uint8_t one_of_two[LOOKUP4_CODES / 2][LOOKUP4_CODES] = {{1, 16},
                                                                     {0, 0, 1, 16},
                                                                     {0, 0, 0, 0, 1, 16},
                                                                     {0, 0, 0, 0, 0, 0, 1, 16},
                                                                     {[8] = 1, [9] = 16},
                                                                     {[10] = 1, [11] = 16},
                                                                     {[12] = 1, [13] = 16},
                                                                     {[14] = 1, [15] = 16}};

/* How often the codes 2 i and 2 i + 1 occur in the runs: in the lower and the upper half of each
 * lane. 8 lookups fit a byte. */
INLINE __m256i count_two(const __m256i nibbles[NIBBLES], unsigned i)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)one_of_two[i]));
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i x = _mm256_shuffle_epi8(table, nibbles[0]);
    __m256i y = _mm256_shuffle_epi8(table, nibbles[HALF]);
    for (size_t k = 1; k < HALF; k++) {
        x = _mm256_add_epi8(x, _mm256_shuffle_epi8(table, nibbles[k]));
        y = _mm256_add_epi8(y, _mm256_shuffle_epi8(table, nibbles[HALF + k]));
        /* One after the other: a tree of sums needs more registers than there are. */
        __asm__("" : "+x"(x), "+x"(y));
    }
    /* a = n(2 i), both = n(2 i) + 16 n(2 i + 1), of two bytes each, in 16 bits. */
    const __m256i a = _mm256_maddubs_epi16(
        _mm256_add_epi8(_mm256_and_si256(x, low), _mm256_and_si256(y, low)), ones);
    const __m256i both =
        _mm256_add_epi16(_mm256_maddubs_epi16(x, ones), _mm256_maddubs_epi16(y, ones));
    return _mm256_or_si256(
        _mm256_madd_epi16(a, _mm256_set1_epi16(1)),
        _mm256_madd_epi16(_mm256_sub_epi16(both, a), _mm256_set1_epi16(1 << 12)));
}

/* Digits of S1 and of S2 of 8 runs; elements that are 0 are added to `zeros`. */
INLINE void digits_of_runs(__m256i digits[LANES_DIGITS], uint64_t zeros[4],
                           const struct lookup4_lanes_map *map, const unsigned char *bytes)
{
    __m256i nibbles[NIBBLES];
    take_nibbles(nibbles, bytes);
    for (int k = 0; k < LANES_DIGITS; k++) {
        digits[k] = _mm256_setzero_si256();
    }
    for (unsigned i = 0; i < LOOKUP4_CODES / 2; i++) {
        const __m256i counts = count_two(nibbles, i);
        for (int k = 0; k < LANES_DIGITS; k++) {
            const __m256i pairs = load(map->pairs[i][k]);
            digits[k] = _mm256_add_epi32(digits[k], _mm256_madd_epi16(counts, pairs));
        }
        const unsigned zero = map->zero >> 2 * i & 3;
        if (zero != 0) { /* counts are below 2^8 */
            const __m256i which =
                _mm256_set1_epi32((int32_t)((zero & 1) * 0xFF + (zero >> 1) * 0xFF0000));
            store(zeros,
                  _mm256_add_epi64(load(zeros), _mm256_sad_epu8(_mm256_and_si256(counts, which),
                                                                _mm256_setzero_si256())));
        }
    }
}

/* A word of a scale for even and for odd runs. */
struct word {
    __m256i even;
    __m256i odd;
};

INLINE struct word word_of(__m256i lanes)
{
    return (struct word){lanes, _mm256_srli_epi64(lanes, 32)};
}

/* sums[k] += digit k times the word. */
INLINE void add_products(int64_t (*sums)[4], const struct word *digits, int n, struct word word)
{
    for (int k = 0; k < n; k++) {
        const __m256i products = _mm256_add_epi64(_mm256_mul_epi32(digits[k].even, word.even),
                                                  _mm256_mul_epi32(digits[k].odd, word.odd));
        store(sums[k], _mm256_add_epi64(load(sums[k]), products));
    }
}

static TARGET bool add_plain(struct lookup4_lanes *sums, const struct lookup4_lanes_map *map,
                             const unsigned char *bytes, const unsigned char *patterns,
                             uint32_t lowest, float threshold)
{
    const __m256i bits = load(patterns);
    const __m256i shift =
        _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32((int32_t)lowest));
    const __m256i fits =
        _mm256_cmpeq_epi32(_mm256_min_epu32(shift, _mm256_set1_epi32(LOOKUP4_WINDOW - 1)), shift);
    const __m256 within = _mm256_and_ps(
        _mm256_castsi256_ps(fits),
        _mm256_cmp_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(threshold), _CMP_LE_OQ));
    if (_mm256_movemask_ps(within) != 0xFF) {
        return false;
    }
    const __m256i mantissa = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFF)),
                                             _mm256_set1_epi32(0x800000));
    const struct word m = word_of(_mm256_sllv_epi32(mantissa, shift));
    const struct word squared = {_mm256_mul_epu32(m.even, m.even), _mm256_mul_epu32(m.odd, m.odd)};
    const __m256i mask = _mm256_set1_epi64x((INT64_C(1) << LANES_WORD_BITS) - 1);
    __m256i digits[LANES_DIGITS];
    struct word parts[LANES_DIGITS];
    digits_of_runs(digits, sums->zeros, map, bytes);
    for (int k = 0; k < LANES_DIGITS; k++) {
        parts[k] = word_of(digits[k]);
    }
    add_products(sums->scaled_sum[0], parts, LANES_SUM_DIGITS, m);
    add_products(
        sums->squared[0], parts + LANES_SUM_DIGITS, LANES_SQUARE_DIGITS,
        (struct word){_mm256_and_si256(squared.even, mask), _mm256_and_si256(squared.odd, mask)});
    add_products(sums->squared[1], parts + LANES_SUM_DIGITS, LANES_SQUARE_DIGITS,
                 (struct word){_mm256_srli_epi64(squared.even, LANES_WORD_BITS),
                               _mm256_srli_epi64(squared.odd, LANES_WORD_BITS)});
    return true;
}

/* Words of the scales of 8 runs. */
INLINE void take_words(__m256i words[8], const struct lookup4_words *table,
                       const unsigned char *codes)
{
    for (size_t half = 0; half < 2; half++) {
        for (size_t r = 0; r < 4; r++) {
            words[4 * half + r] =
                load_two((const unsigned char *)(table[codes[r]].word + 4 * half),
                         (const unsigned char *)(table[codes[r + 4]].word + 4 * half));
        }
        transpose(words + 4 * half);
    }
}

static TARGET void add_nested(struct lookup4_lanes *sums, const struct lookup4_lanes_map *map,
                              const unsigned char *bytes, const unsigned char *codes,
                              const struct lookup4_words *table)
{
    __m256i digits[LANES_DIGITS];
    __m256i words[8];
    struct word parts[LANES_DIGITS];
    digits_of_runs(digits, sums->zeros, map, bytes);
    take_words(words, table, codes);
    for (int k = 0; k < LANES_DIGITS; k++) {
        parts[k] = word_of(digits[k]);
        store(sums->digits[k], _mm256_add_epi32(load(sums->digits[k]), digits[k]));
    }
    for (int i = 0; i < LANES_SCALE_WORDS; i++) {
        const struct word word = word_of(words[i]);
        add_products(sums->scaled_sum[i], parts, LANES_SUM_DIGITS, word);
        add_products(sums->scaled_squares[i], parts + LANES_SUM_DIGITS, LANES_SQUARE_DIGITS, word);
    }
    for (int i = 0; i < LANES_SQUARE_WORDS; i++) {
        add_products(sums->squared[i], parts + LANES_SUM_DIGITS, LANES_SQUARE_DIGITS,
                     word_of(words[LANES_SCALE_WORDS + i]));
    }
}

const struct lookup4_lanes_kernels lookup4_lanes_avx2 = {add_plain, add_nested};
#else
typedef int llmfp_no_avx2_lookup4; /* a translation unit may not be empty */
#endif
