# SPDX-License-Identifier: MIT
"""Chapter 5: what a server shows to people of the text that came over the wire."""

from prosa_conformance import codec
from prosa_conformance.clauses import clause
from prosa_conformance.server import Server

RANGES = (
    (0x01, 0x1F), (0x7F, 0x9F), (0x61C, 0x61C), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x2069), (0xFEFF, 0xFEFF),
)  # fmt: skip
UNPRINTABLE = [chr(number) for first, last in RANGES for number in range(first, last + 1)]
SOME = "\x07\x1b\x9b\u202e\u200b\r\n"


def between_brackets(characters: str) -> str:
    """Each character between brackets, so that it is known again in what a program prints."""
    return "".join(f"[{character}]" for character in characters)


def assert_printable(lines: list[str]) -> None:
    """No character of UNPRINTABLE stands raw in these lines; U+000A only before an indent."""
    for line in lines:
        raw = [f"U+{ord(character):04X}" for character in UNPRINTABLE if f"[{character}]" in line]
        assert not raw, f"the server printed {', '.join(raw)} as it came over the wire: {line!a:.200}"
        assert not line.startswith("]"), (
            f"a U+000A of the wire begins a line that looks like the server's own: {line!a}"
        )


@clause(
    "MSG-19",
    quote="MUST NOT print C0 or C1 control characters, bidirectional controls or zero-width characters",
    role="server",
    needs=["process", "answers"],
)
def test_text_and_display(fresh_server: Server) -> None:
    alice = fresh_server.connect("alice")
    alice.hello()
    alice.expect_challenge()
    alice.auth(display=between_brackets(SOME))
    alice.expect_welcome()
    room = alice.join()
    publish = alice.publish(room, between_brackets("".join(UNPRINTABLE)), display=between_brackets(SOME))
    fresh_server.see_answered(alice, publish, reply="I see")
    alice.leave_politely()
    assert_printable(fresh_server.said())


@clause("MSG-19", quote="not in text, display or reason, and not in logs", role="server", needs=["process"])
def test_reason(fresh_server: Server) -> None:
    for name, code in (("ERROR", "SEQ_GAP"), ("BYE", "NORMAL")):
        peer = fresh_server.login(name.lower())
        peer.send(codec.frame(name, code=code, reason=between_brackets(SOME)))
        peer.half_close()
        peer.expect_until_end()
    assert_printable(fresh_server.said())
