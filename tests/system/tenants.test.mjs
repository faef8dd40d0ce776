// Two users over the whole table of routes, as the server itself describes it, and every stream: nobody
// reads or changes what is another's, and what is another's is answered as what there is not.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { call, connect, events, get, post, rawRequest } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const CANARY = 'canary-7391-question';
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const UPGRADE = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
// These end whatever Bob is logged in with: asked last.
const LAST = /^\/api\/auth\/(logout|logout-all|password|revoke)$/;

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server, amy, bob, routes;

async function register(name) {
  const { status, json, text } = await post(server, '/api/auth/register',
    { email: `${name}@example.org`, password: `${name} has a long password`, name });
  assert.equal(status, 201, text);
  return { name, headers: { Authorization: `Bearer ${json.access_token}` } };
}

// What Amy has: a debate that has ended and a link to it, one in a batch, a key.
async function fill(user) {
  const debate = await post(server, '/api/debates', { task: `${CANARY} of a debate`, agents: 'demo,demo' }, user.headers);
  assert.equal(debate.status, 200, debate.text);
  const batch = await post(server, '/api/debates/batch', { items: [{ question: `${CANARY} of a batch`, agents: 'demo,demo' }] }, user.headers);
  assert.ok(batch.status < 300, batch.text);
  const key = await post(server, '/api/auth/api-keys', { name: `${CANARY} of a key` }, user.headers);
  assert.ok(key.status < 300, key.text);
  user.debate = debate.json.id;
  user.slug = (await get(server, `/api/debates/${debate.json.id}`, user.headers)).json.slug;
  user.batch = batch.json.batch_id;
  user.key = key.json.key_id;
  user.secret = key.json.api_key;
  const share = await post(server, `/api/debates/${debate.json.id}/share`, {}, user.headers);
  assert.equal(share.status, 201, share.text);
  user.link = share.json.path;
  user.ids = [user.debate, user.slug, user.batch, user.key];
  for (let status; status !== 'completed'; await new Promise((next) => setTimeout(next, 20)))
    ({ status } = (await get(server, `/api/debates/${user.debate}`, user.headers)).json);
}

before(async () => {
  server = await startServer(suite, {
    env: { ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough', ARAGORA_REGISTER_RATE: '1000',
      ARAGORA_LOGIN_RATE: '1000' },
  });
  amy = await register('amy');
  bob = await register('bob');
  await fill(amy);
  const { json } = await get(server, '/api/openapi.json');
  routes = Object.entries(json.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method: method.toUpperCase(), path,
      open: item[method].security?.length === 0 })));
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

// Every way to ask for a route with the ids of what is Amy's.
function* requests(route) {
  const named = { '{format}': 'json', '{agent}': 'demo', '{opponent}': 'demo', '{token}': amy.debate };
  for (const id of /\{id\}/.test(route.path) ? amy.ids : ['']) {
    let path = route.path.replace('{id}', id);
    for (const [name, value] of Object.entries(named)) path = path.replace(name, value);
    assert.doesNotMatch(path, /[{}]/, `${route.path}: what stands for it?`);
    const body = route.method === 'GET' || route.method === 'DELETE' ? undefined
      : { task: 'mine', question: 'mine', branch_point: 0, crux: 'mine', name: 'mine', items: [{ question: 'mine' }], dry_run: true };
    yield { ...route, id, path, body };
    if (route.method === 'GET')
      for (const query of [`?q=${CANARY}`, `?debate_id=${amy.debate}`, `?user_id=${amy.name}&tenant_id=local&owner_id=${amy.name}&key_id=${amy.key}&all=true`])
        yield { ...route, id, path: path + query };
  }
}

const json = (text) => { try { return JSON.parse(text); } catch { return undefined; } };

// What shows that an answer holds something of Amy's; an error may repeat the id that was asked for.
function leaks({ id, path }, answer) {
  const marks = [CANARY, amy.debate, amy.slug, amy.batch, amy.key].filter((mark) => mark !== id && !path.includes(mark));
  return answer.text.includes(`${CANARY} of`) || marks.some((mark) => answer.text.includes(mark))
    || (id !== '' && answer.status < 300);
}

async function walk(headers, { last = true, only = () => true } = {}) {
  const seen = [];
  const order = [...routes.filter(({ path }) => !LAST.test(path)), ...(last ? routes.filter(({ path }) => LAST.test(path)) : [])];
  for (const route of order.filter(only))
    for (const request of requests(route)) {
      const answer = await call(server, request.method, request.path, request.body, { Accept: 'application/json', ...headers });
      seen.push({ ...request, status: answer.status, leaks: leaks(request, answer), text: answer.text });
    }
  return seen;
}

const told = (seen) => seen.map(({ method, path, status, text }) => `${method} ${path} ${status} ${text.slice(0, 120)}`);

async function whole(user) {
  const debate = (await get(server, `/api/debates/${user.debate}`, user.headers)).json;
  const batch = (await get(server, `/api/debates/batch/${user.batch}`, user.headers)).json;
  const key = (await get(server, `/api/auth/api-keys/${user.key}`, user.headers)).json;
  delete key?.last_used_at;
  const share = (await get(server, `/api/debates/${user.debate}/share`, user.headers)).json;
  const shared = (await get(server, user.link)).status;
  return { debate, share, shared, batch: batch.items?.map(({ status, debate_id }) => [status === 'cancelled', debate_id !== undefined]), key,
    total: (await get(server, '/api/debates', user.headers)).json.total };
}

describe('two users', () => {
  test('whoever owns something does see it', async () => {
    const seen = (await walk(amy.headers, { last: false, only: ({ method }) => method === 'GET' })).filter((one) => one.leaks);
    const paths = new Set(seen.map(({ path }) => path.split('?')[0]));
    assert.ok(paths.size >= 20, `only ${[...paths].join(' ')}`);
  });

  test('nothing of another\'s is read or changed, on any route', async (t) => {
    const before = await whole(amy);
    const seen = await walk(bob.headers);
    t.diagnostic(`${seen.length} requests of ${routes.length} routes`);
    assert.deepEqual(told(seen.filter((one) => one.leaks)), []);
    assert.deepEqual(told(seen.filter((one) => one.status >= 500 && one.status !== 501)), []);
    // What is another's is what there is not: never 403, which would say that it is there.
    const plain = seen.filter(({ id, path, open }) => id === amy.debate && !open && path.startsWith('/api/debates/'));
    assert.ok(plain.length > 10);
    assert.deepEqual(told(plain.filter(({ status }) => ![404, 400].includes(status))), []);
    assert.deepEqual(await whole(amy), before);
    assert.equal(before.shared, 200); // a link leads nobody to the debate's id
    assert.equal((await get(server, '/api/debates', { Authorization: `Bearer ${amy.secret}` })).status, 200);
  });

  test('nor without a credential', async () => {
    const seen = await walk({});
    assert.deepEqual(told(seen.filter((one) => one.leaks)), []);
    assert.deepEqual(told(seen.filter(({ open, status }) => !open && status !== 401)), []);
  });

  test('no stream shows it', async (t) => {
    bob = { ...bob, headers: { Authorization: `Bearer ${(await post(server, '/api/auth/login',
      { email: 'bob@example.org', password: 'bob has a long password' })).json.access_token}` } };
    for (const id of [amy.debate, amy.slug])
      for (const path of [`/ws/debates/${id}`, `/ws?debate=${id}`, `/?debate=${id}`]) {
        assert.equal((await rawRequest(server, { path, headers: { ...UPGRADE, ...bob.headers } })).status, 404, path);
        assert.equal((await rawRequest(server, { path, headers: UPGRADE })).status, 401, path);
      }
    for (const headers of [bob.headers, {}]) {
      const socket = await connect(t, server, '/ws', headers);
      for (const message of [{ type: 'subscribe', debate_id: amy.debate }, { type: 'subscribe', loop_id: amy.slug },
        { type: 'subscribe', data: { debate_id: amy.debate } }, { type: 'unsubscribe', debate_id: amy.debate },
        { type: 'user_vote', loop_id: amy.debate, payload: { choice: 'a' } }, { type: 'get_loops' }])
        socket.send(message);
      await socket.ofType('loop_list');
      const refusals = () => socket.frames.filter(({ type, data }) => type === 'warning' && data.code === 'DEBATE_NOT_FOUND').length;
      while (refusals() < 3) await new Promise((next) => socket.waiters.push(next)); // each is looked up on its own
      assert.equal(refusals(), 3);
      assert.ok(!JSON.stringify(socket.frames).includes(`${CANARY} of`)); // a warning repeats the slug
      await socket.close();
    }
  });

  test('a ticket opens one stream of one\'s own', async (t) => {
    const { json: { ticket } } = await post(server, '/api/ws/ticket', {}, amy.headers);
    const socket = await connect(t, server, `/ws/debates/${amy.debate}?ticket=${ticket}`);
    await socket.ofType('debate_end');
    await socket.close();
    const again = { path: `/ws/debates/${amy.debate}?ticket=${ticket}`, headers: UPGRADE };
    assert.equal((await rawRequest(server, again)).status, 401);
    const theirs = (await post(server, '/api/ws/ticket', {}, bob.headers)).json.ticket;
    const foreign = { path: `/ws/debates/${amy.debate}?ticket=${theirs}`, headers: UPGRADE };
    assert.equal((await rawRequest(server, foreign)).status, 404);
  });

  // What ends a session or a key ends what was opened with it, a WebSocket as an event stream, and
  // leaves alone what the same user opened with another.
  test('every stream ends with the credential that it was opened with', async (t) => {
    const slow = await startServer(t, {
      env: { ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough', ARAGORA_REGISTER_RATE: '0', ARAGORA_LOGIN_RATE: '0',
        ARAGORA_REFRESH_RATE: '0', ARAGORA_PASSWORD_RATE: '0', ARAGORA_DEMO_TOKEN_RATE: '2' },
    });
    const dora = { email: 'dora@example.org', password: 'dora has a long password' };
    const bearer = (text) => ({ Authorization: `Bearer ${text}` });
    const own = bearer((await post(slow, '/api/auth/register', dora)).json.access_token);
    const login = async () => (await post(slow, '/api/auth/login', dora)).json;
    const newKey = async () => (await post(slow, '/api/auth/api-keys', {}, own)).json;
    const id = (await post(slow, '/api/debates', { task: 'How long?', agents: 'demo,demo' }, own)).json.id;
    const bystander = await connect(t, slow, `/ws/debates/${id}`, own);

    // How each ends, and with what the streams were opened.
    const ways = {
      logout: [login, ({ access_token }) => post(slow, '/api/auth/logout', {}, bearer(access_token))],
      'a revoked refresh token': [login, ({ refresh_token }) => post(slow, '/api/auth/revoke', { token: refresh_token })],
      'a refresh token that comes twice': [login, async ({ refresh_token }) => {
        await post(slow, '/api/auth/refresh', { refresh_token });
        return { status: (await post(slow, '/api/auth/refresh', { refresh_token })).status === 401 ? 200 : 0 };
      }],
      'a revoked key': [newKey, ({ key_id }) => call(slow, 'DELETE', `/api/auth/api-keys/${key_id}`, undefined, own)],
      'a rotated key without overlap': [newKey, async ({ key_id }) => {
        const { status } = await post(slow, `/api/auth/api-keys/${key_id}/rotate`, { overlap_seconds: 0 }, own);
        return { status: status === 201 ? 200 : status };
      }],
      'a new password, set in another session': [login, async () => {
        const change = { current_password: dora.password, new_password: 'dora has another password' };
        dora.password = change.new_password;
        return post(slow, '/api/auth/password', change, own);
      }],
      'logout-all': [login, () => post(slow, '/api/auth/logout-all', {}, own)],
    };
    for (const [way, [open, end]] of Object.entries(ways)) {
      const credential = await open();
      const headers = bearer(credential.api_key ?? credential.access_token);
      const socket = await connect(t, slow, `/ws/debates/${id}`, headers);
      await socket.ofType('debate_start');
      const draw = async () => (await post(slow, '/api/ws/ticket', {}, headers)).json.ticket;
      const ticketed = await connect(t, slow, `/ws/debates/${id}?ticket=${await draw()}`);
      await ticketed.ofType('debate_start');
      const unused = await draw();
      let begun;
      const started = new Promise((resolve) => (begun = resolve));
      const stream = (async () => {
        const frames = [];
        for await (const { frame } of events(slow, `/api/debates/${id}/events`, { headers, signal: AbortSignal.timeout(20_000) })) {
          frames.push(frame);
          begun();
        }
        return frames;
      })();
      await Promise.race([started, stream]);
      assert.equal((await end(credential)).status, 200, way);
      assert.equal((await get(slow, `/api/debates/${id}`, headers)).status, 401, way);
      for (const one of [socket, ticketed]) {
        assert.equal((await one.ofType('auth_revoked')).data.code, 401, way);
        while (one.closeCode === undefined) await new Promise((next) => one.waiters.push(next));
        assert.equal(one.closeCode, 1008, way);
      }
      const late = { path: `/ws/debates/${id}?ticket=${unused}`, headers: UPGRADE };
      assert.equal((await rawRequest(slow, late)).status, 401, `a ticket from before ${way}`);
      const frames = await stream;
      assert.equal(frames.at(-1).type, 'auth_revoked', `${way}: ${frames.map(({ type }) => type)}`);
      assert.equal(frames.at(-1).data.code, 401);
      if (way !== 'logout-all') assert.equal(bystander.closeCode, undefined, way);
    }
    assert.equal((await bystander.ofType('auth_revoked')).data.code, 401); // everywhere
    slow.expectedToDie = true; // its debate would take minutes
    await slow.stop('SIGKILL');
  });

  test('a cookie serves pages of this server alone, with JSON', async () => {
    const cookie = { Cookie: `aragora_session=${amy.headers.Authorization.slice(7)}` };
    const page = { ...cookie, Origin: server.url, 'Content-Type': 'application/json' };
    const ask = (headers) => rawRequest(server, { method: 'POST', path: '/api/ws/ticket', headers: { 'Content-Length': 0, ...headers } });
    assert.equal((await get(server, '/api/debates', cookie)).json.total > 0, true);
    assert.equal((await ask(page)).status, 200);
    for (const origin of ['https://evil.example', 'null', '*', `${server.url}.evil.example`])
      assert.equal((await ask({ ...page, Origin: origin })).status, 403, origin);
    assert.equal((await ask(cookie)).status, 403);
    assert.equal((await ask({ ...cookie, 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'application/json' })).status, 403);
    assert.equal((await ask({ ...cookie, 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json' })).status, 200);
    assert.equal((await ask({ ...page, 'Content-Type': 'text/plain' })).status, 415);
    const upgrade = { path: `/ws/debates/${amy.debate}`, headers: { ...UPGRADE, ...cookie, Origin: 'https://evil.example' } };
    assert.equal((await rawRequest(server, upgrade)).status, 403);
  });

  test('a page that logs in gets the cookie, and loses it when it logs out', async () => {
    const login = (headers) => post(server, '/api/auth/login', { email: 'amy@example.org', password: 'amy has a long password' }, headers);
    assert.equal((await login({})).headers.get('set-cookie'), null);
    assert.equal((await login({ 'Sec-Fetch-Site': 'cross-site' })).headers.get('set-cookie'), null);
    const set = (await login({ 'Sec-Fetch-Site': 'same-origin', 'X-Forwarded-Proto': 'https' })).headers.get('set-cookie');
    assert.match(set, /^aragora_session=[\w.-]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/);
    const page = { Cookie: set.split(';')[0], 'Sec-Fetch-Site': 'same-origin' };
    assert.equal((await get(server, '/api/auth/me', page)).status, 200);
    const out = await post(server, '/api/auth/logout', {}, page);
    assert.match(out.headers.get('set-cookie'), /^aragora_session=; Path=\/; Max-Age=0; /);
    assert.equal((await get(server, '/api/auth/me', page)).status, 401);
  });

  test('the operator sees whose debates run, not what they are about, and stops one', async (t) => {
    const TOKEN = 'the-operator-has-a-token';
    const own = await startServer(t, { env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_DEMO_TOKEN_RATE: '2' } });
    const operator = { Authorization: `Bearer ${TOKEN}` };
    const { json: { access_token: token } } = await post(own, '/api/auth/register',
      { email: 'carl@example.org', password: 'carl has a long password' });
    const carl = { Authorization: `Bearer ${token}` };
    const { json: { id } } = await post(own, '/api/debates', { task: `${CANARY} of a debate`, agents: 'demo,demo' }, carl);
    assert.equal((await get(own, '/api/system/debates', carl)).status, 403);
    assert.equal((await post(own, `/api/system/debates/${id}/cancel`, {}, carl)).status, 403);
    assert.equal((await get(own, `/api/debates/${id}`, operator)).status, 404);
    const { json, text } = await get(own, '/api/system/debates', operator);
    assert.deepEqual(json.debates.map((one) => one.debate_id), [id]);
    assert.ok(!text.includes(CANARY));
    assert.equal((await post(own, `/api/system/debates/${id}/cancel`, {}, operator)).status, 200);
    await own.line(/action=debate\.cancel outcome=ok/); // noted by itself, beside the answer
    assert.match((await get(own, `/api/debates/${id}`, carl)).json.status, /cancelled|running/);
  });
});
