// How much a backup of a large database slows debates down, as a ratio.
//   node bench/backup.mjs [GIGABYTES [WINDOWS]]          (1, 6)
// A server with that much in its database runs demo debates as fast as it can, for windows of
// SECONDS (8) each: in every second one, backups are made one after the other, and in between
// they stand still (SIGSTOP). Windows alternate, so that what else the machine does falls on both. Prints debates a second of each kind of window,
// the share that is left, and the longest time from a debate's start to its 200.

import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { collectEvents, post } from '../tests/system/lib/client.mjs';
import { Process, startServer, temporaryDirectory } from '../tests/system/lib/server.mjs';

const gigabytes = Number(process.argv[2] ?? 1);
const windows = Number(process.argv[3] ?? 6);
const seconds = Number(process.env.SECONDS ?? 8);
const callers = Number(process.env.CALLERS ?? 8);
const load = process.env.ARAGORA_BACKUP_LOAD;
const body = { task: 'What does a backup cost?', agents: ['demo', 'demo', 'demo'], rounds: 1 };

const dir = temporaryDirectory();
const database = join(dir, 'aragora_memory.db');
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

async function debate(server) {
  const before = performance.now();
  const answer = await post(server, '/api/debates', body);
  if (answer.status !== 200) throw new Error(answer.text);
  const ms = performance.now() - before;
  await collectEvents(server, answer.json.id);
  return ms;
}

// Copies of one debate under other names: no hash of its log has the name in it.
function fill() {
  const size = statSync(database).size;
  const copies = Math.ceil((gigabytes * 1e9) / (size / 20));
  execFileSync('sqlite3', [database], {
    input: `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN;
      CREATE TEMP TABLE copy AS SELECT max(num) AS from_num FROM debates;
      CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${copies}) SELECT i FROM c;
      INSERT INTO debates (num, id, slug, status, created_ms, agents, task)
        SELECT 1000000 + i, 'copy-' || i, 'copy-' || i, 'completed', created_ms, agents, task FROM debates, n WHERE num = (SELECT from_num FROM copy);
      INSERT INTO events (debate, seq, type, ts_ms, round, agent, salt, digest, hash, data)
        SELECT 1000000 + i, seq, type, ts_ms, round, agent, salt, digest, hash, data FROM n, events WHERE debate = (SELECT from_num FROM copy);
      COMMIT; PRAGMA wal_checkpoint(TRUNCATE);`,
  });
}

async function run(server, ms, counts) {
  const until = performance.now() + ms;
  let done = 0;
  let longest = 0;
  const call = async () => {
    while (performance.now() < until) {
      longest = Math.max(longest, await debate(server));
      done++;
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, call));
  counts.push({ rate: done / ((performance.now() - start) / 1000), longest });
}

// Backups without end; `stand(true)` stops the one at work where it is.
function startBackups() {
  const state = { ended: false, made: 0, standing: true };
  const env = load ? { ARAGORA_BACKUP_LOAD: load } : {};
  const work = async () => {
    while (!state.ended) {
      state.child = new Process(['backup', 'create', '--json'], { dir, env });
      if (state.standing) state.child.child.kill('SIGSTOP');
      const { code } = await state.child.exited;
      if (code === 0) state.made++;
      else if (!state.ended) throw new Error(state.child.lines.join('\n'));
      rmSync(join(dir, 'backups'), { recursive: true, force: true });
    }
  };
  const working = work();
  state.stand = (still) => {
    state.standing = still;
    state.child.child.kill(still ? 'SIGSTOP' : 'SIGCONT');
  };
  state.end = () => {
    state.ended = true;
    state.child.child.kill('SIGKILL');
    return working;
  };
  return state;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function main() {
  const first = await startServer(undefined, { dir });
  for (let n = 0; n < 20; n++) await debate(first);
  await first.stop();
  fill();
  const server = await startServer(undefined, { dir, env: { ARAGORA_BACKUP_HOURS: '0', ARAGORA_FULL_BACKUP_DAYS: '0' } });
  const plain = [];
  const during = [];
  await run(server, 3000, []);
  const backups = startBackups();
  for (let n = 0; n < windows; n++) {
    await run(server, seconds * 1000, plain);
    backups.stand(false);
    await run(server, seconds * 1000, during);
    backups.stand(true);
  }
  await backups.end();
  const alone = new Process(['backup', 'create', '--json'], { dir, env: load ? { ARAGORA_BACKUP_LOAD: load } : {} });
  const start = performance.now();
  await alone.exited;
  const idle = (performance.now() - start) / 1000;
  await server.stop();
  const a = median(plain.map(({ rate }) => rate));
  const b = median(during.map(({ rate }) => rate));
  const ratios = plain.map(({ rate }, i) => during[i].rate / rate);
  const wal = existsSync(`${database}-wal`) ? statSync(`${database}-wal`).size : 0;
  console.log(`database              ${(statSync(database).size / 1e9).toFixed(2)} GB`);
  console.log(`debates/s             ${a.toFixed(1)} without, ${b.toFixed(1)} with a backup at work (medians of ${windows} windows)`);
  console.log(`ratio                 ${median(ratios).toFixed(3)} (median of neighbours; ${ratios.map((r) => r.toFixed(2)).join(' ')})`);
  console.log(`longest start, ms     ${Math.max(...plain.map((w) => w.longest)).toFixed(0)} without, ${Math.max(...during.map((w) => w.longest)).toFixed(0)} with`);
  console.log(`backup and read back  ${idle.toFixed(1)} s on the idle server, ${backups.made} made in the ${windows * seconds} s with; -wal ${(wal / 1e6).toFixed(0)} MB afterwards`);
}

await main();
