"""The namings of clothes.py, family by family, from the published modelling code.

Every one maps the pieces of the same body, so that all of them must give the same cells.
"""
from clothes import (Naming, blocks_kv, blocks_qkv, columns, experts_in_turn, flat,
                     groups_q_gate_kv, groups_qkv, halves, heads_kv, heads_q_gate, paired,
                     quarters_qvk, rows_in_turn)

GATE_UP, UP_GATE = halves("gate", "up"), halves("up", "gate")
EXPERTS_GATE_UP = halves("experts gate", "experts up")

# --- llama and its kin: separate matrices -----------------------------------------------------

QKV_BIASES = {"self_attn.q_proj.*": "q", "self_attn.k_proj.*": "k", "self_attn.v_proj.*": "v",
              "self_attn.o_proj.weight": "o"}
NORMS = {"input_layernorm.weight": "norm 1", "post_attention_layernorm.weight": "norm 2"}
GATED = {"mlp.gate_proj.weight": "gate", "mlp.up_proj.weight": "up", "mlp.down_proj.weight": "down"}
ATTENTION = {"self_attn.q_proj.weight": "q", "self_attn.k_proj.weight": "k",
             "self_attn.v_proj.weight": "v", "self_attn.o_proj.weight": "o"} | NORMS
LLAMA_BLOCK = QKV_BIASES | GATED | NORMS
OUTSIDE = {"model.embed_tokens.weight": "embed", "model.norm.weight": "norm",
           "lm_head.weight": "head"}


def llama_like(model_type, block, layer="model.layers.{}.", outside=None, **more):
    config = {"model_type": model_type} | more.pop("config", {})
    return Naming(layer, block, OUTSIDE if outside is None else outside, config, **more)


def wrapped(prefix):
    """Names behind a wrapper's prefix; `config` has the language model's part inside."""
    return Naming(prefix + "model.layers.{}.", LLAMA_BLOCK,
                  {prefix + name: piece for name, piece in OUTSIDE.items()},
                  {"model_type": "qwen2"})


META_BLOCK = {"attention.wq.weight": paired("q"), "attention.wk.weight": paired("k"),
              "attention.wv.weight": "v", "attention.wo.weight": "o",
              "attention_norm.weight": "norm 1",
              "ffn_norm.weight": "norm 2", "feed_forward.w1.weight": "gate",
              "feed_forward.w3.weight": "up", "feed_forward.w2.weight": "down"}
META_OUTSIDE = {"tok_embeddings.weight": "embed", "norm.weight": "norm", "output.weight": "head"}
META = Naming("layers.{}.", META_BLOCK, META_OUTSIDE, sizes="")

HUGGING_FACE = llama_like("qwen2", LLAMA_BLOCK)
FSDP = "_fsdp_wrapped_module."
PREFIXES = {
    "ddp": wrapped("module."), "compiled": wrapped("_orig_mod."),
    "ddp-compiled": wrapped("module._orig_mod."), "fabric": wrapped("_forward_module."),
    "nested": wrapped("model_state_dict."),
    "fsdp": Naming(FSDP + "model.layers.{}." + FSDP + "_checkpoint_wrapped_module.", LLAMA_BLOCK,
                   {FSDP + name: piece for name, piece in OUTSIDE.items()},
                   {"model_type": "qwen2"}),
    "language": wrapped("language_model."),
    "inner": Naming("model.language_model.layers.{}.", LLAMA_BLOCK,
                    {"model.language_model.embed_tokens.weight": "embed",
                     "model.language_model.norm.weight": "norm", "lm_head.weight": "head"},
                    {"model_type": "qwen2"}),
    "bare": Naming("layers.{}.", LLAMA_BLOCK, {"embed_tokens.weight": "embed",
                                               "norm.weight": "norm"}, {"model_type": "qwen2"}),
}

# --- fused matrices and other names, grouped query heads ---------------------------------------

H_OUTSIDE = {"transformer.wte.weight": "embed", "transformer.ln_f.*": "norm"}
QKV_TALL = {"self_attn.qkv_proj.weight": blocks_qkv, "self_attn.o_proj.weight": "o"}
UNGATED_NEOX = {"mlp.dense_h_to_4h.*": "up", "mlp.dense_4h_to_h.*": "down"}
MEGATRON = {"self_attention.linear_qkv.*": groups_qkv, "self_attention.linear_proj.weight": "o",
            "self_attention.linear_qkv.layer_norm_weight": "norm 1",
            "mlp.linear_fc1.layer_norm_weight": "norm 2", "mlp.linear_fc1.*": GATE_UP,
            "mlp.linear_fc2.weight": "down"}
MEGATRON_SIZES = "num_layers hidden_size num_attention_heads num_query_groups ffn_hidden_size " \
                 "moe_ffn_hidden_size"
MEGATRON_OUTSIDE = {"embedding.word_embeddings.weight": "embed",
                    "decoder.final_layernorm.weight": "norm", "output_layer.weight": "head"}

GROUPED = {
    "qwen2": HUGGING_FACE,
    "llama": llama_like("llama", ATTENTION | GATED),
    "phi3": llama_like("phi3", QKV_TALL | NORMS | {"mlp.gate_up_proj.weight": GATE_UP,
                                                   "mlp.down_proj.weight": "down"}),
    "glm4": llama_like("glm4", QKV_BIASES | {"mlp.gate_up_proj.weight": GATE_UP,
                                             "mlp.down_proj.weight": "down"} | NORMS),
    "internlm2": llama_like("internlm2", {
        "attention.wqkv.*": groups_qkv, "attention.wo.weight": "o", "attention_norm.weight":
        "norm 1", "ffn_norm.weight": "norm 2", "feed_forward.w1.weight": "gate",
        "feed_forward.w3.weight": "up", "feed_forward.w2.weight": "down"},
        outside={"model.tok_embeddings.weight": "embed", "model.norm.weight": "norm",
                 "output.weight": "head"}),
    "hunyuan": llama_like("hunyuan", {
        "self_attn.qkv_proj.weight": groups_qkv, "self_attn.o_proj.weight": "o",
        "mlp.gate_and_up_proj.weight": UP_GATE, "mlp.down_proj.weight": "down"} | NORMS),
    "phi3small": llama_like("phi3small", {
        "self_attn.query_key_value.*": groups_qkv, "self_attn.dense.*": "o",
        "mlp.up_proj.*": rows_in_turn, "mlp.down_proj.*": "down"} | NORMS),
    "ernie-paddle": llama_like("ernie4_5", {
        "self_attn.qkv_proj.weight": columns(blocks_qkv), "self_attn.o_proj.weight": columns("o"),
        "mlp.up_gate_proj.weight": columns(GATE_UP), "mlp.down_proj.weight": columns("down")} |
        NORMS, "ernie.layers.{}.", {"ernie.embed_tokens.weight": "embed",
                                    "ernie.norm.weight": "norm", "lm_head.weight": "head"}),
    "qwen3_next": llama_like("qwen3_next", {
        "self_attn.q_proj.weight": heads_q_gate, "self_attn.k_proj.weight": "k",
        "self_attn.v_proj.weight": "v", "self_attn.o_proj.weight": "o"} | GATED | NORMS),
    "starcoder2": llama_like("starcoder2", QKV_BIASES | {
        "mlp.c_fc.*": "up", "mlp.c_proj.*": "down", "input_layernorm.*": "norm 1",
        "post_attention_layernorm.*": "norm 2"}),
    "chatglm": Naming("transformer.encoder.layers.{}.", {
        "self_attention.query_key_value.*": blocks_qkv, "self_attention.dense.weight": "o",
        "mlp.dense_h_to_4h.weight": GATE_UP, "mlp.dense_4h_to_h.weight": "down"} | NORMS,
        {"transformer.embedding.word_embeddings.weight": "embed",
         "transformer.encoder.final_layernorm.weight": "norm",
         "transformer.output_layer.weight": "head"},
        {"model_type": "chatglm", "multi_query_attention": True},
        sizes="num_layers hidden_size num_attention_heads kv_channels multi_query_group_num "
              "ffn_hidden_size"),
    "falcon": Naming("transformer.h.{}.", {
        "self_attention.query_key_value.weight": groups_qkv, "self_attention.dense.weight": "o",
        "mlp.dense_h_to_4h.weight": "up", "mlp.dense_4h_to_h.weight": "down",
        "ln_attn.*": "norm 1", "ln_mlp.*": "norm 2"},
        {"transformer.word_embeddings.weight": "embed", "transformer.ln_f.*": "norm",
         "lm_head.weight": "head"},
        {"model_type": "falcon", "new_decoder_architecture": True},
        sizes="hidden_size num_attention_heads num_kv_heads num_hidden_layers"),
    "telechat": Naming("transformer.h.{}.", {
        "self_attention.query.weight": "q", "self_attention.key_value.weight": heads_kv,
        "self_attention.dense.*": "o", "mlp.gate_proj.weight": "gate", "mlp.up_proj.weight": "up",
        "mlp.down_proj.*": "down"} | NORMS, {"transformer.word_embeddings.weight": "embed",
                                             "transformer.ln_f.weight": "norm",
                                             "lm_head.weight": "head"},
        {"model_type": "telechat"}, sizes="hidden_size n_head n_layer num_key_value_heads"),
    "exaone": Naming("transformer.h.{}.", {
        "attn.attention.q_proj.weight": "q", "attn.attention.k_proj.weight": "k",
        "attn.attention.v_proj.weight": "v", "attn.attention.out_proj.weight": "o",
        "ln_1.weight": "norm 1", "ln_2.weight": "norm 2", "mlp.c_fc_0.weight": "gate",
        "mlp.c_fc_1.weight": "up", "mlp.c_proj.weight": "down"}, {"transformer.wte.weight": "embed",
        "transformer.ln_f.weight": "norm", "lm_head.weight": "head"}, {"model_type": "exaone"}),
    "mpt": Naming("transformer.blocks.{}.", {
        "attn.Wqkv.weight": blocks_qkv, "attn.out_proj.weight": "o", "norm_1.weight": "norm 1",
        "norm_2.weight": "norm 2", "ffn.up_proj.weight": "up", "ffn.down_proj.weight": "down"},
        {"transformer.wte.weight": "embed", "transformer.norm_f.weight": "norm"},
        {"model_type": "mpt", "d_model": 16, "n_heads": 4, "n_layers": 3,
         "attn_config": {"kv_n_heads": 2}}, sizes=""),
    "hf_olmo": Naming("model.transformer.blocks.{}.", {
        "att_proj.weight": blocks_qkv, "attn_out.weight": "o", "ff_proj.weight": UP_GATE,
        "ff_out.weight": "down", "attn_norm.weight": "norm 1", "ff_norm.weight": "norm 2"},
        {"model.transformer.wte.weight": "embed", "model.transformer.ln_f.weight": "norm",
         "model.transformer.ff_out.weight": "head"},
        {"model_type": "hf_olmo", "d_model": 16, "n_heads": 4, "n_layers": 3, "n_kv_heads": 2},
        sizes=""),
    "openelm": Naming("transformer.layers.{}.", {
        "attn.qkv_proj.weight": blocks_qkv, "attn.out_proj.weight": "o", "attn_norm.weight":
        "norm 1", "ffn_norm.weight": "norm 2", "ffn.proj_1.weight": GATE_UP,
        "ffn.proj_2.weight": "down"}, {"transformer.token_embeddings.weight": "embed",
                                       "transformer.norm.weight": "norm"},
        {"model_type": "openelm", "model_dim": 16, "head_dim": 4, "num_transformer_layers": 3,
         "num_query_heads": [4, 4, 4], "num_kv_heads": [2, 2, 2]}, sizes=""),
    "gpt-oss-original": Naming("block.{}.", {
        "attn.qkv.*": blocks_qkv, "attn.out.weight": "o", "attn.norm.scale": "norm 1",
        "mlp.norm.scale": "norm 2", "mlp.gate.*": "router",
        "mlp.mlp1_weight": experts_in_turn("experts gate", "experts up"),
        "mlp.mlp2_weight": "experts down"}, {"embedding.weight": "embed", "norm.scale": "norm",
                                             "unembedding.weight": "head"}),
    "megatron": Naming("decoder.layers.{}.", MEGATRON, MEGATRON_OUTSIDE, {}, sizes=MEGATRON_SIZES),
    "megatron-ddp": Naming("module.module.decoder.layers.{}.", MEGATRON, {
        "module.module." + name: piece for name, piece in MEGATRON_OUTSIDE.items()}, {},
        sizes=MEGATRON_SIZES),
    "megatron-gate": Naming("decoder.layers.{}.", MEGATRON | {
        "self_attention.linear_qkv.*": groups_q_gate_kv}, MEGATRON_OUTSIDE,
        {"attention_output_gate": True}, sizes=MEGATRON_SIZES),
} | PREFIXES

# --- as many key and value heads as query heads, or one -----------------------------------------

GPT2_REST = {"attn.c_proj.*": columns("o"), "mlp.c_fc.*": columns("up"),
             "mlp.c_proj.*": columns("down"), "ln_1.*": "norm 1", "ln_2.*": "norm 2"}
GPT_SIZES = "n_embd n_head n_layer"
BLOOM = {"self_attention.query_key_value.*": groups_qkv, "self_attention.dense.*": "o",
         "input_layernorm.*": "norm 1", "post_attention_layernorm.*": "norm 2"} | UNGATED_NEOX
BLOOM_OUTSIDE = {"word_embeddings.weight": "embed", "ln_f.*": "norm"}
NEOX = {"attention.query_key_value.*": groups_qkv, "attention.dense.*": "o",
        "input_layernorm.*": "norm 1", "post_attention_layernorm.*": "norm 2"} | UNGATED_NEOX


def whole(model_type, layer, block, outside, sizes=GPT_SIZES, config=None, **more):
    """As many key and value heads as query heads."""
    return Naming(layer, block, outside, {"model_type": model_type} | (config or {}), 4, sizes,
                  **more)


ALIKE = {
    "gpt2": whole("gpt2", "h.{}.", {"attn.c_attn.*": columns(blocks_qkv)} | GPT2_REST,
                  {"wte.weight": "embed", "ln_f.*": "norm"}),
    "jais": whole("jais", "transformer.h.{}.", {
        "attn.c_attn.*": columns(blocks_qkv), "mlp.c_fc2.*": columns("gate")} | GPT2_REST,
        H_OUTSIDE),
    "gpt_bigcode-mha": whole("gpt_bigcode", "transformer.h.{}.", {
        "attn.c_attn.*": groups_qkv, "attn.c_proj.*": "o", "mlp.c_fc.*": "up",
        "mlp.c_proj.*": "down", "ln_1.*": "norm 1", "ln_2.*": "norm 2"}, H_OUTSIDE,
        config={"multi_query": False}),
    "bloom": whole("bloom", "h.{}.", BLOOM, BLOOM_OUTSIDE, "hidden_size n_head n_layer"),
    "falcon-rw": whole("falcon", "transformer.h.{}.", BLOOM, {
        "transformer." + name: piece for name, piece in BLOOM_OUTSIDE.items()},
        "hidden_size num_attention_heads num_hidden_layers", {"multi_query": False}),
    "codegen": whole("codegen", "transformer.h.{}.", {
        "attn.qkv_proj.weight": quarters_qvk, "attn.out_proj.weight": "o", "mlp.fc_in.*": "up",
        "mlp.fc_out.*": "down", "ln_1.*": "norm 1"}, H_OUTSIDE | {"lm_head.*": "head"}),
    "neox": whole("gpt_neox", "gpt_neox.layers.{}.", NEOX, {
        "gpt_neox.embed_in.weight": "embed", "gpt_neox.final_layer_norm.*": "norm",
        "embed_out.weight": "head"}, "hidden_size num_attention_heads num_hidden_layers"),
    "chatglm1": whole("chatglm", "transformer.layers.{}.", NEOX, {
        "transformer.word_embeddings.weight": "embed", "transformer.final_layernorm.*": "norm"},
        "hidden_size num_attention_heads num_layers kv_channels"),
    "baichuan": whole("baichuan", "model.layers.{}.", {
        "self_attn.W_pack.weight": blocks_qkv, "self_attn.o_proj.weight": "o"} | GATED | NORMS,
        OUTSIDE, "hidden_size num_attention_heads num_hidden_layers"),
    "persimmon": whole("persimmon", "model.layers.{}.", {
        "self_attn.query_key_value.*": groups_qkv, "self_attn.dense.*": "o",
        "input_layernorm.*": "norm 1", "post_attention_layernorm.*": "norm 2"} | UNGATED_NEOX,
        {"model.embed_tokens.weight": "embed", "model.final_layernorm.*": "norm",
         "lm_head.weight": "head"}, "hidden_size num_attention_heads num_hidden_layers"),
    "phi-msft": whole("phi-msft", "transformer.h.{}.", {
        "mixer.Wqkv.*": blocks_qkv, "mixer.out_proj.*": "o", "ln.*": "norm 1", "mlp.fc1.*": "up",
        "mlp.fc2.*": "down"}, {"transformer.embd.wte.weight": "embed", "lm_head.ln.*": "norm",
                               "lm_head.linear.*": "head"}),
    "phi-1": whole("mixformer-sequential", "layers.{}.", {
        "mixer.Wqkv.*": blocks_qkv, "mixer.out_proj.*": "o", "ln.*": "norm 1", "mlp.fc1.*": "up",
        "mlp.fc2.*": "down"}, {"layers.0.wte.weight": "embed", "layers.4.ln.*": "norm",
                               "layers.4.linear.*": "head"}, first_layer=1),
    "phi": whole("phi", "model.layers.{}.", {
        "self_attn.q_proj.*": "q", "self_attn.k_proj.*": "k", "self_attn.v_proj.*": "v",
        "self_attn.dense.*": "o", "mlp.fc1.*": "up", "mlp.fc2.*": "down",
        "input_layernorm.*": "norm 1"}, {"model.embed_tokens.weight": "embed",
                                         "model.final_layernorm.*": "norm", "lm_head.*": "head"},
        "hidden_size num_attention_heads num_hidden_layers"),
    "opt": whole("opt", "model.decoder.layers.{}.", {
        "self_attn.q_proj.*": "q", "self_attn.k_proj.*": "k", "self_attn.v_proj.*": "v",
        "self_attn.out_proj.*": "o", "self_attn_layer_norm.*": "norm 1", "fc1.*": "up",
        "fc2.*": "down", "final_layer_norm.*": "norm 2"}, {
        "model.decoder.embed_tokens.weight": "embed", "model.decoder.final_layer_norm.*": "norm"},
        "hidden_size num_attention_heads num_hidden_layers"),
    "gptj": whole("gptj", "transformer.h.{}.", {
        "attn.q_proj.weight": "q", "attn.k_proj.weight": "k", "attn.v_proj.weight": "v",
        "attn.out_proj.weight": "o", "mlp.fc_in.*": "up", "mlp.fc_out.*": "down",
        "ln_1.*": "norm 1"}, H_OUTSIDE | {"lm_head.*": "head"}),
    "qwen": whole("qwen", "transformer.h.{}.", {
        "attn.c_attn.*": blocks_qkv, "attn.c_proj.weight": "o", "mlp.w2.weight": "gate",
        "mlp.w1.weight": "up", "mlp.c_proj.weight": "down", "ln_1.weight": "norm 1",
        "ln_2.weight": "norm 2"}, H_OUTSIDE | {"lm_head.weight": "head"},
        "hidden_size num_attention_heads num_hidden_layers kv_channels"),
    "modernbert": whole("modernbert", "model.layers.{}.", {
        "attn.Wqkv.weight": blocks_qkv, "attn.Wo.weight": "o", "attn_norm.weight": "norm 1",
        "mlp_norm.weight": "norm 2", "mlp.Wi.weight": GATE_UP, "mlp.Wo.weight": "down"}, {
        "model.embeddings.tok_embeddings.weight": "embed", "model.final_norm.weight": "norm"},
        "hidden_size num_attention_heads num_hidden_layers intermediate_size"),
}
ONE = {
    "gpt_bigcode": Naming("transformer.h.{}.", {
        "attn.c_attn.*": blocks_qkv, "attn.c_proj.*": "o", "mlp.c_fc.*": "up",
        "mlp.c_proj.*": "down", "ln_1.*": "norm 1", "ln_2.*": "norm 2"}, H_OUTSIDE,
        {"model_type": "gpt_bigcode"}, 1, GPT_SIZES),
    "falcon-7b": Naming("transformer.h.{}.", {
        "self_attention.query_key_value.weight": blocks_qkv, "self_attention.dense.weight": "o",
        "mlp.dense_h_to_4h.weight": "up", "mlp.dense_4h_to_h.weight": "down",
        "input_layernorm.*": "norm 1"}, {"transformer.word_embeddings.weight": "embed",
                                         "transformer.ln_f.*": "norm"},
        {"model_type": "falcon"}, 1, "hidden_size num_attention_heads num_hidden_layers"),
    "refact": Naming("transformer.h.{}.", {
        "attn.q.weight": "q", "attn.kv.weight": blocks_kv, "attn.c_proj.weight": "o",
        "ln_1.weight": "norm 1", "ln_2.weight": "norm 2", "mlp.gate_up_proj.weight": GATE_UP,
        "mlp.c_proj.weight": "down"}, {"transformer.wte.weight": "embed"},
        {"model_type": "gpt_refact"}, 1, GPT_SIZES),
    "qwen2-mqa": llama_like("qwen2", LLAMA_BLOCK, kv_heads=1),
}

# --- mixtures of experts ------------------------------------------------------------------------

SHARED = {"mlp.shared_expert.gate_proj.weight": "shared gate",
          "mlp.shared_expert.up_proj.weight": "shared up",
          "mlp.shared_expert.down_proj.weight": "shared down"}
EACH = {"mlp.gate.weight": "router", "mlp.experts.{E}.gate_proj.weight": "experts gate",
        "mlp.experts.{E}.up_proj.weight": "experts up",
        "mlp.experts.{E}.down_proj.weight": "experts down"}
W123 = {"experts.{E}.w1.weight": "experts gate", "experts.{E}.w3.weight": "experts up",
        "experts.{E}.w2.weight": "experts down"}
MOE_SIZES = "hidden_size num_attention_heads num_key_value_heads num_hidden_layers " \
            "intermediate_size moe_intermediate_size head_dim "


def under(prefix, block):
    return {prefix + name: piece for name, piece in block.items()}


def mixture(model_type, block, sizes="num_experts", **more):
    return llama_like(model_type, block, sizes=MOE_SIZES + sizes, **more)


MEGATRON_ATTENTION = {name: piece for name, piece in MEGATRON.items() if not name.startswith("mlp")}
MEGATRON_MOE = MEGATRON_ATTENTION | {"pre_mlp_layernorm.weight": "norm 2",
                                     "mlp.router.weight": "router"}
MIXTURES = {
    "mixtral": mixture("mixtral", ATTENTION | {"block_sparse_moe.gate.weight": "router"} |
                       under("block_sparse_moe.", W123), "num_local_experts"),
    "qwen2_moe": mixture("qwen2_moe", ATTENTION | EACH | SHARED),
    "qwen3_moe": mixture("qwen3_moe", ATTENTION | EACH),
    "qwen3_moe-stacked": mixture("qwen3_moe", ATTENTION | {
        "mlp.gate.weight": "router", "mlp.experts.gate_up_proj": EXPERTS_GATE_UP,
        "mlp.experts.down_proj": "experts down"}),
    "qwen3_vl_moe": mixture("qwen3_vl_moe_text", ATTENTION | {
        "mlp.gate.weight": "router", "mlp.experts.gate_up_proj": columns(EXPERTS_GATE_UP),
        "mlp.experts.down_proj": columns("experts down")}),
    "llama4": mixture("llama4_text", ATTENTION | {
        "feed_forward.router.weight": "router",
        "feed_forward.experts.gate_up_proj": columns(EXPERTS_GATE_UP),
        "feed_forward.experts.down_proj": columns("experts down")} | {
        name.replace("mlp.", "feed_forward."): piece for name, piece in SHARED.items()},
        "num_local_experts"),
    "gpt_oss": mixture("gpt_oss", NORMS | {
        "self_attn.q_proj.*": "q", "self_attn.k_proj.*": "k", "self_attn.v_proj.*": "v",
        "self_attn.o_proj.*": "o", "mlp.router.*": "router", "mlp.experts.gate_up_proj_*":
        columns(experts_in_turn("experts gate", "experts up")), "mlp.experts.down_proj_*":
        columns("experts down")}, "num_local_experts"),
    "granitemoe": mixture("granitemoeshared", ATTENTION | {
        "block_sparse_moe.router.layer.weight": "router", "block_sparse_moe.input_linear.weight":
        EXPERTS_GATE_UP, "block_sparse_moe.output_linear.weight": "experts down",
        "shared_mlp.input_linear.weight": halves("shared gate", "shared up"),
        "shared_mlp.output_linear.weight": "shared down"}, "num_local_experts"),
    "deepseek": mixture("deepseek_v2", ATTENTION | EACH | {
        name.replace("expert.", "experts."): piece for name, piece in SHARED.items()}),
    "hunyuan_v1_moe": mixture("hunyuan_v1_moe", ATTENTION | EACH | {
        name.replace("shared_expert", "shared_mlp"): piece for name, piece in SHARED.items()}),
    "dbrx": Naming("transformer.blocks.{}.", {
        "norm_attn_norm.attn.Wqkv.weight": blocks_qkv, "norm_attn_norm.attn.out_proj.weight": "o",
        "norm_attn_norm.norm_1.weight": "norm 1", "norm_attn_norm.norm_2.weight": "norm 2",
        "ffn.router.layer.weight": "router", "ffn.experts.mlp.w1": flat("experts gate"),
        "ffn.experts.mlp.v1": flat("experts up"),
        "ffn.experts.mlp.w2": flat(columns("experts down"))},
        {"transformer.wte.weight": "embed", "transformer.norm_f.weight": "norm",
         "lm_head.weight": "head"},
        {"model_type": "dbrx", "d_model": 16, "n_heads": 4, "n_layers": 3,
         "attn_config": {"kv_n_heads": 2}, "ffn_config": {"moe_num_experts": 3}}, sizes=""),
    "grok": Naming("transformer.decoder_layer.{}.", {
        "multi_head_attention.query.weight": "q", "multi_head_attention.key.weight": "k",
        "multi_head_attention.value.weight": "v", "multi_head_attention.linear.weight": "o",
        "rms_norm.scale": "norm 1", "rms_norm_2.scale": "norm 2", "router.weight": "router",
        "moe.{E}.linear.weight": "experts gate", "moe.{E}.linear_v.weight": "experts up",
        "moe.{E}.linear_1.weight": "experts down"}, {}, {"model_type": "grok-1"}),
    "mistral-native": Naming("layers.{}.", {
        name: piece for name, piece in META_BLOCK.items() if "feed" not in name} | {
        "feed_forward.gate.weight": "router"} | under("feed_forward.", W123), META_OUTSIDE,
        sizes=""),
    "megatron-grouped": Naming("decoder.layers.{}.", MEGATRON_MOE | {
        "mlp.experts.linear_fc1.weight{E}": EXPERTS_GATE_UP,
        "mlp.experts.linear_fc2.weight{E}": "experts down"}, MEGATRON_OUTSIDE,
        sizes=MEGATRON_SIZES),
    "megatron-local": Naming("decoder.layers.{}.", MEGATRON_MOE | {
        "mlp.experts.local_experts.{E}.linear_fc1.weight": EXPERTS_GATE_UP,
        "mlp.experts.local_experts.{E}.linear_fc2.weight": "experts down"}, MEGATRON_OUTSIDE,
        sizes=MEGATRON_SIZES),
}

# --- GGUF: the architecture in place of the model type ------------------------------------------

GGUF_OUTSIDE = {"token_embd.weight": "embed", "output_norm.weight": "norm", "output.weight": "head"}
GGUF_ATTENTION = {"attn_q.*": paired("q"), "attn_k.*": paired("k"), "attn_v.*": "v",
                  "attn_output.weight": "o", "attn_norm.weight": "norm 1",
                  "ffn_norm.weight": "norm 2"}
GGUF_DENSE = {"ffn_gate.weight": "gate", "ffn_up.weight": "up", "ffn_down.weight": "down"}
GGUF_EXPERTS = {"ffn_gate_inp.weight": "router", "ffn_gate_exps.weight": "experts gate",
                "ffn_up_exps.weight": "experts up", "ffn_down_exps.weight": "experts down"}


def gguf_naming(architecture, block, kv_heads=2):
    return Naming("blk.{}.", block, GGUF_OUTSIDE, {"architecture": architecture}, kv_heads)


GGUF = {
    "llama": gguf_naming("llama", GGUF_ATTENTION | GGUF_DENSE),
    "phi3": gguf_naming("phi3", {"attn_qkv.weight": blocks_qkv, "attn_output.weight": "o",
                                 "attn_norm.weight": "norm 1", "ffn_norm.weight": "norm 2",
                                 "ffn_up.weight": GATE_UP, "ffn_down.weight": "down"}),
    "gpt2": gguf_naming("gpt2", {
        "attn_qkv.*": blocks_qkv, "attn_output.*": "o", "attn_norm.*": "norm 1",
        "ffn_norm.*": "norm 2", "ffn_up.*": "up", "ffn_down.*": "down"}, 4),
    "moe": gguf_naming("llama", GGUF_ATTENTION | GGUF_EXPERTS),
    "shared": gguf_naming("qwen2moe", GGUF_ATTENTION | GGUF_EXPERTS | {
        "ffn_gate_shexp.weight": "shared gate", "ffn_up_shexp.weight": "shared up",
        "ffn_down_shexp.weight": "shared down"}),
    "early": gguf_naming("llama", GGUF_ATTENTION | {
        "ffn_gate_inp.weight": "router", "ffn_gate.{E}.weight": "experts gate",
        "ffn_up.{E}.weight": "experts up", "ffn_down.{E}.weight": "experts down"}),
    "fused": gguf_naming("qwen3moe", GGUF_ATTENTION | {
        "ffn_gate_inp.weight": "router", "ffn_gate_up_exps.weight": EXPERTS_GATE_UP,
        "ffn_down_exps.weight": "experts down"}),
}
