# SPDX-License-Identifier: MIT
"""A cast and a good frame of every form, from fixed seeds: what the vectors vary."""

from __future__ import annotations

from dataclasses import dataclass

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.registry import FRAMES, LIMITS, TIMERS
from vectors.collection import seed

SERVER_SEED = seed("server key")
ADA_SEED = seed("client key ada")
BOB_SEED = seed("client key bob")
SERVER_KEY = crypto.public_key(SERVER_SEED)
ADA_KEY = crypto.public_key(ADA_SEED)
BOB_KEY = crypto.public_key(BOB_SEED)
EPOCH = seed("epoch")[:16]
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOST_ROOM = crypto.room_id(SERVER_KEY, EPOCH, "@host", ADA_KEY)
ROOM = crypto.room_id(SERVER_KEY, EPOCH, "lab")

_VALUES: dict[str, Value] = {
    "versions": (1,),
    "nonce": seed("nonce"),
    "client_key": ADA_KEY,
    "features": 0,
    "target": "chat.example:65432",
    "version": 1,
    "server_key": SERVER_KEY,
    "session": 7,
    "time": START_MS,
    **{name: limit.default for name, limit in (LIMITS | TIMERS).items()},
    "nick": "ada",
    "display": "Ada L.",
    "room": "@host",
    "room_id": HOST_ROOM,
    "epoch": EPOCH,
    "send_window": 1,
    "recv_window": 64,
    "after_seq": 0,
    "granted_window": 1,
    "last_counter": 0,
    "limit_counter": 1,
    "acked_counter": 1,
    "acked_seq": 1,
    "head_seq": 0,
    "oldest_seq": 1,
    "start_seq": 1,
    "seen_seq": 2,
    "limit_seq": 66,
    "event": "here",
    "member_key": ADA_KEY,
    "at_seq": 0,
    "count": 257,
    "author_key": ADA_KEY,
    "counter": 1,
    "sent_at": START_MS,
    "text": "What time is it?",
    "reply_to": seed("message id"),
    "seq": 32,
    "chain": seed("chain"),
    "opaque": b"",
    "code": "BAD_FRAME",
    "reason": "no such thing",
    "after_ms": 500,
    "ref_type": 20,
    "clause": "WIRE-16",
    "room_seq": 1,
    "server_time": START_MS + 5,
    "prev_hash": seed("previous hash"),
    "author_sig": bytes(64),
    "server_sig": bytes(64),
    "handshake_sig": bytes(64),
}
VALUES = {name: codec.field_value(name, value) for name, value in _VALUES.items()}


@dataclass(frozen=True)
class Form:
    """One shape of a frame: a type, who sends it, and the fields that it has at least and at most."""

    name: str
    frame: str
    sender: str
    least: tuple[str, ...]
    most: tuple[str, ...]
    event: str | None = None

    def build(self, names: tuple[str, ...]) -> Frame:
        fields = [VALUES[name] for name in names]
        return self.signed(Frame(FRAMES[self.frame].type).plus(*fields))

    def minimal(self) -> Frame:
        return self.build(self.least)

    def full(self) -> Frame:
        return self.build(self.most)

    def signed(self, frame: Frame) -> Frame:
        """The frame with the event of the form, and the signature that its fields ask for."""
        if self.event is not None:
            frame = frame.without("event").plus(codec.field_value("event", self.event))
        if self.frame in ("PUBLISH", "DELIVER"):
            return crypto.sign_message(ADA_SEED, frame)
        if self.frame == "CHECKPOINT":
            return crypto.sign_checkpoint(SERVER_SEED, frame)
        if self.frame == "CHALLENGE":
            return crypto.sign_challenge(SERVER_SEED, hello_octets(), frame)
        if self.frame == "AUTH":
            return crypto.sign_auth(ADA_SEED, hello_octets(), challenge_octets(), frame)
        return frame


def _plain_form(name: str) -> Form:
    row = FRAMES[name]
    sender = "client" if row.sender == "both" else row.sender
    least = tuple(field for field in row.fields if field not in row.optional)
    return Form(name.lower(), name, sender, least, row.fields)


def _member_form(event: str, fields: tuple[str, ...]) -> Form:
    return Form(f"member-{event}", "MEMBER", "server", fields, fields, event)


_PERSON = ("nick", "room_id", "event", "member_key", "at_seq")
_SERVER_ACK = ("room_id", "limit_counter", "acked_counter", "acked_seq")
_CLIENT_ACK = ("room_id", "seen_seq", "limit_seq")
FORMS = (
    *(_plain_form(name) for name in FRAMES if name not in ("ACK", "MEMBER")),
    Form("ack-server", "ACK", "server", _SERVER_ACK, _SERVER_ACK),
    Form("ack-client", "ACK", "client", _CLIENT_ACK, _CLIENT_ACK),
    *(_member_form(event, _PERSON) for event in ("here", "joined", "left")),
    _member_form("resync", ("room_id", "event", "at_seq")),
    _member_form("count", ("room_id", "event", "at_seq", "count")),
)
FORM = {form.name: form for form in FORMS}


def hello_octets() -> bytes:
    return codec.encode(FORM["hello"].minimal())


def challenge_octets() -> bytes:
    return codec.encode(FORM["challenge"].minimal())
