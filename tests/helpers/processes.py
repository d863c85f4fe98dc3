"""Programs in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def printed(program: str, seed: int) -> str:
    """What a program prints, with the tests and their helpers to import, and hashes seeded."""
    paths = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE)))
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
