# SPDX-License-Identifier: MIT
"""A subscriber to a bridge's feed, which trusts nobody: each DELIVER is verified, and printed as a JSON line.

    python3 -m demo.props.listen HOST:PORT
"""

from __future__ import annotations

import json
import sys

import zmq

from prosa_conformance import codec, crypto


def heard(room_id: bytes, octets: bytes) -> dict[str, object]:
    """One message of the feed in words; `verified` is that it is whole, for this room, and its author's."""
    verdict = codec.decode(octets, "server", len(octets))
    if not isinstance(verdict, codec.Decoded) or verdict.frame.name != "DELIVER":
        return {"verified": False, "octets": octets.hex()}
    frame = verdict.frame
    is_good = verdict.consumed == len(octets) and room_id == frame.octets("room_id") and crypto.verify_message(frame)
    return {
        "verified": is_good, "room_seq": frame.number("room_seq"), "id": crypto.message_id(frame).hex(),
        "nick": frame.value("nick"), "text": frame.value("text"),
    }  # fmt: skip


def main(address: str) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.subscribe(b"")
        subscriber.connect(f"tcp://{address}")
        while True:
            parts = subscriber.recv_multipart()
            print(json.dumps(heard(parts[0], parts[-1])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
