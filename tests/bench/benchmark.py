"""How fast the scan is, beside what it could be at best and what people use now.

    benchmark.py --scan LLMFP-SCAN --tools FOLDER [--size 2G] [--json FILE] [--folder DIR] [--runs 5]

Makes checkpoints of random normal weights (std 0.02), one per encoding, in DIR, and times:
  raw      N processes that read the same bytes with pread and do nothing else
  scan     llmfp-scan on N ranks, by instruction set, and the part of it that reads and computes
  cold     the same after the file has been dropped from the page cache, beside dd bs=16M
  numpy    numpy.std of the tensors (F16, F32, F64), torch torch.std, where they are installed
  exact    a plain superaccumulator, element by element (an eighth of the bytes)
Figures are GB/s (powers of 1000), the best of RUNS. A row's ratio is scan / raw.
Needs numpy to make the data. Nothing here is a test.
"""
import argparse
import json
import os
import re
import struct
import subprocess
import sys
import time

import numpy as np

ENCODINGS = ("BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2")
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "F8_E4M3": 1, "F8_E5M2": 1}
ROWS, COLUMNS = 4096, 4096


def encode(name, values):
    """Random normal values as bytes. FP8 codes are cut from half floats: realistic, not rounded."""
    if name == "BF16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    if name == "F16":
        return values.astype(np.float16).tobytes()
    if name == "F32":
        return values.astype(np.float32).tobytes()
    if name == "F64":
        return values.astype(np.float64).tobytes()
    half = (values * 32).astype(np.float16).view(np.uint16)
    if name == "F8_E5M2":
        return (half >> 8).astype(np.uint8).tobytes()
    sign = (half >> 8) & 0x80
    exponent = np.clip(((half >> 10) & 31).astype(int) - 8, 0, 14)
    return (sign | exponent << 3 | ((half >> 7) & 7)).astype(np.uint8).tobytes()


def make(folder, name, size):
    """A checkpoint of about `size` bytes in one encoding; (path, offset of the data, bytes)."""
    path = os.path.join(folder, name, "model.safetensors")
    one = ROWS * COLUMNS * BYTES[name]
    layers = max(1, size // one)
    header, offset = {}, 0
    for layer in range(layers):
        header[f"model.layers.{layer}.mlp.up_proj.weight"] = {
            "dtype": name, "shape": [ROWS, COLUMNS], "data_offsets": [offset, offset + one]}
        offset += one
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    if not (os.path.exists(path) and os.path.getsize(path) == start + offset):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = encode(name, np.random.default_rng(7).standard_normal(ROWS * COLUMNS) * 0.02)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for _ in range(layers):
                file.write(data)
            os.fsync(file.fileno())
    return path, start, offset


def best(runs, measure):
    return min(measure() for _ in range(runs))


def drop(path):
    """Out of the page cache (clean pages only: the file has been synced)."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def seconds_of(command):
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                text=True).stdout.split()[1])


class Bench:
    def __init__(self, options):
        self.options = options
        self.tool = lambda name: os.path.join(options.tools, name)
        self.rows = []

    def scan(self, path, ranks, isa=None, io="auto"):
        """(seconds of reading and computing, of the slowest rank; of the scan and its results)."""
        folder = os.path.dirname(os.path.dirname(path))
        manifest = os.path.join(folder, "manifest.txt")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(f'"{path}"\n')
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        if isa:
            env["LLMFP_ISA"] = isa
        command = [self.options.scan, "--overwrite", "--progress=none", "--summary=none",
                   "--timings", f"--io={io}", "-o", os.path.join(folder, "out.h5"), manifest]
        if ranks > 1:
            command = ["mpirun", "--oversubscribe", "-n", str(ranks)] + command
        done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        most = {line.split()[0]: float(line.split()[3]) for line in done.stderr.splitlines()
                if re.match(r"(read|compute|total) ", line)}
        return most["read"] + most["compute"], most["total"]

    def add(self, what, encoding, ranks, size, seconds, raw=None):
        rate = size / seconds / 1e9
        row = {"what": what, "encoding": encoding, "ranks": ranks, "GB/s": round(rate, 3)}
        if raw:
            row["of raw"] = round(raw / seconds, 3)
        self.rows.append(row)
        print(f"{what:<16} {encoding:<8} {ranks:>5} {rate:>9.2f} "
              f"{row.get('of raw', ''):>7}", flush=True)

    def warm(self, encoding, path, size, isas):
        runs = self.options.runs
        for ranks in (1, 2):
            raw = best(runs, lambda: seconds_of([self.tool("raw_read"), path, str(ranks)]))
            self.add("raw", encoding, ranks, size, raw)
            for isa in isas:
                found = [self.scan(path, ranks, isa) for _ in range(runs)]
                self.add(f"scan {isa or 'auto'}", encoding, ranks, size,
                         min(f[0] for f in found), raw)
                if isa is None:
                    self.add("scan + results", encoding, ranks, size, min(f[1] for f in found),
                             raw)

    def cold(self, encoding, path, size):
        for ranks in (1, 2):
            def dd():
                drop(path)
                start = time.monotonic()
                part = size // ranks >> 24
                jobs = [subprocess.Popen(["dd", f"if={path}", "of=/dev/null", "bs=16M",
                                          f"skip={part * i}", f"count={part}"],
                                         stderr=subprocess.DEVNULL) for i in range(ranks)]
                for job in jobs:
                    job.wait()
                return time.monotonic() - start

            def scan():
                drop(path)
                return self.scan(path, ranks)[0]
            raw = best(2, dd)
            self.add("dd cold", encoding, ranks, size, raw)
            self.add("scan cold", encoding, ranks, size, best(2, scan), raw)

    def exact(self, encoding, path, start, size):
        part = size // 8
        seconds = best(2, lambda: seconds_of([self.tool("superaccumulator"), path, str(start),
                                              str(part), encoding]))
        self.add("exact, plain", encoding, 1, part, seconds)

    def libraries(self, encoding, path, start, size):
        part = min(size, 1 << 29)
        kinds = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
        if encoding in kinds:
            data = np.fromfile(path, kinds[encoding], part // BYTES[encoding], offset=start)
            begin = time.monotonic()
            np.std(data, ddof=1)
            self.add("numpy.std", encoding, 1, part, time.monotonic() - begin)
        try:
            import torch
        except ImportError:
            return
        types = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32,
                 "F64": torch.float64}
        if encoding in types:
            torch.set_num_threads(1)
            raw = np.fromfile(path, np.uint8, part, offset=start)
            data = torch.frombuffer(raw, dtype=types[encoding])
            begin = time.monotonic()
            torch.std(data)
            self.add("torch.std", encoding, 1, part, time.monotonic() - begin)

    def run(self):
        isas = [None] + [isa for isa in ("avx512", "avx2", "neon", "portable")
                         if self.supports(isa)]
        print(f"{'what':<16} {'encoding':<8} {'ranks':>5} {'GB/s':>9} {'of raw':>7}")
        for encoding in self.options.encodings:
            path, start, size = make(self.options.folder, encoding, self.options.size)
            self.warm(encoding, path, size, isas)
            if encoding in ("BF16", "F16", "F32", "F64"):
                self.exact(encoding, path, start, size)
            self.libraries(encoding, path, start, size)
            if encoding == "BF16":
                self.cold(encoding, path, size)
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump({"rows": self.rows, "size": self.options.size,
                           "machine": machine()}, file, indent=1)

    def supports(self, isa):
        path = make(self.options.folder, "F8_E4M3", 1)[0]
        try:
            self.scan(path, 1, isa)
        except RuntimeError:
            return False
        return True


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
    parser.add_argument("--encodings", type=lambda text: text.split(","), default=ENCODINGS)
    options = parser.parse_args()
    options.folder = os.path.abspath(options.folder)
    Bench(options).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
