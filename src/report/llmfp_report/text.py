"""Text of unknown origin made safe for HTML and SVG, and numbers made readable.

Labels, paths and messages come from checkpoints and manifests: they may hold markup, control
characters, characters that XML forbids, and marks that turn the direction of what follows.
"""
import html
import math
import unicodedata

LONGEST = 200
# Marks that reorder or hide text outside themselves, and line separators.
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text, longest=LONGEST):
    """`text` with invisible characters spelled out, and its middle left out when it is long."""
    if text.isspace():  # or nobody would see it
        return "".join(f"\\u{{{ord(character):x}}}" for character in shorten(text, longest // 8))
    spelled = "".join(spell(character) for character in shorten(text, longest))
    return shorten(spelled, longest)


def shorten(text, longest):
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[:longest - tail - 1]}\u2026{text[-tail:]}"


def spell(character):
    code = ord(character)
    if unicodedata.category(character) in HIDDEN or code & 0xFFFE == 0xFFFE:
        return f"\\u{{{code:x}}}"
    return character


def plain(text, longest=LONGEST):
    """For attributes, titles and SVG text: isolated, so that its direction stays inside."""
    return "\u2068" + html.escape(visible(text, longest)) + "\u2069"


def inline(text, longest=LONGEST):
    """For HTML text."""
    return f"<bdi>{html.escape(visible(text, longest))}</bdi>"


def number(value, digits=4):
    return "\u2013" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "\u2212")


def whole(value):
    return f"{int(value):,}".replace(",", "\u202f").replace("-", "\u2212")


def size(n_bytes):
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def plural(count, noun):
    return f"{whole(count)} {noun}" + ("" if count == 1 else "s")
