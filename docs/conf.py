"""Settings of Sphinx for the site of these pages, which `python -m web docs` builds."""

import os
import posixpath
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes

from engine.ops import OPS

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = str(ROOT)  # of the kernel that runs the notebooks

project = "brickgrad"
copyright = "the brickgrad developers, MIT licence"
extensions = ["myst_nb", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "brickgrad"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 3

# The site has the files of the repository where they lie, so each link leads to the same in both.
root_doc = "docs/index"
include_patterns = [
    *("docs/**", "notebooks/*", "*/README.md", "tests/DIFFERENCES.md"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
]
exclude_patterns = ["build", ".*", "**/.*"]

# Notebooks are run once, and again where they changed.
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 120

PYTHON = ("python", "ipython3")  # languages of blocks that the playground runs

smartquotes = False
default_role = "code"  # docstrings write `x` for code
autodoc_typehints = "none"


def operands(app, what, name, thing, options, signature, returned):
    """Names the operands of a function that was made from a row of the calculus."""
    if signature == "(*operands)":
        return f"({OPS[thing.__name__].variables})", returned
    return None


def formulas(app, what, name, thing, options, lines):
    """Sets the formulas of such a function as code; leaves out what `engine` says of itself."""
    if what == "module":
        lines.clear()
    elif lines and lines[0].startswith("z = "):
        lines[0] = "; ".join(f"``{part}``" for part in lines[0].split("; "))


def playable(app, tree, page):
    """Below each example that stands alone, and above a notebook, a link to the playground.

    The setting `playground` says where that is: an address, or a file of the site; "" is nowhere.
    """
    if not (base := app.config.playground):
        return
    from web.opens import program, stands_alone
    from web.playground import MOST_CODE, link

    if not urlsplit(base).scheme:
        base = posixpath.relpath(base, posixpath.dirname(page) or ".")
    blocks = [b for b in tree.findall(nodes.literal_block) if b.get("language") in PYTHON]
    codes = [(block, block.astext().rstrip()) for block in blocks]
    if page.startswith("notebooks/"):
        codes = [(tree.next_node(nodes.title), program([code for _, code in codes]))]
    for block, code in codes:
        if block is not None and stands_alone(code) and len(code) <= MOST_CODE:
            opens = nodes.reference("", "Open in the playground", refuri=link(code, base))
            place = block.parent.index(block) + 1
            block.parent.insert(place, nodes.paragraph("", "", opens, classes=["playable"]))


def setup(app):
    """Called by Sphinx."""
    app.add_config_value("playground", "", "env")
    app.connect("doctree-resolved", playable)
    app.connect("autodoc-process-signature", operands)
    app.connect("autodoc-process-docstring", formulas)
