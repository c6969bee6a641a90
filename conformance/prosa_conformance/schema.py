# SPDX-License-Identifier: MIT
"""The former name of some tables of the registry."""

from prosa_conformance.codec import NAMED_NUMBERS
from prosa_conformance.registry import CONSTANTS, FIELDS, FRAMES, GREASE_TAGS

CODES = NAMED_NUMBERS["code"]

__all__ = ["CODES", "CONSTANTS", "FIELDS", "FRAMES", "GREASE_TAGS"]
