#include "cli/command.h"

#include <string.h>

const char *const command_all_options[] = {NULL};

static const char *const file_options[] = {"--data-dir", "--db-path", "--elo-path", NULL};
static const char *const ask_options[] = {"--data-dir",
                                          "--db-path",
                                          "--elo-path",
                                          "--agents-file",
                                          "--agent-timeout",
                                          "--max-retries",
                                          "--max-output-tokens",
                                          "--demo-token-rate",
                                          "--max-answer-bytes",
                                          "--default-agents",
                                          NULL};
static const char *const backup_options[] = {"--data-dir",
                                             "--db-path",
                                             "--elo-path",
                                             "--backup-to",
                                             "--backup-keep-days",
                                             "--full-backup-keep-days",
                                             "--backup-load",
                                             "--backup-storage-class",
                                             "--full-backup-storage-class",
                                             "--s3-endpoint",
                                             "--s3-region",
                                             NULL};
static const char *const db_options[] = {"--data-dir", "--db-path", "--elo-path", "--db-timeout",
                                         NULL};
static const char *const migrate_options[] = {"--data-dir",   "--db-path",          "--elo-path",
                                              "--db-timeout", "--migration-copies", NULL};
static const char *const runbook_options[] = {
    "--data-dir", "--db-path", "--elo-path", "--db-timeout", "--log-file", "--ws-port", NULL};
static const char *const leaderboard_options[] = {"--data-dir", "--db-path", "--elo-path",
                                                  "--agents-file", NULL};
static const char *const agents_options[] = {"--agents-file", NULL};
static const char *const remote_options[] = {NULL}; /* the files: port and token stand in them */

const struct command command_table[] = {
    {.name = "ask",
     .usage = "ask [flags] \"question\"",
     .summary = "let agents debate a question and show it live",
     .example = "aragora ask \"Cache at the edge or at the origin?\" --rounds 2\n"
                "aragora ask --demo \"Tabs or spaces?\"\n"
                "git diff | aragora ask --context - \"Is this change safe?\" --json",
     .run = cli_ask,
     .flags = ask_flags,
     .options = ask_options},
    {.name = "server",
     .alias = "serve",
     .usage = "server [flags]",
     .summary = "serve the HTTP API and the live streams",
     .example = "aragora server --port 8080\n"
                "aragora server --dev --db-path /data/aragora_memory.db",
     .run = cli_server,
     .flags = server_flags,
     .options = command_all_options},
    {.name = "debates",
     .usage = "debates list | show ID | watch ID | delete ID | share ID | unshare ID [flags]",
     .summary = "list debates, show or follow one, share or delete it",
     .example = "aragora debates list --limit 10\n"
                "aragora debates show tabs-or-spaces-2026-11-23\n"
                "aragora debates watch ID --server http://localhost:8080\n"
                "aragora debates share ID --server URL\n"
                "aragora debates delete ID --reason \"asked by its owner\" --server URL",
     .run = cli_debates,
     .flags = debates_flags,
     .options = file_options},
    {.name = "replay",
     .usage = "replay ID | FILE [--check] [--speed N]",
     .summary = "play a debate again from its log, or verify the log",
     .example = "aragora replay ID --speed 4\n"
                "aragora replay ID --check\n"
                "aragora replay ./debates.json --check",
     .run = cli_replay,
     .flags = replay_flags,
     .options = file_options},
    {.name = "export",
     .usage = "export [ID] [--format json|csv|html|md] [-o FILE] [flags]",
     .summary = "write one debate, or all that match, to a file",
     .example = "aragora export ID --format html -o debate.html\n"
                "aragora export --format csv --since 2026-11-01 > debates.csv\n"
                "aragora export --server http://localhost:8080 -o debates.json",
     .run = cli_export,
     .flags = export_flags,
     .options = file_options},
    {.name = "agents",
     .usage = "agents [check [NAME...]] [flags]",
     .summary = "list the agents and their keys; check asks the providers",
     .example = "aragora agents\n"
                "aragora agents check\n"
                "aragora agents check claude gemini --json\n"
                "aragora agents --json | jq '.agents[] | select(.available)'",
     .run = cli_agents,
     .flags = agents_flags,
     .options = agents_options},
    {.name = "batch",
     .usage = "batch FILE [--parallel N] [--wait] [flags]",
     .summary = "many debates on a server, started as it has room",
     .example = "aragora batch questions.json --server http://localhost:8080\n"
                "echo '[{\"question\": \"Rust or C?\"}]' | aragora batch - --wait\n"
                "aragora batch questions.json --wait --json | jq .items",
     .run = cli_batch,
     .flags = batch_flags,
     .options = remote_options},
    {.name = "breakers",
     .usage = "breakers [reset NAME] [flags]",
     .summary = "the circuit breakers of a server; reset closes one",
     .example = "aragora breakers --server http://localhost:8080\n"
                "aragora breakers reset openai-api\n"
                "aragora breakers --json | jq .health",
     .run = cli_breakers,
     .flags = breakers_flags,
     .options = remote_options},
    {.name = "key",
     .usage = "key [list | create | rotate ID | revoke ID] [flags]",
     .summary = "the API keys that a server knows of you",
     .example = "aragora key create --name ci --scopes debates:read,debates:create --days 90\n"
                "aragora key rotate ara_4fQ0aZ91 --overlap 3600\n"
                "aragora key revoke ara_4fQ0aZ91",
     .run = cli_key,
     .flags = key_flags,
     .options = remote_options},
    {.name = "leaderboard",
     .usage = "leaderboard [--domain NAME] [flags]",
     .summary = "agents by their rating, here or on a server",
     .example = "aragora leaderboard\n"
                "aragora leaderboard --domain law --limit 5\n"
                "aragora leaderboard --server http://localhost:8080\n"
                "aragora leaderboard --json | jq '.agents[] | {name, elo}'",
     .run = cli_leaderboard,
     .flags = leaderboard_flags,
     .options = leaderboard_options},
    {.name = "ratings",
     .usage = "ratings [show | rebuild] [flags]",
     .summary = "how far the ratings are; rebuild makes them anew from the logs",
     .example = "aragora ratings show\n"
                "aragora ratings rebuild --data-dir /data",
     .run = cli_ratings,
     .flags = ratings_flags,
     .options = file_options},
    {.name = "backup",
     .usage = "backup create | list | verify | restore | prune | drill [flags]",
     .summary = "make backups, check them, and restore one, also as of a moment",
     .example = "aragora backup create\n"
                "aragora backup list --backup-to s3://my-backups/aragora\n"
                "aragora backup verify --all\n"
                "aragora backup restore --at \"2026-11-29 14:23:14\" --into /data/then\n"
                "aragora backup restore latest --force",
     .run = cli_backup,
     .flags = backup_flags,
     .options = backup_options},
    {.name = "audit",
     .usage = "audit list | export | verify [FILE] [flags]",
     .summary = "who did what to this server, and whether that log is whole",
     .example = "aragora audit list --action \"key.*\" --limit 50\n"
                "aragora audit export --since 2026-11-01 > audit.jsonl\n"
                "aragora audit verify --log /var/log/aragora/server.log\n"
                "aragora audit verify audit.jsonl",
     .run = cli_audit,
     .flags = audit_flags,
     .options = db_options},
    {.name = "healthcheck",
     .usage = "healthcheck [--server URL]",
     .summary = "ask a server whether it is healthy: exit code 0 or 1",
     .example = "aragora healthcheck --server http://localhost:8080",
     .run = cli_healthcheck,
     .flags = healthcheck_flags,
     .options = remote_options},
    {.name = "config",
     .usage = "config show [--origin] | get NAME | validate | path [flags]",
     .summary = "the settings in force, where they come from, and their check",
     .example = "aragora config show --origin\n"
                "aragora config get DB_POOL_SIZE\n"
                "aragora config validate --config /etc/aragora/aragora.conf\n"
                "aragora config show --json | jq .settings.port",
     .run = cli_config,
     .flags = config_flags,
     .options = command_all_options},
    {.name = "doctor",
     .usage = "doctor [--offline] [--json] [flags]",
     .summary = "look for what may keep a server from working, with the fix",
     .example = "aragora doctor\n"
                "aragora doctor --offline --data-dir /data\n"
                "aragora doctor --json | jq '.checks[] | select(.status == \"fail\")'",
     .run = cli_doctor,
     .flags = doctor_flags,
     .options = command_all_options},
    {.name = "runbook",
     .usage = "runbook check [--server URL] [--json]",
     .summary = "try on a live server what the operations runbook names",
     .example = "aragora runbook check\n"
                "aragora runbook check --server http://localhost:8080 --data-dir /data\n"
                "aragora runbook check --json | jq '.checks[] | select(.status == \"fail\")'",
     .run = cli_runbook,
     .flags = runbook_flags,
     .options = runbook_options},
    {.name = "incident",
     .usage = "incident NAME [--severity P1|P2] [--server URL]",
     .summary = "keep a server's state in an incident, and begin the report",
     .example = "aragora incident database-full --severity P1\n"
                "aragora incident slow-answers --severity P2 --server http://localhost:8080",
     .run = cli_incident,
     .flags = incident_flags,
     .options = runbook_options},
    {.name = "user",
     .usage = "user create | list | role | plan | disable | enable | password [EMAIL] [flags]",
     .summary = "accounts by hand: make one, give it a role, close it",
     .example = "aragora user create ann@example.org\n"
                "aragora user create bob@example.org --role member --password-file bob.txt\n"
                "aragora user role bob@example.org admin\n"
                "aragora user plan ann@example.org starter\n"
                "aragora user password ann@example.org\n"
                "aragora user list --json | jq '.[] | select(.active)'",
     .run = cli_user,
     .flags = user_flags,
     .options = file_options},
    {.name = "db",
     .usage = "db check | checkpoint | analyze | vacuum [flags]",
     .summary = "upkeep of the database files; beside a server but vacuum",
     .example = "aragora db check\n"
                "aragora db checkpoint\n"
                "aragora db analyze --database memory\n"
                "aragora db vacuum --json",
     .run = cli_db,
     .flags = db_flags,
     .options = db_options},
    {.name = "migrate",
     .usage = "migrate [status | apply | rollback] [--to N] [--dry-run] [flags]",
     .summary = "the schema of the databases: show, bring up to date, take back",
     .example = "aragora migrate status\n"
                "aragora migrate apply --dry-run\n"
                "aragora migrate apply\n"
                "aragora migrate rollback\n"
                "aragora migrate rollback --database elo --to 1",
     .run = cli_migrate,
     .flags = migrate_flags,
     .options = migrate_options},
    {.name = "fake-provider",
     .usage = "fake-provider [flags]",
     .summary = "a scripted stand-in for providers, for tests and exercises",
     .example = "aragora fake-provider --port 9099 --latency-ms 200\n"
                "ANTHROPIC_API_KEY=x ANTHROPIC_BASE_URL=http://127.0.0.1:9099 aragora server",
     .run = cli_fake_provider,
     .own_help = true},
    {.name = "completion",
     .usage = "completion bash | zsh | fish",
     .summary = "what a shell offers while a command is typed",
     .example = "source <(aragora completion bash)\n"
                "aragora completion fish > ~/.config/fish/completions/aragora.fish",
     .run = cli_completion,
     .flags = completion_flags},
    {.name = "man",
     .usage = "man",
     .summary = "print the page of the manual",
     .example = "aragora man | man -l -",
     .run = cli_man,
     .flags = man_flags},
    {.name = "version",
     .usage = "version [--json]",
     .summary = "say which version this is",
     .example = "aragora version\n"
                "aragora version --json | jq -r .version",
     .run = cli_version,
     .flags = version_flags},
    {.name = "help",
     .usage = "help [COMMAND | exit-codes]",
     .summary = "explain a command",
     .example = "aragora help ask\n"
                "aragora help exit-codes",
     .run = cli_help},
};
const size_t command_table_size = sizeof command_table / sizeof *command_table;

const struct command *command_find(const char *name) {
  for (size_t i = 0; i < command_table_size; i++) {
    const struct command *c = &command_table[i];
    if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0)) return c;
  }
  return NULL;
}
