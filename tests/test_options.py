"""What an option takes, and what is refused."""

import pytest
from commands import IRIS, SMALL, TRAIN, fails

from nn.cli import main

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.whole
def test_options_are_written_whole(trained, capsys):
    with pytest.raises(SystemExit):
        main(["check", str(trained / "model.json"), IRIS, "--row", "4"])
    error = capsys.readouterr().err
    assert "no option '--row', did you mean '--rows'? There are: --rows, --encoding," in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["demp"],
            "no command 'demp', did you mean 'demo'? There are: demo, train, sweep, look, predict,",
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


@pytest.mark.usefixtures("plain")
def test_names_in_any_case(capsys):
    assert main([*TRAIN, *SMALL, "--steps", "2", "--optimizer", "AdamW", "--batch", "All"]) == 0
    assert "adamw" in capsys.readouterr().out
