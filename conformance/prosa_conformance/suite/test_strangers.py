# SPDX-License-Identifier: MIT
"""Section 9.2: the places of those who are not READY, and who has to go when all of them are taken.

A server may have fewer places than 64. A stranger that says nothing cannot be asked whether it is still
there: its end is seen, or it goes on to READY.
"""

import ipaddress
import select
import socket

from prosa_conformance.bugs import flipped
from prosa_conformance.clauses import clause, tcp_only, timers
from prosa_conformance.flood import LOOK_S
from prosa_conformance.language import _
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.peer import Peer
from prosa_conformance.server import Server

PLACES, OF_ONE_ADDRESS = 64, 8
BEYOND = 6
NEVER_MS = 600_000


class Strangers:
    """Those who came, in their order, eight from each address of the loopback network unless one is named."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.all: list[Peer] = []

    def come(self, source: str = "") -> Peer:
        """One more; nothing is sent yet."""
        number = len(self.all)
        peer = self.server.connect(f"stranger-{number + 1}", source=source or address(number // OF_ONE_ADDRESS))
        self.all.append(peer)
        return peer

    def come_served(self, source: str = "") -> bool:
        """One more, which says HELLO; False when it is closed instead of getting CHALLENGE."""
        peer = self.come(source)
        peer.hello()
        try:
            if peer.expect_challenge_or_busy():
                return True
        except Violation:
            if peer.end is None:
                raise
            return False
        raise NotApplicable("the server has fewer places for sessions than this test needs")

    def gone(self) -> list[Peer]:
        """Those whose end has come by now."""
        for peer in select.select([peer for peer in self.all if peer.end is None], [], [], 0)[0]:
            peer.frames_here()
        return [peer for peer in self.all if peer.end is not None]

    def await_gone(self, count: int) -> None:
        """Until so many have been closed, or the wait is over."""
        case = self.server.case
        deadline = case.deadline()
        while len(self.gone()) < count and case.left(deadline):
            here = [peer for peer in self.all if peer.end is None]
            select.select(here, [], [], case.left(deadline))


def address(number: int) -> str:
    return f"127.0.{number + 1}.2"


def need_addresses(server: Server) -> None:
    """A machine that has one address only cannot send a crowd."""
    try:
        if ipaddress.ip_address(server.address[0]) not in ipaddress.ip_network("127.0.0.0/8"):
            raise NotApplicable("there are many addresses to come from on the IPv4 loopback only")
        with socket.socket() as probe:
            probe.bind((address(PLACES // OF_ONE_ADDRESS), 0))
    except (OSError, ValueError):
        raise NotApplicable("this system has not enough addresses on its loopback") from None


# --- LIM-04 ---


@tcp_only
@timers(handshake_ms=NEVER_MS)
@clause("LIM-04", quote="A server MUST hold at most 64 connections that are not READY")
@clause("LIM-04", quote="it closes the oldest one that has sent no HELLO, rather than refuse the newcomer")
def test_oldest_silent_stranger_makes_room(fresh_server: Server) -> None:
    """By turns one is silent, and one says HELLO. These are served, and the first of those have to go."""
    need_addresses(fresh_server)
    strangers = Strangers(fresh_server)
    for _pair in range((PLACES + BEYOND) // 2):
        strangers.come()
        served = strangers.come_served()
        assert served, _("{who} is closed, and there are some who have sent no HELLO").format(
            who=strangers.all[-1].name
        )
    strangers.await_gone(BEYOND)
    gone = strangers.gone()
    held = len(strangers.all) - len(gone)
    assert held <= PLACES, _("the server holds {count} connections that are not READY").format(count=held)
    check_who_went(gone, silent=strangers.all[::2])
    for peer in strangers.all[1::8]:
        peer.auth()
        peer.expect_welcome()


def check_who_went(gone: list[Peer], silent: list[Peer]) -> None:
    """They are the oldest that were silent, as many as had to go."""
    for peer in gone:
        assert peer in silent, _("{who}, who has sent HELLO, is closed for a newcomer").format(who=peer.name)
    for older in silent[: len(gone)]:
        words = _("{older} came before {who}, and has sent no HELLO either: it is still there, and {who} is closed")
        assert older in gone, words.format(older=older.name, who=gone[-1].name)


@tcp_only
@timers(handshake_ms=NEVER_MS)
@clause("LIM-04", quote="When all of them have sent HELLO, the newcomer is closed")
def test_newcomer_is_closed_where_all_have_sent_hello(fresh_server: Server) -> None:
    need_addresses(fresh_server)
    strangers = Strangers(fresh_server)
    while len(strangers.all) < PLACES + BEYOND and strangers.come_served():
        continue
    closed = strangers.gone()
    check_who_went([peer for peer in closed if peer is not strangers.all[-1]], silent=[])
    held = len(strangers.all) - len(closed)
    assert held <= PLACES, _("the server holds {count} connections that are not READY").format(count=held)
    for peer in strangers.all[:OF_ONE_ADDRESS]:
        peer.auth()
        peer.expect_welcome()
        peer.barrier()
    assert strangers.come_served(), "a newcomer is closed although eight of the others are READY meanwhile"


@tcp_only
@timers(handshake_ms=NEVER_MS, linger_ms=NEVER_MS)
@clause("LIM-04", quote="A connection that was never READY counts until it is closed")
def test_refused_strangers_count_until_they_are_closed(fresh_server: Server) -> None:
    """Each is refused for its signature, and neither side closes. What is closed answers an octet with a reset."""
    need_addresses(fresh_server)
    strangers = Strangers(fresh_server)
    while len(strangers.all) < PLACES + BEYOND and strangers.come_served():
        peer = strangers.all[-1]
        peer.send(flipped(peer.make_auth(), "handshake_sig"))
        peer.expect_until_error("ERROR BAD_SIG")
    for peer in strangers.all:
        peer.put(b"?", "one octet more")
    deadline = fresh_server.case.deadline()
    held = strangers.all
    while len(held) > PLACES and fresh_server.case.left(deadline):
        held = [peer for peer in held if not peer.was_reset]
        select.select([], [], [], LOOK_S)
    assert len(held) <= PLACES, _("the server holds {count} connections that were never READY").format(count=len(held))


# --- LIM-05 ---


@tcp_only
@timers(handshake_ms=NEVER_MS)
@clause("LIM-05", quote="a server SHOULD hold at most 8 for one address")
def test_crowd_from_one_address(fresh_server: Server) -> None:
    """One address gets half of the places, and no more; another one still gets its eight."""
    need_addresses(fresh_server)
    strangers = Strangers(fresh_server)
    first = crowd(strangers, address(0), PLACES)
    other = crowd(strangers, address(1), 2 * OF_ONE_ADDRESS)
    case = fresh_server.case
    if first > PLACES // 2 + 1:
        words = _("one address holds {count} of the 64 places, and with more than half taken it should hold 8")
        case.not_strict(words.format(count=first))
    if first < PLACES // 2:
        words = _("one address gets {count} places only while less than half of them are taken")
        case.not_strict(words.format(count=first))
    if other != OF_ONE_ADDRESS:
        words = _("with more than half of the places taken another address gets {count}, not 8")
        case.not_strict(words.format(count=other))


def crowd(strangers: Strangers, source: str, most: int) -> int:
    """How many of one address are served before one is closed."""
    return next((count for count in range(most) if not strangers.come_served(source)), most)


@tcp_only
@timers(handshake_ms=NEVER_MS)
@clause("LIM-05", quote="it closes the newcomer, before it looks at LIM-04")
def test_nobody_makes_room_for_a_crowd(fresh_server: Server) -> None:
    """All places are taken by the silent, and the newcomer is the ninth of its address."""
    need_addresses(fresh_server)
    strangers = Strangers(fresh_server)
    for _place in range(PLACES):
        strangers.come()
    if strangers.come_served(address(1)):
        fresh_server.case.not_strict("the ninth stranger of an address is served while all places are taken")
