"""What a column that is to be learned becomes."""

import pytest
from sheets import N, found, sheet

TARGETS = {
    "two numbers": ([0, 1] * 60, ("0", "1")),
    "two others": ([7, 40] * 60, ("7", "40")),
    "three from 0": ([0, 1, 2] * 40, ("0", "1", "2")),
    "four from 1": ([1, 2, 3, 4] * 30, ("1", "2", "3", "4")),
    "with points": (["0.0", "1", "1.0", "0"] * 30, ("0", "1")),
    "three with a gap": ([0, 1, 3] * 40, None),
    "three from 2": ([2, 3, 4] * 40, None),
    "a rare one": ([0, 1] * 58 + [2] * 4, None),
    "just enough": ([0, 1] * 57 + [2] * 6, ("0", "1", "2")),
    "eleven": ([k % 11 for k in range(120)], None),
    "halves": ([0.5, 1] * 60, None),
    "one each": ([0, 1, 2], None),
}


@pytest.mark.parametrize(("cells", "classes"), TARGETS.values(), ids=TARGETS)
def test_whole_numbers_as_a_target(cells, classes):
    seen = found("y", y=cells, a=[*N[: len(cells) - 1], 8])
    aim = seen.reading.target
    assert (aim.kind, aim.texts) == (("text", classes) if classes else ("number", ()))
    other = "--numbers learns amounts" if classes else "--classes learns classes"
    is_whole = {"eleven", "halves", "one each"}.isdisjoint(
        {name for name, row in TARGETS.items() if row[0] is cells}
    )
    assert len(seen.lines) == is_whole
    assert all(line.endswith(other) for line in seen.lines)
    for as_classes, kind in ((True, "text"), (False, "number")):
        told = found("y", y=cells, a=[*N[: len(cells) - 1], 8], wishes={"as_classes": as_classes})
        assert told.reading.target.kind == kind
        assert not any("learned as" in line for line in told.lines)


def test_texts_that_differ_in_case_or_blanks():
    seen = found("y", y=["NO", "no", "yes", "y es"] * 30, a=["u", "U", "v", "w"] * 30)
    what = "texts that differ only in case or blanks are not one:"
    assert seen.lines == [
        f"'a': {what} 'u' and 'U'",
        f"'y': {what} 'NO' and 'no', 'yes' and 'y es'",
    ]


@pytest.mark.parametrize("cells", [["0.0", "-0.0", "1.0"], ["0", "1", "01", "1e0", "+1"]])
@pytest.mark.parametrize("as_classes", [None, True])
def test_classes_of_numbers_are_told_apart_by_number(cells, as_classes):
    seen = found("y", y=cells * 30, a=N * 2, wishes={"as_classes": as_classes})
    assert seen.reading.target.texts == ("0", "1")


def test_texts_between_the_numbers_of_a_target():
    y = ["0", "1", "unknown"] * 40
    assert found("y", y=y, a=N).reading.target.texts == ("0", "1", "unknown")
    aim = found("y", y=y, a=N, wishes={"number": ["y"]}).reading.target
    assert (aim.texts, aim.places(sheet(y=["unknown", "1.0", "2"]))[0]) == (("0", "1"), [-1, 1, -2])
    numbers = [*range(119), "bad"]
    [problem] = found("y", y=numbers, a=N).problems.values()
    assert problem.endswith(" (--number y leaves these rows out)"), "119 texts are too many"
    aim = found("y", y=numbers, a=N, wishes={"number": ["y"]}).reading.target
    assert aim.kind == "number"


def test_blanks_around_texts():
    seen = found(a=["yes", "yes ", "no"] * 40)
    assert seen.lines == ["'a': blanks around texts do not count: 'yes ' is 'yes'"]
    assert found(a=[" yes", " no"] * 60).lines == []


def test_texts_in_the_order_of_the_numbers_in_them():
    grades = [f"grade {k}" for k in (1, 10, 2)]
    assert found("y", y=grades * 40, a=N).reading.target.texts == ("grade 1", "grade 2", "grade 10")
    assert found("y", y=["4+", "1", "3", "2"] * 30, a=N).reading.target.texts == (
        "1",
        "2",
        "3",
        "4+",
    )
