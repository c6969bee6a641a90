# SPDX-License-Identifier: MIT
"""deploy/prosa-ddns against what plays Route 53 and recomputes each signature; a real BIND 9 says what the
record is."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Update
from metadata import Metadata
from names import NAME, Names
from route53 import Change, Route53

FIRST = "203.0.113.7"
HOSTED = "Z0123456789ABC"
ROLE = "prosa-ddns"


@pytest.fixture
def service(cloud: Metadata) -> Iterator[Route53]:
    """With credentials as they come: letters, digits and `+/=`."""
    session = secrets.token_urlsafe(300).replace("-", "+").replace("_", "/") + "=="
    service = Route53("ASIA" + secrets.token_hex(8).upper(), "s3/cr+" + secrets.token_hex(17), session)
    service.start()
    cloud.told["public-ipv4"] = FIRST
    cloud.give_role(ROLE, service.access, service.secret, session)
    yield service
    service.shutdown()
    service.server_close()


@pytest.fixture
def settings(names: Names, cloud: Metadata, service: Route53) -> dict[str, str]:
    return {
        "way": "route53", "zone": HOSTED, "server": names.server, "metadata": cloud.url, "endpoint": service.url
    }


def test_a_signed_change(service: Route53, settings: dict[str, str], cloud: Metadata, update: Update) -> None:
    cloud.told["ipv6"] = "2001:db8::7"
    done = update(**settings)
    assert done.returncode == 0, done.stderr
    (request,) = service.requests
    assert request.faults == []
    assert request.path == f"/2013-04-01/hostedzone/{HOSTED}/rrset/"
    assert sorted(request.changes, key=lambda change: change.type) == [
        Change("UPSERT", f"{NAME}.", "A", 60, [FIRST]),
        Change("UPSERT", f"{NAME}.", "AAAA", 60, ["2001:db8::7"]),
    ]


def test_a_wrong_secret_makes_a_wrong_signature(service: Route53, settings: dict[str, str], update: Update) -> None:
    """Otherwise the test above would prove nothing."""
    service.secret += "x"
    done = update(**settings)
    assert done.returncode == 1, done.stderr
    assert [fault.split(" is ")[0] for fault in service.requests[0].faults] == ["signature"]


def test_nothing_is_sent_when_the_record_is_right(
    service: Route53, settings: dict[str, str], names: Names, update: Update, tmp_path: Path
) -> None:
    names.change(tmp_path, f"update add {NAME}. 60 A {FIRST}")
    done = update(**settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert service.requests == []


def test_a_refusal_is_told_without_what_it_quotes(service: Route53, settings: dict[str, str], update: Update) -> None:
    service.refuse = (
        403,
        "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"
        f"<Message>The Canonical String should have been x-amz-security-token:{service.session}</Message></Error>"
        "</ErrorResponse>",
    )
    done = update(**settings)
    assert done.returncode == 1, done.stderr
    assert "403 SignatureDoesNotMatch" in done.stderr
    assert f"may the role {ROLE} change it?" in done.stderr
    assert service.session not in done.stderr


def test_no_secret_stands_in_a_command_line(
    service: Route53, settings: dict[str, str], cloud: Metadata, update: Update, tmp_path: Path
) -> None:
    """Everybody on a host can read those. A curl before curl writes down with which words it is called."""
    calls, programs = tmp_path / "calls", tmp_path / "programs"
    programs.mkdir()
    (programs / "curl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{calls}\nexec {shutil.which("curl")} "$@"\n')
    (programs / "curl").chmod(0o755)
    done = update(**settings, env={"PATH": f"{programs}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    called = calls.read_text()
    assert service.url in called, "it was this curl"
    for secret in (service.secret, service.session, *cloud.tokens):
        assert secret not in called + done.stdout + done.stderr


def test_an_instance_without_a_role(
    service: Route53, settings: dict[str, str], cloud: Metadata, update: Update
) -> None:
    del cloud.told["iam/security-credentials/"]
    done = update(**settings)
    assert done.returncode == 1, done.stderr
    assert "this instance has no role" in done.stderr
    assert service.requests == []


def test_no_route_53_there(service: Route53, settings: dict[str, str], update: Update) -> None:
    service.server_close()
    done = update(**settings)
    assert done.returncode == 1, done.stderr
    assert f"Route 53 does not answer at {service.url}" in done.stderr
