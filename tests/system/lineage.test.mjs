// Debates that come from other ones: a fork goes on from the end of a round, a follow-up asks about
// what was left open.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';

import { call, finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY, startServer, temporaryDirectory } from './lib/server.mjs';

const BODY = {
  task: 'Which one is it?', context: 'as it was', agents: ['demo', 'demo', 'demo:sceptic'], rounds: 2, fast_path: false,
  seed: '11', metadata: { a: 1 },
};
const JSON_ONLY = { Accept: 'application/json' };

const log = async (server, id) => (await get(server, `/api/debates/${id}/events?limit=1000`, JSON_ONLY)).json.events;

// What was said up to the end of a round, without what only the log of the parent has.
const said = (events, round) =>
  events
    .filter((event) => ['round_start', 'agent_message', 'critique', 'agent_error'].includes(event.type) && event.round <= round)
    .map(({ type, round, agent, data: { inherited, ...data } }) => ({ type, round, agent, data }));

// What every start answers.
const STARTED = ['success', 'id', 'debate_id', 'slug', 'status', 'task', 'agents', 'rounds', 'demo', 'websocket_url', 'events_url'];

async function forked(server, id, body) {
  const answer = await post(server, `/api/debates/${id}/fork`, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

describe('a fork', () => {
  test('takes over what was said up to the end of the round, and goes on by itself', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(t, { dir });
    const { id } = await startDebate(server, BODY);
    const parent = await finished(server, id);
    const before = await log(server, id);
    for (const point of [0, parent.rounds_used]) {
      const fork = await forked(server, id, { branch_point: point });
      assert.equal(fork.parent_debate_id, id);
      assert.equal(fork.branch_point, point);
      assert.equal(fork.modified_context, false);
      assert.deepEqual(Object.keys(fork), [...STARTED, 'branch_id', 'parent_debate_id', 'branch_point', 'messages_inherited', 'modified_context']);
      assert.deepEqual([fork.id, fork.branch_id, fork.task, fork.rounds], [fork.debate_id, fork.debate_id, BODY.task, BODY.rounds]);
      const debate = await finished(server, fork.debate_id);
      assert.equal(debate.status, 'completed');
      assert.equal(debate.parent_debate_id, id);
      assert.equal(debate.branch_point, point);
      assert.equal(debate.task, parent.task);
      assert.equal(debate.seed, parent.seed);
      assert.deepEqual(debate.panel, parent.panel);
      const events = await log(server, fork.debate_id);
      const inherited = said(before, point);
      assert.equal(debate.inherited_events, inherited.length);
      assert.equal(fork.messages_inherited, inherited.filter(({ type }) => /message|critique/.test(type)).length);
      assert.deepEqual(said(events, point), inherited);
      assert.deepEqual(events.slice(1, 1 + inherited.length).map(({ type }) => type), inherited.map(({ type }) => type));
      for (const event of events.slice(1, 1 + inherited.length)) assert.equal(event.data.inherited, event.type === 'round_start' ? undefined : true);
      const last = before.filter((event) => said([event], point).length).at(-1);
      assert.deepEqual(events[0].data.parent, { debate_id: id, branch_point: point, inherited: inherited.length, head_hash: last.hash });
      // nobody pays twice: what was taken over cost this debate nothing
      const calls = events.filter(({ type }) => type === 'attempt_start').length;
      assert.equal(debate.usage.attempts, calls);
      assert.ok(calls < before.filter(({ type }) => type === 'attempt_start').length);
      const check = execFileSync(BINARY, ['replay', fork.debate_id, '--check', '--data-dir', dir], { encoding: 'utf8', env: { ...process.env, HOME: dir } });
      assert.match(check, /^ok: \d+ events/);
    }
    const { json } = await get(server, `/api/debates/${id}/forks`);
    assert.equal(json.total, 2);
    assert.deepEqual(json.forks.map((row) => row.branch_point).sort(), [0, parent.rounds_used].sort());
    for (const row of json.forks) assert.equal(row.relation, 'fork');
    assert.equal(parent.parent_debate_id, null);
  });

  test('that has nobody to ask ends at once, and is known to have ended', async (t) => {
    const server = await startServer(t);
    const { id } = await startDebate(server, { ...BODY, rounds: 1, consensus: 'none' });
    await finished(server, id);
    const fork = await forked(server, id, { branch_point: 1 });
    assert.equal((await finished(server, fork.debate_id)).status, 'completed');
    const events = await log(server, fork.debate_id);
    assert.equal(events.filter(({ type }) => type === 'attempt_start').length, 0);
    // what follows an end: the ratings, and the replay's files
    const end = Date.now() + 20_000;
    for (;;) {
      const { unrated_debates: unrated } = (await get(server, '/api/leaderboard')).json;
      const { replays } = (await get(server, '/api/replays')).json;
      if (unrated === 2 && replays.length === 2) break;
      assert.ok(Date.now() < end, `${unrated} of 2 in the ratings, ${replays.length} of 2 replays`);
    }
  });

  test('may have another context', async (t) => {
    const server = await startServer(t);
    const { id } = await startDebate(server, BODY);
    await finished(server, id);
    const fork = await forked(server, id, { branch_point: 0, modified_context: 'as it might be' });
    assert.equal(fork.modified_context, true);
    assert.equal((await finished(server, fork.debate_id)).context, 'as it might be');
  });

  test('survives a kill -9, and its parent\'s deletion', async (t) => {
    const dir = temporaryDirectory(t);
    const first = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '200' } });
    t.after(() => first.stop('SIGKILL'));
    const { id } = await startDebate(first, BODY);
    const parent = await finished(first, id);
    const fork = await forked(first, id, { branch_point: 0 });
    first.child.kill('SIGKILL');
    await first.end();
    const server = await startServer(t, { dir });
    const debate = await finished(server, fork.debate_id);
    assert.equal(debate.status, 'completed');
    assert.equal(debate.parent_debate_id, id);
    assert.deepEqual(debate.rounds[0].messages.map((m) => m.content), parent.rounds[0].messages.map((m) => m.content));
    assert.equal((await call(server, 'DELETE', `/api/debates/${id}`)).status, 200);
    assert.equal((await get(server, `/api/debates/${fork.debate_id}`)).json.parent_debate_id, id);
    assert.equal((await post(server, `/api/debates/${id}/fork`, { branch_point: 0 })).status, 410);
  });

  test('that cannot be is refused, naming the field', async (t) => {
    const server = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '1' } });
    const { id } = await startDebate(server, BODY);
    const refused = async (body, status, field) => {
      const answer = await post(server, `/api/debates/${id}/fork`, body);
      assert.equal(answer.status, status, answer.text);
      if (field) assert.equal(answer.json.field, field);
    };
    for (const branch_point of [-1, 11, 1.5, '1', null, undefined]) await refused({ branch_point }, 400, 'branch_point');
    await refused({ branch_point: 0, modified_context: 7 }, 400, 'modified_context');
    await refused([], 400);
    await refused({ branch_point: 0, dry_run: true }, 400, 'dry_run');
    await refused({ branch_point: 0 }, 409, 'branch_point'); // its first round still runs
    assert.equal((await post(server, '/api/debates/nowhere/fork', { branch_point: 0 })).status, 404);
    await call(server, 'POST', `/api/debates/${id}/cancel`);
  });

  test('beyond the last complete round is refused', async (t) => {
    const server = await startServer(t);
    const { id } = await startDebate(server, { ...BODY, rounds: 0 });
    await finished(server, id);
    const answer = await post(server, `/api/debates/${id}/fork`, { branch_point: 1 });
    assert.equal(answer.status, 409);
    assert.equal(answer.json.error, 'branch_point must be 0 to 0, the last round that is complete');
  });
});

describe('a follow-up', () => {
  test('asks its crux of the same panel, with the decision as context', async (t) => {
    // the limit is for what callers send, and not for what the server tells of the other debate
    const server = await startServer(t, { env: { ARAGORA_MAX_CONTEXT_BYTES: '20' } });
    const { id } = await startDebate(server, BODY);
    const parent = await finished(server, id);
    const answer = await post(server, `/api/debates/${id}/followup`, { crux: 'Does it scale?', max_rounds: 1 });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.parent_debate_id, id);
    assert.equal(answer.json.crux, 'Does it scale?');
    assert.deepEqual(Object.keys(answer.json), [...STARTED, 'followup_id', 'parent_debate_id', 'crux']);
    assert.deepEqual([answer.json.id, answer.json.task, answer.json.rounds], [answer.json.followup_id, 'Does it scale?', 1]);
    const debate = await finished(server, answer.json.debate_id);
    assert.equal(debate.task, 'Does it scale?');
    assert.equal(debate.settings.max_rounds, 1);
    assert.deepEqual(debate.panel.map(({ type, role }) => [type, role]), parent.panel.map(({ type, role }) => [type, role]));
    assert.ok(debate.context.includes(parent.task));
    assert.ok(debate.context.includes(parent.final_answer));
    assert.equal(debate.parent_debate_id, id);
    assert.equal(debate.branch_point, null);
    assert.equal(debate.inherited_events, 0);
    const other = await post(server, `/api/debates/${id}/followup`, { crux: 'And now?', agents: 'demo,demo' });
    assert.equal((await finished(server, other.json.debate_id)).agents.length, 2);
    const { json } = await get(server, `/api/debates/${id}/forks`);
    assert.equal(json.total, 2);
    for (const row of json.forks) assert.deepEqual([row.relation, row.branch_point], ['followup', null]);
  });

  test('that cannot be is refused, naming the field', async (t) => {
    const server = await startServer(t);
    const { id } = await startDebate(server, BODY);
    await finished(server, id);
    for (const [body, field] of [[{}, 'crux'], [{ crux: ' ' }, 'crux'], [{ crux: 'x'.repeat(10_001) }, 'crux'], [{ crux: 'x', agents: ['nobody', 'demo'] }, 'agents[0]'], [{ crux: 'x', max_rounds: 99 }, 'max_rounds'], [{ crux: 'x', dry_run: true }, 'dry_run']]) {
      const answer = await post(server, `/api/debates/${id}/followup`, body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.field, field, answer.text);
    }
    assert.equal((await post(server, '/api/debates/nowhere/followup', { crux: 'x' })).status, 404);
  });
});
