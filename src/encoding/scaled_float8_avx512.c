/* scaled_float8_avx512.c - sums of a rectangle of 8-bit floats, read where it lies. As in
 * float8_avx512.c a table look-up turns 64 codes into the bytes of one class. Rectangles are
 * small, so that all is kept in registers until the end of one.                     */
#if defined(__x86_64__)
#include <immintrin.h>

#include "float8.h"

#define TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,popcnt")))

/* Four squares of at most 127 a step. */
_Static_assert(FLOAT8_MOST_IN_RECTANGLE / FLOAT8_VECTOR * 4 * 127 * 127 < 1 << 25, "32 bits");

static inline TARGET int largest_byte(__m512i bytes)
{
    const __m256i half =
        _mm256_max_epu8(_mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64(bytes, 1));
    __m128i most = _mm_max_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    most = _mm_max_epu8(most, _mm_srli_epi16(most, 8));
    const __m128i complement =
        _mm_xor_si128(_mm_and_si128(most, _mm_set1_epi16(255)), _mm_set1_epi16(255));
    return 255 - (_mm_cvtsi128_si32(_mm_minpos_epu16(complement)) & 255);
}

static inline __attribute__((always_inline)) TARGET void
sum_rectangle(struct float8_sums *sums, const struct float8_tables *tables,
              const unsigned char *bytes, size_t n_rows, size_t n_columns, size_t stride,
              int n_classes)
{
    const __m512i plus = _mm512_set1_epi8(1);
    const __m512i minus = _mm512_set1_epi8(-1);
    const __m512i top = _mm512_set1_epi8(INT8_MIN);
    __m512i sum[FLOAT8_MOST_CLASSES];
    __m512i squares[FLOAT8_MOST_CLASSES];
    __m512i largest_signed = _mm512_set1_epi8(INT8_MIN);
    __m512i least_signed = _mm512_set1_epi8(INT8_MAX);
    __m512i largest_unsigned = _mm512_setzero_si512();
    uint64_t zeros = 0;
    for (int k = 0; k < n_classes; k++) {
        sum[k] = _mm512_setzero_si512();
        squares[k] = _mm512_setzero_si512();
    }
    for (size_t row = 0; row < n_rows; row++, bytes += stride) {
        for (size_t i = 0; i < n_columns; i += FLOAT8_VECTOR) {
            const __m512i codes = _mm512_loadu_si512(bytes + i);
            _mm_prefetch((const char *)(bytes + i + n_columns), _MM_HINT_T0);
            const __m512i sign = _mm512_mask_mov_epi8(plus, _mm512_movepi8_mask(codes), minus);
            largest_signed = _mm512_max_epi8(largest_signed, codes);
            least_signed = _mm512_min_epi8(least_signed, codes);
            largest_unsigned = _mm512_max_epu8(largest_unsigned, codes);
            zeros += (uint64_t)_mm_popcnt_u64(_mm512_testn_epi8_mask(codes, _mm512_set1_epi8(127)));
            for (int k = 0; k < n_classes; k++) {
                const __m512i low = _mm512_loadu_si512(tables->value[k]);
                const __m512i high = _mm512_loadu_si512(tables->value[k] + 64);
                const __m512i value = _mm512_permutex2var_epi8(low, codes, high);
                sum[k] = _mm512_dpbusd_epi32(sum[k], value, sign);
                squares[k] = _mm512_dpbusd_epi32(squares[k], value, value);
            }
        }
    }
    for (int k = 0; k < n_classes; k++) {
        sums->sum[k] = _mm512_reduce_add_epi32(sum[k]);
        sums->squares[k] = (uint64_t)_mm512_reduce_add_epi32(squares[k]);
    }
    sums->zeros = zeros;
    sums->largest_unsigned = largest_byte(largest_unsigned);
    sums->largest_signed = largest_byte(_mm512_xor_si512(largest_signed, top)) - 128;
    sums->least_signed =
        127 - largest_byte(_mm512_xor_si512(least_signed, _mm512_set1_epi8(INT8_MAX)));
}

TARGET bool llmfp_float8_rectangle_avx512(struct float8_sums *sums, const struct float8 *float8,
                                          const struct float8_tables *tables,
                                          const unsigned char *bytes, size_t n_rows,
                                          size_t n_columns, size_t stride)
{
    if (tables->n_classes == 4) { /* a constant, so that the lanes stay in registers */
        sum_rectangle(sums, tables, bytes, n_rows, n_columns, stride, 4);
    } else {
        sum_rectangle(sums, tables, bytes, n_rows, n_columns, stride, tables->n_classes);
    }
    return sums->largest_signed < (int)float8->first_nonfinite &&
           sums->largest_unsigned < 0x80 + (int)float8->first_nonfinite;
}

#else
typedef int llmfp_no_avx512_scaled; /* a translation unit may not be empty */
#endif
