"""What holds for all tests, doctests and the README's examples: pytest finds this file first."""

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from engine.ops import OPS

README = Sybil([PythonCodeBlockParser()], patterns=["README.md"], fixtures=["no_operation_stays"])
pytest_collect_file = README.pytest()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """All processors for a whole run; files that are named begin sooner in one process."""
    return None if config.args_source is config.ArgsSource.TESTPATHS else 0


@pytest.fixture(autouse=True)
def no_operation_stays():
    """What a test or an example defines ends with it."""
    kept = dict(OPS)
    yield
    OPS.clear()
    OPS.update(kept)
