/* encoding.c - the table of encodings. One row each; kernels live in the files
 * that kernels.h names. Adding an encoding: its id in llmfp/encoding.h, a row
 * here, its kernel in one file of this folder, its tests.                     */
#include "llmfp/encoding.h"

#include <string.h>

#include "kernels.h"

/* Columns: name, kind, elements and bytes of a block, exponents, kernel, check.
 * Exponents for a float with e exponent bits, bias b and m mantissa bits: lowest
 * 1 - b - m (the unit of subnormals), highest one above the largest finite value. */
static const struct llmfp_encoding table[LLMFP_N_ENCODINGS] = {
    [LLMFP_F64] = {"F64", LLMFP_KIND_FLOAT, 1, 8, -1074, 1024, llmfp_add_f64, NULL},
    [LLMFP_F32] = {"F32", LLMFP_KIND_FLOAT, 1, 4, -149, 128, llmfp_add_f32, NULL},
    [LLMFP_F16] = {"F16", LLMFP_KIND_FLOAT, 1, 2, -24, 16, llmfp_add_f16, NULL},
    [LLMFP_BF16] = {"BF16", LLMFP_KIND_FLOAT, 1, 2, -133, 128, llmfp_add_bf16, NULL},
    [LLMFP_F8_E4M3] = {"F8_E4M3", LLMFP_KIND_FLOAT, 1, 1, -9, 9, llmfp_add_f8_e4m3, NULL},
    [LLMFP_F8_E5M2] = {"F8_E5M2", LLMFP_KIND_FLOAT, 1, 1, -16, 16, llmfp_add_f8_e5m2, NULL},
    [LLMFP_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", LLMFP_KIND_FLOAT, 1, 1, -10, 8, llmfp_add_f8_e4m3fnuz,
                           NULL},
    [LLMFP_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", LLMFP_KIND_FLOAT, 1, 1, -17, 16, llmfp_add_f8_e5m2fnuz,
                           NULL},
    /* Scales span -149 .. 128 (F32), and limbs may begin 32 bits lower (llmfp/moments.h). */
    [LLMFP_F8_E4M3_SCALED] = {"F8_E4M3_SCALED", LLMFP_KIND_FLOAT, 1, 1, -9 - 149 - 32, 9 + 128,
                              llmfp_add_f8_e4m3_scaled, NULL},
    [LLMFP_F8_E5M2_SCALED] = {"F8_E5M2_SCALED", LLMFP_KIND_FLOAT, 1, 1, -16 - 149 - 32, 16 + 128,
                              llmfp_add_f8_e5m2_scaled, NULL},
    [LLMFP_F4_E8M0] = {"F4_E8M0", LLMFP_KIND_FLOAT, 32, 16, -1 - 127, 3 + 128, llmfp_add_f4_e8m0,
                       NULL},
    [LLMFP_F4_E4M3] = {"F4_E4M3", LLMFP_KIND_FLOAT, 16, 8, -1 - 9 - 149, 3 + 9 + 128,
                       llmfp_add_f4_e4m3, NULL},
    /* The numerators: the power of two in the divisor spans -149 .. 127. */
    [LLMFP_F4_E4M3_DIVIDED] = {"F4_E4M3_DIVIDED", LLMFP_KIND_FLOAT, 16, 8, -1 - 9 - 127,
                               3 + 9 + 149, llmfp_add_f4_e4m3_divided, NULL},
    /* Codes minus zero points are below 2^9. */
    [LLMFP_GPTQ] = {"GPTQ", LLMFP_KIND_FLOAT, 8, 4, -149, 9 + 128, llmfp_add_gptq,
                    llmfp_check_gptq},
    [LLMFP_AWQ] = {"AWQ", LLMFP_KIND_FLOAT, 8, 4, -149, 9 + 128, llmfp_add_awq, NULL},
    /* F32 times (F32 times F32 plus F32). */
    [LLMFP_LOOKUP4] = {"LOOKUP4", LLMFP_KIND_FLOAT, 2, 1, -3 * 149, 3 * 128 + 1, llmfp_add_lookup4,
                       llmfp_check_lookup4},
    [LLMFP_INTEGER_ROWS] = {"INTEGER_ROWS", LLMFP_KIND_FLOAT, 1, 1, -149, 9 + 128,
                            llmfp_add_integer_rows, llmfp_check_integer_rows},
    /* F32 times codes below 2^8, plus F32. */
    [LLMFP_MLX] = {"MLX", LLMFP_KIND_FLOAT, 32, 16, -149, 9 + 128, llmfp_add_mlx, llmfp_check_mlx},
    /* Blocks of GGUF files: a binary16 scale (unit 2^-24, below 2^16) times an integer. */
    [LLMFP_Q1_0] = {"Q1_0", LLMFP_KIND_FLOAT, 128, 18, -24, 16, llmfp_add_q1_0, NULL},
    [LLMFP_Q2_0] = {"Q2_0", LLMFP_KIND_FLOAT, 64, 18, -24, 17, llmfp_add_q2_0, NULL},
    [LLMFP_Q4_0] = {"Q4_0", LLMFP_KIND_FLOAT, 32, 18, -24, 19, llmfp_add_q4_0, NULL},
    [LLMFP_Q4_1] = {"Q4_1", LLMFP_KIND_FLOAT, 32, 20, -24, 20, llmfp_add_q4_1, NULL},
    [LLMFP_Q5_0] = {"Q5_0", LLMFP_KIND_FLOAT, 32, 22, -24, 20, llmfp_add_q5_0, NULL},
    [LLMFP_Q5_1] = {"Q5_1", LLMFP_KIND_FLOAT, 32, 24, -24, 21, llmfp_add_q5_1, NULL},
    [LLMFP_Q8_0] = {"Q8_0", LLMFP_KIND_FLOAT, 32, 34, -24, 23, llmfp_add_q8_0, NULL},
    [LLMFP_Q8_1] = {"Q8_1", LLMFP_KIND_FLOAT, 32, 36, -24, 23, llmfp_add_q8_1, NULL},
    [LLMFP_Q2_K] = {"Q2_K", LLMFP_KIND_FLOAT, 256, 84, -24, 22, llmfp_add_q2_k, NULL},
    [LLMFP_Q3_K] = {"Q3_K", LLMFP_KIND_FLOAT, 256, 110, -24, 23, llmfp_add_q3_k, NULL},
    [LLMFP_Q4_K] = {"Q4_K", LLMFP_KIND_FLOAT, 256, 144, -24, 26, llmfp_add_q4_k, NULL},
    [LLMFP_Q5_K] = {"Q5_K", LLMFP_KIND_FLOAT, 256, 176, -24, 27, llmfp_add_q5_k, NULL},
    [LLMFP_Q6_K] = {"Q6_K", LLMFP_KIND_FLOAT, 256, 210, -24, 28, llmfp_add_q6_k, NULL},
    [LLMFP_Q8_K] = {"Q8_K", LLMFP_KIND_FLOAT, 256, 292, -149, 128 + 7, llmfp_add_q8_k, NULL},
    [LLMFP_IQ4_NL] = {"IQ4_NL", LLMFP_KIND_FLOAT, 32, 18, -24, 23, llmfp_add_iq4_nl, NULL},
    [LLMFP_IQ4_XS] = {"IQ4_XS", LLMFP_KIND_FLOAT, 256, 136, -24, 28, llmfp_add_iq4_xs, NULL},
    [LLMFP_TQ1_0] = {"TQ1_0", LLMFP_KIND_FLOAT, 256, 54, -24, 16, llmfp_add_tq1_0, NULL},
    [LLMFP_TQ2_0] = {"TQ2_0", LLMFP_KIND_FLOAT, 256, 66, -24, 17, llmfp_add_tq2_0, NULL},
    [LLMFP_MXFP4] = {"MXFP4", LLMFP_KIND_FLOAT, 32, 17, -1 - 127, 3 + 127, llmfp_add_mxfp4, NULL},
    [LLMFP_NVFP4] = {"NVFP4", LLMFP_KIND_FLOAT, 64, 36, -1 - 9, 3 + 9, llmfp_add_nvfp4, NULL},
    [LLMFP_IQ1_S] = {"IQ1_S", LLMFP_KIND_OTHER, 256, 50, 0, 0, NULL, NULL},
    [LLMFP_IQ1_M] = {"IQ1_M", LLMFP_KIND_OTHER, 256, 56, 0, 0, NULL, NULL},
    [LLMFP_IQ2_XXS] = {"IQ2_XXS", LLMFP_KIND_OTHER, 256, 66, 0, 0, NULL, NULL},
    [LLMFP_IQ2_XS] = {"IQ2_XS", LLMFP_KIND_OTHER, 256, 74, 0, 0, NULL, NULL},
    [LLMFP_IQ2_S] = {"IQ2_S", LLMFP_KIND_OTHER, 256, 82, 0, 0, NULL, NULL},
    [LLMFP_IQ3_XXS] = {"IQ3_XXS", LLMFP_KIND_OTHER, 256, 98, 0, 0, NULL, NULL},
    [LLMFP_IQ3_S] = {"IQ3_S", LLMFP_KIND_OTHER, 256, 110, 0, 0, NULL, NULL},
    [LLMFP_F8_E8M0] = {"F8_E8M0", LLMFP_KIND_OTHER, 1, 1, 0, 0, NULL, NULL},
    [LLMFP_F6_E2M3] = {"F6_E2M3", LLMFP_KIND_OTHER, 4, 3, 0, 0, NULL, NULL},
    [LLMFP_F6_E3M2] = {"F6_E3M2", LLMFP_KIND_OTHER, 4, 3, 0, 0, NULL, NULL},
    [LLMFP_F4] = {"F4", LLMFP_KIND_OTHER, 2, 1, 0, 0, NULL, NULL},
    [LLMFP_C64] = {"C64", LLMFP_KIND_OTHER, 1, 8, 0, 0, NULL, NULL},
    [LLMFP_I64] = {"I64", LLMFP_KIND_INTEGER, 1, 8, 0, 0, NULL, NULL},
    [LLMFP_I32] = {"I32", LLMFP_KIND_INTEGER, 1, 4, 0, 0, NULL, NULL},
    [LLMFP_I16] = {"I16", LLMFP_KIND_INTEGER, 1, 2, 0, 0, NULL, NULL},
    [LLMFP_I8] = {"I8", LLMFP_KIND_INTEGER, 1, 1, 0, 0, NULL, NULL},
    [LLMFP_U64] = {"U64", LLMFP_KIND_INTEGER, 1, 8, 0, 0, NULL, NULL},
    [LLMFP_U32] = {"U32", LLMFP_KIND_INTEGER, 1, 4, 0, 0, NULL, NULL},
    [LLMFP_U16] = {"U16", LLMFP_KIND_INTEGER, 1, 2, 0, 0, NULL, NULL},
    [LLMFP_U8] = {"U8", LLMFP_KIND_INTEGER, 1, 1, 0, 0, NULL, NULL},
    [LLMFP_BOOL] = {"BOOL", LLMFP_KIND_INTEGER, 1, 1, 0, 0, NULL, NULL},
};

const struct llmfp_encoding *llmfp_encoding(enum llmfp_encoding_id id)
{
    return &table[id];
}

/* Codes whose scales are elsewhere, and the blocks of GGUF: no dtypes of safetensors. */
static bool is_dtype(int id)
{
    return id < LLMFP_F8_E4M3_SCALED || id > LLMFP_IQ3_S;
}

bool llmfp_encoding_find(const char *name, size_t n_bytes, enum llmfp_encoding_id *id)
{
    for (int i = 0; i < LLMFP_N_ENCODINGS; i++) {
        if (is_dtype(i) && strlen(table[i].name) == n_bytes &&
            memcmp(table[i].name, name, n_bytes) == 0) {
            *id = (enum llmfp_encoding_id)i;
            return true;
        }
    }
    return false;
}
