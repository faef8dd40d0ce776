// What is asked about one debate beside the whole object, and what is answered 501.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { call, finished, get, startDebate } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const BODY = { task: 'Which one is it?', agents: ['demo', 'demo', 'demo'], rounds: 2, fast_path: false, seed: '11' };

async function parts(server, id) {
  const names = ['convergence', 'impasse', 'summary', 'followups'];
  const answers = await Promise.all(names.map((name) => get(server, `/api/debates/${id}/${name}`)));
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  return Object.fromEntries(names.map((name, at) => [name, answers[at].json]));
}

describe('sub-resources', () => {
  test('agree with the debate that they are about', async (t) => {
    const server = await startServer(t);
    const { id, slug } = await startDebate(server, BODY);
    const debate = await finished(server, id);
    const { convergence, impasse, summary, followups } = await parts(server, id);
    for (const part of [convergence, impasse, summary, followups]) assert.equal(part.debate_id, id);
    const largest = Math.max(...debate.positions.map((position) => position.holders.length));
    assert.ok(Math.abs(convergence.similarity_score - largest / 3) < 1e-5);
    assert.equal(convergence.convergence_reached, debate.positions.length === 1);
    assert.equal(convergence.share, debate.consensus.share);
    assert.equal(convergence.rounds.length, debate.rounds_used + 1);
    assert.equal(convergence.rounds.at(-1).positions, debate.positions.length);
    assert.equal(convergence.remaining_disagreements.length, debate.positions.length - 1);
    assert.equal(impasse.positions, debate.positions.length);
    assert.equal(impasse.stop_reason, debate.stop_reason);
    assert.equal(impasse.has_impasse, false);
    assert.equal(summary.conclusion, debate.final_answer);
    assert.equal(summary.task, BODY.task);
    assert.equal(summary.duration_seconds, debate.duration_seconds);
    assert.ok(summary.summary.endsWith(debate.final_answer));
    assert.equal(summary.summary_detail.agents_participated, 3);
    const open = debate.critiques.flatMap((critique) => critique.items).filter((item) => item.state === 'open');
    const others = debate.winner === null ? 0 : debate.positions.length - 1;
    assert.equal(followups.count, Math.min(20, open.length + others));
    assert.equal(followups.suggestions.length, followups.count);
    assert.deepEqual((await get(server, `/api/debates/${slug}/convergence`)).json, convergence);
  });

  test('answer before the debate has ended', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '1' } });
    const { id } = await startDebate(server, BODY);
    const { convergence, impasse, summary, followups } = await parts(server, id);
    assert.equal(convergence.convergence_reached, null);
    assert.equal(convergence.similarity_score, null);
    assert.equal(impasse.has_impasse, null);
    assert.equal(summary.conclusion, null);
    assert.equal(summary.duration_seconds, null);
    assert.deepEqual(followups.suggestions, []);
    assert.equal((await call(server, 'POST', `/api/debates/${id}/cancel`)).status, 200);
  });

  test('an unknown debate is a 404', async (t) => {
    const server = await startServer(t);
    for (const name of ['convergence', 'impasse', 'summary', 'followups']) {
      const answer = await get(server, `/api/debates/nowhere/${name}`);
      assert.equal(answer.status, 404);
      assert.equal(answer.json.code, 'NOT_FOUND');
    }
  });
});

const UNAVAILABLE = [
  ['GET', '/api/debates/x/citations'],
  ['GET', '/api/debates/x/evidence'],
  ['POST', '/api/debates/x/verify'],
  ['GET', '/api/debates/x/verification-report'],
  ['GET', '/api/debates/x/graph/stats'],
  ['POST', '/api/debates/x/broadcast'],
  ['PATCH', '/api/debates/x'],
  ['POST', '/api/debates/graph'],
  ['GET', '/api/debates/graph/g/branches'],
  ['POST', '/api/debates/matrix'],
  ['GET', '/api/debates/matrix/m/conclusions'],
  ['POST', '/api/verify/claim'],
  ['GET', '/api/verify/status'],
  ['GET', '/api/memory/continuum/retrieve?tier=slow'],
  ['DELETE', '/api/memory/continuum/1'],
  ['POST', '/api/gauntlet'],
  ['GET', '/api/gauntlet/g/receipt'],
  ['PUT', '/api/pulse/scheduler/config'],
  ['GET', '/api/documents'],
  ['GET', '/api/breakpoints/pending'],
  ['GET', '/api/tournaments'],
  ['GET', '/api/org/1/members'],
  ['POST', '/api/invitations/t/accept'],
  ['GET', '/api/billing/invoices'],
  ['POST', '/api/auth/mfa/setup'],
  ['GET', '/api/consensus/stats'],
  ['GET', '/api/analytics/agent/demo'],
  ['GET', '/api/history/summary'],
  ['GET', '/api/v1/memory/tier-stats'],
];

test('what nothing computes is 501, and says what it is', async (t) => {
  const server = await startServer(t);
  for (const [method, path] of UNAVAILABLE) {
    const answer = await call(server, method, path, method === 'GET' ? undefined : {});
    assert.equal(answer.status, 501, `${method} ${path}: ${answer.text}`);
    assert.equal(answer.json.code, 'FEATURE_UNAVAILABLE');
    assert.match(answer.json.error, /^Not available on this server: \S/);
    assert.ok(answer.json.request_id);
  }
  assert.equal((await get(server, '/api/nowhere')).status, 404);
  assert.equal((await call(server, 'PUT', '/api/debates/x', {})).status, 405);
});
