// A start that carries an Idempotency-Key may be sent again: it is the same debate, however often, at
// once, later, and after the server was killed in between.

import assert from 'node:assert/strict';
import { connect as connectTo, createServer } from 'node:net';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import { call, finished, get, post } from './lib/client.mjs';
import { Process, startServer, temporaryDirectory } from './lib/server.mjs';

const BODY = { task: 'Once and no more?', agents: ['demo', 'demo'], rounds: 0 };
const REPLAYED = 'idempotent-replayed';

const start = (server, key, body = BODY, path = '/api/debates') =>
  post(server, path, body, key === undefined ? {} : { 'Idempotency-Key': key });

const total = async (server) => (await get(server, '/api/debates')).json.total;

const distinct = (values) => [...new Set(values)];

function checkReplay(first, again) {
  assert.equal(again.status, 200, again.text);
  assert.equal(again.headers.get(REPLAYED), 'true');
  assert.deepEqual(Object.keys(again.json), Object.keys(first.json));
  const { status, ...rest } = again.json;
  const { status: before, ...expected } = first.json;
  assert.deepEqual(rest, expected);
  assert.ok(['pending', 'running', 'completed'].includes(status), status);
}

describe('the same key and the same body', () => {
  test('30 at once start one debate', async (t) => {
    const server = await startServer(t);
    const answers = await Promise.all(Array.from({ length: 30 }, () => start(server, 'thirty')));
    for (const answer of answers) assert.equal(answer.status, 200, answer.text);
    assert.equal(distinct(answers.map((answer) => answer.json.id)).length, 1);
    const first = answers.filter((answer) => !answer.headers.has(REPLAYED));
    assert.equal(first.length, 1);
    assert.equal(first[0].json.rounds, BODY.rounds);
    for (const answer of answers) if (answer !== first[0]) checkReplay(first[0], answer);
    assert.equal(await total(server), 1);
    const debate = await finished(server, first[0].json.id);
    assert.equal(debate.status, 'completed');
    const later = await start(server, 'thirty');
    checkReplay(first[0], later);
    assert.equal(later.json.status, 'completed');
    assert.equal(await total(server), 1);
  });

  test('30 at once, a kill -9 among them, and 30 after the restart', async (t) => {
    const dir = temporaryDirectory(t);
    const first = await startServer(undefined, { dir });
    t.after(() => first.stop('SIGKILL'));
    const posts = Array.from({ length: 30 }, () => start(first, 'thirty').catch(() => undefined));
    await Promise.race(posts);
    first.child.kill('SIGKILL');
    const before = (await Promise.all(posts)).filter((answer) => answer?.status === 200);
    await first.end();
    const second = await startServer(t, { dir });
    const after = await Promise.all(Array.from({ length: 30 }, () => start(second, 'thirty')));
    for (const answer of after) assert.equal(answer.status, 200, answer.text);
    assert.ok(before.length > 0);
    assert.equal(distinct([...before, ...after].map((answer) => answer.json.id)).length, 1);
    for (const answer of after) checkReplay(before[0], answer);
    assert.equal(await total(second), 1);
    assert.equal((await finished(second, after[0].json.id)).status, 'completed');
  });

  test('the order of the fields and the older path make no difference', async (t) => {
    const server = await startServer(t);
    const first = await start(server, 'k', '{"task":"Once?","agents":["demo","demo"],"rounds":0}');
    assert.equal(first.status, 200);
    checkReplay(first, await start(server, 'k', ' {"rounds": 0, "agents": ["demo", "demo"],\n "task": "Once?"}'));
    const older = await start(server, 'k', { rounds: 0, task: 'Once?', agents: ['demo', 'demo'] }, '/api/debate');
    checkReplay(first, older);
    assert.equal(older.headers.get('deprecation'), 'true');
    assert.equal(await total(server), 1);
  });

  test('a server that is stopping still answers with the debate', async (t) => {
    const server = await startServer(undefined, { dir: temporaryDirectory(t), env: { ARAGORA_DEMO_TOKEN_RATE: '60' } });
    t.after(() => server.stop('SIGKILL'));
    const first = await start(server, 'k');
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=1/);
    checkReplay(first, await start(server, 'k'));
    assert.equal((await start(server, 'another')).status, 503);
    assert.equal((await server.end()).code, 0);
    server.checkSanitizers();
  });
});

describe('the same key and another body', () => {
  const checkRefused = (answer) => {
    assert.equal(answer.status, 422);
    assert.deepEqual([answer.json.code, answer.json.field], ['IDEMPOTENCY_KEY_REUSED', 'Idempotency-Key']);
    assert.match(answer.json.error, /with another request:/);
  };

  test('is refused, also after a restart', async (t) => {
    const dir = temporaryDirectory(t);
    const first = await startServer(undefined, { dir });
    const { json } = await start(first, 'k');
    checkRefused(await start(first, 'k', { ...BODY, rounds: 1 }));
    assert.equal(await total(first), 1);
    assert.equal((await first.stop()).code, 0);
    const second = await startServer(t, { dir });
    checkRefused(await start(second, 'k', { ...BODY, rounds: 1 }));
    assert.equal((await start(second, 'k')).json.id, json.id);
  });

  test('of two bodies at once one wins and the other is refused', async (t) => {
    const server = await startServer(t);
    const bodies = Array.from({ length: 30 }, (_, index) => ({ ...BODY, rounds: index % 2 }));
    const answers = await Promise.all(bodies.map((body) => start(server, 'k', body)));
    const wins = answers.filter((answer) => answer.status === 200);
    assert.equal(distinct(wins.map((answer) => answer.json.id)).length, 1);
    assert.equal(wins.length, 15);
    assert.equal(distinct(wins.map((answer) => answers.indexOf(answer) % 2)).length, 1);
    for (const answer of answers) if (!wins.includes(answer)) checkRefused(answer);
    assert.equal(await total(server), 1);
  });

  test('is not refused for one that came to nothing', async (t) => {
    const server = await startServer(t);
    const bodies = Array.from({ length: 30 }, (_, index) => (index % 2 ? BODY : { ...BODY, rounds: 99 }));
    const answers = await Promise.all(bodies.map((body) => start(server, 'k', body)));
    const statuses = (which) => distinct(answers.filter((_, index) => index % 2 === which).map((answer) => answer.status));
    assert.deepEqual(statuses(1), [200]);
    assert.ok(statuses(0).every((status) => [400, 422].includes(status))); // 422 once the key has its debate
    assert.equal(await total(server), 1);
  });
});

describe('a fork and a follow-up', () => {
  const ways = (id) => [[`/api/debates/${id}/fork`, { branch_point: 0 }], [`/api/debates/${id}/followup`, { crux: 'And then?' }]];
  const ended = async (server) => {
    const { json } = await start(server);
    await finished(server, json.id);
    return json.id;
  };

  test('sent again, at once and after a restart, are one debate each', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(undefined, { dir });
    const parent = await ended(server);
    const firsts = [];
    for (const [path, body] of ways(parent)) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => start(server, path, body, path)));
      for (const answer of answers) assert.equal(answer.status, 200, answer.text);
      const first = answers.filter((answer) => !answer.headers.has(REPLAYED));
      assert.equal(first.length, 1);
      for (const answer of answers) if (answer !== first[0]) checkReplay(first[0], answer);
      firsts.push(first[0]);
    }
    assert.equal(await total(server), 3);
    assert.equal((await server.stop()).code, 0);
    const second = await startServer(t, { dir });
    for (const [index, [path, body]] of ways(parent).entries()) checkReplay(firsts[index], await start(second, path, body, path));
    assert.equal(await total(second), 3);
  });

  test('have their keys in common with starts: another path is another request', async (t) => {
    const server = await startServer(t);
    const [one, other] = [await ended(server), await ended(server)];
    const before = await total(server);
    const [[fork, body]] = ways(one);
    assert.equal((await start(server, 'k', body, fork)).status, 200);
    assert.equal((await start(server, 'begun', BODY)).status, 200);
    const refused = [
      ['k', BODY], ['k', { branch_point: 0, modified_context: 'x' }, fork], ['k', ...ways(other)[0].reverse()],
      ['k', ...ways(one)[1].reverse()], ['begun', body, fork],
    ];
    for (const args of refused) {
      const answer = await start(server, ...args);
      assert.deepEqual([answer.status, answer.json.code], [422, 'IDEMPOTENCY_KEY_REUSED'], JSON.stringify(args));
    }
    assert.equal(await total(server), before + 2);
  });

  test('that came to nothing leave their key free, and bad keys are refused', async (t) => {
    const server = await startServer(t);
    const parent = await ended(server);
    for (const [path, body] of ways(parent)) {
      assert.equal((await start(server, path, {}, path)).status, 400);
      assert.equal((await start(server, path, body, '/api/debates/nowhere/fork')).status, path.endsWith('fork') ? 404 : 400);
      assert.equal((await start(server, 'two words', body, path)).json.field, 'Idempotency-Key');
      const right = await start(server, path, body, path);
      assert.deepEqual([right.status, right.headers.has(REPLAYED)], [200, false]);
    }
    assert.equal(await total(server), 3);
  });
});

describe('a key', () => {
  test('of what did not start is free', async (t) => {
    const server = await startServer(t);
    const wrong = await start(server, 'k', { ...BODY, rounds: 99 });
    assert.deepEqual([wrong.status, wrong.headers.has(REPLAYED)], [400, false]);
    assert.equal((await start(server, 'k', '{"task":')).status, 400);
    const dry = await start(server, 'k', { ...BODY, dry_run: true });
    assert.deepEqual([dry.status, dry.json.dry_run], [200, true]);
    const right = await start(server, 'k');
    assert.deepEqual([right.status, right.headers.has(REPLAYED)], [200, false]);
    assert.equal(await total(server), 1);
  });

  test('of a deleted debate starts nothing', async (t) => {
    const server = await startServer(t);
    const { json } = await start(server, 'k');
    await finished(server, json.id);
    assert.equal((await call(server, 'DELETE', `/api/debates/${json.id}`)).status, 200);
    const again = await start(server, 'k');
    assert.deepEqual([again.status, again.json.code], [410, 'DEBATE_DELETED']);
    assert.equal(await total(server), 0);
  });

  test('of its own makes a debate of its own, as none does', async (t) => {
    const server = await startServer(t);
    const answers = [];
    for (const key of ['a', 'b', 'A', undefined, undefined]) answers.push(await start(server, key));
    for (const answer of answers) assert.deepEqual([answer.status, answer.headers.has(REPLAYED)], [200, false]);
    assert.equal(distinct(answers.map((answer) => answer.json.id)).length, 5);
  });

  test('has 1 to 255 visible ASCII characters', async (t) => {
    const server = await startServer(t);
    for (const key of ['', 'two words', 'x'.repeat(256), 'caf\u00e9']) {
      const { status, json } = await start(server, key);
      assert.deepEqual([status, json.code, json.field], [400, 'VALIDATION_ERROR', 'Idempotency-Key'], key);
      assert.match(json.error, /Idempotency-Key must be 1 to 255 visible ASCII characters/);
    }
    assert.equal((await start(server, 'x'.repeat(255))).status, 200);
    const two = await start(server, ['one', 'another']); // a header each
    assert.equal(two.status, 400);
    assert.match(two.json.error, /More than one Idempotency-Key header/);
    assert.equal(await total(server), 1);
  });
});

// Passes everything on, but breaks the first connection when the server answers on it.
async function startBreakingProxy(t, server) {
  const seen = { connections: 0, answersLost: 0 };
  const proxy = createServer((client) => {
    const target = connectTo(server.port, '127.0.0.1');
    const breaks = seen.connections++ === 0;
    client.pipe(target);
    if (!breaks) target.pipe(client);
    target.once('data', () => {
      if (!breaks) return;
      seen.answersLost++;
      client.resetAndDestroy();
      target.destroy();
    });
    for (const socket of [client, target]) socket.on('error', () => {});
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  return { url: `http://127.0.0.1:${proxy.address().port}`, seen };
}

test('aragora ask asks again when the answer is lost, and starts one debate', async (t) => {
  const server = await startServer(t);
  const proxy = await startBreakingProxy(t, server);
  const ask = new Process(['ask', '--server', proxy.url, '--json', '--agents', 'demo,demo', '--rounds', '0', 'Once?'], {
    dir: temporaryDirectory(t),
  });
  assert.equal((await ask.end()).code, 0, ask.lines.join('\n'));
  ask.checkSanitizers();
  assert.equal(proxy.seen.answersLost, 1);
  assert.equal(await total(server), 1);
  assert.ok(ask.lines.some((line) => /"status": ?"completed"/.test(line)));
});
