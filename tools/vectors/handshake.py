# SPDX-License-Identifier: MIT
"""handshake.json: th1, th2 and the two signatures, good and tampered (sections 4.2 and 4.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.registry import LABELS
from vectors.collection import Collection, seed
from vectors.samples import ADA_SEED, BOB_KEY, BOB_SEED, FORM, SERVER_SEED


@dataclass(frozen=True)
class Handshake:
    hello: Frame
    challenge: Frame
    auth: Frame

    def request(self) -> str:
        return " ".join(
            ["handshake", *(codec.encode(frame).hex() for frame in (self.hello, self.challenge, self.auth))]
        )

    def hashes(self) -> dict[str, bytes]:
        hello, challenge = codec.encode(self.hello), codec.encode(self.challenge)
        fields = codec.before(self.challenge, "handshake_sig")
        return {
            "th1_input": hello + challenge[: codec.HEADER.size] + fields,
            "th1": crypto.th1(hello, self.challenge),
            "server_signed": crypto.server_auth_octets(hello, self.challenge),
            "th2_input": hello + challenge,
            "th2": crypto.th2(hello, challenge),
            "client_signed": crypto.client_auth_octets(hello, challenge, self.auth),
        }


def sign(
    hello: Frame, challenge: Frame, auth: Frame, server: bytes = SERVER_SEED, client: bytes = ADA_SEED
) -> Handshake:
    """The handshake with both signatures made anew."""
    hello_octets = codec.encode(hello)
    signed = crypto.sign_challenge(server, hello_octets, challenge)
    return Handshake(hello, signed, crypto.sign_auth(client, hello_octets, codec.encode(signed), auth))


HELLO = FORM["hello"].minimal()
CHALLENGE = FORM["challenge"].minimal()
AUTH = FORM["auth"].minimal()
GOOD = sign(HELLO, CHALLENGE, AUTH)


def changed(frame: Frame, name: str, value: Value) -> Frame:
    return frame.without(name).plus(codec.field_value(name, value))


def make() -> Collection:
    made = Collection("handshake", "th1, th2 and both signatures of the handshake: sections 4.2 and 4.3.")
    _good(made)
    _hello_tampered(made)
    _challenge_tampered(made)
    _auth_tampered(made)
    _wrong_signers(made)
    _wrong_octets(made)
    return made


def _add(made: Collection, identity: str, comment: str, handshake: Handshake, server: bool, client: bool) -> None:
    words = {True: "valid", False: "invalid"}
    steps = handshake.hashes()
    expected: dict[str, object] = {
        "th1": steps["th1"].hex(),
        "th2": steps["th2"].hex(),
        "server_auth": words[server],
        "client_auth": words[client],
    }
    made.add(f"handshake-{identity}", "AUTH-12 AUTH-15", comment, handshake.request(), expected, steps)


def _good(made: Collection) -> None:
    _add(made, "good", "the handshake of ada", GOOD, True, True)
    without_auth = GOOD.request().rsplit(" ", 1)[0]
    expected: dict[str, object] = {"server_auth": "valid", "th2": GOOD.hashes()["th2"].hex()}
    made.add("handshake-without-auth", "AUTH-12", "what a client computes before it sends AUTH", without_auth, expected)
    display = sign(HELLO, CHALLENGE, AUTH.plus(codec.field_value("display", "Ada Lovelace")))
    _add(made, "display", "display is signed too", display, True, True)
    grease = sign(HELLO.plus((0x0A0B, b"h")), CHALLENGE.plus((0x1A1B, b"c"), (0x8A8B, b"")), AUTH.plus((0xFAFB, b"a")))
    _add(made, "grease", "unknown odd fields are part of what is signed", grease, True, True)
    features = sign(changed(HELLO, "features", 7), changed(CHALLENGE, "features", 0xFFFFFFFF), AUTH)
    _add(made, "features", "features, and bits that nobody knows", features, True, True)
    versions = sign(changed(HELLO, "versions", (1, 2, 9)), changed(CHALLENGE, "versions", (1, 3)), AUTH)
    _add(made, "versions", "several versions offered", versions, True, True)


def _hello_tampered(made: Collection) -> None:
    """Somebody on the path changes HELLO: both signatures fail, for both cover it."""
    for name, value in (
        ("versions", (1, 2)),
        ("nonce", seed("another nonce")),
        ("features", 1),
        ("target", "chat.example:65433"),
    ):
        tampered = replace(GOOD, hello=changed(HELLO, name, value))
        _add(made, f"hello-{name}", f"{name} of HELLO changed on the way", tampered, False, False)
    tampered = replace(GOOD, hello=HELLO.plus((0x0A0B, b"")))
    _add(made, "hello-extra-field", "an unknown odd field put into HELLO on the way", tampered, False, False)
    stranger = replace(GOOD, hello=changed(HELLO, "client_key", BOB_KEY))
    _add(made, "hello-client-key", "client_key of HELLO changed on the way", stranger, False, False)


def _challenge_tampered(made: Collection) -> None:
    for name, value in (
        ("nonce", seed("another nonce")),
        ("features", 2),
        ("versions", (1, 2)),
        ("version", 2),
        ("max_frame", 8192),
        ("max_window", 1),
        ("handshake_ms", 50),
        ("linger_ms", 600000),
    ):
        tampered = replace(GOOD, challenge=changed(GOOD.challenge, name, value))
        _add(
            made,
            f"challenge-{name.replace('_', '-')}",
            f"{name} of CHALLENGE changed on the way",
            tampered,
            False,
            False,
        )
    tampered = replace(GOOD, challenge=changed(GOOD.challenge, "server_key", BOB_KEY))
    _add(made, "challenge-server-key", "server_key changed on the way", tampered, False, False)
    tampered = replace(GOOD, challenge=GOOD.challenge.plus((0x8A8B, b"")))
    _add(made, "challenge-extra-field", "an unknown odd field put in on the way", tampered, False, False)
    flipped = _flip(GOOD.challenge)
    _add(
        made,
        "challenge-signature",
        "one bit of CHALLENGE's signature flipped",
        replace(GOOD, challenge=flipped),
        False,
        False,
    )


def _auth_tampered(made: Collection) -> None:
    tampered = replace(GOOD, auth=changed(GOOD.auth, "nick", "eve"))
    _add(made, "auth-nick", "nick changed on the way", tampered, True, False)
    tampered = replace(GOOD, auth=GOOD.auth.plus(codec.field_value("display", "Eve")))
    _add(made, "auth-display", "display put in on the way", tampered, True, False)
    tampered = replace(GOOD, auth=GOOD.auth.plus((0x8A8B, b"")))
    _add(made, "auth-extra-field", "an unknown odd field put in on the way", tampered, True, False)
    _add(
        made, "auth-signature", "one bit of AUTH's signature flipped", replace(GOOD, auth=_flip(GOOD.auth)), True, False
    )


def _flip(frame: Frame) -> Frame:
    signature = bytearray(frame.octets("handshake_sig") or b"")
    signature[5] ^= 0x10
    return crypto.complete(frame, bytes(signature))


def _wrong_signers(made: Collection) -> None:
    other_server = sign(HELLO, CHALLENGE, AUTH, server=BOB_SEED)
    _add(made, "other-server", "CHALLENGE signed by another key than it names", other_server, False, True)
    other_client = sign(HELLO, CHALLENGE, AUTH, client=BOB_SEED)
    _add(made, "other-client", "AUTH signed by another key than HELLO names", other_client, True, False)
    fresh = sign(HELLO, changed(CHALLENGE, "nonce", seed("fresh nonce")), AUTH)
    replayed = replace(fresh, auth=GOOD.auth)
    _add(
        made, "replayed-auth", "the AUTH of another connection: only the server's nonce differs", replayed, True, False
    )
    mallory = crypto.public_key(seed("mallory"))
    at_mallory = sign(HELLO, changed(CHALLENGE, "server_key", mallory), AUTH, server=seed("mallory"))
    relayed = replace(GOOD, auth=at_mallory.auth)
    _add(made, "relayed-auth", "an AUTH that the client made for another server", relayed, True, False)


def _wrong_octets(made: Collection) -> None:
    """Signatures over what a hasty reading of the text would sign."""
    hello, fields = codec.encode(HELLO), codec.before(CHALLENGE, "handshake_sig")
    header = codec.encode(GOOD.challenge)[: codec.HEADER.size]
    short = codec.raw_frame(CHALLENGE.type, fields)[: codec.HEADER.size]
    label = LABELS["server_auth"]
    for identity, comment, signed in (
        (
            "short-length",
            "th1 with a length that does not count the signature",
            label + crypto.sha256(hello, short, fields),
        ),
        ("no-header", "th1 without CHALLENGE's header", label + crypto.sha256(hello, fields)),
        ("no-hello-header", "th1 without HELLO's header", label + crypto.sha256(hello[8:], header, fields)),
        ("no-label", "no label", crypto.sha256(hello, header, fields)),
        ("no-zero", "a label without its zero octet", label[:-1] + crypto.sha256(hello, header, fields)),
        ("client-label", "the other label", LABELS["client_auth"] + crypto.sha256(hello, header, fields)),
        ("unhashed", "th1 not hashed", label + hello + header + fields),
    ):
        challenge = crypto.complete(CHALLENGE, crypto.sign(SERVER_SEED, signed))
        auth = crypto.sign_auth(ADA_SEED, hello, codec.encode(challenge), AUTH)
        _add(made, f"server-{identity}", comment, Handshake(HELLO, challenge, auth), False, True)
    nick, label = codec.before(AUTH, "handshake_sig"), LABELS["client_auth"]
    hashes = GOOD.hashes()
    for identity, comment, signed in (
        ("th1", "th1 in the place of th2", label + hashes["th1"] + nick),
        ("no-fields", "AUTH's fields left out", label + hashes["th2"]),
        ("no-label", "no label", hashes["th2"] + nick),
        ("server-label", "the other label", LABELS["server_auth"] + hashes["th2"] + nick),
    ):
        auth = crypto.complete(AUTH, crypto.sign(ADA_SEED, signed))
        _add(made, f"client-{identity}", comment, replace(GOOD, auth=auth), True, False)
