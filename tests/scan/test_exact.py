"""Every number of every cell equals the oracle's, to the last bit, for all encodings and kinds
of values: count, zeros, nonfinite, mean, std, min, max and the exact sums."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from checkpoints import FLOATS, encode_array  # noqa: E402


def finite_codes(dtype, rng, n):
    """Any finite bit patterns, all exponents alike."""
    form = FLOATS[dtype]
    codes = rng.integers(0, 1 << form.bits, n, dtype=np.uint64)
    finite = checkpoints.decode_array(dtype, codes)[2]
    return np.where(finite, codes, np.uint64(form.largest))


def signs(dtype, codes, rng):
    """The same magnitudes with random signs (a format without -0 keeps its zeros)."""
    form = FLOATS[dtype]
    codes = codes.astype(np.uint64)
    negative = rng.random(len(codes)) < 0.5
    if form.special == checkpoints.FNUZ:
        negative &= codes != 0
    return np.where(negative, codes | np.uint64(form.sign_bit), codes)


def specials(dtype, rng, n, share):
    """Gaussian weights, a share of which is NaN or infinite (where the format has it)."""
    form = FLOATS[dtype]
    codes = encode_array(dtype, rng.normal(0, 0.02, n)).astype(np.uint64)
    choice = [form.nan] if form.infinity is None else \
        [form.nan, form.infinity, form.infinity | form.sign_bit]
    where = rng.random(n) < share
    where[n // 2] = True
    codes[where] = rng.choice(np.array(choice, np.uint64), int(where.sum()))
    return codes


def outlier(dtype, rng, n):
    """One 3e38 among 1e-38s; in narrow formats the largest among the smallest."""
    form = FLOATS[dtype]
    if form.bits >= 16 and dtype != "F16":
        codes = encode_array(dtype, rng.normal(0, 1e-38, n)).astype(np.uint64)
        codes[n // 3] = checkpoints.encode(dtype, 3e38)
        return codes
    codes = signs(dtype, rng.integers(0, 4, n), rng)
    codes[n // 3] = form.largest
    return codes


def denormals(dtype, rng, n):
    form = FLOATS[dtype]
    return signs(dtype, rng.integers(0, 1 << form.mantissa_bits, n), rng)


def cancelling(dtype, rng, n):
    """Large values and their opposites, and a few of the smallest: the sum is tiny."""
    form = FLOATS[dtype]
    half = encode_array(dtype, 3 + rng.random(n // 2)).astype(np.uint64)
    tail = np.full(n - 2 * (n // 2) + 1, 1, np.uint64)
    return np.concatenate([half, half | np.uint64(form.sign_bit), tail])[:n]


KINDS = {
    "gaussian": lambda t, g, n: encode_array(t, g.normal(0, 0.02, n)),
    "norm weights 1 +- 1e-4": lambda t, g, n: encode_array(t, 1 + 1e-4 * g.normal(size=n)),
    "mean 1e6 times the spread": lambda t, g, n: encode_array(t, 1 + 1e-6 * g.normal(size=n)),
    "mean -1e6 times the spread": lambda t, g, n: encode_array(t, -300 + 3e-4 * g.normal(size=n)),
    "denormals": denormals,
    "signed zeros": lambda t, g, n: signs(t, np.zeros(n, np.uint64), g),
    "signed zeros and one denormal": lambda t, g, n: np.append(
        signs(t, np.zeros(n - 1, np.uint64), g), np.uint64(1)),
    "one large among small": outlier,
    "all equal": lambda t, g, n: np.full(n, checkpoints.encode(t, 0.1), np.uint64),
    "all equal, negative": lambda t, g, n: np.full(n, checkpoints.encode(t, -7.3), np.uint64),
    "any finite pattern": finite_codes,
    "largest of both signs": lambda t, g, n: signs(t, np.full(n, FLOATS[t].largest), g),
    "largest": lambda t, g, n: np.full(n, FLOATS[t].largest, np.uint64),
    "cancelling": cancelling,
    "one NaN or infinity": lambda t, g, n: specials(t, g, n, 0.0),
    "many NaN and infinities": lambda t, g, n: specials(t, g, n, 0.3),
    "only NaN": lambda t, g, n: np.full(n, FLOATS[t].nan, np.uint64),
    "heavy tails": lambda t, g, n: encode_array(t, g.standard_cauchy(n)),
    "scales far apart": lambda t, g, n: encode_array(
        t, g.normal(size=n) * np.exp2(g.integers(-30, 30, n))),
}
# role -> (tensor, number of elements); sizes around the block lengths of vector kernels.
SIZES = {"attn.q": ("self_attn.q_proj", 1), "attn.k": ("self_attn.k_proj", 2),
         "attn.v": ("self_attn.v_proj", 3), "attn.o": ("self_attn.o_proj", 0),
         "mlp.gate": ("mlp.gate_proj", 63), "mlp.up": ("mlp.up_proj", 1025),
         "mlp.down": ("mlp.down_proj", 4111)}


def every_kind(dtype, seed):
    """A layer for each kind of values, a role for each size."""
    rng = np.random.default_rng(seed)
    model = shapes.Model(shapes.llama_config(len(KINDS)))
    for layer, make in enumerate(KINDS.values()):
        for role, (name, n) in SIZES.items():
            codes = make(dtype, rng, max(n, 4))[-n:] if n else np.zeros(0, np.uint64)
            shape = (n, 1) if n % 2 else (0, 5) if n == 0 else (2, n // 2)
            model.add(f"model.layers.{layer}.{name}.weight", dtype, shape, codes, role, layer)
    return model


def large(dtype, seed):
    """More elements than one chunk of any sensible size holds at --chunk 64K."""
    rng = np.random.default_rng(seed)
    model = shapes.Model(shapes.llama_config(3))
    for layer, kind in enumerate(("gaussian", "heavy tails", "any finite pattern")):
        codes = KINDS[kind](dtype, rng, 100003)
        model.add(f"model.layers.{layer}.self_attn.q_proj.weight", dtype, (100003,), codes,
                  "attn.q", layer)
    return model


def pooled(seed):
    """Experts of one layer in different encodings and shapes are one population."""
    rng = np.random.default_rng(seed)
    config = shapes.llama_config(1)
    config.update(architectures=["MixtralForCausalLM"], model_type="mixtral",
                  num_local_experts=len(FLOATS))
    model = shapes.Model(config)
    for expert, dtype in enumerate(FLOATS):
        for name, role in (("w1", "mlp.gate"), ("w2", "mlp.down"), ("w3", "mlp.up")):
            kind = {"w1": "gaussian", "w2": "any finite pattern", "w3": "denormals"}[name]
            codes = KINDS[kind](dtype, rng, 7 * (expert + 3))
            model.add(f"model.layers.0.block_sparse_moe.experts.{expert}.{name}.weight", dtype,
                      (7, expert + 3), codes, role, 0)
    return model


class Exact(program.ScanCase):
    def compare(self, models, ranks, *options):
        lines = []
        for label, model in models.items():
            # Odd encodings get an odd header length: data at any alignment.
            padding = 8 if len(lines) % 2 == 0 else 0
            model.write(self.path(label), metadata={"x": "y" * len(lines)}, padding=padding)
            lines.append(f"{label} {label}")
        found, done = self.scan("\n".join(lines) + "\n", *options, ranks=ranks)
        self.clean(done)
        for label, model in models.items():
            results.compare(self, found, label, model.cells())
            self.equal(found.model("status", label), "ok")
            self.equal(int(found.model("parameters", label)), model.n_elements, label)
            self.equal(int(found.model("bytes", label)), model.n_bytes, label)
        return found

    def test_every_kind_of_values(self):
        models = {dtype: every_kind(dtype, number) for number, dtype in enumerate(FLOATS)}
        self.compare(models, None)

    def test_every_kind_on_three_ranks(self):
        models = {dtype: every_kind(dtype, 50 + number) for number, dtype in enumerate(FLOATS)}
        self.compare(models, 3, "--chunk", "4K")

    def test_large(self):
        models = {dtype: large(dtype, 20 + number) for number, dtype in enumerate(FLOATS)}
        self.compare(models, None)
        self.compare(models, 2, "--chunk", "64K", "--overwrite")

    def test_pooled_encodings(self):
        self.compare({"pooled": pooled(1), "again": pooled(2)}, 2)

    def test_empty_tensors_only(self):
        model = shapes.Model(shapes.llama_config(2))
        for layer in range(2):
            model.add(f"model.layers.{layer}.self_attn.q_proj.weight", "BF16", (0, 4), [],
                      "attn.q", layer)
        found = self.compare({"empty": model}, None)
        self.equal(found["exact/cell"].shape, (2, 3), "empty cells are listed")

    def test_scalar_tensor(self):
        model = shapes.Model(shapes.llama_config(1))
        model.add("model.layers.0.self_attn.q_proj.weight", "F32", (), [0x3F800000], "attn.q", 0)
        self.compare({"scalar": model}, None)

    def test_widest_and_narrowest_together(self):
        """A cell is as exact in a file of other encodings as in one of its own."""
        narrow, wide = every_kind("F8_E4M3", 3), every_kind("F64", 4)
        alone = self.compare({"narrow": narrow}, None)
        both = self.compare({"narrow": narrow, "wide": wide}, None, "--overwrite")
        self.equal(str(alone.cells("narrow")), str(both.cells("narrow")))


class Accounting(program.ScanCase):
    """Nothing is dropped in silence."""

    def test_unscanned(self):
        model = shapes.llama(1, 2)
        scanned = len(model.elements)
        model.add_raw("model.layers.0.self_attn.rotary_ids", "I64", (3,), bytes(24))
        model.add_raw("model.layers.1.self_attn.mask", "BOOL", (5,), bytes(5))
        model.add_raw("model.layers.1.mlp.packed", "U8", (4, 4), bytes(16))
        model.add_raw("model.layers.0.mlp.gate_proj.codes", "F4", (2, 8), bytes(8))
        model.add_raw("model.layers.0.mlp.gate_proj.exponents", "F8_E8M0", (4,), bytes(4))
        model.add_raw("model.layers.0.phase", "C64", (2,), bytes(16))
        model.add("no_layer_index.weight", "F32", (3,), [1, 2, 3])
        model.add("also.nothing", "BF16", (2,), [1, 2])
        model.write(self.path("mixed"))
        found, done = self.scan("mixed\n")
        self.clean(done)
        results.compare(self, found, "mixed", model.cells())
        reasons = found["unscanned_reason"]
        tensors = dict(zip(reasons, found.model("unscanned_tensors", "mixed").tolist()))
        sizes = dict(zip(reasons, found.model("unscanned_bytes", "mixed").tolist()))
        self.equal(tensors, {"no role": 2, "integer or boolean": 3, "no kernel for encoding": 3,
                             "role not wanted": 0}, "tensors not scanned")
        self.equal(sizes, {"no role": 16, "integer or boolean": 45, "no kernel for encoding": 28,
                           "role not wanted": 0}, "bytes not scanned")
        self.equal(int(found.model("unmapped_bytes", "mixed")), 16 + 45 + 28)
        self.equal(int(found.model("parameters", "mixed")), model.n_elements)
        self.equal(int(found.model("bytes", "mixed")), model.n_bytes)
        self.equal(int(found.model("n_layers", "mixed")), 2)
        self.equal(found.model("architecture", "mixed"), "LlamaForCausalLM")
        self.equal(found.model("format", "mixed"), "safetensors")
        self.check(scanned == len(model.elements))

    def test_other_roles(self):
        """A tensor that no rule names gets a series when its name holds a layer index."""
        model = shapes.llama(2, 3)
        rng = np.random.default_rng(9)
        for layer in range(3):
            for name in ("model.layers.{}.strange.matrix",
                         "vision_tower.blocks.{}.attn.qkv.weight"):
                model.add(name.format(layer), "BF16", (4, 4),
                          encode_array("BF16", rng.normal(size=16)),
                          "other:" + name.format("*"), layer)
        model.write(self.path("m"))
        found, _ = self.scan("m\n")
        results.compare(self, found, "m", model.cells())

    def test_mixture_of_experts(self):
        model = shapes.mixtral(3, 2)
        model.write(self.path("moe"))
        found, _ = self.scan("moe\n", ranks=2)
        results.compare(self, found, "moe", model.cells())


if __name__ == "__main__":
    harness.main()
