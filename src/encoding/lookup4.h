/* lookup4.h - what the ways through bitsandbytes' 4-bit weights share.
 *
 * lookup4.c          one block, any scale: the reference
 * lookup4_pairs.c    runs of 64 elements in plain C: bytes look up sums of two elements
 * lookup4_lanes.h    eight such runs at a time by vectors of an instruction set
 * lookup4_runs.c     runs of 64 elements by counts of codes, with kernels of an instruction set
 * lookup4_range.c    which of the runs may widen the range
 *
 * The sums over elements x = T[code] a, with the scale a of a block, are sums over the codes:
 *   sum of x = sum over c of T[c] A(c)          A(c) = sum of a n(c) over blocks
 * with n(c) the number of codes c in a block, and likewise for squares with T^2 and a^2. The
 * kernels count in runs of 64 elements how often all bits of a set S of the four bits of a
 * code are set: 16 counts per run, from which n(c) follow. Scales become integers, in
 * digits of 8 bits with signs: their products with counts add up in lanes of 32 bits. What
 * that does not fit (scales that are not finite, negative, or far from the others) is for
 * lookup4_add_block, which takes anything and is the reference.                        */
#ifndef LLMFP_LOOKUP4_H
#define LLMFP_LOOKUP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/moments.h"
#include "side_scale.h"

enum {
    LOOKUP4_CODES = 16,
    LOOKUP4_RUN = 64, /* elements that are counted together */
    LOOKUP4_RUN_BYTES = 32,
    LOOKUP4_BATCH = 64, /* runs */
    LOOKUP4_UNIT = 16,  /* runs whose digits lie together: [plane][run] */
    LOOKUP4_UNITS = LOOKUP4_BATCH / LOOKUP4_UNIT,
    /* Planes of digits: of scales, of their squares, and 1 where the run counts. */
    LOOKUP4_PLAIN_DIGITS = 4,
    LOOKUP4_PLAIN_PLANES = 3 * LOOKUP4_PLAIN_DIGITS + 1,
    LOOKUP4_NESTED_DIGITS = 6,
    LOOKUP4_NESTED_PLANES = 3 * LOOKUP4_NESTED_DIGITS + 1,
    /* Exponents of scales that one integer holds: 24 bits and 6 more are below 0x7F7F7F80, the
     * largest number of 4 balanced digits. */
    LOOKUP4_WINDOW = 7,
    /* Four runs add less than 4 * 64 * 128 = 2^15 to a lane: 2^12 runs less than 2^25. */
    LOOKUP4_MOST_RUNS = 1 << 12
};

/* Sums over the elements of one byte or of some: lane 0 is the sum of map values, and, from bit
 * LOOKUP4_ZEROS_SHIFT on, how many of them are 0; lane 1 is the sum of their squares. Map values
 * are below 2^28: sums of 128 elements below 2^35, of squares below 2^63.              */
typedef int64_t lookup4_pair __attribute__((vector_size(16)));
enum { LOOKUP4_ZEROS_SHIFT = 48 };

struct lookup {
    const struct llmfp_sides *sides;
    struct llmfp_moments *moments;
    int64_t value[LOOKUP4_CODES]; /* in units of 2^exponent[] */
    int exponent[LOOKUP4_CODES];  /* all the same where `alike` */
    bool alike;
    double smallest; /* that has been seen here; smallest > largest: none yet */
    double largest;
    lookup4_pair pair[256]; /* of bytes, where `alike` */
};

/* The sum of map values of a lookup4_pair, and how many are 0. */
static inline int64_t lookup4_pair_sum(lookup4_pair pair)
{
    const uint64_t bits = (uint64_t)pair[0] << (64 - LOOKUP4_ZEROS_SHIFT);
    return (int64_t)bits >> (64 - LOOKUP4_ZEROS_SHIFT);
}

static inline uint64_t lookup4_pair_zeros(lookup4_pair pair)
{
    return (uint64_t)(pair[0] - lookup4_pair_sum(pair)) >> LOOKUP4_ZEROS_SHIFT;
}

/* The scale of a block: |mantissa| < 2^84. */
struct wide_scale {
    llmfp_i128 mantissa;
    int exponent;
    bool finite;
    bool fits;
};

/* What is added to all scales that are quantised. */
struct side_scale lookup4_offset(const struct llmfp_sides *sides);

struct wide_scale lookup4_scale(const struct llmfp_sides *sides, uint64_t block);

/* n elements of one block. */
void lookup4_add_block(struct lookup *lookup, uint64_t block, const unsigned char *bytes,
                       uint64_t n);

/* Note the extremes of a block in which the codes `seen` (bits) occur. */
void lookup4_add_range(struct lookup *lookup, const struct wide_scale *scale, uint32_t seen);

/* n whole runs of zeros. */
void lookup4_add_zero_runs(struct lookup *lookup, uint64_t n);

/* The codes (bits) that occur in n bytes. */
uint32_t lookup4_codes_seen(const unsigned char *bytes, size_t n);

/* n mantissas as integers of one unit, 2^*unit; false where one would exceed `most`. */
bool lookup4_alike(const struct side_scale *scales, int n, int64_t most, int64_t *values,
                   int *unit);

/* Which scales may widen the range of a tensor whose runs all have whole scales. */
struct lookup4_range {
    struct lookup *lookup;
    uint64_t per_block; /* runs */
    double least_value; /* of the map: negative */
    double most_value;  /* positive */
    float threshold;    /* plain scales above this may widen the range */
};

/* False: the values of the map do not have both signs, and so every run may. */
bool lookup4_range_begin(struct lookup4_range *range, struct lookup *lookup);

/* Note the extremes of a run, and move the threshold. */
void lookup4_range_look(struct lookup4_range *range, uint64_t run, const unsigned char *bytes);

/* The lowest biased exponent of a window of LOOKUP4_WINDOW around the median of the F32 scales of
 * some of n runs. */
uint32_t lookup4_choose_window(const struct lookup4_range *range, uint64_t run, uint64_t n);

/* Sums of squares of which parts have signs: moments whose "sum" they are. */
struct lookup4_squares {
    struct llmfp_moments_layout layout;
    struct llmfp_moments moments;
    int64_t additive[128];
    int64_t extreme[LLMFP_N_EXTREMES];
};

void lookup4_squares_begin(struct lookup4_squares *squares);

/* Add the total, which is not negative, to the sum of squares of `moments`. */
void lookup4_squares_end(struct lookup4_squares *squares, struct llmfp_moments *moments);

/* n whole runs from `run` on, of a map that is `alike`; returns how many have been added: all, or
 * none where the maps are not for this way. */
uint64_t lookup4_add_pairs(struct lookup *lookup, const unsigned char *bytes, uint64_t run,
                           uint64_t n);

/* Counts of a batch: of four runs each, [set of bits][run]. */
struct lookup4_counts {
    _Alignas(64) uint8_t quad[LOOKUP4_BATCH / 4][LOOKUP4_CODES][4];
};

struct lookup4_digits {
    _Alignas(64) int8_t digit[LOOKUP4_UNITS][LOOKUP4_NESTED_PLANES * LOOKUP4_UNIT];
};

/* What became of the scales of a batch, a bit for each run. */
struct lookup4_fate {
    uint64_t odd;  /* not for the kernels; their digits are 0 */
    uint64_t zero; /* likewise, since the scale is 0 */
    uint64_t look; /* may widen the range */
};

/* A table of digits of nested scales: [plane][code]. */
struct lookup4_table {
    int8_t plane[LOOKUP4_NESTED_PLANES][256];
};

/* A threshold for scales that are off by what struct lookup4_nested allows. */
static inline double lookup4_nested_threshold(const struct lookup4_range *range)
{
    return (double)range->threshold * (1 - 0x1p-20);
}

/* The scales that codes stand for in a nested block, about: an error of 2^-51 of both parts. NaN
 * where little is left of them, so that others are not 0, and off by less than 2^-30. */
struct lookup4_nested {
    double value[256];
    uint8_t wanted[256]; /* by a closer look: not 0 for NaN, negative, above the threshold */
};

struct lookup4_kernels {
    void (*count)(struct lookup4_counts *counts, const unsigned char *bytes);
    /* sums[plane][set] += digit * count; planes as in PLAIN_PLANES or NESTED_PLANES. */
    void (*multiply)(int32_t (*sums)[LOOKUP4_CODES], const struct lookup4_counts *counts,
                     const struct lookup4_digits *digits, bool nested);
    /* Digits of F32 scales with exponents from `lowest` (biased, > 0) to lowest +
     * LOOKUP4_WINDOW - 1; those above the threshold are to be looked at. */
    struct lookup4_fate (*scale)(struct lookup4_digits *digits, const unsigned char *patterns,
                                 uint32_t lowest, float threshold);
    void (*look_up)(struct lookup4_digits *digits, const struct lookup4_table *table,
                    const unsigned char codes[LOOKUP4_BATCH]);
    /* The scales nested * outer + offset, for all codes; the threshold is one for them. */
    void (*nest)(struct lookup4_nested *scales, const double nested[256], double outer,
                 double offset, double threshold);
    /* weighed[plane] = sum over sets of weight * sums[plane][set], modulo 2^64. */
    void (*weigh)(int64_t *weighed, const int32_t (*sums)[LOOKUP4_CODES], int n_planes,
                  const int64_t weight[LOOKUP4_CODES]);
};

/* Those of the instruction set that is chosen; NULL: there are none. */
const struct lookup4_kernels *lookup4_kernels_chosen(void);

/* n whole runs from `run` on; returns how many have been added: all, or none where the map is not
 * one for kernels. */
uint64_t lookup4_add_runs(struct lookup *lookup, const struct lookup4_kernels *kernels,
                          const unsigned char *bytes, uint64_t run, uint64_t n);

extern const struct lookup4_kernels lookup4_avx512;

#endif
