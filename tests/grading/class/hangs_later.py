# SPDX-License-Identifier: MIT
"""Hangs as soon as a client has proved who it is, deaf to SIGTERM."""

import signal

import mini_server
from mini_session import Session


class Hanging(Session):
    def take_join(self, _join: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()


class Server(mini_server.MiniServer):
    session_class = Hanging


mini_server.main(Server)
