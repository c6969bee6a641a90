# SPDX-License-Identifier: MIT
"""deploy/prosa-ddns against a real BIND 9 that takes updates of one name by one key (RFC 2136)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from conftest import Update
from metadata import Metadata
from names import NAME, Names, new_key, secret_of

FIRST, SECOND = "203.0.113.7", "198.51.100.20"


def test_the_record_is_set_and_left_alone_when_it_is_right(names: Names, cloud: Metadata, update: Update) -> None:
    cloud.told |= {"public-ipv4": FIRST, "ipv6": "2001:db8:0:0::7"}
    settings = {"key": names.key, "server": names.server, "metadata": cloud.url}
    done = update(**settings)
    assert done.returncode == 0, done.stderr
    assert names.ask("A") == [f"60 {FIRST}"]
    assert names.ask("AAAA") == ["60 2001:db8::7"], "in the form that compares"
    assert f"{NAME} A becomes {FIRST}, was nothing" in done.stderr
    serial = names.serial()
    done = update(**settings)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "nothing to do is nothing to say"
    assert names.serial() == serial, "nothing was sent"


def test_a_new_address_takes_the_place_of_the_old(names: Names, cloud: Metadata, update: Update) -> None:
    settings = {"key": names.key, "server": names.server, "metadata": cloud.url, "ttl": "30"}
    for address in (FIRST, SECOND):
        cloud.told["public-ipv4"] = address
        done = update(**settings)
        assert done.returncode == 0, done.stderr
        assert names.ask("A") == [f"30 {address}"]
    assert f"{NAME} A becomes {SECOND}, was {FIRST}" in done.stderr


def test_what_others_changed_is_set_right(names: Names, cloud: Metadata, update: Update, tmp_path: Path) -> None:
    cloud.told["public-ipv4"] = FIRST
    settings = {"key": names.key, "server": names.server, "metadata": cloud.url}
    assert update(**settings).returncode == 0
    names.change(tmp_path, f"update add {NAME}. 60 A {SECOND}", f"update add {NAME}. 60 AAAA 2001:db8::1")
    assert len(names.ask("A")) == 2
    assert update(**settings).returncode == 0
    assert names.ask("A") == [f"60 {FIRST}"]
    assert names.ask("AAAA") == ["60 2001:db8::1"], "of a family that the host does not have nothing is removed"


def test_systemd_hands_the_key_over(names: Names, update: Update, tmp_path: Path) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "ddns.key").write_text(names.key)
    env = {"CREDENTIALS_DIRECTORY": str(handed)}
    done = update(key=new_key("wrong"), env=env, server=names.server, address=f"{FIRST}, 2001:DB8:0::7")
    assert done.returncode == 0, done.stderr
    assert names.ask("A") + names.ask("AAAA") == [f"60 {FIRST}", "60 2001:db8::7"]


def test_a_key_that_the_zone_does_not_take(names: Names, update: Update) -> None:
    for key, said in ((new_key("one"), "BADSIG"), (new_key("stranger"), "BADKEY"), (names.others[0], "REFUSED")):
        done = update(key=key, server=names.server, address=FIRST)
        assert done.returncode == 1, done.stderr
        assert said in done.stderr, "the server's word"
        assert "may the key of" in done.stderr, "what to look at"
        assert secret_of(key) not in done.stdout + done.stderr
    assert names.ask("A") == []


def test_no_name_server_there(update: Update) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening
        port = taken.getsockname()[1]
        done = update(key=new_key("one"), server=f"127.0.0.1 {port}", address=FIRST)
    assert done.returncode == 1, done.stderr
    assert f"127.0.0.1 {port} did not take the update" in done.stderr


# --- where the address comes from ---


@pytest.fixture
def page() -> Iterator[HTTPServer]:
    """It answers with `text`, which a test sets."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.server.text else 503)
            self.end_headers()
            self.wfile.write(self.server.text.encode())

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_page_says_the_address(names: Names, update: Update, page: HTTPServer) -> None:
    url = f"http://127.0.0.1:{page.server_port}/ip"
    for text, code, said in (
        (f" {FIRST}\r\n", 0, f"becomes {FIRST}"),
        ("<html>no", 3, f'{url}: "<html>no" is not an address'),
        ("", 3, f"{url} answers with 503"),
    ):
        page.text = text
        done = update(key=names.key, server=names.server, address=url)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert names.ask("A") == [f"60 {FIRST}"]


def test_an_instance_without_a_public_address(cloud: Metadata, update: Update) -> None:
    done = update(key=new_key("one"), server="127.0.0.1", metadata=cloud.url)
    assert done.returncode == 3, done.stderr
    assert "this host has no public address" in done.stderr


def test_a_host_without_metadata(update: Update) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = update(key=new_key("one"), server="127.0.0.1", metadata=url)
    assert done.returncode == 3, done.stderr
    assert f"no instance metadata of EC2 at {url}: it does not answer" in done.stderr
    assert 'give "address" in' in done.stderr, "what to do"


def test_metadata_that_hang(update: Update) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = update(key=new_key("one"), server="127.0.0.1", metadata=url)
    assert done.returncode == 3, done.stderr
    assert "it does not answer" in done.stderr


def test_metadata_that_lie(cloud: Metadata, update: Update) -> None:
    cloud.told["public-ipv4"] = "203.0.113.256"
    done = update(key=new_key("one"), server="127.0.0.1", metadata=cloud.url)
    assert done.returncode == 3, done.stderr
    assert 'public-ipv4: "203.0.113.256" is not an address' in done.stderr


def test_an_interface_that_is_not_there(update: Update) -> None:
    done = update(key=new_key("one"), server="127.0.0.1", address="interface nosuch0")
    assert done.returncode == 3, done.stderr
    assert "interface nosuch0" in done.stderr


def test_the_cloud_of_the_tests_gives_nothing_without_a_token(cloud: Metadata, update: Update, names: Names) -> None:
    """Otherwise the tests above would not show that the updater gets itself one."""
    cloud.told["public-ipv4"] = FIRST
    done = update(key=names.key, server=names.server, address=f"{cloud.url}/latest/meta-data/public-ipv4")
    assert done.returncode == 3, done.stderr
    assert "answers with 401" in done.stderr
    assert not cloud.tokens
