# SPDX-License-Identifier: MIT
"""rooms.json: room_id (section 5.3)."""

from __future__ import annotations

import hashlib

from prosa_conformance.registry import LABELS
from vectors.collection import Collection, seed
from vectors.samples import ADA_KEY, BOB_KEY, EPOCH, SERVER_KEY


def make() -> Collection:
    made = Collection("rooms", "room_id of named rooms and of @host: section 5.3.")
    other_epoch, other_server = seed("other epoch")[:16], seed("other server")
    for identity, comment, server, epoch, name in (
        ("named", "a named room", SERVER_KEY, EPOCH, "lab"),
        ("name-shortest", "a name of one character", SERVER_KEY, EPOCH, "a"),
        ("name-longest", "a name of 32 characters", SERVER_KEY, EPOCH, "r" * 32),
        ("name-alphabet", "digits, hyphen, underscore", SERVER_KEY, EPOCH, "lab_07-02"),
        ("other-name", "another name, another id", SERVER_KEY, EPOCH, "lab2"),
        ("other-epoch", "another life of the room", SERVER_KEY, other_epoch, "lab"),
        ("other-server", "the same room on another server", other_server, EPOCH, "lab"),
        ("epoch-zeros", "an epoch of zeros is hashed like any other", SERVER_KEY, bytes(16), "lab"),
        ("host-without-at", "a room called host is not @host, and has no client_key", SERVER_KEY, EPOCH, "host"),
    ):
        _add(made, identity, comment, server, epoch, name, b"")
    for identity, comment, epoch, client in (
        ("host-ada", "the private room of ada", EPOCH, ADA_KEY),
        ("host-bob", "the private room of bob, same epoch", EPOCH, BOB_KEY),
        ("host-other-epoch", "another life of it", other_epoch, ADA_KEY),
    ):
        _add(made, identity, comment, SERVER_KEY, epoch, "@host", client)
    return made


def _add(made: Collection, identity: str, comment: str, server: bytes, epoch: bytes, name: str, client: bytes) -> None:
    hashed = LABELS["room"] + server + epoch + len(name).to_bytes(1, "big") + name.encode() + client
    words = ["room-id", server.hex(), epoch.hex(), name, *([client.hex()] if client else [])]
    expected: dict[str, object] = {"room_id": hashlib.sha256(hashed).hexdigest()}
    made.add(f"room-{identity}", "MSG-22", comment, " ".join(words), expected, {"room_id_input": hashed})
