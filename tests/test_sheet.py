import codecs
from pathlib import Path

import pytest

from nn.dataset import DataError
from nn.sheet import Format, read_sheet


@pytest.fixture
def sheet(tmp_path):
    """The sheet of a file with this content."""

    def read(content, *told, **named):
        path = tmp_path / "a.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_sheet(path, Format(*told, **named))

    return read


def body(sheet):
    """The columns of a sheet, as lists."""
    return {name: sheet.cells(name) for name in sheet.columns}


ROWS = {"a": ["1", "2"], "b": ["x y", "z"], "c": ["3.5", "4"]}
TEXT = "a,b,c\n1,x y,3.5\n2,z,4\n"


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        (",", TEXT),
        (";", TEXT.replace(",", ";")),
        ("\t", TEXT.replace(",", "\t")),
        ("|", TEXT.replace(",", "|")),
        (" ", 'a b c\n1   "x y" 3.5\n 2 z  4\n'),
        (" ", '"a"   b \t c\n1  "x y"  3.5  \n2 z 4'),
        (";", "sep=;\n" + TEXT.replace(",", ";")),
        ("_", "sep=_\n" + TEXT.replace(",", "_")),
        (",", "# made by hand\n#\n\n" + TEXT),
        (",", "# a,b;c|d\n" + TEXT.replace("\n", "\r\n")),
    ],
)
def test_what_parts_cells_is_found(sheet, separator, text):
    found = sheet(text)
    assert (body(found), found.separator, found.remarks) == (ROWS, separator, [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"a;b;c",y\n1,2\n3,4\n', ["a;b;c", "y"]),
        ("a,b\n1,p|q\n2,r|s\n", ["a", "b"]),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ["a", "b"]),
        ("a;b,c;d\n1;2,2;3\n4;5,5;6\n", ["a", "b,c", "d"]),
        ("a b,c d\n1 2,3 4\n", ["a b", "c d"]),
        ("one name\n1\n2\n", ["one name"]),
        ("y\nsome text\nother text\n", ["y"]),
    ],
)
def test_signs_in_texts_part_nothing(sheet, text, names):
    assert [*sheet(text).columns] == names


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "utf-16-le", "utf-16-be"]
)
def test_encodings(sheet, encoding):
    text = "größe,y\n1,ä\n2,ö\n".encode(encoding)
    needed = encoding if encoding in ("cp1252", "utf-16-le", "utf-16-be") else ""
    assert body(sheet(text, needed)) == {"größe": ["1", "2"], "y": ["ä", "ö"]}
    if needed:
        with pytest.raises(DataError, match=f"line . is not UTF-8 text: .* --encoding {needed}"):
            sheet(text)


def test_a_mark_counts_for_more_than_what_is_told(sheet):
    marked = codecs.BOM_UTF16_BE + "a,y\n1,ä\n".encode("utf-16-be")
    assert body(sheet(marked, "cp1252")) == {"a": ["1"], "y": ["ä"]}


@pytest.mark.parametrize("name", ["klingon", "hex", "rot13", "zlib", ""])
def test_names_that_are_no_encoding(sheet, name):
    if name:
        with pytest.raises(DataError, match=f"a name such as cp1252, latin-1 .* got '{name}'"):
            sheet(TEXT, name)
    else:
        assert body(sheet(TEXT, name)) == ROWS


NO_NAMES = {
    "numbers": "1,2\n3,4\n5,6\n",
    "one row": "1,2\n",
    "texts among numbers": "M,0.4,15\nF,0.3,7\nM,0.5,9\nF,0.4,10\n",
    "gaps": "M,,15\nF,0.3,7\nM,0.5,9\nM,0.4,10\n",
    "decimal commas": "1,5;2\n3,5;4\n5,5;6\n",
    "known texts": "red,small\nblue,large\nred,large\nblue,small\nblue,small\n",
    "texts of their own": "p1,5\np2,6\np3,7\np4,8\np5,9\np6,5\n",
    "increasing": "0,0.5\n1,1.5\n2,3.5\n3,4.5\n4,9.5\n5,12\n",
}


@pytest.mark.parametrize("text", NO_NAMES.values(), ids=NO_NAMES)
def test_a_first_line_that_is_a_row(sheet, text):
    found = sheet(text)
    width = len(found.columns)
    assert not found.has_header
    assert [*found.columns] == [f"column {k}" for k in range(1, width + 1)]
    assert len(found.lines) == len(text.splitlines())
    assert found.remarks == [
        f"line 1 looks like the others, no names: the columns are 'column 1' to 'column {width}'; "
        "or say --header"
    ]
    if len(found.lines) > 1:
        assert sheet(text, header=True).has_header
    assert len(sheet(text, header=False).lines) == len(found.lines)


NAMES = {
    "a text above numbers": "a,2\n1,2\n3,4\n",
    "new texts": "colour,size\nred,small\nblue,large\nred,large\n",
    "years": "n,2019,2020\nx,1.5,2\ny,2.5,1\nx,1,0\nz,3,2\nu,3,4\nv,3,5\n",
    "as pandas counts": ",0,1\n0,5,6\n1,7,8\n",
    "a text above one of the columns": "M,0.4,rings\nF,0.3,7\nM,0.5,9\n",
}


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_a_first_line_of_names(sheet, text):
    found = sheet(text)
    assert found.has_header
    assert len(found.lines) == len(text.splitlines()) - 1
    assert not sheet(text, header=False).has_header


def test_names_behind_a_sharp(sheet):
    found = sheet("# by numpy\n# a b\n1 2\n3 4\n")
    assert body(found) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert found.remarks == ["line 2 begins with #, and is read as the names of the columns"]
    assert [*found.lines] == [3, 4]


@pytest.mark.parametrize(
    ("text", "names", "nameless"),
    [
        (",a\nx,1\ny,2\n", ["column 1", "a"], ["column 1"]),
        ("a,,b\nx,1,2\ny,2,3\n", ["a", "column 2", "b"], ["column 2"]),
        ("a,b,\nx,1,\ny,2,\n", ["a", "b", "column 3"], ["column 3"]),
        ("a,b\nx,1,\ny,2,\n", ["a", "b", "column 3"], ["column 3"]),
        ("a,b\nx,1,3\ny,2,3\n", ["column 1", "a", "b"], ["column 1"]),
    ],
)
def test_columns_without_a_name(sheet, text, names, nameless):
    found = sheet(text)
    assert ([*found.columns], [*found.nameless]) == (names, nameless)


def test_rows_of_another_length_are_told_by_their_line(sheet):
    found = sheet("# one\na,b\n1,2\n\n3\n4,5,6\n7,8\n")
    assert found.ragged == {1: "expected 2 fields, got 1", 2: "expected 2 fields, got 3"}
    with pytest.raises(DataError, match="line 5: expected 2 fields, got 1; line 6: expected 2 "):
        found.refuse_ragged()


def test_line_numbers_count_what_is_skipped(sheet):
    assert [*sheet("sep=,\n# x\n\na,b\n1,2\n3,4\n").lines] == [5, 6]
    assert [*sheet('# x\na,b\n"1\n",2\n\n3,4\n').lines] == [3, 6]


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (b"PK\x03\x04\x14", "an Excel or zip file"),
        (b"\xd0\xcf\x11\xe0\xa1", "an Excel file"),
        (b"%PDF-1.4\n", "a PDF"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"PAR1\x15", "a Parquet file"),
    ],
)
def test_files_that_are_no_text(sheet, begin, kind):
    with pytest.raises(DataError, match=f"it is {kind}, expected text: save the table as CSV"):
        sheet(begin + bytes(range(256)))


def test_lines_of_separators_alone_are_left_out(sheet):
    found = sheet("a,b\n1,2\n,\n\n3,4\n , \n")
    assert (body(found), [*found.lines]) == ({"a": ["1", "3"], "b": ["2", "4"]}, [2, 5])
    assert found.remarks == ["2 lines of separators alone left out"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_is_no_file():
    with pytest.raises(DataError, match="/dev/zero: cannot read it: it is a device"):
        read_sheet("/dev/zero")


@pytest.mark.whole
def test_many_columns_are_no_trouble(sheet):
    names = ",".join(f"c{k}" for k in range(20_000))
    assert len(sheet(f"{names}\n{','.join('1' * 20_000)}\n").columns) == 20_000
    twice = sheet(f"{names},{names}\n{','.join('1' * 40_000)}\n")
    assert [*twice.columns][20_000:20_002] == ["c0.1", "c1.1"]
    [line] = twice.remarks
    assert line.startswith("columns of one name are told apart by numbers: 'c0.1', 'c1.1', ")
    assert len(line) < 200


def test_lines_of_separators_alone_keep_their_number(sheet):
    found = sheet("a,b\n1,2\n,\n3,4\n,\n,\n5,6\n,\n")
    assert body(found) == {"a": ["1", "3", "5"], "b": ["2", "4", "6"]}
    assert ([*found.places], found.bare) == ([0, 2, 5], {1: 3, 3: 5, 4: 6})
    assert found.remarks == ["4 lines of separators alone left out"]
    assert [*sheet("a,b\n1,2\n").places] == [0]


def test_a_comment_before_the_line_that_tells_the_separator(sheet):
    for end in ("\n", "\r\n", "\r"):
        found = sheet(end.join(["# by hand", "sep=;", "a;b", "1,5;x", ""]))
        assert body(found) == {"a": ["1,5"], "b": ["x"]}
        assert [*found.lines] == [4]


def test_years_as_names(sheet):
    rows = "".join(f"c{k},{1500 + 20 * k},{1500 + 23 * k}\n" for k in range(40))
    assert [*sheet("country,2019,2020\n" + rows).columns] == ["country", "2019", "2020"]
    assert not sheet("c0,1519,1520\n" + rows).has_header


def test_quotes_after_a_blank(sheet):
    found = sheet('a, t\n1, "u, v"\n2, "w"\n')
    assert body(found) == {"a": ["1", "2"], "t": ["u, v", "w"]}
