# SPDX-License-Identifier: MIT
"""Level L1: question and answer, one after the other; how a session ends, and how it breaks."""

from __future__ import annotations

import asyncio

from demo.container import Person
from demo.stage import Server, Stage

ROOM = "@host"
L1 = "L1"
VANISHED = 5  # exit code of a client whose server is gone without a goodbye (section 13.4)
QUESTIONS = (
    ("What is a socket?", "An end of a conversation, with a number that your program holds."),
    ("And who speaks first?", "That is for the protocol to say. Here: you ask, I answer."),
    ("May I ask two things at once?", "You may type them. The second one waits for its turn."),
)


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    ear = await stage.ear()
    say("The server starts; its operator sits at its console, and every question is answered by hand.")
    server = await stage.server(ear, level=L1)
    ada = await _guest(stage, "ada")
    for question, answer in QUESTIONS:
        await _ask(stage, server, ada, question)
        await _answer(stage, server, ada, answer)
    pairs = [(event["text"], event["nick"]) for event in ada.of("message")]
    due = [pair for question, answer in QUESTIONS for pair in ((question, "ada"), (answer, "host"))]
    words = f"{len(QUESTIONS)} questions in one session, each followed by its answer"
    stage.claims.add(words, pairs == due, f"she saw {pairs}")
    await _withhold(stage, server, ada)
    say("ada types exit. That is a goodbye: her program ends, the server stays.")
    ada.program.type("exit")
    await _ended(stage, ada)
    _claim_end(stage, ada, 0, "NORMAL", "ada typed exit: a goodbye (BYE NORMAL), exit code 0")
    bruno = await _guest(stage, "bruno")
    stage.claims.add("the server serves the next one", bruno.is_joined, server.container.last_words)
    await _ask(stage, server, bruno, "Are you still there?")
    await _answer(stage, server, bruno, "Always.")
    say("Now the operator types exit. The conversation is over for everybody.")
    server.container.type("exit")
    await _ended(stage, bruno)
    await stage.until(lambda: server.container.code is not None, "the server to end")
    _claim_end(stage, bruno, 0, "NORMAL", "the operator typed exit: bruno's program said so and ended with 0")
    code = server.container.code
    stage.claims.add("and the server ended with 0", code == 0, f"it ended with {code}")
    await _kill_idle(stage, await stage.server(ear, level=L1, life=2))
    await stage.close_ears(ear)


async def _guest(stage: Stage, nick: str) -> Person:
    person = await stage.client(nick, ROOM, "--level", L1)
    person.may_end = True
    await stage.joined(person)
    stage.narrator.say(f"{nick} connects: a handshake in both directions, signed by both.")
    return person


async def _ask(stage: Stage, server: Server, person: Person, question: str) -> None:
    await stage.breathe(0.8)
    person.say(question)
    stage.narrator.heard(person.nick, question)
    await stage.until(lambda: server.printed(question), f"the operator to see: {question}")


async def _answer(stage: Stage, server: Server, person: Person, answer: str) -> None:
    await stage.breathe(1.2)
    before = len(person.of("message"))
    server.container.type(answer)
    await stage.until(lambda: _texts(person)[before:].count(answer) == 1, f"{person.nick} to see the answer")
    stage.narrator.heard("host", answer)


def _texts(person: Person) -> list[str]:
    return [event["text"] for event in person.of("message")]


async def _withhold(stage: Stage, server: Server, ada: Person) -> None:
    """A second question is typed while the first has no answer; the barrier is the answer itself."""
    first, second = "What is the question?", "And while I wait: what time is it?"
    await _ask(stage, server, ada, first)
    stage.narrator.say("The operator thinks about it. ada types another question meanwhile; it has to wait.")
    ada.say(second)
    stage.narrator.heard("ada", f"{second} (typed)")
    await stage.breathe(2.0)
    early = server.printed(second)
    await _answer(stage, server, ada, "The one before the answer.")
    await stage.until(lambda: server.printed(second), "the second question to arrive")
    stage.narrator.say("The answer is there, and with it the second question goes out.")
    await _answer(stage, server, ada, "Time for the next slide.")
    order = _texts(ada)[-4:]
    due = [first, "The one before the answer.", second, "Time for the next slide."]
    words = "a question typed while the answer was withheld was sent after the answer, not before"
    stage.claims.add(words, order == due and not early, f"the order was {order}", "the operator saw it too early")


async def _kill_idle(stage: Stage, server: Server) -> None:
    clara = await _guest(stage, "clara")
    stage.narrator.say("clara is connected, nobody says anything. The server is killed with -9: no goodbye.")
    await stage.breathe(1.5)
    await server.container.signal("KILL")
    await _ended(stage, clara)
    how = [event["how"] for event in clara.of("disconnected")]
    stage.narrator.say(f"clara's program tells: disconnected, {', '.join(how)}; {clara.of('closed')[-1]['reason']}")
    _claim_end(stage, clara, VANISHED, None, f"the server was killed: clara's client ended with {VANISHED} at once")
    told = "and said that the server vanished, not that it said goodbye"
    stage.claims.add(told, how in (["eof"], ["reset"]), f"it said {how}")


async def _ended(stage: Stage, person: Person) -> None:
    await stage.until(lambda: person.program.code is not None, f"{person.nick}'s program to end")
    await asyncio.shield(person.program.life)


def _claim_end(stage: Stage, person: Person, code: int, goodbye: str | None, words: str) -> None:
    closed = person.of("closed")
    told = (closed[-1]["exit"], closed[-1]["code"]) if closed else ("nothing", "nothing")
    ended = person.program.code
    held = ended == code and told == (code, goodbye)
    stage.claims.add(words, held, f"it ended with {ended}, and its last event said {told}")
