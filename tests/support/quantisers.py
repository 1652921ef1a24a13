"""Quantised clothes of weights that are -s, 0 or s: every scheme here holds them exactly, so the
same weights in each of them have the same sums. s is a power of two for each row and each 256
inputs. Written from the published layouts, without any code of the scanner.
"""
import json

import numpy as np

import gguf_file as gguf
import packed
from checkpoints import Tensor, encode_array

RUN = 256


class Ternary:
    """signs [outputs, inputs] of -1, 0, 1; exponents [outputs, inputs / RUN]."""

    def __init__(self, signs, exponents):
        self.signs, self.exponents = signs, exponents

    @classmethod
    def random(cls, rng, outputs, inputs):
        return cls(rng.integers(-1, 2, (outputs, inputs)),
                   rng.integers(-8, -3, (outputs, inputs // RUN)))

    @property
    def shape(self):
        return self.signs.shape

    def scales(self, run=RUN):
        """2^exponent for each `run` inputs of each row."""
        return np.exp2(np.repeat(self.exponents, RUN // run, axis=1))

    @property
    def values(self):
        return self.signs * np.repeat(self.scales(), RUN, axis=1)

    def stacked(self, other):
        return Ternary(np.concatenate([self.signs, other.signs]),
                       np.concatenate([self.exponents, other.exponents]))


def tensor(name, dtype, values):
    return Tensor(name, dtype, values.shape, encode_array(dtype, values.reshape(-1)))


def raw(name, dtype, array, shape=None):
    array = np.ascontiguousarray(array)
    return Tensor(name, dtype, tuple(array.shape if shape is None else shape),
                  data=array.tobytes())


# --- codes with scales and zero points: each returns the tensors in place of NAME.weight ----------

def gptq(bits, version=1, in_order=True, dtype="F16"):
    def clothe(name, w):
        zero = 1 << (bits - 1)
        groups = np.arange(w.shape[1]) // RUN
        order = np.arange(w.shape[1])
        if not in_order:  # inputs of one group stand anywhere
            order = np.random.default_rng(bits).permutation(w.shape[1])
        words = packed.dense_words((w.signs + zero)[:, order], bits)
        zeros = np.full((w.exponents.shape[1], w.shape[0]), zero - (version == 1))
        return [raw(name + ".qweight", "I32", words.T),
                raw(name + ".qzeros", "I32", packed.dense_words(zeros, bits)),
                tensor(name + ".scales", dtype, w.scales().T),
                raw(name + ".g_idx", "I32", groups[order].astype("<i4"))]
    clothe.config = {"quant_method": "gptq", "bits": bits, "group_size": RUN,
                     "desc_act": not in_order,
                     "checkpoint_format": "gptq" if version == 1 else "gptq_v2"}
    return clothe


def awq_words(rows):
    """Eight 4-bit codes a word; code i of eight is at nibble 0, 4, 1, 5, 2, 6, 3, 7."""
    words = np.zeros((rows.shape[0], rows.shape[1] // 8), np.uint32)
    for i, nibble in enumerate((0, 4, 1, 5, 2, 6, 3, 7)):
        words |= rows[:, i::8].astype(np.uint32) << np.uint32(4 * nibble)
    return words


def awq(name, w):
    zeros = np.arange(w.exponents.size).reshape(w.exponents.T.shape) % 14 + 1
    codes = w.signs.T + np.repeat(zeros, RUN, axis=0)
    return [raw(name + ".qweight", "I32", awq_words(codes)),
            raw(name + ".qzeros", "I32", awq_words(zeros)),
            tensor(name + ".scales", "F16", w.scales().T)]


awq.config = {"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": RUN,
              "zero_point": True}


def compressed(bits, zeros=False):
    """pack-quantized"""
    def clothe(name, w):
        half = 1 << (bits - 1)
        points = np.arange(w.exponents.size).reshape(w.exponents.shape) % (half - 1) * zeros
        words = packed.dense_words(w.signs + np.repeat(points, RUN, axis=1) + half, bits)
        found = [raw(name + ".weight_packed", "I32", words),
                 raw(name + ".weight_shape", "I64", np.array(w.shape, "<i8")),
                 tensor(name + ".weight_scale", "BF16", w.scales())]
        if zeros:
            found.append(raw(name + ".weight_zero_point", "I32",
                             packed.dense_words((points + half).T, bits).T))
        return found
    clothe.config = {"quant_method": "compressed-tensors", "format": "pack-quantized"}
    return clothe


def int_quantized(name, w):
    """One scale a row: the codes themselves hold what the exponents differ by."""
    lowest = w.exponents.min(axis=1, keepdims=True)
    codes = w.signs * np.repeat(1 << (w.exponents - lowest), RUN, axis=1)
    return [raw(name + ".weight", "I8", codes.astype(np.int8)),
            tensor(name + ".weight_scale", "F32", np.exp2(lowest))]


int_quantized.config = {"quant_method": "compressed-tensors", "format": "int-quantized"}


def float8(dtype, ending, rows, columns, scale_dtype="F32", config=None):
    """A scale for each rectangle of the matrix."""
    def clothe(name, w):
        block = min(rows, w.shape[0]), min(columns, w.shape[1])
        down, across = -(-w.shape[0] // block[0]), -(-w.shape[1] // block[1])
        exponents = np.arange(down * across).reshape(down, across) % 5 - 6
        each = np.repeat(np.repeat(exponents, block[0], axis=0), block[1], axis=1)
        codes = w.values / np.exp2(each[:w.shape[0], :w.shape[1]])
        scales = np.exp2(exponents)
        if scale_dtype == "U8":
            scale = raw(name + ending, "U8", (exponents + 127).astype(np.uint8))
        else:
            scale = tensor(name + ending, scale_dtype,
                           scales if scales.size > 1 else scales.reshape(()))
        return [tensor(name + ".weight", dtype, codes), scale]
    clothe.config = config
    return clothe


def e2m1(signs):
    """Codes of -1, 0, 1, two in a byte, the first one low."""
    codes = np.where(signs == 0, 0, np.where(signs > 0, 2, 10)).astype(np.uint8)
    return codes[..., 0::2] | codes[..., 1::2] << 4


def mxfp4(name, w):
    exponents = np.repeat(w.exponents, RUN // 32, axis=1)
    return [raw(name + ".weight_packed", "U8", e2m1(w.signs)),
            raw(name + ".weight_scale", "U8", (exponents + 127).astype(np.uint8))]


mxfp4.config = {"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized"}


def nvfp4(name, w):
    return [raw(name + ".weight", "U8", e2m1(w.signs)),
            tensor(name + ".weight_scale", "F8_E4M3", w.scales(16) * 8),
            tensor(name + ".weight_scale_2", "F32", np.array(0.125))]


nvfp4.config = {"quant_method": "modelopt", "quant_algo": "NVFP4"}


def nvfp4_divided(name, w):
    """The scale of the tensor divides, and is no power of two: 12 x / 12."""
    return [raw(name + ".weight_packed", "U8", e2m1(w.signs)),
            tensor(name + ".weight_scale", "F8_E4M3", w.scales(16) * 12),
            tensor(name + ".weight_global_scale", "F32", np.array([12.0]))]


nvfp4_divided.config = {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}


def llm_int8(name, w):
    """bitsandbytes: code * SCB / 127, with 127 times powers of two as magnitudes."""
    lowest = w.exponents.min(axis=1)
    codes = w.signs * np.repeat(1 << (w.exponents - lowest[:, None]), RUN, axis=1)
    return [raw(name + ".weight", "I8", codes.astype(np.int8)),
            tensor(name + ".SCB", "F32", 127 * np.exp2(lowest)),
            raw(name + ".weight_format", "U8", np.array(0, np.uint8))]


llm_int8.config = {"quant_method": "bitsandbytes", "load_in_8bit": True}


def mlx_mxfp4(name, w):
    scale = mxfp4(name, w)[1]
    words = e2m1(w.signs).view("<u4")
    return [raw(name + ".weight", "U32", words),
            Tensor(name + ".scales", "U8", scale.shape, data=scale.data)]


mlx_mxfp4.config = {"group_size": 32, "bits": 4, "mode": "mxfp4"}


def mlx_mxfp8(name, w):
    codes, scale = float8("F8_E4M3", ".scales", 1, 32, "U8")(name, w)
    words = codes.codes.reshape(w.shape).view("<u4")
    return [raw(name + ".weight", "U32", words), scale]


mlx_mxfp8.config = {"group_size": 32, "bits": 8, "mode": "mxfp8"}

NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]
FP4 = [0.0, 0.0625 / 12, 8 / 12, 1.0, 4 / 12, 0.5, 2 / 12, 0.25]
FP4 += [-value for value in FP4]


def bitsandbytes(kind, nested=False, block=64):
    table = NF4 if kind == "nf4" else FP4
    low, zero, high = table.index(-1.0), table.index(0.0), table.index(1.0)

    def clothe(name, w):
        codes = np.where(w.signs == 0, zero, np.where(w.signs > 0, high, low)).reshape(-1)
        data = (codes[0::2] << 4 | codes[1::2]).astype(np.uint8)
        absmax = w.scales(block).reshape(-1)
        state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16",
                 "shape": list(w.shape)}
        name += ".weight"
        found = [raw(name, "U8", data, (data.size, 1)),
                 tensor(name + ".quant_map", "F32", np.array(table))]
        if nested:
            offset, outer = 0.25, 2.0 ** -(np.arange(-(-absmax.size // 256)) % 3)
            inner = (absmax - offset) / np.repeat(outer, 256)[:absmax.size]
            distinct, places = np.unique(inner, return_inverse=True)
            state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset}
            found += [raw(name + ".absmax", "U8", places.astype(np.uint8)),
                      tensor(name + ".nested_absmax", "F32", outer),
                      tensor(name + ".nested_quant_map", "F32",
                             np.append(distinct, np.zeros(256 - distinct.size)))]
        else:
            found.append(tensor(name + ".absmax", "F32", absmax))
        text = np.frombuffer(json.dumps(state).encode(), np.uint8)
        return found + [raw(f"{name}.quant_state.bitsandbytes__{kind}", "U8", text)]
    clothe.config = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    return clothe


def mlx(bits):
    """scale * code + bias, in groups of 128"""
    def clothe(name, w):
        offset = np.arange(w.exponents.size).reshape(w.exponents.shape) % ((1 << bits) - 2) + 1
        words = packed.dense_words(w.signs + np.repeat(offset, RUN, axis=1), bits)
        return [raw(name + ".weight", "U32", words),
                tensor(name + ".scales", "BF16", w.scales(128)),
                tensor(name + ".biases", "BF16", -w.scales(128) * np.repeat(offset, RUN // 128,
                                                                            axis=1))]
    clothe.config = {"group_size": 128, "bits": bits}
    return clothe


def plain(dtype):
    def clothe(name, w):
        return [tensor(name + ".weight", dtype, w.values)]
    clothe.config = None
    return clothe


SCHEMES = {
    **{dtype.lower(): plain(dtype) for dtype in ("BF16", "F16", "F32", "F64")},
    **{f"gptq-{bits}-v{version}": gptq(bits, version) for bits in (2, 3, 4, 8)
       for version in (1, 2)},
    "gptq-4-act": gptq(4, in_order=False), "gptq-3-act": gptq(3, in_order=False),
    "gptq-bf16": gptq(4, dtype="BF16"), "awq": awq,
    "int4": compressed(4), "int4-zeros": compressed(4, True), "int8": compressed(8),
    "int8-zeros": compressed(8, True), "int8-rows": int_quantized,
    "fp8-blocks": float8("F8_E4M3", ".weight_scale_inv", 128, 128, config={
        "quant_method": "fp8", "weight_block_size": [128, 128]}),
    "fp8-blocks-bf16": float8("F8_E4M3", ".weight_scale_inv", 128, 128, "BF16", {
        "quant_method": "fp8", "weight_block_size": [128, 128]}),
    "fp8-rows": float8("F8_E4M3", ".weight_scale", 1, 1 << 20, "BF16", {
        "quant_method": "compressed-tensors", "format": "float-quantized"}),
    "fp8-tensor": float8("F8_E4M3", ".weight_scale", 1 << 20, 1 << 20, config={
        "quant_method": "modelopt", "quant_algo": "FP8"}),
    "fp8-e5m2": float8("F8_E5M2", ".weight_scale", 1 << 20, 1 << 20),
    "mxfp8": float8("F8_E4M3", ".weight_scale", 1, 32, "U8", {
        "quant_method": "compressed-tensors", "format": "mxfp8-quantized"}),
    "fp8-mistral": float8("F8_E4M3", ".qscale_weight", 1 << 20, 1 << 20),
    "fp8-deepseek": float8("F8_E4M3", ".scale", 128, 128),
    **{f"mlx-{bits}": mlx(bits) for bits in (2, 3, 4, 5, 6, 8)},
    "mlx-mxfp4": mlx_mxfp4, "mlx-mxfp8": mlx_mxfp8,
    "mxfp4": mxfp4, "nvfp4": nvfp4, "nvfp4-divided": nvfp4_divided, "llm-int8": llm_int8,
    "nf4": bitsandbytes("nf4"), "fp4": bitsandbytes("fp4"),
    "nf4-nested": bitsandbytes("nf4", True), "nf4-256": bitsandbytes("nf4", block=256),
}


# --- GGUF: blocks of a row, each with its own power of two ----------------------------------------

def halves(values):
    return np.asarray(values, np.float16).view(np.uint8).reshape(len(values), 2)


def nib(codes):
    """16 bytes: element j low, element j + 16 high."""
    return (codes[..., :16] | codes[..., 16:] << 4).astype(np.uint8)


def of_two_bits(codes):
    """[n, 256] -> [n, 64]: element 128 a + 32 b + c is bits 2 b of byte 32 a + c."""
    parts = codes.reshape(-1, 2, 4, 32)
    return sum(parts[:, :, b] << 2 * b for b in range(4)).reshape(-1, 64).astype(np.uint8)


def small(kind, signs, d):
    """Blocks of 32."""
    if kind == "Q4_0":
        return [halves(d), nib(signs + 8)]
    if kind == "Q4_1":
        return [halves(d), halves(-3 * d), nib(signs + 3)]
    high = {"Q5_0": signs + 16, "Q5_1": signs + 17}.get(kind)
    if kind in ("Q5_0", "Q5_1"):
        bits = np.packbits((high >> 4).astype(np.uint8), axis=1, bitorder="little")
        offset = [] if kind == "Q5_0" else [halves(-17 * d)]
        return [halves(d), *offset, bits, nib(high & 15)]
    if kind == "Q8_0":
        return [halves(d), signs.astype(np.int8).view(np.uint8)]
    if kind == "Q8_1":
        return [halves(d), halves(d * signs.sum(axis=1)), signs.astype(np.int8).view(np.uint8)]
    codes = np.where(signs == 0, 0, np.where(signs > 0, 2, 10))
    return [(np.log2(d) + 127).astype(np.uint8)[:, None], nib(codes)]  # MXFP4


def q3_k(signs, d):
    codes = signs + 4
    mask = np.packbits((codes >> 2).reshape(-1, 8, 32).transpose(0, 2, 1).astype(np.uint8),
                       axis=2, bitorder="little").reshape(-1, 32)
    scale = 32 + 2  # six bits of sixteen runs: 2, behind the offset of 32
    low = np.full((len(d), 8), scale & 15 | (scale & 15) << 4, np.uint8)
    top = np.full((len(d), 4), (scale >> 4) * 0x55, np.uint8)
    return [mask, of_two_bits(codes & 3), low, top, halves(d / 2)]


def large(kind, signs, d):
    """Blocks of 256."""
    n = len(d)
    if kind == "Q2_K":  # d 2 q - dmin 2
        return [np.full((n, 16), 2 | 2 << 4, np.uint8), of_two_bits(signs + 1), halves(d / 2),
                halves(d / 2)]
    if kind in ("Q4_K", "Q5_K"):  # d 4 q - dmin 1 with dmin = 5 d (q + 5) or 20 (q + 20)
        zero = 5 if kind == "Q4_K" else 20
        codes = signs + zero
        # scales 4 and mins 1 of eight runs, six bits each, the last four split over two bytes
        scales = np.tile(np.array([4] * 4 + [1] * 4 + [4 | 1 << 4] * 4, np.uint8), (n, 1))
        pairs = (codes & 15).reshape(n, 4, 2, 32)
        qs = (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(n, 128).astype(np.uint8)
        head = [halves(d / 4), halves(d * zero), scales]
        if kind == "Q4_K":
            return head + [qs]
        high = np.packbits((codes >> 4).reshape(n, 8, 32).transpose(0, 2, 1).astype(np.uint8),
                           axis=2, bitorder="little").reshape(n, 32)
        return head + [high, qs]
    if kind == "Q6_K":
        codes = (signs + 32).reshape(n, 2, 4, 32)
        low = codes & 15
        ql = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4],
                            axis=2).reshape(n, 128).astype(np.uint8)
        qh = sum(codes[:, :, b] >> 4 << 2 * b for b in range(4)).reshape(n, 64).astype(np.uint8)
        scales = np.full((n, 16), -4 & 255, np.uint8)
        return [ql, qh, scales, halves(d / -4)]
    if kind == "Q8_K":
        sums = signs.reshape(n, 16, 16).sum(axis=2).astype("<i2").view(np.uint8).reshape(n, 32)
        return [d.astype("<f4").view(np.uint8).reshape(n, 4), signs.astype(np.int8).view(np.uint8),
                sums]
    return [of_two_bits(signs + 1), halves(d)]  # TQ2_0


def tq1_0(signs, d):
    """Five trits a byte; a byte b stands for the trits of b / 256 in base 3, rounded up."""
    trits = signs + 1
    groups = [trits[:, 0:160].reshape(-1, 5, 32), trits[:, 160:240].reshape(-1, 5, 16),
              np.concatenate([trits[:, 240:256].reshape(-1, 4, 4),
                              np.zeros((len(d), 1, 4), int)], axis=1)]
    found = []
    for group in groups:
        number = sum(group[:, p] * 3 ** (4 - p) for p in range(5))
        found.append(((number * 256 + 242) // 243).astype(np.uint8))
    return [*found, halves(d)]


def nvfp4_blocks(signs, d):
    codes = np.where(signs == 0, 0, np.where(signs > 0, 2, 10)).reshape(-1, 4, 16)
    scale = encode_array("F8_E4M3", d)
    return [np.repeat(scale[:, None], 4, axis=1),
            (codes[..., :8] | codes[..., 8:] << 4).astype(np.uint8).reshape(-1, 32)]


def q2_0(signs, d):
    codes = (signs + 1).reshape(-1, 16, 4)
    return [halves(d), sum(codes[..., k] << 2 * k for k in range(4)).astype(np.uint8)]


GGUF_KINDS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "MXFP4", "Q2_K", "Q3_K", "Q4_K",
              "Q5_K", "Q6_K", "Q8_K", "TQ1_0", "TQ2_0", "NVFP4", "Q2_0")


def gguf_blocks(kind, w):
    """The bytes of a matrix in blocks of a GGUF type."""
    elements, size = gguf.TYPES[kind][1:]
    signs = w.signs.reshape(-1, elements)
    d = w.scales(elements).reshape(-1)
    special = {"Q3_K": q3_k, "TQ1_0": tq1_0, "NVFP4": nvfp4_blocks, "Q2_0": q2_0}
    if kind in special:
        parts = special[kind](signs, d)
    else:
        parts = (small if elements == 32 else large)(kind, signs, d)
    data = np.concatenate([part.reshape(len(d), -1) for part in parts], axis=1)
    if data.shape[1] != size or data.dtype != np.uint8:
        raise ValueError(f"{kind}: {data.shape[1]} bytes of {data.dtype}")
    return data.tobytes()
