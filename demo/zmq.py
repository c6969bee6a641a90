# SPDX-License-Identifier: MIT
"""Two clients over TCP and two over ZeroMQ in one room, through a bridge that has no key of theirs; and a feed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from demo.claims import judge_room
from demo.container import Person
from demo.stage import BRIDGE, PORT, PROPS, Missing, Stage

ROOM = "lobby"
TCP, DEALERS = ("ada", "bruno"), ("zoe", "quim")
BRIDGE_PORT, FEED_PORT = 65433, 65434
ROUNDS, QUICK_ROUNDS = 6, 2
MOST_CALLS = 200  # until the feed is heard
CALL_S = 0.2


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    ear = await stage.ear()
    await stage.server(ear)
    lines: list[str] = []
    words = ("--feed", f"tcp://*:{FEED_PORT}", "--feed-rooms", ROOM)
    env = {"PROSA_SERVER": f"server:{PORT}", "PROSA_HOST": "*", "PROSA_PORT": str(BRIDGE_PORT), "PROSA_DATA": "/data"}
    options = ["--network-alias=bridge", "--tmpfs=/data:size=1m,uid=10001,gid=10001,mode=0700"]
    bridge = await stage.run("bridge", BRIDGE, *words, hear=lines.append, env=env, options=options)
    await stage.started(bridge, lambda: any(line.startswith("READY ") for line in lines))
    say("A server, and before it a bridge: ROUTER on one side, one TCP connection for each client on the other.")
    people = await stage.clients(TCP, ROOM)
    say(f"{' and '.join(TCP)} come in over TCP.")
    dealer = ("python3", "-m", "demo.props.dealer", f"bridge:{BRIDGE_PORT}")
    people += await stage.clients(DEALERS, ROOM, image=PROPS, command=dealer)
    say(f"{' and '.join(DEALERS)} come in over ZeroMQ. The handshake is with the server; the bridge only carries it.")
    heard = await _listen(stage, people[0])
    say("Somebody listens to the feed (SUB): he has no key, no nick, and checks every signature himself.")
    stage.listeners.append(_show(stage))
    start = len(stage.people[TCP[0]].of("message"))
    for number in range(1, (QUICK_ROUNDS if stage.demo.quick else ROUNDS) + 1):
        for person in people:
            await stage.breathe(0.6)
            person.say(f"round {number}, over {'TCP' if person.nick in TCP else 'ZeroMQ'}")
        await stage.rest()
    _judge_feed(stage, await _all_heard(stage, people[0], heard, start), start)
    judge_room(stage.claims, stage.history, ROOM, [person.nick for person in people])
    await stage.leave(people)
    await stage.close_ears(ear)


def _show(stage: Stage) -> Any:
    def show(member: str, event: Mapping[str, Any]) -> None:
        if member == TCP[0] and event["event"] == "message":
            stage.narrator.heard(event["nick"], event["text"])

    return show


async def _listen(stage: Stage, speaker: Person) -> list[dict[str, Any]]:
    """One speaks until the subscriber hears it: a feed joins, and a subscription arrives, in their own time."""
    heard: list[dict[str, Any]] = []
    command = ("python3", "-m", "demo.props.listen", f"bridge:{FEED_PORT}")
    await stage.run("listener", PROPS, *command, hear=lambda line: heard.append(json.loads(line)))
    for number in range(1, MOST_CALLS + 1):
        speaker.say(f"does the feed hear me? {number}")
        await stage.rest()
        try:
            await stage.until(lambda: bool(heard), "the feed to be heard", CALL_S)
        except Missing:
            continue
        return heard
    raise Missing("nothing came over the feed")


async def _all_heard(
    stage: Stage, witness: Person, heard: list[dict[str, Any]], start: int
) -> list[dict[str, Any]]:
    """A feed may lose; what a member has seen last is waited for, so that all before it had its time."""
    last = witness.of("message")[start:][-1]
    try:
        await stage.until(lambda: any(one.get("id") == last["id"] for one in heard), "the last line over the feed", 10)
    except Missing:
        stage.narrator.say("The last line did not come over the feed.")
    return heard


def _judge_feed(stage: Stage, heard: list[dict[str, Any]], start: int) -> None:
    due = [event["id"] for event in stage.people[TCP[0]].of("message")[start:]]
    got = [one.get("id") for one in heard]
    forged = [one for one in heard if not one["verified"]]
    lost = [identity for identity in due if identity not in got]
    words = f"the feed's listener heard {len(due) - len(lost)} of {len(due)} messages, and every signature verified"
    stage.claims.add(words, not forged and not lost and bool(due), f"{len(forged)} did not verify, {len(lost)} missing")
    places = [one["room_seq"] for one in heard if one["verified"]]
    stage.claims.add("in the order of the room", places == sorted(set(places)), f"the places were {places}")
    by_zmq = sum(event["nick"] in DEALERS for event in stage.people[TCP[0]].of("message"))
    stage.claims.add(f"{by_zmq} of the messages came over ZeroMQ, and ada saw them over TCP", by_zmq > 0)
