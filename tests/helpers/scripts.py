"""JavaScript for tests: run by one process of Node, or by a Chromium where there is no Node."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from browsers import chromium

NODE = """
import {{ createInterface }} from "node:readline";
const run = {};
for await (const line of createInterface({{ input: process.stdin }}))
  console.log(JSON.stringify(await Promise.resolve(JSON.parse(line)).then(run).catch(String)));
"""


@contextmanager
def running(function: str) -> Iterator[Callable[[Any], Any]]:
    """Inside, what a function of JavaScript gives for plain data; its errors are texts.

    The test is skipped where there is neither Node nor a Chromium.
    """
    node = shutil.which("node")
    if node is None:
        with chromium() as browser:
            page = browser.new_page()
            yield lambda given: page.evaluate(function, given)
        return
    command = [node, "--input-type=module", "--eval", NODE.format(function)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdin
        assert process.stdout
        to, back = process.stdin, process.stdout

        def ask(given: Any) -> Any:
            to.write(json.dumps(given) + "\n")
            to.flush()
            return json.loads(back.readline())

        yield ask
        to.close()
