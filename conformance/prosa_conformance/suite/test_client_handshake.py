# SPDX-License-Identifier: MIT
"""Chapter 4 seen by a scripted server: how the client under test shakes hands, and whom it trusts."""

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from prosa_conformance import crypto
from prosa_conformance.bugs import flipped, marked
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause, gate
from prosa_conformance.client import Client
from prosa_conformance.codec import Frame, field_value
from prosa_conformance.endpoint import Endpoint
from prosa_conformance.fixtures import StartClient
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.places import files_in
from prosa_conformance.scripted_server import ScriptedServer

NOT_BELOW_P = (crypto.P + 2).to_bytes(32, "little")
EVERY_FEATURE = 0xFFFFFFFF
PRIVATE = 0o600


def names(session: Endpoint) -> list[str | None]:
    """The frames that the client has sent, by name."""
    return [frame.name for frame in session.received]


@gate
@clause("AUTH-15", quote="`handshake_sig` of AUTH MUST be the client's signature")
@clause("CON-08", quote="A client MUST take each line of its stdin as a message to send")
@clause("END-07", quote="`exit` typed at the client MUST send BYE NORMAL, and the client ends with exit code 0")
def test_a_question_and_its_answer(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    chat.exchange("how are you?", "fine")
    chat.leave()


# --- 4.1 HELLO ---


@clause("AUTH-01", quote="A client MUST send HELLO as its first frame, and once")
def test_hello_comes_first_and_once(chat: Chat) -> None:
    chat.leave()
    assert names(chat.session)[0] == "HELLO", f"the first frame is {names(chat.session)[0]}"
    assert names(chat.session).count("HELLO") == 1, f"HELLO came {names(chat.session).count('HELLO')} times"


@clause("AUTH-02", quote="from a cryptographically secure random generator, fresh for each connection")
def test_nonce_is_fresh(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    data, nonces = None, set()
    for _ in range(3):
        chat = Chat.begin(scripted_server, start_client(scripted_server, data=data))
        data = chat.client.data
        nonces.add(chat.session.hello.need("nonce"))
        chat.leave()
    assert len(nonces) == 3, "a nonce came again on another connection"
    assert bytes(32) not in nonces, "the nonce is all zeros"


@clause("AUTH-03", quote="`target` MUST be the name and port that the person asked for")
def test_target_is_the_address_that_was_typed(newcomer: Chat) -> None:
    _expect_target(newcomer, newcomer.server.target)


@pytest.mark.parametrize("typed", ["localhost", "LOCALHOST"])
@clause("AUTH-03", quote="also when the client reached it through an address, a relay or a tunnel")
@clause("ID-03", quote="A target MUST be written `name:port`: a DNS name in lower case")
def test_target_is_the_name_that_was_typed(
    scripted_server: ScriptedServer, start_client: StartClient, typed: str
) -> None:
    server = ScriptedServer(scripted_server.case, address=("127.0.0.1", scripted_server.port))
    server.host = typed
    chat = Chat.meet(server, start_client(server))
    server.stop_listening()
    _expect_target(chat, f"localhost:{server.port}")


@pytest.mark.parametrize("typed", ["::1", "0:0:0:0:0:0:0:1"])
@clause("ID-03", quote="or an IP address as it was typed, an IPv6 one in brackets")
def test_target_of_an_ipv6_address(scripted_server: ScriptedServer, start_client: StartClient, typed: str) -> None:
    if not Path("/proc/net/if_inet6").exists() or not Path("/proc/net/if_inet6").read_text():
        raise NotApplicable("this machine has no IPv6")
    server = ScriptedServer(scripted_server.case, address=("::1", scripted_server.port))
    server.host = typed
    chat = Chat.meet(server, start_client(server))
    server.stop_listening()
    _expect_target(chat, f"[{typed}]:{server.port}")


def _expect_target(chat: Chat, target: str) -> None:
    said = chat.session.hello.value("target")
    if said != target:
        raise Violation(
            "the target in HELLO is not what the person typed, in the form of the text",
            expected=target,
            actual=str(said),
            guilty=marked(chat.session.hello, "target").guilty,
        )


# --- 4.2 CHALLENGE ---


@clause("AUTH-11", quote="The active features of a session MUST be those that both sides offered")
def test_features_that_the_client_did_not_offer(newcomer: Chat) -> None:
    offered = newcomer.session.hello.number("features")
    newcomer.session.challenge(features=EVERY_FEATURE & ~offered)
    newcomer.session.expect_auth()
    newcomer.session.welcome()
    newcomer.join()
    question = newcomer.ask("with which features?")
    answer = newcomer.session.make_answer(question, "with none")
    newcomer.session.deliver(answer, prev_hash=bytes(32))
    newcomer.session.ack(limit=question.number("counter") + 1)
    newcomer.client.expect_event("message", own=False, text="with none")
    newcomer.exchange()
    newcomer.leave()


@pytest.mark.parametrize("key", [*crypto.LOW_ORDER_ENCODINGS, NOT_BELOW_P], ids=bytes.hex)
@clause("AUTH-13", quote="that `server_key` passes rules 1 to 3 of section 4.5")
def test_unacceptable_server_key(newcomer: Chat, key: bytes) -> None:
    newcomer.session.challenge(newcomer.session.make_challenge(server_key=key))
    newcomer.expect_refusal_of_challenge("BAD_KEY")


@clause("AUTH-13", quote="and is not its own key (else BAD_KEY)")
def test_server_shows_the_clients_own_key(newcomer: Chat) -> None:
    newcomer.session.challenge(newcomer.session.make_challenge(server_key=newcomer.session.client_key))
    newcomer.expect_refusal_of_challenge("BAD_KEY")


def other_limit(challenge: Frame) -> Frame:
    value = challenge.number("max_window") + 1
    return challenge.without("max_window").plus(field_value("max_window", value))


def other_features(challenge: Frame) -> Frame:
    return challenge.without("features").plus(field_value("features", EVERY_FEATURE))


def other_versions(challenge: Frame) -> Frame:
    return challenge.without("versions").plus(field_value("versions", (1, 7)))


def one_field_more(challenge: Frame) -> Frame:
    return challenge.plus((0x8A8B, b"not signed"))


@pytest.mark.parametrize("tamper", [other_limit, other_features, other_versions, one_field_more])
@clause("AUTH-13", quote="that the signature verifies (else BAD_SIG)")
def test_challenge_changed_on_its_way(newcomer: Chat, tamper: Callable[[Frame], Frame]) -> None:
    newcomer.session.challenge(tamper(newcomer.session.make_challenge()))
    newcomer.expect_refusal_of_challenge("BAD_SIG")


@clause("AUTH-13", quote="that the signature verifies (else BAD_SIG)")
def test_challenge_with_one_bit_of_its_signature_flipped(newcomer: Chat) -> None:
    newcomer.session.challenge(flipped(newcomer.session.make_challenge(), "handshake_sig"))
    newcomer.expect_refusal_of_challenge("BAD_SIG")


@clause("AUTH-13", quote="that the signature verifies (else BAD_SIG)")
def test_challenge_signed_by_another_key(newcomer: Chat) -> None:
    newcomer.session.challenge(newcomer.session.make_challenge(seed=newcomer.session.case.seed("impostor")))
    newcomer.expect_refusal_of_challenge("BAD_SIG")


@clause("AUTH-13", quote="that the signature verifies (else BAD_SIG)")
def test_challenge_replayed_from_another_connection(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    first = Chat.meet(scripted_server, start_client(scripted_server))
    recorded = first.session.make_challenge()
    first.session.challenge(recorded)
    first.session.expect_auth()
    first.session.close()
    first.client.expect_closed(5)
    second = Chat.meet(scripted_server, start_client(scripted_server, data=first.client.data))
    second.session.challenge(recorded)
    second.expect_refusal_of_challenge("BAD_SIG")


@pytest.mark.parametrize(("versions", "version"), [((1, 200), 200), ((200,), 1), ((200,), 200)])
@clause("AUTH-13", quote="that `version` is the highest common one (else DOWNGRADE)")
def test_version_that_is_not_the_highest_common_one(newcomer: Chat, versions: tuple[int, ...], version: int) -> None:
    newcomer.session.challenge(versions=versions, version=version)
    newcomer.expect_refusal_of_challenge("DOWNGRADE")


@clause("AUTH-22", quote="MUST NOT send a frame other than ERROR and BYE between HELLO and AUTH")
def test_lines_typed_before_the_challenge_wait(newcomer: Chat) -> None:
    newcomer.client.type_line("too early")
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    assert names(newcomer.session) == ["HELLO", "AUTH"], f"the client sent {names(newcomer.session)}"
    newcomer.session.welcome()
    newcomer.join()
    newcomer.session.take_question(text="too early")


# --- 4.4 identity ---


def fingerprint(key: bytes) -> re.Pattern[str]:
    """The first 16 octets of the key's SHA-256, in groups of four digits; anything may divide them."""
    digits = crypto.sha256(key)[:16].hex()
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    return re.compile(r"(?<![0-9a-f])" + r"[^0-9a-zA-Z]+".join(groups) + r"(?![0-9a-f])")


def expect_fingerprint(client: Client, key: bytes, whose: str) -> None:
    said = client.said()
    if not any(fingerprint(key).search(line) for line in said):
        raise Violation(
            f"the client did not print the fingerprint of {whose}",
            expected=f"{crypto.sha256(key)[:16].hex()} in groups of four digits",
            actual=" / ".join(said)[-400:],
        )


@clause("ID-02", quote="pin the server's key under the target at the first contact, and print its fingerprint")
def test_first_contact_prints_the_fingerprint(chat: Chat) -> None:
    chat.leave()
    expect_fingerprint(chat.client, chat.server.key, "the server")


@clause("ID-02", quote="pin the server's key under the target at the first contact")
@clause("ID-01", quote="made at the first start")
def test_second_life_with_the_same_folder(chat: Chat, start_client: StartClient) -> None:
    chat.leave()
    again = Chat.begin(chat.server, start_client(chat.server, data=chat.client.data))
    assert again.session.client_key == chat.session.client_key, "the client has another key than in its first life"
    again.exchange()
    again.leave()


@clause("ID-01", quote="keep its private key in a file that only its owner can read (mode 0600)")
def test_key_file_is_private(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    mask = os.umask(0)  # a careless program shows now
    try:
        first = Chat.begin(scripted_server, start_client(scripted_server))
    finally:
        os.umask(mask)
    first.leave()
    files = files_in(first.client.data)
    private = [path for path in files if stat.S_IMODE(path.stat().st_mode) == PRIVATE]
    data = first.client.case.settings.folder("private")
    for path in private:
        kept = data / path.relative_to(first.client.data)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept)
    again = Chat.begin(scripted_server, start_client(scripted_server, data=data))
    if again.session.client_key != first.session.client_key:
        raise Violation(
            "the client's key is not in a file that only its owner can read",
            expected="a file of mode 0600 in PROSA_DATA that holds the key",
            actual=", ".join(f"{path.name} {stat.filemode(path.stat().st_mode)}" for path in files) or "no file",
        )


def changed_key(chat: Chat, start_client: StartClient) -> Chat:
    """The server comes back under the same name with another key; the client has said HELLO to it."""
    chat.leave()
    chat.server.seed = chat.server.case.seed("another key")
    again = Chat.meet(chat.server, start_client(chat.server, data=chat.client.data))
    again.session.challenge()
    return again


@clause("AUTH-13", quote="that it is the pinned key if there is one (else PIN_MISMATCH)")
@clause("ID-05", quote="When the server's key is not the pinned one the client MUST stop")
def test_another_key_than_the_pinned_one(chat: Chat, start_client: StartClient) -> None:
    again = changed_key(chat, start_client)
    again.expect_refusal_of_challenge("PIN_MISMATCH")


@clause("ID-05", quote="the client MUST stop, print both fingerprints, and end without trying again")
def test_both_fingerprints_are_printed(chat: Chat, start_client: StartClient) -> None:
    pinned = chat.server.key
    again = changed_key(chat, start_client)
    again.expect_refusal_of_challenge("PIN_MISMATCH")
    expect_fingerprint(again.client, pinned, "the pinned key")
    expect_fingerprint(again.client, chat.server.key, "the new key")


@clause("ID-05", quote="and end without trying again")
def test_no_second_attempt_with_another_key(chat: Chat, start_client: StartClient) -> None:
    again = changed_key(chat, start_client)
    again.expect_refusal_of_challenge("PIN_MISMATCH")
    assert not chat.server.has_caller, "the client connected again to a server with another key"


@clause("ID-02", quote="Only a key that has passed AUTH-13 is pinned")
def test_key_that_was_refused_is_not_pinned(newcomer: Chat, start_client: StartClient) -> None:
    impostor = crypto.public_key(newcomer.session.case.seed("impostor"))
    newcomer.session.challenge(newcomer.session.make_challenge(server_key=impostor))
    newcomer.expect_refusal_of_challenge("BAD_SIG")
    again = Chat.begin(newcomer.server, start_client(newcomer.server, data=newcomer.client.data))
    again.exchange()
    again.leave()


@clause("ID-02", quote="pin the server's key under the target at the first contact")
def test_pin_holds_for_its_target_alone(chat: Chat, start_client: StartClient) -> None:
    chat.leave()
    elsewhere = ScriptedServer(chat.server.case, seed=chat.server.case.seed("another server"))
    again = Chat.begin(elsewhere, start_client(elsewhere, data=chat.client.data))
    elsewhere.stop_listening()
    again.exchange()
    again.leave()


@clause("ID-05", quote="When the server's key is not the pinned one the client MUST stop")
def test_pin_is_kept_after_a_mismatch(chat: Chat, start_client: StartClient) -> None:
    seed = chat.server.seed
    changed_key(chat, start_client).expect_refusal_of_challenge("PIN_MISMATCH")
    chat.server.seed = seed
    again = Chat.begin(chat.server, start_client(chat.server, data=chat.client.data))
    again.exchange()
    again.leave()
