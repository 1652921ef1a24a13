"""One small model, and how public code bases name, fuse and order its weights.

A body is a set of pieces, e.g. "q" of a layer; a naming says which pieces a family has, under which
names, and how they are put together. The orders are written as views of numpy arrays, from the
published layouts, without any code of the scanner.
"""
from dataclasses import dataclass, field

import numpy as np

import checkpoints
from checkpoints import FLOATS

ROLES = {"q": "attn.q", "k": "attn.k", "v": "attn.v", "o": "attn.o", "output gate": "attn.gate",
         "norm 1": "norm.attn", "norm 2": "norm.mlp", "gate": "mlp.gate", "up": "mlp.up",
         "down": "mlp.down", "router": "moe.router", "experts gate": "mlp.gate",
         "experts up": "mlp.up", "experts down": "mlp.down", "shared gate": "moe.shared.gate",
         "shared up": "moe.shared.up", "shared down": "moe.shared.down",
         "embed": "embed", "norm": "norm.final", "head": "lm_head"}
OUTSIDE = ("embed", "norm", "head")


class Body:
    """Pieces with values that F16, BF16, F32 and F64 all hold exactly."""

    def __init__(self, kv_heads, layers=3, hidden=16, heads=4, inner=24, experts=3, seed=1):
        self.rng = np.random.default_rng(seed)
        self.kv_heads, self.layers, self.hidden = kv_heads, layers, hidden
        self.heads, self.inner, self.experts = heads, inner, experts
        self.head_size = hidden // heads
        keys = kv_heads * self.head_size
        sizes = {"q": (hidden, hidden), "k": (keys, hidden), "v": (keys, hidden),
                 "o": (hidden, hidden), "output gate": (hidden, hidden), "gate": (inner, hidden),
                 "up": (inner, hidden), "down": (hidden, inner), "router": (experts, hidden),
                 "experts gate": (experts, inner, hidden), "experts up": (experts, inner, hidden),
                 "experts down": (experts, hidden, inner), "shared gate": (inner, hidden),
                 "shared up": (inner, hidden), "shared down": (hidden, inner)}
        self.outside = {"embed": self.values(32, hidden), "head": self.values(32, hidden)}
        self.blocks = []
        for layer in range(layers):
            block = {}
            for piece, shape in sizes.items():
                block[piece] = self.values(*shape)
                block[piece + " bias"] = self.values(*shape[:-1])
            for piece in ("norm 1", "norm 2"):
                block[piece], block[piece + " bias"] = self.values(hidden), self.values(hidden)
            block["k"][0, 0] = (0.0, np.nan, -0.0)[layer % 3]
            block["up"][0, :2] = (np.inf, -np.inf) if layer == 1 else (0.0, 0.25)
            self.blocks.append(block)
        self.outside |= {"norm": self.values(hidden), "norm bias": self.values(hidden),
                         "head bias": self.values(32)}

    def values(self, *shape):
        """Eight significant bits, and exponents that no format lacks; some zeros."""
        return self.rng.integers(-255, 256, shape) * np.exp2(self.rng.integers(-9, -4, shape))

    @staticmethod
    def role(piece):
        bias = piece.endswith(" bias")
        return ROLES[piece.removesuffix(" bias")] + (".bias" if bias else "")

    def elements(self, pieces, outside):
        """(role, layer, dtype, codes) of the named pieces, for the oracle."""
        return [(self.role(piece), layer, "F64", encode("F64", block[piece]))
                for layer, block in enumerate(self.blocks) for piece in pieces] + \
               [(self.role(piece), 0, "F64", encode("F64", self.outside[piece]))
                for piece in outside]


def encode(dtype, values):
    """Bit patterns of values that the encoding holds exactly, infinities and NaN among them."""
    form, values = FLOATS[dtype], np.asarray(values, np.float64).reshape(-1)
    codes = checkpoints.encode_array(dtype, np.where(np.isfinite(values), values, 0))
    codes[np.isinf(values)] = form.infinity
    codes[np.isneginf(values)] |= np.array(form.sign_bit, codes.dtype)
    codes[np.isnan(values)] = form.nan
    mantissas, exponents, finite = checkpoints.decode_array(dtype, codes)
    back = mantissas[finite] * np.exp2(exponents[finite].astype(np.float64))
    if not np.array_equal(back, values[np.isfinite(values)]):
        raise ValueError(f"{dtype} does not hold these values")
    return codes


# --- orders: each takes the pieces of a layer and whether biases are meant ---------------------

def named(piece):
    def take(block, body, ending):
        return block[piece + ending]
    take.pieces = (piece,)
    return take


def fused(*pieces):
    """Makes an order of a function of the arrays of these pieces."""
    def decorate(function):
        def take(block, body, ending):
            return function(body, *(block[piece + ending] for piece in pieces))
        take.pieces = pieces
        return take
    return decorate


def by_group(x, n):
    """[n, rows of a group, ...]"""
    return x.reshape(n, -1, *x.shape[1:])


def joined(*parts):
    """Groups of all parts, one group after another."""
    return np.concatenate(parts, axis=1).reshape(-1, *parts[0].shape[2:])


@fused("q", "k", "v")
def blocks_qkv(body, q, k, v):
    return np.concatenate([q, k, v])


@fused("q", "k", "v")
def groups_qkv(body, q, k, v):
    """Of each key/value head: its query heads, its key, its value."""
    return joined(*(by_group(x, body.kv_heads) for x in (q, k, v)))


@fused("q", "output gate", "k", "v")
def groups_q_gate_kv(body, *parts):
    return joined(*(by_group(x, body.kv_heads) for x in parts))


@fused("q", "k", "v")
def quarters_qvk(body, q, k, v):
    return joined(*(by_group(x, 4) for x in (q, v, k)))


@fused("q", "output gate")
def heads_q_gate(body, q, gate):
    return joined(by_group(q, body.heads), by_group(gate, body.heads))


@fused("k", "v")
def heads_kv(body, k, v):
    return joined(by_group(k, body.kv_heads), by_group(v, body.kv_heads))


@fused("k", "v")
def blocks_kv(body, k, v):
    return np.concatenate([k, v])


def halves(first, second):
    """One above the other; behind the experts' axis where there is one."""
    @fused(first, second)
    def order(body, a, b):
        return np.concatenate([a, b], axis=1 if first.startswith("experts") else 0)
    return order


def experts_in_turn(first, second):
    """[experts, 2 I, ...]: rows of one and of the other by turns."""
    @fused(first, second)
    def order(body, a, b):
        return np.stack([a, b], axis=2).reshape(a.shape[0], -1, *a.shape[2:])
    return order


@fused("gate", "up")
def rows_in_turn(body, gate, up):
    return np.stack([gate, up], axis=1).reshape(-1, *gate.shape[1:])


def columns(order):
    """Stored [in, out]; a bias has no inputs."""
    if isinstance(order, str):
        order = named(order)

    def take(block, body, ending):
        found = order(block, body, ending)
        return found if ending else np.swapaxes(found, -1, -2)
    take.pieces = order.pieces
    return take


def flat(order):
    """The experts' axis and the one behind it as one."""
    order = named(order) if isinstance(order, str) else order

    def take(block, body, ending):
        found = order(block, body, ending)
        return found.reshape(-1, *found.shape[2:])
    take.pieces = order.pieces
    return take


def paired(piece):
    """Rows of a head as (0, d/2), (1, d/2 + 1), ...: how rotary halves are paired elsewhere."""
    def take(block, body, ending):
        x = block[piece + ending]
        pairs = x.reshape(-1, 2, body.head_size // 2, *x.shape[1:])
        return np.swapaxes(pairs, 1, 2).reshape(x.shape)
    take.pieces = (piece,)
    return take


def one_expert(order, expert):
    order = named(order) if isinstance(order, str) else order

    def take(block, body, ending):
        return order(block, body, ending)[expert]
    take.pieces = order.pieces
    return take


# --- namings ----------------------------------------------------------------------------------

@dataclass
class Naming:
    """`block`: name behind the layer's index -> piece or order. Endings of
    names are those of endings(); {E} stands for each expert. `config`: what config.json says more."""
    layer: str
    block: dict
    outside: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    kv_heads: int = 2
    sizes: str = "hidden_size num_attention_heads num_key_value_heads intermediate_size " \
                 "num_hidden_layers head_dim"
    first_layer: int = 0

    def tensors(self, body):
        """[(name, array), ...] and, for the oracle, their elements."""
        found, used, used_outside = [], {}, {}
        for name, piece in self.outside.items():
            for full, ending in endings(name):
                found.append((full, body.outside[piece + ending]))
                used_outside[piece + ending] = True
        for layer, block in enumerate(body.blocks):
            for name, order in self.block.items():
                order = named(order) if isinstance(order, str) else order
                for full, ending in endings(name):
                    used.update({piece + ending: True for piece in order.pieces})
                    prefix = self.layer.format(layer + self.first_layer)
                    if "{E}" not in full:
                        found.append((prefix + full, order(block, body, ending)))
                        continue
                    for expert in range(body.experts):
                        one = one_expert(order, expert)
                        found.append((prefix + full.replace("{E}", str(expert)),
                                      one(block, body, ending)))
        return found, body.elements(used, used_outside)

    def configuration(self, body):
        numbers = {"hidden_size": body.hidden, "num_attention_heads": body.heads,
                   "num_key_value_heads": body.kv_heads, "intermediate_size": body.inner,
                   "num_hidden_layers": body.layers, "head_dim": body.head_size,
                   "num_experts": body.experts, "n_embd": body.hidden, "n_head": body.heads,
                   "n_layer": body.layers, "num_query_groups": body.kv_heads,
                   "num_local_experts": body.experts, "num_kv_heads": body.kv_heads,
                   "ffn_hidden_size": body.inner, "multi_query_group_num": body.kv_heads,
                   "kv_channels": body.head_size, "num_layers": body.layers,
                   "moe_ffn_hidden_size": body.inner, "moe_intermediate_size": body.inner}
        return {key: numbers[key] for key in self.sizes.split()} | self.config


def endings(name):
    """"x.*" is x.weight and x.bias; "x_*" is x and x_bias."""
    if name.endswith(".*"):
        return [(name[:-1] + "weight", ""), (name[:-1] + "bias", " bias")]
    if name.endswith("_*"):
        return [(name[:-2], ""), (name[:-2] + "_bias", " bias")]
    return [(name, "")]
