"""A reading from JSON, as a model's file has it, of this version or the one before."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engine.names import no_such
from nn.checks import finite
from nn.columns import KINDS, MISSING, MOST_CATEGORIES, OTHER, POLICIES, VERSION, Column, Reading
from nn.encoding import is_known
from nn.files import Reader, Readers, or_none, read_as
from nn.numerals import SEPARATORS, Spelling
from nn.sheet import Format


def reading_of(meta: Mapping[str, Any]) -> Reading:
    """The reading that `meta` tells of; ValueError, TypeError or KeyError where it is damaged."""
    version, target = meta["version"], meta["target"]
    if version not in (1, VERSION) or version is True:
        raise ValueError(f"its reading is of version {version!r:.20}, expected {VERSION}")
    told = [*meta["columns"], *([] if target is None else [target])]
    if version == 1:
        told = [_since_1(column, column is target) for column in told]
    columns = tuple(map(_column, told))
    columns, aim = (columns, None) if target is None else (columns[:-1], columns[-1])
    for column in columns:
        if meta["missing"] == "fill" and column.kind == "number" and column.fill is None:
            raise ValueError(f"expected a fill for {column.name!r}, got none")
    missing = _one_of("missing", meta["missing"], POLICIES)
    return Reading(columns, aim, missing, read_as(Format, meta["format"], FORMAT))


def _column(meta: Mapping[str, Any]) -> Column:
    column = read_as(Column, meta, COLUMN)
    _one_of("rest", column.rest, ("", *column.texts))
    if column.kind == "text":
        _one_of("gap", column.gap, ("", *column.texts))
    return column


def _since_1(column: Mapping[str, Any], is_target: bool) -> dict[str, Any]:
    """A column of version 1 as one of today.

    Its last text stood for the rest if it was "other", after the most frequent of many texts.
    """
    name, texts, is_text = column["name"], _list("texts", column["texts"]), column["kind"] == "text"
    has_rest = texts[-1:] == [OTHER] and len(texts) >= MOST_CATEGORIES - 1 and not is_target
    gap = MISSING if MISSING in texts else ""
    if not is_text:
        gap = f"{name} was missing" if _true_or_false("gaps", column["gaps"]) else ""
    return {
        **column,
        "gap": gap,
        "rest": OTHER if has_rest else "",
        "is_numeric": column["lenient"] if is_text else False,
        "is_lenient": False if is_text else column["lenient"],
    }


# --- parts of it ------------------------------------------------------------------------------


def _checked(expected: str, holds: Callable[[Any], bool]) -> Reader:
    def check(name: str, x: Any) -> Any:
        if not holds(x):
            raise ValueError(f"expected {expected}, got {x!r:.60}")
        return x

    return check


def _utf8(x: Any) -> bool:
    return isinstance(x, str) and bool(x.encode() or True)


def _one_of(name: str, x: Any, names: Sequence[str]) -> str:
    if x not in names:
        raise ValueError(no_such(name, x, names))
    return str(x)


def _spelling(name: str, signs: Any) -> Spelling:
    decimal, thousands, sign = signs
    return Spelling(
        _one_of("decimal", decimal, SEPARATORS["--decimal"]),
        _one_of("thousands", thousands, ("", *SEPARATORS["--thousands"])),
        _text("sign", sign),
    )


_text = _checked("a text", _utf8)
_list = _checked("a list", lambda x: isinstance(x, list))
_true_or_false = _checked("true, false or null", lambda x: x is None or isinstance(x, bool))
COLUMN: Readers = {
    "name": _text,
    "kind": partial(_one_of, names=KINDS),
    "spelling": _spelling,
    "fill": or_none(finite),
    "gap": _text,
    "texts": lambda name, texts: tuple(_text(name, text) for text in _list(name, texts)),
    "rest": _text,
    "usual": or_none(_text),
    "is_numeric": lambda name, x: bool(_true_or_false(name, x)),
    "is_lenient": lambda name, x: bool(_true_or_false(name, x)),
}
_encoding = _checked("the name of an encoding", lambda x: _utf8(x) and (not x or is_known(x)))
FORMAT: Readers = {
    "encoding": _encoding,
    "header": _true_or_false,
    "decimal": partial(_one_of, names=("", *SEPARATORS["--decimal"])),
    "thousands": partial(_one_of, names=("", *SEPARATORS["--thousands"])),
    "usual": _encoding,
}
