# SPDX-License-Identifier: MIT
"""A recorded session: every value, however the octets are cut into segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from conversations import SIDES, coalesced, cut_everywhere, cut_in_headers, shown, verdicts
from recorded import ANSWERS, QUESTIONS
from tshark import Packet, Tshark

from prosa_conformance.codec import Decoded, Ignored
from prosa_conformance.pcap import Conversation
from prosa_conformance.registry import FIELDS, FRAMES_BY_TYPE

NAMES = ("tcp.stream", "tcp.srcport", "_ws.col.Protocol", "_ws.col.Info", "prosa.violation", "prosa.type",
         *(f"prosa.{name}" for name in FIELDS))
Cut = Callable[[Conversation], Conversation]
CUTS: list[Cut] = [coalesced, cut_everywhere, cut_in_headers]
OTHER_PORT = 7777


def expected_values(conversation: Conversation, side: str) -> dict[str, list[str]]:
    """All values of all fields that one side sent, in order, by the suite's codec."""
    values: dict[str, list[str]] = {name: [] for name in FIELDS}
    for verdict in verdicts(conversation, side):
        if isinstance(verdict, Ignored):
            continue
        for name in FRAMES_BY_TYPE[verdict.frame.type].fields:
            if verdict.frame.has(name):
                values[name].append(shown(FIELDS[name], verdict.frame.value(name)))
    return values


def of_side(packets: list[Packet], conversation: Conversation, side: str) -> list[Packet]:
    port = conversation.client[1] if side == "client" else conversation.server[1]
    return [packet for packet in packets if packet["tcp.srcport"] == [str(port)]]


def column(packets: list[Packet], name: str) -> list[str]:
    return [value for packet in packets for value in packet[name]]


def check_values(packets: list[Packet], conversation: Conversation) -> None:
    for side in SIDES:
        mine = of_side(packets, conversation, side)
        seen = {name: column(mine, f"prosa.{name}") for name in FIELDS}
        assert seen == expected_values(conversation, side)
        types = [v.frame.type if isinstance(v, Decoded) else v.type for v in verdicts(conversation, side)]
        assert column(mine, "prosa.type") == [str(number) for number in types]
    assert column(packets, "prosa.violation") == []


def test_the_recording_is_a_whole_session(alice: Conversation) -> None:
    names = {side: [v.frame.name for v in verdicts(alice, side) if isinstance(v, Decoded)] for side in SIDES}
    assert names["client"][:4] == ["HELLO", "AUTH", "JOIN", "PUBLISH"] and names["client"][-1] == "BYE"
    assert names["server"][:3] == ["CHALLENGE", "WELCOME", "JOINED"] and names["server"][-1] == "BYE"
    assert names["server"].count("DELIVER") == len(QUESTIONS) + len(ANSWERS)
    assert len(verdicts(alice, "client")) == len(names["client"]) + 1, "one frame of an unknown type"


def test_every_value_of_every_field(tshark: Tshark, alice: Conversation) -> None:
    check_values(tshark.packets(tshark.capture([alice]), NAMES), alice)


@pytest.mark.parametrize("cut", CUTS)
def test_segments_do_not_matter(tshark: Tshark, alice: Conversation, cut: Cut) -> None:
    again = cut(alice)
    assert len(again.steps) != len(alice.steps)
    check_values(tshark.packets(tshark.capture([again]), NAMES), alice)


@pytest.mark.parametrize("cut", CUTS)
def test_a_second_pass_sees_the_same(tshark: Tshark, alice: Conversation, cut: Cut) -> None:
    check_values(tshark.packets(tshark.capture([cut(alice)]), NAMES, "-2"), alice)


def test_another_port_is_recognized(tshark: Tshark, alice: Conversation) -> None:
    elsewhere = replace(alice, server=("127.0.0.1", OTHER_PORT))
    check_values(tshark.packets(tshark.capture([elsewhere]), NAMES), elsewhere)


def test_http_on_another_port_is_left_alone(tshark: Tshark) -> None:
    other = Conversation([(1.0, "client", b"GET / HTTP/1.1\r\n\r\n")], server=("127.0.0.1", OTHER_PORT))
    packets = tshark.packets(tshark.capture([other]), NAMES)
    assert column(packets, "prosa.type") == column(packets, "prosa.violation") == []


@pytest.mark.parametrize("port", [65432, OTHER_PORT])
def test_a_capture_that_begins_in_the_middle(tshark: Tshark, alice: Conversation, port: int) -> None:
    after_welcome = 4
    rest = replace(alice, steps=alice.steps[after_welcome:], server=("127.0.0.1", port), whole=False)
    check_values(tshark.packets(tshark.capture([rest]), NAMES), rest)


def test_the_info_column_reads_like_the_session(tshark: Tshark, alice: Conversation) -> None:
    packets = tshark.packets(tshark.capture([alice]), NAMES)
    lines = [packet["_ws.col.Info"][0] for packet in packets if packet["prosa.type"]]
    nick = next(packet["prosa.nick"][0] for packet in packets if packet["prosa.nick"])
    assert f"AUTH {nick}" in lines
    assert any(line.startswith("HELLO 127.") for line in lines)
    assert any(line.startswith("CHALLENGE version 1 max_frame ") for line in lines)
    assert any(line.startswith("JOINED @host granted=1 last=0 limit=1") for line in lines)
    for counter, question in enumerate(QUESTIONS, 1):
        assert f"PUBLISH {nick} #{counter} '{question}'" in lines
        assert f"DELIVER room_seq={2 * counter - 1} {nick} #{counter} '{question}'" in lines
        assert f"DELIVER room_seq={2 * counter} host #{counter} '{ANSWERS[counter - 1]}'" in lines
        assert f"ACK acked={counter} limit={counter + 1}" in lines
    assert "GREASE type 75, ignored" in lines
    assert "BYE NORMAL" in lines


def test_frames_of_one_segment_share_a_line(tshark: Tshark, alice: Conversation) -> None:
    octets = b"".join(what for _, side, what in alice.steps if side == "client" and isinstance(what, bytes))
    one_segment = replace(alice, steps=[(1.0, "client", octets)])
    packets = tshark.packets(tshark.capture([one_segment]), NAMES)
    line = next(packet["_ws.col.Info"][0] for packet in packets if packet["prosa.type"])
    words = [part.split()[0] for part in line.split("; ")]
    expected = [v.frame.name if isinstance(v, Decoded) else "GREASE" for v in verdicts(alice, "client")]
    assert words == expected


def test_display_filters(tshark: Tshark, alice: Conversation) -> None:
    capture = tshark.capture([alice])

    def count(words: str) -> int:
        return len(tshark.packets(capture, ["frame.number"], "-Y", words))

    assert count("prosa.type == PUBLISH") == count('prosa.type == "PUBLISH"') == len(QUESTIONS)
    assert count("prosa.counter == 2 && prosa.type == 20") == 1
    assert count('prosa.text contains "horas"') == 3
    assert count('prosa.room == "@host"') == 2
    assert count("prosa.code == NORMAL") == 2
    assert count("prosa.features.mac == 1") == 0
    assert count("prosa.violation") == 0


def test_the_clause_that_the_server_complained_of(tshark: Tshark, bob: Conversation) -> None:
    packets = tshark.packets(tshark.capture([bob]), NAMES)
    bad = [packet for packet in packets if packet["prosa.violation"]]
    assert [packet["prosa.violation"] for packet in bad] == [["WIRE-16"]]
    assert bad[0]["_ws.col.Info"] == ["PING [WIRE-16: tag 0x00a0 after 0x0a0b]"]
    assert any(packet["_ws.col.Info"][0].startswith("ERROR BAD_FRAME ") for packet in packets)


def test_the_script_loads_from_any_folder(tshark: Tshark, alice: Conversation) -> None:
    capture = tshark.capture([alice])
    expected = tshark.run(capture)
    assert "HELLO" in expected
    for script, folder in (("wireshark/prosa.lua", tshark.folder), ("prosa.lua", tshark.folder / "wireshark")):
        assert tshark.run(capture, script=script, directory=folder) == expected
