"""Kills at random moments: SIGKILL of one rank, of all, of the launcher, each followed by
--resume, until a scan is through. The results equal an undisturbed scan's, and hardly a byte is
read twice.

The disk is a slow one (LLMFP_SCAN_FAULTS, with a delay at each read), so that a scan of some
hundred megabytes lasts long beside the interval of saving, as one of terabytes does.
The moments come from LLMFP_TEST_SEED, which is printed. LLMFP_SLOW=1: 30 kills in one scan.
"""
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import numpy  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

SEED = int(os.environ.get("LLMFP_TEST_SEED", "1"))
KILLS = 30 if harness.SLOW else 6
# Another interval than a scan of hours has, in proportion.
SAVE_SECONDS = float(os.environ.get("LLMFP_TEST_SAVE_SECONDS", "0.1"))
SAMPLE_SECONDS = 0.005
CHUNK = 65536
LARGE_LAYERS = 96 if harness.SLOW else 24
SLOWLY = {"LLMFP_FAULT_DELAY": "pread:12000"}


def write_large(folder, seed, n_layers, shape=(2048, 2048)):
    """A checkpoint of n_layers matrices of 8 MiB."""
    os.mkdir(folder)
    draw = numpy.random.default_rng(seed)
    size = 2 * shape[0] * shape[1]
    header = {f"model.layers.{i}.{name}.weight":
              {"dtype": "BF16", "shape": list(shape)} for i in range(n_layers)
              for name in ("self_attn.q_proj", "mlp.down_proj")}
    for i, tensor in enumerate(header.values()):
        tensor["data_offsets"] = [i * size, (i + 1) * size]
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _ in header:
            values = draw.standard_normal(shape, dtype=numpy.float32) / 32
            file.write((values.view(numpy.uint32) >> 16).astype("<u2").tobytes())


def read_bytes(text):
    """Bytes of tensors that --timings says all ranks have read."""
    return int(re.search(r"by all .*\((\d+) bytes\)", text).group(1))


def read_so_far(pid):
    """Bytes that a process has read by system calls; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return int(re.search(r"rchar: (\d+)", file.read()).group(1))
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Kills(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.use_program_with_faults()
        print(f"LLMFP_TEST_SEED={SEED}", flush=True)
        self.draw = random.Random(SEED)
        labels = []
        for number in range(4):
            labels.append(f"small-{number}")
            shapes.llama(number, 3 + number).write(self.path(labels[-1]))
        write_large(self.path("large"), 1, LARGE_LAYERS)
        labels.insert(2, "large")
        self.write("manifest.txt", "\n".join(labels) + "\n")
        self.args = ["--progress=none", "--summary=none", "--timings", "--io=pread",
                     f"--chunk={CHUNK}", "manifest.txt"]
        done = program.run(["-o", "whole.h5", *self.args], 3, self.folder, env=SLOWLY)
        self.equal(done.status, 0, done.tell())
        self.once_bytes = read_bytes(done.err)
        phases = [float(re.search(rf"^{phase} +\S+ +(\S+)", done.err, re.M).group(1))
                  for phase in ("read", "compute")]
        self.work_seconds = sum(phases)
        self.start_seconds = done.seconds - self.work_seconds

    def kill(self, process, how):
        ranks = program.ranks_of(process)
        if how == "rank" and ranks:
            os.kill(self.draw.choice(ranks), signal.SIGKILL)
        elif how == "all" and ranks:
            for pid in ranks:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        else:
            process.kill()

    def watch_ranks(self, ranks):
        """Wait for the end of ranks; bytes that they have read until then. Without their
        launcher they go on: as batch systems do, end them after a moment."""
        begin = time.monotonic()
        end = begin + 30
        most = dict.fromkeys(ranks, 0)
        while any(self.is_running(pid) for pid in ranks):
            self.check(time.monotonic() < end, "ranks outlive their launcher by half a minute")
            for pid in ranks:
                most[pid] = max(most[pid], read_so_far(pid))
                if self.orphaned and time.monotonic() - begin > 0.1 and self.is_running(pid):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(SAMPLE_SECONDS)
        return sum(max(0, size - self.idle) for size in most.values())

    def is_running(self, pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def idle_bytes(self):
        """What a rank reads before it looks at a checkpoint: MPI's own files."""
        process = program.start(["-o", "idle.h5", "-"], 3, self.folder, stdin=subprocess.PIPE)
        most, still = 0, 0
        while still < 10:
            now = max([0, *(read_so_far(pid) for pid in program.ranks_of(process))])
            still = still + 1 if 0 < now == most else 0
            most = max(most, now)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return most

    def start(self, ranks):
        return program.start(["-o", "cut.h5", "--resume", *self.args], ranks, self.folder,
                             {"LLMFP_SAVE_SECONDS": str(SAVE_SECONDS), **SLOWLY})

    def cut(self, how, delay):
        """One run that is killed after a while, or is through before: (bytes it has read,
        whether it was through)."""
        ranks = self.draw.choice((2, 3, 4))
        process = self.start(ranks)
        time.sleep(delay)
        pids = program.ranks_of(process)
        self.orphaned = how == "launcher" and process.poll() is None
        before = {pid: read_so_far(pid) for pid in pids}
        if process.poll() is None:
            self.kill(process, how)
        bytes_read = max(self.watch_ranks(pids),
                         sum(max(0, size - self.idle) for size in before.values()))
        _, err = program.finish(process)
        if process.returncode == 0:
            return read_bytes(err), True
        # Killed behind its last step it leaves whole results: test_kills compares them.
        return bytes_read, os.path.exists(self.path("cut.h5"))

    def test_kills(self):
        self.idle = self.idle_bytes()
        kills, n_scans, total = 0, 1, 0
        n_after_saving = 0
        longest = 2 * self.work_seconds / KILLS
        while kills < KILLS:
            how = ("rank", "all", "launcher")[kills % 3]
            # The start takes a while; a kill should hit the work.
            delay = 0.8 * self.start_seconds + self.draw.random() * longest
            bytes_read, through = self.cut(how, delay)
            total += bytes_read
            if through:  # begin another scan
                self.compare()
                for name in os.listdir(self.folder):
                    if name.startswith("cut.h5"):
                        os.remove(self.path(name))
                n_scans += 1
                longest *= 0.8
                continue
            kills += 1
            n_after_saving += any("journal.progress" in name for name in os.listdir(self.folder))
        done = program.run(["-o", "cut.h5", "--resume", *self.args], 3, self.folder)
        self.equal(done.status, 0, done.tell())
        total += read_bytes(done.err)
        self.compare()
        left = [name for name in os.listdir(self.folder) if name.startswith("cut.h5.")]
        self.equal(left, [], "files left behind")
        once = n_scans * self.once_bytes
        print(f"{kills} kills ({n_after_saving} with sums saved) in {n_scans} scans: {total} bytes "
              f"read, {total / once:.3f} of once", flush=True)
        # What a rank reads between the last look at it and its end is not seen.
        self.check(total >= 0.98 * once, f"{total} bytes were counted, {once} must be read")
        self.check(total <= 1.2 * once, f"{total} bytes were read, once is {once}")
        self.check(n_after_saving > 0, "no kill came after something had been saved")

    def compare(self):
        results.equal(self, self.path("whole.h5"), self.path("cut.h5"), ())
        results.h5diff(self, self.path("whole.h5"), self.path("cut.h5"), [])


if __name__ == "__main__":
    harness.main()
