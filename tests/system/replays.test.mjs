// Replay files and /api/replays: one and the same log, whatever happens to the process between.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { call, finished, get, startDebate } from './lib/client.mjs';
import { noS3, startS3 } from './lib/s3_store.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const run = promisify(execFile);
const tryRun = (args, options) =>
  run(BINARY, args, { maxBuffer: 1 << 28, ...options }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );

// Asks again until it holds: files have no other sign.
async function until(what, test, ms = 20_000) {
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    if (await test()) return;
    await new Promise((next) => setImmediate(next));
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

const cleanups = [];
after(async () => {
  for (const fn of cleanups.reverse()) await fn();
});
const suite = { after: (fn) => cleanups.push(fn) };

const isWhole = (dir, id) => existsSync(join(dir, 'replays', id, 'meta.json'));

describe('replays', () => {
  let server;
  let dir;
  const ids = [];
  before(async () => {
    dir = temporaryDirectory(suite);
    server = await startServer(suite, { dir });
    for (let i = 0; i < 3; i++) {
      const { id } = await startDebate(server, { task: `Question ${i}?`, agents: 'demo,demo' });
      await finished(server, id);
      ids.push(id);
    }
    for (const id of ids) await until('the files', () => isWhole(dir, id));
  });

  test('the files hold the log, and prove it', async () => {
    for (const id of ids) {
      const place = join(dir, 'replays', id);
      assert.deepEqual(readdirSync(place).sort(), ['events.jsonl', 'meta.json']);
      const lines = readFileSync(join(place, 'events.jsonl'), 'utf8').trimEnd().split('\n').map(JSON.parse);
      const page = (await get(server, `/api/debates/${id}/events?limit=1000`, { Accept: 'application/json' })).json;
      assert.deepEqual(lines, page.events);
      const meta = JSON.parse(readFileSync(join(place, 'meta.json'), 'utf8'));
      const debate = (await get(server, `/api/debates/${id}`)).json;
      assert.equal(meta.schema_version, 1);
      assert.equal(meta.topic, debate.task);
      assert.equal(meta.status, 'completed');
      assert.equal(meta.final_verdict, debate.final_answer);
      assert.ok(Math.abs(Date.parse(meta.started_at) - Date.parse(debate.created_at)) < 100);
      assert.equal(meta.ended_at, debate.completed_at);
      assert.equal(meta.event_count, lines.length);
      assert.equal(meta.head_hash, debate.head_hash);
      assert.deepEqual(meta.agents.map((agent) => agent.name), debate.agents);
      assert.equal(Object.values(meta.vote_tally).reduce((a, b) => a + b, 0), debate.ballots.length);
      assert.ok(Math.abs(statSync(join(place, 'meta.json')).mtimeMs - Date.parse(meta.ended_at)) < 2000);
      const check = await tryRun(['replay', place, '--check'], { cwd: '/' });
      assert.equal(check.code, 0, check.stdout + check.stderr);
    }
  });

  test('a file that somebody changed is not believed', async () => {
    const copy = join(dir, 'copy');
    await run('cp', ['-r', join(dir, 'replays', ids[0]), copy]);
    const events = readFileSync(join(copy, 'events.jsonl'), 'utf8');
    writeFileSync(join(copy, 'events.jsonl'), events.replace('my answer is', 'my answer was'));
    assert.equal((await tryRun(['replay', copy, '--check'])).code, 8);
    writeFileSync(join(copy, 'events.jsonl'), events.split('\n').slice(0, -2).join('\n'));
    const short = await tryRun(['replay', copy, '--check']);
    assert.equal(short.code, 8);
    assert.match(short.stdout, /meta\.json/);
    assert.equal((await tryRun(['replay', './nowhere', '--check'])).code, 5);
    assert.equal((await tryRun(['replay', `${copy}/events.jsonl`])).code, 2); /* a file is only checked */
  });

  test('the list', async () => {
    const { replays, count, has_more: more } = (await get(server, '/api/replays')).json;
    assert.equal(count, 3);
    assert.equal(more, false);
    assert.deepEqual(replays.map((replay) => replay.id), [...ids].reverse());
    for (const replay of replays) {
      assert.equal(replay.replay_id, replay.id);
      assert.equal(replay.debate_id, replay.id);
      assert.ok(replay.event_count > 10);
      assert.equal(typeof replay.duration_ms, 'number');
      assert.ok(replay.agents.length === 2 && replay.created_at && replay.topic);
    }
    const paged = [];
    for (let cursor = ''; ; ) {
      const page = (await get(server, `/api/replays?limit=1&cursor=${cursor}`)).json;
      paged.push(...page.replays.map((replay) => replay.id));
      if (!page.has_more) break;
      cursor = page.next_cursor;
    }
    assert.deepEqual(paged, [...ids].reverse());
    assert.deepEqual((await get(server, `/api/replays?debate_id=${ids[1]}`)).json.replays.map((r) => r.id), [ids[1]]);
    assert.equal((await get(server, '/api/replays?debate_id=nosuch')).json.count, 0);
    assert.equal((await get(server, '/api/replays?debate_id=a.b')).json.field, 'debate_id');
    assert.equal((await get(server, '/api/replays?cursor=x')).json.field, 'cursor');
  });

  test('one, in pages that add up', async () => {
    const all = (await get(server, `/api/replays/${ids[0]}`)).json;
    assert.equal(all.event_count, all.total_events);
    assert.equal(all.has_more, false);
    assert.deepEqual(all.meta, JSON.parse(readFileSync(join(dir, 'replays', ids[0], 'meta.json'), 'utf8')));
    const events = [];
    for (let offset = 0; ; ) {
      const page = (await get(server, `/api/replays/${ids[0]}?limit=7&offset=${offset}`)).json;
      assert.equal(page.event_count, page.events.length);
      events.push(...page.events);
      offset += page.event_count;
      if (!page.has_more) break;
    }
    assert.deepEqual(events, all.events);
    for (const event of events) {
      assert.equal(event.event_type, event.type);
      assert.ok(event.timestamp && event.data && event.offset_ms >= 0);
    }
    assert.equal((await get(server, '/api/replays/nosuch')).status, 404);
    assert.equal((await get(server, '/api/replays/a.b')).json.field, 'id');
  });

  test('exports', async () => {
    const json = (await get(server, `/api/replays/${ids[0]}/export?format=json`)).json;
    assert.deepEqual(Object.keys(json), ['data']);
    assert.equal(JSON.parse(json.data).events.length, JSON.parse(json.data).meta.event_count);
    const file = join(dir, 'replay.json');
    writeFileSync(file, JSON.stringify(json));
    assert.equal((await tryRun(['replay', file, '--check'])).code, 0);
    const csv = (await get(server, `/api/replays/${ids[0]}/export?format=csv`)).json;
    assert.match(csv.data, /^seq,timestamp,type,round,agent,data,data_digest,hash\r\n1,/);
    const lines = await get(server, `/api/replays/${ids[0]}/export?format=jsonl`);
    assert.equal(lines.text, readFileSync(join(dir, 'replays', ids[0], 'events.jsonl'), 'utf8'));
    const wrong = await get(server, `/api/replays/${ids[0]}/export?format=xml`);
    assert.equal(wrong.status, 400);
    assert.match(wrong.json.error, /json, csv or jsonl/);
    const page = await get(server, `/api/replays/${ids[0]}/html`);
    assert.match(page.headers.get('content-security-policy'), /^sandbox; default-src 'none'/);
    assert.match(page.text, /Question 0\?/);
  });

  test('what is deleted leaves the directory, and is gone here', async () => {
    assert.equal((await call(server, 'DELETE', `/api/debates/${ids[2]}`)).status, 200);
    await until('the files to go', () => !existsSync(join(dir, 'replays', ids[2])));
    for (const path of ['', '/html', '/export?format=csv']) {
      const gone = await get(server, `/api/replays/${ids[2]}${path}`);
      assert.equal(gone.status, 410, path);
      assert.equal(gone.json.code, 'DEBATE_DELETED');
    }
    assert.equal((await get(server, `/api/debates/${ids[2]}/export/json`)).status, 410);
    assert.equal((await get(server, '/api/replays')).json.count, 2);
  });
});

describe('replay files and what may happen', () => {
  test('what a kill left is written at the next start', async (t) => {
    const dir = temporaryDirectory(t);
    writeFileSync(join(dir, 'replays'), 'a file where the directory should be');
    const first = await startServer(t, { dir });
    first.expectedToDie = true;
    const ids = [];
    for (let i = 0; i < 5; i++) {
      const { id } = await startDebate(first, { task: 'Will it last?', agents: 'demo', mode: 'single' });
      await finished(first, id);
      ids.push(id);
    }
    await first.line(/replay=failed/);
    await first.stop('SIGKILL');
    assert.equal(first.lines.filter((line) => /replay=failed/.test(line)).length, 1);
    rmSync(join(dir, 'replays'));
    await startServer(t, { dir });
    for (const id of ids) await until('the files', () => isWhole(dir, id));
  });

  test('old ones go, off writes none, and another directory is used', async (t) => {
    const dir = temporaryDirectory(t);
    const place = join(dir, 'elsewhere', 'traces');
    const first = await startServer(undefined, { dir, args: ['--replays-dir', place] });
    const { id } = await startDebate(first, { task: 'Old?', agents: 'demo', mode: 'single' });
    await finished(first, id);
    await until('the files', () => existsSync(join(place, id, 'meta.json')));
    await first.stop();
    utimesSync(join(place, id, 'meta.json'), 0, 0);
    const second = await startServer(t, { dir, args: ['--replays-dir', place, '--replays=false'] });
    await until('the old ones to go', () => !existsSync(join(place, id)));
    const other = await startDebate(second, { task: 'Off?', agents: 'demo', mode: 'single' });
    await finished(second, other.id);
    assert.deepEqual(readdirSync(place), []);
  });

  test('a debate without a server has its files when the command ends', async (t) => {
    const dir = temporaryDirectory(t);
    const env = { PATH: process.env.PATH, HOME: dir, ARAGORA_DATA_DIR: dir, ARAGORA_DEMO_TOKEN_RATE: '0' };
    await run(BINARY, ['ask', '--demo', 'Here?', '--json'], { env, maxBuffer: 1 << 24 });
    const [id] = readdirSync(join(dir, 'replays'));
    assert.ok(isWhole(dir, id));
  });
});

describe('in a bucket', () => {
  const keysOf = async (store, id) => (await store.keys(`shared/replays/${id}/`)).map((key) => key.split('/').at(-1)).sort();

  test('they are put whole, tried again, removed with their debate', { skip: noS3 }, async (t) => {
    const store = await startS3(t);
    const env = { ...store.env, ARAGORA_BACKUP_TO: '', ARAGORA_REPLAYS_DIR: `s3://${store.bucket}/shared/replays/` };
    const server = await startServer(t, { env });
    store.failures = 100; // the store is down: five tries a request
    const { id } = await startDebate(server, { task: 'Where does it lie?', agents: 'demo,demo' });
    const debate = await finished(server, id);
    await until('a try', () => store.requests.length > 0);
    store.failures = 0;
    await until('the files', async () => (await keysOf(store, id)).length === 2);
    assert.deepEqual(await keysOf(store, id), ['events.jsonl', 'meta.json']);
    const meta = JSON.parse(await store.text(`shared/replays/${id}/meta.json`));
    assert.deepEqual([meta.debate_id, meta.head_hash], [id, debate.head_hash]);
    const lines = (await store.text(`shared/replays/${id}/events.jsonl`)).trimEnd().split('\n');
    assert.equal(JSON.parse(lines.at(-1)).hash, debate.head_hash);
    assert.equal((await call(server, 'DELETE', `/api/debates/${id}`)).status, 200);
    await until('the removal', async () => (await keysOf(store, id)).length === 0);
    assert.deepEqual(store.refused, []);
  });

  test('what is no place, or has no credentials, is named at the start', async (t) => {
    for (const [place, message] of [['ftp://host/x', /replays_dir|no place for replays/], ['s3://bucket/x', /AWS_ACCESS_KEY_ID/]]) {
      const answer = await tryRun(['server', '--port', '0', '--ws-port', '0', '--replays-dir', place], { env: { PATH: process.env.PATH, ARAGORA_DATA_DIR: temporaryDirectory(t) } });
      assert.notEqual(answer.code, 0);
      assert.match(answer.stderr + answer.stdout, message);
    }
  });
});
