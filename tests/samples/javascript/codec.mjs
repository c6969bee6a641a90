// SPDX-License-Identifier: MIT
// The codec of section 13.5: level L0 without a connection. It reads requests from stdin, one a
// line, and answers each with one JSON object on a line of stdout. Every function below answers
// one word of the table; what cannot be read as a request is "unsupported" (CON-13).

import * as crypto from './crypto.mjs';
import { checkLevel, readLines } from './link.mjs';
import * as wire from './wire.mjs';

const octets = (word) => {
  if (word === '-') return Buffer.alloc(0);
  if (!/^([0-9a-f]{2})+$/.test(word ?? '')) throw new TypeError('not hexadecimal');
  return Buffer.from(word, 'hex');
};
const verdict = (good) => ({ verdict: good ? 'valid' : 'invalid' });
const parse = (word, ...names) => {
  const frame = wire.decodeFrame(octets(word), { cap: 65536 });
  if (!names.includes(frame?.name)) throw new TypeError('not a frame of this type');
  return frame;
};

const requests = {
  decode(from, cap, word) {
    if (!['client', 'server'].includes(from) || !/^\d+$/.test(cap)) throw new TypeError('no such words');
    const frame = wire.decodeFrame(octets(word), { cap: +cap, from });
    if (frame === null) return { verdict: 'partial' };
    const answer = { consumed: frame.octets.length, frame: wire.project(frame) };
    if (frame.name === null) return { verdict: 'ignored', ...answer };
    return { verdict: 'frame', ...answer, encoded: wire.encodeFrame(frame.name, frame.fields),
      displayable: frame.displayable };
  },
  key: (key) => verdict(crypto.keyIsGood(octets(key))),
  verify: (key, signature, message) =>
    verdict(crypto.verify(octets(key), octets(signature), octets(message))),
  sign(seed, message) {
    const keys = crypto.keyPair(octets(seed));
    return { key: keys.key, signature: keys.sign(octets(message)) };
  },
  message(word) {
    const frame = parse(word, 'PUBLISH', 'DELIVER'), zone = crypto.authorZone(frame);
    return { ...verdict(crypto.messageIsSigned(frame)), author_zone: zone, id: crypto.messageId(zone) };
  },
  'room-id': (serverKey, epoch, room, clientKey) =>
    (room === '@host') !== (clientKey !== undefined) ? { verdict: 'unsupported' } : ({ room_id: crypto.roomId(octets(serverKey), octets(epoch), room, clientKey && octets(clientKey)) }),
  handshake(helloWord, challengeWord, authWord) {
    const hello = parse(helloWord, 'HELLO'), challenge = parse(challengeWord, 'CHALLENGE');
    const answer = { th1: crypto.th1(hello.octets, challenge.octets), th2: crypto.th2(hello.octets, challenge.octets),
      server_auth: verdict(crypto.challengeIsSigned(hello.octets, challenge)).verdict };
    const good = () => crypto.authIsSigned(hello.fields.client_key, hello.octets, challenge.octets, parse(authWord, 'AUTH'));
    return authWord === undefined ? answer : { ...answer, client_auth: verdict(good()).verdict };
  },
  'chain-start': (room) => ({ hash: crypto.chainStart(octets(room)) }),
  chain: (previous, seq, time, id) => ({ hash: crypto.chainNext(octets(previous), seq, time, octets(id)) }),
  checkpoint: (key, word) => verdict(crypto.checkpointIsSigned(octets(key), parse(word, 'CHECKPOINT'))),
};

// How many words may follow the first one.
const WORDS = { decode: [3, 3], key: [1, 1], verify: [3, 3], sign: [2, 2], message: [1, 1], 'room-id': [3, 4],
  handshake: [2, 3], 'chain-start': [1, 1], chain: [4, 4], checkpoint: [2, 2] };
function answer(line) {
  const [word, ...rest] = line.split(' ');
  try {
    const [least, most] = WORDS[word] ?? [];
    return rest.length >= least && rest.length <= most ? requests[word](...rest) : { verdict: 'unsupported' };
  } catch (error) {
    return error instanceof wire.Fault ? { verdict: 'error', error: error.name } : { verdict: 'unsupported' };
  }
}

checkLevel();
readLines(process.stdin, (line) => console.log(wire.json(answer(String(line)))), () => {});
