"""PyTorch, eager, float64, one thread: matrices from the start."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.turns import Step
from benchmarks.works import Net, Text

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

Loss = Callable[[Any, Any], Any]


def demo(net: Net) -> Step:
    """micrograd's demo, its data as tensors."""
    loss, optimizer = _demo(net)
    batches = [(torch.tensor(xs), torch.tensor(ys)[:, None]) for xs, ys in net.batches]
    return _steps(loss, optimizer, batches)


def demo_own_loop(net: Net) -> Step:
    """micrograd's demo, its data as lists that become tensors in each step."""
    loss, optimizer = _demo(net)

    def of_lists(xs: list[list[float]], ys: list[int]) -> Any:
        return loss(torch.tensor(xs), torch.tensor(ys)[:, None])

    return _steps(of_lists, optimizer, net.batches)


def digits(net: Net) -> Step:
    """The digits, their data as tensors."""
    model = _mlp(net)

    def loss(xs: Any, ys: Any) -> Any:
        return functional.cross_entropy(model(xs), ys)

    batches = [(torch.tensor(xs), torch.tensor(ys)) for xs, ys in net.batches]
    return _steps(loss, torch.optim.SGD(model.parameters(), net.lr), batches)


def gpt(text: Text) -> Step:
    """The GPT; its characters are indices."""
    w = {name: torch.tensor(rows, requires_grad=True) for name, rows in text.weights.items()}
    batches = [
        (torch.tensor(read).argmax(1), torch.tensor(comes).argmax(1))
        for read, comes in text.batches
    ]
    length, width, heads = len(batches[0][0]), len(w["query"]), 4

    def split(x: Any) -> Any:
        return x.view(length, heads, width // heads).transpose(0, 1)

    def normed(x: Any) -> Any:
        return functional.rms_norm(x, (width,), eps=1e-5)

    def loss(read: Any, comes: Any) -> Any:
        x = normed(w["character"].T[read] + w["position"][:length])
        y = normed(x)
        query, key, value = (split(y @ w[name].T) for name in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + mixed.transpose(0, 1).reshape(length, width) @ w["mixed"].T
        x = x + (normed(x) @ w["up"].T).relu() @ w["down"].T
        return functional.cross_entropy(x @ w["guess"].T, comes)

    return _steps(loss, torch.optim.Adam(w.values(), text.lr), batches)


def _demo(net: Net) -> tuple[Loss, Any]:
    model = _mlp(net)
    parameters = list(model.parameters())

    def loss(xs: Any, ys: Any) -> Any:
        data_loss = (1 - ys * model(xs)).relu().mean()
        return data_loss + 1e-4 * sum((p * p).sum() for p in parameters)

    return loss, torch.optim.SGD(parameters, net.lr)


def _mlp(net: Net) -> Any:
    model = torch.nn.Sequential()
    weights = iter(net.weights)
    for nin, nout in zip([net.nin, *net.nouts], net.nouts, strict=False):
        layer = torch.nn.Linear(nin, nout)
        rows = [[next(weights) for _ in range(nin + 1)] for _ in range(nout)]
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(rows)[:, :-1])
            layer.bias.copy_(torch.tensor(rows)[:, -1])
        model.extend([layer, torch.nn.ReLU()])
    return model[:-1]


def _steps(loss: Loss, optimizer: Any, batches: list[tuple[Any, Any]]) -> Step:
    def step(number: int) -> float:
        total = loss(*batches[number % len(batches)])
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return float(total.item())

    return step
