"""Names that were mistyped."""

from collections.abc import Collection
from difflib import get_close_matches


def no_such(what: str, name: object, names: Collection[str]) -> str:
    """Words for a name that is not there: the nearest of those that are, and all of them.

    >>> no_such("activation", "Tanh", ["relu", "tanh"])
    "no activation 'Tanh', did you mean 'tanh'? There are: relu, tanh"
    """
    alike = {known.casefold(): known for known in names}
    typed = str(name).casefold()
    swapped = [known for known in alike if sorted(known) == sorted(typed)]
    near = swapped or get_close_matches(typed, alike, n=1)
    hint = f", did you mean {alike[near[0]]!r}?" if near else "."
    return f"no {what} {name!r:.80}{hint} There are: {', '.join(names)}"
