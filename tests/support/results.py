"""Reads results files, and compares them with what the oracle says."""
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass

import h5py
import numpy as np
import xarray

import oracle
from oracle import exact

VALIDATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "results-schema",
                        "validate.py")
COUNTS = ("count", "zeros", "nonfinite")
VALUES = ("mean", "std", "min", "max", "signature")


@dataclass
class Results:
    """A results file in memory."""
    arrays: dict        # name -> numpy array (strings as lists of str)
    attributes: dict    # root attributes, and "exact/sum exponent" and the like
    models: list
    roles: list

    def __getitem__(self, name):
        return self.arrays[name]

    def model(self, name, label):
        """A value of one model, e.g. model("status", "base")."""
        return self.arrays[name][self.models.index(label)]

    def correlation(self, role, a, b):
        at = self.roles.index(role), self.models.index(a), self.models.index(b)
        return float(self.arrays["correlation"][at])

    def cells(self, label):
        """{(role, layer): dict of numbers, "sum" and "sum_squares" exact, "divisor"} of one
        model; sums are those of the elements, not of their numerators."""
        i = self.models.index(label)
        units = {name: self.attributes[f"exact/{name} exponent"] for name in
                 ("sum", "sum_squares")}
        found = {}
        for row, (m, r, layer) in enumerate(self.arrays["exact/cell"].tolist()):
            if m != i:
                continue
            cell = {name: self.arrays[name][m, r, layer].item() for name in COUNTS + VALUES}
            for name, unit in units.items():
                limbs = self.arrays[f"exact/{name}"][row]
                cell[name] = oracle.Fraction(exact.integer_from_limbs(limbs)) \
                    * oracle.Fraction(2) ** int(unit)
            limbs = self.arrays.get("exact/divisor")
            cell["divisor"] = 1 if limbs is None else exact.integer_from_limbs(limbs[row])
            cell["sum"] /= cell["divisor"]
            cell["sum_squares"] /= cell["divisor"] ** 2
            found[self.roles[r], layer] = cell
        return found


def load(path):
    arrays, attributes = {}, {}
    with h5py.File(path, "r") as file:
        attributes.update(file.attrs)

        def visit(name, item):
            if not isinstance(item, h5py.Dataset):
                return
            text = h5py.check_string_dtype(item.dtype) is not None
            arrays[name] = list(item.asstr()[()]) if text else item[()]
            for key in item.attrs:
                if key == "exponent":
                    attributes[f"{name} {key}"] = item.attrs[key]
        file.visititems(visit)
    return Results(arrays, attributes, arrays["model"], arrays["role"])


def compare(case, found, label, wanted, others=()):
    """All cells of one model equal the oracle's, to the last bit.

    `others`: prefixes of roles that may be there without being stated ("other:")."""
    cells = found.cells(label)
    extra = {key for key in set(cells) - set(wanted) if not key[0].startswith(tuple(others))}
    case.check(not extra, f"{label}: cells nobody expects: {sorted(extra)[:5]}")
    missing = set(wanted) - set(cells)
    case.check(not missing, f"{label}: cells are missing: {sorted(missing)[:5]}")
    for key, cell in wanted.items():
        have, where = cells[key], f"{label} {key[0]} layer {key[1]}"
        for name in COUNTS:
            case.equal(have[name], getattr(cell, name), f"{where} {name}")
        for name in ("mean", "std", "min", "max"):
            case.same_double(have[name], getattr(cell, name), f"{where} {name}")
        case.equal(have["sum"], cell.sum, f"{where} exact/sum")
        case.equal(have["sum_squares"], cell.sum_squares, f"{where} exact/sum_squares")


def compare_correlations(case, found, cells_by_label, tolerance=1e-12):
    """correlation and signature of every pair and role against numpy."""
    for role in found.roles:
        curves = {label: oracle.curve(cells, role) for label, cells in cells_by_label.items()}
        for a, curve in curves.items():
            for b in curves:
                value = found.correlation(role, a, b)
                wanted = oracle.correlation(curve, curves[b])
                if np.isnan(wanted):
                    case.check(np.isnan(value), f"{role} {a} {b}: {value}, wanted NaN")
                else:
                    case.check(abs(value - wanted) <= tolerance,
                               f"{role} {a} {b}: {value!r}, wanted {wanted!r}")
                if a == b and not np.isnan(wanted):
                    case.equal(value, 1.0, f"{role} diagonal of {a}")


def equal(case, a, b, ignore=("path",), what="results"):
    """Two files hold the same: every dataset byte for byte, attributes except the time."""
    a, b = (load(item) if isinstance(item, str) else item for item in (a, b))
    case.equal(sorted(a.arrays), sorted(b.arrays), f"{what}: datasets")
    for name, array in a.arrays.items():
        if name in ignore:
            continue
        other = b.arrays[name]
        if isinstance(array, list):
            case.equal(array, other, f"{what}: {name}")
        else:
            case.equal(array.dtype, other.dtype, f"{what}: type of {name}")
            case.equal(array.shape, other.shape, f"{what}: shape of {name}")
            if array.tobytes() != other.tobytes():
                differ = np.argwhere(array.view(np.uint8) != other.view(np.uint8))
                case.check(False, f"{what}: {name} differs in {len(differ)} bytes")
            case.check(True)
    for name, value in a.attributes.items():
        if name != "created":
            case.equal(b.attributes.get(name), value, f"{what}: attribute {name}")


def h5diff(case, a, b, exclude=("/path",)):
    """h5diff sees no difference in any dataset or attribute but the time of writing."""
    command = ["h5diff", "-r"] + [f"--exclude-path={name}" for name in exclude] + [a, b]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    case.check(found.returncode in (0, 1) and not found.stderr, f"h5diff: {found.stderr[:500]}")
    # Reference lists hold addresses in the file, and the excluded datasets too.
    unlike = ("attribute: <created of </>>", "attribute: <REFERENCE_LIST ")
    item, differ, seen = "", [], 0
    for line in found.stdout.splitlines():
        if line.startswith(("dataset:", "attribute:", "group:")):
            item = line
        elif line.endswith("differences found"):
            seen += 1
            if line.split()[0] != "0" and not item.startswith(unlike):
                differ.append(item)
        elif "not comparable" in line.lower():
            differ.append(line)
    case.check(not differ, f"h5diff {a} {b}: {differ[:5]}")
    case.check(seen > 20, f"h5diff looked at {seen} items only")


def validate(path):
    """Lines of the validator, [] for a good file. It runs as users run it."""
    found = subprocess.run([sys.executable, VALIDATE, path], capture_output=True, text=True,
                           timeout=600, check=False)
    lines = found.stdout.splitlines()
    if found.returncode != 0 and not lines:
        lines = [f"validate.py ended with {found.returncode}: {found.stderr[-500:]}"]
    return lines


def opens_everywhere(case, path):
    """xarray through h5netcdf and h5dump read it, with names on every axis."""
    plain = load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            case.equal(dataset["std"].dims, ("model", "role", "layer"), "dimensions of std")
            case.equal(dataset["correlation"].dims, ("role", "model", "model"))
            case.equal(list(dataset["model"].values), plain.models, "models in xarray")
            case.equal(list(dataset["role"].values), plain.roles, "roles in xarray")
            case.check(np.array_equal(dataset["std"].values, plain["std"], equal_nan=True),
                       "std in xarray")
            if plain.roles:
                one = dataset["count"].sel(model=plain.models[0], role=plain.roles[0])
                case.check(np.array_equal(one.values, plain["count"][0, 0]), "selection by label")
        with xarray.open_dataset(path, engine="h5netcdf", group="exact") as dataset:
            case.check(np.array_equal(dataset["cell"].values, plain["exact/cell"]),
                       "exact/cell in xarray")
    dump = subprocess.run(["h5dump", "-H", path], capture_output=True, text=True, timeout=120,
                          check=False)
    case.equal(dump.returncode, 0, f"h5dump: {dump.stderr[-300:]}")
    case.check("DIMENSION_LIST" in dump.stdout, "h5dump shows no dimension scales")
