// The server's log: one debate's id gives its whole story in order, the runbook's greps find what they
// look for, and nothing that others write can forge a line, a key or a terminal's escape.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

import { call, finished, get, post, startDebate } from './lib/client.mjs';
import { Process, freePort, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const KEY = 'sk-test-0123456789abcdef';

function scriptFile(rules) {
  const path = join(temporaryDirectory(), 'script.json');
  writeFileSync(path, JSON.stringify({ rules }));
  return path;
}

// A server over a fake provider, with its log in a file: {server, log(), story(id), grep(command)}.
async function startLogged(t, { rules = [], env = {} } = {}) {
  const fake = await startFakeProvider(t, ['--quiet', '--script', scriptFile(rules)]);
  const dir = temporaryDirectory();
  const file = join(dir, 'server.log');
  const server = await startServer(undefined, {
    dir,
    env: {
      ARAGORA_LOG_FILE: file,
      OPENAI_API_KEY: KEY,
      OPENAI_BASE_URL: `${fake.url}/v1`,
      OPENROUTER_BASE_URL: `${fake.url}/api/v1`,
      ARAGORA_BACKUP_HOURS: '0',
      ARAGORA_FULL_BACKUP_DAYS: '0',
      ...env,
    },
  });
  t.after(() => server.stop('SIGKILL'));
  const text = () => readFileSync(file, 'utf8');
  const lines = () => text().trimEnd().split('\n').map((line) => JSON.parse(line));
  return {
    server,
    file,
    text,
    lines,
    story: (id) => lines().filter((line) => JSON.stringify(line).includes(id)),
    // What a shell command of the runbook prints, on this file.
    shell: (command) =>
      execFileSync('bash', ['--norc', '-c', command.replaceAll('/var/log/aragora/server.log', file)], { encoding: 'utf8' }),
  };
}

const DEBATE = { task: 'Should we move?', agents: ['openai-api', 'openai-api', 'openai-api'], rounds: 1, fast_path: false };

// Each pattern after the one before it.
function checkOrder(story, patterns) {
  let at = 0;
  for (const pattern of patterns) {
    const found = story.slice(at).findIndex((line) => pattern.test(line.msg));
    assert.ok(found >= 0, `${pattern} not after line ${at}:\n${story.map((l) => l.msg).join('\n')}`);
    at += found + 1;
  }
}

async function answers(server, ms = 20_000) {
  for (const until = Date.now() + ms; ; ) {
    const ok = await get(server, '/healthz').then(({ status }) => status === 200, () => false);
    if (ok) return;
    if (Date.now() > until) throw new Error(`no answer:\n${server.lines.join('\n')}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

// The story is whole once its replay files are written, some time after its end.
async function untilLogged(log, id, pattern, ms = 20_000) {
  const until = Date.now() + ms;
  while (!log.story(id).some((line) => pattern.test(line.msg))) {
    if (Date.now() > until) throw new Error(`no ${pattern}:\n${log.text()}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

test("grep for one debate's id gives the whole story, in order", async (t) => {
  const log = await startLogged(t, {
    rules: [{ match: { kind: 'critique', nth: 1 }, fault: 'status-429-ms' }],
    env: { OPENROUTER_API_KEY: '' },
  });
  const { server } = log;
  const answer = await post(server, '/api/debates', DEBATE, { 'X-Request-ID': 'ticket-4711' });
  const { id } = answer.json;
  const debate = await finished(server, id);
  assert.equal(debate.status, 'completed');
  await untilLogged(log, id, /^replay=written/);
  await untilLogged(log, id, /^rating=/);
  const story = log.story(id).filter((line) => line.logger !== 'http');

  checkOrder(story, [
    /^debate=accepted agents=3 rounds=1 .* queued=no$/,
    /^debate=started /,
    /^agent=openai-api turn=0\.proposal\.\S+ attempt=1 .*outcome=ok status=200 latency_ms=\d+ ttft_ms=\d+ tokens_in=\d+ tokens_out=\d+$/,
    /^round=1 phase=critique$/,
    /^agent=openai-api turn=1\.critique\.\S+ attempt=1 .*outcome=rate_limited status=429 .* rate_limit detail="/,
    /^agent=openai-api turn=1\.critique\.\S+ retry=\S+ outcome=rate_limited delay_ms=\d+/,
    /^agent=openai-api turn=1\.critique\.\S+ attempt=2 .*outcome=ok/,
    /^agent=openai-api turn=1\.revision\./,
    /^stop=\w+ round=1$/,
    /^vote agent=\S+ choice=p\d own=\S+ confidence_ppm=\d+$/,
    /^decision=\w+ rule=majority .*positions=\d/,
    /^debate=completed outcome=\w+ rounds=1 attempts=\d+ tokens_in=\d+ tokens_out=\d+ duration_ms=\d+ degraded=\w+$/,
    /^replay=written events_bytes=\d+/,
  ]);
  checkOrder(story, [/^debate=completed/, /^rating=(none reason=\w+|done agent=\S+ elo_milli=\d+ change_milli=-?\d+)$/]);
  // Every line of it has the id as a key, and those that the request caused the request's.
  for (const line of story) assert.equal(line.debate_id, id, line.msg);
  for (const line of story.filter((l) => l.logger === 'runner')) assert.equal(line.request_id, 'ticket-4711', line.msg);
  // One line for each attempt that the debate has: its turns, and the one that was refused.
  const attempts = story.filter((line) => /^agent=\S+ turn=\S+ attempt=/.test(line.msg));
  assert.equal(attempts.length, debate.turns.length + 1);
  const tokens = attempts.reduce((sum, line) => sum + Number(/tokens_out=(\d+)/.exec(line.msg)?.[1] ?? 0), 0);
  assert.equal(tokens, debate.usage.tokens_out);
  // The request is there under its own id.
  assert.ok(log.lines().some((line) => line.request_id === 'ticket-4711' && /^request method=POST path="\/api\/debates" status=200/.test(line.msg)));
});

test('breaker and fallback are in the story of the debate that met them', async (t) => {
  const log = await startLogged(t, {
    rules: [{ match: { path: '/api/v1/' }, fault: 'none' }, { fault: 'status-429-10h' }],
    env: { OPENROUTER_API_KEY: KEY },
  });
  const { id } = await startDebate(log.server, DEBATE);
  await finished(log.server, id);
  const story = log.story(id).filter((line) => line.debate_id === id);
  checkOrder(story, [
    /^breaker=cooling service="openai/,
    /^agent=openai-api turn=\S+ attempt=1 provider=openai .*outcome=rate_limited status=429/,
    /^agent=openai-api turn=\S+ fallback=openrouter .*provider=openrouter model=\S+/,
    /^agent=openai-api turn=\S+ attempt=2 provider=openrouter .*outcome=ok/,
    /^debate=completed/,
  ]);
});

test("the runbook's greps find what they look for", async (t) => {
  const log = await startLogged(t, { rules: [{ match: { nth: 1 }, fault: 'status-429-ms' }], env: { OPENROUTER_API_KEY: '' } });
  const { id } = await startDebate(log.server, DEBATE);
  await finished(log.server, id);
  // A client that breaks the protocol: a frame without a mask (RFC 6455 section 5.1).
  const socket = connectTcp(log.server.port, '127.0.0.1');
  socket.write(`GET /ws/debates/${id} HTTP/1.1\r\nHost: 127.0.0.1:${log.server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n');
  await once(socket, 'data');
  socket.write(Buffer.from([0x81, 0x01, 0x41]));
  socket.resume();
  await once(socket, 'close');

  const agent = log.shell('grep "agent=openai-api" /var/log/aragora/server.log | tail -100');
  assert.match(agent, /latency_ms=\d+/);
  assert.match(log.shell('grep "WebSocket" /var/log/aragora/server.log | grep -i error'), /WebSocket error=/);
  assert.match(log.shell('grep "rate_limit\\|429" /var/log/aragora/server.log'), /status=429/);
  assert.match(log.shell('tail -5 /var/log/aragora/server.log | jq .'), /"msg":/);
});

test('nobody else writes a line, a key or an escape into it', async (t) => {
  const evil = 'x\n{"ts":"now","level":"ERROR","msg":"forged"}\r\u001b[2J\u202e\u0085" debate=completed forged=yes';
  const log = await startLogged(t, {
    rules: [{ match: { kind: 'proposal', nth: 1 }, fault: 'status-400' }, { match: { kind: 'critique' }, reply: evil }],
    env: { OPENROUTER_API_KEY: '' },
  });
  const { server } = log;
  const { id } = await startDebate(server, { ...DEBATE, task: `Is this safe? ${evil}` });
  await finished(server, id);
  await get(server, `/api/debates/${encodeURIComponent(evil)}`);
  await call(server, 'GET', '/nowhere', undefined, { 'User-Agent': 'a\u0085 forged=yes', 'X-Request-ID': 'a" forged=yes' });
  // Neither a newline nor any control character, nor one that turns text around; each line is JSON.
  assert.doesNotMatch(log.text().replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
  for (const line of log.lines()) {
    assert.notEqual(line.msg, 'forged');
    // What is between quotes is a value; the rest has no key of theirs.
    assert.doesNotMatch(line.msg.replace(/"[^"]*"/g, '""'), /forged=/, line.msg);
    if (line.request_id) assert.match(line.request_id, /^[\w.-]+$/);
  }
  assert.ok(!log.text().includes(KEY.slice(3)), 'a key');
  assert.ok(!log.text().includes('Is this safe'), 'the question is content, not log');
});

test('ARAGORA_LOG_LEVEL says what is written', async (t) => {
  const log = await startLogged(t, { env: { ARAGORA_LOG_LEVEL: 'DEBUG', OPENROUTER_API_KEY: '' } });
  const { id } = await startDebate(log.server, DEBATE);
  await finished(log.server, id);
  await get(log.server, '/api/health');
  const debug = log.lines().filter((line) => line.level === 'DEBUG');
  assert.ok(debug.some((line) => /^asked agent=/.test(line.msg)));
  assert.ok(debug.some((line) => /path="\/api\/health"/.test(line.msg)), 'probes at DEBUG');

  // Above INFO there is no ready line to wait for.
  const port = await freePort();
  const quiet = new Process(['server', '--port', String(port), '--ws-port', '0'], {
    dir: temporaryDirectory(),
    env: { ARAGORA_LOG_LEVEL: 'WARNING', ARAGORA_DEMO_TOKEN_RATE: '0' },
  });
  t.after(() => quiet.stop('SIGKILL'));
  quiet.url = `http://127.0.0.1:${port}`;
  await answers(quiet);
  await finished(quiet, (await startDebate(quiet, { ...DEBATE, agents: ['demo', 'demo', 'demo'] })).id);
  assert.ok(quiet.lines.length > 0, 'that there are only demo agents is a warning');
  for (const line of quiet.lines) assert.match(JSON.parse(line).level, /^(WARNING|ERROR)$/);
});

test('the file moves away by size, and older ones go', async (t) => {
  const log = await startLogged(t, { env: { ARAGORA_LOG_MAX_BYTES: '4000', ARAGORA_LOG_BACKUP_COUNT: '2' } });
  for (let i = 0; i < 60; i++) await get(log.server, '/api/debates');
  assert.ok(existsSync(`${log.file}.1`) && existsSync(`${log.file}.2`));
  assert.ok(!existsSync(`${log.file}.3`));
  for (const name of [log.file, `${log.file}.1`, `${log.file}.2`])
    for (const line of readFileSync(name, 'utf8').trimEnd().split('\n').filter(Boolean)) JSON.parse(line);
});
