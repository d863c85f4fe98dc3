import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.replay import backends
from engine.value import Value
from nn.data import moons
from nn.loss import mse
from nn.module import MLP, Layer, Module
from nn.optim import SGD, Adam, AdamW, constant, cosine, linear, step
from nn.train import fit
from nn.watch import watch

START = [0.7, -1.3, 2.0, 1e-3]


def gradients(n, seed=1):
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) * 10 ** rng.uniform(-4, 2) for _ in START] for _ in range(n)]


def ours_moved(kind, options, pushes, *, skip=(), rates=None, changes=()):
    """The parameters after each step; in the steps `skip` the last one has no gradient."""
    parameters = [Value(x) for x in START]
    optimizer = kind(parameters, **options)
    path = []
    for k, push in enumerate(pushes):
        optimizer.zero_grad()
        for p, g in list(zip(parameters, push, strict=True))[: -1 if k in skip else None]:
            (p * g).backward()
        optimizer.lr = rates(k) if rates else optimizer.lr
        for name, setting in dict(changes).get(k, {}).items():
            setattr(optimizer, name, setting)
        optimizer.step()
        path.append([p.data for p in parameters])
    return path


def theirs_moved(kind, options, pushes, *, skip=(), rates=None, changes=()):
    torch = pytest.importorskip("torch")
    parameters = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    optimizer = getattr(torch.optim, kind.__name__)(parameters, **options)
    path = []
    for k, push in enumerate(pushes):
        optimizer.zero_grad()
        for p, g in list(zip(parameters, push, strict=True))[: -1 if k in skip else None]:
            p.grad = torch.tensor(g, dtype=torch.float64)
        if rates:
            optimizer.param_groups[0]["lr"] = rates(k)
        optimizer.param_groups[0].update(dict(changes).get(k, {}))
        optimizer.step()
        path.append([p.item() for p in parameters])
    return path


def assert_steps_of_torch(kind, options, n=60, **how):
    got = ours_moved(kind, options, gradients(n), **how)
    want = theirs_moved(kind, options, gradients(n), **how)
    for k, (ours, theirs) in enumerate(zip(got, want, strict=True)):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-13), f"step {k}"


RULES = [
    (SGD, {"lr": 0.01}),
    (SGD, {"lr": 0.01, "weight_decay": 0.1}),
    (SGD, {"lr": 0.01, "momentum": 0.9}),
    (SGD, {"lr": 0.01, "momentum": 0.9, "dampening": 0.3}),
    (SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.02}),
    (SGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
    (SGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True, "weight_decay": 0.02}),
    (SGD, {"lr": 0.0, "momentum": 0.5}),
    (Adam, {}),
    (Adam, {"lr": 0.1}),
    (Adam, {"lr": 0.1, "betas": (0.5, 0.6)}),
    (Adam, {"lr": 0.1, "betas": (0.0, 0.0)}),
    (Adam, {"lr": 0.1, "eps": 0.3}),
    (Adam, {"lr": 0.1, "weight_decay": 0.2}),
    (AdamW, {}),
    (AdamW, {"lr": 0.1}),
    (AdamW, {"lr": 0.1, "weight_decay": 0.5}),
    (AdamW, {"lr": 0.1, "weight_decay": 0.0}),
]


# --- against torch.optim, step by step -------------------------------------------------------


@pytest.mark.some(4)
@pytest.mark.parametrize(("kind", "options"), RULES)
def test_the_steps_of_torch(kind, options):
    assert_steps_of_torch(kind, options)


@pytest.mark.parametrize(("kind", "options"), RULES)
def test_a_parameter_without_gradient_stays_and_so_does_its_memory(kind, options):
    assert_steps_of_torch(kind, options, skip={0, 3, 4, 17})


@pytest.mark.parametrize(("kind", "options"), RULES)
def test_the_rate_may_change_between_steps(kind, options):
    rates = cosine(0.05, 60, final=0.001)
    assert_steps_of_torch(kind, options, rates=rates)


TURNED = {
    "momentum on": {3: {"momentum": 0.9}},
    "momentum on, off, on": {3: {"momentum": 0.9}, 9: {"momentum": 0.0}, 20: {"momentum": 0.5}},
    "dampening": {5: {"dampening": 0.1}, 6: {"momentum": 0.7}, 30: {"dampening": 1.0}},
    "nesterov as an int": {3: {"momentum": 0.8}, 10: {"nesterov": 1}, 20: {"nesterov": 0}},
    "ints": {3: {"momentum": 1, "dampening": 0}, 10: {"weight_decay": 1}, 12: {"momentum": 0}},
}


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize("skip", [(), {0, 1, 2, 3, 4}, {4, 5, 17}])
def test_settings_that_are_turned_between_steps(name, skip):
    options = {"lr": 0.01, "dampening": 0.4}
    assert_steps_of_torch(SGD, options, skip=skip, changes=TURNED[name].items())


@pytest.mark.some(24)
@pytest.mark.parametrize("backend", ["python", "numpy", "wasm", "c"])
@pytest.mark.parametrize("name", TURNED)
def test_settings_that_are_turned_while_steps_are_replayed(name, backend):
    try:
        backends.backend(backend)
    except RuntimeError as reason:
        pytest.skip(str(reason))

    def trained(backend):
        model = MLP(2, [3, 1], "tanh", seed=0)
        optimizer = SGD(model.parameters(), lr=0.01, dampening=0.4)

        def turn(step):
            for setting in TURNED[name].get(step.step + 1, {}).items():
                setattr(optimizer, *setting)

        data = moons(8, seed=0)
        options = {"optimizer": optimizer, "callbacks": [turn], "steps": 40, "backend": backend}
        return fit(model, mse, data, **options).loss, optimizer.state_dict()

    (loss, state), (want, wanted) = trained(backend), trained("eager")
    exact = {"rel": 0.0, "abs": 0.0} if backend == "python" else {"rel": 1e-9, "abs": 1e-12}
    assert loss == pytest.approx(want, **exact)
    assert state.keys() == wanted.keys()
    for key, numbers in wanted.items():
        assert state[key] == pytest.approx(numbers, **exact)


RATE, DECAY = st.floats(1e-5, 0.02), st.sampled_from([0.0, 1e-3, 0.3])


@settings(max_examples=30)
@given(RATE, st.floats(0, 0.95), st.floats(0, 1), DECAY)
def test_sgd_with_any_settings(lr, momentum, dampening, decay):
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": decay}
    assert_steps_of_torch(SGD, options, n=50)


@settings(max_examples=30)
@given(RATE, st.floats(0.01, 0.95), DECAY)
def test_nesterov_with_any_settings(lr, momentum, decay):
    options = {"lr": lr, "momentum": momentum, "weight_decay": decay, "nesterov": True}
    assert_steps_of_torch(SGD, options, n=50)


@settings(max_examples=30)
@given(
    st.sampled_from([Adam, AdamW]),
    RATE,
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.9999)),
    st.floats(1e-8, 1),
    DECAY,
)
def test_adam_with_any_settings(kind, lr, betas, eps, decay):
    options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
    assert_steps_of_torch(kind, options, n=50)


def valley(parameters):
    """A crooked valley: works on Values and on torch's scalars."""
    a, b, c, d = parameters
    return (a * a - b) ** 2 + 1.5 * (c - a) ** 2 + (b + c) * d + d * d


@pytest.mark.parametrize(
    ("kind", "options"),
    [(SGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True}), (Adam, {}), (AdamW, {})],
)
def test_the_way_down_of_torch(kind, options):
    torch = pytest.importorskip("torch")
    ours = [Value(x) for x in START]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    one, other = kind(ours, **options), getattr(torch.optim, kind.__name__)(theirs, **options)
    for _ in range(100):
        for optimizer, parameters in ((one, ours), (other, theirs)):
            optimizer.zero_grad()
            valley(parameters).backward()
            optimizer.step()
        want = [p.item() for p in theirs]
        assert [p.data for p in ours] == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_arguments_and_defaults_are_those_of_torch(kind):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim, kind.__name__)([torch.zeros(1, requires_grad=True)]).defaults
    ours = kind([Value(0.0)]).state_dict()
    if kind is SGD:  # the loops insist on a rate, so it does too
        assert (ours.pop("lr"), theirs["lr"]) == (None, 1e-3)
    for name in ours.keys() - kind.MEMORY.keys() - {"steps"}:
        assert ours[name] == theirs[name], name


def test_plain_descent_insists_on_a_rate_wherever_it_comes_from():
    p, data = Value(1.0), ([1.0], [2.0])
    p.grad = 1.0
    optimizer = SGD([p], momentum=0.9)
    message = (
        r"SGD expected a learning rate.*write SGD\(model.parameters\(\), lr=0.1\), or give `fit`"
    )
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    with pytest.raises(ValueError, match=message):
        fit(lambda x: p * x, mse, data, steps=1, optimizer=optimizer)
    with pytest.raises(ValueError, match=message):
        watch(lambda x: p * x, mse, (1.0, 2.0), optimizer)
    assert (p.data, optimizer.steps) == (1.0, [0])
    fit(lambda x: p * x, mse, data, steps=1, optimizer=optimizer, lr=0.25)
    assert p.data == 1.5
    assert optimizer.lr == 0.25
    assert SGD([p]).lr is None
    optimizer.load_state_dict(SGD([p]).state_dict())
    assert optimizer.lr is None


# --- by hand ---------------------------------------------------------------------------------


def moved(kind, gradients, **options):
    p = Value(1.0)
    optimizer = kind([p], **options)
    for g in gradients:
        optimizer.zero_grad()
        (p * g).backward()
        optimizer.step()
    return p.data


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"weight_decay": 0.1}])
@pytest.mark.parametrize("skip", [(), {0, 3, 4}])
def test_plain_steps_have_the_bits_of_the_arithmetic_of_columns(options, skip):
    class Same(SGD):
        """Takes no step in one pass."""

    pushes = gradients(30)
    options = {"lr": 0.01, **options}
    assert ours_moved(SGD, options, pushes, skip=skip) == ours_moved(
        Same, options, pushes, skip=skip
    )


def test_an_arithmetic_of_a_users_own_is_taken():
    class Backwards(SGD):
        def moved(self, ps, gs, memory, rates):
            return super().moved(ps, [-g for g in gs], memory, rates)

    assert moved(SGD, [2.0, 3.0], lr=0.25) == -0.25
    assert moved(Backwards, [2.0, 3.0], lr=0.25) == 2.25


def test_steps_by_hand():
    assert moved(SGD, [2.0], lr=0.25) == 0.5
    # velocity 2, then 0.5 * 2 + 4 = 5
    assert moved(SGD, [2.0, 4.0], lr=0.25, momentum=0.5) == 1 - 0.5 - 1.25
    # 2 + 0.5 * 2, then 4 + 0.5 * 5
    assert moved(SGD, [2.0, 4.0], lr=0.25, momentum=0.5, nesterov=True) == 1 - 0.75 - 1.625
    assert moved(SGD, [2.0], lr=0.25, weight_decay=2.0) == 0.0
    # the first step of Adam is lr, whatever the gradient
    assert moved(Adam, [1e-3], lr=0.25, eps=1e-30) == pytest.approx(0.75, rel=1e-15)
    assert moved(Adam, [-1e3], lr=0.25) == pytest.approx(1.25, rel=1e-9)
    # AdamW shrinks by 1 - 0.25 * 2 first
    assert moved(AdamW, [1.0], lr=0.25, weight_decay=2.0) == pytest.approx(0.25, rel=1e-7)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_zero_grad_forgets_every_gradient(kind):
    parameters = [Value(x) for x in START]
    valley(parameters).backward()
    kind(parameters).zero_grad()
    assert not any(p.has_grad for p in parameters)


@pytest.mark.parametrize("g", [1e150, -1e150, 5e-324, 0.0])
@pytest.mark.parametrize(
    ("kind", "options"), [(SGD, {"lr": 1e-3, "momentum": 0.9}), (Adam, {}), (AdamW, {})]
)
def test_extreme_gradients(kind, options, g):
    torch = pytest.importorskip("torch")
    ours, theirs = Value(1.0), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    ours.grad, theirs.grad = g, torch.tensor(g, dtype=torch.float64)
    kind([ours], **options).step()
    getattr(torch.optim, kind.__name__)([theirs], **options).step()
    assert ours.data == pytest.approx(theirs.item(), rel=1e-12)


def test_an_optimizer_shows_its_settings():
    assert repr(SGD([Value(1.0)], lr=0.5)) == (
        "SGD(1 parameters, lr=0.5, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False)"
    )


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SGD, {"lr": -0.1}, "lr expected a finite number of at least 0.*, got -0.1"),
        (SGD, {"lr": math.nan}, "lr expected .*, got nan"),
        (SGD, {"momentum": -0.5}, "momentum expected .*, got -0.5"),
        (SGD, {"weight_decay": -1}, "weight_decay expected .*, got -1"),
        (SGD, {"nesterov": True}, "nesterov expected a momentum above 0 .* got momentum=0.0"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "got .* dampening=0.1"),
        (Adam, {"lr": -1.0}, "lr expected .*, got -1.0"),
        (Adam, {"betas": (1.0, 0.9)}, "betas expected .* below 1, got 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, "betas expected .*, got -0.1"),
        (Adam, {"eps": -1e-8}, "eps expected .*, got -1e-08"),
        (Adam, {"weight_decay": -0.1}, "weight_decay expected .*, got -0.1"),
        (AdamW, {"weight_decay": -0.1}, "weight_decay expected .*, got -0.1"),
    ],
)
def test_settings_that_torch_refuses_too(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind([Value(1.0)], **options)
    torch = pytest.importorskip("torch")
    if not any(value != value for value in options.values()):
        with pytest.raises(ValueError, match=r"."):
            getattr(torch.optim, kind.__name__)([torch.zeros(1, requires_grad=True)], **options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SGD, {"lr": math.inf}, "lr expected .*, got inf"),
        (SGD, {"lr": "0.1"}, "lr expected .*, got '0.1'"),
        (SGD, {"dampening": -0.1}, "dampening expected .*, got -0.1"),
        (SGD, {"nesterov": 2, "momentum": 0.9}, "nesterov expected True or False, got 2"),
        (SGD, {"nesterov": "no", "momentum": 0.9}, "nesterov expected True or False, got 'no'"),
        (SGD, {"momentum": 2}, "momentum expected .* at least 0 and at most 1, got 2"),
        (SGD, {"momentum": 0.9, "dampening": 1.5}, "dampening expected .* at most 1, got 1.5"),
        (Adam, {"lr": None}, "lr expected .*, got None"),
        (Adam, {"eps": 0.0}, "eps expected .*, got 0.0"),
        (Adam, {"betas": (0.9,)}, "betas expected 2 numbers, got 1"),
    ],
)
def test_settings_that_only_we_refuse(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind([Value(1.0)], **options)


@pytest.mark.parametrize(
    ("name", "setting"), [("lr", -1), ("lr", "0.1"), ("momentum", 2), ("nesterov", "no")]
)
def test_settings_are_checked_when_they_are_set_later(name, setting):
    optimizer = SGD([Value(1.0)], lr=0.1)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=f"{name} expected"):
        setattr(optimizer, name, setting)
    assert optimizer.state_dict() == before


def test_settings_are_numbers_of_one_kind():
    np = pytest.importorskip("numpy")
    optimizer = SGD([Value(1.0)], lr=np.float32(0.5), momentum=1, nesterov=np.True_)
    optimizer.weight_decay = np.int64(0)
    assert json.dumps(optimizer.state_dict()) == (
        '{"lr": 0.5, "momentum": 1.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": true, '
        '"steps": [0], "velocity": [0.0], "has_velocity": [0.0]}'
    )


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "expected at least 1 parameter, got 0"),
        ([1.0], TypeError, "expected Values, got float as parameter 0"),
        (3, TypeError, r"expected a list of parameters, got int: write model.parameters\(\)"),
        ([Value(1.0), Value(1.0) * 2], ValueError, "parameter 1 is the result of mul"),
        ([Value(1.0)] * 2, ValueError, "each parameter once, got one of them twice, at 0 and 1"),
    ],
)
def test_parameters_that_are_refused(kind, parameters, error, message):
    with pytest.raises(error, match=message):
        kind(parameters)


def test_models_that_share_a_layer():
    class Both(Module):
        def __init__(self, *models):
            self.models = models

    shared = Layer(2, 2, seed=0)
    a, b = Both(shared, Layer(2, 1, seed=1)), Both(Layer(2, 2, seed=2), shared)
    with pytest.raises(ValueError, match=r"twice, at 0 and 15: .*dict\.fromkeys\(a.*one Module"):
        SGD(a.parameters() + b.parameters(), lr=0.1)
    once = [*dict.fromkeys(a.parameters() + b.parameters())]
    assert SGD(once, lr=0.1).parameters == SGD(Both(a, b).parameters(), lr=0.1).parameters


# --- going on from a state -------------------------------------------------------------------


def step_by(optimizer, pushes):
    for push in pushes:
        optimizer.zero_grad()
        for p, g in zip(optimizer.parameters, push, strict=False):
            (p * g).backward()
        optimizer.step()
    return [p.data for p in optimizer.parameters]


@pytest.mark.parametrize(("kind", "options"), RULES)
def test_a_run_resumed_from_json_has_the_same_bits(kind, options):
    pushes = gradients(40)
    pushes[2].pop()  # one parameter is a step behind
    whole = kind([Value(x) for x in START], **options)
    half = kind([Value(x) for x in START], **options)
    numbers = step_by(half, pushes[:20])
    text = json.dumps([half.state_dict(), numbers], allow_nan=False)

    state, numbers = json.loads(text)
    resumed = kind([Value(x) for x in numbers])
    resumed.load_state_dict(state)
    assert step_by(resumed, pushes[20:]) == step_by(whole, pushes)


@pytest.mark.parametrize("options", [{"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.0}])
def test_a_state_of_the_version_before_goes_on(options):
    """It did not say which velocities there are."""
    pushes, options = gradients(12), {"lr": 0.01, **options}
    whole, half = (SGD([Value(x) for x in START], **options) for _ in range(2))
    numbers = step_by(half, pushes[:6])
    state = half.state_dict()
    del state["has_velocity"]
    resumed = SGD([Value(x) for x in numbers], lr=1.0)
    resumed.load_state_dict(state)
    for optimizer in (whole, resumed):
        step_by(optimizer, pushes[:6] if optimizer is whole else [])
        optimizer.momentum = 0.5
    assert step_by(resumed, pushes[6:]) == step_by(whole, pushes[6:])


def test_a_state_does_not_change_with_the_next_step():
    optimizer = Adam([Value(x) for x in START])
    step_by(optimizer, gradients(1))
    state = optimizer.state_dict()
    kept = json.dumps(state)
    step_by(optimizer, gradients(1))
    assert json.dumps(state) == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": -1.0}, "lr expected"),
        ({"betas": [0.9, 1.0]}, "betas expected"),
        ({"steps": [1]}, "one steps for each of its 4 parameters, got 1"),
        ({"steps": [-1, 0, 0, 0]}, "steps expected .*, got -1"),
        ({"mean": [0.0, 0.0, math.nan, 0.0]}, "mean expected a finite number, got nan"),
        ({"mean": [0.0, 0.0, None, 0.0]}, "mean expected a finite number, got None"),
        ({"mean_square": [0.0, 0.0, 0.0, -1.0]}, "mean_square expected .*, got -1.0"),
        ({"velocity": []}, "Adam expected .*, got .*velocity"),
        ({"betas": 3}, "betas expected a list of numbers, got 3"),
        ({"steps": 3}, "steps expected a list of numbers, got 3"),
        ({"mean": "0000"}, "mean expected a list of numbers, got '0000'"),
        ({"steps": [1.5, 0, 0, 0]}, "steps expected whole numbers, got 1.5"),
    ],
)
def test_bad_states_change_nothing(change, message):
    optimizer = Adam([Value(x) for x in START])
    step_by(optimizer, gradients(2))
    before = json.dumps(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(optimizer.state_dict() | change)
    assert json.dumps(optimizer.state_dict()) == before


def test_steps_stay_whole():
    optimizer = Adam([Value(x) for x in START])
    optimizer.load_state_dict(optimizer.state_dict() | {"steps": [3, 2.0, 0, 5]})
    assert json.dumps(optimizer.steps) == "[3, 2, 0, 5]"


@pytest.mark.parametrize(
    ("kind", "options", "grad", "message"),
    [
        (SGD, {"lr": 1e308}, 2.0, "the data of parameter 1 would become -inf"),
        (SGD, {"lr": 0.1, "momentum": 0.9}, math.inf, "the data of parameter 1 would become -inf"),
        (SGD, {"lr": 0.0, "momentum": 0.9}, math.inf, "the data of parameter 1 would become nan"),
        (Adam, {"lr": 0.1}, math.nan, "the data of parameter 1 would become nan"),
        (SGD, {"lr": 0.1, "weight_decay": 1.0}, math.nan, "the data of parameter 1 would become n"),
        (Adam, {"lr": 0.1}, 1e200, "the mean_square of parameter 1 would become inf"),
        (AdamW, {"lr": 1e308, "weight_decay": 1e3}, 1.0, "the data of parameter 1 would become"),
    ],
)
def test_a_step_to_a_number_that_is_not_finite_is_refused(kind, options, grad, message):
    p, q = Value(1.0), Value(2.0)
    optimizer = kind([p, q], **options)
    before = json.dumps(optimizer.state_dict())
    q.grad = grad
    with pytest.raises(FloatingPointError, match=message):
        optimizer.step()
    assert (p.data, q.data) == (1.0, 2.0)
    assert json.dumps(optimizer.state_dict()) == before


# --- schedules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (constant(0.3), lambda s, o: s.ConstantLR(o, factor=1.0)),
        (linear(0.3, 20), lambda s, o: s.LinearLR(o, 1.0, 0.0, total_iters=20)),
        (linear(0.3, 20, final=0.03), lambda s, o: s.LinearLR(o, 1.0, 0.1, total_iters=20)),
        (step(0.3, every=7), lambda s, o: s.StepLR(o, step_size=7)),
        (step(0.3, every=4, factor=0.5), lambda s, o: s.StepLR(o, step_size=4, gamma=0.5)),
    ],
)
def test_schedules_against_torch(ours, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = theirs(torch.optim.lr_scheduler, optimizer)
    for k in range(40):
        assert ours(k) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12, abs=1e-16)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("final", [0.0, 0.03])
def test_cosine_against_torch_and_flat_after_its_end(final):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=final)
    ours = cosine(0.3, 20, final)
    for k in range(21):
        assert ours(k) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12, abs=1e-16)
        optimizer.step()
        theirs.step()
    assert [ours(20), ours(21), ours(1000)] == [final] * 3


def test_the_schedule_of_micrograds_demo():
    ours = linear(1.0, 100, final=0.1)
    assert [ours(k) for k in range(100)] == pytest.approx([1.0 - 0.9 * k / 100 for k in range(100)])


@pytest.mark.parametrize("schedule", [linear(0.3, 4), cosine(0.3, 4), step(0.3, every=4)])
def test_schedules_are_flat_before_their_start(schedule):
    assert [schedule(k) for k in (-30, -1, 0)] == [0.3, 0.3, 0.3]


@pytest.mark.parametrize("schedule", [linear, cosine, step])
def test_schedules_need_steps(schedule):
    with pytest.raises(ValueError, match="number of steps must be at least 1, got 0"):
        schedule(0.1, 0)


@pytest.mark.parametrize(("kind", "lr"), [(SGD, 0.02), (Adam, 0.05), (AdamW, 0.05)])
def test_optimizers_go_downhill(kind, lr):
    rng = random.Random(3)
    p = [Value(rng.uniform(-1, 1)) for _ in range(4)]
    optimizer = kind(p, lr=lr)
    target = [0.5, -0.25, 2.0, -3.0]
    for _ in range(1000):
        optimizer.zero_grad()
        sum(((a - t) ** 2 for a, t in zip(p, target, strict=True)), Value(0.0)).backward()
        optimizer.step()
    assert [v.data for v in p] == pytest.approx(target, abs=0.05)


def test_parameters_that_were_replaced_need_another_optimizer():
    a, b = Value(1.0), Value(2.0)
    optimizer = SGD([a, b], lr=0.1)
    optimizer.parameters = [a]
    a.grad = 1.0
    with pytest.raises(ValueError, match="SGD was made for 2 parameters and has 1 now"):
        optimizer.step()
    assert a.data == 1.0
