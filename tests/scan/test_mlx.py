"""MLX's integers of 2, 3, 4, 5, 6 and 8 bits, and its microscaled floats: every cell equals sums
of Fractions, to the last bit."""
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import oracle  # noqa: E402
import packed  # noqa: E402
import shapes  # noqa: E402
from checkpoints import FLOATS, encode_array  # noqa: E402

Q = "model.layers.0.self_attn.q_proj"


class Mlx(packed.PackedCase):
    def settled(self, group=64, **more):
        model = shapes.Model(shapes.llama_config(1, hidden=64))
        model.config["quantization"] = {"group_size": group, "bits": 4, **more}
        return model

    def add(self, model, name, bits, shape, group=64, dtype="BF16", hostile=False, simple=False):
        """Adds a weight [..., rows, columns]; returns its values, row by row."""
        *leading, columns = shape
        rows, groups = int(np.prod(leading)), columns // group
        codes = self.rng.integers(0, 1 << bits, (rows, columns))
        scales = packed.scale_codes(dtype, self.rng, rows * groups)
        offsets = packed.scale_codes(dtype, self.rng, rows * groups)
        form = FLOATS[dtype]
        offsets[1::2] |= np.array(form.sign_bit, offsets.dtype)
        if hostile:
            odd = [0, form.sign_bit, form.nan, form.infinity, form.infinity | form.sign_bit]
            scales[2:12] = np.array(odd * 2, scales.dtype)
            offsets[7:17] = np.array(odd * 2, scales.dtype)
        if simple:  # exact zeros
            powers = np.exp2(self.rng.integers(-9, -3, rows * groups))
            scales = encode_array(dtype, powers * self.rng.integers(-1, 2, rows * groups))
            offsets = encode_array(dtype, -powers * self.rng.integers(-1, 1 << bits, rows * groups))
        words = packed.dense_words(codes, bits)
        model.add_raw(name + ".weight", "U32", (*leading, words.shape[1]), words.tobytes())
        model.add_raw(name + ".scales", dtype, (*leading, groups), scales.tobytes())
        model.add_raw(name + ".biases", dtype, (*leading, groups), offsets.tobytes())
        pairs = list(zip(packed.values_of(dtype, scales), packed.values_of(dtype, offsets)))
        return [None if None in pairs[i // group] else pairs[i // group][0] * code +
                pairs[i // group][1] for i, code in enumerate(codes.reshape(-1).tolist())]

    def hold(self, model, wanted, everywhere=True):
        self.compare(model, {(role, 0): oracle.Population().add_values(values)
                             for role, values in wanted.items()}, everywhere)

    def test_bits(self):
        roles = (("attn.q", 2), ("attn.k", 3), ("attn.v", 4), ("attn.o", 5), ("mlp.up", 6),
                 ("mlp.down", 8))
        for group in (32, 64, 128):
            model = self.settled(group)
            part = {"attn": "self_attn", "mlp": "mlp"}
            self.hold(model, {role: self.add(model, "model.layers.0.{}.{}_proj".format(
                part[role.split(".")[0]], role.split(".")[1]), bits, (17, 384), group)
                for role, bits in roles})

    def test_scales(self):
        """Of every type; odd ones: zero, negative, infinite, NaN."""
        for dtype in ("F16", "BF16", "F32"):
            for odd in ({"hostile": True}, {"simple": True}):
                model = self.settled(32)
                self.hold(model, {"attn.q": self.add(model, Q, 4, (24, 256), 32, dtype, **odd),
                                  "attn.k": self.add(model, Q.replace("q_", "k_"), 8, (24, 256), 32,
                                                     dtype, **odd)})

    def one_group(self, scale, offset):
        """Code 3 in all places but the first, which is 1."""
        model = self.settled(32)
        words = np.full(4, 0x33333333, "<u4") - np.array([2, 0, 0, 0], "<u4")
        model.add_raw(Q + ".weight", "U32", (1, 4), words.tobytes())
        model.add_raw(Q + ".scales", "F32", (1, 1), np.float32(scale).tobytes())
        model.add_raw(Q + ".biases", "F32", (1, 1), np.float32(offset).tobytes())
        scale, offset = Fraction(scale), Fraction(offset)
        return model, [scale + offset] + [3 * scale + offset] * 31

    def test_scale_and_bias_far_apart(self):
        """As far as all values are doubles."""
        for scale, offset in ((1.0, 2.0 ** -47), (2.0 ** -52, 0.5), (2.0 ** -149, -2.0 ** -149),
                              (2.0 ** 127, 2.0 ** 80), (0.0, 2.0 ** -149), (-2.0 ** 100, 0.0)):
            model, values = self.one_group(scale, offset)
            self.hold(model, {"attn.q": values}, False)
        for scale, offset in ((1.0, 2.0 ** -48), (2.0 ** -53, 0.5), (2.0 ** -100, 3.0), (2.0 ** -149, 2.0 ** 127)):
            self.refused(self.one_group(scale, offset)[0], "q_proj", "group 0", "more than 53 bits")

    def test_bits_of_single_tensors(self):
        model = self.settled(**{Q: {"group_size": 64, "bits": 8}})
        self.hold(model, {"attn.q": self.add(model, Q, 8, (16, 128)),
                          "attn.k": self.add(model, Q.replace("q_", "k_"), 4, (16, 128))}, False)

    def test_stacked_and_fused(self):
        model = self.settled()
        model.config.update(model_type="phi3", num_attention_heads=4, num_key_value_heads=2,
                            hidden_size=64)
        values = self.add(model, "model.layers.0.self_attn.qkv_proj", 4, (128, 64))
        experts = self.add(model, "model.layers.0.mlp.switch_mlp.up_proj", 3, (3, 8, 64))
        self.hold(model, {"attn.q": values[:4096], "attn.k": values[4096:6144],
                          "attn.v": values[6144:], "mlp.up": experts})

    def test_refusals(self):
        for settings in ({"group_size": 48}, {"group_size": None},
                         {Q: {"group_size": 32, "bits": 8}}):
            model = self.settled(**{"bits": 4, **settings}) if "group_size" not in settings else \
                self.settled(settings["group_size"])
            self.add(model, Q, 4, (16, 128))
            self.refused(model, "q_proj", "group_size")
        for name, dtype, shape in (("weight", "U32", (16, 15)), ("weight", "U32", (16, 14)),
                                   ("weight", "U32", (0, 16)), ("weight", "U32", (256,)),
                                   ("weight", "I32", (16, 16)), ("weight", "U32", (15, 16)),
                                   ("scales", "F32", (16, 2)), ("scales", "BF16", (16, 3)),
                                   ("biases", "BF16", (2, 16)), ("biases", "U8", (16, 2))):
            model = self.settled()
            self.add(model, Q, 4, (16, 128))
            model.tensors = [item for item in model.tensors if item.name != f"{Q}.{name}"]
            size = {"U32": 4, "I32": 4, "F32": 4, "BF16": 2, "U8": 1}[dtype]
            model.add_raw(f"{Q}.{name}", dtype, shape, bytes(int(np.prod(shape)) * size))
            self.refused(model, "q_proj")
        model = self.settled()
        self.add(model, Q, 4, (16, 128))
        del model.config["quantization"]
        self.refused(model, "q_proj", "group_size")


E2M1 = [Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12)]
E2M1 += [-value for value in E2M1]


class MlxMicroscaled(packed.PackedCase):
    def add(self, model, name, bits, shape, scales=None):
        """A weight [..., rows, columns] of E2M1 (4 bits) or E4M3 (8 bits); returns its values."""
        *leading, columns = shape
        rows = int(np.prod(leading))
        codes = self.rng.integers(0, 1 << bits, (rows, columns))
        if scales is None:
            scales = self.rng.integers(100, 140, rows * columns // 32)
        words = packed.dense_words(codes, bits)
        model.add_raw(name + ".weight", "U32", (*leading, words.shape[1]), words.tobytes())
        model.add_raw(name + ".scales", "U8", (*leading, columns // 32),
                      np.array(scales, np.uint8).tobytes())
        powers = [None if code == 255 else Fraction(2) ** (int(code) - 127) for code in scales]
        values = [E2M1[code] for code in codes.reshape(-1)] if bits == 4 else \
            packed.values_of("F8_E4M3", codes.reshape(-1).astype(np.uint8))
        return [None if value is None or powers[i // 32] is None else value * powers[i // 32]
                for i, value in enumerate(values)]

    def hold(self, model, wanted):
        self.compare(model, {(role, 0): oracle.Population().add_values(values)
                             for role, values in wanted.items()})

    def test_both(self):
        model = self.model()
        self.hold(model, {"attn.q": self.add(model, Q, 4, (17, 384)),
                          "attn.k": self.add(model, Q.replace("q_", "k_"), 8, (17, 384)),
                          "mlp.up": self.add(model, "model.layers.0.mlp.switch_mlp.up_proj", 4,
                                             (3, 8, 64))})

    def test_fused(self):
        for bits in (4, 8):
            model = self.model()
            model.config.update(model_type="phi3", num_attention_heads=4, num_key_value_heads=2,
                                hidden_size=64)
            values = self.add(model, "model.layers.0.self_attn.qkv_proj", bits, (128, 64))
            self.hold(model, {"attn.q": values[:4096], "attn.k": values[4096:6144],
                              "attn.v": values[6144:]})

    def test_all_scales(self):
        """The least and the largest, and NaN."""
        for bits in (4, 8):
            model = self.model()
            self.hold(model, {"attn.q": self.add(model, Q, bits, (16, 512), range(256))})

    def test_refusals(self):
        for bits, dtype, shape in ((4, "U8", (16, 8)), (4, "U8", (16, 3)), (4, "U8", (8, 4)),
                                   (4, "U8", (64,)), (4, "I8", (16, 4)), (8, "U8", (16, 2))):
            model = self.model(group_size=32, bits=bits)
            self.add(model, Q, bits, (16, 128))
            model.tensors = [item for item in model.tensors if item.name != Q + ".scales"]
            model.add_raw(Q + ".scales", dtype, shape, bytes(int(np.prod(shape))))
            self.refused(model, "q_proj")


if __name__ == "__main__":
    harness.main()
