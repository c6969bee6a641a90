# SPDX-License-Identifier: MIT
"""What an engine tells about itself and about a container, as its versions say it."""

from __future__ import annotations

import pytest

from prosa_conformance.bounds import anonymous_memory, missing_limits

ABLE = {
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"],
}


def test_an_engine_that_can_do_everything() -> None:
    assert missing_limits(ABLE) == [], "nothing to warn of"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"MemoryLimit": False}, "does not limit memory"),
        ({"SwapLimit": False}, "does not limit swap"),
        ({"PidsLimit": False}, "does not limit the number of processes"),
        ({"CpuCfsQuota": False}, "does not limit the processor"),
        ({"SecurityOptions": None}, "no seccomp"),
        ({"SecurityOptions": ["name=apparmor"]}, "no seccomp"),
    ],
)
def test_what_an_engine_cannot_do_is_told(changed: dict[str, object], words: str) -> None:
    (told,) = missing_limits({**ABLE, **changed})
    assert words in told, told


def test_an_engine_that_tells_nothing_is_believed_to_do_nothing() -> None:
    assert len(missing_limits({})) == 5, "each limit, and seccomp"


@pytest.mark.parametrize(
    ("stats", "octets"),
    [
        ({"memory_stats": {"stats": {"rss": 4096, "swap": 100, "cache": 7}}}, 4196),
        ({"memory_stats": {"stats": {"rss": 4096}}}, 4096),
        ({"memory_stats": {"stats": {"anon": 8192, "file": 5}}}, 8192),
        ({"memory_stats": {}}, None),
        ({}, None),
    ],
)
def test_memory_by_both_versions_of_cgroups(stats: dict[str, object], octets: int | None) -> None:
    assert anonymous_memory(stats) == octets
