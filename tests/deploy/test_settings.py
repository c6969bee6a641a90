# SPDX-License-Identifier: MIT
"""What deploy/prosa-ddns says of settings that are wrong, and that its example is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import ROOT, Update, ddns
from names import new_key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name chat.example.org", 'line 1: "name chat.example.org" is not name = value'),
        ("# a comment\n\nnmae = chat.example.org", 'line 3: there is no setting "nmae"; there are address endpoint'),
        ("ttl = 60\nttl = 30", "line 2: ttl stands in line 1 already"),
        ("name = chat", 'line 1: name "chat" is not a whole name'),
        ("name = a..b.org", 'name "a..b.org" is not a whole name'),
        ("name = x.org\\nupdate delete example.org", "is not a whole name"),
        ("way = email", 'way "email" is not nsupdate or route53'),
        ("ttl = 0", 'ttl "0" is not a number of seconds'),
        ("ttl = 1e3", 'ttl "1e3"'),
        ("server = ns1 port", 'server "ns1 port" is not a name server'),
        ("address = everywhere", 'address "everywhere" is not ec2'),
        ("metadata = ftp://here", 'metadata "ftp://here" is not a URL'),
        ("endpoint = https://here/there", 'endpoint "https://here/there" is not a URL without a path'),
        ("name = chat.example.org", '"way" is missing; it is nsupdate or route53'),
        ("name = a.example.org\nway = nsupdate\nzone = example.org", '"server" is missing; it is a name server'),
        ("name = a.example.org\nway = nsupdate\nzone = ample.org\nserver = ns", 'is not in the zone "ample.org"'),
        ("name = a.example.org\nway = nsupdate\nzone = example.org\nserver = ns", "ddns.key holds no key; tsig-keygen"),
        ("name = a.example.org\nway = route53\nzone = example.org", 'line 3: zone "example.org" is not the id of'),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "ddns.conf"
    config.write_text(text)
    done = ddns("--config", str(config))
    assert done.returncode == 2, done.stderr
    assert f"prosa-ddns: {config}" in done.stderr or str(tmp_path / "ddns.key") in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("address", ["203.0.113.256", "2001:db8::7::1", "1.2.3", "192.0.2.1, 192.0.2"])
def test_an_address_that_is_none(update: Update, address: str) -> None:
    done = update(key=new_key("one"), server="127.0.0.1", address=address)
    assert done.returncode == 2, done.stderr
    assert f'line 5: "{address.split(", ")[-1]}" is not an address' in done.stderr


def test_words_of_the_command(tmp_path: Path) -> None:
    assert "--config FILE" in ddns("--help").stdout
    for words, said in (
        (["--config"], "a file has to follow"),
        (["now"], '"now" is no option'),
        (["--config", str(tmp_path / "none")], "none cannot be read; prosa-ddns(8) says what stands in it"),
        (["--config", str(tmp_path)], "cannot be read"),
    ):
        done = ddns(*words)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr


def test_a_missing_program_is_named_with_its_package(update: Update, tmp_path: Path) -> None:
    """Where the search path has all that it needs but dig."""
    for program in ("bash", "dirname", "grep", "curl", "perl", "tr", "sort", "paste"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    done = update(key=new_key("one"), server="127.0.0.1", address="192.0.2.1", env={"PATH": str(tmp_path)})
    assert done.returncode == 2, done.stderr
    assert "dig is missing; apt-get install bind9-dnsutils brings it" in done.stderr


def test_the_example_and_the_manual_show_every_setting(tmp_path: Path) -> None:
    known = re.search(r"there are (.*)", ddns("--config", str(write(tmp_path, "x = 1"))).stderr)
    assert known
    names = known[1].split()
    example = (ROOT / "deploy" / "ddns.conf").read_text()
    assert sorted(set(re.findall(r"^#?([a-z]+) = ", example, re.MULTILINE))) == names
    manual = (ROOT / "deploy" / "prosa-ddns.8").read_text()
    assert set(names) <= set(re.findall(r"^\.It Cm ([a-z0-9]+)$", manual, re.MULTILINE))
    shown = re.sub(r"^#([a-z]+ = )", r"\1", example, flags=re.MULTILINE)
    values = re.findall(r"^([a-z]+) = (.*)$", shown, re.MULTILINE)
    assert len(values) > len(names), "of address there are several"
    for value in values:
        lines = {**dict(values), **dict([value])}
        done = ddns("--config", str(write(tmp_path, "".join(f"{name} = {text}\n" for name, text in lines.items()))))
        assert "ddns.key holds no key" in done.stderr, f"{value} is good, and only the key is missing"


def write(folder: Path, text: str) -> Path:
    path = folder / "ddns.conf"
    path.write_text(text)
    return path
