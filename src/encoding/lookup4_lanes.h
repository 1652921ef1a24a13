/* lookup4_lanes.h - runs of bitsandbytes' 4-bit weights eight at a time, each in a lane of 32 bits
 * of a vector. See lookup4.h and lookup4_pairs.c, which takes what does not fit.
 *
 * Vectors count for each run how often a code occurs. Digits of 15 bits of the map's values and of
 * their squares, times these counts, give digits of S1 and S2: sums below 2^21 in lanes. Products
 * of those with words of 31 bits of scales add up in lanes of 64 bits.                  */
#ifndef LLMFP_LOOKUP4_LANES_H
#define LLMFP_LOOKUP4_LANES_H

#include "lookup4.h"

enum {
    LANES_RUNS = 8,
    LANES_DIGIT_BITS = 15,
    LANES_SUM_DIGITS = 2,    /* of map values, below 2^28 */
    LANES_SQUARE_DIGITS = 4, /* of their squares */
    LANES_DIGITS = LANES_SUM_DIGITS + LANES_SQUARE_DIGITS,
    LANES_WORD_BITS = 31,
    LANES_SCALE_WORDS = 2,  /* of a scale: an F32's mantissa in a window (1), or q (2) */
    LANES_SQUARE_WORDS = 3, /* of its square: 2, or 3 */
    LANES_WORDS = LANES_SCALE_WORDS + LANES_SQUARE_WORDS,
    /* Additions of 2 * 2^21 * 2^31 to a lane, at most: the sum stays below 2^63. */
    LANES_MOST_BATCHES = 1 << 9
};

/* The map as what counts are multiplied with. */
struct lookup4_lanes_map {
    /* Digits from -2^14 to 2^14 - 1 of code 2 i and of code 2 i + 1, side by side in every lane:
     * [i][digit][lane][which of the two]. */
    _Alignas(32) int16_t pairs[LOOKUP4_CODES / 2][LANES_DIGITS][LANES_RUNS][2];
    uint32_t zero; /* bits: codes whose value is 0 */
};

/* Sums over batches; all lanes of a sum are added up in the end. */
struct lookup4_lanes {
    /* of products of a digit and a word: [word of the scale][digit of S1], [word of the
     * scale][digit of S2], [word of its square][digit of S2] */
    _Alignas(32) int64_t scaled_sum[LANES_SCALE_WORDS][LANES_SUM_DIGITS][4];
    int64_t scaled_squares[LANES_SCALE_WORDS][LANES_SQUARE_DIGITS][4];
    int64_t squared[LANES_SQUARE_WORDS][LANES_SQUARE_DIGITS][4];
    int32_t digits[LANES_DIGITS][LANES_RUNS]; /* of S1 and of S2 alone */
    uint64_t zeros[4];
};

/* Words of nested scales q and of q^2, by code. The highest of q has the sign. */
struct lookup4_words {
    _Alignas(32) int32_t word[8]; /* LANES_SCALE_WORDS, LANES_SQUARE_WORDS, then nothing */
};

struct lookup4_lanes_kernels {
    /* Add LANES_RUNS runs with F32 scales; false, and nothing is added, where the exponent of one
     * is not from `lowest` (biased) to lowest + LOOKUP4_WINDOW - 1, or one exceeds the threshold.
     * Of the sums, the first word of scaled_sum and the first two of squared are used. */
    bool (*add_plain)(struct lookup4_lanes *sums, const struct lookup4_lanes_map *map,
                      const unsigned char *bytes, const unsigned char *patterns, uint32_t lowest,
                      float threshold);
    /* Add LANES_RUNS runs with scales that stand in a table of 256. */
    void (*add_nested)(struct lookup4_lanes *sums, const struct lookup4_lanes_map *map,
                       const unsigned char *bytes, const unsigned char *codes,
                       const struct lookup4_words *words);
};

/* Those of the instruction set that is chosen, or NULL. */
const struct lookup4_lanes_kernels *lookup4_lanes_chosen(void);

void lookup4_lanes_read_map(struct lookup4_lanes_map *map, const struct lookup *lookup);

/* |q| <= 2^46. */
struct lookup4_words lookup4_lanes_words(int64_t q);

/* The sum of all lanes of n digits, each with its place. Modulo 2^128: results fit. */
llmfp_i128 lookup4_lanes_total(const int64_t (*digits)[4], int n);

extern const struct lookup4_lanes_kernels lookup4_lanes_avx2;

#endif
