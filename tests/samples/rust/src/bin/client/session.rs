// SPDX-License-Identifier: MIT

//! One connection, from HELLO to its end, and what outlives it.

use crate::{emit, Client, Ending, Wish};
use prosa::crypto::*;
use prosa::frame::*;
use prosa::link::{Event, Link};
use prosa::program::{check, exit, note};
use prosa::registry::{code_name, is_fatal, EVENTS, RESUME};
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const RECV_WINDOW: u64 = 64;

/// Where this person is in the room, and the messages that have no ACK (RES-07, RES-15). The file has the
/// octets that a next session would send: JOIN and PUBLISHes.
#[derive(Default)]
pub struct Room {
    path: String,
    pub epoch: Option<Vec<u8>>, // none before the first JOINED
    pub seen: u64,              // the last room_seq that was shown
    pub outbox: Vec<Frame>,
}

impl Room {
    pub fn load(path: String) -> Room {
        let stored = std::fs::read(&path).unwrap_or_default();
        let mut room = Room { path, ..Room::default() };
        let mut at = 0;
        let decode = |at| Frame::decode(&stored[at..], MAX_FRAME_CEILING, "client", |_| Ok(()));
        while let Some(frame) = decode(at).unwrap_or_else(|fault| exit(1, &format!("{}: {}", room.path, fault.reason)))
        {
            at += frame.octets.len();
            if frame.name() == "JOIN" {
                room.epoch = frame.get("epoch").map(<[u8]>::to_vec);
                room.seen = frame.number("after_seq");
            } else {
                room.outbox.push(frame);
            }
        }
        room
    }
    fn save(&self, wish: &Wish) {
        let mut octets = encode("JOIN", &self.join(wish));
        self.outbox.iter().for_each(|frame| octets.extend(&frame.octets));
        let new = format!("{}.new", self.path);
        check(std::fs::write(&new, octets));
        check(std::fs::rename(new, &self.path));
    }
    fn join(&self, wish: &Wish) -> Vec<Pair<'static>> {
        let window: u64 = if wish.level < 2 { 1 } else { 16 };
        let mut pairs = vec![
            ("room", wish.room.as_str().into()),
            ("send_window", window.into()),
            ("recv_window", RECV_WINDOW.into()),
        ];
        if let Some(epoch) = &self.epoch {
            pairs.extend([("epoch", epoch.into()), ("after_seq", self.seen.into())]);
        }
        pairs
    }
}

pub struct Session {
    pub link: Link,
    pub id: u64,
    pub ending: Option<Ending>,
    hello: Vec<u8>,
    challenge: Option<Frame>,
    room_id: Option<Vec<u8>>, // none before JOINED
    window: u64,
    sent: u64, // counters
    acked: u64,
    limit: u64,                      // the highest counter that may be sent
    told: u64,                       // the last seen_seq that the server has
    limit_seq: u64,                  // the highest room_seq that may come
    counters: HashMap<Vec<u8>, u64>, // the last one of each author (MSG-28)
}

impl Session {
    pub fn new(id: u64, socket: TcpStream, events: &SyncSender<Event>, wish: &Wish, keys: &Keys) -> Session {
        let timers = (Duration::from_secs(5), Duration::from_secs(2)); // AUTH-23
        let mut link = Link::new(id, socket, events, ("server", "CHALLENGE"), timers);
        let hello = encode(
            "HELLO",
            &[
                ("versions", [VERSION][..].into()),
                ("nonce", Content::Octets(random(32))),
                ("client_key", (&keys.public).into()),
                ("features", wish.features.into()),
                ("target", wish.target.as_str().into()),
                ("0x1a1b", "grease".into()), // WIRE-27
            ],
        );
        link.send_octets(&hello);
        #[rustfmt::skip]
        let session = Session {
            link, id, ending: None, hello, challenge: None, room_id: None, window: 0, sent: 0, acked: 0, limit: 0, told: 0,
            limit_seq: 0, counters: HashMap::new(),
        };
        session
    }

    /// Sends what the limit allows (FLOW-20): first what was kept, byte-identical, then new lines. A message is
    /// stored before it is sent.
    pub fn publish(&mut self, wish: &Wish, keys: &Keys, room: &mut Room, lines: &mut Vec<String>) {
        while !self.link.closing && self.sent < self.limit {
            let kept = (self.sent - self.acked) as usize;
            if kept == room.outbox.len() {
                if lines.is_empty() {
                    return;
                }
                let fields = keys.compose(vec![
                    ("nick", wish.nick.as_str().into()),
                    ("room_id", self.room_id.as_ref().expect("a limit comes with a room").into()),
                    ("counter", (self.sent + 1).into()),
                    (
                        "sent_at",
                        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as u64).into(),
                    ),
                    ("text", lines.remove(0).as_str().into()),
                    ("0x1a1b", "grease".into()), // WIRE-27
                ]);
                let octets = encode_frame("PUBLISH", &fields);
                let frame = Frame::decode(&octets, MAX_FRAME_CEILING, "client", |_| Ok(()));
                room.outbox.extend(frame.expect("our own frame"));
                room.save(wish);
            }
            self.sent += 1;
            self.link.send_octets(&room.outbox[kept].octets);
        }
    }

    /// In @host with a window of one the limit rises behind the answer (FLOW-28).
    pub fn is_answered(&self, wish: &Wish) -> bool {
        self.room_id.is_some() && (wish.room != "@host" || self.window > 1 || self.sent < self.limit)
    }

    fn need_room(&self, frame: &Frame, clause: &'static str) -> Result {
        let is_joined = self.room_id.as_deref() == frame.get("room_id");
        need(is_joined, "WRONG_ROOM", clause, "this room is not joined")
    }
}

impl Client {
    pub fn take_frame(&mut self, frame: &Frame) -> Result {
        match frame.name() {
            "CHALLENGE" => self.take_challenge(frame)?,
            "WELCOME" => self.take_welcome(),
            "JOINED" => self.take_joined(frame)?,
            "DELIVER" => self.take_deliver(frame)?,
            "ACK" => self.take_ack(frame)?,
            "MEMBER" => {
                self.session().need_room(frame, "MSG-18")?;
                if let Some(change) = EVENTS.get(frame.number("event") as usize).filter(|name| !name.is_empty()) {
                    self.emit("member", frame, vec![("change", (*change).into())], &["nick", "member_key", "count"]);
                }
            }
            "ERROR" => self.take_error(frame),
            "BYE" => {
                let (code, reason) = (frame.number("code"), frame.text("reason"));
                note(&format!("the server says goodbye: {} {}", code_name(code), reason));
                self.over(self.judge("goodbye", code, reason, frame.time("after_ms")));
            }
            _ => {}
        }
        Ok(())
    }
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("frames come in a session")
    }

    /// An event from fields of a frame, those that are there, and other members.
    fn emit(&self, event: &'static str, frame: &Frame, mut members: Vec<Pair<'static>>, names: &[&'static str]) {
        members.push(("room", self.wish.room.as_str().into()));
        members.extend(names.iter().filter_map(|name| Some((*name, frame.value(name)?))));
        emit(event, members);
    }
    fn complain(&self, frame: &Frame, code: &'static str, reason: &str) {
        let members = vec![("from", "client".into()), ("code", code.into()), ("reason", reason.into())];
        self.emit("error", frame, members, &["counter"]);
    }

    /// The checks of AUTH-13: key, pin, signature, version.
    fn take_challenge(&mut self, frame: &Frame) -> Result {
        let (key, pinned) = (frame.octets("server_key"), self.pinned());
        need(key_is_good(key) && key != self.keys.public, "BAD_KEY", "AUTH-13", "this key is not accepted")?;
        if let Some(pinned) = pinned.as_ref().filter(|pinned| **pinned != hex(key)) {
            let (theirs, ours) = (fingerprint(key), fingerprint(&unhex(pinned).unwrap_or_default()));
            let reason = format!("the server's key is {}, and the pinned one {}", theirs, ours);
            return Err(fault("PIN_MISMATCH", "ID-05", reason));
        }
        let is_signed = challenge_is_signed(&self.session().hello, frame);
        need(is_signed, "BAD_SIG", "AUTH-13", "the signature does not verify")?;
        let is_highest = frame.number("version") == VERSION.into() && frame.octets("versions").contains(&VERSION);
        need(is_highest, "DOWNGRADE", "AUTH-13", "not the highest version in common")?;
        if pinned.is_none() {
            self.pin(key);
        }
        let nick: Pair = ("nick", self.wish.nick.as_str().into());
        let th2 = th2(&self.session().hello, &frame.octets);
        let mut pairs = vec![nick];
        let signature = self.keys.sign(&[&label("client-auth"), &th2, &encode_fields(&pairs)]); // AUTH-15
        pairs.push(("handshake_sig", Content::Octets(signature)));
        let session = self.session();
        session.link.due = "WELCOME";
        session.link.deadline = frame.time("handshake_ms");
        session.link.linger = frame.time("linger_ms");
        session.link.send("AUTH", &pairs);
        session.challenge = Frame::decode(&frame.octets, HANDSHAKE_CAP, "server", |_| Ok(()))?;
        Ok(())
    }

    fn take_welcome(&mut self) {
        let offered = self.wish.features;
        let mut pairs = self.room.join(&self.wish);
        let session = self.session();
        let challenge = session.challenge.take().expect("WELCOME comes behind CHALLENGE");
        let active = challenge.number("features") & offered; // AUTH-11
        if active & RESUME == 0 {
            pairs.retain(|(name, _)| !["epoch", "after_seq"].contains(name));
        }
        session.link.ready(&challenge, active);
        session.link.send("JOIN", &pairs);
        session.challenge = Some(challenge);
        self.resumes = active & RESUME != 0;
    }

    /// Finds out what of the past still holds: RES-03 for what was seen, RES-08 for what was sent.
    fn take_joined(&mut self, frame: &Frame) -> Result {
        let session = self.session.as_mut().expect("frames come in a session");
        let is_due = session.room_id.is_none() && session.ending.is_none() && frame.text("room") == self.wish.room;
        need(is_due, "BAD_STATE", "FLOW-01", "no JOIN asked for this")?;
        let server_key =
            session.challenge.as_ref().map_or(Vec::new(), |challenge| challenge.octets("server_key").to_vec());
        let id = room_id(&server_key, frame.octets("epoch"), &self.wish.room, &self.keys.public);
        need(id == frame.octets("room_id"), "WRONG_ROOM", "MSG-23", "room_id is not that of this epoch")?;
        let last = frame.number("last_counter");
        session.told = frame.number("start_seq") - 1;
        session.limit_seq = session.told + RECV_WINDOW;
        session.room_id = Some(id);
        session.window = frame.number("granted_window");
        session.sent = last;
        session.acked = last;
        session.limit = frame.number("limit_counter");

        let is_same = self.room.epoch.as_deref() == frame.get("epoch");
        let is_cut = frame.number("head_seq") < self.room.seen || frame.number("oldest_seq") > self.room.seen + 1;
        let is_lost = self.resumes && self.room.epoch.is_some() && (!is_same || is_cut);
        let members = vec![("server_key", Content::Octets(server_key)), ("lost_history", Content::Bool(is_lost))];
        self.emit("joined", frame, members, &["room_id", "epoch", "last_counter", "start_seq"]);
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.room.outbox).into_iter().partition(|f| is_same && f.number("counter") <= last);
        taken.iter().for_each(|message| self.emit("acked", message, Vec::new(), &["counter"]));
        if is_same && kept.first().map_or(true, |first| first.number("counter") == last + 1) {
            self.room.outbox = kept;
        } else {
            kept.iter().for_each(|message| self.complain(message, "WRONG_ROOM", "not sent: its room is gone"));
        }
        self.room.epoch = frame.get("epoch").map(<[u8]>::to_vec);
        self.room.seen = frame.number("start_seq") - 1;
        self.room.save(&self.wish);
        self.attempts = 0;
        self.go_on();
        Ok(())
    }

    fn take_deliver(&mut self, frame: &Frame) -> Result {
        let seen = self.room.seen;
        let session = self.session();
        session.need_room(frame, "MSG-18")?;
        need(frame.number("room_seq") == seen + 1, "SEQ_GAP", "MSG-17", "room_seq is not the next one")?;
        need(seen < session.limit_seq, "FLOW_VIOLATION", "FLOW-19", "room_seq is beyond the limit")?;
        self.room.seen += 1;
        if !frame.is_signed() {
            self.complain(frame, "BAD_SIG", "a message that its author has not signed");
        // MSG-16
        } else if !frame.displayable {
            self.complain(frame, "UNSUPPORTED", "a message that cannot be displayed");
        // MSG-14
        } else {
            let (author, counter) = (frame.octets("author_key"), frame.number("counter"));
            let last = self.session().counters.insert(author.to_vec(), counter);
            if last.map_or(false, |last| counter != last + 1) {
                self.complain(frame, "COUNTER_GAP", "a message of this author was left out or repeated");
                // MSG-28
            }
            let own = Content::Bool(author == self.keys.public);
            #[rustfmt::skip]
            self.emit("message", frame, vec![("id", Content::Octets(frame.id())), ("own", own)], &["room_seq", "nick",
                "author_key", "counter", "sent_at", "server_time", "text", "display", "reply_to"]);
        }
        if seen + 1 - self.session().told >= RECV_WINDOW / 2 {
            self.tell_seen(); // FLOW-17
        }
        Ok(())
    }

    /// Stores where we are, and raises the limit: one ACK for many messages (FLOW-16).
    pub fn tell_seen(&mut self) {
        let seen = self.room.seen;
        if let Some(session) = self.session.as_mut().filter(|session| session.room_id.is_some() && session.told < seen)
        {
            self.room.save(&self.wish);
            session.told = seen;
            session.limit_seq = seen + RECV_WINDOW;
            let room_id = session.room_id.as_ref().map_or(Content::Null, |id| id.into());
            let limit_seq = session.limit_seq.into();
            session.link.send("ACK", &[("room_id", room_id), ("seen_seq", seen.into()), ("limit_seq", limit_seq)]);
        }
    }

    fn take_ack(&mut self, frame: &Frame) -> Result {
        let acked = frame.number("acked_counter");
        let session = self.session();
        session.need_room(frame, "FLOW-15")?;
        need(acked <= session.sent, "ACK_TOO_HIGH", "FLOW-14", "an ACK of what was not sent")?;
        session.limit = session.limit.max(frame.number("limit_counter")); // FLOW-12
        let before = session.acked;
        session.acked = before.max(acked);
        for counter in before + 1..=acked {
            let mut members = vec![("counter", counter.into())];
            if counter == acked {
                members.push(("room_seq", frame.number("acked_seq").into()));
            }
            self.emit("acked", frame, members, &[]);
        }
        if acked > before {
            self.room.outbox.retain(|message| message.number("counter") > acked);
            self.room.save(&self.wish);
        }
        self.go_on();
        Ok(())
    }

    fn take_error(&mut self, frame: &Frame) {
        let (code, reason) = (frame.number("code"), frame.text("reason"));
        let name = code_name(code);
        let members = vec![("from", "server".into()), ("code", name.as_str().into())];
        self.emit("error", frame, members, &["reason", "room", "counter"]);
        let session = self.session();
        let (is_ready, is_joining) = (session.link.is_ready(), session.room_id.is_none());
        if is_fatal(code) || !is_ready {
            self.over(self.judge("error", code, reason, frame.time("after_ms")));
        } else if code >> 8 == 4 && is_joining && frame.text("room") == self.wish.room {
            // CON-12: the only room is refused.
            let (code, reason) = (Some(name), reason.to_string());
            self.leave(Ending { how: "goodbye", code, reason, exit: 1, ..Ending::default() });
        }
    }
}
