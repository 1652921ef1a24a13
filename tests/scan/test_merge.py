"""--merge and --part: what is put together equals one scan in every dataset, and what does not fit
together is refused with a sentence that names the files.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import h5py  # noqa: E402
import harness  # noqa: E402
import numpy  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

RANKS = (1, 3)


class MergeCase(program.ScanCase):
    def setUp(self):
        super().setUp()
        for number in range(4):
            shapes.llama(number, 3 + 2 * number).write(self.path(f"model-{number}"))

    def scan_to(self, output, manifest, *options, ranks=None, status=0):
        path = self.write(f"{output}.txt", manifest)
        done = program.run(["-q", "-o", self.path(output), *options, path], ranks, self.folder)
        self.equal(done.status, status, done.tell())
        return self.path(output)

    def merge(self, files, *options, ranks=None, output="all.h5", status=0):
        done = program.run(["--merge", *files, "-o", self.path(output), "--summary=none", *options],
                           ranks, self.folder)
        self.equal(done.status, status, done.tell())
        left = [name for name in os.listdir(self.folder) if ".journal" in name or ".part" in name]
        self.equal(left, [], "files left behind")
        return done

    def refused(self, files, *words, status=1, options=()):
        shutil.rmtree(self.path("all.h5"), ignore_errors=True)
        done = self.merge(files, *options, status=status)
        self.equal(len(done.errors()), 1, done.tell())
        for word in words:
            self.check(word in done.err, f"{word!r} is not said\n{done.tell()}")
        self.check(not os.path.exists(self.path("all.h5")), "there are results")

    def same(self, whole, merged):
        results.equal(self, whole, merged, ignore=())
        results.h5diff(self, whole, merged, exclude=())
        done = program.run(["--verify", merged, "-q"], None, self.folder)
        self.equal(done.status, 0, done.tell())


class Merge(MergeCase):
    def test_whole_files(self):
        """Roles and depths differ, one checkpoint is not there; order is that of the arguments."""
        lines = ["model-2 family=f", "model-0", "gone", "model-3 parent=model-0", "model-1"]
        whole = self.scan_to("whole.h5", "\n".join(lines) + "\n", status=3)
        files = [self.scan_to(f"{i}.h5", "\n".join(part) + "\n", status=status)
                 for i, (part, status) in enumerate(((lines[:1], 0), (lines[1:4], 3), (lines[4:], 0)))]
        for ranks in RANKS:
            done = self.merge(files, "--overwrite", ranks=ranks, status=3)
            self.equal(len(done.errors()), 1, done.tell())
            self.check("gone: " in done.err, done.tell())
            self.same(whole, self.path("all.h5"))
        self.merge(reversed(files), "--overwrite", status=3)
        self.equal(results.load(self.path("all.h5")).models,
                   ["model-1", "model-0", "gone", "model-3", "model-2"])

    def test_other_roles_and_encodings(self):
        a = self.scan_to("a.h5", "model-0\nmodel-1\n", "--roles=attn.*")
        b = self.scan_to("b.h5", "model-2\n", "--roles=mlp.down,norm.*")
        self.merge([a, b])
        merged = results.load(self.path("all.h5"))
        self.check({"attn.q", "mlp.down"} <= set(merged.roles), merged.roles)
        for path in (a, b):
            one = results.load(path)
            for label in one.models:
                self.equal(str(merged.cells(label)), str(one.cells(label)), label)
        again = self.path("again.h5")
        self.merge([self.path("all.h5")], output="again.h5")
        self.same(self.path("all.h5"), again)

    def test_into_a_file_that_is_there(self):
        whole = self.scan_to("whole.h5", "model-0\nmodel-1\n")
        a, b = self.scan_to("a.h5", "model-0\n"), self.scan_to("b.h5", "model-1\n")
        before = results.load(a)
        done = self.merge([a, b], output="a.h5", status=2)
        self.check("'a.h5' exists" in done.err.replace(self.folder + "/", ""), done.tell())
        results.equal(self, before, a, ignore=())
        self.merge([a, b], "--overwrite", output="a.h5")
        self.same(whole, a)

    def test_what_does_not_fit(self):
        a, b = self.scan_to("a.h5", "model-0\nmodel-1\n"), self.scan_to("b.h5", "x model-1\n")
        clash = self.scan_to("clash.h5", "model-2\nmodel-1\n")
        self.refused([a, clash], "label 'model-1'", a, clash)
        os.link(a, self.path("link.h5"))
        self.refused([a, b, a], a, "given twice", status=2)
        self.refused([a, self.path("link.h5")], "link.h5", "given twice", status=2)
        self.refused([], "nothing to merge", status=2)
        for option in ("--resume", "--append", "--dry-run", "--roles=attn.*", "--part=1/2"):
            self.refused([a, b], "--merge reads results files only", status=2, options=[option])

    def test_hostile_files(self):
        a, b = self.scan_to("a.h5", "model-0\n"), self.scan_to("b.h5", "model-1\n")
        with open(b, "rb") as file:
            content = file.read()
        self.refused([a, self.write("cut.h5", content[:len(content) // 2])], "cut.h5")
        self.refused([a, self.write("empty.h5", b"")], "empty.h5")
        self.refused([a, self.write("text.h5", "no results\n")], "text.h5")
        self.refused([a, self.path("missing.h5")], "missing.h5", "not there")
        self.refused([a, self.folder], self.folder, "not a regular file")
        for name, change in (
                ("version", lambda file: file.attrs.__setitem__("schema_version", "2.0")),
                ("mean", lambda file: file["mean"].__setitem__((0, 0, 0), 7.0)),
                ("sum", lambda file: file["exact/sum"].__setitem__((0, 0), 1)),
                ("no std", lambda file: file.__delitem__("std"))):
            path = self.path(f"{name}.h5")
            shutil.copy(b, path)
            with h5py.File(path, "r+") as file:
                change(file)
            self.refused([a, path], path)


class Parts(MergeCase):
    MANIFEST = "model-0 family=f\nmodel-1\nmodel-2 parent=model-0\nmodel-3\n"

    def parts(self, n, manifest=MANIFEST, prefix="part", status=0, ranks=None, options=()):
        return [self.scan_to(f"{prefix}-{k}.h5", manifest, f"--part={k}/{n}", *options, status=status,
                             ranks=ranks) for k in range(1, n + 1)]

    def test_parts_equal_one_scan(self):
        whole = self.scan_to("whole.h5", self.MANIFEST)
        for n in (1, 2, 3, 11):
            files = self.parts(n, prefix=f"of{n}", ranks=RANKS[n % 2])
            for path in files:
                with h5py.File(path) as file:
                    self.equal((int(file["part"].attrs["number"]), int(file["part"].attrs["of"])),
                               (files.index(path) + 1, n))
                    self.equal(file.attrs["schema_version"], "1.1")
                done = program.run(["--verify", path, "-q"], None, self.folder)
                self.equal(done.status, 0, done.tell())
            for ranks in RANKS:
                self.merge(list(reversed(files)), "--overwrite", ranks=ranks)
                self.same(whole, self.path("all.h5"))

    def test_summary_of_a_part(self):
        """It compares nothing, and does not say that there is nothing to compare."""
        _, done = self.scan(self.MANIFEST, "--part=2/3")
        self.check("This is part 2 of 3 of a scan. Merge all parts" in done.out
                   and "pairs" not in done.out and "No two models" not in done.out, done.tell())

    def test_one_large_checkpoint(self):
        """Slices of one checkpoint, with roles left out, beside whole files."""
        whole = self.scan_to("whole.h5", "model-1\nmodel-3\nmodel-0\n", "--roles=attn.*,norm.*")
        first = self.scan_to("first.h5", "model-1\n", "--roles=attn.*,norm.*")
        last = self.scan_to("last.h5", "model-0\n", "--roles=attn.*,norm.*")
        files = self.parts(5, "model-3\n", "slice", options=["--roles=attn.*,norm.*"])
        with h5py.File(files[2]) as file:
            self.equal(file["status"].asstr()[0], "failed")
            self.check("part 3 of 5" in file["message"].asstr()[0], file["message"].asstr()[0])
            self.equal(file["std"].shape[1:], (0, 0))
            results.opens_everywhere(self, files[2])
        self.export(files[2], "part 3 of 5")
        self.merge([first, *files, last])
        self.same(whole, self.path("all.h5"))

    def export(self, path, words):
        """Other programs take a part for a file in which checkpoints have failed."""
        tool = os.environ.get("LLMFP_EXPORT") or os.path.join(
            os.path.dirname(program.scanner()), "..", "export", "llmfp-export")
        done = subprocess.run([tool, "--json", path], capture_output=True, text=True, timeout=60,
                              check=False)
        self.check(done.returncode == 0 and words in done.stdout, done.stderr)

    def test_failed_checkpoints(self):
        """One is not there, one has a damaged header, one ends too early."""
        manifest = "model-0\ngone\nbad\nmodel-1\nshort\n"
        os.mkdir(self.path("bad"))
        self.write("bad/model.safetensors", b"\xff" * 20000)
        shutil.copytree(self.path("model-2"), self.path("short"))
        for name in os.listdir(self.path("short")):
            if name.endswith(".safetensors"):
                os.truncate(self.path("short", name), 20000)
        whole = self.scan_to("whole.h5", manifest, status=3)
        files = []
        for k in range(1, 5):
            path = self.write("list.txt", manifest)
            done = program.run(["-q", "-o", self.path(f"f{k}.h5"), f"--part={k}/4", path], None,
                               self.folder)
            self.check(done.status in (0, 3), done.tell())
            files.append(self.path(f"f{k}.h5"))
        self.merge(files, status=3)
        self.same(whole, self.path("all.h5"))

    def test_missing_and_twice(self):
        files = self.parts(3, prefix="p")
        self.refused(files[:2], "part 3 of 3 is missing", files[0])
        shutil.copy(files[1], self.path("copy.h5"))
        self.refused([*files, self.path("copy.h5")], "both part 2 of 3", files[1], "copy.h5")
        whole = self.scan_to("other.h5", "model-3\n")
        self.refused([whole, *files], "label 'model-3'", whole)
        self.refused([*files, whole], "label 'model-3'", whole)

    def test_changed_between(self):
        files = self.parts(2, prefix="p")
        shutil.copy(files[1], self.path("old.h5"))
        os.remove(files[1])
        # Another time of a file that both parts have a slice of: same sizes, perhaps other weights.
        for number in range(4):
            for name in os.listdir(self.path(f"model-{number}")):
                os.utime(self.path(f"model-{number}", name), (1, 1))
        files = [files[0], self.scan_to("p-2.h5", self.MANIFEST, "--part=2/2")]
        self.refused(files, "cannot be joined", "have changed between", files[0], files[1])
        # Another size: the shares themselves are others.
        shutil.rmtree(self.path("model-3"))
        shapes.llama(3, 4).write(self.path("model-3"))
        os.remove(files[1])
        self.scan_to("p-2.h5", self.MANIFEST, "--part=2/2")
        self.refused(files, "parts of different scans", files[0], files[1])

    def test_resume_and_append(self):
        path = self.write("m.txt", self.MANIFEST)
        out = self.path("p.h5")
        args = ["--part=2/3", "-o", out, path, "--summary=none"]
        self.equal(program.run(args, None, self.folder).status, 0)
        before = os.stat(out).st_ino
        done = program.run([*args, "--resume"], None, self.folder)
        self.equal((done.status, os.stat(out).st_ino), (0, before), done.tell())
        for options, words in ((["--part=1/3", "--resume"], "is not part 1 of 3"),
                               (["--part=2/4", "--resume"], "is not part 2 of 4"),
                               (["--part=2/3", "--resume", "--roles=attn.*"], "is not part 2 of 3"),
                               (["--append"], "merge the parts"), (["--resume"], "merge the parts"),
                               (["--part=2/3"], "exists")):
            done = program.run([*options, "-o", out, path], None, self.folder)
            self.check(done.status == 2 and words in done.err, done.tell())
        self.equal(os.stat(out).st_ino, before)

    def test_damaged_records(self):
        files = self.parts(2, "model-3\n", "p")
        with h5py.File(files[1]) as file:
            records = bytearray(file["part/records"][()].tobytes())
        for at in (0, 4, 9, 12, 20, 200, len(records) // 2, len(records) - 1):
            path = self.path(f"bad-{at}.h5")
            shutil.copy(files[1], path)
            changed = bytearray(records)
            changed[at] ^= 0x41
            with h5py.File(path, "r+") as file:
                del file["part/records"]
                file["part"].create_dataset("records", data=numpy.void(bytes(changed)))
            done = program.run(["--verify", path], None, self.folder, valid=False)
            self.equal(done.status, 3, f"byte {at}\n{done.tell()}")
            self.refused([files[0], path], path)
        for name, change in (
                ("number", lambda file: file["part"].attrs.__setitem__("number", numpy.int32(9))),
                ("digest", lambda file: file["part"].attrs.__setitem__("digest", "x")),
                ("records", lambda file: file.__delitem__("part/records"))):
            path = self.path(f"{name}.h5")
            shutil.copy(files[1], path)
            with h5py.File(path, "r+") as file:
                change(file)
            self.refused([files[0], path], path)


if __name__ == "__main__":
    harness.main()
