/* mlx_microscaled.c - MLX's microscaled floats: modes "mxfp4" and "mxfp8".
 *
 *   X.weight U32 [..., rows, words] with X.scales U8 [..., rows, columns / 32], no X.biases
 * A word holds 8 codes of E2M1 or 4 of E4M3, the lowest bits first: in a little-endian file the
 * bytes are those of OCP's MXFP4 and MXFP8 with one E8M0 scale for 32 elements, so their kernels
 * read them. Scales of 32 elements leave no doubt which of the two it is: 4 or 8 words each.
 * Source: mlx.core.quantize; OCP microscaling (MX) specification.                       */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

enum { GROUP = 32, MXFP4_WORDS = 4, MXFP8_WORDS = 8, MOST_AXES = 8 };

/* Integers have biases, too, and are for scheme_mlx, which stands before this one. */
static bool recognise(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_U32 && assembly->found[0]->encoding == LLMFP_U8;
}

/* Words that share a scale; 0: the shapes do not fit. */
static uint64_t words_of_group(const struct llmfp_tensor *codes, const struct llmfp_tensor *scales)
{
    const uint32_t n = codes->n_dimensions;
    if (n < 2 || n > MOST_AXES || scales->n_dimensions != n || scales->shape[n - 1] == 0 ||
        memcmp(codes->shape, scales->shape, (n - 1) * sizeof *codes->shape) != 0 ||
        codes->shape[n - 1] % scales->shape[n - 1] != 0) {
        return 0;
    }
    return codes->shape[n - 1] / scales->shape[n - 1];
}

static enum llmfp_status assemble(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *scales = assembly->found[0];
    struct llmfp_tensor *tensor = &assembly->tensor;
    const uint64_t words = words_of_group(codes, scales);
    const uint32_t n = codes->n_dimensions;
    uint64_t columns = 0;
    if ((words != MXFP4_WORDS && words != MXFP8_WORDS) || codes->n_elements == 0 ||
        !llmfp_multiply_u64(scales->shape[n - 1], GROUP, &columns) ||
        !llmfp_multiply_u64(scales->n_elements, GROUP, &tensor->n_elements)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its %" PRIu64 " words of codes and %" PRIu64
                          " scales do not fit together as MLX's mxfp4 or mxfp8, 4 or 8 words for "
                          "each scale; other modes with 8-bit scales (nvfp4) are not read",
                          codes->n_elements, scales->n_elements);
    }
    memcpy(assembly->shape, codes->shape, (n - 1) * sizeof *assembly->shape);
    assembly->shape[n - 1] = columns;
    tensor->shape = assembly->shape;
    if (words == MXFP4_WORDS) {
        tensor->encoding = LLMFP_F4_E8M0;
        return LLMFP_OK;
    }
    tensor->encoding = LLMFP_F8_E4M3_SCALED;
    assembly->storage.parameters[0] = codes->shape[n - 2];
    assembly->storage.parameters[1] = columns;
    assembly->storage.parameters[2] = 1; /* row of a block */
    assembly->storage.parameters[3] = GROUP;
    return LLMFP_OK;
}

const struct quantisation_scheme scheme_mlx_microscaled = {
    "MLX, microscaled", ".weight", {".scales"}, 1, ".weight", recognise, assemble};
