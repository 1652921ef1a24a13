"""Same model, any clothes: one small model under the names and in the orders of many families, in
every format, cut into files in every way and in every float type that holds it exactly, has the
same cells, to the last bit."""
import itertools
import json
import os
import sys
from collections import OrderedDict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import gguf_file as gguf  # noqa: E402
import harness  # noqa: E402
import namings  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import quantisers  # noqa: E402
import pytorch_files as torch  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from clothes import Body, encode  # noqa: E402
from quantisers import Ternary  # noqa: E402

FLOATS = ("BF16", "F16", "F32", "F64", "mixed")
SIZES = {"block_count": "layers", "embedding_length": "hidden", "feed_forward_length": "inner",
         "attention.head_count": "heads", "attention.head_count_kv": "kv_heads"}


def groups_of(tensors, n):
    """n files with tensors of all layers in each."""
    return [tensors[i::n] for i in range(n)]


# --- formats: each writes tensors into a folder ---------------------------------------------------

def safetensors(folder, tensors, n_files=1, index=True, name=None):
    if name is not None:
        checkpoints.write_file(os.path.join(folder, name), tensors)
        return
    checkpoints.write_checkpoint(folder, tensors, shards=n_files, index=index, groups=None if
                                 n_files == 1 else groups_of(tensors, n_files))


def pytorch(folder, tensors, n_files=1, index=True, legacy=False, name="pytorch_model.bin",
            nest=None, order=None):
    save = torch.save_legacy if legacy else torch.save
    places = {}
    for number, group in enumerate(groups_of(tensors, n_files)):
        shard = name if n_files == 1 else \
            f"pytorch_model-{number + 1:05d}-of-{n_files:05d}.bin"
        value = torch.state_dict([(item.name, torch.tensor(
            item, order=order if order and len(item.shape) == len(order) else None))
            for item in group])
        places.update({item.name: shard for item in group})
        save(os.path.join(folder, shard), value if nest is None else {nest: value, "epoch": 3})
    if index and n_files > 1:
        with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w",
                  encoding="utf-8") as file:
            json.dump({"metadata": {}, "weight_map": places}, file)


def write_gguf(folder, tensors, pairs, version=3, parts=1):
    groups = groups_of(tensors, parts)
    for number, group in enumerate(groups):
        own = list(pairs) if number == 0 else []
        if parts > 1:
            own += [("split.no", gguf.U16, number), ("split.count", gguf.U16, parts),
                    ("split.tensors.count", gguf.I32, len(tensors))]
        name = "model.gguf" if parts == 1 else gguf.part_name("model", number, parts)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(gguf.build(own, group, version=version))


FILES = OrderedDict([
    ("st", lambda folder, tensors: safetensors(folder, tensors)),
    ("st-index", lambda folder, tensors: safetensors(folder, tensors, 3)),
    ("st-shards", lambda folder, tensors: safetensors(folder, tensors, 2, False)),
    ("zip", lambda folder, tensors: pytorch(folder, tensors)),
    ("zip-index", lambda folder, tensors: pytorch(folder, tensors, 2)),
    ("zip-shards", lambda folder, tensors: pytorch(folder, tensors, 3, False)),
    ("zip-nest", lambda folder, tensors: pytorch(folder, tensors, name="last.ckpt",
                                                 nest="state_dict")),
    ("zip-turned", lambda folder, tensors: pytorch(folder, tensors, order=(1, 0))),
    ("legacy", lambda folder, tensors: pytorch(folder, tensors, legacy=True)),
    ("legacy-index", lambda folder, tensors: pytorch(folder, tensors, 2, legacy=True)),
    ("legacy-nest", lambda folder, tensors: pytorch(folder, tensors, legacy=True, name="model.pt",
                                                    nest="model")),
])


class Clothes(program.ScanCase):
    """Checkpoints of one manifest, and the cells that each must have."""

    def setUp(self):
        super().setUp()
        self.lines, self.wanted = [], {}

    def scan_all(self, n_layers):
        """On one rank and on three."""
        first = None
        for ranks, options in ((None, ()), (3, ("--chunk", "4K"))):
            found, done = self.scan("\n".join(self.lines) + "\n", "--overwrite",
                                    "--summary=none", *options, ranks=ranks)
            self.clean(done)
            if first is not None:
                results.equal(self, first, found)
            first = found
        for label in self.lines:
            results.compare(self, found, label, self.wanted[label])
            self.equal(found.model("n_layers", label), n_layers, label)
            self.equal(int(found.model("unmapped_bytes", label)), 0, label)
        self.equal(int(found["unscanned_bytes"].sum()), 0, "nothing is left out")


class SameModel(Clothes):
    def setUp(self):
        super().setUp()
        self.bodies = {kv: Body(kv) for kv in (1, 2, 4)}
        self.known = {}  # cells of pieces, once each
        self.float_of = itertools.cycle(FLOATS)

    def cells(self, body, elements):
        cells = {}
        for role, layer, dtype, codes in elements:
            key = (id(body), role, layer, codes.tobytes())
            if key not in self.known:
                self.known[key] = oracle.Population().add(dtype, codes)
            self.equal((role, layer) in cells, False, "a role has one piece here")
            cells[role, layer] = self.known[key]
        return cells

    def folder_for(self, label, body, naming, config=None):
        """A folder for a checkpoint; what must come out of it is noted."""
        os.makedirs(self.path(label))
        if config is not None:
            with open(self.path(label, "config.json"), "w", encoding="utf-8") as file:
                json.dump(config, file)
        arrays, elements = naming.tensors(body)
        self.wanted[label] = self.cells(body, elements)
        self.lines.append(label)
        return self.path(label), arrays

    def dressed(self, arrays, dtype):
        """Tensors of one float type, or of all in turn."""
        found = []
        for i, (name, array) in enumerate(arrays):
            own = FLOATS[i % 4] if dtype == "mixed" else dtype
            found.append(checkpoints.Tensor(name, own, array.shape, encode(own, array)))
        return found

    def put(self, label, naming, files, dtype=None, config=True):
        body = self.bodies[naming.kv_heads]
        folder, arrays = self.folder_for(label, body, naming,
                                         naming.configuration(body) if config else None)
        FILES[files](folder, self.dressed(arrays, dtype or next(self.float_of)))

    def put_gguf(self, label, naming, dtype, version, parts):
        body, architecture = self.bodies[naming.kv_heads], naming.config["architecture"]
        folder, arrays = self.folder_for(label, body, naming)
        pairs = [("general.architecture", gguf.STRING, architecture)]
        pairs += [(f"{architecture}.{key}", gguf.U32, getattr(body, name))
                  for key, name in SIZES.items()]
        write_gguf(folder, [gguf.Tensor(item.name, item.dtype, item.shape, item.data)
                            for item in self.dressed(arrays, dtype)], pairs, version, parts)

    # ---- the matrix ----

    def test_files_and_floats(self):
        """Every format and way of cutting, in every float type."""
        for files, dtype in itertools.product(FILES, FLOATS):
            self.put(f"{files}-{dtype}", namings.HUGGING_FACE, files, dtype)
            self.put(f"moe-{files}-{dtype}", namings.MIXTURES["mixtral"], files, dtype)
        for version, parts, dtype in itertools.product((2, 3), (1, 3), FLOATS):
            for name in ("llama", "moe"):
                self.put_gguf(f"gguf-{name}-{version}-{parts}-{dtype}", namings.GGUF[name], dtype,
                              version, parts)
        self.scan_all(3)

    def test_names_and_orders(self):
        """Every family in one file of safetensors, and in one way of two others."""
        others = itertools.cycle([name for name in FILES if name != "st"])
        for group in (namings.GROUPED, namings.ALIKE, namings.ONE, namings.MIXTURES):
            for name, naming in group.items():
                self.put(f"{name}-{naming.kv_heads}", naming, "st")
                for _ in range(2):
                    files = next(others)
                    self.put(f"{name}-{naming.kv_heads}-{files}", naming, files)
        for name, naming in namings.GGUF.items():
            for version, parts in ((2, 2), (3, 1)):
                self.put_gguf(f"gguf-{name}-{version}", naming, next(self.float_of), version, parts)
        self.scan_all(3)

    def test_publishers_files(self):
        """Meta's and Mistral's file names."""
        naming, body = namings.META, self.bodies[2]
        for label, write in (
                ("meta", lambda folder, tensors: pytorch(folder, tensors,
                                                         name="consolidated.00.pth")),
                ("meta-legacy", lambda folder, tensors: pytorch(folder, tensors, legacy=True,
                                                                name="consolidated.00.pth")),
                ("mistral", lambda folder, tensors: safetensors(folder, tensors,
                                                                name="consolidated.safetensors")),
                ("one-file", lambda folder, tensors: safetensors(folder, tensors,
                                                                 name="weights.safetensors"))):
            folder, arrays = self.folder_for(label, body, naming)
            write(folder, self.dressed(arrays, next(self.float_of)))
        self.scan_all(3)


    def slices(self, label, dtype, n, embed_axis, change=None):
        """Meta's files for n GPUs: matrices cut along an axis, norms in every file."""
        body = self.bodies[2]
        folder, arrays = self.folder_for(label, body, namings.META)
        with open(os.path.join(folder, "params.json"), "w", encoding="utf-8") as file:
            json.dump({"dim": body.heads * body.head_size, "n_layers": 3, "n_heads": body.heads,
                       "n_kv_heads": 2} | (change or {}), file)
        for number in range(n):
            own = []
            for name, array in arrays:
                axis = embed_axis if name.startswith("tok_emb") else \
                    1 if name.endswith(("wo.weight", "w2.weight")) else 0
                own.append((name, np.split(array, n, axis)[number] if array.ndim == 2 else array))
            pytorch(folder, self.dressed(own, dtype), name=f"consolidated.{number:02d}.pth")
        return folder

    def test_slices(self):
        """Cut for two GPUs, the model is the same: norms count once."""
        self.slices("columns", "BF16", 2, 1)
        self.slices("rows", "F32", 2, 0)
        self.scan_all(3)
        done, _ = self.scan("columns\nrows\n", "--overwrite", "--summary=none")
        body = self.bodies[2]
        whole = sum(array.size for _, array in namings.META.tensors(body)[0])
        for label in ("columns", "rows"):
            self.equal(int(done.model("parameters", label)), whole, label)

    def test_slices_that_do_not_fit(self):
        cases = {"heads": {"n_kv_heads": 4}, "odd": {"n_heads": 3}, "dim": {"dim": 12}}
        for label, change in cases.items():
            self.slices(label, "BF16", 2, 1, change)
        folder = self.slices("missing", "BF16", 2, 1)
        pytorch(folder, self.dressed([("norm.weight", np.ones(4))], "BF16"),
                name="consolidated.01.pth")
        found, _ = self.scan("\n".join(self.lines) + "\n", "--summary=none", status=3)
        for label in self.lines:
            self.equal(found.model("status", label), "failed")
            message = found.model("message", label)
            self.check("slices of a model" in message and "consolidated.0" in message, message)


class QuantisedClothes(Clothes):
    """Weights that every quantisation holds exactly: the same cells as in BF16."""
    SIZES = {"attn.q": (256, 512), "attn.k": (128, 512), "attn.v": (128, 512),
             "attn.o": (512, 256), "mlp.gate": (256, 512), "mlp.up": (256, 512),
             "mlp.down": (512, 256)}
    NAMES = {"attn.q": "self_attn.q_proj", "attn.k": "self_attn.k_proj",
             "attn.v": "self_attn.v_proj", "attn.o": "self_attn.o_proj",
             "mlp.gate": "mlp.gate_proj", "mlp.up": "mlp.up_proj", "mlp.down": "mlp.down_proj"}
    GGUF_NAMES = {"attn.q": "attn_q", "attn.k": "attn_k", "attn.v": "attn_v", "attn.o":
                  "attn_output", "mlp.gate": "ffn_gate", "mlp.up": "ffn_up", "mlp.down": "ffn_down"}

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(31)
        self.weights = {role: Ternary.random(rng, *shape) for role, shape in self.SIZES.items()}
        self.cells = oracle.populations([(role, 0, "F64", encode("F64", w.values))
                                         for role, w in self.weights.items()])

    def put(self, label, names, scheme, model_type, shards=1):
        config = shapes.llama_config(1, 512, 4, 2, 256, model_type=model_type, head_dim=64)
        if scheme.config is not None:
            config["quantization_config"] = scheme.config
        tensors = [item for name, w in names.items()
                   for item in scheme("model.layers.0." + name, w)]
        groups = groups_of(tensors, shards) if shards > 1 else None
        checkpoints.write_checkpoint(self.path(label), tensors, config, shards, groups=groups)
        self.add(label)

    def add(self, label):
        self.lines.append(label)
        self.wanted[label] = self.cells

    def fused(self):
        """phi3's names: q, k and v above one another, and gate and up."""
        w = self.weights
        return {"self_attn.qkv_proj": w["attn.q"].stacked(w["attn.k"]).stacked(w["attn.v"]),
                "self_attn.o_proj": w["attn.o"],
                "mlp.gate_up_proj": w["mlp.gate"].stacked(w["mlp.up"]),
                "mlp.down_proj": w["mlp.down"]}

    def put_gguf(self, label, kind):
        pairs = [("general.architecture", gguf.STRING, "llama")]
        pairs += [(f"llama.{key}", gguf.U32, value) for key, value in (
            ("block_count", 1), ("embedding_length", 512), ("feed_forward_length", 256),
            ("attention.head_count", 4), ("attention.head_count_kv", 2),
            ("attention.key_length", 64), ("attention.value_length", 64))]
        tensors = [gguf.Tensor(f"blk.0.{self.GGUF_NAMES[role]}.weight", kind, w.shape,
                               quantisers.gguf_blocks(kind, w))
                   for role, w in self.weights.items()]
        self.write(label, gguf.build(pairs, tensors))
        self.add(label)

    def test_every_scheme(self):
        fused = self.fused()
        names = {self.NAMES[role]: w for role, w in self.weights.items()}
        for number, (label, scheme) in enumerate(quantisers.SCHEMES.items()):
            self.put(label, names, scheme, "llama", 1 + number % 3)
            if not label.startswith("gptq-3"):  # whose words hold parts of several outputs
                self.put(label + "-fused", fused, scheme, "phi3", 1 + number % 2)
        for kind in quantisers.GGUF_KINDS:
            self.put_gguf(f"{kind}.gguf", kind)
        self.scan_all(1)


if __name__ == "__main__":
    harness.main()
