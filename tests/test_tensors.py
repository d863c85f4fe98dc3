"""Files of safetensors: there and back, to PyTorch and from it, and what is refused."""

import json
import math
import re
import struct
from pathlib import Path

import pytest

import nn
from engine.functions import define
from engine.value import Value
from nn.cli import main
from nn.module import MLP, Layer, Module, Neuron
from nn.save import load, load_with_meta, save

numpy = pytest.importorskip("numpy")
library = pytest.importorskip(
    "safetensors.numpy", reason="needs the extra safetensors: pip install -e .[safetensors]"
)

META = {"columns": ["a", "b"], "mean": [0.1, 2.0], "classes": ["x", "ÿ"], "none": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


@pytest.fixture
def model():
    return MLP(2, [3, 2], "tanh", seed=5)


def foreign(path, tensors, note=None):
    """A file as somebody else writes it."""
    metadata = None if note is None else {"brickgrad": note}
    path.write_bytes(library.save(tensors, metadata))


def arrays(**numbers):
    return {name.replace("_", "."): numpy.array(x) for name, x in numbers.items()}


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "linear", "sin"])
@pytest.mark.parametrize("sizes", [(1, [1]), (2, [3, 2]), (3, [4, 4, 1])])
def test_the_same_net_comes_back(path, sizes, activation, fused):
    model = MLP(*sizes, activation, fused=fused, init="he", seed=1)
    save(model, path)
    twin = load(path)
    assert repr(twin) == repr(model)
    assert twin.state_dict() == model.state_dict()
    assert twin.layers[0].neurons[0].fused is fused
    other = MLP(*sizes, activation, seed=7)
    assert load(path, into=other) is other
    assert other.state_dict() == model.state_dict()


def test_every_bit_comes_back(path):
    numbers = [5e-324, -0.0, 1.7976931348623157e308]
    model = Neuron(2)
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number
    save(model, path)
    assert [p.data.hex() for p in load(path).parameters()] == [x.hex() for x in numbers]


@pytest.mark.parametrize(
    "make", [lambda s: Layer(2, 3, "gelu", seed=s), lambda s: Neuron(2, seed=s)]
)
def test_layers_and_neurons_come_back_into_their_like(path, make):
    save(make(1), path)
    twin = load(path, into=make(2))
    assert twin.state_dict() == make(1).state_dict()
    assert type(load(path)) is MLP


def test_meta_comes_back(model, path):
    save(model, path, META)
    assert load_with_meta(path)[1] == META
    with pytest.warns(UserWarning, match="beside the net: `nn.load_with_meta` gives both"):
        load(path)
    with pytest.raises(ValueError, match="expected finite numbers, got NaN"):
        save(model, path, {"x": math.nan})
    assert load_with_meta(path)[1] == META


def test_the_suffix_may_be_of_capitals(model, tmp_path):
    save(model, tmp_path / "M.SafeTensors")
    library.load_file(tmp_path / "M.SafeTensors")
    assert load(tmp_path / "M.SafeTensors").state_dict() == model.state_dict()


# --- PyTorch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["linear", "tanh", "softplus"])
def test_pytorch_loads_it_with_all_keys_matched(path, activation):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    model = MLP(3, [4, 4, 2], activation, seed=3)
    save(model, path)
    state = files.load_file(path)
    twin = torch.nn.Sequential(
        *(layer for sizes in ((3, 4), (4, 4), (4, 2)) for layer in layers(torch, activation, sizes))
    )
    twin = (twin if activation == "linear" else twin[:-1]).double()
    assert str(twin.load_state_dict(state, strict=True)) == "<All keys matched successfully>"
    x = [0.3, -0.2, 0.9]
    theirs = twin(torch.tensor(x, dtype=torch.float64)).tolist()
    assert [y.data for y in model(x)] == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def layers(torch, activation, sizes):
    kind = {"tanh": "Tanh", "softplus": "Softplus"}.get(activation)
    return [torch.nn.Linear(*sizes), *([getattr(torch.nn, kind)()] if kind else [])]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_file_that_pytorch_wrote(path, dtype, bias):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    module = torch.nn.Sequential(
        torch.nn.Linear(2, 3, bias=bias), torch.nn.Tanh(), torch.nn.Linear(3, 2, bias=bias)
    ).to(getattr(torch, dtype))
    files.save_file(module.state_dict(), path)
    with pytest.raises(ValueError, match=r"its net has: .*into=MLP\(2, \[3, 2\], \"relu\"\)\)$"):
        load(path)
    model = load(path, into=MLP(2, [3, 2], "tanh"))
    x = [0.3, -0.7]
    theirs = module.double()(torch.tensor(x, dtype=torch.float64)).tolist()
    assert [y.data for y in model(x)] == pytest.approx(theirs, rel=1e-12, abs=1e-12)


# --- what does not fit ----------------------------------------------------------------------------


NET = {"0_weight": [[1.0, 2.0]] * 3, "0_bias": [0.0] * 3, "2_weight": [[1.0] * 3], "2_bias": [0.5]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"0_weight": None}, r"expected the tensors of 0.weight, 2.weight, got 0.bias, 2.bias, 2"),
        ({"4_weight": [[1.0]]}, r"expected the tensors of 0.weight, 2.weight, got 0.bias, .*4.wei"),
        ({"0_weight": [1.0, 2.0, 3.0]}, "0.weight expected rows of some numbers, got 3"),
        ({"0_weight": [[], [], []]}, "0.weight expected rows of some numbers, got 3 x 0"),
        ({"2_weight": [[1.0] * 4]}, "2.weight expected rows of 3 numbers, got 1 x 4"),
        ({"0_bias": [0.0] * 4}, "0.bias expected 3 numbers, got 4"),
        ({"2_bias": 0.5}, "2.bias expected 1 numbers, got one number"),
        ({"0_bias": [0, 1, 2]}, "0.bias expected F64, F32, F16, BF16, got I64"),
        ({"0_bias": [0.0, math.inf, 2.0]}, "0.bias expected a finite number, got inf"),
        ({"0_weight": [[1.0] * 5] * 3}, "expected 2 x 3 relu; 3 x 1 linear, got 5 x 3 relu; 3 x 1"),
    ],
)
def test_tensors_that_do_not_fit_change_nothing(path, changes, words):
    numbers = {name: x for name, x in {**NET, **changes}.items() if x is not None}
    foreign(path, arrays(**numbers))
    net = MLP(2, [3, 1], seed=0)
    before = net.state_dict()
    with pytest.raises(ValueError, match=rf"m\.safetensors cannot be loaded: .*{words}"):
        load(path, into=net)
    assert net.state_dict() == before


def test_a_net_of_other_activations_or_sizes(model, path):
    save(model, path)
    for other, got in (
        (MLP(2, [3, 2], "relu"), "expected 2 x 3 relu; 3 x 2 linear, got 2 x 3 tanh; 3 x 2 linear"),
        (MLP(2, [4, 2], "tanh"), "expected 2 x 4 tanh; 4 x 2 linear, got 2 x 3 tanh; 3 x 2 linear"),
        (Layer(2, 3, "tanh"), "expected 2 x 3 tanh, got 2 x 3 tanh; 3 x 2 linear"),
    ):
        before = other.state_dict()
        with pytest.raises(ValueError, match=f"cannot be loaded: {got}$"):
            load(path, into=other)
        assert other.state_dict() == before


class Line(Module):
    def __init__(self):
        self.w = Value(1.0)


def test_only_stacks_of_layers(model, path):
    save(model, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"save to \.safetensors expected an MLP, .*got Line"):
        save(Line(), path)
    with pytest.raises(TypeError, match=r"load of \.safetensors expected an MLP, .*got Line"):
        load(path, into=Line())
    with pytest.raises(TypeError, match="save expected a Module, such as a net, got dict"):
        save({}, path)
    model.layers[1].neurons[0].b.data = math.nan
    with pytest.raises(ValueError, match=r"2\.bias expected a finite number, got nan"):
        save(model, path)
    assert path.read_bytes() == before


def test_an_activation_of_ones_own(path):
    define("bump", "bump", "exp(-x * x)", "-2 * x * z", at=[(0.5,)])
    save(MLP(2, [3, 1], "bump"), path)
    assert load(path).layers[0].neurons[0].activation == "bump"
    note = json.dumps(note_of(path) | {"activations": ["bumb", "linear"]})
    foreign(path, arrays(**NET), note)
    with pytest.raises(ValueError, match="loaded: it is a net of the activation 'bumb', which is"):
        load(path)


def note_of(path):
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<q", raw[:8])[0]])
    return json.loads(header["__metadata__"]["brickgrad"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "expected format 'brickgrad tensors' version 1, got"),
        ({"fused": 1}, "fused expected true or false, got 1"),
        ({"meta": []}, "meta expected an object, got"),
        ({"more": 1}, "the file expected the keys format, version, activations, fused, meta, got"),
        ({"activations": "tanh"}, "activations expected a list, got 'tanh'"),
        ({"activations": []}, "expected the tensors of none, got 0.bias"),
        (
            {"activations": [["tanh"], "linear"]},
            r"it is a net of the activation \['tanh'\], which is",
        ),
        (
            {"activations": ["tanh"] * 3},
            "expected the tensors of 0.weight, 2.weight, 4.weight, got",
        ),
    ],
)
def test_a_note_that_is_damaged(path, model, change, words):
    save(model, path)
    tensors, note = library.load_file(path), note_of(path)
    foreign(path, tensors, json.dumps(note | change))
    with pytest.raises(ValueError, match=f"cannot be loaded: {words}"):
        load(path)


@pytest.mark.parametrize("note", ["", "{", "[" * 100_000, '{"a": 1, "a": 2}', "[NaN]", "null", "1"])
def test_a_note_that_is_no_document(path, note):
    foreign(path, arrays(**NET), note)
    with pytest.raises(ValueError, match=r"m\.safetensors cannot be loaded: "):
        load(path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"brickgrad": 1}, []], ids=repr)
def test_what_others_write_beside_the_tensors(path, metadata):
    save(net := MLP(1, [1], seed=0), path)
    raw = path.read_bytes()
    end = 8 + struct.unpack("<q", raw[:8])[0]
    header = json.dumps(json.loads(raw[8:end]) | {"__metadata__": metadata}).encode()
    path.write_bytes(struct.pack("<q", len(header)) + header + raw[end:])
    if metadata == [] or (metadata or {}).get("brickgrad"):
        words = "it is no file of safetensors"  # by which metadata are texts by names
    else:
        words = "it does not say which activations"
        assert load(path, into=MLP(1, [1])).state_dict() == net.state_dict()
    with pytest.raises(ValueError, match=f"cannot be loaded: {words}"):
        load(path)


def test_bytes_that_are_damaged_are_an_error_or_other_numbers(path, model):
    save(model, path)
    whole = path.read_bytes()
    refused = 0
    for k in range(0, len(whole), 3):
        for spoilt in (whole[:k], whole[:k] + bytes([whole[k] ^ 0x15]) + whole[k + 1 :]):
            path.write_bytes(spoilt)
            try:
                numbers = load(path).state_dict().values()
            except ValueError as error:
                refused += 1
                assert str(error).startswith(f"{path} cannot be loaded: ")  # noqa: PT017 (some load)
            else:
                assert len(numbers) == 17
                assert all(map(math.isfinite, numbers))
    assert refused > len(whole) / 3


def test_a_file_of_the_other_format(model, tmp_path):
    save(model, tmp_path / "a.json")
    (tmp_path / "a.json").rename(tmp_path / "b.safetensors")
    with pytest.raises(
        ValueError, match=r"b\.safetensors cannot be loaded: it is no file of safet"
    ):
        load(tmp_path / "b.safetensors")
    save(model, tmp_path / "c.safetensors")
    (tmp_path / "c.safetensors").rename(tmp_path / "d.json")
    with pytest.raises(ValueError, match=r"d\.json is not a model that brickgrad saved: "):
        load(tmp_path / "d.json")


# --- the command ----------------------------------------------------------------------------------


def test_the_command_takes_such_a_file_if_it_says_what_its_columns_are(trained, path, capsys):
    model, meta = load_with_meta(trained / "model.json")
    save(model, path, meta)
    answers, data = [], Path(nn.__file__).with_name("iris.csv")
    for name in (trained / "model.json", path):
        assert main(["predict", str(name), str(data)]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    save(model, path)
    assert main(["predict", str(path), str(data)]) == 2
    said = capsys.readouterr().err
    assert re.search(r"m\.safetensors holds a net, but not .*expected a model\.json of", said)
