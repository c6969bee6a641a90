// SPDX-License-Identifier: MIT
// A PROSA/1 server of level L1: private rooms (@host) with a window of one, answered by the
// operator who types at the console (13.3). Many clients are served at once, since node waits
// for nobody; logs live in memory and begin anew with each JOIN, as MSG-26 allows.

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { join } from 'node:path';
import * as prosa from './prosa.mjs';
import { Fault, need, note } from './prosa.mjs';

prosa.checkLevel();
const { PROSA_HOST = '127.0.0.1', PROSA_PORT = '65432', PROSA_DATA = '.', PROSA_TIMERS = '' } = process.env;
const announced = readTimers(PROSA_TIMERS);
const keys = prosa.loadKey(join(PROSA_DATA, 'server.key'));
const connections = new Set();
const questions = [];                     // the connections whose question is pending, oldest first
let sessions = 0n, operator = true, ending = false;
const now = () => BigInt(Date.now());

// CON-02: what PROSA_TIMERS asks for, or the defaults.
function readTimers(text) {
  const values = Object.fromEntries(prosa.ANNOUNCED.map((a) => [a.name, a.value]));
  for (const setting of text ? text.split(',') : []) {
    const [, name, digits] = /^([a-z_]+)=(\d+)$/.exec(setting) ?? [], known = prosa.ANNOUNCED.find((a) => a.name === name);
    if (!known || +digits < known.least || +digits > known.most) prosa.badSettings(`PROSA_TIMERS: ${setting}`);
    values[name] = +digits;
  }
  return values;
}

// One life of a client's @host room: both sides' numbers, and the DELIVERs that wait for credit.
function newRoom(clientKey, recvWindow) {
  const epoch = randomBytes(16), id = prosa.roomId(keys.key, epoch, '@host', clientKey);     // MSG-24
  return { id, epoch, last: 0n, lastId: null, lastSeq: 0n, limit: 1n, question: null, hostCounter: 0n,
    head: 0n, time: 0n, owed: [], delivered: 0n, limitSeq: BigInt(recvWindow) };             // FLOW-07
}

class Connection extends prosa.Link {
  lingerMs = announced.linger_ms;
  room = null;

  constructor(socket) {
    super(socket, 'client', 'HELLO');
    connections.add(this);
    this.deadline = setTimeout(() => {    // AUTH-20: who said nothing good is told nothing
      if (this.due === 'HELLO') socket.destroy(); else this.fail(new Fault('TIMEOUT', 'AUTH-20'));
    }, announced.handshake_ms);
  }

  HELLO({ versions, client_key }, frame) {
    need(versions.includes(prosa.VERSION), 'UNSUPPORTED', 'AUTH-05');
    need(prosa.keyIsGood(client_key) && !client_key.equals(keys.key), 'BAD_KEY', 'AUTH-06');
    this.challenge = prosa.encodeFrame('CHALLENGE', { versions: [prosa.VERSION], nonce: randomBytes(32), features: 0,
      version: prosa.VERSION, server_key: keys.key, ...announced, handshake_sig: Buffer.alloc(64) });
    const signature = keys.sign(prosa.label('server-auth'), prosa.th1(frame.octets, this.challenge));    // AUTH-12
    signature.copy(this.challenge, this.challenge.length - 64);
    Object.assign(this, { hello: frame.octets, key: client_key, due: 'AUTH' });
    this.socket.write(this.challenge);
  }
  AUTH({ nick }, frame) {                 // AUTH-17: the signature first, the nick afterwards
    need(prosa.authIsSigned(this.key, this.hello, this.challenge, frame), 'BAD_SIG', 'AUTH-16');
    need(nick !== 'host', 'NICK_TAKEN', 'ID-09');
    clearTimeout(this.deadline);
    Object.assign(this, { nick, name: `${nick}#${prosa.suffix(this.key)}`, due: null, cap: announced.max_frame });
    this.send('WELCOME', { session: ++sessions, time: now() });
    note(`${this.name} is here`);
  }

  JOIN({ room, epoch, recv_window, after_seq }) {
    need(!after_seq || epoch, 'BAD_FRAME', 'RES-05');
    need(!this.room || room !== '@host', 'BAD_STATE', 'FLOW-02');
    need(!this.room || announced.max_rooms > 1, 'TOO_MANY_ROOMS', 'FLOW-03');
    need(room[0] === '@', 'NOT_SUPPORTED', 'FLOW-08');
    need(room === '@host', 'NO_ROOM', 'MSG-25');
    const r = this.room = newRoom(this.key, recv_window);         // RES-06: after_seq changes nothing
    this.send('JOINED', { room, room_id: r.id, epoch: r.epoch, granted_window: 1, last_counter: 0n,
      limit_counter: r.limit, head_seq: 0n, oldest_seq: 1n, start_seq: 1n });
  }
  LEAVE({ room_id }) {
    need(this.room?.id.equals(room_id), 'BAD_STATE', 'MEM-08');
    this.settle();
    this.room = null;
  }

  // Section 6.3, from the top; before the counter MSG-05 and MSG-04, behind it MSG-03.
  PUBLISH({ nick, room_id, author_key, counter, text }, frame) {
    const r = this.room;
    need(r?.id.equals(room_id), 'WRONG_ROOM', 'MSG-05');
    need(nick === this.nick && author_key.equals(this.key), 'WRONG_AUTHOR', 'MSG-04');
    need(counter <= r.limit, 'FLOW_VIOLATION', 'FLOW-21');
    const id = prosa.messageId(prosa.authorZone(frame));
    need(counter !== r.last || id.equals(r.lastId), 'COUNTER_REUSE', 'FLOW-23');
    if (counter <= r.last) return this.acknowledge();              // FLOW-22; older ids are forgotten
    need(counter === r.last + 1n, 'COUNTER_GAP', 'FLOW-24');
    need(prosa.messageIsSigned(frame), 'BAD_SIG', 'MSG-03');
    this.append(frame.octets.subarray(prosa.HEADER));              // FLOW-25
    Object.assign(r, { last: counter, lastId: id, lastSeq: r.head, question: { id, counter } });
    this.acknowledge();
    this.deliver();
    questions.push(this);
    console.log(prosa.visible(`${this.name}: ${text}`));
    if (!operator) this.noAnswer();
  }
  ACK({ room_id, seen_seq, limit_seq }) {
    const r = this.room;
    need(r?.id.equals(room_id), 'WRONG_ROOM', 'FLOW-15');
    need(seen_seq <= r.delivered, 'ACK_TOO_HIGH', 'FLOW-13');
    if (limit_seq > r.limitSeq) r.limitSeq = limit_seq;            // FLOW-12
    this.deliver();
  }

  ERROR({ code, reason }) {
    note(`${this.name ?? 'a stranger'} reports ${prosa.codeName(code)}: ${reason}`);
    if (!this.due && !prosa.isFatal(code)) return;                 // ERR-04
    this.leave('gives up');               // ERR-03
    this.finish();
  }
  BYE({ code }) {
    this.leave(`says goodbye (${prosa.codeName(code)})`);
    if (this.due) this.finish(); else this.bye('NORMAL');          // END-06, END-02
  }

  // Commits an entry: the author's octets and the server's two fields (MSG-11 to MSG-13).
  append(authored, answers = false) {
    const r = this.room;
    if (now() > r.time) r.time = now();
    const fields = prosa.encodeFields({ room_seq: ++r.head, server_time: r.time });
    r.owed.push({ body: Buffer.concat([authored, fields]), answers });
  }

  // DELIVERs what credit allows (FLOW-18); behind an answer the limit rises (FLOW-28).
  deliver() {
    const r = this.room;
    while (r.owed.length && r.delivered < r.limitSeq) {
      const { body, answers } = r.owed.shift();
      r.delivered += 1n;
      this.send('DELIVER', body);
      if (answers) this.raise();
    }
  }

  raise() { this.room.limit = this.room.last + 1n; this.acknowledge(); }
  acknowledge() {
    const { id, limit, last, lastSeq } = this.room;
    this.send('ACK', { room_id: id, limit_counter: limit, acked_counter: last, acked_seq: lastSeq });
  }

  // The server's own message, and the answer to the question if one is pending (MSG-20, MSG-21).
  speak(text) {
    const r = this.room, question = this.settle();
    this.append(prosa.compose(keys, { nick: 'host', room_id: r.id, counter: ++r.hostCounter, sent_at: now(), text,
      reply_to: question?.id }), Boolean(question));
    this.deliver();
  }
  noAnswer() {                            // FLOW-29
    const about = { room_id: this.room.id, counter: this.settle().counter };
    this.fail(new Fault('NO_ANSWER', 'FLOW-29', 'nobody answers here', about));
    this.raise();
  }
  // The question is pending no longer (FLOW-30: it ends with its session).
  settle() {
    const { question } = this.room ?? {};
    if (question) { questions.splice(questions.indexOf(this), 1); this.room.question = null; }
    return question;
  }

  // The session is over: what still comes is discarded.
  leave(how) {
    if (this.nick && !this.deaf) note(`${this.name} ${how}`);
    clearTimeout(this.deadline);
    this.settle();
    this.deaf = true;
  }

  failed(fault) { this.leave(`is sent away: ${fault.name}, ${fault.message}`); }
  ended() { this.leave('vanished without a goodbye'); }            // END-15
  gone() {
    this.leave('is gone');
    connections.delete(this);
    if (ending && connections.size === 0) process.exit(0);
  }
}

// END-08, END-10: goodbye to all, then the end.
function end(code, reason) {
  ending = true;
  listener.close();
  for (const connection of [...connections]) {
    connection.leave(`is told goodbye (${code})`);
    if (connection.due) connection.socket.destroy(); else connection.bye(code, reason);
  }
  if (connections.size === 0) process.exit(0);
}

// END-19: a line is for the oldest pending question, or after "@nick " for that client.
function typed(line) {
  if (line === 'exit') return end('NORMAL', 'the conversation is over');
  const [, nick, text = line] = /^@([a-z0-9_-]{1,32}) (.*)$/s.exec(line) ?? [];
  const named = [...connections].filter((c) => c.room && !c.deaf && c.nick === nick);
  const to = nick ? named.find((c) => c.room.question) ?? named[0] : questions[0];
  const fault = prosa.lineFault(text) ?? (to ? null : nick ? `${nick} is not here` : 'no question is pending');
  return fault ? note(`not sent: ${fault}`) : to.speak(text);
}

const listener = net.createServer({ allowHalfOpen: true }, (socket) => new Connection(socket));
listener.on('error', (error) => { note(`cannot listen: ${error.message}`); process.exit(3); });   // CON-07
listener.listen(prosa.portOf(PROSA_PORT), prosa.bare(PROSA_HOST), () => {
  const { address, port, family } = listener.address();
  note(`the fingerprint of this server's key is ${prosa.fingerprint(keys.key)}`);
  console.log(`READY ${family === 'IPv6' ? `[${address}]` : address}:${port}`);      // CON-05
  prosa.readLines(process.stdin, typed, () => {                                     // END-12
    operator = false;
    for (const connection of [...questions]) connection.noAnswer();
  });
});
process.on('SIGTERM', () => end('SHUTDOWN', 'the server ends'));
process.stdout.on('error', () => {});
