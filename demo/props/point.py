# SPDX-License-Identifier: MIT
"""Points a name to the address of a host of this network, by a signed update.

    TSIG_SECRET=... python3 -m demo.props.point HOST SERVER ZONE NAME KEY
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

TTL_S = 1


def main(host: str, server: str, zone: str, name: str, key: str) -> int:
    address = socket.gethostbyname(host)
    script = [
        f"server {server}", f"zone {zone}", f"key hmac-sha256:{key} {os.environ['TSIG_SECRET']}",
        f"update delete {name} A", f"update add {name} {TTL_S} A {address}", "send",
    ]  # fmt: skip
    done = subprocess.run(["nsupdate"], input="\n".join(script) + "\n", text=True, check=False)
    print(f"{name} is {address}" if done.returncode == 0 else f"{name} could not be changed", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
