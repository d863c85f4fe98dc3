import pytest

from engine.names import no_such

NAMES = ["relu", "tan", "tanh", "Species"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rellu", "no name 'rellu', did you mean 'relu'? There are: relu, tan, tanh, Species"),
        ("TANH", "no name 'TANH', did you mean 'tanh'? There are: relu, tan, tanh, Species"),
        ("specis", "no name 'specis', did you mean 'Species'? There are: relu, tan, tanh, Species"),
        ("softmax", "no name 'softmax'. There are: relu, tan, tanh, Species"),
        ("tahn", "no name 'tahn', did you mean 'tanh'? There are: relu, tan, tanh, Species"),
        (7, "no name 7. There are: relu, tan, tanh, Species"),
        ("q" * 200, f"no name '{'q' * 79}. There are: relu, tan, tanh, Species"),
    ],
)
def test_the_nearest_name_and_all_of_them(name, words):
    assert no_such("name", name, NAMES) == words
