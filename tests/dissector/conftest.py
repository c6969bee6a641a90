# SPDX-License-Identifier: MIT
"""The session is recorded once, and each test dissects it in its own way.

PROSA_SERVER is the command of the server to record.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))

from recorded import record
from tshark import Tshark

from prosa_conformance.pcap import Conversation


@pytest.fixture(scope="session")
def tshark() -> Iterator[Tshark]:
    with tempfile.TemporaryDirectory(prefix="prosa-dissector-") as folder:
        Path(folder).chmod(0o755)
        yield Tshark(Path(folder))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Conversation, Conversation]:
    command = os.environ.get("PROSA_SERVER", str(ROOT / "build" / "default" / "bin" / "prosa-server"))
    return record(command, tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="session")
def alice(recording: tuple[Conversation, Conversation]) -> Conversation:
    return recording[0]


@pytest.fixture(scope="session")
def bob(recording: tuple[Conversation, Conversation]) -> Conversation:
    return recording[1]
