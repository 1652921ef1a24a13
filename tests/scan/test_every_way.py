"""81 checkpoints of every encoding, by every way: ranks, ways of reading, instruction sets, sizes of
chunks. The results are the same to the byte; what they must be, other tests say (and this one for
the plain ones).

Each combination of ranks, way and instruction set runs once, with a chunk size by turns, so that any
two settings meet; with LLMFP_SLOW=1 all combinations do.
"""
import itertools
import os
import sys

for folder in ("support", "bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder))

import data  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

N_CHECKPOINTS = 81
RANKS = (None, 2, 3, 5)
WAYS = ("mmap", "pread", "direct")
ISAS = ("portable", "avx2", "")  # one that the machine lacks is as none: its best
CHUNKS = ("", "4099", "64K", "1M")


def combinations():
    every = list(itertools.product(RANKS, WAYS, ISAS))
    if harness.SLOW:
        return [(*three, chunk) for three in every for chunk in CHUNKS]
    # Steps of 1, 1 and 2: each rank count, way and instruction set meets every chunk size.
    return [(ranks, way, isa, CHUNKS[(RANKS.index(ranks) + WAYS.index(way) + 2 * ISAS.index(isa))
                                     % len(CHUNKS)]) for ranks, way, isa in every]


class EveryWay(program.ScanCase):
    def setUp(self):
        super().setUp()
        lines = []
        for encoding in data.ENCODINGS:
            made = data.make(self.path("made"), encoding, 256 << 10)
            lines.append(f'"{encoding}" "{made.path}"\n')
        self.models = {}
        dtypes = ("BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2")
        makers = (lambda seed: shapes.llama(seed, 2 + seed % 5, dtypes[seed % 6]),
                  lambda seed: shapes.mixtral(seed, 3), lambda seed: shapes.phi3_pair(seed, 2)[0],
                  lambda seed: shapes.neox_pair(seed, 2)[0], lambda seed: shapes.gpt2_pair(seed, 2)[0])
        for seed in range(N_CHECKPOINTS - len(lines)):
            label = f"model-{seed}"
            self.models[label] = makers[seed % len(makers)](seed)
            self.models[label].write(self.path(label), shards=1 + seed % 3)
            lines.append(f"{label}\n")
        self.equal(len(lines), N_CHECKPOINTS, "checkpoints")
        self.manifest = self.write("manifest.txt", "".join(lines))

    def test_every_way(self):
        reference, _ = self.scan(self.manifest, "--summary=none", output="first.h5")
        for label in list(self.models)[:10]:
            results.compare(self, reference, label, self.models[label].cells())
        n = 0
        for ranks, way, isa, chunk in combinations():
            what = f"ranks {ranks or 1}, {way}, {isa or 'default'}, chunks {chunk or 'default'}"
            options = ["--overwrite", "--summary=none", f"--io={way}"]
            options += [f"--chunk={chunk}"] if chunk else []
            found, done = self.scan(self.manifest, *options, ranks=ranks, valid=False,
                                    env={"LLMFP_ISA": isa})
            self.clean(done)
            results.equal(self, reference, found, (), what)
            if n % 9 == 0:
                results.h5diff(self, self.path("first.h5"), self.path("out.h5"), ())
            n += 1
        print(f"{n} ways to scan {N_CHECKPOINTS} checkpoints", flush=True)


if __name__ == "__main__":
    harness.main()
