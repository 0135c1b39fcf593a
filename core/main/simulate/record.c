/* simulate_record: the worker adds, anybody lists. JSON is made only for the file and when somebody asks. */
#include "main/simulate/record.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "wire/json.h"

enum { FLUSH_MS = 20, FLUSH_BYTES = 1 << 18 };

static const char *const end_words[] = {"finished", "client_gone", "cut", "reset", "too_slow"};

static void write_lines(struct sim_recorder *r) {
  for (size_t at = 0; at < r->lines.len;) {
    ssize_t part = write(r->file, r->lines.ptr + at, r->lines.len - at);
    if (part < 0) {
      log_warn("simulate", "the record file takes no more; %zu bytes of records are lost", r->lines.len - at);
      break;
    }
    at += (size_t)part;
  }
  r->lines.len = 0;
}

static void flush_due(void *owner) {
  write_lines(owner);
}

void sim_recorder_init(struct sim_recorder *r, struct loop *l, unsigned keep, int file) {
  *r = (struct sim_recorder){.keep = keep, .file = file};
  pthread_mutex_init(&r->lock, NULL);
  if (keep > 0) r->ring = mem_zero(keep * sizeof *r->ring);
  timer_init(&r->flush, l, flush_due, r);
}

static void drop(struct sim_record *record) {
  mem_free(record->kept_head);
  buf_done(&record->body);
  *record = (struct sim_record){0};
}

void sim_recorder_done(struct sim_recorder *r) {
  timer_clear(&r->flush);
  if (r->file >= 0) write_lines(r);
  for (unsigned i = 0; i < r->keep; i++) drop(&r->ring[i]);
  mem_free(r->ring);
  buf_done(&r->lines);
  pthread_mutex_destroy(&r->lock);
}

struct slice sim_record_head(const struct http_head *head) {
  const char *begin = head->method.ptr, *end = head->target.ptr + head->target.len;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    /* An empty value may point nowhere. */
    const char *behind = h->value.len > 0 ? h->value.ptr + h->value.len : h->name.ptr + h->name.len + 1;
    if (behind > end) end = behind;
  }
  return slice_of(begin, (size_t)(end - begin));
}

static struct slice cut_line(struct slice *text) {
  ptrdiff_t end = slice_find(*text, SLICE("\r\n"));
  struct slice line = slice_of(text->ptr, end < 0 ? text->len : (size_t)end);
  *text = slice_from(*text, end < 0 ? text->len : (size_t)end + 2);
  return line;
}

static struct slice cut_word(struct slice *line, char separator) {
  ptrdiff_t end = slice_find_byte(*line, separator);
  struct slice word = slice_of(line->ptr, end < 0 ? line->len : (size_t)end);
  *line = slice_from(*line, end < 0 ? line->len : (size_t)end + 1);
  return word;
}

static void put_time(struct buf *out, const char *key, int64_t wall_ms) {
  char time[CLOCK_RFC3339_BYTES];
  clock_rfc3339(wall_ms, time);
  json_put_key(out, key);
  json_put_string(out, slice_of(time, sizeof time));
}

static void put_headers(struct buf *out, struct slice lines) {
  buf_byte(out, '[');
  for (bool first = true; lines.len > 0; first = false) {
    struct slice value = cut_line(&lines), name = cut_word(&value, ':');
    buf_text(out, first ? "[" : ",[");
    json_put_string(out, name);
    buf_byte(out, ',');
    json_put_string(out, slice_trim(value));
    buf_byte(out, ']');
  }
  buf_byte(out, ']');
}

static void put_number(struct buf *out, const char *key, uint64_t number) {
  json_put_key(out, key);
  buf_u64(out, number);
}

static void put_record(struct buf *out, const struct sim_record *record) {
  struct slice lines = record->head, first = cut_line(&lines);
  buf_byte(out, '{');
  put_number(out, "seq", record->seq);
  put_time(out, "time", record->received_ms);
  json_put_key(out, "method");
  json_put_string(out, cut_word(&first, ' '));
  json_put_key(out, "path");
  json_put_string(out, cut_word(&first, ' '));
  json_put_key(out, "dialect");
  json_put_string(out, slice_text(record->dialect));
  json_put_key(out, "headers");
  put_headers(out, lines);
  put_number(out, "body_bytes", record->body_bytes);
  json_put_key(out, "body");
  if (record->body.len == record->body_bytes) json_put_string(out, buf_view(&record->body));
  else buf_text(out, "null");
  put_number(out, "status", record->status);
  json_put_key(out, "end");
  json_put_string(out, slice_text(end_words[record->end]));
  put_time(out, "ended", record->ended_ms);
  put_number(out, "duration_ms", (uint64_t)(record->ended_ms - record->received_ms));
  put_number(out, "billed_input_tokens", record->billed_input);
  put_number(out, "billed_output_tokens", record->billed_output);
  json_put_key(out, "answer_sent");
  buf_text(out, record->answer_sent ? "true}" : "false}");
}

static void count(atomic_uint_fast64_t *counter, uint64_t by) {
  atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void sim_record_add(struct sim_recorder *r, struct sim_record *record) {
  count(&r->ends[record->end], 1);
  count(&r->billed_input, record->billed_input);
  count(&r->billed_output, record->billed_output);
  if (r->file >= 0) {
    put_record(&r->lines, record);
    buf_byte(&r->lines, '\n');
    if (r->lines.len >= FLUSH_BYTES) write_lines(r);
    else if (r->flush.due_ns == 0) timer_set_ms(&r->flush, FLUSH_MS);
  }
  if (r->keep == 0) {
    buf_done(&record->body);
    return;
  }
  if (record->body.len > SIM_KEPT_BODY_BYTES) buf_done(&record->body);
  char *head = mem_alloc(record->head.len);
  memcpy(head, record->head.ptr, record->head.len);
  record->head.ptr = record->kept_head = head;
  pthread_mutex_lock(&r->lock);
  struct sim_record *slot = &r->ring[r->next++ % r->keep];
  struct sim_record old = *slot;
  *slot = *record;
  pthread_mutex_unlock(&r->lock);
  drop(&old);
}

struct line {
  uint64_t seq;
  size_t at, len;
};

static int by_seq(const void *a, const void *b) {
  uint64_t x = ((const struct line *)a)->seq, y = ((const struct line *)b)->seq;
  return x < y ? -1 : x > y;
}

void sim_record_list(struct sim_recorder **recorders, unsigned worker_count, unsigned most, struct buf *out) {
  struct buf text = {0};
  struct line *lines = NULL;
  size_t line_count = 0;
  for (unsigned w = 0; w < worker_count; w++) {
    struct sim_recorder *r = recorders[w];
    lines = mem_resize(lines, (line_count + r->keep + 1) * sizeof *lines);
    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; i < r->keep; i++) {
      if (r->ring[i].seq == 0) continue;
      size_t at = text.len;
      put_record(&text, &r->ring[i]);
      lines[line_count++] = (struct line){r->ring[i].seq, at, text.len - at};
    }
    pthread_mutex_unlock(&r->lock);
  }
  if (line_count > 1) qsort(lines, line_count, sizeof *lines, by_seq);
  buf_byte(out, '[');
  size_t from = line_count > most ? line_count - most : 0;
  for (size_t i = from; i < line_count; i++) {
    if (i > from) buf_text(out, ",\n");
    buf_append(out, text.ptr + lines[i].at, lines[i].len);
  }
  buf_text(out, "]\n");
  mem_free(lines);
  buf_done(&text);
}

static uint64_t sum(struct sim_recorder **recorders, unsigned worker_count, size_t offset) {
  uint64_t total = 0;
  for (unsigned w = 0; w < worker_count; w++)
    total +=
        atomic_load_explicit((atomic_uint_fast64_t *)(void *)((char *)recorders[w] + offset), memory_order_relaxed);
  return total;
}

void sim_record_stats(struct sim_recorder **recorders, unsigned worker_count, struct buf *out) {
  static const struct {
    const char *key;
    size_t offset;
  } rows[] = {
      {"requests", offsetof(struct sim_recorder, requests)},
      {"open", offsetof(struct sim_recorder, open)},
      {"finished", offsetof(struct sim_recorder, ends[SIM_FINISHED])},
      {"client_gone", offsetof(struct sim_recorder, ends[SIM_CLIENT_GONE])},
      {"cut", offsetof(struct sim_recorder, ends[SIM_CUT])},
      {"reset", offsetof(struct sim_recorder, ends[SIM_RESET])},
      {"too_slow", offsetof(struct sim_recorder, ends[SIM_TOO_SLOW])},
      {"billed_input_tokens", offsetof(struct sim_recorder, billed_input)},
      {"billed_output_tokens", offsetof(struct sim_recorder, billed_output)},
  };
  buf_byte(out, '{');
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    put_number(out, rows[i].key, sum(recorders, worker_count, rows[i].offset));
  buf_text(out, "}\n");
}

void sim_record_clear(struct sim_recorder *r) {
  for (unsigned i = 0; i <= SIM_TOO_SLOW; i++) atomic_store(&r->ends[i], 0);
  atomic_store(&r->requests, atomic_load(&r->open));
  atomic_store(&r->billed_input, 0);
  atomic_store(&r->billed_output, 0);
  pthread_mutex_lock(&r->lock);
  for (unsigned i = 0; i < r->keep; i++) drop(&r->ring[i]);
  pthread_mutex_unlock(&r->lock);
}
