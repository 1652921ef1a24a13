"""Runs llmfp-scan, alone or under mpirun, and validates every results file that it makes.

LLMFP_SCAN names the program (default: the newest build/*/src/app/llmfp-scan), LLMFP_MPIRUN the
launcher (default: mpirun), which may be Open MPI's or Hydra (MPICH).
"""
import functools
import glob
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass

import harness
import results

TIMEOUT = float(os.environ.get("LLMFP_TEST_TIMEOUT", "120"))


@dataclass
class Run:
    """How a run ended."""
    status: int
    out: str
    err: str
    seconds: float
    command: list

    def errors(self):
        """The program's own error lines: warnings and the launcher's notices are not errors."""
        return [line for line in self.err.splitlines() if line.startswith("llmfp-scan: ")
                and not line.startswith(("llmfp-scan: warning:", "llmfp-scan: note:"))]

    def tell(self):
        return (f"{shlex.join(self.command)}\nended with {self.status} after {self.seconds:.1f} s"
                f"\n--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-3000:]}")


def scanner():
    named = os.environ.get("LLMFP_SCAN")
    if named:
        return os.path.abspath(named)
    built = glob.glob(os.path.join(harness.ROOT, "build", "*", "src", "app", "llmfp-scan"))
    if not built:
        raise RuntimeError("llmfp-scan is not built, and LLMFP_SCAN does not name it")
    return max(built, key=os.path.getmtime)


def command(args, ranks=None):
    """The command line; ranks = None runs the program without a launcher."""
    line = [scanner()] + [str(arg) for arg in args]
    if ranks is None:
        return line
    return launcher() + ["-n", str(ranks)] + line


def launcher():
    """The launcher, with what it needs to start more ranks than there are cores."""
    words = shlex.split(os.environ.get("LLMFP_MPIRUN", "mpirun"))
    return words + (["--oversubscribe"] if is_open_mpi(words[0]) else [])


@functools.lru_cache
def is_open_mpi(program):
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return "Open MPI" in said or "OpenRTE" in said


def environment(extra=None):
    env = dict(os.environ, LC_ALL="C.UTF-8")
    if os.geteuid() == 0:
        env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    # More ranks than cores must not spin.
    env.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
    env.update(extra or {})
    return env


def start(args, ranks=None, cwd=None, env=None, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE):
    """Start without waiting; in a process group of its own, so that all of it can be ended."""
    return subprocess.Popen(command(args, ranks), cwd=cwd, env=environment(env), stdin=stdin,
                            stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)


def finish(process, timeout=TIMEOUT, stdin=None):
    """(stdout, stderr) of a started run; a hang ends the whole group and raises."""
    # MPICH's ranks spin while they wait: more of them than cores take several times as long.
    if process.args[0] == launcher()[0] and not is_open_mpi(process.args[0]):
        timeout *= 4
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        text = (err or b"").decode(errors="replace")[-2000:]
        raise AssertionError(f"hangs: {shlex.join(process.args)}\n{text}") from error
    return out.decode(errors="replace"), (err or b"").decode(errors="replace")


def run(args, ranks=None, cwd=None, stdin=None, env=None, timeout=TIMEOUT, valid=True):
    """Run to the end. A results file that is there afterwards must be valid (unless `valid` is
    false: looking takes time)."""
    begin = time.monotonic()
    process = start(args, ranks, cwd, env, subprocess.DEVNULL if stdin is None
                    else subprocess.PIPE)
    out, err = finish(process, timeout, stdin.encode() if isinstance(stdin, str) else stdin)
    found = Run(process.returncode, out, err, time.monotonic() - begin, process.args)
    path = os.path.join(cwd or ".", output_of(args))
    if valid and found.status in (0, 3) and os.path.isfile(path) and "--dry-run" not in args:
        lines = results.validate(path)
        if lines:
            raise AssertionError("the results file is not valid:\n" + "\n".join(lines[:20])
                                 + "\n" + found.tell())
    return found


def output_of(args):
    args = [str(arg) for arg in args]
    for i, arg in enumerate(args):
        if arg in ("-o", "--output") and i + 1 < len(args):
            return args[i + 1]
        if arg.startswith("--output="):
            return arg[len("--output="):]
        if arg.startswith("-o") and len(arg) > 2:
            return arg[2:]
    return "llmfp.h5"


class ScanCase(harness.Case):
    """A test that scans: manifests and checkpoints in its own folder."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scanner()  # fails once, and not in every test, when there is no program

    def scan(self, manifest, *options, ranks=None, output="out.h5", status=0, **keywords):
        """Scan a manifest given as text or as a path; (results or None, run)."""
        if "\n" in manifest or not os.path.exists(manifest):
            manifest = self.write("manifest.txt", manifest)
        path = self.path(output)
        quiet = [] if any("--progress" in str(option) for option in options) else \
            ["--progress=none"]
        done = run(["-o", path, *quiet, *options, manifest], ranks, self.folder, **keywords)
        self.check(done.status == status, f"wanted exit status {status}\n{done.tell()}")
        loaded = results.load(path) if status in (0, 3) and os.path.exists(path) else None
        return loaded, done

    def use_program_with_faults(self):
        """The program with faults (tests/faults) instead of the usual one, until the test ends."""
        faulty = os.environ.get("LLMFP_SCAN_FAULTS")
        self.check(faulty and os.path.exists(faulty),
                   "LLMFP_SCAN_FAULTS names no program: configure with -DLLMFP_FAULTS=ON")
        plain = os.environ.get("LLMFP_SCAN")
        os.environ["LLMFP_SCAN"] = faulty
        self.addCleanup(lambda: os.environ.pop("LLMFP_SCAN") if plain is None
                        else os.environ.update(LLMFP_SCAN=plain))

    def clean(self, done):
        """A run without trouble says nothing on standard error."""
        lines = [line for line in done.err.splitlines() if line.startswith("llmfp-scan")]
        self.check(not lines, f"standard error is not empty\n{done.tell()}")


def ranks_of(process):
    """Process ids of the scanner's ranks under a started launcher (or its own)."""
    name = os.path.basename(scanner())[:15]
    found, waiting = [], [process.pid]
    while waiting:
        pid = waiting.pop()
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if file.read().strip() == name:
                    found.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                    waiting += map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found
