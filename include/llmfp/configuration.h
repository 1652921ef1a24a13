/* llmfp/configuration.h - sizes from a checkpoint's configuration.   core, no MPI
 *
 * Head counts and widths decide where fused tensors split, so a value is here
 * only when it is certain: stated in config.json (or params.json, Meta's
 * and Mistral's own, where that is not there), or the documented default of
 * that model class. Otherwise it is 0 ("not known").
 * Source of names and defaults: each family's public configuration class.      */
#ifndef LLMFP_CONFIGURATION_H
#define LLMFP_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmfp/error.h"

#define LLMFP_NAME_BYTES 128

/* Models that state head counts layer by layer: at most this many layers.      */
enum { LLMFP_LISTED_LAYERS = 256 };

struct llmfp_own_rules;

struct llmfp_configuration {
    char architecture[LLMFP_NAME_BYTES]; /* architectures[0], else model_type, else "" */
    char model_type
        [LLMFP_NAME_BYTES]; /* of the language model (text_config inside), else by its class */
    uint64_t n_layers;      /* of the decoder in an encoder-decoder */
    uint64_t hidden;        /* H */
    uint64_t heads;         /* h, query heads */
    uint64_t kv_heads;      /* k */
    uint64_t head_size;     /* d; with latent attention that of q (nope + rope) */
    uint64_t feed_forward;  /* I, dense */
    uint64_t expert_feed_forward;  /* I of one routed expert, where stated apart */
    uint64_t shared_feed_forward;  /* I of the shared expert, where stated */
    uint64_t experts;              /* E, routed */
    bool present;                  /* a config.json was there */
    bool publisher_sizes;          /* or rather the publisher's own params.json */
    bool dense;                    /* E is stated, and is 0 */
    bool multi_query;              /* falcon, gpt_bigcode, chatglm (class default applied) */
    bool new_decoder_architecture; /* falcon */
    bool sandwich_norm;            /* openPangu: norms on both sides of each half */
    bool latent_attention;         /* MLA: keys and values from a low-rank projection */
    bool post_norm;                /* opt: norms behind attention and feed-forward */
    bool output_gate;              /* Megatron: the query projection also makes a gate */
    bool tied_embeddings;
    /* Rules of the user's own that go before all others; borrowed, NULL: none. Not from
     * config.json.                                                              */
    const struct llmfp_own_rules *own_rules;
    uint32_t n_listed_layers; /* 0 where all layers are alike (h and k above hold) */
    uint32_t layer_heads[LLMFP_LISTED_LAYERS];
    uint32_t layer_kv_heads[LLMFP_LISTED_LAYERS]; /* 0: no softmax attention there */
    bool layer_linear[LLMFP_LISTED_LAYERS];       /* kimi_linear: linear attention there */
};

/* Read the sizes out of llmfp_checkpoint.configuration, or of the text of one config.json
 * (NULL when there is none: everything unknown).                          Local.
 * A key that is absent takes the default of its model type where that is
 * documented (configuration_defaults.c); null key/value heads mean "as many as
 * query heads". Unknown keys are ignored; NaN and Infinity, which Python writes,
 * are accepted where no size stands. A list of sizes counts as that size when all
 * are equal, else as not known (of the numbers of experts, the first counts).
 * Errors: LLMFP_CHECKPOINT for text that is not JSON or holds impossible sizes
 * (no number, negative, fractional, above 2^31); names the key and the value.
 * LLMFP_FATAL without memory.                                                  */
enum llmfp_status llmfp_configuration_read(const char *texts, size_t n_bytes,
                                           struct llmfp_configuration *configuration,
                                           struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
