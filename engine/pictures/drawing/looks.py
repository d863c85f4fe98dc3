"""What a drawing looks like: colours, sizes, the look of each kind of node, and the legend."""

from dataclasses import dataclass

from engine.pictures.drawing.picture import Kind, Picture
from engine.pictures.drawing.places import Padding

FONT = "Helvetica"
INK, GREY, LINE, VIOLET = "#1f2937", "#5f6775", "#94a3b8", "#6d28d9"
FRAME, PAPER, SHADE = "#cbd5e1", "#f8fafc", "#e2e8f0"


@dataclass(frozen=True, slots=True)
class Look:
    """What a kind of node looks like; outline, dash and weight differ, not the colour alone."""

    fill: str
    stroke: str
    width: float
    radius: float
    dash: str = ""
    double: bool = False
    shape: str = "box"  # in DOT


LOOKS: dict[Kind, Look] = {
    "parameter": Look("#eef2ff", "#4f46e5", 1.8, 0),
    "input": Look("#ecfdf5", "#047857", 1.2, 14, dash="4 2"),
    "value": Look("#ffffff", "#64748b", 1, 5),
    "root": Look("#fff1f2", "#be123c", 2.4, 5, double=True),
    "summary": Look(PAPER, "#334155", 1.2, 5, shape="box3d"),
    "constant": Look("none", "none", 0, 0, shape="plain"),
}
DARK = {  # each colour of a picture, and what it is where the reader has set dark ones
    **{"white": "#14171d", "#ffffff": "#14171d", PAPER: "#1a1f27", SHADE: "#323947"},
    **{INK: "#e8ebf0", GREY: "#a3adbd", LINE: "#7d889b", VIOLET: "#c4b5fd", FRAME: "#3f4858"},
    **{"#eef2ff": "#20244a", "#4f46e5": "#a5b4fc", "#ecfdf5": "#0f2e26", "#047857": "#34d399"},
    **{"#64748b": "#94a3b8", "#fff1f2": "#3a1620", "#be123c": "#fb7185", "#334155": "#cbd5e1"},
}
LEGEND: dict[Kind, str] = {
    "parameter": "parameter",
    "input": "input",
    "value": "computed",
    "root": "result",
    "summary": "several in one",
}
EDGES = (  # whether the text of an edge is a count, such a text, and what it says
    (False, "0.5", "slope of the operation for this operand"),
    (True, "2\u00d7", "so many arrows in one"),
)
WORDS = {  # what stands in pictures and needs a word of explanation
    "dot": "dot: x1 * y1 + x2 * y2 + ... (+ bias)",
    "logsumexp": "logsumexp: log(exp(x1) + exp(x2) + ...)",
    "sum|grad|": "sum|grad|: the sizes of all gradients inside, added",
}


# the box's padding (before, after, above, below) leaves room for its title on the page's top side
PADDING = {
    "LR": Padding(above=19),
    "TB": Padding(before=19),
    "RL": Padding(above=19),
    "BT": Padding(after=19),
}
DIRECTIONS = tuple(PADDING)
UPRIGHT = ("TB", "BT")


# widths of the characters from " " to "~" in Helvetica, in thousandths of the font's size
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 "
    "556 556 556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 "
    "556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 "
    "556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 "
    "500 500 500 334 260 334 584"
)
WIDTHS = [int(width) / 1000 for width in _WIDTHS.split()]
TITLE, TEXT, SMALL, SIGN = 11.0, 10.0, 9.0, 14.0  # sizes of fonts; SIGN is for + - *
ROW = 13.0
PORT = 14.0  # between the entries of an operation
CIRCLE = 26.0
LEGEND_ROW = 16.0
STEM = 7.0  # from an operation to its value
MARGIN = 14.0
# the room for a number does not depend on the number, so that nothing moves when numbers change
NUMBER = "-12345.6789"  # of a card
SLOPE = "-0.01234"  # of an edge, or a constant; longer ones are set narrower
CROWD = 150  # edges; more are drawn thinner


def width_of(text: str, size: float) -> float:
    """The width of a text; characters beyond ASCII count as wide ones."""
    return size * sum(WIDTHS[ord(c) - 32] if " " <= c <= "~" else 1.0 for c in text)


def is_count(text: str) -> bool:
    """Whether the text of an edge says how many arrows are in one."""
    return text.endswith("\u00d7")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the legend: what it is about (a kind of node, or an edge's text) and its words."""

    words: str
    kind: Kind | None = None
    sample: str = ""


def entries(picture: Picture) -> list[Entry]:
    """What the legend of this picture explains: nothing where a single number stands alone."""
    if len(picture.nodes) == 1:
        return []
    kinds = dict.fromkeys(node.kind for node in picture.nodes)
    counts = {is_count(edge.text) for edge in picture.edges if edge.text}
    shown = {text for node in picture.nodes for text in (node.op, *(key for key, _ in node.rows))}
    return [
        *(Entry(LEGEND[kind], kind) for kind in kinds if kind in LEGEND),
        *(Entry(words, sample=text) for count, text, words in EDGES if count in counts),
        *(Entry(words) for word, words in WORDS.items() if word in shown),
    ]
