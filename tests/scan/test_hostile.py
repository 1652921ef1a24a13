"""Wrong manifests, command lines and checkpoints: the right exit code, one clear sentence each,
no hang on any number of ranks, and good checkpoints beside broken ones stay complete."""
import contextlib
import os
import random
import resource
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))

import h5py  # noqa: E402

import broken  # noqa: E402
import broken_folders  # noqa: E402,F401  (adds to broken.BROKEN)
import broken_headers  # noqa: E402,F401
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

LONGEST_LINE = 1500
HANG = 60
LONGEST_SECONDS = 2
MOST_DATA = 300 << 20  # anonymous memory of a process, as the kernel limits it
# What may take time or memory when it is taken at its word.
COSTLY = ("deep", "100,000", "million", "thousand", "MiB", "2^6", "long", "FIFO", "device", "circle",
          "hundred")
# The sanitizers need more memory, and time.
SANITIZED = "ASAN_OPTIONS" in os.environ


@contextlib.contextmanager
def limited_data():
    """Processes that are started meanwhile cannot have more anonymous memory than allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class Hostile(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.model = shapes.llama(1, 3)
        self.model.write(self.path("good"))

    def one_error(self, done, *words):
        """Exactly one error line; it is printable, not endless, and holds all the words."""
        lines = done.errors()
        self.equal(len(lines), 1, f"error lines\n{done.tell()}\n")
        self.sentence(lines[0], done, *words)

    def sentence(self, line, done, *words):
        self.check(len(line.encode()) <= LONGEST_LINE, f"a line of {len(line)} characters")
        # (A no-break space is harmless, but not printable to Python.)
        self.check(all(char.isprintable() or char == "\u00a0" for char in line),
                   f"not printable: {line!r}")
        for word in words:
            self.check(word in line, f"{word!r} is not in the message\n{done.tell()}")

    def files(self):
        return sorted(os.listdir(self.folder))

    def refused(self, args, words=(), ranks=None, statuses=(2,), **keywords):
        """The run ends with a usage error and leaves no file behind."""
        before = self.files()
        done = program.run(args, ranks, self.folder, timeout=HANG, **keywords)
        self.check(done.status in statuses, f"wanted exit status {statuses}\n{done.tell()}")
        self.one_error(done, *words)
        self.equal(self.files(), before, f"files left behind\n{done.tell()}")
        return done


class Checkpoints(Hostile):
    def build(self, name, number):
        folder = self.path(f"bad-{number}")
        os.mkdir(folder)
        build, words = broken.BROKEN[name]
        return build(folder) or folder, words

    def alone(self, number, name):
        """One broken checkpoint beside a good one, in a folder of its own."""
        folder = self.path(f"alone-{number}")
        os.mkdir(folder)
        path, words = self.build(name, number)
        manifest = os.path.join(folder, "manifest.txt")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(f'broken "{path}"\ngood "{self.path("good")}"\n')
        output = os.path.join(folder, "out.h5")
        done = program.run(["-o", output, "--progress=none", manifest], None, self.folder,
                           timeout=HANG, valid=False)
        return name, words, output, done

    def test_each_alone(self):
        """In bounded time and memory, two at a time: those that claim much, and of the others
        every tenth (all with LLMFP_SLOW=1)."""
        chosen = [name for number, name in enumerate(broken.BROKEN) if harness.SLOW
                  or number % 10 == 0 or any(word in name for word in COSTLY)]
        self.check(len(chosen) >= 60, f"{len(chosen)} checkpoints")
        with limited_data(), ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(self.alone, range(len(chosen)), chosen))
        for name, words, output, done in runs:
            with self.subTest(name):
                self.equal(done.status, 3, f"{name}: exit status\n{done.tell()}")
                self.one_error(done, *words)
                self.check("broken" in done.errors()[0], f"the label is not named\n{done.tell()}")
                self.check(SANITIZED or done.seconds < LONGEST_SECONDS,
                           f"{name}: took {done.seconds:.1f} s")
                found = results.load(output)
                self.equal(found["status"], ["failed", "ok"], name)
                for word in words:
                    self.check(word in found.model("message", "broken"), f"{name}: {word!r} is "
                               f"not in the file's message {found.model('message', 'broken')!r}")
                results.compare(self, found, "good", self.model.cells())

    def all_at_once(self, ranks):
        lines, words, cells = [], {}, {}
        for number, name in enumerate(broken.BROKEN):
            path, expected = self.build(name, number)
            lines.append(f'broken-{number}-here "{path}"')
            words[f"broken-{number}-here"] = expected
            if number % 10 == 0:
                model = shapes.llama(number, 3)
                model.write(self.path(f"good-{number}"))
                lines.append(f"good-{number}")
                cells[f"good-{number}"] = model.cells()
        found, done = self.scan("\n".join(lines) + "\n", ranks=ranks, status=3, timeout=300)
        errors = done.errors()
        self.equal(len(errors), len(words), f"error lines\n{done.tell()}")
        for label, expected in words.items():
            own = [line for line in errors if label in line]
            self.equal(len(own), 1, f"lines about {label}")
            self.sentence(own[0], done, *expected)
            self.equal(found.model("status", label), "failed", label)
            self.check(found.model("message", label) != "", f"{label} has no message")
        for label, wanted in cells.items():
            self.equal(found.model("status", label), "ok", label)
            results.compare(self, found, label, wanted)

    def test_enough_cases(self):
        self.check(len(broken.BROKEN) >= 250, f"{len(broken.BROKEN)} broken checkpoints")

    def test_all_at_once_on_one_rank(self):
        self.all_at_once(None)

    def test_all_at_once_on_three_ranks(self):
        self.all_at_once(3)

    def test_only_broken_ones(self):
        for ranks in (None, 3):
            path, words = self.build("header cut short", 100 + (ranks or 0))
            found, done = self.scan(f'bad "{path}"\n', "--overwrite", ranks=ranks, status=3)
            self.one_error(done, *words)
            self.equal(found["status"], ["failed"])
            self.equal(found.roles, [])

    def test_strict(self):
        for ranks in (None, 3):
            path, words = self.build("header cut short", 200 + (ranks or 0))
            self.write("manifest.txt", f'good\nbad "{path}"\n')
            before = self.files()
            done = program.run(["-o", "out.h5", "--strict", "--progress=none", "manifest.txt"],
                               ranks, self.folder, timeout=HANG)
            self.check(done.status in (1, 3), f"--strict with a broken checkpoint\n{done.tell()}")
            self.one_error(done, *words)
            if done.status == 1:
                left = set(self.files()) - set(before)
                self.check("out.h5" not in left, "status 1, but a results file was written")


class Journals(Hostile):
    """A journal that somebody has damaged costs what it held, and nothing else."""

    def damaged(self, whole):
        for n in (0, 1, 15, 16, 23, 24, 25, 31, 40, len(whole) // 2, len(whole) - 1):
            yield f"cut to {n} bytes", whole[:n]
        yield "zeros", bytes(len(whole))
        yield "text", b"this is no journal\n" * 10
        yield "bytes behind it", whole + b"\xff" * 100
        yield "zeros behind it", whole + bytes(4096)
        yield "twice", whole + whole[24:]
        yield "another key", whole[:16] + b"\x55" * 8 + whole[24:]
        yield "a length of 2^32 - 1", whole[:24] + b"\xff" * 4 + whole[28:]
        generator = random.Random(3)
        for number in range(12):
            changed = bytearray(whole)
            for _ in range(1 + number % 3):
                at = generator.randrange(len(whole))
                changed[at] ^= 1 << generator.randrange(8)
            yield f"flipped bits, {number}", bytes(changed)

    def test_damaged_journals(self):
        shapes.llama(2, 3).write(self.path("second"))
        self.write("manifest.txt", "good\nsecond\n")
        args = ["-o", "out.h5", "--progress=none", "manifest.txt"]
        # Where the results file should be made there is a folder: the journal stays.
        os.mkdir(self.path("out.h5.part"))
        done = program.run(args, None, self.folder)
        self.equal(done.status, 1, done.tell())
        os.rmdir(self.path("out.h5.part"))
        with open(self.path("out.h5.journal"), "rb") as file:
            whole = file.read()
        self.check(len(whole) > 1000, f"a journal of {len(whole)} bytes")
        for name, content in self.damaged(whole):
            with self.subTest(name), limited_data():
                self.write("out.h5.journal", content)
                done = program.run(["--resume", *args], None, self.folder, timeout=HANG,
                                   valid=False)
                self.check(done.status in (0, 1, 2), f"{name}\n{done.tell()}")
                if done.status != 0:
                    self.one_error(done, "out.h5.journal")
                    self.check(not os.path.exists(self.path("out.h5")), f"{name}: a file is left")
                    continue
                found = results.load(self.path("out.h5"))
                self.equal(found["status"], ["ok", "ok"], name)
                results.compare(self, found, "good", self.model.cells())
                os.remove(self.path("out.h5"))


class Manifests(Hostile):
    BAD = {
        "empty": (b"", ["manifest.txt"]),
        "comments only": (b"# nothing\n\n   # more\n", ["manifest.txt"]),
        "same label twice": (b"a good\n\n# x\na good\n", ["manifest.txt", "a", "1", "4"]),
        "same default label": (b"good\nother/good\n", ["manifest.txt", "good", "1", "2"]),
        "label for two matches": (b"x g*\n", ["manifest.txt", "x", "1"]),
        "glob without match": (b"good\nnothing-*\n", ["manifest.txt", "nothing-*", "2"]),
        "unknown key": (b"good colour=red\n", ["manifest.txt", "colour", "1"]),
        "open quote": (b'good\n"bad\n', ["manifest.txt", "2"]),
        "bad UTF-8": (b"good\n\xff\xfe\n", ["manifest.txt", "2"]),
        "NUL byte": (b"good\nba\0d\n", ["manifest.txt", "2"]),
        "three words": (b"good\n\nlabel good more\n", ["manifest.txt", "3"]),
        "empty path": (b'good\nlabel ""\n', ["manifest.txt", "2"]),
        "empty label": (b'"" good\n', ["manifest.txt", "1"]),
    }

    def test_bad_manifests(self):
        self.model.write(self.path("other", "good"))
        self.model.write(self.path("good2"))
        for name, (text, words) in self.BAD.items():
            with self.subTest(name):
                self.write("manifest.txt", text)
                for ranks in (None, 3):
                    self.refused(["manifest.txt"], words, ranks)
        self.refused(["-"], ["2"], stdin=b"good\nmore words here\n")
        self.refused(["-"], ["2"], 3, stdin=b"good\nmore words here\n")

    def test_manifest_that_cannot_be_read(self):
        for ranks in (None, 3):
            self.refused(["none.txt"], ["none.txt"], ranks)
            self.refused([self.folder], [os.path.basename(self.folder)], ranks)

    def test_same_path_twice_is_fine(self):
        found, _ = self.scan("a good\nb good\n")
        self.equal(found.models, ["a", "b"])
        self.equal(str(found.cells("a")), str(found.cells("b")))


class CommandLines(Hostile):
    def setUp(self):
        super().setUp()
        self.write("manifest.txt", "good\n")

    def test_bad_command_lines(self):
        for args, words in (
                ([], []), (["manifest.txt", "manifest.txt"], []),
                (["--frobnicate", "manifest.txt"], ["frobnicate"]),
                (["-x", "manifest.txt"], ["x"]),
                (["manifest.txt", "-o"], ["o"]), (["manifest.txt", "--roles"], ["roles"]),
                (["-o", "", "manifest.txt"], []),
                (["--strict=yes", "manifest.txt"], ["strict"]),
                (["--chunk", "0", "manifest.txt"], ["chunk", "0"]),
                (["--chunk", "abc", "manifest.txt"], ["chunk", "abc"]),
                (["--chunk", "-5", "manifest.txt"], ["chunk", "-5"]),
                (["--chunk", "12Q", "manifest.txt"], ["chunk", "12Q"]),
                (["--chunk", "1.5M", "manifest.txt"], ["chunk", "1.5M"]),
                (["--chunk", "64MM", "manifest.txt"], ["chunk", "64MM"]),
                (["--chunk", "", "manifest.txt"], ["chunk"]),
                (["--chunk", "99999999999999999999G", "manifest.txt"], ["chunk"]),
                (["--progress", "sometimes", "manifest.txt"], ["progress", "sometimes"]),
                (["--summary", "xml", "manifest.txt"], ["summary", "xml"]),
                (["--roles", "", "manifest.txt"], ["roles"]),
                (["--roles", "attn.q,,attn.k", "manifest.txt"], ["roles"]),
                (["--roles", "attn.zebra", "manifest.txt"], ["attn.zebra"]),
                (["--resume", "--overwrite", "manifest.txt"], ["resume", "overwrite"]),
                (["--append", "--overwrite", "manifest.txt"], ["append", "overwrite"])):
            with self.subTest(str(args)):
                self.refused(args, words)
        for args in (["--frobnicate", "manifest.txt"], ["--chunk", "abc", "manifest.txt"], []):
            self.refused(args, [], 3)

    def existing(self, args, name, words, content, ranks=None):
        self.write(name, content)
        self.refused(args, words, ranks, statuses=(1, 2))
        with open(self.path(name), "rb") as file:
            self.check(file.read() == content, f"{name} was changed")

    def test_existing_output(self):
        for ranks in (None, 3):
            self.existing(["-o", "here.h5", "manifest.txt"], "here.h5", ["here.h5", "--overwrite"],
                          b"precious", ranks)
            self.existing(["manifest.txt"], "llmfp.h5", ["llmfp.h5"], b"precious too", ranks)
            os.remove(self.path("llmfp.h5"))
        # Refused before anything is read: also when the checkpoint itself is missing.
        self.write("manifest.txt", "gone\n")
        self.existing(["-o", "here.h5", "manifest.txt"], "here.h5", ["here.h5"], b"precious")

    def test_append_to_something_else(self):
        for ranks in (None, 3):
            self.existing(["--append", "-o", "here.h5", "manifest.txt"], "here.h5", ["here.h5"],
                          b"this is not HDF5", ranks)
        with h5py.File(self.path("alien.h5"), "w") as file:
            file["x"] = 1
        with open(self.path("alien.h5"), "rb") as file:
            content = file.read()
        self.existing(["--append", "-o", "alien.h5", "manifest.txt"], "alien.h5", ["alien.h5"],
                      content)

    def test_output_that_cannot_be_written(self):
        os.mkdir(self.path("folder"))
        for ranks in (None, 3):
            for output in ("none/out.h5", "folder", "manifest.txt/out.h5"):
                self.refused(["-o", output, "manifest.txt"], [output.split("/")[0]], ranks,
                             statuses=(1, 2))
        self.refused(["-o", "folder", "--overwrite", "manifest.txt"], ["folder"],
                     statuses=(1, 2))

    def test_output_on_top_of_the_input(self):
        """The manifest is no results file: it stays, unless the user insists."""
        self.refused(["-o", "manifest.txt", "manifest.txt"], ["manifest.txt"], statuses=(1, 2))
        self.check(os.path.getsize(self.path("manifest.txt")) == 5)


class Vanishing(Hostile):
    def test_file_that_shrinks(self):
        """A file that ends before its data does fails alone."""
        self.model.write(self.path("cut"))
        path = self.path("cut", "model.safetensors")
        shutil.copy(path, self.path("whole"))
        os.truncate(path, os.path.getsize(path) - 100)
        for ranks in (None, 3):
            found, done = self.scan("cut\ngood\n", "--overwrite", ranks=ranks, status=3)
            self.one_error(done, "cut", "model.safetensors")
            results.compare(self, found, "good", self.model.cells())


if __name__ == "__main__":
    harness.main()
