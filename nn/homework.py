"""Which exercises a learner has done: a small file in the folder of the notebooks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engine.files import write
from nn.checks import finite
from nn.files import check_format, check_keys, check_type, parse, read_as, reading

FILE = "brickgrad-progress.json"
FORMAT, VERSION = "brickgrad progress", 1


class Row(NamedTuple):
    """How far one exercise is: the hints that were given, and whether its answer was right."""

    hints: int = 0
    done: bool = False


Rows = dict[str, Row]
_unkept: dict[Path, Rows] = {}  # of folders where nothing can be written


def rows_in(folder: Path) -> Rows:
    """What is done in a folder, by the names of the exercises.

    ValueError where the file is not one of brickgrad's, OSError where it cannot be read.
    """
    path = folder / FILE
    if folder in _unkept:
        return _unkept[folder]
    if not path.exists():
        return {}
    with reading(path, "the progress of a course") as text:
        document = parse(text)
        check_format(document, FORMAT, VERSION, {"exercises": dict})
        return {name: _row(name, row) for name, row in document["exercises"].items()}


def note(folder: Path, name: str, change: Callable[[Row], Row]) -> tuple[Row, str]:
    """Changes a row and writes the file; the new row, and why it is not kept, said once."""
    folder = folder.resolve()
    rows, why = Rows(), ""
    try:
        rows = rows_in(folder)
        rows[name] = change(rows.get(name, Row()))
        if folder not in _unkept:
            _write(folder / FILE, rows)
    except (OSError, ValueError) as error:
        rows.setdefault(name, change(Row()))
        _unkept[folder] = rows
        reason = f"{FILE}: {error.strerror}" if isinstance(error, OSError) else str(error)
        why = f"progress is not kept: {reason}"
    return rows[name], why


def _write(path: Path, rows: Rows) -> None:
    exercises = {name: row._asdict() for name, row in sorted(rows.items())}
    document = {"format": FORMAT, "version": VERSION, "exercises": exercises}
    write(path, json.dumps(document, indent=1) + "\n")


def _row(name: str, row: Any) -> Row:
    check_type(name, row, dict)
    check_keys(name, row, Row._fields)
    return read_as(Row, row, {"hints": _count, "done": _truth})


def _count(name: str, x: Any) -> int:
    return int(finite(name, x, least=0))


def _truth(name: str, x: Any) -> bool:
    check_type(name, x, bool)
    return bool(x)
