"""A disk that really fills up: nothing is lost and nothing half-written.

The disk is a small tmpfs. Mounting one takes root, or a user namespace, in which this program
then starts itself again.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402

KIB = 1024
# Room beside the old results file: from none to enough for everything.
ROOM = (0, 4, 8, 16, 24, 40, 64, 100, 140, 180, 240, 320, 2000)


class FullDisk(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.mkdir(self.disk)
        self.models = {"one": shapes.llama(1, 6), "two": shapes.llama(2, 9)}
        for label, model in self.models.items():
            model.write(self.path(label))
        self.write("manifest.txt", "one\n")
        program.run(["-o", "old.h5", "--progress=none", "manifest.txt"], None, self.folder)
        self.write("manifest.txt", "one\ntwo\n")
        program.run(["-o", "whole.h5", "--progress=none", "manifest.txt"], None, self.folder)

    def on_disk(self, room, ranks):
        """One scan over an old results file with little room; whether it failed."""
        old = -(-os.path.getsize(self.path("old.h5")) // (4 * KIB)) * 4
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={old + room}k", "tmpfs", self.disk],
                       check=True)
        try:
            output = os.path.join(self.disk, "out.h5")
            shutil.copy(self.path("old.h5"), output)
            before = harness.digest(output)
            done = program.run(["-o", output, "--overwrite", "--progress=none", "manifest.txt"],
                               ranks, self.folder)
            if done.status == 0:
                return False
            self.equal(done.status, 1, done.tell())
            self.equal(len(done.errors()), 1, done.tell())
            self.check("out.h5" in done.errors()[0], done.tell())
            self.equal(harness.digest(output), before, "the old results file has changed")
            self.check(not os.path.exists(output + ".part"), "a part is left behind")
            if os.path.exists(output + ".journal"):
                self.resumes(output, ranks)
            return True
        finally:
            subprocess.run(["umount", self.disk], check=True)

    def resumes(self, output, ranks):
        """With room again, --resume ends as if nothing had happened."""
        subprocess.run(["mount", "-o", "remount,size=10M", self.disk], check=True)
        done = program.run(["-o", output, "--resume", "--progress=none", "manifest.txt"], ranks,
                           self.folder)
        self.equal(done.status, 0, done.tell())
        found, whole = results.load(output), results.load(self.path("whole.h5"))
        for name in ("exact/sum", "exact/sum_squares", "std", "correlation"):
            self.equal(found[name].tobytes(), whole[name].tobytes(), name)

    def fill(self, ranks):
        failed = [self.on_disk(room, ranks) for room in ROOM]
        self.check(failed[0] and sum(failed) >= 8, f"failures by room: {failed}")
        self.check(not failed[-1], "not even 2 MiB are enough")

    def test_one_rank(self):
        self.fill(None)

    def test_three_ranks(self):
        self.fill(3)


def can_mount():
    """Containers may forbid it even to root."""
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                               stderr=subprocess.PIPE, text=True, check=False)
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        else:
            print(f"NOT TESTED: no small disk can be mounted here: {tried.stderr.strip()}")
        return tried.returncode == 0


if __name__ == "__main__":
    NAMESPACE = ["unshare", "--map-root-user", "--mount"]
    if os.geteuid() != 0 and subprocess.run(NAMESPACE + ["true"], check=False).returncode == 0:
        os.execvp("unshare", NAMESPACE + [sys.executable, __file__])
    if not can_mount():
        sys.exit(77)  # ctest shows it as skipped
    harness.main()
