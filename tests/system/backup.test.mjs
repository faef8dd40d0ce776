// Backups with the real program: made while a server writes, damaged, cut off, restored.

import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { noS3, SECRET, startS3 } from './lib/s3_store.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const MEMORY = 'aragora_memory.db';
const ELO = 'aragora_elo.db';
const CHECK_FAILED = 8;

// {code, text, json}: the command at its end.
async function run(args, dir, env = {}, under) {
  const process = new Process(args, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '0', ...env }, under });
  const { code, signal } = await process.end(60_000);
  process.checkSanitizers();
  const text = process.lines.join('\n');
  const line = process.lines.find((each) => each.startsWith('{'));
  return { code, signal, text, json: line && JSON.parse(line) };
}

async function must(args, dir, env, under) {
  const result = await run(args, dir, env, under);
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.text}`);
  return result;
}

const backup = (args, dir, env) => must(['backup', ...args, '--json'], dir, env);

async function ask(dir, question) {
  const { json } = await must(['ask', '--demo', question, '--rounds', '0', '--json'], dir);
  return json.id;
}

async function debates(dir) {
  const { json } = await must(['debates', 'list', '--json'], dir);
  return json.debates.map((debate) => debate.task).sort();
}

const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const stagings = (dir) => (existsSync(dir) ? readdirSync(dir).filter((name) => name.startsWith('.')) : []);

function flip(path, at) {
  const bytes = readFileSync(path);
  bytes[Math.floor(at * (bytes.length - 1))] ^= 0x01;
  writeFileSync(path, bytes);
}

// Four callers start debates, one after the other, until they are told to stop. `acknowledged` has
// the ids that were answered with success, in order.
function startWriters(server) {
  const writers = { acknowledged: [], stopped: false };
  const body = { task: 'Does it hold?', agents: ['demo', 'demo'], rounds: 1 };
  const write = async () => {
    while (!writers.stopped) writers.acknowledged.push((await startDebate(server, body)).id);
  };
  const all = Promise.all([write(), write(), write(), write()]);
  writers.stop = () => {
    writers.stopped = true;
    return all;
  };
  writers.reached = async (count) => {
    while (writers.acknowledged.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return writers;
}

async function backupUnderWriters(t, dir, env) {
  const server = await startServer(t, { dir, env });
  const writers = startWriters(server);
  await writers.reached(40);
  const before = [...writers.acknowledged];
  const { json } = await backup(['create'], dir, env);
  await writers.stop();
  assert.equal(json.verified, true);
  assert.ok(json.debates >= before.length, `${json.debates} of ${before.length}`);
  assert.ok(writers.acknowledged.length > before.length, 'nobody wrote meanwhile');
  return { before, server, name: json.name };
}

async function assertHasAll(t, dir, ids) {
  const server = await startServer(t, { dir });
  for (const id of ids) {
    const debate = await finished(server, id); // what was running goes on
    assert.equal(debate.status, 'completed', id);
  }
  await server.stop();
  for (const id of ids.slice(0, 5)) await must(['replay', id, '--check'], dir);
}

describe('a backup under four writers', () => {
  test('to a directory, restored elsewhere, has every debate acknowledged before it began', async (t) => {
    const dir = temporaryDirectory(t);
    const elsewhere = temporaryDirectory(t);
    const { before } = await backupUnderWriters(t, dir);
    await backup(['drill'], dir);
    await backup(['restore', '--into', elsewhere], dir);
    await assertHasAll(t, elsewhere, before);
  });

  test('to an S3-compatible store, restored elsewhere, likewise', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    const elsewhere = temporaryDirectory(t);
    const { before, name, server } = await backupUnderWriters(t, dir, s3.env);
    await server.stop(); // which ships its archive through such a directory of its own
    assert.deepEqual(stagings(join(dir, 'backups')), []);
    const { json } = await backup(['restore', name, '--into', elsewhere], temporaryDirectory(t), s3.env);
    assert.equal(json.backup.name, name);
    await assertHasAll(t, elsewhere, before);
    assert.deepEqual(s3.refused, []);
  });
});

// As the manifest's canonical text: its numbers are whole and its texts plain.
const canonical = (value) => JSON.stringify(value, (_, each) =>
  (each && typeof each === 'object' && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each));

test('a backup is held against the last row of the audit log that its manifest names', async (t) => {
  const dir = temporaryDirectory(t);
  await must(['user', 'create', 'ann@example.org'], dir);
  const { json } = await backup(['create'], dir);
  const path = join(dir, 'backups', json.name, 'manifest.json');
  const { sha256, ...manifest } = JSON.parse(readFileSync(path, 'utf8'));
  assert.match(sha256, /^[0-9a-f]{64}$/);
  assert.equal(json.audit_head, `${manifest.audit.seq}:${manifest.audit.hash}`);
  await must(['audit', 'verify', '--head', json.audit_head], dir);
  const claim = (audit) => {
    const { audit: _, ...bare } = manifest;
    const object = audit ? { ...bare, audit } : bare;
    const seal = createHash('sha256').update(canonical(object)).digest('hex');
    writeFileSync(path, `${canonical({ ...object, sha256: seal })}\n`);
  };
  const { seq, hash } = manifest.audit;
  for (const audit of [{ seq, hash: hash.replace(/./g, '0') }, { seq: seq + 1, hash }, { seq: 0, hash: '0'.repeat(64) }]) {
    claim(audit);
    for (const command of [['verify', json.name], ['restore', json.name, '--force']]) {
      const { code, text } = await run(['backup', ...command], dir);
      assert.equal(code, CHECK_FAILED, text);
      assert.match(text, /its audit log does not hold the row/);
    }
  }
  for (const audit of [manifest.audit, undefined]) { // the latter is of an earlier version
    claim(audit);
    await backup(['verify', json.name], dir);
    await backup(['restore', json.name, '--force'], dir);
  }
});

describe('a damaged backup', () => {
  for (const file of ['aragora_memory.db.zst', 'aragora_elo.db.zst', 'manifest.json'])
    test(`with one flipped byte in ${file} fails verify and restore, which name it`, async (t) => {
      const dir = temporaryDirectory(t);
      await ask(dir, 'First?');
      const { json } = await backup(['create'], dir);
      const before = digest(join(dir, MEMORY));
      const path = join(dir, 'backups', json.name, file);
      for (const at of [0, 0.5, 1]) {
        flip(path, at);
        for (const command of [['verify', json.name], ['restore', json.name, '--force']]) {
          const { code, text } = await run(['backup', ...command], dir);
          assert.equal(code, CHECK_FAILED, text);
          assert.match(text, new RegExp(file));
        }
        flip(path, at);
      }
      assert.equal(digest(join(dir, MEMORY)), before);
      await backup(['verify', '--all', '--deep'], dir);
    });

  test('is shown as such, and is not the one that "latest" means', async (t) => {
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    const first = (await backup(['create'], dir)).json.name;
    const second = (await backup(['create'], dir)).json.name;
    flip(join(dir, 'backups', second, 'manifest.json'), 0.3);
    const { json } = await backup(['list'], dir);
    const states = Object.fromEntries(json.backups.map((each) => [each.name, each.state]));
    assert.deepEqual(states, { [second]: 'damaged', [first]: 'verified' });
    assert.equal((await backup(['restore', 'latest', '--force'], dir)).json.backup.name, first);
  });
});

describe('a restore', () => {
  test('over a database with garbage in -wal and -shm serves what was backed up', async (t) => {
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    await backup(['create'], dir);
    await ask(dir, 'Second?');
    const wal = readFileSync(join(dir, MEMORY)).subarray(0, 40_000);
    for (const name of [MEMORY, ELO]) {
      writeFileSync(join(dir, `${name}-wal`), wal);
      writeFileSync(join(dir, `${name}-shm`), 'garbage'.repeat(5000));
    }
    await backup(['restore', '--force'], dir);
    assert.deepEqual(await debates(dir), ['First?']);
    const kept = readdirSync(dir).filter((name) => name.includes('before-restore'));
    assert.equal(kept.length, 6, kept.join(' '));
  });

  test('replaces a database that is damaged beyond opening', async (t) => {
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    await backup(['create'], dir);
    writeFileSync(join(dir, MEMORY), 'this is no database any more\n'.repeat(1000));
    assert.notEqual((await run(['debates', 'list'], dir)).code, 0);
    await backup(['restore', '--force'], dir);
    assert.deepEqual(await debates(dir), ['First?']);
  });

  test('is refused while a server serves, and changes nothing', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(t, { dir });
    const { id } = await startDebate(server, { task: 'Stay', agents: ['demo', 'demo'], rounds: 0 });
    await finished(server, id);
    await backup(['create'], dir);
    const { code, text } = await run(['backup', 'restore', '--force'], dir);
    assert.equal(code, 1);
    assert.match(text, /a server uses the database .*stop it first/);
    assert.equal((await get(server, `/api/debates/${id}`)).status, 200);
    assert.deepEqual(readdirSync(dir).filter((name) => /restor|replace/.test(name)), []);
  });

  test('never overwrites without --force', async (t) => {
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    await backup(['create'], dir);
    const before = digest(join(dir, MEMORY));
    const { code, text } = await run(['backup', 'restore'], dir);
    assert.equal(code, 1);
    assert.match(text, /--force/);
    assert.equal(digest(join(dir, MEMORY)), before);
  });

  test('as of a moment before the oldest backup says what there is', async (t) => {
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    await backup(['create'], dir);
    const { code, text } = await run(['backup', 'restore', '--at', '2020-01-01 00:00:00', '--into', 'then'], dir);
    assert.equal(code, 5, text);
    assert.match(text, /the oldest is of 20\d\d-/);
    assert.equal((await run(['backup', 'restore', '--at', 'yesterday'], dir)).code, 2);
  });
});

// What a person sees afterwards is the old state or the new one: of both databases.
const rating = (dir) => execFileSync('sqlite3', [join(dir, ELO), 'SELECT count(*) FROM contenders'], { encoding: 'utf8' }).trim();
const rate = (dir) =>
  execFileSync('sqlite3', [join(dir, ELO), "INSERT INTO contenders (tenant_id, provider, model, agent, demo) VALUES ('local', 'p', 'm', 'a', 0)"]);

async function twoStates(t) {
  const dir = temporaryDirectory(t);
  await ask(dir, 'Old?');
  await backup(['create'], dir);
  await ask(dir, 'New?');
  rate(dir);
  return dir;
}

const hasStrace = existsSync('/usr/bin/strace');
const killAt = (call, n) => ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${n}`];

// As one leaves it that died while it brought its copy forward: SQLite would take it for the log of
// the next copy of that name.
test('a log that a dead restore left is no part of the next one', async (t) => {
  const dir = temporaryDirectory(t);
  const server = await startServer(undefined, { dir });
  for (const task of ['Old?', 'Older?']) await finished(server, (await startDebate(server, { task, agents: ['demo', 'demo'], rounds: 0 })).id);
  await backup(['create'], dir);
  await finished(server, (await startDebate(server, { task: 'New?', agents: ['demo', 'demo'], rounds: 2, fast_path: false })).id);
  await server.stop('SIGKILL');
  const log = readFileSync(join(dir, `${MEMORY}-wal`));
  assert.ok(log.length > 32);
  for (const at of [[], ['--at', new Date().toISOString()]]) {
    writeFileSync(join(dir, `${MEMORY}.restored-wal`), log);
    const { json } = await backup(['restore', '--force', ...at], dir);
    assert.ok(json);
    assert.equal((await must(['db', 'check'], dir)).code, 0);
    assert.deepEqual(await debates(dir), at.length ? ['New?', 'Old?', 'Older?'] : ['Old?', 'Older?']);
    assert.deepEqual(readdirSync(dir).filter((name) => name.includes('.restored')), []);
  }
});

describe('kill -9', { skip: !hasStrace && 'strace is not installed' }, () => {
  for (const call of ['rename', 'fsync', 'unlink'])
    test(`at every ${call} of a restore leaves the old state or the new one`, async (t) => {
      const dir = await twoStates(t);
      let killed = 0;
      let old = 0;
      for (let n = 1; n < 60; n++) {
        const { signal, code } = await run(['backup', 'restore', '--force'], dir, {}, killAt(call, n));
        const tasks = await debates(dir); // which completes what was begun
        const isOld = tasks.length === 2;
        assert.deepEqual(tasks, isOld ? ['New?', 'Old?'] : ['Old?'], `${call} ${n}`);
        assert.equal(rating(dir), isOld ? '1' : '0', `${call} ${n}`);
        assert.ok(!existsSync(join(dir, `${MEMORY}.replace`)));
        if (code === 0 && !signal) break;
        killed++;
        old += isOld;
        if (!isOld) {
          await ask(dir, 'New?');
          rate(dir);
        }
      }
      assert.ok(killed >= 1, 'never killed');
      if (call === 'rename') assert.ok(killed > old && old > 0, `${killed} kills, ${old} old states`);
      await backup(['restore', '--force'], dir);
      assert.deepEqual(readdirSync(dir).filter((name) => name.endsWith('.restored')), []);
    });

  for (const call of ['rename', 'fsync', 'unlink', 'mkdir', 'pwrite64'])
    test(`at every ${call} of a create leaves no half backup behind`, async (t) => {
      const dir = temporaryDirectory(t);
      await ask(dir, 'First?');
      const before = digest(join(dir, MEMORY));
      let whole = 0;
      for (let n = 1; n < 400; n += call === 'pwrite64' ? 13 : 1) {
        const { signal, code } = await run(['backup', 'create'], dir, {}, killAt(call, n));
        const { json } = await backup(['list'], dir);
        assert.ok(json.backups.every((each) => each.state !== 'damaged'));
        whole = json.backups.filter((each) => each.state !== 'incomplete').length;
        if (code === 0 && !signal) break;
      }
      assert.ok(whole >= 1);
      assert.equal((await backup(['verify', '--all'], dir)).json.ok, true);
      await backup(['create'], dir);
      assert.deepEqual(stagings(join(dir, 'backups')), []);
      assert.equal(digest(join(dir, MEMORY)), before);
    });
});

describe('an S3-compatible store', () => {
  test('that fails for a moment, and cuts answers off, is tried again', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    s3.failures = 2;
    s3.cuts = 1;
    const { json } = await backup(['create'], dir, s3.env);
    assert.equal(json.verified, true);
    assert.equal(s3.failures + s3.cuts, 0);
    assert.ok(s3.requests.some(({ headers }) => headers.range));
    assert.deepEqual(s3.refused, []);
  });

  test('gets the storage class that was set, for the data alone', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    await backup(['create', '--kind', 'full'], dir, { ...s3.env, ARAGORA_FULL_BACKUP_STORAGE_CLASS: 'REDUCED_REDUNDANCY' });
    const puts = s3.requests.filter(({ method }) => method === 'PUT');
    assert.deepEqual(
      puts.map(({ url, headers }) => [url.split('/').at(-1), headers['x-amz-storage-class']]),
      [['aragora_memory.db.zst', 'REDUCED_REDUNDANCY'], ['aragora_elo.db.zst', 'REDUCED_REDUNDANCY'],
       ['manifest.json', undefined], ['verified.json', undefined]],
    );
  });

  test('that refuses the signature is told of, without the secret', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    const wrong = `${SECRET}x`;
    const { code, text } = await run(['backup', 'create'], dir, { ...s3.env, AWS_SECRET_ACCESS_KEY: wrong });
    assert.equal(code, 6, text);
    assert.match(text, /SignatureDoesNotMatch/);
    assert.ok(!text.includes(SECRET));
    assert.deepEqual((await backup(['list'], dir, s3.env)).json.backups, []);
  });

  test('takes its credentials from files, and a session token', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    const file = join(dir, 'secret');
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
    const env = { ...s3.env, AWS_SECRET_ACCESS_KEY_FILE: file, AWS_SESSION_TOKEN: 'token/of+a=session' };
    delete env.AWS_SECRET_ACCESS_KEY;
    await backup(['create'], dir, env);
    assert.deepEqual(s3.refused, []);
    assert.ok(s3.requests.every(({ headers }) => headers['x-amz-security-token'] === 'token/of+a=session'));
    chmodSync(file, 0o644);
    const { code, text } = await run(['backup', 'list'], dir, env);
    assert.equal(code, 2);
    assert.match(text, /AWS_SECRET_ACCESS_KEY_FILE.*0600/);
  });

  test('that is not there is an error that names it', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    const { code, text } = await run(['backup', 'list'], dir, { ...s3.env, ARAGORA_BACKUP_TO: 's3://no-such-bucket/x' });
    assert.equal(code, 5);
    assert.match(text, /NoSuchBucket/);
    const nothing = await run(['backup', 'list'], dir, { ARAGORA_BACKUP_TO: 's3://aragora-backups' });
    assert.equal(nothing.code, 2);
    assert.match(nothing.text, /AWS_ACCESS_KEY_ID/);
  });

  test('keeps more backups than one page of a list shows, and prune removes the old ones', { skip: noS3 }, async (t) => {
    const s3 = await startS3(t);
    const dir = temporaryDirectory(t);
    await ask(dir, 'First?');
    const { json } = await backup(['create'], dir, s3.env);
    const old = '20200101T000000Z-hot-00000000';
    for (let n = 0; n < 1100; n++) await s3.putDirectly(`some/where/${old}/part-${n}`, 'x');
    const list = await backup(['list'], dir, s3.env);
    assert.deepEqual(list.json.backups.map((each) => [each.name, each.state]), [[json.name, 'verified'], [old, 'incomplete']]);
    assert.ok(s3.requests.some(({ url }) => url.includes('continuation-token=')));
    const pruned = await backup(['prune'], dir, s3.env);
    assert.deepEqual(pruned.json.removed, [old]);
  });
});

test('prune and list say nothing where nothing is', async (t) => {
  const dir = temporaryDirectory(t);
  assert.deepEqual((await backup(['list'], dir)).json.backups, []);
  assert.deepEqual((await backup(['prune'], dir)).json.removed, []);
  assert.equal((await run(['backup', 'create'], dir)).code, 5);
  assert.equal((await run(['backup', 'drill'], dir)).code, 5);
  assert.equal((await run(['backup', 'mend'], dir)).code, 2);
  rmSync(join(dir, 'backups'), { recursive: true, force: true });
});
