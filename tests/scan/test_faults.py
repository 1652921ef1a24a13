"""Calls that fail, one at a time, on each of three ranks: the right exit status, one sentence, no
hang, the old results as they were, and --resume ends as if nothing had happened.

LLMFP_SCAN_FAULTS names the program with faults (option LLMFP_FAULTS; see tests/faults/inject.c).
Which call of a site fails is drawn at random, from LLMFP_TEST_SEED, which is printed; with
LLMFP_SLOW=1 many are tried.
"""
import os
import random
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

SEED = int(os.environ.get("LLMFP_TEST_SEED", "1"))
RANKS = 3
# Reading: a checkpoint may fail alone (3), and what is read first decides about usage (2).
READING = ("open", "stat", "fstat", "pread", "end_pread", "opendir")
# MPICH's launcher ends with the signal by which it has ended the other ranks, when one of them has
# called MPI_Abort, and says so. Open MPI's ends with the status given to MPI_Abort.
KILLED = 9
ABORTED = re.compile(r"^Abort\(1\) on node \d+ \(rank \d+ in comm \d+\): application called MPI_Abort\(", re.M)
# Without these the program goes on.
HARMLESS = ("short_pread", "short_pwrite", "mmap", "madvise", "flock", "pthread_create")


class Faults(program.ScanCase):
    """An old results file with one model, to which two are appended."""

    def setUp(self):
        super().setUp()
        self.faulty = os.environ.get("LLMFP_SCAN_FAULTS")
        self.check(self.faulty and os.path.exists(self.faulty),
                   "LLMFP_SCAN_FAULTS names no program: configure with -DLLMFP_FAULTS=ON")
        for label, model in (("one", shapes.llama(1, 4)), ("two", shapes.llama(2, 6, "F32")),
                             ("three", shapes.mixtral(3, 3))):
            model.write(self.path(label))
        self.write("first.txt", "one\n")
        self.write("manifest.txt", "one\ntwo\nthree\n")
        self.run_plain("-o", "old.h5", "first.txt")
        self.run_plain("-o", "whole.h5", "manifest.txt")
        self.before = harness.digest(self.path("old.h5"))
        self.whole = results.load(self.path("whole.h5"))
        self.n_runs = 0

    def run_plain(self, *args, status=0):
        done = program.run(["--progress=none", "--summary=none", *args], None, self.folder)
        self.equal(done.status, status, done.tell())
        return done

    def run_faulty(self, mode, **environment):
        """One run of the program with faults over a fresh copy of the old results."""
        for name in os.listdir(self.folder):
            if name.startswith("out.h5"):
                os.remove(self.path(name))
        shutil.copy(self.path("old.h5"), self.path("out.h5"))
        self.n_runs += 1
        saved = os.environ.get("LLMFP_SCAN")
        os.environ["LLMFP_SCAN"] = self.faulty
        try:
            return program.run(["-o", "out.h5", mode, "--progress=none", "--summary=none",
                                "--chunk=4K", "manifest.txt"], RANKS, self.folder, timeout=60,
                               env={"LLMFP_SAVE_SECONDS": "0", **environment})
        finally:
            os.environ.pop("LLMFP_SCAN")
            if saved is not None:
                os.environ["LLMFP_SCAN"] = saved

    def calls(self, mode):
        """{(site, rank): calls} of a run without faults."""
        done = self.run_faulty(mode, LLMFP_FAULT_COUNTS=self.path("counts"))
        self.equal(done.status, 0, done.tell())
        found = {}
        for rank in range(RANKS):
            with open(self.path(f"counts.{rank}"), encoding="ascii") as file:
                for line in file:
                    site, n = line.split()
                    found[site, rank] = int(n)
        return found

    def same_as_whole(self, done):
        found = results.load(self.path("out.h5"))
        for name, wanted in self.whole.arrays.items():
            if name == "path":
                continue
            here = found[name]
            equal = here == wanted if isinstance(here, list) else here.tobytes() == wanted.tobytes()
            self.check(equal, f"{name} differs from the undisturbed scan's\n{done.tell()}")

    def one(self, mode, site, rank, n, action=""):
        fault = f"{site}:{rank}:{n}{action}"
        done = self.run_faulty(mode, LLMFP_FAULT=fault)
        tell = f"with {fault}, seed {SEED}\n{done.tell()}"
        self.check(f"faults: {site}," in done.err, f"the fault has not happened {tell}")
        if action == ":kill":
            self.check(done.status != 0, tell)
        else:
            allowed = (0, 1, 2, 3) if site in READING else (0,) if site in HARMLESS else (0, 1)
            allowed = (0, 75) if action == ":stop" else allowed
            if done.status == KILLED and ABORTED.search(done.err):
                allowed += (KILLED,)
            self.check(done.status in allowed, f"status {done.status} {tell}")
            self.equal(len(done.errors()), 0 if done.status == 0 else 1,
                       f"error lines {tell}")
        if done.status not in (0, 3):
            placed = os.path.exists(self.path("out.h5")) and \
                harness.digest(self.path("out.h5")) != self.before
            if placed:  # the last steps come behind the rename: then it must be the new file
                self.same_as_whole(done)
        if done.status != 0:
            again = self.run_plain("-o", "out.h5", "--resume", "manifest.txt")
            self.same_as_whole(again)
            left = [name for name in os.listdir(self.folder) if name.startswith("out.h5.journal")]
            self.equal(left, [], f"left behind {tell}")
        else:
            self.same_as_whole(done)

    def numbers(self, draw, n_calls):
        """Which calls are to fail."""
        if not harness.SLOW:
            return [draw.randint(1, n_calls)]
        return sorted({1, n_calls, *(draw.randint(1, n_calls) for _ in range(6))})

    def matrix(self, mode, action, wanted=lambda site: True):
        print(f"LLMFP_TEST_SEED={SEED}", flush=True)
        draw = random.Random(SEED)
        tried = set()
        for (site, rank), n_calls in sorted(self.calls(mode).items()):
            if wanted(site):
                tried.add((site, rank))
                for n in self.numbers(draw, n_calls):
                    with self.subTest(f"{site}:{rank}:{n}{action}"):
                        self.one(mode, site, rank, n, action)
        print(f"{mode}{action}: {len(tried)} sites and ranks, {self.n_runs} runs", flush=True)
        return tried

    def called(self, tried, *sites):
        for site in sites:
            for rank in range(RANKS):
                self.check((site, rank) in tried, f"{site} is never called on rank {rank}")

    def test_errors(self):
        tried = self.matrix("--append", "", lambda site: not site.startswith("MPI_"))
        self.called(tried, "open", "pread", "end_pread", "malloc", "calloc", "strdup", "pwrite", "rename",
                    "fdatasync", "mmap")
        self.check(("pthread_create", 0) in tried, "the journal has no thread of its own")

    def test_mpi_itself_fails(self):
        tried = self.matrix("--append", "", lambda site: site.startswith("MPI_"))
        self.called(tried, "MPI_Allreduce", "MPI_Bcast", "MPI_File_open", "MPI_File_write_at", "MPI_File_sync",
                    "MPI_File_close", "MPI_Ireduce")

    def test_kills(self):
        """SIGKILL at a call: between any two steps."""
        self.matrix("--append", ":kill", lambda site: site in (
            "pwrite", "fdatasync", "rename", "fsync", "H5Fopen", "MPI_File_write_at", "MPI_File_sync", "H5Fclose",
            "MPI_Ireduce") or harness.SLOW)

    def test_stops(self):
        """A signal at a call, on one rank: all stop, or the results are complete."""
        self.matrix("--overwrite", ":stop", lambda site: site in (
            "pwrite", "rename", "MPI_File_write_at", "MPI_Ireduce", "pread") or harness.SLOW)

    def test_full_disk_for_good(self):
        """Every write from one on fails: finding no room once must not be forgotten."""
        for site in ("pwrite", "posix_fallocate", "fdatasync"):
            self.one("--append", site, 0, "1+")


if __name__ == "__main__":
    harness.main()
