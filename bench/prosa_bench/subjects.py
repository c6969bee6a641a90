# SPDX-License-Identifier: MIT
"""Who is measured: the reference, the floors, and peers from the distribution's packages, each with the settings
that are fair to it: no log on a disk, no penalty for speaking fast, room for all connections.

`hint` is roughly how many deliveries a second one makes; it only sets how long a pass lasts, never what comes out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prosa_bench.child import Command

CONNECTIONS = 20_000  # that a peer is told to allow


@dataclass(frozen=True)
class Place:
    """Where one start happens: an empty folder, and ports that are free."""

    programs: Path  # build/default
    folder: Path
    ports: tuple[int, int]

    @property
    def port(self) -> int:
        return self.ports[0]

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@dataclass(frozen=True)
class Subject:
    name: str
    dialect: str  # of bench/load
    hint: int
    start: Callable[[Place], Command]
    kind: str = "peer"  # or "prosa", "floor"
    signs: bool = False
    package: str = ""  # where it comes from; "" when it is of this tree
    program: str = ""
    cores: int = 1
    at_once: int = 24  # members that may arrive at a time; PROSA/1 has 64 places for strangers

    def lacks(self) -> str:
        """Why it cannot be measured; empty when it can."""
        if not self.program or find(self.program) is not None:
            return ""
        return f"not installed (Debian's package {self.package})"


def find(program: str) -> str | None:
    """Also where only an administrator looks."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


# --- of this tree ---


def prosa(*, durable: bool = False, verifiers: int = 1) -> Callable[[Place], Command]:
    def start(place: Place) -> Command:
        words = [str(place.programs / "bin" / "prosa-server"), "--port", str(place.port), "--data", str(place.folder)]
        words += ["--verifiers", str(verifiers), "--log-level", "warn", "--exempt", "127.0.0.1"]
        words += ["--timers", "max_window=256", "--metrics", f"127.0.0.1:{place.ports[1]}"]
        words += [] if durable else ["--memory"]
        return Command(words, place.port, says_ready=True)

    return start


def relay(*flags: str) -> Callable[[Place], Command]:
    def start(place: Place) -> Command:
        words = [str(place.programs / "bench" / "relay"), str(place.port), *flags]
        return Command(words, place.port, says_ready=True)

    return start


def zeromq(place: Place) -> Command:
    words = [str(place.programs / "bench" / "proxy"), *map(str, place.ports)]
    return Command(words, place.port, says_ready=True)


# --- of others ---


def redis(place: Place) -> Command:
    words = [find("redis-server") or "redis-server", "--port", str(place.port), "--bind", "127.0.0.1", "--save", ""]
    words += ["--appendonly", "no", "--dir", str(place.folder), "--maxclients", str(CONNECTIONS)]
    return Command(words, place.port)


def nats(place: Place) -> Command:
    config = place.write(
        "nats.conf", f"listen: 127.0.0.1:{place.port}\nmax_connections: {CONNECTIONS}\nwrite_deadline: 10s\n"
    )
    return Command([find("nats-server") or "nats-server", "--config", config], place.port)


def mosquitto(place: Place) -> Command:
    lines = [f"listener {place.port} 127.0.0.1", "allow_anonymous true", "persistence false", "log_type none"]
    lines += ["set_tcp_nodelay true", "max_queued_messages 0", "user root"]
    config = place.write("mosquitto.conf", "\n".join(lines) + "\n")
    return Command([find("mosquitto") or "mosquitto", "-c", config], place.port)


def ngircd(place: Place) -> Command:
    text = f"""[Global]
Name = bench.local
Info = bench
Ports = {place.port}
Listen = 127.0.0.1
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 600
PongTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
"""
    return Command([find("ngircd") or "ngircd", "-n", "-f", place.write("ngircd.conf", text)], place.port)


def inspircd(place: Place) -> Command:
    most = f'localmax="{CONNECTIONS}" globalmax="{CONNECTIONS}" limit="{CONNECTIONS}"'
    text = f"""<server name="bench.local" description="bench" id="97K" network="bench">
<admin name="bench" nick="bench" email="bench@bench.local">
<bind address="127.0.0.1" port="{place.port}" type="clients">
<connect name="all" allow="*" {most} maxconnwarn="off" timeout="60" pingfreq="600" useident="no" resolvehostnames="no"
  softsendq="64M" hardsendq="64M" recvq="1M" threshold="1000000" commandrate="1000000000" fakelag="no" maxchans="20">
<performance somaxconn="4096" softlimit="{CONNECTIONS}" clonesonconnect="no">
<options defaultmodes="t" prefixquit="Quit: " hostintopic="no">
<dns server="127.0.0.1" timeout="1">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{place.folder}/inspircd.log">
"""
    words = [find("inspircd") or "inspircd", "--config", place.write("inspircd.conf", text)]
    return Command([*words, "--nofork", "--nopid", "--runasroot"], place.port)


PROSA = Subject("prosa", "prosa", 1_500_000, prosa(), kind="prosa", signs=True)
PROSA_2 = Subject("prosa, 2 cores", "prosa", 2_500_000, prosa(verifiers=2), kind="prosa", signs=True, cores=2)
DURABLE = Subject("prosa, durable", "prosa", 1_200_000, prosa(durable=True), kind="prosa", signs=True)
DURABLE_2 = Subject(
    "prosa, durable, 2 cores", "prosa", 2_000_000, prosa(durable=True, verifiers=2), kind="prosa", signs=True, cores=2
)
RELAY = Subject("relay", "relay", 10_000_000, relay(), kind="floor")
VERIFYING = Subject("verifying relay", "relay", 2_200_000, relay("--verify"), kind="floor", signs=True)
REDIS = Subject("redis", "redis", 4_000_000, redis, package="redis-server", program="redis-server")
NATS = Subject("nats", "nats", 4_000_000, nats, package="nats-server", program="nats-server")
MOSQUITTO = Subject("mosquitto", "mqtt", 120_000, mosquitto, package="mosquitto", program="mosquitto")
NGIRCD = Subject("ngircd", "irc", 700_000, ngircd, package="ngircd", program="ngircd")
# It greets whoever has come once a second.
INSPIRCD = Subject(
    "inspircd", "irc", 3_000_000, inspircd, package="inspircd", program="inspircd", at_once=1_000
)
ZEROMQ = Subject("zeromq proxy", "zmtp", 4_000_000, zeromq)

FLOORS = (RELAY, VERIFYING)
PEERS = (REDIS, NATS, MOSQUITTO, NGIRCD, INSPIRCD, ZEROMQ)
ALL = (PROSA, *FLOORS, *PEERS)
