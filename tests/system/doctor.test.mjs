// `aragora doctor`: what it finds, with the fix; never a key.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { freePort, Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

async function run(t, { dir = temporaryDirectory(t), args = ['--offline'], env = {}, ports } = {}) {
  const [port, wsPort] = ports ?? [await freePort(), 0];
  const child = new Process(['doctor', '--json', '--port', String(port), '--ws-port', String(wsPort), ...args], { dir, env });
  const { code } = await child.end();
  const body = JSON.parse(child.lines.join('\n'));
  const of = (check) => body.checks.filter((row) => row.check === check);
  assert.equal(code, body.ok ? 0 : 8);
  return { code, body, of, text: child.lines.join('\n') };
}

const hasBothLoopbacks = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');

describe('aragora doctor', () => {
  test('has nothing to put right in an empty directory', async (t) => {
    const { code, body, of } = await run(t);
    assert.equal(code, 0);
    for (const check of ['configuration', 'environment', 'keys', 'agents', 'data', 'memory', 'elo', 'archive', 'disk', 'clock', 'descriptors', 'backup', 'port', 'provider'])
      assert.ok(of(check).length > 0, check);
    assert.equal(of('keys')[0].status, 'warn');
    assert.equal(body.failures, 0);
  });

  test('names every option that is wrong and every variable that nothing reads', async (t) => {
    const { code, of } = await run(t, { env: { ARAGORA_WORKERS: 'many', ARAGORA_HEDGE: 'perhaps', ARAGORA_WORKRES: '4', ARAGORA_API_URL: 'http://x' } });
    assert.equal(code, 8);
    assert.deepEqual(of('configuration').map((row) => [row.status, row.fix]),
      [['fail', 'correct ARAGORA_WORKERS, or unset it'], ['fail', 'correct ARAGORA_HEDGE, or unset it']]);
    assert.deepEqual(of('environment').map((row) => row.message), ['ARAGORA_WORKRES is set, and nothing reads it']);
    assert.equal(of('environment')[0].fix, 'did you mean ARAGORA_WORKERS?');
  });

  test('says which keys are there, and never what they are', async (t) => {
    const dir = temporaryDirectory(t);
    const key = 'sk-a-secret-that-nobody-may-see';
    writeFileSync(join(dir, 'good'), key, { mode: 0o600 });
    writeFileSync(join(dir, 'bad'), key);
    chmodSync(join(dir, 'bad'), 0o644);
    const good = await run(t, { env: { OPENAI_API_KEY_FILE: join(dir, 'good'), XAI_API_KEY: key, ARAGORA_API_TOKEN: key } });
    assert.equal(good.of('keys')[0].status, 'ok');
    assert.match(good.of('keys')[0].message, /OPENAI_API_KEY, XAI_API_KEY/);
    const bad = await run(t, { env: { OPENAI_API_KEY_FILE: join(dir, 'bad') } });
    assert.equal(bad.code, 8);
    assert.match(bad.of('keys')[0].message, /mode 0644/);
    for (const { text } of [good, bad]) assert.doesNotMatch(text, /sk-a-secret/);
  });

  test('knows its own server on a port from another program', async (t) => {
    const server = await startServer(t);
    const other = createServer((socket) => socket.end('nothing for you\r\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { code, of } = await run(t, { dir: server.dir, ports: [server.port, other.address().port] });
    assert.equal(code, 8);
    assert.deepEqual(of('port').map((row) => row.status), ['ok', 'fail']);
    assert.match(of('port')[0].message, /is served by aragora 1\.0\.0/);
    assert.match(of('port')[1].fix, /ARAGORA_WS_PORT/);
    assert.equal(of('memory')[0].status, 'ok'); // while the server has it open
  });

  test('finds a port free only where a start would', { skip: !hasBothLoopbacks && 'this machine has no ::1' }, async (t) => {
    const other = createServer().listen(0, '::1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address();
    const half = await run(t, { ports: [port, 0] }); // a server wants both loopbacks
    assert.equal(half.code, 8);
    assert.match(half.of('port')[0].message, new RegExp(`port ${port} is in use`));
    assert.match(half.of('port')[0].fix, /ARAGORA_PORT/);
    const named = await run(t, { env: { ARAGORA_HOST: 'ip6-localhost' } }); // a name is no address
    assert.match(named.of('port')[0].message, /ip6-localhost is no IPv4 or IPv6 address/);
    assert.match(named.of('port')[0].fix, /ARAGORA_HOST/);
  });

  test('reads the archive of commits, and names what is wrong with it', async (t) => {
    const server = await startServer(undefined, { dir: temporaryDirectory(t) });
    await finished(server, (await startDebate(server, { task: 'Kept?', agents: ['demo', 'demo'], rounds: 0 })).id);
    const beside = await run(t, { dir: server.dir, ports: [server.port, server.port] });
    assert.equal(beside.of('archive')[0].status, 'ok');
    await server.stop();
    const whole = (await run(t, { dir: server.dir })).of('archive')[0];
    assert.match(whole.message, /: [1-9]\d* commits in 1 files, none damaged or missing/);
    const [segment] = readdirSync(join(server.dir, 'archive'), { recursive: true }).filter((name) => name.endsWith('.seg'));
    const path = join(server.dir, 'archive', segment);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
    const damaged = (await run(t, { dir: server.dir })).of('archive')[0];
    assert.equal(damaged.status, 'warn');
    assert.match(damaged.message, /\.seg: is damaged: the record of commit \d+/);
    assert.match(damaged.fix, /aragora backup create/);
  });

  test('asks the providers unless told not to', async (t) => {
    const fake = await startFakeProvider(t);
    const env = { ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: fake.url };
    const asked = await run(t, { args: [], env });
    assert.ok(asked.of('provider').length > 0);
    for (const row of asked.of('provider')) assert.match(row.message, /: (ok|model_unknown)/);
    const silent = await run(t, { args: [], env: { ...env, ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' } });
    assert.equal(silent.code, 8);
    assert.match(silent.of('provider')[0].message, /unreachable/);
    const before = (await (await fetch(`${fake.url}/_fake/stats`)).json()).requests;
    const offline = await run(t, { env });
    assert.match(offline.of('provider')[0].message, /--offline/);
    assert.equal((await (await fetch(`${fake.url}/_fake/stats`)).json()).requests, before);
  });

  test('is a line each without a terminal', async (t) => {
    const child = new Process(['doctor', '--offline', '--port', '0', '--ws-port', '0'], { dir: temporaryDirectory(t) });
    assert.equal((await child.end()).code, 0);
    for (const line of child.lines.slice(0, -1)) assert.match(line, /^(ok|warn) {1,4}[a-z]+ +\S/);
    assert.match(child.lines.at(-1), /^\d+ ok, \d+ to look at, 0 to put right$/);
  });
});

test('an address that others reach wants credentials: a secret, or a user, is as good as a token', async (t) => {
  const dir = temporaryDirectory(t);
  const findings = async (env = {}) => {
    const { of } = await run(t, { dir, args: ['--offline', '--host', '0.0.0.0'], env });
    return of('configuration').map(({ status }) => status);
  };
  assert.deepEqual(await findings(), ['fail']);
  assert.deepEqual(await findings({ ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough' }), ['ok']);
  const refused = new Process(['server', '--host', '0.0.0.0', '--port', '0', '--ws-port', '0'], { dir });
  assert.equal((await refused.end()).code, 1);
  const made = new Process(['user', 'create', 'ann@example.org'], { dir });
  assert.equal((await made.end()).code, 0);
  assert.deepEqual(await findings(), ['ok']);
  const server = await startServer(t, { dir, args: ['--host', '0.0.0.0'] });
  const deep = (await get(server, '/api/health/deep')).json;
  assert.deepEqual(deep.checks.authentication, { healthy: true, enabled: true });
  assert.equal((await get(server, '/api/debates')).status, 401);
});
