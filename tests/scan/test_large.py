"""Sizes: a trillion-byte checkpoint of sparse files, thousands of small ones, bounded memory.

All data are zeros in files without blocks, so every result is known. The heavy parts take
minutes and run with LLMFP_SLOW=1; smaller versions run always.
"""
import os
import re
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

MIB = 1 << 20
MOST_ANONYMOUS = 256 * MIB  # a rank, above an empty scan
DRY_RUN_SECONDS = 10


class Memory(threading.Thread):
    """Samples the anonymous memory of all ranks; `peak` is the largest of any rank."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.peak, self.samples, self.done = process, 0, 0, False

    def run(self):
        pids = []
        while not self.done:
            if self.samples % 20 == 0:
                pids = program.ranks_of(self.process)
            for pid in pids:
                try:
                    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                        found = re.search(r"RssAnon:\s+(\d+) kB", file.read())
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if found:
                    self.peak = max(self.peak, int(found[1]) * 1024)
            self.samples += 1
            time.sleep(0.01)


class Clock:
    """Seconds of the wall clock, or of the processors a rank where other work holds them up: the
    processor time of all processes that ended since."""

    def __init__(self, ranks):
        self.ranks, self.wall, self.processors = ranks or 1, time.monotonic(), self.used()

    @staticmethod
    def used():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    def seconds(self):
        return min(time.monotonic() - self.wall, (self.used() - self.processors) / self.ranks)


class LargeCase(program.ScanCase):
    def measured(self, manifest, *options, ranks=2, output="out.h5", timeout=1800):
        """(results, seconds, peak of anonymous memory) of a scan of a manifest file."""
        path = self.path(output)
        clock = Clock(ranks)
        process = program.start(["-o", path, "--overwrite", "--progress=none", "--summary=none",
                                 *options, manifest], ranks, self.folder)
        memory = Memory(process)
        memory.start()
        out, err = program.finish(process, timeout)
        seconds = clock.seconds()
        memory.done = True
        memory.join()
        done = program.Run(process.returncode, out, err, seconds, process.args)
        self.equal(done.status, 0, done.tell())
        self.check(memory.samples > 0 and memory.peak > 0, "no rank was seen")
        return results.load(path), seconds, memory.peak

    def empty_scan(self):
        shapes.llama(1, 1).write(self.path("tiny"))
        self.write("tiny.txt", "tiny\n")
        return min(self.measured(self.path("tiny.txt"), output="tiny.h5")[2] for _ in range(3))


# --- one very large checkpoint --------------------------------------------------------------

def deepseek(n_layers, n_experts, dense=3, hidden=7168, inner=2048):
    """DeepSeek-V3's shape in BF16; each matrix has its block scales beside it, as published.

    Returns {name: (dtype, shape)}."""
    tensors, heads = {}, 128

    def matrix(name, rows, columns):
        tensors[f"{name}.weight"] = ("BF16", (rows, columns))
        tensors[f"{name}.weight_scale_inv"] = ("F32", (-(-rows // 128), -(-columns // 128)))

    tensors["model.embed_tokens.weight"] = ("BF16", (129280, hidden))
    for layer in range(n_layers):
        at = f"model.layers.{layer}."
        matrix(f"{at}self_attn.q_a_proj", 1536, hidden)
        matrix(f"{at}self_attn.q_b_proj", heads * 192, 1536)
        matrix(f"{at}self_attn.kv_a_proj_with_mqa", 576, hidden)
        matrix(f"{at}self_attn.kv_b_proj", heads * 256, 512)
        matrix(f"{at}self_attn.o_proj", hidden, heads * 128)
        for name, size in (("self_attn.q_a_layernorm", 1536), ("self_attn.kv_a_layernorm", 512),
                           ("input_layernorm", hidden), ("post_attention_layernorm", hidden)):
            tensors[f"{at}{name}.weight"] = ("BF16", (size,))
        if layer < dense:
            blocks = [("mlp", 18432)]
        else:
            tensors[f"{at}mlp.gate.weight"] = ("BF16", (n_experts, hidden))
            tensors[f"{at}mlp.gate.e_score_correction_bias"] = ("F32", (n_experts,))
            blocks = [(f"mlp.experts.{e}", inner) for e in range(n_experts)]
            blocks.append(("mlp.shared_experts", inner))
        for name, width in blocks:
            matrix(f"{at}{name}.gate_proj", width, hidden)
            matrix(f"{at}{name}.up_proj", width, hidden)
            matrix(f"{at}{name}.down_proj", hidden, width)
    tensors["model.norm.weight"] = ("BF16", (hidden,))
    tensors["lm_head.weight"] = ("BF16", (129280, hidden))
    return tensors


def config_of_deepseek(n_layers, n_experts):
    return {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
            "num_hidden_layers": n_layers, "hidden_size": 7168, "num_attention_heads": 128,
            "num_key_value_heads": 128, "intermediate_size": 18432, "q_lora_rank": 1536,
            "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
            "v_head_dim": 128, "n_routed_experts": n_experts, "moe_intermediate_size": 2048,
            "n_shared_experts": 1, "first_k_dense_replace": 3}


def write_large(folder, tensors, config, n_shards):
    """Sparse shards with an index; returns bytes of data."""
    checkpoints.write_checkpoint(folder, [], config)
    os.remove(os.path.join(folder, "model.safetensors"))
    names, places, total = list(tensors), {}, 0
    for shard in range(n_shards):
        own = names[shard * len(names) // n_shards:(shard + 1) * len(names) // n_shards]
        file = checkpoints.shard_name(shard, n_shards)
        total += checkpoints.write_sparse(os.path.join(folder, file),
                                          {name: tensors[name] for name in own})
        places.update({name: file for name in own})
    checkpoints.write_index(folder, places, total)
    return total


class VeryLarge(LargeCase):
    ROLES = "attn.q_a,attn.kv_a,attn.q_a_norm,attn.kv_a_norm,norm.*,moe.router,moe.router.bias"

    def large(self, n_layers, n_experts, n_shards, roles, seconds):
        tensors = deepseek(n_layers, n_experts)
        total = write_large(self.path("large"), tensors, config_of_deepseek(n_layers, n_experts),
                            n_shards)
        print(f"{len(tensors)} tensors, {total / 1e12:.2f} TB, {n_shards} shards", flush=True)
        manifest = self.write("large.txt", "large\n")
        clock = Clock(2)
        done = program.run(["--dry-run", manifest], 2, self.folder)
        dry_run = clock.seconds()
        self.equal(done.status, 0, done.tell()[-3000:])
        self.check(dry_run < seconds, f"--dry-run took {dry_run:.1f} s")
        listed = {word for line in done.out.splitlines() for word in line.split()[:3]}
        missing = [name for name in tensors if name not in listed]
        if missing:  # the name may stand elsewhere in its line
            listed = set(done.out.split())
            missing = [name for name in tensors if name not in listed]
        self.check(not missing, f"--dry-run does not list {len(missing)} tensors: {missing[:3]}")

        least = self.empty_scan()
        found, took, peak = self.measured(manifest, f"--roles={roles}")
        print(f"dry run {dry_run:.1f} s, scan {took:.1f} s, peak {peak / MIB:.0f} MiB, "
              f"empty scan {least / MIB:.0f} MiB", flush=True)
        self.check(peak - least <= MOST_ANONYMOUS, f"{(peak - least) / MIB:.0f} MiB a rank")
        self.equal(results.validate(self.path("out.h5")), [])
        self.all_zeros(found, tensors, n_layers)
        return found

    def all_zeros(self, found, tensors, n_layers):
        r = found.roles.index("attn.q_a")
        self.equal(found["count"][0, r].tolist(), [1536 * 7168] * n_layers)
        self.check((found["zeros"] == found["count"]).all(), "zeros")
        cells = found["count"][0] > 0
        for name in ("mean", "std", "min", "max"):
            self.check((found[name][0][cells] == 0).all(), f"{name} of zeros")
        sizes = {name: checkpoints.dtype_bits(kind) // 8 for name, (kind, _) in tensors.items()}
        total = 0
        for name, (_, shape) in tensors.items():
            n = 1
            for axis in shape:
                n *= axis
            total += n * sizes[name]
        self.equal(int(found["bytes"][0]), total, "bytes")

    def test_some_thousand_tensors(self):
        """A tenth of the size: about 9,000 tensors in 17 shards."""
        self.large(9, 240, 17, self.ROLES, DRY_RUN_SECONDS)

    if harness.SLOW:
        def test_deepseek(self):
            """91,000 tensors, 1.3 TB, 163 shards; the scan also reads the output projections."""
            self.large(61, 256, 163, self.ROLES + ",attn.o", DRY_RUN_SECONDS)
            took = min(self.mapping_seconds() for _ in range(3))
            print(f"headers parsed and mapped in {took:.2f} s on 2 ranks", flush=True)
            self.check(took < 1, f"headers parsed and mapped in {took:.2f} s")

        def mapping_seconds(self):
            """Locating, headers and plan of the large checkpoint, by the slowest rank."""
            _, done = self.scan(self.path("large.txt"), "--overwrite", "--roles=norm.*",
                                "--timings", ranks=2)
            most = dict(re.findall(r"^(\w+) +[\d.]+ +[\d.]+ +([\d.]+)", done.err, re.M))
            return sum(float(most[phase]) for phase in ("locate", "headers", "plan"))


# --- one very large header ------------------------------------------------------------------

class LongHeader(LargeCase):
    """Nearly the longest header that is allowed: 900,000 tensors of one element."""
    N_LAYERS, N_EXPERTS = 60, 15000

    def write_header(self):
        name = "model.layers.%d.mlp.experts.%d.up_proj.weight"
        entry = '"%s":{"dtype":"BF16","shape":[1],"data_offsets":[%d,%d]}'
        numbers = ((layer, expert) for expert in range(self.N_EXPERTS)
                   for layer in range(self.N_LAYERS))
        text = "{" + ",".join(entry % (name % pair, 2 * i, 2 * i + 2)
                              for i, pair in enumerate(numbers)) + "}"
        self.check(99e6 < len(text) < 100e6, f"a header of {len(text)} bytes")
        os.mkdir(self.path("long"))
        path = self.path("long", "model.safetensors")
        checkpoints.write_raw(path, text.encode())
        os.truncate(path, 8 + len(text) + 2 * self.N_LAYERS * self.N_EXPERTS)

    def test_read(self):
        self.write_header()
        manifest = self.write("long.txt", "long\n")
        for ranks in (None, 3):
            found, seconds, peak = self.measured(manifest, "--timings", ranks=ranks)
            print(f"{ranks} ranks: {seconds:.1f} s, {peak / MIB:.0f} MiB", flush=True)
            role = found.roles.index("mlp.up")
            self.equal(set(found["count"][0, role, :]), {self.N_EXPERTS})
            self.check(peak < 300 * MIB, f"{peak / MIB:.0f} MiB")
            # 1 s when nothing else runs; quadratic ways take minutes.
            self.check(seconds < 20, f"{seconds:.1f} s")


# --- very many small ones -------------------------------------------------------------------

class VeryMany(LargeCase):
    def many(self, n):
        lines = []
        for number in range(n):
            label = f"small-{number:04d}"
            if not os.path.exists(self.path(label)):
                os.mkdir(self.path(label))
                # One model, many times; each is a checkpoint with files of its own.
                for name in ("model.safetensors", "config.json"):
                    os.link(self.path("tiny", name), self.path(label, name))
            lines.append(label)
        return self.write(f"many-{n}.txt", "\n".join(lines) + "\n")

    def growth(self, few, many, overhead, mib):
        model = shapes.llama(1, 4)
        model.write(self.path("tiny"))
        _, short, before = self.measured(self.many(few), output="few.h5")
        found, long_, after = self.measured(self.many(many), output="many.h5")
        each = (long_ - short) / (many - few)
        print(f"{few}: {short:.1f} s, {before / MIB:.1f} MiB; {many}: {long_:.1f} s, "
              f"{after / MIB:.1f} MiB; {1000 * each:.2f} ms a checkpoint", flush=True)
        self.equal(len(found.models), many)
        self.equal(set(found["status"]), {"ok"})
        for label in (found.models[0], found.models[many // 2], found.models[-1]):
            results.compare(self, found, label, model.cells())
        self.check(each < overhead, f"{1000 * each:.2f} ms a checkpoint")
        self.check(after - before < mib * MIB, f"grew by {(after - before) / MIB:.1f} MiB")

    def test_some_hundred(self):
        self.growth(50, 400, 0.1, 24)

    if harness.SLOW:
        def test_two_thousand(self):
            self.growth(200, 2000, 0.005, 32)
            self.equal(results.validate(self.path("many.h5")), [])


if __name__ == "__main__":
    harness.main()
