/* `aragora fake-provider`: the scripted provider on a port of its own. It reads its arguments and
 * prints its help itself, since the help lists the faults too. */
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/process.h"
#include "fake/fake_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NAME_COLUMNS = 22 };

struct values {
  const char *host, *script, *fault, *change;
  int64_t port, latency_ms, token_rate, words, write_bytes, seed;
  double severity;
  bool quiet;
};

#define AT(member) offsetof(struct values, member)
static const struct flag flags[] = {
    {"--host", 0, FLAG_TEXT, AT(host), 0, 0, "ADDRESS", "listen here (127.0.0.1)"},
    {"--port", 'p', FLAG_COUNT, AT(port), 0, 65535, "N", "port; 0 = any that is free (9099)"},
    {"--latency-ms", 0, FLAG_COUNT, AT(latency_ms), 0, 86400000, "N",
     "wait before the first byte (0)"},
    {"--token-rate", 0, FLAG_COUNT, AT(token_rate), 0, 1000000, "N",
     "tokens a second; 0 = the whole answer in one write (0)"},
    {"--words", 0, FLAG_COUNT, AT(words), 0, SCRIPTED_WORDS_MAX, "N",
     "words of an answer; 0 = as long as it comes (0)"},
    {"--chunk", 0, FLAG_COUNT, AT(write_bytes), 0, 1 << 30, "N", "bytes a write; 0 = any (0)"},
    {"--script", 0, FLAG_TEXT, AT(script), 0, 0, "FILE",
     "rules: which requests get which fault; - = standard input"},
    {"--fault", 0, FLAG_TEXT, AT(fault), 0, 0, "NAME", "every answer has this fault (none)"},
    {"--seed", 0, FLAG_COUNT, AT(seed), 0, INT64_MAX, "N", "deals the personas otherwise (0)"},
    {"--severity", 0, FLAG_NUMBER, AT(severity), -1, 1, "X",
     "of every criticism, 0 to 1; -1 = each persona's own (-1)"},
    {"--change", 0, FLAG_TEXT, AT(change), 0, 0, "WHEN",
     "answers change in revisions: always, as-critiqued, never (as-critiqued)"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "no line for each request"},
    {NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

static const char *const changes[] = {[SCRIPTED_CHANGE_AS_CRITIQUED] = "as-critiqued",
                                      [SCRIPTED_CHANGE_ALWAYS] = "always",
                                      [SCRIPTED_CHANGE_NEVER] = "never"};

static const char description[] =
    "A scripted stand-in for the providers, on one port: Anthropic, OpenAI and its family, "
    "OpenRouter, Gemini and Ollama, told apart by path. Prints \"listening on URL\" when ready. "
    "GET "
    "/_fake/stats counts what happened; POST /_fake/script replaces the script.";
static const char about_faults[] =
    "For all answers by --fault, for some by --script, for one by the header x-fake-fault or by a "
    "model's name (\"gpt-5.2@status-529\").";

static void indented(struct page *p, const char *text) {
  page_plain_text(p, &(struct page_text){"  ", PAGE_PLAIN, 2, PAGE_PLAIN, bytes_of(text)});
}

static int show_help(const struct command *self) {
  BUFFER_LATER struct buffer out;
  struct page p = help_page(STDOUT_FILENO, &out);
  help_examples(&p, self);
  page_newline(&p);
  help_usage(&p, self);
  indented(&p, description);
  page_newline(&p);
  help_title(&p, "Flags");
  for (const struct flag *f = flags; f->name; f++) {
    char name[40];
    snprintf(name, sizeof name, "%s%s%s", f->name, f->meta ? " " : "", f->meta ? f->meta : "");
    help_entry(&p, NAME_COLUMNS, name, f->help);
  }
  page_newline(&p);
  help_title(&p, "Faults");
  indented(&p, about_faults);
  for (size_t i = 0; i < fault_table_size; i++)
    help_entry(&p, NAME_COLUMNS, fault_table[i].name, fault_table[i].help);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- the script ---- */

static int read_script(const struct command *command, const char *path,
                       struct script **ret_script) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, SCRIPT_BYTES_MAX);
  FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (!f) {
    fprintf(stderr, "aragora fake-provider: cannot read %s: %s\n", path, strerror(errno));
    return CLI_ERROR;
  }
  char piece[4096];
  bool fits = true;
  for (size_t n; fits && (n = fread(piece, 1, sizeof piece, f)) > 0;)
    fits = buffer_append(&text, piece, n);
  bool failed = ferror(f) != 0;
  if (f != stdin) fclose(f);
  struct error err;
  if (failed || !fits) {
    fprintf(stderr, "aragora fake-provider: cannot read %s: %s\n", path,
            failed ? "input error" : "it is larger than 1 MiB");
    return CLI_ERROR;
  }
  if (script_parse(buffer_bytes(&text), ret_script, &err))
    return arguments_wrong(command, "%s: %s", path, err.message);
  return CLI_OK;
}

/* ---- options ---- */

static int make_options(const struct command *command, const struct values *v,
                        struct fake_options *ret_options) {
  size_t change = 0;
  const struct fault *fault = v->fault ? fault_find(bytes_of(v->fault)) : fault_none;
  if (!fault) return arguments_wrong(command, "there is no fault \"%.40s\"", v->fault);
  while (v->change && change < sizeof changes / sizeof *changes &&
         strcmp(changes[change], v->change) != 0)
    change++;
  if (change == sizeof changes / sizeof *changes)
    return arguments_wrong(command, "--change is always, as-critiqued or never");
  *ret_options = (struct fake_options){
      .host = v->host,
      .port = (int)v->port,
      .latency_ms = (uint64_t)v->latency_ms,
      .token_rate = v->token_rate,
      .write_bytes = (size_t)v->write_bytes,
      .words = (int)v->words,
      .severity_ppm = v->severity < 0 ? -1 : (int64_t)(v->severity * 1e6 + 0.5),
      .change = (enum scripted_change)change,
      .fault = fault,
      .seed = (uint64_t)v->seed,
      .quiet = v->quiet,
  };
  return CLI_OK;
}

/* ---- running ---- */

static void on_signal(uv_signal_t *handle, int signal_number) {
  (void)signal_number;
  loop_stop(handle->data);
}

/* A connection is a descriptor, and a benchmark has thousands. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run_until_signal(struct loop *loop, struct fake_server *server, const char *host) {
  uv_signal_t interrupt, terminate;
  interrupt.data = terminate.data = loop;
  if (uv_signal_init(loop_uv(loop), &interrupt) || uv_signal_init(loop_uv(loop), &terminate) ||
      uv_signal_start(&interrupt, on_signal, SIGINT) ||
      uv_signal_start(&terminate, on_signal, SIGTERM))
    return CLI_ERROR;
  bool six = strchr(host, ':') != NULL;
  printf("listening on http://%s%s%s:%d\n", six ? "[" : "", host, six ? "]" : "",
         fake_server_port(server));
  fflush(stdout);
  loop_run(loop);
  fake_server_destroy(server);
  loop_destroy(loop); /* here, while the two handles still stand */
  return CLI_OK;
}

static int serve(const struct fake_options *options, struct script *script) {
  struct loop *loop;
  struct fake_server *server;
  struct error err;
  raise_descriptor_limit();
  if (loop_create(&loop, &err)) {
    script_destroy(script);
    fprintf(stderr, "aragora fake-provider: %s\n", err.message);
    return CLI_ERROR;
  }
  if (fake_server_create(loop, options, &server, &err)) {
    loop_destroy(loop);
    script_destroy(script);
    fprintf(stderr, "aragora fake-provider: %s\n", err.message);
    return err.status == STATUS_INVALID ? CLI_USAGE : CLI_ERROR;
  }
  fake_server_set_script(server, script);
  return run_until_signal(loop, server, options->host);
}

int cli_fake_provider(int argc, char **argv) {
  struct command command = {.name = "fake-provider", .flags = flags};
  struct values v = {.host = "127.0.0.1", .port = 9099, .severity = -1};
  struct arguments arguments;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  struct script *script = NULL;
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      return show_help(command_find(command.name));
  if (!arguments_read(&command, argc, argv, &v, NULL, &arguments)) return CLI_USAGE;
  if (arguments.count)
    return arguments_wrong(&command, "it takes no \"%s\"", arguments.positional[0]);
  process_keep_heap();
  int code = make_options(&command, &v, &options);
  if (!code && v.script) code = read_script(&command, v.script, &script);
  return code ? code : serve(&options, script);
}
