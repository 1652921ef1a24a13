/* families_h.c - blocks under transformer.h.{L} (or h.{L}) and gpt_neox.layers.{L}.
 * Source: the public modelling code of each family.                            */
#include "rules.h"

/* Conv1D: stored [in, out], so that the columns are cut.                       */
#define CONV1D "gpt2 jais imagegpt openai-gpt"

static const struct llmfp_rule h_rules[] = {
    /* attention */
    RULE_IF("attn.c_attn", ATTN_QKV, .models = CONV1D, .layout = &llmfp_cat_thirds_columns),
    /* [H, 3 H]: of all families with this name only Conv1D ones are so shaped. */
    RULE_IF("attn.c_attn", ATTN_QKV, .models = "-", .leaves = LEAF_WEIGHT, .when = WHEN_THREE_WIDE,
            .layout = &llmfp_cat_thirds_columns),
    RULE_IF("attn.c_attn", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE("attn.c_proj", ATTN_O),

    /* norms */
    RULE("ln_1", NORM_ATTN),
    RULE("ln_2", NORM_MLP),

    /* feed-forward */
    RULE("mlp.c_fc", MLP_UP),
    RULE("mlp.c_proj", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_h = RULES(h_rules);

static const struct llmfp_rule neox_rules[] = {
    RULE_IF("attention.query_key_value", ATTN_QKV, .layout = &llmfp_head3_qkv),
    RULE("attention.dense", ATTN_O),
    RULE("input_layernorm", NORM_ATTN),
    RULE("post_attention_layernorm", NORM_MLP),
    RULE("mlp.dense_h_to_4h", MLP_UP),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_neox = RULES(neox_rules);
