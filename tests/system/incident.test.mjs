// `aragora incident`: the state of a server in trouble and the report in the runbook's form, without a
// secret or a word of a debate; also when the server is down.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, post, startDebate } from './lib/client.mjs';
import { Process, freePort, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const SECRET = 'sk-secret-0123456789-abcdef';
const TOKEN = 'open-sesame-0123456789';

async function incident(dir, args, env = {}) {
  const run = new Process(['incident', ...args], { dir, env });
  const { code } = await run.end();
  run.checkSanitizers();
  return { code, text: run.lines.join('\n') };
}

const today = () => new Date().toISOString().slice(0, 10);
const TEMPLATE = (title, severity, facts) => new RegExp(
  `^# Incident: ${title}\n\n## Summary\n${severity}: Brief description of what happened\n\n## Timeline\n` +
  `${facts}- HH:MM - First alert\n- \\d\\d:\\d\\d - Investigation started\n- HH:MM - Root cause identified\n` +
  '- HH:MM - Mitigation applied\n- HH:MM - Service restored\n\n## Root Cause\nTechnical description\n\n' +
  '## Action Items\n- \\[ \\] Preventive measure 1\n- \\[ \\] Preventive measure 2\n$');

describe('aragora incident', () => {
  test('keeps what a server in trouble says, and nothing that is secret', async (t) => {
    const script = join(temporaryDirectory(t), 'script.json');
    writeFileSync(script, JSON.stringify({ rules: [{ match: {}, fault: 'status-500' }] }));
    const fake = await startFakeProvider(t, ['--quiet', '--script', script]);
    const dir = temporaryDirectory(t);
    const env = {
      OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${fake.url}/v1`, ARAGORA_API_TOKEN: TOKEN, ARAGORA_MAX_RETRIES: '0',
      ARAGORA_CIRCUIT_BREAKER_THRESHOLD: '1', ARAGORA_LOG_FILE: join(dir, 'server.log'),
    };
    const server = await startServer(t, { dir, env });
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const started = await post(server, '/api/debates', { task: 'Where is the unicorn?', agents: ['openai-api', 'openai-mini'] }, headers);
    assert.equal(started.status, 200, started.text);
    await server.line(/debate=ended|status=failed|outcome=failed/);
    // What a log should not hold, should it ever.
    writeFileSync(join(dir, 'server.log'), `${readFileSync(join(dir, 'server.log'), 'utf8')}{"ts":"2026-01-02T03:04:05.000Z","level":"ERROR","logger":"x","msg":"key=${SECRET} token=${TOKEN}"}\n`);
    const answer = await incident(dir, ['all-failing', '--severity', 'P2', '--server', server.url], env);
    assert.equal(answer.code, 0, answer.text);
    const title = `${today()}-all-failing`;
    const kept = join(dir, '.nomic', 'incidents', title);
    const report = readFileSync(`${kept}.md`, 'utf8');
    assert.match(report, TEMPLATE(title, 'P2', '(?:- \\d\\d:\\d\\d - .*\n)+'));
    assert.match(report, /- \d\d:\d\d - The server that answers now was started\n/);
    assert.match(report, /- \d\d:\d\d - The circuit breaker of openai-(api|mini) opened\n/);
    assert.match(report, /- \d\d:\d\d - First error in the kept log: /);
    const files = readdirSync(kept);
    for (const name of ['health.json', 'breakers.json', 'agents.json', 'budgets.json', 'debates.json', 'metrics.txt', 'log.jsonl', 'doctor.json', 'machine.txt'])
      assert.ok(files.includes(name), `${name} of ${files}\n${answer.text}`);
    const all = [report, answer.text, ...files.map((name) => readFileSync(join(kept, name), 'utf8'))].join('\n');
    for (const word of [SECRET, TOKEN, 'unicorn']) assert.ok(!all.includes(word), word);
    assert.match(readFileSync(join(kept, 'log.jsonl'), 'utf8'), /key=\*\*\* token=\*\*\*/);
    assert.equal(JSON.parse(readFileSync(join(kept, 'debates.json'), 'utf8')).failed, 1);
    assert.ok(JSON.parse(readFileSync(join(kept, 'doctor.json'), 'utf8')).checks.length > 0);
    assert.equal(statSync(kept).mode & 0o777, 0o700);
    for (const name of files) assert.equal(statSync(join(kept, name)).mode & 0o777, 0o600);
  });

  test('works when the server is down, and says what could not be read', async (t) => {
    const dir = temporaryDirectory(t);
    const answer = await incident(dir, ['gone', '--server', `http://127.0.0.1:${await freePort()}`]);
    assert.equal(answer.code, 0);
    assert.match(answer.text, /not read:\n\/api\/health: cannot reach/);
    const kept = join(dir, '.nomic', 'incidents', `${today()}-gone`);
    assert.match(readFileSync(`${kept}.md`, 'utf8'), TEMPLATE(`${today()}-gone`, 'P1', ''));
    assert.deepEqual(readdirSync(kept).sort(), ['doctor.json', 'machine.txt']);
  });

  test('leaves out what the configuration file and variables of any name hold', async (t) => {
    const dir = temporaryDirectory(t);
    const env = { ARAGORA_LOG_FILE: join(dir, 'server.log'), ACME_KEY: 'short-secret', ACME_TOKEN: 'short-secret-and-more', OTHER_KEY_FILE: join(dir, 'key') };
    writeFileSync(join(dir, 'key'), 'secret-of-a-file\n', { mode: 0o600 });
    writeFileSync(join(dir, 'conf'), `API_TOKEN = ${TOKEN}\n`, { mode: 0o600 });
    writeFileSync(env.ARAGORA_LOG_FILE, `{"msg":"a=short-secret b=short-secret-and-more c=secret-of-a-file d=${TOKEN}"}\n`);
    const answer = await incident(dir, ['gone', '--config', join(dir, 'conf'), '--server', `http://127.0.0.1:${await freePort()}`], env);
    assert.equal(answer.code, 0, answer.text);
    const kept = join(dir, '.nomic', 'incidents', `${today()}-gone`);
    assert.equal(readFileSync(join(kept, 'log.jsonl'), 'utf8'), '{"msg":"a=*** b=*** c=*** d=***"}\n');
    const { checks } = JSON.parse(readFileSync(join(kept, 'doctor.json'), 'utf8'));
    assert.ok(checks.some(({ message }) => message?.includes(join(dir, 'conf'))), 'the doctor looks at the same configuration');
  });

  test('keeps why a server is not ready', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(undefined, { dir, env: { ARAGORA_DEMO_TOKEN_RATE: '1' } });
    t.after(() => server.stop('SIGKILL'));
    await startDebate(server, { task: 'Let me finish', agents: ['demo', 'demo'] });
    server.child.kill('SIGTERM');
    await server.line(/stopping debates=1/);
    assert.equal((await incident(dir, ['stopping', '--server', server.url])).code, 0);
    const ready = JSON.parse(readFileSync(join(dir, '.nomic', 'incidents', `${today()}-stopping`, 'ready.json'), 'utf8'));
    assert.equal(ready.status, 'not_ready');
    assert.equal(ready.checks.accepting, false);
  });

  test('never writes over what is there', async (t) => {
    const dir = temporaryDirectory(t);
    const args = ['twice', '--server', `http://127.0.0.1:${await freePort()}`];
    assert.equal((await incident(dir, args)).code, 0);
    const file = join(dir, '.nomic', 'incidents', `${today()}-twice.md`);
    writeFileSync(file, 'mine');
    const again = await incident(dir, args);
    assert.equal(again.code, 1);
    assert.match(again.text, /is there already; choose another name/);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
  });

  test('refuses a name that is none, and a severity that is none', async (t) => {
    const dir = temporaryDirectory(t);
    for (const args of [[], [''], ['../x'], ['A b'], ['-x'], ['a/b'], ['x'.repeat(61)], ['a', 'b'], ['a', '--severity', 'P3']])
      assert.equal((await incident(dir, args)).code, 2, args.join(' '));
    assert.ok(!existsSync(join(dir, '.nomic')));
  });

  test('keeps counts of debates, not the debates', async (t) => {
    const dir = temporaryDirectory(t);
    const server = await startServer(t, { dir });
    await finished(server, (await startDebate(server, { task: 'Is there a unicorn?', agents: ['demo', 'demo'] })).id);
    assert.equal((await incident(dir, ['quiet', '--server', server.url])).code, 0);
    const kept = join(dir, '.nomic', 'incidents', `${today()}-quiet`);
    const counts = JSON.parse(readFileSync(join(kept, 'debates.json'), 'utf8'));
    assert.deepEqual(counts, { pending: 0, running: 0, completed: 1, failed: 0, cancelled: 0 });
    for (const name of readdirSync(kept)) assert.ok(!readFileSync(join(kept, name), 'utf8').includes('unicorn'), name);
  });
});
