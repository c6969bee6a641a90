# SPDX-License-Identifier: MIT
"""Section 4.4: a nick belongs to the first key that used it, at a server."""

from collections.abc import Callable

import pytest

from prosa_conformance.bracket import bracket
from prosa_conformance.clauses import clause
from prosa_conformance.match import Like, describe
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer
from prosa_conformance.registry import FEATURES
from prosa_conformance.server import Server


def challenged(server: Server, name: str, nick: str) -> Peer:
    """A key of this name, that is about to sign for this nick."""
    peer = server.connect(name)
    peer.nick = nick
    peer.hello()
    peer.expect_challenge()
    return peer


def login_as(server: Server, name: str, nick: str) -> Peer:
    peer = challenged(server, name, nick)
    peer.auth()
    peer.expect_welcome()
    return peer


def expect_refused(server: Server, name: str, nick: str, code: str) -> None:
    peer = challenged(server, name, nick)
    peer.auth()
    peer.expect_error(code)


def bind(server: Server, name: str) -> str:
    """The nick of a key that has used it, in a session that is over."""
    peer = server.login(name)
    peer.leave_politely()
    return peer.nick


@pytest.mark.parametrize("owner_is", ["here", "gone"])
@clause("ID-06", quote="A server MUST bind a nick to the first key that uses it")
@clause("ID-07", quote="MUST refuse an AUTH whose nick is bound to another key with NICK_TAKEN")
def test_nick_of_another_key(server: Server, owner_is: str) -> None:
    alice = server.login("alice")
    if owner_is == "gone":
        alice.leave_politely()
    with bracket(server, lambda peer: peer.login()) as mallory:
        mallory.nick = alice.nick
        mallory.hello()
        mallory.expect_challenge()
        mallory.auth()
        mallory.expect_error("NICK_TAKEN")
    if owner_is == "here":
        assert not alice.barrier(), "somebody tried alice's nick, and her session was disturbed"
    else:
        login_as(server, "alice", alice.nick)


@clause("ID-08", quote="MUST refuse an AUTH whose key is bound to another nick, or banned, with DENIED")
def test_second_nick_of_a_key(server: Server) -> None:
    nick = bind(server, "alice")
    expect_refused(server, "alice", server.case.nick("alias"), "DENIED")
    login_as(server, "alice", nick).barrier()


@clause("ID-08", quote="MUST refuse an AUTH whose key is bound to another nick, or banned, with DENIED")
def test_second_nick_while_the_first_is_here(server: Server) -> None:
    """It is refused, so it replaces nobody either."""
    alice = server.login("alice")
    expect_refused(server, "alice", server.case.nick("alias"), "DENIED")
    assert not alice.barrier(), "a refused AUTH of alice's key disturbed her session"


@clause("ID-07", quote="MUST refuse an AUTH whose nick is bound to another key with NICK_TAKEN")
@clause("ID-08", quote="MUST refuse an AUTH whose key is bound to another nick, or banned, with DENIED")
def test_nicks_of_two_keys_changed(server: Server) -> None:
    """Both reasons hold at once: either code is right."""
    alice, bob = bind(server, "alice"), bind(server, "bob")
    for name, nick in (("alice", bob), ("bob", alice)):
        peer = challenged(server, name, nick)
        peer.auth()
        peer.expect_error("NICK_TAKEN", "DENIED")


@clause("ID-06", quote="A server MUST bind a nick to the first key that uses it")
def test_refused_attempts_bind_nothing(server: Server) -> None:
    """Neither the nick that a bound key asked for, nor the key that asked for a taken nick."""
    alice, wanted = bind(server, "alice"), server.case.nick("wanted")
    expect_refused(server, "alice", wanted, "DENIED")
    login_as(server, "bob", wanted).leave_politely()
    expect_refused(server, "carol", alice, "NICK_TAKEN")
    login_as(server, "carol", server.case.nick("carol")).leave_politely()


@clause("ID-06", quote="A server MUST bind a nick to the first key that uses it")
@clause("AUTH-17", quote="MUST check the signature of AUTH before it looks up the nick")
def test_bad_signature_binds_nothing(server: Server) -> None:
    nick = server.case.nick("wanted")
    mallory = challenged(server, "mallory", nick)
    mallory.auth(handshake_sig=bytes(64))
    mallory.expect_error("BAD_SIG")
    login_as(server, "alice", nick).leave_politely()
    login_as(server, "mallory", server.case.nick("mallory")).leave_politely()


@clause("ID-06", quote="A server MUST bind a nick to the first key that uses it")
@clause("ID-07", quote="MUST refuse an AUTH whose nick is bound to another key with NICK_TAKEN")
def test_race_for_a_nick(server: Server) -> None:
    """Six keys sign for one nick at once: one of them gets it, and keeps it."""
    nick = server.case.nick("wanted")
    rivals = [challenged(server, f"rival-{number}", nick) for number in range(6)]
    for rival in rivals:
        rival.auth()
    winners = [rival for rival in rivals if is_welcome(rival)]
    assert len(winners) == 1, f"{len(winners)} keys got the nick {nick}"
    for rival in rivals:
        if rival is not winners[0]:
            expect_refused(server, rival.name, nick, "NICK_TAKEN")
    assert not winners[0].barrier(), "the winner's session was disturbed by those who came too late"


def is_welcome(rival: Peer) -> bool:
    """WELCOME; else it has to be NICK_TAKEN."""
    frame = rival.next_frame()
    if frame.name == "WELCOME":
        return True
    taken = not Like("ERROR", code="NICK_TAKEN").mismatch(frame)
    assert taken, f"{rival.name} got {describe(frame)} where WELCOME or NICK_TAKEN was due"
    return False


def end_in_order(server: Server) -> None:
    server.terminate()
    server.expect_exit(0)


def killed(server: Server) -> None:
    server.kill()


@pytest.mark.parametrize("end", [end_in_order, killed])
@clause("ID-11", quote="MUST keep the bindings of nicks over a restart", needs=["process"])
def test_bindings_outlive_the_server(fresh_server: Server, end: Callable[[Server], None]) -> None:
    alice = fresh_server.login("alice", features=FEATURES["resume"])
    if not alice.challenge.number("features") & FEATURES["resume"]:
        raise NotApplicable("the server does not offer resume")
    alice.leave_politely()
    end(fresh_server)
    fresh_server.start_again()
    expect_refused(fresh_server, "mallory", alice.nick, "NICK_TAKEN")
    expect_refused(fresh_server, "alice", fresh_server.case.nick("alias"), "DENIED")
    login_as(fresh_server, "alice", alice.nick).barrier()
