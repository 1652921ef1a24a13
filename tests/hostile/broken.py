"""Broken checkpoints, by where they are broken and how. Used by tests/scan/test_hostile.py.

BROKEN maps a name to (build, words): build(folder) makes the checkpoint in an empty folder and
may return another path to scan; the message about it must hold every word.
"""
import json
import os
import struct

import checkpoints
import registry

FILE = "model.safetensors"
NAME = "model.layers.0.self_attn.q_proj.weight"
BROKEN, broken = registry.new()


def entry(dtype="F32", shape=(2, 2), offsets=(0, 16), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def put(folder, text, data=b"", length=None):
    """model.safetensors with this header text (or object) and data."""
    if not isinstance(text, bytes):
        text = (text if isinstance(text, str) else json.dumps(text)).encode()
    checkpoints.write_raw(os.path.join(folder, FILE), text, [data], length)


def raw(folder, data, name=FILE):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def good_tensor(name=NAME):
    return checkpoints.tensor(name, "F32", (2, 2), [1.0, 2.0, 3.0, 4.0])


def header_case(name, text, *words, data=bytes(16)):
    """A header text that must be refused."""
    broken(name, FILE, *words)(lambda folder: put(folder, text, data))


def entry_case(name, value, *words, data=bytes(16), key=NAME):
    """One tensor whose entry must be refused with the tensor's name."""
    header_case(name, {key: value}, key, *words, data=data)


# --- the length and the text of the header --------------------------------------------------

broken("empty file", FILE)(lambda folder: raw(folder, b""))
broken("seven bytes", FILE)(lambda folder: raw(folder, b"\x10\0\0\0\0\0\0"))
broken("length of zero", FILE)(lambda folder: raw(folder, bytes(8)))
broken("length beyond the file", FILE, "5000")(lambda folder: put(folder, "{}", b"", 5000))
broken("length above the limit", FILE, "100000001")(
    lambda folder: put(folder, "{}", bytes(64), 100000001))
broken("length of 2^63", FILE, str(1 << 63))(lambda folder: put(folder, "{}", b"", 1 << 63))
broken("length of 2^64 - 1", FILE)(lambda folder: put(folder, "{}", b"", (1 << 64) - 1))
broken("length in the wrong byte order", FILE)(
    lambda folder: raw(folder, struct.pack(">Q", 2) + b"{}"))
broken("plain text", FILE)(lambda folder: raw(folder, b"Git LFS pointer, version 1\n" * 20))
broken("zip archive", FILE)(lambda folder: raw(folder, b"PK\x03\x04" + bytes(100)))

header_case("header cut short", json.dumps({NAME: entry()})[:-5])
header_case("header that is a list", "[]")
header_case("header that is a number", "17")
header_case("trailing comma", '{"%s":%s,}' % (NAME, json.dumps(entry())))
header_case("single quotes", "{'%s':%s}" % (NAME, json.dumps(entry())))
header_case("comment", "/* */" + json.dumps({NAME: entry()}))
header_case("byte order mark", b"\xef\xbb\xbf" + json.dumps({NAME: entry()}).encode())
header_case("two objects", json.dumps({NAME: entry()}) + "{}")
header_case("NUL padding", json.dumps({NAME: entry()}).encode() + bytes(8))
header_case("stray byte", json.dumps({NAME: entry()}).encode().replace(b"q_proj", b"q_\xff"))
header_case("overlong UTF-8", json.dumps({NAME: entry()}).encode().replace(b"q_proj", b"\xc0\xaf"))
header_case("raw control character", json.dumps({NAME: entry()}).replace("q_proj", "q\nproj"))
header_case("lone surrogate", json.dumps({NAME: entry()}).replace("q_proj", "\\ud800"))
header_case("deep nesting", '{"a":' + "[" * 200000 + "]" * 200000 + "}")
header_case("metadata that is no text", {"__metadata__": {"a": 1}, NAME: entry()}, "__metadata__")
header_case("metadata that is a list", {"__metadata__": [], NAME: entry()}, "__metadata__")

# --- entries --------------------------------------------------------------------------------

entry_case("entry that is a number", 5)
entry_case("unknown dtype", entry(dtype="F33"), "F33")
entry_case("dtype in lower case", entry(dtype="f32"), "f32")
entry_case("dtype that is a number", entry(dtype=32))
entry_case("no dtype", {"shape": [2, 2], "data_offsets": [0, 16]}, "dtype")
entry_case("no shape", {"dtype": "F32", "data_offsets": [0, 16]}, "shape")
entry_case("no offsets", {"dtype": "F32", "shape": [2, 2]}, "data_offsets")
entry_case("shape that is a number", entry() | {"shape": 4}, "shape")
entry_case("negative dimension", entry(shape=(-2, -2)), "-2")
entry_case("fractional dimension", entry(shape=(2.5, 2)), "2.5")
entry_case("dimension that is text", entry(shape=("2", 2)), "shape")
entry_case("dimension beyond 64 bits", entry(shape=(1 << 64, 1)), "shape")
entry_case("shape that overflows", entry(shape=(1 << 33, 1 << 33, 4)))
entry_case("bytes that overflow", entry(dtype="F64", shape=(1 << 62,)))
entry_case("zero after an overflow", entry(shape=(1 << 63, 1 << 63, 0), offsets=(0, 0)), data=b"")
entry_case("shape smaller than the bytes", entry(shape=(3,)), "16")
entry_case("shape larger than the bytes", entry(shape=(1000, 1000)), "16")
entry_case("three offsets", entry(offsets=(0, 16, 16)), "data_offsets")
entry_case("one offset", entry(offsets=(0,)), "data_offsets")
entry_case("negative offset", entry(offsets=(-16, 0)), "-16")
entry_case("offset beyond 64 bits", entry(offsets=(0, 1 << 64)), "data_offsets")
entry_case("end before begin", entry(offsets=(16, 0)))
entry_case("data that does not begin at 0", entry(offsets=(4, 20)), "4", data=bytes(20))
header_case("data beyond the file", {NAME: entry()}, "12", data=bytes(12))
entry_case("four-bit elements of half a byte", entry(dtype="F4", shape=(3,), offsets=(0, 1)),
           data=bytes(1))
header_case("same field twice", '{"%s":{"dtype":"F32","dtype":"F32","shape":[2,2],'
            '"data_offsets":[0,16]}}' % NAME, "dtype")

header_case("hole between tensors", {"a.weight": entry(), NAME: entry(offsets=(20, 36))}, NAME,
            data=bytes(36))
header_case("overlapping tensors", {"a.weight": entry(), NAME: entry(offsets=(12, 28))}, NAME,
            data=bytes(28))
header_case("tensors on the same bytes", {"a.weight": entry(), NAME: entry()})
header_case("bytes behind the last tensor", {NAME: entry()}, data=bytes(24))
header_case("same name twice", '{"%s":%s,"%s":%s}' % (
    NAME, json.dumps(entry()), NAME, json.dumps(entry(offsets=(16, 32)))), NAME, data=bytes(32))
header_case("same name twice after unescaping", '{"%s":%s,"%s":%s}' % (
    NAME, json.dumps(entry()), NAME.replace("model", "\\u006dodel"),
    json.dumps(entry(offsets=(16, 32)))), NAME, data=bytes(32))
header_case("control characters in a name", {"a\x1b[31m\n\x07b": entry(shape=(3,))}, "\\x1b")
header_case("a very long name", {"n" * 100000: entry(shape=(3,))}, "nnnn")


# --- files and folders ----------------------------------------------------------------------

@broken("path that does not exist", "nowhere")
def _nowhere(folder):
    return os.path.join(folder, "nowhere")


broken("folder without files")(lambda folder: None)
broken("device", "/dev/zero")(lambda folder: "/dev/zero")


@broken("folder with config.json alone")
def _config_alone(folder):
    raw(folder, b"{}", "config.json")


@broken("FIFO as weights file", FILE)
def _fifo(folder):
    os.mkfifo(os.path.join(folder, FILE))


@broken("FIFO as checkpoint", "pipe")
def _fifo_path(folder):
    os.mkfifo(os.path.join(folder, "pipe"))
    return os.path.join(folder, "pipe")


@broken("FIFO as config.json", "config.json")
def _fifo_config(folder):
    checkpoints.write_checkpoint(folder, [good_tensor()])
    os.mkfifo(os.path.join(folder, "config.json"))


@broken("FIFO as index", "model.safetensors.index.json")
def _fifo_index(folder):
    checkpoints.write_file(os.path.join(folder, checkpoints.shard_name(0, 1)), [good_tensor()])
    os.mkfifo(os.path.join(folder, "model.safetensors.index.json"))


@broken("folder as weights file", FILE)
def _folder_as_file(folder):
    os.mkdir(os.path.join(folder, FILE))


@broken("symbolic link to nothing", FILE)
def _dangling(folder):
    os.symlink("gone", os.path.join(folder, FILE))


@broken("symbolic links in a circle", FILE)
def _circle(folder):
    os.symlink("b", os.path.join(folder, FILE))
    os.symlink(FILE, os.path.join(folder, "b"))


@broken("adapter instead of a model", "adapter")
def _adapter(folder):
    checkpoints.write_file(os.path.join(folder, "adapter_model.safetensors"),
                           [good_tensor("base_model.model.x.lora_A.weight")])
    raw(folder, b'{"peft_type": "LORA"}', "adapter_config.json")


def config_case(name, text, *words):
    def build(folder):
        checkpoints.write_checkpoint(folder, [good_tensor()])
        raw(folder, text if isinstance(text, bytes) else text.encode(), "config.json")
    broken(name, "config.json", *words)(build)


config_case("config.json cut short", '{"num_hidden_layers": 1')
config_case("config.json that is a list", "[1, 2]")
config_case("config.json with bad UTF-8", b'{"architectures": ["Llama\xff"]}')
config_case("config.json with a negative size", '{"num_hidden_layers": -4}', "num_hidden_layers",
            "-4")
config_case("config.json with a fraction", '{"hidden_size": 12.5}', "hidden_size", "12.5")
config_case("config.json with a huge size", '{"hidden_size": 1e30}', "hidden_size")


# --- shards and their index -----------------------------------------------------------------

def two_shards(folder, index=True):
    groups = [[good_tensor("model.layers.0.self_attn.q_proj.weight")],
              [good_tensor("model.layers.0.self_attn.k_proj.weight")]]
    checkpoints.write_checkpoint(folder, [], groups=groups, index=index)
    return {group[0].name: checkpoints.shard_name(i, 2) for i, group in enumerate(groups)}


def index_case(name, change, *words):
    def build(folder):
        places = two_shards(folder)
        changed = change(places)
        if isinstance(changed, (str, bytes)):
            raw(folder, changed if isinstance(changed, bytes) else changed.encode(),
                "model.safetensors.index.json")
        else:
            checkpoints.write_index(folder, changed)
    broken(name, *words)(build)


INDEX = "model.safetensors.index.json"
index_case("index cut short", lambda places: json.dumps({"weight_map": places})[:-4], INDEX)
index_case("index that is a list", lambda places: "[]", INDEX)
index_case("index without a map", lambda places: '{"metadata": {}}', INDEX, "weight_map")
index_case("index with an empty map", lambda places: '{"weight_map": {}}', INDEX)
index_case("index with a number for a file", lambda places: places | {NAME: 1}, INDEX)
index_case("index with bad UTF-8", lambda places: b'{"weight_map": {"\xff": "a"}}', INDEX)
index_case("index that leaves its folder upwards",
           lambda places: places | {NAME: "../model-00001-of-00002.safetensors"}, INDEX, "../model")
index_case("index that leaves its folder by a root path",
           lambda places: places | {NAME: "/etc/passwd"}, INDEX, "/etc/passwd")
index_case("index that names a folder", lambda places: places | {NAME: ".."}, INDEX)
index_case("index with an empty file name", lambda places: places | {NAME: ""}, INDEX)
index_case("index that names a missing shard",
           lambda places: places | {NAME: "model-00007-of-00002.safetensors"},
           "model-00007-of-00002.safetensors")
index_case("index with a tensor that is in no shard",
           lambda places: places | {"ghost.weight": checkpoints.shard_name(0, 2)}, "ghost.weight",
           checkpoints.shard_name(0, 2))
index_case("index with a tensor in another shard",
           lambda places: dict(zip(places, reversed(list(places.values())))), "self_attn.")
index_case("index with a tensor twice", lambda places: json.dumps({"weight_map": places}).replace(
    "k_proj", "q_proj"), INDEX, NAME)


@broken("shard cut short", checkpoints.shard_name(1, 2))
def _short_shard(folder):
    two_shards(folder)
    path = os.path.join(folder, checkpoints.shard_name(1, 2))
    os.truncate(path, os.path.getsize(path) - 1)


@broken("missing shard without index", "00002-of-00003")
def _missing_shard(folder):
    groups = [[good_tensor(f"model.layers.{i}.self_attn.q_proj.weight")] for i in range(3)]
    checkpoints.write_checkpoint(folder, [], groups=groups, index=False)
    os.remove(os.path.join(folder, checkpoints.shard_name(1, 3)))


@broken("same tensor in two shards", NAME, checkpoints.shard_name(0, 2),
        checkpoints.shard_name(1, 2))
def _twice(folder):
    groups = [[good_tensor()], [good_tensor()]]
    checkpoints.write_checkpoint(folder, [], groups=groups, index=False)
