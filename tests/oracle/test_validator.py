"""The validator: good files pass, and each kind of wrong file is named."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import oracle  # noqa: E402
import reference_results  # noqa: E402
import results  # noqa: E402


def cells(seed, n_layers, roles=("attn.q", "attn.k", "attn.v", "attn.o", "norm.attn"),
          dtype="BF16"):
    rng = np.random.default_rng(seed)
    elements = []
    for role in roles:
        for layer in range(n_layers):
            values = rng.normal(0.1, 0.02 * (1 + rng.random()), 40)
            values[:2] = 0
            elements.append((role, layer, dtype, checkpoints.encode_array(dtype, values)))
    return oracle.populations(elements)


def models():
    odd = cells(4, 5)
    odd["attn.q", 1].add("F64", [0x7FF0000000000000])    # not finite
    odd["norm.attn", 2] = oracle.Population()            # empty
    odd["norm.attn", 3] = oracle.Population().add("F32", [1])  # a single element
    flat = cells(5, 4, roles=("attn.k",))
    for layer in range(4):
        flat["attn.k", layer] = flat["attn.k", 0]
    return [reference_results.model("one", cells(1, 4), family="f", parent="two"),
            reference_results.model("two", cells(2, 7, dtype="F64")),
            reference_results.failed("broken", "model.safetensors is cut short"),
            reference_results.model("odd", odd, unscanned_tensors=[1, 0, 0, 2],
                                    unscanned_bytes=[8, 0, 0, 16]),
            reference_results.model("flat", flat),
            reference_results.model("short", cells(6, 2)),
            reference_results.model("\u00e9l\u00e8ve", {("other:a.*.b", 0): oracle.Population()})]


class GoodFiles(harness.Case):
    def good(self, rows, name):
        path = self.path(name)
        reference_results.write(path, rows)
        self.equal(results.validate(path), [], name)
        results.opens_everywhere(self, path)
        return path

    def test_good(self):
        path = self.good(models(), "all.h5")
        self.good(models()[:1], "one.h5")
        self.good([models()[2]], "only failed.h5")
        found = results.load(path)
        for row in models():
            results.compare(self, found, row["model"], row["cells"])
        results.compare_correlations(self, found, {row["model"]: row["cells"]
                                                   for row in models()})
        results.equal(self, path, path)
        results.h5diff(self, path, path)

    def test_comparison_sees_one_bit(self):
        path = self.good(models(), "a.h5")
        other = shutil.copy(path, self.path("b.h5"))
        with h5py.File(other, "r+") as file:
            value = file["std"][1, 1, 1]
            file["std"][1, 1, 1] = np.nextafter(value, 1)
        for compare in (lambda: results.equal(self, path, other),
                        lambda: results.h5diff(self, path, other),
                        lambda: results.compare(self, results.load(other), "two",
                                                models()[1]["cells"])):
            try:
                compare()
            except AssertionError:
                self.check(True)
            else:
                self.check(False, "a changed bit went unseen")


class BadFiles(harness.Case):
    def setUp(self):
        super().setUp()
        self.good = self.path("good.h5")
        reference_results.write(self.good, models())

    def wrong(self, name, change, *words):
        """After `change` the validator exits 1 with a line that holds all the words."""
        path = shutil.copy(self.good, self.path(f"{name}.h5"))
        with h5py.File(path, "r+") as file:
            change(file)
        lines = results.validate(path)
        self.check(any(all(word in line for word in words) for line in lines),
                   f"{name}: no line with {words} among {lines}")

    def replace(self, file, name, values, scales=None, dtype=None):
        old = [list(axis.values()) for axis in file[name].dims]
        attributes = dict(file[name].attrs.items())
        del file[name]
        dataset = file.create_dataset(name, data=values, dtype=dtype)
        for axis, items in enumerate(old if scales is None else scales):
            for item in items:
                dataset.dims[axis].attach_scale(item)
        if "exponent" in attributes:
            dataset.attrs["exponent"] = attributes["exponent"]

    def poke(self, name, at, value):
        def change(file):
            array = file[name][()]
            array[at] = value(array[at]) if callable(value) else value
            file[name][...] = array
        return change

    def test_structure(self):
        self.wrong("missing", lambda f: f.__delitem__("zeros"), "dataset", "zeros")
        self.wrong("extra", lambda f: f.create_dataset("exact/new", data=[1]), "exact/new")
        self.wrong("type", lambda f: self.replace(f, "n_layers", f["n_layers"][()].astype("i8")),
                   "type", "n_layers")
        self.wrong("float32", lambda f: self.replace(f, "std", f["std"][()].astype("f4")),
                   "type", "std")
        self.wrong("text", lambda f: self.replace(f, "status", np.array([b"ok"] * 7, "S2")),
                   "type", "status")
        self.wrong("shape", lambda f: self.replace(f, "mean", f["mean"][:, :, :2]),
                   "shape", "mean")
        self.wrong("scale", lambda f: self.replace(f, "max", f["max"][()], scales=[[]] * 3),
                   "scale", "max axis 0")
        self.wrong("other scale", lambda f: f["format"].dims[0].attach_scale(f["role"]),
                   "scale", "format axis 0")
        self.wrong("attribute", lambda f: f.attrs.__delitem__("schema"), "attribute", "schema")
        self.wrong("version", lambda f: f.attrs.__setitem__("schema_version", "9.9"), "9.9")
        self.wrong("time", lambda f: f.attrs.__setitem__("created", "yesterday"), "created")
        self.wrong("exponent", lambda f: f["exact/sum"].attrs.__delitem__("exponent"),
                   "exact/sum", "exponent")
        self.wrong("unit", lambda f: f["exact/sum"].attrs.__setitem__("exponent", np.int32(-1090)),
                   "multiple of 32")

    def test_labels_and_models(self):
        self.wrong("twice", self.poke("model", 1, "one"), "label", "'one'", "twice")
        self.wrong("role", self.poke("role", 1, lambda old: b"attn.q"), "label", "attn.q")
        self.wrong("layers", self.poke("layer", 1, 5), "label", "layer")
        self.wrong("status", self.poke("status", 0, "fine"), "model", "one", "fine")
        self.wrong("reason", self.poke("message", 2, ""), "model", "broken")
        self.wrong("digest", self.poke("source_digest", 0, "xyz"), "model", "one", "xyz")
        self.wrong("parameters", self.poke("parameters", 0, 1), "model", "one")
        self.wrong("unmapped", self.poke("unmapped_bytes", 3, 9), "model", "odd", "9")
        self.wrong("failed cells", self.poke("status", 0, "failed"), "one", "has cells")

    def test_cells(self):
        self.wrong("zeros", self.poke("zeros", (0, 0, 0), 100), "count", "one attn.q layer 0")
        self.wrong("count", self.poke("count", (0, 0, 0), 41), "mean", "one attn.q layer 0")
        self.wrong("ghost", self.poke("count", (0, 0, 6), 1), "cell", "one attn.q layer 6")
        self.wrong("mean", self.poke("mean", (1, 1, 1), lambda x: np.nextafter(x, 9)), "mean")
        self.wrong("std", self.poke("std", (1, 2, 3), lambda x: np.nextafter(x, 0)),
                   "std", "two attn.v layer 3")
        self.wrong("not nan", self.poke("std", (0, 0, 6), 0.0), "nan", "std")
        self.wrong("nonfinite", self.poke("mean", (3, 0, 1), 1.0), "nan", "odd attn.q layer 1")
        self.wrong("min", self.poke("min", (0, 0, 0), 5.0), "range", "min > max")
        self.wrong("max", self.poke("max", (0, 0, 0), 1e-3), "range", "one attn.q layer 0")
        self.wrong("large max", self.poke("max", (0, 0, 0), 1e9), "range", "sum_squares")
        self.wrong("minus zero", self.poke("min", (0, 0, 0), -0.0), "range", "-0")
        self.wrong("limb", self.poke("exact/sum", (0, 3), -1), "limb", "exact/sum")
        self.wrong("limb 2^32", self.poke("exact/sum_squares", (0, 3), 1 << 32), "limb")
        self.wrong("sum", self.poke("exact/sum", (0, 40), lambda x: (x + 1) % 2 ** 32),
                   "one attn.q layer 0")
        self.wrong("order", self.poke("exact/cell", slice(0, 2), lambda rows: rows[::-1]),
                   "cell", "sorted")
        self.wrong("row", self.poke("exact/cell", 0, (0, 0, 3)), "cell", "one attn.q layer 0")
        self.wrong("outside", self.poke("exact/cell", (0, 2), 99), "cell", "outside")

    def test_curves(self):
        self.wrong("signature", self.poke("signature", (0, 0, 1), lambda x: x + 1e-9),
                   "signature", "one attn.q")
        self.wrong("constant", self.poke("signature", (4, 1, slice(0, 4)), 0.0),
                   "signature", "flat attn.k")
        self.wrong("asymmetric", self.poke("correlation", (0, 0, 1), lambda x: x + 1e-15),
                   "correlation", "symmetric")

        def both(file):
            array = file["correlation"][()]
            array[0, 0, 1] += 1e-11
            array[0, 1, 0] += 1e-11
            file["correlation"][...] = array
        self.wrong("correlation", both, "correlation of attn.q", "one and two")
        self.wrong("diagonal", self.poke("correlation", (0, 0, 0), 1 - 1e-16), "diagonal")
        self.wrong("defined", self.poke("correlation", (0, 3, 3), 1.0), "correlation", "odd")
        self.wrong("qkvo", self.poke("correlation_qkvo", (0, 0), np.nan), "correlation_qkvo")

    def test_command(self):
        program = [sys.executable, results.VALIDATE]
        for arguments, status in (([], 2), (["--help"], 0), ([self.good], 0),
                                  ([self.good, self.path("none.h5")], 1)):
            found = subprocess.run(program + arguments, capture_output=True, text=True, timeout=60,
                                   check=False)
            self.equal(found.returncode, status, f"validate.py {arguments}: {found.stderr}")
        text = self.write("text.h5", "this is no HDF5 file")
        self.check("cannot be read" in results.validate(text)[0])


if __name__ == "__main__":
    harness.main()
