// The shipped nginx file in front of two servers, with the real nginx.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { get, startDebate } from './lib/client.mjs';
import { exchange } from './lib/raw.mjs';
import { REFUSED, SMUGGLED } from './lib/raw_cases.mjs';
import { freePort, startServer, temporaryDirectory } from './lib/server.mjs';

const WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');
const NGINX = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((path) => existsSync(path));
const skip = NGINX ? false : 'nginx is not installed (scripts/packages.txt)';
const FILE = new URL('../../deploy/nginx/aragora.conf', import.meta.url);
const WAIT_MS = 20_000;

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let servers, port;

// The file as it is shipped, but for what it marks SET and where it listens.
function configure(dir, backends, tls, plain) {
  const file = readFileSync(FILE, 'utf8')
    .replace(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${plain};`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${tls} ssl`)
    .replace('127.0.0.1:8080', `127.0.0.1:${backends[0].port}`)
    .replace('127.0.0.1:8081', `127.0.0.1:${backends[1].port}`)
    .replace('/etc/ssl/aragora/fullchain.pem', join(dir, 'cert.pem'))
    .replace('/etc/ssl/aragora/privkey.pem', join(dir, 'key.pem'));
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(dir, name)};`).join('\n');
  writeFileSync(join(dir, 'nginx.conf'), `daemon off; pid ${join(dir, 'nginx.pid')}; error_log ${join(dir, 'error.log')};
worker_processes 1; events { worker_connections 512; }
http { access_log off; ${paths}
${file}
}`);
}

async function listening(where, deadline = Date.now() + WAIT_MS) {
  while (Date.now() < deadline) {
    const open = await new Promise((resolve) => {
      const socket = connectTcp(where, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
  }
  throw new Error('nginx does not listen');
}

before(async () => {
  if (skip) return;
  servers = [await startServer(suite), await startServer(suite)];
  const dir = temporaryDirectory();
  port = await freePort();
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')], { stdio: 'ignore' });
  configure(dir, servers, port, await freePort());
  execFileSync(NGINX, ['-t', '-q', '-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: 'pipe' });
  const nginx = spawn(NGINX, ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: 'ignore' });
  process.on('exit', () => nginx.kill('SIGTERM'));
  suite.after(async () => {
    const gone = new Promise((resolve) => nginx.once('exit', resolve));
    nginx.kill('SIGTERM');
    await gone;
  });
  await listening(port);
});
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

// A request over TLS; `from` is the client's own address.
function ask(path, { method = 'GET', headers = {}, body, from } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, rejectUnauthorized: false, agent: false, localAddress: from,
      headers: { Host: 'localhost', ...headers } }, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
const lines = () => servers.flatMap((server) => server.lines);

describe('behind nginx', { skip }, () => {
  test('requests are answered, and count as the client\'s', async () => {
    assert.equal((await ask('/api/health')).status, 200);
    const { json } = await get(servers[0], '/api/system/rate-limits', { 'X-Forwarded-For': '192.0.2.1' });
    assert.equal(json.caller, '192.0.2.1'); // believed of this machine
    const own = await ask('/api/v1/system/rate-limits', { headers: { 'X-Forwarded-For': '192.0.2.1', 'X-Real-IP': '192.0.2.2' } });
    assert.equal(JSON.parse(own.text).caller, '127.0.0.1'); // what the client says of itself is dropped
  });

  test('a debate is streamed as it goes, over an event stream', async () => {
    const started = await ask('/api/debates', { method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ task: 'Through nginx?', agents: ['demo', 'demo'], rounds: 1 }) });
    const { id } = JSON.parse(started.text);
    const { status, headers, text } = await ask(`/api/debates/${id}/events`, { headers: { Accept: 'text/event-stream' } });
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/event-stream/);
    assert.match(text, /"type":"debate_start"/);
    assert.match(text, /"type":"debate_end"/);
  });

  test('a WebSocket passes, both ways', async () => {
    const ws = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false, headers: { Host: 'localhost' } });
    const frames = [];
    const pong = new Promise((resolve, reject) => {
      ws.on('error', reject);
      ws.on('open', () => ws.send('{"type":"ping"}'));
      ws.on('message', (data) => {
        frames.push(JSON.parse(data));
        if (frames.at(-1).type === 'pong') resolve();
      });
    });
    await pong;
    const closed = new Promise((resolve) => ws.on('close', resolve));
    ws.close(1000);
    assert.equal(await closed, 1000);
  });

  test('/admin and what it shows is for the allow-list', async () => {
    for (const path of ['/admin', '/admin/x', '/api/system/rate-limits', '/api/v1/system/circuit-breakers', '/metrics', '/api/metrics']) {
      const inside = await ask(path);
      assert.notEqual(inside.status, 403, path);
      assert.equal((await ask(path, { from: '127.0.0.2' })).status, 403, path);
    }
    assert.equal((await ask('/api/health', { from: '127.0.0.2' })).status, 200);
    assert.ok((await ask('/api//system/rate-limits', { from: '127.0.0.2' })).status >= 400);
    assert.ok((await ask('/api/%73ystem/rate-limits', { from: '127.0.0.2' })).status >= 400);
    assert.ok((await ask('/x/../api/system/rate-limits', { from: '127.0.0.2' })).status >= 400);
  });

  // Whatever nginx makes of it: the client sees an answer for each request that a server read.
  for (const [group, cases] of Object.entries(REFUSED))
    test(`nothing is smuggled: ${group}`, async () => {
      for (const [name, entry] of Object.entries(cases)) {
        const before = lines().filter((line) => line.includes('path=/smuggled')).length;
        const { text } = await exchange(port, (Array.isArray(entry) ? entry[0] : entry) + SMUGGLED, { tls: {}, ms: WAIT_MS, stay: true });
        const answers = [...text.matchAll(/HTTP\/1\.[01] (?!100)\d{3} /g)].length;
        const read = lines().filter((line) => line.includes('path=/smuggled')).length - before;
        assert.ok(read <= Math.max(0, answers - 1), `${name}: ${read} read, ${answers} answered`);
      }
    });
});
