"""The course in JupyterLite: each notebook runs to its end in a Chromium, and nobody is asked."""

import re

import pytest

from web import lite
from web.visited import served, visited

pytest.importorskip("jupyterlite_pyodide_kernel", reason='no JupyterLite: pip install -e ".[lite]"')

NAMES = sorted(path.name for path in (lite.ROOT / "notebooks").glob("*.ipynb"))
PROGRESS = re.compile(r"[\d,]+ of [\d,]+: loss .*\n|\s")  # what a long training says as it runs


@pytest.fixture(scope="module")
def address():
    """The site, built once, on this machine."""
    lite.build()
    with served(lite.SITE) as address:
        yield address


def texts(outputs):
    """What outputs say, as one text."""
    return "".join(
        "".join(text)
        for output in outputs
        for text in (output.get("text", ()), *output.get("data", {}).values())
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.whole if n[:2] == "02" else pytest.mark.nightly)
        for n in NAMES
    ],
)
def test_a_notebook_runs_to_its_end(name, address, browser):
    page, run = visited(browser, address, name, limit=300)
    page.context.close()
    code = [cell for cell in run.cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert PROGRESS.sub("", texts(o for o in outputs if o.get("name") == "stderr")) == ""
    assert re.search("<svg|<iframe", texts(outputs))
    assert [url for url in run.asked if not url.startswith((address, "blob:", "data:"))] == []
