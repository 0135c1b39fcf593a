/* outgoing: the request that an attempt sends: its path, its headers, the parts of its body. One worker's thread; bytes
 * live in the request's arena, in its body, or (headers) in the gate's scratch until the next use. */
#ifndef MOONGATE_GATE_OUTGOING_H
#define MOONGATE_GATE_OUTGOING_H

#include "gate/attempt/attempt.h"

/* Sets a->path. false: the model's name cannot stand in a path; f tells. */
bool outgoing_set_path(struct attempt *a, struct fault *f);
/* Ready lines, without the secret one. */
struct slice outgoing_headers(struct attempt *a);
/* Sets a->parts: what a hook built, or the client's bytes with their splices. */
void outgoing_set_parts(struct attempt *a);
/* A client's header that never goes on: of a connection (RFC 9110 7.6.1), of this gateway, or a credential. */
bool outgoing_stays_here(const struct http_head *head, struct slice name);

#endif
