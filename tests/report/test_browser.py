"""What a reader does with a report page, in headless Chromium: sorting the table of models, and the
values under the pointer. A script is added to the page that does it and notes what it finds. How
the page looks on a phone and a screen, light and dark, is measured through ChromeDriver.
Skips (77) where there is no Chromium or no ChromeDriver."""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import generated  # noqa: E402
import harness  # noqa: E402

PROGRAM = os.path.join(harness.ROOT, "src", "report", "llmfp-report")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
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


# What is wrong with the looks of a page: wider than the window, text that leaves its figure, or
# letters without the contrast of WCAG AA (4.5).
LOOKS = """
const wrong = [];
if (document.documentElement.scrollWidth > innerWidth)
  wrong.push("the page is " + document.documentElement.scrollWidth + " wide, the window " + innerWidth);
const light = colour => {
  const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : Math.pow((part + 0.055) / 1.055, 2.4));
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
let measured = 0;
for (const element of document.querySelectorAll("body *")) {
  const own = Array.from(element.childNodes).some(node => node.nodeType === 3 && node.textContent.trim());
  const box = element.getBoundingClientRect();
  if (!own || !box.width || element.closest("title, desc, script, style")) continue;
  const style = getComputedStyle(element), figure = element.closest("svg");
  const two = [light(figure ? style.fill : style.color), light(behind(element))].sort((a, b) => b - a);
  const contrast = (two[0] + 0.05) / (two[1] + 0.05);
  measured++;
  if (contrast < 4.5) wrong.push(element.tagName + " '" + element.textContent.slice(0, 30) + "': contrast " + contrast);
  if (!figure) continue;
  const room = figure.getBoundingClientRect();
  if (box.left < room.left - 1 || box.right > room.right + 1)
    wrong.push("'" + element.textContent.slice(0, 30) + "' leaves its figure");
}
return [measured, wrong];
"""


class Driver:
    """A browser that is told by ChromeDriver what to do (W3C WebDriver over HTTP)."""

    def __init__(self, folder):
        self.process = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        port = next(match[1] for match in (re.search(r"successfully on port (\d+)", line) for line in self.process.stdout) if match)
        self.address = f"http://127.0.0.1:{port}/session"
        options = {"binary": CHROMIUM, "args": ["--headless", "--no-sandbox", "--disable-gpu",
                                                f"--user-data-dir={folder}"]}
        made = self.ask("", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.address += "/" + made["sessionId"]

    def ask(self, path, content, method="POST"):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def tool(self, command, **parameters):
        """A command of Chromium's developer tools."""
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def quit(self):
        try:
            self.ask("", None, "DELETE")
        finally:
            self.process.terminate()
            self.process.wait(30)
            self.process.stdout.close()


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

    def test_looks(self):
        """One model, and many with hostile names, failed ones and mixed depths."""
        names = ["x" * 3000, "<b>a</b>", "\u6f22\u5b57" * 90, " ", "\u202eevil", "a b " * 80] + [
            f"organisation/model-{i}-instruct" for i in range(30)]
        pages = {"one": (["only"], [32], {}),
                 "many": (names, [(32, 8, 2, 1, 80)[i % 5] for i in range(36)],
                          {"failed": [3, 30], "lacking": {(0, "attn.q"), (1, "norm.attn")},
                           "texts": {"message": "cut off " * 90, "path": "/a" * 300}}),
                 "hundreds": ([f"organisation/model-{i}" for i in range(500)], [32] * 500, {})}
        driver = Driver(self.path("driver"))
        self.addCleanup(driver.quit)
        for name, (models, depths, more) in pages.items():
            results = generated.write(self.path(f"{name}.h5"), models, depths, **more)
            subprocess.run([sys.executable, PROGRAM, results, "-o", self.path(f"{name}.html")], timeout=60, check=True)
            for width, scheme in ((390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")):
                driver.tool("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1,
                            mobile=width < 500)
                driver.tool("Emulation.setEmulatedMedia",
                            features=[{"name": "prefers-color-scheme", "value": scheme}])
                driver.ask("/url", {"url": f"file://{self.path(name + '.html')}"})
                driver.ask("/execute/sync", {"script": "for (const d of document.querySelectorAll('details')) d.open = true",
                                             "args": []})
                measured, wrong = driver.ask("/execute/sync", {"script": LOOKS, "args": []})
                self.check(measured > 50, f"{name}: only {measured} texts")
                self.equal(wrong[:5], [], f"{name}, {width} wide, {scheme}")
        self.equal(driver.ask("/se/log", {"type": "browser"}), [], "messages of the browser")

    def test_own_script_runs_under_the_policy(self):
        dumped = self.dump(self.page())
        self.check(dumped.count("<button>") >= 12, "heads of columns are buttons")
        added = self.dump(self.page().replace("</body>", f"<script>{READER}</script></body>"))
        self.check(f'id="{FOUND}"' not in added, "the policy let another script run")


if __name__ == "__main__":
    if CHROMIUM is None or DRIVER is None:
        print("NOT TESTED: reports were not tried in a browser (Debian: chromium chromium-driver fonts-dejavu-core)")
        sys.exit(77)
    harness.main()
