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
 * Only these integers depend on the instruction set; all else is one code for all.
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

/* Types without m: the sums of n_blocks blocks; `range` is left alone. Types with m: the
 * range is widened as well. Of blocks whose scales are not finite, nothing counts.   */
typedef void ggml_kernel(const unsigned char *blocks, size_t n_blocks, struct ggml_range *range,
                         struct ggml_sums *sums);

/* Least and most a q of a block.                                                  */
struct ggml_extremes {
    int least;
    int most;
};
typedef struct ggml_extremes ggml_extremes_kernel(const unsigned char *block);

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
    ggml_kernel *avx512;                 /* NULL: as avx2 */
    ggml_kernel *avx2;                   /* NULL: none */
    ggml_extremes_kernel *extremes_avx2; /* where there is a kernel, and no m */
};

/* Add all elements to the moments.                                         Local. */
void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements);

/* The sums of blocks in plain C: the reference of all other kernels, and what they use for
 * blocks that are left over.                                               Local. */
void ggml_sums_portable(const struct ggml_type *type, const unsigned char *blocks, size_t n_blocks,
                        struct ggml_range *range, struct ggml_sums *sums);

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
ggml_kernel ggml_q4_0_avx2, ggml_q5_0_avx2, ggml_q8_0_avx2, ggml_q8_1_avx2, ggml_iq4_nl_avx2;
ggml_kernel ggml_mxfp4_avx2, ggml_q4_1_avx2, ggml_q5_1_avx2;
ggml_kernel ggml_q2_k_avx2, ggml_q3_k_avx2, ggml_q4_k_avx2, ggml_q5_k_avx2, ggml_q6_k_avx2;
ggml_kernel ggml_iq4_xs_avx2, ggml_tq2_0_avx2;
ggml_extremes_kernel ggml_q4_0_extremes, ggml_q5_0_extremes, ggml_q8_0_extremes;
ggml_extremes_kernel ggml_q8_1_extremes, ggml_iq4_nl_extremes, ggml_mxfp4_extremes;
ggml_extremes_kernel ggml_q3_k_extremes, ggml_q6_k_extremes, ggml_iq4_xs_extremes;
ggml_extremes_kernel ggml_tq2_0_extremes;
ggml_kernel ggml_q8_0_avx512, ggml_q4_k_avx512, ggml_q5_k_avx512;
#define GGML_AVX512(name)      .avx512 = ggml_##name##_avx512
#define GGML_AVX2(name)        .avx2 = ggml_##name##_avx2, .extremes_avx2 = ggml_##name##_extremes
#define GGML_AVX2_OFFSET(name) .avx2 = ggml_##name##_avx2
#else
#define GGML_AVX512(name)      .avx512 = NULL
#define GGML_AVX2(name)        .avx2 = NULL
#define GGML_AVX2_OFFSET(name) .avx2 = NULL
#endif

#define GGML_PORTABLE .avx2 = NULL

#endif
