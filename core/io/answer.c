/* answer: the rules of upcall.h for what a provider may send. */
#include "io/answer.h"

enum {
  INTERIM_MAX = 16,             /* 1xx heads before the real one */
  ANSWER_HEAD_BYTES = 64 * 1024 /* more than at the edge: providers send long policies and ids */
};

static const struct http_limits limits = {
    .head_bytes = ANSWER_HEAD_BYTES, .target_bytes = 0, .headers = HTTP_HEADERS_MAX};

void answer_init(struct answer *a, bool to_head, uint64_t body_limit_bytes) {
  *a = (struct answer){.to_head = to_head, .allowed_bytes = body_limit_bytes};
}

const char *answer_head_fault(const struct http_head *head) {
  if (head->status < 200) return "an upgrade that nobody asked for";
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    if (h->name.len != sizeof "content-encoding" - 1 || h->value.len == 0) continue;
    if (!slice_eq_nocase(h->name, SLICE("content-encoding"))) continue;
    if (!slice_eq_nocase(h->value, SLICE("identity"))) return "encoded content though identity was asked for";
  }
  return NULL;
}

static enum answer_step take_head(struct answer *a, struct slice *in, struct http_head *head, const char **why) {
  for (;;) {
    size_t head_bytes = 0;
    struct http_refusal refusal;
    enum http_verdict verdict = http_parse_response(*in, &limits, a->to_head, &a->scanned, head, &head_bytes, &refusal);
    if (verdict == HTTP_MORE) return ANSWER_MORE;
    if (verdict == HTTP_REFUSED) {
      *why = refusal.why;
      return ANSWER_BAD;
    }
    *in = slice_from(*in, head_bytes);
    a->scanned = 0;
    if (head->status >= 200 || head->status == 101) break;
    if (++a->interim > INTERIM_MAX) {
      *why = "too many 1xx heads";
      return ANSWER_BAD;
    }
  }
  *why = answer_head_fault(head);
  if (*why != NULL) return ANSWER_BAD;
  a->keep_alive = head->keep_alive;
  switch (head->body) {
  case HTTP_BODY_NONE: a->state = ANSWER_DONE; break;
  case HTTP_BODY_CHUNKED: a->state = ANSWER_IN_CHUNKS; break;
  case HTTP_BODY_UNTIL_CLOSE: a->state = ANSWER_UNTIL_CLOSE; break;
  case HTTP_BODY_LENGTH:
    a->left_bytes = head->body_bytes;
    a->state = a->left_bytes > 0 ? ANSWER_IN_LENGTH : ANSWER_DONE;
    if (a->left_bytes <= a->allowed_bytes) break;
    *why = "a body larger than the limit";
    return ANSWER_BAD;
  }
  return ANSWER_HEAD;
}

static enum answer_step hand_over(struct answer *a, struct slice found, struct slice *piece, const char **why) {
  if (found.len > a->allowed_bytes) {
    *why = "a body larger than the limit";
    return ANSWER_BAD;
  }
  a->allowed_bytes -= found.len;
  *piece = found;
  return ANSWER_BODY;
}

enum answer_step answer_next(struct answer *a, struct slice *in, struct http_head *head, struct slice *piece,
                             const char **why) {
  switch (a->state) {
  case ANSWER_IN_HEAD: return in->len > 0 ? take_head(a, in, head, why) : ANSWER_MORE;
  case ANSWER_IN_LENGTH: {
    if (in->len == 0) return ANSWER_MORE;
    struct slice found = slice_of(in->ptr, in->len < a->left_bytes ? in->len : (size_t)a->left_bytes);
    *in = slice_from(*in, found.len);
    a->left_bytes -= found.len;
    if (a->left_bytes == 0) a->state = ANSWER_DONE;
    return hand_over(a, found, piece, why);
  }
  case ANSWER_IN_CHUNKS: {
    struct slice found;
    struct http_refusal refusal;
    switch (http_chunked_next(&a->chunked, in, &found, &refusal)) {
    case HTTP_CHUNK_MORE: return ANSWER_MORE;
    case HTTP_CHUNK_DATA: return hand_over(a, found, piece, why);
    case HTTP_CHUNK_END: a->state = ANSWER_DONE; return ANSWER_END;
    case HTTP_CHUNK_REFUSED: *why = refusal.why; return ANSWER_BAD;
    }
    return ANSWER_MORE;
  }
  case ANSWER_UNTIL_CLOSE: {
    if (in->len == 0) return ANSWER_MORE;
    struct slice found = *in;
    *in = slice_from(*in, found.len);
    return hand_over(a, found, piece, why);
  }
  case ANSWER_DONE: return ANSWER_END;
  }
  return ANSWER_MORE;
}

bool answer_complete_at_close(const struct answer *a) {
  return a->state == ANSWER_UNTIL_CLOSE || a->state == ANSWER_DONE;
}
