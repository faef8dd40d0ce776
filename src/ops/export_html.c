#include "ops/export_html.h"

#include "base/figure.h"
#include "base/sha256.h"
#include "ops/export_html_rounds.h"
#include "ops/html.h"

#include <sodium.h>
#include <stdio.h>

static const char style[] =
    ":root{color-scheme:light dark;--page:#fff;--text:#1c2024;--soft:#5b6470;--line:#d9dee4;"
    "--card:#f6f8fa;--good:#1a7f4b;--bad:#b3261e;--warn:#8a5a00;--link:#0b57d0}"
    "@media (prefers-color-scheme:dark){:root{--page:#14171a;--text:#e6e9ec;--soft:#9aa4af;"
    "--line:#343a41;--card:#1c2126;--good:#5fd39b;--bad:#ff8a80;--warn:#e8b35a;--link:#8ab4f8}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:2rem 1.25rem 3rem;max-width:56rem;background:var(--page);"
    "color:var(--text);font:16px/1.55 system-ui,sans-serif}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.2rem 0 .6rem}"
    "h2{font-size:1.15rem;margin:2.2rem 0 .7rem;padding-bottom:.3rem;"
    "border-bottom:1px solid var(--line)}"
    "h3{font-size:1rem;margin:0 0 .4rem}"
    "h1,h3,.text,td,dd,li,summary{overflow-wrap:anywhere}"
    ".text{white-space:pre-wrap;unicode-bidi:isolate;margin:0}"
    "p{margin:.45rem 0}.card>:last-child{margin-bottom:0}"
    ".soft{color:var(--soft);font-size:.875rem}"
    ".badge{display:inline-block;padding:.05rem .55rem;border:1px solid;border-radius:1rem;"
    "font-size:.8125rem;font-weight:600;color:var(--soft)}"
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;"
    "padding:.9rem 1.1rem;margin:.7rem 0}"
    ".verdict{border-left:.3rem solid var(--soft)}.verdict.yes{border-left-color:var(--good)}"
    ".verdict.no{border-left-color:var(--warn)}.notice{border-left:.3rem solid var(--warn)}"
    ".notice.failed{border-left-color:var(--bad)}"
    ".verdict .text{font-size:1.06rem}"
    ".stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(6.6rem,1fr));gap:.6rem;"
    "margin:1rem 0;padding:0}"
    ".stats div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;"
    "padding:.55rem .8rem}"
    ".stats dt{color:var(--soft);font-size:.8125rem}.stats dd{margin:0;font-weight:600}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;"
    "border-bottom:1px solid var(--line)}"
    "th{color:var(--soft);font-weight:600}.num{text-align:right}"
    "th.num{text-align:right}"
    "ul{margin:.4rem 0;padding-left:1.2rem}"
    ".critique{margin-left:1.5rem;border-left:.2rem solid var(--line)}"
    "meter{width:6rem;height:.7rem;vertical-align:middle}"
    "code{font:.85rem/1.4 ui-monospace,monospace;overflow-wrap:anywhere}"
    "details.debate{border:1px solid var(--line);border-radius:.5rem;margin:.7rem 0;"
    "padding:.6rem 1rem}"
    "details.debate>summary{cursor:pointer;font-weight:600}"
    "footer{margin-top:2.5rem;padding-top:.8rem;border-top:1px solid var(--line)}"
    "@media (max-width:36rem){.critique{margin-left:.5rem}}"
    "@media print{:root{--page:#fff;--text:#000;--soft:#444;--line:#bbb;--card:#fff;"
    "--good:#0a5c34;--bad:#8c1d18;--warn:#6b4600}body{max-width:none;padding:0;font-size:11pt}"
    ".card,tr{break-inside:avoid-page}h2,h3{break-after:avoid-page}"
    ".long{break-inside:auto}.wide{overflow:visible}"
    "details.debate::details-content{content-visibility:visible;block-size:auto}}";

void export_html_policy(char ret_policy[EXPORT_HTML_POLICY_SIZE]) {
  uint8_t hash[SHA256_SIZE];
  char text[sodium_base64_ENCODED_LEN(SHA256_SIZE, sodium_base64_VARIANT_ORIGINAL)];
  sha256_of(BYTES_LITERAL(style), hash);
  sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
  snprintf(ret_policy, EXPORT_HTML_POLICY_SIZE,
           "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", text);
}

static const char *text_at(const json_t *object, const char *key) {
  return json_get_text(object, key, "");
}

/* ---- what was decided ---- */

static void put_badge(struct buffer *out, const char *style_class, const char *text) {
  html_open(out, "span", style_class);
  html_text(out, bytes_of(text));
  html_close(out, "span");
}

static void put_badges(struct buffer *out, const json_t *d) {
  const char *outcome = text_at(d, "outcome");
  const char *status = text_at(d, "status");
  bool reached = json_get_bool(d, "consensus_reached", false);
  bool failed = strcmp(status, "failed") == 0;
  put_badge(out,
            failed    ? "badge bad"
            : reached ? "badge good"
                      : "badge warn",
            *outcome ? outcome : status);
  if (json_get_bool(d, "degraded", false)) {
    buffer_append_char(out, ' ');
    put_badge(out, "badge warn", "degraded");
  }
  if (json_get_bool(d, "demo", false)) {
    buffer_append_char(out, ' ');
    put_badge(out, "badge", "demo agents");
  }
}

static void put_title(struct buffer *out, const json_t *d) {
  html_open(out, "p", NULL);
  put_badges(out, d);
  html_close(out, "p");
  html_open_auto(out, "h1", "text");
  html_text(out, bytes_of(text_at(d, "task")));
  html_close(out, "h1");
  html_open(out, "p", "soft");
  html_text(out, BYTES_LITERAL("Started "));
  html_text(out, bytes_of(text_at(d, "created_at")));
  if (*text_at(d, "completed_at")) {
    html_text(out, BYTES_LITERAL(", ended "));
    html_text(out, bytes_of(text_at(d, "completed_at")));
  }
  html_close(out, "p");
  if (*text_at(d, "context")) {
    html_open(out, "h2", NULL);
    html_text(out, BYTES_LITERAL("Context"));
    html_close(out, "h2");
    html_block(out, "text card long", text_at(d, "context"));
  }
}

static void put_degradation(struct buffer *out, const json_t *row) {
  static const char *const keys[] = {"agent", "turn", "cause", "detail"};
  bool first = true;
  html_open(out, "li", NULL);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (!*text_at(row, keys[i])) continue;
    if (!first) buffer_append_text(out, " · ");
    html_text(out, bytes_of(text_at(row, keys[i])));
    first = false;
  }
  html_close(out, "li");
}

/* What did not go as it should comes first. */
static void put_notices(struct buffer *out, const json_t *d) {
  const json_t *rows = json_object_get(d, "degradations");
  if (*text_at(d, "error")) {
    html_open(out, "div", "card notice failed");
    html_block(out, "text", text_at(d, "error"));
    html_close(out, "div");
  }
  if (!json_array_size(rows)) return;
  html_open(out, "div", "card notice");
  html_open(out, "h3", NULL);
  html_text(out, BYTES_LITERAL("What did not go as it should"));
  html_close(out, "h3");
  html_open(out, "ul", NULL);
  for (size_t i = 0; i < json_array_size(rows); i++) put_degradation(out, json_array_get(rows, i));
  html_close(out, "ul");
  html_close(out, "div");
}

static void put_names(struct buffer *out, const char *label, const json_t *names) {
  if (!json_array_size(names)) return;
  html_open(out, "p", "soft");
  html_text(out, bytes_of(label));
  for (size_t i = 0; i < json_array_size(names); i++) {
    if (i) buffer_append_text(out, ", ");
    html_text(out, json_bytes(json_array_get(names, i)));
  }
  html_close(out, "p");
}

static void put_grounds(struct buffer *out, const json_t *c) {
  html_open(out, "p", "soft");
  html_text(out, BYTES_LITERAL("Rule "));
  html_text(out, bytes_of(text_at(c, "rule")));
  if (figure_ppm(c, "share") >= 0) {
    buffer_append_text(out, ", agreement ");
    html_percent(out, c, "share");
    buffer_append_text(out, " (threshold ");
    html_percent(out, c, "threshold");
    buffer_append_char(out, ')');
  }
  if (*text_at(c, "strength")) {
    buffer_append_text(out, ", ");
    html_text(out, bytes_of(text_at(c, "strength")));
  }
  if (*text_at(c, "judge")) {
    buffer_append_text(out, ", judge ");
    html_text(out, bytes_of(text_at(c, "judge")));
  }
  html_close(out, "p");
}

static void put_verdict(struct buffer *out, const json_t *d) {
  const json_t *c = json_object_get(d, "consensus");
  bool reached = json_get_bool(d, "consensus_reached", false);
  const char *answer = text_at(d, "final_answer");
  html_open(out, "h2", NULL);
  html_text(out, bytes_of(reached ? "Verdict" : *answer ? "Best answer, no consensus" : "Verdict"));
  html_close(out, "h2");
  html_open(out, "div", reached ? "card long verdict yes" : "card long verdict no");
  html_block(out, *answer ? "text" : "text soft", *answer ? answer : "No answer yet.");
  if (json_is_object(c)) {
    put_grounds(out, c);
    put_names(out, "Supported by ", json_object_get(c, "supporting_agents"));
  }
  html_close(out, "div");
  const json_t *dissent = json_object_get(d, "dissent");
  for (size_t i = 0; i < json_array_size(dissent); i++) {
    const json_t *row = json_array_get(dissent, i);
    html_open(out, "div", "card long");
    html_open(out, "h3", NULL);
    html_text(out, BYTES_LITERAL("Dissent: "));
    html_text(out, bytes_of(text_at(row, "agent")));
    html_close(out, "h3");
    html_block(out, "text", text_at(row, "answer"));
    html_close(out, "div");
  }
}

/* ---- figures ---- */

static void begin_stat(struct buffer *out, const char *name) {
  buffer_append_text(out, "<div><dt>");
  html_text(out, bytes_of(name));
  buffer_append_text(out, "</dt><dd>");
}

static void end_stat(struct buffer *out) {
  buffer_append_text(out, "</dd></div>\n");
}

static void put_stat_count(struct buffer *out, const char *name, int64_t count) {
  begin_stat(out, name);
  figure_append_count(out, count);
  end_stat(out);
}

static int64_t count_answers(const json_t *d) {
  const json_t *said = json_object_get(d, "messages");
  return (int64_t)json_array_size(said) - (int64_t)json_array_size(json_object_get(d, "critiques"));
}

static void put_stats(struct buffer *out, const json_t *d) {
  const json_t *usage = json_object_get(d, "usage");
  int64_t duration_us = figure_ppm(d, "duration_seconds");
  html_open(out, "dl", "stats");
  put_stat_count(out, "Messages", count_answers(d));
  put_stat_count(out, "Critiques", (int64_t)json_array_size(json_object_get(d, "critiques")));
  put_stat_count(out, "Rounds", json_get_int(d, "rounds_used", 0));
  begin_stat(out, "Consensus");
  buffer_append_text(out, json_get_bool(d, "consensus_reached", false) ? "reached " : "none ");
  html_percent(out, d, "agreement");
  end_stat(out);
  put_stat_count(out, "Tokens", json_get_int(usage, "total_tokens", 0));
  begin_stat(out, "Cost");
  buffer_append_text(out, figure_usd_micro(usage, "cost_usd") < 0 ? "unknown" : "");
  if (figure_usd_micro(usage, "cost_usd") >= 0)
    figure_append_money(out, figure_usd_micro(usage, "cost_usd"));
  end_stat(out);
  begin_stat(out, "Time");
  if (duration_us >= 0)
    figure_append_duration(out, duration_us / 1000);
  else
    buffer_append_text(out, "running");
  end_stat(out);
  html_close(out, "dl");
}

/* ---- who answered ---- */

static const json_t *position_of(const json_t *d, const char *agent) {
  const json_t *positions = json_object_get(d, "positions");
  for (size_t i = 0; i < json_array_size(positions); i++) {
    const json_t *p = json_array_get(positions, i);
    const json_t *holders = json_object_get(p, "holders");
    for (size_t h = 0; h < json_array_size(holders); h++)
      if (bytes_equal(json_bytes(json_array_get(holders, h)), bytes_of(agent))) return p;
  }
  return NULL;
}

static void begin_table(struct buffer *out, const char *const *heads, unsigned numbers) {
  buffer_append_text(out, "<div class=\"wide\"><table>\n<thead><tr>");
  for (size_t i = 0; heads[i]; i++) {
    buffer_append_text(
        out, numbers >> i & 1 ? "<th scope=\"col\" class=\"num\">" : "<th scope=\"col\">");
    html_text(out, bytes_of(heads[i]));
    html_close(out, "th");
  }
  buffer_append_text(out, "</tr></thead>\n<tbody>\n");
}

static void end_table(struct buffer *out) {
  buffer_append_text(out, "</tbody></table></div>\n");
}

static void put_cell(struct buffer *out, const char *text) {
  html_open(out, "td", NULL);
  html_text(out, bytes_of(text));
  html_close(out, "td");
}

static void put_cell_count(struct buffer *out, const json_t *row, const char *key) {
  html_open(out, "td", "num");
  if (json_is_integer(json_object_get(row, key)))
    figure_append_count(out, json_get_int(row, key, 0));
  else
    buffer_append_text(out, "–");
  html_close(out, "td");
}

static void put_agent(struct buffer *out, const json_t *d, const json_t *a, bool judge) {
  const char *name = text_at(a, "name");
  const json_t *position = judge ? NULL : position_of(d, name);
  const char *key = position ? text_at(position, "key") : "";
  buffer_append_text(out, "<tr>");
  put_cell(out, name);
  put_cell(out, text_at(a, "provider"));
  put_cell(out, text_at(a, "model"));
  put_cell(out, judge ? "judge" : *text_at(a, "role") ? text_at(a, "role") : "–");
  put_cell(out, position && *key ? key : position ? text_at(position, "id") : "");
  buffer_append_text(out, "</tr>\n");
}

static void put_agents(struct buffer *out, const json_t *d) {
  const json_t *panel = json_object_get(d, "panel");
  const json_t *judges = json_object_get(d, "judges");
  html_open(out, "h2", NULL);
  html_text(out, BYTES_LITERAL("Who answered"));
  html_close(out, "h2");
  begin_table(out, (const char *const[]){"Agent", "Provider", "Model", "Role", "Position", NULL},
              0);
  for (size_t i = 0; i < json_array_size(panel); i++)
    put_agent(out, d, json_array_get(panel, i), false);
  for (size_t i = 0; i < json_array_size(judges); i++)
    put_agent(out, d, json_array_get(judges, i), true);
  end_table(out);
}

/* ---- positions and ballots ---- */

static void put_share(struct buffer *out, const json_t *row, const char *key) {
  int64_t ppm = figure_ppm(row, key);
  html_open(out, "td", "num");
  if (ppm >= 0) {
    buffer_printf(out, "<meter min=\"0\" max=\"100\" value=\"%lld\"></meter> ",
                  (long long)(ppm / 10000));
    figure_append_percent(out, ppm);
  } else {
    buffer_append_text(out, "–");
  }
  html_close(out, "td");
}

static void put_list_cell(struct buffer *out, const json_t *list, const char *between) {
  html_open(out, "td", NULL);
  for (size_t i = 0; i < json_array_size(list); i++) {
    if (i) buffer_append_text(out, between);
    html_text(out, json_bytes(json_array_get(list, i)));
  }
  html_close(out, "td");
}

static void put_positions(struct buffer *out, const json_t *d) {
  const json_t *rows = json_object_get(d, "positions");
  if (!json_array_size(rows)) return;
  html_open(out, "h2", NULL);
  html_text(out, BYTES_LITERAL("Positions"));
  html_close(out, "h2");
  begin_table(out, (const char *const[]){"", "Position", "Held by", "First choices", "Borda", NULL},
              1u << 3 | 1u << 4);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *p = json_array_get(rows, i);
    buffer_append_text(out, "<tr>");
    put_cell(out, text_at(p, "id"));
    put_cell(out, *text_at(p, "key") ? text_at(p, "key") : "(no key)");
    put_list_cell(out, json_object_get(p, "holders"), ", ");
    put_share(out, p, "first_choice_share");
    put_share(out, p, "borda");
    buffer_append_text(out, "</tr>\n");
  }
  end_table(out);
}

static void put_ballots(struct buffer *out, const json_t *d) {
  const json_t *rows = json_object_get(d, "ballots");
  if (!json_array_size(rows)) return;
  html_open(out, "h2", NULL);
  html_text(out, BYTES_LITERAL("Ballots"));
  html_close(out, "h2");
  begin_table(out, (const char *const[]){"Voter", "Ranking, best first", "Confidence", NULL},
              1u << 2);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *b = json_array_get(rows, i);
    buffer_append_text(out, "<tr>");
    put_cell(out, text_at(b, "agent"));
    put_list_cell(out, json_object_get(b, "ranking"), " &gt; ");
    html_open(out, "td", "num");
    html_percent(out, b, "confidence");
    html_close(out, "td");
    buffer_append_text(out, "</tr>\n");
  }
  end_table(out);
}

/* ---- what it cost, and the proof ---- */

static void put_turns(struct buffer *out, const json_t *d) {
  const json_t *rows = json_object_get(d, "turns");
  if (!json_array_size(rows)) return;
  html_open(out, "h2", NULL);
  html_text(out, BYTES_LITERAL("Turns and cost"));
  html_close(out, "h2");
  begin_table(out,
              (const char *const[]){"Turn", "Model", "Ended", "Calls", "Tokens in", "Tokens out",
                                    "Cost", "Time", NULL},
              1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *t = json_array_get(rows, i);
    int64_t cost = figure_usd_micro(t, "cost_usd");
    int64_t latency_ms = json_get_int(t, "latency_ms", -1);
    buffer_append_text(out, "<tr>");
    put_cell(out, text_at(t, "turn"));
    put_cell(out, text_at(t, "model"));
    put_cell(out, *text_at(t, "outcome") ? text_at(t, "outcome") : "open");
    put_cell_count(out, t, "attempts");
    put_cell_count(out, t, "tokens_in");
    put_cell_count(out, t, "tokens_out");
    html_open(out, "td", "num");
    if (cost >= 0)
      figure_append_money(out, cost);
    else
      buffer_append_text(out, "–");
    html_close(out, "td");
    html_open(out, "td", "num");
    if (latency_ms >= 0)
      figure_append_duration(out, latency_ms);
    else
      buffer_append_text(out, "–");
    html_close(out, "td");
    buffer_append_text(out, "</tr>\n");
  }
  end_table(out);
}

static void put_proof_line(struct buffer *out, const char *name, const char *text) {
  buffer_append_text(out, "<tr><th scope=\"row\">");
  html_text(out, bytes_of(name));
  buffer_append_text(out, "</th><td><code>");
  html_text(out, bytes_of(text));
  buffer_append_text(out, "</code></td></tr>\n");
}

static void put_proof(struct buffer *out, const json_t *d) {
  char events[BYTES_INT_SIZE];
  bytes_from_int(json_get_int(d, "last_seq", 0), events);
  html_open(out, "h2", NULL);
  html_text(out, BYTES_LITERAL("The log"));
  html_close(out, "h2");
  buffer_append_text(out, "<div class=\"wide\"><table><tbody>\n");
  put_proof_line(out, "Debate", text_at(d, "id"));
  put_proof_line(out, "Events", events);
  put_proof_line(out, "Hash of the last event", text_at(d, "head_hash"));
  put_proof_line(out, "Seed", text_at(d, "seed"));
  end_table(out);
  html_open(out, "p", "soft");
  html_text(out,
            BYTES_LITERAL("The hash covers every event of the debate. The JSON export carries "
                          "them; \"aragora replay FILE --check\" proves it without a server."));
  html_close(out, "p");
}

static void put_whole(struct buffer *out, const json_t *d) {
  put_title(out, d);
  put_notices(out, d);
  put_verdict(out, d);
  put_stats(out, d);
  put_agents(out, d);
  put_positions(out, d);
  export_html_rounds(out, d);
  put_ballots(out, d);
  put_turns(out, d);
  put_proof(out, d);
}

static void begin_folded(struct buffer *out, const json_t *d) {
  buffer_append_text(out, "<details class=\"debate\"><summary>");
  put_badges(out, d);
  buffer_append_text(out, " <bdi>");
  html_text(out, bytes_of(text_at(d, "task")));
  buffer_append_text(out, "</bdi> <span class=\"soft\">");
  html_text(out, bytes_of(text_at(d, "created_at")));
  buffer_append_text(out, "</span></summary>\n");
}

void export_html_debate(struct buffer *out, const json_t *debate, bool alone) {
  if (!alone) begin_folded(out, debate);
  put_whole(out, debate);
  if (!alone) buffer_append_text(out, "</details>\n");
}

void export_html_unreadable(struct buffer *out, const json_t *row, const char *why) {
  begin_folded(out, row);
  html_open(out, "div", "card notice failed");
  html_block(out, "text", why);
  html_close(out, "div");
  buffer_append_text(out, "<div class=\"wide\"><table><tbody>\n");
  put_proof_line(out, "Debate", text_at(row, "id"));
  end_table(out);
  buffer_append_text(out, "</details>\n");
}

/* ---- the page ---- */

void export_html_begin(struct buffer *out, const json_t *debate, const char *exported_at) {
  char policy[EXPORT_HTML_POLICY_SIZE];
  export_html_policy(policy);
  buffer_append_text(out,
                     "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"");
  html_text(out, bytes_of(policy));
  buffer_append_text(out,
                     "\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                     "<meta name=\"generator\" content=\"Aragora\">\n<title>Aragora ");
  if (debate) {
    buffer_append_text(out, "Debate: ");
    html_text(out, bytes_of(text_at(debate, "task")));
  } else {
    buffer_append_text(out, "debates, ");
    html_text(out, bytes_of(exported_at));
  }
  buffer_append_text(out, "</title>\n<style>");
  buffer_append_text(out, style);
  buffer_append_text(out, "</style>\n</head>\n<body>\n<main>\n");
  if (debate) return;
  buffer_append_text(out, "<h1>Debates</h1>\n<p class=\"soft\">Newest first.</p>\n");
}

void export_html_end(struct buffer *out, int64_t count, const char *exported_at) {
  buffer_append_text(out, "</main>\n<footer class=\"soft\">");
  if (count >= 0) {
    figure_append_count(out, count);
    buffer_append_text(out, count == 1 ? " debate. " : " debates. ");
  }
  buffer_append_text(out, "Exported from Aragora, ");
  html_text(out, bytes_of(exported_at));
  buffer_append_text(out, "</footer>\n</body>\n</html>\n");
}
