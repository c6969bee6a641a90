# SPDX-License-Identifier: MIT
"""Words that came over the wire, made harmless: what would steer a terminal or turn a line around is shown."""

from __future__ import annotations

import re
import unicodedata

DELETE = 0x7F
CONTROL_PICTURES = 0x2400
DELETE_PICTURE = "\u2421"
# Controls, formats (bidirectional overrides, zero width), surrogates, and the separators of lines.
STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
LAYOUT = "\n\t"
PLAIN = re.compile(r"[ -~\n\t]*")


def visible(words: str) -> str:
    """The same words with a stand-in for each character that is no picture of itself."""
    return words if PLAIN.fullmatch(words) else "".join(map(_stand_in, words))


def _stand_in(character: str) -> str:
    number = ord(character)
    if character in LAYOUT or unicodedata.category(character) not in STEERING:
        return character
    if number < ord(" "):
        return chr(CONTROL_PICTURES + number)
    return DELETE_PICTURE if number == DELETE else f"<U+{number:04X}>"
