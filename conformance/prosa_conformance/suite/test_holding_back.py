# SPDX-License-Identifier: MIT
"""Section 6.5: when a server stops reading from a client: for want of tokens, or of space for what it owes.

What it has read is the kernel's word; time proves nothing here but that a bucket of tokens was not overdrawn.
"""

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import meanwhile
from prosa_conformance.clauses import clause, tcp_only, timers
from prosa_conformance.codec import Frame
from prosa_conformance.flood import connect_stalled, fill, make_long
from prosa_conformance.language import _
from prosa_conformance.match import Like, Rule, describe
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.peer import Peer, Room
from prosa_conformance.registry import FEATURES, GREASE_TYPES
from prosa_conformance.server import GROUP_CREDIT, Server
from prosa_conformance.transcript import Kind

NEVER_MS = 600_000
PLENTY = 1_000_000  # tokens
MAX_FRAME, UNDECIDED, OUTPUT = 65_536, 16_384, 65_536
ENOUGH = 5 * (OUTPUT + UNDECIDED) // 4 // 28  # PINGs of 28 octets
ONE_READ = 524_288  # a program may ask the kernel for so much at once
BULK = 40 * codec.raw_frame(GREASE_TYPES[0], bytes(60_000))  # to be ignored by who reads it
STILL = 20  # messages of somebody else during whose acceptance nothing is read: then nothing will be
BURST, RATE, ROW = 4, 32, 20
TICK_MS, TICKS = 50, 12
REFUSAL = Rule("of class 04", lambda code: isinstance(code, int) and code >> 8 == 4)
Row = tuple[list[Frame], list[Like]]


# --- FLOW-36 ---


@tcp_only
@timers(slow_ms=NEVER_MS, max_frame=MAX_FRAME, undecided_limit=UNDECIDED, output_limit=OUTPUT)
@timers(token_burst=PLENTY, token_rate=PLENTY)
@clause("FLOW-36", quote="its pending output exceeds output_limit")
def test_reading_stops_where_nothing_is_taken(server: Server) -> None:
    """Mallory asks on and on and takes no answer. When it does, each is there."""
    ((alice, lobby),) = server.members("lobby", "alice", recv_window=2)
    mallory = connect_stalled(server, "mallory")
    mallory.join(lobby.name, recv_window=GROUP_CREDIT)
    fill(alice, lobby, 8 * OUTPUT)
    check_owed(mallory, 8 * OUTPUT)
    pings = [codec.frame("PING", opaque=number.to_bytes(16, "big")) for number in range(ENOUGH)]
    asked = b"".join(map(codec.encode, pings))
    with meanwhile("while mallory takes none of its answers"):
        rest = check_stops(mallory, (alice, lobby), asked, UNDECIDED + OUTPUT + 2 * MAX_FRAME + ONE_READ)
    with meanwhile("when mallory reads on"):
        for ping in pings:
            mallory.expect_until("PONG", opaque=ping.need("opaque"))
        mallory.put(rest, "the rest of the long frames")
        mallory.barrier()


def check_owed(peer: Peer, octets: int) -> None:
    """Whether some of what was sent is still the server's."""
    kept = peer.octets_kept
    if kept is None:
        raise NotApplicable("this system does not tell what a program has read")
    if kept >= octets:
        raise NotApplicable("the kernel keeps all that a client does not read")


def check_stops(peer: Peer, other: tuple[Peer, Room], asked: bytes, most: int) -> bytes:
    """What is asked is followed by more than the server may read; returned is what had no space.

    Nothing moves any more when nothing was read while `other` was served a few times.
    """
    before, seen, still = octets_read(peer), -1, 0
    waiting = asked + BULK
    words = _("{count} octets, the last of them long frames to be ignored, as far as there is space")
    peer.case.transcript.add(peer.name, Kind.SENT, words.format(count=len(waiting)), waiting)
    while still < STILL:
        waiting = waiting[peer.put_some(waiting) :]
        talker, room = other
        talker.publish(room, "another message")
        talker.expect_until("ACK", acked_counter=room.last_counter)
        read = octets_read(peer) - before
        if read > most:
            words = _("the server reads on: it has taken {count} octets of {who}")
            raise Violation(
                words.format(count=read, who=peer.name),
                expected=_("at most {count}: its limits, two frames and one long read").format(count=most),
                actual=_("{count} octets").format(count=read),
            )
        still = still + 1 if read == seen else 0
        seen = read
    return waiting


def octets_read(peer: Peer) -> int:
    read = peer.octets_read
    if read is None:
        raise NotApplicable("this system does not tell what a program has read")
    return read


@tcp_only
@timers(max_frame=MAX_FRAME, undecided_limit=UNDECIDED)
@clause("FLOW-36", quote="A frame that is not whole yet is not undecided")
def test_long_frame_is_read_to_its_end(server: Server) -> None:
    """It is longer than undecided_limit, and comes in pieces."""
    ((alice, lobby),) = server.members("lobby", "alice")
    alice.grease = False
    publish = make_long(alice, lobby, 1)
    octets = codec.encode(publish)
    alice.put_piecewise(octets, "a long PUBLISH", range(5000, len(octets), 5000))
    lobby.last_counter += 1
    alice.sent.append(publish)
    alice.expect_own(publish)


# --- FLOW-37 ---


@tcp_only
@timers(token_burst=1, token_rate=1, max_frame=MAX_FRAME, undecided_limit=UNDECIDED)
@clause("FLOW-37", quote="when it is empty the server MUST wait with reading rather than answer with a scolding")
@clause("FLOW-36", quote="MUST stop reading from a peer while its undecided octets exceed undecided_limit")
def test_reading_stops_without_a_token(server: Server) -> None:
    """Mallory has asked for more than its tokens pay in a minute; others are served meanwhile."""
    ((alice, lobby),) = server.members("lobby", "alice")
    mallory = server.login("mallory")
    mallory.send_together(*[codec.frame("PING", opaque=number.to_bytes(2, "big")) for number in range(100)])
    mallory.expect("PONG")
    with meanwhile("while mallory has no token"):
        alice.expect_own(alice.publish(lobby, "is anybody else served?"))
        others = [frame for frame in mallory.frames_here() if frame.name != "PONG"]
        assert not others, _("{frame} came for want of a token").format(frame=describe(others[0]))
        check_stops(mallory, (alice, lobby), b"", UNDECIDED + 2 * MAX_FRAME + ONE_READ)


def make_joins(peer: Peer) -> Row:
    return [peer.make_join("@nobody")] * ROW, [Like("ERROR", code=REFUSAL, room="@nobody")] * ROW


def make_leaves(peer: Peer) -> Row:
    """A LEAVE behind each JOIN."""
    room = peer.join(peer.case.room_name("lobby"))
    frames = [codec.frame("LEAVE", room_id=room.id), peer.make_join(room.name)]
    left = Like("MEMBER", event="left", room_id=room.id, member_key=peer.key)
    return frames * (ROW // 2), [left, Like("JOINED", room=room.name)] * (ROW // 2)


def make_pings(peer: Peer) -> Row:
    opaques = [number.to_bytes(2, "big") for number in range(ROW)]
    frames = [codec.frame("PING", opaque=opaque) for opaque in opaques]
    return frames, [Like("PONG", opaque=opaque) for opaque in opaques]


@pytest.mark.parametrize("make_row", [make_joins, make_leaves, make_pings])
@timers(token_burst=BURST, token_rate=RATE)
@clause("FLOW-37", quote="JOIN, LEAVE and PING each cost one token")
@clause("FLOW-37", quote="the bucket holds token_burst, refills with token_rate a second")
def test_frames_that_cost_a_token(server: Server, make_row: Callable[[Peer], Row]) -> None:
    """All are answered, and no bucket is overdrawn: a slow machine only makes that easier."""
    check_bucket(server.login("alice"), make_row)


@timers(token_burst=BURST, token_rate=RATE, ping_after_ms=TICK_MS)
@clause("FLOW-37", quote="the bucket holds token_burst")
def test_silence_saves_no_more_tokens(server: Server) -> None:
    """Alice is silent while the server could put away as many again as she is going to need."""
    alice = server.login("alice")
    clock = server.login("clock", features=FEATURES["liveness"])
    for _tick in range(TICKS):
        clock.expect("PING")
    check_bucket(alice, make_pings)


def check_bucket(peer: Peer, make_row: Callable[[Peer], Row]) -> None:
    """A row is answered, and there were tokens enough for it."""
    frames, answers = make_row(peer)
    since = peer.case.stopwatch()
    peer.send_together(*frames)
    for answer in answers:
        peer.expect_in_any_order(answer)
    elapsed = since()
    most = BURST + int(RATE * elapsed) + 1
    words = _("{count} frames that cost a token each were answered within {ms:.0f} ms, and there were {most} tokens")
    assert len(frames) <= most, words.format(count=len(frames), ms=elapsed * 1000, most=most)
