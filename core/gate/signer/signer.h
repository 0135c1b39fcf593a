/* signer: makes the secret header lines of one call to a provider where no ready line will do: because they depend on
 * the call itself (AWS signatures) or on a token that is fetched and renewed (OAuth). An adapter names its signer in
 * `auth`; without one the key's ready line is sent and nothing here runs. The worker's thread.
 *
 * A signer's lines are secrets: they go into the head that is wiped, never into a log, a trace or an error. */
#ifndef MOONGATE_GATE_SIGNER_H
#define MOONGATE_GATE_SIGNER_H

#include <sys/uio.h>

#include "base/bytes.h"
#include "base/list.h"
#include "io/loop.h"

struct provider;

/* The call to be signed, as it will go out. Valid during sign only. */
struct signing {
  const struct provider
      *provider; /* keys[key_index].bare: the key as the config gives it; authority: the Host header */
  uint32_t key_index;
  struct loop *loop;
  void **state; /* the signer's own, of this key on this worker; starts NULL; given to close in the end */
  struct slice method, target; /* target: path and query, escaped */
  struct slice headers;        /* ready lines, all that will be sent but host, content-length and the signer's own */
  const struct iovec *body;
  int body_parts;
};

enum signer_verdict { SIGNER_DONE, SIGNER_WAITING, SIGNER_FAILED };

/* A call that waits for a token; a member of the attempt. The signer links it into a list of its own, and when the
 * token is there (or will not come) unlinks it and calls over, which calls sign again, now or later. A call that is
 * given up unlinks itself. */
struct signer_wait {
  struct link link;
  void (*over)(struct signer_wait *w);
};

enum { SIGNER_WHY_BYTES = 160 };

struct signer {
  const char *name; /* "aws-sigv4" */
  /* Appends ready lines to `lines`; WAITING: w is linked; FAILED: why says it in words without secrets, and the attempt
   * has failed. */
  enum signer_verdict (*sign)(const struct signing *call, struct signer_wait *w, struct buf *lines,
                              char why[SIGNER_WHY_BYTES]);
  /* Ends what *state holds (a running fetch, the token); NULL: there is nothing. No wait is linked any more. */
  void (*close)(void *state);
};

const struct signer *signer_named(struct slice name); /* NULL: none */

extern const struct signer signer_aws, signer_google;

#endif
