// SIGHUP: the log file is opened anew, agents and key files are read anew, and what is wrong changes
// nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';

import { collectEvents, finished, get, startDebate } from './lib/client.mjs';
import { BINARY, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const KEY = 'test-key-0123456789';

// Sends SIGHUP and waits for the line that tells of it, past those of earlier ones.
async function reload(server, pattern) {
  const before = server.lines.length;
  server.child.kill('SIGHUP');
  for (;;) {
    const at = server.lines.slice(before).find((line) => /reload=(done|failed)/.test(line));
    if (at) {
      assert.match(at, pattern);
      return at;
    }
    await new Promise((wake) => server.waiters.push(wake));
  }
}

function writeAgents(path, agents) {
  writeFileSync(path, typeof agents === 'string' ? agents : JSON.stringify({ agents }));
}

// A provider behind a door that only KEY opens.
async function startGate(t, provider) {
  const gate = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${KEY}`) {
      response.writeHead(401, { 'Content-Type': 'application/json' });
      response.end('{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}');
      return;
    }
    const options = { method: request.method, headers: request.headers };
    request.pipe(httpRequest(provider.url + request.url, options, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }));
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  t.after(() => gate.close());
  return { url: `http://127.0.0.1:${gate.address().port}` };
}

const agentOf = async (server, type) =>
  (await get(server, '/api/agents')).json.agents.find((agent) => agent.type === type);

const row = (type, provider, more = {}) =>
  ({ type, provider: 'acme', model: 'fake-1', wire: 'openai', base_url: `${provider.url}/v1`, key_variable: 'ACME_KEY', ...more });

test('the log file is opened anew after it was moved away', async (t) => {
  const dir = temporaryDirectory(t);
  const log = join(dir, 'server.log');
  const server = await startServer(t, { dir, args: ['--log-file', log] });
  renameSync(log, `${log}.1`);
  await get(server, '/api/agents', { 'X-Request-ID': 'before-the-signal' });
  await reload(server, /reload=done agents=unchanged/);
  await get(server, '/api/agents', { 'X-Request-ID': 'after-the-signal' });
  const [moved, fresh] = [`${log}.1`, log].map((file) => readFileSync(file, 'utf8'));
  assert.match(moved, /before-the-signal/);
  assert.doesNotMatch(moved, /after-the-signal/);
  assert.match(fresh, /reload=done/);
  assert.match(fresh, /after-the-signal/);
  for (const line of (moved + fresh).trimEnd().split('\n')) JSON.parse(line);
});

test('a log file that cannot be opened anew is written on', async (t) => {
  const dir = temporaryDirectory(t);
  const log = join(dir, 'logs');
  const server = await startServer(t, { dir, args: ['--log-file', log] });
  renameSync(log, `${log}.1`);
  mkdirSync(log); // a directory stands where the file was
  await reload(server, /reload=failed field=log_file error=\\?"cannot open the log file .*Is a directory/);
  await server.line(/reload=done/);
  await get(server, '/api/agents', { 'X-Request-ID': 'after-the-signal' });
  assert.match(readFileSync(`${log}.1`, 'utf8'), /after-the-signal/);
});

describe('the agents', () => {
  test('are read anew, and one line tells what changed', async (t) => {
    const provider = await startFakeProvider(t, ['--quiet']);
    const dir = temporaryDirectory(t);
    const file = join(dir, 'agents.json');
    writeAgents(file, [row('mine', provider, { price_input_usd: 1, price_output_usd: 2 }), row('old', provider)]);
    const server = await startServer(t, { dir, env: { ACME_KEY: KEY }, args: ['--agents-file', file] });
    assert.equal((await agentOf(server, 'mine')).price.input_usd_per_million_tokens, 1);
    writeAgents(file, [row('mine', provider, { model: 'fake-2', price_input_usd: 3, price_output_usd: 2 }), row('new', provider)]);
    const line = await reload(server, /reload=done agents added=new removed=old changed=mine\(model,price\)/);
    assert.doesNotMatch(line, new RegExp(KEY));
    const mine = await agentOf(server, 'mine');
    assert.deepEqual([mine.model, mine.price.input_usd_per_million_tokens], ['fake-2', 3]);
    assert.equal(await agentOf(server, 'old'), undefined);
    const { id } = await startDebate(server, { task: 'Who are you?', agents: ['mine', 'new'], rounds: 0 });
    const debate = await finished(server, id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.deepEqual(debate.turns.filter((turn) => turn.agent === 'mine').map((turn) => turn.model).at(0), 'fake-2');
    await reload(server, /reload=done agents=unchanged/);
  });

  test('stay as they were when the file is broken, and the log names the field', async (t) => {
    const provider = await startFakeProvider(t, ['--quiet']);
    const dir = temporaryDirectory(t);
    const file = join(dir, 'agents.json');
    writeAgents(file, [row('mine', provider)]);
    const server = await startServer(t, { dir, env: { ACME_KEY: KEY }, args: ['--agents-file', file] });
    const before = (await get(server, '/api/agents')).json;
    for (const [text, pattern] of [
      [[row('mine', provider), row('other', provider, { wire: 'telegraph' })], /reload=failed agents_file=\S+agents.json field=agents\[1\]\.wire error=/],
      [[row('mine', provider, { price: 1 })], /field=agents\[0\]\.price error=.*is not a field/],
      ['{"agents": [', /reload=failed .* error=\\?".*line 1/],
    ]) {
      writeAgents(file, text);
      await reload(server, pattern);
      assert.deepEqual((await get(server, '/api/agents')).json, before);
    }
    writeAgents(file, [row('mine', provider, { model: 'fake-2' })]);
    await reload(server, /reload=done agents changed=mine\(model\)/);
  });

  test('have the key that their file holds now, also where the old one was refused', async (t) => {
    const provider = await startGate(t, await startFakeProvider(t, ['--quiet']));
    const dir = temporaryDirectory(t);
    const [file, key] = [join(dir, 'agents.json'), join(dir, 'key')];
    writeFileSync(key, 'revoked-key-0123456789\n', { mode: 0o600 });
    writeAgents(file, [row('mine', provider)]);
    const server = await startServer(t, { dir, env: { ACME_KEY_FILE: key }, args: ['--agents-file', file] });
    const ask = async () => {
      const { id } = await startDebate(server, { task: 'Who are you?', agents: ['mine', 'mine'], rounds: 0 });
      return finished(server, id);
    };
    assert.equal((await ask()).status, 'failed');
    const breaker = async () => (await get(server, '/api/circuit-breakers')).json.circuit_breakers.mine;
    assert.match((await breaker()).misconfigured, /Incorrect API key/);
    writeFileSync(key, `${KEY}\n`);
    await reload(server, /reload=done agents changed=mine\(key\)/);
    const debate = await ask();
    assert.equal(debate.status, 'completed', debate.error);
    assert.equal((await breaker()).misconfigured, undefined);
    writeFileSync(key, '');
    await reload(server, /reload=failed .*field=ACME_KEY_FILE error=.*is empty/);
    assert.equal((await ask()).status, 'completed');
  });

  test('of a running debate: the turn under way goes on, the next one asks as the new file says', async (t) => {
    const slow = await startFakeProvider(t, ['--token-rate', '60']);
    const quick = await startFakeProvider(t);
    const dir = temporaryDirectory(t);
    const file = join(dir, 'agents.json');
    writeAgents(file, [row('mine', slow)]);
    const server = await startServer(t, { dir, env: { ACME_KEY: KEY }, args: ['--agents-file', file] });
    const { id } = await startDebate(server, { task: 'Who are you?', agents: ['mine', 'mine'], rounds: 1 });
    await collectEvents(server, id, { until: (frame) => frame.type === 'attempt_start' });
    await slow.line(/chat\/completions/);
    writeAgents(file, [row('mine', quick)]);
    await reload(server, /changed=mine\(base_url\)/);
    const debate = await finished(server, id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.equal(debate.degraded, false);
    const asked = (provider) => provider.lines.filter((line) => /chat\/completions/.test(line)).length;
    assert.equal(asked(slow), 2);
    assert.ok(asked(quick) > 0);
  });
});

// A server in the foreground must not go on without its terminal: there the signal is the kernel's.
test('a terminal that closes still stops it', async (t) => {
  const dir = temporaryDirectory(t);
  const log = join(dir, 'server.log');
  writeFileSync(log, '');
  const command = `exec ${BINARY} server --port 0 --ws-port 0 --data-dir ${dir} --log-file ${log}`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'ignore', 'ignore'], cwd: dir });
  t.after(() => terminal.kill('SIGKILL'));
  const until = (pattern) => new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      watcher.close();
      settle(value);
    };
    const look = () => {
      const match = pattern.exec(readFileSync(log, 'utf8'));
      if (match) end(resolve, match);
    };
    const watcher = watch(log, look);
    const timer = setTimeout(() => end(reject, new Error(`no ${pattern} in ${readFileSync(log, 'utf8')}`)), 30_000);
    look();
  });
  const [, pid] = await until(/ready version=.* pid=(\d+)/);
  t.after(() => {
    if (existsSync(`/proc/${pid}`)) process.kill(Number(pid), 'SIGKILL');
  });
  terminal.kill('SIGKILL'); // the terminal's other end is gone with it
  await until(/"stopped"/);
});
