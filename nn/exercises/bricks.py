"""Exercises of the notebooks 00 to 02: bricks, blame, a training step."""

from nn.exercises.exercise import WAYS, Exercise

# fmt: off
ROWS = {
    # --- 00, build Value --------------------------------------------------------------------------
    "00.1": Exercise(
        asks="the slopes of a brick that takes y away from x",
        answer={"x": 1.0, "y": -1.0},
        slips={
            "so far x - y moves: divide by the push of 0.001": 0.001,
            "so far x - y moves: divide by the push, which is 0.001": -0.001,
        },
        hints=(
            "Push x by 0.001: by how much does x - y change? Then do the same with y.",
            "If y grows by 0.001, x - y falls by 0.001. Divide by the push.",
        ),
        solution='slopes = {"x": 1.0, "y": -1.0}',
        wrong={
            'slopes = {"x": 1.0, "y": 1.0}': "y: the sign is turned",
            'slopes = {"x": -1.0, "y": -1.0}': "x: the sign is turned",
            'slopes = {"x": 1.0, "y": "down"}': "y: expected a number such as 0.5, got 'down'",
        },
    ),
    "00.2": Exercise(
        asks="the slope of a * b + a for a, where a is 4 and b is 5",
        answer=6.0,
        slips={
            "that is the path through the product alone: a is also added": 5.0,
            "that is the path through the plus alone: a is also multiplied": 1.0,
            "that is the result itself": 24.0,
            "that is the slope for b": 4.0,
            "that adds a and b: along the times the slope for a is b alone": 4.0 + 5.0,
            "that is a * b itself: its slope for a is b": 4.0 * 5.0,
        },
        hints=(
            "Two arrows leave a: one into the times, one into the plus.",
            "Along the times the slope is b. Along the plus it is 1.",
        ),
        solution="slope_for_a = 5.0 + 1.0",
        wrong={
            "slope_for_a = 5.0": "the product alone",
            "slope_for_a = 1.0": "the plus alone",
            "slope_for_a = 4.0": "the slope for b",
        },
    ),
    "00.3": Exercise(
        asks="the slope of 1 / x, for every x",
        answer=lambda x: -1 / (x * x),
        points=(2.0, -1.5, 0.5),
        slips={
            "that is 1 / x itself, not its slope": lambda x: 1 / x,
            "try it with numbers: 1 / 2 is 0.5 and 1 / 2.001 is 0.49975": lambda x: -1 / x,
            "that has the power right, not the place: divide by it": lambda x: -x * x,
            "right at 2 alone: it should hold for every x": lambda x: -0.25,
            "right at 2; at 3 it is -1/9": lambda x: -1 / (2 * x),
            "nearly: that is a push. Which short function gives -1/4 at 2, -1/9 at 3, -1/16 at 4?":
                lambda x: (1 / (x + 0.001) - 1 / x) / 0.001,
        },
        hints=(
            "Push: 1 / 2.001 - 1 / 2 is -0.00025. Divided by the push of 0.001 it is -0.25.",
            "At 2 the slope is -1/4, at 3 it is -1/9, at 4 it is -1/16.",
        ),
        solution="""\
def slope_of_one_over(x):
    return -1 / (x * x)""",
        wrong={
            "slope_of_one_over = lambda x: 1 / x": "that is 1 / x itself",
            "slope_of_one_over = lambda x: 1 / (x * x)": "the sign is turned",
            "slope_of_one_over = lambda x: -1 / x": "try it with numbers",
        },
    ),
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
            "blame[total] = blame[out] * (1 - out.data**2), with these brackets. "
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
            "that is two paths: three arrows leave a": lambda a: 2 * a**2,
            "right at 3 alone: it should hold for every a": lambda a: 27.0,
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
            "the gradient is missing: it says which way and how far":
                lambda data, grad, lr: data - lr,
            "the gradient is missing: lr is times the gradient, not times the number":
                lambda data, grad, lr: data - lr * data,
            "that is lr times the number: take lr times the gradient away from it":
                lambda data, grad, lr: lr * data,
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
        asks="a gradient after three passes without zero_grad",
        answer=lambda one: 3 * one,
        slips={
            "that is the gradient of one pass: nobody set it back": lambda one: one,
            "that is after two passes: a third one was added": lambda one: 2 * one,
            "each pass adds right once more: it does not double what is there":
                lambda one: 4 * one,
            "nobody set it back to 0": lambda one: 0.0,
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
}
# fmt: on
