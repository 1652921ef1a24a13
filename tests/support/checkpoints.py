"""Writes safetensors checkpoints byte by byte, and knows what each bit pattern stands for.

Written from the format descriptions (IEEE 754, OFP8, the safetensors layout), without any
code of the scanner, so that it can serve as its counterpart in tests.
"""
import json
import os
import struct
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

IEEE, FN, FNUZ = "ieee", "fn", "fnuz"  # which codes are not finite


@dataclass(frozen=True)
class FloatFormat:
    """sign, exponent and mantissa fields from the top; value (-1)^s * m * 2^e."""
    bits: int
    exponent_bits: int
    mantissa_bits: int
    bias: int
    special: str = IEEE

    @property
    def lowest_exponent(self):
        return 1 - self.bias - self.mantissa_bits

    @property
    def highest_field(self):
        return (1 << self.exponent_bits) - 1

    @property
    def largest(self):
        """Bit pattern of the largest finite value."""
        all_ones = (1 << (self.bits - 1)) - 1
        if self.special == IEEE:
            return (self.highest_field << self.mantissa_bits) - 1
        return all_ones - 1 if self.special == FN else all_ones

    @property
    def nan(self):
        if self.special == FNUZ:
            return 1 << (self.bits - 1)
        if self.special == FN:
            return (1 << (self.bits - 1)) - 1
        return (self.highest_field << self.mantissa_bits) | 1 << (self.mantissa_bits - 1)

    @property
    def infinity(self):
        """Bit pattern of +inf, or None."""
        return self.highest_field << self.mantissa_bits if self.special == IEEE else None

    @property
    def sign_bit(self):
        return 1 << (self.bits - 1)


FLOATS = {
    "F64": FloatFormat(64, 11, 52, 1023),
    "F32": FloatFormat(32, 8, 23, 127),
    "F16": FloatFormat(16, 5, 10, 15),
    "BF16": FloatFormat(16, 8, 7, 127),
    "F8_E4M3": FloatFormat(8, 4, 3, 7, FN),
    "F8_E5M2": FloatFormat(8, 5, 2, 15),
    "F8_E4M3FNUZ": FloatFormat(8, 4, 3, 8, FNUZ),
    "F8_E5M2FNUZ": FloatFormat(8, 5, 2, 16, FNUZ),
}
INTEGER_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
                 "BOOL": 1}
OTHER_BITS = {"F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4, "C64": 64}


def dtype_bits(dtype):
    if dtype in FLOATS:
        return FLOATS[dtype].bits
    if dtype in INTEGER_BYTES:
        return 8 * INTEGER_BYTES[dtype]
    return OTHER_BITS[dtype]


def unsigned_type(dtype):
    return np.dtype(f"<u{dtype_bits(dtype) // 8}")


# --- decoding -------------------------------------------------------------------------------

def is_finite(dtype, code):
    form = FLOATS[dtype]
    if form.special == FNUZ:
        return code != form.nan
    magnitude = code & (form.sign_bit - 1)
    if form.special == FN:
        return magnitude != form.nan
    return magnitude >> form.mantissa_bits != form.highest_field


def decode(dtype, code):
    """The exact value of one bit pattern as a Fraction; None for NaN and infinities."""
    form = FLOATS[dtype]
    if not is_finite(dtype, code):
        return None
    mantissa = code & ((1 << form.mantissa_bits) - 1)
    exponent = (code >> form.mantissa_bits) & form.highest_field
    if exponent == 0:
        value = Fraction(mantissa)
        exponent = 1
    else:
        value = Fraction(mantissa + (1 << form.mantissa_bits))
    value *= Fraction(2) ** (exponent - form.bias - form.mantissa_bits)
    return -value if code & form.sign_bit else value


def decode_array(dtype, codes):
    """Many patterns at once: (mantissas with sign, exponents, finite); value = m * 2^e."""
    form = FLOATS[dtype]
    codes = np.asarray(codes).astype(np.uint64)
    mantissa = (codes & np.uint64((1 << form.mantissa_bits) - 1)).astype(np.int64)
    field_ = (codes >> np.uint64(form.mantissa_bits)) & np.uint64(form.highest_field)
    field_ = field_.astype(np.int64)
    negative = (codes & np.uint64(form.sign_bit)) != 0
    if form.special == FNUZ:
        finite = codes != np.uint64(form.nan)
    elif form.special == FN:
        finite = (codes & np.uint64(form.sign_bit - 1)) != np.uint64(form.nan)
    else:
        finite = field_ != form.highest_field
    mantissa = np.where(field_ > 0, mantissa + (1 << form.mantissa_bits), mantissa)
    exponent = np.maximum(field_, 1) - form.bias - form.mantissa_bits
    return np.where(negative, -mantissa, mantissa), exponent, finite


# --- encoding -------------------------------------------------------------------------------

def encode(dtype, value):
    """Bit pattern nearest to a real number (ties to even); beyond the range: the largest finite.

    Takes anything that Fraction takes, and -0.0."""
    form = FLOATS[dtype]
    negative = value < 0 or (isinstance(value, float) and str(value) == "-0.0")
    magnitude = abs(Fraction(value))
    if magnitude == 0:
        return form.sign_bit if negative and form.special != FNUZ else 0
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    unit = max(exponent - form.mantissa_bits, form.lowest_exponent)
    scaled = magnitude / Fraction(2) ** unit
    mantissa = round(scaled)  # Python rounds a Fraction half to even
    hidden = 1 << form.mantissa_bits
    if mantissa == 2 * hidden:
        mantissa, unit = hidden, unit + 1
    field_ = unit - form.lowest_exponent + 1 if mantissa >= hidden else 0
    code = (field_ << form.mantissa_bits) + (mantissa - hidden if field_ else mantissa)
    code = min(code, form.largest)
    if code == 0:
        return form.sign_bit if negative and form.special != FNUZ else 0
    return code | form.sign_bit if negative else code


def encode_array(dtype, values):
    """Bit patterns of many doubles; beyond the range: the largest finite value."""
    form = FLOATS[dtype]
    values = np.asarray(values, dtype=np.float64)
    if dtype == "F64":
        return values.view(np.uint64).copy()
    if dtype in ("F32", "F16"):
        target = np.float32 if dtype == "F32" else np.float16
        limit = float(np.finfo(target).max)
        return np.clip(values, -limit, limit).astype(target).view(unsigned_type(dtype)).copy()
    distinct, where = np.unique(values.view(np.uint64), return_inverse=True)
    if len(distinct) > 20000 and dtype == "BF16":
        # Rounding twice (to F32, then to BF16) would not always be to nearest, but any
        # pattern will do as test data, and the oracle starts from the pattern.
        single = np.clip(values, -3.38e38, 3.38e38).astype(np.float32).view(np.uint32)
        return ((single + 0x7FFF + ((single >> 16) & 1)) >> 16).astype(np.uint16)
    codes = [encode(dtype, float(value)) for value in distinct.view(np.float64)] \
        if form.bits == 16 else _encode_small(dtype, distinct.view(np.float64))
    return np.array(codes, dtype=unsigned_type(dtype))[where]


def _encode_small(dtype, values):
    """8-bit formats: nearest of all positive codes by bisection (ties to the even code)."""
    form = FLOATS[dtype]
    table = np.array([float(decode(dtype, code)) for code in range(form.largest + 1)])
    magnitude = np.abs(values)
    above = np.clip(np.searchsorted(table, magnitude), 1, form.largest)
    below = above - 1
    up = table[above] - magnitude
    down = magnitude - table[below]
    take_above = (up < down) | ((up == down) & (above % 2 == 0))
    codes = np.where(take_above, above, below)
    negative = np.signbit(values) & ((codes > 0) | (form.special != FNUZ))
    return np.where(negative, codes | form.sign_bit, codes)


# --- tensors and files ----------------------------------------------------------------------

@dataclass
class Tensor:
    """`codes`: flat bit patterns (unsigned numpy array); or raw `data` for other types."""
    name: str
    dtype: str
    shape: tuple
    codes: np.ndarray = None
    data: bytes = None

    def __post_init__(self):
        n = 1
        for size in self.shape:
            n *= size
        if self.data is None:
            self.codes = np.asarray(self.codes, dtype=unsigned_type(self.dtype)).reshape(-1)
            if len(self.codes) != n:
                raise ValueError(f"{self.name}: {len(self.codes)} codes for shape {self.shape}")
            self.data = self.codes.tobytes()
        elif len(self.data) * 8 != n * dtype_bits(self.dtype):
            raise ValueError(f"{self.name}: {len(self.data)} bytes for shape {self.shape}")

    @property
    def n_elements(self):
        return len(self.data) * 8 // dtype_bits(self.dtype)


def tensor(name, dtype, shape, values):
    """A float tensor from doubles."""
    return Tensor(name, dtype, tuple(shape), encode_array(dtype, np.asarray(values).reshape(-1)))


@dataclass
class Header:
    """A safetensors header under construction; every field may be made wrong by a test."""
    entries: list = field(default_factory=list)  # (name, dict) in the order of the JSON text
    metadata: dict = None
    padding: int = 8

    def text(self):
        parts = []
        if self.metadata is not None:
            parts.append('"__metadata__":' + json.dumps(self.metadata))
        parts += [json.dumps(name) + ":" + json.dumps(entry) for name, entry in self.entries]
        text = ("{" + ",".join(parts) + "}").encode()
        if self.padding:
            text += b" " * (-len(text) % self.padding)
        return text


def write_file(path, tensors, metadata=None, key_order="file", padding=8):
    """Data in the order of `tensors`; keys in that order, "reversed" or "sorted"."""
    entries, offset = [], 0
    for item in tensors:
        end = offset + len(item.data)
        entries.append((item.name, {"dtype": item.dtype, "shape": list(item.shape),
                                    "data_offsets": [offset, end]}))
        offset = end
    if key_order == "reversed":
        entries.reverse()
    elif key_order == "sorted":
        entries.sort()
    text = Header(entries, metadata, padding).text()
    write_raw(path, text, (item.data for item in tensors))


def write_raw(path, header_text, chunks=(), length=None):
    """Length field (true, unless a test lies), header text, data."""
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header_text) if length is None else length))
        file.write(header_text)
        for chunk in chunks:
            file.write(chunk)


def shard_name(index, n_shards, stem="model"):
    return f"{stem}-{index + 1:05d}-of-{n_shards:05d}.safetensors"


def split_by_bytes(tensors, n_shards):
    """Consecutive groups of about equal bytes, none of them empty if it can be helped."""
    total = sum(len(item.data) for item in tensors) or 1
    groups, seen = [[] for _ in range(n_shards)], 0
    for item in tensors:
        groups[min(n_shards - 1, seen * n_shards // total)].append(item)
        seen += len(item.data)
    return groups


def write_checkpoint(folder, tensors, config=None, shards=1, index=True, key_order="file",
                     groups=None, metadata=None, padding=8):
    """A checkpoint folder: one file, or `shards` files with or without an index."""
    os.makedirs(folder, exist_ok=True)
    if config is not None:
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
    if shards == 1 and groups is None:
        write_file(os.path.join(folder, "model.safetensors"), tensors, metadata, key_order,
                   padding)
        return folder
    groups = groups if groups is not None else split_by_bytes(tensors, shards)
    places = {}
    for number, group in enumerate(groups):
        name = shard_name(number, len(groups))
        write_file(os.path.join(folder, name), group, metadata, key_order, padding)
        places.update({item.name: name for item in group})
    if index:
        total = sum(len(item.data) for group in groups for item in group)
        write_index(folder, places, total)
    return folder


def write_index(folder, places, total_size=0):
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": total_size}, "weight_map": places}, file)


def write_sparse(path, shapes, dtype="BF16"):
    """A file of zeros without blocks on disk: {name: shape} or {name: (dtype, shape)}."""
    entries, offset = [], 0
    for name, shape in shapes.items():
        kind, size = (shape[0], shape[1]) if isinstance(shape[0], str) else (dtype, shape)
        n = 1
        for axis in size:
            n *= axis
        end = offset + n * dtype_bits(kind) // 8
        entries.append((name, {"dtype": kind, "shape": list(size), "data_offsets": [offset, end]}))
        offset = end
    text = Header(entries).text()
    write_raw(path, text)
    os.truncate(path, 8 + len(text) + offset)
    return offset


def read_file(path):
    """Tensors of a well-formed file, in the order of their data."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = []
    for name, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        raw = data[begin:end]
        codes = None
        if dtype_bits(entry["dtype"]) >= 8:
            codes = np.frombuffer(raw, dtype=unsigned_type(entry["dtype"]))
        tensors.append(Tensor(name, entry["dtype"], tuple(entry["shape"]), codes, raw))
    return tensors


def read_checkpoint(folder):
    """All tensors of all *.safetensors files of a folder."""
    return [item for name in sorted(os.listdir(folder)) if name.endswith(".safetensors")
            for item in read_file(os.path.join(folder, name))]
