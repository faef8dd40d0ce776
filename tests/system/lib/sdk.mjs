// A client that knows the documented API and nothing else of the server: it sends the requests that
// clients out there send, the way they send them, and reads what they read. What it does not do is
// be careful: it calls .json() on every answer, and its iterator drops whatever came behind an end.

import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';

const WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');

const POLL_MS = 2000;
const POLLED_FOR_MS = 300_000;
const TIMEOUT_MS = 30_000;

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? 'HTTP_ERROR';
    this.details = body;
  }
}

// The way of names below a client: {debates: {get: fn}} with `this` the client.
const bound = (client, calls) => Object.fromEntries(Object.entries(calls).map(([name, fn]) => [name, fn.bind(client)]));

const id = encodeURIComponent;

const AUTH = {
  register(body) { return this.request('POST', '/api/auth/register', body); },
  login(body) { return this.request('POST', '/api/auth/login', body); },
  refresh(refresh_token) { return this.request('POST', '/api/auth/refresh', { refresh_token }); },
  logout() { return this.request('POST', '/api/auth/logout', {}); },
  logoutAll() { return this.request('POST', '/api/auth/logout-all'); },
  revoke(token, token_type) { return this.request('POST', '/api/auth/revoke', { token, token_type }); },
  me() { return this.request('GET', '/api/auth/me'); },
  updateMe(body) { return this.request('PUT', '/api/auth/me', body); },
  password(current_password, new_password) { return this.request('POST', '/api/auth/password', { current_password, new_password }); },
  createKey(body) { return this.request('POST', '/api/auth/api-key', body); },
  revokeKey() { return this.request('DELETE', '/api/auth/api-key'); },
  mfa(step, body = {}) { return this.request('POST', `/api/auth/mfa/${step}`, body); },
  ticket() { return this.request('POST', '/api/ws/ticket', {}); },
};

const BILLING = {
  usage() { return this.request('GET', '/api/billing/usage'); },
  plans() { return this.request('GET', '/api/billing/plans'); },
};

const DEBATES = {
  create(body) { return this.request('POST', '/api/debates', body); },
  createDeprecated(body) { return this.request('POST', '/api/debate', body); },
  get(debate) { return this.request('GET', `/api/debates/${id(debate)}`); },
  bySlug(slug) { return this.request('GET', `/api/debates/slug/${id(slug)}`); },
  list(query) { return this.request('GET', '/api/debates', undefined, query); },
  search(query) { return this.request('GET', '/api/search', undefined, query); },
  update(debate, body) { return this.request('PATCH', `/api/debates/${id(debate)}`, body); },
  cancel(debate) { return this.request('POST', `/api/debates/${id(debate)}/cancel`, {}); },
  remove(debate) { return this.request('DELETE', `/api/debates/${id(debate)}`); },
  part(debate, name, query) { return this.request('GET', `/api/debates/${id(debate)}/${name}`, undefined, query); },
  fork(debate, body) { return this.request('POST', `/api/debates/${id(debate)}/fork`, body); },
  followup(debate, body) { return this.request('POST', `/api/debates/${id(debate)}/followup`, body); },
  verify(debate) { return this.request('POST', `/api/debates/${id(debate)}/verify`, {}); },
  exported(debate, format) { return this.request('GET', `/api/debates/${id(debate)}/export/${format}`); },
};

const BATCH = {
  submit(body) { return this.request('POST', '/api/debates/batch', body); },
  status(batch) { return this.request('GET', `/api/debates/batch/${id(batch)}/status`); },
  list() { return this.request('GET', '/api/debates/batch'); },
  queue() { return this.request('GET', '/api/debates/queue/status'); },
};

const AGENTS = {
  list(query) { return this.request('GET', '/api/agents', undefined, query); },
  get(agent) { return this.request('GET', `/api/agents/${id(agent)}`); },
  part(agent, name, query) { return this.request('GET', `/api/agent/${id(agent)}/${name}`, undefined, query); },
  leaderboard(query, path = '/api/leaderboard') { return this.request('GET', path, undefined, query); },
};

const REPLAYS = {
  list(query) { return this.request('GET', '/api/replays', undefined, query); },
  get(replay, query) { return this.request('GET', `/api/replays/${id(replay)}`, undefined, query); },
  remove(replay) { return this.request('DELETE', `/api/replays/${id(replay)}`); },
  exported(replay, query) { return this.request('GET', `/api/replays/${id(replay)}/export`, undefined, query); },
};

export class Client {
  // `apiKey`: whatever goes behind "Bearer". `sleep(ms)`: so that who tests need not wait.
  constructor(baseUrl, { apiKey, sleep = pause } = {}) {
    this.baseUrl = baseUrl;
    this.apiKey = apiKey;
    this.sleep = sleep;
    this.auth = bound(this, AUTH);
    this.billing = bound(this, BILLING);
    this.debates = bound(this, DEBATES);
    this.batch = bound(this, BATCH);
    this.agents = bound(this, AGENTS);
    this.replays = bound(this, REPLAYS);
  }

  with(apiKey) {
    return new Client(this.baseUrl, { apiKey, sleep: this.sleep });
  }

  // Parameters that are false, 0 or empty are not sent; every request says that it is JSON.
  async request(method, path, body, query = {}) {
    const url = new URL(path, this.baseUrl);
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    const response = await fetch(url, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(this.apiKey ? { Authorization: `Bearer ${this.apiKey}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => undefined));
    return response.json();
  }

  // The debate once its status is an end: no other word ends the wait.
  async waitForDebate(debate) {
    for (let waited = 0; waited < POLLED_FOR_MS; waited += POLL_MS) {
      const now = await this.debates.get(debate);
      if (now.status === 'completed' || now.status === 'failed') return now;
      await this.sleep(POLL_MS);
    }
    throw new ApiError(408, { error: 'polled for too long', code: 'TIMEOUT' });
  }

  async waitForBatch(batch) {
    for (let waited = 0; waited < POLLED_FOR_MS; waited += POLL_MS) {
      const now = await this.batch.status(batch);
      if (now.status === 'completed' || now.status === 'partial_failure') return now;
      await this.sleep(POLL_MS);
    }
    throw new ApiError(408, { error: 'polled for too long', code: 'TIMEOUT' });
  }

  // The frames of a debate's WebSocket. It stops as soon as `debate_end` or `error` has been received:
  // frames that came together with it and were not taken yet are lost.
  async *streamDebate(debate, { ticket } = {}) {
    const url = new URL(`/ws/debates/${id(debate)}`, this.baseUrl.replace(/^http/, 'ws'));
    if (ticket) url.searchParams.set('ticket', ticket);
    const socket = new WebSocket(url);
    const queue = [];
    let ended = false;
    let wake;
    const give = (frame) => {
      if (frame.type === 'debate_end' || frame.type === 'error') ended = true;
      if (wake) wake(frame);
      else queue.push(frame);
      wake = undefined;
    };
    socket.on('message', (text) => give(JSON.parse(text)));
    socket.on('close', () => give({ type: 'debate_end', data: { reason: 'connection_closed' } }));
    await opened(socket);
    try {
      do yield queue.length > 0 ? queue.shift() : await new Promise((resolve) => (wake = resolve));
      while (!ended);
    } finally {
      socket.removeAllListeners('close');
      socket.close(1000, 'Client disconnect');
    }
  }
}

function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (request, response) => {
      reject(new ApiError(response.statusCode));
      request.destroy();
    });
  });
}
