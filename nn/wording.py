"""Words an option in two ways: as the command takes it, and as an argument in Python."""

import re
import shlex

_FLAGS = {
    "classes": "as_classes=True",
    "numbers": "as_classes=False",
    "header": "header=True",
    "no-header": "header=False",
}
_OPTION = re.compile(
    r"""--(?:(ignore|text|number)[ =]|(missing|encoding|decimal|thousands)[ ](?!expected|and|are))
    ('(?:[^']|'"'"')*'|[\w@%+=:,./-]+) | --(no-header|header|classes|numbers)\b | --(\w+)""",
    re.VERBOSE | re.ASCII,
)


def option(name: str, column: str) -> str:
    """An option with a column, as a shell takes it.

    >>> option("text", "number of rooms"), option("target", "-x")
    ("--text 'number of rooms'", '--target=-x')
    """
    sign = "=" if column.startswith("-") else " "
    return f"--{name}{sign}{shlex.quote(column)}"


def typed(path: str) -> str:
    """A path as a shell takes it, and as no option.

    >>> typed("my data.csv"), typed("-d.csv")
    ("'my data.csv'", './-d.csv')
    """
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def in_python(message: str) -> str:
    """A message that names options of the command, with the arguments of `load_csv` in their place.

    >>> in_python("say --decimal , or --text 'a b'; or say --header")
    "say decimal=',' or text=['a b']; or say header=True"
    """
    return _OPTION.sub(_argument, message)


def _argument(found: re.Match[str]) -> str:
    of_columns, of_file, value, flag, other = found.groups()
    if value is None:
        return _FLAGS[flag] if flag else other
    (text,) = shlex.split(value) or ("",)
    return f"{of_columns}=[{text!r}]" if of_columns else f"{of_file}={text!r}"
