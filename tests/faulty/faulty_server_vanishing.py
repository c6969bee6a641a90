# SPDX-License-Identifier: MIT
"""Faulty servers that keep something of clients who have gone."""

from __future__ import annotations

import os
import socket

from fault import breaks
from mini_server import MiniServer
from mini_session import Session


@breaks("END-17", level="L3")
class KeepsTheirDescriptors(MiniServer):
    """Every connection is ended, and a copy of its descriptor stays open."""

    def tend(self, session: Session) -> None:
        if session.state == "GONE":
            os.dup(session.sock.fileno())
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                session.is_at_end = True
        super().tend(session)
