/* gptq.c - X.qweight with X.scales and X.qzeros: GPTQ (with X.g_idx) and AWQ.
 *
 *   GPTQ  qweight I32 [inputs * bits / 32, outputs], qzeros I32 [groups, outputs * bits / 32],
 *         scales [groups, outputs], g_idx I32 [inputs]
 *   AWQ   qweight I32 [inputs, outputs / 8], qzeros I32 [groups, outputs / 8],
 *         scales [groups, outputs]
 * Bits follow from the shapes; which zero points GPTQ stores, from the configuration.   */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

static enum llmfp_status fail_shapes(const struct assembly *assembly, const char *what,
                                     struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "its qweight of %" PRIu64 " words, scales (%" PRIu64 ") and qzeros (%" PRIu64
                      ") do not fit together as %s",
                      assembly->codes->n_elements, assembly->found[0]->n_elements,
                      assembly->found[1]->n_elements, what);
}

/* Matrices of the right types, none of them empty, with as many groups of scales as of zeros. */
static bool are_matrices(const struct assembly *assembly)
{
    const struct llmfp_tensor *scales = assembly->found[0];
    const struct llmfp_tensor *zeros = assembly->found[1];
    return assembly->codes->n_dimensions == 2 && assembly->codes->encoding == LLMFP_I32 &&
           assembly->codes->n_elements > 0 && scales->n_dimensions == 2 && scales->n_elements > 0 &&
           (scales->encoding == LLMFP_F16 || scales->encoding == LLMFP_BF16 ||
            scales->encoding == LLMFP_F32) &&
           zeros->n_dimensions == 2 && zeros->encoding == LLMFP_I32 && zeros->n_elements > 0 &&
           zeros->shape[0] == scales->shape[0];
}

static bool set_weight(struct assembly *assembly, uint64_t inputs, uint64_t outputs)
{
    struct llmfp_tensor *tensor = &assembly->tensor;
    assembly->shape[0] = outputs;
    assembly->shape[1] = inputs;
    tensor->shape = assembly->shape;
    tensor->n_dimensions = 2;
    assembly->storage.order = LLMFP_ORDER_COLUMNS;
    assembly->storage.parameters[0] = inputs;
    assembly->storage.parameters[1] = outputs;
    return llmfp_multiply_u64(inputs, outputs, &tensor->n_elements);
}

/* Inputs of a group: as configured, or all of them for one group; 0: they do not fit. */
static uint64_t group_inputs(const struct assembly *assembly, uint64_t inputs)
{
    const int64_t configured = assembly->settings->group_size;
    const uint64_t n_groups = assembly->found[0]->shape[0];
    const uint64_t group = configured > 0 ? (uint64_t)configured : inputs;
    return inputs / group + (inputs % group != 0) == n_groups ? group : 0;
}

/* ---- GPTQ ---- */

static bool is_method(const struct assembly *assembly, const char *method)
{
    return strcmp(assembly->settings->method, method) == 0;
}

/* Other methods use the same names: AWQ never has g_idx, and says what it is. */
static bool recognise_gptq(const struct assembly *assembly)
{
    return is_method(assembly, "gptq") ||
           (assembly->settings->method[0] == '\0' && assembly->found[2] != NULL);
}

/* 1 or 2, or 0 for a format that is not read. */
static unsigned version_of(const struct assembly *assembly)
{
    const char *format = assembly->settings->format;
    if (strcmp(format, "gptq_v2") == 0) {
        return 2;
    }
    return format[0] == '\0' || strcmp(format, "gptq") == 0 ? 1 : 0;
}

/* 2, 3, 4, 8 as the shapes say, or 0. */
static unsigned bits_of(const struct assembly *assembly)
{
    static const unsigned all[] = {2, 3, 4, 8};
    const uint64_t outputs = assembly->codes->shape[1];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        uint64_t bits;
        if (llmfp_multiply_u64(outputs, all[i], &bits) && bits % 32 == 0 &&
            bits / 32 == assembly->found[1]->shape[1]) {
            return all[i];
        }
    }
    return 0;
}

static enum llmfp_status set_gptq(struct assembly *assembly, unsigned bits, unsigned version,
                                  struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    const struct llmfp_tensor *groups = assembly->found[2];
    struct llmfp_tensor *tensor = &assembly->tensor;
    const unsigned words = bits == 3 ? 3 : 1;
    const unsigned band_rows = 32 * words / bits;
    uint64_t inputs;
    if (codes->shape[0] % words != 0 ||
        !llmfp_multiply_u64(codes->shape[0] / words, band_rows, &inputs) ||
        codes->shape[1] != assembly->found[0]->shape[1] ||
        !set_weight(assembly, inputs, codes->shape[1])) {
        return fail_shapes(assembly, "GPTQ", error);
    }
    if (groups != NULL && (groups->encoding != LLMFP_I32 || groups->n_elements != inputs)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its g_idx has %" PRIu64 " elements of %s; %" PRIu64 " of I32 expected",
                          groups->n_elements, llmfp_encoding(groups->encoding)->name, inputs);
    }
    tensor->encoding = LLMFP_GPTQ;
    assembly->storage.interleave = band_rows;
    assembly->storage.block = (struct llmfp_block){band_rows, 4};
    if (bits == 3) { /* a code may lie in two words, which are a row apart */
        assembly->storage.block = (struct llmfp_block){32 * codes->shape[1], 12 * codes->shape[1]};
    }
    assembly->storage.parameters[2] = group_inputs(assembly, inputs);
    assembly->storage.parameters[3] = bits + 256 * version;
    return groups != NULL || assembly->storage.parameters[2] != 0
               ? LLMFP_OK
               : fail_shapes(assembly, "GPTQ without g_idx", error);
}

static enum llmfp_status assemble_gptq(struct assembly *assembly, struct llmfp_error *error)
{
    const struct quantisation_settings *settings = assembly->settings;
    const unsigned version = version_of(assembly);
    if (version == 0) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its GPTQ format \"%s\" is not read; gptq and gptq_v2 are",
                          settings->format);
    }
    if (!settings->present) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "there is no quantization_config in config.json, and no "
                          "quantize_config.json, to say how GPTQ's zero points are stored; add it "
                          "(checkpoint_format \"gptq\" or \"gptq_v2\")");
    }
    const unsigned bits = are_matrices(assembly) ? bits_of(assembly) : 0;
    if (bits == 0 || (settings->bits != 0 && settings->bits != bits && !settings->dynamic)) {
        return fail_shapes(assembly, "GPTQ of 2, 3, 4 or 8 bits, as config.json has it", error);
    }
    return set_gptq(assembly, bits, version, error);
}

/* ---- AWQ ---- */

static bool recognise_awq(const struct assembly *assembly)
{
    return is_method(assembly, "awq");
}

static enum llmfp_status assemble_awq(struct assembly *assembly, struct llmfp_error *error)
{
    const struct quantisation_settings *settings = assembly->settings;
    const struct llmfp_tensor *codes = assembly->codes;
    if ((settings->version[0] != '\0' && strcmp(settings->version, "gemm") != 0 &&
         strcmp(settings->version, "GEMM") != 0) ||
        (settings->bits != 0 && settings->bits != 4)) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "AWQ of version \"%s\" and %" PRIu64
                          " bits is not read; version gemm of 4 bits is",
                          settings->version, settings->bits);
    }
    if (!are_matrices(assembly) || assembly->found[0]->shape[1] / 8 != codes->shape[1] ||
        assembly->found[0]->shape[1] % 8 != 0 || assembly->found[1]->shape[1] != codes->shape[1] ||
        !set_weight(assembly, codes->shape[0], assembly->found[0]->shape[1])) {
        return fail_shapes(assembly, "AWQ of 4 bits, version gemm", error);
    }
    struct llmfp_tensor *tensor = &assembly->tensor;
    tensor->encoding = LLMFP_AWQ;
    assembly->storage.interleave = 1;
    assembly->storage.block = (struct llmfp_block){8, 4};
    assembly->storage.parameters[2] = group_inputs(assembly, codes->shape[0]);
    return assembly->storage.parameters[2] != 0
               ? LLMFP_OK
               : fail_shapes(assembly, "AWQ with its group_size", error);
}

/* ---- all others with these names ---- */

static bool recognise_any(const struct assembly *assembly)
{
    (void)assembly;
    return true;
}

static enum llmfp_status refuse(struct assembly *assembly, struct llmfp_error *error)
{
    return llmfp_fail(
        error, LLMFP_CHECKPOINT,
        "it is packed by the method \"%s\" (quant_method in config.json), which is not "
        "read; gptq and awq are",
        assembly->settings->method);
}

const struct quantisation_scheme scheme_gptq = {
    "GPTQ",         ".qweight",   {".scales", ".qzeros", ".g_idx"}, 2, ".weight",
    recognise_gptq, assemble_gptq};
const struct quantisation_scheme scheme_awq = {
    "AWQ", ".qweight", {".scales", ".qzeros"}, 2, ".weight", recognise_awq, assemble_awq};
const struct quantisation_scheme scheme_qweight = {"packed words", ".qweight",    {NULL}, 0,
                                                   ".weight",      recognise_any, refuse};
