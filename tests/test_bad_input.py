"""Row f of the battery: bad input, with the exact type and message of its error.

Under `python -O` too: checks are not asserts.
"""

import subprocess
import sys
from math import nan
from pathlib import Path

import pytest
from files import BAD as BAD_FILES
from files import table, told

from engine.check import GradientError, check_grads
from engine.derivatives import grad
from engine.functions import cross_entropy, define, dot, exp, logsumexp, pick, softmax
from engine.functions import max as largest
from engine.pictures.draw import draw
from engine.pictures.steps import steps
from engine.replay.replay import ReplayError, replay
from engine.value import Value
from nn.data import DataError, Dataset, iris, load_csv, moons, one_hot, split
from nn.loss import binary_cross_entropy, hinge, mse
from nn.module import MLP, Neuron
from nn.optim import SGD, Adam, cosine
from nn.save import load, save
from nn.train import fit

ROOT = Path(__file__).parents[1]
NAMES = {
    thing.__name__: thing
    for thing in (
        *(Value, check_grads, grad, draw, cross_entropy, define, dot, exp, logsumexp, pick),
        *(
            softmax,
            replay,
            steps,
            load_csv,
            moons,
            one_hot,
            split,
            binary_cross_entropy,
            hinge,
            mse,
            MLP,
        ),
        *(Neuron, SGD, Adam, cosine, load, save, fit),
    )
}
NAMES |= {"max": largest, "nan": nan, "W": Value(1.0), "NET": Neuron(1, nonlin=False, seed=0)}
NAMES |= {"XY": ([[1.0], [2.0]], [1.0, 2.0])}
NAMES |= {"table": table, "told": told, "Dataset": Dataset, "iris": iris}

BAD: list[tuple[str, type[Exception], str]] = [  # "..." stands for a list that may grow
    ('Value("1")', TypeError, "expected a real number, got str ('1')"),
    ("Value([1])", TypeError, "expected a real number, got list ([1])"),
    ("Value(1j)", TypeError, "expected a real number, got complex (1j)"),
    (
        "Value(Value(1.0))",
        TypeError,
        "expected a real number, got Value (Value(data=1.0, grad=0.0))",
    ),
    ("Value(None)", TypeError, "expected a real number, got NoneType (None)"),
    (
        "Value(1.0, 3)",
        TypeError,
        "Value expected a str as label, got int (3); "
        "operations of your own are made with engine.define",
    ),
    ('Value(1.0) * "ab"', TypeError, "expected a real number, got str ('ab')"),
    ("Value(1.0) + None", TypeError, "expected a real number, got NoneType (None)"),
    ("Value(1.0).data_", AttributeError, "'Value' object has no attribute 'data_'"),
    ('setattr(Value(1.0), "gard", 0)', AttributeError, "'Value' object has no attribute 'gard'..."),
    ('Value(1.0).leaky_relu("a")', TypeError, "expected a real number, got str ('a')"),
    ("Value(10**400)", OverflowError, "expected a number that fits a float, got int above 1.8e308"),
    ("dot([Value(1.0)], [])", ValueError, "dot expected two lists of one length, got 1 and 0"),
    (
        "dot([1.0, 2.0], [Value(1.0)])",
        ValueError,
        "dot expected two lists of one length, got 2 and 1",
    ),
    ("max([])", ValueError, "max expected at least one value, got none"),
    ("max()", ValueError, "max expected at least one value, got none"),
    ("softmax([])", ValueError, "softmax expected at least one value, got none"),
    (
        "cross_entropy([], 0)",
        ValueError,
        "cross_entropy expected at least one value, got none",
    ),
    ("logsumexp([])", ValueError, "logsumexp expected at least one value, got none"),
    (
        "cross_entropy([Value(1.0), Value(2.0)], 2)",
        ValueError,
        "cross_entropy expected a class from 0 to 1, got 2",
    ),
    (
        "cross_entropy([Value(1.0), Value(2.0)], [1.0])",
        ValueError,
        "cross_entropy expected 2 probabilities, got 1",
    ),
    (
        "cross_entropy([Value(1.0), Value(2.0)], -1)",
        ValueError,
        "cross_entropy expected a class from 0 to 1, got -1",
    ),
    (
        "cross_entropy([Value(1.0), Value(2.0)], 0.5)",
        TypeError,
        "cross_entropy expected a class index or a list of probabilities, got float (0.5)",
    ),
    (
        "pick([Value(1.0), Value(2.0)], 2)",
        IndexError,
        "pick expected an index from -2 to 1, one of 2 rows, got 2",
    ),
    (
        "pick([Value(1.0), Value(2.0)], 0.5)",
        TypeError,
        "pick expected a whole number as index, got float (0.5)",
    ),
    (
        "pick([Value(1.0), Value(2.0)], [0])",
        TypeError,
        "pick expected a whole number as index, got list ([0])",
    ),
    ("pick([], 0)", ValueError, "pick expected at least one value, got none"),
    (
        "pick([[1.0], [1.0, 2.0]], 0)",
        ValueError,
        "pick expected rows of one length, got 1 and 2 numbers",
    ),
    (
        "replay(lambda k: pick([Value(1.0), Value(2.0)], k))(-3)",
        IndexError,
        "pick expected an index from -2 to 1, one of 2 rows, got -3",
    ),
    ('exp("x")', TypeError, "expected a real number, got str ('x')"),
    (
        'define("exp", "exp", "x", "1.0", at=[(1.0,)])',
        ValueError,
        "define: the library has an operation 'exp'; choose another name",
    ),
    (
        'define("a b", "a", "x", "1.0", at=[(1.0,)])',
        ValueError,
        "define expected a name such as 'swish', got 'a b'",
    ),
    (
        'define("f", "f", "x", "1.0", at=[])',
        ValueError,
        "define('f') expected points to test at, such as at=[(0.5,)]",
    ),
    (
        'define("f", "f", "x", "2.0", at=[(1.0,)])',
        ValueError,
        "define('f'): the partial d/dx '2.0' is 2 at (1.0,), but small steps of 'x' give 1",
    ),
    (
        'define("f", "f", "x + w", "1.0", at=[(1.0,)])',
        ValueError,
        "formula 'x + w': no variable 'w'. There are: x",
    ),
    (
        'define("f", "f", "x.real", "1.0", at=[(1.0,)])',
        ValueError,
        "formula 'x.real': Attribute is not allowed here",
    ),
    (
        'define("f", "f", "x ^ 2", "1.0", at=[(1.0,)])',
        ValueError,
        "formula 'x ^ 2': BitXor is not allowed here; a power is written x ** 3",
    ),
    (
        'define("f", "f", "x * y", "y", "x", at=[(1.0,)])',
        ValueError,
        "define('f') has 2 partials and expected points such as (0.5, 2.0), got (1.0,)",
    ),
    (
        'define("f", "f", "__import__(\'os\')", "1.0", at=[(1.0,)])',
        ValueError,
        "formula \"__import__('os')\": no function '__import__'. There are: ...",
    ),
    ("grad(Value(1.0), 3.0)", TypeError, "grad expected Values, got float (3.0)"),
    ("grad(1.0, Value(1.0))", TypeError, "grad expected Values, got float (1.0)"),
    (
        "check_grads(lambda x: x * 0 + x.data, [1.0])",
        GradientError,
        "d f / d x at x = 1.0: the gradient says 0.0, differences say 1",
    ),
    (
        "check_grads(lambda x: x, [])",
        ValueError,
        "expected a point of at least one number or Value, got none",
    ),
    ("replay(3)", TypeError, "replay expected a function, got int"),
    (
        'replay(lambda x: x, backend="fortran")',
        ValueError,
        "replay expected a backend of auto, eager, python, numpy, wasm, c, got 'fortran'",
    ),
    ("replay(lambda x: x, check=0)", ValueError, "replay expected check of 1 or more calls, got 0"),
    (
        "replay(lambda x: x)({1, 2})",
        TypeError,
        "replay expected numbers, lists, tuples and dicts of them, or what can be told apart "
        "by hashing, got set: pass sorted(...) of it",
    ),
    ("replay(lambda x: x).source()", ReplayError, "<lambda> has no recording yet: call it first"),
    ("draw(3)", TypeError, "draw expected a Value, such as a loss, got int"),
    (
        "draw(Value(1.0), max_nodes=0)",
        ValueError,
        "max_nodes expected a whole number, at least 2, got 0",
    ),
    (
        'draw(Value(1.0)).save("a.txt")',
        ValueError,
        "save expected a name ending in .svg, .gv, .png, .pdf, got 'a.txt'",
    ),
    ("steps(3)", TypeError, "steps expected a Value, such as a loss, got int"),
    (
        'steps(Value(1.0)).save("a.txt")',
        ValueError,
        "save expected a name ending in .html, got 'a.txt'",
    ),
    ("Neuron(3)([1.0, 2.0])", ValueError, "Neuron(3) expected 3 inputs, got 2"),
    ("Neuron(3)([1.0] * 5)", ValueError, "Neuron(3) expected 3 inputs, got 5"),
    ("Neuron(0)", ValueError, "the number of inputs must be at least 1, got 0"),
    ("Neuron(-1)", ValueError, "the number of inputs must be at least 1, got -1"),
    ("Neuron(2.0)", TypeError, "the number of inputs must be an int, got 2.0"),
    ("Neuron(True)", TypeError, "the number of inputs must be an int, got True"),
    (
        'Neuron(2, activation="rellu")',
        ValueError,
        "no activation 'rellu', did you mean 'relu'? There are: ...",
    ),
    (
        'Neuron(2, init="large")',
        ValueError,
        "no init 'large'. There are: uniform, he, xavier, or a number",
    ),
    ("MLP(2, [0, 1])", ValueError, "the number of neurons must be at least 1, got 0"),
    (
        "MLP(2, [])",
        ValueError,
        "MLP expected at least 1 layer, got 0: write [1] for a single neuron",
    ),
    ("MLP(2, 3)", TypeError, "MLP expected a list of layer sizes such as [16, 1], got int"),
    ('MLP("2", [1])', TypeError, "the number of inputs must be an int, got '2'"),
    (
        "MLP(2, [1]).load_state_dict({})",
        ValueError,
        "MLP expected its 3 parameters, got 0 names; missing: ['layers.0.neurons.0.w.0', "
        "'layers.0.neurons.0.w.1', 'layers.0.neurons.0.b'], unknown: []",
    ),
    (
        "MLP(1, [1]).load_state_dict(dict.fromkeys(MLP(1, [1]).state_dict(), nan))",
        ValueError,
        "layers.0.neurons.0.w.0 expected a finite number, got nan",
    ),
    ('MLP(2, [1])([1.0, "a"])', TypeError, "expected a real number, got str ('a')"),
    (
        "mse([Value(1.0)], [1.0, 2.0])",
        ValueError,
        "mse expected predictions and targets of one shape, got a list of 1 and a list of 2",
    ),
    ("mse([], [])", ValueError, "mse expected at least 1 prediction, got 0"),
    ("hinge(Value(1.0), 0)", ValueError, "hinge expected targets -1 or 1, got 0"),
    (
        "binary_cross_entropy(Value(1.0), 2.0)",
        ValueError,
        "binary_cross_entropy expected targets from 0 to 1, got 2.0",
    ),
    ("SGD([], lr=0.1)", ValueError, "SGD expected at least 1 parameter, got 0"),
    (
        "SGD(Value(1.0), lr=0.1)",
        TypeError,
        "SGD expected a list of parameters, got Value: write model.parameters()",
    ),
    ("SGD([1.0], lr=0.1)", TypeError, "SGD expected Values, got float as parameter 0"),
    (
        "SGD([Value(1.0)], lr=-0.1)",
        ValueError,
        "lr expected a finite number of at least 0, got -0.1",
    ),
    (
        "SGD([Value(1.0)], lr=nan)",
        ValueError,
        "lr expected a finite number of at least 0, got nan",
    ),
    (
        'SGD([Value(1.0)], lr="fast")',
        ValueError,
        "lr expected a finite number of at least 0, got 'fast'",
    ),
    (
        "SGD([Value(1.0)], lr=0.1, nesterov=True)",
        ValueError,
        "nesterov expected a momentum above 0 and a dampening of 0, "
        "got momentum=0.0, dampening=0.0",
    ),
    (
        "SGD([Value(1.0) * 2], lr=0.1)",
        ValueError,
        "SGD can only move leaves: parameter 0 is the result of mul",
    ),
    (
        "SGD([W, W], lr=0.1)",
        ValueError,
        "SGD expected each parameter once, got one of them twice, at 0 and 1: of models that share "
        "a layer write [*dict.fromkeys(a.parameters() + b.parameters())], or keep both in one "
        "Module, whose parameters() has each once",
    ),
    (
        "Neuron(2, nonlin=None)",
        TypeError,
        "nonlin expected True or False, got None",
    ),
    (
        "MLP(2, [16, 1])(1.0, 2.0)",
        TypeError,
        "MLP expected its inputs as one list, such as net([1.0, 2.0]), got 2 arguments",
    ),
    (
        "Adam([Value(1.0)], betas=(0.9, 1.0))",
        ValueError,
        "betas expected a finite number of at least 0 and below 1, got 1.0",
    ),
    ("Adam([Value(1.0)], betas=0.9)", ValueError, "betas expected a list of numbers, got 0.9"),
    (
        "Adam([Value(1.0)], eps=0.0)",
        ValueError,
        "eps expected a finite number of at least 2.22507e-308, got 0.0",
    ),
    (
        "Adam([Value(1.0)]).load_state_dict({})",
        ValueError,
        "Adam expected ['lr', 'betas', 'eps', 'weight_decay', "
        "'steps', 'mean', 'mean_square'], got []",
    ),
    ("cosine(0.1, 0)", ValueError, "the number of steps must be at least 1, got 0"),
    ("fit(NET, mse, XY, lr=0.1)", ValueError, "fit expected one of steps and epochs"),
    (
        'fit(NET, mse, XY, optimizer="sgd", steps=1)',
        TypeError,
        "fit expected an optimizer, such as SGD(model.parameters(), lr=0.1), got 'sgd'",
    ),
    (
        "fit(NET, mse, XY, steps=1)",
        ValueError,
        "fit expected lr (a number, or a function of the step) or optimizer",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=0)",
        ValueError,
        "the number of steps must be at least 1, got 0",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, epochs=1)",
        ValueError,
        "fit expected one of steps and epochs",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, batch_size=0)",
        ValueError,
        "the number of points in a batch must be at least 1, got 0",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, early_stop=2)",
        ValueError,
        "early_stop expected validation data to look at",
    ),
    (
        'fit(NET, mse, XY, lr=0.1, steps=1, backend="fortran")',
        ValueError,
        "replay expected a backend of auto, eager, python, numpy, wasm, c, got 'fortran'",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, every=0)",
        ValueError,
        "the number of steps between checkpoints must be at least 1, got 0",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, every=100)",
        ValueError,
        "every=100 says how often a checkpoint is written, and none is: give checkpoint='run.json' "
        "too, or leave every out",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, every=5, resume='a.json')",
        ValueError,
        "every=5 says how often a checkpoint is written, and none is: give checkpoint='a.json' "
        "too, or leave every out",
    ),
    (
        "fit(NET, None, XY, lr=0.1, steps=1)",
        TypeError,
        "fit expected a loss, a function such as nn.mse, got None",
    ),
    (
        "fit(NET, mse, ([], []), lr=0.1, steps=1)",
        ValueError,
        "data has no rows: there is nothing to learn from",
    ),
    (
        "fit(NET, mse, ([[1.0]], [1.0, 2.0]), lr=0.1, steps=1)",
        ValueError,
        "data has 1 rows in xs but 2 targets in ys",
    ),
    *(
        (
            f"fit(NET, mse, {data}, lr=0.1, steps=1)",
            ValueError,
            f"data must be a pair of lists, (xs, ys), got {words}",
        )
        for data, words in {
            "3": "int",
            "'data.csv'": "the text 'data.csv': nn.load_csv reads a file",
            '{"x": [1.0], "y": [2.0]}': "a dict: give 'x' and 'y' of it as a pair",
            "mse": "function: the order is model, loss, data",
            "[([1.0], 2.0)] * 3": "3 pairs: xs, ys = zip(*pairs) makes two lists of them",
            "[1.0, 2.0, 3.0]": "3 things",
        }.items()
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, validation=0.2)",
        ValueError,
        "validation must be a pair of lists, (xs, ys), got 0.2: nn.split keeps a share of the "
        "rows aside",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, stpes=1)",
        TypeError,
        "fit has no argument 'stpes', did you mean 'steps'? There are: model, loss, data, "
        "steps, epochs, batch_size, replacement, optimizer, lr, validation, early_stop, "
        "callbacks, seed, penalty, progress, backend, checkpoint, every, resume, executor, shards",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, callbacks=print)",
        TypeError,
        "callbacks expected a list of functions, such as [print], got <built-in function print>",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, callbacks=[3])",
        TypeError,
        "a callback expected a function, got 3",
    ),
    (
        "fit(NET, mse, XY, lr=0.1, steps=1, penalty=0.1)",
        TypeError,
        "penalty expected a function, got 0.1",
    ),
    (
        "fit(MLP, mse, XY, lr=0.1, steps=1)",
        TypeError,
        "fit expected a model, got the class MLP: make one, such as net = MLP(2, [16, 1])",
    ),
    (
        "fit(lambda x: 0.5, mse, XY, lr=0.1, steps=1)",
        ValueError,
        "example 0 does not fit: the model returned 0.5, expected Values: are its weights "
        "Values, and computed with, not with their .data?",
    ),
    (
        "fit(NET, mse, ([[1.0]], [True]), lr=0.1, steps=1)",
        ValueError,
        "ys[0] expected a finite number, got True: write int(x) for 1 or 0",
    ),
    (
        "fit(NET, mse, ([[nan]], [1.0]), lr=0.1, steps=1)",
        ValueError,
        "xs[0][0] expected a finite number, got nan",
    ),
    (
        "fit(NET, mse, ([[1.0, 2.0]], [1.0]), lr=0.1, steps=1)",
        ValueError,
        "example 0 does not fit: Neuron(1) expected 1 inputs, got 2",
    ),
    (
        'fit(NET, mse, ([["a"]], [1.0]), lr=0.1, steps=1)',
        ValueError,
        "xs[0][0] expected a finite number, got 'a': texts need numbers of their own, such as "
        "names.index(text)",
    ),
    (
        'fit(NET, mse, ([[type("Text", (str,), {})("a")]], [1.0]), lr=0.1, steps=1)',
        ValueError,
        "xs[0][0] expected a finite number, got 'a': texts need numbers of their own, such as "
        "names.index(text)",
    ),
    (
        "fit(NET, mse, ([[1.0]], [None]), lr=0.1, steps=1)",
        ValueError,
        "ys[0] expected a finite number, got None",
    ),
    ("moons(2)", ValueError, "expected at least 4 points, got 2"),
    ("moons(10, noise=-1)", ValueError, "noise expected a finite number of at least 0, got -1"),
    (
        "split(XY, 2.0)",
        ValueError,
        "split expected a fraction between 0 and 1 that leaves rows on both "
        "sides, got 2.0 of 2 rows",
    ),
    ("one_hot(3, 2)", ValueError, "one_hot expected an index from 0 to 1, got 3"),
    (
        'load_csv("/nowhere.csv", "a")',
        DataError,
        "/nowhere.csv: cannot read it: No such file or directory",
    ),
    (
        'save(3, "/nowhere.json")',
        TypeError,
        "save expected a Module, such as a net, got int: keep Values in attributes of a "
        "class of your own that inherits from nn.Module",
    ),
    (
        'load("/nowhere.json")',
        FileNotFoundError,
        "[Errno 2] No such file or directory: '/nowhere.json'",
    ),
]

BAD += BAD_FILES


def wrong(text, kind, message):
    """What is not as in the table; None where all is."""
    try:
        result = eval(text, dict(NAMES))
    except Exception as error:
        exact = str(error) == message
        begins = message.endswith("...") and str(error).startswith(message.removesuffix("..."))
        if type(error) is kind and (exact or begins):
            return None
        return f"{type(error).__name__}: {error}"
    return f"no error, but {result!r}"


@pytest.mark.some(6)  # the next test takes all of them
@pytest.mark.parametrize(("text", "kind", "message"), BAD, ids=[text for text, *_ in BAD])
def test_bad_input_has_an_error_of_its_own(text, kind, message):
    found = wrong(text, kind, message)
    if found:
        pytest.fail(f"{text}\nexpected {kind.__name__}: {message}\ngot {found}")


@pytest.mark.whole
def test_the_same_under_python_o(figure):
    program = "from test_bad_input import BAD, wrong\nfor row in BAD: print(wrong(*row))"
    done = subprocess.run(
        [sys.executable, "-O", "-W", "ignore", "-c", f"assert False\n{program}"],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": f"{ROOT}:{':'.join(sys.path)}"},
        capture_output=True,
        check=True,
        text=True,
    )
    found = done.stdout.splitlines()
    if found != ["None"] * len(BAD):
        pytest.fail("\n".join(line for line in found if line != "None"))
    figure("f", "bad inputs, also under python -O: other type or message", len(BAD))


def test_a_wrong_row_is_seen():
    rows = [("1 / 0", ValueError, "division by zero"), ("1 / 0", ZeroDivisionError, "other")]
    for row in [*rows, ("1", ValueError, "")]:
        if wrong(*row) is None:
            pytest.fail(f"{row} was taken")
