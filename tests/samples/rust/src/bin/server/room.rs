// SPDX-License-Identifier: MIT

//! Rooms: their logs and their members.

use crate::{append_file, now, Client};
use prosa::crypto::{random, room_id, Keys};
use prosa::frame::{encode_fields, encode_frame, hex, Content, Frame, MAX_FRAME_CEILING};
use prosa::program::{check, exit};
use prosa::registry::event;
use std::collections::{BTreeMap, HashMap};

pub type Clients = BTreeMap<u64, Client>;
const EPOCH_SIZE: usize = 16;

/// A file with the epoch in front and one DELIVER behind the other. What write(2) has taken survives kill -9
/// (FLOW-09); so a message is committed before anybody sees it (FLOW-26).
pub struct Log {
    pub name: String,
    pub path: String,
    pub id: Vec<u8>,
    pub epoch: Vec<u8>,
    pub entries: Vec<Frame>,            // the entry room_seq stands at room_seq - 1
    places: HashMap<Vec<u8>, Vec<u64>>, // of each author's key: the room_seq of its counters, from 1 on
}

impl Log {
    /// Where the log of a room is: that of `@host` belongs to one client.
    pub fn path(data: &str, name: &str, client_key: &[u8]) -> String {
        let of = if name == "@host" { format!("-{}", hex(client_key)) } else { String::new() };
        format!("{}/room-{}{}", data, name, of)
    }

    /// Reads a log from its file, or makes it (MSG-29). An empty one of @host is not stored (MSG-27).
    pub fn open(path: &str, name: &str, keys: &Keys, client_key: &[u8]) -> Log {
        let mut stored = std::fs::read(path).unwrap_or_default();
        if stored.len() < EPOCH_SIZE {
            stored = random(EPOCH_SIZE); // MSG-24
            if name != "@host" {
                append_file(path, &stored);
            }
        }
        let epoch = stored[..EPOCH_SIZE].to_vec();
        let (name, path, places) = (name.to_string(), path.to_string(), HashMap::new());
        let id = room_id(&keys.public, &epoch, &name, client_key);
        let mut log = Log { name, path, id, epoch, entries: Vec::new(), places };
        let mut size = EPOCH_SIZE;
        while let Some(added) = log.add(&stored[size..]) {
            size += added;
        }
        if size < stored.len() {
            // Half an entry: the server was killed before anybody saw it.
            check(check(std::fs::OpenOptions::new().write(true).open(&log.path)).set_len(size as u64));
        }
        log
    }

    pub fn is_private(&self) -> bool {
        self.name == "@host"
    }
    pub fn head(&self) -> u64 {
        self.entries.len() as u64
    }
    pub fn places(&self, author: &[u8]) -> &[u64] {
        self.places.get(author).map_or(&[], Vec::as_slice)
    }
    pub fn last_counter(&self, author: &[u8]) -> u64 {
        self.places(author).len() as u64
    }

    /// Takes the first frame of these octets as the next entry, and gives its size.
    fn add(&mut self, octets: &[u8]) -> Option<usize> {
        let entry = Frame::decode(octets, MAX_FRAME_CEILING, "server", |_| Ok(()))
            .unwrap_or_else(|fault| exit(1, &format!("{} is damaged: {}", self.path, fault.reason)))?;
        let (size, place) = (entry.octets.len(), self.head() + 1);
        self.places.entry(entry.octets("author_key").to_vec()).or_default().push(place);
        self.entries.push(entry);
        Some(size)
    }

    /// Commits a message. The author's octets stay as they are (MSG-11); the time does not go back (MSG-13).
    fn append(&mut self, authored: &[u8]) {
        let time = now().max(self.entries.last().map_or(0, |last| last.number("server_time")));
        let fields = encode_fields(&[("room_seq", (self.head() + 1).into()), ("server_time", time.into())]);
        let octets = encode_frame("DELIVER", &[authored, &fields].concat());
        if self.is_private() && self.entries.is_empty() {
            append_file(&self.path, &self.epoch);
        }
        append_file(&self.path, &octets);
        self.add(&octets);
    }
}

/// A client in a room.
pub struct Member {
    pub client: u64,
    pub key: Vec<u8>,
    pub nick: String,
    pub is_in: bool, // not yet, when it comes from a session that was replaced (MEM-09)
    pub window: u64, // granted_window
    pub limit: u64,  // the highest counter that the client may send
    pub next: u64,   // the room_seq to deliver next, and the highest that may be
    pub limit_seq: u64,
    pub unanswered: Option<Vec<u8>>, // the id of the question that holds the limit back (FLOW-27)
}

impl Member {
    /// Sends what is owed, as far as credit goes (FLOW-18). Behind the answer the limit rises (FLOW-28).
    pub fn deliver(&mut self, log: &Log, clients: &mut Clients) {
        while self.is_in && self.next <= log.head().min(self.limit_seq) {
            let entry = &log.entries[self.next as usize - 1];
            self.next += 1;
            send(clients, self.client, &entry.octets);
            if self.unanswered.is_some() && self.unanswered.as_deref() == entry.get("reply_to") {
                self.raise(log, clients);
            }
        }
    }

    /// Lets the client send a window more than has been accepted.
    pub fn raise(&mut self, log: &Log, clients: &mut Clients) {
        self.unanswered = None;
        self.limit = log.last_counter(&self.key) + self.window;
        self.acknowledge(log, clients);
    }
    pub fn acknowledge(&self, log: &Log, clients: &mut Clients) {
        let acked_seq = log.places(&self.key).last().copied().unwrap_or(0); // FLOW-10
        let pairs = [
            ("room_id", (&log.id).into()),
            ("limit_counter", self.limit.into()),
            ("acked_counter", log.last_counter(&self.key).into()),
            ("acked_seq", acked_seq.into()),
        ];
        send(clients, self.client, &prosa::frame::encode("ACK", &pairs));
    }
}

fn send(clients: &mut Clients, id: u64, octets: &[u8]) {
    if let Some(client) = clients.get_mut(&id) {
        client.link.send_octets(octets);
    }
}

pub struct Room {
    pub log: Log,
    pub members: Vec<Member>,
    pub member_limit: u64,
}

impl Room {
    /// Commits a message, and gives it to the members (FLOW-25).
    pub fn publish(&mut self, authored: &[u8], clients: &mut Clients) {
        self.log.append(authored);
        for member in &mut self.members {
            member.deliver(&self.log, clients);
        }
    }

    fn count(&self) -> u64 {
        self.members.len() as u64
    }

    /// Tells the others that somebody came or went (MEM-03), or how many they are now (MEM-05).
    pub fn announce(&self, change: &str, who: &Member, clients: &mut Clients) {
        if self.log.is_private() {
            return; // MEM-06
        }
        let is_back = change == "left" && self.count() == self.member_limit;
        for to in self.members.iter().filter(|member| member.client != who.client && member.is_in) {
            if self.count() > self.member_limit {
                self.tell(to, "count", None, clients);
            } else if is_back {
                self.tell(to, "resync", None, clients);
                self.snapshot(to, clients);
            } else {
                self.tell(to, change, Some(who), clients);
            }
        }
    }

    /// Says who is here (MEM-01), or how many.
    pub fn snapshot(&self, to: &Member, clients: &mut Clients) {
        if self.count() > self.member_limit {
            self.tell(to, "count", None, clients);
        } else {
            self.members.iter().for_each(|member| self.tell(to, "here", Some(member), clients));
        }
    }

    pub fn tell(&self, to: &Member, what: &str, who: Option<&Member>, clients: &mut Clients) {
        let at_seq = self.log.head().into(); // MEM-02
        let mut pairs = vec![("room_id", (&self.log.id).into()), ("event", event(what).into()), ("at_seq", at_seq)];
        if let Some(who) = who {
            pairs.extend([("nick", who.nick.as_str().into()), ("member_key", (&who.key).into())]);
        }
        if what == "count" {
            pairs.push(("count", Content::Number(self.count())));
        }
        send(clients, to.client, &prosa::frame::encode("MEMBER", &pairs));
    }
}
