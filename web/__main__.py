"""`python -m web NAME` builds one of the things that run in a browser, and says where it lies."""

import sys
from importlib import import_module
from pathlib import Path

from web.packages import BuildError

THINGS = {  # what `python -m web NAME` makes, by the module that builds it
    "docs": "the site of the pages: guides, notebooks as they ran, a gallery, the API",
    "lite": "the course in JupyterLite: notebooks that run in a browser",
    "playground": "one HTML file: an editor, Python, and this project",
    "suite": "nothing: runs the tests in Pyodide under Node, and counts them",
}


def main(names: list[str]) -> int:
    """Builds what is named; 2 where there is no such thing, or a package cannot be had."""
    if not names or set(names) - THINGS.keys():
        listed = "\n".join(f"  {name:<12} {what}" for name, what in THINGS.items())
        print(f"python -m web NAME builds, offline from npm and PyPI:\n{listed}", file=sys.stderr)
        return 2
    for name in names:
        try:
            made: Path = import_module(f"web.{name}").build()
        except BuildError as error:
            print(f"web {name}: {error}", file=sys.stderr)
            return 2
        print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
