"""No arrow of a picture passes through a card or a label, and nothing lies on another card.

The whole picture is judged as it is written; one with closed boxes as a browser shows it.
"""

import random
import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from browsers import chromium

import engine
from engine.pictures.draw import draw
from engine.pictures.steps import steps
from engine.value import Value
from nn.loss import cross_entropy, mse
from nn.module import MLP, Neuron

NETS = 50


def random_net(seed):
    """A loss and the parameters' names: an MLP, with shortcuts, constants and cells around it."""
    draw = random.Random(seed)
    width, sizes = draw.randint(1, 4), [draw.randint(1, 4) for _ in range(draw.randint(1, 3))]
    net = MLP(width, sizes, draw.choice(["tanh", "relu", "sigmoid"]), seed=seed)
    inputs = [Value(draw.uniform(-1, 1), f"x{n}") for n in range(width)]
    found = net(inputs)
    outputs = found if isinstance(found, list) else [found]
    named = [(f"net.{name}", p) for name, p in net.named_parameters()]
    if seed % 2:  # arrows over many columns, and constants
        extra = Neuron(width, seed=seed)
        named += [(f"extra.{name}", p) for name, p in extra.named_parameters()]
        shortcut = extra(inputs) * 0.5 + 1.5
        outputs = [output * shortcut - inputs[0] / 3.0 for output in outputs]
    if seed % 3 == 0:  # a neuron that is taken twice
        again = Neuron(len(outputs), nonlin=False, seed=seed)
        named += [(f"again.{name}", p) for name, p in again.named_parameters()]
        outputs = [again(outputs), again([2.0 * output for output in outputs])]
    if len(outputs) > 1 and seed % 2 == 0:
        return cross_entropy(outputs, 1), named
    return engine.sum([mse(output, 0.5) for output in outputs]), named


# --- shapes -------------------------------------------------------------------------------------


def points_of(path):
    """Points along a path of M, L and C, close to each other."""
    found = []
    for letter, numbers in re.findall(r"([MLC])([^MLC]*)", path):
        xs = [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", numbers)]
        ends = list(zip(xs[::2], xs[1::2], strict=True))
        if letter == "M":
            found += ends
            continue
        corners = [found[-1], *ends]
        for n in range(1, 41):
            t = n / 40
            row = corners
            while len(row) > 1:
                row = [(a + t * (c - a), b + t * (d - b)) for (a, b), (c, d) in pairwise(row)]
            found += row
    return found


def inside(area, points, slack=0.5):
    x, y, width, height = area
    return any(
        x + slack < u < x + width - slack and y + slack < v < y + height - slack for u, v in points
    )


def overlap(a, b, slack=0.1):
    return all(a[k] + a[k + 2] > b[k] + slack and b[k] + b[k + 2] > a[k] + slack for k in (0, 1))


NAME = "{http://www.w3.org/2000/svg}"


def size_of_text(text):
    """Where a text stands: digits of Helvetica are 0.56 of its size wide."""
    size = float(text.get("font-size", 10))
    wide = 0.56 * size * len(text.text)
    x, y = float(text.get("x")), float(text.get("y"))
    left = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.get("text-anchor", "start")]
    return left, y - 0.7 * size, wide, 0.7 * size


@pytest.mark.some(40)
@pytest.mark.parametrize("seed", range(NETS))
def test_no_arrow_of_the_whole_picture_meets_a_card_or_the_label_of_another(seed):
    loss, named = random_net(seed)
    loss.backward()
    root = ElementTree.fromstring(draw(loss, named, max_nodes=1000).svg)
    cards, labels, wires = {}, {}, {}
    for group in root.iter(f"{NAME}g"):
        kind, place = group.get("class", ""), group.get("id", "")
        if kind == "edge":
            wires[place] = points_of(group.find(f"{NAME}path").get("d"))
            for text in group.iter(f"{NAME}text"):
                labels[place] = size_of_text(text)
        elif kind.startswith("node"):
            rect = group.find(f"{NAME}rect")
            cards[place] = (
                size_of_text(group.find(f"{NAME}text"))
                if rect is None
                else tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
            )
    assert len(wires) > 5
    for place, points in wires.items():
        for other, area in (*cards.items(), *labels.items()):
            assert other == place or not inside(area, points), (place, other)
    for (one, a), (other, b) in combinations((*cards.items(), *labels.items()), 2):
        assert not overlap(a, b), (one, other)


# --- with closed boxes --------------------------------------------------------------------------

SHAPES = """() => {
  const hidden = part => getComputedStyle(part).display === 'none';
  const seen = part => !part || (!hidden(part) && seen(part.parentElement));
  const at = part => {
    const { e, f } = part.ownerSVGElement.getCTM().inverse().multiply(part.getCTM());
    const { x, y, width, height } = part.getBBox();
    return [x + e, y + f, width, height];
  };
  const all = path => [...document.querySelectorAll(path)].filter(seen);
  const name = part => part.closest('g[id]').id + part.textContent;
  return {
    cards: [
      ...all('.stage .node > rect:first-of-type, .stage .closed > g > .card')
        .map(card => [name(card), at(card)]),
      ...all('.stage .node.constant > text').map(text => { // hinting makes it some units wider
        const [x, y, width, height] = at(text);
        return [name(text), [x, y, width - 6, height]];
      }),
    ],
    frames: all('.stage .box:not(.closed) > rect').map(frame => [name(frame), at(frame)]),
    labels: all('.stage .edge .partial').map(label => [name(label), at(label)]),
    wires: all('.stage .wires path').map(path => path.getAttribute('d')),
  };
}"""


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1280, "height": 720})


@pytest.mark.some(10)
@pytest.mark.parametrize("seed", range(NETS))
def test_no_wire_between_closed_boxes_meets_another_card(page, seed, tmp_path):
    loss, named = random_net(seed)
    page.goto(steps(loss, named).save(tmp_path / "step.html").as_uri())
    levels = page.locator("#detail option").evaluate_all("all => all.map(one => one.value)")
    for level in levels[:-1]:
        page.locator("#detail").select_option(level)
        shapes = page.evaluate(SHAPES)
        assert shapes["wires"]
        judge(shapes)
        page.evaluate(  # one closed box is opened
            "n => { const all = [...document.querySelectorAll('.box.closed:not(.hidden)')];"
            " all[n % all.length].dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' })); }",
            seed,
        )
        judge(page.evaluate(SHAPES))


def judge(shapes):
    """No wire and no card on another card; each card in the frames of its boxes or outside."""
    for path in shapes["wires"]:
        points = points_of(path)
        for name, area in (*shapes["cards"], *shapes["labels"]):
            assert not inside(area, points), (path, name)
    for (one, a), (other, b) in combinations([*shapes["cards"], *shapes["labels"]], 2):
        assert not overlap(a, b), (one, other)
    for one, frame in shapes["frames"]:
        for other, area in shapes["cards"]:
            x, y, width, height = area
            corners = [(x, y), (x + width, y), (x, y + height), (x + width, y + height)]
            within = [inside(frame, [corner], -0.1) for corner in corners]
            assert all(within) or not overlap(frame, area), (one, other)
