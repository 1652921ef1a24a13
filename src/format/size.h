/* size.h - how many elements and bytes a tensor has, from its shape and encoding. */
#ifndef LLMFP_SIZE_H
#define LLMFP_SIZE_H

#include "llmfp/catalog.h"
#include "llmfp/error.h"

/* Set n_elements and data.size_bytes from encoding, n_dimensions and shape. Local.
 * The product is taken from left to right and must not overflow 64 bits at any
 * step, nor must the size in bits; so [0, 2^63, 2^63] is empty, and
 * [2^63, 2^63, 0] is refused. Elements must fill whole blocks.
 * Errors: LLMFP_CHECKPOINT with a phrase to stand behind the tensor's name.       */
enum llmfp_status llmfp_tensor_size(struct llmfp_tensor *tensor,
                                    struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
