# SPDX-License-Identifier: MIT
"""Section 9.3: what a server keeps for members who take nothing, as growth of its process.

How much a program holds in all is its own affair, and no two languages agree. So the same is said twice, first
while the same connections stand idle; and what counts as a violation is growth as if each of them had a copy.
"""

from collections.abc import Callable

from prosa_conformance.clauses import clause, timers
from prosa_conformance.flood import connect_stalled, fill
from prosa_conformance.language import _
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.peer import Peer
from prosa_conformance.server import GROUP_CREDIT, GROUP_WINDOW, Server

NEVER_MS = 600_000
MAX_FRAME, UNDECIDED, OUTPUT = 65_536, 16_384, 65_536
MEMBERS, SAID = 24, 4 * 2**20
EACH = UNDECIDED + OUTPUT + 2 * MAX_FRAME + 8192 + 256 + 48 * GROUP_WINDOW
# What is said may be kept for all, several times while it is worked on; and a program may take some more.
ALLOWED = MEMBERS * EACH + 4 * SAID + 32 * 2**20
COPIES = MEMBERS * SAID * 3 // 4


@timers(slow_ms=NEVER_MS, max_frame=MAX_FRAME, undecided_limit=UNDECIDED, output_limit=OUTPUT)
@clause("LIM-08", quote="Nothing that a server keeps for a connection MUST grow with the number of messages")
@clause("LIM-08", quote="a slow member has a cursor into the room's log, not a queue of its own")
def test_members_who_give_no_credit(fresh_server: Server) -> None:
    check_growth(fresh_server, Server.login, recv_window=2)


@timers(slow_ms=NEVER_MS, max_frame=MAX_FRAME, undecided_limit=UNDECIDED, output_limit=OUTPUT)
@clause("LIM-07", quote="The memory that a server keeps for one READY connection MUST NOT exceed")
def test_members_who_do_not_read(fresh_server: Server) -> None:
    """They have given credit for everything, and their connections are full."""
    check_growth(fresh_server, connect_stalled, recv_window=GROUP_CREDIT)


def check_growth(server: Server, connect: Callable[[Server, str], Peer], recv_window: int) -> None:
    ((alice, lobby),) = server.members("lobby", "alice", recv_window=2)
    names = [f"member-{number}" for number in range(1, MEMBERS + 1)]
    members = [connect(server, name) for name in names]
    fill(alice, lobby, SAID)
    idle = held(server)
    for member in members:
        member.join(lobby.name, recv_window=recv_window)
    fill(alice, lobby, SAID)
    grown = held(server) - idle
    if grown <= ALLOWED:
        return
    words = _("the server grew by {grown} MB while {members} members took nothing of the {said} MB that were said")
    sentence = words.format(grown=grown >> 20, members=MEMBERS, said=SAID >> 20)
    if grown < COPIES:
        server.case.not_strict(sentence)
        return
    raise Violation(
        sentence,
        expected=_("at most {each} kB for each of them, and {rest} MB for everything else").format(
            each=EACH >> 10, rest=(ALLOWED - MEMBERS * EACH) >> 20
        ),
        actual=_("{each} kB for each of them").format(each=(grown // MEMBERS) >> 10),
    )


def held(server: Server) -> int:
    octets = server.program.octets_held()
    if octets is None:
        raise NotApplicable("this system does not tell how much memory a program holds")
    return octets
