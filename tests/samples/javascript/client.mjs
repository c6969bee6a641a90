// SPDX-License-Identifier: MIT
// A PROSA/1 client of level L1: a line of stdin is a question, sent when the limit allows it.
// Events go to stdout as JSON, one object a line (13.4); words for people go to stderr. The
// session is over when `exit` is typed, stdin ends, or the server says so or vanishes.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import * as prosa from './prosa.mjs';
import { CODE, need, note } from './prosa.mjs';

prosa.checkLevel();
const { PROSA_HOST = '127.0.0.1', PROSA_PORT = '65432', PROSA_DATA = '.', PROSA_NICK = '' } = process.env;
const ROOM = process.env.PROSA_ROOM || '@host', RECV_WINDOW = 64;
const host = prosa.bare(PROSA_HOST), port = prosa.portOf(PROSA_PORT), target = `${nameOf(host)}:${port}`;
for (const [kind, word] of Object.entries({ target, nick: PROSA_NICK, room: ROOM })) {
  if (!prosa.isWord(kind, word)) prosa.badSettings(`this is no ${kind}: "${word}"`);
}

const GREASE = ['0x0a0b', '0x1a1b', '0x2a2b', '0x3a3b'];           // those of the author zone
const grease = () => ({ [GREASE[randomBytes(1)[0] % 4]]: Buffer.from('grease') });   // WIRE-27
const emit = (event, members) => console.log(prosa.json({ event, ...members }));

// ID-03: what the person typed, in the form of the wire.
function nameOf(typed) {
  if (net.isIP(typed)) return net.isIPv6(typed) ? `[${typed.toLowerCase()}]` : typed;
  return domainToASCII(typed.replace(/\.$/, '')).toLowerCase();
}

// The pins: one line each, a target and a key (ID-02, ID-04).
const pinFile = join(PROSA_DATA, 'pins');
const readPins = () => new Map(existsSync(pinFile)
  ? readFileSync(pinFile, 'latin1').split('\n').filter(Boolean).map((line) => line.split(' ')) : []);
function pin(key) {
  const lines = [...readPins().set(target, key.toString('hex'))].map((p) => `${p.join(' ')}\n`);
  writeFileSync(pinFile, lines.join(''), { mode: 0o600 });
  note(`first contact with ${target}; the fingerprint of its key is ${prosa.fingerprint(key)}`);
}

// Section 13.4: the exit code for the code of a BYE or ERROR.
const exitFor = (code) => code === CODE.NORMAL ? 0 : { 2: 4, 6: 6 }[code >> 8] ?? 1;

class Session extends prosa.Link {
  outcome = null;                         // what `disconnected` and `closed` will say
  room = null;                            // what JOINED said, and how far both sides are
  refused = false;                        // JOIN had an ERROR for an answer
  lines = [];                             // typed, not sent
  inputEnded = false;

  constructor(socket, keys) {
    super(socket, 'server', 'CHALLENGE');
    this.keys = keys;
    socket.on('connect', () => {          // AUTH-01
      this.hello = prosa.encodeFrame('HELLO', { versions: [prosa.VERSION], nonce: randomBytes(32),
        client_key: keys.key, features: 0, target, ...grease() });
      socket.write(this.hello);
    });
  }

  // AUTH-13: key, pin, signature, version, in this order.
  CHALLENGE({ server_key: key, versions, version, linger_ms, max_frame }, frame) {
    const pinned = readPins().get(target);
    need(prosa.keyIsGood(key) && !key.equals(this.keys.key), 'BAD_KEY', 'AUTH-13');
    need(!pinned || key.equals(Buffer.from(pinned, 'hex')), 'PIN_MISMATCH', 'ID-05', 'not the pinned key: '
      + `${prosa.fingerprint(key)} instead of ${prosa.fingerprint(Buffer.from(pinned ?? '', 'hex'))}`);
    need(prosa.challengeIsSigned(this.hello, frame), 'BAD_SIG', 'AUTH-13');
    need(version === prosa.VERSION && versions.includes(version), 'DOWNGRADE', 'AUTH-13');
    if (!pinned) pin(key);
    Object.assign(this, { serverKey: key, maxFrame: max_frame, lingerMs: linger_ms, due: 'WELCOME' });
    const nick = PROSA_NICK, zone = prosa.encodeFields({ nick });  // AUTH-15
    const proof = [prosa.label('client-auth'), prosa.th2(this.hello, frame.octets), zone];
    this.send('AUTH', { nick, handshake_sig: this.keys.sign(...proof) });
  }
  WELCOME() {
    Object.assign(this, { due: null, cap: this.maxFrame });        // WIRE-08
    this.send('JOIN', { room: ROOM, send_window: 1, recv_window: RECV_WINDOW });
  }

  JOINED({ room, room_id, epoch, granted_window, last_counter, limit_counter, start_seq }) {
    need(!this.room && !this.refused && room === ROOM, 'BAD_STATE', 'FLOW-01');
    const id = prosa.roomId(this.serverKey, epoch, ROOM, this.keys.key), before = start_seq - 1n;
    need(id.equals(room_id), 'WRONG_ROOM', 'MSG-23');
    this.room = { id, window: granted_window, sent: last_counter, acked: last_counter, limit: limit_counter,
      seen: before, told: before, limitSeq: before + BigInt(RECV_WINDOW) };
    emit('joined', { room, room_id, epoch, server_key: this.serverKey, last_counter, start_seq, lost_history: false });
    this.pump();
  }

  DELIVER({ room_id, author_sig, prev_hash, ...f }, frame) {
    const r = this.joined(room_id, 'MSG-18'), { room_seq, counter } = f;
    need(room_seq === r.seen + 1n, 'SEQ_GAP', 'MSG-17');
    need(room_seq <= r.limitSeq, 'FLOW_VIOLATION', 'FLOW-19');
    r.seen = room_seq;
    const signed = prosa.messageIsSigned(frame);                   // MSG-16, MSG-14
    if (signed && frame.displayable) {
      const id = prosa.messageId(prosa.authorZone(frame));
      emit('message', { room: ROOM, ...f, id, own: f.author_key.equals(this.keys.key) });
    } else {                                                       // CON-11
      emit('error', { from: 'client', code: signed ? 'UNSUPPORTED' : 'BAD_SIG', room: ROOM, counter,
        reason: `message ${room_seq} ${signed ? 'cannot be displayed' : 'is not signed by its author'}` });
    }
    if (r.seen - r.told >= RECV_WINDOW / 2) this.tellSeen();       // FLOW-17
  }
  ACK({ room_id, acked_counter, limit_counter, acked_seq }) {
    const r = this.joined(room_id, 'FLOW-15');
    need(acked_counter <= r.sent, 'ACK_TOO_HIGH', 'FLOW-14');
    while (r.acked < acked_counter) {                              // FLOW-12
      r.acked += 1n;
      emit('acked', { room: ROOM, counter: r.acked, room_seq: r.acked === acked_counter ? acked_seq : undefined });
    }
    if (limit_counter > r.limit) r.limit = limit_counter;
    this.pump();
  }
  MEMBER({ room_id, event, nick, member_key, count }) {
    this.joined(room_id, 'MSG-18');
    if (prosa.EVENTS[event]) emit('member', { room: ROOM, change: prosa.EVENTS[event], nick, member_key, count });
  }

  CHECKPOINT() {}                         // for clients with audit
  ERROR({ code, reason, room, counter }) {
    const name = prosa.codeName(code);
    emit('error', { from: 'server', code: name, reason, room, counter });
    if (prosa.isFatal(code) || this.due) {                         // ERR-03, ERR-09
      this.outcome = { how: 'error', code: name, reason, exit: exitFor(code) };
      this.deaf = true;
      this.finish();
    } else if (code >> 8 === 4 && room === ROOM && !this.room) {   // FLOW-01
      this.refused = true;                // 13.4: the only room is refused
      this.goodbye(name, reason, 1);
    }
  }
  BYE({ code, reason = '' }) {
    const name = prosa.codeName(code);
    this.outcome ??= { how: 'goodbye', code: name, reason, exit: exitFor(code) };    // END-09, END-11
    note(`the server says goodbye: ${name} ${reason}`);
    this.deaf = true;
    if (this.due) this.finish(); else this.bye('NORMAL');          // END-06, END-02
  }

  joined(id, clause) { need(this.room?.id.equals(id), 'WRONG_ROOM', clause); return this.room; }
  // Called when all that came is taken: one ACK for many messages (FLOW-16).
  idle() { if (this.room?.seen > this.room?.told) this.tellSeen(); }
  tellSeen() {
    const r = this.room;
    [r.told, r.limitSeq] = [r.seen, r.seen + BigInt(RECV_WINDOW)];
    this.send('ACK', { room_id: r.id, seen_seq: r.seen, limit_seq: r.limitSeq });
  }

  type(line) {
    const fault = line === 'exit' ? null : prosa.lineFault(line);
    if (fault) note(`not sent: ${fault}`); else this.lines.push(line);
    this.pump();
  }

  // CON-08, END-07, END-13: takes the lines in their order, as far as the limit goes (FLOW-20).
  pump() {
    const r = this.room, answered = ROOM !== '@host' || r?.window > 1 || r?.sent < r?.limit;
    while (this.lines.length && !this.closing) {
      if (this.lines[0] === 'exit') this.goodbye();
      else if (r && r.sent < r.limit) this.publish(r, this.lines.shift());
      else return;
    }
    if (this.inputEnded && r && r.sent === r.acked && answered && !this.closing) this.goodbye();
  }
  publish(r, text) {                      // MSG-01, MSG-06
    this.send('PUBLISH', prosa.compose(this.keys, { nick: PROSA_NICK, room_id: r.id, counter: ++r.sent,
      sent_at: BigInt(Date.now()), text, ...grease() }));
  }
  goodbye(code = 'NORMAL', reason = 'the conversation is over', exit = 0) {
    this.outcome ??= { how: 'goodbye', code, reason, exit };
    if (!this.due) return this.bye('NORMAL', 'the conversation is over');
    this.closing = true;                  // nothing to end in order yet
    return this.socket.destroy();
  }

  // The server broke the rules; the ERROR is sent.
  failed({ name, code, clause = '', message: reason, about: { counter } }) {
    emit('error', { from: 'client', code: name, reason: `${reason} (${clause})`, counter });
    this.outcome = { how: 'error', code: name, reason, exit: exitFor(code) };
  }

  // END-15, END-16: end of file, a reset, or no connection at all.
  ended(how, error) {
    const why = { ENOTFOUND: 'unresolved', EAI_AGAIN: 'unresolved' }[error?.code] ?? 'refused';
    this.outcome ??= this.hello ? { how, code: null, reason: 'the server vanished without a goodbye', exit: 5 }
      : { how: why, code: null, reason: `cannot connect: ${error?.code}`, exit: 3 };
  }
  gone() {
    const { how, code, reason, exit } = this.outcome;
    if (this.lines.some((line) => line !== 'exit')) note('some lines were not sent');
    note(reason);
    emit('disconnected', { how, again: false });
    emit('closed', { exit, code, reason });
    process.exit(exit);
  }
}

const keys = prosa.loadKey(join(PROSA_DATA, 'client.key'));
const session = new Session(net.connect({ host, port, allowHalfOpen: true }), keys);
prosa.readLines(process.stdin, (line) => session.type(line), () => { session.inputEnded = true; session.pump(); });
process.stdout.on('error', () => {});
