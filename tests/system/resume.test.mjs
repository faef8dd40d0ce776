// What a restart must not change: a debate goes on under the configuration in its own log, whatever the
// table of agents and the options say meanwhile; the time the server was down is not the debate's; and
// with many unfinished debates it serves while it takes them up.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { agentsFile, debateBody, script } from '../torture/cast.mjs';
import { Recorder } from '../torture/recorder.mjs';
import { collectEvents, finished, get, logged, post, startDebate } from './lib/client.mjs';
import { startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

// A fake provider that plays the cast, a recorder before it. {recorder, dir, table(version)}
async function startCast(t, pace) {
  const dir = temporaryDirectory(t);
  const path = join(dir, 'script.json');
  writeFileSync(path, JSON.stringify(script(pace)));
  const fake = await startFakeProvider(t, ['--quiet', '--script', path]);
  const recorder = await new Recorder(fake.url).start();
  t.after(() => recorder.stop());
  const table = (version) => {
    const file = join(dir, `agents-${version}.json`);
    writeFileSync(file, JSON.stringify(agentsFile(recorder.url, version)));
    return file;
  };
  return { recorder, dir: temporaryDirectory(t), table };
}

const decision = ({ outcome, final_answer, consensus, positions, ballots }) =>
  ({ outcome, final_answer, consensus, positions, ballots: ballots.map(({ voter_id, ranking }) => ({ voter_id, ranking })) });

const PACE = { latency_ms: 100, token_rate: 0 };

describe('a resumed debate', () => {
  test('runs under the configuration in its log, whatever changed meanwhile', async (t) => {
    const { recorder, dir, table } = await startCast(t, PACE);
    const env = { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: table(1) };
    const first = await startServer(undefined, { dir, env });
    const calm = await finished(first, (await startDebate(first, debateBody(1))).id);
    const { id } = await startDebate(first, debateBody(1));
    await collectEvents(first, id, { until: (frame) => frame.type === 'critique' });
    await first.stop('SIGKILL');
    const changed = {
      TORTURE_KEY: 'another-key', ARAGORA_AGENTS_FILE: table(2), ARAGORA_DEFAULT_ROUNDS: '0', ARAGORA_DEBATE_TIMEOUT: '5',
      ARAGORA_AGENT_TIMEOUT: '1', ARAGORA_MAX_OUTPUT_TOKENS: '16', ARAGORA_DEFAULT_AGENTS: 'cyd,cyd', ARAGORA_MAX_RETRIES: '0',
      ARAGORA_DEBATE_BUDGET_TOKENS: '1', ARAGORA_MAX_DEBATE_BUDGET_TOKENS: '1', ARAGORA_MAX_QUESTION_LENGTH: '5',
      ARAGORA_MAX_CONCURRENT_DEBATES: '1', ARAGORA_MAX_QUEUED_DEBATES: '0',
    };
    const second = await startServer(t, { dir, env: changed });
    const resumed = await finished(second, id);
    assert.deepEqual(decision(resumed), decision(calm));
    for (const [turn, models] of recorder.models)
      for (const model of models) assert.match(model, /-1$/, `${turn} was asked of ${model}`);
    const frames = logged(await collectEvents(second, id));
    const reserved = (frame) => frame.data.reserved_tokens;
    const starts = frames.filter((frame) => frame.type === 'attempt_start');
    assert.ok(starts.every((frame) => reserved(frame) > 2000), 'another output limit');
    assert.ok(frames.some((frame) => frame.type === 'resumed'));
  });

  test('whose agent is now somebody else\'s goes on without it, and says so', async (t) => {
    const { dir, table, recorder } = await startCast(t, PACE);
    const first = await startServer(undefined, { dir, env: { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: table(1) } });
    const { id } = await startDebate(first, debateBody(2));
    await collectEvents(first, id, { until: (frame) => frame.type === 'critique' });
    await first.stop('SIGKILL');
    const other = agentsFile(recorder.url);
    other.agents[0].provider = 'another';
    const file = join(dir, 'other.json');
    writeFileSync(file, JSON.stringify(other));
    const second = await startServer(t, { dir, env: { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: file } });
    const debate = await finished(second, id);
    assert.equal(debate.status, 'completed');
    assert.equal(debate.degraded, true);
    assert.match(debate.degradations.find((row) => row.agent === 'ada').detail, /gone from the table/);
  });

  test('whose keys were forgotten at the start waits for them', async (t) => {
    const { dir, table, recorder } = await startCast(t, PACE);
    const env = { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: table(1) };
    const first = await startServer(undefined, { dir, env });
    const { id } = await startDebate(first, debateBody(2));
    await collectEvents(first, id, { until: (frame) => frame.type === 'critique' });
    await first.stop('SIGKILL');
    const asked = recorder.total;
    const keyless = await startServer(undefined, { dir, env: { ...env, TORTURE_KEY: '' } });
    // It serves before it takes up what is left.
    const deadline = Date.now() + 30_000;
    while ((await get(keyless, `/api/debates/${id}`)).json.status !== 'pending') assert.ok(Date.now() < deadline, 'still running');
    const health = (await get(keyless, '/api/health')).json;
    assert.ok(health.warnings.some((text) => /^1 unfinished debates wait .* keys/.test(text)), health.warnings.join('\n'));
    assert.match(keyless.lines.join('\n'), /debate=held agent=ada TORTURE_KEY is not set/);
    assert.equal((await keyless.stop()).code, 0);
    assert.equal(recorder.total, asked);
    const second = await startServer(t, { dir, env });
    const debate = await finished(second, id);
    assert.equal(debate.status, 'completed');
    assert.equal(debate.degraded, false);
  });

  test('is not charged for the time the server was down', async (t) => {
    const { dir, table } = await startCast(t, { latency_ms: 250, token_rate: 0 });
    const env = { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: table(1) };
    const first = await startServer(undefined, { dir, env });
    const { id } = await startDebate(first, { ...debateBody(3), deadline_seconds: 5 });
    await collectEvents(first, id, { until: (frame) => frame.type === 'critique' });
    await first.stop('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 5500)); // the time itself is what is tested
    const second = await startServer(t, { dir, env });
    const debate = await finished(second, id);
    assert.equal(debate.status, 'completed');
    assert.notEqual(debate.outcome, 'deadline');
    assert.equal(debate.stop_reason, 'rounds_done');
    assert.ok(debate.duration_seconds < 5, `${debate.duration_seconds}`);
  });
});

test('a hundred unfinished debates: it serves at once, and all of them end', async (t) => {
  const { dir, table } = await startCast(t, PACE);
  const env = { TORTURE_KEY: 'key', ARAGORA_AGENTS_FILE: table(1), ARAGORA_MAX_CONCURRENT_DEBATES: '60' };
  const first = await startServer(undefined, { dir, env });
  const ids = [];
  for (let number = 1; number <= 100; number++) ids.push((await startDebate(first, debateBody(number))).id);
  await first.stop('SIGKILL');
  const second = await startServer(t, { dir, env });
  assert.equal((await get(second, '/api/health')).json.status, 'healthy');
  // Those beyond the limit wait their turn like new ones, and can be cancelled like them.
  const last = ids.at(-1);
  const { status } = (await get(second, `/api/debates/${last}`)).json;
  if (status !== 'completed') assert.ok([200, 409].includes((await post(second, `/api/debates/${last}/cancel`)).status));
  for (const id of ids) {
    const debate = await finished(second, id);
    if (id !== last) assert.equal(debate.status, 'completed');
  }
  // They were started by the first process, and ended here.
  const { text } = await get(second, '/api/metrics');
  const count = (name) => Number(new RegExp(`^aragora_debates_${name} (\\d+)$`, 'm').exec(text)[1]);
  assert.equal(count('total'), 0);
  assert.ok(count('resumed_total') > 0);
  assert.equal(count('resumed_total'), count('completed') + count('cancelled_total'));
});
