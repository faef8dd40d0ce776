// The OpenAPI document: two linters find no error in it, its examples are valid, and what the server
// really answers is what it says. That it and the table of routes are the same set is proved by
// tests/unit/api/test_openapi.c.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { call, collectEvents, connect, finished, get, post, startDebate } from './lib/client.mjs';
import { Contract, linter, noOpenapiTools } from './lib/openapi.mjs';
import { startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const run = promisify(execFile);
const NO_DEBATE = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';
const BODY = { task: 'Should we describe it?', agents: ['demo:sceptic', 'demo', 'demo'], rounds: 1, fast_path: false };

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
let contract;
before(async () => {
  server = await startServer(suite);
  if (!noOpenapiTools) contract = await Contract.of(server);
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

describe('the document', () => {
  test('is the same under its three paths, and says the version of the build', async () => {
    const answer = await get(server, '/api/openapi.json');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.equal(answer.json.openapi, '3.1.0');
    assert.equal(answer.json.info.version, (await get(server, '/api/health')).json.version);
    for (const server of answer.json.servers) assert.match(server.url, /^\//);
    assert.equal((await get(server, '/api/openapi')).text, answer.text);
    const yaml = await get(server, '/api/openapi.yaml');
    assert.equal(yaml.headers.get('content-type'), 'application/yaml');
    assert.equal(yaml.text, answer.text);
  });

  test('is public where a token is set', async (t) => {
    const closed = await startServer(t, { env: { ARAGORA_API_TOKEN: 'open-sesame-0123456789' } });
    assert.equal((await get(closed, '/api/openapi.json')).status, 200);
    assert.equal((await get(closed, '/api/debates')).status, 401);
  });

  const LINTERS = {
    spectral: (dir) => {
      writeFileSync(join(dir, 'ruleset.yaml'), 'extends: ["spectral:oas"]\n');
      return ['lint', '--fail-severity', 'error', '--ruleset', 'ruleset.yaml', 'openapi.json'];
    },
    redocly: () => ['lint', '--extends', 'recommended', 'openapi.json'],
  };
  for (const [name, args] of Object.entries(LINTERS)) {
    const program = linter(name);
    const skip = program ? false : `tests/node_modules has no ${name}: scripts/install-deps could not fetch it`;
    test(`${name} finds no error`, { skip }, async (t) => {
      const dir = temporaryDirectory(t);
      const lint = async (document) => {
        writeFileSync(join(dir, 'openapi.json'), JSON.stringify(document));
        const env = { PATH: process.env.PATH, HOME: dir, CI: '1', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
        return run(program, args(dir), { cwd: dir, env, timeout: 120_000 });
      };
      const { json } = await get(server, '/api/openapi.json');
      await lint(json);
      // It does look: a reference to nothing is an error.
      json.paths['/healthz'].get.responses['200'] = { $ref: '#/components/responses/None' };
      await assert.rejects(lint(json), (error) => error.code === 1);
    });
  }

  test('has valid examples', { skip: noOpenapiTools }, () => {
    const examples = contract.examples();
    assert.ok(examples.length >= 10);
    for (const { where, schema, value } of examples) {
      const problem = contract.problem(schema, value);
      assert.equal(problem, '', `${where}: ${problem}`);
    }
  });
});

// Queries without which a path answers 400.
const NEEDED = { '/api/search': '?q=describe', '/api/agent/compare': '?agents=demo,openai-api' };

// What only a user can ask, or is about one: here there is none. accounts.test.mjs and admin.test.mjs check
// their answers.
const OF_A_USER = { '/api/auth/me': 401, '/api/system/users/{id}': 404, '/api/system/users/{id}/api-keys': 404 };

// What stands for a {name} in a path.
const parameters = {
  id: (template) =>
    template.startsWith('/api/debates/batch/') ? contract.batch : template.startsWith('/api/auth/api-keys/') ? contract.key : contract.debate,
  token: () => contract.token,
  format: () => 'json',
  agent: () => 'demo',
  opponent: () => 'openai-api',
};

// Besides each path as it is: queries and headers that change the shape of its answer.
const VARIANTS = {
  '/api/debates': ['?limit=1', '?status=running', '?status=nonsense', '?cursor=nonsense'],
  '/api/debates/export': ['?format=csv', '?format=html', '?format=md', '?table=summary', '?format=nonsense'],
  '/api/debates/{id}/messages': ['?limit=2&offset=1'],
  '/api/debates/{id}/export/{format}': ['?table=summary', '?table=nonsense'],
  '/api/shared/{token}/export/{format}': ['?table=summary', '?table=nonsense'],
  '/api/search': ['?limit=1&q=should', '?q=nothing+like+it', '?q='],
  '/api/analytics': ['?days=1', '?days=0'],
  '/api/metrics': ['?format=json'],
  '/metrics': ['?format=json'],
  '/api/replays': ['?limit=1', '?debate_id=nonsense!', '?cursor=nonsense'],
  '/api/replays/{id}': ['?limit=3&offset=2'],
  '/api/replays/{id}/export': ['?format=csv', '?format=jsonl', '?format=nonsense'],
};

function pathOf(template, own = {}) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = own[name] ?? parameters[name]?.(template);
    assert.ok(value, `${template}: tests/system/openapi.test.mjs has no value for {${name}}`);
    return encodeURIComponent(value);
  });
}

// Every GET of the document, answered and checked; the JSON form where there are two.
async function checkGets() {
  contract.batch = await batchOf([{ question: 'One of many?', agents: 'demo,demo', rounds: 0 }]);
  const made = await post(server, '/api/auth/api-keys', { name: 'of the document' });
  contract.check('post', '/api/auth/api-keys', made);
  contract.key = made.json.key_id;
  const share = await post(server, `/api/debates/${contract.debate}/share`, { expires_in_seconds: 3600 });
  contract.check('post', '/api/debates/{id}/share', share);
  contract.token = share.json.token;
  for (const { method, path } of contract.operations()) {
    if (method !== 'get') continue;
    const answer = await get(server, pathOf(path) + (NEEDED[path] ?? ''), { Accept: 'application/json' });
    contract.check(method, path, answer, { allowDefault: false });
    const expected = OF_A_USER[path] ? answer.status === OF_A_USER[path] : answer.status < 300 || answer.status === 501;
    assert.ok(expected, `${path}: ${answer.status} ${answer.text.slice(0, 200)}`);
    for (const query of VARIANTS[path] ?? []) contract.check(method, path, await get(server, pathOf(path) + query));
  }
}

async function debateOf(body) {
  const answer = await post(server, '/api/debates', body);
  contract.check('post', '/api/debates', answer);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.id;
}

async function batchOf(items) {
  const answer = await post(server, '/api/debates/batch', { items });
  contract.check('post', '/api/debates/batch', answer);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.batch_id;
}

async function ended(id) {
  for (const frame of await collectEvents(server, id)) contract.checkSchema('Event', frame);
  return id;
}

const GETS_OF_A_DEBATE = /^\/api\/(debates|replays)\/(slug\/)?\{id\}/;

async function checkGetsOf(id) {
  for (const { method, path } of contract.operations())
    if (method === 'get' && GETS_OF_A_DEBATE.test(path))
      contract.check(method, path, await get(server, pathOf(path, { id }), { Accept: 'application/json' }));
}

describe('live answers', { skip: noOpenapiTools }, () => {
  before(async () => {
    contract.debate = await ended(await debateOf(BODY));
  });

  test('every GET, of a server without keys', () => checkGets());

  test('every GET is refused as described where there is no such debate', async () => {
    for (const { method, path } of contract.operations()) {
      if (method !== 'get' || !GETS_OF_A_DEBATE.test(path)) continue;
      const answer = await get(server, pathOf(path, { id: NO_DEBATE }));
      contract.check(method, path, answer);
      assert.equal(answer.status, 404);
    }
  });

  const COURSES = {
    'a judge decides': { ...BODY, consensus: 'judge', rounds: 0 },
    'the fast path': { task: '2+2?', agents: ['demo', 'demo'], consensus: 'any' },
    'several samples': { task: 'How many?', mode: 'self_consistency', agents: ['demo'], samples: 3 },
    'a single answer': { task: 'How many?', mode: 'single', agents: ['demo'] },
    'a vote': { ...BODY, mode: 'vote' },
    'metadata and context': { ...BODY, context: 'We are three.', metadata: { a: [1, null] }, seed: '7' },
  };
  for (const [name, body] of Object.entries(COURSES))
    test(`a debate: ${name}`, async () => checkGetsOf(await ended(await debateOf(body))));

  test('a start that is refused, an estimate, and the older path', async () => {
    for (const body of [{}, { ...BODY, rounds: 99 }, 'no json', { ...BODY, dry_run: true }])
      contract.check('post', '/api/debates', await post(server, '/api/debates', body));
    const answer = await post(server, '/api/debate', BODY);
    contract.check('post', '/api/debate', answer);
    await ended(answer.json.id);
  });

  test('cancelling, deleting, and what is left', async () => {
    const id = await ended(await debateOf(BODY));
    contract.check('post', '/api/debates/{id}/cancel', await post(server, `/api/debates/${id}/cancel`));
    for (const status of [200, 200]) {
      const answer = await call(server, 'DELETE', `/api/debates/${id}`, { reason: 'A test' });
      assert.equal(answer.status, status);
      contract.check('delete', '/api/debates/{id}', answer);
    }
    await checkGetsOf(id);
  });

  test('a link that is made, replaced, revoked, and is none', async () => {
    const share = async (...rest) => contract.check('post', '/api/debates/{id}/share', await post(server, `/api/debates/${contract.debate}/share`, ...rest));
    for (const body of [undefined, { expires_in_seconds: null }, { expires_in_seconds: 0 }]) await share(body);
    const unshare = () => call(server, 'DELETE', `/api/debates/${contract.debate}/share`);
    for (const status of [200, 404]) {
      const answer = await unshare();
      assert.equal(answer.status, status);
      contract.check('delete', '/api/debates/{id}/share', answer);
    }
    for (const path of ['/api/shared/{token}', '/api/shared/{token}/events', '/api/shared/{token}/export/{format}'])
      contract.check('get', path, await get(server, pathOf(path, { token: 'none' })), { allowDefault: false });
  });

  test('closing a breaker', async () => {
    const path = '/api/system/circuit-breakers/{agent}/reset';
    for (const agent of ['demo', 'nobody'])
      contract.check('post', path, await post(server, pathOf(path, { agent })));
  });

  test('the frames of a WebSocket', async (t) => {
    const id = await debateOf(BODY);
    for (const path of Object.keys(contract.document['x-websockets'].paths)) {
      if (path === '/') continue; // on the second port
      const socket = await connect(t, server, pathOf(path, { id }));
      if (path === '/ws') socket.send({ type: 'subscribe', debate_id: id, since: 0 });
      await socket.ofType('debate_end');
      socket.send({ type: 'ping' });
      socket.send({ type: 'get_loops' });
      socket.send({ type: 'nonsense' });
      await socket.ofType('warning');
      for (const frame of socket.frames) contract.checkSchema('Event', frame);
      await socket.close();
    }
  });

  test('every GET, of a server whose providers fail', async (t) => {
    const script = join(temporaryDirectory(t), 'script.json');
    writeFileSync(script, JSON.stringify({ rules: [{ match: { path: '/chat/completions' }, fault: 'status-500' }] }));
    const fake = await startFakeProvider(t, ['--quiet', '--script', script]);
    const keys = { ANTHROPIC_API_KEY: 'k-0123456789', OPENAI_API_KEY: 'k-0123456789' };
    const env = { ...keys, ANTHROPIC_BASE_URL: `${fake.url}/v1`, OPENAI_BASE_URL: `${fake.url}/v1`, ARAGORA_MAX_RETRIES: '1', ARAGORA_CIRCUIT_BREAKER_THRESHOLD: '2' };
    const healthy = [server, contract.debate];
    server = await startServer(t, { env });
    try {
      const degraded = await ended(await debateOf({ task: 'Who is left?', agents: ['anthropic-api', 'openai-api', 'claude-sonnet'], rounds: 1, fast_path: false }));
      const failed = await ended(await debateOf({ task: 'Anybody?', agents: ['openai-api', 'openai-mini'], rounds: 1 }));
      const { json } = await get(server, `/api/debates/${failed}`);
      assert.equal(json.status, 'failed');
      assert.ok(json.causes.length > 0);
      contract.debate = degraded;
      assert.ok((await get(server, `/api/debates/${degraded}`)).json.degradations.length > 0);
      await checkGetsOf(failed);
      await checkGets();
      assert.ok((await get(server, '/api/circuit-breakers')).json.summary.open > 0);
    } finally {
      [server, contract.debate] = healthy;
    }
  });
});
