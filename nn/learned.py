"""What the rows to learn from say of columns: what fills gaps, which texts are kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import is_
from statistics import median

from nn.columns import MOST_CATEGORIES, Column, Reading, free, gaps_of
from nn.dataset import Columns, Dataset, by_rows, is_apart, picked
from nn.numerals import natural
from nn.useless import listed

Texts = Mapping[str, Sequence[str]]  # cells of columns of which some texts are kept, by name
MANY, SOME, NEAR = 5000, 1000, (0.45, 0.55)  # numbers; those that tell which lie near the median


def learned(rows: Dataset) -> Dataset:
    """Rows whose reading gets from them what is to be learned of their columns.

    Of numbers the median, which fills gaps; a column that has gaps here gets a second input. Of
    texts which one is usual; of many texts which are kept; and "(missing)" only where some are. The
    gaps stay: `filled` fills them.

    >>> nan, column = float("nan"), Column("a")
    >>> rows = Dataset([[1.0], [nan], [4.0]], [0, 1, 1], ("a",), reading=Reading((column,)))
    >>> rows = learned(replace(rows, reading=replace(rows.reading, missing="fill")))
    >>> filled(rows)
    (Dataset(3 rows, features a, a was missing; target ), {'a': 1})
    >>> filled(rows)[0].xs
    [[1.0, 0.0], [2.5, 1.0], [4.0, 0.0]]
    """
    if rows.reading is None:
        return rows
    return read_as(rows, _learned(_columns(rows), rows.texts, rows.reading))


def read_as(rows: Dataset, reading: Reading | None) -> Dataset:
    """Rows as another reading of their columns, or of some of them, has them.

    It may say where gaps were, and keep other texts.
    """
    if rows.reading is None or reading is None or rows.reading.features == reading.features:
        return replace(rows, reading=reading, texts={})
    found = _columns(rows)
    columns = _as_read(found, rows.texts, rows.reading, reading)
    return _with_columns(rows, found, columns, reading)


def filled(rows: Dataset) -> tuple[Dataset, dict[str, int]]:
    """Rows whose gaps, nan, hold what their reading says; and how many there were, by column."""
    if rows.reading is None or rows.reading.missing != "fill":
        return rows, {}
    columns, counts = _filled(_columns(rows), rows.reading)
    return (replace(rows, xs=by_rows(columns)) if counts else rows), counts


def from_places(rows: Dataset, places: Sequence[int]) -> tuple[Dataset, Columns, list[str]]:
    """A file's rows without gaps, read as those at `places` say; their columns; and remarks.

    Columns that are the same in each of these are left out: no net would learn what to make of
    another number there. ValueError where none is left.
    """
    before, found = rows.reading, _columns(rows)
    if before is None:
        return rows, found, []
    texts = {name: [cells[i] for i in places] for name, cells in rows.texts.items()}
    here = picked(found, places)
    whole = _learned(here, texts, before)
    here, spans = _as_read(here, texts, before, whole), whole.spans
    kept = [c for c in whole.columns if len(places) < 2 or not _is_still(here[spans[c.name]])]
    if not kept:
        raise ValueError(
            f"each column is the same in all {len(places)} rows to learn from: nothing to learn. "
            "Give more rows, or keep fewer aside"
        )
    reading = replace(whole, columns=tuple(kept))
    columns = _as_read(found, rows.texts, before, reading)
    if reading.missing == "fill":
        columns, _ = _filled(columns, reading)
    inputs = {name: here[span] for name, span in spans.items()}
    return _with_columns(rows, found, columns, reading), columns, _remarks(before, reading, inputs)


def _remarks(before: Reading, reading: Reading, inputs: Mapping[str, Columns]) -> list[str]:
    """What is worth a line of what the rows to learn from say; `inputs` are those of columns."""
    here = {column.name: column for column in reading.columns}
    gone = [repr(column.name) for column in before.columns if column.name not in here]
    without_gap = [
        f"{c.name!r} ({here[c.name].usual!r})"
        for c in before.columns
        if c.name in here and c.kind == "text" and c.gap and not here[c.name].gap
    ]
    unmet = [
        f"{c.name!r}: {text!r:.80}"
        for c in reading.columns
        if c.kind == "text"
        for text, numbers in zip(c.texts, inputs[c.name], strict=True)
        if not any(numbers) and text != c.rest
    ]
    return [
        words.format(listed(names))
        for names, words in (
            (gone, "left out, as the rows learned from hold one thing there: {}"),
            (without_gap, "the rows learned from have no gap there, others get the usual text: {}"),
            (unmet, "in no row learned from, so that it is chance what the net makes of it: {}"),
        )
        if names
    ]


# --- of columns -------------------------------------------------------------------------------


def _columns(rows: Dataset) -> Columns:
    return list(zip(*rows.xs, strict=True))


def _with_columns(rows: Dataset, found: Columns, columns: Columns, reading: Reading) -> Dataset:
    is_as_before = len(columns) == len(found) and all(map(is_, columns, found))
    xs = rows.xs if is_as_before else by_rows(columns)
    return replace(rows, xs=xs, features=reading.features, reading=reading, texts={})


def _learned(found: Columns, texts: Texts, reading: Reading) -> Reading:
    """A reading that knows what columns say."""
    columns, taken, spans = list[Column](), {*reading.features}, reading.spans
    for column in reading.columns:
        here = found[spans[column.name]]
        if column.kind == "text":
            columns.append(_texts(column, _counts(column, here, texts.get(column.name, ()))))
        elif reading.missing == "fill":
            known = [x for x in here[0] if x == x]
            middle = middle_of(known) if known else 0.0
            gap = free(f"{column.name} was missing", taken) if len(known) < len(here[0]) else ""
            taken.add(gap)
            columns.append(replace(column, fill=middle, gap=gap))
        else:
            columns.append(column)
    return replace(reading, columns=tuple(columns))


def middle_of(numbers: Sequence[float]) -> float:
    """The median. Of many numbers only those are sorted that lie near it, as some of them say."""
    n = len(numbers)
    if n >= MANY:
        some = sorted(numbers[:: n // SOME])
        low, high = (some[int(share * len(some))] for share in NEAR)
        near = sorted([x for x in numbers if low <= x <= high])
        k = n // 2 - len([x for x in numbers if x < low])
        if 0 < k < len(near):
            return near[k] if n % 2 else (near[k - 1] + near[k]) / 2
    return median(numbers)


def _counts(column: Column, inputs: Columns, cells: Sequence[str]) -> Counter[str]:
    """How often each text is in the cells of a column, or else in its inputs; "" for gaps."""
    if cells:
        return Counter(cells)
    counts = Counter(dict(zip(column.texts, map(int, map(sum, inputs)), strict=True)))
    del counts[column.rest]
    return counts + Counter({"": counts.pop(column.gap, 0)})


def _texts(column: Column, counts: Counter[str]) -> Column:
    """A column of texts with those that are kept, and the usual one, by how often each is there."""
    has_gaps = counts[""] > 0
    del counts[""]
    gap = column.gap if has_gaps else ""
    texts = [text for text in column.texts if text != column.gap or has_gaps]
    if column.rest:
        kept = [text for text, _ in counts.most_common(MOST_CATEGORIES - 1)]
        texts = [*sorted(kept, key=natural), *filter(None, (gap, column.rest))]
    usual = max(counts, key=counts.__getitem__) if counts.total() else column.usual
    return replace(column, gap=gap, texts=tuple(texts), usual=usual)


def _is_still(inputs: Columns) -> bool:
    """Whether no input changes; of numbers the gaps are still nan, or filled."""
    for numbers in inputs:
        gaps = len(gaps_of(numbers))
        if 0 < gaps < len(numbers) or (not gaps and is_apart(min(numbers), max(numbers))):
            return False
    return True


def _as_read(found: Columns, texts: Texts, before: Reading, reading: Reading) -> Columns:
    """Columns as another reading has them."""
    columns, spans = list[Sequence[float]](), before.spans
    former = {column.name: column for column in before.columns}
    for column in reading.columns:
        inputs, name = found[spans[column.name]], column.name
        if column.kind == "text":
            columns += _inputs(column, former[name], inputs, texts.get(name, ()))
            continue
        columns += inputs
        if column.gap and not former[name].gap:
            columns.append([float(x != x) for x in inputs[0]])
    return columns


def _inputs(column: Column, former: Column, inputs: Columns, cells: Sequence[str]) -> Columns:
    """The inputs of a column of texts, from its cells or from the inputs that it had before."""
    if cells:
        known = column.known({*cells})
        usual = column.texts.index(column.usual) if column.usual in column.texts else -1
        places = [usual if (k := known[cell]) == -1 else k for cell in cells]
        return [[float(k == place) for place in places] for k in range(len(column.texts))]
    of_text: Mapping[str, Sequence[float]] = dict(zip(former.texts, inputs, strict=True))
    found = [of_text[text] for text in column.texts]
    if former.gap and not column.gap and column.usual in column.texts:
        k = column.texts.index(column.usual)
        found[k] = [x + gap for x, gap in zip(found[k], of_text[former.gap], strict=True)]
    return found


def _filled(found: Columns, reading: Reading) -> tuple[Columns, dict[str, int]]:
    """Columns without gaps, and how many there were."""
    columns, counts, spans = [*found], dict[str, int](), reading.spans
    for column in reading.columns:
        k = spans[column.name].start
        if column.kind == "number" and column.fill is not None and (gaps := gaps_of(columns[k])):
            fill = column.fill
            counts[column.name] = len(gaps)
            columns[k] = [x if x == x else fill for x in columns[k]]
    return columns, counts
