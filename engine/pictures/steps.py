"""A forward and a backward pass as a list of steps: to read, to play, to watch on a page."""

from engine.names import no_such
from engine.pictures.drawing.outline import Names, named
from engine.pictures.story.mistake import MISTAKES, Mistake
from engine.pictures.story.record import Record, added, record, sweep
from engine.pictures.story.sentences import Words
from engine.pictures.story.steps import Steps
from engine.pictures.story.watchable import Event, Watchable
from engine.value import Value

__all__ = ["MISTAKES", "Event", "Mistake", "Steps", "Watchable", "mistake", "steps"]


def steps(loss: Value, names: Names | None = None) -> Steps:
    """What happens when `loss` is computed and `backward()` runs, step by step.

    No `backward()` is needed before, and no `grad` changes. `names` says what the parameters are
    called, as in `draw`: `model.named_parameters()`. Those that the loss does not use are there
    too.

    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> loss = (w * x - 3.0) ** 2
    >>> print(steps(loss).transcript())
     1. mul1 = w * x = 0.5 * 2 = 1
     2. sub1 = mul1 - 3 = 1 - 3 = -2
     3. pow1 = sub1 ** 2 = (-2) ** 2 = 4
     4. the loss, to be made small: pow1 = 4
     5. backward starts at the loss L = pow1, which moves as itself: dL/dL = 1
     6. dL/d(sub1) += dL/dL * d(pow1)/d(sub1) = dL/dL * (2 * sub1) = 1 * -4 = -4
     7. dL/d(mul1) += dL/d(sub1) * d(sub1)/d(mul1) = -4 * 1 = -4
     8. dL/dw += dL/d(mul1) * d(mul1)/dw = dL/d(mul1) * x = -4 * 2 = -8
     9. dL/dx += dL/d(mul1) * d(mul1)/dx = dL/d(mul1) * w = -4 * 0.5 = -2
    10. done: every gradient is known; no .data and no .grad was changed
    """
    recorded, words = recorded_with_words(loss, names)
    return Steps(recorded, words, sweep(recorded))


def mistake(loss: Value, name: str, names: Names | None = None) -> Mistake:
    """The same beside a backward pass with a mistake: "= instead of +=" or "wrong order".

    >>> a = Value(3.0, "a")
    >>> b = a + a
    >>> found = mistake(b + b, "wrong order").first_difference
    >>> found["key"], found["wrong"], found["right"]
    ('adjoint', 1.0, 2.0)
    """
    if name not in MISTAKES:
        raise ValueError(no_such("mistake", name, MISTAKES))
    recorded, words = recorded_with_words(loss, names)
    text, way, combine = MISTAKES[name]
    wrong = Steps(recorded, words, sweep(recorded, way, combine), adds=combine is added)
    return Mistake(name, text, Steps(recorded, words, sweep(recorded)), wrong)


def recorded_with_words(loss: Value, names: Names | None) -> tuple[Record, Words]:
    """The record of a loss and of the parameters named; TypeError where it is no Value."""
    if not isinstance(loss, Value):
        raise TypeError(f"steps expected a Value, such as a loss, got {type(loss).__name__}")
    called = named(names)
    recorded = record(loss, [v for v in called if v.op is None])
    if not called:
        return recorded, Words(recorded, {})
    places = recorded.place_of()
    return recorded, Words(recorded, {places[v]: n for v, n in called.items() if v in places})
