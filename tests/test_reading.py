import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.columns import Column, Reading
from nn.data import DataError, Dataset, DataWarning, load_csv
from nn.reading import as_named, read_again
from nn.sheet import Format, read_sheet


@pytest.fixture
def write(tmp_path):
    """Writes text or bytes to a file and gives its path."""

    def write_file(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


# --- a file of your own ----------------------------------------------------------------------


def test_a_target_of_text_is_classes(write):
    data = load_csv(write("a,b,kind\n1,2,yes\n3,-4e1,no\n5,6,yes\n"), target="kind")
    assert data == Dataset([[1, 2], [3, -40], [5, 6]], [1, 0, 1], ("a", "b"), ("no", "yes"), "kind")


def test_a_target_of_numbers_is_an_amount(write):
    data = load_csv(write("a,price\n1,2.5\n3,4\n"), target="price")
    assert (data.ys, data.classes) == ([2.5, 4.0], ())


def test_classes_turn_numbers_into_labels(write):
    path = write("a,bought\n1,0\n3,1\n")
    assert load_csv(path, target="bought", classes=("0", "1")).ys == [0, 1]


def test_a_column_of_text_is_a_feature_for_each_text(write):
    data = load_csv(write("island,mass,y\nBiscoe,1,0\nDream,2,1\nBiscoe,3,2\n"), target="y")
    assert data.features == ("island=Biscoe", "island=Dream", "mass")
    assert data.xs == [[1, 0, 1], [0, 1, 2], [1, 0, 3]]


def test_another_file_is_read_the_same_way(write):
    seen = load_csv(write("c,n,y\nred,1,no\nblue,2,yes\ngreen,3,no\n"), target="y")
    data = load_csv(write("n,c\n7,green\n"), features=seen.features)
    assert (data.xs, data.ys) == ([[0, 1, 0, 7]], [])
    data = load_csv(write("y,n,c\nno,7,red\n"), "y", features=seen.features, classes=seen.classes)
    assert (data.xs, data.ys, data.classes) == ([[0, 0, 1, 7]], [0], ("no", "yes"))


def test_a_category_that_was_not_there_before_is_refused(write):
    with pytest.raises(DataError, match=r"line 2: 'c' is 'pink', expected one of blue, red"):
        load_csv(write("c\npink\n"), features=["c=blue", "c=red"])


def test_a_class_that_was_not_there_before_is_refused(write):
    with pytest.raises(DataError, match=r"line 3: 'y' is 'maybe', expected one of no, yes"):
        load_csv(write("a,y\n1,no\n2,maybe\n"), "y", classes=("no", "yes"))


def test_a_column_or_category_with_an_equals_sign(write):
    data = load_csv(write("a=b,y\np=q,1\nr,2\n"), "y")
    assert data.features == ("a=b=p=q", "a=b=r")
    again = load_csv(write("a=b\nr\n"), features=data.features)
    assert again.xs == [[0, 1]]


def test_of_two_columns_that_a_feature_may_come_from_the_longer_name_counts(write):
    data = load_csv(write("a,a=b,y\nu,p,1\nv,q,2\n"), "y")
    assert data.features == ("a=u", "a=v", "a=b=p", "a=b=q")
    assert data.xs == [[1, 0, 1, 0], [0, 1, 0, 1]]
    again = load_csv(write("a=b,a\nq,u\n"), features=data.features)
    assert again.xs == [[1, 0, 0, 1]]


def test_as_classes_is_true_or_false(write):
    path = write("a,y\n1,2\n3,4\n")
    assert load_csv(path, "y", as_classes=1) == load_csv(path, "y", as_classes=True)
    with pytest.raises(TypeError, match="as_classes expected True or False, got 'no'"):
        load_csv(path, "y", as_classes="no")


def test_two_of_one_name_are_refused(write):
    message = "two features have the name 'a=b': rename a column, or a text in it"
    with pytest.raises(DataError, match=message):
        load_csv(write("a,a=b,y\nb,1,1\nc,2,2\n"), "y")
    with pytest.raises(DataError, match="two features have the name 'a'"):
        load_csv(write("a,y\n1,2\n"), "y", features=["a", "a"])
    with pytest.raises(DataError, match="two classes have the name 'u'"):
        load_csv(write("a,y\n1,u\n2,v\n"), "y", classes=("u", "u", "v"))


PLAIN = "a,b,y\n1,2,no\n3,4,yes\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.rstrip("\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        '"a","b","y"\n"1","2","no"\n"3","4","yes"\n',
        "a, b ,y\n 1,2 ,no\n3,4, yes\n",
        "a,b,y\n\n1,2,no\n\n3,4,yes\n\n",
    ],
    ids=["plain", "crlf", "cr", "no end", "semicolon", "tab", "bom", "quoted", "spaces", "blank"],
)
def test_many_ways_to_write_the_same_file(write, content):
    data = load_csv(write(content), target="y")
    assert data == Dataset([[1, 2], [3, 4]], [0, 1], ("a", "b"), ("no", "yes"), "y")


def test_quoted_names_may_hold_commas_lines_and_quotes(write):
    data = load_csv(write('"a, ""x""","y"\n1,"two\nlines"\n2,one\n'), target="y")
    assert data.features == ('a, "x"',)
    assert data.classes == ("one", "two\nlines")


BAD = {
    "empty": ("", "the file is empty"),
    "blank": ("\n\n  \n", "the file is empty"),
    "header only": ("a,y\n", "only a header, no rows"),
    "no header": (
        "1,2\n3,4\n",
        "no column 'y'. There are: column 1, column 2 (its first line",
    ),
    "missing column": ("a,why\n1,2\n", "no column 'y'. There are: a, why"),
    "near column": ("a,yy\n1,2\n", "no column 'y', did you mean 'yy'? There are: a, yy"),
    "only target": ("y\n1\n2\n", "no column is left to learn from besides 'y'"),
    "one class": ("a,y\n1,no\n2,no\n", "every 'y' is 'no': nothing to tell apart"),
    "short": ("a,b,y\n1,2,3\n1,2\n", "line 3: expected 3 fields, got 2"),
    "long": ("a,y\n1,2\n1,2,3\n", "line 3: expected 2 fields, got 3"),
    "text": ("a,y\n1,1\nfoo,2\n3,3\n", "line 3: 'a' is 'foo', expected a finite number"),
    "empty cell": (
        "a,y\n1,1\n2,\n3,3\n",
        "line 3: 'y' is empty (fill it in, or say missing='fill' or missing='drop')",
    ),
    "thousands": (
        'a,y\n1,"1,200"\n2,"2,400"\n',
        "'y' holds '1,200', which is 1,200 or 1.2: say thousands=',' or decimal=','",
    ),
    "quoted decimal commas": (
        'a,y\n1,"95,7"\n2,8\n',
        "'y' holds '95,7': say decimal=',' if that is 95.7, or text=['y'] if it is a text",
    ),
    "many classes": (
        "a,y\n" + "".join(f"{i},name {i}\n" for i in range(33)),
        "column 'y' holds 33 different texts, more than the 32 that can be told apart: is it the",
    ),
    "empty text": ("a,y\n1,no\n2,\n3,yes\n", "line 3: 'y' is empty"),
    "all empty": (
        "a,y\n,1\n,2\n",
        "no column is left to learn from besides 'y'; 'a' is empty throughout",
    ),
    "nan": ("a,y\nnan,1\n2,2\n3,3\n", "line 2: 'a' is 'nan' (fill it in, or say missing="),
    "inf": ("a,y\n1,1\n-inf,2\n", "line 3: 'a' is '-inf', expected a finite number"),
    "too large": ("a,y\n1,1\n1e999,2\n", "line 3: 'a' is '1e999', expected a finite number"),
    "underscore": ("a,y\n1,1\n1_0,2\n", "line 3: 'a' is '1_0', expected a finite number"),
    "two faults": (
        "a,y\n1,1\nx,2\ny,3\n4,4\n",
        "expected a finite number; line 4: 'a' is 'y'",
    ),
    "open quote": ('a,y\n1,2\n"3,4\n', "line 3: broken CSV"),
    "stray quote": ('a,y\n"1"2,2\n', "line 2: broken CSV"),
    "latin-1": ("a,y\n1,2\né,3\n".encode("latin-1"), "line 3 is not UTF-8 text"),
    "utf-16": (
        "a,y\n1,2\n".encode("utf-16-le"),
        "not UTF-8 text: save the file as UTF-8, or",
    ),
    "binary": (bytes(range(128, 256)), "line 1 is not UTF-8 text"),
    "free text": (
        "a,y\n" + "".join(f"name {i},{i}\n" for i in range(33)),
        "no column is left to learn from besides 'y'; 'a' is another text in nearly every row "
        "(text=['a'] learns from it)",
    ),
    "line after a quoted break": ('a,b,y\n"x\ny",1,1\n"x",z,2\n"x",3,3\n', "line 4: 'b' is 'z'"),
}


def test_columns_to_ignore(write):
    path = write("id,a,y\n" + "".join(f"person {i},{i},{i % 3}.5\n" for i in range(40)))
    assert load_csv(path, "y", ignore=["id"]).features == ("a",)
    assert load_csv(path, ignore=["id", "a"]).features == ("y",)
    with pytest.raises(DataError, match="no column 'ids', did you mean 'id'"):
        load_csv(path, "y", ignore=["ids"])
    with pytest.raises(DataError, match="no column is left"):
        load_csv(path, "y", ignore=["id", "a"])


def test_numbers_as_classes(write):
    path = write("a,y\n" + "1,10\n2,9\n3,-1\n4,9\n" * 2)
    rows = load_csv(path, "y", as_classes=True)
    assert (rows.classes, rows.ys) == (("-1", "9", "10"), [2, 1, 0, 1] * 2)
    assert load_csv(path, "y").ys == [10, 9, -1, 9] * 2
    assert load_csv(path, "y", classes=rows.classes).ys == rows.ys


def test_texts_with_commas_are_texts(write):
    assert load_csv(write('a,y\n"1,2,3",1\n"b, c",2\n'), "y").features == ("a=1,2,3", "a=b, c")
    path = write("a,y\n" + '1,"1,2"\n2,"3,4"\n' * 2)
    assert load_csv(path, "y", as_classes=True).classes == ("1,2", "3,4")


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_clear_error(write, content, message):
    path = write(content)
    with pytest.raises(DataError) as caught:
        load_csv(path, target="y")
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_of_many_bad_rows_five_are_shown(write):
    rows = "".join(f"{i},{f'x{i}' if i % 3 == 0 else i}\n" for i in range(30))
    with pytest.raises(DataError, match="and 5 more") as caught:
        load_csv(write("a,y\n" + rows), target="y")
    assert str(caught.value).count("line ") == 5


def test_columns_of_one_name_are_told_apart(write):
    rows, lines = said(write("a,a,y\n1,2,3\n2,5,4\n"), "y")
    assert (rows.features, lines) == (
        ("a", "a.1"),
        ["columns of one name are told apart by numbers: 'a.1'"],
    )
    rows, _ = said(write("a.1,a,a,y\n1,2,3,3\n2,3,5,4\n"), "y", number=["a"])
    assert rows.features == ("a.1", "a", "a.2")


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot read it: No such file"):
        load_csv(tmp_path / "nowhere.csv", target="y")


def test_a_folder(tmp_path):
    with pytest.raises(DataError, match="cannot read it"):
        load_csv(tmp_path, target="y")


def test_features_must_be_there_and_hold_numbers(write):
    path = write("a,b\n1,x\n")
    with pytest.raises(DataError, match="no column 'c'"):
        load_csv(path, features=["c"])
    with pytest.raises(DataError, match="line 2: 'b' is 'x', expected a finite number"):
        load_csv(path, features=["b"])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_dataset_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "data.csv"
    path.write_bytes(b"a,y\n" + content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            data = load_csv(path, target="y")
    except DataError:
        return
    assert len(data.xs) == len(data.ys) > 0


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)), min_size=1))
def test_numbers_come_back_bit_for_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("any") / "data.csv"
    path.write_text("a,y\n" + "".join(f"{a!r},{y!r}\n" for a, y in rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            data = load_csv(path, target="y", number=["a"], header=True, as_classes=False)
        except DataError:
            assert len({y for _, y in rows}) == 1
            return
    assert data.xs == [[a] for a, _ in rows]
    assert data.ys == [y for _, y in rows]


@pytest.mark.parametrize("escape", ["\x1b[2J", "\x07", "\x9b2J", "\x7f", "\n", "\r"])
def test_texts_of_a_file_reach_no_terminal_as_they_are(write, escape):
    path = write(f'"a{escape}b",y\n1,"{escape}p"\n2,"{escape}q"\n')
    assert repr(load_csv(path, "y")).isprintable()
    for target, classes in (("y", ["x", f"{escape}z"]), ("z", None)):
        with pytest.raises(DataError) as caught:
            load_csv(path, target, classes=classes)
        assert str(caught.value).isprintable()


# --- gaps, and what is said of them -----------------------------------------------------------

GAPS = "a,t,y\n1,u,2.5\n,v,3.5\n5,,4.5\nNA,u,5.5\n6,v,\n"


def said(path, *arguments, **named):
    """The rows of a file, and the lines that were said of it."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        rows = load_csv(path, *arguments, **named)
    assert all(warning.category is DataWarning for warning in found)
    assert all(warning.filename == __file__ for warning in found)
    return rows, [str(warning.message) for warning in found]


def test_gaps_are_refused_unless_asked_otherwise(write):
    with pytest.raises(DataError, match=r"line 3: 'a' is empty; line 4: 't' is empty; line 5: 'a'"):
        load_csv(write(GAPS), "y")


def test_gaps_are_filled(write):
    rows, lines = said(write(GAPS), "y", missing="fill")
    assert rows.features == ("a", "a was missing", "t=u", "t=v", "t=(missing)")
    assert rows.xs == [[1, 0, 1, 0, 0], [3, 1, 0, 1, 0], [5, 0, 0, 0, 1], [3, 1, 1, 0, 0]]
    assert rows.ys == [2.5, 3.5, 4.5, 5.5]
    assert lines == [
        "1 row without 'y' left out",
        "'t' (1): an empty cell is a text of its own, '(missing)'",
        "'a' (2): missing cells hold the median of the rows learned from; where these have "
        "gaps, an input says so",
    ]


def test_gaps_in_rows_that_are_left_out_do_not_count(write):
    text = "a,t,y\n1,u,2\n,,\n3,v,4\n4,u,\n,u,3\n5,,\n"
    rows, lines = said(write(text), "y", missing="fill")
    assert rows.features == ("a", "a was missing", "t=u", "t=v")
    assert lines == [
        "1 line of separators alone left out",
        "2 rows without 'y' left out",
        "'a' (1): missing cells hold the median of the rows learned from; where these have "
        "gaps, an input says so",
    ]


def test_rows_with_gaps_are_left_out(write):
    rows, lines = said(write(GAPS), "y", missing="drop")
    assert (rows.xs, rows.ys, rows.features) == ([[1, 1, 0]], [2.5], ("a", "t=u", "t=v"))
    assert lines == ["1 row without 'y' left out", "3 rows with gaps left out"]


def test_another_file_is_read_like_an_earlier_one(write):
    rows, _ = said(write(GAPS), "y", missing="fill")
    again, lines = said(write("y,b,t,a\n?,0,,\n1,0,u,7\n"), like=rows)
    assert again.xs == [[3, 1, 0, 0, 1], [7, 0, 1, 0, 0]]
    assert (again.ys, again.features) == ([None, 1.0], rows.features)
    assert lines == ["missing cells hold the median of the rows learned from: 'a' (1)"]
    again, lines = said(write("t,a\nu,7\n"), like=rows)
    assert (again.ys, lines) == ([], [lines[0]])
    assert "no column 'y'" in lines[0]
    with pytest.raises(DataError, match=r"row 2 \(line 3\): 'a' is 'x', expected a finite number"):
        load_csv(write("t,a\nu,7\nu,x\n"), like=rows)


def test_a_gap_where_there_was_none_is_filled_and_said(write):
    rows = load_csv(write("a,t,y\n1,u,2.5\n2,v,3.5\n4,v,4.5\n"), "y", missing="fill")
    assert rows.features == ("a", "t=u", "t=v")
    again, lines = said(write("a,t,y\n,,1\n"), like=rows)
    assert again.xs == [[2, 0, 1]]
    assert lines == [
        "missing cells hold the median of the rows learned from: 'a' (1)",
        "empty cells are the most frequent text: 't': 'v' (1)",
    ]


def test_what_a_file_does_not_say_by_itself(write):
    text = 'größe;p;y\n"1,5";1.234;u\n"2,5";2.345;v\n'.encode("cp1252")
    rows, lines = said(write(text), "y", encoding="cp1252", decimal=",", thousands=".")
    assert rows.xs == [[1.5, 1234], [2.5, 2345]]
    assert lines == [
        "'größe' (1,5): read as numbers with a comma as decimal point",
        "'p' (1.234): read as numbers with a comma as decimal point, points between thousands",
    ]
    again = load_csv(write(text), like=rows)
    assert again == rows


def test_a_file_with_decimal_points_is_read_like_one_with_commas_where_that_is_said(write):
    rows, _ = said(write("a;y\n1,5;2\n2,5;3\n3,25;5\n"), "y")
    points = write("a;y\n1.5;2\n")
    with pytest.raises(DataError, match=r"'a' is '1\.5', expected numbers: a comma as dec"):
        load_csv(points, like=rows)
    assert load_csv(points, like=rows, decimal=".").xs == [[1.5]]


def test_kinds_by_wish(write):
    path = write("a,b,y\n1,2,0\n2,x,1\n1,3,0\n3,x,1\n")
    rows, lines = said(path, "y", text=["a"], number=["b"], missing="fill", as_classes=False)
    assert rows.features == ("a=1", "a=2", "a=3", "b", "b was missing")
    assert (rows.ys, rows.classes) == ([0, 1, 0, 1], ())
    assert "'b': read as numbers; what is none counts as missing: 'x' (2)" in lines


def test_a_usual_file_is_read_without_a_word(write):
    rows = "".join(f"{k * k % 17},{'uv'[k % 2]},{k / 7}\n" for k in range(60))
    assert said(write("a,t,y\n" + rows), "y")[1] == []
    assert said(write("a,t,y\n" + rows), "t")[1] == []


def test_a_large_file_is_read_fast(write, figure):
    text = "\n".join(",".join(f"{(k * j) % 97}.5" for j in range(1, 21)) for k in range(1, 20_001))
    path = write(",".join(f"c{j}" for j in range(20)) + "\n" + text)
    start = time.process_time()
    rows = load_csv(path, "c19")
    seconds = time.process_time() - start
    assert (len(rows.xs), len(rows.features)) == (20_000, 19)
    figure("files", "20,000 rows of 20 columns read", 1, seconds, 2.0, "s")
    assert seconds < 2


def test_lines_of_separators_alone_are_no_rows_for_a_program(write):
    rows = load_csv(write("a,y\n1,2\n5,3\n4,1\n"), "y")
    again, lines = said(write("a,y\n1,2\n,\n4,1\n"), like=rows)
    assert (again.xs, lines) == ([[1.0], [4.0]], ["1 line of separators alone left out"])


def test_rows_keep_their_numbers_in_the_file(write):
    path = write("a,b,y\n1,1,2\n,,\n5,,3\n4,3,1\n")
    rows, _ = said(path, "y", missing="drop")
    assert (rows.xs, list(rows.numbers)) == ([[1.0, 1.0], [4.0, 3.0]], [1, 4])


def test_a_net_without_a_reading_reads_by_names(write):
    sheet = read_sheet(write("a,b,y\n1,u,2\n3,v,4\n"))
    features = Column("a"), Column("b", "text", texts=("u", "v"))
    names = ["a", "b=u", "b=v"]
    assert as_named(names, "y", ())(sheet) == Reading(features, Column("y"))
    of_classes = as_named(names, "y", ("2", "4"))(sheet)
    assert of_classes == Reading(features, Column("y", "text", texts=("2", "4")))


def test_a_program_is_told_the_arguments_of_python(write):
    _, lines = said(write("a,y\n" + "".join(f"0{k % 7},{k % 2}\n" for k in range(40))), "y")
    assert lines == [
        "'a' (00): read as numbers, without the zeros before them; text=['a'] keeps them, as of "
        "codes",
        "'y': whole numbers (0, 1) learned as classes; as_classes=False learns amounts",
    ]


def test_named_features_are_read_in_the_notation_that_is_told(write):
    path = write("a;y\n1,5;2\n2,5;3\n")
    with pytest.raises(DataError, match=r"'a' is '1,5', .* \(say decimal=',' if that is 1.5\)"):
        load_csv(path, "y", features=["a"])
    assert load_csv(path, "y", features=["a"], decimal=",").xs == [[1.5], [2.5]]


def test_a_row_at_fault_stops_no_other_where_a_file_is_read_again(write):
    how = as_named(["a"], "y", ())
    seen = read_again(write("a,y\n1,2\nx,3\n5,4\n"), how, Format())
    assert (seen.rows.xs, seen.rows.ys) == ([[1.0], [5.0]], [2.0, 4.0])
    assert (list(seen.places), list(seen.faults)) == ([0, 2], [1])
    assert list(seen.rows.numbers) == [1, 3]
