/* prices: reads a public price list, prints rows of our own to stdout, and tells on stderr what was left out and why.
 * Main thread. It fetches nothing: the operator brings the file. */
#include "main/prices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "main/prices_import.h"

enum { EXIT_NO = 1, EXIT_USE = 64, EXIT_UNAVAILABLE = 69, LIST_BYTES_MAX = 64 << 20 };

static const char usage[] =
    "moongate prices import FILE [--adapter NAME] [--date DATE] [--source TEXT] [--out FILE]\n"
    "\n"
    "Reads a public price list and writes it as Lua, for `prices = { file = \"FILE\" }` in a config. FILE is "
    "LiteLLM's\n"
    "model_prices_and_context_window.json, OpenRouter's /api/v1/models or models.dev's api.json; which one is seen "
    "from\n"
    "what is in it. What is left out is told on stderr, with the reason.\n"
    "\n"
    "  --adapter NAME  only the models of this adapter\n"
    "  --date DATE     since when the prices hold, like 2026-11-22; default: the day FILE was changed\n"
    "  --source TEXT   where the list came from; default: FILE's name\n"
    "  --out FILE      where to write; default: stdout\n";

static int fault(const char *what, const char *why) {
  fprintf(stderr, "moongate: %s: %s\n", what, why);
  return EXIT_UNAVAILABLE;
}

/* The whole file into out, and the day it was changed. */
static bool read_list(const char *path, struct buf *out, char *date, size_t date_bytes) {
  struct stat about;
  struct tm day;
  FILE *f = fopen(path, "re");
  if (f == NULL || fstat(fileno(f), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > LIST_BYTES_MAX) {
    fault(path, f == NULL ? strerror(errno) : "it is no file, or larger than 64 MiB");
    if (f != NULL) fclose(f);
    return false;
  }
  char *at = buf_reserve(out, (size_t)about.st_size + 1);
  out->len += fread(at, 1, (size_t)about.st_size, f);
  bool fine = !ferror(f);
  fclose(f);
  if (!fine) fault(path, "it cannot be read");
  gmtime_r(&about.st_mtime, &day);
  strftime(date, date_bytes, "%Y-%m-%d", &day);
  return fine;
}

static void report(const struct price_import *p) {
  fprintf(stderr, "%s: %u models taken", p->format, p->rows->count);
  if (p->rounded > 0) fprintf(stderr, ", %u prices rounded to a pico-dollar", p->rounded);
  fputs("\n", stderr);
  for (unsigned i = 0; i < p->skip_count; i++) {
    const struct price_skips *s = &p->skips[i];
    fprintf(stderr, "left out %u: %s:", s->count, s->why);
    for (unsigned k = 0; k < s->count && k < SKIP_EXAMPLES; k++) fprintf(stderr, " %s", s->examples[k]);
    fputs(s->count > SKIP_EXAMPLES ? " …\n" : "\n", stderr);
  }
}

static bool is_date(const char *text) {
  static const char shape[] = "0000-00-00";
  if (strlen(text) != sizeof shape - 1) return false;
  for (size_t i = 0; i < sizeof shape - 1; i++)
    if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != '-') return false;
  return true;
}

static int write_out(const struct buf *text, const char *path) {
  FILE *f = path ? fopen(path, "we") : stdout;
  if (f == NULL) return fault(path, strerror(errno));
  bool fine = fwrite(text->ptr, 1, text->len, f) == text->len && fflush(f) == 0;
  int status = fine ? 0 : fault(path ? path : "stdout", strerror(errno));
  if (path != NULL) fclose(f);
  return status;
}

static int import(const char *file, const char *source, const char *out_path, struct price_import *p) {
  struct buf json = {0}, text = {0};
  struct err e;
  char changed[16];
  const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
  int status = EXIT_UNAVAILABLE;
  if (read_list(file, &json, changed, sizeof changed)) {
    if (p->date == NULL) p->date = changed;
    if (prices_import_read(p, buf_view(&json), &e)) {
      prices_import_write(p, source ? source : base, &text);
      status = write_out(&text, out_path);
      report(p);
      if (status == 0 && p->rows->count == 0) status = EXIT_NO;
    } else {
      fault(file, e.text);
      status = EXIT_NO;
    }
    prices_import_done(p);
  }
  buf_done(&json);
  buf_done(&text);
  return status;
}

int prices_main(int argc, char **argv) {
  struct price_import p = {.adapter = NULL};
  const char *file = NULL, *source = NULL, *out = NULL;
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return fputs(usage, stdout) < 0;
  if (argc < 2 || strcmp(argv[1], "import") != 0) return fputs(usage, stderr), EXIT_USE;
  for (int i = 2; i < argc; i++) {
    const char **value = NULL;
    if (strcmp(argv[i], "--adapter") == 0) value = &p.adapter;
    else if (strcmp(argv[i], "--date") == 0) value = &p.date;
    else if (strcmp(argv[i], "--source") == 0) value = &source;
    else if (strcmp(argv[i], "--out") == 0) value = &out;
    else if (argv[i][0] != '-' && file == NULL) file = argv[i];
    else return fprintf(stderr, "moongate: unknown option \"%s\"; see `moongate prices --help`\n", argv[i]), EXIT_USE;
    if (value == NULL) continue;
    if (i + 1 == argc) return fprintf(stderr, "moongate: a value is missing behind \"%s\"\n", argv[i]), EXIT_USE;
    *value = argv[++i];
  }
  if (file == NULL) return fputs(usage, stderr), EXIT_USE;
  if (p.date != NULL && !is_date(p.date))
    return fprintf(stderr, "moongate: --date must be like 2026-11-22, not \"%s\"\n", p.date), EXIT_USE;
  return import(file, source, out, &p);
}
