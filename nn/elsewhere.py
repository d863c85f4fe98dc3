"""Names that other libraries use, such as `MSELoss`, and what to write here: for error messages."""

import sys
from collections.abc import Collection
from difflib import get_close_matches
from typing import NoReturn

LOGITS = "nn.binary_cross_entropy, of logits: numbers before the sigmoid"
COUNTERPARTS = {  # of PyTorch, Keras, scikit-learn, micrograd
    "bce": LOGITS,
    "bce_loss": LOGITS,
    "BCELoss": LOGITS,
    "BCEWithLogitsLoss": LOGITS,
    "binary_cross_entropy_with_logits": LOGITS,
    "log_loss": LOGITS,
    "ce": "nn.cross_entropy",
    "CrossEntropyLoss": "nn.cross_entropy",
    "mse_loss": "nn.mse",
    "MSELoss": "nn.mse",
    "mean_squared_error": "nn.mse",
    "l1_loss": "nn.mae",
    "L1Loss": "nn.mae",
    "mean_absolute_error": "nn.mae",
    "hinge_loss": "nn.hinge",
    "weight_decay": "nn.l2 as a penalty, or the weight_decay of an optimiser",
    "Linear": 'nn.Layer(nin, nout, "linear")',
    "Dense": 'nn.Layer(nin, nout, "linear")',
    "ReLU": 'engine.relu, or nn.MLP(nin, [16, 1], "relu") for a net',
    "Tanh": 'engine.tanh, or nn.MLP(nin, [16, 1], "tanh") for a net',
    "Sigmoid": 'engine.sigmoid, or nn.MLP(nin, [16, 1], "sigmoid") for a net',
    "GELU": 'engine.gelu, or nn.MLP(nin, [16, 1], "gelu") for a net',
    "Softmax": "engine.softmax, or nn.cross_entropy, of numbers before it",
    "Sequential": "nn.MLP, or a nn.Module of your own",
    "MLPClassifier": "nn.MLP",
    "MLPRegressor": "nn.MLP",
    "Embedding": "engine.pick, from a table of Values",
    "Parameter": "engine.Value: each one in an attribute of a Module is a parameter",
    "save_file": 'nn.save to a path that ends in ".safetensors"',
    "load_file": 'nn.load of a path that ends in ".safetensors"',
    "StepLR": "nn.step",
    "LinearLR": "nn.linear",
    "ConstantLR": "nn.constant",
    "CosineAnnealingLR": "nn.cosine",
    "train_test_split": "nn.split",
    "StandardScaler": "nn.standardise",
    "standardize": "nn.standardise",
    "make_moons": "nn.moons",
    "make_circles": "nn.circles",
    "load_iris": "nn.iris",
    "load_digits": "nn.digits",
    "read_csv": "nn.load_csv",
    "onehot": "nn.one_hot",
    "sgd": "nn.stochastic_gradient_descent, or nn.SGD",
    "gd": "nn.gradient_descent",
}


def __getattr__(name: str) -> NoReturn:
    """AttributeError for a name that `nn` does not have, with the one that it has for the same."""
    package = sys.modules["nn"]
    told = where(name, vars(package))
    words = f"module 'nn' has no {name!r}{told}"
    asked_by = sys._getframe(1).f_globals.get("__name__")
    if asked_by == "importlib._bootstrap" and name in COUNTERPARTS:
        raise ImportError(words, name="nn")  # `from nn import ...` would leave the words out
    # Where it is told what to write, Python adds no guess of its own.
    raise AttributeError(words, name=name, obj=None if told else package)


def where(name: str, names: Collection[str]) -> str:
    """What a name of `nn` that is not there may be here, as the end of a sentence; or nothing.

    >>> where("MSELoss", [])
    ': write nn.mse'
    >>> where("tanh", []), where("momns", ["moons", "mse"]), where("conv", ["moons"])
    (': write engine.tanh', ": did you mean 'moons'?", '')
    """
    if name in COUNTERPARTS:
        return f": write {COUNTERPARTS[name]}"
    if callable(vars(sys.modules["engine"]).get(name)):
        return f": write engine.{name}"
    alike = {known.casefold(): known for known in names if not known.startswith("_")}
    near = get_close_matches(name.casefold(), alike, n=1, cutoff=0.75)
    return f": did you mean {alike[near[0]]!r}?" if near else ""
