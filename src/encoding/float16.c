/* float16.c - kernels of the 16-bit floats, F16 and BF16, both of which widen to
 * floats exactly. Sources: IEEE 754 binary16; BF16 is the upper half of IEEE 754
 * binary32.                                                                    */
#include "float_sums.h"
#include "kernels.h"

typedef void widen_function(unsigned char *patterns, const unsigned char *bytes, size_t n);

static void add_widened(struct float_sums *sums, widen_function *widen, const unsigned char *bytes,
                        uint64_t n)
{
    unsigned char patterns[4 * BLOCK];
    while (n > 0) {
        const size_t n_block = n < BLOCK ? (size_t)n : BLOCK;
        widen(patterns, bytes, n_block);
        llmfp_float_sums_add(sums, patterns, n_block);
        bytes += 2 * n_block;
        n -= n_block;
    }
}

void llmfp_add_f16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct float_sums sums;
    llmfp_float_sums_begin(&sums, moments, llmfp_float_sums_kernels(), -24);
    add_widened(&sums, sums.kernels->widen_f16, elements->bytes, elements->n_elements);
    llmfp_float_sums_end(&sums);
}

void llmfp_add_bf16(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    struct float_sums sums;
    llmfp_float_sums_begin(&sums, moments, llmfp_float_sums_kernels(), -133);
    add_widened(&sums, sums.kernels->widen_bf16, elements->bytes, elements->n_elements);
    llmfp_float_sums_end(&sums);
}
