"""What a wrong answer may have come from: the classic slips, tried one after the other."""

import math
from collections.abc import Iterable, Iterator, Sequence

from engine.pictures.story.mistake import MISTAKES
from engine.pictures.story.record import Record, sweep
from engine.pictures.story.sentences import Words

NEAR = 1e-4  # of the right number: four digits are enough
TINY = 1e-12  # what rounding may leave of a 0
NO_SLIP = "that is not it, and it is none of the usual slips"
SIGN = "the sign is turned"

Numbers = Sequence[float]  # one, or what a function gives at several points
Slip = tuple[Numbers, str]  # what it leads to, and what is said of it


def why_wrong(got: Numbers, right: Numbers, slips: Iterable[Slip] = ()) -> str:
    """What is wrong with an answer: the first slip that leads to it; "" where it is right.

    Slips of every answer are tried after those given.

    >>> why_wrong([6.0], [6.0]), why_wrong([-6.0], [6.0]), why_wrong([3.0], [6.0])
    ('', 'the sign is turned', 'that is half of it: a factor of 2 is missing')
    >>> why_wrong([5.3], [5.2781])
    'right to 2 digits: rounding? Give four, or let Python compute it'
    """
    if _same(got, right):
        return ""
    for numbers, words in (*slips, *_of_every_answer(right)):
        if _same(got, numbers):
            return words
    if len(right) == 1 and (digits := _digits(got[0], right[0])):
        return f"right to {digits} digits: rounding? Give four, or let Python compute it"
    return NO_SLIP


def _same(got: Numbers, right: Numbers) -> bool:
    return all(
        math.isclose(x, y, rel_tol=NEAR, abs_tol=TINY) or (math.isnan(x) and math.isnan(y))
        for x, y in zip(got, right, strict=True)
    )


def _of_every_answer(right: Numbers) -> Iterator[Slip]:
    yield [-x for x in right], SIGN
    yield [2 * x for x in right], "that is twice too much"
    yield [x / 2 for x in right], "that is half of it: a factor of 2 is missing"
    yield [0.0] * len(right), "0 would say that it has no influence at all: it has some"


def _digits(got: float, right: float) -> int:
    """To how many digits two numbers agree; 0 for fewer than two."""
    return next((n for n in (3, 2) if f"{got:.{n - 1}e}" == f"{right:.{n - 1}e}"), 0)


def gradient_and_slips(words: Words, place: int) -> tuple[float, list[Slip]]:
    """The gradient of a place of a record, and what slips on the way to it lead to.

    >>> from engine.pictures.steps import recorded_with_words
    >>> from engine.value import Value
    >>> a = Value(3.0, "a")
    >>> record, words = recorded_with_words(a * a, None)
    >>> gradient, slips = gradient_and_slips(words, record.place_of()[a])
    >>> gradient
    6.0
    >>> print(why_wrong([3.0], [gradient], slips))
    that is one path alone: 2 paths from mul1 meet in a, add them
    """
    record = words.record
    right = sweep(record).grads[place]
    return right, [([x], said) for x, said in _on_the_way(words, place, right) if x]


def _on_the_way(words: Words, place: int, right: float) -> Iterator[tuple[float, str]]:
    record, called = words.record, words.called
    pass_ = sweep(record)
    shares = [share for share in pass_.shares if record.edges[share.edge].tail == place]
    heads = [record.edges[share.edge].head for share in shares]
    slopes = [record.edges[share.edge].partial or 0.0 for share in shares]
    above = " and ".join(dict.fromkeys(called[head] for head in heads))
    yield -right, SIGN
    count, contributions = len(shares), [share.contribution for share in shares]
    for one in contributions if count > 1 else ():
        yield (
            one,
            f"that is one path alone: {count} paths from {above} meet in {called[place]}, add them",
        )
    for one in contributions if count > 2 else ():
        yield right - one, f"one path is missing: {count} meet in {called[place]}, add them all"
    said = f"you have the slope of the brick, not times the blame from above, that of {above}"
    yield from ((slope, said) for slope in (*slopes, math.fsum(slopes)))
    said = f"that is the blame of {above}: multiply it by the slope of the brick"
    yield from ((share.adjoint, said) for share in shares)
    for text, way, combine in MISTAKES.values():
        yield sweep(record, way, combine).grads[place], f"this happened on the way: {text}"
    for other in (place, record.root):
        yield record.data[other], f"that is the number {called[other]} itself, not a gradient"
    for other, gradient in _other_gradients(record, place, pass_.grads):
        yield gradient, f"that is the gradient of {called[other]}"
    for share, slope in zip(shares, slopes, strict=True):
        yield share.adjoint + slope, "you added the slope to the blame from above: multiply them"


def _other_gradients(
    record: Record, place: int, grads: Sequence[float]
) -> Iterator[tuple[int, float]]:
    for other in reversed(range(len(grads))):
        if other != place and not isinstance(record.graph.atoms[other], float):
            yield other, grads[other]
