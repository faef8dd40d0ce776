// What every answer has, and who is turned away at the door.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { call, connect, get, post, rawRequest, startDebate } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
before(async () => (server = await startServer(suite, { env: { ARAGORA_MAX_BODY_BYTES: '20000' } })));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

describe('health', () => {
  test('has the fields of every client', async () => {
    const { status, json } = await get(server, '/api/health');
    assert.equal(status, 200);
    assert.equal(json.status, 'healthy');
    assert.match(json.version, /^\d+\.\d+\.\d+$/);
    for (const name of ['uptime', 'uptime_seconds', 'response_time_ms', 'active_debates'])
      assert.equal(typeof json[name], 'number', name);
    assert.equal(json.checks.database.healthy, true);
    assert.equal(json.checks.elo_system.healthy, true);
    assert.equal(json.checks.websocket.active_clients, 0);
    assert.equal(json.components.database.status, 'healthy');
    assert.ok(json.components.agents.total > json.components.agents.available);
    assert.ok(json.components.memory.usage_mb > 1);
    assert.equal(json.services.database, true);
  });

  test('warns that only demo agents can be asked', async () => {
    const { json } = await get(server, '/api/health');
    assert.match(json.warning, /ANTHROPIC_API_KEY/);
    assert.equal(json.checks.ai_providers.any_available, false);
    assert.equal(json.checks.ai_providers.available_count, 0);
  });

  test('counts WebSockets', async (t) => {
    const socket = await connect(t, server, '/ws');
    for (const deadline = Date.now() + 10_000; ; ) {
      const { json } = await get(server, '/api/health');
      if (json.checks.websocket.active_clients === 1) break;
      assert.ok(Date.now() < deadline, 'the body is older than ten seconds');
    }
    await socket.close();
  });

  test('answers many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(server, '/api/health')));
    for (const { status } of answers) assert.equal(status, 200);
  });

  test('answers HEAD with the length and no body', async () => {
    const answer = await rawRequest(server, { method: 'HEAD', path: '/api/health' });
    assert.equal(answer.status, 200);
    assert.ok(Number(answer.headers['content-length']) > 100);
    assert.equal(answer.text, '');
  });

  test('has the probes', async () => {
    assert.deepEqual((await get(server, '/healthz')).json, { status: 'ok' });
    const ready = await get(server, '/readyz');
    assert.equal(ready.status, 200);
    assert.equal(ready.json.status, 'ready');
  });
});

test('metrics are Prometheus text at both paths, JSON when asked for', async () => {
  await startDebate(server, { task: 'Count me', agents: ['demo', 'demo'], rounds: 0 });
  for (const path of ['/metrics', '/api/metrics']) {
    const answer = await get(server, path);
    assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    for (const name of ['aragora_debates_total', 'aragora_debates_completed', 'aragora_debates_failed',
      'aragora_ws_connections_active'])
      assert.match(answer.text, new RegExp(`^${name} \\d+$`, 'm'), name);
    assert.match(answer.text, /^aragora_info\{version="[^"]+"\} 1$/m);
  }
  assert.ok((await get(server, '/api/metrics?format=json')).json.debates.total >= 1);
  assert.ok((await get(server, '/metrics', { Accept: 'application/json' })).json.uptime_seconds > 0);
});

test('agents: what is there, what can be asked, and why not', async () => {
  const { json } = await get(server, '/api/agents');
  assert.equal(json.total, json.agents.length);
  const byName = Object.fromEntries(json.agents.map((agent) => [agent.name, agent]));
  assert.equal(byName.demo.available, true);
  assert.equal(byName.demo.reason, null);
  assert.equal(byName.demo.demo, true);
  assert.equal(byName['openai-api'].available, false);
  assert.match(byName['openai-api'].reason, /OPENAI_API_KEY/);
  assert.equal(byName['openai-api'].agent_id, 'openai-api');
  assert.equal(json.demo, true);
  assert.deepEqual(json.default_panel, ['demo', 'demo', 'demo', 'demo']);
});

test('with a key it is available, and the key is nowhere', async (t) => {
  const secret = 'sk-test-0123456789abcdefghij';
  const keyed = await startServer(t, { env: { OPENAI_API_KEY: secret } });
  const agents = await get(keyed, '/api/agents');
  assert.equal(agents.json.agents.find((agent) => agent.name === 'openai-api').available, true);
  const health = await get(keyed, '/api/health');
  assert.equal(health.json.warning, undefined);
  assert.equal(health.json.checks.ai_providers.providers.openai, true);
  for (const text of [agents.text, health.text, (await get(keyed, '/metrics')).text, keyed.lines.join('\n')])
    assert.ok(!text.includes(secret));
});

describe('every answer', () => {
  // One row an answer: what is asked, and what beside the common headers it must have.
  const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const rows = [
    ['GET', '/api/health', 200],
    ['HEAD', '/api/health', 200],
    ['GET', '/healthz', 200],
    ['GET', '/metrics', 200],
    ['GET', '/api/debates', 200, { version: 'v1' }],
    ['GET', '/api/v1/debates', 200, { version: 'v1' }],
    ['GET', '/api/v2/debates', 200, { version: 'v2' }],
    ['GET', '/api/v7/debates', 200, { version: 'v2' }],
    ['HEAD', '/api/debates', 200],
    ['OPTIONS', '/api/debates', 204, { allow: 'GET, HEAD, POST, OPTIONS', 'access-control-allow-methods': /GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS/ }],
    ['OPTIONS', '/anything', 204, { 'access-control-max-age': '86400', 'access-control-allow-headers': /Authorization/ }],
    ['PUT', '/api/debates', 405, { allow: 'GET, HEAD, POST, OPTIONS', code: 'METHOD_NOT_ALLOWED' }],
    ['POST', '/api/health', 405, { allow: 'GET, HEAD, OPTIONS', code: 'METHOD_NOT_ALLOWED' }],
    ['BREW', '/api/health', 405, { allow: 'GET, HEAD, OPTIONS', code: 'METHOD_NOT_ALLOWED' }],
    ['GET', '/api/nothing', 404, { code: 'NOT_FOUND' }],
    ['GET', '/nothing', 404, { code: 'NOT_FOUND' }],
    ['HEAD', '/api/nothing', 404],
    ['GET', '/api/v1/nothing', 404, { code: 'NOT_FOUND', version: 'v1' }],
    ['GET', '/api/debates/unknown-debate', 404, { code: 'NOT_FOUND' }],
    ['GET', '/api/%zz', 400, { code: 'INVALID_REQUEST' }],
    ...['', '/batch', '/x/cancel', '/x/fork', '/x/followup'].map((path) =>
      ['POST', `/api/debates${path}`, 400, { body: '{', code: 'INVALID_JSON' }]),
    ['POST', '/api/debates', 413, { body: 'x'.repeat(30_000), code: 'PAYLOAD_TOO_LARGE' }],
    ['GET', '/ws', 426, { code: 'UPGRADE_REQUIRED', 'sec-websocket-version': '13' }],
    ['GET', '/ws', 426, { headers: { ...upgrade, 'Sec-WebSocket-Version': '8' }, 'sec-websocket-version': '13' }],
    ['GET', '/ws', 400, { headers: { ...upgrade, 'Sec-WebSocket-Key': 'short' }, code: 'INVALID_REQUEST' }],
    ['GET', '/api/debates', 403, { headers: { Origin: 'https://evil.example' }, code: 'FORBIDDEN' }],
    ['GET', '/', 200, { page: true }],
  ];
  for (const [method, path, status, { headers = {}, body, code, version, page, ...wanted } = {}] of rows)
    test(`carries what it must: ${method} ${path} ${status} ${body ? body.slice(0, 9) : Object.keys(headers).at(-1) ?? ''}`, async () => {
      const answer = await rawRequest(server, { method, path, body, headers: { Origin: 'http://localhost:3000', 'X-Request-ID': 'mine-123', ...headers } });
      assert.equal(answer.status, status, answer.text);
      const has = answer.headers;
      for (const [name, value] of Object.entries(wanted))
        if (value instanceof RegExp) assert.match(has[name], value, name);
        else assert.equal(has[name], value, name);
      assert.equal(has['x-request-id'], 'mine-123');
      const probe = /^(GET|HEAD)$/.test(method) && /^\/(api\/health|healthz|metrics)$/.test(path);
      assert.equal(has['x-trace-id'], probe ? undefined : 'mine-123');
      assert.equal(has['x-frame-options'], 'DENY');
      assert.equal(has['x-content-type-options'], 'nosniff');
      assert.equal(has['x-xss-protection'], '1; mode=block');
      assert.match(has['strict-transport-security'], /^max-age=31536000; includeSubDomains$/);
      if (!page) assert.equal(has['referrer-policy'], 'strict-origin-when-cross-origin');
      assert.match(has['content-security-policy'], /^default-src /);
      if (version) assert.equal(has['x-api-version'], version);
      assert.match(has['x-api-version'], /^v[12]$/);
      assert.equal(has['x-api-supported-versions'], 'v1,v2');
      assert.equal(has['access-control-allow-origin'], '*');
      assert.match(has['access-control-expose-headers'], /X-Request-ID.*X-RateLimit-Limit/);
      if (status !== 204) assert.ok('content-length' in has);
      if (status < 400 || method === 'HEAD') return;
      assert.match(has['content-type'], /^application\/json/);
      const error = JSON.parse(answer.text);
      assert.equal(typeof error.error, 'string');
      assert.match(error.code, /^[A-Z_]+$/);
      if (code) assert.equal(error.code, code);
      assert.equal(error.request_id, 'mine-123');
    });

  test('carries a request id of ours where the caller sent none that is one', async () => {
    const bad = ['', 'x'.repeat(129), 'with blank', 'semi;colon', 'a"b', '\u00fcber', 'a/b'];
    for (const id of bad) {
      const made = await get(server, '/healthz', { 'X-Request-ID': id });
      assert.match(made.headers.get('x-request-id'), /^req-[0-9a-f]{12}$/, id);
    }
    for (const id of ['x'.repeat(128), 'A.b_c-9']) {
      const echoed = await get(server, '/api/debates', { 'X-Request-ID': id });
      assert.equal(echoed.headers.get('x-request-id'), id);
      assert.equal(echoed.headers.get('x-trace-id'), id);
    }
    const traced = await get(server, '/api/health', { 'X-Trace-ID': '4bf92f3577b34da6a3ce929d0e0e4736' });
    assert.equal(traced.headers.get('x-request-id'), '4bf92f3577b34da6a3ce929d0e0e4736');
    const two = await Promise.all([get(server, '/api/health'), get(server, '/api/health')]);
    assert.notEqual(two[0].headers.get('x-request-id'), two[1].headers.get('x-request-id'));
    for (const { headers } of two) assert.equal(headers.get('x-trace-id'), null);
  });

  test('names the origin that is on the list, on errors too', async (t) => {
    const listed = await startServer(t, { env: { ARAGORA_ALLOWED_ORIGINS: 'https://a.example, https://b.example', ARAGORA_ALLOW_UNAUTHENTICATED: 'true' } });
    for (const path of ['/api/health', '/api/debates', '/api/nothing', '/healthz']) {
      const known = await get(listed, path, { Origin: 'https://b.example' });
      assert.equal(known.headers.get('access-control-allow-origin'), 'https://b.example', path);
      assert.equal(known.headers.get('vary'), 'Origin');
      const stranger = await get(listed, path, { Origin: 'https://c.example' });
      assert.equal(stranger.headers.get('access-control-allow-origin'), null, path);
      assert.equal(stranger.headers.get('vary'), 'Origin');
    }
  });

  test('is JSON for what is not there', async () => {
    for (const path of ['/api/nothing', '/nothing', '/api/debates/x/nothing']) {
      const answer = await get(server, path);
      assert.equal(answer.status, 404);
      assert.equal(answer.json.code, 'NOT_FOUND');
      assert.equal(typeof answer.json.error, 'string');
    }
  });
});

describe('at the door', () => {
  test('a body over the limit is 413, announced or not', async () => {
    const body = JSON.stringify({ task: 'x'.repeat(30_000) });
    const answer = await post(server, '/api/debates', body);
    assert.equal(answer.status, 413);
    assert.equal(answer.json.code, 'PAYLOAD_TOO_LARGE');
    const chunked = await rawRequest(server, {
      method: 'POST', path: '/api/debates', body,
      headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' },
    });
    assert.equal(chunked.status, 413);
  });

  test('a foreign Host is 403, so that no rebound name gets in', async () => {
    for (const Host of ['evil.example', 'evil.example:8080', 'localhost.evil.example'])
      assert.equal((await rawRequest(server, { path: '/api/debates', headers: { Host } })).status, 403, Host);
    for (const Host of [`localhost:${server.port}`, `127.0.0.1:${server.port}`, `[::1]:${server.port}`])
      assert.equal((await rawRequest(server, { path: '/api/debates', headers: { Host } })).status, 200, Host);
  });

  test('a foreign Origin is 403, over HTTP and WebSocket', async (t) => {
    const headers = { Origin: 'https://evil.example' };
    assert.equal((await get(server, '/api/debates', headers)).status, 403);
    assert.equal((await post(server, '/api/debates', { task: 'x' }, headers)).status, 403);
    const upgrade = await rawRequest(server, {
      path: '/ws',
      headers: { ...headers, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
    });
    assert.equal(upgrade.status, 403);
  });
});

test('the first page says what is here', async () => {
  const answer = await get(server, '/');
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^text\/html/);
  assert.match(answer.text, /\/api\/health/);
});
