"""A graph of Values as a picture: in a notebook, or as SVG, PNG, PDF or DOT."""

import re
import shutil
import subprocess
import sysconfig
from base64 import b64encode
from collections.abc import Callable
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from engine.files import write
from engine.pictures.drawing.digraph import digraph
from engine.pictures.drawing.looks import DIRECTIONS
from engine.pictures.drawing.outline import Names
from engine.pictures.drawing.picture import Picture, picture
from engine.pictures.drawing.svg import svg
from engine.value import Value

if TYPE_CHECKING:
    from graphviz import Digraph

TIMEOUT = 10.0  # seconds that Graphviz may take
LEGIBLE = 0.75  # of its size, to which a notebook may shrink a picture; from there on it scrolls


def draw(
    root: Value,
    names: Names | None = None,
    *,
    direction: str = "LR",
    expand: bool = False,
    max_nodes: int = 60,
) -> "Drawing":
    """What `root` was computed from, as a picture; a notebook shows it.

    `names` says what the parameters are called: a model, a mapping, or pairs such as its
    `named_parameters()`. Dotted names ("layers.0.neurons.2.w.1") put them and what is computed from
    them into boxes. `direction` is where the edges run: "LR", "TB", "RL" or "BT". `expand=True`
    shows a `dot` as its products and their sum. A constant 0 that a `dot` starts from is left out.
    Of a graph that takes more than `max_nodes` nodes, neurons are collapsed, then layers, then
    operations that are alike, then the middle.

    >>> a = Value(3.0, label="a")
    >>> loss = a * a
    >>> loss.backward()
    >>> print(draw(loss))
    value: data 9.0000, grad 1.0000
    1 input, 1 operation
    """
    if not isinstance(root, Value):
        raise TypeError(f"draw expected a Value, such as a loss, got {type(root).__name__}")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction expected one of {', '.join(DIRECTIONS)}, got {direction!r}")
    if not isinstance(max_nodes, int) or max_nodes < 2:
        raise ValueError(f"max_nodes expected a whole number, at least 2, got {max_nodes!r}")
    return Drawing(picture(root, names, expand, max_nodes), direction)


class Drawing:
    """A picture of the numbers as they were when `draw` was called."""

    def __init__(self, picture: Picture, direction: str) -> None:
        self.picture = picture
        self.direction = direction

    @cached_property
    def svg(self) -> str:
        """By our own layout: the same picture wherever it is drawn."""
        return svg(self.picture, self.direction)

    @property
    def dot(self) -> "Digraph":
        """A new `graphviz.Digraph`."""
        return digraph(self.picture, self.direction)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the SVG in pixels."""
        found = re.findall(r' (?:width|height)="([\d.]+)', self.svg.partition(">")[0])
        width, height = map(round, map(float, found))
        return width, height

    def save(self, path: str | Path) -> Path:
        """Writes a file of the kind its ending says: .svg, .gv, .png, .pdf.

        The file is whole, or as it was before; OSError names it where it cannot be written.
        RuntimeError where .png or .pdf needs a Graphviz that is not there; ValueError for any
        other ending.
        """
        path = Path(path)
        rendered = WRITERS.get(path.suffix.lower())
        if rendered is None:
            endings = ", ".join(WRITERS)
            raise ValueError(f"save expected a name ending in {endings}, got {path.name!r}")
        write(path, rendered(self))
        return path

    def __repr__(self) -> str:
        return self.picture.text

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """An image as wide as the cell of a notebook, as long as its letters can be read."""
        told = escape(repr(self).partition("\n")[0])
        least = round(LEGIBLE * self.size[0])
        source = b64encode(self.svg.encode()).decode()
        return (
            f'<img alt="{told}" style="max-width:max(100%,{least}px);height:auto" '
            f'src="data:image/svg+xml;base64,{source}">'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {
            "text/html": self._repr_html_(),
            "image/svg+xml": self.svg,
            "text/plain": repr(self),
        }


def programs() -> list[str]:
    """What can draw DOT here: Graphviz itself, then the wheel `graphviz-pure`."""
    scripts = sysconfig.get_path("scripts")
    found = [shutil.which("dot"), shutil.which("graphviz-pure", path=scripts)]
    return [program for program in (*found, shutil.which("graphviz-pure")) if program]


def render(program: str, form: str, source: str) -> bytes:
    """The picture that a program makes of DOT; `subprocess`'s errors."""
    command = [program, f"-T{form}"]
    done = subprocess.run(
        command, input=source.encode(), capture_output=True, timeout=TIMEOUT, check=True
    )
    return done.stdout


def _by_graphviz(form: str, drawing: Drawing) -> bytes:
    failures = []
    for program in programs():
        try:
            return render(program, form, drawing.dot.source)
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(f"\n{error}")
    raise RuntimeError(
        f".{form} needs Graphviz: install it (apt install graphviz, brew install graphviz, "
        f"or graphviz.org) or save as .svg{''.join(failures)}"
    )


WRITERS: dict[str, Callable[[Drawing], bytes]] = {
    ".svg": lambda drawing: drawing.svg.encode(),
    ".gv": lambda drawing: str(drawing.dot.source).encode(),
    ".png": partial(_by_graphviz, "png"),
    ".pdf": partial(_by_graphviz, "pdf"),
}
