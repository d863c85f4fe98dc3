"""The page in a real browser: every control, and its numbers against the steps' JSON."""

import re
from functools import partial

import pytest
from browsers import at, content, go
from hostile import HOSTILE

from engine.functions import dot
from engine.pictures.steps import mistake, steps
from engine.value import Value
from nn.data import iris, moons
from nn.loss import cross_entropy, mse
from nn.module import MLP, Module, Neuron
from nn.optim import SGD
from nn.watch import watch

ORDER = "wrong order"


def a_step(sizes=(3, 1), **options):
    net = MLP(2, list(sizes), "tanh", seed=1)
    return watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.05), **options)


def a_shared_number():
    w, x = Value(3.0, "w"), Value(2.0, "x")
    return steps((w * x - 1) ** 2 + w, {"w": w})


def a_chain(count):
    t = Value(2.0, "a")
    for _ in range(count):
        t = (t * 1.1).tanh()
    return steps(t)


def a_recurrent_net(count, constants=False):
    wh, wx, b = Value(0.5, "wh"), Value(0.8, "wx"), Value(0.1, "b")
    h = Value(0.0, "h0")
    for n in range(1, count + 1):
        x = 0.3 * n - 0.5
        h = (wh * h + wx * (x if constants else Value(x, f"x{n}")) + b).tanh()
    return steps((1.2 * h - 0.7) ** 2)


class Cell(Module):
    """A recurrent net of one's own: two states, each from both, at each of five moments."""

    def __init__(self):
        self.into = [Value(0.8), Value(-0.4)]
        self.across = [[Value(0.5), Value(0.2)], [Value(-0.3), Value(0.6)]]
        self.out = Neuron(2, nonlin=False, seed=1)

    def __call__(self, xs):
        h = [0.0, 0.0]
        for x in xs:
            h = [
                (dot(row, h) + w * x).tanh() for w, row in zip(self.into, self.across, strict=True)
            ]
        return self.out(h)


def a_net_of_ones_own():
    net = Cell()
    optim = SGD(net.parameters(), lr=0.05)
    return watch(net, mse, ([1.0, -0.5, 0.3, 0.2, 0.7], 0.5), optim)


def two_losses():
    w, v = Value(0.4, "w"), Value(-0.3, "v")
    part = (w * 2.0 + v).tanh()
    return steps((part - 1.0) ** 2 + (part * v + 0.5) ** 2, {"w": w, "v": v})


def many_terms():
    t = Value(0.0, "start")
    for n in range(12):
        t = t + Value(0.1 * n, f"w{n}") * (n + 1.5)
    return steps(t)


OWN = {
    "chain": lambda: a_chain(12),
    **{f"recurrent {n}": partial(a_recurrent_net, n) for n in range(1, 6)},
    "constants": lambda: a_recurrent_net(4, True),
    "module": a_net_of_ones_own,
    "two losses": two_losses,
    "terms": many_terms,
}


def a_run():
    net = MLP(2, [3, 1], "tanh", seed=1)
    return watch(net, mse, moons(20, seed=0), SGD(net.parameters(), lr=0.1), steps=8)


def a_live_step():
    net = MLP(2, [3, 1], "tanh", seed=1)
    return watch(net, mse, ([1.0, -2.0], 0.5), SGD(net.parameters(), lr=0.1))


def wrong_order():
    b = Value(3.0, "a") + 0.0
    c = b + b
    return mistake(c + c, ORDER)


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


NEWER = """() => {  // built in since 2021
  const gone = [
    [Array.prototype, "at findLast findLastIndex toReversed toSorted toSpliced with group"],
    [Uint8Array.prototype, "toBase64"],
    [Object.getPrototypeOf(Uint8Array.prototype), "at findLast findLastIndex toReversed with"],
    [String.prototype, "at replaceAll isWellFormed toWellFormed"],
    [Object, "hasOwn groupBy"],
    [Map, "groupBy"],
    [Promise, "any try withResolvers"],
    [Uint8Array, "fromBase64"],
    [Array, "fromAsync"],
    [Set.prototype, "union intersection difference isSubsetOf isSupersetOf isDisjointFrom"],
    [globalThis, "structuredClone DecompressionStream Iterator WeakRef reportError"],
    [Object.getPrototypeOf(Object.getPrototypeOf([].values())),
      "map filter take drop flatMap reduce toArray forEach some every find"],
    [Element.prototype, "ariaCurrent ariaLabel ariaPressed checkVisibility setHTMLUnsafe"],
  ];
  for (const [where, names] of gone) for (const name of names.split(" ")) delete where[name];
}"""


@pytest.mark.whole
def test_a_browser_of_2020_opens_a_page_and_goes_through_it(browser, tmp_path):
    context = browser.new_context(viewport={"width": 1200, "height": 720})
    for number, make in enumerate((a_run, wrong_order, a_live_step)):
        errors, page = [], context.new_page()
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.add_init_script(f"({NEWER})()")
        page.goto(make().save(tmp_path / f"{number}.html").as_uri())
        page.keyboard.press("Home")
        for choice in page.locator("#detail option").all() * 2:
            page.locator("#detail").select_option(choice.get_attribute("value"))
            for key in ["n", "p", "m", "ArrowRight", "End", "ArrowLeft"]:
                page.keyboard.press(key)
            steps = int(page.locator("#time").get_attribute("max"))
            assert page.locator("#count").inner_text() == f"Step {steps - 1} of {steps}"
            page.keyboard.press("Home")
        assert page.locator("#count").inner_text().startswith("Step 0 of ")
        if make is a_live_step:
            page.locator("#bench summary").click()
            page.locator("#bench [name=value]").fill("0.5")
            page.locator("#bench [name=take]").click()
            assert "1 step taken" in page.locator("#bench [name=said]").inner_text()
        assert errors == []
    context.close()


CARDS = """() => Object.fromEntries(
  [...document.querySelectorAll('.stage g.node[id^=n]')].map(g =>
    [g.id, ['data', 'grad'].map(k => g.querySelector('text.' + k)?.textContent)]))"""


def cards(page):
    """The numbers of all cards, as texts."""
    return page.evaluate(CARDS)


WALK = f"""() => {{
  const cards = {CARDS}, seen = [];
  const [next, time] = ['next', 'time'].map(id => document.getElementById(id));
  while (!next.disabled && seen.length <= Number(time.max)) {{ // a dead page never disables it
    next.click();
    const words = document.querySelector('.words');
    const current = [...document.querySelectorAll('#transcript [aria-current]')];
    seen.push({{
      cards: cards(),
      count: document.getElementById('count').textContent,
      brief: words.textContent,
      words: words.title,
      answer: document.querySelector('.result b')?.textContent,
      lines: current.map(line => Number(line.dataset.step)),
    }});
  }}
  return seen;
}}"""


def number(x):
    x = float(x)
    return f"{x:.4f}" if x == 0 or 1e-4 <= abs(x) < 1e5 else f"{x:.2e}"


@pytest.mark.some(4)
@pytest.mark.parametrize(
    "make", [a_step, a_shared_number, a_run, *(pytest.param(OWN[name], id=name) for name in OWN)]
)
def test_after_every_event_the_cards_have_the_numbers_of_the_json(show, make):
    page = show(make())
    known = content(page)
    nodes = {node["id"]: node for node in known["nodes"] if node["kind"] != "constant"}
    leaf = ("parameter", "input")
    data = {n: node["data"] if node["kind"] in leaf else None for n, node in nodes.items()}
    grad = dict.fromkeys(nodes)
    seen = page.evaluate(WALK)
    assert len(seen) == len(known["events"])
    for position, (event, shown) in enumerate(zip(known["events"], seen, strict=True), 1):
        match event["kind"]:
            case "forward" | "loss" | "forward again":
                data[event["node"]] = event["data"]
            case "seed":
                grad[event["node"]] = event["grad"]
            case "backward":
                grad[event["to"]] = event["new"]
            case "update":
                data[event["node"]] = event["after"]
        for n, node in nodes.items():
            assert shown["cards"][f"n{n}"][0] == ("" if data[n] is None else number(data[n]))
            if grad[n] is None and not node["zero"]:
                assert shown["cards"][f"n{n}"][1] == "not yet"
            elif grad[n]:
                assert shown["cards"][f"n{n}"][1] == number(grad[n])
        assert shown["count"] == f"Step {position} of {len(seen)}"
        assert shown["words"].partition("\n")[0] == shown["brief"] == event["text"]
        assert shown["lines"] == [position]
        key = {"forward": "data", "loss": "data", "backward": "contribution", "update": "after"}
        if event["kind"] in key:
            assert shown["answer"] == f"{event[key[event['kind']]]:.4g}"


@pytest.mark.some(10)
@pytest.mark.parametrize("name", OWN)
def test_every_level_shows_a_graph_of_ones_own_to_its_end(show, name):
    page = show(OWN[name]())
    select = page.locator("#detail")
    levels = select.locator("option").evaluate_all("all => all.map(one => one.value)")
    if not levels:
        assert page.locator(".stage .box").count() == 0
    for level in levels or [None]:
        if level is not None:
            select.select_option(level)
        go(page, 0)
        assert len(page.evaluate(WALK)) == len(content(page)["events"])


@pytest.mark.whole
def test_a_graph_too_long_to_draw_whole_is_told_to_its_end(show):
    page = show(a_chain(600))
    assert len(page.evaluate(WALK)) == len(content(page)["events"])


THERE_AND_BACK = """() => {
  const look = part => part.getAttribute('class')?.split(' ').sort().join(' ');
  const parts = [...document.querySelectorAll('.stage g, .stage text, .wires path')];
  const words = part => part.tagName === 'text' ? part.textContent : '';
  const seen = () => parts.map(p => [look(p), p.style.strokeWidth, words(p)]).join();
  const press = key =>
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  const last = Number(document.getElementById('time').max), there = [], back = [];
  for (let n = 0; n < last; n++) { there.push(seen()); press('ArrowRight'); }
  for (let n = 0; n < last; n++) { press('ArrowLeft'); back.unshift(seen()); }
  return [there, back];
}"""


@pytest.mark.some(3)
@pytest.mark.parametrize("make", [a_step, a_shared_number, wrong_order])
def test_back_is_as_it_was_before(show, make):
    page = show(make())
    page.keyboard.press("Home")  # a mistake opens at the first number that differs
    there, back = page.evaluate(THERE_AND_BACK)
    assert len(there) > 5
    assert len(set(there)) > len(there) / 2
    assert back == there


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
    page.locator("#transcript li[data-step='2'][aria-current]").wait_for()
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
        assert count.inner_text() == f"Step {position} of {last}"
    assert page.evaluate("[heard.length, scrollY]") == [0, 0]
    page.close()


@pytest.mark.some(2)
@pytest.mark.parametrize(("off", "verdict"), [(0.0, "Right"), (1.0, "Off by 1:")])
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


VISIBLE = """() => {
  const future = e => e.closest('li.future, .result, .spoiler'); // for screen readers alone
  const clipped = e => e && getComputedStyle(e).clipPath === 'inset(50%)';
  const texts = [...document.querySelectorAll('body *')].filter(e =>
    ![...e.children].length && e.checkVisibility({ visibilityProperty: true })
    && !e.closest('title, script, template') && !clipped(future(e)));
  const named = [...document.querySelectorAll('body [title], body [aria-label]')];
  return texts.map(e => e.textContent).join(' | ') + ' | '
    + named.map(e => `${e.title} ${e.getAttribute('aria-label')}`).join(' | ') + ' | '
    + [...document.querySelectorAll('.stage title')].map(e => e.textContent).join(' | ');
}"""


@pytest.mark.whole
@pytest.mark.parametrize("detail", ["all", "0"])
def test_no_answer_stands_anywhere_while_it_is_asked_for(show, detail):
    page = show(a_step())
    page.locator("#detail").select_option(detail)
    page.locator("#predict").click()
    asked = 0
    for event in content(page)["events"]:
        page.locator("#next").click()
        if not page.locator(".guess").is_visible():
            continue
        asked += 1
        answer = event.get("contribution", event.get("after", event.get("data")))
        same = {number(answer), f"{answer:.4g}"}
        known = re.findall(r"-?\d[\d.e+-]*", page.locator(".words").inner_text())
        others = re.findall(r"(?<![\w.])-?\d[\d.e+-]*", page.evaluate(VISIBLE))
        if len(f"{answer:.4g}") > 4 and not same & set(known) and event["kind"] == "forward":
            assert not same & set(others), event["text"]
        page.locator("#next").click()
    assert asked > 30


def test_the_loss_is_asked_for_once(show):
    page = show(a_shared_number())
    page.locator("#predict").click()
    events = content(page)["events"]
    position = [event["kind"] for event in events].index("loss")
    go(page, position)
    page.locator("#next").click()
    assert at(page) == position + 1
    assert not page.locator(".guess").is_visible()


@pytest.mark.some(3)
@pytest.mark.parametrize("typed", ["abc", "1.2.3", ""])
def test_what_is_no_number_is_not_compared(show, typed):
    page = show(a_shared_number())
    page.locator("#predict").click()
    page.locator("#next").click()
    page.locator(".guess input").fill(typed)
    page.keyboard.press("Enter")
    assert page.locator(".verdict").inner_text() == f'Expected a number, got "{typed}".'
    assert page.locator(".words").inner_text().endswith("= ?")
    assert page.locator(".guess").is_visible()


def test_keys_in_the_box_step_unless_they_edit_its_text(show):
    page = show(a_shared_number())
    page.locator("#predict").click()
    page.keyboard.press("ArrowRight")
    assert at(page) == 1
    page.keyboard.type("6")
    page.keyboard.press("ArrowLeft")  # moves in the text
    assert page.locator(".guess").is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # compares
    assert page.locator(".verdict").inner_text().startswith("Right")
    page.keyboard.press("ArrowRight")
    assert at(page) == 2
    page.keyboard.press("ArrowLeft")
    assert at(page) == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "next"
    assert page.locator(".guess").is_visible()


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
    assert shown
    assert set(shown) <= set(shares)
    closed = page.locator(".box.closed:not(.hidden)").first
    before = page.locator(".box.closed").count()
    closed.press("Enter")
    assert page.locator(".box.closed").count() == before - 1
    page.locator("#detail").select_option("all")
    assert page.locator(".box.closed").count() == 0


def test_blame_says_so_far_until_all_of_it_has_arrived(show):
    page = show(a_step())
    page.locator("#blame").click()
    events = content(page)["events"]
    last = max(n for n, event in enumerate(events, 1) if event["kind"] == "backward")
    for position, ends in ((last - 1, "so far"), (last, "of the blame")):
        go(page, position)
        texts = page.locator(".summary-of-box .share").all_text_contents()
        told = [text for text in texts if "%" in text]
        assert told
        assert all(text.endswith(ends) for text in told)


def test_both_runs_of_a_mistake_show_the_first_number_that_differs(show):
    page = show(wrong_order())
    first = content(page)["mistake"]["first_difference"]
    opened = page.locator(".verdict").all_inner_texts()
    page.keyboard.press("Home")
    assert page.locator(".verdict:visible").count() == 0
    page.locator("#difference").click()
    assert page.locator(".verdict").all_inner_texts() == opened  # it opened there
    assert opened == [
        f"Expected: add2.grad = {first['right']:.4g}",
        f"First difference: add2.grad = {first['wrong']:.4g}",
    ]
    own = content(page)["mistake"]
    words = page.locator(".words").all_inner_texts()
    assert words[0] == own["right"]["events"][first["right_event"]]["text"]
    assert words[1] == own["wrong"]["events"][first["event"]]["text"]
    line = page.locator("#transcript [aria-current]")
    assert int(line.get_attribute("data-step")) == first["right_event"] + 1
    assert words[0] in line.inner_text()
    assert words[1] in line.inner_text()
    assert page.locator(".pane > h2").all_inner_texts() == [
        f"Right, step {first['right_event'] + 1}",
        f"Wrong, step {first['event'] + 1}",
    ]


@pytest.mark.some(6)
@pytest.mark.parametrize("name", [ORDER, "= instead of +=", "forgotten zero_grad"])
@pytest.mark.parametrize("width", [1280, 1600])
def test_both_results_of_a_mistake_are_in_view(show, name, width):
    page = show(a_step(mistake=name), viewport={"width": width, "height": 800})
    page.locator("#difference").click()
    for caption in page.locator(".caption").all():
        window = caption.bounding_box()
        for part in caption.locator(".verdict, .words").all():
            assert part.evaluate("part => part.scrollHeight <= part.clientHeight")
            box = part.bounding_box()
            assert box["y"] + box["height"] <= window["y"] + window["height"] + 1


SLOPES = """() => Object.fromEntries([...document.querySelectorAll('.edge .partial')].map(slope =>
  [slope.parentElement.id, slope.textContent]))"""


@pytest.mark.whole
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
        assert page.locator(".words").get_attribute("title") == str(own[-1])
        shown = cards(page)
        for node in own.nodes:
            if node["grad"]:
                assert shown[f"n{node['id']}"][1] == number(node["grad"])
            if node["kind"] == "constant":
                assert page.locator(f"#n{node['id']} text").text_content() == node["label"]
        slopes = page.evaluate(SLOPES)
        assert slopes == {
            f"e{edge['id']}": f"{edge['partial']:.4g}"
            for edge in own.edges
            if edge["partial"] is not None
        }
        assert page.locator(".dot.drawn").count() == 1


def test_a_large_net_opens_in_summaries(show):
    page = show(a_step((30, 30, 1)))
    assert page.locator(".box.closed, .summary.closed").count() > 0
    page.locator("#last").click()
    assert "blame" in "".join(page.locator(".share").all_text_contents())


@pytest.mark.some(6)
@pytest.mark.parametrize(
    "label", [*HOSTILE[:-1], "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>"]
)
def test_hostile_labels_are_text_and_nothing_runs(show, label):
    page = show(steps(Value(3.0, label) * 2.0))
    page.locator("#next").click()
    page.locator("#last").click()
    assert page.locator("img").count() == 0
    assert page.locator(".words").count() == 1


@pytest.mark.some(3)
@pytest.mark.parametrize(("width", "theme"), [(380, "light"), (1600, "dark")])
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


@pytest.mark.some(3)
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


def test_print_has_both_pictures_of_a_mistake_one_below_the_other(show):
    page = show(wrong_order(), viewport={"width": 750, "height": 1000}, color_scheme="dark")
    page.emulate_media(media="print")
    right, wrong = (stage.bounding_box() for stage in page.locator(".stage").all())
    assert right["y"] + right["height"] <= wrong["y"]
    assert min(right["width"], wrong["width"]) > 600
    assert not page.locator(".caption:visible").count()
    white = "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == white


def test_print_has_the_loss_curve_of_a_run(show):
    page = show(a_run(), viewport={"width": 750, "height": 1000})
    page.emulate_media(media="print")
    assert page.locator("#run figure svg").first.is_visible()
    assert not page.locator("#run input").is_visible()


def view(page):
    """The part of the picture that is in view: x, y, width and height."""
    return [float(n) for n in page.locator(".stage > svg").get_attribute("viewBox").split()]


def scale(page):
    """Pixels to a unit of the picture."""
    box = page.locator(".stage > svg").bounding_box()
    _, _, width, height = view(page)
    return min(box["width"] / width, box["height"] / height)


def spot(page, x, y):
    """Where a pixel of the stage lies in the picture."""
    box = page.locator(".stage > svg").bounding_box()
    left, top, width, height = view(page)
    away = (x - box["x"] - box["width"] / 2, y - box["y"] - box["height"] / 2)
    return left + width / 2 + away[0] / scale(page), top + height / 2 + away[1] / scale(page)


def test_a_drag_moves_the_picture_with_the_mouse_and_opens_no_box(show):
    page = show(a_step())
    page.locator("#detail").select_option("1")
    card = page.locator(".box.closed:not(.hidden) .card").first.bounding_box()
    x, y = card["x"] + card["width"] / 2, card["y"] + card["height"] / 2
    closed = page.locator(".box.closed").count()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y)
    before = spot(page, x + 8, y)
    page.mouse.move(x + 90, y - 40, steps=3)
    assert spot(page, x + 90, y - 40) == pytest.approx(before, abs=0.1)
    page.mouse.up()
    assert page.locator(".box.closed").count() == closed
    page.mouse.click(x + 90, y - 40)
    assert page.locator(".box.closed").count() == closed - 1


@pytest.mark.some(2)
@pytest.mark.parametrize(("turn", "closer"), [(-300, True), (300, False)])
def test_the_wheel_zooms_around_the_pointer(show, turn, closer):
    page = show(a_step(), viewport={"width": 900, "height": 800})
    page.get_by_role("button", name="Zoom in").click()
    page.mouse.move(300, 450)
    before, size, width = spot(page, 300, 450), scale(page), view(page)[2]
    page.mouse.wheel(0, turn)
    other = "old => document.querySelector('.stage > svg').viewBox.baseVal.width != old"
    page.wait_for_function(other, arg=width)
    assert (scale(page) > size) == closer
    assert spot(page, 300, 450) == pytest.approx(before, abs=0.1)


def test_keys_zoom_fit_and_play(show):
    page = show(a_shared_number())
    whole = view(page)
    page.keyboard.press("+")
    assert view(page)[2] < whole[2]
    page.keyboard.press("-")
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert view(page) == whole
    page.keyboard.press("Space")
    page.locator("#transcript li[data-step='1'][aria-current]").wait_for()
    page.keyboard.press("Space")
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_n_and_p_go_from_layer_to_layer(show):
    page = show(a_step())
    known = content(page)
    groups = [node["group"][:1] for node in known["nodes"]]

    def scene(event):
        kind = {"seed": "backward", "leftover": "backward"}.get(event["kind"], event["kind"])
        place = event.get("to", event.get("node"))
        return kind, groups[place] if place is not None else None

    scenes = [None, *map(scene, known["events"])]
    starts = [n for n in range(1, len(scenes)) if scenes[n] != scenes[n - 1]]
    met = []
    for _ in starts:
        page.keyboard.press("n")
        met.append(at(page))
    assert met == starts
    assert len(starts) > 10
    page.keyboard.press("Shift+P")
    assert at(page) == starts[-1] - 1
    for _ in starts:
        page.keyboard.press("p")
    assert at(page) == 0


@pytest.mark.some(3)
@pytest.mark.parametrize("step", [0, 3, 7])
def test_a_click_on_the_loss_curve_opens_that_step(show, step):
    page = show(a_run())
    box = page.locator("#run figure svg").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (68 + step / 7 * 222) / 300, box["y"] + 20)
    assert page.locator("#run input").input_value() == str(step)
    assert page.locator("#run output").inner_text().startswith(f"{step + 1} of 8, loss ")


@pytest.mark.some(2)
@pytest.mark.parametrize("width", [380, 1600])
def test_the_loss_curve_has_numbers_that_can_be_read(show, width):
    run = a_run()
    page = show(run, viewport={"width": width, "height": 800})
    chart = page.locator("#run figure").first
    texts = chart.locator("text.axis")
    ends = [f"{loss:.4g}" for loss in (min(run.losses), max(run.losses))]
    assert texts.all_text_contents() == [*ends, "step 1", "step 8"]
    assert {text.bounding_box()["height"] >= 11 for text in texts.all()} == {True}
    words = f"first {run.losses[0]:.4g}, last {run.losses[-1]:.4g}"
    assert words in chart.locator("figcaption").inner_text()


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("data", "loss", "outputs", "key"),
    [
        (moons(20, seed=0), mse, 1, "blue dots -1, green rings 1"),
        (
            iris().pick(range(0, 150, 10)),
            cross_entropy,
            3,
            "blue dots setosa, green rings versicolor, red dots virginica",
        ),
    ],
)
def test_a_run_says_which_sign_a_class_has(show, data, loss, outputs, key):
    xs, ys = (data.xs, data.ys) if outputs > 1 else data
    net = MLP(len(xs[0]), [2, outputs], seed=1)
    page = show(watch(net, loss, data, SGD(net.parameters(), lr=0.1), steps=2))
    words = page.locator("#run figcaption").last.inner_text()
    assert words == f"Data: {key}, and the point drawn"
    kinds = page.evaluate("[...document.querySelectorAll('.dot')].map(d => d.classList[1])")
    assert kinds == [f"kind-{sorted(set(ys)).index(y)}" for y in ys]


def test_closed_neurons_tell_the_classes(show):
    net = MLP(4, [3, 3], "tanh", seed=1)
    page = show(watch(net, cross_entropy, iris().pick([70]), SGD(net.parameters(), lr=0.1)))
    page.locator("#detail").select_option("1")
    page.locator("#last").click()
    texts = page.locator(".closed:not(.hidden) .out").all_text_contents()
    names = [text.split()[0] for text in texts]
    assert sorted(names) == ["data"] * 3 + ["setosa", "versicolor", "virginica"]


@pytest.mark.some(2)
@pytest.mark.parametrize("width", [380, 1600])
def test_the_legend_opens_and_can_be_read_to_its_end(show, width):
    page = show(a_shared_number(), viewport={"width": width, "height": 800})
    page.locator("#legend summary").click()
    for line in page.locator("#legend li, #legend p").all():
        line.scroll_into_view_if_needed()
        assert line.is_visible()
        assert line.inner_text().strip()


def test_a_gradient_of_zero_has_four_looks(show):
    w, dead, alone = Value(2.0, "w"), Value(-3.0, "dead"), Value(5.0, "alone")
    names = {"w": w, "dead": dead, "alone": alone}
    page = show(steps((dead * 2.0).relu() + (w * 3.0 - 1.0) ** 2, names))
    known = {node["label"]: f"#n{node['id']}" for node in content(page)["nodes"]}
    looks = "g => getComputedStyle(g.querySelector('rect')).strokeDasharray"
    go(page, 4)
    found = {page.locator(known["w"]).evaluate(looks)}
    page.locator("#last").click()
    found |= {page.locator(known[name]).evaluate(looks) for name in ("w", "dead", "alone")}
    assert len(found) == 4
    words = [page.locator(f"{known[name]} .grad").text_content() for name in ("dead", "alone")]
    assert words == ["0 dead", "0 no path"]
    assert page.locator(f"{known['2']} rect").count() == 0


IN_VIEW = """async () => {
  let frames = 0;
  for (let n = 0; frames < 3 && n < 12; n++) {
    await new Promise(requestAnimationFrame);
    const [room, line] = ['.lines', '#transcript [aria-current=step]'].map(
      path => document.querySelector(path).getBoundingClientRect());
    const bottom = line.top + Math.min(line.height, room.height);
    frames = room.top - 1 <= line.top && bottom <= room.bottom + 1 ? frames + 1 : 0;
  }
  return frames === 3;
}"""


def line_in_view(page):
    """Whether the current line comes to lie in the transcript's window, and stays there."""
    return page.evaluate(IN_VIEW)


@pytest.mark.some(9)
@pytest.mark.parametrize("width", [380, 900, 1440])
@pytest.mark.parametrize("make", [a_run, lambda: a_step((8, 8, 1)), lambda: a_step(mistake=ORDER)])
def test_a_jump_brings_the_line_of_the_transcript_into_view(show, make, width):
    page = show(make(), viewport={"width": width, "height": 800})
    for control in ("last", "first", "last"):
        page.locator(f"#{control}").click()
    scrolled = page.evaluate("scrollY")
    assert line_in_view(page)
    jumps = page.locator(".phases button, #difference:visible").all()
    for jump in jumps:
        jump.evaluate("button => button.click()")
        assert line_in_view(page)
    last = int(page.locator("#time").get_attribute("max"))
    for position in range(1, last, 37):
        go(page, position)
        assert line_in_view(page)
    assert page.evaluate("scrollY") == scrolled


def test_long_sums_are_whole_in_the_transcript_and_cut_in_the_caption(show):
    page = show(a_step((8, 1)))
    event = next(event for event in content(page)["events"] if " * tanh8 =" in event["text"])
    assert "terms)" not in event["text"]
    position = content(page)["events"].index(event) + 1
    go(page, position)
    line = page.locator("#transcript [aria-current] > span:not(.place)")
    assert "".join(line.all_inner_texts()).replace("\n", " ") == event["text"]
    assert "... (9 terms)" in page.locator(".words").inner_text()


def test_after_the_update_gradients_are_said_to_be_old(show):
    page = show(a_step())
    kinds = [event["kind"] for event in content(page)["events"]]
    note = page.get_by_text("before the update")
    for position in (0, kinds.index("update"), kinds.index("update") + 1, len(kinds)):
        go(page, position)
        assert note.is_visible() == (position > kinds.index("update"))


@pytest.mark.some(2)
@pytest.mark.parametrize("width", [380, 900])
def test_both_pictures_of_a_mistake_can_be_zoomed(show, width):
    page = show(wrong_order(), viewport={"width": width, "height": 800})
    for n in range(2):
        box = page.locator(".stage > svg").nth(n)
        before = box.get_attribute("viewBox")
        page.get_by_role("button", name="Zoom in").nth(n).click()
        assert box.get_attribute("viewBox") != before


def test_nothing_moves_when_a_step_is_told_in_more_words(show):
    page = show(a_step((8, 8, 1)))
    stage = page.locator(".stage").bounding_box()
    for position in (2, 20, 60, 200):
        go(page, position)
        assert page.locator(".stage").bounding_box() == stage


@pytest.mark.some(5)
@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -2.5, 0.00012345, 123456.0, 1e-5, 2.00005, 0.5e300])
def test_numbers_are_written_as_python_writes_them(show, x):
    page = show(steps(Value(1.0, "a") * 2.0))
    assert page.evaluate("x => [number(x), short(x)]", x) == [number(x), f"{x:.4g}"]
