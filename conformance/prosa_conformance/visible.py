# SPDX-License-Identifier: MIT
"""Words that came over the wire, made harmless: what would steer a terminal or turn a line around is shown."""

from __future__ import annotations

import re
import unicodedata

# Controls, formats (bidirectional overrides, zero width), surrogates, the separators of lines, and what is none.
STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
LAYOUT = "\n\t"
PLAIN = re.compile(r"[ -~\n\t]*")


def visible(words: str) -> str:
    """The same words, with its number for each character that is no picture of itself."""
    return words if PLAIN.fullmatch(words) else "".join(map(_stand_in, words))


def _stand_in(character: str) -> str:
    if character in LAYOUT or unicodedata.category(character) not in STEERING:
        return character
    return f"<U+{ord(character):04X}>"
