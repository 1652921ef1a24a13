/* size.c - sizes of tensors, without overflow. */
#include "size.h"

#include <inttypes.h>

#include "bytes.h"

enum llmfp_status llmfp_tensor_size(struct llmfp_tensor *tensor, struct llmfp_error *error)
{
    const struct llmfp_encoding *encoding = llmfp_encoding(tensor->encoding);
    uint64_t elements = 1;
    uint64_t bits;
    for (uint32_t i = 0; i < tensor->n_dimensions; i++) {
        if (!llmfp_multiply_u64(elements, tensor->shape[i], &elements)) {
            return llmfp_fail(error, LLMFP_CHECKPOINT,
                              "the number of elements overflows 64 bits at dimension %" PRIu32
                              " of the shape (%" PRIu64 ")",
                              i, tensor->shape[i]);
        }
    }
    /* Round up, so that the bits of every block type are covered. */
    const uint64_t block_bits = encoding->block_bytes * UINT64_C(8);
    const uint64_t element_bits =
        (block_bits + encoding->block_elements - 1) / encoding->block_elements;
    if (!llmfp_multiply_u64(elements, element_bits, &bits)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "the size of %" PRIu64 " elements of %s overflows 64 bits", elements,
                          encoding->name);
    }
    if (elements % encoding->block_elements != 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "%" PRIu64 " elements of %s are not a whole number of blocks of %u "
                          "elements in %u bytes",
                          elements, encoding->name, encoding->block_elements,
                          encoding->block_bytes);
    }
    tensor->n_elements = elements;
    tensor->data.size_bytes = elements / encoding->block_elements * encoding->block_bytes;
    return LLMFP_OK;
}
