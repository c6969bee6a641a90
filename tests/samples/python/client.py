# SPDX-License-Identifier: MIT
"""A PROSA/1 client of level L3 with `resume`: each line of stdin is a message to its room, sent when the limit
allows it. Events go to stdout as JSON, one object a line (13.4); words for people go to stderr. A connection that
was lost comes back by itself, and goes on where it was.
"""
from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import crypto

import link
import wire
from link import FEATURES, LEVEL, RESUME, note
from wire import CODE, CODES, EVENTS, Fault, Frame, need

SEND_WINDOW, RECV_WINDOW = 16 if LEVEL >= "L2" else 1, 64
STAYS_AWAY = [CODE[name] for name in ("NORMAL", "REPLACED", "KICKED")]  # RES-13
SHOWN = ["room_seq", "nick", "author_key", "counter", "sent_at", "server_time", "text", "display", "reply_to"]
GREASE = ["0x0a0b", "0x1a1b", "0x2a2b", "0x3a3b"]  # of the author zone


def grease() -> dict[str, object]:
    return {random.choice(GREASE): b"grease"}  # WIRE-27


def emit(event: str, **members: object) -> None:
    print(wire.to_json({"event": event, **wire.plain(members)}), flush=True)


@dataclass
class Outcome:
    """How a connection ended: what `disconnected` and `closed` say of it."""

    how: str
    code: int | None
    reason: str
    exit: int
    may_return: bool = False
    after_ms: int = 0


def by_code(how: str, code: int, reason: str, after_ms: int = 0) -> Outcome:
    """The end that the code of a BYE or ERROR stands for [13.4, RES-13]."""
    kind = code >> 8
    exit_code = 0 if code == CODE["NORMAL"] else {2: 4, 6: 6}.get(kind, 1)
    return Outcome(how, code, reason, exit_code, kind not in (1, 2) and code not in STAYS_AWAY, after_ms)


GOODBYE = by_code("goodbye", CODE["NORMAL"], "the conversation is over")


class Store:
    """What outlives the program: how far a room was seen, and the messages that nobody has acknowledged yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epoch, self.seen = None, 0
        self.kept: dict[int, bytes] = {}  # the fields of a PUBLISH, by counter
        for kind, *words in map(str.split, path.read_text().splitlines() if path.exists() else []):
            if kind == "seen":
                self.epoch, self.seen = bytes.fromhex(words[0]), int(words[1])
            else:
                self.kept[int(words[0])] = bytes.fromhex(words[1])

    def save(self) -> None:
        lines = [f"seen {self.epoch.hex()} {self.seen}"]
        lines += [f"kept {counter} {body.hex()}" for counter, body in self.kept.items()]
        new = self.path.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.path)


class Client:
    """What goes on from one connection to the next."""

    def __init__(self, folder: Path, host: str, port: int, target: str, nick: str, room: str) -> None:
        self.host, self.port, self.target, self.nick, self.room = host, port, target, nick, room
        self.keys = crypto.KeyPair.load(folder / "client.key")
        self.pin_file, self.folder = folder / "pins", folder
        self.store: Store | None = None  # of this room on this server, from the first CHALLENGE on
        self.lines: list[bytes] = []  # typed, not sent
        self.input_ended = self.resumes = False
        self.session: Session | None = None
        self.attempts = 0
        self.waiting = False
        self.task: asyncio.Task | None = None  # the next attempt

    # ---- pins: a line each, a target and a key (ID-02, ID-04)
    def pins(self) -> dict[str, str]:
        return dict(line.split() for line in self.pin_file.read_text().splitlines()) if self.pin_file.exists() else {}

    def pin(self, key: bytes) -> None:
        pins = self.pins() | {self.target: key.hex()}
        self.pin_file.write_text("".join(f"{target} {pinned}\n" for target, pinned in pins.items()))
        note(f"first contact with {self.target}; the fingerprint of its key is {crypto.fingerprint(key)}")

    # ---- connections, one after the other
    async def connect(self, delay: float = 0) -> None:
        self.waiting = delay > 0
        await asyncio.sleep(delay)
        self.waiting = False
        try:  # RES-12: the name is looked up again, and every address is tried
            await asyncio.get_running_loop().create_connection(lambda: Session(self), self.host, self.port)
        except socket.gaierror as error:
            self.lost(Outcome("unresolved", None, f"cannot connect: {error}", 3, True))
        except OSError as error:
            self.lost(Outcome("refused", None, f"cannot connect: {error}", 3, True))

    def lost(self, outcome: Outcome) -> None:
        """A connection is over, or was never made: another one, or the end (RES-11, RES-13)."""
        self.session = None
        may_return = self.resumes and outcome.may_return
        again = may_return and not self.is_done()
        note(outcome.reason)
        emit("disconnected", how=outcome.how, again=again)
        if not may_return:
            self.close(outcome.exit, outcome.code, outcome.reason)
        elif not again:
            self.close(0, None, "nothing is left to do")  # END-07, END-13
        delay = max(random.uniform(0, min(30, 0.5 * 2**self.attempts)), outcome.after_ms / 1000)  # full jitter
        self.attempts += 1
        self.task = asyncio.get_running_loop().create_task(self.connect(delay))

    def is_done(self) -> bool:
        """Nobody wants anything of a connection any more."""
        return b"exit" in self.lines or (self.input_ended and not self.lines and not (self.store and self.store.kept))

    def close(self, exit_code: int, code: int | None, reason: str) -> None:
        unsent = sum(line != b"exit" for line in self.lines)
        if unsent:
            note(f"{unsent} lines were not sent")  # END-07
        print(wire.to_json({"event": "closed", "exit": exit_code, "code": CODES.get(code, code), "reason": reason}),
              flush=True)
        os._exit(exit_code)

    # ---- the person
    def typed(self, line: bytes) -> None:
        fault = link.line_fault(line)
        if fault:
            note(f"not sent: {fault}")
        elif line:
            self.lines.append(line)
        self.pump()

    def ended(self) -> None:
        self.input_ended = True
        self.pump()

    def pump(self) -> None:
        if self.session:
            self.session.pump()
        elif self.waiting and self.is_done():
            self.close(0, None, "nothing is left to do")


class Session(link.Link):
    def __init__(self, client: Client) -> None:
        super().__init__("server", "CHALLENGE")
        self.client, self.store = client, client.store
        self.outcome: Outcome | None = None
        self.room_id: bytes | None = None  # from JOINED on
        self.refused = False
        self.counters: dict[bytes, int] = {}  # of each author, the last one seen (MSG-28)

    # ---- the handshake [4]
    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.client.session = self
        self.hello = wire.encode("HELLO", {
            "versions": [wire.VERSION], "nonce": os.urandom(32), "client_key": self.client.keys.key,
            "features": FEATURES, "target": self.client.target, **grease()})  # AUTH-01
        self.send_octets(self.hello)
        self.client.pump()

    def on_challenge(self, frame: Frame) -> None:
        """AUTH-13: key, pin, signature, version, in this order."""
        client, key = self.client, frame["server_key"]
        pinned = client.pins().get(client.target)
        need(crypto.key_is_good(key) and key != client.keys.key, "BAD_KEY", "AUTH-13")
        if pinned and pinned != key.hex():
            raise Fault("PIN_MISMATCH", "ID-05", f"the key {crypto.fingerprint(key)} is not the pinned one, "
                                                 f"{crypto.fingerprint(bytes.fromhex(pinned))}")
        need(crypto.challenge_is_signed(self.hello, frame), "BAD_SIG", "AUTH-13")
        need(frame["version"] == wire.VERSION and wire.VERSION in frame["versions"], "DOWNGRADE", "AUTH-13")
        if not pinned:
            client.pin(key)
        self.server_key, self.features = key, frame["features"] & FEATURES
        self.limits = {name: frame[name] for name in wire.ANNOUNCED}
        self.started, self.due = self.now(), "WELCOME"
        client.store = self.store = client.store or Store(client.folder / f"{client.room}-{key.hex()[:16]}")
        fields = wire.encode_fields({"nick": client.nick})
        proof = crypto.auth_proof(self.hello, frame.octets, fields)  # AUTH-15
        self.send("AUTH", nick=client.nick, handshake_sig=client.keys.sign(proof))

    def on_welcome(self, frame: Frame) -> None:
        self.due, self.cap = None, self.limits["max_frame"]
        self.client.resumes = bool(self.features & RESUME)
        self.asked = {}
        if self.client.resumes and self.store.epoch:
            self.asked = {"epoch": self.store.epoch, "after_seq": self.store.seen}  # RES-04
        self.send("JOIN", room=self.client.room, send_window=SEND_WINDOW, recv_window=RECV_WINDOW, **self.asked)

    # ---- the room [6.1, 6.8]
    def on_joined(self, frame: Frame) -> None:
        client, store, epoch = self.client, self.store, frame["epoch"]
        need(not self.room_id and not self.refused and frame["room"] == client.room, "BAD_STATE", "FLOW-01")
        room_id = crypto.room_id(self.server_key, epoch, client.room, client.keys.key)
        need(room_id == frame["room_id"], "WRONG_ROOM", "MSG-23")
        after = self.asked.get("after_seq")
        lost = after is not None and (
            epoch != store.epoch or frame["head_seq"] < after or frame["oldest_seq"] > after + 1)
        self.room_id, self.window, client.attempts = room_id, frame["granted_window"], 0
        self.sent = self.acked = frame["last_counter"]
        self.limit = frame["limit_counter"]
        emit("joined", lost_history=lost, server_key=self.server_key, **{name: frame[name] for name in (
            "room", "room_id", "epoch", "last_counter", "start_seq")})  # RES-03
        for counter in list(store.kept):
            if epoch != store.epoch:  # RES-08
                del store.kept[counter]
                self.complain("WRONG_ROOM", "not sent: its room is gone", counter)
            elif counter <= self.acked:
                del store.kept[counter]
                emit("acked", room=client.room, counter=counter)
        store.epoch, store.seen = epoch, frame["start_seq"] - 1
        store.save()
        self.told, self.limit_seq = store.seen, store.seen + RECV_WINDOW
        self.pump()

    def pump(self) -> None:
        """Sends what is kept, then lines in their order, as far as the limit goes (RES-08, CON-08, FLOW-20)."""
        client, store = self.client, self.store
        while not self.closing:
            may_send = self.room_id and self.sent < self.limit
            if may_send and self.sent + 1 in store.kept:
                self.sent += 1
                self.send_octets(wire.encode("PUBLISH", store.kept[self.sent]))
            elif may_send and client.lines and client.lines[0] != b"exit":
                self.publish(client.lines.pop(0).decode())
            elif b"exit" in client.lines and (self.room_id or client.lines[0] == b"exit"):
                self.goodbye(GOODBYE)  # END-07
            else:
                break
        is_answered = self.room_id and (client.room != "@host" or self.window > 1 or self.sent < self.limit)
        if client.input_ended and is_answered and not client.lines and not store.kept and not self.closing:  # END-13
            self.goodbye(GOODBYE)

    def publish(self, text: str) -> None:
        client, self.sent = self.client, self.sent + 1
        body = crypto.compose(client.keys, {
            "nick": client.nick, "room_id": self.room_id, "counter": self.sent, "sent_at": int(time.time() * 1000),
            "text": text, **grease()})
        self.store.kept[self.sent] = body  # RES-07
        self.store.save()
        self.send_octets(wire.encode("PUBLISH", body))

    def on_ack(self, frame: Frame) -> None:
        self.check_room(frame, "FLOW-15")
        acked = frame["acked_counter"]
        need(acked <= self.sent, "ACK_TOO_HIGH", "FLOW-14")
        for counter in range(self.acked + 1, acked + 1):  # FLOW-12
            self.store.kept.pop(counter, None)
            seq = frame["acked_seq"] if counter == acked else None
            emit("acked", room=self.client.room, counter=counter, room_seq=seq)
        if acked > self.acked:
            self.store.save()
        self.acked, self.limit = max(self.acked, acked), max(self.limit, frame["limit_counter"])
        self.pump()

    def on_deliver(self, frame: Frame) -> None:
        self.check_room(frame, "MSG-18")
        seq, author, counter, store = frame["room_seq"], frame["author_key"], frame["counter"], self.store
        need(seq == store.seen + 1, "SEQ_GAP", "MSG-17")
        need(seq <= self.limit_seq, "FLOW_VIOLATION", "FLOW-19")
        if not crypto.message_is_signed(frame):  # MSG-16, CON-11
            self.complain("BAD_SIG", f"message {seq} is not signed by its author", counter)
        elif not frame.displayable:  # MSG-14
            self.complain("UNSUPPORTED", f"message {seq} cannot be displayed", counter)
        else:
            if counter != self.counters.get(author, counter - 1) + 1:  # MSG-28
                self.complain("COUNTER_GAP", f"{frame['nick']} left something out, or repeats", counter)
            self.counters[author] = counter
            emit("message", room=self.client.room, id=crypto.message_id(frame), own=author == self.client.keys.key,
                 **{name: frame[name] for name in SHOWN})
        store.seen = seq  # RES-15: after it was shown
        store.save()
        if seq - self.told >= RECV_WINDOW // 2:
            self.tell_seen()  # FLOW-17

    def flush(self) -> None:
        """All that came is taken: one ACK for many messages (FLOW-16)."""
        if self.room_id and self.store.seen > self.told:
            self.tell_seen()

    def tell_seen(self) -> None:
        self.told, self.limit_seq = self.store.seen, self.store.seen + RECV_WINDOW
        self.send("ACK", room_id=self.room_id, seen_seq=self.told, limit_seq=self.limit_seq)

    def on_member(self, frame: Frame) -> None:
        self.check_room(frame, "MSG-18")
        if frame["event"] in EVENTS:
            emit("member", room=self.client.room, change=EVENTS[frame["event"]], nick=frame["nick"],
                 member_key=frame["member_key"], count=frame["count"])

    def on_checkpoint(self, frame: Frame) -> None:
        """For clients with audit."""

    def check_room(self, frame: Frame, clause: str) -> None:
        need(self.room_id == frame["room_id"], "WRONG_ROOM", clause)

    def complain(self, code: str, reason: str, counter: int | None = None) -> None:
        emit("error", **{"from": "client"}, code=code, reason=reason, room=self.client.room, counter=counter)

    # ---- the end [7]
    def on_error(self, frame: Frame) -> None:
        code, reason = frame["code"], frame["reason"]
        emit("error", **{"from": "server"}, code=code, reason=reason, room=frame["room"], counter=frame["counter"])
        if link.is_fatal(code) or self.due:  # ERR-03, ERR-04
            self.outcome = self.outcome or by_code("error", code, reason, frame["after_ms"] or 0)
            self.deaf = True
            self.finish()
        elif code >> 8 == 4 and frame["room"] == self.client.room and not self.room_id:  # CON-12: the only room
            self.refused = True
            self.goodbye(Outcome("goodbye", code, reason, 1))

    def on_bye(self, frame: Frame) -> None:
        name, reason = CODES.get(frame["code"], frame["code"]), frame["reason"] or ""
        note(f"the server says goodbye: {name} {reason}")
        # END-09, END-11: when the goodbyes cross, ours counts
        self.outcome = self.outcome or by_code("goodbye", frame["code"], reason, frame["after_ms"] or 0)
        if self.due or self.closing:
            self.finish()  # END-05, END-06
        else:
            self.bye("NORMAL")  # END-02
        self.deaf = True

    def goodbye(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self.due:
            self.finish(at_once=True)  # there is nothing to end in order yet
        else:
            self.bye("NORMAL", GOODBYE.reason)

    def failed(self, fault: Fault) -> None:
        """The server broke the rules."""
        self.complain(fault.name, f"{fault} ({fault.clause})", fault.about.get("counter"))
        self.outcome = by_code("error", fault.code, str(fault))

    def ended(self, how: str) -> None:
        self.outcome = self.outcome or Outcome(how, None, "the server vanished without a goodbye", 5, True)  # END-16

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.client.lost(self.outcome)

    def too_late(self) -> None:
        self.silent()  # AUTH-23

    def silent(self) -> None:
        self.outcome = Outcome("silence", None, "the server fell silent", 5, True)
        self.reset()


def name_of(typed: str) -> str:
    """ID-03: what the person typed, in the form of the wire."""
    for family, form in ((socket.AF_INET, "{}"), (socket.AF_INET6, "[{}]")):
        try:
            socket.inet_pton(family, typed)
            return form.format(typed.lower())
        except OSError:
            continue
    try:
        return typed.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        return ""


async def main() -> None:
    link.check_level()
    env = os.environ
    host = (env.get("PROSA_HOST") or "127.0.0.1").strip("[]")
    room, nick = env.get("PROSA_ROOM") or "@host", env.get("PROSA_NICK") or "guest"
    port = link.port_of(env.get("PROSA_PORT") or "65432")
    target = f"{name_of(host)}:{port}"
    for kind, word in {"target": target, "nick": nick, "room": room}.items():
        if not wire.is_word(kind, word):
            link.bad_settings(f'this is no {kind}: "{word}"')
    client = Client(Path(env.get("PROSA_DATA") or "."), host, port, target, nick, room)
    link.read_console(client.typed, client.ended)
    await client.connect()
    await asyncio.Event().wait()  # close() ends the program


if __name__ == "__main__":
    asyncio.run(main())
