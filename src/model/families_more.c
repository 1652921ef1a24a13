/* families_more.c - smaller naming styles: gpt_neox, chatglm, OpenELM, Grok-1, the
 * `mixer` blocks of nemotron_h, and phi-1's nameless sequence of layers.
 * Source: the public modelling code of each family.                            */
#include "rules.h"

static const struct llmfp_rule neox_rules[] = {
    RULE_IF("attention.query_key_value", ATTN_QKV, .layout = &llmfp_head3_qkv),
    RULE("attention.dense", ATTN_O),
    RULE("input_layernorm", NORM_ATTN),
    RULE("post_attention_layernorm", NORM_MLP),
    RULE("mlp.dense_h_to_4h", MLP_UP),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_neox = RULES(neox_rules);

/* The first chatglm; its configuration has no head size, unlike that of later ones. */
static const struct llmfp_rule chatglm_first_rules[] = {
    RULE_IF("attention.query_key_value", ATTN_QKV, .layout = &llmfp_head3_thirds),
};

const struct llmfp_rules llmfp_rules_chatglm_first = RULES(chatglm_first_rules);

/* chatglm2, chatglm3, glm-4-9b-chat; the feed-forward part is gated, unlike v1's. */
static const struct llmfp_rule chatglm_rules[] = {
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "chatglm",
            .when = WHEN_MULTI_QUERY, .layout = &llmfp_cat_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "chatglm",
            .layout = &llmfp_head3_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE("self_attention.dense", ATTN_O),
    RULE("input_layernorm", NORM_ATTN),
    RULE("post_attention_layernorm", NORM_MLP),
    RULE_IF("mlp.dense_h_to_4h", ROLE_OTHER, .layout = &llmfp_half_gate_up_of_2i),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_chatglm = RULES(chatglm_rules);

/* Head counts and widths differ from layer to layer.                           */
static const struct llmfp_rule openelm_rules[] = {
    RULE_IF("attn.qkv_proj", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE("attn.out_proj", ATTN_O),
    RULE("attn.q_norm", ATTN_Q_NORM),
    RULE("attn.k_norm", ATTN_K_NORM),
    RULE("attn_norm", NORM_ATTN),
    RULE("ffn_norm", NORM_MLP),
    RULE_IF("ffn.proj_1", ROLE_OTHER, .layout = &llmfp_half_gate_up),
    RULE("ffn.proj_2", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_openelm = RULES(openelm_rules);

static const struct llmfp_rule grok_rules[] = {
    RULE("multi_head_attention.query", ATTN_Q),
    RULE("multi_head_attention.key", ATTN_K),
    RULE("multi_head_attention.value", ATTN_V),
    RULE("multi_head_attention.linear", ATTN_O),
    RULE("rms_norm", NORM_ATTN),
    RULE("rms_norm_1", NORM_ATTN_POST),
    RULE("rms_norm_2", NORM_MLP),
    RULE("rms_norm_3", NORM_MLP_POST),
    RULE("router", MOE_ROUTER),
    RULE("moe.{E}.linear", MLP_GATE),
    RULE("moe.{E}.linear_v", MLP_UP),
    RULE("moe.{E}.linear_1", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_grok = RULES(grok_rules);

/* One mixer a layer: attention, feed-forward or state space. Only the names of the
 * first two are here; the norm before it is that of whatever follows.          */
static const struct llmfp_rule mixer_rules[] = {
    RULE("q_proj", ATTN_Q),
    RULE("k_proj", ATTN_K),
    RULE("v_proj", ATTN_V),
    RULE("o_proj", ATTN_O),
    RULE("up_proj", MLP_UP),
    RULE("down_proj", MLP_DOWN),
    RULE("experts.{E}.up_proj", MLP_UP),
    RULE("experts.{E}.down_proj", MLP_DOWN),
    RULE_IF("gate", MOE_ROUTER, .when = WHEN_ROUTER),
    RULE_IF("gate.e_score_correction_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE("shared_experts.up_proj", MOE_SHARED_UP),
    RULE("shared_experts.down_proj", MOE_SHARED_DOWN),
};

const struct llmfp_rules llmfp_rules_mixer = RULES(mixer_rules);

/* plamo 2 and 3: the mixer is attention or a state space. */
static const struct llmfp_rule plamo_mixer_rules[] = {
    RULE_IF("qkv_proj", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE("o_proj", ATTN_O),
};

const struct llmfp_rules llmfp_rules_plamo_mixer = RULES(plamo_mixer_rules);

/* phi-1 as first published: embedding, blocks and head are one list.           */
static const struct llmfp_rule sequential_rules[] = {
    RULE_IF("mixer.Wqkv", ATTN_QKV, .layout = &llmfp_cat_thirds),
    RULE("mixer.out_proj", ATTN_O),
    RULE("mlp.fc1", MLP_UP),
    RULE("mlp.fc2", MLP_DOWN),
    RULE("linear", LM_HEAD),
    RULE_IF("ln", NORM_FINAL, .when = WHEN_PAST_LAST),
    RULE("ln", NORM_ATTN),
};

const struct llmfp_rules llmfp_rules_sequential = RULES(sequential_rules);
