"""The README's picture is the one that the trained models give."""
import os
import subprocess
import sys
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402

DATA = os.path.join(harness.ROOT, "tests", "data", "tiny-lineage")


class Picture(harness.Case):
    def test_picture_is_up_to_date(self):
        done = program.run(["-o", self.path("r.h5"), os.path.join(DATA, "manifest.txt")])
        self.equal(done.status, 0, "the scan")
        made = self.path("picture.svg")
        subprocess.run([sys.executable, os.path.join(DATA, "picture.py"), self.path("r.h5"), made], check=True, timeout=60)
        with open(made, encoding="utf-8") as new, open(os.path.join(DATA, "picture.svg"), encoding="utf-8") as kept:
            text = new.read()
            self.equal(text, kept.read(), "the picture")
        self.equal(len(list(xml.fromstring(text).iter("{http://www.w3.org/2000/svg}polyline"))), 5, "curves")


if __name__ == "__main__":
    harness.main()
