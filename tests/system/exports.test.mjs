// Exports: the files, their filters, and how they behave when a reader does not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as tcpConnect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { finished, get, post, startDebate } from './lib/client.mjs';
import { BINARY, Process, startServer, temporaryDirectory } from './lib/server.mjs';
import { fillDatabase } from './lib/many_debates.mjs';

const run = promisify(execFile);
const QUESTION = '=SUM(A1) or <script>alert("x")</script>?';

// As run, but an exit code is an answer.
const tryRun = (args, options) =>
  run(BINARY, args, { maxBuffer: 1 << 28, ...options }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );

const metric = async (server, line) => {
  const { text } = await get(server, '/metrics');
  const found = text.split('\n').find((row) => row.startsWith(`${line} `));
  return found ? Number(found.split(' ').at(-1)) : 0;
};

// Asks again until it holds: what is waited for has no other sign.
async function until(what, test, ms = 20_000) {
  for (const deadline = Date.now() + ms; Date.now() < deadline; )
    if (await test()) return;
  throw new Error(`not within ${ms} ms: ${what}`);
}

// RFC 4180, as strictly as a test needs it.
function parseCsv(text) {
  const rows = [[]];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted && c === '"' && text[i + 1] === '"') field += text[++i];
    else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === ',' || c === '\n')) {
      rows.at(-1).push(field);
      field = '';
      if (c === '\n') rows.push([]);
    } else if (quoted || c !== '\r') field += c;
  }
  assert.equal(quoted, false);
  rows.pop();
  return rows;
}

const cleanups = [];
after(async () => {
  for (const fn of cleanups.reverse()) await fn();
});
const suite = { after: (fn) => cleanups.push(fn) };

describe('exports of a few debates', () => {
  let server;
  let dir;
  const ids = [];
  before(async () => {
    dir = temporaryDirectory(suite);
    server = await startServer(suite, { dir });
    for (let i = 0; i < 3; i++) {
      const { id } = await startDebate(server, { task: `${QUESTION} ${i}`, agents: 'demo,demo' });
      await finished(server, id);
      ids.push(id);
    }
  });

  test('JSON carries every debate with its log, newest first', async () => {
    const answer = await get(server, '/api/debates/export');
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    assert.equal(answer.headers.get('content-disposition'), 'attachment; filename="debates.json"');
    assert.equal(answer.json.count, 3);
    assert.equal(answer.json.format, 'json');
    assert.equal(new Date(answer.json.exported_at).toISOString(), answer.json.exported_at);
    assert.deepEqual(answer.json.debates.map((debate) => debate.id), [...ids].reverse());
    for (const debate of answer.json.debates) {
      const { log, ...rest } = debate;
      assert.deepEqual(rest, (await get(server, `/api/debates/${debate.id}`)).json);
      const page = (await get(server, `/api/debates/${debate.id}/events?limit=1000`, { Accept: 'application/json' })).json;
      assert.deepEqual(log, page.events);
    }
  });

  test('each format of one debate, with a name', async () => {
    const { slug } = (await get(server, `/api/debates/${ids[0]}`)).json;
    for (const [format, type, name] of [
      ['json', 'application/json', `debate-${slug}.json`],
      ['csv', 'text/csv; charset=utf-8', `debate-${slug}-summary.csv`],
      ['html', 'text/html; charset=utf-8', `debate-${slug}.html`],
      ['md', 'text/markdown; charset=utf-8', `debate-${slug}.md`],
    ]) {
      const answer = await get(server, `/api/debates/${slug}/export/${format}`);
      assert.equal(answer.status, 200, format);
      assert.equal(answer.headers.get('content-type'), type);
      assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${name}"`);
      assert.ok(answer.text.length > 500);
    }
  });

  test('existing clients read {data} of json and markdown', async () => {
    const json = (await get(server, `/api/debates/${ids[0]}/export/json`)).json;
    assert.equal(json.debate_id, ids[0]);
    assert.equal(json.format, 'json');
    const { format, filename, data, ...rest } = json;
    assert.deepEqual(JSON.parse(data), rest);
    const markdown = (await get(server, `/api/debates/${ids[0]}/export/markdown`)).json;
    assert.equal(markdown.format, 'markdown');
    assert.match(markdown.filename, /\.md$/);
    assert.match(markdown.data, /^# \\?=SUM/);
    const bare = (await get(server, `/api/debates/${ids[0]}/export/json?wrapped=false`)).json;
    assert.deepEqual(bare, rest);
  });

  test('CSV holds no formula', async () => {
    for (const path of ['/api/debates/export?format=csv', `/api/debates/${ids[0]}/export/csv`,
      ...['messages', 'critiques', 'votes', 'turns'].map((table) => `/api/debates/export?format=csv&table=${table}`)]) {
      const { text, status } = await get(server, path);
      assert.equal(status, 200, path);
      assert.match(text, /\r\n$/);
      const rows = parseCsv(text);
      assert.ok(rows.length > 1, path);
      for (const row of rows) {
        if (!path.includes('/csv')) assert.equal(row.length, rows[0].length, path);
        for (const field of row) assert.doesNotMatch(field, /^[=+\-@\t\r]/);
      }
    }
    const [names, newest] = parseCsv((await get(server, '/api/debates/export?format=csv')).text);
    assert.deepEqual(names.slice(0, 12), ['id', 'slug', 'task', 'status', 'agents', 'rounds_used', 'consensus_reached',
      'confidence', 'final_answer', 'created_at', 'completed_at', 'duration_seconds']);
    assert.equal(newest[2], `'${QUESTION} 2`);
    assert.equal(newest[8], (await get(server, `/api/debates/${ids[2]}`)).json.final_answer);
  });

  test('HTML is safe to open', async () => {
    for (const path of [`/api/debates/${ids[0]}/export/html`, '/api/debates/export?format=html']) {
      const { text, headers } = await get(server, path);
      assert.match(headers.get('content-security-policy'), /^sandbox; default-src 'none'/);
      assert.match(text, /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;/);
      assert.doesNotMatch(text, /<script|<img|<link|<iframe|javascript:|\son\w+=|(src|href)=/i);
      assert.ok(text.includes('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;'));
    }
  });

  test('filters', async () => {
    const of = async (query) => (await get(server, `/api/debates/export?table=summary&${query}`)).json;
    const created = (await of('limit=2')).debates[1].created_at;
    assert.deepEqual((await of('limit=2')).debates.map((debate) => debate.id), [ids[2], ids[1]]);
    assert.equal((await of('status=failed')).count, 0);
    assert.equal((await of('status=concluded')).count, 3);
    assert.equal((await of(`since=${created}`)).count, 2);
    assert.equal((await of(`until=${created}`)).count, 2);
    assert.equal((await of(`since=${created}&until=${created}`)).count, 1);
    assert.equal((await of('since=2100-01-01')).count, 0);
    assert.equal((await of('until=2001-01-01')).count, 0);
    assert.equal((await of('status=&since=&limit=')).count, 3);
  });

  test('every wrong parameter is named', async () => {
    for (const [path, field, allowed] of [
      ['/api/debates/export?format=pdf', 'format', /json, csv, html, md/],
      ['/api/debates/export?format=csv&table=people', 'table', /summary, messages/],
      ['/api/debates/export?table=votes', 'table', /full or summary/],
      ['/api/debates/export?status=done', 'status', /running/],
      ['/api/debates/export?since=noon', 'since', /2026-/],
      ['/api/debates/export?until=2026-02-30', 'until', /2026-/],
      ['/api/debates/export?since=2026-02-02&until=2026-02-01', 'since', /until/],
      ['/api/debates/export?limit=0', 'limit', /from 1/],
      ['/api/debates/export?limit=many', 'limit', /from 1/],
      [`/api/debates/${ids[0]}/export/pdf`, 'format', /json, csv, html, md/],
      [`/api/debates/${ids[0]}/export/html?table=votes`, 'table', /full/],
      ['/api/debates/a.b/export/json', 'id', /letters/],
    ]) {
      const { status, json } = await get(server, path);
      assert.equal(status, 400, path);
      assert.equal(json.field, field, path);
      assert.match(json.error, allowed);
      assert.ok(json.error.includes(field) && !json.error.startsWith(`${field}: ${field}`), json.error);
    }
    assert.equal((await get(server, '/api/debates/nosuch/export/md')).status, 404);
  });

  test('the command makes the same files, here and from a server', async () => {
    const env = { PATH: process.env.PATH, HOME: dir, ARAGORA_DATA_DIR: dir };
    for (const format of ['json', 'csv', 'html', 'md']) {
      const name = join(dir, `one.${format}`);
      const there = await tryRun(['export', ids[0], '--format', format, '--server', server.url], { env });
      const here = await tryRun(['export', ids[0], '-f', format, '-o', name], { env });
      assert.equal(there.code, 0, there.stderr);
      assert.equal(here.code, 0, here.stderr);
      const still = (text) => text.replace(/Exported from Aragora.*/, '');
      assert.equal(still(readFileSync(name, 'utf8')), still(there.stdout));
    }
    const all = await tryRun(['export', '--server', server.url, '--format', 'csv', '--limit', '2'], { env });
    assert.equal(parseCsv(all.stdout).length, 3);
    assert.equal((await tryRun(['export', 'nosuch'], { env })).code, 5);
    assert.equal((await tryRun(['export', 'nosuch', '--server', server.url], { env })).code, 5);
    assert.equal((await tryRun(['export', '--format', 'pdf'], { env })).code, 2);
    assert.equal((await tryRun(['export', '-o', '/nowhere/file'], { env })).code, 1);
  });

  test('the proof travels with the file', async () => {
    const env = { PATH: process.env.PATH, HOME: dir };
    const file = join(dir, 'all.json');
    const check = async (text) => {
      writeFileSync(file, text);
      return tryRun(['replay', file, '--check'], { env });
    };
    const { text } = await get(server, '/api/debates/export');
    const whole = await check(text);
    assert.equal(whole.code, 0, whole.stdout);
    assert.match(whole.stdout, /^ok: 3 debates/);
    const one = await check((await get(server, `/api/debates/${ids[0]}/export/json`)).text);
    assert.match(one.stdout, /^ok: \d+ events, head [0-9a-f]{64}/);
    const wrong = await check(text.replace('my answer is', 'my answer was'));
    assert.equal(wrong.code, 8);
    assert.match(wrong.stdout, /is not what the log says|does not match its digest/);
    const cut = await check(text.slice(0, -100));
    assert.equal(cut.code, 8);
    assert.match(cut.stderr, /cut or damaged/);
  });

  test('a debate that runs is in it, as far as it is', async () => {
    const slow = await startServer(suite, { env: { ARAGORA_DEMO_TOKEN_RATE: '5' } });
    const { id } = await startDebate(slow, { task: 'Slowly?', agents: 'demo,demo' });
    const { json } = await get(slow, '/api/debates/export');
    assert.equal(json.count, 1);
    assert.equal(json.debates[0].id, id);
    assert.equal(json.debates[0].status, 'running');
    assert.equal(json.debates[0].log.at(-1).hash, json.debates[0].head_hash);
    slow.expectedToDie = true;
    await slow.stop('SIGKILL');
  });
});

// VmHWM and VmRSS in KiB.
const memory = (pid) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Object.fromEntries(['VmHWM', 'VmRSS'].map((key) => [key, Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)[1])]));
};

// A server of `count` debates, copies of one.
async function serverWith(count, env) {
  const dir = temporaryDirectory(suite);
  const first = await startServer(undefined, { dir });
  const { id } = await startDebate(first, { task: 'The one that is copied?', agents: 'demo', mode: 'single' });
  await finished(first, id);
  await first.stop();
  fillDatabase(join(dir, 'aragora_memory.db'), id, count);
  return startServer(suite, { dir, env });
}

describe('exports of a hundred thousand debates', { timeout: 600_000 }, () => {
  const COUNT = 100_000;
  let server;
  before(async () => {
    server = await serverWith(COUNT, { ARAGORA_MAX_EXPORTS: '2' });
  });

  test('in constant memory, while debates run', async () => {
    await get(server, '/api/debates/export?limit=500');
    const begun = memory(server.pid);
    let bytes = 0;
    let tail = '';
    const response = await fetch(`${server.url}/api/debates/export`);
    const running = (async () => {
      const { id } = await startDebate(server, { task: 'Meanwhile?', agents: 'demo,demo' });
      return finished(server, id);
    })();
    for await (const piece of response.body) {
      bytes += piece.length;
      tail = (tail + Buffer.from(piece).toString('latin1')).slice(-100);
    }
    assert.equal((await running).status, 'completed');
    const ended = memory(server.pid);
    assert.match(tail, new RegExp(`"count":${COUNT}\\}\\n$`));
    console.log(`# ${COUNT} debates, ${bytes >> 20} MiB; VmHWM ${begun.VmHWM} -> ${ended.VmHWM} KiB`);
    assert.ok(bytes > 300 << 20);
    assert.ok(ended.VmHWM - begun.VmHWM < 16 << 10, JSON.stringify({ begun, ended }));
  });

  test('the table of all of them', async () => {
    const { text } = await get(server, '/api/debates/export?format=csv');
    assert.equal(text.split('\r\n').length, COUNT + 3); /* names, the one that ran meanwhile, the end */
  });

  // A socket that asks and then reads nothing.
  const stuck = async () => {
    const socket = tcpConnect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET /api/debates/export HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return socket;
  };

  test('who does not read holds back the producer, and one more than the limit is refused', async () => {
    const sockets = [await stuck(), await stuck()];
    await until('two exports', async () => (await metric(server, 'aragora_exports_active')) === 2);
    const refused = await get(server, '/api/debates/export');
    assert.equal(refused.status, 503);
    assert.equal(refused.json.code, 'SERVICE_UNAVAILABLE');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const before = await metric(server, 'aragora_exports_total{format="json",outcome="cut"}');
    for (const socket of sockets) socket.destroy();
    await until('both to be cut', async () =>
      (await metric(server, 'aragora_exports_total{format="json",outcome="cut"}')) === before + 2);
    assert.equal(await metric(server, 'aragora_exports_active'), 0);
    assert.equal((await get(server, '/api/debates/export?limit=1')).status, 200);
  });

  test('a server that stops cuts it, and the client sees that', async () => {
    const response = await fetch(`${server.url}/api/debates/export`);
    const reader = response.body.getReader();
    await reader.read();
    server.child.kill('SIGTERM');
    await assert.rejects(async () => {
      for (;;) if ((await reader.read()).done) return;
    });
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });
});

describe('slow readers of one tenant', { timeout: 300_000 }, () => {
  const TOKEN = 'open-sesame-0123456789';
  const holder = { Authorization: `Bearer ${TOKEN}` };
  let server;
  before(async () => {
    server = await serverWith(10_000, { ARAGORA_API_TOKEN: TOKEN, ARAGORA_MAX_EXPORTS: '4', ARAGORA_SEND_TIMEOUT: '3',
      ARAGORA_REGISTER_RATE: '0' });
  });

  test('hold half of the places, and none for longer than they may take nothing', async (t) => {
    const { json } = await post(server, '/api/auth/register', { email: 'ann@example.org', password: 'ann has a long password' });
    const ann = { Authorization: `Bearer ${json.access_token}` };
    const sockets = [];
    t.after(() => { for (const socket of sockets) socket.destroy(); });
    for (let i = 0; i < 2; i++) {
      const socket = tcpConnect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
      await once(socket, 'connect');
      socket.pause();
      socket.write(`GET /api/debates/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    }
    await until('two exports', async () => (await metric(server, 'aragora_exports_active')) === 2);
    const begun = Date.now();
    for (const path of ['/api/debates/export', '/api/system/audit/export']) {
      const refused = await get(server, path, holder);
      assert.equal(refused.status, 429, refused.text.slice(0, 200));
      assert.equal(refused.json.code, 'RATE_LIMITED');
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
    }
    assert.equal((await get(server, '/api/debates/export', ann)).status, 200, 'the rest is for others');
    await until('both to be cut', async () =>
      (await metric(server, 'aragora_exports_total{format="json",outcome="cut"}')) === 2);
    const took = Date.now() - begun;
    t.diagnostic(`cut after ${took} ms`);
    assert.ok(took > 1_500 && took < 15_000, `${took} ms`);
    assert.equal((await get(server, '/api/debates/export?limit=1', holder)).status, 200);
  });

  // One that reads, however slowly, as long as it reads.
  test('while one that takes something goes on', async () => {
    const response = await fetch(`${server.url}/api/debates/export`, { headers: holder });
    let bytes = 0;
    let pauses = 0;
    for await (const piece of response.body) {
      bytes += piece.length;
      // Far enough apart that the client has to read from its socket in between.
      if (pauses < 3 && bytes > (1 + 8 * pauses) << 20) {
        pauses++;
        await new Promise((next) => setTimeout(next, 1500));
      }
    }
    assert.equal(pauses, 3, `${bytes} bytes`);
  });
});
