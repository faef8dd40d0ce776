// node tests/torture/main.mjs [KILLS [SEED [DEBATES AT ONCE]]]: the real binary of scripts/torture.
// Prints progress, then the report as a table.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { torture } from './torture.mjs';

const [kills = 100, seed = 1, atOnce = 24] = process.argv.slice(2).map(Number);
const dirs = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'aragora-torture-')));
try {
  const report = await torture({ dirs, kills, seed, atOnce, say: (line) => console.log(`# ${line}`) });
  for (const [name, value] of Object.entries(report)) console.log(`| ${name} | ${value} |`);
  console.log(`ok - the server, killed ${kills} times: the file whole and every acknowledged debate there after each, every ` +
    'debate decided as undisturbed, no result asked for again, what was cut booked, every chain and live client whole');
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
} catch (error) {
  console.log(`not ok - the server, killed ${kills} times, seed ${seed}: ${error.stack}`);
  console.log(`# left as it was: ${dirs.join(' ')}`);
  process.exitCode = 1;
}
