"""bitsandbytes' NF4 and FP4 (int8 is in test_divided.py): every cell equals sums of Fractions, to the last bit."""
import json
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import oracle  # noqa: E402
import packed  # noqa: E402
import shapes  # noqa: E402
import exact  # noqa: E402

Q = "model.layers.0.self_attn.q_proj.weight"
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]
FP4 = [sign * n / 12 for sign in (1, -1) for n in (0, 0.0625, 8, 12, 4, 6, 2, 3)]
F32_ZERO, F32_INFINITY, F32_NAN, F32_SMALLEST = 0, 0x7F800000, 0x7FC00001, 1


class Cell:
    """Sums of Fractions; extremes rounded to the nearest double."""

    def __init__(self, values):
        finite = [value for value in values if value is not None]
        self.count, self.nonfinite = len(values), len(values) - len(finite)
        self.zeros = sum(value == 0 for value in finite)
        self.sum = sum(finite, Fraction(0))
        self.sum_squares = sum((value * value for value in finite), Fraction(0))
        unit = 2 * oracle.UNIT
        total, squares = self.sum / Fraction(2) ** oracle.UNIT, self.sum_squares / Fraction(2) ** unit
        self.mean = exact.mean_of(self.count, self.nonfinite, int(total), oracle.UNIT)
        self.std = exact.std_of(self.count, self.nonfinite, int(total), oracle.UNIT, int(squares),
                                unit)
        self.min, self.max = float(min(finite)), float(max(finite))


class Bitsandbytes(packed.PackedCase):
    def add(self, model, name, shape, block, kind="nf4", table=None, nested=None, odd=(),
            storage=None):
        """Adds a weight; returns its values. `odd`: bit patterns among the (outer) scales."""
        n = int(np.prod(shape))
        codes = self.rng.integers(0, 16, n)
        table = np.array(table or (NF4 if kind == "nf4" else FP4), "<f4")
        halves = np.append(codes, [9] * (n % 2)).astype(np.uint8)
        data = (halves[0::2] << 4 | halves[1::2]).tobytes()
        n_blocks = -(-n // block)
        if storage:
            model.add_raw(name, storage, (len(data) // 2, 1), data)
        else:
            model.add_raw(name, "U8", (len(data), 1), data)
        model.add_raw(name + ".quant_map", "F32", (16,), table.tobytes())
        state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": list(shape)}
        if nested is None:
            scales = packed.scale_codes("F32", self.rng, n_blocks)
            scales[:len(odd)] = np.array(odd, scales.dtype)[:n_blocks]
            model.add_raw(name + ".absmax", "F32", (n_blocks,), scales.tobytes())
            factors = packed.values_of("F32", scales)
        else:
            inner = self.rng.integers(0, 256, n_blocks).astype(np.uint8)
            inner_table = np.sort(self.rng.normal(0, 0.4, 256)).astype("<f4")
            inner_table[100] = 0
            outer = packed.scale_codes("F32", self.rng, -(-n_blocks // nested))
            outer[:len(odd)] = np.array(odd, outer.dtype)[:len(outer)]
            offset = float(np.float32(0.0371))
            state |= {"nested_blocksize": nested, "nested_dtype": "float32",
                      "nested_offset": offset}
            model.add_raw(name + ".absmax", "U8", (n_blocks,), inner.tobytes())
            model.add_raw(name + ".nested_absmax", "F32", (len(outer),), outer.tobytes())
            model.add_raw(name + ".nested_quant_map", "F32", (256,), inner_table.tobytes())
            outer_values = packed.values_of("F32", outer)
            factors = [None if outer_values[b // nested] is None else
                       Fraction(float(inner_table[inner[b]])) * outer_values[b // nested] +
                       Fraction(offset) for b in range(n_blocks)]
        text = json.dumps(state).encode()
        model.add_raw(f"{name}.quant_state.bitsandbytes__{kind}", "U8", (len(text),), text)
        exact_table = [Fraction(float(value)) for value in table]
        return [None if factors[k // block] is None else factors[k // block] * exact_table[code]
                for k, code in enumerate(codes.tolist())]

    def settled(self, **more):
        return self.model(quant_method="bitsandbytes", load_in_4bit=True, **more)

    def test_plain(self):
        for kind in ("nf4", "fp4"):
            for shape, block in (((40, 200), 64), ((33, 77), 32), ((3, 4096), 4096)):
                model = self.settled()
                values = self.add(model, Q, shape, block, kind)
                self.compare(model, {("attn.q", 0): Cell(values)})

    def test_odd_scales(self):
        model = self.settled()
        values = self.add(model, Q, (64, 64), 64, odd=(F32_ZERO, F32_INFINITY, F32_NAN,
                                                       F32_SMALLEST, 0x80000005, 0xBF000001,
                                                       0x7F7FFFFF))
        self.compare(model, {("attn.q", 0): Cell(values)})

    def test_nested(self):
        for kind in ("nf4", "fp4"):
            for odd in ((), (F32_ZERO, F32_INFINITY, F32_NAN, 0xBC123456)):
                model = self.settled()
                values = self.add(model, Q, (80, 130), 64, kind, nested=16, odd=odd)
                self.compare(model, {("attn.q", 0): Cell(values)})

    def test_other_maps(self):
        """Any 16 numbers, not sorted and of all sizes."""
        for table in ([1e-30, 3e30] + NF4[2:], [-value for value in NF4], [0.0] * 16):
            for nested in (None, 8):
                model = self.settled()
                values = self.add(model, Q, (31, 65), 64, table=table, nested=nested)
                self.compare(model, {("attn.q", 0): Cell(values)}, everywhere=False)

    def test_other_storage(self):
        model = self.settled()
        values = self.add(model, Q, (16, 64), 64, storage="BF16")
        self.compare(model, {("attn.q", 0): Cell(values)}, everywhere=False)

    def test_fused(self):
        config = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                  "intermediate_size": 96}
        model = shapes.Model(config)
        values = self.add(model, "model.layers.0.self_attn.qkv_proj.weight", (128, 64), 64)
        self.compare(model, {("attn.q", 0): Cell(values[:4096]),
                             ("attn.k", 0): Cell(values[4096:6144]),
                             ("attn.v", 0): Cell(values[6144:])})

    def test_refusals(self):
        def changed(name, dtype, shape, data):
            model = self.settled()
            self.add(model, Q, (16, 64), 64)
            model.tensors = [item for item in model.tensors if item.name != name]
            model.add_raw(name, dtype, shape, data)
            return model
        state = Q + ".quant_state.bitsandbytes__nf4"
        for text in (b"{", b"[]", b"\0\0", b'{"shape":[16,64]}', b'{"blocksize":64}',
                     b'{"shape":[16,63],"blocksize":64}', b'{"shape":[16,64],"blocksize":63}',
                     b'{"shape":[16,64],"blocksize":0}', b'{"shape":[16,64],"blocksize":-64}',
                     b'{"shape":[1e300,64],"blocksize":64}', b'{"shape":[16,0],"blocksize":64}',
                     b'{"shape":[4294967296,4294967296,16,64],"blocksize":64}',
                     b'{"shape":' + b"[" * 5000, b" " * 70000):
            self.refused(changed(state, "U8", (len(text),), text), "q_proj")
        self.refused(changed(Q + ".absmax", "F32", (15,), bytes(60)), "do not fit")
        self.refused(changed(Q + ".absmax", "U8", (16,), bytes(16)), "do not fit")
        self.refused(changed(Q + ".quant_map", "F32", (15,), bytes(60)), "do not fit")
        self.refused(changed(Q + ".quant_map", "F32", (16,), b"\0\0\x80\x7f" * 16), "not finite")

    def test_scales_too_far_apart(self):
        model = self.settled()
        self.add(model, Q, (16, 64), 64, nested=4, odd=(F32_SMALLEST,))
        self.refused(model, "nested_offset", "block")


if __name__ == "__main__":
    harness.main()
