"""compressed-tensors' integers: every cell equals sums of Fractions, to the last bit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import packed  # noqa: E402

Q = "model.layers.0.self_attn.q_proj"


class CompressedTensors(packed.PackedCase):
    def settled(self):
        return self.model(quant_method="compressed-tensors", format="pack-quantized")

    def add(self, model, bits, shape, groups, per_row=True, dtype="BF16", zeros=False,
            hostile=False, order=None, bytewise=False):
        """Adds a weight [rows, columns]; returns what add_affine takes."""
        rows, columns = shape
        half = 1 << (bits - 1)
        codes = self.rng.integers(-half, half, shape)
        scale_rows = rows if per_row else 1
        scales = packed.scale_codes(dtype, self.rng, scale_rows * groups, hostile)
        scales = scales.reshape(scale_rows, groups)
        points = self.rng.integers(-half, half, scales.shape) if zeros else np.zeros(scales.shape, int)
        of_column = np.arange(columns) // (columns // groups)
        if order is not None:
            of_column = of_column[order]
        if bytewise:
            model.add_raw(Q + ".weight", "I8", shape, codes.astype(np.int8).tobytes())
        else:
            words = packed.dense_words(codes + half, bits)
            model.add_raw(Q + ".weight_packed", "I32", words.shape, words.tobytes())
            model.add_raw(Q + ".weight_shape", "I64", (2,), np.array(shape, "<i8").tobytes())
        shape_of_scales = scales.shape if per_row else (1,)
        model.add_raw(Q + ".weight_scale", dtype, shape_of_scales, scales.tobytes())
        if zeros and bytewise:
            model.add_raw(Q + ".weight_zero_point", "I8", shape_of_scales,
                          points.astype(np.int8).tobytes())
        elif zeros:
            words = np.ascontiguousarray(packed.dense_words((points + half).T, bits).T)
            model.add_raw(Q + ".weight_zero_point", "I32", words.shape, words.tobytes())
        if order is not None:
            model.add_raw(Q + ".weight_g_idx", "I32", (columns,), of_column.astype("<i4").tobytes())
        every = np.broadcast_to(scales, (rows, groups)).T
        return codes, np.broadcast_to(points, (rows, groups)).T, every, of_column, dtype

    def hold(self, *arguments, **keywords):
        model, wanted = self.settled(), {}
        self.add_affine(wanted, "attn.q", *self.add(model, *arguments, **keywords))
        self.compare(model, wanted)

    def test_packed(self):
        for bits in (4, 8):
            for zeros in (False, True):
                self.hold(bits, (61, 192), 6, zeros=zeros, hostile=zeros)
                self.hold(bits, (61, 192), 1, zeros=zeros, dtype="F16")
        self.hold(4, (40, 200), 1, per_row=False, dtype="F32")

    def test_padded_rows(self):
        """Rows end inside a word: what is behind them does not count."""
        self.hold(4, (50, 101), 1)
        self.hold(8, (50, 103), 1, zeros=True)

    def test_order(self):
        for bits in (4, 8):
            self.hold(bits, (33, 64), 4, zeros=True, order=self.rng.permutation(64))

    def test_bytes(self):
        for zeros in (False, True):
            self.hold(8, (61, 75), 1, bytewise=True, zeros=zeros, hostile=zeros)
        self.hold(8, (61, 75), 1, per_row=False, bytewise=True)
        self.hold(8, (61, 75), 3, bytewise=True)

    def test_refusals(self):
        def changed(name, dtype, shape, data):
            model = self.settled()
            self.add(model, 4, (16, 64), 4, zeros=True, order=np.arange(64))
            model.tensors = [item for item in model.tensors if item.name != Q + name]
            model.add_raw(Q + name, dtype, shape, data)
            return model
        for numbers in ((16, 65), (15, 64), (16, -1), (0, 64), (1 << 62, 64), (16, 1 << 62)):
            self.refused(changed(".weight_shape", "I64", (2,), np.array(numbers, "<i8").tobytes()),
                         "q_proj", "do not fit")
        for name, dtype, shape, n in ((".weight_scale", "BF16", (16, 65), 2080),
                                      (".weight_scale", "BF16", (15, 4), 120),
                                      (".weight_scale", "F64", (16, 4), 512),
                                      (".weight_zero_point", "I32", (3, 4), 48),
                                      (".weight_g_idx", "I32", (63,), 252),
                                      (".weight_shape", "I32", (2,), 8)):
            self.refused(changed(name, dtype, shape, bytes(n)), "q_proj", "do not fit")
        self.refused(changed(".weight_g_idx", "I32", (64,), np.full(64, 4, "<i4").tobytes()),
                     "column 0 is in group 4")

    def test_other_methods(self):
        """Codes that nobody here reads are refused, not left out in silence."""
        for method, name, dtype, shape, n in (
                ("hqq", ".W_q", "U8", (32, 64), 2048), ("exl2", ".q_weight", "I32", (8, 64), 2048),
                ("aqlm", ".codebooks", "F16", (2, 256, 1, 8), 8192),
                ("quip", ".Qidxs", "I64", (8, 8), 512), ("eetq", ".weight", "I8", (8, 8), 64),
                ("bitnet", ".weight", "U8", (2, 8), 16),
                ("quanto", ".weight._data", "I8", (8, 8), 64)):
            model = self.model(quant_method=method)
            model.add_raw(Q + name, dtype, shape, bytes(n))
            self.refused(model, "q_proj", f'"{method}"', "not read")
            if name != ".weight":
                del model.config["quantization_config"]
                self.refused(model, "q_proj", "not read")


if __name__ == "__main__":
    harness.main()
