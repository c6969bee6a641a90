# SPDX-License-Identifier: MIT
"""The library stays pure: what its rooms may include is a short list, and only `sign` sees
libsodium and nettle. So there is no socket, clock, file, thread or print in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "libprosa"
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
CRYPTO = {"sodium.h", "nettle/sha2.h"}
ALLOWED = {"assert.h", "stdbool.h", "stddef.h", "stdint.h", "stdlib.h", "string.h"}
FILES = sorted([*LIBRARY.glob("src/*.[ch]"), *LIBRARY.glob("include/prosa/*.h")])


def foreign_includes(text: str, may_use_crypto: bool) -> list[str]:
    """The includes of a source that are neither the library's own nor allowed."""
    own = {path.name for path in LIBRARY.glob("src/*.h")}
    allowed = ALLOWED | own | (CRYPTO if may_use_crypto else set())
    return [name for name in INCLUDE.findall(text) if name not in allowed and not name.startswith("prosa/")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_room_includes_nothing_impure(path: Path) -> None:
    foreign = foreign_includes(path.read_text(encoding="utf-8"), may_use_crypto=path.name == "sign.c")
    assert not foreign, f"{path.name} includes {', '.join(foreign)}"


@pytest.mark.parametrize("header", ["sys/socket.h", "unistd.h", "time.h", "stdio.h", *sorted(CRYPTO)])
def test_impure_include_is_noticed(header: str) -> None:
    source = f"#include <stdint.h>\n  #  include <{header}>\n"
    assert foreign_includes(source, may_use_crypto=False) == [header]
