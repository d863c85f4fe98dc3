"""What the caller says of the columns of a file, and what was found of them by looking."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.names import no_such
from nn.checks import switch
from nn.columns import POLICIES, Reading
from nn.dataset import names_of
from nn.useless import listed


@dataclass(frozen=True)
class Wishes:
    """What the caller says of columns: those not to read, those of texts, those of numbers.

    `as_classes` is None where the target's kind is to be found.
    """

    ignore: Sequence[str] = ()
    text: Sequence[str] = ()
    number: Sequence[str] = ()
    as_classes: bool | None = None
    missing: str = "error"

    def __post_init__(self) -> None:
        """Refuses what no caller can mean."""
        for name in ("ignore", "text", "number"):
            names_of(name, getattr(self, name))
        if self.as_classes is not None:
            switch("as_classes", self.as_classes)
        if self.missing not in POLICIES:
            raise ValueError(no_such("missing", self.missing, POLICIES))


@dataclass
class Found:
    """How a sheet is read; of columns left out, why; what was assumed, and what cannot be."""

    reading: Reading = field(default_factory=lambda: Reading(()))
    left_out: dict[str, str] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)  # of columns, by what is said
    remarks: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def say(self, what: str, column: str) -> None:
        """Notes an assumption: one line for all columns that it is made of."""
        self.said.setdefault(what, []).append(column)

    @property
    def lines(self) -> list[str]:
        """All that was assumed, one line for each assumption."""
        left: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            left.setdefault(why, []).append(repr(name))
        return [
            *self.remarks,
            *(f"{listed(names)}: {what}" for what, names in self.said.items()),
            *(
                f"left out: {listed(names)}{': each' * (len(names) > 1)} {why}"
                for why, names in left.items()
            ),
        ]
