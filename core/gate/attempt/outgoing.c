/* outgoing: see the header. The worker's thread. */
#include "gate/attempt/outgoing.h"

#include <stdio.h>

#include "gate/attempt/provider_path.h"
#include "gate/dialect/splice.h"
#include "gate/request.h"

static const struct provider *provider_of(const struct attempt *a) {
  return a->target->provider;
}

/* ---- the path ----------------------------------------------------------------------------------------------- */

static struct slice chat_path(const struct attempt *a) {
  const struct adapter *own = provider_of(a)->adapter;
  bool streams = a->request->asked.stream, usual = a->dialect == own->dialect;
  enum dialect_id which = dialect_index(a->dialect);
  const char *path = own->paths[which] || !usual ? own->paths[which] : own->path,
             *stream_path = own->stream_paths[which] || !usual ? own->stream_paths[which] : own->stream_path;
  if (streams && stream_path != NULL) return slice_text(stream_path);
  if (path != NULL) return slice_text(path);
  return streams && a->dialect->provider_stream_path.len > 0 ? a->dialect->provider_stream_path
                                                             : a->dialect->provider_path;
}

/* The adapter's own path comes first: under the operation's name, or that of the path it replaces. */
static struct slice other_path(const struct attempt *a) {
  const struct endpoint *e = a->request->endpoint;
  const struct adapter *own = provider_of(a)->adapter;
  struct slice usual = a->crosses ? operation_path(e->operation, a->dialect) : e->provider;
  const char *path = adapter_path(own, slice_text(operation_row(e->operation)->name));
  if (path == NULL && usual.len > 1) path = adapter_path(own, slice_from(usual, 1));
  return path != NULL ? slice_text(path) : usual;
}

/* The client's query without its key; only where the path, too, is the client's. */
static void put_query(struct buf *out, struct slice query) {
  for (char mark = '?'; query.len > 0; mark = '&') {
    ptrdiff_t end = slice_find_byte(query, '&');
    struct slice one = end < 0 ? query : slice_of(query.ptr, (size_t)end);
    query = end < 0 ? SLICE("") : slice_from(query, (size_t)end + 1);
    if (one.len == 0 || slice_starts(one, SLICE("key="))) continue;
    buf_byte(out, slice_find_byte(buf_view(out), '?') < 0 ? '?' : mark);
    buf_slice(out, one);
  }
}

bool outgoing_set_path(struct attempt *a, struct fault *f) {
  const struct request *r = a->request;
  const struct provider *p = provider_of(a);
  bool chat = r->endpoint->operation == OPERATION_CHAT;
  bool asks_sse = chat && r->asked.stream && a->framing == FRAMING_SSE;
  struct buf *out = &r->gate->line;
  out->len = 0;
  struct slice template = chat ? chat_path(a) : other_path(a);
  if (slice_starts(template, SLICE("{origin}"))) template = slice_from(template, 8);
  else buf_text(out, p->base_path);
  if (!provider_path_put(out, template, a->target->model, asks_sse ? a->dialect->sse_query : SLICE(""))) {
    fault_set(f, FAULT_FIELD_INVALID, "`model` cannot stand in a path of %s's API.", p->name);
    snprintf(f->param, sizeof f->param, "model");
    return false;
  }
  if (r->endpoint->place == MODEL_NOWHERE) {
    buf_slice(out, r->path_rest);
    if (r->head != NULL) put_query(out, r->head->query);
  }
  a->path = arena_copy(&a->request->arena, buf_view(out));
  return true;
}

/* ---- headers ------------------------------------------------------------------------------------------------ */

static void put_line(struct buf *out, struct slice name, struct slice value) {
  buf_slice(out, name);
  buf_slice(out, SLICE(": "));
  buf_slice(out, value);
  buf_slice(out, SLICE("\r\n"));
}

/* Headers of the client that mean something to a provider of the same dialect; nothing else of the client's goes on. */
static void put_client_headers(struct buf *out, const struct request *r, const struct adapter *adapter) {
  static const struct slice passed[] = {SLICE_INIT("anthropic-version"), SLICE_INIT("anthropic-beta"),
                                        SLICE_INIT("openai-beta"), SLICE_INIT("idempotency-key")},
                            bedrock = SLICE_INIT("x-amzn-bedrock-");
  for (unsigned i = 0; r->head != NULL && i < r->head->header_count; i++) {
    const struct http_header *h = &r->head->headers[i];
    for (unsigned k = 0; k < sizeof passed / sizeof *passed; k++)
      if (slice_eq_nocase(h->name, passed[k])) put_line(out, passed[k], h->value);
    if (h->name.len > bedrock.len && slice_eq_nocase(slice_of(h->name.ptr, bedrock.len), bedrock))
      put_line(out, h->name, h->value);
  }
  /* The adapter's own lines come last, without those that the client has set. */
  struct slice lines = slice_text(adapter->headers);
  while (lines.len > 0) {
    ptrdiff_t end = slice_find(lines, SLICE("\r\n")), colon = slice_find_byte(lines, ':');
    struct slice line = slice_of(lines.ptr, (size_t)end + 2), name = slice_of(lines.ptr, (size_t)colon);
    bool set = false;
    if (r->head != NULL && http_header_of(r->head, name).ptr != NULL)
      for (unsigned k = 0; k < sizeof passed / sizeof *passed; k++) set = set || slice_eq_nocase(name, passed[k]);
    if (!set) buf_slice(out, line);
    lines = slice_from(lines, line.len);
  }
}

bool outgoing_stays_here(const struct http_head *head, struct slice name) {
  static const struct slice names[] = {SLICE_INIT("accept-encoding"),
                                       SLICE_INIT("api-key"),
                                       SLICE_INIT("authorization"),
                                       SLICE_INIT("connection"),
                                       SLICE_INIT("content-length"),
                                       SLICE_INIT("cookie"),
                                       SLICE_INIT("expect"),
                                       SLICE_INIT("forwarded"),
                                       SLICE_INIT("host"),
                                       SLICE_INIT("keep-alive"),
                                       SLICE_INIT("proxy-authorization"),
                                       SLICE_INIT("proxy-connection"),
                                       SLICE_INIT("te"),
                                       SLICE_INIT("trailer"),
                                       SLICE_INIT("transfer-encoding"),
                                       SLICE_INIT("upgrade"),
                                       SLICE_INIT("user-agent"),
                                       SLICE_INIT("via"),
                                       SLICE_INIT("x-amz-content-sha256"),
                                       SLICE_INIT("x-amz-date"),
                                       SLICE_INIT("x-amz-security-token"),
                                       SLICE_INIT("x-api-key"),
                                       SLICE_INIT("x-goog-api-key"),
                                       SLICE_INIT("x-real-ip"),
                                       SLICE_INIT("x-request-id")};
  static const struct slice prefixes[] = {SLICE_INIT("x-moongate-"), SLICE_INIT("x-forwarded-")};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_eq_nocase(name, names[i])) return true;
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (name.len > prefixes[i].len && slice_eq_nocase(slice_of(name.ptr, prefixes[i].len), prefixes[i])) return true;
  return http_list_has(head, SLICE("connection"), name);
}

/* Everything of the client's that may go on; then what the adapter adds and the client has not set. */
static void put_raw_headers(struct buf *out, const struct request *r, const struct adapter *adapter) {
  for (unsigned i = 0; r->head != NULL && i < r->head->header_count; i++) {
    const struct http_header *h = &r->head->headers[i];
    if (!outgoing_stays_here(r->head, h->name)) put_line(out, h->name, h->value);
  }
  struct slice lines = slice_text(adapter->headers);
  while (lines.len > 0) {
    ptrdiff_t end = slice_find(lines, SLICE("\r\n")), colon = slice_find_byte(lines, ':');
    struct slice line = slice_of(lines.ptr, (size_t)end + 2);
    if (r->head == NULL || http_header_of(r->head, slice_of(lines.ptr, (size_t)colon)).ptr == NULL)
      buf_slice(out, line);
    lines = slice_from(lines, line.len);
  }
}

static void put_accept(struct buf *out, const struct attempt *a) {
  const struct request *r = a->request;
  struct slice accept = SLICE("application/json");
  if (r->asked.stream) accept = framing_row(a->framing)->accept;
  else if (r->endpoint->operation != OPERATION_CHAT && !a->crosses) accept = SLICE("*/*");
  put_line(out, SLICE("accept"), accept);
}

/* It means the same to all who take it, in any dialect. */
static void put_idempotency_key(struct buf *out, const struct attempt *a) {
  const struct request *r = a->request;
  bool taken = a->dialect == &dialect_openai_chat || a->dialect == &dialect_openai_responses ||
               a->dialect == &dialect_anthropic_messages;
  if (!taken || r->head == NULL) return;
  struct slice key = http_header_of(r->head, SLICE("idempotency-key"));
  if (key.len > 0) put_line(out, SLICE("idempotency-key"), key);
}

/* By which a provider can be asked what became of a call that it has not answered. The name is OpenAI's ("Debugging
 * requests", API reference); it means nothing to others. */
static void put_own_id(struct buf *out, const struct attempt *a) {
  buf_slice(out, SLICE("x-client-request-id: "));
  buf_append(out, a->request->id, REQUEST_ID_BYTES);
  buf_byte(out, '-');
  buf_u64(out, a->number);
  buf_slice(out, SLICE("\r\n"));
}

struct slice outgoing_headers(struct attempt *a) {
  const struct request *r = a->request;
  const struct adapter *adapter = provider_of(a)->adapter;
  struct buf *out = &r->gate->headers;
  out->len = 0;
  buf_slice(out, SLICE("accept-encoding: identity\r\nuser-agent: moongate/" MOONGATE_VERSION "\r\n"));
  if (r->endpoint->operation == OPERATION_RAW) {
    if (r->head == NULL || http_header_of(r->head, SLICE("x-client-request-id")).ptr == NULL) put_own_id(out, a);
    put_raw_headers(out, r, adapter);
    return buf_view(out);
  }
  put_own_id(out, a);
  bool as_came = r->endpoint->place == MODEL_IN_FORM || r->endpoint->place == MODEL_NOWHERE;
  if (!as_came) buf_slice(out, SLICE("content-type: application/json\r\n"));
  else if (r->body.len > 0 && r->head != NULL && http_header_of(r->head, SLICE("content-type")).len > 0)
    put_line(out, SLICE("content-type"), http_header_of(r->head, SLICE("content-type")));
  put_accept(out, a);
  if (!a->crosses) {
    put_client_headers(out, r, adapter);
  } else {
    put_idempotency_key(out, a);
    buf_text(out, adapter->headers);
  }
  return buf_view(out);
}

/* ---- the body ----------------------------------------------------------------------------------------------- */

/* Gemini repeats the path's model inside bodies that are no chat, and wants both to be the same. */
static bool repeats_model(const struct attempt *a) {
  const struct request *r = a->request;
  enum operation operation = r->endpoint->operation;
  return r->dialect == &dialect_gemini && !a->crosses && r->endpoint->place == MODEL_IN_PATH &&
         operation != OPERATION_CHAT && !slice_eq(r->asked.model, a->target->model);
}

void outgoing_set_parts(struct attempt *a) {
  struct request *r = a->request;
  enum operation operation = r->endpoint->operation;
  if (repeats_model(a)) {
    a->body.len = 0;
    splice_inner_models(&a->body, r->body, a->target->model);
  }
  if (a->body.ptr != NULL) {
    a->parts[0] = (struct iovec){a->body.ptr, a->body.len};
    a->part_count = 1;
    return;
  }
  a->strip_usage_event = provider_of(a)->adapter->stream_usage && r->asked.stream && !r->asked.usage_event &&
                         r->dialect == &dialect_openai_chat &&
                         (operation == OPERATION_CHAT || operation == OPERATION_COMPLETIONS);
  a->part_count = splice_body(&r->arena, r->body, &r->asked, a->target->model, a->strip_usage_event, a->parts);
}
