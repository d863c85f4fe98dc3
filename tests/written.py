"""Writes the parts of pages that come from the code: `python -m tests.written`."""

from pathlib import Path

from nn.cli import COMMANDS
from nn.commands.options import FORMAT, READING

ROOT = Path(__file__).parents[1]
MANUAL, HOUSE = ROOT / "docs/command.md", ROOT / "docs/house.md"
WRITTEN = "<!-- what follows is written by python -m tests.written -->\n"
QUOTES = '"'
FOLDERS = ["engine", "engine/pictures", "engine/pictures/drawing", "engine/pictures/page"]
FOLDERS += ["engine/pictures/story", "engine/replay", "engine/replay/backends"]
FOLDERS += ["engine/replay/backends/wasm", "nn", "nn/commands", "nn/exercises", "nn/pages", "web"]


def manual():
    """A table of options for each command, and two of those that several share."""
    parts = []
    for name, command in COMMANDS.items():
        own = [option for option in command.options if option not in READING]
        parts += [f"## brickgrad {name}", f"{command.help[0].upper()}{command.help[1:]}."]
        parts += [f"    {command.example}", table(own)]
        if READING[0] in command.options:
            parts.append("And those [of the columns](#of-the-columns).")
        elif FORMAT[0] in command.options:
            parts.append("And those [of a file](#of-a-file).")
    parts += [
        "## Of a file",
        "How it is written, where that is not found by looking:",
        table(FORMAT),
    ]
    columns = [option for option in READING if option not in FORMAT]
    among = "For `look`, `train` and `sweep`, with those [of a file](#of-a-file):"
    parts += ["## Of the columns", among]
    return "\n\n".join([*parts, table(columns)]) + "\n"


def table(options):
    rows = [
        f"| {' '.join(f'`{word}`' for word in words(name, settings))} | {settings['help']} |"
        for name, settings in options
    ]
    return "\n".join(["| option | what it says |", "|---|---|", *rows])


def words(name, settings):
    """An option and what it takes, or a file by what it is called."""
    taken = [settings["metavar"]] if "metavar" in settings else []
    return [name, *taken] if name.startswith("-") else taken


def every_file():
    """Each file of Python in each folder, with its first line."""
    listed = []
    for folder in FOLDERS:
        files = sorted((ROOT / folder).glob("*.py"))
        lines = [(file.name, file.read_text(encoding="utf-8").splitlines()) for file in files]
        says = [f"- `{name}`: {text[0].strip(QUOTES)}" for name, text in lines if text]
        listed += [f"### {folder}/\n", *says, ""]
    return "\n".join(listed).rstrip() + "\n"


PARTS = {MANUAL: manual, HOUSE: every_file}  # of a page, what is written


if __name__ == "__main__":
    for page, written in PARTS.items():
        head = page.read_text(encoding="utf-8").partition(WRITTEN)[0]
        page.write_text(f"{head}{WRITTEN}\n{written()}", encoding="utf-8", newline="\n")
