/* Writes images.c: a program of the build, not of the product.
 *
 *   make_images > images.c
 */
#include "store/image.h"
#include "store/schema.h"

#include <inttypes.h>
#include <stdio.h>

/* Stands for the moment that a file is made; nothing else in an image has these bytes. */
static const uint8_t placeholder[IMAGE_TIME_SIZE] = {0x5a, 0x17, 0xc3, 0x84, 0x2e, 0x96};

/* Bytes 18 and 19: the database is written and read through a write-ahead log. PRAGMA journal_mode
 * does not give this mode to a database in memory (sqlite.org/fileformat2.html 1.3.3). */
enum { FORMAT_AT = 18, FORMAT_WAL = 2, BYTES_A_LINE = 20, SIZE_LIMIT = 16 << 20 };

static enum status set_placeholder(sqlite3 *db, struct error *err) {
  int64_t value = 0;
  char sql[96];
  for (size_t i = 0; i < sizeof placeholder; i++) value = value << 8 | placeholder[i];
  snprintf(sql, sizeof sql, "UPDATE _aragora_migrations SET applied_ms = %" PRId64, value);
  return sqlite_run(db, sql, err);
}

static enum status fill(const struct schema *schema, struct buffer *image, struct error *err) {
  sqlite3 *db;
  enum status status = sqlite_open(":memory:", SQLITE_OPEN_READWRITE, 0, &db, err);
  if (status) return status;
  status = schema_create(db, schema, (int64_t)*schema->count, err);
  if (!status) status = set_placeholder(db, err);
  sqlite3_int64 size = 0;
  unsigned char *bytes = status ? NULL : sqlite3_serialize(db, "main", &size, 0);
  if (!status && !bytes) status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (bytes) {
    bytes[FORMAT_AT] = bytes[FORMAT_AT + 1] = FORMAT_WAL;
    if (!buffer_append(image, bytes, (size_t)size))
      status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  sqlite3_free(bytes);
  sqlite_close(db);
  return status;
}

static void print_bytes(const char *name, const struct buffer *image) {
  const uint8_t *bytes = (const uint8_t *)image->ptr;
  printf("\nstatic const uint8_t %s_bytes[] = {", name);
  for (size_t i = 0; i < image->len; i++)
    printf("%s%u,", i % BYTES_A_LINE ? "" : "\n    ", bytes[i]);
  printf("\n};\n");
}

static size_t print_times(const char *name, const struct buffer *image) {
  size_t count = 0;
  printf("static const size_t %s_times[] = {", name);
  for (size_t i = 0; i + sizeof placeholder <= image->len; i++) {
    if (memcmp(image->ptr + i, placeholder, sizeof placeholder) != 0) continue;
    printf("%zu,", i);
    count++;
  }
  printf("};\n");
  return count;
}

static enum status print_image(const char *name, const struct schema *schema, struct error *err) {
  struct buffer image;
  buffer_init(&image, SIZE_LIMIT);
  enum status status = fill(schema, &image, err);
  if (!status) {
    print_bytes(name, &image);
    if (print_times(name, &image) != *schema->count)
      status = error_set(err, STATUS_INTERNAL, NULL, "%s: a time is missing or one too many", name);
    printf("const struct image image_%s = {%s_bytes, sizeof %s_bytes, %s_times, %zu};\n", name,
           name, name, name, *schema->count);
  }
  buffer_done(&image);
  return status;
}

int main(void) {
  struct error err = {0};
  printf(
      "/* Made by make_images from migrations/; not for editing. */\n#include "
      "\"store/image.h\"\n");
  enum status status = print_image("memory", &schema_memory, &err);
  if (!status) status = print_image("elo", &schema_elo, &err);
  if (!status && fflush(stdout) == 0) return 0;
  fprintf(stderr, "make_images: %s\n", status ? err.message : "cannot write");
  return 1;
}
