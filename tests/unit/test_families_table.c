/* test_families_table.c - names that stand for one role each, family by family, as the
 * public modelling code and converters name them: `name role`, one a line.
 * Sizes: h = 4, k = 2, d = 3, H = 12, I = 10, E = 8, 9 layers.                 */
#include "cunit_main.h"
#include "roles_support.h"

/* A name's shape by what it is, so that router and norms have theirs. */
static const char *shape_of(const char *role)
{
    if (strstr(role, "norm") != NULL || strstr(role, ".bias") != NULL) {
        return "12";
    }
    return strncmp(role, "moe.router", 10) == 0 ? "8x12" : "12x12";
}

/* Assert every line of `lines` ("NAME ROLE[LAYER]" with what roles_write puts behind), and
 * "NAME" alone: no role of its own. */
static void check_lines(const char *type, const char *const *lines, size_t n)
{
    char configuration[512];
    (void)snprintf(configuration, sizeof configuration,
                   "{\"model_type\":\"%s\",\"hidden_size\":12,\"num_attention_heads\":4,"
                   "\"num_key_value_heads\":2,\"head_dim\":3,\"num_hidden_layers\":9,"
                   "\"intermediate_size\":10,\"num_experts\":8}",
                   type);
    for (size_t i = 0; i < n; i++) {
        char name[256];
        const char *space = strchr(lines[i], ' ');
        const char *role = space == NULL ? "" : space + 1;
        (void)snprintf(name, sizeof name, "%.*s",
                       (int)(space == NULL ? strlen(lines[i]) : (size_t)(space - lines[i])),
                       lines[i]);
        const struct roles_case given = {configuration, name, shape_of(role), NULL};
        char found[ROLES_LINE];
        CU_ASSERT(roles_map_line(&given, LLMFP_BF16, found));
        char expected[ROLES_LINE];
        const bool vector = strchr(given.shape, 'x') == NULL;
        const bool router = strncmp(given.shape, "8x", 2) == 0;
        (void)snprintf(expected, sizeof expected, "1 * %.*s %d%s",
                       (int)(strcspn(role, " ") > 0 ? strcspn(role, " ") : 0), role,
                       vector ? 12 : (router ? 96 : 144), role + strcspn(role, " "));
        const bool same = role[0] == '\0'
                              ? strncmp(found, "1 * other:", 10) == 0 || strcmp(found, "none") == 0
                              : strcmp(found, expected) == 0;
        if (!same) {
            printf("\n    %s: %s\n      found %s\n", type, lines[i], found);
        }
        CU_ASSERT(same);
    }
}

#define CHECK(type, ...)                                                                           \
    do {                                                                                           \
        static const char *const listed[] = {__VA_ARGS__};                                         \
        check_lines(type, listed, sizeof listed / sizeof listed[0]);                               \
    } while (0)

#define M "model.layers.3."
#define T "transformer.h.3."

/* What llama's names mean, under prefix P. */
#define LLAMA_ATTENTION(P)                                                                         \
    P "self_attn.q_proj.weight attn.q[3]", P "self_attn.k_proj.weight attn.k[3]",                  \
        P "self_attn.v_proj.weight attn.v[3]", P "self_attn.o_proj.weight attn.o[3]",              \
        P "self_attn.q_proj.bias attn.q.bias[3]", P "self_attn.o_proj.bias attn.o.bias[3]"
#define LLAMA_NORMS(P)                                                                             \
    P "input_layernorm.weight norm.attn[3]", P "post_attention_layernorm.weight norm.mlp[3]"
#define LLAMA_MLP(P)                                                                               \
    P "mlp.gate_proj.weight mlp.gate[3]", P "mlp.up_proj.weight mlp.up[3]",                        \
        P "mlp.down_proj.weight mlp.down[3]"
#define EXPERTS(P)                                                                                 \
    P "experts.5.gate_proj.weight mlp.gate[3]#5", P "experts.5.up_proj.weight mlp.up[3]#5",        \
        P "experts.5.down_proj.weight mlp.down[3]#5"
#define QK_NORMS(P)                                                                                \
    P "self_attn.q_norm.weight attn.q_norm[3]", P "self_attn.k_norm.weight attn.k_norm[3]"
#define TOP                                                                                        \
    "model.embed_tokens.weight embed[0] aside", "model.norm.weight norm.final[0] aside",           \
        "lm_head.weight lm_head[0] aside"

static void llama_names(void)
{
    static const char *const types[] = {
        "llama",   "mistral",   "ministral3",       "qwen2",    "granite", "smollm3", "seed_oss",
        "minicpm", "internlm3", "hunyuan_v1_dense", "ernie4_5", "helium",  "arcee",   "cohere",
        "gemma",   "nemotron",  "exaone4_5_text",   "mimo"};
    static const char *const lines[] = {LLAMA_ATTENTION(M), LLAMA_NORMS(M), LLAMA_MLP(M), TOP,
                                        M "self_attn.rotary_emb.inv_freq"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        check_lines(types[i], lines, sizeof lines / sizeof lines[0]);
    }
    CHECK("qwen3", LLAMA_ATTENTION(M), LLAMA_NORMS(M), LLAMA_MLP(M), QK_NORMS(M), TOP);
    CHECK("mistral3", LLAMA_ATTENTION("model.language_model.layers.3."),
          LLAMA_MLP("language_model.model.layers.3."),
          "language_model.lm_head.weight lm_head[0] aside",
          "model.language_model.norm.weight norm.final[0] aside",
          "model.language_model.embed_tokens.weight embed[0] aside",
          "vision_tower.transformer.layers.3.attention.q_proj.weight");
    CHECK("stablelm_epoch", M "self_attn.q_layernorm.norms.2.weight attn.q_norm[3]",
          M "self_attn.k_layernorm.norms.0.weight attn.k_norm[3]", LLAMA_NORMS(M));
    CHECK("glm4", M "post_self_attn_layernorm.weight norm.attn_post[3]",
          M "post_mlp_layernorm.weight norm.mlp_post[3]", LLAMA_NORMS(M));
    CHECK("apertus", QK_NORMS(M), M "attention_layernorm.weight norm.attn[3]",
          M "feedforward_layernorm.weight norm.mlp[3]", M "mlp.up_proj.weight mlp.up[3]",
          M "mlp.act_fn.alpha_p");
}

static void norms_behind(void)
{
    static const char *const sandwich[] = {LLAMA_ATTENTION(M),
                                           LLAMA_MLP(M),
                                           M "input_layernorm.weight norm.attn[3]",
                                           M "post_attention_layernorm.weight norm.attn_post[3]",
                                           M "pre_feedforward_layernorm.weight norm.mlp[3]",
                                           M "post_feedforward_layernorm.weight norm.mlp_post[3]"};
    static const char *const types[] = {"gemma2", "gemma3_text", "gemma3n_text", "gemma4_text"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        check_lines(types[i], sandwich, sizeof sandwich / sizeof sandwich[0]);
    }
    static const char *const behind[] = {"olmo2", "olmo3", "exaone4", "flex_olmo"};
    static const char *const lines[] = {QK_NORMS(M),
                                        M "post_attention_layernorm.weight norm.attn_post[3]",
                                        M "post_feedforward_layernorm.weight norm.mlp_post[3]"};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        check_lines(behind[i], lines, sizeof lines / sizeof lines[0]);
    }
    CHECK("afmoe", LLAMA_ATTENTION(M), QK_NORMS(M), EXPERTS(M "mlp."),
          M "self_attn.gate_proj.weight attn.gate[3]", M "input_layernorm.weight norm.attn[3]",
          M "post_attention_layernorm.weight norm.attn_post[3]",
          M "pre_mlp_layernorm.weight norm.mlp[3]", M "post_mlp_layernorm.weight norm.mlp_post[3]",
          M "mlp.router.gate.weight moe.router[3]", M "mlp.expert_bias moe.router.bias[3]",
          M "mlp.shared_experts.up_proj.weight moe.shared.up[3]");
    CHECK("t5gemma", "model.encoder.layers.3.self_attn.q_proj.weight encoder.attn.q[3] aside",
          "model.encoder.layers.3.pre_self_attn_layernorm.weight encoder.norm.attn[3] aside",
          "model.decoder.layers.3.post_self_attn_layernorm.weight norm.attn_post[3]",
          "model.decoder.layers.3.cross_attn.k_proj.weight xattn.k[3]",
          "model.decoder.layers.3.pre_feedforward_layernorm.weight norm.mlp[3]",
          "model.decoder.norm.weight norm.final[0] aside",
          "model.encoder.norm.weight encoder.norm.final[0] aside");
}

static void mixtures(void)
{
    static const char *const types[] = {
        "qwen3_moe", "olmoe",        "deepseek_v3",    "glm4_moe",   "dots1",     "solar_open",
        "kimi_k2",   "ernie4_5_moe", "hunyuan_v1_moe", "exaone_moe", "llada_moe", "qwen3_next"};
    static const char *const lines[] = {EXPERTS(M "mlp."), M "mlp.gate.weight moe.router[3]",
                                        M "mlp.gate.e_score_correction_bias moe.router.bias[3]",
                                        LLAMA_MLP(M), LLAMA_NORMS(M)};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        check_lines(types[i], lines, sizeof lines / sizeof lines[0]);
    }
    static const char *const mixtral[] = {"mixtral", "minimax", "minimax_m1", "minimax_m2",
                                          "phimoe",  "arctic",  "kimi_linear"};
    static const char *const mixtral_lines[] = {
        M "block_sparse_moe.gate.weight moe.router[3]",
        M "block_sparse_moe.experts.7.w1.weight mlp.gate[3]#7",
        M "block_sparse_moe.experts.7.w3.weight mlp.up[3]#7",
        M "block_sparse_moe.experts.7.w2.weight mlp.down[3]#7"};
    for (size_t i = 0; i < sizeof mixtral / sizeof mixtral[0]; i++) {
        check_lines(mixtral[i], mixtral_lines, sizeof mixtral_lines / sizeof mixtral_lines[0]);
    }
    CHECK("qwen2_moe", M "mlp.shared_expert.gate_proj.weight moe.shared.gate[3]",
          M "mlp.shared_expert.up_proj.weight moe.shared.up[3]",
          M "mlp.shared_expert.down_proj.weight moe.shared.down[3]",
          M "mlp.shared_expert_gate.weight moe.shared.router[3]");
    CHECK("longcat_flash", M "self_attn.0.q_a_proj.weight attn.q_a[3]",
          M "self_attn.1.q_a_layernorm.weight attn.q_a_norm[3]",
          M "self_attn.1.q_b_proj.weight attn.q_b[3]",
          M "self_attn.0.kv_a_proj_with_mqa.weight attn.kv_a[3]",
          M "self_attn.0.kv_a_layernorm.weight attn.kv_a_norm[3]",
          M "self_attn.1.kv_b_proj.weight attn.kv_b[3]", M "self_attn.1.o_proj.weight attn.o[3]",
          M "mlps.0.gate_proj.weight mlp.gate[3]", M "mlps.1.up_proj.weight mlp.up[3]",
          M "mlps.1.down_proj.weight mlp.down[3]", M "input_layernorm.1.weight norm.attn[3]",
          M "post_attention_layernorm.0.weight norm.mlp[3]",
          M "mlp.router.classifier.weight moe.router[3]",
          M "mlp.router.e_score_correction_bias moe.router.bias[3]", EXPERTS(M "mlp."));
    CHECK("smallthinker", M "block_sparse_moe.primary_router.weight moe.router[3]",
          M "block_sparse_moe.experts.5.gate.weight mlp.gate[3]#5",
          M "block_sparse_moe.experts.5.up.weight mlp.up[3]#5",
          M "block_sparse_moe.experts.5.down.weight mlp.down[3]#5");
    CHECK("bailing_moe_v2", M "attention.query_layernorm.weight attn.q_norm[3]",
          M "attention.key_layernorm.weight attn.k_norm[3]",
          M "mlp.shared_experts.gate_proj.weight moe.shared.gate[3]",
          "model.word_embeddings.weight embed[0] aside");
    CHECK("ernie4_5_moe", M "mlp.moe_statics.e_score_correction_bias moe.router.bias[3]",
          M "mlp.shared_experts.down_proj.weight moe.shared.down[3]");
    CHECK("PanguProMoE", M "self_attn.o_proj.bias attn.o.bias[3]", M "mlp.router_scale",
          M "mlp.gate.weight moe.router[3]", EXPERTS(M "mlp."));
}

static void hybrids(void)
{
    CHECK("jamba", LLAMA_ATTENTION(M), M "mamba.in_proj.weight", M "mamba.b_layernorm.weight",
          M "pre_ff_layernorm.weight norm.mlp[3]", EXPERTS(M "feed_forward."),
          "model.final_layernorm.weight norm.final[0] aside");
    CHECK("falcon_h1", LLAMA_ATTENTION(M), M "mamba.in_proj.weight", M "mamba.dt_bias");
    CHECK("granitemoehybrid", LLAMA_ATTENTION(M), M "mamba.A_log", M "mamba.norm.weight",
          M "shared_mlp.output_linear.weight moe.shared.down[3]",
          M "block_sparse_moe.router.layer.weight moe.router[3]");
    CHECK("recurrent_gemma", M "temporal_block.q_proj.weight attn.q[3]",
          M "temporal_block.k_proj.weight attn.k[3]", M "temporal_block.v_proj.weight attn.v[3]",
          M "temporal_block.o_proj.bias attn.o.bias[3]", M "temporal_block.linear_x.weight",
          M "temporal_block.rg_lru.recurrent_param", M "temporal_pre_norm.weight norm.attn[3]",
          M "channel_pre_norm.weight norm.mlp[3]", M "mlp_block.gate_proj.weight mlp.gate[3]",
          M "mlp_block.up_proj.bias mlp.up.bias[3]", M "mlp_block.down_proj.weight mlp.down[3]",
          "model.final_norm.weight norm.final[0] aside");
    CHECK("plamo2", "model.layers.layers.3.mixer.o_proj.weight attn.o[3]",
          "model.layers.layers.3.mixer.in_proj.weight", "model.layers.layers.3.mixer.A_log",
          "model.layers.layers.3.pre_mlp_norm.weight norm.mlp[3]",
          "model.layers.layers.3.post_mlp_norm.weight norm.mlp_post[3]");
    CHECK("nemotron_h", "backbone.layers.3.mixer.o_proj.weight attn.o[3]",
          "backbone.layers.3.mixer.gate.e_score_correction_bias moe.router.bias[3]",
          "backbone.layers.3.mixer.experts.5.up_proj.weight mlp.up[3]#5",
          "backbone.layers.3.mixer.conv1d.weight", "backbone.embeddings.weight embed[0] aside");
}

/* Layers 0 and 2 (counted from 1 in the configuration) have linear attention. */
static void kimi_linear(void)
{
#define KIMI                                                                                       \
    "{\"model_type\":\"kimi_linear\",\"hidden_size\":12,\"num_attention_heads\":4,"                \
    "\"kv_lora_rank\":4,\"linear_attn_config\":{\"kda_layers\":[1,3],\"full_attn_layers\":[2]}}"
#define GGUF_KIMI                                                                                  \
    "{\"llmfp_complete\":true,\"model_type\":\"kimi-linear\",\"num_query_heads\":[4,4],"           \
    "\"num_kv_heads\":[0,1]}"
#define KL(layer, name, role)                                                                      \
    {                                                                                              \
        KIMI, "model.layers." #layer "." name, "12x12", "1 * " role "[" #layer "] 144"             \
    }
    static const struct roles_case cases[] = {
        KL(1, "self_attn.q_proj.weight", "attn.q"),
        KL(1, "self_attn.o_proj.weight", "attn.o"),
        KL(1, "self_attn.kv_a_proj_with_mqa.weight", "attn.kv_a"),
        KL(1, "self_attn.kv_b_proj.weight", "attn.kv_b"),
        KL(0, "self_attn.q_proj.weight", "other:model.layers.*.self_attn.q_proj.weight"),
        KL(2, "self_attn.k_proj.weight", "other:model.layers.*.self_attn.k_proj.weight"),
        KL(2, "self_attn.v_proj.weight", "other:model.layers.*.self_attn.v_proj.weight"),
        KL(2, "self_attn.o_proj.weight", "other:model.layers.*.self_attn.o_proj.weight"),
        KL(2, "self_attn.f_a_proj.weight", "other:model.layers.*.self_attn.f_a_proj.weight"),
        KL(2, "self_attn.A_log", "other:model.layers.*.self_attn.A_log"),
        KL(2, "input_layernorm.weight", "norm.attn"),
        KL(2, "block_sparse_moe.shared_experts.up_proj.weight", "moe.shared.up"),
        KL(2, "block_sparse_moe.gate.e_score_correction_bias", "moe.router.bias"),
        {GGUF_KIMI, "blk.0.attn_q.weight", "12x12", "1 * other:blk.*.attn_q.weight[0] 144"},
        {GGUF_KIMI, "blk.0.attn_output.weight", "12x12",
         "1 * other:blk.*.attn_output.weight[0] 144"},
        {GGUF_KIMI, "blk.1.attn_q.weight", "12x12", "1 * attn.q[1] 144"},
        {GGUF_KIMI, "blk.1.attn_output.weight", "12x12", "1 * attn.o[1] 144"},
    };
    ROLES_CHECK(cases);
#undef KIMI
#undef GGUF_KIMI
#undef KL
}

static void other_stacks(void)
{
    CHECK("gptj", T "attn.q_proj.weight attn.q[3]", T "attn.out_proj.weight attn.o[3]",
          T "mlp.fc_out.weight mlp.down[3]", T "ln_1.bias norm.attn.bias[3]",
          "lm_head.bias lm_head.bias[0] aside");
    CHECK("gpt_neo", T "attn.attention.v_proj.weight attn.v[3]",
          T "attn.attention.out_proj.bias attn.o.bias[3]", T "mlp.c_fc.weight mlp.up[3]",
          T "mlp.c_proj.weight mlp.down[3]", T "attn.attention.masked_bias");
    CHECK("exaone", T "attn.attention.k_proj.weight attn.k[3]", T "ln_2.weight norm.mlp[3]",
          T "mlp.c_proj.weight mlp.down[3]");
    CHECK("opt", "model.decoder.layers.3.self_attn.out_proj.weight attn.o[3]",
          "decoder.layers.3.fc2.weight mlp.down[3]",
          "decoder.layers.3.self_attn_layer_norm.bias norm.attn.bias[3]",
          "model.decoder.embed_positions.weight", "model.decoder.project_in.weight");
    CHECK("modernbert-decoder", M "attn.q_proj.weight attn.q[3]", M "attn.k_proj.weight attn.k[3]",
          M "attn.v_proj.weight attn.v[3]", M "attn.Wo.weight attn.o[3]",
          M "attn_norm.weight norm.attn[3]", M "mlp.Wo.weight mlp.down[3]");
    CHECK("bert", "encoder.layer.3.mlp.layernorm.weight norm.mlp_post[3]",
          "encoder.layer.3.attention.self.layer_norm_q.weight attn.q_norm[3]",
          "encoder.layer.3.attention.self.layer_norm_k.weight attn.k_norm[3]");
    CHECK("new", "new.encoder.layer.3.attention.o_proj.weight attn.o[3]",
          "new.encoder.layer.3.attn_ln.weight norm.attn_post[3]",
          "encoder.layer.3.mlp_ln.bias norm.mlp_post.bias[3]",
          "encoder.layer.3.mlp.down_proj.weight mlp.down[3]",
          "new.embeddings.word_embeddings.weight embed[0] aside");
    CHECK("cogvlm", M "self_attn.language_expert_dense.weight attn.o[3]",
          M "mlp.language_mlp.up_proj.weight mlp.up[3]", M "mlp.vision_mlp.up_proj.weight",
          M "self_attn.vision_expert_dense.weight");
    CHECK("deepseek_v3", "layers.3.attn.wkv_a.weight attn.kv_a[3]",
          "layers.3.attn.kv_norm.weight attn.kv_a_norm[3]",
          "layers.3.ffn.experts.5.w2.weight mlp.down[3]#5", "embed.weight embed[0] aside",
          M "self_attn.q_a_layernorm.weight attn.q_a_norm[3]",
          "model.layers.10.mlp.up_proj.weight mtp.mlp.up[1] aside", "model.layers.9.enorm.weight");
    CHECK("llama4_text", M "feed_forward.shared_expert.gate_proj.weight moe.shared.gate[3]",
          M "feed_forward.router.weight moe.router[3]",
          "vision_model.model.layers.3.self_attn.q_proj.weight");
}

static void gguf(void)
{
#define B "blk.3."
    CHECK("llama", B "attn_q.weight attn.q[3]", B "attn_k.bias attn.k.bias[3]",
          B "attn_v.weight attn.v[3]", B "attn_output.weight attn.o[3]",
          B "attn_norm.weight norm.attn[3]", B "ffn_norm.weight norm.mlp[3]",
          B "ffn_gate.weight mlp.gate[3]", B "ffn_up.weight mlp.up[3]",
          B "ffn_down.weight mlp.down[3]", B "ffn_gate_inp.weight moe.router[3]",
          B "ffn_gate_exps.weight mlp.gate[3]", B "ffn_up.5.weight mlp.up[3]#5",
          B "ffn_gate_shexp.weight moe.shared.gate[3]", B "ffn_up_shexp.weight moe.shared.up[3]",
          B "ffn_down_shexp.weight moe.shared.down[3]", B "attn_rot_embd", B "ssm_a",
          B "ssm_conv1d.weight", B "ssm_dt.bias", B "indexer.attn_k.weight",
          B "time_mix_key.weight", B "vis_attn_qkv.weight", B "attn_gate.weight",
          "rope_factors_long.weight", "position_embd.weight", "token_types.weight",
          "output.weight lm_head[0] aside", "output_norm.weight norm.final[0] aside",
          "v.pre_ln.weight", "v.blk.3.attn_qkv.weight", "a.blk.3.ffn_up.weight", "mm.2.weight",
          "cls.output.weight");
    CHECK("deepseek2", B "attn_q_b.weight attn.q_b[3]", B "attn_kv_a_norm.weight attn.kv_a_norm[3]",
          B "attn_kv_b.weight attn.kv_b[3]", B "exp_probs_b.bias moe.router.bias[3]");
    CHECK("t5", "dec.blk.3.attn_norm.weight norm.attn[3]", "dec.blk.3.cross_attn_norm.weight",
          "dec.blk.3.cross_attn_o.weight xattn.o[3]", "dec.blk.3.attn_rel_b.weight",
          "enc.blk.3.ffn_gate.weight encoder.mlp.gate[3] aside",
          "enc.output_norm.weight encoder.norm.final[0] aside");
    CHECK("afmoe", B "attn_gate.weight attn.gate[3]",
          B "post_attention_norm.weight norm.attn_post[3]");
    CHECK("gemma3", B "post_attention_norm.weight norm.attn_post[3]",
          B "post_ffw_norm.weight norm.mlp_post[3]", B "attn_q_norm.weight attn.q_norm[3]");
    CHECK("gpt-oss", B "post_attention_norm.weight norm.mlp[3]",
          B "attn_sinks.weight attn.sink[3]");
    CHECK("grok", B "attn_output_norm.weight norm.attn_post[3]",
          B "layer_output_norm.weight norm.mlp_post[3]");
    CHECK("qwen35", B "attn_gate.weight", B "ssm_alpha.weight", B "ssm_beta.weight",
          B "post_attention_norm.weight norm.mlp[3]");
#undef B
}

/* Prefixes that wrappers leave, anywhere in a name. */
static void wrappers(void)
{
    CHECK("llama", "module." M "self_attn.q_proj.weight attn.q[3]",
          "_orig_mod.module." M "self_attn.q_proj.weight attn.q[3]",
          "state_dict." M "self_attn.q_proj.weight attn.q[3]",
          "_forward_module." M "mlp.up_proj.weight mlp.up[3]",
          "model.layers.3._checkpoint_wrapped_module.self_attn.k_proj.weight attn.k[3]",
          "_fsdp_wrapped_module.model.layers.3._fsdp_wrapped_module.mlp.up_proj.weight mlp.up[3]",
          "base_model.model." M "self_attn.v_proj.base_layer.weight attn.v[3]",
          "layers.3.self_attn.q_proj.weight attn.q[3]", "norm.weight norm.final[0] aside",
          "layers.3.attention.wq.weight attn.q[3]", "layers.3.feed_forward.w2.weight mlp.down[3]",
          "layers.3.attention_norm.weight norm.attn[3]", "rope.freqs");
}

static void fused(void)
{
#define OF(type, more)                                                                             \
    "{\"model_type\":\"" type "\",\"hidden_size\":12,\"num_attention_heads\":4,"                   \
    "\"num_hidden_layers\":9" more "}"
    static const struct roles_case cases[] = {
        /* the first chatglm states no head size; its heads are H / h wide */
        {OF("chatglm", ""), "transformer.layers.3.attention.query_key_value.weight", "36x12",
         "4 * attn.q[3] 36 + attn.k[3] 36 + attn.v[3] 36"},
        {OF("chatglm", ""), "transformer.layers.3.attention.query_key_value.bias", "36",
         "4 * attn.q.bias[3] 3 + attn.k.bias[3] 3 + attn.v.bias[3] 3"},
        {OF("chatglm", ""), "transformer.layers.3.attention.query_key_value.weight", "30x12",
         "1 * attn.qkv[3] 360 noted"},
        {OF("telechat", ""), "transformer.h.3.self_attention.key_value.weight", "24x12",
         "4 * attn.k[3] 36 + attn.v[3] 36"},
        {OF("codeshell", ",\"num_query_groups\":2"), "transformer.h.3.attn.c_attn.weight", "24x12",
         "1 * attn.q[3] 144 + attn.k[3] 72 + attn.v[3] 72"},
        {OF("plamo2", ",\"num_key_value_heads\":2,\"hidden_size_per_head\":3"),
         "model.layers.layers.3.mixer.qkv_proj.weight", "24x12",
         "1 * attn.q[3] 144 + attn.k[3] 72 + attn.v[3] 72"},
        {OF("plamo2", ""), "model.layers.layers.3.mlp.gate_up_proj.weight", "20x12",
         "1 * mlp.gate[3] 120 + mlp.up[3] 120"},
        {OF("plamo2", ",\"intermediate_size\":10"), "blk.3.ffn_up.weight", "20x12",
         "1 * mlp.gate[3] 120 + mlp.up[3] 120"},
        {OF("new", ""), "new.encoder.layer.3.attention.qkv_proj.weight", "36x12",
         "1 * attn.q[3] 144 + attn.k[3] 144 + attn.v[3] 144"},
        {OF("new", ""), "encoder.layer.3.mlp.up_gate_proj.weight", "20x12",
         "1 * mlp.up[3] 120 + mlp.gate[3] 120"},
        {OF("jetmoe", ""), "model.layers.3.mlp.input_linear.weight", "8x20x12",
         "8 * mlp.gate[3] 120 + mlp.up[3] 120"},
        {OF("jetmoe", ""), "model.layers.3.mlp.output_linear.weight", "8x12x10",
         "1 * mlp.down[3] 960"},
        {OF("aria_text", ""), "language_model.model.layers.3.mlp.experts.fc1.weight", "8x12x20",
         "96 * mlp.gate[3] 10 + mlp.up[3] 10"},
        {OF("aria_text", ""), "language_model.model.layers.3.mlp.experts.fc2.weight", "8x10x12",
         "1 * mlp.down[3] 960"},
        /* the class of the architecture instead of a model type */
        {"{\"architectures\":[\"GPTNeoXForCausalLM\"],\"hidden_size\":12,"
         "\"num_attention_heads\":4}",
         "gpt_neox.layers.3.attention.query_key_value.weight", "36x12",
         "4 * attn.q[3] 36 + attn.k[3] 36 + attn.v[3] 36"},
        {"{\"architectures\":[\"Phi3ForCausalLM\"],\"hidden_size\":12,"
         "\"num_attention_heads\":4,\"num_key_value_heads\":2}",
         "model.layers.3.self_attn.qkv_proj.weight", "24x12",
         "1 * attn.q[3] 144 + attn.k[3] 72 + attn.v[3] 72"},
        {OF("modernbert-decoder", ""), "model.layers.3.mlp.Wi.weight", "20x12",
         "1 * mlp.gate[3] 120 + mlp.up[3] 120"},
    };
    ROLES_CHECK(cases);
#undef OF
}

TEST_PROGRAM("table of families", TEST(llama_names), TEST(norms_behind), TEST(mixtures),
             TEST(hybrids), TEST(kimi_linear), TEST(other_stacks), TEST(gguf), TEST(wrappers),
             TEST(fused))
