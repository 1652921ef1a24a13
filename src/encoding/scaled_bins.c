/* scaled_bins.c - from bins to moments. */
#include "scaled_bins.h"

void scaled_bins_begin(struct scaled_bins *bins, int lowest, int n)
{
    bins->lowest = lowest;
    bins->n = n;
    bins->count = 0;
    bins->zeros = 0;
    bins->nonfinite = 0;
    bins->smallest = INFINITY;
    bins->largest = -INFINITY;
    memset(bins->sums, 0, (size_t)n * sizeof *bins->sums);
    memset(bins->squares, 0, 2 * (size_t)n * sizeof *bins->squares);
}

static bool any_negative(const struct scaled_bins *bins)
{
    bool found = false;
    for (int i = 0; i < 2 * bins->n; i++) {
        found = found || bins->squares[i] < 0;
    }
    return found;
}

/* Moments take squares without sign. So where a bin is negative, all bins but the last hand
 * on what is more than one bit: then they are 0 or 1, and the last one is not negative,
 * since the total is not.                                                             */
static void carry_squares(struct scaled_bins *bins)
{
    for (int i = 0; i + 1 < 2 * bins->n; i++) {
        const llmfp_i128 carry = bins->squares[i] >> 1; /* towards minus infinity */
        bins->squares[i] -= 2 * carry;
        bins->squares[i + 1] += carry;
    }
}

void scaled_bins_flush(struct scaled_bins *bins, struct llmfp_moments *moments)
{
    for (int i = 0; i < bins->n; i++) {
        if (bins->sums[i] != 0) {
            llmfp_moments_add_sum(moments, bins->sums[i], bins->lowest + i);
        }
    }
    if (any_negative(bins)) {
        carry_squares(bins);
    }
    for (int i = 0; i < 2 * bins->n; i++) {
        if (bins->squares[i] != 0) {
            llmfp_moments_add_square(moments, (llmfp_u128)bins->squares[i], 2 * bins->lowest + i);
        }
    }
    llmfp_moments_add_counts(moments, bins->count, bins->zeros, bins->nonfinite);
    if (bins->smallest <= bins->largest) {
        llmfp_moments_add_range(moments, bins->smallest, bins->largest);
    }
    scaled_bins_begin(bins, bins->lowest, bins->n);
}
