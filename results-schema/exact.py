"""From exact sums to correctly rounded mean and standard deviation.

For validate.py, for notebooks and for the test oracle. Plain Python integers, nothing else:
a sum is an integer times a power of two, and only the last step rounds (to nearest, ties to even).
"""
import math

LOWEST_EXPONENT = -1074  # of the smallest double above zero
LIMB_BITS = 32


def integer_from_limbs(limbs):
    """Limb k counts units of 2^(32 k); the last limb carries the sign."""
    value = 0
    for limb in reversed([int(limb) for limb in limbs]):
        value = (value << LIMB_BITS) + limb
    return value


def limbs_from_integer(value, n_limbs):
    """The reverse: all limbs but the last lie in 0 .. 2^32 - 1."""
    limbs = []
    for _ in range(n_limbs - 1):
        limbs.append(value & ((1 << LIMB_BITS) - 1))
        value >>= LIMB_BITS
    if not -(1 << 63) <= value < (1 << 63):
        raise ValueError(f"{n_limbs} limbs are too few")
    return limbs + [value]


def rounded(magnitude, more, exponent):
    """The double nearest to (magnitude + f) * 2^exponent, f = 0, or 0 < f < 1 when `more`.

    With `more`, magnitude needs at least two bits below the last bit of the result."""
    top = magnitude.bit_length() - 1 + exponent
    unit = max(top - 52, LOWEST_EXPONENT)
    shift = unit - exponent
    if shift <= 0:
        if more:
            raise ValueError("too few bits to round")
        mantissa = magnitude << -shift
    else:
        mantissa, rest = magnitude >> shift, magnitude & ((1 << shift) - 1)
        half = 1 << (shift - 1)
        if rest > half or (rest == half and (more or mantissa & 1)):
            mantissa += 1
    if mantissa.bit_length() + unit > 1024:
        return math.inf
    return math.ldexp(float(mantissa), unit)


def rounded_ratio(numerator, denominator, exponent=0):
    """The double nearest to numerator / denominator * 2^exponent (denominator > 0)."""
    sign, magnitude = (-1.0, -numerator) if numerator < 0 else (1.0, numerator)
    if magnitude == 0:
        return 0.0
    shift = max(0, 66 - (magnitude.bit_length() - denominator.bit_length()))
    quotient, rest = divmod(magnitude << shift, denominator)
    return sign * rounded(quotient, rest != 0, exponent - shift)


def rounded_root(numerator, denominator, exponent=0):
    """The double nearest to sqrt(numerator / denominator * 2^exponent), exponent even."""
    if exponent % 2:
        raise ValueError("the exponent must be even")
    if numerator == 0:
        return 0.0
    need = 132 - (numerator.bit_length() - denominator.bit_length())
    shift = max(0, (need + 1) // 2)
    quotient, rest = divmod(numerator << (2 * shift), denominator)
    root = math.isqrt(quotient)
    return rounded(root, rest != 0 or root * root != quotient, exponent // 2 - shift)


def mean_of(count, nonfinite, total, exponent, divisor=1):
    """Mean of `count` elements whose sum is total * 2^exponent / divisor."""
    if count == 0 or nonfinite:
        return math.nan
    return rounded_ratio(total, count * divisor, exponent)


def std_of(count, nonfinite, total, total_exponent, squares, squares_exponent, divisor=1):
    """Standard deviation (n - 1 below the line) from exact sums of x and of x^2, where the
    elements are x / divisor."""
    if count < 2 or nonfinite:
        return math.nan
    # Both to one unit: the smaller of the exponents of (sum x)^2 and of sum x^2, made even.
    unit = min(2 * total_exponent, squares_exponent)
    unit -= unit % 2
    spread = count * (squares << (squares_exponent - unit))
    spread -= (total * total) << (2 * total_exponent - unit)
    if spread < 0:
        raise ValueError("the sums cannot belong together: n * sum x^2 < (sum x)^2")
    return rounded_root(spread, count * (count - 1) * divisor ** 2, unit)
