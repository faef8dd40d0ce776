// Circuit breakers as an operator sees them: five failures open one, it shows everywhere, calls stop,
// one trial closes it again, and so does a person.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { finished, get, post, rawRequest, startDebate } from './lib/client.mjs';
import { Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const AGENT = 'openai-api';
const KEY = 'test-key-0123456789';
const NEVER_MS = '3600000'; // a cooldown that no test outlasts
const WAIT_MS = 30_000;

async function serverOver(t, { fault, env = {}, dir } = {}) {
  const fake = await startFakeProvider(t, ['--quiet', ...(fault ? ['--fault', fault] : [])]);
  const start = () => startServer(t, { dir,
    env: { OPENAI_BASE_URL: `${fake.url}/v1`, OPENROUTER_BASE_URL: `${fake.url}/api/v1`, OPENAI_API_KEY: KEY,
      ARAGORA_MAX_RETRIES: '0', ...env } });
  return { fake, server: await start(), start };
}

async function requests(fake) {
  return (await (await fetch(`${fake.url}/_fake/stats`)).json()).requests;
}

async function script(fake, rules) {
  const answer = await fetch(`${fake.url}/_fake/script`, { method: 'POST', body: JSON.stringify({ rules }) });
  assert.equal(answer.status, 200);
}

async function breaker(server, agent = AGENT) {
  return (await get(server, '/api/circuit-breakers')).json.circuit_breakers[agent];
}

async function gauges(server, agent = AGENT) {
  const { text } = await get(server, '/metrics');
  const value = (pattern) => Number(text.match(pattern)?.[1] ?? NaN);
  return {
    state: value(new RegExp(`^aragora_circuit_breaker_state\\{agent="${agent}"\\} (\\d+)$`, 'm')),
    open: value(/^aragora_circuit_breakers_open (\d+)$/m),
  };
}

// What `look` gives once `test` holds for it; asks again until then.
async function until(look, holds) {
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(seen)}`);
  }
}

async function debate(server, seats) {
  const { id } = await startDebate(server, { task: 'Still there?', agents: Array(seats).fill(AGENT), rounds: 0 });
  return finished(server, id);
}

// Five failures at once.
async function open(server) {
  assert.equal((await debate(server, 5)).status, 'failed');
}

async function run(t, args) {
  const child = new Process(args, { dir: temporaryDirectory(t) });
  const { code } = await child.end();
  return { code, out: child.lines.join('\n') };
}

describe('at the start', () => {
  test('every agent that can be asked has a closed one, and no other has', async (t) => {
    const { server } = await serverOver(t);
    assert.deepEqual(await gauges(server), { state: 0, open: 0 });
    const { text } = await get(server, '/metrics');
    assert.doesNotMatch(text, /circuit_breaker_state\{agent="anthropic-api"\}/);
    const health = (await get(server, '/api/agents/health')).json;
    assert.equal(health.overall_status, 'healthy');
    assert.deepEqual(health.circuit_breakers[AGENT],
      { state: 'closed', failure_count: 0, last_failure: null, available: true });
    assert.equal(health.circuit_breakers['anthropic-api'], undefined);
    assert.match(health.agents['anthropic-api'].reason, /ANTHROPIC_API_KEY/);
    const own = health.agents[AGENT];
    assert.equal(own.api_key_configured, true);
    assert.equal(own.p95_seconds, null);
    assert.equal(own.in_flight, 0);
    assert.equal(own.circuit_breaker_open, undefined);
    const { json } = await get(server, '/api/circuit-breakers');
    assert.equal(json.health.status, 'healthy');
    assert.equal(json.registry_size, Object.keys(json.circuit_breakers).length);
    assert.equal(json.circuit_breakers[AGENT].last_accessed_seconds_ago, null);
    const { checks } = (await get(server, '/api/health')).json;
    assert.deepEqual(checks.circuit_breakers,
      { healthy: true, open: 0, half_open: 0, closed: json.registry_size });
  });
});

describe('the whole default panel down', () => {
  test('is degraded health that says so, until an answer comes', async (t) => {
    const { server, fake } = await serverOver(t, { fault: 'status-500',
      env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS, ARAGORA_DEFAULT_AGENTS: `${AGENT},${AGENT}` } });
    const health = async () => (await get(server, '/api/health')).json;
    assert.equal((await health()).status, 'healthy');
    await open(server);
    const down = await until(health, ({ status }) => status === 'degraded');
    assert.match(down.warnings[0], /^2 of the 2 agents .*, too few are left, and its debates fail: /);
    assert.equal(down.services.ai_providers, false);
    assert.equal((await get(server, '/api/health')).status, 200); // it can serve
    await script(fake, []);
    assert.equal((await post(server, `/api/system/circuit-breakers/${AGENT}/reset`)).status, 200);
    assert.equal((await until(health, ({ status }) => status === 'healthy')).warnings.length, 0);
  });
});

describe('open', () => {
  test('after five failures and not after four, and it shows everywhere', async (t) => {
    const { server } = await serverOver(t,
      { fault: 'status-500', env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS } });
    await debate(server, 4);
    const four = await breaker(server);
    assert.equal(four.status, 'closed');
    assert.equal(four.failures, 4);
    assert.deepEqual(await gauges(server), { state: 0, open: 0 });

    await debate(server, 2);
    assert.deepEqual(await gauges(server), { state: 2, open: 1 });
    const { json } = await get(server, '/api/circuit-breakers');
    const five = json.circuit_breakers[AGENT];
    assert.equal(five.status, 'open');
    assert.equal(five.failures, 5);
    assert.equal(five.failure_threshold, 5);
    assert.equal(five.cooldown_seconds, 3600);
    assert.ok(five.cooldown_remaining > 3000 && five.cooldown_remaining <= 3600);
    assert.match(five.last_error, /^overloaded: /);
    assert.deepEqual(json.health.open_circuits, [AGENT]);
    assert.equal(json.health.status, 'degraded');

    const health = (await get(server, '/api/agents/health')).json;
    assert.equal(health.overall_status, 'degraded');
    assert.equal(health.agents[AGENT].circuit_breaker_open, true);
    assert.match(health.agents[AGENT].last_error, /^overloaded: /);
    assert.equal(health.circuit_breakers[AGENT].state, 'open');
    assert.equal(health.circuit_breakers[AGENT].available, false);
    assert.ok(Math.abs(health.circuit_breakers[AGENT].last_failure - Date.now() / 1000) < 60);
    assert.equal(health.counts.open, 1);

    const said = await until(async () => (await get(server, '/api/health')).json, ({ warnings }) => warnings.length);
    assert.match(said.warnings[0], /^1 of the 3 agents of the default panel cannot be asked now \(openai-api\): /);
    assert.equal(said.components.agents.status, 'degraded');
    assert.equal(said.status, 'healthy'); // two others are a quorum

    const rows = (await get(server, '/api/system/circuit-breakers')).json.breakers;
    const row = rows.find((one) => one.agent === AGENT);
    assert.equal(row.state, 'open');
    assert.ok(Math.abs(Date.parse(row.last_failure) - Date.now()) < 60_000);
    assert.equal(row.last_success, undefined);

    const whole = await until(async () => (await get(server, '/api/health')).json,
      ({ checks }) => checks.circuit_breakers.open === 1);
    assert.equal(whole.checks.circuit_breakers.healthy, false);
  });

  test('no call is sent, until a person closes it', async (t) => {
    const { fake, server } = await serverOver(t,
      { fault: 'status-500', env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS } });
    await open(server);
    const before = await requests(fake);
    assert.equal(before, 5);
    const refused = await debate(server, 3);
    assert.equal(refused.status, 'failed');
    assert.equal(refused.causes.length, 3);
    for (const cause of refused.causes) {
      assert.equal(cause.outcome, 'unavailable');
      assert.match(cause.detail, /circuit breaker open/);
    }
    assert.equal(await requests(fake), before);

    await script(fake, [{ match: {}, fault: 'none' }]);
    const answer = await post(server, `/api/system/circuit-breakers/${AGENT}/reset`);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, { success: true, agent: AGENT, state: 'closed' });
    assert.equal((await breaker(server)).status, 'closed');
    assert.deepEqual(await gauges(server), { state: 0, open: 0 });
    const served = await debate(server, 3);
    assert.equal(served.status, 'completed', served.error);
    assert.ok((await requests(fake)) > before);
  });
});

test('after the cooldown one trial is sent, and its success lets the others go', async (t) => {
  const { fake, server } = await serverOver(t,
    { fault: 'status-500', env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: '300' } });
  await open(server);
  const before = await requests(fake);
  await until(() => breaker(server), ({ status }) => status === 'half-open');
  assert.deepEqual(await gauges(server), { state: 1, open: 0 });
  await script(fake, [{ match: { nth: 1 }, fault: 'none', latency_ms: 3000 }, { match: {}, fault: 'none' }]);
  const { id } = await startDebate(server, { task: 'Who tries?', agents: Array(4).fill(AGENT), rounds: 0 });

  // While the trial is out it is the only one: asked in this order, there were no others when counted.
  const trial = await until(async () => ({ sent: await requests(fake) - before, ...await breaker(server) }),
    ({ sent, status }) => sent > 0 || status === 'closed');
  assert.equal(trial.trial, true, JSON.stringify(trial));
  assert.equal(trial.sent, 1);
  assert.equal(trial.status, 'half-open');
  assert.equal(trial.available, false);

  const debated = await finished(server, id);
  assert.equal(debated.status, 'completed', debated.error);
  const closed = await breaker(server);
  assert.equal(closed.status, 'closed');
  assert.equal(closed.failures, 0);
  assert.equal(closed.open_duration, 0);
  assert.deepEqual(await gauges(server), { state: 0, open: 0 });
});

describe('over a restart', () => {
  test('an open one stays open for what remains, and a closed one closed', async (t) => {
    const { fake, server, start } = await serverOver(t, { fault: 'status-500', dir: temporaryDirectory(t),
      env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS } });
    await open(server);
    const before = await breaker(server);
    server.expectedToDie = true;
    await server.stop('SIGKILL');

    const second = await start();
    const restored = await breaker(second); // before anybody asks
    assert.equal(restored.status, 'open');
    assert.equal(restored.failures, 5);
    assert.equal(restored.available, false);
    assert.ok(restored.cooldown_remaining > 0, JSON.stringify(restored));
    assert.ok(restored.cooldown_remaining < before.cooldown_remaining, JSON.stringify({ before, restored }));
    assert.deepEqual(await gauges(second), { state: 2, open: 1 });
    assert.equal((await get(second, '/api/agents/health')).json.circuit_breakers[AGENT].state, 'open');
    assert.equal((await breaker(second, 'openai-mini')).status, 'closed');
    const sent = await requests(fake);
    const refused = await debate(second, 3);
    assert.equal(refused.status, 'failed');
    for (const cause of refused.causes) assert.match(cause.detail, /circuit breaker open/);
    assert.equal(await requests(fake), sent);
    assert.ok((await breaker(second)).cooldown_remaining <= restored.cooldown_remaining);

    assert.equal((await post(second, `/api/system/circuit-breakers/${AGENT}/reset`)).status, 200);
    await second.stop();
    const third = await start();
    assert.equal((await breaker(third)).status, 'closed');
    assert.equal((await breaker(third)).failures, 0);
    assert.deepEqual(await gauges(third), { state: 0, open: 0 });
    await script(fake, [{ match: {}, fault: 'none' }]);
    const served = await debate(third, 3);
    assert.equal(served.status, 'completed', served.error);
  });

  test('a cooldown that ended while nobody served leaves the trial', async (t) => {
    const { fake, server, start } = await serverOver(t, { fault: 'status-500', dir: temporaryDirectory(t),
      env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: '300' } });
    await open(server);
    await script(fake, [{ match: {}, fault: 'none' }]);
    await server.stop();
    const second = await start();
    const seen = await until(() => breaker(second), ({ status }) => status === 'half-open');
    assert.equal(seen.trial, false);
    const served = await debate(second, 3);
    assert.equal(served.status, 'completed', served.error);
    assert.equal((await breaker(second)).status, 'closed');
  });
});

test("OpenRouter in another vendor's place has a breaker of its own, by a name of its own", async (t) => {
  const { fake, server, start } = await serverOver(t, { dir: temporaryDirectory(t), env: {
    OPENROUTER_API_KEY: KEY, ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS } });
  await script(fake, [{ match: { path: '/api/v1/' }, fault: 'status-500' }, { match: {}, fault: 'status-429-none' }]);
  const { agents } = (await get(server, '/api/agents/health')).json;
  const name = `openrouter/${agents[AGENT].fallback_model}`;
  assert.equal(await breaker(server, name), undefined);
  const size = (await get(server, '/api/circuit-breakers')).json.registry_size;
  await open(server);

  const look = async (at) => {
    const { json } = await get(at, '/api/circuit-breakers');
    assert.equal(json.circuit_breakers[name].status, 'open');
    assert.equal(json.circuit_breakers[AGENT].status, 'closed');
    assert.equal(json.circuit_breakers.openrouter.status, 'closed');
    assert.deepEqual(json.health.open_circuits, [name]);
    assert.equal(json.registry_size, size + 1);
    assert.deepEqual(await gauges(at, name), { state: 2, open: 1 });
    const rows = (await get(at, '/api/system/circuit-breakers')).json.breakers;
    assert.equal(rows.find((row) => row.agent === name).state, 'open');
    const health = (await get(at, '/api/agents/health')).json;
    assert.equal(health.circuit_breakers[name].state, 'open');
    assert.equal(health.agents[name], undefined);
    assert.equal(health.counts.agents, Object.keys(health.agents).length);
    const table = await run(t, ['breakers', '--server', at.url]);
    assert.match(table.out, new RegExp(`^${name} +open, may be asked again in 3\\d\\d\\d s +5 of 5`, 'm'));
  };
  await look(server);
  server.expectedToDie = true;
  await server.stop('SIGKILL');
  const second = await start();
  await look(second);

  const reset = await run(t, ['breakers', 'reset', name, '--server', second.url]);
  assert.deepEqual(reset, { code: 0, out: `${name}: closed` });
  assert.equal((await breaker(second, name)).status, 'closed');
  assert.deepEqual(await gauges(second, name), { state: 0, open: 0 });
});

test('who may close one', async (t) => {
  const { server } = await serverOver(t);
  const unknown = await post(server, '/api/system/circuit-breakers/nobody/reset');
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.code, 'NOT_FOUND');
  assert.equal((await get(server, `/api/system/circuit-breakers/${AGENT}/reset`)).status, 405);
  const foreign = await rawRequest(server, {
    method: 'POST', path: `/api/system/circuit-breakers/${AGENT}/reset`, headers: { Origin: 'https://elsewhere.example' } });
  assert.equal(foreign.status, 403);
});

test('the command shows and closes them', async (t) => {
  const { server } = await serverOver(t,
    { fault: 'status-500', env: { ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS: NEVER_MS } });
  await open(server);
  const table = await run(t, ['breakers', '--server', server.url]);
  assert.equal(table.code, 0, table.out);
  assert.match(table.out, /^AGENT +STATE +FAILURES +LAST ERROR$/m);
  assert.match(table.out, /^openai-api +open, may be asked again in 3\d\d\d s +5 of 5 +overloaded: /m);
  assert.match(table.out, /^openai-mini +closed +0 of 5$/m);
  const object = await run(t, ['breakers', '--json', '--server', server.url]);
  const { status, last_error: reason } = JSON.parse(object.out).circuit_breakers[AGENT];
  assert.equal(status, 'open');
  // Without a terminal nothing is cut: neither the reason nor its end.
  const [row] = table.out.match(/^openai-api .*$/m);
  assert.ok(row.length > 80 && row.endsWith(reason), row);
  const reset = await run(t, ['breakers', 'reset', AGENT, '--server', server.url]);
  assert.deepEqual(reset, { code: 0, out: `${AGENT}: closed` });
  assert.equal((await breaker(server)).status, 'closed');
  const unknown = await run(t, ['breakers', 'reset', 'no/body', '--server', server.url]);
  assert.equal(unknown.code, 5);
  assert.equal((await run(t, ['breakers', 'reset', '--server', server.url])).code, 2);
  assert.equal((await run(t, ['breakers', 'open', '--server', server.url])).code, 2);
});
