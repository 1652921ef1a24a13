"""Signatures and correlations against numpy: depths, constant curves, holes, missing roles."""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import harness  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from checkpoints import encode_array  # noqa: E402

QKVO = {"attn.q": "q_proj", "attn.k": "k_proj", "attn.v": "v_proj", "attn.o": "o_proj"}


def model_of(curves, seed, dtype="F32", layers=None):
    """A model whose std of role r in layer i is about curves[r][i]; NaN plants a NaN."""
    rng = np.random.default_rng(seed)
    n_layers = max(len(curve) for curve in curves.values())
    model = shapes.Model(shapes.llama_config(n_layers))
    for role, curve in curves.items():
        for i, spread in enumerate(curve):
            layer = i if layers is None else layers[i]
            if spread is None:
                continue
            values = rng.normal(0, 1, 200)
            values *= (0 if math.isnan(spread) else spread) / values.std(ddof=1)
            codes = encode_array(dtype, values)
            if math.isnan(spread):
                codes[5] = 0x7FC00000
            model.add(f"model.layers.{layer}.self_attn.{QKVO[role]}.weight", dtype, (10, 20),
                      codes, role, layer)
    return model


def random_curve(rng, n):
    return list(0.02 * (1 + 0.3 * rng.random(n)))


class Correlation(program.ScanCase):
    def compare(self, models, ranks=None, *options):
        for label, model in models.items():
            model.write(self.path(label))
        found, done = self.scan("".join(f"{label}\n" for label in models), *options, ranks=ranks)
        self.clean(done)
        cells = {label: model.cells() for label, model in models.items()}
        for label, wanted in cells.items():
            results.compare(self, found, label, wanted)
        results.compare_correlations(self, found, cells)
        for i, label in enumerate(found.models):
            for r, role in enumerate(found.roles):
                curve = oracle.curve(cells[label], role)
                layers = np.flatnonzero(found["count"][i, r])
                self.check(np.allclose(found["signature"][i, r, layers], oracle.signature(curve),
                                       rtol=0, atol=1e-11, equal_nan=True), f"signature {label}")
        self.qkvo(found, cells)
        return found

    def qkvo(self, found, cells):
        for i, a in enumerate(found.models):
            for j, b in enumerate(found.models):
                parts = [oracle.correlation(oracle.curve(cells[a], role),
                                            oracle.curve(cells[b], role)) for role in QKVO]
                value, wanted = found["correlation_qkvo"][i, j], sum(parts) / 4
                if math.isnan(wanted):
                    self.check(math.isnan(value), f"qkvo of {a} and {b}: {value}")
                else:
                    self.check(abs(value - wanted) <= 1e-12, f"qkvo of {a} and {b}: {value}")

    def test_depths(self):
        rng = np.random.default_rng(1)
        models = {f"depth-{n}": model_of({role: random_curve(rng, n) for role in QKVO}, n)
                  for n in (1, 2, 3, 4, 7, 12, 16, 31, 61)}
        models["again-12"] = model_of({role: random_curve(rng, 12) for role in QKVO}, 99)
        found = self.compare(models)
        self.check(math.isnan(found.correlation("attn.q", "depth-2", "depth-12")))
        self.check(math.isnan(found.correlation("attn.q", "depth-2", "depth-2")))
        self.equal(found.correlation("attn.q", "depth-3", "depth-3"), 1.0)

    def test_depths_on_many_ranks(self):
        rng = np.random.default_rng(2)
        models = {f"depth-{n}": model_of({role: random_curve(rng, n) for role in QKVO}, n)
                  for n in (3, 5, 8, 9, 9 + 16)}
        self.compare(models, 5)

    def test_constant_curves(self):
        rng = np.random.default_rng(3)
        flat = model_of({"attn.q": [0.02]}, 7)
        tensor = flat.tensors[0]
        for layer in range(1, 6):  # the very same tensor in each layer
            flat.add(f"model.layers.{layer}.self_attn.q_proj.weight", tensor.dtype, tensor.shape,
                     tensor.codes, "attn.q", layer)
        flat.config["num_hidden_layers"] = 6
        zero = model_of({"attn.q": [0.0] * 5}, 8)
        models = {"flat": flat, "zero": zero, "six": model_of({"attn.q": random_curve(rng, 6)}, 9),
                  "nine": model_of({"attn.q": random_curve(rng, 9)}, 10)}
        found = self.compare(models)
        for other in ("flat", "zero", "six", "nine"):
            self.check(math.isnan(found.correlation("attn.q", "flat", other)), f"flat {other}")
            self.check(math.isnan(found.correlation("attn.q", other, "zero")), f"zero {other}")
        self.equal(found.correlation("attn.q", "six", "six"), 1.0)

    def test_missing_roles(self):
        rng = np.random.default_rng(4)
        models = {"all": model_of({role: random_curve(rng, 5) for role in QKVO}, 1),
                  "no v": model_of({role: random_curve(rng, 5) for role in list(QKVO)[:2]}, 2),
                  "only o": model_of({"attn.o": random_curve(rng, 6)}, 3)}
        models = {label.replace(" ", "-"): model for label, model in models.items()}
        found = self.compare(models)
        self.check(math.isnan(found.correlation("attn.v", "all", "no-v")))
        self.check(math.isnan(found["correlation_qkvo"][0, 1]))
        self.equal(found["correlation_qkvo"][0, 0], 1.0)

    def test_role_that_no_model_has(self):
        rng = np.random.default_rng(5)
        models = {label: model_of({"attn.q": random_curve(rng, 4)}, seed)
                  for seed, label in enumerate(("a", "b"))}
        found = self.compare(models)
        self.equal(found.roles, ["attn.q"])
        self.check(np.all(np.isnan(found["correlation_qkvo"])))

    def test_layers_that_lack_a_role(self):
        """A curve closes up over the layers that have the role."""
        rng = np.random.default_rng(6)
        curve = random_curve(rng, 6)
        holes = [curve[0], None, curve[1], curve[2], None, None, curve[3], curve[4], curve[5]]
        models = {"holes": model_of({"attn.q": holes}, 1), "dense": model_of({"attn.q": curve}, 2),
                  "other": model_of({"attn.q": random_curve(rng, 11)}, 3)}
        found = self.compare(models)
        self.check(found.correlation("attn.q", "holes", "dense") > 1 - 1e-6)

    def test_values_that_are_not_finite(self):
        rng = np.random.default_rng(7)
        curve = random_curve(rng, 5)
        broken = list(curve)
        broken[2] = math.nan
        models = {"good": model_of({"attn.q": curve, "attn.k": curve}, 1),
                  "nan": model_of({"attn.q": broken, "attn.k": curve}, 2)}
        found = self.compare(models)
        self.check(math.isnan(found.correlation("attn.q", "good", "nan")))
        self.check(math.isnan(found.correlation("attn.q", "nan", "nan")))
        self.check(found.correlation("attn.k", "good", "nan") > 1 - 1e-6)

    def test_empty_tensors_are_no_layers(self):
        rng = np.random.default_rng(8)
        model = model_of({"attn.q": random_curve(rng, 4)}, 1)
        model.add("model.layers.4.self_attn.q_proj.weight", "F32", (0, 7), [], "attn.q", 4)
        model.config["num_hidden_layers"] = 5
        self.compare({"with-empty": model, "other": model_of({"attn.q": random_curve(rng, 7)}, 2)})

    def test_one_element_has_no_spread(self):
        model = model_of({"attn.q": [0.02, 0.03, 0.025]}, 1)
        model.add("model.layers.3.self_attn.q_proj.weight", "F32", (1,), [0x3F800000], "attn.q", 3)
        model.config["num_hidden_layers"] = 4
        found = self.compare({"single": model, "other": model_of({"attn.q": [1, 2, 3.5]}, 2)})
        self.check(math.isnan(found.correlation("attn.q", "single", "other")))

    def test_opposite_and_equal(self):
        curve = [0.01, 0.02, 0.04, 0.03]
        opposite = [0.05 - value for value in curve]
        models = {"a": model_of({"attn.q": curve}, 1), "b": model_of({"attn.q": opposite}, 2)}
        found = self.compare(models)
        self.check(found.correlation("attn.q", "a", "b") < -1 + 1e-6)

    def test_norms_close_to_one(self):
        """Curves of norm weights 1 +- 1e-4, whose spread is small beside their mean."""
        models = {}
        for label, seed, n in (("a", 1, 8), ("b", 2, 8), ("c", 3, 13)):
            rng, model = np.random.default_rng(seed), shapes.Model(shapes.llama_config(n))
            for layer in range(n):
                model.add(f"model.layers.{layer}.input_layernorm.weight", "F32", (300,),
                          encode_array("F32", 1 + 1e-4 * rng.normal(size=300)), "norm.attn", layer)
            models[label] = model
        self.compare(models)


if __name__ == "__main__":
    harness.main()
