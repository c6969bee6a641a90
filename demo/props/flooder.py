# SPDX-License-Identifier: MIT
"""A client that floods, on the suite's own codec: all that its credit allows, or more than that.

    python3 -m demo.props.flooder NICK ROOM COUNT|beyond

It joins, signs COUNT messages, prints {"event": "ready"}, begins at the first line of its stdin, and tells its
credit as it goes. It signs more while it floods; a second line ends that.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from pathlib import Path

from prosa_conformance import codec
from prosa_conformance.case import Case, Settings
from prosa_conformance.codec import Frame
from prosa_conformance.contract import Implementation
from prosa_conformance.flood import ALL_THERE_IS, NO_CREDIT, Flooder
from prosa_conformance.peer import Peer

SERVER = ("server", 65432)
TELL_S = 0.1  # how often its credit is told
WAIT_S = 0.01
AHEAD = 256  # messages that are signed before their credit comes


def tell(event: str, **members: object) -> None:
    print(json.dumps({"event": event, **members}), flush=True)


def main(nick: str, room_name: str, how_many: str) -> None:
    peer = Peer(_case(), socket.create_connection(SERVER), nick, "server:65432", nick.encode().ljust(32, b"."))
    peer.nick = nick
    room = peer.login().join(room_name, send_window=ALL_THERE_IS, recv_window=NO_CREDIT)
    flooder = Flooder(peer, room, room.granted if how_many == "beyond" else int(how_many))
    tell("ready", author_key=peer.key.hex(), granted=room.granted)
    sys.stdin.readline()
    if how_many == "beyond":
        beyond(flooder)
    else:
        within(flooder)
    sys.stdin.read()


def _case() -> Case:
    return Case(Settings(Implementation("server", Path(), {}), Path(), level="L4"), "demo", "server")


def within(flooder: Flooder) -> None:
    """At full speed, as far as credit goes."""
    due, is_enough = 0.0, False
    while not is_enough or flooder.acked < len(flooder.row):
        flooder.pump()
        if not is_enough and len(flooder.row) - flooder.sent < AHEAD:
            flooder.prepare(AHEAD)
        if time.monotonic() >= due:
            tell("credit", sent=flooder.sent, acked=flooder.acked)
            due = time.monotonic() + TELL_S
        if sys.stdin in select.select([flooder.peer, sys.stdin], [], [], WAIT_S)[0]:
            sys.stdin.readline()
            is_enough = True
            del flooder.row[flooder.sent :], flooder.octets[flooder.sent :]
    tell("over", sent=flooder.sent, acked=flooder.acked, texts=[str(frame.value("text")) for frame in flooder.row])


def beyond(flooder: Flooder) -> None:
    """A whole window, and behind it a message that no limit can allow."""
    peer, room, row = flooder.peer, flooder.room, flooder.row
    peer.send_together(*row, peer.make_publish(room, "beyond all credit", counter=2 * room.granted + 1))
    error = _error_of(peer)
    code = next(name for name, number in codec.NAMED_NUMBERS["code"].items() if number == error.value("code"))
    texts = [str(frame.value("text")) for frame in row]
    tell("refused", code=code, end=str(peer.expect_until_end()), acked=room.acked_counter, texts=texts)


def _error_of(peer: Peer) -> Frame:
    while (frame := peer.next_frame()).name != "ERROR":
        pass
    return frame


if __name__ == "__main__":
    main(*sys.argv[1:])
