"""Row g of the battery: changed engines, and whether the quick tests notice."""

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter

import mutants
import pytest
from scripts import running

SAMPLE = 60  # of each target; the seed is its name
COMPILED = "(text) => Boolean(new Function(text))"


def survivors(target, figure):
    """Of a sample of the mutants of a target, those that all tests pass."""
    done = subprocess.run(
        [sys.executable, mutants.__file__, target, str(SAMPLE)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=mutants.ROOT,
    )  # fmt: skip
    outcome = json.loads(done.stdout)
    killed, survived = outcome["killed"], outcome["survivors"]
    count = killed + len(survived)
    bound = 0.0 if target == "hand" else 0.05
    what = f"mutants, {target}: {killed} of {count} killed; share that survives"
    figure("g", what, count, len(survived) / count, bound)
    return survived


def test_mutants_by_hand_fit_the_code():
    found = mutants.by_hand()
    assert len({mutant.what for mutant in found}) == len(found) > 30


@pytest.mark.whole
@pytest.mark.parametrize("target", mutants.TARGETS)
def test_mutants_are_each_one_change_that_compiles(target):
    found = mutants.generated(target)
    assert len(found) >= SAMPLE
    scripts = [mutant for mutant in found if mutant.file.endswith(".js")]
    for mutant in found:
        if mutant not in scripts:
            ast.parse(mutant.text)
    if scripts:
        with running(COMPILED) as is_compiled:
            assert all(is_compiled(mutant.text) for mutant in scripts)


@pytest.mark.whole
def test_changes_that_change_no_result_are_there_once():
    met = Counter(mutant.what for target in mutants.TARGETS for mutant in mutants.every(target))
    assert {what: met[what] for what in mutants.EQUIVALENT} == dict.fromkeys(mutants.EQUIVALENT, 1)


@pytest.mark.whole
def test_the_tests_that_look_at_mutants_are_there():
    looked = [who.tests for files in mutants.TARGETS.values() for who in files.values()]
    every = {test.partition(" -k ")[0] for tests in looked for test in tests}
    assert [test for test in every if not (mutants.ROOT / test.partition("::")[0]).exists()] == []
    named = sorted(test for test in every if "::" in test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "--collect-only", *named],
        capture_output=True, text=True, check=False, cwd=mutants.ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_look_that_cannot_begin_says_nothing_of_a_mutant(tmp_path):
    with pytest.raises(RuntimeError, match="no test could begin"):
        mutants.looks(tmp_path / "nowhere", (), 10)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.nightly
@pytest.mark.parametrize("target", ["hand", *mutants.TARGETS])
def test_mutants_are_killed(target, figure):
    if target == "page" and shutil.which("node") is None:
        pytest.skip("no Node")
    left = survivors(target, figure)
    assert len(left) <= (0 if target == "hand" else 0.05 * SAMPLE), left
