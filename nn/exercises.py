"""The exercises of the notebooks, one in a row: answers, hints, solutions, what goes wrong.

The tests put each solution and each wrong answer into its notebook. A number such as 01.2 is the
second exercise of notebook 01.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WAYS = ("up", "down", "neither")
ZEROS = ("not computed", "no path", "dead", "constant")


@dataclass(frozen=True)
class Exercise:
    """What is asked, and what is said of an answer.

    `answer` is the right one: a word or a number, or a dict of them by what they are called; or a
    function that gives it from the numbers of the notebook; with `points`, the function that is
    asked for, which is compared there; or None, where gradients are asked for of a graph.

    `slips` has wrong answers of the same kind, by what is said of them; of words all that can be
    chosen are in `words`. `solution` and each of `wrong` are lines to write above the call of
    `check`; beside a wrong one stands a part of the reply.
    """

    asks: str
    hints: tuple[str, ...]
    solution: str
    wrong: Mapping[str, str]
    answer: Any = None
    slips: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    points: tuple[float, ...] = ()


# fmt: off
EXERCISES: dict[str, Exercise] = {
    # --- 01, backpropagation by hand --------------------------------------------------------------
    "01.1": Exercise(
        asks="does the loss go up or down when w grows?",
        words=WAYS,
        hints=(
            "The neuron says out. It should say 1. Is out too small, or too large?",
            "A larger w makes product larger, then total, then out: out comes nearer to 1.",
        ),
        solution='when_w_grows = "down"',
        wrong={
            'when_w_grows = "up"': "follow it through the picture",
            'when_w_grows = "left"': "expected one of 'up', 'down', 'neither'",
            "when_w_grows = -1.3": "expected one of 'up', 'down', 'neither'",
        },
    ),
    "01.2": Exercise(
        asks="the blame of every number of a neuron",
        hints=(
            "One line is: the blame from above, times the slope of the brick. The blame from above "
            "is the line before, such as blame[error] for blame[out].",
            "blame[error] = blame[loss] * 2 * error.data, and blame[out] = blame[error] * 1.0.",
            "w gets blame[product] times x.data, and x gets blame[product] times w.data.",
        ),
        solution="""\
blame[error] = blame[loss] * 2 * error.data
blame[out] = blame[error] * 1.0
blame[total] = blame[out] * (1 - out.data**2)
blame[product] = blame[total] * 1.0
blame[b] = blame[total] * 1.0
blame[w] = blame[product] * x.data
blame[x] = blame[product] * w.data""",
        wrong={
            """\
blame[error] = -2 * error.data
blame[out] = blame[error]""": "error: the sign is turned",
            """\
blame[error] = 2 * error.data
blame[out] = blame[error]
blame[total] = 1 - out.data**2""": "total: you have the slope of the brick, not times the blame",
            """\
blame[error] = 2 * error.data
blame[out] = blame[error]
blame[total] = blame[out] * (1 - out.data**2)
blame[product] = blame[b] = blame[total]
blame[w] = blame[product] * w.data
blame[x] = blame[product] * x.data""": "w: that is the gradient of x",
        },
    ),
    "01.3": Exercise(
        asks="the slope of a * a + a",
        hints=(
            "Three arrows leave a. Each brings some blame back.",
            "Two of them go into a * a, each with the slope 3; one goes into the plus.",
        ),
        solution="slope_of_a = 3.0 + 3.0 + 1.0",
        wrong={
            "slope_of_a = 3.0": "that is one path alone: 3 paths",
            "slope_of_a = 6.0": "one path is missing: 3 meet",
            "slope_of_a = 12.0": "that is the number y itself",
        },
    ),
    "01.4": Exercise(
        asks="the slope of a * a * a, for every a",
        answer=lambda a: 3 * a**2,
        points=(2.0, -1.5, 0.5),
        slips={
            "that is one path alone: three arrows leave a, add them": lambda a: a**2,
            "that is a * a * a itself, not its slope": lambda a: a**3,
            "that is the slope of a * a: here are three factors": lambda a: 2 * a,
            "that adds the numbers: a path multiplies the other two": lambda a: 3 * a,
        },
        hints=(
            "Three arrows leave a, one for each factor. How much does the result change along one?",
            "One factor alone changes the result by the product of the other two, a * a.",
        ),
        solution="""\
def slope_of_cube(a):
    return 3 * a * a""",
        wrong={
            "slope_of_cube = lambda a: a * a": "that is one path alone: three arrows",
            "slope_of_cube = lambda a: 3 * a": "that adds the numbers",
            "slope_of_cube = lambda a: -3 * a * a": "the sign is turned",
        },
    ),
    # --- 02, a training step ----------------------------------------------------------------------
    "02.1": Exercise(
        asks="a weight after one step",
        answer=lambda data, grad, lr: data - lr * grad,
        slips={
            "that goes uphill: a step goes against the gradient":
                lambda data, grad, lr: data + lr * grad,
            "the learning rate is missing: it makes the step small":
                lambda data, grad, lr: data - grad,
            "that is the step alone: take it away from the old number":
                lambda data, grad, lr: lr * grad,
            "that is the step alone: add it to the old number":
                lambda data, grad, lr: -lr * grad,
            "that is the old number: nothing has moved": lambda data, grad, lr: data,
        },
        hints=(
            "The gradient points uphill. The weight goes the other way, a small part of it.",
            "The new number is the old one minus lr times the gradient.",
        ),
        solution="new_data = first.data - lr * first.grad",
        wrong={
            "new_data = first.data + lr * first.grad": "that goes uphill",
            "new_data = first.data - first.grad": "the learning rate is missing",
            "new_data = lr * first.grad": "that is the step alone: take it away",
        },
    ),
    "02.2": Exercise(
        asks="does the loss go up or down by one step?",
        answer="down",
        words=WAYS,
        slips={"every weight went against its gradient: is that uphill or downhill?": "up"},
        hints=("The gradient points to where the loss grows. The step went the other way.",),
        solution='loss_will_go = "down"',
        wrong={
            'loss_will_go = "up"': "every weight went against its gradient",
            'loss_will_go = "nowhere"': "expected one of 'up', 'down', 'neither'",
            "loss_will_go = 0.5": "expected one of 'up', 'down', 'neither'",
        },
    ),
    "02.3": Exercise(
        asks="how far the loss falls by a tiny step",
        answer=0.25,
        slips={
            "square each gradient: it says how far its weight moves, and again how much the loss "
            "changes with it": 0.07,
            "gradients of both signs lower the loss: square each first": -0.01,
            "square each gradient first, then add": 0.49,
            "that is the length of the gradient times the step: leave the root out": 0.05,
            "the step size is missing": 25.0,
        },
        hints=(
            "A weight with gradient 3 moves by 0.01 * 3. How much does the loss change with that?",
            "The first weight lowers the loss by 0.01 * 3 * 3. Do the same for the other; add.",
        ),
        solution="fall = 0.01 * (3**2 + (-4) ** 2)",
        wrong={
            "fall = 0.01 * (3 + 4)": "square each gradient: it says how far",
            "fall = 0.01 * (3 - 4)": "gradients of both signs lower the loss",
            "fall = 3**2 + (-4) ** 2": "the step size is missing",
        },
    ),
    "02.4": Exercise(
        asks="a gradient after three passes without zero_grad",
        answer=lambda one: 3 * one,
        slips={
            "that is the gradient of one pass: nobody set it back": lambda one: one,
            "that is after two passes: a third one was added": lambda one: 2 * one,
            "passes are added up, not multiplied": lambda one: one**3,
        },
        hints=("Each pass adds its own gradient to what is there already.",),
        solution="after_three = 3 * right",
        wrong={
            "after_three = right": "that is the gradient of one pass",
            "after_three = 2 * right": "that is after two passes",
            "after_three = right**3": "passes are added up",
        },
    ),
    # --- 05, classic mistakes ---------------------------------------------------------------------
    "05.1": Exercise(
        asks="the slope of a * a at 3",
        hints=(
            "Move a a little: 3.1 * 3.1 is 9.61. By how much did the result change, for 0.1?",
            "Both arrows from a into a * a carry blame: the slope of each is the other factor, 3.",
        ),
        solution="slope_of_a = 3.0 + 3.0",
        wrong={
            "slope_of_a = 3.0": "that is one path alone: 2 paths",
            "slope_of_a = 9.0": "that is the number square itself",
            "slope_of_a = 12.0": "that is twice too much",
        },
    ),
    "05.2": Exercise(
        asks="how much blame a gets through b",
        hints=(
            "Begin at c = b + b: it hands 1 along each of its two arrows. How much has b then?",
            "b has 2, and hands them on along each of the two arrows to a.",
        ),
        solution="blame_of_a = 2 * 2.0",
        wrong={
            "blame_of_a = 2.0": "that is one path alone: 2 paths from b",
            "blame_of_a = 1.0": "you have the slope of the brick",
            "blame_of_a = 3.0": "that is the number a itself",
        },
    ),
    "05.3": Exercise(
        asks="one step down w * w with a learning rate of 1.5",
        answer=lambda w: w - 1.5 * 2 * w,
        points=(1.0, -0.5, 3.0),
        slips={
            "that goes uphill: a step goes against the gradient": lambda w: w + 1.5 * 2 * w,
            "the slope of w * w is 2 * w: two paths meet in w": lambda w: w - 1.5 * w,
            "that is the step alone: take it away from w": lambda w: 1.5 * 2 * w,
            "the learning rate is missing": lambda w: w - 2 * w,
            "that takes w * w itself for its slope": lambda w: w - 1.5 * w * w,
        },
        hints=(
            "A step is: the old number minus the learning rate times the gradient.",
            "The gradient of w * w is 2 * w, as for a * a above.",
        ),
        solution="""\
def next_w(w):
    return w - 1.5 * 2 * w""",
        wrong={
            "next_w = lambda w: w + 1.5 * 2 * w": "that goes uphill",
            "next_w = lambda w: w - 1.5 * w": "the slope of w * w is 2 * w",
            "next_w = lambda w: w - 2 * w": "the learning rate is missing",
        },
    ),
    "05.4": Exercise(
        asks="does the loss come down again?",
        answer="grows",
        words=("falls", "grows", "stays"),
        slips={
            "a step that is too long ends higher up on the other side": "falls",
            "each step makes w larger, not only its sign another": "stays",
        },
        hints=("Put 1 into next_w, and what comes out once more. What does w * w do?",),
        solution='loss_of_12_steps = "grows"',
        wrong={
            'loss_of_12_steps = "falls"': "a step that is too long ends higher up",
            'loss_of_12_steps = "stays"': "each step makes w larger",
            'loss_of_12_steps = "jumps"': "expected one of 'falls', 'grows', 'stays'",
        },
    ),
    "05.5": Exercise(
        asks="which kind of zero is it?",
        answer={
            "a layer that was never called": "no path",
            "a weight below a relu that is off": "dead",
            "the 1 in out - 1": "constant",
            "a weight before backward": "not computed",
        },
        words=ZEROS,
        hints=(
            "Ask first: has backward run at all? Then: can this number be changed by learning?",
            "Is there a way through the graph from it to the loss? If so, a slope on it is 0.",
        ),
        solution="""\
zeros = {
    "a layer that was never called": "no path",
    "a weight below a relu that is off": "dead",
    "the 1 in out - 1": "constant",
    "a weight before backward": "not computed",
}""",
        wrong={
            'zeros |= {"a layer that was never called": "dead"}':
                "a layer that was never called: it is another of 'not computed'",
            'zeros |= {"a weight below a relu that is off": "no path"}':
                "a weight below a relu that is off: it is another of 'not computed'",
            'zeros |= {"the 1 in out - 1": "zero"}': "expected one of 'not computed', 'no path'",
        },
    ),
    # --- 09, learning by heart --------------------------------------------------------------------
    "09.1": Exercise(
        asks="which pack takes longest to learn?",
        answer="random labels",
        words=("real", "random inputs", "random labels"),
        slips={
            "real cards share a pattern, which makes them the fastest": "real",
            "there is no pattern, but pictures of noise are at least unlike each other":
                "random inputs",
        },
        hints=(
            "In which packs is there nothing that one card tells about another?",
            "Two threes look alike. What if one has to be called 7, the other one 2?",
        ),
        solution='takes_longest = "random labels"',
        wrong={
            'takes_longest = "real"': "real cards share a pattern",
            'takes_longest = "random inputs"': "at least unlike each other",
            'takes_longest = "none"': "expected one of 'real', 'random inputs', 'random labels'",
        },
    ),
    "09.2": Exercise(
        asks="how many of 500 new cards does the net of random labels name right?",
        answer=50.0,
        slips={
            "it is right on its own cards, but these are new": 500.0,
            "that would be a coin with two sides: there are ten digits": 250.0,
            "who guesses is right now and then: how often, of ten digits?": 0.0,
        },
        hints=("What it learned says nothing about digits. So it guesses, one of ten.",),
        solution="right_by_luck = 500 / 10",
        wrong={
            "right_by_luck = 500": "but these are new",
            "right_by_luck = 250": "a coin with two sides",
            "right_by_luck = 0": "who guesses is right now and then",
        },
    ),
    "09.3": Exercise(
        asks="how many passes do 300 real cards take, beside 50?",
        answer="about as many",
        words=("fewer", "about as many", "many more"),
        slips={
            "each card helps the others, but there are also more odd ones": "fewer",
            "that would be so if no card helped another: these are real digits": "many more",
        },
        hints=("A net that reads fifty threes: what is there to learn about the next one?",),
        solution='passes_of_300 = "about as many"',
        wrong={
            'passes_of_300 = "fewer"': "each card helps the others",
            'passes_of_300 = "many more"': "if no card helped another",
            'passes_of_300 = "6 times"': "expected one of 'fewer', 'about as many', 'many more'",
        },
    ),
    # --- 10, noise and rest -----------------------------------------------------------------------
    "10.1": Exercise(
        asks="how do the new cards fare, where two of five labels are wrong?",
        answer="up, then down",
        words=("up", "up, then down", "down"),
        slips={
            "as long as it reads, yes; but what is there to learn when it reads?": "up",
            "three labels of five are right: there is something to learn from them": "down",
        },
        hints=(
            "Which is faster to learn, what cards share or what is true of one card alone?",
            "First it learns to read. Then only the wrong labels are left to learn.",
        ),
        solution='new_cards_go = "up, then down"',
        wrong={
            'new_cards_go = "up"': "what is there to learn when it reads?",
            'new_cards_go = "down"': "three labels of five are right",
            'new_cards_go = "nowhere"': "expected one of 'up', 'up, then down', 'down'",
        },
    ),
    "10.2": Exercise(
        asks="what does noise on the front do after the peak?",
        answer="hardly a fall",
        words=("hardly a fall", "the same fall", "a deeper fall"),
        slips={
            "a wrong label stands on a real digit; does noise look like one?": "the same fall",
            "noise is unlike any digit: what is learned about it is not in the way":
                "a deeper fall",
        },
        hints=("Which new card looks like noise?",),
        solution='after_the_peak = "hardly a fall"',
        wrong={
            'after_the_peak = "the same fall"': "does noise look like one?",
            'after_the_peak = "a deeper fall"': "noise is unlike any digit",
            'after_the_peak = "a rise"': "expected one of 'hardly a fall'",
        },
    ),
    "10.3": Exercise(
        asks="whose cards are more often critical?",
        answer="noisy",
        words=("real", "noisy", "both alike"),
        slips={
            "it learned what digits share; where would it draw a line through a three?": "real",
            "one of them has learned single cards by heart: what lies around each?": "both alike",
        },
        hints=("A card learned by heart needs a border of its own around it.",),
        solution='more_critical = "noisy"',
        wrong={
            'more_critical = "real"': "it learned what digits share",
            'more_critical = "both alike"': "single cards by heart",
            "more_critical = 0.05": "expected one of 'real', 'noisy', 'both alike'",
        },
    ),
    # --- 11, grokking -----------------------------------------------------------------------------
    "11.1": Exercise(
        asks="20 + 9 on a clock of 23 hours",
        answer=6.0,
        slips={
            "past 23 the clock begins anew": 29.0,
            "the hour 23 is the hour 0: no hour is left out": 7.0,
            "a clock of 12 hours would say so": 5.0,
        },
        hints=("29 is 23 and some more.",),
        solution="hour = (20 + 9) % 23",
        wrong={
            "hour = 20 + 9": "past 23 the clock begins anew",
            "hour = 7": "no hour is left out",
            "hour = 5": "a clock of 12 hours",
        },
    ),
    "11.2": Exercise(
        asks="all seen sums are right: what of the others then?",
        answer="mostly wrong",
        words=("mostly wrong", "half right", "mostly right"),
        slips={
            "it knows the seen ones by heart: that says little about the others": "half right",
            "it would be if it had understood; it only knows the seen ones by now": "mostly right",
        },
        hints=("Remember the net of random labels in notebook 09.",),
        solution='others_are = "mostly wrong"',
        wrong={
            'others_are = "half right"': "says little about the others",
            'others_are = "mostly right"': "if it had understood",
            'others_are = "wrong"': "expected one of 'mostly wrong', 'half right', 'mostly right'",
        },
    ),
    "11.3": Exercise(
        asks="when does it understand without weight decay?",
        answer="never",
        words=("sooner", "as soon", "later", "never"),
        slips={
            "what would push it on, once the seen sums are right?": "sooner",
            "something pushes the weights until a cheaper way is found: without it?": "as soon",
            "with less of it later, yes; but without any nothing pushes": "later",
        },
        hints=("When all seen sums are right, their loss is nearly 0. What else moves a weight?",),
        solution='without_decay = "never"',
        wrong={
            'without_decay = "sooner"': "what would push it on",
            'without_decay = "as soon"': "until a cheaper way is found",
            'without_decay = "later"': "without any nothing pushes",
        },
    ),
}
# fmt: on
