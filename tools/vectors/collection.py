# SPDX-License-Identifier: MIT
"""A file of vectors. Each vector states the verdict that its maker means; the Python codec
must give that verdict, and fills in what nobody writes by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from prosa_conformance import codec_program

CAP = 16384  # the max_frame of the reference, for frames after READY


def seed(name: str) -> bytes:
    """32 octets that anybody can make again: SHA-256 of "prosa vectors " and a name."""
    return hashlib.sha256(b"prosa vectors " + name.encode()).digest()


def word(octets: bytes) -> str:
    """Octets as a word of a request."""
    return octets.hex() or "-"


@dataclass
class Collection:
    """The vectors of one file, in the order in which they are added."""

    name: str
    description: str
    vectors: list[dict[str, object]] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        return {"description": self.description, "vectors": self.vectors}

    def add(
        self,
        identity: str,
        clauses: str,
        comment: str,
        request: str,
        expected: dict[str, object],
        steps: dict[str, bytes] | None = None,
    ) -> None:
        """Add a request with the members that its reply must have, by the maker's own lights."""
        reply = codec_program.answer(request)
        for member, value in expected.items():
            if reply.get(member) != value:
                raise AssertionError(f"{identity}: {member} is {reply.get(member)}, meant is {value}")
        if any(vector["id"] == identity for vector in self.vectors):
            raise AssertionError(f"{identity} is there twice")
        vector: dict[str, object] = {
            "id": identity,
            "clauses": clauses.split(),
            "level": "L0",
            "comment": comment,
            "request": request,
            "reply": reply,
        }
        if steps:
            vector["steps"] = {name: octets.hex() for name, octets in steps.items()}
        self.vectors.append(vector)

    def accept(
        self, identity: str, clauses: str, comment: str, octets: bytes, sender: str, cap: int = CAP, after: bytes = b""
    ) -> None:
        """A good frame, perhaps with octets behind it, that comes back the same."""
        expected = {"verdict": "frame", "consumed": len(octets), "encoded": octets.hex()}
        self.add(identity, clauses, comment, f"decode {sender} {cap} {word(octets + after)}", expected)

    def refuse(
        self, identity: str, clauses: str, comment: str, octets: bytes, sender: str, code: str, cap: int = CAP
    ) -> None:
        """Octets with exactly one fault."""
        expected: dict[str, object] = {"verdict": "error", "error": code}
        self.add(identity, clauses, comment, f"decode {sender} {cap} {word(octets)}", expected)

    def partial(self, identity: str, clauses: str, comment: str, octets: bytes, sender: str, cap: int = CAP) -> None:
        """The beginning of a frame that may become good."""
        self.add(identity, clauses, comment, f"decode {sender} {cap} {word(octets)}", {"verdict": "partial"})

    def ignore(
        self, identity: str, clauses: str, comment: str, octets: bytes, sender: str, cap: int = CAP, after: bytes = b""
    ) -> None:
        """A frame of an unknown odd type."""
        expected: dict[str, object] = {"verdict": "ignored", "consumed": len(octets)}
        self.add(identity, clauses, comment, f"decode {sender} {cap} {word(octets + after)}", expected)
