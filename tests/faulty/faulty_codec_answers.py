# SPDX-License-Identifier: MIT
"""Codecs whose answers are not of the form that sections 3.7 and 13.5 give them."""

from __future__ import annotations

import json
import sys
from typing import Any

from fault import breaks
from instead import Step, instead
from prosa_conformance import codec, codec_program
from prosa_conformance.codec import Frame, Ignored
from prosa_conformance.kinds import Value
from prosa_conformance.registry import Field

# --- the projection ---


@instead(codec, "_project_value", "WIRE-34")
def prints_numbers_as_numbers(project: Step, field: Field, value: Value) -> object:
    """Also those of 64 bits, which many readers of JSON round."""
    return value if field.kind == "u64" else project(field, value)


@instead(codec, "_project_value", "WIRE-34")
def knows_no_names_of_codes(project: Step, field: Field, value: Value) -> object:
    return value if field.name in ("code", "event") else project(field, value)


@instead(codec, "_project_value", "WIRE-34")
def prints_large_hexadecimal(project: Step, field: Field, value: Value) -> object:
    return value.hex().upper() if isinstance(value, bytes) else project(field, value)


@instead(codec, "_project_field", "WIRE-34")
def numbers_unknown_tags(project: Step, row: codec.FrameType, tag: int, value: bytes) -> tuple[str, object]:
    """Unknown tags are decimal to it."""
    name, shown = project(row, tag, value)
    return (str(tag) if name.startswith("0x") else name), shown


@instead(codec, "project", "WIRE-34")
def sorts_by_name(project: Step, decoded: Frame) -> dict[str, Any]:
    """The order of the wire is lost."""
    shown: dict[str, Any] = project(decoded)
    return {**shown, "fields": dict(sorted(shown["fields"].items()))}


@instead(codec, "project", "WIRE-34")
def counts_fields(project: Step, decoded: Frame) -> dict[str, Any]:
    """`length` is how many there are."""
    return {**project(decoded), "length": len(decoded.fields)}


@instead(codec, "project_ignored", "WIRE-34")
def names_what_it_ignores(project: Step, ignored: Ignored) -> dict[str, Any]:
    return {**project(ignored), "frame": "UNKNOWN"}


@instead(codec_program, "to_line", "WIRE-34")
def prints_text_raw(to_line: Step, reply: codec_program.Reply) -> str:
    """Characters that turn a line around or cannot be seen stand in it as they came."""
    return json.dumps(reply, ensure_ascii=False)


# --- the program ---


@instead(codec_program, "answer", "CON-13")
def answers_what_it_does_not_know(answer: Step, line: str) -> codec_program.Reply:
    reply: codec_program.Reply = answer(line)
    return {"verdict": "error", "error": "BAD_FRAME"} if reply == {"verdict": "unsupported"} else reply


@instead(codec_program, "octets", "CON-13")
def takes_large_letters_for_octets(octets: Step, word: str) -> bytes:
    return octets(word.lower())


@instead(codec_program, "octets", "CON-13")
def leaves_out_half_an_octet(octets: Step, word: str) -> bytes:
    """Of an odd number of digits the last is lost."""
    return octets(word if word == "-" else word[: len(word) // 2 * 2])


@instead(codec_program, "_arguments", "CON-13")
def ignores_words_too_many(arguments: Step, request: Step, words: list[str]) -> list[str]:
    most = request.__code__.co_argcount
    return arguments(request, words[:most])


@instead(codec_program, "_whole_frame", "CON-13")
def takes_any_frame(whole_frame: Step, word: str, *names: str) -> tuple[Frame, bytes]:
    """A frame of another type is looked at, too."""
    return whole_frame(word, *names, *(name for name in codec.FRAMES if name not in names))


@breaks("CON-13", level="L0")
def ends_with_one() -> None:
    codec_program.main()
    sys.exit(1)
