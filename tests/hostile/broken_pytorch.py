"""Broken and hostile PyTorch files. Used by tests/scan/test_pytorch_hostile.py.

BROKEN maps a name to (build, words): build(path, sentinel) writes the file; the message about it
must hold every word. `sentinel` is a file that a pickle tries to make: it must never exist.
"""
import pickle
import struct
import zipfile
import zlib

import checkpoints
import pytorch_files as torch
import registry

NAME = "model.layers.0.self_attn.q_proj.weight"
UTILS = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED = b"ccollections\nOrderedDict\n)R"
BROKEN, broken = registry.new()


def good():
    return torch.tensor(checkpoints.tensor(NAME, "F32", (2, 2), [1.0, 2.0, 3.0, 4.0]))


def state(**more):
    return torch.state_dict([(NAME, good()), *more.items()])


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def storage(numel=b"K\4", kind=b"ctorch\nFloatStorage\n", key=b"X\1\0\0\x000"):
    return b"(X\7\0\0\0storage" + kind + key + b"X\3\0\0\0cpu" + numel + b"tQ"


def tensor(sizes=b"K\2K\2\x86", strides=b"K\2K\1\x86", offset=b"K\0", place=None, call=UTILS):
    return (call + b"(" + (place or storage()) + offset + sizes + strides + b"\x89" + ORDERED
            + b"tR")


def dictionary(value, name=NAME.encode()):
    return b"}X" + struct.pack("<I", len(name)) + name + value + b"s"


def put_pickle(path, text, data=b"\0" * 16, **options):
    torch.write_zip(path, [("data.pkl", text), ("data/0", data), ("version", b"3\n")], **options)


def pickle_case(name, body, *words, data=b"\0" * 16, proto=b"\x80\2", end=b".", count=4,
                legacy=None):
    """The bytes between PROTO and STOP, in an otherwise good archive, and in an old file (where
    one storage of `count` elements stands, if the pickle has one, and the words may be others)."""
    text = proto + body + end

    @broken(name, *words)
    def _archive(path, sentinel):
        put_pickle(path, text, data)

    @broken(f"{name} (legacy)", *(words if legacy is None else legacy))
    def _legacy(path, sentinel):
        parts, _ = torch.legacy_parts({})
        parts[3] = text
        parts[4] = pickle.dumps(["0"] if b"tQ" in body else [], 2)
        storages = struct.pack("<q", count) + data if b"tQ" in body else b""
        write(path, b"".join(parts) + storages)


def tensor_case(name, value, *words, **options):
    pickle_case(name, dictionary(value), NAME, *words, **options)


def text8(text):
    return b"X" + struct.pack("<I", len(text)) + text


# --- pickles that would run something -------------------------------------------------------

def command_case(name, make, *words):
    """make(command) gives the body of a pickle that would run the command."""
    @broken(name, *words)
    def _archive(path, sentinel):
        put_pickle(path, b"\x80\2" + make(f"touch {sentinel}".encode()) + b".")

    @broken(f"{name} (legacy)", *words)
    def _legacy(path, sentinel):
        parts, _ = torch.legacy_parts({})
        parts[3] = b"\x80\2" + make(f"touch {sentinel}".encode()) + b"."
        write(path, b"".join(parts))

    @broken(f"{name} (first pickle)", *words)
    def _first(path, sentinel):
        write(path, b"\x80\2" + make(f"touch {sentinel}".encode()) + b"." + bytes(100))


command_case("os.system", lambda c: b"cos\nsystem\n" + text8(c) + b"\x85R", "os.system",
             "nothing was run")
command_case("posix.system", lambda c: b"cposix\nsystem\n" + text8(c) + b"\x85R", "posix.system")
command_case("posix.system, not called", lambda c: dictionary(b"cposix\nsystem\n"), "posix.system")
command_case("subprocess.Popen", lambda c: b"csubprocess\nPopen\n" + text8(c) + b"\x85R",
             "subprocess.Popen")
command_case("builtins.eval", lambda c: b"cbuiltins\neval\n" + text8(
    b"__import__('os').system('" + c + b"')") + b"\x85R", "builtins.eval")
command_case("builtins.exec of Python 2", lambda c: b"c__builtin__\nexec\n" + text8(
    b"import os; os.system('" + c + b"')") + b"\x85R", "__builtin__.exec")
command_case("builtins.getattr", lambda c: b"cbuiltins\ngetattr\n(cos\nsystem\n" + text8(b"x")
             + b"tR", "builtins.getattr")
command_case("builtins.__import__", lambda c: b"cbuiltins\n__import__\n" + text8(b"os") + b"\x85R",
             "builtins.__import__")
command_case("INST", lambda c: b"(" + text8(c) + b"ios\nsystem\n", "os.system")
command_case("OBJ", lambda c: b"(cos\nsystem\n" + text8(c) + b"o", "os.system")
command_case("NEWOBJ", lambda c: b"cos\nsystem\n" + text8(c) + b"\x85\x81", "os.system")
command_case("NEWOBJ_EX", lambda c: b"\x80\4cos\nsystem\n" + text8(c) + b"\x85}\x92", "os.system")
command_case("STACK_GLOBAL", lambda c: b"\x80\4\x8c\2os\x8c\6system\x93" + text8(c) + b"\x85R",
             "os.system")
command_case("BUILD of a function", lambda c: b"cbuiltins\nset\n}" + text8(b"x") + text8(c) + b"sb",
             "builtins.set")
command_case("a class of the user", lambda c: b"cmodel\nNet\n)\x81}" + text8(b"w") + b"K\1sb",
             "model.Net")
command_case("a whole model", lambda c: b"ctransformers.models.llama.modeling_llama\n"
             b"LlamaForCausalLM\n)\x81}b", "LlamaForCausalLM", "state_dict")
command_case("torch.load of bytes", lambda c: b"ctorch.storage\n_load_from_bytes\n" + text8(c)
             + b"\x85R", "torch.storage._load_from_bytes")
command_case("torch.hub", lambda c: b"ctorch.hub\nload\n" + text8(c) + b"\x85R", "torch.hub.load")
command_case("numpy.load", lambda c: b"cnumpy\nload\n" + text8(c) + b"\x85R", "numpy.load")
command_case("dots in a name", lambda c: b"\x80\4\x8c\5torch\x8c\x10_utils.os.system\x93"
             + text8(c) + b"\x85R", "torch._utils.os.system")
command_case("a type of storages, called", lambda c: b"ctorch\nFloatStorage\n)R",
             "torch.FloatStorage")
command_case("a function inside from_type", lambda c: b"ctorch._tensor\n_rebuild_from_type_v2\n("
             b"cos\nsystem\nctorch\nTensor\n" + text8(c) + b"\x85NtR", "os.system")
command_case("extension code", lambda c: b"\x82\1" + text8(c) + b"\x85R", "0x82")
command_case("control characters in a name", lambda c: b"cevil\x1b[31m\n\x07bell\n)R",
             "\\x1b[31m.\\x07bell")


@broken("os.system behind good weights", "os.system")
def _behind(path, sentinel):
    value = state(z=torch.Global("os", "system")(f"touch {sentinel}"))
    torch.save(path, value)


@broken("os.system as a key of a storage", "os.system")
def _in_storage(path, sentinel):
    put_pickle(path, b"\x80\2(X\7\0\0\0storagecos\nsystem\n" + text8(sentinel.encode())
               + b"\x85RtQ.")


# --- bombs ----------------------------------------------------------------------------------

def laughs(opcode, levels):
    return b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + opcode for i in range(levels))


pickle_case("billion laughs of tuples", b"N" + laughs(b"\x86", 200), "no dictionary")
pickle_case("billion laughs in a dictionary", dictionary(b"N" + laughs(b"\x86", 30)), "16 levels")
pickle_case("wide laughs in a dictionary", dictionary(
    b"N" + b"".join(b"q" + bytes([i]) + b"0(" + (b"h" + bytes([i])) * 90 + b"t" for i in range(8))),
    "more than 4194304 values")
pickle_case("a list that holds itself", dictionary(b"]q\0h\0a"), "16 levels")
pickle_case("a dictionary that holds itself", b"}q\0" + text8(b"a") + b"h\0s", "16 levels")
pickle_case("a model inside itself", b"}q\0" + text8(b"model") + b"h\0s", "16 levels")
pickle_case("far out in the memo", b"}r\xff\xff\xff\xff", "memo", "4294967295")
pickle_case("memo at 5 million", b"}r" + struct.pack("<I", 5000000), "memory")
pickle_case("memo of many digits", b"}p" + b"9" * 60 + b"\n", "memo")
pickle_case("memo that grows in jumps", b"}" + b"".join(
    b"r" + struct.pack("<I", n) for n in range(0, 5 << 20, 1 << 14)), "memory")
pickle_case("deep nesting", b"(" * 500000 + b"N" + b"t" * 500000, "no dictionary")
pickle_case("deeper nesting", b"(" * 9000000 + b"N" + b"t" * 9000000, "memory")
pickle_case("deep lists", b"]" * 500000 + b"a" * 499999, "no dictionary")
pickle_case("many values", b"(" + b"N" * 8000000 + b"t", "memory")
pickle_case("many empty tuples", b"(" + b")" * 6000000 + b"t", "memory")
pickle_case("a tuple copied again and again", b"(" + b"N" * 100000 + b"tq\0" + b"0ctorch\nSize\n"
            b"q\1" + b"0h\1h\0\x85R" * 100, "memory")
pickle_case("huge LONG4", b"\x8b\xff\xff\xff\x7f" + bytes(64), "ends before it is complete")
pickle_case("negative LONG4", b"\x8b\xff\xff\xff\xff" + bytes(64), "ends before it is complete")
pickle_case("huge text", b"X\xff\xff\xff\xff" + bytes(64), "ends before it is complete")
pickle_case("huge text of 64 bits", b"\x8d" + b"\xff" * 8 + bytes(64), "ends before it is complete")
pickle_case("huge frame", b"\x95" + b"\xff" * 8 + b"}", "ends before it is complete")
pickle_case("huge bytes", b"\x8e" + b"\xff" * 8 + bytes(64), "ends before it is complete")
pickle_case("a million classes", b"ctorch\nSize\n0" * 1100000 + b"N", "classes more than")
pickle_case("a long line", b"c" + b"a" * 100000, "line without an end")


@broken("many tensors on one storage", "times the size")
def _sharing(path, sentinel):
    shared = torch.Storage("F32", bytes(40000))
    torch.save(path, torch.state_dict([(f"t.{i}", torch.Tensor(shared, (100, 100)))
                                       for i in range(1000)]))


@broken("many tensors", "one tensor, or name, too many")
def _many(path, sentinel):
    one = b"q\1"
    text = b"\x80\2" + tensor(b"K\1\x85", b"K\1\x85", place=storage(b"K\4")) + one + b"0}("
    text += b"".join(b"X\4\0\0\0" + b"%04x" % (i & 0xFFFF) + b"h\1" for i in range(300000))
    put_pickle(path, text + b"u.", bytes(16))


@broken("long names", "at most 1024 bytes")
def _long_name(path, sentinel):
    put_pickle(path, b"\x80\2" + dictionary(tensor(), b"n" * 2000) + b".")


@broken("bad UTF-8 in a name", "UTF-8", "\\xff")
def _bad_name(path, sentinel):
    put_pickle(path, b"\x80\2" + dictionary(tensor(), b"a\xffb") + b".")


@broken("NUL in a name", "NUL", "\\x00")
def _nul_name(path, sentinel):
    put_pickle(path, b"\x80\2" + dictionary(tensor(), b"a\0b") + b".")


@broken("a pickle that is too long", "50331648")
def _long_pickle(path, sentinel):
    torch.write_zip(path, [("data.pkl", b"\x80\2" + b"N0" * 25500000 + b"."), ("version", b"3\n")])


@broken("an old file whose pickle is too long", "50331648")
def _long_legacy(path, sentinel):
    parts, _ = torch.legacy_parts({})
    write(path, b"".join(parts[:3]) + b"\x80\2" + b"N0" * 25500000 + b".")


# --- pickles that go wrong ------------------------------------------------------------------

pickle_case("empty stack", b"0", "takes more from its stack")
pickle_case("underflow of a tuple", b"N\x87", "takes more from its stack")
pickle_case("underflow behind a mark", b"N(N\x86", "takes more from its stack")
pickle_case("underflow of REDUCE", b"NR", "takes more from its stack")
pickle_case("underflow of OBJ", b"(o", "takes more from its stack")
pickle_case("no mark", b"Nt", "no mark")
pickle_case("mark that is left", b"(N", "stops with")
pickle_case("two values", b"NN", "stops with 2 values")
pickle_case("nothing", b"", "stops with 0 values")
pickle_case("no STOP", b"}", "ends before it is complete", end=b"", legacy=["stops with"])
pickle_case("unknown opcode", b"\xff", "0xff")
pickle_case("protocol 6", b"}", "protocol 6", proto=b"\x80\6")
pickle_case("nothing in the memo", b"h\5", "place 5 of its memo")
pickle_case("out-of-band buffer", b"\x97", "0x97")
pickle_case("textual persistent id", b"Pabc\n", "0x50")
pickle_case("persistent id of nothing", b"NQ", "persistent id")
pickle_case("persistent id of a module", b"(X\6\0\0\0moduleNNtQ", "whole model")
pickle_case("storage of a strange class", storage(kind=b"ccollections\nOrderedDict\n"), "storage")
pickle_case("storage without a size", storage(numel=b"N"), "storage")
pickle_case("storage of a negative size", storage(numel=b"J\xff\xff\xff\xff"), "storage")
pickle_case("item for a number", b"K\1NNs", "holds none")
pickle_case("item for a tuple", b")Na", "holds none")
pickle_case("key without a value", b"}(NNNu", "key without a value")
pickle_case("call of a text", text8(b"os.system") + b")R", "calls something")
pickle_case("call with a list", b"ccollections\nOrderedDict\n]R", "calls something")
pickle_case("call of a tensor", tensor() + b")R", "calls something")
pickle_case("state for a number", b"K\1}b", "state")
pickle_case("state for a tensor", tensor() + b"K\1b", "state")
pickle_case("digits that are none", b"Iabc\n", "number")
pickle_case("a list of tensors", b"]" + tensor() + b"a", "no dictionary")
pickle_case("no tensors", dictionary(b"K\1"), "no tensors")
pickle_case("a number", b"K\1", "no dictionary")
pickle_case("an object", b"cargparse\nNamespace\n)\x81}b", "object of a class")

# --- tensors --------------------------------------------------------------------------------

pickle_case("tensor of nothing", UTILS + b")R", "wrong number of arguments")
pickle_case("tensor without a storage", dictionary(tensor(place=b"N")), "storage")
pickle_case("sizes that are no tuple", dictionary(tensor(sizes=b"K\4")), "sizes")
pickle_case("sizes of 65 dimensions", dictionary(tensor(
    sizes=b"(" + b"K\1" * 65 + b"t", strides=b"(" + b"K\1" * 65 + b"t")), "sizes")
pickle_case("sizes that are texts", dictionary(tensor(sizes=b"(" + text8(b"2") + b"t")), "sizes")
pickle_case("sizes beyond 64 bits", dictionary(tensor(
    sizes=b"\x8a\x0a" + b"\1" * 10 + b"K\1\x86")), "sizes")
pickle_case("more sizes than strides", dictionary(tensor(sizes=b"K\4\x85")), "more sizes than")
tensor_case("negative size", tensor(sizes=b"J\xfe\xff\xff\xffK\2\x86"), "-2")
tensor_case("negative stride", tensor(strides=b"K\2J\xff\xff\xff\xff\x86"), "-1")
tensor_case("negative offset", tensor(offset=b"J\xff\xff\xff\xff"), "-1")
tensor_case("offset beyond the storage", tensor(offset=b"K\1"), "does not lie in its storage")
tensor_case("offset of 2^63 - 1", tensor(offset=b"\x8a\x08" + b"\xff" * 7 + b"\x7f"),
            "does not lie in its storage")
tensor_case("storage too small", tensor(sizes=b"K\3K\2\x86"), "does not lie in its storage")
tensor_case("sizes that overflow", tensor(sizes=b"\x8a\5\0\0\0\0\1\x8a\5\0\0\0\0\1\x86"),
            "overflows")
tensor_case("sizes that overflow before a zero", tensor(
    sizes=b"\x8a\5\0\0\0\0\1\x8a\5\0\0\0\0\1K\0\x87", strides=b"K\1K\1K\1\x87"), "overflows")
tensor_case("strides that overflow", tensor(
    strides=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x8a\x08" + b"\xff" * 7 + b"\x7f\x86"),
    "does not lie in its storage")
tensor_case("expanded", tensor(strides=b"K\0K\1\x86"), "expanded", ".contiguous()")
tensor_case("overlapping", tensor(strides=b"K\1K\1\x86"), "overlaps itself", ".contiguous()")
tensor_case("two gaps", tensor(b"K\2K\2\x86", b"K\5K\2\x86", place=storage(b"K\x10")),
            "more than one axis", ".contiguous()", data=bytes(64), count=16)
tensor_case("storage with another key", tensor(place=storage(key=text8(b"nope"))), "nope",
            legacy=["no tensor uses it"])
tensor_case("quantised storage", tensor(place=storage(b"K\x10", b"ctorch\nQInt8Storage\n")),
            "quantised", count=16)
tensor_case("quantised tensor", b"ctorch._utils\n_rebuild_qtensor\n(" + storage(
    b"K\x10", b"ctorch\nQInt8Storage\n") + b"K\0tR", "quantised", count=16)
tensor_case("sparse tensor", b"ctorch._utils\n_rebuild_sparse_tensor\n(NNtR", "sparse")
tensor_case("meta tensor", b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(NNtR", "no data")
tensor_case("complex128", tensor(b"K\1\x85", b"K\1\x85", place=storage(
    b"K\1", b"ctorch\nComplexDoubleStorage\n")), "type that is not supported", count=1)
pickle_case("no type for an untyped storage", dictionary(tensor(place=storage(
    kind=b"ctorch.storage\nUntypedStorage\n"))), "untyped")


@broken("negated view", "negated", NAME)
def _negated(path, sentinel):
    call = tensor()[:-2] + b"}X\3\0\0\0neg\x88stR"
    put_pickle(path, b"\x80\2" + dictionary(call) + b".")


@broken("too many pieces", "pieces", ".contiguous()")
def _pieces(path, sentinel):
    shared = torch.Storage("I8", bytes(2 * ((1 << 20) + 1)))
    torch.save(path, torch.state_dict([(NAME, torch.Tensor(shared, ((1 << 20) + 1,), (2,)))]))


@broken("too many pieces together", "pieces of all views")
def _all_pieces(path, sentinel):
    shared = torch.Storage("I8", bytes(2 << 20))
    torch.save(path, torch.state_dict([(f"t.{i}", torch.Tensor(shared, (1 << 20,), (2,)))
                                       for i in range(3)]))


@broken("the same name twice", NAME, "twice")
def _twice(path, sentinel):
    item = text8(NAME.encode()) + tensor()
    put_pickle(path, b"\x80\2}(" + item + item + b"u.")


# --- archives -------------------------------------------------------------------------------

def good_records():
    return torch.records_of(state(), b"little")


def archive_case(name, change, *words):
    """change(bytes of a good archive) gives the file."""
    @broken(name, *words)
    def _build(path, sentinel):
        torch.save(path, state(), root="archive")
        with open(path, "rb") as file:
            data = file.read()
        write(path, change(data))


def records_case(name, records, *words, **options):
    broken(name, *words)(lambda path, sentinel: torch.write_zip(path, records(), **options))


def directory_of(data):
    return struct.unpack_from("<I", data, data.rindex(b"PK\5\6") + 16)[0]


def poke(data, offset, form, *values):
    data = bytearray(data)
    struct.pack_into(form, data, offset, *values)
    return bytes(data)


def poke_entry(data, name, offset, form, *values):
    """In the directory's entry of a record."""
    at = directory_of(data)
    while True:
        lengths = struct.unpack_from("<HHH", data, at + 28)
        if data[at + 46:at + 46 + lengths[0]] == b"archive/" + name:
            return poke(data, at + offset, form, *values)
        at += 46 + sum(lengths)


def poke_end(data, offset, form, *values):
    return poke(data, data.rindex(b"PK\5\6") + offset, form, *values)


def local_of(data, name):
    return data.index(b"archive/" + name) - 30


archive_case("cut in the middle", lambda d: d[:len(d) // 2], "cut short")
archive_case("cut by a byte", lambda d: d[:-1], "cut short")
archive_case("a byte too many", lambda d: d + b"\0", "cut short")
archive_case("only the magic number", lambda d: b"PK\3\4", "cut short")
archive_case("bytes before the archive", lambda d: b"PK\3\4" + d, "directory should lie")
archive_case("bytes before the directory's end", lambda d: d[:-22] + b"abcd" + d[-22:],
             "directory should lie")
archive_case("directory beyond the file", lambda d: poke_end(d, 16, "<I", 0x7fffffff),
             "2147483647")
archive_case("directory of 4 GiB", lambda d: poke_end(d, 12, "<I", 0xfffffff0), "4294967280")
archive_case("no records", lambda d: poke_end(d, 8, "<HH", 0, 0), "0 records")
archive_case("too many records", lambda d: poke_end(d, 8, "<HH", 60000, 60000), "60000 records")
archive_case("one record too few", lambda d: poke_end(d, 8, "<HH", 3, 3), "belong to no record")
archive_case("one record too many", lambda d: poke_end(d, 8, "<HH", 5, 5), "damaged or cut short")
archive_case("several disks", lambda d: poke_end(d, 4, "<H", 2), "several parts")
archive_case("records on other disks", lambda d: poke_end(d, 8, "<HH", 1, 4), "several parts")
archive_case("encrypted", lambda d: poke_entry(d, b"data/0", 8, "<H", 1), "data/0", "encrypted")
archive_case("unknown method", lambda d: poke_entry(d, b"data/0", 10, "<H", 14), "compressed")
archive_case("two sizes", lambda d: poke_entry(d, b"data/0", 20, "<I", 15), "data/0", "two different")
archive_case("record beyond the file", lambda d: poke_entry(d, b"data/0", 20, "<II", 1 << 30,
             1 << 30), "data/0", "beyond")
archive_case("record at the end", lambda d: poke_entry(d, b"data/0", 42, "<I", len(d) - 4),
             "data/0", "beyond")
archive_case("64-bit size without its field", lambda d: poke_entry(
    d, b"data/0", 20, "<II", 0xffffffff, 0xffffffff), "data/0", "damaged entry")
archive_case("records on the same bytes", lambda d: poke_entry(d, b"version", 42, "<I", 0),
             "overlaps")
archive_case("a record that reaches into the next", lambda d: poke_entry(
    d, b"data/0", 20, "<II", 4096, 4096), "data/0")
archive_case("no local header", lambda d: poke(d, local_of(d, b"data/0"), "<I", 0), "data/0",
             "no local header")
archive_case("another name in the local header", lambda d: poke(
    d, local_of(d, b"data/0") + 30, "<B", ord("X")), "data/0", "contradicts")
archive_case("a longer name in the local header", lambda d: poke(
    d, local_of(d, b"data/0") + 26, "<H", 15), "data/0", "contradicts")
archive_case("another size in the local header", lambda d: poke(
    d, local_of(d, b"data/0") + 18, "<II", 8, 8), "data/0", "another size")
archive_case("compressed by the local header", lambda d: poke(
    d, local_of(d, b"data/0") + 8, "<H", 8), "data/0", "contradicts")
archive_case("an extra field that reaches into the next record", lambda d: poke(
    d, local_of(d, b"data/0") + 28, "<H", 0xffff), "data/0", "overlaps")
archive_case("comment that hides the end", lambda d: poke_end(d, 20, "<H", 5), "cut short")
records_case("compressed", good_records, "compressed", compression=zipfile.ZIP_DEFLATED)
records_case("no data.pkl", lambda: good_records()[1:], "data.pkl")
records_case("no storage", lambda: [r for r in good_records() if r[0] != "data/0"], NAME, '"0"')
records_case("a short storage", lambda: [(n, d[:8] if n == "data/0" else d)
             for n, d in good_records()], NAME, "16 bytes", "8")
records_case("a long storage", lambda: [(n, d + d if n == "data/0" else d)
             for n, d in good_records()], NAME, "16 bytes", "32")
records_case("TorchScript", lambda: good_records() + [("constants.pkl", b"")], "TorchScript")
records_case("big-endian", lambda: torch.records_of(state(), b"big"), "byte order", "big")
records_case("a strange byte order", lambda: torch.records_of(state(), b"middle\x1b[2J-endian"),
             "byte order")
records_case("traversal", lambda: good_records() + [("../../../tmp/evil", b"x")], "../tmp/evil",
             "out of its folder")
records_case("traversal in the middle", lambda: good_records() + [("a/../../b", b"x")],
             "out of its folder")
records_case("an absolute name", lambda: [("/etc/passwd", b"x")] + good_records(), "/etc/passwd",
             "out of its folder", root="")
records_case("no root folder", good_records, "no folder", root="")
records_case("another root folder", lambda: [("a/data.pkl", b"}."), ("b/data/0", b"x")], "b/data/0",
             "folder of the first", root="")
records_case("backslashes in a name", lambda: [("a\\..\\b", b"x")], "plain UTF-8")
records_case("empty pickle", lambda: [("data.pkl", b"")], "ends before it is complete")


@broken("record twice", "data/0", "twice")
def _record_twice(path, sentinel):
    torch.write_zip(path, good_records() + [("data/Z", b"x")])
    with open(path, "rb") as file:
        data = file.read()
    write(path, data.replace(b"archive/data/Z", b"archive/data/0"))


def wide_end(data, **change):
    """A good archive with a 64-bit end record, some of whose fields lie."""
    fields = {"size": 44, "disk": 0, "entries": 4, "directory_bytes": None, "directory": None,
              "locator": None}
    end = data.rindex(b"PK\5\6")
    offset = directory_of(data)
    fields.update(directory_bytes=end - offset, directory=offset, locator=end)
    fields.update(change)
    record = struct.pack("<IQHHIIQQQQ", 0x06064b50, fields["size"], 45, 45, fields["disk"],
                         fields["disk"], fields["entries"], fields["entries"],
                         fields["directory_bytes"], fields["directory"])
    locator = struct.pack("<IIQI", 0x07064b50, 0, fields["locator"], 1)
    short = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0)
    return data[:end] + record + locator + short


archive_case("zip64: locator beyond the file", lambda d: wide_end(d, locator=1 << 62),
             "64-bit end record")
archive_case("zip64: locator elsewhere", lambda d: wide_end(d, locator=8), "64-bit end record")
archive_case("zip64: a wrong length", lambda d: wide_end(d, size=1 << 63), "64-bit end record")
archive_case("zip64: 2^64 - 1 records", lambda d: wide_end(d, entries=(1 << 64) - 1),
             str((1 << 64) - 1))
archive_case("zip64: a billion records", lambda d: wide_end(d, entries=10 ** 9), "1000000000")
archive_case("zip64: directory of 2^63", lambda d: wide_end(d, directory_bytes=1 << 63),
             str(1 << 63))
archive_case("zip64: directory at 2^64 - 1", lambda d: wide_end(d, directory=(1 << 64) - 1),
             str((1 << 64) - 1))
archive_case("zip64: several disks", lambda d: wide_end(d, disk=1), "several parts")


@broken("zip64: a record of 2^64 - 1 bytes", "data/0", "beyond")
def _wide_record(path, sentinel):
    pkl = dict(good_records())["data.pkl"]
    body, directory = b"", b""
    for name, data, size in (("data.pkl", pkl, len(pkl)), ("data/0", bytes(16), (1 << 64) - 1)):
        full = f"archive/{name}".encode()
        extra = struct.pack("<HHQQQ", 1, 24, size, size, len(body))
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 45, 45, 0, 0, 0, 0, 0, 0xffffffff,
                                 0xffffffff, len(full), len(extra), 0, 0, 0, 0, 0xffffffff)
        directory += full + extra
        body += struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, 0, 0, 0, 0, zlib.crc32(data), len(data),
                            len(data), len(full), 0) + full + data
    end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 2, 2, len(directory), len(body), 0)
    write(path, body + directory + end)


@broken("many records", "archives of at most 262144 records")
def _many_records(path, sentinel):
    n = 300000
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0,
                        0) + b"a/b"
    body = struct.pack("<IHHHHHIIIHH", 0x04034b50, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0) + b"a/b"
    directory = entry * n
    at = len(body)
    end = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 0, 0, 0, 0, n, n, len(directory), at)
    end += struct.pack("<IIQI", 0x07064b50, 0, at + len(directory), 1)
    end += struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0)
    write(path, body + directory + end)


@broken("quarter of a million records on one place", "overlaps")
def _overlapping_records(path, sentinel):
    n = 1 << 18
    body = struct.pack("<IHHHHHIIIHH", 0x04034b50, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0) + b"a/data.pkl"
    directory = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
        + b"a/%06x" % i for i in range(n))
    at = len(body)
    end = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 0, 0, 0, 0, n, n, len(directory), at)
    end += struct.pack("<IIQI", 0x07064b50, 0, at + len(directory), 1)
    end += struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0)
    write(path, body + directory + end)


# --- old files ------------------------------------------------------------------------------

def legacy_case(name, change, *words):
    """change(pickles, storages) gives the parts of the file."""
    @broken(name, *words)
    def _build(path, sentinel):
        pickles, data = torch.legacy_parts(state())
        write(path, b"".join(change(pickles, data)))


def replaced(parts, number, value):
    return parts[:number] + [value] + parts[number + 1:]


legacy_case("legacy: another magic number", lambda p, d: replaced(p, 0, pickle.dumps(7, 2)) + d,
            "magic number")
legacy_case("legacy: a plain pickle", lambda p, d: [pickle.dumps({"a": 1}, 4)], "magic number")
legacy_case("legacy: another version", lambda p, d: replaced(p, 1, pickle.dumps(1002, 2)) + d, "1001")
legacy_case("legacy: big-endian", lambda p, d: replaced(
    p, 2, pickle.dumps({"little_endian": False}, 2)) + d, "big-endian")
legacy_case("legacy: cut in the pickle", lambda p, d: [b"".join(p)[:150]], "ends before")
legacy_case("legacy: no storages", lambda p, d: p, "beyond the end")
legacy_case("legacy: cut in the storage", lambda p, d: p + [d[0][:-1]], "beyond the end")
legacy_case("legacy: cut in the count", lambda p, d: p + [d[0][:5]], "beyond the end")
legacy_case("legacy: another count", lambda p, d: p + [struct.pack("<q", 5) + d[0][8:]],
            "another number of elements")
legacy_case("legacy: a negative count", lambda p, d: p + [struct.pack("<q", -1) + d[0][8:]],
            "another number of elements")
legacy_case("legacy: bytes at the end", lambda p, d: p + d + [b"x"], "belong to nothing")
legacy_case("legacy: no keys", lambda p, d: replaced(p, 4, pickle.dumps([], 2)), NAME,
            "not in the file")
legacy_case("legacy: keys that are no list", lambda p, d: replaced(p, 4, pickle.dumps({}, 2)) + d,
            "no list")
legacy_case("legacy: unknown key", lambda p, d: replaced(p, 4, pickle.dumps(["77"], 2)) + d, "77")
legacy_case("legacy: key that is a number", lambda p, d: replaced(p, 4, pickle.dumps([77], 2)) + d,
            "not a text")
legacy_case("legacy: key twice", lambda p, d: replaced(
    p, 4, pickle.dumps(["94000000000"] * 2, 2)) + d + d, "twice")


def old_storage(numel, view=b"N", kind=b"ctorch\nFloatStorage\n"):
    return storage(numel, kind)[:-2] + view + b"tQ"


def old_case(name, body, *words, count=4, data=bytes(16)):
    @broken(name, *words)
    def _build(path, sentinel):
        parts, _ = torch.legacy_parts({})
        parts[3] = b"\x80\2" + body + b"."
        parts[4] = pickle.dumps(["0"], 2)
        write(path, b"".join(parts) + struct.pack("<q", count) + data)


old_case("legacy: two sizes of a storage", b"}" + text8(b"a") + tensor(place=old_storage(b"K\4"))
         + b"s" + text8(b"b") + tensor(place=old_storage(b"K\5")) + b"s", "two different")
old_case("legacy: two types of a storage", b"}" + text8(b"a") + tensor(place=old_storage(b"K\4"))
         + b"s" + text8(b"b") + tensor(place=old_storage(b"K\4", kind=b"ctorch\nHalfStorage\n"))
         + b"s", "two different")
old_case("legacy: a view outside its storage", dictionary(tensor(place=old_storage(
    b"K\4", text8(b"v") + b"K\1K\4\x87"))), "does not lie in it")
old_case("legacy: a tensor outside its view", dictionary(tensor(place=old_storage(
    b"K\4", text8(b"v") + b"K\1K\3\x87"))), "does not lie in its storage")
old_case("legacy: a storage of 2^62 elements", dictionary(tensor(place=old_storage(
    b"\x8a\x08" + bytes(7) + b"\x40"))), "more elements than", count=1 << 62)


@broken("tar archive", "tar archive")
def _tar(path, sentinel):
    header = bytearray(512)
    header[:8] = b"sys_info"
    header[257:262] = b"ustar"
    write(path, bytes(header) * 4)
