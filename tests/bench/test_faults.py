# SPDX-License-Identifier: MIT
"""A message that is lost, doubled, out of order or changed on its way to one reader is found by the generator, and so
is a reader that is cut off; a good stream has no fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import BUILD
from doctor import Swap, Treatment, alter, cut, doctored, double, lose, nothing
from prosa_bench.child import running
from prosa_bench.subjects import PROSA, VERIFYING, Place, Subject
from prosa_conformance.places import Ports

READERS, WRITERS, POSTS = 3, 2, 20
SECONDS = 60

# How the stream is treated, and which fault must be told of.
FAULTS: dict[str, tuple[Callable[[], Treatment], str]] = {
    "lost": (lambda: lose, "lost"),
    "doubled": (lambda: double, "doubled"),
    "altered": (lambda: alter, "altered"),
    "cut": (lambda: cut, "gone"),
}
SUBJECTS = {subject.name: subject for subject in (PROSA, VERIFYING)}


def listen(subject: Subject, treatment: Treatment, writers: int = WRITERS) -> dict[str, Any]:
    """What the generator tells of a stream that was treated so."""

    async def story(port: int) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS), doctored(port, treatment) as front:
            words = ["--dialect", subject.dialect, "--server", f"127.0.0.1:{front}", "--patience", "1"]
            words += ["--readers", str(READERS), "--writers", str(writers), "--posts", str(POSTS)]
            words += ["--at-once", "1", "--window", "4", "stream"]
            program, pipe = BUILD / "bench" / "load", asyncio.subprocess.PIPE
            load = await asyncio.create_subprocess_exec(program, *words, stdout=pipe)
            output, _ = await load.communicate()
        assert load.returncode == 0, output.decode()
        done: dict[str, Any] = json.loads(output.splitlines()[-1])
        assert done["event"] == "done", done
        return done

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = Ports(hash(folder) % 50_000)
        place = Place(BUILD, folder, (ports.take()[1], ports.take()[1]))
        stack.enter_context(running(subject.start(place), (0,), folder))
        return asyncio.run(story(place.port))


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_a_good_stream_has_no_fault(subject: Subject) -> None:
    done = listen(subject, nothing)
    assert not any(done["faults"].values()), done
    assert done["deliveries"] == READERS * WRITERS * POSTS
    assert done["each_us"]["count"] == WRITERS * POSTS


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(subject: Subject, fault: str) -> None:
    treatment, name = FAULTS[fault]
    done = listen(subject, treatment())
    assert done["faults"][name] >= 1, done
    if fault == "doubled":
        assert done["faults"]["lost"] == 0, done
    if fault == "cut":
        assert done["why"], "it does not say who is gone"


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_another_order_is_found(subject: Subject) -> None:
    """Of one writer, so that its own order is broken; a window lets it say the next before the last came."""
    done = listen(subject, Swap(), writers=1)
    assert done["faults"]["reordered"] >= 1, done
    assert done["faults"]["lost"] == 0, done


def test_another_order_between_writers_is_found() -> None:
    """Each writer's own order may hold: the room's numbers tell."""
    done = listen(PROSA, Swap())
    assert done["faults"]["reordered"] + done["faults"]["gaps"] >= 1, done
