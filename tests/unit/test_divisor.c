/* test_divisor.c - populations of quotients: one divisor, several, and what contradicts them. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cunit_main.h"
#include "llmfp/divisor.h"
#include "llmfp/encoding.h"

enum { MOST_VALUES = 64 };

struct population {
    struct llmfp_moments_layout layout;
    struct llmfp_moments moments;
    int64_t additive[MOST_VALUES];
    int64_t extreme[LLMFP_N_EXTREMES];
};

/* Numerators, as F32; settled. */
static void begin(struct population *p, const float *values, uint64_t n)
{
    memset(&p->layout, 0, sizeof p->layout);
    llmfp_moments_layout_cover(&p->layout, llmfp_encoding(LLMFP_F32));
    CU_ASSERT_FATAL(llmfp_moments_size(&p->layout) <= MOST_VALUES);
    p->moments = llmfp_moments_begin(&p->layout, p->additive, p->extreme);
    const struct llmfp_elements elements = {.bytes = (const unsigned char *)values,
                                            .n_elements = n};
    llmfp_encoding(LLMFP_F32)->add(&p->moments, &elements);
    llmfp_moments_settle(&p->moments);
}

static void soundness(void)
{
    static const int64_t limbs[] = {127, 1, 0, UINT32_MAX, -1, (int64_t)UINT32_MAX + 1, 4};
    static const struct {
        uint32_t first, n;
        bool sound;
    } cases[] = {{0, 0, true},
                 {0, 1, true},
                 {0, 2, true},
                 {1, 1, false},
                 {2, 1, false},
                 {0, 3, false},
                 {3, 1, true},
                 {4, 1, false},
                 {5, 1, false},
                 {6, 1, false},
                 {0, 4, true},
                 {3, 2, false},
                 {0, LLMFP_DIVISOR_MOST_LIMBS + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct llmfp_divisor divisor = {limbs + cases[i].first, cases[i].n};
        CU_ASSERT_EQUAL(llmfp_divisor_is_sound(&divisor), cases[i].sound);
    }
    const struct llmfp_divisor a = {limbs, 2};
    const struct llmfp_divisor b = {limbs, 1};
    const struct llmfp_divisor one = {NULL, 0};
    CU_ASSERT_TRUE(llmfp_divisor_equal(&a, &a) && llmfp_divisor_equal(&one, &one));
    CU_ASSERT_FALSE(llmfp_divisor_equal(&a, &b) || llmfp_divisor_equal(&a, &one));
}

static void pool(const struct llmfp_quotients *parts, size_t n, struct llmfp_arena *arena,
                 struct llmfp_pooled *pooled, struct llmfp_statistics *statistics)
{
    CU_ASSERT_TRUE_FATAL(llmfp_quotients_pool(parts, n, arena, pooled));
    CU_ASSERT_TRUE(llmfp_divisor_is_sound(&pooled->divisor));
    llmfp_statistics_compute_quotients(&pooled->moments, &pooled->divisor, statistics);
    CU_ASSERT_PTR_NULL(llmfp_statistics_contradiction_of_quotients(
        &pooled->moments, &pooled->divisor, pooled->least, pooled->most));
}

static void one_divisor(void)
{
    struct population p;
    struct llmfp_arena arena = {0};
    struct llmfp_pooled pooled;
    struct llmfp_statistics s;
    begin(&p, (const float[]){-1, 0, 1, 2}, 4);
    const struct llmfp_quotients part = {&p.moments, 127};
    pool(&part, 1, &arena, &pooled, &s);
    CU_ASSERT_EQUAL(pooled.divisor.n_limbs, 1);
    CU_ASSERT_EQUAL(pooled.divisor.limbs[0], 127);
    CU_ASSERT_EQUAL(s.mean, 1.0 / 254);
    CU_ASSERT_EQUAL(s.count, 4);
    CU_ASSERT_EQUAL(s.zeros, 1);
    CU_ASSERT_EQUAL(pooled.least, -1.0 / 127);
    CU_ASSERT_EQUAL(pooled.most, 2.0 / 127);
    begin(&p, (const float[]){-3, 0, 3}, 3);
    pool(&part, 1, &arena, &pooled, &s);
    CU_ASSERT_EQUAL(s.mean, 0.0);
    CU_ASSERT_EQUAL(s.std, 3.0 / 127);
    begin(&p, (const float[]){INFINITY, NAN}, 2);
    pool(&part, 1, &arena, &pooled, &s);
    CU_ASSERT_TRUE(isnan(s.mean) && isnan(s.std) && isnan(pooled.least) && isnan(pooled.most));
    llmfp_arena_clear(&arena);
}

/* 1/3 and 1/5 and 4: 5/15, 3/15, 60/15. */
static void several_divisors(void)
{
    struct population p[3];
    struct llmfp_arena arena = {0};
    struct llmfp_pooled pooled;
    struct llmfp_statistics s;
    begin(&p[0], (const float[]){1}, 1);
    begin(&p[1], (const float[]){1}, 1);
    begin(&p[2], (const float[]){4}, 1);
    const struct llmfp_quotients parts[] = {
        {&p[0].moments, 3}, {&p[1].moments, 5}, {&p[2].moments, 1}};
    pool(parts, 3, &arena, &pooled, &s);
    CU_ASSERT_EQUAL(pooled.divisor.limbs[0], 15);
    CU_ASSERT_EQUAL(s.mean, 68.0 / 45);
    CU_ASSERT_EQUAL(s.std, sqrt(3139.0 / 675)); /* (3 * 3634 - 68^2) / (6 * 15^2) */
    CU_ASSERT_EQUAL(pooled.least, 1.0 / 5);
    CU_ASSERT_EQUAL(pooled.most, 4.0);
    /* One that divides another adds nothing to the multiple. */
    const struct llmfp_quotients same[] = {{&p[0].moments, 15}, {&p[1].moments, 5}};
    pool(same, 2, &arena, &pooled, &s);
    CU_ASSERT_EQUAL(pooled.divisor.limbs[0], 15);
    CU_ASSERT_EQUAL(s.mean, 4.0 / 30);
    llmfp_arena_clear(&arena);
}

/* Divisors of many bits: all values are 1, whatever they are divided by. */
static void large_multiples(void)
{
    enum { N = 100 };
    static struct population p[N];
    struct llmfp_quotients parts[N];
    struct llmfp_arena arena = {0};
    struct llmfp_pooled pooled;
    struct llmfp_statistics s;
    for (int i = 0; i < N; i++) {
        const uint32_t divisor = 16777215 - 2 * (uint32_t)i;
        begin(&p[i], (const float[]){(float)divisor}, 1);
        parts[i] = (struct llmfp_quotients){&p[i].moments, divisor};
    }
    pool(parts, N, &arena, &pooled, &s);
    CU_ASSERT_TRUE(pooled.divisor.n_limbs > 50);
    CU_ASSERT_EQUAL(s.mean, 1.0);
    CU_ASSERT_EQUAL(s.std, 0.0);
    CU_ASSERT_EQUAL(pooled.least, 1.0);
    llmfp_arena_clear(&arena);
}

static void contradictions(void)
{
    struct population p;
    struct llmfp_arena arena = {0};
    struct llmfp_pooled pooled;
    struct llmfp_statistics s;
    begin(&p, (const float[]){1, 1}, 2);
    const struct llmfp_quotients part = {&p.moments, 3};
    pool(&part, 1, &arena, &pooled, &s); /* a third, rounded, all elements equal */
    const double third = 1.0 / 3;
    const double far = nextafter(nextafter(third, 1), 1);
    const double near = nextafter(nextafter(third, 0), 0);
    CU_ASSERT_PTR_NOT_NULL(
        llmfp_statistics_contradiction_of_quotients(&pooled.moments, &pooled.divisor, far, far));
    CU_ASSERT_PTR_NOT_NULL(
        llmfp_statistics_contradiction_of_quotients(&pooled.moments, &pooled.divisor, near, near));
    CU_ASSERT_PTR_NOT_NULL(
        llmfp_statistics_contradiction_of_quotients(&pooled.moments, &pooled.divisor, third, 0.5));
    CU_ASSERT_PTR_NOT_NULL(
        llmfp_statistics_contradiction_of_quotients(&pooled.moments, &pooled.divisor, 1, 1));
    llmfp_arena_clear(&arena);
}

TEST_PROGRAM("divisor", TEST(soundness), TEST(one_divisor), TEST(several_divisors),
             TEST(large_multiples), TEST(contradictions))
