// Budgets as callers and operators see them: a debate that can pay for a part of itself, caps over
// all debates of a day, which outlive the process, and prices that nobody knows.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { collectEvents, finished, get, logged, post, startDebate } from './lib/client.mjs';
import { startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const SMALL = { ARAGORA_MAX_OUTPUT_TOKENS: '1000' };
const KEYS = ['anthropic-api', 'openai-api'];

function environment(url) {
  return {
    ANTHROPIC_API_KEY: 'test-key-0123456789', ANTHROPIC_BASE_URL: `${url}/v1`,
    OPENAI_API_KEY: 'test-key-0123456789', OPENAI_BASE_URL: `${url}/v1`,
    ...SMALL,
  };
}

async function budgets(server) {
  const { status, json } = await get(server, '/api/budgets');
  assert.equal(status, 200);
  return json;
}

// What the log says was booked, after every event at most the budget.
function checkBooked(frames, budget) {
  const open = new Map();
  let booked = 0;
  for (const { type, data } of logged(frames)) {
    if (type === 'attempt_start') {
      open.set(data.turn, data.reserved_tokens);
      booked += data.reserved_tokens;
    } else if (type === 'attempt_end') {
      booked += data.tokens - open.get(data.turn);
      open.delete(data.turn);
    }
    assert.ok(booked <= budget, `${booked} of ${budget} after ${type}`);
  }
  assert.equal(open.size, 0);
  return booked;
}

describe('the budget of a debate', () => {
  test('pays for a part of it: the best answer so far, and never more than the cap', async (t) => {
    const server = await startServer(t, { env: SMALL });
    const started = await startDebate(server, { task: 'Can we afford it?', budget_tokens: 8000 });
    const frames = await collectEvents(server, started.id);
    const debate = await finished(server, started.id);
    assert.equal(debate.outcome, 'budget_exhausted');
    assert.equal(debate.status, 'completed');
    assert.equal(debate.stop_reason, 'budget');
    assert.match(debate.stop_detail, /^the debate's budget of 8000 tokens is used up: a call may take \d+ tokens/);
    assert.ok(debate.final_answer);
    assert.equal(debate.rounds[0].messages.length, debate.agents.length);
    const booked = checkBooked(frames, 8000);
    assert.ok(booked > 0);
    assert.equal((await budgets(server)).today.spent_tokens, booked);
  });

  test('that pays for nothing ends it with the reason', async (t) => {
    const server = await startServer(t, { env: SMALL });
    const started = await startDebate(server, { task: 'Can we?', budget_tokens: 1000 });
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'failed');
    assert.equal(debate.error_code, 'BUDGET_EXHAUSTED');
    assert.match(debate.error, /before any agent had answered: the debate's budget of 1000 tokens/);
    assert.equal((await budgets(server)).today.spent_tokens, 0);
  });

  test('is limited by the server, which also has a default', async (t) => {
    const server = await startServer(t, {
      env: SMALL, args: ['--debate-budget-tokens', '50000', '--max-debate-budget-tokens', '60000'] });
    const refused = await post(server, '/api/debates', { task: 'More?', budget_tokens: 60001 });
    assert.equal(refused.status, 400);
    assert.equal(refused.json.field, 'budget_tokens');
    const { json } = await get(server, `/api/debates/${(await startDebate(server, { task: 'Less?' })).id}`);
    assert.equal(json.settings.budget_tokens, 50000);
  });
});

describe('the cap of a day', () => {
  test('outlives kill -9: what was under way is spent, once, and new debates are refused', async (t) => {
    const fake = await startFakeProvider(t, ['--quiet', '--fault', 'stall-head']);
    const dir = temporaryDirectory(t);
    const env = environment(fake.url);
    const first = await startServer(t, { env, dir });
    first.expectedToDie = true;
    const { id } = await startDebate(first, { task: 'Who pays?', agents: KEYS });
    const frames = [];
    await collectEvents(first, id, {
      until: (frame) => frame.type === 'attempt_start' && frames.push(frame) === 2 });
    const reserved = frames.reduce((sum, frame) => sum + frame.data.reserved_tokens, 0);
    const before = await budgets(first);
    assert.equal(before.today.reserved_tokens, reserved);
    assert.equal(before.today.left_tokens, null);
    first.child.kill('SIGKILL');
    await first.exited;

    const args = ['--daily-budget-tokens', String(reserved + 500)];
    const second = await startServer(t, { env, dir, args });
    const debate = await finished(second, id);
    assert.equal(debate.outcome, 'budget_exhausted');
    assert.match(debate.error, new RegExp(`the cap for the day of ${reserved + 500} tokens`));
    const refused = await post(second, '/api/debates', { task: 'Once more?', agents: KEYS });
    assert.equal(refused.status, 429);
    assert.equal(refused.json.code, 'BUDGET_EXHAUSTED');
    assert.match(refused.json.error, /the cap for the day/);
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds > 0 && seconds <= 86400, `retry-after ${seconds}`);
    const after = await budgets(second);
    assert.equal(after.today.spent_tokens, reserved);
    assert.equal(after.today.cap_tokens, reserved + 500);
    assert.equal(after.today.left_tokens, 500);
    assert.equal(after.process.spent_tokens, 0);
    assert.deepEqual(after.principals.map(({ principal, spent_tokens }) => ({ principal, spent_tokens })),
      [{ principal: 'local/local', spent_tokens: reserved }]);
    const metrics = (await get(second, '/metrics')).text;
    assert.match(metrics, new RegExp(`^aragora_budget_tokens\\{scope="day",state="spent"\\} ${reserved}$`, 'm'));
    assert.match(metrics, new RegExp(`^aragora_budget_tokens\\{scope="day",state="cap"\\} ${reserved + 500}$`, 'm'));
    assert.match(metrics, /^aragora_budget_refusals_total\{scope="day"\} [1-9]/m);
  });

  test('of a principal and of the process are named', async (t) => {
    for (const [flag, name] of [['--principal-daily-budget-tokens', /the principal's cap for the day/],
      ['--process-budget-tokens', /the cap of this server process/]]) {
      const server = await startServer(t, { env: SMALL, args: [flag, '2000'] });
      const refused = await post(server, '/api/debates', { task: 'Me?' });
      assert.equal(refused.status, 429);
      assert.match(refused.json.error, name);
      assert.equal(refused.headers.has('retry-after'), flag.includes('daily'));
    }
  });

  test('makes calls wait for each other, not fail', async (t) => {
    const body = { task: 'One by one?', rounds: 0, seed: '7' };
    const inFlight = [];
    const debates = [];
    for (const cap of ['0', '14000']) {
      const server = await startServer(t, { env: SMALL, args: ['--daily-budget-tokens', cap] });
      const { id } = await startDebate(server, body);
      const types = logged(await collectEvents(server, id)).map((frame) => frame.type);
      inFlight.push(types.slice(0, types.indexOf('attempt_end')).filter((type) => type === 'attempt_start').length);
      debates.push(await finished(server, id));
    }
    assert.equal(inFlight[0], 4);
    assert.ok(inFlight[1] < 4, `${inFlight[1]} of 4 at once`);
    assert.equal(debates[1].outcome, debates[0].outcome);
    assert.equal(debates[1].turns.length, debates[0].turns.length);
    for (const turn of debates[1].turns) assert.equal(turn.outcome, 'ok');
  });
});

describe('a price that nobody knows', () => {
  test('is refused within a budget in money, and allowed where the caller says so', async (t) => {
    const fake = await startFakeProvider(t, ['--quiet']);
    const server = await startServer(t, { env: environment(fake.url) });
    const body = { task: 'At what price?', agents: KEYS, rounds: 0, budget_usd: 1 };
    const refused = await post(server, '/api/debates', body);
    assert.equal(refused.status, 400);
    assert.equal(refused.json.field, 'budget_usd');
    assert.match(refused.json.error, /the price of anthropic-api .* is unknown/);
    const started = await startDebate(server, { ...body, allow_unknown_price: true });
    const debate = await finished(server, started.id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.equal(debate.usage.cost_usd, null);
    const { today } = await budgets(server);
    assert.equal(today.spent_usd, 0);
    assert.ok(today.unpriced_calls >= 2);
  });

  test('is refused under the server\'s caps in money, unless they allow it', async (t) => {
    const fake = await startFakeProvider(t, ['--quiet']);
    const args = ['--daily-budget-usd', '2.5'];
    const strict = await startServer(t, { env: environment(fake.url), args });
    const body = { task: 'At what price?', agents: KEYS, rounds: 0 };
    const refused = await post(strict, '/api/debates', { ...body, allow_unknown_price: true });
    assert.equal(refused.status, 400);
    assert.equal(refused.json.field, 'agents');
    assert.match(refused.json.error, /--caps-allow-unknown-price/);
    const lenient = await startServer(t, {
      env: environment(fake.url), args: [...args, '--caps-allow-unknown-price'] });
    const debate = await finished(lenient, (await startDebate(lenient, body)).id);
    assert.equal(debate.status, 'completed', debate.error);
    assert.equal((await budgets(lenient)).today.cap_usd, 2.5);
  });
});
