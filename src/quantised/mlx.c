/* mlx.c - MLX's affine integers.
 *
 *   X.weight U32 [..., rows, columns * bits / 32] with X.scales and X.biases [..., rows, groups]
 * (offsets, no biases of the module), F16, BF16 or F32. Only the product of bits and columns
 * of a group follows from the shapes, so the configuration must say the group size; the bits
 * of single tensors may differ.                                                       */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

static bool recognise(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_U32;
}

static bool same_shape(const struct llmfp_tensor *a, const struct llmfp_tensor *b, uint32_t n)
{
    return memcmp(a->shape, b->shape, n * sizeof *a->shape) == 0;
}

static bool sides_fit(const struct assembly *assembly)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *scales = assembly->found[0];
    const struct llmfp_tensor *offsets = assembly->found[1];
    const uint32_t n = codes->n_dimensions;
    return n >= 2 && n <= 8 && scales->n_dimensions == n && offsets->n_dimensions == n &&
           same_shape(codes, scales, n - 1) && same_shape(scales, offsets, n) &&
           (scales->encoding == LLMFP_F16 || scales->encoding == LLMFP_BF16 ||
            scales->encoding == LLMFP_F32) &&
           offsets->encoding == scales->encoding;
}

/* 2, 3, 4, 5, 6, 8, or 0: columns and words of a row do not fit. */
static unsigned bits_of(uint64_t columns, uint64_t words)
{
    for (unsigned bits = 2; bits <= 8; bits++) {
        uint64_t row_bits;
        if (bits != 7 && llmfp_multiply_u64(columns, bits, &row_bits) && row_bits % 32 == 0 &&
            row_bits / 32 == words) {
            return bits;
        }
    }
    return 0;
}

static enum llmfp_status assemble(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct quantisation_settings *settings = assembly->settings;
    struct llmfp_tensor *tensor = &assembly->tensor;
    const int64_t group = settings->group_size;
    if ((group != 32 && group != 64 && group != 128) || settings->mixed_groups) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "\"quantization\" in config.json must state one group_size of 32, 64 or "
                          "128 for all tensors; without it, MLX's codes can be read in several "
                          "ways");
    }
    const uint32_t n = codes->n_dimensions;
    uint64_t columns = 0;
    unsigned bits = 0;
    if (sides_fit(assembly) && codes->n_elements > 0 &&
        llmfp_multiply_u64(assembly->found[0]->shape[n - 1], (uint64_t)group, &columns)) {
        bits = bits_of(columns, codes->shape[n - 1]);
    }
    if (bits == 0 || !llmfp_multiply_u64(codes->n_elements / codes->shape[n - 1], columns,
                                         &tensor->n_elements)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its %" PRIu64 " words of codes, scales (%" PRIu64
                          ") and biases (%" PRIu64
                          ") do not fit together as MLX's integers of 2, 3, 4, 5, 6 or 8 bits in "
                          "groups of %" PRId64,
                          codes->n_elements, assembly->found[0]->n_elements,
                          assembly->found[1]->n_elements, group);
    }
    memcpy(assembly->shape, codes->shape, (n - 1) * sizeof *assembly->shape);
    assembly->shape[n - 1] = columns;
    tensor->shape = assembly->shape;
    tensor->encoding = LLMFP_MLX;
    assembly->storage.block = (struct llmfp_block){32, 4 * (uint64_t)bits};
    assembly->storage.parameters[0] = columns;
    assembly->storage.parameters[1] = (uint64_t)group;
    assembly->storage.parameters[2] = bits;
    return LLMFP_OK;
}

const struct quantisation_scheme scheme_mlx = {
    "MLX", ".weight", {".scales", ".biases"}, 2, ".weight", recognise, assemble};
