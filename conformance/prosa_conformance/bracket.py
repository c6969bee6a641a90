# SPDX-License-Identifier: MIT
"""The bracket around every negative test of a server.

    with bracket_joined(server) as (mallory, room):
        mallory.send(flipped(mallory.make_publish(room), "author_sig"))
        mallory.expect_error("BAD_SIG")

Before: a whole good session is accepted, so that a server that refuses everything fails here.
After: the process lives, no sanitizer spoke, and a fresh connection completes a signed session.
A closed connection alone would prove nothing: a crash closes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prosa_conformance.language import _
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer, Room
from prosa_conformance.server import Server
from prosa_conformance.spoken import translated

Good = Callable[[Peer], object]


@contextmanager
def bracket(server: Server, good: Good | None = None) -> Iterator[Peer]:
    """Yield a connection on which nothing was sent yet.

    `good` is given such a connection first and does there, without its fault, what the test will
    do; without it a whole good session is the proof.
    """
    _before(server, good)
    peer = server.connect("mallory")
    yield peer
    _after(server, peer)


@contextmanager
def bracket_ready(server: Server, good: Good | None = None) -> Iterator[Peer]:
    """The same with a connection that is READY, also for `good`."""
    with bracket(server, None if good is None else lambda peer: good(peer.login())) as peer:
        yield peer.login()


@contextmanager
def bracket_joined(server: Server, good: Callable[[Peer, Room], object] | None = None) -> Iterator[tuple[Peer, Room]]:
    """The same with a connection that has joined @host, also for `good`."""

    def joined_good(peer: Peer) -> None:
        assert good is not None
        peer.login()
        good(peer, peer.join())

    with bracket(server, joined_good if good else None) as peer:
        peer.login()
        yield peer, peer.join()


@contextmanager
def meanwhile(words: str) -> Iterator[None]:
    """What fails within does so under these circumstances: "while mallory reads nothing"."""
    try:
        yield
    except Violation as violation:
        violation.sentence = f"{translated(words)}, {translated(violation.sentence)}"
        raise


def _before(server: Server, good: Good | None) -> None:
    transcript = server.case.transcript
    start = len(transcript.events)
    if good is None:
        server.good_session("before")
    else:
        peer = server.connect("before")
        good(peer)
        peer.close()
    transcript.fold(start, _("the same without the fault is accepted on a connection of its own"))


def _after(server: Server, peer: Peer) -> None:
    peer.close()
    server.check_alive()
    try:
        server.good_session("after")
    except Violation as violation:
        words = _("after the fault, a fresh connection is not served: {what}")
        violation.sentence = words.format(what=translated(violation.sentence))
        raise
    server.check_alive()
