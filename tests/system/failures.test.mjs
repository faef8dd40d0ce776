// A provider dies under a debate: the others go on, and everybody is told who was lost, why, and who
// answered in its stead. A cancelled debate lets go of its providers at once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, finished, logged, post, startDebate } from './lib/client.mjs';
import { Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const KEY = 'test-key-0123456789';
const KEYS = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'];
const PANEL = ['anthropic-api', 'openai-api', 'gemini'];
const WAIT_MS = 30_000;

function environment(url, keys = KEYS) {
  const env = {
    ANTHROPIC_BASE_URL: `${url}/v1`,
    OPENAI_BASE_URL: `${url}/v1`,
    GEMINI_BASE_URL: `${url}/v1beta`,
    OPENROUTER_BASE_URL: `${url}/api/v1`,
  };
  for (const name of keys) env[name] = KEY;
  return env;
}

function jsonFile(t, name, value) {
  const path = join(temporaryDirectory(t), name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

function startScripted(t, rules, args = []) {
  return startFakeProvider(t, ['--quiet', '--script', jsonFile(t, 'script.json', { rules }), ...args]);
}

// What `aragora ask` prints, on one line, since the box folds it.
async function asked(t, env, args) {
  const ask = new Process(['ask', ...args], { env, dir: temporaryDirectory(t) });
  const { code } = await ask.end();
  ask.checkSanitizers();
  assert.equal(code, 0, ask.lines.join('\n'));
  return ask.lines.map((line) => line.replace(/[│!]/g, ' ')).join(' ').replace(/\s+/g, ' ');
}

// ---- one of three dies in the middle of its answer ----

// Whatever was shown of the agent is taken back; returns how often.
function withdrawn(frames, agent) {
  const own = frames.filter((frame) => frame.agent === agent);
  let shown = 0;
  let resets = 0;
  for (const frame of own) {
    if (frame.type === 'token_delta') shown += frame.data.token.length;
    if (frame.type === 'token_snapshot') shown += frame.data.text.length;
    if (frame.type !== 'token_reset') continue;
    assert.ok(shown > 0, 'a reset of nothing');
    shown = 0;
    resets++;
  }
  assert.equal(shown, 0, 'text of the lost agent stands');
  assert.ok(!own.some((frame) => ['token_end', 'agent_message'].includes(frame.type)));
  return resets;
}

function checkOthersWentOn(debate, lost, cause, words) {
  assert.equal(debate.status, 'completed', debate.error);
  assert.equal(debate.degraded, true);
  const first = debate.degradations[0];
  assert.deepEqual([first.agent, first.cause, first.turn], [lost, cause, `0.proposal.${lost}`]);
  assert.match(first.detail, words);
  const others = PANEL.filter((agent) => agent !== lost);
  assert.deepEqual(debate.rounds[0].messages.map((message) => message.agent).sort(), others.sort());
  for (const message of debate.messages) {
    assert.notEqual(message.agent, lost);
    assert.doesNotMatch(message.content, words);
  }
  assert.doesNotMatch(debate.final_answer, words);
}

describe('one of three dies in the middle of its answer, every time', () => {
  const deaths = [
    ['gemini', '/v1beta', 'cut', 'unavailable', /transfer closed with outstanding read data remaining/],
    ['openai-api', '/chat/completions', 'reset-text', 'unavailable', /Recv failure: Connection reset by peer/],
    ['anthropic-api', '/messages', 'cut-clean', 'unavailable', /the stream ended before its terminator/],
    ['anthropic-api', '/messages', 'error-mid', 'overloaded', /Overloaded/],
    ['gemini', '/v1beta', 'error-mid', 'overloaded', /The service is overloaded, try again later\./],
  ];
  for (const [lost, path, fault, cause, words] of deaths)
    test(`${lost}, ${fault}: the debate ends degraded, with the cause first`, async (t) => {
      // Late enough that who subscribes at once sees the first word.
      const fake = await startScripted(t, [{ match: { path }, fault, latency_ms: 800 }], ['--token-rate', '250']);
      const env = { ...environment(fake.url), ARAGORA_MAX_RETRIES: '1' };
      const server = await startServer(t, { env });
      const started = await startDebate(server, { task: 'Without one?', agents: PANEL, rounds: 1 });
      const frames = await collectEvents(server, started.id);
      const debate = await finished(server, started.id);
      checkOthersWentOn(debate, lost, cause, words);
      assert.equal(withdrawn(frames, lost), 2, 'both attempts were shown and withdrawn');
      const error = logged(frames).find((frame) => frame.type === 'agent_error');
      assert.equal(error.agent, lost);
      assert.match(error.data.detail, words);

      const said = await asked(t, env, ['--agents', PANEL.join(','), '--rounds', '1', 'Without one?']);
      const box = said.slice(said.lastIndexOf('Degraded:'));
      assert.match(box, new RegExp(`^Degraded: not everything went as it should ${lost}: ${cause} [^:]*: ${words.source}`));
    });
});

// ---- another answers in its stead ----

function checkStandIn(debate, agent, provider, model) {
  assert.equal(debate.status, 'completed', debate.error);
  assert.equal(debate.degraded, true);
  const turns = debate.turns.filter((turn) => turn.agent === agent);
  assert.ok(turns.length >= 2);
  for (const turn of turns) {
    assert.equal(turn.outcome, 'ok', turn.detail);
    assert.deepEqual([turn.provider, turn.model], [provider, model], turn.turn);
  }
  const rows = debate.degradations.filter((row) => row.agent === agent);
  assert.deepEqual(rows.map((row) => row.turn), turns.map((turn) => turn.turn));
  for (const row of rows) {
    assert.equal(row.cause, 'fallback');
    assert.equal(row.detail, `${provider} ${model} answered instead`);
  }
  assert.equal(debate.rounds[0].messages.length, PANEL.length);
}

describe('another answers in its stead', () => {
  async function check(t, { rules, keys = KEYS, agents, lost, outcome, provider, model, words }) {
    const fake = await startScripted(t, rules);
    const env = { ...environment(fake.url, keys), ARAGORA_MAX_RETRIES: '0' };
    if (agents) env.ARAGORA_AGENTS_FILE = jsonFile(t, 'agents.json', { agents });
    const server = await startServer(t, { env });
    const started = await startDebate(server, { task: 'Who is it?', agents: PANEL, rounds: 0 });
    const ends = logged(await collectEvents(server, started.id)).filter((frame) => frame.type === 'attempt_end');
    checkStandIn(await finished(server, started.id), lost, provider, model);
    const [first, second] = ends.filter((frame) => frame.agent === lost);
    assert.equal(first.data.outcome, outcome);
    assert.match(first.data.detail, words);
    assert.equal(first.data.fallback, false);
    assert.deepEqual([second.data.outcome, second.data.fallback, second.data.provider, second.data.model],
      ['ok', true, provider, model]);
    const said = await asked(t, env, ['--agents', PANEL.join(','), '--rounds', '0', 'Who is it?']);
    assert.ok(said.includes(
      `Degraded: not everything went as it should ${lost}: another provider answered (0.proposal.${lost}): ` +
      `${provider} ${model} answered instead`), said);
  }

  test('the agent\'s own fallback, the first of them that can be asked', (t) => check(t, {
    rules: [{ match: { path: '/v1beta' }, fault: 'status-401' }],
    agents: [{ type: 'gemini', fallback: ['grok', 'anthropic-api'] }],
    lost: 'gemini', outcome: 'auth', provider: 'anthropic', model: 'claude-opus-5', words: /The API key is not valid/,
  }));

  test('the fallback of one whose connection breaks off', (t) => check(t, {
    rules: [{ match: { path: '/v1beta' }, fault: 'cut' }],
    agents: [{ type: 'gemini', fallback: ['anthropic-api'] }],
    lost: 'gemini', outcome: 'unavailable', provider: 'anthropic', model: 'claude-opus-5', words: /transfer closed/,
  }));

  test('OpenRouter, when the vendor is at its limit', (t) => check(t, {
    rules: [{ match: { path: '/v1/chat/completions', model: 'gpt-5.2' }, fault: 'status-429-10h' }],
    keys: [...KEYS, 'OPENROUTER_API_KEY'],
    lost: 'openai-api', outcome: 'rate_limited', provider: 'openrouter', model: 'openai/gpt-5.2', words: /Too many requests/,
  }));
});

// ---- cancelled ----

// Passes bytes on to `url` and notes when the server lets go of each connection.
async function startRelay(t, url) {
  const target = new URL(url);
  const closed = []; // performance.now() of each
  const relay = createServer((client) => {
    const provider = connectTo(Number(target.port), target.hostname);
    for (const [from, to] of [[client, provider], [provider, client]]) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    client.once('close', () => closed.push(performance.now()));
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  return { url: `http://127.0.0.1:${relay.address().port}`, closed };
}

const stats = async (fake) => (await fetch(`${fake.url}/_fake/stats`)).json();

async function until(look, holds) {
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(seen)}`);
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (value) => value.toFixed(1);

describe('cancelling', () => {
  const ROUNDS = 20;

  for (const fault of ['stall-head', 'stall-text'])
    test(`${fault}: the providers lose their connections at once, and are not called again`, async (t) => {
      const fake = await startFakeProvider(t, ['--quiet', '--fault', fault]);
      const relay = await startRelay(t, fake.url);
      const server = await startServer(t, { env: environment(relay.url) });
      const lags = [];
      for (let round = 1; round <= ROUNDS; round++) {
        const { id } = await startDebate(server, { task: 'Stop', agents: PANEL });
        await until(() => stats(fake), ({ requests }) => requests === round * PANEL.length);
        const from = performance.now();
        const answer = await post(server, `/api/debates/${id}/cancel`);
        assert.equal(answer.status, 200);
        await until(() => stats(fake), ({ connections }) => connections.closed_early === round * PANEL.length);
        lags.push(Math.max(...relay.closed.slice(-PANEL.length)) - from);
        const debate = await finished(server, id);
        assert.equal(debate.status, 'cancelled');
        assert.equal(debate.messages.length, 0);
      }
      console.log(`${fault}: POST cancel to the last of ${PANEL.length} sockets closed, ${ROUNDS} times: ` +
        `median ${ms(median(lags))} ms, max ${ms(Math.max(...lags))} ms`);
      assert.ok(Math.max(...lags) < 5000, `${lags}`);
      const { requests, connections } = await stats(fake);
      assert.equal(requests, ROUNDS * PANEL.length, 'none is called again');
      assert.equal(connections.closed_early, ROUNDS * PANEL.length);
    });

  test('while a retry waits: it never comes', async (t) => {
    const fake = await startScripted(t, [{ match: { prompt_contains: 'First' }, fault: 'status-429-1s' }]);
    const server = await startServer(t, { env: environment(fake.url) });
    const first = await startDebate(server, { task: 'First?', agents: PANEL });
    let failed = 0;
    await collectEvents(server, first.id,
      { until: (frame) => frame.type === 'attempt_end' && ++failed === PANEL.length });
    assert.equal((await post(server, `/api/debates/${first.id}/cancel`)).status, 200);
    assert.equal((await finished(server, first.id)).status, 'cancelled');
    // The providers want to be left alone for that second by everybody: who is answered comes after it.
    const second = await startDebate(server, { task: 'Second?', agents: PANEL, rounds: 0 });
    const debate = await finished(server, second.id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.ok(debate.duration_seconds > 0.3, `${debate.duration_seconds}`);
    assert.equal((await stats(fake)).faults['status-429-1s'], PANEL.length);
  });
});
