/* http: strict HTTP/1.1 messages (RFC 9112), both directions. Pure: bytes in, verdicts out; any thread; owns nothing.
 *
 * One parser serves the edge (requests) and the upstream side (responses). It is strict on purpose: what two parsers
 * could read in two ways is refused, because that is how requests are smuggled. It does not decode bodies of content
 * (gzip) and knows no URI beyond what framing and safety need. */
#ifndef MOONGATE_WIRE_HTTP_H
#define MOONGATE_WIRE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { HTTP_HEADERS_MAX = 100 };

struct http_header {
  struct slice name, value; /* value without blanks around it */
};

/* How the body of a message ends (RFC 9112 section 6.3). */
enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

/* A parsed head. Slices point into the parsed bytes. 3.3 KB: keep it on the stack, copy out what is needed. */
struct http_head {
  struct slice method, target; /* requests; target as sent */
  struct slice path, query;    /* of target: path starts with '/', or is "*"; query without '?' */
  struct slice host;           /* requests: of the Host header */
  uint16_t status;             /* responses */
  uint8_t minor;               /* HTTP/1.minor: 0 or 1 */
  bool keep_alive;             /* the connection may be used again, as far as this message says */
  bool expect_continue;        /* requests: "Expect: 100-continue" */
  enum http_body body;
  uint64_t body_bytes; /* with HTTP_BODY_LENGTH */
  uint16_t header_count;
  struct http_header headers[HTTP_HEADERS_MAX];
};

struct http_limits {
  uint32_t head_bytes;   /* whole head: default 32 KiB → 431 */
  uint32_t target_bytes; /* default 8 KiB → 414 */
  uint32_t headers;      /* at most HTTP_HEADERS_MAX → 431 */
};
extern const struct http_limits http_limits_default;

enum http_verdict { HTTP_MORE, HTTP_COMPLETE, HTTP_REFUSED };

/* Why a message was refused. For a request, `status` is the answer to give before closing; for a response it is 502. */
struct http_refusal {
  uint16_t status;
  bool tunnel;     /* CONNECT, rightly made: its client takes us for a proxy */
  const char *why; /* static text, e.g. "two different Content-Length values" */
};

/* Parses the head that starts at bytes. *scanned (start at 0) remembers across calls how far the search for its end
 * has come; bytes may grow and move between calls. COMPLETE sets *out and *head_bytes (with the empty line). A request
 * may be preceded by one empty line (RFC 9112 2.2), counted in *head_bytes. The verdict and the status do not depend on
 * how the bytes were cut, and a refusal comes as soon as the bytes allow it. */
enum http_verdict http_parse_request(struct slice bytes, const struct http_limits *limits, size_t *scanned,
                                     struct http_head *out, size_t *head_bytes, struct http_refusal *why);
/* `to_head`: the request was HEAD, so there is no body whatever the head says. 1xx heads are reported like any other,
 * with HTTP_BODY_NONE; 101 is refused, because nothing here asks for an upgrade. */
enum http_verdict http_parse_response(struct slice bytes, const struct http_limits *limits, bool to_head,
                                      size_t *scanned, struct http_head *out, size_t *head_bytes,
                                      struct http_refusal *why);

/* The value of the first header of that name (any case), or a slice with ptr NULL. */
struct slice http_header_of(const struct http_head *head, struct slice name);
/* How many headers of that name there are. */
unsigned http_header_count(const struct http_head *head, struct slice name);
/* Whether a comma-separated list header (all its occurrences) holds `token`, any case. */
bool http_list_has(const struct http_head *head, struct slice name, struct slice token);

/* The first value of a query's parameter, as it stands; ptr NULL: absent. */
struct slice http_query_of(struct slice query, struct slice name);

bool http_is_token(struct slice s);       /* RFC 9110 5.6.2 */
bool http_is_field_value(struct slice s); /* no controls but tab; no blanks at the ends */

/* "OK" for 200 and so on; "Unknown" for what is not registered. */
const char *http_reason(unsigned status);

/* Chunked transfer coding, incremental (RFC 9112 7.1). Trailers are parsed, bounded, and dropped. */
struct http_chunked {
  uint64_t left; /* bytes left of the current chunk */
  uint32_t line; /* bytes of the current size line or trailer section */
  uint8_t state; /* private */
};
enum http_chunk { HTTP_CHUNK_MORE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_CHUNK_REFUSED };
/* Takes bytes from the front of *in (advancing it) until it has a piece of data (*data, pointing into *in's bytes), the
 * end, a fault, or nothing left. `{0}` is the start state. END and REFUSED repeat. why->status is for requests (400,
 * 431); in a response every fault is a 502. */
enum http_chunk http_chunked_next(struct http_chunked *c, struct slice *in, struct slice *data,
                                  struct http_refusal *why);

/* "1f\r\n" into at (18 bytes at most), returns the length: what goes before a chunk's bytes; "\r\n" goes behind. */
size_t http_chunk_head(char *at, uint64_t bytes);

#endif
