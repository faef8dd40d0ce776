// HTTP as bytes: what a client of ours would never send.

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const WAIT_MS = 10_000;

// Sends the pieces one after another and reads to the end of the connection. Answers what came, as
// responses, and fails when the other side keeps the connection open.
export async function exchange(port, pieces, { tls, ms = WAIT_MS, stay = false } = {}) {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...tls }) : connect(port, '127.0.0.1');
  const chunks = [];
  socket.setNoDelay(true);
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {}); // a reset is an end too
  const closed = new Promise((resolve) => socket.once('close', () => resolve(true)));
  for (const piece of [pieces].flat()) {
    if (socket.destroyed) break;
    socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
    if (Array.isArray(pieces)) await new Promise(setImmediate);
  }
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const ended = await Promise.race([closed, late]);
  clearTimeout(timer);
  socket.destroy();
  const text = Buffer.concat(chunks).toString('latin1');
  if (!ended && !stay) throw new Error(`the connection stays open after ${JSON.stringify(text.slice(0, 300))}`);
  return { get responses() { return parseResponses(text); }, text, ended };
}

// Each with its status, headers and body; interim ones too.
export function parseResponses(text) {
  const responses = [];
  while (text) {
    const end = text.indexOf('\r\n\r\n');
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(text);
    if (!status || end < 0) throw new Error(`no response: ${JSON.stringify(text.slice(0, 200))}`);
    const headers = Object.fromEntries(text.slice(0, end).split('\r\n').slice(1).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    // The last one is what is left: libmicrohttpd says too little of some pages of its own.
    const length = headers.connection === 'close' ? text.length : Number(headers['content-length'] ?? 0);
    responses.push({ status: Number(status[1]), headers, body: text.slice(end + 4, end + 4 + length) });
    text = text.slice(end + 4 + length);
  }
  return responses;
}
