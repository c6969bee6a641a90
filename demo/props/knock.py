# SPDX-License-Identifier: MIT
"""Whether anybody answers at an address: prints "answered", or why not.

    python3 -m demo.props.knock HOST PORT
"""

from __future__ import annotations

import socket
import sys

WAIT_S = 5


def main(host: str, port: str) -> None:
    try:
        socket.create_connection((host, int(port)), timeout=WAIT_S).close()
    except OSError as error:
        print(error.strerror or str(error), flush=True)
    else:
        print("answered", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
