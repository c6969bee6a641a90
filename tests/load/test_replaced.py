# SPDX-License-Identifier: MIT
"""One key connects again and again while it publishes: every newer session ends the older one [END-14], and
what was under way on the old one is neither lost nor doubled."""

from __future__ import annotations

import random
from collections.abc import Callable

from member import Member
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import SERVER, Figures, sized

SESSIONS: int = sized(40, 400)
TEXTS = 8  # said before each new session
SECONDS: int = sized(60, 300)


def test_a_session_that_is_replaced_loses_and_doubles_nothing(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        rng = random.Random(scene.seed)
        server = Server(scene, SERVER, Ports(scene.seed).take(), "token_rate=1000000,token_burst=1000000")
        scene.cast.append(server)
        await server.start()
        await server.ready()
        observer, restless = (Member(scene, name, ["hall"]) for name in ("observer", "restless"))
        scene.spawn(observer.live(server))
        await scene.until(observer.is_joined, "the observer to join")

        said = 0
        for session in range(SESSIONS):
            scene.spawn(restless.connect(server))
            for _ in range(TEXTS):
                said += 1
                restless.say("hall", f"text {said}")
            due = scene.history.count + rng.randint(0, 4 * TEXTS)
            await scene.until(
                lambda due=due: scene.history.count >= due or not scene.history.unseen["restless"],
                f"session {session} to go on",
            )
        await scene.until(lambda: len(restless.connections) == 1 and restless.is_joined(), "one session to be left")
        await scene.until(scene.history.is_at_rest, "all to catch up")
        assert faults(scene.history) == []
        assert set(restless.ends) == {("goodbye", "REPLACED")}
        assert not [event for event in scene.history.of("observer", "member") if event["change"] == "left"]
        assert await server.stop() == 0, server.last_words()
        figures(sessions=len(restless.ends) + 1, said=said)

    play(story, SECONDS)
