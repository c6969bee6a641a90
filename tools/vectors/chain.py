# SPDX-License-Identifier: MIT
"""chain.json: the chain of a room, and checkpoints (section 5.4); requests that are none."""

from __future__ import annotations

import hashlib

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.registry import LABELS
from vectors.collection import Collection, seed
from vectors.samples import BOB_KEY, EPOCH, FORM, HOST_ROOM, ROOM, SERVER_KEY, SERVER_SEED, START_MS

CHECKPOINT = FORM["checkpoint"].minimal()


def make() -> Collection:
    made = Collection(
        "chain", "The chain of a room and its checkpoints, section 5.4; requests that are none, section 13.5."
    )
    _chain(made)
    _edges(made)
    _checkpoints(made)
    _unknown_requests(made)
    _wrong_requests(made)
    return made


def _chain(made: Collection) -> None:
    """The chain of a room with four entries, two of them in one millisecond."""
    for name, room in (("lab", ROOM), ("host", HOST_ROOM)):
        hashed = LABELS["chain_start"] + room
        previous = hashlib.sha256(hashed).digest()
        made.add(
            f"chain-start-{name}",
            "AUD-01",
            "h_0",
            f"chain-start {room.hex()}",
            {"hash": previous.hex()},
            {"hash_input": hashed},
        )
        for seq, time in enumerate((START_MS, START_MS + 5, START_MS + 5, START_MS + 60_000), start=1):
            previous = _link(made, f"{name}-{seq}", f"h_{seq}", previous, seq, time, seed(f"message {seq}"))


def _link(made: Collection, identity: str, comment: str, previous: bytes, seq: int, time: int, message: bytes) -> bytes:
    hashed = LABELS["chain"] + previous + seq.to_bytes(8, "big") + time.to_bytes(8, "big") + message
    digest = hashlib.sha256(hashed).digest()
    request = f"chain {previous.hex()} {seq} {time} {message.hex()}"
    made.add(f"chain-{identity}", "AUD-01", comment, request, {"hash": digest.hex()}, {"hash_input": hashed})
    return digest


def _edges(made: Collection) -> None:
    previous, message = seed("previous"), seed("message")
    for identity, comment, seq, time in (
        ("seq-2-32", "room_seq beyond 32 bits", 2**32, START_MS),
        ("seq-most", "the greatest room_seq", 2**64 - 1, START_MS),
        ("seq-2-53", "room_seq that a double rounds", 2**53 + 1, START_MS),
        ("time-0", "server_time 0", 1, 0),
        ("time-most", "the greatest server_time", 1, 2**64 - 1),
    ):
        _link(made, identity, comment, previous, seq, time, message)


def _checkpoints(made: Collection) -> None:
    def add(identity: str, comment: str, checkpoint: Frame, good: bool, key: bytes = SERVER_KEY) -> None:
        request = f"checkpoint {key.hex()} {codec.encode(checkpoint).hex()}"
        steps = {"signed": LABELS["checkpoint"] + codec.before(checkpoint, "server_sig")}
        expected: dict[str, object] = {"verdict": "valid" if good else "invalid"}
        made.add(f"checkpoint-{identity}", "AUD-03", comment, request, expected, steps)

    def changed(name: str, value: Value) -> Frame:
        return CHECKPOINT.without(name).plus(codec.field_value(name, value))

    add("good", "signed by the server", CHECKPOINT, True)
    empty = crypto.sign_checkpoint(
        SERVER_SEED, changed("seq", 0).without("chain").plus(codec.field_value("chain", crypto.chain_start(HOST_ROOM)))
    )
    add("empty-room", "an empty room: seq 0 and h_0", empty, True)
    grease = crypto.sign_checkpoint(SERVER_SEED, CHECKPOINT.plus((0x0A0B, b"grease")))
    add("grease", "an unknown odd field in front of the signature is signed", grease, True)
    late = CHECKPOINT.plus((0x4A4B, b"grease"))
    add("grease-late", "one behind the signature is not", late, True)
    for name, value in (("time", START_MS + 1), ("room_id", ROOM), ("seq", 33), ("chain", seed("other chain"))):
        add(f"tampered-{name.replace('_', '-')}", f"{name} is changed", changed(name, value), False)
    add("added-field", "an unknown odd field is put in", CHECKPOINT.plus((0x0A0B, b"")), False)
    add("other-server", "the key of somebody else", CHECKPOINT, False, BOB_KEY)
    fields = codec.before(CHECKPOINT, "server_sig")
    for name, signed in (("no-label", fields), ("message-label", LABELS["message"] + fields)):
        add(
            f"signed-{name}",
            "not the label of a CHECKPOINT",
            changed("server_sig", crypto.sign(SERVER_SEED, signed)),
            False,
        )


def _unknown_requests(made: Collection) -> None:
    for identity, request in (("word", "compress 00"), ("upper-case", "DECODE client 1024 -"), ("future", "prosa/2")):
        made.add(f"request-{identity}", "CON-13", "no such request", request, {"verdict": "unsupported"})


def _wrong_requests(made: Collection) -> None:
    ping, key = codec.encode(FORM["ping"].minimal()).hex(), SERVER_KEY.hex()
    room = f"room-id {key} {EPOCH.hex()}"
    for identity, comment, request in (
        ("word-too-many", "one word too many", f"key {key} {key}"),
        ("word-too-few", "one word too few", f"verify {key}"),
        ("no-words", "no word but the first", "sign"),
        ("words-too-many", "more words than any request has", f"chain-start {key} {key} {key} {key} {key}"),
        ("hexadecimal-upper-case", "octets are lower-case", f"key {key.upper()}"),
        ("hexadecimal-odd", "half an octet at the end", f"chain-start {key}0"),
        ("hexadecimal-letter", "no digit of hexadecimal", f"key {key[:-1]}g"),
        ("hexadecimal-prefix", "no prefix is due", f"key 0x{key}"),
        ("message-of-a-ping", "a PING is no message", f"message {ping}"),
        ("checkpoint-of-a-ping", "a PING is no CHECKPOINT", f"checkpoint {key} {ping}"),
        ("room-of-a-client", "a named room is nobody's own", f"{room} lobby {key}"),
        ("room-of-nobody", "each client has an @host of its own", f"{room} @host"),
        ("handshake-of-pings", "two PINGs are no handshake", f"handshake {ping} {ping}"),
    ):
        made.add(f"request-{identity}", "CON-13", comment, request, {"verdict": "unsupported"})
