// SPDX-License-Identifier: MIT
// Keys, signatures and hashes of PROSA/1: the acceptance rule [4.5], and all that is hashed or signed.

import crypto, { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { AUTHOR_SIG, HANDSHAKE_SIG, SERVER_SIG, before, encodeFields, encodeValue, need } from './wire.mjs';

// ---------------------------------------------------------------- keys [4.5]
const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
// The 14 encodings of low-order points: four in full, ten as first, middle and last octet.
const LOW_ORDER = new Set([
  ...['05', '85'].map((last) => `26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc${last}`),
  ...['7a', 'fa'].map((last) => `c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03${last}`),
  ...['01 00 00', '01 00 80', '00 00 00', '00 00 80', 'ec ff 7f', 'ec ff ff', 'ed ff 7f', 'ed ff ff',
    'ee ff 7f', 'ee ff ff'].map((e) => e.split(' ')).map(([first, middle, last]) => first + middle.repeat(30) + last)]);
const number = (octets) => BigInt(`0x${Buffer.from(octets).reverse().toString('hex')}`);
// KEY-01 to KEY-03, for a key A as for the R of a signature.
export const keyIsGood = (point) => point.length === 32 && !LOW_ORDER.has(point.toString('hex'))
  && BigInt.asUintN(255, number(point)) < P;
// DER wrappings of a public and a private Ed25519 key (RFC 8410).
const [SPKI, PKCS8] = ['302a300506032b6570032100', '302e020100300506032b657004220420'].map((h) => Buffer.from(h, 'hex'));
export function verify(key, signature, ...parts) {
  const r = signature.subarray(0, 32), s = signature.subarray(32), format = 'der', type = 'spki';
  if (s.length !== 32 || !keyIsGood(key) || !keyIsGood(r) || number(s) >= L) return false;    // KEY-01 to KEY-04
  try {                                   // KEY-05; not every good key is a point of the curve
    const point = createPublicKey({ key: Buffer.concat([SPKI, key]), format, type });
    return crypto.verify(null, Buffer.concat(parts), point, signature);
  } catch { return false; }
}

// A key pair from the 32 octets of RFC 8032's private key.
export function keyPair(seed) {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const key = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { key, sign: (...parts) => crypto.sign(null, Buffer.concat(parts), secret) };
}

// ID-01: the key in a file that only its owner can read, made at the first start.
export function loadKey(path) {
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  return keyPair(Buffer.from(readFileSync(path, 'latin1').trim(), 'hex'));
}

// KEY-07: refuse to run on a library that computes the cofactored equation (`key-mixed-order`).
need(!verify(...['1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da',
  '077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a578adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407',
  '636f666163746f726564206f7220636f666163746f726c6573733f'].map((h) => Buffer.from(h, 'hex'))), 'BAD_SIG', 'KEY-07');

// ---------------------------------------------------------------- what is hashed and signed [14.2]
export const label = (text) => Buffer.from(`PROSA/1 ${text}\0`, 'latin1');
export const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
export const u64 = (value) => encodeValue('u64', BigInt(value));

// AUTH-12 and AUTH-15. A CHALLENGE's header says the final length before it is signed.
// The signature is its last field, of 68 octets (WIRE-25).
export const th1 = (hello, challenge) => sha256(hello, challenge.subarray(0, -68));
export const th2 = (hello, challenge) => sha256(hello, challenge);
export const challengeIsSigned = (hello, challenge) =>
  verify(challenge.fields.server_key, challenge.fields.handshake_sig, label('server-auth'), th1(hello, challenge.octets));
export const authIsSigned = (key, hello, challenge, auth) =>
  verify(key, auth.fields.handshake_sig, label('client-auth'), th2(hello, challenge), before(auth, HANDSHAKE_SIG));
export const authorZone = (frame) => before(frame, AUTHOR_SIG);             // MSG-01
export const messageId = (zone) => sha256(label('message-id'), zone);       // MSG-02
export const messageIsSigned = ({ fields, ...frame }) =>
  verify(fields.author_key, fields.author_sig, label('message'), authorZone(frame));
export const checkpointIsSigned = (key, frame) =>                           // AUD-03
  verify(key, frame.fields.server_sig, label('checkpoint'), before(frame, SERVER_SIG));

// A signed message: the body of a PUBLISH (MSG-01).
export function compose(keys, fields) {
  const zone = encodeFields({ ...fields, author_key: keys.key });
  return Buffer.concat([zone, encodeFields({ author_sig: keys.sign(label('message'), zone) })]);
}
// MSG-22: the client's key belongs to the private room.
export const roomId = (serverKey, epoch, name, clientKey) => sha256(label('room'), serverKey, epoch,
  Buffer.from([name.length]), Buffer.from(name, 'latin1'), ...(name === '@host' ? [clientKey] : []));
export const chainStart = (room) => sha256(label('chain-start'), room);     // AUD-01
export const chainNext = (previous, seq, time, id) => sha256(label('chain'), previous, u64(seq), u64(time), id);
const digest = (key) => sha256(key).subarray(0, 16).toString('hex');
export const fingerprint = (key) => digest(key).match(/.{4}/g).join(' ');   // [4.4]
export const suffix = (key) => digest(key).slice(-4);
