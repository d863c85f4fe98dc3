"""Exercises of the notebooks 03 to 06: downhill in fog, the race, mistakes, blame that fades."""

from nn.exercises.exercise import ZEROS, Exercise

# fmt: off
ROWS = {
    # --- 03, downhill in fog ----------------------------------------------------------------------
    "03.1": Exercise(
        asks="two mistakes, +3 and -3, as a loss in two ways",
        answer={"sum of the mistakes": 0.0, "sum of their squares": 18.0},
        slips={
            "square each first, then add": 36.0,
            "that is their mean: the sum was asked for": 9.0,
            "a square is never negative": -18.0,
            "that is the sum of their sizes, without the signs": 6.0,
        },
        hints=("3 and -3 added up are 0. The square of -3 is 9.",),
        solution='losses = {"sum of the mistakes": 3 - 3, "sum of their squares": 9 + 9}',
        wrong={
            'losses = {"sum of the mistakes": 6, "sum of their squares": 18}':
                "sum of the mistakes: that is the sum of their sizes",
            'losses = {"sum of the mistakes": 0, "sum of their squares": 9}':
                "sum of their squares: that is their mean",
            'losses = {"sum of the mistakes": 0, "sum of their squares": 36}':
                "sum of their squares: square each first",
        },
    ),
    "03.2": Exercise(
        asks="what a learning rate of 0.4 does in this valley",
        answer="climbs",
        words=("arrives", "on its way", "climbs"),
        slips={
            "0.3 was already jumping from side to side: what if each jump is longer?": "arrives",
            "its steps are longer than those of 0.3, which had arrived": "on its way",
        },
        hints=("Look at the walk with 0.3: where does each step land? Make the steps longer.",),
        solution='walk_of_0_4 = "climbs"',
        wrong={
            'walk_of_0_4 = "arrives"': "jumping from side to side",
            'walk_of_0_4 = "on its way"': "which had arrived",
            'walk_of_0_4 = "falls"': "expected one of 'arrives', 'on its way', 'climbs'",
        },
    ),
    "03.3": Exercise(
        asks="where you stand after one step downhill",
        answer={"x": 0.8, "y": 0.0},
        slips={
            "that goes uphill: x + 0.2 * 1": 1.2,
            "that goes uphill: y + 0.2 * -5": -2.0,
            "the learning rate is missing: 0.2 times the slope": 4.0,
            "the learning rate is missing: take 0.2 times the slope away": 0.0,
            "the slope is missing: take 0.2 times the slope away": -1.2,
            "that is the step alone: take it away from where you were": 0.2,
            "that is the step alone: go on from where you were": -0.2,
            "you stand where you were, or that is the step alone: go on by the step": 1.0,
            "you stand where you were, or that is the step alone": -1.0,
        },
        hints=("The new place is the old one minus 0.2 times the slope, for each number.",),
        solution='place = {"x": 1.0 - 0.2 * 1.0, "y": -1.0 - 0.2 * -5.0}',
        wrong={
            'place = {"x": 1.2, "y": -2.0}': "x: that goes uphill",
            'place = {"x": 0.8, "y": 4.0}': "y: the learning rate is missing",
            'place = {"x": 0.2, "y": 0.0}': "x: that is the step alone",
        },
    ),
    # --- 04, the race -----------------------------------------------------------------------------
    "04.1": Exercise(
        asks="steps of 10 flowers for the price of one step of all",
        answer=lambda points: points / 10,
        slips={
            "that would be steps of one flower": lambda points: points,
            "that is what one of them looks at": lambda points: 10,
            "turn it round: how many tens are in them?": lambda points: 10 / points,
        },
        hints=("One step of all looks at 120 flowers. How many tens are that?",),
        solution="steps_of_10 = len(flowers.ys) / 10",
        wrong={
            "steps_of_10 = len(flowers.ys)": "steps of one flower",
            "steps_of_10 = 10": "what one of them looks at",
            "steps_of_10 = 10 / len(flowers.ys)": "turn it round",
        },
    ),
    "04.2": Exercise(
        asks="who is below 0.1 after fewer points?",
        answer="stochastic",
        words=("all points", "stochastic"),
        slips={"it looks at 120 flowers before it moves at all": "all points"},
        hints=("After 120 flowers one of the two has made one step, the other 120.",),
        solution='sooner = "stochastic"',
        wrong={
            'sooner = "all points"': "before it moves at all",
            'sooner = "both"': "expected one of 'all points', 'stochastic'",
            "sooner = 120": "expected one of 'all points', 'stochastic'",
        },
    ),
    "04.3": Exercise(
        asks="what a smaller learning rate does to the floor",
        answer="lower",
        words=("lower", "the same", "higher"),
        slips={
            "each point pulls to its own side, by the learning rate times its slope": "the same",
            "it takes longer to get there; but how far does one point pull it away?": "higher",
        },
        hints=("At the bottom one point pulls it away by a step. How long is that step?",),
        solution='floor_is = "lower"',
        wrong={
            'floor_is = "the same"': "by the learning rate times its slope",
            'floor_is = "higher"': "it takes longer to get there",
            'floor_is = "gone"': "expected one of 'lower', 'the same', 'higher'",
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
            "the gradient is missing: 1.5 times 2 * w": lambda w: w - 1.5,
            "right for w = 1 alone: it should hold for every w": lambda w: -2.0,
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
    # --- 06, blame that fades ---------------------------------------------------------------------
    "06.1": Exercise(
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
    "06.2": Exercise(
        asks="the blame that is left after 8 sigmoids, at most",
        answer=0.25**8,
        slips={
            "slopes along a path are multiplied, not added": 8 * 0.25,
            "multiply by 0.25 eight times: that was once, divided by 8": 0.25 / 8,
            "an eighth would share it out: each sigmoid leaves a quarter of what comes": 1 / 8,
            "that are seven sigmoids": 0.25**7,
            "that are nine sigmoids": 0.25**9,
        },
        hints=(
            "After one sigmoid at most 0.25 is left. After two a quarter of that.",
            "0.25 * 0.25 * ... with eight factors, in Python 0.25**8.",
        ),
        solution="at_most = 0.25**8",
        wrong={
            "at_most = 8 * 0.25": "multiplied, not added",
            "at_most = 0.25 / 8": "divided by 8",
            "at_most = 0.25**7": "seven sigmoids",
        },
    ),
    "06.3": Exercise(
        asks="the runs that trial and error needs for one step",
        answer=lambda weights: weights + 1,
        slips={
            "one more: the run to compare with": lambda weights: weights,
            "one push for each weight is enough here, and one run to compare with":
                lambda weights: 2 * weights,
            "that is how many walking back needs": lambda weights: 1,
        },
        hints=("Run it once as it is. Then push one weight, run it, put the weight back; next.",),
        solution="runs_needed = len(net.parameters()) + 1",
        wrong={
            "runs_needed = len(net.parameters())": "one more",
            "runs_needed = 2 * len(net.parameters())": "is enough here",
            "runs_needed = 1": "walking back",
        },
    ),
}
# fmt: on
