# SPDX-License-Identifier: MIT
"""GET /metrics: the page by the rules of its format, the numbers, and who asks in a wrong way or slowly."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import ROOT, Start
from console import DEADLINE_S
from served import Ask, Serve, Served, asking, serving

TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9]+(?:\.[0-9]+)?)")
SCRAPERS = 8


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Ask:
    return asking(start, tmp_path)


# --- the format ---


@dataclass
class Metric:
    help: str
    type: str = ""
    series: dict[str, float] = field(default_factory=dict)


def parse(page: str) -> dict[str, Metric]:
    """The metrics of a page in the text format 0.0.4, which is held to: HELP, TYPE, then the samples of one
    name, no name and no series twice, nothing else."""
    assert page.endswith("\n"), "the last line has no end"
    metrics: dict[str, Metric] = {}
    name = ""
    for line in page.removesuffix("\n").split("\n"):
        if found := re.fullmatch(rf"# HELP ({NAME}) ((?:[^\\]|\\[\\n])+)", line):
            assert not name or metrics[name].series, f"{name} has no sample"
            name = found[1]
            assert name not in metrics, f"{name} comes twice"
            metrics[name] = Metric(found[2])
        elif found := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line):
            assert found[1] == name, f"TYPE of {found[1]} after HELP of {name}"
            assert not metrics[name].type, f"{name} has two types"
            metrics[name].type = found[2]
        else:
            found = SAMPLE.fullmatch(line)
            assert found, f"no line of the format: {line!r}"
            assert found[1] == name, f"a sample of {found[1]} among {name}"
            assert metrics[name].type, f"{name} has no type"
            labels = found[2] or ""
            assert labels not in metrics[name].series, f"{name}{labels} comes twice"
            metrics[name].series[labels] = float(found[3])
    return metrics


GOOD = '# HELP a b\n# TYPE a counter\na{x="\\"1\\\\"} 1\na{x="2",y=""} 2.5\n'


def test_the_parser_takes_what_is_right() -> None:
    assert parse(GOOD)["a"].series == {'{x="\\"1\\\\"}': 1.0, '{x="2",y=""}': 2.5}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2.5\n", "2.5"),
        ("# TYPE a counter\n", ""),
        ("# HELP a b\n", ""),
        ("a counter", "b counter"),
        ("a counter", "a number"),
        ('\na{x="2",y=""}', '\nb{x="2",y=""}'),
        ('a{x="2",y=""}', 'a{x="\\"1\\\\"}'),
        ('y=""', 'y=""",'),
        (" 2.5", "  2.5"),
        (" 2.5", " 2,5"),
        (" 2.5\n", " 2.5\n\n"),
        (" 2.5\n", f" 2.5\n{GOOD}"),
        (" 2.5\n", " 2.5\n# HELP c d\n# TYPE c gauge\n# HELP e f\n# TYPE e gauge\ne 1\n"),
    ],
)
def test_the_parser_refuses_what_is_wrong(right: str, wrong: str) -> None:
    assert right in GOOD
    with pytest.raises(AssertionError):
        parse(GOOD.replace(right, wrong, 1))


# --- the server's ---


class Scraped:
    """A server with metrics."""

    def __init__(self, server: Served) -> None:
        self.server = server
        server.console.expect("info metrics address=", "err")
        host, _, port = server.console.expect("\n", "err").decode().strip().rpartition(":")
        self.place = (host.strip("[]"), int(port))

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*self.place, timeout=DEADLINE_S)
        connection.request(method, path, body)
        response = connection.getresponse()
        return response, response.read()

    def metrics(self) -> dict[str, Metric]:
        response, page = self.request("GET", "/metrics")
        assert (response.status, response.headers["Content-Type"]) == (200, TYPE)
        return parse(page.decode())

    def number(self, name: str, labels: str = "") -> float:
        return self.metrics()[name].series[labels]


@pytest.fixture
def scraped(serve: Serve) -> Iterator[Scraped]:
    yield Scraped(serve("--answer", "echo", "--metrics", "127.0.0.1:0"))


def test_every_metric_has_a_help_a_type_and_a_name_by_the_conventions(scraped: Scraped) -> None:
    metrics = scraped.metrics()
    for name, metric in metrics.items():
        assert name.startswith("prosa_") or name == "process_start_time_seconds"
        assert metric.help.endswith(".")
        assert name.endswith("_total") == (metric.type == "counter")
    assert set(metrics) == {
        "prosa_build_info", "process_start_time_seconds", "prosa_connections", "prosa_sessions", "prosa_rooms",
        "prosa_connections_accepted_total", "prosa_connections_refused_total", "prosa_connections_evicted_total",
        "prosa_sessions_opened_total", "prosa_messages_accepted_total",
        "prosa_undecided_octets", "prosa_queue_depth", "prosa_verified_total", "prosa_verify_seconds_total",
        "prosa_commits_total", "prosa_commit_failures_total", "prosa_octets_total", "prosa_refused_total",
    }  # fmt: skip
    scraped.server.stop()


def test_the_numbers_are_those_of_what_happened(scraped: Scraped, ask: Ask) -> None:
    ada, bob = ask(scraped.server), ask(scraped.server, "bob")
    assert ada.ask("one") == "one"
    assert bob.ask("two") == "two"
    assert bob.ask("three") == "three"
    bob.console.line("exit")
    assert bob.console.ended() == 0
    scraped.server.console.expect("client-gone", "err")
    metrics = {name: metric.series for name, metric in scraped.metrics().items()}
    for name, number in {
        "prosa_connections": 1, "prosa_sessions": 1, "prosa_rooms": 1, "prosa_connections_accepted_total": 2,
        "prosa_sessions_opened_total": 2, "prosa_messages_accepted_total": 3, "prosa_verified_total": 5,
        "prosa_commit_failures_total": 0, "prosa_undecided_octets": 0,
    }.items():  # fmt: skip
        assert metrics[name] == {"": number}, name
    assert metrics["prosa_queue_depth"] == {'{queue="verify"}': 0, '{queue="commit"}': 0}
    assert metrics["prosa_commits_total"][""] >= 5
    assert 0 < metrics["prosa_verify_seconds_total"][""] < DEADLINE_S
    assert metrics["prosa_octets_total"]['{direction="in"}'] > 500
    assert metrics["prosa_octets_total"]['{direction="out"}'] > 500
    assert re.fullmatch(r'\{version="[0-9.]+"\}', *metrics["prosa_build_info"])
    scraped.server.stop()


def test_a_refusal_is_counted_by_its_code(scraped: Scraped, start: Start, tmp_path: Path) -> None:
    assert set(scraped.metrics()["prosa_refused_total"].series.values()) == {0}
    words = ("--nick", "host", "--data", str(tmp_path / "impostor"))
    assert start("prosa-client", *words, scraped.server.address).ended() == 4
    scraped.server.console.expect("NICK_TAKEN", "err")
    assert scraped.number("prosa_refused_total", '{code="NICK_TAKEN"}') == 1
    scraped.server.stop()


def test_what_operators_are_told_to_look_at_is_there(scraped: Scraped) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    metrics = scraped.metrics()
    named = set(re.findall(r"\bprosa_[a-z_]+", text))
    assert len(named) >= 3
    assert named <= set(metrics)
    for name, labels in re.findall(r"\b(prosa_[a-z_]+)(\{[^}]+\})", text):
        assert labels in metrics[name].series


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/metrics", 200),
        ("GET", "/metrics?name=x", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/../server.key", 404),
        ("POST", "/metrics", 405),
        ("PUT", "/metrics", 405),
        ("DELETE", "/metrics", 405),
    ],
)
def test_only_get_and_head_of_one_page(scraped: Scraped, method: str, path: str, status: int) -> None:
    response, body = scraped.request(method, path, b"words" if method in ("POST", "PUT") else b"")
    assert response.status == status
    assert bool(body) == (method != "HEAD")
    assert (response.headers["Allow"] == "GET, HEAD") == (status == 405)
    if method == "HEAD":
        assert response.headers["Content-Type"] == TYPE
        assert int(response.headers["Content-Length"]) > 1000


@pytest.mark.parametrize("octets", [b"\0\0\0\0", b"GET\r\n\r\n", b"GET /metrics HTTP/1.1\r\nX: "])
def test_what_is_no_request_harms_nobody(scraped: Scraped, ask: Ask, octets: bytes) -> None:
    with socket.create_connection(scraped.place, DEADLINE_S) as stranger:
        stranger.sendall(octets)
        assert ask(scraped.server).ask("still here?") == "still here?"
        assert scraped.number("prosa_messages_accepted_total") == 1
        scraped.server.stop()


def test_a_header_without_end_is_refused(scraped: Scraped) -> None:
    with socket.create_connection(scraped.place, DEADLINE_S) as stranger:
        stranger.sendall(b"GET /metrics HTTP/1.1\r\nX: " + 40000 * b"y")
        assert stranger.recv(12) == b"HTTP/1.1 431"
    scraped.server.stop()


def test_slow_scrapers_are_few_and_harm_nobody(scraped: Scraped, ask: Ask) -> None:
    """Those beyond the limit are closed at once; the others are slow."""
    crowd = [socket.create_connection(scraped.place, DEADLINE_S) for _ in range(2 * SCRAPERS)]
    for sock in crowd[SCRAPERS:]:
        assert sock.recv(1) == b""
    assert ask(scraped.server).ask("still here?") == "still here?"
    for sock in crowd[:SCRAPERS]:
        sock.sendall(b"GET /metrics HTTP/1.1\r\n")
    crowd[0].sendall(b"Host: here\r\n\r\n")
    assert crowd[0].recv(12) == b"HTTP/1.1 200"
    for sock in crowd:
        sock.close()
    scraped.server.stop()


def test_nobody_listens_unless_it_is_asked_for(serve: Serve) -> None:
    server = serve()
    sockets = set()
    for path in Path(f"/proc/{server.console.process.pid}/fd").iterdir():
        target = str(path.readlink())
        if target.startswith("socket:"):
            sockets.add(target)
    assert len(sockets) == 1
    server.stop()


def test_an_address_that_is_taken_is_named(serve: Serve, start: Start, tmp_path: Path) -> None:
    server = serve()
    words = ["--port", "0", "--data", str(tmp_path / "other"), "--metrics", f"127.0.0.1:{server.port}"]
    console = start("prosa-server", *words)
    assert console.ended() == 3
    assert f"metrics: cannot listen on 127.0.0.1 port {server.port}" in console.err.decode()
    assert console.out == b""
