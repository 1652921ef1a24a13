/* bitsandbytes.c - NF4 and FP4 weights of bitsandbytes, and its 8-bit integers (LLM.int8).
 *
 *   4 bits  X.weight (the bytes of the codes, U8 [bytes, 1] or another type of storage) with
 *   X.weight.absmax, X.weight.quant_map and X.weight.quant_state.bitsandbytes__nf4 (or
 *   __fp4), a JSON text in bytes that says shape and block size. With double quantisation
 *   absmax is U8, and X.weight.nested_absmax and X.weight.nested_quant_map are there.
 *
 *   8 bits  X.weight I8 [rows, columns] with X.SCB F32 [rows], the largest magnitude of each
 *   row, and perhaps X.weight_format U8 [], of which 0 stands for rows one behind the other.
 *   value = code * SCB / 127 in real arithmetic: the sums are those of code * SCB, with 127 as
 *   the divisor (llmfp/divisor.h).
 * Source: bitsandbytes/functional.py and nn/modules.py.                               */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "scheme.h"

enum { SCB, WEIGHT_FORMAT, LARGEST_CODE = 127 };
enum { ABSMAX, MAP, STATE, NESTED_ABSMAX, NESTED_MAP, MOST_STATE_BYTES = 64 << 10 };

/* What the quant_state says; 0 where it is silent. */
struct state {
    uint64_t shape[8];
    uint32_t n_dimensions;
    uint64_t block;
    uint64_t nested_block;
    double nested_offset;
};

static uint64_t positive(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 1.0 && item->valuedouble <= 0x1p53
               ? (uint64_t)item->valuedouble
               : 0;
}

static bool fill(const cJSON *root, struct state *state)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(root, "shape");
    const int n = cJSON_GetArraySize(shape);
    if (!cJSON_IsArray(shape) || n < 1 || n > 8) {
        return false;
    }
    state->n_dimensions = (uint32_t)n;
    const cJSON *item = shape->child;
    for (int i = 0; i < n; i++, item = item->next) {
        state->shape[i] = positive(item);
    }
    state->block = positive(cJSON_GetObjectItemCaseSensitive(root, "blocksize"));
    state->nested_block = positive(cJSON_GetObjectItemCaseSensitive(root, "nested_blocksize"));
    const cJSON *offset = cJSON_GetObjectItemCaseSensitive(root, "nested_offset");
    state->nested_offset = cJSON_IsNumber(offset) ? offset->valuedouble : 0.0;
    return true;
}

static enum llmfp_status fail_state(struct llmfp_error *error)
{
    return llmfp_fail(error, LLMFP_CHECKPOINT,
                      "its quant_state is no JSON text with the shape and blocksize of the weight");
}

/* A small text inside a file of the checkpoint. */
static enum llmfp_status read_state(const struct assembly *assembly, struct state *state,
                                    struct llmfp_error *error)
{
    const struct llmfp_extent *extent = &assembly->found[STATE]->data;
    if (extent->size_bytes == 0 || extent->size_bytes > MOST_STATE_BYTES) {
        return fail_state(error);
    }
    char *text = malloc((size_t)extent->size_bytes);
    enum llmfp_status status =
        text == NULL ? llmfp_fail_memory(error, (size_t)extent->size_bytes, "a quant_state")
                     : assembly_read(assembly, assembly->found[STATE], text,
                                     (size_t)extent->size_bytes, error);
    if (status == LLMFP_OK) {
        cJSON *root = cJSON_ParseWithLength(text, (size_t)extent->size_bytes);
        status = root != NULL && fill(root, state) ? LLMFP_OK : fail_state(error);
        cJSON_Delete(root);
    }
    free(text);
    return status;
}

static bool is_f32(const struct llmfp_tensor *tensor, uint64_t n)
{
    return tensor->encoding == LLMFP_F32 && tensor->n_elements == n;
}

static uint64_t ceiling(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* The scales are as many as there are blocks, quantised themselves or not. */
static bool scales_fit(const struct assembly *assembly, const struct state *state,
                       uint64_t n_blocks)
{
    const struct llmfp_tensor *const *found = assembly->found;
    if (found[NESTED_ABSMAX] == NULL && found[NESTED_MAP] == NULL) {
        return is_f32(found[ABSMAX], n_blocks);
    }
    return found[NESTED_ABSMAX] != NULL && found[NESTED_MAP] != NULL &&
           found[ABSMAX]->encoding == LLMFP_U8 && found[ABSMAX]->n_elements == n_blocks &&
           state->nested_block != 0 && is_f32(found[NESTED_MAP], 256) &&
           is_f32(found[NESTED_ABSMAX], ceiling(n_blocks, state->nested_block)) &&
           (double)(float)state->nested_offset == state->nested_offset;
}

static bool count_elements(const struct state *state, uint64_t *n)
{
    *n = 1;
    for (uint32_t i = 0; i < state->n_dimensions; i++) {
        if (state->shape[i] == 0 || !llmfp_multiply_u64(*n, state->shape[i], n)) {
            return false;
        }
    }
    return true;
}

static bool recognise_4bit(const struct assembly *assembly)
{
    return assembly->found[ABSMAX] != NULL;
}

static enum llmfp_status assemble_4bit(struct assembly *assembly, struct llmfp_error *error)
{
    struct state state = {.n_dimensions = 0};
    const enum llmfp_status status = read_state(assembly, &state, error);
    if (status != LLMFP_OK) {
        return status;
    }
    struct llmfp_tensor *tensor = &assembly->tensor;
    uint64_t n;
    if (!count_elements(&state, &n) || state.block < 2 || state.block % 2 != 0 ||
        state.block > 1 << 16 || ceiling(n, 2) != assembly->codes->data.size_bytes ||
        !is_f32(assembly->found[MAP], 16) ||
        !scales_fit(assembly, &state, ceiling(n, state.block))) {
        return llmfp_fail(
            error, LLMFP_CHECKPOINT,
            "its %" PRIu64 " bytes of codes, absmax (%" PRIu64
            "), quant_map and quant_state (blocks of %" PRIu64 ") do not fit together",
            assembly->codes->data.size_bytes, assembly->found[ABSMAX]->n_elements, state.block);
    }
    memcpy(assembly->shape, state.shape, sizeof assembly->shape);
    tensor->shape = assembly->shape;
    tensor->n_dimensions = state.n_dimensions;
    tensor->n_elements = n;
    tensor->encoding = LLMFP_LOOKUP4;
    assembly->storage.block = (struct llmfp_block){state.block, state.block / 2};
    const float offset = (float)state.nested_offset;
    uint32_t offset_bits;
    memcpy(&offset_bits, &offset, sizeof offset_bits);
    assembly->storage.parameters[0] = n;
    assembly->storage.parameters[1] = state.block;
    assembly->storage.parameters[2] = assembly->found[NESTED_MAP] == NULL ? 0 : state.nested_block;
    assembly->storage.parameters[3] = offset_bits;
    return LLMFP_OK;
}

static bool recognise_int8(const struct assembly *assembly)
{
    return assembly->codes->encoding == LLMFP_I8;
}

/* Old versions could store the codes in tiles for the matrix units of a GPU. */
static enum llmfp_status check_format(const struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *format = assembly->found[WEIGHT_FORMAT];
    unsigned char code = 0;
    if (format == NULL) {
        return LLMFP_OK;
    }
    if (format->encoding != LLMFP_U8 || format->n_elements != 1) {
        return llmfp_fail(error, LLMFP_CHECKPOINT, "its weight_format is not one byte");
    }
    const enum llmfp_status status = assembly_read(assembly, format, &code, 1, error);
    return status != LLMFP_OK || code == 0
               ? status
               : llmfp_fail(error, LLMFP_CHECKPOINT,
                            "its codes are stored in tiles (weight_format %u; only 0, rows, is "
                            "read): load it with bitsandbytes and save it again",
                            code);
}

static enum llmfp_status assemble_int8(struct assembly *assembly, struct llmfp_error *error)
{
    const struct llmfp_tensor *codes = assembly->codes;
    if (codes->n_dimensions != 2 || codes->n_elements == 0 ||
        !is_f32(assembly->found[SCB], codes->shape[0])) {
        return llmfp_fail(error, LLMFP_CHECKPOINT,
                          "its %" PRIu64 " bytes of codes and %" PRIu64
                          " magnitudes (SCB, one F32 for each row of a matrix) do not fit together",
                          codes->n_elements, assembly->found[SCB]->n_elements);
    }
    assembly->tensor.encoding = LLMFP_INTEGER_ROWS;
    assembly->storage.divisor = LARGEST_CODE;
    assembly->storage.parameters[0] = codes->shape[1];
    assembly->storage.parameters[1] = codes->shape[1];
    assembly->storage.parameters[2] = 1 | UINT64_C(1) << 32; /* one group in each row */
    assembly->storage.parameters[3] = 8 | 2 << 8;
    return check_format(assembly, error);
}

#define SCHEME_4BIT(name_text, state)                                                              \
    {                                                                                              \
        (name_text), "",                                                                           \
            {".absmax", ".quant_map", (state), ".nested_absmax", ".nested_quant_map"}, 3, "",      \
            recognise_4bit, assemble_4bit                                                          \
    }
const struct quantisation_scheme scheme_nf4 = SCHEME_4BIT("NF4", ".quant_state.bitsandbytes__nf4");
const struct quantisation_scheme scheme_fp4 = SCHEME_4BIT("FP4", ".quant_state.bitsandbytes__fp4");
const struct quantisation_scheme scheme_int8 = {
    "LLM.int8", ".weight", {".SCB", ".weight_format"}, 1, ".weight", recognise_int8, assemble_int8};
