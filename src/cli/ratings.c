/* `aragora leaderboard`, of the databases here or of a server; `aragora ratings rebuild | show`. */
#include "base/options_load.h"
#include "cli/arguments.h"
#include "cli/engine.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/process.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "ops/rating_list.h"
#include "rating/game.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, TABLE_MAX = 1 << 20, LIMIT = 50, AGENT_TABLE_MAX = 1024 };
enum {
  RANK_COLUMNS = 5,
  AGENT_COLUMNS = 20,
  ELO_COLUMNS = 10,
  GAMES_COLUMNS = 7,
  RECORD_COLUMNS = 14
};

struct leaderboard_values {
  const char *server, *domain;
  int64_t limit;
  bool json, no_colour;
};

#define AT(field) offsetof(struct leaderboard_values, field)
const struct flag leaderboard_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "of a server instead of the databases here [ARAGORA_API_URL]"},
    {"--domain", 0, FLAG_TEXT, AT(domain), 0, 0, "NAME", "of one domain instead of all together"},
    {"--limit", 'n', FLAG_COUNT, AT(limit), 1, LIMIT, "N", "how many, best first (50)"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};
#undef AT

struct ratings_values {
  bool json, quiet;
};
#define AT(field) offsetof(struct ratings_values, field)
const struct flag ratings_flags[] = {
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "rebuild: no progress"},
    {0},
};

/* ---- the table ---- */

static void print_row(struct page *p, const json_t *row) {
  char text[64];
  int64_t rank = json_get_int(row, "rank", 0);
  bool provisional = json_get_bool(row, "provisional", false);
  snprintf(text, sizeof text, "%lld", (long long)rank);
  page_cell(p, PAGE_DIM, text, RANK_COLUMNS, false);
  page_cell(p, PAGE_BOLD, json_get_text(row, "name", "?"), AGENT_COLUMNS, false);
  snprintf(text, sizeof text, "%.1f%s", json_number_value(json_object_get(row, "elo")),
           provisional ? "?" : "");
  page_cell(p, PAGE_PLAIN, text, ELO_COLUMNS, false);
  snprintf(text, sizeof text, "%lld", (long long)json_get_int(row, "games", 0));
  page_cell(p, PAGE_PLAIN, text, GAMES_COLUMNS, false);
  snprintf(text, sizeof text, "%lld/%lld/%lld", (long long)json_get_int(row, "wins", 0),
           (long long)json_get_int(row, "losses", 0), (long long)json_get_int(row, "draws", 0));
  page_cell(p, PAGE_PLAIN, text, RECORD_COLUMNS, false);
  page_cell(p, PAGE_DIM, json_get_text(row, "model", "?"), 32, true);
  page_newline(p);
}

static void print_head(struct page *p) {
  page_cell(p, PAGE_BOLD, "RANK", RANK_COLUMNS, false);
  page_cell(p, PAGE_BOLD, "AGENT", AGENT_COLUMNS, false);
  page_cell(p, PAGE_BOLD, "ELO", ELO_COLUMNS, false);
  page_cell(p, PAGE_BOLD, "GAMES", GAMES_COLUMNS, false);
  page_cell(p, PAGE_BOLD, "WON/LOST/DRAWN", RECORD_COLUMNS, false);
  page_cell(p, PAGE_BOLD, "MODEL", 32, true);
  page_newline(p);
}

static int print_table(const struct leaderboard_values *v, const json_t *body) {
  if (v->json) return output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct page p = {&out, (size_t)t.width, t.colour};
  const char *league = game_league(false);
  const json_t *row;
  size_t i;
  print_head(&p);
  json_array_foreach(json_object_get(body, "agents"), i, row) {
    const char *of = json_get_text(row, "league", "");
    if (strcmp(of, league) != 0) {
      page_styled(&p, PAGE_DIM, BYTES_LITERAL("the demo league"));
      page_newline(&p);
      league = game_league(true);
    }
    print_row(&p, row);
  }
  bool ok = output_buffer(STDOUT_FILENO, &out);
  if (ok)
    fprintf(stderr, "%lld debates rated, %lld not. ? = fewer than %d games.\n",
            (long long)json_get_int(body, "rated_debates", 0),
            (long long)json_get_int(body, "unrated_debates", 0), GAME_PROVISIONAL);
  return ok ? CLI_OK : CLI_ERROR;
}

/* ---- from here ---- */

static enum status read_list(const struct engine *e, const char *domain,
                             struct rating_list *ret_list, struct error *err) {
  static struct rating_agent agents[AGENT_TABLE_MAX];
  size_t count = 0;
  for (size_t i = 0; e->agents && i < e->agents->count && count < AGENT_TABLE_MAX; i++) {
    const struct agent_binding *a = &e->agents->agents[i];
    agents[count++] =
        (struct rating_agent){a->type, a->provider, a->model, a->wire == WIRE_DEMO, a->available};
  }
  return rating_list_read(e->store, &PRINCIPAL_LOCAL, domain, agents, count, ret_list, err);
}

static int leaderboard_here(const struct leaderboard_values *v, struct options *options) {
  struct engine e;
  struct error err = {0};
  struct rating_list list;
  int code = CLI_ERROR;
  const char *domain = v->domain ? v->domain : "";
  enum status s = engine_open_archive(&e, options, &err);
  if (!s) s = agents_load(e.options.agents_file, &e.agents, &err);
  if (!s) s = read_list(&e, domain, &list, &err);
  if (s) {
    code = output_error(&err);
  } else {
    JSON_LATER json_t *body = rating_list_body(&list, domain, "", (size_t)v->limit);
    code = body ? print_table(v, body) : CLI_ERROR;
    rating_list_done(&list);
  }
  engine_close(&e);
  return code;
}

static int leaderboard_there(const struct leaderboard_values *v, const struct options *o,
                             const char *server) {
  struct remote remote;
  struct error err = {0};
  JSON_LATER json_t *body = NULL;
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 1024);
  buffer_printf(&path, "/api/leaderboard?limit=%lld", (long long)v->limit);
  if (v->domain) {
    buffer_append_text(&path, "&domain=");
    for (const char *c = v->domain; *c; c++)
      buffer_printf(&path, "%%%02X", (unsigned)(unsigned char)*c);
  }
  enum status s = path.overflow ? error_set(&err, STATUS_INVALID, "--domain", "is too long")
                                : remote_open(server, o, &remote, &err);
  if (s) return remote_error(&err);
  s = remote_call(&remote, path.ptr, NULL, CALL_MS, &body, &err);
  remote_close(&remote);
  return s ? remote_error(&err) : print_table(v, body);
}

int cli_leaderboard(int argc, char **argv) {
  struct leaderboard_values v = {.limit = LIMIT};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  const struct command *self = command_find("leaderboard");
  if (remote_load_options(&options, REMOTE_IF_NAMED, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (arguments_read(self, argc, argv, &v, &options, &arguments)) {
    const char *server = remote_url(v.server);
    if (arguments.count)
      arguments_wrong(self, "it takes no \"%.64s\"", arguments.positional[0]);
    else
      code = server ? leaderboard_there(&v, &options, server) : leaderboard_here(&v, &options);
  }
  options_done(&options);
  return code;
}

/* ---- ratings show ---- */

static void count_due(void *ctx, const struct store_ended *ended) {
  int64_t *count = ctx;
  (void)ended;
  ++*count;
}

static int show(const struct ratings_values *v, const struct engine *e) {
  struct error err = {0};
  struct rating_list list;
  int64_t through = 0, due = 0;
  enum status s = rating_list_read(e->store, &PRINCIPAL_LOCAL, "", NULL, 0, &list, &err);
  if (s) return output_error(&err);
  s = store_rated_through(e->store, &through, &err);
  if (!s) s = store_read_ended(e->store, through, SIZE_MAX >> 1, count_due, &due, &err);
  JSON_LATER json_t *body =
      json_pack("{s:I, s:I, s:I, s:O, s:I, s:o}", "agents", (json_int_t)list.count, "rated_debates",
                (json_int_t)list.rated, "unrated_debates", (json_int_t)list.unrated,
                "unrated_reasons", list.unrated_reasons, "due", (json_int_t)due, "updated_at",
                json_time_or_null(list.updated_ms));
  rating_list_done(&list);
  if (s || !body) return output_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
  const char *reason;
  json_t *count;
  printf("agents rated      %lld\ndebates rated     %lld\ndebates unrated   %lld\n",
         (long long)json_get_int(body, "agents", 0),
         (long long)json_get_int(body, "rated_debates", 0),
         (long long)json_get_int(body, "unrated_debates", 0));
  json_object_foreach(json_object_get(body, "unrated_reasons"), reason, count)
      printf("  %-20s %lld\n", reason, (long long)json_integer_value(count));
  printf("ended, not looked at yet  %lld\n", (long long)due);
  return fflush(stdout) ? CLI_ERROR : CLI_OK;
}

/* ---- ratings rebuild ---- */

static bool show_progress(void *ctx, const struct rater_rebuilt *so_far) {
  (void)ctx;
  fprintf(stderr, "\r%lld debates", (long long)so_far->rated + so_far->unrated);
  return true;
}

static enum status claim(const struct options *o, struct error *err) {
  const char *const paths[] = {o->db_path, o->elo_path};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    enum status s = process_claim(paths[i], err);
    if (s == STATUS_CONFLICT)
      return error_set(err, s, NULL,
                       "a server runs on %s, and a rebuild wants the ratings alone: stop it, then "
                       "run this again",
                       paths[i]);
    if (s) return s;
  }
  return STATUS_OK;
}

static int rebuild(const struct ratings_values *v, const struct engine *e) {
  struct error err = {0};
  struct rater_rebuilt done;
  bool progress = !v->quiet && !v->json && isatty(STDERR_FILENO);
  enum status s = claim(&e->options, &err);
  if (!s) s = rater_rebuild(e->store, progress ? show_progress : NULL, NULL, &done, &err);
  if (progress) fputc('\n', stderr);
  if (s) return output_error(&err);
  JSON_LATER json_t *body =
      json_pack("{s:I, s:I, s:I}", "rated_debates", (json_int_t)done.rated, "unrated_debates",
                (json_int_t)done.unrated, "kept", (json_int_t)done.kept);
  if (v->json) return output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
  printf("%lld debates rated, %lld not; of %lld the log is gone, and what they did was kept\n",
         (long long)done.rated, (long long)done.unrated, (long long)done.kept);
  return fflush(stdout) ? CLI_ERROR : CLI_OK;
}

int cli_ratings(int argc, char **argv) {
  struct ratings_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  const struct command *self = command_find("ratings");
  if (options_load(&options, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (!arguments_read(self, argc, argv, &v, &options, &arguments)) {
    options_done(&options);
    return code;
  }
  const char *word = arguments.count ? arguments.positional[0] : "show";
  bool rebuilds = strcmp(word, "rebuild") == 0;
  if (arguments.count > 1 || (!rebuilds && strcmp(word, "show") != 0)) {
    arguments_wrong(self, "it is show or rebuild, not \"%.64s\"",
                    arguments.positional[arguments.count > 1]);
  } else {
    struct engine e;
    enum status s = engine_open_archive(&e, &options, &err);
    code = s ? output_error(&err) : rebuilds ? rebuild(&v, &e) : show(&v, &e);
    engine_close(&e);
  }
  options_done(&options);
  return code;
}
