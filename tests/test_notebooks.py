import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = (
    "00_build_value",
    "01_backprop_by_hand",
    "02_a_training_step",
    "03_fog",
    "04_the_race",
    "05_mistakes",
    "06_blame_that_fades",
    "07_your_own_data",
    "08_digits",
    "09_learning_by_heart",
    "10_noise_and_rest",
    "11_grokking",
    "12_find_the_matrices",
    "13_to_pytorch",
)

WIDEST = 97  # letters of a line, which JupyterLab shows whole in a window of 1,200 pixels


def read(name):
    import nbformat  # takes a second or two, which collecting need not wait for

    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def test_no_notebook_is_left_out():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored(name):
    """Valid, with stable ids, without outputs: a change of text is a small change of the file."""
    import nbformat

    notebook = read(name)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{i:02d}" for i in range(1, len(notebook.cells) + 1)
    ]
    for cell in notebook.cells:
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= WIDEST, cell.id
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.whole
@pytest.mark.filterwarnings("default")  # those of the kernel's own machinery
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs(name, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    notebook = read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    ).execute()
    kinds = [output.output_type for cell in code for output in cell.outputs]
    assert "error" not in kinds
    assert not [o.text for cell in code for o in cell.outputs if o.get("name") == "stderr"]
    pictures = [o for cell in code for o in cell.outputs if is_picture(o.get("data", {}))]
    assert len(pictures) == sum(ends_in_a_picture(cell.source) for cell in code) > 0


def is_picture(data):
    return "image/svg+xml" in data or "<iframe" in data.get("text/html", "")


def ends_in_a_picture(source):
    last = ast.unparse(ast.parse(source).body[-1])
    return bool(re.match(r"(draw|plot_\w+|chart\.\w+|\w+_page)\(|story$", last))
