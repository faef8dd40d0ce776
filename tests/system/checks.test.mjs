// Keys, models and credit, checked where the vendor bills nothing: by hand, and for readiness.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { get } from './lib/client.mjs';
import { freePort, Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const KEY = 'test-key-0123456789';
const WIRES = [
  { agent: 'anthropic-api', key: 'ANTHROPIC_API_KEY', base: 'ANTHROPIC_BASE_URL', path: '/v1', how: 'GET /models/{id}' },
  { agent: 'openai-api', key: 'OPENAI_API_KEY', base: 'OPENAI_BASE_URL', path: '/v1', how: 'GET /models' },
  { agent: 'gemini', key: 'GEMINI_API_KEY', base: 'GEMINI_BASE_URL', path: '/v1beta', how: 'GET /models/{id}' },
  { agent: 'ollama', base: 'OLLAMA_HOST', path: '', how: 'POST /api/show' },
];
const CREDITED = [
  { agent: 'openrouter', key: 'OPENROUTER_API_KEY', base: 'OPENROUTER_BASE_URL', path: '/api/v1', how: 'GET /key, GET /models' },
  { agent: 'deepseek', key: 'DEEPSEEK_API_KEY', base: 'DEEPSEEK_BASE_URL', path: '', how: 'GET /models, GET /user/balance' },
];

function environment(wire, url, suffix = '') {
  const env = { [wire.base]: url + wire.path };
  if (wire.key) env[wire.key] = KEY + suffix;
  return env;
}

function agentsFile(t, rows) {
  const path = join(temporaryDirectory(t), 'agents.json');
  writeFileSync(path, JSON.stringify({ agents: rows }));
  return path;
}

// Answers every request the same.
async function startAnswering(t, status, body) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

async function check(t, env, args) {
  const run = new Process(['agents', 'check', ...args], { env, dir: temporaryDirectory(t) });
  const { code } = await run.end();
  return { code, text: run.lines.join('\n') };
}

async function checkOne(t, env, agent, args = []) {
  const { code, text } = await check(t, env, [agent, '--json', ...args]);
  const body = JSON.parse(text);
  assert.equal(body.agents.length, 1);
  assert.equal(body.ok, code === 0);
  assert.ok(!text.includes(KEY), 'the key is shown');
  return { code, row: body.agents[0] };
}

describe('aragora agents check', () => {
  for (const wire of [...WIRES, ...CREDITED]) {
    test(`${wire.agent}: a good key and a model that there is`, async (t) => {
      const fake = await startFakeProvider(t);
      const { code, row } = await checkOne(t, environment(wire, fake.url), wire.agent);
      assert.equal(row.result, 'ok', row.detail);
      assert.equal(row.how, wire.how);
      assert.ok(row.latency_ms >= 0);
      assert.equal(code, 0);
    });

    test(`${wire.agent}: a model that there is not`, async (t) => {
      const fake = await startFakeProvider(t);
      const file = agentsFile(t, [{ type: wire.agent, model: 'no-such-model' }]);
      const { code, row } = await checkOne(t, environment(wire, fake.url), wire.agent, ['--agents-file', file]);
      assert.equal(row.result, 'model_unknown', row.detail);
      assert.match(row.fix, /no-such-model/);
      assert.equal(code, 8);
    });

    test(`${wire.agent}: nobody listens`, async (t) => {
      const { code, row } = await checkOne(t, environment(wire, `http://127.0.0.1:${await freePort()}`), wire.agent);
      assert.equal(row.result, 'unreachable', row.detail);
      assert.equal(code, 8);
    });

    if (!wire.key) continue;
    test(`${wire.agent}: a wrong key`, async (t) => {
      const fake = await startFakeProvider(t);
      const { code, row } = await checkOne(t, environment(wire, fake.url, '@status-401'), wire.agent);
      assert.equal(row.result, 'key_refused', row.detail);
      assert.match(row.detail, /not valid/);
      assert.match(row.fix, new RegExp(wire.key));
      assert.equal(code, 8);
    });

    test(`${wire.agent}: no key`, async (t) => {
      const { code, row } = await checkOne(t, {}, wire.agent);
      assert.equal(row.result, 'no_key');
      assert.equal(row.detail, `${wire.key} is not set`);
      assert.equal(code, 8);
    });
  }

  for (const wire of [...CREDITED, WIRES[0]])
    test(`${wire.agent}: no credit left`, async (t) => {
      const fake = await startFakeProvider(t);
      const { code, row } = await checkOne(t, environment(wire, fake.url, '@status-402'), wire.agent);
      assert.equal(row.result, 'no_credit', row.detail);
      assert.equal(code, 8);
    });

  test('a provider that is overloaded has refused nothing', async (t) => {
    const fake = await startFakeProvider(t);
    for (const [fault, result] of [['status-529', 'unreachable'], ['status-429-1s', 'not_checked'], ['html-502', 'unreachable'],
      ['html-body', 'not_checked'], ['reset', 'unreachable'], ['redirect', 'unreachable']]) {
      const { row } = await checkOne(t, environment(WIRES[0], fake.url, `@${fault}`), 'anthropic-api');
      assert.equal(row.result, result, `${fault}: ${row.detail}`);
    }
  });

  for (const [status, body, result] of [
    [404, { error: { type: 'not_found_error', message: 'model: claude' } }, 'model_unknown'],
    [404, '404 page not found', 'not_checked'],
    [404, 'no such model', 'not_checked'],
    [404, { detail: 'Not Found' }, 'not_checked'],
    [404, { error: { message: 'Invalid URL (GET /v1/models/claude)' } }, 'not_checked'],
    [403, { error: { message: 'not allowed' } }, 'key_refused'],
    [403, 'Forbidden', 'not_checked'],
    [403, '\n<html>a firewall</html>', 'not_checked'],
    [403, { error: { message: 'Missing scopes: api.model.read' } }, 'not_checked'],
    [401, { error: { message: 'This key has no permission to list models' } }, 'not_checked'],
    [401, '<html>a login page</html>', 'not_checked'],
    [401, 'Unauthorized', 'key_refused']])
    test(`a ${status} with ${JSON.stringify(body)} is ${result}`, async (t) => {
      const url = await startAnswering(t, status, body);
      const { row } = await checkOne(t, environment(WIRES[0], url), 'anthropic-api');
      assert.equal(row.result, result, row.detail);
      if (body.error) assert.ok(row.detail.startsWith(body.error.message), row.detail);
    });

  test('of an error of 1 MiB the beginning is kept', async (t) => {
    // Whole it would be read: its words, and they name the model. Cut it is no JSON.
    const body = { error: { filler: 'x'.repeat(1 << 20), message: 'model: claude' } };
    const url = await startAnswering(t, 404, body);
    const { row } = await checkOne(t, environment(WIRES[0], url), 'anthropic-api');
    assert.equal(row.result, 'not_checked');
    assert.match(row.detail, /^\{"error":\{"filler":"x+/);
  });

  test('a model that takes less than the table says', async (t) => {
    const fake = await startFakeProvider(t);
    const file = agentsFile(t, [{ type: 'gemini', context_tokens: 3000000 }]);
    const { row } = await checkOne(t, environment(WIRES[2], fake.url), 'gemini', ['--agents-file', file]);
    assert.equal(row.result, 'context_too_small');
    assert.equal(row.context_tokens, 2000000);
    assert.match(row.detail, /2000000 tokens.*3000000/);
  });

  test('prints a line each, and only the default panel decides the exit code', async (t) => {
    const fake = await startFakeProvider(t);
    const env = { ...environment(WIRES[0], fake.url), ...environment(WIRES[1], fake.url) };
    const good = await check(t, env, []);
    assert.equal(good.code, 0, good.text);
    assert.match(good.text, /^anthropic-api +ok /m);
    assert.match(good.text, /^claude-haiku +ok /m);
    const file = agentsFile(t, [{ type: 'claude-haiku', model: 'gone' }]);
    const outside = await check(t, env, ['--agents-file', file]);
    const bad = await check(t, { ...env, OPENAI_API_KEY: `${KEY}@status-401` }, []);
    assert.equal(bad.code, 8, bad.text);
    assert.match(bad.text, /^openai-api +key_refused .*put a valid key into OPENAI_API_KEY$/m);
    assert.match(outside.text, /^claude-haiku +model_unknown /m);
  });

  test('names what it does not know', async (t) => {
    const { code, text } = await check(t, {}, ['nobody']);
    assert.equal(code, 5);
    assert.match(text, /no agent "nobody"/);
  });
});

// The check is made in the background: asks until it is there.
async function lastCheck(server, agent) {
  for (;;) {
    const { json } = await get(server, '/api/agents/health');
    if (json.agents[agent].check) return json.agents[agent].check;
  }
}

describe('a server', () => {
  test('shows the last check, and makes no second one while it is fresh', async (t) => {
    const fake = await startFakeProvider(t);
    const server = await startServer(t, { env: environment(WIRES[0], fake.url) });
    const checked = await lastCheck(server, 'anthropic-api');
    assert.equal(checked.result, 'ok', checked.detail);
    assert.equal(checked.how, 'GET /models/{id}');
    assert.ok(checked.seconds_ago >= 0);
    const { requests } = await (await fetch(`${fake.url}/_fake/stats`)).json();
    for (let i = 0; i < 5; i++) await get(server, '/readyz');
    await get(server, '/api/agents/health');
    assert.equal((await (await fetch(`${fake.url}/_fake/stats`)).json()).requests, requests);
    const { json } = await get(server, '/api/agents/health');
    assert.equal(json.agents['openai-api'].check.result, 'no_key');
    assert.equal(json.agents.demo.check.result, 'ok');
  });

  test('is ready before any check', async (t) => {
    const fake = await startFakeProvider(t, ['--latency-ms', '60000']);
    const server = await startServer(t, { env: environment(WIRES[0], fake.url, '@stall-head') });
    for (let i = 0; i < 3; i++) {
      const { status, json } = await get(server, '/readyz');
      assert.equal(status, 200);
      assert.equal(json.checks.agents, true);
    }
  });

  test('is not ready when every agent of its panel was refused', async (t) => {
    const fake = await startFakeProvider(t);
    const env = { ...environment(WIRES[0], fake.url, '@status-401'), ...environment(WIRES[1], fake.url, '@status-401') };
    const server = await startServer(t, { env });
    await get(server, '/readyz');
    assert.equal((await lastCheck(server, 'openai-api')).result, 'key_refused');
    const { status, json } = await get(server, '/readyz');
    assert.equal(status, 503);
    assert.deepEqual(json, { status: 'not_ready', checks: { storage: true, elo_system: true, accepting: true, agents: false } });
  });

  for (const [what, first, second] of [
    ['one agent still works', '@status-401', ''],
    ['one provider is down', '@status-401', '@status-529'],
    ['all providers are down', '@status-503', '@status-503'],
    ['nobody has credit', '@status-402', '@status-429-quota']])
    test(`stays ready while ${what}`, async (t) => {
      const fake = await startFakeProvider(t);
      const env = { ...environment(WIRES[0], fake.url, first), ...environment(WIRES[2], fake.url, second) };
      const server = await startServer(t, { env });
      await lastCheck(server, 'gemini');
      assert.equal((await get(server, '/readyz')).status, 200);
    });

  test('stays ready when the lists do not have its models', async (t) => {
    const url = await startAnswering(t, 200, { data: [{ id: 'an-alias' }] });
    const server = await startServer(t, { env: environment(WIRES[1], url) });
    await get(server, '/readyz');
    assert.equal((await lastCheck(server, 'openai-api')).result, 'model_unknown');
    assert.equal((await get(server, '/readyz')).status, 200);
  });

  // OpenRouter, which has a key and no seat here, takes over a refusal only where the table says so.
  for (const [fallback, suffix, status] of [
    [undefined, '', 503], [['openrouter'], '', 200], [['openrouter'], '@status-401', 503]])
    test(`is answered ${status} with all of its panel refused and the chain ${fallback}${suffix}`, async (t) => {
      const fake = await startFakeProvider(t);
      const env = { ...environment(WIRES[0], fake.url, '@status-401'), ...environment(CREDITED[0], fake.url, suffix) };
      const file = agentsFile(t, ['anthropic-api', 'claude-haiku', 'claude-sonnet'].map((type) => ({ type, fallback })));
      const server = await startServer(t, { env, args: ['--agents-file', file] });
      await get(server, '/readyz');
      assert.equal((await lastCheck(server, 'anthropic-api')).result, 'key_refused');
      assert.equal((await get(server, '/readyz')).status, status);
    });

  test('makes none when told so', async (t) => {
    const fake = await startFakeProvider(t);
    const server = await startServer(t, { args: ['--agent-check-minutes', '0'], env: environment(WIRES[0], fake.url) });
    await get(server, '/readyz');
    await get(server, '/api/agents/health');
    const { json } = await get(server, '/api/agents/health');
    assert.equal(json.agents['anthropic-api'].check, null);
    assert.equal((await (await fetch(`${fake.url}/_fake/stats`)).json()).requests, 0);
  });
});
