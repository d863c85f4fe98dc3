"""Decides how a target column is learned: as classes, or as numbers to predict (amounts)."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from nn.columns import MOST_CATEGORIES, Column, class_name
from nn.dataset import DataError
from nn.looking import Look, are_plain
from nn.numerals import PLAIN, finite_number, is_missing, looks_like_a_number, natural
from nn.useless import FEW, listed, unit_of

SHARE_OF_A_CLASS = 0.05  # of the rows, for whole numbers to be classes


class Aim(Look):
    """A look at the target."""

    def target(self, name: str) -> Column | None:
        """How the target is read; None where it cannot be: a problem is noted."""
        as_classes = self.wishes.as_classes
        column = self._of_classes(name) if as_classes else self.kind(name)
        if column is None:
            return None
        if column.kind == "number" and not as_classes:
            return column if not self._holds_classes(column) else self._classes(column)
        if as_classes is False:
            self._refuse_texts(name)
            return None
        return self._classes(column)

    def _refuse_texts(self, name: str) -> None:
        """Notes as a problem that texts were asked for as amounts."""
        filled = Counter(cell for cell in self.sheet.cells(name) if not is_missing(cell))
        if any(map(looks_like_a_number, filled)):
            self.refuse_slips(name, filled)
            return
        texts = listed([f"{text!r:.80} ({n})" for text, n in filled.items()], 3)
        self.found.problems[name] = (
            f"{name!r} holds texts, {texts}, which are no amounts: leave --numbers out"
        )

    def _of_classes(self, name: str) -> Column | None:
        """A target that is classes by wish: of numbers as Python writes them, or of texts."""
        if name in self.wishes.number:
            return self.kind(name)
        return Column(name, "number" if are_plain({*self.sheet.cells(name)}) else "text")

    def _holds_classes(self, column: Column) -> bool:
        """Whether numbers are learned as classes; DataError where there is nothing to learn."""
        numbers = [x for x in column.numbers(self.sheet)[0] if x == x]
        path, name, as_classes = self.sheet.path, column.name, self.wishes.as_classes
        if not numbers:
            raise DataError(f"{path}: every {name!r} is empty: nothing to learn")
        if min(numbers) == max(numbers) and len(numbers) > 1:
            raise DataError(f"{path}: every {name!r} is {numbers[0]:g}: nothing to learn")
        if as_classes is False:
            return False
        is_class = column.spelling == PLAIN and _are_classes(numbers)
        if is_class or _are_few(numbers):
            shown = listed([f"{x:g}" for x in sorted({*numbers})], FEW)
            ways = ("classes", "--numbers learns amounts"), ("amounts", "--classes learns classes")
            kind, other = ways[not is_class]
            self.found.say(f"whole numbers ({shown}) learned as {kind}; {other}", repr(name))
        return is_class

    def _classes(self, column: Column) -> Column:
        """A target of classes; DataError where there are too many, or is only one."""
        name, path, is_numeric = column.name, self.sheet.path, column.kind == "number"
        counts = self._numbers(name) if is_numeric else self.counts(name)
        del counts[""]
        if len(counts) > MOST_CATEGORIES:
            kind = "numbers" if is_numeric else "texts"
            hint = unit_of(counts) or ": is it the right column to learn?"
            raise DataError(
                f"{path}: column {name!r} holds {len(counts)} different {kind}, more than the "
                f"{MOST_CATEGORIES} that can be told apart{hint}"
            )
        if len(counts) < 2:
            (only,) = counts or ("empty",)
            raise DataError(f"{path}: every {name!r} is {only!r}: nothing to tell apart")
        self.remark_texts(name, counts)
        if 2 * len(counts) > max(counts.total(), 4):
            self.found.say(
                f"{len(counts)} different texts in {counts.total()} rows: each one becomes a class",
                repr(name),
            )
        texts, is_lenient = tuple(sorted(counts, key=natural)), column.is_lenient
        return Column(name, "text", texts=texts, is_numeric=is_numeric, is_lenient=is_lenient)

    def _numbers(self, name: str) -> Counter[str]:
        """How often each number is in a column, however it is written; what is none is not."""
        merged = Counter[str]()
        for cell, n in Counter(self.sheet.cells(name)).items():
            if (x := finite_number(cell)) is not None:
                merged[class_name(x)] += n
        return merged


def _are_few(numbers: Sequence[float]) -> bool:
    """Whether amounts are so few whole numbers that they may be meant as classes."""
    some = {*islice(numbers, 10_000)}
    return len(some) <= min(FEW, len(numbers) / 5) and all(x.is_integer() for x in {*numbers})


def _are_classes(numbers: Sequence[float]) -> bool:
    """Two whole numbers; or 3 to 10 that run from 0 or 1, each in 5% of the rows."""
    different = {*islice(numbers, 1000)}
    if len(different) > FEW or not all(x.is_integer() for x in different):
        return False
    counts = Counter(numbers)
    if len(counts) > FEW or not all(x.is_integer() for x in counts) or len(counts) < 2:
        return False
    if 2 * len(counts) > len(numbers):
        return False  # most of them stand once: nothing to count on
    first, last = min(counts), max(counts)
    runs = first in (0, 1) and last - first == len(counts) - 1
    return len(counts) == 2 or (runs and min(counts.values()) >= SHARE_OF_A_CLASS * len(numbers))
