/* columns_finish_avx2.c - zero points and scales of columns for x86-64 with AVX2 (llmfp/isa.h):
 * 8 columns at a time where scales have 16 bits. See columns.h.                       */
#if defined(__x86_64__)
#include <immintrin.h>

#include "columns.h"

#define TARGET  __attribute__((target("avx2,bmi2")))
#define VECTORS static inline __attribute__((always_inline)) TARGET

enum { VECTOR = 8 }; /* columns of a vector: even ones are added to half of the lanes */
_Static_assert((int)VECTOR == (int)COLUMNS_LANES, "each adds to one lane");

struct scale_form {
    int mantissa_bits;
    int first_bin; /* of the exponents 0 and 1, from GROUPS_LOWEST on */
    int first_nonfinite;
};

/* 8 scales: magnitude of the mantissa, bin, and -1 where negative. */
struct factors {
    __m256i mantissa;
    __m256i bin;
    __m256i negative;
    bool finite; /* all of them; else the others say nothing */
};

VECTORS __m256i set(int value)
{
    return _mm256_set1_epi32(value);
}

VECTORS __m256i load_words(const uint32_t *words)
{
    return _mm256_loadu_si256((const __m256i_u *)words);
}

VECTORS __m256i load_bytes(const uint8_t *bytes)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)bytes));
}

VECTORS __m256i negate_where(__m256i negative, __m256i value)
{
    return _mm256_sub_epi32(_mm256_xor_si256(value, negative), negative);
}

VECTORS struct factors factors_of(__m256i bits, const struct scale_form *form)
{
    const __m256i magnitude = _mm256_and_si256(bits, set(0x7FFF));
    const __m256i biased = _mm256_srl_epi32(magnitude, _mm_cvtsi32_si128(form->mantissa_bits));
    const __m256i is_normal = _mm256_cmpgt_epi32(biased, _mm256_setzero_si256());
    const __m256i finite = _mm256_cmpgt_epi32(set(form->first_nonfinite), magnitude);
    struct factors factors;
    factors.mantissa =
        _mm256_or_si256(_mm256_and_si256(magnitude, set((1 << form->mantissa_bits) - 1)),
                        _mm256_and_si256(is_normal, set(1 << form->mantissa_bits)));
    factors.bin = _mm256_add_epi32(_mm256_max_epi32(biased, set(1)), set(form->first_bin - 1));
    factors.negative = _mm256_cmpgt_epi32(bits, set(0x7FFF));
    factors.finite = _mm256_movemask_epi8(finite) == -1;
    return factors;
}

/* Codes of 8 columns, less their zero points. */
struct differences {
    __m256i sum;
    __m256i squares;
    __m256i least;
    __m256i largest;
};

VECTORS struct differences differences_of(const struct columns *columns, size_t c, unsigned count)
{
    const __m256i zero = load_bytes(columns->zero_point + c);
    const __m256i sum = load_words(columns->sum + c);
    const __m256i all = _mm256_mullo_epi32(zero, set((int)count));
    const __m256i twice = _mm256_sub_epi32(_mm256_slli_epi32(sum, 1), all);
    return (struct differences){
        _mm256_sub_epi32(sum, all),
        _mm256_sub_epi32(load_words(columns->squares + c), _mm256_mullo_epi32(zero, twice)),
        _mm256_sub_epi32(load_bytes(columns->least + c), zero),
        _mm256_sub_epi32(load_bytes(columns->largest + c), zero)};
}

/* Four lanes of 64 bits, of which those that the mask leaves are added. */
VECTORS void add_lanes(int64_t *to, __m256i mask, __m256i value)
{
    const __m256i old = _mm256_loadu_si256((const __m256i_u *)to);
    _mm256_storeu_si256((__m256i_u *)to, _mm256_add_epi64(old, _mm256_and_si256(mask, value)));
}

/* Products with the mantissas, into the lanes of their classes: even columns and odd ones. */
VECTORS void add_products(struct column_sums *sums, const struct factors *factors,
                          const struct differences *d)
{
    const __m256i m[2] = {factors->mantissa, _mm256_srli_epi64(factors->mantissa, 32)};
    const __m256i signed_sum = negate_where(factors->negative, d->sum);
    const __m256i sum[2] = {signed_sum, _mm256_srli_epi64(signed_sum, 32)};
    const __m256i squares[2] = {d->squares, _mm256_srli_epi64(d->squares, 32)};
    const __m256i bin = _mm256_and_si256(factors->bin, set((1 << COLUMNS_CLASS_SHIFT) - 1));
    const __m256i shift[2] = {_mm256_and_si256(bin, _mm256_set1_epi64x(UINT32_MAX)),
                              _mm256_srli_epi64(bin, 32)};
    __m256i p[2];
    __m256i q[2];
    for (int odd = 0; odd < 2; odd++) {
        p[odd] = _mm256_sllv_epi64(_mm256_mul_epi32(m[odd], sum[odd]), shift[odd]);
        q[odd] = _mm256_mul_epu32(_mm256_mul_epu32(m[odd], m[odd]), squares[odd]);
        q[odd] = _mm256_sllv_epi64(q[odd], _mm256_slli_epi64(shift[odd], 1));
    }
    const __m256i class = _mm256_srli_epi32(factors->bin, COLUMNS_CLASS_SHIFT);
    uint32_t classes[VECTOR];
    _mm256_storeu_si256((__m256i_u *)classes, class);
    for (unsigned rest = (1U << VECTOR) - 1; rest != 0;) {
        const uint32_t one = classes[__builtin_ctz(rest)];
        const __m256i same = _mm256_cmpeq_epi32(class, set((int)one));
        const __m256i even = _mm256_shuffle_epi32(same, 0xA0); /* of each two, the first */
        const __m256i odd = _mm256_shuffle_epi32(same, 0xF5);
        add_lanes(sums->sums[one], even, p[0]);
        add_lanes(sums->sums[one] + 4, odd, p[1]);
        add_lanes(sums->squares[one], even, q[0]);
        add_lanes(sums->squares[one] + 4, odd, q[1]);
        rest &= ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(same));
    }
}

struct range {
    __m256d smallest;
    __m256d largest;
};

/* As doubles products are exact; the power of two is normal. */
VECTORS void widen(struct range *range, __m128i mantissa, __m128i bin, __m128i least,
                   __m128i largest)
{
    const __m256i biased =
        _mm256_add_epi64(_mm256_cvtepi32_epi64(bin), _mm256_set1_epi64x(1023 + GROUPS_LOWEST));
    const __m256d scale = _mm256_mul_pd(_mm256_cvtepi32_pd(mantissa),
                                        _mm256_castsi256_pd(_mm256_slli_epi64(biased, 52)));
    const __m256d a = _mm256_mul_pd(scale, _mm256_cvtepi32_pd(least));
    const __m256d b = _mm256_mul_pd(scale, _mm256_cvtepi32_pd(largest));
    range->smallest = _mm256_min_pd(range->smallest, _mm256_min_pd(a, b));
    range->largest = _mm256_max_pd(range->largest, _mm256_max_pd(a, b));
}

VECTORS void widen_all(struct range *range, const struct factors *factors,
                       const struct differences *d)
{
    const __m256i mantissa = negate_where(factors->negative, factors->mantissa);
    widen(range, _mm256_castsi256_si128(mantissa), _mm256_castsi256_si128(factors->bin),
          _mm256_castsi256_si128(d->least), _mm256_castsi256_si128(d->largest));
    widen(range, _mm256_extracti128_si256(mantissa, 1), _mm256_extracti128_si256(factors->bin, 1),
          _mm256_extracti128_si256(d->least, 1), _mm256_extracti128_si256(d->largest, 1));
}

VECTORS void note_range(struct scaled_bins *bins, const struct range *range)
{
    double smallest[4];
    double largest[4];
    _mm256_storeu_pd(smallest, range->smallest);
    _mm256_storeu_pd(largest, range->largest);
    for (int i = 0; i < 4; i++) {
        scaled_bins_add_range(bins, smallest[i], largest[i]);
    }
}

/* n is a multiple of 8. */
VECTORS void finish_vectors(struct column_sums *sums, const struct columns *columns, size_t first,
                            size_t n, unsigned count, enum llmfp_encoding_id scales,
                            const struct scale_form *form)
{
    struct range range = {_mm256_set1_pd(INFINITY), _mm256_set1_pd(-INFINITY)};
    __m256i zeros = _mm256_setzero_si256();
    for (size_t c = first; c < first + n; c += VECTOR) {
        const struct factors factors = factors_of(load_words(columns->scale + c), form);
        if (!factors.finite) {
            columns_finish_portable(sums, columns, c, VECTOR, count, scales);
            continue;
        }
        const struct differences d = differences_of(columns, c, count);
        const __m256i none = _mm256_cmpeq_epi32(factors.mantissa, _mm256_setzero_si256());
        zeros = _mm256_add_epi32(
            zeros, _mm256_blendv_epi8(load_words(columns->zeros + c), set((int)count), none));
        add_products(sums, &factors, &d);
        widen_all(&range, &factors, &d);
        sums->bins.count += (uint64_t)VECTOR * count;
    }
    uint32_t lane[VECTOR];
    _mm256_storeu_si256((__m256i_u *)lane, zeros);
    for (int i = 0; i < VECTOR; i++) {
        sums->bins.zeros += lane[i];
    }
    note_range(&sums->bins, &range);
}

TARGET void columns_finish_avx2(struct column_sums *sums, const struct columns *columns,
                                size_t first, size_t n, unsigned count,
                                enum llmfp_encoding_id scales)
{
    static const struct scale_form f16 = {10, -24 - GROUPS_LOWEST, 0x7C00};
    static const struct scale_form bf16 = {7, -133 - GROUPS_LOWEST, 0x7F80};
    size_t whole = 0;
    if (scales == LLMFP_F16 || scales == LLMFP_BF16) {
        whole = n / VECTOR * VECTOR;
        if (sums->spent > COLUMNS_BUDGET - COLUMNS / VECTOR) {
            column_sums_carry(sums);
        }
        sums->spent += (uint32_t)(whole / VECTOR);
        finish_vectors(sums, columns, first, whole, count, scales,
                       scales == LLMFP_F16 ? &f16 : &bf16);
    }
    columns_finish_portable(sums, columns, first + whole, n - whole, count, scales);
}
#else
typedef int llmfp_no_avx2_columns_finish; /* a translation unit may not be empty */
#endif
