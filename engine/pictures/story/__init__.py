"""The parts of `engine.steps`: a pass in numbers, words and events; its check; mistakes."""
