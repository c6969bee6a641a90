// SPDX-License-Identifier: MIT

//! Frames and fields, and their picture in JSON.

use crate::registry::{code_name, field, row, Field, Row, EVENTS, FIELDS, FRAMES};
use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

pub const VERSION: u8 = 1;
pub const HEADER_SIZE: usize = 8;
pub const HANDSHAKE_CAP: usize = 1024;
pub const MAX_FRAME_CEILING: usize = 65_536;
const AUTHOR_SIG: u16 = 0x4000;
const SERVER_ZONE_LAST: u16 = 0x7FFF;
const HANDSHAKE_SIG: u16 = 0xFFFE;

/// Something wrong: the code for the ERROR, the requirement, words for people.
#[derive(Debug)]
pub struct Fault {
    pub code: &'static str,
    pub clause: &'static str,
    pub reason: String,
}
pub type Result<T = ()> = std::result::Result<T, Fault>;

pub fn fault(code: &'static str, clause: &'static str, reason: impl Into<String>) -> Fault {
    Fault { code, clause, reason: reason.into() }
}
pub fn need(good: bool, code: &'static str, clause: &'static str, reason: impl Into<String>) -> Result {
    good.then(|| ()).ok_or_else(|| fault(code, clause, reason))
}

fn size_of(kind: &str) -> Option<usize> {
    Some(match kind {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        "u64" => 8,
        "epoch" => 16,
        "key" | "hash" | "nonce" => 32,
        "sig" => 64,
        _ => return None,
    })
}

/// Whether the text is one of the kind: nick, room, clause or target [3.5].
pub fn is_word(kind: &str, text: &str) -> bool {
    let of = |text: &str, others: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || others.contains(c))
    };
    const SMALL: &str = "abcdefghijklmnopqrstuvwxyz_-";
    match kind {
        "nick" => of(text, SMALL, 1, 32),
        "room" => of(text.strip_prefix('@').unwrap_or(text), SMALL, 1, 32),
        "clause" => of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-", 4, 16),
        _ => text.rsplit_once(':').map_or(false, |(name, port)| {
            let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
            let is_name =
                address.map_or(of(name, "abcdefghijklmnopqrstuvwxyz_-.", 1, 255), |a| of(a, "abcdef:.", 1, 255));
            let number = port.parse::<u16>().unwrap_or(0);
            text.len() <= 261 && is_name && number > 0 && number.to_string() == port
        }),
    }
}

fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |n, octet| n << 8 | u64::from(*octet))
}

impl Field {
    /// Judges a value by its row (WIRE-21).
    fn check(&self, octets: &[u8]) -> Result {
        let within = |n: u64| self.least <= n && n <= self.most;
        let is_size = size_of(self.kind).map_or(within(octets.len() as u64), |size| octets.len() == size);
        let text = std::str::from_utf8(octets).ok();
        let good = match self.kind {
            "u8" | "u16" | "u32" | "u64" => within(number(octets)),
            "versions" => octets.first() > Some(&0) && octets.windows(2).all(|pair| pair[0] < pair[1]),
            "nick" | "room" | "clause" | "target" => text.map_or(false, |text| is_word(self.kind, text)),
            _ => true,
        };
        need(is_size && good, "BAD_FRAME", "WIRE-21", format!("the value of {}", self.name))?;
        let is_text = self.kind != "utf8" || text.map_or(false, |text| !text.contains('\0'));
        need(is_text, "BAD_TEXT", "WIRE-21", format!("the text of {}", self.name))
    }
}

impl Row {
    fn lists(&self, name: &str) -> bool {
        self.fields.split(' ').any(|listed| listed.trim_end_matches('?') == name)
    }
    fn field(&self, tag: u16) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.tag == tag && self.lists(field.name))
    }
}

/// A frame as it came. There is no row for one that WIRE-12 ignores.
pub struct Frame {
    pub row: Option<&'static Row>,
    pub octets: Vec<u8>,
    pub displayable: bool, // MSG-14
    values: Vec<Value>,
}
struct Value {
    tag: u16,
    field: Option<&'static Field>, // none when the row does not list the tag
    place: Range<usize>,           // in the octets of the frame
}

impl Frame {
    pub fn name(&self) -> &'static str {
        self.row.map_or("", |row| row.name)
    }
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let value = self.values.iter().find(|value| value.field.map_or(false, |field| field.name == name))?;
        Some(&self.octets[value.place.clone()])
    }
    pub fn octets(&self, name: &str) -> &[u8] {
        self.get(name).unwrap_or(&[])
    }
    pub fn number(&self, name: &str) -> u64 {
        number(self.octets(name))
    }
    pub fn text(&self, name: &str) -> &str {
        std::str::from_utf8(self.octets(name)).unwrap_or("")
    }
    pub fn time(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }
    pub fn fields(&self) -> &[u8] {
        &self.octets[HEADER_SIZE..]
    }
    /// The fields whose tags are below this one, as they came.
    pub fn before(&self, tag: u16) -> &[u8] {
        let end = self.values.iter().filter(|value| value.tag < tag).last().map_or(HEADER_SIZE, |last| last.place.end);
        &self.octets[HEADER_SIZE..end]
    }
    /// What an author signs (MSG-01).
    pub fn author_zone(&self) -> &[u8] {
        self.before(AUTHOR_SIG)
    }
    pub fn signed_by_handshake(&self) -> &[u8] {
        self.before(HANDSHAKE_SIG)
    }

    /// Reads the first frame of the input: none while it is not whole (WIRE-11). `admit` may refuse a type
    /// before the body is there [3.2].
    pub fn decode(
        input: &[u8],
        cap: usize,
        from: &str,
        admit: impl Fn(Option<&'static Row>) -> Result,
    ) -> Result<Option<Frame>> {
        need(input.iter().zip(b"PR").all(|(a, b)| a == b), "BAD_FRAME", "WIRE-02", "this is no frame")?;
        if input.len() < HEADER_SIZE {
            return Ok(None);
        }
        let (version, kind, length) = (input[2], input[3], number(&input[4..8]) as usize);
        let row = FRAMES.iter().find(|row| row.number == kind);
        need(version == VERSION, "UNSUPPORTED", "WIRE-04", format!("version {}", version))?;
        need(length <= cap, "TOO_LARGE", "WIRE-06", format!("length {}", length))?;
        admit(row)?;
        need(row.is_some() || kind % 2 == 1, "UNSUPPORTED", "WIRE-14", format!("type {}", kind))?;
        let publish = row.map_or(false, |row| row.name == "PUBLISH");
        need(!publish || length + 256 <= cap, "TOO_LARGE", "MSG-10", format!("length {}", length))?;
        if input.len() < HEADER_SIZE + length {
            return Ok(None);
        }
        let octets = input[..HEADER_SIZE + length].to_vec();
        let mut frame = Frame { row, octets, displayable: true, values: Vec::new() };
        if let Some(row) = row {
            frame.decode_fields(row)?;
            frame.check_together(row, from)?;
        }
        Ok(Some(frame))
    }

    fn decode_fields(&mut self, row: &Row) -> Result {
        let check = |good, clause, why: &str| need(good, "BAD_FRAME", clause, why);
        let (publish, deliver) = (row.name == "PUBLISH", row.name == "DELIVER");
        let (most, most_clause) = if publish { (24, "MSG-09") } else { (32, "WIRE-18") };
        let (mut last, mut at, end) = (0, HEADER_SIZE, self.octets.len());
        while at < end {
            check(end - at >= 4, "WIRE-19", "octets are left over")?;
            let tag = number(&self.octets[at..at + 2]) as u16;
            let place = at + 4..at + 4 + number(&self.octets[at + 2..at + 4]) as usize;
            let (field, name) = (row.field(tag), hex_tag(tag));
            check(last != HANDSHAKE_SIG, "WIRE-25", "a field after handshake_sig")?;
            check(tag != 0, "WIRE-17", "tag 0")?;
            check(tag > last, "WIRE-16", "tags do not ascend")?;
            check(self.values.len() < most, most_clause, "too many fields")?;
            check(!publish || tag <= AUTHOR_SIG, "MSG-09", &name)?;
            check(tag <= SERVER_ZONE_LAST || row.lists("handshake_sig"), "WIRE-24", &name)?;
            if field.is_none() && tag % 2 == 0 {
                need(deliver && tag < AUTHOR_SIG, "UNSUPPORTED", "WIRE-23", &name)?;
                self.displayable = false;
            }
            check(place.end <= end, "WIRE-19", "a field reaches beyond the end")?;
            field.map_or(Ok(()), |field| field.check(&self.octets[place.clone()]))?;
            at = place.end;
            last = tag;
            self.values.push(Value { tag, field, place });
        }
        Ok(())
    }

    /// What has to be there (WIRE-20), and what stands together (WIRE-30 to WIRE-33).
    fn check_together(&self, row: &Row, from: &str) -> Result {
        for name in row.fields.split(' ').filter(|name| !name.ends_with('?')) {
            need(self.get(name).is_some(), "BAD_FRAME", "WIRE-20", format!("{} is missing", name))?;
        }
        let (clause, listed, wanted) = match (row.name, EVENTS.get(self.number("event") as usize), from) {
            ("ACK", _, "server") => ("WIRE-30", ACK_FIELDS, "limit_counter acked_counter acked_seq"),
            ("ACK", ..) => ("WIRE-31", ACK_FIELDS, "seen_seq limit_seq"),
            ("JOIN", ..) if self.get("epoch").is_some() => ("WIRE-32", "after_seq", "after_seq"),
            ("MEMBER", Some(&("here" | "joined" | "left")), _) => ("WIRE-33", MEMBER_FIELDS, "nick member_key"),
            ("MEMBER", Some(&"resync"), _) => ("WIRE-33", MEMBER_FIELDS, ""),
            ("MEMBER", Some(&"count"), _) => ("WIRE-33", MEMBER_FIELDS, "count"),
            _ => return Ok(()),
        };
        for name in listed.split(' ') {
            let is_wanted = wanted.split(' ').any(|each| each == name);
            need(self.get(name).is_some() == is_wanted, "BAD_FRAME", clause, format!("the field {}", name))?;
        }
        Ok(())
    }

    /// The same octets, anew from what was decoded (WIRE-29).
    pub fn encoded(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        for value in &self.values {
            append_field(&mut fields, value.tag, &self.octets[value.place.clone()]);
        }
        encode_frame(self.name(), &fields)
    }

    /// A field as its kind says, for events and for the picture.
    pub fn value(&self, name: &str) -> Option<Content> {
        let octets = self.get(name)?;
        Some(field(name)?.content(octets))
    }

    /// The picture of a frame in JSON, its fields in the order of the wire [3.7].
    pub fn projection(&self) -> Content {
        let header = |name: Content| {
            let (kind, version) = (Content::Int(self.octets[3].into()), Content::Int(self.octets[2].into()));
            vec![
                ("frame", name),
                ("type", kind),
                ("version", version),
                ("length", Content::Int(self.fields().len() as u64)),
            ]
        };
        if self.row.is_none() {
            return Content::Raw(json(&header(Content::Null)));
        }
        let fields = self.values.iter().map(|value| {
            let octets = &self.octets[value.place.clone()];
            match value.field {
                Some(field) => (field.name.to_string(), field.content(octets)),
                None => (hex_tag(value.tag), octets.into()),
            }
        });
        let mut members = header(self.name().into());
        members.push(("fields", Content::Raw(json(&fields.collect::<Vec<_>>()))));
        Content::Raw(json(&members))
    }
}
const ACK_FIELDS: &str = "limit_counter acked_counter acked_seq seen_seq limit_seq";
const MEMBER_FIELDS: &str = "nick member_key count";

fn hex_tag(tag: u16) -> String {
    format!("0x{:04x}", tag)
}

/// A value of a field that is sent, or of a member of a JSON object.
pub enum Content {
    Octets(Vec<u8>),
    Text(String),
    Number(u64), // in JSON a string of digits
    Int(u64),
    Bool(bool),
    Null,
    Raw(String),
}
impl From<u64> for Content {
    fn from(number: u64) -> Content {
        Content::Number(number)
    }
}
impl From<&str> for Content {
    fn from(text: &str) -> Content {
        Content::Text(text.to_string())
    }
}
impl From<&[u8]> for Content {
    fn from(octets: &[u8]) -> Content {
        Content::Octets(octets.to_vec())
    }
}
impl From<&Vec<u8>> for Content {
    fn from(octets: &Vec<u8>) -> Content {
        Content::Octets(octets.clone())
    }
}
impl Field {
    fn content(&self, octets: &[u8]) -> Content {
        let n = number(octets);
        match self.kind {
            _ if self.name == "code" && code_name(n) != n.to_string() => code_name(n).as_str().into(),
            _ if self.name == "event" && (1..=5).contains(&n) => EVENTS[n as usize].into(),
            "u64" => n.into(),
            "u8" | "u16" | "u32" => Content::Int(n),
            "versions" => Content::Raw(format!("{:?}", octets)),
            kind if kind == "opaque" || size_of(kind).is_some() => octets.into(),
            _ => String::from_utf8_lossy(octets).as_ref().into(),
        }
    }
}

/// Fields of a frame by name, or as "0x1a1b"; members of an object.
pub type Pair<'a> = (&'a str, Content);

/// The one sequence of octets of these fields (WIRE-16).
pub fn encode_fields(pairs: &[Pair]) -> Vec<u8> {
    let tag_of = |name: &str| {
        let unknown = || u16::from_str_radix(name.trim_start_matches("0x"), 16).expect("a tag");
        field(name).map_or_else(unknown, |field| field.tag)
    };
    let mut sorted: Vec<_> = pairs.iter().map(|(name, content)| (tag_of(name), name, content)).collect();
    sorted.sort_by_key(|(tag, ..)| *tag);
    let mut fields = Vec::new();
    for (tag, name, content) in sorted {
        match content {
            Content::Octets(octets) => append_field(&mut fields, tag, octets),
            Content::Text(text) => append_field(&mut fields, tag, text.as_bytes()),
            Content::Number(n) => {
                let size = field(name).and_then(|field| size_of(field.kind)).expect("an integer");
                append_field(&mut fields, tag, &n.to_be_bytes()[8 - size..]);
            }
            _ => {}
        }
    }
    fields
}
fn append_field(fields: &mut Vec<u8>, tag: u16, octets: &[u8]) {
    fields.extend(tag.to_be_bytes());
    fields.extend((octets.len() as u16).to_be_bytes());
    fields.extend(octets);
}
pub fn encode(name: &str, pairs: &[Pair]) -> Vec<u8> {
    encode_frame(name, &encode_fields(pairs))
}
pub fn encode_frame(name: &str, fields: &[u8]) -> Vec<u8> {
    let number = row(name).expect("a frame of the registry").number;
    [&[b'P', b'R', VERSION, number][..], &(fields.len() as u32).to_be_bytes(), fields].concat()
}

/// The characters of MSG-19.
fn is_unprintable(c: char) -> bool {
    let others = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{2069}'];
    c.is_control() || c == '\u{61c}' || c == '\u{feff}' || others.iter().any(|range| range.contains(&c))
}
/// Text for people, with a stand-in for what must not be printed.
pub fn visible(text: &str) -> String {
    let stand_in = |c: char| if is_unprintable(c) { format!("<u{:04x}>", c as u32) } else { c.to_string() };
    text.chars().map(stand_in).collect()
}
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{:02x}", octet)).collect()
}
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let is_hex = digits.len() % 2 == 0 && digits.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
    let pairs = (0..digits.len()).step_by(2);
    if is_hex {
        pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
    } else {
        None
    }
}

/// One line of JSON: octets in hexadecimal, u64 as a string of digits, nothing unprintable.
pub fn json<N: AsRef<str>>(members: &[(N, Content)]) -> String {
    let quoted = |text: &str| {
        let mut out = String::from('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if is_unprintable(c) => write!(out, "\\u{:04x}", c as u32).expect("memory"),
                c => out.push(c),
            }
        }
        out + "\""
    };
    let members = members.iter().map(|(name, content)| {
        let content = match content {
            Content::Octets(octets) => quoted(&hex(octets)),
            Content::Text(text) => quoted(text),
            Content::Number(n) => quoted(&n.to_string()),
            Content::Int(n) => n.to_string(),
            Content::Bool(truth) => truth.to_string(),
            Content::Null => "null".to_string(),
            Content::Raw(text) => text.clone(),
        };
        format!("{}:{}", quoted(name.as_ref()), content)
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}
