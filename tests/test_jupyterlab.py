"""A cell with steps in a real JupyterLab: it plays; untrusted it is a picture; trusted it plays."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from browsers import chromium

pytest.importorskip("jupyterlab", reason='no JupyterLab: pip install -e ".[notebook]"')

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}
QUIET = "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
CELL = """\
from engine import Value, steps
from nn import MLP, mse

net = MLP(2, [2, 1], "tanh", seed=0)
loss = mse(net([Value(1.0, "x0"), Value(-2.0, "x1")]), 0.5)
story = steps(loss, names=net.named_parameters())
print(story[1])
story"""
SECONDS = 120  # for JupyterLab to start, and for each thing to appear


@contextmanager
def lab(folder, environment):
    """The address of a JupyterLab that shows a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = [f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=token"]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *options]
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: answers(f"{address}/api/status?token=token"))
        yield lambda name: f"{address}/lab/tree/{name}?token=token&reset"
    finally:
        server.terminate()
        try:
            server.wait(SECONDS)
        except subprocess.TimeoutExpired:  # it may wait for a thread of its own for ever
            server.kill()
            server.wait()


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=SECONDS):
            return True
    except OSError:
        return False


def until(holds):
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def is_saved(path):
    """Whether outputs are in the file; JupyterLab empties it before it writes."""
    return '"output_type"' in path.read_text()


def plays(page):
    """Steps with the buttons and the arrow keys."""
    frame = page.frame_locator(".jp-OutputArea-output iframe")
    count = frame.locator("#count")
    start = int(count.inner_text().split()[1])
    frame.locator("#next").click()
    frame.locator("#next").click()
    assert count.inner_text() == f"Step {start + 2} of 29"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert count.inner_text() == f"Step {start + 2} of 29"
    return frame.locator(".words").get_attribute("title")


@pytest.mark.whole
def test_a_cell_plays_survives_distrust_and_plays_again(tmp_path):
    import nbformat  # takes a second or two, which collecting need not wait for

    environment = os.environ | {name: str(tmp_path / path) for name, path in FOLDERS.items()}
    environment["PYTHONPATH"] = str(ROOT)
    quiet = tmp_path / QUIET
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    new, strange = tmp_path / "new.ipynb", tmp_path / "strange.ipynb"
    code = nbformat.v4.new_code_cell(CELL)
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[code], metadata={"kernelspec": python})
    nbformat.write(notebook, new)

    with chromium() as browser, lab(tmp_path, environment) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(SECONDS * 1000)
        page.goto(address("new.ipynb"))
        page.get_by_text("| Idle").wait_for()
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        words = plays(page)
        printed = page.locator(".jp-RenderedText").first.inner_text().strip()
        told, path = words.split("\n")[:2]
        assert told == printed == "dot2 = b + " + printed.partition(" + ")[2]
        assert path == "w0: layers.0.neurons.1.w.0"
        page.get_by_text("File", exact=True).click()
        page.get_by_text("Save Notebook", exact=True).click()
        until(lambda: is_saved(new))

        shutil.copy(new, strange)
        changed = nbformat.read(strange, 4)
        changed.cells.insert(0, nbformat.v4.new_markdown_cell("From somebody else."))
        nbformat.write(changed, strange)
        page.goto(address("strange.ipynb"))
        picture = page.locator(".jp-OutputArea-output img")
        picture.wait_for()
        assert picture.evaluate("image => image.naturalWidth") > 1000
        assert picture.get_attribute("alt").endswith(": data 0.4023, grad 1.0000")
        assert page.locator(".jp-OutputArea-output iframe").count() == 0

        trust = [sys.executable, "-m", "jupyter", "trust", str(strange)]
        subprocess.run(trust, env=environment, check=True, capture_output=True)
        page.goto(address("strange.ipynb"))
        assert plays(page) == words
