/* `aragora doctor`: all that may keep a server from working here, a line each, with the fix. */
#include "cli/doctor.h"

#include "base/json.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/arguments.h"
#include "cli/config_check.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "ops/doctor.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20, LEAD_COLUMNS = 20, LINE_BYTES_MAX = 1 << 16 };

struct doctor_values {
  bool offline, json, no_colour;
};

#define AT(field) offsetof(struct doctor_values, field)
const struct flag doctor_flags[] = {
    {"--offline", 0, FLAG_SWITCH, AT(offline), 0, 0, NULL, "do not ask the providers"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

struct doctor {
  const struct doctor_values *values;
  size_t counts[FINDING_FAIL + 1];
  json_t *list;
  struct page page;
  bool wraps; /* a terminal's lines; elsewhere a finding is a line, for grep */
};

static const struct command *self(void) {
  return command_find("doctor");
}

/* ---- showing ---- */

static const char *const level_names[] = {"ok", "warn", "fail"};

static void show_text(struct doctor *d, const struct finding *f) {
  static const int styles[] = {PAGE_GOOD, PAGE_WARN, PAGE_BAD};
  BUFFER_LATER struct buffer line;
  char lead[32];
  buffer_init(&line, LINE_BYTES_MAX);
  snprintf(lead, sizeof lead, "%-5s %-13s ", level_names[f->level], f->check);
  buffer_append_text(&line, f->what);
  if (f->fix) buffer_printf(&line, d->wraps ? "\nfix: %s" : "; fix: %s", f->fix);
  FREE_LATER char *clean = text_clean(buffer_bytes(&line));
  if (d->wraps) {
    page_plain_text(&d->page, &(struct page_text){lead, styles[f->level], LEAD_COLUMNS, PAGE_PLAIN,
                                                  bytes_of(clean)});
    return;
  }
  page_styled(&d->page, styles[f->level], bytes_of(lead));
  buffer_append_text(d->page.out, clean ? clean : "");
  page_newline(&d->page);
}

static void take(void *ctx, const struct finding *f) {
  struct doctor *d = ctx;
  d->counts[f->level]++;
  if (!d->values->json) {
    show_text(d, f);
    return;
  }
  json_array_append_new(
      d->list, json_pack("{s:s, s:s, s:o, s:o}", "check", f->check, "status", level_names[f->level],
                         "message", json_text(bytes_of(f->what)), "fix",
                         f->fix ? json_text(bytes_of(f->fix)) : json_null()));
}

static int finish(struct doctor *d) {
  bool ok = d->counts[FINDING_FAIL] == 0, written;
  if (d->values->json) {
    JSON_LATER json_t *body = json_pack("{s:b, s:I, s:I, s:I, s:O}", "ok", ok, "passed",
                                        (json_int_t)d->counts[FINDING_OK], "warnings",
                                        (json_int_t)d->counts[FINDING_WARN], "failures",
                                        (json_int_t)d->counts[FINDING_FAIL], "checks", d->list);
    written = body && output_json(STDOUT_FILENO, body);
  } else {
    buffer_printf(d->page.out, "%zu ok, %zu to look at, %zu to put right\n", d->counts[FINDING_OK],
                  d->counts[FINDING_WARN], d->counts[FINDING_FAIL]);
    written = output_buffer(STDOUT_FILENO, d->page.out);
  }
  if (!written) return CLI_ERROR;
  return ok ? CLI_OK : CLI_CHECK_FAILED;
}

/* ---- the command ---- */

static void check_place(const struct options *o, bool offline, const struct findings *to) {
  BUFFER_LATER struct buffer backups;
  buffer_init(&backups, 8192);
  buffer_printf(&backups, "%s/backups", o->data_dir);
  const char *usual_log =
      access("/var/log/aragora", W_OK | X_OK) == 0 ? "/var/log/aragora/server.log" : NULL;
  struct doctor_place place = {
      .data_dir = o->data_dir,
      .paths = {o->db_path, o->elo_path},
      .archive_dir = o->archive ? o->archive_dir : NULL,
      .log_file = o->log_file ? o->log_file : usual_log,
      .backup_to = o->backup_to ? o->backup_to : backups.ptr,
      .s3_endpoint = o->s3_endpoint,
      .s3_region = o->s3_region,
      .timeout_ms = o->db_timeout_s * 1000,
      .max_connections = o->max_connections,
      .clock = &clock_system,
  };
  doctor_check_files(&place, to);
  doctor_check_databases(&place, to);
  doctor_check_audit(&place, to);
  doctor_check_archive(&place, to);
  doctor_check_machine(&place, to);
  if (offline && o->backup_to && strncmp(o->backup_to, "s3://", 5) == 0)
    finding_tell(to, FINDING_OK, "backup", NULL, "%.128s was not asked (--offline)", o->backup_to);
  else if (place.backup_to)
    doctor_check_backup(&place, to);
}

static int run(struct doctor *d, struct options *options, const struct config_mistakes *bad) {
  const struct findings findings = {take, d}, *to = &findings;
  struct error err = {0};
  if (options_name_files(options, &err) || log_open(LOG_LEVEL_ERROR, NULL, true, &err))
    return output_error(&err);
  config_check(options, bad, to);
  doctor_check_environment(to);
  /* A key that cannot be read stands in the way of the table of agents too; once is enough. */
  bool readable = doctor_check_keys(options, to);
  if (readable) doctor_check_agents(options, to);
  check_place(options, d->values->offline, to);
  doctor_check_ports(options, to);
  if (d->values->offline)
    finding_tell(to, FINDING_OK, "provider", NULL, "not asked (--offline)");
  else if (readable)
    doctor_check_providers(options, to);
  return finish(d);
}

int cli_doctor(int argc, char **argv) {
  struct doctor_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  static struct config_mistakes bad;
  if (options_load_leniently(&options, argc, argv, config_take_mistake, &bad, &err))
    return output_error(&err);
  int code = CLI_USAGE;
  if (!arguments_read(self(), argc, argv, &v, &options, &arguments)) {
    /* said already */
  } else if (arguments.count) {
    arguments_wrong(self(), "it takes no \"%.64s\"", arguments.positional[0]);
  } else {
    BUFFER_LATER struct buffer out;
    JSON_LATER json_t *list = json_array();
    struct terminal t = terminal_look(STDOUT_FILENO, v.no_colour);
    buffer_init(&out, PAGE_MAX);
    struct doctor d = {&v, {0}, list, {&out, (size_t)t.width, t.colour}, t.tty};
    code = run(&d, &options, &bad);
  }
  options_done(&options);
  return code;
}
