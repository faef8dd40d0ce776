#include "base/plan.h"

#include <string.h>
#include <time.h>

enum { FREE = 0, ENTERPRISE = 3 };

const struct plan plan_table[] = {
    {"free", "Free", 10, 1, 0},
    {"starter", "Starter", 50, 2, 9900},
    {"professional", "Professional", 200, 10, 29900},
    {"enterprise", "Enterprise", 0, 0, 99900},
    {0},
};

const struct plan *plan_find(const char *id) {
  for (const struct plan *p = plan_table; p->id; p++)
    if (strcmp(p->id, id) == 0) return p;
  return NULL;
}

const struct plan *plan_of_new_tenant(const char *tenant_id) {
  return &plan_table[strcmp(tenant_id, "local") == 0 ? ENTERPRISE : FREE];
}

int64_t plan_month(int64_t wall_ms) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm = {0};
  gmtime_r(&seconds, &tm);
  return (int64_t)(tm.tm_year - 70) * 12 + tm.tm_mon;
}

int64_t plan_month_start_ms(int64_t month) {
  struct tm tm = {.tm_year = 70 + (int)(month / 12), .tm_mon = (int)(month % 12), .tm_mday = 1};
  return (int64_t)timegm(&tm) * 1000;
}
