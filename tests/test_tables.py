"""Mutated tables end in the same numbers, in an answer, or in one clear line; nothing is silent."""

import random
import re
from dataclasses import dataclass, field

import pytest

import nn.results
from nn.cli import main
from nn.dataset import DataError
from nn.found import Wishes
from nn.parting import parted
from nn.reading import read_rows
from nn.sheet import Format

NAMES = ["size", "count", "colour", "price", "kind"]


def rows_of(rng):
    """40 rows of a table: decimals, whole numbers, texts, prices above 1,000, three classes."""
    return [
        [
            f"{rng.uniform(0, 9):.2f}",
            str(rng.randrange(50)),
            rng.choice(["red", "grün", "blue"]),
            f"{rng.uniform(1001, 90_000):.2f}",
            rng.choice(["low", "middle", "high"]),
        ]
        for _ in range(40)
    ]


@dataclass
class Table:
    """A table, how it is written, what must be said of it, or why it is refused."""

    rows: list[list[str]]
    names: list[str] = field(default_factory=lambda: [*NAMES])
    separator: str = ","
    quoted: bool = False
    encoding: str = "utf-8"
    lines: str = "\n"
    preamble: str = ""
    told: dict = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    refused: str = ""
    target: str = "kind"
    changed: bool = False  # whether other numbers come out than of the table as it was

    def write(self, path):
        cells = [*([self.names] if self.names else []), *self.rows]
        lines = [self.separator.join(map(self.cell, row)) for row in cells]
        text = self.preamble + "".join(line + self.lines for line in lines)
        path.write_bytes(text.encode(self.encoding))

    def cell(self, text):
        needs = self.quoted or text == "" or any(sign in text for sign in f'{self.separator}"')
        return f'"{text}"' if needs and (text or self.separator == " ") else text


def separator(table, rng):
    table.separator = rng.choice(";\t| ")


def encoding(table, rng):
    table.encoding = rng.choice(["utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
    if table.encoding in ("cp1252", "utf-16-le"):
        table.told["encoding"] = table.encoding


def wrong_encoding(table, rng):
    table.encoding = rng.choice(["cp1252", "utf-16-be"])
    table.refused = "is not UTF-8 text: save the file as UTF-8, or say .* --encoding"


def quotes(table, rng):
    table.quoted = True


def line_ends(table, rng):
    table.lines = rng.choice(["\r\n", "\r\n\r\n", "\n\n", "\r"])


def preamble(table, rng):
    ways = ["# by hand\n", "#\n\n# x\n", "\n\n", f"sep={table.separator}\n"]
    table.preamble = rng.choice(ways if table.separator != " " else ways[:3])


def decimal_commas(table, rng):
    table.separator = rng.choice(";\t|")
    for row in table.rows:
        row[0], row[3] = row[0].replace(".", ","), row[3].replace(".", ",")
    table.said.append("a comma as decimal point")


def quoted_decimal_commas(table, rng):
    for row in table.rows:
        row[0] = row[0].replace(".", ",")
    table.refused = "'size' holds '.*': say --decimal , if that is"


def thousands(table, rng):
    group, name = rng.choice([(",", "commas"), ("'", "apostrophes"), ("\u00a0", "blanks")])
    for row in table.rows:
        row[3] = f"{float(row[3]):,.2f}".replace(",", group)
    table.said.append(f"{name} between thousands")


def three_digits(table, rng):
    for row in table.rows:
        row[3] = f"{float(row[3]):,.0f}"
    table.refused = "'price' holds '.*', which is .* or .*: say --thousands , or --decimal ,"


def signs(table, rng):
    before, after = rng.choice([("$", ""), ("", " €"), ("", "%"), ("£", "")])
    for row in table.rows:
        row[3] = f"{before}{row[3]}{after}"
    table.said.append("percentages" if after == "%" else "amounts in")


def index(table, rng):
    texts = rng.random() < 0.5
    for i, row in enumerate(table.rows):
        row.insert(0, f"row {i}" if texts else str(i))
    table.names.insert(0, "")
    table.said.append("an index")


def last_separator(table, rng):
    for row in [*table.rows, table.names]:
        row.append("")
    table.said.append("is empty: separators at the ends of the lines")


def no_names(table, rng):
    table.names = []
    table.target = f"column {len(table.rows[0])}"
    table.said.append("looks like the others, no names")


def ids(table, rng):
    for i, row in enumerate(table.rows):
        row.insert(2, str(7000 + 13 * i))
    table.names.insert(2, "user_id")
    table.said.append("named like an id")


def dates(table, rng):
    for i, row in enumerate(table.rows):
        row.insert(1, f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}")
    table.names.insert(1, "day")
    table.said.append("holds dates or times: make columns of numbers")


def constant(table, rng):
    value = rng.choice(["5", "same"])
    for row in table.rows:
        row.insert(1, value)
    table.names.insert(1, "k")
    table.said.append("is the same in every row")


NOTATION = [
    *(separator, encoding, wrong_encoding, quotes, line_ends, preamble, decimal_commas),
    *(quoted_decimal_commas, thousands, three_digits, signs, index, last_separator, no_names),
    *(ids, dates, constant),
]


def emptied(table, rng):
    for i in rng.sample(range(40), 4):
        table.rows[i][1] = rng.choice(["", "NA", "?", "n/a", "NULL", "-"])
    table.said.append(
        "hold the median of the rows learned from; where these have gaps, an input says so"
    )


def emptied_texts(table, rng):
    for i in rng.sample(range(40), 3):
        table.rows[i][2] = ""
    table.said.append("an empty cell is a text of its own, '(missing)'")


def words_in_texts(table, rng):
    for i in rng.sample(range(40), 5):
        table.rows[i][2] = "NA"
    table.said.append("a text like any other, though it looks like a gap: 'NA' (5)")


def without_target(table, rng):
    for i in rng.sample(range(40), 2):
        table.rows[i][4] = ""
    table.said.append("2 rows without 'kind' left out")


def slip(table, rng):
    table.rows[rng.randrange(10, 40)][0] = rng.choice(["3x", "about 4", "1.2.3.4"])
    table.refused = r"line \d+: 'size' is '.*', expected a finite number \(--number size takes it"


def short_row(table, rng):
    table.rows[rng.randrange(40)].pop()
    table.refused = r"line \d+: expected 5 fields, got 4"


def twice(table, rng):
    table.names[1] = "size"
    table.said.append("columns of one name are told apart by numbers: 'size.1'")


def case(table, rng):
    for row in table.rows[::3]:
        row[2] = row[2].upper()
    table.said.append("texts that differ only in case or blanks are not one")


def given_away(table, rng):
    for row in table.rows:
        row[2] = {"low": "L", "middle": "M", "high": "H"}[row[4]]
    table.said.append("'colour' gives 'kind' away")


DAMAGE = [
    *(emptied, emptied_texts, words_in_texts, without_target, slip, short_row, twice, case),
    given_away,
]
PLACES = {no_names, index, ids, dates, constant, last_separator}  # move columns, or their names


def mutated(number):
    """A table, the same one mutated once or twice, and by what."""
    rng = random.Random(f"tables {number}")
    rows = rows_of(rng)
    table = Table([[*row] for row in rows])
    chosen = [rng.choice(NOTATION)] if number % 3 else []
    if number % 2 or not chosen:
        damage = rng.choice(DAMAGE)
        if not {*chosen} & PLACES:
            chosen.insert(0, damage)
            table.changed = True
    for k, change in enumerate(chosen):
        change(table, rng)
        if table.refused:
            return Table(rows), table, chosen[: k + 1]
    return Table(rows), table, chosen


def command(table, path, *words):
    told = [word for name, value in table.told.items() for word in (f"--{name}", value)]
    return [words[0], str(path), "--target", table.target, *told, *words[1:]]


@pytest.mark.some(16)
@pytest.mark.parametrize("number", range(200))
def test_a_mutated_table(number, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(nn.results, "charts", lambda *_: {})
    before, table, chosen = mutated(number)
    path = tmp_path / "table.csv"
    table.write(path)
    code = main(command(table, path, "look"))
    captured = capsys.readouterr()
    if table.refused:
        pattern = table.refused
        assert re.search(pattern, captured.out + captured.err), (chosen, captured)
        assert (code, bool(captured.err)) in ((1, False), (2, True))
        with pytest.raises(DataError, match=pattern):
            read_rows(path, table.target, Wishes(missing="fill"), Format(**table.told))
        assert main(command(table, path, "train", "--steps", "2")) == 2
        err = capsys.readouterr().err
        assert (err.count("\n"), bool(re.search(pattern, err))) == (1, True)
        return
    assert (code, captured.err) == (0, "")
    lines = [line for line in captured.out.splitlines() if line.startswith("- ")]
    rows, _ = read_rows(path, table.target, Wishes(missing="fill"), Format(**table.told))
    tested = {rows.ys[k] for k in parted(rows, 0.2, 0)[1]}
    unseen = [repr(name) for k, name in enumerate(rows.classes) if k not in tested]
    said = {*table.said} | ({f"kept aside is no row of {', '.join(unseen)}"} if unseen else set())
    for words in said:
        assert any(words in line for line in lines), (chosen, words, lines)
    assert len(lines) == len(said), "something else was said"
    if not table.changed:
        before.write(path.with_name("before.csv"))
        same, _ = read_rows(path.with_name("before.csv"), "kind", Wishes(missing="fill"))
        assert (rows.xs, rows.ys) == (same.xs, same.ys)
    if number % 10 == 0:
        out = tmp_path / "out"
        small = ["--steps", "2", "--layers", "2", "--out", str(out)]
        assert main(command(table, path, "train", *small)) == 0
        err = capsys.readouterr().err
        assert all(words in err for words in table.said)
        told = command(table, path, "x")[4:]
        assert main(["predict", str(out / "model.json"), str(path), *told]) == 0
        assert capsys.readouterr().out.count("\n") == 41


def test_every_mutation_is_tried():
    assert {change for number in range(200) for change in mutated(number)[2]} == {
        *NOTATION,
        *DAMAGE,
    }
