# SPDX-License-Identifier: MIT
"""The power fails while the reference server writes its log: after any loss of what no fsync had confirmed, the log
is one that was committed, with all that anybody was told of it; and a disk that lies is found out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EIO
from pathlib import Path

import pytest

from asked import next_event
from conftest import Again, Home, Opened, Probe, Tell, sized
from disk import FILES, KILLED, LOG, PAGE, Control, Did, Disk, Image, moments, put, recorded, shimmed
from told import Told

KEPT = 8  # entries of a room; as many again make the server prune
LINES = sized(3, 50)
LIVES = sized(2, 3)


@dataclass(frozen=True)
class Life:
    """What a server did to its disk, what it told, and what its log was after each commit."""

    deeds: list[Did]
    told: Told
    states: dict[frozenset[tuple[bytes, int]], int]  # heads of the rooms: after how many deeds they came
    private: set[bytes]  # rooms that are kept from their first message on [MSG-27]

    def judge(self, opened: Opened, promised: int) -> None:
        """The log is one that was committed, and no older than what was told within so many deeds."""
        assert opened.good, opened.sentence
        assert opened.heads in self.states, "half of a transaction"
        for room_id, head in self.told.promised(promised).items():
            if head == 0 and room_id in self.private:
                continue
            assert room_id in opened.rooms, "a room that was told of is gone"
            assert opened.rooms[room_id].head >= head, "an entry that was told of is gone"
        for room in opened.rooms.values():
            chain = self.told.rooms[room.room_id].chain
            assert chain[room.head] == room.chain
            assert chain[room.oldest - 1] == room.pruned


def _live(home: Home, record: Path, lines: int) -> None:
    """One life of a server: two people in three rooms, who say more than is kept; killed or told to end."""
    words = ("--keep-messages", f"{KEPT}")
    server, port = home.serve(*words, env=shimmed(home.data("server"), record=record))
    ada, bob = home.talk("ada", port), home.talk("bob", port)
    for console in (ada, bob):
        console.line("/join lab")
        next_event(console, "joined", room="lab")
    ada.line("/join @host")
    next_event(ada, "joined", room="@host")
    for number in range(lines):
        ada.type(f"/join dev\n{number} of ada {'.' * (number % 3 * 1500)}\n/join @host\n{number}?\n")
        bob.type(f"/join lab\n{number} of bob\n/join dev\n{number} of bob\n")
        next_event(ada, "message", room="@host", text=f"{number}?", own=False)
        next_event(bob, "message", room="dev", text=f"{number} of bob")
    if lines % 2 == 0:
        server.line("exit")
        assert server.ended() == 0
    server.dispose()
    for console in (ada, bob):
        console.dispose()


def _told_of(deeds: list[Did], probe: Probe, anew: Again) -> Life:
    """The states that were committed are those that a server finds after each confirmed write of the WAL, or when it
    has made the log."""
    told = Told(deeds)
    states: dict[frozenset[tuple[bytes, int]], int] = {}
    private = set()
    for number, disk in moments(deeds):
        deed = deeds[number - 1]
        if number == 0 or (deed.kind == "S" and not deed.failed and deed.name != "lock"):
            opened = probe.open(put(disk.killed(), anew()))
            assert opened.good, opened.sentence
            states.setdefault(opened.heads, number)
            for room in opened.rooms.values():
                told.chain(room.room_id, room.head, room.chain)
            private |= {room.room_id for room in opened.rooms.values() if room.name == "@host"}
    return Life(deeds, told, states, private)


@pytest.fixture
def life(home: Home, probe: Probe, anew: Again) -> Life:
    record = home.folder / "record"
    for number in range(LIVES):
        _live(home, record, LINES + number)
    life = _told_of(recorded(record), probe, anew)
    assert life.told.acked > LINES
    assert len(life.states) > LINES
    return life


def _images(disk: Disk, dice: random.Random, each: int) -> list[tuple[str, Image]]:
    """What can be there after this deed. Of what is on its way most has arrived, or little, or half."""
    images = [("killed", disk.killed()), ("lost", disk.crashed())]
    images += [("reordered", disk.crashed(dice, dice.choice((0.1, 0.5, 0.9)))) for _ in range(each)]
    return images


def test_the_power_fails_at_any_moment(life: Life, probe: Probe, anew: Again, tell: Tell) -> None:
    """FLOW-26, RES-09: at every boundary of a write and within it; what was on its way has arrived in any order."""
    dice = random.Random(11)
    tried: Counter[str] = Counter()
    heads = set()
    known: set[int] = set()
    before = Disk()
    for number, disk in moments(life.deeds):
        deed = life.deeds[number - 1]
        if number == 0 or not deed.is_disk:
            continue
        each = sized(number % 2, 2)
        images = _images(disk, dice, each)
        if deed.kind == "W" and deed.name in before.files:
            images += [("torn", before.torn(deed, dice)) for _ in range(each)]
        before.do(deed)
        for how, image in images:
            same = hash(tuple(sorted(image.items())))
            tried[how] += 1
            if same in known:
                continue
            known.add(same)
            folder = put(image, anew())
            opened = probe.open(folder)
            life.judge(opened, number)
            heads.add(opened.heads)
            if number % 10 == 0:
                again = probe.open(folder)
                assert again.good, again.sentence
                assert {(key, head - 1) for key, head in again.heads} == opened.heads, "it goes on from there"
    tell(f"torn: {dict(tried)}, {len(known)} of them different, {len(heads)} of {len(life.states)} states found")
    assert min(tried[how] for how in ("killed", "lost", "reordered", "torn")) > 100
    assert len(heads) >= len(life.states) - 1


# --- what an fsync has not confirmed ---


def _after(home: Home, record: Path) -> tuple[Life, Disk]:
    deeds = recorded(record)
    *_, (_, disk) = moments(deeds)
    return Life(deeds, Told(deeds), {}, set()), disk


def _must_have_all_that_was_told(life: Life, opened: Opened) -> None:
    assert opened.good, opened.sentence
    for room_id, head in life.told.promised(len(life.deeds)).items():
        assert room_id in opened.rooms, "a room that was told of is gone"
        assert opened.rooms[room_id].head >= head, "an entry that was told of is gone"


@pytest.mark.parametrize("way", ["killed before the fsync", "killed after an fsync that failed"])
def test_what_the_next_life_finds_is_on_the_disk_before_anybody_hears_of_it(
    home: Home, probe: Probe, anew: Again, way: str
) -> None:
    """FLOW-26: a transaction that no fsync has confirmed may be found by the next life, in the system's memory. It
    tells of it; then the power fails."""
    record = home.folder / "record"
    control = Control(home.folder / "control")
    env = shimmed(home.data("server"), control, record)
    server, port = home.serve(env=env)
    ada = home.talk("ada", port)
    home.talk("bob", port, "--history", "all").dispose()  # who has nothing new to be written down later
    ada.line("confirmed")
    next_event(ada, "message", text="confirmed")
    if way == "killed before the fsync":
        control.fail("sync", FILES["wal"], KILLED)
    else:
        control.fail("sync", FILES["wal"], EIO)
    ada.line("not confirmed")
    next_event(ada, "disconnected")
    ada.dispose()
    server.dispose()
    assert control.failed("sync") == 1
    control.heal()
    server, port = home.serve(env=env)
    bob = home.talk("bob", port, "--history", "all")
    next_event(bob, "message", text="not confirmed")
    server.dispose()
    life, disk = _after(home, record)
    _must_have_all_that_was_told(life, probe.open(put(disk.crashed(), anew())))


def test_an_fsync_that_fails_confirms_nothing(home: Home, probe: Probe, anew: Again) -> None:
    """FLOW-09: the system takes what a failed fsync has lost for written; nothing that is acknowledged later rests
    on it."""
    record = home.folder / "record"
    control = Control(home.folder / "control")
    server, port = home.serve(env=shimmed(home.data("server"), control, record))
    ada = home.talk("ada", port)
    for number in range(sized(3, 30)):
        control.fail("sync", LOG, EIO, 1, 1 + number % 2)
        ada.line(f"first {number}")
        ada.line(f"second {number}")
        next_event(ada, "message", text=f"second {number}")
        assert control.failed("sync") >= 1
    control.heal()
    server.dispose()
    life, _ = _after(home, record)
    assert set(life.told.codes) == {"INTERNAL"}
    judged = 0
    for number, disk in moments(life.deeds):
        if life.deeds[number - 1].kind == "<" or number == len(life.deeds):
            opened = probe.open(put(disk.crashed(), anew()))
            for room_id, head in life.told.promised(number).items():
                assert opened.rooms[room_id].head >= head, "an entry that was told of is gone"
            judged += 1
    assert judged > 6


# --- a disk that lies ---


def _disk_after(deeds: Sequence[Did], syncs: bool = True, disk: Disk | None = None) -> Disk:
    disk = disk or Disk()
    for deed in deeds:
        if deed.is_disk and (syncs or deed.kind != "S" or deed.name == "."):
            disk.do(deed)
    return disk


def _lied(life: Life, since: int, dice: random.Random) -> Image:
    """Of what was written after so many deeds no fsync has brought anything to the disk, whatever it has said; of
    the file `lock`, which nobody waits for, all."""
    disk = _disk_after(life.deeds[since:], False, _disk_after(life.deeds[:since]))
    image = disk.crashed(*((dice, dice.choice((0.1, 0.5, 0.9))) if dice.randrange(3) else ()))
    return {**image, "lock": disk.killed()["lock"]}


def _rotten(image: Image, dice: random.Random) -> Image:
    """A page of the log is empty, or that of another place."""
    name = dice.choice([name for name in image if name in ("log.db", "log.db-wal")])
    content = bytearray(image[name])
    pages = range(len(content) // PAGE)
    if pages:
        at, other = dice.choice(pages) * PAGE, dice.choice(pages) * PAGE
        content[at : at + PAGE] = bytes(PAGE) if dice.randrange(2) else content[other : other + PAGE]
    return {**image, name: bytes(content)}


def _sentence_is_for_people(sentence: str) -> None:
    """What, where, and what to do."""
    assert "log.db" in sentence
    assert "--restored" in sentence or "bring" in sentence, sentence


def test_a_disk_that_lies_is_found_out(life: Life, probe: Probe, anew: Again, tell: Tell) -> None:
    """What is lost of what a disk has confirmed is told to the operator, or nothing was lost: the log is never
    served as if it was whole. With --restored all begins anew, and goes on."""
    dice = random.Random(12)
    outcomes: Counter[str] = Counter()
    ready = next(number for number, deed in enumerate(life.deeds) if deed.kind == ">")
    for number in range(sized(100, 6000)):
        since = dice.randrange(ready, len(life.deeds))
        lied = number % 2 == 0
        image = _lied(life, since, dice) if lied else _rotten(_disk_after(life.deeds[:since]).killed(), dice)
        opened = probe.open(put(image, anew()))
        if opened.good:
            assert opened.heads in life.states, "half of a transaction"
            assert sum(head for _, head in opened.heads) >= int(image["lock"].split()[3]), "a loss was not noticed"
            for room in opened.rooms.values():
                assert life.told.rooms[room.room_id].chain[room.head] == room.chain
            outcomes["whole"] += 1
            continue
        _sentence_is_for_people(opened.sentence)
        outcomes["refused"] += 1
        folder = put(image, anew())
        begun = probe.open(folder, restored=True)
        outcomes["begun anew" if begun.good else "moved away"] += 1
        if not begun.good:
            _sentence_is_for_people(begun.sentence)
            for file in folder.glob("log.db*"):
                file.unlink()
            begun = probe.open(folder, restored=True)
        assert (begun.good, begun.rooms) == (True, {}), "every room begins anew"
    tell(f"a disk that lies: {dict(outcomes)}")
    assert outcomes["refused"] > 20
    assert outcomes["begun anew"] > 5
