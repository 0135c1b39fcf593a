/* retry_after: see the header. Any thread. */
#include "gate/attempt/retry_after.h"

#include <time.h>

static uint32_t capped(double ms) {
  if (!(ms > 0)) return 0;
  if (ms >= RETRY_AFTER_MAX_MS) return RETRY_AFTER_MAX_MS;
  uint32_t whole = (uint32_t)ms;
  return whole + ((double)whole < ms);
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Digits with an optional fraction; bytes used, 0: there is no number. */
static size_t number_at(struct slice s, double *out) {
  size_t at = 0;
  double value = 0, scale = 1;
  for (; at < s.len && is_digit(s.ptr[at]); at++) value = value * 10 + (s.ptr[at] - '0');
  if (at == 0) return 0;
  if (at + 1 < s.len && s.ptr[at] == '.' && is_digit(s.ptr[at + 1]))
    for (at++; at < s.len && is_digit(s.ptr[at]); at++) value += (s.ptr[at] - '0') * (scale /= 10);
  *out = value;
  return at;
}

/* ---- durations ---------------------------------------------------------------------------------------------- */

static size_t unit_at(struct slice s, double *ms) {
  static const struct {
    struct slice name;
    double ms;
  } units[] = {{SLICE_INIT("milliseconds"), 1}, {SLICE_INIT("ms"), 1},      {SLICE_INIT("seconds"), 1000},
               {SLICE_INIT("second"), 1000},    {SLICE_INIT("s"), 1000},    {SLICE_INIT("minutes"), 60000},
               {SLICE_INIT("minute"), 60000},   {SLICE_INIT("m"), 60000},   {SLICE_INIT("hours"), 3600000},
               {SLICE_INIT("hour"), 3600000},   {SLICE_INIT("h"), 3600000}, {SLICE_INIT("days"), 86400000},
               {SLICE_INIT("day"), 86400000},   {SLICE_INIT("d"), 86400000}};
  for (unsigned i = 0; i < sizeof units / sizeof *units; i++) {
    if (s.len < units[i].name.len || !slice_eq_nocase(slice_of(s.ptr, units[i].name.len), units[i].name)) continue;
    *ms = units[i].ms;
    return units[i].name.len;
  }
  return 0;
}

bool retry_after_duration_ms(struct slice text, uint32_t *out, size_t *used) {
  double total = 0;
  size_t at = 0, whole = 0;
  for (;;) {
    double number, unit;
    size_t digits = number_at(slice_from(text, at), &number);
    if (digits == 0) break;
    size_t blank = at + digits < text.len && text.ptr[at + digits] == ' ';
    size_t letters = unit_at(slice_from(text, at + digits + blank), &unit);
    if (letters == 0) break;
    total += number * unit;
    at = whole = at + digits + blank + letters;
    if (blank) break;
  }
  *out = capped(total);
  *used = whole;
  return whole > 0;
}

/* ---- dates -------------------------------------------------------------------------------------------------- */

static bool date_ms(struct slice value, const char *const *formats, int64_t *out) {
  char text[64];
  if (value.len >= sizeof text) return false;
  memcpy(text, value.ptr, value.len);
  text[value.len] = '\0';
  for (; *formats != NULL; formats++) {
    struct tm date = {0};
    const char *end = strptime(text, *formats, &date);
    if (end == NULL) continue;
    *out = (int64_t)timegm(&date) * 1000;
    return true;
  }
  return false;
}

static uint32_t until(int64_t then_ms, int64_t wall_ms) {
  return capped((double)(then_ms - wall_ms));
}

/* ---- headers ------------------------------------------------------------------------------------------------ */

static void read_retry_after(struct retry_after *r, struct slice value, int64_t wall_ms) {
  static const char *const formats[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y", NULL};
  double seconds;
  int64_t then_ms;
  uint32_t told_ms;
  if (number_at(value, &seconds) == value.len && value.len > 0) told_ms = capped(seconds * 1000);
  else if (date_ms(value, formats, &then_ms)) told_ms = until(then_ms, wall_ms);
  else return;
  if (!r->told_exactly) r->told_ms = told_ms;
  r->told = true;
}

static void read_retry_after_ms(struct retry_after *r, struct slice value) {
  double ms;
  if (value.len == 0 || number_at(value, &ms) != value.len) return;
  r->told = r->told_exactly = true;
  r->told_ms = capped(ms);
}

/* Seconds, a duration, or a Unix time in seconds or milliseconds: the size tells which. */
static bool reset_of(struct slice value, int64_t wall_ms, uint32_t *out) {
  static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", NULL};
  double number;
  size_t digits = number_at(value, &number), used;
  int64_t then_ms;
  if (value.len == 0) return false;
  if (digits == value.len) {
    if (number >= 1e15) *out = RETRY_AFTER_MAX_MS;
    else if (number >= 1e12) *out = until((int64_t)number, wall_ms);
    else if (number >= 1e9) *out = until((int64_t)(number * 1000), wall_ms);
    else *out = capped(number * 1000);
    return true;
  }
  if (retry_after_duration_ms(value, out, &used) && used == value.len) return true;
  if (!date_ms(value, formats, &then_ms)) return false;
  *out = until(then_ms, wall_ms);
  return true;
}

static struct retry_limit *limit_named(struct retry_after *r, struct slice name) {
  for (unsigned i = 0; i < r->limit_count; i++)
    if (slice_eq_nocase(r->limits[i].name, name)) return &r->limits[i];
  if (r->limit_count == RETRY_AFTER_LIMITS) return NULL;
  struct retry_limit *limit = &r->limits[r->limit_count++];
  *limit = (struct retry_limit){.name = name};
  return limit;
}

static bool after(struct slice *s, struct slice prefix) {
  if (s->len < prefix.len || !slice_eq_nocase(slice_of(s->ptr, prefix.len), prefix)) return false;
  *s = slice_from(*s, prefix.len);
  return true;
}

static bool before(struct slice *s, struct slice suffix) {
  if (s->len < suffix.len || !slice_eq_nocase(slice_from(*s, s->len - suffix.len), suffix)) return false;
  s->len -= suffix.len;
  return true;
}

static void read_limit(struct retry_after *r, struct slice kind, bool is_reset, struct slice value, int64_t wall_ms) {
  struct retry_limit *limit = limit_named(r, kind);
  uint64_t left;
  if (limit == NULL) return;
  if (is_reset) {
    limit->has_reset = reset_of(value, wall_ms, &limit->reset_ms);
  } else if (slice_to_u64(value, &left)) {
    limit->has_remaining = true;
    limit->used_up = left == 0;
  }
}

void retry_after_header(struct retry_after *r, struct slice name, struct slice value, int64_t wall_ms) {
  struct slice kind = name;
  if (after(&kind, SLICE("x-ratelimit-reset"))) {
    after(&kind, SLICE("-"));
    read_limit(r, kind, true, value, wall_ms);
  } else if (after(&kind, SLICE("x-ratelimit-remaining"))) {
    after(&kind, SLICE("-"));
    read_limit(r, kind, false, value, wall_ms);
  } else if (after(&kind, SLICE("anthropic-ratelimit-"))) {
    if (before(&kind, SLICE("-reset"))) read_limit(r, kind, true, value, wall_ms);
    else if (before(&kind, SLICE("-remaining"))) read_limit(r, kind, false, value, wall_ms);
  } else if (slice_eq_nocase(name, SLICE("retry-after"))) {
    read_retry_after(r, value, wall_ms);
  } else if (slice_eq_nocase(name, SLICE("retry-after-ms"))) {
    read_retry_after_ms(r, value);
  } else if (slice_eq_nocase(name, SLICE("x-should-retry"))) {
    r->forbidden = slice_eq_nocase(value, SLICE("false"));
  }
}

uint32_t retry_after_ms(const struct retry_after *r) {
  if (r->told) return r->told_ms;
  uint32_t longest = 0;
  for (unsigned i = 0; i < r->limit_count; i++) {
    const struct retry_limit *limit = &r->limits[i];
    bool counts = limit->has_reset && (!limit->has_remaining || limit->used_up);
    if (counts && limit->reset_ms > longest) longest = limit->reset_ms;
  }
  return longest;
}

/* ---- bodies ------------------------------------------------------------------------------------------------- */

static struct slice skip_any(struct slice s, const char *bytes) {
  while (s.len > 0 && strchr(bytes, *s.ptr) != NULL && *s.ptr != '\0') s = slice_from(s, 1);
  return s;
}

static uint32_t behind(struct slice text, struct slice words, const char *between) {
  uint32_t ms;
  size_t used;
  ptrdiff_t at = slice_find(text, words);
  if (at < 0) return 0;
  struct slice rest = skip_any(slice_from(text, (size_t)at + words.len), between);
  return retry_after_duration_ms(rest, &ms, &used) ? ms : 0;
}

uint32_t retry_after_body_ms(struct slice text) {
  static const struct slice words[] = {SLICE_INIT("try again in "), SLICE_INIT("Try again in "),
                                       SLICE_INIT("retry after "), SLICE_INIT("retry in ")};
  uint32_t ms = behind(text, SLICE("\"retryDelay\""), " \t\r\n:\"");
  for (unsigned i = 0; ms == 0 && i < sizeof words / sizeof *words; i++) ms = behind(text, words[i], "");
  return ms;
}
