"""JAX's whole trainings: jit, float64, data, order and parameters on the device.

"JAX" compiles a step, "JAX, scan" a pass of steps by `lax.scan`. Words are padded to one length,
so that one compilation serves all: eight of them take longer.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax import lax, nn
from jax import numpy as jnp

from benchmarks.child import Halfway, Outcome, Training

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

Move = Callable[[Any, Any, Any], Any]  # (state, data, number of the step) -> (state, what to keep)
Made = tuple[Any, Any, Move]
CHUNK = 250  # steps in a scan, at most


def digits(task: Any) -> Made:
    """State, data and a step that gives its loss and accuracy.

    A smaller batch is padded: with its own shape it would be compiled once more.
    """
    from sklearn.datasets import load_digits

    found, order = load_digits(), task["order"]
    size = max(map(len, order))
    counts = jnp.array(list(map(len, order)))
    rows = jnp.array([batch + [0] * (size - len(batch)) for batch in order])
    data = jnp.array(found.data / 16), jnp.array(found.target), rows, counts
    activation = {"relu": nn.relu, "tanh": jnp.tanh}[task["activation"]]

    def loss_of(layers: Any, x: Any, y: Any, share: Any) -> Any:
        a, b, c, d = layers
        logits = activation(x @ a.T + b) @ c.T + d
        picked = jnp.take_along_axis(logits, y[:, None], 1)[:, 0]
        right = logits.argmax(1) == y
        return (nn.logsumexp(logits, 1) - picked) @ share, right @ share

    def move(layers: Any, data: Any, number: Any) -> Any:
        xs, ys, rows, counts = data
        x, y, count = xs[rows[number]], ys[rows[number]], counts[number]
        share = jnp.where(jnp.arange(size) < count, 1 / count, 0.0)
        seen, slopes = jax.value_and_grad(loss_of, has_aux=True)(layers, x, y, share)
        return jax.tree.map(lambda p, g: p - task["lr"] * g, layers, slopes), seen

    return [jnp.array(p) for p in task["weights"]], data, move


def gpt(task: Any) -> Made:
    """The same of words, all padded to the length of the longest."""
    w = {name: jnp.array(rows) for name, rows in task["weights"].items()}
    width, heads, steps = len(task["weights"]["query"]), task["heads"], task["steps"]
    length = max(map(len, task["texts"]))
    texts = jnp.array([text + [0] * (length - len(text)) for text in task["texts"]])
    data = texts, jnp.array([len(text) - 1 for text in task["texts"]])
    (beta1, beta2), length = task["betas"], length - 1

    def split(x: Any) -> Any:
        return x.reshape(length, heads, width // heads).transpose(1, 0, 2)

    def normed(x: Any) -> Any:
        return x * ((x * x).mean(1, keepdims=True) + 1e-5) ** -0.5

    def loss_of(w: Any, text: Any, count: Any) -> Any:
        read, comes = text[:-1], text[1:]
        x = normed(w["letter"][read] + w["position"][:length])
        y = normed(x)
        query, key, value = (split(y @ w[name].T) for name in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / (width // heads) ** 0.5
        scores = jnp.where(jnp.tri(length, dtype=bool), scores, -jnp.inf)
        mixed = nn.softmax(scores) @ value
        x = x + mixed.transpose(1, 0, 2).reshape(length, width) @ w["mixed"].T
        x = x + nn.relu(normed(x) @ w["up"].T) @ w["down"].T
        logits = x @ w["guess"].T
        picked = jnp.take_along_axis(logits, comes[:, None], 1)[:, 0]
        surprises = nn.logsumexp(logits, 1) - picked
        return jnp.where(jnp.arange(length) < count, surprises, 0.0).sum() / count

    def move(state: Any, data: Any, number: Any) -> Any:
        w, means, squares = state
        loss, slopes = jax.value_and_grad(loss_of)(w, data[0][number], data[1][number])
        means = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, means, slopes)
        squares = jax.tree.map(lambda s, g: beta2 * s + (1 - beta2) * g * g, squares, slopes)
        rate = task["lr"] * (1 - number / steps) / (1 - beta1 ** (number + 1.0))
        scale = jnp.sqrt(1 - beta2 ** (number + 1.0))

        def moved(p: Any, mean: Any, square: Any) -> Any:
            return p - rate * mean / (jnp.sqrt(square) / scale + 1e-8)

        return (jax.tree.map(moved, w, means, squares), means, squares), (loss,)

    zeros = [jax.tree.map(jnp.zeros_like, w) for _ in range(2)]
    return (w, *zeros), data, move


def a_step(made: Callable[[Any], Made], task: Any) -> Training:
    """Each step is a call; what it gives is asked for at the end, so that nobody waits for it."""
    state, data, move = made(task)

    def train(halfway: Halfway) -> Outcome:
        now, kept, run = state, [], jax.jit(move)
        for step in range(task["steps"]):
            if step == task["steps"] // 2:
                jax.block_until_ready(now)
                halfway(step)
            now, seen = run(now, data, step)
            kept.append(seen)
        losses, *rights = zip(*jax.device_get(kept), strict=True)
        shares = [float(share) for column in rights for share in column]
        return Outcome(list(map(float, losses)), shares)

    return train


def a_pass(made: Callable[[Any], Made], task: Any) -> Training:
    """Each call takes many steps."""
    state, data, move = made(task)
    chunk = math.gcd(task["steps"], task["steps"] // 2, CHUNK)
    starts = range(0, task["steps"], chunk)

    def train(halfway: Halfway) -> Outcome:
        def several(now: Any, data: Any, start: Any) -> Any:
            steps = start + jnp.arange(chunk)
            return lax.scan(lambda now, step: move(now, data, step), now, steps)

        now, kept, run = state, [], jax.jit(several)
        for start in starts:
            if start == starts[len(starts) // 2]:
                jax.block_until_ready(now)
                halfway(start)
            now, seen = run(now, data, start)
            kept.append(seen)
        return Outcome(*(jnp.concatenate(parts).tolist() for parts in zip(*kept, strict=True)))

    return train


digits_step, digits_pass = partial(a_step, digits), partial(a_pass, digits)
gpt_step, gpt_pass = partial(a_step, gpt), partial(a_pass, gpt)
