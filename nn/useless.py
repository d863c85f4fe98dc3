"""Says why a column has nothing to learn from: constants, ids, dates, texts that never repeat."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import isnan

from nn.columns import MOST_CATEGORIES
from nn.dataset import is_apart
from nn.numerals import is_missing
from nn.wording import option

FEW = 10  # rows of which nothing is said, and whole numbers that may be classes
NEARLY = 0.9
DAYS_OF_A_MONTH, PERCENTS = 31, 101  # so many whole numbers may be amounts, not those of rows
FEWEST_AT_THE_TOP = 0.08  # of row numbers, in the last fifth of their range
NAMELESS = re.compile(r"(?i)unnamed: \d+(\.\d+)*")  # what pandas calls a column without a name
FIRST_DAY, LAST_DAY = 1900_01_01, 2100_12_31
DATES = (
    "holds dates or times: make columns of numbers of it, such as the year, the month, the hour or "
    "days since the first {}"
)
_MEASURE = re.compile(r"[-+]?\d[\d.,' ]*[^\d\s]{1,5}")
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}([T ].*)?|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d\d)([T ].*)?"
    r"|\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|(19|20)\d\d[-/](0?[1-9]|1[0-2])"
)
_NAMED_DATE = re.compile(
    rf"(\w{{3,9}},? )?({_MONTH}\.? \d{{1,2}}(st|nd|rd|th)?,?|\d{{1,2}}[ -]{_MONTH}\.?)"
    rf"[ -](\d{{4}}|\d\d)([T ].*)?|{_MONTH}[ -]\d{{4}}",
    re.IGNORECASE,
)
_ID = re.compile(r"(?i:(.*[ _-])?(id|ids|index|uuid|row|nr|no)|unnamed: 0)|.*[a-z]I[dD]")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Some names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def useless_numbers(
    name: str, numbers: Sequence[float], is_first: bool, nameless: bool, several: bool
) -> str:
    """Why numbers, nan in gaps, are left out; "" where they are not, as where nothing else is.

    >>> useless_numbers("id", [float(k * k) for k in range(20)], False, False, True)
    'is named like an id, and another in each row (--number id learns from it)'
    """
    known = [x for x in numbers if x == x] if isnan(sum(numbers)) else numbers
    if not known:
        return ""
    asked = f"({option('number', name)} learns from it)"
    if len(numbers) > 1 and (why := _constant(known)):
        return why if len(known) == len(numbers) else f"{why} where it has no gap {asked}"
    if is_first and nameless and (why := _index(numbers, known)):
        return why
    if is_first and nameless and several and len(known) == len(numbers) and _are_sampled(known):
        return f"has no name and numbers as of rows picked from tables: an index {asked}"
    is_enough = len(numbers) > FEW and several
    return _named(name, numbers, known, is_first, asked) if is_enough else ""


def _named(
    name: str, numbers: Sequence[float], known: Sequence[float], is_first: bool, asked: str
) -> str:
    """Why a column that may be meant to be learned from is none; "" where it may be one."""
    if is_first and _counts(numbers):
        return f"counts the rows {asked}"
    if _ID.fullmatch(name) and _are_ids(known):
        each = "each row" if len({*numbers}) == len(known) == len(numbers) else "nearly every row"
        return f"is named like an id, and another in {each} {asked}"
    return DATES.format(asked) if _is_day(known[0]) and all(map(_is_day, known)) else ""


def _constant(known: Sequence[float]) -> str:
    least, most = min(known), max(known)
    if least == most:
        return "is the same in every row"
    return "" if is_apart(least, most) else "differs by rounding alone"


def _index(numbers: Sequence[float], known: Sequence[float]) -> str:
    """Why a first column without a name is an index, "" where it is none."""
    if _counts(numbers):
        return "has no name and counts the rows: an index"
    if len({*known}) == len(known) > 2 and all(map(float.is_integer, known)):
        return "has no name and is another whole number in each row: an index"
    if _are_piled(known):
        return "has no name and counts from 0 several times: the indexes of several tables"
    return ""


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
    if sum(n for text, n in counts.items() if _is_date(text)) >= NEARLY * rows:
        return DATES.format(f"({option('text', name)} learns them as texts)")
    unit = unit_of(counts)
    if rows >= FEW and len(counts) >= NEARLY * rows:
        return f"is another text in nearly every row ({option('text', name)} learns from it){unit}"
    covered = sum(n for _, n in counts.most_common(MOST_CATEGORIES - 1))
    if len(counts) > MOST_CATEGORIES and 2 * covered <= rows:
        return (
            f"holds {len(counts)} texts, too many to tell apart ({option('text', name)} keeps the "
            f"{MOST_CATEGORIES - 1} most frequent){unit}"
        )
    return ""


def unit_of(counts: Counter[str]) -> str:
    """What to say of texts that are numbers with a unit behind them; "" of others.

    >>> unit_of(Counter(["12 kg", "13 kg"])), unit_of(Counter(["red", "blue"]))
    (': numbers with a unit? Without it they are numbers', '')
    """
    measures = sum(n for text, n in counts.items() if _MEASURE.fullmatch(text))
    are_measures = measures >= NEARLY * counts.total()
    return ": numbers with a unit? Without it they are numbers" if are_measures else ""


def _counts(numbers: Sequence[float]) -> bool:
    """Whether each number is that of its row, from any start; gaps may stand between."""
    start = next((x - i for i, x in enumerate(numbers) if x == x), 0.0)
    return all(x == start + i or x != x for i, x in enumerate(numbers))


def _are_piled(known: Sequence[float]) -> bool:
    """Whether numbers are the row numbers of several tables, from 0: larger ones are rarer."""
    counts = Counter(known)
    times = [counts[x] for x in sorted(counts)]
    runs = len(counts) > FEW and {*counts} == {*map(float, range(len(counts)))}
    return runs and all(a >= b for a, b in pairwise(times))


def _are_sampled(known: Sequence[float]) -> bool:
    """Whether numbers may be those of some rows of one table or several, counted from 0.

    There are many of them, none much more frequent than others; they begin near 0, and larger ones
    are as frequent or rarer, but not few: amounts such as ages or prices thin out at their ends.

    >>> _are_sampled([float(k * 7 % 100) for k in range(90)])
    True
    >>> _are_sampled([float(18 + k * 7 % 62) for k in range(90)])
    False
    """
    count, different, most = len(known), len({*known}), max(known)
    is_rare = count <= 2 * different and different > DAYS_OF_A_MONTH
    is_rare = is_rare or (count <= 5 * different and different > PERCENTS)
    if not is_rare or min(known) < 0 or not all(map(float.is_integer, known)):
        return False
    below = [sum(x <= most * k / 10 for x in known) / count for k in range(10)]
    is_thick = all(share >= k / 10 - 1.5 / count**0.5 for k, share in enumerate(below))
    return min(known) <= 5 * most / count and is_thick and below[8] <= 1 - FEWEST_AT_THE_TOP


def _is_date(text: str) -> bool:
    return bool(_DATE.fullmatch(text) or _NAMED_DATE.fullmatch(text))


def _are_ids(known: Sequence[float]) -> bool:
    different = {*known}
    return len(different) >= NEARLY * len(known) and all(map(float.is_integer, different))


def _is_day(x: float) -> bool:
    """Whether a number is a date such as 20240131.

    >>> _is_day(20240131.0), _is_day(20241331.0)
    (True, False)
    """
    if not (x.is_integer() and FIRST_DAY <= x <= LAST_DAY):
        return False
    return 1 <= x // 100 % 100 <= 12 and 1 <= x % 100 <= 31
