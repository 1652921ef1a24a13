/* adapter.h - files that hold what is added to a model's weights, and no model. */
#ifndef LLMFP_ADAPTER_H
#define LLMFP_ADAPTER_H

#include "llmfp/catalog.h"
#include "llmfp/error.h"

/* Errors: LLMFP_CHECKPOINT where all tensors are an adapter's; names one.     Local. */
enum llmfp_status llmfp_adapter_refuse(const struct llmfp_catalog *catalog,
                                       struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
