"""Write scalars, run matrices: a function is recorded once, rolled into loops, and replayed."""

from engine.replay.compare import ReplayError as ReplayError
from engine.replay.replay import Replay as Replay
from engine.replay.replay import replay as replay
