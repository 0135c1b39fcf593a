/* multipart: the parts of a multipart/form-data body (RFC 7578), without a copy. Pure; any thread. Strict where two
 * readers could see different parts: a bad boundary, a part without a name or with two, a missing end are faults. It
 * does not decode what is inside a part. */
#ifndef MOONGATE_WIRE_MULTIPART_H
#define MOONGATE_WIRE_MULTIPART_H

#include <stdbool.h>

#include "base/bytes.h"

enum { MULTIPART_BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

struct multipart {
  struct slice rest;                          /* of the body: behind the last delimiter that was read */
  char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF "--" boundary */
  size_t delimiter_len;
  const char *why; /* after MULTIPART_BROKEN: static text */
};

struct multipart_part {
  struct slice name;     /* of the field, as it stands between its quotes */
  struct slice filename; /* ptr NULL: not a file */
  struct slice value;
};

enum multipart_verdict { MULTIPART_PART, MULTIPART_END, MULTIPART_BROKEN };

/* false: content_type is not multipart/form-data with a boundary, or the body does not begin with it; m->why tells. */
bool multipart_begin(struct multipart *m, struct slice content_type, struct slice body);
enum multipart_verdict multipart_next(struct multipart *m, struct multipart_part *out);

#endif
