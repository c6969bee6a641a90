// SPDX-License-Identifier: MIT
// A PROSA/1 client of level L3 with `resume`: each line of stdin is a message to its room, sent when
// the limit allows it. Events go to stdout as JSON, one object a line (13.4); words for people go to
// stderr. A connection that was lost comes back by itself, and goes on where it was.

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import * as crypto from './crypto.mjs';
import * as link from './link.mjs';
import { FEATURES, LEVEL, RESUME, note, now, time } from './link.mjs';
import * as wire from './wire.mjs';
import { ANNOUNCED, CODE, EVENTS, need } from './wire.mjs';

link.checkLevel();
const { PROSA_HOST, PROSA_PORT, PROSA_DATA } = process.env;
const ROOM = process.env.PROSA_ROOM || '@host', NICK = process.env.PROSA_NICK || 'guest', FOLDER = PROSA_DATA || '.';
const SEND_WINDOW = LEVEL >= 'L2' ? 16 : 1, RECV_WINDOW = 64n;
const host = link.bare(PROSA_HOST || '127.0.0.1'), port = link.portOf(PROSA_PORT || '65432'), target = `${nameOf(host)}:${port}`;
for (const [kind, word] of Object.entries({ target, nick: NICK, room: ROOM })) {
  if (!wire.isWord(kind, word)) link.badSettings(`this is no ${kind}: "${word}"`);
}

const GREASE = ['0x0a0b', '0x1a1b', '0x2a2b', '0x3a3b'];           // those of the author zone
const grease = () => ({ [GREASE[randomBytes(1)[0] % 4]]: Buffer.from('grease') });   // WIRE-27
const emit = (event, members) => console.log(wire.json({ event, ...members }));
const complain = (code, reason, counter) => emit('error', { from: 'client', code, reason, room: ROOM, counter });
const wordsOf = (path) => existsSync(path)
  ? readFileSync(path, 'latin1').split('\n').filter(Boolean).map((line) => line.split(' ')) : [];

// ID-03: what the person typed, in the form of the wire.
function nameOf(name) {
  if (net.isIP(name)) return net.isIPv6(name) ? `[${name.toLowerCase()}]` : name;
  return domainToASCII(name.replace(/\.$/, '')).toLowerCase();
}

// ---------------------------------------------------------------- what is kept
const keys = crypto.loadKey(join(FOLDER, 'client.key'));

// The pins: one line each, a target and a key (ID-02, ID-04).
const pinFile = join(FOLDER, 'pins'), readPins = () => new Map(wordsOf(pinFile));
function pin(key) {
  const lines = [...readPins().set(target, key.toString('hex'))].map((p) => `${p.join(' ')}\n`);
  writeFileSync(pinFile, lines.join(''), { mode: 0o600 });
  note(`first contact with ${target}; the fingerprint of its key is ${crypto.fingerprint(key)}`);
}

// How far a room was seen, and the messages in it that nobody has acknowledged yet.
class Store {
  epoch = null;
  seen = 0n;
  kept = new Map();                       // the fields of a PUBLISH, by counter

  constructor(path) {
    this.path = path;
    for (const [kind, first, second] of wordsOf(path)) {
      if (kind === 'seen') [this.epoch, this.seen] = [Buffer.from(first, 'hex'), BigInt(second)];
      else this.kept.set(BigInt(first), Buffer.from(second, 'hex'));
    }
  }
  save() {
    const kept = [...this.kept].map(([counter, body]) => `kept ${counter} ${body.toString('hex')}\n`);
    writeFileSync(`${this.path}.new`, `seen ${this.epoch.toString('hex')} ${this.seen}\n${kept.join('')}`);
    renameSync(`${this.path}.new`, this.path);
  }
}

// ---------------------------------------------------------------- one connection after the other
// How a connection ended: what `disconnected` and `closed` will say; by the code of a BYE or ERROR
// [13.4], and whether one may come back (RES-13).
const STAYS_AWAY = [CODE.NORMAL, CODE.REPLACED, CODE.KICKED];
const byCode = (how, code, reason, afterMs = 0) => ({ how, code: wire.codeName(code), reason, afterMs,
  exit: code === CODE.NORMAL ? 0 : { 2: 4, 6: 6 }[code >> 8] ?? 1,
  mayReturn: ![1, 2].includes(code >> 8) && !STAYS_AWAY.includes(code) });
const vanished = (how, reason, exit = 5) => ({ how, code: null, reason, exit, mayReturn: true, afterMs: 0 });
const GOODBYE = byCode('goodbye', CODE.NORMAL, 'the conversation is over');

let store = null;                         // of this room on this server, from the first CHALLENGE on
let session = null, resumes = false, attempts = 0, waiting = false;
let lines = [], inputEnded = false;       // typed, not sent
const isDone = () => lines.includes('exit') || (inputEnded && !lines.length && !store?.kept.size);

// RES-12: the name is looked up again, and every address is tried.
async function connect() {
  waiting = false;
  let addresses, error;
  try { addresses = await lookup(host, { all: true }); }
  catch (failure) { lost(vanished('unresolved', `cannot connect: ${failure.code}`, 3)); return; }
  for (const { address } of addresses) {
    const socket = net.connect({ host: address, port, allowHalfOpen: true });
    error = await new Promise((tell) => { socket.once('connect', () => tell(null)).once('error', tell); });
    if (!error) {
      socket.removeAllListeners();
      session = new Session(socket);
      session.hail();
      return;
    }
  }
  lost(vanished('refused', `cannot connect: ${error.code}`, 3));
}

// A connection is over, or was never made: another one, or the end (RES-11, RES-13).
function lost(outcome) {
  session = null;
  const mayReturn = resumes && outcome.mayReturn, again = mayReturn && !isDone();
  note(outcome.reason);
  emit('disconnected', { how: outcome.how, again });
  if (!mayReturn) close(outcome);
  if (!again) close({ exit: 0, code: null, reason: 'nothing is left to do' });     // END-07, END-13
  waiting = true;
  const backoff = Math.random() * Math.min(30_000, 500 * 2 ** attempts++);         // full jitter
  setTimeout(connect, Math.max(backoff, outcome.afterMs));
}
function close({ exit, code, reason }) {
  const unsent = lines.filter((line) => line !== 'exit').length;
  if (unsent) note(`${unsent} lines were not sent`);              // END-07
  emit('closed', { exit, code, reason });
  process.exit(exit);
}

function typed(octets) {
  const fault = link.lineFault(octets);
  if (fault) note(`not sent: ${fault}`); else if (octets.length) lines.push(octets.toString());
  pump();
}
function pump() {
  if (session) session.pump();
  else if (waiting && isDone()) close({ exit: 0, code: null, reason: 'nothing is left to do' });
}

// ---------------------------------------------------------------- a connection
class Session extends link.Link {
  outcome = null;
  room = null;                            // what JOINED said, and how far both sides are
  refused = false;                        // JOIN had an ERROR for an answer
  asked = {};                             // where JOIN asked to go on
  counters = new Map();                   // of each author, the last one seen (MSG-28)

  // ---- the handshake [4]
  constructor(socket) { super(socket, 'server', 'CHALLENGE'); }
  hail() {                                // AUTH-01
    this.hello = wire.encodeFrame('HELLO', { versions: [wire.VERSION], nonce: randomBytes(32), client_key: keys.key,
      features: FEATURES, target, ...grease() });
    this.write(this.hello);
    pump();
  }
  // AUTH-13: key, pin, signature, version, in this order.
  CHALLENGE({ server_key: key, versions, version, features, ...announced }, frame) {
    const pinned = readPins().get(target);
    need(crypto.keyIsGood(key) && !key.equals(keys.key), 'BAD_KEY', 'AUTH-13');
    need(!pinned || key.equals(Buffer.from(pinned, 'hex')), 'PIN_MISMATCH', 'ID-05', 'not the pinned key: '
      + `${crypto.fingerprint(key)} instead of ${crypto.fingerprint(Buffer.from(pinned ?? '', 'hex'))}`);
    need(crypto.challengeIsSigned(this.hello, frame), 'BAD_SIG', 'AUTH-13');
    need(version === wire.VERSION && versions.includes(version), 'DOWNGRADE', 'AUTH-13');
    if (!pinned) pin(key);
    for (const { name } of ANNOUNCED) this.limits[name] = announced[name];
    Object.assign(this, { serverKey: key, features: features & FEATURES, due: 'WELCOME', started: now() });
    store ??= new Store(join(FOLDER, `${ROOM}-${key.toString('hex', 0, 8)}`));
    const proof = [crypto.label('client-auth'), crypto.th2(this.hello, frame.octets), wire.encodeFields({ nick: NICK })];
    this.send('AUTH', { nick: NICK, handshake_sig: keys.sign(...proof) });         // AUTH-15
  }
  WELCOME() {
    Object.assign(this, { due: null, cap: this.limits.max_frame });                // WIRE-08
    resumes = Boolean(this.features & RESUME);
    if (resumes && store.epoch) this.asked = { epoch: store.epoch, after_seq: store.seen };       // RES-04
    this.send('JOIN', { room: ROOM, send_window: SEND_WINDOW, recv_window: RECV_WINDOW, ...this.asked });
  }

  // ---- the room [6.1, 6.8]
  JOINED({ room, room_id, epoch, granted_window, last_counter, limit_counter, head_seq, oldest_seq, start_seq }) {
    need(!this.room && !this.refused && room === ROOM, 'BAD_STATE', 'FLOW-01');
    need(crypto.roomId(this.serverKey, epoch, ROOM, keys.key).equals(room_id), 'WRONG_ROOM', 'MSG-23');
    const { after_seq: after } = this.asked, goesOn = store.epoch?.equals(epoch), seen = start_seq - 1n;
    this.room = { id: room_id, window: granted_window, sent: last_counter, acked: last_counter, limit: limit_counter,
      told: seen, limitSeq: seen + RECV_WINDOW };
    attempts = 0;
    const lost_history = after !== undefined && (!goesOn || head_seq < after || oldest_seq > after + 1n);     // RES-03
    emit('joined', { room, room_id, epoch, server_key: this.serverKey, last_counter, start_seq, lost_history });
    for (const counter of [...store.kept.keys()]) {
      if (goesOn && counter > last_counter) continue;
      store.kept.delete(counter);
      if (goesOn) emit('acked', { room, counter });
      else complain('WRONG_ROOM', 'not sent: its room is gone', counter);          // RES-08
    }
    Object.assign(store, { epoch, seen }).save();
    this.pump();
  }

  // Sends what is kept, then lines in their order, as far as the limit goes (RES-08, CON-08, FLOW-20).
  pump() {
    const r = this.room;
    while (!this.closing) {
      const maySend = r && r.sent < r.limit, kept = maySend && store.kept.get(r.sent + 1n);
      if (kept) { r.sent += 1n; this.send('PUBLISH', kept); }
      else if (maySend && lines.length && lines[0] !== 'exit') this.#publish(lines.shift());
      else if (lines[0] === 'exit' || (r && lines.includes('exit'))) this.goodbye();      // END-07
      else break;
    }
    const answered = r && (ROOM !== '@host' || r.window > 1 || r.sent < r.limit);
    if (inputEnded && answered && !lines.length && !store.kept.size && !this.closing) this.goodbye();      // END-13
  }
  #publish(text) {                        // MSG-01, MSG-06
    const r = this.room, counter = ++r.sent;
    const body = crypto.compose(keys, { nick: NICK, room_id: r.id, counter, sent_at: time(), text, ...grease() });
    store.kept.set(counter, body);        // RES-07
    store.save();
    this.send('PUBLISH', body);
  }
  ACK({ room_id, acked_counter, limit_counter, acked_seq }) {
    const r = this.joined(room_id, 'FLOW-15');
    need(acked_counter <= r.sent, 'ACK_TOO_HIGH', 'FLOW-14');
    while (r.acked < acked_counter) {     // FLOW-12
      store.kept.delete(++r.acked);
      emit('acked', { room: ROOM, counter: r.acked, room_seq: r.acked === acked_counter ? acked_seq : undefined });
    }
    store.save();
    if (limit_counter > r.limit) r.limit = limit_counter;
    this.pump();
  }

  DELIVER({ room_id, author_sig, prev_hash, ...shown }, frame) {
    const r = this.joined(room_id, 'MSG-18'), { room_seq, counter, author_key, nick } = shown;
    need(room_seq === store.seen + 1n, 'SEQ_GAP', 'MSG-17');
    need(room_seq <= r.limitSeq, 'FLOW_VIOLATION', 'FLOW-19');
    if (!crypto.messageIsSigned(frame)) complain('BAD_SIG', `message ${room_seq} is not signed by its author`, counter);
    else if (!frame.displayable) complain('UNSUPPORTED', `message ${room_seq} cannot be displayed`, counter);
    else {                                // MSG-14, MSG-16, CON-11
      const author = author_key.toString('hex'), last = this.counters.get(author) ?? counter - 1n;
      if (counter !== last + 1n) complain('COUNTER_GAP', `${nick} left something out, or repeats`, counter);
      this.counters.set(author, counter);
      const id = crypto.messageId(crypto.authorZone(frame));
      emit('message', { room: ROOM, ...shown, id, own: author_key.equals(keys.key) });
    }
    store.seen = room_seq;                // RES-15: after it was shown
    store.save();
    if (store.seen - r.told >= RECV_WINDOW / 2n) this.#tellSeen();                 // FLOW-17
  }
  // Called when all that came is taken: one ACK for many messages (FLOW-16).
  flush() { if (this.room && store.seen > this.room.told) this.#tellSeen(); }
  #tellSeen() {
    const r = Object.assign(this.room, { told: store.seen, limitSeq: store.seen + RECV_WINDOW });
    this.send('ACK', { room_id: r.id, seen_seq: r.told, limit_seq: r.limitSeq });
  }

  MEMBER({ room_id, event, nick, member_key, count }) {
    this.joined(room_id, 'MSG-18');
    if (EVENTS[event]) emit('member', { room: ROOM, change: EVENTS[event], nick, member_key, count });
  }
  CHECKPOINT() {}                         // for clients with audit
  joined(id, clause) { need(this.room?.id.equals(id), 'WRONG_ROOM', clause); return this.room; }

  // ---- the end [7]
  ERROR({ code, reason, room, counter, after_ms }) {
    const name = wire.codeName(code);
    emit('error', { from: 'server', code: name, reason, room, counter });
    if (wire.isFatal(code) || this.due) { // ERR-03, ERR-04, ERR-09
      this.outcome ??= byCode('error', code, reason, after_ms);
      this.deaf = true;
      this.finish();
    } else if (code >> 8 === 4 && room === ROOM && !this.room) {   // FLOW-01, CON-12: the only room is refused
      this.refused = true;
      this.goodbye({ ...GOODBYE, code: name, reason, exit: 1 });
    }
  }
  BYE({ code, reason = '', after_ms }) {
    note(`the server says goodbye: ${wire.codeName(code)} ${reason}`);
    this.outcome ??= byCode('goodbye', code, reason, after_ms);    // END-09, END-11
    if (this.due || this.closing) this.finish();                  // END-05, END-06
    else this.bye('NORMAL');              // END-02
    this.deaf = true;
  }
  goodbye(outcome = GOODBYE) {
    this.outcome = outcome;
    if (this.due) this.finish(true);      // there is nothing to end in order yet
    else this.bye('NORMAL', GOODBYE.reason);
  }
  failed({ name, code, clause, message: reason, about }) {         // the server broke the rules
    complain(name, `${reason} (${clause})`, about.counter);
    this.outcome = byCode('error', code, reason);
  }
  ended(how) { this.outcome ??= vanished(how, 'the server vanished without a goodbye'); }         // END-15, END-16
  gone() { lost(this.outcome); }
  tooLate() { this.silent(); }            // AUTH-23
  silent() {
    this.outcome = vanished('silence', 'the server fell silent');
    this.socket.resetAndDestroy();
  }
}

link.readLines(process.stdin, typed, () => { inputEnded = true; pump(); });
process.stdout.on('error', () => {});
connect();
