// SPDX-License-Identifier: MIT
// The codec of section 13.5: level L0 without a connection. It reads requests from stdin, one a
// line, and answers each with one JSON object on a line of stdout. Every function below answers
// one word of the table; what cannot be read as a request is "unsupported" (CON-13).

import * as prosa from './prosa.mjs';

const octets = (word) => {
  if (word === '-') return Buffer.alloc(0);
  if (!/^([0-9a-f]{2})+$/.test(word ?? '')) throw new TypeError('not hexadecimal');
  return Buffer.from(word, 'hex');
};
const verdict = (good) => ({ verdict: good ? 'valid' : 'invalid' });
const parse = (word, ...names) => {
  const frame = prosa.decodeFrame(octets(word), { cap: 65536 });
  if (!names.includes(frame?.name)) throw new TypeError('not a frame of this type');
  return frame;
};

const requests = {
  decode(from, cap, word) {
    if (!['client', 'server'].includes(from) || !/^\d+$/.test(cap)) throw new TypeError('no such words');
    const frame = prosa.decodeFrame(octets(word), { cap: +cap, from });
    if (frame === null) return { verdict: 'partial' };
    const answer = { consumed: frame.octets.length, frame: prosa.project(frame) };
    if (frame.name === null) return { verdict: 'ignored', ...answer };
    return { verdict: 'frame', ...answer, encoded: prosa.encodeFrame(frame.name, frame.fields),
      displayable: frame.displayable };
  },
  key: (key) => verdict(prosa.keyIsGood(octets(key))),
  verify: (key, signature, message) =>
    verdict(prosa.verify(octets(key), octets(signature), octets(message))),
  sign(seed, message) {
    const keys = prosa.keyPair(octets(seed));
    return { key: keys.key, signature: keys.sign(octets(message)) };
  },
  message(word) {
    const frame = parse(word, 'PUBLISH', 'DELIVER'), zone = prosa.authorZone(frame);
    return { ...verdict(prosa.messageIsSigned(frame)), author_zone: zone, id: prosa.messageId(zone) };
  },
  'room-id': (serverKey, epoch, room, clientKey) =>
    ({ room_id: prosa.roomId(octets(serverKey), octets(epoch), room, clientKey && octets(clientKey)) }),
  handshake(helloWord, challengeWord, authWord) {
    const hello = parse(helloWord, 'HELLO'), challenge = parse(challengeWord, 'CHALLENGE');
    const answer = { th1: prosa.th1(hello.octets, challenge.octets), th2: prosa.th2(hello.octets, challenge.octets),
      server_auth: verdict(prosa.challengeIsSigned(hello.octets, challenge)).verdict };
    const good = () => prosa.authIsSigned(hello.fields.client_key, hello.octets, challenge.octets, parse(authWord, 'AUTH'));
    return authWord === undefined ? answer : { ...answer, client_auth: verdict(good()).verdict };
  },
  'chain-start': (room) => ({ hash: prosa.chainStart(octets(room)) }),
  chain: (previous, seq, time, id) => ({ hash: prosa.chainNext(octets(previous), seq, time, octets(id)) }),
  checkpoint: (key, word) => verdict(prosa.checkpointIsSigned(octets(key), parse(word, 'CHECKPOINT'))),
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
    return error instanceof prosa.Fault ? { verdict: 'error', error: error.name } : { verdict: 'unsupported' };
  }
}

prosa.checkLevel();
prosa.readLines(process.stdin, (line) => console.log(prosa.json(answer(line))), () => {});
