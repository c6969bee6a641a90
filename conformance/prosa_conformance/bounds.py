# SPDX-License-Identifier: MIT
"""What a program in an image may take (section 13.7), and what an engine tells of that. Asks no engine itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prosa_conformance.language import N_, _

MEMORY_MB = 256
PROCESSES = 128
CPUS = 1
FILE_MB = 64  # the longest file
TMP_MB = 64
SHARED_MB = 16  # of memory that processes share
DESCRIPTORS = 1024

# What an engine may be unable to hold a program to, by the name that it has in `docker info`.
LIMITS = {
    "MemoryLimit": N_("this engine does not limit memory: a program that takes all of it can halt this machine"),
    "SwapLimit": N_("this engine does not limit swap: a program that takes much memory can slow this machine down"),
    "PidsLimit": N_("this engine does not limit the number of processes: a program that forks for ever can halt it"),
    "CpuCfsQuota": N_("this engine does not limit the processor: a busy program takes all of it"),
}
NO_SECCOMP = N_("this engine does not restrict system calls (no seccomp)")


def missing_limits(told: Mapping[str, Any]) -> list[str]:
    """What an engine cannot hold a program to, in words; `told` is what it says about itself."""
    missing = [_(words) for name, words in LIMITS.items() if not told.get(name)]
    if not any("seccomp" in option for option in told.get("SecurityOptions") or ()):
        missing.append(_(NO_SECCOMP))
    return missing


def anonymous_memory(stats: Mapping[str, Any]) -> int | None:
    """The octets of a container that no file stands behind, from the engine's statistics (cgroup v1 or v2)."""
    told = stats.get("memory_stats", {}).get("stats", {})
    if "anon" in told:
        return int(told["anon"])
    return int(told["rss"]) + int(told.get("swap", 0)) if "rss" in told else None
