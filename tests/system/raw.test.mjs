// RFC 9110 and 9112 as bytes: one case a rule that a server can break, and its border. What is
// refused is refused once and the connection ends, so that nothing behind it is taken for a request.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { get } from './lib/client.mjs';
import { exchange } from './lib/raw.mjs';
import { HOST, LAST, REFUSED, SMUGGLED, ok, post } from './lib/raw_cases.mjs';
import { startServer } from './lib/server.mjs';

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
let server;
before(async () => (server = await startServer(suite, { env: {
  ARAGORA_MAX_BODY_BYTES: '20000', ARAGORA_HEAD_TIMEOUT: '2', ARAGORA_BODY_TIMEOUT: '2' } })));
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

// libmicrohttpd 0.9.75 writes its own page about a Content-Length twice, with one too small a length,
// before it ends the connection; nothing can be served after it.
const WRITTEN_TWICE = /Your HTTP request has (wrong|too large) value for <b>Content-Length<\/b>/;

async function refused(bytes, statuses = [400]) {
  const { text } = await exchange(server.port, bytes + SMUGGLED);
  const got = [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status));
  assert.ok(got.length <= (WRITTEN_TWICE.test(text) ? 2 : 1), text);
  for (const status of got) assert.ok(statuses.includes(status), text.slice(0, 400));
  assert.ok(!server.lines.some((line) => line.includes('path=/smuggled')), 'the smuggled request was read');
}

// The responses' statuses, when a last request that ends the connection follows.
async function served(bytes, statuses) {
  const { responses, text } = await exchange(server.port, bytes + LAST);
  assert.deepEqual(responses.map(({ status }) => status), [...statuses, 200], text.slice(0, 600));
  return responses;
}

for (const [group, cases] of Object.entries(REFUSED))
  describe(`refused: ${group}`, () => {
    for (const [name, entry] of Object.entries(cases))
      test(name, async () => {
        const [bytes, statuses] = Array.isArray(entry) ? entry : [entry];
        await refused(bytes, statuses);
      });
  });

describe('served', () => {
  test('blanks around a value, and none', async () => {
    for (const field of ['X-A:b', 'X-A: b', 'X-A:\t b \t', 'X-A:', 'X-A: ', 'X-A: b c', 'X-A: \xe9', 'X-!#$%&\'*+-.^_`|~9: b'])
      await served(ok(`${field}\r\n`), [200]);
  });
  test('an empty line or two before the request', () => served(`\r\n${ok()}`, [200]));
  test('names in any case', () => served('GET /healthz HTTP/1.1\r\nhOST: LOCALHOST\r\n\r\n', [200]));
  test('the absolute form, whose host is the Host', async () => {
    await served(ok('', 'GET http://LocalHost/healthz HTTP/1.1'), [200]);
    await served('GET http://localhost:80/healthz HTTP/1.1\r\nHost: localhost:80\r\n\r\n', [200]);
    await served('GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n', [403]);
    for (const [target, host] of [['localhost', 'evil.example'], ['localhost', ''], ['evil.example', 'localhost'], ['localhost.evil.example', 'localhost'], ['localhost@evil.example', 'localhost'], ['', 'localhost']])
      await refused(`GET http://${target}/healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
  test('the asterisk form, of OPTIONS', () => served(ok('', 'OPTIONS * HTTP/1.1'), [204]));
  test('a request of HTTP/1.0, which ends the connection', async () => {
    // no Host: the probes of an old load balancer, and nothing else while only this machine may ask
    for (const [path, status] of [['/healthz', 200], ['/readyz', 200], ['/api/health', 403], ['/metrics', 403], ['/api/debates', 403]]) {
      const { responses } = await exchange(server.port, `GET ${path} HTTP/1.0\r\n\r\n`);
      assert.equal(responses[0].status, status, path);
    }
    const { responses: page } = await exchange(server.port, 'GET /healthz HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n');
    assert.equal(page[0].status, 403);
    const { responses: named } = await exchange(server.port, `GET /healthz HTTP/1.0\r\n${HOST}\r\n`);
    assert.equal(named[0].status, 200);
  });
  test('many in one write, in order', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `pipelined-${i}`);
    const responses = await served(ids.map((id) => ok(`X-Request-ID: ${id}\r\n`)).join(''), ids.map(() => 200));
    assert.deepEqual(responses.slice(0, 20).map(({ headers }) => headers['x-request-id']), ids);
  });
  test('a body that looks like a request is a body', async () => {
    const responses = await served(post(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), [400]);
    assert.equal(JSON.parse(responses[0].body).code, 'INVALID_JSON');
    const size = SMUGGLED.length.toString(16);
    await served(post('Transfer-Encoding: chunked\r\n', `${size}\r\n${SMUGGLED}\r\n0\r\n\r\n`), [400]);
    assert.ok(!server.lines.some((line) => line.includes('path=/smuggled')));
  });
  test('a body of a GET is no request', () => served(ok(`Content-Length: ${SMUGGLED.length}\r\n`) + SMUGGLED, [200]));
  test('chunks with extensions, trailers, leading zeros and either case', async () => {
    for (const body of ['0\r\n\r\n', '000\r\n\r\n', '2\r\n{}\r\n0\r\n\r\n', '0002\r\n{}\r\n0\r\n\r\n', '2;a=b;c\r\n{}\r\n0\r\n\r\n',
      '1\r\n{\r\n1\r\n}\r\n0\r\nX-A: b\r\n\r\n', `A\r\n{"a": "bc"\r\n1\r\n}\r\n0\r\n\r\n`, `a\r\n{"a": "bc"\r\n1\r\n}\r\n0\r\n\r\n`])
      await served(post('Transfer-Encoding: Chunked\r\n', body), [400]);
  });
  // Known: the library takes a bare LF in the framing of chunks (docs/internals/http.md). It ends the
  // body where a reader of CRLF would, or refuses it, and nothing of the body becomes a request.
  test('a bare LF between chunks confuses nobody', async () => {
    for (const body of ['2\n{}\n0\n\n', '2\n{}\r\n0\r\n\r\n', `2;\n{}\r\n0\r\n\r\n`, `${SMUGGLED.length.toString(16)}\n${SMUGGLED}\n0\n\n`]) {
      const { responses } = await exchange(server.port, post('Transfer-Encoding: chunked\r\n', body) + LAST);
      assert.equal(responses[0].status, 400);
      assert.ok(responses.length <= 2);
    }
    assert.ok(!server.lines.some((line) => line.includes('path=/smuggled')));
  });
  test('a trailer is no header', async () => {
    const responses = await served(post('Transfer-Encoding: chunked\r\nX-Request-ID: head-1\r\n', '0\r\nX-Request-ID: trailer-1\r\nHost: evil.example\r\n\r\n'), [400]);
    assert.equal(responses[0].headers['x-request-id'], 'head-1');
  });
  test('Expect: 100-continue is answered before the body', async () => {
    const { responses } = await exchange(server.port, post('Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n', '{}'));
    assert.equal(responses.at(-1).status, 400);
    const waiting = await exchange(server.port, post('Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n'));
    assert.equal(waiting.responses[0].status, 100);
    const tooLarge = await exchange(server.port, post('Expect: 100-continue\r\nContent-Length: 99999999\r\n'));
    assert.equal(tooLarge.responses.at(-1).status, 413);
  });
  test('a body at the limit, and one byte over it', async () => {
    const at = `{"task":"${'x'.repeat(20_000 - 11)}"}`;
    assert.equal(at.length, 20_000);
    const [exact] = await served(post(`Content-Length: ${at.length}\r\n`, at), [400]);
    assert.notEqual(JSON.parse(exact.body).code, 'PAYLOAD_TOO_LARGE');
    await served(post(`Content-Length: ${at.length + 1}\r\n`, `${at} `), [413]);
  });
});

describe('slow clients', () => {
  test('a head that never ends is cut', async () => {
    const began = Date.now();
    const { responses } = await exchange(server.port, `GET /healthz HTTP/1.1\r\n${HOST}`);
    assert.ok(responses.length === 0 || responses[0].status === 408);
    assert.ok(Date.now() - began >= 1000);
  });
  test('two hundred of them leave health under a second', async (t) => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => new Promise((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(`GET /healthz HTTP/1.1\r\n${HOST}X-A: `);
        resolve(socket);
      }).on('error', () => {});
    })));
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const drip = setInterval(() => sockets.forEach((socket) => socket.writable && socket.write('x')), 100);
    t.after(() => clearInterval(drip));
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      assert.equal((await get(server, '/api/health')).status, 200);
      assert.ok(performance.now() - began < 1000);
    }
    // Each is cut when its time is over, however it drips.
    await Promise.all(sockets.map((socket) => socket.destroyed || new Promise((resolve) => socket.once('close', resolve))));
  });
  // Where the next head begins libmicrohttpd does not say, nor does it end what drips.
  for (const [what, begins] of [['after the answer', ''], ['sent along', 'GET /he'], ['sent along with its line', 'GET /healthz HTTP/1.1\r\nX-A: ']]) {
    test(`a head on a connection that was kept has as long as on a new one: ${what}`, async (t) => {
      const socket = connect(server.port, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      const closed = once(socket, 'close');
      socket.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n${begins}`);
      await once(socket, 'data');
      const began = Date.now();
      const drip = setInterval(() => socket.writable && socket.write(begins ? 'x' : 'G'), 100);
      t.after(() => clearInterval(drip));
      await closed;
      const took = Date.now() - began;
      assert.ok(took >= 900 && took < 8000, `${took} ms`); // --head-timeout 2, looked at once a second
    });
  }
  test('a kept connection on which nothing comes stays open for longer than a head may take', async (t) => {
    const socket = connect(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    const ask = `GET /healthz HTTP/1.1\r\n${HOST}\r\n`;
    socket.write(ask);
    await once(socket, 'data');
    // Another one is cut meanwhile: that much time has passed.
    for (let i = 0; i < 2; i++) await exchange(server.port, `GET /healthz HTTP/1.1\r\n${HOST}`);
    socket.write(ask);
    assert.match(`${(await once(socket, 'data'))[0]}`, /^HTTP\/1\.1 200 /);
  });
  test('a body that never ends is cut', async () => {
    const { responses } = await exchange(server.port, post('Content-Length: 100\r\n', '{'));
    assert.ok(responses.length === 0 || responses[0].status === 408);
  });
});

test('after all that the server is well', async () => {
  assert.equal((await get(server, '/api/health')).json.status, 'healthy');
  assert.ok(!server.lines.some((line) => line.includes('path=/smuggled')));
});
