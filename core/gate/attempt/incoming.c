/* incoming: see the header. The worker's thread. */
#include "gate/attempt/incoming.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "gate/attempt/retry_after.h"
#include "gate/request.h"

/* What a client may see of a provider's headers. */
static bool passes_always(struct slice name) {
  static const struct slice exact[] = {SLICE_INIT("retry-after"), SLICE_INIT("retry-after-ms"),
                                       SLICE_INIT("x-should-retry"), SLICE_INIT("x-amzn-errortype")};
  for (unsigned i = 0; i < sizeof exact / sizeof *exact; i++)
    if (slice_eq_nocase(name, exact[i])) return true;
  static const struct slice prefixes[] = {SLICE_INIT("x-ratelimit-"), SLICE_INIT("anthropic-ratelimit-"),
                                          SLICE_INIT("x-amzn-bedrock-")};
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (name.len > prefixes[i].len && slice_eq_nocase(slice_of(name.ptr, prefixes[i].len), prefixes[i])) return true;
  return false;
}

/* What a client of the raw API does not see: what belongs to the connection, to the provider's own pages, or to lines
 * that this gateway writes. */
static bool passes_raw(const struct http_head *head, struct slice name) {
  static const struct slice held[] = {
      SLICE_INIT("alt-svc"), SLICE_INIT("connection"),        SLICE_INIT("content-length"),
      SLICE_INIT("date"),    SLICE_INIT("keep-alive"),        SLICE_INIT("proxy-authenticate"),
      SLICE_INIT("server"),  SLICE_INIT("set-cookie"),        SLICE_INIT("strict-transport-security"),
      SLICE_INIT("trailer"), SLICE_INIT("transfer-encoding"), SLICE_INIT("upgrade"),
      SLICE_INIT("via"),     SLICE_INIT("www-authenticate")};
  for (unsigned i = 0; i < sizeof held / sizeof *held; i++)
    if (slice_eq_nocase(name, held[i])) return false;
  return !http_list_has(head, SLICE("connection"), name);
}

static bool passes(const struct attempt *a, const struct http_head *head, struct slice name) {
  if (passes_always(name)) return true;
  enum operation operation = a->request->endpoint->operation;
  if (operation == OPERATION_RAW) return passes_raw(head, name);
  return operation != OPERATION_CHAT && slice_eq_nocase(name, SLICE("content-disposition"));
}

/* "ThrottlingException:http://…": the name ends at the colon. */
static void read_error_type(struct attempt *a, struct slice value) {
  ptrdiff_t colon = slice_find_byte(value, ':');
  if (colon >= 0) value.len = (size_t)colon;
  snprintf(a->reading.error_type, sizeof a->reading.error_type, "%.*s", (int)value.len, value.ptr);
}

/* Whether a header of that name may be one of those below: nearly all that providers send are not. */
static bool may_matter(const struct attempt *a, struct slice name) {
  if (a->request->endpoint->operation == OPERATION_RAW) return true;
  switch (name.ptr[0] | 0x20) {
  case 'a': /* anthropic-ratelimit- */
  case 'c': /* content-type, content-disposition */
  case 'r': /* retry-after, request-id */
  case 'x': return true;
  default: return false;
  }
}

/* Some servers and proxies repeat what they were sent: nobody gets to see that. */
static bool tells_key(const struct attempt *a, struct slice value) {
  struct slice key = secret_view(a->target->provider->keys[a->key_index].bare);
  return key.len > 0 && value.len >= key.len && slice_find(value, key) >= 0;
}

void incoming_read_head(struct attempt *a, const struct http_head *head) {
  struct request *r = a->request;
  struct buf *pass = &r->gate->headers;
  pass->len = 0;
  struct retry_after again = {0};
  int64_t wall_ms = head->status >= 400 ? clock_wall_ms() : 0;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    if (!may_matter(a, h->name) || tells_key(a, h->value)) continue;
    if (head->status >= 400) retry_after_header(&again, h->name, h->value, wall_ms);
    if (h->name.len == 12 && slice_eq_nocase(h->name, SLICE("content-type"))) {
      a->content_type = arena_copy(&r->arena, h->value);
    } else if (slice_eq_nocase(h->name, SLICE("x-request-id")) || slice_eq_nocase(h->name, SLICE("request-id")) ||
               slice_eq_nocase(h->name, SLICE("x-amzn-requestid"))) {
      size_t len = h->value.len < sizeof a->provider_request_id ? h->value.len : sizeof a->provider_request_id - 1;
      memcpy(a->provider_request_id, h->value.ptr, len);
      a->provider_request_id[len] = '\0';
    } else if (passes(a, head, h->name)) {
      if (slice_eq_nocase(h->name, SLICE("x-amzn-errortype"))) read_error_type(a, h->value);
      /* Name and value are pieces of one line: it goes on as it came. */
      buf_append(pass, h->name.ptr, (size_t)(h->value.ptr + h->value.len - h->name.ptr));
      buf_slice(pass, SLICE("\r\n"));
    }
  }
  a->retry_after_ms = retry_after_ms(&again);
  a->no_retry = again.forbidden;
  if (pass->len > 0) a->passed_headers = arena_copy(&r->arena, buf_view(pass));
}

bool incoming_has_type(const struct attempt *a, struct slice type) {
  struct slice has = a->content_type;
  if (has.len < type.len || !slice_eq_nocase(slice_of(has.ptr, type.len), type)) return false;
  return has.len == type.len || has.ptr[type.len] == ';' || has.ptr[type.len] == ' ';
}

/* Asked for, or not prevented: a proxy may have dropped the query that asks for server-sent events. */
static bool may_be_array(const struct attempt *a) {
  return a->framing == FRAMING_JSON_ARRAY || (a->crosses && a->dialect->sse_query.len > 0);
}

/* Whether the answer is a stream, and how it is framed: its type tells, where only a stream has that type. */
bool incoming_is_stream(const struct attempt *a, enum framing *framing) {
  if (incoming_has_type(a, SLICE("text/event-stream"))) *framing = FRAMING_SSE;
  else if (incoming_has_type(a, SLICE("application/vnd.amazon.eventstream"))) *framing = FRAMING_AWS_EVENTS;
  else if (may_be_array(a) && incoming_has_type(a, SLICE("application/json"))) *framing = FRAMING_JSON_ARRAY;
  else return false;
  return true;
}
