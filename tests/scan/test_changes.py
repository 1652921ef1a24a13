"""Files that change while they are scanned: cut, replaced, written to, taken away. Such a
checkpoint fails alone, by a sentence that names its file, and the others are complete.

The disk is a slow one (LLMFP_SCAN_FAULTS, with a delay at each read), so that the change comes
in the middle, whatever the machine.
"""
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

# 250 chunks of 4 KiB at 10 ms: more than 0.8 s on three ranks.
SLOWLY = {"LLMFP_FAULT_DELAY": "pread:10000,madvise:10000"}
WAYS = ("mmap", "pread", "direct")


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def cut_to_nothing(path):
    os.truncate(path, 0)


def grow(path):
    with open(path, "ab") as file:
        file.write(b"more")


def write_in_place(path):
    """Other bytes, the same size: what a second download does."""
    with open(path, "r+b") as file:
        file.seek(-2000, os.SEEK_END)
        file.write(bytes(2000))


def replace(path):
    """What `mv new old` does: whoever has the old file open goes on with it."""
    shutil.copy(path, path + ".new")
    with open(path + ".new", "r+b") as file:
        file.seek(-2000, os.SEEK_END)
        file.write(bytes(2000))
    os.replace(path + ".new", path)


def take_away(path):
    os.remove(path)


def put_folder(path):
    os.remove(path)
    os.mkdir(path)


CHANGES = (cut, cut_to_nothing, grow, write_in_place, replace, take_away, put_folder)


class Changes(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.use_program_with_faults()
        self.good = shapes.llama(2, 3)
        self.good.write(self.path("good"))
        self.long = shapes.llama(1, 40, "F32")
        self.write("manifest.txt", "long\ngood\n")

    def start(self, way, ranks):
        return program.start(["-o", "out.h5", "--overwrite", f"--io={way}", "--chunk=4K",
                              "--progress=none", "--summary=none", "manifest.txt"], ranks,
                             self.folder, SLOWLY)

    def wait_until_open(self, process, path):
        """Until a rank has mapped or opened the file to read its data: some time after the
        headers, which are read at once."""
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            for pid in program.ranks_of(process):
                folder = f"/proc/{pid}/fd"
                try:
                    names = [os.path.join(folder, name) for name in os.listdir(folder)]
                    if path in map(os.readlink, names):
                        return
                except (FileNotFoundError, ProcessLookupError):
                    pass
            time.sleep(0.01)
        raise AssertionError("the file is never opened")

    def change(self, way, ranks, how):
        shutil.rmtree(self.path("long"), ignore_errors=True)
        self.long.write(self.path("long"))
        path = self.path("long", "model.safetensors")
        process = self.start(way, ranks)
        self.wait_until_open(process, os.path.realpath(path))
        time.sleep(0.15)
        running = process.poll() is None
        how(path)
        out, err = program.finish(process, 60)
        tell = f"{how.__name__}, {way}, {ranks} ranks: {process.returncode}\n{out}\n{err}"
        self.check(running, "the scan was over before the change")
        self.equal(process.returncode, 3, tell)
        lines = [line for line in err.splitlines() if line.startswith("llmfp-scan: error")]
        self.equal(len(lines), 1, tell)
        self.check("long" in lines[0] and "model.safetensors" in lines[0], tell)
        found = results.load(self.path("out.h5"))
        self.equal(found.model("status", "long"), "failed", tell)
        results.compare(self, found, "good", self.good.cells())

    def test_one_rank(self):
        for way in WAYS:
            for how in CHANGES:
                with self.subTest(f"{way} {how.__name__}"):
                    self.change(way, None, how)

    def test_three_ranks(self):
        for way in WAYS:
            for how in (cut, write_in_place, replace):
                with self.subTest(f"{way} {how.__name__}"):
                    self.change(way, 3, how)


if __name__ == "__main__":
    harness.main()
