/* lookup4_avx512.c - counts and products of lookup4.h for x86-64 with AVX-512 (llmfp/isa.h):
 * products of bit matrices take codes apart into bits, whose populations are counted.   */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "lookup4.h"

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx512vbmi2,"  \
                          "avx512vpopcntdq,gfni,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { PLANES = LOOKUP4_PLAIN_PLANES };

/* ---- counts ---- */

/* For byte 8 r + b of a vector, with two runs of 4 words of 8 bytes: where bit b of the low and of
 * the high nibbles lies after the transposition of each word. */
static const uint8_t order_of_bits[64] = {
    0,  4,  8,  12, 16, 20, 24, 28, 1,  5,  9,  13, 17, 21, 25, 29, 2,  6,  10, 14, 18, 22,
    26, 30, 3,  7,  11, 15, 19, 23, 27, 31, 32, 36, 40, 44, 48, 52, 56, 60, 33, 37, 41, 45,
    49, 53, 57, 61, 34, 38, 42, 46, 50, 54, 58, 62, 35, 39, 43, 47, 51, 55, 59, 63};

/* Bit k of the codes of 8 runs, 64 bits each. */
INLINE void take_bits(const unsigned char *bytes, __m512i bits[4])
{
    const __m512i diagonal = _mm512_set1_epi64((int64_t)UINT64_C(0x8040201008040201));
    const __m512i order = _mm512_loadu_si512(order_of_bits);
    const __m512i low = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
    const __m512i high = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    __m512i v[4];
    for (size_t i = 0; i < 4; i++) {
        v[i] = _mm512_gf2p8affine_epi64_epi8(diagonal, _mm512_loadu_si512(bytes + 64 * i), 0);
        v[i] = _mm512_permutexvar_epi8(order, v[i]);
    }
    const __m512i a = _mm512_permutex2var_epi64(v[0], low, v[1]);
    const __m512i b = _mm512_permutex2var_epi64(v[2], low, v[3]);
    const __m512i c = _mm512_permutex2var_epi64(v[0], high, v[1]);
    const __m512i d = _mm512_permutex2var_epi64(v[2], high, v[3]);
    bits[0] = _mm512_shuffle_i64x2(a, b, 0x44);
    bits[1] = _mm512_shuffle_i64x2(a, b, 0xEE);
    bits[2] = _mm512_shuffle_i64x2(c, d, 0x44);
    bits[3] = _mm512_shuffle_i64x2(c, d, 0xEE);
}

/* Eight counts below 2^8 into the bytes of a lane. */
INLINE __m512i pack(const __m512i n[8])
{
    const __m512i a = _mm512_ternarylogic_epi64(n[0], _mm512_slli_epi64(n[1], 8),
                                                _mm512_slli_epi64(n[2], 16), 0xFE);
    const __m512i b =
        _mm512_ternarylogic_epi64(_mm512_slli_epi64(n[3], 24), _mm512_slli_epi64(n[4], 32),
                                  _mm512_slli_epi64(n[5], 40), 0xFE);
    const __m512i c = _mm512_or_si512(_mm512_slli_epi64(n[6], 48), _mm512_slli_epi64(n[7], 56));
    return _mm512_ternarylogic_epi64(a, b, c, 0xFE);
}

/* Byte 4 s + r: the count of set s in run r; sets from 8 on are in the second vector. */
static const uint8_t order_of_sets[64] = {
    0,  8,  16, 24, 1,  9,  17, 25, 2,  10, 18, 26, 3,  11, 19, 27, 4,  12, 20, 28, 5,  13,
    21, 29, 6,  14, 22, 30, 7,  15, 23, 31, 64, 72, 80, 88, 65, 73, 81, 89, 66, 74, 82, 90,
    67, 75, 83, 91, 68, 76, 84, 92, 69, 77, 85, 93, 70, 78, 86, 94, 71, 79, 87, 95};

/* Set s is that of the bits of s. */
static TARGET void count(struct lookup4_counts *counts, const unsigned char *bytes)
{
    const __m512i first = _mm512_loadu_si512(order_of_sets);
    const __m512i second = _mm512_add_epi8(first, _mm512_set1_epi8(32));
    for (size_t i = 0; i < LOOKUP4_BATCH / 8; i++) {
        __m512i p[4];
        take_bits(bytes + i * 8 * LOOKUP4_RUN_BYTES, p);
        const __m512i p01 = _mm512_and_si512(p[0], p[1]);
        const __m512i p23 = _mm512_and_si512(p[2], p[3]);
        const __m512i sets[2][8] = {
            {_mm512_set1_epi64(-1), p[0], p[1], p01, p[2], _mm512_and_si512(p[0], p[2]),
             _mm512_and_si512(p[1], p[2]), _mm512_and_si512(p01, p[2])},
            {p[3], _mm512_and_si512(p[0], p[3]), _mm512_and_si512(p[1], p[3]),
             _mm512_and_si512(p01, p[3]), p23, _mm512_and_si512(p[0], p23),
             _mm512_and_si512(p[1], p23), _mm512_and_si512(p01, p23)}};
        __m512i packed[2];
        for (int half = 0; half < 2; half++) {
            __m512i n[8];
            for (int k = 0; k < 8; k++) {
                n[k] = _mm512_popcnt_epi64(sets[half][k]);
            }
            packed[half] = pack(n);
        }
        _mm512_store_si512(counts->quad[2 * i],
                           _mm512_permutex2var_epi8(packed[0], first, packed[1]));
        _mm512_store_si512(counts->quad[2 * i + 1],
                           _mm512_permutex2var_epi8(packed[0], second, packed[1]));
    }
}

/* ---- products ---- */

INLINE __m512i four_digits(const int8_t *digits)
{
    int32_t word;
    __builtin_memcpy(&word, digits, sizeof word);
    return _mm512_set1_epi32(word);
}

/* Planes `first` to first + n, few enough for compilers to keep all in registers. */
INLINE void multiply_planes(int32_t (*sums)[LOOKUP4_CODES], const struct lookup4_counts *counts,
                            const struct lookup4_digits *digits, int first, int n)
{
    __m512i sum[PLANES];
    for (int k = 0; k < n; k++) {
        sum[k] = _mm512_loadu_si512(sums[first + k]);
    }
    for (int i = 0; i < LOOKUP4_BATCH / 4; i++) {
        const __m512i all = _mm512_load_si512(counts->quad[i]);
        const int8_t *unit = digits->digit[i / 4] + i % 4 * 4 + first * LOOKUP4_UNIT;
        for (int k = 0; k < n; k++) {
            sum[k] = _mm512_dpbusd_epi32(sum[k], all, four_digits(unit + k * LOOKUP4_UNIT));
        }
    }
    for (int k = 0; k < n; k++) {
        _mm512_storeu_si512(sums[first + k], sum[k]);
    }
}

static TARGET void multiply(int32_t (*sums)[LOOKUP4_CODES], const struct lookup4_counts *counts,
                            const struct lookup4_digits *digits, bool nested)
{
    if (nested) {
        multiply_planes(sums, counts, digits, 0, 10);
        multiply_planes(sums, counts, digits, 10, LOOKUP4_NESTED_PLANES - 10);
    } else {
        multiply_planes(sums, counts, digits, 0, PLANES);
    }
}

/* ---- digits ---- */

/* Byte 16 p + i: digit p of number i. Numbers of 4 bytes, and of 8 in two vectors. */
static const uint8_t order_of_digits[2][64] = {
    {0,  4,  8,  12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 1,  5,  9,  13, 17, 21,
     25, 29, 33, 37, 41, 45, 49, 53, 57, 61, 2,  6,  10, 14, 18, 22, 26, 30, 34, 38, 42, 46,
     50, 54, 58, 62, 3,  7,  11, 15, 19, 23, 27, 31, 35, 39, 43, 47, 51, 55, 59, 63},
    {0, 8,  16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120,
     1, 9,  17, 25, 33, 41, 49, 57, 65, 73, 81, 89, 97, 105, 113, 121,
     2, 10, 18, 26, 34, 42, 50, 58, 66, 74, 82, 90, 98, 106, 114, 122,
     3, 11, 19, 27, 35, 43, 51, 59, 67, 75, 83, 91, 99, 107, 115, 123}};

/* Digits from -128 to 127: adding 128 at each place carries where a byte is 128 or more. */
INLINE __m512i balanced(__m512i sums)
{
    return _mm512_xor_si512(sums, _mm512_set1_epi8(INT8_MIN));
}

INLINE __m512i squares_of(__m256i numbers)
{
    const __m512i wide = _mm512_cvtepu32_epi64(numbers);
    const __m512i places = _mm512_set1_epi8(INT8_MIN);
    return balanced(_mm512_add_epi64(_mm512_mul_epu32(wide, wide), places));
}

static TARGET struct lookup4_fate scale(struct lookup4_digits *digits,
                                        const unsigned char *patterns, uint32_t lowest,
                                        float threshold)
{
    const __m512i order = _mm512_loadu_si512(order_of_digits[0]);
    const __m512i wide = _mm512_loadu_si512(order_of_digits[1]);
    const __m512i next = _mm512_add_epi8(wide, _mm512_set1_epi8(4));
    struct lookup4_fate fate = {0, 0, 0};
    for (unsigned u = 0; u < LOOKUP4_UNITS; u++) {
        int8_t *to = digits->digit[u];
        const __m512i bits = _mm512_loadu_si512(patterns + 4 * u * LOOKUP4_UNIT);
        const __m512i shift =
            _mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32((int)lowest));
        const __mmask16 fits = _mm512_cmplt_epu32_mask(shift, _mm512_set1_epi32(LOOKUP4_WINDOW));
        const __mmask16 zero = _mm512_testn_epi32_mask(bits, bits);
        const __m512i mantissa = _mm512_or_si512(
            _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFF)), _mm512_set1_epi32(0x800000));
        const __m512i m = _mm512_maskz_sllv_epi32(fits, mantissa, shift);
        const __m512i places = _mm512_set1_epi8(INT8_MIN);
        const __m512i low = squares_of(_mm512_castsi512_si256(m));
        const __m512i high = squares_of(_mm512_extracti64x4_epi64(m, 1));
        _mm512_storeu_si512(to,
                            _mm512_permutexvar_epi8(order, balanced(_mm512_add_epi32(m, places))));
        _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi8(low, wide, high));
        _mm512_storeu_si512(to + 128, _mm512_permutex2var_epi8(low, next, high));
        _mm_storeu_si128((__m128i *)(void *)(to + 192), _mm_maskz_set1_epi8(fits, 1));
        const __mmask16 above = _mm512_mask_cmp_ps_mask(fits, _mm512_castsi512_ps(bits),
                                                        _mm512_set1_ps(threshold), _CMP_GT_OQ);
        fate.zero |= (uint64_t)zero << 16 * u;
        fate.odd |= (uint64_t)(uint16_t) ~(fits | zero) << 16 * u;
        fate.look |= (uint64_t)above << 16 * u;
    }
    return fate;
}

INLINE void put(int8_t *unit, int plane, __m128i found)
{
    _mm_storeu_si128((__m128i *)(void *)(unit + plane * LOOKUP4_UNIT), found);
}

static TARGET void look_up(struct lookup4_digits *digits, const struct lookup4_table *table,
                           const unsigned char codes[LOOKUP4_BATCH])
{
    const __m512i all = _mm512_loadu_si512(codes);
    const __mmask64 upper = _mm512_movepi8_mask(all);
    for (int k = 0; k < LOOKUP4_NESTED_PLANES; k++) {
        const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table->plane[k]), all,
                                                     _mm512_loadu_si512(table->plane[k] + 64));
        const __m512i high =
            _mm512_permutex2var_epi8(_mm512_loadu_si512(table->plane[k] + 128), all,
                                     _mm512_loadu_si512(table->plane[k] + 192));
        const __m512i found = _mm512_mask_mov_epi8(low, upper, high);
        put(digits->digit[0], k, _mm512_castsi512_si128(found));
        put(digits->digit[1], k, _mm512_extracti32x4_epi32(found, 1));
        put(digits->digit[2], k, _mm512_extracti32x4_epi32(found, 2));
        put(digits->digit[3], k, _mm512_extracti32x4_epi32(found, 3));
    }
}

static TARGET void nest(struct lookup4_nested *scales, const double nested[256], double outer,
                        double offset, double threshold)
{
    const __m512d p = _mm512_set1_pd(outer);
    const __m512d r = _mm512_set1_pd(offset);
    const __m512d none = _mm512_setzero_pd();
    for (size_t i = 0; i < 256; i += 8) {
        const __m512d part = _mm512_mul_pd(_mm512_loadu_pd(nested + i), p);
        const __m512d sum = _mm512_add_pd(part, r);
        const __m512d parts = _mm512_add_pd(_mm512_abs_pd(part), _mm512_abs_pd(r));
        const __mmask8 sure = _mm512_cmp_pd_mask(
            _mm512_abs_pd(sum), _mm512_mul_pd(parts, _mm512_set1_pd(0x1p-20)), _CMP_GT_OQ);
        const __mmask8 within =
            _mm512_mask_cmp_pd_mask(_mm512_mask_cmp_pd_mask(sure, sum, none, _CMP_GT_OQ), sum,
                                    _mm512_set1_pd(threshold), _CMP_LT_OQ);
        _mm512_storeu_pd(scales->value + i, _mm512_mask_mov_pd(_mm512_set1_pd(NAN), sure, sum));
        _mm_storel_epi64((__m128i *)(void *)(scales->wanted + i),
                         _mm_movm_epi8((__mmask16)(uint8_t)~within));
    }
}

static TARGET void weigh(int64_t *weighed, const int32_t (*sums)[LOOKUP4_CODES], int n_planes,
                         const int64_t weight[LOOKUP4_CODES])
{
    const __m512i low = _mm512_loadu_si512(weight);
    const __m512i high = _mm512_loadu_si512(weight + 8);
    for (int k = 0; k < n_planes; k++) {
        const __m512i all = _mm512_loadu_si512(sums[k]);
        const __m512i a = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(all));
        const __m512i b = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(all, 1));
        weighed[k] = _mm512_reduce_add_epi64(
            _mm512_add_epi64(_mm512_mullo_epi64(a, low), _mm512_mullo_epi64(b, high)));
    }
}

const struct lookup4_kernels lookup4_avx512 = {count, multiply, scale, look_up, nest, weigh};
#else
typedef int llmfp_no_avx512_lookup4; /* a translation unit may not be empty */
#endif
