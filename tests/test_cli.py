import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hostile import HOSTILE

import nn.cli
import nn.plan
from engine.pictures.drawing.picture import visible
from engine.replay import backends
from nn.cli import COMMANDS, main
from nn.data import iris, load_csv, split
from nn.history import History
from nn.module import MLP
from nn.optim import SGD
from nn.save import save
from nn.task import load_task
from nn.train import fit

ROOT = Path(__file__).parents[1]
IRIS = str(ROOT / "nn" / "iris.csv")
TRAIN = ["train", IRIS, "--target", "species"]
SMALL = ["--layers", "4"]
QUICK = ["--steps", "300", *SMALL]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plain(monkeypatch):
    """Trainings leave no plots, as without matplotlib: plots take most of a short one's time."""
    monkeypatch.setattr(nn.trial, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder that a training on iris left."""
    out = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN, *QUICK, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def amounts(tmp_path_factory):
    """The folder of a training on y = 3 a + 100 [b = yes], and the file."""
    folder = tmp_path_factory.mktemp("amounts")
    rows = [(a, b, 3 * a + 100 * (b == "yes")) for a in range(20) for b in ("yes", "no")]
    text = "\n".join(["a;b;y", *(";".join(map(str, row)) for row in rows)])
    (folder / "data.csv").write_text(text)
    arguments = ["train", folder / "data.csv", "--target", "y", "--steps", 2000, "--out", folder]
    assert main([*map(str, arguments)]) == 0
    return folder


def run(*arguments, **settings):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nn.cli", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
        **settings,
    )


@pytest.fixture
def start():
    """Starts the command; what still runs after the test is stopped."""
    started = []
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a command inherits "ignore"

    def begin(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "nn.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield begin
    signal.signal(signal.SIGINT, former)
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def fails(capsys, *arguments):
    """The one line on stderr of a command that ends with exit code 2."""
    try:
        code = main([*map(str, arguments)])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.startswith("brickgrad: ")
    assert captured.err.count("\n") == 1
    return captured.err


# --- demo -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    start = time.monotonic()
    done = run("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 60
    return folder / "brickgrad-demo", done.stdout


def figures(text, name):
    """The numbers of a table's line."""
    [line] = [line for line in text.splitlines() if re.match(rf"  {re.escape(name)}  ", line)]
    return [float(word.strip("%").replace(",", "")) for word in line[len(name) + 2 :].split()[:2]]


def test_demo_shows_both_ways_side_by_side(demonstrated):
    _, text = demonstrated
    assert figures(text, "points in one step") == [120, 1]
    assert figures(text, "points looked at") == [200 * 120, 6000]
    assert all(loss < 0.1 for loss in figures(text, "loss"))
    assert all(share > 95 for share in figures(text, "accuracy"))
    assert all(share > 90 for share in figures(text, "accuracy on 30 others"))
    assert re.search(r"time +[\d.]+ s +[\d.]+ s", text)


def test_demo_finds_that_one_point_at_a_time_needs_fewer_points(demonstrated):
    slow, fast = figures(demonstrated[1], "points looked at until loss 0.1")
    assert fast * 5 < slow


def test_demo_leaves_its_files(demonstrated):
    pytest.importorskip("matplotlib")
    out, text = demonstrated
    names = ["boundary.svg", "curves.svg", "graph.svg", "history.csv", "model.json", "step.html"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert all(f"brickgrad-demo{os.sep}{name}" in text for name in names)
    for name in names[:3]:
        assert ElementTree.parse(out / name).getroot().tag.endswith("svg")


def test_the_graph_of_the_demo_has_every_neuron_and_its_gradients(demonstrated):
    text = (demonstrated[0] / "graph.svg").read_text()
    assert "not computed" not in text
    assert "sepal length (cm)" in text
    assert all(f"neuron {i}" in text for i in range(8))
    assert len(re.findall(r">sum\|grad\|[^:]{0,2}<", text)) == 8 + 3
    assert "sum|grad|: the sizes" in text.replace("\u00a0", " ").replace("&#160;", " ")
    assert "neuron 2: virginica" in text.replace("\u00a0", " ").replace("&#160;", " ")


def test_the_history_of_the_demo_has_both_ways(demonstrated):
    rows = list(csv.DictReader((demonstrated[0] / "history.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["gradient descent"] * 200 + ["stochastic"] * 6000
    assert rows[199]["points_seen"] == "24000"
    assert float(rows[199]["loss"]) < float(rows[0]["loss"]) / 10


def test_what_the_demo_says_to_try_works(demonstrated, capsys, monkeypatch):
    out, text = demonstrated
    monkeypatch.chdir(out.parent)
    commands = ("train", "predict", "draw", "watch")
    for command, line in zip(commands, text.splitlines()[-4:], strict=True):
        assert main([command, *line.partition(f" {command} ")[2].split()]) == 0


@pytest.mark.parametrize(
    ("found", "called", "expected"),
    [
        ("/usr/bin/brickgrad", "/usr/bin/brickgrad", "brickgrad"),
        (None, ".venv/bin/brickgrad", str(Path(".venv/bin/brickgrad"))),
        (None, "/somewhere/nn/cli.py", "python -m nn.cli"),
    ],
)
def test_commands_to_paste_name_the_program(monkeypatch, found, called, expected):
    monkeypatch.setattr(nn.cli.shutil, "which", lambda name: found)
    monkeypatch.setattr(sys, "argv", [called])
    assert nn.cli.program() == expected


def test_demo_without_matplotlib_says_what_is_missing(plain, capsys):
    assert main(["demo", "--out", "here"]) == 0
    assert sorted(os.listdir("here")) == ["graph.svg", "history.csv", "model.json", "step.html"]
    assert "they need matplotlib: pip install matplotlib" in capsys.readouterr().out


@pytest.mark.usefixtures("plain")
def test_one_seed_gives_one_model():
    for out in ("a", "b"):
        assert main([*TRAIN, *QUICK, "--seed", "3", "--backend", "numpy", "--out", out]) == 0
    assert Path("a/model.json").read_bytes() == Path("b/model.json").read_bytes()


# --- train ------------------------------------------------------------------------------------


def test_train_keeps_columns_scaling_and_classes(trained):
    meta = json.loads((trained / "model.json").read_text())["meta"]
    assert meta["columns"] == list(iris().features)
    assert meta["classes"] == ["setosa", "versicolor", "virginica"]
    assert meta["target"] == "species"
    assert len(meta["scaling"]["means"]) == len(meta["scaling"]["scales"]) == 4


def test_train_writes_one_line_a_step(trained):
    assert len((trained / "history.csv").read_text().splitlines()) == 1 + 300


@pytest.mark.usefixtures("plain")
def test_train_says_what_it_cost_and_what_was_reached(capsys):
    assert main([*TRAIN, *QUICK, "--batch", "5"]) == 0
    text = capsys.readouterr().out
    assert "4 -> 4 -> 3, 35 parameters" in text
    for line in (r"points in one step +5", r"points looked at +1,500", r"accuracy +\d\d\.\d%"):
        assert re.search(line, text), line
    assert Path("brickgrad-train/model.json").exists()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_train_with_each_optimizer(optimizer, capsys):
    arguments = ["--optimizer", optimizer, "--batch", "all", "--steps", "5", "--lr", "0.1"]
    assert main([*TRAIN, *SMALL, *arguments]) == 0
    assert re.search(r"learning rate +0\.1\n", capsys.readouterr().out)


@pytest.mark.usefixtures("plain")
def test_train_on_all_rows(capsys):
    assert main([*TRAIN, *QUICK, "--keep-aside", "0"]) == 0
    text = capsys.readouterr().out
    assert "from 150 rows.\n" in text
    assert "others" not in text


@pytest.mark.usefixtures("plain")
def test_rows_kept_aside_do_not_touch_the_training():
    arguments = ["train", "data.csv", "--target", "y", *QUICK, "--seed", "5", "--backend", "numpy"]
    n = 300  # so that some of those learned from are held out, too
    Path("data.csv").write_text("a,y\n" + "".join(f"{a},{2 * a}\n" for a in range(n)))
    assert main(arguments) == 0
    before = load_task("brickgrad-train/model.json")[0].state_dict()
    _, aside = split(load_csv("data.csv", "y"), 0.8, seed=5)
    ys = [7000 if [a] in aside.xs else 2 * a for a in range(n)]
    Path("data.csv").write_text("a,y\n" + "".join(f"{a},{y}\n" for a, y in enumerate(ys)))
    assert main(arguments) == 0
    assert load_task("brickgrad-train/model.json")[0].state_dict() == before


def test_train_learns_amounts_and_texts(amounts, capsys):
    assert main(["predict", str(amounts / "model.json"), str(amounts / "data.csv")]) == 0
    captured = capsys.readouterr()
    answers = [float(row["y"]) for row in csv.DictReader(captured.out.splitlines())]
    expected = [3 * a + b for a in range(20) for b in (100, 0)]
    assert max(abs(a - e) for a, e in zip(answers, expected, strict=True)) < 10
    assert "typical error on these 40 rows: " in captured.err
    error = float(captured.err.split()[-1])
    mean = sum((a - e) ** 2 for a, e in zip(answers, expected, strict=True)) / 40
    assert error == pytest.approx(mean**0.5, rel=1e-3)


@pytest.mark.usefixtures("plain")
def test_a_training_goes_on_by_one_flag(capsys):
    """The one that was stopped has the net and the history of the one that was not."""
    whole = [*TRAIN, *SMALL, "--steps", "90", "--batch", "40", "--schedule", "constant"]
    whole += ["--backend", "python"]
    part = [*whole, "--steps", "40", "--checkpoint", "run.json", "--every", "15", "--out", "b"]
    assert main([*whole, "--out", "a"]) == main(part) == 0
    assert json.loads(Path("run.json").read_text())["history"]["step"] == [*range(40)]
    assert main([*whole, "--out", "b", "--resume", "run.json"]) == 0
    assert json.loads(Path("run.json").read_text())["history"]["step"] == [*range(90)]
    assert Path("a/model.json").read_bytes() == Path("b/model.json").read_bytes()
    loss = [
        [row["loss"] for row in csv.DictReader(Path(out, "history.csv").read_text().splitlines())]
        for out in "ab"
    ]
    assert loss[0] == loss[1]
    assert len(loss[0]) == 90


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("backend", backends.NAMES)
def test_a_named_backend_gives_the_same_bits_and_is_kept(backend, capsys):
    try:
        backends.backend(backend)
    except RuntimeError as reason:
        pytest.skip(str(reason))
    train = [*TRAIN, *SMALL, "--steps", "60", "--batch", "40", "--backend", backend]
    for out in "ab":
        assert main([*train, "--out", out, "--checkpoint", f"{out}.json"]) == 0
        assert json.loads(Path(f"{out}.json").read_text())["backend"] == backend
    assert Path("a/model.json").read_bytes() == Path("b/model.json").read_bytes()


ANOTHER = {
    r"its optimizer is 'Adam\(.*', here it is 'SGD\(": ["--optimizer", "sgd"],
    "its model is ": ["--layers", "5"],
    r"its lr is 'cosine.*lr=0\.004.*lr=0\.5.*Give the options it began with": ["--lr", "0.5"],
    r"its lr is .*steps=20.*steps=30.*\(--steps too, unless --schedule is": ["--steps", "30"],
    "none.json: No such file": ["--resume", "none.json"],
}


@pytest.mark.usefixtures("plain")
def test_a_training_does_not_go_on_as_another(capsys):
    command = [*TRAIN, *SMALL, "--optimizer", "adam", "--steps", "20"]
    assert main([*command, "--checkpoint", "run.json"]) == 0
    capsys.readouterr()
    for message, options in ANOTHER.items():
        assert re.search(message, fails(capsys, *command, "--resume", "run.json", *options))


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_says_how_to_go_on(start):
    command = [*TRAIN, *SMALL, "--steps", "1000000", "--checkpoint", "r.json"]
    process = start(*command)
    while not Path("r.json").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "To go on: the same command with --resume r.json" in process.communicate(timeout=100)[0]
    assert process.returncode == 130


# --- predict, draw, check ---------------------------------------------------------------------


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


def test_draw_an_amount_without_target(amounts, capsys):
    Path("raw.csv").write_text("b,a\nyes,1\nno,2\n")
    assert main(["draw", str(amounts / "model.json"), "raw.csv", "--row", "2"]) == 0
    assert "the net's answer: " in capsys.readouterr().out


def test_demo_leaves_a_step_to_watch(demonstrated):
    text = (demonstrated[0] / "step.html").read_text()
    assert "sepal length (cm)" in text
    assert "done: the loss went from" in text
    assert len(text) < 500_000


def test_watch_records_a_step_and_leaves_the_net_alone(trained, capsys):
    before = (trained / "model.json").read_bytes()
    arguments = ["watch", str(trained / "model.json"), IRIS, "--row", "3", "--lr", "0.1"]
    assert main([*arguments, "--out", "step.html"]) == 0
    out = capsys.readouterr().out
    _, old, new = re.search(r"events; done: (the loss went from) (\S+) to (\S+)\n", out).groups()
    assert float(new) < float(old)
    assert out.endswith("Open next: step.html\n")
    text = Path("step.html").read_text()
    assert f"done: the loss went from {old} to {new}" in text
    assert "<title>row 3, setosa: loss = " in text
    assert "petal width (cm)" in text
    assert (trained / "model.json").read_bytes() == before
    assert main(arguments) == 0
    assert (trained / "row-3.html").read_text() == text


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


def test_watch_an_amount(amounts, capsys):
    assert main(["watch", str(amounts / "model.json"), str(amounts / "data.csv")]) == 0
    assert "done: the loss went from" in capsys.readouterr().out
    assert "<title>row 1, " in (amounts / "row-1.html").read_text()


def test_options_are_written_whole(trained, capsys):
    with pytest.raises(SystemExit):
        main(["check", str(trained / "model.json"), IRIS, "--row", "4"])
    error = capsys.readouterr().err
    assert "no option '--row', did you mean '--rows'? There are: --rows, --encoding," in error


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


# --- files of strangers -----------------------------------------------------------------------


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


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["demp"],
            "no command 'demp', did you mean 'demo'? There are: demo, train, look, predict,",
        ),
        (["demo", "--what"], "no option '--what'. There are: --out, --seed"),
        (["train", "--targt=y", IRIS], "no option '--targt', did you mean '--target'? There are:"),
        (["demo", "--seed", "x"], "--seed: expected a whole number such as 3, got 'x'"),
        (["train"], "the following arguments are required: data.csv, --target"),
        (["train", IRIS], "the following arguments are required: --target"),
        (["train", "none.csv", "--target", "y"], "none.csv: cannot read it: No such file"),
        (["train", ".", "--target", "y"], ".: cannot read it: Is a directory"),
        (["train", IRIS, "--target", "specis"], "no column 'specis', did you mean 'species'?"),
        ([*TRAIN, "--layers", "16,x"], "--layers: expected sizes of at least 1 such as 16,16"),
        ([*TRAIN, "--layers", ""], "--layers: expected sizes"),
        ([*TRAIN, "--layers", "0"], "--layers: expected sizes"),
        ([*TRAIN, "--layers", "16,,16"], "--layers: expected sizes"),
        ([*TRAIN, "--layers", "1000,1000"], "more than the 1,000,000 that fit here"),
        ([*TRAIN, "--lr", "-1"], "--lr: expected a number above 0 such as 0.05, got '-1'"),
        ([*TRAIN, "--lr", "0"], "--lr: expected a number above 0"),
        ([*TRAIN, "--lr", "nan"], "--lr: expected a number above 0"),
        ([*TRAIN, "--lr", "inf"], "--lr: expected a number above 0"),
        ([*TRAIN, "--lr", "fast"], "--lr: expected a number above 0"),
        ([*TRAIN, "--steps", "0"], "--steps: expected a whole number of at least 1, got '0'"),
        ([*TRAIN, "--steps", "1.5"], "--steps: expected a whole number of at least 1"),
        ([*TRAIN, "--batch", "none"], "--batch: expected a whole number of at least 1"),
        ([*TRAIN, "--batch", "0"], "--batch: expected a whole number of at least 1, got '0'"),
        ([*TRAIN, "--optimizer", "sdg"], "invalid choice: 'sdg'"),
        ([*TRAIN, "--schedule", "cosin"], "invalid choice: 'cosin'"),
        ([*TRAIN, "--hold-out", "1"], "--hold-out: expected a number from 0 to below 1, got '1'"),
        ([*TRAIN, "--hold-out", "-0.1"], "--hold-out: expected a number from 0 to below 1"),
        ([*TRAIN, "--hold-out", "half"], "--hold-out: expected a number from 0 to below 1"),
        ([*TRAIN, "--hold-out", "0.999"], "hold out 0.999 of 120 rows leaves none to learn from"),
        (
            [*TRAIN, "--hold-out", "0.001"],
            "none to stop by: give more rows, or hold out 0 (hold_out=0; --hold-out 0 of",
        ),
        ([*TRAIN, "--holdout", "0.2"], "no option '--holdout', did you mean '--hold-out'?"),
        ([*TRAIN, "--keep-aside", "1"], "--keep-aside: expected a number from 0 to below 1"),
        ([*TRAIN, "--out", IRIS], f"--out expected a folder, got the file {IRIS}"),
        ([*TRAIN, "--out", f"{IRIS}/x"], "Not a directory"),
        (["predict"], "the following arguments are required: model.json, data.csv"),
        (["predict", "none.json", IRIS], "none.json: No such file or directory"),
        (["predict", ".", IRIS], "Is a directory"),
        (["predict", IRIS, IRIS], "iris.csv is not a model that brickgrad saved: it is not JSON"),
        (
            ["predict", "a.csv", "m.json"],
            "the model and then the data, got a.csv m.json: swap them",
        ),
        ([*TRAIN, "--checkpoint", "none/run.json"], "none/run.json: No such file or directory"),
        ([*TRAIN, "--checkpoint", "."], ": only a regular file can be replaced"),
        ([*TRAIN, "--ignore", "species"], "'species' cannot be both the target and left out"),
        ([*TRAIN, "--ignore", "specis"], "no column 'specis', did you mean 'species'?"),
    ],
)
def test_bad_arguments(capsys, arguments, words):
    assert words in fails(capsys, *arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "data.csv: the file is empty"),
        ("a,y\n", "data.csv: only a header, no rows"),
        ("a,y\n1,2\nx,3\n4,5\n", "data.csv: line 3: 'a' is 'x', expected a finite number"),
        ("a,y\n1,2\n3\n", "data.csv: line 3: expected 2 fields, got 1"),
        ("a title\n1,2\n", "line 2: expected 1 field, got 2 (is it a CSV file? Put # "),
        ("a,y\n1,\n2,?\n", "data.csv: every 'y' is empty: nothing to learn"),
        ("a,y\n1,2\ninf,3\n", "data.csv: line 3: 'a' is 'inf'"),
        ("1,2\n3,4\n", "no column 'y'. There are: column 1, column 2 (its first"),
        ("y\n1\n2\n", "no column is left to learn from"),
        ("a,y\n1,no\n2,no\n", "every 'y' is 'no': nothing to tell apart"),
        ("a,y\n1,2\n", "--keep-aside 0.2 of 1 row leaves none"),
        ("a,y\n\xff,2\n", "not UTF-8"),
    ],
)
def test_bad_files(capsys, text, words):
    Path("data.csv").write_bytes(text.encode("latin-1"))
    assert words in fails(capsys, "train", "data.csv", "--target", "y")


def test_training_that_diverges(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    message = fails(capsys, "train", "data.csv", "--target", "y", "--lr", "1e200")
    assert re.search(r"step \d+: ", message)
    assert (
        "Try a smaller --lr (now 1e+200). Nothing was saved; brickgrad-train is as it " in message
    )
    assert os.listdir("brickgrad-train") == []


@pytest.mark.usefixtures("plain")
def test_training_that_ends_higher_than_it_began(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    assert main(["train", "data.csv", "--target", "y", "--lr", "3", "--steps", "50"]) == 0
    error = capsys.readouterr().err
    found = re.search(r"larger than before training \((.*) -> (.*)\): try a smaller --lr", error)
    assert float(found[1]) < float(found[2])


@pytest.mark.usefixtures("plain")
def test_columns_that_are_ignored_are_not_learned(capsys):
    text = "".join(f"person {i},{i},{i % 2}\n" for i in range(60))
    Path("data.csv").write_text("id,a,y\n" + text)
    arguments = ["train", "data.csv", "--target", "y", "--steps", "200"]
    said = "'y': whole numbers (0, 1) learned as classes; --numbers learns amounts\n"
    assert main(arguments) == 0
    why = "left out: 'id' is another text in nearly every row (--text id learns from it)\n"
    assert capsys.readouterr().err.startswith(f"brickgrad: {said}brickgrad: {why}")
    assert main([*arguments, "--ignore", "id", "--numbers"]) == 0
    assert "Learning 'y' (an amount)" in capsys.readouterr().out
    assert main([*arguments, "--ignore", "id", "--classes"]) == 0
    captured = capsys.readouterr()
    assert "Learning 'y' (0, 1) from 48 rows" in captured.out
    words = "the net is no better than 'always 0': it found nothing in the columns that tells 'y'"
    first, second = captured.err.splitlines()
    assert first.startswith(f"brickgrad: {words}")
    assert "the loss is larger than before training" in second
    assert main(["predict", "brickgrad-train/model.json", "data.csv"]) == 0
    assert "accuracy on these 60 rows" in capsys.readouterr().err


def test_a_picture_of_an_earlier_training_does_not_stay(capsys):
    pytest.importorskip("matplotlib")
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{2 * i}\n" for i in range(40)))
    arguments = [*SMALL, "--steps", "5", "--out", "here"]
    assert main([*TRAIN, *arguments]) == 0
    Path("here/mine.svg").write_text("")
    assert main(["train", "data.csv", "--target", "y", *arguments]) == 0
    names = ["curves.svg", "graph.svg", "history.csv", "mine.svg", "model.json", "step.html"]
    assert sorted(os.listdir("here")) == names


@pytest.mark.usefixtures("plain")
def test_some_of_many_rows_say_when_to_stop(capsys):
    xs = [(a % 17, a % 5) for a in range(260)]
    Path("data.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{2 * a + b}.5\n" for a, b in xs))
    arguments = ["train", "data.csv", "--target", "y", *QUICK]
    assert main(arguments) == 0
    assert "it stops early by 20% of the rows, held out" in capsys.readouterr().out
    rows = list(csv.DictReader(Path("brickgrad-train/history.csv").read_text().splitlines()))
    looks = [int(row["step"]) for row in rows if row["validation_loss"]]
    assert looks[:2] == [2, 5]  # 166 rows are 3 batches of 64
    assert main([*arguments, "--hold-out", "0"]) == 0
    assert "300 steps, weight decay 30 / rows" in capsys.readouterr().out
    text = Path("brickgrad-train/history.csv").read_text()
    assert not any(row["validation_loss"] for row in csv.DictReader(text.splitlines()))


@pytest.mark.usefixtures("plain")
def test_a_training_from_before_these_defaults_is_refused_with_what_to_do(capsys):
    """As the command began it then: by SGD, with the rows kept aside looked at in each pass."""
    plan = nn.plan.plan_for(load_csv(IRIS, "species"), (4,), 0.2, 0)
    net = plan.net()
    optimizer = SGD(net.parameters(), lr=0.05)
    settings = {"batch_size": 1, "validation": plan.testing, "checkpoint": "run.json"}
    fit(net, plan.task.loss, plan.training, steps=20, optimizer=optimizer, **settings)
    for options in ([], ["--optimizer", "sgd"]):
        words = fails(capsys, *TRAIN, *SMALL, *options, "--resume", "run.json")
        assert "one that began with other defaults" in words
        assert words.endswith("starts anew without --resume\n")


@pytest.mark.usefixtures("plain")
def test_names_in_any_case(capsys):
    assert main([*TRAIN, *SMALL, "--steps", "2", "--optimizer", "AdamW", "--batch", "All"]) == 0
    assert "adamw" in capsys.readouterr().out


def test_a_large_picture_tells_its_size(trained, capsys, monkeypatch):
    monkeypatch.setattr(nn.cli, "LARGEST", 500)
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


def test_a_folder_that_cannot_be_written(capsys, monkeypatch):
    def refuse(**settings):
        raise PermissionError(13, "Permission denied", str(settings["dir"] / "x"))

    monkeypatch.setattr(nn.cli, "TemporaryFile", refuse)
    message = fails(capsys, *TRAIN, "--out", "locked")
    assert message == f"brickgrad: locked{os.sep}x: Permission denied\n"


def test_a_net_saved_by_other_means(capsys):
    save(MLP(2, [1], seed=0), "plain.json")
    message = fails(capsys, "predict", "plain.json", IRIS)
    assert "expected a model.json of `brickgrad train`" in message


# --- Ctrl-C -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("arguments", [[*TRAIN, *SMALL, "--steps", "1000000000"]])
def test_ctrl_c_keeps_what_was_learned(arguments, start):
    process = start(*arguments)
    assert any("Training: " in line for line in process.stdout)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""  # no raw warning of Python's either
    steps = len(Path("brickgrad-train/history.csv").read_text().splitlines()) - 1
    assert f"Stopped by Ctrl-C after {steps:,} steps; what was learned until then is kept." in out
    load_task("brickgrad-train/model.json")


def test_ctrl_c_elsewhere_says_so(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(nn.cli, "iris", stop)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "brickgrad: stopped by Ctrl-C\n"


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("moment", ["trial", "print_verdict", "leave"])
def test_ctrl_c_after_training_says_what_is_kept(monkeypatch, capsys, moment):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(nn.cli, moment, stop)
    assert main([*TRAIN, *SMALL, "--steps", "5"]) == 130
    model, history = Path("brickgrad-train/model.json"), Path("brickgrad-train/history.csv")
    assert capsys.readouterr().err.endswith(
        f"brickgrad: stopped by Ctrl-C: {model} and {history} are written, the pictures may be "
        "missing\n"
    )
    load_task(model)
    assert len(history.read_text().splitlines()) == 6


def no_step(*arguments, **settings):
    return History()


def no_training(*arguments, **settings):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("train_by", [no_step, no_training])
def test_ctrl_c_before_the_first_step_says_so(monkeypatch, capsys, train_by):
    monkeypatch.setattr(nn.cli, "train_by", train_by)
    assert main([*TRAIN, *SMALL]) == 130
    assert capsys.readouterr().err == (
        "brickgrad: stopped by Ctrl-C: no step was done yet, and nothing was saved\n"
    )
    assert os.listdir("brickgrad-train") == []


@pytest.mark.parametrize("name", ["model.json", "graph.svg", "step.html", "history.csv"])
def test_a_file_that_cannot_be_replaced_is_noticed_before_reading(capsys, name):
    Path("out", name).mkdir(parents=True)
    message = fails(capsys, "train", "nowhere.csv", "--target", "y", "--out", "out")
    assert message.endswith(f"{name}: only a regular file can be replaced\n")


def test_a_checkpoint_that_has_no_place_is_noticed_before_reading(capsys):
    command = ["train", "nowhere.csv", "--target", "y", "--checkpoint"]
    assert "none/x.json: No such file" in fails(capsys, *command, "none/x.json")
    message = fails(capsys, *command, "a/model.json", "--out", "a")
    assert "a checkpoint a/model.json would be overwritten: give it another name" in message


@pytest.mark.parametrize(
    "options", [["--checkpoint", "a/history.csv", "--out", "b"], ["--out", "a"]]
)
def test_the_data_is_not_overwritten(capsys, options):
    Path("a").mkdir()
    Path("a/history.csv").write_text("a,y\n1,2\n3,4\n")
    message = fails(capsys, "train", "a/history.csv", "--target", "y", *options)
    assert "a/history.csv would be overwritten: give another --out, or --checkpoint" in message
    assert Path("a/history.csv").read_text() == "a,y\n1,2\n3,4\n"


@pytest.mark.usefixtures("plain")
def test_lines_to_paste_are_quoted(capsys):
    assert main(["demo", "--out", "my demo", "--seed", "0"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " predict " in line]
    assert "'my demo/model.json'" in lines[0]


# --- help -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_shows_an_example_that_is_understood(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "usage: brickgrad" in text
    for name in command or COMMANDS:
        example = COMMANDS[name].example
        assert f"  {example}\n" in text
        nn.cli.parser().parse_args(example.partition(" >")[0].split()[1:])


def test_no_command_shows_the_help(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0
    assert "commands:" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"brickgrad (\d+\.\d+\.\d+|\(not installed\))\n", capsys.readouterr().out)


def test_the_module_runs_as_a_program():
    done = run("predict", "none.json", "none.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "brickgrad: none.json: No such file or directory\n"
