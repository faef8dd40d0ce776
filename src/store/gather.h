/* A VFS of SQLite that gathers the frames of a commit: SQLite writes each page of a write-ahead log
 * as two calls (a head of 24 bytes and the page, sqlite.org/fileformat2.html section 4.1), which
 * for a commit of 24 pages are 48 system calls; here they are one.
 *
 * Only for connections with `synchronous = FULL`: there SQLite syncs the log after a commit's last
 * frame and before it tells readers of it (sqlite.org/pragma.html#pragma_synchronous), and that is
 * when what was gathered is written. With any other setting a reader could be sent to a frame that
 * is not in the file yet. And only with `cache_spill = OFF`: a page that left the cache before its
 * commit would wait here when the transaction is rolled back, and be written later over what
 * another connection has committed in its place. Then whatever waits belongs to a commit, and is
 * written or dropped before it ends; the pages that a transaction changes stay in memory until
 * then. Other files than the log go straight to SQLite's own VFS.
 */
#ifndef ARAGORA_STORE_GATHER_H
#define ARAGORA_STORE_GATHER_H

/* The name for sqlite3_open_v2, registered with the first call; NULL, which stands for SQLite's own
 * VFS, when memory is short. Any thread. */
const char *gather_vfs(void);

#endif
