import builtins
import json
import math
import os
import random
import re
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import ops
from engine.functions import define
from engine.op import enter
from engine.value import Value
from nn.module import MLP, Layer, Module, Neuron
from nn.save import load, load_with_meta, save

META = {"columns": ["a", "b"], "mean": [0.1, 2.0], "classes": ["x", "y"], "none": None}


@pytest.fixture
def model():
    return MLP(2, [3, 2], "tanh", seed=5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.json"


@pytest.fixture
def document(model, path):
    save(model, path, META)
    return json.loads(path.read_text())


# --- there and back --------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "linear", "gelu"])
@pytest.mark.parametrize("sizes", [(1, [1]), (2, [3, 2]), (3, [4, 4, 1])])
def test_the_same_net_comes_back(path, sizes, activation, fused):
    model = MLP(*sizes, activation, fused=fused, init="he", seed=1)
    save(model, path)
    twin = load(path)
    assert repr(twin) == repr(model)
    assert twin.state_dict() == model.state_dict()
    x = [0.3, -0.2, 0.9][: sizes[0]]
    ours, theirs = ([v] if not isinstance(v, list) else v for v in (model(x), twin(x)))
    assert [v.data for v in theirs] == [v.data for v in ours]
    assert theirs[0].parents[0].op == ours[0].parents[0].op
    assert twin.layers[0].neurons[0].fused is fused


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3).map(tuple)
)
def test_every_bit_of_the_weights_comes_back(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("bits") / "m.json"
    model = MLP(2, [1])
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number
    save(model, path)
    assert [p.data.hex() for p in load(path).parameters()] == [x.hex() for x in numbers]


def test_meta_comes_back(model, path):
    save(model, str(path), META)
    twin, meta = load_with_meta(str(path))
    assert meta == META
    assert twin.state_dict() == model.state_dict()
    save(model, path)
    assert load_with_meta(path)[1] == {}


def test_loading_leaves_the_global_generator_alone(model, path):
    save(model, path)
    before = random.getstate()
    load(path)
    assert random.getstate() == before


def test_a_trained_net_is_saved_and_not_its_first_weights(model, path):
    model.layers[0].neurons[0].b.data = 0.1 + 0.2
    save(model, path)
    assert load(path).layers[0].neurons[0].b.data == 0.1 + 0.2


# --- modules of one's own --------------------------------------------------------------------


class Wider(MLP):
    pass


class Attention(Module):
    """Parameters of all kinds of places: a matrix, a vector, a number, a dict, other modules."""

    def __init__(self, size=2, seed=0):
        rng = random.Random(seed)
        self.table = [[Value(rng.random()) for _ in range(size)] for _ in range(3)]
        self.scale = Value(rng.random())
        self.gains = {"low": Value(rng.random()), "high": Value(rng.random())}
        self.net = MLP(size, [2, 1], "tanh", seed=seed)
        self.same = self.net.layers[0]  # shared: one parameter under one name


MAKERS = {
    "a module of one's own": Attention,
    "a layer": lambda seed: Layer(2, 3, "tanh", seed=seed),
    "a neuron": lambda seed: Neuron(2, seed=seed),
    "a kind of MLP": lambda seed: Wider(2, [3, 1], seed=seed),
    "nothing to learn": lambda seed: Module(),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_any_module_comes_back_into_one_of_the_same_structure(path, make):
    module, twin = make(seed=1), make(seed=2)
    save(module, path, META)
    before = random.getstate()
    assert load_with_meta(path, twin) == (twin, META)
    assert random.getstate() == before
    assert twin.state_dict() == module.state_dict()
    save(module, path)
    assert load(path, into=twin) is twin


def test_a_net_comes_back_into_a_net(model, path):
    save(model, path)
    twin = MLP(2, [3, 2], "tanh", fused=False, seed=6)
    assert load(path, into=twin) is twin
    assert twin.state_dict() == model.state_dict()
    wider = load(path, into=Wider(2, [3, 2], "tanh"))
    assert wider.state_dict() == model.state_dict()


def test_a_loaded_module_learns_on_as_the_saved_one(path):
    module = Attention(seed=1)
    save(module, path)
    twin = load(path, into=Attention(seed=2))
    losses = [(m.net([0.5, m.scale]) * m.table[0][1]) ** 2 for m in (module, twin)]
    for loss in losses:
        loss.backward()
    assert losses[0].data == losses[1].data
    assert [p.grad for p in twin.parameters()] == [p.grad for p in module.parameters()]


def test_a_net_without_its_code_says_what_to_do(path):
    save(Attention(), path)
    with pytest.raises(ValueError, match=r"m\.json holds the weights of 'Attention', and .*into="):
        load(path)


def test_a_net_that_was_changed_by_hand(model, path):
    model.layers[1].neurons.pop()
    save(model, path)  # still the net of some sizes
    assert repr(load(path)) == repr(model)
    former, model.layers[0].neurons[1].nonlin = model.state_dict(), False
    save(model, path)
    with pytest.raises(ValueError, match=r"holds the weights of 'MLP', and .*into=module"):
        load(path)  # MLP cannot build it
    for parameter in model.parameters():
        parameter.data = 0.0
    assert load(path, into=model).state_dict() == former


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model, "scale", Value(2.0)),
        lambda model: model.layers.clear(),
        lambda model: model.layers.append(Attention()),
        lambda model: model.layers[0].neurons.clear(),
    ],
)
def test_nets_of_which_mlp_could_not_build_a_twin(model, path, change):
    change(model)
    save(model, path)
    assert json.loads(path.read_text())["model"] == {"class": "MLP"}
    assert load(path, into=model) is model


class Line(Module):
    def __init__(self, **numbers):
        for name, x in numbers.items():
            setattr(self, name, [*map(Value, x)] if isinstance(x, list) else Value(x))


@pytest.mark.parametrize(
    ("saved", "into", "words"),
    [
        (Line(w=1.0, b=2.0), Line(w=1.0), "expected nothing more, got b"),
        (Line(w=1.0), Line(w=1.0, b=2.0), "expected b, got none of it"),
        (Line(w=1.0, c=2.0), Line(w=1.0, b=2.0), "expected b, got c"),
        (Line(w=[1.0] * 5, b=1.0), Line(w=[1.0] * 3, b=1.0), "expected w of 3, got w of 5"),
        (Line(w=[1.0]), Line(w=1.0), "expected w, got w of 1"),
        (Attention(3), Attention(2), r"expected table of 3 x 2, net.*, got table of 3 x 3, net"),
        (Line(**{f"x{k}": 1.0 for k in range(9)}), Line(), "nothing more, got x0, .* and 5 more"),
        (MLP(2, [3, 1]), MLP(2, [4, 1]), r"MLP\(2, \[3, 1\], 'relu'\)"),
        (MLP(2, [3, 1]), MLP(2, [3, 1], "tanh"), r"'tanh'\), got MLP\(2, \[3, 1\], 'relu'\)"),
        (MLP(2, [3, 1]), Layer(2, 1), r"expected neurons\.0\.w of 2, neurons\.0\.b, got layers\.0"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(path, saved, into, words):
    save(saved, path)
    before = into.state_dict()
    kind = type(into).__name__
    with pytest.raises(ValueError, match=f"m.json does not fit the {kind} to load .*: .*{words}"):
        load(path, into=into)
    assert into.state_dict() == before


def test_places_that_are_not_side_by_side_are_told_by_name(path):
    def make(*keys):
        module = Module()
        module.rows = {key: Value(1.0) for key in keys}
        return module

    save(make(0, 5), path)
    with pytest.raises(ValueError, match=r"expected rows\.4, got rows\.5"):
        load(path, into=make(0, 4))


@pytest.mark.parametrize("into", [MLP, {}, 3.0])
def test_only_into_a_module(model, path, into):
    save(model, path)
    with pytest.raises(TypeError, match="load expected a Module"):
        load(path, into=into)


@pytest.mark.parametrize(
    ("part", "key", "what", "message"),
    [
        ("model", "extra", 1, "model expected the keys class, got"),
        ("weights", "w", None, "w expected a finite number, got None"),
        ("weights", "w", True, "w expected a finite number, got True"),
        ("weights", "w", 10**400, "w expected a finite number, got 1000"),
    ],
)
def test_weights_of_a_module_that_are_damaged(path, part, key, what, message):
    save(Line(w=1.0), path)
    document = json.loads(path.read_text())
    document[part][key] = what
    path.write_text(json.dumps(document))
    line = Line(w=3.0)
    start = f"{re.escape(str(path))} is not a model that brickgrad saved: .*"
    with pytest.raises(ValueError, match=start + message):
        load(path, into=line)
    assert line.w.data == 3.0


def test_names_as_long_as_they_like(path):
    save(Line(w=1.0), path)
    document = json.loads(path.read_text())
    document["weights"] = {"w" + ".1" * 200_000 + "x": 1.0, "w." + "9" * 5000: 1.0}
    document["model"]["class"] = "x" * 100_000
    path.write_text(json.dumps(document))
    for into in ({}, {"into": Line(w=1.0)}):
        with pytest.raises(ValueError, match=r"m\.json") as caught:
            load(path, **into)
        assert len(str(caught.value)) < 600


# --- what save refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "got"),
    [
        ({}, "dict"),
        (None, "NoneType"),
        ([MLP(2, [1])], "list"),
        (MLP, "the class MLP"),
        (Value(1.0), "Value"),
    ],
)
def test_only_a_module_is_saved(thing, got, path):
    with pytest.raises(TypeError, match=f"save expected a Module, such as a net, got {got}: keep"):
        save(thing, path)
    assert not path.exists()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_leave_the_former_file(model, path, number):
    save(model, path)
    before = path.read_bytes()
    model.layers[1].neurons[0].b.data = number
    name = r"layers\.1\.neurons\.0\.b"
    with pytest.raises(ValueError, match=f"{name} expected a finite number, got {number}"):
        save(model, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("meta", [{"x": math.nan}, {"x": [math.inf]}])
def test_meta_that_is_not_finite(model, path, meta):
    with pytest.raises(ValueError, match="expected finite numbers, got"):
        save(model, path, meta)
    assert not path.exists()


def test_meta_that_json_cannot_hold(model, path):
    with pytest.raises(TypeError, match="set"):
        save(model, path, {"x": {1}})
    assert os.listdir(path.parent) == []


# --- files that are broken -------------------------------------------------------------------


def test_load_names_what_it_leaves_out(path):
    save(MLP(2, [1], seed=0), path, meta={"scaling": [1.0], "columns": ["a", "b"]})
    with pytest.warns(UserWarning, match=r"m.json holds \['scaling', 'columns'\] beside"):
        load(path)


def refuses(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is not a model that brickgrad saved: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"hello", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe{}", "codec can't decode"),
        (b"\x80\x04}q\x00.", "codec can't decode"),
        (b"[]", r"the file expected an object, got \[\]"),
        (b"3", "the file expected an object, got 3"),
        (b"null", "the file expected an object, got None"),
        (b"{}", "expected format 'brickgrad model' version 1, got None version None"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands there twice"),
        (b'{"a": NaN}', "expected finite numbers, got NaN"),
        (b'{"a": -Infinity}', "expected finite numbers, got -Infinity"),
        (b'{"a": 1e999}', "expected a finite number, got inf"),
        (b"[" * 100_000, "recursion"),
        (b"1" * 5000, "Exceeds the limit"),
    ],
)
def test_contents_that_are_no_model(path, content, message):
    path.write_bytes(content)
    refuses(path, message)


NAME = "layers.0.neurons.1.w.0"


@pytest.mark.parametrize(
    ("where", "what", "message"),
    [
        (["format"], "other", "format 'brickgrad model' version 1, got 'other' version 1"),
        (["version"], 2, "got 'brickgrad model' version 2"),
        (["version"], True, "got 'brickgrad model' version True"),
        (["version"], "1", "got 'brickgrad model' version '1'"),
        (["extra"], 1, "the file expected the keys .*, got .*extra"),
        (["meta"], [], r"meta expected an object, got \[\]"),
        (["model"], [], r"model expected an object, got \[\]"),
        (["weights"], [0.5], r"weights expected an object, got \[0.5\]"),
        (["model", "extra"], 1, "model expected the keys nin, .*, got .*extra"),
        (["model", "nin"], 3, r"17 weights do not make a net of sizes \[3, 3, 2\]"),
        (["model", "nin"], "2", "must be an int, got '2'"),
        (["model", "nin"], 2.0, "must be an int, got 2.0"),
        (["model", "nin"], True, "must be an int, got True"),
        (["model", "nin"], 0, "must be at least 1, got 0"),
        (["model", "nin"], None, "must be an int, got None"),
        (["model", "nouts"], [3], r"17 weights do not make a net of sizes \[2, 3\]"),
        (["model", "nouts"], [], r"17 weights do not make a net of sizes \[2\]"),
        (["model", "nouts"], 3, "nouts expected a list, got 3"),
        (["model", "nouts"], [3, -2], "must be at least 1, got -2"),
        (["model", "nouts"], [3, True], "must be an int, got True"),
        (["model", "nouts"], [[3], 2], r"must be an int, got \[3\]"),
        (["model", "activation"], 3, "activation expected a string, got 3"),
        (["model", "activation"], ["relu"], "activation expected a string, got"),
        (["model", "fused"], 1, "fused expected true or false, got 1"),
        (["weights", NAME], True, f"{NAME} expected a finite number, got True"),
        (["weights", NAME], "0.5", f"{NAME} expected a finite number, got '0.5'"),
        (["weights", NAME], None, f"{NAME} expected a finite number, got None"),
        (["weights", NAME], [0.5], f"{NAME} expected a finite number, got"),
        (["weights", NAME], {}, f"{NAME} expected a finite number, got"),
        (["weights", NAME], 10**400, f"{NAME} expected a finite number, got 1000"),
        (["weights", "w"], 0.5, "18 weights do not make a net"),
    ],
)
def test_documents_that_are_no_model(path, document, where, what, message):
    part = document
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = what
    path.write_text(json.dumps(document))
    refuses(path, message)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("swoosh", r"no activation 'swoosh', .* There are: linear, "),
        ("rellu", "no activation 'rellu', did you mean 'relu'"),
        ("__init__", "no activation '__init__'"),
    ],
)
def test_a_net_of_an_operation_that_is_not_defined_here(path, document, name, words):
    document["model"]["activation"] = name
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=words) as caught:
        load(path)
    start = f"{path} is a net of the activation {name!r}, which is not defined here: if it is an op"
    assert str(caught.value).startswith(start)
    assert "your own, `define` it first, as before saving; else there is " in str(caught.value)


def test_a_net_of_an_operation_of_ones_own(path):
    bump = {"name": "bumpy", "symbol": "bumpy", "formula": "exp(-x * x)"}
    define(*bump.values(), "-2 * x * z", at=[(0.5,)])
    model = MLP(2, [2, 1], "bumpy", seed=0)
    save(model, path)
    op = ops.OPS.pop("bumpy")
    try:
        with pytest.raises(ValueError, match=r"the activation 'bumpy', .*`define` it first"):
            load(path)
    finally:
        enter(op)
    assert load(path).state_dict() == model.state_dict()
    del ops.OPS["bumpy"]


@pytest.mark.parametrize("key", ["format", "version", "model", "weights", "meta"])
def test_a_key_is_missing(path, document, key):
    del document[key]
    path.write_text(json.dumps(document))
    headed = key in ("format", "version")
    keys = "the file expected the keys format, version, model, weights, meta, got"
    refuses(path, "expected format 'brickgrad model' version 1, got" if headed else keys)


@pytest.mark.parametrize("key", ["nin", "nouts", "activation", "fused"])
def test_a_setting_is_missing(path, document, key):
    del document["model"][key]
    path.write_text(json.dumps(document))
    refuses(path, "model expected the keys nin, nouts, activation, fused, got")


def test_a_weight_under_another_name(path, document):
    document["weights"]["other"] = document["weights"].pop(NAME)
    path.write_text(json.dumps(document))
    refuses(path, rf"missing: \['{NAME}'\], unknown: \['other'\]")


@pytest.mark.parametrize("nin", [10**7, 10**12, 10**4000], ids=["7", "12", "4000"])
def test_a_huge_size_allocates_nothing(path, document, nin):
    document["model"]["nin"] = nin
    document["model"]["nouts"] = [nin]
    path.write_text(json.dumps(document))
    tracemalloc.start()
    refuses(path, "17 weights do not make a net of sizes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_mutated_files_give_a_value_error_or_a_net(path, model):
    save(model, path, META)
    good = path.read_bytes()
    rng = random.Random(8)
    refused = accepted = 0
    for _ in range(1500):
        content = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(content))
            stop = start + rng.choice((0, 1, 1, 4))
            content[start:stop] = rng.choice((b"", b"0", b"9", b"e9", b"-", b'"', b"[", b"\xc3"))
        path.write_bytes(content)
        try:
            twin, _ = load_with_meta(path)
        except ValueError as error:
            refused += str(error).startswith(str(path))
        else:
            accepted += all(map(math.isfinite, twin.state_dict().values()))
    assert refused + accepted == 1500
    assert min(refused, accepted) > 50


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"m\.json"):
        load(path)


# --- writing ---------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_former_file_alone(model, path, monkeypatch):
    save(model, path)
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    model.layers[0].neurons[0].b.data = 7.0
    with pytest.raises(OSError, match=r"No space left on device: '.*m\.json'"):
        save(model, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["m.json"]


def test_a_folder_that_is_not_there(model, path):
    with pytest.raises(FileNotFoundError, match=r"other/m\.json'"):
        save(model, path.parent / "other" / "m.json")


def test_the_file_is_on_the_disk_before_it_takes_its_name(model, path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, real=real, name=name: (events.append(name), real(*a))[1]
        )
    save(model, path)
    assert events == ["fsync", "replace", "fsync"]


def test_a_link_still_points_where_it_did(model, tmp_path):
    folder = tmp_path / "real"
    folder.mkdir()
    link = tmp_path / "m.json"
    link.symlink_to(folder / "m.json")
    save(model, link)
    assert link.is_symlink()
    assert load(folder / "m.json").state_dict() == model.state_dict()


def test_a_new_file_has_the_rights_of_any_new_file(model, path):
    save(model, path)
    other = path.with_name("other")
    with builtins.open(other, "w"):
        assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.whole
def test_a_killed_save_never_leaves_half_a_file(path, amount):
    code = (
        "import sys; from nn.module import MLP; from nn.save import save\n"
        "models = [MLP(20, [20, 2], seed=s) for s in (1, 2)]\n"
        "save(models[0], sys.argv[1]); print('ready', flush=True)\n"
        "while True:\n"
        "    for model in models: save(model, sys.argv[1])\n"
    )
    whole = [MLP(20, [20, 2], seed=s).state_dict() for s in (1, 2)]
    for k in range(0, 8, amount(4, 1, 1)):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )
        assert process.stdout.readline() == b"ready\n"
        try:
            process.wait(0.004 * k)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        assert load(path).state_dict() in whole
