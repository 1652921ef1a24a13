"""The trained checkpoints that come with the project: every number as recorded; descent shows."""
import json
import os
import sys
from fractions import Fraction

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TESTS, "support"))
sys.path.insert(0, os.path.join(TESTS, "golden"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import tiny_lineage  # noqa: E402


class Golden(program.ScanCase):
    def setUp(self):
        super().setUp()
        with open(tiny_lineage.GOLDEN, encoding="ascii") as file:
            self.golden = json.load(file)
        folder = os.path.abspath(tiny_lineage.FOLDER)
        self.manifest = self.write("manifest.txt", "".join(
            f'{label} "{folder}/{label}"\n' for label in tiny_lineage.MODELS))

    def compare(self, found):
        unit = Fraction(2) ** self.golden["unit_exponent"]
        self.equal(sorted(self.golden["models"]), sorted(found.models))
        for label, roles in self.golden["models"].items():
            cells = found.cells(label)
            wanted = {(role, layer) for role, row in roles.items() for layer in row["layer"]}
            self.equal(set(cells), wanted, f"cells of {label}")
            for role, row in roles.items():
                for at, layer in enumerate(row["layer"]):
                    cell, where = cells[role, layer], f"{label} {role} layer {layer}"
                    for name in ("count", "zeros"):
                        self.equal(cell[name], row[name][at], f"{where} {name}")
                    for name in ("mean", "std", "min", "max"):
                        self.same_double(cell[name], float.fromhex(row[name][at]),
                                         f"{where} {name}")
                    self.equal(cell["sum"], int(row["sum"][at]) * unit, f"{where} sum")
                    self.equal(cell["sum_squares"], int(row["sum_squares"][at]) * unit ** 2,
                               f"{where} sum_squares")

    def test_values(self):
        for ranks in (None, 2, 3):
            found, done = self.scan(self.manifest, "--overwrite", ranks=ranks)
            self.clean(done)
            self.compare(found)
            self.equal(found["status"], ["ok"] * 5)
            self.equal(found["n_layers"].tolist(), [12] * 5)
            self.equal(found["parameters"].tolist(), [683784] * 5)
            self.equal(found["architecture"], ["LlamaForCausalLM"] * 5)
        results.opens_everywhere(self, self.path("out.h5"))

    def test_golden_file_is_what_the_oracle_says(self):
        self.equal(tiny_lineage.compute(), self.golden, "tiny-lineage.json")

    def test_correlations(self):
        found, _ = self.scan(self.manifest)
        cells = {label: tiny_lineage.cells(label) for label in tiny_lineage.MODELS}
        results.compare_correlations(self, found, cells)

    def test_descent_shows(self):
        """Relatives are more alike than any model and a stranger."""
        found, done = self.scan(self.manifest, "--summary=json")
        family = {"base0", "base0-finetune", "base0-continued"}
        inside, outside = [], []
        for i, a in enumerate(found.models):
            for j, b in enumerate(found.models[:i]):
                value = found["correlation_qkvo"][i, j]
                (inside if {a, b} <= family else outside).append(float(value))
        self.check(min(inside) > max(outside), f"{inside} and {outside}")
        first = json.loads(done.out)["pairs"][0]
        self.check({"base0", "base0-finetune"} <= set(map(str, first.values())), str(first))


if __name__ == "__main__":
    harness.main()
