// Disks that are full, read-only or failing, locks of other programs, and no descriptors left: new work
// is refused with the reason, what is there can be read, health says so, and it all goes on without a
// restart. On a file system of its own, a small tmpfs.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';

import { collectEvents, finished, get, logged, post, startDebate } from './lib/client.mjs';
import { buildPreload } from './lib/preload.mjs';
import { Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const WAIT_MS = 30_000;

async function until(look, holds, ms = WAIT_MS) {
  for (const deadline = Date.now() + ms; ; ) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const health = (server) => get(server, '/api/health').then(({ json }) => json);
const warned = (pattern) => (body) => body.status === 'degraded' && body.warnings.some((words) => pattern.test(words));

// ---- a file system of its own ----

// A mount namespace with a tmpfs in it. {dir, under, run(...)}: what runs in it. undefined where the
// system allows neither root nor others to make one.
async function startSmallDisk(t, megabytes) {
  const dir = temporaryDirectory(t);
  mkdirSync(join(dir, 'disk'));
  const disk = join(dir, 'disk');
  const user = process.geteuid() === 0 ? [] : ['-r'];
  const holder = spawn('unshare', [...user, '-m', 'sh', '-c',
    `mount -t tmpfs -o size=${megabytes}m,mode=0777 tmpfs "$1" && echo mounted && exec sleep 300`, 'sh', disk], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => holder.kill('SIGKILL'));
  const line = once(createInterface({ input: holder.stdout }), 'line').then(([text]) => text);
  if ((await Promise.race([line, once(holder, 'exit')])) !== 'mounted') return undefined;
  const enter = ['-t', String(holder.pid), '-m', ...(user.length ? ['-U', '--preserve-credentials'] : [])];
  return {
    dir: disk, under: ['nsenter', ...enter, '--'],
    run: (...command) => execFileSync('nsenter', [...enter, '--', ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}

const NO_MOUNT = 'no mount namespace may be made here (unshare -m)';

// Until nothing more fits, not even a page.
function fill(disk) {
  disk.run('sh', '-c', `dd if=/dev/zero of="${disk.dir}/filler" bs=4096 2>/dev/null; true`);
}

const clear = (disk) => disk.run('rm', join(disk.dir, 'filler'));

async function startOnDisk(t, disk, options = {}) {
  return startServer(t, { dir: temporaryDirectory(t), under: disk.under, ...options, args: ['--data-dir', disk.dir, ...(options.args ?? [])] });
}

// Everything that ends a debate in good order is in its log, and nothing twice.
async function checkWhole(server, id) {
  const frames = logged(await collectEvents(server, id));
  assert.deepEqual(frames.map((frame) => frame.seq), frames.map((_, index) => index + 1));
  assert.equal(frames.at(-1).type, 'debate_end');
  assert.equal(frames.at(-1).data.status, 'completed');
  return frames;
}

describe('a full disk', () => {
  test('new debates get 507, reads go on, paid answers are kept, and room is noticed', async (t) => {
    const disk = await startSmallDisk(t, 8);
    if (!disk) return t.skip(NO_MOUNT);
    const fake = await startFakeProvider(t, ['--quiet', '--latency-ms', '300']);
    const env = { OPENAI_API_KEY: 'key', OPENAI_BASE_URL: `${fake.url}/v1` };
    const server = await startOnDisk(t, disk, { env });
    const body = { task: 'Room?', agents: ['openai-api', 'openai-api', 'openai-api'], rounds: 1, fast_path: false };
    const before = await finished(server, (await startDebate(server, body)).id);
    const running = await startDebate(server, body);
    await collectEvents(server, running.id, { until: (frame) => frame.type === 'attempt_start' });
    fill(disk);
    // Whoever meets the full disk first is answered as well, and soon.
    const began = performance.now();
    const refused = await post(server, '/api/debates', body);
    assert.equal(refused.status, 507, refused.text);
    assert.equal(refused.json.code, 'INSUFFICIENT_STORAGE');
    assert.match(refused.json.error, /disk of the database is full/);
    assert.ok(performance.now() - began < 5000);
    const seen = await until(() => health(server), warned(/disk of the database is full/));
    assert.equal(seen.components.database.status, 'degraded');
    assert.equal(seen.checks.filesystem.healthy, false);
    assert.equal((await get(server, '/readyz')).status, 503);
    assert.equal((await post(server, '/api/debates', body)).status, 507);
    // Reads, of what ended and of what waits.
    assert.deepEqual((await get(server, `/api/debates/${before.id}`)).json, before);
    assert.equal((await get(server, `/api/debates/${running.id}`)).json.status, 'running');
    assert.equal((await get(server, '/api/debates')).status, 200);
    const asked = () => fetch(`${fake.url}/_fake/stats`).then((answer) => answer.json()).then(({ answers }) => Object.values(answers.openai).reduce((sum, count) => sum + count));
    clear(disk);
    await until(() => health(server), (body) => body.status === 'healthy');
    await finished(server, running.id);
    const frames = await checkWhole(server, running.id);
    assert.ok(!frames.some((frame) => frame.data?.outcome === 'unknown'), 'a paid answer was lost');
    const attempts = [...frames, ...(await collectEvents(server, before.id))].filter((frame) => frame.type === 'attempt_start');
    assert.equal(attempts.length, await asked(), 'requests and logs do not agree');
    assert.equal((await finished(server, (await startDebate(server, body)).id)).status, 'completed');
    assert.equal(disk.run('sqlite3', join(disk.dir, 'aragora_memory.db'), 'PRAGMA integrity_check').trim(), 'ok');
  });

  test('of an idle server that nobody asks anything is noticed to have room again', async (t) => {
    const disk = await startSmallDisk(t, 8);
    if (!disk) return t.skip(NO_MOUNT);
    const server = await startOnDisk(t, disk);
    fill(disk);
    assert.equal((await post(server, '/api/debates', { task: 'Room?', agents: ['demo', 'demo'] })).status, 507);
    clear(disk);
    await until(() => get(server, '/readyz'), ({ status }) => status === 200);
    assert.equal((await health(server)).status, 'healthy');
  });

  test('a kill meanwhile loses nothing that was acknowledged', async (t) => {
    const disk = await startSmallDisk(t, 8);
    if (!disk) return t.skip(NO_MOUNT);
    const server = await startOnDisk(undefined, disk, { env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
    const { id } = await startDebate(server, { task: 'Killed?', agents: ['demo', 'demo'], rounds: 1 });
    fill(disk);
    await until(() => health(server), warned(/disk of the database is full/));
    await server.stop('SIGKILL');
    clear(disk);
    const again = await startOnDisk(t, disk);
    await finished(again, id);
    await checkWhole(again, id);
  });
});

test('a disk that is mounted read-only is refused at the start, with the name', async (t) => {
  const disk = await startSmallDisk(t, 8);
  if (!disk) return t.skip(NO_MOUNT);
  await (await startOnDisk(undefined, disk)).stop();
  disk.run('mount', '-o', 'remount,ro', disk.dir);
  const refused = new Process(['server', '--port', '0', '--ws-port', '0', '--data-dir', disk.dir], { dir: temporaryDirectory(t), under: disk.under });
  assert.equal((await refused.end()).code, 1);
  assert.match(refused.lines.join('\n'), new RegExp(`cannot write to the directory ${disk.dir}`));
});

// ---- a disk that fails ----

function buildFailingDisk(t) {
  const control = join(temporaryDirectory(t), 'control');
  writeFileSync(control, '');
  return { env: { LD_PRELOAD: buildPreload(t, 'failing_disk'), FAILING_DISK: control }, set: (name) => writeFileSync(control, name) };
}

describe('a failing disk', () => {
  for (const [name, error] of [['EROFS', 'it turns read-only'], ['EIO', 'it does not write'], ['sync', 'it does not sync']])
    test(`${error}: 503, degraded, reads go on, nothing is lost, and it recovers by itself`, async (t) => {
      const disk = buildFailingDisk(t);
      const server = await startServer(t, { env: { ...disk.env, ARAGORA_DEMO_TOKEN_RATE: '60' } });
      const body = { task: 'Does it hold?', agents: ['demo', 'demo'], rounds: 1, fast_path: false };
      const running = await startDebate(server, body);
      disk.set(name);
      const refused = await post(server, '/api/debates', body);
      assert.equal(refused.status, 503, refused.text);
      assert.equal(refused.json.code, 'SERVICE_UNAVAILABLE');
      assert.match(refused.json.error, /the database cannot be written/);
      await until(() => health(server), warned(/database cannot be written/));
      assert.equal((await get(server, '/readyz')).status, 503);
      assert.equal((await get(server, `/api/debates/${running.id}`)).json.status, 'running');
      disk.set('');
      await until(() => health(server), ({ status }) => status === 'healthy');
      await finished(server, running.id);
      const frames = await checkWhole(server, running.id);
      assert.ok(!frames.some((frame) => frame.data?.outcome === 'unknown'));
      assert.equal((await finished(server, (await startDebate(server, body)).id)).status, 'completed');
      assert.equal(execFileSync('sqlite3', [join(server.dir, 'aragora_memory.db'), 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim(), 'ok');
    });

  test('it does not answer: a scrape gives what was seen last, and how long ago', async (t) => {
    const disk = buildFailingDisk(t);
    const server = await startServer(t, { env: disk.env });
    t.after(() => disk.set(''));
    const scrape = async () => {
      const began = performance.now();
      const { text } = await get(server, '/api/metrics');
      assert.ok(performance.now() - began < 1000);
      const value = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
      return { free: value('aragora_disk_free_bytes{place="data"}'), bytes: value('aragora_database_bytes{database="memory"}'),
        age: value('aragora_disk_figures_age_seconds') };
    };
    assert.equal((await scrape()).age, 0);
    disk.set('silent');
    for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: 8 }, scrape)); // more than there are HTTP threads
    const seen = await until(scrape, ({ age }) => age >= 2);
    assert.ok(seen.free > 0 && seen.bytes > 0);
    assert.ok((await get(server, '/api/metrics?format=json')).json.databases['aragora_memory.db'].bytes > 0);
    disk.set('');
    await until(scrape, ({ age }) => age === 0);
  });
});

// ---- files that are damaged ----

function digests(dir) {
  return Object.fromEntries(readdirSync(dir, { withFileTypes: true }).map((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return [entry.name, digests(path)];
    return [entry.name, createHash('sha256').update(readFileSync(path)).digest('hex')];
  }));
}

test('of two databases health marks the one that cannot be read, and names no path', async (t) => {
  const server = await startServer(t);
  await health(server);
  // More at once than have been opened: the next one has to open the file anew.
  writeFileSync(join(server.dir, 'aragora_elo.db'), 'no database any more'.repeat(1000));
  const body = await until(() => health(server), ({ checks }) => !checks.elo_system.healthy);
  assert.equal(body.checks.database.healthy, true);
  assert.equal(body.components.database.status, 'healthy');
  assert.deepEqual([body.services.database, body.services.elo_system, body.status], [true, false, 'unhealthy']);
  const deep = await get(server, '/api/health/deep');
  assert.equal(deep.status, 503);
  assert.deepEqual([deep.json.checks.storage.healthy, deep.json.checks.elo_system.healthy], [true, false]);
  for (const text of [JSON.stringify(body), deep.text]) assert.ok(!text.includes(server.dir), text);
  await server.line(/event=database_unreadable database=elo reason=.*aragora_elo\.db/);
  server.expectedToDie = true;
  await server.stop('SIGKILL');
});

describe('a damaged database is refused with its name and not written to', () => {
  async function damaged(t, damage) {
    const dir = temporaryDirectory(t);
    const server = await startServer(undefined, { dir });
    await finished(server, (await startDebate(server, { task: 'Whole?', agents: ['demo', 'demo'] })).id);
    await server.stop();
    const path = join(dir, 'aragora_memory.db');
    writeFileSync(path, damage(readFileSync(path)));
    return { dir, path };
  }

  const damages = {
    'a page of noise': (bytes) => bytes.fill(0xa5, bytes.length - 8192, bytes.length - 4096),
    'a head of noise': (bytes) => bytes.fill(0xa5, 0, 64),
    'an end that is missing': (bytes) => bytes.subarray(0, bytes.length - 3 * 4096),
    'another program\'s mark': (bytes) => { bytes.writeUInt32BE(0x12345678, 68); return bytes; },
  };
  for (const [name, damage] of Object.entries(damages))
    test(name, async (t) => {
      const { dir, path } = await damaged(t, damage);
      const before = digests(dir);
      const refused = new Process(['server', '--port', '0', '--ws-port', '0'], { dir });
      assert.equal((await refused.end()).code, 1);
      assert.match(refused.lines.join('\n'), new RegExp(path));
      assert.deepEqual(digests(dir), before);
    });
});

// ---- descriptors ----

// Of user and system, in clock ticks of 10 ms, from /proc/PID/stat.
function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

test('without descriptors it does not spin, does not end, and recovers', async (t) => {
  const server = await startServer(t, { under: ['prlimit', '--nofile=60:60', '--'] });
  const { id } = await startDebate(server, { task: 'Few?', agents: ['demo', 'demo'], rounds: 0 });
  await finished(server, id);
  const sockets = Array.from({ length: 200 }, () => connectTo(server.port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => {});
  await server.line(/accept failed/);
  const before = ticks(server.pid);
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2000)); // what is measured is idleness
  const share = (ticks(server.pid) - before) * 10 / (performance.now() - began);
  console.log(`CPU while starved of descriptors: ${(share * 100).toFixed(1)} % of a core`);
  assert.ok(share < 0.5, `${share}`);
  for (const socket of sockets) socket.destroy();
  await until(() => health(server).catch(() => ({})), ({ status }) => status === 'healthy');
  assert.equal((await finished(server, (await startDebate(server, { task: 'Enough?', agents: ['demo', 'demo'], rounds: 0 })).id)).status, 'completed');
  const complaints = server.lines.filter((line) => /accept failed/.test(line)).length;
  assert.ok(complaints <= 4, `${complaints} lines of the log say the same`);
});

test('more connections at once than may be are closed, and the server goes on', async (t) => {
  const server = await startServer(t, { args: ['--max-connections', '40'] });
  for (let round = 0; round < 5; round++) {
    const sockets = Array.from({ length: 400 }, () => connectTo(server.port, '127.0.0.1'));
    const ends = sockets.map((socket) => new Promise((resolve) => socket.on('error', () => {}).on('close', resolve).resume()));
    let closed = 0;
    await new Promise((resolve) => ends.forEach((end) => end.then(() => ++closed === 360 && resolve())));
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
    await until(() => health(server).catch(() => ({})), ({ status }) => status === 'healthy');
  }
  assert.equal((await server.stop()).code, 0);
});

// Each connection speaks and is dropped, or is only opened; one that did not give its place back would
// be one of forty.
test('connections of every kind give their place back', async (t) => {
  const server = await startServer(t, { args: ['--max-connections', '40'], env: { ARAGORA_WS_CONN_RATE: '0' } });
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const kinds = [
    ['GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1.1 200/],
    [`GET /ws HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`, /^HTTP\/1.1 101/],
    ['GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n', /^HTTP\/1.1 400/],
    ['', null],
  ];
  for (let i = 0; i < 60; i++) {
    for (const [request, answer] of kinds) {
      const socket = connectTo(server.port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      if (answer) {
        socket.write(request);
        assert.match(String((await Promise.race([once(socket, 'data'), once(socket, 'close')]))[0]), answer);
      }
      socket.destroy();
    }
  }
  assert.equal((await health(server)).status, 'healthy');
});

// ---- a lock of another program ----

test('a foreign write lock for 3 s: health goes on, writes wait, nothing breaks', async (t) => {
  const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '200' } });
  const body = { task: 'Locked?', agents: ['demo', 'demo'], rounds: 1, fast_path: false };
  const running = await startDebate(server, body);
  const sqlite = spawn('sqlite3', ['-batch', join(server.dir, 'aragora_memory.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => sqlite.kill('SIGKILL'));
  sqlite.stdin.write("BEGIN IMMEDIATE; SELECT 'locked';\n");
  await once(createInterface({ input: sqlite.stdout }), 'line');
  const locked = performance.now();
  const waiting = startDebate(server, body).then((started) => ({ started, after: performance.now() - locked }));
  let slowest = 0;
  while (performance.now() - locked < 3000) {
    const from = performance.now();
    assert.equal((await health(server)).status, 'healthy');
    slowest = Math.max(slowest, performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  sqlite.stdin.end('COMMIT;\n');
  const { started, after } = await waiting;
  console.log(`foreign lock of 3 s: a start waited ${after.toFixed(0)} ms, the slowest health answer took ${slowest.toFixed(0)} ms`);
  assert.ok(after >= 3000);
  assert.ok(slowest < 1000);
  for (const id of [running.id, started.id]) {
    assert.equal((await finished(server, id)).status, 'completed');
    await checkWhole(server, id);
  }
});
