"""What the scanner must find, computed with Python integers: exact to the last bit.

Shares no code with the scanner. A population keeps its sums as integers in units of the
smallest double (2^-1074) and of its square; results round once, in results-schema/exact.py,
whose rounding tests/oracle checks against the definition.
"""
import math
import os
import sys
import warnings
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "results-schema"))

import exact  # noqa: E402
from checkpoints import decode_array, unsigned_type  # noqa: E402

UNIT = exact.LOWEST_EXPONENT


@dataclass
class Population:
    """Elements of one cell."""
    count: int = 0
    zeros: int = 0
    nonfinite: int = 0
    total: int = 0          # sum of x, in units of 2^-1074
    squares: int = 0        # sum of x^2, in units of 2^-2148
    smallest: int = None    # in units of 2^-1074, over the finite elements
    largest: int = None

    def add(self, dtype, codes):
        """Add elements given as bit patterns."""
        distinct, counts = np.unique(np.asarray(codes, unsigned_type(dtype)), return_counts=True)
        mantissas, exponents, finite = decode_array(dtype, distinct)
        self.count += int(counts.sum())
        self.nonfinite += int(counts[~finite].sum())
        self.zeros += int(counts[finite & (mantissas == 0)].sum())
        sums, squares = {}, {}
        for m, e, n in zip(mantissas[finite].tolist(), exponents[finite].tolist(),
                           counts[finite].tolist()):
            sums[e] = sums.get(e, 0) + m * n
            squares[e] = squares.get(e, 0) + m * m * n
        for e, value in sums.items():
            self.total += value << (e - UNIT)
            self.squares += squares[e] << (2 * (e - UNIT))
        for e in sums:
            own = mantissas[finite & (exponents == e)]
            self._extend(int(own.min()) << (e - UNIT))
            self._extend(int(own.max()) << (e - UNIT))
        return self

    def add_values(self, values):
        """Add elements given as Fractions that are whole numbers of units, None for one that is
        not finite."""
        unit = Fraction(2) ** UNIT
        for value in values:
            self.count += 1
            if value is None:
                self.nonfinite += 1
                continue
            self.zeros += value == 0
            units = value / unit
            if units.denominator != 1:
                raise ValueError(f"{value} is no multiple of 2^{UNIT}")
            self.total += int(units)
            self.squares += int(units) ** 2
            self._extend(int(units))
        return self

    def _extend(self, value):
        self.smallest = value if self.smallest is None else min(self.smallest, value)
        self.largest = value if self.largest is None else max(self.largest, value)

    @property
    def sum(self):
        return Fraction(self.total) * Fraction(2) ** UNIT

    @property
    def sum_squares(self):
        return Fraction(self.squares) * Fraction(2) ** (2 * UNIT)

    @property
    def mean(self):
        return exact.mean_of(self.count, self.nonfinite, self.total, UNIT)

    @property
    def std(self):
        return exact.std_of(self.count, self.nonfinite, self.total, UNIT, self.squares, 2 * UNIT)

    @property
    def min(self):
        return math.nan if self.smallest is None else exact.rounded_ratio(self.smallest, 1, UNIT)

    @property
    def max(self):
        return math.nan if self.largest is None else exact.rounded_ratio(self.largest, 1, UNIT)


class Quotients:
    """Elements of one cell given as Fractions, None for one that is not finite: any rational
    numbers. Extremes are rounded to the nearest double."""

    def __init__(self, values=()):
        self.values = list(values)

    def add_values(self, values):
        self.values += values
        return self

    @property
    def finite(self):
        return [value for value in self.values if value is not None]

    @property
    def count(self):
        return len(self.values)

    @property
    def nonfinite(self):
        return sum(value is None for value in self.values)

    @property
    def zeros(self):
        return sum(value == 0 for value in self.finite)

    @property
    def sum(self):
        return sum_of(self.finite)

    @property
    def sum_squares(self):
        return sum_of([value * value for value in self.finite])

    @property
    def mean(self):
        if not self.values or self.nonfinite:
            return math.nan
        mean = self.sum / self.count
        return exact.rounded_ratio(mean.numerator, mean.denominator)

    @property
    def std(self):
        n = self.count
        if n < 2 or self.nonfinite:
            return math.nan
        variance = (self.sum_squares - self.sum ** 2 / n) / (n - 1)
        return exact.rounded_root(variance.numerator, variance.denominator)

    @property
    def min(self):
        return float(min(self.finite)) if self.finite else math.nan

    @property
    def max(self):
        return float(max(self.finite)) if self.finite else math.nan


def sum_of(values):
    """The sum of Fractions; pairs first, as a common denominator grows with every step."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2])] + \
            (values[-1:] if len(values) % 2 else [])
    return values[0] if values else Fraction(0)


def populations(elements):
    """{(role, layer): Population} of a list of (role, layer, dtype, codes)."""
    cells = {}
    for role, layer, dtype, codes in elements:
        cells.setdefault((role, layer), Population()).add(dtype, codes)
    return cells


def curve(cells, role):
    """Standard deviations of a role over the layers that have elements, in layer order."""
    layers = sorted(layer for (name, layer), cell in cells.items()
                    if name == role and cell.count > 0)
    return np.array([cells[role, layer].std for layer in layers])


def usable(values):
    """Whether a curve has a z-score: finite, and not all the same."""
    return len(values) > 0 and bool(np.all(np.isfinite(values))) and values.min() != values.max()


def signature(values):
    values = np.asarray(values, dtype=np.float64)
    if not usable(values):
        return np.full(len(values), np.nan)
    return (values - values.mean()) / values.std()


def resample(values, n):
    m = len(values)
    return np.interp(np.linspace(0, m - 1, n), np.arange(m), values)


def correlation(a, b):
    """Pearson's r by numpy, the shorter curve resampled onto the longer one's grid."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(a), len(b)) < 3 or not usable(a) or not usable(b):
        return math.nan
    n = max(len(a), len(b))
    a = a if len(a) == n else resample(a, n)
    b = b if len(b) == n else resample(b, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(np.corrcoef(a, b)[0, 1])
