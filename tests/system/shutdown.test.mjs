// How a server stops: running debates end first, whoever listens is told where to go on, and what did
// not end goes on at the next start, however the process went.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, connect, finished, get, logged, post, startDebate } from './lib/client.mjs';
import { startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const AGENTS = ['openai-api', 'openai-api', 'openai-api'];
const AT_ONCE_MS = 5_000; // generous: a sanitizer build on a busy machine

function jsonFile(t, name, value) {
  const path = join(temporaryDirectory(t), name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

// A provider that begins every answer and never ends one.
const startStalling = (t) =>
  startFakeProvider(t, ['--quiet', '--script', jsonFile(t, 'script.json', { rules: [{ fault: 'stall-text' }] })]);

const environment = (provider, more = {}) => ({
  OPENAI_API_KEY: 'test-key-0123456789',
  OPENAI_BASE_URL: `${provider.url}/v1`,
  ARAGORA_AGENT_CHECK_MINUTES: '0',
  ...more,
});

// One that the test ends itself.
async function startFirst(t, dir, provider, { env, args } = {}) {
  const server = await startServer(undefined, { dir, env: environment(provider, env), args });
  t.after(() => server.stop('SIGKILL'));
  return server;
}

async function startThree(server) {
  const ids = [];
  for (const task of ['Tabs or spaces?', 'Vim or Emacs?', 'Monolith or services?'])
    ids.push((await startDebate(server, { task, agents: AGENTS, rounds: 1 })).id);
  return ids;
}

// Until something of every agent's is on its way.
const underWay = (server, id) =>
  collectEvents(server, id, { until: (frame) => frame.type === 'attempt_start' });

async function checkAllFinish(t, dir, ids, { resumed }) {
  const provider = await startFakeProvider(t, ['--quiet']);
  const server = await startServer(t, { dir, env: environment(provider) });
  for (const id of ids) {
    const debate = await finished(server, id);
    assert.equal(debate.status, 'completed', debate.error);
    const frames = logged(await collectEvents(server, id));
    assert.deepEqual(frames.map((frame) => frame.seq), frames.map((_, index) => index + 1));
    assert.equal(frames.filter((frame) => frame.type === 'resumed').length, resumed);
  }
}

describe('three debates and SIGTERM', () => {
  test('they finish, then it exits with 0; meanwhile it serves and starts nothing', async (t) => {
    const dir = temporaryDirectory(t);
    const provider = await startFakeProvider(t, ['--quiet', '--token-rate', '60']);
    const server = await startFirst(t, dir, provider);
    const ids = await startThree(server);
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=3 queued=0/);

    const ready = await get(server, '/readyz');
    assert.deepEqual([ready.status, ready.json.status, ready.json.checks.accepting], [503, 'not_ready', false]);
    assert.equal((await get(server, '/healthz')).status, 200);
    const refused = await post(server, '/api/debates', { task: 'Too late', agents: AGENTS });
    assert.deepEqual([refused.status, refused.json.code], [503, 'SERVICE_UNAVAILABLE']);
    assert.match(refused.json.error, /shutting down/);
    assert.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
    assert.equal((await get(server, `/api/debates/${ids[0]}`)).json.status, 'running');
    const ends = await Promise.all(ids.map((id) => collectEvents(server, id)));
    for (const frames of ends) assert.equal(frames.at(-1).type, 'debate_end');

    assert.deepEqual(await server.end(), { code: 0, signal: null });
    server.checkSanitizers();
    assert.ok(!existsSync(join(dir, 'aragora_memory.db-wal')));
    await checkAllFinish(t, dir, ids, { resumed: 0 });
  });

  test('a second SIGTERM leaves at once, and all three finish after the restart', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startFirst(t, dir, await startStalling(t));
    const ids = await startThree(server);
    for (const id of ids) await underWay(server, id);
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=3/);
    const before = performance.now();
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    assert.ok(performance.now() - before < AT_ONCE_MS);
    await server.line(/stopping=now debates=3 unfinished/);
    server.checkSanitizers();
    await checkAllFinish(t, dir, ids, { resumed: 1 });
  });

  test('--shutdown-timeout bounds the wait, and says how many are left', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startFirst(t, dir, await startStalling(t), { args: ['--shutdown-timeout', '1'] });
    const ids = await startThree(server);
    for (const id of ids) await underWay(server, id);
    const before = performance.now();
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=3 queued=0 .*at most 1 s/);
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    const took = performance.now() - before;
    assert.ok(took >= 1000 && took < 1000 + AT_ONCE_MS, `${took} ms`);
    await server.line(/stopping=timeout debates=3 unfinished/);
    server.checkSanitizers();
    await checkAllFinish(t, dir, ids, { resumed: 1 });
  });

  test('a kill -9 while it waits, as a supervisor does in the end, loses none', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startFirst(t, dir, await startStalling(t));
    const ids = await startThree(server);
    for (const id of ids) await underWay(server, id);
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=3/);
    server.child.kill('SIGKILL');
    assert.equal((await server.end()).signal, 'SIGKILL');
    await checkAllFinish(t, dir, ids, { resumed: 1 });
  });

  test('those that wait for admission do not hold it', async (t) => {
    const dir = temporaryDirectory(t);
    const provider = await startFakeProvider(t, ['--quiet', '--token-rate', '60']);
    const server = await startFirst(t, dir, provider, { env: { ARAGORA_MAX_CONCURRENT_DEBATES: '1' } });
    const [first, ...waiting] = await startThree(server);
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=1 queued=2/);
    assert.equal((await collectEvents(server, first)).at(-1).type, 'debate_end');
    assert.equal((await server.end()).code, 0);
    await server.line(/stopping=drained debates=2 waited/);
    server.checkSanitizers();
    await checkAllFinish(t, dir, waiting, { resumed: 1 });
  });
});

describe('who listens when the server stops', () => {
  // A server that stalls, left by its second signal, and the one after it.
  async function cut(t, listen) {
    const dir = temporaryDirectory(t);
    const first = await startFirst(t, dir, await startStalling(t));
    const ids = await startThree(first);
    for (const id of ids) await underWay(first, id);
    const listener = await listen(first, ids);
    first.child.kill('SIGTERM');
    await first.line(/stopping debates=3/);
    first.child.kill('SIGTERM');
    assert.equal((await first.end()).code, 0);
    first.checkSanitizers();
    const provider = await startFakeProvider(t, ['--quiet']);
    return { listener, ids, second: await startServer(t, { dir, env: environment(provider) }) };
  }

  const seqs = (frames) => logged(frames).map((frame) => frame.seq);
  const fromOne = (count) => Array.from({ length: count }, (_, index) => index + 1);

  test('a WebSocket is closed with 1001 and where to resume', async (t) => {
    const { listener, ids, second } = await cut(t, async (server, [id]) => {
      const socket = await connect(t, server, `/ws/debates/${id}`);
      socket.closed = once(socket.ws, 'close');
      await socket.ofType('attempt_start');
      return socket;
    });
    await listener.closed;
    assert.equal(listener.closeCode, 1001);
    const [, since] = /shutting down; resume since=(\d+)$/.exec(listener.closeReason);
    const seen = seqs(listener.frames);
    assert.equal(Number(since), seen.at(-1));
    assert.equal(listener.frames.at(-1).type, 'server_stopping');
    assert.deepEqual(listener.frames.at(-1).data.resume, [{ debate_id: ids[0], since: Number(since) }]);
    const again = await connect(t, second, `/ws/debates/${ids[0]}?since=${since}`);
    await again.ofType('debate_end');
    const all = [...seen, ...seqs(again.frames)];
    assert.deepEqual(all, fromOne(all.length));
  });

  test('one that listens to several is told of each before the close', async (t) => {
    const { listener, ids, second } = await cut(t, async (server, debates) => {
      const socket = await connect(t, server, '/ws');
      socket.closed = once(socket.ws, 'close');
      for (const id of debates) {
        socket.send({ type: 'subscribe', debate_id: id });
        await socket.next((frame) => frame.type === 'attempt_start' && frame.debate_id === id);
      }
      return socket;
    });
    await listener.closed;
    assert.equal(listener.closeCode, 1001);
    assert.match(listener.closeReason, /resume as server_stopping says$/);
    const { resume } = listener.frames.at(-1).data;
    assert.deepEqual(resume.map((point) => point.debate_id).sort(), [...ids].sort());
    for (const { debate_id: id, since } of resume) {
      const seen = seqs(listener.frames.filter((frame) => frame.debate_id === id));
      assert.equal(seen.at(-1), since);
      const all = [...seen, ...seqs(await collectEvents(second, id, { since }))];
      assert.deepEqual(all, fromOne(all.length));
    }
  });

  test('an event stream ends in the usual way, and goes on by Last-Event-ID without a gap', async (t) => {
    const { listener, ids, second } = await cut(t, async (server, [id]) => {
      const response = await fetch(`${server.url}/api/debates/${id}/events`, { headers: { Accept: 'text/event-stream' } });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      while (!/"type":"attempt_start"/.test(text)) text += (await reader.read()).value;
      // The rest, to its end: a connection that breaks off instead throws.
      const rest = (async () => {
        for (let piece; !(piece = await reader.read()).done; ) text += piece.value;
        return text;
      })();
      return { rest };
    });
    const text = await listener.rest;
    assert.match(text, /\n\n: the server stops; resume with Last-Event-ID\nretry: \d+\n\n$/);
    const seen = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    const rest = await collectEvents(second, ids[0], { since: seen.at(-1) });
    assert.equal(rest.at(-1).type, 'debate_end');
    const all = [...seen, ...seqs(rest)];
    assert.deepEqual(all, fromOne(all.length));
  });

  test('an idle server with open connections leaves at once', async (t) => {
    const server = await startServer(undefined, { dir: temporaryDirectory(t) });
    t.after(() => server.stop('SIGKILL'));
    await get(server, '/healthz'); // its connection is kept alive
    const socket = await connect(t, server, '/ws');
    const closed = once(socket.ws, 'close');
    const before = performance.now();
    server.child.kill('SIGTERM');
    assert.equal((await server.end()).code, 0);
    const took = performance.now() - before;
    assert.ok(took < 2000, `${took} ms`);
    t.diagnostic(`idle: gone after ${took.toFixed(1)} ms`);
    await closed;
    assert.deepEqual([socket.closeCode, socket.closeReason], [1001, 'server is shutting down']);
    server.checkSanitizers();
  });
});
