"""The three sizes of a run, the order of its tests, and the figures that it reached.

`pytest` alone is quick: of the tests marked `some(n)` it takes one case in n, and of those marked
`whole` none: they take a second or more, and quicker ones look at the same code. Files that are
named run whole, as all do with `--whole`. `--nightly` is whole, with long counts.
"""

import signal
import time
import zlib
from collections import defaultdict

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
QUICK, WHOLE, NIGHTLY = range(3)
settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
settings.load_profile("fixed")


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="every case, also of long tables")
    parser.addoption("--nightly", action="store_true", help="the battery with its long counts")


def pytest_configure(config):
    config.addinivalue_line("markers", "some(n): one case in n")
    config.addinivalue_line("markers", "whole: too long for a quick run")
    config.addinivalue_line("markers", "nightly: too long for every commit; runs with --nightly")
    config.pluginmanager.register(AtOnce(config), "at once")


class AtOnce:
    """Names what fails when it fails: a run that is ended early has said it."""

    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = getattr(crash, "message", None) or str(report.longrepr)
            reporter.write_line(f"\nFAILED {report.nodeid}: {why.splitlines()[0]}")


def size_of(config):
    if config.getoption("--nightly"):
        return NIGHTLY
    names_files = config.args_source is not config.ArgsSource.TESTPATHS
    return WHOLE if names_files or config.getoption("--whole") else QUICK


def pytest_report_header(config):
    """The first line of a run: what comes, before the tests are looked for."""
    what = ("quick: some cases of long tables, --whole takes all", "whole", "nightly: long counts")
    return f"{what[size_of(config)]}; looking for the tests"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leaves out what this size of a run does not take."""
    size = size_of(config)
    larger = ("whole", "nightly")[size:]
    out = {item for item in items if any(map(item.get_closest_marker, larger))}
    if size == QUICK:
        out |= set(too_many([item for item in items if item not in out]))
    if out:
        config.hook.pytest_deselected(items=list(out))
        items[:] = [item for item in items if item not in out]


def too_many(items):
    """What is beyond one case in n of the tests marked `some(n)`, the same ones in every run."""
    tables = defaultdict(list)
    for item in items:
        for some in item.iter_markers("some"):
            tables[item.parent.nodeid, item.originalname, *some.args].append(item)
    for (*_, n), cases in tables.items():
        cases.sort(key=lambda item: zlib.crc32(item.nodeid.encode()))
        yield from cases[-(-len(cases) // n) :]


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard():
    """A process that a shell runs in its background is deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def browser():
    """A Chromium for the tests of a file. It ends with them: while it runs, its process has a loop
    of asyncio that runs, beside which neither another browser nor `asyncio.run` begins."""
    from browsers import chromium  # which imports most of the house

    with chromium() as found:
        yield found


@pytest.fixture
def amount(request):
    """How many to try: quick, whole, nightly; of two numbers the first is also the quick one."""
    size = size_of(request.config)
    return lambda *counts: (counts[0], *counts)[-3:][size]


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
