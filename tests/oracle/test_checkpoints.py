"""The checkpoint writer: encodings against numpy and published values, files against themselves."""
import json
import math
import os
import random
import struct
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
from checkpoints import FLOATS, decode, encode  # noqa: E402

NUMPY = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


class Encodings(harness.Case):
    def numpy_value(self, dtype, code):
        if dtype == "BF16":
            return float(np.array([code << 16], np.uint32).view(np.float32)[0])
        if dtype == "F8_E5M2":
            return float(np.array([code << 8], np.uint16).view(np.float16)[0])
        return float(np.array([code], checkpoints.unsigned_type(dtype)).view(NUMPY[dtype])[0])

    def test_decode_agrees_with_numpy(self):
        rng = random.Random(5)
        for dtype in ("F64", "F32", "F16", "BF16", "F8_E5M2"):
            bits = FLOATS[dtype].bits
            codes = range(1 << bits) if bits == 8 else [rng.getrandbits(bits) for _ in range(3000)]
            for code in codes:
                value, wanted = decode(dtype, code), self.numpy_value(dtype, code)
                if value is None:
                    self.check(not math.isfinite(wanted), f"{dtype} {code:#x}")
                else:
                    self.check(value == Fraction(wanted), f"{dtype} {code:#x}")

    def test_published_values(self):
        for dtype, code, value in (
                ("F8_E4M3", 0x01, Fraction(1, 512)), ("F8_E4M3", 0x08, Fraction(1, 64)),
                ("F8_E4M3", 0x38, 1), ("F8_E4M3", 0x7E, 448), ("F8_E4M3", 0x7F, None),
                ("F8_E4M3", 0xFF, None), ("F8_E4M3", 0x80, 0), ("F8_E4M3", 0xFE, -448),
                ("F8_E5M2", 0x01, Fraction(1, 65536)), ("F8_E5M2", 0x7B, 57344),
                ("F8_E5M2", 0x7C, None), ("F8_E5M2", 0xFD, None), ("F8_E5M2", 0x3C, 1),
                ("F8_E4M3FNUZ", 0x40, 1), ("F8_E4M3FNUZ", 0x80, None), ("F8_E4M3FNUZ", 0x7F, 240),
                ("F8_E5M2FNUZ", 0x40, 1), ("F8_E5M2FNUZ", 0x80, None),
                ("F8_E5M2FNUZ", 0x7F, 57344), ("F64", 1, Fraction(1, 2 ** 1074)),
                ("F32", 1, Fraction(1, 2 ** 149)), ("BF16", 1, Fraction(1, 2 ** 133))):
            self.equal(decode(dtype, code), value, f"{dtype} {code:#x}")

    def test_encode_is_nearest(self):
        rng = random.Random(6)
        for dtype, form in FLOATS.items():
            step = 1 if form.bits == 8 else max(1, form.largest // 500)
            for code in range(0, form.largest, step):
                low, high = decode(dtype, code), decode(dtype, code + 1)
                self.equal(encode(dtype, low), code, dtype)
                middle = (low + high) / 2
                self.equal(encode(dtype, middle), code + code % 2, f"{dtype} tie")
                near = low + (high - low) * Fraction(rng.randrange(1, 1000), 2001)
                self.equal(encode(dtype, near), code, f"{dtype} below the tie")
                self.equal(encode(dtype, -high), (code + 1) | form.sign_bit, f"{dtype} negative")
            self.equal(encode(dtype, Fraction(10) ** 400), form.largest, f"{dtype} too large")
            zero = 0 if form.special == checkpoints.FNUZ else form.sign_bit
            self.equal(encode(dtype, -0.0), zero, f"{dtype} -0")

    def test_arrays_agree_with_single_codes(self):
        rng = np.random.default_rng(8)
        values = np.concatenate([rng.normal(0, 0.02, 300), [0.0, -0.0, 1e30, -1e30, 1e-40, 300.0],
                                 np.ldexp(1.0, -np.arange(30))])
        for dtype in FLOATS:
            found = checkpoints.encode_array(dtype, values)
            for value, code in zip(values.tolist(), found.tolist()):
                self.equal(code, encode(dtype, value), f"{dtype} {value!r}")
            mantissas, exponents, finite = checkpoints.decode_array(dtype, found)
            self.check(finite.all())
            for m, e, code in zip(mantissas.tolist(), exponents.tolist(), found.tolist()):
                self.equal(m * Fraction(2) ** e, decode(dtype, code), dtype)
        many = rng.normal(0, 1, 30000)
        codes = checkpoints.encode_array("BF16", many)
        back = (codes.astype(np.uint32) << 16).view(np.float32)
        self.check(np.all(np.abs(back - many) <= np.abs(many) * 2.0 ** -8), "BF16, many values")


class Files(harness.Case):
    def tensors(self):
        rng = np.random.default_rng(1)
        items = [checkpoints.tensor(f"layer.{i}.{dtype}", dtype, (3, i), rng.normal(size=3 * i))
                 for i, dtype in enumerate(FLOATS)]
        items.append(checkpoints.Tensor("ids", "I64", (2,), data=struct.pack("<2q", -1, 5)))
        items.append(checkpoints.Tensor("mask", "BOOL", (), data=b"\x01"))
        items.append(checkpoints.Tensor("packed", "F4", (4, 2), data=b"abcd"))
        items.append(checkpoints.tensor("quote \" and \u00e9", "F32", (1,), [1.0]))
        return items

    def same(self, found, wanted):
        self.equal({t.name: (t.dtype, t.shape, t.data) for t in found},
                   {t.name: (t.dtype, t.shape, t.data) for t in wanted}, "tensors")

    def test_one_file(self):
        for order in ("file", "reversed", "sorted"):
            path = self.path(f"{order}.safetensors")
            checkpoints.write_file(path, self.tensors(), {"format": "pt"}, order)
            self.same(checkpoints.read_file(path), self.tensors())
            with open(path, "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            self.equal(length % 8, 0, "padding")
            ends = [header[t.name]["data_offsets"][1] for t in self.tensors()]
            self.equal(os.path.getsize(path), 8 + length + max(ends), "size")

    def test_shards(self):
        for shards, index in ((1, True), (4, True), (4, False), (40, True)):
            folder = self.path(f"{shards}-{index}")
            checkpoints.write_checkpoint(folder, self.tensors(), {"model_type": "llama"}, shards,
                                         index)
            self.same(checkpoints.read_checkpoint(folder), self.tensors())
            names = [n for n in os.listdir(folder) if n.endswith(".safetensors")]
            self.equal(len(names), shards, "files")
            has_index = os.path.exists(os.path.join(folder, "model.safetensors.index.json"))
            self.equal(has_index, index and shards > 1, "index")

    def test_sparse(self):
        path = self.path("zeros.safetensors")
        size = checkpoints.write_sparse(path, {"a": (1 << 20, 1 << 10), "b": ("F32", (7,))})
        self.equal(size, (2 << 30) + 28, "data bytes")
        self.check(os.stat(path).st_blocks * 512 < 1 << 20, "not sparse")


if __name__ == "__main__":
    harness.main()
