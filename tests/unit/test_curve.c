/* test_curve.c - z-scores, resampling and correlation of curves. */
#include "llmfp/curve.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cunit_main.h"
#include "curve_cases.h"

enum { N_CASES = sizeof curve_cases / sizeof curve_cases[0], LONGEST = 100 };

static uint64_t bits(double value)
{
    uint64_t result;
    memcpy(&result, &value, sizeof result);
    return result;
}

static double correlation(const double *a, size_t n_a, const double *b, size_t n_b)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    double result = 7;
    CU_ASSERT_EQUAL(llmfp_curve_correlation(a, n_a, b, n_b, &result, &error), LLMFP_OK);
    return result;
}

static void resampling_has_numpys_bits(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const struct curve_case *c = &curve_cases[i];
        const int a_is_short = c->n_a <= c->n_b;
        const size_t n_out = a_is_short ? c->n_b : c->n_a;
        double out[LONGEST];
        llmfp_curve_resample(a_is_short ? c->a : c->b, a_is_short ? c->n_a : c->n_b, out, n_out);
        for (size_t k = 0; k < n_out; k++) {
            CU_ASSERT_EQUAL(bits(out[k]), bits(c->resampled[k]));
        }
    }
}

static void resampling_of_one_point_is_constant(void)
{
    const double one = 0.25;
    double out[3] = {0};
    llmfp_curve_resample(&one, 1, out, 3);
    CU_ASSERT(out[0] == 0.25 && out[1] == 0.25 && out[2] == 0.25);
    llmfp_curve_resample(&one, 1, out, 1);
    CU_ASSERT_EQUAL(out[0], 0.25);
}

static void resampling_keeps_infinite_knots_apart(void)
{
    /* numpy.interp([0, .75, 1.5, 2.25, 3], [0, 1, 2, 3], [1, inf, inf, 2]) */
    const double curve[] = {1, INFINITY, INFINITY, 2};
    double out[5];
    llmfp_curve_resample(curve, 4, out, 5);
    CU_ASSERT(out[0] == 1 && out[1] == INFINITY && out[2] == INFINITY && out[4] == 2);
    CU_ASSERT_EQUAL(out[3], INFINITY);
}

static void signatures_are_z_scores(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const struct curve_case *c = &curve_cases[i];
        double out[LONGEST];
        llmfp_curve_signature(c->a, c->n_a, out);
        for (size_t k = 0; k < c->n_a; k++) {
            CU_ASSERT(fabs(out[k] - c->signature_a[k]) <= 1e-15 + 4e-15 * fabs(out[k]));
        }
    }
}

static void signature_may_overwrite_its_curve(void)
{
    double curve[] = {1, 2};
    llmfp_curve_signature(curve, 2, curve);
    CU_ASSERT(curve[0] == -1 && curve[1] == 1);
}

static void signatures_without_variance_are_nan(void)
{
    const double constant[] = {0.1, 0.1, 0.1};
    const double with_nan[] = {0.1, NAN, 0.3};
    const double with_infinity[] = {0.1, 0.2, INFINITY};
    const double *const curves[] = {constant, with_nan, with_infinity};
    for (size_t i = 0; i < 3; i++) {
        double out[3] = {0};
        llmfp_curve_signature(curves[i], 3, out);
        CU_ASSERT(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
    }
    double one[] = {0.1};
    llmfp_curve_signature(one, 1, one);
    CU_ASSERT(isnan(one[0]));
    llmfp_curve_signature(one, 0, one); /* touches nothing, divides by nothing */
}

static void correlations_are_exact_to_a_few_ulps(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const struct curve_case *c = &curve_cases[i];
        const double r = correlation(c->a, c->n_a, c->b, c->n_b);
        CU_ASSERT(fabs(r - c->pearson) < 4e-15);
    }
}

static void correlations_agree_with_numpy(void)
{
    size_t n_compared = 0;
    for (size_t i = 0; i < N_CASES; i++) {
        const struct curve_case *c = &curve_cases[i];
        if (!isnan(c->numpy)) {
            const double r = correlation(c->a, c->n_a, c->b, c->n_b);
            CU_ASSERT(fabs(r - c->numpy) < 1e-12);
            n_compared++;
        }
    }
    CU_ASSERT(n_compared > 10);
}

static void correlation_is_symmetric_to_the_bit(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        for (size_t k = 0; k < N_CASES; k++) {
            const struct curve_case *c = &curve_cases[i];
            const struct curve_case *d = &curve_cases[k];
            CU_ASSERT_EQUAL(bits(correlation(c->a, c->n_a, d->b, d->n_b)),
                            bits(correlation(d->b, d->n_b, c->a, c->n_a)));
        }
    }
}

static void equal_curves_give_exactly_one(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const struct curve_case *c = &curve_cases[i];
        double other[LONGEST];
        memcpy(other, c->a, c->n_a * sizeof *other);
        CU_ASSERT_EQUAL(correlation(c->a, c->n_a, other, c->n_a), 1.0);
        for (size_t k = 0; k < c->n_a; k++) {
            other[k] = -0.25 * c->a[k];
        }
        CU_ASSERT_EQUAL(correlation(c->a, c->n_a, other, c->n_a), -1.0);
    }
}

static void undefined_correlations_are_nan(void)
{
    const double good[] = {0.1, 0.3, 0.2, 0.4, 0.1};
    const double third = 1.0 / 3.0;
    const double constant[] = {third, third, third, third, third};
    const double with_nan[] = {0.1, NAN, 0.2};
    const double with_infinity[] = {0.1, 0.2, -INFINITY, 0.3};
    CU_ASSERT(isfinite(correlation(good, 5, good, 3)));
    CU_ASSERT(isnan(correlation(good, 5, good, 2)));
    CU_ASSERT(isnan(correlation(good, 2, good, 2)));
    CU_ASSERT(isnan(correlation(good, 5, good, 0)));
    CU_ASSERT(isnan(correlation(NULL, 0, NULL, 0)));
    CU_ASSERT(isnan(correlation(good, 5, constant, 5)));
    CU_ASSERT(isnan(correlation(good, 5, constant, 3)));
    CU_ASSERT(isnan(correlation(constant, 5, good, 4)));
    CU_ASSERT(isnan(correlation(constant, 5, constant, 5)));
    CU_ASSERT(isnan(correlation(good, 5, with_nan, 3)));
    CU_ASSERT(isnan(correlation(good, 3, with_infinity, 4)));
    CU_ASSERT(isnan(correlation(with_nan, 3, with_nan, 3)));
}

static void impossible_sizes_are_errors(void)
{
    struct llmfp_error error = {LLMFP_OK, ""};
    const double curve[] = {1, 2, 4};
    double r = 0;
    CU_ASSERT_EQUAL(llmfp_curve_correlation(curve, 3, curve, SIZE_MAX / 8, &r, &error),
                    LLMFP_FATAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "out of memory"));
}

/* ---- matrices ---- */

enum { N_CURVES = 12 };

/* Curves of many lengths, some undefined; deterministic. */
static void make_curves(double storage[][LONGEST], const double **curves, size_t *n_layers,
                        size_t n_curves, uint64_t seed)
{
    for (size_t i = 0; i < n_curves; i++) {
        for (size_t k = 0; k < LONGEST; k++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            storage[i][k] = i % 11 == 7 ? 0.5 : 0.02 + 0.01 * (double)(seed >> 40) / 16777216.0;
        }
        curves[i] = storage[i];
        n_layers[i] = i % 5 == 4 ? (i / 5) % 4 : 3 + (i * 37) % 97;
    }
}

static void rows_have_the_bits_of_pairs(void)
{
    static double storage[N_CURVES][LONGEST];
    const double *curves[N_CURVES];
    size_t n_layers[N_CURVES];
    make_curves(storage, curves, n_layers, N_CURVES, 1);
    n_layers[0] = n_layers[3]; /* a length that occurs twice */
    for (size_t first = 0; first < N_CURVES; first++) {
        for (size_t n = 0; first + n <= N_CURVES; n++) {
            double out[N_CURVES * N_CURVES];
            struct llmfp_error error = {LLMFP_OK, ""};
            CU_ASSERT_EQUAL(
                llmfp_curve_correlation_rows(curves, n_layers, N_CURVES, first, n, out, &error),
                LLMFP_OK);
            for (size_t i = 0; i < n * N_CURVES; i++) {
                const size_t row = first + i / N_CURVES;
                const size_t column = i % N_CURVES;
                const double r =
                    correlation(curves[row], n_layers[row], curves[column], n_layers[column]);
                CU_ASSERT(isnan(r) ? isnan(out[i]) : bits(out[i]) == bits(r));
                CU_ASSERT(row != column || isnan(r) || out[i] == 1.0);
            }
        }
    }
}

static void rows_of_nothing_are_nan(void)
{
    const double curve[] = {1, 2, 3};
    const double *const curves[] = {NULL, curve};
    const size_t n_layers[] = {0, 2};
    double out[4] = {0, 0, 0, 0};
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_curve_correlation_rows(curves, n_layers, 2, 0, 2, out, &error), LLMFP_OK);
    CU_ASSERT(isnan(out[0]) && isnan(out[1]) && isnan(out[2]) && isnan(out[3]));
    CU_ASSERT_EQUAL(llmfp_curve_correlation_rows(NULL, NULL, 0, 0, 0, NULL, &error), LLMFP_OK);
}

/* Longer than a tile holds twice: the matrix is then made of several pieces. */
static void long_curves_go_in_pieces(void)
{
    enum { LONG = 400000, N = 6 };
    double *values = malloc(sizeof(double) * LONG * 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(values);
    for (size_t i = 0; i < (size_t)LONG; i++) {
        values[i] = (double)(i * 7919 % 1009);
        values[LONG + i] = (double)(i * 104729 % 997);
    }
    const double *const curves[N] = {values, values + LONG, values + 5,
                                     values, values + 11,   values + LONG};
    const size_t n_layers[N] = {LONG, LONG, 40, 5000, LONG - 20, LONG};
    double out[N * N];
    struct llmfp_error error = {LLMFP_OK, ""};
    CU_ASSERT_EQUAL(llmfp_curve_correlation_rows(curves, n_layers, N, 0, N, out, &error), LLMFP_OK);
    for (size_t i = 0; i < (size_t)N * N; i++) {
        CU_ASSERT_EQUAL(bits(out[i]), bits(correlation(curves[i / N], n_layers[i / N],
                                                       curves[i % N], n_layers[i % N])));
    }
    free(values);
}

/* 2,000 models of up to 100 layers take under half a second optimised. The bound
 * leaves room for sanitizers and busy machines; only a blow-up of the work breaks it. */
static void two_thousand_curves_are_quick(void)
{
    enum { N = 2000 };
    double(*storage)[LONGEST] = malloc(sizeof *storage * N);
    const double **curves = calloc(N, sizeof *curves);
    size_t *n_layers = calloc(N, sizeof *n_layers);
    double *out = calloc((size_t)N * N, sizeof *out);
    CU_ASSERT_FATAL(storage != NULL && curves != NULL && n_layers != NULL && out != NULL);
    make_curves(storage, curves, n_layers, N, 3);
    struct llmfp_error error = {LLMFP_OK, ""};
    const clock_t start = clock();
    CU_ASSERT_EQUAL(llmfp_curve_correlation_rows(curves, n_layers, N, 0, N, out, &error), LLMFP_OK);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("(%.2f s) ", seconds);
    CU_ASSERT(seconds < 20);
    CU_ASSERT_EQUAL(bits(out[(size_t)5 * N + 1001]), bits(out[(size_t)1001 * N + 5]));
    free(out);
    free(n_layers);
    free(curves);
    free(storage);
}

TEST_PROGRAM("curve", TEST(resampling_has_numpys_bits), TEST(resampling_of_one_point_is_constant),
             TEST(resampling_keeps_infinite_knots_apart), TEST(signatures_are_z_scores),
             TEST(signature_may_overwrite_its_curve), TEST(signatures_without_variance_are_nan),
             TEST(correlations_are_exact_to_a_few_ulps), TEST(correlations_agree_with_numpy),
             TEST(correlation_is_symmetric_to_the_bit), TEST(equal_curves_give_exactly_one),
             TEST(undefined_correlations_are_nan), TEST(impossible_sizes_are_errors),
             TEST(rows_have_the_bits_of_pairs), TEST(rows_of_nothing_are_nan),
             TEST(long_curves_go_in_pieces), TEST(two_thousand_curves_are_quick))
