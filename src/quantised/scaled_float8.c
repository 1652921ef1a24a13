/* scaled_float8.c - 8-bit floats and the tensors that scale them.
 *
 * `X.weight_scale_inv` (block-wise, DeepSeek-V3 and its kin) and `X.weight_scale`
 * (compressed-tensors, ModelOpt, vLLM) are both multiplied. The rectangle of a scale
 * follows from the shapes: one scale; one for each row; or a grid whose rectangles are
 * weight_block_size of the configuration, or else a power of two that fits both ways.
 * Stacked experts carry `_scale_inv` or `_scale` behind their own name. In the publishers'
 * own files the scale of X.weight is X.qscale_weight (Mistral) or X.scale (DeepSeek).  */
#include <inttypes.h>

#include "bytes.h"
#include "scheme.h"

static bool is_float8(enum llmfp_encoding_id encoding)
{
    return encoding == LLMFP_F8_E4M3 || encoding == LLMFP_F8_E5M2;
}

static bool recognise(const struct assembly *assembly)
{
    return is_float8(assembly->codes->encoding);
}

static bool scale_type_is_read(const struct llmfp_tensor *scale)
{
    return scale->encoding == LLMFP_F32 || scale->encoding == LLMFP_BF16 ||
           scale->encoding == LLMFP_F16 || scale->encoding == LLMFP_F8_E8M0 ||
           scale->encoding == LLMFP_U8;
}

static uint64_t ceiling(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* The length of a block on an axis that n_scales share: as configured, where that fits;
 * else the whole axis for one scale, one for as many scales as there are places, or
 * the power of two that fits; 0 when that is not certain. */
static uint64_t block_length(uint64_t length, uint64_t n_scales, uint64_t configured)
{
    if (configured != 0 && ceiling(length, configured) == n_scales) {
        return configured;
    }
    if (n_scales == 1) {
        return length;
    }
    if (n_scales == length) {
        return 1;
    }
    uint64_t found = 0;
    for (uint64_t block = 2; block < length && block <= UINT64_C(1) << 20; block *= 2) {
        if (ceiling(length, block) == n_scales) {
            if (found != 0) { /* 5 of 4 or of 8: not certain */
                return 0;
            }
            found = block;
        }
    }
    return found;
}

static enum llmfp_status fail_shape(const struct llmfp_tensor *codes,
                                    const struct llmfp_tensor *scale, struct llmfp_error *error)
{
    return llmfp_fail(
        error, LLMFP_CHECKPOINT,
        "its scales, %" PRIu64 " in %" PRIu32 " axes, do not fit its %" PRIu64
        " elements in %" PRIu32 " axes, or weight_block_size in config.json is missing or wrong",
        scale->n_elements, scale->n_dimensions, codes->n_elements, codes->n_dimensions);
}

/* Rows and columns of scales. Leading axes must be those of the codes. */
static bool scale_grid(const struct llmfp_tensor *codes, const struct llmfp_tensor *scale,
                       uint64_t *down, uint64_t *across)
{
    const uint32_t n = codes->n_dimensions;
    if (scale->n_elements == 1) { /* of the whole tensor: leading axes must not repeat it */
        *down = 1;
        *across = 1;
        return n == 2 || codes->n_elements == codes->shape[n - 1] * codes->shape[n - 2];
    }
    if (scale->n_dimensions == 1 && n == 2) {
        *down = scale->shape[0];
        *across = 1;
        return true;
    }
    if (scale->n_dimensions != n) {
        return false;
    }
    for (uint32_t i = 0; i + 2 < n; i++) {
        if (scale->shape[i] != codes->shape[i]) {
            return false;
        }
    }
    *down = scale->shape[n - 2];
    *across = scale->shape[n - 1];
    return true;
}

static enum llmfp_status assemble(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *scale = assembly->found[0];
    struct llmfp_tensor *tensor = &assembly->tensor;
    if (!scale_type_is_read(scale)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its scales are %s; F32, BF16, F16 and E8M0 are read",
                          llmfp_encoding(scale->encoding)->name);
    }
    const uint32_t n = codes->n_dimensions;
    uint64_t down = 0;
    uint64_t across = 0;
    if (n < 2 || codes->n_elements == 0 || !scale_grid(codes, scale, &down, &across)) {
        return fail_shape(codes, scale, error);
    }
    const struct quantisation_settings *settings = assembly->settings;
    assembly->storage.parameters[0] = codes->shape[n - 2];
    assembly->storage.parameters[1] = codes->shape[n - 1];
    assembly->storage.parameters[2] = block_length(codes->shape[n - 2], down, settings->block_rows);
    assembly->storage.parameters[3] =
        block_length(codes->shape[n - 1], across, settings->block_columns);
    if (assembly->storage.parameters[2] == 0 || assembly->storage.parameters[3] == 0) {
        return fail_shape(codes, scale, error);
    }
    tensor->encoding =
        codes->encoding == LLMFP_F8_E4M3 ? LLMFP_F8_E4M3_SCALED : LLMFP_F8_E5M2_SCALED;
    return LLMFP_OK;
}

/* `X.weight` with `X.weight_scale`, and likewise for stacked experts named without ".weight". */
const struct quantisation_scheme scheme_float8 = {"scaled FP8", "",        {"_scale"}, 1,
                                                  "",           recognise, assemble};
const struct quantisation_scheme scheme_float8_mistral = {
    "scaled FP8", ".weight", {".qscale_weight"}, 1, ".weight", recognise, assemble};
const struct quantisation_scheme scheme_float8_deepseek = {"block FP8", ".weight", {".scale"}, 1,
                                                           ".weight",   recognise, assemble};
const struct quantisation_scheme scheme_float8_inverse = {"block FP8", "",        {"_scale_inv"}, 1,
                                                          "",          recognise, assemble};
