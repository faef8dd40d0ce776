/* A whole database as text, to compare two of them, and a copy as a backup makes it. */
#ifndef ARAGORA_TESTS_STORE_DUMP_H
#define ARAGORA_TESTS_STORE_DUMP_H

#include "store/sqlite.h"

/* Every row of every table but SQLite's own, one a line, by table and primary key; for free(). */
char *dump_database(sqlite3 *db);
char *dump_file(const char *path);
/* With SQLite's backup API, beside whoever writes it. */
void copy_database(const char *from, const char *to);
/* Fails when integrity_check or foreign_key_check find anything. */
void assert_sound(const char *path);

#endif
