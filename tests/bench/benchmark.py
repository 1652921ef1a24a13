"""How fast the scan is, beside what it could be at best and what people use now.

    benchmark.py --scan LLMFP-SCAN --tools FOLDER [--size 2G] [--json FILE] [--folder DIR]
                 [--runs 5] [--encodings BF16,F32,...] [--launcher "mpirun --oversubscribe"]
                 [--inputs]

Makes checkpoints (data.py), one per encoding, in DIR, and times:
  raw      N processes that read the same bytes with pread and do nothing else
  scan     llmfp-scan on N ranks: the part of it that reads and computes; floats also by
           instruction set; `scan + results`: all but MPI's start and end
  cold     the same after the file has been dropped from the page cache, beside dd bs=16M (BF16)
  numpy    numpy.std of the tensors (F16, F32, F64), torch torch.std with N threads, where they
           are installed
  exact    a plain superaccumulator, element by element (an eighth of the bytes)
  inexact  processor time, user and system, of the whole scan of 8 checkpoints (the same file)
           on one rank, beside that of a program that sums their elements as doubles, rounded
           at every step (BF16, F16, F32)
  start    a scan of a tiny checkpoint on 4 ranks, beside a program that starts and ends MPI
With --inputs only values that are hard on kernels, beside Gaussian ones (values.py), floats only.
Each figure is the best of RUNS, and what is compared takes turns: other programs may share the
machine. GB/s are powers of 1000. Progress goes to standard error, tables for README.md to standard
output. Needs numpy. Nothing here is a test; scan.benchmark tests that it runs.
"""
import argparse
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time

import numpy as np

import data
import inputs

RANKS = (1, 2)
COPIES = 8  # of a checkpoint, where MPI's start is not to count for much
ISAS = ("avx512", "avx2", "neon", "portable")


def drop(path):
    """Out of the page cache (clean pages only: the file has been synced)."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def seconds_of(command):
    """What a tool says that it took."""
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                text=True).stdout.split()[1])


def wall_time(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start


def processor_time(work):
    """Seconds, user and system, of the processes that `work` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.processor = {}
        self.width = 26 if options.inputs else 16
        self.env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1",
                        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        self.isas = [isa for isa in ISAS if self.supports(isa)]

    def tool(self, name):
        return os.path.join(self.options.tools, name)

    def best(self, measures, runs=None):
        """{name: least seconds} of functions that take turns; of tuples, item by item."""
        found = {}
        for _ in range(runs or self.options.runs):
            for name, measure in measures.items():
                found.setdefault(name, []).append(measure())
        return {name: tuple(map(min, zip(*each))) if isinstance(each[0], tuple) else min(each)
                for name, each in found.items()}

    # ---- the program ----

    def scan_command(self, path, ranks, copies=1):
        manifest = os.path.join(self.options.folder, "manifest.txt")
        with open(manifest, "w", encoding="utf-8") as file:
            for copy in range(copies):
                file.write(f'copy{copy} "{path}"\n')
        return self.launch(ranks) + [
            self.options.scan, "--overwrite", "--progress=none", "--summary=none", "--timings",
            "-o", os.path.join(self.options.folder, "out.h5"), manifest]

    def launch(self, ranks):
        return self.options.launcher + ["-n", str(ranks)] if ranks > 1 else []

    def scan(self, path, ranks, isa=None):
        """(seconds of reading and computing, of the slowest rank; of the scan and its results)."""
        env = dict(self.env, LLMFP_ISA=isa) if isa else self.env
        done = subprocess.run(self.scan_command(path, ranks), env=env, stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        most = {line.split()[0]: float(line.split()[3]) for line in done.stderr.splitlines()
                if re.match(r"(stream|total) ", line)}
        return most["stream"], most["total"]

    def tiny(self):
        return data.make(os.path.join(self.options.folder, "tiny"), "F8_E4M3", 1).path

    def supports(self, isa):
        try:
            self.scan(self.tiny(), 1, isa)
        except RuntimeError:
            return False
        return True

    # ---- results ----

    def add(self, what, encoding, ranks, size, seconds, raw=None, extra=None):
        rate = size / max(seconds, 1e-6) / 1e9
        row = {"what": what, "encoding": encoding, "ranks": ranks, "GB/s": round(rate, 4),
               **(extra or {})}
        if raw:
            row["of raw"] = round(raw / max(seconds, 1e-6), 4)
        self.rows.append(row)
        share = row.get("of raw", row.get("of Gaussian", ""))
        print(f"{what:<{self.width}} {encoding:<10} {ranks:>5} {rate:>9.2f} {share:>7}",
              file=sys.stderr, flush=True)

    def rate(self, what, encoding, ranks=1):
        """As a cell of a table."""
        found = [row["GB/s"] for row in self.rows
                 if (row["what"], row["encoding"], row["ranks"]) == (what, encoding, ranks)]
        return "" if not found else f"{found[0]:.1f}" if found[0] >= 1 else f"{found[0]:.2f}"

    # ---- what is measured ----

    def warm(self, encoding, checkpoint):
        isas = self.isas if encoding in data.FLOATS else []
        with open(checkpoint.file, "rb") as file:  # into the page cache
            while file.read(1 << 24):
                pass
        for ranks in RANKS:
            measures = {"raw": lambda r=ranks: (seconds_of([self.tool("raw_read"), checkpoint.file,
                                                            str(r)]), 0)}
            for isa in [None] + isas:
                measures[f"scan {isa or 'auto'}"] = lambda r=ranks, i=isa: self.scan(
                    checkpoint.path, r, i)
            found = self.best(measures)
            raw = found.pop("raw")[0]
            self.add("raw", encoding, ranks, checkpoint.size, raw)
            for what, (stream, total) in found.items():
                self.add(what, encoding, ranks, checkpoint.size, stream, raw)
                if what == "scan auto":
                    self.add("scan + results", encoding, ranks, checkpoint.size, total, raw)

    def cold(self, encoding, checkpoint):
        def dd(ranks):
            drop(checkpoint.file)
            blocks = -(-os.path.getsize(checkpoint.file) // (ranks << 24))
            commands = [["dd", f"if={checkpoint.file}", "of=/dev/null", "bs=16M",
                         f"skip={blocks * i}", f"count={blocks}"] for i in range(ranks)]

            def run():
                jobs = [subprocess.Popen(command, stderr=subprocess.DEVNULL)
                        for command in commands]
                for job in jobs:
                    job.wait()
            return wall_time(run)

        def scan(ranks):
            drop(checkpoint.file)
            return self.scan(checkpoint.path, ranks)[0]

        for ranks in RANKS:
            found = self.best({"dd cold": lambda r=ranks: dd(r), "scan cold": lambda r=ranks: scan(r)})
            self.add("dd cold", encoding, ranks, checkpoint.size, found["dd cold"])
            self.add("scan cold", encoding, ranks, checkpoint.size, found["scan cold"],
                     found["dd cold"])

    def exact(self, encoding, checkpoint):
        part = checkpoint.size // 8 // 8 * 8
        command = [self.tool("superaccumulator"), checkpoint.file, str(checkpoint.start), str(part),
                   encoding]
        self.add("exact, plain", encoding, 1, part,
                 self.best({"": lambda: seconds_of(command)}, 2)[""])

    def inexact(self, encoding, checkpoint):
        """Both ways of reading are tried: the better one is what the scan is held against."""
        def run(command):
            return lambda: processor_time(lambda: subprocess.run(
                command, env=self.env, check=True, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
        sums = [self.tool("inexact_sums"), checkpoint.file, str(checkpoint.start),
                str(checkpoint.size), encoding]
        found = self.best({"scan": run(self.scan_command(checkpoint.path, 1, COPIES)),
                           **{how: run(sums + [how, str(COPIES)]) for how in ("mmap", "pread")}})
        ratio = found["scan"] / max(min(found["mmap"], found["pread"]), 1e-6)
        self.processor[encoding] = {"GiB": COPIES * checkpoint.size / (1 << 30), **found,
                                    "ratio": ratio}
        print(f"processor time   {encoding:<10} {self.processor[encoding]}", file=sys.stderr)

    def numpy(self, encoding, checkpoint):
        kind = {"F16": np.float16, "F32": np.float32, "F64": np.float64}.get(encoding)
        if kind is not None:
            part = min(checkpoint.size, 1 << 29)
            values = np.fromfile(checkpoint.file, kind, part // np.dtype(kind).itemsize,
                                 offset=checkpoint.start)
            self.add("numpy.std", encoding, 1, part,
                     self.best({"": lambda: wall_time(lambda: np.std(values, ddof=1))}, 2)[""])

    def torch(self, encoding, checkpoint):
        try:
            import torch
        except ImportError:
            return
        kind = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32,
                "F64": torch.float64}.get(encoding)
        if kind is None:
            return
        part = min(checkpoint.size, 1 << 29)
        values = torch.frombuffer(np.fromfile(checkpoint.file, np.uint8, part,
                                              offset=checkpoint.start), dtype=kind)
        for threads in RANKS:
            torch.set_num_threads(threads)
            try:
                found = self.best({"": lambda: wall_time(lambda: torch.std(values))}, 2)
            except RuntimeError as error:  # some versions have no std of F16 on processors
                print(f"torch.std {encoding}: {error}", file=sys.stderr)
                return
            self.add("torch.std", encoding, threads, part, found[""])

    def start(self):
        """Seconds that a small scan on 4 ranks takes beyond MPI's own start and end."""
        scan, alone = self.scan_command(self.tiny(), 4), self.launch(4) + [self.tool("mpi_start")]

        def timed(command):
            return wall_time(lambda: subprocess.run(
                command, env=self.env, check=True, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
        found = self.best({"scan": lambda: timed(scan), "mpi": lambda: timed(alone)})
        return {"small scan, 4 ranks, s": round(found["scan"], 3),
                "MPI alone, s": round(found["mpi"], 3)}

    # ---- all of it ----

    def run(self):
        share = "of Gaussian" if self.options.inputs else "of raw"
        print(f"{'what':<{self.width}} {'encoding':<10} {'ranks':>5} {'GB/s':>9} {share:>7}",
              file=sys.stderr)
        start = {}
        if self.options.inputs:
            for encoding in filter(data.FLOATS.__contains__, self.options.encodings):
                inputs.measure(self, encoding)
        else:
            start = self.usual()
        self.print_tables(start)
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump({"rows": self.rows, "processor": self.processor, "start": start,
                           "size": self.options.size, "machine": machine()}, file, indent=1)

    def usual(self):
        """All but bad inputs; returns what start() found."""
        for encoding in self.options.encodings:
            checkpoint = data.make(self.options.folder, encoding, self.options.size)
            self.warm(encoding, checkpoint)
            if encoding in ("BF16", "F16", "F32"):
                self.inexact(encoding, checkpoint)
            if encoding in ("BF16", "F16", "F32", "F64"):
                self.exact(encoding, checkpoint)
                self.numpy(encoding, checkpoint)
                self.torch(encoding, checkpoint)
            if encoding == "BF16":
                self.cold(encoding, checkpoint)
        return self.start()

    def print_tables(self, start):
        def table(head, rows):
            rows = [row for row in rows if any(row[1:])]
            if not rows:
                return
            print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
            for row in rows:
                print("| " + " | ".join(row) + " |")
            print()

        encodings = self.options.encodings
        print(f"{machine()['processor']}, {machine()['cores']} cores; "
              f"{self.options.size / (1 << 30):.3g} GiB of each encoding; GB/s\n")
        columns = [("raw, 1 process", "raw", 1), ("scan, 1 rank", "scan auto", 1),
                   ("raw, 2 processes", "raw", 2), ("scan, 2 ranks", "scan auto", 2),
                   ("exact without windows", "exact, plain", 1), ("numpy.std", "numpy.std", 1),
                   ("torch.std, 1 thread", "torch.std", 1), ("torch.std, 2 threads", "torch.std", 2)]
        table(["encoding"] + [head for head, _, _ in columns],
              [[e] + [self.rate(what, e, ranks) for _, what, ranks in columns] for e in encodings])
        table(["1 rank, by instruction set"] + self.isas,
              [[e] + [self.rate(f"scan {isa}", e) for isa in self.isas] for e in encodings])
        table(["page cache dropped", "dd, 1 process", "scan, 1 rank", "dd, 2 processes",
               "scan, 2 ranks"],
              [[e] + [self.rate(what, e, ranks) for ranks in RANKS
                      for what in ("dd cold", "scan cold")] for e in encodings])
        table(["seconds of processor time, 1 rank", "GiB", "inexact sums, mmap",
               "inexact sums, pread", "scan", "scan / less of these"],
              [[e, f"{row['GiB']:.3g}"] + [f"{row[what]:.2f}" for what in
                                           ("mmap", "pread", "scan", "ratio")]
               for e, row in self.processor.items()])
        table(inputs.head(self), inputs.rows(self))
        print("; ".join(f"{what}: {seconds}" for what, seconds in start.items()))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = re.findall(r"model name\s*: (.*)", file.read())
    return {"processor": names[0] if names else "unknown", "cores": os.cpu_count()}


def size_of(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def main():
    parser = argparse.ArgumentParser(description="Benchmark of llmfp-scan")
    parser.add_argument("--scan", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--size", type=size_of, default="2G")
    parser.add_argument("--folder", default="benchmark-data")
    parser.add_argument("--json")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--encodings", type=lambda text: text.split(","), default=data.ENCODINGS)
    parser.add_argument("--inputs", action="store_true")
    parser.add_argument("--launcher", type=shlex.split, default="mpirun --oversubscribe")
    options = parser.parse_args()
    unknown = set(options.encodings) - set(data.ENCODINGS)
    if unknown:
        parser.error(f"no encodings {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(data.ENCODINGS)}")
    options.folder = os.path.abspath(options.folder)
    os.makedirs(options.folder, exist_ok=True)
    Bench(options).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
