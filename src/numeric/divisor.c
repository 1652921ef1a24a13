/* divisor.c - populations of quotients brought to one divisor. See llmfp/divisor.h. */
#include "llmfp/divisor.h"

#include <gmp.h>
#include <math.h>
#include <string.h>

#include "integer_limbs.h"

enum { LIMB_BITS = 32 };

bool llmfp_divisor_is_sound(const struct llmfp_divisor *divisor)
{
    const uint32_t n = divisor->n_limbs;
    if (n > LLMFP_DIVISOR_MOST_LIMBS) {
        return false;
    }
    for (uint32_t k = 0; k < n; k++) {
        if (divisor->limbs[k] < 0 || divisor->limbs[k] > UINT32_MAX) {
            return false;
        }
    }
    return n == 0 || (divisor->limbs[0] % 2 == 1 && divisor->limbs[n - 1] != 0 &&
                      (n > 1 || divisor->limbs[0] != 1));
}

bool llmfp_divisor_equal(const struct llmfp_divisor *a, const struct llmfp_divisor *b)
{
    return a->n_limbs == b->n_limbs &&
           (a->n_limbs == 0 || memcmp(a->limbs, b->limbs, a->n_limbs * sizeof *a->limbs) == 0);
}

/* limbs = value, in as many as there are; all but the last one are not negative. */
static void limbs_from_integer(int64_t *limbs, uint32_t n, const mpz_t value)
{
    mpz_t rest;
    mpz_t low;
    mpz_init_set(rest, value);
    mpz_init(low);
    for (uint32_t k = 0; k < n; k++) {
        if (k + 1 < n) {
            mpz_fdiv_r_2exp(low, rest, LIMB_BITS);
            mpz_fdiv_q_2exp(rest, rest, LIMB_BITS);
            limbs[k] = mpz_get_si(low);
        } else {
            limbs[k] = mpz_get_si(rest);
        }
    }
    mpz_clears(rest, low, NULL);
}

static uint32_t limbs_of_bits(size_t bits)
{
    return (uint32_t)((bits + LIMB_BITS - 1) / LIMB_BITS);
}

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Every exponent of a part, and as many bits more as the cofactors can have. */
static struct llmfp_moments_layout layout_for(const struct llmfp_quotients *parts, size_t n,
                                              size_t divisor_bits)
{
    struct llmfp_moments_layout all = *parts[0].moments->layout;
    int32_t sum_top = INT32_MIN;
    int32_t square_top = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_moments_layout *one = parts[i].moments->layout;
        all.sum_exponent = smaller(all.sum_exponent, one->sum_exponent);
        all.square_exponent = smaller(all.square_exponent, one->square_exponent);
        sum_top = larger(sum_top, one->sum_exponent + LIMB_BITS * (int32_t)one->sum_limbs);
        square_top =
            larger(square_top, one->square_exponent + LIMB_BITS * (int32_t)one->square_limbs);
    }
    /* One limb more: a part's last limb may hold up to 63 bits. */
    all.sum_limbs =
        (uint32_t)((sum_top - all.sum_exponent) / LIMB_BITS) + limbs_of_bits(divisor_bits) + 1;
    all.square_limbs = (uint32_t)((square_top - all.square_exponent) / LIMB_BITS) +
                       limbs_of_bits(2 * divisor_bits) + 1;
    return all;
}

/* total += limbs 2^shift factor. */
static void add_times(mpz_t total, const int64_t *limbs, uint32_t n, int32_t shift,
                      const mpz_t factor)
{
    mpz_t value;
    mpz_init(value);
    integer_from_limbs(value, limbs, n);
    mpz_mul_2exp(value, value, (mp_bitcnt_t)shift);
    mpz_addmul(total, value, factor);
    mpz_clear(value);
}

static void pool_sums(const struct llmfp_quotients *parts, size_t n, const mpz_t divisor,
                      struct llmfp_pooled *pooled)
{
    const struct llmfp_moments_layout *layout = &pooled->layout;
    mpz_t sum;
    mpz_t squares;
    mpz_t cofactor;
    mpz_inits(sum, squares, cofactor, NULL);
    for (size_t i = 0; i < n; i++) {
        const struct llmfp_moments_layout *own = parts[i].moments->layout;
        const int64_t *limbs = parts[i].moments->additive + LLMFP_N_COUNTERS;
        mpz_divexact_ui(cofactor, divisor, parts[i].divisor);
        add_times(sum, limbs, own->sum_limbs, own->sum_exponent - layout->sum_exponent, cofactor);
        mpz_mul(cofactor, cofactor, cofactor);
        add_times(squares, limbs + own->sum_limbs, own->square_limbs,
                  own->square_exponent - layout->square_exponent, cofactor);
        for (int k = 0; k < LLMFP_N_COUNTERS; k++) {
            pooled->moments.additive[k] += parts[i].moments->additive[k];
        }
    }
    int64_t *limbs = pooled->moments.additive + LLMFP_N_COUNTERS;
    limbs_from_integer(limbs, layout->sum_limbs, sum);
    limbs_from_integer(limbs + layout->sum_limbs, layout->square_limbs, squares);
    mpz_clears(sum, squares, cofactor, NULL);
}

/* Numerators and divisors are doubles exactly, so that each division rounds once. */
static void pool_extremes(const struct llmfp_quotients *parts, size_t n,
                          struct llmfp_pooled *pooled)
{
    pooled->least = NAN;
    pooled->most = NAN;
    for (size_t i = 0; i < n; i++) {
        const int64_t *extreme = parts[i].moments->extreme;
        if (extreme[LLMFP_LARGEST] != LLMFP_NO_KEY) {
            const double divisor = (double)parts[i].divisor;
            const double least = llmfp_key_to_double(-extreme[LLMFP_MINUS_SMALLEST]);
            const double most = llmfp_key_to_double(extreme[LLMFP_LARGEST]);
            pooled->least = fmin(pooled->least, least / divisor); /* a number, not NaN */
            pooled->most = fmax(pooled->most, most / divisor);
        }
    }
}

bool llmfp_quotients_pool(const struct llmfp_quotients *parts, size_t n, struct llmfp_arena *arena,
                          struct llmfp_pooled *pooled)
{
    mpz_t divisor;
    mpz_init_set_ui(divisor, 1);
    for (size_t i = 0; i < n; i++) {
        mpz_lcm_ui(divisor, divisor, parts[i].divisor);
    }
    const size_t bits = mpz_sizeinbase(divisor, 2);
    const uint32_t n_limbs = mpz_cmp_ui(divisor, 1) == 0 ? 0 : limbs_of_bits(bits);
    *pooled = (struct llmfp_pooled){.layout = layout_for(parts, n, bits)};
    int64_t *limbs = llmfp_arena_new(arena, (n_limbs + 1) * sizeof *limbs);
    int64_t *additive =
        llmfp_arena_new(arena, llmfp_moments_size(&pooled->layout) * sizeof *additive);
    const bool good = limbs != NULL && additive != NULL;
    if (good) {
        limbs_from_integer(limbs, n_limbs, divisor);
        pooled->divisor = (struct llmfp_divisor){limbs, n_limbs};
        pooled->moments = (struct llmfp_moments){&pooled->layout, additive, NULL, 0};
        pool_sums(parts, n, divisor, pooled);
        pool_extremes(parts, n, pooled);
    }
    mpz_clear(divisor);
    return good;
}
