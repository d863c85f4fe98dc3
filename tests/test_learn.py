"""Training by the command: `demo`, `train`, Ctrl-C, what is refused before it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import IRIS, QUICK, SMALL, TRAIN, fails, figures

import nn.commands.ask
import nn.commands.learn
from engine.replay import backends
from nn.cli import main
from nn.data import iris, load_csv, split
from nn.history import History
from nn.optim import SGD
from nn.plan import plan_for
from nn.task import load_task
from nn.train import fit

NO_STEP = "no step was done yet, and nothing was saved"

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.whole
def test_demo_shows_both_ways_side_by_side(demonstrated):
    _, text = demonstrated
    assert figures(text, "points in one step") == [120, 1]
    assert figures(text, "points looked at") == [200 * 120, 6000]
    assert all(loss < 0.1 for loss in figures(text, "loss"))
    assert all(share > 95 for share in figures(text, "accuracy"))
    assert all(share > 90 for share in figures(text, "accuracy on 30 others"))
    assert re.search(r"time +[\d.]+ s +[\d.]+ s", text)


@pytest.mark.whole
def test_demo_finds_that_one_point_at_a_time_needs_fewer_points(demonstrated):
    slow, fast = figures(demonstrated[1], "points looked at until loss 0.1")
    assert fast * 5 < slow


def test_demo_leaves_its_files(demonstrated):
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


@pytest.mark.whole
def test_what_the_demo_says_to_try_works(demonstrated, capsys, monkeypatch):
    out, text = demonstrated
    monkeypatch.chdir(out.parent)
    commands = ("train", "predict", "draw", "watch")
    for command, line in zip(commands, text.splitlines()[-4:], strict=True):
        assert main([command, *line.partition(f" {command} ")[2].split()]) == 0


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_one_seed_gives_one_model():
    for out in ("a", "b"):
        assert main([*TRAIN, *QUICK, "--seed", "3", "--backend", "numpy", "--out", out]) == 0
    assert Path("a/model.json").read_bytes() == Path("b/model.json").read_bytes()


def test_train_keeps_columns_scaling_and_classes(trained):
    meta = json.loads((trained / "model.json").read_text())["meta"]
    assert meta["columns"] == list(iris().features)
    assert meta["classes"] == ["setosa", "versicolor", "virginica"]
    assert meta["target"] == "species"
    assert len(meta["scaling"]["means"]) == len(meta["scaling"]["scales"]) == 4


def test_train_writes_one_line_a_step(trained):
    assert len((trained / "history.csv").read_text().splitlines()) == 1 + 300


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_train_says_what_it_cost_and_what_was_reached(capsys):
    assert main([*TRAIN, *QUICK, "--batch", "5"]) == 0
    text = capsys.readouterr().out
    assert "4 -> 4 -> 3, 35 parameters" in text
    for line in (r"points in one step +5", r"points looked at +1,500", r"accuracy +\d\d\.\d%"):
        assert re.search(line, text), line
    assert Path("brickgrad-train/model.json").exists()


@pytest.mark.some(4)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_train_with_each_optimizer(optimizer, capsys):
    arguments = ["--optimizer", optimizer, "--batch", "all", "--steps", "5", "--lr", "0.1"]
    assert main([*TRAIN, *SMALL, *arguments]) == 0
    assert re.search(r"learning rate +0\.1\n", capsys.readouterr().out)


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("options", "is_tried"),
    [([], True), (["--steps", "50"], False), (["--keep-aside", "0.95"], False)],
)
def test_a_trial_is_told_of_where_there_is_one(options, is_tried, capsys):
    assert main([*TRAIN, *SMALL, "--steps", "100", *options]) == 0
    out = capsys.readouterr().out
    assert ("Trying two starts." in out, " start, tried on " in out) == (is_tried, is_tried)


@pytest.mark.whole
def test_train_on_all_rows(capsys):
    assert main([*TRAIN, *QUICK, "--keep-aside", "0"]) == 0
    text = capsys.readouterr().out
    assert "from 150 rows.\n" in text
    assert "others" not in text


@pytest.mark.whole
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


@pytest.mark.whole
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


@pytest.mark.whole
@pytest.mark.some(6)
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


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_a_training_does_not_go_on_as_another(capsys):
    command = [*TRAIN, *SMALL, "--optimizer", "adam", "--steps", "20"]
    assert main([*command, "--checkpoint", "run.json"]) == 0
    capsys.readouterr()
    for message, options in ANOTHER.items():
        assert re.search(message, fails(capsys, *command, "--resume", "run.json", *options))


@pytest.mark.whole
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


def test_demo_leaves_a_step_to_watch(demonstrated):
    text = (demonstrated[0] / "step.html").read_text()
    assert "sepal length (cm)" in text
    assert "done: the loss went from" in text
    assert len(text) < 500_000


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


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_training_that_ends_higher_than_it_began(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    assert main(["train", "data.csv", "--target", "y", "--lr", "3", "--steps", "50"]) == 1
    error = capsys.readouterr().err
    found = re.search(r"larger than before training \((.*) -> (.*)\): try a smaller --lr", error)
    assert float(found[1]) < float(found[2])


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_of_a_loss_that_rose_the_rate_is_to_blame_and_not_the_rows(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(150)))
    assert main(["train", "data.csv", "--target", "y", "--lr", "1e9", "--steps", "120"]) == 1
    out, error = capsys.readouterr()
    *_, first, second = error.splitlines()
    assert re.fullmatch(
        r"brickgrad: after 120 steps the net is not clearly better than 'always \S+, the mean'",
        first,
    )
    assert second.endswith("): try a smaller --lr (now 1e+09) or more --steps")
    assert "may help" not in out + error
    assert "still falling" not in out


@pytest.mark.whole
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


@pytest.mark.whole
def test_a_disk_that_is_full_leaves_the_former_picture_and_is_named(capsys, monkeypatch):
    assert main([*TRAIN, *QUICK]) == 0
    former = Path("brickgrad-train/curves.svg").read_bytes()
    real = os.replace

    def fail(fresh, path):
        if Path(path).name == "curves.svg":
            raise OSError(28, "No space left on device")
        real(fresh, path)

    monkeypatch.setattr("os.replace", fail)
    assert main([*TRAIN, *SMALL, "--steps", "40"]) == 2
    name = os.path.realpath("brickgrad-train/curves.svg")
    assert capsys.readouterr().err.endswith(f"brickgrad: {name}: No space left on device\n")
    assert Path("brickgrad-train/curves.svg").read_bytes() == former
    assert not [name for name in os.listdir("brickgrad-train") if name.startswith(".")]


@pytest.mark.whole
def test_a_picture_of_an_earlier_training_does_not_stay(capsys):
    Path("data.csv").write_text("a,y\n" + "".join(f"{i},{2 * i}\n" for i in range(40)))
    arguments = [*SMALL, "--steps", "5", "--out", "here"]
    assert main([*TRAIN, *arguments]) == 0
    Path("here/mine.svg").write_text("")
    assert main(["train", "data.csv", "--target", "y", *arguments]) == 0
    names = ["curves.svg", "graph.svg", "history.csv", "mine.svg", "model.json", "step.html"]
    assert sorted(os.listdir("here")) == names


@pytest.mark.whole
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
    plan = plan_for(load_csv(IRIS, "species"), (4,), 0.2, 0)
    net = plan.net()
    optimizer = SGD(net.parameters(), lr=0.05)
    settings = {"batch_size": 1, "validation": plan.testing, "checkpoint": "run.json"}
    fit(net, plan.task.loss, plan.training, steps=20, optimizer=optimizer, **settings)
    for options in ([], ["--optimizer", "sgd"]):
        words = fails(capsys, *TRAIN, *SMALL, *options, "--resume", "run.json")
        assert "one that began with other defaults" in words
        assert words.endswith("starts anew without --resume\n")


def test_a_folder_that_cannot_be_written(capsys, monkeypatch):
    def refuse(**settings):
        raise PermissionError(13, "Permission denied", str(settings["dir"] / "x"))

    monkeypatch.setattr(nn.commands.learn, "TemporaryFile", refuse)
    message = fails(capsys, *TRAIN, "--out", "locked")
    assert message == f"brickgrad: locked{os.sep}x: Permission denied\n"


@pytest.mark.whole
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("arguments", [[*TRAIN, *SMALL, "--steps", "1000000000"]])
def test_ctrl_c_keeps_what_was_learned(arguments, start):
    process = start(*arguments)
    assert any("Training: " in line for line in process.stdout)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert all(" of " in line for line in err.splitlines())  # no raw warning of Python's either
    steps = len(Path("brickgrad-train/history.csv").read_text().splitlines()) - 1
    assert f"Stopped by Ctrl-C after {steps:,} steps; what was learned until then is kept." in out
    load_task("brickgrad-train/model.json")


@pytest.mark.whole
@pytest.mark.usefixtures("plain")
def test_ctrl_c_while_starts_are_tried_keeps_a_net(monkeypatch, capsys):
    def stop(step):
        if step.step == 7:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("nn.starting.fit", partial(fit, callbacks=[stop]))
    Path("run.json").write_text("an older one")
    assert main([*TRAIN, *SMALL, "--checkpoint", "run.json"]) == 130
    out, err = capsys.readouterr()
    assert err.startswith(
        "brickgrad: interrupted while two starts were tried: the net is that of the straight one "
        "after 8 steps, and learned from a part of the rows\n"
    )
    assert "Stopped by Ctrl-C after 8 steps; what was learned until then is kept." in out
    assert "On 30 rows kept aside, looked at once, now:" in out
    assert "--resume" not in out
    assert load_task("brickgrad-train/model.json")[0].layers


def test_every_without_a_checkpoint_is_refused(capsys):
    message = fails(capsys, *TRAIN, "--every", "50")
    assert message == (
        "brickgrad: --every says how often a checkpoint is written: give --checkpoint too\n"
    )
    assert os.listdir() == []


def test_ctrl_c_elsewhere_says_so(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(nn.commands.ask, "opened", lambda options: stop())
    assert main(["predict", "m.json", "d.csv"]) == 130
    assert capsys.readouterr().err == "brickgrad: stopped by Ctrl-C\n"


@pytest.mark.parametrize(
    ("command", "moment"), [(["demo"], "plan_for"), (TRAIN, "read_rows"), (TRAIN, "look_at")]
)
def test_ctrl_c_before_there_is_a_net_says_that_nothing_was_saved(
    monkeypatch, capsys, command, moment
):
    monkeypatch.setattr(nn.commands.learn, moment, no_training)
    assert main(command) == 130
    said = capsys.readouterr().err.splitlines()  # above it what a trial of seconds tells
    assert said[-1] == f"brickgrad: stopped by Ctrl-C: {NO_STEP}"
    assert all(" of " in line for line in said[:-1])


@pytest.mark.usefixtures("plain")
def test_ctrl_c_at_the_start_of_the_second_way_of_the_demo_says_what_is_kept(monkeypatch, capsys):
    slow, _ = nn.commands.learn.DEMO.items()
    ways = {slow[0]: (*slow[1][:2], 3), "none": (no_training, 0.1, 3)}
    monkeypatch.setattr(nn.commands.learn, "DEMO", ways)
    assert main(["demo"]) == 130
    assert "model.json and brickgrad-demo" in capsys.readouterr().err
    load_task("brickgrad-demo/model.json")


@pytest.mark.some(3)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("moment", ["trial", "print_verdict", "write_results"])
def test_ctrl_c_after_training_says_what_is_kept(monkeypatch, capsys, moment):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(nn.commands.learn, moment, stop)
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


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("train_by", [no_step, no_training])
def test_ctrl_c_before_the_first_step_says_so(monkeypatch, capsys, train_by):
    monkeypatch.setattr(nn.commands.learn, "train_by", train_by)
    assert main([*TRAIN, *SMALL]) == 130
    said = capsys.readouterr().err.splitlines()  # above it what a trial of seconds tells
    assert said[-1] == f"brickgrad: stopped by Ctrl-C: {NO_STEP}"
    assert all(" of " in line for line in said[:-1])
    assert os.listdir("brickgrad-train") == []


@pytest.mark.whole
@pytest.mark.skipif(os.name != "posix", reason="Windows ends a program at once")
def test_sigterm_leaves_no_half_written_file():
    code = (
        "import os, signal, sys\n"
        "from nn.cli import main\n"
        "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *TRAIN, *SMALL, "--steps", "3"]
    environment = {**os.environ, "PYTHONPATH": str(Path(IRIS).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
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
