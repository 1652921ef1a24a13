"""The notebook jobs/analysis.ipynb, executed head-less from top to bottom."""
import base64
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import generated  # noqa: E402
import harness  # noqa: E402
import matplotlib.image  # noqa: E402
import nbconvert.preprocessors  # noqa: E402
import nbformat  # noqa: E402
import program  # noqa: E402

NOTEBOOK = os.path.join(harness.ROOT, "jobs", "analysis.ipynb")


class Notebook(harness.Case):
    def execute(self, results):
        """(pictures, all printed text) of a run on a results file."""
        os.environ["LLMFP_RESULTS"] = results
        book = nbformat.read(NOTEBOOK, as_version=4)
        runner = nbconvert.preprocessors.ExecutePreprocessor(timeout=120, kernel_name="python3")
        runner.preprocess(book, {"metadata": {"path": self.folder}})
        outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
        self.equal([o for o in outputs if o.output_type == "error"], [], "errors")
        pictures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
        for picture in pictures:
            pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)))
            self.check(min(pixels.shape[:2]) > 150 and pixels[..., :3].std() > 0.02, "an empty picture")
        return pictures, "".join(o.get("text", "") for o in outputs)

    def test_stored_without_outputs(self):
        with open(NOTEBOOK, encoding="utf-8") as file:
            cells = json.load(file)["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        self.check(len(code) >= 8, "cells")
        self.equal([c for c in code if c["outputs"] or c["execution_count"]], [], "stored outputs")

    def test_trained_models(self):
        """A real scan; these models have no biases."""
        manifest = os.path.join(harness.ROOT, "tests", "data", "tiny-lineage", "manifest.txt")
        done = program.run(["-o", self.path("r.h5"), manifest])
        self.equal(done.status, 0, "the scan")
        pictures, text = self.execute(self.path("r.h5"))
        self.equal(len(pictures), 6, "attention, feed-forward, norms, two maps, histogram")
        self.check("0.9993" in text and "No model has any of attn.q.bias" in text, text)

    def test_all_figures_and_hostile_names(self):
        names = ["a$b$", "</script>", "x" * 3000, "\u202eevil\n", " ", "c", "\u6f22\u5b57"]
        path = generated.write(self.path("r.h5"), names, [8, 9, 12, 2, 40, 8, 8], failed=[5],
                               lacking={(0, "attn.q.bias"), (1, "norm.attn"), (2, "attn.v")})
        pictures, text = self.execute(path)
        self.equal(len(pictures), 7, "pictures")
        self.check("Glyph" not in text, f"warnings about letters\n{text}")
        self.check("1 a$b$" in text and "5 ' '" in text, f"names in the table of pairs\n{text}")

    def test_one_model_and_none(self):
        self.equal(len(self.execute(generated.write(self.path("one.h5"), ["only"], [8]))[0]), 6, "pictures")
        path = generated.write(self.path("none.h5"), ["a"], [1], roles=(), failed=[0])
        pictures, text = self.execute(path)
        self.equal(len(pictures), 0, "pictures of nothing")
        self.check("No model has a correlation" in text, text)

    def test_100_models(self):
        path = generated.write(self.path("r.h5"), [f"model {i}" for i in range(100)], [32] * 100)
        self.equal(len(self.execute(path)[0]), 7, "pictures")


if __name__ == "__main__":
    harness.main()
