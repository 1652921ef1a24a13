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
    /* Codes minus zero points are below 2^9. */
    [LLMFP_GPTQ] = {"GPTQ", LLMFP_KIND_FLOAT, 8, 4, -149, 9 + 128, llmfp_add_gptq,
                    llmfp_check_gptq},
    [LLMFP_AWQ] = {"AWQ", LLMFP_KIND_FLOAT, 8, 4, -149, 9 + 128, llmfp_add_awq, NULL},
    /* F32 times (F32 times F32 plus F32). */
    [LLMFP_LOOKUP4] = {"LOOKUP4", LLMFP_KIND_FLOAT, 2, 1, -3 * 149, 3 * 128 + 1, llmfp_add_lookup4,
                       llmfp_check_lookup4},
    [LLMFP_INTEGER_ROWS] = {"INTEGER_ROWS", LLMFP_KIND_FLOAT, 1, 1, -149, 9 + 128,
                            llmfp_add_integer_rows, llmfp_check_integer_rows},
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

/* Encodings of tensors that are put together from several; no dtype of a file. */
static bool needs_sides(enum llmfp_encoding_id id)
{
    return id >= LLMFP_F8_E4M3_SCALED && id < LLMFP_F8_E8M0;
}

bool llmfp_encoding_find(const char *name, size_t n_bytes, enum llmfp_encoding_id *id)
{
    for (int i = 0; i < LLMFP_N_ENCODINGS; i++) {
        if (needs_sides((enum llmfp_encoding_id)i)) { /* no file may claim it for one tensor */
            continue;
        }
        if (strlen(table[i].name) == n_bytes && memcmp(table[i].name, name, n_bytes) == 0) {
            *id = (enum llmfp_encoding_id)i;
            return true;
        }
    }
    return false;
}
