"""What is learned of columns before a net is: fills, texts, and which of them say something."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from nn.columns import MOST_CATEGORIES, Column, Reading, free, gaps_of
from nn.dataset import Dataset, is_apart
from nn.numerals import natural
from nn.useless import listed

Columns = Sequence[Sequence[float]]


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
    reading: Reading | None = rows.reading
    if reading is None:
        return rows
    found, columns = list(zip(*rows.xs, strict=True)), list[Column]()
    taken, spans = {*reading.features}, reading.spans
    for column in reading.columns:
        here = found[spans[column.name]]
        if column.kind == "text":
            counts = _counts(column, here, rows.texts.get(column.name, ()))
            columns.append(_texts(column, counts))
        elif reading.missing == "fill":
            known = [x for x in here[0] if x == x]
            middle = median(known) if known else 0.0
            gap = free(f"{column.name} was missing", taken) if len(known) < len(here[0]) else ""
            taken.add(gap)
            columns.append(replace(column, fill=middle, gap=gap))
        else:
            columns.append(column)
    return read_as(rows, replace(reading, columns=tuple(columns)))


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


def from_places(parts: Sequence[Dataset], places: Sequence[int]) -> tuple[list[Dataset], list[str]]:
    """Parts of a file's rows, all read as those of the first part at `places` say; and remarks.

    Columns that are the same in each of these are left out: no net would learn what to make of
    another number there. ValueError where none is left.
    """
    first = parts[0].pick(places)
    rows = learned(first)
    if rows.reading is None or len(places) < 2:
        return [filled(read_as(part, rows.reading))[0] for part in parts], []
    found, spans = list(zip(*rows.xs, strict=True)), rows.reading.spans
    columns = [c for c in rows.reading.columns if not _is_still(found[spans[c.name]])]
    if not columns:
        raise ValueError(
            f"each column is the same in all {len(places)} rows to learn from: nothing to learn. "
            "Give more rows, or keep fewer aside"
        )
    reading = replace(rows.reading, columns=tuple(columns))
    remarks = _remarks(rows, first.reading, reading)
    return [filled(read_as(part, reading))[0] for part in parts], remarks


def _remarks(rows: Dataset, before: Reading, reading: Reading) -> list[str]:
    """What is worth a line of what these rows, those to learn from, say of columns."""
    here, spans = {c.name: c for c in reading.columns}, rows.reading.spans
    gone = [repr(c.name) for c in before.columns if c.name not in here]
    without_gap = [
        f"{c.name!r} ({here[c.name].usual!r})"
        for c in before.columns
        if c.name in here and c.kind == "text" and c.gap and not here[c.name].gap
    ]
    inputs = list(zip(*rows.xs, strict=True))
    unmet = [
        f"{c.name!r}: {text!r:.80}"
        for c in reading.columns
        if c.kind == "text"
        for text, numbers in zip(c.texts, inputs[spans[c.name]], strict=True)
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


def _is_still(inputs: Columns) -> bool:
    """Whether no input changes; of numbers the gaps are still nan, or filled."""
    for numbers in inputs:
        gaps = len(gaps_of(numbers))
        if 0 < gaps < len(numbers) or (not gaps and is_apart(min(numbers), max(numbers))):
            return False
    return True


def filled(rows: Dataset) -> tuple[Dataset, dict[str, int]]:
    """Rows whose gaps, nan, hold what their reading says; and how many there were, by column."""
    reading: Reading | None = rows.reading
    if reading is None or reading.missing != "fill":
        return rows, {}
    columns = list(zip(*rows.xs, strict=True))
    counts, spans = {}, reading.spans
    for column in reading.columns:
        k = spans[column.name].start
        if column.kind == "number" and (gaps := gaps_of(columns[k])):
            counts[column.name] = len(gaps)
            columns[k] = tuple(column.fill if x != x else x for x in columns[k])
    if not counts:
        return rows, {}
    return replace(rows, xs=list(map(list, zip(*columns, strict=True)))), counts


def read_as(rows: Dataset, reading: Reading | None) -> Dataset:
    """Rows as another reading of their columns, or of some of them, has them.

    It may say where gaps were, and keep other texts.
    """
    before: Reading | None = rows.reading
    if before is None or reading is None or before.features == reading.features:
        return replace(rows, reading=reading, texts={})
    found: list[Sequence[float]] = list(zip(*rows.xs, strict=True))
    columns, spans = list[Sequence[float]](), before.spans
    former = {column.name: column for column in before.columns}
    for column in reading.columns:
        inputs, name = found[spans[column.name]], column.name
        if column.kind == "text":
            columns += _inputs(column, former[name], inputs, rows.texts.get(name, ()))
            continue
        columns += inputs
        if column.gap and not former[name].gap:
            columns.append([float(x != x) for x in inputs[0]])
    xs = list(map(list, zip(*columns, strict=True)))
    return replace(rows, xs=xs, features=reading.features, reading=reading, texts={})


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
