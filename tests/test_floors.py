"""The house: each module imports from lower floors only, and loads no extra on its own."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = [
    ["engine.ieee", "engine.names", "engine.fork", "engine.pictures.drawing.layout"],
    ["engine.formula", "engine.replay.beside", "engine.replay.backends.vectormath"],
    ["engine.replay.backends.strides", "engine.replay.backends.library"],
    ["engine.ops", "engine.replay.backends.steps", "engine.replay.backends.contraction"],
    ["engine.operators", "engine.replay.backends.called", "engine.replay.backends.matmul"],
    ["engine.modes", "engine.replay.backends.ufuncs", "engine.replay.backends.cformula"],
    ["engine.value"],
    ["engine.integer"],
    [
        *(
            "engine.functions",
            "engine.pictures.drawing.outline",
            "engine.replay.tape",
            "engine.replay.arguments",
        ),
        *("engine.replay.cells", "engine.replay.witness"),
    ],
    [
        *(
            "engine.derivatives",
            "engine.pictures.drawing.collapse",
            "engine.pictures.story.record",
            "engine.replay.roll",
        ),
        *("engine.replay.compare", "engine.replay.reach"),
    ],
    [
        *("engine.check", "engine.pictures.drawing.picture", "engine.pictures.story.differences"),
        *(
            "engine.replay.world",
            "engine.replay.undo",
            "engine.replay.kinds",
            "engine.replay.stretch",
        ),
    ],
    ["engine.pictures.drawing.svg", "engine.pictures.page.page", "engine.replay.words"],
    ["engine.replay.backends", "engine.replay.backends.kernel"],
    ["engine.pictures.drawing.digraph", "engine.pictures.story.sentences"],
    ["engine.replay.backends.loops"],
    ["engine.replay.backends.scalars", "engine.replay.backends.cloops"],
    [
        "engine.draw",
        "engine.steps",
        "engine.replay.backends.arrays",
        "engine.replay.backends.ctext",
    ],
    ["engine.replay.backends.python", "engine.replay.backends.c"],
    ["engine.replay.backends.numpy", "engine.replay.backends.choice"],
    ["engine.replay.recorded"],
    ["engine.replay.runs", "engine.replay.causes"],
    ["engine.replay"],
    ["nn.module", "nn.progress", "nn.elsewhere", "nn.dataset", "nn.numerals"],
    ["nn.wording", "nn.output", "nn.scaling"],
    ["nn.loss", "nn.splitting"],
    ["nn.sheet"],
    ["nn.columns"],
    ["nn.useless", "nn.gaps"],
    ["nn.looking", "nn.doubt"],
    ["nn.aims"],
    ["nn.finding"],
    ["nn.reading", "nn.suspicion"],
    ["nn.data", "nn.look"],
    ["nn.optim", "nn.files", "nn.rows", "nn.timeline", "nn.parting", "nn.extremes"],
    ["nn.plain", "nn.save", "nn.described", "nn.table", "nn.plot"],
    ["nn.mover", "nn.overrides"],
    ["nn.flat"],
    ["nn.link"],
    ["nn.descent"],
    ["nn.checkpoint"],
    ["nn.history", "nn.task"],
    ["nn.judging"],
    ["nn.stepping", "nn.ground"],
    ["nn.standing"],
    ["nn.train"],
    ["nn.watch", "nn.recipe", "nn.verdict"],
    ["nn.plan", "nn.by_recipe"],
    ["nn.trial", "nn.estimators"],
    ["nn.cli"],
]
FACES = ["engine", "nn", "engine.pictures.drawing", "engine.pictures.page", "engine.pictures.story"]
EXTRAS = {"matplotlib", "tqdm", "numpy", "sklearn"}
NUMPYS_OWN = {f"engine.replay.backends.{name}" for name in ("arrays", "called")}
ITS_OWN = {"nn.estimators": {"sklearn", "numpy"}}  # a module of what scikit-learn calls a model
DEPENDENCIES = {"graphviz"}
FLOOR = {module: height for height, modules in enumerate(FLOORS) for module in modules}

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("engine", "nn")
    for path in sorted((ROOT / package).rglob("*.py"))
}
MODULES = [module for module in FILES if module not in FACES]


def imports(module: str):
    """What a file imports: each module, and whether only inside a function."""
    tree = ast.parse(FILES[module].read_text())
    top = {id(node) for node in ast.walk(tree)}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            top -= {id(node) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            top -= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: import from the full name"
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [part if part in FILES else node.module for part in parts]
        else:
            continue
        yield from ((name, id(node) not in top) for name in found)


def test_every_file_has_a_floor_and_every_floor_its_files():
    assert set(FLOOR) == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_the_floors(module):
    ours = {name for name, _ in imports(module) if name.split(".")[0] in FACES}
    faces = ours & set(FACES)
    assert not faces, f"{module} imports from a face: import from the defining module"
    not_below = {name for name in ours if FLOOR[name] >= FLOOR[module]}
    assert not not_below, f"{module} imports from its own floor or above"


@pytest.mark.parametrize("module", FILES)
def test_what_is_not_ours_is_the_standard_library_or_a_lazy_extra(module):
    for name, lazy in imports(module):
        package = name.split(".")[0]
        if package in EXTRAS | DEPENDENCIES:
            own = package == "numpy" and module in NUMPYS_OWN
            own = own or package in ITS_OWN.get(module, ())
            assert lazy or own, f"{module} imports {name} at its top"
        else:
            assert package in {*FACES, *sys.stdlib_module_names}, f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - NUMPYS_OWN))
def test_what_needs_numpy_is_imported_lazily(module):
    assert not {name for name, lazy in imports(module) if not lazy} & NUMPYS_OWN


def names_of(face: str):
    """The lines of a face that import names; the others say which of them it shows."""
    lines = ast.parse(FILES[face].read_text()).body[1:]
    shows = {"from engine import names", "names.show(globals(), but=('max', 'min', 'sum'))"}
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


@pytest.mark.parametrize("module", MODULES)
def test_every_file_has_its_test_file(module):
    *_, folder, name = module.split(".")
    if sum(other.endswith(f".{name}") for other in MODULES) > 1:
        name = f"{folder}_{name}"
    assert (ROOT / "tests" / f"test_{name}.py").exists()


def test_importing_loads_no_extra():
    program = "import sys, engine, nn; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert {"engine", "nn"} <= loaded
    assert not loaded & (EXTRAS | DEPENDENCIES | {"torch", "micrograd", "dask"})
