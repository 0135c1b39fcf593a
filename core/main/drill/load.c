/* drill_load: transfers of libcurl on one multi handle. A connection a request, so that none inherits another's fate.
 */
#include "main/drill/load.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "main/simulate/json.h"
#include "wire/json.h"

enum { NS_PER_US = 1000, US_PER_MS = 1000, US_PER_S = 1000000, NS_PER_MS = 1000000, POLL_MS_MAX = 50 };

struct client {
  struct drill_call *call;
  CURL *curl;
  char request[512];
  struct buf body;
  uint64_t began_ns, last_ns;
};

unsigned drill_load_count(const struct drill_load *l) {
  return (unsigned)(l->duration_ms * l->per_s / 1000);
}

static void note_time(struct client *c, uint64_t now) {
  uint64_t gap_us = (now - c->last_ns) / NS_PER_US;
  if (gap_us > c->call->stall_us) c->call->stall_us = gap_us;
  c->last_ns = now;
}

/* Whether an event with text of the model has come. */
static bool has_content(struct slice body) {
  static const struct slice mark = SLICE_INIT("\"content\":\"");
  for (;;) {
    ptrdiff_t at = slice_find(body, mark);
    if (at < 0) return false;
    body = slice_from(body, (size_t)at + mark.len);
    if (body.len > 0 && *body.ptr != '"') return true;
  }
}

static size_t take_body(char *bytes, size_t size, size_t count, void *owner) {
  struct client *c = owner;
  uint64_t now = clock_ns();
  note_time(c, now);
  buf_append(&c->body, bytes, size * count);
  if (!c->call->content_begun && c->call->streams && has_content(buf_view(&c->body))) {
    c->call->content_begun = true;
    c->call->first_us = (now - c->began_ns) / NS_PER_US;
  }
  return size * count;
}

static void copy_value(struct slice line, const char *name, char *out, size_t cap) {
  size_t len = strlen(name);
  if (line.len <= len || strncasecmp(line.ptr, name, len) != 0) return;
  while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) line.len--;
  struct slice value = slice_trim(slice_from(line, len));
  snprintf(out, cap, "%.*s", (int)value.len, value.ptr);
}

static size_t take_header(char *bytes, size_t size, size_t count, void *owner) {
  struct client *c = owner;
  struct slice line = slice_of(bytes, size * count);
  char attempts[16] = "";
  note_time(c, clock_ns());
  copy_value(line, "x-moongate-target:", c->call->target, sizeof c->call->target);
  copy_value(line, "x-moongate-attempts:", attempts, sizeof attempts);
  if (*attempts != '\0') c->call->attempts = (unsigned)strtoul(attempts, NULL, 10);
  return size * count;
}

static void begin(struct client *c, const struct drill_load *l, CURLM *multi, struct curl_slist *headers) {
  char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/chat/completions", l->port);
  snprintf(c->request, sizeof c->request,
           "{\"model\":\"%.200s\",\"max_tokens\":100,%s\"messages\":[{\"role\":\"user\",\"content\":\"A drill.\"}]}",
           l->model, c->call->streams ? "\"stream\":true," : "");
  c->curl = curl_easy_init();
  curl_easy_setopt(c->curl, CURLOPT_URL, url);
  curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->request);
  curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
  curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c->curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(c->curl, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)l->patience_ms);
  curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
  curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
  curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
  c->began_ns = c->last_ns = clock_ns();
  curl_multi_add_handle(multi, c->curl);
}

/* The code of {"error":{"code":"…"}}, else its type, else what stands in `otherwise`. */
static void read_code(struct slice body, const char *otherwise, char *out, size_t cap) {
  struct json_fault ignored;
  struct buf padded = {0}; /* the parser reads in blocks */
  buf_reserve(&padded, body.len + 1);
  buf_slice(&padded, body);
  struct slice text = slice_trim(buf_view(&padded)), code = {0};
  if (json_valid(text, &ignored)) {
    struct slice error = sim_json_get(text, "error");
    code = sim_json_get(error, "code");
    if (code.ptr == NULL || *code.ptr != '"') code = sim_json_get(error, "type");
  }
  if (code.ptr != NULL && *code.ptr == '"' && code.len > 2) snprintf(out, cap, "%.*s", (int)code.len - 2, code.ptr + 1);
  else snprintf(out, cap, "%s", otherwise);
  buf_done(&padded);
}

/* An answer that came to its end: is it one? */
static void read_answer(struct client *c) {
  struct drill_call *call = c->call;
  struct slice body = buf_view(&c->body);
  ptrdiff_t error = slice_find(body, SLICE("data: {\"error\""));
  if (call->status != 200) {
    read_code(body, "", call->code, sizeof call->code);
  } else if (!call->streams) {
    call->answered = call->content_begun = slice_find(body, SLICE("\"choices\"")) >= 0;
    if (!call->answered) snprintf(call->code, sizeof call->code, "no answer in it");
  } else if (error >= 0) {
    struct slice event = slice_from(body, (size_t)error + 6);
    ptrdiff_t end = slice_find_byte(event, '\n');
    read_code(slice_of(event.ptr, end < 0 ? event.len : (size_t)end), "error event", call->code, sizeof call->code);
  } else {
    call->answered = slice_find(body, SLICE("data: [DONE]")) >= 0;
    if (!call->answered) snprintf(call->code, sizeof call->code, "no end of the stream");
  }
}

static void finish(struct client *c, CURLcode result, CURLM *multi) {
  struct drill_call *call = c->call;
  long status = 0;
  note_time(c, clock_ns());
  curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
  call->status = (unsigned)status;
  if (result == CURLE_OK) read_answer(c);
  else
    snprintf(call->code, sizeof call->code, "%s",
             result == CURLE_OPERATION_TIMEDOUT ? "out of patience" : "connection broke");
  if (!call->streams) call->first_us = (c->last_ns - c->began_ns) / NS_PER_US;
  curl_multi_remove_handle(multi, c->curl);
  curl_easy_cleanup(c->curl);
  buf_done(&c->body);
}

static unsigned finish_done(CURLM *multi) {
  CURLMsg *message;
  int left;
  unsigned done = 0;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    struct client *c;
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
    finish(c, result, multi);
    done++;
  }
  return done;
}

bool drill_load_run(const struct drill_load *l, struct drill_call *calls, struct err *e) {
  unsigned count = drill_load_count(l), begun = 0, done = 0;
  struct client *clients = mem_zero((count + 1) * sizeof *clients);
  struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
  char authorization[128];
  snprintf(authorization, sizeof authorization, "authorization: Bearer %s", l->key);
  if (*l->key != '\0') headers = curl_slist_append(headers, authorization);
  CURLM *multi = curl_multi_init();
  uint64_t start = clock_ns();
  bool good = true;
  while (good && done < count) {
    uint64_t now = clock_ns(), due_ns = (uint64_t)begun * US_PER_S / l->per_s * NS_PER_US;
    int wait_ms = POLL_MS_MAX, running;
    for (; begun < count && start + due_ns <= now; due_ns = (uint64_t)begun * US_PER_S / l->per_s * NS_PER_US) {
      calls[begun] = (struct drill_call){.streams = begun % 2 == 1};
      clients[begun].call = &calls[begun];
      begin(&clients[begun], l, multi, headers);
      begun++;
    }
    if (begun < count && start + due_ns < now + (uint64_t)POLL_MS_MAX * NS_PER_MS)
      wait_ms = (int)((start + due_ns - now) / NS_PER_MS) + 1;
    good = curl_multi_perform(multi, &running) == CURLM_OK;
    done += finish_done(multi);
    if (good && done < count) good = curl_multi_poll(multi, NULL, 0, wait_ms, NULL) == CURLM_OK;
  }
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  mem_free(clients);
  return good || err_set(e, "the clients of the drill cannot run");
}
