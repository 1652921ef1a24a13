"""Writes a results file by the schema from populations: slow, plain, one process.

It shows that the schema can be met, feeds the tests of the validator, and lets the test suites
be checked without the scanner.
"""
import datetime
import os
import sys

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import exact  # noqa: E402
import oracle  # noqa: E402
import role_names  # noqa: E402

UTF8 = h5py.string_dtype("utf-8")
REASONS = ["no role", "integer or boolean", "no kernel for encoding", "role not wanted"]
TEXTS = ("architecture", "path", "format", "status", "message", "family", "parent",
         "source_digest")
NUMBERS = {"n_layers": np.int32, "parameters": np.uint64, "bytes": np.uint64,
           "unmapped_bytes": np.uint64}
SUM_EXPONENT, SUM_LIMBS = -1088, 70
SQUARES_EXPONENT, SQUARES_LIMBS = -2176, 140


def model(label, cells, **fields):
    """One row of a results file; fields that are not given get plausible values."""
    total = sum(cell.count for cell in cells.values())
    row = {"model": label, "cells": cells, "architecture": "", "path": f"/models/{label}",
           "format": "safetensors", "status": "ok", "message": "", "family": "", "parent": "",
           "source_digest": "0123456789abcdef", "parameters": total, "bytes": 2 * total,
           "n_layers": 1 + max([layer for _, layer in cells], default=-1),
           "unscanned_tensors": [0] * 4, "unscanned_bytes": [0] * 4}
    row.update(fields)
    row["unmapped_bytes"] = sum(row["unscanned_bytes"][:3])
    return row


def failed(label, message, **fields):
    return model(label, {}, status="failed", message=message, source_digest="", format="",
                 **fields)


def write(path, models):
    roles = sorted({role for row in models for role, _ in row["cells"]}, key=role_names.sort_key)
    n_layers = max([layer + 1 for row in models for _, layer in row["cells"]], default=0)
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = "llmfp-results"
        file.attrs["schema_version"] = "1.0"
        file.attrs["generator"] = "reference writer 1.0"
        now = datetime.datetime.now(datetime.timezone.utc)
        file.attrs["created"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        scale(file, "model", [row["model"] for row in models], UTF8)
        scale(file, "role", roles, UTF8)
        scale(file, "layer", np.arange(n_layers), np.int32)
        scale(file, "unscanned_reason", REASONS, UTF8)
        for name in TEXTS:
            array(file, name, [row[name] for row in models], UTF8, "model")
        for name, kind in NUMBERS.items():
            array(file, name, [row[name] for row in models], kind, "model")
        for name in ("unscanned_tensors", "unscanned_bytes"):
            values = np.array([row[name] for row in models], np.uint64).reshape(len(models), 4)
            array(file, name, values, np.uint64, "model", "unscanned_reason")
        write_cells(file, models, roles, n_layers)
        write_exact(file, models, roles)
        write_correlations(file, models, roles)


def scale(file, name, values, kind):
    file.create_dataset(name, data=np.array(values, dtype=kind), dtype=kind).make_scale(name)


def array(file, name, values, kind, *scales):
    dataset = file.create_dataset(name, data=np.array(values, dtype=kind), dtype=kind)
    for axis, item in enumerate(scales):
        dataset.dims[axis].attach_scale(file[item])


def write_cells(file, models, roles, n_layers):
    shape = (len(models), len(roles), n_layers)
    counts = {name: np.zeros(shape, np.uint64) for name in ("count", "zeros", "nonfinite")}
    values = {name: np.full(shape, np.nan) for name in ("mean", "std", "min", "max", "signature")}
    for i, row in enumerate(models):
        for (role, layer), cell in row["cells"].items():
            at = i, roles.index(role), layer
            for name, target in counts.items():
                target[at] = getattr(cell, name)
            for name in ("mean", "std", "min", "max"):
                values[name][at] = getattr(cell, name)
        for r, role in enumerate(roles):
            layers = np.flatnonzero(counts["count"][i, r])
            values["signature"][i, r, layers] = oracle.signature(oracle.curve(row["cells"], role))
    for name, target in list(counts.items()) + list(values.items()):
        array(file, name, target, target.dtype, "model", "role", "layer")


def write_exact(file, models, roles):
    cells = sorted(((i, roles.index(role), layer), cell) for i, row in enumerate(models)
                   for (role, layer), cell in row["cells"].items())
    group = file.create_group("exact")
    scale(group, "row", np.arange(len(cells)), np.int64)
    scale(group, "coordinate", ["model", "role", "layer"], UTF8)
    scale(group, "sum_limb", np.arange(SUM_LIMBS), np.int32)
    scale(group, "sum_squares_limb", np.arange(SQUARES_LIMBS), np.int32)
    keys = np.array([key for key, _ in cells], np.int32).reshape(len(cells), 3)
    array(group, "cell", keys, np.int32, "row", "coordinate")
    for name, unit, n, integers in (
            ("sum", SUM_EXPONENT, SUM_LIMBS, [c.total << (oracle.UNIT - SUM_EXPONENT)
                                              for _, c in cells]),
            ("sum_squares", SQUARES_EXPONENT, SQUARES_LIMBS,
             [c.squares << (2 * oracle.UNIT - SQUARES_EXPONENT) for _, c in cells])):
        limbs = [exact.limbs_from_integer(value, n) for value in integers]
        array(group, name, np.array(limbs, np.int64).reshape(len(cells), n), np.int64, "row",
              f"{name}_limb")
        group[name].attrs["exponent"] = np.int32(unit)


def write_correlations(file, models, roles):
    n = len(models)
    result = np.full((len(roles), n, n), np.nan)
    for r, role in enumerate(roles):
        curves = [oracle.curve(row["cells"], role) for row in models]
        for i in range(n):
            for j in range(i + 1):
                value = oracle.correlation(curves[i], curves[j])
                value = 1.0 if i == j and not np.isnan(value) else value
                result[r, i, j] = result[r, j, i] = value
    qkvo = np.full((n, n), np.nan)
    wanted = ["attn.q", "attn.k", "attn.v", "attn.o"]
    if all(role in roles for role in wanted):
        qkvo = sum(result[roles.index(role)] for role in wanted) / 4
    array(file, "correlation", result, np.float64, "role", "model", "model")
    array(file, "correlation_qkvo", qkvo, np.float64, "model", "model")
