// SPDX-License-Identifier: MIT
// One end of a connection, the same for server and client, and what both programs take from their
// surroundings. A Link reads frames and gives each to the method of its name; it keeps the
// connection alive, and closes it in order.

import { isUtf8 } from 'node:buffer';
import { ANNOUNCED, CODE, Fault, HANDSHAKE_CAP, TYPE, decodeFrame, encodeFrame, isFatal, need, visible } from './wire.mjs';

export const LIVENESS = 1, RESUME = 2;    // bits of `features` [8.2]
export const LEVEL = process.env.PROSA_LEVEL || 'L3';
export const FEATURES = LEVEL >= 'L2' ? LIVENESS | RESUME : 0;    // offered from L2 on
export const now = () => performance.now();
export const time = () => BigInt(Date.now());

// Server and client add a method for each frame that they take, and `failed(fault)`, `ended(how)`,
// `gone()`, `flush()`, `tooLate()` and `silent()`.
export class Link {
  limits = Object.fromEntries(ANNOUNCED.map(({ name, value }) => [name, value]));
  cap = HANDSHAKE_CAP;                    // WIRE-07; max_frame from READY on (WIRE-08)
  features = 0;                           // the active ones (AUTH-11)
  closing = false;                        // our BYE or fatal ERROR is sent, or all is over
  deaf = false;                           // what still comes is discarded (ERR-06)
  blocked = false;                        // the peer does not take what we send: nothing more is read from it
  heard = now();
  started = now();
  progress = now();                       // when an octet went out last, or nothing was owed (FLOW-39)
  lingerUntil = Infinity;
  #input = Buffer.alloc(0);
  #begun = false;
  #pinged = false;

  // `due` is the frame that has to come before READY, then null.
  constructor(socket, peer, due) {
    Object.assign(this, { socket, peer, due });
    socket.setNoDelay(true);
    socket.on('data', (octets) => this.#read(octets));
    socket.on('drain', () => this.#unblock());
    socket.on('end', () => { this.ended('eof'); this.finish(true); });
    socket.on('error', () => this.ended('reset'));
    socket.on('close', () => { clearTimeout(this.clock); this.closing = this.deaf = true; this.ended('eof'); this.gone(); });
    this.#wait();
  }

  // ---- reading
  #read(octets) {
    [this.heard, this.#pinged] = [now(), false];                   // LIVE-06
    if (!this.deaf) this.#input = this.#input.length ? Buffer.concat([this.#input, octets]) : octets;
    this.#process();
  }
  #process() {
    while (!this.deaf && !this.blocked) {
      let frame = null;
      try {
        frame = decodeFrame(this.#input, { cap: this.cap, from: this.peer, admit: (t, r) => this.#admit(t, r) });
        if (frame === null) break;
        this.#begun = true;
        this.#input = this.#input.subarray(frame.octets.length);
        if (frame.name && this.#wants(frame.name)) this[frame.name](frame.fields, frame);   // WIRE-12: others are ignored
      } catch (error) {
        if (!(error instanceof Fault)) console.error(error);
        this.#refuse(error instanceof Fault ? error : new Fault('INTERNAL'), frame);
      }
    }
    if (this.deaf) this.#input = Buffer.alloc(0);
    this.flush();
  }
  // Is this the time, and the direction, for a frame of this type?
  #admit(type, row) {
    need(!this.due || [this.due, 'ERROR', 'BYE'].includes(row?.name), 'BAD_STATE', 'WIRE-13');
    need(!row || [this.peer, 'both'].includes(row.from), 'BAD_STATE', 'WIRE-15');
    need(this.due || !row || type > TYPE.WELCOME, 'BAD_STATE', 'AUTH-01');
  }
  // END-04: after its own BYE a client reads on, while a server waits for the end alone.
  #wants(name) { return !this.closing || this.peer === 'server' || name === 'ERROR' || name === 'BYE'; }

  // Names the culprit (ERR-07); no word about octets of another protocol, or a malformed ERROR or BYE.
  #refuse(fault, frame) {
    if (fault.clause === 'WIRE-02' && !this.#begun) {              // WIRE-03
      this.failed(fault);
      this.deaf = this.closing = true;
      this.socket.destroy();
      return;
    }
    const { type = this.#input[3], fields: { room, room_id, counter } = {} } = frame ?? {};
    const inHeader = !frame && ['WIRE-02', 'WIRE-04', 'WIRE-06'].includes(fault.clause);
    fault.about = { ref_type: type, room, room_id, counter, ...fault.about };
    this.fail(fault, !inHeader && [TYPE.ERROR, TYPE.BYE].includes(type));           // ERR-10
  }

  // ---- writing
  send(name, body) { this.write(encodeFrame(name, body)); }
  write(octets) {
    if (this.closing || this.socket.destroyed) return;
    this.socket.write(octets, () => { this.progress = now(); });
    if (this.socket.writableLength > this.limits.output_limit && !this.blocked) {
      this.blocked = true;
      this.socket.pause();
    }
  }
  #unblock() {
    if (!this.blocked) return;
    [this.blocked, this.heard] = [false, now()];                   // LIVE-05: when we did not read does not count
    this.socket.resume();
    this.#process();
  }

  // ---- what every peer does
  PING({ opaque }) { this.flush(); this.send('PONG', { opaque }); }       // LIVE-01, behind all that is visible (LIVE-03)
  PONG() {}                                                       // LIVE-09
  // Looks at the clock, often enough for the shortest timer, and after all that has arrived was read.
  #wait() {
    const shortest = Math.min(...Object.entries(this.limits).filter(([name]) => name.endsWith('_ms')).map(([, ms]) => ms));
    this.clock = setTimeout(() => setImmediate(() => {
      if (this.socket.destroyed) return;
      this.look();
      this.#wait();
    }), shortest / 8);
  }
  look() {
    const silence = this.blocked ? 0 : now() - this.heard, lives = this.features & LIVENESS;
    if (this.closing) { if (now() >= this.lingerUntil) this.socket.resetAndDestroy(); }
    else if (this.due) { if (now() - this.started >= this.limits.handshake_ms) this.tooLate(); }
    else if (lives && silence >= this.limits.dead_after_ms) this.silent();          // LIVE-05
    else if (lives && silence >= this.limits.ping_after_ms && !this.#pinged) {
      this.#pinged = true;
      this.send('PING', { opaque: Buffer.alloc(0) });              // LIVE-04
    }
  }

  // ---- closing
  // ERR-01, ERR-06: one ERROR in the place of the BYE, then deaf until the end.
  fail(fault, silent = false) {
    const { code, message: reason, clause, about } = fault;
    if (!silent) this.send('ERROR', { code, reason, clause, ...about });
    if (!isFatal(code)) return;
    if (!this.closing) this.failed(fault);
    this.deaf = true;
    this.finish();
  }
  bye(name, reason) { this.send('BYE', { code: CODE[name], reason }); this.finish(); }
  // END-01: shut the sending side down, and read on until the peer has done so, or for linger_ms.
  finish(atOnce = false) {
    if (atOnce || this.lingerUntil < Infinity) this.socket.destroySoon();
    else {
      this.lingerUntil = now() + this.limits.linger_ms;
      this.socket.end();
      this.socket.resume();
    }
    this.closing = true;
  }
}

// ---------------------------------------------------------------- programs [13]
// CON-03, before anything else.
export function checkLevel() { if (!/^L[0-3]$/.test(LEVEL)) process.exit(89); }

// A word for people, on stderr.
export const note = (text) => console.error(visible(text));
export function badSettings(why) { note(why); process.exit(2); }
export const bare = (host) => host.replace(/^\[|\]$/g, '');     // an IPv6 address without its brackets
export const portOf = (text) => /^\d{1,5}$/.test(text) && +text < 65536 ? +text : badSettings(`PROSA_PORT ${text}`);

// The lines of a stream, as octets. Only a line feed ends one; a text may hold any other character.
export function readLines(stream, onLine, onEnd) {
  let rest = Buffer.alloc(0);
  const take = (line) => onLine(line.at(-1) === 0x0d ? line.subarray(0, -1) : line);
  stream.on('data', (octets) => {
    rest = Buffer.concat([rest, octets]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end);
      rest = rest.subarray(end + 1);
      take(line);
    }
  });
  stream.on('end', () => { if (rest.length) take(rest); onEnd(); });
}
// Why a line cannot be the text of a message, or null.
export const lineFault = (line) => line.length > 4096 ? 'more than 4096 octets' : !isUtf8(line) ? 'not UTF-8'
  : line.includes(0) ? 'U+0000' : null;
