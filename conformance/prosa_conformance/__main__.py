# SPDX-License-Identifier: MIT
"""python -m prosa_conformance"""

import contextlib
import os
import signal
import sys

from prosa_conformance.cli import main


def run() -> None:
    """SIGTERM is an interruption, so that no program is left behind.

    Ends at once: a reader of stdout that has gone must not change the exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = main(sys.argv[1:])
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
