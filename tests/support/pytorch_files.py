"""Writes checkpoints as torch.save does, without PyTorch.

The archive comes from Python's zipfile and the pickle from Python's pickle; classes and functions
of PyTorch are stand-ins that carry the right names. What they rebuild is stated by hand, after the
published sources of torch.save: the reader under test shares nothing with this.
"""
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np

import checkpoints

# Encoding -> (storage class, torch dtype); no class: only as untyped storage with _rebuild_tensor_v3.
TYPES = {"F64": ("DoubleStorage", "float64"), "F32": ("FloatStorage", "float32"),
         "F16": ("HalfStorage", "float16"), "BF16": ("BFloat16Storage", "bfloat16"),
         "I64": ("LongStorage", "int64"), "I32": ("IntStorage", "int32"),
         "I16": ("ShortStorage", "int16"), "I8": ("CharStorage", "int8"),
         "U8": ("ByteStorage", "uint8"), "BOOL": ("BoolStorage", "bool"),
         "F8_E4M3": (None, "float8_e4m3fn"), "F8_E5M2": (None, "float8_e5m2"),
         "F8_E4M3FNUZ": (None, "float8_e4m3fnuz"), "F8_E5M2FNUZ": (None, "float8_e5m2fnuz"),
         "U16": (None, "uint16")}
MAGIC = 0x1950a86a20f9469cfc6c


class Global:
    """A class or function that is written by name: GLOBAL module name."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *args):
        return Call(self, args)


class Call:
    """A value that is written as REDUCE of a function and its arguments, then BUILD."""

    def __init__(self, function, args, state=None):
        self.function, self.args, self.state = function, args, state


class Storage:
    """Bytes with a type; tensors on one storage share it."""

    def __init__(self, dtype, data, key=None):
        self.dtype, self.data, self.key = dtype, bytes(data), key

    @property
    def itemsize(self):
        return checkpoints.dtype_bits(self.dtype) // 8 if self.typed else 1

    @property
    def typed(self):
        return TYPES[self.dtype][0] is not None


class Tensor:
    """A view of a storage; strides and offset count elements."""

    def __init__(self, storage, shape, stride=None, offset=0):
        self.storage, self.shape, self.offset = storage, tuple(shape), offset
        if stride is None:
            stride, step = [], 1
            for size in reversed(self.shape):
                stride.insert(0, step)
                step *= size
        self.stride = tuple(stride)


def tensor(item, order=None, before=0, row_gap=0):
    """A tensor of tests/support/checkpoints in a storage of its own, stored in another order of axes
    (slowest first), behind `before` unused elements, with `row_gap` unused ones behind each run
    of the axis that is stored fastest."""
    order = tuple(range(len(item.shape))) if order is None else order
    width = checkpoints.dtype_bits(item.dtype) // 8
    values = np.frombuffer(item.data, dtype=f"V{width}").reshape(item.shape).transpose(order)
    rng = np.random.default_rng(len(item.data))
    if row_gap:
        wide = np.frombuffer(rng.bytes(width * int(np.prod(values.shape[:-1]))
                                       * (values.shape[-1] + row_gap)),
                             dtype=f"V{width}").reshape(*values.shape[:-1], -1).copy()
        wide[..., :values.shape[-1]] = values
    else:
        wide = values
    stride, step = [0] * len(order), 1
    for axis, size in zip(reversed(order), reversed(wide.shape)):
        stride[axis], step = step, step * size
    data = rng.bytes(before * width) + np.ascontiguousarray(wide).tobytes()
    return Tensor(Storage(item.dtype, data), item.shape, stride, before)


UTILS = "torch._utils"
ORDERED = Global("collections", "OrderedDict")


def parameter(value):
    return Global(UTILS, "_rebuild_parameter")(value, True, OrderedDict())


class Pickler(pickle._Pickler):
    """Writes tensors, storages, calls and globals as torch.save would."""

    def __init__(self, file, protocol=2, legacy=False, rebuild=None):
        super().__init__(file, protocol)
        self.legacy, self.rebuild = legacy, rebuild
        self.storages = {}

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if id(obj) not in self.storages:
            key = obj.key if obj.key is not None else str(
                len(self.storages) if not self.legacy else 94000000000 - 64 * len(self.storages))
            self.storages[id(obj)] = (key, obj)
        key = self.storages[id(obj)][0]
        kind = Global("torch", TYPES[obj.dtype][0]) if obj.typed else \
            Global("torch.storage", "UntypedStorage")
        found = ("storage", kind, key, "cpu", len(obj.data) // obj.itemsize)
        return found + (None,) if self.legacy else found

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            return self.put_global(obj)
        if isinstance(obj, Call):
            return self.save_reduce(obj.function, obj.args, obj.state, obj=obj)
        if isinstance(obj, Tensor):
            return self.put_tensor(obj)
        return super().save(obj, save_persistent_id)

    def save_reduce(self, func, args, state=None, *rest, obj=None, **keywords):
        """Without pickle's demand that functions can be called."""
        self.save(func)
        self.save(args)
        self.write(pickle.REDUCE)
        if obj is not None:
            self.memoize(obj)
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)

    def put_global(self, obj):
        found = self.memo.get(("global", obj.module, obj.name))
        if found:
            return self.write(self.get(found[0]))
        if self.proto >= 4:
            super().save(obj.module)
            super().save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        index = len(self.memo)
        self.write(self.put(index))
        self.memo["global", obj.module, obj.name] = index, obj
        return None

    def put_tensor(self, obj):
        if id(obj) in self.memo:
            return self.write(self.get(self.memo[id(obj)][0]))
        rebuild = self.rebuild or ("_rebuild_tensor_v2" if obj.storage.typed else
                                   "_rebuild_tensor_v3")
        args = (obj.storage, obj.offset, obj.shape, obj.stride)
        if rebuild != "_rebuild_tensor":
            args += (False, Call(ORDERED, ()))
        if rebuild == "_rebuild_tensor_v3":
            args += (Global("torch", TYPES[obj.storage.dtype][1]),)
        return self.save_reduce(Global(UTILS, rebuild), args, obj=obj)


def _save_ordered(self, obj):
    self.put_global(ORDERED)
    self.save(())
    self.write(pickle.REDUCE)
    self.memoize(obj)
    self._batch_setitems(obj.items())
    metadata = getattr(obj, "_metadata", None)
    if metadata is not None:
        self.save({"_metadata": metadata})
        self.write(pickle.BUILD)


Pickler.dispatch = dict(pickle._Pickler.dispatch)
Pickler.dispatch[OrderedDict] = _save_ordered


def dumps(value, **options):
    """(pickle, [(key, storage), ...] in the order of first use)."""
    file = io.BytesIO()
    pickler = Pickler(file, **options)
    pickler.dump(value)
    return file.getvalue(), list(pickler.storages.values())


def state_dict(items):
    """An OrderedDict with the metadata that modules add; items = [(name, value), ...]."""
    found = OrderedDict(items)
    found._metadata = OrderedDict([("", {"version": 1})])
    return found


# --- archives -------------------------------------------------------------------------------

def write_zip(path, records, root="archive", aligned=True, compression=zipfile.ZIP_STORED):
    """records = [(name, bytes), ...]; data aligned to 64 bytes by extra fields, as torch does."""
    with zipfile.ZipFile(path, "w", compression, allowZip64=True) as archive:
        for name, data in records:
            info = zipfile.ZipInfo(f"{root}/{name}" if root else name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = compression
            if aligned:
                begin = archive.fp.tell() + 30 + len(info.filename.encode()) + 4
                padding = -begin % 64
                info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            archive.writestr(info, data)
    return path


def records_of(value, byteorder=None, **options):
    text, storages = dumps(value, **options)
    records = [("data.pkl", text)]
    if byteorder is not None:
        records.append(("byteorder", byteorder))
    records += [(f"data/{key}", storage.data) for key, storage in storages]
    return records + [("version", b"3\n")]


def save(path, value, root=None, byteorder=b"little", **options):
    """torch.save(value, path)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    root = root or os.path.splitext(os.path.basename(path))[0]
    return write_zip(path, records_of(value, byteorder, **options), root)


def save_streamed(path, value, **options):
    """As torch's own writer does it: sizes stand behind the data, and in 64-bit end records."""
    body, directory = b"", b""
    records = records_of(value, b"little", **options)
    for name, data in records:
        full = f"archive/{name}".encode()
        flags = 0x0808 if data else 0x0800
        begin = len(body)
        padding = -(begin + 30 + len(full) + 4) % 64
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        body += struct.pack("<IHHHHHIIIHH", 0x04034b50, 0, flags, 0, 0, 0, 0, 0, 0, len(full),
                            len(extra)) + full + extra + data
        if data:
            body += struct.pack("<IIII", 0x08074b50, 0, len(data), len(data))
        wide = struct.pack("<HHQQQ", 1, 24, len(data), len(data), begin)
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0, 0, flags, 0, 0, 0, 0,
                                 0xFFFFFFFF, 0xFFFFFFFF, len(full), len(wide), 0, 0, 0, 0,
                                 0xFFFFFFFF) + full + wide
    at, size = len(body), len(directory)
    end = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 0, 0, 0, 0, len(records), len(records), size, at)
    end += struct.pack("<IIQI", 0x07064b50, 0, at + size, 1)
    end += struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with open(path, "wb") as file:
        file.write(body + directory + end)
    return path


def legacy_parts(value, protocol=2, little=True, **options):
    """The five pickles, and the storages behind them."""
    text, storages = dumps(value, protocol=protocol, legacy=True, **options)
    storages.sort(key=lambda pair: pair[0])
    system = {"protocol_version": 1001, "little_endian": little,
              "type_sizes": {"short": 2, "int": 4, "long": 4}}
    pickles = [pickle.dumps(MAGIC, protocol), pickle.dumps(1001, protocol),
               pickle.dumps(system, protocol), text,
               pickle.dumps([key for key, _ in storages], protocol)]
    data = [struct.pack("<q", len(storage.data) // storage.itemsize) + storage.data
            for _, storage in storages]
    return pickles, data


def save_legacy(path, value, **options):
    """torch.save(value, path, _use_new_zipfile_serialization=False)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pickles, data = legacy_parts(value, **options)
    with open(path, "wb") as file:
        file.write(b"".join(pickles + data))
    return path
