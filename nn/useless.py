"""Why a column has nothing to learn from: constants, ids, dates, texts of their own."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from nn.dataset import is_apart
from nn.numerals import is_missing

MOST_CATEGORIES = 32
FEW = 10  # rows of which nothing is said, and whole numbers that may be classes
NEARLY = 0.9
_DATE = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}([T ].*)?|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d\d)([T ].*)?"
    r"|\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?"
)
_ID = re.compile(r"(?i:(.*[ _-])?(id|ids|index|uuid|row|nr|no)|unnamed: 0)|.*[a-z]I[dD]")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Some names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def option(name: str, column: str) -> str:
    """An option with a column, as a shell takes it.

    >>> option("text", "number of rooms")
    "--text 'number of rooms'"
    """
    return f"--{name} {shlex.quote(column)}"


def useless_numbers(
    name: str, numbers: Sequence[float], is_first: bool, nameless: bool, several: bool
) -> str:
    """Why a column of numbers is left out; "" where it is not, as where it is the only one.

    >>> useless_numbers("id", [float(k * k) for k in range(20)], False, False, True)
    'is named like an id, and another in each row (--number id learns from it)'
    """
    least, most = min(numbers), max(numbers)
    many, may_be_id = len(numbers) > 1, len(numbers) > FEW and several
    asked = option("number", name)
    checks = (
        (many and least == most, "is the same in every row"),
        (many and not is_apart(least, most), "differs by rounding alone"),
        (
            is_first and nameless and _counts(numbers),
            "has no name and counts the rows: an index",
        ),
        (may_be_id and is_first and _counts(numbers), f"counts the rows ({asked} learns from it)"),
        (
            may_be_id and bool(_ID.fullmatch(name)) and _are_ids(numbers),
            f"is named like an id, and another in each row ({asked} learns from it)",
        ),
    )
    return next((words for holds, words in checks if holds), "")


def useless_cells(cells: Sequence[str], may_be_index: bool, may_be_end: bool) -> str:
    """Why cells that are not all numbers are left out; "" where they are not.

    >>> useless_cells(["", "NA"], False, False), useless_cells(["u", "v"], False, False)
    ('is empty throughout', '')
    """
    different = {*cells}
    is_empty = all(map(is_missing, different))
    is_one, is_own = len(different) == 1 < len(cells), len(different) == len(cells) > 1
    checks = (
        (is_empty and may_be_end, "is empty: separators at the ends of the lines"),
        (is_empty, "is empty throughout"),
        (is_one, "is the same in every row"),
        (may_be_index and is_own, "has no name and is another text in each row: an index"),
    )
    return next((words for holds, words in checks if holds), "")


def useless_texts(name: str, counts: Counter[str]) -> str:
    """Why texts are not learned from; "" where they are."""
    rows = counts.total()
    if sum(n for text, n in counts.items() if _DATE.fullmatch(text)) >= NEARLY * rows:
        return (
            "holds dates or times: make columns of numbers of it, such as the year, the month, the "
            f"hour or days since the first ({option('text', name)} learns them as texts)"
        )
    if rows >= FEW and len(counts) >= NEARLY * rows:
        return f"is another text in nearly every row ({option('text', name)} learns from it)"
    covered = sum(n for _, n in counts.most_common(MOST_CATEGORIES - 1))
    if len(counts) > MOST_CATEGORIES and 2 * covered <= rows:
        return (
            f"holds {len(counts)} texts, too many to tell apart ({option('text', name)} keeps the "
            f"{MOST_CATEGORIES - 1} most frequent)"
        )
    return ""


def _counts(numbers: Sequence[float]) -> bool:
    return all(b == a + 1 for a, b in pairwise(numbers))


def _are_ids(numbers: Sequence[float]) -> bool:
    return len({*numbers}) == len(numbers) and all(map(float.is_integer, numbers))
