"""How fast the scan reads values that are hard on kernels (values.py), beside Gaussian ones.

measure(bench, encoding) times each kind in turns with Gaussian values of the same encoding, by
instruction set; head(bench) and rows(bench) are a table of what was found.
"""
import os
import shutil

import data
from values import BAD, GAUSSIAN


def measure(bench, encoding):
    """Rows of `bench`, each a kind and an instruction set, beside Gaussian values."""
    size = bench.options.size
    usual = data.make(bench.options.folder, encoding, size)
    for kind in BAD:
        made = data.make(bench.options.folder, encoding, size, kind)
        for isa in bench.isas:
            found = bench.best({
                GAUSSIAN: lambda i=isa: bench.scan(usual.path, 1, i)[0],
                kind: lambda i=isa, path=made.path: bench.scan(path, 1, i)[0]})
            share = (found[GAUSSIAN] / usual.size) / max(found[kind] / made.size, 1e-15)
            bench.add(f"{kind}, {isa}", encoding, 1, made.size, found[kind],
                      extra={"input": kind, "isa": isa, "of Gaussian": round(share, 4)})
        shutil.rmtree(os.path.dirname(made.file))


def head(bench):
    return ["1 rank, part of the Gaussian rate"] + [
        f"{kind}, {isa}" if len(bench.isas) > 1 else kind for kind in BAD for isa in bench.isas]


def rows(bench):
    shares = {(row["encoding"], row["input"], row["isa"]): row["of Gaussian"]
              for row in bench.rows if "input" in row}
    return [[encoding] + [f"{shares[encoding, kind, isa]:.2f}" for kind in BAD
                          for isa in bench.isas]
            for encoding in bench.options.encodings if (encoding, BAD[0], bench.isas[0]) in shares]
