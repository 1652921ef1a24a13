"""A matrix of correlations as one small indexed PNG within an SVG.

One pixel a pair: some 150 kB for 500 models, where rectangles would take 20 MB.
"""
import base64
import html
import struct
import unicodedata
import zlib

import numpy as np

from . import text

LEVELS = 41
MOST_PIXELS = 1000
MOST_LABELS = 40
# Blue, white, orange-red: also told apart by those who do not see red or green.
STOPS = [(-1.0, (33, 102, 172)), (0.0, (247, 247, 247)), (0.5, (253, 196, 140)), (0.8, (224, 100, 60)),
         (1.0, (110, 0, 30))]
NO_VALUE = (128, 128, 128)


def colour(value):
    places = [place for place, _ in STOPS]
    return tuple(int(round(np.interp(value, places, [rgb[i] for _, rgb in STOPS]))) for i in range(3))


PALETTE = [colour(value) for value in np.linspace(-1, 1, LEVELS)] + [NO_VALUE]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(matrix):
    levels = np.rint((np.clip(np.nan_to_num(matrix), -1, 1) + 1) / 2 * (LEVELS - 1)).astype(np.uint8)
    levels[~np.isfinite(matrix)] = LEVELS
    height, width = levels.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = levels
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", bytes(part for rgb in PALETTE for part in rgb))
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


def shrink(matrix):
    """The highest value of each block of pairs, when there are more pairs than pixels."""
    step = -(-len(matrix) // MOST_PIXELS)
    if step <= 1:
        return matrix, 1
    starts = np.arange(0, len(matrix), step)
    filled = np.where(np.isfinite(matrix), matrix, -np.inf)
    filled = np.maximum.reduceat(np.maximum.reduceat(filled, starts, axis=0), starts, axis=1)
    return np.where(filled > -np.inf, filled, np.nan), step


def draw(identity, title, matrix, order, names, values_too, labels=True):
    """`order`: models in the order of the rows. With `values_too` the page's script can show
    each value: hundredths from -1, one byte each, 255 where there is none."""
    shown, step = shrink(matrix[np.ix_(order, order)])
    n = len(shown)
    labelled = labels and len(order) <= MOST_LABELS
    margin = 150 if labelled else 0
    side, extra = 400, ""
    if values_too and step == 1:
        hundredths = np.rint((np.clip(np.nan_to_num(shown), -1, 1) + 1) * 100).astype(np.uint8)
        hundredths[~np.isfinite(shown)] = 255
        extra = (f' data-values="{base64.b64encode(hundredths.tobytes()).decode()}"'
                 f' data-order="{" ".join(str(model + 1) for model in order)}" data-left="{margin}"')
    parts = [f'<svg class="heat{" coarse" if n <= 100 else ""}" viewBox="0 0 {side + margin} {side}" role="img" '
             f'aria-labelledby="{identity}-t {identity}-d"{extra}><title id="{identity}-t">{title}</title>'
             f'<desc id="{identity}-d">{describe(matrix, order)}</desc>'
             f'<image x="{margin}" y="0" width="{side}" height="{side}" preserveAspectRatio="none" '
             f'href="data:image/png;base64,{base64.b64encode(png(shown)).decode()}"/>']
    if labelled:
        pitch = side / n
        font = min(11.0, pitch * 0.9)
        parts += [f'<text x="{margin - 4}" y="{pitch * (row + .5) + font / 3:.1f}" text-anchor="end" '
                  f'style="font-size:{font:.1f}px"{squeezed(names[model], font, margin - 8)}>{names[model]}</text>'
                  for row, model in enumerate(order)]
    return "".join(parts) + "</svg>"


def squeezed(label, font, room):
    """The attributes that keep a label of wide letters within its room, where it may need them."""
    letters = html.unescape(label)
    most = sum(font * (1.0 if unicodedata.east_asian_width(c) in "WFA" or c in "MW@%\u2026" else 0.75) for c in letters)
    narrow = most <= room or not any(c in "MW@%" or unicodedata.east_asian_width(c) in "WF" for c in letters)
    return "" if narrow else f' textLength="{room}" lengthAdjust="spacingAndGlyphs"'


def describe(matrix, order):
    inside = matrix[np.ix_(order, order)]
    values = inside[np.triu_indices(len(order), 1)]
    values = values[np.isfinite(values)]
    if not len(values):
        return "No pair has a value."
    return (f"Matrix of {text.plural(len(order), 'model')} by themselves; {text.plural(len(values), 'pair')} "
            f"from {text.number(float(values.min()))} to {text.number(float(values.max()))}, median "
            f"{text.number(float(np.median(values)))}. Similar models stand beside each other.")


def scale_bar():
    stops = ", ".join("rgb({},{},{}) {:.0f}%".format(*PALETTE[i], 100 * i / (LEVELS - 1))
                      for i in range(0, LEVELS, 4))
    return (f'<p class="scale">\u22121 <span style="background:linear-gradient(90deg,{stops})"></span> 1; '
            'grey: no value</p>')
