"""Exercises of the notebooks 07 and 08: a table of one's own, digits."""

from nn.exercises.exercise import Exercise

# fmt: off
ROWS = {
    # --- 07, your own data ------------------------------------------------------------------------
    "07.1": Exercise(
        asks="how many of the 500 flats a net may learn from",
        answer=320.0,
        slips={
            "those held out are among them: a fifth of the 400": 400.0,
            "that takes both fifths of 500: the second one is of what is left": 300.0,
            "those are in the drawer": 100.0,
            "those are held out": 80.0,
        },
        hints=("A fifth goes into the drawer: 400 are left. A fifth of these is held out.",),
        solution="to_learn_from = 500 * 0.8 * 0.8",
        wrong={
            "to_learn_from = 400": "those held out are among them",
            "to_learn_from = 300": "of what is left",
            "to_learn_from = 80": "those are held out",
        },
    ),
    "07.2": Exercise(
        asks="which rows may say how a column is scaled?",
        answer="to learn from",
        words=("all", "to learn from", "in the drawer"),
        slips={
            "even a mean would tell something about the rows in the drawer": "all",
            "nobody looks into the drawer before the end": "in the drawer",
        },
        hints=("What must know nothing about the rows in the drawer?",),
        solution='rows_for_scaling = "to learn from"',
        wrong={
            'rows_for_scaling = "all"': "even a mean",
            'rows_for_scaling = "in the drawer"': "before the end",
            'rows_for_scaling = "none"': "expected one of 'all', 'to learn from', 'in the drawer'",
        },
    ),
    "07.3": Exercise(
        asks="may you look again after a change?",
        answer="new rows",
        words=("yes", "the mean of both", "new rows"),
        slips={
            "you chose the change by what the drawer said: now it has taken part": "yes",
            "both numbers come from rows that have taken part in a choice": "the mean of both",
        },
        hints=("What was the drawer for? Can it still do that?",),
        solution='to_be_honest = "new rows"',
        wrong={
            'to_be_honest = "yes"': "it has taken part",
            'to_be_honest = "the mean of both"': "in a choice",
            'to_be_honest = "no"': "expected one of 'yes', 'the mean of both', 'new rows'",
        },
    ),
    # --- 08, digits -------------------------------------------------------------------------------
    "08.1": Exercise(
        asks="how many numbers the net can learn",
        answer=64 * 32 + 32 + 32 * 10 + 10.0,
        slips={
            "each neuron has a bias too": 64 * 32 + 32 * 10.0,
            "that is the first layer alone": 64 * 32 + 32.0,
            "that is the first layer alone, without its biases": 64 * 32.0,
            "add what the two layers have: a path is multiplied, a count is not": 64 * 32 * 10.0,
            "those are the neurons: count the weights of each": 32 + 10.0,
        },
        hints=(
            "A neuron of the first layer has 64 weights and a bias. There are 32 of them.",
            "A neuron of the second has 32 weights and a bias. There are 10 of them.",
        ),
        solution="count = 32 * (64 + 1) + 10 * (32 + 1)",
        wrong={
            "count = 64 * 32 + 32 * 10": "a bias too",
            "count = 32 * (64 + 1)": "the first layer alone",
            "count = 64 * 32 * 10": "a count is not",
        },
    ),
    "08.2": Exercise(
        asks="how a net learns if the pixels of all pictures are shuffled alike",
        answer="as well",
        words=("worse", "as well", "not at all"),
        slips={
            "for you it is harder: does the net know which pixels are neighbours?": "worse",
            "the picture is a list for it, before and after": "not at all",
        },
        hints=("Give each weight of the first layer the new place of its pixel. What changes?",),
        solution='it_learns = "as well"',
        wrong={
            'it_learns = "worse"': "for you it is harder",
            'it_learns = "not at all"': "the picture is a list",
            'it_learns = "better"': "expected one of 'worse', 'as well', 'not at all'",
        },
    ),
    "08.3": Exercise(
        asks="the share of mistakes from the table",
        answer=lambda right, pictures: 1 - right / pictures,
        slips={
            "that is the share of right answers": lambda right, pictures: right / pictures,
            "that is how many: divide by how many pictures there are":
                lambda right, pictures: pictures - right,
            "that is in percent": lambda right, pictures: 100 * (1 - right / pictures),
            "rounded too far: let Python compute it":
                lambda right, pictures: round(1 - right / pictures, 2),
        },
        hints=("What is not on the diagonal is a mistake. Divide by the number of pictures.",),
        solution="share = 1 - on_the_diagonal / len(drawer.ys)",
        wrong={
            "share = on_the_diagonal / len(drawer.ys)": "right answers",
            "share = len(drawer.ys) - on_the_diagonal": "that is how many",
            "share = 100 * (1 - on_the_diagonal / len(drawer.ys))": "in percent",
        },
    ),
}
# fmt: on
