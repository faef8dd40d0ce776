// An S3-compatible store on loopback: s3rver keeps the objects, and in front of it stands what s3rver
// does not do: each request's signature (version 4, computed again by aws4) and the SHA-256 of its
// body must be right. It can be told to fail.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';

import { temporaryDirectory } from './server.mjs';

const require = createRequire(new URL('../../package.json', import.meta.url));

// Why there can be none here, or false: `skip` of a test that needs it.
export let noS3 = false;
let aws4;
let S3rver;
try {
  aws4 = require('aws4');
  S3rver = require('s3rver');
} catch {
  noS3 = 'tests/node_modules is not there: scripts/install-deps could not fetch it';
}

export const KEY_ID = 'S3RVER';
export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'; // of the documentation of AWS
const REGION = 'eu-central-2';

const refusal = (code, message) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;

function problemOf(request, body) {
  const header = request.headers.authorization ?? '';
  const signed = /SignedHeaders=([^,]+)/.exec(header)?.[1].split(';') ?? [];
  const names = Object.keys(request.headers);
  for (const name of names.filter((each) => each.startsWith('x-amz-') || each === 'host'))
    if (!signed.includes(name)) return `${name} is not signed`;
  const sha256 = createHash('sha256').update(body).digest('hex');
  if (request.headers['x-amz-content-sha256'] !== sha256) return 'the body has another SHA-256';
  const again = aws4.sign(
    {
      method: request.method,
      path: request.url,
      service: 's3',
      region: REGION,
      headers: Object.fromEntries(signed.map((name) => [name, request.headers[name]])),
    },
    { accessKeyId: KEY_ID, secretAccessKey: SECRET },
  );
  const signature = (text) => /Signature=([0-9a-f]+)/.exec(text)?.[1];
  return signature(again.headers.Authorization) === signature(header) ? undefined : 'SignatureDoesNotMatch';
}

function forward(request, body, port, respond) {
  const outward = httpRequest(
    { host: '127.0.0.1', port, method: request.method, path: firstVersion(request.url), headers: { ...request.headers, host: `127.0.0.1:${port}` } },
    (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => respond(answer.statusCode, answer.headers, Buffer.concat(pieces)));
    },
  );
  outward.on('error', () => respond(502, {}, Buffer.alloc(0)));
  outward.end(body);
}

// s3rver makes the token of a list's next page with a cipher that OpenSSL 3 no longer has. Its lists of
// the first version need none; the token, with characters that have to be escaped, is made here.
function firstVersion(url) {
  const asked = new URL(url, 'http://store');
  if (asked.searchParams.get('list-type') !== '2') return url;
  const token = asked.searchParams.get('continuation-token');
  asked.searchParams.delete('list-type');
  asked.searchParams.delete('continuation-token');
  if (token) asked.searchParams.set('marker', Buffer.from(token.replace(/^\+\/=/, ''), 'base64').toString());
  return asked.pathname + asked.search;
}

function withToken(answer) {
  const text = answer.toString();
  if (!text.includes('<IsTruncated>true</IsTruncated>')) return answer;
  const last = /.*<Key>([^<]*)<\/Key>/s.exec(text)[1];
  const token = `+/=${Buffer.from(last).toString('base64')}`;
  return Buffer.from(text.replace('</ListBucketResult>', `<NextContinuationToken>${token}</NextContinuationToken></ListBucketResult>`));
}

export async function startS3(t) {
  const bucket = 'aragora-backups';
  const s3rver = new S3rver({
    address: '127.0.0.1', port: 0, silent: true, directory: temporaryDirectory(t), configureBuckets: [{ name: bucket }],
  });
  const { port } = await s3rver.run();
  const store = { bucket, requests: [], refused: [], failures: 0, cuts: 0 };
  const front = createServer(async (request, response) => {
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return; // the client was killed
    }
    const body = Buffer.concat(pieces);
    store.requests.push({ method: request.method, url: request.url, headers: request.headers });
    if (store.failures > 0) {
      store.failures--;
      response.writeHead(503).end(refusal('SlowDown', 'Please reduce your request rate.'));
      return;
    }
    const problem = problemOf(request, body);
    if (problem) {
      store.refused.push(problem);
      response.writeHead(403).end(refusal('SignatureDoesNotMatch', problem));
      return;
    }
    forward(request, body, port, (status, { 'content-length': _, 'transfer-encoding': __, ...headers }, whole) => {
      const answer = withToken(whole);
      response.writeHead(status, { ...headers, 'Content-Length': answer.length });
      if (store.cuts > 0 && request.method === 'GET' && answer.length > 8192) {
        store.cuts--;
        response.write(answer.subarray(0, answer.length / 2), () => response.destroy());
      } else {
        response.end(answer);
      }
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(async () => {
    front.closeAllConnections();
    front.close();
    await s3rver.close();
  });
  // What somebody else put there.
  store.putDirectly = (key, body) => fetch(`http://127.0.0.1:${port}/${bucket}/${key}`, { method: 'PUT', body });
  store.keys = async (prefix) => {
    const list = await (await fetch(`http://127.0.0.1:${port}/${bucket}?prefix=${encodeURIComponent(prefix)}`)).text();
    return [...list.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
  };
  store.text = async (key) => (await fetch(`http://127.0.0.1:${port}/${bucket}/${key}`)).text();
  store.endpoint = `http://127.0.0.1:${front.address().port}`;
  store.env = {
    ARAGORA_BACKUP_TO: `s3://${bucket}/some/where`,
    ARAGORA_S3_ENDPOINT: store.endpoint,
    ARAGORA_S3_REGION: REGION,
    AWS_ACCESS_KEY_ID: KEY_ID,
    AWS_SECRET_ACCESS_KEY: SECRET,
  };
  return store;
}
