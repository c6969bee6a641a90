# SPDX-License-Identifier: MIT
"""The judge of chains: a good one passes, and each way of being wrong has its sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.audit import Chain, judge_chain
from prosa_conformance.codec import Frame
from prosa_conformance.outcome import Violation
from scene import ROOM_ID, SERVER_SEED, Scene


def chained(scene: Scene, count: int) -> list[Frame]:
    """So many DELIVERs of alice, each with the hash of the one before."""
    frames, at = [], crypto.chain_start(ROOM_ID)
    for number in range(1, count + 1):
        plain = scene.say(scene.alice, f"message {number}")
        frames.append(plain.plus(codec.field_value("prev_hash", at)))
        at = crypto.chain(at, number, plain.number("server_time"), crypto.message_id(plain))
    return frames


def checkpoint(seq: int, chain: bytes, seed: bytes = SERVER_SEED) -> Frame:
    frame = codec.frame("CHECKPOINT", time=1, room_id=ROOM_ID, seq=seq, chain=chain)
    return crypto.sign_checkpoint(seed, frame)


def good(scene: Scene) -> dict[int, bytes]:
    """Three entries, seen by both; their hashes."""
    for frame in chained(scene, 3):
        scene.show(frame)
    return Chain([scene.alice, scene.bob], ROOM_ID).hashes


def test_good_chain_passes(scene: Scene) -> None:
    hashes = good(scene)
    for seq in (0, 2, 3):
        scene.show(checkpoint(seq, hashes[seq]))
    assert judge_chain([scene.alice, scene.bob], ROOM_ID).hashes == hashes


def test_beginning_that_nobody_saw_is_taken_from_prev_hash(scene: Scene) -> None:
    frames = chained(scene, 3)
    scene.a.start_seq = 2
    for frame in frames[1:]:
        scene.show(frame, scene.a)
    scene.show(checkpoint(1, frames[1].need("prev_hash")), scene.a)
    judge_chain([scene.alice], ROOM_ID)


def test_checkpoint_ahead_of_all_entries_is_held_against_its_signature(scene: Scene) -> None:
    good(scene)
    scene.show(checkpoint(9, bytes(32)))
    judge_chain([scene.alice, scene.bob], ROOM_ID)


def without_prev_hash(scene: Scene) -> None:
    first, second = chained(scene, 2)
    scene.show(first)
    scene.show(second.without("prev_hash"))


def with_another_prev_hash(scene: Scene) -> None:
    first, second = chained(scene, 2)
    scene.show(first)
    scene.show(second.without("prev_hash").plus(codec.field_value("prev_hash", bytes(32))))


def with_another_beginning(scene: Scene) -> None:
    (first,) = chained(scene, 1)
    scene.show(first.without("prev_hash").plus(codec.field_value("prev_hash", bytes(32))))


def with_another_chain(scene: Scene) -> None:
    good(scene)
    scene.show(checkpoint(2, bytes(32)))


def signed_by_another(scene: Scene) -> None:
    scene.show(checkpoint(2, good(scene)[2], bytes(32)))


BREACHES = [
    (without_prev_hash, "the entry 2 came to alice without prev_hash"),
    (with_another_prev_hash, "the prev_hash of the entry 2 is not the hash of the entry before"),
    (with_another_beginning, "the prev_hash of the entry 1 is not the hash of the entry before"),
    (with_another_chain, "the CHECKPOINT of seq 2 states another chain than the entries"),
    (signed_by_another, "the signature of a CHECKPOINT does not verify at alice"),
]


@pytest.mark.parametrize(("breach", "sentence"), BREACHES)
def test_breach_has_its_sentence(scene: Scene, breach: Callable[[Scene], None], sentence: str) -> None:
    breach(scene)
    with pytest.raises(Violation) as found:
        judge_chain([scene.alice, scene.bob], ROOM_ID)
    assert found.value.sentence == sentence
