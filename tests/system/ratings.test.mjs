// Ratings: real debates over a scripted provider, against ELO computed here from what the API says of
// their ballots; once each, whatever is killed; and a rebuild that makes the same rows.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { call, collectEvents, connect, finished, get, startDebate } from './lib/client.mjs';
import { BINARY, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const run = promisify(execFile);
const ELO = 'aragora_elo.db';
const TABLES = ['contenders', 'standings', 'matches', 'match_players', 'match_pairs', 'head_to_head', 'match_totals'];

const suite = { cleanups: [], after: (fn) => suite.cleanups.push(fn) };
after(async () => {
  for (const fn of suite.cleanups.reverse()) await fn();
});

const proposal = (key) =>
  JSON.stringify({ answer: `The answer is ${key}.`, key_claims: ['because'], confidence: 0.7, answer_key: key });
const MODELS = { 'claude-opus-5': 'alpha', 'gpt-5.2': 'beta', 'gemini-3.5-flash': 'gamma', 'gpt-4.1': 'beta' };
const SCRIPT = {
  rules: [
    ...Object.entries(MODELS).map(([model, key]) => ({ match: { model, kind: 'proposal' }, reply: proposal(key) })),
    // So that somebody can come before the end.
    { match: { kind: 'ballot', prompt_contains: 'Who watches' }, latency_ms: 3000 },
  ],
};
const PANEL = ['anthropic-api', 'openai-api', 'gemini'];

const environmentOf = (fake) => ({
  ANTHROPIC_API_KEY: 'x',
  ANTHROPIC_BASE_URL: `${fake.url}/v1`,
  OPENAI_API_KEY: 'x',
  OPENAI_BASE_URL: `${fake.url}/v1`,
  GEMINI_API_KEY: 'x',
  GEMINI_BASE_URL: `${fake.url}/v1beta`,
});

async function fakeEnvironment(t) {
  const fake = await startFakeProvider(t, ['--quiet']);
  await call({ url: fake.url }, 'POST', '/_fake/script', SCRIPT);
  return environmentOf(fake);
}

async function until(what, holds, ms = 20_000) {
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    const value = await holds();
    if (value) return value;
    await new Promise((next) => setImmediate(next));
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

const board = async (server, query = '') => (await get(server, `/api/leaderboard${query}`)).json;

// Waits until so many debates were looked at.
const looked = (server, count) =>
  until(`${count} debates rated or not`, async () => {
    const b = await board(server);
    return b.rated_debates + b.unrated_debates === count && b;
  });

// ---- the arithmetic, a second time ----

// What one debate object does to ratings: Map of agent type -> points. The types here have a model each.
function rate(ratings, debate) {
  const position = new Map();
  debate.positions.forEach((p, i) => p.holders.forEach((name) => position.set(name, `p${i}`)));
  const type = (name) => name.replace(/_\d+$/, '');
  const before = (name) => ratings.get(type(name)) ?? 1500;
  const change = new Map();
  const add = (name, points) => change.set(type(name), (change.get(type(name)) ?? 0) + points);
  for (const ballot of debate.ballots) {
    const order = ballot.ranking.filter((p) => p !== position.get(ballot.agent));
    const pairs = [];
    for (let i = 0; i < order.length; i++)
      for (let j = i + 1; j < order.length; j++)
        for (const [a, pa] of position)
          for (const [b, pb] of position) if (pa === order[i] && pb === order[j]) pairs.push([a, b]);
    for (const [a, b] of pairs) {
      if (type(a) === type(b)) continue;
      const expected = 1 / (1 + 10 ** ((before(b) - before(a)) / 400));
      add(a, (32 * (1 - expected)) / pairs.length);
      add(b, (-32 * (1 - expected)) / pairs.length);
    }
  }
  const after = new Map(ratings);
  for (const [name, points] of change) after.set(name, before(name) + points);
  return after;
}

const near = (got, want, what) => assert.ok(Math.abs(got - want) < 0.01, `${what}: ${got}, not ${want}`);

// ---- one server, several debates ----

describe('debates are rated', () => {
  let server;
  let ratings = new Map();
  const ids = [];
  before(async () => {
    server = await startServer(suite, { env: await fakeEnvironment(suite) });
  });

  async function debate(body) {
    const { debate_id: id } = await startDebate(server, { rounds: 0, fast_path: false, ...body });
    ids.push(id);
    return finished(server, id);
  }

  test('before the first, everybody who can be asked stands at 1500', async () => {
    const b = await board(server);
    assert.equal(b.count, b.agents.length);
    assert.equal(b.updated_at, null);
    assert.deepEqual([b.rated_debates, b.unrated_debates], [0, 0]);
    assert.ok(b.agents.some(({ name }) => name === 'openai-api'));
    assert.ok(!b.agents.some(({ name }) => name === 'grok'), 'it has no key');
    for (const a of b.agents) {
      assert.deepEqual([a.elo, a.elo_rating, a.rank, a.games, a.provisional, a.win_rate], [1500, 1500, 1, 0, true, null]);
      assert.equal(a.league, a.name === 'demo' ? 'demo' : 'standard');
    }
    assert.deepEqual(b.rankings, b.agents);
    assert.deepEqual(b.entries, b.agents);
    assert.deepEqual((await get(server, '/api/leaderboard/rankings')).json, b);
    assert.deepEqual((await get(server, '/api/rankings')).json, b);
  });

  test('as the formula says, overall and in its domain', async () => {
    let domain = new Map();
    for (let i = 0; i < 4; i++) {
      const law = i % 2 === 1;
      const body = { task: `Which letter ${i}?`, agents: PANEL, ...(law && { metadata: { domain: 'law' } }) };
      const done = await debate(body);
      assert.equal(done.positions.length, 3);
      ratings = rate(ratings, done);
      if (law) domain = rate(domain, done);
      const b = await looked(server, i + 1);
      for (const [name, elo] of ratings) near(b.agents.find((a) => a.name === name).elo, elo, name);
    }
    const b = await board(server, '?domain=law');
    for (const [name, elo] of domain) near(b.agents.find((a) => a.name === name).elo, elo, `${name} in law`);
    assert.equal(b.agents.find(({ name }) => name === 'gemini').games, 2);
  });

  test('one model twice, and two on one position', async () => {
    const done = await debate({ task: 'Which letter of four?', agents: [...PANEL, 'openai-41', 'openai-api'] });
    assert.deepEqual(done.positions.map(({ holders }) => holders.length).sort(), [1, 1, 3]);
    ratings = rate(ratings, done);
    const b = await looked(server, 5);
    for (const [name, elo] of ratings) near(b.agents.find((a) => a.name === name).elo, elo, name);
    const allies = (await get(server, '/api/agent/openai-api/allies')).json.allies;
    assert.deepEqual(allies.map(({ name, agreements }) => [name, agreements]), [['openai-41', 1]]);
    const sum = b.agents.reduce((total, { elo }) => total + elo - 1500, 0);
    near(sum, 0, 'the sum of all changes');
    const ranks = b.agents.filter(({ league }) => league === 'standard');
    for (let i = 1; i < ranks.length; i++) assert.ok(ranks[i - 1].elo >= ranks[i].elo && ranks[i - 1].rank <= ranks[i].rank);
  });

  test('history, records and matches add up to the rating', async () => {
    for (const name of PANEL) {
      const profile = (await get(server, `/api/agents/${name}`)).json;
      assert.deepEqual((await get(server, `/api/agent/${name}/profile`)).json, profile);
      const { history, matches } = (await get(server, `/api/agent/${name}/history?limit=100`)).json;
      assert.deepEqual(matches, history);
      assert.deepEqual(history.map(({ debate_id }) => debate_id), [...ids].reverse());
      near(1500 + history.reduce((total, { elo_change }) => total + elo_change, 0), profile.elo, name);
      assert.equal(history[0].elo, profile.elo);
      const count = (result) => history.filter((step) => step.result === result).length;
      assert.deepEqual([count('win'), count('loss'), count('draw')], [profile.wins, profile.losses, profile.draws]);
      assert.equal(profile.games, history.length);
      if (profile.games) near(profile.win_rate, profile.wins / profile.games, 'win_rate');
      assert.deepEqual(profile.domains.map(({ domain }) => domain), ['general', 'law']);
    }
    const recent = (await get(server, '/api/matches/recent?limit=2')).json.matches;
    assert.deepEqual(recent.map(({ debate_id }) => debate_id), [ids[4], ids[3]]);
    const { rivals } = (await get(server, '/api/agent/gemini/rivals')).json;
    assert.deepEqual(rivals.map(({ matches }) => matches), rivals.map(({ matches }) => matches).sort((a, b) => b - a));
    const one = (await get(server, '/api/agent/gemini/head-to-head/openai-api')).json;
    const other = (await get(server, '/api/agent/openai-api/head-to-head/gemini')).json;
    assert.deepEqual([one.wins, one.losses, one.draws], [other.losses, other.wins, other.draws]);
    assert.equal(one.debates, 5);
    const { agents } = (await get(server, '/api/agent/compare?agents=gemini,openai-api')).json;
    assert.deepEqual(agents.map(({ name }) => name), ['gemini', 'openai-api']);
    const listed = (await get(server, '/api/agents?include_stats=true')).json.agents;
    assert.equal(listed.find(({ name }) => name === 'gemini').elo, agents[0].elo);
    assert.equal(listed.find(({ name }) => name === 'grok').elo, 1500);
  });

  test('those that rank nobody are counted, with the reason', async () => {
    await debate({ task: 'One model?', agents: ['openai-api', 'openai-api', 'openai-api'] });
    await debate({ task: 'A judge?', agents: PANEL, consensus: 'judge' });
    await debate({ task: 'Nothing?', agents: PANEL, consensus: 'none' });
    await debate({ task: 'All the same?', agents: ['openai-api', 'openai-41'], fast_path: true });
    const was = await board(server);
    const b = await looked(server, 9);
    assert.equal(b.rated_debates, 5);
    assert.deepEqual(b.unrated_reasons, { fast_path: 1, judge: 1, no_pairs: 1, no_vote: 1 });
    assert.deepEqual(b.agents, was.agents);
    const metrics = (await get(server, '/metrics')).text;
    assert.match(metrics, /^aragora_rated_debates_total 5$/m);
    assert.match(metrics, /^aragora_unrated_debates_total\{reason="judge"\} 1$/m);
    assert.match(metrics, /^aragora_unrated_debates_total\{reason="deleted"\} 0$/m);
    const gemini = Math.round(b.agents.find(({ name }) => name === 'gemini').elo);
    assert.match(metrics, new RegExp(`^aragora_agent_elo_rating\\{agent="gemini"\\} ${gemini}$`, 'm'));
  });

  test('the page of metrics, which is public, shows the operator\'s ratings alone', async (t) => {
    const env = { ...(await fakeEnvironment(t)), ARAGORA_REGISTER_RATE: '0' };
    const dir = temporaryDirectory();
    const own = await startServer(t, { env, dir });
    const { json } = await call(own, 'POST', '/api/auth/register',
      { email: 'ann@example.org', password: 'ann has a long password' });
    const headers = { Authorization: `Bearer ${json.access_token}` };
    const begun = await call(own, 'POST', '/api/debates',
      { task: 'Of a tenant?', agents: PANEL, rounds: 0, fast_path: false }, headers);
    assert.equal(begun.status, 200);
    await own.line(/rating=done/);
    let metrics;
    do metrics = (await get(own, '/metrics')).text; // the counter follows the line
    while (!/^aragora_rated_debates_total 1$/m.test(metrics));
    const rating = /^aragora_agent_elo_rating\{agent="(openai-api|gemini|anthropic-api)"\}/m;
    assert.doesNotMatch((await get(own, '/metrics')).text, rating);
    await own.stop();
    const again = await startServer(t, { env, dir });
    assert.doesNotMatch((await get(again, '/metrics')).text, rating);
  });

  test('who watches is told after the end, without a seq', async (t) => {
    const { debate_id: id } = await startDebate(server, { task: 'Who watches?', agents: PANEL, rounds: 0 });
    const socket = await connect(t, server, `/ws/debates/${id}`);
    const match = (await socket.ofType('match_recorded')).data;
    const update = (await socket.ofType('leaderboard_update')).data;
    const elos = socket.frames.filter(({ type }) => type === 'agent_elo_updated').map(({ data }) => data);
    const at = (type) => socket.frames.findIndex((frame) => frame.type === type);
    assert.ok(at('debate_end') >= 0 && at('debate_end') < at('match_recorded'));
    for (const frame of socket.frames.slice(at('match_recorded'))) assert.equal(frame.seq, undefined);
    assert.deepEqual(match.participants, PANEL);
    assert.equal(match.domain, 'general');
    near(Object.values(match.elo_changes).reduce((a, b) => a + b, 0), 0, 'the sum');
    const b = await board(server);
    for (const { agent, new_elo } of elos) assert.equal(new_elo, b.agents.find((a) => a.name === agent).elo);
    assert.deepEqual(
      update.leaderboard.map(({ agent, elo }) => [agent, elo]),
      b.agents.map(({ name, elo }) => [name, elo]),
    );
  });

  test('a wrong question is refused', async () => {
    assert.equal((await get(server, '/api/leaderboard?league=x')).json.field, 'league');
    assert.equal((await get(server, `/api/leaderboard?domain=${'x'.repeat(65)}`)).status, 400);
    assert.equal((await get(server, '/api/agents/nobody')).status, 404);
    assert.equal((await get(server, '/api/agent/gemini/head-to-head/nobody')).status, 404);
    assert.equal((await get(server, '/api/agent/compare')).json.field, 'agents');
    assert.equal((await get(server, '/api/leaderboard?limit=2')).json.count, 2);
  });
});

// ---- once each, and again the same ----

const rows = (dir) =>
  TABLES.map((table) => execFileSync('sqlite3', [join(dir, ELO), `SELECT * FROM ${table}`], { encoding: 'utf8' })).join('--\n');
const rebuild = async (dir) => JSON.parse((await run(BINARY, ['ratings', 'rebuild', '--json', '--data-dir', dir])).stdout);
const forget = (dir) => {
  for (const name of readdirSync(dir).filter((name) => name.startsWith(ELO))) rmSync(join(dir, name));
};

test('a text that a fallback wrote rates nobody, in a fork neither', async (t) => {
  const fake = await startFakeProvider(t, ['--quiet']);
  const rules = [
    { match: { path: '/v1beta' }, fault: 'status-401' },
    ...Object.entries({ 'claude-opus-5': 'alpha', 'gpt-5.2': 'beta', 'gpt-4.1': 'gamma' })
      .map(([model, key]) => ({ match: { model, kind: 'proposal' }, reply: proposal(key) })),
  ];
  await call({ url: fake.url }, 'POST', '/_fake/script', { rules });
  const agents = join(temporaryDirectory(t), 'agents.json');
  writeFileSync(agents, JSON.stringify({ agents: [{ type: 'gemini', fallback: ['openai-41'] }] }));
  const env = { ...environmentOf(fake), ARAGORA_AGENTS_FILE: agents, ARAGORA_MAX_RETRIES: '0' };
  const server = await startServer(t, { env });
  const { debate_id: id } = await startDebate(server, { task: 'Which letter?', agents: PANEL, rounds: 0 });
  const parent = await finished(server, id);
  const fork = await call(server, 'POST', `/api/debates/${id}/fork`, { branch_point: 0 });
  const debate = await finished(server, fork.json.debate_id);
  for (const { degraded, degradations } of [parent, debate]) {
    assert.equal(degraded, true);
    const row = degradations.find(({ turn }) => turn === '0.proposal.gemini');
    assert.deepEqual([row.agent, row.cause, row.detail], ['gemini', 'fallback', 'openai gpt-4.1 answered instead']);
  }
  const b = await looked(server, 2);
  assert.equal(b.rated_debates, 2);
  const games = (name) => b.agents.find((agent) => agent.name === name).games;
  assert.deepEqual(PANEL.map(games), [2, 2, 0]);
});

describe('whatever happens', () => {
  test('a kill between end and rating: rated once, after the restart; a rebuild makes the same rows', async (t) => {
    const env = await fakeEnvironment(t);
    const dir = temporaryDirectory(t);
    const ids = [];
    for (let i = 0; i < 4; i++) {
      const server = await startServer(undefined, { dir, env });
      t.after(() => server.stop('SIGKILL'));
      const { debate_id: id } = await startDebate(server, { task: `Killed ${i}?`, agents: PANEL, rounds: 0 });
      ids.push(id);
      await collectEvents(server, id, { until: ({ type }) => type === 'debate_end' });
      await server.stop('SIGKILL');
    }
    const server = await startServer(undefined, { dir, env });
    t.after(() => server.stop('SIGKILL'));
    assert.equal((await looked(server, 4)).rated_debates, 4);
    await assert.rejects(rebuild(dir), /a server runs on/);
    await server.stop();
    const incremental = rows(dir);
    assert.deepEqual(await rebuild(dir), { rated_debates: 4, unrated_debates: 0, kept: 0 });
    assert.equal(rows(dir), incremental);

    // Everything is lost: what ended is rated at the next start, in the same order.
    forget(dir);
    const again = await startServer(undefined, { dir, env });
    t.after(() => again.stop('SIGKILL'));
    await looked(again, 4);
    // What was deleted stays rated, also in a rebuild; only without the file there is nothing left.
    assert.equal((await call(again, 'DELETE', `/api/debates/${ids[1]}`)).status, 200);
    await again.stop();
    assert.equal(rows(dir), incremental);
    assert.deepEqual(await rebuild(dir), { rated_debates: 4, unrated_debates: 0, kept: 1 });
    assert.equal(rows(dir), incremental);
    forget(dir);
    assert.deepEqual(await rebuild(dir), { rated_debates: 3, unrated_debates: 1, kept: 0 });
    const less = rows(dir);
    assert.match(less, /^local\|deleted\|1\|/m);
    await rebuild(dir);
    assert.equal(rows(dir), less);
  });

  test('the command line shows them, and a debate without a server is rated too', async (t) => {
    const env = { PATH: process.env.PATH, ...(await fakeEnvironment(t)) };
    const dir = temporaryDirectory(t);
    const args = ['--data-dir', dir];
    await run(BINARY, ['ask', 'Which letter?', '--agents', PANEL.join(), '--rounds', '0', '--quiet', ...args], { env });
    const shown = JSON.parse((await run(BINARY, ['ratings', 'show', '--json', ...args], { env })).stdout);
    assert.deepEqual([shown.rated_debates, shown.unrated_debates, shown.due], [1, 0, 0]);
    const list = JSON.parse((await run(BINARY, ['leaderboard', '--json', ...args], { env })).stdout);
    assert.equal(list.agents.filter(({ games }) => games === 1).length, 3);
    const table = await run(BINARY, ['leaderboard', '--domain', 'general', '--no-color', ...args], { env });
    assert.match(table.stdout, /^RANK +AGENT +ELO +GAMES +WON\/LOST\/DRAWN +MODEL/);
    assert.match(table.stdout, /gemini-3\.5-flash/);
    assert.match(table.stderr, /1 debates rated, 0 not/);
  });
});

// ---- an older database of debates ----

const MEMORY = 'aragora_memory.db';
const QUESTION = { task: 'Which of the three?', agents: PANEL, rounds: 0, fast_path: false };
const copies = (dir) => readdirSync(dir).filter((name) => name.startsWith(`${ELO}.before-rebuild-`));
const rated = (path) => execFileSync('sqlite3', [path, 'SELECT debate_id FROM matches ORDER BY number'], { encoding: 'utf8' }).trim().split('\n');
const counted = async (dir) => JSON.parse((await run(BINARY, ['ratings', 'show', '--json', '--data-dir', dir])).stdout);
const warned = async (server) => (await get(server, '/api/health')).json.warnings.find((text) => text.startsWith('Debates are not rated'));

describe('an older aragora_memory.db is put back', () => {
  // Two debates rated, and a copy of the database of debates from between them.
  async function twoTimes(t) {
    const dir = temporaryDirectory(t);
    const copy = join(temporaryDirectory(t), MEMORY);
    const env = await fakeEnvironment(t);
    const server = await startServer(undefined, { dir, env });
    const first = (await startDebate(server, QUESTION)).id;
    await looked(server, 1);
    execFileSync('sqlite3', [join(dir, MEMORY), `.backup ${copy}`]);
    const second = (await startDebate(server, QUESTION)).id;
    await looked(server, 2);
    assert.equal((await server.stop()).code, 0);
    assert.equal((await counted(dir)).rated_debates, 2);
    return { dir, env, copy, first, second };
  }

  test('the ratings are made anew, what they were is kept, and debates are rated again', async (t) => {
    const { dir, env, copy, first, second } = await twoTimes(t);
    copyFileSync(copy, join(dir, MEMORY));
    const server = await startServer(t, { dir, env });
    const [, kept] = await server.line(/rating=rebuild reason=.*they are not of one time.* is kept as ([^\s"]+)/);
    await server.line(/rating=rebuilt rated=1 unrated=0 kept=0/);
    assert.deepEqual(rated(kept), [first, second]);
    assert.deepEqual(copies(dir), [basename(kept)]);
    const { id } = await startDebate(server, QUESTION);
    await looked(server, 2);
    assert.deepEqual(rated(join(dir, ELO)), [first, id]);
    assert.equal(await warned(server), undefined);

    assert.equal((await board(server)).agents.filter(({ games }) => games === 2).length, 3);

    // Once: the next start finds them together.
    await server.stop();
    const again = await startServer(t, { dir, env });
    await startDebate(again, QUESTION);
    await looked(again, 3);
    assert.equal(copies(dir).length, 1);
  });

  test('without room for the copy nothing is made anew, and log, health and doctor say so', async (t) => {
    const { dir, env, copy } = await twoTimes(t);
    copyFileSync(copy, join(dir, MEMORY));
    // Where the copy would be written first, something is in the way: whatever the second.
    const at = Date.now();
    for (let s = 0; s < 120; s++) {
      const stamp = new Date(at + 1000 * s).toISOString().replace(/\.\d+|[-:]/g, '');
      mkdirSync(join(dir, `${ELO}.before-rebuild-${stamp}.partial`));
    }
    const server = await startServer(t, { dir, env });
    await server.line(/rating=stopped reason=.*they are not of one time.*no copy could be kept.*aragora ratings rebuild/);
    assert.match(await warned(server), /aragora ratings rebuild/);
    const doctor = spawnSync(BINARY, ['doctor', '--offline', '--data-dir', dir], { encoding: 'utf8' });
    assert.match(doctor.stdout, /not of one time[\s\S]*aragora ratings rebuild/);
    await server.stop();
    assert.equal((await rebuild(dir)).rated_debates, 1);
    const again = await startServer(t, { dir, env });
    await startDebate(again, QUESTION);
    await looked(again, 2);
  });

  test('an empty one is a wrong path rather than a restored file: the ratings stay', async (t) => {
    const { dir, env, first, second } = await twoTimes(t);
    const server = await startServer(t, { dir, env, args: ['--db-path', join(dir, 'mistyped.db'), '--elo-path', join(dir, ELO)] });
    await server.line(/rating=stopped reason=.*is --db-path right\?.*aragora ratings rebuild/);
    assert.match(await warned(server), /aragora ratings rebuild/);
    // Nor when the first has ended there.
    await finished(server, (await startDebate(server, QUESTION)).id);
    await server.stop();
    assert.deepEqual(rated(join(dir, ELO)), [first, second]);
    assert.deepEqual(copies(dir), []);
  });
});
