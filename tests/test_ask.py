"""Asking a trained net: `predict`, `draw`, `watch`, `check`."""

import csv
import io
import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import IRIS, QUICK, fails
from hostile import HOSTILE

import nn.commands.ask
from engine.pictures.texts import visible
from nn.cli import main
from nn.data import iris
from nn.module import MLP
from nn.save import save
from nn.task import load_task

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.whole
def test_predict_answers_each_row(trained, capsys):
    assert main(["predict", str(trained / "model.json"), IRIS]) == 0
    captured = capsys.readouterr()
    rows = list(csv.DictReader(captured.out.splitlines()))
    assert [row["row"] for row in rows] == [str(i) for i in range(1, 151)]
    names = ("setosa", "versicolor", "virginica")
    right = sum(row["species"] == names[y] for row, y in zip(rows, iris().ys, strict=True))
    assert right > 130
    assert captured.err == f"accuracy on these 150 rows: {right / 150:.1%}\n"
    assert all(1 / 3 < float(row["chance"]) <= 1 for row in rows)


def test_predict_shows_how_far_it_is_with_many_rows(trained, capsys, monkeypatch):
    main(["predict", str(trained / "model.json"), IRIS])
    few = capsys.readouterr()
    monkeypatch.setattr("nn.progress.SECONDS_BETWEEN_LINES", 0)
    monkeypatch.setattr(nn.commands.ask, "MANY", 150)
    monkeypatch.setattr(nn.commands.ask, "PART", 60)
    main(["predict", str(trained / "model.json"), IRIS])
    out, err = capsys.readouterr()
    assert err.splitlines()[:3] == [f"{n} of 150: rows answered" for n in (60, 120, 150)]
    assert (out, err.splitlines()[3:]) == (few.out, few.err.splitlines())


def test_predict_takes_raw_rows_in_any_order_of_columns(trained, capsys):
    assert main(["predict", str(trained / "model.json"), IRIS]) == 0
    answers = capsys.readouterr().out
    rows = list(csv.DictReader(Path(IRIS).read_text().splitlines()))
    with open("raw.csv", "w", newline="") as file:
        names = ["note", *reversed(iris().features)]
        lines = csv.DictWriter(file, names, extrasaction="ignore")
        lines.writeheader()
        lines.writerows({"note": "any text", **row} for row in rows)
    assert main(["predict", str(trained / "model.json"), "raw.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out == answers
    assert captured.err.startswith("not scored: raw.csv: no column 'species'")


@pytest.mark.whole
def test_predict_into_a_pipe_that_closes(trained, start):
    wide = Path("wide.csv")
    names, *rows = Path(IRIS).read_text().splitlines()
    wide.write_text("\n".join([names, *rows * 40]))
    process = start("predict", trained / "model.json", wide)
    assert process.stdout.readline() == "row,species,chance\n"
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=60)


def test_draw_shows_the_loss_of_one_row(trained, capsys):
    assert main(["draw", str(trained / "model.json"), IRIS, "--row", "3"]) == 0
    assert "the net's answer: setosa" in capsys.readouterr().out
    text = (trained / "row-3.svg").read_text()
    assert "loss, row 3: setosa" in text
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "loss" in text
    assert "petal width (cm)" in text


def test_draw_shows_every_parameter_if_asked(trained):
    arguments = ["draw", str(trained / "model.json"), IRIS, "--max-nodes", "1000", "--out"]
    assert main([*arguments, "all.gv"]) == 0
    assert len(re.findall(r"<B>w\d</B>", Path("all.gv").read_text())) == 4 * 4 + 4 * 3


def test_draw_shows_the_answer_of_a_row_without_target(trained, capsys):
    Path("raw.csv").write_text(re.sub(",[^,]*$", "", Path(IRIS).read_text(), flags=re.M))
    arguments = ["draw", str(trained / "model.json"), "raw.csv", "--row", "150", "--out", "x.gv"]
    assert main(arguments) == 0
    assert "answer, row 150: data" in capsys.readouterr().out
    assert Path("x.gv").read_text().startswith("digraph")


@pytest.mark.whole
def test_draw_an_amount_without_target(amounts, capsys):
    Path("raw.csv").write_text("b,a\nyes,1\nno,2\n")
    assert main(["draw", str(amounts / "model.json"), "raw.csv", "--row", "2"]) == 0
    assert "the net's answer: " in capsys.readouterr().out


def test_watch_records_a_step_and_leaves_the_net_alone(trained, capsys):
    before = (trained / "model.json").read_bytes()
    arguments = ["watch", str(trained / "model.json"), IRIS, "--row", "3", "--lr", "0.1"]
    assert main([*arguments, "--out", "step.html"]) == 0
    out = capsys.readouterr().out
    _, old, new = re.search(
        r"events, rate 0.1; done: (the loss went from) (\S+) to (\S+)\n", out
    ).groups()
    assert float(new) < float(old)
    assert out.endswith("Open next: step.html\n")
    text = Path("step.html").read_text()
    assert f"done: the loss went from {old} to {new}" in text
    assert "<title>row 3, setosa: loss = " in text
    assert "petal width (cm)" in text
    assert (trained / "model.json").read_bytes() == before
    assert main(arguments) == 0
    assert (trained / "row-3.html").read_text() == text


@pytest.mark.some(2)
@pytest.mark.parametrize("name", ["forgotten zero_grad", "learning rate too high"])
def test_watch_shows_a_mistake(trained, capsys, name):
    assert main(["watch", str(trained / "model.json"), IRIS, "--mistake", name]) == 0
    assert "the first number that differs: " in capsys.readouterr().out
    assert name in (trained / "row-1.html").read_text()


@pytest.mark.usefixtures("plain")
def test_watch_says_where_a_mistake_does_not_show(capsys):
    """A net of zeros is right about the mean: all gradients are 0, and so is what is left over."""
    Path("line.csv").write_text("a,y\n" + "".join(f"{a},{2 * a}\n" for a in range(9)))
    assert main(["train", "line.csv", "--target", "y", *QUICK, "--keep-aside", "0"]) == 0
    model, task = load_task("brickgrad-train/model.json")
    model.load_state_dict(dict.fromkeys(model.state_dict(), 0.0))
    save(model, "zeros.json", task.meta())
    capsys.readouterr()
    arguments = ["--row", "5", "--mistake", "forgotten zero_grad"]
    assert main(["watch", "zeros.json", "line.csv", *arguments]) == 0
    assert "no number differs on this row" in capsys.readouterr().out


@pytest.mark.whole
def test_watch_takes_a_rate_at_which_the_loss_falls(amounts, capsys):
    model, task = load_task(amounts / "model.json")
    last = [w for neuron in model.layers[-1].neurons for w in neuron.w]
    for w in last:
        w.data *= 30
    save(model, "steep.json", task.meta())
    arguments = ["watch", "steep.json", str(amounts / "data.csv"), "--row", "2"]
    words = re.compile(r"events, rate (\S+); done: the loss went from (\S+) to (\S+)\n")
    assert main(arguments) == 0
    rate, old, new = map(float, words.search(capsys.readouterr().out).groups())
    assert (rate < 0.05, new < old) == (True, True)
    assert main([*arguments, "--lr", "0.05"]) == 0
    rate, old, new = map(float, words.search(capsys.readouterr().out).groups())
    assert (rate, new > old) == (0.05, True)


@pytest.mark.whole
def test_watch_an_amount(amounts, capsys):
    assert main(["watch", str(amounts / "model.json"), str(amounts / "data.csv")]) == 0
    assert "done: the loss went from" in capsys.readouterr().out
    assert "<title>row 1, " in (amounts / "row-1.html").read_text()


def test_watch_needs_a_target(trained, capsys):
    Path("raw.csv").write_text(re.sub(",[^,]*$", "", Path(IRIS).read_text(), flags=re.M))
    text = fails(capsys, "watch", trained / "model.json", "raw.csv")
    assert "no training step without a target: raw.csv: no column 'species'" in text


def test_watch_writes_pages_only(trained, capsys):
    text = fails(capsys, "watch", trained / "model.json", IRIS, "--out", "step.svg")
    assert "name ending in .html, got 'step.svg'" in text


def test_check_finds_right_gradients(trained, capsys):
    assert main(["check", str(trained / "model.json"), IRIS]) == 0
    assert "All 35 gradients of the loss on 3 rows agree" in capsys.readouterr().out


def test_check_finds_wrong_gradients(trained, capsys, monkeypatch):
    backward = nn.task.cross_entropy
    monkeypatch.setattr(
        nn.task, "cross_entropy", lambda z, y: backward(z, y) + z[0][0].detach() * z[0][0]
    )
    assert main(["check", str(trained / "model.json"), IRIS]) == 1
    text = capsys.readouterr().out
    assert "is wrong" in text
    assert "layers." in text


def stranger(path, text):
    """A CSV file with a text as the name of each column, as classes and as categories."""
    counts = [f"n{k}" for k in range(12)]  # so that commas are the most frequent delimiter
    kinds = [f"{text}{k}" for k in range(3)]
    with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([*counts, f"of {text}", f"is {text}"])
        lines.writerows([*[k] * len(counts), kinds[k % 2], kinds[k % 3]] for k in range(12))
    return f"is {text}".strip(), [kind.strip() for kind in kinds]


TEXTS = [*HOSTILE, "\x1b[2J\x1b]0;title\x07", "\x9b2J"]


@pytest.mark.some(30)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_terminal_gets_no_control_characters(text, capsys, monkeypatch, plain):
    target, kinds = stranger("data.csv", text)
    stranger("other.csv", f"other {text}")
    net, small = "out/model.json", ["--layers", "2", "--steps", "3", "--out", "out"]
    commands = {
        ("train", "data.csv", "--target", target, *small): 0,
        ("predict", net, "data.csv"): 0,
        ("check", net, "data.csv"): 0,
        ("draw", net, "data.csv"): 0,
        ("watch", net, "data.csv"): 0,
        ("watch", net, "data.csv", "--mistake", "wrong order"): 0,
        ("train", "data.csv", "--target", f"no {target}"): 2,
        ("train", "data.csv", "--target", target, "--ignore", f"no {text}"): 2,
        ("check", net, "other.csv"): 2,
        ("predict", f"no {net}{text}", "data.csv"): 2,
        ("train", "data.csv", "--target", target, "--optimizer", text): 2,
    }
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    codes = []
    for command in commands:
        try:
            codes.append(main(command))
        except SystemExit as end:
            codes.append(end.code)
    is_utf8 = "\ud800" not in text
    assert codes == ([*commands.values()] if is_utf8 else [2] * len(commands))
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).split("\n"):
        assert line == visible(line)
    assert (f",{visible(kinds[0])}," in captured.out) == (is_utf8 and '"' not in text)


@pytest.mark.some(10)
@pytest.mark.parametrize("place", range(len(TEXTS)))
def test_a_file_of_answers_holds_the_classes_as_they_are(place, capsys, plain):
    text = TEXTS[place].replace("\ud800", "")
    target, kinds = stranger("data.csv", text)
    small = ["--layers", "2", "--steps", "3", "--out", "out"]
    assert main(["train", "data.csv", "--target", target, *small]) == 0
    capsys.readouterr()
    assert main(["predict", "out/model.json", "data.csv"]) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
    assert header == ["row", target, "chance"]
    assert {answer for _, answer, _ in rows} <= set(kinds)


def spoilt(trained, change):
    """A model's file with something changed."""
    document = json.loads((trained / "model.json").read_text())
    change(document)
    Path("model.json").write_text(json.dumps(document))
    return "model.json"


def large_weights(document):
    document["weights"] = dict.fromkeys(document["weights"], 1e308)


def small_scales(document):
    document["meta"]["scaling"] = {"means": [1e308] * 4, "scales": [1e-300] * 4}


LARGE = {
    large_weights: "row 1: the net answers [-inf, -inf, -inf], expected finite numbers",
    small_scales: "row 1: 'sepal length (cm)' is 5.1, which becomes -inf when it is scaled",
}


def test_check_shows_how_far_it_is_and_says_so_after_ctrl_c(trained, capsys, monkeypatch):
    monkeypatch.setattr("nn.progress.SECONDS_BETWEEN_LINES", 0)
    monkeypatch.setattr(nn.commands.ask, "AT_ONCE", 10)
    check_grads, calls = nn.commands.ask.check_grads, []

    def stopping(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        check_grads(*arguments, **settings)

    monkeypatch.setattr(nn.commands.ask, "check_grads", stopping)
    assert main(["check", str(trained / "model.json"), IRIS, "--rows", "1"]) == 130
    total = sum(len(layer.parameters()) for layer in load_task(trained / "model.json")[0].layers)
    assert capsys.readouterr().err == (
        f"0 of {total}: gradients compared\n10 of {total}: gradients compared\n"
        f"brickgrad: stopped by Ctrl-C: 10 of {total} gradients were compared, they agree\n"
    )


@pytest.mark.parametrize("command", ["check", "draw"])
@pytest.mark.parametrize("change", LARGE)
def test_numbers_that_are_too_large_are_named_before_anything_is_written(
    trained, capsys, command, change
):
    model = spoilt(trained, change)
    assert main([command, model, IRIS]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.replace(" (line 2)", "").startswith(f"brickgrad: {LARGE[change]}")
    assert os.listdir() == ["model.json"]


@pytest.mark.parametrize("change", LARGE)
def test_numbers_that_are_too_large_have_no_answer(trained, capsys, change):
    assert main(["predict", spoilt(trained, change), IRIS]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("row,species,chance\n1,,\n2,,\n")
    assert LARGE[change].partition(": ")[2] in captured.err


def test_an_amount_that_is_too_large(amounts, capsys):
    def change(document):
        document["meta"]["target_scaling"] = {"means": [1.7e308], "scales": [1.7e308]}
        document["weights"]["layers.2.neurons.0.b"] = 100.0

    assert main(["predict", spoilt(amounts, change), str(amounts / "data.csv")]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("row,y\n1,\n2,\n")
    assert "row 1 (line 2): the net answers [inf], expected finite numbers" in captured.err


def test_a_loss_that_is_too_large_has_no_gradients_to_check(amounts, capsys):
    def change(document):
        document["weights"]["layers.2.neurons.0.b"] = 1e200

    words = fails(capsys, "check", spoilt(amounts, change), amounts / "data.csv")
    assert "the loss on 3 rows is inf: expected a finite number to compare" in words


def test_columns_that_are_too_large_to_be_scaled(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{k}e307,{k}\n" for k in range(10, 18)))
    words = fails(capsys, "train", "data.csv", "--target", "y", "--keep-aside", 0)
    assert "standardise expected smaller numbers, got a column from 1e+308 to 1.7e+308" in words


def test_texts_that_are_no_utf8(trained, capsys):
    def change(document):
        document["meta"]["classes"][0] = "\ud800"

    assert "surrogates not allowed" in fails(capsys, "predict", spoilt(trained, change), IRIS)


def test_a_large_picture_tells_its_size(trained, capsys, monkeypatch):
    monkeypatch.setattr(nn.commands.ask, "LARGEST", 500)
    assert main(["draw", str(trained / "model.json"), IRIS, "--out", "x.svg"]) == 0
    found = re.search(r"([\d,]+) x ([\d,]+) pixels", capsys.readouterr().err)
    width, height = (number.replace(",", "") for number in found.groups())
    root = ElementTree.parse("x.svg").getroot()
    factor = 4 / 3 if root.get("width").endswith("pt") else 1
    assert int(width) == pytest.approx(factor * float(root.get("width").strip("pt")), abs=1)
    assert int(height) == pytest.approx(factor * float(root.get("height").strip("pt")), abs=1)


@pytest.mark.parametrize("command", ["draw", "watch"])
@pytest.mark.parametrize("row", [0, -1, 151])
def test_rows_that_are_not_there(trained, capsys, command, row):
    message = fails(capsys, command, trained / "model.json", IRIS, "--row", row)
    assert f"has rows 1 to 150, got --row {row}" in message


def test_a_picture_of_an_unknown_kind(trained, capsys):
    message = fails(capsys, "draw", trained / "model.json", IRIS, "--out", "x.bmp")
    assert ".svg" in message


def test_a_file_without_a_column_of_the_net(trained, capsys):
    Path("data.csv").write_text("sepal length (cm),species\n1,setosa\n")
    message = fails(capsys, "predict", trained / "model.json", "data.csv")
    assert "no column 'sepal width (cm)'" in message


def test_text_in_a_column_of_numbers(trained, capsys):
    Path("data.csv").write_text(",".join(iris().features) + "\n1,2,3,4\n1,2,3,four\n")
    assert main(["predict", str(trained / "model.json"), "data.csv"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "2,,"
    why = "row 2 (line 3): 'petal width (cm)' is 'four', expected a finite number"
    assert captured.err.endswith(f"brickgrad: no answer for 1 row: {why}\n")
    assert why in fails(capsys, "draw", trained / "model.json", "data.csv", "--row", 2)


def test_check_without_a_target(trained, capsys):
    Path("data.csv").write_text(",".join(iris().features) + "\n1,2,3,4\n")
    message = fails(capsys, "check", trained / "model.json", "data.csv")
    assert "no loss without a target: data.csv: no column 'species'" in message


def test_a_net_saved_by_other_means(capsys):
    save(MLP(2, [1], seed=0), "plain.json")
    message = fails(capsys, "predict", "plain.json", IRIS)
    assert "expected a model.json of `brickgrad train`" in message
