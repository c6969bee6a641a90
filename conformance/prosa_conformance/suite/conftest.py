# SPDX-License-Identifier: MIT
"""The fixtures of every test here."""

from prosa_conformance.fixtures import (  # noqa: F401
    case,
    chat,
    codec_program,
    fresh_server,
    newcomer,
    pool,
    relay,
    scripted_server,
    server,
    start_client,
)
