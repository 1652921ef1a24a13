"""Weights that are quotients: bitsandbytes' int8 (code * SCB / 127) and compressed-tensors' NVFP4
(code * scale / global scale), alone and in one cell with others. Every cell equals sums of
Fractions, to the last bit, however it was scanned, cut, resumed and merged.
"""
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import harness  # noqa: E402
import packed  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from checkpoints import encode_array  # noqa: E402
from oracle import Quotients  # noqa: E402

LAYER = "model.layers.0."
Q = LAYER + "self_attn.q_proj"
EXPERT = LAYER + "block_sparse_moe.experts.{}.w1"
E2M1 = [sign * Fraction(n, 2) for sign in (1, -1) for n in (0, 1, 2, 3, 4, 6, 8, 12)]
F32_ZERO, F32_INFINITY, F32_NAN, F32_SMALLEST, F32_LARGEST = (0, 0x7F800000, 0x7FC00001, 1,
                                                              0x7F7FFFFF)
# 250 chunks of 4 KiB at 10 ms: more than 0.8 s on three ranks.
SLOWLY = {"LLMFP_FAULT_DELAY": "pread:40000"}


def odd_part(number):
    """The divisor of a global scale."""
    number = Fraction(float(np.float32(number)))
    odd = number.numerator
    while odd % 2 == 0:
        odd //= 2
    return odd


class DividedCase(packed.PackedCase):
    def int8(self, model, name, shape, odd=(), form=None, magnitude=-3.0):
        """Adds a weight of LLM.int8; returns its values. `odd`: bit patterns among the SCB."""
        codes = self.rng.integers(-127, 128, shape)
        scales = encode_array("F32", np.exp(self.rng.normal(magnitude, 1, shape[0])))
        scales[:len(odd)] = odd
        model.add_raw(name + ".weight", "I8", shape, codes.astype(np.int8).tobytes())
        model.add_raw(name + ".SCB", "F32", shape[:1], scales.astype("<u4").tobytes())
        if form is not None:
            model.add_raw(name + ".weight_format", "U8", (), bytes([form]))
        return [None if scale is None else code * scale / 127
                for row, scale in zip(codes.tolist(), packed.values_of("F32", scales))
                for code in row]

    def nvfp4(self, model, name, shape, whole, hostile=False):
        """Adds an NVFP4 weight of compressed-tensors; returns its values."""
        codes = self.rng.integers(0, 256, (*shape[:-1], shape[-1] // 2)).astype(np.uint8)
        scales = packed.scale_codes("F8_E4M3", self.rng, codes.size // 8)
        if hostile:
            scales[:5] = [0, 0x80, 0x7F, 0xFF, 0xFE]
        model.add_raw(name + ".weight_packed", "U8", codes.shape, codes.tobytes())
        model.add_raw(name + ".weight_scale", "F8_E4M3", (*shape[:-1], shape[-1] // 16),
                      scales.tobytes())
        model.add_raw(name + ".weight_global_scale", "F32", (1,),
                      np.array([whole], "<f4").tobytes())
        each = [None if scale is None else scale / Fraction(float(np.float32(whole)))
                for scale in packed.values_of("F8_E4M3", scales)]
        return [None if scale is None else E2M1[nibble] * scale
                for scale, eight in zip(each, codes.reshape(-1, 8).tolist())
                for byte in eight for nibble in (byte & 15, byte >> 4)]

    def plain(self, model, name, shape, dtype="BF16"):
        codes = encode_array(dtype, self.rng.normal(0, 0.05, shape).reshape(-1))
        model.add(name + ".weight", dtype, shape, codes)
        return packed.values_of(dtype, codes)

    def hold(self, model, values, divisors, version="1.2"):
        """The cells, on one rank, two and three, and their divisors."""
        self.compare(model, {key: Quotients(items) for key, items in values.items()})
        found, done = self.scan("model model\n", "--overwrite", "--chunk=4K", ranks=2, valid=False)
        self.clean(done)
        cells = found.cells("model")
        self.equal({key: cells[key]["divisor"] for key in divisors}, divisors, "divisors")
        self.equal(found.attributes["schema_version"], version)
        self.equal("exact/divisor" in found.arrays, version == "1.2", "exact/divisor is there")
        self.verified("out.h5")
        return found

    def verified(self, name):
        done = program.run(["--verify", self.path(name), "-q"], None, self.folder)
        self.equal(done.status, 0, done.tell())

    def mixtral(self, n_experts, **quantisation):
        model = shapes.Model(shapes.mixtral(0, 1, n_experts).config)
        if quantisation:
            model.config["quantization_config"] = quantisation
        return model


class Int8(DividedCase):
    def test_shapes(self):
        for shape, form in (((61, 75), None), ((1, 4099), 0), ((300, 3), 0)):
            model = self.model(quant_method="bitsandbytes", load_in_8bit=True)
            values = self.int8(model, Q, shape, form=form)
            self.hold(model, {("attn.q", 0): values}, {("attn.q", 0): 127})

    def test_odd_magnitudes(self):
        """Rows of zeros, of the smallest and the largest float; NaN and infinity make a row of
        elements that are not finite, as in all other encodings."""
        for odd in ((F32_ZERO, F32_SMALLEST, F32_LARGEST, 0x80000000), (F32_INFINITY, F32_NAN)):
            model = self.model(quant_method="bitsandbytes", load_in_8bit=True)
            values = self.int8(model, Q, (20, 33), odd)
            self.hold(model, {("attn.q", 0): values}, {("attn.q", 0): 127})

    def test_equal_elements(self):
        """All elements are one quotient, which min and max round."""
        model = self.model(quant_method="bitsandbytes", load_in_8bit=True)
        model.add_raw(Q + ".weight", "I8", (4, 5), bytes([1]) * 20)
        model.add_raw(Q + ".SCB", "F32", (4,), np.array([1] * 4, "<f4").tobytes())
        found = self.hold(model, {("attn.q", 0): [Fraction(1, 127)] * 20}, {("attn.q", 0): 127})
        self.equal(found["std"][0, 0, 0], 0.0)
        self.equal(found["max"][0, 0, 0], 1 / 127)

    def test_fused(self):
        """phi3's rows of q, k and v."""
        config = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                  "intermediate_size": 96}
        model = shapes.Model(config)
        values = self.int8(model, LAYER + "self_attn.qkv_proj", (128, 64))
        self.hold(model, {("attn.q", 0): values[:4096], ("attn.k", 0): values[4096:6144],
                          ("attn.v", 0): values[6144:]},
                  {("attn.q", 0): 127, ("attn.v", 0): 127})

    def test_refusals(self):
        def changed(ending, dtype, shape, data):
            model = self.model(quant_method="bitsandbytes", load_in_8bit=True)
            self.int8(model, Q, (8, 16), form=0)
            model.tensors = [item for item in model.tensors if item.name != Q + ending]
            model.add_raw(Q + ending, dtype, shape, data)
            return model
        negative = np.array([1, 1, 1, -0.25, 1, 1, 1, 1], "<f4").tobytes()
        self.refused(changed(".SCB", "F32", (8,), negative), "q_proj", "row 3", "-0.25")
        self.refused(changed(".SCB", "F32", (7,), bytes(28)), "q_proj", "7 magnitudes", "fit")
        self.refused(changed(".SCB", "F16", (8,), bytes(16)), "q_proj", "SCB", "fit")
        self.refused(changed(".weight", "I8", (8, 4, 4), bytes(128)), "q_proj", "fit")
        self.refused(changed(".weight_format", "U8", (), b"\2"), "q_proj", "tiles", "2")
        self.refused(changed(".weight_format", "U8", (2,), b"\0\0"), "q_proj", "weight_format")
        self.refused(changed(".weight_format", "I32", (), bytes(4)), "q_proj", "weight_format")


class Nvfp4(DividedCase):
    def settled(self):
        return self.model(quant_method="compressed-tensors", format="nvfp4-pack-quantized")

    def test_global_scales(self):
        smallest, largest = (float(np.array([code], "<u4").view("<f4")[0])
                             for code in (F32_SMALLEST, F32_LARGEST))
        for i, whole in enumerate((2688 / 0.37, 7e-39, largest, 1.5)):
            model = self.settled()
            values = self.nvfp4(model, Q, (30, 128), whole, hostile=i % 2 == 1)
            self.hold(model, {("attn.q", 0): values}, {("attn.q", 0): odd_part(whole)})
        for whole in (1.0, smallest, 2.0 ** 127):  # nothing is divided
            model = self.settled()
            values = self.nvfp4(model, Q, (30, 128), whole)
            self.hold(model, {("attn.q", 0): values}, {("attn.q", 0): 1}, "1.0")

    def test_stacked_experts(self):
        """Matrices above one another, with one scale of them all."""
        model = self.settled()
        model.add("model.layers.0.input_layernorm.weight", "BF16", (64,),
                  encode_array("BF16", np.ones(64)), "norm.attn")
        values = self.nvfp4(model, LAYER + "mlp.up_proj", (3, 10, 64), 1234.5)
        self.hold(model, {("mlp.up", 0): values, ("norm.attn", 0): [Fraction(1)] * 64},
                  {("mlp.up", 0): odd_part(1234.5), ("norm.attn", 0): 1})

    def test_refusals(self):
        for whole, word in ((0.0, "is 0"), (-3.0, "is -3"), (np.nan, "nan"), (np.inf, "is inf"),
                            (-np.inf, "is -inf")):
            model = self.settled()
            self.nvfp4(model, Q, (4, 64), 1.0)
            model.tensors.pop()
            model.add_raw(Q + ".weight_global_scale", "F32", (1,),
                          np.array([whole], "<f4").tobytes())
            self.refused(model, "q_proj", word, "positive")
        for dtype, n, data in (("F16", 1, bytes(2)), ("F32", 2, bytes(8)), ("F32", 0, b"")):
            model = self.settled()
            self.nvfp4(model, Q, (4, 64), 1.0)
            model.tensors.pop()
            model.add_raw(Q + ".weight_global_scale", dtype, (n,), data)
            self.refused(model, "q_proj", "one F32 scale")


class Mixed(DividedCase):
    def test_plain_and_int8(self):
        """Experts of which one was kept as it was: all are brought to 127."""
        for dtype in ("BF16", "F64"):
            model = self.mixtral(3, quant_method="bitsandbytes", load_in_8bit=True)
            values = self.int8(model, EXPERT.format(0), (8, 16))
            values += self.plain(model, EXPERT.format(1), (8, 16), dtype)
            values += self.int8(model, EXPERT.format(2), (8, 16))
            self.hold(model, {("mlp.gate", 0): values}, {("mlp.gate", 0): 127})

    def test_many_global_scales(self):
        """Each expert has its own, some equal: the least common multiple of all."""
        for scales in ((3.0, 5.0, 6.0, 1.0), (3.0, 9.0, 27.0, 0.75),
                       [2688 / amax for amax in np.linspace(0.1, 0.9, 40).tolist()]):
            model = self.mixtral(len(scales), quant_method="compressed-tensors",
                                 format="nvfp4-pack-quantized")
            values, multiple = [], 1
            for i, whole in enumerate(scales):
                values += self.nvfp4(model, EXPERT.format(i), (4, 32), whole, hostile=i == 2)
                multiple = np.lcm(multiple, odd_part(whole), dtype=object)
            self.hold(model, {("mlp.gate", 0): values}, {("mlp.gate", 0): multiple})

    def test_both_kinds(self):
        """Not a checkpoint that anyone makes, but a cell like any other."""
        model = self.mixtral(4)
        values = self.int8(model, EXPERT.format(0), (8, 16))
        values += self.nvfp4(model, EXPERT.format(1), (8, 16), 7.0)
        values += self.plain(model, EXPERT.format(2), (8, 16), "F32")
        values += self.nvfp4(model, EXPERT.format(3), (8, 16), 254.0)
        self.hold(model, {("mlp.gate", 0): values}, {("mlp.gate", 0): 127 * 7})

    def test_extremes(self):
        """The widest sums: the largest and the smallest doubles beside quotients."""
        model = self.mixtral(2)
        values = self.int8(model, EXPERT.format(0), (4, 4), (F32_SMALLEST, F32_LARGEST))
        codes = np.array([1, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF, 0x8000000000000001], np.uint64)
        model.add(EXPERT.format(1) + ".weight", "F64", (2, 2), codes)
        values += packed.values_of("F64", codes)
        self.hold(model, {("mlp.gate", 0): values}, {("mlp.gate", 0): 127})

    def test_too_many_divisors(self):
        """171 scales of 24 bits are more than 4096 bits."""
        model = self.mixtral(180, quant_method="compressed-tensors")
        for i in range(180):
            self.nvfp4(model, EXPERT.format(i), (1, 16), float(2 ** 24 - 1 - 2 * i))
        self.refused(model, "mlp.gate", "layer 0", "4096 bits", "--roles")
        done = program.run(["--dry-run", "-"], None, self.folder,
                           stdin=self.path("bad") + "\n")
        self.equal(done.status, 3, done.tell())
        self.check("4096 bits" in done.err, done.tell())


class Whole(DividedCase):
    """Files as a whole, of a model that has everything beside one that has nothing."""

    def setUp(self):
        super().setUp()
        self.model_of_all = model = shapes.mixtral(5, 2)
        self.values = {}
        for layer in range(2):
            prefix = f"model.layers.{layer}."
            model.tensors = [item for item in model.tensors if not item.name.startswith(
                (prefix + "self_attn.q_proj", prefix + "block_sparse_moe.experts"))]
            self.values["attn.q", layer] = self.int8(model, prefix + "self_attn.q_proj", (64, 256))
            gate = prefix + "block_sparse_moe.experts."
            self.values["mlp.gate", layer] = \
                self.nvfp4(model, gate + "0.w1", (32, 128), 100.5 + layer) + \
                self.nvfp4(model, gate + "1.w1", (32, 128), 33.25) + \
                self.plain(model, gate + "2.w1", (32, 128))
            self.values["mlp.up", layer] = \
                self.nvfp4(model, gate + "0.w3", (8, 64), 2688 / 0.37) + \
                self.nvfp4(model, gate + "1.w3", (8, 64), 2688 / (0.53 + layer))
        model.write(self.path("all"))
        shapes.llama(3, 4).write(self.path("none"))

    def same(self, a, b):
        a, b = self.path(a), self.path(b)
        results.equal(self, a, b, ignore=())
        results.h5diff(self, a, b, exclude=())

    def test_numbers(self):
        wanted = {key: Quotients(items) for key, items in self.values.items()}
        wanted.update({key: cell for key, cell in self.model_of_all.cells().items()
                       if not key[0].startswith(("attn.q", "mlp."))})
        for ranks in (None, 3):
            found, done = self.scan("all\nnone\n", "--overwrite", ranks=ranks)
            self.clean(done)
            results.compare(self, found, "all", wanted)
            results.compare(self, found, "none", shapes.llama(3, 4).cells())
        results.opens_everywhere(self, self.path("out.h5"))
        self.verified("out.h5")

    def test_merge_and_append(self):
        self.scan("none\nall\n", output="whole.h5")
        self.scan("none\n", output="a.h5")
        with h5py.File(self.path("a.h5")) as file:
            self.equal(file.attrs["schema_version"], "1.0")
        self.scan("all\n", output="b.h5")
        done = program.run(["--merge", "a.h5", "b.h5", "-o", "merged.h5", "--summary=none"], 3,
                           self.folder)
        self.equal(done.status, 0, done.tell())
        self.same("whole.h5", "merged.h5")
        self.scan("all\n", "--append", output="a.h5", ranks=2)
        self.same("whole.h5", "a.h5")
        self.scan("none\n", "--append", output="b.h5")
        self.verified("b.h5")

    def test_parts(self):
        self.scan("none\nall\n", output="whole.h5")
        for n in (2, 5):
            files = [f"part-{k}-of-{n}.h5" for k in range(1, n + 1)]
            for k, name in enumerate(files):
                self.scan("none\nall\n", f"--part={k + 1}/{n}", output=name)
                self.verified(name)
            done = program.run(["--merge", *files, "-o", "merged.h5", "--overwrite",
                                "--summary=none"], 2, self.folder)
            self.equal(done.status, 0, done.tell())
            self.same("whole.h5", "merged.h5")

    def test_resume(self):
        """Stopped while it reads, with sums of quotients saved."""
        self.scan("all\n", output="whole.h5")
        self.use_program_with_faults()
        manifest = self.write("manifest.txt", "all\n")
        arguments = ["-o", "cut.h5", "--progress=none", "--io=pread", "--chunk=4K", manifest]
        for seconds in (1.0, 0.7, 0.5, 1.5, 2.0, 3.0):
            for name in os.listdir(self.folder):
                if name.startswith("cut.h5"):
                    os.remove(self.path(name))
            process = program.start(arguments, 3, self.folder, env=SLOWLY)
            time.sleep(seconds)
            process.send_signal(signal.SIGUSR1)
            program.finish(process)
            if any(".journal.progress" in name for name in os.listdir(self.folder)):
                break
        self.equal(process.returncode, 75)
        self.check(any(".journal.progress" in name for name in os.listdir(self.folder)),
                   "no sums are saved")
        self.scan(manifest, "--resume", output="cut.h5", ranks=2)
        self.same("whole.h5", "cut.h5")

    def test_tampered(self):
        """--verify, the validator and --append see a divisor that does not fit."""
        self.scan("all\n", output="whole.h5")
        with h5py.File(self.path("whole.h5")) as file:
            rows, divisors = file["exact/cell"][()], file["exact/divisor"][()]
        row = int(np.flatnonzero(divisors[:, 0] == 127)[0])
        self.check(len(rows) == len(divisors) and divisors.shape[1] > 1, divisors.shape)

        def poke(row, limb, value):
            return lambda file: file["exact/divisor"].__setitem__((row, limb), value)
        cases = {"other": (poke(row, 0, 129), "exact sums give"),
                 "even": (poke(row, 0, 126), "odd number"), "zero": (poke(row, 0, 0), "odd number"),
                 "wide": (poke(row, 0, (1 << 32) + 127), "odd number"),
                 "negative": (poke(row, 0, -127), "odd number"),
                 "counts": (lambda file: file["exact/divisor_limb"].__setitem__(0, 7),
                            "exact/divisor_limb is not 0, 1, 2"),
                 "no scale": (lambda file: file.pop("exact/divisor_limb"), "exact/divisor_limb"),
                 "no values": (lambda file: file.pop("exact/divisor"), "exact/divisor"),
                 "version": (lambda file: file.attrs.__setitem__("schema_version", "1.0"),
                             "schema_version")}
        for name, (change, words) in cases.items():
            path = self.path(f"{name}.h5")
            shutil.copy(self.path("whole.h5"), path)
            with h5py.File(path, "r+") as file:
                change(file)
            done = program.run(["--verify", path], None, self.folder)
            self.equal(done.status, 3, f"{name}: {done.tell()}")
            self.check(words in done.out + done.err, f"{name}: {words!r}\n{done.tell()}")
            self.check(results.validate(path), f"{name}: the validator sees nothing")

    def test_is_shown(self):
        manifest = self.write("manifest.txt", "all\n")
        done = program.run(["--dry-run", manifest], None, self.folder)
        self.equal(done.status, 0, done.tell())
        lines = [line for line in done.out.splitlines() if "self_attn.q_proj" in line]
        self.check(lines and all("divided by 127" in line for line in lines), done.out)
        self.check("divided by 133" in done.out, done.out)  # 33.25 = 133 / 4
        tool = os.environ.get("LLMFP_INSPECT") or os.path.join(
            os.path.dirname(program.scanner()), "..", "inspect", "llmfp-inspect")
        for options, words in ((["--tensors"], "divided by 127"), (["--json", "--tensors"],
                                                                   '"divisor":127')):
            done = subprocess.run([tool, *options, self.path("all")], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.equal(done.returncode, 0, done.stderr)
            self.check(words in done.stdout, done.stdout[:3000])


if __name__ == "__main__":
    harness.main()
