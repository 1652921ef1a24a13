/* ggml_blocks.h - what the kernels of GGUF's block encodings share.
 *
 * A block has one or two binary16 scales d and m, and groups of elements with small
 * integers a (scale) and b (offset) of their own:
 *   x = d a q + m b            q: the element's code, a small integer
 * With S1 and S2 the sums of q and q^2 in a group of n elements, a block needs
 *   p  = sum of a S1       r  = sum of a^2 S2     x = sum of a b S1
 *   n1 = sum of n b        n2 = sum of n b^2
 * over its groups, which are small integers; then
 *   sum of x   = d p + m n1
 *   sum of x^2 = d^2 r + 2 d m x + m^2 n2
 * Only p, r, x, n1, n2 depend on the instruction set; all else is one code for all.
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

/* A block taken apart. |a q| < 2^13 and |b| < 2^7 in all types.                   */
struct ggml_codes {
    int16_t a[GGML_MOST_GROUPS];
    int16_t b[GGML_MOST_GROUPS];
    int8_t q[GGML_MOST_ELEMENTS];
};

/* |p| < 2^22, r < 2^35 (256 elements with |a q| < 2^13 would be 2^34), |x| < 2^29.     */
struct ggml_sums {
    int64_t r;
    int32_t p;
    int32_t x;
    int32_t n1;
    int32_t n2;
    uint32_t zeros; /* elements with a q = 0; of types without m */
    /* Of types with m: whether an element may be 0, or outside the range that is known. */
    uint32_t look_for_zeros;
    uint32_t look_at_range;
};

/* What is known of the range when a kernel is called: it need not look closer at a block
 * whose values lie between these. Only types with m use it.                       */
struct ggml_known {
    float smallest; /* not below, and not above, what has been found, with a margin */
    float largest;
};

/* The sums of n_blocks blocks.                                                    */
typedef void ggml_kernel(const unsigned char *blocks, size_t n_blocks,
                         const struct ggml_known *known, struct ggml_sums *sums);

struct ggml_type {
    unsigned elements; /* of a block */
    unsigned bytes;
    unsigned groups;
    unsigned d_offset; /* where the binary16 d stands in a block */
    int m_offset;      /* and m; -1: there is none, b is 0 */
    int32_t largest;   /* of |a q| */
    void (*take_apart)(const unsigned char *block, struct ggml_codes *codes);
    ggml_kernel *avx2; /* NULL: none */
};

/* Add all elements to the moments.                                         Local. */
void ggml_add(const struct ggml_type *type, struct llmfp_moments *moments,
              const struct llmfp_elements *elements);

/* The sums of blocks in plain C: the reference of all other kernels, and theirs for what
 * is left over.                                                            Local. */
void ggml_sums_portable(const struct ggml_type *type, const unsigned char *blocks, size_t n_blocks,
                        struct ggml_sums *sums);

/* Four bits each: byte j holds element j low and element j + 16 high.      Local. */
static inline void ggml_nibbles(const unsigned char *bytes, uint8_t codes[32])
{
    for (int j = 0; j < 16; j++) {
        codes[j] = bytes[j] & 15;
        codes[j + 16] = bytes[j] >> 4;
    }
}

/* The code book of IQ4_NL and IQ4_XS.                                             */
extern const int8_t ggml_iq4_values[16];

extern const struct ggml_type ggml_q4_0, ggml_q4_1, ggml_q5_0, ggml_q5_1, ggml_q8_0, ggml_q8_1;
extern const struct ggml_type ggml_q1_0, ggml_q2_0, ggml_tq1_0, ggml_tq2_0;
extern const struct ggml_type ggml_q2_k, ggml_q3_k, ggml_q4_k, ggml_q5_k, ggml_q6_k;
extern const struct ggml_type ggml_iq4_nl, ggml_iq4_xs;

#if defined(__x86_64__)
ggml_kernel ggml_q4_0_avx2, ggml_q5_0_avx2, ggml_q8_0_avx2, ggml_iq4_nl_avx2;
ggml_kernel ggml_q2_k_avx2, ggml_q3_k_avx2, ggml_q4_k_avx2, ggml_q5_k_avx2, ggml_q6_k_avx2;
ggml_kernel ggml_iq4_xs_avx2;
#define GGML_AVX2(kernel) (kernel)
#else
#define GGML_AVX2(kernel) NULL
#endif

#endif
