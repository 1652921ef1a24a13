/* float8_avx512.c - sums of 8-bit floats: a table look-up turns 64 codes into the bytes
 * of one class, and products of bytes add up in lanes of 32 bits.              */
#if defined(__x86_64__)
#include <immintrin.h>

#include "float8.h"

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,popcnt")))

/* Four squares of at most 127 a step, and BLOCK / VECTOR = 128 steps: below 2^23. */
_Static_assert(FLOAT8_BLOCK / FLOAT8_VECTOR * 4 * 127 * 127 < 1 << 24, "lanes of 32 bits");

struct lanes {
    __m512i sum[FLOAT8_MOST_CLASSES];
    __m512i squares[FLOAT8_MOST_CLASSES];
};

static inline __attribute__((always_inline)) TARGET void
add_codes(struct lanes *lanes, const struct float8_tables *tables, const unsigned char *bytes,
          size_t n, int n_classes)
{
    const __m512i plus = _mm512_set1_epi8(1);
    const __m512i minus = _mm512_set1_epi8(-1);
    __m512i sum[FLOAT8_MOST_CLASSES];
    __m512i squares[FLOAT8_MOST_CLASSES];
    for (int k = 0; k < n_classes; k++) {
        sum[k] = _mm512_setzero_si512();
        squares[k] = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < n; i += FLOAT8_VECTOR) {
        const __m512i codes = _mm512_loadu_si512(bytes + i);
        const __m512i sign = _mm512_mask_mov_epi8(plus, _mm512_movepi8_mask(codes), minus);
        for (int k = 0; k < n_classes; k++) {
            const __m512i low = _mm512_loadu_si512(tables->value[k]);
            const __m512i high = _mm512_loadu_si512(tables->value[k] + 64);
            const __m512i value = _mm512_permutex2var_epi8(low, codes, high);
            sum[k] = _mm512_dpbusd_epi32(sum[k], value, sign);
            squares[k] = _mm512_dpbusd_epi32(squares[k], value, value);
        }
    }
    for (int k = 0; k < n_classes; k++) {
        lanes->sum[k] = sum[k];
        lanes->squares[k] = squares[k];
    }
}

static TARGET struct float8_look look_at_codes(const unsigned char *bytes, size_t n)
{
    const __m512i magnitude_bits = _mm512_set1_epi8(0x7F);
    __m512i largest_signed = _mm512_set1_epi8(INT8_MIN);
    __m512i least_signed = _mm512_set1_epi8(INT8_MAX);
    __m512i largest_unsigned = _mm512_setzero_si512();
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i += FLOAT8_VECTOR) {
        const __m512i codes = _mm512_loadu_si512(bytes + i);
        largest_signed = _mm512_max_epi8(largest_signed, codes);
        least_signed = _mm512_min_epi8(least_signed, codes);
        largest_unsigned = _mm512_max_epu8(largest_unsigned, codes);
        zeros += (uint64_t)_mm_popcnt_u64(_mm512_testn_epi8_mask(codes, magnitude_bits));
    }
    int8_t largest[64];
    int8_t least[64];
    uint8_t largest_code[64];
    _mm512_storeu_si512(largest, largest_signed);
    _mm512_storeu_si512(least, least_signed);
    _mm512_storeu_si512(largest_code, largest_unsigned);
    struct float8_look look = {
        .zeros = zeros, .largest_signed = INT8_MIN, .least_signed = INT8_MAX};
    float8_note_lanes(&look, largest, least, largest_code, FLOAT8_VECTOR);
    return look;
}

TARGET bool llmfp_float8_add_avx512(struct float8_sums *sums, const struct float8 *float8,
                                    const struct float8_tables *tables, const unsigned char *bytes,
                                    size_t n)
{
    const struct float8_look look = look_at_codes(bytes, n);
    if (!float8_take(sums, float8, &look)) {
        return false;
    }
    /* Classes above the largest code are empty. */
    int n_classes = tables->n_classes;
    while (n_classes > 1 && tables->value[n_classes - 1][float8_most(&look)] == 0) {
        n_classes--;
    }
    struct lanes lanes;
    switch (n_classes) { /* constants, so that the lanes stay in registers */
    case 1:
    case 2:
        n_classes = 2;
        add_codes(&lanes, tables, bytes, n, 2);
        break;
    case 3:
        add_codes(&lanes, tables, bytes, n, 3);
        break;
    case 4:
        add_codes(&lanes, tables, bytes, n, 4);
        break;
    case 5:
    case 6:
        n_classes = 6;
        add_codes(&lanes, tables, bytes, n, 6);
        break;
    default:
        add_codes(&lanes, tables, bytes, n, n_classes);
        break;
    }
    for (int k = 0; k < n_classes; k++) {
        sums->sum[k] += _mm512_reduce_add_epi32(lanes.sum[k]);
        sums->squares[k] += (uint64_t)_mm512_reduce_add_epi32(lanes.squares[k]);
    }
    return true;
}
#endif
