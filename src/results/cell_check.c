/* cell_check.c - see cell_check.h. */
#include "cell_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bits, so that -0 and +0 differ. */
static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

bool same_double(double a, double b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

bool cell_check_begin(struct cell_check *check, const struct results_file *results)
{
    check->layout =
        (struct llmfp_moments_layout){.sum_exponent = results->sum_exponent,
                                      .square_exponent = results->square_exponent,
                                      .sum_limbs = (uint32_t)results->length[AXIS_SUM_LIMB],
                                      .square_limbs = (uint32_t)results->length[AXIS_SQUARE_LIMB]};
    check->divisor_limbs = (uint32_t)results->length[AXIS_DIVISOR_LIMB];
    check->additive = malloc(llmfp_moments_size(&check->layout) * sizeof *check->additive);
    return check->additive != NULL;
}

void cell_check_end(struct cell_check *check)
{
    free(check->additive);
    check->additive = NULL;
}

struct llmfp_divisor divisor_of_row(const int64_t *limbs, uint32_t n)
{
    while (n > 0 && limbs[n - 1] == 0) {
        n--;
    }
    const bool is_one = n == 1 && limbs[0] == 1;
    return (struct llmfp_divisor){limbs, is_one ? 0 : n};
}

/* Zeros alone would look like no limbs. */
static bool divisor_is_sound(const struct cell_check *check, const struct claimed_cell *cell,
                             struct llmfp_divisor *divisor)
{
    *divisor = divisor_of_row(cell->divisor, check->divisor_limbs);
    return check->divisor_limbs == 0 || (cell->divisor[0] != 0 && llmfp_divisor_is_sound(divisor));
}

static bool limbs_are_settled(const int64_t *limbs, uint32_t n)
{
    for (uint32_t k = 0; k + 1 < n; k++) {
        if (limbs[k] < 0 || limbs[k] > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

static bool all_zero(const int64_t *limbs, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        if (limbs[k] != 0) {
            return false;
        }
    }
    return true;
}

/* False: the counts are absurd, and nothing else can be said. */
static bool check_counts(const struct llmfp_statistics *claimed, const char *where,
                         struct findings *findings)
{
    if (claimed->zeros > claimed->count || claimed->nonfinite > claimed->count - claimed->zeros) {
        findings_add(findings, FINDING_COUNT,
                     "%s: of %" PRIu64 " elements %" PRIu64 " are zero and %" PRIu64
                     " not finite: more than there are",
                     where, claimed->count, claimed->zeros, claimed->nonfinite);
        return false;
    }
    return true;
}

static void check_extremes(const struct llmfp_statistics *claimed, const char *where,
                           struct findings *findings)
{
    const double least = claimed->min;
    const double most = claimed->max;
    if (claimed->count == claimed->nonfinite) {
        if (!isnan(least) || !isnan(most)) {
            findings_add(findings, FINDING_NAN,
                         "%s: min and max of no finite element are %.17g and %.17g, not NaN", where,
                         least, most);
        }
    } else if (!isfinite(least) || !isfinite(most) || least > most ||
               (claimed->zeros > 0 && (least > 0 || most < 0)) ||
               (least == 0 && signbit(least) != 0) || (most == 0 && signbit(most) != 0)) {
        findings_add(findings, FINDING_RANGE, "%s: min %.17g and max %.17g are impossible", where,
                     least, most);
    }
}

static void check_number(const char *name, enum finding_kind kind, double claimed, double computed,
                         const char *where, struct findings *findings)
{
    if (!same_double(claimed, computed)) {
        findings_add(findings, kind, "%s: %s is %.17g (%a), but the exact sums give %.17g (%a)",
                     where, name, claimed, claimed, computed, computed);
    }
}

void cell_check(struct cell_check *check, const struct claimed_cell *cell, const char *where,
                struct findings *findings)
{
    const struct llmfp_statistics *claimed = &cell->statistics;
    const struct llmfp_moments_layout *layout = &check->layout;
    struct llmfp_divisor divisor;
    if (!divisor_is_sound(check, cell, &divisor)) {
        findings_add(findings, FINDING_SUM,
                     "%s: its divisor is not a positive odd number in limbs of 32 bits", where);
        return;
    }
    if (!limbs_are_settled(cell->sum, layout->sum_limbs) ||
        !limbs_are_settled(cell->squares, layout->square_limbs)) {
        findings_add(findings, FINDING_SUM,
                     "%s: a limb of its exact sums, not the last, lies outside 0 .. 2^32 - 1",
                     where);
        return;
    }
    if (!check_counts(claimed, where, findings)) {
        return;
    }
    check_extremes(claimed, where, findings);
    const bool only_zeros = claimed->count - claimed->nonfinite == claimed->zeros;
    if (only_zeros != all_zero(cell->squares, layout->square_limbs) ||
        (only_zeros && !all_zero(cell->sum, layout->sum_limbs))) {
        findings_add(findings, FINDING_SUM,
                     "%s: its exact sums do not fit %" PRIu64 " finite elements other than zero",
                     where, claimed->count - claimed->nonfinite - claimed->zeros);
        return;
    }
    int64_t extreme[LLMFP_N_EXTREMES];
    struct llmfp_moments moments = llmfp_moments_begin(layout, check->additive, extreme);
    check->additive[LLMFP_COUNT] = (int64_t)claimed->count;
    check->additive[LLMFP_ZEROS] = (int64_t)claimed->zeros;
    check->additive[LLMFP_NONFINITE] = (int64_t)claimed->nonfinite;
    int64_t *limbs = check->additive + LLMFP_N_COUNTERS;
    memcpy(limbs, cell->sum, layout->sum_limbs * sizeof *limbs);
    memcpy(limbs + layout->sum_limbs, cell->squares, layout->square_limbs * sizeof *limbs);
    const char *problem =
        llmfp_statistics_contradiction_of_quotients(&moments, &divisor, claimed->min, claimed->max);
    if (problem != NULL) {
        findings_add(findings, FINDING_SUM, "%s: %s", where, problem);
        return;
    }
    struct llmfp_statistics computed;
    llmfp_statistics_compute_quotients(&moments, &divisor, &computed);
    check_number("mean", FINDING_MEAN, claimed->mean, computed.mean, where, findings);
    check_number("std", FINDING_STD, claimed->std, computed.std, where, findings);
}
