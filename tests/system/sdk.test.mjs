// The documented API as a client out there uses it: each request of accounts, keys, usage, debates,
// batches, agents and replays, and each field that such a client reads, under each credential.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ApiError, Client } from './lib/sdk.mjs';
import { startServer } from './lib/server.mjs';

const TOKEN = 'the-token-of-the-operator';
const PASSWORD = 'correct horse battery';
const NO_DEBATE = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const KINDS = {
  s: (value) => typeof value === 'string',
  n: (value) => typeof value === 'number' && Number.isFinite(value),
  i: (value) => Number.isInteger(value),
  u: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  b: (value) => typeof value === 'boolean',
  a: (value) => Array.isArray(value),
  o: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  t: (value) => typeof value === 'string' && TIME.test(value),
};

// "name:s count:i? at:t~": each field is there and of its kind; `~`: or null; `?`: or null or missing.
function reads(value, fields, where) {
  assert.ok(KINDS.o(value), `${where} is no object: ${JSON.stringify(value)}`);
  for (const field of fields.trim().split(/\s+/)) {
    const [, name, kind, may] = /^(\w+):(\w)([~?]?)$/.exec(field);
    const one = value[name];
    if (one === null && may !== '') continue;
    if (one === undefined && may === '?') continue;
    assert.ok(one !== undefined, `${where}.${name} is missing`);
    assert.ok(KINDS[kind](one), `${where}.${name}: ${JSON.stringify(one)} is no ${kind}`);
  }
  return value;
}

function readsEach(list, fields, where, { atLeast = 1 } = {}) {
  assert.ok(Array.isArray(list), `${where} is no list`);
  assert.ok(list.length >= atLeast, `${where} has only ${list.length}`);
  list.forEach((one, at) => reads(one, fields, `${where}[${at}]`));
  return list;
}

async function refuses(promise, status, code, words) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ApiError, String(error.stack));
    assert.equal(error.status, status, `${error.status} ${error.message}`);
    if (code) assert.equal(error.code, code);
    if (words) assert.match(error.message, words);
    assert.equal(typeof error.message, 'string');
    return true;
  });
}

const unavailable = (promise) => refuses(promise, 501, 'FEATURE_UNAVAILABLE', /^Not available on this server: /);

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
const naps = []; // how long the client would have slept
let server, guest;

const ENV = {
  ARAGORA_API_TOKEN: TOKEN, ARAGORA_JWT_SECRET: 'a-secret-for-tests-that-is-long-enough',
  ARAGORA_DEMO_TOKEN_RATE: '4000', ARAGORA_REGISTER_RATE: '0', ARAGORA_LOGIN_RATE: '0', ARAGORA_REFRESH_RATE: '0',
  ARAGORA_PASSWORD_RATE: '0',
};

before(async () => {
  server = await startServer(suite, { env: ENV });
  const sleep = async (ms) => {
    naps.push(ms);
    await new Promise((next) => setTimeout(next, 5));
  };
  guest = new Client(server.url, { sleep });
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

let users = 0;
async function newUser(more = {}) {
  const email = `user${++users}@example.org`;
  const answer = await guest.auth.register({ email, password: PASSWORD, ...more });
  return { ...answer, email, client: guest.with(answer.access_token) };
}

const USER = `user_id:s id:s email:s name:s? role:s org_id:s? mfa_enabled:b created_at:t last_login_at:t?`;
const NESTED = `${USER} is_active:b email_verified:b updated_at:t has_api_key:b token_version:i
  api_key_prefix:s~ api_key_created_at:t~ api_key_expires_at:t~`;
const TOKENS = 'access_token:s refresh_token:s token_type:s expires_in:i';

describe('an account', () => {
  test('is registered, logs in, and is told who it is, flat and nested', async () => {
    const email = 'ann@example.org';
    const made = await guest.auth.register({ email, password: PASSWORD, name: 'Ann' });
    reads(made, `user_id:s email:s message:s user:o tokens:o ${TOKENS}`, 'register');
    reads(made.user, NESTED, 'register.user');
    reads(made.tokens, TOKENS, 'register.tokens');
    await refuses(guest.auth.register({ email, password: PASSWORD }), 409, undefined, /^Email already registered$/);
    await refuses(guest.auth.register({ email: 'nothing', password: PASSWORD }), 400, 'VALIDATION_ERROR');
    await refuses(guest.auth.register({ email: 'b@example.org', password: 'short' }), 400, 'VALIDATION_ERROR');

    const inside = await guest.auth.login({ email, password: PASSWORD });
    reads(inside, `${TOKENS} user:o tokens:o`, 'login');
    reads(inside.user, NESTED, 'login.user');
    reads(inside.tokens, TOKENS, 'login.tokens');
    assert.equal(inside.token_type, 'Bearer');
    assert.equal(inside.expires_in, 86400);
    await refuses(guest.auth.login({ email, password: 'another one' }), 401, undefined, /^Invalid email or password$/);

    const me = await guest.with(inside.access_token).auth.me();
    reads(me, USER, 'me');
    reads(me.user, NESTED, 'me.user');
    assert.equal(me.organization, null);
    for (const [name, value] of Object.entries({ user_id: made.user_id, id: made.user_id, email, name: 'Ann', role: 'member' })) {
      assert.equal(me[name], value);
      assert.equal(me.user[name], value);
    }
    await refuses(guest.auth.me(), 401, 'UNAUTHORIZED');
    const renamed = await guest.with(inside.access_token).auth.updateMe({ name: 'Anna' });
    reads(renamed, USER, 'updateMe');
    assert.equal(renamed.user.name, 'Anna');
    await refuses(guest.with(inside.access_token).auth.updateMe({ name: 'x'.repeat(101) }), 400, 'VALIDATION_ERROR');
  });

  test('with an organization owns it', async () => {
    const { client } = await newUser({ organization: 'The Org' });
    const me = await client.auth.me();
    assert.equal(me.role, 'owner');
    reads(me.organization, 'id:s name:s slug:s tier:s owner_id:s created_at:t updated_at:t settings:o', 'me.organization');
    assert.equal(me.org_id, me.organization.id);
    assert.equal(me.organization.name, 'The Org');
  });

  test('refreshes its tokens, each once', async () => {
    const ann = await newUser();
    const next = await guest.auth.refresh(ann.refresh_token);
    reads(next, `${TOKENS} tokens:o`, 'refresh');
    reads(next.tokens, TOKENS, 'refresh.tokens');
    assert.equal((await guest.with(next.access_token).auth.me()).email, ann.email);
    await refuses(guest.auth.refresh(ann.refresh_token), 401);
    await refuses(guest.auth.refresh(next.refresh_token), 401); // the session ended with what was copied
  });

  test('logs out, here and everywhere, and revokes', async () => {
    const one = await newUser();
    const two = await guest.auth.login({ email: one.email, password: PASSWORD });
    const three = await guest.auth.login({ email: one.email, password: PASSWORD });
    const client = guest.with(two.access_token);
    assert.equal(reads(await client.auth.logout(), 'message:s', 'logout').message, 'Logged out successfully');
    await refuses(client.auth.me(), 401, 'UNAUTHORIZED');
    await refuses(client.auth.logout(), 401, 'UNAUTHORIZED');
    reads(await guest.auth.revoke(three.refresh_token, 'refresh'), 'message:s success:b revoked_count:i', 'revoke');
    await refuses(guest.with(three.access_token).auth.me(), 401);
    const all = reads(await one.client.auth.logoutAll(), 'message:s sessions_invalidated:b token_version:i', 'logoutAll');
    assert.equal(all.sessions_invalidated, true);
    await refuses(one.client.auth.me(), 401);
  });

  test('changes its password', async () => {
    const { client, email } = await newUser();
    await refuses(client.auth.password('another one', 'a new password'), 401);
    await refuses(client.auth.password(PASSWORD, 'short'), 400, 'VALIDATION_ERROR');
    reads(await client.auth.password(PASSWORD, 'a new password'), 'message:s', 'password');
    await refuses(guest.auth.login({ email, password: PASSWORD }), 401);
    reads(await guest.auth.login({ email, password: 'a new password' }), TOKENS, 'login');
  });

  test('has no second factor, which is said', async () => {
    const { client } = await newUser();
    for (const step of ['setup', 'enable', 'disable', 'verify', 'backup-codes']) await unavailable(client.auth.mfa(step));
  });

  test('makes its key and revokes it', async () => {
    const { client } = await newUser();
    reads(await client.auth.revokeKey(), 'message:s', 'revokeKey of none');
    const key = await client.auth.createKey({ name: 'CI', expires_in_days: 30 });
    reads(key, 'api_key:s key_id:s name:s? prefix:s expires_at:t~ message:s', 'createKey');
    assert.match(key.api_key, /^ara_/);
    assert.equal(key.api_key.slice(0, 12), key.prefix);
    assert.equal(key.name, 'CI');
    const days = (Date.parse(key.expires_at) - Date.now()) / 86_400_000;
    assert.ok(days > 29.9 && days <= 30, key.expires_at);
    assert.equal(key.message, 'Save this key - it will not be shown again');
    const { user } = await client.auth.me();
    assert.deepEqual([user.has_api_key, user.api_key_prefix, user.api_key_expires_at], [true, key.prefix, key.expires_at]);
    assert.match(user.api_key_created_at, TIME);
    assert.ok(!JSON.stringify(await client.auth.me()).includes(key.api_key), 'shown once');
    const byKey = guest.with(key.api_key);
    assert.equal((await byKey.auth.me()).user_id, user.id);
    // A second one takes the first one's place; without a body it has a year.
    const second = await client.auth.createKey();
    assert.ok((Date.parse(second.expires_at) - Date.now()) / 86_400_000 > 364);
    await refuses(byKey.debates.list(), 401, 'UNAUTHORIZED');
    assert.equal((await client.auth.revokeKey()).message, 'API key revoked');
    await refuses(guest.with(second.api_key).debates.list(), 401, 'UNAUTHORIZED');
    assert.equal((await client.auth.me()).has_api_key, false);
  });

  test('sees its usage, flat and nested, and the plans', async () => {
    const { client } = await newUser();
    const { debate_id: debate } = await client.debates.create({ task: 'What is used?', agents: ['demo', 'demo'], rounds: 0 });
    await client.waitForDebate(debate);
    const usage = await client.billing.usage();
    // What nobody counts is null: not invented.
    reads(usage, `debates_used:i debates_limit:i api_calls_used:i api_calls_limit:i~ storage_used_bytes:i~
      storage_limit_bytes:i~ period_start:t period_end:t usage_percent:n usage:o`, 'usage');
    reads(usage.usage, `debates_used:i debates_limit:i debates_remaining:i tokens_used:i tokens_in:i tokens_out:i
      estimated_cost_usd:n cost_breakdown:o~ cost_by_provider:o? period_start:t period_end:t~ total_api_calls:i
      api_calls_today:i`, 'usage.usage');
    assert.deepEqual([usage.debates_used, usage.debates_limit, usage.usage.debates_remaining, usage.usage_percent], [1, 10, 9, 10]);
    assert.ok(usage.usage.tokens_used > 0);
    assert.equal(usage.usage.total_api_calls, usage.api_calls_used);
    await refuses(guest.billing.usage(), 401, 'UNAUTHORIZED');
    const plans = readsEach((await guest.billing.plans()).plans, `id:s name:s tier:s price_monthly:n price_yearly:n~
      currency:s features:a limits:o`, 'plans');
    assert.deepEqual(plans.map(({ id, price_monthly }) => [id, price_monthly]),
      [['free', 0], ['starter', 99], ['professional', 299], ['enterprise', 999]]);
    for (const { limits, features } of plans) {
      reads(limits, 'debates_per_month:i~ api_calls_per_minute:i~ storage_gb:n~ team_members:i~', 'plan.limits');
      assert.ok(features.length > 0 && features.every(KINDS.s));
    }
  });
});

// ---- debates ----

const DEBATE = `id:s debate_id:s slug:s task:s title:s? context:s? status:s agents:a rounds:a consensus:o~
  consensus_reached:b confidence:u agreement:u final_answer:s conclusion:s rounds_used:i duration_seconds:n
  created_at:t completed_at:t metadata:o messages:a? critiques:a? votes:a? winner:s? convergence_status:s?
  convergence_similarity:u? consensus_strength:s? is_public:b? error:s?`;
const MESSAGE = 'agent_id:s agent:s content:s round:i message_type:s role:s timestamp:t';
const TYPES = ['proposal', 'critique', 'revision', 'synthesis'];
const PANEL = ['demo', 'demo', 'demo'];

// The clients of every kind of credential.
async function credentials() {
  const user = await newUser();
  const { api_key } = await user.client.auth.createKey({ name: 'a key' });
  return { 'the API token': guest.with(TOKEN), 'a JWT': user.client, 'an API key': guest.with(api_key) };
}

describe('debates', () => {
  test('are started and polled every two seconds, under each credential', async () => {
    for (const [name, client] of Object.entries(await credentials())) {
      const started = await client.debates.create({ task: `Who asks with ${name}?`, agents: PANEL, max_rounds: 1,
        consensus_threshold: 0.6, enable_voting: true, metadata: { of: name } });
      reads(started, 'success:b debate_id:s id:s status:s task:s agents:a websocket_url:s', `create with ${name}`);
      assert.equal(started.task, `Who asks with ${name}?`);
      naps.length = 0;
      const first = await client.debates.get(started.debate_id); // there from its first moment
      assert.ok(['pending', 'running', 'completed'].includes(first.status), first.status);
      const debate = reads(await client.waitForDebate(started.debate_id), DEBATE, `debate with ${name}`);
      assert.ok(naps.length > 0 && naps.every((ms) => ms === 2000), `${naps}`);
      assert.equal(debate.status, 'completed');
      assert.equal(debate.id, debate.debate_id);
      assert.deepEqual(debate.metadata, { of: name });
      reads(debate.consensus, `reached:b conclusion:s final_answer:s confidence:u agreement:u supporting_agents:a
        dissenting_agents:a`, 'debate.consensus');
      assert.ok(debate.agents.every(KINDS.s));
      for (const round of readsEach(debate.rounds, 'round_number:i number:i messages:a critiques:a', 'debate.rounds')) {
        for (const message of readsEach(round.messages, MESSAGE, 'round.messages')) assert.ok(TYPES.includes(message.message_type));
        for (const critique of readsEach(round.critiques, 'critic_id:s target_agent_id:s content:s severity:s', 'round.critiques', { atLeast: 0 }))
          assert.match(critique.severity, /^(low|medium|high)$/);
      }
      assert.equal((await client.debates.bySlug(debate.slug)).id, debate.id);
      const list = await client.debates.list({ limit: 5, offset: 0, status: 'completed' });
      reads(list, 'debates:a count:i total:i limit:i offset:i has_more:b', 'list');
      assert.ok(list.debates.some(({ debate_id }) => debate_id === debate.id));
      readsEach(list.debates, `slug:s debate_id:s id:s task:s agents:a consensus_reached:b confidence:u created_at:t
        is_public:b status:s rounds_used:i duration_seconds:n agreement:u`, 'list.debates');
      const found = await client.debates.search({ q: `asks with ${name}` });
      reads(found, 'results:a query:s total:i offset:i limit:i has_more:b', 'search');
      assert.deepEqual(found.results.map(({ id }) => id), [debate.id]);
      await refuses(client.debates.get(NO_DEBATE), 404, 'NOT_FOUND');
      await refuses(client.debates.create({ agents: PANEL }), 400, 'VALIDATION_ERROR');
      await refuses(client.debates.create({ task: 'x', agents: ['demo'] }), 400, 'VALIDATION_ERROR');
    }
    await refuses(guest.debates.create({ task: 'x' }), 401, 'UNAUTHORIZED');
    await refuses(guest.debates.list(), 401, 'UNAUTHORIZED');
  });

  test('have parts', async () => {
    const { client } = await newUser();
    const { debate_id: debate } = await client.debates.createDeprecated({ question: 'Which parts?', agents: 'demo,demo,demo', rounds: 2 });
    await client.waitForDebate(debate);
    const messages = reads(await client.debates.part(debate, 'messages', { limit: 2 }), 'debate_id:s messages:a total:i limit:i offset:i has_more:b', 'messages');
    assert.equal(readsEach(messages.messages, `${MESSAGE} index:i`, 'messages.messages').length, 2);
    reads(await client.debates.part(debate, 'impasse'), `has_impasse:b impasse_round:i? disagreement_points:a? suggested_resolution:s?
      is_impasse:b indicators:o`, 'impasse');
    reads(await client.debates.part(debate, 'convergence'), `convergence_reached:b convergence_round:i? similarity_score:u
      key_agreements:a remaining_disagreements:a? convergence_status:s convergence_similarity:u consensus_reached:b rounds_used:i`, 'convergence');
    reads(await client.debates.part(debate, 'summary'), `debate_id:s task:s summary:s key_points:a consensus_reached:b conclusion:s?
      duration_seconds:n summary_detail:o`, 'summary');
    const followups = reads(await client.debates.part(debate, 'followups'), 'debate_id:s suggestions:a count:i', 'followups');
    for (const one of readsEach(followups.suggestions, 'crux:s suggested_question:s priority:s reasoning:s~', 'suggestions'))
      assert.match(one.priority, /^(high|medium|low)$/);
    const fork = reads(await client.debates.fork(debate, { branch_point: 0, modified_context: 'Now it rains.' }),
      'debate_id:s parent_debate_id:s branch_point:i status:s', 'fork');
    assert.deepEqual([fork.parent_debate_id, fork.branch_point], [debate, 0]);
    const followup = reads(await client.debates.followup(debate, { crux: followups.suggestions[0].crux, agents: ['demo', 'demo'], max_rounds: 1 }),
      'debate_id:s parent_debate_id:s crux:s status:s', 'followup');
    for (const { debate_id } of [fork, followup]) assert.equal((await client.waitForDebate(debate_id)).status, 'completed');
    reads(await client.debates.part(debate, 'forks'), 'debate_id:s forks:a total:i', 'forks');
    for (const format of ['json', 'markdown']) {
      const file = reads(await client.debates.exported(debate, format), 'debate_id:s format:s data:s filename:s', `export ${format}`);
      assert.equal(file.format, format);
      assert.ok(file.data.includes('Which parts?'));
    }
    await refuses(client.debates.exported(debate, 'pdf'), 400, 'VALIDATION_ERROR', /"pdf"/);
    for (const name of ['citations', 'evidence', 'verification-report', 'meta-critique', 'graph/stats'])
      await unavailable(client.debates.part(debate, name));
    await unavailable(client.debates.verify(debate));
    await unavailable(client.debates.update(debate, { title: 'A title' }));
    await refuses(client.debates.cancel(debate), 409);
    reads(await client.debates.remove(debate), 'success:b debate_id:s', 'remove');
    await refuses(client.debates.get(debate), 410);
  });

  test('are cancelled', async () => {
    const { client } = await newUser();
    const { debate_id: debate } = await client.debates.create({ task: 'How long?', agents: PANEL, rounds: 10, fast_path: false });
    const answer = reads(await client.debates.cancel(debate), 'success:b debate_id:s status:s', 'cancel');
    assert.equal(answer.status, 'cancelled');
  });

  test('come in batches', async () => {
    const { client } = await newUser();
    const items = ['one', 'two'].map((question) => ({ question, agents: 'demo,demo', rounds: 0, consensus: 'majority', priority: 1, metadata: {} }));
    const sent = reads(await client.batch.submit({ items, max_parallel: 2 }), 'success:b batch_id:s items_queued:i status_url:s estimated_completion_minutes:n?', 'submit');
    assert.equal(sent.items_queued, 2);
    const status = reads(await client.waitForBatch(sent.batch_id), `batch_id:s status:s total_items:i completed_items:i failed_items:i
      items:a estimated_completion:t? completed:i failed:i running:i queued:i progress_percent:n`, 'batch');
    assert.equal(status.status, 'completed');
    for (const item of readsEach(status.items, 'question:s status:s debate_id:s? error:s?', 'batch.items', { atLeast: 2 }))
      assert.match(item.status, /^(pending|processing|completed|failed)$/);
    readsEach((await client.batch.list()).batches, 'batch_id:s status:s', 'batches');
    reads(await client.batch.queue(), `queue_length:i processing:i completed_today:i failed_today:i avg_wait_seconds:n~
      estimated_wait_seconds:n? max_concurrent:i active_count:i`, 'queue');
    await refuses(client.batch.submit({ items: [{ agents: 'demo,demo' }] }), 400, 'VALIDATION_ERROR', /question/);
    await refuses(client.batch.submit({ items, webhook_url: 'http://127.0.0.1:1/' }), 400, 'VALIDATION_ERROR', /webhook_url/);
  });

  test('are replayed', async () => {
    const { client } = await newUser();
    const { debate_id: debate } = await client.debates.create({ task: 'Once more?', agents: PANEL, rounds: 1 });
    await client.waitForDebate(debate);
    const list = reads(await client.replays.list({ limit: 5, debate_id: debate }), 'replays:a count:i', 'replays');
    const [one] = readsEach(list.replays, `replay_id:s id:s debate_id:s created_at:t duration_ms:i event_count:i topic:s
      agents:a schema_version:i`, 'replays.replays');
    const replay = await client.replays.get(one.replay_id, { limit: 3, offset: 1 });
    reads(replay, `replay_id:s id:s debate_id:s events:a created_at:t metadata:o? meta:o event_count:i total_events:i offset:i
      limit:i has_more:b`, 'replay');
    assert.equal(readsEach(replay.events, 'event_type:s timestamp:t data:o', 'replay.events').length, 3);
    for (const format of ['json', 'csv']) reads(await client.replays.exported(one.replay_id, { format }), 'data:s', 'replay export');
    await unavailable(client.replays.remove(one.replay_id)); // a replay goes with its debate
    await refuses(client.replays.get(NO_DEBATE), 404, 'NOT_FOUND');
  });
});

describe('agents', () => {
  test('are listed and ranked, for everybody', async () => {
    const { agents } = await guest.agents.list({ include_stats: true });
    readsEach(agents, 'agent_id:s name:s provider:s elo_rating:n wins:i losses:i draws:i specializations:a?', 'agents');
    reads(await guest.agents.get('demo'), 'agent_id:s name:s provider:s elo_rating:n? wins:i? losses:i? draws:i?', 'agent');
    reads(await guest.agents.part('demo', 'profile'), 'name:s rating:n rank:i~ wins:i losses:i win_rate:u~', 'profile');
    for (const [name, list] of [['history', 'matches'], ['rivals', 'rivals'], ['allies', 'allies']])
      reads(await guest.agents.part('demo', name, { limit: 5 }), `${list}:a agent:s`, name);
    await refuses(guest.agents.get('nobody'), 404, 'NOT_FOUND');
    for (const path of ['/api/leaderboard', '/api/leaderboard/rankings', '/api/rankings']) {
      const board = reads(await guest.agents.leaderboard({ limit: 10 }, path), 'agents:a rankings:a entries:a count:i total:i updated_at:t?', path);
      for (const list of ['agents', 'rankings', 'entries'])
        readsEach(board[list], `agent_id:s name:s agent_name:s elo:n elo_rating:n rank:i wins:i losses:i draws:i
          win_rate:u~ games:i matches:i`, `${path} ${list}`);
    }
  });
});

// ---- streams ----

// The frames that an iterator gives, and that it ends.
async function all(stream) {
  const frames = [];
  for await (const frame of stream) frames.push(frame);
  return frames;
}

function checkStream(frames, debate) {
  for (const frame of frames) {
    reads(frame, 'type:s debate_id:s~ timestamp:t data:o', 'frame');
    // What is said of the connection is of no debate.
    assert.equal(frame.debate_id, /^connection_/.test(frame.type) ? null : debate, frame.type);
  }
  const types = frames.map(({ type }) => type);
  for (const type of ['debate_start', 'agent_message', 'vote', 'consensus'])
    assert.ok(types.includes(type), `no ${type} among ${types}`);
  assert.equal(types.at(-1), 'debate_end');
  const logged = frames.map(({ seq }) => seq).filter((seq) => seq > 0);
  assert.deepEqual(logged, logged.map((_, at) => at + 1), 'none is lost');
  const of = (type) => frames.find((frame) => frame.type === type).data;
  reads(of('agent_message'), 'agent_id:s content:s round:i message_type:s', 'agent_message');
  reads(of('consensus'), 'reached:b conclusion:s confidence:u supporting_agents:a dissenting_agents:a', 'consensus');
  reads(of('debate_end'), 'status:s', 'debate_end');
}

describe('a stream', () => {
  test('of a private debate is not opened without a credential: 401 at the upgrade', async () => {
    const { client } = await newUser();
    const { debate_id: debate } = await client.debates.create({ task: 'Who listens?', agents: PANEL, rounds: 1 });
    await refuses(all(guest.streamDebate(debate)), 401);
    await refuses(all(guest.streamDebate(NO_DEBATE)), 401); // the same, so that nobody learns what there is
    await refuses(all(guest.streamDebate(debate, { ticket: 'x'.repeat(26) })), 401);
    await refuses(guest.debates.get(debate), 401, 'UNAUTHORIZED');
    assert.equal((await client.waitForDebate(debate)).status, 'completed'); // polling works
  });

  test('opens with a ticket of each credential, live and afterwards, and loses nothing at its end', async () => {
    for (const [name, client] of Object.entries(await credentials())) {
      const { debate_id: debate } = await client.debates.create({ task: `Who listens with ${name}?`, agents: PANEL, rounds: 1 });
      const draw = async () => reads(await client.auth.ticket(), 'ticket:s expires_in:i', 'ticket').ticket;
      const ticket = await draw();
      checkStream(await all(guest.streamDebate(debate, { ticket })), debate);
      await refuses(all(guest.streamDebate(debate, { ticket })), 401); // it counts once
      checkStream(await all(guest.streamDebate(debate, { ticket: await draw() })), debate);
      await refuses(all(guest.streamDebate(NO_DEBATE, { ticket: await draw() })), 404);
    }
  });

  test('needs no ticket where no credential is wanted', async (t) => {
    const open = await startServer(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '4000' } });
    const client = new Client(open.url);
    const { debate_id: debate } = await client.debates.create({ task: 'Who listens?', agents: PANEL, rounds: 1 });
    checkStream(await all(client.streamDebate(debate)), debate);
  });
});
