# SPDX-License-Identifier: MIT
"""The chain of a room as its members can compute it, and what it says of the server (section 5.4).

    judge_chain([alice, bob], room.id)

Like `judge`, it works on what peers were shown, and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prosa_conformance import crypto
from prosa_conformance.bugs import marked
from prosa_conformance.codec import Frame
from prosa_conformance.history import History
from prosa_conformance.language import _
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer, Room


class Chain:
    """h of each entry that somebody was shown, in one row; from h_0 on, or from the first prev_hash there is."""

    def __init__(self, peers: Sequence[Peer], room_id: bytes) -> None:
        history = History(peers, room_id)
        self.stays = history.stays
        self.hashes = {0: crypto.chain_start(room_id)}
        for seq, entry in sorted(history.entries.items()):
            before = self.hashes.get(seq - 1, entry.frame.octets("prev_hash"))
            if before is None:
                continue
            self.hashes[seq - 1] = before
            time, identity = entry.frame.number("server_time"), crypto.message_id(entry.frame)
            self.hashes[seq] = crypto.chain(before, seq, time, identity)

    def breaches(self) -> Iterator[Violation]:
        for peer, room in self.stays:
            for frame in room.frames:
                if frame.name == "DELIVER":
                    yield from self._entry(peer, frame)
                elif frame.name == "CHECKPOINT":
                    yield from self._checkpoint(peer, frame)

    def _entry(self, peer: Peer, deliver: Frame) -> Iterator[Violation]:
        """AUD-02"""
        seq, previous = deliver.number("room_seq"), deliver.octets("prev_hash")
        if previous is None:
            words = _("the entry {seq} came to {who} without prev_hash").format(seq=seq, who=peer.name)
            yield Violation(words, expected=f"prev_hash = h_{seq - 1}", actual=_("none"))
        elif previous != self.hashes[seq - 1]:
            words = _("the prev_hash of the entry {seq} is not the hash of the entry before").format(seq=seq)
            yield _wrong(deliver, words, f"h_{seq - 1}", self.hashes[seq - 1], "prev_hash")

    def _checkpoint(self, peer: Peer, checkpoint: Frame) -> Iterator[Violation]:
        """AUD-03; one that is beyond all that was shown is only held against its signature."""
        seq, chain = checkpoint.number("seq"), checkpoint.octets("chain")
        if not crypto.verify_checkpoint(peer.server_key, checkpoint):
            words = _("the signature of a CHECKPOINT does not verify at {who}").format(who=peer.name)
            guilty = marked(checkpoint, "server_sig").guilty
            yield Violation(words, expected=_("the server's signature"), actual=_("another"), guilty=guilty)
        elif chain != self.hashes.get(seq, chain):
            words = _("the CHECKPOINT of seq {seq} states another chain than the entries").format(seq=seq)
            yield _wrong(checkpoint, words, f"h_{seq}", self.hashes[seq], "chain")


def judge_chain(peers: Sequence[Peer], room_id: bytes) -> Chain:
    """Raise the first breach that there is; the chain, when there is none."""
    chain = Chain(peers, room_id)
    breach = next(chain.breaches(), None)
    if breach is not None:
        raise breach
    return chain


def checkpoints(room: Room) -> list[Frame]:
    return [frame for frame in room.frames if frame.name == "CHECKPOINT"]


def _wrong(frame: Frame, words: str, name: str, wanted: bytes, field: str) -> Violation:
    expected, actual = f"{name} = {wanted.hex()}", (frame.octets(field) or b"").hex()
    return Violation(words, expected=expected, actual=actual, guilty=marked(frame, field).guilty)
