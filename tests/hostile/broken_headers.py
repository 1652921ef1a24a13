"""More broken safetensors files, made from tables: texts that are not JSON, values of wrong types
and sizes, lengths and extents that lie. Importing this adds them to broken.BROKEN."""
import json
import struct

from broken import FILE, NAME, broken, entry, entry_case, header_case, put, raw

GOOD = json.dumps({NAME: entry()})


def replaced(name, old, new, *words):
    """The good header with one piece of its text changed."""
    if old not in GOOD:
        raise ValueError(f"{old!r} is not in the header")
    text = new if isinstance(new, bytes) else new.encode()
    header_case(name, GOOD.encode().replace(old.encode(), text, 1), *words)


# --- cut short at every kind of token -------------------------------------------------------

for where, piece in (("after the first brace", "{"), ("in the name", '{"model.lay'),
                     ("before the colon", '{"%s"' % NAME), ("after the colon", '{"%s":' % NAME),
                     ("in a key", '{"%s": {"dty' % NAME),
                     ("after a key", '{"%s": {"dtype":' % NAME),
                     ("in the dtype", '{"%s": {"dtype": "F3' % NAME),
                     ("after the dtype", '{"%s": {"dtype": "F32",' % NAME),
                     ("in the shape", '{"%s": {"dtype": "F32", "shape": [2, ' % NAME),
                     ("after a digit", '{"%s": {"dtype": "F32", "shape": [2' % NAME),
                     ("before the end", GOOD[:-1])):
    header_case(f"header that ends {where}", piece)

# --- texts that are almost JSON -------------------------------------------------------------

replaced("no colon", f'"{NAME}": ', f'"{NAME}" ')
replaced("equals sign for a colon", f'"{NAME}": ', f'"{NAME}"= ')
replaced("no comma", '"F32", ', '"F32" ', NAME)
replaced("two commas", '"F32", ', '"F32",, ', NAME)
replaced("semicolon", '"F32", ', '"F32"; ', NAME)
replaced("key without quotes", '"dtype"', "dtype", NAME)
replaced("key that is a number", '"dtype"', "5", NAME)
replaced("bracket for a brace", "]}}", "]]}", NAME)
replaced("brace for a bracket", "[2, 2]", "[2, 2}", NAME)
replaced("one brace too many", "}}", "}}}")
replaced("trailing comma in a list", "[2, 2]", "[2, 2,]", NAME)
replaced("empty item in a list", "[2, 2]", "[2,,2]", NAME)
replaced("line comment", "{", "{//x\n")
replaced("form feed as white space", ": ", ":\f", NAME)
replaced("no-break space as white space", ": ", b":\xc2\xa0", NAME)
header_case("only white space", " " * 64)
header_case("header that is null", "  null")
header_case("header that is a string", '  "text"')
header_case("header in UTF-16", b"{\0" + GOOD.encode("utf-16-le"))
header_case("header of nested names", '{"a":' * 200 + "1" + "}" * 200)
header_case("header of 100,000 opening brackets", '{"a":' + "[" * 100000)
header_case("header of 100,000 opening braces", '{"a":' * 100000)
header_case("unknown field nested too deep", '{"%s":{"x":%s,"dtype":"F32","shape":[2,2],'
            '"data_offsets":[0,16]}}' % (NAME, "[" * 130 + "]" * 130), NAME)

for spelling in ("+2", "02", "2.", ".5", "0x2", "2e", "2e+", "1_0", "--2", "- 2", "2f", "Infinity",
                 "NaN", "-Infinity", "1e400", "2.0", "2e0", "-0", "1e0", "00", "\u0662"):
    replaced(f"dimension spelt {spelling!r}", "[2, 2]", f"[{spelling}, 2]", NAME)
for word in ("True", "None", "nul", "tru", "falsy", "undefined"):
    replaced(f"the word {word}", "[2, 2]", word, NAME)

for number, escape in enumerate(('\\x41', "\\u12", "\\u12g4", "\\uDC00", "\\ud800\\ud800",
                                 "\\ud800x", "\\u", "\\", "\\'", "\\0", "\\U00000041")):
    replaced(f"bad escape {number}", '"F32"', f'"{escape}"', NAME)
for number, text in enumerate((b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80",
                               b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff\xfe",
                               b"\xe2\x82", b"\xf0\x9f\x98")):
    replaced(f"bytes that are not UTF-8, {number}", "q_proj", b"q" + text)
for number, text in enumerate((b"\x00", b"\x01", b"\t", b"\r", b"\x1b[2J", b"\x1f")):
    replaced(f"raw control character {number}", "q_proj", b"q" + text)
replaced("NUL in a name", "q_proj", "q\\u0000proj", "\\x00")
replaced("escape sequence in a name", '"F32"', '"\\u001b]0;x\\u0007"', "\\x1b")

# --- values of wrong types ------------------------------------------------------------------

OTHERS = {"null": None, "true": True, "a number": 3, "text": "x", "an object": {}, "a list": [],
          "a list of lists": [[2, 2]]}
for kind, value in OTHERS.items():
    if kind not in ("a number",):
        entry_case(f"entry that is {kind}, not an object", value)
    if kind != "text":
        entry_case(f"dtype of the kind: {kind}", entry() | {"dtype": value}, "dtype")
    if kind != "a list":
        entry_case(f"shape that is {kind}, not a list", entry() | {"shape": value}, "shape")
    entry_case(f"offsets that are {kind}", entry() | {"data_offsets": value}, "data_offsets")
    if kind != "a number":
        entry_case(f"dimension of the kind: {kind}", entry() | {"shape": [value, 2]}, "shape")
        entry_case(f"offset of the kind: {kind}", entry() | {"data_offsets": [value, 16]},
                   "data_offsets")
for kind in ("true", "a number", "text", "a list"):
    header_case(f"metadata of the kind: {kind}", {"__metadata__": OTHERS[kind], NAME: entry()},
                "__metadata__")
header_case("metadata with null in it", {"__metadata__": {"a": None}, NAME: entry()},
            "__metadata__")
header_case("metadata with a list in it", {"__metadata__": {"a": ["b"]}, NAME: entry()},
            "__metadata__")
header_case("metadata twice", '{"__metadata__":{},"__metadata__":{},"%s":%s}' % (
    NAME, json.dumps(entry())), "__metadata__")
for kind, dtype in {"empty": "", "float": "float32", "with a blank": "F32 ", "BFLOAT": "BFLOAT16",
                    "very long": "F" * 50000, "emoji": "\U0001f600"}.items():
    entry_case(f"dtype {kind}", entry(dtype=dtype), "dtype")
entry_case("entry with four fields in a list", ["F32", [2, 2], [0, 16], 1])
entry_case("entry with two fields in a list", ["F32", [2, 2]], "data_offsets")
entry_case("shape twice", entry() | {"shape": "x"}, "shape")
header_case("offsets twice", GOOD.replace('"shape"', '"data_offsets": [0, 16], "shape"'),
            "data_offsets")

# --- sizes ----------------------------------------------------------------------------------

for dtype, bits in (("F64", 64), ("BF16", 16), ("F8_E4M3", 8), ("I64", 64), ("BOOL", 8), ("F4", 4)):
    entry_case(f"one {dtype} too few", entry(dtype=dtype, shape=(128 // bits + 2,)), "16")
    entry_case(f"{dtype} beyond 64 bits", entry(dtype=dtype, shape=(1 << 32, 1 << 32)))
entry_case("more dimensions than bytes", entry(shape=(2,) * 200))
entry_case("elements of 2^64 - 1", entry(shape=((1 << 64) - 1,)))
entry_case("a thousand dimensions of 2", entry(shape=(2,) * 1000))
entry_case("a scalar of two elements", entry(shape=()), "16")
entry_case("no element in 16 bytes", entry(shape=(0, 2)), "16")
entry_case("three quarters of a block", entry(dtype="F6_E2M3", shape=(3,), offsets=(0, 3)),
           data=bytes(3))


@broken("nine million dimensions", FILE, "dimensions")
def _dimensions(folder):
    put(folder, '{"a":{"dtype":"U8","shape":[%s1],"data_offsets":[0,1]}}' % ("1," * 9000000), b"x")


# --- extents --------------------------------------------------------------------------------

def two(first, second, size=32):
    return {"a.weight": entry(offsets=first), NAME: entry(offsets=second)}, bytes(size)


for name, (header, data) in {
        "one byte of overlap": two((0, 16), (15, 31), 31), "one byte between": two((0, 16), (17, 33), 33),
        "second inside the first": ({"a.weight": entry(shape=(16,), offsets=(0, 64)),
                                     NAME: entry(offsets=(16, 32))}, bytes(64)),
        "both far away": two((1 << 40, (1 << 40) + 16), ((1 << 40) + 16, (1 << 40) + 32)),
        "ends near 2^64": two((0, 16), ((1 << 64) - 17, (1 << 64) - 1)),
        "nothing at the start": two((16, 32), (32, 48), 48),
        "second beyond the file": two((0, 16), (16, 32), 24),
        "no data at all": two((0, 16), (16, 32), 0)}.items():
    header_case(f"extents: {name}", header, data=data)
header_case("empty tensor beyond the data", {NAME: entry(), "z": entry(shape=(0,),
                                                                    offsets=(99, 99))})
header_case("empty tensor inside another", {NAME: entry(), "z": entry(shape=(0,), offsets=(4, 4))})
header_case("a hundred tensors of which two overlap", {
    f"t{i}": entry(offsets=(16 * i - (i == 57), 16 * i + 16 - (i == 57))) for i in range(100)},
    "t57", data=bytes(1600))
header_case("a thousand tensors on the same bytes", {f"t{i}": entry() for i in range(1000)})
header_case("bytes of which no tensor knows", "{}", data=b"secret")
header_case("empty name twice", '{"":%s,"":%s}' % (json.dumps(entry()), json.dumps(
    entry(offsets=(16, 32)))), data=bytes(32))

# --- lengths and beginnings -----------------------------------------------------------------

for length in (1, 2, len(GOOD) - 1, len(GOOD) + 1, len(GOOD) + 16, len(GOOD) + 17, 1 << 31,
               (1 << 32) + len(GOOD), 1 << 62):
    broken(f"length field of {length}", FILE)(
        lambda folder, n=length: put(folder, GOOD, bytes(16), n))
for kind, start in {"ELF": b"\x7fELF\x02\x01\x01", "gzip": b"\x1f\x8b\x08", "PNG": b"\x89PNG\r\n\x1a\n",
                    "tar": b"model/" + bytes(94), "GGUF of no version": b"GGUF",
                    "HDF5": b"\x89HDF\r\n\x1a\n", "pickle": b"\x80\x04\x95", "NumPy": b"\x93NUMPY",
                    "zip cut short": b"PK\x03\x04", "Git LFS pointer":
                    b"version https://git-lfs.github.com/spec/v1\n", "HTML": b"<!DOCTYPE html>",
                    "JSON without a length": GOOD.encode(), "zeros": b"", "ones": b"\xff" * 512,
                    }.items():
    broken(f"{kind} called safetensors", FILE)(
        lambda folder, data=start: raw(folder, data + bytes(40)))
broken("big-endian length", FILE)(
    lambda folder: raw(folder, struct.pack(">Q", len(GOOD)) + GOOD.encode() + bytes(16)))

# --- names that would make the results absurd -----------------------------------------------

entry_case("layer of a million", entry(), "1000000", key=NAME.replace("0", "1000000"))
entry_case("layer of 2^31 - 1", entry(), "2147483647", key=NAME.replace("0", "2147483647"))
header_case("five thousand roles", {f"x.0.y{i}z": entry(offsets=(16 * i, 16 * i + 16))
                                    for i in range(5000)}, "4096", data=bytes(80000))
