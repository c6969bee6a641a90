# SPDX-License-Identifier: MIT
"""The small server with `liveness`, which lets nobody see that it lives: no PING of a client is answered."""

from __future__ import annotations

from mini_server import MiniServer, main
from mini_session import Session
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FEATURES


class SilentSession(Session):
    def make_challenge(self) -> Frame:
        features = codec.field_value("features", FEATURES["liveness"])
        challenge = super().make_challenge().without("features", "handshake_sig").plus(features)
        return crypto.sign_challenge(self.server.seed, self.hello, challenge)

    def take_ping(self, ping: Frame) -> None:
        """LIVE-01, broken."""


class SilentServer(MiniServer):
    session_class = SilentSession


if __name__ == "__main__":
    main(SilentServer)
