"""llmfp-report on generated results files: every page is parsed, and looked at for what it must hold."""
import base64
import html.parser
import os
import re
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import generated  # noqa: E402
import h5py  # noqa: E402
import harness  # noqa: E402
import numpy as np  # noqa: E402

PROGRAM = os.path.join(harness.ROOT, "src", "report", "llmfp-report")
VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = ["</title><script>alert(1)</script>", "\"onload='x' <img src=x>&amp;", "a\x01\x1b[31m\nb\tc", "x" * 65000,
           "\u202egnp.evil", "\u05e9\u05dc\u05d5\u05dd", "\uffff\ufffe]]>", "-->", "emoji \U0001f600"]


class Page(html.parser.HTMLParser):
    """Tags must nest; keeps what tests ask for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.bad, self.ids, self.attributes = [], [], [], [], []
        self.text, self.rows, self.tables = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "table":
            self.tables.append(dict(attrs)["id"])
        if tag == "tr":
            self.rows.setdefault(self.tables[-1], []).append([])
        if tag in ("td", "th"):
            self.rows[self.tables[-1]][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(tag)

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[self.tables[-1]][-1][-1] += data


def run(*arguments):
    return subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, timeout=120)


def pixels(uri):
    """(width, height, rows of palette indices) of an indexed PNG."""
    data = base64.b64decode(uri.split(",", 1)[1])
    width, height = struct.unpack(">II", data[16:24])
    at = data.index(b"IDAT")
    raw = zlib.decompress(data[at + 4:at + 4 + struct.unpack(">I", data[at - 4:at])[0]])
    return width, height, np.frombuffer(raw, np.uint8).reshape(height, width + 1)[:, 1:]


class Report(harness.Case):
    def report(self, names, depths, **more):
        """The page of a generated file: (text, parsed), with the checks that hold for all."""
        self.results = generated.write(self.path("results.h5"), names, depths, **more)
        done = run(self.results, "-o", self.path("page.html"))
        self.equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), "the program")
        with open(self.path("page.html"), encoding="utf-8", newline="") as file:
            text = file.read()
        page = Page(text)
        self.equal((page.bad, page.open), ([], []), "tags that do not nest")
        self.equal(len(page.ids), len(set(page.ids)), "ids")
        self.equal(page.tags.count("script"), 1, "scripts")
        self.check_figures(text)
        self.check_self_contained(page)
        self.check(not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text), "control characters")
        return text, page

    def check_figures(self, text):
        figures = re.findall(r'<svg class="(?:plot|heat)[ "].*?</svg>', text, re.DOTALL)
        self.equal(len(figures), len(re.findall(r'role="img"', text)), "figures")
        for figure in figures:
            root = xml.fromstring(figure)
            for child in ("title", "desc"):
                found = root.find(child)
                self.check(found is not None and found.text, f"a figure without {child}")
                self.check(found.get("id") in root.get("aria-labelledby").split(), child)
            for line in root.iter("polyline"):
                self.check("nan" not in line.get("points"), "a point that is no number")
        drawn = re.sub(r"base64,[^\"]*|data-values=\"[^\"]*", "", text)
        self.equal(re.findall(r"\bnan\b", drawn), [], "numbers that are none")

    def check_self_contained(self, page):
        for tag, name, value in page.attributes:
            if name in ("src", "href", "data", "action"):
                self.check(value.startswith(("#", "data:")), f"{tag} loads {value!r}")
            self.check(not name.startswith("on"), f"a handler: {name}")

    def test_few_models(self):
        text, page = self.report(["one", "two", "three"], [12, 12, 12], texts={"parent": ["", "one", ""]})
        self.equal(len(page.rows["model-table"]), 4, "rows of models")
        self.equal(len(page.rows["pair-table"]), 4, "rows of pairs")
        with h5py.File(self.results) as file:
            qkvo, signature = file["correlation_qkvo"][:], file["signature"][:]
        wanted = sorted((qkvo[i, j] for i, j in ((0, 1), (0, 2), (1, 2))), reverse=True)
        found = [row[3].replace("\u2212", "-") for row in page.rows["pair-table"][1:]]
        self.equal(found, [f"{value:.4f}" for value in wanted], "pairs, highest first")
        self.check(any(row[5] == "parent" for row in page.rows["pair-table"]), "the claim")
        values = page.rows["curves-attn-q-table"][1][1].replace("\u2212", "-").split()
        self.equal(values, [f"{v:.2f}" for v in signature[0, 0]], "values of a curve")
        for role in generated.ROLES:
            self.equal(len(page.rows[f"curves-{role.replace('.', '-')}-table"]), 4, role)
        self.equal(text.count("<polyline"), 3 * len(generated.ROLES), "curves")
        for words in ("prefers-color-scheme: dark", "@media print", "width=device-width", "has no direction"):
            self.check(words in text, words)

    def test_curve_is_where_its_values_are(self):
        text, _ = self.report(["one", "two"], [5, 5], roles=("attn.q",))
        with h5py.File(self.results) as file:
            wanted = file["signature"][0, 0]
        line = xml.fromstring(re.search(r"<polyline.*?</polyline>", text).group())
        points = np.array([point.split(",") for point in line.get("points").split()], float)
        low, high = float(line.get("data-low")), float(line.get("data-high"))
        values = low + (222 - points[:, 1]) / 212 * (high - low)
        self.check(np.abs(values - wanted).max() < 0.002 * (high - low), f"{values}, wanted {wanted}")

    def test_heat_map(self):
        names = [f"m{i}" for i in range(6)]
        text, page = self.report(names, [9] * 6, failed=[2])
        uri = next(value for tag, name, value in page.attributes if tag == "image" and name == "href")
        width, height, levels = pixels(uri)
        self.equal((width, height), (5, 5), "failed checkpoints are left out")
        order = [int(m) - 1 for m in re.search(r'data-order="([\d ]+)"', text).group(1).split()]
        self.equal(sorted(order), [0, 1, 3, 4, 5], "models")
        with h5py.File(self.results) as file:
            wanted = file["correlation_qkvo"][:][np.ix_(order, order)]
        self.check(np.abs(levels / 20 - 1 - wanted).max() <= 0.0251, "colours")

    def test_one_model(self):
        text, page = self.report(["only"], [8])
        self.check("pair-table" not in page.rows and "No two models have a correlation" in text, "no pairs")
        self.equal(text.count("<polyline"), len(generated.ROLES), "curves")

    def test_all_failed(self):
        text, page = self.report(["a", "b"], [1, 1], roles=(), failed=[0, 1], texts={"message": "<b>cut & off"})
        self.check("2 checkpoints could not be scanned" in text, "failures in the lead")
        self.equal(page.rows["model-table"][1][-1], "failed: <b>cut & off", "the reason")

    def test_missing_roles_and_mixed_depths(self):
        text, page = self.report(["a", "b", "c", "d"], [2, 16, 40, 1], roles=generated.ROLES[:4],
                                 lacking=[(1, "attn.q")])
        self.check("No two models have curves of all of" in text, "another measure than QKVO")
        self.check("In no model of this file: mlp.gate, mlp.up, mlp.down." in text, "missing roles")
        self.check("depth: 0 is the first layer" in text, "relative depth")
        self.equal([row[4] for row in page.rows["pair-table"][1:]], ["16 / 40"], "pairs")
        self.check("without a normalised curve" in text, "one layer has no shape")

    def test_hostile_names(self):
        n = len(HOSTILE)
        text, page = self.report(HOSTILE, [6] * n, failed=[1], texts={
            name: HOSTILE for name in ("architecture", "path", "family", "parent")} | {"message": HOSTILE[0]})
        self.check(len(text) < 400000, f"{len(text)} characters")
        for bad in ("<script>alert", "<img", "\x1b", "\u202e"):
            self.check(bad not in text, f"{bad!r} in the page")
        names = [row[1] for row in page.rows["model-table"][1:]]
        self.equal(names[0], HOSTILE[0], "markup is shown as it is")
        self.equal(names[2], "a\\u{1}\\u{1b}[31m\\u{a}b\\u{9}c", "control characters")
        self.check(len(names[3]) == 100 and "\u2026" in names[3], "a long name is cut")
        self.equal(names[4:7], ["\\u{202e}gnp.evil", HOSTILE[5], "\\u{ffff}\\u{fffe}]]>"], "directions")
        self.equal(page.tags.count("bdi") > n, True, "isolated names")

    def test_500_models(self):
        names = [f"organisation/model-{i}-with-a-longer-name" for i in range(500)]
        start = time.monotonic()
        text, page = self.report(names, [(32, 40, 80)[i % 3] for i in range(500)], failed=[7, 77])
        self.check(time.monotonic() - start < 90, "it takes too long")
        self.check(len(text.encode()) < 10_000_000, f"{len(text)} characters")
        self.check(len(page.tags) < 60000, f"{len(page.tags)} elements")
        self.equal(len(page.rows["model-table"]), 501, "models")
        self.equal(len(page.rows["pair-table"]), 101, "pairs")
        self.equal(text.count("<polyline"), 40 * len(generated.ROLES), "drawn curves")
        total = sum(int(row[2].replace("\u202f", "")) for row in page.rows["histogram-table"][1:])
        self.equal(total, 498 * 497 // 2, "the histogram has all pairs")

    def test_same_page_each_time(self):
        _, _ = self.report(["a", "b"], [4, 4])
        done = run(self.results, "-o", "-"), run(self.results, "-o", "-")
        self.check(done[0].stdout.startswith(b"<!DOCTYPE html>"), "standard output")
        self.equal(done[0].stdout, done[1].stdout, "two pages")

    def test_colours_have_contrast(self):
        """WCAG 2.1, AA: 4.5 to 1 for text, 3 to 1 for lines and bars; light, dark and on paper."""
        def luminance(colour):
            digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
            parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        def contrast(one, other):
            low, high = sorted((luminance(one), luminance(other)))
            return (high + 0.05) / (low + 0.05)

        self.equal(round(contrast("#000", "#ffffff"), 6), 21, "the formula")
        self.check(contrast("#777", "#fff") < 4.5 < contrast("#767676", "#fff"), "the formula at its limit")
        with open(os.path.join(os.path.dirname(PROGRAM), "llmfp_report", "page.css"), encoding="utf-8") as file:
            themes = [dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
                      for block in re.findall(r":root \{([^}]*)\}", file.read())]
        self.equal(len(themes), 3, "light, dark, paper")
        for theme in themes:
            self.equal(len([name for name in theme if re.fullmatch(r"c\d", name)]), 8, "colours of curves")
            for name, colour in theme.items():
                least = {"paper": 1, "edge": 1, "ink": 7, "soft": 4.5, "link": 4.5}.get(name, 3)
                found = contrast(colour, theme["paper"])
                self.check(found >= least, f"--{name} {colour} on {theme['paper']}: {found:.2f}, wanted {least}")

    def test_wide_letters_keep_their_room(self):
        text, _ = self.report(["W" * 4096, "narrow", "\u4e2d\u6587" * 9], [6] * 3)
        labels = re.findall(r'<text x="146"[^>]*>', text)
        self.equal(sum("textLength" in label for label in labels), 2, f"squeezed labels: {labels}")

    def refused(self, path, words):
        done = run(path, "-o", self.path("none.html"))
        message = done.stderr.decode()
        self.equal((done.returncode, message.count("\n")), (1, 1), message)
        self.check(words in message, message)
        self.check(not os.path.exists(self.path("none.html")), "a page of nothing")

    def test_what_is_no_results_file(self):
        self.refused(self.path("absent.h5"), "No such file")
        self.refused(self.folder, "is a folder")
        self.refused(self.write("text.h5", "no HDF5\n"), "not an HDF5 file")
        self.refused(self.write("empty.h5", ""), "not an HDF5 file")
        with h5py.File(self.path("other.h5"), "w") as file:
            file["x"] = [1]
        self.refused(self.path("other.h5"), "not of llmfp-scan")
        path = generated.write(self.path("r.h5"), ["a", "b"], [4, 4])
        with open(path, "rb") as file:
            whole = file.read()
        self.refused(self.write("cut.h5", whole[:len(whole) // 2]), "damaged")
        with h5py.File(path, "a") as file:
            file.attrs["schema_version"] = "2.0"
        self.refused(path, "schema 2.0")
        for name, change in (("bytes", None), ("status", ["ok"] * 3), ("correlation", np.zeros((2, 2)))):
            generated.write(path, ["a", "b"], [4, 4])
            with h5py.File(path, "a") as file:
                del file[name]
                if change is not None:
                    file[name] = change
            self.refused(path, "damaged")

    def test_output(self):
        path = generated.write(self.path("r.h5"), ["a", "b"], [4, 4])
        self.equal(run(path).returncode, 0, "without -o")
        self.check(os.path.getsize(self.path("r.html")) > 10000, "the default name")
        self.equal(run(path, "-o", path).returncode, 1, "onto the results")
        self.check(h5py.is_hdf5(path), "the results are still there")
        self.equal(run(path, "-o", self.path("no", "where.html")).returncode, 1, "no such folder")
        self.equal(run(path, "-o", self.folder).returncode, 1, "a folder")
        self.equal(sorted(os.listdir(self.folder)), ["r.h5", "r.html"], "nothing is left behind")
        for wrong in ([], [path, "--wrong"], [path, path]):
            self.equal(run(*wrong).returncode, 2, f"{wrong}")
        for fine in ("--help", "--version"):
            self.equal(run(fine).returncode, 0, fine)


if __name__ == "__main__":
    harness.main()
