# SPDX-License-Identifier: MIT
"""Level L0: every vector of spec/vectors, asked of a codec program (section 13.5)."""

import json
from typing import Any

import pytest

from prosa_conformance.clauses import clause, gate, shown_by_vector
from prosa_conformance.codec_subject import Codec
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.places import SPEC

Vector = dict[str, Any]
FRAME_REQUESTS = ("decode", "message", "checkpoint")


def vectors() -> list[Any]:
    """All vectors as parameters; the file of whole sessions has no requests."""
    found = []
    for path in sorted((SPEC / "vectors").glob("*.json")):
        for vector in json.loads(path.read_text(encoding="utf-8")).get("vectors", []):
            marks = shown_by_vector(vector["clauses"], vector["level"])
            found.append(pytest.param(vector, id=vector["id"], marks=marks))
    return found


@gate
@clause("CON-13", quote='MUST answer a request that it does not know with `{"verdict": "unsupported"}`')
def test_unknown_request(codec_program: Codec) -> None:
    answer = codec_program.ask("sing")
    assert answer.get("verdict") == "unsupported", f"the answer to an unknown request is {json.dumps(answer)}"


@pytest.mark.parametrize("vector", vectors())
def test_vector(codec_program: Codec, vector: Vector) -> None:
    answer = codec_program.ask(vector["request"])
    wrong = [name for name, value in vector["reply"].items() if answer.get(name) != value]
    if wrong:
        raise Violation(
            f"vector {vector['id']} ({vector['comment']}): the codec's {', '.join(wrong)} is another",
            expected=json.dumps({name: vector["reply"][name] for name in wrong}, ensure_ascii=False),
            actual=json.dumps({name: answer.get(name) for name in wrong}, ensure_ascii=False),
            guilty=_frame(vector["request"]),
        )


@clause("CON-13", quote="end with exit code 0 at end of file")
def test_end_of_file(codec_program: Codec) -> None:
    codec_program.ask("sing")
    code = codec_program.finish()
    assert code == 0, f"at end of file the codec ended with {code}"


def _frame(request: str) -> Guilty | None:
    words = request.split(" ")
    return Guilty(bytes.fromhex(words[-1])) if words[0] in FRAME_REQUESTS and words[-1] != "-" else None
