// SPDX-License-Identifier: MIT

//! A PROSA/1 server of level L3 with resume: named rooms, and private ones (@host) that are answered by the
//! operator who types at the console.

mod room;

use prosa::crypto::*;
use prosa::frame::*;
use prosa::link::{read_console, Event, Link, Program};
use prosa::program::{address, begin, check, exit, is_text, note, setting};
use prosa::registry::{code_name, is_fatal, FIELDS, LIVENESS, RESUME};
use prosa::system::{await_sigterm, is_terminated, lock};
use room::{Clients, Log, Member, Room};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One connection, from HELLO to its end.
pub struct Client {
    pub link: Link,
    hello: Vec<u8>,
    challenge: Option<Frame>,
    key: Vec<u8>,
    nick: String,
    features: u64,
    is_here: bool, // in a session
}

struct Question {
    client: u64,
    room_id: Vec<u8>,
    id: Vec<u8>,
    counter: u64,
}

struct Server {
    level: usize,
    features: u64,
    data: String,
    announced: HashMap<&'static str, u64>,
    keys: Keys,
    nicks: HashMap<String, String>, // the key of each nick, and the nick of each key (ID-06, ID-08)
    clients: Clients,
    rooms: Vec<Room>,
    questions: Vec<Question>, // that wait for the operator, the oldest first
    operator: bool,           // somebody may answer
    connections: u64,
    sessions: u64,
    is_ending: bool,
    events: SyncSender<Event>,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}
pub fn append_file(path: &str, octets: &[u8]) {
    let mut file = check(OpenOptions::new().create(true).append(true).open(path));
    check(file.write_all(octets));
}

/// What CHALLENGE announces, from defaults and PROSA_TIMERS (CON-02).
fn read_timers() -> HashMap<&'static str, u64> {
    let fields = FIELDS.iter().filter(|field| field.default > 0);
    let mut announced: HashMap<_, _> = fields.clone().map(|field| (field.name, field.default)).collect();
    for setting in setting("TIMERS", "").split(',').filter(|setting| !setting.is_empty()) {
        let (name, digits) = setting.split_once('=').unwrap_or((setting, ""));
        let field = fields.clone().find(|field| field.name == name);
        match (field, digits.parse::<u64>()) {
            (Some(field), Ok(n)) if field.least <= n && n <= field.most => announced.insert(field.name, n),
            _ => exit(2, &format!("PROSA_TIMERS: no such name, or out of its range: {}", setting)),
        };
    }
    announced
}

impl Server {
    fn timer(&self, name: &str) -> Duration {
        Duration::from_millis(self.announced[name])
    }

    fn take_hello(&mut self, id: u64, frame: &Frame) -> Result {
        need(frame.octets("versions").contains(&VERSION), "UNSUPPORTED", "AUTH-05", "no version in common")?;
        let key = frame.octets("client_key");
        need(key_is_good(key) && key != self.keys.public, "BAD_KEY", "AUTH-06", "this key is not accepted")?;
        let mut pairs: Vec<Pair> = self.announced.iter().map(|(name, n)| (*name, (*n).into())).collect();
        pairs.extend([
            ("versions", [VERSION][..].into()),
            ("version", u64::from(VERSION).into()),
            ("nonce", Content::Octets(random(32))),
            ("features", self.features.into()),
            ("server_key", (&self.keys.public).into()),
            ("handshake_sig", [0; 64][..].into()),
        ]);
        let mut octets = encode("CHALLENGE", &pairs);
        let signature = self.keys.sign(&[&label("server-auth"), &th1(&frame.octets, &octets)]); // AUTH-12
        let end = octets.len() - signature.len();
        octets.splice(end.., signature);
        if let Some(client) = self.clients.get_mut(&id) {
            client.key = key.to_vec();
            client.hello = frame.octets.clone();
            client.features = frame.number("features") & self.features; // AUTH-11
            client.challenge = Frame::decode(&octets, HANDSHAKE_CAP, "server", |_| Ok(()))?;
            client.link.due = "AUTH";
            client.link.send_octets(&octets);
        }
        Ok(())
    }

    fn take_auth(&mut self, id: u64, frame: &Frame) -> Result {
        let client = &self.clients[&id];
        let challenge = client.challenge.as_ref().map_or(&[][..], |challenge| &challenge.octets);
        let (key, nick) = (client.key.clone(), frame.text("nick").to_string());
        let signed = auth_is_signed(&key, &client.hello, challenge, frame);
        need(signed, "BAD_SIG", "AUTH-16", "the signature does not verify")?; // AUTH-17: before the nick
        self.bind_nick(&nick, &key)?;
        let older = self.clients.iter().find(|(_, other)| other.is_here && other.key == key).map(|(older, _)| *older);
        if let Some(older) = older {
            self.replace(older, id);
        }
        self.sessions += 1;
        if let Some(client) = self.clients.get_mut(&id) {
            client.nick = nick;
            client.is_here = true;
            if let Some(challenge) = &client.challenge {
                client.link.ready(challenge, client.features);
            }
            client.link.send("WELCOME", &[("session", self.sessions.into()), ("time", now().into())]);
            note(&format!("{} is here", name_of(client)));
        }
        Ok(())
    }

    /// Gives a nick to the first key that uses it; the file has a line for each (ID-11).
    fn bind_nick(&mut self, nick: &str, key: &[u8]) -> Result {
        let key = hex(key);
        let (bound_key, bound_nick) = (self.nicks.get(nick), self.nicks.get(&key));
        need(nick != "host", "NICK_TAKEN", "ID-09", "this nick is the server's own")?;
        need(bound_key.map_or(true, |bound| *bound == key), "NICK_TAKEN", "ID-07", "this nick belongs to another key")?;
        need(bound_nick.map_or(true, |bound| bound == nick), "DENIED", "ID-08", "this key has another nick")?;
        if bound_key.is_none() {
            append_file(&format!("{}/nicks", self.data), format!("{}={}\n", nick, key).as_bytes());
            self.nicks.insert(nick.to_string(), key.clone());
            self.nicks.insert(key, nick.to_string());
        }
        Ok(())
    }

    /// Ends the older session of the same key (END-14). The newer one inherits its named rooms.
    fn replace(&mut self, older: u64, newer: u64) {
        let named = self.rooms.iter_mut().filter(|room| !room.log.is_private());
        for member in named.flat_map(|room| &mut room.members).filter(|member| member.client == older) {
            member.client = newer;
            member.is_in = false;
        }
        self.dismiss(older, "REPLACED", "a newer session of this key took over");
    }

    fn take_join(&mut self, id: u64, frame: &Frame) -> Result {
        let (name, after, epoch) = (frame.text("room"), frame.number("after_seq"), frame.get("epoch"));
        need(after == 0 || epoch.is_some(), "BAD_FRAME", "RES-05", "after_seq without an epoch")?;
        need(name == "@host" || self.level >= 3, "NOT_SUPPORTED", "FLOW-08", "named rooms are of level L3")?;
        need(name == "@host" || !name.starts_with('@'), "NO_ROOM", "MSG-25", "there is no such room")?;
        let place = self.find_room(name, id);
        let joined = |room: &&Room| room.members.iter().any(|member| member.client == id && member.is_in);
        need(!joined(&&self.rooms[place]), "BAD_STATE", "FLOW-02", "this room is joined already")?;
        let has_place = (self.rooms.iter().filter(joined).count() as u64) < self.announced["max_rooms"];
        need(has_place, "TOO_MANY_ROOMS", "FLOW-03", "no more rooms on this connection")?;

        let (client, room) = (&self.clients[&id], &mut self.rooms[place]);
        let (log, was) = (&room.log, room.members.iter().position(|member| member.client == id));
        let next = match frame.get("after_seq") {
            None => log.head() + 1,                                                             // FLOW-06
            Some(_) if client.features & RESUME == 0 => log.head() + 1,                         // RES-06
            Some(_) if epoch == Some(log.epoch.as_slice()) && after <= log.head() => after + 1, // RES-01
            Some(_) => 1, // RES-02: nothing is ever pruned here
        };
        let window = frame.number("send_window").min(self.announced["max_window"]); // FLOW-04
        let last = log.last_counter(&client.key);
        let member = Member {
            client: id,
            key: client.key.clone(),
            nick: client.nick.clone(),
            is_in: true,
            window,
            limit: last + window, // FLOW-05
            next,
            limit_seq: next + frame.number("recv_window") - 1, // FLOW-07
            unanswered: None,
        };
        let pairs = [
            ("room", name.into()),
            ("room_id", (&log.id).into()),
            ("epoch", (&log.epoch).into()),
            ("granted_window", window.into()),
            ("last_counter", last.into()),
            ("limit_counter", member.limit.into()),
            ("head_seq", log.head().into()),
            ("oldest_seq", 1.into()),
            ("start_seq", next.into()),
        ];
        if let Some(client) = self.clients.get_mut(&id) {
            client.link.send("JOINED", &pairs);
        }
        let place = was.unwrap_or(room.members.len());
        room.members.splice(place..room.members.len().min(place + 1), [member]);
        let member = &room.members[place];
        if !room.log.is_private() {
            room.snapshot(member, &mut self.clients);
        }
        if was.is_none() {
            room.announce("joined", member, &mut self.clients);
        }
        room.members[place].deliver(&room.log, &mut self.clients);
        Ok(())
    }

    fn find_room(&mut self, name: &str, client: u64) -> usize {
        let key = &self.clients[&client].key;
        let path = Log::path(&self.data, name, key);
        self.rooms.iter().position(|room| room.log.path == path).unwrap_or_else(|| {
            let log = Log::open(&path, name, &self.keys, key);
            self.rooms.push(Room { log, members: Vec::new(), member_limit: self.announced["member_limit"] });
            self.rooms.len() - 1
        })
    }

    /// The room that a frame names, and the place of the client among its members.
    fn membership(&self, id: u64, frame: &Frame, code: &'static str, clause: &'static str) -> Result<(usize, usize)> {
        let room_id = frame.octets("room_id");
        let place = self.rooms.iter().enumerate().find(|(_, room)| room.log.id == room_id).and_then(|(place, room)| {
            let is_it = |member: &Member| member.client == id && member.is_in;
            Some((place, room.members.iter().position(is_it)?))
        });
        place.ok_or_else(|| fault(code, clause, "this room is not joined"))
    }

    fn take_leave(&mut self, id: u64, frame: &Frame) -> Result {
        let (room, place) = self.membership(id, frame, "BAD_STATE", "MEM-08")?;
        let (room, member) = (&self.rooms[room], &self.rooms[room].members[place]);
        if !room.log.is_private() {
            room.tell(member, "left", Some(member), &mut self.clients); // MEM-07
        }
        let room_id = room.log.id.clone();
        self.leave(id, |room| room.log.id == room_id);
        Ok(())
    }

    /// Ends memberships, and what was asked in them (FLOW-30).
    fn leave(&mut self, id: u64, is_left: impl Fn(&Room) -> bool) {
        for room in self.rooms.iter_mut().filter(|room| is_left(room)) {
            if let Some(place) = room.members.iter().position(|member| member.client == id) {
                let member = room.members.remove(place);
                self.questions.retain(|question| question.client != id || question.room_id != room.log.id);
                room.announce("left", &member, &mut self.clients);
            }
        }
        // An @host that nobody wrote in is forgotten (MSG-27).
        self.rooms.retain(|room| !room.log.is_private() || room.log.head() > 0 || !room.members.is_empty());
    }

    /// The checks of section 6.3 from the top; before them MSG-05 and MSG-04, behind them MSG-03.
    fn take_publish(&mut self, id: u64, frame: &Frame) -> Result {
        let (room, place) = self.membership(id, frame, "WRONG_ROOM", "MSG-05")?;
        let (room, client) = (&mut self.rooms[room], &self.clients[&id]);
        let (log, member) = (&room.log, &mut room.members[place]);
        let is_own = frame.text("nick") == client.nick && frame.octets("author_key") == client.key;
        need(is_own, "WRONG_AUTHOR", "MSG-04", "the message names another author")?;
        let (counter, last) = (frame.number("counter"), log.last_counter(&client.key));
        need(counter <= member.limit, "FLOW_VIOLATION", "FLOW-21", "beyond the limit")?;
        if counter <= last {
            let taken = &log.entries[log.places(&client.key)[counter as usize - 1] as usize - 1];
            need(taken.id() == frame.id(), "COUNTER_REUSE", "FLOW-23", "another message has this counter")?;
            member.acknowledge(log, &mut self.clients); // FLOW-22
            return Ok(());
        }
        need(counter == last + 1, "COUNTER_GAP", "FLOW-24", "a counter was left out")?;
        need(frame.is_signed(), "BAD_SIG", "MSG-03", "the signature does not verify")?;
        if log.is_private() && member.window == 1 {
            member.unanswered = Some(frame.id()); // FLOW-27
        } else {
            member.limit = counter + member.window; // FLOW-32
        }
        room.publish(frame.fields(), &mut self.clients);
        room.members[place].acknowledge(&room.log, &mut self.clients);
        if room.log.is_private() {
            self.ask(id, frame);
        }
        Ok(())
    }

    fn take_ack(&mut self, id: u64, frame: &Frame) -> Result {
        let (room, place) = self.membership(id, frame, "WRONG_ROOM", "FLOW-15")?;
        let room = &mut self.rooms[room];
        let member = &mut room.members[place];
        need(frame.number("seen_seq") < member.next, "ACK_TOO_HIGH", "FLOW-13", "an ACK of what was not delivered")?;
        member.limit_seq = member.limit_seq.max(frame.number("limit_seq")); // FLOW-12
        member.deliver(&room.log, &mut self.clients);
        self.with(id, |link| link.stuck = Duration::ZERO);
        Ok(())
    }

    /// Shows a question to the operator. A session has as many that wait as its window is wide (FLOW-32).
    fn ask(&mut self, id: u64, frame: &Frame) {
        println!("{}", visible(&format!("{}: {}", name_of(&self.clients[&id]), frame.text("text"))));
        let (room_id, counter) = (frame.octets("room_id").to_vec(), frame.number("counter"));
        self.questions.push(Question { client: id, room_id, id: frame.id(), counter });
        let waiting: Vec<_> = (0..self.questions.len()).filter(|at| self.questions[*at].client == id).collect();
        let window = self.host_room(id).map_or(0, |room| self.rooms[room].members[0].window);
        if !self.operator || waiting.len() as u64 > window {
            self.no_answer(waiting[0]);
        }
    }
    /// The private room of a client that has joined it.
    fn host_room(&self, id: u64) -> Option<usize> {
        let is_it = |room: &Room| room.log.is_private() && room.members.iter().any(|member| member.client == id);
        self.rooms.iter().position(is_it)
    }
    fn no_answer(&mut self, place: usize) {
        let question = self.questions.remove(place);
        let about = vec![("room_id", (&question.room_id).into()), ("counter", question.counter.into())];
        self.fail(question.client, &fault("NO_ANSWER", "FLOW-29", "nobody answers here"), about);
        if let Some(room) = self.host_room(question.client).map(|place| &mut self.rooms[place]) {
            if room.members[0].unanswered.as_ref() == Some(&question.id) {
                room.members[0].raise(&room.log, &mut self.clients);
            }
        }
    }

    /// A line of the console: `exit`, an answer to the oldest question, or a message for the client that
    /// "@nick " names (END-19).
    fn typed(&mut self, line: &str) {
        if line == "exit" {
            return self.end_all("NORMAL", "the conversation is over"); // END-08
        }
        let (nick, text) = match line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
            Some((nick, text)) if is_word("nick", nick) => (Some(nick), text),
            _ => (None, line),
        };
        if !is_text(text) {
            return;
        }
        let named = self.clients.iter().find(|(_, client)| client.is_here && Some(client.nick.as_str()) == nick);
        let named = named.map(|(id, _)| *id);
        let is_meant = |question: &Question| nick.is_none() || Some(question.client) == named;
        let question = self.questions.iter().position(is_meant).map(|place| self.questions.remove(place));
        let client = question.as_ref().map(|question| question.client).or(named);
        match client.and_then(|client| self.host_room(client)) {
            Some(place) => self.say(place, text, question),
            None => note("not sent: nobody waits for this line"),
        }
    }

    /// A message of the server's own: an answer, or unasked (MSG-20, MSG-21).
    fn say(&mut self, place: usize, text: &str, question: Option<Question>) {
        let room = &mut self.rooms[place];
        let mut pairs = vec![
            ("nick", "host".into()),
            ("room_id", (&room.log.id).into()),
            ("counter", (room.log.last_counter(&self.keys.public) + 1).into()),
            ("sent_at", now().into()),
            ("text", text.into()),
        ];
        if let Some(question) = question {
            pairs.push(("reply_to", (&question.id).into()));
        }
        room.publish(&self.keys.compose(pairs), &mut self.clients);
    }

    /// Says goodbye to all (END-08, END-10); the last one to go ends the program.
    fn end_all(&mut self, code: &'static str, reason: &str) {
        self.is_ending = true;
        let all: Vec<_> = self.clients.iter().filter(|(_, client)| !client.link.closing).map(|(id, _)| *id).collect();
        all.iter().for_each(|id| self.dismiss(*id, code, reason));
    }

    /// Ends a session with a BYE, or a connection that has none yet without a word (END-06).
    fn dismiss(&mut self, id: u64, code: &'static str, reason: &str) {
        self.end(id, &format!("is told goodbye: {}", code));
        self.with(id, |link| if link.is_ready() { link.bye(code, reason) } else { link.close() });
    }

    /// The session is over. What still comes is discarded.
    fn end(&mut self, id: u64, how: &str) {
        if let Some(client) = self.clients.get_mut(&id) {
            if client.is_here {
                note(&format!("{} {}", name_of(client), how));
            }
            client.is_here = false;
            client.link.deaf = true;
            self.leave(id, |_| true);
        }
    }

    /// Is a DELIVER owed, or output pending?
    fn is_owing(&self, id: u64) -> bool {
        let owes = |room: &Room| room.members.iter().any(|m| m.client == id && m.is_in && m.next <= room.log.head());
        self.clients[&id].link.is_busy() || self.rooms.iter().any(owes)
    }
}

/// How people see a client (ID-10).
fn name_of(client: &Client) -> String {
    if client.nick.is_empty() {
        "a stranger".to_string()
    } else {
        format!("{}#{}", client.nick, suffix(&client.key))
    }
}

impl Program for Server {
    fn link(&mut self, id: u64) -> Option<&mut Link> {
        self.clients.get_mut(&id).map(|client| &mut client.link)
    }

    fn take(&mut self, id: u64, frame: &Frame) -> Result {
        match frame.name() {
            "HELLO" => self.take_hello(id, frame)?,
            "AUTH" => self.take_auth(id, frame)?,
            "JOIN" => self.take_join(id, frame)?,
            "LEAVE" => self.take_leave(id, frame)?,
            "PUBLISH" => self.take_publish(id, frame)?,
            "ACK" => self.take_ack(id, frame)?,
            "ERROR" => {
                let (code, reason) = (frame.number("code"), frame.text("reason"));
                note(&format!("{} reports {}: {}", name_of(&self.clients[&id]), code_name(code), reason));
                if is_fatal(code) {
                    self.end(id, "gives up");
                }
            }
            _ => self.end(id, &format!("says goodbye: {}", code_name(frame.number("code")))), // BYE
        }
        Ok(())
    }

    fn failed(&mut self, id: u64, fault: &Fault) {
        self.end(id, &format!("is sent away: {}, {}", fault.code, fault.reason));
    }

    fn ended(&mut self, id: u64, how: &'static str) {
        let has_said_hello = self.clients.get(&id).map_or(false, |client| client.link.due != "HELLO");
        match how {
            "late" if has_said_hello => {
                self.fail(id, &fault("TIMEOUT", "AUTH-20", "the handshake took too long"), Vec::new());
            }
            "late" => self.with(id, Link::close), // AUTH-20
            "silence" => self.dismiss(id, "IDLE", "nothing was heard for dead_after_ms"),
            _ => self.end(id, &format!("vanished without a goodbye ({})", how)), // END-15
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Connected(Ok(socket)) if !self.is_ending => {
                self.connections += 1;
                let timers = (self.timer("handshake_ms"), self.timer("linger_ms"));
                let link = Link::new(self.connections, socket, &self.events, ("client", "HELLO"), timers);
                let (hello, key, nick) = (Vec::new(), Vec::new(), String::new());
                let client = Client { link, hello, challenge: None, key, nick, features: 0, is_here: false };
                self.clients.insert(self.connections, client);
            }
            Event::Line(line) => self.typed(&line),
            Event::ConsoleEnded => {
                self.operator = false; // END-12
                while !self.questions.is_empty() {
                    self.no_answer(0);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self) {
        let slow = self.timer("slow_ms");
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            self.tick_link(id);
            let (is_owing, link) = (self.is_owing(id), &mut self.clients.get_mut(&id).expect("a client").link);
            if !is_owing {
                link.stuck = Duration::ZERO;
            } else if link.is_ready() && !link.closing && link.stuck >= slow {
                self.dismiss(id, "SLOW_CONSUMER", "nothing was taken for slow_ms");
                // FLOW-39
            }
        }
        if is_terminated() && !self.is_ending {
            self.end_all("SHUTDOWN", "the server ends"); // END-10
        }
    }

    fn sweep(&mut self) {
        let gone: Vec<_> = self.clients.iter().filter(|(_, client)| client.link.is_gone).map(|(id, _)| *id).collect();
        for id in gone {
            self.end(id, "is gone");
            self.clients.remove(&id);
        }
        if self.is_ending && self.clients.is_empty() {
            std::process::exit(0);
        }
    }
}

fn main() {
    let level = begin();
    let (announced, data) = (read_timers(), setting("DATA", "."));
    let (events, inbox) = sync_channel(64);
    let lock_file = check(OpenOptions::new().create(true).write(true).open(format!("{}/lock", data)));
    if !lock(&lock_file) {
        exit(1, &format!("another server is running in {}", data)); // RES-14
    }
    let keys = Keys::load(&format!("{}/server.key", data));
    let mut nicks = HashMap::new();
    for line in std::fs::read_to_string(format!("{}/nicks", data)).unwrap_or_default().lines() {
        if let Some((nick, key)) = line.split_once('=') {
            nicks.insert(nick.to_string(), key.to_string());
            nicks.insert(key.to_string(), nick.to_string());
        }
    }
    let (host, port) = address();
    let listener = TcpListener::bind((host.as_str(), port));
    let listener = listener.unwrap_or_else(|error| exit(3, &format!("cannot listen: {}", error))); // CON-07
    note(&format!("the fingerprint of this server's key is {}", fingerprint(&keys.public)));
    println!("READY {}", check(listener.local_addr())); // CON-05
    await_sigterm();
    read_console(events.clone());
    let accepted = events.clone();
    std::thread::spawn(move || loop {
        accepted.send(Event::Connected(listener.accept().map(|(socket, _): (TcpStream, _)| socket))).expect("the loop");
    });
    let features = if level >= 2 { LIVENESS | RESUME } else { 0 }; // [8.2]
    #[rustfmt::skip]
    let mut server = Server {
        level, features, data, announced, keys, nicks, clients: Clients::new(), rooms: Vec::new(), questions: Vec::new(),
        operator: true, connections: 0, sessions: 0, is_ending: false, events,
    };
    server.run(&inbox);
}
