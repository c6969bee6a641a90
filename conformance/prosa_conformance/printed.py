# SPDX-License-Identifier: MIT
"""What a program has printed, read without trust."""

from __future__ import annotations

import json
from typing import Any


def json_object(line: str) -> dict[str, Any] | None:
    """The JSON object of a line, or None: the line is none, or nests or counts deeper than anybody reads."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
