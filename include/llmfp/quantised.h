/* llmfp/quantised.h - tensors of codes and their scales become one tensor each.
 *                                                                core, no MPI
 * Quantisers store a weight as several tensors: codes, scales, zero points. What
 * they mean follows from their names, types and shapes, and from the
 * "quantization_config" in config.json, or files that quantisers write beside it. After this step each weight is one tensor
 * with its logical shape, and its scales are its sides; the value of an element is
 * what the format's definition says in real arithmetic:
 *   scaled 8-bit floats   code * scale of its block, row or tensor
 *   MXFP4                 E2M1 code * 2^(scale - 127) of its 32 elements
 *   NVFP4 (ModelOpt)      E2M1 code * E4M3 scale of its 16 elements * scale of the tensor
 *   GPTQ, AWQ             scale of its group and output * (code - zero point)
 *   compressed-tensors    scale of its group and row * (code - zero point)
 *   NF4, FP4              quant_map[code] * absmax of its block
 *   MLX                   scale of its group * code + bias of its group
 * One row of the table in src/quantised/quantised.c and one file there add a scheme. */
#ifndef LLMFP_QUANTISED_H
#define LLMFP_QUANTISED_H

#include <stddef.h>

#include "llmfp/catalog.h"
#include "llmfp/error.h"

/* Put the quantised tensors of a finished catalog together. The order of the tensors
 * stays that of the codes. `configuration` is llmfp_checkpoint.configuration, or the text
 * of one config.json, or NULL.
 * Local; reads the small texts that say the shapes of bitsandbytes' weights, so an error
 * may be one rank's alone, and ranks must agree.
 * Errors: LLMFP_CHECKPOINT: a tensor whose scales do not fit it, or a quantisation that
 * cannot be summed exactly; names the tensor and what was expected. LLMFP_FATAL without
 * memory.                                                                       */
enum llmfp_status llmfp_quantised_assemble(struct llmfp_catalog *catalog, const char *configuration,
                                           size_t configuration_bytes,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
