"""Points that may part thousands, in a file to learn from and in one to answer."""

import csv
from pathlib import Path

import pytest

import nn.results
from nn.cli import main
from nn.columns import Column
from nn.doubt import column_warnings
from nn.numerals import Spelling
from nn.sheet import Sheet

POINTS = Spelling(",", ".")


def sheet(separator=";", **columns):
    count = len(next(iter(columns.values())))
    return Sheet("a.csv", columns, range(2, 2 + count), separator)


def found(columns, separator=";", is_known=False, **cells):
    return column_warnings(sheet(separator, **cells), columns, is_known)


@pytest.mark.parametrize(
    ("cells", "spelling", "is_doubtful"),
    [
        (["1.234", "5.678"], Spelling(), False),
        (["€ 1.234", "€ 5.678"], Spelling(sign="€"), True),
        (["€ 1.234", "€ 5.67"], Spelling(sign="€"), False),
        (["€ 1.234.567", "€ 5.678"], Spelling(sign="€"), True),
        (["1.234%", "5.678%"], Spelling(sign="%"), False),
    ],
)
def test_numbers_to_learn_from(cells, spelling, is_doubtful):
    column = Column("a", spelling=spelling)
    assert bool(found([column], a=cells).problems) is is_doubtful
    told = found([column, Column("b")], a=cells, b=["0.5", "0.25"])
    assert told.problems == {}, "a clear decimal point elsewhere settles it"


def test_decimal_commas_elsewhere():
    columns = [Column("a"), Column("b", spelling=Spelling(","))]
    told = found(columns, a=["1.234", "5.678"], b=["1,5", "2"])
    assert told.problems == {
        "a": "'a' holds '1.234', and other numbers have decimal commas: say --decimal , if its "
        "points part thousands, or --decimal ."
    }


@pytest.mark.parametrize(
    ("separator", "other", "problem", "remark"),
    [
        (",", "7", True, False),
        (";", "0.5", True, False),
        (";", "0,5", False, False),
        (";", "7", False, True),
    ],
)
def test_a_file_like_one_with_points_between_thousands(separator, other, problem, remark):
    columns = [Column("a", spelling=POINTS), Column("b", spelling=Spelling(","))]
    told = found(columns, separator, True, a=["1.234"], b=[other])
    assert (bool(told.problems), bool(told.remarks)) == (problem, remark)


@pytest.fixture
def _plain(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nn.results, "charts", lambda *_: {})


def learn(lines):
    Path("data.csv").write_text("\n".join(["a;y", *lines]) + "\n")
    options = ["--steps", "2", "--layers", "2", "--out", "out"]
    assert main(["train", "data.csv", "--target", "y", *options]) == 0


def answers(capsys, text, *options):
    """The exit code of predict, what it answers, what it says."""
    Path("new.csv").write_text(text)
    capsys.readouterr()
    code = main(["predict", "out/model.json", "new.csv", *options])
    captured = capsys.readouterr()
    return code, [line[1:] for line in csv.reader(captured.out.splitlines())], captured.err


@pytest.mark.usefixtures("_plain")
def test_a_new_file_is_doubted_as_one_to_learn_from(capsys):
    learn(f"{k * 7 % 13}.5;{k}" for k in range(40))
    code, _, err = answers(capsys, "a;b\n0,5;1\n1.234;2\n")
    assert code == 2
    assert "'a' holds '1.234', and other numbers have decimal commas: say --decimal ," in err
    code, lines, _ = answers(capsys, "a;b\n0,5;1\n1.234;2\n", "--decimal", ",")
    assert code == 0
    assert answers(capsys, "a\n0.5\n1234\n")[1] == lines


@pytest.mark.usefixtures("_plain")
def test_a_plain_file_for_a_net_of_points_between_thousands(capsys):
    learn(f"{k * 7 % 13 + 1}.{k + 100},50;{k}" for k in range(40))
    code, _, err = answers(capsys, "a,b\n1.234,7\n")
    assert (code, "say --decimal , if its points part thousands, or" in err) == (2, True)
    code, lines, err = answers(capsys, "a;b\n1.234;7\n")
    assert code == 0
    assert "'a' (1.234): points part thousands, as in the file learned from; else say" in err
    assert answers(capsys, "a\n1234\n")[1] == lines
    assert answers(capsys, "a,b\n1.234,7\n", "--decimal", ".")[1] != lines


@pytest.mark.usefixtures("_plain")
def test_a_number_in_another_notation_is_told_with_the_option(capsys):
    learn(f"{k * 7 % 13}.5;{k}" for k in range(40))
    code, lines, err = answers(capsys, "a;b\n0,5;7\n")
    assert (code, lines) == (1, [["y"], [""]])
    assert "row 1 (line 2): 'a' is '0,5', expected a finite number (say --decimal , if" in err
    assert "not scored: new.csv: no column 'y'" in err
    code, lines, _ = answers(capsys, "a;b\n0,5;7\n", "--decimal", ",")
    assert (code, bool(lines[1][0])) == (0, True)
    assert main(["draw", "out/model.json", "new.csv", "--decimal", ",", "--out", "x.gv"]) == 0


@pytest.mark.usefixtures("_plain")
def test_a_target_in_doubt_is_not_scored(capsys):
    lines = [f"{k * 7 % 13}.5;{k}.{k + 100}" for k in range(40)]
    learn(lines)
    code, _, err = answers(capsys, "a;y;b\n0.5;1.234;0,5\n")
    assert (code, "not scored" in err) == (0, False), "no number read has a decimal comma"
    code, lines, err = answers(capsys, "a;y\n1;0,5\n2;1.234\n")
    assert (code, len(lines)) == (0, 3)
    assert "not scored: 'y' holds '1.234', and other numbers have decimal commas" in err
