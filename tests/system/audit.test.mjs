// The audit log: what is written in it, who reads it, and that nothing can be done to its rows, or to
// its end, that is not found. The rows are changed by the stock sqlite3, as whoever has the file would.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { call, finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY as aragora, startServer, temporaryDirectory } from './lib/server.mjs';

const DB = 'aragora_memory.db';
const CHECK_FAILED = 8;
const ROWS = 14;

const sqlite = (path, sql) => execFileSync('sqlite3', ['-cmd', '.timeout 10000', path, sql], { encoding: 'utf8' });
const run = (args, input) => spawnSync(aragora, args, { encoding: 'utf8', input });
const verify = (dir, ...more) => run(['audit', 'verify', '--db-path', join(dir, DB), ...more]);

// The page of the documentation, as a program: docs/internals/auth.md.
function hashOf(row) {
  const text = JSON.stringify({
    action: row.action, actor: row.actor, address: row.address, at: row.at_ms, detail: row.detail,
    outcome: row.outcome, request_id: row.request_id, resource: row.resource, seq: row.seq, tenant: row.tenant_id,
  });
  return createHash('sha256').update(Buffer.from(row.previous, 'hex')).update(text).digest('hex');
}

const rowsOf = (path) =>
  JSON.parse(execFileSync('sqlite3', ['-json', path,
    'SELECT seq, at_ms, tenant_id, actor, action, outcome, resource, address, request_id, detail,'
    + ' lower(hex(previous)) AS previous, lower(hex(hash)) AS hash FROM audit ORDER BY seq'], { encoding: 'utf8' }));

// Maintenance is an act that a test can repeat.
const act = (server) => post(server, '/api/system/maintenance?task=checkpoint');

describe('the audit log', () => {
  let server, source, log;

  before(async () => {
    server = await startServer(undefined, {});
    try {
      for (let i = 0; i < ROWS; i++) assert.equal((await act(server)).status, 200);
      await server.line(/event=audit seq=14 /);
    } finally {
      await server.stop();
    }
    source = join(server.dir, DB);
    log = server.lines.join('\n');
  });

  // A copy with the change made to it.
  const changed = (sql) => {
    const dir = temporaryDirectory();
    copyFileSync(source, join(dir, DB));
    sqlite(join(dir, DB), sql);
    return dir;
  };
  const found = (sql, pattern, ...more) => {
    const result = verify(changed(sql), ...more);
    assert.match(result.stdout, pattern);
    assert.equal(result.status, CHECK_FAILED, result.stdout + result.stderr);
    return result.stdout;
  };

  test('is whole, and its hashes are what its page says', () => {
    const result = verify(server.dir);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    assert.match(result.stdout, /^14 rows, none changed, missing or added; the last is 14:[0-9a-f]{64}\n$/);
    let previous = '0'.repeat(64);
    for (const row of rowsOf(source)) {
      assert.equal(row.previous, previous);
      assert.equal(hashOf(row), row.hash);
      previous = row.hash;
    }
  });

  test('a changed row is named, whichever of its fields it is', () => {
    for (const field of ['at_ms = at_ms + 1', "tenant_id = 'x'", "actor = 'x'", "action = 'x'", "outcome = 'failed'",
      "resource = 'x'", "address = ''", "request_id = 'x'", "detail = '{\"x\":1}'", 'hash = zeroblob(32)', "detail = detail || char(0) || 'x'"])
      assert.match(found(`UPDATE audit SET ${field} WHERE seq = 6`, /^row 6: its content is not what was hashed\n14 rows/), /not as it was written/);
  });

  test('and when its hash was made anew to fit, and when the one behind it was bent too', () => {
    const row = { ...rowsOf(source)[5], actor: 'somebody' };
    const hash = hashOf(row);
    const lie = `UPDATE audit SET actor = 'somebody', hash = x'${hash}' WHERE seq = 6;`;
    found(lie, /^row 6: it was changed, and its hash made anew to fit\n14 rows/);
    found(`${lie} UPDATE audit SET previous = x'${hash}' WHERE seq = 7`, /^row 7: its content is not what was hashed\n14 rows/);
    const next = hashOf({ ...rowsOf(source)[6], previous: hash });
    found(`${lie} UPDATE audit SET previous = x'${hash}', hash = x'${next}' WHERE seq = 7`,
      /^row 7: it was changed, and its hash made anew to fit\n14 rows/);
  });

  test('a row that is missing, put in or moved is named', () => {
    found('DELETE FROM audit WHERE seq = 6', /^row 6: it is missing\n13 rows/);
    found('DELETE FROM audit WHERE seq = 1', /^row 1: it is missing\n13 rows/);
    found('DELETE FROM audit WHERE seq IN (6, 7, 8)', /^rows 6 to 8: they are missing\n/);
    found('DELETE FROM audit WHERE seq = 6; UPDATE audit SET seq = seq - 1 WHERE seq > 6',
      /^rows 6 to 13: what stands there was written as rows 7 to 14\nrow 14: it is missing\n/);
    found('UPDATE audit SET seq = -1 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 9; UPDATE audit SET seq = 9 WHERE seq = -1',
      /^row 6: what stands there was written as row 9\nrow 9: what stands there was written as row 6\n14 rows/);
    const row = { ...rowsOf(source)[5], actor: 'somebody' };
    found(`UPDATE audit SET seq = -seq WHERE seq > 5; UPDATE audit SET seq = 1 - seq WHERE seq < 0;
           INSERT INTO audit SELECT 6, at_ms, tenant_id, 'somebody', action, outcome, resource, address, request_id, detail,
             previous, x'${hashOf(row)}' FROM audit WHERE seq = 7`,
      /^row 6: it was put in where another row stood\nrows 7 to 15: what stands there was written as rows 6 to 14\nrow 15: beyond/);
    found('DELETE FROM audit', /^rows 1 to 14: they are missing\n0 rows/);
  });

  test('a cut end is noticed, also when the head was bent to fit', () => {
    const file = join(temporaryDirectory(), 'server.log');
    writeFileSync(file, log);
    const cut = 'DELETE FROM audit WHERE seq > 11;';
    const bent = `${cut} UPDATE audit_head SET last_seq = 11, last_hash = (SELECT hash FROM audit WHERE seq = 11)`;
    found(cut, /^rows 12 to 14: they are missing\n/);
    assert.equal(verify(changed(bent)).status, 0); // nothing in the file can tell
    found(bent, /^rows 12 to 14: they are missing\n/, '--log', file);
    found(bent, /^rows 12 to 13: they are missing\n/, '--head', `13:${rowsOf(source)[12].hash}`);
    assert.equal(verify(server.dir, '--log', file).status, 0);
  });

  test('one that was written anew to its end differs from what the log of the server says', () => {
    const file = join(temporaryDirectory(), 'server.log');
    writeFileSync(file, log);
    let sql = '', previous;
    for (const row of rowsOf(source).slice(5)) {
      if (row.seq === 6) row.actor = 'somebody';
      else row.previous = previous;
      previous = hashOf(row);
      sql += `UPDATE audit SET actor = '${row.actor}', previous = x'${row.previous}', hash = x'${previous}' WHERE seq = ${row.seq};`;
    }
    sql += `UPDATE audit_head SET last_hash = x'${previous}'`;
    assert.equal(verify(changed(sql)).status, 0);
    found(sql, /^row 6: it is not the row whose hash was anchored/, '--log', file);
    found(sql, /^row 14: it is not the row whose hash was anchored/, '--head', `14:${rowsOf(source)[13].hash}`);
  });

  test('a server that goes on with one that was cut says so, and the hole stays', async (t) => {
    const dir = changed('DELETE FROM audit WHERE seq > 11');
    const second = await startServer(t, { dir });
    await act(second);
    await second.line(/event=audit_tampered found_seq=11 wanted_seq=14/);
    assert.match((await get(second, '/api/metrics')).text, /^aragora_audit_breaks_total 1$/m);
    await second.line(/event=audit seq=15 /);
    const result = verify(dir);
    assert.match(result.stdout, /^rows 12 to 14: they are missing\n12 rows/);
    assert.equal(result.status, CHECK_FAILED);
  });

  test('the doctor and the check of a backup look at it too', () => {
    const doctor = (dir) => run(['doctor', '--offline', '--data-dir', dir]).stdout;
    const backup = (dir, ...args) => run(['backup', ...args, '--db-path', join(dir, DB), '--backup-to', join(dir, 'backups')]);
    const create = (dir) => assert.equal(backup(dir, 'create').status, 0);
    const good = changed('SELECT 1'), bad = changed('DELETE FROM audit WHERE seq = 6');
    for (const dir of [good, bad]) copyFileSync(join(server.dir, 'aragora_elo.db'), join(dir, 'aragora_elo.db'));
    assert.match(doctor(good), /^ok +audit +14 rows, none changed or missing$/m);
    assert.match(doctor(bad), /^fail +audit +the audit log is not as it was written: row 6: it is missing/m);
    create(good);
    assert.equal(backup(good, 'verify', 'latest').status, 0);
    create(bad); // a backup of what there is
    const result = backup(bad, 'verify', 'latest');
    assert.equal(result.status, CHECK_FAILED, result.stderr);
    assert.match(result.stdout + result.stderr, /the audit log is not as it was written: row 6: it is missing/);
  });

  test('as JSON: the rows by number', () => {
    const result = verify(changed('DELETE FROM audit WHERE seq = 6'), '--json');
    const { ok, rows, faults, named, last_seq: last } = JSON.parse(result.stdout);
    assert.deepEqual({ ok, rows, faults, last }, { ok: false, rows: 13, faults: 1, last: 14 });
    assert.deepEqual(named, [{ seq: 6, last: 6, message: 'row 6: it is missing' }]);
    assert.equal(result.status, CHECK_FAILED);
  });

  test('a file of it proves itself', () => {
    const exported = run(['audit', 'export', '--db-path', source]);
    assert.equal(exported.status, 0, exported.stderr);
    const lines = exported.stdout.trimEnd().split('\n');
    assert.equal(lines.length, 14);
    const check = (text, ...more) => run(['audit', 'verify', '-', ...more], text);
    assert.equal(check(exported.stdout).status, 0);
    assert.equal(check(lines.slice(4, 9).join('\n')).status, 0);
    assert.match(check(exported.stdout.replace('"seq":6,', '"seq":60,')).stdout, /row/);
    const bent = lines.map((line, i) => (i === 5 ? line.replace('"actor":"local"', '"actor":"x"') : line)).join('\n');
    const result = check(bent);
    assert.match(result.stdout, /^row 6: its content is not what was hashed\n/);
    assert.equal(result.status, CHECK_FAILED);
    assert.match(check(lines.slice(0, 12).join('\n'), '--head', `14:${rowsOf(source)[13].hash}`).stdout, /^rows 13 to 14: they are missing/);
    assert.equal(check('{}\n').status, 2);
  });

  test('the command line lists it', () => {
    const list = run(['audit', 'list', '--db-path', source, '--limit', '2', '--json']);
    assert.deepEqual(JSON.parse(list.stdout).entries.map((row) => row.seq), [14, 13]);
    const table = run(['audit', '--db-path', source, '--action', 'maintenance.*']);
    assert.match(table.stdout, /^14 +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +maintenance\.run +ok +local +127\.0\.0\.1 +checkpoint\n/);
    assert.equal(run(['audit', 'list', '--db-path', source, '--action', 'key.*']).stdout, '');
    assert.equal(run(['audit', 'list', '--db-path', source, '--since', 'then']).status, 2);
    assert.equal(run(['audit', 'list', '--db-path', source, '--head', 'x']).status, 2);
    assert.equal(run(['audit', 'verify', '--db-path', source, '--head', 'x']).status, 2);
    assert.equal(run(['audit', 'drop']).status, 2);
  });
});

test('acts are noted with who, from where and what, and given page by page', async (t) => {
  const agents = join(temporaryDirectory(), 'agents.json');
  writeFileSync(agents, '{"agents": []}');
  const server = await startServer(t, { env: { ARAGORA_AGENTS_FILE: agents } });
  const { debate_id: id } = await startDebate(server, { task: 'Is this written down?' });
  await finished(server, id);
  const headers = { 'X-Request-ID': 'the-request' };
  assert.equal((await call(server, 'DELETE', `/api/debates/${id}`, undefined, headers)).status, 200);
  assert.equal((await get(server, '/api/debates/export?format=csv&since=2026-01-01')).status, 200);
  assert.equal((await post(server, '/api/system/maintenance?task=analyze')).status, 200);
  const { json: breakers } = await get(server, '/api/agents');
  const reset = await post(server, `/api/system/circuit-breakers/${breakers.agents[0].name}/reset`);
  assert.equal(reset.status, 200, reset.text);
  server.child.kill('SIGHUP');
  await server.line(/reload=(done|failed)/);
  await server.line(/event=audit seq=5 /);

  const all = (await get(server, '/api/system/audit')).json;
  assert.deepEqual(all.entries.map((row) => row.action),
    ['config.reload', 'breaker.reset', 'maintenance.run', 'export.create', 'debate.delete']);
  const deleted = all.entries.at(-1);
  assert.equal(deleted.resource, id);
  assert.deepEqual([deleted.actor, deleted.tenant_id, deleted.address, deleted.request_id, deleted.outcome],
    ['local', 'local', '127.0.0.1', 'the-request', 'ok']);
  assert.deepEqual(all.entries.at(-2).detail, { format: 'csv', since: '2026-01-01' });
  assert.equal(all.entries[0].actor, 'system');
  assert.deepEqual(all.head, { seq: 5, hash: all.entries[0].hash });
  assert.equal(all.has_more, false);

  const first = (await get(server, '/api/system/audit?limit=2')).json;
  assert.equal(first.has_more, true);
  const second = (await get(server, `/api/system/audit?limit=2&cursor=${first.next_cursor}`)).json;
  assert.deepEqual([...first.entries, ...second.entries].map((row) => row.seq), [5, 4, 3, 2]);
  assert.deepEqual((await get(server, '/api/system/audit?action=debate.*&outcome=ok')).json.entries.map((row) => row.seq), [1]);
  for (const query of ['cursor=x', 'cursor=0', 'since=then', 'since=2026-02-01&until=2026-01-01'])
    assert.equal((await get(server, `/api/system/audit?${query}`)).status, 400, query);

  const file = await get(server, '/api/system/audit/export');
  assert.equal(file.headers.get('content-type'), 'application/jsonl');
  assert.equal(file.text.trimEnd().split('\n').length, 5);
  assert.equal(run(['audit', 'verify', '-'], file.text).status, 0);
  const csv = await get(server, '/api/system/audit/export?format=csv&action=export.*');
  assert.match(csv.text, /^seq,at,tenant_id,actor,action,outcome,resource,address,request_id,detail,hash\r\n2,/);
  assert.equal((await get(server, '/api/system/audit/export?format=xml')).status, 400);
  await server.line(/event=audit seq=6 /);
  const metrics = (await get(server, '/api/metrics')).text;
  assert.match(metrics, /^aragora_audit_rows_total\{action="debate\.delete",outcome="ok"\} 1$/m);
  // The second export within a minute is counted.
  assert.match(metrics, /^aragora_audit_repeats_total\{action="export\.create",outcome="ok"\} 1$/m);
  assert.match(metrics, /^aragora_audit_head_seq 6$/m);
  assert.equal(verify(server.dir).status, 0);
});

test('who brings a credential that is none is noted once a minute, and reads nothing of it', async (t) => {
  const token = 'a-token-of-the-operator-with-some-length';
  const server = await startServer(t, { env: { ARAGORA_API_TOKEN: token } });
  for (let i = 0; i < 5; i++)
    assert.equal((await get(server, '/api/system/audit', { Authorization: `Bearer wrong-${i}` })).status, 401);
  assert.equal((await get(server, '/api/system/audit')).status, 401);
  assert.equal((await get(server, '/api/system/audit/export')).status, 401);
  await server.line(/event=audit seq=1 /);
  const { entries } = (await get(server, '/api/system/audit', { Authorization: `Bearer ${token}` })).json;
  assert.deepEqual(entries.map((row) => [row.action, row.outcome, row.actor, row.resource]),
    [['credential.refused', 'refused', 'anonymous', 'admin:audit']]);
  assert.deepEqual(entries[0].detail, { method: 'GET', path: '/api/system/audit' });
  const metrics = (await get(server, '/api/metrics')).text;
  assert.match(metrics, /^aragora_audit_repeats_total\{action="credential\.refused",outcome="refused"\} 4$/m);
});

test('the oldest rows go when there are too many, and the log stays whole', async (t) => {
  const server = await startServer(t, { env: { ARAGORA_AUDIT_MAX_ROWS: '20' } });
  for (let i = 0; i < 30; i++) await act(server);
  await server.line(/event=audit seq=30 /);
  const { entries } = (await get(server, '/api/system/audit?limit=500')).json;
  assert.ok(entries.length <= 22, String(entries.length));
  assert.ok(entries.some((row) => row.action === 'audit.trim' && row.detail.through > 0));
  const result = verify(server.dir);
  assert.equal(result.status, 0, result.stdout);
  const first = entries.at(-1).seq;
  await server.stop();
  sqlite(join(server.dir, DB), `DELETE FROM audit WHERE seq = ${first}; UPDATE audit_head SET trimmed_seq = ${first},
    trimmed_hash = (SELECT previous FROM audit WHERE seq = ${first} + 1)`);
  assert.match(verify(server.dir).stdout, /the rows before row \d+ are gone, and no row says that they were trimmed/);
});
