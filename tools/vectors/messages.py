# SPDX-License-Identifier: MIT
"""messages.json: author zone, id and signature of messages (section 5.1)."""

from __future__ import annotations

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.registry import FRAMES, LABELS
from vectors.collection import Collection, seed
from vectors.samples import ADA_SEED, BOB_KEY, BOB_SEED, FORM, ROOM, SERVER_KEY, SERVER_SEED, VALUES

PUBLISH = FORM["publish"].minimal()
FULL = FORM["publish"].full()


def make() -> Collection:
    made = Collection("messages", "Author zone, id and signature of messages: section 5.1.")
    _good(made)
    _delivered(made)
    _tampered(made)
    _wrongly_signed(made)
    return made


def _add(made: Collection, identity: str, clauses: str, comment: str, message: Frame, good: bool) -> None:
    zone = codec.author_zone(message)
    expected: dict[str, object] = {
        "verdict": "valid" if good else "invalid",
        "author_zone": zone.hex(),
        "id": crypto.sha256(LABELS["message_id"] + zone).hex(),
    }
    steps = {"id_input": LABELS["message_id"] + zone, "signed": LABELS["message"] + zone}
    request = f"message {codec.encode(message).hex()}"
    made.add(f"message-{identity}", clauses, comment, request, expected, steps)


def changed(frame: Frame, name: str, value: Value) -> Frame:
    return frame.without(name).plus(codec.field_value(name, value))


def _good(made: Collection) -> None:
    _add(made, "publish", "MSG-01 MSG-02", "a question", PUBLISH, True)
    _add(made, "publish-full", "MSG-01 MSG-02", "display and reply_to belong to the author zone", FULL, True)
    for tag in (0x0A0B, 0x3A3B, 0x3FFF):
        grease = crypto.sign_message(ADA_SEED, PUBLISH.plus((tag, b"grease")))
        _add(
            made,
            f"publish-{tag:04x}",
            "MSG-01 MSG-02 WIRE-22",
            "an unknown odd field is signed with the rest",
            grease,
            True,
        )
    for name, value, why in (
        ("text", "x" * 4096, "the longest text"),
        ("text", "olá 👋🏽", "text beyond ASCII"),
        ("counter", 2**64 - 1, "the greatest counter"),
        ("sent_at", 0, "sent_at 0"),
        ("room_id", ROOM, "another room"),
    ):
        message = crypto.sign_message(ADA_SEED, changed(PUBLISH, name, value))
        identity = f"publish-{why.lower().replace(' ', '-').replace('_', '-')}"
        _add(made, identity, "MSG-01 MSG-02", why, message, True)
    answer = PUBLISH.without("author_key", "nick").plus(
        codec.field_value("author_key", SERVER_KEY), codec.field_value("nick", "host"), VALUES["reply_to"]
    )
    signed = crypto.sign_message(SERVER_SEED, changed(answer, "text", "Late."))
    _add(made, "answer", "MSG-01 MSG-02", "an answer, signed by the server", signed, True)


def _delivered(made: Collection) -> None:
    deliver = Frame(FRAMES["DELIVER"].type, PUBLISH.fields).plus(VALUES["room_seq"], VALUES["server_time"])
    _add(made, "deliver", "MSG-01 MSG-02", "the same author zone in a DELIVER: the same id", deliver, True)
    audit = deliver.plus(VALUES["prev_hash"])
    _add(made, "deliver-audit", "MSG-02", "the server's fields are no part of it", audit, True)
    later = changed(deliver, "room_seq", 900)
    _add(made, "deliver-other-seq", "MSG-02", "another room_seq: the same id", later, True)
    odd = deliver.plus((0x4A4B, b"server"))
    _add(made, "deliver-server-grease", "MSG-02 WIRE-22", "an unknown odd field of the server is not signed", odd, True)
    even = Frame(deliver.type, crypto.sign_message(ADA_SEED, PUBLISH.plus((0x3000, b"?"))).fields)
    even = even.plus(VALUES["room_seq"], VALUES["server_time"])
    _add(made, "deliver-unknown-even", "MSG-02", "not displayable, but the signature is good", even, True)


def _tampered(made: Collection) -> None:
    for name, value in (
        ("nick", "eve"),
        ("room_id", ROOM),
        ("counter", 2),
        ("sent_at", 1),
        ("text", "What time is it!"),
        ("author_key", BOB_KEY),
        ("display", "Ada"),
        ("reply_to", seed("another message id")),
    ):
        tampered = changed(FULL, name, value)
        _add(made, f"tampered-{name.replace('_', '-')}", "MSG-01", f"{name} is changed", tampered, False)
    for name in ("display", "reply_to"):
        dropped = FULL.without(name)
        _add(made, f"dropped-{name.replace('_', '-')}", "MSG-01", f"{name} is left out", dropped, False)
    added = PUBLISH.plus((0x0A0B, b""))
    _add(made, "added-field", "MSG-01", "an unknown odd field is put in", added, False)
    for at in (0, 31, 32, 63):
        signature = bytearray(PUBLISH.octets("author_sig") or b"")
        signature[at] ^= 0x01 if at != 63 else 0x08
        flipped = changed(PUBLISH, "author_sig", bytes(signature))
        _add(made, f"tampered-signature-{at}", "MSG-01", f"a bit of octet {at} of the signature", flipped, False)


def _wrongly_signed(made: Collection) -> None:
    other = changed(PUBLISH, "author_sig", crypto.sign_message(BOB_SEED, PUBLISH).octets("author_sig") or b"")
    _add(made, "other-signer", "MSG-01", "signed by somebody else", other, False)
    zone, label = codec.author_zone(PUBLISH), LABELS["message"]
    for identity, comment, signed in (
        ("no-label", "no label", zone),
        ("no-zero", "a label without its zero octet", label[:-1] + zone),
        ("id-label", "the label of the id", LABELS["message_id"] + zone),
        ("the-id", "the id was signed", label + crypto.message_id(PUBLISH)),
        ("with-header", "the header was signed too", label + codec.encode(PUBLISH)[:8] + zone),
        ("text-only", "the text alone was signed", label + (PUBLISH.octets("text") or b"")),
    ):
        wrong = changed(PUBLISH, "author_sig", crypto.sign(ADA_SEED, signed))
        _add(made, f"signed-{identity}", "MSG-01", comment, wrong, False)
