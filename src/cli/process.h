/* What the operating system sees of the server: its name, its limits, its supervisor. */
#ifndef ARAGORA_CLI_PROCESS_H
#define ARAGORA_CLI_PROCESS_H

#include "base/bytes.h"

/* Runbooks find the server with `pgrep -f "aragora.server"`: when the command line does not say
 * "aragora server" (an alias, a renamed program), the program is started anew under that name, with
 * the same process id. Returns when nothing had to be done, or it could not. `argv` is the
 * command's: argv[0] is the word that named it. */
void process_name_server(int argc, char **argv);

/* No core file, not even to a program that core_pattern(5) names, no debugger and no reading of
 * /proc/PID/environ by others of the same user: keys are in this process's memory. Called first of
 * all, before anything secret is read. What root may do remains. */
void process_forbid_dumps(void);

/* Takes it back, with core files as large as the hard limit allows: --allow-core-dumps. */
void process_allow_dumps(void);

/* What is freed stays with the process up to some MiB a heap, so that the next burst need not have
 * every page given to it anew. Before the first thread. */
void process_keep_heap(void);

/* As many descriptors as the system allows; every connection is one. */
void process_raise_descriptors(void);

/* How many connections may come with `wanted` asked for, so that they leave descriptors for files
 * and for the providers of debates that run: half of a small number, all but 512 of a large one. */
int64_t process_connections(int64_t wanted);

/* Marks the database as this process's until it ends: two servers would both take up the debates
 * that a crash left, and nobody may migrate under a running one. A second time is fine.
 * STATUS_CONFLICT when another process holds it. Leaves no file behind. */
MUST_CHECK enum status process_claim(const char *db_path, struct error *err);

/* Tells systemd (Type=notify), where it asks for it and the build has its library: "READY=1". */
void process_notify(const char *state);
/* Within which time systemd wants to hear "WATCHDOG=1", in microseconds; 0 = it does not. */
int64_t process_watchdog_us(void);

#endif
