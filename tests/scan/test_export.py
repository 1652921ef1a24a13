"""llmfp-export: what it writes is what h5py reads, to the bit; damaged files get one sentence."""
import csv
import io
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import harness  # noqa: E402
import program  # noqa: E402
import shapes  # noqa: E402

EXPORT = os.environ.get("LLMFP_EXPORT") or os.path.join(
    os.path.dirname(program.scanner()), "..", "export", "llmfp-export")
WHOLE = ("count", "zeros", "nonfinite")
REAL = ("mean", "std", "min", "max", "signature")
TEXTS = ("architecture", "path", "format", "status", "message", "family", "parent",
         "source_digest")
NUMBERS = ("n_layers", "parameters", "bytes", "unmapped_bytes")
NAMES = ['a,b "c"', "=cmd()", " spaces ", "é\U0001f600", "plain", "line"]


def copy_dataset(file, name, values):
    """Put other values in the place of a dataset."""
    del file[name]
    file.create_dataset(name, data=values)


class Export(program.ScanCase):
    def export(self, *args, status=0, stdout=subprocess.PIPE):
        done = subprocess.run([EXPORT, *args], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)
        err = done.stderr.decode()
        self.equal(done.returncode, status, f"exit status of {args}: {err}")
        if status == 0:
            self.equal(err, "", "standard error")
        return (done.stdout or b"").decode(), err

    def refused(self, args, *words, status=2, **keywords):
        _, err = self.export(*args, status=status, **keywords)
        lines = err.splitlines()
        self.equal(len(lines), 1, f"error lines {lines}")
        self.check(lines[0].startswith("llmfp-export: error: "), lines[0])
        self.check(all(char.isprintable() for char in lines[0]), f"not printable: {lines[0]!r}")
        for word in words:
            self.check(word in lines[0], f"{word!r} is not in {lines[0]!r}")

    def make(self):
        """Six models, of different depth, one with NaN, an empty tensor and gaps, one broken."""
        lines = []
        for number, name in enumerate(NAMES):
            model = shapes.llama(number, 3 + number % 3)
            if number == 2:
                model.config["num_hidden_layers"] = 10
                model.add("model.layers.9.mlp.up_proj.weight", "F32", (2,), [0x7fc00000, 0])
                model.add("model.layers.7.mlp.up_proj.weight", "F32", (0, 4), [], "mlp.up", 7)
                model.add("model.layers.0.self_attn.q_proj.bias", "F64", (2,),
                          [0x7fefffffffffffff, 0x7fefffffffffffff])
                model.add_raw("step", "I64", (), bytes(8))
            model.write(self.path(f"model-{number}"))
            label = name.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'"{label}" model-{number}')
        os.mkdir(self.path("empty"))
        lines.append("broken empty family=x")
        self.scan("\n".join(lines) + "\n", output="out.h5", status=3)
        return self.path("out.h5")

    def cells(self, file):
        """{(model, role, layer): numbers} by h5py."""
        models, roles = list(file["model"].asstr()), list(file["role"].asstr())
        arrays = [file[name][:] for name in WHOLE + REAL]
        return {(models[m], roles[r], int(layer)): [array[m, r, layer] for array in arrays]
                for m, r, layer in file["exact/cell"][:]}

    def same_numbers(self, found, wanted, message):
        for text, value in zip(found, wanted):
            if isinstance(value, np.floating):
                self.same_double(text, value, message)
            else:
                self.equal(int(text), int(value), message)

    def test_csv(self):
        path = self.make()
        text, _ = self.export(path)
        self.equal(self.export("--csv", path)[0], text, "the default")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.equal(rows[0], ["model", "role", "layer", *WHOLE, *REAL], "columns")
        with h5py.File(path) as file:
            wanted = self.cells(file)
        self.equal([(row[0], row[1], int(row[2])) for row in rows[1:]], list(wanted), "cells")
        self.check((NAMES[2], "mlp.up", 7) in wanted, "the cell of an empty tensor")
        empty = 0
        for row in rows[1:]:
            self.equal(len(row), 11, "fields")
            numbers = [field or "nan" for field in row[3:]]
            self.same_numbers(numbers, wanted[row[0], row[1], int(row[2])], f"{row[:3]}")
            empty += row.count("")
        self.check(empty > 4, "no empty field")

    def reals(self, found, wanted, message):
        self.equal(len(found), len(wanted), message)
        for value, double in zip(found, wanted):
            self.same_double(float("nan") if value is None else value, double, message)

    def test_json(self):
        path = self.make()
        text, _ = self.export("--json", path)
        found = json.loads(text, parse_constant=self.fail)
        with h5py.File(path) as file:
            for name in ("schema", "schema_version", "generator", "created"):
                self.equal(found[name], file.attrs[name], name)
            self.equal(found["roles"], list(file["role"].asstr()))
            self.equal([model["model"] for model in found["models"]], list(file["model"].asstr()))
            for name in TEXTS:
                self.equal([model[name] for model in found["models"]], list(file[name].asstr()))
            for name in NUMBERS:
                self.equal([model[name] for model in found["models"]], file[name][:].tolist())
            reasons = list(file["unscanned_reason"].asstr())
            for kind in ("tensors", "bytes"):
                self.equal([[item[kind] for item in model["unscanned"]]
                            for model in found["models"]], file["unscanned_" + kind][:].tolist())
            self.equal([item["reason"] for item in found["models"][0]["unscanned"]], reasons)
            wanted, seen = self.cells(file), 0
            for model in found["models"]:
                for curve in model["curves"]:
                    for i, layer in enumerate(curve["layers"]):
                        numbers = [float("nan") if curve[name][i] is None else curve[name][i]
                                   for name in WHOLE + REAL]
                        self.same_numbers(numbers, wanted[model["model"], curve["role"], layer],
                                          f"{model['model']} {curve['role']} {layer}")
                        seen += 1
            self.equal(seen, len(wanted), "cells")
            self.equal([item["role"] for item in found["correlations"]], found["roles"])
            for r, item in enumerate(found["correlations"]):
                for row, values in zip(item["matrix"], file["correlation"][r], strict=True):
                    self.reals(row, values, item["role"])
            for row, values in zip(found["correlation_qkvo"], file["correlation_qkvo"][:],
                                   strict=True):
                self.reals(row, values, "qkvo")

    def test_correlations(self):
        path = self.make()
        text, _ = self.export("--correlations", path)
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.equal(rows[0], ["role", "first", "second", "correlation"])
        with h5py.File(path) as file:
            models, roles = list(file["model"].asstr()), list(file["role"].asstr())
            arrays = {role: file["correlation"][r] for r, role in enumerate(roles)}
            arrays["qkvo"] = file["correlation_qkvo"][:]
        wanted = [(role, models[i], models[j], array[i, j]) for role, array in arrays.items()
                  for i in range(len(models)) for j in range(i + 1, len(models))]
        self.equal([row[:3] for row in rows[1:]], [list(row[:3]) for row in wanted], "pairs")
        for row, (_, _, _, value) in zip(rows[1:], wanted):
            self.same_double(row[3] or "nan", value, str(row))
        self.check(sum(row[3] != "" for row in rows[1:]) > 50, "nothing but NaN")

    def test_doubles_and_strings_of_all_kinds(self):
        """Values put into the file: subnormal, infinite, all 17 digits; names with line breaks."""
        path = self.make()
        rng = np.random.default_rng(3)
        odd = [5e-324, -0.0, 0.1, 1 / 3, 1.7976931348623157e308, float("inf"), -float("inf"),
               float("nan"), 2.2250738585072014e-308, 1e22, 123456789012345678.0]
        names = ["a\nb", 'q"q', "c\r\nd", "\x1b[0m", "", "e" * 5000, "\u2028"]
        with h5py.File(path, "r+") as file:
            shape = file["mean"].shape
            values = np.frombuffer(rng.bytes(8 * int(np.prod(shape))), np.float64).copy()
            values[:len(odd)] = odd
            file["mean"][...] = values.reshape(shape)
            file["count"][...] = rng.integers(1 << 60, (1 << 64) - 1, shape, np.uint64)
            file["model"][...] = names
            wanted = self.cells(file)
        rows = list(csv.reader(io.StringIO(self.export(path)[0], newline=""), strict=True))
        found = {(row[0], row[1], int(row[2])): row[3:] for row in rows[1:]}
        self.equal(set(found), set(wanted), "cells")
        for key, row in found.items():
            self.same_numbers([field or "nan" for field in row], wanted[key], str(key))
        models = json.loads(self.export("--json", path)[0], parse_constant=self.fail)["models"]
        self.equal([model["model"] for model in models], names)
        for model in models:
            for curve in model["curves"]:
                self.reals(curve["mean"], [wanted[model["model"], curve["role"], layer][3]
                                           for layer in curve["layers"]], "mean")

    def test_only_failed_models(self):
        os.mkdir(self.path("empty"))
        self.scan("broken empty\n", output="out.h5", status=3)
        self.equal(self.export("out.h5")[0].count("\n"), 1, "lines")
        found = json.loads(self.export("--json", "out.h5")[0])
        self.equal((found["roles"], found["models"][0]["curves"], found["correlations"]),
                   ([], [], []))
        self.equal(found["models"][0]["status"], "failed")
        self.equal(self.export("--correlations", "out.h5")[0].count("\n"), 1, "lines")

    def test_output(self):
        path = self.make()
        text, _ = self.export(path)
        for option in (["-o", "t.csv"], ["-ot.csv"], ["--output", "t.csv"], ["--output=t.csv"]):
            self.write("t.csv", "old")
            self.equal(self.export(*option, path)[0], "")
            with open(self.path("t.csv"), encoding="utf-8", newline="") as file:
                self.equal(file.read(), text, "the file")
            os.chmod(self.path("t.csv"), 0o600)
        self.equal([name for name in os.listdir(self.folder) if name.startswith("t.csv.")], [])
        self.equal(self.export("-o", "/dev/stdout", path)[0], text, "a device")
        self.write("old.csv", "old")
        self.write("no.h5", "no")
        before = sorted(os.listdir(self.folder))
        self.refused(["no.h5", "-o", "old.csv"], "no.h5", status=3)
        with open(self.path("old.csv"), encoding="utf-8") as file:
            self.equal(file.read(), "old", "an existing file")
        self.refused([path, "-o", "none/t.csv"], "none/t.csv", status=1)
        self.refused([path, "-o", path], "itself")
        os.link(path, self.path("link.h5"))
        self.refused([path, "-o", "link.h5"], "itself")
        os.unlink(self.path("link.h5"))
        self.equal(sorted(os.listdir(self.folder)), before, "files left behind")
        for kind in ("--csv", "--json", "--correlations"):
            with open("/dev/full", "wb") as full:
                self.refused([kind, path], "cannot write", status=1, stdout=full)
            self.refused([kind, path, "-o", "/dev/full"], "/dev/full", status=1)

    def damage(self, change):
        def apply(name):
            path = self.path(name)
            with h5py.File(path, "r+") as file:
                change(file)
        return apply

    def test_damaged_files(self):
        with open(self.make(), "rb") as file:
            good = file.read()
        with h5py.File(self.path("out.h5")) as file:
            names = [name for name in (*TEXTS, *NUMBERS, *WHOLE, *REAL, "model", "role", "layer",
                                       "correlation", "correlation_qkvo", "exact/cell",
                                       "unscanned_tensors", "unscanned_bytes",
                                       "unscanned_reason")]
            cells = file["exact/cell"][:]
        bad_rows = []
        for row, value in ((0, (0, 0, 99)), (1, (-1, 0, 0)), (2, cells[0]), (3, (0, 1 << 30, 0)),
                           (len(cells) - 1, (1 << 30, 0, 0))):
            bad = cells.copy()
            bad[row] = value
            bad_rows.append(bad)
        cases = {f"no {name}": (lambda file, name=name: file.__delitem__(name), name)
                 for name in names}
        cases |= {f"{name} as a scalar": (lambda file, name=name: copy_dataset(file, name, 5), name)
                  for name in names}
        cases |= {f"rows {i}": (lambda file, bad=bad: copy_dataset(file, "exact/cell", bad),
                                "exact/cell") for i, bad in enumerate(bad_rows)}
        cases["another schema"] = (lambda file: file.attrs.__setitem__("schema", "x"), "schema")
        cases["another version"] = (lambda file: file.attrs.__setitem__("schema_version", "9.0"),
                                    "schema_version")
        cases["a number for a version"] = (
            lambda file: file.attrs.__setitem__("schema_version", 1), "schema_version")
        cases["integers for strings"] = (
            lambda file: copy_dataset(file, "path", np.zeros(7, np.int32)), "out.h5")
        cases["huge axes"] = (lambda file: (
            file.__delitem__("layer"),
            file.create_dataset("layer", (1 << 40,), np.int32, chunks=(1,))), "layers")
        for name, (change, word) in cases.items():
            with self.subTest(name):
                self.write("out.h5", good)
                with h5py.File(self.path("out.h5"), "r+") as file:
                    change(file)
                self.refused(["--json", "out.h5", "-o", "t"], word, "out.h5", status=3)
        for length in (0, 7, 100, 2000, len(good) // 2, len(good) - 1):
            with self.subTest(f"cut to {length} bytes"):
                self.write("out.h5", good[:length])
                self.refused(["out.h5", "-o", "t"], "out.h5", status=3)
        self.refused(["nowhere.h5"], "nowhere.h5", status=3)
        self.refused(["."], status=3)

    def test_usage(self):
        self.refused([], "RESULTS.h5")
        self.refused([""], "RESULTS.h5")
        self.refused(["a", "b"], "\"a\" and \"b\"")
        self.refused(["--csv", "--json", "a"], "--csv and --json")
        self.refused(["--jsn", "a"], "--jsn")
        self.refused(["a", "-o"], "FILE")
        self.refused(["a", "--output="], "FILE")
        self.refused(["a", "\x1b" * 5000], "\\x1b")
        self.refused(["--", "--csv"], "--csv", status=3)
        text, _ = self.export("--help")
        self.equal(self.export("-h")[0], text)
        self.check(all(len(line) <= 80 for line in text.splitlines()), "columns of --help")
        for word in ("--csv", "--json", "--correlations", "--output", "--version", "Exit status"):
            self.check(word in text, word)
        self.check(self.export("--version")[0].startswith("llmfp-export "), "--version")


if __name__ == "__main__":
    harness.main()
