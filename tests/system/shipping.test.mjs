// The archive in the place of backups: what is left when the server's disk is lost, and brought to a
// moment between two debates. In a directory and in an S3-compatible store.

import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { noS3, SECRET, startS3 } from './lib/s3_store.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const HEAD_BYTES = 72; // of a segment without a record

async function run(args, dir, env = {}) {
  const process = new Process(args, { dir, env });
  const { code } = await process.end(60_000);
  process.checkSanitizers();
  return { code, text: process.lines.join('\n') };
}

async function must(args, dir, env) {
  const result = await run(args, dir, env);
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.text}`);
  return result.text;
}

// Somewhere to put backups: its options, and which segments it has.
const places = {
  'a directory': (t) => {
    const dir = temporaryDirectory(t);
    const archive = join(dir, 'archive');
    return {
      dir,
      env: { ARAGORA_BACKUP_TO: dir },
      segments: () => (existsSync(archive) ? readdirSync(archive, { recursive: true }).filter((name) => name.endsWith('.seg.zst')) : []),
    };
  },
  'an S3-compatible store': async (t) => {
    const s3 = await startS3(t);
    const sent = () => s3.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/archive/'));
    return { s3, env: s3.env, segments: () => [...new Set(sent().map(({ url }) => url.split('/archive/')[1]))] };
  },
};

async function until(what, test) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    if (test()) return;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`never: ${what}`);
}

// {chain, name, bytes} of every segment on the server's own disk.
function ownSegments(dir) {
  const archive = join(dir, 'archive');
  const files = [];
  for (const chain of readdirSync(archive).filter((name) => /^[0-9a-f]{32}$/.test(name)))
    for (const name of readdirSync(join(archive, chain)).filter((each) => /\.(part|seg)$/.test(each))) {
      const bytes = statSync(join(archive, chain, name), { throwIfNoEntry: false })?.size ?? 0;
      files.push({ chain, name, bytes });
    }
  return files;
}

// Everything that was committed is sealed, and what is sealed is in the place.
const shipped = (server, place) =>
  until('everything is shipped', () => {
    const own = ownSegments(server.dir);
    const there = new Set(place.segments());
    return own.every(({ chain, name, bytes }) =>
      name.endsWith('.part') ? bytes <= HEAD_BYTES : there.has(`${chain}/${name}.zst`));
  });

async function debated(server, task) {
  const { id } = await startDebate(server, { task, agents: ['demo', 'demo'], rounds: 1 });
  await finished(server, id);
  return id;
}

// Four callers start debates until they are told to stop.
function startWriters(server) {
  const writers = { started: [], stopped: false };
  const write = async () => {
    while (!writers.stopped) {
      const { id } = await startDebate(server, { task: 'Does it hold?', agents: ['demo', 'demo'], rounds: 0 });
      writers.started.push(id);
    }
  };
  const all = Promise.all([write(), write(), write(), write()]);
  writers.stop = () => {
    writers.stopped = true;
    return all;
  };
  return writers;
}

// A moment is a whole second: waits for the clock to have passed one since the last commit.
async function nextSecond() {
  const second = Math.floor(Date.now() / 1000) + 1;
  while (Date.now() < second * 1000 + 5) await new Promise((wake) => setTimeout(wake, 20));
  return second;
}

const atOnce = (place) => ({ ...place.env, ARAGORA_ARCHIVE_SHIP_SECONDS: '1' });

// A backup under four writers, a debate, a moment, another debate; then the disk is gone.
async function lostServer(t, place, keepDisk = false) {
  const server = await startServer(t, { env: atOnce(place) });
  server.expectedToDie = true;
  const writers = startWriters(server);
  await until('there are debates', () => writers.started.length >= 20);
  await must(['backup', 'create'], server.dir, place.env);
  await writers.stop();
  for (const id of writers.started) await finished(server, id);
  const first = await debated(server, 'Is it before the moment?');
  const moment = await nextSecond();
  await nextSecond();
  const second = await debated(server, 'Is it after the moment?');
  await shipped(server, place);
  server.child.kill('SIGKILL');
  await server.exited;
  if (!keepDisk) rmSync(server.dir, { recursive: true });
  return { dir: server.dir, written: writers.started, first, moment, second };
}

async function assertHas(t, dir, has, lacks) {
  for (const id of has) assert.match(await must(['replay', id, '--check'], dir), /^ok: \d+ events/m);
  for (const id of lacks) assert.match((await run(['replay', id, '--check'], dir)).text, /no debate/);
  const server = await startServer(t, { dir });
  for (const id of has) assert.equal((await finished(server, id)).status, 'completed', id);
  for (const id of lacks) assert.equal((await get(server, `/api/debates/${id}`)).status, 404, id);
  await server.stop();
}

for (const [kind, open] of Object.entries(places))
  describe(`the archive in ${kind}`, { skip: kind === 'an S3-compatible store' && noS3 }, () => {
    test('brings a backup forward to a moment between two debates when the disk is lost', async (t) => {
      const place = await open(t);
      const { written, first, moment, second } = await lostServer(t, place);
      const dir = temporaryDirectory(t);
      const said = await must(['backup', 'restore', '--at', String(moment)], dir, place.env);
      assert.match(said, /archived commits were added/);
      assert.deepEqual(readdirSync(dir).filter((name) => name.startsWith('.')), []);
      await assertHas(t, dir, [first, written[0], written.at(-1)], [second]);
      const later = temporaryDirectory(t);
      await must(['backup', 'restore', '--at', String(moment + 3600), '--into', later], temporaryDirectory(t), place.env);
      await assertHas(t, later, [first, second], []);
      // Backups are what they were.
      const { backups } = JSON.parse(await must(['backup', 'list', '--json'], dir, place.env));
      assert.deepEqual(backups.map(({ state }) => state), ['verified']);
      await must(['backup', 'verify', '--all'], dir, place.env);
      const { removed } = JSON.parse(await must(['backup', 'prune', '--json'], dir, place.env));
      assert.deepEqual(removed, []);
      if (place.s3) assert.deepEqual(place.s3.refused, []);
    });

    test('gets each segment once, over restarts', async (t) => {
      const place = await open(t);
      const dir = temporaryDirectory(t);
      for (let round = 0; round < 3; round++) {
        const server = await startServer(undefined, { dir, env: atOnce(place) });
        await debated(server, `Number ${round}?`);
        if (round < 2) await shipped(server, place);
        assert.equal((await server.stop()).code, 0);
        await shipped(server, place); // the last one is sent at the end
        assert.ok(place.segments().length > round);
      }
      if (!place.s3) return;
      const puts = place.s3.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/archive/'));
      assert.equal(puts.length, place.segments().length);
      const lists = place.s3.requests.filter(({ url }) => url.includes('list-type') && url.includes('archive'));
      assert.ok(lists.length <= 3, `${lists.length} lists`);
    });
  });

describe('the archive on this disk and in the place', () => {
  test('are one: a segment may lie in either', async (t) => {
    const place = places['a directory'](t);
    const { dir, first, moment, second } = await lostServer(t, place, true);
    const own = ownSegments(dir).filter(({ name }) => name.endsWith('.seg'));
    assert.ok(own.length >= 2, `${own.length} segments`);
    own.forEach(({ chain, name }, i) =>
      rmSync(i % 2 ? join(dir, 'archive', chain, name) : join(place.dir, 'archive', chain, `${name}.zst`)));
    for (const [at, has, lacks] of [[moment, [first], [second]], [moment + 3600, [first, second], []]]) {
      const into = temporaryDirectory(t);
      await must(['backup', 'restore', '--at', String(at), '--into', into], dir, place.env);
      await assertHas(t, into, has, lacks);
    }
  });

  test('with a hole in both name the nearest two moments', async (t) => {
    const place = places['a directory'](t);
    const { moment } = await lostServer(t, place);
    const dir = temporaryDirectory(t);
    const names = place.segments().sort();
    const into = join(dir, 'then');
    rmSync(join(place.dir, 'archive', names.at(-2)));
    const holed = await run(['backup', 'restore', '--at', String(moment + 3600), '--into', into], dir, place.env);
    assert.equal(holed.code, 1, holed.text);
    assert.match(holed.text, /cannot be reached .*nearest moments are 20\S+Z and, from a later backup, 20\S+Z/);
    rmSync(join(place.dir, 'archive'), { recursive: true });
    const none = await run(['backup', 'restore', '--at', String(moment), '--into', into], dir, place.env);
    assert.equal(none.code, 1, none.text);
    assert.match(none.text, /neither \S+ nor \S+ has archived commits .*nearest moments are its own, 20\S+Z/);
    assert.deepEqual(readdirSync(into), []);
  });
});

describe('a place that refuses', () => {
  const metric = async (server, name) => Number(new RegExp(`^${name} (.*)$`, 'm').exec((await get(server, '/metrics')).text)?.[1]);

  test('is told of once, disturbs no debate, and gets everything later', { skip: noS3 }, async (t) => {
    const place = await places['an S3-compatible store'](t);
    const dir = temporaryDirectory(t);
    const file = join(dir, 'secret');
    writeFileSync(file, `${SECRET}x\n`, { mode: 0o600 });
    const env = { ...atOnce(place), AWS_SECRET_ACCESS_KEY_FILE: file };
    delete env.AWS_SECRET_ACCESS_KEY;
    const server = await startServer(t, { dir, env });
    await debated(server, 'Does it go on?');
    await server.line(/event=archive_ship_failing reason=.*SignatureDoesNotMatch/);
    await debated(server, 'And on?');
    const refused = place.s3.refused.length;
    await until('it is tried again', () => place.s3.refused.length > refused);
    assert.equal(await metric(server, 'aragora_archive_ship_failing'), 1);
    assert.ok((await metric(server, 'aragora_archive_waiting_segments')) >= 1);
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
    await server.line(/event=archive_ship_resumed/);
    await shipped(server, place);
    assert.equal(await metric(server, 'aragora_archive_ship_failing'), 0);
    assert.ok((await metric(server, 'aragora_archive_ship_failures_total')) >= 1);
    assert.equal(await metric(server, 'aragora_archive_shipped_segments_total'), place.segments().length);
    assert.equal(server.lines.filter((line) => line.includes('archive_ship_failing')).length, 1);
    assert.ok(!server.lines.some((line) => line.includes(SECRET)));
  });
});

test('nothing is shipped without a place of its own, nor where it is switched off', async (t) => {
  const place = places['a directory'](t);
  for (const env of [{}, { ...place.env, ARAGORA_ARCHIVE_SHIP_SECONDS: '0' }]) {
    const server = await startServer(undefined, { env });
    await debated(server, 'Only here?');
    assert.equal((await server.stop()).code, 0);
    assert.ok(!existsSync(join(server.dir, 'backups', 'archive')));
  }
  assert.deepEqual(place.segments(), []);
});
