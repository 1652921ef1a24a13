"""The jobs in jobs/ on a SLURM cluster of three node daemons: scans over three nodes, stopped and
continued in every way that SLURM has, and arrays with their merge. Each result is held against
one undisturbed scan, in every dataset.

The checkpoints hold little, but the large one has holes. Where a scan is to last, its disk is a slow
one (LLMFP_SCAN_FAULTS, with a delay at each read): it takes as long on fast machines as on slow ones.
"""
import json
import os
import re
import shlex
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]

import cluster  # noqa: E402
import harness  # noqa: E402
import numpy  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

JOBS = os.path.join(harness.ROOT, "jobs")
PATIENCE_S = 240
CHUNK = 64 << 10
OPTIONS = "--chunk=64K --io=pread --progress=none --timings"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "DEADLINE")


def write_holes(folder, n_bytes):
    """A checkpoint of two layers with values, and an embedding of n_bytes of zeros."""
    os.mkdir(folder)
    draw = numpy.random.default_rng(5)
    values = (draw.standard_normal((2, 256, 256), dtype=numpy.float32).view(numpy.uint32) >> 16)
    header, at = {}, 0
    for name, shape in (("model.layers.0.self_attn.q_proj.weight", [256, 256]),
                        ("model.embed_tokens.weight", [n_bytes // 2048, 1024]),
                        ("model.layers.1.self_attn.q_proj.weight", [256, 256])):
        size = 2 * shape[0] * shape[1]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.write(values[0].astype("<u2").tobytes())
        file.seek(n_bytes // 2048 * 2048, os.SEEK_CUR)
        file.write(values[1].astype("<u2").tobytes())


class Jobs(harness.Case):
    hole_bytes = 512 << 20
    rank_seconds = 0  # what reading the large checkpoint takes at least, all ranks together

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lacking = cluster.missing()
        if lacking:  # a test that cannot run is a failure, not a pass
            raise RuntimeError(f"SLURM is not installed: {', '.join(lacking)} are missing "
                               "(Debian: slurm-wlm munge); jobs/test.sh installs it")
        cls.cluster = cluster.Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    def setUp(self):
        super().setUp()
        self.jobs = []
        self.addCleanup(self.end_jobs)
        for number in range(3):
            shapes.llama(number, 3 + number).write(self.path(f"small-{number}"))
        write_holes(self.path("large"), self.hole_bytes)
        os.mkdir(self.path("elsewhere"))
        # Relative to the manifest's folder; "gone" fails, in one scan as in parts of it.
        self.write("manifest.txt", "small-0 family=f\nlarge\nsmall-1\ngone\nsmall-2 parent=small-1\n")
        self.whole = self.path("whole.h5")
        done = program.run(["-q", "-o", self.whole, self.path("manifest.txt")], 2, self.folder,
                           valid=False)
        self.equal(done.status, 3, done.tell())

    def end_jobs(self):
        for number in self.jobs:
            self.cluster.run("scancel", number, check=False)

    def slow_program(self):
        """In it each read takes longer by the large checkpoint's share of rank_seconds."""
        faulty = os.environ.get("LLMFP_SCAN_FAULTS")
        self.check(faulty and os.path.exists(faulty),
                   "LLMFP_SCAN_FAULTS names no program: configure with -DLLMFP_FAULTS=ON")
        microseconds = round(1e6 * self.rank_seconds * CHUNK / self.hole_bytes)
        path = self.write("slow-scan", f"""#!/bin/sh
LLMFP_FAULT_DELAY=pread:{microseconds} exec {shlex.quote(faulty)} "$@"
""")
        os.chmod(path, 0o755)
        return path

    def submit(self, script, *options, **variables):
        """From a folder that is neither the script's nor the data's; the job's number."""
        env = {"MANIFEST": self.path("manifest.txt"), "OUTPUT": self.path("out.h5"),
               "LLMFP_SCAN": self.slow_program() if self.rank_seconds else program.scanner(),
               "LLMFP_OPTIONS": OPTIONS, "SAVE_SECONDS": "20", "LLMFP_SAVE_SECONDS": "0.5",
               **variables}
        words = self.cluster.run("sbatch", "--parsable", *options, os.path.join(JOBS, script),
                                 env=env, cwd=self.path("elsewhere"))
        self.jobs.append(words.strip())
        return words.strip()

    def log(self):
        text = ""
        for name in sorted(os.listdir(self.path("elsewhere"))):
            with open(self.path("elsewhere", name), encoding="utf-8", errors="replace") as file:
                text += f"--- {name}\n{file.read()}"
        return text

    def wait(self, what, condition, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"{what}: not within {seconds} s\n{self.log()}\n{self.cluster.logs()}")
            time.sleep(0.2)

    def state(self, number):
        return self.cluster.job(number).get("JobState")

    def wait_for_end(self, number, seconds=PATIENCE_S):
        self.wait(f"end of job {number}", lambda: self.state(number) in ENDED, seconds)
        return self.cluster.job(number)

    def wait_for_progress(self, output="out.h5"):
        """Until ranks have saved some of the large checkpoint."""
        folder, name = os.path.split(self.path(output))
        self.wait("saved progress", lambda: os.path.isdir(folder) and any(
            re.fullmatch(re.escape(name) + r"\.journal\.progress\.\d+", item)
            for item in os.listdir(folder)))

    def compare(self, job, exit_code="3:0"):
        self.equal(job["ExitCode"], exit_code, f"exit code\n{self.log()}")
        results.equal(self, self.whole, self.path("out.h5"), ignore=())
        results.h5diff(self, self.whole, self.path("out.h5"), exclude=())
        left = [name for name in os.listdir(self.folder) if name.startswith("out.h5.j")]
        self.equal(left, [], "files left behind")

    def read_bytes(self):
        """Bytes that each run has read, as --timings says; runs that were stopped do not say it."""
        return [int(n) for n in re.findall(r"by all .*\((\d+) bytes\)", self.log())]

    def went_on(self):
        """The last run has not read again what earlier ones have."""
        self.check(self.read_bytes() and self.read_bytes()[-1] < self.hole_bytes,
                   f"everything was read again\n{self.log()}")


class Undisturbed(Jobs):
    hole_bytes = 64 << 20

    def test_srun(self):
        job = self.wait_for_end(self.submit("scan.sbatch", "--nodes=3"))
        self.equal(job["NumNodes"], "3", "nodes")
        self.compare(job)
        self.check("done, but some checkpoints failed" in self.log(), self.log())

    def test_a_rank_that_crashes(self):
        """Once: the job goes on by itself. Always: it gives up after the third run."""
        for times, runs in ((1, 2), (9, 3)):
            mark = self.path(f"crashes-{times}")
            crashing = self.write(f"crashing-{times}", f'''#!/bin/bash
echo >> {mark}
[ "$(wc -l < {mark})" -gt {times} ] || kill -SEGV $$
exec {program.scanner()} "$@"
''')
            os.chmod(crashing, 0o755)
            job = self.wait_for_end(self.submit("scan.sbatch", "--nodes=1", "--ntasks-per-node=1",
                                                LLMFP_SCAN=crashing, EXISTING="overwrite"))
            self.equal(job["Restarts"], str(runs - 1), f"restarts\n{self.log()}")
            if times == 1:
                self.compare(job)
            else:
                self.check(job["ExitCode"] not in ("0:0", "3:0"), job["ExitCode"])

    def test_mpirun(self):
        self.compare(self.wait_for_end(self.submit("scan.sbatch", "--nodes=3", LAUNCHER="mpirun")))

    def test_array_and_merge(self):
        for launcher in ("srun", "mpirun"):
            number = self.submit("scan-array.sbatch", "--array=1-5", LAUNCHER=launcher,
                                 EXISTING="overwrite")
            merge = []
            self.wait("the job that merges", lambda: merge.extend(
                re.findall(r"job (\d+) merges the parts", self.log())) or merge)
            self.jobs.append(merge[-1])
            self.compare(self.wait_for_end(merge[-1]))
            self.equal(len(os.listdir(self.path("out.h5.parts"))), 6, "five parts and a mark")
            for name in os.listdir(self.path("elsewhere")):
                os.remove(self.path("elsewhere", name))
            self.check(number != "", "no job")
            os.rename(self.path("out.h5.parts"), self.path(f"parts-{launcher}"))

    def test_wrong_variables(self):
        for script in ("scan.sbatch", "scan-array.sbatch"):
            for variables, words in (({"LAUNCHER": "ssh"}, "LAUNCHER is 'ssh'; give one of: srun mpirun"),
                                     ({"MANIFEST": "nothing.txt"}, "the manifest 'nothing.txt' cannot be read"),
                                     ({"LLMFP_SCAN": "no-scan"}, "there is no program 'no-scan'"),
                                     ({"SAVE_SECONDS": "soon"}, "SAVE_SECONDS is 'soon'; give a whole number"),
                                     ({"EXISTING": "maybe"}, "EXISTING is 'maybe'"),
                                     ({"OUTPUT": "no/folder/out.h5"}, "the folder of 'no/folder/out.h5'")):
                options = ["--array=1"] if "array" in script else []
                job = self.wait_for_end(self.submit(script, *options, "--nodes=1", **variables))
                self.equal(job["ExitCode"], "2:0", f"{script} {variables}\n{self.log()}")
                self.check(words in self.log(), f"{words}\n{self.log()}")
        done = program.subprocess.run(["bash", os.path.join(JOBS, "scan.sbatch")], text=True,
                                      capture_output=True, timeout=60, check=False)
        self.check(done.returncode == 2 and "submit it with sbatch" in done.stderr, done.stderr)


class Disturbed(Jobs):
    rank_seconds = 60

    def test_requeue(self):
        for launcher in ("srun", "mpirun"):
            number = self.submit("scan.sbatch", "--nodes=3", LAUNCHER=launcher, EXISTING="overwrite")
            self.wait_for_progress()
            self.cluster.run("scontrol", "requeue", number)
            job = self.wait_for_end(number)
            self.equal(job["Restarts"], "1", "restarts")
            self.compare(job)
            self.went_on()

    def test_preemption(self):
        number = self.submit("scan.sbatch", "--nodes=3")
        self.wait_for_progress()
        other = self.cluster.run("sbatch", "--parsable", "--partition=high", "--nodes=3",
                                 "--exclusive", "--wrap=sleep 1", cwd=self.path("elsewhere")).strip()
        self.jobs.append(other)
        self.equal(self.wait_for_end(other)["ExitCode"], "0:0", "the other job")
        job = self.wait_for_end(number)
        self.equal(job["Restarts"], "1", "restarts")
        self.compare(job)
        self.went_on()

    def test_signal_to_the_steps(self):
        number = self.submit("scan.sbatch", "--nodes=3")
        self.wait_for_progress()
        self.cluster.run("scancel", "--signal=USR1", number)
        job = self.wait_for_end(number)
        self.equal(job["Restarts"], "1", "restarts")
        self.compare(job)
        self.went_on()

    def test_scancel_ends_it(self):
        number = self.submit("scan.sbatch", "--nodes=3")
        self.wait_for_progress()
        self.cluster.run("scancel", number)
        self.equal(self.wait_for_end(number)["JobState"], "CANCELLED", "state")
        time.sleep(3)
        self.equal(self.state(number), "CANCELLED", "state later")
        self.check(os.path.exists(self.path("out.h5.journal")), "the progress is gone")
        self.compare(self.wait_for_end(self.submit("scan.sbatch", "--nodes=2")))
        self.went_on()

    def test_chain_of_jobs(self):
        number = self.submit("scan.sbatch", "--nodes=3", CONTINUE="chain")
        self.wait_for_progress()
        self.cluster.run("scancel", "--signal=USR1", number)
        self.equal(self.wait_for_end(number)["ExitCode"], "75:0", self.log())
        following = re.search(r"goes on as job (\d+)", self.log())
        self.check(following, f"no next job\n{self.log()}")
        self.jobs.append(following.group(1))
        self.compare(self.wait_for_end(following.group(1)))
        self.went_on()

    def test_array_task_requeued(self):
        self.submit("scan-array.sbatch", "--array=1-3")
        merge = []
        self.wait("the job that merges", lambda: merge.extend(
            re.findall(r"job (\d+) merges the parts", self.log())) or merge)
        self.jobs.append(merge[-1])
        self.wait_for_progress("out.h5.parts/part-00002-of-00003.h5")
        self.cluster.run("scontrol", "requeue", f"{self.jobs[0]}_2")
        self.compare(self.wait_for_end(merge[-1]))


class TimeLimit(Jobs):
    """Three ranks take at least 100 s."""
    rank_seconds = 300

    def one_minute(self, *options, **variables):
        number = self.submit("scan.sbatch", "--nodes=3", "--ntasks-per-node=1", "--time=1", *options,
                             **variables)
        job = self.wait_for_end(number, 3 * PATIENCE_S)
        self.check(int(job["Restarts"]) >= 1, f"it was done within a minute\n{self.log()}")
        self.check("interrupted; progress is saved" in self.log(), self.log())
        self.compare(job)
        self.went_on()

    def test_one_minute(self):
        self.one_minute()

    def test_without_a_signal_of_slurm(self):
        """The job's own clock is enough: SLURM sends one that means nothing."""
        self.one_minute("--signal=B:CONT@1", LAUNCHER="mpirun")


def can_start():
    """Containers may forbid what the daemons need; lacking packages are a failure instead."""
    if cluster.missing():
        return True
    tried = cluster.Cluster()
    try:
        tried.start()
    except RuntimeError as error:
        print(f"NOT TESTED: no SLURM cluster can be started here: {error}")
        return False
    finally:
        tried.stop()
    return True


if __name__ == "__main__":
    if not can_start():
        sys.exit(77)  # ctest shows it as skipped
    harness.main()
