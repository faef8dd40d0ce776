/* The worked examples of docs/internals/ratings.md, read from that page. */
#include "rating/game.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { LINE_MAX_BYTES = 512, EXPECTATIONS = 8, GAMES = 14 };

static const char *const models[] = {"X", "Y", "Z", "W"};

/* The value after "name=" up to the next blank, or NULL. */
static const char *value_of(const char *line, const char *name, char out[256]) {
  char key[32];
  snprintf(key, sizeof key, " %s=", name);
  const char *at = strstr(line, key);
  if (!at) return NULL;
  at += strlen(key);
  size_t n = strcspn(at, " \n");
  assert_true(n < 256);
  memcpy(out, at, n);
  out[n] = '\0';
  return out;
}

static const char *model_of(char letter) {
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (*models[i] == letter) return models[i];
  fail_msg("no model %c", letter);
  return NULL;
}

static void read_seats(char *text, struct game_input *in) {
  char *rest = NULL;
  for (char *seat = strtok_r(text, ",", &rest); seat; seat = strtok_r(NULL, ",", &rest)) {
    int position = seat[1] == '-' ? -1 : seat[1] - 'a';
    in->seats[in->seat_count++] = (struct game_seat){.provider = "p",
                                                     .model = model_of(*seat),
                                                     .type = "t",
                                                     .demo = strchr(seat + 2, 'd') != NULL,
                                                     .rated = strchr(seat + 2, 'f') == NULL,
                                                     .position = position};
    if (position >= in->position_count) in->position_count = position + 1;
  }
}

static void read_ballots(char *text, struct game_input *in) {
  char *rest = NULL;
  for (char *ballot = strtok_r(text, ",", &rest); ballot; ballot = strtok_r(NULL, ",", &rest)) {
    struct game_ballot *b = &in->ballots[in->ballot_count++];
    b->voter = *ballot - '1';
    assert_int_equal((int)strlen(ballot), 2 + in->position_count);
    for (int i = 0; i < in->position_count; i++) b->ranking[i] = ballot[2 + i] - 'a';
  }
}

static int64_t before_of(const char *before, const char *model) {
  const char *at = before ? strchr(before, *model) : NULL;
  return at ? atoll(at + 2) : ELO_START_MILLI;
}

/* The result as the page writes it. */
static void print_game(const struct game *game, const char *before, char *out, size_t size) {
  int64_t rating[GAME_SEATS_MAX], change[GAME_SEATS_MAX];
  size_t len = 0;
  for (int i = 0; i < game->player_count; i++)
    rating[i] = before_of(before, game->players[i].model);
  game_rate(game, rating, change);
  for (int i = 0; i < game->player_count; i++)
    len += (size_t)snprintf(out + len, size - len, "%s%s:%" PRId64 "%c", i ? "," : "",
                            game->players[i].model, change[i], "ldw"[game->players[i].result + 1]);
  if (len == 0) snprintf(out, size, "-");
}

static void check_game(const char *line) {
  char seats[256], ballots[256], before[256], got[256];
  struct game_input in = {0};
  struct game game;
  value_of(line, "seats", seats);
  value_of(line, "ballots", ballots);
  read_seats(seats, &in);
  read_ballots(ballots, &in);
  enum rating_reason reason = game_make(&in, &game);
  print_game(&game, value_of(line, "before", before), got, sizeof got);
  const char *want = strstr(line, "-> ") + 3;
  if (strncmp(got, want, strlen(got)) != 0 || want[strlen(got)] != '\n')
    fail_msg("%s in: %s", got, line);
  assert_int_equal(reason, *got == '-' ? RATING_NO_PAIRS : RATING_DONE);
}

static void check_expectation(const char *line) {
  char own[256], other[256];
  value_of(line, "own", own);
  value_of(line, "other", other);
  int64_t got = elo_expectation(atoll(own), atoll(other));
  if (got != atoll(strstr(line, "->") + 2)) fail_msg("%" PRId64 " in: %s", got, line);
  assert_int_equal(got + elo_expectation(atoll(other), atoll(own)), ELO_ONE);
}

static void the_page_is_right(void **state) {
  char path[512], line[LINE_MAX_BYTES];
  int expectations = 0, games = 0;
  snprintf(path, sizeof path, "%s/../docs/internals/ratings.md", getenv("ARAGORA_TEST_DATA"));
  FILE *page = fopen(path, "r");
  assert_non_null(page);
  while (fgets(line, sizeof line, page)) {
    if (strncmp(line, "    own=", 8) == 0 && ++expectations) check_expectation(line);
    if (strncmp(line, "    seats=", 10) == 0 && ++games) check_game(line);
  }
  fclose(page);
  assert_int_equal(expectations, EXPECTATIONS);
  assert_int_equal(games, GAMES);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_is_right)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
