// SPDX-License-Identifier: MIT

//! A PROSA/1 client of level L3 with resume: a line of stdin is a message. Events go to stdout as JSON, one
//! object a line (13.4); words for people go to stderr.

mod session;

use prosa::crypto::{fingerprint, Keys};
use prosa::frame::{hex, is_word, json, Content, Fault, Frame, Pair, Result};
use prosa::link::{read_console, Event, Link, Program, TICK};
use prosa::program::{address, begin, check, exit, is_text, note, setting};
use prosa::registry::{code, code_name, LIVENESS, RESUME};
use session::{Room, Session};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a session ended, and what follows: another attempt, or the exit code [13.4].
#[derive(Default)]
pub struct Ending {
    how: &'static str,
    code: Option<String>,
    reason: String,
    exit: i32,
    again: bool,
    after: Duration,
}

/// What the person asked for.
pub struct Wish {
    level: usize,
    host: String,
    port: u16,
    target: String,
    nick: String,
    room: String,
    data: String,
    features: u64,
}

struct Client {
    wish: Wish,
    keys: Keys,
    room: Room,
    session: Option<Session>,
    sessions: u64,
    lines: Vec<String>, // typed, not sent
    input_ended: bool,
    resumes: bool,  // the last session had resume, so that another may follow (RES-13)
    wait: Duration, // left until the next attempt; zero when none is due
    attempts: u32,  // since a session reached JOINED
    events: SyncSender<Event>,
}

pub fn emit(event: &'static str, mut members: Vec<Pair>) {
    members.insert(0, ("event", event.into()));
    println!("{}", json(&members));
}

/// What the person typed in the form of the wire (ID-03).
fn target_of(host: &str, port: u16) -> String {
    let name = host.strip_suffix('.').unwrap_or(host).to_lowercase();
    if name.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{}]:{}", name, port)
    } else {
        format!("{}:{}", name, port)
    }
}

/// Looks the name up and tries its addresses, each time anew (RES-12).
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs().map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Client {
    fn connect(&self) {
        let (events, host, port) = (self.events.clone(), self.wish.host.clone(), self.wish.port);
        std::thread::spawn(move || events.send(Event::Connected(connect(&host, port))));
    }

    /// There is no connection. Either another one follows, after a while (RES-11), or this is the end.
    fn ended_as(&mut self, ending: Ending) {
        note(&ending.reason);
        emit("disconnected", vec![("how", ending.how.into()), ("again", Content::Bool(ending.again))]);
        if !ending.again {
            self.closed(ending);
        }
        let longest = (500 << self.attempts.min(6)).min(30_000);
        let jitter = u32::from_be_bytes(prosa::crypto::random(4).try_into().expect("4 octets"));
        let wait = Duration::from_millis(u64::from(jitter) % longest);
        self.wait = wait.max(ending.after) + TICK; // the first tick may come at once
        self.attempts += 1;
        self.go_on();
    }
    fn closed(&self, ending: Ending) -> ! {
        if !self.lines.is_empty() {
            note(&format!("{} lines were not sent", self.lines.len()));
        }
        let code = ending.code.map_or(Content::Null, |code| code.as_str().into());
        emit(
            "closed",
            vec![("exit", Content::Int(ending.exit as u64)), ("code", code), ("reason", ending.reason.as_str().into())],
        );
        std::process::exit(ending.exit)
    }

    /// Reads a BYE or an ERROR: exit code, and whether to come back (RES-13).
    fn judge(&self, how: &'static str, code: u64, reason: &str, after: Duration) -> Ending {
        let (name, class) = (code_name(code), code >> 8);
        let exit = match class {
            _ if name == "NORMAL" => 0,
            2 => 4,
            6 => 6,
            _ => 1,
        };
        let is_meant = ["NORMAL", "REPLACED", "KICKED"].contains(&name.as_str()) || class == 1 || class == 2;
        Ending { how, code: Some(name), reason: reason.to_string(), exit, again: self.resumes && !is_meant, after }
    }

    /// The first reason counts (END-11).
    fn over(&mut self, ending: Ending) {
        if let Some(session) = &mut self.session {
            session.ending.get_or_insert(ending);
        }
    }

    /// Says goodbye, if there is anybody to hear it (END-07, END-06).
    fn leave(&mut self, mut ending: Ending) {
        let is_ready = self.session.as_ref().map(|session| session.link.is_ready());
        match is_ready {
            None => self.closed(ending),
            Some(true) if ending.code.is_none() => ending.code = Some("NORMAL".to_string()),
            _ => {}
        }
        let reason = ending.reason.clone();
        self.over(ending);
        if let Some(session) = &mut self.session {
            if session.link.is_ready() {
                session.link.bye("NORMAL", &reason)
            } else {
                session.link.close()
            }
        }
    }
    fn goodbye(&mut self) {
        self.leave(Ending { how: "goodbye", reason: "the conversation is over".to_string(), ..Ending::default() });
    }

    /// Sends what can be sent; when stdin has ended and nothing is pending any more it leaves (END-13).
    fn go_on(&mut self) {
        if let Some(session) = &mut self.session {
            session.publish(&self.wish, &self.keys, &mut self.room, &mut self.lines);
        }
        let is_answered = self.session.as_ref().map_or(true, |session| session.is_answered(&self.wish));
        if self.input_ended && self.lines.is_empty() && self.room.outbox.is_empty() && is_answered {
            self.goodbye();
        }
    }

    // The pins: a line each, a target and a key (ID-02, ID-04).
    fn pins(&self) -> String {
        format!("{}/pins", self.wish.data)
    }
    fn pinned(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.pins()).unwrap_or_default();
        let mut pins = text.lines().filter_map(|line| line.split_once(' '));
        pins.find(|(target, _)| *target == self.wish.target).map(|(_, key)| key.to_string())
    }
    fn pin(&self, key: &[u8]) {
        let mut file = check(OpenOptions::new().create(true).append(true).mode(0o600).open(self.pins()));
        check(writeln!(file, "{} {}", self.wish.target, hex(key)));
        let (target, fingerprint) = (&self.wish.target, fingerprint(key));
        note(&format!("first contact with {}; the fingerprint of its key is {}", target, fingerprint));
    }
}

impl Program for Client {
    fn link(&mut self, id: u64) -> Option<&mut Link> {
        self.session.as_mut().filter(|session| session.id == id).map(|session| &mut session.link)
    }
    fn take(&mut self, _: u64, frame: &Frame) -> Result {
        self.take_frame(frame)
    }
    fn failed(&mut self, _: u64, fault: &Fault) {
        let (name, reason) = (fault.code, fault.reason.as_str());
        let room = self.wish.room.as_str().into();
        emit(
            "error",
            vec![("from", "client".into()), ("code", name.into()), ("reason", reason.into()), ("room", room)],
        );
        let ending = self.judge("error", code(name), reason, Duration::ZERO);
        self.over(ending);
    }
    fn ended(&mut self, id: u64, how: &'static str) {
        let is_silent = how == "silence" || how == "late"; // AUTH-23
        let (how, reason) = match is_silent {
            true => ("silence", "the server fell silent"),
            false => (how, "the server vanished without a goodbye"),
        };
        self.over(Ending { how, reason: reason.to_string(), exit: 5, again: self.resumes, ..Ending::default() });
        if is_silent {
            self.with(id, Link::close);
        }
    }
    fn happened(&mut self, event: Event) {
        match event {
            Event::Connected(Ok(socket)) => {
                self.sessions += 1;
                self.session = Some(Session::new(self.sessions, socket, &self.events, &self.wish, &self.keys));
            }
            Event::Connected(Err(error)) => {
                let how = if error.kind() == io::ErrorKind::NotFound { "unresolved" } else { "refused" };
                let reason = format!("cannot connect: {}", error);
                self.ended_as(Ending { how, reason, exit: 3, again: self.resumes, ..Ending::default() });
            }
            Event::Line(line) if line == "exit" => self.goodbye(),
            Event::Line(line) if is_text(&line) => {
                self.lines.push(line);
                self.go_on();
            }
            Event::ConsoleEnded => {
                self.input_ended = true;
                self.go_on();
            }
            _ => {}
        }
    }
    fn tick(&mut self) {
        if let Some(id) = self.session.as_ref().map(|session| session.id) {
            self.tell_seen();
            self.tick_link(id);
        } else if !self.wait.is_zero() {
            self.wait = self.wait.saturating_sub(TICK);
            if self.wait.is_zero() {
                self.connect();
            }
        }
    }
    fn sweep(&mut self) {
        if self.session.as_ref().map_or(false, |session| session.link.is_gone) {
            let ending = self.session.take().and_then(|session| session.ending);
            self.ended_as(ending.unwrap_or_default());
        }
    }
}

fn main() {
    let level = begin();
    let (host, port) = address();
    let target = target_of(&host, port);
    let (nick, room, data) = (setting("NICK", "guest"), setting("ROOM", "@host"), setting("DATA", "."));
    for (kind, word) in [("target", &target), ("nick", &nick), ("room", &room)] {
        if !is_word(kind, word) {
            exit(2, &format!("this is no {}: {}", kind, word));
        }
    }
    let features = if level >= 2 { LIVENESS | RESUME } else { 0 }; // [8.2]
    let keys = Keys::load(&format!("{}/client.key", data));
    let known = Room::load(format!("{}/{} {}", data, target, room));
    let wish = Wish { level, host, port, target, nick, room, data, features };
    let (events, inbox) = sync_channel(64);
    read_console(events.clone());
    #[rustfmt::skip]
    let mut client = Client {
        wish, keys, room: known, session: None, sessions: 0, lines: Vec::new(), input_ended: false, resumes: false,
        wait: Duration::ZERO, attempts: 0, events,
    };
    client.connect();
    client.run(&inbox);
}
