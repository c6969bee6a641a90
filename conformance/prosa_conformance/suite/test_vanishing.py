# SPDX-License-Identifier: MIT
"""Section 7.1: many clients that are killed, and what is left of them in the server."""


from prosa_conformance.bugs import truncated
from prosa_conformance.clauses import clause, timers
from prosa_conformance.history import judge
from prosa_conformance.match import Like
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.server import Server

GUESTS = 16
ITS_OWN = 4  # descriptors that a server opens or closes meanwhile for other reasons


def kill(number: int, guest: Peer, room: Room) -> None:
    """As kill -9 looks from the other end: FIN or, with octets unread, RST; with half a frame sent or none."""
    if number % 2:
        guest.send(truncated(guest.make_publish(room, "never whole"), 40))
    if number % 3:
        guest.close()
    else:
        guest.reset()


def see_left(watcher: Peer, room: Room, guests: list[tuple[Peer, Room]]) -> None:
    left = [Like("MEMBER", room_id=room.id, event="left", member_key=guest.key) for guest, _ in guests]
    watcher.expect_in_any_order(*left)


@timers(member_limit=2 * GUESTS)
@clause("END-17", quote="A client that vanishes MUST NOT disturb the server", level="L3", needs=["process"])
@clause("END-17", quote="it goes on and serves the next one")
@clause("MEM-03", quote="when a session joins, leaves or ends")
def test_nothing_is_left_of_those_who_vanish(fresh_server: Server) -> None:
    """The others see them leave, what was whole stays, and their descriptors are closed."""
    ((alice, room),) = fresh_server.members("lobby", "alice")
    (first,) = fresh_server.members("lobby", "first")
    first[0].say(first[1], "so that all is opened that is opened once")
    settle(alice, first[0])
    kill(0, *first)
    see_left(alice, room, [first])
    idle = fresh_server.descriptors()
    guests = fresh_server.members("lobby", *[f"guest-{number}" for number in range(GUESTS)])
    for guest, stay in guests:
        guest.say(stay, "here I am")
    settle(alice, *[guest for guest, _ in guests])
    if fresh_server.descriptors() < idle + GUESTS - ITS_OWN:
        raise NotApplicable("what the server's process has open cannot be seen here")
    for number, (guest, stay) in enumerate(guests):
        kill(number, guest, stay)
    see_left(alice, room, guests)
    await_descriptors(fresh_server, alice, idle + ITS_OWN)
    judge([alice, first[0], *[guest for guest, _ in guests]], room.id, here=[alice])
    fresh_server.check_alive()
    fresh_server.good_session("bob")


def await_descriptors(server: Server, clock: Peer, most: int) -> None:
    """Wait until no more than these are open; each PONG is a turn of the server."""
    deadline = server.case.deadline()
    while (count := server.descriptors()) > most:
        clock.barrier()
        if not server.case.left(deadline):
            raise Violation(
                f"{GUESTS} clients have vanished, and their descriptors are still open",
                expected=f"at most {most} open descriptors",
                actual=str(count),
            )
