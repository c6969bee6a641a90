# SPDX-License-Identifier: MIT
"""The codec of section 13.5, level L0 without a connection: a request a line, an answer a line."""
from __future__ import annotations

import re
import sys

import crypto

import wire
from link import check_level


def octets(word: str) -> bytes:
    if word != "-" and not re.fullmatch("([0-9a-f]{2})+", word):
        raise ValueError("not hexadecimal")
    return b"" if word == "-" else bytes.fromhex(word)


def parse(word: str, *names: str) -> wire.Frame:
    frame = wire.decode(octets(word), 65536, "client")
    if frame is None or frame.name not in names:
        raise ValueError("not a frame of this type")
    return frame


def verdict(good: bool) -> str:
    return "valid" if good else "invalid"


def decode(sender: str, cap: str, word: str) -> dict[str, object]:
    if sender not in ("client", "server"):
        raise ValueError("no such sender")
    frame = wire.decode(octets(word), int(cap), sender)
    if frame is None:
        return {"verdict": "partial"}
    answer = {"consumed": len(frame.octets), "frame": wire.project(frame)}
    if frame.name is None:
        return {"verdict": "ignored", **answer}
    encoded = wire.encode(frame.name, frame.fields)
    return {"verdict": "frame", **answer, "encoded": encoded, "displayable": frame.displayable}


def sign(seed: str, message: str) -> dict[str, object]:
    keys = crypto.KeyPair(octets(seed))
    return {"key": keys.key, "signature": keys.sign(octets(message))}


def message(word: str) -> dict[str, object]:
    frame = parse(word, "PUBLISH", "DELIVER")
    return {"verdict": verdict(crypto.message_is_signed(frame)), "author_zone": frame.before(wire.AUTHOR_SIG),
            "id": crypto.message_id(frame)}


def handshake(hello_word: str, challenge_word: str, auth_word: str | None = None) -> dict[str, object]:
    hello, challenge = parse(hello_word, "HELLO"), parse(challenge_word, "CHALLENGE")
    answer = {"th1": crypto.th1(hello.octets, challenge.octets), "th2": crypto.th2(hello.octets, challenge.octets),
              "server_auth": verdict(crypto.challenge_is_signed(hello.octets, challenge))}
    if auth_word:
        auth = parse(auth_word, "AUTH")
        signed = crypto.auth_is_signed(hello["client_key"], hello.octets, challenge.octets, auth)
        answer["client_auth"] = verdict(signed)
    return answer


def room_id(server: str, epoch: str, room: str, client: str | None = None) -> dict[str, object]:
    if (room == "@host") != (client is not None):
        raise ValueError("a client's key belongs to @host, and to no other room")
    return {"room_id": crypto.room_id(octets(server), octets(epoch), room, octets(client or "-"))}


REQUESTS = {
    "decode": decode, "sign": sign, "message": message, "handshake": handshake,
    "key": lambda key: {"verdict": verdict(crypto.key_is_good(octets(key)))},
    "verify": lambda key, sig, text: {"verdict": verdict(crypto.verify(octets(key), octets(sig), octets(text)))},
    "room-id": room_id,
    "chain-start": lambda room: {"hash": crypto.chain_start(octets(room))},
    "chain": lambda previous, seq, time, entry:
        {"hash": crypto.chain_next(octets(previous), int(seq), int(time), octets(entry))},
    "checkpoint": lambda key, word:
        {"verdict": verdict(crypto.checkpoint_is_signed(octets(key), parse(word, "CHECKPOINT")))},
}


def answer(line: str) -> dict[str, object]:
    word, *rest = line.split(" ")
    try:
        return REQUESTS[word](*rest)
    except wire.Fault as fault:
        return {"verdict": "error", "error": fault.name}
    except (KeyError, TypeError, ValueError, OverflowError):  # CON-13: no such word, too many, bad octets, ...
        return {"verdict": "unsupported"}


check_level()
for request in sys.stdin:
    print(wire.to_json(answer(request.rstrip("\r\n"))), flush=True)
