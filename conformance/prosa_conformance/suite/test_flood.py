# SPDX-License-Identifier: MIT
"""Section 6.5 under a flood: many senders at full credit, one beyond its limit, and calm clients among them."""

from prosa_conformance import codec
from prosa_conformance.bracket import bracket, meanwhile
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, tcp_only, timers
from prosa_conformance.codec import Frame
from prosa_conformance.flood import Flood
from prosa_conformance.history import judge
from prosa_conformance.language import _
from prosa_conformance.match import Like, at_least, at_most
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.server import Server

NEVER_MS = 600_000
WINDOW = 8
WIDE = 64  # a window that keeps a server busy until the next one is there
SUPPLY = 5 * WIDE  # of each flooder, while two calm clients say something
UNREAD = 3 * WIDE  # messages of one flooder that go before one that is not even read
FAR = 200  # messages beyond every limit


def make_row(peer: Peer, room: Room, count: int) -> list[Frame]:
    """The next messages of this room, not sent."""
    first = room.last_counter + 1
    room.last_counter += count
    return [peer.make_publish(room, f"number {counter}", counter=counter) for counter in range(first, first + count)]


@timers(max_window=WINDOW, slow_ms=NEVER_MS)
@clause("FLOW-35", quote="A message within the limit is never dropped")
@clause("FLOW-25", quote="then acknowledged to its author and delivered to every member", level="L4")
def test_many_senders_at_full_credit(server: Server) -> None:
    """Each fills its window as soon as there is credit; two members who only read get it all."""
    readers = server.members("lobby", "alice", "bob")
    lobby = readers[0][1]
    here = [peer for peer, _room in readers]
    flood = Flood(server, lobby, senders=8, each=5 * WINDOW)
    flood.run_down(*here)
    settle(*here)
    judge([*here, *flood.peers], lobby.id, here=here)


@timers(token_burst=1, token_rate=1)
@clause("FLOW-35", quote="Credit withheld MUST be the only limit of the rate of PUBLISH")
def test_publish_costs_no_token(server: Server) -> None:
    """The one token is gone with the JOIN, and the next one comes in a second."""
    ((alice, lobby),) = server.members("lobby", "alice")
    for _window in range(3):
        row = make_row(alice, lobby, lobby.granted)
        alice.send_together(*row)
        alice.expect_until("ACK", acked_counter=lobby.last_counter)


# --- beyond the limit ---


@timers(max_window=WINDOW, slow_ms=NEVER_MS)
@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION", level="L4")
@clause("FLOW-21", quote="The messages before it still count")
@clause("FLOW-35", quote="A message within the limit is never dropped")
def test_one_sender_far_over_its_credit(server: Server) -> None:
    """It fills its window and sends on, far above every limit that there can be; two calm clients talk meanwhile."""
    calm = server.members("lobby", "calm-1", "calm-2")
    lobby = calm[0][1]
    with bracket(server) as mallory:
        theirs = mallory.login().join(lobby.name, send_window=WINDOW, recv_window=4096)
        row = make_row(mallory, theirs, theirs.granted)
        theirs.last_counter += 2 * theirs.granted
        beyond = make_row(mallory, theirs, FAR)
        for peer, room in calm:
            peer.publish(room, "before")
        mallory.send_together(*row, marked(beyond[0], "counter"))
        mallory.put(b"".join(map(codec.encode, beyond[1:])), "many messages more")
        for peer, room in calm:
            peer.publish(room, "after")
        mallory.expect_error("FLOW_VIOLATION")
        check_all_count(theirs)
    with meanwhile("while mallory sends far over its credit"):
        for peer, room in calm:
            peer.expect_until("ACK", acked_counter=room.last_counter)
        settle(*[peer for peer, _room in calm])
    judge([mallory, *[peer for peer, _room in calm]], lobby.id, here=[peer for peer, _room in calm])


@timers(max_window=WINDOW, slow_ms=NEVER_MS)
@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION", level="L4")
@clause("FLOW-35", quote="A message within the limit is never dropped")
def test_sender_that_does_not_wait_for_acks(server: Server) -> None:
    """Ten windows without a pause: each message is accepted in time, or the first that is not ends the session."""
    ((alice, lobby),) = server.members("lobby", "alice")
    hasty = server.login("hasty")
    theirs = hasty.join(lobby.name, send_window=WINDOW, recv_window=4096)
    row = make_row(hasty, theirs, 10 * theirs.granted)
    hasty.send_together(*row)
    frame = None
    while theirs.acked_counter < len(row) and (frame is None or frame.name != "ERROR"):
        frame = hasty.next_frame()
    if frame is not None and frame.name == "ERROR":
        assert not Like("ERROR", code="FLOW_VIOLATION").mismatch(frame), "there is another ERROR than FLOW_VIOLATION"
        check_all_count(theirs)
    settle(alice)
    judge([alice, hasty], lobby.id, here=[alice])


def check_all_count(room: Room) -> None:
    """A whole window was within the limit."""
    words = _("{all} messages were within the limit, and {count} of them count")
    assert room.acked_counter >= room.granted, words.format(all=room.granted, count=room.acked_counter)


# --- fairness ---


@tcp_only
@timers(max_window=WIDE, slow_ms=NEVER_MS)
@clause("FLOW-42", quote="a server SHOULD NOT place more than max_window messages of any single other author before it")
@clause("FLOW-35", quote="A message within the limit is never dropped")
def test_calm_clients_among_flooders(server: Server) -> None:
    """Three flood the room while two say something, one after the other. Judged by the order that came out."""
    calm = server.members("lobby", "calm-1", "calm-2")
    lobby = calm[0][1]
    flood = Flood(server, lobby, senders=3, each=SUPPLY)
    said = [Remark(flood, peer, room) for peer, room in calm]
    here = [peer for peer, _room in calm]
    flood.run_down(*here)
    settle(*here)
    judge([*here, *flood.peers], lobby.id, here=here)
    for remark in said:
        remark.check_place()


class Remark:
    """What a calm client says amid a flood, and how many messages each flooder had sent by then."""

    def __init__(self, flood: Flood, peer: Peer, room: Room) -> None:
        self.flood, self.peer, self.room = flood, peer, room
        self.at_first = self.at_reading = flood.sent
        self.was_read = False
        self.looked_at = len(peer.received)
        message = peer.publish(room, "something calm")
        self.counter = message.number("counter")
        self.own = Like("DELIVER", author_key=peer.key, counter=self.counter)
        words = _("the server did not deliver what {who} said while others flood the room")
        flood.until(self.is_placed, words.format(who=peer.name), peer)

    def is_placed(self) -> bool:
        """What the flooders send from the first time on at which the message is read comes after that."""
        if not self.was_read:
            self.at_reading = self.flood.sent
            self.was_read = self.peer.octets_read == self.peer.octets_put
        fresh = self.peer.received[self.looked_at :]
        self.looked_at += len(fresh)
        return any(not self.own.mismatch(frame) for frame in fresh)

    def check_place(self) -> None:
        case = self.flood.case
        if self.peer.octets_read is None:
            raise NotApplicable("this system does not tell when a program has read a message")
        for name, count in self.before(self.at_reading).items():
            if count > WIDE:
                words = _(
                    "between the reading of message {number} of {who} and its place stand {count} of {flooder}: "
                    "at most {most} are allowed"
                )
                case.not_strict(
                    words.format(number=self.counter, who=self.peer.name, count=count, flooder=name, most=WIDE)
                )
                return
        for name, count in self.before(self.at_first).items():
            if count > UNREAD:
                words = _("message {number} of {who} was not read while {count} of {flooder} were placed")
                case.not_strict(words.format(number=self.counter, who=self.peer.name, count=count, flooder=name))
                return

    def before(self, sent: dict[str, int]) -> dict[str, int]:
        """By flooder, how many of its messages beyond those that it had sent stand before this one."""
        seq = next(frame.number("room_seq") for frame in self.room.delivered if not self.own.mismatch(frame))
        counts = {}
        for flooder in self.flood.flooders:
            first = flooder.room.base_counter + sent[flooder.peer.name] + 1
            later = Like("DELIVER", author_key=flooder.peer.key, counter=at_least(first), room_seq=at_most(seq))
            counts[flooder.peer.name] = sum(not later.mismatch(frame) for frame in self.room.delivered)
        return counts
