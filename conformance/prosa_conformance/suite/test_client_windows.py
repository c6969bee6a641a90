# SPDX-License-Identifier: MIT
"""Level L2 seen by a scripted server: windows above 1, both sides at any time, silence and slow handshakes."""

from collections.abc import Iterable

import pytest

from prosa_conformance import codec
from prosa_conformance.case import Case
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.contract import ClientExit
from prosa_conformance.fixtures import StartClient
from prosa_conformance.language import _
from prosa_conformance.outcome import Inconclusive, Violation
from prosa_conformance.registry import FEATURES
from prosa_conformance.scripted_server import ScriptedServer

WINDOW = 4
SOON_MS, NEVER_MS = 100, 600_000
DEAD_MS = 1000
TICK_MS = 100
HANDSHAKE_MS = 300
GIVE_UP_S = 3.0
WITHOUT_CHALLENGE_S = 8.0  # 5,000 ms are what a client waits, on a machine of any speed
# What is typed stays within the buffer of a pipe; as frames it is more than the way of a narrow server holds.
LONG, LONG_LINES, LINES_THAT_FILL = 4000, 15, 12


@pytest.fixture
def wide(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client that may have WINDOW messages on the way."""
    chat = Chat.begin(scripted_server, start_client(scripted_server), granted=WINDOW)
    chat.need_window(2)
    return chat


@pytest.fixture
def lively(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client in a session with `liveness`, whose server says nothing more and answers no PING."""
    scripted_server.limits.update(ping_after_ms=SOON_MS, dead_after_ms=NEVER_MS)
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "liveness")
    chat.session.answers_pings = False
    return chat


def type_lines(chat: Chat, texts: Iterable[str]) -> None:
    for text in texts:
        chat.client.type_line(text)


def expect_published(chat: Chat, texts: Iterable[str]) -> None:
    """These messages come in this order, before any of them is acknowledged."""
    for text in texts:
        chat.session.expect_publish(text=text)


def expect_no_publish(chat: Chat) -> None:
    """Nothing is sent that the limit does not allow."""
    early = [frame.number("counter") for frame in chat.session.barrier() if frame.name == "PUBLISH"]
    limit = chat.session.room.last_counter
    assert not early, _("the client sent message {counter}, and its limit is {limit}").format(
        counter=early[0], limit=limit
    )


# --- windows ---


@clause("CON-08", quote="is kept and sent when the limit allows it", level="L2")
@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter")
def test_as_many_at_once_as_the_limit_allows(wide: Chat) -> None:
    window = wide.need_window(2)
    texts = [f"line {number}" for number in range(2 * window + 1)]
    type_lines(wide, texts)
    expect_published(wide, texts[:window])
    expect_no_publish(wide)
    wide.session.ack(acked=1)
    expect_published(wide, texts[window : window + 1])
    expect_no_publish(wide)
    wide.session.ack()
    expect_published(wide, texts[window + 1 :])


@clause("FLOW-16", quote="ACKs MAY be coalesced: one for many messages", level="L2", role="client")
def test_one_ack_for_the_whole_window(wide: Chat) -> None:
    texts = [f"line {number}" for number in range(wide.need_window(2))]
    type_lines(wide, texts)
    for text in texts:
        wide.session.deliver(wide.session.expect_publish(text=text))
    wide.session.ack()
    wide.expect_shown(texts)
    wide.expect_acked(len(texts))


@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter", level="L2")
@clause("FLOW-12", quote="take each number as a maximum and ignore one that is lower than before", role="client")
def test_acks_that_raise_no_limit(wide: Chat) -> None:
    window = wide.need_window(2)
    type_lines(wide, [f"line {number}" for number in range(window + 1)])
    expect_published(wide, [f"line {number}" for number in range(window)])
    wide.session.ack(acked=window, limit=window)
    wide.session.ack(acked=0, limit=0)
    expect_no_publish(wide)
    wide.session.ack(limit=window + 1)
    expect_published(wide, [f"line {window}"])


@clause("END-13", quote="send what is pending, wait until it is acknowledged", level="L2")
def test_end_of_file_waits_for_the_acks_alone(wide: Chat) -> None:
    texts = [f"line {number}" for number in range(wide.need_window(2) + 1)]
    type_lines(wide, texts)
    wide.client.close_stdin()
    expect_published(wide, texts[:-1])
    early = [frame.name for frame in wide.session.barrier() if frame.name == "BYE"]
    assert not early, "the client said goodbye before its messages were acknowledged"
    wide.session.ack()
    expect_published(wide, texts[-1:])
    wide.session.ack()
    wide.session.answer_bye()
    wide.client.expect_closed(0)


@clause("END-07", quote="It does not wait for answers, and says how many lines were not sent", level="L2")
def test_exit_with_more_lines_than_the_limit(wide: Chat) -> None:
    texts = [f"line {number}" for number in range(wide.need_window(2) + 3)]
    type_lines(wide, texts)
    expect_published(wide, texts[:-3])
    wide.client.type_line("exit")
    wide.session.answer_bye()
    wide.client.expect_closed(0)
    said = [line for line in wide.client.said() if "3" in line]
    assert said, "three lines were not sent, and nothing that the client said has this number"


# --- both sides at any time ---


@clause("FLOW-33", quote="A client MUST take a DELIVER at any time when it reads", level="L2")
def test_unasked_messages_are_shown_while_the_person_thinks(wide: Chat) -> None:
    for number in range(5):
        wide.say(f"unasked {number}")


@clause("FLOW-33", quote="also one that answers nothing", level="L2")
def test_bursts_from_both_sides_at_once(wide: Chat) -> None:
    window = wide.need_window(2)
    texts = [f"line {number}" for number in range(3 * window)]
    type_lines(wide, texts)
    for number, text in enumerate(texts):
        question = wide.session.expect_publish(text=text)
        wide.session.send_together(
            wide.session.make_deliver(wide.session.make_message(f"burst {number}")),
            wide.session.make_deliver(question),
            wide.session.make_ack(),
        )
    shown = [text for number, text in enumerate(texts) for text in (f"burst {number}", text)]
    wide.expect_shown(shown)


@clause("FLOW-41", quote="A client MUST read while it writes")
def test_a_server_that_does_not_read_for_a_while(case: Case, start_client: StartClient) -> None:
    server = ScriptedServer(case, narrow=True)
    chat = Chat.begin(server, start_client(server), granted=LONG_LINES)
    server.stop_listening()
    chat.need_window(LINES_THAT_FILL)
    texts = [f"{number} ".ljust(LONG, ".") for number in range(LONG_LINES)]
    type_lines(chat, texts)
    chat.session.wait_heard()
    room = chat.session.room
    for number in range(min(LONG_LINES, room.limit_seq - room.head_seq)):
        chat.say(f"are you still writing? {number}")
    for text in texts:
        chat.session.deliver(chat.session.expect_publish(text=text))
        chat.session.ack()
        chat.client.expect_event("message", text=text)


@pytest.mark.parametrize("reset", [False, True], ids=["end-of-file", "reset"])
@clause("END-16", quote="MUST notice on its next read or write that the server is gone", level="L2")
def test_server_vanishes_and_nobody_types(wide: Chat, reset: bool) -> None:
    if reset:
        wide.session.reset()
    else:
        wide.session.close()
    wide.client.expect_event("disconnected", how="reset" if reset else "eof")
    wide.client.expect_closed(5)


@clause("END-09", quote="A client that receives BYE NORMAL MUST answer it and end with exit code 0", level="L2")
def test_goodbye_and_nobody_types(wide: Chat) -> None:
    wide.session.bye()
    wide.session.half_close()
    wide.session.expect("BYE", code="NORMAL")
    wide.session.expect_closed()
    wide.session.close()
    wide.client.expect_closed(0, code="NORMAL")


@clause("END-14", quote="MUST end the old one with BYE REPLACED", role="client")
@clause("CON-12", quote="MUST end with the exit code that this list gives for how its session ended")
def test_replaced_and_nobody_types(wide: Chat) -> None:
    wide.session.bye("REPLACED")
    wide.session.half_close()
    wide.session.expect("BYE", code="NORMAL")
    wide.session.close()
    wide.client.expect_event("disconnected", how="goodbye", again=False)
    wide.client.expect_closed(6, code="REPLACED")


# --- liveness ---


@clause("LIVE-08", quote="A peer at L2 or above MUST offer `liveness`", role="client")
def test_liveness_is_offered(newcomer: Chat) -> None:
    offered = newcomer.session.hello.number("features")
    assert offered & FEATURES["liveness"], "the client does not offer `liveness`"


@clause("LIVE-04", quote="With `liveness` a peer MUST send a PING after ping_after_ms", role="client")
@clause("LIVE-04", quote="One PING for each silence is enough", role="client")
def test_silence_is_asked_about(lively: Chat) -> None:
    for _silence in range(3):
        ping = lively.session.expect("PING")
        lively.session.send(codec.frame("PONG", opaque=ping.octets("opaque")))


@clause("LIVE-05", quote="a client by reporting silence", role="client")
def test_silence_is_reported(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    scripted_server.limits.update(ping_after_ms=SOON_MS, dead_after_ms=DEAD_MS)
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "liveness")
    chat.session.answers_pings = False
    chat.session.expect("PING")
    chat.client.expect_event("disconnected", how="silence")
    chat.client.expect_closed(5)


@clause("LIVE-06", quote="Any octet that arrives MUST count as a sign of life", role="client")
def test_octets_of_a_frame_are_signs_of_life(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    """A frame that takes longer than dead_after_ms, one octet at a time."""
    scripted_server.limits.update(ping_after_ms=SOON_MS, dead_after_ms=DEAD_MS)
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "liveness")
    chat.session.answers_pings = False
    slow = codec.encode(codec.frame("PING", opaque=b"one by one"))
    assert len(slow) * TICK_MS > 2 * DEAD_MS, "the frame is long enough to outlast dead_after_ms"
    longest = chat.session.dribble(slow, TICK_MS / 1000)
    if longest * 1000 > DEAD_MS / 2:
        raise Inconclusive("the suite itself was silent for too long: this machine is too busy")
    chat.session.expect_until("PONG", opaque=b"one by one")


@clause("LIVE-04", quote="MUST send a PING after ping_after_ms in which it received no octet", role="client")
def test_no_ping_while_there_is_no_silence(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    scripted_server.limits.update(ping_after_ms=NEVER_MS, dead_after_ms=NEVER_MS)
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "liveness")
    chat.exchange()
    early = [frame.name for frame in chat.session.barrier() if frame.name == "PING"]
    assert not early, "the client sent a PING, and ping_after_ms has not passed"


# --- a handshake that does not end ---


def expect_given_up(chat: Chat, seconds: float, words: str) -> None:
    """The client ends without having been READY; one that waits on is tolerated."""
    try:
        chat.session.expect_closed(seconds=seconds)
    except Violation:
        chat.client.case.not_strict(words)
        return
    chat.session.close()
    assert not chat.may_come_back(), "the client tries again, and no session with `resume` has been READY"
    chat.client.expect_exit(*ClientExit)


@clause("AUTH-23", quote="SHOULD give up a connection that is not READY `handshake_ms` after CHALLENGE")
def test_welcome_does_not_come(newcomer: Chat) -> None:
    newcomer.server.limits["handshake_ms"] = HANDSHAKE_MS
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    expect_given_up(newcomer, GIVE_UP_S, "the client waits for WELCOME much longer than handshake_ms")


@clause("AUTH-23", quote="or 5,000 ms after it connected when no CHALLENGE comes")
def test_challenge_does_not_come(newcomer: Chat) -> None:
    seconds = WITHOUT_CHALLENGE_S / min(newcomer.client.case.settings.time_scale, 1.0)
    expect_given_up(newcomer, seconds, "the client waits for CHALLENGE much longer than 5,000 ms")
