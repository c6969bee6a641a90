# SPDX-License-Identifier: MIT
"""python -m prosa_grading"""

from __future__ import annotations

import io
import sys

from prosa_conformance import interruption
from prosa_grading.cli import main


def run() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    interruption.listen()
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
