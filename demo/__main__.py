# SPDX-License-Identifier: MIT
"""./run demo NAME [--record] [--pace X] [--quick] [--seed N] [--image IMAGE]

Exit codes: 0 every claim held, 1 one did not, 2 wrong words, or the engine or an image is missing,
130 ended with Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from demo import chat, ddns, engine, flood, kill, record, sync, zmq
from demo.narrator import Narrator
from demo.stage import BRIDGE, CLIENT, PROPS, SERVER, Demo, Missing, Stage

ROOT = Path(__file__).resolve().parents[1]
TITLES: dict[str, tuple[str, Callable[[Stage], Awaitable[None]]]] = {
    "chat": ("Five people in a room, signed and in one order", chat.play),
    "sync": ("Question and answer, one after the other", sync.play),
    "kill": ("The server dies in the middle of a busy room", kill.play),
    "flood": ("One floods, the others go on talking", flood.play),
    "ddns": ("The server moves, its name stays", ddns.play),
    "zmq": ("TCP and ZeroMQ in one room", zmq.play),
}
OTHERS = {"join": "come into the room of a running demo chat", "clean": "remove what a killed demo left behind"}
OF_ANY_SERVER = ("chat", "kill", "ddns", "zmq")  # the others read what the reference alone prints
EXIT_HELD, EXIT_BROKEN, EXIT_USAGE, EXIT_ENDED = 0, 1, 2, 130


def words(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run demo", description="Demos of PROSA/1 in containers.")
    listed = "; ".join([f"{name}: {title}" for name, (title, _) in TITLES.items()])
    also = "; ".join(f"{name}: {what}" for name, what in OTHERS.items())
    parser.add_argument("name", choices=[*TITLES, *OTHERS], metavar="NAME", help=f"{listed}. Also {also}")
    parser.add_argument("--record", action="store_true", help="leave capture, picture and cast in report/demo-NAME/")
    parser.add_argument("--pace", type=float, default=1.0, help="time to read: 0 none, 1 as meant, 2 twice that")
    parser.add_argument("--quick", action="store_true", help="a short form, for tests")
    parser.add_argument("--seed", type=int, default=1, help="of the play in demo chat")
    parser.add_argument("--image", default=SERVER, help="another server, as chapter 13 of the spec asks for")
    parser.add_argument("--nick", default="", help="yours, for join")
    parser.add_argument("--report", type=Path, default=ROOT / "report", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if not 0 <= asked.pace <= 10:
        parser.error(f"--pace {asked.pace:g}: it is a number from 0 to 10")
    if asked.image != SERVER and asked.name not in OF_ANY_SERVER:
        parser.error(f"--image: demo {asked.name} reads what only the reference server prints")
    return asked


async def perform(asked: argparse.Namespace) -> int:
    """One demo from its title to its verdict."""
    title, play = TITLES[asked.name]
    narrator = Narrator(f"PROSA/1: {title}", asked.pace)
    with tempfile.TemporaryDirectory(prefix="prosa-demo-") as folder:
        captures = Path(folder) if asked.record else None
        demo = Demo(asked.name, narrator, asked.quick, asked.seed, asked.image, captures)
        await engine.need_images([SERVER, CLIENT, PROPS, asked.image, *([BRIDGE] if asked.name == "zmq" else [])])
        narrator.title(f"PROSA/1: {title}")
        async with Stage(demo) as stage:
            try:
                await play(stage)
            except Missing as missing:
                stage.claims.add("the demo went as it should", False, str(missing))
            except engine.EngineError as error:
                stage.claims.add("the engine did as it was told", False, str(error))
        narrator.title("What was shown")
        for claim in stage.claims.all:
            narrator.claim(claim.held, claim.words, claim.why)
        if asked.record:
            record.write(asked.report / f"demo-{asked.name}", stage, Path(folder))
    return EXIT_HELD if stage.claims.hold else EXIT_BROKEN


def until_told(main: Callable[[], Awaitable[int]]) -> int:
    """Run it; SIGINT, SIGTERM and SIGHUP end it in order, and a second one does not hinder that."""

    async def run() -> int:
        task = asyncio.ensure_future(main())
        loop = asyncio.get_running_loop()
        asked_to_end = False

        def end() -> None:
            nonlocal asked_to_end
            if not asked_to_end:
                asked_to_end = True
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end)
        try:
            return await task
        except asyncio.CancelledError:
            print("demo: ended; containers, network and data are removed", file=sys.stderr)
            return EXIT_ENDED

    return asyncio.run(run())


def join(nick: str) -> int:
    """Into the room of a demo chat that is running, on the whole screen: the engine takes our place."""
    if shutil.which(engine.DOCKER) is None:
        print(f"demo: {engine.DOCKER} is not installed", file=sys.stderr)
        return EXIT_USAGE
    if not engine.runs("chat"):
        print("demo: no demo chat is running; start one with ./run demo chat", file=sys.stderr)
        return EXIT_USAGE
    network = f"{engine.PREFIX}chat"
    nick = nick or f"guest-{secrets.token_hex(2)}"
    options = ["run", "--rm", "--interactive", "--tty", f"--name={network}-{nick}", f"--network={network}"]
    labels = [f"--label={engine.LABEL}=chat", f"--label={engine.OWNER}={os.getpid()}"]
    client = [CLIENT, "--screen", "--nick", nick, "--room", chat.ROOM, "server"]
    terminal = f"--env=TERM={os.environ.get('TERM', 'dumb')}"
    command = [engine.DOCKER, *options, *engine.HARDENED, engine.OWN_DATA, *labels, terminal, *client]
    return os.execvp(command[0], command)


def main(arguments: Sequence[str]) -> int:
    asked = words(arguments)
    if asked.name == "join":
        return join(asked.nick)
    if asked.name == "clean":
        print(f"demo: {len(engine.clear())} containers, networks and volumes removed")
        return EXIT_HELD
    try:
        return until_told(lambda: perform(asked))
    except (engine.Busy, engine.EngineError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
