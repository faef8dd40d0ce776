// The server under a mixed load for as long as one likes: whether memory, descriptors and answers
// stay as they are.
//   SOAK_SECONDS=3600 SOAK_RATE=40 node bench/mixed.mjs          (60 seconds, 40 requests a second)
// Requests come at a fixed rate, whatever their answers take, up to AT_ONCE unanswered ones. Every
// minute (SOAK_EVERY seconds) it prints memory, descriptors and, for each kind of request, count,
// median and 99th percentile in ms, and how many were refused (4xx) or failed (5xx, no answer); at
// the end how memory grew for 1,000 requests, after a warm-up of a fifth. Exit 1 when the server
// died or an answer was a 5xx.

import { readdirSync, readFileSync } from 'node:fs';

import { Socket, call, collectEvents, get, post } from '../tests/system/lib/client.mjs';
import { startServer } from '../tests/system/lib/server.mjs';

const seconds = Number(process.env.SOAK_SECONDS ?? 60);
const rate = Number(process.env.SOAK_RATE ?? 40);
const every = Number(process.env.SOAK_EVERY ?? 60);
const WARM_UP = 0.2;
const AT_ONCE = 400;
const KEPT_IDS = 200;
const KEPT_LINES = 100; // of the server's log
const STREAM_MS = 60_000;

const server = await startServer(undefined, { env: { ARAGORA_DEMO_TOKEN_RATE: '2000', ARAGORA_WS_CONN_RATE: '0' } });
const ids = [];
const kinds = new Map();
let answered = 0;
let broken = 0;

const anyId = () => ids[Math.floor(Math.random() * ids.length)] ?? 'none';
const status = async (answer) => (await answer).status;

async function startOne() {
  const panel = { task: 'Tabs or spaces?', agents: ['demo', 'demo', 'demo'], rounds: 1 + (answered % 2) };
  const answer = await post(server, '/api/debates', panel);
  if (answer.status !== 200) return answer.status;
  ids.push(answer.json.id);
  if (ids.length > KEPT_IDS) ids.shift();
  return 200;
}

// To the end of the debate, or from the middle of one that ended.
async function follow() {
  await collectEvents(server, anyId(), { since: Math.random() < 0.5 ? undefined : 5, ms: STREAM_MS });
  return 200;
}

async function followSocket() {
  const socket = new Socket(`${server.wsUrl}/ws`);
  try {
    await socket.opened();
    socket.send({ type: 'subscribe', loop_id: anyId() });
    await socket.next(() => true, { ms: STREAM_MS });
    await socket.close();
    return 200;
  } catch (error) {
    if (error.status) return error.status;
    throw error;
  } finally {
    socket.ws.terminate();
  }
}

const bad = [
  () => call(server, 'POST', '/api/debates', '{"task":'),
  () => call(server, 'POST', '/api/debates', { task: '', agents: [] }),
  () => call(server, 'DELETE', '/api/health'),
  () => get(server, '/api/debates?limit=minus'),
  () => get(server, '/api/debates/%00'),
];

// name, how many of a hundred requests, and the request, which answers its status
const mix = [
  ['health', 25, () => status(get(server, '/api/health'))],
  ['list', 15, () => status(get(server, '/api/debates?limit=20'))],
  ['get', 15, () => status(get(server, `/api/debates/${anyId()}`))],
  ['start', 8, startOne],
  ['stream', 10, follow],
  ['socket', 5, followSocket],
  ['export', 6, () => status(get(server, `/api/debates/${anyId()}/export/${['json', 'md', 'html', 'csv'][answered % 4]}`))],
  ['leaderboard', 4, () => status(get(server, '/api/leaderboard'))],
  ['replays', 4, () => status(get(server, '/api/replays'))],
  ['metrics', 2, () => status(get(server, '/api/metrics'))],
  ['bad', 6, () => status(bad[answered % bad.length]())],
];

function draw() {
  let at = Math.random() * mix.reduce((sum, [, share]) => sum + share, 0);
  return mix.find(([, share]) => (at -= share) < 0) ?? mix[0];
}

function note(name, ms, code) {
  const kind = kinds.get(name) ?? { times: [], refused: 0, failed: 0 };
  kinds.set(name, kind);
  kind.times.push(ms);
  if (code >= 400 && code < 500) kind.refused++;
  // What this program has not (501) is no failure of it.
  if (code === undefined || (code >= 500 && code !== 501)) {
    kind.failed++;
    broken++;
  }
  answered++;
}

let open = 0;
let skipped = 0;
async function one([name, , request]) {
  const before = performance.now();
  let code;
  open++;
  try {
    code = await request();
  } catch (error) {
    // A stream of a debate that is none, or of one refused, has its status in the message.
    code = Number(/: (\d{3})$/.exec(error.message)?.[1]) || undefined;
    if (code === undefined) console.log(`${name}: ${error.message}`);
  }
  open--;
  note(name, performance.now() - before, code);
}

function sample() {
  const text = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]);
  return { answered, rss: kib('VmRSS'), anon: kib('RssAnon'), descriptors: readdirSync(`/proc/${server.pid}/fd`).length };
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function print(at, now) {
  console.log(`${String(at).padStart(6)} s  RSS ${now.rss} KiB  RssAnon ${now.anon} KiB  ${now.descriptors} descriptors  ${answered} answered  ${open} open  ${skipped} not sent`);
  for (const [name, , ] of mix) {
    const kind = kinds.get(name);
    if (!kind) continue;
    const sorted = kind.times.sort((a, b) => a - b);
    console.log(`          ${name.padEnd(12)} ${String(sorted.length).padStart(6)}  p50 ${percentile(sorted, 0.5).toFixed(1)}  p99 ${percentile(sorted, 0.99).toFixed(1)} ms  4xx ${kind.refused}  failed ${kind.failed}`);
  }
  kinds.clear();
}

// Least squares: KiB for 1,000 requests.
function slope(samples, field) {
  const mean = (of) => samples.reduce((sum, s) => sum + of(s), 0) / samples.length;
  const x = mean((s) => s.answered);
  const y = mean((s) => s[field]);
  const over = samples.reduce((sum, s) => sum + (s.answered - x) ** 2, 0);
  return (1000 * samples.reduce((sum, s) => sum + (s.answered - x) * (s[field] - y), 0)) / over;
}

const begun = performance.now();
const elapsed = () => (performance.now() - begun) / 1000;
const samples = [];
let printed = 0;
let sent = 0;
await startOne();
while (elapsed() < seconds) {
  for (; sent < elapsed() * rate; sent++) {
    if (open >= AT_ONCE) skipped++;
    else one(draw());
  }
  if (elapsed() >= (samples.length + 1) * Math.min(every, seconds / 20)) samples.push({ at: elapsed(), ...sample() });
  if (elapsed() >= printed + every) {
    printed += every;
    print(printed, sample());
  }
  server.lines.splice(0, Math.max(0, server.lines.length - KEPT_LINES));
  if (server.child.exitCode !== null || server.child.signalCode !== null) break;
  await new Promise((wake) => setTimeout(wake, 1000 / rate));
}
const died = server.child.exitCode !== null || server.child.signalCode !== null;
if (died) {
  console.log(`the server died:\n${server.lines.slice(-20).join('\n')}`);
} else {
  if (kinds.size) print(Math.round(elapsed()), sample());
  const steady = samples.filter((s) => s.at >= seconds * WARM_UP);
  console.log(`growth for 1,000 requests, after the first fifth: RSS ${slope(steady, 'rss').toFixed(1)} KiB, RssAnon ${slope(steady, 'anon').toFixed(1)} KiB`);
  console.log(`answered ${answered}, 5xx or none ${broken}`);
  const end = await server.stop();
  if (end.code !== 0) console.log(`the server ended with ${JSON.stringify(end)}`);
}
process.exit(died || broken ? 1 : 0);
