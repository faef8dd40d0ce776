// The database commands of the operations runbook, as it prints them, with the stock sqlite3 on the files
// of a running server; after each its effect is checked, and that the debates which ran meanwhile came to
// their end. Those that the runbook calls offline run while the server is stopped. What differs from the
// print is where things lie (/data and /backups are temporary directories) and `aws`, which is a program
// of three lines that copies to a directory.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { brokenChain, logs } from '../torture/database.mjs';
import { collectEvents, finished, get, logged, startDebate } from './lib/client.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const run = promisify(execFile);
const BODY = { task: 'Should we restore?', agents: ['demo', 'demo', 'demo'], rounds: 1, fast_path: false };
const ENV = { ARAGORA_DEMO_TOKEN_RATE: '1500' };

// A machine of its own: {root, data, backups, s3, bin, database, shell(command)}.
function makePlace(t) {
  const root = temporaryDirectory(t);
  const place = { data: join(root, 'data'), backups: join(root, 'backups'), s3: join(root, 's3'), bin: join(root, 'bin') };
  for (const dir of Object.values(place)) mkdirSync(dir);
  place.root = root;
  const aws = join(place.bin, 'aws');
  writeFileSync(aws, `#!/bin/sh\n[ "$1 $2" = "s3 cp" ] && case $4 in s3://aragora-backups/) cp "$3" "${place.s3}/" ;; *) exit 2 ;; esac\n`);
  chmodSync(aws, 0o755);
  place.database = join(place.data, 'aragora_memory.db');
  // What the command says; it must exit with 0 and say nothing on standard error.
  place.shell = async (command, { stderr: allowed = /^$/, mayFail = false } = {}) => {
    const text = command.replaceAll('/data/', `${place.data}/`).replaceAll('/backups/', `${place.backups}/`);
    // --norc: with a socket for input, which node's pipes are, an outermost bash reads its rc files.
    const answer = run('bash', ['--norc', '-euc', text], { env: { ...process.env, PATH: `${place.bin}:${process.env.PATH}` } });
    if (mayFail) return answer.then(({ stdout }) => stdout.trim(), (error) => error.stderr.trim());
    const { stdout, stderr } = await answer;
    assert.match(stderr, allowed, command);
    return stdout.trim();
  };
  return place;
}

const start = (t, place, env = ENV) => startServer(t, { dir: place.data, env });

// Debates end one after another while `work` is done, one at least that began before it ended.
async function whileDebatesRun(server, work) {
  const ids = [(await startDebate(server, BODY)).id];
  let done = false;
  const debating = (async () => {
    for (;;) {
      await finished(server, ids.at(-1));
      if (done) return;
      ids.push((await startDebate(server, BODY)).id);
    }
  })();
  let result;
  try {
    result = await work();
  } finally {
    done = true;
  }
  await debating;
  for (const id of ids) assert.equal((await get(server, `/api/debates/${id}`)).json.status, 'completed');
  return result;
}

async function checkHealthy(server, place) {
  assert.equal((await get(server, '/api/health')).json.status, 'healthy');
  for (const events of (await logs(place.database)).values()) assert.equal(brokenChain(events), 0);
}

const walBytes = (place) => (existsSync(`${place.database}-wal`) ? statSync(`${place.database}-wal`).size : -1);
const walPages = (answer) => answer.split('|').map(Number); // busy, in the log, moved

describe('the runbook on the files of a running server', () => {
  let place;
  let server;
  before(async () => {
    place = makePlace();
    server = await start(undefined, place);
    await finished(server, (await startDebate(server, BODY)).id);
  });
  after(async () => {
    assert.equal((await server.stop()).code, 0);
    rmSync(place.root, { recursive: true });
  });

  // fuser names the file on standard error and the processes on standard output. Without a timeout of
  // its own the stock shell does not wait for the moment in which the server commits ("database is
  // locked", nothing done): then it is typed again.
  async function asPrinted(command) {
    for (let times = 1; ; times++) {
      try {
        return await place.shell(command, command.includes('fuser') ? { stderr: /aragora_memory\.db:/ } : {});
      } catch (error) {
        if (!/database is locked/.test(error.stderr) || times === 100) throw error;
        console.log(`${command}: met a commit of the server, typed again`);
      }
    }
  }

  // Each: what is printed, and what must be true of its answer and of the files.
  const commands = {
    'ls -la /data/*.db*': (answer) => {
      for (const name of ['aragora_memory.db', 'aragora_memory.db-wal', 'aragora_memory.db-shm', 'aragora_elo.db'])
        assert.match(answer, new RegExp(`${place.data}/${name}$`, 'm'));
    },
    'sqlite3 /data/aragora_memory.db ".shell fuser /data/aragora_memory.db"': (answer) =>
      assert.match(answer, new RegExp(`\\b${server.pid}\\b`)),
    'sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(PASSIVE);"': (answer) => {
      const [busy, inLog, moved] = walPages(answer);
      assert.equal(busy, 0);
      assert.ok(inLog > 0 && moved > 0, answer);
    },
    'sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(TRUNCATE);"': (answer) => assert.match(answer, /^[01]\|/),
    'sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(RESTART);"': (answer) => assert.match(answer, /^[01]\|/),
    'sqlite3 /data/aragora_memory.db "ANALYZE;"': async (answer) =>
      assert.ok(Number(await place.shell('sqlite3 /data/aragora_memory.db "SELECT count(*) FROM sqlite_stat1"')) > 0),
    'sqlite3 /data/aragora_memory.db "PRAGMA integrity_check;"': (answer) => assert.equal(answer, 'ok'),
  };
  for (const [command, check] of Object.entries(commands))
    test(command, async () => {
      await whileDebatesRun(server, async () => {
        const answer = await asPrinted(command);
        await check(answer);
      });
      await checkHealthy(server, place);
    });

  test('wal_checkpoint(TRUNCATE) empties the write-ahead log when nothing runs', async () => {
    await finished(server, (await startDebate(server, BODY)).id);
    assert.ok(walBytes(place) > 0);
    assert.match(await place.shell('sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(TRUNCATE);"'), /^0\|0\|0$/);
    assert.equal(walBytes(place), 0);
    assert.equal((await finished(server, (await startDebate(server, BODY)).id)).status, 'completed');
    await checkHealthy(server, place);
  });

  test('the hot backup has every debate acknowledged before it, each whole', async () => {
    const { id } = await startDebate(server, BODY);
    const whole = await finished(server, id);
    await whileDebatesRun(server, async () => {
      const acknowledged = (await startDebate(server, BODY)).id;
      await place.shell('sqlite3 /data/aragora_memory.db ".backup /backups/aragora_memory_$(date +%Y%m%d).db"');
      const [name] = readdirSync(place.backups);
      assert.match(name, /^aragora_memory_\d{8}\.db$/);
      const copy = await logs(join(place.backups, name));
      assert.ok(copy.has(acknowledged));
      for (const events of copy.values()) assert.equal(brokenChain(events), 0);
      assert.equal(copy.get(id).at(-1).type, 'debate_end');
      assert.equal(await place.shell(`sqlite3 /backups/${name} "PRAGMA integrity_check;"`), 'ok');
    });
    assert.deepEqual((await get(server, `/api/debates/${id}`)).json, whole);
    await checkHealthy(server, place);
  });

  test('the full backup script: both databases, packed and sent away', async (t) => {
    const { id } = await startDebate(server, BODY);
    await finished(server, id);
    await whileDebatesRun(server, () => place.shell(`
      BACKUP_DIR=/backups/$(date +%Y%m%d)
      mkdir -p $BACKUP_DIR

      for db in /data/*.db; do
          sqlite3 "$db" ".backup $BACKUP_DIR/$(basename $db)"
      done

      # Compress and upload
      tar -czf $BACKUP_DIR.tar.gz $BACKUP_DIR
      aws s3 cp $BACKUP_DIR.tar.gz s3://aragora-backups/
    `, { stderr: /^tar: Removing leading `\/' from member names\s*$/ }));
    const [archive] = readdirSync(place.s3);
    const away = temporaryDirectory(t);
    execFileSync('tar', ['-xzf', join(place.s3, archive), '-C', away, '--strip-components', String(place.backups.split('/').length)]);
    assert.deepEqual(readdirSync(away).sort(), ['aragora_elo.db', 'aragora_memory.db']);
    const restored = await startServer(t, { dir: away, env: ENV });
    assert.deepEqual((await get(restored, `/api/debates/${id}`)).json, (await get(server, `/api/debates/${id}`)).json);
    await checkHealthy(server, place);
  });
});

describe('the runbook offline', () => {
  // A server that has debated, stopped in order. {ids}
  async function debated(place, count = 3) {
    const server = await start(undefined, place);
    const ids = [];
    for (let i = 0; i < count; i++) {
      ids.push((await startDebate(server, BODY)).id);
      await finished(server, ids.at(-1));
    }
    assert.equal((await server.stop()).code, 0);
    return ids;
  }

  test('VACUUM', async (t) => {
    const place = makePlace(t);
    const ids = await debated(place);
    await place.shell('sqlite3 /data/aragora_memory.db "DELETE FROM events WHERE 0"');
    await place.shell('sqlite3 /data/aragora_memory.db "VACUUM;"');
    assert.equal(await place.shell('sqlite3 /data/aragora_memory.db "PRAGMA freelist_count"'), '0');
    assert.equal(await place.shell('sqlite3 /data/aragora_memory.db "PRAGMA integrity_check;"'), 'ok');
    const server = await start(t, place);
    for (const id of ids) assert.equal((await get(server, `/api/debates/${id}`)).json.status, 'completed');
    assert.equal((await finished(server, (await startDebate(server, BODY)).id)).status, 'completed');
    await checkHealthy(server, place);
  });

  // systemctl stop; cp; wal_checkpoint(RESTART); integrity_check; systemctl start.
  async function restore(place, day) {
    await place.shell(`cp /backups/${day}/aragora_memory.db /data/aragora_memory.db`);
    await place.shell('sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(RESTART);"', { mayFail: true });
    return place.shell('sqlite3 /data/aragora_memory.db "PRAGMA integrity_check;"', { mayFail: true });
  }

  async function backUp(place, day) {
    mkdirSync(join(place.backups, day));
    await place.shell(`sqlite3 /data/aragora_memory.db ".backup /backups/${day}/aragora_memory.db"`);
  }

  test('the point-in-time sequence after a stop in order', async (t) => {
    const place = makePlace(t);
    const server = await start(undefined, place);
    const kept = (await startDebate(server, BODY)).id;
    const debate = await finished(server, kept);
    await backUp(place, '20240115');
    const lost = (await startDebate(server, BODY)).id;
    await finished(server, lost);
    await server.stop();
    assert.equal(await restore(place, '20240115'), 'ok');
    const again = await start(t, place);
    assert.deepEqual((await get(again, `/api/debates/${kept}`)).json, debate);
    assert.equal((await get(again, `/api/debates/${lost}`)).status, 404);
    assert.equal((await finished(again, (await startDebate(again, BODY)).id)).status, 'completed');
    await checkHealthy(again, place);
  });

  test('a debate that ran when the backup was made goes on after it is restored', async (t) => {
    const place = makePlace(t);
    // Slow enough to be running still when a busy machine makes the backup.
    const server = await start(undefined, place, { ARAGORA_DEMO_TOKEN_RATE: '60' });
    const { id } = await startDebate(server, BODY);
    await collectEvents(server, id, { until: (frame) => frame.type === 'agent_message' });
    await backUp(place, '20240115');
    await finished(server, id);
    await server.stop();
    assert.equal(await restore(place, '20240115'), 'ok');
    const again = await start(t, place);
    assert.equal((await finished(again, id)).status, 'completed');
    const frames = logged(await collectEvents(again, id));
    assert.ok(frames.some((frame) => frame.type === 'resumed'));
    await checkHealthy(again, place);
  });

  // Killed, the server leaves a write-ahead log. What the sequence makes of that and of an older copy is
  // the newest state where the copy has all that the log builds on; where it has not, the file is damaged.
  test('the same after a kill, over a write-ahead log that fits the copy: replayed', async (t) => {
    const place = makePlace(t);
    const server = await start(undefined, place);
    const first = (await startDebate(server, BODY)).id;
    await finished(server, first);
    await backUp(place, '20240115');
    const second = (await startDebate(server, BODY)).id;
    const debate = await finished(server, second);
    await server.stop('SIGKILL');
    assert.ok(walBytes(place) > 0);
    assert.equal(await restore(place, '20240115'), 'ok');
    const again = await start(t, place);
    assert.deepEqual((await get(again, `/api/debates/${second}`)).json, debate);
    await checkHealthy(again, place);
  });

  test('the same after a kill, over one that does not fit: never served', async (t) => {
    const place = makePlace(t);
    const server = await start(undefined, place);
    await finished(server, (await startDebate(server, BODY)).id);
    await backUp(place, '20240115');
    for (let i = 0; i < 6; i++) await finished(server, (await startDebate(server, BODY)).id);
    await place.shell('sqlite3 /data/aragora_memory.db "PRAGMA wal_checkpoint(TRUNCATE);"');
    await finished(server, (await startDebate(server, BODY)).id);
    await server.stop('SIGKILL');
    assert.ok(walBytes(place) > 0);
    const verified = await restore(place, '20240115');
    console.log(`integrity_check says: ${verified.split('\n').slice(0, 3).join('; ')}`);
    assert.notEqual(verified, 'ok');
    const refused = new Process(['server', '--port', '0', '--ws-port', '0'], { dir: place.data, env: ENV });
    assert.equal((await refused.end()).code, 1);
    assert.match(refused.lines.join('\n'), new RegExp(place.database));
  });
});
