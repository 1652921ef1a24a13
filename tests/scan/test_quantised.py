"""Weights whose scales are tensors of their own: scaled FP8, MXFP4, NVFP4. Every cell equals
the sum of Fractions that the formats define, to the last bit."""
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from checkpoints import FLOATS, encode_array  # noqa: E402

E2M1 = [Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)]


def value_of(dtype, code):
    """The Fraction that one code stands for; None for one that is not finite."""
    if dtype in ("U8", "F8_E8M0"):
        return None if code == 255 else Fraction(2) ** (int(code) - 127)
    mantissa, exponent, finite = (item[0] for item in checkpoints.decode_array(
        dtype, np.array([code], checkpoints.unsigned_type(dtype))))
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent) if finite else None


def table_of(dtype):
    return [value_of(dtype, code) for code in range(256)]


def product(*factors):
    if any(factor is None for factor in factors):
        return None
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def scale_codes(dtype, rng, n, hostile):
    """Scales of all sizes; hostile ones with zero, negative, subnormal, infinite and NaN."""
    if dtype in ("U8", "F8_E8M0"):
        return rng.integers(0 if hostile else 100, 256 if hostile else 140, n).astype(np.uint8)
    codes = encode_array(dtype, np.exp(rng.normal(-6, 2, n)))
    if hostile:
        form = FLOATS[dtype]
        odd = [0, form.sign_bit, 1, 3, form.nan, form.largest,
               checkpoints.encode(dtype, -0.0123)]
        odd += [] if form.infinity is None else [form.infinity]
        codes[:len(odd)] = np.array(odd, codes.dtype)[:n]
    return codes


class Quantised(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(11)

    def model(self, layers=1, **more):
        return shapes.Model(shapes.llama_config(layers, hidden=64, **more))

    def compare(self, model, wanted, ranks=None, *options, notes=False):
        model.write(self.path("model"))
        found, done = self.scan("model model\n", *options, ranks=ranks)
        self.clean(done)
        results.compare(self, found, "model", wanted)
        self.equal(int(found.model("bytes", "model")), model.n_bytes, "scales count as bytes")
        self.equal(int(found["unscanned_bytes"].sum()), 0, "nothing is left out")
        return found

    def refused(self, model, *words):
        model.write(self.path("bad"))
        shapes.llama(1, 2).write(self.path("good"))
        found, done = self.scan("bad bad\ngood good\n", status=3)
        message = found.model("message", "bad")
        for word in words:
            self.check(word in message, f"{message!r} does not say {word!r}")
        self.equal(found.model("status", "good"), "ok")

    # ---- scaled 8-bit floats ----

    def add_float8(self, model, wanted, name, role, layer, dtype, shape, block, ending,
                   scale_dtype, scale_shape, hostile=False):
        """shape [..., rows, columns]; block (rows, columns) of a scale."""
        n = int(np.prod(shape))
        codes = self.rng.integers(0, 256, n).astype(np.uint8) if hostile else \
            encode_array(dtype, self.rng.normal(0, 20, n))
        rows, columns = shape[-2:]
        down, across = -(-rows // block[0]), -(-columns // block[1])
        n_scales = int(np.prod(shape[:-2], dtype=int)) * down * across
        scales = scale_codes(scale_dtype, self.rng, n_scales, hostile)
        model.tensors.append(checkpoints.Tensor(name, dtype, tuple(shape), codes))
        model.tensors.append(checkpoints.Tensor(name + ending, scale_dtype, tuple(scale_shape),
                                                data=scales.tobytes()))
        values = table_of(dtype)
        factors = [value_of(scale_dtype, code) for code in scales]
        cell = wanted.setdefault((role, layer), oracle.Population())
        index = np.arange(n)
        where = ((index // columns // rows) * down + index // columns % rows // block[0]) * across \
            + index % columns // block[1]
        cell.add_values(product(values[code], factors[k])
                        for code, k in zip(codes.tolist(), where.tolist()))

    def test_blocks(self):
        """Rectangles of 128 x 128, with smaller ones at the ends; any cut into chunks."""
        model, wanted = self.model(), {}
        model.config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3",
                                               "weight_block_size": [128, 128]}
        layer = "model.layers.0."
        self.add_float8(model, wanted, layer + "self_attn.q_proj.weight", "attn.q", 0, "F8_E4M3",
                        (200, 300), (128, 128), "_scale_inv", "F32", (2, 3))
        self.add_float8(model, wanted, layer + "self_attn.k_proj.weight", "attn.k", 0, "F8_E5M2",
                        (129, 127), (128, 128), "_scale_inv", "BF16", (2, 1), hostile=True)
        self.add_float8(model, wanted, layer + "self_attn.v_proj.weight", "attn.v", 0, "F8_E4M3",
                        (128, 1280), (128, 128), "_scale_inv", "F32", (1, 10), hostile=True)
        first = self.compare(model, wanted)
        for ranks, chunk in ((3, "4K"), (2, "5000")):
            other = self.compare(model, wanted, ranks, "--chunk", chunk, "--overwrite")
            results.equal(self, first, other)

    def test_blocks_without_configuration(self):
        """The size of the rectangles follows from the shapes where that is certain."""
        model, wanted = self.model(), {}
        model.config = None
        self.add_float8(model, wanted, "model.layers.0.self_attn.q_proj.weight", "attn.q", 0,
                        "F8_E4M3", (256, 512), (64, 64), "_scale_inv", "F32", (4, 8))
        self.compare(model, wanted)

    def test_rows_and_tensors(self):
        model, wanted = self.model(), {}
        layer = "model.layers.0."
        self.add_float8(model, wanted, layer + "self_attn.q_proj.weight", "attn.q", 0, "F8_E4M3",
                        (70, 65), (1, 65), "_scale", "BF16", (70, 1), hostile=True)
        self.add_float8(model, wanted, layer + "self_attn.k_proj.weight", "attn.k", 0, "F8_E4M3",
                        (50, 77), (50, 77), "_scale", "F32", ())
        self.add_float8(model, wanted, layer + "self_attn.v_proj.weight", "attn.v", 0, "F8_E5M2",
                        (50, 77), (50, 77), "_scale", "F32", (1,))
        self.add_float8(model, wanted, layer + "self_attn.o_proj.weight", "attn.o", 0, "F8_E4M3",
                        (9, 4096), (1, 32), "_scale", "U8", (9, 128), hostile=True)
        self.add_float8(model, wanted, layer + "mlp.up_proj.weight", "mlp.up", 0, "F8_E4M3",
                        (30, 40), (1, 40), "_scale", "F16", (30,))
        self.compare(model, wanted)
        self.compare(model, wanted, 3, "--chunk", "4K", "--overwrite")

    def test_fused(self):
        """Scales go with the parts of a fused tensor."""
        config = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                  "intermediate_size": 96}
        model, wanted, alone = shapes.Model(config), {}, {}
        self.add_float8(model, wanted, "model.layers.0.self_attn.qkv_proj.weight", "all", 0,
                        "F8_E4M3", (128, 64), (1, 64), "_scale", "F32", (128, 1))
        codes, scales = (item.data for item in model.tensors)
        factors = np.frombuffer(scales, np.uint32).tolist()
        values = table_of("F8_E4M3")
        for role, first, last in (("attn.q", 0, 64), ("attn.k", 64, 96), ("attn.v", 96, 128)):
            cell = alone.setdefault((role, 0), oracle.Population())
            for row in range(first, last):
                factor = value_of("F32", factors[row])
                cell.add_values(values[code] * factor for code in codes[64 * row:64 * row + 64])
        self.compare(model, alone)
        self.compare(model, alone, 3, "--chunk", "4K", "--overwrite")

    def test_scales_in_another_shard(self):
        model, wanted = self.model(), {}
        self.add_float8(model, wanted, "model.layers.0.self_attn.q_proj.weight", "attn.q", 0,
                        "F8_E4M3", (256, 256), (128, 128), "_scale_inv", "F32", (2, 2))
        model.write(self.path("model"), shards=2)
        found, done = self.scan("model model\n", ranks=2)
        self.clean(done)
        results.compare(self, found, "model", wanted)

    def test_scales_that_do_not_fit(self):
        for scale_shape, n in (((3, 2), 6), ((5,), 5), ((1, 2, 2), 4)):
            model = self.model()
            name = "model.layers.0.self_attn.q_proj.weight"
            model.add_raw(name, "F8_E4M3", (256, 256), bytes(65536))
            model.add_raw(name + "_scale_inv", "F32", scale_shape, bytes(4 * n))
            self.refused(model, "self_attn.q_proj", "scales", "do not fit")
            os.remove(self.path("out.h5"))
        model = self.model()
        model.add_raw(name, "F8_E4M3", (256, 256), bytes(65536))
        model.add_raw(name + "_scale_inv", "F64", (2, 2), bytes(32))
        self.refused(model, "F64", "F32, BF16")

    # ---- 4-bit floats ----

    def add_float4(self, model, wanted, role, layer, names, shapes_of, scale_dtype, per_scale,
                   whole=None, hostile=False, rows=5, groups=7):
        n_scales = rows * groups
        codes = self.rng.integers(0, 256, n_scales * per_scale // 2).astype(np.uint8)
        scales = scale_codes(scale_dtype, self.rng, n_scales, hostile)
        model.add_raw(names[0], "U8", shapes_of[0], codes.tobytes())
        model.add_raw(names[1], scale_dtype, shapes_of[1], scales.tobytes())
        factor = Fraction(1)
        if whole is not None:
            model.add_raw(names[2], "F32", (), np.float32(whole).tobytes())
            factor = Fraction(float(np.float32(whole)))
        cell = wanted.setdefault((role, layer), oracle.Population())
        bytes_per = per_scale // 2
        for i, byte in enumerate(codes.tolist()):
            scale = product(value_of(scale_dtype, scales[i // bytes_per]), factor)
            cell.add_values([product(E2M1[byte & 15], scale), product(E2M1[byte >> 4], scale)])

    def test_mxfp4(self):
        """Experts as transformers stores them, and rows as compressed-tensors does."""
        for hostile in (False, True):
            model, wanted = self.model(), {}
            layer = "model.layers.0."
            self.add_float4(model, wanted, "mlp.down", 0,
                            (layer + "mlp.experts.down_proj_blocks",
                             layer + "mlp.experts.down_proj_scales"),
                            ((5, 70, 10, 16), (5, 70, 10)), "U8", 32, None, hostile, 350, 10)
            self.add_float4(model, wanted, "attn.q", 0,
                            (layer + "self_attn.q_proj.weight_packed",
                             layer + "self_attn.q_proj.weight_scale"),
                            ((40, 96), (40, 6)), "U8", 32, None, hostile, 40, 6)
            first = self.compare(model, wanted, None, "--overwrite")
            second = self.compare(model, wanted, 3, "--chunk", "4K", "--overwrite")
            results.equal(self, first, second)

    def test_mxfp4_gate_and_up_alternate(self):
        """gpt-oss: even rows are gate, odd ones up."""
        config = {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss",
                  "hidden_size": 64, "num_hidden_layers": 1, "num_local_experts": 2,
                  "intermediate_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2}
        model, both, wanted = shapes.Model(config), {}, {}
        self.add_float4(model, both, "both", 0,
                        ("model.layers.0.mlp.experts.gate_up_proj_blocks",
                         "model.layers.0.mlp.experts.gate_up_proj_scales"),
                        ((2, 16, 2, 16), (2, 16, 2)), "U8", 32, None, False, 32, 2)
        codes, scales = (item.data for item in model.tensors)
        for row in range(32):
            cell = wanted.setdefault(("mlp.gate" if row % 2 == 0 else "mlp.up", 0),
                                     oracle.Population())
            for i in range(32 * row, 32 * row + 32):
                scale = value_of("U8", scales[i // 16])
                cell.add_values([E2M1[codes[i] & 15] * scale, E2M1[codes[i] >> 4] * scale])
        self.compare(model, wanted)

    def test_nvfp4(self):
        for hostile, whole in ((False, 0.00123), (True, -3.5e-5), (True, 0.0)):
            model, wanted = self.model(), {}
            module = "model.layers.0.mlp.up_proj"
            self.add_float4(model, wanted, "mlp.up", 0,
                            (module + ".weight", module + ".weight_scale",
                             module + ".weight_scale_2"),
                            ((30, 64), (30, 8)), "F8_E4M3", 16, whole, hostile, 30, 8)
            self.compare(model, wanted, None, "--overwrite")
            self.compare(model, wanted, 3, "--chunk", "4K", "--overwrite")

    def test_refusals(self):
        module = "model.layers.0.mlp.up_proj"
        model = self.model()
        model.add_raw("model.layers.0.mlp.experts.down_proj_blocks", "U8", (2, 3, 4, 16),
                      bytes(384))
        model.add_raw("model.layers.0.mlp.experts.down_proj_scales", "U8", (2, 3, 5), bytes(30))
        self.refused(model, "down_proj_blocks", "do not fit")
        os.remove(self.path("out.h5"))
        model = self.model()
        model.add_raw(module + ".weight_packed", "U8", (4, 32), bytes(128))
        model.add_raw(module + ".weight_scale", "U8", (4, 2), bytes(8))
        model.add(module + ".weight", "BF16", (2, 2), [0] * 4, "mlp.up", 0)
        self.refused(model, "in another form")


if __name__ == "__main__":
    harness.main()
