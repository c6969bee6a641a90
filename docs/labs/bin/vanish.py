#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What does the client see when the server is killed, is frozen, or its cable is cut?

    vanish.py kill|freeze|cut [--level L1] [--server COMMAND] [--client COMMAND]

Starts a server, a cable (cable.py) and a client behind it, lets the client ask something, does what the word says, and
tells what the client's events say (section 13.4 of the spec). The timers are short, so that nobody waits for long.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TIMERS = "ping_after_ms=300,dead_after_ms=900,linger_ms=300"


class Program:
    """A program of which one reads what it prints, line by line."""

    def __init__(self, command: str, **settings: str) -> None:
        environment = {**os.environ, **settings}
        with_pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.run = subprocess.Popen(shlex.split(command), env=environment, stderr=subprocess.DEVNULL, **with_pipes)

    port = "0"  # where it listens, once `address` has been asked

    def type(self, line: str) -> None:
        self.run.stdin.write(f"{line}\n")
        self.run.stdin.flush()

    def line_with(self, words: str) -> str:
        """The first line from now on that has these words."""
        for line in self.run.stdout:
            if words in line:
                return line
        sys.exit(f"{self.run.args[0]} ended before it printed {words}")

    def event(self, name: str) -> dict[str, Any]:
        return json.loads(self.line_with(f'"{name}"'))

    def address(self) -> tuple[str, str]:
        host, self.port = self.line_with("READY ").split()[1].rsplit(":", 1)
        return host, self.port

    def end(self) -> None:
        self.run.send_signal(signal.SIGCONT)
        self.run.kill()
        self.run.communicate()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("what", choices=("kill", "freeze", "cut"))
    words.add_argument("--level", default="L2", help="L1 has no timers, so it notices only what TCP tells it")
    words.add_argument("--server", default="prosa-server --answer echo")
    words.add_argument("--client", default="prosa-client --json")
    options = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        play(options, Path(folder))


def play(options: argparse.Namespace, folder: Path) -> None:
    for name in ("server", "client"):
        (folder / name).mkdir()
    both = {"PROSA_LEVEL": options.level, "PROSA_HOST": "127.0.0.1"}
    server = Program(options.server, PROSA_PORT="0", PROSA_TIMERS=TIMERS, PROSA_DATA=str(folder / "server"), **both)
    cable = Program(f"{sys.executable} {Path(__file__).with_name('cable.py')} {':'.join(server.address())}")
    port = cable.address()[1]
    data = str(folder / "client")
    client = Program(options.client, PROSA_PORT=port, PROSA_DATA=data, PROSA_NICK="ada", **both)
    try:
        client.event("joined")
        client.type("are you there?")
        client.event("acked")
        server.type("yes")  # an operator answers; a server that answers by itself has no use for it
        while client.event("message")["own"]:
            pass
        print("the client has asked something, and has its answer")
        (vanish if options.what == "kill" or options.level != "L1" else wait)(options.what, server, cable, client)
    finally:
        for program in (client, cable, server):
            program.end()


def do(what: str, server: Program, cable: Program) -> None:
    if what == "cut":
        cable.type("cut")
        cable.line_with("is cut")
    else:
        server.run.send_signal(signal.SIGKILL if what == "kill" else signal.SIGSTOP)
    print({"kill": "the server is killed", "freeze": "the server is frozen", "cut": "the cable is cut"}[what])


def octets_unread(program: Program) -> int:
    """What a connection of this program's port holds and nobody has read, as ss -tn shows it; waits until it does."""
    while True:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, queues = line.split()[:5]
            unread = int(queues.split(":")[1], 16)
            if int(local.split(":")[1], 16) == int(program.port) and state == "01" and unread:
                return unread
        select.select([], [], [], 0.01)


def vanish(what: str, server: Program, cable: Program, client: Program) -> None:
    do(what, server, cable)
    told = client.event("disconnected")
    print(f"the client says: {told['how']}; it {'will try again' if told['again'] else 'does not try again'}")
    if not told["again"]:
        print(f"the client has ended with exit code {client.event('closed')['exit']}")


def wait(what: str, server: Program, cable: Program, client: Program) -> None:
    """At L1 nobody looks at a clock: the client waits, and would for ever."""
    do(what, server, cable)
    client.type("and now?")
    print(f"its next question lies in the kernel: Recv-Q is {octets_unread(cable if what == 'cut' else server)} octets")
    assert client.run.poll() is None, "the client has ended"
    print("the client waits; TCP has told it nothing, and it has no clock of its own")
    if what == "cut":
        cable.type("mend")
    else:
        server.run.send_signal(signal.SIGCONT)
    print("the server goes on" if what == "freeze" else "the cable is mended")
    while client.event("acked")["counter"] != "2":
        pass
    print("the client's second question has arrived; nothing was lost")


if __name__ == "__main__":
    main()
