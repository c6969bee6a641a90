# SPDX-License-Identifier: MIT
"""Entries that mutants.py has to find fault with, and one that is right; see test_mutants.py."""

from __future__ import annotations

import os

from fault import breaks
from mini_connection import Fatal
from mini_session import Session
from prosa_conformance.codec import Frame


class CallsItBadState(Session):
    def refuse(self, fatal: Fatal) -> None:
        super().refuse(Fatal("BAD_STATE", fatal.clause))


@breaks("AUTH-16")
class Right(CallsItBadState):
    pass


@breaks("AUTH-16")
class BreaksNothing(Session):
    pass


@breaks("AUTH-16", "AUTH-10")
class BreaksOneOfTwo(CallsItBadState):
    pass


@breaks("AUTH-16")
class ByOtherTests(CallsItBadState):
    pass


@breaks("AUTH-16")
class InOtherWords(CallsItBadState):
    pass


@breaks("AUTH-16")
class HasNoEntry(CallsItBadState):
    pass


@breaks("AUTH-16")
class FallsOver(Session):
    def take_auth(self, auth: Frame) -> None:
        os.abort()


@breaks("AUTH-16")
def never_starts() -> None:
    raise SystemExit(1)
