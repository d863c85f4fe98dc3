"""A worksheet of a training step, and its answers: pages to print, made from the page of a step.

The numbers are those that the page itself holds. Nothing of it is believed before it is checked.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from engine.pictures.page.page import record_of
from engine.pictures.texts import short, visible
from nn.files import check_type, parse, reading

FORMAT, VERSION = "brickgrad steps", 1
MOST = 150  # blanks; of a larger net it asks for the first neuron of each layer alone
NARROW, WIDEST = 800, 1600  # pixels of a picture that fits on an upright page, and on a wide one
BLANK = '<span class="blank"></span>'
NUMBER = re.compile(r'<text ([^>]*class="(data|grad|partial)"[^>]*)>[^<]*</text>')
GIVEN = re.compile(r'<g class="node (?:parameter|input)".*?</g>', re.S)
FOREIGN = re.compile(  # what no picture of brickgrad's has: other tags, and scripts in attributes
    r"<(?!/?(?:svg|g|title|desc|rect|path|polygon|text)[ />])|[\s\"']on\w+\s*=", re.I
)
ROOM = {"data": (42, 11), "grad": (42, 11), "partial": (32, 9)}  # of a blank in a picture
PATH = re.compile(r"\b[a-z_]\w*(?:\.(?!grad\b)\w+)+", re.I)
STYLE = """\
@page { size: A4; margin: 15mm }
@page wide { size: A4 landscape; margin: 10mm }
@media screen { body { max-width: 180mm; margin: 10mm auto } }
body { font: 11pt/1.5 sans-serif; color: black; background: white }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 12pt; margin: 6mm 0 1mm }
h2, h2 + p { break-after: avoid }
p { margin: 1mm 0 }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: normal; font-size: 9pt }
td, th { border: .3mm solid black; padding: 1mm 2mm; overflow-wrap: break-word }
thead { display: table-header-group } tr { break-inside: avoid }
.blank { display: inline-block; min-width: 22mm; border-bottom: .4mm solid black; height: 1.1em }
.who { display: flex; gap: 8mm; margin: 3mm 0 } .who span { flex: 1; border-bottom: .3mm solid }
.number { white-space: nowrap; width: 24mm } .where { font-size: 9pt; width: 20mm }
.picture { filter: grayscale(1); margin-top: 6mm; break-inside: avoid }
.picture svg { max-width: 100%; height: auto }
.wide { page: wide; break-before: page; margin: 0 }
.wide svg { width: 100%; max-height: 180mm }
"""


def worksheet(path: str | Path) -> tuple[str, str]:
    """Two pages of HTML from the page of a step: one with blanks, one with the answers.

    Of a net with more than 150 numbers to fill in, it asks for the first neuron of each layer; what
    these need of the others is given. ValueError where that is still more, where the file is not
    the page of a step, or is of another version; OSError where it cannot be read.
    """
    with reading(path, "the page of a step") as text:
        try:
            record, picture = _parts(text)
            for is_part in (False, True):
                asked, answers = (_page(record, picture, is_part, show) for show in (_blank, _bold))
                if (count := asked.count(BLANK)) <= MOST:
                    return asked, answers
        except (KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"its record lacks {error}") from error
    raise ValueError(
        f"{path} has {count} numbers to fill in, more than {MOST}: watch a smaller net"
    )


def _parts(text: str) -> tuple[dict[str, Any], str]:
    """The record of a page, and its picture; "" where that shows several numbers as one."""
    record = parse(record_of(text))
    check_type("the record", record, dict)
    form = record.get("format"), record.get("version")
    if form != (FORMAT, VERSION):
        raise ValueError(
            f"expected {FORMAT!r} of version {VERSION}, got {form[0]!r:.40} of version "
            f"{form[1]!r:.40}: write the page again"
        )
    for part in ("nodes", "edges", "events"):
        check_type(part, record[part], list)
        for entry in record[part]:
            check_type(f"an entry of {part}", entry, dict)
    counts = {"node": "nodes", "from": "nodes", "to": "nodes", "edge": "edges"}
    for event in record["events"]:
        for key, part in counts.items():
            if key in event and event[key] not in range(len(record[part])):
                raise ValueError(f"an event is about {key} {event[key]!r:.40}, which is not there")
    picture = record["picture"] if record.get("shown") is None else ""
    check_type("picture", picture, str)
    is_fit = _width(picture) <= WIDEST and not FOREIGN.search(picture)
    return record, picture if is_fit else ""


def _width(svg: str) -> float:
    found = re.search(r'<svg [^>]*width="(\d+)"', svg)
    return float(found[1]) if found else WIDEST + 1


def _events(record: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in record["events"] if event["kind"] == kind]


def _asked(record: Mapping[str, Any], is_part: bool) -> set[int]:
    """The nodes that are asked for: all, or those in no neuron and in the first of each layer."""
    groups = [tuple(node["group"]) for node in record["nodes"]]
    if not is_part:
        return set(range(len(groups)))
    first: dict[tuple[str, ...], str] = {}
    for *outer, neuron in (group for group in groups if len(group) > 1):
        layer = tuple(outer)
        first[layer] = min(first.get(layer, neuron), neuron, key=_natural)
    return {n for n, group in enumerate(groups) if len(group) < 2 or first[group[:-1]] == group[-1]}


def _natural(text: str) -> list[int | str]:
    """How texts with numbers are put in order: neuron 2 before neuron 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


# --- a page ---------------------------------------------------------------------------------------

Show = Callable[[float | str], str]
Row = tuple[str, Sequence[str]]  # the box where it happens, and its cells
Section = tuple[str, str, Sequence[str], Sequence[Row]]  # heading, words, titles of the columns


def _page(record: Mapping[str, Any], picture: str, is_part: bool, show: Show) -> str:
    """The whole page, with what shows the numbers that are asked for, or blanks."""
    answers = show is _bold
    title = _text(record["title"] if answers else record["title"].rpartition(": ")[0])
    what = "Answers" if answers else "Worksheet"
    who = "" if answers else '<div class="who"><span>Name:</span><span>Date:</span></div>'
    sections = "".join(
        f"<h2>{n}. {heading}</h2><p>{words}</p>{_table(titles, rows)}"
        for n, (heading, words, titles, rows) in enumerate(_sections(record, is_part, show), 1)
    )
    wide = " wide" * (_width(picture) > NARROW)
    drawn = f'<div class="picture{wide}">{picture if answers else _blanked(picture)}</div>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{what}: {title}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{what}: one step, number by number</h1><p>{title}</p>{who}"
        f"<p>Round to four digits.</p>{sections}{drawn * bool(picture)}</main></body></html>\n"
    )


def _sections(record: Mapping[str, Any], is_part: bool, show: Show) -> Iterator[Section]:
    """The tables of a page: what is given, forward, backward, the update, the loss after it."""
    nodes, edges = record["nodes"], record["edges"]
    names = {node["label"]: node["name"] for node in nodes}
    where = [", ".join(node["group"]) for node in nodes]

    def told(text: str) -> str:
        """A text with short names of the parameters: each table says whose they are."""
        return _text(PATH.sub(lambda name: names.get(name[0], name[0]), text))

    asked, shares = _asked(record, is_part), _events(record, "backward")
    used = {share["to"] for share in shares if share["from"] in asked}
    given = [
        n
        for n, node in enumerate(nodes)
        if (n in asked and node["kind"] in ("input", "parameter"))
        or (n in used - asked and node["kind"] == "operation")
    ]
    rows = [(where[n], [told(nodes[n]["label"]), _plain(nodes[n]["data"])]) for n in given]
    rows.sort(key=lambda row: _natural(row[0]))
    words = "The inputs, and the weights before the step."
    if is_part:
        words += " Only the first neuron of each layer is asked for; the others gave what is here."
    yield "Given", words, ("name", "number"), rows

    rows = [
        (
            where[e["node"]],
            [told(nodes[e["node"]]["label"]), told(_how(e["text"], names)), show(e["data"])],
        )
        for e in _events(record, "forward")
        if e["node"] in asked
    ]
    words = "Compute each number from those above it. The last one is the loss."
    yield "Forward", words, ("name", "how", "number"), rows

    met = Counter(share["to"] for share in shares)
    rows = []
    for share in shares:
        if share["to"] not in asked or (is_part and nodes[share["to"]]["kind"] == "input"):
            continue
        blame, _, rest = share["text"].partition(" += ")
        slope = edges[share["edge"]]["partial_text"].rpartition(" = ")[2]
        put = show if share["from"] in asked else _plain
        cells = [
            told(blame),
            told(rest.partition(" * ")[0]),
            told(slope) + (f" = {put(share['partial'])}" if slope not in ("1", "-1") else ""),
            put(share["contribution"]),
            show(share["new"]) if met[share["to"]] > 1 else "",
        ]
        rows.append((where[share["from"]], cells))
    words = (
        "The loss L has the blame 1. A share is the blame from above, times the slope of the "
        "brick. Where paths meet, add: the last column has the sum so far."
    )
    titles = ("blame", "from above", "slope of the brick", "share", "sum")
    yield "Backward", words, titles, rows

    updates = [event for event in _events(record, "update") if event["node"] in asked]
    if updates:
        rows = [
            (
                where[e["node"]],
                [told(nodes[e["node"]]["label"]), told(_update(e)), show(e["after"])],
            )
            for e in updates
        ]
        words = "The gradient of a weight is its share, or the sum of its shares."
        yield "Update", words, ("name", "how", "new number"), rows
    if updates and not is_part:
        last = record["events"][-1]
        words = "Say first: does it go up or down? Then go forward again with the new weights."
        losses = [("", [show(last["loss_before"]), show(last["loss_after"])])]
        yield "The loss", words, ("before the step", "after it"), losses


def _plain(x: float | str) -> str:
    return short(float(x))


def _bold(x: float | str) -> str:
    return f"<b>{_plain(x)}</b>"


def _blank(x: float | str) -> str:
    return BLANK


def _text(text: str) -> str:
    return escape(visible(text))


def _how(text: str, names: Container[str]) -> str:
    """How a number is computed, in names: the middle of "sum = w + b = 1 + 2 = 3"."""
    _, *middle, _ = text.split(" = ")
    return " = ".join(middle if len(middle) == 1 or middle[-1] in names else middle[:-1])


def _update(event: Mapping[str, Any]) -> str:
    """How a weight moves: in words for plain descent, else in the numbers of the optimiser."""
    told = str(event["text"]).rpartition(" = ")[0]
    found = re.search(r" = (\S+) - (\S+) \* \S+$", told)
    if event["rule"] == "p - lr * gradient" and found:
        return f"{found[1]} - {found[2]} * gradient"
    return told


def _table(titles: Sequence[str], rows: Sequence[Row]) -> str:
    """A table; the first column says in which box, where that is another than above."""
    boxes = [where for where, _ in rows]
    lines = [[_cell(cell) for cell in cells] for _, cells in rows]
    head = [f"<th>{title}</th>" for title in titles]
    if any(boxes):
        head.insert(0, "<th>where</th>")
        for line, where, former in zip(lines, boxes, [None, *boxes], strict=False):
            line.insert(0, f'<td class="where">{_text(where) if where != former else ""}</td>')
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    return f"<table><thead><tr>{''.join(head)}</tr></thead><tbody>{body}</tbody></table>"


def _cell(html: str) -> str:
    start = '<td class="number">' if html.startswith(("<b>", BLANK)) else "<td>"
    return f"{start}{html}</td>"


def _blanked(svg: str) -> str:
    """A picture without the numbers that are asked for, also in its hidden texts."""
    shown = re.sub(r"<(title|desc)>.*?</\1>", "", svg, flags=re.S)
    kept = GIVEN.sub(lambda card: card[0].replace(' class="data"', ""), shown)
    title = "<title>Picture of the step, with boxes to fill in</title>"
    return NUMBER.sub(_box, kept).replace(">", f">{title}", 1)


def _box(number: re.Match[str]) -> str:
    """An empty box where a number stood."""
    width, height = ROOM[number[2]]
    at = dict(re.findall(r'(x|y|text-anchor)="([^"]*)"', number[1]))
    x = float(at["x"]) - width * {"middle": 0.5, "end": 1.0}.get(at.get("text-anchor", ""), 0.0)
    y = float(at["y"]) - height + 2
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height}" '
        'fill="white" stroke="black" stroke-width="0.6"/>'
    )
