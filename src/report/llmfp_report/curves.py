"""Figures drawn as SVG lines and bars: normalised curves of a role, histogram of all pairs."""
import numpy as np

from . import text

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 54, 18, 10, 38
COLOURS, DASHES = 8, ("", "6 3", "2 3", "8 3 2 3", "12 4")
MOST_DRAWN = COLOURS * len(DASHES)


def line_style(place):
    dash = DASHES[place // COLOURS % len(DASHES)]
    return f'class="line c{place % COLOURS}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def key(place, name):
    """One line of a legend."""
    return (f'<li><svg class="key" viewBox="0 0 30 8" aria-hidden="true"><path d="M0 4H30" '
            f'{line_style(place)}/></svg>{name}</li>')


def opening(identity, title, description, kind=""):
    return (f'<svg class="plot {kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-labelledby="{identity}-t {identity}-d"><title id="{identity}-t">{title}</title>'
            f'<desc id="{identity}-d">{description}</desc>')


def across(values, low, high):
    return LEFT + (WIDTH - LEFT - RIGHT) * (np.asarray(values, float) - low) / (high - low or 1)


def up(values, low, high):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (np.asarray(values, float) - low) / (high - low)


def horizontal_grid(ticks, low, high):
    parts = []
    for tick in ticks:
        y, label = float(up(tick, low, high)), text.whole(tick)
        # Letters are larger on phones.
        squeezed = f' textLength="{LEFT - 7}" lengthAdjust="spacingAndGlyphs"' if len(label) >= 6 else ""
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/><text x="{LEFT - 5}" '
                     f'y="{y + 4:.1f}" text-anchor="end"{squeezed}>{label}</text>')
    return "".join(parts)


def x_labels(pairs, caption):
    parts = [f'<text x="{x:.1f}" y="{HEIGHT - 20}" text-anchor="middle">{label}</text>'
             for x, label in pairs]
    return "".join(parts) + (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" '
                             f'text-anchor="middle">{caption}</text>')


def whole_ticks(low, high, most):
    step = next(s * 10 ** e for e in range(12) for s in (1, 2, 5) if (high - low) / (s * 10 ** e) <= most)
    return list(range(int(-(-low // step) * step), int(high) + 1, step))


def draw_curves(identity, role, drawn, names, places):
    """`drawn`: [(model, values)]. Curves of different depth are laid over relative depth."""
    depths = {len(values) for _, values in drawn}
    low = min(-1.0, *(float(values.min()) for _, values in drawn)) - 0.1
    high = max(1.0, *(float(values.max()) for _, values in drawn)) + 0.1
    same = len(depths) == 1
    last = max(depths) - 1
    span = f"{min(depths)} layers" if same else f"{min(depths)} to {max(depths)} layers"
    parts = [opening(identity, f"Normalised curves of {text.plain(role, 80)}",
                     f"{text.plural(len(drawn), 'curve')}, {span}; standard deviation of each layer, "
                     f"z-scored over the layers, from {text.number(low + .1, 2)} to "
                     f"{text.number(high - .1, 2)}. The values are in the table below.", "curves"),
             horizontal_grid(whole_ticks(low, high, 6), low, high)]
    if same:
        ticks = [(float(across(t, 0, last)), t) for t in whole_ticks(0, last, 8)]
    else:
        ticks = [(float(across(t, 0, 1)), f"{t:g}") for t in (0, .25, .5, .75, 1)]
    parts.append(x_labels(ticks, "layer" if same else "depth: 0 is the first layer, 1 the last"))
    for model, values in drawn:
        at = across(np.arange(len(values)), 0, max(len(values) - 1, 1))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at, up(values, low, high)))
        parts.append(f'<polyline {line_style(places[model])} points="{points}" data-low="{low:.4f}" '
                     f'data-high="{high:.4f}"><title>{names[model]}</title></polyline>')
    return "".join(parts) + "</svg>"


def draw_histogram(identity, values, caption):
    """Bars 0.05 wide from -1 to 1; returns the SVG and the rows (from, to, count)."""
    counts, edges = np.histogram(np.clip(values, -1, 1), bins=40, range=(-1, 1))
    rows = [(edges[i], edges[i + 1], int(c)) for i, c in enumerate(counts)]
    high = max(int(counts.max()), 1) * 1.05
    parts = [opening(identity, f"Distribution of all pairs: {caption}",
                     f"Histogram of {text.plural(len(values), 'pair')}; median "
                     f"{text.number(float(np.median(values)))}, highest {text.number(float(values.max()))}."
                     " The counts are in the table below."),
             horizontal_grid(whole_ticks(0, high, 5), 0, high),
             x_labels([(float(across(t, -1, 1)), text.number(t, 1)) for t in (-1, -.5, 0, .5, 1)],
                      "correlation")]
    for start, end, count in rows:
        if count:
            x, right, y = across(start, -1, 1), across(end, -1, 1), up(count, 0, high)
            parts.append(f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{right - x - 1:.1f}" '
                         f'height="{HEIGHT - BOTTOM - y:.1f}"><title>{text.number(start, 2)} to '
                         f'{text.number(end, 2)}: {text.plural(count, "pair")}</title></rect>')
    return "".join(parts) + "</svg>", rows
