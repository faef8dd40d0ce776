// `aragora runbook check`: green against a fresh server, and red with the right line when a metric, an
// endpoint or a file is not as the runbook says. A proxy in between takes one thing away at a time.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { get } from './lib/client.mjs';
import { Process, freePort, startServer, temporaryDirectory } from './lib/server.mjs';

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
let wsPort;
before(async () => {
  wsPort = await freePort();
  const dir = temporaryDirectory();
  server = await startServer(suite, { dir, wsPort, env: { ARAGORA_LOG_FILE: join(dir, 'server.log') } });
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

// {code, checks, lines} of one run against `url`.
async function check(url, { args = [], env = {} } = {}) {
  const own = { ARAGORA_WS_PORT: String(wsPort), ARAGORA_LOG_FILE: join(server.dir, 'server.log'), ...env };
  const run = new Process(['runbook', 'check', '--json', '--server', url, ...args], { dir: server.dir, env: own });
  const { code } = await run.end();
  run.checkSanitizers();
  return { code, ...JSON.parse(run.lines.join('\n')) };
}

const endpointOf = (check) => /^GET (\/api\/[^ ?]+)/.exec(check)?.[1];
const failed = (answer) => answer.checks.filter(({ status }) => status === 'fail');

// Passes everything on but what `change` answers itself: change(path, {status, text}) gives either back.
async function startProxy(t, change) {
  const proxy = createServer((incoming, outgoing) => {
    const onward = request(server.url + incoming.url, { method: incoming.method, agent: false }, async (answer) => {
      const pieces = [];
      for await (const piece of answer) pieces.push(piece);
      const given = { status: answer.statusCode, text: Buffer.concat(pieces).toString() };
      const { status, text } = change(incoming.url, given) || given;
      outgoing.writeHead(status, { 'Content-Type': answer.headers['content-type'] ?? 'text/plain' });
      outgoing.end(incoming.method === 'HEAD' ? undefined : text);
    });
    onward.end();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${proxy.address().port}`;
}

const without = (metric) => (path, { status, text }) =>
  path === '/api/metrics' && { status, text: text.split('\n').filter((line) => !new RegExp(`^(# (HELP|TYPE) )?${metric}(_bucket|_sum|_count)?[ {]`).test(line)).join('\n') };
const gone = (endpoint) => (path) =>
  path.split('?')[0] === endpoint && { status: 404, text: JSON.stringify({ error: 'No such resource', code: 'NOT_FOUND' }) };
const edited = (endpoint, edit) => (path, { status, text }) =>
  path.split('?')[0] === endpoint && text && { status, text: JSON.stringify(edit(JSON.parse(text))) };

describe('aragora runbook check', () => {
  test('is green against a fresh server', async () => {
    const answer = await check(server.url);
    assert.deepEqual(failed(answer), []);
    assert.equal(answer.code, 0);
    assert.equal(answer.ok, true);
    assert.equal(answer.held + answer.failed + answer.skipped, answer.checks.length);
    for (const { status, message } of answer.checks) assert.ok(status !== 'skip' || message);
    // What may be skipped: what changes something, what this machine has not, what 501 names, and who
    // is logged in, since nobody is.
    for (const { check, status, message } of answer.checks)
      if (status === 'skip')
        assert.match(message, /^(it changes|they end|the program is not|the file is not|GET \/api\/billing\/\S+ answers 501|GET \/api\/auth\/me answers 40[14])/, check);
  });

  const METRICS = [
    'aragora_debates_total', 'aragora_debates_completed', 'aragora_agent_response_seconds',
    'aragora_tokens_used_total', 'aragora_ws_connections_active', 'aragora_circuit_breaker_state', 'aragora_debates_failed',
  ];
  for (const metric of METRICS)
    test(`is red when ${metric} is not there`, async (t) => {
      const answer = await check(await startProxy(t, without(metric)));
      assert.equal(answer.code, 8);
      const lines = failed(answer);
      assert.ok(lines.some(({ section, check }) => section === 'Monitoring & Observability' && check === metric));
      for (const { message } of lines) assert.match(message, new RegExp(metric));
    });

  test('is red for every endpoint that is not there, and for that one alone', async (t) => {
    const all = await check(server.url);
    const endpoints = all.checks.map(({ check }) => endpointOf(check))
      .filter((path) => path && !/^\/api\/(metrics|auth|billing)/.test(path));
    assert.ok(endpoints.length >= 10, endpoints.join(' '));
    for (const endpoint of endpoints) {
      const answer = await check(await startProxy(t, gone(endpoint)));
      assert.equal(answer.code, 8);
      for (const { check, message } of failed(answer)) {
        assert.ok(check.includes(endpoint), `${endpoint}: ${check}`);
        assert.match(message, /answers 404/);
      }
      assert.ok(failed(answer).length > 0);
    }
  });

  const EDITS = {
    'a field that is gone': ['/api/health', ({ uptime, ...rest }) => rest, 'uptime is not number'],
    'a field of another type': ['/api/debates', (body) => ({ ...body, debates: {} }), 'debates is not array'],
    'a field of an entry': ['/api/system/circuit-breakers', ({ breakers: [{ agent, ...first }, ...rest] }) => ({ breakers: [first, ...rest] }), 'breakers[].agent is not text'],
    'a field of a value': ['/api/circuit-breakers', (body) => ({ ...body, circuit_breakers: { demo: {} } }), 'circuit_breakers{}.status is not text'],
  };
  for (const [name, [endpoint, edit, words]] of Object.entries(EDITS))
    test(`is red for ${name}`, async (t) => {
      const answer = await check(await startProxy(t, edited(endpoint, edit)));
      assert.equal(answer.code, 8);
      assert.deepEqual(failed(answer).map(({ message }) => message), [words]);
    });

  test('is red when an alert would divide series with other labels', async (t) => {
    const change = (path, { status, text }) =>
      path === '/api/metrics' && { status, text: text.replace(/^aragora_debates_failed /m, 'aragora_debates_failed{why="x"} ') };
    const answer = await check(await startProxy(t, change));
    assert.deepEqual(failed(answer).map(({ check }) => check), ['alert HighErrorRate']);
  });

  test('is red when nothing takes WebSockets on the second port', async () => {
    const answer = await check(server.url, { args: ['--ws-port', String(await freePort())] });
    assert.equal(answer.code, 8);
    assert.deepEqual(failed(answer).map(({ check }) => check), ['wscat -c ws://HOST:8765']);
    // The port is open, but it speaks something else.
    const plain = createServer((_, response) => response.end('hello'));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const other = await check(server.url, { args: ['--ws-port', String(plain.address().port)] });
    plain.closeAllConnections();
    plain.close();
    assert.match(failed(other)[0].message, /takes no WebSocket: HTTP\/1.1 200/);
  });

  const lineOf = (answer, name) => answer.checks.find(({ check }) => check === name);
  test('looks at the port and the log file that the server says it has', async (t) => {
    // What another server would have by default, or by the variables here, is none of it.
    const other = createServer((_, response) => response.end('hello'));
    const asked = [];
    other.on('connection', () => asked.push(1));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const env = { ARAGORA_WS_PORT: String(other.address().port), ARAGORA_LOG_FILE: join(server.dir, 'none.log') };
    const answer = await check(server.url, { env });
    assert.deepEqual(failed(answer), []);
    for (const name of ['wscat -c ws://HOST:8765', 'grep /var/log/aragora/server.log']) assert.equal(lineOf(answer, name).status, 'ok');
    assert.deepEqual(asked, []);
    const silent = await startServer(t, {});
    const none = await check(silent.url, { env, args: ['--data-dir', silent.dir] });
    assert.match(lineOf(none, 'grep /var/log/aragora/server.log').message, /there is no log file/);
    assert.match(lineOf(none, 'wscat -c ws://HOST:8765').message, /no second port/);
  });

  test('asks no port that neither the server nor anybody here names', async (t) => {
    const proxy = await startProxy(t, gone('/api/system/config'));
    const run = new Process(['runbook', 'check', '--json', '--server', proxy], { dir: server.dir });
    await run.end();
    const answer = JSON.parse(run.lines.join('\n'));
    assert.equal(lineOf(answer, 'wscat -c ws://HOST:8765').status, 'skip');
  });

  test('is red for a database that is damaged, and a log that is none', async () => {
    const dir = temporaryDirectory();
    writeFileSync(join(dir, 'broken.db'), 'no database');
    writeFileSync(join(dir, 'broken.log'), 'no json\n');
    const answer = await check(server.url, { args: ['--elo-path', join(dir, 'broken.db'), '--log-file', join(dir, 'broken.log')] });
    assert.deepEqual(failed(answer).map(({ check }) => check), ['grep /var/log/aragora/server.log', 'aragora_elo.db: WAL mode, integrity_check']);
  });

  test('says which line needs the token', async (t) => {
    const token = 'open-sesame-0123456789';
    const port = await freePort(); // the other server does not know this token
    const closed = await startServer(t, { wsPort: port, env: { ARAGORA_API_TOKEN: token } });
    const answer = await check(closed.url);
    assert.equal(answer.code, 8);
    assert.ok(failed(answer).some(({ check, message }) => /\/api\/debates/.test(check) && /401.*ARAGORA_API_TOKEN/.test(message)));
    const with_it = await check(closed.url, { env: { ARAGORA_API_TOKEN: token, ARAGORA_WS_PORT: String(port) } });
    assert.deepEqual(failed(with_it), []);
  });

  test('prints a line each, and what it can do', async () => {
    const run = new Process(['runbook', 'check', '--server', server.url, '--data-dir', server.dir], { dir: server.dir, env: { ARAGORA_WS_PORT: String(wsPort) } });
    assert.equal((await run.end()).code, 0);
    assert.ok(run.lines.includes('ok    Quick Start: GET /api/health'));
    assert.match(run.lines.at(-1), /^\d+ hold, 0 fail, \d+ skipped$/);
    const nobody = new Process(['runbook', 'check', '--server', `http://127.0.0.1:${await freePort()}`], { dir: server.dir });
    assert.equal((await nobody.end()).code, 4);
    const wrong = new Process(['runbook', 'read'], { dir: server.dir });
    assert.equal((await wrong.end()).code, 2);
    assert.equal((await get(server, '/api/health')).json.status, 'healthy');
  });
});
