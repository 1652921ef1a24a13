"""More broken folders: index files, sets of shards, config.json, links. Importing this adds
them to broken.BROKEN."""
import json
import os

import checkpoints
from broken import (FILE, INDEX, NAME, broken, config_case, good_tensor, index_case, raw,
                    two_shards)

# --- index files ----------------------------------------------------------------------------

for name in ("../x", "./x", "sub/x.safetensors", "x/", "/", "//", "a/../b", "..\\x", "c:\\x", ".",
             "..", "~/x", "file:///x", "a\0b", "\0"):
    index_case(f"index that names {name!r}", lambda places, n=name: places | {NAME: n}, INDEX, NAME)
for name in ("gone.safetensors", "\u202egone", "a\x1b[31mb", "x" * 255, "x" * 300, "*", "config"):
    index_case(f"index that names the missing {name[:20]!r} ({len(name)})",
               lambda places, n=name: places | {NAME: n})
for kind, value in {"null": None, "true": True, "a list": ["a"], "an object": {}}.items():
    index_case(f"index with {kind} for a file", lambda places, v=value: places | {NAME: v}, INDEX)
    index_case(f"index whose map is {kind}",
               lambda places, v=value: json.dumps({"weight_map": v}), INDEX)
for where in (1, 14, 40, -2):
    index_case(f"index cut at {where}",
               lambda places, n=where: json.dumps({"weight_map": places})[:n], INDEX)
index_case("index with a map twice", lambda places: '{"weight_map":%s,"weight_map":{}}'
           % json.dumps(places), INDEX)
index_case("index with text behind it", lambda places: json.dumps({"weight_map": places}) + "x",
           INDEX)
index_case("index with a byte order mark",
           lambda places: b"\xef\xbb\xbf" + json.dumps({"weight_map": places}).encode(), INDEX)
index_case("index nested too deep", lambda places: '{"metadata":%s,"weight_map":{}}' % (
    "[" * 100000), INDEX)
index_case("index with a NUL in a tensor's name",
           lambda places: places | {"a\0b": checkpoints.shard_name(0, 2)}, INDEX)
index_case("index that is empty", lambda places: b"", INDEX)
index_case("index that is binary", lambda places: bytes(range(256)), INDEX)
index_case("index that names itself", lambda places: places | {NAME: INDEX}, INDEX)
index_case("index with control characters in a name",
           lambda places: places | {"a\x1b[2J": checkpoints.shard_name(0, 2)}, "\\x1b")


def shard_case(name, spoil, *words):
    """Two good shards with an index, of which spoil(path of the second) breaks one."""
    def build(folder):
        two_shards(folder)
        path = os.path.join(folder, checkpoints.shard_name(1, 2))
        os.remove(path)
        spoil(path)
    broken(name, checkpoints.shard_name(1, 2), *words)(build)


shard_case("shard that is gone", lambda path: None)
shard_case("shard that is empty", lambda path: raw("", b"", path))
shard_case("shard that is a folder", os.mkdir)
shard_case("shard that is a FIFO", os.mkfifo)
shard_case("shard that is a link to nothing", lambda path: os.symlink("gone", path))
shard_case("shard that links to itself", lambda path: os.symlink(os.path.basename(path), path))
shard_case("shard of zeros", lambda path: raw("", bytes(1000), path))
shard_case("shard without the tensor", lambda path: checkpoints.write_file(path, []), "k_proj")
shard_case("shard with another tensor",
           lambda path: checkpoints.write_file(path, [good_tensor("x")]), "k_proj")
shard_case("shard that is a Git LFS pointer", lambda path: raw(
    "", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", path), "LFS")
shard_case("shard that repeats the other",
           lambda path: checkpoints.write_file(path, [good_tensor()]), "q_proj")


def set_case(name, files, *words):
    """Good files of these names, without an index, that are no checkpoint together."""
    def build(folder):
        for number, file in enumerate(files):
            checkpoints.write_file(os.path.join(folder, file), [good_tensor(f"t{number}.0.x")])
    broken(name, *words)(build)


set_case("first shard missing", ["model-00002-of-00002.safetensors"], "00001-of-00002")
set_case("last shard missing", ["model-1-of-3.safetensors", "model-2-of-3.safetensors"], "of-3")
set_case("one of a million shards", ["model-00001-of-1000000.safetensors"], "of-1000000")
set_case("shards of two totals", ["model-1-of-1.safetensors", "model-1-of-2.safetensors",
                                  "model-2-of-2.safetensors"], "model-1-of-")
set_case("shard beyond its total", ["model-3-of-2.safetensors"], "of-2")
set_case("adapter among shards", ["adapter_model.safetensors"], "adapter")
set_case("hidden weights only", [".model.safetensors"])
set_case("two other sets, one with a hole", ["a-1-of-2.safetensors", "b-1-of-1.safetensors"],
         "a-")


@broken("same tensor in files of different names", NAME, "a.safetensors", "b.safetensors")
def _two_files(folder):
    for name in ("a.safetensors", "b.safetensors"):
        checkpoints.write_file(os.path.join(folder, name), [good_tensor()])


@broken("links in a circle as checkpoint", "circle")
def _circle(folder):
    os.symlink("circle", os.path.join(folder, "circle"))
    return os.path.join(folder, "circle")


@broken("path through a file", "file")
def _through(folder):
    raw(folder, b"x", "file")
    return os.path.join(folder, "file", "model")


@broken("path of a name that is too long", "nnnn")
def _long(folder):
    return os.path.join(folder, "n" * 300)


@broken("path with control characters", "\\x1b")
def _control(folder):
    return os.path.join(folder, "a\x1bm")


@broken("cache folder instead of a revision", "snapshots")
def _cache(folder):
    os.makedirs(os.path.join(folder, "snapshots", "abc"))


@broken("cache whose blob is gone", FILE)
def _blob(folder):
    os.makedirs(os.path.join(folder, "snapshots", "abc"))
    os.symlink("../../blobs/0123", os.path.join(folder, "snapshots", "abc", FILE))
    return os.path.join(folder, "snapshots", "abc")


# --- config.json ----------------------------------------------------------------------------

for kind, text in {"text": '"12"', "true": "true", "an object": "{}", "1e10": "1e10",
                   "2^31 + 1": "2147483649", "NaN": "NaN", "Infinity": "Infinity",
                   "a half": "0.5", "minus zero point one": "-0.1", "2^64": "18446744073709551616",
                   "a list of texts": '["a"]'}.items():
    config_case(f"config.json with {kind} for a size", '{"num_hidden_layers": %s}' % text,
                "num_hidden_layers")
    config_case(f"config.json with {kind} for a size further in",
                '{"text_config": {"hidden_size": %s}}' % text, "hidden_size")
for number, text in enumerate(("", "{", "null", "12", '"a"', "{'a': 1}", '{"a": 1,}', "{a: 1}",
                               '{"a": 1} {"b": 2}', "// x\n{}", '{"a": +1}', "{}" + "\0", "[" * 100000,
                               '{"a":' * 100000, '{"a": "\\ud800"}', '{"a": -Infinit}')):
    config_case(f"config.json that is no JSON object, {number}", text)
config_case("config.json in UTF-16", "{}".encode("utf-16"))
config_case("config.json of 17 MiB", b"{" + b" " * (17 << 20) + b"}")


def config_kind(name, make):
    def build(folder):
        checkpoints.write_checkpoint(folder, [good_tensor()])
        make(os.path.join(folder, "config.json"))
    broken(name, "config.json")(build)


config_kind("config.json that is a folder", os.mkdir)
config_kind("config.json that is a link to nothing", lambda path: os.symlink("gone", path))
config_kind("config.json that links to itself", lambda path: os.symlink("config.json", path))
