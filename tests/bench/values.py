"""Kinds of values for the benchmark: Gaussian ones, and such as are hard on kernels.

make(kind, rng, n, range_of) -> n doubles. The range of an encoding is three exponents: of its least
subnormal number, of its least normal number, and of its largest power of two.
"""
import numpy as np

STD = 0.02
BINADES = (-40, 20)  # sixty, where the encoding has them


def gaussian(rng, n, _):
    return rng.standard_normal(n) * STD


def constant(_rng, n, _):
    return np.full(n, STD)


def binades(rng, n, range_of):
    least, _, most = range_of
    exponents = rng.integers(max(BINADES[0], least), min(BINADES[1], most + 1), n)
    # Below 2, so that rounding makes no infinities.
    return np.ldexp(rng.uniform(1, 1.999, n), exponents) * rng.choice((-1.0, 1.0), n)


def subnormal(rng, n, range_of):
    least, normal, _ = range_of
    return np.ldexp(rng.integers(1, 1 << (normal - least), n), least) * rng.choice((-1.0, 1.0), n)


def ascending(rng, n, range_of):
    return np.sort(gaussian(rng, n, range_of))


def alternating(rng, n, range_of):
    values = np.abs(gaussian(rng, n, range_of))
    values[1::2] *= -1
    return values


def zeros(rng, n, range_of):
    return np.where(rng.uniform(size=n) < 0.3, 0.0, gaussian(rng, n, range_of))


def outliers(rng, n, range_of):
    values = gaussian(rng, n, range_of)
    values[17::100] = 3000 * STD
    return values


GAUSSIAN = "Gaussian"
MAKERS = {GAUSSIAN: gaussian, "constant": constant, "60 binades": binades, "subnormal": subnormal,
          "sorted": ascending, "alternating signs": alternating, "30 % zeros": zeros,
          "1 % outliers": outliers}
BAD = tuple(MAKERS)[1:]
SPREAD = ("60 binades", "subnormal")  # over the encoding's own range


def make(kind, rng, n, range_of):
    return MAKERS[kind](rng, n, range_of)
