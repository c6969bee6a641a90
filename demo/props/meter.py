# SPDX-License-Identifier: MIT
"""Beside the server, in its network: reads its page of figures and prints them as JSON lines, until it is ended.

    python3 -m demo.props.meter PORT
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request

EVERY_S = 0.25


def figures(page: str) -> dict[str, float]:
    """Of the text format of Prometheus: the series that have no labels, and the others with them."""
    rows = (line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def main(port: str) -> None:
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            print(json.dumps(figures(answer.read().decode())), flush=True)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
