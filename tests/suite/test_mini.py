# SPDX-License-Identifier: MIT
"""The small server and client beyond L1, each held against the suite's own endpoints and against the other."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import CONFORMANCE, python
from prosa_conformance import codec, crypto
from prosa_conformance.case import Case, Settings
from prosa_conformance.client import Client
from prosa_conformance.codec import Frame
from prosa_conformance.contract import Implementation
from prosa_conformance.kinds import Value
from prosa_conformance.launch import server_values, spawn
from prosa_conformance.peer import Peer, Room
from prosa_conformance.places import Ports
from prosa_conformance.registry import CODES_BY_NUMBER, EVENTS, FEATURES
from prosa_conformance.scripted_server import ScriptedServer, Session
from prosa_conformance.server import Server, ServerProcess

ALL = sum(FEATURES.values())
EVENT_NAMES = {number: name for name, number in EVENTS.items()}

Serve = Callable[..., Server]
Start = Callable[..., Client]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PYTHONPATH", str(CONFORMANCE))
    scale = float(os.environ.get("PROSA_TIME_SCALE", "1"))
    return Settings(subject(), tmp_path, level="L4", time_scale=scale, ports=Ports(os.getpid() * 64))


def subject(*words: str) -> Implementation:
    commands = {"server": python("mini_server.py", *words), "client": python("mini_client.py")}
    return Implementation("python", Path(__file__).parent, commands)


@pytest.fixture
def case(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Case]:
    case = Case(settings, request.node.name, "server")
    yield case
    case.close_wires()
    for watched in case.watched:
        watched.check("the program")


@pytest.fixture
def serve(case: Case) -> Iterator[Serve]:
    """serve("keep=5", token_rate=9) -> the small server at L4 with these words and limits."""
    processes: list[ServerProcess] = []

    def run(*words: str, **limits: int) -> Server:
        case.settings.subject = subject(*words)
        processes.append(ServerProcess(case.settings, limits))
        return Server(case, processes[-1])

    yield run
    case.close_wires()
    for process in processes:
        process.stop()


@pytest.fixture
def start(case: Case) -> Iterator[Start]:
    """start(server, nick="bob", room="lobby") -> the small client at L4."""
    clients: list[Client] = []

    def run(server: Server | ScriptedServer, **more: str | Path) -> Client:
        host, port = server.address if isinstance(server, Server) else (server.host, server.port)
        clients.append(Client(case, host, port, **more))  # type: ignore[arg-type]
        return clients[-1]

    yield run
    for client in clients:
        client.program.end()


def login(server: Server, name: str, features: int = ALL, sock: socket.socket | None = None) -> Peer:
    case = server.case
    peer = server.connect(name) if sock is None else Peer(case, sock, name, server.target, case.seed(name))
    peer.hello(features=features)
    peer.expect_challenge()
    peer.auth()
    peer.expect_welcome()
    return peer


def narrow(server: Server) -> socket.socket:
    """A connection whose kernel keeps little of what is not read."""
    sock = socket.socket()
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, buffer, 4096)
    sock.connect(server.address)
    return sock


def joined(server: Server, name: str, room: str = "lobby", features: int = ALL, **join: Value) -> tuple[Peer, Room]:
    peer = login(server, name, features)
    return peer, peer.join(room, **{"send_window": 64, **join})


def publish_all(peer: Peer, room: Room, texts: list[str]) -> None:
    """Within the limit; returns when all are acknowledged."""
    for text in texts:
        if room.last_counter == room.limit_counter:
            peer.expect_until("ACK", limit_counter=room.limit_counter + room.granted)
        peer.publish(room, text)
    if room.acked_counter < room.last_counter:
        peer.expect_until("ACK", acked_counter=room.last_counter)


def of(peer: Peer, *names: str) -> list[Frame]:
    return [frame for frame in peer.received if frame.name in names]


def texts(room: Room) -> list[str]:
    return [str(frame.value("text")) for frame in room.delivered]


def changes(frames: list[Frame]) -> list[tuple[str, str]]:
    """MEMBERs as (event, nick or count)."""
    members = [frame for frame in frames if frame.name == "MEMBER"]
    return [
        (EVENT_NAMES[frame.number("event")], str(frame.value("nick") or frame.value("count") or ""))
        for frame in members
    ]


def last_joined(peer: Peer) -> Frame:
    return of(peer, "JOINED")[-1]


def code(frame: Frame) -> str:
    return CODES_BY_NUMBER[frame.number("code")].name


def leave(room: Room) -> Frame:
    return codec.frame("LEAVE", room_id=room.id)


# --- L2: both sides speak at any time ---


def test_limit_follows_acceptance_with_a_window(serve: Serve) -> None:
    """FLOW-32"""
    server = serve()
    alice, room = joined(server, "alice", "@host", send_window=4)
    publish_all(alice, room, [f"message {number}" for number in range(20)])
    assert room.limit_counter == 24, f"nobody has answered, and the limit is {room.limit_counter}"


def test_operator_speaks_unasked(serve: Serve) -> None:
    """END-19: a line for a client that has asked nothing answers nothing."""
    server = serve()
    alice, room = joined(server, "alice", "@host")
    server.type_line(f"@{alice.nick} are you there?")
    words = alice.expect("DELIVER", text="are you there?", author_key=alice.server_key)
    assert not words.has("reply_to"), "it answers nothing"
    assert crypto.verify_message(words), "it is signed"
    question = alice.publish(room, "yes")
    alice.expect_own(question)
    server.type_line("good")
    assert alice.expect("DELIVER", text="good").octets("reply_to") == crypto.message_id(question)


def test_newer_session_replaces_the_older(serve: Serve) -> None:
    """END-14"""
    server = serve()
    older, room = joined(server, "alice")
    older.publish(room, "before")
    older.barrier()
    newer, again = joined(server, "alice")
    older.expect_until("BYE", code="REPLACED")
    assert again.last_counter == 1, "what the older one was acknowledged counts"
    newer.barrier()


def test_silent_client_is_given_up(serve: Serve) -> None:
    """LIVE-04, LIVE-05"""
    server = serve(ping_after_ms=100, dead_after_ms=400)
    alice = login(server, "alice")
    bob = login(server, "bob")
    alice.answers_pings = False
    alice.expect("PING")
    bob.expect("PING")
    alice.expect_until("BYE", code="IDLE")
    bob.barrier()


def test_no_place_for_another(serve: Serve) -> None:
    """AUTH-07, and who comes back takes the place of the older session."""
    server = serve("places=1")
    older = login(server, "alice")
    bob = server.connect("bob")
    bob.hello()
    assert code(bob.expect("ERROR")) == "BUSY"
    login(server, "alice").barrier()
    older.expect_until("BYE", code="REPLACED")


# --- L3: rooms, members, nicks ---


def test_members_come_and_go(serve: Serve) -> None:
    """MEM-01 to MEM-03, MEM-07, MEM-08"""
    server = serve()
    alice, room = joined(server, "alice")
    assert changes(alice.barrier()) == [("here", alice.nick)]
    bob, lobby = joined(server, "bob")
    assert sorted(changes(bob.barrier())) == sorted([("here", alice.nick), ("here", bob.nick)])
    alice.publish(room, "welcome")
    assert changes(alice.barrier()) == [("joined", bob.nick)]
    bob.send(leave(lobby))
    answer = bob.expect_until("MEMBER", event="left", member_key=bob.key)
    assert answer.number("at_seq") == 1, "it happened after the one message"
    assert changes(alice.barrier()) == [("left", bob.nick)]
    alice.publish(room, "where are you?")
    alice.barrier()
    assert [frame.name for frame in bob.barrier()] == [], "who has left hears no more of the room"
    bob.send(leave(lobby))
    bob.expect_error("BAD_STATE")


def test_replacement_is_not_shown(serve: Serve) -> None:
    """MEM-09"""
    server = serve()
    watcher, _ = joined(server, "watcher")
    joined(server, "alice")
    newer, _ = joined(server, "alice")
    assert changes(watcher.barrier()) == [("here", watcher.nick), ("joined", newer.nick)]
    newest = login(server, "alice")
    assert changes(watcher.barrier()) == [], "the newest session stands for the older ones"
    newest.leave_politely()
    assert changes(watcher.barrier()) == [("left", newer.nick)]


def test_many_members_are_counted(serve: Serve) -> None:
    """MEM-05"""
    server = serve(member_limit=2)
    alice, _ = joined(server, "alice")
    bob, _ = joined(server, "bob")
    carol, room = joined(server, "carol")
    assert changes(carol.barrier()) == [("count", "3")]
    assert changes(alice.barrier())[-1] == ("count", "3")
    bob.barrier()
    carol.send(leave(room))
    carol.expect("MEMBER", event="left", member_key=carol.key)
    for peer in (alice, bob):
        resync, *here = changes(peer.barrier())
        assert resync == ("resync", ""), resync
        assert sorted(here) == sorted([("here", alice.nick), ("here", bob.nick)])


def test_lost_events_are_made_good(serve: Serve) -> None:
    """MEM-04: a member that reads nothing while the others come and go; FLOW-38: it delays nobody."""
    server = serve(output_limit=65536, token_rate=1000000, token_burst=1000000)
    stalled = login(server, "stalled", sock=narrow(server))
    stalled.join("lobby", recv_window=2**31)
    alice, room = joined(server, "alice", recv_window=2**31)
    publish_all(alice, room, ["x" * 4096] * 300)
    bob = login(server, "bob")
    for _ in range(80):
        lobby = bob.join("lobby", send_window=1)
        bob.send(leave(lobby))
        bob.expect_until("MEMBER", event="left", member_key=bob.key)
    bob.join("lobby")
    told = changes(stalled.barrier(20))
    at = told.index(("resync", ""))
    assert sorted(told[at + 1 :]) == sorted(("here", peer.nick) for peer in (stalled, alice, bob))


def test_nicks_last(serve: Serve) -> None:
    """ID-06 to ID-08, ID-11"""
    server = serve()
    alice = login(server, "alice")
    server.kill()
    alice.close()
    server.start_again()
    for name, nick, refusal in (("mallory", alice.nick, "NICK_TAKEN"), ("alice", "somebody-else", "DENIED")):
        peer = server.connect(name)
        peer.hello()
        peer.expect_challenge()
        peer.auth(nick=nick)
        assert code(peer.expect("ERROR")) == refusal
    login(server, "alice").barrier()


def test_banned_and_kicked(serve: Serve) -> None:
    server = serve()
    alice = login(server, "alice")
    server.type_line(f"/ban {alice.nick}")
    alice.expect_until("BYE", code="KICKED")
    again = server.connect("alice")
    again.hello()
    again.expect_challenge()
    again.auth()
    assert code(again.expect("ERROR")) == "DENIED"


def test_one_order_for_all(serve: Serve) -> None:
    """FLOW-43"""
    server = serve()
    members = [joined(server, name, recv_window=1000) for name in ("alice", "bob", "carol")]
    for number in range(20):
        for peer, room in members:
            peer.publish(room, f"{peer.name} {number}")
    for peer, _ in members:
        peer.expect_until("ACK", acked_counter=20)
    for peer, _ in members:
        peer.barrier()
    logs = [[frame.fields for frame in room.delivered] for _, room in members]
    assert logs[0][-60:] == logs[1][-60:] == logs[2][-60:], "the members have different logs"
    assert [frame.number("room_seq") for frame in members[0][1].delivered] == list(range(1, 61))


def test_slow_consumer_goes(serve: Serve) -> None:
    """FLOW-39: what is owed counts, credit or not; the others go on."""
    server = serve(slow_ms=300)
    slow, _ = joined(server, "slow", recv_window=2)
    alice, room = joined(server, "alice")
    publish_all(alice, room, ["one", "two", "three"])
    slow.expect_until("BYE", code="SLOW_CONSUMER")
    assert [frame.number("room_seq") for frame in of(slow, "DELIVER")] == [1, 2]
    alice.expect_until("MEMBER", event="left", member_key=slow.key)


def test_overtaken_by_pruning(serve: Serve) -> None:
    """FLOW-40"""
    server = serve("keep=4")
    slow, _ = joined(server, "slow", recv_window=2)
    alice, room = joined(server, "alice")
    publish_all(alice, room, [f"message {number}" for number in range(9)])
    slow.expect_until("BYE", code="SLOW_CONSUMER")
    late, _ = joined(server, "late", after_seq=0)
    late.barrier()
    assert (last_joined(late).number("oldest_seq"), last_joined(late).number("start_seq")) == (6, 6)


# --- L4 ---


def test_without_tokens_the_server_waits(serve: Serve) -> None:
    """FLOW-37: PINGs beyond the burst are answered later, in order, and not scolded."""
    server = serve(token_rate=50, token_burst=5)
    alice = login(server, "alice")
    opaque = [b"%d" % number for number in range(30)]
    alice.send_together(*[codec.frame("PING", opaque=each) for each in opaque])
    alice.expect_until("PONG", opaque=opaque[-1])
    assert [frame.octets("opaque") for frame in of(alice, "PONG")] == opaque


def test_who_does_not_read_is_not_read(serve: Serve) -> None:
    """FLOW-36: PINGs are sent until nobody takes them; then every PONG comes."""
    server = serve(output_limit=65536, token_rate=1000000, token_burst=1000000)
    raw = narrow(server)
    alice = login(server, "alice", features=0, sock=raw)
    ping = codec.encode(codec.frame("PING", opaque=b"0123456789abcdef"))
    sent = 0
    raw.settimeout(server.case.seconds(0.5))
    with suppress(TimeoutError):
        while True:
            sent += raw.send((ping * 1000)[sent % len(ping) :])
    login(server, "bob").barrier()  # nobody else is held up
    for _ in range(sent // len(ping)):
        assert alice.next_frame().name == "PONG"


def stranger(server: Server, address: str) -> socket.socket:
    return socket.create_connection(server.address, server.case.seconds(), source_address=(address, 0))


def is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_strangers_have_64_places(serve: Serve) -> None:
    """LIM-04: the oldest that is silent goes for the newcomer; LIM-05: one address gets 8 when half is taken."""
    server = serve(handshake_ms=60000)
    crowd = [stranger(server, f"127.9.9.{number % 8 + 1}") for number in range(64)]
    newcomer = stranger(server, "127.9.9.99")
    assert is_closed(crowd[0]), "the oldest one has no place any more"
    assert login(server, "alice", sock=newcomer).barrier() == []
    assert is_closed(stranger(server, "127.9.9.2")), "its address has eight places already"
    for sock in crowd:
        sock.close()


def test_authors_take_turns(serve: Serve) -> None:
    """FLOW-42: three that use their whole window, and a calm one between them."""
    server = serve(max_window=8)
    flood = [joined(server, name) for name in ("one", "two", "three")]
    calm, quiet = joined(server, "calm")
    server.freeze()
    for peer, room in flood:
        for _ in range(8):
            peer.publish(room, "flood")
    for number in (1, 2):
        calm.publish(quiet, f"calm {number}")
    server.thaw()
    calm.expect_until("ACK", acked_counter=2)
    calm.barrier()
    authors = [frame.need("author_key") for frame in quiet.delivered]
    first, second = (index for index, key in enumerate(authors) if key == calm.key)
    for peer, _ in flood:
        between = authors[first:second].count(peer.key)
        assert between <= 8, f"{peer.name} has {between} messages between two calm ones"


# --- resume ---


def test_kill_takes_nothing_back(serve: Serve) -> None:
    """RES-09, RES-10, FLOW-22 over a restart"""
    server = serve()
    alice, room = joined(server, "alice")
    publish_all(alice, room, [f"message {number}" for number in range(10)])
    last = alice.make_publish(room, "message 9", counter=10)
    server.kill()
    alice.close()
    server.start_again()
    alice, again = joined(server, "alice", after_seq=3, epoch=room.epoch)
    alice.barrier()
    assert (again.epoch, again.last_counter, again.start_seq) == (room.epoch, 10, 4)
    assert texts(again) == [f"message {number}" for number in range(3, 10)]
    alice.send(last)
    alice.expect_error("COUNTER_REUSE")


@pytest.mark.parametrize(
    ("after_seq", "epoch", "start_seq"),
    [(0, None, 1), (0, "same", 1), (2, "same", 3), (4, "same", 5), (5, "same", 1), (2, "other", 1), (None, None, 5)],
)
def test_where_a_replay_begins(serve: Serve, after_seq: int | None, epoch: str | None, start_seq: int) -> None:
    """FLOW-06, RES-01, RES-02"""
    server = serve()
    alice, room = joined(server, "alice")
    publish_all(alice, room, ["one", "two", "three", "four"])
    named = {None: None, "same": room.epoch, "other": bytes(16)}[epoch]
    bob, lobby = joined(server, "bob", after_seq=after_seq, epoch=named)
    bob.barrier()
    assert lobby.start_seq == start_seq
    assert texts(lobby) == ["one", "two", "three", "four"][start_seq - 1 :]


def test_without_the_offer_it_starts_live(serve: Serve) -> None:
    """RES-06"""
    server = serve()
    alice, room = joined(server, "alice")
    publish_all(alice, room, ["one", "two"])
    bob, lobby = joined(server, "bob", features=0, after_seq=1, epoch=room.epoch)
    bob.barrier()
    assert (lobby.start_seq, texts(lobby)) == (3, [])


def test_restored_copy_begins_anew(serve: Serve, case: Case) -> None:
    """MSG-24"""
    server = serve()
    alice, room = joined(server, "alice")
    publish_all(alice, room, ["one"])
    server.kill()
    case.settings.subject = subject("restored")
    server.start_again()
    _, again = joined(server, "alice", after_seq=1, epoch=room.epoch)
    assert (again.start_seq, again.last_counter) == (1, 0)
    assert again.epoch != room.epoch, "it is another life of the room"


def test_folder_is_locked(serve: Serve, case: Case) -> None:
    """RES-14"""
    server = serve()
    host, port = case.settings.ports.take()
    second = spawn(case.settings, "server", server_values(case.settings, host, port, server.process.data, ""))
    ended = second.wait_end(case.seconds(5))
    second.end()
    assert ended is not None and ended.code == 1, ended
    assert any("another server" in line for line in second.stderr_since()), second.stderr_since()


# --- audit ---


def chain_of(room: Room) -> dict[int, bytes]:
    """The hashes of the entries that came, from prev_hash of the first one on."""
    at = room.delivered[0].need("prev_hash")
    hashes = {}
    for frame in room.delivered:
        assert frame.octets("prev_hash") == at, f"prev_hash of entry {frame.number('room_seq')} is another"
        seq = frame.number("room_seq")
        at = hashes[seq] = crypto.chain(at, seq, frame.number("server_time"), crypto.message_id(frame))
    return hashes


def test_checkpoints_state_the_chain(serve: Serve) -> None:
    """AUD-02 to AUD-04"""
    server = serve()
    alice, room = joined(server, "alice", recv_window=1000)
    publish_all(alice, room, [f"message {number}" for number in range(70)])
    alice.barrier()
    alice.leave_politely()
    hashes = {0: crypto.chain_start(room.id), **chain_of(room)}
    checkpoints = of(alice, "CHECKPOINT")
    stated = zip((frame.number("seq") for frame in checkpoints), [0, 32, 64, 70], strict=True)
    assert all(seq >= due for seq, due in stated), "JOIN, every 32, BYE"
    for frame in checkpoints:
        assert crypto.verify_checkpoint(alice.server_key, frame), "it is signed by the server"
        assert frame.need("chain") == hashes[frame.number("seq")], "it states another chain"


def test_pruned_log_has_a_boundary(serve: Serve) -> None:
    """AUD-07, and AUD-04 at the end of a replay"""
    server = serve("keep=5")
    alice, room = joined(server, "alice")
    publish_all(alice, room, [f"message {number}" for number in range(20)])
    bob, lobby = joined(server, "bob", after_seq=0)
    bob.barrier()
    shown = [frame for frame in bob.received if frame.name in ("CHECKPOINT", "DELIVER")]
    seqs = [frame.number("seq" if frame.name == "CHECKPOINT" else "room_seq") for frame in shown]
    assert seqs == [15, 20, 16, 17, 18, 19, 20, 20]
    assert shown[0].need("chain") == lobby.delivered[0].need("prev_hash"), "the boundary is where the replay begins"


# --- the client, with the small server ---


def test_clients_talk_in_a_room(serve: Serve, start: Start) -> None:
    server = serve()
    alice = start(server, nick="alice", room="lobby")
    alice.expect_event("member", change="here", nick="alice")
    bob = start(server, nick="bob", room="lobby")
    alice.expect_event("member", change="joined", nick="bob")
    for number in range(50):
        alice.type_line(f"message {number}")
    for number in range(50):
        bob.expect_event("message", text=f"message {number}", nick="alice", own=False)
        alice.expect_event("message", text=f"message {number}", own=True)
    bob.type_line("//hello")
    alice.expect_event("message", text="/hello", nick="bob")
    bob.type_line("exit")
    bob.expect_closed(0)
    alice.expect_event("member", change="left", nick="bob")


def test_client_changes_rooms(serve: Serve, start: Start) -> None:
    server = serve()
    alice = start(server, nick="alice")
    alice.expect_event("joined", room="@host")
    alice.type_line("/join lobby")
    alice.expect_event("joined", room="lobby")
    alice.type_line("in the lobby")
    alice.expect_event("message", room="lobby", text="in the lobby")
    alice.type_line("/leave")
    alice.expect_event("member", room="lobby", change="left", nick="alice")
    alice.type_line("a question")
    alice.expect_event("message", room="@host", text="a question")
    alice.type_line("/leave")
    alice.expect_closed(0)


def test_client_outlives_its_server(serve: Serve, start: Start) -> None:
    """RES-08, RES-10, RES-11: killed, started again; every line is there once, also one typed meanwhile."""
    server = serve()
    alice = start(server, nick="alice", room="lobby")
    alice.type_line("before")
    alice.expect_event("acked", counter="1")
    server.kill()
    alice.expect_event("disconnected", again=True)
    alice.type_line("meanwhile")
    server.start_again()
    joined_again = alice.expect_event("joined", seconds=10)
    assert (joined_again["last_counter"], joined_again["lost_history"]) == ("1", False)
    alice.expect_event("message", text="meanwhile")
    alice.close_stdin()
    alice.expect_closed(0)
    _, log = joined(server, "reader", after_seq=0)
    server.case.wires[-1].barrier()  # type: ignore[attr-defined]
    assert texts(log) == ["before", "meanwhile"]


def test_silent_server_is_left_and_found_again(serve: Serve, start: Start) -> None:
    """LIVE-05 at a client, RES-11"""
    server = serve(ping_after_ms=100, dead_after_ms=400)
    alice = start(server, nick="alice", room="lobby")
    alice.expect_event("joined")
    server.freeze()
    alice.expect_event("disconnected", how="silence", again=True)
    server.thaw()
    alice.expect_event("joined", seconds=10)


def test_client_does_not_come_back_when_it_is_kicked(serve: Serve, start: Start) -> None:
    """RES-13"""
    server = serve()
    alice = start(server, nick="alice", room="lobby")
    alice.expect_event("joined")
    server.type_line("/kick alice")
    alice.expect_event("disconnected", how="goodbye", again=False)
    alice.expect_closed(6, code="KICKED")


# --- the client, with a scripted server ---


def resumable(case: Case, features: int = FEATURES["resume"]) -> ScriptedServer:
    server = ScriptedServer(case)
    server.features = features
    return server


def meet(server: ScriptedServer, client: Client, **changes: Value) -> tuple[Session, Frame]:
    """The session in which the client has joined, and its JOIN."""
    session = server.accept(client.program)
    session.handshake()
    session.accept_join(granted=8, **changes)
    client.expect_event("joined")
    return session, next(frame for frame in session.received if frame.name == "JOIN")


def published(session: Session, count: int = 1) -> list[bytes]:
    return [codec.encode(session.expect("PUBLISH")) for _ in range(count)]


def test_unacked_messages_are_sent_again_as_they_were(case: Case, start: Start) -> None:
    """RES-07, RES-08: also by the next life of the program."""
    server = resumable(case)
    client = start(server, room="lobby")
    session, join = meet(server, client)
    assert (join.number("after_seq"), join.has("epoch")) == (0, False), "at first all there is is asked for"
    for line in ("one", "two", "three"):
        client.type_line(line)
    sent = published(session, 3)
    session.send(codec.frame("ACK", room_id=session.room.id, limit_counter=9, acked_counter=1, acked_seq=1))
    session.barrier()
    session.reset()
    session, _ = meet(server, client, last_counter=1, limit_counter=9, head_seq=1, start_seq=1)
    assert published(session, 2) == sent[1:], "they are sent again byte-identical"
    client.program.end()
    session.close()
    client = start(server, room="lobby", data=client.data)
    session, _ = meet(server, client, last_counter=2, limit_counter=10, head_seq=2, start_seq=1)
    assert published(session) == sent[2:], "they are kept on the disk"


def test_messages_of_a_lost_room_are_told(case: Case, start: Start) -> None:
    """RES-03, RES-08: in a new epoch."""
    server = resumable(case)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    client.type_line("into the void")
    published(session)
    session.reset()
    session = server.accept(client.program)
    session.handshake()
    session.accept_join(granted=8, epoch=bytes(range(16)))
    assert client.expect_event("joined")["lost_history"] is True
    assert "not sent" in client.expect_event("error", room="lobby", counter="1")["reason"]
    assert not [frame for frame in session.barrier() if frame.name == "PUBLISH"], "it belongs to another room"


def test_copies_are_kept_until_a_checkpoint_covers_them(case: Case, start: Start) -> None:
    """AUD-06: an ACK alone can be forged, and last_counter decides."""
    server = resumable(case, ALL)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    client.type_line("one")
    client.type_line("two")
    frames = [session.expect("PUBLISH") for _ in range(2)]
    at = crypto.chain_start(session.room.id)
    for frame in frames:
        deliver = session.deliver(frame, prev_hash=at)
        at = crypto.chain(at, session.room.head_seq, deliver.number("server_time"), crypto.message_id(frame))
        if session.room.head_seq == 1:
            covered = at
    session.send(codec.frame("ACK", room_id=session.room.id, limit_counter=9, acked_counter=2, acked_seq=2))
    session.send(checkpoint(server, session, 1, covered))
    client.expect_event("acked", counter="2")
    session.barrier()
    session.reset()
    session, _ = meet(server, client, last_counter=1, limit_counter=9, head_seq=1, start_seq=1)
    assert published(session) == [codec.encode(frames[1])], "the second one was acknowledged, and is not there"


def checkpoint(server: ScriptedServer, session: Session, seq: int, chain: bytes) -> Frame:
    frame = codec.frame("CHECKPOINT", time=1, room_id=session.room.id, seq=seq, chain=chain)
    return crypto.sign_checkpoint(server.seed, frame)


@pytest.mark.parametrize("lie", ["prev_hash", "checkpoint behind", "checkpoint ahead", "two checkpoints"])
def test_fork_is_found(case: Case, start: Start, lie: str) -> None:
    """AUD-05"""
    server = resumable(case, ALL)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    chain = crypto.chain_start(session.room.id)
    if lie == "checkpoint ahead":
        session.send(checkpoint(server, session, 1, bytes(32)))
    if lie == "two checkpoints":
        session.send(checkpoint(server, session, 5, bytes(32)))
        session.send(checkpoint(server, session, 5, bytes([1] * 32)))
    else:
        words = session.make_message("the truth")
        session.deliver(words, prev_hash=bytes(32) if lie == "prev_hash" else chain)
    if lie == "checkpoint behind":
        session.send(checkpoint(server, session, 1, bytes(32)))
    session.expect_error("FORK")
    session.close()
    client.expect_event("disconnected", again=False)
    client.expect_closed(4, code="FORK")
    assert (client.data / "evidence").read_text().strip(), "the evidence is kept"


def test_client_comes_back_after_a_shutdown(case: Case, start: Start) -> None:
    """RES-11; and it says so."""
    server = resumable(case)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    session.send(codec.frame("BYE", code="SHUTDOWN", after_ms=10))
    session.half_close()
    session.expect("BYE", code="NORMAL")
    client.expect_event("disconnected", how="goodbye", again=True)
    session, join = meet(server, client)
    assert join.octets("epoch") == session.room.epoch, "it goes on where it was"
    client.type_line("exit")
    session.answer_bye()
    client.expect_closed(0)


def test_exit_while_the_server_is_away(case: Case, start: Start) -> None:
    server = resumable(case)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    server.stop_listening()
    session.reset()
    client.expect_event("disconnected", again=True)
    client.type_line("exit")
    client.expect_closed(0)


def test_client_gives_up_a_handshake(case: Case, start: Start) -> None:
    """AUTH-23"""
    server = ScriptedServer(case)
    server.limits["handshake_ms"] = 100
    client = start(server, room="lobby")
    session = server.accept(client.program)
    session.expect_hello()
    session.challenge()
    session.expect_auth()
    client.expect_event("disconnected", how="silence", again=False)
    client.expect_closed(5)


def test_omissions_are_told(case: Case, start: Start) -> None:
    """MSG-28: and the message is shown all the same."""
    server = ScriptedServer(case)
    client = start(server, room="lobby")
    session, _ = meet(server, client)
    session.deliver(session.make_message("one"))
    session.make_message("left out")
    session.deliver(session.make_message("three"))
    client.expect_event("message", text="one")
    client.expect_event("error", code="COUNTER_GAP", counter="3")
    client.expect_event("message", text="three")
