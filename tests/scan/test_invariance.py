"""What must not change a number: ranks, sharding, chunk size, the order of headers, fusing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

# What tells how a checkpoint is stored, and not what it holds.
STORAGE = ("path", "source_digest")


class Ranks(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.models = {
            "wide": shapes.llama(1, 5, hidden=64, inner=200), "half": shapes.llama(2, 7, "F16"),
            "double": shapes.llama(3, 4, "F64"), "eight": shapes.llama(4, 3, "F8_E4M3"),
            "moe": shapes.mixtral(5, 4), "phi": shapes.phi3_pair(6, 4)[0],
            "neox": shapes.neox_pair(7, 3)[0], "gpt": shapes.gpt2_pair(8, 3)[0]}
        for number, (label, model) in enumerate(self.models.items()):
            model.write(self.path(label), shards=1 + number % 3, index=number % 2 == 0)
        self.manifest = "".join(f"{label}\n" for label in self.models)

    def same(self, output, reference):
        results.equal(self, self.path(reference), self.path(output), ignore=(), what=output)
        results.h5diff(self, self.path(reference), self.path(output), exclude=())

    def test_ranks(self):
        found, _ = self.scan(self.manifest, output="alone.h5")
        for label, model in self.models.items():
            results.compare(self, found, label, model.cells())
        for ranks in [1, 2, 3, 5, 8, 16] + ([64] if harness.SLOW else []):
            output = f"ranks-{ranks}.h5"
            _, done = self.scan(self.manifest, ranks=ranks, output=output, timeout=300)
            self.clean(done)
            self.same(output, "alone.h5")

    def test_more_ranks_than_work(self):
        shapes.llama(9, 1, hidden=4, heads=1, kv_heads=1, inner=4).write(self.path("tiny"))
        self.scan("tiny\n", output="alone.h5")
        self.scan("tiny\n", ranks=9, output="ranks-9.h5")
        self.same("ranks-9.h5", "alone.h5")

    def test_chunks(self):
        self.scan(self.manifest, output="default.h5")
        for ranks, size in ((None, "4K"), (None, "512K"), (3, "4K"), (2, "1M"), (None, "64M"),
                            (None, "4097"), (2, "4103"), (3, "10007")):
            output = f"chunk-{size}-{ranks}.h5"
            self.scan(self.manifest, "--chunk", size, ranks=ranks, output=output)
            self.same(output, "default.h5")


class Sharding(program.ScanCase):
    def test_files(self):
        model = shapes.llama(11, 9, hidden=32, inner=72)
        ways = {"one": {}, "40": {"shards": 40}, "40 without index": {"shards": 40, "index": False},
                "3": {"shards": 3}, "reversed": {"key_order": "reversed"},
                "odd": {"padding": 0, "metadata": {"format": "pt"}},
                "shuffled": {"groups": [model.tensors[2::3], model.tensors[::3],
                                        model.tensors[1::3]]}}
        for number, (name, keywords) in enumerate(ways.items()):
            model.write(self.path(f"stored-{number}"), **keywords)
        reference = None
        for number, name in enumerate(ways):
            output = f"out-{number}.h5"
            found, done = self.scan(f"model stored-{number}\n", output=output, ranks=2)
            self.clean(done)
            if reference is None:
                reference = output
                results.compare(self, found, "model", model.cells())
            results.equal(self, self.path(reference), self.path(output), STORAGE, name)
            results.h5diff(self, self.path(reference), self.path(output),
                           [f"/{item}" for item in STORAGE])

    def test_a_file_is_a_checkpoint_too(self):
        model = shapes.llama(12, 3)
        model.write(self.path("folder"))
        os.rename(self.path("folder", "config.json"), self.path("away.json"))
        found, _ = self.scan("a folder\nb folder/model.safetensors\n")
        results.compare(self, found, "a", model.cells())
        results.compare(self, found, "b", model.cells())

    def test_index_file_stands_for_its_shards(self):
        model = shapes.llama(13, 3)
        model.write(self.path("folder"), shards=3)
        found, _ = self.scan("a folder/model.safetensors.index.json\n")
        results.compare(self, found, "a", model.cells())


class Fused(program.ScanCase):
    """A fused checkpoint holds the same cells as its unfused twin."""

    def twins(self, fused, plain, ranks=None, chunk="4K"):
        fused.write(self.path("fused"))
        plain.write(self.path("plain"))
        found, done = self.scan("fused\nplain\n", "--chunk", chunk, "--overwrite", ranks=ranks)
        self.clean(done)
        results.compare(self, found, "plain", plain.cells())
        results.compare(self, found, "fused", fused.cells())
        roles = {role for role, _, _, _ in plain.elements}
        self.equal(roles, {role for role, _, _, _ in fused.elements}, "the test's own roles")
        self.equal(str(found.cells("fused")), str(found.cells("plain")), "cells of the twins")
        for role in found.roles:
            value = found.correlation(role, "fused", "plain")
            self.check(value != value or abs(value - 1) < 1e-12, f"{role}: {value}")

    def test_phi3(self):
        self.twins(*shapes.phi3_pair(1, 4))
        self.twins(*shapes.phi3_pair(2, 3, "F8_E5M2"), ranks=3)

    def test_gpt2(self):
        self.twins(*shapes.gpt2_pair(3, 4))
        self.twins(*shapes.gpt2_pair(4, 3, "F16", prefix="transformer."), ranks=2)

    def test_gpt2_larger_than_a_chunk(self):
        """Column blocks of a row-major matrix, cut at chunk borders inside rows."""
        self.twins(*shapes.gpt2_pair(5, 2, "F32", hidden=120, heads=4), ranks=2)

    def test_neox(self):
        self.twins(*shapes.neox_pair(6, 4))
        self.twins(*shapes.neox_pair(7, 3, "F64"), ranks=3)

    def test_neox_larger_than_a_chunk(self):
        self.twins(*shapes.neox_pair(8, 2, "BF16", hidden=96, heads=4), ranks=2)

    def test_buffers_are_no_biases(self):
        """GPT-2's causal masks look like biases and must not enter any role of the contract."""
        fused, plain = shapes.gpt2_pair(9, 3)
        for layer in range(3):
            fused.add(f"h.{layer}.attn.bias", "F32", (1, 1, 4, 4), [0x3F800000] * 16)
            fused.add(f"h.{layer}.attn.masked_bias", "F32", (), [0xC61C4000])
        fused.add("wpe.weight", "F32", (4, 12), [0x3F000000] * 48)
        fused.write(self.path("fused"))
        plain.write(self.path("plain"))
        found, _ = self.scan("fused\nplain\n")
        results.compare(self, found, "fused", plain.cells(), others=["other:"])
        results.compare(self, found, "plain", plain.cells())


if __name__ == "__main__":
    harness.main()
