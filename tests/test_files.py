import errno
import json
import multiprocessing
import os
import random
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import needs
import pytest

from engine.files import check_writable, write
from engine.pictures.draw import draw
from engine.pictures.steps import steps
from engine.value import Value
from nn.files import check_format, check_keys, check_type, parse, reading
from nn.history import History

ROOT = Path(__file__).parents[1]


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing", [{}, [], [1, 2.5, -0.0, 5e-324, None, True, "a"], {"a": {"b": [{}]}}, "é\u2028\x00", 0]
)
def test_json_comes_back(thing):
    assert parse(json.dumps(thing)) == thing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "expected finite numbers, got NaN"),
        ("[Infinity]", "expected finite numbers, got Infinity"),
        ('{"a": -Infinity}', "expected finite numbers, got -Infinity"),
        ("1e999", "a number in the file expected a finite number, got inf"),
        ("[-1e400]", "a number in the file expected a finite number, got -inf"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands there twice"),
        ('[{"x": {"a": 1, "a": 1}}]', "the key 'a' stands there twice"),
        ("1" * 5000, "Exceeds the limit"),
        ("{'a': 1}", "Expecting property name"),
        ("[1,]", "Expecting value|Illegal trailing comma"),
        ("", "Expecting value"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the file expected an object, got "),
        ({}, "format 'kind' version 2, got None version None"),
        ({"format": "other", "version": 2, "b": 1}, "format 'kind' version 2, got 'other'"),
        ({"format": "x", "version": 1, "a": 1}, "format 'kind' version 2, got 'x' version 1"),
        ({"format": "kind", "version": 1, "a": 1}, "got 'kind' version 1"),
        ({"format": "kind", "version": 2}, "the file expected the keys"),
        ({"format": "kind", "version": 2, "a": 1, "b": 2}, "the file expected the keys"),
    ],
)
def test_documents_of_another_kind(document, message):
    with pytest.raises(ValueError, match=message):
        check_format(document, "kind", 2, {"a": int})


def test_documents_of_the_kind():
    check_format({"a": 1, "version": 2, "format": "kind"}, "kind", 2, {"a": int})
    with pytest.raises(ValueError, match="version True"):
        check_format({"format": "kind", "version": True}, "kind", 1, {})


def test_types_and_keys():
    check_type("x", {}, dict)
    check_keys("x", {"a": 1, "b": 2}, ("b", "a"))
    with pytest.raises(ValueError, match=r"^x expected true or false, got 1$"):
        check_type("x", 1, bool)
    with pytest.raises(ValueError, match=r"^x expected the keys a, b, got \['a'\]$"):
        check_keys("x", {"a": 1}, ("a", "b"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"it is not JSON \(Expecting property name"),
        (b"\xff", r"it is not JSON \('utf-8' codec"),
        (b"NaN", "expected finite numbers, got NaN"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_errors_name_the_file_and_what_it_should_be(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught, reading(path, "a thing") as text:
        parse(text)
    assert str(caught.value).startswith(f"{path} is not a thing that brickgrad saved: ")


@pytest.mark.parametrize(
    ("text", "is_deep"),
    [
        ("[" * 500 + "]" * 500, False),
        ("[" * 501 + "]" * 501, True),
        ('{"a":' * 501 + "1" + "}" * 501, True),
        ("[" + ",".join(["[{}]"] * 1000) + "]", False),
        (json.dumps("[" * 501), False),
        (json.dumps('"\\' + "[" * 501), False),
        ('"' + "[" * 501, False),
    ],
)
def test_how_deep_parts_may_lie_in_each_other(text, is_deep):
    """The same levels everywhere: a browser's interpreter ends where there are too many."""
    try:
        assert parse(text) == json.loads(text)
        found = False
    except json.JSONDecodeError:
        found = False
    except RecursionError:
        found = True
    assert found == is_deep


# --- writing ----------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.json"


def test_text_is_written_as_it_is(path):
    write(path, "é\n\u2028")
    assert path.read_bytes() == "é\n\u2028".encode()
    write(str(path), "other")
    assert path.read_text() == "other"
    assert os.listdir(path.parent) == ["a.json"]


FAULTS = {
    "write": errno.ENOSPC,
    "fsync": errno.EIO,
    "replace": errno.EACCES,
    "open": errno.EMFILE,
    "chmod": errno.EPERM,
}


@pytest.mark.parametrize("call", FAULTS)
def test_a_call_that_fails_leaves_the_former_file(path, monkeypatch, call):
    write(path, "former")

    def fail(*arguments, **settings):
        raise OSError(FAULTS[call], os.strerror(FAULTS[call]))

    real = open
    fakes = {"open": fail, "write": lambda *a, **k: Full(real(*a, **k), fail)}
    name = f"os.{call}" if hasattr(os, call) and call not in fakes else "builtins.open"
    monkeypatch.setattr(name, fakes.get(call, fail))
    with pytest.raises(OSError, match=r"a\.json") as caught:
        write(path, "new")
    monkeypatch.undo()
    assert caught.value.errno == FAULTS[call]
    assert caught.value.filename == str(path)
    assert path.read_text() == "former"
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="needs folders that can be opened")
def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_folder_after(path, monkeypatch):
    done = []

    def sync(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def replace(*names):
        done.append("replace")
        real(*names)

    real = os.replace
    monkeypatch.setattr("os.fsync", sync)
    monkeypatch.setattr("os.replace", replace)
    write(path, "text")
    assert done == ["file", "replace", "folder"]


@pytest.mark.parametrize("reason", [errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_put_on_the_disk_is_no_error(path, monkeypatch, reason):
    """The new file has its name by then: an error would say that the former one is there."""
    write(path, "former")
    real = os.fsync

    def sync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(reason, os.strerror(reason))
        real(handle)

    monkeypatch.setattr("os.fsync", sync)
    write(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.json"]


def _steps():
    w = Value(2.0, "w")
    return steps((w * 3 - 1) ** 2)


LEFT = {
    "graph.svg": lambda path: draw(Value(2.0) * 3).save(path),
    "step.html": lambda path: _steps().save(path),
    "history.csv": lambda path: History().to_csv(path),
}


@pytest.mark.parametrize("name", LEFT)
def test_pictures_and_tables_are_whole_too(tmp_path, monkeypatch, name):
    path = tmp_path / name
    LEFT[name](path)
    whole = path.read_bytes()
    path.write_text("former")

    def fail(*names):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        LEFT[name](path)
    assert caught.value.filename == str(path)
    assert (path.read_text(), os.listdir(tmp_path)) == ("former", [name])
    monkeypatch.undo()
    LEFT[name](path)
    assert path.read_bytes() == whole


# --- what has the name already ----------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400])
def test_a_file_keeps_its_mode(path, mode):
    write(path, "former")
    path.chmod(mode)
    write(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
def test_a_private_text_is_private_from_the_start(path, monkeypatch):
    """What opens a file before its mode is set can read all that is written to it later."""
    write(path, "former")
    path.chmod(0o600)
    seen = []
    monkeypatch.setattr("os.chmod", lambda fresh, mode: seen.append(os.stat(fresh).st_mode & 0o77))
    write(path, "new")
    assert seen == [0]


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
def test_a_new_file_has_the_usual_mode(path):
    path.with_name("usual").touch()
    write(path, "new")
    assert path.stat().st_mode == path.with_name("usual").stat().st_mode


def test_a_link_stays_and_the_file_it_names_is_replaced(path):
    link = path.with_name("link.json")
    write(path, "former")
    link.symlink_to(path)
    write(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def refused(path, reason):
    """Whether writing ends in one error that names the file, and leaves nothing behind."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(OSError, match=re.escape(str(path))) as caught:
        write(path, "new")
    assert (caught.value.errno, caught.value.filename) == (reason, str(path))
    assert sorted(os.listdir(path.parent)) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with a name")
def test_what_is_no_regular_file_is_not_replaced(path):
    os.mkfifo(path)
    refused(path, errno.EINVAL)
    assert stat.S_ISFIFO(path.stat().st_mode)
    path.with_name("folder").mkdir()
    refused(path.with_name("folder"), errno.EINVAL)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs /dev/null")
def test_a_device_is_not_replaced():
    refused(Path("/dev/null"), errno.EINVAL)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@needs.names
@pytest.mark.skipif(os.name != "posix", reason="needs names of at most 255 bytes")
def test_names_as_long_as_they_may_be(path):
    longest = path.with_name("n" * 255)
    write(longest, "text")
    assert longest.read_text() == "text"
    refused(path.with_name("n" * 256), errno.ENAMETOOLONG)


@pytest.mark.skipif(os.name != "posix", reason="Windows says that there is no such file")
def test_a_file_is_no_folder(path):
    write(path, "text")
    with pytest.raises(NotADirectoryError) as caught:
        write(path / "b.json", "new")
    assert caught.value.filename == str(path / "b.json")


@pytest.mark.parametrize(
    "name", ["none/a.json", "folder", pytest.param("n" * 300, marks=needs.names)]
)
def test_what_cannot_be_written_is_told_before(path, name):
    path.with_name("folder").mkdir()
    for look in (check_writable, lambda path: write(path, "text")):
        with pytest.raises(OSError, match=r"No such file|regular file|too long") as caught:
            look(path.parent / name)
        assert caught.value.filename == str(path.parent / name)


def test_a_look_leaves_nothing(path):
    check_writable(path)
    assert os.listdir(path.parent) == []
    write(path, "text")
    check_writable(path)
    assert (os.listdir(path.parent), path.read_text()) == ([path.name], "text")


class Full:
    """A file that takes nothing more."""

    def __init__(self, file, fail):
        self.file, self.write = file, fail

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


@pytest.mark.whole
def test_a_file_size_limit_leaves_the_former_file(path):
    """A real limit, in a process of its own."""
    resource = pytest.importorskip("resource")
    write(path, "former")
    code = "import sys; from engine.files import write; write(sys.argv[1], 'x' * 100_000)"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    command = [sys.executable, "-B", "-c", code, str(path)]
    done = subprocess.run(
        command, cwd=ROOT, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"OSError: [Errno {errno.EFBIG}] File too large: '{path}'" in done.stderr
    assert path.read_text() == "former"
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.whole
def test_a_full_disk_leaves_the_former_file(figure):
    """A real one of 1 MB, where one may be mounted."""
    code = (
        "from engine.files import write\n"
        "path = '/mnt/a.json'\n"
        "write(path, 'former')\n"
        "try:\n"
        "    write(path, 'x' * 2_000_000)\n"
        "except OSError as error:\n"
        "    print(error.errno, error.filename)\n"
        "import os\n"
        "print(open(path).read(), os.listdir('/mnt'))\n"
    )
    mount = 'mount -t tmpfs -o size=1m none /mnt && exec "$0" -c "$1"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, sys.executable, code]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr}")
    assert done.stdout == f"{errno.ENOSPC} /mnt/a.json\nformer ['a.json']\n"
    figure("d3", "full disk, file size limit, failing calls: former file lost", 2 + len(FAULTS))


TEXTS = ["a" * 300_000, "b" * 300_000]


def save_for_ever(path, begun):
    while True:
        for text in TEXTS:
            write(path, text)
        begun.set()


@pytest.mark.whole
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
def test_a_kill_while_saving_leaves_a_whole_file(path, amount, figure):
    rng, kills, torn, amid = random.Random("d2"), amount(40, 500), 0, 0
    write(path, TEXTS[0])
    context = multiprocessing.get_context("fork")
    for _ in range(kills):
        begun = context.Event()
        process = context.Process(target=save_for_ever, args=(path, begun))
        process.start()
        assert begun.wait(60)  # a busy machine takes its time
        process.join(0.01 * rng.random())
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        torn += path.read_text() not in TEXTS
        fresh = [name for name in os.listdir(path.parent) if name != "a.json"]
        amid += bool(fresh)
        for name in fresh:
            path.with_name(name).unlink()
    assert torn == 0
    assert amid > kills / 10
    figure("d2", "kill -9 while saving: torn files", kills, torn)
