"""The parts of `engine.steps`: the numbers of a story, its words, and its check."""
