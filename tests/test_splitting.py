import pytest

from nn.splitting import blanks_as_tabs, columns_of, names_columns, separator_of


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("", ","),
        ("a", ","),
        ("a,b;c\n1,2;3\n4,5;6\n", ";"),
        ("a;b\n1,5;2,5\n", ";"),
        ("1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb c\n1\t2 3\n", "\t"),
        ("a  b\tc\n1   2\t3\n", " "),
        ('"a,b,c";d\n1;2\n', ";"),
        ('say "a;b;c",d\n1,2\n', ","),
        ("a,b\n1,2\n1;2\n3,4\n", ","),
        ("a b c\n1 2 3\n4 5 6 7\n", ","),
    ],
)
def test_what_parts_cells(text, sign):
    assert separator_of(text) == sign


def test_only_blanks_outside_quotes_part_cells():
    assert blanks_as_tabs('a \t "b  c"\r\n  d\re ') == 'a\t"b  c"\nd\ne'


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n", 'a,b\r\n"1",2\r\n3,4', "a,b\n1,2\n\n3,4\n\n"])
def test_the_fast_and_the_slow_way_agree(text):
    columns, lines, ragged, bare = columns_of("a.csv", text, ",", 4)
    assert [[cell.strip() for cell in column] for column in columns] == [
        ["a", "1", "3"],
        ["b", "2", "4"],
    ]
    assert ([*lines][:2], len(lines), ragged, bare) == ([5, 6], 3, {}, {})


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ([["a"], ["b"]], True),
        ([["1"], ["2"]], False),
        ([["a", "1", "2"]], True),
        ([["NA", "1", "2"], ["3", "4", "5"]], False),
        ([["u", "v", "u"], ["w", "w", "x"]], False),
        ([["u", "v", "v"], ["w", "w", "x"]], True),
    ],
)
def test_a_line_of_names(columns, names):
    assert names_columns(columns) is names
