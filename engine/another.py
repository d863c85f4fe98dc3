"""Warns at import where the `nn` that Python finds is not ours: other packages have that name."""

import warnings
from importlib.util import find_spec

__project__ = "brickgrad"  # by which our `nn` knows this engine
MARK = b"nn.another"  # stands in our `nn/__init__.py`, also where that is compiled


def stranger() -> str | None:
    """The file of a package `nn` that is not ours; None where it is ours, or where there is none.

    Nothing of it is imported.
    """
    try:
        spec = find_spec("nn")
        if spec is None or spec.origin is None:
            return None
        content: bytes = spec.loader.get_data(spec.origin)  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError, ValueError):  # what cannot be read is not judged
        return None
    return None if MARK in content else spec.origin


if found := stranger():
    warnings.warn(
        f"`import nn` gives {found}, which is not of brickgrad. A file or folder of yours: call it "
        "something else, or run Python elsewhere. The package nn of PyPI: pip uninstall nn, and "
        "install brickgrad again. Without brickgrad's nets, leave it as it is",
        stacklevel=3,
    )
