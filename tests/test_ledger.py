"""The file of a sweep: whatever becomes of its bytes, no row that is in it is lost."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from needs import processes

from nn.history import as_csv
from nn.ledger import Ledger, cell_of, key_of, text_of

ROOT = Path(__file__).parents[1]
NAMES = ("lr", "seed")
SWEEP = "swept.reckoned brickgrad-0.1.0 0123456789ab"
RUNS = {
    (0.3, 0): ({"loss": 0.1 + 0.2, "kind": 'a, "b"'}, 0.5, ""),
    (0.3, 1): ({}, 0.25, "ValueError: no luck, é"),
    (0.1, 0): ({"loss": -0.0, "kind": "ü", "more": 7}, 1e-9, ""),
}


@pytest.fixture
def book(tmp_path):
    """A file of three runs."""
    path = tmp_path / "runs.csv"
    with Ledger(path, NAMES, SWEEP) as ledger:
        for key, (results, seconds, error) in RUNS.items():
            ledger.add(key, results, seconds, error)
    return path


def read(path):
    with Ledger(path, NAMES, SWEEP) as ledger:
        return {key: repr(row) for key, row in ledger.done.items()}


def attempt(path):
    """What is read, and the words of the error where nothing is."""
    try:
        return read(path), ""
    except ValueError as error:
        return {}, str(error)


def test_what_was_added_is_there_again(book):
    with Ledger(book, NAMES, SWEEP) as ledger:
        assert ledger.done[0.3, 0]["loss"] == 0.1 + 0.2
        assert repr(ledger.done[0.1, 0]["loss"]) == "-0.0"
        assert ledger.done[0.3, 1]["error"] == "ValueError: no luck, é"
        assert ledger.header == (*NAMES, "loss", "kind", "more", "seconds", "error", "sweep")


@pytest.mark.parametrize(
    "cell", [0.1, 1e300, 5e-324, -0.0, float("inf"), 3, -7, 10**30, True, False, None, "a", "1e5"]
)
def test_cells_come_back_as_they_were(cell):
    assert repr(cell_of(text_of(cell))) == repr(cell)


def test_cut_at_any_byte_it_has_the_whole_lines_and_goes_on(book):
    raw, rows = book.read_bytes(), read(book)
    header = raw.index(b"\n") + 1
    for end in range(header, len(raw) + 1):
        book.write_bytes(raw[:end])
        whole = raw[:end].count(b"\n") - 1
        found = read(book)
        assert len(found) >= whole, end
        assert found.items() <= rows.items(), end
        with Ledger(book, NAMES, SWEEP) as ledger:
            for key in RUNS.keys() - found.keys():
                ledger.add(key, *RUNS[key])
        assert {*read(book)} == {*RUNS}, end
        assert sorted(book.read_bytes().splitlines()) == sorted(raw.splitlines())


def test_a_last_line_that_lacks_only_its_end_counts(book):
    raw, rows = book.read_bytes(), read(book)
    book.write_bytes(raw[:-1])
    assert read(book) == rows
    assert book.read_bytes() == raw


def test_random_damage_loses_no_other_row(book, amount):
    """Either all that was not damaged is read, or it is an error, and the file stays."""
    raw, rows = book.read_bytes(), read(book)
    for k in range(amount(300, 3_000, 30_000)):
        random = Random(f"ledger {k}")
        spoilt = bytearray(raw)
        for _ in range(random.randint(1, 3)):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        book.write_bytes(spoilt)
        untouched = [
            key
            for key, line in zip(rows, raw.splitlines(keepends=True)[1:], strict=True)
            if line in bytes(spoilt).splitlines(keepends=True)
        ]
        found, error = attempt(book)
        if error:
            assert str(book) in error
            assert error.isprintable()
            assert book.read_bytes() == spoilt
            continue
        if bytes(spoilt).splitlines()[0] == raw.splitlines()[0]:
            assert all(found[key] == rows[key] for key in untouched), k
        assert len(found) >= len(untouched)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"0.3,1,1,1,1,1,,{SWEEP}".encode(), "a line before it is of the same run"),
        (b"0.3,2", "line 5 is damaged, it has 2 cells, the first line 8"),
        (b'0.3,"2', "line 5 is damaged, unexpected end of data"),
        (b"0.3,\xff", "line 5 is damaged, 'utf-8' codec can't decode"),
        (b"0.3,2,1,1,1,1,,another", "of another sweep: line 5 is of 'another', this one is 'swept"),
    ],
)
def test_a_damaged_line_is_named_and_the_file_stays(line, words, book):
    spoilt = book.read_bytes() + line + b"\n"
    book.write_bytes(spoilt)
    with pytest.raises(ValueError, match=r"runs\.csv") as said:
        read(book)
    assert words in str(said.value)
    assert book.read_bytes() == spoilt


def test_what_a_spreadsheet_makes_of_it_is_read(book):
    rows = read(book)
    book.write_bytes(b"\xef\xbb\xbf" + book.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert read(book) == rows


def test_lines_are_on_the_disk_one_by_one(book, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with Ledger(book, NAMES, SWEEP) as ledger:
        ledger.add((0.1, 1), {"loss": 1.0}, 0.5, "")
        assert len(synced) == 1
        assert book.read_text(encoding="utf-8").endswith(f"0.1,1,1.0,,,0.5,,{SWEEP}\n")


def test_a_line_that_could_not_be_written_leaves_no_half(book, monkeypatch):
    raw = book.read_bytes()
    with Ledger(book, NAMES, SWEEP) as ledger:

        def full(fd):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                ledger.add((0.1, 1), {"loss": 1.0}, 0.5, "")
        assert book.read_bytes() == raw
        ledger.add((0.1, 1), {"loss": 1.0}, 0.5, "")
    assert len(read(book)) == 4


@processes
def test_a_disk_that_is_full_loses_no_row(tmp_path):
    """A limit on the size of files cuts a line in its middle."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    path = tmp_path / "runs.csv"
    with Ledger(path, NAMES, SWEEP) as ledger:
        ledger.add((0.3, 0), {"loss": 0.5}, 0.5, "")
        raw = path.read_bytes()
        former = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(raw) + 10, former[1]))
            with pytest.raises(OSError):  # noqa: PT011 (the system words it)
                ledger.add((0.3, 1), {"loss": 0.5}, 0.5, "")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
            signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == raw


def test_a_header_that_was_cut_begins_anew_and_a_strange_one_does_not(tmp_path):
    path = tmp_path / "runs.csv"
    for begin in (b"", b"l", b"lr,se", b"lr,seed,sec"):
        path.write_bytes(begin)
        assert read(path) == {}
        assert path.read_text() == as_csv([(*NAMES, "seconds", "error", "sweep")])
    for strange in (b"seed,", b"lr,seed,loss,sec", b"lr,important notes"):
        path.write_bytes(strange)
        with pytest.raises(ValueError, match="is no file of a sweep"):
            read(path)
        assert path.read_bytes() == strange


def test_a_file_whose_lines_end_with_cr_alone_is_refused_and_stays(book):
    """As a spreadsheet writes "CSV (Macintosh)"."""
    old = book.read_bytes().replace(b"\n", b"\r")
    book.write_bytes(old)
    with pytest.raises(ValueError, match="no line of it ends by LF"):
        read(book)
    assert book.read_bytes() == old


def test_what_a_spreadsheet_saved_anew_still_has_its_runs(tmp_path):
    """It writes TRUE, keeps 15 digits, and leaves commas where a row was emptied."""
    path, names = tmp_path / "runs.csv", ("lr", "bn")
    settings = [(lr, bn) for lr in (10**-0.5, 10**-2.5, 1e-05) for bn in (True, False)]
    with Ledger(path, names, SWEEP) as ledger:
        for setting in settings:
            ledger.add(setting, {"loss": 0.5}, 0.5, "")
    text = path.read_text()
    for lr in (10**-0.5, 10**-2.5):
        text = text.replace(repr(lr), f"{lr:.15g}")
    text = text.replace("True", "TRUE").replace("False", "FALSE").replace("1e-05", "0.00001")
    path.write_text(f"{text},,,,,\n\n")
    with Ledger(path, names, SWEEP) as ledger:
        assert ledger.done.keys() == {key_of(setting) for setting in settings}


def test_numbers_that_no_float_holds_stay_apart():
    assert key_of(["1e400"]) != key_of(["1e500"])


HOLDS = """
import sys
from nn.ledger import Ledger
with Ledger(sys.argv[1], ("lr", "seed"), sys.argv[2]) as book:
    print("open", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(os.name == "nt", reason="locks of Unix")
def test_a_lock_that_was_lost_is_taken_again_before_a_line_is_written(tmp_path):
    """Reading the file in the same process ends its lock: another may have it by then."""
    path = tmp_path / "runs.csv"
    with Ledger(path, NAMES, SWEEP) as book:
        book.add((0.3, 0), {"loss": 0.5}, 1.0, "")
        before = path.read_text()  # which ends the lock
        command = [sys.executable, "-c", HOLDS, str(path), SWEEP]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as other:
            assert other.stdout.readline() == "open\n"
            with pytest.raises(ValueError, match="is being written by another process"):
                book.add((0.3, 1), {"loss": 0.25}, 1.0, "")
            other.communicate("\n")
        assert path.read_text() == before
        book.add((0.3, 1), {"loss": 0.25}, 1.0, "")
    assert len(path.read_text().splitlines()) == 3


def test_a_run_that_is_there_twice_may_have_taken_other_seconds(book):
    lines = book.read_text().splitlines()
    book.write_text("\n".join([*lines, lines[1].replace(",0.5,", ",0.75,"), ""]))
    with Ledger(book, NAMES, SWEEP) as ledger:
        assert ledger.done[0.3, 0]["seconds"] == 0.5
