"""Writes results files of any size by the schema, from random curves: what a report is made of.

The exact sums are left out: reports do not read them, and 500 models would take minutes.
"""
import h5py
import numpy as np

UTF8 = h5py.string_dtype("utf-8")
ROLES = ("attn.q", "attn.q.bias", "attn.k", "attn.k.bias", "attn.v", "attn.v.bias", "attn.o",
         "norm.attn", "mlp.gate", "mlp.up", "mlp.down")


def resampled(curve, depth):
    return np.interp(np.linspace(0, len(curve) - 1, depth), np.arange(len(curve)), curve)


def correlations(curves):
    """Pearson's r of all pairs of curves (None: no curve)."""
    n = len(curves)
    result = np.full((n, n), np.nan)
    for depth in {len(c) for c in curves if c is not None}:
        for other in {len(c) for c in curves if c is not None}:
            rows = [i for i, c in enumerate(curves) if c is not None and len(c) == depth]
            columns = [i for i, c in enumerate(curves) if c is not None and len(c) == other]
            longest = max(depth, other)
            if min(depth, other) < 3:
                continue
            a, b = (np.array([resampled(curves[i], longest) for i in group]) for group in (rows, columns))
            a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
            scale = np.sqrt(np.outer((a * a).sum(axis=1), (b * b).sum(axis=1)))
            result[np.ix_(rows, columns)] = np.clip(a @ b.T / scale, -1, 1)
    result = (result + result.T) / 2
    defined = np.isfinite(np.diag(result))
    np.fill_diagonal(result, np.where(defined, 1.0, np.nan))
    return result


def attach_scales(file):
    """The axes' names, as the schema says, for xarray."""
    axes = {name: ("model", "role", "layer") for name in ("count", "std", "signature")}
    axes |= {"correlation": ("role", "model", "model"), "correlation_qkvo": ("model", "model")}
    for scale in ("model", "role", "layer"):
        file[scale].make_scale(scale)
    for name in set(file) - {"model", "role", "layer"}:
        for axis, scale in enumerate(axes.get(name, ("model",))):
            file[name].dims[axis].attach_scale(file[scale])


def write(path, names, depths, roles=ROLES, failed=(), lacking=(), texts=None, seed=1):
    """`failed`: indices of failed checkpoints; `lacking`: (model, role) without cells;
    `texts`: {dataset: value for all models} in place of what is written otherwise."""
    random = np.random.default_rng(seed)
    n, longest = len(names), max(depths)
    std = np.full((n, len(roles), longest), np.nan)
    for i in range(n):
        for r, role in enumerate(roles):
            if i not in failed and (i, role) not in lacking:
                std[i, r, :depths[i]] = np.exp(0.3 * random.standard_normal(depths[i]).cumsum()) / 50
    has = np.isfinite(std)
    with np.errstate(all="ignore"):
        mean, spread = (np.array([[f(std[i, r, has[i, r]]) if has[i, r].any() else np.nan
                                   for r in range(len(roles))] for i in range(n)]) for f in (np.mean, np.std))
        signature = (std - mean[:, :, None]) / spread[:, :, None]
    matrices = np.array([correlations([std[i, r, has[i, r]] if has[i, r].any() else None for i in range(n)])
                         for r in range(len(roles))]).reshape(len(roles), n, n)
    wanted = [roles.index(role) for role in ("attn.q", "attn.k", "attn.v", "attn.o") if role in roles]
    qkvo = sum(matrices[r] for r in wanted) / 4 if len(wanted) == 4 else np.full((n, n), np.nan)
    columns = {"architecture": "LlamaForCausalLM", "path": "/models/x", "format": "safetensors", "family": "",
               "parent": "", "source_digest": "0123456789abcdef"} | (texts or {})
    with h5py.File(path, "w") as file:
        file.attrs.update({"schema": "llmfp-results", "schema_version": "1.0", "generator": "generated 1",
                           "created": "2025-01-31T12:00:00Z"})
        for name, values in (("model", names), ("role", list(roles))):
            file.create_dataset(name, data=np.array(values, dtype=UTF8), dtype=UTF8)
        file["layer"] = np.arange(longest, dtype=np.int32)
        columns["status"] = ["failed" if i in failed else "ok" for i in range(n)]
        columns["message"] = [(texts or {}).get("message", "its header is cut off") if i in failed else ""
                              for i in range(n)]
        for name, value in columns.items():
            values = value if isinstance(value, list) else [value] * n
            file.create_dataset(name, data=np.array(values, dtype=UTF8), dtype=UTF8)
        file["n_layers"] = np.array(depths, np.int32)
        for name, value in (("parameters", 7 * 10 ** 9), ("bytes", 14 * 10 ** 9), ("unmapped_bytes", 0)):
            file[name] = np.full(n, value, np.uint64)
        file["count"], file["std"], file["signature"] = has.astype(np.uint64), std, signature
        file["correlation"], file["correlation_qkvo"] = matrices, qkvo
        attach_scales(file)
    return path
