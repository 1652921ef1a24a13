/* lookup4_range.c - which runs may widen the range, and other parts of the fast ways through
 * bitsandbytes' 4-bit weights. See lookup4.h.                                           */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lookup4.h"

/* The largest float that times the extremes of the map stays within the range; below 0 where
 * any scale may widen it. Products of floats are exact as doubles. */
static void set_threshold(struct lookup4_range *range)
{
    const struct lookup *lookup = range->lookup;
    range->threshold = -1.0F;
    if (!(lookup->smallest < 0 && lookup->largest > 0)) {
        return;
    }
    const double a = lookup->largest / range->most_value;
    const double b = lookup->smallest / range->least_value;
    const double c = a < b ? a : b;
    float t = c < (double)FLT_MAX ? (float)c : FLT_MAX;
    while (t > 0 && ((double)t * range->most_value > lookup->largest ||
                     (double)t * range->least_value < lookup->smallest)) {
        t = nextafterf(t, 0.0F);
    }
    range->threshold = t;
}

bool lookup4_range_begin(struct lookup4_range *range, struct lookup *lookup)
{
    *range = (struct lookup4_range){.lookup = lookup};
    range->per_block = lookup->sides->parameters[1] / LOOKUP4_RUN;
    for (unsigned c = 0; c < LOOKUP4_CODES; c++) {
        const double value = ldexp((double)lookup->value[c], lookup->exponent[c]);
        range->least_value = value < range->least_value ? value : range->least_value;
        range->most_value = value > range->most_value ? value : range->most_value;
    }
    set_threshold(range);
    return range->least_value < 0 && range->most_value > 0;
}

void lookup4_range_look(struct lookup4_range *range, uint64_t run, const unsigned char *bytes)
{
    const struct wide_scale scale = lookup4_scale(range->lookup->sides, run / range->per_block);
    lookup4_add_range(range->lookup, &scale, lookup4_codes_seen(bytes, LOOKUP4_RUN_BYTES));
    set_threshold(range);
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t lookup4_choose_window(const struct lookup4_range *range, uint64_t run, uint64_t n)
{
    enum { SAMPLES = 31, TOP = 254 };
    uint32_t sample[SAMPLES];
    const unsigned char *scales = range->lookup->sides->side[0].bytes;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        const uint64_t block = (run + i * n / SAMPLES) / range->per_block;
        sample[i] = llmfp_load_u32(scales + 4 * block) >> 23 & 255;
    }
    qsort(sample, SAMPLES, sizeof sample[0], compare_u32);
    const uint32_t middle = sample[SAMPLES / 2];
    const uint32_t lowest = middle > LOOKUP4_WINDOW / 2 ? middle - LOOKUP4_WINDOW / 2 : 1;
    return lowest > TOP - LOOKUP4_WINDOW ? TOP - LOOKUP4_WINDOW : lowest;
}

void lookup4_add_zero_runs(struct lookup *lookup, uint64_t n)
{
    if (n > 0) {
        const struct wide_scale zero = {0, 0, true, true};
        llmfp_moments_add_counts(lookup->moments, n * LOOKUP4_RUN, n * LOOKUP4_RUN, 0);
        lookup4_add_range(lookup, &zero, 1);
    }
}

bool lookup4_alike(const struct side_scale *scales, int n, int64_t most, int64_t *values, int *unit)
{
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (scales[i].mantissa != 0 && (!any || scales[i].exponent < *unit)) {
            *unit = scales[i].exponent;
            any = true;
        }
    }
    *unit = any ? *unit : 0;
    for (int i = 0; i < n; i++) {
        const int shift = scales[i].mantissa == 0 ? 0 : scales[i].exponent - *unit;
        if (shift > 38) {
            return false;
        }
        values[i] = scales[i].mantissa * (INT64_C(1) << shift);
        if (values[i] > most || values[i] < -most) {
            return false;
        }
    }
    return true;
}

void lookup4_squares_begin(struct lookup4_squares *squares)
{
    struct llmfp_moments_layout wanted = {0};
    llmfp_moments_layout_cover(&wanted, llmfp_encoding(LLMFP_LOOKUP4));
    squares->layout =
        (struct llmfp_moments_layout){wanted.square_exponent, 0, wanted.square_limbs, 0};
    squares->moments = llmfp_moments_begin(&squares->layout, squares->additive, squares->extreme);
}

void lookup4_squares_end(struct lookup4_squares *squares, struct llmfp_moments *moments)
{
    llmfp_moments_settle(&squares->moments);
    for (uint32_t k = 0; k < squares->layout.sum_limbs; k++) { /* no limb is negative */
        llmfp_moments_add_square(moments, (llmfp_u128)squares->additive[LLMFP_N_COUNTERS + k],
                                 squares->layout.sum_exponent + 32 * (int)k);
    }
}
