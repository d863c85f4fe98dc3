"""Writes steps and their picture as one HTML page that loads nothing from elsewhere."""

import base64
import hashlib
import json
import re
import zlib
from html import escape
from pathlib import Path

from engine.pictures.texts import visible

HERE = Path(__file__).parent
# builders before users
ORDER = "inflate numbers words state live pack parts plan view stage panels run bench player"
SCRIPTS = tuple(f"{name}.js" for name in ORDER.split())
RECORD = re.compile(r'<script type="text/plain" id="steps">(.*?)</script>', re.S)
RAW = -15  # deflated without the frame of zlib
MOST = 100_000_000  # bytes of a record


def page(steps: str, svg: str, still: str = "", transcript: str = "", rows: str = "") -> str:
    """The page of a `Steps` as JSON text and of its whole picture, both with the final values.

    `rows` is the script of `javascript.rows`, with which the page computes a step again.

    Without scripts it shows `still`, a picture that may show several numbers as one, and the
    transcript; all else is packed, see `record_of`. Its content security policy allows the
    page's own style and script, known by their hashes, and no request. ValueError for a text that
    is not JSON.

    >>> page('{"title": "a < b", "nodes": [], "edges": [], "events": []}', "<svg></svg>")[:15]
    '<!doctype html>'
    """
    content = json.loads(steps)
    style = _text("player.css")
    script = "\n".join([*map(_text, SCRIPTS[:-1]), rows, _text(SCRIPTS[-1])])
    parts = {
        "title": escape(visible(content["title"])),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}",
        "style": style,
        "still": still,
        "transcript": escape(transcript),
        "steps": packed(json.dumps({**content, "picture": svg}, separators=(",", ":"))),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _text("template.html"))


def record_of(html: str) -> str:
    """What a page shows, as JSON text: its `steps`, and below `picture` the SVG.

    ValueError for a text that is no page, has a spoilt record, or one of more than 100 MB.

    >>> record_of(page('{"title": "a", "nodes": []}', "<svg></svg>"))
    '{"title":"a","nodes":[],"picture":"<svg></svg>"}'
    """
    found = RECORD.search(html)
    if not found:
        raise ValueError("it has no record of one")
    inflate = zlib.decompressobj(wbits=RAW)
    try:
        text = inflate.decompress(base64.b64decode(found[1], validate=True), MOST)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"its record cannot be unpacked: {error}") from error
    if not inflate.eof:
        raise ValueError(f"its record is cut off, or has more than {MOST:,} bytes")
    return text.decode()


def packed(text: str) -> str:
    """A text as `record_of` and `inflate.js` unpack it: deflated, and that in base64."""
    deflate = zlib.compressobj(level=9, wbits=RAW)
    return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()).decode()


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
