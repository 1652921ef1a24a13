/* float8_avx2.c - sums of 8-bit floats, 32 codes at a time: look-ups of 16 bytes give small
 * factors (float8.h), whose products of 16 bits and their squares add up.       */
#if defined(__x86_64__)
#include <immintrin.h>

#include "float8.h"

#define TARGET __attribute__((target("avx2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* A product is at most 15 * 128 < 2^11: two of them, 8 times, fit lanes of 16 bits; four squares,
 * 128 times, lanes of 32 bits. */
enum { ROUNDS = 8, BYTES = 32, MOST_PRODUCT = 15 * 128, MOST_ROUNDS = 128 };
_Static_assert(ROUNDS * 2 * MOST_PRODUCT <= INT16_MAX, "lanes of 16 bits");
_Static_assert((int64_t)MOST_ROUNDS * 4 * MOST_PRODUCT * MOST_PRODUCT <= INT32_MAX,
               "lanes of 32 bits");
_Static_assert(FLOAT8_VECTOR % BYTES == 0, "whole rounds");

INLINE __m256i load(const unsigned char *bytes)
{
    return _mm256_loadu_si256((const __m256i_u *)bytes);
}

INLINE __m256i look_up(const uint8_t *table, __m256i index)
{
    const __m128i half = _mm_loadu_si128((const __m128i_u *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), index);
}

INLINE int64_t total_of(__m256i lanes)
{
    int32_t lane[8];
    _mm256_storeu_si256((__m256i_u *)lane, lanes);
    int64_t total = 0;
    for (int i = 0; i < 8; i++) {
        total += lane[i];
    }
    return total;
}

/* g of 32 codes, with their signs. */
INLINE __m256i factors_of(const struct float8_nibbles *tables, __m256i codes, __m256i e)
{
    const __m256i is_low = _mm256_cmpeq_epi8(e, _mm256_setzero_si256());
    const __m256i index = _mm256_or_si256(_mm256_and_si256(codes, _mm256_set1_epi8(7)),
                                          _mm256_andnot_si256(is_low, _mm256_set1_epi8(8)));
    const __m256i sign = _mm256_or_si256(codes, _mm256_set1_epi8(1)); /* not 0 */
    return _mm256_sign_epi8(look_up(tables->g, index), sign);
}

/* Up to MOST_ROUNDS * BYTES bytes. */
INLINE void add_some(struct float8_sums *sums, const struct float8_nibbles *tables,
                     const unsigned char *bytes, size_t n, int n_classes)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i even = _mm256_set1_epi16(0xFF);
    __m256i sum[FLOAT8_MOST_CLASSES];
    __m256i squares[FLOAT8_MOST_CLASSES];
    for (int k = 0; k < n_classes; k++) {
        sum[k] = _mm256_setzero_si256();
        squares[k] = _mm256_setzero_si256();
    }
    for (size_t i = 0; i < n;) {
        const size_t end = n - i < (size_t)ROUNDS * BYTES ? n : i + (size_t)ROUNDS * BYTES;
        __m256i pairs[FLOAT8_MOST_CLASSES];
        for (int k = 0; k < n_classes; k++) {
            pairs[k] = _mm256_setzero_si256();
        }
        for (; i < end; i += BYTES) {
            const __m256i codes = load(bytes + i);
            const __m256i e = _mm256_and_si256(_mm256_srli_epi16(codes, 3), _mm256_set1_epi8(0x0F));
            const __m256i g = factors_of(tables, codes, e);
            const __m256i g_even = _mm256_and_si256(g, even);
            const __m256i g_odd = _mm256_andnot_si256(even, g);
            for (int k = 0; k < n_classes; k++) {
                const __m256i power = look_up(tables->power[k], e);
                const __m256i a = _mm256_maddubs_epi16(power, g_even);
                const __m256i b = _mm256_maddubs_epi16(power, g_odd);
                pairs[k] = _mm256_add_epi16(pairs[k], _mm256_add_epi16(a, b));
                squares[k] = _mm256_add_epi32(
                    squares[k], _mm256_add_epi32(_mm256_madd_epi16(a, a), _mm256_madd_epi16(b, b)));
            }
        }
        for (int k = 0; k < n_classes; k++) {
            sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(pairs[k], ones));
        }
    }
    for (int k = 0; k < n_classes; k++) {
        sums->sum[k] += total_of(sum[k]);
        sums->squares[k] += (uint64_t)total_of(squares[k]);
    }
}

INLINE void add_codes(struct float8_sums *sums, const struct float8_nibbles *tables,
                      const unsigned char *bytes, size_t n, int n_classes)
{
    const size_t most = (size_t)MOST_ROUNDS * BYTES;
    for (size_t i = 0; i < n; i += most) {
        add_some(sums, tables, bytes + i, n - i < most ? n - i : most, n_classes);
    }
}

static TARGET struct float8_look look_at_codes(const unsigned char *bytes, size_t n)
{
    __m256i largest_signed = _mm256_set1_epi8(INT8_MIN);
    __m256i least_signed = _mm256_set1_epi8(INT8_MAX);
    __m256i largest_unsigned = _mm256_setzero_si256();
    struct float8_look look = {.largest_signed = INT8_MIN, .least_signed = INT8_MAX};
    for (size_t i = 0; i < n; i += BYTES) {
        const __m256i codes = load(bytes + i);
        largest_signed = _mm256_max_epi8(largest_signed, codes);
        least_signed = _mm256_min_epi8(least_signed, codes);
        largest_unsigned = _mm256_max_epu8(largest_unsigned, codes);
        const __m256i zero = _mm256_cmpeq_epi8(_mm256_add_epi8(codes, codes),
                                               _mm256_setzero_si256()); /* of any sign */
        look.zeros += (uint64_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(zero));
    }
    int8_t largest[BYTES];
    int8_t least[BYTES];
    uint8_t largest_code[BYTES];
    _mm256_storeu_si256((__m256i_u *)largest, largest_signed);
    _mm256_storeu_si256((__m256i_u *)least, least_signed);
    _mm256_storeu_si256((__m256i_u *)largest_code, largest_unsigned);
    float8_note_lanes(&look, largest, least, largest_code, BYTES);
    return look;
}

TARGET bool llmfp_float8_add_avx2(struct float8_sums *sums, const struct float8 *float8,
                                  const struct float8_nibbles *tables, const unsigned char *bytes,
                                  size_t n)
{
    const struct float8_look look = look_at_codes(bytes, n);
    if (!float8_take(sums, float8, &look)) {
        return false;
    }
    /* Constants, so that loops unroll; and half the classes where the others are empty. */
    const bool is_half = float8_most(&look) < 0x40;
    if (tables->n_sums == 2 && is_half) {
        add_codes(sums, tables, bytes, n, 1);
    } else if (tables->n_sums == 2 || is_half) {
        add_codes(sums, tables, bytes, n, 2);
    } else {
        add_codes(sums, tables, bytes, n, 4);
    }
    return true;
}
#else
typedef int llmfp_no_float8_avx2; /* a translation unit may not be empty */
#endif
