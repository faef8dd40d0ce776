// A provider dies under a debate: the others go on, and everybody is told who was lost, why, and who
// answered in its stead. A cancelled debate lets go of its providers at once.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, events, finished, get, logged, post, startDebate } from './lib/client.mjs';
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
      const fake = await startScripted(t, [{ match: { path }, fault, latency_ms: 200 }], ['--token-rate', '1000']);
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
