"""A disk that cannot read some of its blocks: a file system in user space (FUSE) answers EIO
behind a given offset of a file. The checkpoint on it fails alone, whatever the way of reading.

It takes the packages python3-fusepy and fuse3, /dev/fuse and leave to mount; otherwise ctest lists this
test as skipped.
"""
import errno
import importlib.util
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402


def serve(source, mount_point, broken):
    """Show the files of `source`; reading behind broken[name] of a name ends with EIO."""
    import fusepy as fuse

    class Disk(fuse.Operations):
        def getattr(self, path, fh=None):
            try:
                found = os.lstat(source + path)
            except OSError as error:
                raise fuse.FuseOSError(error.errno) from error
            return {name: getattr(found, name) for name in
                    ("st_mode", "st_size", "st_nlink", "st_uid", "st_gid", "st_mtime", "st_atime",
                     "st_ctime")}

        def readdir(self, path, fh):
            return [".", "..", *os.listdir(source + path)]

        def read(self, path, size, offset, fh):
            if offset + size > broken.get(path.lstrip("/"), 1 << 62):
                raise fuse.FuseOSError(errno.EIO)
            with open(source + path, "rb") as file:
                return os.pread(file.fileno(), size, offset)

    fuse.FUSE(Disk(), mount_point, foreground=True, nothreads=True, ro=True)


class Disk:
    """A mounted disk, for a while."""

    def __init__(self, source, mount_point, broken):
        self.mount_point = mount_point
        self.process = multiprocessing.Process(target=serve, args=(source, mount_point, broken),
                                               daemon=True)

    def __enter__(self):
        self.process.start()
        end = time.monotonic() + 10
        while not os.path.ismount(self.mount_point):
            if time.monotonic() > end or not self.process.is_alive():
                raise RuntimeError("the file system is not mounted")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        tool = shutil.which("fusermount")
        subprocess.run([tool, "-u", "-z", self.mount_point] if tool else
                       ["umount", "-l", self.mount_point], check=False)
        self.process.join(10)
        self.process.kill()


class BrokenDisk(program.ScanCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("source"))
        os.mkdir(self.path("disk"))
        self.good = shapes.llama(2, 3)
        self.bad = shapes.llama(1, 40, "F32")
        self.good.write(self.path("source", "good"))
        self.bad.write(self.path("source", "bad"))
        self.name = "bad/model.safetensors"
        self.size = os.path.getsize(self.path("source", self.name))
        self.write("manifest.txt", "disk/bad\ndisk/good\n")

    def scan_at(self, broken_from, way, ranks):
        with Disk(self.path("source"), self.path("disk"), {self.name: broken_from}):
            return self.scan(self.path("manifest.txt"), "--overwrite", f"--io={way}",
                             "--chunk=64K", ranks=ranks, status=3)

    def fails_alone(self, broken_from, way, ranks):
        found, done = self.scan_at(broken_from, way, ranks)
        errors = done.errors()
        self.equal(len(errors), 1, done.tell())
        self.check("bad" in errors[0] and "model.safetensors" in errors[0], done.tell())
        self.equal(found.model("status", "bad"), "failed", done.tell())
        results.compare(self, found, "good", self.good.cells())
        return errors[0]

    def test_data(self):
        for way in ("mmap", "pread", "direct", "auto"):
            for ranks in (None, 3):
                for part in (0.5, 0.999):
                    with self.subTest(f"{way}, {ranks} ranks, from {part}"):
                        text = self.fails_alone(int(self.size * part), way, ranks)
                        if way == "pread":
                            self.check(os.strerror(errno.EIO) in text, text)

    def test_header(self):
        for ranks in (None, 3):
            self.check(os.strerror(errno.EIO) in self.fails_alone(4, "auto", ranks))

    def test_whole_again(self):
        """The same manifest on a disk that works is complete: nothing bad was kept."""
        self.fails_alone(self.size // 2, "pread", 3)
        with Disk(self.path("source"), self.path("disk"), {}):
            found, _ = self.scan(self.path("manifest.txt"), "--overwrite", ranks=3)
        results.compare(self, found, "good", self.good.cells())
        results.compare(self, found, "bad", self.bad.cells())


def can_mount():
    """Containers may forbid it even to root."""
    if importlib.util.find_spec("fusepy") is None:
        print("NOT TESTED: python3-fusepy is not installed")
        return False
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "source"))
        os.mkdir(os.path.join(folder, "disk"))
        try:
            with Disk(os.path.join(folder, "source"), os.path.join(folder, "disk"), {}):
                return True
        except RuntimeError as error:
            print(f"NOT TESTED: no file system in user space here: {error}")
            return False


if __name__ == "__main__":
    if not can_mount():
        sys.exit(77)  # ctest shows it as skipped
    harness.main()
