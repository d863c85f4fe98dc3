"""`pytest --nightly` does the long counts; the figures reached are printed at the end of a run."""

import signal
import time

import pytest
from commands import (  # noqa: F401 (fixtures)
    amounts,
    demonstrated,
    own_folder,
    plain,
    start,
    trained,
)
from hypothesis import settings
from processors import processor  # noqa: F401 (a fixture)

FIGURE = "figure"
settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
settings.load_profile("fixed")


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="the battery with its long counts")


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: too long for every commit; runs with --nightly")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--nightly"):
        return
    left_out = [item for item in items if item.get_closest_marker("nightly")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard():
    """A process that a shell runs in its background is deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def amount(request):
    """How many to try: the first number at each commit, the second with --nightly."""
    is_long = request.config.getoption("--nightly")
    return lambda quick, nightly: nightly if is_long else quick


@pytest.fixture
def figure(request):
    """Notes a row of the battery: what was tried, how often, the worst error, and its bound."""
    began = time.perf_counter()

    def note(row, what, count, worst=0.0, bound=0.0, unit=""):
        reached = {"count": count, "worst": worst, "seconds": time.perf_counter() - began}
        request.node.user_properties.append((FIGURE, ([row, what, bound, unit], reached)))

    return note


def pytest_terminal_summary(terminalreporter):
    """One table, also of what other processes ran: the figures travel with the reports.

    Several tests may add to one figure.
    """
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = {}
    for name, noted in (pair for r in reports for pair in r.user_properties):
        if name == FIGURE:
            row, reached = noted
            figures.setdefault(tuple(row), []).append(reached)
    if not figures:
        return
    lines = [("row", "what", "count", "worst", "bound", "unit", "seconds")]
    for (row, what, bound, unit), several in sorted(figures.items()):
        count, seconds = (sum(each[key] for each in several) for key in ("count", "seconds"))
        worst = max(each["worst"] for each in several)
        numbers = (f"{count:,}", f"{worst:.3g}", f"{bound:.3g}", unit, f"{seconds:.1f}")
        lines.append((row, what, *numbers))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    terminalreporter.section("the battery (the seed of try k of a row is its name and k)")
    for line in lines:
        cells = [
            text.ljust(width) if k in (0, 1, 5) else text.rjust(width)
            for k, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        terminalreporter.write_line("  ".join(cells).rstrip())
