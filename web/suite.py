"""The project's tests in Pyodide under Node, quick as `pytest` without options runs them."""

from pathlib import Path

from web import pyodide
from web.packages import ROOT, BuildError, wheels

PROGRAM = Path(__file__).with_name("inside.py")
NEEDED = (  # wheels of pure Python: what the tests import, and what that imports
    pyodide.GRAPHVIZ,
    "hypothesis==6.155.7",  # the last one of pure Python
    "iniconfig==2.3.1",
    "mpmath==1.3.0",
    "packaging==26.0",
    "pluggy==1.7.0",
    "pygments==2.20.0",
    "pytest==9.0.1",
    "sortedcontainers==2.4.0",
    "sybil==10.1.0",
)


def build() -> Path:
    """Runs the tests; a BuildError where one fails."""
    if code := pyodide.run(PROGRAM, wheels(NEEDED, pyodide.PYTHON)):
        raise BuildError(f"tests fail in Pyodide, or it ended: {code}; see above")
    return ROOT / "tests"
