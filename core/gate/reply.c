/* reply: composes answers in the gate's scratch buffers; the exchange sends them within the call. The worker's thread.
 */
#include "gate/reply.h"

#include <stdio.h>

#include "gate/attempt/failure.h"
#include "gate/strict.h"

/* The lines that every answer has. */
static struct buf *begin(struct request *r) {
  struct buf *h = &r->gate->headers;
  h->len = 0;
  buf_slice(h, SLICE("x-request-id: "));
  buf_append(h, r->id, REQUEST_ID_BYTES);
  if (r->dialect->request_id_header.len > 0) {
    buf_slice(h, SLICE("\r\n"));
    buf_slice(h, r->dialect->request_id_header);
    buf_slice(h, SLICE(": "));
    buf_append(h, r->id, REQUEST_ID_BYTES);
  }
  buf_slice(h, SLICE("\r\n"));
  return h;
}

/* Of ready headers: what begin did not write. */
static struct slice shared_lines(const struct request *r, const struct buf *h) {
  size_t of_id = SLICE(": ").len + REQUEST_ID_BYTES + SLICE("\r\n").len, own = SLICE("x-request-id").len + of_id;
  if (r->dialect->request_id_header.len > 0) own += r->dialect->request_id_header.len + of_id;
  return slice_from(buf_view(h), own);
}

static void put_attempts(struct buf *h, const struct request *r, const struct attempt *a) {
  buf_slice(h, SLICE("x-moongate-target: "));
  buf_slice(h, a->target->name);
  buf_slice(h, SLICE("\r\nx-moongate-attempts: "));
  buf_u64(h, r->attempt_count);
  buf_slice(h, SLICE("\r\n"));
  if (a->losses.len > 0) {
    buf_slice(h, SLICE("x-moongate-lossy: "));
    buf_slice(h, a->losses);
    buf_slice(h, SLICE("\r\n"));
  }
  buf_slice(h, a->passed_headers);
}

static void put_content_type(struct buf *h, struct slice type) {
  buf_slice(h, SLICE("content-type: "));
  buf_slice(h, type);
  buf_slice(h, SLICE("\r\n"));
}

static void send_whole(struct request *r, unsigned status, const struct buf *headers, struct slice body) {
  struct iovec part = {(char *)body.ptr, body.len};
  if (r->delivery.exchange == NULL) return; /* others were told */
  r->status = (uint16_t)status;
  r->delivery.ended = true;
  exchange_reply(r->delivery.exchange, status, buf_view(headers), &part, body.len > 0);
}

void reply_whole(struct request *r, struct attempt *a, struct slice body) {
  struct buf *h = begin(r);
  bool is_ours = a->translated || a->content_type.len == 0;
  if (!is_ours || body.len > 0) put_content_type(h, is_ours ? SLICE("application/json") : a->content_type);
  put_attempts(h, r, a);
  if (r->coalesced != NULL) coalesce_whole(r, a->status, shared_lines(r, h), body);
  send_whole(r, a->status, h, body);
}

void reply_start(struct request *r, struct attempt *a) {
  struct buf *h = begin(r);
  put_content_type(h, a->translated || a->content_type.len == 0 ? framing_row(r->asked.framing)->content_type
                                                                : a->content_type);
  buf_slice(h, SLICE("cache-control: no-cache, no-transform\r\nx-accel-buffering: no\r\n"));
  put_attempts(h, r, a);
  if (r->coalesced != NULL) coalesce_begin(r, a->status, shared_lines(r, h), false);
  r->delivery.started = true;
  if (r->delivery.exchange == NULL) return;
  r->status = a->status;
  exchange_start(r->delivery.exchange, a->status, buf_view(h));
  exchange_set_filler(r->delivery.exchange, framing_row(r->asked.framing)->filler);
}

void reply_relay(struct request *r, struct attempt *a, const uint64_t *length) {
  struct buf *h = begin(r);
  if (a->content_type.len > 0) put_content_type(h, a->content_type);
  put_attempts(h, r, a);
  if (r->coalesced != NULL) coalesce_begin(r, a->status, shared_lines(r, h), true);
  r->delivery.started = true;
  if (r->delivery.exchange == NULL) return;
  r->status = a->status;
  if (length != NULL) exchange_start_sized(r->delivery.exchange, a->status, buf_view(h), *length);
  else exchange_start(r->delivery.exchange, a->status, buf_view(h));
}

void reply_json(struct request *r, unsigned status, struct slice body) {
  struct buf *h = begin(r);
  put_content_type(h, SLICE("application/json"));
  send_whole(r, status, h, body);
}

static struct slice allow_line(const struct request *r) {
  const struct endpoint *e = r->endpoint;
  bool gets = e->operation == OPERATION_NONE || slice_eq(e->method, SLICE("GET"));
  if (e->operation != OPERATION_NONE && e->method.len == 0)
    return SLICE("allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
  return gets ? SLICE("allow: GET, HEAD, OPTIONS\r\n") : SLICE("allow: POST, OPTIONS\r\n");
}

void reply_options(struct request *r) {
  struct buf *h = begin(r);
  buf_slice(h, allow_line(r));
  send_whole(r, 204, h, SLICE(""));
}

void reply_fault(struct request *r) {
  const struct fault *f = &r->fault;
  struct buf *h = begin(r), *body = &r->gate->body;
  put_content_type(h, SLICE("application/json"));
  buf_slice(h, SLICE("x-gateway-error: true\r\n"));
  if (r->attempt_count > 0) {
    buf_slice(h, SLICE("x-moongate-attempts: "));
    buf_u64(h, r->attempt_count);
    buf_slice(h, SLICE("\r\n"));
  }
  if (f->retry_after_s > 0) {
    buf_slice(h, SLICE("retry-after: "));
    buf_u64(h, f->retry_after_s);
    buf_slice(h, SLICE("\r\n"));
  }
  if (fault_status(f) == 401) buf_slice(h, SLICE("www-authenticate: Bearer\r\n"));
  if (f->code == FAULT_METHOD) buf_slice(h, allow_line(r));
  if (r->dialect->put_fault_headers != NULL) r->dialect->put_fault_headers(h, f);
  body->len = 0;
  r->dialect->put_fault(body, f, slice_of(r->id, REQUEST_ID_BYTES));
  send_whole(r, fault_status(f), h, buf_view(body));
}

void reply_stream_fault(struct request *r) {
  struct buf *body = &r->gate->body;
  if (r->source != NULL && r->source->relays) { /* there is no place for words within a file or a sound */
    r->delivery.ended = true;
    exchange_abort(r->delivery.exchange);
    return;
  }
  body->len = 0;
  struct stream_place at = {r->asked.framing, r->delivery.next_number};
  r->dialect->put_stream_fault(body, &r->fault, &at, slice_of(r->id, REQUEST_ID_BYTES));
  exchange_write(r->delivery.exchange, buf_view(body));
  request_end(r);
}

void reply_close_event(struct attempt *a) {
  if (a->stream.framing == FRAMING_SSE) request_write(a->request, SLICE("\n\n"));
}

/* Errors of every API are JSON. The rest is a proxy's page, or nothing at all. */
static bool is_json(struct slice body) {
  while (body.len > 0 && (*body.ptr == ' ' || *body.ptr == '\r' || *body.ptr == '\n' || *body.ptr == '\t'))
    body = slice_from(body, 1);
  return body.len > 0 && (*body.ptr == '{' || *body.ptr == '[');
}

static void refuse_without_words(struct request *r, const struct attempt *a) {
  struct fault f;
  fault_set(&f, FAULT_PROVIDER_FAILED, "%s answered with status %u, and with no error of its API.",
            a->target->provider->name, a->status);
  f.status = a->status;
  f.retry_after_s = (a->retry_after_ms + 999) / 1000;
  request_refuse(r, &f);
}

void reply_provider_error(struct request *r, struct attempt *a) {
  struct slice body = buf_view(&a->held);
  unsigned status = a->status;
  bool as_came = !a->crosses;
  if (as_came && r->endpoint->operation != OPERATION_RAW && !is_json(body)) {
    refuse_without_words(r, a);
    return;
  }
  if (!as_came) {
    struct fault f = {.code = FAULT_COUNT};
    struct slice translated = {NULL, 0};
    const struct hooks *hooks = r->tenure->generation->hooks;
    if (hooks->error(r->tenure->script, a, body, &status, &translated, &f) != HOOK_DONE) {
      fault_set(&f, FAULT_PROVIDER_FAILED, "%s answered %u: %s", a->target->provider->name, a->status, a->failure_text);
      f.status = a->status;
      request_refuse(r, &f);
      return;
    }
    body = translated;
  }
  struct buf *h = begin(r);
  put_content_type(h, as_came && a->content_type.len > 0 ? a->content_type : SLICE("application/json"));
  put_attempts(h, r, a);
  if (r->coalesced != NULL) coalesce_whole(r, status, shared_lines(r, h), body);
  send_whole(r, status, h, body);
}

/* x-moongate-coalesced, and what the leader's client was told of the answer. */
static struct buf *begin_follow(struct request *r, const char *leader_id, struct slice lines) {
  struct buf *h = begin(r);
  buf_slice(h, SLICE("x-moongate-coalesced: "));
  buf_append(h, leader_id, REQUEST_ID_BYTES);
  buf_slice(h, SLICE("\r\n"));
  buf_slice(h, lines);
  return h;
}

void reply_follow_whole(struct request *r, const char *leader_id, unsigned status, struct slice lines,
                        struct slice body) {
  send_whole(r, status, begin_follow(r, leader_id, lines), body);
}

void reply_follow_start(struct request *r, const char *leader_id, unsigned status, struct slice lines) {
  r->status = (uint16_t)status;
  r->delivery.started = true;
  exchange_start(r->delivery.exchange, status, buf_view(begin_follow(r, leader_id, lines)));
}

/* Of an error that the provider told within a 200: where it is the request's own, clients must not try it again. 0: the
 * code's status. */
static uint16_t status_within(enum failure_class c) {
  bool is_requests = c == FAILURE_INVALID || c == FAILURE_CONTEXT_LENGTH || c == FAILURE_CONTENT_POLICY;
  return is_requests ? 400 : 0;
}

void reply_fault_of(const struct attempt *a, struct fault *out) {
  const char *who = a->target->provider->name;
  if (a->reading.failed) {
    fault_set(out, FAULT_PROVIDER_FAILED, "%s: %s.", who, a->failure_text);
    out->status = status_within(a->failure);
    return;
  }
  switch (a->failure) {
  case FAILURE_CONNECT_TIMEOUT: fault_set(out, FAULT_CONNECT_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_TLS_TIMEOUT: fault_set(out, FAULT_TLS_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_UPLOAD_TIMEOUT: fault_set(out, FAULT_UPLOAD_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_FIRST_TOKEN_TIMEOUT: fault_set(out, FAULT_FIRST_TOKEN_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_IDLE_TIMEOUT: fault_set(out, FAULT_BETWEEN_TOKENS_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_TOKEN_RATE: fault_set(out, FAULT_TOO_FEW_TOKENS, "%s: %s.", who, a->failure_text); break;
  case FAILURE_FIRST_BYTE_TIMEOUT: fault_set(out, FAULT_FIRST_BYTE_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_BETWEEN_BYTES_TIMEOUT:
    fault_set(out, FAULT_BETWEEN_BYTES_TIMEOUT, "%s: %s.", who, a->failure_text);
    break;
  case FAILURE_TOTAL_TIMEOUT: fault_set(out, FAULT_TOTAL_TIMEOUT, "%s: %s.", who, a->failure_text); break;
  case FAILURE_CONNECT:
  case FAILURE_TLS:
    fault_set(out, FAULT_PROVIDER_UNREACHABLE, "%s could not be reached: %s.", who, a->failure_text);
    break;
  case FAILURE_NO_DESCRIPTOR:
    fault_set(out, FAULT_OVERLOADED, "The gateway has no file descriptor left for a connection to %s.", who);
    out->retry_after_s = 1;
    break;
  case FAILURE_REDIRECT: fault_set(out, FAULT_PROVIDER_REDIRECT, "%s answered with status %u.", who, a->status); break;
  case FAILURE_UNTRANSLATABLE: fault_set(out, FAULT_FIELD_INVALID, "%s: %s", who, a->failure_text); break;
  case FAILURE_LOSSY: strict_fault(a, out); break;
  case FAILURE_UNPRICED: fault_set(out, FAULT_MODEL_UNPRICED, "%s", a->failure_text); break;
  case FAILURE_SCRIPT: fault_set(out, FAULT_SCRIPT_FAILED, "The adapter of %s failed.", who); break;
  case FAILURE_STREAM_ERROR: fault_set(out, FAULT_PROVIDER_FAILED, "%s: %s.", who, a->failure_text); break;
  default: fault_set(out, FAULT_PROVIDER_BROKEN, "%s: %s.", who, a->failure_text); break;
  }
}
