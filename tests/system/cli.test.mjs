// The command line as a person and a script meet it: the real binary, outputs, exit codes, signals.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const bin = process.env.ARAGORA_BIN ?? new URL('../../build/aragora', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'aragora-cli-'));
const running = new Set();
after(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

// Nothing of the machine that runs the tests may reach the program: no key, no server, no colour.
const cleanEnv = { PATH: process.env.PATH, HOME: root, ARAGORA_DEMO_TOKEN_RATE: '0' };
let directories = 0;
const freshDir = () => mkdtempSync(join(root, `${++directories}-`));

function start(args, { env = {}, cwd = root, program = bin } = {}) {
  const child = spawn(program, args, { cwd, env: { ...cleanEnv, ...env } });
  running.add(child);
  child.out = '';
  child.err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (child.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (child.err += text));
  child.ended = new Promise((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code: signal ?? code, out: child.out, err: child.err });
    });
  });
  return child;
}

const RUN_MS = 60_000; // a sanitizer build on a busy machine; what should have ended by then never will

async function run(args, options = {}) {
  const child = start(args, options);
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS);
  child.stdin.on('error', () => {}); // it may end without having read
  child.stdin.end(options.input ?? '');
  const result = await child.ended;
  clearTimeout(timer);
  return result;
}

// Resolves once `pattern` is in what the child wrote; rejects when it ends without.
function says(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    const look = () => {
      const match = child[stream].match(pattern);
      if (match) resolve(match);
      return match;
    };
    if (look()) return;
    const source = stream === 'out' ? child.stdout : child.stderr;
    source.on('data', look);
    child.on('close', () => look() || reject(new Error(`ended without ${pattern}: ${child.err}`)));
  });
}

async function serve({ args = [], env = {}, program, command = 'server', dir = freshDir() } = {}) {
  const child = start([command, '--port', '0', '--ws-port', '0', '--data-dir', dir, ...args], { env, program });
  const [, url] = await says(child, 'err', /ready version=\S+ url=(\S+)/);
  return { child, url, dir };
}

async function stop(server) {
  server.child.kill('SIGTERM');
  return server.child.ended;
}

async function startDebate(url, body) {
  const response = await fetch(`${url}/api/debates`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(response.status, 200);
  return (await response.json()).id;
}

const ask = (...args) => ['ask', '--demo', ...args];

test('a local debate: transcript and verdict on stdout, in the order of the log', async () => {
  const dir = freshDir();
  const { code, out } = await run(ask('--data-dir', dir, 'Tabs or spaces?'));
  assert.equal(code, 0);
  const order = ['Tabs or spaces?', 'Proposals', 'Round 1 · Critique', 'to demo', 'Round 1 · Revision', 'Vote', 'Consensus', 'Debate'];
  let at = -1;
  for (const words of order) {
    const next = out.indexOf(words, at + 1);
    assert.ok(next > at, `${words} after the others in:\n${out}`);
    at = next;
  }
  assert.match(out, /Demo: scripted agents/);
  assert.doesNotMatch(out, /\x1b/);
  for (const line of out.split('\n')) assert.ok([...line].length <= 80, line);
});

test('--json is one object and nothing else; -q is silent on stderr', async () => {
  const { code, out, err } = await run(ask('--json', '-q', '--seed', '7', 'Tabs or spaces?'), { cwd: freshDir() });
  assert.equal(code, 0);
  assert.equal(err, '');
  const debate = JSON.parse(out);
  assert.equal(debate.status, 'completed');
  assert.equal(debate.seed, '7');
  assert.equal(debate.demo, true);
  assert.equal(debate.agents.length, 4);
  assert.ok(debate.final_answer.length > 0);
});

test('--jsonl is every event in order', async () => {
  const { code, out } = await run(ask('--jsonl', 'Tabs or spaces?'), { cwd: freshDir() });
  assert.equal(code, 0);
  const frames = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(frames.map((f) => f.seq), frames.map((_, i) => i + 1));
  assert.equal(frames[0].type, 'debate_start');
  assert.equal(frames.at(-1).type, 'debate_end');
});

test('question and context from standard input and from a file', async () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, 'notes.txt'), 'the notes of the team');
  const asked = await run(ask('--json', '--context', '@notes.txt', '-'), { cwd, input: 'Tabs or spaces?\n' });
  assert.equal(JSON.parse(asked.out).task, 'Tabs or spaces?');
  assert.equal(JSON.parse(asked.out).context, 'the notes of the team');
  const piped = await run(ask('--json', '--context', '-', '--', '--dashes or not?'), { cwd, input: 'a diff' });
  assert.equal(JSON.parse(piped.out).task, '--dashes or not?');
  assert.equal(JSON.parse(piped.out).context, 'a diff');
  const both = await run(ask('--context', '-', '-'), { cwd });
  assert.equal(both.code, 2);
});

// On a terminal there is a status line too: cleared and written again, but in no colour.
test('--no-color and NO_COLOR are for the status line as well', async () => {
  const onTerminal = (command, env = {}) =>
    run(['-qec', command, '/dev/null'], { program: 'script', cwd: freshDir(), env: { TERM: 'xterm', ARAGORA_DEMO_TOKEN_RATE: '200', ...env } });
  const question = `${bin} ask --demo --rounds 0 'Tabs or spaces?'`;
  assert.match((await onTerminal(question)).out, /\x1b\[2m/);
  for (const [command, env] of [[`${question} --no-color`, {}], [question, { NO_COLOR: '1' }]]) {
    const { out } = await onTerminal(command, env);
    assert.match(out, /\x1b\[K/);
    assert.doesNotMatch(out, /\x1b\[\d*m/);
  }
});

test('colours only where they are wanted', async () => {
  const cwd = freshDir();
  const forced = await run(ask('Tabs or spaces?'), { cwd, env: { CLICOLOR_FORCE: '1' } });
  assert.match(forced.out, /\x1b\[36m/);
  for (const env of [{ CLICOLOR_FORCE: '1', NO_COLOR: '1' }, { CLICOLOR_FORCE: '0' }, {}]) {
    assert.doesNotMatch((await run(ask('Tabs or spaces?'), { cwd, env })).out, /\x1b/);
  }
  assert.doesNotMatch((await run(ask('--no-color', 'Q?'), { cwd, env: { CLICOLOR_FORCE: '1' } })).out, /\x1b/);
});

test('wrong settings are wrong usage, name the flag and leave nothing behind', async () => {
  const cases = [
    [['--rounds', '99'], /--rounds/],
    [['--threshold', '0.2'], /--threshold/],
    [['--consensus', 'lots'], /--consensus/],
    [['--seed', 'abc'], /--seed/],
    [['--deadline', '1'], /--deadline/],
  ];
  for (const [flags, pattern] of cases) {
    const cwd = freshDir();
    const { code, out, err } = await run(ask(...flags, 'Q?'), { cwd });
    assert.equal(code, 2, err);
    assert.match(err, pattern);
    assert.equal(out, '');
    assert.ok(!existsSync(join(cwd, 'data')));
  }
  const unknown = await run(['ask', '-a', 'opnai,demo', 'Q?'], { cwd: freshDir() });
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /unknown agent "opnai"/);
});

test('a missing key is exit 3 and names the variable', async () => {
  const cwd = freshDir();
  const named = await run(['ask', '-a', 'openai-api,demo', 'Q?'], { cwd });
  assert.equal(named.code, 3);
  assert.match(named.err, /OPENAI_API_KEY/);
  const production = await run(['ask', 'Q?'], { cwd, env: { ARAGORA_ENV: 'production' } });
  assert.equal(production.code, 3);
  const demo = await run(['ask', '-q', 'Q?'], { cwd });
  assert.equal(demo.code, 0);
  assert.match(demo.err, /no API key is set/);
});

test('providers that cannot be reached: exit 4 and the cause of each agent', async () => {
  const env = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://127.0.0.1:1', ARAGORA_MAX_RETRIES: '0' };
  const { code, out, err } = await run(['ask', 'Q?'], { cwd: freshDir(), env });
  assert.equal(code, 4);
  assert.equal(out.match(/✗ \S+: unavailable/g)?.length, 3, out);
  assert.doesNotMatch(err, /QUORUM_NOT_REACHED/); // a line of the log, among the blocks on a terminal
});

test('--require-consensus turns a missing consensus into exit 7', async () => {
  const cwd = freshDir();
  const flags = ['--consensus', 'unanimous', '--rounds', '0', 'Tabs or spaces?'];
  assert.equal((await run(ask('-q', ...flags), { cwd })).code, 0);
  const { code, out } = await run(ask('-q', '--require-consensus', ...flags), { cwd });
  assert.equal(code, 7);
  assert.match(out, /No consensus/);
});

test('Ctrl-C cancels the debate: exit 130, and its log is closed', async () => {
  const dir = freshDir();
  const child = start(ask('--data-dir', dir, 'Tabs or spaces?'), { env: { ARAGORA_DEMO_TOKEN_RATE: '5' } });
  await says(child, 'out', /demo_4/);
  const [, id] = await says(child, 'err', /^debate (\S+)$/m);
  child.kill('SIGINT');
  const { code, out, err } = await child.ended;
  assert.equal(code, 130);
  assert.match(out, /╭─ Cancelled/);
  const [, again] = err.match(/Cancelling; .*: aragora (debates show \S+ --data-dir \S+)$/m);
  assert.equal(again, `debates show ${id} --data-dir ${dir}`);
  assert.match((await run(again.split(' '))).out, /╭─ Cancelled/);
  const list = JSON.parse((await run(['debates', '--json', '--data-dir', dir])).out);
  assert.equal(list.debates[0].status, 'cancelled');
});

test('a reader that goes away cancels the debate too', async () => {
  const dir = freshDir();
  const child = start(ask('--data-dir', dir, 'Tabs or spaces?'), { env: { ARAGORA_DEMO_TOKEN_RATE: '100' } });
  await says(child, 'out', /demo_4/);
  child.stdout.destroy();
  assert.equal((await child.ended).code, 1);
  const list = JSON.parse((await run(['debates', '--json', '--data-dir', dir])).out);
  assert.equal(list.debates[0].status, 'cancelled');
});

test('the archive: list, show and replay give the same page', async () => {
  const dir = freshDir();
  const missing = await run(['debates', 'list', '--data-dir', dir]);
  assert.equal(missing.code, 5);
  assert.match(missing.err, /there is no database \S+aragora_memory\.db/);
  assert.ok(!existsSync(join(dir, 'aragora_memory.db')));
  const live = await run(ask('--data-dir', dir, 'Tabs or spaces?'));
  const [, id] = live.out.match(/Debate {3}(\S+)/);
  const listed = await run(['debates', '--data-dir', dir]);
  assert.match(listed.out, new RegExp(`^${id} .*consensus +Tabs or spaces\\?$`, 'm'));
  assert.equal((await run(['debates', 'show', id, '--data-dir', dir])).out, live.out);
  assert.equal((await run(['debates', 'watch', id, '--data-dir', dir])).out, live.out);
  assert.equal((await run(['replay', id, '--data-dir', dir])).out, live.out);
  const object = JSON.parse((await run(['debates', 'show', id, '--json', '--data-dir', dir])).out);
  assert.equal(object.id, id);
  const bySlug = await run(['debates', 'show', object.slug, '-q', '--data-dir', dir]);
  assert.equal(bySlug.code, 0);
  assert.equal((await run(['debates', 'show', 'nothing', '--data-dir', dir])).code, 5);
});

test('replay --check: a whole log, and one byte of a text changed', async () => {
  const dir = freshDir();
  const db = join(dir, 'aragora_memory.db');
  const live = await run(ask('--data-dir', dir, 'Tabs or spaces?'));
  const [, id] = live.out.match(/Debate {3}(\S+)/);
  const whole = await run(['replay', id, '--check', '--data-dir', dir]);
  assert.equal(whole.code, 0);
  assert.match(whole.out, /^ok: \d+ events, head [0-9a-f]{64}, state [0-9a-f]{64}\n$/);
  // Same length, so that the file stays a database and only the chain can tell.
  const bytes = readFileSync(db);
  let at = bytes.indexOf('as a sceptic would');
  assert.ok(at > 0);
  for (; at >= 0; at = bytes.indexOf('as a sceptic would', at + 1)) bytes.write('as a sceptik', at);
  writeFileSync(db, bytes);
  const changed = await run(['replay', id, '--check', '--data-dir', dir]);
  assert.equal(changed.code, 8);
  assert.match(changed.out, /^wrong: event \d+: /);
  const json = JSON.parse((await run(['replay', id, '--check', '--json', '--data-dir', dir])).out);
  assert.equal(json.ok, false);
  assert.ok(json.bad_seq > 0);
});

test('agents: a table and an object', async () => {
  const table = await run(['agents'], { env: { OPENAI_API_KEY: 'sk-secret-secret' } });
  assert.equal(table.code, 0);
  assert.match(table.out, /^openai-api .* ready /m);
  assert.match(table.out, /^anthropic-api .* no ANTHROPIC_API_KEY/m);
  assert.doesNotMatch(table.out, /sk-secret/);
  const object = JSON.parse((await run(['agents', '--json'])).out);
  assert.ok(object.agents.find((a) => a.type === 'demo').available);
  assert.equal(object.default_panel.length, 4);
});

test('a server: the same page as here, healthy, and gone in an instant', async () => {
  const server = await serve();
  const env = { ARAGORA_API_URL: server.url };
  assert.equal((await run(['healthcheck', '--server', server.url])).code, 0);
  const there = await run(ask('Tabs or spaces?'), { env });
  assert.equal(there.code, 0, there.err);
  const [, id] = there.out.match(/Debate {3}(\S+)/);
  assert.equal((await run(['debates', 'show', id], { env })).out, there.out);
  assert.equal((await run(['debates', 'show', id, '--data-dir', server.dir])).out, there.out);
  assert.match((await run(['debates'], { env })).out, new RegExp(`^${id} `, 'm'));
  assert.equal(JSON.parse((await run(ask('--json', 'Q?'), { env })).out).status, 'completed');
  assert.equal(JSON.parse((await run(['agents', '--json'], { env })).out).demo, true);
  assert.equal((await run(['debates', 'show', 'nothing'], { env })).code, 5);
  assert.equal((await run(ask('--rounds', '99', 'Q?'), { env })).code, 2);
  const begun = process.hrtime.bigint();
  assert.equal((await stop(server)).code, 0);
  assert.ok(Number(process.hrtime.bigint() - begun) / 1e6 < 1000);
  assert.equal((await run(['debates'], { env })).code, 4);
  assert.equal((await run(['healthcheck', '--server', server.url])).code, 1);
});

test('watch follows a debate of another process, and show says that it runs', async () => {
  const server = await serve({ env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
  const id = await startDebate(server.url, { task: 'Tabs or spaces?' });
  const shown = await run(['debates', 'show', id, '--server', server.url]);
  assert.equal(shown.code, 0);
  assert.match(shown.err, /debates watch/);
  const [here, there] = await Promise.all([
    run(['debates', 'watch', id, '--data-dir', server.dir]),
    run(['debates', 'watch', id, '--server', server.url]),
  ]);
  assert.equal(here.code, 0);
  assert.match(here.out, /╭─ Consensus/);
  assert.equal(there.out, here.out);
  await stop(server);
});

test('Ctrl-C cancels a debate on a server', async () => {
  const server = await serve({ env: { ARAGORA_DEMO_TOKEN_RATE: '5' } });
  const child = start(ask('--server', server.url, 'Tabs or spaces?'));
  await says(child, 'out', /demo_4/);
  const [, id] = await says(child, 'err', /^debate (\S+)$/m);
  child.kill('SIGINT');
  const { code, out, err } = await child.ended;
  assert.equal(code, 130);
  assert.match(out, /╭─ Cancelled/);
  assert.ok(err.includes(`What was said stays: aragora debates show ${id} --server ${server.url}\n`), err);
  await stop(server);
});

test('a stream that is cut is taken up again where it was', async () => {
  const server = await serve({ env: { ARAGORA_DEMO_TOKEN_RATE: '150' } });
  const target = new URL(server.url);
  const { connect } = await import('node:net');
  const pairs = new Set();
  let cuts = 0;
  // Between client and server, cutting every connection after some bytes, three times.
  const proxy = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let bytes = 0;
    pairs.add(client);
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.pipe(upstream);
    upstream.on('data', (data) => {
      bytes += data.length;
      client.write(data);
      if (bytes > 12000 && cuts < 3) {
        cuts++;
        client.destroy();
      }
    });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${proxy.address().port}`;
  const { code, out, err } = await run(ask('--jsonl', '--server', url, 'Tabs or spaces?'));
  assert.equal(code, 0);
  assert.equal(cuts, 3);
  // Each cut is told of, once.
  assert.equal(err.match(/^lost http:\/\/127\.0\.0\.1:\d+: .*; trying again$/gm)?.length, 3, err);
  const frames = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(frames.map((f) => f.seq), frames.map((_, i) => i + 1));
  assert.equal(frames.at(-1).type, 'debate_end');
  for (const socket of pairs) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
  await stop(server);
});

test('the process is called "aragora server" whatever started it', async () => {
  const renamed = join(freshDir(), 'ara');
  copyFileSync(bin, renamed);
  for (const [program, command] of [[bin, 'server'], [bin, 'serve'], [renamed, 'serve']]) {
    const server = await serve({ program, command });
    const line = readFileSync(`/proc/${server.child.pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    assert.match(line, /aragora.server/);
    assert.equal((await stop(server)).code, 0);
  }
});

test('SIGTERM waits for debates and refuses new ones', async () => {
  const server = await serve({ env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
  const id = await startDebate(server.url, { task: 'Tabs or spaces?' });
  server.child.kill('SIGTERM');
  await says(server.child, 'err', /stopping debates=1/);
  const refused = await fetch(`${server.url}/api/debates`, { method: 'POST', body: '{"task":"Q?"}' });
  assert.equal(refused.status, 503);
  assert.equal((await fetch(`${server.url}/readyz`)).status, 503);
  assert.equal((await server.child.ended).code, 0);
  const list = JSON.parse((await run(['debates', '--json', '--data-dir', server.dir])).out);
  assert.equal(list.debates[0].id, id);
  assert.equal(list.debates[0].status, 'completed');
});

test('a second signal leaves at once, and the next start takes the debate up', async () => {
  const first = await serve({ env: { ARAGORA_DEMO_TOKEN_RATE: '5' } });
  const id = await startDebate(first.url, { task: 'Tabs or spaces?' });
  first.child.kill('SIGTERM');
  await says(first.child, 'err', /stopping debates=1/);
  first.child.kill('SIGTERM');
  assert.equal((await first.child.ended).code, 0);
  const second = await serve({ dir: first.dir });
  assert.match(second.child.err, /resumed=1/);
  const watched = await run(['debates', 'watch', id, '--server', second.url]);
  assert.match(watched.out, /Taken up again/);
  assert.match(watched.out, /╭─ Consensus/);
  assert.equal((await run(['replay', id, '--check', '--data-dir', first.dir])).code, 0);
  await stop(second);
});

test('what a server cannot start with is one line and exit 1', async () => {
  const server = await serve();
  const port = new URL(server.url).port;
  const corrupt = freshDir();
  writeFileSync(join(corrupt, 'aragora_memory.db'), 'this is no database, and longer than its head would be');
  const cases = [
    [['--port', port, '--data-dir', freshDir()], new RegExp(`port ${port} is in use`)],
    [['--port', '0', '--data-dir', server.dir], /another server uses the database/],
    [['--port', '0', '--data-dir', corrupt], /not a database.*; aragora doctor .* aragora backup restore latest/],
    [['--port', '0', '--data-dir', '/proc/nothing'], /cannot make the directory/],
    [['--port', '0', '--host', '0.0.0.0', '--data-dir', freshDir()], /ARAGORA_API_TOKEN/],
  ];
  for (const [flags, pattern] of cases) {
    const { code, err } = await run(['server', '--ws-port', '0', ...flags]);
    const lines = err.trim().split('\n').filter((line) => !line.startsWith('{'));
    assert.equal(code, 1, err);
    assert.equal(lines.length, 1, err);
    assert.match(lines[0], pattern);
  }
  await stop(server);
});
