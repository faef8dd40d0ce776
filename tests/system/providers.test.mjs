// Debates with providers, played by the fake one: every wire format, and what happens when they fail.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, collectToEnd, connect, events, finished, get, logged, post, startDebate } from './lib/client.mjs';
import { startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';
import { hasNginx, startTlsProxy } from './lib/tls_proxy.mjs';

const KEY = 'test-key-0123456789';

// Every provider's address is the fake one; keys for those named.
function environment(url, ...keys) {
  const env = {
    ANTHROPIC_BASE_URL: `${url}/v1`,
    OPENAI_BASE_URL: `${url}/v1`,
    GEMINI_BASE_URL: `${url}/v1beta`,
    OPENROUTER_BASE_URL: `${url}/api/v1`,
  };
  for (const name of keys) env[name] = name === 'OLLAMA_HOST' ? url : KEY;
  return env;
}

async function serverOver(t, fakeArgs, keys, env = {}) {
  const fake = await startFakeProvider(t, ['--quiet', ...fakeArgs]);
  const server = await startServer(t, { env: { ...environment(fake.url, ...keys), ...env } });
  return { fake, server };
}

function scriptFile(t, rules) {
  const path = join(temporaryDirectory(t), 'script.json');
  writeFileSync(path, JSON.stringify({ rules }));
  return path;
}

function checkStreamed(frames, debate) {
  for (const agent of debate.agents) {
    const own = frames.filter((frame) => frame.agent === agent);
    const message = own.findIndex((frame) => frame.type === 'agent_message');
    const deltas = own.slice(0, message).filter((frame) => frame.type === 'token_delta');
    assert.ok(deltas.length >= 2, `${agent}: ${deltas.length} deltas before its first message`);
    // Who joins in the middle of a turn is given the text so far.
    const snapshot = own.find((frame) => frame.type === 'token_snapshot');
    let offset = snapshot?.data.offset ?? 0;
    if (snapshot) assert.equal(Buffer.byteLength(snapshot.data.text), offset);
    for (const delta of deltas) {
      assert.equal(delta.data.offset, offset);
      offset += Buffer.byteLength(delta.data.token);
    }
    assert.ok(own.some((frame) => frame.type === 'token_end'));
  }
}

function checkUsage(debate, agents) {
  for (const turn of debate.turns) {
    assert.equal(turn.outcome, 'ok', `${turn.turn}: ${turn.detail}`);
    assert.ok(agents[turn.agent], turn.agent);
    assert.equal(turn.provider, agents[turn.agent]);
    assert.ok(turn.tokens_in > 0, `${turn.turn} tokens_in`);
    assert.ok(turn.tokens_out > 0, `${turn.turn} tokens_out`);
    assert.ok(turn.ttft_ms >= 0 && turn.latency_ms >= turn.ttft_ms, turn.turn);
  }
  const sum = (name) => debate.turns.reduce((total, turn) => total + turn[name], 0);
  assert.equal(debate.usage.tokens_in, sum('tokens_in'));
  assert.equal(debate.usage.tokens_out, sum('tokens_out'));
}

describe('live answers', () => {
  const panels = [
    ['Anthropic and OpenAI', ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'],
      { 'anthropic-api': 'anthropic', 'openai-api': 'openai' }],
    ['Gemini and Ollama', ['GEMINI_API_KEY', 'OLLAMA_HOST'], { gemini: 'gemini', ollama: 'ollama' }],
    ['OpenRouter alone', ['OPENROUTER_API_KEY'], undefined],
  ];
  for (const [name, keys, agents] of panels)
    test(`of ${name} are streamed, whole, and counted`, async (t) => {
      const { server } = await serverOver(t, ['--token-rate', '400'], keys);
      const started = await startDebate(server, {
        task: 'Which way round?', rounds: 1, ...(agents && { agents: Object.keys(agents) }),
      });
      const frames = await collectEvents(server, started.id);
      const debate = await finished(server, started.id);
      assert.equal(debate.status, 'completed', debate.error);
      assert.equal(debate.degraded, false, JSON.stringify(debate.degradations));
      assert.equal(debate.demo, false);
      checkStreamed(frames, debate);
      checkUsage(debate, agents ?? Object.fromEntries(debate.agents.map((agent) => [agent, 'openrouter'])));
    });

  for (const [key, provider] of [
    ['ANTHROPIC_API_KEY', 'anthropic'], ['OPENAI_API_KEY', 'openai'], ['GEMINI_API_KEY', 'gemini']])
    test(`${key} alone is enough: three agents of ${provider}`, async (t) => {
      const { server } = await serverOver(t, [], [key]);
      const started = await startDebate(server, { task: 'Is one enough?' });
      assert.equal(started.agents.length, 3);
      assert.equal(started.demo, false);
      const debate = await finished(server, started.id);
      assert.equal(debate.status, 'completed', debate.error);
      assert.deepEqual([...new Set(debate.panel.map((agent) => agent.provider))], [provider]);
    });

  test('two keys make a default panel of three', async (t) => {
    const { server } = await serverOver(t, [], ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY']);
    const { json } = await get(server, '/api/agents');
    assert.equal(json.default_panel.length, 3);
    assert.equal((await startDebate(server, { task: 'Three?' })).agents.length, 3);
  });

  test('cut at every byte keep every character', async (t) => {
    const answer = 'Größe 雪 🙂 é\u0301 — «fin»\n\t"quoted" \\ end';
    const script = scriptFile(t, [
      { match: { kind: 'proposal' }, fault: 'utf8-split',
        reply: JSON.stringify({ answer, answer_key: '', key_claims: [], confidence: 0.5 }) },
      { match: {}, fault: 'utf8-split' },
    ]);
    const keys = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'OLLAMA_HOST'];
    const { server } = await serverOver(t, ['--script', script], keys);
    const started = await startDebate(server, {
      task: 'Umlaute: äöü?', rounds: 0, agents: ['anthropic-api', 'openai-api', 'gemini', 'ollama'] });
    const debate = await finished(server, started.id);
    assert.equal(debate.task, 'Umlaute: äöü?');
    assert.equal(debate.rounds[0].messages.length, 4, JSON.stringify(debate.degradations));
    for (const message of debate.rounds[0].messages) assert.equal(message.content, answer, message.agent);
  });
});

describe('failures', () => {
  test('of all: failed, with every agent\'s cause, and error before the end', async (t) => {
    const { server } = await serverOver(t, ['--fault', 'status-401'], ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY']);
    const started = await startDebate(server, { task: 'Anybody?', agents: ['anthropic-api', 'openai-api'] });
    const frames = logged(await collectEvents(server, started.id));
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'failed');
    assert.equal(debate.outcome, 'failed');
    assert.equal(debate.final_answer, null);
    assert.equal(typeof debate.error, 'string');
    assert.deepEqual(debate.causes.map(({ agent, outcome, upstream_status }) => ({ agent, outcome, upstream_status })), [
      { agent: 'anthropic-api', outcome: 'auth', upstream_status: 401 },
      { agent: 'openai-api', outcome: 'auth', upstream_status: 401 },
    ]);
    assert.deepEqual(frames.slice(-2).map((frame) => frame.type), ['error', 'debate_end']);
    assert.equal(frames.at(-2).data.recoverable, false);
    assert.equal(debate.messages.length, 0);
    for (const text of [JSON.stringify(frames), JSON.stringify(debate), server.lines.join('\n')])
      assert.ok(!text.includes(KEY));
    assert.match((await get(server, '/metrics')).text, /^aragora_debates_failed 1$/m);
  });

  test('of one: the others go on, and the result says who was lost', async (t) => {
    const script = scriptFile(t, [{ match: { path: '/v1beta' }, fault: 'status-529' }]);
    const keys = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'];
    const { server } = await serverOver(t, ['--script', script], keys, { ARAGORA_MAX_RETRIES: '0' });
    const started = await startDebate(server, {
      task: 'Without one?', agents: ['anthropic-api', 'openai-api', 'gemini'], rounds: 1 });
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.equal(debate.degraded, true);
    assert.equal(debate.degradations[0].agent, 'gemini');
    assert.equal(debate.degradations[0].cause, 'overloaded');
    assert.equal(debate.rounds[0].messages.length, 2);
    assert.ok(!debate.messages.some((message) => message.agent === 'gemini'));
  });

  for (const fault of ['html-body', 'empty-body', 'error-200', 'error-mid', 'cut', 'cut-clean', 'prose', 'garbage',
    'refusal', 'empty-content', 'malformed-event', 'gzip-bomb'])
    test(`${fault}: never becomes an answer`, async (t) => {
      const { server } = await serverOver(t, ['--fault', fault], ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'],
        { ARAGORA_MAX_RETRIES: '0' });
      const started = await startDebate(server, { task: 'Quiet?', agents: ['anthropic-api', 'openai-api'] });
      const debate = await finished(server, started.id);
      assert.equal(debate.status, 'failed', JSON.stringify(debate.rounds[0]?.messages));
      assert.equal(debate.causes.length, 2);
      assert.equal(debate.messages.length, 0);
    });

  test('a provider that says nothing is cut at the turn\'s timeout', async (t) => {
    const { server } = await serverOver(t, ['--fault', 'stall-text'], ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'],
      { ARAGORA_MAX_RETRIES: '0' });
    const started = await startDebate(server, {
      task: 'Hello?', agents: ['anthropic-api', 'openai-api'], turn_timeout_seconds: 1 });
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'failed');
    for (const cause of debate.causes) assert.equal(cause.outcome, 'timeout');
    assert.ok(debate.duration_seconds < 10);
  });

  test('cancelling closes what is under way', async (t) => {
    const { fake, server } = await serverOver(t, ['--fault', 'stall-head'], ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY']);
    const started = await startDebate(server, { task: 'Stop', agents: ['anthropic-api', 'openai-api'] });
    await collectEvents(server, started.id, { until: (frame) => frame.type === 'attempt_start' });
    assert.equal((await post(server, `/api/debates/${started.id}/cancel`)).status, 200);
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'cancelled');
    assert.ok(debate.duration_seconds < 10);
    assert.ok((await fetch(`${fake.url}/_fake/stats`)).ok);
  });
});

describe('a slow subscriber', () => {
  // Twelve megabytes of answers against rings of sixteen events: more than any socket buffers.
  const big = 'word '.repeat(40_000);
  const rules = [
    { match: { kind: 'proposal' }, reply: JSON.stringify({ answer: big, answer_key: '', key_claims: [], confidence: 0.5 }) },
    { match: { kind: 'revision' }, reply: JSON.stringify({
      stance: 'changed', answer: `${big}!`, answer_key: '', key_claims: [], confidence: 0.5, responses: [] }) },
  ];
  const body = { task: 'Big', agents: Array(6).fill('openai-api'), rounds: 2 };

  async function bigServer(t) {
    return serverOver(t, ['--script', scriptFile(t, rules), '--severity', '0.9'], ['OPENAI_API_KEY'], {
      ARAGORA_EVENT_BUFFER_SIZE: '16', ARAGORA_WS_SEND_BUFFER_BYTES: '65536', ARAGORA_AGENT_TIMEOUT: '60' });
  }

  test('over a WebSocket is told where to resume, and resumes without a gap', async (t) => {
    const { server } = await bigServer(t);
    const started = await startDebate(server, body);
    const socket = await connect(t, server, `/ws/debates/${started.id}`);
    await socket.ofType('debate_start');
    socket.ws.pause();
    await finished(server, started.id, 60_000);
    socket.ws.resume();
    const overflow = await socket.ofType('queue_overflow', { ms: 60_000 });
    const got = logged(socket.frames);
    const resume = overflow.data.resume_seq;
    assert.ok(overflow.data.dropped > 0);
    assert.equal(resume, got.at(-1).seq);
    assert.deepEqual(got.map((frame) => frame.seq), got.map((_, index) => index + 1));
    // The last events may be on disk and not yet in the ring, and more than it holds: then it is told again.
    for (let last = overflow; last.type === 'queue_overflow'; ) {
      const from = socket.frames.length;
      socket.send({ type: 'subscribe', debate_id: started.id, since: last.data.resume_seq });
      last = await socket.next((frame) => ['queue_overflow', 'debate_end'].includes(frame.type), { from, ms: 60_000 });
    }
    const all = logged(socket.frames);
    assert.deepEqual(all.map((frame) => frame.seq), all.map((_, index) => index + 1));
    assert.equal(all.at(-1).type, 'debate_end');
    await socket.close();
  });

  test('over an event stream too, and the stream ends there', async (t) => {
    const { server } = await bigServer(t);
    const started = await startDebate(server, body);
    const stream = events(server, `/api/debates/${started.id}/events`)[Symbol.asyncIterator]();
    await stream.next();
    await finished(server, started.id, 60_000);
    const frames = [];
    for (let step; !(step = await stream.next()).done; ) frames.push(step.value.frame);
    const last = frames.at(-1);
    assert.equal(last.type, 'queue_overflow');
    const rest = await collectToEnd(server, started.id, { since: last.data.resume_seq, ms: 60_000 });
    const seqs = logged(rest).map((frame) => frame.seq);
    assert.deepEqual(seqs, seqs.map((_, index) => last.data.resume_seq + 1 + index));
    assert.equal(rest.at(-1).type, 'debate_end');
  });
});

test('through TLS and HTTP/2, with an authority of our own', { skip: !hasNginx && 'no nginx here' }, async (t) => {
  const fake = await startFakeProvider(t, ['--quiet', '--token-rate', '400']);
  const proxy = await startTlsProxy(t, fake.url);
  const env = { ...environment(proxy.url, 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY'), CURL_CA_BUNDLE: proxy.ca };
  const server = await startServer(t, { env });
  const agents = { 'anthropic-api': 'anthropic', 'openai-api': 'openai' };
  const started = await startDebate(server, { task: 'Secretly?', agents: Object.keys(agents), rounds: 1 });
  const frames = await collectEvents(server, started.id);
  const debate = await finished(server, started.id);
  assert.equal(debate.status, 'completed', JSON.stringify(debate.causes));
  checkStreamed(frames, debate);
  checkUsage(debate, agents);
  for (const line of proxy.requests()) assert.match(line, /"POST \S+ HTTP\/2\.0" 200/);

  const stranger = await startServer(t, { env: environment(proxy.url, 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY') });
  const asked = (await (await fetch(`${fake.url}/_fake/stats`)).json()).requests;
  const refused = await startDebate(stranger, { task: 'Trust?', agents: Object.keys(agents) });
  const failed = await finished(stranger, refused.id);
  assert.equal(failed.status, 'failed');
  assert.equal(failed.turns.length, 2);
  for (const turn of failed.turns) {
    assert.equal(turn.outcome, 'unavailable');
    assert.match(turn.detail, /^SSL certificate problem: unable to get local issuer certificate/);
    assert.equal(turn.attempts, 1, 'it would be the same certificate');
  }
  for (const cause of failed.causes) assert.match(cause.detail, /^SSL certificate problem: /);
  assert.equal((await (await fetch(`${fake.url}/_fake/stats`)).json()).requests, asked, 'nothing was sent');
  assert.equal(proxy.requests().length, asked);
});
