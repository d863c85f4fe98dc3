"""Columns as a file would hold them, and what is found in them."""

from nn.finding import find
from nn.found import Wishes
from nn.sheet import FOUND, Sheet

N = [7, 1, 4, 4, 9, 2] * 20  # 120 numbers


def sheet(nameless=(), separator=";", **columns):
    count = len(next(iter(columns.values())))
    texts = {name: list(map(str, cells)) for name, cells in columns.items()}
    return Sheet("a.csv", texts, range(2, 2 + count), separator, nameless=nameless)


def found(target=None, wishes=None, format=FOUND, **columns):
    return find(sheet(**columns), target, Wishes(missing="fill", **(wishes or {})), format)


def kinds(found):
    return {column.name: column.kind for column in found.reading.columns}
