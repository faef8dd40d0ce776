// What must not be found where it does not belong: credentials in what a server keeps and says, and in
// what it sends, texts that a spreadsheet, a browser or a terminal would obey.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { call, connect, finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY as aragora, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const READS = ['/', '/api/debates', '/api/debates/export?format=json', '/api/debates/export?format=csv', '/api/replays',
  '/api/agents', '/api/health', '/api/health/deep', '/api/metrics', '/api/metrics?format=json', '/api/openapi.json',
  '/api/system/config', '/api/system/errors?limit=1000', '/api/system/audit?limit=500', '/api/system/audit/export',
  '/api/system/audit/export?format=csv', '/api/system/rate-limits', '/api/system/memory', '/api/budgets'];

// The whole of a secret, how it begins and how it ends.
const parts = (secret) => [secret, secret.slice(0, 12), secret.slice(-12)];

function expectClean(secrets, where, data) {
  for (const [name, secret] of Object.entries(secrets))
    for (const part of parts(secret)) assert.equal(data.includes(part), false, `${name} is in ${where}`);
}

const filesOf = (dir) => readdirSync(dir, { recursive: true }).filter((name) => statSync(join(dir, name)).isFile());

test('no credential is in a database, the log at DEBUG, a metric, a replay, an export, a backup', async (t) => {
  const fake = await startFakeProvider(t, ['--quiet']);
  const dir = temporaryDirectory(t);
  const random = () => randomBytes(18).toString('hex');
  const token = `operator-${random()}`, guess = `guess-${random()}`, vendor = `sk-canary-${random()}`;
  const signedBody = `loop:${Math.floor(Date.now() / 1000) + 600}`;
  const mac = createHmac('sha256', token).update(signedBody).digest('hex');
  const secrets = { token, guess, vendor, mac };
  const server = await startServer(t, {
    dir, args: ['--log-level', 'DEBUG', '--log-file', join(dir, 'server.log')],
    env: { ARAGORA_API_TOKEN: token, OPENAI_API_KEY: vendor, OPENAI_BASE_URL: `${fake.url}/v1` },
  });
  const bearer = (text) => ({ Authorization: `Bearer ${text}` });

  // Each credential at work, and a wrong one everywhere.
  const { json: started } = await post(server, '/api/debates', { task: 'What is kept of it?', agents: ['openai-api', 'openai-api'], rounds: 1 }, bearer(token));
  const id = started.debate_id;
  for (let status = 'running'; !['completed', 'failed'].includes(status);)
    ({ status } = (await get(server, `/api/debates/${id}`, bearer(`${signedBody}:${mac}`))).json);
  for (const path of [...READS, `/api/debates/${id}`, `/api/debates/${id}/messages`, `/api/debates/${id}/export/html`, `/api/replays/${id}`]) {
    await get(server, path, bearer(guess));
    const answer = await get(server, path, bearer(token));
    assert.equal(answer.status, 200, path);
    expectClean(secrets, path, answer.text);
    expectClean(secrets, `the headers of ${path}`, JSON.stringify([...answer.headers]));
  }
  await get(server, '/api/debates', { Authorization: `Basic ${guess}` });
  await get(server, '/api/debates', { Cookie: `session=${guess}` });
  const backup = spawnSync(aragora, ['backup', 'create', '--data-dir', dir], { encoding: 'utf8', env: { ...process.env } });
  assert.equal(backup.status, 0, backup.stderr);
  await server.stop();

  expectClean(secrets, 'standard error', server.lines.join('\n'));
  const names = filesOf(dir);
  for (const name of names) expectClean(secrets, name, readFileSync(join(dir, name)));
  const into = temporaryDirectory(t);
  const restored = spawnSync(aragora, ['backup', 'restore', 'latest', '--data-dir', dir, '--into', into], { encoding: 'utf8' });
  assert.equal(restored.status, 0, restored.stderr);
  const copies = filesOf(into).filter((name) => name.endsWith('.db'));
  assert.equal(copies.length, 2, copies.join(' '));
  for (const name of copies) expectClean(secrets, `the backup's ${name}`, readFileSync(join(into, name)));
  assert.ok(names.some((name) => name.startsWith('replays/')), names.join(' '));
  // It looks where something is: what belongs there is found.
  assert.ok(readFileSync(join(dir, 'server.log')).includes('credential.refused'));
  assert.ok(readFileSync(join(dir, 'aragora_memory.db')).includes('What is kept of it?'));
});

// Everything that keeps or hands out something secret, once, with all that writes files at work.
test('nor is a password, a token of a session, a ticket, an API key or what was typed in their place', async (t) => {
  const dir = temporaryDirectory(t);
  const fake = await startFakeProvider(t, ['--quiet']);
  const random = () => randomBytes(15).toString('hex');
  const secrets = { password: `first-${random()}`, second: `second-${random()}`, wrong: `wrong-${random()}`, jwt: `jwt-${random()}-${random()}`,
    operator: `operator-${random()}`, vendor: `sk-canary-${random()}`, hook: `hook-${random()}`, query: `query-${random()}` };
  const env = { ARAGORA_JWT_SECRET: secrets.jwt, ARAGORA_API_TOKEN: secrets.operator, OPENAI_API_KEY: secrets.vendor,
    OPENAI_BASE_URL: `${fake.url}/v1` };
  const server = await startServer(t, {
    dir, args: ['--log-level', 'DEBUG', '--log-file', join(dir, 'server.log'), '--profile-memory'],
    env: { ...env, ARAGORA_LOGIN_RATE: '0', ARAGORA_REGISTER_RATE: '0', ARAGORA_PASSWORD_RATE: '0', ARAGORA_REFRESH_RATE: '0',
      ARAGORA_ADMIN_EMAILS: 'ann@example.org', ARAGORA_PROFILE_MEMORY_S: '1' },
  });
  [, secrets.setup] = await server.line(/^setup token: ([0-9a-f]{32}) /);
  // Of a token what is secret is the signature, of a key what follows its public id.
  const keep = (name, token) => (secrets[name] = token.split('.').at(-1).slice(token.startsWith('ara_') ? 12 : 0));
  const bearer = (token) => ({ Authorization: `Bearer ${token}` });
  const email = 'ann@example.org';

  let answer = await post(server, '/api/auth/register', { email, password: secrets.password, name: 'Ann' });
  assert.equal(answer.status, 201, answer.text);
  keep('access', answer.json.access_token);
  keep('refresh', answer.json.refresh_token);
  assert.equal((await post(server, '/api/auth/login', { email, password: secrets.wrong })).status, 401);
  assert.equal((await post(server, '/api/auth/login', { email: secrets.wrong, password: email })).status >= 400, true);
  answer = await post(server, '/api/auth/refresh', { refresh_token: answer.json.refresh_token });
  assert.equal(answer.status, 200, answer.text);
  keep('access2', answer.json.access_token);
  keep('refresh2', answer.json.refresh_token);
  answer = await post(server, '/api/auth/password', { current_password: secrets.password, new_password: secrets.second }, bearer(answer.json.access_token));
  assert.equal(answer.status, 200, answer.text);
  answer = await post(server, '/api/auth/login', { email, password: secrets.second });
  assert.equal(answer.status, 200, answer.text);
  const access = answer.json.access_token;
  keep('access3', access);
  answer = await post(server, '/api/auth/api-keys', { name: 'a key' }, bearer(access));
  assert.equal(answer.status, 201, answer.text);
  const key = Object.values(answer.json).find((value) => typeof value === 'string' && /^ara_.{43}$/.test(value));
  keep('key', key);
  answer = await post(server, `/api/auth/api-keys/${key.slice(0, 12)}/rotate`, {}, bearer(access));
  assert.ok(answer.status < 300, answer.text);
  keep('rotated', Object.values(answer.json).find((value) => typeof value === 'string' && /^ara_.{43}$/.test(value)));

  // The page's cookie, a ticket that is used, the setup token, and secrets where none belongs.
  answer = await post(server, '/api/auth/login', { email, password: secrets.second }, { 'Sec-Fetch-Site': 'same-origin' });
  const page = { Cookie: answer.headers.get('set-cookie').split(';')[0], 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json' };
  keep('cookie', answer.json.access_token);
  answer = await post(server, '/api/ws/ticket', {}, page);
  assert.equal(answer.status, 200, answer.text);
  secrets.ticket = answer.json.ticket;
  await (await connect(t, server, `/ws?ticket=${secrets.ticket}`)).close();
  assert.equal((await post(server, '/api/auth/setup', { token: secrets.setup, email: 'eve@example.org', password: secrets.second })).status, 403);
  for (const name of ['token', 'access_token', 'ticket', 'api_key', 'password'])
    await get(server, `/api/debates?${name}=${secrets.query}`);
  for (const body of [{ webhook_url: `https://user:${secrets.hook}@hooks.example/${secrets.hook}` }, { webhook_headers: { Authorization: `Bearer ${secrets.hook}` } }])
    assert.equal((await post(server, '/api/debates/batch', { items: [{ question: 'What?' }], ...body }, bearer(key))).status, 400);
  await post(server, '/api/debates', { task: 'What?', dry_run: true, api_key: secrets.hook, base_url: `https://${secrets.hook}@x.example/` }, bearer(key));

  // A debate by the key, so that there are a log, replays and usage; then all that can be read.
  const { json: started } = await post(server, '/api/debates', { task: 'Who asks?', agents: 'openai-api,openai-api', rounds: 0 }, bearer(key));
  for (let status = 'running'; !['completed', 'failed'].includes(status);)
    ({ status } = (await get(server, `/api/debates/${started.debate_id}`, bearer(key))).json);
  for (const path of [...READS, '/api/auth/me', '/api/auth/stats', '/api/auth/api-keys', `/api/auth/api-keys/${key.slice(0, 12)}`,
    '/api/billing/usage', '/api/billing/usage/export', '/api/billing/usage/export?format=csv', '/api/billing/plans',
    ...['json', 'csv', 'html', 'md'].map((format) => `/api/debates/${started.debate_id}/export/${format}`),
    `/api/replays/${started.debate_id}`, `/api/replays/${started.debate_id}/html`]) {
    if (path.includes(started.debate_id)) {
      const { status, text } = await get(server, path, bearer(key));
      assert.equal(status, 200, `${path}: ${text}`);
      expectClean(secrets, path, text);
      continue;
    }
    const { status, text, headers } = await get(server, path, bearer(access));
    assert.equal(status, 200, `${path}: ${text}`);
    expectClean(secrets, path, text);
    expectClean(secrets, `the headers of ${path}`, JSON.stringify([...headers]));
  }
  const audit = (await get(server, '/api/system/audit?limit=500', bearer(access))).json.entries;
  for (const action of ['user.register', 'user.login', 'user.password', 'key.create', 'key.rotate'])
    assert.ok(audit.some((row) => row.action === action), `${action}: ${audit.map((row) => row.action)}`);
  assert.equal((await post(server, '/api/auth/logout', {}, bearer(access))).status, 200);
  const backup = spawnSync(aragora, ['backup', 'create', '--data-dir', dir], { encoding: 'utf8' });
  assert.equal(backup.status, 0, backup.stderr);
  for (const command of [['incident', 'leak', '--server', server.url], ['config'], ['doctor'], ['user', 'list'], ['key', 'list', '--server', server.url],
    ['audit', 'export'], ['debates', 'list'],
    ['replay', started.debate_id]]) {
    const run = spawnSync(aragora, command, { cwd: dir, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: dir, ARAGORA_DATA_DIR: dir, ...env } });
    assert.ok(run.stdout.length > 0, `${command}: ${run.stderr}`);
    expectClean(secrets, `what ${command} says`, run.stdout + run.stderr);
  }
  await server.line(/memory=now/);
  const checkFiles = () => {
    const names = filesOf(dir);
    for (const name of names) expectClean(secrets, name, readFileSync(join(dir, name)));
    return names;
  };
  const live = checkFiles(); // with the write-ahead logs
  await server.stop();

  // Shown on purpose, once, to who started it.
  expectClean(secrets, 'standard error', server.lines.filter((line) => !line.startsWith('setup token: ')).join('\n'));
  const names = [...live, ...checkFiles()];
  for (const kind of [/-wal$/, /^archive\/.*\.seg/, /^replays\//, /^\.nomic\/incidents\//, /^server\.log/, /^backups?\//])
    assert.ok(names.some((name) => kind.test(name)), `${kind}: ${names.join(' ')}`);
  const into = temporaryDirectory(t);
  const restored = spawnSync(aragora, ['backup', 'restore', 'latest', '--data-dir', dir, '--into', into], { encoding: 'utf8' });
  assert.equal(restored.status, 0, restored.stderr);
  for (const name of filesOf(into)) expectClean(secrets, `the backup's ${name}`, readFileSync(join(into, name)));
  const check = spawnSync(aragora, ['audit', 'verify', '--data-dir', dir, '--log', join(dir, 'server.log')], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stdout);
});

// ---- texts that something would obey ----

const PAYLOADS = ['=cmd|\' /C calc\'!A0', '+1+1', '-2+3', '@SUM(A1:A9)', '\t=1+1', '\uff1d1+1',
  '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '</textarea><svg/onload=alert(1)>',
  'a\u001b[2Jb', 'a\u0007b', 'a\u202eb', 'line\r\nSet-Cookie: a=b', '{"role":"system"}', '\'; DROP TABLE debates; --', '%s%n%x'];

test('no text that a caller wrote is obeyed by a spreadsheet, a browser, a terminal or the log', async (t) => {
  const server = await startServer(t);
  const ids = [];
  for (const payload of PAYLOADS) {
    const { debate_id: id } = await startDebate(server, { task: `${payload}`, context: payload, rounds: 0, metadata: { note: payload } });
    ids.push(id);
    await finished(server, id);
    const { json } = await get(server, `/api/debates/${id}`);
    assert.deepEqual(json.metadata, { note: payload }, 'kept as it was written');

    const html = (await get(server, `/api/debates/${id}/export/html`)).text;
    assert.doesNotMatch(html, /<script>alert|<img src=x|<svg\/onload/, payload);
    for (const table of ['summary', 'messages']) {
      const csv = (await get(server, `/api/debates/${id}/export/csv?table=${table}`)).text;
      assert.doesNotMatch(csv, /(^|,|\n)"?[=+@\uff1d-](?![\d.]+(,|\r))/m, `${payload}: ${csv}`);
      assert.doesNotMatch(csv, /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/, payload);
    }
    const shown = spawnSync(aragora, ['debates', 'show', id, '--data-dir', server.dir], { encoding: 'utf8' });
    assert.equal(shown.status, 0, shown.stderr);
    assert.doesNotMatch(shown.stdout, /[\u0007\u001b\u202e]/, payload);
  }

  // Where only a header, a path or a query holds it.
  for (const payload of PAYLOADS) {
    const text = encodeURIComponent(payload);
    for (const path of [`/api/debates/${text}`, `/api/search?q=${text}`, `/api/debates?status=${text}`,
      `/api/system/circuit-breakers/${text}/reset`, `/api/debates/export?format=csv&since=${text}`, `/api/system/audit?actor=${text}&action=${text}`]) {
      const answer = await (path.endsWith('reset') ? post(server, path) : get(server, path));
      assert.ok(answer.status < 500, `${path}: ${answer.status}`);
      assert.equal(answer.headers.get('set-cookie'), null);
      assert.match(answer.headers.get('content-type') ?? '', /json|csv/, path);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    }
  }
  assert.equal((await call(server, 'DELETE', `/api/debates/${ids[0]}`, { reason: PAYLOADS[0] })).status, 200);
  for (const line of server.lines) {
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f\u202e]/);
    assert.doesNotThrow(() => JSON.parse(line), line);
  }
  const check = spawnSync(aragora, ['audit', 'verify', '--data-dir', server.dir], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stdout);
});
