// SPDX-License-Identifier: MIT

//! One end of a connection, and the event loop that server and client run in: one event at a time, so that
//! nothing needs a lock. Only reading, and the writing of a batch, wait for the socket in other threads.

use crate::frame::{encode, need, Content, Fault, Frame, Pair, Result, HANDSHAKE_CAP, HEADER_SIZE};
use crate::program::note;
use crate::registry::{code, is_fatal, row, Row, LIVENESS};
use crate::system::reset_at_close;
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::Arc;
use std::thread::spawn;
use std::time::{Duration, Instant};

/// How often a program looks at its timers.
pub const TICK: Duration = Duration::from_millis(20);

pub enum Event {
    Connected(io::Result<TcpStream>), // accepted, or dialled
    Read(u64, io::Result<Vec<u8>>),   // nothing at the end of file
    Written(u64, io::Result<()>),
    Line(String),
    ConsoleEnded,
}

/// Brings the lines of stdin, and its end, into the event loop. Only a line feed ends a line.
pub fn read_console(events: SyncSender<Event>) {
    spawn(move || {
        for line in io::stdin().lock().split(b'\n').flatten() {
            match String::from_utf8(line).as_deref().map(|line| line.strip_suffix('\r').unwrap_or(line)) {
                Ok("") => {}
                Ok(line) => events.send(Event::Line(line.to_string())).expect("the loop"),
                Err(_) => note("not sent: this line is not UTF-8"),
            }
        }
        events.send(Event::ConsoleEnded).expect("the loop");
    });
}

/// It reads frames, sends frames, and closes in order.
pub struct Link {
    pub due: &'static str,  // the frame that has to come next, before READY
    pub deadline: Duration, // left until READY
    pub linger: Duration,   // left from the end of our sending to the close (END-01)
    pub stuck: Duration,    // since something has gone out (FLOW-39)
    pub closing: bool,      // BYE or a fatal ERROR is sent
    pub deaf: bool,         // what still comes is discarded (ERR-06)
    pub is_gone: bool,      // the socket is closed
    id: u64,
    peer: &'static str, // who sends what is read here: "client" or "server"
    socket: Arc<TcpStream>,
    events: SyncSender<Event>,
    cap: usize,
    liveness: Option<(Duration, Duration)>, // silence until a PING, and until the end
    silence: Duration,
    input: Vec<u8>,
    output: Vec<u8>,
    begun: bool,   // a frame has come
    pinged: bool,  // this silence had its PING
    writing: bool, // a batch is with the socket
    is_over: bool, // the peer sends no more
}

impl Link {
    /// Begins to read from a socket.
    pub fn new(
        id: u64,
        socket: TcpStream,
        events: &SyncSender<Event>,
        (peer, due): (&'static str, &'static str),
        (deadline, linger): (Duration, Duration),
    ) -> Link {
        let (socket, zero) = (Arc::new(socket), Duration::ZERO);
        let (source, told) = (socket.clone(), events.clone());
        spawn(move || loop {
            let mut buffer = vec![0; 16_384];
            let read = (&*source).read(&mut buffer).map(|size| buffer[..size].to_vec());
            let is_last = read.as_ref().map_or(true, Vec::is_empty);
            if told.send(Event::Read(id, read)).is_err() || is_last {
                return;
            }
        });
        #[rustfmt::skip]
        let link = Link {
            due, deadline, linger, stuck: zero, closing: false, deaf: false, is_gone: false, id, peer, socket,
            events: events.clone(), cap: HANDSHAKE_CAP, liveness: None, silence: zero, input: Vec::new(), output: Vec::new(),
            begun: false, pinged: false, writing: false, is_over: false,
        };
        link
    }

    /// Raises the cap (WIRE-08), and begins to listen for silence if liveness is active.
    pub fn ready(&mut self, challenge: &Frame, features: u64) {
        self.due = "";
        self.cap = challenge.number("max_frame") as usize;
        if features & LIVENESS != 0 {
            self.liveness = Some((challenge.time("ping_after_ms"), challenge.time("dead_after_ms")));
        }
    }
    pub fn is_ready(&self) -> bool {
        self.due.is_empty()
    }

    /// The first frame of the input, if it is whole.
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.deaf {
            return Ok(None);
        }
        let frame = Frame::decode(&self.input, self.cap, self.peer, |row| self.admit(row))?;
        if let Some(frame) = &frame {
            self.begun = true;
            self.input.drain(..frame.octets.len());
        }
        Ok(frame)
    }

    /// Is this the time, and the direction, for a frame of this type?
    fn admit(&self, row: Option<&Row>) -> Result {
        let (name, from) = row.map_or(("", "both"), |row| (row.name, row.from));
        let expected = self.is_ready() || [self.due, "ERROR", "BYE"].contains(&name);
        need(expected, "BAD_STATE", "WIRE-13", "not the frame that is due")?;
        need(from == self.peer || from == "both", "BAD_STATE", "WIRE-15", "a frame for the other direction")?;
        let of_handshake = ["HELLO", "CHALLENGE", "AUTH", "WELCOME"].contains(&name);
        need(!self.is_ready() || !of_handshake, "BAD_STATE", "AUTH-01", "the handshake is over")
    }

    /// Sends a frame, unless BYE or a fatal ERROR was the last one (END-04).
    pub fn send(&mut self, name: &str, pairs: &[Pair]) {
        self.send_octets(&encode(name, pairs));
    }
    pub fn send_octets(&mut self, octets: &[u8]) {
        if !self.closing {
            self.output.extend(octets);
            self.write();
        }
    }
    pub fn bye(&mut self, name: &str, reason: &str) {
        self.send("BYE", &[("code", code(name).into()), ("reason", reason.into())]);
        self.finish();
    }

    /// Ends our sending. What the peer still sends is read until it ends, or the linger is over: a close with
    /// unread octets would be a reset (END-01).
    pub fn finish(&mut self) {
        self.closing = true;
        self.write();
    }

    /// Is there output that the socket has not taken?
    pub fn is_busy(&self) -> bool {
        self.writing || !self.output.is_empty()
    }

    /// Gives the socket a batch; the event that it is taken leads back here. At the end the sending side is shut.
    fn write(&mut self) {
        if self.writing || self.is_gone {
            return;
        }
        if !self.output.is_empty() {
            let batch: Vec<u8> = self.output.drain(..self.output.len().min(16_384)).collect();
            let (socket, events, id) = (self.socket.clone(), self.events.clone(), self.id);
            self.writing = true;
            spawn(move || events.send(Event::Written(id, (&*socket).write_all(&batch))));
        } else if self.closing {
            let _ = self.socket.shutdown(Shutdown::Write); // it may be shut already
            if self.is_over {
                self.close();
            }
        }
    }
    fn written(&mut self, result: io::Result<()>) {
        self.writing = false;
        self.stuck = Duration::ZERO;
        if result.is_err() {
            self.output.clear(); // the reader will tell why
        }
        self.write();
    }

    /// Ends the connection at once: with a reset when the peer does not take what is left (FLOW-39).
    pub fn close(&mut self) {
        if self.is_busy() {
            reset_at_close(&self.socket);
        }
        let _ = self.socket.shutdown(Shutdown::Both); // the peer may have done it
        self.is_gone = true;
        self.closing = true;
        self.deaf = true;
    }
}

/// What server and client add to a Link, which they know by a number.
pub trait Program {
    fn link(&mut self, id: u64) -> Option<&mut Link>;
    /// A frame has come; what is wrong with it is a Fault.
    fn take(&mut self, id: u64, frame: &Frame) -> Result;
    /// The peer broke the rules, and has the ERROR.
    fn failed(&mut self, id: u64, fault: &Fault);
    /// "eof", "reset", "silence", or "late": not READY at its deadline.
    fn ended(&mut self, id: u64, how: &'static str);
    /// Connected, Line, ConsoleEnded.
    fn happened(&mut self, event: Event);
    fn tick(&mut self);
    /// Removes the links that are gone.
    fn sweep(&mut self);

    fn run(&mut self, events: &Receiver<Event>) {
        let mut last = Instant::now();
        loop {
            match events.recv_timeout(TICK.saturating_sub(last.elapsed())) {
                Ok(Event::Read(id, read)) => self.received(id, read),
                Ok(Event::Written(id, result)) => self.with(id, |link| link.written(result)),
                Ok(event) => self.happened(event),
                Err(_) => {}
            }
            if last.elapsed() >= TICK {
                last = Instant::now();
                self.tick();
            }
            self.sweep();
        }
    }
    fn with(&mut self, id: u64, act: impl FnOnce(&mut Link)) {
        if let Some(link) = self.link(id) {
            act(link);
        }
    }

    fn received(&mut self, id: u64, read: io::Result<Vec<u8>>) {
        let how = match &read {
            Ok(octets) if !octets.is_empty() => "",
            Ok(_) => "eof",
            Err(_) => "reset",
        };
        self.with(id, |link| {
            link.silence = Duration::ZERO; // LIVE-06
            link.pinged = false;
            link.input.extend(read.unwrap_or_default());
        });
        while let Some(taken) = self.link(id).and_then(|link| link.next_frame().transpose()) {
            let (outcome, frame) = match taken {
                Ok(frame) => (self.take_one(id, &frame), Some(frame)),
                Err(fault) => (Err(fault), None),
            };
            if let Err(fault) = outcome {
                self.refuse(id, &fault, frame.as_ref());
            }
        }
        if !how.is_empty() && self.link(id).map_or(false, |link| !link.is_gone) {
            self.with(id, |link| link.is_over = true);
            self.ended(id, how);
            self.with(id, Link::finish);
        }
    }

    fn take_one(&mut self, id: u64, frame: &Frame) -> Result {
        match frame.name() {
            "" | "PONG" => {} // WIRE-12, LIVE-09
            "PING" => self.with(id, |link| link.send("PONG", &[("opaque", frame.octets("opaque").into())])), // LIVE-01
            "BYE" => {
                self.take(id, frame)?;
                self.with(id, |link| {
                    link.deaf = true;
                    if link.is_ready() {
                        link.bye("NORMAL", "goodbye"); // END-02, END-06
                    }
                    link.finish();
                });
            }
            "ERROR" => {
                self.take(id, frame)?;
                self.with(id, |link| {
                    if is_fatal(frame.number("code")) || !link.is_ready() {
                        link.deaf = true; // ERR-03, ERR-04
                        link.finish();
                    }
                });
            }
            _ => return self.take(id, frame),
        }
        Ok(())
    }

    /// Names the frame in the ERROR (ERR-07). A malformed ERROR or BYE gets none (ERR-10), nor does whoever
    /// speaks another protocol (WIRE-03).
    fn refuse(&mut self, id: u64, fault: &Fault, frame: Option<&Frame>) {
        let mut about = Vec::new();
        let (mut is_stranger, mut is_goodbye) = (false, false);
        if let Some(link) = self.link(id) {
            is_stranger = fault.clause == "WIRE-02" && !link.begun;
            let is_known = link.input.len() >= HEADER_SIZE && !["WIRE-02", "WIRE-04"].contains(&fault.clause);
            let number = frame.and_then(|frame| frame.row).map(|row| row.number);
            if let Some(number) = number.or_else(|| is_known.then(|| link.input[3])) {
                about.push(("ref_type", Content::Number(number.into())));
                is_goodbye = ["ERROR", "BYE"].iter().any(|name| row(name).map_or(false, |row| row.number == number));
            }
        }
        for name in ["room", "room_id", "counter"] {
            if let Some(octets) = frame.and_then(|frame| frame.get(name)) {
                about.push((name, octets.into()));
            }
        }
        if is_stranger || (is_goodbye && fault.clause != "WIRE-06") {
            self.abandon(id, fault);
        } else {
            self.fail(id, fault, about);
        }
        if is_stranger {
            self.with(id, Link::close);
        }
    }

    /// Sends an ERROR. A fatal one stands in the place of the BYE (ERR-01).
    fn fail(&mut self, id: u64, fault: &Fault, mut about: Vec<Pair>) {
        let reason = fault.reason.as_str();
        about.extend([("code", code(fault.code).into()), ("reason", reason.into()), ("clause", fault.clause.into())]);
        self.with(id, |link| link.send("ERROR", &about));
        self.abandon(id, fault);
    }
    fn abandon(&mut self, id: u64, fault: &Fault) {
        if !is_fatal(code(fault.code)) {
            return;
        }
        if self.link(id).map_or(false, |link| !link.closing) {
            self.failed(id, fault);
        }
        self.with(id, |link| {
            link.deaf = true;
            link.finish();
        });
    }

    /// Counts time in ticks of a running program: one that was stopped reads before it judges (LIVE-06).
    fn tick_link(&mut self, id: u64) {
        let mut how = "";
        self.with(id, |link| {
            link.silence += TICK;
            link.stuck += TICK;
            let silence = link.silence;
            if link.closing {
                link.linger = link.linger.saturating_sub(TICK);
                if link.linger.is_zero() {
                    link.close();
                }
            } else if !link.is_ready() {
                link.deadline = link.deadline.saturating_sub(TICK);
                how = if link.deadline.is_zero() { "late" } else { "" };
            } else if link.liveness.map_or(false, |(_, dead)| silence >= dead) {
                how = "silence"; // LIVE-05
            } else if link.liveness.map_or(false, |(ping, _)| silence >= ping) && !link.pinged {
                link.pinged = true; // LIVE-04
                link.send("PING", &[("opaque", "alive?".into())]);
            }
        });
        if !how.is_empty() {
            self.ended(id, how);
        }
    }
}
