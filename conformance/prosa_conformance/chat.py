# SPDX-License-Identifier: MIT
"""The client under test together with the session that serves it.

A client at L1 may watch one thing at a time: while it waits for the person's line it reads nothing
from the server. So a test that sends it something does so in the handshake, or between `ask` and
the ACK that raises the limit, when every client reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prosa_conformance.client import Client
from prosa_conformance.codec import Frame
from prosa_conformance.contract import exit_after
from prosa_conformance.match import describe
from prosa_conformance.outcome import Violation
from prosa_conformance.scripted_server import ScriptedServer, Session


@dataclass
class Chat:
    server: ScriptedServer
    client: Client
    session: Session

    @classmethod
    def meet(cls, server: ScriptedServer, client: Client) -> Chat:
        """Wait for the client's connection and its HELLO."""
        session = server.accept(client.program)
        session.expect_hello()
        return cls(server, client, session)

    @classmethod
    def begin(cls, server: ScriptedServer, client: Client, **joined: Any) -> Chat:
        """Serve the client until it has joined; `joined` changes fields of JOINED."""
        chat = cls.meet(server, client)
        chat.shake_hands()
        chat.join(**joined)
        return chat

    def shake_hands(self) -> None:
        """CHALLENGE to WELCOME."""
        self.session.challenge()
        self.session.expect_auth()
        self.session.welcome()

    def join(self, **joined: Any) -> None:
        self.session.accept_join(**joined)
        self.client.expect_event("joined")

    # --- questions ---

    def ask(self, text: str = "what now?") -> Frame:
        """Type a question and take it: delivered, acknowledged, not answered. The client reads on."""
        self.client.type_line(text)
        question = self.session.take_question(text=text)
        self.client.expect_event("message", own=True, text=text)
        return question

    def answer(self, question: Frame, text: str = "this") -> None:
        """Answer it, and see the client show that."""
        self.session.give_answer(question, text)
        self.client.expect_event("message", own=False, text=text)

    def exchange(self, text: str = "are you there?", answer: str = "yes") -> None:
        """A question and its answer."""
        self.answer(self.ask(text), answer)

    # --- ends ---

    def leave(self) -> None:
        """The person types `exit`; both sides say goodbye."""
        self.client.type_line("exit")
        self.session.answer_bye()
        self.client.expect_closed(0)

    def expect_refusal(self, code: str, *also: str) -> Frame:
        """ERROR of this class, the end of the connection, and the exit code that goes with it."""
        error = self.session.expect_error(code, *also)
        self.session.close()
        self.client.expect_closed(exit_after(error.number("code")))
        return error

    def expect_refusal_of_challenge(self, code: str) -> Frame:
        """The same, and no AUTH before it."""
        error = self.expect_refusal(code)
        auth = next((frame for frame in self.session.received if frame.name == "AUTH"), None)
        if auth is not None:
            raise Violation(
                "the client signed what it should have refused",
                expected=f"no AUTH, ERROR {code}",
                actual=f"{describe(auth)}, then {describe(error)}",
            )
        return error

    def expect_end(self, exit_code: int, /, **closed: object) -> None:
        """The client closes without an ERROR or a BYE, and ends."""
        self.session.expect_closed()
        self.session.close()
        self.client.expect_closed(exit_code, **closed)
