#!/usr/bin/python3
"""Write curve_cases.h: curves, and what numpy and exact arithmetic make of them.

    /usr/bin/python3 make_curve_cases.py > curve_cases.h

Resampled curves and z-scores are numpy's own numbers. Correlations come twice:
numpy's (only where it is good to 1e-13 itself), and the exact one, from fractions.
"""
import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np

getcontext().prec = 60


def resample(curve, n):
    return np.interp(np.linspace(0, len(curve) - 1, n), np.arange(len(curve)), curve)


def centred(curve):
    values = [Fraction(float(x)) for x in curve]
    mean = sum(values) / len(values)
    return [x - mean for x in values]


def decimal(x):
    return Decimal(x.numerator) / Decimal(x.denominator)


def exact_pearson(a, b):
    a, b = centred(a), centred(b)
    ab = sum(x * y for x, y in zip(a, b))
    aa = sum(x * x for x in a)
    bb = sum(x * x for x in b)
    return float(decimal(ab) / decimal(aa * bb).sqrt())


def exact_signature(curve):
    a = centred(curve)
    deviation = decimal(sum(x * x for x in a) / len(a)).sqrt()
    return [float(decimal(x) / deviation) for x in a]


def numpy_pearson(a, b):
    with np.errstate(all="ignore"):
        return float(np.corrcoef(a, b)[0, 1])


def cases():
    random = np.random.default_rng(20250703)

    def curve(n, level=0.02, spread=0.3):
        steps = np.cumsum(random.normal(size=n))
        return level * (1 + spread * steps / (1 + abs(steps).max()))

    for n_a, n_b in ((3, 3), (3, 4), (3, 8), (12, 12), (12, 24), (24, 12), (28, 32), (31, 94)):
        yield "%d and %d layers" % (n_a, n_b), curve(n_a), curve(n_b)
    a = curve(22)
    yield "related", a, a * (1 + 0.01 * random.normal(size=22))
    yield "opposite", a, 1.0 - a
    yield "norm weights, 1 +- 1e-6", curve(16, 1.0, 1e-6), curve(16, 1.0, 1e-6)
    yield "mean 1e13 times the spread", curve(16, 1.0, 1e-13), curve(20, 1.0, 1e-13)
    ulps = 1.0 + random.integers(0, 5, size=18) * 2.0**-52
    yield "a few ulps of spread", ulps, curve(18)
    yield "1e-300", curve(10, 1e-300), curve(14, 1e-300)
    yield "1e300", curve(10, 1e300), curve(14, 1e300)
    yield "1e-300 and 1e300", curve(10, 1e-300), curve(10, 1e300)
    spike = np.full(15, 1e-30)
    spike[4] = 1e30
    yield "a spike of 1e60", spike, curve(15)


def array(name, values):
    lines = ["static const double %s[] = {" % name]
    for i in range(0, len(values), 4):
        lines.append("    " + ", ".join(float(x).hex() for x in values[i : i + 4]) + ",")
    return lines + ["};"]


def main():
    out = [
        "/* curve_cases.h - written by make_curve_cases.py; not edited by hand. */",
        "#ifndef LLMFP_CURVE_CASES_H",
        "#define LLMFP_CURVE_CASES_H",
        "",
        "#include <stddef.h>",
        "",
        "struct curve_case {",
        "    const char *name;",
        "    const double *a, *b;",
        "    size_t n_a, n_b;",
        "    const double *resampled;   /* numpy: the shorter (or a) on the longer's grid */",
        "    const double *signature_a; /* exact, rounded once */",
        "    double pearson;            /* exact, rounded once */",
        "    double numpy;              /* numpy.corrcoef; NaN where it is not accurate */",
        "};",
        "",
    ]
    rows = []
    accurate = 0
    for i, (name, a, b) in enumerate(cases()):
        n = max(len(a), len(b))
        resampled = resample(a if len(a) <= len(b) else b, n)
        exact = exact_pearson(resample(a, n), resample(b, n))
        by_numpy = numpy_pearson(resample(a, n), resample(b, n))
        good = math.isfinite(by_numpy) and abs(by_numpy - exact) < 1e-13
        accurate += good
        for letter, values in (("a", a), ("b", b), ("r", resampled), ("z", exact_signature(a))):
            out += array("case_%d_%s" % (i, letter), values)
        rows.append(
            '    {"%s", case_%d_a, case_%d_b, %d, %d, case_%d_r, case_%d_z, %s, %s},'
            % (name, i, i, len(a), len(b), i, i, exact.hex(), by_numpy.hex() if good else "NAN")
        )
    assert accurate >= 11
    out += ["", "static const struct curve_case curve_cases[] = {"] + rows + ["};", "", "#endif"]
    print("/* clang-format off */\n" + "\n".join(out))


main()
