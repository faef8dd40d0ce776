// A debate is shared by a link: whoever has it reads that debate and nothing else, until it is revoked,
// replaced, expires, or the debate is deleted.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { call, events, get, post, rawRequest } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const SECRET = { ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough', ARAGORA_REGISTER_RATE: '1000' };
const METADATA = { note: 'for-the-owner-alone-5581' };
const QUICK = { task: 'Shall we share this?', agents: 'demo,demo', rounds: 1, metadata: METADATA };
// One that runs for as long as a test looks.
const SLOW = { task: 'Does it run on?', agents: 'demo,demo,demo', rounds: 5, fast_path: false };

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server, amy, bob;

async function register(at, name, more = {}) {
  const { status, json, text } = await post(at, '/api/auth/register',
    { email: `${name}@example.org`, password: `${name} has a long password`, name, ...more });
  assert.equal(status, 201, text);
  return { name, id: json.user.id, headers: { Authorization: `Bearer ${json.access_token}` } };
}

async function ended(at, user, body = QUICK) {
  const { status, json, text } = await post(at, '/api/debates', body, user.headers);
  assert.equal(status, 200, text);
  for await (const { frame } of events(at, `/api/debates/${json.id}/events`, { headers: user.headers }))
    if (frame.type === 'debate_end') break;
  return json.id;
}

async function share(at, user, id, body) {
  const { status, json, text, headers } = await post(at, `/api/debates/${id}/share`, body, user.headers);
  assert.equal(status, 201, text);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.match(json.token, /^[A-Za-z0-9_-]{32}$/);
  assert.equal(json.path, `/api/shared/${json.token}`);
  return json;
}

const unshare = (at, user, id) => call(at, 'DELETE', `/api/debates/${id}/share`, undefined, user.headers);

async function isPublic(at, user, id) {
  const { json: { debates } } = await get(at, '/api/debates?limit=100', user.headers);
  const { json } = await get(at, `/api/debates/${id}`, user.headers);
  assert.equal(debates.find((row) => row.id === id).is_public, json.is_public);
  return json.is_public;
}

const without = (answer, ...names) => JSON.stringify(answer, (name, value) => (names.includes(name) ? undefined : value));

// The one answer for whatever is no link.
async function expectNoLink(at, path) {
  const { status, text, headers } = await get(at, path);
  assert.equal(status, 404, text);
  assert.equal(without(JSON.parse(text), 'request_id'), '{"error":"No such link","code":"NOT_FOUND"}');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
}

before(async () => {
  server = await startServer(suite, { env: SECRET });
  amy = await register(server, 'amy');
  bob = await register(server, 'bob');
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

describe('a link', () => {
  test('shows its debate to whoever has it, without what is the owner\'s alone', async () => {
    const id = await ended(server, amy);
    assert.equal(await isPublic(server, amy, id), false);
    assert.deepEqual((await get(server, `/api/debates/${id}/share`, amy.headers)).json,
      { debate_id: id, shared: false, created_at: null, created_by: null, expires_at: null });
    const { path, token, replaced } = await share(server, amy, id);
    assert.equal(replaced, false);
    assert.equal(await isPublic(server, amy, id), true);
    const own = (await get(server, `/api/debates/${id}`, amy.headers)).json;
    assert.deepEqual(own.metadata, METADATA);

    const shared = await get(server, path);
    assert.equal(shared.status, 200, shared.text);
    assert.deepEqual(shared.json, { ...own, metadata: {} });
    for (const secret of [METADATA.note, amy.id, token]) assert.ok(!shared.text.includes(secret), secret);
    assert.equal(shared.headers.get('cache-control'), 'no-store');
    assert.equal(shared.headers.get('referrer-policy'), 'no-referrer');
    for (const version of ['v1', 'v2']) assert.equal((await get(server, path.replace('/api/', `/api/${version}/`))).status, 200);
    assert.equal((await call(server, 'HEAD', path)).status, 200);

    const page = await get(server, `${path}/events`, { Accept: 'application/json' });
    assert.deepEqual(page.json, (await get(server, `/api/debates/${id}/events`, { Accept: 'application/json', ...amy.headers })).json);
    const frames = [];
    for await (const { frame } of events(server, `${path}/events`)) frames.push(frame);
    assert.equal(frames.at(-1).type, 'debate_end');
    for (const format of ['json', 'csv', 'html', 'md', 'markdown']) {
      const file = await get(server, `${path}/export/${format}`);
      assert.equal(file.status, 200, format);
      assert.equal(file.headers.get('cache-control'), 'no-store', format);
      assert.equal(file.headers.get('referrer-policy'), 'no-referrer', format);
      assert.ok(!file.text.includes(METADATA.note), format);
    }
    assert.ok((await get(server, `/api/debates/${id}/export/json`, amy.headers)).text.includes(METADATA.note));

    const told = (await get(server, `/api/debates/${id}/share`, amy.headers)).json;
    assert.equal(told.shared, true);
    assert.equal(told.created_by, amy.id);
    assert.equal(told.expires_at, null);
    assert.ok(!JSON.stringify(told).includes(token));
  });

  test('opens nothing else: by its id the debate is its owner\'s', async () => {
    const id = await ended(server, amy);
    const { path, token } = await share(server, amy, id);
    for (const rest of ['', '/messages', '/events', '/export/json', '/share']) {
      assert.equal((await get(server, `/api/debates/${id}${rest}`, { Accept: 'application/json' })).status, 401, rest);
      assert.equal((await get(server, `/api/debates/${id}${rest}`, { Accept: 'application/json', ...bob.headers })).status, 404, rest);
    }
    for (const headers of [{ Authorization: `Bearer ${token}` }, { Cookie: `aragora_session=${token}` }])
      assert.equal((await get(server, `/api/debates/${id}`, headers)).status, 401);
    for (const rest of ['/messages', '/share', '/fork', '/export', '/'])
      assert.equal((await get(server, `${path}${rest}`)).status, 404, rest);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      assert.equal((await call(server, method, path, {})).status, 405, method);
    // What else is brought does not count, be it good or bad.
    for (const headers of [bob.headers, { Authorization: 'Bearer nonsense' }, { Cookie: 'aragora_session=nonsense', Origin: server.url }])
      assert.equal((await get(server, path, headers)).status, 200);
    assert.equal((await get(server, '/api/debates', bob.headers)).json.total, 0);
  });

  test('is one answer for whatever is none', async () => {
    const id = await ended(server, amy);
    const { token } = await share(server, amy, id);
    for (const wrong of ['nonsense', id, 'A'.repeat(32), 'A'.repeat(4000), token.toLowerCase(), `${token}=`, `${token}%20`, '%00', '..', "'OR'1"])
      for (const rest of ['', '/events', '/export/json'])
        if (!/^(%00|\.\.)$/.test(wrong)) await expectNoLink(server, `/api/shared/${wrong}${rest}`);
        else assert.ok((await rawRequest(server, { path: `/api/shared/${wrong}${rest}`, headers: { Host: 'localhost' } })).status >= 400);
  });

  test('is made and revoked by whoever owns the debate alone', async () => {
    const id = await ended(server, amy);
    for (const method of ['GET', 'POST', 'DELETE']) {
      assert.equal((await call(server, method, `/api/debates/${id}/share`, undefined, bob.headers)).status, 404, method);
      assert.equal((await call(server, method, `/api/debates/${id}/share`)).status, 401, method);
      assert.equal((await call(server, method, '/api/debates/aaaaaaaaaaaaaaaaaaaaaaaaaa/share', undefined, amy.headers)).status, 404, method);
    }
    assert.equal((await unshare(server, amy, id)).status, 404); // not shared
    const { path } = await share(server, amy, id);
    assert.equal((await unshare(server, bob, id)).status, 404);
    assert.equal((await get(server, path)).status, 200);
    // A key does it with the scope, and not without.
    const key = async (scopes) => ({ headers: { Authorization: `Bearer ${(await post(server, '/api/auth/api-keys', { scopes }, amy.headers)).json.api_key}` } });
    const reader = await key(['debates:read']), sharer = await key(['debates:share']);
    assert.equal((await post(server, `/api/debates/${id}/share`, {}, reader.headers)).status, 403);
    assert.equal((await unshare(server, reader, id)).status, 403);
    assert.equal((await get(server, `/api/debates/${id}/share`, reader.headers)).json.shared, true);
    assert.equal((await share(server, sharer, id)).replaced, true);
    assert.equal((await unshare(server, sharer, id)).status, 200);
  });

  test('is the owner of an organization\'s to make too', async () => {
    const boss = await register(server, 'boss', { organization: 'Acme' });
    const id = await ended(server, boss);
    const { path } = await share(server, boss, id);
    assert.equal((await get(server, path)).status, 200);
    assert.equal((await unshare(server, amy, id)).status, 404);
  });

  test('is not made of what makes no sense', async () => {
    const id = await ended(server, amy);
    for (const body of ['[]', '{"expires_in_seconds": 0}', '{"expires_in_seconds": 1.5}', '{"expires_in_seconds": "60"}',
      '{"expires_in_seconds": 315360001}', '{"expires_in_seconds": -1}', '{"days": 1}', '{', 'x']) {
      const { status, json, text } = await post(server, `/api/debates/${id}/share`, body, amy.headers);
      assert.equal(status, 400, `${body}: ${text}`);
      if (body.includes('seconds')) assert.equal(json.field, 'expires_in_seconds');
    }
    assert.equal(await isPublic(server, amy, id), false);
  });
});

describe('a link ends', () => {
  before(async () => {
    amy = await register(server, 'anna'); // a plan has ten debates
  });

  test('when it is revoked: the next read finds nothing', async () => {
    const id = await ended(server, amy);
    const { path } = await share(server, amy, id);
    assert.equal((await get(server, path)).status, 200);
    const { status, json } = await unshare(server, amy, id);
    assert.equal(status, 200);
    assert.deepEqual(json, { success: true, debate_id: id, shared: false, message: 'The link was revoked' });
    for (const rest of ['', '/events', '/export/html']) await expectNoLink(server, path + rest);
    assert.equal(await isPublic(server, amy, id), false);
    assert.equal((await unshare(server, amy, id)).status, 404);
  });

  test('when another takes its place', async () => {
    const id = await ended(server, amy);
    const former = await share(server, amy, id), next = await share(server, amy, id, { expires_in_seconds: null });
    assert.equal(next.replaced, true);
    assert.match(next.message, /former link works no more/);
    assert.notEqual(next.token, former.token);
    await expectNoLink(server, former.path);
    assert.equal((await get(server, next.path)).status, 200);
  });

  test('when its time is over, to the second', async () => {
    const id = await ended(server, amy);
    const { path, created_at, expires_at } = await share(server, amy, id, { expires_in_seconds: 1 });
    assert.equal(Date.parse(expires_at) - Date.parse(created_at), 1000);
    let status;
    do ({ status } = await get(server, path)); while (status === 200 && Date.now() < Date.parse(expires_at) + 5000);
    assert.ok(Date.now() >= Date.parse(expires_at));
    await expectNoLink(server, path);
    assert.equal(await isPublic(server, amy, id), false);
    assert.equal((await get(server, `/api/debates/${id}/share`, amy.headers)).json.shared, false);
    assert.equal((await share(server, amy, id)).replaced, false);
  });

  test('with its debate', async () => {
    const id = await ended(server, amy);
    const { path } = await share(server, amy, id);
    assert.equal((await call(server, 'DELETE', `/api/debates/${id}`, undefined, amy.headers)).status, 200);
    for (const rest of ['', '/events', '/export/json']) await expectNoLink(server, path + rest);
    assert.equal((await post(server, `/api/debates/${id}/share`, {}, amy.headers)).status, 410);
    assert.equal((await get(server, `/api/debates/${id}/share`, amy.headers)).status, 410);
  });
});

describe('a stream by a link', () => {
  let slow, carl;
  before(async () => {
    slow = await startServer(suite, { env: { ...SECRET, ARAGORA_DEMO_TOKEN_RATE: '2' } });
    carl = await register(slow, 'carl');
  });

  async function running() {
    const { json: { id } } = await post(slow, '/api/debates', SLOW, carl.headers);
    return id;
  }

  // What a stream showed, once `begun` was called with its first frame.
  async function follow(path, begun) {
    const frames = [], signal = AbortSignal.timeout(20_000);
    for await (const { frame } of events(slow, `${path}/events`, { signal })) {
      frames.push(frame);
      if (frames.length === 1) await begun();
    }
    return frames;
  }

  const expectCut = (frames) => {
    assert.equal(frames.at(-1).type, 'auth_revoked');
    assert.ok(!frames.some(({ type }) => type === 'debate_end'));
  };

  test('ends when the link is revoked, while its owner\'s goes on', async () => {
    const id = await running();
    const { path } = await share(slow, carl, id);
    const own = events(slow, `/api/debates/${id}/events`, { headers: carl.headers });
    assert.equal((await own.next()).value.frame.type, 'debate_start');
    expectCut(await follow(path, async () => assert.equal((await unshare(slow, carl, id)).status, 200)));
    assert.equal((await post(slow, `/api/debates/${id}/cancel`, {}, carl.headers)).status, 200);
    let last;
    for await (const { frame } of own) last = frame;
    assert.equal(last.type, 'debate_end');
  });

  test('ends when the link is replaced, and another debate\'s does not', async () => {
    const [one, other] = [await running(), await running()];
    const [{ path }, kept] = [await share(slow, carl, one), await share(slow, carl, other)];
    const beside = events(slow, `${kept.path}/events`);
    await beside.next();
    let next;
    expectCut(await follow(path, async () => (next = await share(slow, carl, one))));
    const again = events(slow, `${next.path}/events`);
    assert.equal((await again.next()).value.frame.type, 'debate_start');
    for (const id of [one, other]) await post(slow, `/api/debates/${id}/cancel`, {}, carl.headers);
    for (const stream of [beside, again]) {
      let last;
      for await (const { frame } of stream) last = frame;
      assert.equal(last.type, 'debate_end');
    }
  });

  test('ends when the link expires', async () => {
    const id = await running();
    const { path, expires_at } = await share(slow, carl, id, { expires_in_seconds: 2 });
    const frames = await follow(path, () => {});
    expectCut(frames);
    assert.ok(Date.now() >= Date.parse(expires_at));
    await post(slow, `/api/debates/${id}/cancel`, {}, carl.headers);
  });
});

describe('the token', () => {
  test('is in no database, log, metric or file, and the acts are in the audit log', async (t) => {
    const dir = temporaryDirectory(t);
    const own = await startServer(t, { dir, args: ['--log-level', 'DEBUG', '--log-file', join(dir, 'server.log')], env: SECRET });
    const dora = await register(own, 'dora');
    const id = await ended(own, dora);
    const { path, token } = await share(own, dora, id);
    const lost = await share(own, dora, id).then(async (next) => (await unshare(own, dora, id), next.token));
    const { token: last, path: alive } = await share(own, dora, id, { expires_in_seconds: 600 });
    // Every way that a path may get into the log: found, not found, not allowed, malformed.
    for (const at of [path, alive, `${alive}/events`, `${alive}/export/md`, `${alive}/none`, `${alive}/export/none`,
      alive.replace('/api', '/api/v1'), alive.replace('/api', '//api')])
      await get(own, at, { Authorization: 'Bearer nonsense', Accept: 'application/json' });
    await call(own, 'DELETE', alive);
    for (const bad of [`${alive}%zz`, `${alive.replace('/api', '/api/v2')}%`, `${alive}/..%00`])
      assert.equal((await rawRequest(own, { path: bad, headers: { Host: 'localhost' } })).status, 400, bad);
    const metrics = await get(own, '/metrics');
    assert.match(metrics.text, /endpoint="\/api\/shared\/\{token\}"/);
    execFileSync('sqlite3', [join(dir, 'aragora_memory.db'), 'PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(PASSIVE)']);
    const { lines } = own;
    await own.stop();
    const log = readFileSync(join(dir, 'server.log'), 'utf8');
    assert.match(log, /path=\\?"?\/api\/shared\/\{token\}/);
    const seen = [metrics.text, lines.join('\n'), log];
    for (const name of readdirSync(dir, { recursive: true }))
      if (statSync(join(dir, name)).isFile()) seen.push(readFileSync(join(dir, name)));
    assert.ok(seen.length > 6);
    for (const secret of [token, lost, last])
      for (const text of seen) assert.ok(!text.includes(secret) && !text.includes(secret.slice(0, 16)));

    const audit = execFileSync(BINARY, ['audit', 'list', '--action', 'debate.*', '--json', '--data-dir', dir], { encoding: 'utf8' });
    const rows = JSON.parse(audit).entries;
    assert.deepEqual(rows.map(({ action, resource, actor, outcome }) => [action, resource, actor, outcome]),
      ['share', 'unshare', 'share', 'share'].map((act) => [`debate.${act}`, id, dora.id, 'ok']));
  });
});

test('where nothing is configured, links work all the same', async (t) => {
  const open = await startServer(t);
  const { json: { id } } = await post(open, '/api/debates', QUICK);
  const { path } = await share(open, {}, id);
  assert.equal((await get(open, path)).json.id, id);
  assert.equal((await get(open, `/api/debates/${id}/share`)).json.created_by, 'local');
  assert.equal((await unshare(open, {}, id)).status, 200);
  await expectNoLink(open, path);

  const typed = (...args) => spawnSync(BINARY, ['debates', ...args], { encoding: 'utf8' });
  const made = typed('share', id, '--server', open.url);
  assert.equal(made.status, 0, made.stderr);
  assert.equal((await get(open, made.stdout.trim())).json.id, id);
  assert.equal(typed('unshare', id, '--server', open.url).status, 0);
  await expectNoLink(open, made.stdout.trim());
  assert.equal(typed('unshare', id, '--server', open.url).status, 5);
  assert.match(typed('share', id).stderr, /share needs --server/);
});
