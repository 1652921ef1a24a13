#!/usr/bin/env python3
"""validate.py FILE... - check results files of llmfp-scan against schema.json and SCHEMA.md.

Names, types, shapes and dimension scales, and that every number that follows from others does
follow: mean and std from the exact sums to the last bit, signatures and correlations from std.
Prints each violation on a line of its own; exit status 1 if there is one, 2 for wrong usage.
"""
import json
import math
import os
import re
import struct
import sys
import warnings
from fractions import Fraction

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import exact  # noqa: E402

TYPES = {"int32": np.int32, "int64": np.int64, "uint64": np.uint64, "float64": np.float64}
SHOWN = 5                  # violations of one kind that are listed
LEAST_LAYERS = 3           # below this a correlation is undefined
TOLERANCE = 1e-12          # of correlations; signatures get their conditioning on top
# Outside these the squares of a curve's deviations may leave the range of a double.
SAFE_SPREAD = (1e-140, 1e140)
EPSILON = float(np.finfo(np.float64).eps)


class Report:
    """Violations, each kind listed a few times and then counted."""

    def __init__(self):
        self.lines, self.counts = [], {}

    def add(self, kind, text):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= SHOWN:
            self.lines.append(f"{kind}: {text}")

    def all_lines(self):
        more = [f"{kind}: {n - SHOWN} more of these" for kind, n in self.counts.items()
                if n > SHOWN]
        return self.lines + more


def load_schema():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def bits(value):
    return struct.pack("<d", value)


def same_double(a, b):
    return (math.isnan(a) and math.isnan(b)) or bits(a) == bits(b)


# --- names, types, shapes, scales -----------------------------------------------------------

def is_utf8(dtype):
    info = h5py.check_string_dtype(dtype)
    return info is not None and info.encoding == "utf-8" and info.length is None


def check_root(file, schema, report):
    for name, value in schema["attributes"].items():
        if name not in file.attrs:
            report.add("attribute", f"root attribute {name} is missing")
            continue
        if not is_utf8(file.attrs.get_id(name).dtype):
            report.add("attribute", f"{name} is not a variable-length UTF-8 string")
            continue
        found = file.attrs[name]
        good = schema["schema_versions"] if name == "schema_version" else [value]
        if name in ("schema", "schema_version") and found not in good:
            report.add("attribute", f"{name} is {found!r}, not {' or '.join(good)!r}")
    created = str(file.attrs.get("created", ""))
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", created):
        report.add("attribute", f"created is not an ISO 8601 time in UTC: {created!r}")
    if not re.search(r"\S \S*\d", str(file.attrs.get("generator", ""))):
        report.add("attribute", "generator lacks a name and a version")


def check_type(name, dataset, rule, report):
    if rule["type"] == "string":
        if not is_utf8(dataset.dtype):
            report.add("type", f"{name} is {dataset.dtype}, not variable-length UTF-8 strings")
            return False
    elif dataset.dtype != TYPES[rule["type"]]:
        report.add("type", f"{name} is {dataset.dtype}, not {rule['type']}")
        return False
    for attribute, kind in rule.get("attributes", {}).items():
        if attribute not in dataset.attrs:
            report.add("attribute", f"{name} has no attribute {attribute}")
            return False
        value = dataset.attrs[attribute]
        if np.shape(value) != () or np.asarray(value).dtype != TYPES[kind]:
            report.add("attribute", f"{name}: {attribute} is not a {kind} scalar")
            return False
    return True


def check_scales(file, name, dataset, rule, report):
    if rule.get("scale"):
        if not h5py.h5ds.is_scale(dataset.id):
            report.add("scale", f"{name} is not a dimension scale")
        return
    for axis, scale in enumerate(rule["shape"]):
        attached = [item.name.lstrip("/") for item in dataset.dims[axis].values()]
        if attached != [scale]:
            report.add("scale", f"{name} axis {axis} has the scales {attached}, not [{scale!r}]")


def check_datasets(file, schema, report):
    """True when the values can be looked at."""
    sizes = {name: file[name].shape[0] for name in schema["dimensions"]
             if isinstance(file.get(name), h5py.Dataset) and file[name].ndim == 1}
    good = True
    optional = [name for name, rule in schema["datasets"].items() if rule.get("optional")]
    some = any(name in file for name in optional)  # then all of them must be there
    for name, rule in schema["datasets"].items():
        if name in optional and not some:
            continue
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            report.add("dataset", f"{name} is missing")
            good = False
            continue
        shape = tuple(sizes.get(scale, -1) for scale in rule["shape"])
        if dataset.shape != shape:
            report.add("shape", f"{name} has the shape {dataset.shape}, not {shape}")
            good = False
            continue
        good &= check_type(name, dataset, rule, report)
        if file.attrs.get("schema_version", "") < rule.get("since", ""):
            report.add("dataset", f"{name} is of schema version {rule['since']}")
        check_scales(file, name, dataset, rule, report)
    if good and sizes["exact/coordinate"] != 3:
        report.add("shape", "exact/cell does not have 3 columns")
        good = False

    def unknown(name, item):
        if isinstance(item, h5py.Dataset) and name not in schema["datasets"] \
                and name != "part/records":
            report.add("dataset", f"{name} is not in the schema")
    file.visititems(unknown)
    return good


def check_part(file, schema, report):
    """Of a part of a split scan: which part it is. What it has of checkpoints in work is for
    llmfp-scan --merge alone, and those checkpoints are not ok."""
    if "part" not in file:
        return
    part = file["part"]
    for name, kind in schema["part"]["attributes"].items():
        right = name in part.attrs and np.shape(part.attrs[name]) == () and (
            isinstance(part.attrs[name], str) if kind == "string"
            else np.asarray(part.attrs[name]).dtype == TYPES[kind])
        if not right:
            report.add("part", f"the attribute {name} of the group part is not a {kind}")
            return
    if not 1 <= part.attrs["number"] <= part.attrs["of"]:
        report.add("part", f"part {part.attrs['number']} of {part.attrs['of']}")
    if not re.fullmatch("[0-9a-f]{16}", part.attrs["digest"]):
        report.add("part", f"digest {part.attrs['digest']!r} is not 16 hex digits")
    records = part.get("records")
    if not isinstance(records, h5py.Dataset) or records.shape != () or records.dtype.kind != "V":
        report.add("part", "part/records is not one opaque value")
    if file.attrs.get("schema_version") == "1.0":
        report.add("part", "the group part is not of schema version 1.0")


# --- models and roles -----------------------------------------------------------------------

def strings(file, name):
    try:
        return list(file[name].asstr()[()])
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} holds a string that is not UTF-8") from error


def check_labels(file, schema, data, report):
    for name in ("model", "role"):
        seen = set()
        for label in data[name]:
            if label in seen:
                report.add("label", f"{name} {label!r} occurs twice")
            if not label:
                report.add("label", f"a {name} has no name")
            seen.add(label)
    for name, rule in schema["datasets"].items():
        if rule["type"] == "string":
            strings(file, name)  # raises when one is not UTF-8
    if not np.array_equal(file["layer"][()], np.arange(file["layer"].shape[0])):
        report.add("label", "layer is not 0, 1, 2, ...")
    for name in ("exact/row", "exact/divisor_limb"):
        if name in file and not np.array_equal(file[name][()], np.arange(file[name].shape[0])):
            report.add("label", f"{name} is not 0, 1, 2, ...")
    if strings(file, "exact/coordinate") != ["model", "role", "layer"]:
        report.add("label", "exact/coordinate is not model, role, layer")
    if strings(file, "unscanned_reason") != schema["unscanned_reasons"]:
        report.add("label", f"unscanned_reason is {strings(file, 'unscanned_reason')}")


def check_models(file, schema, data, report):
    n_layers, total = file["n_layers"][()], file["bytes"][()]
    parameters, unmapped = file["parameters"][()], file["unmapped_bytes"][()]
    unscanned, tensors = file["unscanned_bytes"][()], file["unscanned_tensors"][()]
    message, digest = strings(file, "message"), strings(file, "source_digest")
    path, form = strings(file, "path"), strings(file, "format")
    for i, label in enumerate(data["model"]):
        status = data["status"][i]
        if status not in schema["datasets"]["status"]["values"]:
            report.add("model", f"{label}: status {status!r}")
        if not path[i]:
            report.add("model", f"{label}: no path")
        if n_layers[i] < 0:
            report.add("model", f"{label}: n_layers {n_layers[i]}")
        counted = int(data["count"][i].astype(object).sum()) if data["count"][i].size else 0
        if status == "failed":
            if not message[i]:
                report.add("model", f"{label}: failed without a message")
            if digest[i]:
                report.add("model", f"{label}: failed, but has a source_digest")
            if counted:
                report.add("model", f"{label}: failed, but has cells")
            continue
        if not re.fullmatch("[0-9a-f]{16}", digest[i]):
            report.add("model", f"{label}: source_digest {digest[i]!r} is not 16 hex digits")
        if not form[i]:
            report.add("model", f"{label}: no format")
        if counted > parameters[i]:
            report.add("model", f"{label}: {counted} elements counted of {parameters[i]}")
        claimed = int(unscanned[i, :3].astype(object).sum())
        if claimed != unmapped[i]:
            report.add("model", f"{label}: unmapped_bytes {unmapped[i]}, reasons give {claimed}")
        if int(unscanned[i].astype(object).sum()) > total[i]:
            report.add("model", f"{label}: more unscanned bytes than bytes")
        if np.any((unscanned[i] > 0) & (tensors[i] == 0)):
            report.add("model", f"{label}: unscanned bytes without a tensor")


# --- cells ----------------------------------------------------------------------------------

def check_cells(data, report):
    """Counts, and NaN where there is no cell."""
    count, zeros, nonfinite = (data[name] for name in ("count", "zeros", "nonfinite"))
    bad = (zeros > count) | (nonfinite > count) | (zeros + nonfinite > count)
    report_where(bad, "count", "zeros + nonfinite > count", data, report)
    empty = count == 0
    for name in ("mean", "std", "min", "max", "signature"):
        report_where(empty & ~np.isnan(data[name]), "nan", f"{name} of no elements is a number",
                     data, report)
    for name in ("mean", "std"):
        report_where((nonfinite > 0) & ~np.isnan(data[name]), "nan",
                     f"{name} of nonfinite elements is a number", data, report)
    some = count > nonfinite
    for name in ("min", "max"):
        report_where(some & ~np.isfinite(data[name]), "range", f"{name} is not finite", data,
                     report)
        report_where(~some & ~np.isnan(data[name]), "range", f"{name} of no finite element", data,
                     report)
        report_where(np.signbit(data[name]) & (data[name] == 0), "range", f"{name} is -0", data,
                     report)
    report_where(some & (data["min"] > data["max"]), "range", "min > max", data, report)
    report_where(some & (zeros > 0) & ((data["min"] > 0) | (data["max"] < 0)), "range",
                 "zeros outside min .. max", data, report)


def report_where(mask, kind, text, data, report):
    for i, r, layer in np.argwhere(mask):
        report.add(kind, f"{place(data, i, r, layer)}: {text}")


def place(data, i, r, layer):
    return f"{data['model'][i]} {data['role'][r]} layer {layer}"


def check_limbs(file, name, report):
    limbs = file[name][()]
    if limbs.size and (np.any(limbs[:, :-1] < 0) or np.any(limbs[:, :-1] > 0xFFFFFFFF)):
        report.add("limb", f"{name}: a limb before the last lies outside 0 .. 2^32 - 1")
    exponent = int(file[name].attrs["exponent"])
    if exponent % 32:
        report.add("limb", f"{name}: exponent {exponent} is not a multiple of 32")
    return limbs, exponent


def divisors_of(file, data, rows, report):
    """What the elements of each row's cell are divided by: 1 where the file does not say."""
    if "exact/divisor" not in file:
        return [1] * len(rows)
    found = []
    for row, limbs in zip(rows.tolist(), file["exact/divisor"][()]):
        divisor = exact.integer_from_limbs(limbs)
        if np.any(limbs < 0) or np.any(limbs > 0xFFFFFFFF) or divisor % 2 != 1:
            report.add("divisor", f"{place(data, *row)}: not a positive odd number")
            divisor = 1
        found.append(divisor)
    return found


def check_exact(file, data, report):
    """Rows are the cells, in order; mean, std, min and max agree with the sums."""
    rows = file["exact/cell"][()]
    sums, sum_exponent = check_limbs(file, "exact/sum", report)
    squares, square_exponent = check_limbs(file, "exact/sum_squares", report)
    shape = data["count"].shape
    if np.any(rows < 0) or np.any(rows >= np.array(shape)):
        report.add("cell", "exact/cell points outside of the arrays")
        return
    keys = [tuple(row) for row in rows.tolist()]
    if any(a >= b for a, b in zip(keys, keys[1:])):
        report.add("cell", "exact/cell is not sorted by model, role, layer, each cell once")
    missing = set(map(tuple, np.argwhere(data["count"] > 0).tolist())) - set(keys)
    for key in sorted(missing):
        report.add("cell", f"{place(data, *key)} has elements but is not in exact/cell")
    divisors = divisors_of(file, data, rows, report)
    for key, low, high, divisor in zip(keys, sums, squares, divisors):
        check_cell(key, exact.integer_from_limbs(low), sum_exponent,
                   exact.integer_from_limbs(high), square_exponent, divisor, data, report)


def check_cell(key, total, e, squares, e2, divisor, data, report):
    where = place(data, *key)
    n, bad = int(data["count"][key]), int(data["nonfinite"][key])
    finite, nonzero = n - bad, n - bad - int(data["zeros"][key])
    if squares < 0 or (nonzero == 0) != (squares == 0) or (nonzero == 0 and total != 0):
        report.add("sum", f"{where}: sums do not fit {nonzero} elements other than zero")
        return
    unit = min(2 * e, e2)
    if finite * (squares << (e2 - unit)) < (total * total) << (2 * e - unit):
        report.add("sum", f"{where}: n * sum_squares < sum^2")
        return
    mean = exact.mean_of(n, bad, total, e, divisor)
    std = exact.std_of(n, bad, total, e, squares, e2, divisor)
    for name, value in (("mean", mean), ("std", std)):
        found = float(data[name][key])
        if not same_double(found, value):
            report.add(name, f"{where}: {found.hex()}, the sums give {value.hex()}")
    if finite:
        check_range(where, finite, total, e, squares, e2, divisor, data, key, report)


def check_range(where, finite, total, e, squares, e2, divisor, data, key, report):
    least, most = float(data["min"][key]), float(data["max"][key])
    if not (math.isfinite(least) and math.isfinite(most)):
        return  # reported by check_cells
    # The unit of a sum says nothing about the elements: 0.5 and -0.5 give 0.
    total = total * Fraction(2) ** e / divisor
    squares = squares * Fraction(2) ** e2 / divisor ** 2
    reached = max(abs(least), abs(most))
    if divisor != 1:  # min and max are rounded: the exact ones lie within a unit of them
        least, most = np.nextafter(least, -np.inf), np.nextafter(most, np.inf)
        reached = np.nextafter(reached, 0)
        if not (math.isfinite(least) and math.isfinite(most)):
            return
    low, high, reached = Fraction(float(least)), Fraction(float(most)), Fraction(float(reached)) ** 2
    if not finite * low <= total <= finite * high:
        report.add("range", f"{where}: the mean lies outside min .. max")
    elif not reached <= squares <= finite * max(abs(low), abs(high)) ** 2:
        report.add("range", f"{where}: sum_squares does not fit min and max")


# --- curves ---------------------------------------------------------------------------------

def curves_of(data):
    """{(model, role): (layers, curve)} for every curve that is not empty."""
    found = {}
    present = data["count"] > 0
    for i, r in np.argwhere(present.any(axis=2)) if present.size else []:
        layers = np.flatnonzero(present[i, r])
        found[int(i), int(r)] = (layers, data["std"][i, r, layers])
    return found


def usable(curve):
    return bool(np.all(np.isfinite(curve))) and curve.min() != curve.max()


def check_signatures(data, curves, report):
    for (i, r), (layers, curve) in curves.items():
        found = data["signature"][i, r, layers]
        if not usable(curve):
            if not np.all(np.isnan(found)):
                report.add("signature", f"{place(data, i, r, layers[0])}: a curve without "
                           "variance, or not finite, has a signature")
            continue
        factor = math.ldexp(1.0, -math.frexp(float(np.max(np.abs(curve))))[1])
        curve = curve * factor
        spread = curve.std()
        if not SAFE_SPREAD[0] * factor < spread < SAFE_SPREAD[1] * factor:
            continue
        error = np.abs(found - (curve - curve.mean()) / spread)
        allowed = TOLERANCE + 16 * EPSILON * len(curve) / spread
        if not np.all(error <= allowed):
            report.add("signature", f"{place(data, i, r, layers[0])}: signature differs by "
                       f"{np.nanmax(error):.3g}")


def resample(curve, n):
    m = len(curve)
    return curve if m == n else np.interp(np.linspace(0, m - 1, n), np.arange(m), curve)


def standardised(curves, n):
    """Rows: curves on a grid of n points, less their mean, of length 1 (NaN: no variance)."""
    rows = np.array([resample(curve, n) for curve in curves])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = np.ldexp(rows, -np.frexp(np.max(np.abs(rows), axis=1, keepdims=True))[1])
        flat = rows.max(axis=1) == rows.min(axis=1)
        rows = rows - rows.mean(axis=1, keepdims=True)
        rows = rows / np.sqrt(np.sum(rows * rows, axis=1, keepdims=True))
    rows[flat] = np.nan
    return rows


def expected_correlation(curves, role, n_models):
    """(N,N) matrix of one role, and which entries another correct program could call undefined."""
    result = np.full((n_models, n_models), np.nan)
    doubtful = np.zeros(n_models, dtype=bool)
    own = {i: curve for (i, r), (_, curve) in curves.items()
           if r == role and len(curve) >= LEAST_LAYERS and usable(curve)}
    for i, curve in own.items():
        spread = float(curve.max() - curve.min())
        doubtful[i] = not SAFE_SPREAD[0] < spread < SAFE_SPREAD[1] \
            or spread < 1e-12 * float(np.max(np.abs(curve)))
    for n in sorted({len(curve) for curve in own.values()}):
        long_ = [i for i, curve in own.items() if len(curve) == n]
        all_ = [i for i, curve in own.items() if len(curve) <= n]
        z = dict(zip(all_, standardised([own[i] for i in all_], n)))
        block = np.array([z[i] for i in long_]) @ np.array([z[i] for i in all_]).T
        result[np.ix_(long_, all_)] = block
        result[np.ix_(all_, long_)] = block.T
    return np.clip(result, -1, 1), doubtful[:, None] | doubtful[None, :]


def check_matrix(name, found, want, doubtful, labels, report):
    if not np.array_equal(found, found.T, equal_nan=True):
        report.add("correlation", f"{name} is not symmetric to the bit")
    if np.any(np.abs(found[~np.isnan(found)]) > 1):
        report.add("correlation", f"{name} has a value beyond 1")
    diagonal = np.diagonal(found)
    if np.any(~np.isnan(diagonal) & (diagonal != 1)):
        report.add("correlation", f"{name} has a diagonal that is not 1")
    error = np.abs(found - want)
    wrong = (np.isnan(found) != np.isnan(want)) | (error > TOLERANCE)
    for i, j in np.argwhere(wrong & ~doubtful):
        if i <= j:
            report.add("correlation", f"{name} of {labels[i]} and {labels[j]}: "
                       f"{found[i, j]!r}, not {want[i, j]!r}")


def check_correlations(file, data, curves, report):
    n = len(data["model"])
    parts, doubtful_parts = {}, np.zeros((n, n), dtype=bool)
    for r, role in enumerate(data["role"]):
        found = file["correlation"][r] if n else np.empty((0, 0))
        want, doubtful = expected_correlation(curves, r, n)
        check_matrix(f"correlation of {role}", found, want, doubtful, data["model"], report)
        if role in ("attn.q", "attn.k", "attn.v", "attn.o"):
            parts[role] = want
            doubtful_parts |= doubtful
    want = sum(parts.values()) / 4 if len(parts) == 4 else np.full((n, n), np.nan)
    if n:
        check_matrix("correlation_qkvo", file["correlation_qkvo"][()], want, doubtful_parts,
                     data["model"], report)


# --- the whole ------------------------------------------------------------------------------

def check_file(path):
    """All violations in one file, as lines."""
    schema, report = load_schema(), Report()
    try:
        with h5py.File(path, "r") as file:
            check_root(file, schema, report)
            check_part(file, schema, report)
            if check_datasets(file, schema, report):
                data = {name: file[name][()] for name in (
                    "count", "zeros", "nonfinite", "mean", "std", "min", "max", "signature")}
                data.update({name: strings(file, name) for name in ("model", "role", "status")})
                check_labels(file, schema, data, report)
                check_models(file, schema, data, report)
                check_cells(data, report)
                check_exact(file, data, report)
                curves = curves_of(data)
                check_signatures(data, curves, report)
                check_correlations(file, data, curves, report)
    except (OSError, ValueError) as error:
        report.add("file", f"cannot be read: {error}")
    return report.all_lines()


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    status = 0
    for path in arguments:
        for line in check_file(path):
            print(f"{path}: {line}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
