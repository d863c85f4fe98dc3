"""Python's own reports of what it is about to do, to see that nothing is executed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXECUTING = ("compile", "exec", "import", "ctypes.", "marshal.", "os.", "pickle.", "subprocess.")
HARMLESS = ("os.fspath",)
_seen: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is not None and event.startswith(EXECUTING) and event not in HARMLESS:
        _seen.append(f"{event}{arguments!r:.200}")


sys.addaudithook(_note)  # cannot be taken away again


@contextmanager
def nothing_executed() -> Iterator[None]:
    """AssertionError where something was compiled, executed, imported or started."""
    global _seen  # noqa: PLW0603 (one for the process)
    _seen = []
    try:
        yield
    finally:
        seen, _seen = _seen, None
    assert not seen
