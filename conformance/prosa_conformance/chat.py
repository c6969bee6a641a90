# SPDX-License-Identifier: MIT
"""The client under test together with the session that serves it.

A client at L1 may watch one thing at a time: while it waits for the person's line it reads nothing
from the server. So a test that sends it something does so in the handshake, or between `ask` and
the ACK that raises the limit, when every client reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from prosa_conformance import codec
from prosa_conformance.case import END_S
from prosa_conformance.client import Client
from prosa_conformance.codec import Frame
from prosa_conformance.contract import ClientExit, exit_after
from prosa_conformance.language import _
from prosa_conformance.match import describe
from prosa_conformance.outcome import NotApplicable, Unsupported, Violation
from prosa_conformance.registry import FEATURES
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

    @classmethod
    def begin_with(cls, server: ScriptedServer, client: Client, *features: str, **joined: Any) -> Chat:
        """As begin, in a session with these features; Unsupported when the client does not offer them."""
        server.features |= sum(FEATURES[name] for name in features)
        chat = cls.meet(server, client)
        missing = [name for name in features if not chat.session.has(name)]
        if missing:
            raise Unsupported(_("the client does not offer {features}").format(features=", ".join(missing)))
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

    # --- more than one session ---

    def may_come_back(self) -> bool:
        """Read up to `disconnected`: whether the client says that it will try again."""
        return self.client.expect_event("disconnected", seconds=END_S).get("again") is True

    def come_back(self, start_client: Callable[..., Client]) -> Chat:
        """The next session of this client, which is gone: by itself, else started again with its folder."""
        if self.may_come_back():
            return Chat.meet(self.server, self.client)
        self.client.expect_exit(*ClientExit)
        return self.restart(start_client)

    def restart(self, start_client: Callable[..., Client]) -> Chat:
        """Another life of the client, with the same folder; it has said HELLO."""
        client = self.client
        return Chat.meet(self.server, start_client(self.server, nick=client.nick, room=client.room, data=client.data))

    def resume(self, **joined: Any) -> None:
        """CHALLENGE to JOINED, and all that the room has from there on."""
        self.shake_hands()
        self.join(**joined)
        self.session.replay()

    def expect_again(self, *messages: Frame) -> None:
        """The client sends these messages once more, in the very same octets."""
        for message in messages:
            again = self.session.expect_publish()
            if codec.encode(again) != codec.encode(message):
                counter = message.number("counter")
                raise Violation(
                    _("message {counter} was sent again with other octets").format(counter=counter),
                    expected=codec.encode(message).hex(),
                    actual=codec.encode(again).hex(),
                )

    # --- more than one message ---

    def need_window(self, least: int) -> int:
        """The window that was granted; NotApplicable when the client asked for less than `least`."""
        granted = self.session.room.granted
        if granted < least:
            raise NotApplicable(_("the client asks for a window of {window}").format(window=granted))
        return granted

    def say(self, text: str) -> Frame:
        """The server says something that answers nothing; the client shows it."""
        message = self.session.make_message(text)
        self.session.deliver(message)
        self.client.expect_event("message", text=text, own=False)
        return message

    def expect_acked(self, counter: int) -> None:
        """The client says that this message is acknowledged; it may name those before it on the way."""
        while int(self.client.expect_event("acked")["counter"]) < counter:
            continue

    def expect_shown(self, texts: Iterable[str]) -> None:
        """The client shows these messages, in this order and nothing else between them."""
        for text in texts:
            self.client.expect_event("message", text=text)

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
                _("the client signed what it should have refused"),
                expected=_("no AUTH, ERROR {code}").format(code=code),
                actual=_("{first}, then {second}").format(first=describe(auth), second=describe(error)),
            )
        return error

    def expect_end(self, exit_code: int, /, **closed: object) -> None:
        """The client closes without an ERROR or a BYE, and ends."""
        self.session.expect_closed()
        self.session.close()
        self.client.expect_closed(exit_code, **closed)
