/* http_feed: feeds a message to the parsers in steps of some size, each time in memory of exactly that size, so that a
 * sanitizer sees a read behind it. Says what became of it: "accept", "more", or the status of the refusal. */
#ifndef MOONGATE_TESTS_HTTP_FEED_H
#define MOONGATE_TESTS_HTTP_FEED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/http.h"

struct http_outcome {
  char verdict[8];
  size_t consumed; /* accept: bytes of head and body */
};

static struct http_outcome http_outcome_refused(const struct http_refusal *why) {
  struct http_outcome outcome = {0};
  snprintf(outcome.verdict, sizeof outcome.verdict, "%u", (unsigned)why->status);
  return outcome;
}

static struct http_outcome http_outcome_of(const char *verdict, size_t consumed) {
  struct http_outcome outcome = {.consumed = consumed};
  snprintf(outcome.verdict, sizeof outcome.verdict, "%s", verdict);
  return outcome;
}

/* The body as far as it has come. Returns true when there is an outcome. *at: consumed so far. */
static bool http_feed_body(const struct http_head *head, struct http_chunked *chunked, struct slice bytes, size_t *at,
                           size_t head_bytes, struct http_outcome *outcome) {
  struct slice in = slice_from(bytes, *at), piece;
  struct http_refusal why;
  bool done = head->body == HTTP_BODY_NONE || head->body == HTTP_BODY_UNTIL_CLOSE;
  if (head->body == HTTP_BODY_LENGTH) {
    done = bytes.len - head_bytes >= head->body_bytes;
    if (done) *at = head_bytes + (size_t)head->body_bytes;
  } else if (head->body == HTTP_BODY_CHUNKED) {
    enum http_chunk chunk;
    while ((chunk = http_chunked_next(chunked, &in, &piece, &why)) == HTTP_CHUNK_DATA) continue;
    *at = bytes.len - in.len;
    if (chunk == HTTP_CHUNK_REFUSED) {
      *outcome = http_outcome_refused(&why);
      return true;
    }
    done = chunk == HTTP_CHUNK_END;
  }
  if (done) *outcome = http_outcome_of("accept", *at);
  return done;
}

/* step 0: all at once. */
static struct http_outcome http_feed(struct slice message, size_t step, bool is_request) {
  static struct http_head head;
  struct http_chunked chunked = {0};
  struct http_outcome outcome;
  size_t scanned = 0, head_bytes = 0, at = 0;
  bool have_head = false;
  for (size_t len = step == 0 || step > message.len ? message.len : step;;) {
    struct http_refusal why = {0};
    enum http_verdict verdict = HTTP_COMPLETE;
    char *copy = malloc(len);
    if (len > 0) memcpy(copy, message.ptr, len);
    struct slice bytes = {copy, len};
    if (!have_head) {
      verdict = is_request
                    ? http_parse_request(bytes, &http_limits_default, &scanned, &head, &head_bytes, &why)
                    : http_parse_response(bytes, &http_limits_default, false, &scanned, &head, &head_bytes, &why);
      if (verdict == HTTP_COMPLETE) have_head = true, at = head_bytes;
    }
    bool done = verdict == HTTP_REFUSED;
    if (done) outcome = http_outcome_refused(&why);
    if (have_head) done = http_feed_body(&head, &chunked, bytes, &at, head_bytes, &outcome);
    free(copy);
    if (done) return outcome;
    if (len == message.len) return http_outcome_of("more", 0);
    len = len + step > message.len ? message.len : len + step;
  }
}

#endif
