// The archive of commits beside a real server: killed under load, looked after with the stock
// sqlite3, switched off. A backup brought forward by the archive is the database itself.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const TOOL = join(dirname(BINARY), 'tests', 'system', 'archive_tool');
const skip = existsSync(TOOL) ? false : 'this build has no archive_tool';

const memory = (dir) => join(dir, 'aragora_memory.db');
const sqlite = (path, ...sql) => execFileSync('sqlite3', ['-cmd', '.timeout 10000', path, ...sql], { encoding: 'utf8' });
const tool = (...args) => JSON.parse(execFileSync(TOOL, args, { encoding: 'utf8' }));

// Everything in it, in an order of its own, not that of rows in the file.
function dump(path) {
  const tables = sqlite(path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1")
    .trim().split('\n');
  const out = {};
  for (const table of tables) {
    const keys = sqlite(path, `SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('${table}') WHERE pk ORDER BY pk)`);
    out[table] = execFileSync('sqlite3', ['-json', path, `SELECT * FROM ${table} ORDER BY ${keys}`], {
      encoding: 'utf8', maxBuffer: 1 << 28,
    });
  }
  return out;
}

const base = (dir, name) => {
  sqlite(memory(dir), `.backup ${join(dir, name)}`);
  return join(dir, name);
};

// A line of the log about a chain: how it came to be, and which it is.
const chainLine = (server) => server.line(/event=archive_chain_(begun|resumed) chain=([0-9a-f]{32})/);

const start = (t, dir, env = {}) => startServer(t, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '0', ...env } });
const question = (n) => ({ question: `Number ${n}?`, rounds: 1 });

async function stopped(server) {
  const end = await server.stop();
  assert.equal(end.code, 0, server.lines.join('\n'));
}

describe('the archive of a server', { skip }, () => {
  test('survives kills under load: nothing acknowledged is missing from a backup brought forward', async (t) => {
    const dir = temporaryDirectory(t);
    const acknowledged = new Map(); // id -> chain at that time
    const bases = new Map(); // chain -> file
    const ways = [];
    for (let round = 0; round < 5; round++) {
      const server = await start(t, dir);
      const [, how, chain] = await chainLine(server);
      ways.push(how);
      if (!bases.has(chain)) bases.set(chain, base(dir, `base-${bases.size}.db`));
      if (round === 4) {
        await stopped(server);
        break;
      }
      server.expectedToDie = true;
      let count = 0;
      const poster = async (n) => {
        for (let i = 0; ; i++) {
          const answer = await post(server, '/api/debates', question(`${round}-${n}-${i}`)).catch(() => null);
          if (!answer?.json?.debate_id && !answer?.json?.id) return;
          acknowledged.set(answer.json.debate_id ?? answer.json.id, chain);
          if (++count === 25 + 10 * round) server.child.kill('SIGKILL');
        }
      };
      await Promise.all([0, 1, 2, 3].map(poster));
      await server.exited;
    }
    assert.ok(acknowledged.size > 100);
    assert.ok(ways.includes('resumed'), ways.join());
    assert.equal(tool('verify', join(dir, 'archive')).problems, 0);
    // the last chain's base, forward to the end, is the database
    const last = [...bases.entries()].at(-1);
    tool('replay', join(dir, 'archive'), last[1], '9000000000000');
    assert.deepEqual(dump(last[1]), dump(memory(dir)));
    const ids = new Set(sqlite(last[1], 'SELECT id FROM debates').trim().split('\n'));
    for (const id of acknowledged.keys()) assert.ok(ids.has(id), id);
    assert.equal(sqlite(last[1], 'PRAGMA integrity_check').trim(), 'ok');
  });

  test('is not disturbed by checkpoints of the stock sqlite3', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await start(t, dir);
    const [, , chain] = await chainLine(server);
    const file = base(dir, 'base.db');
    for (const mode of ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']) {
      const { debate_id: id } = await startDebate(server, question(mode));
      sqlite(memory(dir), `PRAGMA wal_checkpoint(${mode});`);
      await finished(server, id);
    }
    assert.equal(sqlite(memory(dir), 'PRAGMA integrity_check').trim(), 'ok');
    await stopped(server);
    assert.equal(sqlite(memory(dir), 'SELECT chain FROM commits').trim(), chain);
    tool('replay', join(dir, 'archive'), file, '9000000000000');
    assert.deepEqual(dump(file), dump(memory(dir)));
  });

  for (const sql of ['ANALYZE', 'VACUUM']) {
    test(`begins a new chain after ${sql}, and is whole in each`, async (t) => {
      const dir = temporaryDirectory(t);
      const server = await start(t, dir);
      const [, , first] = await chainLine(server);
      const before = base(dir, 'before.db');
      const { debate_id: one } = await startDebate(server, question('one'));
      await finished(server, one);
      sqlite(memory(dir), `${sql};`);
      const { debate_id: two } = await startDebate(server, question('two'));
      await server.line(/event=archive_chain_ended .* reason=foreign_write/);
      const after = base(dir, 'after.db');
      await finished(server, two);
      await stopped(server);
      assert.notEqual(sqlite(memory(dir), 'SELECT chain FROM commits').trim(), first);
      tool('replay', join(dir, 'archive'), after, '9000000000000');
      assert.deepEqual(dump(after), dump(memory(dir)));
      // the old chain to its end: the first debate is there; beyond it is refused, and the end is named
      let beyond = null;
      assert.throws(() => tool('replay', join(dir, 'archive'), before, '9000000000000'), (error) => {
        beyond = /CONFLICT .* nearest moments are (\S+Z) /.exec(error.message);
        return beyond !== null;
      });
      assert.ok(tool('replay', join(dir, 'archive'), before, String(Date.parse(beyond[1]))).count > 0);
      assert.equal(sqlite(before, 'SELECT id FROM debates').trim(), one);
    });
  }

  test('is not there when it is switched off', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await start(t, dir, { ARAGORA_ARCHIVE: 'false' });
    const { debate_id: id } = await startDebate(server, question('off'));
    await finished(server, id);
    assert.ok(!readdirSync(dir).includes('archive'));
    const { text } = await get(server, '/metrics');
    assert.match(text, /^aragora_archive_commits_total 0$/m);
  });
});
