"""PyTorch's files: every layout gives the cells of the same tensors as safetensors, bit for bit, on
one rank and on three."""
import json
import os
import sys
from collections import OrderedDict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import numpy as np  # noqa: E402

import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import pytorch_files as torch  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402


def plain(model, **options):
    return torch.state_dict([(item.name, torch.tensor(item, **options)) for item in model.tensors])


class PyTorch(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.model = shapes.llama(7, 3, "F32")
        self.lines = []

    def put(self, label, model=None):
        """A folder with config.json for a checkpoint that the test writes."""
        os.makedirs(self.path(label))
        with open(self.path(label, "config.json"), "w", encoding="utf-8") as file:
            json.dump((model or self.model).config, file)
        self.lines.append(label)
        return self.path(label)

    def scan_all(self, models=None):
        """Every checkpoint has the cells of its model (default: self.model), and of no other."""
        for ranks in (1, 3):
            found, done = self.scan("\n".join(self.lines) + "\n", f"--output={self.path('r.h5')}",
                                    "--overwrite", ranks=ranks, output="r.h5")
            self.clean(done)
            for label in self.lines:
                model = (models or {}).get(label, self.model)
                results.compare(self, found, label, model.cells())
                self.equal(found.model("format", label)[:7], "PyTorch", label)

    def test_quantised_views(self):
        """Codes and scales are joined when both are stored in rows, and refused otherwise."""
        module = "model.layers.0.self_attn.q_proj."
        codes = checkpoints.Tensor(module + "weight_packed", "U8", (8, 64),
                                   data=np.random.default_rng(1).bytes(512))
        scales = checkpoints.Tensor(module + "weight_scale", "U8", (8, 4),
                                    data=bytes(range(100, 132)))
        cases = {"rows": {}, "scales": {module + "weight_scale": (1, 0)},
                 "codes": {module + "weight_packed": (1, 0)}}
        for label, order in cases.items():
            torch.save(f"{self.put(label)}/m.bin", torch.state_dict(
                [(item.name, torch.tensor(item, order=order.get(item.name)))
                 for item in (codes, scales)]))
        found, _ = self.scan("\n".join(cases) + "\n", status=3)
        self.equal(found.model("status", "rows"), "ok")
        self.equal(found.cells("rows")["attn.q", 0]["count"], 1024)
        for label in ("scales", "codes"):
            self.equal(found.model("status", label), "failed")
            self.check(".contiguous()" in found.model("message", label),
                       found.model("message", label))

    def test_layouts_of_files(self):
        save = torch.save
        save(f"{self.put('zip')}/pytorch_model.bin", plain(self.model))
        save(f"{self.put('old-zip')}/model.pt", plain(self.model), byteorder=None)
        torch.save_streamed(f"{self.put('streamed')}/pytorch_model.bin", plain(self.model))
        torch.save_legacy(f"{self.put('legacy')}/model.pth", plain(self.model))
        save(f"{self.put('native')}/consolidated.00.pth", plain(self.model))
        save(f"{self.put('lightning')}/last.ckpt", {"state_dict": plain(self.model), "epoch": 3})
        for protocol in (0, 1, 3, 4, 5):
            if protocol > 1:
                save(f"{self.put(f'protocol-{protocol}')}/m.bin", plain(self.model),
                     protocol=protocol)
                torch.save_legacy(f"{self.put(f'legacy-{protocol}')}/m.bin", plain(self.model),
                                  protocol=protocol)
        save(f"{self.put('v1')}/m.bin", plain(self.model), rebuild="_rebuild_tensor")
        save(f"{self.put('v3')}/m.bin", plain(self.model), rebuild="_rebuild_tensor_v3")
        parameters = {name: torch.parameter(value) for name, value in plain(self.model).items()}
        save(f"{self.put('parameters')}/m.bin", parameters)
        save(f"{self.put('beside')}/pytorch_model.bin", plain(self.model))
        for name in ("training_args.bin", "optimizer.pt", "rng_state_0.pth", "other.bin"):
            with open(self.path("beside", name), "wb") as file:
                file.write(b"not looked at")
        self.scan_all()

    def test_encodings(self):
        models = {}
        for dtype in ("F64", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"):
            model = models[dtype] = shapes.llama(3, 2, dtype)
            torch.save(f"{self.put(dtype, model)}/pytorch_model.bin", plain(model))
            label = f"{dtype}-legacy"
            models[label] = model
            torch.save_legacy(f"{self.put(label, model)}/pytorch_model.bin", plain(model))
        self.scan_all(models)

    def test_shards(self):
        names = [item.name for item in self.model.tensors]
        for label, writer in (("shards", torch.save), ("legacy-shards", torch.save_legacy)):
            folder, places = self.put(label), {}
            for number in range(3):
                shard = f"pytorch_model-{number + 1:05d}-of-00003.bin"
                part = [item for item in self.model.tensors[number::3]]
                writer(f"{folder}/{shard}", torch.state_dict(
                    [(item.name, torch.tensor(item)) for item in part]))
                places.update({item.name: shard for item in part})
            self.equal(sorted(places), sorted(names), "all names")
            if label == "shards":
                with open(f"{folder}/pytorch_model.bin.index.json", "w", encoding="utf-8") as file:
                    json.dump({"metadata": {}, "weight_map": places}, file)
        self.scan_all()

    def test_one_storage_for_all(self):
        """All tensors are views of one storage, as after flattening by a trainer."""
        data = b"".join(item.data for item in self.model.tensors)
        storage, views, offset = torch.Storage("F32", data), [], 0
        for item in self.model.tensors:
            views.append((item.name, torch.Tensor(storage, item.shape, offset=offset)))
            offset += item.n_elements
        torch.save(f"{self.put('zip')}/m.bin", torch.state_dict(views))
        torch.save_legacy(f"{self.put('legacy')}/m.bin", torch.state_dict(views))
        self.scan_all()

    def test_views(self):
        """Transposed matrices and slices of rows and columns."""
        transposed = [(item.name, torch.tensor(item, tuple(reversed(range(len(item.shape)))), 5))
                      for item in self.model.tensors]
        torch.save(f"{self.put('transposed')}/m.bin", torch.state_dict(transposed))
        torch.save(f"{self.put('behind')}/m.bin", plain(self.model, before=11))
        torch.save(f"{self.put('columns')}/m.bin", plain(self.model, before=2, row_gap=3))
        both = [(item.name, torch.tensor(item, tuple(reversed(range(len(item.shape)))), 1, 4))
                for item in self.model.tensors]
        torch.save_legacy(f"{self.put('both')}/m.bin", torch.state_dict(both))
        every_other = []
        for item in self.model.tensors:
            wide = np.repeat(np.frombuffer(item.data, "V4"), 2)
            shape = item.shape
            stride = (2 * shape[1], 2) if len(shape) == 2 else (2,)
            every_other.append((item.name, torch.Tensor(torch.Storage("F32", wide.tobytes()), shape,
                                                        stride)))
        torch.save(f"{self.put('every-other')}/m.bin", torch.state_dict(every_other))
        self.scan_all()

    def test_fused_and_transposed(self):
        """A fused matrix stored by columns, and one with gaps, are cut as one stored by rows."""
        models = {}
        for pair in (shapes.phi3_pair(5, 2), shapes.gpt2_pair(5, 2), shapes.neox_pair(5, 2)):
            model = pair[0]
            name = f"fused-{len(models)}"
            swapped = [(item.name, torch.tensor(item, tuple(reversed(range(len(item.shape))))))
                       for item in model.tensors]
            for label, items in ((f"{name}-rows", plain(model)),
                                 (f"{name}-columns", torch.state_dict(swapped)),
                                 (f"{name}-gaps", plain(model, row_gap=1))):
                models[label] = model
                torch.save(f"{self.put(label, model)}/m.bin", items)
        self.scan_all(models)

    def test_experts_in_other_orders(self):
        """3-D: dense in an order that is neither by rows nor by columns, and summed all the same."""
        model = shapes.mixtral(3, 2, dtype="F16")
        items = []
        for item in model.tensors:
            order = tuple(range(len(item.shape)))
            items.append((item.name, torch.tensor(item, order[1:] + order[:1])))
        torch.save(f"{self.put('moe', model)}/m.bin", torch.state_dict(items))
        self.scan_all({"moe": model})

    def test_training_checkpoints(self):
        state = plain(self.model)
        noise = torch.tensor(checkpoints.tensor("x", "F32", (64,), np.arange(64.0)))
        optimizer = {"state": {i: {"exp_avg": noise, "exp_avg_sq": noise} for i in range(100)},
                     "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.95), "params": [0, 1, 2]}]}
        namespace = torch.Call(torch.Global("argparse", "Namespace"), (), {"lr": 0.1})
        scalar = torch.Global("numpy.core.multiarray", "scalar")(
            torch.Global("numpy", "dtype")("f8", False, True), "abcdefgh")
        extra = {"optimizer": optimizer, "epoch": 7, "args": namespace, "best": scalar, "big": 1 << 90,
                 "none": None, "flag": True, "negative": -5, "long": 1 << 40, "set": {1, 2},
                 "bytes": b"x", "frozen": frozenset([3]), "rng_state": noise,
                 "loss": torch.Tensor(torch.Storage("F32", bytes(4)), ()),
                 "size": torch.Global("torch", "Size")((2, 3)),
                 "device": torch.Global("torch", "device")("cuda", 0),
                 "where": torch.Global("pathlib", "PosixPath")("a", "b")}
        cases = {
            "model": {"model": state, **extra},
            "state_dict": {"state_dict": state, **extra},
            "module": {"module": state, **extra},
            "twice": {"model": {"state_dict": state, "step": 3}, **extra},
            "own-name": {"llama": state, "optimizer": optimizer, "lr_scheduler": {"last": noise},
                         "ema": state},
            "most": {"state_dict": {"x": noise}, "model": state},
            "ddp": {"module." + name: value for name, value in state.items()},
            "compiled": {"_orig_mod." + name: value for name, value in state.items()},
            "fabric": {"model": {"_forward_module._orig_mod." + name: value
                                 for name, value in state.items()}},
            "fsdp": {"_fsdp_wrapped_module." + name.replace(
                ".self_attn.", "._fsdp_wrapped_module.self_attn."): value
                for name, value in state.items()},
        }
        for label, value in cases.items():
            torch.save(f"{self.put(label)}/c.pt", value)
            label += "-legacy"
            torch.save_legacy(f"{self.put(label)}/c.pt", value)
        own = [label for label in self.lines if label.startswith("own-name")]
        self.lines = [label for label in self.lines if label not in own]
        self.scan_all()
        for label in own:  # tensors under a name that no rule knows are still all there
            found, _ = self.scan(f"{label}\n", output=f"{label}.h5")
            self.equal(int(found.model("parameters", label)), self.model.n_elements,
                       "the optimizer and the average play no part")

    def test_nested_names(self):
        """Dictionaries of modules inside one another give the joined names."""
        nested = {}
        for name, value in plain(self.model).items():
            level, *parts = nested, *name.split(".")
            for part in parts[:-1]:
                level = level.setdefault(part, {})
            level[parts[-1]] = value
        torch.save(f"{self.put('nested')}/m.pt", nested)
        torch.save_legacy(f"{self.put('nested-legacy')}/m.pt", {"state_dict": nested})
        self.scan_all()

    def test_tied(self):
        """One storage under two names is two tensors, as with two storages."""
        state = plain(self.model)
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
        twice = shapes.llama(7, 3, "F32", head=False)
        embed = twice.tensors[0]
        twice.add("lm_head.weight", "F32", embed.shape, embed.codes, "lm_head")
        torch.save(f"{self.put('tied')}/m.bin", state)
        torch.save_legacy(f"{self.put('tied-legacy')}/m.bin", state)
        view = OrderedDict(state)
        view["lm_head.weight"] = torch.Tensor(state["model.embed_tokens.weight"].storage,
                                              embed.shape)
        torch.save(f"{self.put('tied-view')}/m.bin", view)
        self.scan_all({label: twice for label in self.lines})

    def test_order_of_preference(self):
        """safetensors come before PyTorch's files, and pytorch_model.bin before other names."""
        folder = self.put("both")
        self.model.write(folder)
        torch.save(f"{folder}/pytorch_model.bin", plain(shapes.llama(8, 3, "F32")))
        found, done = self.scan("both\n")
        self.clean(done)
        self.equal(found.model("format", "both"), "safetensors", "format")
        results.compare(self, found, "both", self.model.cells())
        other = self.put("names")
        torch.save(f"{other}/pytorch_model.bin", plain(self.model))
        torch.save(f"{other}/a.bin", plain(shapes.llama(8, 3, "F32")))
        torch.save(f"{other}/consolidated.00.pth", plain(shapes.llama(9, 3, "F32")))
        self.lines = ["names"]
        self.scan_all()

    def test_integers_and_empty_tensors(self):
        state = plain(self.model)
        state["steps"] = torch.Tensor(torch.Storage("I64", bytes(8)), ())
        state["empty"] = torch.Tensor(torch.Storage("F32", b""), (0, 4))
        state["mask"] = torch.Tensor(torch.Storage("BOOL", bytes(9)), (3, 3))
        torch.save(f"{self.put('more')}/m.bin", state)
        found, done = self.scan("more\n")
        self.clean(done)
        results.compare(self, found, "more", self.model.cells())
        self.equal(int(found.model("parameters", "more")), self.model.n_elements + 10, "elements")


if __name__ == "__main__":
    harness.main()
