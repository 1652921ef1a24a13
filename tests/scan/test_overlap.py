"""Records are written while the next checkpoints are scanned: with a journal that is slow to sync
(LLMFP_SCAN_FAULTS), a scan takes less than its phases together.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

GROUPS = 3
MODELS = GROUPS * 64  # so many are scanned at a time
OPEN_SECONDS = 0.004  # that each of them takes, at least, to be looked at and again to be read
SYNC_SECONDS = 0.4  # that the records of a group take, and less than the next one's scan
SLOWLY = f"open:{int(OPEN_SECONDS * 1e6)},fdatasync:{int(SYNC_SECONDS * 1e6)}"

# Without waiting, which is for what is counted elsewhere.
PHASES = ("locate", "headers", "plan", "stream", "reduce", "journal", "write")


def seconds(done, phase):
    """Of the slowest rank."""
    return float(re.search(rf"^{phase} +\S+ +\S+ +(\S+)", done.err, re.M).group(1))


class Overlap(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.use_program_with_faults()
        models = [shapes.llama(seed, 3) for seed in range(8)]
        for number, model in enumerate(models):
            model.write(self.path(f"model-{number}"))
        self.manifest = self.write("manifest.txt", "".join(
            f"label-{number} model-{number % len(models)}\n" for number in range(MODELS)))

    def timed(self, output, ranks, **environment):
        env = {"LLMFP_FAULT_DELAY": SLOWLY, **environment}
        _, done = self.scan(self.manifest, "--timings", "--summary=none", output=output, ranks=ranks,
                            env=env, valid=False)
        return done

    def test_journal(self):
        """With a thread for the journal, and where no thread can be had."""
        for ranks in (None, 2):
            beside = self.timed("beside.h5", ranks)
            after = self.timed("after.h5", ranks, LLMFP_FAULT="pthread_create:0:1+")
            self.check("faults: pthread_create, call 1" in after.err, after.tell())
            results.equal(self, self.path("after.h5"), self.path("beside.h5"), ())
            for done in (beside, after):
                self.check(seconds(done, "journal") >= GROUPS * SYNC_SECONDS, done.tell())
            if ranks is None:
                self.hides_all_but_the_last(beside, after)
            for name in ("beside.h5", "after.h5"):
                os.remove(self.path(name))

    def hides_all_but_the_last(self, beside, after):
        """Within each run, so that other work on the machine cannot mislead: what the phases take
        together, more than all of it, is what was done at the same time."""
        hidden = [sum(seconds(done, phase) for phase in PHASES) - seconds(done, "total")
                  for done in (beside, after)]
        print(f"hidden behind the scan: {hidden[0]:.2f} s; without a thread {hidden[1]:.2f} s",
              flush=True)
        self.check(hidden[0] > 0.9 * (GROUPS - 1) * SYNC_SECONDS, beside.tell())
        self.check(hidden[1] <= 0.02, after.tell())

    def test_a_journal_that_fails(self):
        """The first and the last sync behind those two that make the journal: the same end and
        the same sentence, with and without the thread."""
        for number in (3, 2 + GROUPS):
            said = set()
            for thread in ("", "pthread_create:0:1+"):
                fault = f"fdatasync:0:{number}"
                output = f"out-{number}{'-alone' if thread else ''}.h5"
                program_fault = {"LLMFP_FAULT": fault}
                if thread:
                    program_fault["LLMFP_FAULT_TOO"] = thread
                _, done = self.scan(self.manifest, output=output, ranks=2, status=1,
                                    env=program_fault)
                self.equal(len(done.errors()), 1, done.tell())
                said.add(done.errors()[0].replace("-alone", ""))
                _, again = self.scan(self.manifest, "--resume", output=output, ranks=2)
                self.clean(again)
            self.equal(len(said), 1, said)
            self.check("cannot sync to disk" in said.pop())


if __name__ == "__main__":
    harness.main()
