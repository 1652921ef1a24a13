/* families_gguf.c - blocks of GGUF files, blk.{L}. The model type is there the
 * architecture of the file ("llama", "gptneox", "qwen2moe", ...).
 * Conversion to GGUF unpicks per-head orders, so that attn_qkv is q, then k, then v
 * in all softmax attention. Source: the public tensor tables of the format.    */
#include "rules.h"

/* Delta-net layers of these use attn_qkv for something else.                   */
#define DELTA_NETS "qwen3next qwen35 qwen35moe"
/* A norm of the attention's output stands apart from the one before the feed-forward
 * part; in the second list there is no other one before it.                    */
#define ATTENTION_POST_NORMS                                                                       \
    "gemma2 gemma3 gemma3n gemma4 gemma-embedding glm4 olmo2 exaone4 plamo2 plamo3 afmoe"
#define NORM_BEFORE_MLP "glm4moe gpt-oss seed_oss " DELTA_NETS
#define ENCODERS        "bert nomic-bert nomic-bert-moe jina-bert-v2 jina-bert-v3"
#define FUSED_UP        "phi3 glm4 chatglm modern-bert plamo2 plamo3"

static const struct llmfp_rule rules[] = {
    RULE_IF("attn_q", ATTN_QKV, .models = DELTA_NETS, .layout = &llmfp_head_q_gate),
    RULE_IF("attn_q", ROLE_OTHER, .models = "kimi-linear", .when = WHEN_LINEAR_LAYER),
    RULE_IF("attn_k", ROLE_OTHER, .models = "kimi-linear"),
    RULE_IF("attn_v", ROLE_OTHER, .models = "kimi-linear"),
    RULE_IF("attn_output", ROLE_OTHER, .models = "kimi-linear", .when = WHEN_LINEAR_LAYER),
    RULE("attn_q", ATTN_Q),
    RULE("attn_k", ATTN_K),
    RULE("attn_v", ATTN_V),
    RULE("attn_output", ATTN_O),
    RULE_IF("attn_qkv", ROLE_OTHER, .models = DELTA_NETS),
    /* Whether conversion reorders this one is not documented. */
    RULE_IF("attn_qkv", ATTN_QKV, .models = "persimmon", .layout = &llmfp_unknown_qkv),
    RULE_IF("attn_qkv", ATTN_QKV, .layout = &llmfp_cat_qkv),
    RULE_IF("attn_gate", ATTN_GATE, .models = "afmoe"),
    RULE("attn_q_norm", ATTN_Q_NORM),
    RULE("attn_k_norm", ATTN_K_NORM),
    RULE("attn_sinks", ATTN_SINK),
    RULE("attn_q_a", ATTN_Q_A),
    RULE("attn_q_a_norm", ATTN_Q_A_NORM),
    RULE("attn_q_b", ATTN_Q_B),
    RULE("attn_kv_a_mqa", ATTN_KV_A),
    RULE("attn_kv_a_norm", ATTN_KV_A_NORM),
    /* newer files keep the two halves of kv_b apart; they are one population */
    RULE("attn_kv_b", ATTN_KV_B),
    RULE("attn_k_b", ATTN_KV_B),
    RULE("attn_v_b", ATTN_KV_B),
    RULE("cross_attn_q", XATTN_Q),
    RULE("cross_attn_k", XATTN_K),
    RULE("cross_attn_v", XATTN_V),
    RULE("cross_attn_o", XATTN_O),
    RULE("attn_o", ATTN_O),

    /* norms; falcon with several key/value heads has two, and attn_norm is the second */
    RULE_IF("attn_norm", NORM_MLP, .models = "falcon", .when = WHEN_GROUPED),
    RULE_IF("attn_norm", NORM_ATTN, .models = "falcon", .when = WHEN_ONE_GROUP),
    RULE_IF("attn_norm", ROLE_OTHER, .models = "falcon"),
    RULE_IF("attn_norm_2", NORM_ATTN, .models = "falcon"),
    /* one part a layer, of whatever kind: it is that one's norm */
    RULE_IF("attn_norm", ROLE_OTHER, .models = "nemotron_h nemotron_h_moe mamba mamba2"),
    RULE("attn_norm", NORM_ATTN),
    RULE("ffn_norm", NORM_MLP),
    RULE_IF("ffn_norm_exps", NORM_MLP, .models = "arctic"),
    RULE_IF("post_attention_norm", NORM_MLP, .models = NORM_BEFORE_MLP),
    RULE_IF("post_attention_norm", NORM_ATTN_POST, .models = ATTENTION_POST_NORMS),
    RULE("post_ffw_norm", NORM_MLP_POST),
    RULE_IF("attn_output_norm", NORM_MLP, .models = "dbrx"),
    RULE_IF("attn_output_norm", NORM_ATTN_POST, .models = ENCODERS " grok"),
    RULE("layer_output_norm", NORM_MLP_POST),

    RULE("ffn_gate", MLP_GATE),
    RULE_IF("ffn_up", ROLE_OTHER, .models = FUSED_UP, .layout = &llmfp_half_gate_up_of_2i),
    /* both orders of the halves occur in these */
    RULE_IF("ffn_up", ROLE_OTHER, .models = "jina-bert-v2 jina-bert-v3", .when = WHEN_GATED,
            .layout = &llmfp_unknown_mlp),
    RULE("ffn_up", MLP_UP),
    RULE("ffn_down", MLP_DOWN),
    RULE("ffn_gate_exps", MLP_GATE),
    RULE("ffn_up_exps", MLP_UP),
    RULE("ffn_down_exps", MLP_DOWN),
    RULE_IF("ffn_gate_up_exps", ROLE_OTHER, .layout = &llmfp_stack_half_gate_up),
    RULE("ffn_gate.{E}", MLP_GATE),
    RULE("ffn_up.{E}", MLP_UP),
    RULE("ffn_down.{E}", MLP_DOWN),
    RULE("ffn_gate_inp", MOE_ROUTER),
    RULE_IF("exp_probs_b", MOE_ROUTER, .leaves = LEAF_BIAS),
    RULE("ffn_gate_shexp", MOE_SHARED_GATE),
    RULE("ffn_up_shexp", MOE_SHARED_UP),
    RULE("ffn_down_shexp", MOE_SHARED_DOWN),
    RULE("ffn_gate_inp_shexp", MOE_SHARED_ROUTER),
};

const struct llmfp_rules llmfp_rules_gguf = RULES(rules);
