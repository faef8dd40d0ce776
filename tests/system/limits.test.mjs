// Limits on callers: who is counted, who is turned away, and what they and the operator are told.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { call, connect, get, post, rawRequest } from './lib/client.mjs';
import { BINARY, Process, startServer, temporaryDirectory } from './lib/server.mjs';

const run = promisify(execFile);
const limited = (t, env, args = []) => startServer(t, { env: { ARAGORA_RATE_LIMIT_REQUESTS: '5', ...env }, args });
const from = (address) => ({ 'X-Forwarded-For': address });

describe('the limit on requests', () => {
  test('counts down in the headers, then answers 429 with what a client needs', async (t) => {
    const server = await limited(t);
    for (let left = 4; left >= 0; left--) {
      const { status, headers } = await get(server, '/api/debates');
      assert.equal(status, 200);
      assert.equal(headers.get('x-ratelimit-limit'), '5');
      assert.equal(headers.get('x-ratelimit-remaining'), String(left));
      const reset = Number(headers.get('x-ratelimit-reset')) - Date.now() / 1000;
      assert.ok(reset > 0 && reset <= 62, `resets in ${reset} s`);
      assert.equal(headers.get('ratelimit-policy'), '"requests";q=5;w=60');
      assert.match(headers.get('ratelimit'), new RegExp(`^"requests";r=${left};t=(60|[1-5]?[0-9])$`));
    }
    const refused = await get(server, '/api/debates', { Origin: 'http://localhost:3000' });
    assert.equal(refused.status, 429);
    assert.equal(refused.json.code, 'RATE_LIMITED');
    assert.equal(typeof refused.json.error, 'string');
    assert.equal(refused.json.limit, 5);
    const wait = refused.json.retry_after;
    assert.ok(Number.isInteger(wait) && wait > 0 && wait <= 60);
    assert.equal(refused.headers.get('retry-after'), String(wait));
    assert.equal(refused.headers.get('x-ratelimit-remaining'), '0');
    for (const name of ['X-RateLimit-Limit', 'X-RateLimit-Reset', 'RateLimit', 'RateLimit-Policy', 'Retry-After'])
      assert.ok(refused.headers.get('access-control-expose-headers').split(', ').includes(name), name);
    // What is not there and what is malformed counts too.
    assert.equal((await get(server, '/api/nothing')).status, 429);
    assert.equal((await post(server, '/api/debates', '{')).status, 429);
  });

  test('tells each caller what it has left, of an answer that all share too', async (t) => {
    const server = await limited(t);
    for (const [address, left] of [['192.0.2.1', 4], ['192.0.2.1', 3], ['192.0.2.2', 4], ['192.0.2.1', 2]]) {
      const { status, headers } = await get(server, '/api/leaderboard', from(address));
      assert.equal(status, 200);
      assert.equal(headers.get('x-ratelimit-remaining'), String(left));
      assert.equal(headers.get('x-trace-id'), headers.get('x-request-id'));
    }
  });

  test('leaves probes, metrics, pages and OPTIONS alone', async (t) => {
    const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '1' });
    assert.equal((await get(server, '/api/debates')).status, 200);
    assert.equal((await get(server, '/api/debates')).status, 429);
    for (const path of ['/api/health', '/api/health/deep', '/api/health/detailed', '/healthz', '/readyz', '/metrics', '/api/metrics', '/'])
      for (let i = 0; i < 3; i++) {
        const { status, headers } = await get(server, path);
        assert.equal(status, 200, path);
        assert.equal(headers.get('x-ratelimit-limit'), null, path);
      }
    assert.equal((await call(server, 'OPTIONS', '/api/debates')).status, 204);
    const socket = await connect(t, server, '/ws');
    await socket.close();
  });

  test('is over when the window is', async (t) => {
    const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '1', ARAGORA_RATE_LIMIT_WINDOW: '1' });
    assert.equal((await get(server, '/api/debates')).status, 200);
    for (const deadline = Date.now() + 10_000; (await get(server, '/api/debates')).status !== 200; )
      assert.ok(Date.now() < deadline, 'the window never ends');
  });

  test('0 is none', async (t) => {
    const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '0' });
    for (let i = 0; i < 150; i++) {
      const { status, headers } = await get(server, '/api/debates?limit=1');
      assert.equal(status, 200);
      assert.equal(headers.get('x-ratelimit-limit'), null);
    }
  });

  test('is a hundred a minute by default', async (t) => {
    const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '' });
    const { headers } = await get(server, '/api/agents');
    assert.equal(headers.get('ratelimit-policy'), '"requests";q=100;w=60');
    assert.equal(headers.get('x-ratelimit-remaining'), '99');
  });
});

describe('a caller is', () => {
  test('the address that a trusted proxy names, not what a client says of itself', async (t) => {
    const server = await limited(t);
    const left = async (address) => (await get(server, '/api/debates', from(address))).headers.get('x-ratelimit-remaining');
    assert.equal(await left('192.0.2.1'), '4');
    assert.equal(await left('192.0.2.1'), '3');
    assert.equal(await left('192.0.2.2'), '4');
    assert.equal(await left('203.0.113.9, 192.0.2.1'), '2');
    assert.equal(await left('2001:db8:1:1::1'), '4');
    assert.equal(await left('2001:db8:1:1:ffff::2'), '3');
    assert.equal(await left('2001:db8:1:2::1'), '4');
    const real = await get(server, '/api/debates', { 'X-Real-IP': '192.0.2.1' });
    assert.equal(real.headers.get('x-ratelimit-remaining'), '1');
    assert.equal((await get(server, '/api/debates')).headers.get('x-ratelimit-remaining'), '4');
  });

  test('whoever connects, when no proxy is trusted', async (t) => {
    const server = await limited(t, { ARAGORA_TRUSTED_PROXIES: 'none' });
    for (let i = 4; i >= 0; i--) {
      const { headers } = await get(server, '/api/debates', { ...from(`192.0.2.${i}`), 'X-Real-IP': `192.0.2.${i}` });
      assert.equal(headers.get('x-ratelimit-remaining'), String(i));
    }
    assert.equal((await get(server, '/api/debates', from('192.0.2.77'))).status, 429);
  });

  test('the token that is right, wherever it comes from; else the address', async (t) => {
    const server = await limited(t, { ARAGORA_API_TOKEN: 'open-sesame-0123456789' });
    const bearer = { Authorization: 'Bearer open-sesame-0123456789' };
    for (let i = 4; i >= 0; i--) {
      const { headers } = await get(server, '/api/debates', { ...bearer, ...from(`192.0.2.${i}`) });
      assert.equal(headers.get('x-ratelimit-remaining'), String(i));
    }
    // Guessing costs the address its own.
    for (let i = 0; i < 5; i++)
      assert.equal((await get(server, '/api/debates', { Authorization: `Bearer ${i}` })).status, 401);
    assert.equal((await get(server, '/api/debates', { Authorization: 'Bearer 6' })).status, 429);
    const upgrade = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    assert.equal((await rawRequest(server, { path: '/ws', headers: upgrade })).status, 429);
  });
});

test('the operator sees it: a line a caller and window, a metric, an endpoint', async (t) => {
  const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '2' });
  for (let i = 0; i < 6; i++) await get(server, '/api/debates', from('192.0.2.1'));
  for (let i = 0; i < 3; i++) await get(server, '/api/nothing', from('192.0.2.2'));
  await server.line(/address=192\.0\.2\.2/);
  const lines = server.lines.filter((line) => line.includes('rate_limit'));
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0], /"level":"WARN.*rate_limit exceeded status=429 caller=192\.0\.2\.1 /);
  assert.ok(JSON.parse(lines[0]).request_id);
  const { text } = await get(server, '/metrics');
  assert.match(text, /^aragora_rate_limit_hits_total\{endpoint="\/api\/debates",limit_type="address"\} 4$/m);
  assert.match(text, /^aragora_rate_limit_hits_total\{endpoint="unmatched",limit_type="address"\} 1$/m);
  const { status, json } = await get(server, '/api/system/rate-limits', from('192.0.2.3'));
  assert.equal(status, 200);
  const [requests, sockets, atOnce] = json.limits;
  assert.equal(requests.endpoint, '/api/*');
  assert.equal(requests.limit, 2);
  assert.equal(requests.remaining, 1);
  assert.equal(requests.window_seconds, 60);
  assert.equal(requests.callers, 3);
  assert.equal(requests.refused_total, 5);
  assert.ok(Math.abs(Date.parse(requests.reset_at) - Date.now()) <= 61_000);
  assert.equal(sockets.limit, 60);
  assert.equal(atOnce.limit, 100);
  assert.equal(json.caller, '192.0.2.3');
  assert.deepEqual(json.refused.map(({ caller, refused }) => [caller, refused]), [['192.0.2.2', 1], ['192.0.2.1', 4]]);
});

test('WebSockets have limits of their own, by the same address', async (t) => {
  const server = await limited(t, { ARAGORA_WS_CONN_RATE: '2' });
  const upgrade = (address) => rawRequest(server, { path: '/ws', headers: { ...from(address), Upgrade: 'websocket', Connection: 'Upgrade',
    'Sec-WebSocket-Version': '12', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
  assert.equal((await upgrade('192.0.2.1')).status, 426); // refused before it counts
  for (let i = 0; i < 2; i++) await (await connect(t, server, '/ws')).close();
  await assert.rejects(connect(t, server, '/ws'), { status: 429 });
  const stats = await get(server, '/api/ws/stats');
  assert.equal(stats.json.total_connections, 2);
  assert.match((await get(server, '/metrics')).text, /aragora_rate_limit_hits_total\{endpoint="\/ws",limit_type="websocket"\} 1/);
});

test('the command line waits as it is told', async (t) => {
  const server = await limited(t, { ARAGORA_RATE_LIMIT_REQUESTS: '1', ARAGORA_RATE_LIMIT_WINDOW: '2' });
  const list = () => run(BINARY, ['debates', 'list', '--server', server.url], { env: { PATH: process.env.PATH } });
  await list();
  await list();
  assert.ok(server.lines.some((line) => /rate_limit exceeded/.test(line)), 'the second came too soon, and was told so');
});

test('a bad list of proxies stops the start and says what is allowed', async (t) => {
  for (const bad of ['10.0.0.0/33', 'proxy.example', '10.0.0.1;10.0.0.2']) {
    const refused = new Process(['server', '--port', '0', '--ws-port', '0'], { dir: temporaryDirectory(t), env: { ARAGORA_TRUSTED_PROXIES: bad } });
    assert.equal((await refused.end()).code, 2, refused.lines.join('\n'));
    const text = refused.lines.join('\n');
    assert.match(text, /ARAGORA_TRUSTED_PROXIES/);
    assert.match(text, /10\.0\.0\.0\/8/);
    assert.ok(text.includes(bad));
  }
});

test('statistics of WebSockets are counts', async (t) => {
  const server = await startServer(t);
  const socket = await connect(t, server, '/ws');
  socket.send({ type: 'ping' });
  await socket.ofType('pong');
  const { status, json } = await get(server, '/api/ws/stats');
  assert.equal(status, 200);
  assert.equal(json.active_connections, 1);
  assert.equal(json.clients, 1);
  assert.equal(json.total_connections, 1);
  assert.equal(json.messages_received, 1);
  assert.ok(json.messages_sent >= 2);
  assert.equal(json.errors, 0);
  assert.equal(json.authenticated_clients, 0);
  assert.equal(json.running, true);
  await socket.close();
});
