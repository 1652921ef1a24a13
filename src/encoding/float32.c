/* float32.c - kernel of F32. Source: IEEE 754 binary32. */
#include "float_sums.h"
#include "kernels.h"

void llmfp_add_f32(struct llmfp_moments *moments, const struct llmfp_elements *elements)
{
    const unsigned char *bytes = elements->bytes;
    uint64_t n = elements->n_elements;
    struct float_sums sums;
    llmfp_float_sums_begin(&sums, moments, llmfp_float_sums_kernels(), 24, -149);
    while (n > 0) {
        const size_t n_block = n < BLOCK ? (size_t)n : BLOCK;
        llmfp_float_sums_add(&sums, bytes, n_block);
        bytes += 4 * n_block;
        n -= n_block;
    }
    llmfp_float_sums_end(&sums);
}
