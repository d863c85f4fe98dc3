"""What is said of an exercise: text in a terminal, HTML in a notebook with hints folded away."""

from dataclasses import dataclass
from html import escape

from engine.pictures.texts import visible
from nn.exercises.table import EXERCISES

RIGHT, WRONG, OPEN, HELP = "right", "not yet", "not filled in yet", "help"
COLOURS = {  # of the bar at its side, from JupyterLab's theme where there is one
    RIGHT: "var(--jp-success-color1, #2e7d32)",
    WRONG: "var(--jp-warn-color1, #c77700)",
}
GREY = "var(--jp-border-color1, #888)"


@dataclass(frozen=True, repr=False)
class Reply:
    """What is said of an exercise: text in a terminal, HTML in a notebook.

    `verdict` is "right", "not yet", "not filled in yet" or "help".
    """

    name: str
    verdict: str
    lines: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    solution: str = ""
    shows_solution: bool = False  # it was asked for

    def __repr__(self) -> str:
        first, *others = self.lines or ("",)
        more = [*others, *self._numbered()]
        if self.shows_solution:
            more += ["the solution:", *(f"  {line}" for line in self.solution.splitlines())]
        elif self.solution:
            more.append(f'solution("{self.name}") shows a solution')
        head = ": ".join(filter(None, (f"{self.name} {self.verdict}", first)))
        return "\n".join([head, *(f"  {line}" for line in more)])

    def _repr_html_(self) -> str:
        """The same; further hints and the solution are folded away, one inside the other."""
        first, *others = self.lines or ("",)
        head = f"<b>{self.name} {self.verdict}</b>" + (f": {_shown(first)}" if first else "")
        parts = [head, *map(_shown, [*others, *self._numbered()])]
        text = "".join(f'<div style="margin:.2em 0">{part}</div>' for part in parts)
        bar = COLOURS.get(self.verdict, GREY)
        style = f"border-left:4px solid {bar};padding:.2em .8em"
        return f'<div style="{style}">{text}{self._folded()}</div>'

    def _folded(self) -> str:
        exercise = EXERCISES[self.name]
        solution = f"<pre>{escape(exercise.solution)}</pre>"
        folded = _details("Solution", solution, is_open=self.shows_solution)
        if self.verdict != RIGHT and not self.shows_solution:
            count = len(exercise.hints)
            for n in range(count, len(self.hints), -1):
                hint = f"<div>{escape(exercise.hints[n - 1])}</div>"
                folded = _details(f"Hint {n} of {count}", hint + folded)
        return folded

    def _numbered(self) -> list[str]:
        count = len(EXERCISES[self.name].hints)
        return [f"hint {n} of {count}: {hint}" for n, hint in enumerate(self.hints, 1)]


def _shown(text: str) -> str:
    return escape(visible(text))


def _details(summary: str, html: str, is_open: bool = False) -> str:
    return f"<details{' open' * is_open}><summary>{summary}</summary>{html}</details>"
