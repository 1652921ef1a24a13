/* llmfp/configuration.h - sizes from a checkpoint's config.json.   core, no MPI
 *
 * Head counts and widths decide where fused tensors split, so a value is here
 * only when it is certain: stated in config.json, or the documented default of
 * that model class. Otherwise it is 0 ("not known").
 * Source of names and defaults: each family's public configuration class.      */
#ifndef LLMFP_CONFIGURATION_H
#define LLMFP_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

#define LLMFP_NAME_BYTES 128

struct llmfp_configuration {
    char architecture[LLMFP_NAME_BYTES]; /* architectures[0], else model_type, else "" */
    char model_type[LLMFP_NAME_BYTES];   /* of the language model (text_config inside) */
    uint64_t n_layers;
    uint64_t hidden;               /* H */
    uint64_t heads;                /* h, query heads */
    uint64_t kv_heads;             /* k */
    uint64_t head_size;            /* d */
    uint64_t feed_forward;         /* I */
    uint64_t experts;              /* E, routed */
    bool present;                  /* a config.json was there */
    bool multi_query;              /* falcon, gpt_bigcode, chatglm (class default applied) */
    bool new_decoder_architecture; /* falcon */
    bool tied_embeddings;
};

/* Read config.json text (NULL when there is none: everything unknown).  Local.
 * Errors: LLMFP_CHECKPOINT for text that is not JSON or holds impossible sizes
 * (negative, fractional, above 2^31); names the key and the value.             */
enum llmfp_status llmfp_configuration_read(const char *text, size_t n_bytes,
                                           struct llmfp_configuration *configuration,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
