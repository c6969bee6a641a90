# SPDX-License-Identifier: MIT
"""A host in a cloud, booted: systemd starts what cloud-init.yaml has installed, the updater tells a real BIND 9
where the host is, and after the host has moved a client finds it again by its name, and knows it by its key.

An instance is a container with systemd as its first process. It may mount and look at processes, as a machine's
own root may: that is what the hardening of the units takes. It has no more of this machine than that.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from engine import DEADLINE_S, Container, Engine, Lines
from names import NAME, ZONE, configure, new_key, secret_of

HERE = Path(__file__).parent
PORT = 65432
MACHINE = (
    "--tty", "--cgroupns", "private", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--cap-add", "NET_ADMIN",
    "--security-opt", "apparmor=unconfined", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
)


@dataclass
class Scene:
    engine: Engine
    names: Container
    host: Container
    key: str
    console: Lines
    updated: Lines  # the updater's journal
    deb: Path

    def resolved(self) -> str:
        return self.names.run("dig", "+short", "@127.0.0.1", NAME, "A").strip()

    def fingerprint(self) -> str:
        said = self.host.run("journalctl", "--unit", "prosa-server", "--output", "cat", "--grep", "fingerprint")
        return re.findall(r"fingerprint ((?:[0-9a-f]{4} ?){8})", said)[-1]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def images(engine: Engine) -> dict[str, str]:
    subprocess.run([ROOT / "docker" / "base"], timeout=DEADLINE_S, check=True)
    found = {name: f"prosa-deploy-{name}" for name in ("host", "names")}
    for target, tag in found.items():
        words = ("--quiet", "--file", str(HERE / "Dockerfile"), "--target", target, "--tag", tag)
        engine.docker("build", *words, str(ROOT))
    return found


@pytest.fixture(scope="module")
def scene(engine: Engine, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Name server, cloud and host, with the template filled in as deploy/README.md says; the host is set up."""
    folder = tmp_path_factory.mktemp("deploy")
    key = new_key("one")
    names = start_names(engine, images["names"], folder, key)
    start_cloud(engine, images["names"])
    (deb,) = (ROOT / "build" / "package").glob("prosa_*.deb")
    host = engine.create("host", images["host"], options=MACHINE)
    host.copy(deb, f"/root/{deb.name}")
    fill_in(folder, deb)
    host.copy(folder / "seed", "/var/lib/cloud/seed/nocloud")
    (folder / "ddns.key").write_text(key)
    (folder / "ddns.key").chmod(0o600)
    host.copy(folder / "ddns.key", "/etc/prosa-ddns.key")
    host.start()
    console = host.console()
    console.until(lambda line: "prosa: set up after" in line)
    journal = ("journalctl", "--follow", "--lines", "all", "--output", "cat", "--unit", "prosa-ddns")
    return Scene(engine, names, host, key, console, host.follow(*journal), deb)


def start_names(engine: Engine, image: str, folder: Path, key: str) -> Container:
    conf = folder / "names"
    conf.mkdir()
    configure(conf, "listen-on { any; };", key, work="/names")
    (conf / "one.key").write_text(key)
    names = engine.create("ns", image, "named", "-g", "-n", "1", "-c", "/names/named.conf")
    names.copy(conf, "/names")
    names.start()
    names.console().until(lambda line: line.endswith(" running"))
    return names


def start_cloud(engine: Engine, image: str) -> None:
    cloud = engine.create("cloud", image, "python3", "/metadata.py", "0.0.0.0", "80")
    cloud.copy(HERE / "metadata.py", "/metadata.py")
    cloud.start()
    cloud.console().until(lambda line: line == "READY")


def fill_in(folder: Path, deb: Path) -> None:
    data = yaml.safe_load((ROOT / "deploy" / "cloud-init.yaml").read_text())
    files = {file["path"]: file for file in data["write_files"]}
    files["/etc/prosa/package"]["content"] = (
        f"url=file:///root/{deb.name}\nsha256={hashlib.sha256(deb.read_bytes()).hexdigest()}\n"
    )
    files["/etc/prosa/ddns.conf"]["content"] = (
        f"name = {NAME}\nway = nsupdate\nzone = {ZONE}\nserver = ns\nmetadata = http://cloud\n"
    )
    # A person brings the key by ssh; here it lies there already.
    data["runcmd"].insert(0, ["mv", "/etc/prosa-ddns.key", "/etc/prosa/ddns.key"])
    seed = folder / "seed"
    seed.mkdir()
    (seed / "user-data").write_text("#cloud-config\n" + yaml.safe_dump(data))
    (seed / "meta-data").write_text("instance-id: i-0123456789abcdef0\n")


def test_it_is_set_up_and_says_who_it_is(scene: Scene) -> None:
    scene.host.run("cloud-init", "status", "--wait")
    scene.updated.until(lambda line: line == f"prosa-ddns: {NAME} is set")
    assert scene.host.run("systemctl", "--failed", "--plain", "--no-legend") == ""
    fingerprint = f"fingerprint {scene.fingerprint()}"
    assert [line for line in scene.console.seen if fingerprint in line], "it is on the console"
    for unit in ("prosa-server.service", "prosa-ddns.timer", "nftables.service"):
        assert scene.host.run("systemctl", "is-enabled", unit) == "enabled\n"


def test_the_services_are_nobody_and_may_nothing(scene: Scene) -> None:
    pid = scene.host.run("systemctl", "show", "--value", "--property", "MainPID", "prosa-server").strip()
    status = dict(re.findall(r"^(\w+):\t(.*)$", scene.host.run("cat", f"/proc/{pid}/status"), re.MULTILINE))
    assert "0" not in status["Uid"].split()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    inside = ("nsenter", "--target", pid, "--mount")
    assert scene.host.run(*inside, "ls", "/home", "/root").split() == ["/home:", "/root:"]
    scene.host.run(*inside, "touch", "/etc/x", code=1)
    assert scene.host.run("stat", "--format", "%a %U", "/etc/prosa/ddns.key") == "600 root\n"


def test_the_updater_told_where_it_is(scene: Scene) -> None:
    """And it says nothing when it has nothing to say."""
    assert scene.resolved() == scene.host.address()
    assert secret_of(scene.key) not in scene.host.run("journalctl", "--output", "cat")
    scene.host.run("systemctl", "start", "prosa-ddns")
    again: list[str] = []
    scene.updated.until(lambda line: again.append(line) or line.startswith("Finished prosa-ddns.service"))
    assert not [line for line in again if line.startswith("prosa-ddns:")]


def test_an_interface_s_address(scene: Scene) -> None:
    """Elsewhere than on EC2; the same service, with another setting."""
    scene.host.run("sh", "-c", "echo 'address = interface eth0' >> /etc/prosa/ddns.conf")
    delete = f"server 127.0.0.1\\nzone {ZONE}\\nupdate delete {NAME} A\\nsend\\n"
    scene.names.run("sh", "-c", f"printf '{delete}' | nsupdate -k /names/one.key")
    assert scene.resolved() == ""
    scene.host.run("systemctl", "start", "prosa-ddns")
    assert scene.resolved() == scene.host.address()
    scene.host.run("sed", "-i", "/^address/d", "/etc/prosa/ddns.conf")


def test_a_package_that_is_another_is_refused(scene: Scene) -> None:
    scene.host.run("sed", "-i", "s/^sha256=./sha256=0/;s/^sha256=0\\(.*\\).$/sha256=0\\1f/", "/etc/prosa/package")
    assert "is not the package that was meant" in scene.host.run("prosa-setup", code=1)
    assert scene.host.run("systemctl", "is-active", "prosa-server") == "active\n"


def test_only_two_ports_can_be_reached(scene: Scene) -> None:
    """A packet to any other is dropped: nothing comes back until the prober gives up."""
    def probe(port: int, code: int) -> None:
        scene.names.run("timeout", "3", "bash", "-c", f"</dev/tcp/host/{port}", code=code)

    probe(PORT, 0)
    probe(22, 1)  # nobody listens in this container, and the kernel says so
    probe(9432, 124)


def event(lines: Lines, name: str, **members: str) -> dict[str, object]:
    """The next event of this name with these members."""
    found: dict[str, object] = {}

    def wanted(line: str) -> bool:
        nonlocal found
        found = json.loads(line) if line.startswith("{") else {}
        return found.get("event") == name and all(found.get(key) == value for key, value in members.items())

    lines.until(wanted)
    return found


def test_clients_find_it_after_it_has_moved(scene: Scene, images: dict[str, str]) -> None:
    """The instance is stopped and started: the same disk, another address, and the old one is somebody else's."""
    client = scene.engine.create(
        "client", images["host"], "bash", "-c", f"dpkg --install /root/{scene.deb.name} >/dev/null"
        f" && exec prosa-client --json --nick ada --room lobby --data /root/chat {NAME}:{PORT}",
        options=("--interactive", "--dns", scene.names.address()),
    )
    client.copy(scene.deb, f"/root/{scene.deb.name}")
    ada = client.talk()
    key = event(ada, "joined", room="lobby")["server_key"]
    ada.say("before")
    event(ada, "message", text="before", own=True)
    pins = client.run("cat", "/root/chat/pins")
    assert pins.startswith(f"{NAME}:{PORT} ")
    assert str(key) in pins

    old = scene.host.address()
    scene.host.stop()
    assert event(ada, "disconnected")["again"] is True
    ada.say("while it moves")
    scene.host.move(before=scene.engine.create("neighbour", images["names"], "sleep", "infinity").start)
    scene.host.start()

    joined = event(ada, "joined", room="lobby")
    assert (joined["server_key"], joined["lost_history"]) == (key, False)
    event(ada, "message", text="while it moves", own=True)
    new = scene.host.address()
    assert new != old
    assert scene.resolved() == new
    journal = scene.host.run("journalctl", "--output", "cat", "--unit", "prosa-ddns")
    assert f"{NAME} A becomes {new}, was {old}" in journal
    assert client.run("cat", "/root/chat/pins") == pins

    # Somebody else under the same name is not taken for it.
    scene.host.run("systemctl", "stop", "prosa-server")
    scene.host.run("sh", "-c", "rm /var/lib/private/prosa/*")
    scene.host.run("systemctl", "start", "prosa-server")
    assert event(ada, "closed")["exit"] == 4
    assert ada.ended() == 4
