# SPDX-License-Identifier: MIT
"""Section 6.6: PING and PONG at a server, and frozen peers on both sides of it."""

import pytest

from prosa_conformance import codec
from prosa_conformance.clauses import clause, timers
from prosa_conformance.codec import Frame
from prosa_conformance.match import Like, at_least
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer
from prosa_conformance.registry import FEATURES
from prosa_conformance.server import Server


def ping(opaque: bytes) -> Frame:
    return codec.frame("PING", opaque=opaque)


def assert_before_pong(peer: Peer, opaque: bytes, *wanted: Like) -> None:
    """Each of these frames had come when this PONG came."""
    pong = Like("PONG", opaque=opaque)
    place = next((index for index, frame in enumerate(peer.received) if not pong.mismatch(frame)), None)
    assert place is not None, f"{pong} never came"
    for like in wanted:
        earlier = any(not like.mismatch(frame) for frame in peer.received[:place])
        assert earlier, f"the PONG overtook {like}"


@pytest.mark.parametrize("size", range(17))
@clause("LIVE-01", quote="MUST answer each PING with a PONG that has the same `opaque`", role="server")
def test_pong_has_the_octets_of_its_ping(server: Server, size: int) -> None:
    alice = server.login("alice")
    opaque = alice.case.rng.randbytes(size)
    alice.send(ping(opaque))
    alice.expect("PONG", opaque=opaque)


@clause("LIVE-01", quote="in the order of the PINGs", role="server")
def test_pongs_come_in_order(server: Server) -> None:
    alice = server.login("alice")
    sent = [b"%d" % number for number in range(30)]
    alice.send_together(*map(ping, sent))
    for opaque in sent:
        alice.expect("PONG", opaque=opaque)
    pongs = [frame.octets("opaque") for frame in alice.received if frame.name == "PONG"]
    assert pongs == sent, "the PONGs are not in the order of the PINGs"


@clause("LIVE-02", quote="The PONG MUST follow the outcome, ACK or ERROR, of every frame", needs=["answers"])
@clause("LIVE-03", quote="MUST follow every DELIVER and MEMBER that was visible when the PING was read")
def test_pong_comes_after_what_a_message_brings(server: Server) -> None:
    alice, room = server.joined("alice")
    publish = alice.make_publish(room, "before the PING")
    alice.send_together(publish, ping(b"behind"))
    room.last_counter = 1
    server.see_answered(alice, publish)
    alice.barrier()
    own = Like("DELIVER", author_key=alice.key, counter=1)
    assert_before_pong(alice, b"behind", Like("ACK", acked_counter=at_least(1)), own)


@clause("LIVE-02", quote="of every frame that came before the PING on its connection", needs=["answers"])
def test_pong_comes_after_the_ack_of_an_old_message(server: Server) -> None:
    alice, room = server.joined("alice")
    first = alice.publish(room, "once")
    server.see_answered(alice, first)
    alice.barrier()
    start = len(alice.received)
    alice.send_together(first, ping(b"behind"))
    alice.expect_until("PONG", opaque=b"behind")
    names = [frame.name for frame in alice.received[start:]]
    assert names == ["ACK", "PONG"], f"a message that came again and a PING brought {', '.join(map(str, names))}"


@clause("LIVE-02", quote="The PONG MUST follow the outcome, ACK or ERROR, of every frame")
def test_pong_comes_after_the_answers_to_joins(server: Server) -> None:
    alice = server.login("alice")
    alice.send_together(alice.make_join("@nobody"), alice.make_join(), ping(b"behind"))
    alice.expect_until("PONG", opaque=b"behind")
    assert_before_pong(alice, b"behind", Like("ERROR", room="@nobody"), Like("JOINED", room="@host"))


@clause("LIVE-03", quote="What credit withholds does not delay it", needs=["answers"])
def test_pong_does_not_wait_for_credit(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(recv_window=2)
    server.exchange(alice, room)
    publish = alice.publish(room, "there is no credit left for this")
    alice.expect("ACK", acked_counter=2)
    reply = server.reply_to(publish)
    alice.barrier()
    alice.ack(room, 2)
    alice.expect("DELIVER", author_key=alice.key, counter=2)
    alice.expect_answer(publish, reply)


@pytest.mark.parametrize("opaque", [b"", b"nobody asked for it"[:16]])
@clause("LIVE-09", quote="A PONG that nobody asked for MUST be ignored", role="server")
def test_pong_that_nobody_asked_for(server: Server, opaque: bytes) -> None:
    alice = server.login("alice")
    alice.send(codec.frame("PONG", opaque=opaque))
    assert not alice.barrier(), "something was sent in answer to a PONG"
    alice.join()
    alice.send(codec.frame("PONG", opaque=opaque))
    assert not alice.barrier(), "something was sent in answer to a PONG"


# --- freezing ---


@clause("FLOW-25", quote="committed, then acknowledged to its author and delivered", needs=["operator", "process"])
def test_frozen_server_goes_on_where_it_was(fresh_server: Server) -> None:
    """Frozen is not dead: the connection stays, and what was sent meanwhile is not lost."""
    alice, room = fresh_server.joined("alice")
    fresh_server.freeze()
    question = alice.publish(room, "are you asleep?")
    fresh_server.thaw()
    alice.expect_own(question, text="are you asleep?")
    fresh_server.answer("not any more")
    alice.expect_answer(question, "not any more")


@timers(ping_after_ms=150, dead_after_ms=600)
@clause("LIVE-04", quote="With `liveness` a peer MUST send a PING after ping_after_ms", level="L1", role="server")
@clause("LIVE-05", quote="a server with BYE IDLE", level="L1", role="server")
def test_frozen_client_is_given_up(server: Server) -> None:
    alice = server.connect("alice")
    alice.hello(features=FEATURES["liveness"])
    if not alice.expect_challenge().number("features") & FEATURES["liveness"]:
        raise NotApplicable("the server does not offer liveness")
    alice.auth()
    alice.expect_welcome()
    alice.answers_pings = False
    alice.expect("PING")
    alice.expect("BYE", code="IDLE")
    alice.expect_closed()
