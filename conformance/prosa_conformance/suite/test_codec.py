# SPDX-License-Identifier: MIT
"""Level L0: every vector of spec/vectors, asked of a codec program (section 13.5)."""

import json
from typing import Any

import pytest

from prosa_conformance import codec
from prosa_conformance.clauses import clause, gate, shown_by_vector
from prosa_conformance.codec_subject import Codec
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.places import SPEC
from prosa_conformance.suite.test_printing import UNPRINTABLE

Vector = dict[str, Any]
FRAME_REQUESTS = ("decode", "message", "checkpoint")
CAP = 16384


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


@clause("WIRE-34", quote="MUST print the projection of this section")
def test_fields_stand_in_wire_order(codec_program: Codec) -> None:
    unknown = [(0x0001, b"first"), (0x0A0B, b"last")]
    join = codec.frame("JOIN", room="@host", send_window=1, recv_window=64, extra=unknown)
    answer = codec_program.ask(f"decode client {CAP} {codec.encode(join).hex()}")
    shown = " ".join(answer.get("frame", {}).get("fields", {}))
    wanted = "0x0001 room send_window recv_window 0x0a0b"
    assert shown == wanted, f"the fields are shown in the order {shown}; on the wire it is {wanted}"


@clause("WIRE-34", quote="MUST print the projection of this section")
def test_what_cannot_be_shown_is_escaped(codec_program: Codec) -> None:
    """The characters of MSG-19 in a line that people may look at."""
    text = "".join(UNPRINTABLE)
    octets = codec.encode(codec.frame("BYE", code="NORMAL", reason=text))
    line = codec_program.ask_for_line(f"decode client {CAP} {octets.hex()}")
    raw = [f"U+{ord(character):04X}" for character in UNPRINTABLE if character in line]
    assert not raw, f"in the codec's line stand, as they came: {', '.join(raw)}"


@clause("CON-13", quote="end with exit code 0 at end of file")
def test_end_of_file(codec_program: Codec) -> None:
    codec_program.ask("sing")
    code = codec_program.finish()
    assert code == 0, f"at end of file the codec ended with {code}"


def _frame(request: str) -> Guilty | None:
    """The frame that a request is about, if its last word is one."""
    first, *_, last = request.split(" ")
    try:
        return Guilty(bytes.fromhex(last)) if first in FRAME_REQUESTS else None
    except ValueError:
        return None
