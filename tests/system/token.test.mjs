// ARAGORA_API_TOKEN: what stays open, and what wants it.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { connect, get, post, rawRequest } from './lib/client.mjs';
import { startServer, temporaryDirectory } from './lib/server.mjs';

const TOKEN = 'open-sesame-0123456789';
const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
before(async () => (server = await startServer(suite, { env: { ARAGORA_API_TOKEN: TOKEN } })));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const UPGRADE = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const signed = (loop, expiry, secret = TOKEN) =>
  `${loop}:${expiry}:${createHmac('sha256', secret).update(`${loop}:${expiry}`).digest('hex')}`;
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

  test('may come in its signed form, until that expires', async () => {
    const soon = Math.floor(Date.now() / 1000) + 60;
    for (const loop of ['', 'web', 'a-debate_1'])
      assert.equal((await get(server, '/api/debates', bearer(signed(loop, soon)))).status, 200, loop);
    const late = [signed('web', soon - 61), signed('web', soon, 'another secret'), `${signed('web', soon)}0`,
      signed('we b', soon), signed('web', `0${soon}`), signed('web', `${soon}.0`), `web:${soon}`];
    for (const token of late) {
      const { status, json, headers } = await get(server, '/api/debates', bearer(token));
      assert.equal(status, 401, token);
      assert.equal(json.code, 'UNAUTHORIZED');
      assert.equal(headers.get('www-authenticate'), 'Bearer');
    }
  });

  test('is wanted for a private debate\'s stream, at the upgrade', async () => {
    const { json } = await post(server, '/api/debates', { task: 'Who listens?' }, bearer(TOKEN));
    for (const id of [json.id, 'no-such-debate']) {
      for (const path of [`/ws/debates/${id}`, `/ws?debate=${id}`]) {
        const { status, headers } = await rawRequest(server, { path, headers: UPGRADE });
        assert.equal(status, 401, path);
        assert.equal(headers['www-authenticate'], 'Bearer');
      }
      for (const path of ['', '/events', '/messages', '/summary', '/export/json'])
        assert.equal((await get(server, `/api/debates/${id}${path}`)).status, 401, path);
    }
    const { status } = await rawRequest(server, { path: '/ws', headers: { ...UPGRADE, ...bearer('wrong') } });
    assert.equal(status, 401);
  });

  test('is wanted for what is private on a WebSocket that anybody may open', async () => {
    const { json } = await post(server, '/api/debates', { task: 'Who subscribes?' }, bearer(TOKEN));
    const socket = await connect(undefined, server, '/ws');
    const greeting = await socket.next((frame) => frame.type === 'connection_info');
    assert.equal(greeting.data.authenticated, false);
    socket.send({ type: 'subscribe', debate_id: json.id });
    const answer = await socket.next((frame) => frame.type === 'warning' || frame.type === 'sync');
    assert.equal(answer.data.code, 'DEBATE_NOT_FOUND');
    socket.send({ type: 'get_loops' });
    assert.deepEqual((await socket.next((frame) => frame.type === 'loop_list')).data.loops, []);
    await socket.close();
  });

  test('comes once', async () => {
    const { status } = await rawRequest(server, { path: '/api/debates',
      headers: { Authorization: [`Bearer ${TOKEN}`, 'Bearer other'] } });
    assert.equal(status, 400);
  });

  test('is not wanted for probes', async () => {
    for (const path of ['/api/health', '/healthz', '/readyz', '/api/metrics', '/api/agents', '/api/agents/health',
      '/api/circuit-breakers'])
      assert.equal((await get(server, path)).status, 200, path);
  });
});

describe('a signed token', () => {
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const list = (own, token) => get(own, '/api/debates', bearer(token));

  test('is revoked by itself, posted or shown, and its streams end', async (t) => {
    const dir = temporaryDirectory();
    const options = { dir, env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_REFRESH_RATE: '0', ARAGORA_MAX_REVOKED_TOKENS: '2' } };
    let own = await startServer(undefined, options);
    t.after(() => own.stop('SIGKILL'));
    const [posted, shown, third] = ['one', 'two', 'three'].map((loop) => signed(loop, expiry));
    for (const token of [posted, shown, third]) assert.equal((await list(own, token)).status, 200);
    const socket = await connect(t, own, '/ws', bearer(posted));
    await socket.ofType('connection_info');
    const revoke = (body, headers) => post(own, '/api/auth/revoke', body, headers);
    assert.equal((await revoke({ token: posted })).json.revoked_count, 1);
    assert.equal((await list(own, posted)).status, 401);
    assert.equal((await socket.ofType('auth_revoked')).data.code, 401);
    assert.equal((await list(own, shown)).status, 200);
    assert.equal((await revoke({}, bearer(shown))).json.revoked_count, 1);
    assert.equal((await list(own, shown)).status, 401);
    assert.equal((await revoke({ token: shown })).json.revoked_count, 0, 'once');
    // What is none of ours, and the token itself, cannot be revoked here; nor more than the limit.
    for (const token of [TOKEN, `${third}0`, signed('x', 1), signed('x', expiry, 'another secret')])
      assert.equal((await revoke({ token })).json.revoked_count, 0, token);
    assert.equal((await revoke({})).status, 400);
    assert.equal((await revoke({ token: third })).status, 503);
    assert.equal((await list(own, third)).status, 200);
    const { json } = await get(own, '/api/system/audit?action=token.revoke', bearer(TOKEN));
    const hash = (token) => createHash('sha256').update(token).digest('hex');
    assert.deepEqual(json.entries.map(({ actor, resource }) => [actor, resource]).reverse(),
      [['token', hash(posted)], ['token', hash(shown)]]);
    await own.stop();
    own = await startServer(undefined, options);
    for (const token of [posted, shown]) assert.equal((await list(own, token)).status, 401, 'after a restart');
    assert.equal((await list(own, third)).status, 200);
    assert.equal((await list(own, TOKEN)).status, 200);
  });
});
