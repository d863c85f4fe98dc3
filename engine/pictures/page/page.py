"""Writes steps and their picture as one HTML page that loads nothing from elsewhere."""

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path

from engine.pictures.texts import visible

HERE = Path(__file__).parent
# builders before users
ORDER = "numbers words state live pack parts plan view stage panels run bench player"
SCRIPTS = tuple(f"{name}.js" for name in ORDER.split())


def page(steps: str, svg: str, transcript: str = "", rows: str = "") -> str:
    """The page of a `Steps` as JSON text and of its whole picture, both with the final values.

    `rows` is the script of `javascript.rows`, with which the page computes a step again.

    Without scripts it shows the picture and the transcript. Its content security policy allows the
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
        "svg": svg,
        "transcript": escape(transcript),
        "steps": json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _text("template.html"))


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
