"""Checkpoints of any size for the benchmark, made quickly: one tensor of each layer at random,
the same for all layers.

make(folder, encoding, size) -> Checkpoint. Floats are normal with a standard deviation of 0.02, or
of another kind (values.py); codes of block formats are evenly spread, their scales as quantisers
make them.
"""
import json
import os
import struct
import sys
from dataclasses import dataclass

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import gguf_file as gguf  # noqa: E402

import values as values_of  # noqa: E402

COLUMNS = 4096
MOST_ROWS = 4096
FLOAT8 = ("F8_E4M3", "F8_E5M2")
FLOATS = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "F8_E4M3": 1, "F8_E5M2": 1}
# Exponents of the least subnormal and normal number, and of the largest power of two.
RANGES = {"BF16": (-133, -126, 127), "F16": (-24, -14, 15), "F32": (-149, -126, 127),
          "F64": (-1074, -1022, 1023), "F8_E4M3": (-9, -6, 8), "F8_E5M2": (-16, -14, 15)}
GGUF = ("Q8_0", "Q4_K")


@dataclass
class Checkpoint:
    path: str    # what a manifest names
    file: str    # the file with the data
    start: int   # of the data in it
    size: int    # bytes of data


def encode(name, values):
    """Values as bytes. FP8 codes are cut from half floats: realistic, not rounded."""
    if name == "BF16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    if name in ("F16", "F32", "F64"):
        return values.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[name])
    half = np.clip(values, -65504, 65504).astype(np.float16).view(np.uint16)
    if name == "F8_E5M2":
        return (half >> 8).astype(np.uint8)
    sign = (half >> 8) & 0x80
    exponent = np.clip(((half >> 10) & 31).astype(int) - 8, 1, 15)
    normal = np.minimum(exponent << 3 | ((half >> 7) & 7), 0x7E)  # 0x7F is NaN
    subnormal = np.minimum(np.abs(values) * 512, 8).astype(int)
    return (sign | np.where(subnormal < 8, subnormal, normal)).astype(np.uint8)


def scales(rng, shape, dtype="<f2"):
    return np.exp(rng.normal(-5, 0.5, shape)).astype(dtype)


# Each: (rng, rows) -> (settings of config.json, [(name in the layer, dtype, shape, array)]).

def float_layer(name, kind=values_of.GAUSSIAN):
    """FP8 is made from values that are scaled to its range, as quantisers do."""
    scale = 1 if name not in FLOAT8 or kind in values_of.SPREAD else 32

    def layer(rng, rows):
        values = scale * values_of.make(kind, rng, rows * COLUMNS, RANGES[name])
        return {}, [("mlp.up_proj.weight", name, (rows, COLUMNS), encode(name, values))]
    return layer


def codes(rng, *shape):
    return rng.integers(0, 256, shape, np.uint8)


def float8_layer(rng, rows):
    weight = encode("F8_E4M3", rng.standard_normal(rows * COLUMNS) * 20)
    shape = (rows // 128, COLUMNS // 128)
    return {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}, [
        ("mlp.up_proj.weight", "F8_E4M3", (rows, COLUMNS), weight),
        ("mlp.up_proj.weight_scale_inv", "F32", shape, scales(rng, shape, "<f4"))]


def mxfp4_layer(rng, rows):
    shape = (1, rows, COLUMNS // 32)
    return {}, [("mlp.experts.down_proj_blocks", "U8", (*shape, 16), codes(rng, *shape, 16)),
                ("mlp.experts.down_proj_scales", "U8", shape,
                 rng.integers(115, 123, shape, np.uint8))]


def nvfp4_layer(rng, rows):
    shape = (rows, COLUMNS // 16)
    return {}, [("mlp.up_proj.weight", "U8", (rows, COLUMNS // 2), codes(rng, rows, COLUMNS // 2)),
                ("mlp.up_proj.weight_scale", "F8_E4M3", shape,
                 rng.integers(0x30, 0x70, shape, np.uint8)),
                ("mlp.up_proj.weight_scale_2", "F32", (), np.array(1e-4, "<f4"))]


def gptq_layer(rng, rows):
    groups = COLUMNS // 128
    return {"quant_method": "gptq", "checkpoint_format": "gptq", "bits": 4, "group_size": 128}, [
        ("mlp.up_proj.qweight", "I32", (COLUMNS // 8, rows), codes(rng, COLUMNS // 8, rows, 4)),
        ("mlp.up_proj.qzeros", "I32", (groups, rows // 8), np.full((groups, rows // 2), 0x77, "u1")),
        ("mlp.up_proj.scales", "F16", (groups, rows), scales(rng, (groups, rows))),
        ("mlp.up_proj.g_idx", "I32", (COLUMNS,), np.arange(COLUMNS, dtype="<i4") // 128)]


def awq_layer(rng, rows):
    groups = COLUMNS // 128
    return {"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": 128}, [
        ("mlp.up_proj.qweight", "I32", (COLUMNS, rows // 8), codes(rng, COLUMNS, rows // 2)),
        ("mlp.up_proj.qzeros", "I32", (groups, rows // 8), codes(rng, groups, rows // 2)),
        ("mlp.up_proj.scales", "F16", (groups, rows), scales(rng, (groups, rows)))]


# bitsandbytes' map, which is part of the format.
NF4_MAP = (-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
           -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
           0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
           0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0)


def nf4_layer(rng, rows):
    """With quantised scales, as is usual."""
    n = rows * COLUMNS
    weight = "mlp.up_proj.weight"
    state = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16",
                        "shape": [rows, COLUMNS], "nested_blocksize": 256,
                        "nested_dtype": "float32", "nested_offset": 0.03125}).encode()
    table = np.array(NF4_MAP, "<f4")
    inner = np.sort(rng.uniform(-1, 1, 256)).astype("<f4")
    return {"quant_method": "bitsandbytes", "load_in_4bit": True}, [
        (weight, "U8", (n // 2, 1), codes(rng, n // 2)),
        (weight + ".quant_map", "F32", (16,), table),
        (weight + ".absmax", "U8", (n // 64,), codes(rng, n // 64)),
        (weight + ".nested_absmax", "F32", (n // 16384,), scales(rng, n // 16384, "<f4")),
        (weight + ".nested_quant_map", "F32", (256,), inner),
        (weight + ".quant_state.bitsandbytes__nf4", "U8", (len(state),),
         np.frombuffer(state, np.uint8))]


LAYERS = {**{name: float_layer(name) for name in FLOATS}, "FP8 blocks": float8_layer,
          "MXFP4": mxfp4_layer, "NVFP4": nvfp4_layer, "AWQ": awq_layer, "GPTQ 4 bit": gptq_layer,
          "NF4": nf4_layer}
ENCODINGS = tuple(LAYERS) + GGUF


def gguf_blocks(rng, kind, rows):
    """Random codes; the one or two binary16 scales in front of a block are moderate."""
    _, elements, size = gguf.TYPES[kind]
    blocks = codes(rng, rows * COLUMNS // elements, size)
    n_scales = {"Q8_0": 1, "Q4_K": 2}[kind]
    blocks[:, :2 * n_scales] = scales(rng, (len(blocks), n_scales)).view(np.uint8)
    return blocks


def write(path, head, arrays, n_layers):
    """The head and the arrays of each layer, on the disk when this returns."""
    with open(path, "wb") as file:
        file.write(head)
        for _ in range(n_layers):
            for array in arrays:
                file.write(memoryview(np.ascontiguousarray(array)).cast("B"))
        os.fsync(file.fileno())


def write_gguf(path, kind, rows, blocks, n_layers):
    pairs = [("general.architecture", gguf.STRING, "llama"), ("llama.block_count", gguf.U32, n_layers),
             ("llama.embedding_length", gguf.U32, COLUMNS),
             ("llama.attention.head_count", gguf.U32, 32),
             ("llama.feed_forward_length", gguf.U32, rows)]
    head = b"GGUF" + struct.pack("<IQQ", 3, n_layers, len(pairs))
    head += b"".join(gguf.pair(*pair) for pair in pairs)
    for layer in range(n_layers):
        head += gguf.string(f"blk.{layer}.ffn_up.weight")
        head += struct.pack("<IQQIQ", 2, COLUMNS, rows, gguf.TYPES[kind][0], layer * blocks.nbytes)
    head += bytes(-len(head) % 32)
    write(path, head, [blocks], n_layers)
    return len(head)


def write_safetensors(path, tensors, n_layers):
    header, offset = {}, 0
    for layer in range(n_layers):
        for name, dtype, shape, array in tensors:
            header[f"model.layers.{layer}.{name}"] = {
                "dtype": dtype, "shape": shape, "data_offsets": [offset, offset + array.nbytes]}
            offset += array.nbytes
    text = json.dumps(header).encode()
    head = struct.pack("<Q", len(text) + -len(text) % 8) + text + b" " * (-len(text) % 8)
    write(path, head, [item[3] for item in tensors], n_layers)
    return len(head)


def config(settings, rows, n_layers):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": COLUMNS,
            "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": rows,
            "num_hidden_layers": n_layers,
            **({"quantization_config": settings} if settings else {})}


def make(folder, encoding, size, kind=values_of.GAUSSIAN):
    """A checkpoint of about `size` bytes; one that is there already is used again. Floats may be of
    another kind."""
    rng = np.random.default_rng(7)
    name = encoding if kind == values_of.GAUSSIAN else f"{encoding} {kind}"
    folder = os.path.join(folder, name.replace(" ", "-"))
    file = os.path.join(folder, "model." + ("gguf" if encoding in GGUF else "safetensors"))
    note = os.path.join(folder, "made.json")
    wanted = {"encoding": encoding, "size": size}
    if os.path.exists(note):
        with open(note, encoding="utf-8") as text:
            made = json.load(text)
        if {key: made[key] for key in wanted} == wanted:
            return Checkpoint(**made["checkpoint"])
    os.makedirs(folder, exist_ok=True)
    bits = {**{name: 8 * n for name, n in FLOATS.items()}, "Q8_0": 8, "FP8 blocks": 8}
    rows = size * 8 // (bits.get(encoding, 4) * COLUMNS)
    rows = min(MOST_ROWS, max(128, rows // 128 * 128))
    path = file
    if encoding in GGUF:
        blocks = gguf_blocks(rng, encoding, rows)
        n_layers = max(1, size // blocks.nbytes)
        start = write_gguf(file, encoding, rows, blocks, n_layers)
    else:
        layer = LAYERS[encoding] if kind == values_of.GAUSSIAN else float_layer(encoding, kind)
        settings, tensors = layer(rng, rows)
        n_layers = max(1, size // sum(item[3].nbytes for item in tensors))
        start = write_safetensors(file, tensors, n_layers)
        if encoding not in FLOATS:
            path = folder
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as text:
                json.dump(config(settings, rows, n_layers), text)
    made = Checkpoint(path, file, start, os.path.getsize(file) - start)
    with open(note, "w", encoding="utf-8") as text:
        json.dump({**wanted, "checkpoint": vars(made)}, text)
    return made
