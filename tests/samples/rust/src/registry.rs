// SPDX-License-Identifier: MIT

//! Numbers and names of the protocol.

/// A row of the table of fields: `least` and `most` are values of integers, octets of the rest [3.5].
pub struct Field {
    pub tag: u16,
    pub name: &'static str,
    pub kind: &'static str,
    pub least: u64,
    pub most: u64,
    pub default: u64, // of what CHALLENGE announces, else 0 [9.1]
}

const fn f(tag: u16, name: &'static str, kind: &'static str) -> Field {
    Field { tag, name, kind, least: 0, most: u64::MAX, default: 0 }
}
/// A number that CHALLENGE announces.
const fn a(tag: u16, name: &'static str, least: u64, most: u64, default: u64) -> Field {
    Field { tag, name, kind: "u32", least, most, default }
}
impl Field {
    const fn from(self, least: u64) -> Field {
        Field { least, ..self }
    }
    const fn to(self, most: u64) -> Field {
        Field { most, ..self }
    }
}

#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    f(0x0002, "versions", "versions").from(1).to(8), f(0x0004, "nonce", "nonce"), f(0x0006, "client_key", "key"),
    f(0x0008, "features", "u32"), f(0x000A, "target", "target").from(3).to(261), f(0x000C, "version", "u8").from(1),
    f(0x000E, "server_key", "key"), f(0x0010, "session", "u64"), f(0x0012, "time", "u64"),
    a(0x0020, "max_frame", 8_192, 65_536, 16_384), a(0x0022, "max_rooms", 1, 65_535, 8),
    a(0x0024, "max_window", 1, 65_535, 64), a(0x0026, "token_rate", 1, 1_000_000, 32),
    a(0x0028, "token_burst", 1, 1_000_000, 64), a(0x002A, "member_limit", 0, 400, 256),
    a(0x002C, "undecided_limit", 16_384, 16_777_216, 65_536), a(0x002E, "output_limit", 65_536, 67_108_864, 262_144),
    a(0x0030, "handshake_ms", 50, 600_000, 5_000), a(0x0032, "ping_after_ms", 50, 3_600_000, 15_000),
    a(0x0034, "dead_after_ms", 100, 3_600_000, 45_000), a(0x0036, "slow_ms", 50, 3_600_000, 10_000),
    a(0x0038, "linger_ms", 50, 600_000, 2_000), f(0x0040, "nick", "nick").from(1).to(32),
    f(0x0041, "display", "utf8").from(1).to(64), f(0x0042, "room", "room").from(1).to(33), f(0x0044, "room_id", "hash"),
    f(0x0046, "epoch", "epoch"), f(0x0050, "send_window", "u32").from(1), f(0x0052, "recv_window", "u32").from(2),
    f(0x0054, "after_seq", "u64"), f(0x0056, "granted_window", "u32").from(1), f(0x0058, "last_counter", "u64"),
    f(0x005A, "limit_counter", "u64"), f(0x005C, "acked_counter", "u64"), f(0x005E, "acked_seq", "u64"),
    f(0x0060, "head_seq", "u64"), f(0x0062, "oldest_seq", "u64").from(1), f(0x0064, "start_seq", "u64").from(1),
    f(0x0066, "seen_seq", "u64"), f(0x0068, "limit_seq", "u64"), f(0x0070, "event", "u8"),
    f(0x0072, "member_key", "key"), f(0x0074, "at_seq", "u64"), f(0x0076, "count", "u32"),
    f(0x0080, "author_key", "key"), f(0x0082, "counter", "u64").from(1), f(0x0084, "sent_at", "u64"),
    f(0x0086, "text", "utf8").from(1).to(4096), f(0x0087, "reply_to", "hash"), f(0x0090, "seq", "u64"),
    f(0x0092, "chain", "hash"), f(0x00A0, "opaque", "opaque").to(16), f(0x00B0, "code", "u16").from(1),
    f(0x00B2, "reason", "utf8").from(1).to(255), f(0x00B3, "after_ms", "u32"), f(0x00B5, "ref_type", "u8"),
    f(0x00B7, "clause", "clause").from(4).to(16), f(0x4000, "author_sig", "sig"), f(0x4002, "room_seq", "u64").from(1),
    f(0x4004, "server_time", "u64"), f(0x4005, "prev_hash", "hash"), f(0x4006, "server_sig", "sig"),
    f(0xFFFE, "handshake_sig", "sig"),
];

/// A row of the table of frames; "?" marks the optional fields [3.6].
pub struct Row {
    pub number: u8,
    pub name: &'static str,
    pub from: &'static str,
    pub fields: &'static str,
}

const fn r(number: u8, name: &'static str, from: &'static str, fields: &'static str) -> Row {
    Row { number, name, from, fields }
}
#[rustfmt::skip]
pub const FRAMES: &[Row] = &[
    r(2, "HELLO", "client", "versions nonce client_key features target"),
    r(4, "CHALLENGE", "server", "versions nonce features version server_key max_frame max_rooms max_window token_rate \
        token_burst member_limit undecided_limit output_limit handshake_ms ping_after_ms dead_after_ms slow_ms \
        linger_ms handshake_sig"),
    r(6, "AUTH", "client", "nick display? handshake_sig"),
    r(8, "WELCOME", "server", "session time"),
    r(10, "JOIN", "client", "room epoch? send_window recv_window after_seq?"),
    r(12, "JOINED", "server", "room room_id epoch granted_window last_counter limit_counter head_seq oldest_seq start_seq"),
    r(14, "LEAVE", "client", "room_id"),
    r(17, "MEMBER", "server", "nick? room_id event member_key? at_seq count?"),
    r(20, "PUBLISH", "client", "nick display? room_id author_key counter sent_at text reply_to? author_sig"),
    r(22, "DELIVER", "server", "nick display? room_id author_key counter sent_at text reply_to? author_sig room_seq \
        server_time prev_hash?"),
    r(24, "ACK", "both", "room_id limit_counter? acked_counter? acked_seq? seen_seq? limit_seq?"),
    r(27, "CHECKPOINT", "server", "time room_id seq chain server_sig"),
    r(30, "PING", "both", "opaque"),
    r(32, "PONG", "both", "opaque"),
    r(34, "ERROR", "both", "room? room_id? counter? code reason after_ms? ref_type? clause?"),
    r(36, "BYE", "both", "code reason? after_ms?"),
];

/// The codes of one class, numbered from 1 [7.2].
const CODES: [&str; 6] = [
    "BAD_FRAME UNSUPPORTED TOO_LARGE BAD_TEXT",
    "BAD_KEY BAD_SIG NICK_TAKEN DENIED WRONG_AUTHOR PIN_MISMATCH DOWNGRADE FORK",
    "BAD_STATE FLOW_VIOLATION COUNTER_GAP COUNTER_REUSE WRONG_ROOM ACK_TOO_HIGH SEQ_GAP TIMEOUT",
    "NO_ROOM TOO_MANY_ROOMS NOT_SUPPORTED",
    "NO_ANSWER",
    "NORMAL SHUTDOWN REPLACED SLOW_CONSUMER IDLE KICKED GATEWAY_LOST BUSY INTERNAL",
];

/// Features [8.2], and events of MEMBER [14.4]: their values are their places here.
pub const LIVENESS: u64 = 1;
pub const RESUME: u64 = 2;
pub const EVENTS: [&str; 6] = ["", "here", "joined", "left", "resync", "count"];

pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}
pub fn row(name: &str) -> Option<&'static Row> {
    FRAMES.iter().find(|row| row.name == name)
}
pub fn code(name: &str) -> u64 {
    let place = |names: &&str| names.split(' ').position(|each| each == name);
    let class = CODES.iter().position(|names| place(names).is_some()).expect("a code of the registry");
    (class as u64 + 1) << 8 | (place(&CODES[class]).unwrap_or(0) as u64 + 1)
}
/// The name of a code, or its number.
pub fn code_name(code: u64) -> String {
    let names = CODES.get((code >> 8).wrapping_sub(1) as usize).copied().unwrap_or("");
    let name = names.split(' ').nth(((code & 0xFF) as usize).wrapping_sub(1));
    name.filter(|name| !name.is_empty()).map_or(code.to_string(), str::to_string)
}
pub fn event(name: &str) -> u64 {
    EVENTS.iter().position(|each| *each == name).expect("an event of the registry") as u64
}
/// Classes 04 and 05 leave the connection as it is, all others end it (ERR-04, ERR-05).
pub fn is_fatal(code: u64) -> bool {
    ![4, 5].contains(&(code >> 8))
}
