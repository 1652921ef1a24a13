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
llmfp_kernel llmfp_add_f4_e4m3_divided;
llmfp_kernel llmfp_add_gptq;
llmfp_kernel llmfp_add_awq;
llmfp_kernel llmfp_add_lookup4;
llmfp_kernel llmfp_add_integer_rows;
llmfp_kernel llmfp_add_mlx;

/* The `check` of encodings that have one. */
enum llmfp_status llmfp_check_gptq(const struct llmfp_sides *sides, struct llmfp_error *error);
enum llmfp_status llmfp_check_lookup4(const struct llmfp_sides *sides, struct llmfp_error *error);

enum llmfp_status llmfp_check_integer_rows(const struct llmfp_sides *sides,
                                           struct llmfp_error *error);
enum llmfp_status llmfp_check_mlx(const struct llmfp_sides *sides, struct llmfp_error *error);
/* ggml_legacy.c, ggml_k.c, ggml_iq.c */
llmfp_kernel llmfp_add_q1_0;
llmfp_kernel llmfp_add_q2_0;
llmfp_kernel llmfp_add_q4_0;
llmfp_kernel llmfp_add_q4_1;
llmfp_kernel llmfp_add_q5_0;
llmfp_kernel llmfp_add_q5_1;
llmfp_kernel llmfp_add_q8_0;
llmfp_kernel llmfp_add_q8_1;
llmfp_kernel llmfp_add_q2_k;
llmfp_kernel llmfp_add_q3_k;
llmfp_kernel llmfp_add_q4_k;
llmfp_kernel llmfp_add_q5_k;
llmfp_kernel llmfp_add_q6_k;
llmfp_kernel llmfp_add_q8_k;
llmfp_kernel llmfp_add_iq4_nl;
llmfp_kernel llmfp_add_iq4_xs;
llmfp_kernel llmfp_add_tq1_0;
llmfp_kernel llmfp_add_tq2_0;
llmfp_kernel llmfp_add_mxfp4;
llmfp_kernel llmfp_add_nvfp4;

#endif
