# SPDX-License-Identifier: MIT
"""Workers: every task is done once, a lost one is told and replaced, and nobody is left behind."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection

import pytest

from prosa_conformance.workers import Lost, Queue, share_out

DEADLY = 3


def numbered(count: int) -> Queue:
    return Queue((task, task) for task in range(count))


def doubles(number: int, line: Connection) -> None:
    while True:
        line.send(2 * line.recv())


def doubles_or_dies(number: int, line: Connection) -> None:
    while True:
        task = line.recv()
        if task == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        line.send(2 * task)


def nobody_is_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_every_task_is_done_once(count: int) -> None:
    answers: list[tuple[int, object]] = []
    share_out(numbered(10), count, doubles, lambda task, answer: answers.append((task, answer)))
    assert sorted(answers, key=lambda one: one[0]) == [(task, 2 * task) for task in range(10)], answers
    nobody_is_left()


@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_worker_is_told_and_replaced(count: int) -> None:
    answers: dict[int, object] = {}
    share_out(numbered(10), count, doubles_or_dies, answers.__setitem__)
    assert answers == {task: Lost() if task == DEADLY else 2 * task for task in range(10)}, answers
    nobody_is_left()


def test_a_cleared_queue_ends_the_work() -> None:
    queue, answers = numbered(100), dict[int, object]()

    def take(task: int, answer: object) -> None:
        answers[task] = answer
        queue.clear()

    share_out(queue, 2, doubles, take)
    assert sorted(answers) == [0, 1], "those that were begun come to their end, no other begins"
    nobody_is_left()


def test_an_interruption_ends_them_all() -> None:
    def take(task: int, answer: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        share_out(numbered(10), 3, doubles, take)
    nobody_is_left()


def test_who_has_begun_a_kind_goes_on_with_it() -> None:
    queue = Queue([(0, "a"), (1, "b"), (2, "a"), (3, "c"), (4, "b")])
    first: set[object] = set()
    second: set[object] = set()
    assert queue.next(first) == 0, "the first of all"
    assert queue.next(second) == 1, "the first that nobody has begun"
    assert queue.next(first) == 2, "more of its own kind"
    assert queue.next(first) == 3, "then one that nobody has begun"
    assert queue.next(first) == 4, "then help for others"
    assert queue.next(second) is None, "nothing is left"
