// The real server is killed with SIGKILL, again and again, while two dozen debates run at once against
// the fake provider; what must hold afterwards is checked against the database, the recorder's count of
// requests, the frames that live clients saw, and the same debates undisturbed.
//
//   torture({kills, seed, atOnce}) -> the report, or throws with what was wrong
//
// The moments of the kills follow from the seed.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { collectEvents, get, logged, post } from '../system/lib/client.mjs';
import { freePort, Process } from '../system/lib/server.mjs';
import { agentsFile, debateBody, numberOfTask, script } from './cast.mjs';
import { brokenChain, debates, integrity, logs, spending } from './database.mjs';
import { Follower } from './follower.mjs';
import { Recorder } from './recorder.mjs';

const ENV = { TORTURE_KEY: 'torture', ARAGORA_RATE_LIMIT_REQUESTS: '0', ARAGORA_WS_CONN_RATE: '0', ARAGORA_WS_MAX_PER_IP: '0' };
// An answer of these debates takes 40 to 120 ms at this pace.
const PACE = { latency_ms: 30, token_rate: 400 };
const LIFE_MS = [20, 1000];
const CUTS_MAX = 4; // of one turn: the fifth fails it, and the debate would come to something else
const END_MS = 60_000;

function dice(seed) {
  let state = seed >>> 0;
  return (from, to) => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return from + ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * (to - from));
  };
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- one address, many lives ----

class Server {
  constructor(dir, env) {
    this.dir = dir;
    this.env = { ...ENV, ...env };
    this.starts = []; // ms from the start of the process until it served
    this.#down();
  }

  #down() {
    this.serves = new Promise((resolve) => (this.resolve = resolve));
  }

  up() {
    return this.serves;
  }

  get database() {
    return join(this.dir, 'aragora_memory.db');
  }

  async start(args = []) {
    this.port ??= await freePort();
    const began = performance.now();
    this.process = new Process(['server', '--port', String(this.port), '--ws-port', '0', ...args], { dir: this.dir, env: this.env });
    const [, url] = await this.process.line(/ready version=\S+ url=(http:\/\/\S+)/);
    this.starts.push(performance.now() - began);
    this.url = url;
    this.wsUrl = url.replace(/^http/, 'ws');
    this.resolve();
  }

  async kill() {
    this.#down();
    this.process.child.kill('SIGKILL');
    await this.process.exited;
    this.process.checkSanitizers();
  }

  async stop() {
    const end = await this.process.stop();
    assert.deepEqual(end, { code: 0, signal: null }, this.process.lines.join('\n'));
  }
}

// ---- the load ----

class Load {
  constructor(server, atOnce) {
    this.server = server;
    this.atOnce = atOnce;
    this.next = 1;
    this.acknowledged = new Map(); // id -> number
    this.followers = new Map(); // id -> Follower
    this.posting = true;
    this.lanes = Array.from({ length: atOnce }, (_, lane) => this.#lane(lane));
  }

  // Starts one debate after another and watches each to its end. Whether one whose answer got lost was
  // started nobody knows; it is not started again.
  async #lane(lane) {
    while (this.posting) {
      await this.server.up();
      const number = this.next++;
      const answer = await post(this.server, '/api/debates', debateBody(number)).catch(() => undefined);
      if (!answer || (answer.status === 200 && !answer.json)) continue;
      assert.equal(answer.status, 200, answer.text);
      this.acknowledged.set(answer.json.id, number);
      await this.follow(answer.json.id, lane % 2 === 1);
    }
  }

  follow(id, socket) {
    if (this.followers.has(id)) return this.followers.get(id).ended;
    const follower = new Follower(this.server, id, socket);
    this.followers.set(id, follower);
    return follower.ended;
  }

  running() {
    let count = 0;
    for (const follower of this.followers.values()) count += !follower.over;
    return count;
  }

  // A turn that was cut so often that the next kill would fail it.
  atRisk() {
    for (const follower of this.followers.values()) if (follower.mostCut >= CUTS_MAX) return true;
    return false;
  }

  async finish(ms = END_MS) {
    this.posting = false;
    let timer;
    const late = new Promise((_, reject) => {
      const open = () => [...this.followers.values()].filter((f) => !f.over).map((f) => `${f.id} at ${f.seq}`);
      timer = setTimeout(() => reject(new Error(`not ended after ${ms} ms: ${open()}`)), ms);
    });
    await Promise.race([Promise.all(this.lanes).then(() => Promise.all([...this.followers.values()].map((f) => f.ended))), late]);
    clearTimeout(timer);
  }
}

// ---- what must hold ----

const CONTENT = ['agent_message', 'critique', 'vote', 'agent_error', 'consensus', 'stop'];

// All that was said, voted and decided; what depends on the number of attempts is left out.
function contentOf(events) {
  const content = events.filter((e) => CONTENT.includes(e.type)).map((e) => {
    const data = { ...e.data };
    delete data.attempts;
    return JSON.stringify({ type: e.type, round: e.round, agent: e.agent, data });
  });
  const { outcome, status, degraded, degradations, stop_reason, rounds } = events.at(-1).data;
  return { content: content.sort(), end: { outcome, status, degraded, degradations, stop_reason, rounds } };
}

// What each turn of a log was: its attempts and whether its result is there.
function turnsOf(events) {
  const turns = new Map();
  for (const e of events) {
    const name = e.data?.turn;
    if (!name) continue;
    if (!turns.has(name)) turns.set(name, { starts: 0, known: 0, unknown: 0, models: new Set(), open: new Map(), unread: false, cut: false, done: false, again: 0 });
    const turn = turns.get(name);
    if (e.type === 'attempt_start') {
      assert.ok(!turn.done, `${e.id} ${name} is asked again at ${e.seq}, and its result is on disk`);
      assert.equal(e.data.repair, turn.unread, `${e.id} ${name} at ${e.seq}: a repair without a bad reply, or none with one`);
      turn.again += turn.cut;
      turn.cut = false;
      turn.starts++;
      turn.models.add(e.data.model);
      turn.open.set(e.data.attempt, e.data);
    } else if (e.type === 'attempt_end') {
      const start = turn.open.get(e.data.attempt);
      assert.ok(start, `${e.id} ${name} at ${e.seq}: an end without a start`);
      turn.open.delete(e.data.attempt);
      if (e.data.outcome === 'unknown') {
        turn.unknown++;
        turn.cut = true;
        assert.equal(e.data.tokens, start.reserved_tokens, `${e.id} at ${e.seq} is not booked at its reserve`);
        assert.equal(e.data.cost_usd_micro, start.reserved_usd_micro, `${e.id} at ${e.seq} is not booked at its reserve`);
        assert.ok(start.reserved_tokens > 0 && start.reserved_usd_micro > 0);
      } else {
        turn.known++;
        if (e.data.reply) turn.unread = true;
      }
    } else if (['agent_message', 'critique', 'vote', 'agent_error'].includes(e.type)) {
      turn.done = true;
    }
  }
  return turns;
}

function checkLog(events, number, recorder, sums) {
  const { id } = events[0];
  assert.equal(brokenChain(events), 0, `the chain of ${id} is broken`);
  assert.equal(events.at(-1).type, 'debate_end', `${id} did not end`);
  for (const [name, turn] of turnsOf(events)) {
    const key = `${number} ${name}`;
    const requests = recorder.counts.get(key) ?? 0;
    assert.equal(turn.open.size, 0, `${key}: an attempt without an end`);
    // An unknown attempt may have left or not; every other one did, once.
    assert.ok(requests >= turn.known && requests <= turn.starts,
      `${key}: ${requests} requests, ${turn.starts} attempts in the log, ${turn.known} of them with a known end`);
    assert.deepEqual([...(recorder.models.get(key) ?? turn.models)], [...turn.models], `${key} was asked of another model`);
    sums.starts += turn.starts;
    sums.unknown += turn.unknown;
    sums.again += turn.again;
    sums.seen += requests;
  }
  for (const e of events) {
    if (e.type === 'resumed') sums.resumed++;
    if (e.type !== 'attempt_end') continue;
    sums.tokens += e.data.tokens;
    sums.usd_micro += e.data.cost_usd_micro ?? 0;
  }
}

async function checkBooks(server, sums) {
  const booked = await spending(server.database);
  assert.deepEqual(booked, { tokens: sums.tokens, usd_micro: sums.usd_micro }, 'the table of spending is not the sum of the logs');
}

async function checkRestart(server, load) {
  const acknowledged = [...load.acknowledged.keys()]; // more come while we look
  assert.equal(await integrity(server.database), 'ok');
  const stored = new Set((await debates(server.database)).map((row) => row.id));
  for (const id of acknowledged) assert.ok(stored.has(id), `${id} was acknowledged and is gone`);
  for (const id of stored) load.follow(id, false); // also those whose acknowledgement got lost
}

// What a client saw live, over all restarts, is what the server says afterwards.
async function checkFollowers(server, load) {
  for (const [id, follower] of load.followers)
    assert.deepEqual(follower.frames, logged(await collectEvents(server, id)), id);
}

// ---- the runs ----

// The moments at which to kill, after each start.
function lives(kills, seed) {
  const throwDice = dice(seed);
  return Array.from({ length: kills }, () => throwDice(...LIFE_MS));
}

async function playUndisturbed(dir, numbers, atOnce, recorder, env) {
  const server = new Server(dir, env);
  await server.start();
  const left = [...numbers];
  const lane = async () => {
    while (left.length) {
      const { json } = await post(server, '/api/debates', debateBody(left.pop()));
      await new Follower(server, json.id, false).ended;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const byNumber = new Map();
  for (const events of (await logs(server.database)).values())
    byNumber.set(numberOfTask(events[0].data.task), contentOf(events));
  await server.stop();
  return byNumber;
}

async function killAgainAndAgain(server, load, kills, seed, say) {
  let running = 0;
  for (const [index, ms] of lives(kills, seed).entries()) {
    if (load.failed) return 0;
    await wait(ms);
    while (load.atRisk()) await wait(10);
    running += load.running();
    await server.kill();
    await server.start();
    await checkRestart(server, load);
    if ((index + 1) % 10 === 0) say(`${index + 1} of ${kills} kills, ${load.acknowledged.size} debates, ${load.running()} running`);
  }
  return running / kills;
}

async function startFake(dir, pace, args = []) {
  const path = join(dir, `script-${pace.latency_ms}.json`);
  writeFileSync(path, JSON.stringify(script(pace)));
  const fake = new Process(['fake-provider', '--port', '0', '--quiet', '--script', path, ...args], { dir });
  const [, url] = await fake.line(/listening on (http:\/\/\S+)/);
  return { process: fake, url };
}

function environment(dir, recorder) {
  const path = join(dir, 'agents.json');
  writeFileSync(path, JSON.stringify(agentsFile(recorder.url)));
  return { ARAGORA_AGENTS_FILE: path };
}

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * q))];

async function runDisturbed({ dir, kills, seed, atOnce, say }) {
  const fake = await startFake(dir, PACE);
  const recorder = await new Recorder(fake.url).start();
  const server = new Server(dir, environment(dir, recorder));
  try {
    await server.start();
    const load = new Load(server, atOnce);
    const failed = Promise.all(load.lanes).then(() => new Promise(() => {}), (error) => {
      load.failed = true;
      throw error;
    });
    const running = await Promise.race([killAgainAndAgain(server, load, kills, seed, say), failed]);
    await load.finish();
    const lost = [...load.followers.keys()].filter((id) => !load.acknowledged.has(id)).length;
    await checkFollowers(server, load);
    const health = await get(server, '/api/health');
    assert.equal(health.json.status, 'healthy');
    const all = await logs(server.database);
    const sums = { starts: 0, unknown: 0, again: 0, seen: 0, resumed: 0, tokens: 0, usd_micro: 0 };
    for (const events of all.values()) checkLog(events, numberOfTask(events[0].data.task), recorder, sums);
    await checkBooks(server, sums);
    assert.equal(recorder.total, sums.seen, 'a request that is for no turn of any log');
    await server.stop();
    const connects = [...load.followers.values()].reduce((sum, follower) => sum + follower.connects, 0);
    return { all, sums, load, server, running, lost, requests: recorder.total, connects };
  } finally {
    server.process?.child.kill('SIGKILL');
    recorder.stop();
    await fake.process.stop();
  }
}

async function compareUndisturbed({ dir, atOnce, all }) {
  const fake = await startFake(dir, { latency_ms: 0, token_rate: 0 });
  const recorder = await new Recorder(fake.url).start();
  try {
    const disturbed = new Map([...all.values()].map((events) => [numberOfTask(events[0].data.task), contentOf(events)]));
    const calm = await playUndisturbed(dir, disturbed.keys(), atOnce, recorder, environment(dir, recorder));
    assert.equal(calm.size, disturbed.size);
    for (const [number, content] of disturbed) assert.deepEqual(content, calm.get(number), `debate ${number} came to something else`);
    const outcomes = {};
    for (const { end } of calm.values()) outcomes[end.outcome] = (outcomes[end.outcome] ?? 0) + 1;
    return outcomes;
  } finally {
    recorder.stop();
    await fake.process.stop();
  }
}

// `dirs`: two empty directories.
export async function torture({ dirs, kills, seed = 1, atOnce = 24, say = () => {} }) {
  const began = performance.now();
  const run = await runDisturbed({ dir: dirs[0], kills, seed, atOnce, say });
  const outcomes = await compareUndisturbed({ dir: dirs[1], atOnce, all: run.all });
  const restarts = run.server.starts.slice(1);
  return {
    seed, kills,
    'debates running at a kill, mean': run.running.toFixed(1),
    'debates started and acknowledged': run.load.acknowledged.size,
    'debates whose acknowledgement a kill cut off': run.lost,
    'debates resumed (one may be so several times)': run.sums.resumed,
    'attempts in the logs': run.sums.starts,
    'attempts that a kill cut: unknown, booked at their reserve': run.sums.unknown,
    'turns asked again': run.sums.again,
    'requests that the provider saw': run.requests,
    'reconnects of live clients, each without a gap or a repeat': run.connects - run.load.followers.size,
    'events in the logs': [...run.all.values()].reduce((sum, events) => sum + events.length, 0),
    'outcomes': Object.entries(outcomes).map(([name, count]) => `${name} ${count}`).join(', '),
    'start to serving again, ms, median and most': `${quantile(restarts, 0.5).toFixed(0)}, ${quantile(restarts, 1).toFixed(0)}`,
    'seconds in all': ((performance.now() - began) / 1000).toFixed(0),
  };
}
