"""What every test program here needs: checks that are counted, temporary folders, an exit code.

A program fails when a check fails, when none ran, and when a test was skipped.
"""
import hashlib
import math
import os
import shutil
import struct
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SLOW = os.environ.get("LLMFP_SLOW") == "1"

_checks = 0


def double_bits(value):
    """A double as comparable bits; every NaN is the same."""
    return "nan" if math.isnan(value) else struct.pack("<d", value)


def digest(path):
    """Of a file's bytes: whether it is still the same."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Case(unittest.TestCase):
    """A test with counted checks and a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="llmfp-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        """A file in the test's folder, from str or bytes; returns its path."""
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def check(self, condition, message="check failed"):
        global _checks
        _checks += 1
        if not condition:
            self.fail(message)

    def equal(self, found, wanted, message="value"):
        self.check(found == wanted, f"{message}: {found!r}, wanted {wanted!r}")

    def same_double(self, found, wanted, message="value"):
        found, wanted = float(found), float(wanted)
        self.check(double_bits(found) == double_bits(wanted),
                   f"{message}: {found!r} ({found.hex()}), wanted {wanted!r} ({wanted.hex()})")


def main():
    """Run the tests of the calling program and exit."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    print(f"{_checks} checks in {result.testsRun} tests", flush=True)
    bad = not result.wasSuccessful() or result.skipped or result.expectedFailures
    if _checks == 0:
        print("no check ran", file=sys.stderr)
    sys.exit(1 if bad or _checks == 0 else 0)
