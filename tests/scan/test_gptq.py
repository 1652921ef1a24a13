"""GPTQ weights of 2, 3, 4 and 8 bits: every cell equals sums of Fractions, to the last bit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import packed  # noqa: E402
import shapes  # noqa: E402

Q = "model.layers.0.self_attn.q_proj"
PLAIN = {"quant_method": "gptq", "checkpoint_format": "gptq"}


class Gptq(packed.PackedCase):
    def add(self, model, name, bits, shape, group, dtype="F16", version=1, hostile=False,
            order=None, with_groups=True):
        """Adds the tensors of a weight [out, in]; returns what add_affine takes."""
        n_out, n_in = shape
        top = 1 << bits
        groups = np.arange(n_in) // group
        if order is not None:
            groups = groups[order]
        n_groups = -(-n_in // group)
        codes = self.rng.integers(0, top, shape)
        zeros = self.rng.integers(version == 1, top, (n_groups, n_out))
        scales = packed.scale_codes(dtype, self.rng, n_groups * n_out, hostile)
        scales = scales.reshape(n_groups, n_out)
        stored = zeros - 1 if version == 1 else zeros
        model.add_raw(name + ".qweight", "I32", (n_in * bits // 32, n_out),
                      np.ascontiguousarray(packed.dense_words(codes, bits).T).tobytes())
        model.add_raw(name + ".qzeros", "I32", (n_groups, n_out * bits // 32),
                      packed.dense_words(stored, bits).tobytes())
        model.add_raw(name + ".scales", dtype, scales.shape, scales.tobytes())
        if with_groups:
            model.add_raw(name + ".g_idx", "I32", (n_in,), groups.astype("<i4").tobytes())
        return codes, zeros, scales, groups, dtype

    def test_bits(self):
        for bits in (2, 4, 8, 3):
            for version in (1, 2):
                model, wanted = self.model(**PLAIN, bits=bits, group_size=64), {}
                if version == 2:
                    model.config["quantization_config"]["checkpoint_format"] = "gptq_v2"
                self.add_affine(wanted, "attn.q", *self.add(model, Q, bits, (96, 192), 64,
                                                            version=version))
                self.compare(model, wanted)

    def test_scales(self):
        """All types; zero, negative, subnormal, infinite and NaN ones; ragged last groups."""
        for bits in (4, 3, 8):
            for dtype in ("F16", "BF16", "F32"):
                model, wanted = self.model(**PLAIN, bits=bits, group_size=40), {}
                self.add_affine(wanted, "attn.q", *self.add(model, Q, bits, (64, 96), 40, dtype,
                                                            hostile=True))
                self.compare(model, wanted)

    def test_order(self):
        """desc_act: groups in any order, and sorted ones."""
        for bits in (2, 3, 4, 8):
            model, wanted = self.model(**PLAIN, bits=bits, group_size=32, desc_act=True), {}
            order = self.rng.permutation(128)
            self.add_affine(wanted, "attn.q", *self.add(model, Q, bits, (32, 128), 32,
                                                        order=order, hostile=True))
            self.compare(model, wanted)

    def test_whole_columns(self):
        """One group for all inputs: more rows than lanes can add up; no g_idx."""
        for bits, n_in in ((8, 2048), (2, 8192), (4, 4096)):
            model, wanted = self.model(**PLAIN, bits=bits, group_size=-1), {}
            self.add_affine(wanted, "attn.q", *self.add(model, Q, bits, (16, n_in), n_in,
                                                        with_groups=False))
            self.compare(model, wanted)

    def test_wide(self):
        """More outputs than a tile, and not a multiple of it."""
        model, wanted = self.model(**PLAIN, bits=4, group_size=32), {}
        self.add_affine(wanted, "attn.q", *self.add(model, Q, 4, (1096, 64), 32))
        self.compare(model, wanted)

    def test_fused(self):
        """phi-3's query, key and value are told apart by outputs."""
        config = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                  "intermediate_size": 96,
                  "quantization_config": {**PLAIN, "bits": 4, "group_size": 32}}
        model, wanted = shapes.Model(config), {}
        codes, zeros, scales, groups, dtype = self.add(
            model, "model.layers.0.self_attn.qkv_proj", 4, (128, 64), 32)
        for role, first, last in (("attn.q", 0, 64), ("attn.k", 64, 96), ("attn.v", 96, 128)):
            self.add_affine(wanted, role, codes[first:last], zeros[:, first:last],
                            scales[:, first:last], groups, dtype)
        self.compare(model, wanted)

    def test_zero_that_readers_disagree_about(self):
        for bits, first in ((2, 28), (3, 30), (4, 30), (8, 31)):
            model = self.model(**PLAIN, bits=bits, group_size=32)
            self.add(model, Q, bits, (32, 64), 32)
            zeros = bytearray(model.tensors[1].data)
            zeros[-1] |= 0xFC if bits == 3 else 0xFF
            model.tensors[1].data = bytes(zeros)
            self.refused(model, "q_proj", f"output {first} ", f"stored as {(1 << bits) - 1}")
            model.config["quantization_config"]["checkpoint_format"] = "gptq_v2"
            model.write(self.path("model"))
            self.scan("model model\n", "--overwrite")

    def test_groups_out_of_range(self):
        for value in (2, -1, 2 ** 31 - 1, -2 ** 31):
            model = self.model(**PLAIN, bits=4, group_size=32)
            self.add(model, Q, 4, (32, 64), 32)
            groups = np.frombuffer(model.tensors[3].data, "<i4").copy()
            groups[17] = value
            model.tensors[3].data = groups.tobytes()
            self.refused(model, "input 17", str(value), "2 groups")

    def test_what_does_not_fit(self):
        model = self.model(**PLAIN, bits=4, group_size=32)
        self.add(model, Q, 4, (32, 64), 32)
        model.config["quantization_config"]["bits"] = 8
        self.refused(model, "q_proj", "do not fit")
        for index, dtype, shape in ((0, "I32", (8, 31)), (0, "I32", (8, 32, 1)), (0, "I64", (4, 32)),
                                    (1, "I32", (3, 4)), (1, "I32", (2, 5)), (1, "F32", (2, 4)),
                                    (2, "F16", (2, 33)), (2, "F64", (2, 32)), (2, "F16", (64,)),
                                    (0, "I32", (0, 32)), (3, "I32", (63,)), (3, "I64", (64,))):
            model = self.model(**PLAIN, bits=4, group_size=32)
            self.add(model, Q, 4, (32, 64), 32)
            name = model.tensors[index].name
            size = {"I32": 4, "I64": 8, "F32": 4, "F16": 2, "F64": 8}[dtype]
            kept = [item for item in model.tensors if item.name != name]
            model.tensors = kept
            model.add_raw(name, dtype, shape, bytes(int(np.prod(shape)) * size))
            self.refused(model, "q_proj")

    def test_other_formats(self):
        for settings, word in (({"checkpoint_format": "marlin"}, "marlin"),
                               ({"checkpoint_format": "gptq_p"}, "gptq_p"),
                               ({"bits": 5}, "2, 3, 4 or 8"), ({"quant_method": "hqq"}, "hqq")):
            model = self.model(**{**PLAIN, "bits": 4, "group_size": 32, **settings})
            self.add(model, Q, 4, (32, 64), 32)
            self.refused(model, "q_proj", word)
        model = self.model()
        self.add(model, Q, 4, (32, 64), 32)
        self.refused(model, "no quantization_config")

    def test_encodings_that_no_file_may_claim(self):
        for dtype in ("GPTQ", "AWQ", "F4_E8M0", "F8_E4M3_SCALED"):
            header = ('{"model.layers.0.mlp.up_proj.weight":{"dtype":"%s","shape":[8,8],'
                      '"data_offsets":[0,32]}}' % dtype).encode()
            os.makedirs(self.path("bad"), exist_ok=True)
            self.write("bad/model.safetensors", len(header).to_bytes(8, "little") + header +
                       bytes(32))
            shapes.llama(1, 2).write(self.path("good"))
            found, _ = self.scan("bad bad\ngood good\n", "--overwrite", status=3)
            self.check(dtype in found.model("message", "bad"), found.model("message", "bad"))


if __name__ == "__main__":
    harness.main()
