// Starting where it cannot: one line that says why, another exit code than 0, and nothing touched.
// And starting again: what was there is there.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, connect, finished, get, post, startDebate } from './lib/client.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const MEMORY = 'aragora_memory.db';

// Of everything but what reading a database in WAL mode leaves beside it: an index, an empty log.
function digests(dir) {
  const out = {};
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isDirectory()) {
      out[name] = digests(join(dir, name));
      continue;
    }
    if (name.endsWith('-shm') || (name.endsWith('-wal') && readFileSync(join(dir, name)).length === 0)) continue;
    out[name] = createHash('sha256').update(readFileSync(join(dir, name))).digest('hex');
  }
  return out;
}

// The one line that a refused start leaves; log lines do not count.
async function refusal(dir, args = ['--port', '0', '--ws-port', '0'], env = {}) {
  const process = new Process(['server', ...args], { dir, env });
  const { code } = await process.end(10_000);
  assert.notEqual(code, 0);
  assert.notEqual(code, null, 'ended by a signal');
  const lines = process.lines.filter((line) => line.startsWith('aragora: '));
  assert.equal(lines.length, 1, process.lines.join('\n'));
  return lines[0];
}

// Loaded once the server answers and not with the program: its absence must not be silent.
describe('without a libcurl that can be loaded', () => {
  const broken = (t) => {
    const dir = temporaryDirectory(t);
    writeFileSync(join(dir, 'libcurl.so.4'), 'no library');
    return { LD_LIBRARY_PATH: dir, OPENAI_API_KEY: 'test-key-0123456789' };
  };

  test('a server says so, has debates that need none, and fails a turn that does by its name', async (t) => {
    const server = await startServer(t, { env: broken(t) });
    await server.line(/providers=unreachable .*libcurl\.so\.4/);
    const demo = await startDebate(server, { task: 'x?', agents: ['demo', 'demo', 'demo'], rounds: 1 });
    assert.equal((await finished(server, demo.id)).status, 'completed');
    const { id } = await startDebate(server, { task: 'x?', agents: ['openai-api', 'openai-api'], rounds: 1 });
    const debate = await finished(server, id);
    assert.equal(debate.status, 'failed');
    assert.match(JSON.stringify(debate), /cannot load libcurl/);
  });

  test('a command that needs it says so', async (t) => {
    const command = new Process(['debates', 'list', '--server', 'http://127.0.0.1:1'], { dir: temporaryDirectory(t), env: broken(t) });
    assert.notEqual((await command.end(10_000)).code, 0);
    assert.match(command.lines.join('\n'), /libcurl\.so\.4/);
  });
});

describe('a start that cannot be', () => {
  test('on a port in use names the port', async (t) => {
    const first = await startServer(t);
    const line = await refusal(temporaryDirectory(t), ['--port', String(first.port), '--ws-port', '0']);
    assert.match(line, new RegExp(`\\b${first.port}\\b.*in use`));
    assert.equal((await get(first, '/healthz')).status, 200);
  });

  test('on a port in use leaves no file, and the databases as they were', async (t) => {
    const first = await startServer(t);
    const fresh = temporaryDirectory(t);
    const dir = temporaryDirectory(t);
    await (await startServer(undefined, { dir })).stop();
    const before = digests(dir);
    for (const ports of [['--port', String(first.port), '--ws-port', '0'], ['--port', '0', '--ws-port', String(first.port)]]) {
      assert.match(await refusal(fresh, [...ports, '--migrate', '--data-dir', join(fresh, 'data')]), /in use/);
      assert.deepEqual(readdirSync(fresh), []);
      assert.match(await refusal(dir, [...ports, '--migrate']), /in use/);
      assert.deepEqual(digests(dir), before);
    }
  });

  test('is told in the log file as well', async (t) => {
    const first = await startServer(t);
    const dir = temporaryDirectory(t);
    const file = join(dir, 'server.log');
    await refusal(dir, ['--port', String(first.port), '--ws-port', '0', '--log-file', file]);
    const lines = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    const [error] = lines.filter(({ level }) => level === 'ERROR');
    assert.match(error.msg, /^start=failed reason=".*in use"/);
  });

  test('on the data of a running server writes no error into that one\'s log, and leaves its archive alone', async (t) => {
    const dir = temporaryDirectory(t);
    const file = join(dir, 'server.log');
    const first = await startServer(t, { dir, args: ['--log-file', file] });
    const before = readFileSync(file, 'utf8').length;
    for (const port of ['0', String(first.port)])
      assert.match(await refusal(dir, ['--port', port, '--ws-port', '0', '--log-file', file]), /another server uses the database/);
    const lines = readFileSync(file, 'utf8').slice(before).trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.filter(({ level }) => level === 'ERROR'), []);
    const warnings = lines.filter(({ level }) => level === 'WARNING').map(({ msg }) => msg);
    assert.equal(warnings.length, 2, warnings.join('\n'));
    for (const msg of warnings) assert.match(msg, /^another process could not start: another server uses the database/);
  });

  test('in a directory that cannot be written names the directory', async (t) => {
    const dir = temporaryDirectory(t);
    const closed = join(dir, 'closed');
    writeFileSync(closed, 'a file where a directory should be'); // root may write anywhere
    const line = await refusal(dir, ['--port', '0', '--ws-port', '0', '--data-dir', closed]);
    assert.match(line, /closed/);
    assert.equal(readFileSync(closed, 'utf8'), 'a file where a directory should be');
  });

  test('in a directory without write permission names the directory', { skip: process.getuid?.() === 0 && 'root may' },
    async (t) => {
      const dir = temporaryDirectory(t);
      const closed = join(dir, 'closed');
      mkdirSync(closed);
      chmodSync(closed, 0o500);
      assert.match(await refusal(dir, ['--port', '0', '--ws-port', '0', '--data-dir', closed]), /closed/);
      chmodSync(closed, 0o700);
      assert.deepEqual(readdirSync(closed), []);
    });

  test('on a database that is none names the file', async (t) => {
    const dir = temporaryDirectory(t);
    writeFileSync(join(dir, MEMORY), 'this is not a database, and it is longer than a header of SQLite is\n'.repeat(100));
    const before = digests(dir);
    assert.match(await refusal(dir), new RegExp(MEMORY));
    assert.deepEqual(digests(dir), before);
  });

  test('on a database of somebody else names the file', async (t) => {
    const dir = temporaryDirectory(t);
    execFileSync('sqlite3', [join(dir, MEMORY), 'CREATE TABLE recipes (name TEXT)']);
    const before = digests(dir);
    assert.match(await refusal(dir), new RegExp(MEMORY));
    assert.deepEqual(digests(dir), before);
  });

  test('on a newer database names the file', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(undefined, { dir });
    await server.stop();
    execFileSync('sqlite3', [join(dir, MEMORY), 'UPDATE _aragora_migrations SET min_reader_version = 999']);
    for (const extra of ['-wal', '-shm']) assert.ok(!existsSync(join(dir, MEMORY + extra)));
    const before = digests(dir);
    assert.match(await refusal(dir), new RegExp(`${MEMORY}.*newer`));
    assert.deepEqual(digests(dir), before);
  });

  test('with a flag that is none', async (t) => {
    const process = new Process(['server', '--no-such-flag'], { dir: temporaryDirectory(t) });
    assert.equal((await process.end(10_000)).code, 2);
    assert.match(process.lines.join('\n'), /no-such-flag/);
  });

  test('with a bad value in the environment names the variable', async (t) => {
    const process = new Process(['server'], { dir: temporaryDirectory(t), env: { ARAGORA_PORT: 'eighty' } });
    assert.notEqual((await process.end(10_000)).code, 0);
    assert.match(process.lines.join('\n'), /ARAGORA_PORT/);
  });
});

describe('a second start', () => {
  test('has every debate of the first, unchanged', async (t) => {
    const dir = temporaryDirectory(t);
    const first = await startServer(undefined, { dir });
    const { id } = await startDebate(first, { task: 'Will it last?', agents: ['demo', 'demo'] });
    const debate = await finished(first, id);
    const frames = await collectEvents(first, id);
    const end = await first.stop();
    assert.equal(end.code, 0);
    const second = await startServer(t, { dir });
    assert.deepEqual((await get(second, `/api/debates/${id}`)).json, debate);
    assert.deepEqual(await collectEvents(second, id), frames);
  });

  test('takes up what a kill -9 cut off, and agent_seq counts on', async (t) => {
    const dir = temporaryDirectory(t);
    const first = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '200' } });
    const { id } = await startDebate(first, { task: 'Cut me off', agents: ['demo', 'demo', 'demo'] });
    await collectEvents(first, id, { until: (frame) => frame.type === 'critique' });
    await first.stop('SIGKILL');
    const second = await startServer(t, { dir });
    const live = await collectEvents(second, id);
    assert.equal(live.filter((frame) => frame.seq).at(-1).type, 'debate_end');
    const stored = await collectEvents(second, id);
    assert.deepEqual(live.filter((frame) => frame.seq), stored);
    assert.deepEqual(stored.map((frame) => frame.seq), stored.map((_, index) => index + 1));
    assert.ok(stored.some((frame) => frame.type === 'resumed'));
    const counts = {};
    for (const frame of stored)
      if (frame.agent) assert.equal(frame.agent_seq, (counts[frame.agent] = (counts[frame.agent] ?? 0) + 1));
    assert.equal((await get(second, `/api/debates/${id}`)).json.status, 'completed');
  });
});

describe('SIGTERM', () => {
  test('waits for debates, refuses new ones meanwhile, and ends with 0', async (t) => {
    const server = await startServer(undefined, { env: { ARAGORA_DEMO_TOKEN_RATE: '60' }, dir: temporaryDirectory(t) });
    const { id } = await startDebate(server, { task: 'Let me finish', agents: ['demo', 'demo'], rounds: 0 });
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=1/);
    const refused = await post(server, '/api/debates', { task: 'Too late', agents: ['demo', 'demo'] });
    assert.equal(refused.status, 503);
    assert.equal(refused.json.code, 'SERVICE_UNAVAILABLE');
    assert.ok(refused.headers.get('retry-after'));
    const ready = await get(server, '/readyz');
    assert.equal(ready.status, 503);
    assert.equal(ready.json.status, 'not_ready');
    assert.equal((await server.end()).code, 0);
  });

  // The stream is closed when the debate has ended, which may be before its last frame's pause is over.
  test('shows the end of a debate to who listens', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
    const { id } = await startDebate(server, { task: 'Let me see', agents: ['demo', 'demo'], rounds: 0 });
    const frames = collectEvents(server, id);
    server.child.kill('SIGTERM');
    assert.equal((await frames).at(-1).type, 'debate_end');
  });

  test('shows it over a WebSocket too, and closes that with 1001', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
    const { id } = await startDebate(server, { task: 'Let me see', agents: ['demo', 'demo'], rounds: 0 });
    const socket = await connect(t, server, `/ws/debates/${id}`);
    const closed = once(socket.ws, 'close');
    server.child.kill('SIGTERM');
    const [code] = await closed;
    assert.equal(code, 1001);
    assert.equal(socket.frames.at(-1).type, 'debate_end');
  });

  test('ends an idle server at once', async (t) => {
    const server = await startServer(undefined, { dir: temporaryDirectory(t) });
    const before = performance.now();
    const { code } = await server.stop();
    assert.equal(code, 0);
    assert.ok(performance.now() - before < 2000);
  });
});
