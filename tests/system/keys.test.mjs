// API keys, usage and plans, against the real server: what a key may do and how it ends, what is
// booked, and that a plan's quota is exact whoever starts at once.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { call, connect, get, post, rawRequest } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const TOKEN = 'open-sesame-0123456789';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const admin = bearer(TOKEN);

function crc32(text) {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// A key of the form that src/auth/api_key.h describes.
function makeKey() {
  const text = `ara_${[...randomBytes(37)].map((byte) => DIGITS[byte % 62]).join('')}`;
  let check = '';
  for (let rest = crc32(text), i = 0; i < 6; i++, rest = Math.floor(rest / 62)) check = DIGITS[rest % 62] + check;
  return text + check;
}

const sql = (dir, text) => execFileSync('sqlite3', [join(dir, 'aragora_memory.db'), text]);

// A user of a tenant of his own, with the plan, and a key of his: in the database of a server that is
// not running.
function addUser(dir, name, plan) {
  const key = makeKey();
  const hash = createHash('sha256').update(key).digest('hex');
  sql(dir, `
    INSERT INTO tenants (id, name, slug, plan, owner_id, created_ms, updated_ms)
      VALUES ('${name}-tenant', '', '${name}', '${plan}', '${name}', 1, 1);
    INSERT INTO users (id, tenant_id, email, name, password, role, active, token_version, created_ms, updated_ms)
      VALUES ('${name}', '${name}-tenant', '${name}@example.org', '', '', 'owner', 1, 1, 1, 1);
    INSERT INTO api_keys (id, hash, tenant_id, owner_id, name, scopes, is_default, requests_per_minute,
      usd_micro_per_day, created_ms)
      VALUES ('${key.slice(0, 12)}', x'${hash}', '${name}-tenant', '${name}', '', '', 0, 0, 0, 1);`);
  return key;
}

async function emptyDatabase() {
  const dir = temporaryDirectory();
  const server = await startServer(undefined, { dir });
  await server.stop();
  return dir;
}

describe('an API key', () => {
  const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
  let server;
  before(async () => (server = await startServer(suite, { env: { ARAGORA_API_TOKEN: TOKEN } })));
  after(async () => {
    for (const fn of suite.cleanups.reverse()) await fn();
  });
  const create = async (body) => {
    const { status, json } = await post(server, '/api/auth/api-keys', body, admin);
    assert.equal(status, 201, JSON.stringify(json));
    return json;
  };
  const remove = (path) => call(server, 'DELETE', path, undefined, admin);

  test('is shown once, and lets its bearer in', async () => {
    const made = await create({ name: 'ci', scopes: ['debates:read', 'debates:create'], expires_in_days: 90 });
    assert.match(made.api_key, /^ara_[0-9A-Za-z]{43}$/);
    assert.equal(made.prefix, made.api_key.slice(0, 12));
    assert.equal(made.key_id, made.prefix);
    assert.equal(made.status, 'active');
    assert.equal(Math.round((Date.parse(made.expires_at) - Date.now()) / 86400000), 90);
    const key = bearer(made.api_key);
    const { status, json } = await post(server, '/api/debates', { task: 'May a key?' }, key);
    assert.equal(status, 200);
    assert.equal((await get(server, `/api/debates/${json.id}`, key)).json.task, 'May a key?');
    assert.equal((await get(server, '/api/billing/usage', key)).status, 403);
    assert.equal((await post(server, '/api/auth/api-keys', {}, key)).status, 403);
    const shown = await get(server, `/api/auth/api-keys/${made.key_id}`, admin);
    assert.equal(shown.json.api_key, undefined);
    assert.notEqual(shown.json.last_used_at, null);
    const list = await get(server, '/api/auth/api-keys', admin);
    assert.ok(list.json.api_keys.some((row) => row.key_id === made.key_id));
    assert.ok(!JSON.stringify(list.json).includes(made.api_key));
    assert.ok(!sql(server.dir, 'SELECT * FROM api_keys').includes(made.api_key.slice(12)));
  });

  test('is refused on the call after its revocation, and its streams end', async (t) => {
    const made = await create({});
    const key = bearer(made.api_key);
    const socket = await connect(t, server, '/ws', key);
    await socket.ofType('connection_info');
    for (let i = 0; i < 3; i++) assert.equal((await get(server, '/api/debates', key)).status, 200);
    const gone = await remove(`/api/auth/api-keys/${made.key_id}`);
    assert.equal(gone.status, 200);
    assert.equal(gone.json.message, 'API key revoked');
    assert.equal((await get(server, '/api/debates', key)).status, 401);
    assert.equal((await socket.ofType('auth_revoked')).data.code, 401);
    while (socket.closeCode === undefined) await new Promise((next) => socket.waiters.push(next));
    assert.equal(socket.closeCode, 1008);
    assert.equal((await remove(`/api/auth/api-keys/${made.key_id}`)).status, 409);
    assert.equal((await get(server, `/api/auth/api-keys/${made.key_id}`, admin)).json.status, 'revoked');
  });

  test('that is rotated works beside the new one until its overlap ends', async () => {
    const old = await create({ name: 'deploy', usd_per_day: 2.5 });
    const rotated = await post(server, `/api/auth/api-keys/${old.key_id}/rotate`, { overlap_seconds: 3600 }, admin);
    assert.equal(rotated.status, 201);
    assert.equal(rotated.json.name, 'deploy');
    assert.equal(rotated.json.usd_per_day, 2.5);
    for (const key of [old.api_key, rotated.json.api_key])
      assert.equal((await get(server, '/api/debates', bearer(key))).status, 200);
    const shown = (await get(server, `/api/auth/api-keys/${old.key_id}`, admin)).json;
    assert.equal(shown.replaced_by, rotated.json.key_id);
    assert.ok(Math.abs(Date.parse(shown.expires_at) - Date.now() - 3600_000) < 60_000);
    const again = await post(server, `/api/auth/api-keys/${old.key_id}/rotate`, {}, admin);
    assert.equal(again.status, 409);
    const next = await post(server, `/api/auth/api-keys/${rotated.json.key_id}/rotate`, { overlap_seconds: 0 }, admin);
    assert.equal((await get(server, '/api/debates', bearer(rotated.json.api_key))).status, 401);
    assert.equal((await get(server, '/api/debates', bearer(next.json.api_key))).status, 200);
  });

  test('revoked by another process is refused within seconds, and its streams end', async (t) => {
    const made = await create({});
    const key = bearer(made.api_key);
    const socket = await connect(t, server, '/ws', key);
    await socket.ofType('connection_info');
    assert.equal((await get(server, '/api/debates', key)).status, 200);
    sql(server.dir, `PRAGMA busy_timeout = 5000; UPDATE api_keys SET revoked_ms = 1 WHERE id = '${made.key_id}'`);
    assert.equal((await socket.ofType('auth_revoked')).data.code, 401);
    assert.equal((await get(server, '/api/debates', key)).status, 401);
  });

  test('of another is to be revoked, and neither to be rotated nor changed', async () => {
    const key = makeKey();
    const id = key.slice(0, 12);
    const hash = createHash('sha256').update(key).digest('hex');
    sql(server.dir, `PRAGMA busy_timeout = 5000;
      INSERT INTO users (id, tenant_id, email, name, password, role, active, token_version, created_ms, updated_ms)
        VALUES ('mia', 'local', 'mia@example.org', '', '', 'member', 1, 1, 1, 1);
      INSERT INTO api_keys (id, hash, tenant_id, owner_id, name, scopes, is_default, requests_per_minute,
        usd_micro_per_day, created_ms) VALUES ('${id}', x'${hash}', 'local', 'mia', '', 'debates:read', 0, 0, 0, 1)`);
    assert.equal((await get(server, '/api/debates', bearer(key))).status, 200);
    assert.equal((await get(server, `/api/auth/api-keys/${id}`, admin)).status, 200);
    const rotated = await post(server, `/api/auth/api-keys/${id}/rotate`, {}, admin);
    assert.equal(rotated.status, 403);
    assert.match(rotated.json.error, /another user's/);
    assert.equal((await call(server, 'PATCH', `/api/auth/api-keys/${id}`, { scopes: null }, admin)).status, 403);
    assert.equal((await remove(`/api/auth/api-keys/${id}`)).status, 200);
    assert.equal((await get(server, '/api/debates', bearer(key))).status, 401);
  });

  test('has a rate of its own', async () => {
    const made = await create({ requests_per_minute: 3 });
    for (let i = 0; i < 3; i++) assert.equal((await get(server, '/api/debates', bearer(made.api_key))).status, 200);
    const { status, headers } = await get(server, '/api/debates', bearer(made.api_key));
    assert.equal(status, 429);
    assert.ok(Number(headers.get('retry-after')) >= 1);
    const more = await call(server, 'PATCH', `/api/auth/api-keys/${made.key_id}`, { requests_per_minute: null }, admin);
    assert.equal(more.json.requests_per_minute, null);
    assert.equal((await get(server, '/api/debates', bearer(made.api_key))).status, 200);
  });

  test('that may not read debates lists none on a WebSocket either', async (t) => {
    for (const [scopes, type] of [[['debates:view'], 'warning'], [['debates:read'], 'loop_list']]) {
      const socket = await connect(t, server, '/ws', bearer((await create({ scopes })).api_key));
      socket.send({ type: 'get_loops' });
      const { data } = await socket.ofType(type);
      if (type === 'warning') assert.equal(data.code, 'FORBIDDEN');
      await socket.close();
    }
  });

  test('counts towards its user\'s limit, with all the others', async (t) => {
    const own = await startServer(t, { env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_RATE_LIMIT_REQUESTS: '6' } });
    const keys = [];
    for (let i = 0; i < 3; i++) keys.push((await post(own, '/api/auth/api-keys', {}, admin)).json.api_key);
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push((await get(own, '/api/debates', bearer(keys[i % 3]))).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429, 429]);
  });

  test('of the single-key endpoints takes the place of the former one', async () => {
    const first = await post(server, '/api/auth/api-key', { name: 'mine', expires_in_days: 30 }, admin);
    assert.equal(first.status, 200);
    assert.match(first.json.message, /not be shown again/);
    assert.equal(first.json.name, 'mine');
    const second = await post(server, '/api/auth/api-key', undefined, admin);
    assert.equal((await get(server, '/api/debates', bearer(first.json.api_key))).status, 401);
    assert.equal((await get(server, '/api/debates', bearer(second.json.api_key))).status, 200);
    for (let i = 0; i < 2; i++) {
      const gone = await remove('/api/auth/api-key');
      assert.equal(gone.status, 200);
      assert.equal(gone.json.message, 'API key revoked');
    }
    assert.equal((await get(server, '/api/debates', bearer(second.json.api_key))).status, 401);
  });

  test('that is none is refused, with what is wrong about a request for one', async () => {
    for (const text of [makeKey(), 'ara_', 'ara_x', `ara_${'0'.repeat(43)}`])
      assert.equal((await get(server, '/api/debates', bearer(text))).status, 401, text);
    const wrong = [[{ name: 7 }, 'name'], [{ name: 'x'.repeat(500) }, 'name'], [{ scopes: ['nonsense'] }, 'scopes'],
      [{ scopes: ['apikeys:create'] }, 'scopes'], [{ scopes: [] }, 'scopes'], [{ expires_in_days: 0 }, 'expires_in_days'],
      [{ expires_at: '2001-01-01' }, 'expires_at'], [{ requests_per_minute: -1 }, 'requests_per_minute'],
      [{ usd_per_day: 'much' }, 'usd_per_day'], [{ role: 'admin' }, 'body'], [[], 'body']];
    for (const [body, field] of wrong) {
      const { status, json } = await post(server, '/api/auth/api-keys', body, admin);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(json.field, field, JSON.stringify(body));
    }
    assert.equal((await get(server, '/api/auth/api-keys/ara_nonesuch', admin)).status, 404);
  });
});

describe('the limits of the options', () => {
  test('hold for keys, the overlap of a rotation, and tickets', async (t) => {
    const own = await startServer(t, { env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_MAX_KEYS: '2', ARAGORA_MAX_KEY_OVERLAP: '60',
      ARAGORA_MAX_TICKETS: '1' } });
    const make = () => post(own, '/api/auth/api-keys', { name: 'one' }, admin);
    const { json: { key_id: id } } = await make();
    assert.equal((await make()).status, 201);
    const third = await make();
    assert.equal(third.status, 409);
    assert.match(third.json.error, /^2 keys work already/);
    assert.equal((await get(own, '/api/auth/api-keys', admin)).json.limit, 2);
    const rotate = (body) => post(own, `/api/auth/api-keys/${id}/rotate`, body, admin);
    const long = await rotate({ overlap_seconds: 61 });
    assert.equal(long.status, 400);
    assert.match(long.json.error, /0 to 60$/);
    assert.equal((await rotate({})).status, 201, 'the usual overlap is a day, unless less is allowed');
    const old = (await get(own, `/api/auth/api-keys/${id}`, admin)).json;
    assert.ok(Date.parse(old.expires_at) - Date.now() <= 60_000, old.expires_at);
    const draw = async () => (await post(own, '/api/ws/ticket', {}, admin)).json.ticket;
    const upgrade = (ticket) => rawRequest(own, { path: `/ws?ticket=${ticket}`, headers: { Upgrade: 'websocket', Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
    const [first] = [await draw(), await draw()];
    assert.equal((await upgrade(first)).status, 401, 'the second one took its place');
  });
});

describe('usage', () => {
  test('is booked to the key, and outlives a restart', async (t) => {
    const dir = temporaryDirectory();
    const first = await startServer(undefined, { dir, env: { ARAGORA_API_TOKEN: TOKEN } });
    t.after(() => first.stop('SIGKILL'));
    const made = (await post(first, '/api/auth/api-keys', {}, admin)).json;
    const started = await post(first, '/api/debates', { task: 'What does it cost?', rounds: 1 }, bearer(made.api_key));
    for (let i = 0; (await get(first, `/api/debates/${started.json.id}`, admin)).json.status !== 'completed'; i++)
      assert.ok(i < 3000);
    const { json } = await get(first, '/api/billing/usage', bearer(made.api_key));
    assert.equal(json.debates, 1);
    assert.ok(json.turns >= 2 && json.calls >= json.turns, JSON.stringify(json));
    assert.ok(json.tokens > 0);
    assert.equal(json.usage.tokens_used, json.tokens);
    assert.equal(json.debates_limit, null);
    assert.deepEqual(json.by_key.map((row) => row.key_id), [made.key_id]);
    await first.stop();
    const second = await startServer(undefined, { dir, env: { ARAGORA_API_TOKEN: TOKEN } });
    t.after(() => second.stop('SIGKILL'));
    const later = await get(second, '/api/billing/usage', bearer(made.api_key));
    assert.deepEqual(later.json.by_model, json.by_model);
    const rows = (await get(second, '/api/billing/usage/export', admin)).json.rows;
    assert.equal(rows.reduce((sum, row) => sum + row.tokens, 0), json.tokens);
    const csv = await call(second, 'GET', '/api/billing/usage/export?format=csv', undefined, admin);
    assert.match(csv.headers.get('content-type'), /^text\/csv/);
    for (const query of ['?from=yesterday', '?to=2020-01-01', '?scope=all', '?format=xml'])
      assert.equal((await get(second, `/api/billing/usage/export${query}`, admin)).status, 400, query);
  });

  test('has plans that anybody may read', async (t) => {
    const server = await startServer(undefined, { env: { ARAGORA_API_TOKEN: TOKEN } });
    t.after(() => server.stop('SIGKILL'));
    const { json } = await get(server, '/api/billing/plans');
    assert.deepEqual(json.plans.map((plan) => [plan.id, plan.debates_per_month]),
      [['free', 10], ['starter', 50], ['professional', 200], ['enterprise', null]]);
  });
});

describe('a quota of ten debates', () => {
  test('admits exactly ten under a thousand parallel starts', async (t) => {
    const dir = await emptyDatabase();
    const key = bearer(addUser(dir, 'ann', 'free'));
    const other = bearer(addUser(dir, 'bob', 'starter'));
    const server = await startServer(undefined, { dir, env: { ARAGORA_API_TOKEN: TOKEN },
      args: ['--max-concurrent-debates', '5000', '--max-connections', '5000'] });
    t.after(() => server.stop('SIGKILL'));
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) =>
      post(server, '/api/debates', { task: `Which of these, ${i}?`, rounds: 1 }, key)));
    const counts = {};
    for (const { status, json } of answers) {
      const name = status === 200 ? 'started' : json.code;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    assert.deepEqual(counts, { started: 10, QUOTA_EXCEEDED: 990 });
    const refused = answers.find(({ status }) => status === 429);
    assert.match(refused.json.error, /begins anew at \d{4}-\d\d-01T00:00:00.000Z/);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await get(server, '/api/debates?limit=100', key)).json.total, 10);
    const { error, code, request_id: request, ...numbers } = (await post(server, '/api/debates', { task: 'One too many?' }, key)).json;
    assert.ok(error && request && code === 'QUOTA_EXCEEDED');
    const begun = new Date();
    const next = new Date(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() + 1, 1)).toISOString();
    assert.deepEqual(numbers, { plan: 'free', limit: 10, used: 10, resets_at: next });
    const usage = (await get(server, '/api/billing/usage', key)).json;
    assert.equal(usage.debates_used, 10);
    assert.equal(usage.debates_limit, 10);
    assert.equal(usage.debates_remaining, 0);
    assert.equal(usage.debates, 10);
    // No other way in: not a batch, a fork, a follow-up.
    const [{ json: { id } }] = answers.filter(({ status }) => status === 200);
    await finishedAs(server, id, key);
    for (const path of ['fork', 'followup']) {
      const { status, json } = await post(server, `/api/debates/${id}/${path}`, path === 'fork' ? { branch_point: 0 } : { crux: 'What then?' }, key);
      assert.equal(json.code, 'QUOTA_EXCEEDED', `${path} ${status} ${JSON.stringify(json)}`);
      assert.deepEqual([json.plan, json.limit, json.used], ['free', 10, 10]);
    }
    const batch = await post(server, '/api/debates/batch', { items: [{ task: 'One more?' }] }, key);
    for (let i = 0; ; i++) {
      const { json } = await get(server, `/api/debates/batch/${batch.json.batch_id}`, key);
      if (json.failed_items === 1) break;
      assert.ok(i < 3000, JSON.stringify(json));
    }
    assert.equal((await post(server, '/api/debates', { task: 'And mine?' }, other)).status, 200);
    assert.equal((await post(server, '/api/debates', { task: 'And ours?' }, admin)).status, 200);
    assert.equal((await get(server, `/api/debates/${id}`, other)).status, 404);
    assert.equal((await get(server, '/api/billing/usage?scope=tenant', other)).json.debates, 1);
  });
});

async function finishedAs(server, id, headers) {
  for (let i = 0; ; i++) {
    const { json } = await get(server, `/api/debates/${id}`, headers);
    if (json.status !== 'running' && json.status !== 'pending') return;
    assert.ok(i < 3000);
  }
}

describe('an account', () => {
  test('shows its default key, and its plan counts', async (t) => {
    const server = await startServer(undefined, { env: { ARAGORA_API_TOKEN: TOKEN } });
    t.after(() => server.stop('SIGKILL'));
    const form = { email: 'ann@example.org', password: 'a long enough password 7' };
    const registered = await post(server, '/api/auth/register', form);
    assert.equal(registered.status, 201, JSON.stringify(registered.json));
    const session = bearer(registered.json.access_token);
    assert.equal((await get(server, '/api/auth/me', session)).json.user.api_key_prefix, null);
    const made = (await post(server, '/api/auth/api-key', undefined, session)).json;
    for (const headers of [session, bearer(made.api_key)]) {
      const { user } = (await get(server, '/api/auth/me', headers)).json;
      assert.equal(user.has_api_key, true);
      assert.equal(user.api_key_prefix, made.prefix);
      assert.equal(user.api_key_created_at, made.created_at);
      assert.equal(user.api_key_expires_at, made.expires_at);
    }
    const started = await post(server, '/api/debates', { task: 'Whose is this?' }, bearer(made.api_key));
    assert.equal((await get(server, `/api/debates/${started.json.id}`, session)).status, 200);
    const { usage } = (await get(server, '/api/billing/usage', session)).json;
    assert.deepEqual([usage.debates_used, usage.debates_limit, usage.debates_remaining], [1, 10, 9]);
    assert.equal((await get(server, '/api/auth/api-keys', admin)).json.count, 0);
    assert.equal((await get(server, `/api/auth/api-keys/${made.key_id}`, admin)).status, 404);
    assert.equal((await call(server, 'DELETE', `/api/auth/api-keys/${made.key_id}`, undefined, admin)).status, 404);
    await call(server, 'DELETE', '/api/auth/api-key', undefined, session);
    assert.equal((await get(server, '/api/auth/me', session)).json.user.api_key_prefix, null);
  });
});

describe('aragora key', () => {
  test('makes, lists, rotates and revokes keys of a server', async (t) => {
    const server = await startServer(undefined, { env: { ARAGORA_API_TOKEN: TOKEN } });
    t.after(() => server.stop('SIGKILL'));
    const run = (...args) => {
      const env = { PATH: process.env.PATH, HOME: server.dir, ARAGORA_API_TOKEN: TOKEN, ARAGORA_API_URL: server.url };
      const { status, stdout } = spawnSync(BINARY, ['key', ...args], { env, cwd: server.dir, encoding: 'utf8' });
      return { status, stdout };
    };
    const made = run('create', '--name', 'ci', '--scopes', 'debates:read', '--days', '30', '--usd-per-day', '2.5');
    assert.equal(made.status, 0);
    const key = made.stdout.trim();
    assert.match(key, /^ara_[0-9A-Za-z]{43}$/);
    const id = key.slice(0, 12);
    assert.equal((await get(server, '/api/debates', bearer(key))).status, 200);
    const row = (await get(server, `/api/auth/api-keys/${id}`, admin)).json;
    assert.deepEqual([row.name, row.scopes, row.usd_per_day], ['ci', ['debates:read'], 2.5]);
    assert.match(run('list').stdout, new RegExp(`${id}\\s+ci\\s+active`));
    const next = run('rotate', id, '--overlap', '60').stdout.trim();
    for (const one of [key, next]) assert.equal((await get(server, '/api/debates', bearer(one))).status, 200);
    assert.equal(run('revoke', next.slice(0, 12)).stdout, `${next.slice(0, 12)}: revoked\n`);
    assert.equal((await get(server, '/api/debates', bearer(next))).status, 401);
    assert.notEqual(run('revoke', 'ara_nonesuch').status, 0);
    assert.equal(run('rotate').status, 2);
    assert.equal(run('create', '--usd-per-day', 'much').status, 2);
  });
});
