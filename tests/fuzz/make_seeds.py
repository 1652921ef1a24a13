#!/usr/bin/env python3
"""make_seeds.py [FOLDER] - write the hand-made seeds of every fuzz target: corpus/NAME/*.

They are committed, with what fuzzing has added; run this again when a format changes or a new
one comes. Seeds of corpus/format may be of any format: detection goes by content.
"""
import hashlib
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "hostile")]

import broken  # noqa: E402
import checkpoints  # noqa: E402
import gguf_file  # noqa: E402
import pytorch_files  # noqa: E402

MOST_BYTES = 8192  # of a seed
NAME = broken.NAME


def read(path):
    with open(path, "rb") as file:
        return file.read()


def broken_folders():
    """(folder of a broken checkpoint) one after the other, removed again."""
    for build, _ in broken.BROKEN.values():
        folder = tempfile.mkdtemp(prefix="llmfp-seed-")
        build(folder)
        yield folder
        shutil.rmtree(folder)


def broken_files(*endings):
    """Contents of regular files of the broken checkpoints whose names end so."""
    for folder in broken_folders():
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith(endings) and os.path.isfile(path):
                yield read(path)


def json_seeds():
    yield from (b"{}", b"[]", b"0", b" [1, 2.5e+3, -0, true, false, null] ", b'""', b'"\\u00e9"',
                b'"\\ud83d\\ude00"', b'"\\ud83d"', b"18446744073709551615", b"18446744073709551616",
                b'{"a":{"b":[{"c":"d\\n\\t\\"\\\\"}]}}', b"[" * 127 + b"]" * 127, b"[" * 128,
                b"01", b"1.", b".5", b"NaN", b'{"a" 1}', b'{"a":1,}', b"[1,]", b"\xef\xbb\xbf{}",
                b'"\xc0\xaf"', b'"\x01"', b"tru", b'{"a":1}}', '{"é":"日本"}'.encode())


def safetensors(tensors, **options):
    folder = tempfile.mkdtemp(prefix="llmfp-seed-")
    checkpoints.write_file(os.path.join(folder, "a"), tensors, **options)
    data = read(os.path.join(folder, "a"))
    shutil.rmtree(folder)
    return data


def gguf_seeds():
    """Every block type, keys of every type, and some lies."""
    keys = [("general.architecture", gguf_file.STRING, "llama"),
            ("llama.block_count", gguf_file.U32, 1), ("llama.embedding_length", gguf_file.U32, 8),
            ("llama.attention.head_count", gguf_file.U32, 2),
            ("general.alignment", gguf_file.U32, 32)]
    for kind, (_, elements, size) in gguf_file.TYPES.items():
        tensor = gguf_file.Tensor(f"blk.0.ffn_{kind.lower()}.weight", kind, (2, elements),
                                  bytes(2 * size))
        yield gguf_file.build(keys, [tensor])
    one = gguf_file.Tensor("blk.0.attn_q.weight", "F32", (2, 2), bytes(16))
    two = gguf_file.Tensor("output_norm.weight", "F16", (3,), bytes(6))
    whole = gguf_file.build(keys, [one, two])
    for end in (4, 8, 24, 40, 100, len(whole) // 2, len(whole) - 1):
        yield whole[:end]
    for version in (0, 1, 2, 4):
        yield gguf_file.build(keys, [one], version=version)
    kinds = [(f"k{kind}", kind, 1.0 if kind in (gguf_file.F32, gguf_file.F64) else 1)
             for kind in gguf_file.PACK]
    yield gguf_file.build(keys + kinds, [one])
    nested = (gguf_file.ARRAY, [(gguf_file.U8, [1, 2]), (gguf_file.STRING, ["a", "b"])])
    yield gguf_file.build(keys + [("a", gguf_file.ARRAY, nested)], [one])
    yield gguf_file.build(keys, [one, one])
    yield gguf_file.build(keys, [one], n_tensors=1 << 60)
    yield gguf_file.build(keys, [one], n_pairs=1 << 60)
    yield gguf_file.build([], [])
    for change in ({"number": 99}, {"offset": 7}, {"offset": 1 << 62}, {"dimensions": (1 << 40,) * 3},
                   {"dimensions": (0, 3)}, {"dimensions": (2,) * 9}):
        yield gguf_file.build(keys, [gguf_file.Tensor("a", "F32", (2, 2), bytes(16), **change)])


def pytorch_seeds():
    tensor = checkpoints.tensor
    folder = tempfile.mkdtemp(prefix="llmfp-seed-")
    path = os.path.join(folder, "a")
    plain = pytorch_files.tensor(tensor(NAME, "F32", (2, 3), range(6)))
    turned = pytorch_files.tensor(tensor("b", "BF16", (2, 3), range(6)), order=(1, 0), before=2)
    gaps = pytorch_files.tensor(tensor("c", "F16", (2, 3), range(6)), row_gap=5)
    values = [pytorch_files.state_dict([(NAME, plain), ("model.layers.1.mlp.up_proj.weight", turned)]),
              pytorch_files.state_dict([("g", gaps), ("p", pytorch_files.parameter(plain))]),
              {"state_dict": {"x": plain}, "epoch": 3, "args": [1, 2.5, None, True, "text"]}, {}]
    for value in values:
        for save, options in ((pytorch_files.save, {}), (pytorch_files.save_streamed, {}),
                              (pytorch_files.save_legacy, {}), (pytorch_files.save, {"protocol": 4})):
            save(path, value, **options)
            data = read(path)
            yield data
            yield data[:len(data) // 2]
    shutil.rmtree(folder)
    for text in (b"\x80\x02cos\nsystem\nU\x02id\x85R.", b"\x80\x02" + b"(" * 300 + b".",
                 b"\x80\x02]q\x00h\x00a.", b"\x80\x02" + b"\x8a\x0a" + b"\xff" * 10 + b"."):
        yield text


def format_seeds():
    yield from broken_files(".safetensors")
    yield from gguf_seeds()
    yield from pytorch_seeds()
    tensor = checkpoints.tensor
    yield safetensors([])
    yield safetensors([tensor(NAME, "BF16", (2, 3), range(6)), tensor("s", "F32", (), [1]),
                       tensor("none", "F16", (0, 5), [])], metadata={"format": "pt"})
    for dtype in [*checkpoints.FLOATS, *checkpoints.INTEGER_BYTES, *checkpoints.OTHER_BITS]:
        bits = checkpoints.dtype_bits(dtype)
        yield safetensors([checkpoints.Tensor(f"model.layers.1.mlp.up_proj.{dtype}", dtype, (4, 2),
                                              data=bytes(bits))])
    yield struct.pack("<Q", 60) + b'{"a":["F32",[1],[0,4]],"__metadata__":null}'.ljust(60) + b"abcd"
    yield b"GGUF\x03\0\0\0" + struct.pack("<QQ", 1, 1) + bytes(40)
    yield b"PK\x03\x04" + bytes(60)
    yield b"\x80\x02}q\x00."
    yield b"\x89HDF\r\n\x1a\n" + bytes(30)
    yield b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def index_seeds():
    yield from broken_files(".index.json")
    yield b'{"metadata":{"total_size":16},"weight_map":{"a":"x.safetensors","b":"y.safetensors",' \
          b'"c":"x.safetensors"}}'
    yield b'{"weight_map":{"a":"x"},"weight_map":{"b":"y"}}'
    yield b'{"weight_map":{"a\\u0000":"x"}}'
    yield b'{"weight_map":{"a":"x\\u0000y"}}'
    yield b'{"weight_map":{"a":"b\\\\c"}}'
    yield b'{"weight_map":{"a":"."}}'
    yield b'{"weight_map":{"a":["x"]}}'


def folder_seeds():
    yield from (text.encode() for text in (
        "model.safetensors", "model.safetensors\nconfig.json", "a.safetensors\nb.safetensors",
        "model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors",
        "model-00001-of-00002.safetensors", "model-1-of-1.safetensors\nmodel-1-of-2.safetensors",
        "model-0-of-2.safetensors\nmodel-1-of-2.safetensors\nother.safetensors",
        "w.safetensors\nmodel.safetensors.index.json", "x\nmodel.safetensors.index.json",
        "adapter_model.safetensors", "adapter_config.json\nmodel.safetensors", ".safetensors",
        "consolidated.safetensors", "consolidated.safetensors\nmodel-1-of-1.safetensors",
        "pytorch_model.bin", "a.gguf\nb.pt", "snapshots", "model.safetensors -> blob\nblob",
        "model.safetensors -> gone", "model.safetensors -> b\nb -> model.safetensors",
        "config.json\nconfig.json -> x", "a-00001-of-00001.b-00001-of-00002.safetensors",
        "model-00001-of-99999.safetensors", "m-000000001-of-999999999.safetensors"))


def configuration_seeds():
    yield from broken_files("config.json")
    for value in ({"model_type": "llama", "num_hidden_layers": 4, "hidden_size": 64,
                   "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 96},
                  {"architectures": ["X"], "text_config": {"model_type": "qwen2", "n_head": 4}},
                  {"model_type": "openelm", "num_query_heads": [4, 8], "num_kv_heads": [1, 2]},
                  {"model_type": "deepseek_v3", "qk_nope_head_dim": 8, "qk_rope_head_dim": 4,
                   "kv_lora_rank": 16, "n_routed_experts": 8, "moe_intermediate_size": 5},
                  {"num_key_value_heads": None, "head_dim": 0}, {"num_hidden_layers": 1 << 31},
                  {"num_hidden_layers": (1 << 31) + 1}, {"model_type": "a" * 300}, [],
                  {"architectures": "X"}, {"architectures": []}, {"text_config": []}):
        yield json.dumps(value).encode()
    yield b'{"rope_theta": NaN, "x": -Infinity, "num_hidden_layers": 1e3}'
    yield b'{"num_hidden_layers": NaN}'
    source = read(os.path.join(HERE, "..", "unit", "test_configuration.c")).decode()
    for literal in re.findall(r'"(\{(?:\\.|[^"\\])*\})"', source)[:60]:
        yield literal.replace('\\"', '"').replace("\\\\", "\\").encode()


def manifest_seeds():
    yield from (b"a\n", b"label path\n", b'"my label" "a path" family=x parent=label\n',
                b"# only\n", b"", b"a\r\nb\r\n", b"\xef\xbb\xbfa\n", b"a b c\n", b"a a\na b\n",
                b'"a\\"b" c\n', b'"open\n', b"a colour=red\n", b"a family=x family=y\n", b"*\n",
                b"x /nowhere\n", b"a \xff\n", b"a\0b\n", b'"" a\n', b'a ""\n', b".\n", b"a ..\n",
                b"x\tpath\tparent=x # comment\n", b"a family=\"two words\"\n", b"a\x1b[31m b\n",
                "ü 日本\n".encode(), b"a " * 2000, b"x" * 5000)


def roles_seeds():
    config = json.dumps({"model_type": "llama", "hidden_size": 12, "num_attention_heads": 4,
                         "num_key_value_heads": 2, "intermediate_size": 10,
                         "num_hidden_layers": 9})
    for name, shape in (("model.layers.3.self_attn.q_proj.weight", "12,12"), ("lm_head", "5,12"),
                        ("model.layers.3.self_attn.qkv_proj.weight", "24,12"),
                        ("model.layers.3.mlp.experts.7.gate_proj.weight", "10,12"),
                        ("a.2147483647.b", "1"), ("a.2147483648.b", "1"), ("a.-1.b", "1"),
                        ("model.layers.0.mlp.experts.gate_up_proj", "4,12,20"), ("x", ""),
                        ("module._orig_mod.model.layers.1.norm.weight", "0")):
        yield b"\x03" + f"{name}\n{shape}\n{config}".encode()
        yield b"\x01" + f"{name}\n{shape}\n".encode()
    source = read(os.path.join(HERE, "..", "unit", "test_families.c")).decode()
    cases = re.findall(r'\{OF\("([^"]*)", "((?:\\.|[^"\\])*)"\),\s*"([^"]*)", "([\dx]*)"', source)
    for model, more, name, shape in cases[::4]:
        text = '{"model_type":"%s","hidden_size":12,"num_attention_heads":4,' \
               '"num_hidden_layers":9,"intermediate_size":10%s}' % (model, more.replace('\\"', '"'))
        yield b"\x03" + f"{name}\n{shape.replace('x', ',')}\n{text}".encode()


def role_filter_seeds():
    yield from (text.encode() for text in (
        "attn.q\nattn.q", "attn.q\nattn.*", "attn.q\n", "attn.q\n,", "attn.q\nattn.k, mlp.up",
        "mlp.up\n *.up ", "attn.q.bias\n*.bias", "other:x.*.y\nother:*", "other:x\nother:x",
        "a\n*", "a\n*a*a*a*", "attn.q\nattn.zebra", "mtp.attn.q\nmtp.*,encoder.*", "x\n\x1b"))


def options_seeds():
    yield from (text.encode() for text in (
        "m.txt", "-o\nx.h5\nm.txt", "-ox.h5\nm.txt", "--output=x.h5\nm.txt", "--roles\nattn.*\nm",
        "--dry-run\nm", "--resume\n--append\nm", "--chunk=64M\nm", "--chunk\n1T\nm", "-qv\nm",
        "--io\nmmap\nm", "--progress=none\n--summary=json\nm", "--help", "--version", "--\n-m",
        "-h", "--verify\nx.h5", "--verify=x.h5\n--with-checkpoints", "--x", "-x", "", "-", "m\nm"))


def text(value):
    return struct.pack("<I", len(value)) + value


def exact_sum(exponent, *limbs):
    return struct.pack("<iI", exponent, len(limbs)) + struct.pack(f"<{len(limbs)}q", *limbs)


def cell(role, layer, *sums):
    return text(role) + struct.pack("<iQQQdddd", layer, 4, 1, 0, 0.5, 1.5, -1, 2) + b"".join(sums)


def record(cells=(), label=b"base", flags=0, version=1):
    texts = b"".join(map(text, (label, b"/models/base", b"fam", b"", b"Llama", b"safetensors", b"",
                                b"0123456789abcdef")))
    tally = struct.pack("<i3Q", 3, 100, 200, 200) + struct.pack("<10Q", *range(10))
    return struct.pack("<I", version) + texts + struct.pack("<QI", 5, flags) + tally \
        + struct.pack("<Q", len(cells)) + b"".join(cells)


def records():
    a = cell(b"attn.q", 0, exact_sum(0, 2), exact_sum(-32, 1 << 31, 9))
    b = cell(b"attn.q", 2, exact_sum(0, -1), exact_sum(0, 9))
    c = cell(b"mlp.up", 1, exact_sum(0), exact_sum(0))
    yield from (record(), record([a]), record([a, b, c]), record([c, a]), record([a, a]),
                record([cell(b"attn.q", -1, exact_sum(0), exact_sum(0))]),
                record([cell(b"attn.q", 2147483647, exact_sum(0, 1), exact_sum(0, 1))]),
                record([cell(b"attn.q", 0, exact_sum(7, 1), exact_sum(0, 1))]),
                record([cell(b"attn.q", 0, exact_sum(2147483616, 1), exact_sum(-2147483648, 1))]),
                record([cell(b"attn.q", 0, exact_sum(0, -5, 1), exact_sum(0, 1 << 40, 1))]),
                record([cell(b"", 0, exact_sum(0), exact_sum(0))]), record(version=2),
                record(flags=3), record(label=b""), record(label=b"\xff\x1b"), record([a])[:-3],
                record([a])[:-60] + b"\xff" * 60)


def journal_seeds():
    head = b"llmfp journal 1\n" + struct.pack("<Q", 7)
    frames = b""
    for body in records():
        yield b"\x01" + body
        frame = struct.pack("<II", len(body), zlib.crc32(body)) + body
        frames += frame
        yield b"\0" + head + frame
    yield b"\0" + head
    yield b"\0" + head[:-1]
    yield b"\0" + head + frames
    yield b"\0" + head + frames[:-7]
    yield b"\0" + head + struct.pack("<II", 0xFFFFFFFF, 0) + b"x"
    yield b"\0" + head + struct.pack("<II", 0, 0)
    yield b"\0" + head + struct.pack("<II", 3, 1) + b"abc" + frames
    yield b"\0" + head[:16] + bytes(8)
    yield b"\0other journal 1\n" + bytes(8)


def kernels_seeds():
    values = {"F64": (8, (0.5, -1e-310, 1e300, float("nan"))), "F32": (4, (0.02, -3e-39, 1e30)),
              "F16": (2, (0.02, -6e-8, 60000)), "BF16": (2, (0.02, -1e-39, 3e38))}
    for number, (dtype, (_, items)) in enumerate(values.items()):
        for repeat, alignment in ((0, 0), (255, 0), (255, 3), (40, 63)):
            data = checkpoints.encode_array(dtype, items * 9 + (0.0, -0.0)).tobytes()
            yield bytes([number, alignment, repeat, 77]) + data
        yield bytes([number, 1, 255, 128]) + bytes(range(256))
    for number in range(16, 36):  # blocks of GGUF files
        yield bytes([number, 1, 40, 100]) + bytes(range(256)) * 3
    for number in range(4, 8):
        yield bytes([number, 5, 200, 10]) + bytes(range(256))
        yield bytes([number, 0, 255, 255]) + b"\x38" * 64 + b"\x7f\x80"


def packed_seeds():
    trained = struct.pack("<8e", *(0.01 + 0.003 * i for i in range(8)))
    floats = struct.pack("<16f", *(i / 8 - 1 for i in range(16)))
    for encoding in range(3):
        for shape, kinds, cut in ((0x11, 0, 100), (0x03, 16, 255), (0x2F, 21, 1), (0x01, 26, 30),
                                  (0x00, 12, 200), (0x02, 145, 77)):
            yield bytes([encoding, shape, kinds, cut, 200]) + trained * 3 + bytes(range(0, 256, 7))
            yield bytes([encoding, shape, kinds, cut, 255]) + floats * 4


SEEDS = {"json": json_seeds, "format": format_seeds, "index": index_seeds,
         "folder": folder_seeds, "configuration": configuration_seeds,
         "manifest": manifest_seeds, "roles": roles_seeds, "role_filter": role_filter_seeds,
         "options": options_seeds, "journal": journal_seeds, "kernels": kernels_seeds,
         "packed": packed_seeds}


def main():
    where = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")
    for name, seeds in SEEDS.items():
        folder = os.path.join(where, name)
        os.makedirs(folder, exist_ok=True)
        for data in seeds():
            if len(data) <= MOST_BYTES:
                path = os.path.join(folder, hashlib.sha1(data).hexdigest()[:16])
                with open(path, "wb") as file:
                    file.write(data)


if __name__ == "__main__":
    main()
