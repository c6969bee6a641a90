// SPDX-License-Identifier: MIT
// Frames and fields of PROSA/1: the tables of the registry, and the codec made of them (chapter 3).
// Nothing here knows of sockets or keys. Chapters of the text stand in brackets, requirements by their ids.

import { isUtf8 } from 'node:buffer';

// ---------------------------------------------------------------- the registry [3.5, 3.6, 7.2]
export const VERSION = 1, HEADER = 8, HANDSHAKE_CAP = 1024;
export const AUTHOR_SIG = 0x4000, SERVER_SIG = 0x4006, HANDSHAKE_SIG = 0xfffe;
const SERVER_ZONE_LAST = 0x7fff;
const rows = (text) => text.trim().split(/[\n|]/).map((line) => line.trim().split(/\s+/));
// Announced numbers: tag, name, default, least, most [9.1].
export const ANNOUNCED = rows(`
  0020 max_frame 16384 8192 65536     |  0022 max_rooms 8 1 65535         |  0024 max_window 64 1 65535
  0026 token_rate 32 1 1000000        |  0028 token_burst 64 1 1000000    |  002a member_limit 256 0 400
  002c undecided_limit 65536 16384 16777216      |  002e output_limit 262144 65536 67108864
  0030 handshake_ms 5000 50 600000    |  0032 ping_after_ms 15000 50 3600000
  0034 dead_after_ms 45000 100 3600000  |  0036 slow_ms 10000 50 3600000  |  0038 linger_ms 2000 50 600000`)
  .map(([tag, name, value, least, most]) => ({ tag, name, value: +value, least: +least, most: +most }));

// Fields: tag, name, kind, least and most (values of integers, octets of the rest).
const FIELDS = rows(`
  0002 versions versions 1 8   |  0004 nonce nonce          |  0006 client_key key      |  0008 features u32
  000a target target 3 261     |  000c version u8 1         |  000e server_key key      |  0010 session u64
  0012 time u64                |  0040 nick nick 1 32       |  0041 display utf8 1 64   |  0042 room room 1 33
  0044 room_id hash            |  0046 epoch epoch          |  0050 send_window u32 1   |  0052 recv_window u32 2
  0054 after_seq u64           |  0056 granted_window u32 1 |  0058 last_counter u64    |  005a limit_counter u64
  005c acked_counter u64       |  005e acked_seq u64        |  0060 head_seq u64        |  0062 oldest_seq u64 1
  0064 start_seq u64 1         |  0066 seen_seq u64         |  0068 limit_seq u64       |  0070 event u8
  0072 member_key key          |  0074 at_seq u64           |  0076 count u32           |  0080 author_key key
  0082 counter u64 1           |  0084 sent_at u64          |  0086 text utf8 1 4096    |  0087 reply_to hash
  0090 seq u64                 |  0092 chain hash           |  00a0 opaque opaque 0 16  |  00b0 code u16 1
  00b2 reason utf8 1 255       |  00b3 after_ms u32         |  00b5 ref_type u8         |  00b7 clause clause 4 16
  4000 author_sig sig          |  4002 room_seq u64 1       |  4004 server_time u64     |  4005 prev_hash hash
  4006 server_sig sig          |  fffe handshake_sig sig`)
  .concat(ANNOUNCED.map((a) => [a.tag, a.name, 'u32', a.least, a.most]))
  .map(([tag, name, kind, least = 0, most]) =>
    ({ tag: parseInt(tag, 16), name, kind, least: +least, most: most && +most }));
const byName = new Map(FIELDS.map((f) => [f.name, f]));

// Frames: type, name, who sends it, fields; "?" marks the optional ones.
const FRAMES = rows(`
  2  HELLO      client versions nonce client_key features target
  4  CHALLENGE  server versions nonce features version server_key max_frame max_rooms max_window token_rate token_burst member_limit undecided_limit output_limit handshake_ms ping_after_ms dead_after_ms slow_ms linger_ms handshake_sig
  6  AUTH       client nick display? handshake_sig
  8  WELCOME    server session time
  10 JOIN       client room epoch? send_window recv_window after_seq?
  12 JOINED     server room room_id epoch granted_window last_counter limit_counter head_seq oldest_seq start_seq
  14 LEAVE      client room_id
  17 MEMBER     server nick? room_id event member_key? at_seq count?
  20 PUBLISH    client nick display? room_id author_key counter sent_at text reply_to? author_sig
  22 DELIVER    server nick display? room_id author_key counter sent_at text reply_to? author_sig room_seq server_time prev_hash?
  24 ACK        both   room_id limit_counter? acked_counter? acked_seq? seen_seq? limit_seq?
  27 CHECKPOINT server time room_id seq chain server_sig
  30 PING       both   opaque
  32 PONG       both   opaque
  34 ERROR      both   room? room_id? counter? code reason after_ms? ref_type? clause?
  36 BYE        both   code reason? after_ms?`)
  .map(([type, name, from, ...fields]) => ({ type: +type, name, from,
    required: fields.filter((f) => !f.endsWith('?')),
    fields: new Map(fields.map((f) => byName.get(f.replace('?', ''))).map((f) => [f.tag, f])) }));
const byType = new Map(FRAMES.map((f) => [f.type, f]));
export const TYPE = Object.fromEntries(FRAMES.map((f) => [f.name, f.type]));

// Fields that stand together: WIRE-30 and WIRE-31, WIRE-33 (by event).
const ACK_FIELDS = { server: 'room_id limit_counter acked_counter acked_seq', client: 'room_id seen_seq limit_seq' };
const MEMBER = 'nick room_id event member_key at_seq', RESYNC = 'room_id event at_seq';
const MEMBER_FIELDS = [null, MEMBER, MEMBER, MEMBER, RESYNC, `${RESYNC} count`];
export const EVENTS = [null, 'here', 'joined', 'left', 'resync', 'count'];
export const EVENT = Object.fromEntries(EVENTS.map((name, number) => [name, number]));

// Codes: those of one class stand in a line, numbered from 1 [7.2].
export const CODE = Object.fromEntries(rows(`
  BAD_FRAME UNSUPPORTED TOO_LARGE BAD_TEXT
  BAD_KEY BAD_SIG NICK_TAKEN DENIED WRONG_AUTHOR PIN_MISMATCH DOWNGRADE FORK
  BAD_STATE FLOW_VIOLATION COUNTER_GAP COUNTER_REUSE WRONG_ROOM ACK_TOO_HIGH SEQ_GAP TIMEOUT
  NO_ROOM TOO_MANY_ROOMS NOT_SUPPORTED
  NO_ANSWER
  NORMAL SHUTDOWN REPLACED SLOW_CONSUMER IDLE KICKED GATEWAY_LOST BUSY INTERNAL`)
  .flatMap((names, row) => names.map((name, i) => [name, (row + 1) * 256 + i + 1])));
export const codeName = (code) => Object.keys(CODE).find((name) => CODE[name] === code) ?? code;
// ERR-04, ERR-05: classes 04 and 05 leave the connection as it is, all others end it.
export const isFatal = (code) => ![4, 5].includes(code >> 8);

// Something wrong, with the code for the ERROR, the clause, and fields that name the culprit.
export class Fault extends Error {
  constructor(name, clause, reason = name.toLowerCase().replaceAll('_', ' '), about = {}) {
    super(reason);
    Object.assign(this, { name, code: CODE[name], clause, about });
  }
}
export function need(good, ...fault) { if (!good) throw new Fault(...fault); }

// ---------------------------------------------------------------- values [3.5]
const SIZES = { u8: 1, u16: 2, u32: 4, u64: 8, key: 32, hash: 32, nonce: 32, epoch: 16, sig: 64 };
const WORDS = { nick: /^[a-z0-9_-]{1,32}$/, room: /^@?[a-z0-9_-]{1,32}$/, clause: /^[A-Z0-9-]{4,16}$/,
  target: /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):([1-9][0-9]{0,4})$/ };
export const isWord = (kind, text) => WORDS[kind].test(text)
  && (kind !== 'target' || (text.length <= 261 && WORDS.target.exec(text)[1] <= 65535));

function decodeValue({ name, kind, least, most }, octets) {
  const check = (good, code = 'BAD_FRAME') => need(good, code, 'WIRE-21', `field ${name}`);
  if (SIZES[kind]) {
    check(octets.length === SIZES[kind]);
    if (kind[0] !== 'u') return octets;
    const value = kind === 'u64' ? octets.readBigUInt64BE() : octets.readUIntBE(0, SIZES[kind]);
    check(value >= least && value <= (most ?? Infinity));
    return value;
  }
  check(octets.length >= least && octets.length <= most);
  if (kind === 'opaque') return octets;
  if (kind === 'versions') check(octets.every((v, i) => v > (i ? octets[i - 1] : 0)));
  else if (kind === 'utf8') check(isUtf8(octets) && !octets.includes(0), 'BAD_TEXT');
  else check(isWord(kind, octets.toString('latin1')));
  return kind === 'versions' ? [...octets] : octets.toString();
}
export function encodeValue(kind, value) {
  if (!SIZES[kind] || Buffer.isBuffer(value)) return Buffer.from(value);    // octets, text, versions
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(BigInt(value));
  return octets.subarray(8 - SIZES[kind]);
}

// ---------------------------------------------------------------- frames [3.1 to 3.6]
// Fields by name, or as "0x1a1b" with octets, into the one sequence of octets (WIRE-16).
export function encodeFields(fields) {
  const list = Object.entries(fields).filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ tag: parseInt(name, 16), ...byName.get(name), value })).sort((a, b) => a.tag - b.tag);
  return Buffer.concat(list.flatMap(({ tag, kind, value }) => {
    const octets = encodeValue(kind, value);
    return [encodeValue('u16', tag), encodeValue('u16', octets.length), octets];
  }));
}
export function encodeFrame(name, body) {
  const octets = Buffer.isBuffer(body) ? body : encodeFields(body);
  return Buffer.concat([Buffer.from([0x50, 0x52, VERSION, TYPE[name]]), encodeValue('u32', octets.length), octets]);
}

// The first frame in `input`, or null while it is not whole (WIRE-11). A frame of an unknown odd
// type comes with name null (WIRE-12). `admit` may refuse a type before the body is there.
export function decodeFrame(input, { cap, from, admit = () => {} }) {
  need([0x50, 0x52].every((octet, i) => i >= input.length || input[i] === octet), 'BAD_FRAME', 'WIRE-02');
  if (input.length < HEADER) return null;
  const [, , version, type] = input, length = input.readUInt32BE(4), row = byType.get(type);
  need(version === VERSION, 'UNSUPPORTED', 'WIRE-04', `version ${version}`);
  need(length <= cap, 'TOO_LARGE', 'WIRE-06', `length ${length}`);
  admit(type, row);
  need(row || type % 2, 'UNSUPPORTED', 'WIRE-14', `type ${type}`);
  need(type !== TYPE.PUBLISH || length <= cap - 256, 'TOO_LARGE', 'MSG-10', `length ${length}`);
  if (input.length < HEADER + length) return null;
  const octets = Buffer.from(input.subarray(0, HEADER + length));
  const frame = { name: row?.name ?? null, type, version, length, octets, fields: {} };
  if (row) { decodeBody(frame, row); checkTogether(frame, row, from); }
  return frame;
}
function decodeBody(frame, row) {
  const check = (good, clause, why) => need(good, 'BAD_FRAME', clause, why);
  const body = frame.octets.subarray(HEADER), publish = row.name === 'PUBLISH', deliver = row.name === 'DELIVER';
  frame.starts = [];                      // [tag, where the field begins in octets]
  if (deliver) frame.displayable = true;
  for (let at = 0, last = 0; at < body.length;) {
    check(body.length - at >= 4, 'WIRE-19', 'octets are left over');
    const tag = body.readUInt16BE(at), end = at + 4 + body.readUInt16BE(at + 2), field = row.fields.get(tag);
    check(last !== HANDSHAKE_SIG, 'WIRE-25', 'a field after handshake_sig');
    check(tag !== 0, 'WIRE-17', 'tag 0');
    check(tag > last, 'WIRE-16', 'tags do not ascend');
    check(frame.starts.length < (publish ? 24 : 32), publish ? 'MSG-09' : 'WIRE-18', 'too many fields');
    check(!publish || tag <= AUTHOR_SIG, 'MSG-09', 'a tag above 0x4000');
    check(tag <= SERVER_ZONE_LAST || row.fields.has(HANDSHAKE_SIG), 'WIRE-24', 'a tag above 0x7fff');
    const known = field || tag % 2;       // MSG-14: only a DELIVER may hold what we do not know
    need(known || (deliver && tag < AUTHOR_SIG), 'UNSUPPORTED', publish ? 'MSG-15' : 'WIRE-23', hexTag(tag));
    if (!known) frame.displayable = false;
    check(end <= body.length, 'WIRE-19', 'a field reaches beyond the end');
    const value = body.subarray(at + 4, end);
    frame.fields[field?.name ?? hexTag(tag)] = field ? decodeValue(field, value) : value;
    frame.starts.push([tag, HEADER + at]);
    [last, at] = [tag, end];
  }
}
function checkTogether({ name, fields }, row, from) {
  const check = (good, clause, why) => need(good, 'BAD_FRAME', clause, why);
  for (const field of row.required) check(field in fields, 'WIRE-20', `${field} is missing`);
  const known = [...row.fields.values()].map((f) => f.name).filter((f) => f in fields).join(' ');
  if (name === 'ACK') check(known === ACK_FIELDS[from], from === 'server' ? 'WIRE-30' : 'WIRE-31');
  if (name === 'JOIN') check(!fields.epoch || 'after_seq' in fields, 'WIRE-32');
  if (name === 'MEMBER') check(known === (MEMBER_FIELDS[fields.event] ?? known), 'WIRE-33');
}
const hexTag = (tag) => `0x${tag.toString(16).padStart(4, '0')}`;

// The octets of a frame's fields whose tags are below `tag`, as they came.
export function before(frame, tag) {
  const start = frame.starts.find(([t]) => t >= tag);
  return frame.octets.subarray(HEADER, start ? start[1] : undefined);
}

// ---------------------------------------------------------------- JSON and text [3.7, MSG-19]
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const escape = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

// Text for people, with a visible stand-in for what must not be printed.
export const visible = (text) => String(text).replace(UNPRINTABLE, (c) => `<${escape(c).slice(1)}>`);
// One line of JSON: octets in hexadecimal, u64 as a string of digits, nothing unprintable.
const plain = (v) => Buffer.isBuffer(v) ? v.toString('hex') : typeof v === 'bigint' ? `${v}`
  : Array.isArray(v) || typeof v !== 'object' || v === null ? v
    : Object.fromEntries(Object.entries(v).map(([name, w]) => [name, plain(w)]));
export const json = (value) => JSON.stringify(plain(value)).replace(UNPRINTABLE, escape);
// The picture of a frame (WIRE-34).
export function project({ name, type, version, length, fields }) {
  if (name === null) return { frame: null, type, version, length };
  const names = { code: codeName(fields.code), event: EVENTS[fields.event] ?? fields.event };
  const named = Object.entries(fields).map(([field, value]) => [field, names[field] ?? value]);
  return { frame: name, type, version, length, fields: Object.fromEntries(named) };
}
