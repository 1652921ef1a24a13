/* kernels.h - the kernels of all encodings: bytes straight into exact moments.
 * Each is the `add` of one row of the table in encoding.c; see llmfp/encoding.h. */
#ifndef LLMFP_KERNELS_H
#define LLMFP_KERNELS_H

#include "llmfp/encoding.h"
#include "llmfp/moments.h"

typedef void llmfp_kernel(struct llmfp_moments *moments, const struct llmfp_elements *elements);

llmfp_kernel llmfp_add_f64;
llmfp_kernel llmfp_add_f32;
llmfp_kernel llmfp_add_f16;
llmfp_kernel llmfp_add_bf16;
llmfp_kernel llmfp_add_f8_e4m3;
llmfp_kernel llmfp_add_f8_e5m2;
llmfp_kernel llmfp_add_f8_e4m3fnuz;
llmfp_kernel llmfp_add_f8_e5m2fnuz;
llmfp_kernel llmfp_add_f8_e4m3_scaled;
llmfp_kernel llmfp_add_f8_e5m2_scaled;
llmfp_kernel llmfp_add_f4_e8m0;
llmfp_kernel llmfp_add_f4_e4m3;
llmfp_kernel llmfp_add_gptq;
llmfp_kernel llmfp_add_awq;
llmfp_kernel llmfp_add_lookup4;
llmfp_kernel llmfp_add_integer_rows;

/* The `check` of encodings that have one. */
enum llmfp_status llmfp_check_gptq(const struct llmfp_sides *sides, struct llmfp_error *error);
enum llmfp_status llmfp_check_lookup4(const struct llmfp_sides *sides, struct llmfp_error *error);

enum llmfp_status llmfp_check_integer_rows(const struct llmfp_sides *sides,
                                           struct llmfp_error *error);

#endif
