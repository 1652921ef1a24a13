"""Files beside the weights that say what they mean: quantisers' settings, the publishers' sizes,
adapters. They count as config.json does, and two that contradict each other are refused."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import oracle  # noqa: E402
import program  # noqa: E402
import pytorch_files as torch  # noqa: E402
import quantisers  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402
from clothes import encode  # noqa: E402

Q = "model.layers.0.self_attn.q_proj"
GPTQ = {"bits": 4, "group_size": 256, "desc_act": False, "sym": True}
AWQ = {"zero_point": True, "q_group_size": 256, "w_bit": 4, "version": "GEMM"}
MODELOPT = {"producer": {"name": "modelopt"}, "quantization": {
    "quant_algo": "NVFP4", "kv_cache_quant_algo": None, "group_size": 16, "exclude_modules": []}}


class ConfigurationFiles(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.weight = quantisers.Ternary.random(np.random.default_rng(5), 64, 512)
        self.wanted = oracle.populations([("attn.q", 0, "F64", encode("F64", self.weight.values))])

    def put(self, label, tensors, **files):
        """`files`: name without .json -> content; config: False for none, or more of it."""
        os.makedirs(self.path(label))
        config = files.pop("config", {})
        if config is not False:
            files["config"] = shapes.llama_config(1, 512, 4, 2, 256) | config
        checkpoints.write_file(self.path(label, "model.safetensors"), tensors)
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            self.write(os.path.join(label, name + ".json"), text)
        return label

    def gptq(self, version=1):
        return quantisers.gptq(4, version)(Q, self.weight)

    def hold(self, *labels):
        for ranks in (None, 3):
            found, done = self.scan("\n".join(labels) + "\n", "--overwrite", ranks=ranks)
            self.clean(done)
            for label in labels:
                results.compare(self, found, label, self.wanted)

    def refused(self, label, *words):
        shapes.llama(1, 2).write(self.path("good"))
        found, _ = self.scan(f"bad {label}\ngood good\n", "--overwrite", status=3)
        message = found.model("message", "bad")
        for word in words:
            self.check(word in message, f"{message!r} does not say {word!r}")
        self.equal(found.model("status", "good"), "ok")

    # ---- quantisers ----

    def test_gptq(self):
        v2 = GPTQ | {"checkpoint_format": "gptq_v2", "quant_method": "gptq"}
        self.hold(
            self.put("alone", self.gptq(), quantize_config=GPTQ),
            self.put("v2", self.gptq(2), quantize_config=v2),
            self.put("no-config", self.gptq(), quantize_config=GPTQ, config=False),
            self.put("other-name", self.gptq(), quant_config=GPTQ),
            self.put("both", self.gptq(2), quantize_config=GPTQ, config={
                "quantization_config": {"quant_method": "gptq", "bits": 4,
                                        "checkpoint_format": "gptq_v2"}}))

    def test_awq(self):
        tensors = quantisers.awq(Q, self.weight)
        both = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 256,
                                        "version": "gemm", "zero_point": True}}
        self.hold(self.put("alone", tensors, quant_config=AWQ),
                  self.put("both", tensors, quant_config=AWQ, config=both))
        self.refused(self.put("gemv", tensors, quant_config=AWQ | {"version": "GEMV"}), "GEMV",
                     "not read")

    def test_modelopt(self):
        tensors = quantisers.nvfp4(Q, self.weight)
        self.hold(self.put("alone", tensors, hf_quant_config=MODELOPT),
                  self.put("both", tensors, hf_quant_config=MODELOPT, config={
                      "quantization_config": {"quant_method": "modelopt_fp4",
                                              "quant_algo": "NVFP4"}}))
        # integers in place of a weight, which the method explains to nobody here
        item = checkpoints.Tensor(Q + ".weight", "U8", (64, 256), data=bytes(64 * 256))
        self.refused(self.put("packed", [item], hf_quant_config=MODELOPT), "packed weights",
                     "modelopt")

    def test_mlx(self):
        """Words in place of a weight are refused, whatever names the settings."""
        item = checkpoints.Tensor(Q + ".weight", "U32", (64, 64), data=bytes(64 * 64 * 4))
        scales = checkpoints.tensor(Q + ".scales", "BF16", (64, 16), np.ones(1024))
        label = self.put("mlx", [item, scales], config={
            "quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}})
        self.refused(label, "packed weights (U32)", "not read")

    def test_contradictions(self):
        own = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 256,
                                       "checkpoint_format": "gptq"}}
        for number, (change, words) in enumerate((
                ({"bits": 8}, ("number of bits", '"4"', '"8"')),
                ({"group_size": -1}, ("group size", '"256"', '"-1"')),
                ({"checkpoint_format": "gptq_v2"}, ("format", '"gptq"', '"gptq_v2"')),
                ({"quant_method": "awq"}, ("method", '"gptq"', '"awq"')))):
            label = self.put(f"bad{number}", self.gptq(), quantize_config=GPTQ | change, config=own)
            self.refused(label, "config.json and quantize_config.json contradict", *words)
        label = self.put("bad-awq", self.gptq(), quantize_config=GPTQ, quant_config=AWQ)
        self.refused(label, "quantize_config.json and quant_config.json", '"awq"')

    def test_broken(self):
        for name in ("quantize_config", "quant_config", "hf_quant_config"):
            for number, text in enumerate(("{", "[]", "", "\x01config.json 1\n", "nul")):
                label = f"{name}-{number}"
                self.refused(self.put(label, self.gptq(), **{name: text}), name + ".json",
                             "no JSON object")
        os.symlink("/etc/hostname", self.path(self.put("link", self.gptq()), "quant_config.json"))
        self.refused("link", "quant_config.json is a symbolic link that leaves")
        self.refused(self.put("bad-config", self.gptq(), quantize_config=GPTQ, config=False,
                              params="{"), "params.json: line 1 is not valid JSON")
        label = self.put("other-texts", self.gptq())
        self.write(f"{label}/config.json", "\x01config.json 2\n{}")
        self.refused(label, "config.json: line 1 is not valid JSON")

    # ---- sizes ----

    def test_params_json(self):
        """Llama 4's own files fuse q, k and v; Meta leaves out what is as many as heads."""
        w = shapes.Weights(3)
        q, k, v = w.matrix(16, 16), w.matrix(8, 16), w.matrix(8, 16)
        qkv = checkpoints.Tensor("layers.0.attention.wqkv.weight", "BF16", (32, 16),
                                 np.concatenate([q, k, v]))
        parts = (("attn.q", q), ("attn.k", k), ("attn.v", v))
        wanted = oracle.populations([(role, 0, "BF16", codes) for role, codes in parts])
        params = {"dim": 16, "n_heads": 4, "n_kv_heads": 2, "n_layers": 1, "vocab_size": -1}
        self.put("llama4", [qkv], config=False, params=params)
        self.put("wrong", [qkv], config=False, params=params | {"n_kv_heads": 4})
        self.put("absent", [qkv], config=False)
        self.put("config-first", [qkv], config={"num_key_value_heads": 4}, params=params)
        found, _ = self.scan("llama4\nwrong\nabsent\nconfig-first\n")
        results.compare(self, found, "llama4", wanted)
        for label in ("wrong", "absent", "config-first"):
            self.equal(sorted(found.cells(label)), [("attn.qkv", 0)], label)

    # ---- adapters ----

    def test_adapters(self):
        """Whatever the file is called: an adapter is no model."""
        base = "base_model.model." + Q
        tensors = [checkpoints.tensor(base + ".lora_A.weight", "F32", (2, 16), np.ones(32)),
                   checkpoints.tensor(base + ".lora_B.weight", "F32", (16, 2), np.ones(32)),
                   checkpoints.tensor(base + ".lora_magnitude_vector", "F32", (16,), np.ones(16))]
        self.refused(self.put("renamed", tensors), "adapter", "merge it", base + ".lora_A.weight")
        native = [checkpoints.tensor("layers.0.attention.wq." + part + ".weight", "F32", (2, 2),
                                     np.ones(4)) for part in ("lora_A", "lora_B")]
        self.refused(self.put("mistral", native, config=False), "adapter", "merge it")
        os.makedirs(self.path("torch"))
        torch.save(self.path("torch", "lora.pt"), torch.state_dict(
            [(item.name, torch.tensor(item)) for item in tensors]))
        self.refused("torch", "adapter", "merge it")
        os.makedirs(self.path("peft"))
        self.write("peft/adapter_config.json", '{"peft_type": "LORA"}')
        checkpoints.write_file(self.path("peft", "adapter_model.safetensors"), tensors)
        self.refused("peft", "adapter", "merge it")
        self.refused("peft/adapter_model.safetensors", "adapter", "merge it")
        # beside weights of the model they are a part of it
        model = shapes.llama(1, 1)
        checkpoints.write_checkpoint(self.path("both"), model.tensors + native, model.config)
        found, _ = self.scan("both\n", "--overwrite")
        self.equal(found.model("status", "both"), "ok")
        results.compare(self, found, "both", model.cells(), ("other:",))


if __name__ == "__main__":
    harness.main()
