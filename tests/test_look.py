import re
import shlex

import pytest

from nn.cli import main, parser
from nn.found import Wishes
from nn.look import AS_USUAL, line_to_type, look
from nn.recipe import recipe_for
from nn.sheet import FOUND

DAYS = [f"2024-01-{k % 28 + 1:02}" for k in range(60)]
TEXT = "id,size,colour,day,k,y\n" + "".join(
    f"{k},{k * 7 % 11 if k % 4 else ''},{['red', 'blue'][k % 2]},{DAYS[k]},5,{k % 3}\n"
    for k in range(60)
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my data.csv"
    path.write_text(TEXT)
    return path


def test_a_file_column_by_column(path):
    lines, warnings, is_readable = look(path, "y", Wishes(missing="fill"), FOUND)
    assert is_readable
    assert lines[0] == f"{path}: 60 rows of 6 columns, separated by commas; with names"
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[3:-1]}
    assert rows == {
        "id": "left out 0 (1), 1 (1), 2 (1) and 57 more",
        "size": "numbers 15 0 to 10",
        "colour": "texts red (30), blue (30)",
        "day": "left out 2024-01-01 (3), 2024-01-02 (3), 2024-01-03 (3) and 25 more",
        "k": "left out 5 (60)",
        "y": "target: classes 0 (20), 1 (20), 2 (20)",
    }
    said = "\n".join(warnings)
    for words in (
        "left out: 'id' counts the rows",
        "left out: 'day' holds dates or times",
        "left out: 'k' is the same in every row",
        "'size' (15): missing cells hold the median",
        "'y': whole numbers (0, 1, 2) learned as classes",
    ):
        assert words in said


def test_the_command_to_type_is_one_that_works(path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = ["--target", "y", "--ignore", "k", "--text", "size", "--numbers", "--missing", "drop"]
    assert main(["look", "my data.csv", *given]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    words = shlex.split(line.partition(" train ")[2])
    assert words[0] == "my data.csv"
    assert {*given} <= {*words}
    assert main(["train", *words, "--steps", "2", "--layers", "2"]) == 0


def test_without_a_target_a_word_is_to_be_replaced(path, capsys):
    assert main(["look", str(path)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(" --target COLUMN")
    assert line_to_type("brickgrad", "a.csv", None, []) == "brickgrad train a.csv --target COLUMN"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a;y\n1,234;1\n2,345;2\n",
            "'a' holds '1,234', which is 1,234 or 1.234: say --thousands ,",
        ),
        ("a,y\n1,2\n3,4\n5\n6,7\n", "line 4: expected 2 fields, got 1"),
        ("a,y\n1,2\nx,4\n5,6\n", "line 3: 'a' is 'x', expected a finite number"),
    ],
)
def test_what_has_to_be_decided_first(path, capsys, text, words):
    path.write_text(text)
    assert main(["look", str(path), "--target", "y"]) == 1
    out = capsys.readouterr().out
    assert f"- cannot be read: {words}" in out
    assert out.endswith("Decide this first, by an option or in the file; then look again.\n")


def test_many_columns_and_long_names_stay_readable(path):
    names = [f"a long name of a column, number {k}" for k in range(300)]
    path.write_text(
        ";".join(names) + "\n" + ";".join("1" * 300) + "\n" + ";".join("2" * 300) + "\n"
    )
    lines, _, _ = look(path, None, Wishes(), FOUND)
    assert lines[-2] == "  and 100 more columns"
    assert max(map(len, lines[2:])) < 80


def test_a_column_that_gives_the_target_away_is_named(path):
    path.write_text("a,b,y\n" + "".join(f"{k % 7},{'uv'[k % 2]},{k % 2}\n" for k in range(60)))
    _, warnings, _ = look(path, "y", Wishes(missing="fill"), FOUND)
    assert any("'b' gives 'y' away" in line for line in warnings)


def test_control_characters_of_a_file_reach_no_terminal(path, capsys):
    path.write_text("a\x1b[2J,y\nu\x07,1\nv,2\nu\x07,1\n")
    assert main(["look", str(path), "--target", "y"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def shown(tmp_path, text, *options):
    """The lines of the table of such a file, by column."""
    path = tmp_path / "a.csv"
    path.write_text(text)
    lines = look(path, "y", Wishes(missing="fill"), FOUND)[0]
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines[3:-1]}


def test_the_table_says_what_the_lines_say(tmp_path):
    text = "a,y\n" + "".join(f"{k % 7},{['0', '1.0', 'NA', '?', ''][k % 5]}\n" for k in range(60))
    assert shown(tmp_path, text)["y"] == "target: classes 36 0 (12), 1 (12)"
    text = "a,b,y\n" + "".join(f"{k % 7},{k if k % 9 else 'x1'},{k}\n" for k in range(60))
    assert shown(tmp_path, text)["b"].startswith("to be decided x1 (7), 1 (1)")


@pytest.mark.some(3)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("name", "target", "options"),
    [("-d.csv", "-x", []), ("d.csv", "-x", ["--ignore=-a"]), ("my d.csv", "y", ["--text=-x"])],
)
def test_names_that_begin_like_options(tmp_path, monkeypatch, capsys, name, target, options):
    monkeypatch.chdir(tmp_path)
    lines = [f"{k * 3 % 7},{k % 2},{k % 5},{k * 7 % 11}\n" for k in range(40)]
    (tmp_path / name).write_text("-a,-x,y,z\n" + "".join(lines))
    path = f"./{name}"
    assert main(["look", path, f"--target={target}", *options]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    words = shlex.split(line.partition(" train ")[2])
    assert main(["train", *words, "--steps", "2", "--layers", "2"]) == 0
    if name.startswith("-"):
        with pytest.raises(SystemExit):
            main(["look", name])
        assert "a file whose name begins with - is written ./-d.csv" in capsys.readouterr().err


def seen(tmp_path, text, target="y"):
    path = tmp_path / "seen.csv"
    path.write_text(text)
    lines, warnings, is_readable = look(path, target, Wishes(missing="fill"), FOUND)
    cells = [re.split(" {3,}", line.strip()) for line in lines[3:-1]]
    return {name: (*kind, "")[0] for name, *kind in cells}, warnings, is_readable


def test_what_is_to_be_decided_has_no_kind_yet(tmp_path):
    rows = "".join(f"{k},5;{k + 100}.017\n" for k in range(30))
    kinds, _, is_readable = seen(tmp_path, f"a;y\n{rows}")
    assert not is_readable
    assert (kinds["a"], kinds["y"]) == ("numbers", "to be decided")


def test_the_target_of_a_wide_file_is_shown(tmp_path):
    names = ",".join(f"x{k}" for k in range(250))
    rows = "".join(
        ",".join(str((k * j) % 7) for j in range(2, 252)) + f",{k % 2}\n" for k in range(9)
    )
    kinds, _, _ = seen(tmp_path, f"{names},y\n{rows}")
    assert kinds["y"] == "target: classes"
    assert len(kinds) == 201  # with the line that says how many more there are


def test_what_train_says_of_odd_rows_is_said(tmp_path):
    rows = "".join(f"{-999 if k % 8 == 1 else k * 7 % 31},{k * 5 % 17}\n" for k in range(100))
    _, (line,), is_readable = seen(tmp_path, f"a,y\n{rows}")
    assert is_readable
    assert "'a' (-999 in " in line
    _, (line,), _ = seen(tmp_path, "a,y\n1,2\n2,4\n")
    assert line.startswith("train would refuse these rows: --keep-aside 0.2 of 2 rows leaves none")


def test_look_supposes_what_train_does_unless_told_otherwise():
    usual = parser().parse_args(["train", "a.csv", "--target", "y"])
    assert AS_USUAL[:3] == (usual.layers, usual.keep_aside, usual.seed)
    wishes = {name: getattr(usual, name) for name in ("lr", "schedule", "batch", "steps")}
    for rows in (50, 500):
        wanted = recipe_for(rows, usual.optimizer, hold_out=usual.hold_out, **wishes)
        assert AS_USUAL[3](rows) == wanted
