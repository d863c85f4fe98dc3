"""The page in a real browser: every control, and its numbers against the steps' JSON."""

import json

import pytest
from browsers import chromium
from hostile import HOSTILE

from engine.steps import mistake, steps
from engine.value import Value
from nn.data import moons
from nn.loss import mse
from nn.module import MLP
from nn.optim import SGD
from nn.watch import watch


def a_step(sizes=(3, 1), **options):
    net = MLP(2, list(sizes), "tanh", seed=1)
    return watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.05), **options)


def a_shared_number():
    w, x = Value(3.0, "w"), Value(2.0, "x")
    return steps((w * x - 1) ** 2 + w, {"w": w})


def a_run():
    net = MLP(2, [3, 1], "tanh", seed=1)
    return watch(net, mse, moons(20, seed=0), SGD(net.parameters(), lr=0.1), steps=8)


def wrong_order():
    b = Value(3.0, "a") + 0.0
    c = b + b
    return mistake(c + c, "wrong order")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def show(browser, tmp_path):
    """Opens what was recorded; afterwards: no error, no request but for the file."""
    errors, requests, contexts = [], [], []

    def opened(watchable, **options):
        options.setdefault("viewport", {"width": 1600, "height": 900})
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        path = watchable.save(tmp_path / "step.html")
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    assert all(url.startswith("file:") for url in requests)
    assert len(requests) == len(contexts)


def content(page):
    return json.loads(page.locator("#steps").text_content())


def go(page, position):
    page.evaluate(
        "n => { const time = document.getElementById('time');"
        " time.value = n; time.dispatchEvent(new Event('input')); }",
        position,
    )


def at(page):
    return int(page.locator("#count").inner_text().split()[0])


def cards(page):
    """The numbers of all cards, as texts."""
    return page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.stage g.node[id^=n]')].map(g =>"
        " [g.id, ['data', 'grad'].map(k => g.querySelector('text.' + k)?.textContent)]))"
    )


def number(x):
    x = float(x)
    return f"{x:.4f}" if x == 0 or 1e-4 <= abs(x) < 1e5 else f"{x:.2e}"


@pytest.mark.parametrize("make", [a_step, a_shared_number, a_run])
def test_after_every_event_the_cards_have_the_numbers_of_the_json(show, make):
    page = show(make())
    known = content(page)
    nodes = {node["id"]: node for node in known["nodes"] if node["kind"] != "constant"}
    leaf = ("parameter", "input")
    data = {n: node["data"] if node["kind"] in leaf else None for n, node in nodes.items()}
    grad = dict.fromkeys(nodes)
    for position, event in enumerate(known["events"], 1):
        match event["kind"]:
            case "forward" | "loss" | "forward again":
                data[event["node"]] = event["data"]
            case "seed":
                grad[event["node"]] = event["grad"]
            case "backward":
                grad[event["to"]] = event["new"]
            case "update":
                data[event["node"]] = event["after"]
        page.locator("#next").click()
        assert at(page) == position
        shown = cards(page)
        for n, node in nodes.items():
            assert shown[f"n{n}"][0] == ("" if data[n] is None else number(data[n]))
            if grad[n] is None and not node["zero"]:
                assert shown[f"n{n}"][1] == "not yet"
            elif grad[n]:
                assert shown[f"n{n}"][1] == number(grad[n])
        assert page.locator(".words").inner_text() == event["text"]
        assert page.locator("#transcript [aria-current]").count() == 1
    assert page.locator("#next").is_disabled()


def test_buttons_slider_phases_and_transcript_move_in_time(show):
    page = show(a_step())
    last = len(content(page)["events"])
    for control, position in [("next", 1), ("next", 2), ("back", 1), ("last", last), ("first", 0)]:
        page.locator(f"#{control}").click()
        assert at(page) == position
    page.locator("#time").focus()
    page.keyboard.press("ArrowRight")
    assert at(page) == 1
    page.get_by_role("button", name="Update").click()
    assert page.locator(".phase strong").inner_text() == "Update"
    page.locator("#transcript li").nth(4).click()
    assert at(page) == 5
    page.locator("#last").click()
    page.locator("#play").click()
    page.locator("#transcript li:nth-child(2)[aria-current]").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()


def test_keys_step_and_stay_inside_the_frame(browser):
    page = browser.new_page()
    page.set_content("<div style='height:3000px'><iframe sandbox='allow-scripts'></iframe></div>")
    page.evaluate(
        "() => { window.heard = []; addEventListener('keydown', e => heard.push(e.key)); }"
    )
    page.evaluate("html => document.querySelector('iframe').srcdoc = html", a_step().html)
    frame = page.frame_locator("iframe")
    frame.locator("#next").click()
    count = frame.locator("#count")
    last = int(count.inner_text().split()[-1])
    keys = {"ArrowRight": 2, "ArrowLeft": 1, "End": last, "Home": 0}
    for key, position in keys.items():
        page.keyboard.press(key)
        assert count.inner_text() == f"{position} of {last}"
    assert page.evaluate("[heard.length, scrollY]") == [0, 0]
    page.close()


@pytest.mark.parametrize(("off", "verdict"), [(0.0, "Right"), (1.0, "Off by 1.0000")])
def test_predict_first_hides_the_number_and_judges(show, off, verdict):
    page = show(a_shared_number())
    page.locator("#predict").click()
    page.locator("#next").click()
    assert page.locator(".words").inner_text().endswith("= ?")
    event = content(page)["events"][0]
    assert cards(page)[f"n{event['node']}"][0] == "?"
    page.locator(".guess input").fill(str(event["data"] + off))
    page.keyboard.press("Enter")
    assert page.locator(".verdict").inner_text().startswith(verdict)
    assert cards(page)[f"n{event['node']}"][0] == number(event["data"])


def test_blame_closes_boxes_and_their_shares_are_those_of_the_json(show):
    page = show(a_step())
    page.locator("#last").click()
    page.locator("#blame").click()
    known = content(page)
    sizes = {}
    for node in known["nodes"]:
        if node["kind"] == "parameter":
            for box in {node["group"][0], tuple(node["group"])}:
                sizes[box] = sizes.get(box, 0.0) + abs(node["grad"])
    total = sum(size for box, size in sizes.items() if isinstance(box, str))
    shares = [f"{100 * size / total:.1f} % of the blame" for size in sizes.values()]
    shown = page.locator(".summary-of-box .share").all_text_contents()
    assert set(shown) <= set(shares)
    closed = page.locator(".box.closed:not(.hidden)").first
    before = page.locator(".box.closed").count()
    closed.press("Enter")
    assert page.locator(".box.closed").count() == before - 1
    page.locator("#detail").select_option("all")
    assert page.locator(".box.closed").count() == 0


def test_both_runs_of_a_mistake_show_the_first_number_that_differs(show):
    page = show(wrong_order())
    first = content(page)["mistake"]["first_difference"]
    page.locator("#difference").click()
    right, wrong = page.locator(".verdict").all_inner_texts()
    assert right.endswith(number(first["right"]))
    assert wrong.endswith(number(first["wrong"]))
    own = content(page)["mistake"]
    words = page.locator(".words").all_inner_texts()
    assert words[0] == own["right"]["events"][first["right_event"]]["text"]
    assert words[1] == own["wrong"]["events"][first["event"]]["text"]


def test_every_step_of_a_run_can_be_opened(show):
    run = a_run()
    page = show(run)
    for n, own in enumerate(run):
        page.evaluate(
            "n => { const slider = document.querySelector('#run input');"
            " slider.value = n; slider.dispatchEvent(new Event('input')); }",
            n,
        )
        go(page, len(own))
        assert page.locator(".words").inner_text() == own[-1]["text"]
        for node in own.nodes:
            if node["grad"]:
                assert cards(page)[f"n{node['id']}"][1] == number(node["grad"])
        assert page.locator(".dot.drawn").count() == 1


def test_a_large_net_opens_in_summaries(show):
    page = show(a_step((30, 30, 1)))
    assert page.locator(".box.closed, .summary.closed").count() > 0
    page.locator("#last").click()
    assert "blame" in "".join(page.locator(".share").all_text_contents())


@pytest.mark.parametrize(
    "label", [*HOSTILE[:-1], "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>"]
)
def test_hostile_labels_are_text_and_nothing_runs(show, label):
    page = show(steps(Value(3.0, label) * 2.0))
    page.locator("#next").click()
    page.locator("#last").click()
    assert page.locator("img").count() == 0
    assert page.locator(".words").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1600])
@pytest.mark.parametrize("make", [a_step, a_run, wrong_order])
def test_axe_finds_nothing(show, make, width, theme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason='no axe: pip install -e ".[browser]"'
    )
    size = {"width": width, "height": 900}
    page = show(make(), viewport=size, color_scheme=theme, reduced_motion="reduce")
    for position in (0, 6):
        go(page, position)
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [380, 900, 1600])
def test_nothing_is_wider_than_the_window(show, width):
    page = show(a_step(), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_less_motion_when_asked_for(show):
    page = show(a_shared_number(), reduced_motion="reduce")
    go(page, 6)
    running = page.evaluate("document.getAnimations().length")
    assert running == 0


def test_theme_and_zoom(show):
    page = show(a_shared_number())
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    box = page.locator(".stage > svg")
    whole = box.get_attribute("viewBox")
    page.get_by_role("button", name="Zoom in").click()
    assert box.get_attribute("viewBox") != whole
    page.get_by_role("button", name="Fit").click()
    assert [float(n) for n in box.get_attribute("viewBox").split()] == [
        float(n) for n in whole.split()
    ]


def test_print_has_the_transcript_and_no_controls(show):
    page = show(a_shared_number())
    page.emulate_media(media="print")
    assert page.locator("#transcript").is_visible()
    assert not page.locator("#next").is_visible()
