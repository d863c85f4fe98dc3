"""The exercises of the notebooks, one in a row: answers, hints, solutions, what goes wrong.

The tests put each solution and each wrong answer into its notebook. A number such as 01.2 is the
second exercise of notebook 01.
"""

from nn.exercises import bricks, data, downhill, further, heart
from nn.exercises.exercise import Exercise

EXERCISES: dict[str, Exercise] = {
    **bricks.ROWS,
    **downhill.ROWS,
    **data.ROWS,
    **heart.ROWS,
    **further.ROWS,
}
