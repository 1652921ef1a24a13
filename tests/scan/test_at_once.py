"""Two scans into one results file at once: the second is refused before it reads anything,
whatever it was told to do, and the first is not disturbed.

The first one is slow (LLMFP_SCAN_FAULTS, with a delay at each read), and its ranks are halted
in the middle.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

SLOWLY = {"LLMFP_FAULT_DELAY": "pread:20000"}
QUIET = ["--progress=none", "--summary=none", "--io=pread", "--chunk=4K"]


class AtOnce(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.use_program_with_faults()
        for label, model in (("old", shapes.llama(1, 4)), ("long", shapes.llama(2, 40, "F32")),
                             ("new", shapes.llama(3, 5))):
            model.write(self.path(label))
        self.write("old.txt", "old\n")
        self.write("manifest.txt", "old\nlong\n")
        self.write("second.txt", "old\nnew\n")
        self.scan(self.path("manifest.txt"), output="whole.h5")

    def second_is_refused(self, first_mode, ranks):
        done = program.run(["-o", "out.h5", "--overwrite", *QUIET, "old.txt"], None, self.folder)
        self.equal(done.status, 0, done.tell())
        before = harness.digest(self.path("out.h5"))
        first = program.start(["-o", "out.h5", first_mode, *QUIET, "manifest.txt"], ranks,
                              self.folder, SLOWLY)
        end = time.monotonic() + 30
        while not os.path.exists(self.path("out.h5.journal")) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        halted = program.ranks_of(first)
        self.check(halted and first.poll() is None, "the first scan was over too soon")
        for pid in halted:
            os.kill(pid, signal.SIGSTOP)
        for mode in ("--append", "--overwrite", "--resume", None):
            for manifest in ("second.txt", "manifest.txt"):
                again = program.run(["-o", "out.h5", *([mode] if mode else []), *QUIET, manifest],
                                    ranks, self.folder, valid=False)
                self.equal(again.status, 2, again.tell())
                self.equal(len(again.errors()), 1, again.tell())
                self.check("in use" in again.errors()[0] and "out.h5.journal" in again.errors()[0],
                           again.tell())
                self.equal(harness.digest(self.path("out.h5")), before, "the old results have changed")
        for pid in halted:
            os.kill(pid, signal.SIGCONT)
        out, err = program.finish(first, 60)
        self.equal(first.returncode, 0, f"{out}\n{err}")
        results.equal(self, self.path("whole.h5"), self.path("out.h5"))
        self.equal([name for name in os.listdir(self.folder) if name.startswith("out.h5.")], [])

    def test_append(self):
        self.second_is_refused("--append", None)

    def test_overwrite(self):
        self.second_is_refused("--overwrite", 2)


if __name__ == "__main__":
    harness.main()
