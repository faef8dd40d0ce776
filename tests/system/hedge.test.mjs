// With --hedge, an answer that takes longer than its model's do is asked for a second time; the
// first of the two counts, and the log has both.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { collectEvents, finished, logged, startDebate } from './lib/client.mjs';
import { Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const QUESTION = {
  task: 'Should the team adopt it?',
  agents: 'openai-api,openai-api,openai-api',
  rounds: 2,
  fast_path: false,
};

// A server that asks a scripted provider, and a debate before the test's own: what its answers took is
// what is slow later.
async function started(t, args) {
  const dir = temporaryDirectory(t);
  const script = join(dir, 'script.json');
  const rules = [{ match: { kind: 'ballot', nth: 4 }, fault: 'stall-head' }];
  writeFileSync(script, JSON.stringify({ rules }));
  const fake = await startFakeProvider(t, ['--quiet', '--script', script, '--change', 'always']);
  const env = {
    OPENAI_API_KEY: 'test-key-0123456789',
    OPENAI_BASE_URL: `${fake.url}/v1`,
    ARAGORA_AGENT_TIMEOUT: '3',
  };
  const server = await startServer(t, { env, dir, args });
  await debated(server);
  return { server, dir, env };
}

// A debate that is over, with its log.
async function debated(server) {
  const id = (await startDebate(server, QUESTION)).debate_id;
  const frames = logged(await collectEvents(server, id));
  return { id, frames, debate: await finished(server, id) };
}

const of = (frames, type, turn) =>
  frames.filter((f) => f.type === type && f.data.turn === turn).map((f) => f.data);

test('an answer that does not come is not waited for', { timeout: 60_000 }, async (t) => {
  const { server, dir, env } = await started(t, ['--hedge']);
  const { id, frames, debate } = await debated(server);
  assert.equal(debate.status, 'completed');
  assert.equal(debate.degraded, false); // nobody was lost, and nobody else answered
  const hedged = debate.turns.filter((turn) => turn.kind === 'ballot' && turn.hedges > 0);
  assert.ok(hedged.length >= 1, JSON.stringify(debate.turns));
  const cut = hedged.find((turn) => of(frames, 'attempt_end', turn.turn)[0].attempt === 1);
  assert.ok(cut, 'the attempt that stalls was not cut');
  const starts = of(frames, 'attempt_start', cut.turn);
  assert.deepEqual(starts.map((s) => [s.attempt, s.hedge ?? false]), [[1, false], [2, true]]);
  const ends = of(frames, 'attempt_end', cut.turn);
  assert.deepEqual(ends.map((e) => [e.attempt, e.outcome]), [[1, 'cancelled'], [2, 'ok']]);
  assert.equal(ends[0].tokens, starts[0].reserved_tokens); // nobody knows what it took
  assert.equal(debate.ballots.length, 3);

  const replay = new Process(['replay', id, '--check'], { env, dir });
  assert.equal((await replay.end()).code, 0, replay.lines.join('\n'));
});

test('without the option it is', { timeout: 60_000 }, async (t) => {
  const { server } = await started(t, ['--max-retries', '0']);
  const { debate } = await debated(server);
  assert.ok(debate.turns.every((turn) => turn.hedges === 0));
  assert.equal(debate.degraded, true);
  assert.equal(debate.degradations[0].cause, 'timeout');
});
