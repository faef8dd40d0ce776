// The configuration: each entry of the reference as flag, variable, line of the environment file and
// line of the configuration file; which of them wins; what is said of a bad one; and that no secret
// is shown.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { call, finished, get, startDebate } from './lib/client.mjs';
import { BINARY, Process, freePort, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

// The reference's names, each with a value that is not its default.
const REFERENCE = {
  WORKERS: 3,
  DB_POOL_SIZE: 7,
  DB_TIMEOUT: 31,
  AGENT_TIMEOUT: 61,
  MAX_RETRIES: 2,
  CIRCUIT_BREAKER_THRESHOLD: 6,
  RATE_LIMIT_REQUESTS: 101,
  RATE_LIMIT_WINDOW: 59,
  EVENT_BUFFER_SIZE: 5000,
};

const { settings: TABLE } = JSON.parse(execFileSync(BINARY, ['config', 'show', '--json'], { env: {}, cwd: '/' }));
const flagOf = (name) => `--${name.toLowerCase().replaceAll('_', '-')}`;

function fileOf(dir, name, text, mode = 0o600) {
  const path = join(dir, name);
  writeFileSync(path, text, { mode });
  return path;
}

async function run(dir, args, env = {}) {
  const process = new Process(args, { dir, env });
  const { code } = await process.end();
  process.checkSanitizers();
  return { code, lines: process.lines, text: process.lines.join('\n') };
}

async function shown(dir, args, env) {
  const { code, text } = await run(dir, ['config', 'show', '--json', ...args], env);
  assert.equal(code, 0, text.slice(0, 200));
  return JSON.parse(text).settings;
}

function threadsNamed(pid, pattern) {
  return readdirSync(`/proc/${pid}/task`).filter((id) => pattern.test(readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8'))).length;
}

function openings(pid, end) {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith(end);
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

describe('the configuration reference', () => {
  for (const [name, value] of Object.entries(REFERENCE)) {
    test(`${name}: flag, variable, environment file, configuration file`, { skip: !TABLE[name.toLowerCase()] && 'this program has no such setting' }, async (t) => {
      const dir = temporaryDirectory(t);
      const key = name.toLowerCase();
      const conf = fileOf(dir, 'a.conf', `# as printed\n${name} = ${value}\n`);
      const vars = fileOf(dir, 'a.env', `ARAGORA_${name}="${value}"\n`);
      const flag = [`${flagOf(name)}=${value}`];
      assert.deepEqual((await shown(dir, flag))[key],
        { value, origin: 'flag', name: flagOf(name), file: null, line: null });
      assert.deepEqual((await shown(dir, [], { [`ARAGORA_${name}`]: `${value}` }))[key],
        { value, origin: 'environment', name: `ARAGORA_${name}`, file: null, line: null });
      assert.deepEqual((await shown(dir, ['--env-file', vars]))[key],
        { value, origin: 'env_file', name: `ARAGORA_${name}`, file: vars, line: 1 });
      assert.deepEqual((await shown(dir, ['--config', conf]))[key],
        { value, origin: 'config', name, file: conf, line: 2 });
      for (const [args, place] of [[[`${flagOf(name)}=x1`], flagOf(name)],
        [['--config', fileOf(dir, 'bad.conf', `\n${name} = x1\n`)], `bad.conf:2: ${name}`]]) {
        const bad = await run(dir, ['server', ...args]);
        assert.equal(bad.code, 2);
        assert.match(bad.text, new RegExp(`${place} must be a whole number from \\d+ to \\d+, not "x1"`));
      }
    });
  }

  test('HTTP_PORT and WS_PORT, in each of the four ways', async (t) => {
    for (const way of ['flag', 'variable', 'env_file', 'file']) {
      const dir = temporaryDirectory(t);
      const [port, wsPort] = [await freePort(), await freePort()];
      const args = {
        flag: ['--http-port', `${port}`, '--ws-port', `${wsPort}`],
        variable: [],
        env_file: ['--env-file', fileOf(dir, 'a.env', `ARAGORA_HTTP_PORT=${port}\nARAGORA_WS_PORT='${wsPort}'\n`)],
        file: ['--config', fileOf(dir, 'a.conf', `HTTP_PORT = ${port}\nWS_PORT = ${wsPort}\n`)],
      }[way];
      const env = way === 'variable' ? { ARAGORA_HTTP_PORT: `${port}`, ARAGORA_WS_PORT: `${wsPort}` } : {};
      const server = new Process(['server', ...args], { dir, env });
      t.after(() => server.stop('SIGKILL'));
      const [, url, wsUrl] = await server.line(/ready version=\S+ url=(\S+) ws_url=(\S+)/);
      assert.equal(url, `http://127.0.0.1:${port}`, way);
      assert.equal(wsUrl, `ws://127.0.0.1:${wsPort}`, way);
      assert.equal((await server.stop()).code, 0);
    }
  });

  test('the file has its effect: threads, connections, timeout and attempts', async (t) => {
    const dir = temporaryDirectory(t);
    const fake = await startFakeProvider(t, ['--quiet', '--latency-ms', '30000']);
    const conf = fileOf(dir, 'a.conf',
      'WORKERS = 3\nDB_POOL_SIZE = 7\nAGENT_TIMEOUT = 1\nMAX_RETRIES = 0\nCIRCUIT_BREAKER_THRESHOLD = 1\n');
    const vars = fileOf(dir, 'a.env', `OPENAI_API_KEY=test-key-0123456789\nOPENAI_BASE_URL="${fake.url}/v1"\n`);
    const server = await startServer(t, { dir, args: ['--config', conf, '--env-file', vars] });
    const many = await startServer(t, { dir: temporaryDirectory(t), args: ['--workers', '9', '--db-pool-size', '7'] });
    // HTTP threads are never more than processors; those that may wait start when they are needed.
    const http = (workers) => Math.min(workers, cpus().length);
    assert.equal(threadsNamed(many.pid, /^MHD/), http(9));
    assert.equal(threadsNamed(server.pid, /^MHD/), http(3));
    for (const [each, threads] of [[server, 6], [many, 18]]) {
      assert.match((await get(each, '/metrics')).text, new RegExp(`^aragora_pool_threads ${threads}$`, 'm'));
    }
    // Connections are opened when they are needed: more readers at once than the pool has wait.
    const small = await startServer(t, { dir: temporaryDirectory(t), args: ['--config', fileOf(dir, 'b.conf', 'DB_POOL_SIZE = 1\n')] });
    const idle = openings(small.pid, 'aragora_memory.db');
    for (const each of [small, many]) await Promise.all(Array.from({ length: 60 }, () => get(each, '/api/debates')));
    assert.ok(openings(small.pid, 'aragora_memory.db') <= idle + 1, 'DB_POOL_SIZE');
    assert.ok(openings(many.pid, 'aragora_memory.db') <= idle + 7, 'DB_POOL_SIZE');
    const before = Date.now();
    const { id } = await startDebate(server, { task: 'Too slow?', agents: ['openai-api', 'openai-api'], rounds: 0 });
    const debate = await finished(server, id);
    assert.equal(debate.status, 'failed');
    assert.ok(Date.now() - before < 10_000, 'AGENT_TIMEOUT');
    const { json } = await get(server, '/api/circuit-breakers');
    assert.deepEqual(json.health.open_circuits, ['openai-api']); // CIRCUIT_BREAKER_THRESHOLD

  });
});

describe('precedence', () => {
  test('flag, environment, environment file, configuration file, default', async (t) => {
    const dir = temporaryDirectory(t);
    const conf = fileOf(dir, 'a.conf', 'WORKERS = 11\nDB_POOL_SIZE = 12\nDB_TIMEOUT = 13\nAGENT_TIMEOUT = 14\n');
    const vars = fileOf(dir, 'a.env', 'ARAGORA_WORKERS=21\nARAGORA_DB_POOL_SIZE=22\nARAGORA_DB_TIMEOUT=23\n');
    const env = { ARAGORA_WORKERS: '31', ARAGORA_DB_POOL_SIZE: '32', ARAGORA_CONFIG: conf, ARAGORA_ENV_FILE: vars };
    const settings = await shown(dir, ['--workers', '41'], env);
    assert.deepEqual(['workers', 'db_pool_size', 'db_timeout', 'agent_timeout', 'max_retries'].map((key) => settings[key].value),
      [41, 32, 23, 14, 3]);
    const { text } = await run(dir, ['config', 'show', '--origin', '--workers', '41'], env);
    assert.match(text, /^WORKERS = 41 +# flag --workers$/m);
    assert.match(text, /^DB_POOL_SIZE = 32 +# environment ARAGORA_DB_POOL_SIZE$/m);
    assert.match(text, /^DB_TIMEOUT = 23 +# \S+a\.env:3 ARAGORA_DB_TIMEOUT$/m);
    assert.match(text, /^AGENT_TIMEOUT = 14 +# \S+a\.conf:4 AGENT_TIMEOUT$/m);
    assert.match(text, /^MAX_RETRIES = 3 +# default$/m);
  });

  test("the user's file counts where the system has none", async (t) => {
    const dir = temporaryDirectory(t);
    mkdirSync(join(dir, '.config/aragora'), { recursive: true });
    const path = fileOf(dir, '.config/aragora/config', 'workers = 5\n');
    assert.equal((await run(dir, ['config', 'path'])).text, path);
    assert.equal((await run(dir, ['config', 'get', 'workers'])).text, '5');
  });
});

describe('aragora config', () => {
  test('what show prints is a configuration file that means the same', async (t) => {
    const dir = temporaryDirectory(t);
    const args = ['--log-file', join(dir, 'a # b'), '--daily-budget-usd', '0.29', '--host', '127.0.0.1'];
    const first = await run(dir, ['config', 'show', ...args]);
    assert.equal(first.code, 0, first.text);
    const conf = fileOf(dir, 'a.conf', `${first.text}\n`);
    const second = await run(dir, ['config', 'show', '--config', conf]);
    assert.equal(second.text, first.text);
    assert.equal((await run(dir, ['config', 'validate', '--config', conf])).code, 0);
  });

  test('validate tells of every mistake and ends with 8; the server with the first one and 2', async (t) => {
    const dir = temporaryDirectory(t);
    const conf = fileOf(dir, 'a.conf', 'WORKERS = 65\nWRKERS = 4\nPORT = 1\nHTTP_PORT = 2\nnonsense\n');
    const { code, lines } = await run(dir, ['config', 'validate', '--config', conf], { ARAGORA_DB_TIMEOUT: 'soon' });
    assert.equal(code, 8);
    for (const [at, words] of [[1, 'WORKERS must be a whole number from 1 to 64, not "65"'], [2, 'no setting "WRKERS"'],
      [4, 'HTTP_PORT is set again; line 3 sets PORT'], [5, 'NAME = value']])
      assert.ok(lines.some((line) => line.startsWith(`${conf}:${at}: `) && line.includes(words)), lines.join('\n'));
    assert.ok(lines.some((line) => line.includes('ARAGORA_DB_TIMEOUT must be a whole number from 1 to 3600, not "soon"')));
    const server = await run(dir, ['server', '--config', conf]);
    assert.equal(server.code, 2);
    assert.equal(server.text, `aragora: ${conf}:1: WORKERS must be a whole number from 1 to 64, not "65"`);
    const doctor = await run(dir, ['doctor', '--offline', '--config', conf]);
    assert.match(doctor.text, /fail +configuration .*a\.conf:2: there is no setting "WRKERS"/);
  });

  test('a file that is not there, or a directory, is named', async (t) => {
    const dir = temporaryDirectory(t);
    for (const [flag, path] of [['--config', join(dir, 'none')], ['--env-file', join(dir, 'none')], ['--config', dir]]) {
      const { code, text } = await run(dir, ['server', flag, path]);
      assert.notEqual(code, 0);
      assert.ok(text.includes(path), text);
    }
  });

  test('get and path', async (t) => {
    const dir = temporaryDirectory(t);
    assert.equal((await run(dir, ['config', 'get', 'http-port'])).text, '8080');
    const unknown = await run(dir, ['config', 'get', 'WRKERS']);
    assert.equal(unknown.code, 5);
    assert.match(unknown.text, /did you mean WORKERS\?/);
    assert.equal((await run(dir, ['config', 'path'])).code, 5);
  });
});

describe('a configuration file that the user may not read', () => {
  // Of root nothing is hidden: another user, then.
  const under = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];

  function hiding(t) {
    const dir = temporaryDirectory(t);
    chmodSync(dir, 0o777);
    mkdirSync(join(dir, '.config/aragora'), { recursive: true });
    return { dir, path: fileOf(dir, '.config/aragora/config', 'API_TOKEN = hidden-0123456789\nWORKERS = 7\n', 0o000) };
  }

  async function runAs(dir, args, env = {}) {
    const process = new Process(args, { dir, env, under });
    const { code } = await process.end();
    process.checkSanitizers();
    return { code, lines: process.lines, text: process.lines.join('\n') };
  }

  test('who only asks a server goes on without it, and says so once', async (t) => {
    const server = await startServer(t);
    const { dir, path } = hiding(t);
    const note = `aragora: going on without ${path}, which this user may not read`;
    const there = ['--server', server.url];
    for (const args of [['breakers', ...there], ['healthcheck', ...there], ['incident', 'asked', ...there], ['runbook', 'check', ...there],
      ['debates', 'list', ...there], ['agents', ...there], ['leaderboard', ...there], ['export', ...there, '-o', 'all.json'],
      ['ask', ...there, '--dry-run', '--demo', 'Who?'], ['config', 'show'], ['config', 'get', 'WORKERS']]) {
      const { code, lines, text } = await runAs(dir, args);
      assert.ok(code === 0 || (args[0] === 'runbook' && code === 8), `${args.join(' ')}: ${code}\n${text}`);
      assert.deepEqual(lines.filter((line) => line.includes(path)), [note], args.join(' '));
    }
    assert.ok((await runAs(dir, ['breakers'], { ARAGORA_API_URL: server.url })).lines.includes(note));
    const path404 = await runAs(dir, ['config', 'path']);
    assert.equal(path404.code, 5);
    const validated = await runAs(dir, ['config', 'validate']);
    assert.equal(validated.code, 8);
    assert.ok(validated.text.includes(`this user may not read ${path}`), validated.text);
  });

  test('the server, and who reads the databases, refuse', async (t) => {
    const { dir, path } = hiding(t);
    const refusal = `aragora: cannot read ${path}: Permission denied`;
    const server = await runAs(dir, ['server', '--port', '0', '--ws-port', '0']);
    assert.deepEqual([server.code, server.text], [2, refusal]);
    for (const [expected, ...args] of [[1, 'debates', 'list'], [1, 'leaderboard'], [1, 'ask', '--demo', 'Who?'], [8, 'doctor', '--offline', '--config', path]]) {
      const { code, text } = await runAs(dir, args);
      assert.equal(code, expected, args.join(' '));
      assert.ok(text.includes(`cannot read ${path}`), text);
    }
    // One that was named is wanted.
    assert.equal((await runAs(dir, ['breakers', '--config', path, '--server', 'http://127.0.0.1:1'])).text, refusal);
  });
});

describe('secrets', () => {
  test('the command line takes the token of the file to the server', async (t) => {
    const dir = temporaryDirectory(t);
    const conf = fileOf(dir, 'a.conf', 'API_TOKEN = of-the-file-0123456789\n');
    const server = await startServer(t, { dir, args: ['--config', conf] });
    for (const command of [['breakers', 'reset', 'demo'], ['debates', 'list'], ['export', '-o', join(dir, 'all.json')],
      ['ask', '--dry-run', '--demo', 'Who?']]) {
      const args = [...command, '--server', server.url];
      const with_ = await run(dir, [...args, '--config', conf]);
      assert.equal(with_.code, 0, `${command}: ${with_.text}`);
      assert.equal((await run(dir, args)).code, 6, `${command}`);
      assert.equal((await run(dir, [...args, '--config', conf], { ARAGORA_API_TOKEN: 'another-0123456789' })).code, 6, 'the environment wins');
    }
    assert.equal((await run(dir, ['debates', 'list', '--server', server.url], { ARAGORA_API_TOKEN: 'of-the-file-0123456789' })).code, 0);
  });

  test('are in no answer: show, get, GET /api/system/config', async (t) => {
    const dir = temporaryDirectory(t);
    const canary = 'canary-0123456789';
    const conf = fileOf(dir, 'a.conf', `API_TOKEN = ${canary}\nWORKERS = 2\nS3_ENDPOINT = http://name:${canary}@127.0.0.1:1/\n`);
    const vars = fileOf(dir, 'a.env', `ANTHROPIC_API_KEY=${canary}\n`);
    const args = ['--config', conf, '--env-file', vars];
    for (const command of [['show'], ['show', '--origin'], ['show', '--json'], ['get', 'API_TOKEN'], ['get', 'S3_ENDPOINT'], ['validate']])
      assert.ok(!(await run(dir, ['config', ...command, ...args])).text.includes(canary), command.join(' '));
    const server = await startServer(t, { dir, args });
    assert.equal((await get(server, '/api/system/config')).status, 401);
    const answer = await get(server, '/api/system/config', { Authorization: `Bearer ${canary}` });
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes(canary));
    assert.deepEqual(answer.json.files, { config: conf, env_file: vars });
    assert.deepEqual(answer.json.settings.workers, { value: 2, origin: 'config', name: 'WORKERS', file: conf, line: 2 });
    assert.deepEqual(answer.json.settings.api_token,
      { value: null, origin: 'config', name: 'API_TOKEN', file: conf, line: 1, secret: true, set: true });
    assert.equal(answer.json.settings.s3_endpoint.value, 'http://...@127.0.0.1:1/');
    assert.equal((await call(server, 'POST', '/api/system/config', {}, { Authorization: `Bearer ${canary}` })).status, 405);
    // Of the environment file nothing is where others might look.
    assert.ok(!readFileSync(`/proc/${server.pid}/environ`, 'utf8').includes(canary));
    const health = new Process(['healthcheck', ...args, '--server', server.url], { dir });
    assert.equal((await health.end()).code, 0);
  });

  test('a token in a file that everybody may read is refused', async (t) => {
    const dir = temporaryDirectory(t);
    const { code, text } = await run(dir, ['server', '--config', fileOf(dir, 'a.conf', 'API_TOKEN = canary\n', 0o644)]);
    assert.equal(code, 2);
    assert.match(text, /a\.conf:1: API_TOKEN is a secret, and this file has mode 0644/);
    assert.ok(!text.includes('canary'));
  });
});
