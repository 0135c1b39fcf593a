/* answer: reads one HTTP/1.1 answer out of a connection's bytes: 1xx heads skipped, head, body with its framing
 * taken off in place, end. Pure but for its own state; the caller owns the bytes and the socket.
 *
 *     HEAD ──▶ LENGTH | CHUNKS | UNTIL_CLOSE ──▶ DONE
 *       └── 1xx ──┘
 *
 * It does NOT resend, time, or decide whether the content is complete in the provider's own terms. */
#ifndef MOONGATE_IO_ANSWER_H
#define MOONGATE_IO_ANSWER_H

#include "wire/http.h"

enum answer_state { ANSWER_IN_HEAD, ANSWER_IN_LENGTH, ANSWER_IN_CHUNKS, ANSWER_UNTIL_CLOSE, ANSWER_DONE };

struct answer {
  uint64_t left_bytes;    /* ANSWER_IN_LENGTH: still to come */
  uint64_t allowed_bytes; /* of body still allowed */
  size_t scanned;         /* of the head, see http_parse_response */
  struct http_chunked chunked;
  enum answer_state state;
  uint8_t interim; /* 1xx heads seen */
  bool to_head;    /* the request was HEAD */
  bool keep_alive; /* as the head says; false until then */
};

enum answer_step {
  ANSWER_MORE, /* what is left of *in must be offered again, with more behind it */
  ANSWER_HEAD, /* *head is set; its slices point into *in's bytes */
  ANSWER_BODY, /* *piece is set, it points into *in's bytes */
  ANSWER_END,  /* complete; what is left of *in does not belong to it */
  ANSWER_BAD   /* *why says what is wrong; nothing more may be read */
};

void answer_init(struct answer *a, bool to_head, uint64_t body_limit_bytes);
/* The next step; takes bytes from the front of *in. */
enum answer_step answer_next(struct answer *a, struct slice *in, struct http_head *head, struct slice *piece,
                             const char **why);
/* Whether an answer that stops here, by the connection's orderly close, is complete. */
bool answer_complete_at_close(const struct answer *a);
/* Why a head cannot be accepted whatever its framing (content coding, upgrade), or NULL. HTTP/2 answers too. */
const char *answer_head_fault(const struct http_head *head);

#endif
