"""What the packages say and hold; that they install and run is tried by `python -m tests.packages`.

The nightly test does so with the quickest extra.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import packages

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_has_a_row_that_installs_it_alone():
    assert set(packages.EXTRAS) == set(PROJECT["optional-dependencies"])
    for name, row in packages.EXTRAS.items():
        assert row.extra == name
        assert row.alone or row.in_sdist


def test_the_version_is_one():
    version = PROJECT["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, flags=re.M) == [version]
    assert re.findall(r"^## (\S+)", changes, flags=re.M)[0] == version
    assert f"abstract: {PROJECT['description']}.\n" in citation


def test_the_versions_of_python_are_named_from_the_first_on():
    """Those whose tests were run; docs/install.md says how."""
    named = [c.removeprefix("Programming Language :: Python :: ") for c in PROJECT["classifiers"]]
    minors = [int(name.removeprefix("3.")) for name in named if name.startswith("3.")]
    first = int(PROJECT["requires-python"].removeprefix(">=3."))
    assert minors == [*range(first, first + len(minors))] != []
    assert first == packages.LEAST
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert all(f"| CPython 3.{minor}" in page for minor in minors)


@pytest.mark.whole
def test_this_python_is_among_those_to_try():
    found = packages.pythons()
    assert found[f"3.{sys.version_info[1]}"] == sys.executable
    assert all(int(version.removeprefix("3.")) >= 11 for version in found)


@pytest.mark.skipif(os.name == "nt", reason="runs a shell script")
def test_a_shim_for_a_python_that_is_not_set_is_none(monkeypatch, tmp_path):
    shim, other = tmp_path / "python3.98", tmp_path / "python3.99"
    for path, code in ((shim, 127), (other, 0)):
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = packages.pythons()
    assert "3.98" not in found
    assert found["3.99"] == str(other)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Rows whose environments are at hand: programs of this one, and no building."""
    programs = Path(sys.executable).parent
    monkeypatch.setattr(packages, "environment", lambda folder, python, *wanted: programs)
    monkeypatch.setattr(packages, "build", lambda room: (tmp_path / "b.whl", tmp_path))

    def rows(**texts):
        known = {name: packages.Row(name, packages.program(text)) for name, text in texts.items()}
        monkeypatch.setattr(packages, "EXTRAS", known)

    return rows


@pytest.mark.whole
def test_a_row_that_fails_is_told_with_the_end_of_what_it_said(quick, capsys):
    quick(good="pass", bad="print('about to'); raise SystemExit('it broke')", last="pass")
    assert packages.main(["good", "bad", "last"]) == 1
    _, _, good, bad, command, *said, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"good +\d+\.\d s +\d+\.\d s  works", good)
    assert bad.endswith("FAILED")
    assert "python -c print('about to')" in command
    assert [line.strip() for line in said] == ["about to", "it broke"]
    assert last.endswith("works")
    assert packages.main(["good"]) == 0


@pytest.mark.whole
def test_a_program_that_an_extra_should_bring_is_missed(quick, capsys, monkeypatch):
    quick()
    row = packages.Row("bare", alone=(("no-such-program",),))
    monkeypatch.setattr(packages, "EXTRAS", {"bare": row})
    assert packages.main(["bare"]) == 1
    assert "no-such-program" in capsys.readouterr().out


def test_a_row_that_is_not_there(capsys):
    assert packages.main(["numpi"]) == 2
    assert capsys.readouterr().err.startswith("no row 'numpi'. There are: ")


@pytest.mark.whole
def test_packages_that_cannot_be_built(monkeypatch, capsys):
    def build(room):
        raise subprocess.CalledProcessError(1, ["build", "it"], output="no network")

    monkeypatch.setattr(packages, "build", build)
    assert packages.main(["plot"]) == 1
    assert capsys.readouterr().err == "the packages cannot be built: build it\nno network\n"


def test_what_runs_there_sees_nothing_of_this_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    text = "import os; print(os.environ.get('PYTHONPATH'), os.environ['CC'], os.getcwd())"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        packages.run([sys.executable, "-c", f"{text}; raise SystemExit(3)"], tmp_path, CC="x")
    assert caught.value.output.split() == ["None", "x", str(tmp_path)]


@pytest.mark.nightly
def test_the_packages_build_install_and_run(capsys):
    assert packages.main(["plot"]) == 0, capsys.readouterr().out
