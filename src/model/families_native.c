/* families_native.c - the publishers' own formats: Meta and Mistral (layers.{L}),
 * internlm2, DeepSeek, gpt-oss (block.{L}) and Megatron (decoder.layers.{L}).
 * Source: the publishers' loaders, and public converters from these formats.   */
#include "rules.h"

static const struct llmfp_rule meta_rules[] = {
    RULE("attention.wq", ATTN_Q),
    RULE("attention.wk", ATTN_K),
    RULE("attention.wv", ATTN_V),
    RULE("attention.wo", ATTN_O),
    RULE_IF("attention.wqkv", ATTN_QKV, .models = "internlm2", .layout = &llmfp_group_qkv),
    RULE_IF("attention.wqkv", ATTN_QKV, .models = "llama4 llama4_text", .layout = &llmfp_cat_qkv),
    /* of the publishers, Llama 4's alone fuses */
    RULE_IF("attention.wqkv", ATTN_QKV, .when = WHEN_PUBLISHER, .layout = &llmfp_cat_qkv),
    RULE_IF("attention.wqkv", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("attention.wqkv.layer_norm_weight", NORM_ATTN, .leaves = LEAF_BARE),
    RULE("attention_norm", NORM_ATTN),
    RULE("ffn_norm", NORM_MLP),
    RULE("feed_forward.norm", NORM_MLP),
    RULE("feed_forward.w1", MLP_GATE),
    RULE("feed_forward.w3", MLP_UP),
    RULE("feed_forward.w2", MLP_DOWN),

    /* Mistral's mixtures, and latent attention */
    RULE("feed_forward.gate", MOE_ROUTER),
    RULE_IF("feed_forward.expert_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
    RULE("feed_forward.experts.{E}.w1", MLP_GATE),
    RULE("feed_forward.experts.{E}.w3", MLP_UP),
    RULE("feed_forward.experts.{E}.w2", MLP_DOWN),
    RULE("gate", MOE_ROUTER),
    RULE("experts.{E}.w1", MLP_GATE),
    RULE("experts.{E}.w3", MLP_UP),
    RULE("experts.{E}.w2", MLP_DOWN),
    RULE("shared_experts.w1", MOE_SHARED_GATE),
    RULE("shared_experts.w3", MOE_SHARED_UP),
    RULE("shared_experts.w2", MOE_SHARED_DOWN),
    RULE("attention.wq_a", ATTN_Q_A),
    RULE("attention.q_a_norm", ATTN_Q_A_NORM),
    RULE("attention.wq_b", ATTN_Q_B),
    RULE("attention.wkv_a_with_mqa", ATTN_KV_A),
    RULE("attention.kv_a_norm", ATTN_KV_A_NORM),
    RULE("attention.wkv_b", ATTN_KV_B),

    /* Llama 4 */
    RULE_IF("feed_forward.mlp.layer_norm_weight", NORM_MLP, .leaves = LEAF_BARE),
    RULE_IF("feed_forward.mlp.fc1_weight", ROLE_OTHER, .leaves = LEAF_BARE,
            .layout = &llmfp_half_gate_up),
    RULE_IF("feed_forward.mlp.fc2_weight", MLP_DOWN, .leaves = LEAF_BARE),
    RULE_IF("feed_forward.router_DE", MOE_ROUTER, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.experts.moe_w_in_eD_F", MLP_GATE, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.experts.moe_w_swiglu_eD_F", MLP_UP, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.experts.moe_w_out_eF_D", MLP_DOWN, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.w_in_shared_FD", MOE_SHARED_GATE, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.w_swiglu_FD", MOE_SHARED_UP, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("feed_forward.w_out_shared_DF", MOE_SHARED_DOWN, .leaves = LEAF_BARE | LEAF_WEIGHT),
};

const struct llmfp_rules llmfp_rules_meta = RULES(meta_rules);

/* DeepSeek's own names; q_norm and kv_norm stand behind the first matrices.    */
static const struct llmfp_rule deepseek_rules[] = {
    RULE("ffn.experts.{E}.w1", MLP_GATE),
    RULE("ffn.experts.{E}.w3", MLP_UP),
    RULE("ffn.experts.{E}.w2", MLP_DOWN),
    RULE("ffn.shared_experts.w1", MOE_SHARED_GATE),
    RULE("ffn.shared_experts.w3", MOE_SHARED_UP),
    RULE("ffn.shared_experts.w2", MOE_SHARED_DOWN),
    RULE("ffn.gate", MOE_ROUTER),
    RULE("ffn.w1", MLP_GATE),
    RULE("ffn.w3", MLP_UP),
    RULE("ffn.w2", MLP_DOWN),
    RULE("attn.wq", ATTN_Q),
    RULE("attn.wq_a", ATTN_Q_A),
    RULE("attn.q_norm", ATTN_Q_A_NORM),
    RULE("attn.wq_b", ATTN_Q_B),
    RULE("attn.wkv_a", ATTN_KV_A),
    RULE("attn.kv_norm", ATTN_KV_A_NORM),
    RULE("attn.wkv_b", ATTN_KV_B),
    RULE("attn.wo", ATTN_O),
    RULE("attn_norm", NORM_ATTN),
    RULE("ffn_norm", NORM_MLP),
};

const struct llmfp_rules llmfp_rules_deepseek = RULES(deepseek_rules);

static const struct llmfp_rule gpt_oss_rules[] = {
    RULE_IF("attn.qkv", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE("attn.out", ATTN_O),
    RULE_IF("attn.sinks", ATTN_SINK, .leaves = LEAF_BARE),
    RULE("attn.norm", NORM_ATTN),
    RULE("mlp.norm", NORM_MLP),
    RULE("mlp.gate", MOE_ROUTER),
    RULE_IF("mlp.mlp1_weight", ROLE_OTHER, .leaves = LEAF_BARE,
            .layout = &llmfp_stack_alternate_gate_up),
    RULE_IF("mlp.mlp1_weight.blocks", ROLE_OTHER, .leaves = LEAF_BARE,
            .layout = &llmfp_stack_alternate_gate_up),
    RULE_IF("mlp.mlp1_bias", ROLE_OTHER, .leaves = LEAF_BARE_BIAS,
            .layout = &llmfp_stack_alternate_gate_up),
    RULE_IF("mlp.mlp2_weight", MLP_DOWN, .leaves = LEAF_BARE),
    RULE_IF("mlp.mlp2_weight.blocks", MLP_DOWN, .leaves = LEAF_BARE),
    RULE_IF("mlp.mlp2_bias", MLP_DOWN, .leaves = LEAF_BARE_BIAS),
};

const struct llmfp_rules llmfp_rules_gpt_oss = RULES(gpt_oss_rules);

/* Megatron core. linear_fc1 is gated or not: only its height tells.            */
static const struct llmfp_rule megatron_rules[] = {
    RULE_IF("self_attention.linear_qkv", ATTN_QKV, .when = WHEN_OUTPUT_GATE,
            .layout = &llmfp_group_q_gate_k_v),
    RULE_IF("self_attention.linear_qkv", ATTN_QKV, .layout = &llmfp_group_qkv),
    RULE("self_attention.linear_proj", ATTN_O),
    RULE("self_attention.linear_q_proj", ATTN_Q),
    RULE("self_attention.linear_q_down_proj", ATTN_Q_A),
    RULE("self_attention.linear_q_up_proj", ATTN_Q_B),
    RULE("self_attention.linear_kv_down_proj", ATTN_KV_A),
    RULE("self_attention.linear_kv_up_proj", ATTN_KV_B),
    RULE_IF("self_attention.linear_q_up_proj.layer_norm_weight", ATTN_Q_A_NORM,
            .leaves = LEAF_BARE),
    RULE_IF("self_attention.linear_kv_up_proj.layer_norm_weight", ATTN_KV_A_NORM,
            .leaves = LEAF_BARE),
    RULE("self_attention.kv_layernorm", ATTN_KV_A_NORM),
    RULE_IF("self_attention.q_layernorm", ATTN_Q_A_NORM, .when = WHEN_LATENT),
    RULE("self_attention.q_layernorm", ATTN_Q_NORM),
    RULE("self_attention.k_layernorm", ATTN_K_NORM),
    RULE_IF("self_attention.core_attention.softmax_offset", ATTN_SINK, .leaves = LEAF_BARE),
    RULE("cross_attention.linear_q", XATTN_Q),
    RULE_IF("cross_attention.linear_kv", ROLE_OTHER, .part_roles = PARTS_CROSS,
            .layout = &llmfp_head_k_v),
    RULE("cross_attention.linear_proj", XATTN_O),
    RULE_IF("self_attention.linear_qkv.layer_norm_weight", NORM_ATTN, .leaves = LEAF_BARE),
    RULE_IF("self_attention.linear_qkv.layer_norm_bias", NORM_ATTN, .leaves = LEAF_BARE_BIAS),
    RULE("input_layernorm", NORM_ATTN),
    RULE("self_attention.linear_proj.post_layernorm", NORM_ATTN_POST),
    RULE_IF("mlp.linear_fc1.layer_norm_weight", NORM_MLP, .leaves = LEAF_BARE),
    RULE_IF("mlp.linear_fc1.layer_norm_bias", NORM_MLP, .leaves = LEAF_BARE_BIAS),
    RULE("pre_mlp_layernorm", NORM_MLP),
    RULE("mlp.linear_fc2.post_layernorm", NORM_MLP_POST),

    RULE_IF("mlp.linear_fc1", ROLE_OTHER, .when = WHEN_GATED, .layout = &llmfp_half_gate_up),
    RULE_IF("mlp.linear_fc1", MLP_UP, .when = WHEN_UNGATED),
    RULE_IF("mlp.linear_fc1", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE("mlp.linear_fc2", MLP_DOWN),
    RULE_IF("mlp.experts.linear_fc1.{E}", ROLE_OTHER, .when = WHEN_GATED,
            .layout = &llmfp_half_gate_up),
    RULE_IF("mlp.experts.linear_fc1.{E}", MLP_UP, .when = WHEN_UNGATED),
    RULE_IF("mlp.experts.linear_fc1.{E}", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE("mlp.experts.linear_fc2.{E}", MLP_DOWN),
    RULE_IF("mlp.experts.local_experts.{E}.linear_fc1", ROLE_OTHER, .when = WHEN_GATED,
            .layout = &llmfp_half_gate_up),
    RULE_IF("mlp.experts.local_experts.{E}.linear_fc1", MLP_UP, .when = WHEN_UNGATED),
    RULE_IF("mlp.experts.local_experts.{E}.linear_fc1", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE("mlp.experts.local_experts.{E}.linear_fc2", MLP_DOWN),
    RULE_IF("mlp.shared_experts.linear_fc1", ROLE_OTHER, .when = WHEN_SHARED_GATED,
            .part_roles = PARTS_SHARED, .layout = &llmfp_half_gate_up),
    RULE_IF("mlp.shared_experts.linear_fc1", MOE_SHARED_UP, .when = WHEN_SHARED_UNGATED),
    RULE_IF("mlp.shared_experts.linear_fc1", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE("mlp.shared_experts.linear_fc2", MOE_SHARED_DOWN),
    RULE("mlp.router", MOE_ROUTER),
    RULE_IF("mlp.router.expert_bias", MOE_ROUTER, .leaves = LEAF_BARE_BIAS),
};

const struct llmfp_rules llmfp_rules_megatron = RULES(megatron_rules);

/* Megatron-LM before its core: three orders of q, k, v, by a version number that
 * stands outside the weights.                                                  */
static const struct llmfp_rule megatron_old_rules[] = {
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("attention.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE("self_attention.dense", ATTN_O),
    RULE("attention.dense", ATTN_O),
    RULE("input_layernorm", NORM_ATTN),
    RULE("post_attention_layernorm", NORM_MLP),
    RULE_IF("mlp.dense_h_to_4h", ROLE_OTHER, .when = WHEN_GATED, .layout = &llmfp_half_gate_up),
    RULE("mlp.dense_h_to_4h", MLP_UP),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_megatron_old = RULES(megatron_old_rules);
