"""Walks as pages: their steps are those of the engine, and a class can use them anywhere."""

import json
import random
import re
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from scripts import running
from taught import FOLDER, code_of

from engine.elementary import exp, sin
from engine.pictures.texts import short
from engine.value import Value
from nn.cli import main
from nn.loss import mse
from nn.module import Neuron
from nn.optim import SGD
from nn.pages.walks import (
    EPOCHS,
    MOST_POINTS,
    RATES,
    SCRIPTS,
    fog_page,
    noisy_line,
    race_page,
    valley,
)
from nn.train import gradient_descent

PAGES = {"fog": cache(fog_page), "race": cache(race_page)}
SIZES = [(400, 800), (748, 720), (1000, 720), (1280, 720), (1920, 1080)]

# Walks of the page's own functions: where each step leads to, and the mean heights there.
WALK = """(() => {{ {script}
return ({{ content, batches, rate }}) => {{
  const ground = makeGround(content), walker = makeWalker(ground, content);
  const taken = batches.map(batch => stepped(ground, walker, content, batch, rate));
  return {{ taken, path: walker.path, heights: walker.heights }};
}}; }})()"""


def content_of(made):
    return json.loads(re.search(r'id="content">(.*?)</script>', made.html, re.S)[1])


def walked(made, batches, rate):
    """What the scripts of a page, without those that show it, make of these steps."""
    script = made.html.rpartition("<script>")[2].partition(SCRIPTS[-1].read_text())[0]
    given = {"content": content_of(made), "batches": batches, "rate": rate}
    with running(WALK.format(script=script)) as ask:
        found = ask(given)
    assert isinstance(found, dict), found
    return found


# --- the numbers ----------------------------------------------------------------------------------

STRANGE = [
    (lambda x, y: sin(3 * x) * exp(y / 2) + abs(x - y) + 0.5 * y**4, (-0.4, 1.1)),
    (lambda x, y: 2 * y**2 + y.tanh(), (0.3, -0.8)),  # x changes nothing
    (lambda x, y: (y - x**2) ** 2 / 4 + (1 - x) ** 2, (-1.0, 1.0)),
]


@pytest.mark.whole
@pytest.mark.some(4)
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.4])
@pytest.mark.parametrize(("function", "start"), [(valley, (1.0, -0.7)), *STRANGE])
def test_twenty_steps_in_fog_are_those_of_the_engine(function, start, rate):
    if rate > 0.1 and function is STRANGE[2][0]:
        rate /= 10  # else it leaves the numbers that are finite
    made = fog_page(function, (-1.5, 1.5), (-1.2, 1.2), start)
    found = walked(made, [1] * 20, rate)
    x, y = map(Value, start)
    path, heights = [], []
    for step in range(21):
        x.zero_grad()
        y.zero_grad()
        height = function(x, y)
        height.backward()
        path.append([x.data, y.data])
        heights.append([step, height.data])
        x.data -= rate * x.grad
        y.data -= rate * y.grad
    assert path[0] != path[-1]
    for got, want in zip(found["path"], path, strict=True):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-14)
    for got, want in zip(found["heights"], heights, strict=True):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-14)


@pytest.mark.some(2)
@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_all_points_walk_as_gradient_descent(rate):
    data, line = noisy_line(), Neuron(1, nonlin=False, seed=0)
    path = [[p.data for p in line.parameters()]]
    history = gradient_descent(
        line,
        mse,
        data,
        lr=rate,
        steps=40,
        callbacks=[lambda step: path.append([p.data for p in line.parameters()])],
    )
    found = walked(PAGES["race"](), [50] * 40, rate)
    assert len(path) == 41
    for got, want in zip(found["path"], path, strict=True):
        assert got == pytest.approx(want, rel=1e-12)
    before = [loss for _, loss in found["heights"][:-1]]
    assert before == pytest.approx(history.loss, rel=1e-12)
    assert [looked for looked, _ in found["heights"]] == [50 * n for n in range(41)]


@pytest.mark.some(3)
@pytest.mark.parametrize("batch", [1, 7, 49])
def test_a_batch_walks_as_the_engine_on_the_same_points(batch):
    (xs, ys), line = noisy_line(), Neuron(1, nonlin=False, seed=0)
    order = content_of(PAGES["race"]())["order"]
    optimizer = SGD(line.parameters(), lr=0.1)
    found = walked(PAGES["race"](), [batch] * 30, 0.1)
    for step, got in enumerate(found["path"]):
        assert got == pytest.approx([p.data for p in line.parameters()], rel=1e-12)
        chosen = [order[(step * batch + k) % len(order)] for k in range(batch)]
        optimizer.zero_grad()
        mse([line(xs[k]) for k in chosen], [ys[k] for k in chosen]).backward()
        optimizer.step()


def test_the_order_has_each_point_once_in_each_epoch():
    order = content_of(PAGES["race"]())["order"]
    epochs = [order[n : n + 50] for n in range(0, len(order), 50)]
    assert len(epochs) == EPOCHS == len(set(map(tuple, epochs)))
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)


def test_the_order_begins_again():
    data = noisy_line(3)
    found = walked(race_page(data), [1] * (3 * EPOCHS + 1), 0.1)
    assert all(found["taken"])


def test_a_step_to_what_is_not_finite_is_not_taken():
    made = fog_page(lambda x, y: x**4 + y**2, (-3, 3), (-3, 3), (3.0, 1.0))
    found = walked(made, [1] * 12, 1.0)
    assert found["taken"][0]
    assert not found["taken"][-1]
    assert len(found["path"]) == 1 + sum(found["taken"])
    assert found["path"][-1] == found["path"][sum(found["taken"])]


def test_rates_are_round_and_about_as_far_apart_everywhere():
    ratios = [b / a for a, b in pairwise(RATES)]
    assert {0.02, 0.1, 0.3, 0.4} < set(RATES)  # those of the notebook
    assert (RATES[0], RATES[-1]) == (0.001, 1.0)
    assert 1.2 < min(ratios) <= max(ratios) <= 1.5


# --- what is given and what is refused ------------------------------------------------------------


def test_the_notebooks_walk_on_the_same_mountain_and_points():
    names = {}
    exec(code_of(FOLDER / "03_fog.ipynb")[0].partition("chart.contours")[0], names)
    assert all(names["height"](x, y) == valley(x, y) for x, y in [(1.0, -0.7), (0.3, 2.0)])
    cell = next(cell for cell in code_of(FOLDER / "04_the_race.ipynb") if "cloud = " in cell)
    exec(cell.partition("def uphill")[0], names)
    assert names["cloud"] == noisy_line()


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda x, y: x * y if x > 0 else y * y, ValueError, "but it compares numbers:"),
        (lambda x, y: x * y.data, ValueError, r"but it looks at the .*test_walks"),
        (lambda x, y: 3.0, TypeError, "computes a Value from x and y, got 3.0"),
        (lambda x, y: x, TypeError, "computes a Value"),
    ],
)
def test_a_function_that_cannot_be_recorded_is_refused(function, kind, words):
    with pytest.raises(kind, match=words):
        fog_page(function)


def test_a_start_is_on_the_map():
    with pytest.raises(ValueError, match=r"expected a place on the map, got \(1.0, 2.0\)"):
        fog_page(start=(1.0, 2.0))


@pytest.mark.parametrize("start", [1.0, (1.0,), ("a", 2.0), (float("nan"), 0.0), (1, 2, 3)])
def test_a_start_is_two_numbers(start):
    with pytest.raises(ValueError, match="start expected two numbers, got"):
        fog_page(start=start)


@pytest.mark.parametrize(
    ("xs", "ys", "words"),
    [
        ([[1.0, 2.0]], [1.0], "rows of one number"),
        ([[1.0], [2.0]], [1.0], "rows of one number"),
        ([1.0, 2.0], [1.0, 2.0], "rows of one number"),
        ([], [], "2 to 500 points"),
        ([[1.0]], [1.0], "2 to 500 points"),
        ([[1.0], [1.0]], [1.0, 2.0], "not all with one x, got 2"),
        (*noisy_line(MOST_POINTS + 1), "got 501"),
        ([[1.0], [2.0]], [1.0, float("inf")], "y expected a finite number"),
    ],
)
def test_points_that_no_line_goes_through_are_refused(xs, ys, words):
    with pytest.raises(ValueError, match=words):
        race_page((xs, ys))


@pytest.mark.whole
@pytest.mark.usefixtures("own_folder")
def test_the_command_writes_the_pages(capsys):
    for name, make in PAGES.items():
        assert main(["page", name]) == 0
        assert capsys.readouterr().out == f"Open next: {name}.html\n"
        assert Path(f"{name}.html").read_text(encoding="utf-8") == make().html
    assert main(["page", "race", "--out", "fog.html"]) == 0
    assert capsys.readouterr().out == "Open next: fog.html, in place of a former one\n"
    assert main(["page", "fog", "--out", "fog.txt"]) == 2
    assert "expected a name ending in .html, got 'fog.txt'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["page", "hill"])
    assert end.value.code == 2
    assert "hill" in capsys.readouterr().err


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_stands_alone_and_is_the_same_each_time(name):
    html = PAGES[name]().html
    assert len(html.encode()) < 200_000
    assert set(re.findall(r"https?://[^\"' )]*", html)) == {"http://www.w3.org/2000/svg"}
    assert html == PAGES[name].__wrapped__().html
    assert "{{" not in html


def test_a_notebook_shows_the_page_in_a_frame():
    shown = PAGES["fog"]()._repr_html_()
    assert shown.startswith('<iframe title="Downhill in fog" sandbox="allow-scripts"')
    assert 'srcdoc="&lt;!doctype html&gt;' in shown


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page; no error and no request may come of it."""

    @contextmanager
    def opened(made, size=(1280, 720), **settings):
        wide, high = size
        page = browser.new_page(viewport={"width": wide, "height": high}, **settings)
        wrong, asked = [], []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        address = made.save(tmp_path / "page.html").as_uri()
        page.goto(address)
        yield page
        assert (wrong, asked) == ([], [address])
        page.close()

    return opened


def cells(page):
    return [
        [cell.inner_text() for cell in row.locator("th, td").all()]
        for row in page.locator("tbody tr").all()
    ]


def click_step(page, count):
    clicks = "(button, count) => { for (let n = 0; n < count; n++) button.click(); }"
    page.locator("#step").evaluate(clicks, count)


def test_keys_alone_walk_in_fog(show):
    with show(PAGES["fog"]()) as page:
        assert cells(page) == [["you", "0", "1", "-0.7", "1.77"]]
        said = "Next step:\nx = 1 - 0.1 * 1.3 = 0.87\ny = -0.7 - 0.1 * (-3.2) = -0.38"
        assert page.locator("#next").inner_text() == said
        reached = []
        for _ in range(5):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id"))
        assert reached == ["step", "play", "reset", "fog", "rate"]
        page.keyboard.press("ArrowRight")
        assert page.locator("#rate-said").inner_text() == "0.15"
        page.keyboard.press("ArrowLeft")
        for _ in range(4):
            page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
        x, y = 0.87 - 0.1 * (2 * 0.87 - 0.38), -0.38 - 0.1 * (6 * -0.38 + 0.87)
        assert cells(page) == [["you", "2", *map(short, (x, y, valley(x, y)))]]
        page.locator("#fog").focus()
        page.keyboard.press("Space")
        clip = page.evaluate("getComputedStyle(document.querySelector('#ground')).clipPath")
        assert clip == 'url("#near")'
        page.locator("#reset").focus()
        page.keyboard.press("Enter")
        assert cells(page)[0][1] == "0"


@pytest.mark.whole
def test_in_the_race_who_has_looked_at_fewer_points_steps(show):
    with show(PAGES["race"]()) as page:
        steps = []
        for _ in range(23):
            page.locator("#step").click()
            steps.append([row[1:3] for row in cells(page)])
        assert steps[0] == [["1", "50"], ["0", "0"]]
        assert steps[10] == [["1", "50"], ["10", "50"]]
        assert steps[11] == [["2", "100"], ["10", "50"]]
        assert steps[22] == [["3", "150"], ["20", "100"]]
        page.locator("#batch").fill("50")
        assert cells(page)[1][0] == "batch of 50"
        page.locator("#step").click()
        assert cells(page)[1][1:3] == ["21", "150"]


def test_a_batch_of_all_points_walks_as_all_points(show):
    with show(PAGES["race"]()) as page:
        page.locator("#batch").fill("50")
        for _ in range(12):
            page.locator("#step").click()
        all_points, batch = cells(page)
        assert all_points[1:] == batch[1:]
        assert all_points[1] == "6"


def test_play_goes_on_until_it_is_paused(show):
    with show(PAGES["race"]()) as page:
        page.locator("#play").click()
        page.locator("tbody tr:first-child td:nth-child(2):text-is('2')").wait_for()
        assert page.locator("#play").inner_text() == "Pause"
        page.locator("#play").click()
        rows = cells(page)
        page.wait_for_timeout(300)
        assert cells(page) == rows
        page.locator("#reset").click()
        assert [row[1] for row in cells(page)] == ["0", "0"]


def test_less_motion_is_ten_steps_at_once(show):
    with show(PAGES["fog"](), reduced_motion="reduce") as page:
        page.locator("#play").click()
        assert cells(page)[0][1] == "10"
        assert page.evaluate("document.getAnimations().length") == 0


def test_a_walk_ends_and_says_so(show):
    with show(PAGES["fog"](), reduced_motion="reduce") as page:
        click_step(page, 210)
        assert cells(page)[0][1] == "200"
        assert "Reset to walk again" in page.locator("#next").inner_text()
        assert page.locator("#step").is_disabled()
        page.locator("#reset").click()
        assert page.locator("#step").is_enabled()
    with show(fog_page(lambda x, y: x**4 + y**2, (-3, 3), (-3, 3), (3.0, 1.0))) as page:
        page.locator("#rate").fill("21")
        click_step(page, 12)
        assert "not finite" in page.locator("#next").inner_text()
        assert page.locator("#play").is_disabled()


# Where the walker is drawn, as shares of the map.
HERE = """() => {
  const [here, plane] = ['.plane .here', '.plane'].map(
    name => document.querySelector(name).getBoundingClientRect());
  return [(here.left + here.right) / 2 - plane.left, plane.bottom - (here.top + here.bottom) / 2,
    plane.width, plane.height];
}"""


def test_the_walker_stands_where_the_axes_say(show):
    with show(PAGES["fog"]()) as page:
        x, y, wide, high = page.evaluate(HERE)
        assert x / wide == pytest.approx((1.0 + 1.5) / 3.0, abs=0.005)
        assert y / high == pytest.approx((-0.7 + 1.2) / 2.4, abs=0.005)
        assert wide / high == pytest.approx(1.25, rel=0.01)  # equal units: right angles stay right


LETTERS = """() => Math.min(...[...document.querySelectorAll('body *')]
  .filter(e => e.getClientRects().length && [...e.childNodes].some(
    n => n.nodeType === 3 && n.textContent.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize)))"""


@pytest.mark.some(4)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_all_of_it_is_seen_in_large_letters(show, name, size):
    with show(PAGES[name](), size) as page:
        for rate, count in (("16", 40), ("17", 20)):
            page.locator("#rate").fill(rate)
            click_step(page, count)
        wide, high = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert wide <= size[0]
        assert high <= size[1] or size[0] == 400
        assert page.evaluate(LETTERS) >= 14
        for button in page.locator("button:visible, input[type=range]:visible").all():
            assert button.bounding_box()["height"] >= (44 if button.inner_text() else 24)


@pytest.mark.some(4)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [SIZES[0], SIZES[-1]])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(show, name, size, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason='no axe: pip install -e ".[browser]"'
    )
    with show(PAGES[name](), size, color_scheme=scheme) as page:
        for _ in range(3):
            page.locator("#step").click()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_finger_walks_on_a_phone(browser, tmp_path):
    made = PAGES["race"]()
    page = browser.new_page(viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True)
    page.goto(made.save(tmp_path / "race.html").as_uri())
    page.locator("#step").tap()
    page.locator("#step").tap()
    assert [row[1] for row in cells(page)] == ["1", "1"]
    page.close()


def test_without_scripts_it_says_what_is_missing(show):
    with show(PAGES["fog"](), java_script_enabled=False) as page:
        assert "allow scripts" in page.locator("noscript").inner_text()
        assert page.locator(".plane").is_visible()


def test_points_of_ones_own_race(show):
    rng = random.Random(3)
    xs = [[float(k)] for k in range(-3, 4)]
    with show(race_page((xs, [x * 5 + rng.random() for (x,) in xs]))) as page:
        assert "through 7 noisy points" in page.locator("header").inner_text()
        assert page.locator("#batch").get_attribute("max") == "7"
