# SPDX-License-Identifier: MIT
"""A real BIND 9: its settings for a zone that one key may change, and such a server on loopback."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from pathlib import Path

ZONE = "example.test"
NAME = f"chat.{ZONE}"
DEADLINE_S = 60


def new_key(name: str) -> str:
    """As tsig-keygen prints it."""
    secret = base64.b64encode(os.urandom(32)).decode()
    return f'key "{name}" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n'


def secret_of(key: str) -> str:
    return key.split('secret "')[1].split('"')[0]


def configure(folder: Path, listen: str, *keys: str, work: str = "") -> Path:
    """named.conf: the first key may change the addresses of NAME, the others are known and may nothing.
    `work` is where the server sees this folder."""
    work = work or str(folder)
    (folder / "zone").write_text(
        f"$TTL 60\n@ SOA ns.{ZONE}. host.{ZONE}. 1 3600 600 86400 60\n@ NS ns.{ZONE}.\nns A 127.0.0.1\n"
    )
    path = folder / "named.conf"
    path.write_text(
        "".join(keys)
        + f'options {{ directory "{work}"; pid-file none; session-keyfile none; {listen}\n'
        "    recursion no; dnssec-validation no; empty-zones-enable no; allow-transfer { none; }; };\n"
        "controls { };\n"
        f'zone "{ZONE}" {{ type primary; file "zone"; update-policy {{ grant one name {NAME} A AAAA; }}; }};\n'
    )
    return path


class Names:
    """`server` is its address and port, as a line of settings says them."""

    def __init__(self, root: Path, folder: Path, key: str, *others: str) -> None:
        self.port = free_port()
        self.server = f"127.0.0.1 {self.port}"
        self.key, self.others = key, others
        listen = f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};"
        path = configure(folder, listen, key, *others)
        libraries = next(root.rglob("libisc-*.so")).parent
        self._program = subprocess.Popen(
            [root / "usr/sbin/named", "-g", "-n", "1", "-c", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
        )
        said = []
        assert self._program.stderr is not None
        for line in self._program.stderr:  # it ends by itself when it cannot start
            said.append(line)
            if line.rstrip().endswith(" running"):
                return
        raise AssertionError("named did not start:\n" + "".join(said))

    def ask(self, type_: str, name: str = NAME) -> list[str]:
        """`TTL VALUE` of each record."""
        words = ["dig", "+noall", "+answer", "+time=5", "+tries=3", "-p", str(self.port), "@127.0.0.1", name, type_]
        lines = subprocess.check_output(words, text=True, timeout=DEADLINE_S).splitlines()
        return [" ".join([fields[1], *fields[4:]]) for fields in map(str.split, lines)]

    def serial(self) -> int:
        """It grows with each change of the zone."""
        return int(self.ask("SOA", ZONE)[0].split()[3])

    def change(self, folder: Path, *lines: str) -> None:
        """By somebody else who has the key."""
        (folder / "other.key").write_text(self.key)
        text = "\n".join([f"server {self.server}", f"zone {ZONE}", *lines, "send", ""])
        subprocess.run(["nsupdate", "-k", folder / "other.key"], input=text, text=True, timeout=DEADLINE_S, check=True)

    def stop(self) -> None:
        self._program.terminate()
        self._program.communicate(timeout=DEADLINE_S)


def free_port() -> int:
    """For UDP and TCP alike."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as packets:
            stream.bind(("127.0.0.1", 0))
            try:
                packets.bind(stream.getsockname())
            except OSError:
                continue
            return stream.getsockname()[1]
