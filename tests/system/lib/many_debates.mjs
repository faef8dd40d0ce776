// A database with very many debates: copies of one that a server made, its log included (the chain
// does not hold the id, so each copy verifies).

import { execFileSync } from 'node:child_process';

export function fillDatabase(file, id, count) {
  execFileSync('sqlite3', [file], {
    stdio: ['pipe', 'ignore', 'inherit'],
    input: `
PRAGMA synchronous = OFF;
BEGIN;
CREATE TEMP TABLE original AS SELECT * FROM debates WHERE id = '${id}';
CREATE TEMP TABLE copies AS
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1}) SELECT i FROM n;
INSERT INTO debates (num, id, slug, tenant_id, owner_id, status, outcome, consensus, created_ms, completed_ms,
    duration_ms, rounds_used, confidence_ppm, cost_usd_micro, consensus_reached, degraded, demo, is_public, agents, task,
    metadata)
  SELECT 1000000 + i, printf('copy%022d', i), printf('copy-%d', i), tenant_id, owner_id, status, outcome, consensus,
    created_ms - i * 1000, completed_ms - i * 1000, duration_ms, rounds_used, confidence_ppm, cost_usd_micro,
    consensus_reached, degraded, demo, is_public, agents, task, metadata FROM original, copies;
INSERT INTO events (debate, seq, type, ts_ms, round, agent, salt, digest, hash, data)
  SELECT 1000000 + i, seq, type, ts_ms, round, agent, salt, digest, hash, data
    FROM copies, events WHERE debate = (SELECT num FROM original);
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
`,
  });
}
