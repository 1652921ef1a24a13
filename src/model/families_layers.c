/* families_layers.c - blocks named as llama names them, without experts.
 *
 * `self_attn.{q,k,v,o}_proj`, `mlp.{gate,up,down}_proj` and their variants, under
 * model.layers.{L} and the like. Without a model type (no config.json) names mean
 * what they mean in llama: post_attention_layernorm stands before the
 * feed-forward part. Source: the public modelling code of each family.         */
#include "rules.h"

/* Norms of both halves' outputs, where others have norms of inputs only.       */
#define POST_NORMS                                                                                 \
    "gemma2 gemma3 gemma3_text gemma3n gemma3n_text gemma4 gemma4_text olmo2 olmo3 flex_olmo "     \
    "exaone4 afmoe"
#define SANDWICH_MODELS    "pangu_ultra_moe pangu_pro_moe_v2 PanguUltraMoE PanguProMoEV2"
#define BAILING            "bailing_moe bailing_moe_v2"
#define POST_NORM_DECODERS "bart marian blenderbot-small"
#define PHI3               "phi3 phi3_v phi4mm phi4_multimodal"
#define QWEN_GATED         "qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text"
/* Their layers of linear attention also name matrices under self_attn.         */
#define MINIMAX "minimax minimax_m1 minimax_text_01 MiniMaxText01 minimax_vl_01"

/* Latent attention in some layers, linear attention with q, k, v and o in the others. */
#define KIMI_LINEAR "kimi_linear"
#define LONGCAT     "longcat_flash"

static const struct llmfp_rule rules[] = {
    /* attention, one tensor per projection */
    RULE_IF("self_attn.q_proj", ATTN_QKV, .models = QWEN_GATED, .layout = &llmfp_head_q_gate),
    RULE_IF("self_attn.q_proj", ROLE_OTHER, .models = KIMI_LINEAR, .when = WHEN_LINEAR_LAYER),
    RULE_IF("self_attn.k_proj", ROLE_OTHER, .models = KIMI_LINEAR),
    RULE_IF("self_attn.v_proj", ROLE_OTHER, .models = KIMI_LINEAR),
    RULE_IF("self_attn.o_proj", ROLE_OTHER, .models = KIMI_LINEAR, .when = WHEN_LINEAR_LAYER),
    RULE("self_attn.q_proj", ATTN_Q),
    RULE("self_attn.k_proj", ATTN_K),
    RULE("self_attn.v_proj", ATTN_V),
    RULE("self_attn.o_proj", ATTN_O),
    RULE_IF("self_attn.out_proj", ROLE_OTHER, .models = MINIMAX),
    RULE("self_attn.out_proj", ATTN_O),
    RULE("self_attn.dense", ATTN_O),
    RULE("self_attn.language_expert_dense", ATTN_O),
    RULE_IF("self_attn.gate_proj", ATTN_GATE, .models = "afmoe"),
    /* recurrentgemma: other layers have a recurrence there */
    RULE("temporal_block.q_proj", ATTN_Q),
    RULE("temporal_block.k_proj", ATTN_K),
    RULE("temporal_block.v_proj", ATTN_V),
    RULE("temporal_block.o_proj", ATTN_O),
    RULE_IF("self_attn.sinks", ATTN_SINK, .leaves = LEAF_BARE),
    RULE_IF("self_attn.attention_sink_bias", ATTN_SINK, .leaves = LEAF_BARE),
    RULE("self_attn.q_norm", ATTN_Q_NORM),
    RULE("self_attn.k_norm", ATTN_K_NORM),
    RULE("self_attn.q_layernorm", ATTN_Q_NORM),
    RULE("self_attn.k_layernorm", ATTN_K_NORM),
    RULE("self_attn.query_layernorm", ATTN_Q_NORM),
    RULE("self_attn.key_layernorm", ATTN_K_NORM),
    RULE_IF("self_attn.q_layernorm.norms.{E}", ATTN_Q_NORM, .number_is_head = true),
    RULE_IF("self_attn.k_layernorm.norms.{E}", ATTN_K_NORM, .number_is_head = true),

    /* latent attention: what a tensor holds is not cut further */
    RULE("self_attn.q_a_proj", ATTN_Q_A),
    RULE("self_attn.q_a_layernorm", ATTN_Q_A_NORM),
    RULE("self_attn.q_b_proj", ATTN_Q_B),
    RULE("self_attn.kv_a_proj_with_mqa", ATTN_KV_A),
    RULE("self_attn.kv_a_layernorm", ATTN_KV_A_NORM),
    RULE("self_attn.kv_b_proj", ATTN_KV_B),
    /* longcat_flash: two blocks of attention a layer feed the same cells */
    RULE_IF("self_attn.{E}.q_proj", ATTN_Q, .models = LONGCAT, .number_is_head = true),
    RULE_IF("self_attn.{E}.q_a_proj", ATTN_Q_A, .models = LONGCAT, .number_is_head = true),
    RULE_IF("self_attn.{E}.q_a_layernorm", ATTN_Q_A_NORM, .models = LONGCAT,
            .number_is_head = true),
    RULE_IF("self_attn.{E}.q_b_proj", ATTN_Q_B, .models = LONGCAT, .number_is_head = true),
    RULE_IF("self_attn.{E}.kv_a_proj_with_mqa", ATTN_KV_A, .models = LONGCAT,
            .number_is_head = true),
    RULE_IF("self_attn.{E}.kv_a_layernorm", ATTN_KV_A_NORM, .models = LONGCAT,
            .number_is_head = true),
    RULE_IF("self_attn.{E}.kv_b_proj", ATTN_KV_B, .models = LONGCAT, .number_is_head = true),
    RULE_IF("self_attn.{E}.o_proj", ATTN_O, .models = LONGCAT, .number_is_head = true),
    RULE_IF("input_layernorm.{E}", NORM_ATTN, .models = LONGCAT, .number_is_head = true),
    RULE_IF("post_attention_layernorm.{E}", NORM_MLP, .models = LONGCAT, .number_is_head = true),
    RULE_IF("mlps.{E}.gate_proj", MLP_GATE, .models = LONGCAT, .number_is_head = true),
    RULE_IF("mlps.{E}.up_proj", MLP_UP, .models = LONGCAT, .number_is_head = true),
    RULE_IF("mlps.{E}.down_proj", MLP_DOWN, .models = LONGCAT, .number_is_head = true),

    /* attention, fused */
    RULE_IF("self_attn.qkv_proj", ATTN_QKV, .models = PHI3, .layout = &llmfp_cat_qkv),
    RULE_IF("self_attn.qkv_proj", ATTN_QKV, .models = "hunyuan", .layout = &llmfp_group_qkv),
    RULE_IF("self_attn.qkv_proj", ATTN_QKV, .models = "ernie4_5 ernie4_5_moe",
            .layout = &llmfp_cat_qkv_either),
    RULE_IF("self_attn.qkv_proj", ROLE_OTHER, .models = MINIMAX),
    RULE_IF("self_attn.qkv_proj", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("self_attn.W_pack", ATTN_QKV, .layout = &llmfp_cat_thirds),
    RULE_IF("self_attn.query_key_value", ATTN_QKV, .models = "persimmon fuyu phi",
            .layout = &llmfp_head3_qkv),
    RULE_IF("self_attn.query_key_value", ATTN_QKV, .models = "phi3small",
            .layout = &llmfp_group_qkv),
    RULE_IF("self_attn.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("self_attn.language_expert_query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("attention.query_key_value", ATTN_QKV, .models = BAILING, .layout = &llmfp_cat_qkv),
    RULE_IF("attention.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE("attention.dense", ATTN_O),
    RULE_IF("attention.query_layernorm", ATTN_Q_NORM, .models = BAILING),
    RULE_IF("attention.key_layernorm", ATTN_K_NORM, .models = BAILING),
    RULE_IF("self_attention.kv_proj", ROLE_OTHER, .models = "jetmoe", .layout = &llmfp_half_k_v),

    /* cross attention */
    RULE("cross_attn.q_proj", XATTN_Q),
    RULE("cross_attn.k_proj", XATTN_K),
    RULE("cross_attn.v_proj", XATTN_V),
    RULE("cross_attn.o_proj", XATTN_O),
    RULE("encoder_attn.q_proj", XATTN_Q),
    RULE("encoder_attn.k_proj", XATTN_K),
    RULE("encoder_attn.v_proj", XATTN_V),
    RULE("encoder_attn.out_proj", XATTN_O),

    /* norms */
    RULE("input_layernorm", NORM_ATTN),
    RULE_IF("post_attention_layernorm", NORM_ATTN_POST, .models = POST_NORMS),
    RULE_IF("post_attention_layernorm", NORM_ATTN_POST, .models = SANDWICH_MODELS,
            .when = WHEN_SANDWICH),
    RULE("post_attention_layernorm", NORM_MLP),
    RULE("pre_feedforward_layernorm", NORM_MLP),
    RULE("post_feedforward_layernorm", NORM_MLP_POST),
    RULE("post_self_attn_layernorm", NORM_ATTN_POST),
    RULE("pre_mlp_layernorm", NORM_MLP),
    RULE("post_mlp_layernorm", NORM_MLP_POST),
    RULE("pre_ff_layernorm", NORM_MLP),
    RULE("attention_layernorm", NORM_ATTN),
    RULE("feedforward_layernorm", NORM_MLP),
    RULE("operator_norm", NORM_ATTN),
    RULE("temporal_pre_norm", NORM_ATTN),
    RULE("channel_pre_norm", NORM_MLP),
    RULE("pre_self_attn_layernorm", NORM_ATTN),
    RULE("pre_attn_norm", NORM_ATTN),
    RULE("post_attn_norm", NORM_ATTN_POST),
    RULE("pre_mlp_norm", NORM_MLP),
    RULE("post_mlp_norm", NORM_MLP_POST),
    RULE("pre_moe_norm", NORM_MLP),
    RULE("post_moe_norm", NORM_MLP_POST),
    /* opt and its kin: in the layer, final_layer_norm is that of the feed-forward part */
    RULE_IF("self_attn_layer_norm", NORM_ATTN_POST, .models = POST_NORM_DECODERS),
    RULE_IF("self_attn_layer_norm", NORM_ATTN_POST, .models = "opt", .when = WHEN_POST_NORM),
    RULE("self_attn_layer_norm", NORM_ATTN),
    RULE_IF("final_layer_norm", NORM_MLP_POST, .models = POST_NORM_DECODERS),
    RULE_IF("final_layer_norm", NORM_MLP_POST, .models = "opt", .when = WHEN_POST_NORM),
    RULE("final_layer_norm", NORM_MLP),
    RULE("ln1", NORM_ATTN),
    RULE("ln2", NORM_MLP),
    RULE_IF("norm", NORM_ATTN, .models = "plamo"),
    /* arctic: that of the dense part beside the experts */
    RULE_IF("residual_layernorm", NORM_MLP, .models = "arctic"),

    /* feed-forward */
    RULE("mlp.gate_proj", MLP_GATE),
    RULE_IF("mlp.up_proj", ROLE_OTHER, .models = "phi3small", .layout = &llmfp_alternate_gate_up),
    RULE("mlp.up_proj", MLP_UP),
    RULE("mlp.down_proj", MLP_DOWN),
    RULE("mlp.fc1", MLP_UP),
    RULE("mlp.fc2", MLP_DOWN),
    RULE("mlp.c_fc", MLP_UP),
    RULE("mlp.c_proj", MLP_DOWN),
    RULE("mlp.dense_h_to_4h", MLP_UP),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
    RULE("fc1", MLP_UP),
    RULE("fc2", MLP_DOWN),
    RULE("mlp.language_mlp.gate_proj", MLP_GATE),
    RULE("mlp.language_mlp.up_proj", MLP_UP),
    RULE("mlp.language_mlp.down_proj", MLP_DOWN),
    RULE("feed_forward.gate_proj", MLP_GATE),
    RULE("feed_forward.up_proj", MLP_UP),
    RULE("feed_forward.down_proj", MLP_DOWN),
    RULE("mlp_block.gate_proj", MLP_GATE),
    RULE("mlp_block.up_proj", MLP_UP),
    RULE("mlp_block.down_proj", MLP_DOWN),
    RULE_IF("feed_forward.gate_up_proj", ROLE_OTHER, .models = "zamba2",
            .layout = &llmfp_half_gate_up),
    RULE("residual_mlp.w1", MLP_GATE),
    RULE("residual_mlp.w3", MLP_UP),
    RULE("residual_mlp.w2", MLP_DOWN),
    RULE_IF("mlp.gate_up_proj", ROLE_OTHER, .models = PHI3 " glm glm4",
            .layout = &llmfp_half_gate_up_of_2i),
    /* All families with this name of a matrix put the gate first. */
    RULE_IF("mlp.gate_up_proj", ROLE_OTHER, .layout = &llmfp_half_gate_up),
    /* Two names that say the opposite of what they hold, in files whose matrices are
     * [out, in] and [in, out]. */
    RULE_IF("mlp.up_gate_proj", ROLE_OTHER, .models = "ernie4_5 ernie4_5_moe",
            .layout = &llmfp_half_gate_up_either),
    RULE_IF("mlp.up_gate_proj", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE_IF("mlp.gate_and_up_proj", ROLE_OTHER, .layout = &llmfp_half_up_gate),
};

const struct llmfp_rules llmfp_rules_layers = RULES(rules);
