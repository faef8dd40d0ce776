// RFC 6455 as bytes: one case a rule that a server can break, and its border.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { get } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
const MAX = 70_000;
const WAIT_MS = 20_000;
let server;
before(async () => (server = await startServer(suite, { env: {
  ARAGORA_WS_MAX_MESSAGE_SIZE: String(MAX), ARAGORA_WS_CONN_RATE: '0', ARAGORA_WS_MAX_PER_IP: '0', ARAGORA_WS_MSG_RATE: '0' } })));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const HEAD = (fields = '') => `GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${fields}\r\n`;

// A client's frame. `length`: how the length is written: 7, 16 or 64 bits, else the shortest.
function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, bits, says } = {}) {
  const data = Buffer.from(payload);
  const size = says ?? BigInt(data.length);
  bits ??= size < 126n ? 7 : size < 65536n ? 16 : 64;
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (bits === 7 ? Number(size) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(size), 2);
  if (bits === 64) head.writeBigUInt64BE(size, 2);
  if (!masked) return Buffer.concat([head, data]);
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ mask[i % 4])]);
}
const close = (code, reason = '') => frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
const ping = '{"type":"ping"}';

// Sends after the handshake, piece by piece; reads the server's frames until the connection ends.
function talk(pieces, head = HEAD()) {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1');
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(() => reject(new Error('the connection stays open')), WAIT_MS);
    socket.on('error', () => {});
    socket.on('data', (data) => (bytes = Buffer.concat([bytes, data])));
    socket.on('close', () => {
      clearTimeout(timer);
      const end = bytes.indexOf('\r\n\r\n');
      const status = Number(bytes.subarray(9, 12).toString());
      resolve({ status, frames: status === 101 ? serverFrames(bytes.subarray(end + 4)) : [] });
    });
    socket.write(head);
    socket.once('data', async () => {
      for (const piece of [pieces].flat()) {
        if (!socket.destroyed) socket.write(piece);
        await new Promise(setImmediate);
      }
    });
  });
}

function serverFrames(bytes) {
  const frames = [];
  while (bytes.length >= 2) {
    assert.equal(bytes[1] & 0x80, 0, 'a server does not mask');
    assert.equal(bytes[0] & 0x70, 0, 'no reserved bits');
    let size = bytes[1] & 0x7f, at = 2;
    if (size === 126) size = bytes.readUInt16BE(2), at = 4;
    else if (size === 127) size = Number(bytes.readBigUInt64BE(2)), at = 10;
    frames.push({ opcode: bytes[0] & 15, payload: bytes.subarray(at, at + size) });
    bytes = bytes.subarray(at + size);
  }
  return frames;
}

async function closedWith(code, pieces) {
  const { frames } = await talk(pieces);
  const last = frames.at(-1);
  assert.equal(last?.opcode, CLOSE);
  assert.equal(last.payload.length >= 2 ? last.payload.readUInt16BE(0) : 0, code);
  return frames;
}

const half = Buffer.from('{"type":"ping","data":"\u20ac"}');
const cut = half.indexOf(0x82);
const REFUSED = [
  ['a frame without a mask', 1002, () => frame(TEXT, ping, { masked: false })],
  ['a ping without a mask', 1002, () => frame(PING, 'x', { masked: false })],
  ['RSV1', 1002, () => frame(TEXT, ping, { rsv: 4 })],
  ['RSV2', 1002, () => frame(TEXT, ping, { rsv: 2 })],
  ['RSV3', 1002, () => frame(PING, '', { rsv: 1 })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, 1002, () => frame(opcode, 'x')]),
  ['a ping in pieces', 1002, () => frame(PING, 'x', { fin: false })],
  ['a close in pieces', 1002, () => frame(CLOSE, '\x03\xe8', { fin: false })],
  ['a ping of 126 bytes', 1002, () => frame(PING, 'x'.repeat(126))],
  ['a close of 126 bytes', 1002, () => close(1000, 'x'.repeat(124))],
  ['a continuation of nothing', 1002, () => frame(CONTINUATION, ping)],
  ['a continuation after a whole message', 1002, () => [frame(TEXT, ping), frame(CONTINUATION, ping)]],
  ['a message inside another', 1002, () => [frame(TEXT, '{', { fin: false }), frame(TEXT, ping)]],
  ['a length of 64 bits with the high bit', 1002, () => frame(TEXT, ping, { bits: 64, says: 1n << 63n })],
  ['15 bytes in 16 bits', 1002, () => frame(TEXT, ping, { bits: 16 })],
  ['15 bytes in 64 bits', 1002, () => frame(TEXT, ping, { bits: 64 })],
  ['65,535 bytes in 64 bits', 1002, () => frame(TEXT, 'x'.repeat(65_535), { bits: 64 })],
  ['text that is not UTF-8', 1007, () => frame(TEXT, Buffer.from([0x22, 0xff, 0x22]))],
  ['an overlong character', 1007, () => frame(TEXT, Buffer.from([0xc0, 0xaf]))],
  ['a surrogate', 1007, () => frame(TEXT, Buffer.from([0xed, 0xa0, 0x80]))],
  ['a character beyond Unicode', 1007, () => frame(TEXT, Buffer.from([0xf4, 0x90, 0x80, 0x80]))],
  ['a character cut by the message\'s end', 1007, () => frame(TEXT, half.subarray(0, cut))],
  ['a bad character, split over frames', 1007, () => [frame(TEXT, Buffer.from([0xe2, 0x82]), { fin: false }), frame(CONTINUATION, Buffer.from([0x28]))]],
  ['a close of one byte', 1002, () => frame(CLOSE, 'x')],
  ['a close whose reason is not UTF-8', 1007, () => frame(CLOSE, Buffer.from([0x03, 0xe8, 0xff]))],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => [`close code ${code}`, 1002, () => close(code)]),
  ['a message over the limit', 1009, () => frame(TEXT, 'x'.repeat(MAX + 1))],
  ['a length over the limit, with its first bytes', 1009, () => frame(TEXT, 'x'.repeat(100), { bits: 64, says: 1n << 40n })],
  ['bytes over the limit', 1009, () => frame(BINARY, 'x'.repeat(MAX + 1))],
  ['bytes over the limit in pieces', 1009, () => [frame(BINARY, 'x'.repeat(MAX), { fin: false }), frame(CONTINUATION, 'x')]],
  ['a message over the limit in pieces', 1009, () => [frame(TEXT, 'x'.repeat(MAX), { fin: false }), frame(CONTINUATION, 'x')]],
];

describe('closed', () => {
  for (const [name, code, pieces] of REFUSED) test(`with ${code}: ${name}`, async () => void await closedWith(code, pieces()));
});

describe('taken', () => {
  const pongs = (frames) => frames.filter(({ opcode, payload }) => opcode === TEXT && JSON.parse(payload).type === 'pong').length;
  test('bytes, with a warning', async () => {
    const frames = await closedWith(1000, [frame(BINARY, '\xff'), frame(BINARY, 'x', { fin: false }), frame(CONTINUATION, 'y'), frame(BINARY, 'x'.repeat(MAX)), frame(TEXT, ping), close(1000)]);
    const told = frames.slice(0, -1).map(({ payload }) => JSON.parse(payload)).map(({ type, data }) => data.code ?? type);
    assert.deepEqual(told.slice(-4), ['BINARY_NOT_SUPPORTED', 'BINARY_NOT_SUPPORTED', 'BINARY_NOT_SUPPORTED', 'pong']);
  });
  test('a close is echoed, with its code or without', async () => {
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
      await closedWith(code, close(code));
    await closedWith(1000, close(1000, 'x'.repeat(123)));
    const { frames } = await talk(frame(CLOSE));
    assert.equal(frames.at(-1).opcode, CLOSE);
  });
  test('a ping is answered with its own bytes, up to 125, also inside a message', async () => {
    for (const payload of ['', 'x', 'x'.repeat(125)]) {
      const frames = await closedWith(1000, [frame(PING, payload), close(1000)]);
      assert.deepEqual(frames.filter(({ opcode }) => opcode === PONG).map(({ payload: back }) => back.toString()), [payload]);
    }
    const frames = await closedWith(1000, [frame(TEXT, ping.slice(0, 5), { fin: false }), frame(PING, 'mid'), frame(CONTINUATION, ping.slice(5)), close(1000)]);
    assert.equal(frames.filter(({ opcode }) => opcode === PONG).length, 1);
    assert.equal(pongs(frames), 1);
  });
  test('a pong nobody asked for', async () => void await closedWith(1000, [frame(PONG, 'x'), close(1000)]));
  test('a message in many pieces, empty ones too, and byte by byte', async () => {
    const pieces = [frame(TEXT, '', { fin: false }), ...[...ping].map((c) => frame(CONTINUATION, c, { fin: false })), frame(CONTINUATION, '')];
    assert.equal(pongs(await closedWith(1000, [...pieces, close(1000)])), 1);
    const bytes = [...Buffer.concat([frame(TEXT, ping), close(1000)])].map((byte) => Buffer.from([byte]));
    assert.equal(pongs(await closedWith(1000, bytes)), 1);
  });
  test('a character split over frames', async () => {
    const frames = await closedWith(1000, [frame(TEXT, half.subarray(0, cut), { fin: false }), frame(CONTINUATION, half.subarray(cut)), close(1000)]);
    assert.equal(pongs(frames), 1);
  });
  test('lengths at their borders', async () => {
    for (const size of [125, 126, 65_535, 65_536, MAX]) {
      const text = ping.slice(0, -1).padEnd(size - 1, ' ') + '}';
      assert.equal(pongs(await closedWith(1000, [frame(TEXT, text), close(1000)])), 1, String(size));
    }
  });
  test('frames that came with the handshake', async () => {
    const { frames } = await talk([], Buffer.concat([Buffer.from(HEAD()), frame(TEXT, ping), close(1000)]));
    assert.equal(pongs(frames), 1);
  });
});

test('the handshake: what is missing or wrong is refused without an upgrade', async () => {
  const cases = [
    [HEAD().replace('GET', 'POST'), [400, 405, 426]],
    [HEAD().replace('dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZQ=='), [400]],
    [HEAD().replace('dGhlIHNhbXBsZSBub25jZQ==', '!!!!!!!!!!!!!!!!!!!!!!=='), [400]],
    [HEAD().replace(/Sec-WebSocket-Key.*\r\n/, ''), [400]],
    [HEAD().replace('Version: 13', 'Version: 12'), [426]],
    [HEAD().replace(/Sec-WebSocket-Version.*\r\n/, ''), [426]],
    [HEAD().replace('Upgrade: websocket', 'Upgrade: h2c'), [426]],
    [HEAD().replace('Connection: Upgrade', 'Connection: close'), [426]],
    [HEAD().replace('/ws', '/ws/debates/none-such'), [404]],
  ];
  for (const [head, statuses] of cases) {
    const { status } = await talk([], head.replace('Connection: Upgrade', 'Connection: Upgrade, close'));
    assert.ok(statuses.includes(status), `${status} for ${JSON.stringify(head)}`);
  }
});

test('the handshake: its words may stand on any of several lines', async () => {
  for (const [one, several] of [
    ['Connection: Upgrade', 'Connection: Upgrade\r\nConnection: keep-alive'],
    ['Connection: Upgrade', 'Connection: keep-alive\r\nConnection: Upgrade'],
    ['Upgrade: websocket', 'Upgrade: websocket\r\nUpgrade: h2c'],
  ]) {
    const { status } = await talk([], Buffer.concat([Buffer.from(HEAD().replace(one, several)), close(1000)]));
    assert.equal(status, 101, several);
  }
});

test('after all that nobody is left and the server is well', async () => {
  for (const deadline = Date.now() + WAIT_MS; (await get(server, '/api/ws/stats')).json.active_connections > 0; )
    assert.ok(Date.now() < deadline);
  assert.equal((await get(server, '/api/health')).status, 200);
});
