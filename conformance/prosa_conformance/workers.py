# SPDX-License-Identifier: MIT
"""Several processes that do tasks side by side, each forked from this one and so knowing all that it knows.

A task is a number. Who is free is given the next one, and each answer is told as it comes. Whatever
ends the whole, no worker is left behind: one whose line is closed takes down what it has, and ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait


class Queue:
    """Tasks in their order, each of a kind.

    A worker goes on with the kinds that it has begun (it has what they need), then takes one that
    nobody has begun, and only then helps others with theirs.
    """

    def __init__(self, tasks: Iterable[tuple[int, Hashable]]) -> None:
        self._waiting = dict(tasks)
        self._begun: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def next(self, mine: set[Hashable]) -> int | None:
        """The next task for a worker that has begun these kinds, which are told of it."""
        ranks = ((kind not in mine) + (kind not in mine and kind in self._begun) for kind in self._waiting.values())
        best = min(zip(ranks, self._waiting, strict=True), key=lambda one: one[0], default=None)
        if best is None:
            return None
        kind = self._waiting.pop(best[1])
        mine.add(kind)
        self._begun.add(kind)
        return best[1]

    def clear(self) -> list[int]:
        """Nobody is given anything any more; the tasks that nobody has begun."""
        left, self._waiting = list(self._waiting), {}
        return left


@dataclass(frozen=True)
class Lost:
    """What comes in the place of an answer when a worker has ended in the middle of a task."""


Work = Callable[[int, Connection], None]  # a worker's number, and the line on which tasks come and answers go


@dataclass
class _Worker:
    number: int
    pid: int
    line: Connection
    kinds: set[Hashable] = field(default_factory=set)
    task: int = -1

    def give(self, task: int) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # that it has gone will be seen where its answer is awaited
            self.line.send(task)

    def end(self) -> None:
        self.line.close()
        os.waitpid(self.pid, 0)


def share_out(queue: Queue, count: int, work: Work, take: Callable[[int, object], None]) -> None:
    """Have the tasks of the queue done by `count` workers; `take` gets each task with its answer, or with Lost."""
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_fork(number, workers, work))
        for worker in workers:
            _next_for(worker, queue)
        while busy := [worker for worker in workers if worker.task >= 0]:
            ready = wait([worker.line for worker in busy])
            for worker in busy:
                if worker.line not in ready:
                    continue
                task, answer = worker.task, _answer(worker)
                take(task, answer)
                if isinstance(answer, Lost):
                    workers.remove(worker)
                    worker.end()
                    worker = _fork(worker.number, workers, work)
                    workers.append(worker)
                _next_for(worker, queue)
    except BaseException:
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)
        raise
    finally:
        for worker in workers:
            worker.end()


def _next_for(worker: _Worker, queue: Queue) -> None:
    task = queue.next(worker.kinds)
    if task is None:
        worker.task = -1
    else:
        worker.give(task)


def _answer(worker: _Worker) -> object:
    try:
        return worker.line.recv()
    except (EOFError, OSError):
        return Lost()


def _fork(number: int, others: Iterable[_Worker], work: Work) -> _Worker:
    ours, theirs = Pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return _Worker(number, pid, ours)
    status = 1
    try:
        for line in (ours, *(other.line for other in others)):
            line.close()  # with this process's copy open nobody would see it end
        work(number, theirs)
        status = 0
    except (EOFError, OSError, KeyboardInterrupt):
        status = 0  # there is no more to do, or nobody to do it for
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
