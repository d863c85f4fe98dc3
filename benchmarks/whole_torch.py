"""PyTorch's whole trainings: eager, float64, one thread, matrices from the start.

Data is a tensor before the clock runs, a batch is picked by its row numbers (a `DataLoader` takes
longer), and the optimiser is the fused one. `torch._dynamo` is imported here, among the imports:
the first optimiser would do it, for a second.
"""

from typing import Any

import torch
import torch._dynamo
from torch.nn import functional

from benchmarks.child import Halfway, Outcome, Training

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def digits(task: Any) -> Training:
    """Loss and accuracy of each step are kept."""
    from sklearn.datasets import load_digits

    found = load_digits()
    xs, ys = torch.tensor(found.data / 16), torch.tensor(found.target)
    batches = [torch.tensor(rows) for rows in task["order"]]

    def train(halfway: Halfway) -> Outcome:
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[task["activation"]]
        model = torch.nn.Sequential(torch.nn.Linear(64, 32), activation(), torch.nn.Linear(32, 10))
        with torch.no_grad():
            for parameter, numbers in zip(model.parameters(), task["weights"], strict=True):
                parameter.copy_(torch.tensor(numbers))
        optimizer = torch.optim.SGD(model.parameters(), task["lr"], fused=True)
        losses, rights = list[float](), list[float]()
        for step, rows in enumerate(batches):
            if step == task["steps"] // 2:
                halfway(step)
            x, y = xs[rows], ys[rows]
            logits = model(x)
            loss = functional.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            rights.append((logits.argmax(1) == y).sum().item() / len(y))
        return Outcome(losses, rights)

    return train


def gpt(task: Any) -> Training:
    """A word in each step, all its letters at once."""
    w = {name: torch.tensor(rows, requires_grad=True) for name, rows in task["weights"].items()}
    texts = [torch.tensor(text) for text in task["texts"]]
    width, heads = len(task["weights"]["query"]), task["heads"]

    def split(x: Any) -> Any:
        return x.view(len(x), heads, width // heads).transpose(0, 1)

    def normed(x: Any) -> Any:
        return functional.rms_norm(x, (width,), eps=1e-5)

    def loss_of(read: Any, comes: Any) -> Any:
        x = normed(w["letter"][read] + w["position"][: len(read)])
        y = normed(x)
        query, key, value = (split(y @ w[name].T) for name in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + mixed.transpose(0, 1).reshape(x.shape) @ w["mixed"].T
        x = x + (normed(x) @ w["up"].T).relu() @ w["down"].T
        return functional.cross_entropy(x @ w["guess"].T, comes)

    def train(halfway: Halfway) -> Outcome:
        optimizer = torch.optim.Adam(w.values(), task["lr"], tuple(task["betas"]), fused=True)
        losses = list[float]()
        for step, text in enumerate(texts):
            if step == task["steps"] // 2:
                halfway(step)
            optimizer.param_groups[0]["lr"] = task["lr"] * (1 - step / task["steps"])
            loss = loss_of(text[:-1], text[1:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return Outcome(losses)

    return train
