# SPDX-License-Identifier: MIT
"""What can be read in Dockerfile and compose file, without an engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TESTER = "conformance-image"

# What docker-compose 1.29 does not know, or Compose v2 warns of.
REFUSED_AT_TOP = {"name", "version", "include"}
REFUSED = {"deploy", "attach", "annotations", "develop", "gpus", "post_start", "pre_stop", "provider", "use_api_socket"}


def test_the_version_is_cmakes() -> None:
    version = re.search(r"^project\(prosa VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert version is not None
    assert f"\nARG VERSION={version[1]}\n" in DOCKERFILE


def test_the_oldest_builder_reads_the_dockerfile() -> None:
    unknown = re.findall(
        r"^# syntax=.*|--mount=.*|<<-?\s*['\"]?[A-Z]+|COPY --(?:link|chmod).*", DOCKERFILE, re.MULTILINE
    )
    assert not unknown, unknown


def test_every_folder_that_cmake_enters_is_copied() -> None:
    entered = re.findall(r"add_subdirectory\((\S+)\)", (ROOT / "CMakeLists.txt").read_text())
    missing = {name for name in entered if f"\nCOPY {name} /src/{name}\n" not in DOCKERFILE}
    assert missing == {"bench", "tests"}, "what PROSA_TESTS=OFF leaves out"


def test_old_and_new_compose_know_every_key() -> None:
    assert not REFUSED_AT_TOP & COMPOSE.keys()
    for name, service in SERVICES.items():
        assert not REFUSED & service.keys(), name
        needed = service.get("depends_on", {})
        extra = {key for wish in needed.values() for key in wish} if isinstance(needed, dict) else set()
        assert extra <= {"condition"}, f"{name} depends_on: {extra}"


def test_the_tester_of_images_has_no_network_and_three_rights() -> None:
    """Over the folders of the programs, which are other users'. It alone has the engine's socket."""
    service = SERVICES[TESTER]
    assert service["network_mode"] == "none"
    assert service["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert not {"networks", "privileged", "pid", "ipc"} & service.keys()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    with_socket = {name for name, one in SERVICES.items() if "docker.sock" in str(one.get("volumes"))}
    assert with_socket == {TESTER}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != TESTER])
def test_a_service_has_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"SETUID", "SETGID"}, "the suite becomes somebody, nothing else"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "cpus"} <= service.keys()
    assert service.get("networks") == ["inside"] or service["network_mode"].removeprefix("service:") in SERVICES
    assert not {"privileged", "pid", "ipc"} & service.keys()


def test_the_network_leads_nowhere() -> None:
    """And has no addresses of its own, which two clones could not have at once."""
    assert COMPOSE["networks"] == {"inside": {"internal": True}}


def test_without_a_word_it_is_the_server_and_the_suite() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"server", "conformance"}
