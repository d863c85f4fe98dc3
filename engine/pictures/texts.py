"""Texts that are shown: numbers in few digits, counts, and names cut to what can be read."""

from collections.abc import Iterable
from itertools import groupby
from unicodedata import bidirectional

LONGEST = 32  # characters of a title that are shown
WRITTEN_OUT = 4  # texts that are alike and side by side; more of them are counted


def visible(text: str) -> str:
    """The text with control characters as their pictures: XML cannot hold them.

    >>> visible("a\\0b")
    'a\u2400b'
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    no_text = 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE
    return "\ufffd" if no_text else char


def number(x: float) -> str:
    """A number of a card.

    >>> number(0.5), number(-1234567.0), number(1e-7)
    ('0.5000', '-1.23e+06', '1.00e-07')
    """
    return f"{x:.4f}" if x == 0 or 1e-4 <= abs(x) < 1e5 else f"{x:.2e}"


def short(x: float) -> str:
    """A partial or a constant.

    >>> short(1.0), short(0.123456)
    ('1', '0.1235')
    """
    return f"{x:.4g}"


def many(count: int, noun: str) -> str:
    """A count with its noun.

    >>> many(1, "input"), many(1200, "input")
    ('1 input', '1,200 inputs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def clipped(text: str, longest: int = LONGEST) -> str:
    """The start of a long text; the tooltip has all of it."""
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"


def isolated(text: str) -> str:
    """A name in a sentence: one that runs from right to left leaves the words around it in place.

    >>> ascii(isolated("w")), ascii(isolated("\u05d0"))
    ("'w'", "'\\\\u2068\\\\u05d0\\\\u2069'")
    """
    runs_left = any(bidirectional(c) in ("R", "AL") for c in text)
    return f"\u2068{text}\u2069" if runs_left else text


def in_runs(texts: Iterable[str]) -> str:
    """Texts in a row; those that are alike and side by side are counted where they are many.

    >>> in_runs("abbbbb")
    'a, 5 x b'
    """
    runs = [(text, len(list(run))) for text, run in groupby(texts)]
    return ", ".join(
        ", ".join([text] * n) if n <= WRITTEN_OUT else f"{n} x {text}" for text, n in runs
    )
