# SPDX-License-Identifier: MIT
"""Route 53 as far as changes of records go: it takes what is signed as Signature Version 4 says, and keeps it.

The signature is computed here from the request, the secret and the standard's text alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access>[^/]+)/(?P<scope>"
    r"(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9]+)/aws4_request), *"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass
class Change:
    action: str
    name: str
    type: str
    ttl: int
    values: list[str]


@dataclass
class Request:
    path: str
    faults: list[str]
    changes: list[Change] = field(default_factory=list)


class Route53(ThreadingHTTPServer):
    """`refuse` is answered to the next requests, if it is there: a status and a body."""

    daemon_threads = True

    def __init__(self, access: str, secret: str, session: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.access, self.secret, self.session = access, secret, session
        self.requests: list[Request] = []
        self.refuse: tuple[int, str] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    server: Route53

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, self._faults(body))
        if not request.faults:
            request.changes = changes(body)
        self.server.requests.append(request)
        status, text = self.server.refuse or ((403, "") if request.faults else (200, "<ChangeInfo/>"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _faults(self, body: bytes) -> list[str]:
        found = AUTHORIZATION.fullmatch(self.headers.get("Authorization", ""))
        if not found:
            return [f"no authorization: {self.headers.get('Authorization')!r}"]
        names = found["names"].split(";")
        needed = ("host", "x-amz-date", "x-amz-security-token")
        faults = [f"{name} is not signed" for name in needed if name not in names]
        for what, is_, ought in (
            ("access key", found["access"], self.server.access),
            ("region", found["region"], "us-east-1"),
            ("service", found["service"], "route53"),
            ("day", found["day"], self.headers.get("X-Amz-Date", "")[:8]),
            ("session", self.headers.get("X-Amz-Security-Token"), self.server.session),
            ("signature", found["signature"], self._signature(found, names, body)),
        ):
            if is_ != ought:
                faults.append(f"{what} is {is_!r}, ought to be {ought!r}")
        return faults

    def _signature(self, found: re.Match[str], names: list[str], body: bytes) -> str:
        headers = "".join(f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in names)
        path, _, query = self.path.partition("?")
        canonical = "\n".join(
            [self.command, path, query, headers, ";".join(names), hashlib.sha256(body).hexdigest()]
        )
        to_sign = "\n".join(
            ["AWS4-HMAC-SHA256", self.headers.get("X-Amz-Date", ""), found["scope"],
             hashlib.sha256(canonical.encode()).hexdigest()]
        )
        key = b"AWS4" + self.server.secret.encode()
        for word in [*found["scope"].split("/"), to_sign]:
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        return key.hex()

    def log_message(self, *words: object) -> None:
        pass


def changes(body: bytes) -> list[Change]:
    root = ET.fromstring(body)
    assert root.tag == f"{SPACE}ChangeResourceRecordSetsRequest", root.tag
    return [
        Change(
            text(change, "Action"),
            *(text(change, f"ResourceRecordSet/{name}") for name in ("Name", "Type")),
            int(text(change, "ResourceRecordSet/TTL")),
            [value.text or "" for value in change.iter(f"{SPACE}Value")],
        )
        for change in root.findall(f"{SPACE}ChangeBatch/{SPACE}Changes/{SPACE}Change")
    ]


def text(node: ET.Element, path: str) -> str:
    found = node.findtext("/".join(f"{SPACE}{name}" for name in path.split("/")))
    assert found, f"{path} is missing"
    return found
