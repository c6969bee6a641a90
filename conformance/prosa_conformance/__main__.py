# SPDX-License-Identifier: MIT
"""python -m prosa_conformance"""

import contextlib
import io
import os
import sys

HARNESS = 4  # outcome.Exit's, which may not be there


def run() -> None:
    """Ends at once: a reader of stdout that has gone, or knows few letters, must not change the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from prosa_conformance import interruption
        from prosa_conformance.cli import main
    except ImportError as error:
        print(f"prosa conformance: {error}", file=sys.stderr)
        sys.exit(HARNESS)
    interruption.listen()
    code = main(sys.argv[1:])
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
