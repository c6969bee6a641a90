# SPDX-License-Identifier: MIT
"""Two clients over TCP and two over ZeroMQ in one room, through a bridge that has no key of theirs; and a feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo import engine
from demo.claims import judge_room
from demo.container import Person
from demo.stage import BRIDGE, PORT, PROPS, Stage

ROOM = "lobby"
TCP, DEALERS = ("ada", "bruno"), ("zoe", "quim")
BRIDGE_PORT, FEED_PORT = 65433, 65434
ROUNDS, QUICK_ROUNDS = 6, 2
LISTENER = "listener"
CHECK_S = "2"  # a silence of the feed, in seconds, after which the listener asks whether that is all


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
    listener = await _listen(stage)
    say("prosa-listen subscribes to the feed (SUB). It trusts nobody: it checks every signature itself.")
    stage.listeners.append(_show(stage))
    for number in range(1, (QUICK_ROUNDS if stage.demo.quick else ROUNDS) + 1):
        for person in people:
            await stage.breathe(0.6)
            person.say(f"round {number}, over {'TCP' if person.nick in TCP else 'ZeroMQ'}")
        await stage.rest()
    await _all_heard(stage, people[0], listener)
    _judge_feed(stage, people[0], listener)
    judge_room(stage.claims, stage.history, ROOM, [person.nick for person in people])
    await stage.leave(people)
    await stage.close_ears(ear)


def _show(stage: Stage) -> Any:
    def show(member: str, event: Mapping[str, Any]) -> None:
        if member == TCP[0] and event["event"] == "message":
            stage.narrator.heard(event["nick"], event["text"])

    return show


async def _listen(stage: Stage) -> Person:
    """prosa-listen, who joins over the bridge now and then, to learn what the feed has lost."""
    listener = Person(LISTENER, ROOM, lambda _nick, _event: None)  # no member: the history is not about it
    words = ("--bridge", f"bridge:{BRIDGE_PORT}", "--feed", f"tcp://bridge:{FEED_PORT}", "--room", ROOM)
    options = [engine.OWN_DATA, "--entrypoint=prosa-listen"]
    listener.container = await stage.run(
        LISTENER, BRIDGE, *words, "--nick", LISTENER, "--check-after", CHECK_S, hear=listener.hear, options=options
    )
    await stage.started(listener.program, lambda: bool(listener.of("joined")))
    return listener


async def _all_heard(stage: Stage, witness: Person, listener: Person) -> None:
    last = witness.of("message")[-1]["id"]
    await stage.until(lambda: any(event["id"] == last for event in listener.of("message")), "the listener to hear all")


def _judge_feed(stage: Stage, witness: Person, listener: Person) -> None:
    start = int(listener.of("joined")[0]["start_seq"])
    due = [event["id"] for event in witness.of("message") if int(event["room_seq"]) >= start]
    heard = [event["id"] for event in listener.of("message")]
    errors = [f"{event['code']}: {event['reason']}" for event in listener.of("error")]
    words = f"the listener heard {len(heard)} of {len(due)} messages in the order of the room, every signature verified"
    stage.claims.add(words, heard == due != [] and not errors, *errors, f"it heard {heard}, due were {due}")
    if listener.of("gap"):
        stage.narrator.say("The feed had lost something on the way; the listener noticed, and asked for it.")
    by_zmq = sum(event["nick"] in DEALERS for event in witness.of("message"))
    stage.claims.add(f"{by_zmq} of the messages came over ZeroMQ, and {witness.nick} saw them over TCP", by_zmq > 0)
