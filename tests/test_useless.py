from collections import Counter

import pytest

from nn.useless import useless_cells, useless_numbers, useless_texts


@pytest.mark.parametrize(
    ("numbers", "is_first", "nameless", "several", "why"),
    [
        (range(20), True, False, True, "counts the rows (--number a learns from it)"),
        (range(20), True, False, False, ""),
        (range(20), False, False, True, ""),
        (range(3), True, True, False, "has no name and counts the rows: an index"),
        ([1, 2, 4], True, True, True, ""),
        ([4], True, False, True, ""),
        ([4, 4], False, False, False, "is the same in every row"),
    ],
)
def test_numbers(numbers, is_first, nameless, several, why):
    numbers = [*map(float, numbers)]
    assert useless_numbers("a", numbers, is_first, nameless, several) == why


@pytest.mark.parametrize(
    ("cells", "may_be_index", "may_be_end", "why"),
    [
        (["", ""], False, True, "is empty: separators at the ends of the lines"),
        (["", "?"], True, False, "is empty throughout"),
        (["u", "v"], True, False, "has no name and is another text in each row: an index"),
        (["u", "u"], True, True, "is the same in every row"),
        (["u", "u", ""], True, True, ""),
        (["u"], True, True, ""),
    ],
)
def test_cells(cells, may_be_index, may_be_end, why):
    assert useless_cells(cells, may_be_index, may_be_end) == why


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["1/2/2024", "3.4.24", "2024-05-06 07:08", "9:10 pm"], "holds dates or times"),
        (["1/2.2024", "2024-05/06", "9:1", "x"], ""),
        ([f"t{k}" for k in range(10)], "is another text in nearly every row"),
        ([f"t{k}" for k in range(9)], ""),
        ([f"t{k % 40}" for k in range(400)], ""),
        ([f"t{k % 62}" for k in range(620)], "holds 62 texts, too many to tell apart"),
        ([f"t{k % 61}" for k in range(610)], ""),
    ],
)
def test_texts(texts, why):
    found = useless_texts("a", Counter(texts))
    assert found.startswith(why)
    assert bool(found) == bool(why)
