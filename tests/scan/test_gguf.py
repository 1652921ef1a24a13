"""GGUF: every type equals the sum of the Fractions that its formula defines, to the last bit;
files in parts; sizes from the metadata; and files that are refused by one sentence."""
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import gguf_file as gguf  # noqa: E402
import harness  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
from gguf_file import ARRAY, BOOL, DECODERS, F32, HALVES, I32, STRING, TYPES, U16, U32  # noqa: E402
from gguf_file import Tensor  # noqa: E402

ODD_HALVES = (0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01, 0x3C00)


def sizes(architecture="llama", **more):
    """Pairs of a small model; more: names with _ for . after the architecture."""
    numbers = {"block_count": 2, "embedding_length": 256, "feed_forward_length": 512,
               "attention.head_count": 4, "attention.head_count_kv": 2}
    numbers.update({key.replace("__", "."): number for key, number in more.items()})
    pairs = [("general.architecture", STRING, architecture)]
    for key, number in numbers.items():
        if isinstance(number, list):
            pairs.append((f"{architecture}.{key}", ARRAY, (I32, number)))
        elif number is not None:
            pairs.append((f"{architecture}.{key}", U32, number))
    return pairs


def set_half(block, place, bits):
    block[place:place + 2] = struct.pack("<H", bits)


def blocks(kind, rng, n, scales):
    """n random blocks: scales "typical", "any" finite ones, "hostile" ones, "simple" ones
    (powers of two and few codes, so that exact zeros occur), or "zero"."""
    size = TYPES[kind][2]
    data = rng.integers(0, 256, (n, size), dtype=np.uint8)
    if scales == "simple":
        data &= rng.choice(np.array([0x11, 0x33, 0xFF], np.uint8), (n, 1))
    for block in data:
        for place in HALVES[kind]:
            if scales == "typical":
                bits = int(rng.integers(0x1400, 0x2800)) | (0x8000 if rng.random() < 0.5 else 0)
            elif scales == "any":
                bits = int(rng.integers(0, 0x7C00)) | (0x8000 if rng.random() < 0.5 else 0)
            elif scales == "hostile":
                bits = int(rng.choice(ODD_HALVES))
            elif scales == "simple":
                bits = int(rng.choice((0x3C00, 0x4000, 0x4400, 0xBC00)))
            else:
                bits = 0x8000
            block[place:place + 2] = list(struct.pack("<H", bits))
        if kind == "MXFP4":
            block[0] = {"hostile": rng.choice((0, 1, 254, 255)), "typical": 120,
                        "zero": 0}.get(scales, block[0])
        if kind == "Q8_K" and scales != "any":
            single = {"typical": 0.01, "hostile": rng.choice((np.inf, np.nan, 3e38, 1e-45)),
                      "simple": 2.0, "zero": -0.0}[scales]
            block[0:4] = list(struct.pack("<f", single))
        if kind == "NVFP4" and scales in ("hostile", "zero"):
            block[0:4] = rng.choice((0, 0x7F, 0xFF, 0x80, 1, 0x7E), 4) if scales == "hostile" else 0
    return data.tobytes()


class Cells:
    """What a file must give: (role, layer) -> population."""

    def __init__(self):
        self.cells = {}

    def add(self, role, layer, values):
        self.cells.setdefault((role, layer), oracle.Population()).add_values(values)

    def add_floats(self, role, layer, dtype, codes):
        self.cells.setdefault((role, layer), oracle.Population()).add(dtype, codes)


class Gguf(program.ScanCase):
    def save(self, name, pairs, tensors, **keywords):
        return self.write(name, gguf.build(pairs, tensors, **keywords))

    def compare(self, manifest, wanted, *options, ranks=None):
        found, done = self.scan(manifest, "--overwrite", *options, ranks=ranks)
        self.clean(done)
        for label, cells in wanted.items():
            self.equal(found.model("status", label), "ok", label)
            results.compare(self, found, label, cells.cells)
        return found, done


class Types(Gguf):
    SCALES = ("typical", "any", "hostile", "simple", "zero")
    ROLES = (("attn_q", "attn.q", 1), ("attn_k", "attn.k", 3), ("attn_v", "attn.v", 4),
             ("ffn_up", "mlp.up", 9))

    def model(self, kind, seed):
        """A layer for each kind of scales, a role for each number of blocks."""
        rng, cells, tensors = np.random.default_rng(seed), Cells(), []
        elements = TYPES[kind][1]
        for layer, scales in enumerate(self.SCALES):
            for name, role, n in self.ROLES:
                data = blocks(kind, rng, n, scales)
                tensors.append(Tensor(f"blk.{layer}.{name}.weight", kind, (n, elements), data))
                cells.add(role, layer, gguf.decode(kind, data))
        return sizes(block_count=len(self.SCALES)), tensors, cells

    def every_type(self, ranks, *options):
        wanted, lines = {}, []
        for seed, kind in enumerate(DECODERS):
            pairs, tensors, wanted[kind] = self.model(kind, seed)
            self.save(f"{kind}.gguf", pairs, tensors, version=2 + seed % 2,
                      pad_last=seed % 3 != 0)
            lines.append(f"{kind} {kind}.gguf\n")
        found, _ = self.compare("".join(lines), wanted, *options, ranks=ranks)
        for kind in DECODERS:
            self.equal(found.model("format", kind), "GGUF")
            self.equal(found.model("architecture", kind), "llama")
            self.equal(int(found.model("n_layers", kind)), len(self.SCALES))
            self.equal(int(found.model("unmapped_bytes", kind)), 0)
            self.equal(int(found.model("parameters", kind)), TYPES[kind][1] * 17 * 5)
            self.equal(int(found.model("bytes", kind)), TYPES[kind][2] * 17 * 5)

    def test_every_type(self):
        self.every_type(None)

    def test_every_type_on_three_ranks(self):
        self.every_type(3, "--chunk", "4K")

    def test_every_instruction_set(self):
        pairs, tensors, cells = self.model("Q4_K", 99)
        self.save("m.gguf", pairs, tensors)
        for isa in ("portable", None):
            env = {} if isa is None else {"LLMFP_ISA": isa}
            found, done = self.scan("m m.gguf\n", "--overwrite", env=env)
            self.clean(done)
            results.compare(self, found, "m", cells.cells)

    def test_large(self):
        """More than one chunk, and all batches and vectors of the kernels."""
        rng = np.random.default_rng(5)
        for kind in ("Q8_0", "Q4_K", "Q6_K", "Q4_0"):
            n = 8 * 1024 // TYPES[kind][1]
            data = blocks(kind, rng, n, "typical")
            cells = Cells()
            cells.add("attn.q", 0, gguf.decode(kind, data))
            self.save("large.gguf", sizes(),
                      [Tensor("blk.0.attn_q.weight", kind, (8, 1024), data)])
            for ranks in (None, 2):
                self.compare("large large.gguf\n", {"large": cells}, "--chunk", "4K", ranks=ranks)

    def test_floats(self):
        rng, cells, tensors = np.random.default_rng(3), Cells(), []
        for layer, kind in enumerate(("F64", "F32", "F16", "BF16")):
            codes = checkpoints.encode_array(kind, rng.normal(0, 0.02, 15))
            tensors.append(Tensor(f"blk.{layer}.attn_q.weight", kind, (3, 5), codes.tobytes()))
            cells.add_floats("attn.q", layer, kind, codes)
        one = checkpoints.encode_array("F32", [1.5])
        tensors.append(Tensor("output_norm.weight", "F32", (), one.tobytes()))
        cells.add_floats("norm.final", 0, "F32", one)
        for alignment in (32, 1, 64, 4096):
            pairs = sizes(block_count=4) + [("general.alignment", U32, alignment)]
            self.save("floats.gguf", pairs, tensors, alignment=alignment)
            self.compare("floats floats.gguf\n", {"floats": cells})

    def test_what_is_not_summed(self):
        """Lattice types and integers are left out alone, with a reason."""
        rng, cells, tensors = np.random.default_rng(8), Cells(), []
        lattice = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")
        for layer, kind in enumerate(lattice):
            tensors.append(Tensor(f"blk.{layer}.ffn_up.weight", kind, (1, 256),
                                  bytes(TYPES[kind][2])))
        data = blocks("Q4_K", rng, 2, "typical")
        tensors.append(Tensor("blk.0.attn_q.weight", "Q4_K", (2, 256), data))
        cells.add("attn.q", 0, gguf.decode("Q4_K", data))
        for i, kind in enumerate(("I8", "I16", "I32", "I64")):
            tensors.append(Tensor(f"blk.{i}.ids", kind, (3,), bytes(3 * TYPES[kind][2])))
        self.save("lattice.gguf", sizes(), tensors)
        found, _ = self.compare("lattice lattice.gguf\n", {"lattice": cells})
        reasons = dict(zip(found["unscanned_reason"],
                           found.model("unscanned_tensors", "lattice").tolist()))
        self.equal(reasons["no kernel for encoding"], len(lattice))
        self.equal(reasons["integer or boolean"], 4)
        _, done = self.scan("lattice lattice.gguf\n", "--dry-run")
        for word in (*lattice, "Q4_K", "blk.0.attn_q.weight"):
            self.check(word in done.out, f"{word} in\n{done.tell()}")


class Sizes(Gguf):
    """Fused and stacked tensors split by what the metadata say."""

    def f32(self, name, role_parts, layer, cells, rng, columns, stack=None):
        """A tensor of rows; role_parts: (role, rows)."""
        rows = sum(n for _, n in role_parts)
        shape = (rows, columns) if stack is None else (stack, rows, columns)
        codes = checkpoints.encode_array("F32", rng.normal(0, 1, int(np.prod(shape))))
        block = codes.reshape(-1, rows, columns)
        at = 0
        for role, n in role_parts:
            if role is not None:
                cells.add_floats(role, layer, "F32", block[:, at:at + n].reshape(-1))
            at += n
        return Tensor(name, "F32", shape, codes.tobytes())

    def check_model(self, pairs, tensors, cells, n_layers, architecture):
        self.save("m.gguf", pairs, tensors)
        found, _ = self.compare("m m.gguf\n", {"m": cells}, ranks=2)
        self.equal(int(found.model("n_layers", "m")), n_layers)
        self.equal(found.model("architecture", "m"), architecture)

    def test_fused(self):
        for architecture, more in (("falcon", {}), ("phi2", {}), ("gpt2", {}), ("chatglm", {}),
                                   ("qwen", {"attention__key_length": 8})):
            rng, cells, tensors = np.random.default_rng(1), Cells(), []
            for layer in range(2):
                parts = [("attn.q", 32), ("attn.k", 16), ("attn.v", 16)]
                tensors.append(self.f32(f"blk.{layer}.attn_qkv.weight", parts, layer, cells, rng, 32))
                tensors.append(self.f32(f"blk.{layer}.attn_qkv.bias",
                                        [(f"{role}.bias", n) for role, n in parts], layer, cells,
                                        rng, 1))
                tensors[-1].shape = (64,)
            self.check_model(sizes(architecture, embedding_length=32, **more), tensors, cells, 2,
                             architecture)

    def test_without_kv_heads(self):
        """As many as query heads, whatever a class of that name supplies elsewhere."""
        for architecture in ("gpt2", "mistral", "gemma2", "falcon"):
            rng, cells = np.random.default_rng(1), Cells()
            parts = [("attn.q", 32), ("attn.k", 32), ("attn.v", 32)]
            tensors = [self.f32("blk.0.attn_qkv.weight", parts, 0, cells, rng, 32)]
            self.check_model(sizes(architecture, block_count=1, embedding_length=32,
                                   attention__head_count_kv=None), tensors, cells, 1, architecture)

    def test_heads_by_layer(self):
        rng, cells, tensors = np.random.default_rng(2), Cells(), []
        heads, kv_heads = [4, 6, 8], [2, 3, 1]
        for layer in range(3):
            parts = [("attn.q", 8 * heads[layer]), ("attn.k", 8 * kv_heads[layer]),
                     ("attn.v", 8 * kv_heads[layer])]
            tensors.append(self.f32(f"blk.{layer}.attn_qkv.weight", parts, layer, cells, rng, 32))
        self.check_model(sizes("openelm", block_count=3, embedding_length=32,
                               attention__head_count=heads, attention__head_count_kv=kv_heads,
                               feed_forward_length=[32, 64, 96], attention__key_length=8),
                         tensors, cells, 3, "openelm")

    def test_experts(self):
        rng, cells, tensors = np.random.default_rng(3), Cells(), []
        for layer in range(2):
            for name, role, rows in (("ffn_gate_exps", "mlp.gate", 24), ("ffn_up_exps", "mlp.up", 24),
                                     ("ffn_down_exps", "mlp.down", 32)):
                tensors.append(self.f32(f"blk.{layer}.{name}.weight", [(role, rows)], layer, cells,
                                        rng, 56 - rows, stack=3))
            tensors.append(self.f32(f"blk.{layer}.ffn_gate_up_exps.weight",
                                    [("mlp.gate", 24), ("mlp.up", 24)], layer, cells, rng, 32,
                                    stack=3))
            tensors.append(self.f32(f"blk.{layer}.ffn_gate_inp.weight", [("moe.router", 3)], layer,
                                    cells, rng, 32))
            tensors.append(self.f32(f"blk.{layer}.exp_probs_b.bias", [("moe.router.bias", 3)],
                                    layer, cells, rng, 1))
            tensors[-1].shape = (3,)
        self.check_model(sizes("qwen3moe", embedding_length=32, expert_count=3,
                               expert_feed_forward_length=24), tensors, cells, 2, "qwen3moe")

    def test_gate_and_up(self):
        for architecture in ("phi3", "glm4"):
            rng, cells = np.random.default_rng(4), Cells()
            tensors = [self.f32("blk.0.ffn_up.weight", [("mlp.gate", 48), ("mlp.up", 48)], 0, cells,
                                rng, 32)]
            self.check_model(sizes(architecture, block_count=1, embedding_length=32,
                                   feed_forward_length=48), tensors, cells, 1, architecture)

    def test_further_predictions(self):
        """The last blocks, which predict further tokens, are no layers."""
        rng, cells, tensors = np.random.default_rng(5), Cells(), []
        for layer in range(3):
            cell = ("attn.q", layer) if layer < 2 else ("mtp.attn.q", 0)
            tensors.append(self.f32(f"blk.{layer}.attn_q.weight", [(cell[0], 32)], cell[1], cells,
                                    rng, 32))
        self.check_model(sizes("glm4moe", block_count=3, nextn_predict_layers=1,
                               embedding_length=32), tensors, cells, 2, "glm4moe")

    def test_architecture_after_its_sizes(self):
        rng, cells = np.random.default_rng(6), Cells()
        parts = [("attn.q", 32), ("attn.k", 16), ("attn.v", 16)]
        tensors = [self.f32("blk.0.attn_qkv.weight", parts, 0, cells, rng, 32)]
        pairs = sizes("phi2", block_count=1, embedding_length=32)
        pairs = pairs[1:] + [("tokenizer.ggml.tokens", ARRAY, (STRING, ["a" * 9] * 20000)),
                             ("tokenizer.ggml.scores", ARRAY, (F32, [0.5] * 20000)),
                             ("odd", BOOL, 2)] + pairs[:1]
        self.check_model(pairs, tensors, cells, 1, "phi2")

    def test_blocks_in_parts(self):
        """A fused tensor whose parts are whole blocks."""
        rng, cells = np.random.default_rng(7), Cells()
        data = [blocks("Q4_K", rng, n, "typical") for n in (256, 128, 128)]
        for role, part in zip(("attn.q", "attn.k", "attn.v"), data):
            cells.add(role, 0, gguf.decode("Q4_K", part))
        self.check_model(sizes("phi2", block_count=1), [Tensor("blk.0.attn_qkv.weight", "Q4_K",
                                                               (512, 256), b"".join(data))],
                         cells, 1, "phi2")


class Parts(Gguf):
    def parts(self, folder, n, stem="model"):
        """A model in n parts; its cells."""
        rng, cells = np.random.default_rng(11), Cells()
        os.makedirs(self.path(folder), exist_ok=True)
        for number in range(n):
            data = blocks("Q8_0", rng, 8, "typical")
            cells.add("attn.q", number, gguf.decode("Q8_0", data))
            pairs = sizes(block_count=n) if number == 0 else []
            self.save_part(folder, number, n, [Tensor(f"blk.{number}.attn_q.weight", "Q8_0", (8, 32),
                                                      data)], pairs, stem)
        return cells

    def save_part(self, folder, number, n, tensors, pairs, stem="model", total=None, **changed):
        keys = {"split.no": number, "split.count": n, "split.tensors.count": total or n}
        keys.update({key.replace("__", "."): value for key, value in changed.items()})
        pairs = pairs + [(key, I32 if "tensors" in key else U16, value)
                         for key, value in keys.items()]
        self.save(os.path.join(folder, gguf.part_name(stem, number, n)), pairs, tensors)

    def test_parts(self):
        cells = self.parts("m", 3)
        first = gguf.part_name("m/model", 0, 3)
        for manifest in ("m m\n", f"m {first}\n"):
            for ranks in (None, 3):
                self.compare(manifest, {"m": cells}, ranks=ranks)

    def test_first_part_without_tensors(self):
        cells = self.parts("m", 3)
        self.save_part("m", 0, 3, [], sizes(block_count=3), total=2)
        del cells.cells[("attn.q", 0)]
        self.compare("m m\n", {"m": cells})

    def test_one_part(self):
        self.compare("m m\n", {"m": self.parts("m", 1)})

    def refused(self, name, *words):
        found, done = self.scan(f"bad {name}\n", "--overwrite", status=3)
        message = found.model("message", "bad")
        for word in words:
            self.check(word in message, f"{word!r} is not in {message!r}")
        self.equal(len(done.errors()), 1, done.tell())

    def test_refusals(self):
        self.parts("m", 3)
        self.refused(gguf.part_name("m/model", 1, 3), "part 2 of 3", "model-00001-of-00003.gguf")
        os.remove(self.path(gguf.part_name("m/model", 1, 3)))
        self.refused("m", "00002-of-00003")
        self.refused(gguf.part_name("m/model", 0, 3), "there is no file", "00002-of-00003")
        self.parts("m", 3)
        spare = [Tensor("spare.weight", "Q8_0", (1, 32), bytes(34))]
        self.save_part("m", 1, 3, spare, [], split__no=2)
        self.refused("m", "part 2 by its name", "part 3 by its metadata", "split.no")
        self.save_part("m", 1, 3, spare, [], split__count=4)
        self.refused("m", "split.count", "one of 4", "there are 3")
        self.save_part("m", 1, 3, [], [])
        self.refused("m", "split.tensors.count", "hold 3", "hold 2")
        data = bytes(34)
        self.save_part("m", 1, 3, [Tensor("blk.0.attn_q.weight", "Q8_0", (1, 32), data)], [])
        self.refused("m", "blk.0.attn_q.weight", "occurs both in")

    def test_renamed(self):
        """The metadata say that it is a part, the name does not."""
        self.parts("m", 3)
        os.rename(self.path(gguf.part_name("m/model", 0, 3)), self.path("alone.gguf"))
        self.refused("alone.gguf", "split.count", "one of 3", "there are 1")
        self.save(gguf.part_name("plain", 0, 2), sizes(), [])
        self.save(gguf.part_name("plain", 1, 2), sizes(), [])
        self.refused(gguf.part_name("plain", 0, 2), "one of 0 parts", "there are 2")

    def test_folders(self):
        self.parts("m", 2)
        self.parts("m", 2, "other")
        self.refused("m", "several GGUF files", "give one of them")
        os.mkdir(self.path("two"))
        for name in ("a.gguf", "b.gguf"):
            self.save(os.path.join("two", name), sizes(), [])
        self.refused("two", "several GGUF files", "a.gguf", "b.gguf")
        os.remove(self.path("two", "a.gguf"))
        self.write("two/config.json", "this is not looked at")
        self.write("two/.hidden.gguf", "nor this")
        self.compare("two two\n", {"two": Cells()})


def one(name="t", kind="F32", shape=(4,), **more):
    size = TYPES[kind][2] * (int(np.prod(shape)) // TYPES[kind][1])
    return Tensor(name, kind, shape, bytes(size), **more)


def raw(key, kind, data):
    return gguf.string(key) + struct.pack("<I", kind) + data


def malformed():
    """name -> (bytes, words of the message)."""
    good = gguf.build(sizes(), [one()])
    long = struct.pack("<Q", 1 << 40)
    cases = {
        "empty": (b"", ["GGUF"]),
        "magic alone": (b"GGUF", ["cut short"]),
        "wrong magic": (b"GGML" + good[4:], ["not a GGUF file"]),
        "version 0": (gguf.build([], [], version=0), ["version 0"]),
        "version 1": (gguf.build([], [], version=1), ["version 1", "convert"]),
        "version 4": (gguf.build([], [], version=4), ["version 4"]),
        "big-endian": (gguf.build([], [], version=0x03000000), ["big-endian"]),
        "head cut": (good[:20], ["cut short"]),
        "pairs cut": (good[:60], ["cut short"]),
        "tensors cut": (good[:len(good) - 50], ["cut short"]),
        "data cut": (good[:-20], ["cut short", '"t"']),
        "too many tensors": (gguf.build([], [], n_tensors=1 << 62), ["tensors", str(1 << 62)]),
        "more tensors than there are": (gguf.build([], [one()], n_tensors=400000), ['tensor ""', "begins at"]),
        "too many keys": (gguf.build([], [], n_pairs=1 << 63), ["keys", str(1 << 63)]),
        "more keys than there are": (gguf.build(sizes(), [], n_pairs=60000), ["the key", "empty"]),
        "empty key": (gguf.build([("", U32, 1)], []), ["key", "empty"]),
        "key twice": (gguf.build([("a", U32, 1), ("b", U32, 1), ("a", U32, 1)], []),
                      ['"a"', "twice"]),
        "long key": (gguf.build([("k" * 65536, U32, 1)], []), ["a key", "65536"]),
        "endless key": (gguf.build([long + b"k"], []), ["a key", str(1 << 40)]),
        "key to the end": (gguf.build([struct.pack("<Q", 1000) + b"k"], []), ["cut short"]),
        "unknown type": (gguf.build([raw("k", 13, bytes(8))], []), ['"k"', "unknown type 13"]),
        "endless string": (gguf.build([raw("k", STRING, long)], []), ['"k"', "2^30"]),
        "string to the end": (gguf.build([raw("k", STRING, struct.pack("<Q", 1 << 30))], []),
                              ["cut short"]),
        "array of arrays": (gguf.build([("k", ARRAY, (ARRAY, [(U32, [1])]))], []),
                            ['"k"', "array of arrays"]),
        "array of unknown type": (gguf.build([raw("k", ARRAY, struct.pack("<IQ", 99, 0))], []),
                                  ['"k"', "unknown type 99"]),
        "endless array": (gguf.build([raw("k", ARRAY, struct.pack("<IQ", 6, 1 << 61))], []),
                          ['"k"', "2^30"]),
        "array to the end": (gguf.build([raw("k", ARRAY, struct.pack("<IQ", 6, 1 << 30))], []),
                             ["cut short"]),
        "strings to the end": (gguf.build([raw("k", ARRAY, struct.pack("<IQ", STRING, 9999))], []),
                               ["cut short"]),
        "too many strings": (gguf.build([raw("k", ARRAY, struct.pack("<IQ", STRING, 1 << 30))], []),
                             ['"k"', "strings"]),
        "alignment 0": (gguf.build([("general.alignment", U32, 0)], []), ["general.alignment", "0"]),
        "alignment 48": (gguf.build([("general.alignment", U32, 48)], []),
                         ["general.alignment", "48"]),
        "alignment of another type": (gguf.build([("general.alignment", U16, 32)], []),
                                      ["general.alignment", "u16"]),
        "architecture a number": (gguf.build([("general.architecture", U32, 1)], []),
                                  ["general.architecture", "string"]),
        "architecture not text": (gguf.build([("general.architecture", STRING, b"\xff")], []),
                                  ["general.architecture"]),
        "head count a float": (gguf.build([("general.architecture", STRING, "x"),
                                           ("x.attention.head_count", F32, 4.0)], []),
                               ["x.attention.head_count", "f32"]),
        "head count negative": (gguf.build([("general.architecture", STRING, "x"),
                                            ("x.attention.head_count", I32, -4)], []),
                                ["x.attention.head_count", "negative"]),
        "head counts of strings": (gguf.build([("general.architecture", STRING, "x"),
                                               ("x.attention.head_count", ARRAY,
                                                (STRING, ["4"]))], []),
                                   ["x.attention.head_count", "string"]),
        "tensor twice": (gguf.build([], [one(), one()]), ['"t"', "twice"]),
        "long name": (gguf.build([], [one("n" * 64)]), ["name", "64"]),
        "name not text": (gguf.build([], [one(b"\xff\xfe")]), ["\\xff\\xfe"]),
        "name with NUL": (gguf.build([], [one("a\0b")]), ["a\\x00b"]),
        "five dimensions": (gguf.build([], [one(shape=(1, 1, 1, 2, 2))]), ["5 dimensions"]),
        "negative dimension": (gguf.build([], [one(dimensions=(1 << 63,))]), [str(1 << 63)]),
        "sizes that overflow": (gguf.build([], [one(dimensions=(1 << 40, 1 << 40))]),
                                ['"t"', "overflows"]),
        "bytes that overflow": (gguf.build([], [one(dimensions=(1 << 62,))]), ['"t"', "overflows"]),
        "beyond the file": (gguf.build([], [one(dimensions=(1 << 40,))]), ['"t"', "cut short"]),
        "removed type": (gguf.build([], [one(number=4)]), ['"t"', "type 4"]),
        "removed type 31": (gguf.build([], [one(number=31)]), ["type 31"]),
        "fork's type": (gguf.build([], [one(number=36)]), ["type 36"]),
        "unknown tensor type": (gguf.build([], [one(number=43)]), ["type 43"]),
        "huge tensor type": (gguf.build([], [one(number=0xFFFFFFFF)]), ["type 4294967295"]),
        "part of a block": (gguf.build([], [one(kind="Q4_K", dimensions=(128, 2),
                                                shape=(1, 256))]), ["128", "256", "Q4_K"]),
        "scalar block": (gguf.build([], [one(kind="Q8_0", dimensions=(), shape=(1, 32))]),
                         ["whole blocks"]),
        "hole": (gguf.build([], [one("a"), one("b", offset=64)]), ['"b"', "64", "32"]),
        "overlap": (gguf.build([], [one("a"), one("b", offset=0)]), ['"b"', "32"]),
        "not aligned": (gguf.build([], [one("a"), one("b", offset=16)]), ['"b"', "16"]),
        "first not at 0": (gguf.build([], [one("a", offset=32)]), ['"a"', "32"]),
    }
    return cases


class Malformed(Gguf):
    def test_each_is_refused(self):
        cases, lines = malformed(), []
        self.check(len(cases) >= 50, f"{len(cases)} files")
        for number, (name, (data, _)) in enumerate(cases.items()):
            self.write(f"{number}.gguf", data)
            lines.append(f"case-{number}-x {number}.gguf\n")
        self.save("good.gguf", sizes(), [one("blk.0.attn_q.weight")])
        lines.append("good good.gguf\n")
        for ranks in (None, 3):
            found, done = self.scan("".join(lines), "--overwrite", ranks=ranks, status=3)
            self.equal(found.model("status", "good"), "ok")
            errors = done.errors()
            self.equal(len(errors), len(cases), done.tell())
            for number, (name, (_, words)) in enumerate(cases.items()):
                label = f"case-{number}-x"
                message = found.model("message", label)
                self.equal(found.model("status", label), "failed", name)
                self.equal(sum(label in line for line in errors), 1, name)
                self.check(message.isprintable(), f"{name}: {message!r}")
                for word in [f"{number}.gguf", *words]:
                    self.check(word in message, f"{name}: {word!r} is not in {message!r}")

    def test_every_cut(self):
        """Wherever a file is cut, it is refused, and in no time."""
        data = gguf.build(sizes() + [("k", ARRAY, (STRING, ["a", "bc"]))],
                          [one(), one("u", "Q8_0", (2, 32))], pad_last=False)
        cuts, lines = range(0, len(data), 7), []
        for n in cuts:
            self.write(f"{n}.gguf", data[:n])
            lines.append(f"case-{n}-x {n}.gguf\n")
        self.write("whole.gguf", data)
        lines.append("whole whole.gguf\n")
        found, _ = self.scan("".join(lines), status=3)
        self.equal(found.model("status", "whole"), "ok")
        for n in cuts:
            self.equal(found.model("status", f"case-{n}-x"), "failed", f"cut at {n}")

    def test_memory_and_time(self):
        """Sparse files of gigabytes whose headers promise much: nothing of it is loaded."""
        head = b"GGUF" + struct.pack("<IQQ", 3, 0, 2)
        bombs = {
            "numbers": head + gguf.pair("a", U32, 1) + raw("k", ARRAY, struct.pack("<IQ", 10, 1 << 30)),
            "strings": head + gguf.pair("a", U32, 1)
            + raw("k", ARRAY, struct.pack("<IQ", STRING, (1 << 24) - 1)),
            "string": head + gguf.pair("a", U32, 1) + raw("k", STRING, struct.pack("<Q", 1 << 30)),
            "tensors": b"GGUF" + struct.pack("<IQQ", 3, 1 << 19, 0),
            "keys": b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 16),
        }
        for name, data in bombs.items():
            path = self.write(f"{name}.gguf", data)
            os.truncate(path, 16 << 30)
            begin = time.monotonic()
            line = ["prlimit", f"--as={600 << 20}"] + program.command(
                ["--progress=none", "--overwrite", "-o", self.path("out.h5"), path])
            done = self.limited(line, f"bomb {path}\n")
            self.check(done in (0, 3), f"{name}: exit status {done}")
            self.check(time.monotonic() - begin < 20, f"{name} takes too long")

    def limited(self, line, manifest):
        line[-1] = self.write("bomb.txt", manifest)
        return subprocess.run(line, cwd=self.folder, env=program.environment(), timeout=120,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode


if __name__ == "__main__":
    harness.main()
