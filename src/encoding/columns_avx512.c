/* columns_avx512.c - sums of columns for x86-64 with AVX-512 (llmfp/isa.h): products of bytes
 * add up in lanes of 32 bits. See columns.h.                                          */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "columns.h"

#define TARGET                                                                                     \
    __attribute__((                                                                                \
        target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx2,bmi,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { VECTOR = 16 }; /* columns of a vector */

/* ---- words of codes of one column ---- */

/* Lanes of 32 bits that belong to a column each; of the last three, bytes. */
struct lanes {
    __m512i sum;
    __m512i squares;
    __m512i zeros;
    __m512i least;
    __m512i largest;
};

INLINE struct lanes no_lanes(void)
{
    const __m512i none = _mm512_setzero_si512();
    return (struct lanes){none, none, none, _mm512_set1_epi8(-1), none};
}

/* q (q - 128) + 128 q = q^2: the second factor of a product of bytes has a sign. */
INLINE void add_codes(struct lanes *lanes, __m512i q, __m512i zero_point, bool wide)
{
    const __m512i ones = _mm512_set1_epi8(1);
    lanes->sum = _mm512_dpbusd_epi32(lanes->sum, q, ones);
    lanes->squares = _mm512_dpbusd_epi32(
        lanes->squares, q, wide ? _mm512_xor_si512(q, _mm512_set1_epi8(INT8_MIN)) : q);
    lanes->zeros = _mm512_mask_add_epi8(lanes->zeros, _mm512_cmpeq_epi8_mask(q, zero_point),
                                        lanes->zeros, ones);
    lanes->least = _mm512_min_epu8(lanes->least, q);
    lanes->largest = _mm512_max_epu8(lanes->largest, q);
}

INLINE void put_lanes(struct columns *columns, size_t first, const struct lanes *lanes, bool wide)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i squares = lanes->squares;
    if (wide) {
        squares = _mm512_add_epi32(squares, _mm512_slli_epi32(lanes->sum, 7));
    }
    __m512i least = _mm512_min_epu8(lanes->least, _mm512_srli_epi32(lanes->least, 16));
    least = _mm512_min_epu8(least, _mm512_srli_epi32(least, 8));
    __m512i largest = _mm512_max_epu8(lanes->largest, _mm512_srli_epi32(lanes->largest, 16));
    largest = _mm512_max_epu8(largest, _mm512_srli_epi32(largest, 8));
    _mm512_storeu_si512(columns->sum + first, lanes->sum);
    _mm512_storeu_si512(columns->squares + first, squares);
    _mm512_storeu_si512(columns->zeros + first,
                        _mm512_dpbusd_epi32(_mm512_setzero_si512(), lanes->zeros, ones));
    _mm_storeu_si128((__m128i *)(void *)(columns->least + first), _mm512_cvtepi32_epi8(least));
    _mm_storeu_si128((__m128i *)(void *)(columns->largest + first), _mm512_cvtepi32_epi8(largest));
}

/* The zero points of 16 columns, in all bytes of their lanes. */
INLINE __m512i zero_points(const struct columns *columns, size_t first)
{
    const __m128i bytes =
        _mm_loadu_si128((const __m128i *)(const void *)(columns->zero_point + first));
    return _mm512_mullo_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32(0x01010101));
}

INLINE __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n < VECTOR ? (1U << n) - 1 : 0xFFFFU);
}

/* By 0, 2, 4 or 6: literals are what all compilers take. */
INLINE __m512i shifted(__m512i words, unsigned shift)
{
    switch (shift) {
    case 0:
        return words;
    case 2:
        return _mm512_srli_epi16(words, 2);
    case 4:
        return _mm512_srli_epi16(words, 4);
    default:
        return _mm512_srli_epi16(words, 6);
    }
}

INLINE void add_words_of(struct columns *columns, const unsigned char *bytes, size_t stride,
                         size_t n_rows, size_t n, unsigned bits)
{
    const __m512i mask = _mm512_set1_epi8((char)((1U << bits) - 1));
    for (size_t first = 0; first < n; first += VECTOR) {
        const __mmask16 present = mask_of(n - first);
        const __m512i zero_point = zero_points(columns, first);
        struct lanes lanes = no_lanes();
        for (size_t r = 0; r < n_rows; r++) {
            const __m512i words = _mm512_maskz_loadu_epi32(present, bytes + r * stride + 4 * first);
            for (unsigned shift = 0; shift < 8; shift += bits) {
                const __m512i q = _mm512_and_si512(shifted(words, shift), mask);
                add_codes(&lanes, q, zero_point, bits == 8);
            }
        }
        put_lanes(columns, first, &lanes, bits == 8);
    }
}

static TARGET void add_words(struct columns *columns, const unsigned char *bytes, size_t stride,
                             size_t n_rows, size_t n, unsigned bits)
{
    switch (bits) {
    case 2:
        add_words_of(columns, bytes, stride, n_rows, n, 2);
        break;
    case 4:
        add_words_of(columns, bytes, stride, n_rows, n, 4);
        break;
    default:
        add_words_of(columns, bytes, stride, n_rows, n, 8);
        break;
    }
}

/* ---- single inputs ---- */

/* The codes of n <= 4 inputs in the bytes of each lane.                                  */
INLINE __m512i gather(const unsigned char *bytes, size_t stride, const struct column_input *inputs,
                      size_t n, __mmask16 present, uint32_t mask)
{
    __m512i q = _mm512_setzero_si512();
    for (size_t k = 0; k < n; k++) {
        const __m512i words = _mm512_maskz_loadu_epi32(present, bytes + inputs[k].row * stride);
        const __m128i shift = _mm_cvtsi32_si128((int)inputs[k].shift);
        const __m128i place = _mm_cvtsi32_si128(8 * (int)k);
        const __m512i code =
            _mm512_and_si512(_mm512_srl_epi32(words, shift), _mm512_set1_epi32((int)mask));
        q = _mm512_or_si512(q, _mm512_sll_epi32(code, place));
    }
    return q;
}

static TARGET void add_inputs(struct columns *columns, const unsigned char *bytes, size_t stride,
                              const struct column_input *inputs, size_t n_inputs, size_t n,
                              unsigned bits)
{
    const uint32_t mask = (1U << bits) - 1;
    for (size_t first = 0; first < n; first += VECTOR) {
        const __mmask16 present = mask_of(n - first);
        const __m512i zero_point = zero_points(columns, first);
        struct lanes lanes = no_lanes();
        size_t i = 0;
        for (; i + 4 <= n_inputs; i += 4) {
            const __m512i q = gather(bytes + 4 * first, stride, inputs + i, 4, present, mask);
            add_codes(&lanes, q, zero_point, true);
        }
        for (; i < n_inputs; i++) { /* one code in all four bytes, of which one counts */
            const __m512i q = gather(bytes + 4 * first, stride, inputs + i, 1, present, mask);
            const __m512i all = _mm512_mullo_epi32(q, _mm512_set1_epi32(0x01010101));
            const __m512i byte = _mm512_set1_epi32(0xFF);
            struct lanes one = no_lanes();
            add_codes(&one, q, zero_point, true);
            lanes.sum = _mm512_add_epi32(lanes.sum, one.sum);
            lanes.squares = _mm512_add_epi32(lanes.squares, one.squares);
            lanes.zeros = _mm512_add_epi8(lanes.zeros, _mm512_and_si512(one.zeros, byte));
            lanes.least = _mm512_min_epu8(lanes.least, all);
            lanes.largest = _mm512_max_epu8(lanes.largest, all);
        }
        put_lanes(columns, first, &lanes, true);
    }
}

/* ---- nibbles of columns ---- */

/* Of 64 bytes of four rows: lanes of 32 bits with the four codes of a column each. Lane i of
 * quarter k of [j] is byte 16 k + 4 j + i.                                              */
INLINE void transpose(const __m512i row[4], __m512i words[4])
{
    const __m512i a = _mm512_unpacklo_epi8(row[0], row[1]);
    const __m512i b = _mm512_unpackhi_epi8(row[0], row[1]);
    const __m512i c = _mm512_unpacklo_epi8(row[2], row[3]);
    const __m512i d = _mm512_unpackhi_epi8(row[2], row[3]);
    words[0] = _mm512_unpacklo_epi16(a, c);
    words[1] = _mm512_unpackhi_epi16(a, c);
    words[2] = _mm512_unpacklo_epi16(b, d);
    words[3] = _mm512_unpackhi_epi16(b, d);
}

INLINE void put_quarters(uint32_t *to, const __m512i words[4])
{
    for (size_t j = 0; j < 4; j++) {
        _mm_storeu_si128((__m128i *)(void *)(to + 4 * j), _mm512_castsi512_si128(words[j]));
        _mm_storeu_si128((__m128i *)(void *)(to + 16 + 4 * j),
                         _mm512_extracti32x4_epi32(words[j], 1));
        _mm_storeu_si128((__m128i *)(void *)(to + 32 + 4 * j),
                         _mm512_extracti32x4_epi32(words[j], 2));
        _mm_storeu_si128((__m128i *)(void *)(to + 48 + 4 * j),
                         _mm512_extracti32x4_epi32(words[j], 3));
    }
}

/* Both nibbles of 64 bytes a row. */
struct strip {
    __m512i sum[2][4];
    __m512i squares[2][4];
    __m512i zeros[2];
    __m512i least[2];
    __m512i largest[2];
};

/* Rows that are added at once: few lines of memory whose addresses collide in a cache. */
enum { STRIP_BYTES = 64, STRIPS = COLUMNS_HALF / STRIP_BYTES, STRIP_ROWS = 16 };

INLINE __m512i nibbles(__m512i bytes, unsigned half)
{
    const __m512i four = _mm512_set1_epi8(15);
    return _mm512_and_si512(half == 0 ? bytes : _mm512_srli_epi16(bytes, 4), four);
}

/* Zeros and extremes. */
INLINE void look_at_rows(struct strip *strip, const unsigned char *bytes, size_t stride,
                         size_t n_rows, __mmask64 present, const uint8_t *zero_points)
{
    const __m512i ones = _mm512_set1_epi8(1);
    const __m512i zero_point[2] = {_mm512_loadu_si512(zero_points),
                                   _mm512_loadu_si512(zero_points + COLUMNS_HALF)};
    struct strip s = *strip; /* in registers */
    for (size_t r = 0; r < n_rows; r++) {
        const __m512i row = _mm512_maskz_loadu_epi8(present, bytes + r * stride);
        for (unsigned half = 0; half < 2; half++) {
            const __m512i q = nibbles(row, half);
            const __mmask64 equal = _mm512_cmpeq_epi8_mask(q, zero_point[half]);
            s.zeros[half] = _mm512_mask_add_epi8(s.zeros[half], equal, s.zeros[half], ones);
            s.least[half] = _mm512_min_epu8(s.least[half], q);
            s.largest[half] = _mm512_max_epu8(s.largest[half], q);
        }
    }
    memcpy(strip->zeros, s.zeros, sizeof s.zeros);
    memcpy(strip->least, s.least, sizeof s.least);
    memcpy(strip->largest, s.largest, sizeof s.largest);
}

INLINE void add_four_rows(struct strip *s, const __m512i row[4])
{
    __m512i words[4];
    transpose(row, words);
    for (unsigned half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++) {
            const __m512i q = nibbles(words[j], half);
            s->sum[half][j] = _mm512_dpbusd_epi32(s->sum[half][j], q, _mm512_set1_epi8(1));
            s->squares[half][j] = _mm512_dpbusd_epi32(s->squares[half][j], q, q);
        }
    }
}

/* Sums, and sums of squares. Rows that are missing in a transposition are 0, and add nothing. */
INLINE void add_rows(struct strip *strip, const unsigned char *bytes, size_t stride, size_t n_rows,
                     __mmask64 present)
{
    const __m512i none = _mm512_setzero_si512();
    struct strip s = *strip; /* in registers */
    size_t r = 0;
    for (; r + 4 <= n_rows; r += 4) {
        const unsigned char *from = bytes + r * stride;
        const __m512i row[4] = {_mm512_maskz_loadu_epi8(present, from),
                                _mm512_maskz_loadu_epi8(present, from + stride),
                                _mm512_maskz_loadu_epi8(present, from + 2 * stride),
                                _mm512_maskz_loadu_epi8(present, from + 3 * stride)};
        add_four_rows(&s, row);
    }
    for (; r < n_rows; r++) {
        const __m512i row[4] = {_mm512_maskz_loadu_epi8(present, bytes + r * stride), none, none,
                                none};
        add_four_rows(&s, row);
    }
    memcpy(strip->sum, s.sum, sizeof s.sum);
    memcpy(strip->squares, s.squares, sizeof s.squares);
}

INLINE void put_strip(struct columns *columns, size_t first, const struct strip *strip, size_t half)
{
    const size_t c = half * COLUMNS_HALF + first;
    put_quarters(columns->sum + c, strip->sum[half]);
    put_quarters(columns->squares + c, strip->squares[half]);
    uint8_t zeros[STRIP_BYTES];
    _mm512_storeu_si512(zeros, strip->zeros[half]);
    for (size_t i = 0; i < STRIP_BYTES; i += VECTOR) {
        const __m128i some = _mm_loadu_si128((const __m128i *)(const void *)(zeros + i));
        _mm512_storeu_si512(columns->zeros + c + i, _mm512_cvtepu8_epi32(some));
    }
    _mm512_storeu_si512(columns->least + c, strip->least[half]);
    _mm512_storeu_si512(columns->largest + c, strip->largest[half]);
}

static TARGET void add_nibbles(struct columns *columns, const unsigned char *bytes, size_t stride,
                               size_t n_rows, size_t n)
{
    struct strip strips[STRIPS];
    memset(strips, 0, sizeof strips);
    for (size_t i = 0; i < STRIPS; i++) {
        strips[i].least[0] = strips[i].least[1] = _mm512_set1_epi8(-1);
    }
    for (size_t r = 0; r < n_rows; r += STRIP_ROWS) {
        const size_t rows = n_rows - r < STRIP_ROWS ? n_rows - r : STRIP_ROWS;
        for (size_t first = 0; first < n; first += STRIP_BYTES) {
            const __mmask64 present =
                n - first < STRIP_BYTES ? (UINT64_C(1) << (n - first)) - 1 : UINT64_MAX;
            const unsigned char *from = bytes + r * stride + first;
            struct strip *strip = &strips[first / STRIP_BYTES];
            add_rows(strip, from, stride, rows, present);
            look_at_rows(strip, from, stride, rows, present, columns->zero_point + first);
        }
    }
    for (size_t first = 0; first < n; first += STRIP_BYTES) {
        put_strip(columns, first, &strips[first / STRIP_BYTES], 0);
        put_strip(columns, first, &strips[first / STRIP_BYTES], 1);
    }
}

/* ---- scales ---- */

struct scale_form {
    unsigned mantissa_bits;
    int first_bin; /* of the exponents 0 and 1, from GROUPS_LOWEST on */
    int first_nonfinite;
};

/* 16 scales: mantissa (0 where not finite), bin, sign. */
struct factors {
    __m512i mantissa;
    __m512i bin;
    __mmask16 finite;
    __mmask16 negative;
};

INLINE struct factors factors_of(__m512i bits, const struct scale_form *form)
{
    const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFF));
    const __m512i biased =
        _mm512_srlv_epi32(magnitude, _mm512_set1_epi32((int)form->mantissa_bits));
    const __m512i hidden = _mm512_set1_epi32(1 << form->mantissa_bits);
    const __m512i field =
        _mm512_and_si512(magnitude, _mm512_set1_epi32((1 << form->mantissa_bits) - 1));
    const __m512i mantissa =
        _mm512_mask_or_epi32(field, _mm512_test_epi32_mask(biased, biased), field, hidden);
    struct factors factors;
    factors.finite = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(form->first_nonfinite));
    factors.negative = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x8000));
    factors.mantissa = _mm512_maskz_mov_epi32(factors.finite, mantissa);
    factors.bin = _mm512_add_epi32(_mm512_max_epi32(biased, _mm512_set1_epi32(1)),
                                   _mm512_set1_epi32(form->first_bin - 1));
    return factors;
}

/* Codes of 16 columns, less their zero points. */
struct differences {
    __m512i sum;
    __m512i squares;
    __m512i least;
    __m512i largest;
};

INLINE struct differences differences_of(const struct columns *columns, size_t c, unsigned count)
{
    const __m512i zero = _mm512_cvtepu8_epi32(
        _mm_loadu_si128((const __m128i *)(const void *)(columns->zero_point + c)));
    const __m512i sum = _mm512_loadu_si512(columns->sum + c);
    const __m512i squares = _mm512_loadu_si512(columns->squares + c);
    const __m512i all = _mm512_mullo_epi32(zero, _mm512_set1_epi32((int)count));
    const __m512i twice = _mm512_sub_epi32(_mm512_slli_epi32(sum, 1), all);
    const __m512i least =
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(columns->least + c)));
    const __m512i largest = _mm512_cvtepu8_epi32(
        _mm_loadu_si128((const __m128i *)(const void *)(columns->largest + c)));
    return (struct differences){_mm512_sub_epi32(sum, all),
                                _mm512_sub_epi32(squares, _mm512_mullo_epi32(zero, twice)),
                                _mm512_sub_epi32(least, zero), _mm512_sub_epi32(largest, zero)};
}

INLINE void add_lanes(int64_t *to, __mmask8 mask, __m512i value)
{
    const __m512i old = _mm512_loadu_si512(to);
    _mm512_storeu_si512(to, _mm512_mask_add_epi64(old, mask, old, value));
}

/* Products with the mantissas, into the lanes of their classes: even columns and odd ones. */
INLINE void add_products(struct column_sums *sums, const struct factors *factors,
                         const struct differences *d)
{
    const __m512i low = _mm512_set1_epi64(UINT32_MAX);
    const __m512i signed_sum =
        _mm512_mask_sub_epi32(d->sum, factors->negative, _mm512_setzero_si512(), d->sum);
    const __m512i m = factors->mantissa;
    const __m512i squared = _mm512_mullo_epi32(m, m);
    const __m512i shift =
        _mm512_and_si512(factors->bin, _mm512_set1_epi32((1 << COLUMNS_CLASS_SHIFT) - 1));
    const __m512i shifts[2] = {_mm512_and_si512(shift, low), _mm512_srli_epi64(shift, 32)};
    __m512i p[2] = {_mm512_mul_epi32(m, signed_sum),
                    _mm512_mul_epi32(_mm512_srli_epi64(m, 32), _mm512_srli_epi64(signed_sum, 32))};
    __m512i q[2] = {
        _mm512_mul_epu32(squared, d->squares),
        _mm512_mul_epu32(_mm512_srli_epi64(squared, 32), _mm512_srli_epi64(d->squares, 32))};
    for (int odd = 0; odd < 2; odd++) {
        p[odd] = _mm512_sllv_epi64(p[odd], shifts[odd]);
        q[odd] = _mm512_sllv_epi64(q[odd], _mm512_slli_epi64(shifts[odd], 1));
    }
    const __m512i class = _mm512_srli_epi32(factors->bin, COLUMNS_CLASS_SHIFT);
    for (__mmask16 rest = _mm512_test_epi32_mask(m, m); rest != 0;) {
        const __m512i first = _mm512_maskz_compress_epi32(rest, class);
        const int one = _mm_cvtsi128_si32(_mm512_castsi512_si128(first));
        const __mmask16 same = _mm512_mask_cmpeq_epi32_mask(rest, class, _mm512_set1_epi32(one));
        for (int odd = 0; odd < 2; odd++) {
            const __mmask8 lanes = (__mmask8)_pext_u32(same, odd == 0 ? 0x5555 : 0xAAAA);
            add_lanes(sums->sums[one], lanes, p[odd]);
            add_lanes(sums->squares[one], lanes, q[odd]);
        }
        rest = (__mmask16)(rest & ~same);
    }
}

struct range {
    __m512d smallest;
    __m512d largest;
};

/* As doubles products are exact; the power of two is normal. */
INLINE void widen(struct range *range, __mmask8 finite, __m256i mantissa, __m256i bin,
                  __m256i least, __m256i largest)
{
    const __m512i biased =
        _mm512_add_epi64(_mm512_cvtepi32_epi64(bin), _mm512_set1_epi64(1023 + GROUPS_LOWEST));
    const __m512d scale = _mm512_mul_pd(_mm512_cvtepi32_pd(mantissa),
                                        _mm512_castsi512_pd(_mm512_slli_epi64(biased, 52)));
    const __m512d a = _mm512_mul_pd(scale, _mm512_cvtepi32_pd(least));
    const __m512d b = _mm512_mul_pd(scale, _mm512_cvtepi32_pd(largest));
    range->smallest =
        _mm512_mask_min_pd(range->smallest, finite, range->smallest, _mm512_min_pd(a, b));
    range->largest =
        _mm512_mask_max_pd(range->largest, finite, range->largest, _mm512_max_pd(a, b));
}

INLINE void widen_all(struct range *range, const struct factors *factors,
                      const struct differences *d)
{
    const __m512i mantissa = _mm512_mask_sub_epi32(factors->mantissa, factors->negative,
                                                   _mm512_setzero_si512(), factors->mantissa);
    widen(range, (__mmask8)factors->finite, _mm512_castsi512_si256(mantissa),
          _mm512_castsi512_si256(factors->bin), _mm512_castsi512_si256(d->least),
          _mm512_castsi512_si256(d->largest));
    widen(range, (__mmask8)(factors->finite >> 8), _mm512_extracti64x4_epi64(mantissa, 1),
          _mm512_extracti64x4_epi64(factors->bin, 1), _mm512_extracti64x4_epi64(d->least, 1),
          _mm512_extracti64x4_epi64(d->largest, 1));
}

/* n is a multiple of 16. */
INLINE void finish_vectors(struct column_sums *sums, const struct columns *columns, size_t first,
                           size_t n, unsigned count, const struct scale_form *form)
{
    struct range range = {_mm512_set1_pd(INFINITY), _mm512_set1_pd(-INFINITY)};
    __m512i zeros = _mm512_setzero_si512();
    uint64_t n_finite = 0;
    for (size_t c = first; c < first + n; c += VECTOR) {
        const struct factors factors = factors_of(_mm512_loadu_si512(columns->scale + c), form);
        const struct differences d = differences_of(columns, c, count);
        const __mmask16 none = _mm512_testn_epi32_mask(factors.mantissa, factors.mantissa);
        const __m512i all = _mm512_mask_mov_epi32(_mm512_loadu_si512(columns->zeros + c), none,
                                                  _mm512_set1_epi32((int)count));
        zeros = _mm512_mask_add_epi32(zeros, factors.finite, zeros, all);
        n_finite += (uint64_t)_mm_popcnt_u32(factors.finite);
        add_products(sums, &factors, &d);
        widen_all(&range, &factors, &d);
    }
    struct scaled_bins *bins = &sums->bins;
    bins->count += n * count;
    bins->nonfinite += (n - n_finite) * count;
    bins->zeros += (uint64_t)_mm512_reduce_add_epi32(zeros);
    if (n_finite != 0) {
        scaled_bins_add_range(bins, _mm512_reduce_min_pd(range.smallest),
                              _mm512_reduce_max_pd(range.largest));
    }
}

static TARGET void finish(struct column_sums *sums, const struct columns *columns, size_t first,
                          size_t n, unsigned count, enum llmfp_encoding_id scales)
{
    static const struct scale_form f16 = {10, -24 - GROUPS_LOWEST, 0x7C00};
    static const struct scale_form bf16 = {7, -133 - GROUPS_LOWEST, 0x7F80};
    size_t whole = 0;
    if (scales == LLMFP_F16 || scales == LLMFP_BF16) {
        whole = n / VECTOR * VECTOR;
        if (sums->spent > COLUMNS_BUDGET - 2 * COLUMNS / VECTOR) {
            column_sums_carry(sums);
        }
        sums->spent += 2 * (uint32_t)(whole / VECTOR);
        finish_vectors(sums, columns, first, whole, count, scales == LLMFP_F16 ? &f16 : &bf16);
    }
    columns_finish_portable(sums, columns, first + whole, n - whole, count, scales);
}

const struct columns_kernels columns_avx512 = {add_words, add_inputs, add_nibbles, finish};
#else
typedef int llmfp_no_avx512_columns; /* a translation unit may not be empty */
#endif
