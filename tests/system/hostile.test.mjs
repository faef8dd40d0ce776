// What somebody hostile puts where it does not belong, over the whole table of routes as the server
// describes it: pages of others that ride on a cookie, addresses that are forged, URLs and payloads in
// every field.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { call, get, post, rawRequest } from './lib/client.mjs';
import { BINARY as aragora, startServer } from './lib/server.mjs';

const UPGRADE = {
  Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const UNSAFE = ['post', 'put', 'patch', 'delete'];
const PASSWORD = 'correct horse battery';
const NO_LIMITS = { ARAGORA_REGISTER_RATE: '0', ARAGORA_LOGIN_RATE: '0', ARAGORA_REFRESH_RATE: '0', ARAGORA_PASSWORD_RATE: '0' };

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server, amy, routes;

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

before(async () => {
  server = await startServer(suite, { env: { ...NO_LIMITS, ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough' } });
  const made = await post(server, '/api/auth/register', { email: 'amy@example.org', password: PASSWORD, name: 'Amy' });
  amy = { token: made.json.access_token, cookie: { Cookie: `aragora_session=${made.json.access_token}` } };
  amy.debate = (await post(server, '/api/debates', { task: 'What of it?', agents: 'demo,demo', rounds: 0 }, bearer(amy.token))).json.id;
  amy.key = (await post(server, '/api/auth/api-keys', { name: 'mine' }, bearer(amy.token))).json.key_id;
  const { json } = await get(server, '/api/openapi.json');
  routes = Object.entries(json.paths).flatMap(([path, item]) => UNSAFE.filter((method) => item[method]).map((method) => ({
    method: method.toUpperCase(), open: item[method].security?.length === 0,
    path: path.replace('{id}', path.includes('key') ? amy.key : amy.debate).replace(/\{\w+\}/g, 'demo') })));
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const told = ({ method, path }, { status, text }) => `${method} ${path} ${status} ${text?.slice(0, 100)}`;

async function state() {
  const headers = bearer(amy.token);
  const key = (await get(server, `/api/auth/api-keys/${amy.key}`, headers)).json;
  const me = (await get(server, '/api/auth/me', headers)).json;
  return { debate: (await get(server, `/api/debates/${amy.debate}`, headers)).status, key: [key.status, key.name], me: me.name,
    total: (await get(server, '/api/debates', headers)).json.total };
}

describe('a page of somebody else', () => {
  const sent = (route, headers) => rawRequest(server, { method: route.method, path: route.path, body: '{"task":"theirs","name":"theirs"}',
    headers: { 'Content-Length': 33, 'Content-Type': 'application/json', ...amy.cookie, ...headers } });

  test('changes nothing with the cookie, on any route', async (t) => {
    const wanted = routes.filter(({ open }) => !open);
    assert.ok(wanted.length >= 15, `${wanted.length}`);
    const was = await state();
    for (const route of wanted) {
      for (const [what, headers] of Object.entries({
        'another origin': { Origin: 'https://evil.example' },
        'no origin at all': {},
        'the origin null': { Origin: 'null' },
        'another port of this machine': { Origin: `http://127.0.0.1:${server.port + 1}` },
        'a name that begins like ours': { Origin: `${server.url}.evil.example` },
        'cross-site': { 'Sec-Fetch-Site': 'cross-site' },
        'same-site, another host': { 'Sec-Fetch-Site': 'same-site' },
        'ours, by a lie in one of two': { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'same-origin' },
      })) {
        const answer = await sent(route, headers);
        assert.equal(answer.status, 403, `${what}: ${told(route, answer)}`);
      }
      // A form can be sent across sites without asking first; it cannot say that it is JSON.
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain; a=application/json', ''])
        assert.equal((await sent(route, { Origin: server.url, 'Content-Type': type })).status, 415, `${type}: ${route.path}`);
    }
    assert.deepEqual(await state(), was);
    // The same from a page of ours is let in.
    const own = await sent({ method: 'POST', path: '/api/ws/ticket' }, { Origin: server.url });
    assert.equal(own.status, 200, own.text);
    t.diagnostic(`${wanted.length} routes`);
  });

  test('opens no WebSocket with it', async () => {
    for (const path of [`/ws/debates/${amy.debate}`, '/ws', `/ws?debate=${amy.debate}`])
      for (const headers of [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: `${server.url}.evil.example` },
        { 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example', 'X-Forwarded-Host': 'evil.example' }]) {
        const { status } = await rawRequest(server, { path, headers: { ...UPGRADE, ...amy.cookie, ...headers } });
        assert.equal(status, 403, `${path} ${JSON.stringify(headers)}`);
      }
  });

  test('a cookie beside it that is no good does not become one', async () => {
    for (const cookie of ['aragora_session=', 'aragora_session=x', `other=${amy.token}`, `aragora_session=x; aragora_session=${amy.token}x`])
      assert.equal((await get(server, '/api/debates', { Cookie: cookie })).status, 401, cookie);
  });
});

describe('an address that is forged', () => {
  const tries = async (own, headersOf) => {
    const statuses = [];
    for (let i = 0; i < 5; i++)
      statuses.push((await post(own, '/api/auth/login', { email: `nobody${i}@example.org`, password: 'not the password' }, headersOf(i))).status);
    return statuses;
  };

  test('is believed of nobody when no proxy is trusted', async (t) => {
    const own = await startServer(t, { env: { ARAGORA_TRUSTED_PROXIES: 'none' } });
    assert.deepEqual(await tries(own, (i) => ({
      'X-Forwarded-For': `192.0.2.${i}`, 'X-Real-IP': `192.0.2.${i}`, Forwarded: `for=192.0.2.${i}`, 'X-Client-IP': `192.0.2.${i}`,
      'True-Client-IP': `192.0.2.${i}`, 'CF-Connecting-IP': `192.0.2.${i}`,
    })), [401, 401, 401, 429, 429]);
  });

  test('before the one that the proxy adds counts for nothing', async (t) => {
    const own = await startServer(t);
    assert.deepEqual(await tries(own, (i) => ({ 'X-Forwarded-For': `192.0.2.${i}, 198.51.100.7`, 'X-Real-IP': `192.0.2.${i}` })), [401, 401, 401, 429, 429]);
    await own.line(/event=rate_limit endpoint=login address=198\.51\.100\.7/);
    assert.equal((await post(own, '/api/auth/login', { email: 'a@example.org', password: 'not the password' }, { 'X-Forwarded-For': '198.51.100.8' })).status, 401);
  });

  test('in an IPv6 network of its own is one address', async (t) => {
    const own = await startServer(t);
    assert.deepEqual(await tries(own, (i) => ({ 'X-Forwarded-For': `2001:db8:7:7:${i}::1` })), [401, 401, 401, 429, 429]);
  });
});

// ---- in every field ----

const FIELDS = ['task', 'question', 'context', 'name', 'organization', 'crux', 'modified_context', 'reason', 'slug', 'consensus', 'mode', 'topology',
  'webhook_url', 'callback_url', 'url', 'base_url', 'endpoint', 'proxy', 'avatar', 'avatar_url', 'redirect_uri', 'success_url', 'cancel_url',
  'return_to', 'token', 'refresh_token', 'mfa_code', 'scope', 'platform', 'issuer', 'jwks_uri', 'seed', 'status'];
const everywhere = (text) => ({ ...Object.fromEntries(FIELDS.map((name) => [name, text])), metadata: { note: text, url: text }, tags: [text],
  items: [{ question: text, agents: 'demo,demo', webhook_url: text, metadata: { url: text } }], scopes: [text], webhook_headers: { Host: text } });
// One field at a time, so that the first that is wrong does not keep the others from being looked at.
function* bodies(text) {
  yield everywhere(text);
  for (const name of FIELDS) yield { task: 'x', agents: 'demo,demo', rounds: 0, [name]: text };
}

test('a URL in any field is fetched by nobody', async (t) => {
  const seen = [];
  const stranger = createServer((request, response) => {
    seen.push(request.url);
    response.end('{}');
  });
  stranger.on('connection', () => seen.push('connection'));
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  t.after(() => stranger.close());
  const url = `http://127.0.0.1:${stranger.address().port}/hook`;
  const own = await startServer(t);
  const rows = routes.filter(({ path }) => !/logout|revoke|maintenance/.test(path));
  for (const route of rows)
    for (const body of route.path === '/api/debates' || route.path.includes('batch') ? bodies(url) : [everywhere(url)]) {
      const answer = await call(own, route.method, route.path, body);
      assert.ok(answer.status < 500 || answer.status === 501, told(route, answer));
    }
  await get(own, `/api/debates?url=${encodeURIComponent(url)}`, { Referer: url, 'X-Forwarded-Host': url, 'X-Original-URL': url });
  // Whatever the server started has ended.
  while ((await get(own, '/api/debates/queue/status')).json.active_count > 0) await new Promise((next) => setTimeout(next, 20));
  assert.deepEqual(seen, []);
  assert.equal((await fetch(url)).status, 200); // it would have been seen
  assert.ok(seen.length > 0);
});

const PAYLOADS = ['=cmd|\' /C calc\'!A0', '+1+1', '-2+3', '@SUM(A1:A9)', '\t=1+1', '\uff1d1+1', '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>', 'a\u001b[2Jb', 'a\u0007b', 'a\u202eb', 'line\r\nSet-Cookie: a=b', '\'; DROP TABLE users; --', '%s%n%x', '{{7*7}}', '$(id)', '../../etc/passwd'];

test('names that somebody would obey are kept as data, wherever they are shown', async (t) => {
  const own = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_ADMIN_EMAILS: 'root@example.org' } });
  const root = bearer((await post(own, '/api/auth/register', { email: 'root@example.org', password: PASSWORD })).json.access_token);
  let kept = 0;
  for (const [i, payload] of PAYLOADS.entries()) {
    const made = await post(own, '/api/auth/register', { email: `u${i}@example.org`, password: PASSWORD, name: payload, organization: payload });
    assert.ok([201, 400].includes(made.status), made.text);
    if (made.status === 400) continue;
    kept++;
    const mine = bearer(made.json.access_token);
    assert.equal(made.json.user.name, payload.trim());
    assert.match(made.json.organization.slug, /^[a-z0-9-]+$/);
    assert.ok((await call(own, 'PUT', '/api/auth/me', { name: payload }, mine)).status < 500);
    const key = await post(own, '/api/auth/api-keys', { name: payload }, mine);
    assert.ok([201, 400].includes(key.status), key.text);
    await post(own, '/api/debates', { task: payload, context: payload, agents: 'demo,demo', rounds: 0 }, key.status === 201 ? bearer(key.json.api_key) : mine);
    for (const path of ['/api/billing/usage/export?format=csv', '/api/debates/export?format=csv']) {
      const { text, headers } = await get(own, path, mine);
      assert.doesNotMatch(text, /(^|,|\n)"?[=+@\uff1d-](?![\d.]+(,|\r))/m, `${path}: ${text}`);
      assert.match(headers.get('content-type'), /^text\/csv/);
    }
  }
  assert.ok(kept >= 8, `${kept} kept`);
  const audit = (await get(own, '/api/system/audit/export?format=csv', root)).text;
  assert.doesNotMatch(audit, /(^|,|\n)"?[=+@\uff1d-](?![\d.]+(,|\r))/m);
  for (const command of [['user', 'list'], ['audit', 'list'], ['debates', 'list']]) {
    const run = spawnSync(aragora, [...command, '--data-dir', own.dir], { cwd: own.dir, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: own.dir } });
    assert.equal(run.status, 0, run.stderr);
    assert.doesNotMatch(run.stdout, /[\u0007\u001b\u202e]/, command.join(' '));
  }
  for (const line of own.lines.filter((text) => text.startsWith('{'))) {
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f\u202e]/);
    assert.doesNotThrow(() => JSON.parse(line), line);
  }
  assert.equal((await get(own, '/api/auth/stats', root)).json.stats.users, kept + 1); // no table was dropped
});
