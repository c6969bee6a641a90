# SPDX-License-Identifier: MIT
"""The generator refuses a faulty registry by name, and what it writes says what the registry says."""

import ctypes
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import registry as command
from conftest import ROOT, Edit
from spec import hexblocks, model
from spec.errors import SpecError

REGISTRY = "spec/registry.yaml"
CHAPTER = "spec/05-tables.md"

# name: (old text, new text, entry that is named, part of the message)
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "tag-twice": (
        "nonce:         {tag: 0x0004",
        "nonce:         {tag: 0x0002",
        "fields.nonce", "tag 2 is that of",
    ),
    "type-twice": (
        "AUTH:       {type: 6",
        "AUTH:       {type: 4",
        "frames.AUTH", "type 4 is that of",
    ),
    "type-of-grease": (
        "AUTH:       {type: 6",
        "AUTH:       {type: 0x4B",
        "grease_types", "is that of frames.AUTH",
    ),
    "code-twice": (
        "BAD_STATE:      {code: 0x0301",
        "BAD_STATE:      {code: 0x0302",
        "codes.FLOW_VIOLATION", "0x0302",
    ),
    "code-of-no-class": ("{code: 0x0104", "{code: 0x0904", "codes.BAD_TEXT", "class 9 is unknown"),
    "code-without-retry": (
        'in: BYE, retry: false, doc: "the conv',
        'in: BYE, doc: "the conv',
        "codes.NORMAL", "retry",
    ),
    "code-in-no-frame": ("0x0104, in: ERROR", "0x0104, in: PING", "codes.BAD_TEXT", "'PING'"),
    "bye-that-stays": ("0x0501, in: ERROR", "0x0501, in: BYE", "codes.NO_ANSWER", "a BYE closes"),
    "fields-not-ascending": (
        "fields: [versions, nonce, client_key",
        "fields: [nonce, versions, client_key",
        "frames.HELLO", "`versions` is not above",
    ),
    "field-twice-in-frame": (
        "fields: [session, time]",
        "fields: [session, session, time]",
        "frames.WELCOME", "not above",
    ),
    "unknown-field": (
        "fields: [session, time]",
        "fields: [session, tide]",
        "frames.WELCOME", "'tide' is no field",
    ),
    "optional-not-listed": (
        "fields: [session, time]}",
        "fields: [session, time], optional: [nick]}",
        "frames.WELCOME", "optional `nick` is not in fields",
    ),
    "odd-but-required": (
        "reason, after_ms], optional: [reason, after_ms]",
        "reason, after_ms], optional: [reason]",
        "frames.BYE", "`after_ms` is odd",
    ),
    "unused-field": (
        "  session:       {tag: 0x0010",
        "  spare: {tag: 0x00F0, kind: u8, doc: x}\n  session:       {tag: 0x0010",
        "fields.spare", "stands in no frame",
    ),
    "zone-of-client-frame": (
        "fields: [room_id]}",
        "fields: [room_id, room_seq]}",
        "frames.LEAVE", "outside of the zones",
    ),
    "zone-of-server-frame": (
        "from: server, level: L1, fields: [session, time]",
        "from: server, level: L1, fields: [session, time, handshake_sig]",
        "frames.WELCOME", "outside of the zones",
    ),
    "signature-not-last": (
        "slow_ms, linger_ms, handshake_sig]",
        "slow_ms, linger_ms]",
        "frames.CHALLENGE", "handshake_sig",
    ),
    "experimental-tag": ("tag: 0x00B7", "tag: 0x3001", "fields.clause", "experimental"),
    "grease-tag": ("tag: 0x00B7", "tag: 0x0A0B", "fields.clause", "GREASE"),
    "reserved-tag": ("tag: 0x00B7", "tag: 0x0015", "fields.clause", "reserved_tags.ephemeral_key"),
    "grease-form": (
        "[0x0A0B, 0x1A1B",
        "[0x0A0B, 0x1A2B",
        "grease_tags", "0x1A2B has not the form",
    ),
    "unknown-kind": ("kind: nonce", "kind: noise", "fields.nonce", "'noise' is no kind"),
    "min-above-max": (
        "min: 1, max: 64",
        "min: 65, max: 64",
        "fields.display", "64 is no whole number",
    ),
    "text-without-bounds": (
        "kind: utf8, min: 1, max: 64",
        "kind: utf8, min: 1",
        "fields.display", "has no bounds",
    ),
    "bounds-of-key": (
        "client_key:    {tag: 0x0006, kind: key",
        "client_key:    {tag: 0x0006, kind: key, min: 1",
        "fields.client_key", "one exact size",
    ),
    "unknown-limit": ("limit: max_rooms", "limit: max_room", "limits.max_rooms", "`limit:`"),
    "default-below-min": (
        "{default: 8, min: 1",
        "{default: 0, min: 1",
        "limits.max_rooms", "min <= default <= max",
    ),
    "ceiling-differs": (
        "max_frame_ceiling:    {value: 65536",
        "max_frame_ceiling:    {value: 65535",
        "limits.max_frame.max", "differs",
    ),
    "label-twice": ('"PROSA/1 chain"', '"PROSA/1 room"', "labels.chain", "PROSA/1 room"),
    "label-prefix": ('"PROSA/1 chain"', '"PROSA chain"', "labels.chain", "does not begin"),
    "bit-twice": ("resume:   {bit: 1", "resume:   {bit: 0", "features.resume", "bit 0"),
    "event-twice": ("joined: {value: 2", "joined: {value: 1", "events.joined", "value 1"),
    "level-gap": ("  L2: {", "  L7: {", "levels", "in order"),
    "frame-of-no-level": (
        "{type: 14, from: client, level: L3",
        "{type: 14, from: client, level: L9",
        "frames.LEAVE", "'L9'",
    ),
    "frame-from-nobody": (
        "{type: 14, from: client",
        "{type: 14, from: nobody",
        "frames.LEAVE", "'nobody'",
    ),
    "rule-of-no-frame": (
        "{frame: JOIN, requires",
        "{frame: JION, requires",
        "rules[2]", "names no frame",
    ),
    "rule-of-no-field": (
        "requires: {epoch: after_seq}",
        "requires: {epoch: after}",
        "rules[2]", "'after'",
    ),
    "rule-without-required": (
        "exactly: [room_id, event, at_seq]}",
        "exactly: [room_id, event]}",
        "rules[4]", "'at_seq'",
    ),
    "rule-of-no-event": (
        "when: {event: [resync]}",
        "when: {event: [resink]}",
        "rules[4]", "values of `event`",
    ),
    "deliver-differs": (
        "author_sig, room_seq, server_time, prev_hash], optional: [display, reply_to,",
        "author_sig, room_seq, server_time, prev_hash], optional: [display,",
        "frames.DELIVER", "required",
    ),
    "key-twice": (
        "  nonce:         {tag: 0x0004",
        "  versions:         {tag: 0x0004",
        "versions", "the key stands twice",
    ),
    "misspelt-key": ("kind: nonce, doc", "kind: nonce, dok", "fields.nonce", "`doc` is missing"),
    "unknown-key": (
        "kind: nonce, doc",
        "kind: nonce, size: 3, doc",
        "fields.nonce", "`size` is no key",
    ),
    "missing-section": (
        "testability:\n",
        "testabilities:\n",
        "testability", "the section is missing",
    ),
    "bad-name": ("  BAD_TEXT:", "  bad-text:", "codes.bad-text", "is no name here"),
    "area-in-small": ('  WIRE: "', '  wire: "', "areas.wire", "[A-Z]{2,4}"),
    "no-yaml": ("protocol:\n", "protocol: [\n", "line", "is no YAML"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_registry_is_refused(name: str, tree: Path, edit: Edit) -> None:
    old, new, entry, what = FAULTS[name]
    edit(REGISTRY, old, new)
    with pytest.raises(SpecError) as refused:
        model.load(tree / REGISTRY)
    error = refused.value
    assert error.file.endswith("registry.yaml")
    assert entry in error.entry, f"names {error.entry}"
    assert what in error.what or what in error.todo, str(error)
    assert error.todo, "does not say what to do"


def test_good_registry_is_accepted_and_resolved(tree: Path) -> None:
    registry = model.load(tree / REGISTRY)
    fields = {field.name: field for field in registry.fields}
    assert (fields["max_frame"].min, fields["max_frame"].max) == (8192, 65536)
    assert (fields["nonce"].min, fields["nonce"].max) == (32, 32)
    assert fields["counter"].max == 2**64 - 1
    assert [field.tag for field in registry.fields] == sorted(field.tag for field in registry.fields)
    ack = next(rule for rule in registry.rules if rule.frame == "ACK" and rule.sender == "client")
    assert ack.required == ("room_id", "seen_seq", "limit_seq")
    assert ack.forbidden == ("limit_counter", "acked_counter", "acked_seq")


def test_check_names_each_stale_file(
    tree: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(tree)]
    assert command.main([*root, "--check"]) == 1, "missing files are not stale"
    assert command.main(root) == 0
    assert command.main([*root, "--check"]) == 0
    for file in ("libprosa/include/prosa/registry.h", "libprosa/src/registry.c",
                 "conformance/prosa_conformance/registry.py", "spec/wireshark/registry.lua",
                 "conformance/prosa_conformance/clauses.json"):
        edit(file, "", "\n")
        capsys.readouterr()
        assert command.main([*root, "--check"]) == 1
        assert f"{file}: stale" in capsys.readouterr().out
        assert command.main(root) == 0
    edit(REGISTRY, "port: 65432", "port: 65433")
    assert command.main([*root, "--check"]) == 1


def test_faulty_registry_ends_with_one(
    tree: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(REGISTRY, "kind: nonce", "kind: noise")
    assert command.main(["--root", str(tree)]) == 1
    assert "fields.nonce" in capsys.readouterr().err


def _python(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated_registry", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_python_says_what_the_registry_says(tree: Path) -> None:
    assert command.main(["--root", str(tree)]) == 0
    made = _python(tree / "conformance/prosa_conformance/registry.py")
    registry = model.load(tree / REGISTRY)
    assert {name: (f.tag, f.kind, f.min, f.max) for name, f in made.FIELDS.items()} == {
        f.name: (f.tag, f.kind, f.min, f.max) for f in registry.fields}
    assert {name: (f.type, f.sender, f.fields, f.optional) for name, f in made.FRAMES.items()} == {
        f.name: (f.type, f.sender, tuple(x.name for x in f.fields), f.optional) for f in registry.frames}
    assert {name: c.number for name, c in made.CODES.items()} == {c.name: c.code for c in registry.codes}
    assert dict(made.LABELS.items()) == {
        x.name: x.text.encode() + b"\0" for x in registry.labels}
    assert [vars(rule) for rule in made.RULES] == [vars(rule) for rule in registry.rules]


class _Field(ctypes.Structure):
    _fields_ = [("tag", ctypes.c_uint16), ("kind", ctypes.c_int), ("name", ctypes.c_char_p),
                ("min", ctypes.c_uint64), ("max", ctypes.c_uint64)]


class _Frame(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint8), ("sender", ctypes.c_int), ("name", ctypes.c_char_p),
                ("fields", ctypes.POINTER(ctypes.POINTER(_Field))), ("count", ctypes.c_size_t),
                ("required", ctypes.c_uint32)]


class _Rule(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint8), ("sender", ctypes.c_int), ("when_tag", ctypes.c_uint16),
                ("when_values", ctypes.c_uint32), ("if_present", ctypes.c_uint32),
                ("required", ctypes.c_uint32), ("forbidden", ctypes.c_uint32)]


@pytest.fixture
def library(tree: Path) -> ctypes.CDLL:
    """The generated C, compiled strictly and loaded."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "no C compiler: install gcc"
    assert command.main(["--root", str(tree)]) == 0
    target = tree / "registry.so"
    subprocess.run(
        [compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-shared",
         "-fPIC", f"-I{tree}/libprosa/include", f"-I{ROOT}/libprosa/include",
         str(tree / "libprosa/src/registry.c"), "-o", str(target)],
        check=True)
    return ctypes.CDLL(str(target))


def test_c_says_what_the_registry_says(tree: Path, library: ctypes.CDLL) -> None:
    registry = model.load(tree / REGISTRY)
    fields = (_Field * len(registry.fields)).in_dll(library, "prosa_registry_fields")
    assert [(f.tag, f.name.decode(), f.min, f.max) for f in fields] == [
        (f.tag, f.name, f.min, f.max) for f in registry.fields]
    frames = (_Frame * len(registry.frames)).in_dll(library, "prosa_registry_frames")
    for made, frame in zip(frames, registry.frames, strict=True):
        assert (made.type, made.name.decode(), made.count) == (frame.type, frame.name, len(frame.fields))
        assert made.sender == {"client": 1, "server": 2, "both": 3}[frame.sender]
        row = [made.fields[i].contents.name.decode() for i in range(made.count)]
        assert row == [field.name for field in frame.fields]
        assert {name for i, name in enumerate(row) if not made.required >> i & 1} == frame.optional
    rows = {frame.type: frame for frame in registry.frames}
    rules = (_Rule * len(registry.rules)).in_dll(library, "prosa_registry_rules")
    for made, rule in zip(rules, registry.rules, strict=True):
        row = [field.name for field in rows[made.type].fields]
        assert rows[made.type].name == rule.frame
        assert made.when_values == sum(1 << value for value in rule.when_values)
        for bits, names in ((made.if_present, rule.if_present), (made.required, rule.required),
                            (made.forbidden, rule.forbidden)):
            assert [name for i, name in enumerate(row) if bits >> i & 1] == list(names)


def test_lua_has_every_field_and_frame(tree: Path) -> None:
    assert command.main(["--root", str(tree)]) == 0
    text = (tree / "spec/wireshark/registry.lua").read_text()
    registry = model.load(tree / REGISTRY)
    for field in registry.fields:
        assert f'[0x{field.tag:04X}] = {{name = "{field.name}", kind = "{field.kind}"' in text
    for frame in registry.frames:
        assert f'[{frame.type}] = {{name = "{frame.name}", from = "{frame.sender}"' in text


def test_clauses_are_there_for_a_program_without_chapters(tree: Path) -> None:
    assert command.main(["--root", str(tree)]) == 0
    clauses = json.loads((tree / "conformance/prosa_conformance/clauses.json").read_text())
    assert list(clauses) == ["WIRE-01", "WIRE-02", "WIRE-03", "WIRE-04"]
    assert clauses["WIRE-01"] == {
        "who": "peer", "level": "L0", "testability": "vector",
        "text": "A frame MUST begin with the octets 0x50 0x52. Anything else is not ours.",
        "file": "spec/03-wire.md", "line": 7, "anchor": "31-frames",
    }


def test_marked_tables_are_filled(tree: Path, edit: Edit) -> None:
    edit(CHAPTER, "", "# 5. Tables\n\n<!-- generated: labels -->\nold\n<!-- end generated -->\nkept\n")
    assert command.main(["--root", str(tree)]) == 0
    text = (tree / CHAPTER).read_text()
    assert "| `message` | `PROSA/1 message` | 16 |" in text
    assert "\nold\n" not in text and text.endswith("<!-- end generated -->\nkept\n")


@pytest.mark.parametrize(("block", "what"), [
    ("<!-- generated: lables -->\n<!-- end generated -->\n", "there is no such table"),
    ("<!-- generated: labels -->\n", "the block is not closed"),
    ("<!-- generated: labels -->\n<!-- generated: codes -->\n<!-- end generated -->\n", "the block is not closed"),
    ("[WIRE-09] (peer) It MUST be.\n", "is no head of a clause"),
])
def test_faulty_chapter_is_named_and_hinders_nothing_else(
    block: str, what: str, tree: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(CHAPTER, "", f"# 5. Tables\n\n{block}")
    assert command.main(["--root", str(tree)]) == 1
    assert f"{CHAPTER}:3: " in (errors := capsys.readouterr().err) and what in errors
    assert (tree / "libprosa/src/registry.c").exists()


def test_session_is_readable_and_reads_back(tree: Path) -> None:
    registry = model.load(tree / REGISTRY)
    text = "chat " * 30
    value = text.encode()
    body = bytes.fromhex("00860096") + value
    frame = bytes.fromhex("5052011400000000")[:7] + bytes([len(body)]) + body
    session = {"id": "one", "steps": [{
        "from": "client", "comment": "says much", "hex": frame.hex(),
        "frame": {"frame": "PUBLISH", "type": 20, "version": 1, "length": len(body), "fields": {"text": text}},
    }]}
    lines = hexblocks.render(session, registry).splitlines()
    assert lines[0] == "1. client -> server: **PUBLISH** -- says much"
    assert lines[2:4] == ["```hex", "# session: one step 1"]
    assert lines[4] == f"0000  50 52 01 14 00 00 00 9a{'':26}type 20 PUBLISH, length 154"
    assert "text = chat chat" in lines[5] and lines[5].startswith("0008  00 86 00 96 63 68")
    assert all(len(line) <= 100 for line in lines)
    assert hexblocks.octets(lines[4:-1]) == frame.hex()


def test_session_shows_no_control_character_raw(tree: Path) -> None:
    registry = model.load(tree / REGISTRY)
    data = bytes.fromhex("5052011400000009" + "00860005") + b"a\x1b\nbc"
    session = {"id": "one", "steps": [{
        "from": "client", "hex": data.hex(),
        "frame": {"frame": "PUBLISH", "type": 20, "length": 9, "fields": {"text": "a\x1b\nbc"}},
    }]}
    assert "text = a\\u001B\\u000Abc" in hexblocks.render(session, registry)
