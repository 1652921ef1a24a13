"""The benchmark runs: every encoding and way on next to no data; its tables and JSON are whole."""
import json
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench")
sys.path.insert(0, BENCH)

import data  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import values as values_of  # noqa: E402

FLOATS = ("BF16", "F16", "F32", "F64")


class Benchmark(program.ScanCase):
    def benchmark(self, *options):
        """What is in the JSON file, and what is printed."""
        launcher = os.environ.get("LLMFP_MPIRUN", "mpirun") + " --oversubscribe"
        done = subprocess.run(
            [sys.executable, os.path.join(BENCH, "benchmark.py"), "--scan", program.scanner(),
             "--tools", os.environ["LLMFP_BENCH_TOOLS"], "--size", "1M", "--runs", "1", "--folder",
             self.path("made"), "--json", self.path("out.json"), "--launcher", launcher, *options],
            env=program.environment(), capture_output=True, text=True, timeout=600, check=False)
        self.equal(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        with open(self.path("out.json"), encoding="utf-8") as file:
            return json.load(file), done

    def test_runs(self):
        found, done = self.benchmark()
        rows = {(row["what"], row["encoding"], row["ranks"]): row for row in found["rows"]}
        for row in rows.values():
            self.check(row["GB/s"] > 0, str(row))
        for encoding in data.ENCODINGS:
            for what in ("raw", "scan auto", "scan + results"):
                for ranks in (1, 2):
                    self.check((what, encoding, ranks) in rows, f"{what} {encoding} {ranks}")
            self.check(f"| {encoding} |" in done.stdout, f"{encoding} in\n{done.stdout}")
        for encoding in FLOATS:
            self.check(("exact, plain", encoding, 1) in rows, f"exact {encoding}")
            self.check(("scan portable", encoding, 2) in rows, f"portable {encoding}")
        for encoding in FLOATS[1:]:
            self.check(("numpy.std", encoding, 1) in rows, f"numpy {encoding}")
        for what in ("dd cold", "scan cold"):
            self.check((what, "BF16", 2) in rows, what)
        self.check(found["start"]["small scan, 4 ranks, s"] > 0, str(found["start"]))

    def test_inputs(self):
        """Values that are hard on kernels: each kind is measured, of floats only."""
        found, done = self.benchmark("--inputs", "--encodings", "F16,F8_E5M2,NF4")
        rows = {(row["encoding"], row["input"], row["isa"]): row for row in found["rows"]}
        self.equal({row["encoding"] for row in found["rows"]}, {"F16", "F8_E5M2"})
        for encoding in ("F16", "F8_E5M2"):
            for kind in values_of.BAD:
                row = rows[encoding, kind, "portable"]
                self.check(row["GB/s"] > 0 and row["of Gaussian"] > 0, str(row))
                self.check(kind in done.stdout, f"{kind} in\n{done.stdout}")
            self.check(f"| {encoding} |" in done.stdout, f"{encoding} in\n{done.stdout}")

    def test_kinds(self):
        """Each kind of values is what its name says, in every encoding of floats."""
        lines = []
        for encoding in data.FLOATS:
            for kind in values_of.MAKERS:
                made = data.make(self.path("made"), encoding, 1 << 20, kind)
                lines.append(f'"{encoding} {kind}" "{made.path}"\n')
        found, done = self.scan("".join(lines))
        self.clean(done)
        for encoding, (least, normal, most) in data.RANGES.items():
            def cell(kind, name=encoding):
                return found.cells(f"{name} {kind}")["mlp.up", 0]
            for kind in values_of.MAKERS:
                self.equal(cell(kind)["nonfinite"], 0, f"{encoding} {kind}")
            self.equal(cell("constant")["std"], 0.0)
            self.check(cell("subnormal")["max"] < 2.0 ** normal, f"subnormal {encoding}")
            share = cell("30 % zeros")["zeros"] / cell("30 % zeros")["count"]
            self.check(0.29 < share < 0.4, f"{share} are zeros, {encoding}")
            self.check(cell("1 % outliers")["max"] > 10 * cell("Gaussian")["std"], encoding)
            self.check(cell("60 binades")["max"] >= 2.0 ** min(most, 19), f"binades {encoding}")
            self.equal({cell(kind)["std"] for kind in ("sorted", "Gaussian")},
                       {cell("Gaussian")["std"]}, f"sorted {encoding}")
            self.check(cell("subnormal")["max"] >= 2.0 ** least, encoding)

    def test_checkpoints(self):
        """What is timed is a scan of all the data: no encoding is refused or left out."""
        lines = []
        for encoding in data.ENCODINGS:
            made = data.make(self.path("made"), encoding, 1 << 20)
            self.check(0.9 < made.size / (1 << 20) < 4.1, f"{encoding}: {made.size} bytes")
            again = data.make(self.path("made"), encoding, 1 << 20)
            self.equal(again, made, "a checkpoint that is there is used again")
            lines.append(f'"{encoding}" "{made.path}"\n')
        found, done = self.scan("".join(lines))
        self.clean(done)
        for encoding in data.ENCODINGS:
            self.equal(found.model("status", encoding), "ok")
            cells = found.cells(encoding)
            self.equal({key[0] for key in cells}, {"mlp.down" if encoding == "MXFP4" else "mlp.up"})
            self.equal(int(found.model("unmapped_bytes", encoding)), 0, encoding)
        self.equal(int(found["nonfinite"].sum()), 0, "infinite scales would be a slow path")


if __name__ == "__main__":
    harness.main()
