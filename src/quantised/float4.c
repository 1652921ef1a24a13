/* float4.c - E2M1 codes in bytes, and their scales: MXFP4 and NVFP4.
 *
 *   MXFP4  X_blocks U8 [..., rows, groups, 16] with X_scales U8 [..., rows, groups]
 *          (transformers); X.blocks with X.scales (the publisher's own files);
 *          X.weight_packed U8 [rows, columns / 2] with X.weight_scale U8 [rows, columns / 32]
 *          (compressed-tensors)
 *   NVFP4  X.weight U8 [rows, columns / 2] with X.weight_scale F8_E4M3 [rows, columns / 16]
 *          and X.weight_scale_2 F32 [] (ModelOpt). compressed-tensors has X.weight_packed and
 *          X.weight_global_scale F32 [1] instead, which divides: its odd part is the divisor
 *          (llmfp/divisor.h), its power of two goes into the numerators.            */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

static enum llmfp_status fail_scales(const struct llmfp_tensor *codes,
                                     const struct llmfp_tensor *scale, const char *wanted,
                                     struct llmfp_error *error)
{
    return llmfp_fail(
        error, LLMFP_CHECKPOINT,
        "its %" PRIu64 " scales of %s do not fit its %" PRIu64 " bytes of codes (%s expected)",
        scale->n_elements, llmfp_encoding(scale->encoding)->name, codes->n_elements, wanted);
}

/* The shape of the codes without axis `drop`, and with the last axis times `times`. */
static void set_shape(struct assembly *assembly, uint32_t n_dimensions, uint64_t last)
{
    struct llmfp_tensor *tensor = &assembly->tensor;
    memcpy(assembly->shape, assembly->codes->shape, (n_dimensions - 1) * sizeof(uint64_t));
    assembly->shape[n_dimensions - 1] = last;
    tensor->shape = assembly->shape;
    tensor->n_dimensions = n_dimensions;
    tensor->n_elements = 2 * assembly->codes->n_elements;
}

static bool leading_axes_agree(const struct llmfp_tensor *a, const struct llmfp_tensor *b,
                               uint32_t n)
{
    return memcmp(a->shape, b->shape, n * sizeof *a->shape) == 0;
}

/* ---- blocks of 16 bytes with an axis of their own ---- */

static bool recognise_blocks(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_U8;
}

static enum llmfp_status assemble_blocks(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *scale = assembly->found[0];
    const uint32_t n = codes->n_dimensions;
    if (n < 3 || n > 8 || codes->shape[n - 1] != 16 || scale->n_dimensions != n - 1 ||
        (scale->encoding != LLMFP_U8 && scale->encoding != LLMFP_F8_E8M0) ||
        !leading_axes_agree(codes, scale, n - 1)) {
        return fail_scales(codes, scale, "16 bytes of codes for each E8M0 scale", error);
    }
    set_shape(assembly, n - 1, codes->shape[n - 2] * 32);
    assembly->tensor.encoding = LLMFP_F4_E8M0;
    return LLMFP_OK;
}

/* ---- codes of a row side by side ---- */

static enum llmfp_status assemble_rows(struct assembly *assembly, enum llmfp_encoding_id encoding,
                                       uint64_t block_bytes, const char *wanted,
                                       struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *scale = assembly->found[0];
    const uint32_t n = codes->n_dimensions;
    if (n < 2 || n > 8 || scale->n_dimensions != n || !leading_axes_agree(codes, scale, n - 1) ||
        codes->shape[n - 1] % block_bytes != 0 ||
        scale->shape[n - 1] != codes->shape[n - 1] / block_bytes) {
        return fail_scales(codes, scale, wanted, error);
    }
    set_shape(assembly, n, codes->shape[n - 1] * 2);
    assembly->tensor.encoding = encoding;
    return LLMFP_OK;
}

static bool recognise_mxfp4_packed(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_U8 && (assembly->found[0]->encoding == LLMFP_U8 ||
                                                     assembly->found[0]->encoding == LLMFP_F8_E8M0);
}

static enum llmfp_status assemble_mxfp4_packed(struct assembly *assembly, struct llmfp_error *error)
{
    return assemble_rows(assembly, LLMFP_F4_E8M0, 16, "16 bytes of codes for each E8M0 scale",
                         error);
}

static bool recognise_nvfp4(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_U8 && assembly->found[0]->encoding == LLMFP_F8_E4M3;
}

static enum llmfp_status assemble_nvfp4(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *all = assembly->found[1];
    if (all->encoding != LLMFP_F32 || all->n_elements != 1) {
        return fail_scales(assembly->codes, all, "one F32 scale of the whole tensor", error);
    }
    return assemble_rows(assembly, LLMFP_F4_E4M3, 8, "8 bytes of codes for each E4M3 scale", error);
}

/* value = divisor 2^exponent with an odd divisor; for positive finite values. */
static uint32_t odd_part(float value, int *exponent)
{
    enum { MANTISSA_BITS = 24 };
    const float fraction = frexpf(value, exponent);
    uint32_t divisor = (uint32_t)ldexpf(fraction, MANTISSA_BITS);
    const int zeros = __builtin_ctz(divisor);
    *exponent += zeros - MANTISSA_BITS;
    return divisor >> zeros;
}

static enum llmfp_status assemble_divided(struct assembly *assembly, struct llmfp_error *error)
{
    enum { GLOBAL = 1 };
    unsigned char bytes[sizeof(float)];
    float scale;
    enum llmfp_status status = assemble_nvfp4(assembly, error);
    if (status == LLMFP_OK) {
        status = assembly_read(assembly, assembly->found[GLOBAL], bytes, sizeof bytes, error);
    }
    if (status != LLMFP_OK) {
        return status;
    }
    const uint32_t bits = llmfp_load_u32(bytes);
    memcpy(&scale, &bits, sizeof scale);
    if (!isfinite(scale) || scale <= 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its weight_global_scale is %.9g, and its values are divided by it: only "
                          "a positive number makes sense, the file is damaged",
                          (double)scale);
    }
    int exponent;
    assembly->tensor.encoding = LLMFP_F4_E4M3_DIVIDED;
    assembly->storage.divisor = odd_part(scale, &exponent);
    assembly->storage.parameters[0] = (uint64_t)(int64_t)-exponent;
    return LLMFP_OK;
}

const struct quantisation_scheme scheme_mxfp4 = {"MXFP4",   "_blocks",        {"_scales"},    1,
                                                 "_blocks", recognise_blocks, assemble_blocks};
const struct quantisation_scheme scheme_mxfp4_original = {
    "MXFP4", ".blocks", {".scales"}, 1, ".blocks", recognise_blocks, assemble_blocks};
const struct quantisation_scheme scheme_mxfp4_packed = {
    "MXFP4, packed", ".weight_packed",       {".weight_scale"},    1,
    ".weight",       recognise_mxfp4_packed, assemble_mxfp4_packed};
const struct quantisation_scheme scheme_nvfp4 = {
    "NVFP4",         ".weight",     {".weight_scale", ".weight_scale_2"}, 2, ".weight",
    recognise_nvfp4, assemble_nvfp4};
const struct quantisation_scheme scheme_nvfp4_divided = {
    "NVFP4, divided", ".weight_packed", {".weight_scale", ".weight_global_scale"}, 2, ".weight",
    recognise_nvfp4,  assemble_divided};
