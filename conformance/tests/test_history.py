# SPDX-License-Identifier: MIT
"""The judge of histories: a good one passes, and each way of being wrong has its sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.history import History, members_of
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer
from scene import ROOM_ID, Scene, deliver


def test_good_history_passes(scene: Scene) -> None:
    for number in range(3):
        scene.show(scene.say(scene.alice, f"alice {number}"))
        scene.ack(scene.a, number + 1, scene.seq)
        scene.show(scene.say(scene.bob, f"bob {number}"))
    scene.ack(scene.b, 3, 6)
    scene.judge()


def test_message_that_was_not_acknowledged_may_be_missing(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "there"))
    scene.say(scene.alice, "sent, and never seen")
    scene.judge()


def twice(scene: Scene) -> None:
    frame = scene.say(scene.alice, "one")
    scene.show(frame)
    scene.show(frame, scene.b)


def left_out(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.show(scene.say(scene.alice, "two"), scene.a)
    scene.show(scene.say(scene.alice, "three"))


def other_order(scene: Scene) -> None:
    one, two = scene.say(scene.alice, "one"), scene.say(scene.bob, "two")
    scene.show(one, scene.a)
    scene.show(two, scene.a)
    scene.show(deliver(two_fields(two), 1), scene.b)
    scene.show(deliver(two_fields(one), 2), scene.b)


def two_fields(frame: Frame) -> Frame:
    return frame.without("room_seq", "server_time")


def two_places(scene: Scene) -> None:
    one = scene.say(scene.alice, "one")
    scene.show(one)
    scene.show(deliver(two_fields(one), 2))


def counter_missing(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.show(scene.say(scene.alice, "three", counter=3))


def forged(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.alice.sent.clear()


def bad_signature(scene: Scene) -> None:
    one = scene.say(scene.alice, "one")
    scene.show(one.without("author_sig").plus(codec.field_value("author_sig", bytes(64))))


def time_goes_back(scene: Scene) -> None:
    scene.show(deliver(two_fields(scene.say(scene.alice, "one")), 1, 2000))
    scene.show(deliver(two_fields(scene.say(scene.alice, "two")), 2, 1999))


def ack_of_another(scene: Scene) -> None:
    scene.show(scene.say(scene.bob, "one"))
    scene.show(scene.say(scene.alice, "two"))
    scene.ack(scene.a, 1, 1)


def limit_too_far(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.ack(scene.a, 1, 1, limit=10)


def lost(scene: Scene) -> None:
    scene.say(scene.alice, "one")
    scene.ack(scene.a, 1, 1)


def behind(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.show(scene.say(scene.alice, "two"), scene.a)


def late_member(scene: Scene) -> None:
    scene.show(scene.say(scene.alice, "one"))
    scene.show(member("left", scene.bob, 0), scene.a)


def member(event: str, who: Peer, at_seq: int) -> Frame:
    return codec.frame("MEMBER", room_id=ROOM_ID, event=event, nick=who.nick, member_key=who.key, at_seq=at_seq)


BREACHES: list[tuple[Callable[[Scene], None], str]] = [
    (twice, "bob got message 1 of alice twice, or too late"),
    (left_out, "bob did not get the entry 2 of lobby"),
    (other_order, "the entry 1 is not the same for all: alice got message 1 of alice, bob got message 1 of bob"),
    (two_places, "message 1 of alice is in the room a second time, at 2"),
    (counter_missing, "message 3 of alice is in the room, and message 2 is not"),
    (forged, "alice got message 1 of alice, and nobody sent that"),
    (bad_signature, "message 1 of alice does not verify any more"),
    (time_goes_back, "server_time goes back at the entry 2"),
    (ack_of_another, "an ACK told alice that message 1 is the entry 1, and that is message 1 of bob"),
    (limit_too_far, "an ACK lets alice send up to 10"),
    (lost, "message 1 of alice was acknowledged, and nobody who is here got it"),
    (behind, "bob got nothing after the entry 1, alice got 2"),
    (late_member, "alice got a MEMBER of at_seq 0 behind the entry 1"),
]


@pytest.mark.parametrize(("breach", "sentence"), BREACHES, ids=[breach.__name__ for breach, _ in BREACHES])
def test_breach_has_its_sentence(scene: Scene, breach: Callable[[Scene], None], sentence: str) -> None:
    breach(scene)
    with pytest.raises(Violation) as caught:
        scene.judge()
    assert caught.value.sentence == sentence, "another sentence"


def test_only_who_is_here_has_to_have_all(scene: Scene) -> None:
    behind(scene)
    scene.judge(here=[scene.alice])
    assert len(list(History([scene.alice, scene.bob], ROOM_ID).breaches())) == 1, "one breach, when bob is here"


def test_members_follow_from_their_frames(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob
    scene.show(member("here", alice, 0), scene.a)
    scene.show(member("joined", bob, 0), scene.a)
    assert members_of(scene.a) == {alice.key: alice.nick, bob.key: bob.nick}, "here and joined"
    scene.show(member("left", bob, 0), scene.a)
    assert members_of(scene.a) == {alice.key: alice.nick}, "left"
    scene.show(codec.frame("MEMBER", room_id=ROOM_ID, event="count", count=7, at_seq=0), scene.a)
    assert members_of(scene.a) == 7, "above the limit"
    scene.show(codec.frame("MEMBER", room_id=ROOM_ID, event="resync", at_seq=0), scene.a)
    scene.show(member("here", bob, 0), scene.a)
    assert members_of(scene.a) == {bob.key: bob.nick}, "resync begins anew"
