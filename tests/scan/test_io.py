"""Ways of reading: the same numbers by each, and files that change under the scan."""
import os
import re
import sys
import time

for folder in ("support", "bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder))

import checkpoints  # noqa: E402
import data  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

WAYS = ("auto", "mmap", "pread", "direct")
GIB = 1 << 30


class Ways(program.ScanCase):
    def test_same_numbers(self):
        """Odd sizes and offsets, several files, small and large chunks."""
        model = shapes.llama(5, 4)
        model.write(self.path("one"))
        shapes.llama(6, 3).write(self.path("two"), shards=5)
        reference = None
        for way in WAYS:
            for chunk in ((), ("--chunk=4K",)):
                for ranks in (None, 3):
                    found, _ = self.scan("one\ntwo\n", "--overwrite", f"--io={way}", *chunk,
                                         ranks=ranks)
                    results.compare(self, found, "one", model.cells())
                    sums = found["exact/sum"].tobytes(), found["std"].tobytes()
                    reference = reference or sums
                    self.equal(sums, reference, f"{way} {chunk} {ranks}")

    def test_read_ahead(self):
        """Pieces that are large enough for it, with scales that are read in between."""
        lines = []
        for encoding in ("BF16", "F32", "FP8 blocks", "GPTQ 4 bit", "NF4", "Q4_K"):
            lines.append(f'"{encoding}" "{data.make(self.path("made"), encoding, 3 << 20).path}"\n')
        manifest = "".join(lines)
        wanted, _ = self.scan(manifest, "--io=mmap")
        for way, chunk, ranks in (("pread", "256K", None), ("pread", "300001", 2),
                                  ("direct", "256K", 2), ("direct", "300001", None),
                                  ("auto", "1M", 3)):
            found, _ = self.scan(manifest, "--overwrite", f"--io={way}", f"--chunk={chunk}",
                                 ranks=ranks)
            results.equal(self, wanted, found, (), f"{way} {chunk} {ranks}")

    def test_unknown_way(self):
        self.write("manifest.txt", "one\n")
        done = program.run(["--io=fast", "manifest.txt"], None, self.folder)
        self.equal(done.status, 2, done.tell())
        self.check("fast" in done.errors()[0] and "mmap" in done.errors()[0], done.tell())


class Memory(program.ScanCase):
    """Pages of a mapped file count as memory of a rank, too: they are given back."""

    def resident(self, pid):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                found = re.search(r"VmRSS:\s+(\d+) kB", file.read())
        except (FileNotFoundError, ProcessLookupError):
            found = None
        return int(found[1]) << 10 if found else 0

    def test_mapped_pages(self):
        os.makedirs(self.path("long"))
        tensors = {f"model.layers.{i}.mlp.up_proj.weight": (1 << 14, 1 << 14) for i in range(6)}
        checkpoints.write_sparse(self.path("long", "model.safetensors"), tensors)
        self.check(os.path.getsize(self.path("long", "model.safetensors")) > 3 * GIB, "too small")
        self.write("manifest.txt", "long\n")
        for way in ("mmap", "auto"):
            process = program.start(["-o", self.path("out.h5"), "--overwrite", f"--io={way}",
                                     "--progress=none", "--summary=none", "manifest.txt"], None,
                                    self.folder)
            peak, samples = 0, 0
            while process.poll() is None:
                peak, samples = max(peak, self.resident(process.pid)), samples + 1
                time.sleep(0.005)
            _, err = program.finish(process)
            self.equal(process.returncode, 0, err)
            self.check(samples > 10 and 0 < peak < 400 << 20, f"{way}: {peak} bytes were resident")


class Shrinking(program.ScanCase):
    """A file that is cut while it is read fails its checkpoint, never the program."""

    def cut_while_scanning(self, way, ranks):
        os.makedirs(self.path("long"), exist_ok=True)
        path = self.path("long", "model.safetensors")
        tensors = {f"model.layers.{i}.mlp.up_proj.weight": (1 << 15, 1 << 14) for i in range(12)}
        checkpoints.write_sparse(path, tensors)
        good = shapes.llama(9, 3)
        good.write(self.path("good"))
        self.write("manifest.txt", "long\ngood\n")
        process = program.start(["-o", self.path("cut.h5"), "--overwrite", f"--io={way}",
                                 "--chunk=256K", "--progress=none", "manifest.txt"], ranks,
                                self.folder)
        time.sleep(1.0)
        still_running = process.poll() is None
        os.truncate(path, 1 << 20)
        out, err = program.finish(process)
        self.check(still_running, "the scan was over before the file was cut")
        self.equal(process.returncode, 3, f"exit status\n{out}\n{err}")
        lines = [line for line in err.splitlines() if line.startswith("llmfp-scan: error")]
        self.equal(len(lines), 1, err)
        self.check("long" in lines[0] and "model.safetensors" in lines[0], err)
        found = results.load(self.path("cut.h5"))
        self.equal(found.model("status", "long"), "failed", err)
        results.compare(self, found, "good", good.cells())

    def test_mapped(self):
        self.cut_while_scanning("mmap", None)

    def test_mapped_on_three_ranks(self):
        self.cut_while_scanning("mmap", 3)

    def test_read(self):
        self.cut_while_scanning("pread", None)

    def test_direct(self):
        self.cut_while_scanning("direct", None)


if __name__ == "__main__":
    harness.main()
