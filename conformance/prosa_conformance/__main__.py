# SPDX-License-Identifier: MIT
"""python -m prosa_conformance"""

import sys

from prosa_conformance.cli import main


def run() -> None:
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
