# SPDX-License-Identifier: MIT
"""Chapter 4: the four frames of the handshake, as a server plays its part in them."""

from itertools import combinations

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bracket import bracket, bracket_ready
from prosa_conformance.bugs import flipped, marked, padded
from prosa_conformance.clauses import clause, gate, tcp_only, timers
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer
from prosa_conformance.registry import LIMITS, TIMERS
from prosa_conformance.server import Server

UNKNOWN_FEATURES = 0xFFFFFFF0
NOT_BELOW_P = (crypto.P + 2).to_bytes(32, "little")
SHORT_MS = 1000  # a good handshake takes far less, also on a busy machine
LONG_MS = 60_000  # nobody waits for it
ALIKE = 8  # octets of two random nonces that may be the same: more are, once in 10^21 times
LORIS_OCTETS = 80  # of a HELLO that is longer: ten times handshake_ms, at eight octets in each


def greeted(peer: Peer) -> Peer:
    """HELLO and CHALLENGE are done."""
    peer.hello()
    peer.expect_challenge()
    return peer


# --- 4.1 HELLO ---


@gate
@clause("AUTH-08", quote="A server MUST answer a good HELLO with CHALLENGE")
@clause("AUTH-12", quote="`handshake_sig` of CHALLENGE MUST be the server's signature")
@clause("AUTH-18", quote="A server MUST answer a good AUTH with WELCOME")
@clause("LIM-03", quote="MUST NOT need more than the two frames HELLO and AUTH from a stranger")
def test_four_frames_make_a_session(server: Server) -> None:
    alice = greeted(server.connect("alice"))
    alice.auth()
    alice.expect_welcome()


@pytest.mark.parametrize("target", ["elsewhere.example:1", "[2001:db8::1]:65432", "localhost:65535"])
@clause("AUTH-04", quote="A server MUST NOT refuse a HELLO because of its `target`")
def test_target_of_another_name(server: Server, target: str) -> None:
    alice = server.connect("alice")
    alice.hello(target=target)
    alice.expect_challenge()
    alice.auth()
    alice.expect_welcome()


@pytest.mark.parametrize("versions", [(2,), (3, 255)])
@clause("AUTH-05", quote="MUST refuse a HELLO whose `versions` has none that it supports with UNSUPPORTED")
def test_no_common_version(server: Server, versions: tuple[int, ...]) -> None:
    def one_in_common(peer: Peer) -> None:
        peer.hello(versions=(1, *versions))
        peer.expect_challenge()

    with bracket(server, one_in_common) as mallory:
        mallory.hello(versions=versions)
        mallory.expect_error("UNSUPPORTED")


@pytest.mark.parametrize("key", [*crypto.LOW_ORDER_ENCODINGS, NOT_BELOW_P], ids=bytes.hex)
@clause("AUTH-06", quote="MUST refuse a `client_key` that fails rules 1 to 3 of section 4.5")
@clause("KEY-02", quote="MUST refuse when A or R is one of the 14 encodings", level="L1", role="server")
@clause("KEY-03", quote="MUST refuse when the y of A or of R", level="L1", role="server")
def test_unacceptable_client_key(server: Server, key: bytes) -> None:
    with bracket(server, greeted) as mallory:
        mallory.send(marked(mallory.make_hello(client_key=key), "client_key"))
        mallory.expect_error("BAD_KEY")


@clause("AUTH-06", quote="or equals its own key, with BAD_KEY")
def test_key_of_the_server_itself(server: Server) -> None:
    server_keys = []

    def learn(peer: Peer) -> None:
        server_keys.append(greeted(peer).server_key)

    with bracket(server, learn) as mallory:
        mallory.send(marked(mallory.make_hello(client_key=server_keys[0]), "client_key"))
        mallory.expect_error("BAD_KEY")


# --- 4.2 CHALLENGE ---


@clause("AUTH-09", quote="The nonce of CHALLENGE MUST be 32 octets from a cryptographically secure random generator")
def test_nonce_is_fresh(server: Server) -> None:
    """Also when the HELLO is the same; of two random ones hardly an octet is the same."""
    hello, nonces = None, []
    for name in ("alice", "alice-again", "alice-once-more"):
        peer = server.connect(name)
        hello = hello or peer.make_hello()
        peer.hello(hello)
        nonces.append(peer.expect_challenge().need("nonce"))
        peer.close()
    assert len(set(nonces)) == len(nonces), "two connections got the same nonce in CHALLENGE"
    for one, other in combinations(nonces, 2):
        alike = sum(octet == beside for octet, beside in zip(one, other, strict=True))
        assert alike <= ALIKE, f"{alike} of the 32 octets of two nonces are the same"


@clause("AUTH-10", quote="`version` MUST be the highest version that both sides list")
def test_highest_common_version(server: Server) -> None:
    alice = server.connect("alice")
    offered = (1, 2, 3)
    alice.hello(versions=offered)
    challenge = alice.expect_challenge()
    supported = challenge.need("versions")
    highest = max(set(offered) & set(supported))
    assert challenge.number("version") == highest, f"version is {challenge.number('version')}, not {highest}"


@clause("AUTH-11", quote="unknown bits are ignored", role="server")
def test_unknown_features_are_ignored(server: Server) -> None:
    alice = server.connect("alice")
    alice.hello(features=UNKNOWN_FEATURES)
    alice.expect_challenge()
    alice.auth()
    alice.expect_welcome()
    alice.join()
    alice.barrier()


@timers(handshake_ms=4000, linger_ms=700, max_window=3, max_frame=8192)
@clause("AUTH-14", quote="MUST be those that the server goes by in this session")
@clause("CON-02", quote="MUST announce the timers and limits that PROSA_TIMERS asks for")
def test_announced_limits_are_those_asked_for(server: Server) -> None:
    alice = greeted(server.connect("alice"))
    for name, asked in server.process.timers.items():
        announced = alice.challenge.number(name)
        wanted = server.process.scaled(name, asked)
        assert announced == wanted, f"{name} was asked to be {wanted} and is announced as {announced}"
    for name, limit in {**LIMITS, **TIMERS}.items():
        number = alice.challenge.number(name)
        assert limit.min <= number <= limit.max, f"{name} is announced as {number}"


@timers(max_window=3, max_frame=8192)
@clause("AUTH-14", quote="MUST be those that the server goes by in this session")
@clause("CON-02", quote="and go by them")
def test_server_goes_by_the_limits_that_it_announces(server: Server) -> None:
    def largest(peer: Peer) -> None:
        most = peer.challenge.number("max_window")
        join = padded(peer.make_join(send_window=most + 61), peer.challenge.number("max_frame"))
        peer.send(join)
        granted = peer.expect_joined(join).granted
        assert granted <= most, f"max_window is {most}, and a window of {granted} is granted"

    with bracket_ready(server, largest) as mallory:
        mallory.send(padded(mallory.make_join(), mallory.challenge.number("max_frame") + 1))
        mallory.expect_error("TOO_LARGE")


# --- 4.3 AUTH and WELCOME ---


@clause("AUTH-16", quote="A server MUST refuse an AUTH whose signature does not verify with BAD_SIG")
def test_tampered_auth_signature(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.auth(flipped(mallory.make_auth(), "handshake_sig"))
        mallory.expect_error("BAD_SIG")


@clause("AUTH-16", quote="A server MUST refuse an AUTH whose signature does not verify with BAD_SIG")
def test_nick_changed_after_signing(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        first_letter = 8 * (len(mallory.nick) - 1)  # "m" turns into "l"; a last "a" would be no nick
        mallory.auth(flipped(mallory.make_auth(), "nick", first_letter))
        mallory.expect_error("BAD_SIG")


@clause("AUTH-16", quote="A server MUST refuse an AUTH whose signature does not verify with BAD_SIG")
def test_signature_of_another_key(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.auth(marked(mallory.make_auth(seed=mallory.case.seed("somebody else")), "handshake_sig"))
        mallory.expect_error("BAD_SIG")


@clause("KEY-04", quote="A verifier MUST refuse when S is not below L", level="L1", role="server")
def test_signature_with_s_not_below_l(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        good = mallory.make_auth()
        signature = good.need("handshake_sig")
        larger = int.from_bytes(signature[32:], "little") + crypto.L
        forged = crypto.complete(good.without("handshake_sig"), signature[:32] + larger.to_bytes(32, "little"))
        mallory.auth(marked(forged, "handshake_sig"))
        mallory.expect_error("BAD_SIG")


@clause("AUTH-17", quote="MUST check the signature of AUTH before it looks up the nick")
def test_signature_is_judged_before_the_nick(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.auth(flipped(mallory.make_auth(nick="host"), "handshake_sig"))
        error = mallory.expect_error("BAD_SIG")
        assert codec.project(error)["fields"]["code"] != "NICK_TAKEN", "the nick was judged first"


@clause("ID-09", quote="A server MUST refuse an AUTH with the nick `host` with NICK_TAKEN")
def test_nick_of_the_server(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.auth(nick="host")
        mallory.expect_error("NICK_TAKEN")


@clause("AUTH-19", quote="Pipelined frames are welcome: they wait")
def test_frames_behind_auth_wait_for_welcome(server: Server) -> None:
    alice = greeted(server.connect("alice"))
    join = alice.make_join()
    alice.send_together(alice.make_auth(), join, codec.frame("PING", opaque=b"behind"))
    assert alice.next_frame().name == "WELCOME", "the first frame after AUTH is not WELCOME"
    alice.expect_joined(join)
    alice.expect("PONG", opaque=b"behind")


@clause("AUTH-19", quote="Pipelined frames are welcome: they wait")
def test_whole_session_behind_auth(server: Server) -> None:
    alice = greeted(server.connect("alice"))
    join = alice.make_join()
    alice.send_together(alice.make_auth(), join, codec.frame("BYE", code="NORMAL"))
    alice.half_close()
    assert alice.next_frame().name == "WELCOME", "the first frame after AUTH is not WELCOME"
    alice.expect_joined(join)
    alice.expect("BYE", code="NORMAL")
    alice.expect_closed()


@clause("AUTH-19", quote="MUST NOT act on any octet that follows AUTH before WELCOME is sent")
def test_frames_behind_a_bad_auth_are_not_acted_on(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.send_together(flipped(mallory.make_auth(), "handshake_sig"), mallory.make_join())
        first = mallory.next_frame()
        if first.name != "ERROR":
            raise Violation(f"{first.name} came after a bad AUTH", expected="ERROR BAD_SIG", actual=str(first.name))
        mallory.expect_closed()


@tcp_only
@timers(handshake_ms=SHORT_MS)
@clause("AUTH-20", quote="MUST close a connection that is not READY `handshake_ms` after it was accepted")
def test_silent_stranger_is_closed(server: Server) -> None:
    with bracket(server) as mallory:
        mallory.expect_closed(silently=True)


@timers(handshake_ms=SHORT_MS)
@clause("AUTH-20", quote="It says ERROR TIMEOUT first if the peer has sent a good HELLO")
def test_stranger_who_stops_after_hello(server: Server) -> None:
    with bracket(server) as mallory:
        greeted(mallory)
        mallory.expect_error("TIMEOUT")


@tcp_only
@timers(handshake_ms=SHORT_MS)
@clause("AUTH-20", quote="the deadline is absolute and no octet extends it")
def test_slow_loris(server: Server) -> None:
    with bracket(server) as mallory:
        octets = codec.encode(mallory.make_hello())[:LORIS_OCTETS]
        pause = server.process.scaled("handshake_ms", SHORT_MS) / 1000 / 8
        if not mallory.dribble_until_closed(octets, pause):
            raise Violation(
                "a HELLO that comes octet by octet keeps the connection open beyond handshake_ms",
                expected=f"the end of the stream {SHORT_MS} ms after accept, whatever comes",
                actual=f"still open after {LORIS_OCTETS} octets, {pause * 1000:.0f} ms apart",
                symptom="deadline",
            )
        mallory.expect_closed()


@clause("AUTH-21", quote="A server MUST NOT accept an AUTH that was made for another connection")
def test_replayed_auth(server: Server) -> None:
    recorded = []

    def session(peer: Peer) -> None:
        greeted(peer)
        auth = peer.make_auth()
        peer.auth(auth)
        peer.expect_welcome()
        recorded.append((peer.hello_octets, auth))

    with bracket(server, session) as mallory:
        hello, auth = recorded[0]
        mallory.put(hello, "the HELLO of the session before once more")
        mallory.expect("CHALLENGE")
        mallory.send(marked(auth, "handshake_sig", "the AUTH of the session before once more"))
        mallory.expect_error("BAD_SIG")


# --- who is served ---


@clause(
    "LIM-01",
    quote="MUST leave a second connection unread until the first has ended, or answer its HELLO with ERROR BUSY",
    needs=["answers"],
)
@clause("AUTH-07", quote="SHOULD answer HELLO with ERROR BUSY and close")
def test_second_client_beside_the_first(server: Server) -> None:
    alice, room = server.joined("alice")
    bob = server.connect("bob")
    bob.hello()
    server.exchange(alice, room)
    alice.leave_politely()
    frame = bob.next_frame()
    if frame.name == "ERROR":
        assert codec.project(frame)["fields"]["code"] == "BUSY", "the second client got another ERROR than BUSY"
        bob.expect_closed()
    else:
        assert frame.name == "CHALLENGE", f"the second client got {frame.name}"


@tcp_only
@timers(handshake_ms=LONG_MS)
@clause("LIM-06", quote="MUST NOT keep a server of more than one client from serving others", level="L3")
def test_patient_strangers_keep_nobody_out(server: Server) -> None:
    """They stay, and others are served; so are they, at last."""
    slow, *_ = [server.connect(f"stranger-{number}") for number in range(5)]
    slow.hello_octets = codec.encode(slow.make_hello())
    slow.put(slow.hello_octets[:3], "three octets of a HELLO")
    server.good_session("alice")
    slow.put(slow.hello_octets[3:], "the rest of the HELLO")
    slow.expect_challenge()
    slow.auth()
    slow.expect_welcome()
