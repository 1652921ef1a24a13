"""llmfp-inspect: what it says of a checkpoint, as text and as JSON, is what was put there; broken
checkpoints get one sentence and exit status 3; no MPI is in it."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))

import numpy as np  # noqa: E402

import broken  # noqa: E402
import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import shapes  # noqa: E402

INSPECT = os.environ.get("LLMFP_INSPECT") or os.path.join(
    os.path.dirname(program.scanner()), "..", "inspect", "llmfp-inspect")
HANG = 60


class Done:
    def __init__(self, args, cwd, stdout=subprocess.PIPE):
        done = subprocess.run([INSPECT, *args], cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=HANG, check=False,
                              env=program.environment())
        self.status = done.returncode
        self.out = (done.stdout or b"").decode()  # valid UTF-8, or this raises
        self.err = done.stderr.decode()

    def tell(self):
        return f"exit status {self.status}\n{self.out[-2000:]}\n{self.err[-2000:]}"


def layer_ranges(layers):
    found = []
    for layer in sorted(layers):
        if found and found[-1][1] + 1 == layer:
            found[-1][1] = layer
        else:
            found.append([layer, layer])
    return found


def wanted_roles(model):
    """{role: (ranges of layers, parameters, bytes)} from the roles that shapes states."""
    roles = {}
    for role, layer, dtype, codes in model.elements:
        layers, parameters, size = roles.get(role, (set(), 0, 0))
        n = int(np.size(codes))
        roles[role] = (layers | {layer}, parameters + n,
                       size + n * checkpoints.dtype_bits(dtype) // 8)
    return {role: (layer_ranges(layers), parameters, size)
            for role, (layers, parameters, size) in roles.items()}


def no_twice(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key twice in {keys}")
    return dict(pairs)


class Inspect(harness.Case):
    def run_inspect(self, *args, status=0, **keywords):
        done = Done(args, self.folder, **keywords)
        self.equal(done.status, status, f"exit status of {args}\n{done.tell()}\n")
        if status == 0:
            self.equal(done.err, "", "standard error")
        return done

    def read(self, *args):
        """The JSON object; no constant that JSON lacks, no key twice."""
        done = self.run_inspect("--json", *args)
        self.equal(done.out.count("\n"), 1, "one line")
        return json.loads(done.out, object_pairs_hook=no_twice, parse_constant=self.fail)

    def refused(self, args, *words, status=2):
        done = Done(args, self.folder)
        self.equal(done.status, status, f"exit status\n{done.tell()}\n")
        self.one_sentence(done, *words)

    def one_sentence(self, done, *words):
        lines = done.err.splitlines()
        self.equal(len(lines), 1, f"error lines\n{done.tell()}\n")
        self.check(lines[0].startswith("llmfp-inspect: error: "), lines[0])
        self.check(len(lines[0].encode()) <= 1500, f"a line of {len(lines[0])} characters")
        self.check(all(char.isprintable() for char in lines[0]), f"not printable: {lines[0]!r}")
        self.equal(done.out, "", "standard output")
        for word in words:
            self.check(word in lines[0], f"{word!r} is not in the message\n{done.tell()}")

    def compare(self, model, found):
        self.equal({role["role"]: (role["layers"], role["parameters"], role["bytes"])
                    for role in found["roles"]}, wanted_roles(model), "roles")
        self.equal([role["n_layers"] for role in found["roles"]],
                   [sum(last - first + 1 for first, last in role["layers"])
                    for role in found["roles"]], "numbers of layers")
        self.equal(found["parameters"], model.n_elements)
        self.equal(found["bytes"], model.n_bytes)
        self.equal(found["n_tensors"], len(model.tensors))
        dtypes = {tensor.dtype for tensor in model.tensors}
        self.equal({item["encoding"]: (item["tensors"], item["elements"], item["bytes"])
                    for item in found["encodings"]},
                   {dtype: (sum(t.dtype == dtype for t in model.tensors),
                            sum(t.n_elements for t in model.tensors if t.dtype == dtype),
                            sum(len(t.data) for t in model.tensors if t.dtype == dtype))
                    for dtype in dtypes}, "encodings")
        self.equal(found["architecture"], model.config["architectures"][0])
        self.equal(found["model_type"], model.config["model_type"])
        self.equal(found["format"], "safetensors")

    def test_families(self):
        cases = {"llama": shapes.llama(1, 4), "mixtral": shapes.mixtral(2, 3),
                 "phi3": shapes.phi3_pair(3, 3)[0], "gpt2": shapes.gpt2_pair(4, 3)[0],
                 "neox": shapes.neox_pair(5, 3)[0]}
        for name, model in cases.items():
            with self.subTest(name):
                model.write(self.path(name), shards=2)
                found = self.read(name)
                self.compare(model, found)
                self.equal(found["path"], name)
                files = sorted(f for f in os.listdir(self.path(name)) if f.endswith(".safetensors"))
                self.equal([(os.path.basename(file["path"]), file["bytes"])
                            for file in found["files"]],
                           [(f, os.path.getsize(self.path(name, f))) for f in files], "files")
                self.equal(found["not_scanned"], [])
                self.equal(found["notes"], [])
                self.equal("tensors" in found, False)

    def odd(self):
        model = shapes.llama(7, 2)
        model.add_raw("model.layers.0.mask", "BOOL", (3,), b"\1\0\1")
        model.add_raw("step", "I64", (), bytes(8))
        model.add("who.knows", "F32", (2,), np.zeros(2, np.uint32))
        model.add_raw("model.layers.1.codes", "F4", (4,), bytes(2))
        return model

    NOT_SCANNED = {"model.layers.0.mask": ("BOOL", 3, 3), "step": ("I64", 1, 8),
                   "who.knows": ("F32", 2, 8), "model.layers.1.codes": ("F4", 4, 2)}

    def test_what_is_not_scanned(self):
        model = self.odd()
        model.write(self.path("odd"))
        found = self.read("odd")
        self.compare(model, found)
        self.equal({item["tensor"]: (item["encoding"], item["elements"], item["bytes"])
                    for item in found["not_scanned"]}, self.NOT_SCANNED)
        reasons = {item["tensor"]: item["reason"] for item in found["not_scanned"]}
        self.equal(len(set(reasons.values())), 3, "reasons")
        self.equal(reasons["step"], reasons["model.layers.0.mask"])
        self.equal(found["bytes_to_read"], model.n_bytes - 21)
        text = self.run_inspect("odd").out
        for name in self.NOT_SCANNED:
            self.check(name in text, f"{name} is not in\n{text}")

    def test_tensors(self):
        """--tensors says the same as the JSON, and as --dry-run of the scan."""
        model = self.odd()
        model.write(self.path("odd"))
        listed = {item["tensor"]: item for item in self.read("--tensors", "odd")["tensors"]}
        self.equal(set(listed), {tensor.name for tensor in model.tensors}, "tensors")
        for tensor in model.tensors:
            item = listed[tensor.name]
            self.equal((item["shape"], item["encoding"], item["bytes"], item["elements"]),
                       (list(tensor.shape), tensor.dtype, len(tensor.data), tensor.n_elements))
            mapped = tensor.name not in self.NOT_SCANNED
            self.equal(item["reason"] is None, mapped, tensor.name)
            self.equal(sum(part["parameters"] for part in item["parts"]),
                       tensor.n_elements if mapped else 0, tensor.name)
        self.write("manifest.txt", "odd odd\n")
        dry = program.run(["--dry-run", "manifest.txt"], None, self.folder)
        wanted = [line.split() for line in dry.out.splitlines() if "rule " in line]
        found = [line.split() for line in self.run_inspect("--tensors", "odd").out.splitlines()
                 if "(rule " in line]
        self.check(len(wanted) > 15, dry.tell())
        self.equal(found, wanted, "the lines of a dry run")

    def test_fused_and_scales_are_noted(self):
        model = shapes.Model()
        codes = shapes.Weights(1).matrix(24, 8)
        model.add("model.layers.0.self_attn.qkv_proj.weight", "BF16", (24, 8), codes)
        model.add("model.layers.0.mlp.odd.weight_scale", "BF16", (1,), codes.ravel()[:1])
        model.write(self.path("fused"))
        found = self.read("fused")
        self.equal(found["configuration"], False)
        self.equal(found["architecture"], "")
        self.equal(len(found["notes"]), 3, f"notes {found['notes']}")
        for note, word in zip(found["notes"], ("config.json", "qkv_proj", "scales")):
            self.check(word in note, note)
        text = self.run_inspect("fused").out
        self.equal(text.count("\nnote: "), 3, text)

    def test_scaled_weights(self):
        model = shapes.Model(shapes.llama_config(1))
        name = "model.layers.0.self_attn.q_proj.weight"
        model.add(name, "F8_E4M3", (16, 16), np.arange(256) % 120)
        model.add(name + "_scale", "F32", (16, 1), np.full(16, 0x3f800000))
        model.write(self.path("scaled"))
        found = self.read("scaled")
        self.equal(found["bytes"], model.n_bytes)
        self.equal([(item["bytes"], item["scale_bytes"]) for item in found["encodings"]],
                   [(256 + 64, 64)])
        self.equal([(role["role"], role["parameters"], role["bytes"]) for role in found["roles"]],
                   [("attn.q", 256, 256)])

    def test_gaps_in_layers(self):
        model = shapes.Model(shapes.llama_config(9))
        for layer in (0, 1, 2, 5, 7, 8):
            model.add(f"model.layers.{layer}.input_layernorm.weight", "F32", (1,), [0], "norm.attn",
                      layer)
        model.write(self.path("gaps"))
        self.compare(model, self.read("gaps"))
        self.check("6: 0-2, 5, 7-8\n" in self.run_inspect("gaps").out, "ranges as text")

    def test_exact_integers(self):
        """Numbers beyond 2^53: a sparse file cannot be so large, an empty dimension can."""
        shapes_of = {"model.layers.0.self_attn.q_proj.weight": (1 << 20, 1 << 14)}
        os.mkdir(self.path("large"))
        size = checkpoints.write_sparse(self.path("large", "model.safetensors"),
                                        shapes_of | {"nothing": ("F32", ((1 << 62) + 1, 0))})
        found = self.read("--tensors", "large")
        self.equal(found["bytes"], size)
        self.equal(found["parameters"], 1 << 34)
        nothing = next(item for item in found["tensors"] if item["tensor"] == "nothing")
        self.equal(nothing["shape"], [(1 << 62) + 1, 0])

    def test_hostile_names(self):
        names = ['"quoted".weight', "back\\slash", "new\nline\ttab", "\x1b[31mred\x07", "\u202eabc",
                 "\U0001f600 smile", "\x7f", "</script>", "é" * 3000, ",", "{}", "%s%n%d", "\u0001"]
        model = shapes.Model({"architectures": ['A"\\\n\x1b' + "é" * 200], "model_type": "x\ty"})
        for number, name in enumerate(names):
            model.add(name, "F32", (1,), [number])
            model.add(f"model.layers.0.{name}.weight", "F32", (1,), [number])
        model.write(self.path("hostile"))
        found = self.read("--tensors", "hostile")
        self.equal({item["tensor"] for item in found["tensors"]},
                   {tensor.name for tensor in model.tensors}, "names")
        self.check({item["tensor"] for item in found["not_scanned"]} <= set(names), "not scanned")
        text = self.run_inspect("--tensors", "hostile").out
        self.equal({char for line in text.split("\n") for char in line
                    if not char.isprintable()} - {"\u202e"}, set(), "not printable")
        self.check("\x1b" not in text and "\x07" not in text, "control characters")
        folder = os.fsencode(self.folder) + b"/na\xffme"
        model.write(folder.decode(errors="surrogateescape"))
        self.check(self.read(folder)["path"].endswith("na\ufffdme"), "a path that is not UTF-8")

    def test_own_rules(self):
        model = shapes.Model(shapes.llama_config(1))
        model.add("mine.0.q", "F32", (2,), [0, 1], "attn.q", 0)
        model.write(self.path("mine"))
        self.write("rules.json", json.dumps({"rules": [{"name": "mine.{layer}.q",
                                                        "role": "attn.q"}]}))
        for option in (["--rules", "rules.json"], ["--rules=rules.json"]):
            self.compare(model, self.read(*option, "mine"))
        self.check(self.read("mine")["roles"] != self.read("--rules=rules.json", "mine")["roles"],
                   "rules change nothing")
        self.write("bad.json", '{"rules": 5}')
        self.refused(["--rules", "bad.json", "mine"], "bad.json")
        self.refused(["--rules", "none.json", "mine"], "none.json")

    def test_broken_checkpoints(self):
        self.check(len(broken.BROKEN) >= 40, "cases")
        for number, (name, (build, words)) in enumerate(broken.BROKEN.items()):
            with self.subTest(name):
                folder = self.path(f"bad-{number}")
                os.mkdir(folder)
                path = build(folder) or folder
                for option in ("--json", "--tensors"):
                    done = Done([option, path], self.folder)
                    self.equal(done.status, 3, f"{name}\n{done.tell()}\n")
                    self.one_sentence(done, *words)

    def test_usage(self):
        self.refused([], "CHECKPOINT")
        self.refused([""], "CHECKPOINT")
        self.refused(["a", "b"], "\"a\" and \"b\"")
        self.refused(["--jsn", "a"], "--jsn")
        self.refused(["-x"], "-x")
        self.refused(["--rules"], "FILE")
        self.refused(["--rules=", "a"], "FILE")
        self.refused(["a", "\x1b" * 5000], "\\x1b")
        self.refused(["--", "--json"], "--json", status=3)
        text = self.run_inspect("--help").out
        self.equal(self.run_inspect("-h").out, text)
        self.check(all(len(line) <= 80 for line in text.splitlines()), "columns of --help")
        for word in ("--json", "--tensors", "--rules", "--version", "Exit status"):
            self.check(word in text, word)
        self.check(self.run_inspect("--version").out.startswith("llmfp-inspect "), "--version")

    def test_output_that_is_full(self):
        shapes.llama(1, 3).write(self.path("good"))
        for args in (["good"], ["--json", "good"], ["--help"]):
            with open("/dev/full", "wb") as full:
                done = Done(args, self.folder, stdout=full)
            self.equal(done.status, 1, done.tell())
            self.one_sentence(done, "cannot write")

    def test_no_mpi_and_no_hdf5(self):
        listing = subprocess.run(["ldd", INSPECT], check=True, capture_output=True, text=True).stdout
        self.check("libc.so" in listing, "ldd finds nothing")
        self.check("mpi" not in listing and "hdf5" not in listing, listing)


if __name__ == "__main__":
    harness.main()
