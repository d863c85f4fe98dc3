"""JAX, jit, float64: a whole step is compiled, and parameters and data stay on the device."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax import nn
from jax import numpy as jnp

from benchmarks.turns import Step
from benchmarks.works import Net, Text

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

Loss = Callable[[Any, Any, Any], Any]


def demo(net: Net) -> Step:
    """micrograd's demo."""

    def loss(layers: Any, xs: Any, ys: Any) -> Any:
        data_loss = nn.relu(1 - ys * _mlp(layers, xs)[:, 0]).mean()
        return data_loss + 1e-4 * sum((p * p).sum() for layer in layers for p in layer)

    return _steps(loss, partial(_sgd, net.lr), _layers(net), (), net.batches)


def digits(net: Net) -> Step:
    """The digits."""

    def loss(layers: Any, xs: Any, ys: Any) -> Any:
        logits = _mlp(layers, xs)
        picked = jnp.take_along_axis(logits, ys[:, None], 1)[:, 0]
        return (nn.logsumexp(logits, 1) - picked).mean()

    return _steps(loss, partial(_sgd, net.lr), _layers(net), (), net.batches)


def gpt(text: Text) -> Step:
    """The GPT; its characters are indices."""
    w = {name: jnp.array(rows) for name, rows in text.weights.items()}
    batches = [
        (jnp.array(read).argmax(1), jnp.array(comes).argmax(1)) for read, comes in text.batches
    ]
    length, width, heads = len(batches[0][0]), len(w["query"]), 4

    def split(x: Any) -> Any:
        return x.reshape(length, heads, width // heads).transpose(1, 0, 2)

    def normed(x: Any) -> Any:
        return x * ((x * x).mean(1, keepdims=True) + 1e-5) ** -0.5

    def loss(w: Any, read: Any, comes: Any) -> Any:
        x = normed(w["character"].T[read] + w["position"][:length])
        y = normed(x)
        query, key, value = (split(y @ w[name].T) for name in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / (width // heads) ** 0.5
        scores = jnp.where(jnp.tri(length, dtype=bool), scores, -jnp.inf)
        mixed = nn.softmax(scores) @ value
        x = x + mixed.transpose(1, 0, 2).reshape(length, width) @ w["mixed"].T
        x = x + nn.relu(normed(x) @ w["up"].T) @ w["down"].T
        logits = x @ w["guess"].T
        picked = jnp.take_along_axis(logits, comes[:, None], 1)[:, 0]
        return (nn.logsumexp(logits, 1) - picked).mean()

    means, squares = (jax.tree.map(jnp.zeros_like, w) for _ in range(2))
    return _steps(loss, partial(_adam, text.lr), w, (jnp.array(0.0), means, squares), batches)


def _mlp(layers: Any, x: Any) -> Any:
    for weight, bias in layers[:-1]:
        x = nn.relu(x @ weight.T + bias)
    weight, bias = layers[-1]
    return x @ weight.T + bias


def _layers(net: Net) -> Any:
    weights = iter(net.weights)
    layers = []
    for nin, nout in zip([net.nin, *net.nouts], net.nouts, strict=False):
        rows = jnp.array([[next(weights) for _ in range(nin + 1)] for _ in range(nout)])
        layers.append((rows[:, :-1], rows[:, -1]))
    return layers


def _sgd(lr: float, parameters: Any, gradients: Any, memory: Any) -> Any:
    return jax.tree.map(lambda p, g: p - lr * g, parameters, gradients), memory


def _adam(lr: float, parameters: Any, gradients: Any, memory: Any) -> Any:
    steps, means, squares = memory
    steps = steps + 1
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
    squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, gradients)
    rate, scale = lr / (1 - 0.9**steps), jnp.sqrt(1 - 0.999**steps)

    def moved(p: Any, mean: Any, square: Any) -> Any:
        return p - rate * mean / (jnp.sqrt(square) / scale + 1e-8)

    return jax.tree.map(moved, parameters, means, squares), (steps, means, squares)


def _steps(loss: Loss, move: Any, parameters: Any, memory: Any, batches: Any) -> Step:
    def move_once(state: Any, xs: Any, ys: Any) -> Any:
        parameters, memory = state
        value, gradients = jax.value_and_grad(loss)(parameters, xs, ys)
        return move(parameters, gradients, memory), value

    run = jax.jit(move_once)
    state = (parameters, memory)
    on_device = [(jnp.array(xs), jnp.array(ys)) for xs, ys in batches]

    def step(number: int) -> float:
        nonlocal state
        state, value = run(state, *on_device[number % len(on_device)])
        return float(value)

    return step
