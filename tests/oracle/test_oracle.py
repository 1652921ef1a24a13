"""The oracle itself: rounding against the definition of "nearest", sums against fractions."""
import math
import os
import random
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import oracle  # noqa: E402
from oracle import exact  # noqa: E402

LARGEST = Fraction(sys.float_info.max)
OVERFLOW = LARGEST + Fraction(2) ** 970  # half a unit above the largest double


def neighbours(value):
    """Midpoints to the doubles below and above a double >= 0."""
    below = Fraction(math.nextafter(value, -math.inf))
    above = math.nextafter(value, math.inf)
    above = 2 * OVERFLOW - LARGEST if math.isinf(above) else Fraction(above)
    return (below + Fraction(value)) / 2, (Fraction(value) + above) / 2


def mantissa_is_even(value):
    return int.from_bytes(np.float64(value).tobytes(), "little") % 2 == 0


class Rounding(harness.Case):
    def nearest(self, found, square, power):
        """found ** power must be nearest to `square` among all doubles (power 1 or 2)."""
        if math.isinf(found):
            self.check(square >= OVERFLOW ** power, f"{found} for {square}")
            return
        low, high = neighbours(found)
        low = max(low, Fraction(0))
        exact_low, exact_high = low ** power, high ** power
        inside = exact_low < square < exact_high or (found == 0 and square < exact_high)
        tie = square in (exact_low, exact_high) and mantissa_is_even(found)
        self.check(inside or tie, f"{found.hex()} is not nearest to {square}")

    def values(self):
        rng = random.Random(7)
        for _ in range(1500):
            numerator = rng.getrandbits(rng.choice([1, 3, 30, 53, 54, 64, 107, 200])) or 1
            denominator = rng.getrandbits(rng.choice([1, 2, 10, 60])) or 1
            yield numerator, denominator, rng.choice([0, -40, 100, -1074, -1130, -2148, 900, 960])
        for shift in range(-3, 4):  # ties, and one bit beside them
            for bits in (53, 54, 55):
                yield (1 << bits) + shift, 1, 0
                yield (1 << bits) + shift, 1, -1074 - bits
                yield (1 << bits) + shift, 3, -1074 - bits
        for numerator in range(1, 9):
            yield numerator, 1, -1075
            yield numerator, 4, -1074
        yield (1 << 54) - 1, 1, 970       # just too large: infinity
        yield (1 << 55) - 3, 1, 969       # just below the tie: the largest double

    def test_ratio(self):
        for numerator, denominator, exponent in self.values():
            value = Fraction(numerator, denominator) * Fraction(2) ** exponent
            found = exact.rounded_ratio(numerator, denominator, exponent)
            self.nearest(found, value, 1)
            self.same_double(exact.rounded_ratio(-numerator, denominator, exponent), -found)

    def test_root(self):
        for numerator, denominator, exponent in self.values():
            exponent = 2 * exponent
            value = Fraction(numerator, denominator) * Fraction(2) ** exponent
            self.nearest(exact.rounded_root(numerator, denominator, exponent), value, 2)
            # A square of a tie between two doubles: the root must round to even.
            square = exact.rounded_root(numerator ** 2, denominator ** 2, exponent)
            self.same_double(square, exact.rounded_ratio(numerator, denominator, exponent // 2))

    def test_known(self):
        self.same_double(exact.rounded_ratio(1, 3), 1 / 3)
        self.same_double(exact.rounded_root(2, 1), math.sqrt(2))
        self.same_double(exact.rounded_ratio(1, 1, -1075), 0.0)   # tie to even: 0
        self.same_double(exact.rounded_ratio(-1, 1, -1075), -0.0)  # the sign stays
        self.same_double(exact.rounded_ratio(3, 1, -1075), 1e-323)
        self.same_double(exact.rounded_ratio(0, 5), 0.0)
        self.same_double(exact.rounded_root(1, 1, -2148), 5e-324)

    def test_limbs(self):
        rng = random.Random(3)
        for n in (1, 2, 5):
            for _ in range(200):
                value = rng.getrandbits(32 * n - 2) * rng.choice([1, -1])
                limbs = exact.limbs_from_integer(value, n)
                self.check(all(0 <= limb < 2 ** 32 for limb in limbs[:-1]))
                self.equal(exact.integer_from_limbs(limbs), value)
                plain = sum(limb * 2 ** (32 * k) for k, limb in enumerate(limbs))
                self.equal(plain, value)


class Populations(harness.Case):
    """Population.add against one Fraction at a time."""

    def compare(self, dtype, codes):
        cell = oracle.Population().add(dtype, np.array(codes, checkpoints.unsigned_type(dtype)))
        values = [checkpoints.decode(dtype, code) for code in codes]
        finite = [value for value in values if value is not None]
        self.equal(cell.count, len(codes))
        self.equal(cell.nonfinite, len(codes) - len(finite))
        self.equal(cell.zeros, sum(value == 0 for value in finite))
        self.equal(cell.sum, sum(finite, Fraction(0)))
        self.equal(cell.sum_squares, sum((value * value for value in finite), Fraction(0)))
        if finite:
            self.same_double(cell.min, float(min(finite)))
            self.same_double(cell.max, float(max(finite)))
        else:
            self.check(math.isnan(cell.min) and math.isnan(cell.max))
        n = len(codes)
        if n == 0 or len(finite) < n:
            self.check(math.isnan(cell.mean) and math.isnan(cell.std))
            return
        self.same_double(cell.mean, float(sum(finite) / n))  # Fraction to float is nearest
        if n == 1:
            self.check(math.isnan(cell.std))
            return
        variance = (n * sum(v * v for v in finite) - sum(finite) ** 2) / (n * (n - 1))
        if variance == 0:
            self.same_double(cell.std, 0.0)
        elif not math.isinf(cell.std):
            low, high = neighbours(cell.std)
            self.check(max(low, 0) ** 2 <= variance <= high ** 2, f"{dtype} std {cell.std}")

    def test_random_codes(self):
        rng = random.Random(11)
        for dtype, form in checkpoints.FLOATS.items():
            for n in (0, 1, 2, 3, 17, 100):
                self.compare(dtype, [rng.getrandbits(form.bits) for _ in range(n)])
                finite = [code for code in (rng.getrandbits(form.bits) for _ in range(n))
                          if checkpoints.is_finite(dtype, code)]
                self.compare(dtype, finite)
                small = (rng.getrandbits(2) | rng.choice([0, form.sign_bit]) for _ in range(n))
                self.compare(dtype, [code for code in small if checkpoints.is_finite(dtype, code)])

    def test_extremes(self):
        for dtype, form in checkpoints.FLOATS.items():
            negative = form.largest | form.sign_bit
            self.compare(dtype, [form.largest, negative])
            self.compare(dtype, [form.largest] * 3)
            self.compare(dtype, [form.nan, 1, negative])
            if form.special != checkpoints.FNUZ:
                self.compare(dtype, [form.sign_bit, 0])
        overflowing = oracle.Population().add("F64", [checkpoints.FLOATS["F64"].largest,
                                                      0xFFEFFFFFFFFFFFFF])
        self.check(math.isinf(overflowing.std), "two opposite largest doubles: std overflows")
        self.same_double(overflowing.mean, 0.0)

    def test_parts_add_up(self):
        rng = np.random.default_rng(2)
        codes = checkpoints.encode_array("BF16", rng.normal(0, 0.02, 1000))
        whole = oracle.Population().add("BF16", codes)
        parts = oracle.Population()
        for part in np.array_split(codes, 7):
            parts.add("BF16", part)
        self.equal(parts, whole)
        cells = oracle.populations([("attn.q", 0, "BF16", codes[:300]),
                                    ("attn.q", 0, "BF16", codes[300:])])
        self.equal(cells, {("attn.q", 0): whole})

    def test_numpy_agrees_roughly(self):
        rng = np.random.default_rng(4)
        values = rng.normal(3, 2, 50000)
        cell = oracle.Population().add("F64", values.view(np.uint64))
        self.check(abs(cell.mean - values.mean()) < 1e-12)
        self.check(abs(cell.std - values.std(ddof=1)) < 1e-12)


class Curves(harness.Case):
    def test_curve(self):
        cells = oracle.populations([("attn.q", layer, "F64", np.array(bits, np.uint64))
                                    for layer, bits in ((2, [1, 2]), (0, [0, 5]), (1, []))])
        self.equal(len(oracle.curve(cells, "attn.q")), 2)
        self.equal(list(oracle.curve(cells, "attn.q")),
                   [cells["attn.q", 0].std, cells["attn.q", 2].std])

    def test_correlation(self):
        a = np.array([1.0, 2.0, 4.0])
        self.check(abs(oracle.correlation(a, 2 * a + 1) - 1) < 1e-15)
        self.check(abs(oracle.correlation(a, -a) + 1) < 1e-15)
        long_ = np.interp(np.linspace(0, 2, 7), np.arange(3), a)
        self.check(abs(oracle.correlation(a, long_) - 1) < 1e-15, "the same curve, resampled")
        for other in ([1.0, 2.0], [3.0, 3.0, 3.0], [1.0, np.nan, 2.0], []):
            self.check(math.isnan(oracle.correlation(a, other)), f"{other} is undefined")
        found = oracle.signature([1.0, 2.0, 3.0])
        self.check(np.allclose(found, [-1.5 ** 0.5, 0, 1.5 ** 0.5], atol=1e-15, rtol=0))
        self.check(np.all(np.isnan(oracle.signature([2.0, 2.0]))))


if __name__ == "__main__":
    harness.main()
