#include "store/elo.h"

#include <stdlib.h>

enum { CHECKPOINT_PAGES = 1024 }; /* of 4 KiB */

static const char *const elo_sql[ELO_STATEMENTS] = {
    [ELO_BEGIN] = "BEGIN IMMEDIATE",
    [ELO_COMMIT] = "COMMIT",
    [ELO_ROLLBACK] = "ROLLBACK",
    [ELO_THROUGH] = "SELECT number, debate_id FROM matches ORDER BY number DESC LIMIT 1",
    [ELO_INSERT_MATCH] =
        "INSERT INTO matches (number, debate_id, tenant_id, owner_id, domain, reason, ended_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ELO_FIND_CONTENDER] =
        "SELECT id FROM contenders WHERE tenant_id = ?1 AND provider = ?2 AND model = ?3",
    [ELO_INSERT_CONTENDER] =
        "INSERT INTO contenders (tenant_id, provider, model, agent, demo)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",
    [ELO_UPDATE_CONTENDER] = "UPDATE contenders SET agent = ?2, demo = ?3 WHERE id = ?1",
    [ELO_READ_RATING] = "SELECT elo_milli FROM standings WHERE domain = ?1 AND contender = ?2",
    [ELO_PUT_STANDING] =
        "INSERT INTO standings (domain, contender, elo_milli, wins, losses, draws, updated_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (contender, domain) DO UPDATE SET"
        " elo_milli = excluded.elo_milli, wins = wins + excluded.wins,"
        " losses = losses + excluded.losses, draws = draws + excluded.draws,"
        " updated_ms = excluded.updated_ms",
    [ELO_PUT_PLAYER] =
        "INSERT INTO match_players (contender, domain, match, elo_milli, change_milli, result,"
        " place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ELO_PUT_PAIR] =
        "INSERT INTO match_pairs (match, a, b, won_a, won_b, agreed)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ELO_PUT_HEAD_TO_HEAD] =
        "INSERT INTO head_to_head (contender, opponent, wins, losses, draws, agreed, debates,"
        " updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)"
        " ON CONFLICT (contender, opponent) DO UPDATE SET wins = wins + excluded.wins,"
        " losses = losses + excluded.losses, draws = draws + excluded.draws,"
        " agreed = agreed + excluded.agreed, debates = debates + 1,"
        " updated_ms = excluded.updated_ms",
    [ELO_COUNT_MATCH] =
        "INSERT INTO match_totals (tenant_id, reason, debates, updated_ms) VALUES (?1, ?2, 1, ?3)"
        " ON CONFLICT (tenant_id, reason) DO UPDATE SET debates = debates + 1,"
        " updated_ms = excluded.updated_ms",
    [ELO_OLD_MATCH] =
        "SELECT tenant_id, owner_id, domain, reason, ended_ms FROM old_matches"
        " WHERE number = ?1 AND debate_id = ?2",
    [ELO_OLD_PLAYERS] =
        "SELECT c.id, c.provider, c.model, c.agent, c.demo, p.result FROM old_players p"
        " JOIN old_contenders c ON c.id = p.contender WHERE p.match = ?1 ORDER BY p.place",
    [ELO_OLD_PAIRS] =
        "SELECT a, b, won_a, won_b, agreed FROM old_pairs WHERE match = ?1 ORDER BY rowid",
};

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages) {
  struct elo *elo = ctx;
  elo->wal_pages = pages;
  return SQLITE_OK;
}

enum status elo_init(struct elo *elo, sqlite3 *db, struct error *err) {
  *elo = (struct elo){.db = db};
  sqlite3_wal_hook(db, on_wal, elo);
  /* What a power failure takes is made again; a commit that waits for the disk would be a cost for
   * nothing. The file stays whole either way (sqlite.org/pragma.html#pragma_synchronous). */
  return sqlite_run(db, "PRAGMA synchronous = NORMAL", err);
}

void elo_done(struct elo *elo) {
  for (int i = 0; i < ELO_STATEMENTS; i++) sqlite3_finalize(elo->statements[i]);
  sqlite_close(elo->db);
  free(elo->texts);
  *elo = (struct elo){0};
}

enum status elo_prepare(struct elo *elo, enum elo_statement which, sqlite3_stmt **ret_statement,
                        struct error *err) {
  if (!elo->statements[which]) {
    enum status s = sqlite_prepare(elo->db, elo_sql[which], &elo->statements[which], err);
    if (s) return s;
  }
  *ret_statement = elo->statements[which];
  return STATUS_OK;
}

enum status elo_step(struct elo *elo, sqlite3_stmt *statement, struct error *err) {
  int rc = sqlite3_step(statement);
  sqlite3_reset(statement);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? STATUS_OK : sqlite_error(elo->db, rc, err);
}

enum status elo_run(struct elo *elo, enum elo_statement which, struct error *err) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(elo, which, &s, err);
  return status ? status : elo_step(elo, s, err);
}

void elo_checkpoint(struct elo *elo) {
  if (elo->wal_pages < CHECKPOINT_PAGES) return;
  sqlite3_wal_checkpoint_v2(elo->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  elo->wal_pages = 0;
}
