/* compressed_tensors.c - integers of 4 and 8 bits as compressed-tensors stores them.
 *
 *   pack-quantized  X.weight_packed I32 [rows, ceil(columns * bits / 32)] with X.weight_scale
 *                   [rows, groups], [rows, 1] or [1], X.weight_shape I64 [2], which is read
 *                   here, and where they are used X.weight_zero_point, X.weight_g_idx
 *   int-quantized   X.weight I8 [rows, columns] with X.weight_scale and X.weight_zero_point */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

enum { SCALE, SHAPE, ZERO, GROUP };

static enum llmfp_status fail_parts(const struct assembly *assembly, struct llmfp_error *error)
{
    return llmfp_fail(
        error, LLMFP_CHECKPOINT,
        "its %" PRIu64 " words or bytes of codes and %" PRIu64
        " scales do not fit together as integers of 4 or 8 bits of compressed-tensors",
        assembly->codes->n_elements, assembly->found[SCALE]->n_elements);
}

/* Scales of the whole tensor, of each row, or of groups of a row. */
static bool set_scales(struct assembly *assembly, uint64_t *scale_rows, uint64_t *groups)
{
    const struct llmfp_tensor *scale = assembly->found[SCALE];
    const uint64_t rows = assembly->shape[0];
    const uint64_t columns = assembly->shape[1];
    *groups = scale->n_elements == 1 || scale->n_dimensions == 1 ? 1 : scale->shape[1];
    *scale_rows = scale->n_elements == 1 ? 1 : scale->shape[0];
    if ((scale->encoding != LLMFP_F16 && scale->encoding != LLMFP_BF16 &&
         scale->encoding != LLMFP_F32) ||
        scale->n_elements == 0 || (scale->n_elements != 1 && scale->n_dimensions > 2) ||
        (*scale_rows != rows && *scale_rows != 1) || *groups > columns || *groups > UINT32_MAX) {
        return false;
    }
    assembly->storage.parameters[0] = columns;
    assembly->storage.parameters[1] = columns / *groups;
    assembly->storage.parameters[2] = *groups | (uint64_t)(*scale_rows != 1) << 32;
    return assembly->found[GROUP] != NULL || columns % *groups == 0;
}

/* Zero points beside the scales, packed along the rows or one byte each. */
static bool zeros_fit(const struct llmfp_tensor *zero, uint64_t scale_rows, uint64_t groups,
                      unsigned bits)
{
    const uint64_t per_word = 32 / bits;
    const uint64_t packed_rows = scale_rows / per_word + (scale_rows % per_word != 0);
    return zero == NULL ||
           (zero->encoding == LLMFP_I8 && zero->n_elements == scale_rows * groups) ||
           (zero->encoding == LLMFP_I32 && zero->n_elements == packed_rows * groups);
}

static enum llmfp_status finish(struct assembly *assembly, unsigned bits, unsigned kind,
                                struct llmfp_error *error)
{
    struct llmfp_tensor *tensor = &assembly->tensor;
    const struct llmfp_tensor *group = assembly->found[GROUP];
    uint64_t scale_rows = 0;
    uint64_t groups = 0;
    if (!llmfp_multiply_u64(assembly->shape[0], assembly->shape[1], &tensor->n_elements) ||
        tensor->n_elements == 0 || !set_scales(assembly, &scale_rows, &groups) ||
        !zeros_fit(assembly->found[ZERO], scale_rows, groups, bits) ||
        (group != NULL &&
         (group->encoding != LLMFP_I32 || group->n_elements != assembly->shape[1]))) {
        return fail_parts(assembly, error);
    }
    const uint64_t zero_side = assembly->found[SHAPE] != NULL ? 2 : 1;
    const uint64_t group_side = zero_side + (assembly->found[ZERO] != NULL);
    tensor->shape = assembly->shape;
    tensor->n_dimensions = 2;
    tensor->encoding = LLMFP_INTEGER_ROWS;
    assembly->storage.parameters[3] = bits | kind << 8;
    assembly->storage.parameters[3] |= assembly->found[ZERO] != NULL ? zero_side << 16 : 0;
    assembly->storage.parameters[3] |= group != NULL ? group_side << 24 : 0;
    return LLMFP_OK;
}

static bool recognise_packed(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_I32;
}

/* The shape is in a tensor of two numbers. */
static enum llmfp_status read_shape(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *shape = assembly->found[SHAPE];
    if (shape->encoding != LLMFP_I64 || shape->n_elements != 2) {
        return fail_parts(assembly, error);
    }
    unsigned char bytes[16];
    const enum llmfp_status status = assembly_read(assembly, shape, bytes, sizeof bytes, error);
    for (size_t i = 0; status == LLMFP_OK && i < 2; i++) {
        assembly->shape[i] =
            llmfp_load_u32(bytes + 8 * i) | (uint64_t)llmfp_load_u32(bytes + 8 * i + 4) << 32;
    }
    return status;
}

static enum llmfp_status assemble_packed(struct assembly *assembly, struct llmfp_error *error)
{
    const enum llmfp_status status = read_shape(assembly, error);
    if (status != LLMFP_OK) {
        return status;
    }
    const struct llmfp_tensor *codes = assembly->codes;
    const uint64_t columns = assembly->shape[1];
    const uint64_t words = codes->n_dimensions == 2 ? codes->shape[1] : 0;
    const bool four = columns / 8 + (columns % 8 != 0) == words;
    const bool eight = columns / 4 + (columns % 4 != 0) == words;
    if (four == eight || codes->shape[0] != assembly->shape[0]) {
        return fail_parts(assembly, error);
    }
    const unsigned per_word = four ? 8 : 4;
    assembly->storage.block = (struct llmfp_block){per_word, 4};
    if (columns % per_word != 0) { /* each row begins a word */
        assembly->storage.block = (struct llmfp_block){columns, 4 * words};
    }
    return finish(assembly, four ? 4 : 8, 0, error);
}

static bool recognise_bytes(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_I8 &&
           strcmp(assembly->settings->method, "compressed-tensors") == 0;
}

static enum llmfp_status assemble_bytes(struct assembly *assembly, struct llmfp_error *error)
{
    if (assembly->codes->n_dimensions != 2) {
        return fail_parts(assembly, error);
    }
    assembly->found[ZERO] = assembly->found[1];
    assembly->found[SHAPE] = NULL;
    memcpy(assembly->shape, assembly->codes->shape, 2 * sizeof assembly->shape[0]);
    return finish(assembly, 8, 1, error);
}

const struct quantisation_scheme scheme_packed_integers = {
    "pack-quantized",
    ".weight_packed",
    {".weight_scale", ".weight_shape", ".weight_zero_point", ".weight_g_idx"},
    2,
    ".weight",
    recognise_packed,
    assemble_packed};
const struct quantisation_scheme scheme_integers = {
    "int-quantized", ".weight",     {".weight_scale", ".weight_zero_point"}, 1, ".weight",
    recognise_bytes, assemble_bytes};
