"""Writes HTML pages that load nothing from elsewhere: that of steps, and what all share."""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from engine.files import write
from engine.pictures.texts import visible

HERE = Path(__file__).parent
STYLES = "base.css", "player.css"
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
    parts = {
        "title": escape(visible(content["title"])),
        "still": still,
        "transcript": escape(transcript),
        "steps": packed(json.dumps({**content, "picture": svg}, separators=(",", ":"))),
    }
    style = "\n".join(map(text_of, STYLES))
    script = "\n".join([*map(text_of, SCRIPTS[:-1]), rows, text_of(SCRIPTS[-1])])
    return assembled(text_of("template.html"), style, script, parts)


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


def assembled(template: str, style: str, script: str, parts: Mapping[str, str]) -> str:
    """A template filled with its parts, its style, its script and the policy that allows these.

    The parts are HTML already. The policy knows style and script by their hashes, and allows no
    request.

    >>> assembled("<p>{{told}}</p><style>{{style}}</style>", "p {}", "", {"told": "a &lt; b"})
    '<p>a &lt; b</p><style>p {}</style>'
    """
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    known = {**parts, "policy": policy, "style": style, "script": script}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: known[match[1]], template)


def in_script(content: Any) -> str:
    """Plain data as JSON that can stand inside of a script: no text of it ends that."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def saved(html: str, path: str | PathLike[str]) -> Path:
    """Writes a page, whole or not at all; ValueError unless the name ends in .html."""
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise ValueError(f"save expected a name ending in .html, got {path.name!r}")
    write(path, html)
    return path


def frame(html: str, title: str, style: str) -> str:
    """A page inside of another, such as a notebook, where its scripts reach nothing else."""
    return (
        f'<iframe title="{escape(title)}" sandbox="allow-scripts" style="{style}" '
        f'srcdoc="{escape(html)}"></iframe>'
    )


def text_of(name: str) -> str:
    """A file of this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
