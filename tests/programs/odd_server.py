# SPDX-License-Identifier: MIT
"""The small server at any level with a habit, by its words:

`swallow=N`  the first N PUBLISHes of its life are neither taken nor answered: the connection ends
`after=MS`   its goodbyes ask for that time before a client comes back
`fork`       the second entry of a room is told with another history before it
`liar`       the second CHECKPOINT for an entry contradicts the first
`skip`       each of its own messages leaves a counter out

Every PUBLISH that comes stands in the file `publishes`, in hexadecimal, one a line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mini_rooms import Room
from mini_server import MiniServer, main
from mini_session import Session
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

WORDS = dict(word.partition("=")[::2] for word in sys.argv[1:])
OTHER = bytes(32)


class OddSession(Session):
    left = int(WORDS.get("swallow", 0))

    def take_publish(self, publish: Frame) -> None:
        with Path(os.environ["PROSA_DATA"], "publishes").open("a") as file:
            file.write(codec.encode(publish).hex() + "\n")
        if OddSession.left > 0:
            OddSession.left -= 1
            self.vanish()
        else:
            super().take_publish(publish)

    def make_bye(self, code: str) -> Frame:
        bye = super().make_bye(code)
        return bye.plus(codec.field_value("after_ms", int(WORDS["after"]))) if "after" in WORDS else bye


class OddRoom(Room):
    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.told: dict[int, int] = {}

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        if "fork" in WORDS and self.last == 2:
            return deliver.without("prev_hash").plus(codec.field_value("prev_hash", OTHER))
        return deliver

    def make_checkpoint(self, seq: int) -> Frame:
        checkpoint = super().make_checkpoint(seq)
        self.told[seq] = self.told.get(seq, 0) + 1
        if "liar" not in WORDS or self.told[seq] < 2:
            return checkpoint
        self.checkpoint = None
        lie = checkpoint.without("chain", "server_sig").plus(codec.field_value("chain", OTHER))
        return crypto.sign_checkpoint(self.seed, lie)

    def make_message(self, *words: Any) -> Frame:
        self.own_counter += "skip" in WORDS
        return super().make_message(*words)


class OddServer(MiniServer):
    session_class = OddSession
    room_class = OddRoom


if __name__ == "__main__":
    main(OddServer)
