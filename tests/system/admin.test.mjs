// /api/system/users and /api/system/api-keys: what the operator sees of users and keys, and does to them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { call, connect, get, post } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const TOKEN = 'the-operator-has-a-token';
const PASSWORD = 'everybody has a long password';
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const operator = bearer(TOKEN);
const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;

const patch = (who, id, body) => call(server, 'PATCH', `/api/system/users/${id}`, body, who);
async function register(name) {
  const { status, json, text } = await post(server, '/api/auth/register',
    { email: `${name}@example.org`, password: PASSWORD, name });
  assert.equal(status, 201, text);
  return { id: json.user_id, who: bearer(json.access_token), refresh: json.refresh_token };
}
const login = (name) => post(server, '/api/auth/login', { email: `${name}@example.org`, password: PASSWORD });
async function keyOf(user) {
  const { status, json, text } = await post(server, '/api/auth/api-keys', { name: 'one' }, user.who);
  assert.equal(status, 201, text);
  return { id: json.key_id, secret: json.api_key, who: bearer(json.api_key) };
}
async function makeAdmin(name) {
  const user = await register(name);
  assert.equal((await patch(operator, user.id, { role: 'admin' })).status, 200);
  return user;
}
async function audited(action, resource) {
  const { json } = await get(server, `/api/system/audit?action=${action}&resource=${resource}`, operator);
  return json.entries.map(({ actor, outcome }) => [actor, outcome]);
}
async function closedBy(socket) {
  while (socket.closeCode === undefined) await new Promise((next) => socket.waiters.push(next));
  return socket.closeCode;
}

before(async () => {
  server = await startServer(suite, { env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_REGISTER_RATE: '0',
    ARAGORA_LOGIN_RATE: '0', ARAGORA_REFRESH_RATE: '0', ARAGORA_PASSWORD_RATE: '0' } });
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

describe('users', () => {
  test('are an admin\'s to see and change, nobody else\'s', async () => {
    const user = await register('ann');
    const key = await keyOf(user);
    const routes = [['GET', '/api/system/users'], ['GET', `/api/system/users/${user.id}`],
      ['PATCH', `/api/system/users/${user.id}`, { role: 'admin' }], ['POST', `/api/system/users/${user.id}/logout`, {}],
      ['GET', `/api/system/users/${user.id}/api-keys`], ['DELETE', `/api/system/api-keys/${key.id}`]];
    for (const [method, path, body] of routes) {
      const member = await call(server, method, path, body, user.who);
      assert.equal(member.status, 403, path);
      assert.equal(member.json.error, "Permission denied: requires 'admin:users'");
      assert.equal((await call(server, method, path, body)).status, 401, path);
    }
    const admin = await makeAdmin('ada');
    const adminsKey = await keyOf(admin);
    assert.equal((await get(server, '/api/system/users', admin.who)).status, 200);
    assert.equal((await get(server, '/api/system/users', adminsKey.who)).status, 403, 'no key can do this');
    assert.equal((await get(server, '/api/system/users/nobody', admin.who)).status, 404);
    assert.equal((await get(server, '/api/system/users/nobody/api-keys', admin.who)).status, 404);
    assert.equal((await patch(admin.who, 'nobody', { role: 'owner' })).status, 404);
    assert.equal((await post(server, '/api/system/users/nobody/logout', {}, admin.who)).status, 404);
    assert.equal((await call(server, 'DELETE', '/api/system/api-keys/ara_nothing1', undefined, admin.who)).status, 404);
  });

  test('are listed page by page, and by address, role and status', async () => {
    const names = ['list-a', 'list-b', 'list-c'];
    const users = [];
    for (const name of names) users.push(await register(name));
    const seen = [];
    for (let cursor = ''; cursor !== null;) {
      const { json, text } = await get(server, `/api/system/users?limit=2&email=LIST-${cursor && `&cursor=${cursor}`}`, operator);
      assert.equal(json.count, json.users.length);
      assert.equal(json.has_more, json.next_cursor !== null);
      assert.ok(!/argon|password/.test(text));
      seen.push(...json.users);
      cursor = json.next_cursor;
    }
    // Of one millisecond the ids decide.
    assert.deepEqual(seen.map(({ email }) => email).sort(), names.map((name) => `${name}@example.org`));
    assert.deepEqual(Object.keys(seen[0]).sort(), ['created_at', 'disabled', 'email', 'id', 'last_login_at', 'name', 'plan',
      'role', 'tenant_id', 'updated_at', 'user_id']);
    await patch(operator, users[1].id, { role: 'owner', disabled: true });
    const ids = async (query) => (await get(server, `/api/system/users?email=list-&${query}`, operator)).json.users.map(({ id }) => id);
    assert.deepEqual(await ids('role=owner'), [users[1].id]);
    assert.deepEqual(await ids('status=disabled'), [users[1].id]);
    assert.equal((await ids('status=active')).length, 2);
    for (const query of ['role=king', 'status=dead', 'cursor=!', `email=${'x'.repeat(300)}`]) {
      const { status, json } = await get(server, `/api/system/users?${query}`, operator);
      assert.equal(status, 400, query);
      assert.equal(json.field, query.split('=')[0]);
    }
  });

  test('get another role or plan, and nothing else', async () => {
    const user = await register('bea');
    assert.equal((await patch(operator, user.id, { plan: 'starter' })).json.plan, 'starter');
    assert.equal((await get(server, '/api/billing/usage', user.who)).json.plan, 'starter');
    const before = (await get(server, `/api/system/users/${user.id}`, operator)).json;
    for (const [body, field] of [[{ email: 'x@example.org' }, 'email'], [{ role: 'owner', tenant_id: 'local' }, 'tenant_id'],
      [{ token_version: 9 }, 'token_version'], [{ password: PASSWORD }, 'password'], [{ role: 'king' }, 'role'], [{ role: null }, 'role'],
      [{ plan: 'gold' }, 'plan'], [{ disabled: 'no' }, 'disabled'], [{}, 'body']]) {
      const { status, json } = await patch(operator, user.id, body);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(json.field, field);
    }
    assert.equal((await patch(operator, user.id, [])).status, 400);
    assert.deepEqual((await get(server, `/api/system/users/${user.id}`, operator)).json, before);
    assert.equal((await get(server, '/api/system/users', user.who)).status, 403);
    assert.equal((await patch(operator, user.id, { role: 'admin' })).json.role, 'admin');
    assert.equal((await get(server, '/api/system/users', user.who)).status, 200, 'from the next call on');
    await patch(operator, user.id, { role: 'member' });
    assert.equal((await get(server, '/api/system/users', user.who)).status, 403);
    assert.deepEqual(await audited('user.role', user.id), [['token', 'ok'], ['token', 'ok']]);
    assert.deepEqual(await audited('tenant.plan', before.tenant_id), [['token', 'ok']]);
  });

  test('are disabled at once: sessions, keys and streams', async (t) => {
    const user = await register('cat');
    const key = await keyOf(user);
    const sockets = [];
    for (const who of [user.who, key.who]) {
      const socket = await connect(t, server, '/ws', who);
      await socket.ofType('connection_info');
      sockets.push(socket);
    }
    const { status, json } = await patch(operator, user.id, { disabled: true });
    assert.equal(status, 200);
    assert.equal(json.disabled, true);
    assert.equal((await get(server, '/api/auth/me', user.who)).status, 401);
    assert.equal((await get(server, '/api/debates', key.who)).status, 401);
    assert.equal((await post(server, '/api/auth/refresh', { refresh_token: user.refresh })).status, 401);
    assert.ok([401, 403].includes((await login('cat')).status));
    for (const socket of sockets) {
      await socket.ofType('auth_revoked');
      assert.equal(await closedBy(socket), 1008);
    }
    assert.equal((await patch(operator, user.id, { disabled: false })).json.disabled, false);
    assert.equal((await login('cat')).status, 200);
    assert.equal((await get(server, '/api/debates', key.who)).status, 200, 'a key was not revoked');
    assert.equal((await get(server, '/api/auth/me', user.who)).status, 401, 'a session stays ended');
    assert.deepEqual(await audited('user.disable', user.id), [['token', 'ok']]);
    assert.deepEqual(await audited('user.enable', user.id), [['token', 'ok']]);
  });

  test('are logged out everywhere', async () => {
    const user = await register('dan');
    const key = await keyOf(user);
    const second = bearer((await login('dan')).json.access_token);
    assert.equal((await post(server, `/api/system/users/${user.id}/logout`, {}, operator)).status, 200);
    for (const who of [user.who, second]) assert.equal((await get(server, '/api/auth/me', who)).status, 401);
    assert.equal((await post(server, '/api/auth/refresh', { refresh_token: user.refresh })).status, 401);
    assert.equal((await get(server, '/api/debates', key.who)).status, 200);
    assert.deepEqual(await audited('user.logout_all', user.id), [['token', 'ok']]);
  });
});

describe('the last admin', () => {
  test('cannot take himself away, nor can two each other', async (t) => {
    // Admins of other tests would be others.
    const { json: { users } } = await get(server, '/api/system/users?role=admin&status=active', operator);
    for (const { id } of users) assert.equal((await patch(operator, id, { role: 'member' })).status, 200);
    const eve = await makeAdmin('eve');
    for (const body of [{ role: 'member' }, { disabled: true }, { role: 'owner', disabled: true, plan: 'free' }]) {
      const { status, json } = await patch(eve.who, eve.id, body);
      assert.equal(status, 409, JSON.stringify(json));
      assert.equal(json.code, 'CONFLICT');
    }
    assert.equal((await get(server, `/api/system/users/${eve.id}`, eve.who)).json.role, 'admin');
    const fay = await makeAdmin('fay');
    const answers = await Promise.all([patch(eve.who, fay.id, { disabled: true }), patch(fay.who, eve.id, { disabled: true })]);
    t.diagnostic(answers.map(({ status }) => status).join(' '));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal((await get(server, '/api/system/users?role=admin&status=active', operator)).json.count, 1);
    const [{ id }] = (await get(server, '/api/system/users?role=admin&status=active', operator)).json.users;
    assert.equal((await patch(operator, id, { disabled: true })).status, 200, 'who holds the token needs no admin');
  });
});

describe('keys', () => {
  test('are seen without their secrets, and revoked at once', async (t) => {
    const user = await register('gus');
    const key = await keyOf(user);
    const { json, text } = await get(server, `/api/system/users/${user.id}/api-keys`, operator);
    assert.deepEqual(json.api_keys.map((one) => [one.key_id, one.status, one.user_id]), [[key.id, 'active', user.id]]);
    assert.ok(!text.includes(key.secret));
    const socket = await connect(t, server, '/ws', key.who);
    await socket.ofType('connection_info');
    const gone = await call(server, 'DELETE', `/api/system/api-keys/${key.id}`, undefined, operator);
    assert.equal(gone.status, 200, gone.text);
    assert.equal(gone.json.key_id, key.id);
    assert.equal((await get(server, '/api/debates', key.who)).status, 401);
    await socket.ofType('auth_revoked');
    assert.equal(await closedBy(socket), 1008);
    assert.equal((await call(server, 'DELETE', `/api/system/api-keys/${key.id}`, undefined, operator)).status, 409);
    assert.deepEqual(await audited('key.revoke', key.id), [['token', 'ok']]);
  });
});
