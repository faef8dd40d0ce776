// docs/runbook.md: every command of every section, run against a real server. What is put in place of
// the page's names: /data, /backups and /var/log/aragora are directories of the test, localhost:8080 is
// the test's server, `aragora` the program under test. Blocks that say `# sh: WHAT` are run in a way of
// their own: `server` starts servers, `stop` ends one, `offline` wants databases that no server has, `systemd` is skipped where systemd does not run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { finished, startDebate } from './lib/client.mjs';
import { BINARY, Process, startServer, temporaryDirectory } from './lib/server.mjs';

const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const page = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8');

// [{section, kind, commands}]
function blocksOf(text) {
  const blocks = [];
  for (const [, section, body] of text.matchAll(/^## (.*)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm))
    for (const [, code] of body.matchAll(/```sh\n([\s\S]*?)```/g)) {
      const kind = /^# sh: (\w+)/.exec(code)?.[1] ?? 'shell';
      blocks.push({ section, kind, commands: code.split('\n').filter((line) => line && !line.startsWith('#')) });
    }
  return blocks;
}

const blocks = blocksOf(page);
const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
let place;
before(async () => {
  const root = temporaryDirectory();
  place = { data: join(root, 'data'), backups: join(root, 'backups'), log: join(root, 'log'), bin: join(root, 'bin'), work: join(root, 'work') };
  for (const dir of Object.values(place)) mkdirSync(dir);
  symlinkSync(BINARY, join(place.bin, 'aragora'));
  mkdirSync(join(place.work, 'docs'));
  if (existsSync(join(ROOT, 'docs/grafana'))) symlinkSync(join(ROOT, 'docs/grafana'), join(place.work, 'docs/grafana'));
  server = await startServer(suite, { dir: place.data, env: { ARAGORA_LOG_FILE: join(place.log, 'server.log') } });
  const { id } = await startDebate(server, { task: 'Is every command true?', agents: ['demo', 'demo', 'demo'], rounds: 1, fast_path: false });
  await finished(server, id);
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const here = (command) => command
  .replaceAll('/data/', `${place.data}/`).replaceAll(/\/data(?=\s|$)/g, place.data)
  .replaceAll(/\/backups(?=[\s/]|$)/g, place.backups)
  .replaceAll('/var/log/aragora/', `${place.log}/`)
  .replaceAll('http://localhost:8080', server.url);

// {code, stdout, stderr}; a pipe fails with its first failing part.
const shell = (command) => new Promise((done) => {
  const env = { PATH: `${place.bin}:${process.env.PATH}`, HOME: place.work, ARAGORA_LOG_FILE: join(place.log, 'server.log'), ARAGORA_DATA_DIR: place.data };
  execFile('bash', ['--norc', '-o', 'pipefail', '-c', here(command)], { env, cwd: place.work, timeout: 60_000, maxBuffer: 1 << 26 },
    (error, stdout, stderr) => done({ code: error ? error.code : 0, stdout, stderr }));
});

// Databases that no server has.
async function stoppedData() {
  const dir = temporaryDirectory();
  const other = new Process(['server', '--port', '0', '--ws-port', '0'], { dir });
  await other.line(/ready version=/);
  assert.equal((await other.stop()).code, 0);
  return dir;
}

// What the page says of a command's answer, where that is more than an exit code of 0.
const SAYS = {
  "/api/health | jq '{": (out) => assert.deepEqual(Object.entries(JSON.parse(out)).map(([name, value]) => [name, typeof value]), [['status', 'string'], ['version', 'string'], ['uptime', 'number']]),
  'Upgrade: websocket': (out) => assert.match(out, /^HTTP\/1\.1 101 /),
  '/api/system/memory': (out) => assert.ok(JSON.parse(out)),
  'pgrep -f': (out) => assert.ok(out.split('\n').includes(String(server.pid))),
  "grep '^aragora_debates_total ": (out) => assert.match(out, /^aragora_debates_total 1\n$/),
  "grep '^aragora_circuit_breaker_state": (out) => assert.match(out, /agent="demo"/),
  '/api/system/circuit-breakers': (out) => assert.equal(JSON.parse(out)[0].agent, 'demo'),
  '/api/system/errors': (out) => assert.ok(Array.isArray(JSON.parse(out))),
  '/api/system/rate-limits': (out) => assert.ok(Array.isArray(JSON.parse(out))),
  '/api/auth/me': (out) => assert.equal(out, 'UNAUTHORIZED\n'),
  'grep "agent=demo"': (out) => assert.match(out, /agent=demo/),
  '/api/ws/stats': (out) => assert.equal(out, '0\n'),
  'ls -la': (out) => assert.match(out, /aragora_memory\.db\n[\s\S]*|aragora_elo\.db/),
  integrity_check: (out) => assert.equal(out, 'ok\n'),
  'ps aux': (out) => assert.match(out, /aragora/),
  'curl -sI': (out) => assert.match(out, /^HTTP\/1\.1 200 /),
  'aragora incident': () => assert.ok(readdirSync(join(place.work, '.nomic/incidents')).some((name) => /service-down\.md$/.test(name))),
  ".debates | length": (out) => assert.equal(out, '1\n'),
  'jq .active_debates': (out) => assert.equal(out, '0\n'),
  "jq '.agents[] | {name, elo}'": (out) => assert.match(out, /"elo": \d/),
  '> debates.json': () => assert.equal(JSON.parse(readFileSync(join(place.work, 'debates.json'), 'utf8')).count, 1),
};
describe('the page has the runbook\'s sections ', () => {
  test('sections', () => {
    const names = [...page.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
    assert.deepEqual(names, ['Quick Start', 'Server Management', 'Monitoring & Observability', 'Admin Console & Developer Portal', 'Common Issues & Debugging', 'Scaling Guide', 'Incident Response', 'Database Operations', 'Backup & Recovery', 'Appendix']);
    for (const name of names) assert.ok(blocks.some(({ section }) => section === name), name);
  });
});

const noSystemd = existsSync('/run/systemd/system') ? false : 'systemd does not run here';
for (const { section, kind, commands } of blocks)
  for (const command of commands)
    test(`${section}: ${command}`, { skip: kind === 'systemd' ? noSystemd || 'it would act on this machine\'s own service' : kind === 'stop' && 'run at the end' }, async (t) => {
      if (kind === 'server') {
        const args = here(command).split(' ').slice(1).map((arg) => (arg === '8080' ? '0' : arg));
        const dir = temporaryDirectory(t);
        const own = args.map((arg) => arg.replace(place.data, dir));
        const started = new Process([...own, '--ws-port', '0'], { dir });
        await started.line(/ready version=/);
        assert.equal((await started.stop()).code, 0);
        return;
      }
      const { code, stdout, stderr } = await shell(kind === 'offline' ? command.replaceAll('/data', await stoppedData()) : command);
      assert.equal(code, 0, `${stdout.slice(0, 500)}\n${stderr}`);
      for (const [part, check] of Object.entries(SAYS)) if (command.includes(part)) check(stdout);
    });

test('Server Management: kill -TERM of the server that pgrep finds', async () => {
  const [stop] = blocks.filter(({ kind }) => kind === 'stop');
  assert.deepEqual(stop.commands, ['kill -TERM $(pgrep -f "aragora.server")']);
  // Others' servers run here too: of what pgrep finds, this one alone.
  const own = new Process(['server', '--port', '0', '--ws-port', '0'], { dir: temporaryDirectory() });
  await own.line(/ready version=/);
  const { stdout } = await shell('pgrep -f "aragora.server"');
  assert.ok(stdout.split('\n').includes(String(own.pid)));
  assert.equal((await shell(`kill -TERM ${own.pid}`)).code, 0);
  assert.equal((await own.end()).code, 0);
});

// The commands of the runbook that operators have had all along, as it prints them: the specification.
// Those that change databases are in runbook.test.mjs. `tail -f` is ended after a second.
const PRINTED = {
  'curl http://localhost:8080/api/health': (out) => assert.equal(JSON.parse(out).status, 'healthy'),
  'curl http://localhost:8080/api/metrics': (out) => assert.match(out, /^# TYPE aragora_debates_total counter$/m),
  'curl http://localhost:8080/api/agents/health': (out) => assert.equal(typeof JSON.parse(out).agents, 'object'),
  'grep "agent=openai-api" /var/log/aragora/server.log | tail -100': (out) => assert.equal(out, ''),
  'curl http://localhost:8080/api/ws/stats': (out) => assert.equal(JSON.parse(out).active_connections, 0),
  // But for the page's own handshake by curl, which hangs up.
  'grep "WebSocket" /var/log/aragora/server.log | grep -i error': (out) => assert.deepEqual(out.split('\n').filter((line) => line && !line.includes('without a close frame')), []),
  'ls -la /data/*.db*': (out) => assert.match(out, /aragora_memory\.db/),
  'ps aux | grep aragora': (out) => assert.match(out, /aragora/),
  'curl -I http://localhost:8080/api/health': (out) => assert.match(out, /^HTTP\/1\.1 200 /),
  'sqlite3 /data/aragora_memory.db "PRAGMA integrity_check;"': (out) => assert.equal(out, 'ok\n'),
  'grep "rate_limit\\|429" /var/log/aragora/server.log': (out) => assert.ok(!/429 /.test(out)),
  'timeout 1 tail -f /var/log/aragora/server.log | jq .': (out) => assert.match(out, /"level": "INFO"/),
  "curl -s http://localhost:8080/api/debates | jq '.debates | length'": (out) => assert.equal(out, '1\n'),
  "curl -s http://localhost:8080/api/leaderboard/rankings | jq '.agents[] | {name, elo}'": (out) => assert.match(out, /"name": "demo"[\s\S]*"elo": \d/),
  'curl -s http://localhost:8080/api/circuit-breakers | jq .': (out) => assert.equal(JSON.parse(out).summary.open, 0),
  'curl -s http://localhost:8080/api/debates/export?format=json > debates.json': () => assert.equal(JSON.parse(readFileSync(join(place.work, 'debates.json'), 'utf8')).count, 1),
};
describe('as printed', () => {
  for (const [command, check] of Object.entries(PRINTED))
    test(command, async () => {
      // A grep that finds nothing, and a tail that was ended, say so by their exit code.
      const { code, stdout, stderr } = await shell(command);
      const mayFail = command.startsWith('grep') || command.startsWith('timeout');
      assert.ok(code === 0 || mayFail, `${code}: ${stderr}`);
      check(stdout);
    });
});
