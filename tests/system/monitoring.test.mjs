// What watches the server: the metrics as Prometheus reads them, the alerts and their tests, the dashboard
// against a real Prometheus that scrapes a loaded server, and that no name is spoken of that is not there.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Socket, finished, get, post, startDebate } from './lib/client.mjs';
import { freePort, startFakeProvider, startServer, temporaryDirectory } from './lib/server.mjs';

const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const RULES = join(ROOT, 'deploy/prometheus');
const DASHBOARD = JSON.parse(readFileSync(join(ROOT, 'docs/grafana/aragora-dashboard.json'), 'utf8'));
const KEY = 'test-key-0123456789';
const found = (program) => spawnSync('which', [program]).status === 0;
const noPromtool = found('promtool') ? false : 'promtool is not installed (package prometheus)';
const noPrometheus = found('prometheus') ? false : 'prometheus is not installed';

let server;
let fake;

before(async () => {
  const script = join(temporaryDirectory(), 'script.json');
  writeFileSync(script, JSON.stringify({ rules: [{ match: { every: 7 }, fault: 'status-500' }] }));
  fake = await startFakeProvider(undefined, ['--quiet', '--script', script]);
  server = await startServer(undefined, {
    args: ['--profile-memory'],
    env: { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${fake.url}/v1`, ARAGORA_PROFILE_MEMORY_S: '1' },
  });
});

after(async () => {
  await server?.stop('SIGKILL');
  await fake?.stop();
});

const DEBATE = { task: 'Should we?', agents: ['openai-api', 'demo', 'demo'], rounds: 1, fast_path: false };

async function metrics() {
  const answer = await get(server, '/api/metrics');
  assert.equal(answer.status, 200);
  return answer.text;
}

// Every name that the exposition has, series of histograms included.
async function exposed() {
  const names = new Set();
  for (const line of (await metrics()).split('\n')) {
    const match = /^(?:# TYPE )?([a-z_]+)/.exec(line);
    if (match) names.add(match[1]);
  }
  return names;
}

describe('the metrics', () => {
  test('are text of version 0.0.4, every series of known labels at 0 from the start', async () => {
    const answer = await get(server, '/api/metrics');
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    for (const line of [
      'aragora_debates_total 0', 'aragora_debates_completed 0', 'aragora_debates_completed_total 0',
      'aragora_debates_failed 0', 'aragora_debates_failed_total 0', 'aragora_ws_connections_active 0',
      'aragora_agent_response_seconds_count{agent="openai-api"} 0',
      'aragora_agent_response_seconds_bucket{agent="openai-api",le="120"} 0',
      'aragora_tokens_used_total{agent="openai-api",direction="in"} 0',
      'aragora_circuit_breaker_state{agent="openai-api"} 0',
    ])
      assert.ok(answer.text.includes(`\n${line}\n`), line);
  });

  test('what the alert on failures divides has the same labels: none', async () => {
    const text = await metrics();
    for (const name of ['aragora_debates_total', 'aragora_debates_failed', 'aragora_debates_completed'])
      assert.match(text, new RegExp(`^${name} \\d+$`, 'm'));
  });

  test('promtool finds fault with the two names of the runbook alone', { skip: noPromtool }, async () => {
    const { stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await metrics(), encoding: 'utf8' });
    const complaints = stderr.trim().split('\n').filter(Boolean).sort();
    assert.deepEqual(complaints, [
      'aragora_debates_completed counter metrics should have "_total" suffix',
      'aragora_debates_failed counter metrics should have "_total" suffix',
    ]);
  });

  test('are JSON for who asks for it, as the earlier server gave them', async () => {
    for (const answer of [await get(server, '/api/metrics?format=json'), await get(server, '/api/metrics', { Accept: 'application/json' })]) {
      const { json } = answer;
      assert.ok(json.uptime_seconds > 0 && typeof json.uptime_human === 'string');
      assert.ok(json.requests.total > 0 && json.requests.error_rate >= 0);
      assert.equal(json.requests.top_endpoints[0].endpoint, '/api/metrics');
      assert.ok(json.databases['aragora_memory.db'].bytes > 0 && json.databases['aragora_elo.db'].human);
      assert.equal(typeof json.cache.entries, 'number');
      assert.ok(Date.parse(json.timestamp));
    }
  });
});

describe('alerts', { skip: noPromtool }, () => {
  const promtool = (...args) => execFileSync('promtool', args, { cwd: RULES, encoding: 'utf8' });

  test('are valid, and so is the configuration that names them', () => {
    promtool('check', 'rules', 'aragora-rules.yml');
    promtool('check', 'config', 'prometheus.yml');
  });

  test('each fires on its incident and stays silent otherwise', () => {
    const text = readFileSync(join(RULES, 'aragora-rules-test.yml'), 'utf8');
    const alerts = [...readFileSync(join(RULES, 'aragora-rules.yml'), 'utf8').matchAll(/- alert: (\w+)/g)].map((m) => m[1]);
    assert.ok(alerts.length >= 20);
    for (const alert of alerts) for (const way of ['fires', 'is silent']) assert.ok(text.includes(`- name: ${alert} ${way}\n`), `${alert} ${way}`);
    promtool('test', 'rules', 'aragora-rules-test.yml');
  });

  test('the three of the runbook stand as it prints them', () => {
    const text = readFileSync(join(RULES, 'aragora-rules.yml'), 'utf8');
    for (const expr of [
      'histogram_quantile(0.95, aragora_agent_response_seconds) > 30',
      'aragora_circuit_breaker_state == 2',
      'rate(aragora_debates_failed[5m]) / rate(aragora_debates_total[5m]) > 0.1',
    ])
      assert.ok(text.includes(`expr: ${expr}\n`), expr);
  });
});

// ---- the dashboard ----

const panels = () => DASHBOARD.panels.flatMap((p) => [p, ...(p.panels ?? [])]).filter((p) => p.type !== 'row');
const queries = () => panels().flatMap((panel) => panel.targets.map((target) => ({ panel: panel.title, ref: target.refId, expr: target.expr })));

test('the dashboard keeps the rules of a dashboard that can be imported anywhere', () => {
  assert.equal(DASHBOARD.uid, 'aragora-overview');
  assert.equal(DASHBOARD.id, null);
  const variables = Object.fromEntries(DASHBOARD.templating.list.map((v) => [v.name, v]));
  assert.equal(variables.datasource.type, 'datasource');
  assert.equal(variables.datasource.query, 'prometheus');
  for (const name of ['job', 'instance']) assert.equal(variables[name].datasource.uid, '${datasource}');
  assert.ok(variables.instance.multi && variables.instance.includeAll);
  const ids = DASHBOARD.panels.map((p) => p.id);
  assert.equal(new Set(ids).size, ids.length, 'ids');
  assert.equal(new Set(panels().map((p) => p.title)).size, panels().length, 'titles');
  for (const panel of panels()) {
    for (const field of ['title', 'description']) assert.ok(panel[field]?.trim(), `${panel.id}: ${field}`);
    assert.ok(panel.fieldConfig.defaults.unit, `${panel.title}: unit`);
    assert.equal(panel.datasource.uid, '${datasource}', panel.title);
    assert.ok(panel.targets.length > 0, panel.title);
    for (const target of panel.targets) {
      assert.equal(target.datasource.uid, '${datasource}', panel.title);
      assert.ok(target.legendFormat, panel.title);
      assert.match(target.expr, /job="\$job", instance=~"\$instance"/, panel.title);
      for (const [, range] of target.expr.matchAll(/\[([^\]]+)\]/g)) assert.equal(range, '$__rate_interval', panel.title);
      // A counter is nothing without its rate.
      for (const [, before, name] of target.expr.matchAll(/(\w*)\(?(aragora_\w+_(?:total|bucket))\{/g))
        assert.match(before, /rate|increase/, `${panel.title}: ${name}`);
    }
  }
  // Panels do not lie on each other.
  const taken = new Set();
  for (const { gridPos: g, title } of DASHBOARD.panels)
    for (let x = g.x; x < g.x + g.w; x++)
      for (let line = g.y; line < g.y + g.h; line++) {
        assert.ok(x < 24 && !taken.has(`${x},${line}`), `${title} at ${x},${line}`);
        taken.add(`${x},${line}`);
      }
});

test('every metric that the dashboard, the rules and the documents name is exposed', async () => {
  const names = await exposed();
  names.add('aragora_agent_response_seconds'); // the recording rule's
  const sources = { dashboard: JSON.stringify(queries()), rules: readFileSync(join(RULES, 'aragora-rules.yml'), 'utf8') };
  for (const name of readdirSync(join(ROOT, 'docs'))) if (name.endsWith('.md')) sources[name] = readFileSync(join(ROOT, 'docs', name), 'utf8');
  sources.readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const known = (name) => names.has(name) || names.has(name.replace(/_(bucket|sum|count)$/, ''));
  const notMetrics = /^aragora_(memory|elo)(_\d+|_YYYY\w*)?$|^aragora_(server|core|config|agent)$/;
  for (const [source, text] of Object.entries(sources))
    for (const [name] of text.matchAll(/\b(?:aragora|process)_[a-z_]*[a-z]\b(?![.*/-])/g))
      if (!notMetrics.test(name) && /_/.test(name.slice(8))) assert.ok(known(name), `${source}: ${name}`);
});

describe('a real Prometheus', { skip: noPrometheus }, () => {
  let prometheus;
  let api;

  before(async () => {
    const dir = temporaryDirectory();
    const port = await freePort();
    const config = join(dir, 'prometheus.yml');
    writeFileSync(config, readFileSync(join(RULES, 'prometheus.yml'), 'utf8')
      .replaceAll('15s', '1s').replace('localhost:8080', `127.0.0.1:${server.port}`).replace('- aragora-rules.yml', `- ${RULES}/aragora-rules.yml`));
    prometheus = spawn('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: 'ignore' });
    process.on('exit', () => prometheus.kill('SIGKILL'));
    api = { url: `http://127.0.0.1:${port}` };
    for (const until = Date.now() + 30_000; ; ) {
      if (await get(api, '/-/ready').then(({ status }) => status === 200, () => false)) break;
      assert.ok(Date.now() < until, 'prometheus does not start');
      await new Promise((wake) => setTimeout(wake, 100));
    }
  });

  after(() => prometheus?.kill('SIGKILL'));

  const query = async (expr) => {
    const { json, text } = await get(api, `/api/v1/query?query=${encodeURIComponent(expr)}`);
    assert.equal(json?.status, 'success', `${expr}: ${text}`);
    return json.data.result;
  };
  const substituted = (expr) => expr.replaceAll('$__rate_interval', '20s').replaceAll('$job', 'aragora').replaceAll('$instance', '.+');

  // Debates, a WebSocket, an event stream, an answer of each kind, until `done`.
  async function load(done) {
    const socket = new Socket(`${server.wsUrl}/ws`);
    await socket.opened();
    while (!done()) {
      const { id } = await startDebate(server, DEBATE);
      await finished(server, id);
      await get(server, '/api/debates');
      await get(server, '/api/debates/nowhere');
    }
    socket.ws.close();
  }

  test('every query of every panel returns data from a loaded server', async () => {
    let over = false;
    const loading = load(() => over);
    const waiting = new Map(queries().map((q) => [`${q.panel} ${q.ref}`, q]));
    try {
      for (const until = Date.now() + 60_000; waiting.size && Date.now() < until; ) {
        for (const [name, q] of waiting) {
          const result = await query(substituted(q.expr));
          if (result.some(({ value }) => Number.isFinite(Number(value[1])))) waiting.delete(name);
        }
        await new Promise((wake) => setTimeout(wake, 500));
      }
    } finally {
      over = true;
      await loading;
    }
    assert.deepEqual([...waiting.keys()], []);
  });

  test('loads the rules, and records the series that the printed alert asks for', async () => {
    // A rule is first evaluated up to a second after the scrapes that the queries above were content with.
    let rules = [];
    let recorded = [];
    for (const until = Date.now() + 30_000; Date.now() < until; ) {
      rules = (await get(api, '/api/v1/rules')).json.data.groups.flatMap((g) => g.rules);
      recorded = await query('aragora_agent_response_seconds');
      if (recorded.length > 0 && rules.every(({ health }) => health !== 'unknown')) break;
      await new Promise((wake) => setTimeout(wake, 200));
    }
    for (const rule of rules) assert.equal(rule.health, 'ok', `${rule.name}: ${rule.lastError}`);
    assert.ok(recorded.some(({ metric }) => metric.le === '30'));
    assert.ok((await query('histogram_quantile(0.95, aragora_agent_response_seconds)')).length > 0);
  });
});

// ---- what the server says of itself ----

test('/api/system/errors has what the log has at WARNING and above, newest first', async () => {
  const { json } = await get(server, '/api/system/errors?limit=5');
  assert.ok(json.errors.length > 0 && json.errors.length <= 5);
  for (const error of json.errors) {
    assert.match(error.level, /^(warning|error)$/);
    assert.ok(server.lines.some((line) => line.includes('"level":"WARNING"') || line.includes('"level":"ERROR"')));
    assert.ok(Date.parse(error.timestamp));
  }
  const ids = json.errors.map((e) => Number(e.id));
  assert.deepEqual(ids, [...ids].sort((a, b) => b - a));
  const logged = server.lines.map((line) => JSON.parse(line)).filter((line) => /WARNING|ERROR/.test(line.level));
  assert.equal(json.total, logged.length);
  assert.equal(json.errors[0].message, logged.at(-1).msg);
  assert.equal(json.errors[0].debate_id, logged.at(-1).debate_id ?? null);
});

test('/api/system/memory says what holds memory, now and over time', async () => {
  await get(server, '/api/debates');
  const { json } = await get(server, '/api/system/memory');
  const { bytes } = json.now;
  assert.ok(bytes.resident > bytes.anonymous && bytes.anonymous > 0);
  assert.ok(bytes.malloc_used > bytes.database_readers && bytes.database_readers > 0);
  assert.deepEqual(Object.keys(json.meaning), Object.keys(bytes));
  assert.ok(json.profile.readings.length >= 1);
  assert.equal(json.profile.grown.resident, bytes.resident - json.profile.start.bytes.resident);
  const text = await metrics();
  for (const name of Object.keys(bytes)) assert.match(text, new RegExp(`^aragora_memory_bytes\\{subsystem="${name}"\\} \\d+$`, 'm'));
});

test('--profile-memory notes what grew at the end', async () => {
  const own = await startServer(undefined, { args: ['--profile-memory'], env: { ARAGORA_PROFILE_MEMORY_S: '3600' } });
  await finished(own, (await startDebate(own, { ...DEBATE, agents: ['demo', 'demo', 'demo'] })).id);
  assert.equal((await own.stop()).code, 0);
  const lines = own.lines.map((line) => JSON.parse(line).msg).filter((msg) => msg.startsWith('memory='));
  assert.deepEqual(lines.map((msg) => /^memory=(\w+)/.exec(msg)[1]), ['start', 'end', 'grown']);
  const value = (msg, name) => Number(new RegExp(` ${name}=(-?\\d+)`).exec(msg)[1]);
  for (const name of ['resident', 'malloc_used', 'database_readers'])
    assert.equal(value(lines[2], name), value(lines[1], name) - value(lines[0], name), name);
});

test('/api/health/deep and /api/health/detailed look at every part', async () => {
  const deep = await get(server, '/api/health/deep');
  assert.equal(deep.status, 200);
  assert.match(deep.json.status, /^healthy(_with_warnings)?$/);
  assert.equal(deep.json.healthy, true);
  for (const name of ['storage', 'elo_system', 'filesystem', 'disk', 'memory', 'cpu', 'ai_providers', 'backups', 'archive'])
    assert.equal(typeof deep.json.checks[name].healthy, 'boolean', name);
  assert.ok(deep.json.checks.storage.latency_ms >= 0);
  assert.equal(deep.json.checks.redis, undefined);
  assert.equal(deep.json.status === 'healthy', deep.json.warnings.length === 0);
  const detailed = (await get(server, '/api/health/detailed')).json;
  assert.equal(detailed.components.storage.healthy, true);
  assert.ok(detailed.memory.rss_mb > 1 && detailed.memory.percent > 0);
});

describe('maintenance', () => {
  const FILES = ['aragora_memory.db', 'aragora_elo.db'];
  const task = (name, more = '') => post(server, `/api/system/maintenance?task=${name}${more}`);

  test('GET only looks', async () => {
    for (const path of ['/api/system/maintenance', '/api/system/maintenance?task=status']) {
      const { status, json } = await get(server, path);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(json.stats), FILES);
    }
    for (const name of ['vacuum', 'analyze', 'checkpoint', 'full']) {
      const { status, json } = await get(server, `/api/system/maintenance?task=${name}`);
      assert.equal(status, 400);
      assert.match(json.error, /POST/);
    }
    assert.equal((await task('nonsense')).status, 400);
  });

  test('each task does what it says, and debates go on', async () => {
    await finished(server, (await startDebate(server, DEBATE)).id);
    for (const [name, parts] of Object.entries({ checkpoint: ['checkpoint'], analyze: ['analyze'], vacuum: ['vacuum'], full: ['checkpoint', 'vacuum', 'analyze'] })) {
      const { status, json, text } = await task(name);
      assert.equal(status, 200, text);
      assert.equal(json.task, name);
      assert.equal(json.success, true, text);
      for (const part of parts) assert.deepEqual(json[part], { 'aragora_memory.db': true, 'aragora_elo.db': true }, `${name} ${part}`);
      assert.equal((await finished(server, (await startDebate(server, { ...DEBATE, agents: ['demo', 'demo', 'demo'] })).id)).status, 'completed');
    }
  });

  test('no vacuum while debates run, unless it is forced', async () => {
    const slow = await startServer(undefined, { env: { ARAGORA_DEMO_TOKEN_RATE: '40' } });
    try {
      const { id } = await startDebate(slow, { ...DEBATE, agents: ['demo', 'demo', 'demo'] });
      const refused = await post(slow, '/api/system/maintenance?task=vacuum');
      assert.equal(refused.status, 409);
      assert.match(refused.json.error, /force=true/);
      assert.equal((await post(slow, '/api/system/maintenance?task=checkpoint')).json.success, true);
      const forced = await post(slow, '/api/system/maintenance?task=vacuum&force=true');
      assert.equal(forced.json.success, true, forced.text);
      assert.equal((await post(slow, `/api/debates/${id}/cancel`)).status, 200);
      assert.equal((await finished(slow, id)).status, 'cancelled');
    } finally {
      await slow.stop('SIGKILL');
    }
  });
});
