"""Row g of the battery: changed engines, and whether the quick gradient tests notice."""

import json
import subprocess
import sys
from pathlib import Path

import mutants
import pytest

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def killed(target, *options):
    done = subprocess.run(
        [sys.executable, mutants.__file__, target, *map(str, options)],
        capture_output=True, text=True, check=True, cwd=Path(mutants.__file__).parents[1],
    )  # fmt: skip
    outcome = json.loads(done.stdout)
    assert outcome["sound"], "the tests fail without a change"
    return outcome["count"], outcome["survivors"]


def test_mutants_by_hand_fit_the_code():
    found = mutants.by_hand()
    assert len({mutant.what for mutant in found}) == len(found) > 30


@pytest.mark.parametrize("target", mutants.TARGETS)
def test_mutants_are_each_one_change_that_compiles(target):
    found = mutants.generated(target)
    assert len(found) > 20
    for mutant in found:
        compile(mutant.text, mutant.file, "exec")


@needs_fork
@pytest.mark.nightly
def test_mutants_by_hand_are_all_killed(figure):
    count, survivors = killed("hand")
    figure("g", "mutants by hand: share that survives", count, len(survivors) / count, 0.0)
    assert survivors == []


@needs_fork
@pytest.mark.nightly
@pytest.mark.parametrize("target", mutants.TARGETS)
def test_generated_mutants_are_killed(target, figure):
    count, survivors = killed(target)
    figure("g", f"generated, {target}: share that survives", count, len(survivors) / count, 0.05)
    assert len(survivors) <= 0.05 * count, survivors
