"""The command `sweep`: a table, a file that goes on, a chart; Ctrl-C; bad input in one line."""

import csv
import random
import signal
import sys

import pytest
from commands import fails, main, run
from needs import processes
from test_sweep import until
from test_sweep_dask import cluster, scheduler  # noqa: F401 (fixtures)

from nn.commands.sweep import seeds

FEW = ["--steps", "5", "--layers", "2", "--backend", "python"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A small file of classes, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return sheet(tmp_path / "data.csv")


def sheet(path, rows=40):
    chance = random.Random("sweep")
    pairs = [(chance.random(), chance.random()) for _ in range(rows)]
    lines = [f"{a:.3f},{b:.3f},{'yes' if a + b > 1 else 'no'},{a - b:.3f}" for a, b in pairs]
    path.write_text("\n".join(["a,b,both,apart", *lines]) + "\n")
    return str(path)


def arguments(data, *more, lr="0.03,0.01", seed="0:2", few=FEW):
    aim = [] if "--target" in more else ["--target", "both"]
    return ["sweep", data, *aim, "--lr", lr, "--seed", seed, *few, *more]


def table(folder):
    with open(folder / "brickgrad-sweep" / "runs.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bits(folder):
    rows = [{k: x for k, x in row.items() if k != "seconds"} for row in table(folder)]
    return sorted(rows, key=lambda row: [row["lr"], row["seed"]])


def test_a_sweep_leaves_a_table_and_a_chart(data, tmp_path, capsys):
    assert main(arguments(data)) == 0
    said = capsys.readouterr().out
    rows = table(tmp_path)
    assert [(row["lr"], row["seed"]) for row in rows] == [
        ("0.03", "0"), ("0.03", "1"), ("0.01", "0"), ("0.01", "1")
    ]  # fmt: skip
    assert list(rows[0])[:4] == ["lr", "steps", "layers", "seed"]
    results = {"loss", "accuracy", "validation_loss", "validation_accuracy", "steps_taken"}
    assert results <= {*rows[0]}
    medians = [
        sum(float(row["validation_loss"]) for row in rows if row["lr"] == lr) / 2
        for lr in ("0.03", "0.01")
    ]
    shown = [line.split() for line in said.splitlines() if line.startswith("  0.0")]
    assert [float(cells[3]) for cells in shown] == pytest.approx(sorted(medians), rel=1e-3)
    assert (tmp_path / "brickgrad-sweep" / "sweep.svg").read_text().startswith("<svg")


@pytest.mark.whole
def test_a_run_is_what_train_does(data, tmp_path, capsys):
    assert main(arguments(data, lr="0.03", seed="1")) == 0
    [row] = table(tmp_path)
    capsys.readouterr()
    given = ["--target", "both", "--lr", "0.03", "--seed", "1", *FEW]
    assert main(["train", data, *given]) in (0, 1)
    said = capsys.readouterr().out
    for name, shown in (("loss", "loss"), ("validation_loss", "loss on 8 others")):
        [line] = [line for line in said.splitlines() if line.startswith(f"  {shown}  ")]
        assert f"{float(row[name]):.4g}" == line.split()[-1]


def test_amounts_have_a_typical_error(data, tmp_path):
    assert main(arguments(data, "--target", "apart", lr="0.03", seed="0")) == 0
    [row] = table(tmp_path)
    assert float(row["validation_typical_error"]) > 0
    assert "accuracy" not in row


def test_what_is_there_is_not_run_again(data, tmp_path, capsys):
    assert main(arguments(data, seed="0")) == 0
    before = table(tmp_path)
    assert main(arguments(data, seed="0:2")) == 0
    assert table(tmp_path)[:2] == before
    assert len(table(tmp_path)) == 4
    raw = (tmp_path / "brickgrad-sweep" / "runs.csv").read_bytes()
    assert "nothing was run" not in capsys.readouterr().out
    assert main(arguments(data, seed="0:2")) == 0
    assert (tmp_path / "brickgrad-sweep" / "runs.csv").read_bytes() == raw
    assert "All 4 runs were in brickgrad-sweep/runs.csv: nothing" in capsys.readouterr().out


def test_other_data_is_another_sweep(data, tmp_path, capsys):
    assert main(arguments(data, seed="0")) == 0
    raw = (tmp_path / "brickgrad-sweep" / "runs.csv").read_bytes()
    sheet(tmp_path / "data.csv", rows=50)
    assert "is of another sweep" in fails(capsys, *arguments(data, seed="0"))
    assert "its columns are lr" in fails(capsys, *arguments(data, "--batch", "4", seed="0"))
    assert (tmp_path / "brickgrad-sweep" / "runs.csv").read_bytes() == raw


@pytest.mark.whole
def test_settings_may_be_many(data, tmp_path):
    more = ["--batch", "4,all", "--optimizer", "sgd,Adam", "--layers", "3", "--schedule", "linear"]
    assert main(arguments(data, *more, lr="0.01", seed="3")) == 0
    rows = table(tmp_path)
    assert len(rows) == 8
    assert {row["layers"] for row in rows} == {"2", "3"}
    assert {row["optimizer"] for row in rows} == {"sgd", "adam"}
    assert {row["error"] for row in rows} == {""}


def test_failed_runs_are_rows_and_all_failed_is_a_bad_result(data, tmp_path, capsys):
    assert main(arguments(data, "--optimizer", "sgd", lr="1e308,0.01", seed="0")) == 0
    assert "1 run failed, the first one by DivergedError" in capsys.readouterr().err
    assert [bool(row["error"]) for row in table(tmp_path)] == [True, False]
    assert main(arguments(data, "--optimizer", "sgd", "--out", "o", lr="1e308", seed="0")) == 1


@pytest.mark.parametrize(
    ("text", "found"), [("3", [3]), ("0:3", [0, 1, 2]), ("5,1:3,5", [5, 1, 2]), ("-2:0", [-2, -1])]
)
def test_seeds(text, found):
    assert seeds(text) == found


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seed", "0:99999999999999999999"], "expected seeds from a number to a larger one"),
        (["--dask", ""], "--dask expected the address of a scheduler"),
        (["--seed", "3:3"], "expected seeds from a number to a larger one such as 0:10"),
        (["--seed", "a"], "expected a whole number such as 3, got 'a'"),
        (["--lr", "0.1,,0.2"], "expected a number above 0 such as 0.05, got ''"),
        (["--lr", "-1"], "expected a number above 0"),
        (["--optimizer", "adan"], "no optimizer 'adan', did you mean 'adam'?"),
        (["--layers", "3,x"], "expected sizes of at least 1"),
        (["--batch", "none"], "expected a whole number of at least 1"),
        (["--workers", "0"], "expected a whole number of at least 1"),
        (["--workers", "2", "--dask", "tcp://x:1"], "give one of them"),
        (["--out", "data.csv"], "--out expected a folder, got the file data.csv"),
        (["--target", "none"], "no column 'none'"),
        (["--wrokers", "2"], "did you mean '--workers'?"),
    ],
)
def test_bad_input_is_a_line_and_runs_nothing(more, words, data, tmp_path, capsys):
    assert words in fails(capsys, *arguments(data, *more))
    assert not (tmp_path / "brickgrad-sweep").exists()


def test_a_damaged_file_is_a_line(data, tmp_path, capsys):
    assert main(arguments(data, seed="0")) == 0
    path = tmp_path / "brickgrad-sweep" / "runs.csv"
    spoilt = path.read_text().replace("0.01,", "0.01,,", 1)
    path.write_text(spoilt)
    assert "line 3 is damaged" in fails(capsys, *arguments(data, seed="0"))
    assert path.read_text() == spoilt


@processes
@pytest.mark.whole
def test_processes_leave_the_same_table(data, tmp_path):
    assert main(arguments(data)) == 0
    here = bits(tmp_path)
    (tmp_path / "two").mkdir()
    done = run(*arguments(data, "--workers", "2", "--out", "two/brickgrad-sweep"))
    assert done.returncode == 0, done.stderr
    assert bits(tmp_path / "two") == here


@processes
@pytest.mark.whole
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_is_done(workers, data, tmp_path, start):
    more = ["--workers", workers]
    process = start(*arguments(data, *more, lr="0.03", seed="0:200"))
    path = tmp_path / "brickgrad-sweep" / "runs.csv"
    until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Stopped by Ctrl-C after" in out
    there = table(tmp_path)
    assert 2 <= len(there) < 200
    last = len(there) + 1
    assert main(arguments(data, lr="0.03", seed=f"0:{last}")) == 0
    assert table(tmp_path)[: len(there)] == there


@processes
@pytest.mark.whole
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_dask_leaves_the_same_table(cluster, data, tmp_path):  # noqa: F811 (a fixture)
    assert main(arguments(data)) == 0
    here = bits(tmp_path)
    (tmp_path / "dask").mkdir()
    address = cluster.scheduler.address
    done = run(*arguments(data, "--dask", address, "--out", "dask/brickgrad-sweep"))
    assert done.returncode == 0, done.stderr
    assert bits(tmp_path / "dask") == here


@processes
@pytest.mark.whole
def test_a_scheduler_that_is_not_there_is_a_line(data):
    pytest.importorskip("distributed")
    done = run(*arguments(data, "--dask", "tcp://127.0.0.1:9"))
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()
    assert line.startswith("brickgrad: --dask expected the address of a scheduler")
    assert "Traceback" not in done.stderr


def test_dask_that_is_not_installed_names_its_extra(data, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert 'pip install "brickgrad[dask]"' in fails(capsys, *arguments(data, "--dask", "tcp://x:1"))
