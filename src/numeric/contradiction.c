/* contradiction.c - whether any numbers have the sums that someone claims.
 *
 * For n finite elements x_i in [least, most]: n least <= S <= n most, S^2 <= n Q, and
 * m^2 <= Q <= n m^2 with m = max |x_i|. All in integers of one unit, so exact.
 * Of quotients, S and Q are those of the numerators, and bounds are taken times the divisor.
 * Their extremes have been rounded: a bound is widened to the next double on the side that
 * the exact extreme may lie on.                                                    */
#include <gmp.h>
#include <math.h>
#include <stdbool.h>

#include "integer_limbs.h"
#include "llmfp/divisor.h"
#include "llmfp/statistics.h"

enum { MANTISSA_BITS = 53 };

struct claim {
    mpz_t n;
    mpz_t sum;
    mpz_t squares;
    mpz_t least;
    mpz_t most;
    mpz_t reached; /* at least this large is the largest magnitude */
    mpz_t scratch;
    mpz_t other;
};

/* limbs 2^shift; shift >= 0. */
static void set_limbs(mpz_t value, const int64_t *limbs, uint32_t n, long shift)
{
    integer_from_limbs(value, limbs, n);
    mpz_mul_2exp(value, value, (mp_bitcnt_t)shift);
}

/* Exponent of the unit of a double's mantissa as an integer. */
static int unit_of(double value)
{
    int exponent = 0;
    (void)frexp(value, &exponent);
    return exponent - MANTISSA_BITS;
}

static void set_double(mpz_t value, double number, long unit)
{
    int exponent = 0;
    const double mantissa = frexp(number, &exponent);
    mpz_set_d(value, ldexp(mantissa, MANTISSA_BITS));
    mpz_mul_2exp(value, value, (mp_bitcnt_t)(exponent - MANTISSA_BITS - unit));
}

static const char *check_range(struct claim *claim)
{
    mpz_mul(claim->scratch, claim->n, claim->least);
    mpz_mul(claim->other, claim->n, claim->most);
    if (mpz_cmp(claim->scratch, claim->sum) > 0 || mpz_cmp(claim->other, claim->sum) < 0) {
        return "the mean lies outside min .. max";
    }
    if (mpz_cmpabs(claim->least, claim->most) > 0) {
        mpz_mul(claim->scratch, claim->least, claim->least);
    } else {
        mpz_mul(claim->scratch, claim->most, claim->most);
    }
    mpz_mul(claim->other, claim->n, claim->scratch);
    mpz_mul(claim->scratch, claim->reached, claim->reached);
    if (mpz_cmp(claim->scratch, claim->squares) > 0 || mpz_cmp(claim->other, claim->squares) < 0) {
        return "the sum of squares does not fit min and max";
    }
    return NULL;
}

static const char *check_sums(struct claim *claim)
{
    if (mpz_sgn(claim->squares) < 0) {
        return "the sum of squares is negative";
    }
    mpz_mul(claim->scratch, claim->sum, claim->sum);
    mpz_mul(claim->other, claim->n, claim->squares);
    return mpz_cmp(claim->scratch, claim->other) > 0
               ? "the sum of squares is too small for the sum: the variance is negative"
               : NULL;
}

static long smaller(long a, long b)
{
    return a < b ? a : b;
}

/* Bounds on the elements, in doubles. */
struct bounds {
    double least;
    double most;
    double reached;
};

static struct bounds bounds_of(double least, double most, bool rounded)
{
    const double magnitude = fmax(fabs(least), fabs(most));
    if (!rounded) {
        return (struct bounds){least, most, magnitude};
    }
    return (struct bounds){nextafter(least, -INFINITY), nextafter(most, INFINITY),
                           nextafter(magnitude, 0.0)};
}

static void set_bounds(struct claim *claim, const struct bounds *bounds,
                       const struct llmfp_divisor *divisor, long unit)
{
    set_double(claim->least, bounds->least, unit);
    set_double(claim->most, bounds->most, unit);
    set_double(claim->reached, bounds->reached, unit);
    integer_from_divisor(claim->scratch, divisor);
    mpz_mul(claim->least, claim->least, claim->scratch);
    mpz_mul(claim->most, claim->most, claim->scratch);
    mpz_mul(claim->reached, claim->reached, claim->scratch);
}

const char *llmfp_statistics_contradiction_of_quotients(const struct llmfp_moments *moments,
                                                        const struct llmfp_divisor *divisor,
                                                        double least, double most)
{
    const struct llmfp_moments_layout *layout = moments->layout;
    const int64_t *limbs = moments->additive + LLMFP_N_COUNTERS;
    const struct bounds bounds = bounds_of(least, most, divisor->n_limbs > 0);
    const bool ranged = isfinite(bounds.least) && isfinite(bounds.most);
    struct claim claim;
    mpz_inits(claim.n, claim.sum, claim.squares, claim.least, claim.most, claim.reached,
              claim.scratch, claim.other, NULL);
    long unit = smaller(layout->sum_exponent, layout->square_exponent / 2 - 1);
    if (ranged) {
        unit = smaller(unit, smaller(unit_of(bounds.least), unit_of(bounds.most)));
        unit = smaller(unit, unit_of(bounds.reached));
        set_bounds(&claim, &bounds, divisor, unit);
    }
    mpz_set_ui(claim.n, (unsigned long)moments->additive[LLMFP_COUNT] -
                            (unsigned long)moments->additive[LLMFP_NONFINITE]);
    set_limbs(claim.sum, limbs, layout->sum_limbs, layout->sum_exponent - unit);
    set_limbs(claim.squares, limbs + layout->sum_limbs, layout->square_limbs,
              layout->square_exponent - 2 * unit);
    const char *found = check_sums(&claim);
    if (found == NULL && ranged) {
        found = check_range(&claim);
    }
    mpz_clears(claim.n, claim.sum, claim.squares, claim.least, claim.most, claim.reached,
               claim.scratch, claim.other, NULL);
    return found;
}

const char *llmfp_statistics_contradiction(const struct llmfp_moments *moments, double least,
                                           double most)
{
    static const struct llmfp_divisor one = {NULL, 0};
    return llmfp_statistics_contradiction_of_quotients(moments, &one, least, most);
}
