// The server's own backups: when they are made, what is said of them, what a failure does.

import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { noS3, SECRET, startS3 } from './lib/s3_store.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const AT_ONCE = { ARAGORA_BACKUP_DELAY_MINUTES: '0' };

async function directoryWithDebate(t) {
  const dir = temporaryDirectory(t);
  const server = await startServer(undefined, { dir });
  const { id } = await startDebate(server, { task: 'Kept?', agents: ['demo', 'demo'], rounds: 0 });
  await finished(server, id);
  await server.stop();
  return dir;
}

// Bodies of health are up to a second old: asked until they say it.
async function healthOnce(server, test) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const { json } = await get(server, '/api/health');
    if (test(json)) return json;
  }
  throw new Error(`health never said so:\n${JSON.stringify((await get(server, '/api/health')).json)}`);
}

async function metric(server, name) {
  const { text } = await get(server, '/metrics');
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

test('a backup is made when it is due, read back, and shown; a restart makes no other', async (t) => {
  const dir = await directoryWithDebate(t);
  const first = await startServer(undefined, { dir, env: AT_ONCE });
  const [, name] = await first.line(/event=backup name=(\S+-full-\S+) debates=1 .*verified=true/);
  const { checks, warnings, status } = await healthOnce(first, (each) => each.checks.backup.last_backup === name);
  assert.equal(status, 'healthy');
  assert.ok(checks.backup.healthy && checks.backup.scheduled && checks.backup.age_seconds < 60);
  assert.equal(Date.parse(checks.backup.next_at), Date.parse(checks.backup.last_success_at) + 24 * 3600 * 1000);
  assert.ok(!warnings.some((each) => /backup/.test(each)));
  const time = await metric(first, 'aragora_backup_last_success_timestamp_seconds');
  assert.equal(time, Math.floor(Date.parse(checks.backup.last_success_at) / 1000));
  assert.equal(await metric(first, 'aragora_backups_total\\{kind="full"\\}'), 1);
  assert.equal(await metric(first, 'aragora_backup_failures_total'), 0);
  assert.equal((await first.stop()).code, 0);

  const second = await startServer(t, { dir, env: AT_ONCE });
  const again = await healthOnce(second, (each) => each.checks.backup.next_at);
  assert.equal(again.checks.backup.last_backup, name);
  assert.equal(again.checks.backup.next_at, checks.backup.next_at);
  assert.equal(await metric(second, 'aragora_backup_last_success_timestamp_seconds'), time);
  assert.equal(readdirSync(join(dir, 'backups')).length, 1);
});

test('a crash after a backup begins no new chain of the archive', async (t) => {
  const dir = temporaryDirectory(t);
  const first = await startServer(undefined, { dir, env: AT_ONCE });
  t.after(() => first.stop('SIGKILL'));
  const before = await startDebate(first, { task: 'Kept?', agents: ['demo', 'demo'], rounds: 0 });
  await finished(first, before.id);
  await first.line(/event=backup name=\S+-full-/);
  const [chain] = readdirSync(join(dir, 'archive')).filter((name) => /^[0-9a-f]{32}$/.test(name));
  const written = (path) => statSync(join(dir, path)).mtimeMs;
  // The backup ends with a checkpoint, behind which the database's file is remembered anew.
  for (const deadline = Date.now() + 20_000; written(`archive/${chain}/stamp`) < written('aragora_memory.db'); )
    assert.ok(Date.now() < deadline, 'the stamp is older than the file');
  await first.stop('SIGKILL');
  const second = await startServer(t, { dir, env: AT_ONCE });
  const { id } = await startDebate(second, { task: 'Goes on?', agents: ['demo', 'demo'], rounds: 0 });
  await finished(second, id);
  assert.deepEqual(second.lines.filter((line) => /archive_chain_begun/.test(line)), []);
});

test('nothing is backed up before its time, nor what was never written', async (t) => {
  const dir = await directoryWithDebate(t);
  const server = await startServer(t, { dir });
  const wait = (each) => Date.parse(each.checks.backup.next_at) - Date.now();
  // The base that the archive's new chain goes on from, before the first one of the schedule.
  await healthOnce(server, (each) => each.checks.backup.next_at && wait(each) > 0 && wait(each) <= 60_000);
  assert.ok(!existsSync(join(dir, 'backups')));
  // With an archive there is one commit, which begins its chain.
  const empty = await startServer(t, { env: { ...AT_ONCE, ARAGORA_ARCHIVE: 'false' } });
  await healthOnce(empty, (each) => each.checks.backup.next_at);
  assert.ok(!existsSync(join(empty.dir, 'backups')));
});

test('none are made where they are switched off', async (t) => {
  const dir = await directoryWithDebate(t);
  const env = { ...AT_ONCE, ARAGORA_BACKUP_HOURS: '0', ARAGORA_FULL_BACKUP_DAYS: '0' };
  const server = await startServer(t, { dir, env });
  const { json } = await get(server, '/api/health');
  assert.equal(json.checks.backup.scheduled, false);
  assert.equal(json.checks.backup.next_at, null);
});

test('a place that cannot be written is a failure on health, and the server goes on', async (t) => {
  const dir = await directoryWithDebate(t);
  writeFileSync(join(dir, 'backups'), 'in the way');
  const server = await startServer(t, { dir, env: AT_ONCE });
  await server.line(/event=backup\w*_failed failures=1 reason=.*backups/);
  const { checks, warnings, status } = await healthOnce(server, ({ checks: { backup } }) => backup.error && backup.next_at);
  assert.equal(status, 'healthy');
  assert.equal(checks.backup.healthy, false);
  assert.match(checks.backup.error, /Not a directory/);
  assert.ok(!checks.backup.error.includes(dir), 'anybody may ask');
  assert.ok(warnings.some((each) => /backup failed/.test(each)));
  assert.ok(Date.parse(checks.backup.next_at) > Date.now() + 8 * 60_000, 'the next try is put off');
  assert.equal(await metric(server, 'aragora_backup_failures_total'), 1);
  const { id } = await startDebate(server, { task: 'Still here?', agents: ['demo', 'demo'], rounds: 0 });
  assert.equal((await finished(server, id)).status, 'completed');
});

test('to an S3-compatible store, with old backups removed and no secret in the log', { skip: noS3 }, async (t) => {
  const s3 = await startS3(t);
  const dir = await directoryWithDebate(t);
  const env = { ...s3.env, ...AT_ONCE };
  const old = new Process(['backup', 'create', '--kind', 'hot'], { dir, env });
  assert.equal((await old.end(30_000)).code, 0);
  const server = await startServer(t, { dir, env: { ...env, ARAGORA_LOG_LEVEL: 'DEBUG' } });
  await server.line(/event=backup name=\S+-full-\S+ .*verified=true/);
  assert.deepEqual(s3.refused, []);
  assert.ok(!server.lines.some((line) => line.includes(SECRET)));
  assert.ok(!existsSync(join(dir, 'backups')) || readdirSync(join(dir, 'backups')).length === 0);
});

test('SIGTERM in the middle of a backup ends the server, and leaves no half one', async (t) => {
  const dir = await directoryWithDebate(t);
  const server = await startServer(undefined, { dir, env: { ...AT_ONCE, ARAGORA_BACKUP_LOAD: '1' } });
  await healthOnce(server, (each) => each.checks.backup.next_at);
  assert.equal((await server.stop()).code, 0);
  const list = new Process(['backup', 'verify', '--all', '--json'], { dir });
  assert.equal((await list.end(30_000)).code, 0);
});
