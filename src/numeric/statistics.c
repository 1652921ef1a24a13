/* statistics.c - correctly rounded mean and standard deviation.
 *
 * A result is the quotient (or its square root) of two integers. It is computed
 * as an integer r of at least 64 bits, rounded down, plus one more bit that says
 * whether anything was lost ("sticky"). That bit cannot change which of two
 * doubles is nearer, but keeps a tie from looking like one when it is not, so a
 * single rounding by MPFR gives the double nearest to the true value.          */
#include "llmfp/statistics.h"

#include <gmp.h>
#include <math.h>
#include <mpfr.h>

#include "integer_limbs.h"
#include "llmfp/divisor.h"

enum { RESULT_BITS = 64 };

/* The double nearest to (2 r + sticky) 2^(exponent - 1). */
static double round_to_double(mpz_t r, int sticky, long exponent)
{
    mpz_mul_2exp(r, r, 1);
    mpz_add_ui(r, r, (unsigned long)sticky);
    mpfr_t exact;
    mpfr_init2(exact, (mpfr_prec_t)mpz_sizeinbase(r, 2) + 1);
    mpfr_set_z_2exp(exact, r, exponent - 1, MPFR_RNDN);
    const double result = mpfr_get_d(exact, MPFR_RNDN);
    mpfr_clear(exact);
    return result;
}

/* quotient = floor(p 2^shift / q) for p, q > 0; returns whether it is inexact. */
static int divide_shifted(mpz_t quotient, const mpz_t p, const mpz_t q, long shift)
{
    mpz_t numerator;
    mpz_t denominator;
    mpz_t rest;
    mpz_init_set(numerator, p);
    mpz_init_set(denominator, q);
    mpz_init(rest);
    if (shift >= 0) {
        mpz_mul_2exp(numerator, numerator, (mp_bitcnt_t)shift);
    } else {
        mpz_mul_2exp(denominator, denominator, (mp_bitcnt_t)-shift);
    }
    mpz_fdiv_qr(quotient, rest, numerator, denominator);
    const int inexact = mpz_sgn(rest) != 0;
    mpz_clears(numerator, denominator, rest, NULL);
    return inexact;
}

static long bits_of(const mpz_t value)
{
    return (long)mpz_sizeinbase(value, 2);
}

/* The double nearest to (p / q) 2^exponent, p of any sign, q > 0. */
static double round_quotient(const mpz_t p, const mpz_t q, long exponent)
{
    if (mpz_sgn(p) == 0) {
        return 0.0;
    }
    mpz_t magnitude;
    mpz_t quotient;
    mpz_init(magnitude);
    mpz_init(quotient);
    mpz_abs(magnitude, p);
    const long shift = RESULT_BITS + 1 - (bits_of(magnitude) - bits_of(q));
    const int sticky = divide_shifted(quotient, magnitude, q, shift);
    const double result = round_to_double(quotient, sticky, exponent - shift);
    const int negative = mpz_sgn(p) < 0;
    mpz_clears(magnitude, quotient, NULL);
    return negative ? -result : result;
}

/* The double nearest to sqrt((p / q) 2^exponent), p >= 0, q > 0. */
static double round_square_root(const mpz_t p, const mpz_t q, long exponent)
{
    if (mpz_sgn(p) == 0) {
        return 0.0;
    }
    long shift = 2 * RESULT_BITS + 1 - (bits_of(p) - bits_of(q));
    if ((exponent - shift) % 2 != 0) {
        shift++; /* an even exponent has a square root */
    }
    mpz_t square;
    mpz_t root;
    mpz_t rest;
    mpz_inits(square, root, rest, NULL);
    int sticky = divide_shifted(square, p, q, shift);
    mpz_sqrtrem(root, rest, square);
    sticky |= mpz_sgn(rest) != 0;
    const double result = round_to_double(root, sticky, (exponent - shift) / 2);
    mpz_clears(square, root, rest, NULL);
    return result;
}

/* variance = (n Q - S^2) / (n (n - 1) d^2) with S in units of 2^sum_exponent and Q in
 * units of 2^square_exponent. */
static double standard_deviation(const mpz_t n, const mpz_t divisor, const mpz_t sum,
                                 long sum_exponent, const mpz_t squares, long square_exponent)
{
    mpz_t scaled;
    mpz_t sum_squared;
    mpz_t denominator;
    mpz_inits(scaled, sum_squared, denominator, NULL);
    mpz_mul(scaled, n, squares);
    mpz_mul(sum_squared, sum, sum);
    long exponent = 2 * sum_exponent;
    if (exponent < square_exponent) {
        mpz_mul_2exp(scaled, scaled, (mp_bitcnt_t)(square_exponent - exponent));
    } else {
        mpz_mul_2exp(sum_squared, sum_squared, (mp_bitcnt_t)(exponent - square_exponent));
        exponent = square_exponent;
    }
    mpz_sub(scaled, scaled, sum_squared);
    mpz_sub_ui(denominator, n, 1);
    mpz_mul(denominator, denominator, n);
    mpz_mul(denominator, denominator, divisor);
    mpz_mul(denominator, denominator, divisor);
    const double result = round_square_root(scaled, denominator, exponent);
    mpz_clears(scaled, sum_squared, denominator, NULL);
    return result;
}

static void compute_rounded(const struct llmfp_moments *moments,
                            const struct llmfp_divisor *divisor,
                            struct llmfp_statistics *statistics)
{
    const struct llmfp_moments_layout *layout = moments->layout;
    const int64_t *sum_limbs = moments->additive + LLMFP_N_COUNTERS;
    mpz_t n;
    mpz_t d;
    mpz_t sum;
    mpz_t squares; /* first n d */
    mpz_inits(n, d, sum, squares, NULL);
    mpz_set_ui(n, (unsigned long)statistics->count);
    integer_from_divisor(d, divisor);
    integer_from_limbs(sum, sum_limbs, layout->sum_limbs);
    mpz_mul(squares, n, d);
    statistics->mean = round_quotient(sum, squares, layout->sum_exponent);
    if (statistics->count > 1) {
        integer_from_limbs(squares, sum_limbs + layout->sum_limbs, layout->square_limbs);
        statistics->std =
            standard_deviation(n, d, sum, layout->sum_exponent, squares, layout->square_exponent);
    }
    mpz_clears(n, d, sum, squares, NULL);
}

void llmfp_statistics_compute_quotients(struct llmfp_moments *moments,
                                        const struct llmfp_divisor *divisor,
                                        struct llmfp_statistics *statistics)
{
    llmfp_moments_settle(moments);
    *statistics = (struct llmfp_statistics){
        .count = (uint64_t)moments->additive[LLMFP_COUNT],
        .zeros = (uint64_t)moments->additive[LLMFP_ZEROS],
        .nonfinite = (uint64_t)moments->additive[LLMFP_NONFINITE],
        .mean = NAN,
        .std = NAN,
        .min = NAN,
        .max = NAN,
    };
    if (statistics->count > 0 && statistics->nonfinite == 0) {
        compute_rounded(moments, divisor, statistics);
    }
}

void llmfp_statistics_compute(struct llmfp_moments *moments, struct llmfp_statistics *statistics)
{
    static const struct llmfp_divisor one = {NULL, 0};
    llmfp_statistics_compute_quotients(moments, &one, statistics);
    if (moments->extreme[LLMFP_LARGEST] != LLMFP_NO_KEY) {
        statistics->max = llmfp_key_to_double(moments->extreme[LLMFP_LARGEST]);
        statistics->min = llmfp_key_to_double(-moments->extreme[LLMFP_MINUS_SMALLEST]);
    }
}
