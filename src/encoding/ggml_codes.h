/* ggml_codes.h - the codes of GGUF's blocks as vectors of 32 signed bytes. Included by
 * ggml_avx2.c and ggml_avx512.c, which define TARGET. Codes that have one scale may come
 * in any order.                                                            x86-64 only. */
#ifndef LLMFP_GGML_CODES_H
#define LLMFP_GGML_CODES_H

#include <immintrin.h>
#include <string.h>

#include "ggml_blocks.h"

static inline TARGET __m256i load(const unsigned char *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

/* 16 bytes twice. */
static inline TARGET __m256i load_twice(const void *bytes)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
}

static inline TARGET int least_byte(__m256i q)
{
    const __m128i half = _mm_min_epi8(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    const __m128i order = _mm_xor_si128(half, _mm_set1_epi8(INT8_MIN));
    const __m128i pairs = _mm_min_epu8(order, _mm_srli_epi16(order, 8));
    return (_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_and_si128(pairs, _mm_set1_epi16(255)))) & 255) -
           128;
}

static inline TARGET int most_byte(__m256i q) /* ~q = -1 - q */
{
    return -1 - least_byte(_mm256_xor_si256(q, _mm256_set1_epi8(-1)));
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

/* 16 bytes: the low halves, then the high halves. */
static inline TARGET __m256i nibbles_of(const unsigned char *bytes)
{
    const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    const __m256i halves = _mm256_set_m128i(_mm_srli_epi16(both, 4), both);
    return _mm256_and_si256(halves, _mm256_set1_epi8(15));
}

/* Bit i of 32: all ones in byte i, or 0. */
static inline TARGET __m256i spread_bits(const unsigned char *bytes)
{
    const __m256i places = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                            2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bits = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(word), places);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bits), bits);
}

static inline TARGET __m256i five_bits(const unsigned char *high_bits, const unsigned char *nibbles)
{
    return _mm256_or_si256(nibbles_of(nibbles),
                           _mm256_and_si256(spread_bits(high_bits), _mm256_set1_epi8(16)));
}

static inline TARGET void take_q4_0(const unsigned char *block, __m256i *q)
{
    q[0] = _mm256_sub_epi8(nibbles_of(block + 2), _mm256_set1_epi8(8));
}

static inline TARGET void take_q5_0(const unsigned char *block, __m256i *q)
{
    q[0] = _mm256_sub_epi8(five_bits(block + 2, block + 6), _mm256_set1_epi8(16));
}

static inline TARGET void take_q8_0(const unsigned char *block, __m256i *q)
{
    q[0] = load(block + 2);
}

static inline TARGET void take_q8_1(const unsigned char *block, __m256i *q)
{
    q[0] = load(block + 4);
}

static inline TARGET void take_iq4_nl(const unsigned char *block, __m256i *q)
{
    q[0] = _mm256_shuffle_epi8(load_twice(ggml_iq4_values), nibbles_of(block + 2));
}

static inline TARGET void take_mxfp4(const unsigned char *block, __m256i *q)
{
    q[0] = _mm256_shuffle_epi8(load_twice(ggml_doubled_e2m1), nibbles_of(block + 1));
}

static inline TARGET void take_q1_0(const unsigned char *block, __m256i *q)
{
    for (size_t k = 0; k < 4; k++) { /* -1 or 0, to 1 or -1 */
        const __m256i set = spread_bits(block + 2 + 4 * k);
        q[k] = _mm256_sub_epi8(_mm256_set1_epi8(-1), _mm256_add_epi8(set, set));
    }
}

/* All four codes of 16 bytes. */
static inline TARGET void take_q2_0(const unsigned char *block, __m256i *q)
{
    const __m128i four = _mm_loadu_si128((const __m128i *)(const void *)(block + 2));
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(four, 4), four);
    q[0] = _mm256_sub_epi8(two_bits(both, 0, 0), _mm256_set1_epi8(1));
    q[1] = _mm256_sub_epi8(two_bits(both, 2, 0), _mm256_set1_epi8(1));
}

static inline TARGET void take_tq2_0(const unsigned char *block, __m256i *q)
{
    for (int k = 0; k < 8; k++) {
        q[k] = _mm256_sub_epi8(two_bits(load(block + (size_t)32 * (size_t)(k / 4)), 2 * (k % 4), 0),
                               _mm256_set1_epi8(1));
    }
}

/* Bytes are fractions in base 3 (ggml_legacy.c): the first trit is the whole part of 3 b / 256,
 * which is how many of 86 and 171 a byte reaches.                                      */
static inline TARGET __m256i first_trits(__m256i bytes)
{
    const __m256i third = _mm256_set1_epi8((char)86);
    const __m256i two_thirds = _mm256_set1_epi8((char)171);
    const __m256i reached =
        _mm256_add_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(bytes, third), bytes),
                        _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, two_thirds), bytes));
    return _mm256_sub_epi8(_mm256_set1_epi8(-1), reached);
}

static inline TARGET __m256i times_three(__m256i bytes)
{
    return _mm256_add_epi8(bytes, _mm256_add_epi8(bytes, bytes));
}

/* 32 bytes give five vectors. 16 bytes, beside themselves times 3, give trits 0 and 1, 2 and 3,
 * and with 4 bytes that have 4 trits each the last vector.                             */
static inline TARGET void take_tq1_0(const unsigned char *block, __m256i *q)
{
    __m256i bytes = load(block);
    for (int k = 0; k < 5; k++, bytes = times_three(bytes)) {
        q[k] = first_trits(bytes);
    }
    const __m256i both = load_twice(block + 32);
    bytes = _mm256_blend_epi32(both, times_three(both), 0xF0);
    for (int k = 5; k < 7; k++, bytes = times_three(times_three(bytes))) {
        q[k] = first_trits(bytes);
    }
    int32_t word;
    memcpy(&word, block + 48, sizeof word);
    const __m256i four = _mm256_set1_epi32(word);
    const __m256i three = times_three(four);
    const __m256i nine = times_three(three);
    const __m256i low = _mm256_blend_epi32(four, three, 0x22);
    const __m256i high = _mm256_blend_epi32(nine, times_three(nine), 0x88);
    q[7] = first_trits(_mm256_blend_epi32(bytes, _mm256_blend_epi32(low, high, 0xCC), 0xF0));
}

#endif
