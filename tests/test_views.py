import itertools
import math
import random

import pytest

from engine.replay.views import View, is_matrix, is_one_to_one, joined, laid, packed


def places(view):
    steps = [[i * s for i in range(n)] for n, s in zip(view.shape, view.strides, strict=True)]
    return [view.base + sum(step) for step in itertools.product(*steps)]


@pytest.mark.parametrize("lengths", [(), (3,), (2, 3), (2, 1, 4), (2, 0)])
def test_places_are_those_of_nested_loops(lengths):
    view = View("v", 1000, lengths, (100, -10, 1)[: len(lengths)])
    assert view.places() == places(view)
    assert View("v", 0, (3,), (1,), (4, 2, 4)).places() == [4, 2, 4]
    assert View("v", 2, (2,), (-1,), (4, 2, 5)).places() == [5, 2]
    with pytest.raises(ValueError, match="zip"):
        View("v", 0, (2, 2), (1,)).places()


def test_a_repeated_view_stands_still_along_more_axes():
    assert View("v", 7, (2,), (3,)).repeated((2, 1)).places() == [7, 7, 10, 10]
    assert View("v", 0, (2,), (1,), (4, 9)).repeated((2,)).places() == [4, 4, 9, 9]


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View("v", 5, (3, 2), (2, 1)), "v[5 + 2i + j]"),
        (View("v", 0, (3, 2), (0, 1)), "v[j]"),
        (View("v", 0, (), ()), "v[0]"),
        (View("v", 1, (2,), (1,), (9, 4, 7)), "v[(9, 4, 7)[1 + i]]"),
        (View("v", 0, (12,), (1,), tuple(range(12))), "v[(0, 1, 2, 3, 4, 5, 6, 7, 8, ...)[i]]"),
    ],
)
def test_a_view_says_where_it_stands(view, text):
    assert str(view) == text


@pytest.mark.parametrize(
    ("view", "runs", "is_once"),
    [
        (View("v", 5, (), ()), [(5, 6)], True),
        (View("v", 0, (4, 3), (3, 1)), [(0, 12)], True),
        (View("v", 0, (3, 4), (1, 3)), [(0, 12)], True),
        (View("v", 9, (4,), (-3,)), [(0, 1), (3, 4), (6, 7), (9, 10)], True),
        (View("v", 0, (2, 3), (10, 1)), [(0, 3), (10, 13)], True),
        (View("v", 0, (3, 3), (1, 1)), [(0, 5)], False),
        (View("v", 0, (3,), (1,), (4, 2, 5)), [(2, 3), (4, 6)], True),
        (View("v", 0, (3,), (1,), (4, 2, 4)), [(2, 5)], False),
        (View("v", 2, (5000, 2), (3, 1)), [(2, 15001)], False),  # too many to be told apart
    ],
)
def test_runs_are_the_stretches_of_memory_that_a_view_covers(view, runs, is_once):
    assert view.runs() == (runs, is_once)


@pytest.mark.some(8)
@pytest.mark.parametrize("seed", range(200))
def test_runs_hold_the_places_and_no_other(seed):
    draw = random.Random(seed)
    shape = tuple(draw.randint(1, 4) for _ in range(draw.randint(0, 3)))
    view = View("v", 90, shape, tuple(draw.randint(-9, 9) for _ in shape))
    runs, is_once = view.runs()
    covered = {at for start, stop in runs for at in range(start, stop)}
    assert covered == {*places(view)}
    moving = [n for n, s in zip(shape, view.strides, strict=True) if s]
    assert not is_once or len(covered) == math.prod(moving)


@pytest.mark.some(8)
@pytest.mark.parametrize("seed", range(200))
def test_joined_views_show_the_same_places_with_as_few_axes(seed):
    draw = random.Random(seed)
    shape = tuple(draw.randint(1, 4) for _ in range(draw.randint(0, 4)))
    columns = [tuple(s * draw.choice([0, 1, 1, 2]) for s in packed(shape)) for _ in range(2)]
    views = [View("m", 5, shape, strides) for strides in [*columns, packed(shape)]]
    fewer = laid(views)
    assert [places(view) for view in fewer] == [places(view) for view in views]
    assert 1 not in fewer[0].shape
    for k in range(len(fewer[0].shape) - 1):
        assert any(v.strides[k] != v.strides[k + 1] * v.shape[k + 1] for v in fewer)


def test_joined_without_any_axis():
    assert joined((1, 1), (3, 4)) == ((), [()])
    assert joined(()) == ((), [])


@pytest.mark.some(8)
@pytest.mark.parametrize("seed", range(200))
def test_one_to_one_is_never_said_of_overlapping_windows(seed):
    draw = random.Random(seed)
    rank = draw.randint(0, 3)
    shape = tuple(draw.randint(1, 4) for _ in range(rank))
    view = View("m", 50, shape, tuple(draw.randint(-9, 9) for _ in range(rank)))
    seen = places(view)
    if is_one_to_one(view):
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((), (), True),
        ((3, 4), (4, 1), True),
        ((3, 4), (1, 3), True),
        ((3, 4), (1, 1), False),
        ((3, 4), (3, 1), False),
        ((3, 4), (0, 1), False),
        ((1, 4), (0, 1), True),
        ((3, 4), (-4, 1), True),
        ((5,), (17,), True),
    ],
)
def test_one_to_one(shape, strides, expected):
    assert is_one_to_one(View("m", 20, shape, strides)) is expected


@pytest.mark.parametrize(
    ("strides", "expected"),
    [
        ((4, 1), True),
        ((17, 1), True),
        ((1, 3), True),
        ((3, 1), False),
        ((1, 2), False),
        ((8, 2), False),
    ],
)
def test_matrices_that_blas_takes(strides, expected):
    assert is_matrix(View("m", 0, (3, 4), strides)) is expected


def test_axes_are_taken_moved_and_given_back():
    view = View("m", 7, (2, 3, 4), (12, 0, 1))
    assert view.own == [0, 2]
    assert view.along([2, 0]) == View("m", 7, (4, 2), (1, 12))
    assert view.at([(0, 1), (2, 3)]).base == 7 + 12 + 3
    assert view.along(view.own).over(view.own, view.shape) == view
    assert view.least == view
    assert View("m", 7, (2, 3), (0, 0)).least == View("m", 7, (), ())
