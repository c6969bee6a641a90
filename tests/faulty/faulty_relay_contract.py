# SPDX-License-Identifier: MIT
"""Bridges that do not keep the contract of programs under test (section 13.6)."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import fault
import mini_bridge
from faulty_server_contract import other_exit_codes
from mini_bridge import Client, MiniBridge
from mini_server import BAD_SETTINGS, CANNOT_LISTEN

breaks = partial(fault.breaks, level="L3")


# --- CON-14 ---


@breaks("CON-14")
def listens_on_an_address_of_its_own() -> None:
    os.environ["PROSA_HOST"] = "127.0.0.1"
    mini_bridge.main()


@breaks("CON-14")
def chooses_its_own_port() -> None:
    os.environ["PROSA_PORT"] = "0" if os.environ["PROSA_PORT"] != "0" else "65433"
    mini_bridge.main()


@breaks("CON-14")
def is_ready_at_the_port_that_it_was_told() -> None:
    say_ready = mini_bridge.say_ready
    mini_bridge.say_ready = lambda host, port: say_ready(host, int(os.environ["PROSA_PORT"]))
    mini_bridge.main()


# --- CON-15 ---


@breaks("CON-15")
class LeavesWithoutAWord(MiniBridge):
    class Silent(Client):
        def say_lost(self) -> None:
            if not self.bridge.over:
                super().say_lost()

    client_class = Silent


@breaks("CON-15")
class FailsInTheEnd(MiniBridge):
    def serve(self, wake: int) -> None:
        super().serve(wake)
        os._exit(1)


@breaks("CON-15")
def ends_with_one_where_a_bridge_cannot_listen() -> None:
    with other_exit_codes({CANNOT_LISTEN: 1}):
        mini_bridge.main()


@breaks("CON-15")
def ends_with_one_for_a_server_that_is_none() -> None:
    with other_exit_codes({BAD_SETTINGS: 1}):
        mini_bridge.main()


@breaks("CON-15")
def never_says_why_it_ends() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as sys.stderr:
        mini_bridge.main()
