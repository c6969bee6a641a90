# SPDX-License-Identifier: MIT
"""The fixtures of every test here."""

from prosa_conformance.fixtures import (  # noqa: F401
    case,
    codec_program,
    fresh_server,
    pool,
    scripted_server,
    server,
    start_client,
)
