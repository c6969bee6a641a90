// SPDX-License-Identifier: MIT
// A PROSA/1 server of level L3 with `resume`: private rooms (@host), answered by the operator who
// types at the console, and named rooms that are made at their first JOIN.

import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs';
import net from 'node:net';
import * as crypto from './crypto.mjs';
import * as link from './link.mjs';
import { FEATURES, LEVEL, RESUME, note, now, time } from './link.mjs';
import * as wire from './wire.mjs';
import { ANNOUNCED, EVENT, Fault, need } from './wire.mjs';

link.checkLevel();
const { PROSA_HOST, PROSA_PORT, PROSA_DATA, PROSA_TIMERS } = process.env;
const HOST = '@host', MOST_ROOMS = 10_000;                        // MSG-29
const JOURNAL = 'journal', LOCK = 'lock';
const hex = (octets) => octets.toString('hex');
const octetsOf = (word) => Buffer.from(word === '-' ? '' : word, 'hex');
const least = (a, b) => a < b ? a : b;

// CON-02: what PROSA_TIMERS asks for, and the defaults for the rest.
function readTimers(text) {
  const values = Object.fromEntries(ANNOUNCED.map((a) => [a.name, a.value]));
  for (const setting of text ? text.split(',') : []) {
    const [, name, digits] = /^([a-z_]+)=(\d+)$/.exec(setting) ?? [], known = ANNOUNCED.find((a) => a.name === name);
    if (!known || +digits < known.least || +digits > known.most) link.badSettings(`PROSA_TIMERS: ${setting}`);
    values[name] = +digits;
  }
  return values;
}

// ---------------------------------------------------------------- what is kept [RES-09]
// All that must outlive the server stands in a journal, a line each: nicks, rooms, entries. What is
// written is safe from kill -9, since the kernel has it; against a power cut one would fsync.
let journal;
function record(...words) {
  writeSync(journal, `${words.map((word) => Buffer.isBuffer(word) ? hex(word) || '-' : word).join(' ')}\n`);
}

// RES-14: a socket in the folder is the lock. One that nobody listens at was left by a killed server.
async function lockFolder() {
  const held = await new Promise((tell) => {
    net.connect(LOCK).on('connect', () => tell(true)).on('error', () => tell(false));
  });
  if (held) { note(`another server is using ${process.cwd()}; give each a PROSA_DATA of its own`); process.exit(1); }
  rmSync(LOCK, { force: true });
  await new Promise((ready) => { net.createServer().listen(LOCK, ready).unref(); });
}

function replay() {
  const octets = existsSync(JOURNAL) ? readFileSync(JOURNAL) : Buffer.alloc(0), whole = octets.lastIndexOf('\n') + 1;
  if (whole < octets.length) truncateSync(JOURNAL, whole);        // a line that was cut off was never acknowledged
  const byId = new Map();
  for (const line of octets.toString('latin1', 0, whole).split('\n').slice(0, -1)) {
    const [kind, first, second, third] = line.split(' ');
    if (kind === 'nick') nicks.set(first, second);
    else if (kind === 'entry') byId.get(first).add(octetsOf(second));
    else {
      const room = new Room(first, octetsOf(second), octetsOf(third));
      byId.set(hex(room.id), room);
    }
  }
  journal = openSync(JOURNAL, 'a', 0o600);
}

// ---------------------------------------------------------------- rooms
// A log and its members.
class Room {
  entries = [];                           // the fields of each DELIVER: entry n is at n - 1
  lastTime = 0n;
  seats = new Set();
  members = new Map();                    // nicks by key, also of sessions that were replaced (MEM-09)
  crowded = false;                        // above member_limit
  #placed = new Map();                    // of each author: id and room_seq, by counter

  constructor(name, owner, epoch) {
    Object.assign(this, { name, owner, epoch, id: crypto.roomId(keys.key, epoch, name, owner) });
    this.isHost = name === HOST;
    rooms.set(name + hex(owner), this);
  }

  // The room of this name, made when there is none (MSG-24, MSG-29).
  static named(name, owner) {
    const known = rooms.get(name + hex(owner));
    if (known) return known;
    need(rooms.size < MOST_ROOMS, 'NO_ROOM', 'MSG-29', 'there are too many rooms already');
    const room = new Room(name, owner, randomBytes(16));
    if (!room.isHost) room.#introduce();  // @host is written with its first entry (MSG-27)
    return room;
  }
  #introduce() { record('room', this.name, this.owner, this.epoch); }

  get head() { return BigInt(this.entries.length); }
  placedBy(key) {
    if (!this.#placed.has(hex(key))) this.#placed.set(hex(key), []);
    return this.#placed.get(hex(key));
  }
  add(body) {
    const frame = wire.decodeFrame(wire.encodeFrame('DELIVER', body), { cap: 65536, from: 'server' });
    const { author_key, server_time } = frame.fields, id = crypto.messageId(crypto.authorZone(frame));
    this.entries.push(body);
    this.placedBy(author_key).push({ id, seq: this.head });
    this.lastTime = server_time;
  }
  // The next place for the author's octets and our two fields (MSG-11 to MSG-13).
  commit(authored) {
    const server_time = time() > this.lastTime ? time() : this.lastTime;
    const body = Buffer.concat([authored, wire.encodeFields({ room_seq: this.head + 1n, server_time })]);
    if (this.isHost && !this.entries.length) this.#introduce();
    record('entry', this.id, body);       // from here on it may be shown (FLOW-26)
    this.add(body);
  }
  show() { for (const seat of [...this.seats]) seat.session.flush(); }

  // MEM-03, MEM-05: tells all seats of a change, by its name or by the number of members.
  announce(event, key, nick, besides) {
    const wasCrowded = this.crowded;
    this.crowded = this.members.size > announced.member_limit;
    for (const seat of this.seats) {
      if (seat.session.blocked) seat.stale = true;
      else if (this.crowded || wasCrowded) this.snapshot(seat, !this.crowded);
      else if (seat.session !== besides) seat.session.member(this, event, { nick, member_key: key });
    }
  }
  // MEM-01: all members, or how many they are.
  snapshot(seat, resync = false) {
    const tell = (event, about) => seat.session.member(this, event, about);
    seat.stale = false;
    if (resync) tell('resync');
    if (this.crowded) tell('count', { count: this.members.size });
    else for (const { key, nick } of this.members.values()) tell('here', { nick, member_key: key });
  }
  enter(seat, { key, nick, inherited }) {
    if (inherited.delete(this)) { this.snapshot(seat); return; }  // MEM-09: to the others nothing has happened
    this.members.set(hex(key), { key, nick });
    if (this.members.size <= announced.member_limit) this.snapshot(seat);
    this.announce('joined', key, nick, seat.session);
  }
  depart({ key, nick }) {
    this.members.delete(hex(key));
    this.announce('left', key, nick);
  }
}

// ---------------------------------------------------------------- connections
// A client's connection; a session in the words of the text from WELCOME on.
class Session extends link.Link {
  limits = announced;
  seats = new Map();                      // a room on this connection, by room_id
  inherited = new Set();                  // rooms of a session that this one replaced, not joined yet (MEM-09)
  nick = null;

  constructor(socket) {
    super(socket, 'client', 'HELLO');
    connections.add(this);
  }
  get name() { return this.nick ? `${this.nick}#${crypto.suffix(this.key)}` : 'a stranger'; }

  // ---- the handshake [4]
  HELLO({ versions, client_key, features }, frame) {
    need(versions.includes(wire.VERSION), 'UNSUPPORTED', 'AUTH-05');
    need(crypto.keyIsGood(client_key) && !client_key.equals(keys.key), 'BAD_KEY', 'AUTH-06');
    this.challenge = wire.encodeFrame('CHALLENGE', { versions: [wire.VERSION], nonce: randomBytes(32), features: FEATURES,
      version: wire.VERSION, server_key: keys.key, ...announced, handshake_sig: Buffer.alloc(64) });
    const signature = keys.sign(crypto.label('server-auth'), crypto.th1(frame.octets, this.challenge));    // AUTH-12
    signature.copy(this.challenge, this.challenge.length - 64);
    Object.assign(this, { hello: frame.octets, key: client_key, features: features & FEATURES, due: 'AUTH' });   // AUTH-11
    this.write(this.challenge);
  }
  AUTH({ nick }, frame) {                 // AUTH-17: the signature first, the nick afterwards
    const key = hex(this.key), older = sessions.get(key);
    need(crypto.authIsSigned(this.key, this.hello, this.challenge, frame), 'BAD_SIG', 'AUTH-16');
    need(nick !== 'host', 'NICK_TAKEN', 'ID-09');
    need([undefined, key].includes(nicks.get(nick)), 'NICK_TAKEN', 'ID-07');
    need(nicks.has(nick) || ![...nicks.values()].includes(key), 'DENIED', 'ID-08');
    if (!nicks.has(nick)) record('nick', nick, key);              // ID-06, ID-11
    nicks.set(nick, key);
    if (older) {                          // END-14
      this.inherited = new Set([...older.inherited, ...older.rooms().filter((room) => !room.isHost)]);
      older.inherited.clear();
      older.leave('is replaced', true);
      older.bye('REPLACED', 'a newer session of this key took over');
    }
    Object.assign(this, { nick, due: null, cap: announced.max_frame, heard: now(), progress: now() });
    sessions.set(key, this);
    this.send('WELCOME', { session: ++sessionCount, time: time() });
    note(`${this.name} is here`);
  }

  // ---- rooms [6.1, 6.7, 6.8]
  rooms() { return [...this.seats.values()].map((seat) => seat.room); }
  JOIN({ room: name, epoch, send_window, recv_window, after_seq: after }) {
    need(!after || epoch, 'BAD_FRAME', 'RES-05');
    need(this.rooms().every((room) => room.name !== name), 'BAD_STATE', 'FLOW-02');
    need(name[0] === '@' || LEVEL >= 'L3', 'NOT_SUPPORTED', 'FLOW-08');
    need(name === HOST || name[0] !== '@', 'NO_ROOM', 'MSG-25');
    need(this.seats.size < announced.max_rooms, 'TOO_MANY_ROOMS', 'FLOW-03');
    const room = Room.named(name, name === HOST ? this.key : Buffer.alloc(0));
    const window = LEVEL >= 'L2' ? Math.min(send_window, announced.max_window) : 1, last = room.placedBy(this.key).length;
    let start = room.head + 1n;           // FLOW-06, RES-06
    if (this.features & RESUME && after !== undefined) {          // RES-01, RES-02; nothing is ever pruned
      start = epoch?.equals(room.epoch) && after <= room.head ? after + 1n : 1n;
    }
    const seat = { session: this, room, window, isSync: room.isHost && window === 1,
      seen: start - 1n,                                           // the last room_seq delivered
      limitSeq: start + BigInt(recv_window) - 1n,                 // FLOW-07
      limitCounter: BigInt(last + window),                        // FLOW-05
      raiseAfter: null,                   // room_seq of the answer behind which the limit rises (FLOW-28)
      questions: [],                      // id and counter, oldest first
      stale: false };                     // missed a MEMBER while it did not read (MEM-04)
    this.seats.set(hex(room.id), seat);
    room.seats.add(seat);
    this.send('JOINED', { room: name, room_id: room.id, epoch: room.epoch, granted_window: window, last_counter: last,
      limit_counter: seat.limitCounter, head_seq: room.head, oldest_seq: 1n, start_seq: start });
    if (!room.isHost) room.enter(seat, this);
  }
  LEAVE({ room_id }) {
    const { room } = this.seatOf(room_id, 'MEM-08', 'BAD_STATE');
    this.giveUp(room);
    if (room.isHost) return;
    this.member(room, 'left', { nick: this.nick, member_key: this.key });         // MEM-07
    room.depart(this);
  }
  giveUp(room) {
    const seat = this.seats.get(hex(room.id));
    this.seats.delete(hex(room.id));
    room.seats.delete(seat);
    while (seat.questions.length) takeQuestion(seat);             // FLOW-30
    return room;
  }
  member(room, event, about) {
    this.send('MEMBER', { room_id: room.id, event: EVENT[event], at_seq: room.head, ...about });
  }
  seatOf(room_id, clause, code = 'WRONG_ROOM') {
    const seat = this.seats.get(hex(room_id));
    need(seat, code, clause);
    return seat;
  }

  // ---- messages [5.1, 6.3]
  PUBLISH({ nick, room_id, author_key, counter, text }, frame) {
    const seat = this.seatOf(room_id, 'MSG-05'), { room } = seat;
    need(nick === this.nick && author_key.equals(this.key), 'WRONG_AUTHOR', 'MSG-04');
    need(counter <= seat.limitCounter, 'FLOW_VIOLATION', 'FLOW-21');
    const placed = room.placedBy(this.key), id = crypto.messageId(crypto.authorZone(frame));
    if (counter <= placed.length) {
      need(placed[Number(counter) - 1].id.equals(id), 'COUNTER_REUSE', 'FLOW-23');
      this.acknowledge(seat);             // FLOW-22
      return;
    }
    need(counter === BigInt(placed.length) + 1n, 'COUNTER_GAP', 'FLOW-24');
    need(crypto.messageIsSigned(frame), 'BAD_SIG', 'MSG-03');
    room.commit(frame.octets.subarray(wire.HEADER));              // FLOW-25
    if (!seat.isSync) seat.limitCounter = counter + BigInt(seat.window);     // FLOW-32; in sync the answer raises it (FLOW-27)
    this.acknowledge(seat);
    room.show();
    if (room.isHost) this.#ask(seat, { id, counter }, text);
  }
  #ask(seat, question, text) {
    seat.questions.push(question);
    pending.push(seat);
    console.log(wire.visible(`${this.name}: ${text}`));
    if (!hasOperator || seat.questions.length > seat.window) noAnswer(seat);
  }
  acknowledge({ room, limitCounter }) {
    const placed = room.placedBy(this.key);
    this.send('ACK', { room_id: room.id, limit_counter: limitCounter, acked_counter: placed.length,
      acked_seq: placed.at(-1)?.seq ?? 0n });
  }
  raiseLimit(seat) {
    seat.limitCounter = BigInt(seat.room.placedBy(this.key).length) + 1n;
    this.acknowledge(seat);
  }
  ACK({ room_id, seen_seq, limit_seq }) {
    const seat = this.seatOf(room_id, 'FLOW-15');
    need(seen_seq <= seat.seen, 'ACK_TOO_HIGH', 'FLOW-13');
    if (limit_seq > seat.limitSeq) seat.limitSeq = limit_seq;      // FLOW-12
    this.progress = now();
    this.flush();
  }
  // Delivers what credit and the connection permit (FLOW-18); behind an answer the limit rises (FLOW-28).
  flush() {
    for (const seat of this.seats.values()) {
      if (seat.stale && !this.blocked) seat.room.snapshot(seat, true);
      while (seat.seen < least(seat.room.head, seat.limitSeq) && !this.blocked && !this.closing) {
        this.send('DELIVER', seat.room.entries[Number(seat.seen++)]);
        if (seat.seen === seat.raiseAfter) this.raiseLimit(seat);
      }
    }
  }

  // ---- the end [7.1]
  ERROR({ code, reason }) {
    note(`${this.name} reports ${wire.codeName(code)}: ${reason}`);
    if (!this.due && !wire.isFatal(code)) return;                 // ERR-04
    this.leave('gives up');               // ERR-03
    this.finish();
  }
  BYE({ code }) {
    this.leave(`says goodbye (${wire.codeName(code)})`);
    if (this.due || this.closing) this.finish();                  // END-05, END-06
    else this.bye('NORMAL');              // END-02
  }
  // The session is over; the members of its rooms hear of it, unless it was replaced.
  leave(how, quietly = false) {
    if (!this.key || sessions.get(hex(this.key)) !== this) return;
    note(`${this.name} ${how}`);
    sessions.delete(hex(this.key));
    for (const room of [...this.inherited, ...this.rooms().map((joined) => this.giveUp(joined))]) {
      if (!room.isHost && !quietly) room.depart(this);            // MEM-03, MEM-09
      if (room.isHost && !room.entries.length) rooms.delete(HOST + hex(room.owner));      // MSG-27
    }
  }
  failed(fault) { this.leave(`is sent away: ${fault.name}, ${fault.message}`); }
  ended() { this.leave('vanished without a goodbye'); }            // END-15
  gone() {
    connections.delete(this);
    if (ending && connections.size === 0) process.exit(0);
  }

  // ---- the clock
  look() {
    super.look();
    const owed = this.socket.writableLength || [...this.seats.values()].some((seat) => seat.seen < seat.room.head);
    if (!owed) this.progress = now();
    else if (!this.closing && !this.due && now() - this.progress >= announced.slow_ms) {
      this.leave('takes nothing');
      this.bye('SLOW_CONSUMER', 'nothing was taken for too long');                 // FLOW-39
    }
  }
  tooLate() {                             // AUTH-20: who has said nothing good is told nothing
    if (this.due === 'HELLO') this.socket.destroy(); else this.fail(new Fault('TIMEOUT', 'AUTH-20'));
  }
  silent() { this.leave('fell silent'); this.bye('IDLE', 'silent for too long'); }
}

// ---------------------------------------------------------------- the operator [END-19]
function typed(octets) {
  const line = octets.toString();
  if (line === 'exit') { end('NORMAL', 'the conversation is over'); return; }
  const [, nick, text = line] = /^@([a-z0-9_-]{1,32}) (.*)$/s.exec(line) ?? [];
  const theirs = [...sessions.values()].filter((s) => s.nick === nick).flatMap((s) => [...s.seats.values()])
    .filter((seat) => seat.room.isHost);
  const to = nick ? theirs.find((seat) => seat.questions.length) ?? theirs[0] : pending[0];
  const fault = link.lineFault(octets) ?? (to ? null : nick ? `${nick} is not here` : 'no question is pending');
  if (fault && line) note(`not sent: ${fault}`);
  else if (text) speak(to, text);
}

// The server's own message, and the answer to the seat's oldest question if there is one (MSG-20, MSG-21).
function speak(seat, text) {
  const { room } = seat, question = takeQuestion(seat), counter = room.placedBy(keys.key).length + 1;
  room.commit(crypto.compose(keys, { nick: 'host', room_id: room.id, counter, sent_at: time(), text, reply_to: question?.id }));
  if (question && seat.isSync) seat.raiseAfter = room.head;
  room.show();
}
function noAnswer(seat) {                 // FLOW-29: the limit rises all the same
  const about = { room_id: seat.room.id, counter: takeQuestion(seat).counter };
  seat.session.fail(new Fault('NO_ANSWER', 'FLOW-29', 'nobody answers here', about));
  if (seat.isSync) seat.session.raiseLimit(seat);
}
function takeQuestion(seat) {
  if (seat.questions.length) pending.splice(pending.indexOf(seat), 1);          // its oldest place in the queue
  return seat.questions.shift();
}
function operatorLeft() {                 // END-12
  hasOperator = false;
  while (pending.length) noAnswer(pending[0]);
}

// END-08, END-10: goodbye to all, then the end.
function end(code, reason) {
  ending = true;
  listener.close();
  for (const session of [...connections]) {
    session.leave(`is told goodbye (${code})`);
    if (session.due) session.socket.destroy(); else if (!session.closing) session.bye(code, reason);
  }
  if (connections.size === 0) process.exit(0);
}

// ---------------------------------------------------------------- the program
const port = link.portOf(PROSA_PORT || '65432'), announced = readTimers(PROSA_TIMERS);
process.chdir(PROSA_DATA || '.');
await lockFolder();
const keys = crypto.loadKey('server.key');
const nicks = new Map(), rooms = new Map();                      // the key of a nick; all rooms
const connections = new Set(), sessions = new Map();              // every connection; those that are READY, by key
const pending = [];                       // the seats whose question it is, oldest first
let sessionCount = 0n, hasOperator = true, ending = false;
replay();

const listener = net.createServer({ allowHalfOpen: true }, (socket) => new Session(socket));
listener.on('error', (error) => { note(`cannot listen: ${error.message}`); process.exit(3); });   // CON-07
listener.listen(port, link.bare(PROSA_HOST || '127.0.0.1'), () => {
  const { address, port: chosen, family } = listener.address();
  note(`the fingerprint of this server's key is ${crypto.fingerprint(keys.key)}`);
  console.log(`READY ${family === 'IPv6' ? `[${address}]` : address}:${chosen}`);      // CON-05
  link.readLines(process.stdin, typed, operatorLeft);
});
process.on('SIGTERM', () => end('SHUTDOWN', 'the server ends'));
process.stdout.on('error', () => {});
