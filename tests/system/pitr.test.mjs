// Point in time: a backup brought forward by the archive to a moment between two debates.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

import { finished, startDebate } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

function aragora(...args) {
  const run = spawnSync(BINARY, args, { encoding: 'utf8' });
  return { ...run, said: run.stdout + run.stderr };
}

async function debated(server, task) {
  const { debate_id: id } = await startDebate(server, { task });
  await finished(server, id);
  return id;
}

// A moment is a whole second: waits for the clock to have passed one since the last commit.
async function nextSecond() {
  const second = Math.floor(Date.now() / 1000) + 1;
  while (Date.now() < second * 1000 + 5) await new Promise((wake) => setTimeout(wake, 20));
  return second;
}

test('restore --at a moment between two debates has the first and not the second', async (t) => {
  const server = await startServer(t);
  const dir = server.dir;
  const before = await debated(server, 'Is it in the backup?');
  const made = aragora('backup', 'create', '--data-dir', dir);
  assert.equal(made.status, 0, made.said);
  const first = await debated(server, 'Is it before the moment?');
  const moment = await nextSecond();
  await nextSecond();
  const second = await debated(server, 'Is it after the moment?');
  await server.stop();

  const restored = join(temporaryDirectory(t), 'restored');
  const run = aragora('backup', 'restore', '--at', String(moment), '--into', restored, '--data-dir', dir);
  assert.equal(run.status, 0, run.said);
  assert.match(run.said, /archived commits were added/);
  for (const id of [before, first]) {
    const check = aragora('replay', id, '--check', '--data-dir', restored);
    assert.equal(check.status, 0, check.said);
    assert.match(check.stdout, /^ok: \d+ events/);
  }
  assert.match(aragora('replay', second, '--check', '--data-dir', restored).stderr, /no debate/);

  const early = aragora('backup', 'restore', '--at', '2001-01-01T00:00:00Z', '--into', join(restored, 'x'), '--data-dir', dir);
  assert.notEqual(early.status, 0);
  assert.match(early.stderr, /no backup is as old as/);
});
