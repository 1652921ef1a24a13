"""AWQ weights (GEMM): every cell equals sums of Fractions, to the last bit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import packed  # noqa: E402
import shapes  # noqa: E402

Q = "model.layers.0.self_attn.q_proj"
PLAIN = {"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": 32}
NIBBLE_OF_OUTPUT = [0, 4, 1, 5, 2, 6, 3, 7]


def words(rows):
    """Rows of 4-bit codes, eight to a word in the order of AWQ."""
    result = np.zeros((rows.shape[0], rows.shape[1] // 8), np.uint32)
    for output, nibble in enumerate(NIBBLE_OF_OUTPUT):
        result |= rows[:, output::8].astype(np.uint32) << np.uint32(4 * nibble)
    return result


class Awq(packed.PackedCase):
    def add(self, model, name, shape, group, dtype="F16", hostile=False):
        n_out, n_in = shape
        n_groups = -(-n_in // group)
        codes = self.rng.integers(0, 16, shape)
        zeros = self.rng.integers(0, 16, (n_groups, n_out))
        scales = packed.scale_codes(dtype, self.rng, n_groups * n_out, hostile)
        scales = scales.reshape(n_groups, n_out)
        model.add_raw(name + ".qweight", "I32", (n_in, n_out // 8), words(codes.T).tobytes())
        model.add_raw(name + ".qzeros", "I32", (n_groups, n_out // 8), words(zeros).tobytes())
        model.add_raw(name + ".scales", dtype, scales.shape, scales.tobytes())
        return codes, zeros, scales, np.arange(n_in) // group, dtype

    def test_scales(self):
        for dtype in ("F16", "BF16", "F32"):
            for hostile in (False, True):
                model, wanted = self.model(**PLAIN), {}
                self.add_affine(wanted, "attn.q", *self.add(model, Q, (72, 96), 32, dtype, hostile))
                self.compare(model, wanted)

    def test_groups(self):
        """Ragged, one for all inputs, and more outputs than a tile."""
        for shape, group, setting in (((64, 75), 32, 32), ((16, 700), 700, -1), ((2072, 40), 20, 20)):
            model, wanted = self.model(**{**PLAIN, "group_size": setting}), {}
            self.add_affine(wanted, "attn.q", *self.add(model, Q, shape, group))
            self.compare(model, wanted)

    def test_older_names_of_settings(self):
        model, wanted = self.model(quant_method="awq", version="GEMM", w_bit=4, q_group_size=16), {}
        self.add_affine(wanted, "attn.q", *self.add(model, Q, (8, 32), 16))
        self.compare(model, wanted)

    def test_fused(self):
        config = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                  "intermediate_size": 96, "quantization_config": PLAIN}
        model, wanted = shapes.Model(config), {}
        codes, zeros, scales, groups, dtype = self.add(
            model, "model.layers.0.self_attn.qkv_proj", (128, 64), 32)
        for role, first, last in (("attn.q", 0, 64), ("attn.k", 64, 96), ("attn.v", 96, 128)):
            self.add_affine(wanted, role, codes[first:last], zeros[:, first:last],
                            scales[:, first:last], groups, dtype)
        self.compare(model, wanted)

    def test_refusals(self):
        for settings, word in (({"version": "gemv"}, "gemv"), ({"version": "gemv_fast"}, "gemv_fast"),
                               ({"bits": 8}, "8 bits"), ({"group_size": 17}, "do not fit")):
            model = self.model(**{**PLAIN, **settings})
            self.add(model, Q, (32, 64), 32)
            self.refused(model, "q_proj", word)
        for index, shape in ((0, (64, 5)), (1, (2, 5)), (1, (3, 4)), (2, (2, 31)), (2, (1, 64))):
            model = self.model(**PLAIN)
            self.add(model, Q, (32, 64), 32)
            bad = model.tensors.pop(index)
            model.add_raw(bad.name, bad.dtype, shape,
                          bytes(int(np.prod(shape)) * (2 if index == 2 else 4)))
            self.refused(model, "q_proj", "do not fit")


if __name__ == "__main__":
    harness.main()
