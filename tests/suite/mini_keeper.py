# SPDX-License-Identifier: MIT
"""What the small client keeps of its rooms: messages that may have to be sent again, its place, the chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from mini_link import Fatal, Link, emit
from mini_spool import Spool
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

RECV_WINDOW = 16
HASHES = 256  # of entries that were taken, against which a late CHECKPOINT is held
HOST = "@host"


@dataclass(eq=False)
class Room:
    """A room as this client has it. JOINING, IN or LEAVING; what is typed for it waits in `lines`."""

    name: str
    state: str = "JOINING"
    lines: list[str] = field(default_factory=list)
    id: bytes = b""
    epoch: bytes = b""
    granted: int = 0
    counter: int = 0  # of the last message that was signed
    sent: int = 0  # ... that was sent on this connection, or was there before
    acked: int = 0
    limit_counter: int = 0
    next_seq: int = 1
    limit_seq: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)  # signed messages that may have to be sent again
    places: dict[int, int] = field(default_factory=dict)  # own counter -> room_seq, where a DELIVER showed it
    counters: dict[bytes, int] = field(default_factory=dict)  # of each author, the last one seen in this JOIN
    members: dict[str, str] = field(default_factory=dict)  # key -> nick
    chain: bytes | None = None  # h of the last entry, where it is known
    hashes: dict[int, bytes] = field(default_factory=dict)
    checkpoints: dict[int, Frame] = field(default_factory=dict)  # ahead of the DELIVERs
    asked: tuple[bytes | None, int] | None = None  # epoch and after_seq of the JOIN

    @property
    def is_sync(self) -> bool:
        return self.name == HOST and self.granted == 1

    @property
    def has_unsent(self) -> bool:
        return bool(self.lines) or self.acked < self.counter

    @property
    def is_done(self) -> bool:
        """Nothing is to be sent, acknowledged or, in question and answer, answered [END-13]."""
        quiet = self.state == "IN" and not self.has_unsent
        return quiet and (not self.is_sync or self.limit_counter > self.counter)


class Keeper(Link):
    def __init__(self, folder: Path, host: str, port: int, nick: str, level: int) -> None:
        super().__init__(folder, host, port, nick, level)
        self.rooms: list[Room] = []
        self.spool: Spool | None = None  # made when the first session with `resume` joins

    # --- resume ---

    def place(self, room: Room) -> tuple[bytes | None, int]:
        """Epoch and room_seq from which to go on; at the first time all there is [RES-04]."""
        self.spool = self.spool or Spool(self.folder, self.target)
        known = self.spool.place(room.name)
        return (known[0], known[1]) if known else (None, 0)

    def history_is_lost(self, room: Room, joined: Frame) -> bool:
        """RES-03"""
        if room.asked is None:
            return False
        epoch, after = room.asked
        other = epoch is not None and epoch != joined.octets("epoch")
        return other or joined.number("head_seq") < after or joined.number("oldest_seq") > after + 1

    def take_stock(self, room: Room, epoch: bytes, last_counter: int) -> None:
        """RES-08: which of the messages that are kept are to be sent again; last_counter decides."""
        old_epoch, room.epoch, room.sent = room.epoch, epoch, last_counter
        if self.spool is None or not self.has("resume"):
            room.counter = room.acked = last_counter
            return
        for counter in self.spool.bury(room.name, epoch):
            self.tell_unsent(room, counter)
        room.kept = self.spool.kept(room.name, epoch)
        due = [counter for counter in room.kept if counter > last_counter]
        if due and due != list(range(last_counter + 1, last_counter + 1 + len(due))):
            self.spool.forget(room.name, epoch, due[0], due[-1])
            for counter in due:
                del room.kept[counter]
                self.tell_unsent(room, counter)
            due = []
        room.counter = due[-1] if due else last_counter
        known = room.acked if epoch == old_epoch else 0
        if known < last_counter and any(known < counter <= last_counter for counter in room.kept):
            emit("acked", room=room.name, counter=str(last_counter))
        room.acked = last_counter
        self.settle(room)

    def tell_unsent(self, room: Room, counter: int) -> None:
        reason = "not sent: the room in which it was written is gone"
        emit("error", **{"from": "client"}, code="WRONG_ROOM", reason=reason, room=room.name, counter=str(counter))

    def send_again(self, room: Room) -> None:
        """Byte-identical, as far as the limit allows."""
        while room.state == "IN" and room.sent < min(room.counter, room.limit_counter):
            room.sent += 1
            self.put(room.kept[room.sent])

    def keep_message(self, room: Room, publish: Frame) -> None:
        """RES-07: on the disk before it is sent the first time."""
        if self.spool is not None and self.has("resume"):
            octets = room.kept[room.counter] = codec.encode(publish)
            self.spool.keep(room.name, room.epoch, room.counter, octets)

    def keep_place(self, room: Room) -> None:
        if self.spool is not None and room.epoch and self.has("resume"):
            self.spool.keep_place(room.name, room.epoch, room.next_seq - 1, room.chain)

    def settle(self, room: Room) -> None:
        """An acknowledged copy is no longer needed; with `audit`, only when a CHECKPOINT covers it [AUD-06]."""
        if self.spool is None or not room.kept:
            return
        self.spool.acknowledge(room.name, room.epoch, room.acked)
        if not self.has("audit"):
            self.forget(room, [counter for counter in room.kept if counter <= room.acked])

    def forget(self, room: Room, counters: list[int]) -> None:
        for counter in counters:
            del room.kept[counter]
            if self.spool is not None:
                self.spool.forget(room.name, room.epoch, counter, counter)

    # --- audit ---

    def find_chain(self, room: Room, epoch: bytes) -> None:
        """h of the entry before start_seq, where it is known."""
        known = self.spool.place(room.name) if self.spool is not None else None
        if room.next_seq == 1:
            room.chain = crypto.chain_start(room.id)
        elif known is not None and known[0] == epoch and known[1] == room.next_seq - 1:
            room.chain = known[2]
        else:
            room.chain = None

    def check_chain(self, room: Room, deliver: Frame) -> None:
        """AUD-05: prev_hash is the hash that we have; ours goes on with this entry."""
        if not self.has("audit"):
            return
        previous = deliver.octets("prev_hash")
        if previous is None or (room.chain is not None and previous != room.chain):
            self.fork(room, deliver)
        seq, at = deliver.number("room_seq"), deliver.number("server_time")
        room.chain = room.hashes[seq] = crypto.chain(previous, seq, at, crypto.message_id(deliver))
        room.hashes.pop(seq - HASHES, None)
        early = room.checkpoints.pop(seq, None)
        if early is not None:
            self.check_checkpoint(room, early)

    def judge_checkpoint(self, room: Room, checkpoint: Frame) -> None:
        if not self.has("audit") or room.state == "LEAVING":
            return
        if not crypto.verify_checkpoint(self.server_key, checkpoint):
            raise Fatal("BAD_SIG")
        self.check_checkpoint(room, checkpoint)

    def check_checkpoint(self, room: Room, checkpoint: Frame) -> None:
        seq, chain = checkpoint.number("seq"), checkpoint.need("chain")
        if seq >= room.next_seq:
            early = room.checkpoints.setdefault(seq, checkpoint)
            if early.need("chain") != chain:
                self.fork(room, early, checkpoint)
            return
        known = room.hashes.get(seq)
        if known is None and seq == room.next_seq - 1:
            known = room.chain = room.chain or chain
        if known is not None and known != chain:
            self.fork(room, checkpoint)
        self.forget(room, [own for own in room.kept if 0 < room.places.get(own, 0) <= seq and own <= room.acked])

    def fork(self, room: Room, *evidence: Frame) -> NoReturn:
        """Two histories: what shows it is kept."""
        ours = room.chain.hex() if room.chain else "-"
        with (self.folder / "evidence").open("a") as file:
            print(room.name, room.id.hex(), room.next_seq - 1, ours, file=file)
            print(*(codec.encode(frame).hex() for frame in evidence), sep="\n", file=file)
        raise Fatal("FORK")
