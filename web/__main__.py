"""`python -m web NAME` builds one of the things that run in a browser, and says where it lies."""

import sys
from importlib import import_module
from pathlib import Path

from web.packages import BuildError

THINGS = {  # what `python -m web NAME` makes, by the module that builds it
    "playground": "one HTML file: an editor, Python, and this project",
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
