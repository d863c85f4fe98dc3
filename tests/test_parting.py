from collections import Counter

import pytest

from nn.data import Dataset, split
from nn.parting import parted, thin_classes


def rows_of(*counts):
    ys = [k for k, count in enumerate(counts) for _ in range(count)]
    names = tuple(f"class {k}" for k in range(len(counts)))
    return Dataset([[float(i)] for i in range(len(ys))], ys, classes=names)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("counts", [(90, 10), (5, 5, 5), (997, 2, 1), (3, 3), (1, 1, 1, 7)])
def test_each_class_gives_its_share_and_keeps_a_row_to_learn_from(counts, share):
    rows = rows_of(*counts)
    learned, others = parted(rows, share, seed=3)
    assert sorted([*learned, *others]) == [*range(len(rows.xs))]
    here, there = (Counter(rows.ys[k] for k in part) for part in (learned, others))
    for k, count in enumerate(counts):
        assert here[k] >= 1
        assert there[k] <= share * count + 1
        assert there[k] >= min(int(share * count), count - 1)


def test_so_many_rows_go_as_are_asked_for():
    assert [len(part) for part in parted(rows_of(70, 20, 10), 0.25, 0)] == [75, 25]
    assert len(parted(rows_of(*[4] * 25), 0.2, 0)[1]) == 20


def test_amounts_are_parted_as_split_parts_them():
    rows = Dataset([[float(i)] for i in range(50)], [0.5 * i for i in range(50)])
    learned, others = parted(rows, 0.2, seed=4)
    assert (rows.pick(learned), rows.pick(others)) == split(rows, 0.8, seed=4)


def test_another_seed_gives_other_rows_and_the_same_one_the_same():
    rows = rows_of(50, 50)
    assert parted(rows, 0.2, 1) == parted(rows, 0.2, 1) != parted(rows, 0.2, 2)


def test_classes_of_single_rows_are_parted_all_the_same():
    learned, others = parted(rows_of(1, 1, 1, 1, 1), 0.2, 0)
    assert (len(learned), len(others)) == (4, 1)


def test_what_cannot_be_told_of_is_said():
    names = [f"c{k}" for k in range(8)]
    many, none = [k for k in range(8) for _ in range(3)], []
    assert thin_classes(names, many, many) == thin_classes(names, many, none) == []
    (line,) = thin_classes(names, many, [0, 1])
    assert line.startswith("kept aside is no row of 'c2', 'c3', 'c4', 'c5' and 2 others: ")
    assert line.endswith("of them")
