// --dev: the program or its configuration is changed under a running server.

import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { collectEvents, get, startDebate } from './lib/client.mjs';
import { BINARY, Process, freePort, startServer, temporaryDirectory } from './lib/server.mjs';

// A server whose program is a copy of its own.
async function startDev(t, options = {}) {
  const dir = temporaryDirectory(t);
  const program = join(dir, 'aragora');
  const conf = join(dir, 'a.conf');
  copyFileSync(BINARY, program);
  writeFileSync(conf, 'WORKERS = 2\n');
  const server = await startServer(undefined, { dir, program, args: ['--dev', '--config', conf], ...options });
  t.after(() => server.stop('SIGKILL'));
  return { server, program, conf };
}

function replace(program, write) {
  const next = `${program}.next`;
  write(next);
  chmodSync(next, 0o755);
  renameSync(next, program);
}

// The same process says so once more.
async function readyAgain(server, from) {
  const wait = (pattern) => server.line(pattern);
  await wait(/dev=restart/);
  for (;;) {
    const ready = server.lines.slice(from).filter((line) => /ready version=/.test(line));
    if (ready.length) return ready.at(-1);
    const seen = server.lines.length;
    await new Promise((wake) => {
      const look = () => (server.lines.length > seen ? wake() : setImmediate(look));
      look();
    });
  }
}

describe('--dev', () => {
  test('a new program takes over: same process, same port, and the debate goes on without a gap', async (t) => {
    const { server, program } = await startDev(t, { env: { ARAGORA_DEMO_TOKEN_RATE: '150' } });
    const { id } = await startDebate(server, { task: 'Will it survive?', agents: ['demo', 'demo', 'demo'], rounds: 1 });
    const before = await collectEvents(server, id, { until: (frame) => frame.type === 'agent_message' });
    const last = before.filter((frame) => frame.seq).at(-1).seq;
    const from = server.lines.length;
    replace(program, (next) => copyFileSync(BINARY, next));
    const line = await readyAgain(server, from);
    assert.match(line, new RegExp(`url=${server.url} .*pid=${server.pid}\\b`));
    const after = await collectEvents(server, id, { since: last });
    const seqs = [...before, ...after].filter((frame) => frame.seq).map((frame) => frame.seq);
    assert.deepEqual(seqs, seqs.map((_, index) => index + 1));
    assert.equal(after.filter((frame) => frame.seq).at(-1).type, 'debate_end');
    assert.equal((await get(server, `/api/debates/${id}`)).json.status, 'completed');
    assert.equal((await server.stop()).code, 0);
  });

  test('a program that is none is not started, and one that is, afterwards, is', async (t) => {
    const { server, program } = await startDev(t);
    replace(program, (next) => writeFileSync(next, '#!/bin/sh\nexit 3\n'));
    await server.line(/dev=kept the new program does not say its version/);
    assert.equal((await get(server, '/healthz')).status, 200);
    const from = server.lines.length;
    replace(program, (next) => copyFileSync(BINARY, next));
    await readyAgain(server, from);
    assert.equal((await server.stop()).code, 0);
  });

  test('a changed port is taken up, each time; one that was not changed stays', async (t) => {
    const dir = temporaryDirectory(t);
    const conf = join(dir, 'a.conf');
    const set = async (workers) => {
      const port = await freePort();
      writeFileSync(conf, `PORT = ${port}\nWORKERS = ${workers}\n`);
      return port;
    };
    const first = await set(2);
    const server = new Process(['server', '--dev', '--config', conf, '--ws-port', '0'], { dir });
    t.after(() => server.stop('SIGKILL'));
    await server.line(new RegExp(`ready version=\\S+ url=http://127.0.0.1:${first} `));
    for (const workers of [3, 4]) {
      const port = await set(workers);
      await server.line(new RegExp(`ready version=\\S+ url=http://127.0.0.1:${port} .*pid=${server.pid}\\b`));
      const settings = (await get({ url: `http://127.0.0.1:${port}` }, '/api/system/config')).json.settings;
      assert.deepEqual([settings.workers.value, settings.port.value], [workers, port]);
    }
    assert.equal(server.lines.filter((line) => /dev=port PORT was/.test(line)).length, 2);
    assert.equal((await server.stop()).code, 0);
  });

  test('a changed configuration is in force; a bad one is told and the old process goes on', async (t) => {
    const { server, conf } = await startDev(t);
    writeFileSync(conf, 'WORKERS = 99\n');
    await server.line(/dev=kept .*a\.conf:1: WORKERS must be a whole number from 1 to 64/);
    assert.equal((await get(server, '/api/system/config')).json.settings.workers.value, 2);
    const from = server.lines.length;
    writeFileSync(conf, 'WORKERS = 3\n');
    await readyAgain(server, from);
    assert.equal((await get(server, '/api/system/config')).json.settings.workers.value, 3);
    assert.equal((await server.stop()).code, 0);
  });
});
