"""Writes GGUF files byte by byte, and decodes the elements of their block types to Fractions.

Written from the format's description, without any code of the scanner.
"""
import struct
from dataclasses import dataclass
from fractions import Fraction

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
PACK = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B",
        U64: "<Q", I64: "<q", F64: "<d"}

# name -> (number in files, elements and bytes of a block)
TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34), "Q8_1": (9, 32, 36),
    "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "Q8_K": (15, 256, 292),
    "IQ2_XXS": (16, 256, 66), "IQ2_XS": (17, 256, 74), "IQ3_XXS": (18, 256, 98),
    "IQ1_S": (19, 256, 50), "IQ4_NL": (20, 32, 18), "IQ3_S": (21, 256, 110),
    "IQ2_S": (22, 256, 82), "IQ4_XS": (23, 256, 136), "I8": (24, 1, 1), "I16": (25, 1, 2),
    "I32": (26, 1, 4), "I64": (27, 1, 8), "F64": (28, 1, 8), "IQ1_M": (29, 256, 56),
    "BF16": (30, 1, 2), "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17),
    "NVFP4": (40, 64, 36), "Q1_0": (41, 128, 18), "Q2_0": (42, 64, 18),
}


# --- writing --------------------------------------------------------------------------------

def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, item):
    """A value behind its type; an array is (type of items, list)."""
    if kind == STRING:
        return string(item)
    if kind == ARRAY:
        inner, items = item
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, x) for x in items)
    return struct.pack(PACK[kind], item)


def pair(key, kind, item):
    return string(key) + struct.pack("<I", kind) + value(kind, item)


@dataclass
class Tensor:
    """`shape` is slowest axis first, as everywhere here; the file has it the other way round."""
    name: str
    kind: str
    shape: tuple
    data: bytes
    number: int = None   # instead of the type's
    offset: int = None   # instead of the right one
    dimensions: tuple = None

    @property
    def n_elements(self):
        _, elements, size = TYPES[self.kind]
        return len(self.data) // size * elements


def padded(size, alignment):
    return -(-size // alignment) * alignment


def build(pairs, tensors, version=3, alignment=32, n_tensors=None, n_pairs=None, magic=b"GGUF",
          pad_last=True):
    """A whole file. `pairs`: (key, type, value), or bytes as they are."""
    head = magic + struct.pack("<IQQ", version, len(tensors) if n_tensors is None else n_tensors,
                               len(pairs) if n_pairs is None else n_pairs)
    head += b"".join(item if isinstance(item, bytes) else pair(*item) for item in pairs)
    offset = 0
    for item in tensors:
        dimensions = item.dimensions if item.dimensions is not None else item.shape[::-1]
        number = TYPES[item.kind][0] if item.number is None else item.number
        head += string(item.name) + struct.pack("<I", len(dimensions))
        head += b"".join(struct.pack("<Q", size) for size in dimensions)
        head += struct.pack("<IQ", number, offset if item.offset is None else item.offset)
        offset = padded(offset + len(item.data), alignment)
    data = head + bytes(-len(head) % alignment)
    for i, item in enumerate(tensors):
        last = i == len(tensors) - 1
        data += item.data + (b"" if last and not pad_last else bytes(-len(item.data) % alignment))
    return data


def part_name(stem, number, total):
    return f"{stem}-{number + 1:05d}-of-{total:05d}.gguf"


# --- decoding -------------------------------------------------------------------------------

def half(low, high):
    """A binary16 as a Fraction; None when it is not finite."""
    bits = low | high << 8
    sign = -1 if bits >> 15 else 1
    field, mantissa = bits >> 10 & 31, bits & 1023
    if field == 31:
        return None
    if field == 0:
        return Fraction(sign * mantissa, 1 << 24)
    return Fraction(sign * (1024 + mantissa)) * Fraction(2) ** (field - 25)


def nibbles(data):
    return [byte & 15 for byte in data] + [byte >> 4 for byte in data]


def scaled(d, numbers):
    return [None if d is None else d * number for number in numbers]


def with_offset(d, m, pairs_):
    return [None if d is None or m is None else d * x + m * y for x, y in pairs_]


def q4_0(b):
    return scaled(half(b[0], b[1]), [q - 8 for q in nibbles(b[2:18])])


def q4_1(b):
    return with_offset(half(b[0], b[1]), half(b[2], b[3]), [(q, 1) for q in nibbles(b[4:20])])


def fifth(q, high):
    word = int.from_bytes(high, "little")
    return [x + 16 * (word >> i & 1) for i, x in enumerate(q)]


def q5_0(b):
    return scaled(half(b[0], b[1]), [q - 16 for q in fifth(nibbles(b[6:22]), b[2:6])])


def q5_1(b):
    codes = fifth(nibbles(b[8:24]), b[4:8])
    return with_offset(half(b[0], b[1]), half(b[2], b[3]), [(q, 1) for q in codes])


def signed(byte):
    return byte - 256 if byte > 127 else byte


def q8_0(b):
    return scaled(half(b[0], b[1]), [signed(x) for x in b[2:34]])


def q8_1(b):
    return scaled(half(b[0], b[1]), [signed(x) for x in b[4:36]])


def q1_0(b):
    return scaled(half(b[0], b[1]), [1 if b[2 + i // 8] >> i % 8 & 1 else -1 for i in range(128)])


def q2_0(b):
    return scaled(half(b[0], b[1]), [(b[2 + i // 4] >> 2 * (i % 4) & 3) - 1 for i in range(64)])


def two_bit(qs, i):
    return qs[32 * (i // 128) + i % 32] >> 2 * (i // 32 % 4) & 3


def q2_k(b):
    d, dmin = half(b[80], b[81]), half(b[82], b[83])
    return with_offset(d, dmin, [((b[i // 16] & 15) * two_bit(b[16:80], i), -(b[i // 16] >> 4))
                                 for i in range(256)])


def q3_k(b):
    hmask, qs, scales, d = b[0:32], b[32:96], b[96:108], half(b[108], b[109])
    small = []
    for k in range(16):
        low = scales[k] & 15 if k < 8 else scales[k - 8] >> 4
        small.append((low | (scales[8 + k % 4] >> 2 * (k // 4) & 3) << 4) - 32)
    return scaled(d, [small[i // 16] * (two_bit(qs, i) + 4 * (hmask[i % 32] >> i // 32 & 1) - 4)
                      for i in range(256)])


def scale_and_min(s, j):
    if j < 4:
        return s[j] & 63, s[j + 4] & 63
    return (s[j + 4] & 15) | s[j - 4] >> 6 << 4, s[j + 4] >> 4 | s[j] >> 6 << 4


def q45_k(b, qs, high):
    d, dmin = half(b[0], b[1]), half(b[2], b[3])
    numbers = []
    for i in range(256):
        j = i // 32
        byte = qs[32 * (i // 64) + i % 32]
        q = byte & 15 if j % 2 == 0 else byte >> 4
        if high is not None:
            q += 16 * (high[i % 32] >> j & 1)
        scale, minimum = scale_and_min(b[4:16], j)
        numbers.append((scale * q, -minimum))
    return with_offset(d, dmin, numbers)


def q4_k(b):
    return q45_k(b, b[16:144], None)


def q5_k(b):
    return q45_k(b, b[48:176], b[16:48])


def q6_k(b):
    ql, qh, sc, d = b[0:128], b[128:192], b[192:208], half(b[208], b[209])
    numbers = []
    for i in range(256):
        h, g, l = i // 128, i // 32 % 4, i % 32
        byte = ql[64 * h + l + 32 * (g & 1)]
        q = (byte & 15 if g < 2 else byte >> 4) | (qh[32 * h + l] >> 2 * g & 3) << 4
        numbers.append(signed(sc[i // 16]) * (q - 32))
    return scaled(d, numbers)


def q8_k(b):
    bits = int.from_bytes(b[0:4], "little")
    field, mantissa = bits >> 23 & 255, bits & 0x7FFFFF
    if field == 255:
        return [None] * 256
    d = Fraction(mantissa + (1 << 23 if field else 0)) * Fraction(2) ** (max(field, 1) - 150)
    return scaled(-d if bits >> 31 else d, [signed(x) for x in b[4:260]])


IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
E2M1 = [Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)]


def iq4_nl(b):
    return scaled(half(b[0], b[1]), [IQ4[q] for q in nibbles(b[2:18])])


def iq4_xs(b):
    numbers, high = [], b[2] | b[3] << 8
    for j in range(8):
        scale = (b[4 + j // 2] >> 4 * (j % 2) & 15 | (high >> 2 * j & 3) << 4) - 32
        numbers += [scale * IQ4[q] for q in nibbles(b[8 + 16 * j:24 + 16 * j])]
    return scaled(half(b[0], b[1]), numbers)


def tq1_0(b):
    numbers = []
    for i in range(256):
        if i < 160:
            byte, p = b[i % 32], i // 32
        elif i < 240:
            byte, p = b[32 + (i - 160) % 16], (i - 160) // 16
        else:
            byte, p = b[48 + (i - 240) % 4], (i - 240) // 4
        numbers.append((byte * 3 ** p % 256 * 3 >> 8) - 1)
    return scaled(half(b[52], b[53]), numbers)


def tq2_0(b):
    return scaled(half(b[64], b[65]), [two_bit(b[0:64], i) - 1 for i in range(256)])


def mxfp4(b):
    d = None if b[0] == 255 else Fraction(2) ** (b[0] - 127)
    return scaled(d, [E2M1[q] for q in nibbles(b[1:17])])


def nvfp4(b):
    values = []
    for k in range(4):
        code = b[k] & 127
        field, mantissa = code >> 3, code & 7
        d = Fraction(mantissa + (8 if field else 0)) * Fraction(2) ** (max(field, 1) - 10)
        values += scaled(Fraction(0) if code == 127 else d,
                         [E2M1[q] for q in nibbles(b[4 + 8 * k:12 + 8 * k])])
    return values


DECODERS = {"Q1_0": q1_0, "Q2_0": q2_0, "Q4_0": q4_0, "Q4_1": q4_1, "Q5_0": q5_0, "Q5_1": q5_1,
            "Q8_0": q8_0, "Q8_1": q8_1, "Q2_K": q2_k, "Q3_K": q3_k, "Q4_K": q4_k, "Q5_K": q5_k,
            "Q6_K": q6_k, "Q8_K": q8_k, "IQ4_NL": iq4_nl, "IQ4_XS": iq4_xs, "TQ1_0": tq1_0,
            "TQ2_0": tq2_0, "MXFP4": mxfp4, "NVFP4": nvfp4}
# Where the binary16 scales stand in a block.
HALVES = {"Q1_0": (0,), "Q2_0": (0,), "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2),
          "Q8_0": (0,), "Q8_1": (0,), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2),
          "Q5_K": (0, 2), "Q6_K": (208,), "Q8_K": (), "IQ4_NL": (0,), "IQ4_XS": (0,),
          "TQ1_0": (52,), "TQ2_0": (64,), "MXFP4": (), "NVFP4": ()}


def decode(kind, data):
    """All elements of blocks, in order, as Fractions (None: not finite)."""
    size = TYPES[kind][2]
    values = []
    for i in range(0, len(data), size):
        values += DECODERS[kind](data[i:i + size])
    return values
