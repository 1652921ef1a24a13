"""The page: sections in the order in which one reads them, each a function of `Report`."""
import base64
import hashlib
import os

import numpy as np

from . import VERSION, curves, heat_map, similarity, text
from .results import QKVO

GROUPS = (
    ("attention", "Attention", QKVO),
    ("feed-forward", "Feed-forward", ("mlp.gate", "mlp.up", "mlp.down")),
    ("biases", "Q, K, V biases", ("attn.q.bias", "attn.k.bias", "attn.v.bias")),
    ("norms", "Attention norms", ("norm.attn", "norm.attn_post", "attn.q_norm", "attn.k_norm")),
)
MOST_PAIRS = 100
MOST_ROLES = 200
# Values behind a heat map take 4/3 byte a pair: all maps with few models, only QKVO with many.
VALUES_IN_ALL_MAPS = 100
VALUES_IN_ONE_MAP = 1000
FULL_MATRIX = 12

LIMITS = (
    "A high correlation is evidence of a common origin, not proof. Models of one architecture trained from "
    "scratch with one recipe can have similar curves: compare with pairs of the same depth that are known to "
    "be independent.",
    "A curve has as many points as the model has layers. With few layers, or curves that rise steadily, high "
    "correlations come about by chance.",
    "A low correlation does not prove independence. Adding, removing or merging layers and rescaling weights "
    "changes curves, and can leave the model\u2019s function nearly as it was.",
    "A correlation has no direction. It does not say which model came first.",
    "Family and parent are what the publisher claims; they are not used in the numbers.",
)


class Report:
    """What several sections share: names, the matrix of the pairs, which curves are drawn."""

    def __init__(self, results, command):
        self.results, self.command = results, command
        self.n = len(results.models)
        self.names = [f"{i + 1} {text.plain(name, 80)}" for i, name in enumerate(results.models)]
        self.labels = [f"{i + 1} {text.plain(name, 18)}" for i, name in enumerate(results.models)]
        self.matrix, self.measure, self.measure_note = choose_matrix(results)
        self.rows, self.columns, self.values = similarity.pairs(self.matrix)
        self.nearest = similarity.nearest(self.matrix)
        self.order = similarity.dendrogram_order(self.matrix)
        self.places = {model: place for place, model in enumerate(self.choose_drawn())}

    def choose_drawn(self):
        """All models; of many, those of the most similar pairs first, then as in the file."""
        scanned = [i for i in range(self.n) if self.results.texts["status"][i] == "ok"]
        if len(scanned) <= curves.MOST_DRAWN:
            return scanned
        paired = [int(m) for pair in zip(self.rows[:curves.MOST_DRAWN], self.columns) for m in pair]
        return list(dict.fromkeys(paired + scanned))[:curves.MOST_DRAWN]

    def name(self, model, longest=60):
        return f'<span class="number">{model + 1}</span> {text.inline(self.results.models[model], longest)}'


def choose_matrix(results):
    """QKVO, or when no pair has it the first role with a pair."""
    if len(similarity.pairs(results.qkvo)[2]):
        return results.qkvo, "Q, K, V and O", ""
    preferred = [role for _, _, roles in GROUPS for role in roles if role in results.roles]
    for role in preferred:
        matrix = results.correlation(role)
        if len(similarity.pairs(matrix)[2]):
            return matrix, role, (f"No two models have curves of all of {', '.join(QKVO)}: the pairs and the "
                                  f"first map are those of {text.inline(role)} alone.")
    return results.qkvo, "Q, K, V and O", ("No two models have a correlation: that needs two models "
                                           "of at least 3 layers with curves of the same role.")


def paragraph(content):
    return f"<p>{content}</p>" if content else ""


def table(identity, caption, heads, rows, sortable=False):
    """`rows`: lists of (html, sort key or None); numeric columns have numeric keys."""
    body = []
    for row in rows:
        cells = []
        for cell, value in row:
            numeric = isinstance(value, (int, float))
            mark = ' class="n"' if numeric else ""
            cells.append(f"<td{mark}" + (f' data-key="{value!r}"' if numeric and sortable else "")
                         + f">{cell}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    kind = ' class="sortable"' if sortable else ""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table id="{identity}"{kind}>'
            f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
            "</table></div>")


def count_cell(value):
    return text.whole(value), int(value)


def overview(report):
    results = report.results
    failed = sum(status != "ok" for status in results.texts["status"])
    size = text.size(sum(int(b) for b in results.numbers["bytes"]))
    facts = [f"{text.plural(report.n, 'model')}, {size} of weights, {text.plural(len(results.roles), 'role')}."]
    if failed:
        facts.append(f'<strong>{text.plural(failed, "checkpoint")} could not be scanned</strong>: the reasons '
                     'are in <a href="#models">the table of models</a>.')
    if len(report.values):
        i, j, value = report.rows[0], report.columns[0], report.values[0]
        facts.append(f"The most similar pair is {report.name(i)} and {report.name(j)}: {text.number(value)}.")
    return f'<p class="lead">{" ".join(facts)}</p>{paragraph(report.measure_note)}'


def meaning(report):
    items = "".join(f"<li>{limit}</li>" for limit in LIMITS)
    return f'<section id="meaning"><h2>What a correlation does and does not show</h2><ul>{items}</ul></section>'


def pair_section(report):
    if not len(report.values):
        return ""
    results, total = report.results, len(report.values)
    rows = []
    for rank in range(min(total, MOST_PAIRS)):
        i, j, value = int(report.rows[rank]), int(report.columns[rank]), float(report.values[rank])
        depth = " / ".join(str(d) for d in dict.fromkeys(int(results.numbers["n_layers"][m]) for m in (i, j)))
        rows.append([(str(rank + 1), rank + 1), (report.name(i), None), (report.name(j), None),
                     (text.number(value), value), (depth, None), (claim(results, i, j), None)])
    caption = "All pairs, the most similar first" if total <= MOST_PAIRS else \
        f"The {text.whole(len(rows))} most similar of {text.plural(total, 'pair')}"
    pairs = table("pair-table", caption,
                  ["rank", "model", "model", "correlation", "layers", "claimed"], rows, sortable=True)
    figure, bins = curves.draw_histogram("histogram", report.values, text.plain(report.measure))
    counts = table("histogram-table", "Pairs by correlation", ["from", "to", "pairs"],
                   [[(text.number(a, 2), float(a)), (text.number(b, 2), float(b)), count_cell(c)]
                    for a, b, c in bins if c])
    return (f'<section id="pairs"><h2>Most similar pairs, beside all pairs</h2><p>Correlation of '
            f"{text.inline(report.measure)} curves. A pair stands out only as far as it stands apart from the "
            f'others.</p><div class="beside">{pairs}<figure>{figure}<figcaption>Distribution of all '
            f"{text.plural(total, 'pair')}</figcaption><details><summary>Counts as a table</summary>{counts}"
            "</details></figure></div></section>")


def claim(results, i, j):
    labels, parents, families = results.models, results.texts["parent"], results.texts["family"]
    if parents[j] == labels[i] or parents[i] == labels[j]:
        return "parent"
    if families[i] and families[j]:
        return "same family" if families[i] == families[j] else "other family"
    return "\u2013"


def maps(report):
    order = report.order
    if len(order) < 2 or not len(report.values):
        return ""
    left_out = report.n - len(order)
    note = f"{text.plural(left_out, 'model')} without values left out. " if left_out else ""
    if len(order) > similarity.MOST_ORDERED:
        note += "So many models stand in the order of the file; a pixel is the highest value of a block of pairs. "
    main = heat_map.draw("heat-main", f"Correlation of {text.plain(report.measure)}", report.matrix, order,
                         report.labels, report.n <= VALUES_IN_ONE_MAP)
    small = []
    for at, role in enumerate(role for _, _, roles in GROUPS for role in roles
                              if role in report.results.roles):
        matrix = report.results.correlation(role)
        if len(similarity.pairs(matrix)[2]):
            figure = heat_map.draw(f"heat-{at}", f"Correlation of {role}", matrix, order, report.labels,
                                   report.n <= VALUES_IN_ALL_MAPS, labels=False)
            small.append(f"<figure>{figure}<figcaption>{role}</figcaption></figure>")
    return (f'<section id="maps"><h2>Correlation of all pairs</h2><p>Rows and columns are the models in the '
            f"order of average linkage, which puts similar ones beside each other. {note}</p>{heat_map.scale_bar()}"
            f'<figure class="wide">{main}<figcaption>{text.inline(report.measure)}<output class="value" '
            f'aria-live="off"></output></figcaption></figure>{order_list(report)}{full_matrix(report)}'
            f'<h3>Role by role</h3><div class="grid-small">{"".join(small)}</div></section>')


def order_list(report):
    items = "".join(f"<li>{report.name(model)}</li>" for model in report.order)
    return f"<details><summary>Order of the rows</summary><ol>{items}</ol></details>"


def full_matrix(report):
    if len(report.order) > FULL_MATRIX:
        return ""
    rows = [[(report.name(i, 40), None)] + [(text.number(float(report.matrix[i, j]), 3), 0.0) for j in report.order]
            for i in report.order]
    return ("<details><summary>Values as a table</summary>"
            + table("matrix-table", "Correlation of all pairs", ["model"] + [str(j + 1) for j in report.order], rows)
            + "</details>")


def curve_section(report):
    parts = ['<section id="curves"><h2>Signatures: normalised curves over the layers</h2><p>For each model and '
             "role: the standard deviation of each layer, less the mean over the layers, divided by the "
             "deviation over the layers. The shape is what correlations compare.</p>"]
    if report.n > len(report.places):
        parts.append(f"<p>Drawn are {text.plural(len(report.places), 'model')} of {text.whole(report.n)}"
                     + (": those of the most similar pairs first" if len(report.places) == curves.MOST_DRAWN else "")
                     + "; the results file has all.</p>")
    if report.places:
        keys = "".join(curves.key(place, report.name(model)) for model, place in report.places.items())
        parts.append(f'<ul class="keys" aria-label="Lines of the models">{keys}</ul>')
    for identity, title, roles in GROUPS:
        parts.append(f'<h3 id="{identity}">{title}</h3><div class="grid-curves">')
        parts += [one_role(report, role) for role in roles if role in report.results.roles]
        missing = [role for role in roles if role not in report.results.roles]
        parts.append("</div>" + (f'<p class="note">In no model of this file: {", ".join(missing)}.</p>'
                                 if missing else ""))
    return "".join(parts) + "</section>"


def one_role(report, role):
    found, undefined = report.results.curves(role)
    drawn = [(model, values) for model, values in found if model in report.places]
    notes = [f"{text.plural(len(found) + undefined, 'model')} with this role"]
    if undefined:
        notes.append(f"{text.whole(undefined)} without a normalised curve (one layer, constant, or a value not finite)")
    caption = f"<strong>{role}</strong> \u00b7 {'; '.join(notes)}<output class=\"value\"></output>"
    if not drawn:
        return f'<figure class="empty"><figcaption>{caption}: nothing to draw.</figcaption></figure>'
    drawn.sort(key=lambda item: report.places[item[0]])
    identity = "curves-" + role.replace(".", "-")
    figure = curves.draw_curves(identity, role, drawn, report.names, report.places)
    rows = [[(report.name(model, 40), None), (" ".join(text.number(float(v), 2) for v in values), None)]
            for model, values in drawn]
    values = table(f"{identity}-table", f"Normalised curves of {role}", ["model", "layers, first to last"], rows)
    return (f"<figure>{figure}<figcaption>{caption}</figcaption><details><summary>Values as a table</summary>"
            f"{values}</details></figure>")


def model_section(report):
    results, rows = report.results, []
    texts, numbers = results.texts, results.numbers
    for i in range(report.n):
        other, value = report.nearest[i]
        state = text.inline(texts["status"][i])
        if texts["status"][i] != "ok":
            state = f'<strong>{state}</strong>: {text.inline(texts["message"][i], 500)}'
        rows.append([(str(i + 1), i + 1), (text.inline(results.models[i], 100), None), (text.inline(texts["architecture"][i], 80), None),
                     count_cell(numbers["n_layers"][i]), count_cell(numbers["parameters"][i]),
                     (text.size(numbers["bytes"][i]), int(numbers["bytes"][i])),
                     (text.size(numbers["unmapped_bytes"][i]), int(numbers["unmapped_bytes"][i])),
                     (text.inline(texts["family"][i], 80), None), (text.inline(texts["parent"][i], 80), None),
                     ("\u2013" if other is None else report.name(other, 40), None),
                     (text.number(value), -2.0 if other is None else value), (state, None)])
    heads = ["no.", "model", "architecture", "layers", "parameters", "size", "not mapped", "family (claimed)",
             "parent (claimed)", "most similar", "correlation", "status"]
    caption = f"All {text.plural(report.n, 'checkpoint')} of the scan" if report.n > 1 else "The checkpoint of the scan"
    return f'<section id="models"><h2>Models</h2>{table("model-table", caption, heads, rows, True)}</section>'


def provenance(report):
    results = report.results
    facts = [("Results file", text.inline(os.path.abspath(results.path), 500)), ("Its size", text.size(results.file_bytes)),
             ("Its SHA-256", f"<code>{results.digest}</code>"), ("Written", text.inline(results.created)),
             ("Written by", text.inline(results.generator)), ("Results schema", text.inline(results.schema_version)),
             ("This page by", f"llmfp-report {VERSION}"), ("Command", f"<code>{text.inline(report.command, 500)}</code>")]
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    texts, numbers = results.texts, results.numbers
    rows = [[(report.name(i), None), (text.inline(texts["path"][i], 300), None), (text.inline(texts["format"][i], 40), None),
             count_cell(numbers["bytes"][i]), (f'<code>{text.inline(texts["source_digest"][i], 32)}</code>', None)]
            for i in range(report.n)]
    files = table("file-table", "Where the checkpoints were read",
                  ["model", "path", "format", "bytes of tensors", "digest of sizes and headers"], rows)
    roles = [[(text.inline(role, 100), None), count_cell(n)]
             for role, n in list(zip(results.roles, results.models_per_role()))[:MOST_ROLES]]
    caption = f"Roles in the file, first {text.whole(len(roles))} of {text.whole(len(results.roles))}"
    return (f'<section id="provenance"><h2>Provenance</h2><dl>{items}</dl><details><summary>Checkpoints</summary>'
            f"{files}</details><details><summary>Roles</summary>{table('role-table', caption, ['role', 'models'], roles)}"
            "</details></section>")


def asset(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
        return file.read()


def render(results, command):
    """The whole page as text; the same for the same file and command."""
    report = Report(results, command)
    script = asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    title = f"Weight signatures of {text.plural(report.n, 'model')}"
    links = "".join(f'<a href="#{to}">{name}</a>' for to, name in (
        ("meaning", "Meaning"), ("pairs", "Pairs"), ("maps", "Maps"), ("curves", "Curves"),
        ("models", "Models"), ("provenance", "Provenance")) if to not in ("pairs", "maps") or len(report.values))
    sections = (overview, meaning, pair_section, maps, curve_section, model_section, provenance)
    body = "".join(section(report) for section in sections)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            f'<meta name="color-scheme" content="light dark"><style>{asset("page.css")}</style></head>\n'
            f'<body><header><h1>{title}</h1><nav aria-label="Sections">{links}</nav></header>\n<main>{body}</main>\n'
            f"<script>{script}</script></body></html>\n")
