// Keys stay where they belong: in the environment or a file of ours, in the provider's request, and
// nowhere else, whatever a provider says back.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { call, finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY, Process, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const PANEL = ['anthropic-api', 'openai-api', 'gemini', 'openrouter'];
const isRoot = process.getuid() === 0;

// One a wire, so that one that gets out says where from. Gemini's looks like no key at all.
function canaries() {
  const tail = () => randomBytes(16).toString('hex');
  return {
    ANTHROPIC_API_KEY: `sk-canary-anthropic-${tail()}`,
    OPENAI_API_KEY: `sk-canary-openai-${tail()}`,
    GEMINI_API_KEY: `canary.of.gemini.${tail()}`,
    OPENROUTER_API_KEY: `sk-canary-openrouter-${tail()}`,
  };
}

const addresses = (url) => ({
  ANTHROPIC_BASE_URL: `${url}/v1`,
  OPENAI_BASE_URL: `${url}/v1`,
  GEMINI_BASE_URL: `${url}/v1beta`,
  OPENROUTER_BASE_URL: `${url}/api/v1`,
});

// The whole of a key, how it begins and how it ends.
function traces(keys, data) {
  const found = [];
  for (const key of Object.values(keys))
    for (const part of [key, key.slice(0, 12), key.slice(-12)])
      if (data.includes(part)) found.push(part);
  return found;
}

function expectClean(keys, where, data) {
  assert.ok(data.length > 0, `${where} is empty`);
  assert.deepEqual(traces(keys, data), [], `in ${where}`);
}

async function run(t, args, env) {
  const child = new Process(args, { env, dir: temporaryDirectory(t) });
  const { code } = await child.end();
  child.checkSanitizers();
  return { code, lines: child.lines, out: child.lines.join('\n') };
}

// ---- a canary in every key ----

const FAULTS = ['none', 'status-400', 'status-401', 'status-403', 'status-429-ms', 'status-529', 'html-502',
  'error-200', 'error-mid', 'cut'];

async function setScript(fake, rules) {
  const { status } = await call(fake, 'POST', '/_fake/script', { rules });
  assert.equal(status, 200);
}

async function checkThatItEchoes(fake, keys) {
  const answer = await call(fake, 'POST', '/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
    { Authorization: `Bearer ${keys.OPENAI_API_KEY}`, 'x-fake-fault': 'status-401' });
  assert.equal(traces({ key: keys.OPENAI_API_KEY }, answer.text).length, 3, answer.text);
  assert.equal(answer.headers.get('x-request-id'), `req_${keys.OPENAI_API_KEY}`);
}

async function readAnswers(server, keys, ids) {
  const paths = ['/', '/api/debates', '/api/agents', '/api/agents/health', '/api/circuit-breakers',
    '/api/system/circuit-breakers', '/api/health', '/readyz', '/api/metrics', '/metrics'];
  for (const id of ids)
    paths.push(...['', '/messages', '/events'].map((rest) => `/api/debates/${id}${rest}`));
  for (const path of paths) {
    const { status, text, headers } = await get(server, path);
    assert.equal(status, 200, path);
    expectClean(keys, path, text);
    expectClean(keys, `the headers of ${path}`, JSON.stringify([...headers]));
  }
}

function readFiles(dir, keys) {
  // Replay files too.
  const names = readdirSync(dir, { recursive: true }).filter((name) => statSync(join(dir, name)).isFile());
  for (const name of names) {
    const data = readFileSync(join(dir, name));
    if (data.length > 0) expectClean(keys, name, data);
  }
  return names;
}

describe('a canary in every key, and providers that repeat it', () => {
  test('it is in no answer, stream, log or file of the server', async (t) => {
    const fake = await startFakeProvider(t, ['--quiet']);
    const keys = canaries();
    await setScript(fake, [{ echo_key: true }]);
    await checkThatItEchoes(fake, keys);
    const dir = temporaryDirectory(t);
    const server = await startServer(t, { dir, args: ['--log-level', 'DEBUG', '--log-file', join(dir, 'server.log')],
      env: { ...addresses(fake.url), ...keys, ARAGORA_MAX_RETRIES: '1', ARAGORA_CIRCUIT_BREAKER_THRESHOLD: '1000' } });
    const ids = [];
    const ends = { completed: 0, failed: 0 };
    // Each fault of all, and of one among others that answer.
    for (const fault of FAULTS)
      for (const match of [{}, { path: '/v1/messages' }]) {
        await setScript(fake, [{ match, fault, echo_key: true }, { echo_key: true }]);
        const { id } = await startDebate(server, { task: `What of ${fault}?`, agents: PANEL, rounds: 0 });
        const stream = await get(server, `/api/debates/${id}/events`, { Accept: 'text/event-stream' });
        expectClean(keys, `the stream of ${fault}`, stream.text);
        ends[(await finished(server, id)).status]++;
        ids.push(id);
      }
    assert.ok(ends.completed >= FAULTS.length && ends.failed >= 5, JSON.stringify(ends));
    await readAnswers(server, keys, ids);
    expectClean(keys, 'standard error', server.lines.join('\n'));
    expectClean(keys, '/proc/PID/cmdline', readFileSync(`/proc/${server.pid}/cmdline`));
    const names = readFiles(dir, keys);
    for (const name of ['aragora_memory.db', 'aragora_memory.db-wal', 'server.log']) assert.ok(names.includes(name), name);
    assert.match(readFileSync(join(dir, 'server.log'), 'utf8'), /Incorrect API key provided: (sk-)?\*/);
  });

  test('it is in nothing that the command line says', async (t) => {
    const fake = await startFakeProvider(t, ['--quiet']);
    const keys = canaries();
    await setScript(fake, [{ match: { path: '/v1/messages' }, fault: 'status-401', echo_key: true },
      { match: { path: '/v1/chat' }, fault: 'status-400', echo_key: true }, { fault: 'error-mid', echo_key: true }]);
    const env = { ...addresses(fake.url), ...keys, ARAGORA_MAX_RETRIES: '0' };
    for (const form of [[], ['--verbose'], ['--json'], ['--jsonl'], ['--quiet']]) {
      const { code, out } = await run(t, ['ask', '--agents', PANEL.join(','), ...form, 'Anybody?'], env);
      assert.notEqual(code, 0);
      if (form[0] !== '--quiet') assert.match(out, /Incorrect API key provided: (sk-)?\*/);
      if (out) expectClean(keys, `ask ${form}`, out);
    }
    expectClean(keys, 'agents', (await run(t, ['agents'], env)).out);
    const spaced = await run(t, ['ask', 'Q?'], { ...env, OPENAI_API_KEY: `${keys.OPENAI_API_KEY} x` });
    assert.notEqual(spaced.code, 0);
    assert.match(spaced.out, /OPENAI_API_KEY/);
    expectClean(keys, 'the error of a key with a space', spaced.out);
  });
});

// ---- who may name an address ----

// A provider that refuses everybody, and remembers what it was sent.
async function startListener(t) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    request.resume();
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}`, seen };
}

test('no field of a request names an address or a key', async (t) => {
  const fake = await startFakeProvider(t, ['--quiet']);
  const stranger = await startListener(t);
  const keys = canaries();
  const server = await startServer(t, { env: { ...addresses(fake.url), ...keys } });
  const own = { base_url: stranger.url, url: stranger.url, endpoint: stranger.url, openai_base_url: stranger.url,
    api_key: 'sk-of-the-caller', key: 'sk-of-the-caller', key_variable: 'PATH', agents_file: '/etc/passwd',
    proxy: stranger.url, provider: 'evil', model: 'evil', headers: { Host: stranger.url } };
  // Unknown fields of the body are not looked at.
  const started = await startDebate(server, { task: 'Where to?', agents: PANEL, rounds: 0, ...own, ...{ config: own, options: own } });
  const debate = await finished(server, started.id);
  assert.equal(debate.status, 'completed', debate.error);
  assert.equal(debate.degraded, false);
  for (const turn of debate.turns) assert.notEqual(turn.model, 'evil');
  assert.ok(!JSON.stringify(debate).includes('of-the-caller'));
  // An agent is a name.
  for (const agents of [[{ type: 'openai-api', ...own }, 'gemini'], [stranger.url, 'gemini'], ['openai-api', `x:${stranger.url}\n`]]) {
    const { status, json } = await post(server, '/api/debates', { task: 'Where to?', agents });
    assert.equal(status, 400, JSON.stringify(agents));
    assert.match(json.field, /^agents/);
  }
  assert.equal(stranger.seen.length, 0);
});

// ---- keys in files ----

function keyFile(t, text, mode = 0o600) {
  const path = join(temporaryDirectory(t), 'key');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('a key in a file', () => {
  test('is sent without its line end', async (t) => {
    const provider = await startListener(t);
    const key = 'sk-of-a-file-0123456789';
    const env = { ANTHROPIC_API_KEY_FILE: keyFile(t, `${key}\n`), OPENAI_API_KEY_FILE: keyFile(t, key, 0o400),
      ...addresses(provider.url) };
    const server = await startServer(t, { env });
    const { id } = await startDebate(server, { task: 'Which?', agents: ['anthropic-api', 'openai-api'] });
    await finished(server, id);
    const sent = provider.seen.map((headers) => headers['x-api-key'] ?? headers.authorization);
    assert.deepEqual(sent.sort(), [`Bearer ${key}`, key]);
    assert.ok(!readFileSync(`/proc/${server.pid}/environ`, 'latin1').includes(key));
  });

  const refusals = [
    ['that others may read', (t) => ({ OPENAI_API_KEY_FILE: keyFile(t, 'sk-canary', 0o644) }),
      /^aragora: OPENAI_API_KEY_FILE: \S+ has mode 0644, which lets others at it; it must be 0600 or 0400$/],
    ['that the group may read', (t) => ({ GOOGLE_API_KEY_FILE: keyFile(t, 'sk-canary', 0o440) }),
      /^aragora: GOOGLE_API_KEY_FILE: \S+ has mode 0440,/],
    ['beside the variable', (t) => ({ OPENAI_API_KEY: 'sk-canary', OPENAI_API_KEY_FILE: keyFile(t, 'sk-canary') }),
      /^aragora: OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set; keep one of them$/],
    ['that is not there', () => ({ XAI_API_KEY_FILE: '/nonexistent/key' }),
      /^aragora: XAI_API_KEY_FILE: cannot read \/nonexistent\/key: No such file or directory$/],
    ['that is empty', (t) => ({ XAI_API_KEY_FILE: keyFile(t, '\n') }), /^aragora: XAI_API_KEY_FILE: \S+ is empty$/],
    ['of two lines', (t) => ({ XAI_API_KEY_FILE: keyFile(t, 'sk-canary\nsk-canary\n') }),
      /^aragora: XAI_API_KEY: has a space or a control character$/],
    ['too long', (t) => ({ XAI_API_KEY_FILE: keyFile(t, 'sk-canary'.repeat(500)) }),
      /^aragora: XAI_API_KEY_FILE: \S+ holds more than 4096 bytes$/],
    ['of the token, that others may read', (t) => ({ ARAGORA_API_TOKEN_FILE: keyFile(t, 'sk-canary', 0o604) }),
      /^aragora: ARAGORA_API_TOKEN_FILE: \S+ has mode 0604,/],
  ];
  for (const [name, environment, words] of refusals)
    test(`${name}: refused in one line`, async (t) => {
      const env = environment(t);
      for (const args of [['server', '--port', '0', '--ws-port', '0'], ['ask', 'Q?']]) {
        const { code, lines } = await run(t, args, env);
        assert.ok(code > 0, `${code}`);
        assert.equal(lines.length, 1, lines.join('\n'));
        assert.match(lines[0], words);
        assert.ok(!lines[0].includes('canary'));
      }
    });

  test('of a stranger: refused', { skip: !isRoot && 'only root gives files away' }, async (t) => {
    const path = keyFile(t, 'sk-canary');
    chownSync(path, 65534, 65534);
    const { code, out } = await run(t, ['ask', 'Q?'], { OPENAI_API_KEY_FILE: path });
    assert.ok(code > 0);
    assert.match(out, /OPENAI_API_KEY_FILE: \S+ belongs to user 65534; it must belong to this user or to root/);
  });

  test('the token too, of the server and of the commands that call one', async (t) => {
    const path = keyFile(t, 'token-of-a-file\n');
    const server = await startServer(t, { env: { ARAGORA_API_TOKEN_FILE: path } });
    assert.equal((await get(server, '/api/debates')).status, 401);
    assert.equal((await get(server, '/api/debates', { Authorization: 'Bearer token-of-a-file' })).status, 200);
    const list = ['debates', 'list', '--server', server.url];
    assert.equal((await run(t, list, { ARAGORA_API_TOKEN_FILE: path })).code, 0);
    assert.notEqual((await run(t, list, {})).code, 0);
  });
});

// ---- the process ----

// A server that is killed by SIGABRT where core files may be as large as they like. Returns whether
// the kernel wrote one, and the names of the files that lie there then.
async function aborted(t, keys, args) {
  const dir = temporaryDirectory(t);
  const shell = new Process(['server', '--port', '0', '--ws-port', '0', ...args], { env: keys, dir,
    under: ['bash', '-c', 'ulimit -c unlimited 2>/dev/null; "$@"; echo "status $?"', 'bash'] });
  t.after(() => shell.stop('SIGKILL'));
  const [, pid] = await shell.line(/ready version=.* pid=(\d+)/);
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  process.kill(Number(pid), 'SIGABRT');
  await shell.end();
  assert.ok(shell.lines.includes('status 134'), shell.lines.join('\n'));
  return { dir, limits, dumped: shell.lines.some((line) => line.includes('(core dumped)')) };
}

describe('the process', () => {
  test('leaves no core file', async (t) => {
    const keys = canaries();
    const forbidden = await aborted(t, keys, []);
    assert.match(forbidden.limits, /^Max core file size\s+0\s/m);
    assert.equal(forbidden.dumped, false);
    assert.ok(!readdirSync(forbidden.dir).some((name) => name.startsWith('core')));
    readFiles(forbidden.dir, keys);

    // Where the machine writes core files, one is written when that is allowed, and has the keys.
    const allowed = await aborted(t, keys, ['--allow-core-dumps']);
    if (!allowed.dumped) {
      t.diagnostic('this machine writes no core files');
      return;
    }
    for (const name of readdirSync(allowed.dir).filter((one) => one.startsWith('core')))
      assert.notDeepEqual(traces(keys, readFileSync(join(allowed.dir, name))), []);
  });

  test('shows its environment to nobody else, and its name to everybody', async (t) => {
    // As another user than root, who may see everything.
    const other = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];
    const as = (...command) => execFileSync([...other, ...command][0], [...other, ...command].slice(1),
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      as('test', '-x', BINARY);
    } catch {
      t.skip('nobody may run the program where it lies');
      return;
    }
    const dir = temporaryDirectory(t);
    if (isRoot) chownSync(dir, 65534, 65534);
    const server = await startServer(t, { dir, env: canaries(), under: other });
    assert.equal(statSync(`/proc/${server.pid}/environ`).uid, 0);
    assert.throws(() => as('cat', `/proc/${server.pid}/environ`), /Permission denied/);
    assert.ok(as('pgrep', '-f', 'aragora.server').split('\n').includes(String(server.pid)));
    assert.ok(existsSync(`/proc/${server.pid}/cmdline`));
    assert.equal((await get(server, '/healthz')).status, 200);
    assert.match((await get(server, '/metrics')).text, /^process_open_fds [1-9]/m);
  });
});
