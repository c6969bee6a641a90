# SPDX-License-Identifier: MIT
"""One of the five characters of demo chat, with a client of its own; for the profiles of docker-compose.yml.

    python3 -m demo.props.cast NICK

PLAY_SEED and PLAY_TOPICS say which play, PROSA_HOST where. It says goodbye after the last line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE

from demo.characters import Character, Play, read_s

ROOM = "lobby"


async def main(nick: str) -> int:
    play = Play.of(int(os.environ.get("PLAY_SEED", "1")), int(os.environ.get("PLAY_TOPICS", "6")))
    character = Character(nick, play)
    left = {(line.nick, line.text) for line in play.lines}
    words = ("--json", "--nick", nick, "--room", ROOM)
    client = await asyncio.create_subprocess_exec("prosa-client", *words, stdin=PIPE, stdout=PIPE)
    assert client.stdin is not None and client.stdout is not None
    while line := await client.stdout.readline():
        event = json.loads(line)
        for text in character.hear(event):
            await asyncio.sleep(read_s(text))
            client.stdin.write(f"{text}\n".encode())
        left.discard((event.get("nick"), event.get("text")))
        if not left:
            client.stdin.write(b"exit\n")
            left.add(("", ""))
    return await client.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
