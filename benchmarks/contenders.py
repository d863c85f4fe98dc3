"""Who does the works. To add a contender, write a function and its row."""

import importlib
import importlib.util
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import alone, browser, chosen, in_page, ours, tables, wasm, watching, whole
from benchmarks.turns import Contest, Step
from benchmarks.works import WORKS, Work, tables_work
from engine.replay.backends import library

COMPILER = "a C compiler"


class Contender(NamedTuple):
    """Who does works, each by a function of its task that gives a step."""

    name: str
    needs: str  # a module, `COMPILER`, or a browser
    does: Mapping[str, Contest]


def peer(module: str, function: str, task: Any) -> Step:
    """A contest of a module that is imported only in the process that runs it."""
    step: Step = getattr(importlib.import_module(f"benchmarks.{module}"), function)(task)
    return step


def replayed(backend: str, needs: str = "nn") -> Contender:
    """A step with the data bound once, as `fit` takes it."""
    contests = {work: partial(ours.descent, made, backend) for work, made in ours.TRAININGS.items()}
    return Contender(f"brickgrad {backend}", needs, contests)


def trainings(
    name: str, needs: str, module: str, functions: Mapping[str, str], warm: bool = False
) -> Contender:
    """Whole trainings, by what the names of works begin with: functions of a module."""
    contests = {
        work: partial(whole.training, module, function, warm=warm)
        for begins, function in functions.items()
        for work in WORKS
        if work.startswith(begins)
    }
    return Contender(name, needs, contests)


# fmt: off
CONTENDERS = (
    trainings("PyTorch", "torch", "whole_torch", {"T1": "digits", "T2": "gpt"}),
    trainings("JAX", "jax", "whole_jax", {"T1": "digits_step", "T2": "gpt_step"}),
    trainings("JAX, scan", "jax", "whole_jax",
              {"T1 relu": "digits_pass", "T1 tanh": "digits_pass", "T2": "gpt_pass"}),
    trainings("scikit-learn", "sklearn", "whole_sklearn", {"T1 process": "digits"}),
    trainings("brickgrad", "nn", "whole_ours", {"T1": "digits", "T2": "published"}),
    trainings("brickgrad, warm cache", "nn", "whole_ours",
              {"T1": "digits", "T2": "published"}, warm=True),
    trainings("brickgrad, dot and softmax", "nn", "whole_ours", {"T2": "fused"}),
    trainings("brickgrad, dot and softmax, warm", "nn", "whole_ours", {"T2": "fused"}, warm=True),
    trainings("brickgrad train", "nn", "whole_ours", {"T3": "command"}),
    trainings("brickgrad train, warm cache", "nn", "whole_ours", {"T3": "command"}, warm=True),
    trainings("pandas, scikit-learn", "pandas", "whole_sklearn", {"T3": "table"}),
    Contender("functions of one operand", COMPILER, {"T4": partial(chosen.rows, False)}),
    Contender("functions, both ways", COMPILER, {"T4": partial(chosen.rows, True)}),
    *(
        Contender(f"auto: {name}", "nn", {"T4": partial(chosen.auto, name)})
        for name in chosen.FITS
    ),
    Contender("first call", "nn", {"T5": partial(alone.start, False)}),
    Contender("first step of a training", "nn", {"T5": partial(alone.start, True)}),
    Contender("micrograd", "micrograd",
              {"W1": partial(peer, "with_micrograd", "demo"),
               "W2": partial(peer, "with_micrograd", "gpt"),
               "W3": partial(peer, "with_micrograd", "digits")}),
    Contender("PyTorch", "torch",
              {"W1": partial(peer, "with_torch", "demo"),
               "W2": partial(peer, "with_torch", "gpt"),
               "W3": partial(peer, "with_torch", "digits")}),
    Contender("JAX", "jax",
              {"W1": partial(peer, "with_jax", "demo"),
               "W2": partial(peer, "with_jax", "gpt"),
               "W3": partial(peer, "with_jax", "digits")}),
    Contender("brickgrad eager, unfused", "nn",
              {"W1": partial(ours.own_loop, ours.demo, "eager"),
               "W2": partial(ours.own_loop, ours.gpt, "eager"),
               "W3": partial(ours.own_loop, ours.digits, "eager")}),
    Contender("brickgrad eager", "nn",
              {"W1": partial(ours.own_loop, ours.demo_of_library, "eager"),
               "W3": partial(ours.own_loop, ours.digits_of_library, "eager"),
               "million": alone.memory}),
    replayed("python"),
    replayed("numpy", needs="numpy"),
    replayed("wasm", needs="wasmtime"),
    replayed("c", needs=COMPILER),
    Contender("PyTorch, own loop", "torch",
              {"W1": partial(peer, "with_torch", "demo_own_loop")}),
    Contender("brickgrad numpy, own loop", "numpy",
              {"W1": partial(ours.own_loop, ours.demo, "numpy")}),
    Contender("brickgrad c, own loop", COMPILER,
              {"W1": partial(ours.own_loop, ours.demo, "c")}),
    *(
        Contender(work, COMPILER,
                  {"kernel": partial(alone.kernel, work), "making": partial(alone.making, work)})
        for work in ours.TRAININGS
    ),
    *(
        Contender(work, "wasmtime", {"WASM": partial(wasm.beside_c, work)})
        for work in ours.TRAININGS
    ),
    Contender("playground", in_page.NEEDS, {"BROWSER": in_page.playing}),
    Contender("course", in_page.NEEDS, {"BROWSER": in_page.in_lite}),
    *(
        Contender(f"{work}, x Python's speed", in_page.NEEDS,
                  {"BROWSER": partial(in_page.steps, work)})
        for work in ours.TRAININGS
    ),
    *(
        Contender(work, COMPILER, {"guards": partial(alone.guards, work)})
        for work in ("W1", "W3")
    ),
    *(
        Contender(work, "nn", {
            "rolling": partial(alone.rolling, work),
            "witnessing": partial(alone.witnessing, work),
        })
        for work in ("W1", "W3")
    ),
    Contender("recording, x a backward", "nn", {"watching": watching.recording}),
    Contender("watch, x a step", "nn", {"watching": watching.a_step}),
    Contender("page of a step, kB", "nn", {"watching": watching.page}),
    Contender("page of 50 steps, kB", "nn", {"watching": watching.page_of_a_run}),
    Contender("layout of 5,000 nodes, s", "nn", {"watching": watching.layout_of_many}),
    Contender("page opens, ms", browser.NEEDS,
              {"watching": partial(browser.opening, browser.small)}),
    Contender("page of 16-16-16-1 opens, ms", browser.NEEDS,
              {"watching": partial(browser.opening, browser.large)}),
    Contender("page steps, ms", browser.NEEDS,
              {"watching": partial(browser.stepping, browser.small)}),
    Contender("page of 16-16-16-1 steps, ms", browser.NEEDS,
              {"watching": partial(browser.stepping, browser.large)}),
    Contender("page of a mistake steps, ms", browser.NEEDS,
              {"watching": partial(browser.stepping, browser.wrong)}),
    *(
        Contender(name, "pandas", {"tables": partial(tables.fares, name)})
        for name in tables.TABLES
    ),
)
# fmt: on


def of_folder(folder: Path) -> tuple[Work, tuple[Contender, ...]]:
    """The work of the tables in a folder, and a contender for each; ValueError as `in_folder`."""
    name, names = f"tables of {folder}", [*tables.in_folder(folder)]
    work = tables_work(name, "the same on tables that decided nothing", names, str(folder))
    return work, tuple(
        Contender(table, "pandas", {name: partial(tables.fares, table)}) for table in names
    )


def is_there(contender: Contender) -> bool:
    """Whether what it needs is installed."""
    if contender.needs == COMPILER:
        return library.compiler() is not None
    if contender.needs in (browser.NEEDS, in_page.NEEDS):
        has_npm = contender.needs == browser.NEEDS or shutil.which("npm") is not None
        return has_npm and browser.program() is not None
    return importlib.util.find_spec(contender.needs) is not None
