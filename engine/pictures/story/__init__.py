"""The parts of `engine.steps`: the numbers of a pass, the words for them, and a check of them."""
