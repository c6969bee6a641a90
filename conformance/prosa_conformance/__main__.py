# SPDX-License-Identifier: MIT
"""python -m prosa_conformance"""

import contextlib
import os
import signal
import sys

from prosa_conformance.cli import main


def interrupt_once() -> None:
    """Ctrl-C and SIGTERM interrupt, so that no program is left behind; a second one does not interrupt that."""
    is_interrupted = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal is_interrupted
        if not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def run() -> None:
    """Ends at once: a reader of stdout that has gone must not change the exit code."""
    interrupt_once()
    code = main(sys.argv[1:])
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
