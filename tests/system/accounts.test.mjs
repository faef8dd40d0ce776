// Accounts through the API: each field flat and nested, tokens that end when they must, doors that
// close on who guesses.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { call, connect, get, post, rawRequest } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const SECRET = 'the-secret-of-these-tests-32-characters-and-more';
const PASSWORD = 'correct horse battery';
// Whoever runs these tests is one address.
const NO_LIMITS = {
  ARAGORA_REGISTER_RATE: '0',
  ARAGORA_LOGIN_RATE: '0',
  ARAGORA_REFRESH_RATE: '0',
  ARAGORA_PASSWORD_RATE: '0',
};
const UPGRADE = {
  Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const register = (server, email, more = {}) =>
  post(server, '/api/auth/register', { email, password: PASSWORD, ...more });
const login = (server, email, password = PASSWORD) => post(server, '/api/auth/login', { email, password });
const me = (server, token) => get(server, '/api/auth/me', bearer(token));

async function userOf(server, email, more) {
  const { status, json } = await register(server, email, more);
  assert.equal(status, 201, JSON.stringify(json));
  return json;
}

describe('an account', () => {
  test('is made, logged in and shown, its fields flat and nested', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    assert.equal((await get(server, '/api/debates')).status, 200, 'nobody has an account yet');
    const made = await userOf(server, 'Ann@Example.org', { name: 'Ann', role: 'admin', tenant_id: 'local', is_active: false, plan: 'enterprise' });
    assert.equal(made.user_id, made.user.id);
    assert.equal(made.email, 'ann@example.org');
    assert.equal(made.tokens.access_token, made.access_token);
    assert.equal(made.token_type, 'Bearer');
    assert.equal(made.expires_in, 86400);
    assert.equal(made.user.role, 'member', 'a role cannot be brought along');
    assert.equal(made.organization, null);
    assert.equal((await get(server, '/api/debates')).status, 401, 'from here on credentials are wanted');

    const { json: in_ } = await login(server, 'ann@example.org');
    const shown = await me(server, in_.access_token);
    assert.equal(shown.status, 200);
    for (const one of [shown.json, shown.json.user]) {
      assert.equal(one.user_id, made.user_id);
      assert.equal(one.id, made.user_id);
      assert.equal(one.email, 'ann@example.org');
      assert.equal(one.name, 'Ann');
      assert.equal(one.role, 'member');
      assert.equal(one.org_id, null);
      assert.equal(one.mfa_enabled, false);
      assert.equal(one.api_key_prefix, null);
      assert.ok(one.last_login_at >= one.created_at);
    }
    assert.ok(!/password|argon/.test(shown.text));
    const key = await post(server, '/api/auth/api-key', {}, bearer(in_.access_token));
    assert.ok([200, 201].includes(key.status), key.text);
    const keyed = await me(server, in_.access_token);
    assert.equal(keyed.json.user.api_key_prefix, key.json.prefix);
    assert.equal(keyed.json.has_api_key, true);
    assert.ok(keyed.json.user.api_key_created_at);
    assert.equal((await me(server, key.json.api_key)).json.user_id, made.user_id, 'a key is its user');
    const renamed = await call(server, 'PUT', '/api/auth/me', { name: 'Ann B.', role: 'admin' }, bearer(in_.access_token));
    assert.equal(renamed.json.user.name, 'Ann B.');
    assert.equal(renamed.json.role, 'member');
    const moved = await call(server, 'PUT', '/api/auth/me', { email: 'root@example.org' }, bearer(in_.access_token));
    assert.equal(moved.status, 400);
    assert.equal(moved.json.field, 'email');
  });

  test('with an organization owns it, and is no admin', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const made = await userOf(server, 'ann@example.org', { organization: 'Ann & Sons' });
    assert.equal(made.user.role, 'owner');
    assert.equal(made.organization.name, 'Ann & Sons');
    assert.equal(made.organization.id, made.user.org_id);
    assert.equal(made.organization.owner_id, made.user_id);
    const denied = await get(server, '/api/system/errors', bearer(made.access_token));
    assert.equal(denied.status, 403);
    assert.match(denied.json.error, /^Permission denied: requires 'admin:/);
  });

  test('has an address that nobody else has, and a password that is one', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    await userOf(server, 'ann@example.org');
    const again = await register(server, 'ANN@example.org');
    assert.equal(again.status, 409);
    assert.equal(again.json.error, 'Email already registered');
    for (const [body, field] of [
      [{ password: PASSWORD }, 'email'],
      [{ email: 'bob@example.org' }, 'password'],
      [{ email: 'bob', password: PASSWORD }, 'email'],
      [{ email: ['bob@example.org'], password: PASSWORD }, 'email'],
      [{ email: 'bob@example.org', password: 'short' }, 'password'],
      [{ email: 'bob@example.org', password: 'x'.repeat(129) }, 'password'],
      [{ email: 'bob@example.org', password: 12345678 }, 'password'],
      [{ email: 'bob@example.org', password: PASSWORD, name: 'a\nb' }, 'name'],
    ]) {
      const answer = await post(server, '/api/auth/register', body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal(answer.json.field, field);
      assert.equal(answer.json.code, 'VALIDATION_ERROR');
    }
    assert.equal((await post(server, '/api/auth/register', '[]')).status, 400);
    assert.equal((await post(server, '/api/auth/register', '{')).status, 400);
  });

  test('is not made where registration is closed', async (t) => {
    const server = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_REGISTRATION: 'closed' } });
    const answer = await register(server, 'ann@example.org');
    assert.equal(answer.status, 403);
    assert.equal(answer.json.code, 'FORBIDDEN');
  });
});

describe('a session', () => {
  test('goes on by a refresh token that counts once', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const first = await userOf(server, 'ann@example.org');
    const refresh = (token) => post(server, '/api/auth/refresh', { refresh_token: token });
    assert.equal((await refresh(first.access_token)).status, 401);
    // Eight at once: one gets the next tokens, and whoever comes after ends the session.
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(first.refresh_token)));
    const good = answers.filter(({ status }) => status === 200);
    assert.ok(good.length <= 1);
    assert.ok(answers.every(({ status }) => status === 200 || status === 401));
    for (const { json } of good) {
      assert.equal(json.tokens.refresh_token, json.refresh_token);
      assert.equal((await me(server, json.access_token)).status, 401);
      assert.equal((await refresh(json.refresh_token)).status, 401);
    }
    assert.equal((await me(server, first.access_token)).status, 401);
    await server.line(/action=token\.reuse outcome=refused/);
  });

  test('ends by logging out, here and everywhere, at the next call', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const one = await userOf(server, 'ann@example.org');
    const { json: two } = await login(server, 'ann@example.org');
    const { json: three } = await login(server, 'ann@example.org');
    assert.equal((await post(server, '/api/auth/logout', {}, bearer(one.access_token))).json.message, 'Logged out successfully');
    assert.equal((await me(server, one.access_token)).status, 401);
    assert.equal((await post(server, '/api/auth/logout', {}, bearer(one.access_token))).status, 401);
    assert.equal((await me(server, two.access_token)).status, 200);
    const all = await post(server, '/api/auth/logout-all', {}, bearer(two.access_token));
    assert.equal(all.json.sessions_invalidated, true);
    assert.equal(all.json.token_version, 2);
    for (const { access_token } of [two, three]) assert.equal((await me(server, access_token)).status, 401);
    const { json: four } = await login(server, 'ann@example.org');
    assert.equal((await me(server, four.access_token)).status, 200);
    const revoked = await post(server, '/api/auth/revoke', { token: four.refresh_token });
    assert.equal(revoked.json.revoked_count, 1);
    assert.equal((await me(server, four.access_token)).status, 401);
    assert.equal((await post(server, '/api/auth/revoke', { token: 'a.b.c' })).json.revoked_count, 0);
  });

  test('of another login ends with a new password', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const one = await userOf(server, 'ann@example.org');
    const { json: two } = await login(server, 'ann@example.org');
    const change = (current_password, new_password) =>
      post(server, '/api/auth/password', { current_password, new_password }, bearer(one.access_token));
    assert.equal((await change('not this one', 'another password')).status, 401);
    assert.equal((await change(PASSWORD, 'short')).status, 400);
    assert.equal((await change(PASSWORD, 'another password')).status, 200);
    assert.equal((await me(server, one.access_token)).status, 200);
    assert.equal((await me(server, two.access_token)).status, 401);
    assert.equal((await login(server, 'ann@example.org')).status, 401);
    assert.equal((await login(server, 'ann@example.org', 'another password')).status, 200);
  });

  test('outlives a restart, and so does that credentials are wanted', async (t) => {
    const dir = temporaryDirectory();
    const before = await startServer(undefined, { dir, env: NO_LIMITS });
    t.after(() => before.stop('SIGKILL'));
    const ann = await userOf(before, 'ann@example.org');
    await before.stop();
    assert.equal(statSync(join(dir, 'jwt_secret')).mode & 0o777, 0o600);
    const server = await startServer(t, { dir });
    assert.equal((await get(server, '/api/debates')).status, 401);
    assert.equal((await me(server, ann.access_token)).status, 200);
    // With a secret of its own no token of the other counts.
    const other = await startServer(t, { env: { ARAGORA_JWT_SECRET: SECRET } });
    assert.equal((await me(other, ann.access_token)).status, 401);
    assert.ok(!existsSync(join(other.dir, 'jwt_secret')));
  });
});

describe('a token', () => {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const decode = (text) => JSON.parse(Buffer.from(text, 'base64url'));
  const sign = (text, secret = SECRET) => `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;

  test('that was forged is refused, whoever forged it', async (t) => {
    const server = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_JWT_SECRET: SECRET } });
    const ann = await userOf(server, 'ann@example.org');
    const bob = await userOf(server, 'bob@example.org');
    const [header, payload, mac] = ann.access_token.split('.');
    const claims = decode(payload);
    const head = decode(header);
    assert.deepEqual(head, { alg: 'HS256', typ: 'JWT' });
    assert.equal((await me(server, sign(`${header}.${payload}`))).status, 200, 'the test knows the secret');
    const forged = {
      none: `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      'none, signed': sign(`${encode({ alg: 'none', typ: 'JWT' })}.${payload}`),
      'another algorithm': sign(`${encode({ alg: 'RS256', typ: 'JWT' })}.${payload}`),
      'a key id': sign(`${encode({ ...head, kid: '/dev/null' })}.${payload}`),
      'an extension': sign(`${encode({ ...head, crit: ['x'], x: 1 })}.${payload}`),
      'another secret': sign(`${header}.${payload}`, 'x'.repeat(48)),
      'no secret': sign(`${header}.${payload}`, ''),
      'no MAC': `${header}.${payload}.`,
      'a changed role': `${header}.${encode({ ...claims, role: 'admin' })}.${mac}`,
      padding: `${ann.access_token}=`,
      'a fourth part': `${ann.access_token}.x`,
      expired: sign(`${header}.${encode({ ...claims, exp: claims.iat })}`),
      'no end': sign(`${header}.${encode({ ...claims, exp: undefined })}`),
      'an end that is a text': sign(`${header}.${encode({ ...claims, exp: String(claims.exp) })}`),
      'an end that is no whole number': sign(`${header}.${encode({ ...claims, exp: claims.exp + 0.5 })}`),
      'not yet': sign(`${header}.${encode({ ...claims, nbf: claims.exp - 1 })}`),
      'another issuer': sign(`${header}.${encode({ ...claims, iss: 'elsewhere' })}`),
      'another audience': sign(`${header}.${encode({ ...claims, aud: 'elsewhere' })}`),
      'a refresh token': ann.refresh_token,
      'an older version': sign(`${header}.${encode({ ...claims, tv: 0 })}`),
      'a newer version': sign(`${header}.${encode({ ...claims, tv: 2 })}`),
      'a session that there is not': sign(`${header}.${encode({ ...claims, sid: 'nosuch' })}`),
      "somebody else's session": sign(`${header}.${encode({ ...claims, sid: decode(bob.access_token.split('.')[1]).sid })}`),
      'a name twice': sign(`${header}.${Buffer.from(JSON.stringify(claims).replace('{', '{"sub":"x",')).toString('base64url')}`),
      'much more': `${ann.access_token}${'A'.repeat(3000)}`,
    };
    const refused = async () => Number(/^aragora_audit_rows_total\{action="credential\.refused",outcome="refused"\} (\d+)$/m.exec((await get(server, '/metrics')).text)?.[1] ?? 0);
    for (const [what, token] of Object.entries(forged)) {
      const { status, json } = await me(server, token);
      assert.equal(status, 401, what);
      assert.equal(json.code, 'UNAUTHORIZED');
      // By every other door too.
      const cookie = { Cookie: `aragora_session=${token}`, Origin: server.url };
      assert.equal((await get(server, '/api/auth/me', cookie)).status, 401, `${what}, as a cookie`);
      for (const headers of [bearer(token), cookie]) {
        const upgrade = await rawRequest(server, { path: '/ws/debates/aaaaaaaaaaaaaaaaaaaaaaaaaa', headers: { ...UPGRADE, ...headers } });
        assert.equal(upgrade.status, 401, `${what}, for a WebSocket`);
      }
      if (token === ann.refresh_token) continue;
      assert.equal((await post(server, '/api/auth/refresh', { refresh_token: token })).status, 401, `${what}, as a refresh token`);
      assert.equal((await post(server, '/api/auth/revoke', { token })).json.revoked_count, 0, `${what}, to be revoked`);
    }
    assert.ok(await refused() >= 1, 'it is in the audit log');
    // As it came it still counts: nothing of this ended the session, and an access token is no refresh token.
    assert.equal((await me(server, ann.access_token)).status, 200);
    assert.equal((await post(server, '/api/auth/refresh', { refresh_token: ann.access_token })).status, 401);
    // What stands in a token of ours grants nothing: the row does.
    const grand = sign(`${header}.${encode({ ...claims, role: 'admin', org_id: 'local' })}`);
    assert.equal((await me(server, grand)).json.role, 'member');
    assert.equal((await get(server, '/api/system/errors', bearer(grand))).status, 403);
  });

  test('of the previous secret counts within its window only', async (t) => {
    const dir = temporaryDirectory();
    const before = await startServer(undefined, { dir, env: { ...NO_LIMITS, ARAGORA_JWT_SECRET: SECRET } });
    t.after(() => before.stop('SIGKILL'));
    const ann = await userOf(before, 'ann@example.org');
    await before.stop();
    const rotated = (at) => ({
      ...NO_LIMITS,
      ARAGORA_JWT_SECRET: 'n'.repeat(40),
      ARAGORA_JWT_SECRET_PREVIOUS: SECRET,
      ARAGORA_JWT_SECRET_ROTATED_AT: new Date(at).toISOString(),
      ARAGORA_JWT_ROTATION_GRACE_HOURS: '1',
    });
    for (const [at, status] of [[Date.now(), 200], [Date.now() - 3_601_000, 401]]) {
      const server = await startServer(undefined, { dir, env: rotated(at) });
      t.after(() => server.stop('SIGKILL'));
      assert.equal((await me(server, ann.access_token)).status, status);
      assert.equal((await login(server, 'ann@example.org')).status, 200);
      await server.stop();
    }
  });
});

describe('whoever guesses', () => {
  test('is limited by address, before any work', async (t) => {
    const server = await startServer(t);
    for (let i = 0; i < 3; i++) assert.equal((await login(server, `nobody${i}@example.org`)).status, 401);
    const refused = await login(server, 'nobody@example.org');
    assert.equal(refused.status, 429);
    assert.equal(refused.json.code, 'RATE_LIMITED');
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal((await register(server, 'a@example.org')).status, 201);
    assert.equal((await register(server, 'b@example.org')).status, 201);
    assert.equal((await register(server, 'c@example.org')).status, 429);
  });

  test('registers so often a day, whatever a minute allows, by the /64 of an IPv6 address', async (t) => {
    const server = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_REGISTER_PER_DAY: '3' } });
    const from = (address, email) => post(server, '/api/auth/register', { email, password: PASSWORD }, { 'X-Forwarded-For': address });
    for (let i = 0; i < 3; i++) assert.equal((await from(`2001:db8:0:1::${i}`, `a${i}@example.org`)).status, 201);
    const refused = await from('2001:db8:0:1:ffff::9', 'a9@example.org');
    assert.equal(refused.status, 429);
    assert.equal(refused.json.code, 'RATE_LIMITED');
    const hours = Number(refused.headers.get('retry-after')) / 3600;
    assert.ok(hours > 23.9 && hours <= 24.1, `${hours}`);
    assert.equal((await from('2001:db8:0:2::1', 'b@example.org')).status, 201);
    assert.equal((await from('192.0.2.1', 'c@example.org')).status, 201);
    assert.equal((await login(server, 'a9@example.org')).status, 401); // it was not made
    assert.match((await get(server, '/metrics')).text, /^aragora_rate_limit_hits_total\{endpoint="\/api\/auth",limit_type="register_day"\} 1$/m);
    await server.line(/event=rate_limit endpoint=register_day address=2001:db8:0:1:ffff::9/);
  });

  // Beyond the tries that an account has, a guess costs neither a hash nor a row nor a line of its own
  // beside the one that every request has.
  test('2,000 times costs a bounded number of hashes, rows and warnings', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    await userOf(server, 'ann@example.org');
    const count = async (name) =>
      [...(await get(server, '/metrics')).text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))].reduce((sum, [, n]) => sum + Number(n), 0);
    const names = ['aragora_password_hashes_total', 'aragora_audit_rows_total', 'aragora_rate_limit_hits_total'];
    const before = await Promise.all(names.map(count));
    const said = server.lines.length;
    const statuses = {};
    const guess = async (times) => {
      for (let i = 0; i < times; i++) {
        const { status } = await login(server, 'ann@example.org', `guess ${i}`);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 20 }, () => guess(100)));
    assert.deepEqual(statuses, { 401: 5, 429: 1995 });
    const [hashes, rows, hits] = (await Promise.all(names.map(count))).map((n, at) => n - before[at]);
    assert.equal(hashes, 5);
    assert.equal(rows, 2); // the first that was refused, and that the account is closed
    assert.equal(hits, 1995);
    await server.line(/action=user\.lockout outcome=ok/);
    const others = server.lines.slice(said).filter((line) => !/request method=/.test(line));
    assert.ok(others.length <= 10, others.join('\n'));
  });

  test('closes an account that there is like one that there is not', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    await userOf(server, 'ann@example.org');
    for (const email of ['ann@example.org', 'nobody@example.org']) {
      for (let i = 0; i < 5; i++) {
        const wrong = await login(server, email, 'not the password');
        assert.equal(wrong.status, 401);
        assert.equal(wrong.json.error, 'Invalid email or password');
        assert.equal(wrong.headers.get('www-authenticate'), 'Bearer');
      }
      const closed = await login(server, email);
      assert.equal(closed.status, 429);
      assert.equal(closed.json.code, 'AUTH_ACCOUNT_LOCKED');
      assert.match(closed.json.error, /^Account temporarily locked\. Try again in 15 minutes\.$/);
      assert.ok(Number(closed.headers.get('retry-after')) > 800);
    }
    await server.line(/action=user\.lockout outcome=ok/);
  });

  test('keeps nobody waiting who is logged in', async (t) => {
    const server = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_MAX_PASSWORD_QUEUE: '1' } });
    const ann = await userOf(server, 'ann@example.org');
    let flooding = true;
    const statuses = new Set();
    const guess = async (i) => {
      for (let k = 0; flooding; k++) statuses.add((await login(server, `nobody${i}-${k}@example.org`)).status);
    };
    const guesses = Array.from({ length: 8 }, (_, i) => guess(i));
    while (!statuses.has(503)) await me(server, ann.access_token); // the queue of passwords is full
    for (let i = 0; i < 20; i++) assert.equal((await me(server, ann.access_token)).status, 200);
    const renewed = await post(server, '/api/auth/refresh', { refresh_token: ann.refresh_token });
    assert.equal(renewed.status, 200);
    const out = await post(server, '/api/auth/logout', {}, bearer(renewed.json.access_token));
    assert.equal(out.status, 200);
    flooding = false;
    await Promise.all(guesses);
  });

  test('gets five tries of a hundred at once', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    await userOf(server, 'ann@example.org');
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => login(server, 'ann@example.org', `guess number ${i}`)),
    );
    assert.equal(answers.filter(({ status }) => status === 401).length, 5);
    assert.equal(answers.filter(({ status }) => status === 429).length, 95);
  });
});

describe('the first admin', () => {
  test('comes by a token that is shown once and counts once', async (t) => {
    const dir = temporaryDirectory();
    const server = await startServer(undefined, { dir, env: { ...NO_LIMITS, ARAGORA_JWT_SECRET: SECRET } });
    t.after(() => server.stop('SIGKILL'));
    const [, token] = await server.line(/^setup token: ([0-9a-f]{32}) /);
    const setUp = (token, email) => post(server, '/api/auth/setup', { token, email, password: PASSWORD });
    assert.equal((await setUp('0'.repeat(32), 'eve@example.org')).status, 403);
    const answers = await Promise.all([1, 2, 3].map((i) => setUp(token, `root${i}@example.org`)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 403, 403]);
    const { json: root } = answers.find(({ status }) => status === 201);
    assert.equal(root.user.role, 'admin');
    assert.equal((await get(server, '/api/auth/stats', bearer(root.access_token))).json.stats.admins, 1);
    assert.equal((await get(server, '/api/system/errors', bearer(root.access_token))).status, 200);
    assert.ok(!server.lines.some((line) => line.startsWith('{') && line.includes(token)), 'not in the log');
    await server.stop();
    const again = await startServer(t, { dir, env: { ARAGORA_JWT_SECRET: SECRET } });
    assert.ok(!again.lines.some((line) => line.startsWith('setup token')));
  });

  test('is whoever registers with a listed address', async (t) => {
    const server = await startServer(t, { env: { ...NO_LIMITS, ARAGORA_ADMIN_EMAILS: 'root@example.org, Boss@example.org' } });
    assert.equal((await userOf(server, 'boss@example.org')).user.role, 'admin');
    assert.equal((await userOf(server, 'notboss@example.org')).user.role, 'member');
  });

  test('is made, and others are closed, by hand beside a server', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const run = promisify(execFile);
    const user = async (...args) =>
      JSON.parse((await run(BINARY, ['user', ...args, '--json', '--data-dir', server.dir], { cwd: server.dir })).stdout);
    const bob = await userOf(server, 'bob@example.org');
    writeFileSync(join(server.dir, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
    const root = await user('create', 'root@example.org', '--password-file', 'password');
    assert.equal(root.role, 'admin');
    assert.equal(root.password, undefined);
    const { json: in_ } = await login(server, 'root@example.org');
    assert.equal((await get(server, '/api/system/errors', bearer(in_.access_token))).status, 200);
    assert.deepEqual((await user('list')).map(({ email }) => email), ['root@example.org', 'bob@example.org']);
    const limit = async () => (await get(server, '/api/billing/usage', bearer(bob.access_token))).json.debates_limit;
    assert.equal(await limit(), 10);
    await user('plan', 'bob@example.org', 'starter');
    assert.equal(await limit(), 50);
    await assert.rejects(user('plan', 'bob@example.org', 'golden'), /no plan is called "golden"/);
    const reset = await user('password', 'root@example.org');
    assert.equal((await login(server, 'root@example.org', reset.password)).status, 200);
    assert.equal((await user('disable', 'bob@example.org')).active, false);
    // What another process changes is seen once the server's memory of it is five seconds old.
    const until = Date.now() + 15_000;
    let status;
    do ({ status } = await me(server, bob.access_token));
    while (status === 200 && Date.now() < until);
    assert.equal(status, 401);
    const closed = await login(server, 'bob@example.org');
    assert.equal(closed.status, 403);
    assert.equal(closed.json.error, 'Account is disabled');
  });

  test('who is made by hand ends what was open without a credential', async (t) => {
    const server = await startServer(t, { env: NO_LIMITS });
    const socket = await connect(t, server, '/ws');
    await socket.ofType('connection_info');
    assert.equal((await get(server, '/api/debates')).status, 200);
    writeFileSync(join(server.dir, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
    await promisify(execFile)(BINARY, ['user', 'create', 'root@example.org', '--password-file', 'password', '--data-dir', server.dir],
      { cwd: server.dir });
    assert.equal((await socket.ofType('auth_revoked')).data.code, 401);
    while (socket.closeCode === undefined) await new Promise((next) => socket.waiters.push(next));
    assert.equal(socket.closeCode, 1008);
    assert.equal((await get(server, '/api/debates')).status, 401);
    assert.equal((await login(server, 'root@example.org')).status, 200);
  });
});

test('a server with a bad secret does not start, and says which', async () => {
  for (const [env, name] of [
    [{ ARAGORA_JWT_SECRET: 'short' }, 'ARAGORA_JWT_SECRET'],
    [{ ARAGORA_JWT_SECRET: SECRET, ARAGORA_JWT_SECRET_PREVIOUS: SECRET }, 'ARAGORA_JWT_SECRET_ROTATED_AT'],
  ])
    await assert.rejects(startServer(undefined, { env }), new RegExp(`aragora: .*${name}`));
});
