# SPDX-License-Identifier: MIT
"""Before any test: does each program start at all? A program that does not is no failed test."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from prosa_conformance import explain
from prosa_conformance.case import Case, Settings
from prosa_conformance.client import Client
from prosa_conformance.codec_subject import Codec, CodecProcess
from prosa_conformance.contract import NOT_THERE
from prosa_conformance.language import _
from prosa_conformance.launch import NotStarted
from prosa_conformance.outcome import Failure, Inconclusive, Unsupported, Violation
from prosa_conformance.scripted_server import ScriptedServer
from prosa_conformance.server import Server, ServerProcess


def check(settings: Settings, roles: Sequence[str]) -> Failure | None:
    """Start every program once; the first that does not start is explained."""
    checks = {"server": _server, "client": _client, "codec": _codec, "relay": _server}
    for role in roles:
        case = Case(settings, "preflight", role)
        try:
            checks[role](case)
        except Unsupported:
            continue  # the tests will say so, one by one
        except Inconclusive as trouble:
            return Failure(str(trouble))
        except Violation as violation:
            failure = explain.explain(case, [], violation)
            failure.replay = ""
            return failure
        finally:
            case.close_wires()
            for watched in case.watched:
                watched.program.end()
    return None


def _server(case: Case) -> None:
    if case.settings.subject.connect is not None:
        _connect(case.settings.subject.connect)
        return
    process = ServerProcess(case.settings, {})
    Server(case, process)


def _connect(address: tuple[str, int]) -> None:
    try:
        socket.create_connection(address, 5.0).close()
    except OSError as error:
        raise NotStarted(
            _("nobody accepts a connection at {address}").format(address=f"{address[0]}:{address[1]}"),
            expected=_("a server that runs already"),
            actual=error.strerror or str(error),
            symptom="refused",
        ) from None


def _client(case: Case) -> None:
    """A client has started when it connects to the server that it is told."""
    server = ScriptedServer(case)
    client = Client(case, server.host, server.port)
    try:
        server.accept(client.program)
    except Violation:
        ended = client.program.ended
        if ended is not None and ended.code == NOT_THERE:
            raise Unsupported(_("the client does not have this level")) from None
        raise
    finally:
        server.stop_listening()


def _codec(case: Case) -> None:
    Codec(case, CodecProcess(case.settings)).ask("hello")
