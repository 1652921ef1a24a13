/* families_h.c - blocks under transformer.h.{L} (or h.{L}): gpt2, gpt_bigcode, qwen,
 * gptj, codegen, gpt_neo, exaone, bloom, falcon, telechat, phi-msft, refact, jais; and
 * under transformer.blocks.{L}: mpt, dbrx, hf_olmo, molmo, llada.
 * Source: the public modelling code of each family.                            */
#include "rules.h"

/* Conv1D: stored [in, out], so that the columns are cut.                       */
#define CONV1D "gpt2 jais imagegpt openai-gpt"

static const struct llmfp_rule h_rules[] = {
    /* attention, fused */
    RULE_IF("attn.c_attn", ATTN_QKV, .models = CONV1D, .layout = &llmfp_cat_thirds_columns),
    /* [H, 3 H]: of all families with this name only Conv1D ones are so shaped. */
    RULE_IF("attn.c_attn", ATTN_QKV, .models = "-", .leaves = LEAF_WEIGHT, .when = WHEN_THREE_WIDE,
            .layout = &llmfp_cat_thirds_columns),
    RULE_IF("attn.c_attn", ATTN_QKV, .models = "qwen codeshell", .layout = &llmfp_cat_qkv),
    RULE_IF("attn.c_attn", ATTN_QKV, .models = "gpt_bigcode", .when = WHEN_MULTI_QUERY,
            .layout = &llmfp_cat_qkv),
    RULE_IF("attn.c_attn", ATTN_QKV, .models = "gpt_bigcode", .layout = &llmfp_head3_qkv),
    RULE_IF("attn.c_attn", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("attn.qkv_proj", ATTN_QKV, .models = "codegen moss", .layout = &llmfp_codegen_qvk),
    RULE_IF("attn.qkv_proj", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "bloom",
            .layout = &llmfp_head3_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "falcon RefinedWebModel",
            .when = WHEN_NEW_DECODER, .layout = &llmfp_group_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "falcon RefinedWebModel",
            .when = WHEN_MULTI_QUERY, .layout = &llmfp_cat_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "falcon RefinedWebModel",
            .layout = &llmfp_head3_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .models = "RefinedWeb",
            .layout = &llmfp_group_qkv),
    RULE_IF("self_attention.query_key_value", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE_IF("self_attention.key_value", ROLE_OTHER, .layout = &llmfp_head_k_v),
    RULE_IF("mixer.Wqkv", ATTN_QKV, .layout = &llmfp_cat_thirds),
    RULE_IF("attn.kv", ROLE_OTHER, .models = "refact gpt_refact", .layout = &llmfp_half_k_v),

    /* attention, one tensor per projection */
    RULE("attn.q_proj", ATTN_Q),
    RULE("attn.k_proj", ATTN_K),
    RULE("attn.v_proj", ATTN_V),
    RULE("attn.out_proj", ATTN_O),
    RULE("attn.c_proj", ATTN_O),
    RULE("attn.q", ATTN_Q),
    RULE("attn.attention.q_proj", ATTN_Q),
    RULE("attn.attention.k_proj", ATTN_K),
    RULE("attn.attention.v_proj", ATTN_V),
    RULE("attn.attention.out_proj", ATTN_O),
    RULE("self_attention.query", ATTN_Q),
    RULE("self_attention.dense", ATTN_O),
    RULE("mixer.out_proj", ATTN_O),

    /* cross attention of gpt2 */
    RULE("crossattention.q_attn", XATTN_Q),
    RULE_IF("crossattention.c_attn", ROLE_OTHER, .models = CONV1D " -", .part_roles = PARTS_CROSS,
            .layout = &llmfp_half_k_v_columns),
    RULE("crossattention.c_proj", XATTN_O),

    /* norms */
    RULE_IF("ln_1", NORM_ATTN_POST, .models = "openai-gpt"),
    RULE_IF("ln_2", NORM_MLP_POST, .models = "openai-gpt"),
    RULE("ln_1", NORM_ATTN),
    RULE("ln_2", NORM_MLP),
    RULE("ln", NORM_ATTN),
    RULE("ln_attn", NORM_ATTN),
    RULE("ln_mlp", NORM_MLP),
    RULE("input_layernorm", NORM_ATTN),
    RULE("post_attention_layernorm", NORM_MLP),

    /* feed-forward; c_fc and c_proj are Conv1D or Linear, which is one here */
    RULE("mlp.c_fc", MLP_UP),
    RULE("mlp.c_proj", MLP_DOWN),
    RULE("mlp.c_fc2", MLP_GATE),
    RULE("mlp.c_fc_0", MLP_GATE),
    RULE("mlp.c_fc_1", MLP_UP),
    RULE("mlp.w2", MLP_GATE),
    RULE("mlp.w1", MLP_UP),
    RULE("mlp.fc_in", MLP_UP),
    RULE("mlp.fc_out", MLP_DOWN),
    RULE("mlp.fc1", MLP_UP),
    RULE("mlp.fc2", MLP_DOWN),
    RULE("mlp.dense_h_to_4h", MLP_UP),
    RULE("mlp.dense_4h_to_h", MLP_DOWN),
    RULE("mlp.gate_proj", MLP_GATE),
    RULE("mlp.up_proj", MLP_UP),
    RULE("mlp.down_proj", MLP_DOWN),
    RULE_IF("mlp.gate_up_proj", ROLE_OTHER, .layout = &llmfp_half_gate_up),
};

const struct llmfp_rules llmfp_rules_h = RULES(h_rules);

#define OLMO "hf_olmo molmo"

static const struct llmfp_rule blocks_rules[] = {
    /* mpt */
    RULE_IF("attn.Wqkv", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE("attn.out_proj", ATTN_O),
    RULE("attn.q_ln", ATTN_Q_NORM),
    RULE("attn.k_ln", ATTN_K_NORM),
    RULE("norm_1", NORM_ATTN),
    RULE("norm_2", NORM_MLP),
    RULE("ffn.up_proj", MLP_UP),
    RULE("ffn.down_proj", MLP_DOWN),

    /* dbrx: all experts' rows in one matrix; w2 is stored [in, out] */
    RULE_IF("norm_attn_norm.attn.Wqkv", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE("norm_attn_norm.attn.out_proj", ATTN_O),
    RULE("norm_attn_norm.norm_1", NORM_ATTN),
    RULE("norm_attn_norm.norm_2", NORM_MLP),
    RULE("ffn.router.layer", MOE_ROUTER),
    RULE_IF("ffn.experts.mlp.w1", MLP_GATE, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("ffn.experts.mlp.v1", MLP_UP, .leaves = LEAF_BARE | LEAF_WEIGHT),
    RULE_IF("ffn.experts.mlp.w2", MLP_DOWN, .leaves = LEAF_BARE | LEAF_WEIGHT),

    /* hf_olmo and molmo fuse, llada does not: there ff_proj is the gate alone */
    RULE_IF("att_proj", ATTN_QKV, .models = OLMO, .layout = &llmfp_cat_qkv),
    RULE_IF("att_proj", ATTN_QKV, .layout = &llmfp_unknown_qkv),
    RULE("q_proj", ATTN_Q),
    RULE("k_proj", ATTN_K),
    RULE("v_proj", ATTN_V),
    RULE("attn_out", ATTN_O),
    RULE("q_norm", ATTN_Q_NORM),
    RULE("k_norm", ATTN_K_NORM),
    RULE("attn_norm", NORM_ATTN),
    RULE("ff_norm", NORM_MLP),
    RULE_IF("ff_proj", ROLE_OTHER, .models = OLMO, .layout = &llmfp_half_up_gate),
    RULE_IF("ff_proj", MLP_GATE, .models = "llada"),
    RULE_IF("ff_proj", ROLE_OTHER, .layout = &llmfp_unknown_mlp),
    RULE("up_proj", MLP_UP),
    RULE("ff_out", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_blocks = RULES(blocks_rules);
