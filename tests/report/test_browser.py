"""What a reader does with a report page, in headless Chromium: sorting the table of models, and the
values under the pointer. A script is added to the page that does it and notes what it finds.
Skips (77) where there is no Chromium."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import generated  # noqa: E402
import harness  # noqa: E402

PROGRAM = os.path.join(harness.ROOT, "src", "report", "llmfp-report")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FOUND = "what-was-found"
READER = """
const found = {};
const table = document.getElementById("model-table");
const column = n => Array.from(table.tBodies[0].rows, row => row.cells[n].textContent);
const press = n => { table.tHead.rows[0].cells[n].querySelector("button").click(); return column(n); };
const point = (element, x, y) => {
  const box = element.getBoundingClientRect();
  element.dispatchEvent(new PointerEvent("pointermove", { bubbles: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
  const said = element.closest("figure").querySelector("output").textContent;
  element.dispatchEvent(new PointerEvent("pointerleave"));
  return [said, element.closest("figure").querySelector("output").textContent];
};
found.first = column(0);
found.layers = [press(3), press(3)];
found.models = [press(1), press(1)];
found.numbers = press(0);
found.sort = table.tHead.rows[0].cells[0].getAttribute("aria-sort");
found.curve = point(document.querySelector("svg.curves"), 0.5, 0.5);
const heat = document.querySelector("svg.heat[data-values]");
found.diagonal = point(heat, 0.999, 0.999);
found.labels = point(heat, 0.01, 0.5);
found.wide = [document.documentElement.scrollWidth, innerWidth];
const pre = document.createElement("pre");
pre.id = "what-was-found";
pre.textContent = JSON.stringify(found);
document.body.append(pre);
"""


class Browser(harness.Case):
    def dump(self, text):
        """The page after its scripts have run."""
        path = os.path.join(self.folder, "page.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                   "--window-size=1280,900", f"--user-data-dir={os.path.join(self.folder, 'profile')}",
                   f"file://{path}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90, check=False)
        self.equal(done.returncode, 0, done.stderr.decode(errors="replace")[-2000:])
        return done.stdout.decode()

    def page(self):
        depths = [32, 8, 12, 8]
        results = generated.write(os.path.join(self.folder, "results.h5"), ["b", "<b>a</b>", "d", "c"], depths)
        out = os.path.join(self.folder, "report.html")
        subprocess.run([sys.executable, PROGRAM, results, "-o", out], timeout=60, check=True)
        with open(out, encoding="utf-8") as file:
            return file.read()

    def found(self, text):
        """By the reader's script, which the page's policy would refuse."""
        without, n = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        self.equal(n, 1, "policies in the page")
        dumped = self.dump(without.replace("</body>", f"<script>{READER}</script></body>"))
        match = re.search(f'<pre id="{FOUND}">([^<]*)</pre>', dumped)
        self.check(match is not None, "the reader's script failed")
        return json.loads(match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))

    def test_reading(self):
        found = self.found(self.page())
        self.equal(found["first"], ["1", "2", "3", "4"], "as scanned")
        self.equal(found["layers"], [["8", "8", "12", "32"], ["32", "12", "8", "8"]], "by number, both ways")
        names = ["<b>a</b>", "b", "c", "d"]
        self.equal([sorted(names), sorted(names, reverse=True)], found["models"], "by name, both ways")
        self.equal(found["numbers"], ["1", "2", "3", "4"], "back again")
        self.equal(found["sort"], "ascending", "what screen readers are told")
        self.check(re.fullmatch(r".+, layer \d+: -?\d+\.\d\d", found["curve"][0]), found["curve"])
        self.check(re.fullmatch(r"(\d) .+ and \1 .+: 1\.00", found["diagonal"][0]), found["diagonal"])
        self.equal([found["labels"][0], found["curve"][1], found["diagonal"][1]], ["", "", ""], "nothing there")
        self.check(found["wide"][0] <= found["wide"][1], f"wider than the window: {found['wide']}")

    def test_own_script_runs_under_the_policy(self):
        dumped = self.dump(self.page())
        self.check(dumped.count("<button>") >= 12, "heads of columns are buttons")
        added = self.dump(self.page().replace("</body>", f"<script>{READER}</script></body>"))
        self.check(f'id="{FOUND}"' not in added, "the policy let another script run")


if __name__ == "__main__":
    if CHROMIUM is None:
        print("no Chromium here: reports were not tried in a browser (Debian package chromium)")
        sys.exit(77)
    harness.main()
