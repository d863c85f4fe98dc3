"""Exercises of the notebooks 12 and 13: matrices, PyTorch."""

from nn.exercises.exercise import Exercise

# fmt: off
ROWS = {
    # --- 12, find the matrices --------------------------------------------------------------------
    "12.1": Exercise(
        asks="the multiplications of three neurons, two inputs, four examples",
        answer=24.0,
        slips={
            "those are the neurons' outputs: each takes two multiplications": 12.0,
            "that is for one example": 6.0,
            "that is for one neuron": 8.0,
        },
        hints=("A neuron multiplies twice. There are three, and each meets four examples.",),
        solution="multiplications = 2 * 3 * 4",
        wrong={
            "multiplications = 3 * 4": "the neurons' outputs",
            "multiplications = 2 * 3": "for one example",
            "multiplications = 2 * 4": "for one neuron",
        },
    ),
    "12.2": Exercise(
        asks="how far the weights move from one example to the next",
        answer=0.0,
        slips={
            "that is how far the inputs move: do the examples share their weights?": 2.0,
            "that would be one place on: do the examples share their weights?": 1.0,
            "there are six weights, and the next example takes the same ones": 6.0,
        },
        hints=("Which weights does the second example meet?",),
        solution="step_of_the_weights = 0",
        wrong={
            "step_of_the_weights = 2": "how far the inputs move",
            "step_of_the_weights = 1": "one place on",
            "step_of_the_weights = 6": "takes the same ones",
        },
    ),
    "12.3": Exercise(
        asks="how many matrix products a net of three layers takes in its forward pass",
        answer=3.0,
        slips={
            "there are 33 neurons, but those of a layer are one product": 33.0,
            "the last layer, of one neuron, is one too": 2.0,
            "all 100 examples are in the same product": 300.0,
            "that is one for each example: all are in the same product": 100.0,
        },
        hints=("One product for each layer, all examples at once.",),
        solution="products = 3",
        wrong={
            "products = 33": "those of a layer",
            "products = 2": "of one neuron",
            "products = 300": "in the same product",
        },
    ),
    # --- 13, from here to PyTorch -----------------------------------------------------------------
    "13.1": Exercise(
        asks="the numbers in Linear(4, 8)",
        answer=40.0,
        slips={
            "each of the 8 neurons has a bias too": 32.0,
            "that is one row: a neuron": 5.0,
            "the bias belongs to a neuron, not to an input": 36.0,
        },
        hints=("8 neurons, each with 4 weights and a bias.",),
        solution="numbers = 8 * (4 + 1)",
        wrong={
            "numbers = 8 * 4": "a bias too",
            "numbers = 4 + 1": "that is one row",
            "numbers = 4 * (8 + 1)": "not to an input",
        },
    ),
    "13.2": Exercise(
        asks="which line changes the weights?",
        answer="step",
        words=("cross_entropy", "zero_grad", "backward", "step"),
        slips={
            "that is the forward pass: it computes the loss": "cross_entropy",
            "that forgets the gradients": "zero_grad",
            "that finds the gradients, and changes no weight": "backward",
        },
        hints=("Three of the four compute, find and forget. Which one is left?",),
        solution='line = "step"',
        wrong={
            'line = "backward"': "changes no weight",
            'line = "zero_grad"': "forgets the gradients",
            'line = "cross_entropy"': "the forward pass",
        },
    ),
    "13.3": Exercise(
        asks="the shape of X @ W.T for 120 flowers, 4 numbers each, and 8 neurons",
        answer=[120.0, 8.0],
        slips={
            "that is the shape of X: each flower comes out as 8 numbers": 4.0,
            "turn it round: one row for each flower": 8.0,
            "turn it round: one column for each neuron": 120.0,
        },
        hints=("One row for each flower, one number in it for each neuron.",),
        solution="shape = [120, 8]",
        wrong={
            "shape = [120, 4]": "number 2: that is the shape of X",
            "shape = [8, 120]": "number 1: turn it round",
            "shape = [120]": "expected a list of 2",
        },
    ),
}
# fmt: on
