// The live streams: the same events over both, resumable anywhere, without a gap or a repeat.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { collectEvents, connect, events, finished, get, logged, rawRequest, startDebate } from './lib/client.mjs';
import { freePort, startServer } from './lib/server.mjs';

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
let whole; // the frames of a finished debate
let id;

before(async () => {
  const wsPort = await freePort();
  server = await startServer(suite, { wsPort, env: { ARAGORA_WS_CONN_RATE: '0', ARAGORA_WS_MSG_RATE: '0' } });
  server.secondUrl = `ws://127.0.0.1:${wsPort}`;
  ({ id } = await startDebate(server, { task: 'Tabs or spaces?', agents: ['demo', 'demo', 'demo'] }));
  whole = await collectEvents(server, id);
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const seqs = (frames) => logged(frames).map((frame) => frame.seq);
const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);

async function socketFrames(t, path, options) {
  const socket = await connect(t, server, path);
  await socket.ofType('debate_end', options);
  await socket.close();
  return socket.frames;
}

describe('a whole debate', () => {
  test('counts its events from 1 without a hole and ends with debate_end', () => {
    assert.deepEqual(seqs(whole), range(1, whole.length));
    assert.equal(whole[0].type, 'debate_start');
    assert.equal(whole.at(-1).type, 'debate_end');
    assert.equal(whole.at(-2).type, 'consensus');
  });

  test('every frame has the envelope', () => {
    const counts = {};
    for (const frame of whole) {
      assert.equal(frame.debate_id, id);
      assert.equal(frame.loop_id, id);
      assert.equal(new Date(frame.timestamp).getTime(), Math.round(frame.ts * 1000));
      assert.equal(typeof frame.data, 'object');
      if (frame.agent) counts[frame.agent] = (counts[frame.agent] ?? 0) + 1;
      assert.equal(frame.agent_seq, frame.agent ? counts[frame.agent] : 0, `seq ${frame.seq}`);
      for (const name of ['salt', 'hash', 'digest', 'data_digest', 'nonce']) {
        assert.ok(!(name in frame));
        assert.ok(!(name in frame.data));
      }
    }
  });

  test('is the same over a WebSocket', async (t) => {
    assert.deepEqual(logged(await socketFrames(t, `/ws/debates/${id}`)), whole);
  });

  test('is the same under the other name', async () => {
    const frames = [];
    for await (const { frame } of events(server, `/api/debates/${id}/stream`)) frames.push(frame);
    assert.deepEqual(frames, whole);
  });

  test('was the same while it ran, over both', async (t) => {
    const started = await startDebate(server, { task: 'Live', agents: ['demo', 'demo'] });
    const [stream, socket] = await Promise.all([
      collectEvents(server, started.id),
      socketFrames(t, `/ws/debates/${started.id}`),
    ]);
    const later = await collectEvents(server, started.id);
    assert.deepEqual(logged(stream), later);
    assert.deepEqual(logged(socket), later);
  });
});

describe('resuming', () => {
  test('after every seq, by Last-Event-ID and by since', async () => {
    const last = whole.length;
    for (let since = 0; since < last; since++) {
      assert.deepEqual(await collectEvents(server, id, { since }), whole.slice(since));
      if (since % 10 === 0)
        assert.deepEqual(await collectEvents(server, id, { query: `?since=${since}` }), whole.slice(since));
    }
  });

  test('after every seq over a WebSocket', async (t) => {
    for (let since = 0; since < whole.length; since++)
      assert.deepEqual(logged(await socketFrames(t, `/ws/debates/${id}?since=${since}`)), whole.slice(since));
  });

  test('cut at every seq while it runs: no gap and no repeat', async () => {
    const started = await startDebate(server, { task: 'Cut', agents: ['demo', 'demo'], rounds: 1 });
    const frames = [];
    for (let ended = false; !ended; ) {
      const since = frames.at(-1)?.seq ?? 0;
      const more = logged(await collectEvents(server, started.id, { since, until: (frame) => frame.seq > 0 }));
      frames.push(...more);
      ended = more.at(-1).type === 'debate_end';
    }
    assert.deepEqual(frames, await collectEvents(server, started.id));
  });

  test('after the end answers 204, which makes an EventSource stop', async () => {
    const path = `/api/debates/${id}/events`;
    const answer = await get(server, path, { 'Last-Event-ID': String(whole.length) });
    assert.equal(answer.status, 204);
    assert.equal(answer.text, '');
    assert.equal((await get(server, path, { 'Last-Event-ID': '999999999' })).status, 204);
  });

  test('from nonsense begins at the start', async () => {
    assert.deepEqual(await collectEvents(server, id, { since: 'nonsense' }), whole);
  });
});

describe('the event stream', () => {
  test('has its type, and no event lines (collectEvents refuses them)', async () => {
    const answer = await rawRequest(server, { path: `/api/debates/${id}/events` });
    assert.match(answer.headers['content-type'], /^text\/event-stream/);
    assert.match(answer.headers['cache-control'] ?? '', /no-/);
    assert.ok(answer.text.includes('\nid: ') || answer.text.startsWith('id: '));
  });

  test('shows tokens of a running turn, withdrawn or followed by their message', async (t) => {
    const paced = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '500' } });
    const started = await startDebate(paced, { task: 'Tokens', agents: ['demo', 'demo'], rounds: 0 });
    const frames = await collectEvents(paced, started.id);
    const deltas = frames.filter((frame) => frame.type === 'token_delta');
    assert.ok(deltas.length > 0, 'no tokens');
    for (const frame of deltas) assert.equal(frame.seq, undefined);
    const message = frames.findIndex((frame) => frame.type === 'agent_message');
    const first = frames.findIndex((frame) => frame.type === 'token_delta');
    assert.ok(first < message);
  });
});

describe('a WebSocket', () => {
  test('greets, says what the debate is, and stays open after the end', async (t) => {
    const socket = await connect(t, server, `/ws/debates/${id}`);
    await socket.ofType('debate_end');
    assert.deepEqual(socket.frames.slice(0, 3).map((frame) => frame.type),
      ['connection_established', 'connection_info', 'sync']);
    assert.equal(socket.frames[2].data.last_seq, whole.length);
    socket.send({ type: 'ping' });
    const pong = await socket.ofType('pong');
    assert.equal(pong.debate_id, id);
    assert.deepEqual(pong.data, {});
    assert.equal(socket.closeCode, undefined);
    await socket.close();
  });

  test('subscribes and unsubscribes by message, on every path and port', async (t) => {
    const places = [`${server.wsUrl}/ws`, `${server.wsUrl}/`, server.secondUrl, `${server.secondUrl}/any/path`];
    for (const url of places) {
      const socket = await connect(t, { wsUrl: url }, '');
      socket.send({ type: 'subscribe', debate_id: id, since: whole.length - 3 });
      await socket.ofType('debate_end');
      const ack = await socket.ofType('ack');
      assert.equal(ack.data.msg_type, 'subscribe');
      assert.equal(ack.data.message_type, 'subscribe');
      assert.deepEqual(logged(socket.frames), whole.slice(-3));
      const before = socket.frames.length;
      socket.send({ type: 'unsubscribe', debate_id: id });
      await socket.ofType('ack', { from: before });
      socket.send({ type: 'unsubscribe', debate_id: id });
      const warning = await socket.ofType('warning', { from: before });
      assert.equal(warning.data.code, 'NOT_SUBSCRIBED');
      await socket.close();
    }
  });

  test('takes the debate from ?debate=', async (t) => {
    const frames = await socketFrames(t, `/ws?debate=${id}&since=${whole.length - 2}`);
    assert.deepEqual(logged(frames), whole.slice(-2));
  });

  test('subscribing again begins anew', async (t) => {
    const socket = await connect(t, server, `/ws/debates/${id}`);
    await socket.ofType('debate_end');
    const before = socket.frames.length;
    socket.send({ type: 'subscribe', debate_id: id });
    await socket.ofType('debate_end', { from: before });
    assert.deepEqual(logged(socket.frames.slice(before)), whole);
    await socket.close();
  });

  test('an unknown debate is refused at the upgrade with 404', async (t) => {
    for (const path of ['/ws/debates/nosuch', '/ws?debate=nosuch'])
      await assert.rejects(connect(t, server, path), { status: 404 });
  });

  test('bad messages get a warning, never an error, and the connection stays', async (t) => {
    const socket = await connect(t, server, '/ws');
    const cases = [
      ['not json', 'INVALID_JSON'],
      [Buffer.from([0xff, 0x00]), 'BINARY_NOT_SUPPORTED'],
      ['[1,2]', 'UNKNOWN_MESSAGE_TYPE'],
      ['"text"', 'UNKNOWN_MESSAGE_TYPE'],
      [{ type: 'dance' }, 'UNKNOWN_MESSAGE_TYPE'],
      [{ type: 7 }, 'UNKNOWN_MESSAGE_TYPE'],
      [{ type: 'subscribe' }, 'INVALID_MESSAGE'],
      [{ type: 'subscribe', debate_id: 'no such id' }, 'INVALID_MESSAGE'],
      [{ type: 'subscribe', debate_id: 'nosuch' }, 'DEBATE_NOT_FOUND'],
      [{ type: 'user_vote', loop_id: id, payload: { choice: 'a' } }, 'FEATURE_UNAVAILABLE'],
      [{ type: 'suggestion', data: { content: 'x' } }, 'FEATURE_UNAVAILABLE'],
    ];
    for (const [message, code] of cases) {
      const before = socket.frames.length;
      socket.send(message);
      const warning = await socket.ofType('warning', { from: before });
      assert.equal(warning.data.code, code, JSON.stringify(message));
    }
    assert.ok(!socket.frames.some((frame) => frame.type === 'error'));
    socket.send({ type: 'ping' });
    await socket.ofType('pong');
    await socket.close();
  });

  test('one that is reset is logged as that', async (t) => {
    const own = await startServer(t);
    const socket = await connect(t, own, '/ws');
    await socket.ofType('connection_info');
    socket.ws.on('error', () => {});
    socket.ws._socket.resetAndDestroy();
    const [, cause] = await own.line(/WebSocket error=\\?"([^"\\]*)/);
    assert.equal(cause, 'Connection reset by peer');
  });

  test('lists what runs', async (t) => {
    const slow = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '5' } });
    const started = await startDebate(slow, { task: 'Slow', agents: ['demo', 'demo'] });
    const socket = await connect(t, slow, '/ws');
    socket.send({ type: 'get_loops' });
    const list = await socket.ofType('loop_list');
    assert.deepEqual(list.data.loops.map((loop) => loop.loop_id), [started.id]);
    assert.equal(list.data.count, 1);
    await socket.close();
    await fetch(`${slow.url}/api/debates/${started.id}/cancel`, { method: 'POST' });
    await finished(slow, started.id);
  });

  test('listens to several debates, no more than it may', async (t) => {
    const socket = await connect(t, server, '/ws');
    const ids = [];
    for (let i = 0; i < 33; i++)
      ids.push((await startDebate(server, { task: `Many ${i}`, agents: ['demo', 'demo'], rounds: 0 })).id);
    for (const each of ids) {
      const before = socket.frames.length;
      socket.send({ type: 'subscribe', debate_id: each });
      await socket.ofType('ack', { from: before });
    }
    const warning = await socket.ofType('warning');
    assert.equal(warning.data.code, 'TOO_MANY_SUBSCRIPTIONS');
    assert.equal(warning.debate_id, ids[32]);
    for (const each of ids.slice(0, 32))
      await socket.next((frame) => frame.type === 'debate_end' && frame.debate_id === each);
    for (const each of ids.slice(0, 32)) {
      const own = logged(socket.frames.filter((frame) => frame.debate_id === each));
      assert.deepEqual(seqs(own), range(1, own.length));
    }
    await socket.close();
  });
});

describe('debate_end', () => {
  // An existing client that reads everything in one go drops what came with the end.
  test('is a write of its own, some time after the frame before it', async (t) => {
    // A busy machine may hand this process two writes at once; frames of one write would come
    // together every time.
    const gaps = [];
    while (gaps.length < 5 && !(gaps.at(-1) >= 10)) {
      const socket = await connect(t, server, `/ws/debates/${id}`);
      const times = [];
      socket.ws.on('message', () => times.push(performance.now()));
      await socket.ofType('debate_end');
      gaps.push(times.at(-1) - times.at(-2));
      await socket.close();
    }
    assert.ok(gaps.at(-1) >= 10, `${gaps} ms`);
  });
});
