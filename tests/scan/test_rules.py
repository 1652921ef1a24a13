"""--rules FILE: role rules of the user's own, before the program's; wrong ones with their place."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402


class Rules(program.ScanCase):
    def odd_model(self):
        """Names that no rule of the program knows."""
        w = shapes.Weights(5)
        model = shapes.Model(shapes.llama_config(3))
        for layer in range(3):
            prefix = f"decoder.{layer}."
            q, k, v = w.matrix(16, 8), w.matrix(4, 8), w.matrix(4, 8)
            model.add_fused(prefix + "att.qkv.w", "BF16", (24, 8),
                            [*q.ravel(), *k.ravel(), *v.ravel()],
                            [("attn.q", q.ravel()), ("attn.k", k.ravel()), ("attn.v", v.ravel())],
                            layer)
            wide = w.matrix(6, 8)
            model.add_fused(prefix + "ffn.gu", "BF16", (6, 8), wide,
                            [("mlp.gate", wide[:, 0::2].ravel()),
                             ("mlp.up", wide[:, 1::2].ravel())], layer)
            for expert in range(2):
                model.add(f"{prefix}moe.{expert}.w2", "BF16", (8, 4), w.matrix(8, 4), "mlp.down",
                          layer)
            model.add(prefix + "mine", "BF16", (5,), w.norm(5), "other:mine", layer)
        model.add("final.scale", "BF16", (8,), w.norm(8), "norm.final")
        model.add("vision.0.q", "BF16", (8,), w.norm(8))
        return model

    RULES = {"rules": [
        {"name": "decoder.{layer}.att.qkv.w",
         "parts": [{"role": "attn.q", "size": 16}, {"role": "attn.k", "size": 4},
                   {"role": "attn.v", "size": 4}]},
        {"name": "decoder.{layer}.ffn.gu", "axis": "columns", "repeat": 4,
         "parts": [{"role": "mlp.gate", "size": 1}, {"role": "mlp.up", "size": 1}]},
        {"name": "decoder.{layer}.moe.{expert}.w2", "role": "mlp.down"},
        {"name": "*.{layer}.mine", "role": "other:mine"},
        {"name": "final.*", "role": "norm.final"},
        {"name": "vision.*", "role": None},
    ]}

    def test_rules_of_ones_own(self):
        model = self.odd_model()
        model.write(self.path("odd"), shards=2)
        self.write("rules.json", json.dumps(self.RULES, indent=1))
        first = None
        for ranks, chunk in ((None, "64K"), (3, "4K")):
            found, done = self.scan("odd odd\n", "--rules", "rules.json", "--chunk", chunk,
                                    "--overwrite", ranks=ranks)
            self.clean(done)
            results.compare(self, found, "odd", model.cells())
            self.equal(int(found.model("n_layers", "odd")), 3)
            if first is not None:
                results.equal(self, first, found)
            first = found
        done = program.run(["--dry-run", "--rules", self.path("rules.json"),
                            self.path("manifest.txt")], cwd=self.path())
        self.equal(done.status, 0, done.tell())
        for rule in ("decoder.{layer}.att.qkv.w", "*.{layer}.mine"):
            self.check(f"(rule {rule})" in done.out, f"{rule} is not named: {done.out}")

    def test_rules_override(self):
        """A rule of one's own wins over the program's; others stay."""
        model = shapes.llama(1, 2)
        model.write(self.path("model"))
        self.write("rules.json", '{"rules":[{"name":"*.{layer}.self_attn.q_proj.weight",'
                                 '"role":"attn.gate"}]}')
        found, done = self.scan("model model\n", "--rules", "rules.json")
        self.clean(done)
        cells = {("attn.gate" if role == "attn.q" else role, layer): cell
                 for (role, layer), cell in model.cells().items()}
        results.compare(self, found, "model", cells)

    def test_parts_that_do_not_fit(self):
        shapes.llama(1, 2).write(self.path("model"))
        self.write("rules.json", '{"rules":[{"name":"*{layer}.self_attn.q_proj.weight","parts":'
                                 '[{"role":"attn.q","size":5}]}]}')
        found, _ = self.scan("model model\n", "--rules", "rules.json", status=3)
        message = found.model("message", "model")
        for word in ("--rules", "self_attn.q_proj.weight", "1 times 5 is not 16"):
            self.check(word in message, f"{message!r} does not say {word!r}")

    def test_wrong_rules(self):
        shapes.llama(1, 1).write(self.path("model"))
        self.write("manifest.txt", "model model\n")
        rule = '{"name":"a","role":"attn.q"}'
        wrong = {
            "": "rules.json:1:1:", "{": "rules.json:1:", "[]": "rules.json:1:1:", "{}": "no list",
            '{"rules":[]} x': "rules.json:1:14:", '{"other":[]}': "one \"rules\"",
            '{"rules":[],"rules":[]}': "one \"rules\"",
            '{"rules":[\n {"name":"a","role":"attn.x"}]}': "rules.json:2:21: an unknown role",
            '{"rules":[{"name":"a","role":"other:"}]}': "an unknown role",
            '{"rules":[{"name":"a"}]}': "without", '{"rules":[{"role":"attn.q"}]}': "without",
            '{"rules":[{"name":"","role":"attn.q"}]}': "empty",
            '{"rules":[{"name":"a\\n","role":"attn.q"}]}': "not printable",
            '{"rules":[{"name":"a","role":"attn.q","role":"attn.k"}]}': "twice",
            '{"rules":[{"name":"a","role":"attn.q","parts":[]}]}': "role and parts",
            '{"rules":[{"name":"a","parts":[]}]}': "without",
            '{"rules":[{"name":"a","parts":[{"role":"attn.q"}]}]}': "without \"role\" or \"size\"",
            '{"rules":[{"name":"a","parts":[{"role":"attn.q","size":0}]}]}': "0 or too large",
            '{"rules":[{"name":"a","parts":[{"role":"attn.q","size":1,"x":1}]}]}': "a key that",
            '{"rules":[{"name":"a","parts":[' + ",".join(['{"role":"attn.q","size":1}'] * 9) +
            ']}]}': "more than 8 parts",
            '{"rules":[{"name":"a","role":"attn.q","axis":"rows "}]}': "an axis",
            '{"rules":[{"name":"a","role":"attn.q","repeat":-1}]}': "rules.json:1:",
            '{"rules":[{"name":"a","role":"attn.q","colour":1}]}': "a key that is not name",
            '{"rules":[' + ",".join([rule] * 4097) + ']}': "more than 4096 rules",
        }
        for text, words in wrong.items():
            self.write("rules.json", text)
            for ranks in (None, 2) if len(text) < 3 else (None,):
                done = program.run(["--rules", "rules.json", "manifest.txt"], ranks=ranks,
                                   cwd=self.path())
                self.equal(done.status, 2, f"{text[:80]}: {done.tell()}")
                self.equal(len(done.errors()), 1, f"{text[:80]}: {done.tell()}")
                self.check(words in done.errors()[0], f"{done.errors()[0]!r} does not say {words!r}")
        done = program.run(["--rules", "nowhere.json", "manifest.txt"], cwd=self.path())
        self.equal(done.status, 2, done.tell())
        self.check("nowhere.json" in done.errors()[0], done.tell())

    def test_resume_needs_the_same_rules(self):
        model = shapes.llama(1, 1)
        for number in range(65):  # more than one batch, so that something is saved
            model.write(self.path(f"model{number}"))
        lines = "".join(f"model{number}\n" for number in range(65)) + "lost nowhere\n"
        self.scan(lines, "--strict", status=1)
        self.write("rules.json", '{"rules":[]}')
        for more, status in ((["--rules", "rules.json"], 2), (["--roles", "attn.q"], 2), ([], 3)):
            done = program.run(["--resume", *more, "-o", "out.h5", "manifest.txt"],
                               cwd=self.path())
            self.equal(done.status, status, done.tell())
            self.check(status == 3 or "--rules" in done.errors()[0], done.tell())


if __name__ == "__main__":
    harness.main()
