"""Charts: what they say, where texts stand, what they leave out, how large and quick they are."""

import math
import re
import time
import xml.etree.ElementTree as ET
from base64 import b64decode
from itertools import combinations
from random import Random

import needs
import pytest
from hostile import HOSTILE

import nn
from engine.pictures.drawing.looks import width_of
from engine.value import Value
from nn import chart, plot_decision_boundary, plot_history
from nn.chart import bars, beside, cells, contours, dots, lines
from nn.document import Chart
from nn.history import History, Step
from nn.mark import DASHES, LOOKS, PAINTS, SHAPES

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[str, float, float, float, float]  # a text or a frame, with left, right, top, bottom


def parsed(made: Chart) -> ET.Element:
    return ET.fromstring(made.svg)


def boxes(root: ET.Element) -> tuple[list[Box], list[Box]]:
    """The texts and the frames of a document, each with its place in it."""
    texts, frames = list[Box](), list[Box]()
    for group in root.findall(f"{SVG}g[@transform]"):
        dx, dy = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
        for text in group.findall(f"{SVG}text"):
            size = float(text.get("font-size", root.get("font-size", "")))
            width = width_of(text.text or "", size) * (1.05 if text.get("font-weight") else 1)
            shift = {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0.0)
            left, base = dx + float(text.get("x", "")) - shift, dy + float(text.get("y", ""))
            texts.append(
                (text.text or "", left, left + width, base - 0.72 * size, base + 0.15 * size)
            )
        for frame in group.findall(f"{SVG}rect"):
            x, y, width, height = (
                float(frame.get(key, "")) for key in ("x", "y", "width", "height")
            )
            frames.append(("frame", dx + x, dx + x + width, dy + y, dy + y + height))
    return texts, frames


def images(made: Chart) -> list[str]:
    """The documents of a row."""
    row = ET.fromstring(made._repr_html_())
    sources = [image.get("src", "").partition("base64,")[2] for image in row.findall("img")]
    return [b64decode(source).decode() for source in sources]


def overlap(a: Box, b: Box) -> bool:
    return a[1] < b[2] and b[1] < a[2] and a[3] < b[4] and b[3] < a[4]


def assert_geometry(made: Chart) -> None:
    """All texts and frames are inside, none on another; what is drawn is a number."""
    root = parsed(made)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    texts, frames = boxes(root)
    assert len(frames) == len(made.panels)
    for name, left, right, top, bottom in texts + frames:
        assert left >= 0, name
        assert right <= width, name
        assert top >= 0, name
        assert bottom <= height, name
    for a, b in combinations(texts + frames, 2):
        assert not overlap(a, b), (a, b)
    for element in root.iter():
        for key in ("d", "x", "y", "width", "height"):
            assert not re.search("nan|inf", element.get(key, "")), element
    assert len(made.svg) < 200_000


WORDS = [
    "loss",
    "gradient",
    "petal width",
    "(cm)",
    "of the",
    "validation",
    "thousands",
    "\u00e9\u4e16",
]


def words(draw: Random, most: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randrange(most)))


def numbers(draw: Random, count: int) -> list[float]:
    size, middle = 10 ** draw.uniform(-9, 9), draw.choice([0.0, 0.0, 1.0, 1e3, 1e6])
    spread = draw.choice([0.0, 1.0, 1.0, 1.0])
    return [size * (middle + spread * draw.gauss(0, 1)) for _ in range(count)]


def random_chart(seed: int) -> Chart:
    draw = Random(seed)
    names = [f"{words(draw, 9)} {k}" for k in range(draw.randrange(1, 9))]
    of = {"title": words(draw, 14)}
    kind = seed % 5
    if kind < 2:
        counts = [draw.choice([1, 2, 30, 300]) for _ in names]
        curves = {
            name: (numbers(draw, n), numbers(draw, n))
            for name, n in zip(names, counts, strict=True)
        }
        log = {key: draw.random() < 0.3 for key in ("log_x", "log_y")}
        if any(log.values()):
            curves = {k: tuple([abs(x) + 1e-12 for x in xs] for xs in v) for k, v in curves.items()}
        marked = {words(draw, 4) + "!": draw.uniform(1, 5) for _ in range(draw.randrange(3))}
        more = {"x": words(draw, 9), "y": words(draw, 12), "marked": marked, **log}
        return (lines, dots)[kind](curves, **of, **more)
    if kind == 2:
        amounts = {
            name: abs(number) for name, number in zip(names, numbers(draw, len(names)), strict=True)
        }
        return bars(amounts, **of, x=words(draw, 9))
    if kind == 3:
        width, height = draw.randrange(1, 40), draw.randrange(1, 40)
        return beside(*(cells([numbers(draw, width) for _ in range(height)], **of) for _ in names))
    a, b, c = numbers(draw, 3)
    plane = (-abs(a) - 1, abs(a)), (b, b + 1 + abs(b))
    paths = {name: (numbers(draw, 5), numbers(draw, 5)) for name in names}
    return contours(lambda x, y: x * x + c * y, *plane, paths=paths, **of, x=words(draw, 9))


@pytest.mark.some(3)
@pytest.mark.parametrize("seed", range(30))
def test_no_text_stands_on_another_or_leaves_the_picture(seed):
    assert_geometry(random_chart(seed))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts(text):
    of = {"title": text, "x": text}
    made = beside(
        lines({text: ([1.0], [2.0]), "b": ([1], [2])}, **of, y=text, marked={text * 2: 1}),
        bars({text: 1.0}, **of),
        cells([[1.0]], title=text),
    )
    assert_geometry(made)
    names = {element.tag.removeprefix(SVG) for element in parsed(made).iter()}
    assert names <= {"svg", "g", "title", "desc", "style", "rect", "path", "text"}
    assert len(images(made)) == 3


def history(losses):
    made = History()
    for i, loss in enumerate(losses):
        made.append(Step(i, loss, float(i % 3 > 0), 1 + abs(loss), 0.1, 0.5, i + 1))
    return made


@pytest.mark.parametrize(
    "losses", [[2.0], [2.0, 2.0], [0.0] * 50, [1e300, 1e-300], [5e-324] * 3, [-1e308, 1e308]]
)
def test_short_and_extreme_histories(losses):
    assert_geometry(plot_history(history(losses)))


@needs.speed
@pytest.mark.whole
def test_100_000_steps_are_drawn_in_seconds_into_a_small_file():
    draw = Random(0)
    made = history([3 * math.exp(-i / 20_000) * draw.random() + 0.02 for i in range(100_000)])
    start = time.process_time()
    drawn = plot_history(made)
    assert len(drawn.svg) < 200_000
    assert time.process_time() - start < 10  # 0.3 measured; a walk for each point takes minutes
    assert_geometry(drawn)


# --- what is drawn ------------------------------------------------------------------------------


def paths(made: Chart) -> list[ET.Element]:
    """What is drawn inside the frames."""
    return parsed(made).findall(f".//{SVG}svg//{SVG}path")


def points(path: ET.Element) -> list[tuple[float, float]]:
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d", ""))
    return [(float(x), float(y)) for x, y in pairs]


def test_a_curve_stands_where_its_numbers_say():
    made = lines({"a": ([0, 1, 4], [10.0, 20.0, 0.0])})
    (frame,) = parsed(made).findall(f".//{SVG}svg")
    width, height = float(frame.get("width", "")), float(frame.get("height", ""))
    (line,) = frame.iter(f"{SVG}path")
    found = [(x / width, 1 - y / height) for x, y in points(line)]
    exact = [
        (0.02 / 1.04 + x / 4 / 1.04, 0.05 / 1.1 + y / 20 / 1.1)
        for x, y in ((0, 10), (1, 20), (4, 0))
    ]
    assert [n for pair in found for n in pair] == pytest.approx(
        [n for p in exact for n in p], abs=1e-3
    )


def test_a_number_that_is_not_finite_parts_a_line_and_is_said():
    made = lines({"a": ([1, 2, 3, 4, 5], [1.0, 2.0, math.nan, 4.0, math.inf])})
    assert list(made.panels[0].notes) == ["a: 2 points left out: nan, inf"]
    assert paths(made)[-1].get("d", "").count("M") == 2
    assert str(made) == "a, 3 points from (1, 1) to (4, 4); a: 2 points left out: nan, inf"
    made = dots({"a": ([0, 1], [1, 2]), "b": ([3], [3])}, log_x=True)
    assert list(made.panels[0].notes) == ["a: 1 point left out: nan, inf or not above 0"]
    made = cells([[0.0, math.nan], [1.0, 2.0]])
    assert list(made.panels[0].notes) == ["white 0, black 2", "1 cell left out: nan, inf"]
    made = contours(lambda x, y: 1 / x if x else math.inf, (0, 1), (0, 1))
    assert "80 places left out: nan, inf" in made.panels[0].notes


def test_a_long_curve_keeps_its_highest_and_lowest_points():
    ys = [0.0] * 50_000
    ys[12_345], ys[40_000] = 1.0, -1.0
    made = lines({"a": (range(50_000), ys)})
    drawn = points(paths(made)[-1])
    assert len(drawn) < 2500
    heights = [y for _, y in drawn]
    assert (min(heights), max(heights)) == pytest.approx(
        (240 * 0.05 / 1.1, 240 * 1.05 / 1.1), abs=0.1
    )


def test_very_many_dots_are_pale_and_few_bytes():
    draw = Random(0)
    made = dots(
        {"a": [[draw.gauss(0, 1) for _ in range(50_000)] for _ in range(2)], "b": ([1], [1])}
    )
    assert_geometry(made)
    assert [mark.kind for mark in made.panels[0].marks] == ["haze", "haze"]
    assert SHAPES[1] in made.svg  # in the legend


def test_marks_differ_in_more_than_colour():
    assert len(set(DASHES)) == len(set(SHAPES)) == LOOKS
    made = lines({name: ([0, 1], [0, 1]) for name in "abcdefg"})
    assert len({path.get("stroke-dasharray", "") for path in paths(made)}) == LOOKS


def test_cells_are_as_grey_as_their_numbers():
    rows = [[0.0, 0.25, 1.0], [0.5, 0.5, 0.0]]
    found = {}
    for path in paths(cells(rows)):
        for x, y, right, bottom in re.findall(
            r"M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)", path.get("d", "")
        ):
            assert float(bottom) - float(y) == 20
            for column in range(int(float(x)) // 20, int(float(right)) // 20):
                found[int(float(y)) // 20, column] = int(path.get("fill", "")[1:3], 16)
    for (row, column), grey in found.items():
        assert grey / 255 == pytest.approx(1 - rows[row][column], abs=1 / 63)
    assert len(found) == 6
    (one,) = paths(cells([[3.0]]))
    assert one.get("fill") == "#ffffff"
    assert cells([[0.5]], low=0, high=1).panels[0].marks[0].amounts == [0.5]


def test_bars_are_as_long_as_their_amounts():
    made = bars({"a": 4.0, "b": 1.0, "c": 0.0})
    ends = [float(end) for end in re.findall(r"H([\d.]+)V", paths(made)[0].get("d", ""))]
    assert ends[0] / ends[1] == pytest.approx(4, rel=1e-3)
    made = bars({"a": 100.0, "b": 10.0, "c": 1.0}, log_x=True)
    a, b, c = [float(end) for end in re.findall(r"H([\d.]+)V", paths(made)[0].get("d", ""))]
    assert a - b == pytest.approx(b - c, abs=0.11)


def test_a_map_has_the_lines_of_its_levels_and_the_walk():
    made = contours(lambda x, y: Value(x) + y, (0, 1), (0, 1), paths={"walk": ([0, 1], [1, 0])})
    panel = made.panels[0]
    assert panel.notes[0] == "lines at 0.0, 0.5, 1.0, ..., 2.0; more colour is higher"
    sums = {
        round(x + y, 9)
        for mark in panel.marks
        if mark.kind == "edges"
        for x, y in zip(mark.xs, mark.ys, strict=True)
        if x == x
    }
    assert sums == {0.0, 0.5, 1.0, 1.5}
    assert [mark.kind for mark in panel.marks[-2:]] == ["line", "dots"]


def test_values_are_numbers():
    assert str(lines({"a": ([Value(1.0)], [Value(2.0)])})) == "a, 1 point from (1, 2) to (1, 2)"


# --- documents ----------------------------------------------------------------------------------


def test_a_notebook_shows_panels_side_by_side_with_frames_at_one_height():
    made = plot_history(history([1.0, 2.0, 1.5]))
    parts = [ET.fromstring(text) for text in images(made)]
    assert len(parts) == len(made.panels) == 3
    assert len({part.get("height") for part in parts}) == 1
    assert len({boxes(part)[1][0][3] for part in parts}) == 1
    assert made._repr_svg_() == made.svg


def test_small_panels_stand_in_rows():
    three = beside(*(cells([[0.0, 1.0]] * 2, title=name) for name in "abc"))
    _, frames = boxes(parsed(three))
    assert len({frame[3] for frame in frames}) == 1
    assert len({frame[1] for frame in frames}) == 3
    four = beside(*(cells([[0.0, 1.0]] * 2, title=name) for name in "abcd"))
    assert len({frame[3] for frame in boxes(parsed(four))[1]}) == 2


def test_it_says_what_it_shows_to_readers_who_do_not_see_it():
    made = lines({"a": ([1, 2], [3, 4])}, title="T")
    root = parsed(made)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == root.findtext(f"{SVG}desc") == repr(made)
    assert repr(made) == "T: a, 2 points from (1, 3) to (2, 4)"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(
        share * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
        for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
    )


@pytest.mark.parametrize("dark", [0, 1])
def test_colours_stand_out_from_the_paper(dark):
    """By WCAG 2: 4.5 for texts, 3 for what is drawn."""
    paper = luminance(PAINTS["paper"][dark])
    for name, both in PAINTS.items():
        low, high = sorted((paper, luminance(both[dark])))
        ratio = (high + 0.05) / (low + 0.05)
        assert ratio > {"paper": 0, "line": 1.3, "ink": 4.5, "soft": 4.5}.get(name, 3), name


BLIND = {  # Machado, Oliveira, Fernandes 2009, severity 1: on linear red, green, blue
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = (0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(colour: str, kind: str) -> list[float]:
    linear = [luminance("#" + colour[i : i + 2] * 3) for i in (1, 3, 5)]
    seen = [min(max(part, 0), 1) for part in times(BLIND[kind], linear)]
    white = 0.9505, 1.0, 1.089
    shares = [part / most for part, most in zip(times(XYZ, seen), white, strict=True)]
    x, y, z = (n ** (1 / 3) if n > 216 / 24389 else 841 / 108 * n + 4 / 29 for n in shares)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize("dark", [0, 1])
@pytest.mark.parametrize("kind", BLIND)
def test_colour_blind_readers_tell_curves_apart(kind, dark):
    """A difference of 2.3 can just be seen, side by side."""
    seen = [lab(PAINTS[str(look)][dark], kind) for look in range(LOOKS)]
    assert min(math.dist(a, b) for a, b in combinations(seen, 2)) > 10


# --- files and what is refused ------------------------------------------------------------------


def test_a_chart_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    made, path = bars({"a": 1.0}), tmp_path / "a.svg"
    assert made.save(str(path)) == path
    assert path.read_text(encoding="utf-8") == made.svg
    made.savefig(tmp_path / "b.SVG")
    assert (tmp_path / "b.SVG").read_bytes() == path.read_bytes()

    def fail(fresh, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left on device"):
        bars({"b": 2.0}).save(path)
    assert path.read_text(encoding="utf-8") == made.svg


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        (lambda c: c.save("a.png"), ValueError, r"saved as \.svg, got 'a.png': choose a name"),
        (lambda c: c.savefig("a.pdf"), ValueError, "a browser opens it, and prints it as .pdf"),
        (lambda c: c.save(3), TypeError, r"expected the name of a file, 'chart.svg', got 3"),
        (lambda c: c.savefig("a.svg", dpi=200), TypeError, "savefig has no dpi= here.*it scales"),
        (lambda c: c.savefig("a.svg", loud=1), TypeError, "the name of the file alone"),
        (lambda c: c.axes, AttributeError, r"no 'axes'.*no figure of matplotlib; chart.panels"),
        (lambda c: c.show(), AttributeError, "no 'show'.*end a cell of a notebook with it"),
        (lambda c: c.nothing, AttributeError, "a Chart has no 'nothing'$"),
        (lambda c: lines({"a": ([1], [1])}, figsize=(3, 2)), TypeError, "lines has no figsize="),
        (lambda c: plot_history(history([1]), axes=c), TypeError, "plot_history has no axes=: a"),
        (lambda c: plot_decision_boundary(abs, c, ax=c), TypeError, r"nn\.chart\.beside\(a, b\)"),
        (lambda c: lines({}), ValueError, "at least 1 line, got none"),
        (lambda c: lines([1, 2]), TypeError, r"by name, {'a': \(xs, ys\)}, got \[1, 2\]"),
        (lambda c: lines({"a": [1, 2, 3]}), TypeError, r"'a' expected \(xs, ys\), got \[1, 2, 3\]"),
        (lambda c: lines({"a": ([1], [1, 2])}), ValueError, "as many xs as ys, got 1 and 2"),
        (lambda c: dots({"a": (["x"], [1])}), TypeError, "dots: 'a' expected numbers"),
        (lambda c: dots({"a": ([math.nan], [1])}), ValueError, "got none among 1"),
        (lambda c: lines({"a": ([], [])}), ValueError, "got none among 0"),
        (lambda c: bars({}), ValueError, "at least 1 amount, got none"),
        (lambda c: bars({"a": -1}), ValueError, "amounts of at least 0, got -1 for 'a'"),
        (lambda c: bars({"a": 0}, log_x=True), ValueError, "amounts above 0, got 0 for 'a'"),
        (lambda c: cells([]), ValueError, r"rows of one length, got lengths \[\]"),
        (lambda c: cells([[1], [1, 2]]), ValueError, r"rows of one length, got lengths \[1, 2\]"),
        (lambda c: cells([[math.nan]]), ValueError, "at least one finite number"),
        (lambda c: cells([[1]], low=2, high=1), ValueError, "low below high, got 2 and 1"),
        (lambda c: contours(max, (1, 1), (0, 1)), ValueError, r"across expected two numbers \(low"),
        (lambda c: contours(max, (0, 1), (0, 1, 2)), ValueError, "up expected two numbers"),
        (lambda c: contours(lambda x, y: math.inf, (0, 1), (0, 1)), ValueError, "nowhere finite"),
        (lambda c: beside(), TypeError, "beside expected charts, got nothing"),
        (lambda c: beside(c, 3), TypeError, "beside expected charts, got Chart, int"),
    ],
)
def test_what_is_refused(do, kind, message):
    with pytest.raises(kind, match=message):
        do(bars({"a": 1.0}))


def test_the_names_of_charts_are_found():
    assert nn.chart is chart
    assert {*chart.__all__} == {"Chart", "bars", "beside", "cells", "contours", "dots", "lines"}
