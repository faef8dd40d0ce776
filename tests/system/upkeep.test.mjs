// `aragora db` on the files of a running server, and alone.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, startDebate } from './lib/client.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const MEMORY = 'aragora_memory.db';
const sql = (dir, text) => execFileSync('sqlite3', [join(dir, MEMORY), text], { encoding: 'utf8' }).trim();

async function run(dir, ...args) {
  const child = new Process(['db', ...args], { dir });
  const { code } = await child.end();
  return { code, lines: child.lines };
}

async function withDebate(t) {
  const dir = temporaryDirectory(t);
  const server = await startServer(undefined, { dir });
  const { id } = await startDebate(server, { task: 'Well kept?', agents: ['demo', 'demo'], rounds: 0 });
  await finished(server, id);
  return { dir, server, id };
}

describe('aragora db', () => {
  test('checks, checkpoints and analyzes beside a server, and refuses to vacuum', async (t) => {
    const { dir, server, id } = await withDebate(t);
    t.after(() => server.stop());
    const checked = await run(dir, 'check');
    assert.equal(checked.code, 0);
    assert.equal(checked.lines.length, 2);
    assert.match(checked.lines[0], /^memory: [\d,]+ pages checked, .*: no damage, .*aragora_memory\.db$/);
    assert.ok(statSync(join(dir, `${MEMORY}-wal`)).size > 0);
    const moved = await run(dir, 'checkpoint', '--json', '--database', 'memory');
    assert.equal(moved.code, 0);
    const [memory] = JSON.parse(moved.lines.join('\n')).databases;
    assert.ok(memory.pages_moved > 0 && memory.log_bytes_before > 0);
    assert.equal(memory.log_bytes, 0);
    assert.equal(statSync(join(dir, `${MEMORY}-wal`)).size, 0);
    assert.equal((await run(dir, 'analyze')).code, 0);
    assert.ok(Number(sql(dir, 'SELECT count(*) FROM sqlite_stat1')) > 0);
    const refused = await run(dir, 'vacuum');
    assert.equal(refused.code, 1);
    assert.match(refused.lines[0], /^aragora: a server runs on .*, and VACUUM wants it alone: stop it/);
    assert.equal((await get(server, `/api/debates/${id}`)).json.status, 'completed');
    const again = await startDebate(server, { task: 'And after that?', agents: ['demo', 'demo'], rounds: 0 });
    assert.equal((await finished(server, again.id)).status, 'completed');
  });

  test('vacuums alone', async (t) => {
    const { dir, server } = await withDebate(t);
    await server.stop();
    sql(dir, 'CREATE TABLE big (x BLOB); INSERT INTO big VALUES (zeroblob(3000000)); DROP TABLE big');
    const { code, lines } = await run(dir, 'vacuum');
    assert.equal(code, 0);
    assert.match(lines[0], /^memory: written anew, file \d\.\d MiB -> \d+ KiB, log 0 bytes, /);
  });

  test('names what is damaged, with exit code 8, and looks at the other one all the same', async (t) => {
    const { dir, server } = await withDebate(t);
    await server.stop();
    const file = openSync(join(dir, MEMORY), 'r+');
    writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, statSync(join(dir, MEMORY)).size - 4096);
    const { code, lines } = await run(dir, 'check');
    assert.equal(code, 8);
    assert.match(lines[0], /^memory: .*: damaged, \d+ problems/);
    assert.match(lines[1], /^ {2}\S/);
    assert.match(lines.at(-1), /^elo: .*no damage/);
  });
});
