/* url: base URLs of providers and percent coding of path segments (RFC 3986). Pure; any thread. */
#ifndef MOONGATE_WIRE_URL_H
#define MOONGATE_WIRE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct url {
  bool tls;               /* https */
  struct slice host;      /* without brackets for IPv6 */
  struct slice authority; /* as it goes into Host: host, port when not the scheme's own */
  uint16_t port;
  struct slice path; /* "" or "/v1", never ends with '/' */
};

/* Accepts http and https, no user info, no query, no fragment, no control bytes, no ".." segment. Slices point into
 * text. */
bool url_parse(struct slice text, struct url *out, struct err *e);
/* Appends one path segment, all but unreserved characters escaped (so "/" and ".." cannot leave the segment). */
void url_put_segment(struct buf *out, struct slice segment);
/* Whether a path, appended to another, stays below it: no "." or ".." segment, no control byte, no broken escape,
 * however often a server decodes it and whichever slash it believes in. */
bool url_stays_inside(struct slice path);
/* Decodes %XX; false on a bad escape, on a control byte or on an encoded NUL. out needs s.len bytes. */
bool url_decode(struct slice s, char *out, size_t *out_len);

#endif
