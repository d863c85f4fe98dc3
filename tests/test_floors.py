"""The house: each module imports from lower floors only, and loads no extra on its own."""

import ast
import importlib
import os
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each folder is a floor: the calculus, pictures of it, replay of it, nets.
FLOORS = ["engine", "engine.pictures", "engine.replay", "nn"]
HOUSES = frozenset({"engine", "nn"})
EXTRAS = {"distributed", "joblib", "tqdm", "numpy", "safetensors", "sklearn", "torch", "wasmtime"}
NUMPYS_OWN = {f"engine.replay.backends.{name}" for name in ("arrays", "called")}
ITS_OWN = {"nn.estimators": {"sklearn", "numpy"}}  # a module of what scikit-learn calls a model
ITS_OWN |= {module: {"numpy"} for module in NUMPYS_OWN}
DEPENDENCIES = {"graphviz"}
LONGEST = 350  # lines of a file of nn: it has one job

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("engine", "nn")
    for path in sorted((ROOT / package).rglob("*.py"))
}
FACES = [module for module, path in FILES.items() if path.name == "__init__.py"]
FACES.remove("engine.replay.backends")  # which finds the backends
MODULES = [module for module in FILES if module not in FACES]


def floor(module: str):
    """How high it stands: that of the longest folder it lies in."""
    above = [f for f in FLOORS if f"{module}.".startswith(f"{f}.")]
    return FLOORS.index(max(above, key=len))


@cache
def imports(module: str):
    """What a file imports: each module, and whether only inside a function."""
    all_ = []
    for node, lazy in statements(ast.parse(FILES[module].read_text()), lazy=False):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: import from the full name"
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [part if part in FILES else node.module for part in parts]
        else:
            continue
        all_ += [(name, lazy) for name in found]
    return all_


def statements(node: ast.AST, lazy: bool):
    """Each node below one, and whether it is run, if ever, after its file was imported."""
    lazy |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    lazy |= isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    yield node, lazy
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.stmt | ast.excepthandler | ast.match_case):  # no expression
            yield from statements(below, lazy)


def of_modules(modules):
    """Each import of these modules: who, what, and whether only inside a function."""
    return [(module, name, lazy) for module in modules for name, lazy in imports(module)]


def test_imports_go_down_the_floors():
    ours = [(m, name) for m, name, _ in of_modules(MODULES) if name.split(".")[0] in HOUSES]
    assert len(ours) > 500
    assert [pair for pair in ours if pair[1] in FACES] == []  # but from the defining module
    assert [(m, name) for m, name in ours if floor(name) > floor(m)] == []


def test_no_imports_go_in_a_circle():
    graph = {module: {name for name, _ in imports(module) if name in FILES} for module in MODULES}
    TopologicalSorter(graph).prepare()  # CycleError names a circle


def test_files_of_nets_are_short():
    long = [m for m in FILES if floor(m) == 3 and len(FILES[m].read_text().splitlines()) > LONGEST]
    assert long == []


def test_what_is_not_ours_is_the_standard_library_or_a_lazy_extra():
    known, wrong = HOUSES | sys.stdlib_module_names, []
    for module, name, lazy in of_modules(FILES):
        package = name.split(".")[0]
        is_own = package in ITS_OWN.get(module, ())
        if package not in known and not (package in EXTRAS | DEPENDENCIES and (lazy or is_own)):
            wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_what_needs_numpy_is_imported_lazily():
    others = sorted(set(MODULES) - NUMPYS_OWN)
    at_top = [(module, name) for module, name, lazy in of_modules(others) if not lazy]
    assert [pair for pair in at_top if pair[1] in NUMPYS_OWN] == []


def names_of(face: str):
    """The lines of a face that import names; the others say which of them it shows."""
    lines = ast.parse(FILES[face].read_text()).body[1:]
    shows = {
        "from engine import names",
        "from engine.elementary import *",
        "names.show(globals())",
        "names.moved(draw='pictures', steps='pictures')",
    }
    return [line for line in lines if ast.unparse(line) not in shows]


@pytest.mark.parametrize("face", FACES)
def test_a_face_holds_names_and_no_logic(face):
    assert ast.get_docstring(ast.parse(FILES[face].read_text()))
    for line in names_of(face):
        assert isinstance(line, ast.ImportFrom)
        assert line.module.startswith(f"{face}.")
        assert all(alias.asname == alias.name for alias in line.names)


@pytest.mark.parametrize("face", FACES)
def test_names_of_a_face_outlive_the_import_of_a_module_of_that_name(face):
    for module in MODULES:
        importlib.import_module(module)
    for line in names_of(face):
        for alias in line.names:
            there = getattr(sys.modules[line.module], alias.name)
            assert getattr(sys.modules[face], alias.name) is there, alias.name


WRITTEN_BY_HAND = [
    path
    for folder in ("benchmarks", "engine", "nn", "tests", "web")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_who_breaks_a_rule_names_it_and_says_why():
    found = [
        (f"{path.relative_to(ROOT)}:{number}", comment[0].strip())
        for path in WRITTEN_BY_HAND
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (comment := re.search(r"# (ruff: )?noqa.*", line))
    ]
    assert len(found) > 20
    form = re.compile(r"# (ruff: )?noqa: [A-Z]+\d+ \(.+\)")
    assert [(place, words) for place, words in found if not form.fullmatch(words)] == []


def test_importing_loads_no_extra():
    program = "import sys, engine, nn; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert {"engine", "nn"} <= loaded
    assert not loaded & (EXTRAS | DEPENDENCIES | {"micrograd", "dask"})


@pytest.mark.whole
@pytest.mark.parametrize(
    ("module", "call", "words"),
    [
        ("torch", "nn.to_torch(net)", 'nn.to_torch needs PyTorch: pip install "brickgrad[torch]"'),
        ("torch", "nn.from_torch(net)", "nn.from_torch needs PyTorch: pip install"),
        ("safetensors", "nn.save(net, path)", "nn.save of a file of safetensors needs its package"),
        ("numpy", "nn.load(path)", 'and NumPy: pip install "brickgrad[safetensors]"'),
    ],
)
def test_what_needs_an_extra_names_it(module, call, words, tmp_path):
    program = (
        f"import sys; sys.modules[{module!r}] = None; import nn\n"
        "net, path = nn.MLP(2, [1]), 'net.safetensors'\n"
        f"open('there.safetensors', 'w').close()\n"
        f"try:\n    {call}\nexcept ImportError as error:\n    print(error)"
    ).replace("nn.load(path)", "nn.load('there.safetensors')")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert words in done.stdout
    assert not (tmp_path / "net.safetensors").exists()
