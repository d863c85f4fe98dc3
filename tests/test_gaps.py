"""The commands on rows with gaps, and on rows that cannot be answered."""

import csv
import json
import random
import re
from pathlib import Path

import pytest
from mutated import mutated_json

import nn.results
from nn.cli import main
from nn.found import Wishes
from nn.parting import parted
from nn.plan import plan_for
from nn.reading import read_rows
from nn.task import load_task

TRAIN = ["train", "data.csv", "--target", "kind", "--steps", "40", "--layers", "3"]
TRAIN += ["--out", "out", "--backend", "python"]
MODEL = "out/model.json"


def rows():
    """60 rows in which size and colour have gaps, weight has none."""
    for k in range(60):
        size = "" if k % 7 == 3 else "NA" if k % 11 == 5 else f"{k * 5 % 13}.5"
        colour = "" if k % 9 == 4 else ["red", "blue"][k % 2]
        yield size, colour, str(k * 3 % 17), ["no", "yes"][k % 3 % 2]


@pytest.fixture(autouse=True)
def _trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nn.results, "charts", lambda *_: {})
    lines = [("size", "colour", "weight", "kind"), *rows()]
    Path("data.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    assert main(TRAIN) == 0
    err = capsys.readouterr().err
    assert "'size' (13): missing cells hold the median of the rows learned from" in err
    assert "'colour' (7): an empty cell is a text of its own, '(missing)'" in err


def answers(capsys, *options):
    """The exit code of predict on new.csv, its answers, what else it says."""
    code = main(["predict", MODEL, "new.csv", *options])
    captured = capsys.readouterr()
    return code, list(csv.reader(captured.out.splitlines())), captured.err


def test_the_model_keeps_how_it_reads():
    meta = json.loads(Path(MODEL).read_text())["meta"]
    assert meta["reading"]["version"] == 2
    size, colour, weight = meta["reading"]["columns"]
    assert (size["gap"], weight["gap"]) == ("size was missing", "")
    assert colour["texts"] == ["blue", "red", "(missing)"]
    assert "size was missing" in meta["columns"]
    _, task = load_task(MODEL)
    assert task.reading.meta() == task.reading.meta()
    assert task.reading.missing == "fill"


def test_the_fill_is_the_median_of_the_rows_that_were_learned_from():
    """Numbers of the rows kept aside change nothing."""
    _, task = load_task(MODEL)
    before = task.reading.columns[0].fill
    aside = {*range(60)} - {*plan_numbers()}
    changed = [
        (("999" if k in aside and size[:1].isdigit() else size), *others)
        for k, (size, *others) in enumerate(rows())
    ]
    lines = [("size", "colour", "weight", "kind"), *changed]
    Path("data.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    assert main(TRAIN) == 0
    assert load_task(MODEL)[1].reading.columns[0].fill == before


def plan_numbers():
    """The rows that the training learns from, from 0."""
    rows, _ = read_rows("data.csv", "kind", Wishes(missing="fill"))
    return parted(rows, 0.2, 0)[0]


def test_rows_keep_their_numbers_where_others_are_left_out():
    """Which row the pictures show is said as `draw --row` counts them."""
    lines = [f"{k * 10},{'' if k % 6 == 2 else k % 4 + 0.5}\n" for k in range(1, 61)]
    Path("holes.csv").write_text("a,y\n" + "".join(lines))
    rows, said = read_rows("holes.csv", "y", Wishes(missing="fill", number=["a"]))
    assert said == ["10 rows without 'y' left out"]
    plan = plan_for(rows, (2,), 0.2, 0)
    assert len(plan.numbers) == 40
    assert [x for (x,) in plan.rows.xs] == [10 * number for number in plan.numbers]


@pytest.mark.whole
def test_each_command_takes_rows_with_gaps(capsys):
    assert main(["predict", MODEL, "data.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 61
    assert "accuracy on these 60 rows" in captured.err
    assert "missing cells hold the median of the rows learned from: 'size' (13)" in captured.err
    for row in ("4", "6", "14"):  # with an empty cell, with NA, with an empty text
        assert main(["draw", MODEL, "data.csv", "--row", row, "--out", "x.svg"]) == 0
        assert main(["watch", MODEL, "data.csv", "--row", row, "--out", "x.html"]) == 0
    assert main(["check", MODEL, "data.csv", "--rows", "8"]) == 0
    assert "gradients of the loss on 8 rows agree" in capsys.readouterr().out


def test_a_row_that_cannot_be_answered_stops_no_other(capsys):
    Path("new.csv").write_text(
        "size,colour,weight\n1.5,red,2\nbig,red,2\n1.5,green,2\n,,5\n1.5,red\n2,blue,inf\n3,red,4\n"
    )
    code, lines, err = answers(capsys)
    assert code == 1
    assert [line[0] for line in lines] == ["row", *"1234567"]
    assert [bool(line[1]) for line in lines[1:]] == [True, False, False, True, False, False, True]
    assert [bool(line[2]) for line in lines[1:]] == [True, False, False, True, False, False, True]
    assert err.splitlines() == [
        "brickgrad: missing cells hold the median of the rows learned from: 'size' (1)",
        "not scored: new.csv: no column 'kind'. There are: size, colour, weight",
        "brickgrad: no answer for 4 rows: row 2 (line 3): 'size' is 'big', expected a finite "
        "number; row 3 (line 4): 'colour' is 'green', expected one of blue, red, (missing); row 5 "
        "(line 6): expected 3 fields, got 2; row 6 (line 7): 'weight' is 'inf', expected a finite "
        "number",
    ]


@pytest.mark.whole
def test_the_others_are_answered_as_alone(capsys):
    Path("new.csv").write_text("size,colour,weight\n1.5,red,2\n3,blue,4\n")
    alone = answers(capsys)[1]
    Path("new.csv").write_text("size,colour,weight\nx,red,2\n1.5,red,2\nx,,\n3,blue,4\n")
    code, lines, _ = answers(capsys)
    assert code == 1
    assert [lines[2][1:], lines[4][1:]] == [alone[1][1:], alone[2][1:]]


def test_numbers_that_become_too_large_are_one_row_alone(capsys):
    Path("new.csv").write_text("size,colour,weight\n1e308,red,1e308\n3,blue,4\n")
    code, lines, err = answers(capsys)
    assert (code, lines[1], bool(lines[2][1])) in ((0, lines[1], True), (1, ["1", "", ""], True))
    if code:
        assert "row 1 (line 2)" in err


def test_rows_none_of_which_can_be_answered(capsys):
    Path("new.csv").write_text("size,colour,weight\nx,red,2\n")
    code, lines, err = answers(capsys)
    assert (code, lines) == (1, [["row", "kind", "chance"], ["1", "", ""]])
    assert err.endswith("for 1 row: row 1 (line 2): 'size' is 'x', expected a finite number\n")


def test_rows_without_a_target_are_answered_and_not_scored(capsys):
    Path("new.csv").write_text("size,colour,weight,kind\n1,red,2,no\n3,blue,4,\n5,red,6,yes\n")
    code, lines, err = answers(capsys)
    assert (code, len(lines)) == (0, 4)
    assert "accuracy on these 2 rows: " in err
    assert main(["watch", MODEL, "new.csv", "--row", "2"]) == 2
    assert "no training step without a target: row 2: 'kind' is empty" in capsys.readouterr().err
    assert main(["draw", MODEL, "new.csv", "--row", "2", "--out", "x.gv"]) == 0
    assert "answer, row 2: data" in capsys.readouterr().out
    assert main(["check", MODEL, "new.csv"]) == 0
    assert "on 2 rows agree" in capsys.readouterr().out


@pytest.mark.some(2)
@pytest.mark.parametrize("command", ["draw", "watch"])
def test_a_row_that_cannot_be_read_is_named(command, capsys):
    Path("new.csv").write_text("size,colour,weight,kind\n1,red,2,no\n3,green,4,no\n5,red,6,yes\n")
    assert main([command, MODEL, "new.csv", "--row", "2"]) == 2
    assert "row 2 (line 3): 'colour' is 'green', expected one of" in capsys.readouterr().err
    assert main([command, MODEL, "new.csv", "--row", "3"]) == 0


@pytest.mark.whole
def test_rows_in_another_notation(capsys):
    Path("new.csv").write_text("size,colour,weight\n1234.5,red,2\n3.5,blue,4\n")
    plain = answers(capsys)[1]
    text = "size;colour;weight\n1.234,5;red;2\n3,5;blue;4\n"
    Path("new.csv").write_bytes(text.encode("utf-16"))
    assert answers(capsys)[0] == 1
    code, lines, _ = answers(capsys, "--decimal", ",")
    assert (code, lines) == (0, plain)


@pytest.mark.some(2)
@pytest.mark.parametrize("missing", ["drop", "error"])
def test_other_ways_with_gaps(missing, capsys):
    code = main([*TRAIN, "--missing", missing])
    err = capsys.readouterr().err
    if missing == "error":
        assert code == 2
        assert re.fullmatch(
            r"brickgrad: data.csv: line 5: 'size' is empty; .* and 13 more.*\n", err
        )
        return
    assert code == 0
    assert "18 rows with gaps left out" in err
    Path("new.csv").write_text("size,colour,weight\n1,red,2\n,red,2\n")
    code, lines, err = answers(capsys)
    assert (code, lines[2]) == (1, ["2", "", ""])
    assert "row 2 (line 3): 'size' is empty" in err


@pytest.mark.whole
def test_a_training_with_gaps_goes_on(capsys):
    constant = [*TRAIN, "--schedule", "constant"]  # else more steps are another schedule
    assert main([*constant, "--out", "whole"]) == 0
    assert main([*constant, "--steps", "15", "--checkpoint", "run.json", "--out", "part"]) == 0
    assert main([*constant, "--out", "part", "--resume", "run.json"]) == 0
    assert Path("part/model.json").read_bytes() == Path("whole/model.json").read_bytes()
    capsys.readouterr()
    assert main([*constant, "--out", "part", "--resume", "run.json", "--missing", "drop"]) == 2
    assert "run.json" in capsys.readouterr().err


@pytest.mark.whole
def test_a_file_without_names(capsys):
    lines = [line for line in rows() if line[0][:1].isdigit()]
    Path("bare.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    train = ["train", "bare.csv", "--target", "column 4", "--steps", "5", "--out", "bare"]
    assert main(train) == 0
    captured = capsys.readouterr()
    assert f"from {round(0.8 * len(lines))} rows" in captured.out
    assert "no names: the columns are 'column 1' to 'column 4'" in captured.err
    Path("new.csv").write_text("1.5,red,2\n")
    assert main(["predict", "bare/model.json", "new.csv"]) == 0
    assert capsys.readouterr().out.startswith("row,column 4,chance\n1,")


@pytest.mark.whole
def test_mutated_readings_give_an_answer_or_one_line_that_names_the_model(capsys, amount):
    """What the model says of columns is spoilt; no traceback, and nothing of another kind."""
    document = json.loads(Path(MODEL).read_text())
    good, rng = json.dumps(document["meta"]["reading"]).encode(), random.Random("readings")
    document["meta"]["reading"] = "HERE"
    whole, codes = json.dumps(document), set()
    for _ in range(amount(40, 150, 5_000)):
        spoilt = whole.replace('"HERE"', mutated_json(good, rng).decode())
        Path("m.json").write_text(spoilt)
        codes.add(main(["predict", "m.json", "data.csv"]))
        err = capsys.readouterr().err
        assert re.search(
            r"^brickgrad: (m\.json|row|data\.csv|no answer|missing|empty)|^acc|^not", err
        )
    assert codes >= {0, 2}


@pytest.mark.whole
def test_the_model_keeps_the_encoding_for_files_that_are_not_utf8(capsys):
    text = Path("data.csv").read_text().replace("red", "grün")
    Path("data.csv").write_bytes(text.encode("cp1252"))
    assert main(TRAIN) == 2
    assert main([*TRAIN, "--encoding", "cp1252"]) == 0
    answered = set()
    for encoding in ("cp1252", "utf-8", "utf-16"):
        Path("new.csv").write_bytes(text.encode(encoding))
        capsys.readouterr()
        code, lines, _ = answers(capsys)
        answered.add((code, str(lines)))
    assert len(answered) == 1
    assert answered.pop()[0] == 0
    Path("new.csv").write_bytes(text.encode("utf-16-le"))
    assert "not UTF-8 text" in answers(capsys)[2]
    assert answers(capsys, "--encoding", "utf-16-le")[0] == 0


@pytest.mark.whole
def test_one_bad_target_does_not_stop_the_others(capsys):
    Path("new.csv").write_text(
        "size,colour,weight,kind\n1,red,2,no\n3,blue,4,maybe\n,red,6,yes\n1,red\n"
    )
    code, _, err = answers(capsys)
    assert code == 1
    assert "accuracy on these 2 rows: " in err
    assert "; not scored: row 2 (line 3): 'kind' is 'maybe', expected one of no, yes\n" in err
    assert main(["watch", MODEL, "new.csv", "--row", "1"]) == 0
    assert main(["check", MODEL, "new.csv", "--rows", "1"]) == 0
    assert capsys.readouterr().err == "", "row 3 has a gap, row 2 another target: they do not count"
    assert main(["draw", MODEL, "new.csv", "--row", "2", "--out", "x.gv"]) == 0
    assert main(["watch", MODEL, "new.csv", "--row", "2"]) == 2
    err = capsys.readouterr().err
    assert err.endswith("target: row 2 (line 3): 'kind' is 'maybe', expected one of no, yes\n")
    assert main(["draw", MODEL, "new.csv", "--row", "3", "--out", "x.gv"]) == 0
    assert "rows learned from: 'size' (1)\n" in capsys.readouterr().err
    assert main(["draw", MODEL, "new.csv", "--row", "4"]) == 2
    assert "row 4 (line 5): expected 4 fields, got 2" in capsys.readouterr().err


def test_gaps_of_rows_without_an_answer_are_not_told(capsys):
    Path("new.csv").write_text("size,colour,weight\n,red,x\n,green,2\n,red,2\n")
    assert "rows learned from: 'size' (1)\n" in answers(capsys)[2]


@pytest.mark.whole
def test_rows_of_separators_alone_keep_their_numbers(capsys):
    Path("new.csv").write_text("size,colour,weight\n1,red,2\n3,blue,4\n")
    alone = answers(capsys)[1]
    Path("new.csv").write_text("size,colour,weight\n1,red,2\n,,\n3,blue,4\n,,\n")
    code, lines, err = answers(capsys)
    assert (code, [line[0] for line in lines]) == (1, ["row", "1", "2", "3"])
    assert (lines[1][1:], lines[2][1:], lines[3][1:]) == (alone[1][1:], ["", ""], alone[2][1:])
    assert "row 2 (line 3): every cell is empty" in err
    assert main(["draw", MODEL, "new.csv", "--row", "3", "--out", "x.gv"]) == 0
    lines = [f"{k * 10},{k % 4 + 0.5}\n" if k % 5 else ",\n" for k in range(1, 61)]
    Path("holes.csv").write_text("a,y\n" + "".join(lines))
    rows, _ = read_rows("holes.csv", "y", Wishes(missing="fill", number=["a"]))
    plan = plan_for(rows, (2,), 0.2, 0)
    assert [x for (x,) in plan.rows.xs] == [10 * number for number in plan.numbers]


@pytest.mark.whole
def test_texts_of_the_rest_are_counted(capsys):
    towns = [f"t{k % 8}" if k % 3 else f"m{k // 3}" for k in range(120)]
    Path("data.csv").write_text(
        "town,x,kind\n"
        + "".join(f"{t},{k * 7 % 11},{['a', 'b'][k % 2]}\n" for k, t in enumerate(towns))
    )
    assert main(TRAIN) == 0
    capsys.readouterr()
    Path("new.csv").write_text("town,x\nt1,1\nnowhere,2\nnever,3\n")
    code, _, err = answers(capsys)
    assert code == 0
    assert "texts that were not learned one by one: 'town': 'other' (2)\n" in err
