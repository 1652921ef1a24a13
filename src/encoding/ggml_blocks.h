/* ggml_blocks.h - what the kernels of GGUF's block encodings share.
 *
 * A block has one or two scales d and m of its own, and groups of elements with small
 * integers a (scale) and b (offset):
 *   x = d a q + m b            q: the element's code, a small integer
 * With S1 and S2 the sums of q and q^2 in a group of n elements, a block needs
 *   p  = sum of a S1       r  = sum of a^2 S2     x = sum of a b S1
 *   n1 = sum of n b        n2 = sum of n b^2
 * over its groups, which are small integers; then
 *   sum of x   = d p + m n1
 *   sum of x^2 = d^2 r + 2 d m x + m^2 n2
 * In plain C each block goes to the bins of its exponents; vectors take eight blocks at a time
 * (ggml_lanes.h), and leave unusual scales to plain C.
 * Source of the layouts: the public description of ggml's quantised types.        */
#ifndef LLMFP_GGML_BLOCKS_H
#define LLMFP_GGML_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"
#include "llmfp/isa.h"
#include "scaled_bins.h"

enum { GGML_MOST_ELEMENTS = 256, GGML_MOST_GROUPS = 16 };

/* A block taken apart. |a q| <= 2^12 in all types, and |b| < 2^6.                 */
struct ggml_codes {
    int16_t a[GGML_MOST_GROUPS];
    int16_t b[GGML_MOST_GROUPS];
    int8_t q[GGML_MOST_ELEMENTS];
};

/* |p| <= 2^20, r <= 2^32, |x| < 2^26: 256 elements within the bounds above.       */
struct ggml_sums {
    int64_t r;
    int32_t p;
    int32_t zeros; /* elements with a q = 0; of types with m, elements that are 0 */
    int32_t x;     /* from here on types with m only */
    int32_t n1;
    int32_t n2;
};

/* What finite elements have been seen; smallest > largest: none yet.              */
struct ggml_range {
    double smallest;
    double largest;
};

/* Least and most a q of a block.                                                  */
struct ggml_extremes {
    int least;
    int most;
};

struct ggml_type;

/* What many blocks add up to. */
struct ggml_totals {
    const struct ggml_type *type;
    struct scaled_bins *bins; /* for what the sums below do not take */
    int base;                 /* E8M0: d is 2^(code - base) in the units of `sum` */
    int unit;                 /* scales of kernels count in 2^unit: 0 with binary16 */
    int64_t sum;              /* in units of 2^(unit - 24) */
    llmfp_i128 squares;       /* in units of 2^(2 unit - 48) */
    uint64_t zeros;
    struct ggml_range range;
};

/* Add all of n_blocks blocks, at most GGML_MOST_AT_ONCE and a multiple of 8; not their count. */
typedef void ggml_adder(struct ggml_totals *totals, const unsigned char *blocks, size_t n_blocks);
enum { GGML_MOST_AT_ONCE = 4096 };

enum ggml_scale {
    GGML_F16, /* d and m are binary16 */
    GGML_E8M0 /* d is 2^(code - 128), which goes with doubled codes; there is no m */
};

struct ggml_type {
    uint16_t elements; /* of a block */
    uint16_t bytes;
    uint8_t groups;
    uint8_t d_offset; /* where d stands in a block */
    int8_t m_offset;  /* and m; -1: there is none, b is 0 */
    uint8_t scale;    /* enum ggml_scale */
    int16_t least;    /* a q lies between these, which are not both on one side of 0 */
    int16_t most;
    void (*take_apart)(const unsigned char *block, struct ggml_codes *codes);
    ggml_adder *avx2; /* NULL on other machines */
    ggml_adder *avx512;
};

/* Add all elements to the moments.                                         Local. */
void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements);

/* The same in plain C, for any number; all goes to the bins.               Local. */
void ggml_add_portable(struct ggml_totals *totals, const unsigned char *blocks, size_t n_blocks);

/* NVFP4, with four scales in a block.                                      Local. */
void ggml_add_nvfp4_portable(struct scaled_bins *bins, const unsigned char *blocks,
                             size_t n_blocks);

static inline void ggml_widen(struct ggml_range *range, double first, double last)
{
    const double least = first < last ? first : last;
    const double most = first < last ? last : first;
    range->smallest = least < range->smallest ? least : range->smallest;
    range->largest = most > range->largest ? most : range->largest;
}

/* Four bits each: byte j holds element j low and element j + 16 high.      Local. */
static inline void ggml_nibbles(const unsigned char *bytes, uint8_t codes[32])
{
    for (int j = 0; j < 16; j++) {
        codes[j] = bytes[j] & 15;
        codes[j + 16] = bytes[j] >> 4;
    }
}

/* Code books: of IQ4_NL and IQ4_XS, and E2M1 in halves.                           */
extern const int8_t ggml_iq4_values[16], ggml_doubled_e2m1[16];

extern const struct ggml_type ggml_q4_0, ggml_q4_1, ggml_q5_0, ggml_q5_1, ggml_q8_0, ggml_q8_1;
extern const struct ggml_type ggml_q1_0, ggml_q2_0, ggml_tq1_0, ggml_tq2_0;
extern const struct ggml_type ggml_q2_k, ggml_q3_k, ggml_q4_k, ggml_q5_k, ggml_q6_k;
extern const struct ggml_type ggml_iq4_nl, ggml_iq4_xs, ggml_mxfp4;

#if defined(__x86_64__)
#define GGML_DECLARE(name) ggml_adder ggml_##name##_avx2, ggml_##name##_avx512
GGML_DECLARE(q1_0);
GGML_DECLARE(q2_0);
GGML_DECLARE(q4_0);
GGML_DECLARE(q4_1);
GGML_DECLARE(q5_0);
GGML_DECLARE(q5_1);
GGML_DECLARE(q8_0);
GGML_DECLARE(q8_1);
GGML_DECLARE(tq1_0);
GGML_DECLARE(tq2_0);
GGML_DECLARE(q2_k);
GGML_DECLARE(q3_k);
GGML_DECLARE(q4_k);
GGML_DECLARE(q5_k);
GGML_DECLARE(q6_k);
GGML_DECLARE(iq4_nl);
GGML_DECLARE(iq4_xs);
GGML_DECLARE(mxfp4);
GGML_DECLARE(nvfp4); /* any even number of blocks */
#define GGML_KERNELS(name) .avx2 = ggml_##name##_avx2, .avx512 = ggml_##name##_avx512
#else
#define GGML_KERNELS(name) .avx2 = NULL, .avx512 = NULL
#endif

#endif
