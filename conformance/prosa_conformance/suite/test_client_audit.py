# SPDX-License-Identifier: MIT
"""Section 5.4 seen by a scripted server: a client that checks the chain, and what it does about two histories."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from prosa_conformance.bugs import flipped, marked
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame, field_value
from prosa_conformance.fixtures import StartClient
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.places import files_in
from prosa_conformance.registry import FEATURES
from prosa_conformance.scripted_server import ScriptedServer

WINDOW = 3
OTHER_HASH = bytes(range(32))


@pytest.fixture
def audited(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client in a session with `audit` that has been shown a good server: chain and CHECKPOINTs agree.

    The session has `resume`, too, if the client offers it.
    """
    scripted_server.features = FEATURES["resume"]
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "audit", granted=WINDOW)
    chat.session.checkpoint()
    for number in range(3):
        chat.say(f"entry {number}")
    chat.session.checkpoint()
    chat.say("all is well")
    return chat


def fork(chat: Chat, *evidence: Frame) -> None:
    """ERROR FORK, exit code 4, and what shows it is in the client's folder."""
    chat.expect_refusal("FORK")
    signatures = [frame.octets("server_sig") or frame.need("author_sig") for frame in evidence]
    if not any(is_kept(chat.client.data, signature) for signature in signatures):
        chat.session.case.not_strict("no file of the client holds the frame that shows the conflict")


def is_kept(folder: Path, octets: bytes) -> bool:
    """Whether a file holds these octets, as they are, in hexadecimal or in base64."""
    forms = [octets, octets.hex().encode(), octets.hex().upper().encode(), base64.b64encode(octets).rstrip(b"=")[:-1]]
    return any(form in content for content in map(Path.read_bytes, files_in(folder)) for form in forms)


def say_and_checkpoint(chat: Chat, text: str) -> None:
    chat.say(text)
    chat.session.checkpoint()


# --- prev_hash ---


@pytest.mark.parametrize("prev_hash", [OTHER_HASH, bytes(32), None], ids=["other", "zeros", "none"])
@clause("AUD-05", quote="MUST check prev_hash and CHECKPOINT against the chain that it computes")
@clause("AUD-05", quote="A DELIVER without prev_hash is a conflict, too")
def test_prev_hash_that_does_not_fit(audited: Chat, prev_hash: bytes | None) -> None:
    wrong = audited.session.make_deliver(audited.session.make_message("which history?"), prev_hash=prev_hash)
    audited.session.send(marked(wrong, "prev_hash") if prev_hash else wrong)
    fork(audited, wrong)
    assert "which history?" not in audited.client.texts(), "the client showed a message of another history"


@clause("AUD-05", quote="and on a conflict keep the evidence and close with ERROR FORK")
def test_chain_goes_over_every_entry(audited: Chat) -> None:
    """The hash of the entry before last is no hash of the last one."""
    room = audited.session.room
    stale = room.chain_at(room.head_seq - 1)
    wrong = audited.session.make_deliver(audited.session.make_message("one left out"), prev_hash=stale)
    audited.session.send(wrong)
    fork(audited, wrong)


@clause("AUD-05", quote="MUST check prev_hash and CHECKPOINT against the chain that it computes")
def test_forged_messages_are_part_of_the_chain(audited: Chat) -> None:
    """What is not shown has its place all the same."""
    forged = audited.session.make_message("forged!", seed=audited.session.case.seed("stranger"))
    audited.session.deliver(forged)
    audited.client.expect_event("error", **{"from": "client", "code": "BAD_SIG"})
    say_and_checkpoint(audited, "still one history")
    audited.say("and on")


@clause("AUD-05", quote="MUST check prev_hash and CHECKPOINT against the chain that it computes")
def test_own_messages_are_part_of_the_chain(audited: Chat) -> None:
    for number in range(3):
        audited.client.type_line(f"mine {number}")
        audited.session.deliver(audited.session.expect_publish())
        audited.session.ack()
        audited.client.expect_event("message", own=True, text=f"mine {number}")
        say_and_checkpoint(audited, f"theirs {number}")
    audited.say("and on")


# --- CHECKPOINT ---


@pytest.mark.parametrize("back", [0, 1])
@clause("AUD-05", quote="MUST check prev_hash and CHECKPOINT against the chain that it computes")
@clause("AUD-05", quote="and on a conflict keep the evidence and close with ERROR FORK")
def test_checkpoint_of_another_history(audited: Chat, back: int) -> None:
    """Of the last entry, or of one that the client was given before in this session."""
    wrong = audited.session.make_checkpoint(audited.session.room.head_seq - back, chain=OTHER_HASH)
    audited.session.send(wrong)
    fork(audited, wrong)


@clause("AUD-05", quote="and on a conflict keep the evidence and close with ERROR FORK")
def test_empty_room_with_a_past(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "audit")
    wrong = chat.session.make_checkpoint(chain=OTHER_HASH)
    chat.session.send(wrong)
    fork(chat, wrong)


@clause("AUD-05", quote="A CHECKPOINT may be ahead of the DELIVERs: it is kept, and compared when its entry has come")
def test_checkpoint_ahead_that_fits(audited: Chat) -> None:
    session = audited.session
    later = [session.make_deliver(session.make_message(f"later {number}")) for number in range(3)]
    session.checkpoint()
    session.barrier()
    for deliver in later:
        session.send(deliver)
    audited.expect_shown(f"later {number}" for number in range(3))
    say_and_checkpoint(audited, "as foretold")
    audited.say("and on")


@clause("AUD-05", quote="A CHECKPOINT may be ahead of the DELIVERs: it is kept, and compared when its entry has come")
def test_checkpoint_ahead_that_does_not_fit(audited: Chat) -> None:
    session = audited.session
    wrong = session.make_checkpoint(session.room.head_seq + 2, chain=OTHER_HASH)
    session.send(wrong)
    session.barrier()
    audited.say("not yet")
    session.deliver(session.make_message("now"))
    fork(audited, wrong)


Spoil = Callable[[Chat], Frame]


def other_signer(chat: Chat) -> Frame:
    return chat.session.make_checkpoint(seed=chat.session.case.seed("impostor"))


def other_time(chat: Chat) -> Frame:
    return chat.session.make_checkpoint().without("time").plus(field_value("time", 1))


def other_chain(chat: Chat) -> Frame:
    """A false accusation: the server never signed this."""
    return chat.session.make_checkpoint().without("chain").plus(field_value("chain", OTHER_HASH))


def ahead(chat: Chat) -> Frame:
    """Its entry never comes: the signature is judged at once."""
    seq = chat.session.room.head_seq + 5
    return chat.session.make_checkpoint(seq, seed=chat.session.case.seed("impostor"), chain=OTHER_HASH)


@pytest.mark.parametrize("spoil", [other_signer, other_time, other_chain, ahead])
@clause("AUD-05", quote="A CHECKPOINT whose signature does not verify is no evidence")
@clause("AUD-05", quote="it ends the connection with ERROR BAD_SIG")
def test_checkpoint_that_the_server_did_not_sign(audited: Chat, spoil: Spoil) -> None:
    audited.session.send(spoil(audited))
    audited.expect_refusal("BAD_SIG")


@clause("AUD-05", quote="it ends the connection with ERROR BAD_SIG")
def test_checkpoint_with_one_bit_flipped(audited: Chat) -> None:
    audited.session.send(flipped(audited.session.make_checkpoint(), "server_sig"))
    audited.expect_refusal("BAD_SIG")


# --- over a loss of the connection ---


@clause("AUD-05", quote="MUST check prev_hash and CHECKPOINT against the chain that it computes")
def test_chain_goes_on_after_a_loss(audited: Chat, start_client: StartClient) -> None:
    again = come_back(audited, start_client)
    again.session.checkpoint()
    say_and_checkpoint(again, "the same history")
    again.say("and on")


@clause("AUD-05", quote="and on a conflict keep the evidence and close with ERROR FORK")
def test_history_was_changed_meanwhile(audited: Chat, start_client: StartClient) -> None:
    """The entry that the client saw last is another one now: what follows it cannot fit."""
    again = come_back(audited, start_client)
    room = again.session.room
    join = again.session.received[-1]
    if join.name != "JOIN" or not join.has("after_seq") or join.number("after_seq") != room.head_seq:
        raise NotApplicable("the client does not go on after the last message that it has seen")
    wrong = again.session.make_deliver(again.session.make_message("rewritten"), prev_hash=OTHER_HASH)
    again.session.send(wrong)
    fork(again, wrong)


def come_back(chat: Chat, start_client: StartClient) -> Chat:
    """The session is lost, and the client is in its next one."""
    if not chat.session.has("resume"):
        raise NotApplicable("the client does not offer resume")
    chat.session.close()
    again = chat.come_back(start_client)
    again.resume(granted=WINDOW)
    return again


# --- AUD-06 ---


@pytest.fixture
def acked(scripted_server: ScriptedServer, start_client: StartClient) -> tuple[Chat, Frame]:
    """A client whose message is acknowledged, and covered by nothing."""
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "audit", "resume", granted=WINDOW)
    chat.client.type_line("is it safe?")
    message = chat.session.expect_publish(text="is it safe?")
    chat.session.ack()
    chat.expect_acked(1)
    return chat, message


@pytest.mark.parametrize("killed", [False, True], ids=["lost", "killed"])
@clause("AUD-06", quote="A client with `audit` MUST keep its copy of a message until a CHECKPOINT covers it")
@clause("RES-08", quote="last_counter decides, not an ACK that was seen before: it can be forged")
def test_acknowledged_copy_is_kept(acked: tuple[Chat, Frame], start_client: StartClient, killed: bool) -> None:
    """The server has lost what it had acknowledged, and signed nothing."""
    chat, message = acked
    if killed:
        chat.client.kill()
    chat.session.close()
    again = chat.restart(start_client) if killed else chat.come_back(start_client)
    again.resume(granted=WINDOW, last_counter=0)
    again.expect_again(message)


@clause("AUD-06", quote="A client with `audit` MUST keep its copy of a message until a CHECKPOINT covers it")
def test_copy_behind_the_checkpoint_is_kept(acked: tuple[Chat, Frame], start_client: StartClient) -> None:
    """A CHECKPOINT covers the first message; the second has an ACK alone."""
    chat, first = acked
    chat.session.deliver(first)
    chat.session.checkpoint()
    chat.client.expect_event("message", text="is it safe?")
    chat.client.type_line("and this one?")
    second = chat.session.expect_publish(text="and this one?")
    chat.session.ack()
    chat.expect_acked(2)
    chat.session.close()
    again = chat.come_back(start_client)
    again.resume(granted=WINDOW, last_counter=1)
    again.expect_again(second)


@clause("AUD-06", quote="A client with `audit` MUST keep its copy of a message until a CHECKPOINT covers it")
@clause("RES-08", quote="In a new epoch they belong to a room that is gone: the client reports those without an ACK")
def test_acknowledged_copy_is_no_loss_in_a_new_epoch(acked: tuple[Chat, Frame], start_client: StartClient) -> None:
    chat, _message = acked
    chat.session.close()
    again = chat.come_back(start_client)
    again.resume(granted=WINDOW, epoch=b"another epoch...")
    again.client.type_line("in the new room")
    again.session.deliver(again.session.expect_publish(text="in the new room"))
    again.client.expect_event("message", text="in the new room", counter="1")
    told = [event for event in again.client.errors() if event.get("code") == "WRONG_ROOM"]
    assert not told, "the client reports a message as not sent that was acknowledged"
