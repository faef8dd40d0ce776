// Batches: many starts stored at once, carried out as the server has room, each item exactly once
// whoever dies in between.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { call, get, post } from './lib/client.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const TOKEN = 'open-sesame-0123456789';
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

// The headers of a key of a new user.
async function userKey(server, name) {
  const form = { email: `${name}@example.org`, password: 'a long enough password 7' };
  const { json } = await post(server, '/api/auth/register', form);
  const made = await post(server, '/api/auth/api-keys', {}, bearer(json.access_token));
  assert.equal(made.status, 201, made.text);
  return bearer(made.json.api_key);
}

const item = (i, more = {}) => ({ question: `Question number ${i}?`, agents: 'demo,demo', rounds: 0, ...more });
const items = (count) => Array.from({ length: count }, (_, i) => item(i));

const status = async (server, id) => (await get(server, `/api/debates/batch/${id}/status`)).json;

async function made(server, body) {
  const answer = await post(server, '/api/debates/batch', body);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

// The batch once a condition holds, asked for again and again.
async function until(server, id, holds, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const batch = await status(server, id);
    if (holds(batch)) return batch;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(batch)}`);
  }
}
const ended = (batch) => ['completed', 'partial_failure'].includes(batch.status);

describe('a batch', () => {
  test('starts each of its items, and says how they stand', async (t) => {
    const server = await startServer(t);
    const { batch_id: id, items_queued, status_url } = await made(server, { items: items(12), max_parallel: 3 });
    assert.equal(items_queued, 12);
    assert.equal(status_url, `/api/debates/batch/${id}/status`);
    let most = 0;
    const batch = await until(server, id, (b) => {
      most = Math.max(most, b.running);
      return ended(b);
    });
    assert.ok(most <= 3, `${most} ran at once`);
    assert.equal(batch.status, 'completed');
    assert.equal(batch.completed_items, 12);
    assert.equal(batch.progress_percent, 100);
    assert.deepEqual(batch.items.map((row) => row.question), items(12).map((row) => row.question));
    assert.equal(new Set(batch.items.map((row) => row.debate_id)).size, 12);
    for (const row of batch.items) {
      assert.equal(row.status, 'completed');
      assert.equal((await get(server, `/api/debates/${row.debate_id}`)).json.task, row.question);
    }
    const list = (await get(server, '/api/debates/batch')).json;
    assert.deepEqual(list.batches.map((row) => row.batch_id), [id]);
    assert.equal((await get(server, '/api/debates')).json.total, 12);
    const queue = (await get(server, '/api/debates/queue/status')).json;
    assert.equal(queue.completed_today, 12);
    assert.equal(queue.queue_length, 0);
    assert.equal(queue.processing, 0);
  });

  test('killed with -9 in the middle, goes on: each item exactly once', async (t) => {
    const dir = temporaryDirectory(t);
    const COUNT = 40;
    let server = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '400' } });
    const { batch_id: id } = await made(server, { items: items(COUNT), max_parallel: 5 });
    for (const started of [3, 12, 25]) {
      const running = server;
      t.after(() => running.stop('SIGKILL'));
      await until(server, id, (b) => COUNT - b.queued >= started);
      server.child.kill('SIGKILL');
      await server.end();
      server = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '400' } });
    }
    const last = server;
    t.after(() => last.stop('SIGKILL'));
    const batch = await until(server, id, ended);
    assert.equal(batch.status, 'completed');
    assert.equal(new Set(batch.items.map((row) => row.debate_id)).size, COUNT);
    const { json } = await get(server, `/api/debates?limit=100`);
    assert.equal(json.total, COUNT);
    assert.deepEqual(json.debates.map((row) => row.task).sort(), items(COUNT).map((row) => row.question).sort());
  });

  test('leaves the queue to others', async (t) => {
    const server = await startServer(t, { args: ['--max-concurrent-debates', '2'], env: { ARAGORA_DEMO_TOKEN_RATE: '300' } });
    const { batch_id: id } = await made(server, { items: items(10), max_parallel: 50 });
    await until(server, id, (b) => b.running === 2);
    for (let i = 0; i < 5; i++) {
      const queue = (await get(server, '/api/debates/queue/status')).json;
      assert.ok(queue.processing <= 2);
      assert.equal(queue.queue_length, queue.batch_items_waiting);
    }
    const batch = await until(server, id, ended);
    assert.equal(batch.completed_items, 10);
  });

  // With keys of the operator, who by himself is bound by the number of all.
  test('of one caller is one of a tenth of all', async (t) => {
    const server = await startServer(t, { args: ['--max-batches', '20', '--max-concurrent-debates', '1'],
      env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_DEMO_TOKEN_RATE: '20' } });
    const ann = await userKey(server, 'ann');
    const bob = await userKey(server, 'bob');
    const send = (headers) => post(server, '/api/debates/batch', { items: items(3), max_parallel: 1 }, headers);
    for (let i = 0; i < 2; i++) assert.equal((await send(ann)).status, 200);
    const refused = await send(ann);
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.json.error, /2 batches of yours wait/);
    assert.equal((await send(bob)).status, 200);
    for (let i = 0; i < 5; i++) assert.equal((await send(bearer(TOKEN))).status, 200);
  });

  test('that its owner cannot pay for stops nobody else', async (t) => {
    const dir = temporaryDirectory(t);
    const options = { dir, args: ['--max-batches', '2000', '--principal-daily-budget-tokens', '100000'],
      env: { ARAGORA_API_TOKEN: TOKEN } };
    const before = await startServer(undefined, options);
    t.after(() => before.stop('SIGKILL'));
    const ann = await userKey(before, 'ann');
    const bob = await userKey(before, 'bob');
    await before.stop();
    const day = Math.floor(Date.now() / 86_400_000);
    execFileSync('sqlite3', [join(dir, 'aragora_memory.db'), `INSERT INTO spending (day, tenant_id, owner_id, tokens, usd_micro, unpriced)
      SELECT ${day}, tenant_id, id, 99999, 0, 0 FROM users WHERE email = 'ann@example.org'`]);
    const server = await startServer(t, options);
    const refused = await post(server, '/api/debates', item(0), ann);
    assert.equal(refused.json.code, 'BUDGET_EXHAUSTED', refused.text);
    for (let i = 0; i < 101; i++) {
      const { status, text } = await post(server, '/api/debates/batch', { items: items(1) }, ann);
      assert.equal(status, 200, text);
    }
    const { json } = await post(server, '/api/debates/batch', { items: items(1) }, bob);
    for (let i = 0; (await get(server, `/api/debates/batch/${json.batch_id}`, bob)).json.status !== 'completed'; i++) {
      assert.ok(i < 1500);
      await new Promise((next) => setTimeout(next, 20));
    }
    const waiting = (await get(server, '/api/debates/batch', ann)).json;
    assert.ok(waiting.batches.every(({ status }) => status === 'pending'));
  });

  test('goes no further when its key is revoked', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_API_TOKEN: TOKEN, ARAGORA_DEMO_TOKEN_RATE: '200' } });
    const made = (await post(server, '/api/auth/api-keys', {}, bearer(TOKEN))).json;
    const { json } = await post(server, '/api/debates/batch', { items: items(30), max_parallel: 1 }, bearer(made.api_key));
    const look = async () => (await get(server, `/api/debates/batch/${json.batch_id}`, bearer(TOKEN))).json;
    while (!(await look()).running) await new Promise((next) => setTimeout(next, 20));
    assert.equal((await call(server, 'DELETE', `/api/auth/api-keys/${made.key_id}`, undefined, bearer(TOKEN))).status, 200);
    const batch = await look();
    assert.equal(batch.cancelled, true);
    assert.equal(batch.queued, 0);
    assert.ok(batch.failed_items > 20);
    assert.ok(batch.items.filter((row) => !row.debate_id).every((row) => row.question === null));
  });

  test('that was cancelled starts no more', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '200' } });
    const { batch_id: id } = await made(server, { items: items(30), max_parallel: 1 });
    await until(server, id, (b) => b.running === 1);
    const answer = await post(server, `/api/debates/batch/${id}/cancel`);
    assert.equal(answer.status, 200, answer.text);
    const batch = await until(server, id, ended);
    assert.equal(batch.status, 'partial_failure');
    assert.equal(batch.cancelled, true);
    assert.equal(batch.completed_items + batch.failed_items, 30);
    assert.ok(batch.failed_items > 0);
    assert.equal((await get(server, '/api/debates')).json.total, batch.completed_items);
    for (const row of batch.items) {
      if (!row.debate_id) assert.match(row.error, /cancelled/);
      assert.equal(row.question, row.debate_id ? `Question number ${row.index}?` : null);
    }
    assert.equal((await post(server, `/api/debates/batch/${id}/cancel`)).status, 409);
    assert.equal((await post(server, '/api/debates/batch/nowhere/cancel')).status, 404);
  });

  test('with one bad item starts nothing, and names it', async (t) => {
    const server = await startServer(t, { args: ['--max-batch-items', '3'] });
    const refused = async (body, field) => {
      const answer = await post(server, '/api/debates/batch', body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.field, field, answer.text);
    };
    await refused({ items: [item(0), { agents: 'demo,demo' }] }, 'items[1].task');
    await refused({ items: [item(0), item(1, { rounds: 99 })] }, 'items[1].rounds');
    await refused({ items: [item(0, { agents: 'demo,nobody' })] }, 'items[0].agents[1]');
    await refused({ items: [] }, 'items');
    await refused({ items: 'x' }, 'items');
    await refused({}, 'items');
    await refused({ items: items(4) }, 'items');
    for (const max_parallel of [0, 51, '3', 1.5]) await refused({ items: items(1), max_parallel }, 'max_parallel');
    await refused({ items: items(1), webhook_url: 'http://127.0.0.1/' }, 'webhook_url');
    await refused({ items: [item(0), item(1, { dry_run: true })] }, 'items[1].dry_run');
    await refused({ items: items(1), dry_run: true }, 'dry_run');
    assert.equal((await get(server, '/api/debates')).json.total, 0);
    assert.deepEqual((await get(server, '/api/debates/batch')).json, { batches: [], count: 0 });
    assert.equal((await get(server, '/api/debates/batch/nowhere')).status, 404);
  });

  test('comes from the command line, which waits for it', async (t) => {
    const server = await startServer(t);
    const dir = temporaryDirectory(t);
    writeFileSync(join(dir, 'questions.json'), JSON.stringify(items(3)));
    const run = async (...args) => {
      const process = new Process(['batch', ...args, '--server', server.url], { dir });
      return { code: (await process.end()).code, lines: process.lines };
    };
    const waited = await run('questions.json', '--wait', '--parallel', '2');
    assert.equal(waited.code, 0, waited.lines.join('\n'));
    assert.match(waited.lines[0], /completed {2}3 of 3 completed, 0 failed/);
    for (let i = 0; i < 3; i++) assert.match(waited.lines[i + 1], new RegExp(`completed .*Question number ${i}\\?`));
    const queued = await run('questions.json');
    assert.equal(queued.code, 0);
    assert.match(queued.lines[0], /3 items queued/);
    writeFileSync(join(dir, 'wrong.json'), JSON.stringify([item(0, { rounds: 99 })]));
    const wrong = await run('wrong.json');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.lines.join('\n'), /Item 0: rounds/);
    assert.equal((await run('nowhere.json')).code, 1);
    assert.equal((await run()).code, 2);
  });
});
