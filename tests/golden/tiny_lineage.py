#!/usr/bin/env python3
"""Expected values of the trained checkpoints in tests/data/tiny-lineage.

Run as a program it computes them with the oracle alone and writes tiny-lineage.json;
tests/scan/test_golden.py compares the scanner's results with that file. The checkpoints are
fixed, so a change of the JSON file needs a reason.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

import checkpoints  # noqa: E402
import oracle  # noqa: E402

FOLDER = os.path.join(HERE, "..", "data", "tiny-lineage")
GOLDEN = os.path.join(HERE, "tiny-lineage.json")
MODELS = ("base0", "base0-finetune", "base0-continued", "indep1", "indep2")
UNIT = -133  # of BF16: every sum is an integer times 2^-133, every sum of squares times 2^-266
ROLES = {
    "self_attn.q_proj.weight": "attn.q", "self_attn.k_proj.weight": "attn.k",
    "self_attn.v_proj.weight": "attn.v", "self_attn.o_proj.weight": "attn.o",
    "input_layernorm.weight": "norm.attn", "post_attention_layernorm.weight": "norm.mlp",
    "mlp.gate_proj.weight": "mlp.gate", "mlp.up_proj.weight": "mlp.up",
    "mlp.down_proj.weight": "mlp.down",
    "model.embed_tokens.weight": "embed", "model.norm.weight": "norm.final",
}


def cells(label):
    """{(role, layer): Population} of one of the models."""
    elements = []
    for tensor in checkpoints.read_checkpoint(os.path.join(FOLDER, label)):
        block = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", tensor.name)
        layer, name = (int(block[1]), block[2]) if block else (0, tensor.name)
        elements.append((ROLES[name], layer, tensor.dtype, tensor.codes))
    return oracle.populations(elements)


def as_json(found):
    """Arrays over the layers of each role; doubles as C99 hexadecimal, sums as integers."""
    roles = {}
    for (role, layer), cell in sorted(found.items()):
        row = roles.setdefault(role, {name: [] for name in (
            "layer", "count", "zeros", "mean", "std", "min", "max", "sum", "sum_squares")})
        row["layer"].append(layer)
        for name in ("count", "zeros"):
            row[name].append(getattr(cell, name))
        for name in ("mean", "std", "min", "max"):
            row[name].append(getattr(cell, name).hex())
        row["sum"].append(str(cell.sum / oracle.Fraction(2) ** UNIT))
        row["sum_squares"].append(str(cell.sum_squares / oracle.Fraction(2) ** (2 * UNIT)))
    return roles


def compute():
    return {"unit_exponent": UNIT, "models": {label: as_json(cells(label)) for label in MODELS}}


def main():
    with open(GOLDEN, "w", encoding="ascii") as file:
        json.dump(compute(), file, indent=1)
        file.write("\n")
    print(f"wrote {os.path.relpath(GOLDEN)}")


if __name__ == "__main__":
    main()
