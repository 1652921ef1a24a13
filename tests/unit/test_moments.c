/* test_moments.c - exact sums against GMP rationals, bit for bit, for every
 * encoding: all patterns of the narrow ones, random and extreme ones of the wide. */
#include <gmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/encoding.h"
#include "llmfp/moments.h"
#include "llmfp/statistics.h"
#include "random_bits.h"

enum { MOST_VALUES = 512 };

struct population {
    struct llmfp_moments_layout layout;
    struct llmfp_moments moments;
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

static void begin(struct population *p, enum llmfp_encoding_id id)
{
    memset(&p->layout, 0, sizeof p->layout);
    llmfp_moments_layout_cover(&p->layout, llmfp_encoding(id));
    CU_ASSERT_FATAL(llmfp_moments_size(&p->layout) <= MOST_VALUES);
    p->moments = llmfp_moments_begin(&p->layout, p->additive, p->extreme);
}

static void add(struct population *p, enum llmfp_encoding_id id, const void *bytes, uint64_t n)
{
    const struct llmfp_elements elements = {.bytes = bytes, .n_elements = n};
    llmfp_encoding(id)->add(&p->moments, &elements);
}

/* The exact value of one sum: limbs times powers of two, as a GMP rational. */
static void limbs_to_rational(mpq_t value, const int64_t *limbs, uint32_t n, long exponent)
{
    mpq_t term;
    mpq_init(term);
    mpq_set_ui(value, 0, 1);
    for (uint32_t k = 0; k < n; k++) {
        mpq_set_si(term, limbs[k], 1);
        const long e = exponent + 32L * (long)k;
        if (e >= 0) {
            mpq_mul_2exp(term, term, (mp_bitcnt_t)e);
        } else {
            mpq_div_2exp(term, term, (mp_bitcnt_t)-e);
        }
        mpq_add(value, value, term);
    }
    mpq_clear(term);
}

/* Decode by the C library's own conversions, which share nothing with the kernels. */
static double decode(enum llmfp_encoding_id id, const unsigned char *bytes)
{
    static const int exponent_bits[] = {[LLMFP_F16] = 5,
                                        [LLMFP_F8_E4M3] = 4,
                                        [LLMFP_F8_E5M2] = 5,
                                        [LLMFP_F8_E4M3FNUZ] = 4,
                                        [LLMFP_F8_E5M2FNUZ] = 5};
    double f64;
    float f32;
    uint32_t pattern = bytes[0];
    const int size = llmfp_encoding(id)->block_bytes;
    if (size == 2) {
        pattern |= (uint32_t)bytes[1] << 8;
    }
    switch (id) {
    case LLMFP_F64:
        memcpy(&f64, bytes, 8);
        return f64;
    case LLMFP_F32:
        memcpy(&f32, bytes, 4);
        return (double)f32;
    case LLMFP_BF16:
        pattern <<= 16;
        memcpy(&f32, &pattern, 4);
        return (double)f32;
    default:
        break;
    }
    const bool fnuz = id == LLMFP_F8_E4M3FNUZ || id == LLMFP_F8_E5M2FNUZ;
    const int e_bits = exponent_bits[id];
    const int m_bits = 8 * size - 1 - e_bits;
    const int bias = (1 << (e_bits - 1)) - 1 + (fnuz ? 1 : 0);
    const int e = (int)(pattern >> m_bits) & ((1 << e_bits) - 1);
    const int m = (int)(pattern & ((1U << m_bits) - 1));
    const bool negative = (pattern >> (8 * size - 1)) != 0;
    if (fnuz && pattern == 0x80) {
        return NAN;
    }
    if (id == LLMFP_F8_E4M3 && (pattern & 0x7F) == 0x7F) {
        return NAN;
    }
    if (!fnuz && id != LLMFP_F8_E4M3 && e == (1 << e_bits) - 1) {
        return m == 0 ? INFINITY : NAN;
    }
    const double magnitude =
        e == 0 ? ldexp(m, 1 - bias - m_bits) : ldexp(m + (1 << m_bits), e - bias - m_bits);
    return negative ? -magnitude : magnitude;
}

struct expected {
    mpq_t sum;
    mpq_t squares;
    int64_t counters[LLMFP_N_COUNTERS];
    double smallest;
    double largest;
};

static void expect(struct expected *e, enum llmfp_encoding_id id, const unsigned char *bytes,
                   uint64_t n)
{
    mpq_t x;
    mpq_init(x);
    mpq_inits(e->sum, e->squares, NULL);
    memset(e->counters, 0, sizeof e->counters);
    e->smallest = INFINITY;
    e->largest = -INFINITY;
    for (uint64_t i = 0; i < n; i++) {
        const double value = decode(id, bytes + i * llmfp_encoding(id)->block_bytes);
        e->counters[LLMFP_COUNT]++;
        if (!isfinite(value)) {
            e->counters[LLMFP_NONFINITE]++;
            continue;
        }
        e->counters[LLMFP_ZEROS] += value == 0.0;
        e->smallest = fmin(e->smallest, value);
        e->largest = fmax(e->largest, value);
        mpq_set_d(x, value);
        mpq_add(e->sum, e->sum, x);
        mpq_mul(x, x, x);
        mpq_add(e->squares, e->squares, x);
    }
    mpq_clear(x);
}

static void check(struct population *p, enum llmfp_encoding_id id, const unsigned char *bytes,
                  uint64_t n)
{
    struct expected e;
    mpq_t got;
    mpq_init(got);
    expect(&e, id, bytes, n);
    llmfp_moments_settle(&p->moments);
    for (int i = 0; i < LLMFP_N_COUNTERS; i++) {
        CU_ASSERT_EQUAL(p->additive[i], e.counters[i]);
    }
    const int64_t *sum = p->additive + LLMFP_N_COUNTERS;
    limbs_to_rational(got, sum, p->layout.sum_limbs, p->layout.sum_exponent);
    CU_ASSERT_TRUE(mpq_equal(got, e.sum));
    limbs_to_rational(got, sum + p->layout.sum_limbs, p->layout.square_limbs,
                      p->layout.square_exponent);
    CU_ASSERT_TRUE(mpq_equal(got, e.squares));
    if (e.counters[LLMFP_COUNT] > e.counters[LLMFP_NONFINITE]) {
        CU_ASSERT_EQUAL(llmfp_key_to_double(p->extreme[LLMFP_LARGEST]), e.largest);
        CU_ASSERT_EQUAL(llmfp_key_to_double(-p->extreme[LLMFP_MINUS_SMALLEST]), e.smallest);
    } else {
        CU_ASSERT_EQUAL(p->extreme[LLMFP_LARGEST], LLMFP_NO_KEY);
    }
    for (uint32_t k = 0; k + 1 < p->layout.sum_limbs; k++) {
        CU_ASSERT_TRUE(sum[k] >= 0 && sum[k] <= UINT32_MAX);
    }
    mpq_clears(got, e.sum, e.squares, NULL);
}

static const enum llmfp_encoding_id floats[] = {LLMFP_F64,         LLMFP_F32,        LLMFP_F16,
                                                LLMFP_BF16,        LLMFP_F8_E4M3,    LLMFP_F8_E5M2,
                                                LLMFP_F8_E4M3FNUZ, LLMFP_F8_E5M2FNUZ};
enum { N_FLOATS = sizeof floats / sizeof floats[0] };

/* Every 8- and 16-bit pattern; random patterns (all exponents) of the wide floats. Through the
 * short-run and the long-run path, and at every alignment. */
static void every_pattern(void)
{
    enum { N = 1 << 16 };
    unsigned char *bytes = malloc(8 * N + 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (int f = 0; f < N_FLOATS; f++) {
        const size_t size = llmfp_encoding(floats[f])->block_bytes;
        for (size_t alignment = 0; alignment < 3; alignment++) {
            unsigned char *start = bytes + alignment;
            for (uint64_t i = 0; i < N; i++) {
                const uint64_t pattern = size > 2 ? random_bits() : i;
                memcpy(start + i * size, &pattern, size);
            }
            const uint64_t n = size > 2 ? N / 8 : N;
            struct population whole;
            begin(&whole, floats[f]);
            add(&whole, floats[f], start, n);
            check(&whole, floats[f], start, n);
            struct population pieces;
            begin(&pieces, floats[f]);
            for (uint64_t i = 0; i < n;) {
                uint64_t step = random_bits() % 3000;
                step = step > n - i ? n - i : step;
                add(&pieces, floats[f], start + i * size, step);
                i += step;
            }
            check(&pieces, floats[f], start, n);
        }
    }
    free(bytes);
}

static void special_values(void)
{
    static const double f64[] = {
        0x1p-1074, -0x1p-1074, 0x1.fffffffffffffp1023, -0x1p1023, 0.0, -0.0, NAN, INFINITY,
        -INFINITY, 1.0};
    static const float f32[] = {0x1p-149F, -0x1p-149F, 0x1.fffffep127F, 3e38F,           1e-38F,
                                0.0F,      -0.0F,      (float)NAN,      -(float)INFINITY};
    for (uint64_t n = 0; n <= sizeof f64 / sizeof f64[0]; n++) {
        struct population p;
        begin(&p, LLMFP_F64);
        add(&p, LLMFP_F64, f64, n);
        check(&p, LLMFP_F64, (const unsigned char *)f64, n);
    }
    for (uint64_t n = 0; n <= sizeof f32 / sizeof f32[0]; n++) {
        struct population p;
        begin(&p, LLMFP_F32);
        add(&p, LLMFP_F32, f32, n);
        check(&p, LLMFP_F32, (const unsigned char *)f32, n);
    }
}

/* Limbs as extreme as the budget allows still settle to the right value. */
static void limbs_hold_the_budget(void)
{
    struct population p;
    begin(&p, LLMFP_BF16);
    const llmfp_i128 big = ((llmfp_i128)1 << 100) - 1;
    for (int i = 0; i < 1000; i++) {
        llmfp_moments_add_sum(&p.moments, i % 3 == 0 ? -big : big, -133 + i % 40);
        llmfp_moments_add_square(&p.moments, (llmfp_u128)big * 3, -266 + i % 200);
    }
    mpq_t sum;
    mpq_t term;
    mpq_t got;
    mpq_inits(sum, term, got, NULL);
    for (int i = 0; i < 1000; i++) {
        mpq_set_ui(term, 1, 1);
        mpq_mul_2exp(term, term, 100);
        mpz_sub_ui(mpq_numref(term), mpq_numref(term), 1);
        mpq_div_2exp(term, term, (mp_bitcnt_t)(133 - i % 40));
        if (i % 3 == 0) {
            mpq_neg(term, term);
        }
        mpq_add(sum, sum, term);
    }
    /* Unsettled limbs already hold the value; the counter stands just before the budget. */
    p.moments.pending = LLMFP_MOMENTS_BUDGET - 1;
    llmfp_moments_add_sum(&p.moments, 0, -133);
    CU_ASSERT_EQUAL(p.moments.pending, 0);
    limbs_to_rational(got, p.additive + LLMFP_N_COUNTERS, p.layout.sum_limbs,
                      p.layout.sum_exponent);
    CU_ASSERT_TRUE(mpq_equal(got, sum));
    mpq_clears(sum, term, got, NULL);
}

/* A narrow population merges into a wider one. */
static void merges_across_layouts(void)
{
    unsigned char bf16[512];
    for (size_t i = 0; i < sizeof bf16; i++) {
        bf16[i] = (unsigned char)random_bits();
    }
    struct population narrow;
    struct population wide;
    begin(&narrow, LLMFP_BF16);
    add(&narrow, LLMFP_BF16, bf16, 256);
    begin(&wide, LLMFP_BF16);
    llmfp_moments_layout_cover(&wide.layout, llmfp_encoding(LLMFP_F64));
    wide.moments = llmfp_moments_begin(&wide.layout, wide.additive, wide.extreme);
    llmfp_moments_merge(&wide.moments, &narrow.moments);
    check(&wide, LLMFP_BF16, bf16, 256);
    begin(&narrow, LLMFP_BF16);
    CU_ASSERT_TRUE(llmfp_moments_size(&narrow.layout) < 50); /* a narrow encoding stays cheap */
    CU_ASSERT_TRUE(llmfp_moments_size(&wide.layout) > 200);
}

static struct llmfp_statistics of_doubles(const double *values, uint64_t n)
{
    struct population p;
    struct llmfp_statistics s;
    begin(&p, LLMFP_F64);
    add(&p, LLMFP_F64, values, n);
    llmfp_statistics_compute(&p.moments, &s);
    return s;
}

/* Results known by hand, to the last bit. */
static void statistics_by_hand(void)
{
    const double one_two[] = {1.0, 2.0};
    struct llmfp_statistics s = of_doubles(one_two, 2);
    CU_ASSERT_EQUAL(s.mean, 1.5);
    CU_ASSERT_EQUAL(s.std, sqrt(0.5));
    CU_ASSERT_EQUAL(s.min, 1.0);
    CU_ASSERT_EQUAL(s.max, 2.0);
    s = of_doubles(one_two, 1);
    CU_ASSERT_EQUAL(s.mean, 1.0);
    CU_ASSERT_TRUE(isnan(s.std));
    s = of_doubles(one_two, 0);
    CU_ASSERT_TRUE(isnan(s.mean) && isnan(s.std) && isnan(s.min) && isnan(s.max));
    const double tiny[] = {0x1p-1074, 0.0, 0.0};
    s = of_doubles(tiny,
                   3); /* a third of the smallest subnormal rounds to zero, its std does not */
    CU_ASSERT_EQUAL(s.mean, 0.0);
    CU_ASSERT_EQUAL(s.std, 0x1p-1074);
    CU_ASSERT_EQUAL(s.zeros, 2);
    const double tie[] = {0x1p-1074, 0x1p-1073, 0x1p-1074, 0x1p-1073}; /* 1.5 units: ties to even */
    CU_ASSERT_EQUAL(of_doubles(tie, 4).mean, 0x1p-1073);
    const double huge[] = {0x1.fffffffffffffp1023, -0x1.fffffffffffffp1023};
    s = of_doubles(huge, 2);
    CU_ASSERT_EQUAL(s.mean, 0.0);
    CU_ASSERT_TRUE(isinf(s.std) && s.std > 0); /* sqrt(2) times the largest double */
    const double equal[] = {0.1, 0.1, 0.1};
    s = of_doubles(equal, 3);
    CU_ASSERT_EQUAL(s.mean, 0.1);
    CU_ASSERT_EQUAL(s.std, 0.0);
    const double bad[] = {1.0, NAN, -INFINITY};
    s = of_doubles(bad, 3);
    CU_ASSERT_TRUE(isnan(s.mean) && isnan(s.std));
    CU_ASSERT_EQUAL(s.min, 1.0);
    CU_ASSERT_EQUAL(s.nonfinite, 2);
    const double zeros[] = {-0.0, -0.0};
    s = of_doubles(zeros, 2);
    CU_ASSERT_EQUAL(s.min, 0.0);
    CU_ASSERT_FALSE(signbit(s.min) || signbit(s.max) || signbit(s.mean));
}

TEST_PROGRAM("moments", TEST(every_pattern), TEST(special_values), TEST(limbs_hold_the_budget),
             TEST(merges_across_layouts), TEST(statistics_by_hand))
