"""Every option and exit status of the command, apart from wrong ones (test_hostile.py)."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import checkpoints  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

OPTIONS = ("--output", "--roles", "--dry-run", "--resume", "--append", "--overwrite", "--strict",
           "--chunk", "--progress", "--summary", "--help", "--version")


class Options(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.models = {"one": shapes.llama(1, 4), "two": shapes.llama(2, 6, "F32"),
                       "moe": shapes.mixtral(3, 3), "gpt": shapes.gpt2_pair(4, 3)[0]}
        for label, model in self.models.items():
            model.write(self.path(label))
        self.manifest = self.write("manifest.txt", "".join(f"{name}\n" for name in self.models))

    def run_here(self, *args, ranks=None, status=0, **keywords):
        done = program.run(list(args), ranks, self.folder, **keywords)
        self.check(done.status == status, f"wanted exit status {status}\n{done.tell()}")
        return done

    def files(self):
        return sorted(os.listdir(self.folder))

    def whole(self, output="whole.h5"):
        return self.scan(self.manifest, output=output)[0]

    def same(self, a, b, ignore=()):
        results.equal(self, self.path(a), self.path(b), ignore)
        results.h5diff(self, self.path(a), self.path(b), [f"/{name}" for name in ignore])


class Plain(Options):
    def test_help_and_version(self):
        for ranks in (None, 3):
            done = self.run_here("--help", ranks=ranks)
            lines = done.out.splitlines()
            self.check(0 < len(lines) <= 40, f"--help has {len(lines)} lines")
            self.check(max(map(len, lines)) <= 80, "--help is wider than 80 columns")
            for option in OPTIONS + ("-o", "-q", "-v", "MANIFEST"):
                self.check(option in done.out, f"--help does not name {option}")
            done = self.run_here("--version", ranks=ranks)
            self.check(re.match(r"llmfp-scan \d+\.\d+", done.out), done.tell())
            for word in ("MPI", "HDF5", "schema"):
                self.check(word in done.out, f"--version does not name {word}\n{done.tell()}")
            self.equal(done.out.count("llmfp-scan "), 1, "printed once, whatever the ranks")
        self.equal(self.files(), sorted([*self.models, "manifest.txt"]))

    def test_default_output(self):
        self.run_here("manifest.txt")
        self.equal(self.files(), sorted([*self.models, "manifest.txt", "llmfp.h5"]),
                   "files after a scan")
        self.run_here("-onear.h5", "manifest.txt")
        self.run_here("--output=long.h5", "manifest.txt")
        self.same("llmfp.h5", "near.h5")
        self.same("llmfp.h5", "long.h5")

    def test_options_behind_the_manifest(self):
        self.run_here("manifest.txt", "-o", "behind.h5")
        self.check(os.path.exists(self.path("behind.h5")))

    def test_summary_that_cannot_be_written(self):
        """The results are in place, so the exit status says so; one line says what is missing."""
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(program.command(["--progress=none", "-o", "full.h5",
                                                   "manifest.txt"]), cwd=self.folder, timeout=120,
                                  env=program.environment(), stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.equal(done.returncode, 0, done.stderr)
        self.check("standard output" in done.stderr and "full.h5" in done.stderr, done.stderr)
        self.equal(results.validate(self.path("full.h5")), [])
        self.check(not os.path.exists(self.path("full.h5.journal")), "a journal is left behind")

    def test_quiet_and_verbose(self):
        quiet = self.run_here("-q", "-o", "q.h5", "manifest.txt")
        self.equal(program.Run(0, "", quiet.err, 0, []).errors(), [])
        self.equal(quiet.err, "", "-q: standard error")
        plain = self.run_here("--progress=none", "-o", "p.h5", "manifest.txt")
        verbose = self.run_here("-v", "--progress=none", "-o", "v.h5", "manifest.txt")
        self.check(len(verbose.err) + len(verbose.out) > len(plain.err) + len(plain.out),
                   f"-v says no more\n{verbose.tell()}\n{plain.tell()}")
        self.same("q.h5", "v.h5")

    def test_quiet_still_names_failures(self):
        self.write("manifest.txt", "one\ngone\n")
        done = self.run_here("-q", "-o", "q.h5", "manifest.txt", status=3)
        self.equal(len(done.errors()), 1, done.tell())

    def test_overwrite(self):
        self.whole("out.h5")
        first = os.stat(self.path("out.h5"))
        self.write("manifest.txt", "two\n")
        found, _ = self.scan(self.manifest, "--overwrite", output="out.h5", ranks=2)
        self.equal(found.models, ["two"])
        self.check(os.stat(self.path("out.h5")).st_ino != first.st_ino, "not put in place whole")
        self.scan(self.manifest, "--overwrite", output="fresh.h5")
        self.same("fresh.h5", "out.h5")

    def test_fatal_errors_keep_the_old_file(self):
        self.whole("out.h5")
        before = open(self.path("out.h5"), "rb").read()
        self.write("manifest.txt", "one\none\n")
        self.scan(self.manifest, "--overwrite", output="out.h5", status=2)
        self.check(open(self.path("out.h5"), "rb").read() == before, "changed")

    def test_opens_everywhere(self):
        self.scan(self.manifest, ranks=3)
        results.opens_everywhere(self, self.path("out.h5"))

    def test_role_order(self):
        """Roles come in the order of the contract, a bias behind its weight."""
        found = self.whole()
        self.equal(found.roles, [
            "attn.q", "attn.q.bias", "attn.k", "attn.k.bias", "attn.v", "attn.v.bias", "attn.o",
            "attn.o.bias", "norm.attn", "norm.attn.bias", "norm.mlp", "norm.mlp.bias", "mlp.gate",
            "mlp.up", "mlp.up.bias", "mlp.down", "mlp.down.bias", "moe.router", "embed", "lm_head",
            "norm.final", "norm.final.bias"])


class Summary(Options):
    def test_text(self):
        _, done = self.scan(self.manifest)
        for label in self.models:
            self.check(label in done.out, f"the summary does not name {label}\n{done.tell()}")

    def test_json(self):
        for ranks in (None, 3):
            _, done = self.scan(self.manifest, "--summary", "json", "--overwrite", ranks=ranks)
            found = json.loads(done.out)
            self.equal(sorted(map(str, (model.get("label", model.get("model"))
                                        for model in found["models"]))), sorted(self.models))
            self.check(isinstance(found["pairs"], list), "pairs")
            self.check("NaN" not in done.out, "NaN is not JSON")

    def test_json_with_failures_and_odd_names(self):
        self.write("manifest.txt", '"quote\\" \u00e9" one\nlost gone\n')
        _, done = self.scan(self.manifest, "--summary=json", status=3)
        self.equal(len(json.loads(done.out)["models"]), 2, done.tell())

    def test_none(self):
        _, done = self.scan(self.manifest, "--summary", "none")
        self.equal(done.out, "")

    def test_most_similar_pair(self):
        """A copy and its original are the most similar pair."""
        self.write("manifest.txt", "one\ntwo\ncopy one\n")
        found, done = self.scan(self.manifest, "--summary", "json")
        pair = json.loads(done.out)["pairs"][0]
        self.check({"one", "copy"} <= set(map(str, pair.values())), f"{pair}")
        self.check(abs(found["correlation_qkvo"][0, 2] - 1) < 1e-12)


class Progress(Options):
    def test_forms(self):
        for form in ("auto", "bar", "plain", "none"):
            done = self.run_here("--progress", form, "-o", f"{form}.h5", "manifest.txt")
            self.equal(done.errors(), [], form)
            if form == "none":
                self.equal(done.err, "", "--progress none")
            if form in ("auto", "plain"):
                self.check("\r" not in done.err and "\x1b" not in done.err,
                           f"a bar in a log: {done.err!r}")
            self.check("%" not in done.out, "progress belongs on standard error")

    def test_lines_of_a_long_scan(self):
        os.mkdir(self.path("long"))
        layers = {f"model.layers.{i}.mlp.up_proj.weight": (1 << 16, 1 << 14) for i in range(6)}
        checkpoints.write_sparse(self.path("long", "model.safetensors"), layers)
        self.write("manifest.txt", "long\n")
        done = self.run_here("--progress=plain", "--chunk=64K", "-o", "long.h5", "manifest.txt",
                             timeout=600)
        self.check(re.search(r"\d+(\.\d+)? ?%", done.err), f"no percentage\n{done.tell()}")
        self.check(re.search(r"\d [kMGT]?B/s", done.err), f"no speed\n{done.tell()}")
        self.check("\r" not in done.err, "a bar in a log")

    def test_bar_on_a_terminal(self):
        reader, terminal = os.openpty()
        process = program.start(["-o", "tty.h5", "--summary=none", "manifest.txt"], None,
                                self.folder, stderr=terminal)
        os.close(terminal)
        program.finish(process)
        seen = b""
        while True:
            try:
                block = os.read(reader, 4096)
            except OSError:
                break
            if not block:
                break
            seen += block
        os.close(reader)
        self.equal(process.returncode, 0, seen.decode(errors="replace"))
        self.check(b"\r" in seen and b"%" in seen, f"no bar on a terminal: {seen!r}")


class Roles(Options):
    def roles_of(self, patterns, wanted):
        found, _ = self.scan(self.manifest, "--roles", patterns, "--overwrite", ranks=2)
        self.equal(found.roles, wanted, patterns)
        for label, model in self.models.items():
            cells = {key: cell for key, cell in model.cells().items() if key[0] in wanted}
            results.compare(self, found, label, cells)
            left = sum(t.n_elements for t in model.tensors) - sum(c.count for c in cells.values())
            unscanned = int(found.model("unscanned_bytes", label).sum())
            width = 2 if label in ("one", "moe") else 4
            self.equal(unscanned, left * width, f"{label}: bytes not scanned with {patterns}")

    def test_roles(self):
        self.roles_of("attn.q", ["attn.q"])
        self.roles_of("mlp.down,attn.k,norm.final",
                      ["attn.k", "mlp.down", "norm.final"])
        self.roles_of("attn.*", ["attn.q", "attn.q.bias", "attn.k", "attn.k.bias", "attn.v",
                                 "attn.v.bias", "attn.o", "attn.o.bias"])
        self.roles_of("*.bias", ["attn.q.bias", "attn.k.bias", "attn.v.bias", "attn.o.bias",
                                 "norm.attn.bias", "norm.mlp.bias", "mlp.up.bias",
                                 "mlp.down.bias", "norm.final.bias"])

    def test_only_wanted_bytes_are_read(self):
        """Six terabytes (of a sparse file) stand beside the wanted tensors."""
        os.mkdir(self.path("huge"))
        layers = {}
        for i in range(3):
            layers[f"model.layers.{i}.self_attn.q_proj.weight"] = (64, 64)
            layers[f"model.layers.{i}.mlp.up_proj.weight"] = (1 << 20, 1 << 20)
        checkpoints.write_sparse(self.path("huge", "model.safetensors"), layers)
        self.write("manifest.txt", "huge\n")
        for ranks in (None, 3):
            found, done = self.scan(self.manifest, "--roles=attn.q", "--overwrite", ranks=ranks)
            self.check(done.seconds < 20, f"took {done.seconds} s")
            self.equal(found["count"][0, 0].tolist(), [4096] * 3)

    def test_only_wanted_parts_of_fused_tensors(self):
        fused = shapes.phi3_pair(5, 3)[0]
        fused.write(self.path("phi"))
        self.write("manifest.txt", "phi\n")
        found, _ = self.scan(self.manifest, "--roles=attn.k,mlp.up")
        wanted = {key: cell for key, cell in fused.cells().items()
                  if key[0] in ("attn.k", "mlp.up")}
        results.compare(self, found, "phi", wanted)


class DryRun(Options):
    def test_every_tensor_is_listed(self):
        integers = shapes.llama(6, 2)
        integers.add_raw("model.layers.0.ids", "I32", (4,), bytes(16))
        integers.add("nothing.known", "F32", (2,), [1, 2])
        integers.write(self.path("extra"))
        self.write("manifest.txt", "one\nmoe\ngpt\nextra\n")
        models = {"one": self.models["one"], "moe": self.models["moe"], "gpt": self.models["gpt"],
                  "extra": integers}
        before = self.files()
        for ranks in (None, 3):
            done = self.run_here("--dry-run", "manifest.txt", ranks=ranks)
            self.equal(self.files(), before, "--dry-run wrote something")
            self.equal(done.errors(), [])
            for label, model in models.items():
                self.check(label in done.out, f"{label} is not named")
                self.listed(done.out, model)

    def listed(self, out, model):
        """Lines for each tensor with its name, encoding, role, layer and bytes: a line for each
        part of a fused tensor, all of the tensor's bytes in all."""
        roles = {}
        for role, layer, _, codes in model.elements:
            for tensor in model.tensors:
                if tensor.codes is codes:
                    roles[tensor.name] = (role, layer)
        lines = out.splitlines()
        for tensor in model.tensors:
            own = [line.split() for line in lines if tensor.name in line.split()]
            self.check(own, f"--dry-run does not list {tensor.name}")
            words = [tensor.dtype]
            if tensor.name in roles:
                words += [roles[tensor.name][0], str(roles[tensor.name][1])]
            one = [line for line in own if all(word in line for word in words)]
            self.check(one, f"{tensor.name}: {words} are not in {own[:4]}")
            size = len(tensor.data)
            whole = any(str(size) in line for line in one)
            part = str(size // len(own))
            self.check(whole or all(part in line for line in own),
                       f"{tensor.name}: {size} bytes are not in {own[:4]}")

    def test_parts_of_fused_tensors(self):
        shapes.phi3_pair(7, 2)[0].write(self.path("phi"))
        self.write("manifest.txt", "phi\n")
        out = self.run_here("--dry-run", "manifest.txt").out
        for role in ("attn.q", "attn.k", "attn.v", "mlp.gate", "mlp.up"):
            self.check(re.search(rf"(?<![\w.]){re.escape(role)}(?![\w.])", out), f"no {role}")

    def test_existing_output_does_not_matter(self):
        self.whole("out.h5")
        before = os.stat(self.path("out.h5")).st_mtime_ns
        self.run_here("--dry-run", "-o", "out.h5", "manifest.txt")
        self.equal(os.stat(self.path("out.h5")).st_mtime_ns, before, "touched")

    def test_broken_checkpoint(self):
        self.write("manifest.txt", "one\nlost\n")
        done = self.run_here("--dry-run", "manifest.txt", status=3)
        self.equal(len(done.errors()), 1, done.tell())


class Append(Options):
    def test_append_equals_one_scan(self):
        self.whole()
        for ranks in (None, 3):
            output = f"grown-{ranks}.h5"
            self.write("first.txt", "one\ntwo\n")
            self.write("second.txt", "moe\ngpt\n")
            self.scan(self.path("first.txt"), output=output)
            self.scan(self.path("second.txt"), "--append", output=output, ranks=ranks)
            self.same("whole.h5", output)

    def test_checkpoints_already_there_are_not_read_again(self):
        self.whole()
        self.write("first.txt", "one\ntwo\n")
        self.scan(self.path("first.txt"), output="grown.h5")
        self.scan(self.manifest, "--append", output="grown.h5", ranks=2)
        self.same("whole.h5", "grown.h5")

    def test_a_broken_newcomer(self):
        self.write("first.txt", "one\n")
        self.write("second.txt", "lost\ntwo\n")
        self.scan(self.path("first.txt"), output="grown.h5")
        found, done = self.scan(self.path("second.txt"), "--append", output="grown.h5", status=3)
        self.equal(len(done.errors()), 1, done.tell())
        self.equal(found["status"], ["ok", "failed", "ok"])
        results.compare(self, found, "one", self.models["one"].cells())

    def test_append_only_wanted_roles(self):
        self.write("first.txt", "one\n")
        self.write("second.txt", "two\n")
        self.write("both.txt", "one\ntwo\n")
        self.scan(self.path("both.txt"), "--roles=attn.*", output="both.h5")
        self.scan(self.path("first.txt"), "--roles=attn.*", output="grown.h5")
        self.scan(self.path("second.txt"), "--append", "--roles=attn.*", output="grown.h5")
        self.same("both.h5", "grown.h5")


class Resume(Options):
    """A scan that takes some seconds, from sparse files, is interrupted and resumed."""

    def setUp(self):
        super().setUp()
        lines = []
        for number in range(30):
            label = f"zeros-{number:02d}"
            os.mkdir(self.path(label))
            layers = {f"model.layers.{i}.mlp.up_proj.weight": (1 << 13, 1 << 12)
                      for i in range(6)}
            checkpoints.write_sparse(self.path(label, "model.safetensors"), layers)
            lines.append(label)
        lines[5:5] = ["one", "two"]
        lines += ["moe", "gpt"]
        self.write("manifest.txt", "\n".join(lines) + "\n")
        self.args = ["--progress=none", "--summary=none", "--chunk=4K", self.manifest]

    def interrupt(self, number, ranks, to_group=False, delay=None):
        """Start a scan, send a signal while it works; returns how it ended."""
        delay = delay or (0.6 if ranks is None else 1.5)
        for _ in range(6):
            for name in self.files():
                if name.startswith("cut.h5"):
                    os.remove(self.path(name))
            begin = time.monotonic()
            process = program.start(["-o", "cut.h5", *self.args], ranks, self.folder)
            time.sleep(delay)
            targets = program.ranks_of(process) if to_group else [process.pid]
            for pid in targets:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            out, err = program.finish(process)
            done = program.Run(process.returncode, out, err, time.monotonic() - begin,
                               process.args)
            if done.status != 0:
                return done
            delay /= 2
        raise AssertionError(f"every scan ended before the signal\n{done.tell()}")

    def resumed(self, number, ranks, to_group=False):
        self.scan(self.manifest, "--overwrite", output="uncut.h5", ranks=2)
        done = self.interrupt(number, ranks, to_group)
        self.equal(done.status, 75, done.tell())
        self.check(not os.path.exists(self.path("cut.h5")), "a results file of half a scan")
        self.check("--resume" in done.err, f"nothing about --resume\n{done.tell()}")
        self.scan(self.manifest, "--resume", output="cut.h5", ranks=ranks)
        self.same("uncut.h5", "cut.h5")
        left = [name for name in self.files() if name.startswith("cut.h5") and name != "cut.h5"]
        self.equal(left, [], "files left behind")

    def test_signals_without_launcher(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(number.name):
                self.resumed(number, None)

    def test_signal_through_the_launcher(self):
        self.resumed(signal.SIGUSR1, 3)

    def test_signal_to_the_ranks(self):
        self.resumed(signal.SIGTERM, 3, to_group=True)

    def test_killed(self):
        """SIGKILL leaves no time to save: what was finished before is not lost, nor wrong."""
        self.scan(self.manifest, output="uncut.h5")
        done = self.interrupt(signal.SIGKILL, None)
        self.equal(done.status, -signal.SIGKILL)
        self.check(not os.path.exists(self.path("cut.h5")))
        self.scan(self.manifest, "--resume", output="cut.h5", ranks=2)
        self.same("uncut.h5", "cut.h5")

    def test_killed_keeps_the_old_results(self):
        self.write("small.txt", "one\n")
        self.scan(self.path("small.txt"), output="old.h5")
        before = open(self.path("old.h5"), "rb").read()
        process = program.start(["-o", "old.h5", "--overwrite", *self.args], None, self.folder)
        time.sleep(0.5)
        process.kill()
        program.finish(process)
        self.check(open(self.path("old.h5"), "rb").read() == before, "the old results are gone")

    def test_nothing_to_resume(self):
        """In a job that is queued again and again --resume may stand from the first run on."""
        self.write("manifest.txt", "one\ntwo\n")
        self.scan(self.manifest, output="plain.h5")
        self.scan(self.manifest, "--resume", output="resumed.h5")
        self.same("plain.h5", "resumed.h5")

    def test_another_manifest(self):
        """Either refused, or what the new manifest asks for: never a mixture."""
        self.interrupt(signal.SIGTERM, None)
        self.write("manifest.txt", "two\none\n")
        done = program.run(["-o", self.path("cut.h5"), "--resume", self.manifest], None,
                           self.folder)
        if done.status == 0:
            self.scan(self.manifest, output="plain.h5")
            self.same("plain.h5", "cut.h5")
            return
        self.check(done.status in (1, 2), f"resumed with another manifest\n{done.tell()}")
        self.equal(len(done.errors()), 1, done.tell())

    def test_changed_checkpoint(self):
        """What was scanned before the interruption and has changed since is scanned again."""
        self.interrupt(signal.SIGTERM, None)
        shapes.llama(77, 5).write(self.path("zeros-00"))
        self.scan(self.manifest, "--resume", output="cut.h5")
        self.scan(self.manifest, output="plain.h5")
        self.same("plain.h5", "cut.h5")


class Middle(Resume):
    """A stop in the middle of one large checkpoint; the classes above stop between small ones."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("large"))
        layers = {f"model.layers.{i}.mlp.up_proj.weight": (1 << 13, 1 << 12) for i in range(12)}
        checkpoints.write_sparse(self.path("large", "model.safetensors"), layers)
        self.write("manifest.txt", "one\nlarge\n")
        self.args = ["--progress=none", "--summary=none", "--chunk=4K", self.manifest]

    def stop_within(self, ranks=3):
        """Stop a scan so that sums of the large checkpoint are saved. On a busy machine a signal
        may come before anything was read: then there is nothing to save, and a later one must
        do."""
        for delay in (1.5, 2.0, 2.5, 3.0, 4.0):
            done = self.interrupt(signal.SIGUSR1, ranks, delay=delay)
            self.equal(done.status, 75, done.tell())
            self.check(done.seconds < 20, f"stopping took {done.seconds} s")
            if any(".journal.progress." in name for name in self.files()):
                return
        self.check(False, f"no sums are saved: {self.files()}\n{done.tell()}")

    def resume(self, *args, ranks=None):
        """The rest, and the bytes that were read for it."""
        _, done = self.scan(self.manifest, "--resume", "--timings", "--summary=none",
                            "--progress=none", *args, output="cut.h5", ranks=ranks)
        left = [name for name in self.files() if name.startswith("cut.h5.")]
        self.equal(left, [], "files left behind")
        return done, int(re.search(r"\((\d+) bytes\)", done.err).group(1))

    def test_only_the_rest_is_read(self):
        """With other ranks, other chunks, and more lines before and behind."""
        whole = 12 << 26
        for ranks, chunk in ((None, "--chunk=64K"), (2, "--chunk=4097"), (4, "--chunk=1M")):
            self.stop_within()
            self.write("manifest.txt", "two\none\nlarge\nmoe\n")
            done, size = self.resume(chunk, ranks=ranks)
            self.check(size < 0.97 * whole, f"{size} of {whole} bytes were read again\n{done.tell()}")
            self.scan(self.manifest, "--overwrite", output="uncut.h5", ranks=2)
            self.same("uncut.h5", "cut.h5")
            self.write("manifest.txt", "one\nlarge\n")

    def test_stopped_again_and_again(self):
        self.stop_within()
        for _ in range(3):
            process = program.start(["-o", "cut.h5", "--resume", *self.args], 2, self.folder)
            time.sleep(1.2)
            process.send_signal(signal.SIGUSR1)
            program.finish(process)
            if process.returncode == 0:
                break
            self.equal(process.returncode, 75)
        self.scan(self.manifest, "--resume", output="cut.h5", ranks=3)
        self.scan(self.manifest, "--overwrite", output="uncut.h5", ranks=2)
        self.same("uncut.h5", "cut.h5")

    def change(self, how):
        self.stop_within()
        how(self.path("large", "model.safetensors"))
        done, size = self.resume()
        self.check(re.search("large.*changed.*anew", done.err), f"not said\n{done.tell()}")
        self.check(size >= 12 << 26, f"only {size} bytes were read\n{done.tell()}")
        self.scan(self.manifest, "--overwrite", output="uncut.h5", ranks=2)
        self.same("uncut.h5", "cut.h5")

    def test_changed_time(self):
        self.change(lambda path: os.utime(path, ns=(1, 10 ** 18)))

    def test_changed_header(self):
        """Of the same size, with the same time."""
        def rename(path):
            before = os.stat(path)
            with open(path, "r+b") as file:
                head = file.read(1 << 16)
                at = head.index(b"layers.11.")
                file.seek(at)
                file.write(b"layers.12.")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.change(rename)

    def test_wrong_interval(self):
        done = program.run(["-o", "x.h5", self.manifest], None, self.folder,
                           env={"LLMFP_SAVE_SECONDS": "often"})
        self.equal(done.status, 2, done.tell())
        self.check("LLMFP_SAVE_SECONDS" in done.err and "often" in done.err, done.tell())


# What Resume tests is tested once.
for inherited in [name for name in dir(Resume) if name.startswith("test_")]:
    setattr(Middle, inherited, None)


if __name__ == "__main__":
    harness.main()
