import pytest
from sheets import N, found, kinds, sheet

from nn.dataset import DataError
from nn.sheet import Format
from nn.useless import listed, option


def test_points_are_doubted_where_others_have_decimal_commas():
    columns = {"a": ["1.234", "5.678"] * 9, "b": ["1,5", "2,5"] * 9}
    assert "say --decimal , if its points part thousands" in found(**columns).problems["a"]
    told = found(**columns, format=Format(decimal=","))
    assert told.reading.columns[0].spelling("1.234") == 1234
    told = found(**columns, format=Format(decimal="."))
    assert (told.problems, told.reading.columns[0].spelling("1.234")) == ({}, 1.234)
    assert found(a=["1.234", "5.67"] * 9, b=["1,5", "2,5"] * 9).problems == {}


def test_names_may_hold_commas():
    columns = {"a,b": N, "c": N, "d": N, "e": N}
    assert kinds(found(**columns, wishes={"ignore": ["a,b", "c, d"]})) == {"e": "number"}
    with pytest.raises(DataError, match="no column 'b'"):
        found(**{"x": N, "a": N}, wishes={"ignore": ["a,b"]})


def test_one_line_for_all_columns_of_which_the_same_is_said():
    columns = {f"c{k}": ["1,5", "2,25"] * 9 for k in range(30)}
    [line] = found(**columns).lines
    assert line.startswith("'c0' (1,5), 'c1' (1,5),")
    assert line.endswith("and 22 more: read as numbers with a comma as decimal point")


def test_words():
    assert listed(["a", "b"]) == "a, b"
    assert option("text", "it's") == "--text 'it'\"'\"'s'"


MONEY = ["$5", "€7", "$9", "€3"] * 30


@pytest.mark.parametrize("wishes", [{}, {"number": ["a"]}])
@pytest.mark.parametrize("cells", [MONEY, MONEY[1:], ["5", "6%"] * 60, ["1,5", "1.5"] * 60])
def test_no_number_becomes_a_gap(cells, wishes):
    """Whichever way is the usual one, be it asked for or not."""
    [problem] = found(a=cells, b=[*N][: len(cells)], wishes=wishes).problems.values()
    assert "--number" not in problem
    assert ("in $ and €: convert" in problem) is ("$9" in cells)


def test_brackets_are_a_minus_where_all_are_numbers():
    seen = found(a=["(5)", "7", "(1.3)", "3"] * 30)
    assert seen.reading.columns[0].numbers(sheet(a=["(5)", "7", "(1.3)"]))[0] == [-5, 7, -1.3]
    assert seen.lines == ["'a' ((5)): read as numbers with brackets as minus"]
    seen = found(a=["($5)", "$7"] * 60)
    assert seen.lines == ["'a' (($5)): read as numbers with amounts in $, brackets as minus"]
    assert seen.reading.columns[0].numbers(sheet(a=["($5)", "$7"]))[0] == [-5, 7]
    assert kinds(found(a=["(u)", "7"] * 60)) == {"a": "text"}


def test_one_line_speaks_of_several_columns_as_several():
    seen = found(a=["5"] * 120, b=["5"] * 120, c=N)
    assert seen.lines == ["left out: 'a', 'b': each is the same in every row"]
