"""llmfp-scan --verify: good files pass, and every kind of tampering is found and named."""
import math
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import shapes  # noqa: E402

UTF8 = h5py.string_dtype("utf-8")


def next_double(value, steps=1):
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return struct.unpack("<d", struct.pack("<q", bits + steps))[0]


class Verify(program.ScanCase):
    def setUp(self):
        super().setUp()
        for seed, layers in ((1, 4), (2, 5), (3, 4)):
            shapes.llama(seed, layers).write(self.path(f"m{seed}"))

    def verify(self, path="out.h5", *options, status=0, ranks=None):
        done = program.run(["--verify", path, *options], ranks, self.folder, timeout=60)
        self.check(done.status == status, f"wanted exit status {status}\n{done.tell()}")
        for line in done.errors():
            self.check(all(char.isprintable() for char in line), f"not printable: {line!r}")
        return done

    def good(self, path="out.h5", *options, ranks=None):
        done = self.verify(path, *options, ranks=ranks)
        self.clean(done)
        self.check("everything holds" in done.out, done.tell())
        return done

    def found(self, *words, path="out.h5", options=(), ranks=None):
        """Findings, and at least one line that names the file and holds all words."""
        done = self.verify(path, *options, status=3, ranks=ranks)
        self.check(": findings: " in done.out, done.tell())
        lines = done.errors()
        self.check(lines and all(os.path.basename(path) in line for line in lines),
                   f"a line does not name the file\n{done.tell()}")
        self.check(any(all(word in line for word in words) for line in lines),
                   f"no line holds {words}\n{done.tell()}")
        return done


class Good(Verify):
    def test_scan(self):
        self.scan("m1\nm2\nm3\n")
        self.good()
        self.good("out.h5", "--with-checkpoints")
        self.good(ranks=3)
        done = self.verify("out.h5", "--quiet")
        self.equal(done.out, "", "--quiet")

    def test_one_model(self):
        self.scan("m1\n")
        self.good()

    def test_appended(self):
        self.scan("m1\nm2\n")
        self.scan("m3\n", "--append", ranks=2)
        self.good("out.h5", "--with-checkpoints")

    def test_failed_ones(self):
        self.scan("m1\nm2\ngone\n", status=3)
        self.good("out.h5", "--with-checkpoints")
        self.scan("gone\nlost\n", output="none.h5", status=3)
        self.good("none.h5", "--with-checkpoints")

    def test_unusual_values(self):
        """NaN, infinities, single elements, zeros, empty tensors, every float encoding."""
        tensors = []
        for number, (dtype, form) in enumerate(checkpoints.FLOATS.items()):
            name = f"model.layers.{number}.self_attn.%s_proj.weight"
            codes = [form.largest, 0, form.sign_bit if form.special != checkpoints.FNUZ else 0, 1]
            tensors += [
                checkpoints.Tensor(name % "q", dtype, (2, 2), codes),
                checkpoints.Tensor(name % "k", dtype, (2, 2), codes[:3] + [form.nan]),
                checkpoints.Tensor(name % "v", dtype, (1,), codes[:1]),
                checkpoints.Tensor(name % "o", dtype, (3,), [0, 0, 0]),
                checkpoints.Tensor(f"model.layers.{number}.mlp.up_proj.weight", dtype, (0, 4), []),
                checkpoints.tensor(f"model.layers.{number}.mlp.down_proj.weight", dtype, (2,),
                                   [0.5, -0.5]),
            ]
        checkpoints.write_checkpoint(self.path("odd"), tensors)
        self.scan("odd\nm1\n")
        self.good()
        only = [checkpoints.tensor("model.layers.0.mlp.up_proj.weight", "F32", (2,), [0.5, -0.5])]
        checkpoints.write_checkpoint(self.path("small"), only)
        self.scan("small\n", output="small.h5")
        self.good("small.h5")


class Tampered(Verify):
    def setUp(self):
        super().setUp()
        self.scan("m1\nm2\nm3\ngone\n", status=3)
        shutil.copy(self.path("out.h5"), self.path("whole.h5"))

    def tamper(self, change, *words, **keywords):
        shutil.copy(self.path("whole.h5"), self.path("out.h5"))
        with h5py.File(self.path("out.h5"), "r+") as file:
            change(file)
        return self.found(*words, **keywords)

    def set(self, name, at, value, *words):
        def change(file):
            file[name][at] = value(file[name][at]) if callable(value) else value
        return self.tamper(change, *words)

    def test_numbers(self):
        self.set("std", (0, 0, 1), next_double, "std is", "model m1", "role attn.q", "layer 1")
        self.set("std", (1, 0, 0), lambda x: next_double(x, -1), "std is", "model m2")
        self.set("mean", (2, 1, 0), next_double, "mean is", "model m3", "role attn.k")
        self.set("mean", (2, 1, 0), math.nan, "mean is nan")
        self.set("std", (0, 0, 1), math.inf, "std is inf")
        self.set("min", (0, 0, 0), 5.0, "min 5")
        self.set("max", (0, 0, 0), math.nan, "max nan")
        self.set("max", (0, 0, 0), 1e9, "sum of squares does not fit min and max")
        self.set("min", (0, 2, 0), -1e9, "does not fit")
        self.set("zeros", (0, 0, 0), 10 ** 9, "more than there are")
        self.set("nonfinite", (0, 0, 0), 1, "std is")
        self.set("count", (0, 0, 0), lambda x: x + 1, "model m1", "layer 0")
        self.set("count", (0, 0, 0), 0, "model m1", "layer 0")
        self.set("signature", (0, 0, 0), next_double, "signature is", "model m1", "layer 0")
        self.set("signature", (0, 0, 0), math.nan, "signature is nan")
        self.set("std", (0, 0, 4), 1.0, "there is no cell", "layer 4")
        self.set("count", (0, 0, 4), 3, "no row of exact/cell", "layer 4")
        self.set("signature", (0, 0, 4), 0.0, "signature", "layer 4")

    def test_correlations(self):
        self.set("correlation", (0, 0, 1), next_double, "correlation in role attn.q",
                 "models m1 and m2")
        self.set("correlation", (0, 1, 0), lambda x: next_double(x, -1), "models m2 and m1")
        self.set("correlation", (2, 1, 1), 0.5, "models m2 and m2")
        self.set("correlation", (0, 3, 3), 1.0, "models gone and gone", "nan")
        self.set("correlation", (0, 0, 1), 1.5, "1.5")
        self.set("correlation", (0, 0, 1), math.nan, "nan")
        self.set("correlation_qkvo", (0, 1), next_double, "correlation_qkvo", "m1 and m2")

    def test_exact_sums(self):
        self.set("exact/sum", (0, 0), lambda x: x ^ 1, "model m1", "exact sums give")
        self.set("exact/sum_squares", (0, -2), lambda x: x ^ 1, "model m1", "role attn.q")
        self.set("exact/sum", (3, 0), -1, "0 .. 2^32 - 1")
        self.set("exact/sum", (3, 0), 1 << 32, "0 .. 2^32 - 1")
        self.set("exact/sum", (3, -1), 1 << 40, "variance is negative")
        self.set("exact/sum_squares", (3, -1), -1, "sum of squares is negative")
        self.set("exact/sum_squares", (3, slice(None)), 0, "do not fit")
        self.set("exact/cell", (5, 2), 100, "row 5", "outside of the arrays")
        self.set("exact/cell", (5, 0), -1, "row 5", "outside of the arrays")
        self.set("exact/cell", (5, slice(None)), [0, 0, 0], "row 5", "order")
        self.set("exact/cell", (0, 0), 3, "model gone failed, but has cells")

        def exponent(more):
            def change(file):
                attributes = file["exact/sum"].attrs
                attributes.modify("exponent", np.int32(attributes["exponent"] + more))
            return change
        self.tamper(exponent(-32), "model m1")
        self.tamper(exponent(7), "multiple of 32")
        self.tamper(exponent(1 << 30), "out of range")

    def test_models(self):
        self.set("status", 0, "fine", "model m1", "fine", "neither ok nor failed")
        self.set("status", 0, "failed", "model m1 failed")
        self.set("status", 3, "ok", "model gone", "source_digest")
        self.set("message", 3, "", "model gone failed without a message")
        self.set("source_digest", 0, "0123", "model m1", "16 hexadecimal digits")
        self.set("path", 1, "", "model m2 has no path")
        self.set("format", 1, "", "model m2 has no format")
        self.set("parameters", 0, 1, "model m1", "1 parameters")
        self.set("unmapped_bytes", 0, 77, "model m1", "77 unmapped_bytes")
        self.set("unscanned_bytes", (0, 3), 1 << 60, "more unscanned bytes than bytes")
        self.set("unscanned_bytes", (0, 3), 1, "without a tensor")
        self.set("n_layers", 0, -3, "-3 layers")
        self.set("model", 1, "m1", "model m1 occurs twice")
        self.set("model", 1, "", "has no name")
        self.set("role", 1, "attn.q", "role attn.q occurs twice")
        self.set("layer", 1, 7, "layer is not 0, 1, 2")
        self.set("exact/row", 1, 7, "exact/row is not 0, 1, 2")
        self.set("unscanned_reason", 1, "bad luck", "bad luck")
        self.set("exact/coordinate", 1, "depth", "depth")
        done = self.set("model", 1, "evil\x1b[31m\nname", "evil\\x1b[31m\\x0aname")
        self.check("\x1b" not in done.out + done.err, "an escape sequence comes through")

    def test_attributes(self):
        for name, value, word in (("schema", "other", "other"), ("schema_version", "9.9", "9.9"),
                                  ("created", "yesterday", "created"), ("generator", "", "empty")):
            self.tamper(lambda file, n=name, v=value: file.attrs.modify(n, v), name, word)
            self.tamper(lambda file, n=name: file.attrs.pop(n), name, "missing")
        many = np.array(["llmfp-results"] * 1000, dtype=object)
        self.tamper(lambda file: file.attrs.create("schema", many, dtype=UTF8), "schema", "one")
        self.tamper(lambda file: file.attrs.create("schema", 5), "schema", "one")
        self.tamper(lambda file: file["exact/sum"].attrs.pop("exponent"), "exponent")
        self.tamper(lambda file: file["exact/sum"].attrs.create("exponent", [0, 0]), "exponent")

    def test_structure(self):
        def replace(name, **how):
            def change(file):
                del file[name]
                file.create_dataset(name, **how)
            return change

        names = []
        with h5py.File(self.path("whole.h5"), "r") as file:
            file.visititems(lambda name, item: names.append(name)
                            if isinstance(item, h5py.Dataset) else None)
        self.check(len(names) == 35, f"{len(names)} datasets")
        for name in names:
            with self.subTest(name):
                self.tamper(lambda file, n=name: file.pop(n), name, "missing")
                self.tamper(replace(name, data=np.zeros((1, 1, 1, 1))), name, "axes")
        self.tamper(replace("std", shape=(4, 1, 1), dtype="<f8"), "std", "length")
        self.tamper(replace("std", shape=(4, 11, 5), dtype="<f4"), "std", "float64")
        self.tamper(replace("count", shape=(4, 11, 5), dtype="<i8"), "count", "uint64")
        self.tamper(replace("count", shape=(4, 11, 5), dtype=">u8"), "count", "uint64")
        self.tamper(replace("path", shape=(4,), dtype="S20"), "path", "UTF-8")
        self.tamper(replace("path", shape=(4,), dtype=h5py.string_dtype("ascii")), "path", "UTF-8")
        self.tamper(replace("std", data=h5py.Empty("<f8")), "std", "axes")
        self.tamper(replace("model", shape=(1 << 40,), dtype=UTF8, chunks=(1024,)), "model",
                    "length")
        self.tamper(replace("layer", shape=(1 << 29,), dtype="<i4", chunks=(1024,)), "layer",
                    "claims")
        self.tamper(replace("exact/row", shape=((1 << 63) - 1,), dtype="<i8", chunks=(1024,)),
                    "exact/row")
        self.tamper(lambda file: file.pop("exact"), "exact/sum", "missing")
        self.tamper(lambda file: file.create_dataset("extra", data=[1]), "extra",
                    "not in the schema")
        self.tamper(lambda file: file.create_dataset("exact/a\x1b", data=[1]), "a\\x1b")
        self.tamper(lambda file: file.pop("std") and file.create_group("std"), "std",
                    "not a dataset")

    def test_values_of_another_file(self):
        with h5py.File(self.path("other.h5"), "w") as other:
            other["std"] = np.zeros((4, 11, 5))

        def link(file):
            del file["std"]
            file["std"] = h5py.ExternalLink("other.h5", "/std")

        def soft(file):
            file.move("std", "mean2")
            file["std"] = h5py.SoftLink("/mean2")

        def external(file):
            del file["std"]
            file.create_dataset("std", shape=(4, 11, 5), dtype="<f8",
                                external=[("other.h5", 0, h5py.h5f.UNLIMITED)])

        def virtual(file):
            del file["std"]
            layout = h5py.VirtualLayout(shape=(4, 11, 5), dtype="<f8")
            layout[...] = h5py.VirtualSource("other.h5", "std", shape=(4, 11, 5))
            file.create_virtual_dataset("std", layout)
        self.tamper(link, "std", "only a link")
        self.tamper(soft, "std", "only a link")
        self.tamper(external, "std", "another file")
        self.tamper(virtual, "std", "another file")

    def test_scales(self):
        def detach(file):
            file["std"].dims[0].detach_scale(file["model"])

        def second(file):
            file["std"].dims[2].attach_scale(file["exact/sum_limb"])

        def forged(file):
            del file["std"].attrs["DIMENSION_LIST"]
            file["std"].attrs["DIMENSION_LIST"] = np.arange(3)
        self.tamper(detach, "axis 0 of std", "dimension scale model")
        self.tamper(second, "axis 2 of std", "no other")
        self.tamper(forged, "axis 1 of std", "dimension scale role")
        self.tamper(lambda file: file["layer"].attrs.pop("CLASS"), "layer",
                    "not a dimension scale")

    def test_few_of_each_kind_are_told(self):
        def change(file):
            file["std"][...] = 1.0
        done = self.tamper(change, "std is 1")
        told = [line for line in done.errors() if "std is 1" in line]
        self.equal(len(told), 5, "findings of one kind")
        self.check(any("more findings of this kind: std" in line for line in done.errors()),
                   done.tell())

    def test_repacked(self):
        """Compressed by somebody: still the same numbers."""
        def change(file):
            for name in ("std", "exact/sum"):
                data, attributes = file[name][()], dict(file[name].attrs)
                scales = [[scale.name for scale in dim.values()] for dim in file[name].dims]
                for axis, (scale,) in enumerate(scales):
                    file[name].dims[axis].detach_scale(file[scale])
                del file[name]
                made = file.create_dataset(name, data=data, compression="gzip")
                for axis, (scale,) in enumerate(scales):
                    made.dims[axis].attach_scale(file[scale])
                if "exponent" in attributes:
                    made.attrs["exponent"] = np.int32(attributes["exponent"])
        shutil.copy(self.path("whole.h5"), self.path("out.h5"))
        with h5py.File(self.path("out.h5"), "r+") as file:
            change(file)
        self.good()

    def test_append_refuses_them(self):
        """What --verify finds in structure or cells, --append does not take over."""
        shapes.llama(9, 4).write(self.path("m9"))
        self.write("more.txt", "m9\n")

        def change_std(file):
            file["std"][0, 0, 1] = next_double(file["std"][0, 0, 1])

        def many(file):
            file.attrs.create("schema", np.array(["llmfp-results"] * 1000, dtype=object),
                              dtype=UTF8)

        def product(file):
            for name in ("count", "layer"):
                del file[name]
            file.create_dataset("layer", shape=(1 << 29,), dtype="<i4", chunks=(64,))
            file.create_dataset("count", shape=(4, 11, 1 << 29), dtype="<u8", chunks=(1, 1, 64))

        def row(file):
            file["exact/cell"][4] = [2, 0, 0]
        for change, words in (
                (change_std, ["m1", "std is"]), (many, ["schema"]), (product, ["claims"]),
                (row, ["order"]), (lambda file: file.pop("path"), ["path", "missing"]),
                (lambda file: file["n_layers"].write_direct(np.full(4, -1, "<i4")), ["layers"]),
                (lambda file: file["exact/sum"].attrs.modify("exponent", np.int32(5)), ["32"])):
            shutil.copy(self.path("whole.h5"), self.path("out.h5"))
            with h5py.File(self.path("out.h5"), "r+") as file:
                change(file)
            with open(self.path("out.h5"), "rb") as file:
                before = file.read()
            done = program.run(["--append", "-o", "out.h5", "more.txt"], None, self.folder)
            self.equal(done.status, 1, done.tell())
            self.equal(len(done.errors()), 1, done.tell())
            for word in ["out.h5", *words]:
                self.check(word in done.errors()[0], f"{word!r} is not in it\n{done.tell()}")
            with open(self.path("out.h5"), "rb") as file:
                self.check(file.read() == before, "the file was changed")
            self.check(not os.path.exists(self.path("out.h5.journal")), "a journal is left")


class OtherFiles(Verify):
    def test_no_results_file(self):
        self.write("text", "this is not HDF5")
        self.write("empty", "")
        os.mkfifo(self.path("pipe"))
        with h5py.File(self.path("plain.h5"), "w") as file:
            file["x"] = 1
        for path in ("text", "empty", "none", "pipe", self.folder):
            done = self.verify(path, status=1)
            self.equal(len(done.errors()), 1, done.tell())
            self.check(os.path.basename(path) in done.errors()[0], done.tell())
        self.found("schema", path="plain.h5")
        self.verify("none", status=1, ranks=3)

    def test_cut_short_and_damaged(self):
        """Any damage is found or harmless; nothing crashes."""
        self.scan("m1\nm2\n")
        with open(self.path("out.h5"), "rb") as file:
            whole = file.read()
        for part in (100, len(whole) // 2, len(whole) - 1):
            self.write("cut.h5", whole[:part])
            done = program.run(["--verify", "cut.h5"], None, self.folder, timeout=60)
            self.check(done.status == 1 and len(done.errors()) == 1, done.tell())
        generator = np.random.default_rng(5)
        for _ in range(40):
            damaged = bytearray(whole)
            for at in generator.integers(0, len(whole), 4):
                damaged[at] ^= 1 << int(generator.integers(0, 8))
            self.write("damaged.h5", bytes(damaged))
            done = program.run(["--verify", "damaged.h5"], None, self.folder, timeout=60)
            self.check(done.status in (0, 1, 3), done.tell())
            self.check((done.status == 0) == (not done.errors()), done.tell())

    def test_command_line(self):
        for args, words in ((["--verify"], ["--verify"]), (["--verify", "a", "b"], ["MANIFEST"]),
                            (["--verify", "a", "--append"], ["--append"]),
                            (["--with-checkpoints", "b"], ["--with-checkpoints"])):
            done = program.run(args, None, self.folder)
            self.equal(done.status, 2, done.tell())
            for word in words:
                self.check(word in done.errors()[0], done.tell())


class OnDisk(Verify):
    def test_checkpoints_that_changed(self):
        self.scan("m1\nm2\nm3\n")
        path = self.path("m2", "model.safetensors")
        with open(path, "rb") as file:
            data = file.read()
        self.write(path, data.replace(b"q_proj", b"x_proj", 1))
        self.good()  # the file is as good as it was
        self.found("model m2", "has changed since", options=["--with-checkpoints"])
        self.write(path, data)
        self.good("out.h5", "--with-checkpoints")
        os.rename(path, self.path("m2", "weights.safetensors"))
        self.found("model m2", "has changed since", options=["--with-checkpoints"])
        os.rename(self.path("m2", "weights.safetensors"), path)
        os.truncate(path, len(data) - 2)
        self.found("model m2", "cannot be compared", options=["--with-checkpoints"])
        shutil.rmtree(self.path("m2"))
        done = self.found("model m2", "no file or directory", options=["--with-checkpoints"],
                          ranks=2)
        self.equal(len(done.errors()), 1, done.tell())


if __name__ == "__main__":
    harness.main()
