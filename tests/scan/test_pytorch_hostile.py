"""Broken and hostile PyTorch files: exit status 3, one clear sentence, nothing is run or written,
and little time and memory whatever they claim."""
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))

import broken_pytorch  # noqa: E402
import harness  # noqa: E402
import program  # noqa: E402
import pytorch_files as torch  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

MOST_MEMORY = 300 << 20
SANITIZED = "asan" in program.scanner()  # sanitizers take time and memory of their own
MOST_SECONDS = 30 if SANITIZED else 2
AT_ONCE = 8


class Hostile(program.ScanCase):
    def build(self, name, number):
        path = self.path(f"bad-{number}.pt")
        build, words = broken_pytorch.BROKEN[name]
        build(path, self.path("SENTINEL"))
        return path, words

    def sentence(self, text, words, done):
        self.check("\n" not in text and text.isprintable() and len(text) < 1200, repr(text))
        for word in words:
            self.check(word in text, f"{word!r} is not in {text!r}\n{done}")

    def limited(self, lines):
        """Run with a bound on the memory that the process may ask for itself."""
        line = program.command(["--overwrite", "-o", self.path("out.h5"), "--progress=none",
                                "--summary=none", "-"])

        def bound():
            if not SANITIZED:
                resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        begin = time.monotonic()
        done = subprocess.run(line, input="".join(lines).encode(), capture_output=True,
                              env=program.environment(), preexec_fn=bound, timeout=300,
                              check=False)
        return done, time.monotonic() - begin

    def some(self, cases):
        """[(number, name)]: each is refused for its own reason."""
        lines, wanted = [], {}
        for number, name in cases:
            path, words = self.build(name, number)
            lines.append(f'bad-{number} "{path}"\n')
            wanted[f"bad-{number}"] = name, words
        before = sorted(os.listdir(self.folder))
        done, seconds = self.limited(lines)
        err = done.stderr.decode(errors="replace")
        self.equal(done.returncode, 3, f"exit status\n{err}")
        errors = [line for line in err.splitlines() if line.startswith("llmfp-scan: ")]
        self.equal(len(errors), len(cases), f"error lines\n{err}")
        for line in errors:
            label = line.removeprefix("llmfp-scan: error: ").split(":")[0]
            name, words = wanted.pop(label)
            with self.subTest(name):
                self.sentence(line, words + (f"{label}.pt",), err)
        self.check(not wanted, f"no line for {wanted}")
        self.check(seconds < MOST_SECONDS * len(cases),
                   f"{[name for _, name in cases]} took {seconds:.1f} s")
        after = [n for n in sorted(os.listdir(self.folder)) if n != "out.h5"]
        self.equal(after, [n for n in before if n != "out.h5"], "files")
        for number, _ in cases:
            os.remove(self.path(f"bad-{number}.pt"))

    def test_each(self):
        cases = list(enumerate(broken_pytorch.BROKEN))
        self.check(len(cases) > 150, "few cases")
        for first in range(0, len(cases), AT_ONCE):
            self.some(cases[first:first + AT_ONCE])

    def test_beside_good_ones(self):
        """Good checkpoints beside broken ones stay complete, on three ranks."""
        model = shapes.llama(1, 2)
        torch.save(self.path("good.pt"), torch.state_dict(
            [(item.name, torch.tensor(item)) for item in model.tensors]))
        lines = ["good good.pt"]
        names = [name for i, name in enumerate(broken_pytorch.BROKEN) if i % 5 == 0]
        for number, name in enumerate(names):
            path, _ = self.build(name, number)
            lines.append(f'bad-{number} "{path}"')
        found, done = self.scan("\n".join(lines) + "\n", ranks=3, status=3)
        results.compare(self, found, "good", model.cells())
        self.equal(len(done.errors()), len(names), done.tell())
        self.check(not os.path.exists(self.path("SENTINEL")), "a pickle was run")


if __name__ == "__main__":
    harness.main()
