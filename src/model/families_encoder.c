/* families_encoder.c - encoders and encoder-decoders: BERT and its kin, DistilBERT,
 * encoders with fused q, k, v (modernbert, nomic, jina), and T5.
 * Source: the public modelling code of each family.                            */
#include "rules.h"

/* Norms stand behind each half.                                                */
static const struct llmfp_rule bert_rules[] = {
    RULE("attention.self.query", ATTN_Q),
    RULE("attention.self.key", ATTN_K),
    RULE("attention.self.value", ATTN_V),
    RULE("attention.self.query_proj", ATTN_Q),
    RULE("attention.self.key_proj", ATTN_K),
    RULE("attention.self.value_proj", ATTN_V),
    RULE_IF("attention.self.in_proj", ATTN_QKV, .layout = &llmfp_head3_qkv),
    RULE_IF("attention.self.q_bias", ATTN_Q, .leaves = LEAF_BARE_BIAS),
    RULE_IF("attention.self.v_bias", ATTN_V, .leaves = LEAF_BARE_BIAS),
    RULE("attention.output.dense", ATTN_O),
    RULE("attention.output.LayerNorm", NORM_ATTN_POST),
    RULE("intermediate.dense", MLP_UP),
    RULE("output.dense", MLP_DOWN),
    RULE("output.LayerNorm", NORM_MLP_POST),
    RULE("crossattention.self.query", XATTN_Q),
    RULE("crossattention.self.key", XATTN_K),
    RULE("crossattention.self.value", XATTN_V),
    RULE("crossattention.output.dense", XATTN_O),
    /* jina-bert-v2 */
    RULE_IF("mlp.gated_layers", ROLE_OTHER, .layout = &llmfp_half_gate_up),
    RULE_IF("mlp.up_gated_layer", ROLE_OTHER, .layout = &llmfp_half_up_gate),
    RULE("mlp.wo", MLP_DOWN),
    RULE("mlp.layernorm", NORM_MLP_POST),
    RULE("attention.self.layer_norm_q", ATTN_Q_NORM),
    RULE("attention.self.layer_norm_k", ATTN_K_NORM),
    /* gte ("new"): up stands before gate */
    RULE_IF("attention.qkv_proj", ATTN_QKV, .models = "new", .layout = &llmfp_cat_thirds),
    RULE_IF("attention.o_proj", ATTN_O, .models = "new"),
    RULE_IF("attn_ln", NORM_ATTN_POST, .models = "new"),
    RULE_IF("mlp_ln", NORM_MLP_POST, .models = "new"),
    RULE_IF("mlp.up_gate_proj", ROLE_OTHER, .models = "new", .layout = &llmfp_half_up_gate),
    RULE_IF("mlp.down_proj", MLP_DOWN, .models = "new"),
};

const struct llmfp_rules llmfp_rules_bert = RULES(bert_rules);

static const struct llmfp_rule distilbert_rules[] = {
    RULE("attention.q_lin", ATTN_Q),
    RULE("attention.k_lin", ATTN_K),
    RULE("attention.v_lin", ATTN_V),
    RULE("attention.out_lin", ATTN_O),
    RULE("sa_layer_norm", NORM_ATTN_POST),
    RULE("ffn.lin1", MLP_UP),
    RULE("ffn.lin2", MLP_DOWN),
    RULE("output_layer_norm", NORM_MLP_POST),
};

const struct llmfp_rules llmfp_rules_distilbert = RULES(distilbert_rules);

static const struct llmfp_rule packed_bert_rules[] = {
    RULE_IF("attn.Wqkv", ATTN_QKV, .layout = &llmfp_cat_thirds),
    RULE_IF("mixer.Wqkv", ATTN_QKV, .layout = &llmfp_cat_thirds),
    RULE("attn.q_proj", ATTN_Q), /* modernbert's decoder */
    RULE("attn.k_proj", ATTN_K),
    RULE("attn.v_proj", ATTN_V),
    RULE("attn.Wo", ATTN_O),
    RULE("attn.out_proj", ATTN_O),
    RULE("mixer.out_proj", ATTN_O),
    RULE("attn_norm", NORM_ATTN),
    RULE("mlp_norm", NORM_MLP),
    RULE("norm1", NORM_ATTN_POST),
    RULE("norm2", NORM_MLP_POST),
    /* The half that passes the activation stands first. */
    RULE_IF("mlp.Wi", ROLE_OTHER, .layout = &llmfp_half_gate_up_of_2i),
    RULE("mlp.Wo", MLP_DOWN),
    RULE("mlp.fc12", MLP_GATE),
    RULE("mlp.fc11", MLP_UP),
    RULE("mlp.fc1", MLP_UP),
    RULE("mlp.fc2", MLP_DOWN),
};

const struct llmfp_rules llmfp_rules_packed_bert = RULES(packed_bert_rules);

/* T5: the layers of a block are numbered, and each has its own table.          */
static const struct llmfp_rule t5_attention_rules[] = {
    RULE("SelfAttention.q", ATTN_Q), RULE("SelfAttention.k", ATTN_K),
    RULE("SelfAttention.v", ATTN_V), RULE("SelfAttention.o", ATTN_O),
    RULE("layer_norm", NORM_ATTN),
};

const struct llmfp_rules llmfp_rules_t5_attention = RULES(t5_attention_rules);

static const struct llmfp_rule t5_cross_rules[] = {
    RULE("EncDecAttention.q", XATTN_Q),
    RULE("EncDecAttention.k", XATTN_K),
    RULE("EncDecAttention.v", XATTN_V),
    RULE("EncDecAttention.o", XATTN_O),
};

const struct llmfp_rules llmfp_rules_t5_cross = RULES(t5_cross_rules);

static const struct llmfp_rule t5_feed_forward_rules[] = {
    RULE("DenseReluDense.wi", MLP_UP),   RULE("DenseReluDense.wi_0", MLP_GATE),
    RULE("DenseReluDense.wi_1", MLP_UP), RULE("DenseReluDense.wo", MLP_DOWN),
    RULE("layer_norm", NORM_MLP),
};

const struct llmfp_rules llmfp_rules_t5_feed_forward = RULES(t5_feed_forward_rules);
