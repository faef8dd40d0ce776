// Deleting a debate: its words go, its chain and a tombstone stay.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { call, finished, get, startDebate } from './lib/client.mjs';
import { BINARY as aragora, startServer, temporaryDirectory } from './lib/server.mjs';

const del = (server, path, body) => call(server, 'DELETE', path, body);
const JSON_ONLY = { Accept: 'application/json' };

test('an ended debate: 410 with the tombstone, the chain for who asks, nothing in the file', async (t) => {
  const server = await startServer(t);
  const { debate_id: id } = await startDebate(server, { task: 'Should the zyzzyva be kept?' });
  const debate = await finished(server, id);
  const kept = await startDebate(server, { task: 'Is another one left alone?' });
  await finished(server, kept.debate_id);

  const answer = await del(server, `/api/debates/${debate.slug}`, { reason: 'asked by its owner' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.deleted, true);
  assert.equal(answer.json.debate_id, id);

  for (const path of ['', '/messages', '/events']) {
    const gone = await get(server, `/api/debates/${id}${path}`);
    assert.equal(gone.status, 410, path);
    assert.equal(gone.json.code, 'DEBATE_DELETED');
    assert.equal(typeof gone.json.error, 'string');
    assert.equal(gone.json.tombstone.reason, 'asked by its owner');
    assert.equal(gone.json.tombstone.deleted_by, 'local');
    assert.equal(gone.json.tombstone.status, 'completed');
  }
  assert.equal((await get(server, `/api/debates/${debate.slug}`)).status, 404);
  for (const [method, path] of [['POST', `/api/debates/${id}/cancel`], ['POST', `/api/system/debates/${id}/cancel`], ['DELETE', `/api/debates/${id}/share`]]) {
    const gone = await call(server, method, path);
    assert.deepEqual([gone.status, gone.json.code], [410, 'DEBATE_DELETED'], `${method} ${path}`);
  }

  const chain = (await get(server, `/api/debates/${id}/events?limit=1000`, JSON_ONLY)).json;
  assert.equal(chain.tombstone.events, chain.count);
  assert.equal(chain.events.at(-1).hash, debate.head_hash);
  assert.ok(chain.events.every((event) => event.data === null && event.salt === null));

  const list = (await get(server, '/api/debates')).json;
  assert.deepEqual(list.debates.map((row) => row.id), [kept.debate_id]);
  assert.equal(list.total, 1);
  const again = await del(server, `/api/debates/${id}`);
  assert.equal(again.status, 200);
  assert.equal(again.json.tombstone.reason, 'asked by its owner');

  await server.stop();
  const path = `${server.dir}/aragora_memory.db`;
  assert.equal(readFileSync(path).includes('zyzzyva'), false);
  const check = spawnSync(aragora, ['replay', id, '--check', '--data-dir', server.dir], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stderr);
  assert.match(check.stdout, /content deleted: the chain holds/);
  assert.match(check.stdout, /deleted at .* by local: asked by its owner/);
});

test('a running debate is cancelled first, and its whole chain stays', async (t) => {
  const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '2' } });
  const { debate_id: id } = await startDebate(server, { task: 'Does it run for long?' });
  const answer = await del(server, `/api/debates/${id}`);
  assert.equal(answer.status, 200, answer.text);
  const chain = (await get(server, `/api/debates/${id}/events?limit=1000`, JSON_ONLY)).json;
  assert.equal(chain.status, 'cancelled');
  assert.equal(chain.tombstone.reason, null);
  assert.equal(chain.events.at(-1).type, 'debate_end');
  assert.ok(chain.events.some((event) => event.type === 'cancel_requested'));
});

test('one whose log cannot be resumed goes without having ended', async (t) => {
  const dir = temporaryDirectory(t);
  const first = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '2' } });
  const { debate_id: id } = await startDebate(first, { task: 'Is it damaged?' });
  await first.stop('SIGKILL');
  const damaged = spawnSync('sqlite3', [`${dir}/aragora_memory.db`, "UPDATE events SET data = '{' WHERE seq = 1"], { encoding: 'utf8' });
  assert.equal(damaged.status, 0, damaged.stderr);
  const server = await startServer(t, { dir });
  assert.equal((await get(server, `/api/debates/${id}`)).json.status === 'completed', false);
  const answer = await del(server, `/api/debates/${id}`);
  assert.equal(answer.status, 200, answer.text);
  const gone = await get(server, `/api/debates/${id}`);
  assert.deepEqual([gone.status, gone.json.tombstone.status], [410, 'failed']);
});

test('what cannot be deleted is named', async (t) => {
  const server = await startServer(t);
  const unknown = await del(server, '/api/debates/nobody-knows-it');
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.code, 'NOT_FOUND');
  const { debate_id: id } = await startDebate(server, { task: 'Is a reason a text?' });
  await finished(server, id);
  for (const reason of [7, ['a'], 'x'.repeat(501)]) {
    const wrong = await del(server, `/api/debates/${id}`, { reason });
    assert.equal(wrong.status, 400, JSON.stringify(reason));
    assert.equal(wrong.json.field, 'reason');
  }
  assert.equal((await get(server, `/api/debates/${id}`)).status, 200);
});

test('many who delete the same debate: all hear that it is gone', async (t) => {
  const server = await startServer(t);
  const { debate_id: id } = await startDebate(server, { task: 'Who is first?' });
  const answers = await Promise.all(Array.from({ length: 8 }, () => del(server, `/api/debates/${id}`)));
  assert.ok(answers.some((answer) => answer.status === 200));
  assert.ok(answers.every((answer) => [200, 409].includes(answer.status)));
  assert.equal((await get(server, `/api/debates/${id}`)).status, 410);
});

test('from the command line, over the server that has the database', async (t) => {
  const server = await startServer(t);
  const { debate_id: id } = await startDebate(server, { task: 'Can it be typed?' });
  await finished(server, id);
  const alone = spawnSync(aragora, ['debates', 'delete', id, '--data-dir', server.dir], { encoding: 'utf8' });
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /--server/);
  const done = spawnSync(aragora, ['debates', 'delete', id, '--server', server.url, '--reason', 'typed'], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, new RegExp(`Deleted ${id}`));
  assert.equal((await get(server, `/api/debates/${id}`)).json.tombstone.reason, 'typed');
});
