"""A file as a text: its encoding, marked, told, or found."""

import stat
from pathlib import Path

from nn.dataset import DataError

LARGEST = 2_000_000_000  # bytes of a file
BYTE_ORDER_MARKS = {  # the longer one first: that of utf-16 begins like that of utf-32
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
FEWEST_BYTES = 64  # that show whether a file is a text
OTHER_FILES = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"SQLite format 3\0": "an SQLite database",
    b"\x93NUMPY": "a NumPy file",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
}

ENCODING = "--encoding expected a name such as cp1252, latin-1 or utf-16, got {!r:.60}"


def is_known(encoding: str) -> bool:
    """Whether Python has an encoding of texts by this name.

    >>> is_known("latin-1"), is_known("inf")
    (True, False)
    """
    try:
        b"a".decode(encoding)
    except UnicodeError:  # it wants other bytes, as utf-16 does
        return True
    except (LookupError, ValueError):
        return False
    return True


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            is_device = stat.S_ISCHR(Path(path).stat().st_mode) and not file.isatty()
            raw = b"" if is_device else file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from None
    except ValueError as error:  # a name with a NUL in it
        raise DataError(f"{path}: cannot read it: {error}") from None
    if is_device:
        raise DataError(f"{path}: cannot read it: it is a device, expected a file")
    if len(raw) > LARGEST:
        raise DataError(f"{path}: expected at most {LARGEST:,} bytes: give a part of its rows")
    return raw


def text_of(path: str, encoding: str = "", usual: str = "") -> str:
    """The text of a file; DataError for what is none.

    `usual` is the encoding where it is not marked, not UTF-8, and none is given.
    """
    raw = _bytes(path)
    for magic, kind in OTHER_FILES.items():
        if raw.startswith(magic):
            raise DataError(f"{path}: it is {kind}, expected text: save the table as CSV")
    if _is_binary(raw[:1000]):
        raise DataError(f"{path}: it is not a text file: save the table as CSV")
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if raw.startswith(mark)), "")
    told = marked or encoding
    names = [told] if told else ["utf-8", *filter(None, [usual])]
    lines = []
    for name in names:
        try:
            text = raw.decode(name)
        except LookupError:
            raise DataError(ENCODING.format(name)) from None
        except UnicodeError as error:
            lines.append(raw.count(b"\n", 0, getattr(error, "start", 0)) + 1)
            continue
        if 3 * text[:1000].count("\0") <= len(text[:1000]):
            return text
        lines.append(1)  # it is utf-16 without a mark
    zeros = "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    raise DataError(
        f"{path}: line {lines[0]} is not {names[0].upper()} text: save the file as UTF-8, or say "
        f"in which encoding it is, such as --encoding {zeros if 0 in raw[:1000] else 'cp1252'}"
    )


def _is_binary(raw: bytes) -> bool:
    """Whether bytes are of no text in any encoding: many of them are signs that texts do not have.

    Zeros are in utf-16 and utf-32.
    """
    signs = sum(byte < 32 and byte not in b"\0\t\n\v\f\r\x1b" for byte in raw)
    return len(raw) > FEWEST_BYTES and signs > 0.05 * len(raw)
