// What the tests say to a server: JSON requests, event streams, WebSockets.

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';

// Debian's node-ws lies where the resolution of ES modules does not look.
const WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');

const WAIT_MS = 30_000;

// One request on a connection of its own: one that waits in fetch's pool for a server that was killed
// may wait for ever.
function request(url, { body, ...options }) {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { ...options, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', reject);
      response.on('data', (piece) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export async function call(server, method, path, body, headers = {}) {
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  // The length is said: Node gives a DELETE none of its own.
  const own = sent === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(sent) };
  const { status, headers: fields, text } = await request(server.url + path, { method, headers: { ...own, ...headers }, body: sent });
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status, headers: new Headers(Object.entries(fields).map(([name, value]) => [name, String(value)])), text, json };
}

export const get = (server, path, headers) => call(server, 'GET', path, undefined, headers);
export const post = (server, path, body, headers) => call(server, 'POST', path, body, headers);

// A request with every header of its own, Host too.
export function rawRequest(server, { method = 'GET', path = '/', headers = {}, body } = {}) {
  // The path as it is: a URL would be normalized.
  return request(`http://127.0.0.1:${server.port}`, { method, path, headers, body, setHost: !headers.Host });
}

export async function startDebate(server, body) {
  const answer = await post(server, '/api/debates', body);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json;
}

// The debate object once it has ended.
export async function finished(server, id, ms = WAIT_MS) {
  await collectToEnd(server, id, { ms });
  const { json } = await get(server, `/api/debates/${id}`);
  return json;
}

// ---- event streams ----

// Frames of an event stream as {id, frame}; ends with the stream, or after `until(frame)`.
export async function* events(server, path, { headers = {}, signal } = {}) {
  const response = await new Promise((resolve, reject) => {
    const options = { headers: { Accept: 'text/event-stream', ...headers }, agent: false, signal };
    httpRequest(server.url + path, options, resolve).on('error', reject).end();
  });
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const piece of response) {
    text += decoder.decode(piece, { stream: true });
    for (let end; (end = text.indexOf('\n\n')) >= 0; ) {
      const record = parseRecord(text.slice(0, end));
      text = text.slice(end + 2);
      if (record) yield record;
    }
  }
}

function parseRecord(text) {
  const data = [];
  let id;
  for (const line of text.split('\n')) {
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    else if (line.startsWith('id:')) id = line.slice(3).trim();
    else if (line.startsWith('event:')) throw new Error(`a named event: ${line}`);
  }
  if (data.length === 0) return undefined;
  return { id, frame: JSON.parse(data.join('\n')) };
}

export async function collectEvents(server, id, { since, query = '', until, ms = WAIT_MS } = {}) {
  const headers = since === undefined ? {} : { 'Last-Event-ID': String(since) };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error('the stream did not end')), ms);
  const frames = [];
  try {
    const path = `/api/debates/${id}/events${query}`;
    for await (const { id: eventId, frame } of events(server, path, { headers, signal: abort.signal })) {
      if (frame.seq !== undefined && String(frame.seq) !== eventId)
        throw new Error(`id ${eventId} on the frame with seq ${frame.seq}`);
      frames.push(frame);
      if (until?.(frame)) break;
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return frames;
}

// As a client should that fell behind: asks again from where it was told to, until the debate's end.
export async function collectToEnd(server, id, { since, ms } = {}) {
  const frames = [];
  for (;;) {
    frames.push(...(await collectEvents(server, id, { since, ms })));
    const last = frames.at(-1);
    if (last?.type !== 'queue_overflow') return frames;
    frames.pop();
    since = last.data.resume_seq;
  }
}

// ---- WebSockets ----

export class Socket {
  constructor(url, headers = {}) {
    this.frames = [];
    this.waiters = [];
    this.ws = new WebSocket(url, { perMessageDeflate: false, headers });
    this.ws.on('message', (data, isBinary) => {
      if (isBinary) throw new Error('a binary frame');
      this.frames.push(JSON.parse(data.toString()));
      for (const waiter of this.waiters.splice(0)) waiter();
    });
    this.ws.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
      for (const waiter of this.waiters.splice(0)) waiter();
    });
  }

  async opened() {
    await new Promise((resolve, reject) => {
      this.ws.once('open', resolve);
      this.ws.once('error', reject);
      this.ws.once('unexpected-response', (request, response) => {
        const error = new Error(`refused with ${response.statusCode}`);
        error.status = response.statusCode;
        reject(error);
        request.destroy();
      });
    });
    return this;
  }

  // The first frame from `from` on that the test holds for.
  async next(test, { from = 0, ms = WAIT_MS } = {}) {
    const deadline = Date.now() + ms;
    for (let at = from; ; ) {
      for (; at < this.frames.length; at++) if (test(this.frames[at])) return this.frames[at];
      if (this.closeCode !== undefined) throw new Error(`closed with ${this.closeCode}`);
      if (Date.now() > deadline)
        throw new Error(`not among ${this.frames.map((frame) => frame.type).join(' ')}`);
      let timer;
      await Promise.race([
        new Promise((wake) => this.waiters.push(wake)),
        new Promise((wake) => (timer = setTimeout(wake, Math.max(1, deadline - Date.now())))),
      ]);
      clearTimeout(timer);
    }
  }

  ofType(type, options) {
    return this.next((frame) => frame.type === type, options);
  }

  send(message) {
    this.ws.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  async close() {
    if (this.closeCode !== undefined) return;
    const closed = once(this.ws, 'close');
    this.ws.close(1000);
    await closed;
  }
}

export async function connect(t, server, path, headers) {
  const socket = new Socket((server.wsUrl ?? server.url.replace(/^http/, 'ws')) + path, headers);
  t?.after(() => socket.ws.terminate());
  return socket.opened();
}

// Logged frames only: those with a seq.
export const logged = (frames) => frames.filter((frame) => frame.seq > 0);
