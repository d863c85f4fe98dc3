"""Stops the import where the `engine` that Python finds is not ours: others have that name too."""

from importlib.util import find_spec
from pathlib import Path

try:
    from engine.another import __project__ as engines
except ImportError as error:
    spec = find_spec("engine")
    found = spec and spec.origin
    if found and not Path(found).with_name("another.py").exists():
        raise ImportError(
            f"`import engine` gives {found}, which is not of brickgrad, and nn cannot work with "
            "it. A file or folder of yours: call it something else, or run Python elsewhere. A "
            "package: pip uninstall it, and install brickgrad again"
        ) from error
    raise

__project__ = engines
