"""Files of a few lines, read as a user would: by `load_csv`, or by the command."""

import contextlib
import io
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from nn.cli import main
from nn.data import DataError, DataWarning, load_csv


def table(content, target="y", **named):
    """What `load_csv` makes of a file; its errors call it a.csv."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        path = Path(folder, "a.csv")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return load_csv(path, target, **named)
        except DataError as error:
            raise DataError(str(error).replace(str(path), "a.csv")) from None


def told(command, content, *options):
    """What the command says of such a file; RuntimeError with the last line where it is refused."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("a.csv").write_text(content)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([command, "a.csv", *options])
            except SystemExit as end:
                code = end.code
        if code:
            raise RuntimeError(err.getvalue().splitlines()[-1].removeprefix("brickgrad: "))
        return out.getvalue()


TWO = '"a,y\\n1,2\\n3,4\\n"'
NAMES = "expected a list of names, such as ['a'], got"
ARGUMENTS = [  # of load_csv that mean nothing
    ('ignore="xy"', ValueError, f"ignore {NAMES} 'xy'"),
    ('text="a"', ValueError, f"text {NAMES} 'a'"),
    ('number="a"', ValueError, f"number {NAMES} 'a'"),
    ("ignore=[3]", ValueError, f"ignore {NAMES} [3]"),
    ("text=3", ValueError, f"text {NAMES} 3"),
    ('features="a"', ValueError, f"features {NAMES} 'a'"),
    ("features=[1]", ValueError, f"features {NAMES} [1]"),
    ("classes=[1, 2]", ValueError, f"classes {NAMES} [1, 2]"),
    ('features=["y"]', DataError, "a.csv: 'y' cannot be both the target and a feature"),
    ('features=["y=2", "a"]', DataError, "a.csv: 'y' cannot be both the target and a feature"),
    ('target=["t"]', ValueError, "target expected the name of a column, got ['t']"),
    ('decimal=";"', ValueError, "decimal expected one of . ,, got ';'"),
    ('thousands="x"', ValueError, "thousands expected one of , .   ', got 'x'"),
    ('decimal=",", thousands=","', ValueError, "decimal and thousands are both ','"),
    ('header="no"', ValueError, "header expected True, False or None, got 'no'"),
    (
        'encoding="\\0"',
        ValueError,
        "encoding expected a name such as cp1252, latin-1 or utf-16, got '\\x00'",
    ),
    (
        "encoding=8",
        ValueError,
        "encoding expected a name such as cp1252, latin-1 or utf-16, got 8",
    ),
    ("like=(1, 2)", ValueError, "like expected a Dataset that was read from a file, got tuple"),
    (
        'like=iris(), missing="fill"',
        ValueError,
        "like reads as the earlier file was read: leave target, missing out",
    ),
    (
        'target="species", like=iris(), ignore=["a"]',
        ValueError,
        "like reads as the earlier file was read: leave ignore out",
    ),
    ('missing="no"', ValueError, "no missing 'no'. There are: fill, drop, error"),
]

BAD = [  # as in test_bad_input.py: what is typed, the error, its message
    ('table("")', DataError, "a.csv: the file is empty: expected a line of names, then rows"),
    (
        'table("\\n \\n\\n")',
        DataError,
        "a.csv: the file is empty: expected a line of names, then rows",
    ),
    (
        'table("# nothing but this\\n")',
        DataError,
        "a.csv: the file is empty: expected a line of names, then rows",
    ),
    (
        'table("sep=;\\n")',
        DataError,
        "a.csv: the file is empty: expected a line of names, then rows",
    ),
    ('table("a,y\\n")', DataError, "a.csv: only a header, no rows"),
    ('table("a,y\\n1,2\\n3\\n")', DataError, "a.csv: line 3: expected 2 fields, got 1"),
    (
        'table("a,y\\n1,2\\n3,4,5\\n6\\n")',
        DataError,
        "a.csv: line 3: expected 2 fields, got 3; line 4: expected 2 fields, got 1",
    ),
    (
        'table("a title\\na,y\\n1,2\\n")',
        DataError,
        "a.csv: line 2: expected 1 field, got 2; line 3: expected 1 field, got 2 (is "
        "it a CSV file? Put # before a title)",
    ),
    ('table("a,why\\n1,2\\n")', DataError, "a.csv: no column 'y'. There are: a, why"),
    (
        'table("1,2\\n3,4\\n")',
        DataError,
        "a.csv: no column 'y'. There are: column 1, column 2 (its first line looks "
        "like a row; else say header=True)",
    ),
    (
        'table("a,y\\n1,2\\n", header=False)',
        DataError,
        "a.csv: no column 'y'. There are: column 1, column 2",
    ),
    ('table("y\\n1\\n2\\n")', DataError, "a.csv: no column is left to learn from besides 'y'"),
    (
        'table("a,y\\n5,1\\n5,2\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'a' is the same in every row",
    ),
    (
        'table("a,y\\n0.3,1\\n0.30000000000000004,2\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'a' differs by rounding alone",
    ),
    ('table("a,y\\n1,5\\n2,5\\n")', DataError, "a.csv: every 'y' is 5: nothing to learn"),
    ('table("a,y\\n1,no\\n2,no\\n")', DataError, "a.csv: every 'y' is 'no': nothing to tell apart"),
    ('table("a,y\\n1,\\n2,NA\\n")', DataError, "a.csv: every 'y' is empty: nothing to learn"),
    (
        'table("a,y\\n,1\\n?,2\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'a' is empty throughout",
    ),
    (
        'table("a,y\\n1,1\\n,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is empty (fill it in, or say missing='fill' or missing='drop')",
    ),
    (
        'table("a,y\\n1,1\\nNA,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is 'NA' (fill it in, or say missing='fill' or missing='drop')",
    ),
    (
        'table("a,y\\nu,1\\n,2\\nu,3\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'a' is the same in "
        "every row where it has no gap",
    ),
    (
        'table("a,y\\n1,no\\n2,\\n3,yes\\n")',
        DataError,
        "a.csv: line 3: 'y' is empty (fill it in, or say missing='fill' or missing='drop')",
    ),
    (
        'table("a,y\\n1,1\\n2,?\\n3,3\\n", as_classes=False)',
        DataError,
        "a.csv: line 3: 'y' is empty (fill it in, or say missing='fill' or missing='drop')",
    ),
    (
        'table("a,y\\n,1\\n2,\\n3,\\n", missing="drop")',
        DataError,
        "a.csv: no row is left to learn from: each one has gaps",
    ),
    (
        'table("a,y\\n1,1\\nx,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is 'x', expected a finite number (number=['a'] takes it "
        "as missing, text=['a'] reads the column as texts)",
    ),
    (
        'table("a,y\\n1,1\\nx,2\\n3,3\\nz,4\\n5,5\\n")',
        DataError,
        "a.csv: line 3: 'a' is 'x', expected a finite number; line 5: 'a' is 'z', "
        "expected a finite number (number=['a'] takes it as missing, text=['a'] "
        "reads the column as texts)",
    ),
    (
        'table("a,y\\n1,1\\n2,2\\n3,x\\n4,4\\n")',
        DataError,
        "a.csv: line 4: 'y' is 'x', expected a finite number (number=['y'] leaves "
        "these rows out, text=['y'] reads the column as texts)",
    ),
    (
        'table("a,y\\n1,1\\ninf,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is 'inf', expected a finite number (number=['a'] takes "
        "it as missing, text=['a'] reads the column as texts)",
    ),
    (
        'table("a,y\\n1,1\\n1e999,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is '1e999', expected a finite number (number=['a'] takes "
        "it as missing, text=['a'] reads the column as texts)",
    ),
    (
        'table("a,y\\n1,1\\n1_0,2\\n3,3\\n")',
        DataError,
        "a.csv: line 3: 'a' is '1_0', expected a finite number (number=['a'] takes "
        "it as missing, text=['a'] reads the column as texts)",
    ),
    (
        'table("a;y\\n1,234;1\\n5,678;2\\n")',
        DataError,
        "a.csv: 'a' holds '1,234', which is 1,234 or 1.234: say thousands=',' or decimal=','",
    ),
    (
        'table(\'a,y\\n"1,234",1\\n"5,678",2\\n\')',
        DataError,
        "a.csv: 'a' holds '1,234', which is 1,234 or 1.234: say thousands=',' or decimal=','",
    ),
    (
        'table("a;y\\n1;-1,000\\n2;5\\n")',
        DataError,
        "a.csv: 'y' holds '-1,000', which is -1,000 or -1: say thousands=',' or decimal=','",
    ),
    (
        'table(\'a,y\\n"1,5",1\\n"2,5",2\\n\')',
        DataError,
        "a.csv: 'a' holds '1,5': say decimal=',' if that is 1.5, or text=['a'] if it is a text",
    ),
    (
        'table(\'a,y\\n1,"1,5"\\n2,"2,5"\\n\')',
        DataError,
        "a.csv: 'y' holds '1,5': say decimal=',' if that is 1.5, or text=['y'] if it is a text",
    ),
    (
        'table("a;y\\n1,5;1\\n1.5;2\\n2,5;3\\n")',
        DataError,
        "a.csv: 'a' holds '1,5' and '1.5', numbers in two ways to write them: write "
        "all of them in one way in the file, or text=['a'] reads them as texts",
    ),
    (
        'table("a;y\\n5%;1\\n6;2\\n7%;3\\n")',
        DataError,
        "a.csv: 'a' holds '5%' and '6', numbers in two ways to write them: write all "
        "of them in one way in the file, or text=['a'] reads them as texts",
    ),
    (
        'table("a;y\\n$5;1\\n€6;2\\n$7;3\\n")',
        DataError,
        "a.csv: 'a' holds amounts in $ and €: convert them into one in the file, or ignore=['a']",
    ),
    (
        'table("a;b;y\\n1.234;1,5;2\\n2.345;2,5;3\\n")',
        DataError,
        "a.csv: 'a' holds '1.234', and other numbers have decimal commas: say "
        "decimal=',' if its points part thousands, or decimal='.'",
    ),
    (
        'table("a;b;y\\n1.234;1,5;2\\n2.345;2,5;3\\n", thousands=",")',
        DataError,
        "a.csv: 'a' holds '1.234', and other numbers have decimal commas: say "
        "decimal=',' if its points part thousands, or decimal='.'",
    ),
    (
        'table("a,y\\nn0,1\\nn1,2\\n" + "".join(f"n{k},{k}\\n" for k in range(2, 40)))',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'a' is another text in "
        "nearly every row (text=['a'] learns from it)",
    ),
    (
        'table("d,y\\n2024-01-02,1\\n2024-03-04,2\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'd' holds dates or "
        "times: make columns of numbers of it, such as the year, the month, the hour "
        "or days since the first (text=['d'] learns them as texts)",
    ),
    (
        'table("n,y\\n" + "".join(f"{k % 7},name {k}\\n" for k in range(40)))',
        DataError,
        "a.csv: column 'y' holds 40 different texts, more than the 32 that can be "
        "told apart: is it the right column to learn?",
    ),
    ('table("a,y\\n1,2\\n", ignore=["b"])', DataError, "a.csv: no column 'b'. There are: a, y"),
    (
        'table("a,y\\n1,2\\n", ignore=["y"])',
        DataError,
        "a.csv: 'y' cannot be both the target and left out",
    ),
    (
        'table("a,y\\n1,2\\n", ignore=["a"])',
        DataError,
        "a.csv: no column is left to learn from besides 'y'",
    ),
    (
        'table("a,y\\n1,2\\n", text=["A"])',
        DataError,
        "a.csv: no column 'A', did you mean 'a'? There are: a, y",
    ),
    (
        'table("a,y\\n1,2\\n", text=["a"], number=["a"])',
        DataError,
        "a.csv: 'a' cannot be both of texts and of numbers",
    ),
    (
        'table("a,y\\n1,2\\n", missing="full")',
        ValueError,
        "no missing 'full', did you mean 'fill'? There are: fill, drop, error",
    ),
    (
        'table("a,y\\n1,2\\n", as_classes="no")',
        TypeError,
        "as_classes expected True or False, got 'no'",
    ),
    ('table("a,y\\n1,2\\n", features=["b"])', DataError, "a.csv: no column 'b'. There are: a, y"),
    (
        'table("a,y\\nx,2\\n", features=["a"])',
        DataError,
        "a.csv: line 2: 'a' is 'x', expected a finite number",
    ),
    (
        'table("a,y\\np,2\\n", features=["a=q"])',
        DataError,
        "a.csv: line 2: 'a' is 'p', expected one of q",
    ),
    (
        'table("a,y\\n1,2\\n", features=["a", "a"])',
        DataError,
        "a.csv: two features have the name 'a': rename a column, or a text in it",
    ),
    (
        'table("a,y\\n1,2\\n", classes=["u", "u"])',
        DataError,
        "a.csv: two classes have the name 'u': rename a class",
    ),
    (
        'table("a,y\\n1,2\\n", classes=["u"])',
        DataError,
        "a.csv: every 'y' is 'u': nothing to tell apart",
    ),
    (
        'table("a,y\\n1,2\\n", classes=["u", "v"])',
        DataError,
        "a.csv: line 2: 'y' is '2', expected one of u, v",
    ),
    (
        'table("a,a=b,y\\nb,1,1\\nc,2,2\\n")',
        DataError,
        "a.csv: two features have the name 'a=b': rename a column, or a text in it",
    ),
    (
        'table("a,y\\n1,2\\n", None, like=iris())',
        DataError,
        "a.csv: no column 'sepal length (cm)'. There are: a, y",
    ),
    (
        'table("a,y\\n1,2\\n", like=Dataset([[1.0]], [2.0]))',
        ValueError,
        "like expected a Dataset that was read from a file, got another one",
    ),
    (
        'table("é,y\\n1,2\\n".encode("latin-1"))',
        DataError,
        "a.csv: line 1 is not UTF-8 text: save the file as UTF-8, or say in which "
        "encoding it is, such as encoding='cp1252'",
    ),
    (
        'table("a,y\\n1,2\\n".encode("utf-16-le"))',
        DataError,
        "a.csv: line 1 is not UTF-8 text: save the file as UTF-8, or say in which "
        "encoding it is, such as encoding='utf-16-le'",
    ),
    (
        'table("a,y\\n1,2\\n", encoding="klingon")',
        DataError,
        "encoding expected a name such as cp1252, latin-1 or utf-16, got 'klingon'",
    ),
    (
        'table("é,y\\n1,2\\n".encode("latin-1"), encoding="ascii")',
        DataError,
        "a.csv: line 1 is not ASCII text: save the file as UTF-8, or say in which "
        "encoding it is, such as encoding='cp1252'",
    ),
    (
        "table('a,y\\n\"1,2\\n')",
        DataError,
        "a.csv: line 2: broken CSV: its quotes are never closed",
    ),
    ("table('a,y\\n\"1\"2,3\\n')", DataError, "a.csv: line 2: broken CSV: ',' expected after '\"'"),
    (
        'load_csv("/dev/zero", "y")',
        DataError,
        "/dev/zero: cannot read it: it is a device, expected a file",
    ),
    ('load_csv("a\\0b", "y")', DataError, "a␀b: cannot read it: embedded null byte"),
    (
        'told("train", "a,y\\n1,2\\n")',
        RuntimeError,
        "the following arguments are required: --target (see brickgrad train --help)",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "x")',
        RuntimeError,
        "a.csv: no column 'x'. There are: a, y",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--classes", "--numbers")',
        RuntimeError,
        "--classes and --numbers are opposites: give one of them",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--header", "--no-header")',
        RuntimeError,
        "--header and --no-header are opposites: give one of them",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--decimal", ",", "--thousands", ",")',
        RuntimeError,
        "--decimal and --thousands are both ','",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--decimal", ";")',
        RuntimeError,
        "argument --decimal: invalid choice: ';'...",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--missing", "guess")',
        RuntimeError,
        "argument --missing: invalid choice: 'guess'...",
    ),
    (
        'told("train", "a,y\\n1,\\n2,3\\n4,5\\n", "--target", "y", "--missing", "error")',
        RuntimeError,
        "a.csv: line 2: 'y' is empty (fill it in, or say --missing fill or --missing drop)",
    ),
    (
        'told("train", "a,y\\n1,2\\n3,4\\n", "--target", "y", "--ignor", "a")',
        RuntimeError,
        "no option '--ignor', did you mean '--ignore'? There are: --target, ...",
    ),
    (
        'told("look", "a,y\\n1,2\\n", "--target", "x")',
        RuntimeError,
        "a.csv: no column 'x'. There are: a, y",
    ),
    (
        'told("look", "")',
        RuntimeError,
        "a.csv: the file is empty: expected a line of names, then rows",
    ),
    (
        'told("predict", "a,y\\n1,2\\n")',
        RuntimeError,
        "the following arguments are required: data.csv (see brickgrad predict --help)",
    ),
]
BAD += [(f"table({TWO}, {given})", kind, message) for given, kind, message in ARGUMENTS]
BAD += [
    (
        'table("a,y\\n$5,1\\n\u20ac6,2\\n$7,3\\n", number=["a"])',
        DataError,
        "a.csv: 'a' holds amounts in $ and \u20ac: convert them into one in the file, "
        "or ignore=['a']",
    ),
    (
        'table("a,y\\n5,1\\n6 %,2\\nx,3\\n7,4\\n", number=["a"])',
        DataError,
        "a.csv: 'a' holds '5' and '6 %', numbers in two ways to write them: write all "
        "of them in one "
        "way in the file, or text=['a'] reads them as texts",
    ),
    (
        'table("a,y\\nTrue,1\\nFalse,2\\n", number=["a"])',
        DataError,
        "a.csv: 'a' holds no number, but 'True' (1), 'False' (1): leave number=['a'] out",
    ),
    (
        'table("a,y\\n1,True\\n2,False\\n", as_classes=False)',
        DataError,
        "a.csv: 'y' holds texts, 'True' (1), 'False' (1), which are no amounts: leave "
        "as_classes=False "
        "out",
    ),
    (
        'table("a;y\\n\u20ac 1.234;1\\n\u20ac 5.678;2\\n")',
        DataError,
        "a.csv: 'a' holds '\u20ac 1.234': say decimal=',' if its points part thousands, or "
        "decimal='.'",
    ),
    (
        'table("a,y\\n" + "".join(f"{k * k % 7},{k}\\n" for k in range(40)) + "1,bad\\n")',
        DataError,
        "a.csv: line 42: 'y' is 'bad', expected a finite number (number=['y'] leaves "
        "these rows out)",
    ),
    (
        'table(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(99))',
        DataError,
        "a.csv: it is a PNG picture, expected text: save the table as CSV",
    ),
    (
        "table(bytes(range(1, 32)) * 9)",
        DataError,
        "a.csv: it is not a text file: save the table as CSV",
    ),
    (
        'table(",y\\n7,1\\n9,2\\n3,3\\n")',
        DataError,
        "a.csv: no column is left to learn from besides 'y'; 'column 1' has no name and is another "
        "whole number in each row: an index",
    ),
    (
        'told("look", "a,y\\n1,2\\n", "--decimal", ",", "--thousands", ",")',
        RuntimeError,
        "--decimal and --thousands are both ','",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--resume", "nope.json")',
        RuntimeError,
        "nope.json: No such file or directory",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--out", "a.csv")',
        RuntimeError,
        "--out expected a folder, got the file a.csv",
    ),
    (
        'told("train", "a,y\\n1,2\\n", "--target", "y", "--out", "o", '
        '"--checkpoint", "o/model.json")',
        RuntimeError,
        "a checkpoint o/model.json would be overwritten: give it another name",
    ),
    (
        'told("look", "a,-y\\n1,2\\n", "--target", "-y")',
        RuntimeError,
        "argument --target: expected one argument; what begins with - is written --target=-x (see "
        "brickgrad look --help)",
    ),
]
