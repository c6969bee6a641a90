# SPDX-License-Identifier: MIT
"""Forgot to check what a client signs when it proves who it is: AUTH-16 is broken, and nothing else."""

import mini_server
from mini_session import Session


class Trusting(Session):
    def auth_is_good(self, auth: object) -> bool:
        return True


class Server(mini_server.MiniServer):
    session_class = Trusting


mini_server.main(Server)
