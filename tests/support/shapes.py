"""Small models of known families: tensors, config.json, and which role each element has.

The roles are stated here by hand, tensor by tensor, from the published layouts.
"""
import numpy as np

import checkpoints
import oracle


class Model:
    """Tensors of a checkpoint and, beside them, what they are: (role, layer, dtype, codes)."""

    def __init__(self, config=None):
        self.config = config
        self.tensors = []
        self.elements = []

    def add(self, name, dtype, shape, codes, role=None, layer=0):
        """A tensor with one role, or (role None) one that must not be scanned."""
        self.tensors.append(checkpoints.Tensor(name, dtype, tuple(shape), codes))
        if role is not None:
            self.elements.append((role, layer, dtype, self.tensors[-1].codes))

    def add_fused(self, name, dtype, shape, codes, parts, layer):
        """A tensor whose elements belong to several roles: parts = [(role, codes), ...]."""
        self.add(name, dtype, shape, codes)
        self.elements += [(role, layer, dtype, part) for role, part in parts]

    def add_raw(self, name, dtype, shape, data):
        """A tensor of integers or of another type that has no sums."""
        self.tensors.append(checkpoints.Tensor(name, dtype, tuple(shape), data=data))

    def cells(self):
        return oracle.populations(self.elements)

    def write(self, folder, **keywords):
        return checkpoints.write_checkpoint(folder, self.tensors, self.config, **keywords)

    @property
    def n_elements(self):
        return sum(tensor.n_elements for tensor in self.tensors)

    @property
    def n_bytes(self):
        return sum(len(tensor.data) for tensor in self.tensors)


class Weights:
    """Random weights whose spread differs by role and layer, so that curves are distinct."""

    def __init__(self, seed, dtype="BF16"):
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype

    def matrix(self, *shape):
        spread = 0.02 * (0.5 + self.rng.random())
        values = self.rng.normal(0, spread, int(np.prod(shape)))
        return checkpoints.encode_array(self.dtype, values).reshape(shape)

    def norm(self, size):
        return checkpoints.encode_array(self.dtype, 1 + self.rng.normal(0, 0.1, size))


def llama_config(n_layers, hidden=16, heads=4, kv_heads=2, inner=24, **more):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
              "num_hidden_layers": n_layers, "hidden_size": hidden, "num_attention_heads": heads,
              "num_key_value_heads": kv_heads, "intermediate_size": inner, "vocab_size": 32,
              "tie_word_embeddings": False}
    config.update(more)
    return config


def llama(seed, n_layers, dtype="BF16", hidden=16, heads=4, kv_heads=2, inner=24, head=True):
    """Embedding, n_layers blocks, final norm, head; no biases."""
    w, model = Weights(seed, dtype), Model(llama_config(n_layers, hidden, heads, kv_heads, inner))
    kv = hidden // heads * kv_heads
    model.add("model.embed_tokens.weight", dtype, (32, hidden), w.matrix(32, hidden), "embed")
    for layer in range(n_layers):
        prefix = f"model.layers.{layer}."
        for name, role, shape in (
                ("self_attn.q_proj", "attn.q", (hidden, hidden)),
                ("self_attn.k_proj", "attn.k", (kv, hidden)),
                ("self_attn.v_proj", "attn.v", (kv, hidden)),
                ("self_attn.o_proj", "attn.o", (hidden, hidden)),
                ("mlp.gate_proj", "mlp.gate", (inner, hidden)),
                ("mlp.up_proj", "mlp.up", (inner, hidden)),
                ("mlp.down_proj", "mlp.down", (hidden, inner))):
            model.add(f"{prefix}{name}.weight", dtype, shape, w.matrix(*shape), role, layer)
        model.add(f"{prefix}input_layernorm.weight", dtype, (hidden,), w.norm(hidden),
                  "norm.attn", layer)
        model.add(f"{prefix}post_attention_layernorm.weight", dtype, (hidden,), w.norm(hidden),
                  "norm.mlp", layer)
    model.add("model.norm.weight", dtype, (hidden,), w.norm(hidden), "norm.final")
    if head:
        model.add("lm_head.weight", dtype, (32, hidden), w.matrix(32, hidden), "lm_head")
    return model


def mixtral(seed, n_layers, n_experts=3, dtype="BF16", hidden=16, inner=8):
    """Routed experts: all of a layer's w1 are one population mlp.gate, and so on."""
    w, config = Weights(seed, dtype), llama_config(n_layers, hidden, 4, 2, inner)
    config.update(architectures=["MixtralForCausalLM"], model_type="mixtral",
                  num_local_experts=n_experts)
    model = Model(config)
    for layer in range(n_layers):
        prefix = f"model.layers.{layer}."
        for name, role, shape in (("q", "attn.q", (hidden, hidden)), ("k", "attn.k", (8, hidden)),
                                  ("v", "attn.v", (8, hidden)), ("o", "attn.o", (hidden, hidden))):
            model.add(f"{prefix}self_attn.{name}_proj.weight", dtype, shape, w.matrix(*shape),
                      role, layer)
        moe = f"{prefix}block_sparse_moe."
        model.add(f"{moe}gate.weight", dtype, (n_experts, hidden), w.matrix(n_experts, hidden),
                  "moe.router", layer)
        for expert in range(n_experts):
            for name, role, shape in (("w1", "mlp.gate", (inner, hidden)),
                                      ("w2", "mlp.down", (hidden, inner)),
                                      ("w3", "mlp.up", (inner, hidden))):
                model.add(f"{moe}experts.{expert}.{name}.weight", dtype, shape, w.matrix(*shape),
                          role, layer)
    return model


# --- fused layouts and their unfused twins ---------------------------------------------------

def add_pieces(plain, layer, names):
    """The pieces of a layer under llama's names: {piece: (role, dtype, codes)}."""
    for piece, (role, dtype, codes) in names.items():
        plain.add(f"model.layers.{layer}.{piece}", dtype, codes.shape, codes, role, layer)


def phi3_pair(seed, n_layers, dtype="BF16"):
    """qkv_proj = rows of q, then k, then v; gate_up_proj = rows of gate, then up."""
    w, hidden, heads, kv_heads, inner = Weights(seed, dtype), 24, 6, 2, 20
    d = hidden // heads
    config = llama_config(n_layers, hidden, heads, kv_heads, inner)
    fused = Model(dict(config, architectures=["Phi3ForCausalLM"], model_type="phi3"))
    plain = Model(config)
    for layer in range(n_layers):
        q, k, v = w.matrix(heads * d, hidden), w.matrix(kv_heads * d, hidden), \
            w.matrix(kv_heads * d, hidden)
        o, down = w.matrix(hidden, hidden), w.matrix(hidden, inner)
        gate, up = w.matrix(inner, hidden), w.matrix(inner, hidden)
        prefix = f"model.layers.{layer}."
        qkv, gate_up = np.concatenate([q, k, v]), np.concatenate([gate, up])
        fused.add_fused(f"{prefix}self_attn.qkv_proj.weight", dtype, qkv.shape, qkv,
                        [("attn.q", q), ("attn.k", k), ("attn.v", v)], layer)
        fused.add_fused(f"{prefix}mlp.gate_up_proj.weight", dtype, gate_up.shape, gate_up,
                        [("mlp.gate", gate), ("mlp.up", up)], layer)
        fused.add(f"{prefix}self_attn.o_proj.weight", dtype, o.shape, o, "attn.o", layer)
        fused.add(f"{prefix}mlp.down_proj.weight", dtype, down.shape, down, "mlp.down", layer)
        add_pieces(plain, layer, {
            "self_attn.q_proj.weight": ("attn.q", dtype, q),
            "self_attn.k_proj.weight": ("attn.k", dtype, k),
            "self_attn.v_proj.weight": ("attn.v", dtype, v),
            "self_attn.o_proj.weight": ("attn.o", dtype, o),
            "mlp.gate_proj.weight": ("mlp.gate", dtype, gate),
            "mlp.up_proj.weight": ("mlp.up", dtype, up),
            "mlp.down_proj.weight": ("mlp.down", dtype, down)})
        for name, role in (("input_layernorm", "norm.attn"),
                           ("post_attention_layernorm", "norm.mlp")):
            norm = w.norm(hidden)
            for model in (fused, plain):
                model.add(f"{prefix}{name}.weight", dtype, norm.shape, norm, role, layer)
    return fused, plain


def gpt2_pair(seed, n_layers, dtype="F32", prefix="", hidden=12, heads=3):
    """Conv1D weights stand as [in, out]: q, k and v are blocks of columns of c_attn."""
    w = Weights(seed, dtype)
    fused = Model({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": n_layers,
                   "n_embd": hidden, "n_head": heads, "vocab_size": 32})
    plain = Model(llama_config(n_layers, hidden, heads, heads, 4 * hidden))
    for layer in range(n_layers):
        here = f"{prefix}h.{layer}."
        q, k, v = (w.matrix(hidden, hidden) for _ in range(3))
        qb, kb, vb = (w.matrix(hidden) for _ in range(3))
        c_attn, bias = np.concatenate([q, k, v], axis=1), np.concatenate([qb, kb, vb])
        fused.add_fused(f"{here}attn.c_attn.weight", dtype, c_attn.shape, c_attn,
                        [("attn.q", q), ("attn.k", k), ("attn.v", v)], layer)
        fused.add_fused(f"{here}attn.c_attn.bias", dtype, bias.shape, bias,
                        [("attn.q.bias", qb), ("attn.k.bias", kb), ("attn.v.bias", vb)], layer)
        pieces = {"self_attn.q_proj.weight": ("attn.q", dtype, q),
                  "self_attn.k_proj.weight": ("attn.k", dtype, k),
                  "self_attn.v_proj.weight": ("attn.v", dtype, v),
                  "self_attn.q_proj.bias": ("attn.q.bias", dtype, qb),
                  "self_attn.k_proj.bias": ("attn.k.bias", dtype, kb),
                  "self_attn.v_proj.bias": ("attn.v.bias", dtype, vb)}
        for name, twin, role, shape in (
                ("attn.c_proj.weight", "self_attn.o_proj.weight", "attn.o", (hidden, hidden)),
                ("attn.c_proj.bias", "self_attn.o_proj.bias", "attn.o.bias", (hidden,)),
                ("mlp.c_fc.weight", "mlp.up_proj.weight", "mlp.up", (hidden, 4 * hidden)),
                ("mlp.c_fc.bias", "mlp.up_proj.bias", "mlp.up.bias", (4 * hidden,)),
                ("mlp.c_proj.weight", "mlp.down_proj.weight", "mlp.down", (4 * hidden, hidden)),
                ("mlp.c_proj.bias", "mlp.down_proj.bias", "mlp.down.bias", (hidden,)),
                ("ln_1.weight", "input_layernorm.weight", "norm.attn", (hidden,)),
                ("ln_1.bias", "input_layernorm.bias", "norm.attn.bias", (hidden,)),
                ("ln_2.weight", "post_attention_layernorm.weight", "norm.mlp", (hidden,)),
                ("ln_2.bias", "post_attention_layernorm.bias", "norm.mlp.bias", (hidden,))):
            codes = w.matrix(*shape)
            fused.add(here + name, dtype, shape, codes, role, layer)
            pieces[twin] = (role, dtype, codes)
        add_pieces(plain, layer, pieces)
    embed, norm, norm_bias = w.matrix(32, hidden), w.norm(hidden), w.matrix(hidden)
    for name, twin, role, codes in (
            ("wte.weight", "model.embed_tokens.weight", "embed", embed),
            ("ln_f.weight", "model.norm.weight", "norm.final", norm),
            ("ln_f.bias", "model.norm.bias", "norm.final.bias", norm_bias)):
        fused.add(prefix + name, dtype, codes.shape, codes, role)
        plain.add(twin, dtype, codes.shape, codes, role)
    return fused, plain


def neox_pair(seed, n_layers, dtype="F16", hidden=12, heads=3):
    """Head by head: d rows of q, d rows of k, d rows of v."""
    w, d = Weights(seed, dtype), hidden // heads
    fused = Model({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox",
                   "num_hidden_layers": n_layers, "hidden_size": hidden,
                   "num_attention_heads": heads, "intermediate_size": 4 * hidden})
    plain = Model(llama_config(n_layers, hidden, heads, heads, 4 * hidden))
    for layer in range(n_layers):
        here = f"gpt_neox.layers.{layer}."
        q, k, v = (w.matrix(heads, d, hidden) for _ in range(3))
        qb, kb, vb = (w.matrix(heads, d) for _ in range(3))
        qkv = np.concatenate([q, k, v], axis=1).reshape(3 * hidden, hidden)
        bias = np.concatenate([qb, kb, vb], axis=1).reshape(3 * hidden)
        fused.add_fused(f"{here}attention.query_key_value.weight", dtype, qkv.shape, qkv,
                        [("attn.q", q), ("attn.k", k), ("attn.v", v)], layer)
        fused.add_fused(f"{here}attention.query_key_value.bias", dtype, bias.shape, bias,
                        [("attn.q.bias", qb), ("attn.k.bias", kb), ("attn.v.bias", vb)], layer)
        pieces = {}
        for part, weight, b in (("q", q, qb), ("k", k, kb), ("v", v, vb)):
            pieces[f"self_attn.{part}_proj.weight"] = \
                (f"attn.{part}", dtype, weight.reshape(hidden, hidden))
            pieces[f"self_attn.{part}_proj.bias"] = (f"attn.{part}.bias", dtype, b.reshape(hidden))
        for name, twin, role, shape in (
                ("attention.dense.weight", "self_attn.o_proj.weight", "attn.o", (hidden, hidden)),
                ("attention.dense.bias", "self_attn.o_proj.bias", "attn.o.bias", (hidden,)),
                ("mlp.dense_h_to_4h.weight", "mlp.up_proj.weight", "mlp.up", (4 * hidden, hidden)),
                ("mlp.dense_h_to_4h.bias", "mlp.up_proj.bias", "mlp.up.bias", (4 * hidden,)),
                ("mlp.dense_4h_to_h.weight", "mlp.down_proj.weight", "mlp.down",
                 (hidden, 4 * hidden)),
                ("mlp.dense_4h_to_h.bias", "mlp.down_proj.bias", "mlp.down.bias", (hidden,)),
                ("input_layernorm.weight", "input_layernorm.weight", "norm.attn", (hidden,)),
                ("post_attention_layernorm.weight", "post_attention_layernorm.weight", "norm.mlp",
                 (hidden,))):
            codes = w.matrix(*shape)
            fused.add(here + name, dtype, shape, codes, role, layer)
            pieces[twin] = (role, dtype, codes)
        add_pieces(plain, layer, pieces)
    for name, twin, role, shape in (
            ("gpt_neox.embed_in.weight", "model.embed_tokens.weight", "embed", (32, hidden)),
            ("embed_out.weight", "lm_head.weight", "lm_head", (32, hidden))):
        codes = w.matrix(*shape)
        fused.add(name, dtype, shape, codes, role)
        plain.add(twin, dtype, shape, codes, role)
    return fused, plain
