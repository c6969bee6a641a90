# SPDX-License-Identifier: MIT
"""The metadata of an instance as EC2 gives them, version 2: nothing without a token, and a token only for a PUT
that says for how long.

As a program it tells each asker the asker's own address, as a cloud tells each instance its own:
`metadata.py HOST PORT`, and `READY` when it listens.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
PREFIX = "/latest/meta-data/"


class Metadata(ThreadingHTTPServer):
    """`told` is what stands below meta-data/; None as an address is that of whoever asks."""

    daemon_threads = True

    def __init__(self, place: tuple[str, int], told: dict[str, str | None]) -> None:
        super().__init__(place, Answer)
        self.told = told
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def give_role(self, name: str, access: str, secret: str, session: str) -> None:
        self.told["iam/security-credentials/"] = name
        self.told[f"iam/security-credentials/{name}"] = json.dumps(
            {"Code": "Success", "AccessKeyId": access, "SecretAccessKey": secret, "Token": session}, indent=2
        )

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        seconds = self.headers.get(TTL, "")
        if self.path != "/latest/api/token" or not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            self._say(400)
            return
        token = secrets.token_urlsafe(40) + "=="
        self.server.tokens.add(token)
        self._say(200, token)

    def do_GET(self) -> None:
        if self.headers.get(TOKEN) not in self.server.tokens:
            self._say(401)
            return
        name = self.path.removeprefix(PREFIX)
        if not self.path.startswith(PREFIX) or name not in self.server.told:
            self._say(404)
            return
        told = self.server.told[name]
        self._say(200, self.client_address[0] if told is None else told)

    def _say(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        pass


if __name__ == "__main__":
    cloud = Metadata((sys.argv[1], int(sys.argv[2])), {"public-ipv4": None})
    print("READY", flush=True)
    cloud.serve_forever()
