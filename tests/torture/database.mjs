// What the stock sqlite3 sees of the server's database, and the log's chain recomputed from that,
// with no code of the server's.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUFFER = 1 << 30;

async function lines(path, sql) {
  const args = ['-readonly', '-batch', '-cmd', '.timeout 20000', path, sql];
  const { stdout } = await run('sqlite3', args, { maxBuffer: BUFFER });
  return stdout.split('\n').filter(Boolean);
}

export async function integrity(path) {
  return (await lines(path, 'PRAGMA integrity_check')).join('\n');
}

// [{id, task}]
export async function debates(path) {
  return (await lines(path, "SELECT json_object('id', id, 'task', task, 'status', status) FROM debates")).map((line) => JSON.parse(line));
}

// id -> its events in order; salt, digest and hash in hexadecimal, `text` the data as it is stored.
export async function logs(path) {
  const rows = await lines(path, `SELECT json_object('id', d.id, 'seq', e.seq, 'type', e.type, 'ts', e.ts_ms,
    'round', e.round, 'agent', e.agent, 'salt', lower(hex(e.salt)), 'digest', lower(hex(e.digest)),
    'hash', lower(hex(e.hash)), 'text', e.data) FROM events e JOIN debates d ON d.num = e.debate
    ORDER BY e.debate, e.seq`);
  const all = new Map();
  for (const line of rows) {
    const event = JSON.parse(line);
    event.data = JSON.parse(event.text);
    if (!all.has(event.id)) all.set(event.id, []);
    all.get(event.id).push(event);
  }
  return all;
}

// {tokens, usd_micro} over all principals and days.
export async function spending(path) {
  const [line] = await lines(path, "SELECT json_object('tokens', sum(tokens), 'usd_micro', sum(usd_micro)) FROM spending");
  return JSON.parse(line);
}

const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

// The first wrong seq, or 0. docs/internals/log.md has the formula.
export function brokenChain(events) {
  let head = Buffer.alloc(32);
  for (const [index, e] of events.entries()) {
    const digest = sha256(Buffer.from(e.salt, 'hex'), e.text);
    const { agent, round, seq, ts, type } = e;
    head = sha256(head, JSON.stringify({ agent, data_digest: digest.toString('hex'), round, seq, ts, type }));
    if (seq !== index + 1 || digest.toString('hex') !== e.digest || head.toString('hex') !== e.hash) return seq;
  }
  return 0;
}
