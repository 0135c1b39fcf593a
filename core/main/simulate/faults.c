/* simulate_faults: rows and the draw. The counts of fail_first are shared by all workers. */
#include "main/simulate/faults.h"

#include <time.h>

enum { FILLER_LINE_BYTES = 64, MS_PER_S = 1000 };

static const struct {
  size_t offset; /* of the moment in struct sim_steer */
  enum sim_act act;
} rows[] = {
    {offsetof(struct sim_steer, stall), SIM_STALL},
    {offsetof(struct sim_steer, close), SIM_CLOSE},
    {offsetof(struct sim_steer, reset), SIM_RST},
    {offsetof(struct sim_steer, error_event), SIM_ERROR_EVENT},
};

enum sim_act sim_faults_at(const struct sim_steer *steer, enum sim_moment moment) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (*((const uint8_t *)steer + rows[i].offset) == moment) return rows[i].act;
  return SIM_GO_ON;
}

static bool any_fault(const struct sim_steer *steer) {
  return steer->status >= 400 || steer->stall || steer->close || steer->reset || steer->error_event ||
         steer->malformed || steer->cut_at != SIM_UNSET || steer->corrupt_at != SIM_UNSET || steer->header_bytes > 0 ||
         steer->gzip_bytes > 0 || steer->drip_ms > 0;
}

static void take_out(struct sim_steer *steer) {
  steer->status = 0;
  steer->stall = steer->close = steer->reset = steer->error_event = SIM_NEVER;
  steer->malformed = SIM_WELL_FORMED;
  steer->cut_at = steer->corrupt_at = steer->retry_after = SIM_UNSET;
  steer->header_bytes = steer->gzip_bytes = steer->drip_ms = 0;
}

static uint64_t hash(uint64_t seed, struct slice s) {
  for (size_t i = 0; i < s.len; i++) seed = (seed ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
  return seed;
}

/* How many requests with this key came before. A full table counts the rest together in its last slot. */
static uint64_t count_up(struct simulator *s, uint64_t key) {
  pthread_mutex_lock(&s->lock);
  unsigned slot = (unsigned)(key % SIM_COUNTS), tries = 0;
  while (s->counts[slot].key != 0 && s->counts[slot].key != key && ++tries < SIM_COUNTS) slot = (slot + 1) % SIM_COUNTS;
  s->counts[slot].key = key;
  uint64_t before = s->counts[slot].requests++;
  pthread_mutex_unlock(&s->lock);
  return before;
}

/* From 0 to 1, of the top 53 bits. */
static double lot(uint64_t seed, uint64_t number) {
  return (double)(sim_mix(seed, number) >> 11) * 0x1p-53;
}

void sim_faults_draw(struct simulator *s, struct sim_steer *steer, uint64_t number, struct slice path,
                     struct slice model) {
  bool first = steer->fail_first > 0, share = steer->fail >= 0;
  if (!first && !share) return;
  bool strikes = first && count_up(s, hash(hash(0xcbf29ce484222325u, path), model) | 1) < steer->fail_first;
  if (share) strikes |= lot(s->seed, number) < steer->fail;
  if (!strikes) take_out(steer);
  else if (!any_fault(steer)) steer->status = 500;
}

void sim_faults_delay(const struct simulator *s, struct sim_steer *steer, uint64_t number, bool stream) {
  enum { OTHER_LOTS = 0x7a11 }; /* than those of fail= */
  if (steer->tail > 0 && lot(s->seed ^ OTHER_LOTS, number) < steer->tail)
    *(stream ? &steer->ttft_ms : &steer->latency_ms) += steer->tail_ms;
}

static void put_retry_after(const struct sim_steer *steer, struct buf *out) {
  char date[40];
  struct tm day;
  time_t then = time(NULL) + (time_t)steer->retry_after;
  switch ((enum sim_retry_form)steer->retry_form) {
  case SIM_RETRY_SECONDS: buf_fill(out, "retry-after: %llu\r\n", (unsigned long long)steer->retry_after); break;
  case SIM_RETRY_MS:
    buf_fill(out, "retry-after-ms: %llu\r\n", (unsigned long long)steer->retry_after * MS_PER_S);
    break;
  case SIM_RETRY_DATE: /* RFC 9110 5.6.7; the process stays in the C locale */
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &day));
    buf_fill(out, "retry-after: %s\r\n", date);
    break;
  }
}

void sim_faults_put_headers(const struct sim_steer *steer, struct buf *out) {
  if (steer->retry_after != SIM_UNSET) put_retry_after(steer, out);
  if (steer->header.len > 0) {
    buf_slice(out, steer->header);
    buf_text(out, "\r\n");
  }
  for (uint64_t left = steer->header_bytes; left > 0; left -= left < FILLER_LINE_BYTES ? left : FILLER_LINE_BYTES)
    buf_text(out, "x-filler: ffffffffffffffffffffffffffffffffffffffffffffffffffff\r\n");
}

static const struct slice proxy_page =
    SLICE_INIT("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
               "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n");

void sim_faults_spoil(const struct sim_steer *steer, bool stream, struct buf *out, size_t from) {
  if (steer->malformed == SIM_BAD_CONTENT_TYPE) {
    out->len = from;
    buf_slice(out, proxy_page);
  } else if (steer->malformed == SIM_BAD_JSON) {
    /* The closing brace goes: of the body, or of the data line before its empty line. */
    size_t at = out->len;
    while (at > from && out->ptr[at - 1] != '}') at--;
    if (at > from) memmove(out->ptr + at - 1, out->ptr + at, out->len - at);
    if (at > from) out->len--;
  } else if (steer->malformed == SIM_BAD_SSE && stream) {
    /* The field name goes, and with it the data: "{…" is a field that nobody knows. */
    ptrdiff_t at = slice_find(slice_of(out->ptr + from, out->len - from), SLICE("data: "));
    if (at < 0) return;
    char *name = out->ptr + from + at;
    memmove(name, name + 6, (size_t)(out->ptr + out->len - name - 6));
    out->len -= 6;
  }
}
