// Migrations by hand, and stepping back to the release before: this program, and two kinds of a next
// release (tests/system/next) that lie beside it in a build with tests.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { BINARY, Process, startServer, temporaryDirectory } from './lib/server.mjs';

const beside = (name) => join(dirname(BINARY), 'tests', 'system', name);
const NEXT = { additive: beside('aragora-next-additive'), breaking: beside('aragora-next-breaking') };
const CRASH_AT = beside('crash_at.so');
const skip = !existsSync(NEXT.additive) && 'a build without tests has no next release';
const MEMORY = 'aragora_memory.db';
const ELO = 'aragora_elo.db';

async function run(dir, args, { program = BINARY, env = {}, under = [] } = {}) {
  const child = new Process(args, { dir, env, program, under });
  const end = await child.end();
  child.checkSanitizers();
  return { ...end, text: child.lines.join('\n') };
}

const sql = (dir, file, text) => execFileSync('sqlite3', [join(dir, file), text], { encoding: 'utf8' }).trim();
const version = (dir, file) => Number(sql(dir, file, 'PRAGMA user_version'));
const copies = (dir, file) => readdirSync(dir).filter((name) => name.startsWith(`${file.slice(0, -3)}.before-`));

// A database that has something in it, made once.
let made;
async function withDebate(t) {
  const dir = temporaryDirectory(t);
  if (!made) {
    made = temporaryDirectory();
    const server = await startServer(undefined, { dir: made });
    const { id } = await startDebate(server, { task: 'Will it last?', agents: ['demo', 'demo'], rounds: 0 });
    await finished(server, id);
    await server.stop();
  }
  cpSync(made, dir, { recursive: true });
  return dir;
}
process.on('exit', () => made && execFileSync('rm', ['-r', made]));

const debates = (dir, table = 'debates') => sql(dir, MEMORY, `SELECT count(*), group_concat(task) FROM ${table}`);

function digests(dir) {
  const out = {};
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isDirectory()) {
      out[name] = digests(join(dir, name));
      continue;
    }
    if (name.endsWith('-shm') || (name.endsWith('-wal') && statSync(join(dir, name)).size === 0)) continue;
    out[name] = createHash('sha256').update(readFileSync(join(dir, name))).digest('hex');
  }
  return out;
}

describe('aragora migrate', { skip }, () => {
  test('status, dry run, apply, roll back, as JSON too', async (t) => {
    const dir = await withDebate(t);
    const ours = version(dir, MEMORY);
    const ourElo = version(dir, ELO);
    const program = NEXT.additive;
    const before = digests(dir);
    const status = await run(dir, ['migrate', 'status', '--json'], { program });
    assert.equal(status.code, 0);
    const [memory, elo] = JSON.parse(status.text).databases;
    assert.equal(memory.version, ours);
    assert.equal(memory.latest, ours + 1);
    assert.equal(memory.pending, true);
    assert.equal(memory.migrations.at(-1).name, 'next');
    assert.equal(memory.migrations.at(-1).applied_at, null);
    assert.equal(elo.pending, true);
    const dry = await run(dir, ['migrate', 'apply', '--dry-run'], { program });
    assert.match(dry.text, new RegExp(`memory: Would apply 1 migration\\(s\\):\n {2}- ${ours + 1}: next`));
    assert.deepEqual(digests(dir), before);

    const applied = await run(dir, ['migrate', 'apply', '--json'], { program });
    assert.equal(applied.code, 0);
    const [result] = JSON.parse(applied.text).databases;
    assert.deepEqual([result.from, result.to], [ours, ours + 1]);
    assert.equal(version(dir, MEMORY), ours + 1);
    assert.equal(sql(dir, result.copy.split('/').at(-1), 'PRAGMA user_version; PRAGMA integrity_check'), `${ours}\nok`);
    assert.equal(statSync(result.copy).mode & 0o137, 0);
    assert.equal(copies(dir, ELO).length, 1);

    const again = await run(dir, ['migrate', 'upgrade'], { program });
    assert.match(again.text, /memory: No pending migrations\./);
    assert.equal(again.code, 0);
    const back = await run(dir, ['migrate', 'rollback'], { program });
    assert.match(back.text, /memory: Rolled back 1 migration\(s\):/);
    assert.equal(back.code, 0);
    assert.deepEqual([version(dir, MEMORY), version(dir, ELO)], [ours, ourElo + 1]);
    assert.equal((await run(dir, ['migrate', 'downgrade', '--database', 'elo', '--to', String(ourElo)], { program })).code, 0);
    assert.equal(version(dir, ELO), ourElo);
    assert.equal(debates(dir), '1|Will it last?');
  });

  test('keeps a bounded number of copies', async (t) => {
    const dir = await withDebate(t);
    const env = { ARAGORA_MIGRATION_COPIES: '2' };
    for (let i = 0; i < 3; i++)
      for (const action of ['apply', 'rollback'])
        assert.equal((await run(dir, ['migrate', action], { program: NEXT.additive, env })).code, 0);
    assert.equal(copies(dir, MEMORY).length, 2);
  });

  test('changes nothing under a running server, and says so', async (t) => {
    const dir = await withDebate(t);
    const server = await startServer(t, { dir });
    for (const action of ['apply', 'rollback']) {
      const refused = await run(dir, ['migrate', action], { program: NEXT.additive });
      assert.equal(refused.code, 1);
      assert.match(refused.text, /^aragora: a server runs on .*: stop it/m);
    }
    assert.equal((await run(dir, ['migrate', 'status'], { program: NEXT.additive })).code, 0);
    assert.equal((await run(dir, ['migrate', 'apply'])).code, 0); // nothing is pending for this one
    assert.equal(copies(dir, MEMORY).length, 0);
    assert.equal((await get(server, '/healthz')).status, 200);
  });
});

describe('a start on another schema', { skip }, () => {
  test('says what to run and touches nothing, from every command', async (t) => {
    const dir = await withDebate(t);
    const before = digests(dir);
    for (const args of [['server', '--port', '0', '--ws-port', '0'], ['ask', '--demo', 'q'], ['debates', 'list'], ['replay', 'x']]) {
      const refused = await run(dir, args, { program: NEXT.additive });
      assert.equal(refused.code, 1, args[0]);
      assert.match(refused.text, /^aragora: .*; run: aragora migrate apply --db-path \S+ --elo-path \S+$/m);
      assert.equal(refused.text.split('\n').filter((line) => line.startsWith('aragora:')).length, 1);
    }
    assert.deepEqual(digests(dir), before);
  });

  test('migrates with --migrate, after a copy, and serves', async (t) => {
    const dir = await withDebate(t);
    const ours = version(dir, MEMORY);
    const server = await startServer(t, { dir, program: NEXT.additive, args: ['--migrate'] });
    await server.line(new RegExp(`event=migrated database=memory from=${ours} to=${ours + 1} copy=\\S+\\.db`));
    assert.equal((await get(server, '/api/debates')).json.debates.length, 1);
    assert.equal(copies(dir, MEMORY).length, 1);
  });

  test('does not migrate for a start on a port in use', async (t) => {
    const dir = await withDebate(t);
    const first = await startServer(t);
    const before = digests(dir);
    const refused = await run(dir, ['server', '--port', String(first.port), '--ws-port', '0', '--migrate'], { program: NEXT.additive });
    assert.equal(refused.code, 1);
    assert.match(refused.text, new RegExp(`port ${first.port} is in use`));
    assert.deepEqual(digests(dir), before);
  });

  test('the release before works on an additive schema', async (t) => {
    const dir = await withDebate(t);
    assert.equal((await run(dir, ['migrate', 'apply'], { program: NEXT.additive })).code, 0);
    const server = await startServer(t, { dir });
    const { id } = await startDebate(server, { task: 'Still here?', agents: ['demo', 'demo'], rounds: 0 });
    assert.equal((await finished(server, id)).status, 'completed');
    assert.equal((await get(server, '/api/debates')).json.debates.length, 2);
  });

  test('the release before refuses another, and the command it names takes it back', async (t) => {
    const dir = await withDebate(t);
    const ours = version(dir, MEMORY);
    assert.equal((await run(dir, ['migrate', 'apply'], { program: NEXT.breaking })).code, 0);
    assert.equal(debates(dir, 'next_debates'), '1|Will it last?');
    const before = digests(dir);
    const refused = await run(dir, ['server', '--port', '0', '--ws-port', '0']);
    assert.equal(refused.code, 1);
    const [, command] = /run: aragora (migrate rollback --to \d+ --db-path \S+)$/m.exec(refused.text);
    assert.match(command, new RegExp(`--to ${ours} `));
    assert.deepEqual(digests(dir), before);
    assert.match((await run(dir, ['migrate', 'apply'])).text, /made by a newer version/);
    const back = await run(dir, command.split(' ')); // by the old program, with the new one's script
    assert.equal(back.code, 0, back.text);
    const server = await startServer(t, { dir });
    assert.equal((await get(server, '/api/debates')).json.debates[0].task, 'Will it last?');
  });
});

describe('a kill at every write', { skip }, () => {
  // What a database may look like, whatever the moment: one of the two schemas, whole, the debate in it.
  function check(dir, ours, ourElo, at) {
    const memory = sql(dir, MEMORY, `PRAGMA integrity_check; PRAGMA user_version;
      SELECT max(version) FROM _aragora_migrations;
      SELECT name FROM sqlite_schema WHERE name IN ('debates', 'next_debates')`).split('\n');
    const now = Number(memory[1]);
    assert.ok(now === ours || now === ours + 1, `schema ${now} after write ${at}`);
    const table = now === ours ? 'debates' : 'next_debates';
    assert.deepEqual(memory, ['ok', String(now), String(now), table], `after write ${at}`);
    assert.equal(debates(dir, table), '1|Will it last?');
    const elo = sql(dir, ELO, 'PRAGMA integrity_check; PRAGMA user_version').split('\n');
    assert.equal(elo[0], 'ok', `after write ${at}`);
    for (const copy of copies(dir, MEMORY).filter((name) => name.endsWith('.db')))
      assert.equal(sql(dir, copy, 'PRAGMA integrity_check; PRAGMA journal_mode'), 'ok\ndelete', `after write ${at}`);
    return `${now - ours}${elo[1] - ourElo}`;
  }

  async function killAll(t, prepare, args, end) {
    const first = await prepare();
    const fresh = await withDebate(t);
    const ours = version(fresh, MEMORY);
    const ourElo = version(fresh, ELO);
    const count = join(first, 'count');
    const preload = (env) => ({ program: NEXT.breaking, env: { LD_PRELOAD: CRASH_AT, ...env } });
    assert.equal((await run(first, args, preload({ CRASH_COUNT: count }))).code, 0);
    const calls = Number(readFileSync(count, 'utf8'));
    assert.ok(calls > 20, `${calls} writes`);
    const seen = new Set();
    const one = async (at) => {
      const dir = await prepare();
      const killed = await run(dir, args, preload({ CRASH_AT: String(at) }));
      assert.equal(killed.signal, 'SIGKILL', `write ${at}`);
      seen.add(check(dir, ours, ourElo, at));
      const again = await run(dir, args, { program: NEXT.breaking });
      assert.equal(again.code, 0, `${again.text} after write ${at}`);
      assert.equal(check(dir, ours, ourElo, at), end);
      assert.ok(!readdirSync(dir).some((name) => name.endsWith('.partial') && name.startsWith('aragora_memory')));
    };
    for (let at = 1; at <= calls; at += 2) await Promise.all([one(at), at < calls && one(at + 1)]);
    return seen;
  }

  test('of an apply leaves the old schema or the new one, also between the databases', async (t) => {
    const seen = await killAll(t, () => withDebate(t), ['migrate', 'apply'], '11');
    assert.deepEqual([...seen].sort(), ['00', '10', '11']); // memory, then the ratings
  });

  test('of a rollback by the release before leaves the new schema or the old one', async (t) => {
    const migrated = await withDebate(t);
    assert.equal((await run(migrated, ['migrate', 'apply'], { program: NEXT.breaking })).code, 0);
    for (const name of copies(migrated, MEMORY).concat(copies(migrated, ELO))) execFileSync('rm', [join(migrated, name)]);
    const prepare = async () => {
      const dir = temporaryDirectory(t);
      cpSync(migrated, dir, { recursive: true });
      return dir;
    };
    const ours = version(migrated, MEMORY) - 1;
    const seen = await killAll(t, prepare, ['migrate', 'rollback', '--to', String(ours)], '01');
    assert.deepEqual([...seen].sort(), ['01', '11']);
  });

  test('of a first start leaves nothing that has to be migrated', async (t) => {
    const root = temporaryDirectory(t);
    for (let at = 1, done = false; !done; at++) {
      const dir = join(root, String(at));
      mkdirSync(dir);
      const env = { LD_PRELOAD: CRASH_AT, CRASH_AT: String(at) };
      const killed = await run(dir, ['migrate', 'apply'], { env });
      done = killed.code === 0;
      const after = await run(dir, ['debates', 'list']);
      assert.equal(after.code, 0, `${after.text} after write ${at}`);
    }
  });
});
