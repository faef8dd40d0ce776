// Under systemd: what it is told and when, the shipped unit, and the plain one of an operator's page.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { finished, get, post, startDebate } from './lib/client.mjs';
import { buildPreload, buildTool } from './lib/preload.mjs';
import { BINARY, Process, freePort, startServer, temporaryDirectory } from './lib/server.mjs';

const UNIT = 'deploy/systemd/aragora.service';
// Its name is in the program, which loads it when there is somebody to tell.
const withoutLibsystemd = !readFileSync(BINARY).includes('libsystemd.so.0') && 'built without libsystemd';
const withoutAnalyze = spawnSync('systemd-analyze', ['--version']).error && 'systemd-analyze is not here';

async function listener(t) {
  const dir = temporaryDirectory(t);
  const path = join(dir, 'notify');
  const heard = new Process([path], { dir, program: buildTool(t, 'notify_listener') });
  t.after(() => heard.stop('SIGKILL'));
  await heard.line(/^listening$/);
  heard.env = { NOTIFY_SOCKET: path };
  // The first message from `at` on that matches.
  heard.after = async (at, pattern, ms) => {
    const seen = heard.lines.length;
    const earlier = heard.lines.slice(at).find((line) => pattern.test(line));
    if (earlier) return earlier;
    const end = Date.now() + (ms ?? 20_000);
    for (let from = seen; Date.now() < end; ) {
      for (; from < heard.lines.length; from++) if (pattern.test(heard.lines[from])) return heard.lines[from];
      await new Promise((wake) => heard.child.stdout.once('data', () => setImmediate(wake)));
    }
    throw new Error(`not heard: ${pattern}\n${heard.lines.join('\n')}`);
  };
  return heard;
}

describe('Type=notify', { skip: withoutLibsystemd }, () => {
  test('READY=1 once health answers, RELOADING and READY at SIGHUP, STOPPING=1 at SIGTERM', async (t) => {
    const heard = await listener(t);
    const port = await freePort();
    const server = new Process(['server', '--port', `${port}`, '--ws-port', '0'], { env: heard.env, dir: temporaryDirectory(t) });
    t.after(() => server.stop('SIGKILL'));
    await heard.line(/^READY=1$/);
    server.url = `http://127.0.0.1:${port}`; // nothing of its log was waited for
    assert.equal((await get(server, '/api/health')).status, 200);
    await heard.after(0, /^STATUS=Serving, 0 debates running, 0 waiting$/);
    const at = heard.lines.length;
    server.child.kill('SIGHUP');
    assert.match(await heard.after(at, /^RELOADING=1/), /^RELOADING=1 MONOTONIC_USEC=\d+$/);
    await heard.after(at, /^READY=1$/);
    server.child.kill('SIGTERM');
    await heard.after(at, /^STOPPING=1$/);
    assert.equal((await server.end()).code, 0);
  });

  test('a start that migrates asks for more time before it is ready', async (t) => {
    const heard = await listener(t);
    const server = await startServer(t, { args: ['--migrate'], env: heard.env });
    await heard.after(0, /^READY=1$/);
    const asked = heard.lines.indexOf('EXTEND_TIMEOUT_USEC=30000000');
    assert.ok(asked >= 0 && asked < heard.lines.indexOf('READY=1'), heard.lines.join('\n'));
    assert.ok(heard.lines.includes('STATUS=Migrating the databases'));
    assert.equal((await get(server, '/healthz')).status, 200);
  });

  test('a drain asks for more time until its debates have ended', async (t) => {
    const heard = await listener(t);
    const server = await startServer(undefined, {
      dir: temporaryDirectory(t),
      env: { ...heard.env, WATCHDOG_USEC: '400000', ARAGORA_DEMO_TOKEN_RATE: '60' },
    });
    t.after(() => server.stop('SIGKILL'));
    await startDebate(server, { task: 'Let me finish', agents: ['demo', 'demo'], rounds: 0 });
    await heard.after(0, /^STATUS=Serving, 1 debates running/);
    const at = heard.lines.length;
    server.child.kill('SIGTERM');
    await heard.after(at, /^STATUS=Stopping, 1 debates running/);
    assert.equal((await server.end(60_000)).code, 0);
    const asked = heard.lines.slice(at).filter((line) => line === 'EXTEND_TIMEOUT_USEC=30000000');
    assert.ok(asked.length >= 2, heard.lines.slice(at).join('\n'));
    assert.ok(heard.lines.slice(at).includes('WATCHDOG=1'), 'it lives while it drains');
  });

  test('the watchdog is fed, not while a commit hangs, and again when it has returned', async (t) => {
    const heard = await listener(t);
    const dir = temporaryDirectory(t);
    const control = join(dir, 'disk');
    const server = await startServer(undefined, {
      dir: temporaryDirectory(t),
      env: { ...heard.env, WATCHDOG_USEC: '1000000', LD_PRELOAD: buildPreload(t, 'failing_disk'), FAILING_DISK: control },
    });
    t.after(() => server.stop('SIGKILL'));
    await heard.after(0, /^WATCHDOG=1$/);
    // A disk that refuses is no reason to be killed: it is asked again.
    writeFileSync(control, 'EIO');
    assert.notEqual((await post(server, '/api/debates', { task: 'Refused', agents: ['demo', 'demo'], rounds: 0 })).status, 200);
    for (let i = 0, at = heard.lines.length; i < 6; i++, at = heard.lines.length) await heard.after(at, /^WATCHDOG=1$/);
    writeFileSync(control, '');
    let answer;
    do answer = await post(server, '/api/debates', { task: 'Taken', agents: ['demo', 'demo'], rounds: 0 });
    while (answer.status !== 200);
    await finished(server, answer.json.debate_id ?? answer.json.id);
    writeFileSync(control, 'hang');
    const hanging = post(server, '/api/debates', { task: 'Stuck', agents: ['demo', 'demo'], rounds: 0 });
    await server.line(/watchdog=stuck/);
    const at = heard.lines.length;
    await assert.rejects(Promise.race([heard.after(at, /^WATCHDOG=1$/), new Promise((_, no) => setTimeout(no, 1500, new Error('silence')))]),
      /silence/); // longer than WATCHDOG_USEC: systemd would have ended it
    writeFileSync(control, '');
    await server.line(/watchdog=moving/);
    await heard.after(at, /^WATCHDOG=1$/);
    assert.equal((await hanging).status, 200);
  });
});

describe('the units', () => {
  test('the shipped one is exposed by at most 2.0, and systemd finds nothing wrong', { skip: withoutAnalyze }, (t) => {
    const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', UNIT], { encoding: 'utf8' });
    assert.equal(security.status, 0, security.stdout.slice(-200));
    assert.ok(Number(/exposure level for aragora.service: ([\d.]+)/.exec(security.stdout)[1]) <= 2);
    const dir = temporaryDirectory(t);
    // The program as it lies here, and no page of the manual that may not be installed.
    const text = readFileSync(UNIT, 'utf8').replace('/usr/bin/aragora', BINARY).replace(/^Documentation=.*\n/m, '');
    writeFileSync(join(dir, 'aragora.service'), text);
    const verify = spawnSync('systemd-analyze', ['verify', join(dir, 'aragora.service')], { encoding: 'utf8' });
    assert.equal(verify.status, 0, verify.stderr);
    assert.equal(verify.stderr, '');
  });

  test('its TimeoutStopSec is longer than a debate may be, its WatchdogSec than twice DB_TIMEOUT', () => {
    const text = readFileSync(UNIT, 'utf8');
    const of = (name) => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(text)[1]);
    const { settings } = JSON.parse(execFileSync(BINARY, ['config', 'show', '--json'], { env: {}, cwd: '/' }));
    assert.ok(of('TimeoutStopSec') > settings.debate_timeout.value);
    assert.ok(of('WatchdogSec') > 2 * settings.db_timeout.value);
  });

  test('the plain one of the page: its command line, its .env, its working directory', async (t) => {
    const dir = temporaryDirectory(t);
    const port = await freePort();
    mkdirSync(join(dir, 'venv/bin'), { recursive: true });
    copyFileSync(BINARY, join(dir, 'venv/bin/aragora'));
    chmodSync(join(dir, 'venv/bin/aragora'), 0o755);
    writeFileSync(join(dir, '.env'), "# keys\nARAGORA_WS_PORT='0'\nARAGORA_LOG_LEVEL=DEBUG\n");
    // ExecStart=/opt/aragora/venv/bin/python -m aragora.server.unified_server --port 8080
    const server = new Process(['server', '--port', `${port}`, '--env-file', join(dir, '.env')],
      { dir, env: { PYTHONPATH: dir }, program: join(dir, 'venv/bin/aragora') });
    t.after(() => server.stop('SIGKILL'));
    const [, wsUrl] = await server.line(/ready .* ws_url=(\S+)/);
    assert.equal(wsUrl, 'none');
    server.url = `http://127.0.0.1:${port}`;
    assert.equal((await get(server, '/api/health')).json.status, 'healthy');
    assert.match(execFileSync('pgrep', ['-f', 'aragora.server'], { encoding: 'utf8' }), new RegExp(`^${server.pid}$`, 'm'));
    assert.equal((await server.stop()).code, 0);
  });
});
