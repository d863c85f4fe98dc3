"""The parts of `engine.steps`: a pass in numbers, its words, its events, its check, and mistakes."""
