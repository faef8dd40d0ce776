// A debate from the request to the result, without any key.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { call, collectEvents, finished, get, post, startDebate } from './lib/client.mjs';
import { startServer } from './lib/server.mjs';

const QUESTION = 'Should a small team begin with a monolith?';

let server;
const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
before(async () => (server = await startServer(suite)));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

describe('a debate without keys', () => {
  let started;
  let debate;
  before(async () => {
    started = await startDebate(server, { task: QUESTION, metadata: { ticket: 7 } });
    debate = await finished(server, started.debate_id, 10_000);
  });

  test('starting answers what clients read', () => {
    assert.equal(started.success, true);
    assert.equal(started.id, started.debate_id);
    assert.equal(started.status, 'running');
    assert.equal(started.task, QUESTION);
    assert.equal(started.demo, true);
    assert.equal(started.websocket_url, `/ws/debates/${started.id}`);
    assert.equal(started.events_url, `/api/debates/${started.id}/events`);
    assert.ok(started.agents.length >= 3);
    assert.match(started.id, /^[A-Za-z0-9_-]{22,128}$/);
  });

  test('it completes with an answer and is marked as a demo', () => {
    assert.equal(debate.status, 'completed');
    assert.equal(debate.demo, true);
    assert.equal(debate.task, QUESTION);
    assert.ok(debate.final_answer.length > 0);
    assert.deepEqual(debate.metadata, { ticket: 7 });
    assert.ok(['consensus', 'no_consensus', 'fast_path'].includes(debate.outcome));
    assert.equal(debate.consensus_reached, debate.consensus.reached);
    assert.equal(debate.error, null);
    assert.match(debate.head_hash, /^[0-9a-f]{64}$/);
  });

  test('rounds hold proposals, and critiques with the agent they are about', () => {
    assert.ok(Array.isArray(debate.rounds));
    const proposals = debate.rounds[0].messages;
    assert.equal(proposals.length, debate.agents.length);
    for (const message of proposals) {
      assert.equal(message.message_type, 'proposal');
      assert.ok(debate.agents.includes(message.agent_id));
      assert.ok(message.content.length > 0);
      assert.equal(new Date(message.timestamp).toISOString(), message.timestamp);
    }
    assert.ok(debate.critiques.length > 0);
    for (const critique of debate.critiques) {
      assert.ok(debate.agents.includes(critique.critic_id));
      assert.ok(debate.agents.includes(critique.target_agent_id));
      assert.notEqual(critique.critic_id, critique.target_agent_id);
    }
  });

  test('ballots rank every position, and dissent is named', () => {
    const ids = debate.positions.map((position) => position.id).sort();
    assert.ok(ids.length >= 1);
    for (const ballot of debate.ballots) assert.deepEqual([...ballot.ranking].sort(), ids);
    const named = new Set([...debate.consensus.supporting_agents, ...debate.consensus.dissenting_agents]);
    for (const { agent, answer } of debate.dissent) {
      assert.ok(named.has(agent));
      assert.ok(answer.length > 0);
    }
    assert.equal(named.size, debate.agents.length);
  });

  test('every turn says who answered and what it cost', () => {
    assert.ok(debate.turns.length >= debate.agents.length);
    for (const turn of debate.turns) {
      assert.equal(turn.outcome, 'ok');
      assert.equal(turn.provider, 'demo');
      assert.equal(turn.attempts, 1);
      assert.equal(typeof turn.tokens_out, 'number');
    }
    assert.equal(debate.usage.attempts, debate.turns.length);
  });

  test('it is found by its slug, in both places', async () => {
    const bySlug = await get(server, `/api/debates/${debate.slug}`);
    assert.equal(bySlug.json.id, debate.id);
    const again = await get(server, `/api/debates/slug/${debate.slug}`);
    assert.equal(again.json.id, debate.id);
  });

  test('its messages come in pages that add up', async () => {
    const path = `/api/debates/${debate.id}/messages`;
    const all = (await get(server, `${path}?limit=200`)).json;
    assert.equal(all.total, all.messages.length);
    const pages = [];
    for (let offset = 0; ; offset += 4) {
      const page = (await get(server, `${path}?limit=4&offset=${offset}`)).json;
      assert.equal(page.total, all.total);
      pages.push(...page.messages);
      if (!page.has_more) break;
    }
    assert.deepEqual(pages, all.messages);
  });

  test('the events page carries the chain', async () => {
    const path = `/api/debates/${debate.id}/events`;
    const seen = [];
    for (let since = 0; ; ) {
      const page = (await get(server, `${path}?limit=7&since=${since}`, { Accept: 'application/json' })).json;
      assert.equal(page.count, page.events.length);
      seen.push(...page.events);
      since = page.next_since;
      if (!page.has_more) break;
    }
    assert.deepEqual(seen.map((event) => event.seq), seen.map((_, index) => index + 1));
    for (const event of seen) {
      assert.match(event.hash, /^[0-9a-f]{64}$/);
      assert.match(event.data_digest, /^[0-9a-f]{64}$/);
      assert.match(event.salt, /^[0-9a-f]{64}$/);
    }
    assert.equal(seen.at(-1).type, 'debate_end');
    assert.equal(seen.at(-1).hash, debate.head_hash);
  });

  test('cancelling it now is a conflict', async () => {
    const answer = await post(server, `/api/debates/${debate.id}/cancel`);
    assert.equal(answer.status, 409);
    assert.equal(answer.json.code, 'CONFLICT');
  });
});

test('the same seed and agents give the same debate', async () => {
  const body = { task: QUESTION, agents: ['demo', 'demo', 'demo'], seed: '42' };
  const both = [];
  for (let i = 0; i < 2; i++) {
    const { id } = await startDebate(server, body);
    const debate = await finished(server, id);
    both.push(debate.messages.map(({ agent, content, message_type }) => ({ agent, content, message_type }))
      .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))));
  }
  assert.deepEqual(both[0], both[1]);
});

test('agents as a comma string, names numbered, rounds by either name', async () => {
  const { id, agents } = await startDebate(server, {
    question: QUESTION,
    agents: 'demo,demo:skeptic',
    max_rounds: 1,
  });
  assert.equal(agents.length, 2);
  assert.notEqual(agents[0], agents[1]);
  const debate = await finished(server, id);
  assert.equal(debate.settings.max_rounds, 1);
  assert.equal(debate.panel[1].role, 'skeptic');
});

test('the deprecated path works and says that it is deprecated', async () => {
  const answer = await post(server, '/api/debate', { task: QUESTION, agents: ['demo', 'demo'] });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('deprecation'), 'true');
  assert.match(answer.headers.get('link'), /<\/api\/debates>; rel="successor-version"/);
  assert.ok(answer.headers.get('sunset'));
  await finished(server, answer.json.id);
});

test('the versioned paths are the same', async () => {
  for (const version of ['v1', 'v2']) {
    const answer = await get(server, `/api/${version}/debates?limit=1`);
    assert.equal(answer.status, 200);
    assert.ok(Array.isArray(answer.json.debates));
  }
});

describe('what is refused', () => {
  const good = { task: QUESTION, agents: ['demo', 'demo'] };
  const bad = [
    ['no task', { agents: ['demo', 'demo'] }, 'task'],
    ['an empty task', { ...good, task: '   ' }, 'task'],
    ['a task that is no text', { ...good, task: 7 }, 'task'],
    ['an unknown agent', { ...good, agents: ['demo', 'nobody'] }, /agents/],
    ['one agent', { ...good, agents: ['demo'] }, 'agents'],
    ['eleven agents', { ...good, agents: Array(11).fill('demo') }, 'agents'],
    ['an agent without its key', { ...good, agents: ['demo', 'openai-api'] }, /agents/],
    ['an unknown consensus', { ...good, consensus: 'dictator' }, 'consensus'],
    ['too many rounds', { ...good, rounds: 11 }, 'rounds'],
    ['rounds in a text', { ...good, rounds: '2' }, 'rounds'],
    ['a threshold over one', { ...good, consensus_threshold: 1.5 }, 'consensus_threshold'],
    ['an unknown mode', { ...good, mode: 'fight' }, 'mode'],
    ['a quorum above the panel', { ...good, quorum: 3 }, 'quorum'],
    ['an array', [], undefined],
  ];
  for (const [what, body, field] of bad) {
    test(what, async () => {
      const answer = await post(server, '/api/debates', body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.code, 'VALIDATION_ERROR');
      assert.equal(typeof answer.json.error, 'string');
      assert.equal(answer.json.request_id, answer.headers.get('x-request-id'));
      if (field instanceof RegExp) assert.match(answer.json.field, field);
      else if (field) assert.equal(answer.json.field, field);
    });
  }

  test('a quorum where there is none is not looked at', async () => {
    for (const mode of ['single', 'self_consistency'])
      assert.equal((await post(server, '/api/debates', { task: 'Of one?', agents: ['demo'], mode, quorum: 10 })).status, 200, mode);
  });

  test('an unknown consensus lists the known ones', async () => {
    const answer = await post(server, '/api/debates', { ...good, consensus: 'dictator' });
    for (const rule of ['majority', 'supermajority', 'unanimous', 'weighted', 'judge', 'none', 'any'])
      assert.match(answer.json.error, new RegExp(rule));
  });

  for (const [what, body] of [
    ['a body that is no JSON', '{"task":'],
    ['an empty body', ''],
    ['a key twice', '{"task":"a","task":"b"}'],
    ['a depth of a thousand', '['.repeat(1000) + ']'.repeat(1000)],
  ])
    test(what, async () => {
      const answer = await post(server, '/api/debates', body);
      assert.equal(answer.status, 400);
      assert.equal(answer.json.code, 'INVALID_JSON');
    });

  test('an unknown debate is 404 as JSON, everywhere', async () => {
    for (const path of ['', '/messages', '/events', '/stream']) {
      const answer = await get(server, `/api/debates/nosuch${path}`);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.json.code, 'NOT_FOUND');
    }
    assert.equal((await post(server, '/api/debates/nosuch/cancel')).status, 404);
  });

  test('an id that none can be is 400', async () => {
    const answer = await get(server, '/api/debates/a%20b');
    assert.equal(answer.status, 400);
    assert.equal((await get(server, `/api/debates/${'x'.repeat(129)}`)).status, 400);
  });
});

test('a list in pages, by offset and by cursor, with both vocabularies', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) {
    const { id } = await startDebate(server, { task: `List ${i}`, agents: ['demo', 'demo'], rounds: 0 });
    await finished(server, id);
    ids.unshift(id);
  }
  const all = (await get(server, '/api/debates?limit=100')).json;
  assert.equal(all.total, all.debates.length);
  assert.equal(all.count, all.debates.length);
  assert.deepEqual(all.debates.slice(0, 5).map((row) => row.id), ids);
  const byOffset = [];
  const byCursor = [];
  for (let offset = 0; ; offset += 2) {
    const page = (await get(server, `/api/debates?limit=2&offset=${offset}`)).json;
    byOffset.push(...page.debates);
    if (!page.has_more) break;
  }
  for (let cursor = ''; ; ) {
    const page = (await get(server, `/api/debates?limit=2&cursor=${cursor}`)).json;
    byCursor.push(...page.debates);
    if (!page.has_more) {
      assert.equal(page.next_cursor, null);
      break;
    }
    cursor = page.next_cursor;
  }
  assert.deepEqual(byOffset, all.debates);
  assert.deepEqual(byCursor, all.debates);
  for (const status of ['completed', 'concluded', 'archived']) {
    const page = (await get(server, `/api/debates?status=${status}`)).json;
    assert.equal(page.total, all.debates.filter((row) => row.status === 'completed').length);
  }
  assert.equal((await get(server, '/api/debates?status=paused')).json.total, 0);
  assert.equal((await get(server, '/api/debates?status=nonsense')).status, 400);
  assert.equal((await get(server, '/api/debates?cursor=nonsense')).status, 400);
  assert.equal((await get(server, '/api/debates?limit=0')).json.debates.length, 1);
  assert.equal((await get(server, '/api/debates?limit=x')).json.limit, 20);
});

describe('cancelling', () => {
  let slow;
  const own = { cleanups: [], after: (fn) => own.cleanups.push(fn) };
  before(async () => {
    slow = await startServer(own, { env: { ARAGORA_DEMO_TOKEN_RATE: '5', ARAGORA_MAX_CONCURRENT_DEBATES: '1',
      ARAGORA_MAX_QUEUED_DEBATES: '1' } });
  });
  after(async () => {
    for (const fn of own.cleanups.reverse()) await fn();
  });

  test('a running debate ends as cancelled, one that waits too, and a third is refused', async () => {
    const body = { task: QUESTION, agents: ['demo', 'demo'] };
    const running = await startDebate(slow, body);
    const waiting = await startDebate(slow, body);
    assert.equal(running.status, 'running');
    assert.equal(waiting.status, 'pending');
    assert.equal((await get(slow, `/api/debates/${waiting.id}`)).json.status, 'pending');
    const third = await post(slow, '/api/debates', body);
    assert.equal(third.status, 503);
    assert.equal(third.json.code, 'SERVICE_UNAVAILABLE');
    assert.ok(third.headers.get('retry-after'));
    for (const { id } of [waiting, running]) {
      const answer = await post(slow, `/api/debates/${id}/cancel`, { reason: 'changed my mind' });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual({ success: answer.json.success, debate_id: answer.json.debate_id, status: answer.json.status },
        { success: true, debate_id: id, status: 'cancelled' });
      const debate = await finished(slow, id);
      assert.equal(debate.status, 'cancelled');
      assert.equal(debate.outcome, 'cancelled');
      assert.equal(debate.consensus_reached, false);
      const frames = await collectEvents(slow, id);
      const fact = frames.find((frame) => frame.type === 'cancel_requested');
      assert.equal(fact.data.reason, 'changed my mind');
    }
    const rows = (await get(slow, '/api/debates?status=cancelled')).json;
    assert.equal(rows.total, 2);
  });
});

test('methods that a path does not have get 405 with Allow', async () => {
  const answer = await call(server, 'DELETE', '/api/debates');
  assert.equal(answer.status, 405);
  const allow = answer.headers.get('allow').split(/, */);
  for (const method of ['GET', 'POST']) assert.ok(allow.includes(method), answer.headers.get('allow'));
});
