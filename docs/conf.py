"""Settings of Sphinx for the site of these pages: `sphinx-build -W docs build/docs`."""

import posixpath
import re
from pathlib import Path

from engine.ops import OPS

ROOT = Path(__file__).parents[1]

project = "brickgrad"
copyright = "the brickgrad developers, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "brickgrad"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 3

smartquotes = False
default_role = "code"  # docstrings write `x` for code
autodoc_typehints = "none"

# Files of the repository that are pages too. Where they lie, a link leads to them.
ELSEWHERE = {
    "CHANGELOG.md": "changes",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "benchmarks/README.md": "benchmarks",
    "tests/README.md": "tests",
    "tests/DIFFERENCES.md": "differences",
}


def put_in(app, page, source):
    """Puts the text of such a file in the place of its page; links to it lead to that page."""
    file = {page: file for file, page in ELSEWHERE.items()}.get(page, f"docs/{page}.md")

    def led(link):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), link[1]))
        if target in ELSEWHERE:
            return f"]({ELSEWHERE[target]}.md"
        return f"]({posixpath.relpath(target, 'docs')}" if page in ELSEWHERE.values() else link[0]

    text = (ROOT / file).read_text(encoding="utf-8")
    source[0] = re.sub(r"\]\((?!\w+:)([^)#]+)", led, text)


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


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", put_in)
    app.connect("autodoc-process-signature", operands)
    app.connect("autodoc-process-docstring", formulas)
