"""Worksheets: their numbers beside those of the calculus, what they hide, other files."""

import json
import re
from pathlib import Path
from random import Random

import pytest
from browsers import chromium
from commands import fails
from hostile import HOSTILE
from mutated import mutated_json

from engine import Value, steps
from engine.files import write
from engine.pictures.page.page import packed, record_of
from nn import MLP, SGD, cross_entropy, mse, watch
from nn.cli import main
from nn.worksheet import BLANK, MOST, worksheet

pytestmark = pytest.mark.usefixtures("own_folder")
TAGS = {"html", "head", "meta", "title", "style", "body", "main", "div", "span", "b"}
TAGS |= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td"}
PICTURE = re.compile(r'<div class="picture.*?</div>', re.S)


def watched(nin=2, nouts=(2, 1), loss=mse, point=([1.0, -2.0], 1.0)):
    net = MLP(nin, list(nouts), "tanh", init="xavier", seed=3)
    before = net.state_dict()
    story = watch(net, loss, point, SGD(net.parameters(), lr=0.1))
    story.save("step.html")
    return story, before, net.state_dict()


def table(page, heading):
    """The cells of the rows under a heading, without marks."""
    part = page.partition(f". {heading}</h2>")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part.partition("<tbody>")[2])
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)]
        for row in rows
    ]


def numbers(page, heading, column=-1):
    return [float(row[column]) for row in table(page, heading) if row[column]]


# --- what it asks ---------------------------------------------------------------------------------


def test_answers_are_the_numbers_of_the_step():
    story, before, after = watched()
    _, answers = worksheet("step.html")
    of = {node["label"]: node for node in story.nodes}
    forward = [of[label]["data"] for label in ("dot1", "dot2", "tanh1", "tanh2", "output")]
    near = {"rel": 1e-3, "abs": 1e-9}
    assert numbers(answers, "Forward")[:5] == pytest.approx(forward, **near)
    backward = [event["contribution"] for event in story if event["kind"] == "backward"]
    assert numbers(answers, "Backward", 4) == pytest.approx(backward, **near)
    sums = numbers(answers, "Backward")
    assert sums[-2:] == pytest.approx([of["x0"]["grad"], of["x1"]["grad"]], **near)
    assert numbers(answers, "Update") == pytest.approx(list(after.values()), **near)
    assert numbers(answers, "Given") == pytest.approx([1, -2, *before.values()], **near)
    assert numbers(answers, "The loss") == pytest.approx([story[-1]["loss_after"]], **near)


def test_the_worksheet_is_the_answers_with_blanks():
    watched()
    asked, answers = (PICTURE.sub("", page) for page in worksheet("step.html"))
    assert asked.count(BLANK) == answers.count("<b>") > 50
    bodies = [page.partition("Round to four digits.")[2] for page in (asked, answers)]
    assert bodies[0] == re.sub("<b>.*?</b>", BLANK, bodies[1])
    assert "loss = 0.1703" in answers
    assert "0.1703" not in asked


def test_a_picture_has_boxes_where_numbers_are_asked_for():
    watched()
    asked, answers = (PICTURE.search(page)[0] for page in worksheet("step.html"))
    given = re.findall(r">(-?\d+\.\d+)</text>", asked)
    assert len(given) == 11 + 1  # parameters and inputs; the legend
    assert asked.count('fill="white" stroke="black"') == 11 + 7 * 2 + 19
    assert re.findall("<title>.*", asked) == [
        "<title>Picture of the step, with boxes to fill in</title>"
    ]
    assert answers.count('class="grad"') == 18


def test_of_a_larger_net_the_first_neuron_of_each_layer_is_asked_for():
    story, _, after = watched(4, (8, 3), cross_entropy, ([0.2, -0.8, 0.7, 0.5], 1))
    asked, answers = worksheet("step.html")
    assert asked.count(BLANK) < MOST
    assert {row[0] for row in table(answers, "Update")} == {
        "layer 0, neuron 0",
        "layer 1, neuron 0",
        "",
    }
    assert len(table(answers, "Update")) == 5 + 9
    first = [x for name, x in after.items() if ".neurons.0." in name]
    assert numbers(answers, "Update") == pytest.approx(first, rel=1e-3, abs=1e-9)
    tanh = next(node["grad"] for node in story.nodes if node["label"] == "tanh1")
    assert numbers(answers, "Backward")[-1] == pytest.approx(tanh, rel=1e-3)
    assert "tanh8" in str(table(asked, "Given"))


def test_a_pass_without_an_optimiser_has_no_update():
    a = Value(3.0, "a = <b>")
    steps(a * a).save("pass.html")
    asked, _ = worksheet("pass.html")
    assert "Update" not in asked
    assert "a = &lt;b&gt;" in asked
    assert "<b>" not in asked
    assert [row[0] for row in table(asked, "Backward")] == ["dL/d(a = &lt;b&gt;)"] * 2


# --- the command ----------------------------------------------------------------------------------


def test_two_pages_beside_the_page(capsys, tmp_path):
    watched()
    assert main(["worksheet", "step.html"]) == 0
    assert capsys.readouterr().out == (
        "To print: step-worksheet.html; with the answers: step-answers.html\n"
    )
    assert (tmp_path / "step-answers.html").read_text() == worksheet("step.html")[1]


def changed(page, change):
    """The page with another record."""
    found = re.search(r'id="steps">(.*?)</script>', page)[1]
    return page.replace(found, packed(change(record_of(page))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"version":1', '"version":2'), "version 1, got 'brickgrad ste"),
        (lambda text: text.replace("brickgrad steps", "x"), "expected 'brickgrad steps'"),
        (lambda text: "[]", "the record expected an object"),
        (lambda text: "{", "it is not JSON"),
        (lambda text: text.replace('"label"', '"title"'), "its record lacks 'label'"),
        (lambda text: text.replace('"nodes":[', '"nodes":[3,'), "an entry of nodes expected an ob"),
        (lambda text: text.replace('"node":', '"node":9'), "an event is about node 9"),
        (lambda text: text.replace('"group":', '"x":'), "its record lacks 'group'"),
        (lambda text: text.replace('"data":1.0', '"data":[]'), "step that brickgrad saved"),
    ],
)
def test_another_file_is_refused_in_a_line(change, words, capsys, tmp_path):
    watched()
    page = tmp_path / "step.html"
    write(page, changed(page.read_text(), change))
    said = fails(capsys, "worksheet", "step.html")
    assert said.startswith("brickgrad: step.html is not the page of a step that brickgrad saved: ")
    assert words in said
    assert not (tmp_path / "step-worksheet.html").exists()


@pytest.mark.parametrize(
    "added", ["<script>alert(1)</script>", '<g onload="alert(1)">', "<image href='x'/>"]
)
def test_a_picture_with_anything_else_in_it_is_left_out(added, tmp_path):
    watched()
    page = tmp_path / "step.html"
    text = page.read_text()
    assert all('<div class="picture' in each for each in worksheet(page))
    more = json.dumps(f"{added}</svg>")[1:-1]
    write(page, changed(text, lambda record: record.replace("</svg>", more)))
    for each in worksheet(page):
        assert '<div class="picture' not in each
        assert added not in each


@pytest.mark.whole
def test_a_spoilt_record_is_refused_or_read(tmp_path, amount):
    """Never an error of another kind, which the command would show as a traceback."""
    watched()
    page = tmp_path / "step.html"
    good = page.read_text()
    refused = 0
    for k in range(amount(100, 300, 3000)):
        spoilt = mutated_json(record_of(good).encode(), Random(f"worksheet {k}")).decode()
        page.write_text(changed(good, lambda _, spoilt=spoilt: spoilt))
        try:
            worksheet(page)
        except (ValueError, ArithmeticError):
            refused += 1
    assert refused > k / 4


@pytest.mark.parametrize("text", HOSTILE)
def test_no_label_breaks_out_of_its_cell(text):
    a, w = Value(2.0, text), Value(3.0, "w")
    loss = w * a
    loss.label = text
    steps(loss).save("hostile.html")
    for page in worksheet("hostile.html"):
        tags = re.findall(r"<(\w+)", PICTURE.sub("", page))
        assert set(tags) <= TAGS
        assert tags.count("td") == 2 * 2 + 3 + 5 * 2


def test_a_page_without_a_record_is_refused(capsys):
    write(Path("step.html"), "<html></html>")
    assert "brickgrad saved: it has no record of one" in fails(capsys, "worksheet", "step.html")


def test_a_page_that_is_not_there_or_too_large_is_refused(capsys):
    assert "No such file" in fails(capsys, "worksheet", "none.html")
    watched(80, (2, 1), mse, ([0.1] * 80, 1.0))
    assert "numbers to fill in, more than 150: watch a smaller net" in fails(
        capsys, "worksheet", "step.html"
    )


def test_a_record_of_many_steps_gives_the_first(capsys):
    net = MLP(2, [2, 1], "tanh", init="xavier", seed=3)
    run = watch(net, mse, ([1.0, -2.0], 1.0), SGD(net.parameters(), lr=0.1), steps=3)
    run.save("run.html")
    _, answers = worksheet("run.html")
    assert numbers(answers, "The loss", 0) == pytest.approx([run.losses[0]], rel=1e-3)


# --- on paper -------------------------------------------------------------------------------------


@pytest.mark.whole
@pytest.mark.parametrize("nouts", [(2, 1), (3, 3, 1)])
def test_it_fits_on_paper_black_on_white(nouts, tmp_path):
    watched(nouts=nouts)
    asked, _ = worksheet("step.html")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 680, "height": 1000})  # 180 mm
        page.emulate_media(media="print")
        page.set_content(asked)
        assert page.evaluate("document.documentElement.scrollWidth") <= 680
        colours = page.evaluate(
            "() => [...document.querySelectorAll('body, td, th, p, h1, h2')]"
            ".map((e) => getComputedStyle(e).color)"
        )
        assert set(colours) == {"rgb(0, 0, 0)"}
        blanks = page.evaluate(
            "() => [...document.querySelectorAll('.blank')].map((e) => e.offsetWidth)"
        )
        assert min(blanks) >= 80  # 21 mm
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason='no axe: pip install -e ".[browser]"'
        )
        assert axe.Axe().run(page).response["violations"] == []
