"""Charts in a browser: texts as wide as its fonts make them, light and dark, narrow and wide."""

from itertools import combinations

import pytest

from nn.chart import bars, beside, cells, contours, dots, lines
from nn.data import Dataset, moons
from nn.history import History, Step
from nn.plot import plot_comparison, plot_decision_boundary, plot_history

# The texts and frames inside of each image, read from the document that it shows.
PLACES = """() => [...document.querySelectorAll('img')].flatMap(image => {
  const inside = new DOMParser().parseFromString(atob(image.src.split(',')[1]), 'image/svg+xml');
  const svg = document.importNode(inside.documentElement, true);
  const place = image.getBoundingClientRect();
  svg.style = `position:absolute;left:${place.left}px;top:${place.top}px;width:${place.width}px`;
  document.body.append(svg);
  return [...svg.querySelectorAll('text, .chart > g > rect')].map(element => {
    const r = element.getBoundingClientRect();
    return [element.textContent, r.left, r.right, r.top, r.bottom];
  });
})"""


def a_history(kept=None):
    made = History(kept=kept)
    for i in range(500):
        loss = 1 / (1 + i) + (i * 7919 % 97) / 300
        made.append(Step(i, loss, 0.5 + (i % 7) / 14, 1 + loss, 0.1, 1e-4, 10 * (i + 1)))
        made.validation_loss[-1] = 1 / (1 + i) if i % 10 == 9 else None
    return made


def boundary():
    xs, ys = moons(60)
    rows = Dataset(
        [[*x, 0.5] for x in xs],
        [int(y > 0) for y in ys],
        ("the width of a petal (cm)", "the length of a petal (cm)", "the age of the flower"),
        ("a name of a class", "another name of a class"),
    )
    return plot_decision_boundary(lambda x: x[1] + 0.3 * x[0] - 0.4, rows)


CHARTS = {
    "history": lambda: plot_history(a_history(kept=480)),
    "comparison": lambda: plot_comparison({"one of them": a_history(), "the other": a_history()}),
    "boundary": boundary,
    "lines": lambda: lines({f"curve {k}": ([1, 2], [k, 1]) for k in range(9)}, x="x", y="height"),
    "dots": lambda: dots({"Wide: WWWW @@@@": ([1e5, 2e6], [1e-5, 2e-5])}, title="W" * 40),
    "bars": lambda: bars({"eager": 1234.5, "as matrices": 0.5}, x="milliseconds", log_x=True),
    "cells": lambda: beside(*(cells([[0.0, 1.0]] * 3, title=f"Cells {k}") for k in range(5))),
    "contours": lambda: contours(
        lambda x, y: x * y, (-1, 1), (-1, 1), paths={"a": ([0, 1], [0, 1])}
    ),
}


FIRST_PIXEL = """() => {
  const board = document.createElement('canvas').getContext('2d');
  board.drawImage(document.images[0], 0, 0);
  return board.getImageData(2, 2, 1, 1).data[0];
}"""


@pytest.mark.some(12)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1000, 1280])
@pytest.mark.parametrize("name", CHARTS)
def test_nothing_overlaps_and_nothing_is_cut(browser, name, width, scheme):
    made = CHARTS[name]()
    page = browser.new_page(viewport={"width": width, "height": 720}, color_scheme=scheme)
    page.set_content(f"<body style='margin:0'>{made._repr_html_()}</body>")
    page.wait_for_function("() => [...document.images].every(image => image.naturalWidth)")
    found = page.evaluate(PLACES)
    assert len(found) > len(made.panels)
    for text, left, right, top, bottom in found:
        assert 0 <= left < right <= width, text
        assert 0 <= top < bottom, text
    smaller = [
        (t, a + 1, b - 1, c + 2, d - 3) for t, a, b, c, d in found
    ]  # the room around letters
    for s, t in combinations(smaller, 2):
        assert s[1] >= t[2] or t[1] >= s[2] or s[3] >= t[4] or t[3] >= s[4], (s, t)
    size = page.evaluate("() => document.querySelector('text').getBoundingClientRect().height")
    assert size >= 9
    page.close()


@pytest.mark.parametrize(("scheme", "paper"), [("light", (255, 255, 255)), ("dark", (20, 23, 29))])
def test_a_file_is_light_or_dark_as_its_reader_has_set(browser, tmp_path, scheme, paper):
    path = CHARTS["lines"]().save(tmp_path / "chart.svg")
    page = browser.new_page(color_scheme=scheme)
    page.goto(path.as_uri())
    fill = page.evaluate("() => getComputedStyle(document.querySelector('.chart-paper')).fill")
    assert fill == f"rgb{paper}"
    page.close()


@pytest.mark.parametrize(("around", "paper"), [("light", 255), ("dark", 20)])
def test_a_picture_of_a_notebook_is_light_or_dark_as_the_page_around_it(browser, around, paper):
    """JupyterLab has a switch of its own; the paper's red is read from a pixel."""
    page = browser.new_page(color_scheme="light")
    shown = CHARTS["lines"]()._repr_html_()
    page.set_content(f"<body style='color-scheme: {around}'>{shown}</body>")
    page.wait_for_function("() => [...document.images].every(image => image.naturalWidth)")
    red = page.evaluate(FIRST_PIXEL)
    assert red == paper
    page.close()


def test_axe_finds_nothing(browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = browser.new_page()
    body = "".join(make()._repr_html_() for make in CHARTS.values())
    page.set_content(f"<html lang='en'><title>Charts</title><main><h1>All</h1>{body}</main></html>")
    assert axe.Axe().run(page).response["violations"] == []
    page.close()
