# SPDX-License-Identifier: MIT
"""The two ends of a server that keeps its log, and the life that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prosa_conformance.peer import Peer, Room
from prosa_conformance.server import Server

End = Callable[[Server, Sequence[Peer]], None]


def ended_in_order(server: Server, peers: Sequence[Peer]) -> None:
    server.terminate()
    see_end(peers)
    server.expect_exit(0)


def killed(server: Server, peers: Sequence[Peer]) -> None:
    server.kill()
    see_end(peers)


def see_end(peers: Sequence[Peer]) -> None:
    """All that still comes to these, and they go."""
    for peer in peers:
        peer.expect_until_end()
        peer.close()


ENDS: list[End] = [ended_in_order, killed]


def restart(server: Server, end: End, stays: Sequence[tuple[Peer, Room]]) -> None:
    """An end, and the next life."""
    end(server, [peer for peer, _ in stays])
    server.start_again()
