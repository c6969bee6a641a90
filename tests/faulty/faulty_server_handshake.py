# SPDX-License-Identifier: MIT
"""Servers that are wrong about the handshake (chapter 4), and about who is served (LIM-01, LIM-03, LIM-06)."""

from __future__ import annotations

from typing import Any, ClassVar

from fault import breaks
from mini_connection import Fatal
from mini_server import MiniServer
from mini_session import Session
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

# --- HELLO ---


@breaks("AUTH-04")
class ServesItsOwnNameOnly(Session):
    def take_hello(self, hello: Frame) -> None:
        host, port = self.sock.getsockname()[:2]
        if hello.value("target") != f"{host}:{port}":
            raise Fatal("DENIED", "AUTH-04")
        super().take_hello(hello)


@breaks("AUTH-05")
class TakesAnyVersion(Session):
    def has_common_version(self, hello: Frame) -> bool:
        return True


@breaks("AUTH-06")
class TakesTheNeutralElement(Session):
    """One of the 14 encodings is missing in its list."""

    def key_is_good(self, key: bytes) -> bool:
        return super().key_is_good(key) or key == crypto.LOW_ORDER_ENCODINGS[0]


@breaks("AUTH-06")
class TakesItsOwnKey(Session):
    def key_is_good(self, key: bytes) -> bool:
        return crypto.key_is_acceptable(key)


# --- CHALLENGE ---


@breaks("AUTH-09")
class RepeatsItsNonce(Session):
    def make_nonce(self) -> bytes:
        return crypto.sha256(b"random enough")


@breaks("AUTH-09")
class MakesItsNonceOfHello(Session):
    """Whoever says the same HELLO again gets the same nonce."""

    def make_nonce(self) -> bytes:
        return crypto.sha256(self.hello)


@breaks("AUTH-09")
class CountsItsNonces(Session):
    def make_nonce(self) -> bytes:
        return self.server.next_number().to_bytes(32, "big")


@breaks("AUTH-10")
class ChoosesTheClientsHighestVersion(Session):
    def make_challenge(self) -> Frame:
        hello = self.decided(self.hello)
        version = codec.field_value("version", max(hello.need("versions")))
        challenge = super().make_challenge().without("version").without("handshake_sig").plus(version)
        return crypto.sign_challenge(self.server.seed, self.hello, challenge)

    def decided(self, octets: bytes) -> Frame:
        verdict = codec.decode(octets, "client", len(octets))
        assert isinstance(verdict, codec.Decoded)
        return verdict.frame


@breaks("AUTH-11")
class RefusesUnknownFeatures(Session):
    def take_hello(self, hello: Frame) -> None:
        if hello.number("features") > 0xF:
            raise Fatal("UNSUPPORTED", "AUTH-11")
        super().take_hello(hello)


@breaks("AUTH-14", "CON-02")
class AnnouncesAFrameThatItRefuses(Session):
    """It goes by half of the max_frame that CHALLENGE has."""

    def cap(self) -> int:
        return super().cap() // 2 if self.state == "READY" else super().cap()


@breaks("AUTH-14", level="L2")
class GrantsMoreThanItAnnounces(Session):
    def granted_window(self, wanted: int) -> int:
        return wanted


# --- AUTH and WELCOME ---


@breaks("AUTH-17")
class LooksUpTheNickFirst(Session):
    def take_auth(self, auth: Frame) -> None:
        self.check_nick(str(auth.value("nick")))
        super().take_auth(auth)


@breaks("AUTH-18")
class SaysNoWelcome(Session):
    def send(self, frame: Frame) -> None:
        if frame.name != "WELCOME":
            super().send(frame)


@breaks("LIM-03")
class WantsAuthTwice(Session):
    has_heard = False

    def take_auth(self, auth: Frame) -> None:
        if self.has_heard:
            super().take_auth(auth)
        self.has_heard = True


@breaks("AUTH-19")
class DropsWhatFollowsAuth(Session):
    def take_auth(self, auth: Frame) -> None:
        super().take_auth(auth)
        self.buffer = b""


@breaks("AUTH-19")
class JoinsBeforeItLooks(Session):
    """A JOIN behind AUTH has its answer before the signature is verified."""

    def take_auth(self, auth: Frame) -> None:
        verdict = codec.decode(self.buffer, "client", self.cap())
        if isinstance(verdict, codec.Decoded) and verdict.frame.name == "JOIN":
            self.buffer = self.buffer[verdict.consumed :]
            self.take_join(verdict.frame)
        super().take_auth(auth)


@breaks("AUTH-20")
class TimesOutWithoutAWord(Session):
    def expire(self) -> None:
        if self.state == "CHALLENGED":
            self.finish(None)
        else:
            super().expire()


@breaks("AUTH-20")
class TellsEveryStrangerTheTime(Session):
    """ERROR TIMEOUT also to who sent no HELLO."""

    def expire(self) -> None:
        if self.state == "NEW":
            self.refuse(Fatal("TIMEOUT", "AUTH-20"))
        else:
            super().expire()


@breaks("AUTH-21")
class TakesAnAuthForAnOlderChallenge(Session):
    older: ClassVar[list[bytes]] = []

    def auth_is_good(self, auth: Frame) -> bool:
        self.older.append(self.challenge)
        return any(crypto.verify_auth(self.client_key, self.hello, one, auth) for one in self.older)


@breaks("ID-09")
class LetsAnybodyBeHost(Session):
    def check_nick(self, nick: str) -> None:
        if nick != "host":
            super().check_nick(nick)


# --- who is served ---


@breaks("LIM-01", "AUTH-07")
class HasAnotherWordForBusy(MiniServer):
    """The second client is told DENIED: not with the same credentials, it has to think."""

    class Denying(Session):
        def refuse(self, fatal: Fatal) -> None:
            super().refuse(Fatal("DENIED" if fatal.code == "BUSY" else fatal.code, fatal.clause))

    session_class = Denying

    def accepts(self) -> bool:
        return not self.over

    def has_place(self, key: bytes) -> bool:
        return not any(session.state == "READY" for session in self.sessions)


@breaks("LIM-01")
class HangsUpOnTheSecond(MiniServer):
    """Nor does it read it: it accepts it, and closes."""

    def accepts(self) -> bool:
        return not self.over

    def accept(self, listener: Any) -> None:
        is_second = bool(self.sessions)
        super().accept(listener)
        if is_second:
            self.sessions[-1].vanish()


@breaks("LIM-01")
class LeavesTheFirstForTheSecond(MiniServer):
    def accepts(self) -> bool:
        return not self.over

    def accept(self, listener: Any) -> None:
        for session in self.sessions:
            session.goodbye("NORMAL")
        super().accept(listener)


@breaks("LIM-01")
class ServesOneClientEver(MiniServer):
    """Who waited while the first was here is never let in."""

    def accepts(self) -> bool:
        return super().accepts() and not self.numbers


@breaks("LIM-06", level="L3")
class HearsOneStrangerAtATime(MiniServer):
    def accepts(self) -> bool:
        return super().accepts() and all(session.state != "NEW" for session in self.sessions)
