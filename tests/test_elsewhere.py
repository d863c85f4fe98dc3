import subprocess
import sys
from pathlib import Path

import pytest

import engine
import nn
from nn.elsewhere import COUNTERPARTS, where

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_every_counterpart_is_there_under_another_name(name):
    assert not hasattr(nn, name)
    words = COUNTERPARTS[name].replace(",", " ").replace("(", " ").replace(":", " ").split()
    named = [word for word in words if word.startswith(("nn.", "engine."))]
    assert named
    for word in named:
        package, attribute = word.split(".")
        assert callable(getattr({"nn": nn, "engine": engine}[package], attribute))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bce", "write nn.binary_cross_entropy, of logits"),
        ("Linear", r"write nn.Layer\(nin, nout, .linear.\)"),
        ("ReLU", r"write engine.relu, or nn.MLP\(nin, \[16, 1\], .relu.\) for a net$"),
        ("Tanh", r"write engine.tanh, or nn.MLP\(nin, \[16, 1\], .tanh.\) for a net$"),
        ("Sigmoid", r"write engine.sigmoid, or nn.MLP\(nin, \[16, 1\], .sigmoid.\) for a net$"),
        ("softmax", "write engine.softmax"),
        ("Value", "write engine.Value"),
        ("adamw", "did you mean 'AdamW'"),
        ("load_cvs", "did you mean 'load_csv'"),
        ("Conv2d", "has no 'Conv2d'$"),
        ("__wrapped__", "has no '__wrapped__'$"),
    ],
)
def test_names_of_other_libraries_and_slips(name, words):
    with pytest.raises(AttributeError, match=words) as caught:
        getattr(nn, name)
    guesses = nn if "has no" in words else None  # where Python looks for names that are alike
    assert (caught.value.name, caught.value.obj) == (name, guesses)
    assert getattr(nn, name, None) is None


def test_modules_are_no_counterparts():
    assert where("drawing", []) == where("value", []) == ""


def tried(statement):
    done = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return done.stderr.strip().rpartition("\n")[2]


@pytest.mark.whole
def test_imports_say_it_too():
    assert (
        tried("from nn import MSELoss") == "ImportError: module 'nn' has no 'MSELoss': write nn.mse"
    )
    assert "cannot import name 'Conv2d'" in tried("from nn import Conv2d")
    assert tried("from nn import cli, data; import nn.files; from nn import *; MLP") == ""
