"""Packed integer weights: how quantisers store codes, and what the weights are as Fractions.

Written from the published layouts, without any code of the scanner.
"""
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from checkpoints import FLOATS, encode_array  # noqa: E402


def value_of(dtype, code):
    """The Fraction that a bit pattern stands for; None for one that is not finite."""
    mantissa, exponent, finite = (item[0] for item in checkpoints.decode_array(
        dtype, np.array([code], checkpoints.unsigned_type(dtype))))
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent) if finite else None


def values_of(dtype, codes):
    distinct, where = np.unique(codes, return_inverse=True)
    values = [value_of(dtype, code) for code in distinct.tolist()]
    return [values[i] for i in where.reshape(-1).tolist()]


def scale_codes(dtype, rng, n, hostile=False):
    """Scales as quantisers make them; hostile ones with zero, infinity, NaN and the like."""
    codes = encode_array(dtype, np.exp(rng.normal(-5, 1, n)))
    if hostile:
        form = FLOATS[dtype]
        odd = [0, form.sign_bit, 1, form.sign_bit | 3, form.nan, form.largest, form.infinity,
               form.infinity | form.sign_bit, checkpoints.encode(dtype, -0.0123)]
        places = rng.permutation(n)[:len(odd)]
        codes[places] = np.array(odd, codes.dtype)[:len(places)]
    return codes


def dense_words(codes, bits):
    """Rows of codes as streams of bits, lowest first, in little-endian 32-bit words."""
    bitwise = (np.asarray(codes, np.uint32)[..., None] >> np.arange(bits, dtype=np.uint32)) & 1
    stream = bitwise.reshape(*codes.shape[:-1], -1).astype(np.uint8)
    room = -stream.shape[-1] % 32
    stream = np.concatenate([stream, np.zeros((*stream.shape[:-1], room), np.uint8)], axis=-1)
    return np.packbits(stream, axis=-1, bitorder="little").view("<u4")


class PackedCase(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(23)

    def model(self, **quantisation):
        model = shapes.Model(shapes.llama_config(1, hidden=64))
        if quantisation:
            model.config["quantization_config"] = quantisation
        return model

    def add_affine(self, wanted, role, codes, zeros, scales, groups, dtype):
        """codes [out, in], zeros and scales [G, out], groups [in]: value = scale * (q - z)."""
        cell = wanted.setdefault((role, 0), oracle.Population())
        n_out, n_in = codes.shape
        factors = np.array(values_of(dtype, scales.reshape(-1)), dtype=object).reshape(scales.shape)
        for o in range(n_out):
            differences = codes[o].astype(int) - zeros[groups, o].astype(int)
            cell.add_values([None if scale is None else scale * d for scale, d in
                             zip(factors[groups, o].tolist(), differences.tolist())])

    def compare(self, model, wanted, everywhere=True, split=None):
        """The cells, on one rank and on three with small chunks."""
        model.write(self.path("model"))
        first = None
        for ranks, options in ((None, ()), (3, ("--chunk", "4K")))[:2 if everywhere else 1]:
            found, done = self.scan("model model\n", "--overwrite", *options, ranks=ranks)
            self.clean(done)
            results.compare(self, found, "model", wanted)
            self.equal(int(found["unscanned_bytes"].sum()), 0, "nothing is left out")
            if first is not None:
                results.equal(self, first, found)
            first = found

    def refused(self, model, *words):
        model.write(self.path("bad"))
        shapes.llama(1, 2).write(self.path("good"))
        found, done = self.scan("bad bad\ngood good\n", "--overwrite", status=3)
        message = found.model("message", "bad")
        for word in words:
            self.check(word in message, f"{message!r} does not say {word!r}")
        self.equal(found.model("status", "good"), "ok")
