// ARAGORA_API_TOKEN: what stays open, and what wants it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { get, post, rawRequest } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const TOKEN = 'open-sesame-0123456789';
const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
before(async () => (server = await startServer(suite, { env: { ARAGORA_API_TOKEN: TOKEN } })));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const wrong = [{}, bearer('open-sesame'), bearer(`${TOKEN}x`), { Authorization: TOKEN }, { Authorization: 'Bearer' }];

describe('the API token', () => {
  test('is wanted for debates', async () => {
    for (const headers of wrong) {
      const { status, json } = await get(server, '/api/debates', headers);
      assert.equal(status, 401);
      assert.equal(json.code, 'UNAUTHORIZED');
      const started = await post(server, '/api/debates', { task: 'May I?' }, headers);
      assert.equal(started.status, 401);
    }
    assert.equal((await get(server, '/api/debates', bearer(TOKEN))).json.total, 0);
  });

  test('lets its bearer start a debate', async () => {
    const { status, json } = await post(server, '/api/debates', { task: 'May I?' }, bearer(TOKEN));
    assert.equal(status, 200);
    assert.equal((await get(server, `/api/debates/${json.id}`, bearer(TOKEN))).json.task, 'May I?');
  });

  test('is wanted for an administrator\'s routes', async () => {
    const path = '/api/system/circuit-breakers';
    for (const headers of wrong) {
      assert.equal((await get(server, path, headers)).status, 401);
      assert.equal((await post(server, `${path}/demo/reset`, undefined, headers)).status, 401);
    }
    assert.equal((await get(server, path, bearer(TOKEN))).status, 200);
    assert.equal((await post(server, `${path}/demo/reset`, undefined, bearer(TOKEN))).status, 200);
  });

  test('is wanted for a WebSocket, at the upgrade', async () => {
    const upgrade = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const { status } = await rawRequest(server, { path: '/ws', headers: upgrade });
    assert.equal(status, 401);
  });

  test('is not wanted for probes', async () => {
    for (const path of ['/api/health', '/healthz', '/readyz', '/api/metrics', '/api/agents', '/api/agents/health',
      '/api/circuit-breakers'])
      assert.equal((await get(server, path)).status, 200, path);
  });
});
