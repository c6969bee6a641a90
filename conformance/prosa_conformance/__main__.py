# SPDX-License-Identifier: MIT
"""python -m prosa_conformance"""

import contextlib
import os
import sys

from prosa_conformance import interruption
from prosa_conformance.cli import main


def run() -> None:
    """Ends at once: a reader of stdout that has gone must not change the exit code."""
    interruption.listen()
    code = main(sys.argv[1:])
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
