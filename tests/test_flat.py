"""What moves the parameters on flat memory."""

import pytest

from engine.replay import backends
from engine.replay.compare import ReplayError
from engine.value import Value
from nn.flat import FlatMover, company
from nn.mover import Mover
from nn.optim import SGD, Adam, AdamW

KINDS = {
    "sgd": lambda ps: SGD(ps, lr=0.1),
    "momentum": lambda ps: SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda ps: Adam(ps, lr=0.1, weight_decay=0.01),
    "adamw": lambda ps: AdamW(ps, lr=0.1),
}
BACKENDS = ["numpy", "wasm", "c"]


def parameters(count):
    return [Value(0.1 * k - 0.35) for k in range(count)]


def gradient(count, step):
    return [((7 * k + 3 * step) % 11 - 5) / 4 for k in range(count)]


def taken(optimizer, count, steps):
    """What the optimizer itself does."""
    for step in range(steps):
        for p, g in zip(optimizer.parameters, gradient(count, step), strict=True):
            p.grad = g
        optimizer.step()
    memory = [getattr(optimizer, name) for name in ("steps", *optimizer.MEMORY)]
    return [p.data for p in optimizer.parameters], memory


@pytest.mark.some(16)
@pytest.mark.parametrize("count", [1, 3, 7, 8, 40])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_moves_as_the_optimizer_does(kind, backend, count):
    optimizer = KINDS[kind](parameters(count))
    mover = FlatMover(backend, optimizer, tuple(optimizer.parameters))
    mover.load()
    for step in range(5):
        for k, g in enumerate(gradient(count, step)):
            mover.gradient[k] = g
        assert mover.move() is not None
    mover.store()
    data, memory = taken(KINDS[kind](parameters(count)), count, 5)
    assert [p.data for p in optimizer.parameters] == pytest.approx(data, rel=1e-14)
    assert optimizer.steps == memory[0]
    for name, numbers in zip(optimizer.MEMORY, memory[1:], strict=True):
        assert getattr(optimizer, name) == pytest.approx(numbers, rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_rates_of_the_next_moves(kind):
    optimizer = KINDS[kind](parameters(9))
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    rates = mover.rates_of([0.3, 0.2, 0.1], 3)
    expected = []
    for step, lr in enumerate((0.3, 0.2, 0.1), 1):
        optimizer.lr = lr
        expected += optimizer.rates(step)
    assert list(rates) == expected
    assert len(rates) == 3 * mover.rate_count


def test_rates_end_where_the_arithmetic_is_another():
    """A momentum of 0 is another arithmetic than one that is not."""
    optimizer = SGD(parameters(9), lr=0.1, momentum=0.9)
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    optimizer.momentum = 0.0
    assert len(mover.rates_of([], 4)) == 0
    assert mover.move() is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_arithmetic_that_asks_for_nothing_is_taken_in_one_call(kind):
    optimizer = KINDS[kind](parameters(9))
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    assert mover.layout() is not None


def test_an_arithmetic_that_asks_for_gradients_is_not_taken_in_one_call():
    class Signs(SGD):
        def moved(self, ps, gs, memory, rates):
            step = [rates[0] if g > 0 else -rates[0] for g in gs]
            return [p - s for p, s in zip(ps, step, strict=True)], *memory

    optimizer = Signs(parameters(3), lr=0.1)
    for p in optimizer.parameters:
        p.grad = 1.0
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    assert mover.layout() is None


def test_the_arithmetic_is_compared_at_the_moves_2_20_and_so_on(monkeypatch):
    optimizer = Adam(parameters(9), lr=0.1)
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    compared, record = [], FlatMover._record
    spy = lambda self, **settings: compared.append(self._moves) or record(self, **settings)
    monkeypatch.setattr(FlatMover, "_record", spy)
    for _ in range(30):
        mover.move()
        assert mover.is_as_recorded()
    assert compared == [2, 20]


def test_parameters_moved_unequally_often_are_told():
    optimizer = Adam(parameters(9), lr=0.1)
    optimizer.steps = [1] * 8 + [2]
    with pytest.raises(ReplayError, match="moved more often than others"):
        FlatMover("numpy", optimizer, tuple(optimizer.parameters))


def test_a_faster_backend_brings_its_arithmetic():
    optimizer = Adam(parameters(9), lr=0.1)
    plain = Mover(optimizer, tuple(optimizer.parameters))
    assert company(plain, "python") == []
    (source,) = company(plain, "c")
    assert plain.spare.source == source
    assert company(plain.spare, "numpy") == [source]


def test_it_moves_to_a_kernel_that_was_made_for_it_and_is_of_a_faster_backend():
    optimizer = Adam(parameters(9), lr=0.1)
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    mover.load()
    program, tape, _ = mover.source
    kernel, other = mover.kernel, backends.backend("numpy").compile(program, tape)
    made = [(program, other)]
    for backend, among in (("c", []), ("numpy", made), ("python", made)):
        mover.use(backend, among)
        assert (mover.backend, mover.kernel) == ("numpy", kernel)
    mover.use("c", made)
    assert (mover.backend, mover.kernel) == ("c", other)


@pytest.mark.some(3)
@pytest.mark.parametrize("output", range(3 * 9 + 2))
def test_each_number_of_a_new_kernel_is_compared(output):
    optimizer = Adam(parameters(9), lr=0.1)
    mover = FlatMover("numpy", optimizer, tuple(optimizer.parameters))
    program, tape, _ = mover.source

    class Wrong:
        def __init__(self, kernel):
            self.kernel, self.values = kernel, kernel.values

        def forward(self):
            self.kernel.forward()
            self.values[program.outputs[output]] += 0.5

    wrong = Wrong(backends.backend("numpy").compile(program, tape))
    with pytest.raises(ReplayError, match=r"the kernel of Adam\.moved in c is wrong"):
        mover.use("c", [(program, wrong)])
