# SPDX-License-Identifier: MIT
"""The codec program of level L0: a request a line in, a JSON object a line out.

python -m prosa_conformance.codec_program
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from typing import TextIO

from prosa_conformance import codec, crypto, kinds
from prosa_conformance.codec import Decoded, Frame, Ignored, Partial, Rejected
from prosa_conformance.registry import FRAMES, LIMITS

Reply = dict[str, object]
ANY_CAP = LIMITS["max_frame"].max
HEXADECIMAL = re.compile("(?:[0-9a-f]{2})+")


class Malformed(Exception):
    """A request that is not of the form that its first word promises."""


def octets(word: str) -> bytes:
    """The octets of a word: lower-case hexadecimal, or "-" for none."""
    if word == "-":
        return b""
    if not HEXADECIMAL.fullmatch(word):
        raise Malformed(word)
    return bytes.fromhex(word)


def sized(word: str, size: int) -> bytes:
    """The octets of a word that has exactly `size` of them."""
    data = octets(word)
    if len(data) != size:
        raise Malformed(word)
    return data


def u64(word: str) -> int:
    """A decimal number of at most 64 bits."""
    if not (word.isascii() and word.isdecimal()) or int(word) >= 2**64:
        raise Malformed(word)
    return int(word)


def _verdict(good: bool) -> str:
    return "valid" if good else "invalid"


def _whole_frame(word: str, *names: str) -> tuple[Frame, bytes]:
    """The one good frame of a word, whose type is one of the names."""
    data = octets(word)
    for name in names:
        row = FRAMES[name]
        sender = "client" if row.sender == "both" else row.sender
        verdict = codec.decode(data, sender, ANY_CAP)
        if isinstance(verdict, Decoded) and verdict.frame.name == name and verdict.consumed == len(data):
            return verdict.frame, data
    raise Malformed(word)


def answer_decode(sender: str, cap: str, word: str) -> Reply:
    if sender not in ("client", "server") or u64(cap) > ANY_CAP:
        raise Malformed(f"{sender} {cap}")
    match codec.decode(octets(word), sender, u64(cap)):
        case Partial():
            return {"verdict": "partial"}
        case Rejected(code=code):
            return {"verdict": "error", "error": code}
        case Ignored(consumed=consumed) as ignored:
            return {
                "verdict": "ignored",
                "consumed": consumed,
                "frame": codec.project_ignored(ignored),
            }
        case Decoded() as decoded:
            return _answer_decoded(decoded)


def _answer_decoded(decoded: Decoded) -> Reply:
    reply: Reply = {
        "verdict": "frame",
        "consumed": decoded.consumed,
        "frame": codec.project(decoded.frame),
        "encoded": codec.encode(decoded.frame).hex(),
    }
    if decoded.frame.name == "DELIVER":
        reply["displayable"] = decoded.displayable
    return reply


def answer_key(key: str) -> Reply:
    return {"verdict": _verdict(crypto.key_is_acceptable(octets(key)))}


def answer_verify(key: str, signature: str, message: str) -> Reply:
    return {"verdict": _verdict(crypto.verify(octets(key), octets(signature), octets(message)))}


def answer_sign(seed: str, message: str) -> Reply:
    secret = sized(seed, 32)
    return {
        "key": crypto.public_key(secret).hex(),
        "signature": crypto.sign(secret, octets(message)).hex(),
    }


def answer_message(word: str) -> Reply:
    message, _ = _whole_frame(word, "PUBLISH", "DELIVER")
    return {
        "verdict": _verdict(crypto.verify_message(message)),
        "author_zone": codec.author_zone(message).hex(),
        "id": crypto.message_id(message).hex(),
    }


def answer_room_id(server_key: str, epoch: str, room: str, client_key: str | None = None) -> Reply:
    client = None if client_key is None else sized(client_key, 32)
    if not kinds.PATTERN["room"].fullmatch(room.encode()) or (room == "@host") != (client is not None):
        raise Malformed(room)
    return {"room_id": crypto.room_id(sized(server_key, 32), sized(epoch, 16), room, client).hex()}


def answer_handshake(hello: str, challenge: str, auth: str | None = None) -> Reply:
    hello_frame, hello_octets = _whole_frame(hello, "HELLO")
    challenge_frame, challenge_octets = _whole_frame(challenge, "CHALLENGE")
    server_key = challenge_frame.octets("server_key") or b""
    client_key = hello_frame.octets("client_key") or b""
    server_good = crypto.verify_challenge(server_key, hello_octets, challenge_frame)
    reply: Reply = {
        "th1": crypto.th1(hello_octets, challenge_frame).hex(),
        "th2": crypto.th2(hello_octets, challenge_octets).hex(),
        "server_auth": _verdict(server_good),
    }
    if auth is not None:
        auth_frame, _ = _whole_frame(auth, "AUTH")
        client_good = crypto.verify_auth(client_key, hello_octets, challenge_octets, auth_frame)
        reply["client_auth"] = _verdict(client_good)
    return reply


def answer_chain_start(room: str) -> Reply:
    return {"hash": crypto.chain_start(sized(room, 32)).hex()}


def answer_chain(previous: str, room_seq: str, server_time: str, identity: str) -> Reply:
    before, entry = sized(previous, 32), sized(identity, 32)
    return {"hash": crypto.chain(before, u64(room_seq), u64(server_time), entry).hex()}


def answer_checkpoint(server_key: str, word: str) -> Reply:
    checkpoint, _ = _whole_frame(word, "CHECKPOINT")
    return {"verdict": _verdict(crypto.verify_checkpoint(octets(server_key), checkpoint))}


REQUESTS: dict[str, Callable[..., Reply]] = {
    "decode": answer_decode,
    "key": answer_key,
    "verify": answer_verify,
    "sign": answer_sign,
    "message": answer_message,
    "room-id": answer_room_id,
    "handshake": answer_handshake,
    "chain-start": answer_chain_start,
    "chain": answer_chain,
    "checkpoint": answer_checkpoint,
}


def answer(line: str) -> Reply:
    """The reply to one request; one that is not understood is unsupported."""
    words = line.rstrip("\r\n").split(" ")
    request = REQUESTS.get(words[0])
    if request is None:
        return {"verdict": "unsupported"}
    try:
        return request(*_arguments(request, words[1:]))
    except Malformed:
        return {"verdict": "unsupported"}


def _arguments(request: Callable[..., Reply], words: list[str]) -> list[str]:
    parameters = inspect.signature(request).parameters.values()
    needed = sum(parameter.default is parameter.empty for parameter in parameters)
    if not needed <= len(words) <= len(parameters):
        raise Malformed(" ".join(words))
    return words


def to_line(reply: Reply) -> str:
    """One line of JSON in which everything beyond printable ASCII is escaped (WIRE-34)."""
    return json.dumps(reply, separators=(",", ":")).replace("\x7f", "\\u007f")


def serve(requests: TextIO, replies: TextIO) -> None:
    for line in requests:
        replies.write(to_line(answer(line)) + "\n")
        replies.flush()


def main() -> int:
    if not crypto.library_is_cofactorless():
        print("the Ed25519 library accepts key-mixed-order: refusing to run (KEY-07)", file=sys.stderr)
        return 1
    with open(0, encoding="utf-8", errors="replace", closefd=False) as requests:
        serve(requests, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
