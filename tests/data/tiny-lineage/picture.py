#!/usr/bin/python3
"""picture.py RESULTS.h5 [PICTURE.svg] - the picture of the README: curves and correlations of the
trained models, drawn from a results file by what llmfp-report draws with. Remake it with
    jobs/quick-start.sh && tests/data/tiny-lineage/picture.py build/quick-start.h5
"""
import html
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "src", "report"))

from llmfp_report import curves, heat_map, similarity  # noqa: E402
from llmfp_report.results import Results  # noqa: E402

WIDTH, HEIGHT, CELL = 860, 330, 46
ROLE = "attn.o"
# An opaque card: readable on light and on dark pages.
STYLE = """text{font:13px sans-serif;fill:#1b1f24}.small{font-size:11px;fill:#57606a}.grid{stroke:#d0d7de;fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.c0{stroke:#1f5fa8}.c1{stroke:#b3460b}.c2{stroke:#1a7f37}
.c3{stroke:#8b2fa0}.c4{stroke:#444c56}"""


def draw_lines(results, order):
    found = dict(results.curves(ROLE)[0])
    low, high = min(v.min() for v in found.values()) - .1, max(v.max() for v in found.values()) + .1
    parts = [curves.horizontal_grid(curves.whole_ticks(low, high, 6), low, high)]
    for place, model in enumerate(order):
        values = found[model]
        at = curves.across(range(len(values)), 0, len(values) - 1)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at, curves.up(values, low, high)))
        parts.append(f'<polyline {curves.line_style(place)} points="{points}"/>')
        x, y = (curves.LEFT + place % 3 * 150, 292 + place // 3 * 20)
        parts.append(f'<path d="M{x} {y - 4}h22" {curves.line_style(place)}/>'
                     f'<text x="{x + 28}" y="{y}">{html.escape(results.models[model])}</text>')
    last = len(values) - 1
    parts += [f'<text class="small" text-anchor="middle" y="240" x="{float(curves.across(t, 0, last)):.1f}">{t}</text>'
              for t in curves.whole_ticks(0, last, 8)]
    return "".join(parts) + '<text class="small" text-anchor="middle" x="258" y="258">layer</text>'


def draw_matrix(results, order):
    left = WIDTH - 20 - CELL * len(order)
    parts = []
    for row, i in enumerate(order):
        y = 14 + CELL * row
        parts.append(f'<text text-anchor="end" x="{left - 8}" y="{y + CELL / 2 + 4}">'
                     f"{html.escape(results.models[i])}</text>")
        for column, j in enumerate(order):
            value = float(results.qkvo[i, j])
            ink = "#fff" if value > 0.75 or value < -0.75 else "#1b1f24"
            parts.append(f'<rect x="{left + CELL * column}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" '
                         f'fill="rgb{heat_map.colour(value)}"/><text text-anchor="middle" style="fill:{ink}" '
                         f'x="{left + CELL * (column + .5)}" y="{y + CELL / 2 + 4}">{value:.2f}</text>')
    return "".join(parts) + (f'<text class="small" text-anchor="middle" x="{left + CELL * len(order) / 2}" y="262">'
                             "mean correlation of the Q, K, V and O curves</text>")


def main():
    results = Results(sys.argv[1])
    order = similarity.dendrogram_order(results.qkvo)
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
           f"<style>{STYLE}</style>"
           f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/><g transform="translate(0 4)">'
           f'{draw_lines(results, order)}</g><text class="small" transform="translate(16 180) rotate(-90)">'
           f"{ROLE}: normalised std</text>{draw_matrix(results, order)}</svg>\n")
    with open(sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "picture.svg"), "w", encoding="utf-8") as file:
        file.write(svg.replace("><", ">\n<"))


main()
