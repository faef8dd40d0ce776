// The real server, killed while two dozen debates run: a tenth of what `make torture` does.

import { test } from 'node:test';

import { torture } from '../torture/torture.mjs';
import { temporaryDirectory } from './lib/server.mjs';

test('killed again and again under load, every debate comes to what it would have', async (t) => {
  const report = await torture({ dirs: [temporaryDirectory(t), temporaryDirectory(t)], kills: 8, seed: 7, atOnce: 24 });
  for (const [name, value] of Object.entries(report)) console.log(`${name}: ${value}`);
});
