"""What figures have in common: colours that all can tell apart, titles, legends beside the data.

They are matplotlib's, which is loaded when one is made.
"""

import io
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.pictures.texts import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart. Each has its own mark and
# line too, so that nothing depends on colour alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "^", "s", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")


def svg_of(figure: "Figure") -> str:
    """The figure as `savefig` writes it, which draws it twice."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text)  # type: ignore[no-untyped-call]
    return text.getvalue()


@cache
def _figure_class() -> type["Figure"]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install matplotlib") from None

    class ShownFigure(Figure):
        """A Figure that a notebook shows without pyplot."""

        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=100)
            return picture.getvalue()

    return ShownFigure


def new_figure(panels: int) -> "Figure":
    """A figure of so many panels side by side."""
    width = 7.2 if panels == 1 else 4.6 * panels
    figure = _figure_class()(figsize=(width, 4.2), layout="constrained")
    figure.subplots(1, panels)
    return figure


def plain(text: str) -> str:
    """A text of the data for matplotlib, which reads what stands between two dollars as maths.

    It leaves a name that begins with _ out of a legend: such a one stands in quotes.
    """
    shown = visible(text).replace("$", r"\$")
    return repr(shown) if shown.startswith("_") else shown


def _height_above(axes: "Axes") -> int:
    """The points that a legend above takes."""
    names, _ = axes.get_legend_handles_labels()
    return 14 + 15 * len(names)


def level_titles(figure: "Figure") -> None:
    """Puts the titles of panels side by side at one height, above the tallest legend."""
    pad = max(map(_height_above, figure.axes))
    for axes in figure.axes:
        axes.set_title(axes.get_title(), pad=pad)


ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
ASIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)}


def finish(axes: "Axes", title: str, across: str, up: str, legend: dict[str, Any] = ABOVE) -> None:
    """Titles, axes, and a legend that covers no data."""
    axes.set_title(title, pad=_height_above(axes) if legend is ABOVE else 6)
    axes.set(xlabel=across, ylabel=up)
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=6)  # so that numbers of five digits do not touch
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, **legend)
