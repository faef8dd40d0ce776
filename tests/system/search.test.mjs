// Search over questions and slugs, and the counts of the last days.

import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { describe, test } from 'node:test';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { finished, get, startDebate } from './lib/client.mjs';
import { fillDatabase } from './lib/many_debates.mjs';
import { startServer, temporaryDirectory } from './lib/server.mjs';

const start = (server, task) => startDebate(server, { task, agents: ['demo', 'demo'], rounds: 0 });

describe('search', () => {
  test('finds parts of the question and of the slug, newest first, a page at a time', async (t) => {
    const server = await startServer(t);
    const tasks = ['Is a Monolith right?', 'Rust or C?', 'When does a monolith hurt?', '100% of what_it is'];
    const ids = [];
    for (const task of tasks) {
      const { id } = await start(server, task);
      await finished(server, id); // created in this order
      ids.push(id);
    }
    const found = async (query) => (await get(server, `/api/search?${query}`)).json;
    const two = await found('q=MONOLITH');
    assert.deepEqual(two.results.map((row) => row.id), [ids[2], ids[0]]);
    assert.equal(two.total, 2);
    assert.equal(two.has_more, false);
    assert.equal(two.complete, true);
    assert.equal(two.query, 'MONOLITH');
    const page = await found('query=monolith&limit=1');
    assert.deepEqual(page.results.map((row) => row.id), [ids[2]]);
    assert.equal(page.total, 2);
    assert.equal(page.has_more, true);
    const rest = await found('query=monolith&limit=1&offset=1');
    assert.deepEqual(rest.results.map((row) => row.id), [ids[0]]);
    assert.equal(rest.has_more, false);
    assert.equal((await found('q=monolith&offset=9007199254740991')).count, 0);
    // signs of LIKE are letters like others
    assert.deepEqual((await found('q=0%25%20o')).results.map((row) => row.id), [ids[3]]);
    assert.deepEqual((await found('q=t_it')).results.map((row) => row.id), [ids[3]]);
    assert.equal((await found('q=%25%25')).total, 0);
    const slug = (await get(server, `/api/debates/${ids[1]}`)).json.slug;
    assert.deepEqual((await found(`q=${slug}`)).results.map((row) => row.id), [ids[1]]);
  });

  test('without a text, or with a very long one, is refused naming q', async (t) => {
    const server = await startServer(t);
    for (const path of ['/api/search', '/api/search?q=', `/api/search?q=${'x'.repeat(1001)}`]) {
      const answer = await get(server, path);
      assert.equal(answer.status, 400, path);
      assert.equal(answer.json.field, 'q');
    }
  });

  test('says when it has not looked at all', async (t) => {
    const server = await startServer(t, { args: ['--search-debates', '2'] });
    for (const task of ['one thing?', 'another thing?', 'a third thing?']) {
      await finished(server, (await start(server, task)).id);
    }
    const { json } = await get(server, '/api/search?q=thing');
    assert.equal(json.complete, false);
    assert.equal(json.total, 2);
  });
});

test('analytics count the days, and history is the list', async (t) => {
  const dir = temporaryDirectory(t);
  const first = await startServer(undefined, { dir });
  t.after(() => first.stop('SIGKILL'));
  const { id } = await startDebate(first, { task: 'Which?', agents: ['demo', 'demo', 'demo'], rounds: 1 });
  const debate = await finished(first, id);
  await first.stop();
  // 100 more, a second before one another, and then some of them older and failed
  fillDatabase(join(dir, 'aragora_memory.db'), id, 100);
  execFileSync('sqlite3', [join(dir, 'aragora_memory.db'), `
    UPDATE debates SET created_ms = created_ms - 40 * 86400000 WHERE num >= 1000091;
    UPDATE debates SET status = 'failed', consensus_reached = 0 WHERE num BETWEEN 1000001 AND 1000009;`]);
  const server = await startServer(t, { dir });
  const { json } = await get(server, '/api/analytics');
  const { overview } = json;
  assert.equal(overview.total_debates, 91);
  assert.equal(overview.failed_debates, 9);
  assert.equal(overview.completed_debates, 82);
  assert.equal(overview.active_debates, 0);
  assert.equal(overview.period_days, 30);
  assert.equal(overview.consensus_rate, debate.consensus_reached ? 1 : 0);
  assert.ok(Math.abs(overview.avg_debate_duration_seconds - debate.duration_seconds) < 1e-9);
  assert.equal(json.debates_by_day.reduce((sum, day) => sum + day.count, 0), 91);
  for (const day of json.debates_by_day) assert.match(day.date, /^\d{4}-\d\d-\d\d$/);
  assert.deepEqual(json.top_agents.map((row) => [row.agent, row.debates]), [...debate.agents].sort().map((name) => [name, 91]));
  assert.equal((await get(server, '/api/analytics?days=60')).json.overview.total_debates, 100);
  const history = await get(server, '/api/history/debates?limit=3');
  assert.equal(history.json.debates.length, 3);
  assert.equal(history.json.total, 100);
});

test('an empty server has counted nothing and knows no rate', async (t) => {
  const server = await startServer(t);
  const { json } = await get(server, '/api/analytics');
  assert.equal(json.overview.total_debates, 0);
  assert.equal(json.overview.consensus_rate, null);
  assert.equal(json.overview.avg_debate_duration_seconds, null);
  assert.deepEqual(json.debates_by_day, []);
  assert.deepEqual(json.top_agents, []);
});

test('100,000 debates are searched and counted in a moment', async (t) => {
  const dir = temporaryDirectory(t);
  const first = await startServer(undefined, { dir });
  t.after(() => first.stop('SIGKILL'));
  const { id } = await start(first, 'Should a small team adopt microservices, or is a monolith enough?');
  await finished(first, id);
  await first.stop();
  execFileSync('sqlite3', [join(dir, 'aragora_memory.db'), `
    PRAGMA synchronous = OFF; BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
    INSERT INTO debates (num, id, slug, status, consensus, created_ms, completed_ms, duration_ms, agents, task)
      SELECT 1000000 + i, printf('copy%022d', i), printf('copy-%d', i), 'completed', consensus, created_ms - i,
        completed_ms, duration_ms, agents, task || ' ' || i FROM n, debates WHERE num = (SELECT min(num) FROM debates);
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE);`]);
  const server = await startServer(t, { dir });
  for (const [path, check] of [
    ['/api/search?q=enough?%2099999', (json) => assert.equal(json.total, 1)],
    ['/api/search?q=monolith', (json) => assert.equal(json.total, 100_000)],
    ['/api/analytics', (json) => assert.equal(json.overview.total_debates, 100_000)],
  ]) {
    const times = [];
    for (let i = 0; i < 5; i++) {
      const before = performance.now();
      const { json } = await get(server, path);
      times.push(performance.now() - before);
      check(json);
    }
    const best = Math.min(...times);
    t.diagnostic(`${path}: ${best.toFixed(0)} ms`);
    assert.ok(best < 2000, `${path} took ${best} ms`);
  }
});
