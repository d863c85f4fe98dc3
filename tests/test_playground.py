"""The playground: its links, what runs a program in it, and the built page in a real browser."""

import base64
import importlib
import json
import os
import random
import re
import shutil
import sys
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest
from scripts import running

from web import playground, pyodide, runner
from web.afresh import put_back
from web.packages import BuildError, npm
from web.playground import MOST_CODE, NAME, build, examples, link

WHOLE = pytest.mark.whole
PATIENCE = 120_000  # ms: a busy machine starts Python slowly
TEXTS = [
    "",
    "print('Zürich, \N{GREEK SMALL LETTER LAMDA}, \N{ROBOT FACE}')\n",
    "x = '</script><script>alert(1)</script>'  # <!--\n",
    "\n".join(f"w{k} = Value({k * 0.37})" for k in range(1000)),
    "\x00\x7f\u2028",
]


def packed(content):
    """Bytes as a link holds them, whatever they are."""
    deflate = zlib.compressobj(level=9, wbits=-15)
    letters = base64.urlsafe_b64encode(deflate.compress(content) + deflate.flush()).decode()
    return f"#code={letters.rstrip('=')}"


# --- links -----------------------------------------------------------------------------------

SCRIPT = base64.b64encode((playground.HERE / "link.js").read_bytes()).decode()
READ = """async ([way, text]) => {
  const { decoded, encoded } = await import("data:text/javascript;base64,%s");
  const act = way === "read" ? decoded : encoded;
  return act(text).then((found) => ({ found }), (error) => (
    { refused: error.message, as: error.constructor.name }));
}"""


@pytest.fixture(scope="module")
def page_link():
    with running(READ % SCRIPT) as ask:
        yield ask


@pytest.mark.parametrize("text", TEXTS)
def test_a_link_of_python_is_read_by_the_page_and_one_of_the_page_by_python(page_link, text):
    base, _, letters = link(text, "there.html").partition("#code=")
    assert base == "there.html"
    assert re.fullmatch("[A-Za-z0-9_-]+", letters)
    assert page_link(["read", f"#code={letters}"]) == {"found": text}
    made = page_link(["make", text])["found"].removeprefix("#code=")
    assert re.fullmatch("[A-Za-z0-9_-]+", made)
    padded = base64.urlsafe_b64decode(made + "=" * (-len(made) % 4))
    assert zlib.decompress(padded, wbits=-15).decode() == text


HOSTILE = {
    "no base64": (lambda: "#code=%", "damaged"),
    "no deflate": (lambda: "#code=AAAA", "damaged"),
    "cut off": (lambda: link("print(1)").partition(".html")[2][:-4], "damaged"),
    "no UTF-8": (lambda: packed(b"\xff\xfe"), "damaged"),
    "a letter too long": (lambda: packed(b"a" * (MOST_CODE + 1)), "too long"),
    "100 MB in 130 kB": (lambda: packed(b"\0" * 100_000_000), "too long"),
    "1 MB": (lambda: "#code=" + "A" * 1_000_000, "too long"),
}


@pytest.mark.some(7)
@pytest.mark.parametrize(("made", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_or_hostile_link_ends_in_plain_words(page_link, made, words):
    hash = made()
    answer = page_link(["read", hash])
    assert answer["as"] == "LinkError"
    assert words in answer["refused"]


def test_an_address_without_code_has_none(page_link):
    assert [page_link(["read", hash]) for hash in ("", "#57")] == [{"found": None}] * 2


@pytest.mark.parametrize("end", [".", "%20", "==", ")."])
def test_what_a_letter_adds_to_a_link_is_left_out(page_link, end):
    assert page_link(["read", link("print(1)").partition(".html")[2] + end]) == {
        "found": "print(1)"
    }


def test_code_that_hardly_packs_fits_too(page_link):
    draw = random.Random(0)
    code = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(MOST_CODE))
    assert page_link(["read", link(code).partition(".html")[2]]) == {"found": code}


def test_too_much_code_for_a_link_is_refused_by_both(page_link):
    longest = "x" * MOST_CODE
    assert page_link(["read", link(longest).partition(".html")[2]]) == {"found": longest}
    assert "100,001 characters" in page_link(["make", longest + "x"])["refused"]
    with pytest.raises(ValueError, match="100,000 characters of code, got 100,001"):
        link(longest + "x")


def test_the_examples_say_what_to_see_and_what_to_try():
    found = examples()
    assert len(found) == 6
    for example in found:
        assert example.words[-1].startswith("Try: ")
        compile(example.code, example.name, "exec")


# --- what runs a program ---------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch):
    """Runs a program in this process: its messages."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    messages = []
    runner.start(lambda text: messages.append(json.loads(text)))

    def told(code):
        messages.clear()
        runner.run(code)
        assert messages[-1]["kind"] == "done"
        return messages[:-1]

    yield told
    runner.free(all=True)


def texts(messages, stream="out"):
    return "".join(m["text"] for m in messages if m["kind"] == "text" and m["stream"] == stream)


def error_of(messages):
    (error,) = (message for message in messages if message["kind"] == "error")
    return error


def test_each_line_is_sent_as_it_is_printed(run):
    assert [m["text"] for m in run("print('a')\nprint('b', 1)")] == ["a\n", "b 1\n"]
    both = run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c', end='')")
    assert (texts(both), texts(both, "err")) == ("a\nc", "b\n")


def test_the_last_expression_is_shown_as_a_notebook_would(run):
    (shown,) = run("'a' 'b'")
    assert (shown["mime"], shown["content"]) == ("text/plain", "'ab'")
    (shown,) = run("from engine import Value, draw\ndraw(Value(2.0, 'x') * 3)")
    assert shown["mime"] == "image/svg+xml"
    assert shown["content"].startswith("<svg")
    assert shown["told"].startswith("value: data 6.0000")
    (shown,) = run("from nn.pages.walks import race_page\nrace_page()")
    assert shown["mime"] == "text/html"
    assert run("x = 1") == run("None") == run("") == run("# nothing") == []


def test_kinds_are_taken_in_their_order(run):
    class_ = (
        "class A:\n"
        " def _repr_html_(self): return '<b>'\n"
        " def _repr_png_(self): return b'123'\n"
        " def __repr__(self): return 'an A'\n"
    )
    assert run(class_ + "A()")[0]["mime"] == "text/html"
    (shown,) = run(class_.replace("_repr_html_", "_other") + "A()")
    assert (shown["mime"], shown["content"]) == ("image/png", "MTIz")
    assert run(class_ + "A")[0]["mime"] == "text/plain"  # a class is no such thing


def test_what_is_shown_can_change(run):
    one, two, three = run("a = display('a', 'b', display_id=True)\na.update('c')")
    assert [m["content"] for m in (one, two, three)] == ["a", "b", "c"]
    assert one["slot"] != two["slot"] == three["slot"]
    assert run("display('a')")[0]["content"] == "a"


def test_each_program_is_a_new_main_module(run):
    run("x = 1")
    assert error_of(run("x"))["words"].startswith("name 'x' is not defined")
    code = "from dataclasses import dataclass\n@dataclass\nclass A:\n x: int = 1\nA(), __name__"
    assert run(code)[0]["content"] == "(A(x=1), '__main__')"


def test_an_error_names_the_line_the_columns_and_the_calls(run):
    error = error_of(run("def f(a):\n    return 1 + a / 0\n\nf(2)\n"))
    assert (error["name"], error["words"]) == ("ZeroDivisionError", "division by zero")
    assert (error["line"], error["column"], error["end"]) == (2, 16, 21)
    assert error["plain"] == "Nothing can be divided by 0."
    calls = error["calls"]
    assert 'File "program.py", line 4' in calls
    assert "return 1 + a / 0" in calls
    assert "runner" not in calls


def test_an_error_of_the_library_keeps_its_words_and_names_our_line(run):
    code = "from nn import MLP\n\n\ndef net():\n    return MLP(2, [0])\n\n\nnet()\n"
    error = error_of(run(code))
    with pytest.raises(ValueError, match=r".") as raised:
        exec(code, {})
    assert (error["name"], error["words"]) == ("ValueError", str(raised.value))
    assert error["line"] == 5
    assert "module.py" in error["calls"]


def test_an_error_that_came_of_another_tells_both_without_our_frames(run):
    code = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('a') from e\n"
    error = error_of(run(code))
    assert (error["line"], error["words"]) == (4, "'a'")
    assert "division by zero" in error["calls"]
    assert "runner" not in error["calls"]


@pytest.mark.parametrize(
    ("code", "wrong"), [("fläche = brete * 2", "brete"), ('ä = "日本🎉"; print(zz)', "zz")]
)
def test_columns_count_characters(run, code, wrong):
    error = error_of(run(code))
    assert code[error["column"] - 1 : error["end"] - 1] == wrong


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("code", "line", "column"),
    [("x = 1\nprint(x\ny = 2\n", 2, 6), ("a b", 1, 3), ("if 1:\nprint(2)", 2, 1)],
)
def test_a_syntax_error_points_to_its_column(run, code, line, column):
    error = error_of(run(code))
    assert error["is_syntax"]
    assert (error["line"], error["calls"]) == (line, "")
    assert abs(error["column"] - column) <= 2  # versions of Python point to either end
    assert "program.py" not in error["words"]


def test_a_syntax_error_of_another_text_is_an_error_of_the_line_that_read_it(run):
    error = error_of(run("x = 1\neval('a b')"))
    assert (error["is_syntax"], error["line"]) == (False, 2)


def test_a_huge_print_is_limited_and_what_is_left_out_counted(run):
    messages = run("print('x' * 10_000_000)\nfor _ in range(1000):\n    print('y')")
    assert len(texts(messages)) == runner.MOST_TEXT
    assert messages[-1] == {"kind": "left out", "characters": 10_002_001 - runner.MOST_TEXT}
    assert len(messages) < 10
    (shown,) = run("'x' * 10_000_000")
    assert len(shown["content"]) < runner.MOST_TEXT + 100
    assert shown["content"].endswith("9,900,002 characters more are left out")


def test_too_many_things_and_too_large_ones_are_refused_in_words(run):
    messages = run("for k in range(1000):\n    display(k)")
    assert len(messages) == runner.MOST_SHOWN + 1
    assert "handle.update(other)" in error_of(messages)["words"]
    (shown,) = run("class A:\n def _repr_svg_(self): return 'x' * 9_000_000\nA()")
    assert (shown["mime"], "too large for this page: 9,000,000" in shown["content"]) == (
        "text/plain",
        True,
    )


def test_the_end_of_a_program_by_itself_is_no_error(run):
    assert run("exit(0)") == run("import sys\nsys.exit()") == []
    assert texts(run("raise SystemExit('enough')"), "err") == "The program ended itself: enough\n"
    assert run("raise KeyboardInterrupt") == [{"kind": "stopped"}]


SPOILS = (
    "import builtins\nbuiltins.print = None",
    "import math\nmath.sin = math.cos",
    "from engine import Value\nValue.__add__ = lambda a, b: a",
    "from engine import Value\nValue.cube = lambda v: v * v * v",
    "from engine import Value\nValue.tanh = property(lambda v: v)",
    "import nn\nnn.MLP.__call__ = None\nnn.mse = max",
    "import engine\ncube = engine.define('cube', 'cube', 'x**3', '3 * x**2', at=[(2.0,)])",
    "import warnings\nwarnings.simplefilter('ignore')",
    "import sys\nsys.setrecursionlimit(10**6)",
)
SEEN = """
import math, sys, warnings, nn
from engine import Value
from engine.ops import OPS
v = Value(0.5)
print((v + v).data, hasattr(Value, "cube"), v.tanh().data, math.sin(1), "cube" in OPS)
print(nn.mse([v], [1.0]).data, nn.MLP(1, [1], seed=0)([1.0]).data, sys.getrecursionlimit())
print(warnings.filters[0])
"""


@pytest.mark.parametrize("spoilt", SPOILS)
def test_what_a_program_does_to_python_and_to_us_ends_with_it(run, spoilt):
    seen = texts(run(SEEN))
    assert len(seen.splitlines()) == 3
    assert run(spoilt) == []
    assert texts(run(SEEN)) == seen


def test_files_and_modules_of_a_program_end_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    undo = put_back(str(tmp_path))
    (tmp_path / "mine_alone.py").write_text("x = 1", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "rows.csv").touch()
    importlib.invalidate_caches()
    assert importlib.import_module("mine_alone").x == 1
    os.chdir("folder")
    undo()
    assert (os.listdir(tmp_path), Path.cwd()) == ([], tmp_path)
    assert "mine_alone" not in sys.modules


@pytest.mark.whole
@pytest.mark.parametrize(
    ("code", "plain"),
    [
        ('raise RuntimeError("can\'t start new thread")', "A page has no threads"),
        ("raise OSError('emscripten does not support processes.')", "A page has no other programs"),
        ("open('data.csv')", "A page has no files of yours"),
        ("await 1", "A page cannot wait inside a program"),
        ("raise OSError('disk')", ""),
        ("raise ImportError(\"No module named 'turtle'\")", "A page has no windows"),
        ("x = 1\n%pip install numpy", "Here are Python's own modules"),
        ("python -m pip install numpy", "Here are Python's own modules"),
        (">>> print(1)", "This was copied with its prompt"),
        ("!ls", "This is for notebooks"),
        ("import nmpy", "Here are Python's own modules"),
        ("from engin import Value", "Did you mean engine?"),
        ("circles(60)", "Write this first: from nn import circles"),
        ("backwrd()", "Nothing has this name yet"),
        ("from engine import Value\nValue(1.0).gard", "Did you mean grad?"),
        ("from engine import Value\nValue(1.0).tanh * 2", "A method is called with brackets"),
        ("def f():\n    pass\n\n\nf.backward()", "A function is called with brackets"),
        ("class A:\n    def __dir__(self):\n        1 / 0\n\n\nA().dta", ""),
        ("class A:\n    def __dir__(self):\n        return [1, 2]\n\n\nA().dta", ""),
    ],
)
def test_what_a_page_lacks_and_what_was_meant_is_said_in_plain_words(run, code, plain):
    told = error_of(run(code))["plain"]
    assert told.startswith(plain) if plain else told == ""


def test_a_pad_asks_its_function_and_shows_the_answer(run):
    messages = []
    (made,) = run("pad(lambda pixels: sum(pixels), 'Draw')")
    assert (made["kind"], made["title"]) == ("pad", "Draw")
    runner.start(lambda text: messages.append(json.loads(text)))
    runner.run("pad(lambda pixels: sum(pixels))")
    runner.free(all=False)  # its names are in use
    runner.call(1, [0.5] * 64)
    assert [(m["slot"], m["content"]) for m in messages if m["kind"] == "show"] == [(-1, "32.0")]
    runner.free(all=True)
    runner.call(1, [0.5] * 64)
    assert messages[-1]["kind"] == "done"


def test_what_is_no_function_for_a_pad_is_said(run):
    assert error_of(run("pad('x')"))["words"] == "pad expected a function of 64 numbers, got 'x'"
    assert error_of(run("pad()"))["words"].startswith("pad() missing 1 required")


# --- the page --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The page, built once for all processes of a run."""
    for program in ("npm", "node"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install nodejs npm")
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    page, lock = folder / NAME, folder / "building"
    try:
        lock.mkdir()
    except FileExistsError:
        for _ in range(600):
            if page.exists():
                return page
            time.sleep(1)
        pytest.skip("the process that builds the page did not get to its end")
    try:
        npm("pyodide", pyodide.VERSION)
    except BuildError as error:
        pytest.skip(str(error))
    near = folder / "built.html"
    shutil.copy(build(), near)
    return near.rename(page)


class Playground:
    """A tab with the page: all that it asks for is recorded, and nothing is answered."""

    def __init__(self, browser, address, routed=True, **options):
        from playwright.sync_api import expect

        options.setdefault("viewport", {"width": 1280, "height": 720})
        expect.set_options(timeout=PATIENCE)
        self.expect = expect
        self.context = browser.new_context(**options)
        self.requests, self.errors, self.said = [], [], []
        self.address = address
        if routed:
            self.context.route(re.compile("^(https?|wss?|ftp):"), self.refuse)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.goto(address)

    def refuse(self, route):
        self.requests.append(route.request.url)
        route.abort()

    @property
    def results(self):
        return self.page.locator("#results")

    @property
    def status(self):
        return self.page.locator("#status")

    def write(self, code):
        self.page.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)

    def ends(self, words="Done in"):
        self.expect(self.status).to_contain_text(words)

    def run(self, code=None):
        if code is not None:
            self.write(code)
        self.page.locator("#run").click()
        self.ends()
        return self.results.inner_text()

    def close(self):
        self.context.close()
        assert self.errors == []
        assert [
            url for url in self.requests if not url.startswith(("file:", "blob:", "data:"))
        ] == []


@pytest.fixture
def tab(browser, built):
    """Opens tabs of one's own; none asks for anything outside."""
    tabs = []

    def opened(hash="", **options):
        tabs.append(Playground(browser, built.as_uri() + hash, **options))
        return tabs[-1]

    yield opened
    for one in tabs:
        one.close()


@pytest.fixture(scope="module")
def shared(browser, built):
    """A tab for tests that follow each other in one, with Python ready."""
    one = Playground(browser, built.as_uri())
    one.run("print('ready')")
    yield one
    one.close()


def test_the_page_opens_from_disk_and_gives_its_first_output_asking_nobody(tab, built):
    assert built.stat().st_size < 12_000_000
    one = tab()
    assert "slope" in one.run()
    alt = one.page.locator("#results img").get_attribute("alt")
    assert alt.startswith("loss: data 3.6296")
    assert one.said == []
    assert [url for url in one.requests if not url.startswith("blob:")] == [built.as_uri()]


ASKING = [
    "from pyodide.http import open_url\nopen_url('{there}')",
    "import js\njs.fetch('{there}')",
    "import js\njs.importScripts('{there}')",
    "import js\njs.WebSocket.new('{there}')",
    "import js, time\nblob = js.Blob.new(js.Array.of('fetch(\"{there}\")'))\n"
    "w = js.Worker.new(js.URL.createObjectURL(blob))\ntime.sleep(0.5)",
    'class A:\n    def _repr_html_(self):\n        return \'<img src="{there}"><script>'
    'fetch("{there}"); location = "{there}"</script>\'\nA()',
]


@WHOLE
def test_a_program_that_asks_a_server_does_not_reach_it(tab):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_port}/"
        one = tab()
        one.context.unroute_all()
        for code in ASKING:
            one.run(code.replace("{there}", there))
            one.page.wait_for_timeout(500)
        assert asked == []
        urlopen(there, timeout=30).close()
        assert asked == ["/"]  # it would have heard
        server.shutdown()
    one.requests.clear()  # those that the browser held back
    assert one.errors == ["Failed to fetch"]  # in the frame
    one.errors.clear()


@pytest.mark.some(3)
@WHOLE
@pytest.mark.parametrize("number", range(6), ids=[example.name for example in examples()])
def test_each_example_runs_to_its_end(shared, number):
    shared.page.locator("#chooser").select_option(f"example {number}")
    shared.run()
    assert shared.page.locator("#results .error").count() == 0
    assert shared.page.locator("#results > *").count() >= 1


@WHOLE
def test_a_page_of_steps_opens_inside_and_can_be_stepped(shared):
    shared.run("from engine import Value, steps\nx = Value(2.0, 'x')\nsteps(x * x + 1)\n")
    frame = shared.page.frame_locator("#results iframe.page")
    shared.expect(frame.locator("#count")).to_contain_text("Step")
    frame.locator("#next").click()
    shared.expect(frame.locator("#count")).to_contain_text("Step 1")
    element = shared.page.locator("#results iframe.page")
    assert element.get_attribute("sandbox") == "allow-scripts"


@WHOLE
def test_html_is_as_high_as_it_is_and_reaches_nothing(shared):
    shared.run(
        "class A:\n    def _repr_html_(self):\n"
        "        return '<p style=\"height:333px\">a</p><script>parent.document.title=1</script>'\n"
        "A()"
    )
    shared.page.wait_for_timeout(500)
    height = shared.page.locator("#results iframe").bounding_box()["height"]
    assert 333 <= height < 420
    assert shared.page.title() == "brickgrad playground"
    (error,) = shared.errors
    assert "Blocked a frame" in error
    shared.errors.clear()


@WHOLE
def test_what_a_program_prints_and_shows_is_never_html(shared):
    evil = "<img src=x onerror=alert(1)></pre><script>alert(2)</script>"
    shared.run(f"print('''{evil}''')\ndisplay('''{evil}''')\nraise ValueError('''{evil}''')")
    assert shared.results.inner_text().count("<script>alert(2)</script>") >= 3
    assert shared.page.locator("#results img, #results script").count() == 0
    shared.run(
        'class A:\n    def _repr_svg_(self):\n        return \'<svg xmlns="http://www.w3.org/2000/svg"'
        ' width="9" height="9"><script>alert(3)</script></svg>\'\nA()'
    )
    assert shared.page.locator("#results img").count() == 1
    assert not any(words in ("1", "2", "3") for words in shared.said)


@WHOLE
def test_an_endless_loop_is_stopped_and_the_next_program_runs(shared):
    shared.write("print('begin')\nwhile True:\n    pass\n")
    shared.page.locator("#run").click()
    shared.expect(shared.results).to_contain_text("begin")
    assert shared.status.inner_text() == "Running."
    shared.page.locator("#stop").click()
    shared.expect(shared.results).to_contain_text("Stopped. All names of the program are gone")
    assert "2\n" in shared.run("print(1 + 1)") + "\n"


@WHOLE
def test_where_a_server_allows_it_a_program_is_asked_to_stop(browser, built):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(built.read_bytes())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        one = Playground(browser, f"http://127.0.0.1:{server.server_port}/", routed=False)
        one.write("print('begin')\ntry:\n    while True:\n        pass\nfinally:\n    print('end')")
        one.page.locator("#run").click()
        one.expect(one.results).to_contain_text("begin")
        one.page.locator("#stop").click()
        one.ends()
        assert one.results.inner_text().split() == ["begin", "end", "Stopped."]
        assert one.run("print('next')").strip() == "next"
        assert {url for url in one.requests if url.startswith("http")} == {one.address}
        one.requests.clear()
        one.close()
        server.shutdown()


@WHOLE
def test_a_syntax_error_and_an_error_mark_their_line(shared):
    said = shared.run("x = 1\nprint(x\n")
    assert "Line 2, column 6: Python cannot read this" in said
    assert shared.page.locator(".wrong-line").inner_text() == "print(x"
    said = shared.run("def f(a):\n    return a * c\n\n\nf(2)\n")
    assert "Line 2: NameError" in said
    assert "name 'c' is not defined" in said
    assert shared.page.locator(".cm-line .wrong").inner_text() == "c"
    assert "pyodide" not in said.lower()
    shared.page.get_by_role("button", name="Go to line 2").click()
    shared.page.keyboard.type("1 + ")
    assert "return a * 1 + c" in shared.page.locator(".cm-content").inner_text()
    assert shared.page.locator(".wrong-line").count() == 0  # it was changed


@WHOLE
def test_an_error_is_found_where_its_line_is_now(shared):
    shared.run("ä = '🎉🎉'; b = 2\nprint('🎉', wrong)")
    assert "with an error" in shared.status.inner_text()
    assert shared.page.locator(".cm-line .wrong").inner_text() == "wrong"
    shared.write("# more\n# lines\nä = '🎉🎉'; b = 2\nprint('🎉', wrong)")
    go = shared.page.get_by_role("button", name="Go to line 2")
    go.click()
    shared.page.keyboard.type("not_")
    assert "print('🎉', not_wrong)" in shared.page.locator(".cm-content").inner_text()
    go.click()
    assert shared.status.inner_text() == "That line is not in the editor any more."


@WHOLE
def test_files_of_a_program_are_gone_in_the_next(shared):
    assert shared.run("open('a.txt', 'w').write('here')\nprint(open('a.txt').read())") == "here\n"
    assert "FileNotFoundError" in shared.run("open('a.txt')")


@pytest.mark.some(4)
@WHOLE
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(n):\n    return f(n + 1)\n\n\nf(0)", "RecursionError"),
        ("'(' * 1\nx = eval('(' * 90 + '1' + ')' * 90)\nx", "1"),
        ("for k in range(200_000):\n    print('line', k)", "more characters were printed"),
        (
            "x = []\nwhile True:\n    x.append(bytearray(10**8))",
            "needs more memory than a page has",
        ),
        ("input('who? ')", "Nobody can type here"),
        ("import numpy", "Others cannot be loaded"),
        (
            "from engine import Value\nt = Value(1.0)\nfor _ in range(1_000_000):\n"
            "    t = t + 1e-6\nt.backward()\nprint(f'{t.data:.6f}')",
            "2.000000",
        ),
        ("print('next')", "next"),  # and the graph above is gone
        ("x = 1", "The program came to its end, and printed nothing"),
        ("import sys\nsys.exit('enough')", "The program ended itself: enough"),
        ("größe, λ, 变 = 1, 2, 3\nprint(größe + λ + 变, '\\ud800')", "6"),
        ("import threading\nthreading.Thread(target=print).start()", "no threads"),
        ("import subprocess\nsubprocess.run(['ls'])", "no other programs"),
        ("await 1", "Python cannot read this"),
    ],
    ids=[
        *("recursion", "eval", "print", "memory", "input", "import", "million", "after"),
        *("nothing", "exit", "unicode", "thread", "process", "await"),
    ],
)
def test_hard_programs_end_in_plain_words(shared, code, words):
    assert words in shared.run(code)


@WHOLE
def test_a_python_that_breaks_down_is_replaced(shared):
    shared.write("x = []\nfor _ in range(100_000):\n    x = [x]\nx")
    shared.page.locator("#run").click()
    shared.expect(shared.results).to_contain_text("was started anew")
    assert "Your code is still here" in shared.results.inner_text()
    assert shared.run("print('again')").strip() == "again"


@WHOLE
def test_a_digit_is_drawn_by_mouse_and_by_keys(shared):
    shared.run("pad(lambda pixels: [round(p, 1) for p in pixels], 'Draw')")
    pad = shared.page.locator(".pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    middle = box["x"] + 110
    shared.page.mouse.move(middle, box["y"] + 30)
    shared.page.mouse.down()
    shared.page.mouse.move(middle, box["y"] + 190, steps=10)
    shared.page.mouse.up()
    answer = shared.page.locator("#results .value")
    shared.expect(answer).to_contain_text("0.5")

    def pixels():
        shared.page.wait_for_timeout(300)
        return json.loads(answer.inner_text())

    one = pixels()
    assert all(sum(one[8 * row + 2 : 8 * row + 6]) > 0.5 for row in range(8))  # a 1, of full height
    assert sum(one[::8]) == sum(one[7::8]) == 0
    shared.page.get_by_role("button", name="Clear").click()
    shared.expect(answer).not_to_contain_text("0.5")
    pad.press(" ")
    for _ in range(12):
        shared.page.keyboard.press("ArrowRight")
    flat = pixels()
    assert sum(flat) > 4
    assert sum(flat[:16]) == sum(flat[-16:]) == 0  # a line from left to right


@WHOLE
def test_a_finger_draws_and_does_not_scroll(tab):
    one = tab(viewport={"width": 400, "height": 800}, has_touch=True)
    one.run("print('a\\n' * 40)\npad(lambda pixels: sum(pixels), 'Draw')\nprint('a\\n' * 40)")
    pad = one.page.locator(".pad canvas")
    pad.scroll_into_view_if_needed()
    box, scrolled = pad.bounding_box(), one.page.evaluate("scrollY")
    finger = one.context.new_cdp_session(one.page)

    def touch(kind, y=None):
        points = [] if y is None else [{"x": box["x"] + 110, "y": box["y"] + y}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 30)
    for y in range(40, 200, 10):
        touch("touchMove", y)
    touch("touchEnd")
    answer = one.page.locator("#results .value")
    one.expect(answer).to_have_text("7.75")  # the whole stroke: a shorter one is relatively wider
    assert one.page.evaluate("scrollY") == scrolled


@WHOLE
def test_a_link_is_shown_as_text_and_runs_only_when_run_is_pressed(tab):
    evil = "print('from a link')  # </script><script>alert(1)</script><img src=x onerror=alert(2)>"
    one = tab(link(evil, ""))
    one.ends("Ready.")
    assert one.page.locator(".cm-content").inner_text().strip() == evil
    assert one.page.locator("#foreign").inner_text() == "From a link: read it before you run it."
    assert one.results.inner_text() == ""
    assert one.run().strip() == "from a link"
    assert not one.page.locator("#foreign").is_visible()
    assert one.said == []


@WHOLE
def test_a_link_that_comes_while_python_starts_does_not_run_in_the_place_of_what_was_run(tab):
    one = tab()
    one.write("print('mine')")
    one.page.locator("#run").click()
    one.page.evaluate(f"() => {{ location.hash = {link('print(1)', '')!r}; }}")
    one.expect(one.page.locator(".cm-content")).to_have_text("print(1)")
    assert "starting" in one.status.inner_text()
    one.ends()
    assert one.results.inner_text().strip() == "mine"
    assert one.page.locator("#foreign").is_visible()


@pytest.mark.some(3)
@WHOLE
@pytest.mark.parametrize(
    ("hash", "words"), [("#code=%%%", "damaged"), (packed(b"\0" * 100_000_000), "too long")]
)
def test_a_bad_link_says_so_and_the_page_works(tab, hash, words):
    one = tab(hash)
    one.expect(one.results).to_contain_text(words)
    assert "draw" in one.page.locator(".cm-content").inner_text()  # the first example


@WHOLE
def test_share_makes_the_link_that_python_makes_of_the_same_code(tab):
    one = tab()
    one.write("print('shared')")
    one.page.locator("#share").click()
    one.expect(one.page.locator("#shared")).to_be_visible()
    address = one.page.locator("#link").input_value()
    code = address.partition("#code=")[2]
    padded = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
    assert zlib.decompress(padded, wbits=-15) == b"print('shared')"
    assert "#" not in one.page.url
    one.page.keyboard.press("Escape")
    assert not one.page.locator("#shared").is_visible()


@WHOLE
def test_what_was_typed_is_kept_through_examples_and_a_closed_tab(tab, built):
    one = tab()
    one.write("mine = 1")
    one.page.locator("#chooser").select_option("example 1")
    assert "xor" in one.page.locator(".cm-content").inner_text()
    one.page.get_by_role("button", name="Back to my code").click()
    assert one.page.locator(".cm-content").inner_text().strip() == "mine = 1"
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "mine = 1"
    one.page.goto(built.as_uri() + "#code=broken")
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "mine = 1"


@WHOLE
def test_two_tabs_keep_what_was_typed_in_each(tab):
    one = tab()
    other = one.context.new_page()
    other.goto(one.address)
    for page, code in ((one.page, "first = 1"), (other, "second = 2"), (one.page, "third = 3")):
        page.bring_to_front()
        page.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
        page.wait_for_timeout(500)  # it is stored
    other.close()
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "third = 3"
    names = one.page.locator("#chooser optgroup").first.locator("option").all_inner_texts()
    assert names == ["A neuron, changed", "A neuron, changed (2)"]
    one.page.locator("#chooser").select_option(names[1])
    assert one.page.locator(".cm-content").inner_text().strip() == "second = 2"


@WHOLE
def test_where_two_tabs_change_one_program_both_are_kept(tab):
    one = tab()
    one.write("base = 0")
    one.page.wait_for_timeout(500)
    other = one.context.new_page()
    other.goto(one.address)
    for page, code in ((other, "second = 2"), (one.page, "first = 1"), (other, "second = 3")):
        page.bring_to_front()
        page.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
        page.wait_for_timeout(500)  # it is stored
    assert one.page.locator("#chooser").input_value() == "own A neuron, changed (2)"
    other.reload()
    assert other.locator(".cm-content").inner_text().strip() == "second = 3"
    other.locator("#chooser").select_option("A neuron, changed (2)")
    assert other.locator(".cm-content").inner_text().strip() == "first = 1"
    other.close()


@WHOLE
def test_what_was_typed_into_a_link_is_there_after_a_reload(tab):
    one = tab(link("print('theirs')", ""))
    one.expect(one.page.locator("#foreign")).to_be_visible()
    one.write("print('mine')")
    one.expect(one.page).not_to_have_url(re.compile("#"))
    one.page.wait_for_timeout(500)
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "print('mine')"
    one.page.goto(one.address)
    one.page.reload()
    one.page.get_by_role("button", name="Back to my code").click()
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "print('mine')"


@WHOLE
def test_after_many_answers_nothing_is_left_to_stop(shared):
    shared.run("pad(lambda pixels: sum(pixels), 'Draw')")
    pad = shared.page.locator(".pad canvas")
    pad.press(" ")
    for _ in range(12):
        shared.page.keyboard.press("ArrowRight")
    shared.page.wait_for_timeout(1500)
    assert shared.status.inner_text() == "Ready."
    assert shared.page.locator("#stop").is_disabled()


@WHOLE
def test_on_a_phone_results_are_at_the_top_of_the_view(tab):
    one = tab(viewport={"width": 400, "height": 800})
    one.run("print('here')")
    assert one.results.bounding_box()["y"] < 200


@WHOLE
def test_a_picture_below_many_lines_is_shown(shared):
    shared.run("from engine import Value, draw\nprint('line\\n' * 200)\ndraw(Value(1.0) * 2)")
    box, view = shared.page.locator("#results img").bounding_box(), shared.results.bounding_box()
    assert box["y"] >= view["y"]
    assert box["y"] + min(box["height"], view["height"]) <= view["y"] + view["height"]
    shared.run("print('line\\n' * 100_000)")
    note, view = shared.page.locator(".left-out").bounding_box(), shared.results.bounding_box()
    assert note["y"] + note["height"] <= view["y"] + view["height"]


@pytest.mark.some(4)
@WHOLE
@pytest.mark.parametrize("kept", ["{", "7", '[7, null, {"name": "a"}]', '[{"name": 1, "text": 2}]'])
def test_damaged_drafts_cost_nothing(tab, kept):
    one = tab()
    one.page.evaluate("kept => localStorage.setItem('brickgrad-playground', kept)", kept)
    one.page.reload()
    assert "draw" in one.page.locator(".cm-content").inner_text()  # the first example
    one.write("mine = 1")
    one.page.wait_for_timeout(500)
    one.page.reload()
    assert one.page.locator(".cm-content").inner_text().strip() == "mine = 1"


@WHOLE
def test_stop_while_python_starts_runs_nothing(tab):
    one = tab()
    one.write("print('mine')")
    one.page.locator("#run").click()
    one.expect(one.status).to_contain_text("then your program runs")
    one.page.locator("#stop").click()
    one.ends("Ready.")
    assert one.results.inner_text() == ""
    assert one.run().strip() == "mine"


@pytest.mark.some(3)
@WHOLE
@pytest.mark.parametrize("way", ["js", "js.self", "js.DedicatedWorkerGlobalScope.prototype"])
def test_a_program_cannot_send_the_page_what_looks_like_its_runner(shared, way):
    kinds = ["done", "ready", "crashed", "error", "constructor", "show"]
    said = shared.run(
        "import js\nfrom pyodide.ffi import to_js\n"
        f"for kind in {kinds}:\n"
        "    try:\n"
        f"        {way}.postMessage(js.Object.fromEntries(to_js([['kind', kind]])))\n"
        "    except Exception as error:\n"
        "        print(kind, 'refused')\n"
        "print('end')"
    )
    assert said.splitlines() == [*(f"{kind} refused" for kind in kinds), "end"]


@WHOLE
def test_a_paste_that_is_too_long_changes_nothing_and_says_so(tab):
    one = tab()
    one.write("mine = 1")
    one.page.keyboard.insert_text("x" * 1_000_000)
    one.expect(one.status).to_contain_text("at most 100,000 characters; this would make it 1,000")
    assert one.page.locator(".cm-content").inner_text().strip() == "mine = 1"
    one.page.keyboard.insert_text("0")
    assert one.run("print('next')").strip() == "next"


@WHOLE
def test_each_changed_example_is_kept_by_a_name_of_its_own(tab):
    one = tab()
    names = []
    for code in ("first = 1", "second = 2"):
        one.page.locator("#chooser").select_option("example 0")
        one.write(code)
        names.append(one.page.locator("#chooser option:checked").inner_text())
    assert names == ["A neuron, changed", "A neuron, changed (2)"]
    for name, code in zip(names, ("first = 1", "second = 2"), strict=True):
        one.page.locator("#chooser").select_option(name)
        assert one.page.locator(".cm-content").inner_text().strip() == code
        one.page.locator(".cm-content").press("Control+End")
        one.page.keyboard.type(" ")  # changed again, it is the newest
    one.page.locator("#chooser").select_option(names[0])
    assert "first" in one.page.locator(".cm-content").inner_text()


@WHOLE
def test_by_keyboard_alone(tab):
    one = tab()
    for wanted in ("chooser", "run", "share"):
        one.page.keyboard.press("Tab")
        assert one.page.evaluate("document.activeElement.id") == wanted
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.className").startswith("cm-content")
    one.page.keyboard.press("Control+a")
    one.page.keyboard.insert_text("if 1:")
    one.page.keyboard.press("Enter")
    one.page.keyboard.type("print(7)")
    one.page.keyboard.press("Enter")
    one.page.keyboard.press("Backspace")
    one.page.keyboard.press("Tab")  # indents
    one.page.keyboard.type("print(8)")
    one.page.keyboard.press("Control+Enter")
    one.ends()
    assert one.results.inner_text().split() == ["7", "8"]
    assert "\n    print(8)" in one.page.locator(".cm-content").inner_text()
    one.page.keyboard.press("Escape")
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.id") == "results"
    outline = one.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


STATES = {
    "idle": None,
    "text": "print('a')\nimport sys\nprint('b', file=sys.stderr)\n[1, 2]",
    "error": "from nn import MLP\nMLP(2, [0])",
    "pictures": "from engine import Value, draw, steps\nx = Value(1.0, 'x')\n"
    "display(draw(x * 2))\npad(print)\nsteps(x * 2)",
}


@pytest.mark.some(4)
@WHOLE
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(400, 800), (1280, 720)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(tab, width, height, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    one = tab(viewport={"width": width, "height": height}, color_scheme=scheme)
    for name, code in STATES.items():
        if code:
            one.run(code)
            one.page.wait_for_timeout(300)
        one.page.bring_to_front()
        found = axe.Axe().run(one.page).response["violations"]
        assert found == [], (name, [(v["id"], v["nodes"][0]["html"]) for v in found])
        wide = one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, name
    paper = one.page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    one.page.locator("#share").click()
    one.expect(one.page.locator("#shared")).to_be_visible()
    assert axe.Axe().run(one.page).response["violations"] == []


@WHOLE
def test_a_full_or_closed_storage_costs_a_question_before_the_tab_is_closed(tab):
    one = tab()
    one.page.evaluate("() => { Storage.prototype.setItem = () => { throw Error('full'); }; }")
    one.write("mine = 1")
    one.page.wait_for_timeout(600)
    one.page.close(run_before_unload=True)
    one.page.wait_for_timeout(300)
    assert one.said == [""]  # the browser asks in its own words


@WHOLE
def test_the_page_names_what_others_wrote_in_it(built):
    text = Path(built).read_text(encoding="utf-8")
    (licences,) = re.findall(r'id="licences">(.*?)</script>', text)
    told = json.loads(licences)
    assert len(told) == len(playground.SCRIPTS)
    assert all(re.search("MIT|MPL-2.0", one.partition("\n")[0]) for one in told)
